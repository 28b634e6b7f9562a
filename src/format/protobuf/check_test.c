// SPDX-License-Identifier: Apache-2.0
// Payloads that are taken and payloads that are refused, with the place; views of what was taken.
#include "format/protobuf/pb_test.h"

#define P3 "syntax=\"proto3\";"

static const char schema_text[] =
    "message M { required int32 id = 1; repeated int64 nums = 2; optional string name = 3; optional Sub sub "
    "= 4;"
    "repeated Sub subs = 5; optional group G = 6 { optional int32 x = 1; } optional E e = 7; oneof o { bool "
    "b = 8;"
    "string s = 9; } map<string, Sub> m = 10; map<int32, string> n = 11; optional double d = 12; optional "
    "fixed32 f = 13;"
    "optional sint64 z = 14; repeated fixed64 fs = 15 [packed = true]; optional uint64 u = 16; optional "
    "float r = 17;"
    "optional bytes y = 18; }"
    "message Sub { optional string t = 1; optional Sub sub = 2; required bool must = 3; }"
    "enum E { A = 1; B = 2; }";

static struct program *must_compile(const struct schema *s, const int32_t *root, size_t count)
{
    struct program *p = NULL;
    struct error e = {0};
    if (program_create(s, root, count, &p, &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
    return p;
}

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    for (; *hex != '\0'; hex++) {
        if (*hex == ' ') {
            continue;
        }
        unsigned byte = 0;
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        out[n++] = (uint8_t)byte;
        hex++;
    }
    return n;
}

static void test_check(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        const char *fault; // "position path: text", or NULL if the payload is good
    } rows[] = {
        {"08 01", NULL},
        {"08 ffffffffffffffffff01", NULL},
        {"08 ffffffffffffffffffff01", "1 $.id: a varint that does not end"},
        {"08", "1 $.id: a varint that does not end"},
        {"", "0 $: the required field id is missing"},
        {"12 02 01 02 08 01", NULL}, // packed
        {"10 01 10 02 08 01", NULL}, // not packed
        {"08 01 12 02 01 80", "5 $.nums[0]: a varint that does not end"},
        {"08 01 1a 02 ff fe", NULL}, // proto2 does not ask for UTF-8
        {"08 01 1a 05 61", "3 $.name: 5 bytes announced, 1 left"},
        {"0a 01 00", "1 $.id: a length and bytes, but the schema has int32"},
        {"08 01 22 02 18 01", NULL},
        {"08 01 22 00", "4 $.sub: the required field must is missing"},
        {"08 01 2a 02 18 01 2a 02 0a 05", "9 $.subs[1].t: 5 bytes announced, 0 left"},
        {"08 01 33 08 05 34", NULL},
        {"08 01 33 08 05", "5 $.G: group 6 has no end"},
        {"08 01 33 08 05 3c", "5 $.G: the end of group 7, which did not begin"},
        {"08 01 34", "2 $: the end of group 6, which did not begin"},
        {"08 01 38 63", NULL},          // an enum value that nobody knows
        {"08 01 40 01 4a 01 61", NULL}, // both members of a oneof
        {"08 01 52 05 0a 01 6b 12 00", "9 $.m[\"k\"].value: the required field must is missing"},
        {"08 01 52 07 0a 01 6b 12 02 18 01", NULL},
        {"08 01 52 00", NULL},
        {"08 01 5a 05 08 07 12 02 61", "7 $.n[7].value: 2 bytes announced, 1 left"},
        {"08 01 5a 04 08 07 12 02", "7 $.n[7].value: 2 bytes announced, 0 left"},
        {"08 01 61 00 00 00 00 00 00 00", "3 $.d: 8 bytes announced, 7 left"},
        {"08 01 6d 00 00 00", "3 $.f: 4 bytes announced, 3 left"},
        {"08 01 7a 07 00 00 00 00 00 00 00", "4 $.fs[0]: 7 bytes are no whole number of fixed64"},
        {"08 01 79 00 00 00 00 00 00 00 00", NULL},
        {"08 01 fa 3f 01 00", NULL},                   // unknown: a length
        {"08 01 fb 3f 08 01 fb 3f fc 3f fc 3f", NULL}, // unknown: groups within each other
        {"08 01 fb 3f fc 3e", "4 $: the end of group 1007 within group 1023"},
        {"08 01 fb 3f", "4 $: group 1023 has no end"},
        {"08 01 00 01", "2 $: a tag with no field number"},
        {"08 01 0e", "3 $.id: nothing known, but the schema has int32"},
        {"08 01 fe 3f", "4 $: wire type 6, which there is not"},
        {"08 01 80 80 80 80 80 01", "2 $: a tag that does not end"},
    };
    struct schema *s = must_schema(schema_text);
    struct program *p = must_compile(s, NULL, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[128];
        size_t len = from_hex(rows[i].hex, bytes);
        struct program_fault fault = {0};
        enum err err = program_check(p, (struct bytes){bytes, len}, &fault);
        char text[800] = "";
        if (err != ERR_OK) {
            snprintf(text, sizeof text, "%zu %s: %s", fault.position, fault.path, fault.text);
        }
        if (strcmp(text, rows[i].fault == NULL ? "" : rows[i].fault) != 0) {
            fail_msg("%s: '%s', not '%s'", rows[i].hex, text, rows[i].fault == NULL ? "" : rows[i].fault);
        }
        assert_int_equal(program_check(p, (struct bytes){bytes, len}, NULL), err);
    }
    program_unref(p);
    schema_unref(s);
}

static void test_utf8_by_syntax(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_refused;
    } rows[] = {
        {P3 "message M{string a=1;}", true},
        {"message M{optional string a=1;}", false},
        {"edition=\"2023\";message M{string a=1;}", true},
        {"edition=\"2023\";message M{string a=1[features.utf8_validation=NONE];}", false},
        {"edition=\"2023\";option features={utf8_validation:NONE};message M{string a=1;}", false},
        {P3 "message M{bytes a=1;}", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct schema *s = must_schema(rows[i].text);
        struct program *p = must_compile(s, NULL, 0);
        static const uint8_t bytes[] = {0x0a, 1, 0xff};
        assert_int_equal(program_check(p, (struct bytes){bytes, sizeof bytes}, NULL) != ERR_OK,
                         rows[i].is_refused);
        program_unref(p);
        schema_unref(s);
    }
}

// Delimited messages of editions are groups in bytes; LEGACY_REQUIRED is required.
static void test_editions(void **state)
{
    (void)state;
    struct schema *s = must_schema("edition=\"2023\";message M{M m=1[features.message_encoding=DELIMITED];"
                                   "int32 r=2[features.field_presence=LEGACY_REQUIRED];}");
    struct program *p = must_compile(s, NULL, 0);
    uint8_t bytes[32];
    assert_int_equal(program_check(p, (struct bytes){bytes, from_hex("0b 10 01 0c 10 01", bytes)}, NULL),
                     ERR_OK);
    assert_int_equal(program_check(p, (struct bytes){bytes, from_hex("0a 02 10 01 10 01", bytes)}, NULL),
                     ERR_INVALID_RECORD);
    assert_int_equal(program_check(p, (struct bytes){bytes, from_hex("0b 0c 10 01", bytes)}, NULL),
                     ERR_INVALID_RECORD);
    program_unref(p);
    schema_unref(s);
}

static void test_root(void **state)
{
    (void)state;
    struct schema *s =
        must_schema(P3 "message A{map<string,int32> m=1;message B{}message C{string s=1;}}message D{}");
    struct error e;
    struct program *p = NULL;
    static const int32_t c[] = {0, 1};
    p = must_compile(s, c, 2);
    static const uint8_t good[] = {0x0a, 1, 'x'};
    assert_int_equal(program_check(p, (struct bytes){good, 3}, NULL), ERR_OK);
    struct view root = view_root(p, (struct bytes){good, 3});
    assert_int_equal(view_field(&root, STR("s")).kind, VIEW_STRING);
    program_unref(p);
    static const int32_t none[][2] = {{2, 0}, {0, 2}, {-1, 0}, {1, 0}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_int_equal(program_create(s, none[i], 2, &p, &e), ERR_INVALID_SCHEMA);
    }
    schema_unref(s);
}

// ---- views

static void test_views(void **state)
{
    (void)state;
    struct schema *s = must_schema(schema_text);
    struct program *p = must_compile(s, NULL, 0);
    uint8_t bytes[512];
    size_t len = from_hex("08 01 08 07"                               // id twice
                          "10 05 12 02 06 07 12 00 10 08"             // nums: single, packed, empty, single
                          "1a 02 68 69"                               // name
                          "22 06 0a 02 78 79 18 01"                   // sub
                          "2a 02 18 00 2a 02 18 01"                   // subs
                          "33 08 7f 34"                               // G
                          "38 02"                                     // e
                          "40 01 4a 01 71"                            // b, then s
                          "52 07 0a 01 6b 12 02 18 01"                // m
                          "5a 05 08 07 12 01 61 5a 05 08 07 12 01 62" // n: 7 twice
                          "61 00 00 00 00 00 00 f8 3f"                // d = 1.5
                          "6d ff ff ff ff 70 03"                      // f, z = -2
                          "8d 01 00 00 00 3f",                        // r = 0.5
                          bytes);
    struct bytes payload = {bytes, len};
    assert_int_equal(program_check(p, payload, NULL), ERR_OK);
    struct view root = view_root(p, payload);
    struct view v = view_field(&root, STR("id"));
    assert_int_equal(v.kind, VIEW_INT);
    assert_int_equal(v.number, 7);
    v = view_field(&root, STR("nums"));
    assert_int_equal(v.kind, VIEW_LIST);
    struct view_items items = {.of = v};
    struct str key;
    struct view item;
    for (int i = 5; i <= 8; i++) {
        assert_true(view_next(&items, &key, &item));
        assert_null(key.ptr);
        assert_int_equal(item.number, i);
    }
    assert_false(view_next(&items, &key, &item));
    v = view_field(&root, STR("name"));
    assert_true(v.kind == VIEW_STRING && bytes_equal(v.raw, bytes_of("hi", 2)));
    v = view_field(&root, STR("sub"));
    v = view_field(&v, STR("t"));
    assert_true(v.kind == VIEW_STRING && bytes_equal(v.raw, bytes_of("xy", 2)));
    v = view_field(&root, STR("G"));
    assert_int_equal(v.kind, VIEW_RECORD);
    assert_int_equal(view_field(&v, STR("x")).number, 127);
    v = view_field(&root, STR("e"));
    assert_true(v.kind == VIEW_ENUM && v.number == 2 && bytes_equal(v.raw, bytes_of("B", 1)));
    assert_int_equal(view_field(&root, STR("b")).kind, VIEW_NONE);
    assert_int_equal(view_field(&root, STR("s")).kind, VIEW_STRING);
    assert_int_equal(view_field(&root, STR("u")).kind, VIEW_NONE);
    assert_int_equal(view_field(&root, STR("nothing")).kind, VIEW_NONE);
    v = view_field(&root, STR("m"));
    assert_int_equal(v.kind, VIEW_MAP);
    v = view_field(&v, STR("k"));
    assert_int_equal(view_field(&v, STR("must")).number, 1);
    v = view_field(&root, STR("n"));
    item = view_field(&v, STR("7"));
    assert_true(bytes_equal(item.raw, bytes_of("b", 1)));
    items = (struct view_items){.of = v};
    assert_true(view_next(&items, &key, &item));
    assert_true(str_equal(key, STR("7")) && bytes_equal(item.raw, bytes_of("a", 1)));
    assert_true(view_field(&root, STR("d")).real == 1.5);
    assert_true(view_field(&root, STR("r")).real == 0.5);
    v = view_field(&root, STR("f"));
    assert_true(v.kind == VIEW_UINT && v.number == 4294967295);
    assert_int_equal(view_field(&root, STR("z")).number, -2);
    // What is there, by number.
    static const char *const names[] = {"id", "nums", "name", "sub", "subs", "G", "e",
                                        "s",  "m",    "n",    "d",   "f",    "z", "r"};
    items = (struct view_items){.of = root};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(view_next(&items, &key, &item));
        assert_true(str_equal(key, str_from_c(names[i])));
    }
    assert_false(view_next(&items, &key, &item));
    program_unref(p);
    schema_unref(s);
}

// Numbers that a closed enum does not have are as if unknown; an open one shows them without a name.
static void test_unknown_enum_values(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "message M{optional E e=1;repeated E r=2;map<int32,E> m=3;}enum E{A=0;B=1;}",
        P3 "message M{E e=1;repeated E r=2;map<int32,E> m=3;}enum E{A=0;B=1;}",
    };
    for (int is_open = 0; is_open <= 1; is_open++) {
        struct schema *s = must_schema(texts[is_open]);
        struct program *p = must_compile(s, NULL, 0);
        uint8_t bytes[64];
        size_t len =
            from_hex("08 01 08 09  10 09 10 01 12 03 09 00 09  1a 04 08 05 10 01 1a 04 08 06 10 09", bytes);
        struct bytes payload = {bytes, len};
        assert_int_equal(program_check(p, payload, NULL), ERR_OK);
        struct view root = view_root(p, payload);
        struct view e = view_field(&root, STR("e"));
        assert_int_equal(e.number, is_open != 0 ? 9 : 1);
        assert_int_equal(e.raw.len, is_open != 0 ? 0 : 1);
        int count = 0;
        struct str key;
        struct view item;
        for (struct view_items items = {.of = view_field(&root, STR("r"))}; view_next(&items, &key, &item);) {
            count++;
        }
        assert_int_equal(count, is_open != 0 ? 5 : 2);
        struct view map = view_field(&root, STR("m"));
        assert_int_equal(view_field(&map, STR("5")).kind, VIEW_ENUM);
        assert_int_equal(view_field(&map, STR("6")).kind, is_open != 0 ? VIEW_ENUM : VIEW_NONE);
        program_unref(p);
        schema_unref(s);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    struct schema *s =
        must_schema(P3 "message M{int32 a=1;optional int32 b=2;string c=3;E e=4;M m=5;repeated int32 r=6;}"
                       "enum E{ZERO=0;}");
    struct program *p = must_compile(s, NULL, 0);
    struct view root = view_root(p, (struct bytes){NULL, 0});
    assert_int_equal(program_check(p, (struct bytes){NULL, 0}, NULL), ERR_OK);
    assert_int_equal(view_field(&root, STR("a")).kind, VIEW_INT);
    assert_int_equal(view_field(&root, STR("b")).kind, VIEW_NONE);
    assert_int_equal(view_field(&root, STR("c")).kind, VIEW_STRING);
    struct view e = view_field(&root, STR("e"));
    assert_true(e.kind == VIEW_ENUM && bytes_equal(e.raw, bytes_of("ZERO", 4)));
    assert_int_equal(view_field(&root, STR("m")).kind, VIEW_NONE);
    assert_int_equal(view_field(&root, STR("r")).kind, VIEW_LIST);
    program_unref(p);
    schema_unref(s);
}

// Numbers of Confluent's types, as their clients write them.
static void test_confluent_types(void **state)
{
    (void)state;
    struct schema *s =
        must_schema(P3 "import \"confluent/type/decimal.proto\";import \"confluent/meta.proto\";"
                       "message M{confluent.type.Decimal d=1;confluent.Meta m=2;}");
    struct program *p = must_compile(s, NULL, 0);
    uint8_t bytes[64];
    size_t len = from_hex("0a 08 0a 02 04 d2 10 04 18 02  12 0a 0a 01 64 22 05 1a 03 61 3e 62", bytes);
    struct bytes payload = {bytes, len};
    assert_int_equal(program_check(p, payload, NULL), ERR_OK);
    struct view root = view_root(p, payload);
    struct view decimal = view_field(&root, STR("d"));
    assert_int_equal(view_field(&decimal, STR("precision")).number, 4);
    assert_int_equal(view_field(&decimal, STR("scale")).number, 2);
    struct view meta = view_field(&root, STR("m"));
    struct view_items rules = {.of = view_field(&meta, STR("rules"))};
    struct str key;
    struct view rule;
    assert_true(view_next(&rules, &key, &rule));
    struct view expr = view_field(&rule, STR("expr"));
    assert_true(bytes_equal(expr.raw, bytes_of("a>b", 3)));
    program_unref(p);
    schema_unref(s);
}

// Messages within each other, built from the inside, at the end of `out`.
static struct bytes nest(uint8_t *out, size_t size, int depth)
{
    size_t begin = size;
    for (int i = 0; i < depth; i++) {
        size_t len = size - begin;
        if (len >= 0x80) {
            out[--begin] = (uint8_t)(len >> 7);
        }
        out[--begin] = (uint8_t)(len >= 0x80 ? (len & 0x7f) | 0x80 : len);
        out[--begin] = 0x0a;
    }
    return (struct bytes){out + begin, size - begin};
}

// As deep as may be, and one deeper; groups that only begin, known and unknown.
static void test_depth(void **state)
{
    (void)state;
    struct schema *s = must_schema("edition=\"2023\";message M{M m=1;"
                                   "M d=2[features.message_encoding=DELIMITED];}");
    struct program *p = must_compile(s, NULL, 0);
    static uint8_t bytes[1 << 20];
    struct program_fault fault;
    assert_int_equal(program_check(p, nest(bytes, 4096, PAYLOAD_DEPTH_MAX), &fault), ERR_OK);
    assert_int_equal(program_check(p, nest(bytes, 4096, PAYLOAD_DEPTH_MAX + 1), &fault), ERR_INVALID_RECORD);
    assert_string_equal(fault.text, "nested deeper than 128");
    for (int unknown = 0; unknown <= 1; unknown++) {
        memset(bytes, unknown != 0 ? 0x1b : 0x13, sizeof bytes); // field 3 or 2 begins a group
        assert_int_equal(program_check(p, (struct bytes){bytes, sizeof bytes}, &fault), ERR_INVALID_RECORD);
        assert_string_equal(fault.text, "nested deeper than 128");
    }
    program_unref(p);
    schema_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),    cmocka_unit_test(test_utf8_by_syntax),
        cmocka_unit_test(test_editions), cmocka_unit_test(test_root),
        cmocka_unit_test(test_views),    cmocka_unit_test(test_unknown_enum_values),
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_confluent_types),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
