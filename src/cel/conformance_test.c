// SPDX-License-Identifier: Apache-2.0
// conformance_test.c - runs the conformance cases of google/cel-spec: cel_conformance KNOWN < cases.
// cases.mjs writes the cases, README.md has their form. KNOWN lists the cases that are expected to fail, each
// with its reason; any other difference is a failure, and so is a listed case that passes.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cel/message_private.h"
#include "json/tree.h"

enum {
    MEMORY_MAX = 64 << 20,
    SCHEMAS_MAX = 8,
    KNOWN_MAX = 1024,
    VARIABLES_MAX = 16,
    FUNCTIONS_MAX = 16,
    TEXT_MAX = 512,
};

// Cases that no list excuses: what every implementation must do.
static const char *const core[] = {"basic",      "comparisons", "logic",        "lists",   "macros",
                                   "string",     "fields",      "integer_math", "fp_math", "conversions",
                                   "timestamps", "parse",       "plumbing"};

struct known {
    struct str name;
    struct str reason;
    bool is_met;
};

struct runner {
    struct arena known_arena;
    struct known known[KNOWN_MAX];
    size_t known_count;
    struct schema *schemas[SCHEMAS_MAX];
    struct str schema_names[SCHEMAS_MAX];
    size_t schema_count;
    struct cel_types *types;
    struct program *programs[SCHEMAS_MAX * 64]; // held till the end
    size_t program_count;
    char file[64]; // whose cases are being run
    unsigned passed;
    unsigned excused;
    unsigned failed;
    unsigned total_passed;
    unsigned total_excused;
    unsigned total_failed;
};

// One case: what it is made of lives in the arena.
struct test {
    struct runner *runner;
    const struct json_value *json;
    struct arena arena;
    char why[TEXT_MAX]; // it failed
};

static bool fail(struct test *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct test *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(t->why, sizeof t->why, format, args);
    va_end(args);
    return false;
}

static void *must(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "cel_conformance: out of memory\n");
        exit(2);
    }
    return memory;
}

// ---- types: "map(string, list(int))" as a signature: "{s[i"

static const struct {
    const char *name;
    const char *signature;
} simple_types[] = {
    {"bool", "b"},
    {"int", "i"},
    {"uint", "u"},
    {"double", "d"},
    {"string", "s"},
    {"bytes", "y"},
    {"null", "n"},
    {"timestamp", "t"},
    {"duration", "r"},
    {"type", "k"},
    {"dyn", "*"},
    {"any", "*"},
    {"google.protobuf.Timestamp", "t"},
    {"google.protobuf.Duration", "r"},
    {"google.protobuf.Any", "*"},
    {"google.protobuf.Value", "*"},
    {"google.protobuf.Struct", "{s*"},
    {"google.protobuf.ListValue", "[*"},
    {"google.protobuf.BoolValue", "wb"},
    {"google.protobuf.Int32Value", "wi"},
    {"google.protobuf.Int64Value", "wi"},
    {"google.protobuf.UInt32Value", "wu"},
    {"google.protobuf.UInt64Value", "wu"},
    {"google.protobuf.FloatValue", "wd"},
    {"google.protobuf.DoubleValue", "wd"},
    {"google.protobuf.StringValue", "ws"},
    {"google.protobuf.BytesValue", "wy"},
};

static void type_signature(struct str *rest, struct buf *out);

// What stands in parentheses behind a type's name.
static void type_arguments(struct str *rest, struct buf *out)
{
    while (rest->len > 0 && *rest->ptr != ')') {
        rest->ptr++; // the parenthesis, or the comma
        rest->len--;
        type_signature(rest, out);
    }
    rest->ptr += rest->len > 0;
    rest->len -= rest->len > 0;
}

static void type_signature(struct str *rest, struct buf *out)
{
    static const struct {
        const char *name;
        const char *letter;
    } generic[] = {{"list", "["}, {"map", "{"}, {"wrapper", "w"}, {"optional_type", "%"}};
    while (rest->len > 0 && *rest->ptr == ' ') {
        rest->ptr++;
        rest->len--;
    }
    struct str name = {rest->ptr, 0};
    while (name.len < rest->len && strchr("(),", name.ptr[name.len]) == NULL) {
        name.len++;
    }
    *rest = (struct str){rest->ptr + name.len, rest->len - name.len};
    if (rest->len > 0 && *rest->ptr == '(') {
        for (size_t i = 0; i < sizeof generic / sizeof *generic; i++) {
            if (str_equal(name, str_from_c(generic[i].name))) {
                buf_append_str(out, str_from_c(generic[i].letter));
                type_arguments(rest, out);
                return;
            }
        }
        struct buf ignored; // only these have parameters here
        buf_init(&ignored, TEXT_MAX);
        type_arguments(rest, &ignored);
        buf_fini(&ignored);
        if (!str_equal(name, STR("type"))) {
            buf_printf(out, "#" STR_FMT ";", STR_ARG(name));
            return;
        }
    }
    for (size_t i = 0; i < sizeof simple_types / sizeof *simple_types; i++) {
        if (str_equal(name, str_from_c(simple_types[i].name))) {
            buf_append_str(out, str_from_c(simple_types[i].signature));
            return;
        }
    }
    if (name.len == 1) { // a type parameter: T, U or V
        buf_u8(out, (uint8_t)('A' + *name.ptr - 'T'));
    } else {
        buf_printf(out, "@" STR_FMT ";", STR_ARG(name));
    }
    return;
}

static void append_type(struct str type, struct buf *out)
{
    type_signature(&type, out);
}

// ---- values

static struct cel_value make_value(struct test *t, const struct json_value *v);

static struct bytes from_hex(struct test *t, struct str hex)
{
    uint8_t *data = must(arena_new(&t->arena, uint8_t, hex.len / 2 + 1));
    for (size_t i = 0; i < hex.len / 2; i++) {
        char pair[3] = {hex.ptr[2 * i], hex.ptr[2 * i + 1], 0};
        data[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return bytes_of(data, hex.len / 2);
}

// The program of a message type, kept until the end.
static const struct program *program_of(struct runner *r, struct str name)
{
    struct program *program = NULL;
    for (size_t i = 0; i < r->schema_count; i++) {
        const struct message_type *type = message_find(r->schemas[i], name);
        struct error e;
        if (type != NULL && message_program(r->schemas[i], type, &program, &e) == ERR_OK) {
            r->programs[r->program_count++] = program;
            return program;
        }
    }
    return NULL;
}

static struct cel_value make_message(struct test *t, struct str name, struct bytes payload)
{
    const struct program *program = program_of(t->runner, name);
    if (program == NULL || program_check(program, payload, NULL) != ERR_OK) {
        fail(t, "cannot read a " STR_FMT, STR_ARG(name));
        return cel_null();
    }
    struct view *view = must(arena_new(&t->arena, struct view, 1));
    *view = view_root(program, payload);
    return (struct cel_value){.kind = CEL_MESSAGE, .form = CEL_FORM_VIEW, .ptr = view};
}

static struct cel_value make_list(struct test *t, const struct json_value *list)
{
    struct cel_value *items = must(arena_new(&t->arena, struct cel_value, list->count + 1));
    size_t count = 0;
    for (const struct json_value *v = list->first; v != NULL; v = v->next) {
        items[count++] = make_value(t, v);
    }
    return cel_list(items, count);
}

static struct cel_value make_map(struct test *t, const struct json_value *list)
{
    struct cel_entry *entries = must(arena_new(&t->arena, struct cel_entry, list->count + 1));
    size_t count = 0;
    for (const struct json_value *v = list->first; v != NULL; v = v->next) {
        entries[count].key = make_value(t, v->first);
        entries[count++].value = make_value(t, v->last);
    }
    return cel_map(entries, count);
}

static struct cel_value make_number(struct str kind, struct str text)
{
    if (str_equal(kind, STR("int"))) {
        return cel_int((int64_t)strtoll(text.ptr, NULL, 10));
    }
    if (str_equal(kind, STR("uint"))) {
        return cel_uint(strtoull(text.ptr, NULL, 10));
    }
    return cel_double(strtod(text.ptr, NULL)); // NaN and Infinity as well
}

// [kind, ...]
static struct cel_value make_value(struct test *t, const struct json_value *v)
{
    struct str kind = v->first->text;
    const struct json_value *of = v->first->next;
    if (str_equal(kind, STR("null"))) {
        return cel_null();
    }
    if (str_equal(kind, STR("bool"))) {
        return cel_bool(of->type == JSON_TRUE);
    }
    if (str_equal(kind, STR("string"))) {
        return cel_string(of->text);
    }
    if (str_equal(kind, STR("bytes"))) {
        return cel_bytes(from_hex(t, of->text));
    }
    if (str_equal(kind, STR("list"))) {
        return make_list(t, of);
    }
    if (str_equal(kind, STR("map"))) {
        return make_map(t, of);
    }
    if (str_equal(kind, STR("message"))) {
        return make_message(t, of->text, from_hex(t, v->last->text));
    }
    if (str_equal(kind, STR("type"))) {
        return cel_type(of->text);
    }
    if (str_equal(kind, STR("timestamp")) || str_equal(kind, STR("duration"))) {
        bool is_timestamp = str_equal(kind, STR("timestamp"));
        return value_of_time(is_timestamp ? WELL_KNOWN_TIMESTAMP : WELL_KNOWN_DURATION,
                             strtoll(of->text.ptr, NULL, 10), (int64_t)json_value_f64(v->last));
    }
    if (str_equal(kind, STR("enum"))) { // a type of its own, which we do not have
        return (struct cel_value){.kind = CEL_ERROR};
    }
    return make_number(kind, arena_str(&t->arena, of->text));
}

static bool is_same(struct cel_call *call, struct cel_value a, struct cel_value b);

static bool is_same_list(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    struct cel_walk walks[2] = {cel_walk(a), cel_walk(b)};
    struct cel_value key;
    struct cel_value items[2];
    for (;;) {
        bool has[2] = {cel_walk_next(call, &walks[0], &key, &items[0]),
                       cel_walk_next(call, &walks[1], &key, &items[1])};
        if (!has[0] || !has[1]) {
            return has[0] == has[1];
        }
        if (!is_same(call, items[0], items[1])) {
            return false;
        }
    }
}

static bool is_same_map(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    size_t sizes[2] = {0};
    if (!cel_map_size(call, a, &sizes[0]) || !cel_map_size(call, b, &sizes[1]) || sizes[0] != sizes[1]) {
        return false;
    }
    struct cel_walk walk = cel_walk(a);
    struct cel_value key;
    struct cel_value value;
    struct cel_value other;
    while (cel_walk_next(call, &walk, &key, &value)) {
        if (!cel_map_find(call, b, key, &other) || !is_same(call, value, other)) {
            return false;
        }
    }
    return true;
}

// Stricter than ==: kinds are the same, and NaN is NaN.
static bool is_same(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    if (a.kind != b.kind || a.kind == CEL_ERROR) {
        return false;
    }
    switch ((enum cel_kind)a.kind) {
    case CEL_NULL:
        return true;
    case CEL_BOOL:
    case CEL_INT:
    case CEL_UINT:
        return a.u == b.u;
    case CEL_DOUBLE:
        return a.d == b.d ? signbit(a.d) == signbit(b.d) : isnan(a.d) && isnan(b.d);
    case CEL_STRING:
    case CEL_BYTES:
    case CEL_TYPE:
        return str_equal(cel_str(a), cel_str(b));
    case CEL_TIMESTAMP:
    case CEL_DURATION:
        return a.i == b.i && a.len == b.len;
    case CEL_LIST:
        return is_same_list(call, a, b);
    case CEL_MAP:
        return is_same_map(call, a, b);
    default:
        return cel_is_equal(call, a, b);
    }
}

// ---- one case

struct environment {
    struct cel_variable variables[VARIABLES_MAX];
    struct cel_value values[VARIABLES_MAX];
    size_t count;
    struct cel_function functions[FUNCTIONS_MAX];
    struct cel_library library;
};

static const char *signature_of(struct test *t, const struct json_value *parameters, struct str result)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    for (const struct json_value *p = parameters == NULL ? NULL : parameters->first; p != NULL; p = p->next) {
        append_type(p->text, &out);
    }
    buf_append_str(&out, parameters == NULL ? STR("") : STR(":"));
    append_type(result, &out);
    struct str copy = arena_str(&t->arena, buf_str(&out));
    buf_fini(&out);
    return must((void *)(uintptr_t)copy.ptr);
}

static size_t variable_index(struct environment *env, struct str name)
{
    for (size_t i = 0; i < env->count; i++) {
        if (str_equal(env->variables[i].name, name)) {
            return i;
        }
    }
    env->variables[env->count] = (struct cel_variable){.name = name, .of = CEL_OF_DYN};
    env->values[env->count] = cel_fail_static("a variable that is not bound");
    return env->count++;
}

static void set_environment(struct test *t, struct environment *env)
{
    const struct json_value *v;
    for (v = json_get(t->json, STR("variables"))->first; v != NULL; v = v->next) {
        struct cel_variable *variable = &env->variables[variable_index(env, json_get_str(v, STR("name")))];
        variable->of = CEL_OF_TYPE;
        variable->type = signature_of(t, NULL, json_get_str(v, STR("type")));
    }
    for (v = json_get(t->json, STR("bindings"))->first; v != NULL; v = v->next) {
        size_t index = variable_index(env, json_get_str(v, STR("name")));
        env->values[index] = make_value(t, json_get(v, STR("value")));
    }
    for (v = json_get(t->json, STR("functions"))->first; v != NULL; v = v->next) {
        env->functions[env->library.function_count++] = (struct cel_function){
            .name = arena_str(&t->arena, json_get_str(v, STR("name"))).ptr,
            .signature = signature_of(t, json_get(v, STR("params")), json_get_str(v, STR("result"))),
            .is_member = json_get(v, STR("member"))->type == JSON_TRUE,
        };
    }
    env->library.functions = env->functions;
}

static bool check_type(struct test *t, const struct cel_program *program)
{
    struct str wanted = json_get_str(t->json, STR("type"));
    struct buf text;
    bool is_right = true;
    if (wanted.ptr == NULL) {
        return true;
    }
    buf_init(&text, TEXT_MAX);
    cel_program_type_print(program, &text);
    if (!str_equal(buf_str(&text), wanted)) {
        is_right = fail(t, "its type is " STR_FMT ", not " STR_FMT, STR_ARG(buf_str(&text)), STR_ARG(wanted));
    }
    buf_fini(&text);
    return is_right;
}

static bool check_value(struct test *t, const struct cel_program *program, struct cel_value got,
                        const struct json_value *json)
{
    struct cel_call call = {
        .arena = &t->arena,
        .steps = CEL_STEPS_DEFAULT,
        .program = program,
        .types = t->runner->types,
    };
    struct cel_value wanted = make_value(t, json);
    struct buf text;
    if (is_same(&call, got, wanted)) {
        return true;
    }
    buf_init(&text, TEXT_MAX);
    cel_value_print(got, &text);
    buf_append_str(&text, STR(" instead of "));
    json_print(json, false, &text);
    fail(t, STR_FMT, STR_ARG(buf_str(&text)));
    buf_fini(&text);
    return false;
}

static bool run_program(struct test *t, const struct cel_program *program, struct environment *env)
{
    struct cel_run run = {.variables = env->values, .arena = &t->arena, .steps = CEL_STEPS_DEFAULT};
    struct cel_value got;
    struct error e = {0};
    const struct json_value *wanted = json_get(t->json, STR("value"));
    enum err err = cel_eval(program, &run, &got, &e);
    if (wanted == NULL) {
        return err == ERR_INVALID_RECORD || fail(t, "an error was expected, not %s", err_name(err));
    }
    return err == ERR_OK ? check_value(t, program, got, wanted) : fail(t, "%s: %s", err_name(err), e.text);
}

static bool run_case(struct test *t)
{
    struct environment env = {0};
    struct cel_fault fault = {0};
    struct cel_program *program = NULL;
    set_environment(t, &env);
    struct cel_source source = {
        .text = json_get_str(t->json, STR("expr")),
        .variables = env.variables,
        .variable_count = env.count,
        .regex = CEL_REGEX_RE2,
        .container = json_get_str(t->json, STR("container")),
        .is_unchecked = json_get(t->json, STR("check"))->type == JSON_FALSE,
        .has_unsigned = true,
        .library = &env.library,
        .types = t->runner->types,
    };
    if (t->why[0] != 0) {
        return false;
    }
    if (cel_compile(&source, &program, &fault) != ERR_OK) {
        bool is_right = json_get(t->json, STR("error")) != NULL;
        return is_right || fail(t, "%u:%u: %s", fault.line, fault.column, fault.text);
    }
    bool is_right = check_type(t, program);
    if (is_right && json_get(t->json, STR("evaluate"))->type == JSON_TRUE) {
        is_right = run_program(t, program, &env);
    }
    cel_program_unref(program);
    return is_right;
}

// ---- all cases

static void end_file(struct runner *r)
{
    if (r->file[0] != 0 && r->failed == 0) {
        printf("ok cel %s (%u cases, %u known to fail)\n", r->file, r->passed, r->excused);
    }
    r->total_passed += r->passed;
    r->total_excused += r->excused;
    r->total_failed += r->failed;
    r->passed = 0;
    r->excused = 0;
    r->failed = 0;
}

static struct known *find_known(struct runner *r, struct str name)
{
    for (size_t i = 0; i < r->known_count; i++) {
        if (str_equal(r->known[i].name, name)) {
            return &r->known[i];
        }
    }
    return NULL;
}

static void judge(struct runner *r, struct str name, bool is_right, const char *why)
{
    struct known *known = find_known(r, name);
    if (known != NULL) {
        known->is_met = true;
    }
    if (is_right && known == NULL) {
        r->passed++;
    } else if (!is_right && known != NULL) {
        r->excused++;
    } else {
        r->failed++;
        printf("not ok cel " STR_FMT ": %s\n", STR_ARG(name),
               is_right ? "it passes, but is listed as known" : why);
    }
}

static void add_case(struct runner *r, const struct json_value *json)
{
    struct test t = {.runner = r, .json = json};
    struct str file = json_get_str(json, STR("file"));
    if (!str_equal(file, str_from_c(r->file))) {
        end_file(r);
        snprintf(r->file, sizeof r->file, STR_FMT, STR_ARG(file));
    }
    arena_init(&t.arena, MEMORY_MAX);
    bool is_right = run_case(&t);
    judge(r, json_get_str(json, STR("name")), is_right, t.why);
    arena_fini(&t.arena);
}

static bool add_schema(struct runner *r, const struct json_value *json)
{
    struct schema_reference references[SCHEMAS_MAX];
    struct schema_source source = {
        .format = FORMAT_PROTOBUF,
        .text = json_get_str(json, STR("text")),
        .references = references,
    };
    for (const struct json_value *v = json_get(json, STR("imports"))->first; v != NULL; v = v->next) {
        for (size_t i = 0; i < r->schema_count; i++) {
            if (str_equal(r->schema_names[i], v->text)) {
                references[source.reference_count++] =
                    (struct schema_reference){r->schema_names[i], r->schemas[i]};
            }
        }
    }
    struct error e = {0};
    if (schema_create(&source, &r->schemas[r->schema_count], &e) != ERR_OK) {
        printf("not ok cel schema " STR_FMT ": %s\n", STR_ARG(json_get_str(json, STR("schema"))), e.text);
        return false;
    }
    r->schema_names[r->schema_count++] = arena_str(&r->known_arena, json_get_str(json, STR("schema")));
    cel_types_destroy(r->types);
    r->types = NULL;
    return cel_types_create((const struct schema *const *)r->schemas, r->schema_count, &r->types, &e) ==
           ERR_OK;
}

static bool is_core(struct str name)
{
    struct str rest;
    struct str file = str_cut(name, '/', &rest);
    for (size_t i = 0; i < sizeof core / sizeof *core; i++) {
        if (str_equal(file, str_from_c(core[i]))) {
            return true;
        }
    }
    return false;
}

// Lines "name :: reason"; # begins a comment.
static bool read_known(struct runner *r, const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;
    bool is_right = file != NULL;
    while (is_right && getline(&line, &size, file) >= 0) {
        struct str text = str_trim(str_from_c(line));
        char *mark = strstr(line, " :: ");
        if (text.len == 0 || text.ptr[0] == '#') {
            continue;
        }
        is_right = mark != NULL && r->known_count < KNOWN_MAX;
        if (is_right) {
            struct str name = arena_str(&r->known_arena, (struct str){line, (size_t)(mark - line)});
            r->known[r->known_count++] = (struct known){.name = name};
            is_right = !is_core(name);
        }
        if (!is_right) {
            printf("not ok cel known: " STR_FMT " (no reason, or a case of the core)\n", STR_ARG(text));
        }
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return is_right;
}

static bool read_line(struct runner *r, struct str line)
{
    struct arena arena;
    struct json_value *json;
    struct error e = {0};
    bool is_right = true;
    arena_init(&arena, MEMORY_MAX);
    if (json_parse(line, &arena, &json, &e) != ERR_OK) {
        printf("not ok cel cases: %s\n", e.text);
        is_right = false;
    } else if (json_get(json, STR("schema")) != NULL) {
        is_right = add_schema(r, json);
    } else {
        add_case(r, json);
    }
    arena_fini(&arena);
    return is_right;
}

static void check_known(struct runner *r)
{
    for (size_t i = 0; i < r->known_count; i++) {
        if (!r->known[i].is_met) {
            printf("not ok cel " STR_FMT ": it is listed as known, but is no case\n",
                   STR_ARG(r->known[i].name));
            r->total_failed++;
        }
    }
}

int main(int argc, char **argv)
{
    static struct runner r;
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    if (argc != 2) {
        fprintf(stderr, "usage: cel_conformance KNOWN < CASES\n");
        return 2;
    }
    arena_init(&r.known_arena, MEMORY_MAX);
    bool is_right = read_known(&r, argv[1]);
    while (is_right && (len = getline(&line, &size, stdin)) > 0) {
        is_right = read_line(&r, (struct str){line, (size_t)len});
    }
    end_file(&r);
    check_known(&r);
    free(line);
    for (size_t i = 0; i < r.program_count; i++) {
        program_unref(r.programs[i]);
    }
    cel_types_destroy(r.types);
    for (size_t i = 0; i < r.schema_count; i++) {
        schema_unref(r.schemas[i]);
    }
    arena_fini(&r.known_arena);
    unsigned all = r.total_passed + r.total_excused + r.total_failed;
    printf("# %u of %u cases pass, %u are known to fail, %u fail\n", r.total_passed, all, r.total_excused,
           r.total_failed);
    return is_right && r.total_failed == 0 && all > 0 ? 0 : 1;
}
