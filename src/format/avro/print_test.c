// SPDX-License-Identifier: Apache-2.0
// Canonical text byte for byte: ids depend on it. Each expectation follows from how Apache Avro 1.12 for Java
// and Jackson print.
#include "format/avro/avro_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct schema *parse(const char *text, const struct schema_reference *references, size_t count)
{
    struct schema *schema = NULL;
    struct error e = {0};
    struct schema_source source = {
        .format = FORMAT_AVRO, .text = str_from_c(text), .references = references, .reference_count = count};
    if (schema_create(&source, &schema, &e) != ERR_OK) {
        fail_msg("%s: %s", text, e.text);
    }
    return schema;
}

static void expect_form(const struct schema *schema, enum schema_form form, const char *wanted)
{
    struct buf out;
    struct error e = {0};
    buf_init(&out, 1 << 20);
    assert_int_equal(schema_print(schema, form, &out, &e), ERR_OK);
    buf_u8(&out, 0);
    assert_string_equal((const char *)out.ptr, wanted);
    buf_fini(&out);
}

static void expect(const char *text, enum schema_form form, const char *wanted)
{
    struct schema *schema = parse(text, NULL, 0);
    expect_form(schema, form, wanted);
    schema_unref(schema);
    if (form == SCHEMA_CANONICAL) { // what is canonical stays so
        schema = parse(wanted, NULL, 0);
        expect_form(schema, form, wanted);
        schema_unref(schema);
    }
}

static void test_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *wanted;
    } rows[] = {
        {"{\"type\":\"string\"}", "\"string\""},
        {"{\"doc\":\"x\",\"type\":\"string\"}", "\"string\""},
        {"{\"avro.java.string\":\"String\",\"type\":\"string\"}",
         "{\"type\":\"string\",\"avro.java.string\":\"String\"}"},
        {"[ \"null\" , {\"type\":\"int\"} ]", "[\"null\",\"int\"]"},
        {"{\"items\":\"int\",\"default\":[],\"type\":\"array\"}",
         "{\"type\":\"array\",\"items\":\"int\",\"default\":[]}"},
        // Member order, namespaces, docs, orders, aliases, props.
        {"{\"fields\":[{\"doc\":\"d\",\"type\":\"int\",\"x\":1,\"default\":1,\"aliases\":[\"g\",\"g\"],"
         "\"name\":\"f\","
         "\"order\":\"IGNORE\"},{\"name\":\"h\",\"type\":\"long\",\"order\":\"ascending\",\"doc\":7}],\"z\":["
         "1 , 2],"
         "\"doc\":\"\",\"name\":\"a.b.R\",\"aliases\":[\"S\",\"c.T\",\".U\"],\"type\":\"record\",\"y\":null}",
         "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a.b\",\"doc\":\"\",\"fields\":[{\"name\":\"f\","
         "\"type\":"
         "\"int\",\"doc\":\"d\",\"default\":1,\"order\":\"ignore\",\"aliases\":[\"g\"],\"x\":1},{\"name\":"
         "\"h\",\"type\":"
         "\"long\"}],\"z\":[1,2],\"y\":null,\"aliases\":[\"S\",\"c.T\",\"U\"]}"},
        {"{\"type\":\"error\",\"name\":\"E\",\"fields\":[]}",
         "{\"type\":\"error\",\"name\":\"E\",\"fields\":[]}"},
        {"{\"type\":\"enum\",\"symbols\":[\"A\"],\"name\":\"E\",\"doc\":\"d\",\"default\":\"A\",\"p\":1}",
         "{\"type\":\"enum\",\"name\":\"E\",\"doc\":\"d\",\"symbols\":[\"A\"],\"default\":\"A\",\"p\":1}"},
        {"{\"logicalType\":\"decimal\",\"scale\":2,\"precision\":4,\"type\":\"fixed\",\"size\":8,\"name\":"
         "\"F\"}",
         "{\"type\":\"fixed\",\"name\":\"F\",\"size\":8,\"logicalType\":\"decimal\",\"scale\":2,"
         "\"precision\":4}"},
        // A type of no namespace inside one that has one, and one called as a type of Avro's.
        {"{\"type\":\"record\",\"name\":\"n.R\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"fixed\","
         "\"name\":\"F\","
         "\"namespace\":\"\",\"size\":1}},{\"name\":\"b\",\"type\":\"F\"},{\"name\":\"c\",\"type\":{\"type\":"
         "\"enum\","
         "\"name\":\"map\",\"symbols\":[]}},{\"name\":\"d\",\"type\":\"n.map\"},{\"name\":\"e\",\"type\":["
         "\"null\",\"R\"]}]}",
         "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"n\",\"fields\":[{\"name\":\"a\",\"type\":{"
         "\"type\":\"fixed\","
         "\"name\":\"F\",\"namespace\":\"\",\"size\":1}},{\"name\":\"b\",\"type\":\"F\"},{\"name\":\"c\","
         "\"type\":{\"type\":"
         "\"enum\",\"name\":\"map\",\"symbols\":[]}},{\"name\":\"d\",\"type\":\"n.map\"},{\"name\":\"e\","
         "\"type\":[\"null\","
         "\"R\"]}]}"},
        // A name before its type: the definition moves to where it is first needed.
        {"{\"type\":\"record\",\"name\":\"n.A\",\"fields\":[{\"name\":\"b\",\"type\":\"B\"},{\"name\":\"c\","
         "\"type\":{"
         "\"type\":\"fixed\",\"name\":\"B\",\"size\":0}}]}",
         "{\"type\":\"record\",\"name\":\"A\",\"namespace\":\"n\",\"fields\":[{\"name\":\"b\",\"type\":{"
         "\"type\":\"fixed\","
         "\"name\":\"B\",\"size\":0}},{\"name\":\"c\",\"type\":\"B\"}]}"},
        // Escapes, and members that come twice.
        {"{\"type\":\"int\",\"a\":\"\\u00e9\\u001f\\/\\\"\\n\",\"b\":1,\"a\":{\"k\":\"\\\\\"}}",
         "{\"type\":\"int\",\"a\":{\"k\":\"\\\\\"},\"b\":1}"},
        {"{\"type\":\"int\",\"a\":\"\\u00e9\\u001f\\/\\\"\\n\"}",
         "{\"type\":\"int\",\"a\":\"\xc3\xa9\\u001F/\\\"\\n\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect(rows[i].text, SCHEMA_CANONICAL, rows[i].wanted);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"0", "0"},
        {"-0", "0"},
        {"12345678901234567890123", "12345678901234567890123"},
        {"1.10", "1.1"},
        {"1e2", "100.0"},
        {"-0.0", "-0.0"},
        {"1E7", "1.0E7"},
        {"9999999.0", "9999999.0"},
        {"12345678.9", "1.23456789E7"},
        {"0.001", "0.001"},
        {"0.0001", "1.0E-4"},
        {"0.00123", "0.00123"},
        {"1e400", "\"Infinity\""},
        {"0.1", "0.1"},
        {"123456.75", "123456.75"},
        {"4.9e-324", "4.9E-324"},
        {"1.7976931348623157e308", "1.7976931348623157E308"},
        {"100", "100"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        char wanted[200];
        snprintf(text, sizeof text, "{\"type\":\"int\",\"n\":[%s]}", rows[i][0]);
        snprintf(wanted, sizeof wanted, "{\"type\":\"int\",\"n\":[%s]}", rows[i][1]);
        struct schema *schema = parse(text, NULL, 0);
        expect_form(schema, SCHEMA_CANONICAL, wanted);
        schema_unref(schema);
    }
    expect("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"double\",\"default\":"
           "\"-Infinity\"},"
           "{\"name\":\"b\",\"type\":\"float\",\"default\":\"1.50\"},{\"name\":\"c\",\"type\":\"double\","
           "\"default\":0}]}",
           SCHEMA_CANONICAL,
           "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"double\",\"default\":"
           "\"-Infinity\"},"
           "{\"name\":\"b\",\"type\":\"float\",\"default\":1.5},{\"name\":\"c\",\"type\":\"double\","
           "\"default\":0}]}");
}

static void test_normal(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *wanted;
    } rows[] = {
        {"{\"type\":\"string\",\"b\":{\"z\":1,\"y\":2},\"a\":1}",
         "{\"type\":\"string\",\"a\":1,\"b\":{\"y\":2,\"z\":1}}"},
        {"{\"type\":\"bytes\",\"a\":1,\"scale\":2,\"precision\":4,\"logicalType\":\"decimal\"}",
         "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2,\"a\":1}"},
        {"{\"type\":\"bytes\",\"a\":1,\"scale\":0,\"precision\":4,\"logicalType\":\"decimal\"}",
         "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"a\":1,\"scale\":0}"},
        {"{\"type\":\"bytes\",\"scale\":9,\"a\":1,\"precision\":4,\"logicalType\":\"decimal\"}",
         "{\"type\":\"bytes\",\"a\":1,\"logicalType\":\"decimal\",\"precision\":4,\"scale\":9}"},
        {"{\"type\":\"error\",\"name\":\"n.E\",\"doc\":\"\",\"aliases\":[\"z.B\",\"A\"],\"fields\":[{"
         "\"name\":\"f\","
         "\"type\":\"double\",\"default\":0,\"aliases\":[\"b\",\"a\"],\"doc\":\"\"}]}",
         "{\"type\":\"record\",\"name\":\"E\",\"namespace\":\"n\",\"fields\":[{\"name\":\"f\",\"type\":"
         "\"double\",\"doc\":"
         "\"\",\"default\":0.0,\"aliases\":[\"a\",\"b\"]}],\"aliases\":[\"A\",\"z.B\"]}"},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\",\"type\":[\"float\",\"null\"],"
         "\"default\":"
         "0.1234567891},{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"double\"},\"default\":{\"b\":"
         "1,\"a\":2}}]}",
         "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\",\"type\":[\"float\",\"null\"],"
         "\"default\":"
         "0.12345679},{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"double\"},\"default\":{\"a\":2."
         "0,\"b\":1.0}}]}"},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\",\"type\":[\"null\",\"double\"],"
         "\"default\":1}]}",
         "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\",\"type\":[\"null\",\"double\"],"
         "\"default\":1}]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect(rows[i].text, SCHEMA_NORMAL, rows[i].wanted);
        struct schema *again = parse(rows[i].wanted, NULL, 0);
        expect_form(again, SCHEMA_NORMAL, rows[i].wanted);
        expect_form(again, SCHEMA_CANONICAL, rows[i].wanted);
        schema_unref(again);
    }
}

static void test_parsing_form(void **state)
{
    (void)state;
    expect("{\"type\":\"error\",\"name\":\"n.R\",\"doc\":\"d\",\"fields\":[{\"name\":\"a\",\"default\":null,"
           "\"type\":["
           "\"null\",\"R\"]},{\"name\":\"b\",\"type\":{\"type\":\"array\",\"p\":1,\"items\":{\"type\":"
           "\"string\","
           "\"logicalType\":\"uuid\"}}},{\"name\":\"c\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":"
           "4}},"
           "{\"name\":\"d\",\"type\":\"n.F\"}]}",
           SCHEMA_PARSING_FORM,
           "{\"name\":\"n.R\",\"type\":\"record\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\",\"n.R\"]},{"
           "\"name\":\"b\","
           "\"type\":{\"type\":\"array\",\"items\":\"string\"}},{\"name\":\"c\",\"type\":{\"name\":\"n.F\","
           "\"type\":\"fixed\","
           "\"size\":4}},{\"name\":\"d\",\"type\":\"n.F\"}]}");
}

// An alias of no namespace is printed as Java prints it, bare, and read again as one of the type's namespace:
// the one place where normal text is not the same a second time.
static void test_bare_alias(void **state)
{
    (void)state;
    expect("{\"type\":\"fixed\",\"name\":\"n.F\",\"size\":1,\"aliases\":[\"A\",\".B\"]}", SCHEMA_NORMAL,
           "{\"type\":\"fixed\",\"name\":\"F\",\"namespace\":\"n\",\"size\":1,\"aliases\":[\"B\",\"A\"]}");
}

static void test_references(void **state)
{
    (void)state;
    struct schema *money =
        parse("{\"type\":\"record\",\"name\":\"pay.Money\",\"fields\":[{\"name\":\"unit\",\"type\":{"
              "\"type\":\"enum\",\"name\":\"Unit\",\"symbols\":[\"EUR\"]}}]}",
              NULL, 0);
    struct schema_reference to_money = {STR("pay.Money"), money};
    struct schema *item =
        parse("{\"type\":\"record\",\"name\":\"pay.Item\",\"fields\":[{\"name\":\"price\",\"type\":"
              "\"Money\"}]}",
              &to_money, 1);
    expect_form(item, SCHEMA_CANONICAL,
                "{\"type\":\"record\",\"name\":\"Item\",\"namespace\":\"pay\",\"fields\":[{\"name\":"
                "\"price\",\"type\":"
                "\"Money\"}]}");
    expect_form(
        item, SCHEMA_RESOLVED,
        "{\"type\":\"record\",\"name\":\"Item\",\"namespace\":\"pay\",\"fields\":[{\"name\":\"price\","
        "\"type\":{"
        "\"type\":\"record\",\"name\":\"Money\",\"fields\":[{\"name\":\"unit\",\"type\":{\"type\":\"enum\","
        "\"name\":\"Unit\",\"symbols\":[\"EUR\"]}}]}}]}");
    // Types of references of references are known; of a reference, only the outermost type keeps to its name.
    struct schema_reference to_item = {STR("pay.Item"), item};
    struct schema *order =
        parse("{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"items\",\"type\":{\"type\":"
              "\"array\",\"items\":\"pay.Item\"}},{\"name\":\"total\",\"type\":\"pay.Money\"},{\"name\":"
              "\"unit\",\"type\":\"pay.Unit\"}]}",
              &to_item, 1);
    static const char wanted[] = "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"items\","
                                 "\"type\":{\"type\":\"array\",\"items\":"
                                 "\"pay.Item\"}},{\"name\":\"total\",\"type\":\"pay.Money\"},{\"name\":"
                                 "\"unit\",\"type\":{\"type\":\"enum\",\"name\":"
                                 "\"Unit\",\"namespace\":\"pay\",\"symbols\":[\"EUR\"]}}]}";
    expect_form(order, SCHEMA_CANONICAL, wanted);
    struct schema *again = parse(wanted, &to_item, 1); // defines pay.Unit once more, and equally
    expect_form(again, SCHEMA_CANONICAL, wanted);
    schema_unref(again);
    schema_unref(order);

    struct schema *other = parse("{\"type\":\"fixed\",\"name\":\"pay.Money\",\"size\":8}", NULL, 0);
    struct schema_reference both[] = {{STR("pay.Money"), money}, {STR("pay.Money"), other}};
    struct schema_source source = {
        .format = FORMAT_AVRO, .text = STR("\"int\""), .references = both, .reference_count = 2};
    struct error e = {0};
    struct schema *refused = NULL;
    assert_int_equal(schema_create(&source, &refused, &e), ERR_INVALID_SCHEMA);
    assert_non_null(strstr(e.text, "two references define 'pay.Money'"));
    schema_unref(other);
    schema_unref(item);
    schema_unref(money);
}

static void test_name(void **state)
{
    (void)state;
    struct schema *schema = parse("{\"type\":\"record\",\"name\":\"a.b.R\",\"fields\":[]}", NULL, 0);
    assert_true(str_equal(schema_name(schema), STR("a.b.R")));
    assert_true(schema_memory(schema) > 0);
    schema_unref(schema);
    schema = parse("{\"type\":\"fixed\",\"name\":\"a.b.F\",\"size\":1}", NULL, 0);
    assert_null(schema_name(schema).ptr);
    schema_unref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical),  cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_normal),     cmocka_unit_test(test_references),
        cmocka_unit_test(test_bare_alias), cmocka_unit_test(test_parsing_form),
        cmocka_unit_test(test_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
