// SPDX-License-Identifier: Apache-2.0
// slots_test.c - what a program finds at its paths while it checks is what view_field finds afterwards, and
// what types foretell holds views: random schemas and payloads of the three formats, made of one shape.
#include "format/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"

enum { FIELDS_MAX = 4, SHAPES_MAX = 256, SHAPES_FULL = 50, PATHS = 24, PATH_DEPTH = 5 };

static uint32_t below(uint64_t *rng, uint32_t bound)
{
    *rng = hash_mix(*rng + 0x9e3779b97f4a7c15ULL, 0x2545f4914f6cdd1dULL);
    return (uint32_t)((*rng >> 32) % bound);
}

// ---- shapes

enum shape_kind { INT, TEXT, REAL, BOOL, SYMBOL, RECORD, LIST, MAP, OPTION, UNION, AGAIN, SHAPE_KINDS };

struct shape {
    enum shape_kind kind;
    uint32_t name;  // of RECORD and SYMBOL; of AGAIN the record meant
    uint32_t count; // of fields or branches
    bool has_oneof; // of RECORD: its last two fields, in Protobuf
    bool is_loose;  // of RECORD: nothing said of it, in JSON
    const struct shape *inner[FIELDS_MAX];
};

struct world {
    uint64_t rng;
    enum format format;
    bool is_proto2;
    struct shape shapes[SHAPES_MAX];
    uint32_t count;
    const struct shape *records[SHAPES_MAX]; // by name
    bool is_defined[SHAPES_MAX];             // in the schema's text; by name
    struct buf text;
    struct buf payload;
};

static struct shape *shape_new(struct world *w, enum shape_kind kind)
{
    struct shape *s = &w->shapes[w->count++];
    *s = (struct shape){.kind = kind, .name = (uint32_t)(s - w->shapes)};
    return s;
}

static const struct shape *shape_make(struct world *w, int depth, bool is_root)
{
    bool is_full = w->count > SHAPES_FULL;
    enum shape_kind kind = (enum shape_kind)below(&w->rng, depth <= 0 || is_full ? RECORD : SHAPE_KINDS);
    bool is_record = is_root || (depth > 2 && !is_full && below(&w->rng, 2) == 0);
    kind = is_record ? RECORD : kind;
    kind = kind == AGAIN || (kind == UNION && w->format == FORMAT_PROTOBUF) ? RECORD : kind;
    struct shape *s = shape_new(w, kind);
    if (kind == RECORD) {
        w->records[s->name] = s;
        s->count = below(&w->rng, 8) == 0 ? 0 : 1 + below(&w->rng, FIELDS_MAX);
        s->has_oneof = s->count >= 2 && below(&w->rng, 2) == 0;
        s->is_loose = !is_root && below(&w->rng, 4) == 0;
    } else if (kind == UNION) {
        s->count = 2 + below(&w->rng, 2);
    } else if (kind == LIST || kind == MAP || kind == OPTION) {
        s->count = 1;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        if (kind == UNION) { // records, and perhaps a map
            struct shape *branch = shape_new(w, i == 2 ? MAP : RECORD);
            w->records[branch->name] = i == 2 ? NULL : branch;
            branch->count = i == 2 ? 1 : 1 + below(&w->rng, 2);
            for (uint32_t k = 0; k < branch->count; k++) {
                branch->inner[k] = shape_make(w, i == 2 ? 0 : depth - 2, false);
            }
            s->inner[i] = branch;
        } else if (kind == OPTION) {
            uint32_t earlier = below(&w->rng, s->name + 1);
            if (below(&w->rng, 2) == 0 && w->records[earlier] != NULL) {
                struct shape *back = shape_new(w, AGAIN);
                back->name = earlier;
                s->inner[i] = back;
            } else {
                s->inner[i] = shape_make(w, depth - 1, !is_full);
            }
        } else {
            s->inner[i] = shape_make(w, depth - 1, false);
        }
    }
    return s;
}

// ---- schemas

static void put(struct world *w, const char *text)
{
    buf_append_str(&w->text, str_from_c(text));
}

static void avro_schema(struct world *w, const struct shape *s)
{
    static const char *const plain[] = {"\"long\"", "\"string\"", "\"double\"", "\"boolean\""};
    switch (s->kind) {
    case RECORD:
        buf_printf(&w->text, "{\"type\":\"record\",\"name\":\"n.R%u\",\"fields\":[", s->name);
        for (uint32_t i = 0; i < s->count; i++) {
            buf_printf(&w->text, "%s{\"name\":\"%c\",\"type\":", i == 0 ? "" : ",", 'a' + (int)i);
            avro_schema(w, s->inner[i]);
            put(w, "}");
        }
        put(w, "]}");
        return;
    case SYMBOL:
        buf_printf(&w->text, "{\"type\":\"enum\",\"name\":\"n.E%u\",\"symbols\":[\"A\",\"B\"]}", s->name);
        return;
    case LIST:
    case MAP:
        put(w, s->kind == LIST ? "{\"type\":\"array\",\"items\":" : "{\"type\":\"map\",\"values\":");
        avro_schema(w, s->inner[0]);
        put(w, "}");
        return;
    case OPTION:
    case UNION:
        put(w, s->kind == OPTION ? "[\"null\"" : "[\"int\"");
        for (uint32_t i = 0; i < s->count; i++) {
            put(w, ",");
            avro_schema(w, s->inner[i]);
        }
        put(w, "]");
        return;
    case AGAIN:
        buf_printf(&w->text, "\"n.R%u\"", s->name);
        return;
    default:
        put(w, plain[s->kind]);
        return;
    }
}

static void json_schema(struct world *w, const struct shape *s);

static void json_record(struct world *w, const struct shape *s)
{
    static const char *const ends[] = {"", ",\"additionalProperties\":true", ",\"minProperties\":0",
                                       ",\"patternProperties\":{\"^x\":{\"type\":\"integer\"}}"};
    if (s->is_loose) {
        put(w, below(&w->rng, 2) == 0 ? "true" : "{\"type\":\"object\"}");
        return;
    }
    // The second one looks at a first member `a`, and leaves it at that.
    static const char *const wraps[][2] = {
        {"{\"allOf\":[{\"required\":[]},", "]}"},
        {"{\"allOf\":[",
         "],\"not\":{\"properties\":{\"a\":{\"const\":[\"no such\"]}},\"required\":[\"a\"]}}"},
        {"", ""},
    };
    const char *const *wrap = wraps[below(&w->rng, 3)];
    w->is_defined[s->name] = true;
    put(w, wrap[0]);
    buf_printf(&w->text, "{\"$id\":\"r%u\",\"type\":\"object\",\"properties\":{", s->name);
    for (uint32_t i = 0; i < s->count; i++) {
        buf_printf(&w->text, "%s\"%c\":", i == 0 ? "" : ",", 'a' + (int)i);
        json_schema(w, s->inner[i]);
    }
    put(w, "}");
    put(w, ends[below(&w->rng, 4)]);
    put(w, "}");
    put(w, wrap[1]);
}

static void json_schema(struct world *w, const struct shape *s)
{
    static const char *const plain[] = {"{\"type\":\"integer\"}", "{\"type\":\"string\"}",
                                        "{\"type\":\"number\"}", "{\"type\":\"boolean\"}",
                                        "{\"enum\":[\"A\",\"B\"]}"};
    switch (s->kind) {
    case RECORD:
        json_record(w, s);
        return;
    case LIST:
    case MAP:
        put(w, s->kind == LIST ? "{\"items\":" : "{\"type\":\"object\",\"additionalProperties\":");
        json_schema(w, s->inner[0]);
        put(w, "}");
        return;
    case OPTION:
    case UNION:
        buf_printf(&w->text, "{\"anyOf\":[{\"type\":\"%s\"}", s->kind == OPTION ? "null" : "integer");
        for (uint32_t i = 0; i < s->count; i++) {
            put(w, ",");
            json_schema(w, s->inner[i]);
        }
        put(w, "]}");
        return;
    case AGAIN:
        if (w->is_defined[s->name]) {
            buf_printf(&w->text, "{\"$ref\":\"r%u\"}", s->name);
        } else {
            put(w, "true"); // it lies in what nothing is said of
        }
        return;
    default:
        put(w, plain[s->kind]);
        return;
    }
}

static const struct shape *pb_inner(const struct shape *s)
{
    return s->kind == OPTION || s->kind == LIST || s->kind == MAP ? pb_inner(s->inner[0]) : s;
}

// Of shapes within shapes only the outermost says whether a field is repeated or a map.
static void pb_type(struct world *w, const struct shape *s)
{
    static const char *const plain[] = {"sint64", "string", "double", "bool"};
    const struct shape *inner = pb_inner(s);
    if (inner->kind == RECORD || inner->kind == AGAIN) {
        buf_printf(&w->text, "R%u", inner->name);
    } else {
        put(w, inner->kind == SYMBOL ? "E" : plain[inner->kind]);
    }
}

static void pb_schema(struct world *w, const struct shape *root)
{
    buf_printf(&w->text, "syntax=\"proto%d\";package p;", w->is_proto2 ? 2 : 3);
    for (uint32_t n = 0; n < w->count; n++) {
        const struct shape *s = n == 0 ? root : w->records[n];
        if (s == NULL) {
            continue;
        }
        buf_printf(&w->text, "message R%u{", s->name);
        for (uint32_t i = 0; i < s->count; i++) {
            const struct shape *f = s->inner[i];
            bool in_oneof = s->has_oneof && i + 2 >= s->count;
            if (in_oneof && i + 2 == s->count) {
                put(w, "oneof o{");
            }
            if (f->kind == MAP && !in_oneof) {
                put(w, "map<string,");
                pb_type(w, f);
                put(w, ">");
            } else {
                put(w, in_oneof ? "" : f->kind == LIST ? "repeated " : w->is_proto2 ? "optional " : "");
                pb_type(w, f);
            }
            buf_printf(&w->text, " %c=%u;", 'a' + (int)i, i + 1);
            put(w, in_oneof && i + 1 == s->count ? "}" : "");
        }
        put(w, "}");
    }
    put(w, "enum E{A=0;B=1;}");
}

// ---- payloads

static const struct shape *meant(const struct world *w, const struct shape *s)
{
    return s->kind == AGAIN ? w->records[s->name] : s;
}

static void avro_value(struct world *w, const struct shape *s, int depth)
{
    struct buf *out = &w->payload;
    uint32_t count = depth <= 0 ? 0 : below(&w->rng, 3);
    s = meant(w, s);
    switch (s->kind) {
    case INT:
        buf_varlong(out, (int64_t)(int32_t)below(&w->rng, UINT32_MAX) >> below(&w->rng, 32));
        return;
    case TEXT:
        buf_append_str(out, below(&w->rng, 2) == 0 ? STR("\x06"
                                                         "abc")
                                                   : STR("\x00"));
        return;
    case REAL:
        buf_append_str(out, STR("\0\0\0\0\0\0\xf8\x3f"));
        return;
    case BOOL:
    case SYMBOL:
        buf_u8(out, s->kind == BOOL ? (uint8_t)below(&w->rng, 2) : (uint8_t)(2 * below(&w->rng, 2)));
        return;
    case RECORD:
        for (uint32_t i = 0; i < s->count; i++) {
            avro_value(w, s->inner[i], depth - 1);
        }
        return;
    case LIST:
    case MAP:
        for (uint32_t i = 0; i < count; i++) {
            buf_u8(out, 2);
            if (s->kind == MAP) {
                buf_u8(out, 2);
                buf_u8(out, (uint8_t)('a' + below(&w->rng, 3)));
            }
            avro_value(w, s->inner[0], depth - 1);
        }
        buf_u8(out, 0);
        return;
    default: {
        uint32_t branch = depth <= 0 ? 0 : below(&w->rng, s->count + 1);
        buf_varlong(out, branch);
        if (branch > 0) {
            avro_value(w, s->inner[branch - 1], depth - 1);
        } else if (s->kind == UNION) {
            buf_u8(out, 14);
        }
        return;
    }
    }
}

static void json_value(struct world *w, const struct shape *s, int depth);

static void json_members(struct world *w, const struct shape *s, int depth)
{
    struct buf *out = &w->payload;
    uint32_t count = depth <= 0 ? 0 : below(&w->rng, 8);
    uint32_t taken = 0;
    buf_u8(out, '{');
    for (uint32_t i = 0; i < count; i++) {
        uint32_t field = below(&w->rng, 5);
        if ((taken >> field & 1) != 0) {
            continue;
        }
        const char *comma = taken == 0 ? "" : below(&w->rng, 3) == 0 ? " ,\n " : ",";
        taken |= 1u << field;
        const struct shape *inner = s->kind == MAP ? s->inner[0] : field < s->count ? s->inner[field] : NULL;
        buf_append_str(out, str_from_c(comma));
        buf_printf(out, below(&w->rng, 6) == 0 ? "\"\\u00%x\"" : "\"%c\"", 'a' + (int)field);
        buf_append_str(out, below(&w->rng, 3) == 0 ? STR(" : ") : STR(":"));
        if (inner != NULL) {
            json_value(w, inner, depth - 1);
        } else {
            buf_append_str(out, STR("[{\"a\":\"]\"},2]"));
        }
    }
    buf_u8(out, '}');
}

static void json_value(struct world *w, const struct shape *s, int depth)
{
    struct buf *out = &w->payload;
    uint32_t count = depth <= 0 ? 0 : below(&w->rng, 3);
    static const char *const ints[] = {"0", "-17", "1.0", "3e2", "12345678901234567890"};
    static const char *const texts[] = {"\"\"", "\"abc\"", "\"a\\n\\\"b\"",
                                        "\"f\xc3\xbcnfzehn Zeichen lang\""};
    static const char *const reals[] = {"0.5", "-2e-3", "7"};
    s = meant(w, s);
    switch (s->kind) {
    case INT:
        buf_append_str(out, str_from_c(ints[below(&w->rng, 5)]));
        return;
    case TEXT:
        buf_append_str(out, str_from_c(texts[below(&w->rng, 4)]));
        return;
    case REAL:
        buf_append_str(out, str_from_c(reals[below(&w->rng, 3)]));
        return;
    case BOOL:
        buf_append_str(out, below(&w->rng, 2) == 0 ? STR("true") : STR("false"));
        return;
    case SYMBOL:
        buf_append_str(out, below(&w->rng, 2) == 0 ? STR("\"A\"") : STR("\"B\""));
        return;
    case RECORD:
    case MAP:
        json_members(w, s, depth);
        return;
    case LIST:
        buf_u8(out, '[');
        for (uint32_t i = 0; i < count; i++) {
            buf_append_str(out, i == 0 ? STR("") : STR(", "));
            json_value(w, s->inner[0], depth - 1);
        }
        buf_u8(out, ']');
        return;
    default: {
        uint32_t branch = depth <= 0 ? 0 : below(&w->rng, s->count + 1);
        if (branch > 0) {
            json_value(w, s->inner[branch - 1], depth - 1);
        } else {
            buf_append_str(out, s->kind == UNION ? STR("7") : STR("null"));
        }
        return;
    }
    }
}

static void pb_message(struct world *w, const struct shape *s, int depth);

static void pb_value(struct world *w, uint32_t number, const struct shape *s, int depth)
{
    struct buf *out = &w->payload;
    const struct shape *inner = meant(w, pb_inner(s));
    switch (inner->kind) {
    case INT:
        buf_u8(out, (uint8_t)(number << 3));
        buf_varlong(out, (int64_t)below(&w->rng, 1000) - 500);
        return;
    case BOOL:
    case SYMBOL:
        buf_u8(out, (uint8_t)(number << 3));
        buf_u8(out, (uint8_t)below(&w->rng, inner->kind == BOOL ? 2 : 3)); // 2 is no symbol
        return;
    case REAL:
        buf_u8(out, (uint8_t)(number << 3 | 1));
        buf_append_str(out, STR("\0\0\0\0\0\0\xf8\x3f"));
        return;
    case TEXT:
        buf_u8(out, (uint8_t)(number << 3 | 2));
        buf_append_str(out, STR("\x03"
                                "abc"));
        return;
    default: {
        size_t begin = out->len;
        uint8_t body[4096];
        pb_message(w, inner, depth - 1);
        size_t len = out->len - begin;
        assert_true(len < sizeof body);
        memcpy(body, out->ptr + begin, len);
        out->len = begin;
        buf_u8(out, (uint8_t)(number << 3 | 2));
        buf_u8(out, (uint8_t)((len & 0x7f) | 0x80));
        buf_u8(out, (uint8_t)(len >> 7));
        buf_append(out, body, len);
        return;
    }
    }
}

static void pb_message(struct world *w, const struct shape *s, int depth)
{
    struct buf *out = &w->payload;
    uint32_t count = depth <= 0 ? 0 : below(&w->rng, 8);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t field = below(&w->rng, 5);
        bool in_oneof = s->has_oneof && field + 2 >= s->count;
        if (field >= s->count) {
            buf_append_str(out, STR("\x7a\x01x")); // nobody knows it
        } else if (s->inner[field]->kind == MAP && !in_oneof) {
            struct shape entry = {.kind = RECORD, .count = 2};
            struct shape key = {.kind = TEXT};
            entry.inner[0] = &key;
            entry.inner[1] = pb_inner(s->inner[field]);
            pb_value(w, field + 1, &entry, depth < 2 ? depth : 2);
        } else {
            pb_value(w, field + 1, s->inner[field], depth);
        }
    }
}

// ---- what must hold

// A type holds the view, and the types of its fields and items theirs.
static void expect_typed(const struct value_type *type, const struct view *view, int depth)
{
    assert_true((type->kinds & TYPE_KIND(view->kind)) != 0);
    struct view_items items = {.of = *view};
    struct view inner;
    struct str key;
    struct value_type again = view_type(view);
    assert_true((again.kinds & TYPE_KIND(view->kind)) != 0 || view->kind == VIEW_NONE);
    if (view->kind == VIEW_RECORD && again.program != NULL) {
        struct str names[2] = {type_name(&again), type_name(type)};
        assert_true(names[1].len == 0 || str_equal(names[0], names[1]));
    }
    if (depth == 0 || type->program == NULL) {
        return;
    }
    if (view->kind == VIEW_RECORD) {
        for (char c = 'a'; c <= 'f'; c++) {
            struct value_type field;
            inner = view_field(view, (struct str){&c, 1});
            if (type_field(type, (struct str){&c, 1}, &field)) {
                expect_typed(&field, &inner, depth - 1);
            } else {
                assert_true(inner.kind == VIEW_NONE || type_is_open(type));
            }
        }
        return;
    }
    struct value_type item = type_item(type);
    while (view_next(&items, &key, &inner)) {
        struct value_type branch;
        bool is_union = type_branch(type, 0, &branch);
        if (!is_union) {
            expect_typed(&item, &inner, depth - 1);
        }
    }
}

static void expect_same(const struct view *a, const struct view *b, const struct world *w)
{
    bool is_same = a->kind == b->kind && a->number == b->number && memcmp(&a->real, &b->real, 8) == 0 &&
                   a->raw.len == b->raw.len && (a->raw.len == 0 || a->raw.ptr == b->raw.ptr) &&
                   a->node == b->node && a->program == b->program && a->has_escape == b->has_escape;
    if (!is_same) {
        fail_msg("a slot of kind %d, by name %d; %s", a->kind, b->kind, (const char *)w->text.ptr);
    }
}

struct paths {
    char letters[PATHS][PATH_DEPTH];
    struct str names[PATHS][PATH_DEPTH];
    struct program_path paths[PATHS];
};

static void make_paths(struct world *w, struct paths *p)
{
    for (int i = 0; i < PATHS; i++) {
        uint32_t count = below(&w->rng, PATH_DEPTH + 1);
        for (uint32_t k = 0; k < count; k++) {
            p->letters[i][k] = (char)('a' + below(&w->rng, below(&w->rng, 3) == 0 ? 5 : 2));
            p->names[i][k] = (struct str){&p->letters[i][k], 1};
        }
        p->paths[i] = (struct program_path){p->names[i], count};
    }
}

static uint32_t check_payload(struct world *w, const struct program *plain, const struct program *slotted,
                              const struct paths *p)
{
    struct view views[PATHS];
    struct program_fault faults[2] = {0};
    // Exactly as long as the payload, for a sanitizer.
    uint8_t *copy = malloc(w->payload.len + 1);
    memcpy(copy, w->payload.ptr, w->payload.len);
    struct bytes payload = {copy, w->payload.len};
    enum err err = program_check(plain, payload, &faults[0]);
    assert_int_equal(program_check(slotted, payload, NULL), err);
    assert_int_equal(program_check_slots(slotted, payload, views, &faults[1]), err);
    assert_string_equal(faults[0].text, faults[1].text);
    uint32_t found = 0;
    for (int i = 0; i < PATHS && err == ERR_OK; i++) {
        struct view walked = view_root(slotted, payload);
        for (size_t k = 0; k < p->paths[i].name_count; k++) {
            walked = view_field(&walked, p->paths[i].names[k]);
        }
        expect_same(&views[i], &walked, w);
        found += p->paths[i].name_count > 0 && walked.kind != VIEW_NONE;
    }
    if (err == ERR_OK) {
        struct view root = view_root(plain, payload);
        struct value_type type = program_root_type(plain);
        expect_typed(&type, &root, 6);
    }
    free(copy);
    return err == ERR_OK ? found + 1 : 0;
}

static void check_world(struct world *w, uint64_t seed, uint32_t *good, uint32_t *found)
{
    enum { PAYLOADS = 12 };
    static struct paths p;
    struct schema *schema;
    struct program *plain;
    struct program *slotted;
    struct error e = {0};
    w->rng = seed;
    w->count = 0;
    w->is_proto2 = below(&w->rng, 2) == 0;
    memset(w->records, 0, sizeof w->records);
    memset(w->is_defined, 0, sizeof w->is_defined);
    buf_reset(&w->text);
    const struct shape *root = shape_make(w, 5, true);
    if (w->format == FORMAT_AVRO) {
        avro_schema(w, root);
    } else if (w->format == FORMAT_JSON) {
        json_schema(w, root);
    } else {
        pb_schema(w, root);
    }
    struct schema_source source = {.format = w->format, .text = buf_str(&w->text)};
    make_paths(w, &p);
    if (schema_create(&source, &schema, &e) != ERR_OK ||
        program_create(schema, NULL, 0, &plain, &e) != ERR_OK ||
        program_create_with(schema, NULL, 0, p.paths, PATHS, &slotted, &e) != ERR_OK) {
        buf_u8(&w->text, 0);
        fail_msg("%s: %s", e.text, (const char *)w->text.ptr);
    }
    buf_u8(&w->text, 0);
    for (int i = 0; i < PAYLOADS; i++) {
        buf_reset(&w->payload);
        if (w->format == FORMAT_AVRO) {
            avro_value(w, root, 9);
        } else if (w->format == FORMAT_JSON) {
            json_value(w, root, 6);
        } else {
            pb_message(w, root, 5);
        }
        uint32_t seen = check_payload(w, plain, slotted, &p);
        *good += seen > 0;
        *found += seen;
        if (w->payload.len > 0) {
            w->payload.ptr[below(&w->rng, (uint32_t)w->payload.len)] ^= (uint8_t)(1 << below(&w->rng, 8));
            check_payload(w, plain, slotted, &p);
        }
    }
    program_unref(plain);
    program_unref(slotted);
    schema_unref(schema);
}

static void check_format(enum format format)
{
    enum { SEEDS = 300 };
    static struct world w;
    uint32_t good = 0;
    uint32_t found = 0;
    w.format = format;
    buf_init(&w.text, 1 << 20);
    buf_init(&w.payload, 1 << 20);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        check_world(&w, seed, &good, &found);
    }
    printf("# %s: %u payloads, %u values found\n", format_name(format), good, found);
    assert_true(good > SEEDS * 8 && found > SEEDS * 16);
    buf_fini(&w.text);
    buf_fini(&w.payload);
}

static void test_avro(void **state)
{
    (void)state;
    check_format(FORMAT_AVRO);
}

static void test_json(void **state)
{
    (void)state;
    check_format(FORMAT_JSON);
}

static void test_protobuf(void **state)
{
    (void)state;
    check_format(FORMAT_PROTOBUF);
}

// ---- types by hand

static struct program *must_compile(enum format format, const char *text)
{
    struct schema *schema;
    struct program *program = NULL;
    struct error e = {0};
    struct schema_source source = {.format = format, .text = str_from_c(text)};
    if (schema_create(&source, &schema, &e) != ERR_OK ||
        program_create(schema, NULL, 0, &program, &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
    schema_unref(schema);
    return program;
}

static struct value_type must_field(const struct value_type *type, const char *name)
{
    struct value_type ret;
    if (!type_field(type, str_from_c(name), &ret)) {
        fail_msg("no field %s", name);
    }
    return ret;
}

static void expect_str(struct str text, const char *expected)
{
    if (!str_equal(text, str_from_c(expected))) {
        fail_msg("%.*s, not %s", STR_ARG(text), expected);
    }
}

static void test_types_avro(void **state)
{
    (void)state;
    struct program *p = must_compile(
        FORMAT_AVRO,
        "{\"type\":\"record\",\"name\":\"a.b.O\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},"
        "{\"name\":\"at\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}]},"
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"X\",\"Y\"]}},"
        "{\"name\":\"u\",\"type\":[\"string\",{\"type\":\"record\",\"name\":\"P\",\"fields\":"
        "[{\"name\":\"x\",\"type\":\"int\"}]},{\"type\":\"record\",\"name\":\"Q\",\"fields\":"
        "[{\"name\":\"x\",\"type\":\"string\"},{\"name\":\"y\",\"type\":\"O\"}]}]},"
        "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":{\"type\":\"array\",\"items\":\"boolean\"}}}]"
        "}");
    struct value_type root = program_root_type(p);
    struct value_type other;
    struct str name;
    int64_t number;
    expect_str(type_name(&root), "a.b.O");
    assert_true(type_field_name(&root, 4, &name));
    expect_str(name, "m");
    assert_false(type_field_name(&root, 5, &name));
    assert_false(type_field(&root, STR("ID"), &other));
    struct value_type at = must_field(&root, "at");
    assert_int_equal(at.kinds, TYPE_KIND(VIEW_NULL) | TYPE_KIND(VIEW_INT));
    expect_str(type_logical(&at), "timestamp-millis");
    struct value_type e = must_field(&root, "e");
    assert_true(type_symbol(&e, 1, &name, &number) && number == 1 && !type_symbol(&e, 2, &name, &number));
    expect_str(type_name(&e), "a.b.E");
    struct value_type u = must_field(&root, "u");
    assert_true(type_branch(&u, 2, &other) && !type_branch(&u, 3, &other));
    expect_str(type_name(&other), "a.b.Q");
    struct value_type x = must_field(&u, "x");
    assert_null(x.program);
    assert_int_equal(x.kinds, TYPE_KIND(VIEW_INT) | TYPE_KIND(VIEW_STRING));
    struct value_type y = must_field(&u, "y");
    assert_int_equal(y.kinds, TYPE_KIND(VIEW_RECORD) | TYPE_KIND(VIEW_NONE));
    struct value_type m = must_field(&root, "m");
    struct value_type list = type_item(&m);
    assert_int_equal(list.kinds, TYPE_KIND(VIEW_LIST));
    assert_int_equal(type_item(&list).kinds, TYPE_KIND(VIEW_BOOL));
    assert_int_equal(type_item(&root).kinds, 0);
    program_unref(p);
}

static void test_types_json(void **state)
{
    (void)state;
    struct program *p = must_compile(
        FORMAT_JSON,
        "{\"type\":\"object\",\"required\":[\"id\"],\"properties\":{\"id\":{\"type\":\"integer\"},"
        "\"at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},"
        "\"e\":{\"enum\":[\"X\",\"Y\"]},\"l\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}}},"
        "\"allOf\":[{\"properties\":{\"more\":{\"type\":\"boolean\"}}}],"
        "\"oneOf\":[{\"properties\":{\"perhaps\":{\"type\":\"string\"}}},{\"required\":[\"x\"]}]}");
    struct value_type root = program_root_type(p);
    struct value_type other;
    struct str name;
    int64_t number;
    assert_true(type_is_open(&root));
    struct value_type id = must_field(&root, "id");
    assert_int_equal(id.kinds, TYPE_KIND(VIEW_INT) | TYPE_KIND(VIEW_DOUBLE));
    assert_true(id.is_whole);
    struct value_type at = must_field(&root, "at");
    assert_int_equal(at.kinds, TYPE_KIND(VIEW_STRING) | TYPE_KIND(VIEW_NULL) | TYPE_KIND(VIEW_NONE));
    expect_str(type_logical(&at), "date-time");
    struct value_type e = must_field(&root, "e");
    assert_true(type_symbol(&e, 1, &name, &number));
    struct value_type l = must_field(&root, "l");
    assert_false(type_item(&l).is_whole);
    assert_int_equal(must_field(&root, "more").kinds, TYPE_KIND(VIEW_BOOL) | TYPE_KIND(VIEW_NONE));
    assert_null(must_field(&root, "perhaps").program);
    assert_false(type_field(&root, STR("nothing"), &other));
    assert_true(type_branch(&root, 1, &other) && !type_branch(&root, 2, &other));
    bool has_more = false;
    for (uint32_t i = 0; type_field_name(&root, i, &name); i++) {
        has_more |= str_equal(name, STR("more"));
    }
    assert_true(has_more);
    program_unref(p);
    // Branches that share branches: 2^60 ways, of which not all are looked at.
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_append_str(&text, STR("{\"$ref\":\"#/definitions/d0\",\"definitions\":{"));
    for (int i = 0; i < 60; i++) {
        buf_printf(&text,
                   "\"d%d\":{\"anyOf\":[{\"$ref\":\"#/definitions/d%d\"},{\"$ref\":\"#/definitions/d%d\"}]},",
                   i, i + 1, i + 1);
    }
    buf_append_str(&text, STR("\"d60\":{\"properties\":{\"a\":{}}}}}"));
    buf_u8(&text, 0);
    p = must_compile(FORMAT_JSON, (const char *)text.ptr);
    root = program_root_type(p);
    assert_int_equal(root.kinds | TYPE_KIND(VIEW_NONE),
                     TYPE_ANYTHING & ~(TYPE_KIND(VIEW_UINT) | TYPE_KIND(VIEW_BYTES) | TYPE_KIND(VIEW_ENUM) |
                                       TYPE_KIND(VIEW_MAP)));
    assert_true(type_field(&root, STR("a"), &other));
    program_unref(p);
    buf_fini(&text);
}

// What takes no bytes is there all the same.
static void test_empty(void **state)
{
    (void)state;
    struct str names[] = {STR("e"), STR("n")};
    struct program_path paths[] = {{names, 2}, {names, 1}, {names + 1, 1}};
    struct view views[3];
    struct schema *schema;
    struct program *program;
    struct error e = {0};
    struct schema_source source = {
        .format = FORMAT_AVRO,
        .text = STR(
            "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"e\",\"type\":{\"type\":\"record\","
            "\"name\":\"E\",\"fields\":[{\"name\":\"n\",\"type\":\"null\"}]}}]}")};
    assert_int_equal(schema_create(&source, &schema, &e), ERR_OK);
    assert_int_equal(program_create_with(schema, NULL, 0, paths, 3, &program, &e), ERR_OK);
    assert_int_equal(program_path_count(program), 3);
    assert_int_equal(program_check_slots(program, (struct bytes){0}, views, NULL), ERR_OK);
    assert_int_equal(views[0].kind, VIEW_NULL);
    assert_int_equal(views[1].kind, VIEW_RECORD);
    assert_int_equal(views[1].raw.len, 0);
    assert_int_equal(views[2].kind, VIEW_NONE);
    program_unref(program);
    schema_unref(schema);
}

static void test_types_protobuf(void **state)
{
    (void)state;
    struct program *p =
        must_compile(FORMAT_PROTOBUF,
                     "syntax=\"proto3\";package q;message M{uint32 id=1;optional string s=2;repeated M l=3;"
                     "map<int32,E> m=4;oneof o{bytes b=5;E e=6;}}enum E{ZERO=0;TWO=2;}");
    struct value_type root = program_root_type(p);
    struct str name;
    int64_t number;
    expect_str(type_name(&root), "q.M");
    assert_int_equal(must_field(&root, "id").kinds, TYPE_KIND(VIEW_UINT));
    assert_int_equal(must_field(&root, "s").kinds, TYPE_KIND(VIEW_STRING) | TYPE_KIND(VIEW_NONE));
    struct value_type l = must_field(&root, "l");
    struct value_type item = type_item(&l);
    assert_int_equal(l.kinds, TYPE_KIND(VIEW_LIST));
    expect_str(type_name(&l), "");
    expect_str(type_name(&item), "q.M");
    struct value_type m = must_field(&root, "m");
    struct value_type value = type_item(&m);
    assert_int_equal(type_key(&m).kinds, TYPE_KIND(VIEW_INT));
    assert_true(type_symbol(&value, 1, &name, &number) && number == 2);
    expect_str(name, "TWO");
    assert_int_equal(must_field(&root, "b").kinds, TYPE_KIND(VIEW_BYTES) | TYPE_KIND(VIEW_NONE));
    assert_true(type_field_name(&root, 5, &name) && !type_field_name(&root, 6, &name));
    program_unref(p);
}

static void test_limits(void **state)
{
    (void)state;
    static struct program_path paths[PROGRAM_PATHS_MAX + 1];
    struct str names[PATH_NAMES_MAX + 1];
    struct schema *schema;
    struct program *program;
    struct error e = {0};
    struct schema_source source = {.format = FORMAT_AVRO, .text = STR("\"string\"")};
    assert_int_equal(schema_create(&source, &schema, &e), ERR_OK);
    assert_int_equal(program_create_with(schema, NULL, 0, paths, PROGRAM_PATHS_MAX + 1, &program, &e),
                     ERR_NO_MEMORY);
    for (int i = 0; i <= PATH_NAMES_MAX; i++) {
        names[i] = STR("a");
    }
    paths[0] = (struct program_path){names, PATH_NAMES_MAX + 1};
    assert_int_equal(program_create_with(schema, NULL, 0, paths, 1, &program, &e), ERR_NO_MEMORY);
    paths[0].name_count = PATH_NAMES_MAX;
    assert_int_equal(program_create_with(schema, NULL, 0, paths, 2, &program, &e), ERR_OK);
    struct view views[2];
    assert_int_equal(program_check_slots(program, bytes_of("\x02z", 2), views, NULL), ERR_OK);
    assert_int_equal(views[0].kind, VIEW_NONE);
    assert_int_equal(views[1].kind, VIEW_STRING);
    program_unref(program);
    schema_unref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_avro),       cmocka_unit_test(test_json),
        cmocka_unit_test(test_protobuf),   cmocka_unit_test(test_types_avro),
        cmocka_unit_test(test_types_json), cmocka_unit_test(test_types_protobuf),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
