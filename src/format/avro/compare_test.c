// SPDX-License-Identifier: Apache-2.0
// Compatibility: kinds, places and words as the registries of others have them.
#include "format/avro/avro_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct schema *parse(const char *text)
{
    struct schema *schema = NULL;
    struct error e = {0};
    struct schema_source source = {.format = FORMAT_AVRO, .text = str_from_c(text)};
    if (schema_create(&source, &schema, &e) != ERR_OK) {
        fail_msg("%s: %s", text, e.text);
    }
    return schema;
}

#define REC(fields)         "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define F(name, type)       "{\"name\":\"" name "\",\"type\":" type "}"
#define FD(name, type, def) "{\"name\":\"" name "\",\"type\":" type ",\"default\":" def "}"
#define ARR(items)          "{\"type\":\"array\",\"items\":" items "}"
#define MAP(values)         "{\"type\":\"map\",\"values\":" values "}"
#define ENUM(rest)          "{\"type\":\"enum\",\"name\":\"E\"," rest "}"
#define FIX(rest)           "{\"type\":\"fixed\",\"name\":\"X\"," rest "}"
#define INT                 "\"int\""
#define STRING              "\"string\""

// differences: "KIND path info" lines; "" is compatible.
static const struct {
    const char *reader;
    const char *writer;
    const char *differences;
} rows[] = {
    {INT, INT, ""},
    {INT, STRING, "TYPE_MISMATCH / reader type: INT not compatible with writer type: STRING\n"},
    {"\"long\"", INT, ""},
    {INT, "\"long\"", "TYPE_MISMATCH / reader type: INT not compatible with writer type: LONG\n"},
    {"\"float\"", "\"long\"", ""},
    {"\"double\"", "\"float\"", ""},
    {"\"float\"", "\"double\"",
     "TYPE_MISMATCH / reader type: FLOAT not compatible with writer type: DOUBLE\n"},
    {STRING, "\"bytes\"", ""},
    {"\"bytes\"", STRING, ""},
    {"{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "\"long\"", ""},
    {ARR("\"long\""), ARR(INT), ""},
    {ARR(INT), ARR(STRING),
     "TYPE_MISMATCH /items reader type: INT not compatible with writer type: STRING\n"},
    {MAP(INT), MAP(STRING),
     "TYPE_MISMATCH /values reader type: INT not compatible with writer type: STRING\n"},
    {MAP(INT), ARR(INT), "TYPE_MISMATCH / reader type: MAP not compatible with writer type: ARRAY\n"},
    // Records.
    {REC(F("a", INT)), REC(F("a", INT) "," F("b", INT)), ""},
    {REC(F("a", INT) "," F("f2", STRING)), REC(F("a", INT)),
     "READER_FIELD_MISSING_DEFAULT_VALUE /fields/1 f2\n"},
    {REC(F("a", INT) "," FD("f2", STRING, "\"x\"")), REC(F("a", INT)), ""},
    {REC("{\"name\":\"b\",\"aliases\":[\"a\"],\"type\":\"int\"}"), REC(F("a", INT)), ""},
    {REC("{\"name\":\"b\",\"aliases\":[\"a\"],\"type\":\"int\"}"), REC(F("a", INT) "," F("b", INT)),
     "NAME_MISMATCH /fields/0 b\n"},
    {REC(F("a", INT) "," F("b", STRING)), REC(F("b", INT) "," F("a", STRING)),
     "TYPE_MISMATCH /fields/0/type reader type: INT not compatible with writer type: STRING\n"
     "TYPE_MISMATCH /fields/1/type reader type: STRING not compatible with writer type: INT\n"},
    {REC(""), "{\"type\":\"record\",\"name\":\"n.R\",\"fields\":[]}", ""},
    {REC(""), "{\"type\":\"record\",\"name\":\"n.S\",\"fields\":[]}", "NAME_MISMATCH /name expected: n.S\n"},
    {"{\"type\":\"record\",\"name\":\"R\",\"aliases\":[\"n.S\"],\"fields\":[]}",
     "{\"type\":\"record\",\"name\":\"n.S\",\"fields\":[]}", ""},
    {REC(F("e", ENUM("\"symbols\":[\"A\"],\"default\":\"A\""))), REC(""),
     "TYPE_MISMATCH /fields/0/type reader type: ENUM not compatible with writer type: RECORD\n"},
    // Enums and fixed.
    {ENUM("\"symbols\":[\"A\",\"B\"]"), ENUM("\"symbols\":[\"B\"]"), ""},
    {ENUM("\"symbols\":[\"A\"]"), ENUM("\"symbols\":[\"C\",\"A\",\"B\"]"),
     "MISSING_ENUM_SYMBOLS /symbols [B, C]\n"},
    {ENUM("\"symbols\":[\"A\"],\"default\":\"A\""), ENUM("\"symbols\":[\"C\",\"B\"]"), ""},
    {FIX("\"size\":2"), FIX("\"size\":2"), ""},
    {FIX("\"size\":2"), FIX("\"size\":3"), "FIXED_SIZE_MISMATCH /size expected: 3, found: 2\n"},
    // Unions.
    {"[\"null\",\"int\"]", INT, ""},
    {"[\"null\",\"long\"]", INT, ""},
    {"[\"null\",\"int\"]", STRING, "MISSING_UNION_BRANCH / reader union lacking writer type: STRING\n"},
    {INT, "[\"int\"]", ""},
    {"\"long\"", "[\"int\",\"null\"]",
     "TYPE_MISMATCH /1 reader type: LONG not compatible with writer type: NULL\n"},
    {"[\"int\"]", "[\"null\",\"int\",\"string\"]",
     "MISSING_UNION_BRANCH /0 reader union lacking writer type: NULL\n"
     "MISSING_UNION_BRANCH /2 reader union lacking writer type: STRING\n"},
    {INT, "[]", ""},
    // A type that is met twice is told of once; one that a union has tried in vain, where it stands alone.
    {REC(F("a", FIX("\"size\":1")) "," F("b", "\"X\"")), REC(F("a", FIX("\"size\":2")) "," F("b", "\"X\"")),
     "FIXED_SIZE_MISMATCH /fields/0/type/size expected: 2, found: 1\n"},
    {REC(F("a", "[" FIX("\"size\":1") "]") "," F("b", "\"X\"")),
     REC(F("a", "[" FIX("\"size\":2") "]") "," F("b", "\"X\"")),
     "MISSING_UNION_BRANCH /fields/0/type/0 reader union lacking writer type: FIXED\n"
     "FIXED_SIZE_MISMATCH /fields/1/type/size expected: 2, found: 1\n"},
    // Recursion.
    {REC(F("n", "[\"null\",\"R\"]") "," F("v", "\"long\"")), REC(F("n", "[\"null\",\"R\"]") "," F("v", INT)),
     ""},
    {REC(F("n", ARR("\"R\"")) "," F("v", INT)), REC(F("n", ARR("\"R\"")) "," F("v", STRING)),
     "TYPE_MISMATCH /fields/1/type reader type: INT not compatible with writer type: STRING\n"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena;
        arena_init(&arena, 1 << 20);
        struct compat_report report = {.arena = &arena};
        struct schema *reader = parse(rows[i].reader);
        struct schema *writer = parse(rows[i].writer);
        struct error e = {0};
        assert_int_equal(schema_compare(reader, writer, COMPAT_STRICT, &report, &e), ERR_OK);
        struct buf text;
        buf_init(&text, 1 << 20);
        for (size_t d = 0; d < report.count; d++) {
            const struct compat_difference *difference = &report.differences[d];
            buf_printf(&text, "%s " STR_FMT " " STR_FMT "\n", difference->kind, STR_ARG(difference->path),
                       STR_ARG(difference->info));
            assert_true(difference->hint.len > 0 && difference->description.len > 0);
        }
        if (!str_equal(buf_str(&text), str_from_c(rows[i].differences))) {
            fail_msg("row %zu: reader %s writer %s:\n" STR_FMT "wanted\n%s", i, rows[i].reader,
                     rows[i].writer, STR_ARG(buf_str(&text)), rows[i].differences);
        }
        buf_fini(&text);
        schema_unref(reader);
        schema_unref(writer);
        arena_fini(&arena);
    }
}

static void expect_words(bool is_reader_old, const char *reader_text, const char *writer_text,
                         const char *description, const char *hint)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct compat_report report = {.arena = &arena, .is_reader_old = is_reader_old};
    struct schema *reader = parse(reader_text);
    struct schema *writer = parse(writer_text);
    struct error e = {0};
    assert_int_equal(schema_compare(reader, writer, COMPAT_STRICT, &report, &e), ERR_OK);
    assert_int_equal(report.count, 1);
    assert_string_equal(report.differences[0].description.ptr, description);
    assert_string_equal(report.differences[0].hint.ptr, hint);
    schema_unref(reader);
    schema_unref(writer);
    arena_fini(&arena);
}

static void test_words(void **state)
{
    (void)state;
    expect_words(
        false, REC(F("a", INT) "," F("f2", INT)), REC(F("a", INT)),
        "The field 'f2' at path '/fields/1' in the new schema has no default value and is missing in the "
        "old schema",
        "Give the field 'f2' a default value");
    expect_words(
        true, REC(F("f2", INT)), REC(""),
        "The field 'f2' at path '/fields/0' in the old schema has no default value and is missing in the "
        "new schema",
        "Keep the field 'f2': who reads with the old schema needs it");
    expect_words(false, INT, "\"long\"",
                 "The type (path '/') of a field in the new schema does not match with the old schema",
                 "LONG can be read as: LONG, FLOAT, DOUBLE, or a union with one of them");
    expect_words(false, ENUM("\"symbols\":[]"), ENUM("\"symbols\":[\"A\"]"),
                 "The new schema is missing enum symbols '[A]' at path '/symbols' in the old schema",
                 "Keep the symbols, or give the enum a default");
    expect_words(false, REC(""), "{\"type\":\"record\",\"name\":\"n.S\",\"fields\":[]}",
                 "The name of the schema has changed (path '/name')",
                 "Keep the name 'S', or add 'n.S' to the aliases");
    expect_words(false, "[\"null\"]", "[\"null\",\"int\"]",
                 "The new schema is missing a type inside a union field at path '/1' in the old schema",
                 "INT can be read as: INT, LONG, FLOAT, DOUBLE, or a union with one of them");
    expect_words(
        false, FIX("\"size\":1"), FIX("\"size\":2"),
        "The size of FIXED type field at path '/size' in the new schema does not match with the old schema",
        "A fixed keeps its size: a new one wants a field and a name of its own");
}

// Unions of records that hold unions of the same records: all ways through them would be 40^40.
static void test_polynomial(void **state)
{
    (void)state;
    enum { TYPES = 40 };
    struct buf text[2];
    struct schema *schemas[2];
    for (int side = 0; side < 2; side++) {
        buf_init(&text[side], 4 << 20);
        buf_u8(&text[side], '[');
        for (int i = 0; i < TYPES; i++) {
            buf_printf(&text[side],
                       "%s{\"type\":\"record\",\"name\":\"n%d.R\",\"fields\":[{\"name\":\"u\",\"type\":[",
                       i == 0 ? "" : ",", i);
            for (int j = 0; j < TYPES; j++) {
                buf_printf(&text[side], "%s\"n%d.R\"", j == 0 ? "" : ",", j);
            }
            buf_printf(&text[side], "]},{\"name\":\"v\",\"type\":\"%s\"}]}", side == 0 ? "int" : "string");
        }
        buf_u8(&text[side], ']');
        buf_u8(&text[side], 0);
        schemas[side] = parse((const char *)text[side].ptr);
        buf_fini(&text[side]);
    }
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct compat_report report = {.arena = &arena};
    struct error e = {0};
    assert_int_equal(schema_compare(schemas[0], schemas[1], COMPAT_STRICT, &report, &e), ERR_OK);
    assert_int_equal(report.total, TYPES);
    report = (struct compat_report){.arena = &arena};
    assert_int_equal(schema_compare(schemas[0], schemas[0], COMPAT_STRICT, &report, &e), ERR_OK);
    assert_int_equal(report.total, 0);
    schema_unref(schemas[0]);
    schema_unref(schemas[1]);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_polynomial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
