// SPDX-License-Identifier: Apache-2.0
#include "cli/args.h"

#include "base/assert.h"

enum { NEAR_WORD_MAX = 64 }; // longer words get no suggestion

static const struct args_flag help_flag = {"help", ARGS_SWITCH, NULL, NULL, 0, 0, "Show this page."};
static const struct args_flag json_flag = {
    "json", ARGS_SWITCH, NULL, NULL, 0, 0, "Print JSON for programs instead of text for people."};
static const struct args_flag remote_flags[] = {
    {"bootstrap-server", ARGS_TEXT, "HOST:PORT[,...]", NULL, 0, 0,
     "Brokers to try in turn. Without it: the environment variable STROM_BOOTSTRAP, else 127.0.0.1:9092."},
    {"timeout-ms", ARGS_INT, "MS", "30000", 1, 86400000, "How long to wait for an answer."},
};

const struct args_flag *args_flag_at(const struct args_spec *spec, size_t index)
{
    if (index < spec->flag_count) {
        return &spec->flags[index];
    }
    index -= spec->flag_count;
    if (spec->is_json && index-- == 0) {
        return &json_flag;
    }
    if (spec->is_remote) {
        if (index < sizeof remote_flags / sizeof *remote_flags) {
            return &remote_flags[index];
        }
        index -= sizeof remote_flags / sizeof *remote_flags;
    }
    return index == 0 ? &help_flag : NULL;
}

const struct args_flag *args_flag_find(const struct args_spec *spec, struct str name)
{
    const struct args_flag *flag;
    for (size_t i = 0; (flag = args_flag_at(spec, i)) != NULL; i++) {
        if (str_equal(str_from_c(flag->name), name)) {
            return flag;
        }
    }
    return NULL;
}

static const struct args_flag *flag_get(const struct args *args, const char *name)
{
    const struct args_flag *flag = args_flag_find(args->spec, str_from_c(name));
    ASSERT(flag != NULL);
    return flag;
}

// Levenshtein's distance, with one row of the table.
static size_t edit_distance(struct str a, struct str b)
{
    size_t row[NEAR_WORD_MAX + 1];
    for (size_t j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t replace = diagonal + (a.ptr[i - 1] == b.ptr[j - 1] ? 0 : 1);
            size_t shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < shift ? replace : shift;
        }
    }
    return row[b.len];
}

bool text_is_near(struct str a, struct str b, size_t *ret_edits)
{
    if (a.len == 0 || b.len == 0 || a.len > NEAR_WORD_MAX || b.len > NEAR_WORD_MAX) {
        return false;
    }
    struct str shorter = a.len < b.len ? a : b;
    struct str longer = a.len < b.len ? b : a;
    size_t edits = edit_distance(a, b);
    size_t allowed = 1 + shorter.len / 4;
    if (edits > allowed && shorter.len >= 3 && str_has_prefix(longer, shorter)) {
        edits = allowed; // "part" for "partitions"
    }
    *ret_edits = edits;
    return edits <= allowed && edits < longer.len;
}

const char *text_nearest(struct str text, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    size_t best_edits = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t edits;
        if (text_is_near(text, str_from_c(candidates[i]), &edits) && edits < best_edits) {
            best = candidates[i];
            best_edits = edits;
        }
    }
    return best;
}

bool pair_split(struct str text, struct str *ret_key, struct str *ret_value)
{
    struct str value;
    struct str key = str_cut(text, '=', &value);
    if (key.len == 0 || value.ptr == NULL) {
        return false;
    }
    *ret_key = key;
    *ret_value = value;
    return true;
}

static enum err fail_unknown_flag(const struct args_spec *spec, struct str name, struct error *e)
{
    const char *best = NULL;
    size_t best_edits = SIZE_MAX;
    const struct args_flag *flag;
    for (size_t i = 0; (flag = args_flag_at(spec, i)) != NULL; i++) {
        size_t edits;
        if (text_is_near(name, str_from_c(flag->name), &edits) && edits < best_edits) {
            best = flag->name;
            best_edits = edits;
        }
    }
    if (best == NULL) {
        return FAIL(e, ERR_INVALID_REQUEST, "unknown flag --" STR_FMT, STR_ARG(name));
    }
    return FAIL(e, ERR_INVALID_REQUEST, "unknown flag --" STR_FMT "; did you mean --%s?", STR_ARG(name),
                best);
}

bool choice_has(struct str choices, struct str word)
{
    bool is_found = false;
    while (!is_found && choices.ptr != NULL) {
        is_found = str_equal(str_cut(choices, '|', &choices), word);
    }
    return is_found;
}

static enum err value_check(const struct args_flag *flag, struct str text, struct error *e)
{
    int64_t number;
    if (flag->kind == ARGS_CHOICE && !choice_has(str_from_c(flag->value_name), text)) {
        return FAIL(e, ERR_INVALID_REQUEST, "--%s is one of %s, not \"" STR_FMT "\"", flag->name,
                    flag->value_name, STR_ARG(text));
    }
    if (flag->kind != ARGS_INT && flag->kind != ARGS_INTS && flag->kind != ARGS_OPTIONAL) {
        return ERR_OK;
    }
    if (!str_parse_i64(text, &number)) {
        return FAIL(e, ERR_INVALID_REQUEST, "--%s wants a number, not \"" STR_FMT "\"", flag->name,
                    STR_ARG(text));
    }
    if (number < flag->min || number > flag->max) {
        return FAIL(e, ERR_INVALID_REQUEST, "--%s must be %lld to %lld, not %lld", flag->name,
                    (long long)flag->min, (long long)flag->max, (long long)number);
    }
    return ERR_OK;
}

// flag_parse reads the flag at argv[*at] and moves *at past its value.
static enum err flag_parse(struct args *args, int argc, char **argv, int *at, struct error *e)
{
    struct str value;
    struct str name = str_cut(str_from_c(argv[*at] + 2), '=', &value);
    const struct args_flag *flag = args_flag_find(args->spec, name);
    if (flag == NULL) {
        return fail_unknown_flag(args->spec, name, e);
    }
    if (flag->kind == ARGS_SWITCH && value.ptr != NULL) {
        return FAIL(e, ERR_INVALID_REQUEST, "--%s takes no value", flag->name);
    }
    if (flag->kind == ARGS_OPTIONAL && value.ptr == NULL) {
        value = str_from_c(flag->default_text);
    }
    if (flag->kind != ARGS_SWITCH && value.ptr == NULL) {
        if (*at + 1 >= argc) {
            return FAIL(e, ERR_INVALID_REQUEST, "--%s wants a value: --%s %s", flag->name, flag->name,
                        flag->value_name);
        }
        *at += 1;
        value = str_from_c(argv[*at]);
    }
    enum err err = value_check(flag, value, e);
    if (err != ERR_OK) {
        return err;
    }
    if (args->value_count == ARGS_VALUES_MAX) {
        return FAIL(e, ERR_INVALID_REQUEST, "more than %d flags", ARGS_VALUES_MAX);
    }
    args->values[args->value_count++] = (struct args_value){flag, value};
    args->is_help = args->is_help || flag == &help_flag;
    return ERR_OK;
}

static enum err names_check(const struct args *args, struct error *e)
{
    const struct args_spec *spec = args->spec;
    if (args->name_count < spec->names_min) {
        return FAIL(e, ERR_INVALID_REQUEST, "%s is missing: %s %s", spec->names_usage, spec->command,
                    spec->names_usage);
    }
    if (args->name_count > spec->names_max) {
        return FAIL(e, ERR_INVALID_REQUEST, "\"" STR_FMT "\" is one argument too many",
                    STR_ARG(args->names[spec->names_max]));
    }
    return ERR_OK;
}

enum err args_parse(const struct args_spec *spec, int argc, char **argv, struct args *ret, struct error *e)
{
    ret->spec = spec;
    ret->is_help = false;
    ret->name_count = 0;
    ret->value_count = 0;
    for (int i = 1; i < argc; i++) { // help wins over every mistake
        if (strcmp(argv[i], "--") == 0) {
            break;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            ret->is_help = true;
            return ERR_OK;
        }
    }
    bool are_flags_over = false;
    for (int i = 1; i < argc; i++) {
        struct str text = str_from_c(argv[i]);
        if (!are_flags_over && str_equal(text, STR("--"))) {
            are_flags_over = true;
        } else if (!are_flags_over && str_has_prefix(text, STR("--"))) {
            enum err err = flag_parse(ret, argc, argv, &i, e);
            if (err != ERR_OK) {
                return err;
            }
        } else if (!are_flags_over && text.len > 1 && text.ptr[0] == '-') {
            return FAIL(e, ERR_INVALID_REQUEST, "unknown flag " STR_FMT "; flags have two dashes",
                        STR_ARG(text));
        } else if (ret->name_count == ARGS_NAMES_MAX) {
            return FAIL(e, ERR_INVALID_REQUEST, "more than %d names", ARGS_NAMES_MAX);
        } else {
            ret->names[ret->name_count++] = text;
        }
    }
    return names_check(ret, e);
}

static const struct args_value *value_find(const struct args *args, const struct args_flag *flag)
{
    for (size_t i = args->value_count; i > 0; i--) {
        if (args->values[i - 1].flag == flag) {
            return &args->values[i - 1];
        }
    }
    return NULL;
}

bool args_given(const struct args *args, const char *name)
{
    return value_find(args, flag_get(args, name)) != NULL;
}

struct str args_text(const struct args *args, const char *name)
{
    const struct args_flag *flag = flag_get(args, name);
    const struct args_value *value = value_find(args, flag);
    return value != NULL ? value->text : str_from_c(flag->default_text);
}

int64_t args_int(const struct args *args, const char *name)
{
    int64_t number = 0;
    ASSERT(str_parse_i64(args_text(args, name), &number));
    return number;
}

bool args_list(const struct args *args, const char *name, size_t index, struct str *ret)
{
    const struct args_flag *flag = flag_get(args, name);
    for (size_t i = 0; i < args->value_count; i++) {
        if (args->values[i].flag == flag && index-- == 0) {
            *ret = args->values[i].text;
            return true;
        }
    }
    return false;
}
