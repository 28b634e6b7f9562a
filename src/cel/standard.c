// SPDX-License-Identifier: Apache-2.0
// standard.c - the signatures of the operators, sizes, and what is asked of strings.
#include "cel/standard_private.h"
#include "cel/program_private.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "regex/regex.h"

enum {
    BYTES_PER_STEP = 32,
    REGEX_STEPS_PER_STEP = 4,
    REGEX_STEPS_PER_BYTE =
        16, // of a pattern that is no literal: compiling takes some 100 ns per byte that it makes
};

// ---- operators

#define COMPARISON(named)                                                                                    \
    {.name = named, .signature = "bb:b"}, {.name = named, .signature = "ii:b"},                              \
        {.name = named, .signature = "uu:b"}, {.name = named, .signature = "dd:b"},                          \
        {.name = named, .signature = "ss:b"}, {.name = named, .signature = "yy:b"},                          \
        {.name = named, .signature = "tt:b"}, {.name = named, .signature = "rr:b"},                          \
        {.name = named, .signature = "iu:b"}, {.name = named, .signature = "ui:b"},                          \
        {.name = named, .signature = "id:b"}, {.name = named, .signature = "di:b"},                          \
        {.name = named, .signature = "ud:b"}, {.name = named, .signature = "du:b"},                          \
    {                                                                                                        \
        .name = named, .signature = "#decimal;#decimal;:b"                                                   \
    }

static const struct cel_function operators[] = {
    {.name = "!_", .signature = "b:b"},
    {.name = "-_", .signature = "i:i"},
    {.name = "-_", .signature = "d:d"},
    {.name = "_+_", .signature = "ii:i"},
    {.name = "_+_", .signature = "uu:u"},
    {.name = "_+_", .signature = "dd:d"},
    {.name = "_+_", .signature = "ss:s"},
    {.name = "_+_", .signature = "yy:y"},
    {.name = "_+_", .signature = "[A[A:[A"},
    {.name = "_+_", .signature = "tr:t"},
    {.name = "_+_", .signature = "rt:t"},
    {.name = "_+_", .signature = "rr:r"},
    {.name = "_-_", .signature = "ii:i"},
    {.name = "_-_", .signature = "uu:u"},
    {.name = "_-_", .signature = "dd:d"},
    {.name = "_-_", .signature = "tt:r"},
    {.name = "_-_", .signature = "tr:t"},
    {.name = "_-_", .signature = "rr:r"},
    {.name = "_*_", .signature = "ii:i"},
    {.name = "_*_", .signature = "uu:u"},
    {.name = "_*_", .signature = "dd:d"},
    {.name = "_/_", .signature = "ii:i"},
    {.name = "_/_", .signature = "uu:u"},
    {.name = "_/_", .signature = "dd:d"},
    {.name = "_%_", .signature = "ii:i"},
    {.name = "_%_", .signature = "uu:u"},
    {.name = "@in", .signature = "A[A:b"},
    {.name = "@in", .signature = "A{AB:b"},
    COMPARISON("_<_"),
    COMPARISON("_<=_"),
    COMPARISON("_>_"),
    COMPARISON("_>=_"),
};
#undef COMPARISON

const struct cel_library cel_operator_library = {operators, sizeof operators / sizeof operators[0], NULL, 0};

// ---- sizes

static struct cel_value size_of(struct cel_call *call, const struct cel_value *args)
{
    size_t size = 0;
    switch (args[0].kind) {
    case CEL_STRING:
        return cel_pay(call, args[0].len / BYTES_PER_STEP) ? cel_int((int64_t)utf8_count(cel_str(args[0])))
                                                           : cel_over(call);
    case CEL_BYTES:
        return cel_int(args[0].len);
    default:
        return cel_list_size(call, args[0], &size) ? cel_int((int64_t)size) : cel_over(call);
    }
}

// ---- strings

static struct cel_value contains(struct cel_call *call, const struct cel_value *args)
{
    if (!cel_pay(call, args[0].len / BYTES_PER_STEP)) {
        return cel_over(call);
    }
    bool is_inside = args[1].len == 0 || (args[0].len >= args[1].len &&
                                          memmem(args[0].ptr, args[0].len, args[1].ptr, args[1].len) != NULL);
    return cel_bool(is_inside);
}

static struct cel_value starts_with(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_bool(args[0].len >= args[1].len &&
                    (args[1].len == 0 || memcmp(args[0].ptr, args[1].ptr, args[1].len) == 0));
}

static struct cel_value ends_with(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    const char *text = args[0].ptr;
    uint32_t size = args[1].len;
    return cel_bool(args[0].len >= size &&
                    (size == 0 || memcmp(text + args[0].len - size, args[1].ptr, size) == 0));
}

// ---- matches

static enum err regex_parse(const struct cel_program *program, struct str pattern, struct regex **ret,
                            struct error *e)
{
    if (program->regex == CEL_REGEX_RE2) {
        return regex_create(pattern, REGEX_RE2, ret, e);
    }
    // Java's lookaround and back references are ECMA's; its (?i), \A, \z and \Q..\E are RE2's.
    enum err err = regex_create(pattern, REGEX_ECMA, ret, e);
    return err != ERR_OK && regex_create(pattern, REGEX_RE2, ret, NULL) == ERR_OK ? ERR_OK : err;
}

static enum err regex_of(const struct cel_program *program, struct str pattern, struct regex **ret,
                         struct error *e)
{
    if (!program->matches_whole || pattern.len > REGEX_PATTERN_BYTES_MAX) {
        return regex_parse(program, pattern, ret, e);
    }
    struct regex *alone = NULL; // faults are told of the pattern as it was written
    enum err err = regex_parse(program, pattern, &alone, e);
    if (err != ERR_OK) {
        return err;
    }
    regex_destroy(alone);
    struct buf whole;
    buf_init(&whole, REGEX_PATTERN_BYTES_MAX + 16);
    buf_printf(&whole, "^(?:" STR_FMT ")$", STR_ARG(pattern));
    err = regex_parse(program, buf_str(&whole), ret, e);
    buf_fini(&whole);
    return err;
}

static enum err matches_prepare(const struct cel_program *program, struct cel_value literal, void **ret,
                                struct error *e)
{
    struct regex *regex = NULL;
    if (literal.kind != CEL_STRING) {
        return ERR_OK;
    }
    enum err err = regex_of(program, cel_str(literal), &regex, e);
    *ret = regex;
    return err;
}

static void matches_release(void *take_prepared)
{
    regex_destroy(take_prepared);
}

static struct cel_value search(struct cel_call *call, const struct regex *regex, struct str text)
{
    int64_t steps = call->steps > INT64_MAX / REGEX_STEPS_PER_STEP
                        ? INT64_MAX
                        : (int64_t)call->steps * REGEX_STEPS_PER_STEP;
    int64_t left = steps;
    if (!cel_pay(call, text.len / BYTES_PER_STEP)) {
        return cel_over(call);
    }
    enum regex_result result = regex_search(regex, text, &left);
    call->steps = result == REGEX_GIVEN_UP ? 0 : call->steps;
    if (result == REGEX_GIVEN_UP || !cel_pay(call, (uint64_t)(steps - left) / REGEX_STEPS_PER_STEP)) {
        return cel_over(call);
    }
    return cel_bool(result == REGEX_YES);
}

static struct cel_value matches(struct cel_call *call, const struct cel_value *args)
{
    if (call->prepared != NULL) {
        return search(call, call->prepared, cel_str(args[0]));
    }
    struct regex *regex = NULL;
    if (!cel_pay(call, (uint64_t)args[1].len * REGEX_STEPS_PER_BYTE)) {
        return cel_over(call);
    }
    if (regex_of(call->program, cel_str(args[1]), &regex, NULL) != ERR_OK) {
        return cel_fail_static("a regular expression that is none");
    }
    bool is_paid = cel_pay(call, regex_memory(regex) * REGEX_STEPS_PER_BYTE);
    struct cel_value result = is_paid ? search(call, regex, cel_str(args[0])) : cel_over(call);
    regex_destroy(regex);
    return result;
}

#define MATCHES(member)                                                                                      \
    {                                                                                                        \
        .name = "matches", .signature = "ss:b", .call = matches, .is_member = member,                        \
        .prepare = matches_prepare, .release = matches_release, .prepare_index = 1                           \
    }
static const struct cel_function functions[] = {
    {.name = "size", .signature = "s:i", .call = size_of},
    {.name = "size", .signature = "y:i", .call = size_of},
    {.name = "size", .signature = "[A:i", .call = size_of},
    {.name = "size", .signature = "{AB:i", .call = size_of},
    {.name = "size", .signature = "s:i", .call = size_of, .is_member = true},
    {.name = "size", .signature = "y:i", .call = size_of, .is_member = true},
    {.name = "size", .signature = "[A:i", .call = size_of, .is_member = true},
    {.name = "size", .signature = "{AB:i", .call = size_of, .is_member = true},
    {.name = "contains", .signature = "ss:b", .call = contains, .is_member = true},
    {.name = "startsWith", .signature = "ss:b", .call = starts_with, .is_member = true},
    {.name = "endsWith", .signature = "ss:b", .call = ends_with, .is_member = true},
    MATCHES(false),
    MATCHES(true),
};
#undef MATCHES

const struct cel_library cel_text_library = {functions, sizeof functions / sizeof functions[0], NULL, 0};
