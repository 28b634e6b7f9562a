// SPDX-License-Identifier: Apache-2.0
#include "cli/dlq_fix.h"

#include "base/mem.h"
#include "cel/cel.h"
#include "contract/frame.h"
#include "json/tree.h"

enum { FIXES_MAX = 32, RUN_ARENA_BYTES = 64 << 20, VALUE_BYTES_MAX = 64 << 20 };

struct one_fix {
    struct str path;
    struct cel_program *program;
};

struct dlq_fix {
    struct schema *schema; // of anything
    struct program *anything;
    struct one_fix fixes[FIXES_MAX];
    size_t count;
    struct arena arena;
    struct buf out;
};

static bool one_parse(struct run *run, struct dlq_fix *fix, struct str text)
{
    const struct cel_variable variables[] = {{.name = STR("message")}};
    struct cel_fault fault;
    struct one_fix *one = &fix->fixes[fix->count];
    struct str expression;
    if (fix->count == FIXES_MAX) {
        run_usage(run, "--set may be given %d times", FIXES_MAX);
        return false;
    }
    if (!pair_split(text, &one->path, &expression)) {
        run_usage(run, "--set wants PATH=EXPRESSION, not \"" STR_FMT "\"", STR_ARG(text));
        return false;
    }
    struct cel_source source = {.text = expression, .variables = variables, .variable_count = 1};
    if (cel_compile(&source, &one->program, &fault) != ERR_OK) {
        run_usage(run, "--set " STR_FMT ": column %u: %s", STR_ARG(one->path), fault.column, fault.text);
        return false;
    }
    fix->count++;
    return true;
}

bool dlq_fix_create(struct run *run, struct dlq_fix **ret)
{
    struct str text;
    struct error e = {0};
    *ret = NULL;
    if (!args_list(run->args, "set", 0, &text)) {
        return true;
    }
    struct dlq_fix *fix = mem_zalloc(sizeof *fix);
    const struct schema_source source = {.format = FORMAT_JSON, .text = STR("{}")};
    arena_init(&fix->arena, RUN_ARENA_BYTES);
    buf_init(&fix->out, VALUE_BYTES_MAX);
    enum err err = schema_create(&source, &fix->schema, &e);
    err = err == ERR_OK ? program_create(fix->schema, NULL, 0, &fix->anything, &e) : err;
    bool is_good = err == ERR_OK;
    if (!is_good) {
        run_fail(run, "cannot read documents", err, &e, NULL);
    }
    for (size_t i = 0; is_good && args_list(run->args, "set", i, &text); i++) {
        is_good = one_parse(run, fix, text);
    }
    if (is_good) {
        *ret = fix;
    } else {
        dlq_fix_destroy(fix);
    }
    return is_good;
}

void dlq_fix_destroy(struct dlq_fix *take_fix)
{
    if (take_fix == NULL) {
        return;
    }
    for (size_t i = 0; i < take_fix->count; i++) {
        cel_program_unref(take_fix->fixes[i].program);
    }
    program_unref(take_fix->anything);
    schema_unref(take_fix->schema);
    arena_fini(&take_fix->arena);
    buf_fini(&take_fix->out);
    mem_free(take_fix);
}

// json_of is the value as JSON.
static enum err json_of(struct dlq_fix *fix, struct cel_value value, struct json_value **ret, struct error *e)
{
    struct buf text;
    buf_init(&text, VALUE_BYTES_MAX);
    enum err err = cel_value_json(value, &fix->arena, &text, e);
    err = err == ERR_OK ? json_parse(arena_str(&fix->arena, buf_str(&text)), &fix->arena, ret, e) : err;
    buf_fini(&text);
    return err;
}

// put sets the member at the path; the objects on the way must be there.
static bool put(struct json_value *document, struct str path, struct json_value *value)
{
    struct json_value *at = document;
    while (at != NULL && memchr(path.ptr, '.', path.len) != NULL && json_get(at, path) == NULL) {
        struct str name = str_cut(path, '.', &path);
        at = json_get(at, name);
    }
    if (at == NULL || at->type != JSON_OBJECT) {
        return false;
    }
    struct json_value *old = json_get(at, path);
    if (old == NULL) {
        value->key = path;
        json_append(at, value);
        return true;
    }
    old->type = value->type;
    old->text = value->text;
    old->first = value->first;
    old->last = value->last;
    old->count = value->count;
    old->index = value->index;
    return true;
}

static enum err document_mend(struct dlq_fix *fix, struct bytes payload, struct error *e)
{
    struct json_value *document = NULL;
    struct str text = {(const char *)payload.ptr, payload.len};
    if (json_parse(text, &fix->arena, &document, NULL) != ERR_OK ||
        program_check(fix->anything, payload, NULL) != ERR_OK) {
        return FAIL(e, ERR_INVALID_RECORD, "the value is no JSON document");
    }
    struct view root = view_root(fix->anything, payload);
    for (size_t i = 0; i < fix->count; i++) { // each sees the document as it came
        const struct one_fix *one = &fix->fixes[i];
        const struct cel_value variables[] = {cel_view(&root)};
        struct cel_run run = {.variables = variables, .arena = &fix->arena, .steps = CEL_STEPS_DEFAULT};
        struct cel_value result;
        struct json_value *value = NULL;
        enum err err = cel_eval(one->program, &run, &result, e);
        err = err == ERR_OK ? json_of(fix, result, &value, e) : err;
        if (err == ERR_OK && !put(document, one->path, value)) {
            err = FAIL(e, ERR_INVALID_RECORD, "there is no object to set it in");
        }
        if (err != ERR_OK) {
            error_wrap(e, "--set " STR_FMT, STR_ARG(one->path));
            return err;
        }
    }
    json_print(document, false, &fix->out);
    return fix->out.failed ? FAIL(e, ERR_NO_MEMORY, "the value is too large") : ERR_OK;
}

enum err dlq_fix_apply(struct dlq_fix *fix, struct bytes value, struct arena *arena, struct bytes *ret,
                       struct error *e)
{
    size_t framing = 0;
    *ret = value;
    if (value.len > FRAME_PREFIX_ID_SIZE && value.ptr[0] == 0) {
        framing = FRAME_PREFIX_ID_SIZE;
    } else if (value.len > FRAME_PREFIX_GUID_SIZE && value.ptr[0] == 1) {
        framing = FRAME_PREFIX_GUID_SIZE;
    }
    arena_reset(&fix->arena);
    buf_reset(&fix->out);
    buf_append(&fix->out, value.ptr, framing);
    enum err err = value.ptr == NULL
                       ? FAIL(e, ERR_INVALID_RECORD, "there is no value")
                       : document_mend(fix, bytes_slice(value, framing, value.len - framing), e);
    uint8_t *mended = err == ERR_OK ? arena_new(arena, uint8_t, fix->out.len) : NULL;
    if (err == ERR_OK && mended == NULL) {
        err = FAIL(e, ERR_NO_MEMORY, "the value is too large");
    }
    if (err == ERR_OK) {
        memcpy(mended, fix->out.ptr, fix->out.len);
        *ret = bytes_of(mended, fix->out.len);
    }
    return err;
}
