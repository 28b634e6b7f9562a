// SPDX-License-Identifier: Apache-2.0
// message_test.c - Protobuf messages in expressions: those of payloads, also hostile ones, and those that are
// built.
#include "cel/expression_test.h"

#include "base/mem.h"

static const char schema_text[] =
    "syntax=\"proto3\"; package t; import \"google/protobuf/any.proto\"; import "
    "\"google/protobuf/struct.proto\";"
    "import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/duration.proto\";"
    "import \"google/protobuf/wrappers.proto\";"
    "import \"confluent/type/decimal.proto\"; import \"confluent/type/variant.proto\";"
    "message M { google.protobuf.Any any = 1; google.protobuf.Struct st = 2; google.protobuf.Timestamp time "
    "= 3;"
    " google.protobuf.Int32Value w = 4; M inner = 5; map<int32, string> names = 6; optional int32 o = 7; "
    "int32 i = 8;"
    " google.protobuf.Duration d = 9; google.protobuf.Value v = 10; repeated E es = 11; E e = 12; float f = "
    "13; uint32 u = 14;"
    " confluent.type.Decimal amount = 15; confluent.type.Variant variant = 16; }"
    "enum E { ZERO = 0; ONE = 1; }";

static struct schema *schema;
static struct program *program_of_m;
static struct cel_types *types;

static int set_up(void **state)
{
    (void)state;
    struct schema_source source = {.format = FORMAT_PROTOBUF, .text = STR(schema_text), .is_new = true};
    struct error e = {0};
    assert_int_equal(schema_create(&source, &schema, &e), ERR_OK);
    assert_int_equal(program_create(schema, NULL, 0, &program_of_m, &e), ERR_OK);
    const struct schema *schemas[] = {schema, schema}; // the same names twice
    assert_int_equal(cel_types_create(schemas, 2, &types, &e), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cel_types_destroy(types);
    program_unref(program_of_m);
    schema_unref(schema);
    return 0;
}

static void check_rows(struct bytes payload, const struct expression_row *rows, size_t count)
{
    struct cel_variable variable = {.name = STR("m"), .of = CEL_OF_SCHEMA, .program = program_of_m};
    struct cel_source source = {
        .variables = &variable,
        .variable_count = 1,
        .has_unsigned = true,
        .container = STR("t"),
        .types = types,
    };
    assert_int_equal(program_check(program_of_m, payload, NULL), ERR_OK);
    struct view view = view_root(program_of_m, payload);
    struct cel_value m = cel_view(&view);
    expression_check(&source, &m, rows, count);
}
#define CHECK(payload, rows) check_rows((payload), rows, sizeof(rows) / sizeof((rows)[0]))

static void test_absent(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"m.any", "null"},
        {"m.st", "{}"},
        {"m.time", "timestamp(\"1970-01-01T00:00:00Z\")"},
        {"m.d", "duration(\"0s\")"},
        {"m.w", "null"},
        {"m.v", "null"},
        {"m.inner.inner.i", "0"},
        {"m.names.size() + m.es.size()", "0"},
        {"has(m.o) || has(m.i) || has(m.inner) || has(m.names) || has(m.es) || has(m.w) || has(m.any)",
         "false"},
        {"m == M{}", "true"},
        {"m.inner == m", "true"}, // a default is a message without fields
        {"m.e == E.ZERO", "true"},
        {"type(m) == t.M", "true"},
    };
    CHECK(bytes_of("", 0), rows);
}

static void test_present(void **state)
{
    (void)state;
    // w {0}, inner {i 5}, names {1: "a"}, o 0, es [ONE, 7], f 0.5, u 3, v "x", time -1.5 s
    static const char payload[] =
        "\x22\x00\x2a\x02\x40\x05\x32\x05\x08\x01\x12\x01\x61\x38\x00\x5a\x02\x01\x07\x6d\x00\x00\x00\x3f"
        "\x70\x03\x52\x03\x1a\x01x\x1a\x11\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x80\xca\xb5\xee"
        "\x01";
    static const struct expression_row rows[] = {
        {"m.w", "0"},
        {"has(m.w) && has(m.o) && has(m.inner) && has(m.names) && has(m.es) && !has(m.i)", "true"},
        {"m.names[1]", "\"a\""},
        {"m.es", "[1, 7]"},
        {"m.u", "3u"},
        {"m.v", "\"x\""},
        {"m.time", "timestamp(\"1969-12-31T23:59:58.500Z\")"},
        {"m == M{w: 0, inner: M{i: 5}, names: {1: 'a'}, o: 0, es: [1, 7], f: 0.5, u: 3u, v: 'x', time: "
         "m.time}",
         "true"},
        {"m == M{w: 0, inner: M{i: 6}, names: {1: 'a'}, o: 0, es: [1, 7], f: 0.5, u: 3u, v: 'x', time: "
         "m.time}",
         "false"},
        {"m == M{}", "false"},
        {"m.nothing", "1:3: t.M has no field \"nothing\""},
    };
    CHECK(bytes_of(payload, sizeof payload - 1), rows);
}

static void test_built(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"M{i: 2147483648}", "error: the value does not fit the field"},
        {"M{u: 4294967296u}", "error: the value does not fit the field"},
        {"M{e: 2147483648}", "error: the value does not fit the field"},
        {"M{f: 0.1}.f == 0.1", "false"},
        {"M{w: null} == M{}", "true"},
        {"M{st: {'a': [1, {'b': b'x'}]}}.st", "{\"a\": [1.0, {\"b\": \"eA==\"}]}"},
        {"M{st: dyn({1: 2})}", "error: keys of a Struct are strings"},
        {"M{v: 9007199254740993}.v", "\"9007199254740993\""},
        {"M{v: duration('1.5s')}.v", "\"1.500s\""},
        {"M{v: M{}}", "error: a message cannot become a google.protobuf.Value"},
        {"M{any: M{i: 1}}.any == M{i: 1}", "true"},
        {"M{inner: M{i: 1}}.inner.i", "1"},
        {"M{names: {1: 'a'}}.names[1]", "\"a\""},
        {"google.protobuf.Timestamp{seconds: 1, nanos: 1000000000}", "error: nanos are out of range"},
        {"google.protobuf.Timestamp{seconds: 253402300800}", "error: seconds are out of range"},
        {"google.protobuf.Duration{seconds: 0, nanos: -500000000}", "duration(\"-0.500s\")"},
        {"google.protobuf.Any{type_url: 'x/t.M', value: b'\\x40\\x05'} == M{i: 5}", "true"},
        {"google.protobuf.Any{type_url: 'x/t.Nothing', value: b''}",
         "error: an Any of a type that is not known"},
        {"google.protobuf.Any{type_url: 't.M', value: b''}", "error: an Any of a type that is not known"},
        {"google.protobuf.Any{type_url: 'x/t.M', value: b'\\x40'}",
         "error: an Any whose bytes are not of its type"},
        {"google.protobuf.BoolValue{}", "false"},
        {"M{amount: confluent.type.Decimal{value: b'\\x30\\x39', scale: 2}}.amount == "
         "confluent.type.Decimal{value: b'\\x01\\xe2\\x3a', precision: 5u, scale: 3}",
         "true"},
        {"string(decimals.add(confluent.type.Decimal{value: b'\\x0f', scale: 1}, decimal('1')))", "\"2.5\""},
        {"string(m.amount)", "\"0\""},
        {"decimals.sign(m)", "error: this function takes decimals: decimal(x)"},
        {"variants.as(variant(confluent.type.Variant{metadata: b'\\x01\\x00\\x00', value: b'\\x0c\\x05'}), "
         "'int')",
         "5"},
        {"variant(m.variant)", "error: bytes that are no variant"},
    };
    CHECK(bytes_of("", 0), rows);
}

// An Any in an Any, in an Any ...: what comes out of each is looked through, and paid for.
static void test_hostile_any(void **state)
{
    (void)state;
    static const char type_url[] = "\x0a\x15x/google.protobuf.Any";
    enum { LEVELS = 20000, HEAD = sizeof type_url - 1, LEVEL_MAX = HEAD + 6 };
    uint8_t *bytes = mem_alloc((LEVELS + 1) * LEVEL_MAX);
    uint8_t *end = bytes + (size_t)(LEVELS + 1) * LEVEL_MAX;
    uint8_t *at = end;
    for (int i = 0; i <= LEVELS; i++) { // from the inside
        uint8_t length[5];
        size_t count = 0;
        for (size_t len = (size_t)(end - at); count == 0 || len > 0; len >>= 7) {
            length[count++] = (uint8_t)((len & 0x7f) | (len > 0x7f ? 0x80 : 0));
        }
        at -= count;
        memcpy(at, length, count);
        *--at = i == LEVELS ? 0x0a : 0x12; // the outermost one is the field of M
        if (i < LEVELS) {
            at -= HEAD;
            memcpy(at, type_url, HEAD);
        }
    }
    static const struct expression_row deep[] = {
        {"m.any == m", EXPRESSION_OVER},
    };
    CHECK(bytes_of(at, (size_t)(end - at)), deep);
    static const struct expression_row empty[] = {
        {"m.any == null", "error: an Any of a type that is not known"},
    };
    CHECK(bytes_of("\x0a\x00", 2), empty);
    mem_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_present),
        cmocka_unit_test(test_built),
        cmocka_unit_test(test_hostile_any),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
