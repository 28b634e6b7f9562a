// SPDX-License-Identifier: Apache-2.0
// What is a schema, and what is said of one that is none.
#include "format/avro/avro_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static enum err create(const char *text, bool is_new, struct schema **ret, struct error *e)
{
    *ret = NULL;
    struct schema_source source = {.format = FORMAT_AVRO, .text = str_from_c(text), .is_new = is_new};
    return schema_create(&source, ret, e);
}

static void test_good(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\"int\"",
        " [ ] ",
        "{\"type\":\"int\"}",
        "/* why */ {\"type\" /* // */ : \"in\\u0074\" // \"\n}",
        "{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\",\"A\"],"
        "\"default\":null}]}",
        // A name before what it names.
        "{\"type\":\"record\",\"name\":\"n.A\",\"fields\":[{\"name\":\"b\",\"type\":\"B\"},"
        "{\"name\":\"c\",\"type\":{\"type\":\"fixed\",\"name\":\"B\",\"size\":0}}]}",
        // A second definition that says the same.
        "[{\"type\":\"array\",\"items\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}},"
        "{\"type\":\"map\",\"values\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":4,\"doc\":\"x\"}}]",
        // A default of any branch, and of a record that leaves a field to its own.
        "{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"u\",\"type\":[\"null\",\"int\"],"
        "\"default\":7},"
        "{\"name\":\"r\",\"type\":{\"type\":\"record\",\"name\":\"B\",\"fields\":[{\"name\":\"x\",\"type\":"
        "\"int\","
        "\"default\":1}]},\"default\":{}}]}",
        "{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"d\",\"type\":\"double\",\"default\":"
        "\"NaN\"},"
        "{\"name\":\"o\",\"type\":\"int\",\"order\":\"Descending\",\"default\":-2147483648}]}",
        "{\"type\":\"error\",\"name\":\"E\",\"fields\":[]}",
        "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"],\"default\":\"B\"}",
        "{\"type\":\"record\",\"name\":\"ns.string\",\"fields\":[]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (int is_new = 0; is_new <= 1; is_new++) {
            struct schema *schema;
            struct error e = {0};
            enum err err = create(texts[i], is_new != 0, &schema, &e);
            if (err != ERR_OK) {
                fail_msg("%s: %s", texts[i], e.text);
            }
            schema_unref(schema);
        }
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error; // a part
    } rows[] = {
        {"", "no JSON"},
        {"int", "no JSON"},
        {"\"int\" \"long\"", "no JSON"},
        {"/* open", "no JSON"},
        {"7", "a type is a name, an object or a union"},
        {"\"Foo\"", "there is no type 'Foo'"},
        {"{\"type\":[\"int\"]}", "no \"type\", or it is no text"},
        {"[\"int\",[\"null\"]]", "/1: a union right inside a union"},
        {"[\"int\",\"null\",\"int\"]", "a second 'int' in the union"},
        {"[{\"type\":\"array\",\"items\":\"int\"},{\"type\":\"array\",\"items\":\"long\"}]",
         "a second 'array'"},
        {"{\"type\":\"array\"}", "an array has \"items\""},
        {"{\"type\":\"map\",\"values\":{\"type\":\"x.Y\"}}", "/values: there is no type 'x.Y'"},
        {"{\"type\":\"record\",\"fields\":[]}", "no \"name\""},
        {"{\"type\":\"record\",\"name\":\"A\"}", "a record has \"fields\""},
        {"{\"type\":\"record\",\"name\":\"A\",\"fields\":[1]}", "/fields/0: a field is an object"},
        {"{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"a\"}]}",
         "the field 'a' has no \"type\""},
        {"{\"type\":\"record\",\"name\":\"A\",\"namespace\":\"n\",\"fields\":[{\"name\":\"a\",\"type\":"
         "\"int\"},"
         "{\"name\":\"b\",\"type\":{\"type\":\"array\",\"items\":\"B\"}}]}",
         "/fields/1/type/items: there is no type 'n.B'"},
        {"{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"a\","
         "\"type\":\"int\"}]}",
         "/fields/1: a second field 'a'"},
        {"{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"a\",\"type\":\"int\",\"order\":\"up\"}]"
         "}",
         "\"order\" is"},
        {"{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"fixed\","
         "\"name\":\"A\","
         "\"size\":1}}]}",
         "'A' is defined a second time"},
        {"[{\"type\":\"fixed\",\"name\":\"F\",\"size\":4},{\"type\":\"array\",\"items\":{\"type\":\"fixed\","
         "\"name\":\"F\",\"size\":5}}]",
         "'F' is defined a second time"},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}", "a fixed has a \"size\""},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":1.0}", "a fixed has a \"size\""},
        {"{\"type\":\"fixed\",\"name\":\"int\",\"size\":1}", "the name of a primitive type"},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}", "a second symbol 'A'"},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[1]}", "/symbols/0: a symbol is a text"},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}",
         "is none of the symbols"},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":1,\"aliases\":\"x\"}", "\"aliases\" is no array"},
        {"{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"a\",\"type\":\"float\",\"default\":"
         "\"x\"}]}",
         "is no number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct schema *schema;
        struct error e = {0};
        enum err err = create(rows[i].text, false, &schema, &e);
        if (err != ERR_INVALID_SCHEMA || e.code != err || strstr(e.text, rows[i].error) == NULL) {
            fail_msg("%s: %d %s, wanted %s", rows[i].text, err, e.text, rows[i].error);
        }
    }
}

// What a new schema may not do, and an old one may.
static void test_new(void **state)
{
    (void)state;
#define FIELD(type, value)                                                                                   \
    "{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"f\",\"type\":" type ",\"default\":" value   \
    "}]}"
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        {"{\"type\":\"fixed\",\"name\":\"a-b\",\"size\":1}", "'a-b' is no name"},
        {"{\"type\":\"fixed\",\"name\":\"1a\",\"size\":1}", "'1a' is no name"},
        {"{\"type\":\"fixed\",\"name\":\"\xc3\xa9\",\"size\":1}", "is no name"},
        {"{\"type\":\"fixed\",\"name\":\"A\",\"namespace\":\"x..y\",\"size\":1}", "a part of the namespace"},
        {"{\"type\":\"fixed\",\"name\":\"A\",\"namespace\":\"x.\",\"size\":1}", "ends with a dot"},
        {"{\"type\":\"enum\",\"name\":\"A\",\"symbols\":[\"x y\"]}", "/symbols/0: the symbol"},
        {"{\"type\":\"fixed\",\"name\":\"A\",\"size\":1,\"aliases\":[\"b!\"]}", "the alias"},
        {"{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"f.g\",\"type\":\"int\"}]}",
         "'f.g' is no name"},
        {FIELD("\"int\"", "1.5"), "the default of the field 'f' of 'A' does not fit its type, int: 1.5"},
        {FIELD("\"int\"", "2147483648"), "does not fit"},
        {FIELD("\"long\"", "9223372036854775808"), "does not fit"},
        {FIELD("\"long\"", "1.0"), "does not fit"},
        {FIELD("\"string\"", "null"), "does not fit"},
        {FIELD("[\"int\",\"null\"]", "\"x\""), "any branch of the union"},
        {FIELD("{\"type\":\"array\",\"items\":\"int\"}", "[1,\"2\"]"), "does not fit"},
        {FIELD("{\"type\":\"map\",\"values\":\"int\"}", "[1]"), "does not fit"},
        {FIELD("{\"type\":\"record\",\"name\":\"B\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}", "{}"),
         "does not fit"},
        {FIELD("\"A\"", "{}"), "does not fit"}, // without end
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct schema *schema;
        struct error e = {0};
        enum err err = create(rows[i].text, true, &schema, &e);
        if (err != ERR_INVALID_SCHEMA || strstr(e.text, rows[i].error) == NULL) {
            fail_msg("%s: %d %s, wanted %s", rows[i].text, err, e.text, rows[i].error);
        }
        if (create(rows[i].text, false, &schema, &e) != ERR_OK) {
            fail_msg("%s, as an old one: %s", rows[i].text, e.text);
        }
        schema_unref(schema);
    }
}

static void test_logical(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum avro_logical logical;
    } rows[] = {
        {"{\"type\":\"int\",\"logicalType\":\"date\"}", AVRO_DATE},
        {"{\"type\":\"long\",\"logicalType\":\"date\"}", AVRO_PLAIN},
        {"{\"type\":\"long\",\"logicalType\":\"local-timestamp-nanos\"}", AVRO_LOCAL_TIMESTAMP_NANOS},
        {"{\"type\":\"string\",\"logicalType\":\"uuid\"}", AVRO_UUID},
        {"{\"type\":\"fixed\",\"name\":\"U\",\"size\":16,\"logicalType\":\"uuid\"}", AVRO_UUID},
        {"{\"type\":\"fixed\",\"name\":\"U\",\"size\":15,\"logicalType\":\"uuid\"}", AVRO_PLAIN},
        {"{\"type\":\"fixed\",\"name\":\"U\",\"size\":12,\"logicalType\":\"duration\"}", AVRO_DURATION},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":4}", AVRO_DECIMAL},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":5}", AVRO_PLAIN},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":\"4\"}", AVRO_PLAIN},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\"}", AVRO_PLAIN},
        {"{\"type\":\"fixed\",\"name\":\"D\",\"size\":4,\"logicalType\":\"decimal\",\"precision\":9}",
         AVRO_DECIMAL},
        {"{\"type\":\"fixed\",\"name\":\"D\",\"size\":4,\"logicalType\":\"decimal\",\"precision\":10}",
         AVRO_PLAIN},
        {"{\"type\":\"bytes\",\"logicalType\":\"big-decimal\"}", AVRO_BIG_DECIMAL},
        {"{\"type\":\"string\",\"logicalType\":\"of-mine\"}", AVRO_PLAIN},
        {"{\"type\":\"string\",\"logicalType\":7}", AVRO_PLAIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct schema *schema;
        struct error e = {0};
        assert_int_equal(create(rows[i].text, true, &schema, &e), ERR_OK);
        if (avro_of(schema)->root->logical != rows[i].logical) {
            fail_msg("%s is %d", rows[i].text, avro_of(schema)->root->logical);
        }
        schema_unref(schema);
    }
}

// Texts that are made to cost: each is answered at once.
static void test_hostile(void **state)
{
    (void)state;
    struct buf text;
    struct schema *schema;
    struct error e = {0};
    buf_init(&text, 2 << 20);
    for (int i = 0; i < 200; i++) {
        buf_append_str(&text, STR("{\"type\":\"array\",\"items\":"));
    }
    buf_append_str(&text, STR("\"int\""));
    for (int i = 0; i < 200; i++) {
        buf_u8(&text, '}');
    }
    buf_u8(&text, 0);
    assert_int_equal(create((const char *)text.ptr, true, &schema, &e), ERR_INVALID_SCHEMA);
    assert_non_null(strstr(e.text, "types nested more than 128 deep"));

    // Flat in the text, but each type leads to the next.
    buf_reset(&text);
    buf_u8(&text, '[');
    for (int i = 0; i < 3000; i++) {
        buf_printf(&text,
                   "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"n\",\"type\":\"R%d\"}]},",
                   i, i + 1);
    }
    buf_append_str(&text, STR("{\"type\":\"record\",\"name\":\"R3000\",\"fields\":[]}]"));
    buf_u8(&text, 0);
    assert_int_equal(create((const char *)text.ptr, true, &schema, &e), ERR_INVALID_SCHEMA);

    // Unions of records in defaults: 2^100 ways to fail.
    buf_reset(&text);
    buf_append_str(&text, STR("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\",\"type\":["));
    for (int i = 0; i < 2; i++) {
        buf_printf(
            &text,
            "%s{\"type\":\"record\",\"name\":\"U%d\",\"fields\":[{\"name\":\"f\",\"type\":[\"U0\",\"U1\"]}]}",
            i == 0 ? "" : ",", i);
    }
    buf_append_str(&text, STR("],\"default\":"));
    for (int i = 0; i < 100; i++) {
        buf_append_str(&text, STR("{\"f\":"));
    }
    buf_u8(&text, '7');
    for (int i = 0; i < 100; i++) {
        buf_u8(&text, '}');
    }
    buf_append_str(&text, STR("}]}"));
    buf_u8(&text, 0);
    assert_int_equal(create((const char *)text.ptr, true, &schema, &e), ERR_INVALID_SCHEMA);
    assert_non_null(strstr(e.text, "does not fit its type"));

    // Many fields and many symbols.
    buf_reset(&text);
    buf_append_str(&text, STR("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":["));
    for (int i = 0; i < 80000; i++) {
        buf_printf(&text, "\"S%d\",", i);
    }
    buf_append_str(&text, STR("\"S5\"]}"));
    buf_u8(&text, 0);
    assert_int_equal(create((const char *)text.ptr, true, &schema, &e), ERR_INVALID_SCHEMA);
    assert_non_null(strstr(e.text, "a second symbol 'S5'"));
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_bad),     cmocka_unit_test(test_new),
        cmocka_unit_test(test_logical), cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
