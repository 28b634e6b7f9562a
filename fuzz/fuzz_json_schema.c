// SPDX-License-Identifier: Apache-2.0
// fuzz_json_schema.c - the input is a schema, a 0 byte, and a payload. A schema's text must print the same
// when it is read again, in every form; a schema must be compatible with itself; a payload that passes must
// be walked by views to its end, and must pass again without its white space. A second 0 byte gives another
// schema to compare with. The text before the first 0 is tried as a regular expression, too, in both
// syntaxes.
#include <stdlib.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "format/json/json_schema.h"
#include "json/tree.h"
#include "regex/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 1 << 22 };

static struct schema *make(struct str text)
{
    struct schema_source source = {.format = FORMAT_JSON, .text = text};
    struct schema *schema = NULL;
    struct error e = {0};
    if (schema_create(&source, &schema, &e) != ERR_OK) {
        ASSERT(e.text[0] != 0);
        return NULL;
    }
    return schema;
}

static void check_print(const struct schema *schema, enum schema_form form)
{
    struct buf once;
    struct buf twice;
    buf_init(&once, TEXT_MAX);
    buf_init(&twice, TEXT_MAX);
    ASSERT(schema_print(schema, form, &once, NULL) == ERR_OK);
    if (once.len <= SCHEMA_TEXT_BYTES_MAX) {
        struct schema *again = make(buf_str(&once));
        ASSERT(again != NULL);
        ASSERT(schema_print(again, form, &twice, NULL) == ERR_OK);
        ASSERT(str_equal(buf_str(&once), buf_str(&twice)));
        schema_unref(again);
    }
    buf_fini(&once);
    buf_fini(&twice);
}

static void check_compare(const struct schema *reader, const struct schema *writer, bool is_same)
{
    struct arena arena;
    arena_init(&arena, 16 << 20);
    struct compat_report strict = {.arena = &arena};
    struct compat_report lenient = {.arena = &arena};
    enum err err = schema_compare(reader, writer, COMPAT_STRICT, &strict, NULL);
    ASSERT(err == ERR_OK || err == ERR_NO_MEMORY);
    ASSERT(err != ERR_OK || !is_same || strict.total == 0);
    if (schema_compare(reader, writer, COMPAT_LENIENT, &lenient, NULL) == ERR_OK && err == ERR_OK) {
        ASSERT(strict.total > 0 || lenient.total == 0);
    }
    arena_fini(&arena);
}

static size_t walk(const struct view *view)
{
    struct view_items items = {.of = *view};
    struct str key;
    struct view item;
    size_t count = 1;
    while (view_next(&items, &key, &item)) {
        count += walk(&item);
    }
    return count;
}

static size_t tree_count(const struct json_value *value)
{
    size_t count = 1;
    for (const struct json_value *v = value->first; v != NULL; v = v->next) {
        count += tree_count(v);
    }
    return count;
}

static void check_payload(const struct program *program, struct str payload)
{
    struct program_fault fault = {0};
    enum err err = program_check(program, bytes_of(payload.ptr, payload.len), &fault);
    ASSERT(err == ERR_OK || err == ERR_INVALID_RECORD || err == ERR_NO_MEMORY);
    ASSERT(err == ERR_OK || fault.text[0] != 0);
    ASSERT(program_check(program, bytes_of(payload.ptr, payload.len), NULL) == err);
    ASSERT(jschema_judges_alike(program, bytes_of(payload.ptr, payload.len), NULL));
    if (err != ERR_OK) {
        return;
    }
    struct view root = view_root(program, bytes_of(payload.ptr, payload.len));
    ASSERT(root.kind != VIEW_NONE);
    size_t seen = walk(&root);
    struct arena arena;
    struct json_value *tree = NULL;
    arena_init(&arena, 64 << 20);
    ASSERT(json_parse(payload, &arena, &tree, NULL) == ERR_OK);
    ASSERT(seen == tree_count(tree)); // members with the same name would be one in the tree
    struct buf plain;
    buf_init(&plain, TEXT_MAX);
    json_print(tree, false, &plain);
    ASSERT(program_check(program, buf_bytes(&plain), NULL) != ERR_INVALID_RECORD);
    buf_fini(&plain);
    arena_fini(&arena);
}

static void check_regex(struct str pattern, struct str text, enum regex_syntax syntax)
{
    struct regex *regex = NULL;
    if (regex_create(pattern, syntax, &regex, NULL) == ERR_OK) {
        if (utf8_is_valid(text)) {
            (void)!regex_search(regex, text, NULL);
        }
        regex_destroy(regex);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct str text = str_cut(rest, 0, &rest);
    struct str payload = rest.ptr == NULL ? STR("") : str_cut(rest, 0, &rest);
    check_regex(text, payload, REGEX_ECMA);
    check_regex(text, payload, REGEX_RE2);
    struct schema *schema = make(text);
    if (schema == NULL) {
        return 0;
    }
    check_print(schema, SCHEMA_CANONICAL);
    check_print(schema, SCHEMA_NORMAL);
    check_compare(schema, schema, true);
    struct schema *other = rest.ptr == NULL ? NULL : make(rest);
    if (other != NULL) {
        check_compare(schema, other, false);
        check_compare(other, schema, false);
        schema_unref(other);
    }
    struct program *program = NULL;
    struct error e = {0};
    if (program_create(schema, NULL, 0, &program, &e) == ERR_OK) {
        check_payload(program, payload);
        program_unref(program);
    } else {
        ASSERT(e.text[0] != 0);
    }
    schema_unref(schema);
    return 0;
}
