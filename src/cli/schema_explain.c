// SPDX-License-Identifier: Apache-2.0
// schema_explain.c - what a registry says of compatibility, told as a compiler tells of an error: where,
// what, and what would be compatible.
#include "cli/schema.h"

bool verdict_is_good(const struct json_value *verdict)
{
    const struct json_value *is_compatible = json_get(verdict, STR("is_compatible"));
    return is_compatible != NULL && is_compatible->type == JSON_TRUE;
}

// quoted takes what stands in quotes behind a label of the registry's messages: description:"..." or
// errorType:'...'.
static struct str quoted(struct str text, const char *label)
{
    struct str name = str_from_c(label);
    const char *at = text.len == 0 ? NULL : memmem(text.ptr, text.len, name.ptr, name.len);
    if (at == NULL || at + name.len >= text.ptr + text.len) {
        return (struct str){0};
    }
    const char *from = at + name.len + 1;
    char quote = at[name.len];
    const char *end = text.ptr + text.len;
    const char *to = from;
    // The quote that ends it is followed by a comma or the closing brace.
    while (to < end && !(*to == quote && to + 1 < end && (to[1] == ',' || to[1] == '}'))) {
        to++;
    }
    return to < end ? (struct str){from, (size_t)(to - from)} : (struct str){0};
}

static void line_print(const char *before, struct str text, struct buf *out)
{
    buf_append_str(out, str_from_c(before));
    text_show(text, out);
    buf_u8(out, '\n');
}

static void message_explain(struct str message, struct str file, struct buf *out)
{
    struct str what = quoted(message, "description:");
    struct str kind = quoted(message, "errorType:");
    struct str info = quoted(message, "additionalInfo:");
    struct str hint = quoted(message, "hint:");
    text_show(file, out);
    if (what.ptr == NULL) {
        line_print(": error: ", message, out);
        return;
    }
    buf_append_str(out, STR(": error: "));
    text_show(what, out);
    buf_printf(out, " [" STR_FMT "]\n", STR_ARG(kind));
    if (info.len > 0 && memmem(what.ptr, what.len, info.ptr, info.len) == NULL) {
        line_print("  note: ", info, out);
    }
    if (hint.len > 0) {
        line_print("  help: ", hint, out);
    }
}

void verdict_explain(const struct json_value *verdict, struct str file, struct str subject,
                     struct str version, struct buf *out)
{
    static const char of_version[] = "{oldSchemaVersion: ";
    const struct json_value *messages = json_get(verdict, STR("messages"));
    struct str level = {0};
    for (const struct json_value *v = messages == NULL ? NULL : messages->first; v != NULL; v = v->next) {
        if (str_has_prefix(v->text, str_from_c(of_version))) {
            struct str rest = {v->text.ptr + sizeof of_version - 1, v->text.len - (sizeof of_version - 1)};
            version = str_cut(rest, '}', &rest);
        } else if (str_has_prefix(v->text, STR("{validateFields: ")) ||
                   str_has_prefix(v->text, STR("{compatibility: "))) {
            level = quoted(v->text, "compatibility: ");
        } else if (!str_has_prefix(v->text, STR("{oldSchema: "))) {
            message_explain(v->text, file, out);
        }
    }
    text_show(file, out);
    buf_append_str(out,
                   verdict_is_good(verdict) ? STR(" is compatible with ") : STR(" is not compatible with "));
    if (version.len > 0) {
        buf_append_str(out, STR("version "));
        text_show(version, out);
        buf_append_str(out, STR(" of "));
    }
    text_show(subject, out);
    if (level.len > 0) {
        buf_append_str(out, STR(" ("));
        text_show(level, out);
        buf_append_str(out, STR(")"));
    }
    buf_append_str(out, STR(".\n"));
}
