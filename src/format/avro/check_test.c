// SPDX-License-Identifier: Apache-2.0
// Payloads checked: by hand, and by the thousand from random schemas, where the flat code and the walk by
// types must agree on every one, and views must find what was written.
#include "format/avro/program_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"

static struct program *compile(const char *text)
{
    struct schema *schema = NULL;
    struct program *program = NULL;
    struct error e = {0};
    struct schema_source source = {.format = FORMAT_AVRO, .text = str_from_c(text)};
    if (schema_create(&source, &schema, &e) != ERR_OK ||
        program_create(schema, NULL, 0, &program, &e) != ERR_OK) {
        fail_msg("%s: %s", text, e.text);
    }
    schema_unref(schema);
    return program;
}

static struct bytes from_hex(const char *hex, uint8_t *out)
{
    size_t size = 0;
    for (; *hex != 0; hex++) {
        if (*hex == ' ') {
            continue;
        }
        char pair[3] = {hex[0], hex[1], 0};
        out[size++] = (uint8_t)strtoul(pair, NULL, 16);
        hex++;
    }
    return bytes_of(out, size);
}

#define ORDER                                                                                                \
    "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},"               \
    "{\"name\":\"note\",\"type\":[\"null\",\"string\"]},{\"name\":\"items\",\"type\":{\"type\":\"array\","   \
    "\"items\":{\"type\":\"record\",\"name\":\"Item\",\"fields\":[{\"name\":\"price\",\"type\":\"double\"}," \
    "{\"name\":\"unit\",\"type\":{\"type\":\"enum\",\"name\":\"Unit\",\"symbols\":[\"KG\",\"M\"]}}]}}},"     \
    "{\"name\":\"tags\",\"type\":{\"type\":\"map\",\"values\":\"int\"}}]}"
#define LIST                                                                                                 \
    "{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"next\",\"type\":"                           \
    "[\"null\",\"L\"]}]}"
#define NULLS "{\"type\":\"array\",\"items\":\"null\"}"
#define INTS  "{\"type\":\"array\",\"items\":\"int\"}"
#define FOREVER                                                                                              \
    "{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"a\",\"type\":\"A\"},{\"name\":\"b\","       \
    "\"type\":\"A\"}]}"

// text NULL: accepted; else where and what.
static const struct {
    const char *schema;
    const char *payload;
    const char *path;
    const char *text;
} rows[] = {
    {"\"null\"", "", NULL, NULL},
    {"\"null\"", "00", "$", "1 bytes behind the end of the record"},
    {"\"boolean\"", "01", NULL, NULL},
    {"\"boolean\"", "02", "$", "a boolean is the byte 0 or 1, not 2"},
    {"\"boolean\"", "", "$", "the payload ends where a boolean belongs"},
    {"\"int\"", "ff ff ff ff 0f", NULL, NULL},
    {"\"int\"", "ff ff ff ff 1f", "$", "an int is no number of 32 bits"},
    {"\"int\"", "80 80 80 80 80 00", "$", "an int is no number of 32 bits"},
    {"\"int\"", "80 00", NULL, NULL}, // not the shortest form
    {"\"int\"", "80", "$", "the payload ends inside an int"},
    {"\"int\"", "", "$", "the payload ends inside an int"},
    {"\"long\"", "ff ff ff ff ff ff ff ff ff 01", NULL, NULL},
    {"\"long\"", "ff ff ff ff ff ff ff ff ff 02", "$", "a long is no number of 64 bits"},
    {"\"long\"", "ff ff ff ff ff ff ff ff ff ff 01", "$", "a long is no number of 64 bits"},
    {"\"long\"", "ff ff ff ff ff ff ff ff ff", "$", "the payload ends inside a long"},
    {"\"float\"", "00 00 c0 7f", NULL, NULL},
    {"\"double\"", "00 00 c0 7f", "$", "a double takes 8 bytes, but only 4 are left"},
    {"\"string\"", "06 66 c3 a9", NULL, NULL},
    {"\"string\"", "04 c3 28", "$", "a string is no UTF-8"},
    {"\"string\"", "02 c3", "$", "a string is no UTF-8"},
    {"\"string\"", "12 41 41 41 41 41 41 41 41 ff", "$", "a string is no UTF-8"},
    {"\"string\"", "01", "$", "the length of a string is negative: -1"},
    {"\"string\"", "04 41", "$", "the length of a string is 2, but only 1 bytes are left"},
    {"\"bytes\"", "04 c3 28", NULL, NULL},
    {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "01", "$",
     "a fixed takes 2 bytes, but only 1 are left"},
    {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "02", "$",
     "the index of an enum is 1, but there are 1 symbols, counted from 0"},
    {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "01", "$",
     "the index of an enum is -1, but there are 1 symbols, counted from 0"},
    {"[\"null\",\"int\"]", "00", NULL, NULL},
    {"[\"int\",\"null\"]", "02", NULL, NULL},
    {"[\"null\",\"int\"]", "02 05", NULL, NULL},
    {"[\"null\",\"int\"]", "04", "$", "the index of a union is 2, but there are 2 branches, counted from 0"},
    {"[\"int\",\"string\",\"null\"]", "02 02 41", NULL, NULL},
    {"[\"int\",\"string\",\"null\"]", "06", "$",
     "the index of a union is 3, but there are 3 branches, counted from 0"},
    {"[]", "00", "$", "the index of a union is 0, but there are 0 branches, counted from 0"},
    {INTS, "00", NULL, NULL},
    {INTS, "04 02 04 00", NULL, NULL},
    {INTS, "03 04 02 04 00", NULL, NULL}, // a block that says its size
    {INTS, "03 06 02 04 00", "$", "a block that says it ends at byte 5 ends at byte 4"},
    {INTS, "02 02 02 02 00", NULL, NULL},
    {INTS, "04 02 ff ff ff ff 7f 00", "$[1]", "an int is no number of 32 bits"},
    {INTS, "04 02 04", "$", "the payload ends inside the count of a block"},
    {INTS, "ff ff ff ff ff ff ff ff ff 01 00", "$",
     "a block of 9223372036854775808 items, but only 0 bytes are left"},
    {INTS, "80 80 80 80 80 80 80 80 40 00", "$",
     "a block of 2305843009213693952 items, but only 1 bytes are left"},
    {NULLS, "80 80 80 01 00", NULL, NULL},
    {NULLS, "80 80 80 80 80 80 80 80 20 00", "$", "more than 1048576 items that take no bytes"},
    {NULLS, "80 80 80 01 80 80 80 01 00", "$", "more than 1048576 items that take no bytes"},
    {NULLS, "03 00 00", NULL, NULL},
    {NULLS, "03 02 00 00", "$", "a block that says it ends at byte 3 ends at byte 2"},
    {ORDER, "02 00 00 00", NULL, NULL},
    {ORDER, "02 02 04 68 69 02 00 00 00 00 00 00 f8 3f 02 00 02 02 61 0e 00", NULL, NULL},
    {ORDER, "02 02 04 68 69 02 00 00 00 00 00 00 f8 3f 04 00 02 02 61 0e 00", "$.items[0].unit",
     "the index of an enum is 2, but there are 2 symbols, counted from 0"},
    {ORDER, "02 00 00 02 06 61 20 62 ff ff ff ff ff ff 00", "$.tags[\"a b\"]",
     "an int is no number of 32 bits"},
    {LIST, "02 02 02 00", NULL, NULL},
    {LIST, "02 02 02", "$.next.next.next.next", "the payload ends inside the index of a union"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct program *program = compile(rows[i].schema);
        uint8_t data[64];
        struct bytes payload = from_hex(rows[i].payload, data);
        struct program_fault fault = {0};
        enum err err = program_check(program, payload, &fault);
        bool is_wanted = rows[i].text == NULL
                             ? err == ERR_OK
                             : err == ERR_INVALID_RECORD && strcmp(fault.path, rows[i].path) == 0 &&
                                   strcmp(fault.text, rows[i].text) == 0;
        if (!is_wanted) {
            fail_msg("%s with %s: %d %s: %s", rows[i].schema, rows[i].payload, err, fault.path, fault.text);
        }
        program_unref(program);
    }
}

static void test_depth(void **state)
{
    (void)state;
    struct program *program = compile(LIST);
    uint8_t data[PAYLOAD_DEPTH_MAX + 2];
    memset(data, 2, sizeof data);
    data[PAYLOAD_DEPTH_MAX - 1] = 0; // so many records, each in the one before
    struct program_fault fault;
    assert_int_equal(program_check(program, bytes_of(data, PAYLOAD_DEPTH_MAX), &fault), ERR_OK);
    data[PAYLOAD_DEPTH_MAX - 1] = 2;
    data[PAYLOAD_DEPTH_MAX] = 0;
    assert_int_equal(program_check(program, bytes_of(data, PAYLOAD_DEPTH_MAX + 1), &fault),
                     ERR_INVALID_RECORD);
    assert_string_equal(fault.text, "nested more than 128 deep");
    program_unref(program);
    program = compile(FOREVER);
    assert_int_equal(program_check(program, bytes_of(data, 10), &fault), ERR_INVALID_RECORD);
    assert_string_equal(fault.text, "nested more than 128 deep");
    program_unref(program);
}

static void test_views(void **state)
{
    (void)state;
    struct program *program = compile(ORDER);
    uint8_t data[64];
    // Two blocks of one item each, which say their size.
    struct bytes payload = from_hex("03 02 04 68 69"
                                    "01 12 00 00 00 00 00 00 f8 3f 02 01 12 00 00 00 00 00 00 00 40 00 00"
                                    "04 02 61 0e 02 61 10 00",
                                    data);
    struct program_fault fault;
    if (program_check(program, payload, &fault) != ERR_OK) {
        fail_msg("%s: %s at %zu", fault.path, fault.text, fault.position);
    }
    struct view root = view_root(program, payload);
    assert_int_equal(root.kind, VIEW_RECORD);
    assert_int_equal(root.raw.len, payload.len);
    struct view id = view_field(&root, STR("id"));
    assert_int_equal(id.kind, VIEW_INT);
    assert_int_equal(id.number, -2);
    struct view note = view_field(&root, STR("note"));
    assert_int_equal(note.kind, VIEW_STRING);
    assert_true(bytes_equal(note.raw, bytes_of("hi", 2)));
    assert_int_equal(view_field(&root, STR("nothing")).kind, VIEW_NONE);
    struct view list = view_field(&root, STR("items"));
    struct view_items items = {.of = list};
    struct view item;
    struct str key;
    double prices[] = {1.5, 2.0};
    const char *units[] = {"M", "KG"};
    for (int i = 0; i < 2; i++) {
        assert_true(view_next(&items, &key, &item));
        assert_null(key.ptr);
        assert_true(view_field(&item, STR("price")).real == prices[i]);
        struct view unit = view_field(&item, STR("unit"));
        assert_int_equal(unit.kind, VIEW_ENUM);
        assert_true(bytes_equal(unit.raw, bytes_of(units[i], strlen(units[i]))));
    }
    assert_false(view_next(&items, &key, &item));
    assert_false(view_next(&items, &key, &item));
    struct view tags = view_field(&root, STR("tags"));
    assert_int_equal(view_field(&tags, STR("a")).number, 8); // the last of two
    assert_int_equal(view_field(&tags, STR("b")).kind, VIEW_NONE);
    items = (struct view_items){.of = root};
    const char *fields[] = {"id", "note", "items", "tags"};
    for (int i = 0; i < 4; i++) {
        assert_true(view_next(&items, &key, &item));
        assert_true(str_equal(key, str_from_c(fields[i])));
    }
    assert_false(view_next(&items, &key, &item));
    program_unref(program);
}

// ---- at random

struct rng {
    uint64_t state;
};

static uint32_t below(struct rng *r, uint32_t bound)
{
    r->state = hash_mix(r->state + 0x9e3779b97f4a7c15ULL, 0x2545f4914f6cdd1dULL);
    return (uint32_t)((r->state >> 32) % bound);
}

struct writer {
    struct rng *r;
    struct buf *out;
    uint32_t records; // R0 to R<records - 1> are defined, or being so
    uint32_t names;
    uint32_t open; // records being defined
};

static void write_type(struct writer *w, int depth, bool in_union);

static void write_union(struct writer *w, int depth)
{
    static const char *const plain[] = {"\"null\"",  "\"int\"",    "\"string\"",
                                        "\"bytes\"", "\"double\"", "\"boolean\""};
    uint32_t count = 1 + below(w->r, 5);
    uint32_t first = below(w->r, 6);
    buf_u8(w->out, '[');
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(w->out, "%s%s", i == 0 ? "" : ",", plain[(first + i) % 6]);
    }
    if (depth > 0) {
        buf_u8(w->out, ',');
        write_type(w, depth - 1, true);
    }
    buf_u8(w->out, ']');
}

static void write_record(struct writer *w, int depth)
{
    uint32_t count = below(w->r, 12) == 0 ? 70 : below(w->r, 6);
    buf_printf(w->out, "{\"type\":\"record\",\"name\":\"R%u\",\"fields\":[", w->records++);
    w->open++;
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(w->out, "%s{\"name\":\"f%u\",\"type\":", i == 0 ? "" : ",", i);
        write_type(w, depth - 1, false);
        buf_u8(w->out, '}');
    }
    w->open--;
    buf_append_str(w->out, STR("]}"));
}

// In a union: a type that no other branch is of.
static void write_type(struct writer *w, int depth, bool in_union)
{
    static const char *const plain[] = {"null",  "boolean", "int",   "long",
                                        "float", "double",  "bytes", "string"};
    uint32_t kind = depth <= 0 ? 0 : below(w->r, 9);
    if (in_union && (kind < 3 || kind == 4)) {
        kind = 5 + below(w->r, 4);
    }
    switch (kind) {
    case 3:
        write_record(w, depth);
        return;
    case 4:
        write_union(w, depth);
        return;
    case 5:
        buf_append_str(w->out, STR("{\"type\":\"array\",\"items\":"));
        write_type(w, depth - 1, false);
        buf_u8(w->out, '}');
        return;
    case 6:
        buf_append_str(w->out, STR("{\"type\":\"map\",\"values\":"));
        write_type(w, depth - 1, false);
        buf_u8(w->out, '}');
        return;
    case 7:
        buf_printf(w->out, "{\"type\":\"fixed\",\"name\":\"N%u\",\"size\":%u}", w->names++, below(w->r, 20));
        return;
    case 8:
        if (w->records > 0 && below(w->r, 2) == 0) {
            buf_printf(w->out, "\"R%u\"", below(w->r, w->records));
            return;
        }
        buf_printf(w->out, "{\"type\":\"enum\",\"name\":\"N%u\",\"symbols\":[\"A\",\"B\",\"C\"]}",
                   w->names++);
        return;
    default:
        buf_printf(w->out, "\"%s\"", plain[below(w->r, 8)]);
        return;
    }
}

static bool write_value(struct rng *r, const struct avro_type *type, struct buf *out, int depth);

static bool write_items(struct rng *r, const struct avro_type *type, struct buf *out, int depth)
{
    uint32_t blocks = depth <= 0 ? 0 : below(r, 3);
    struct buf block;
    buf_init(&block, 1 << 20);
    bool is_good = true;
    for (uint32_t b = 0; b < blocks && is_good; b++) {
        int64_t count = 1 + below(r, 3);
        buf_reset(&block);
        for (int64_t i = 0; i < count && is_good; i++) {
            if (type->kind == AVRO_MAP) {
                buf_append_str(&block, STR("\x04k\xc2"));
                block.ptr[block.len - 1] = (uint8_t)('a' + below(r, 26));
            }
            is_good = write_value(r, type->item, &block, depth - 1);
        }
        bool says_size = below(r, 2) == 0;
        buf_varlong(out, says_size ? -count : count);
        if (says_size) {
            buf_varlong(out, (int64_t)block.len);
        }
        buf_append_str(out, buf_str(&block));
    }
    buf_varlong(out, 0);
    buf_fini(&block);
    return is_good;
}

// false: the value would have no end.
static bool write_value(struct rng *r, const struct avro_type *type, struct buf *out, int depth)
{
    static const char *const texts[] = {"", "abc",
                                        ("f\xc3\xbc"
                                         "nf"),
                                        "a longer text, of ASCII", "\xf0\x9f\x98\x80 end of it"};
    if (depth < -20 || out->len > 4096) {
        return false;
    }
    switch (type->kind) {
    case AVRO_NULL:
        return true;
    case AVRO_BOOLEAN:
        buf_u8(out, (uint8_t)below(r, 2));
        return true;
    case AVRO_INT:
        buf_varint(out, (int32_t)(below(r, UINT32_MAX) >> below(r, 32)));
        return true;
    case AVRO_LONG:
        buf_varlong(out,
                    (int64_t)(((uint64_t)below(r, UINT32_MAX) << 32 | below(r, UINT32_MAX)) >> below(r, 64)));
        return true;
    case AVRO_ENUM:
        buf_varint(out, (int32_t)below(r, type->count));
        return true;
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
    case AVRO_FIXED: {
        int size = type->kind == AVRO_FLOAT ? 4 : type->kind == AVRO_DOUBLE ? 8 : type->size;
        for (int i = 0; i < size; i++) {
            buf_u8(out, (uint8_t)below(r, 256));
        }
        return true;
    }
    case AVRO_BYTES:
    case AVRO_STRING: {
        struct str text = str_from_c(texts[below(r, 5)]);
        buf_varlong(out, (int64_t)text.len);
        buf_append_str(out, text);
        return true;
    }
    case AVRO_UNION: {
        uint32_t branch = below(r, type->count);
        buf_varint(out, (int32_t)branch);
        return write_value(r, type->branches[branch], out, depth - 1);
    }
    case AVRO_RECORD:
        for (uint32_t i = 0; i < type->count; i++) {
            if (!write_value(r, type->fields[i].type, out, depth - 1)) {
                return false;
            }
        }
        return true;
    default:
        return write_items(r, type, out, depth);
    }
}

// Everything that can be seen lies in the payload, but enum symbols.
static uint64_t look(const struct view *view, struct bytes payload)
{
    assert_true(view->kind != VIEW_NONE);
    if (view->kind != VIEW_ENUM && view->raw.len > 0) {
        assert_true(view->raw.ptr >= payload.ptr &&
                    view->raw.ptr + view->raw.len <= payload.ptr + payload.len);
    }
    uint64_t seen = 1;
    struct view_items items = {.of = *view};
    struct view inner;
    struct str key;
    while (seen < 100000 && view_next(&items, &key, &inner)) {
        seen += look(&inner, payload);
        if (view->kind == VIEW_RECORD) {
            struct view again = view_field(view, key);
            assert_true(again.kind == inner.kind && again.number == inner.number &&
                        again.raw.ptr == inner.raw.ptr && again.raw.len == inner.raw.len);
        }
    }
    return seen;
}

static bool agree(const struct program *program, struct bytes payload, const char *schema)
{
    // Exactly as long as the payload, for a sanitizer.
    uint8_t *copy = malloc(payload.len + (payload.len == 0));
    if (payload.len > 0) {
        memcpy(copy, payload.ptr, payload.len);
    }
    struct bytes exact = {copy, payload.len};
    struct program_fault fault = {0};
    bool is_good = avro_accepts(avro_program_of(program), exact, NULL);
    if (!avro_judges_alike(program, exact)) {
        avro_explain(avro_program_of(program), exact, &fault);
        fail_msg("%s: the code says %d, the types: %s %s", schema, is_good, fault.path, fault.text);
    }
    if (is_good) {
        struct view root = view_root(program, exact);
        look(&root, exact);
    }
    free(copy);
    return is_good;
}

static void test_random(void **state)
{
    (void)state;
    enum { SCHEMAS = 400, PAYLOADS = 20, MUTATIONS = 12 };
    uint32_t good = 0;
    uint32_t mutants = 0;
    uint32_t good_mutants = 0;
    for (uint64_t seed = 1; seed <= SCHEMAS; seed++) {
        struct rng r = {seed};
        struct buf text;
        struct buf payload;
        buf_init(&text, 1 << 20);
        buf_init(&payload, 1 << 20);
        struct writer w = {.r = &r, .out = &text};
        write_record(&w, 5);
        buf_u8(&text, 0);
        const char *schema = (const char *)text.ptr;
        struct program *program = compile(schema);
        for (int i = 0; i < PAYLOADS; i++) {
            buf_reset(&payload);
            if (!write_value(&r, avro_program_of(program)->nodes[0].type, &payload, 8) || payload.failed) {
                continue;
            }
            if (!agree(program, buf_bytes(&payload), schema)) {
                fail_msg("seed %d: %s refuses its own", (int)seed, schema);
            }
            good++;
            for (int m = 0; m < MUTATIONS && payload.len > 0; m++) {
                uint32_t at = below(&r, (uint32_t)payload.len);
                uint8_t kept = payload.ptr[at];
                payload.ptr[at] = (uint8_t)below(&r, 256);
                uint32_t cut = below(&r, 4) == 0 ? below(&r, (uint32_t)payload.len) : 0;
                good_mutants += agree(program, bytes_of(payload.ptr, payload.len - cut), schema);
                payload.ptr[at] = kept;
                mutants++;
            }
        }
        program_unref(program);
        buf_fini(&text);
        buf_fini(&payload);
    }
    printf("# %u payloads accepted, %u of %u mutants\n", good, good_mutants, mutants);
    assert_true(good > 3000 && mutants > 30000 && good_mutants > 1000 && good_mutants < mutants);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
