// SPDX-License-Identifier: Apache-2.0
// lib_variant.c - variant(x) and variants.*, as in Confluent's clients. What a path does not lead to is null;
// a null that is there is a variant that variants.isNull knows. Null in, null out.
#include "cel/library.h"
#include "cel/message.h"
#include "cel/variant.h"

#define VARIANT "#confluent.type.Variant;"

struct variant_object {
    struct cel_object object;
    struct variant variant;
};

static const struct variant *variant_in(const struct cel_object *object)
{
    return &((const struct variant_object *)(const void *)object)->variant;
}

// ---- as a value

static struct cel_value equal_variant(struct cel_call *call, const struct cel_object *a,
                                      const struct cel_object *b)
{
    struct cel_text texts[2] = {{.call = call}, {.call = call}};
    if (variant_type(variant_in(a)) != variant_type(variant_in(b)) ||
        !variant_print(variant_in(a), &texts[0]) || !variant_print(variant_in(b), &texts[1])) {
        return call->is_over ? cel_over(call) : cel_bool(false);
    }
    return call->is_over ? cel_over(call)
                         : cel_bool(str_equal((struct str){texts[0].ptr, texts[0].len},
                                              (struct str){texts[1].ptr, texts[1].len}));
}

static void print_variant(const struct cel_object *object, struct buf *out)
{
    struct arena arena;
    arena_init(&arena, out->limit - out->len + 4096);
    struct cel_call call = {.arena = &arena, .steps = CEL_STEPS_DEFAULT};
    struct cel_text text = {.call = &call};
    bool is_whole = variant_print(variant_in(object), &text) && !call.is_over;
    buf_append_str(out, STR("variant("));
    buf_append_str(out, is_whole ? (struct str){text.ptr, text.len} : STR("..."));
    buf_append_str(out, STR(")"));
    arena_fini(&arena);
}

static const struct cel_object_ops variant_ops = {
    .type_name = "confluent.type.Variant",
    .equal = equal_variant,
    .print = print_variant,
};

static struct cel_value make(struct cel_call *call, const struct variant *variant)
{
    if (variant_type(variant) == VARIANT_BROKEN) {
        return cel_fail_static("bytes that are no variant");
    }
    struct variant_object *object = cel_new(call, struct variant_object, 1);
    if (object == NULL) {
        return cel_over(call);
    }
    *object = (struct variant_object){{&variant_ops}, *variant};
    return cel_object_value(CEL_OPAQUE, &object->object);
}

static bool is_variant(struct cel_value value)
{
    return value.kind == CEL_OPAQUE && cel_object_of(value)->ops == &variant_ops;
}

// False: *ret is what the function gives: null for null, else an error.
static bool take(struct cel_value value, const struct variant **ret_variant, struct cel_value *ret)
{
    if (is_variant(value)) {
        *ret_variant = variant_in(cel_object_of(value));
        return true;
    }
    *ret = value.kind == CEL_NULL ? cel_null() : cel_fail_static("variants.* take a variant");
    return false;
}

// ---- variant(x)

static struct cel_value of_parts(struct cel_call *call, struct cel_value metadata, struct cel_value value)
{
    if (metadata.kind != CEL_BYTES || value.kind != CEL_BYTES) {
        return cel_fail_static("a variant has a metadata and a value, both bytes");
    }
    struct variant variant = {.metadata = cel_bytes_of(metadata), .value = cel_bytes_of(value)};
    return make(call, &variant);
}

static struct cel_value of_any(struct cel_call *call, const struct cel_value *args)
{
    struct cel_value metadata = {0};
    struct cel_value value = {0};
    if (args[0].kind == CEL_NULL || is_variant(args[0])) {
        return args[0];
    }
    if (args[0].kind == CEL_STRING) {
        return cel_fail_static("variant(string) is not supported: variants.parseJson(string)");
    }
    if (args[0].kind == CEL_MESSAGE && str_equal(cel_message_name(args[0]), STR("confluent.type.Variant"))) {
        metadata = cel_message_field(call, args[0], STR("metadata"));
        value = cel_message_field(call, args[0], STR("value"));
        return of_parts(call, metadata, value);
    }
    if (args[0].kind == CEL_MAP && cel_map_find(call, args[0], cel_string(STR("metadata")), &metadata) &&
        cel_map_find(call, args[0], cel_string(STR("value")), &value)) {
        return of_parts(call, metadata, value);
    }
    return call->is_over ? cel_over(call) : cel_fail_static("variant() cannot take a value of this type");
}

static struct cel_value of_bytes(struct cel_call *call, const struct cel_value *args)
{
    return of_parts(call, args[1], args[0]);
}

static struct cel_value parse(struct cel_call *call, struct str text, bool is_lenient)
{
    struct json_value *json = NULL;
    struct error e;
    if (!cel_pay(call, text.len / 8 + 1)) {
        return cel_over(call);
    }
    enum err err = json_parse(text, call->arena, &json, &e);
    if (err == ERR_NO_MEMORY) {
        return cel_over(call);
    }
    if (err != ERR_OK) {
        return is_lenient ? cel_null() : cel_fail_static("variants.parseJson: the text is no JSON");
    }
    struct variant variant = {.json = json};
    return make(call, &variant);
}

static struct cel_value parse_json(struct cel_call *call, const struct cel_value *args)
{
    return parse(call, cel_str(args[0]), false);
}

static struct cel_value try_parse_json(struct cel_call *call, const struct cel_value *args)
{
    return parse(call, cel_str(args[0]), true);
}

// ---- what it is

static struct cel_value type(struct cel_call *call, const struct cel_value *args)
{
    static const char *const names[] = {
        [VARIANT_NULL] = "null",
        [VARIANT_BOOL] = "boolean",
        [VARIANT_INT] = "int",
        [VARIANT_DOUBLE] = "double",
        [VARIANT_FLOAT] = "double",
        [VARIANT_DECIMAL] = "decimal",
        [VARIANT_DATE] = "date",
        [VARIANT_TIME] = "time",
        [VARIANT_TIMESTAMP] = "timestamp",
        [VARIANT_LOCAL_TIMESTAMP] = "timestamp",
        [VARIANT_STRING] = "string",
        [VARIANT_BYTES] = "bytes",
        [VARIANT_UUID] = "uuid",
        [VARIANT_OBJECT] = "object",
        [VARIANT_ARRAY] = "array",
    };
    (void)call;
    const struct variant *variant;
    struct cel_value ret;
    return take(args[0], &variant, &ret) ? cel_string(str_from_c(names[variant_type(variant)])) : ret;
}

static struct cel_value is_null(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_bool(is_variant(args[0]) && variant_type(variant_in(cel_object_of(args[0]))) == VARIANT_NULL);
}

// ---- ways into it

// What is inside, or null. Finding a field of an object looks at all before it, an item of an array of JSON
// too.
static struct cel_value step_to(struct cel_call *call, const struct variant *of, const struct str *name,
                                size_t index, struct variant *ret)
{
    size_t count = 0;
    if (!variant_count(of, &count)) {
        return cel_null();
    }
    if (!cel_pay(call, 1 + count / 4)) {
        return cel_over(call);
    }
    bool is_there = name != NULL ? variant_field(of, *name, ret) : variant_item(of, index, ret);
    return is_there ? make(call, ret) : cel_null();
}

static struct cel_value field(struct cel_call *call, const struct cel_value *args)
{
    const struct variant *variant;
    struct variant inner;
    struct cel_value ret;
    struct str name = cel_str(args[1]);
    return take(args[0], &variant, &ret) ? step_to(call, variant, &name, 0, &inner) : ret;
}

static struct cel_value item(struct cel_call *call, const struct cel_value *args)
{
    const struct variant *variant;
    struct variant inner;
    struct cel_value ret;
    if (!take(args[0], &variant, &ret)) {
        return ret;
    }
    return args[1].i < 0 ? cel_null() : step_to(call, variant, NULL, (size_t)args[1].i, &inner);
}

// $.name, $[3], $["a name"], one behind the other.
struct path {
    struct cel_call *call;
    struct str rest;
};

static bool is_name_char(char c, bool is_first)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || (c & 0x80) != 0 ||
           (!is_first && c >= '0' && c <= '9');
}

static bool path_take(struct path *p, char c)
{
    bool is_next = p->rest.len > 0 && *p->rest.ptr == c;
    p->rest.ptr += is_next;
    p->rest.len -= is_next;
    return is_next;
}

static bool path_name(struct path *p, struct str *ret)
{
    *ret = (struct str){p->rest.ptr, 0};
    while (p->rest.len > 0 && is_name_char(*p->rest.ptr, ret->len == 0)) {
        path_take(p, *p->rest.ptr);
        ret->len++;
    }
    return ret->len > 0;
}

static bool path_quoted(struct path *p, char quote, struct str *ret)
{
    char *text = cel_new(p->call, char, p->rest.len + 1);
    size_t len = 0;
    while (text != NULL && p->rest.len > 0 && !path_take(p, quote)) {
        if (*p->rest.ptr == '\\' && p->rest.len > 1) {
            path_take(p, '\\');
        }
        text[len++] = *p->rest.ptr;
        path_take(p, *p->rest.ptr);
    }
    *ret = (struct str){text, len};
    return text != NULL && p->rest.ptr[-1] == quote;
}

static bool path_index(struct path *p, size_t *ret)
{
    size_t digits = 0;
    *ret = 0;
    while (p->rest.len > 0 && *p->rest.ptr >= '0' && *p->rest.ptr <= '9') {
        *ret = *ret * 10 + (size_t)(*p->rest.ptr - '0');
        path_take(p, *p->rest.ptr);
        if (++digits > 10 || *ret > INT32_MAX) {
            return false;
        }
    }
    return digits > 0;
}

// The next step of a path: a name, or with a NULL ptr an index. false: malformed.
static bool path_step(struct path *p, struct str *ret_name, size_t *ret_index)
{
    *ret_name = (struct str){NULL, 0};
    if (path_take(p, '.')) {
        return path_name(p, ret_name);
    }
    if (!path_take(p, '[')) {
        return false;
    }
    if (path_take(p, '"')) {
        return path_quoted(p, '"', ret_name) && path_take(p, ']');
    }
    if (path_take(p, '\'')) {
        return path_quoted(p, '\'', ret_name) && path_take(p, ']');
    }
    return path_index(p, ret_index) && path_take(p, ']');
}

static struct cel_value path(struct cel_call *call, const struct cel_value *args)
{
    const struct variant *variant;
    struct variant inner;
    struct cel_value at = args[0];
    struct path p = {call, cel_str(args[1])};
    if (!take(args[0], &variant, &at)) {
        return at;
    }
    inner = *variant;
    bool is_right = path_take(&p, '$');
    while (is_right && p.rest.len > 0) {
        struct str name;
        size_t index = 0;
        is_right = path_step(&p, &name, &index);
        if (is_right && at.kind == CEL_OPAQUE) { // malformed is malformed, also behind what is not there
            struct variant of = inner;
            at = step_to(call, &of, name.ptr != NULL ? &name : NULL, index, &inner);
        }
    }
    if (call->is_over) {
        return cel_over(call);
    }
    return is_right ? at : cel_fail_static("variants.path: a malformed path");
}

// ---- out of it

static struct cel_value extract(struct cel_call *call, const struct variant_scalar *s, struct str wanted,
                                bool *ret_fits)
{
    *ret_fits = true;
    if (s->type == VARIANT_STRING && str_equal(wanted, STR("string"))) {
        return cel_string((struct str){(const char *)s->raw.ptr, s->raw.len});
    }
    if (s->type == VARIANT_INT && str_equal(wanted, STR("int"))) {
        return cel_int(s->number);
    }
    if ((s->type == VARIANT_DOUBLE || s->type == VARIANT_FLOAT) && str_equal(wanted, STR("double"))) {
        return cel_double(s->real);
    }
    if (s->type == VARIANT_BOOL && str_equal(wanted, STR("boolean"))) {
        return cel_bool(s->number != 0);
    }
    if (s->type == VARIANT_BYTES && str_equal(wanted, STR("bytes"))) {
        return cel_bytes(s->raw);
    }
    if ((s->type == VARIANT_TIMESTAMP || s->type == VARIANT_LOCAL_TIMESTAMP) &&
        str_equal(wanted, STR("timestamp"))) {
        bool is_in_range = s->number >= CEL_TIMESTAMP_MIN && s->number <= CEL_TIMESTAMP_MAX;
        return is_in_range ? cel_timestamp(s->number, s->nanos) : cel_fail_static("timestamp out of range");
    }
    if (s->type == VARIANT_DECIMAL && str_equal(wanted, STR("decimal"))) {
        struct decimal decimal;
        return cel_decimal_value(call, variant_decimal(call, s, &decimal), &decimal);
    }
    *ret_fits = false;
    return cel_null();
}

static bool is_one_of(struct str name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(name, str_from_c(names[i]))) {
            return true;
        }
    }
    return false;
}

static struct cel_value as(struct cel_call *call, const struct cel_value *args, bool is_lenient)
{
    static const char *const known[] = {"string",  "int",       "double", "boolean",
                                        "decimal", "timestamp", "bytes"};
    static const char *const never[] = {"object", "array", "null", "date", "time", "uuid"};
    const struct variant *variant;
    struct variant_scalar scalar;
    struct cel_value ret;
    struct str wanted = cel_str(args[1]);
    bool fits = false;
    if (!take(args[0], &variant, &ret)) {
        return ret;
    }
    if (is_one_of(wanted, never, sizeof never / sizeof *never)) {
        return cel_fail_static("variants.as: nothing of this type can be extracted");
    }
    if (!is_one_of(wanted, known, sizeof known / sizeof *known)) {
        return is_lenient ? cel_null() : cel_fail_static("variants.as: no such type");
    }
    ret = cel_null();
    if (variant_scalar(variant, &scalar)) {
        ret = extract(call, &scalar, wanted, &fits);
    }
    return fits || is_lenient ? ret : cel_fail_static("variants.as: the variant is of another type");
}

static struct cel_value as_strict(struct cel_call *call, const struct cel_value *args)
{
    return as(call, args, false);
}

static struct cel_value as_lenient(struct cel_call *call, const struct cel_value *args)
{
    return as(call, args, true);
}

static struct cel_value to_json(struct cel_call *call, const struct cel_value *args)
{
    const struct variant *variant;
    struct cel_value ret;
    struct cel_text out = {.call = call};
    if (!take(args[0], &variant, &ret)) {
        return ret;
    }
    if (!variant_print(variant, &out) && !call->is_over) {
        return cel_fail_static("variants.toJson: a variant that is malformed or too deeply nested");
    }
    return cel_text_done(&out);
}

// What may be null is dyn: the checker need not know of it.
static const struct cel_function functions[] = {
    {.name = "variant", .signature = "*:*", .call = of_any},
    {.name = "variant", .signature = "yy:" VARIANT, .call = of_bytes},
    {.name = "variants.parseJson", .signature = "s:" VARIANT, .call = parse_json},
    {.name = "variants.tryParseJson", .signature = "s:*", .call = try_parse_json},
    {.name = "variants.type", .signature = "*:*", .call = type},
    {.name = "variants.isNull", .signature = "*:b", .call = is_null},
    {.name = "variants.path", .signature = "*s:*", .call = path},
    {.name = "variants.field", .signature = "*s:*", .call = field},
    {.name = "variants.elem", .signature = "*i:*", .call = item},
    {.name = "variants.index", .signature = "*i:*", .call = item},
    {.name = "variants.as", .signature = "*s:*", .call = as_strict},
    {.name = "variants.tryAs", .signature = "*s:*", .call = as_lenient},
    {.name = "variants.toJson", .signature = "*:*", .call = to_json},
};

const struct cel_library cel_variant_library = {
    .functions = functions,
    .function_count = sizeof functions / sizeof *functions,
};
