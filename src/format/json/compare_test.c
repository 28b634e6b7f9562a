// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "format/format.h"

static struct schema *make(struct str text)
{
    struct schema_source source = {.format = FORMAT_JSON, .text = text};
    struct schema *schema = NULL;
    struct error e = {0};
    if (schema_create(&source, &schema, &e) != ERR_OK) {
        fail_msg(STR_FMT ": %s", STR_ARG(text), e.text);
    }
    return schema;
}

// What the writer's and the reader's schema differ in: "KIND path" joined by ", ".
static void differences(const char *writer, const char *reader, enum compat_policy policy, struct buf *out)
{
    struct schema *a = make(str_from_c(writer));
    struct schema *b = make(str_from_c(reader));
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct compat_report report = {.arena = &arena};
    struct error e = {0};
    assert_int_equal(schema_compare(b, a, policy, &report, &e), ERR_OK);
    assert_int_equal(report.count, report.total);
    for (size_t i = 0; i < report.count; i++) {
        const struct compat_difference *d = &report.differences[i];
        buf_printf(out, "%s%s " STR_FMT, i == 0 ? "" : ", ", d->kind, STR_ARG(d->path));
        assert_non_null(memmem(d->description.ptr, d->description.len, d->path.ptr, d->path.len));
        assert_true(d->hint.len > 0);
    }
    arena_fini(&arena);
    schema_unref(a);
    schema_unref(b);
}

struct row {
    const char *writer;
    const char *reader;
    const char *strict;
    const char *lenient; // NULL: the same
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int policy = COMPAT_STRICT; policy <= COMPAT_LENIENT; policy++) {
            const char *wanted =
                policy == COMPAT_STRICT || rows[i].lenient == NULL ? rows[i].strict : rows[i].lenient;
            struct buf got;
            buf_init(&got, 1 << 16);
            differences(rows[i].writer, rows[i].reader, (enum compat_policy)policy, &got);
            if (!str_equal(buf_str(&got), str_from_c(wanted))) {
                fail_msg("%s -> %s (%d): got '" STR_FMT "', wanted '%s'", rows[i].writer, rows[i].reader,
                         policy, STR_ARG(buf_str(&got)), wanted);
            }
            buf_fini(&got);
        }
    }
}
#define CHECK(rows) check_rows((rows), sizeof(rows) / sizeof(rows)[0])

static void test_scalars(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"title\":\"a\",\"description\":\"b\",\"default\":1,\"$id\":\"x\"}", "{\"title\":\"c\"}", "",
         NULL},
        {"{\"type\":\"object\"}", "{\"type\":\"array\"}", "TYPE_CHANGED #/", NULL},
        {"{\"type\":\"object\"}", "{}", "", NULL},
        {"{\"type\":\"object\"}", "true", "", NULL},
        {"{}", "{\"type\":\"object\"}", "TYPE_CHANGED #/", NULL},
        {"false", "{\"type\":\"object\"}", "", NULL},
        {"{\"type\":\"string\",\"connect.type\":\"bytes\"}",
         "{\"type\":\"number\",\"connect.type\":\"bytes\"}", "", NULL},
        {"{\"type\":\"integer\"}", "{\"type\":\"number\"}", "", NULL},
        {"{\"type\":\"number\"}", "{\"type\":\"integer\"}", "TYPE_NARROWED #/", NULL},
        {"{\"type\":\"string\",\"minLength\":10}", "{\"type\":\"string\",\"minLength\":11}",
         "MIN_LENGTH_INCREASED #/minLength", NULL},
        {"{\"type\":\"string\",\"minLength\":11}", "{\"type\":\"string\",\"minLength\":10}", "", NULL},
        {"{\"type\":\"string\"}", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":5,\"pattern\":\"a\"}",
         "MAX_LENGTH_ADDED #/maxLength, MIN_LENGTH_ADDED #/minLength, PATTERN_ADDED #/pattern", NULL},
        {"{\"type\":\"string\",\"maxLength\":5,\"pattern\":\"a\"}",
         "{\"type\":\"string\",\"maxLength\":4,\"pattern\":\"b\"}",
         "MAX_LENGTH_DECREASED #/maxLength, PATTERN_CHANGED #/pattern", NULL},
        {"{\"type\":\"string\",\"maxLength\":5,\"pattern\":\"a\"}", "{\"type\":\"string\"}", "", NULL},
        {"{\"type\":\"number\",\"maximum\":10,\"minimum\":1}",
         "{\"type\":\"number\",\"maximum\":9.5,\"minimum\":1.5}",
         "MAXIMUM_DECREASED #/maximum, MINIMUM_INCREASED #/minimum", NULL},
        {"{\"type\":\"number\",\"maximum\":10,\"minimum\":1}",
         "{\"type\":\"number\",\"maximum\":1e1,\"minimum\":-1}", "", NULL},
        {"{\"type\":\"number\"}", "{\"type\":\"number\",\"exclusiveMaximum\":10,\"exclusiveMinimum\":1}",
         "EXCLUSIVE_MAXIMUM_ADDED #/exclusiveMaximum, EXCLUSIVE_MINIMUM_ADDED #/exclusiveMinimum", NULL},
        {"{\"type\":\"number\",\"exclusiveMaximum\":10,\"exclusiveMinimum\":1}",
         "{\"type\":\"number\",\"exclusiveMaximum\":9,\"exclusiveMinimum\":2}",
         "EXCLUSIVE_MAXIMUM_DECREASED #/exclusiveMaximum, EXCLUSIVE_MINIMUM_INCREASED #/exclusiveMinimum",
         NULL},
        {"{\"type\":\"number\",\"multipleOf\":10}", "{\"type\":\"number\",\"multipleOf\":2}", "", NULL},
        {"{\"type\":\"number\",\"multipleOf\":10}", "{\"type\":\"number\",\"multipleOf\":11}",
         "MULTIPLE_OF_CHANGED #/multipleOf", NULL},
        {"{\"type\":\"number\",\"multipleOf\":0.5}", "{\"type\":\"number\",\"multipleOf\":1.5}",
         "MULTIPLE_OF_EXPANDED #/multipleOf", NULL},
        {"{\"type\":\"number\"}", "{\"type\":\"number\",\"multipleOf\":1}", "MULTIPLE_OF_ADDED #/multipleOf",
         NULL},
        {"{\"enum\":[\"a\"]}", "{\"enum\":[\"b\",\"a\"]}", "", NULL},
        {"{\"enum\":[\"a\",\"b\"]}", "{\"enum\":[\"b\"]}", "ENUM_ARRAY_NARROWED #/enum", NULL},
        {"{\"enum\":[\"a\",\"b\"]}", "{\"enum\":[\"b\",\"c\"]}", "ENUM_ARRAY_CHANGED #/enum", NULL},
        {"{\"const\":{\"a\":1,\"b\":2}}", "{\"const\":{\"b\":2,\"a\":1}}", "", NULL},
        {"{\"const\":1}", "{\"const\":2}", "ENUM_ARRAY_CHANGED #/const", NULL},
        {"{\"not\":{\"type\":\"number\"}}", "{\"not\":{\"type\":\"integer\"}}", "", NULL},
        {"{\"not\":{\"type\":\"integer\"}}", "{\"not\":{\"type\":\"number\"}}", "NOT_TYPE_EXTENDED #/not",
         NULL},
        {"{\"type\":\"string\",\"enum\":[\"a\"]}", "{\"type\":\"string\"}", "", NULL},
        {"{\"type\":\"string\"}", "{\"type\":\"string\",\"enum\":[\"a\"]}", "TYPE_CHANGED #/", NULL},
    };
    CHECK(rows);
}

#define FOO     "\"foo\":{\"type\":\"string\"}"
#define BAR     "\"bar\":{\"type\":\"number\"}"
#define OPEN(p) "{\"properties\":{" p "}}"
#define SHUT(p) "{\"properties\":{" p "},\"additionalProperties\":false}"
#define PART(p) "{\"properties\":{" p "},\"additionalProperties\":{\"type\":\"string\"}}"

static void test_content_models(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {OPEN(FOO), OPEN(FOO "," BAR), "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/bar", ""},
        {OPEN(FOO), "{\"properties\":{" FOO "," BAR "},\"required\":[\"bar\"]}",
         "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/bar", NULL},
        {OPEN(FOO),
         "{\"properties\":{" FOO ",\"bar\":{\"type\":\"number\",\"default\":1}},\"required\":[\"bar\"]}",
         "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL #/properties/bar", ""},
        {OPEN(FOO), OPEN(FOO ",\"bar\":{}"), "", NULL},
        {OPEN(FOO), OPEN(FOO ",\"bar\":true"), "", NULL},
        {OPEN(FOO "," BAR), OPEN(FOO), "", NULL},
        {OPEN(FOO), OPEN("\"foo\":{\"type\":\"number\"}"), "TYPE_CHANGED #/properties/foo", NULL},
        {SHUT(FOO), SHUT(FOO "," BAR), "", NULL},
        {SHUT(FOO),
         "{\"properties\":{" FOO "," BAR "},\"required\":[\"bar\"],\"additionalProperties\":false}",
         "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/bar", NULL},
        {SHUT(FOO),
         "{\"properties\":{" FOO ",\"bar\":{\"default\":1,\"type\":\"number\"}},\"required\":[\"bar\"],"
         "\"additionalProperties\":false}",
         "", NULL},
        {SHUT(FOO "," BAR), SHUT(FOO), "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/bar", ""},
        {SHUT(FOO ",\"bar\":false"), SHUT(FOO), "", NULL},
        {PART(FOO), PART(FOO ",\"bar\":{\"type\":\"string\"}"), "", NULL},
        {PART(FOO), PART(FOO "," BAR),
         "TYPE_CHANGED #/properties/bar, PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL "
         "#/properties/bar",
         ""},
        {SHUT(FOO "," BAR), PART(FOO),
         "TYPE_CHANGED #/properties/bar, PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL "
         "#/properties/bar",
         ""},
        {SHUT(FOO ",\"bar\":{\"type\":\"string\"}"), PART(FOO), "", NULL},
        {"{\"properties\":{\"I_1\":{\"type\":\"integer\"}},\"additionalProperties\":false}",
         "{\"additionalProperties\":false,\"patternProperties\":{\"^S_\":{\"type\":\"string\"},\"^I_\":{"
         "\"type\":"
         "\"number\"}}}",
         "", NULL},
        {"{\"additionalProperties\":true}", "{\"additionalProperties\":false}",
         "ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties", ""},
        {"{\"additionalProperties\":true}", "{\"additionalProperties\":{\"type\":\"number\"}}",
         "ADDITIONAL_PROPERTIES_NARROWED #/additionalProperties", ""},
        {"{\"additionalProperties\":{\"type\":\"string\"}}",
         "{\"additionalProperties\":{\"type\":\"number\"}}", "TYPE_CHANGED #/additionalProperties", NULL},
        {SHUT(FOO), OPEN(FOO), "", NULL},
        {OPEN(FOO), "{\"properties\":{" FOO "},\"required\":[\"foo\"]}",
         "REQUIRED_ATTRIBUTE_ADDED #/required/foo", NULL},
        {OPEN(FOO),
         "{\"properties\":{\"foo\":{\"type\":\"string\",\"default\":\"\"}},\"required\":[\"foo\"]}", "",
         NULL},
        {"{\"properties\":{" FOO "},\"required\":[\"foo\"]}", OPEN(FOO), "", NULL},
        {"{\"minProperties\":1,\"maxProperties\":5}", "{\"minProperties\":2,\"maxProperties\":4}",
         "MAX_PROPERTIES_DECREASED #/maxProperties, MIN_PROPERTIES_INCREASED #/minProperties", NULL},
        {"{\"dependencies\":{\"a\":[\"b\"]}}", "{\"dependencies\":{\"a\":[\"b\",\"c\"],\"d\":[\"e\"]}}",
         "DEPENDENCY_ARRAY_EXTENDED #/dependencies/a, DEPENDENCY_ARRAY_ADDED #/dependencies/d", NULL},
        {"{\"dependencies\":{\"a\":[\"b\",\"c\"]}}", "{\"dependencies\":{\"a\":[\"b\"]}}", "", NULL},
        {"{\"dependencies\":{\"a\":[\"b\"]}}", "{\"dependencies\":{\"a\":[\"c\"],\"b\":{}}}",
         "DEPENDENCY_ARRAY_CHANGED #/dependencies/a, DEPENDENCY_SCHEMA_ADDED #/dependencies/b", NULL},
        {"{\"dependencies\":{\"a\":{\"type\":\"string\"}}}",
         "{\"dependencies\":{\"a\":{\"type\":\"number\"}}}", "TYPE_CHANGED #/dependencies/a", NULL},
        {"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\"}",
         "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
         "\"unevaluatedProperties\":false}",
         "UNEVALUATED_PROPERTIES_REMOVED #/unevaluatedProperties", ""},
        {"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
         "\"unevaluatedProperties\":false}",
         "{\"$schema\":\"https://json-schema.org/draft/2020-12/"
         "schema\",\"type\":\"object\",\"properties\":{" FOO "},"
         "\"unevaluatedProperties\":false}",
         "", NULL},
    };
    CHECK(rows);
}

static void test_arrays(void **state)
{
    (void)state;
#define ITEMS(list, rest) "{\"type\":\"array\",\"items\":[" list "],\"additionalItems\":" rest "}"
#define S                 "{\"type\":\"string\"}"
#define N                 "{\"type\":\"number\"}"
    static const struct row rows[] = {
        {"{\"type\":\"array\"}", "{\"type\":\"array\",\"items\":" S "}", "SCHEMA_ADDED #/items", NULL},
        {"{\"type\":\"array\",\"items\":" S "}", "{\"type\":\"array\"}", "", NULL},
        {"{\"type\":\"array\",\"items\":" S "}", "{\"type\":\"array\",\"items\":" N "}",
         "TYPE_CHANGED #/items", NULL},
        {ITEMS(S, "true"), ITEMS(S "," N, "true"), "ITEM_ADDED_TO_OPEN_CONTENT_MODEL #/items/1", ""},
        {ITEMS(S, "true"), ITEMS(S ",true", "true"), "", NULL},
        {ITEMS(S "," N, "true"), ITEMS(S, "true"), "", NULL},
        {ITEMS(S, "false"), ITEMS(S "," N, "false"), "", NULL},
        {ITEMS(S "," N, "false"), ITEMS(S, "false"), "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL #/items/1", ""},
        {ITEMS(S ",false", "false"), ITEMS(S, "false"), "", NULL},
        {ITEMS(S, N), ITEMS(S "," N, N), "", NULL},
        {ITEMS(S, S), ITEMS(S "," N, S),
         "TYPE_CHANGED #/items/1, ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1", ""},
        {ITEMS(S "," N, S), ITEMS(S, S),
         "TYPE_CHANGED #/items/1, ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1", ""},
        {ITEMS(S, "true"), ITEMS(S, "false"), "ADDITIONAL_ITEMS_REMOVED #/additionalItems", NULL},
        {ITEMS(S, "true"), ITEMS(S, N), "ADDITIONAL_ITEMS_NARROWED #/additionalItems", NULL},
        {ITEMS(S, N), ITEMS(N, S), "TYPE_CHANGED #/items/0, TYPE_CHANGED #/additionalItems", NULL},
        {"{\"type\":\"array\"}", "{\"type\":\"array\",\"uniqueItems\":true,\"minItems\":1}",
         "MIN_ITEMS_ADDED #/minItems, UNIQUE_ITEMS_ADDED #/uniqueItems", NULL},
        {"{\"type\":\"array\",\"uniqueItems\":true,\"maxItems\":2}", "{\"type\":\"array\",\"maxItems\":1}",
         "MAX_ITEMS_DECREASED #/maxItems", NULL},
        {"{\"$schema\":\"https://json-schema.org/draft/2019-09/schema\",\"type\":\"array\",\"contains\":{}}",
         "{\"$schema\":\"https://json-schema.org/draft/2019-09/schema\",\"type\":\"array\",\"contains\":{},"
         "\"minContains\":2,\"maxContains\":3}",
         "MAX_CONTAINS_ADDED #/maxContains, MIN_CONTAINS_ADDED #/minContains", NULL},
        {"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"prefixItems\":[" S
         "],\"items\":false}",
         "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"prefixItems\":[" S "," N
         "],\"items\":false}",
         "", NULL},
    };
    CHECK(rows);
}

static void test_combined(void **state)
{
    (void)state;
#define OF(word, list) "{\"" word "\":[" list "]}"
#define B              "{\"type\":\"boolean\"}"
    static const struct row rows[] = {
        {OF("allOf", "{\"enum\":[1]}," N ",{\"maximum\":5}"),
         OF("allOf", "{\"maximum\":5},{\"enum\":[1]}," N), "", NULL},
        {OF("allOf", "{\"enum\":[1]}," S), OF("allOf", "{\"enum\":[1]}," N),
         "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/", NULL},
        {OF("allOf", S "," S), OF("allOf", S), "", NULL},
        {OF("allOf", S), OF("allOf", S "," S), "", NULL},
        {OF("oneOf", S), OF("oneOf", B "," N "," S), "", NULL},
        {OF("oneOf", S "," N), OF("oneOf", S), "SUM_TYPE_NARROWED #/", NULL},
        {OF("oneOf", S), OF("oneOf", N), "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/", NULL},
        {OF("allOf", "{\"enum\":[\"a\"]}," S), OF("allOf", S), "", NULL},
        {OF("allOf", S), OF("allOf", "{\"enum\":[\"a\"]}," S), "PRODUCT_TYPE_EXTENDED #/", NULL},
        {OF("oneOf", S), OF("anyOf", S "," N), "", NULL},
        {OF("allOf", S), OF("anyOf", S), "", NULL},
        {OF("anyOf", S), OF("oneOf", S "," N), "", NULL},
        {OF("anyOf", S "," N), OF("oneOf", S), "COMBINED_TYPE_CHANGED #/", NULL},
        {OF("anyOf", S), OF("allOf", S), "", NULL},
        {OF("anyOf", S), OF("allOf", S "," N), "COMBINED_TYPE_CHANGED #/", NULL},
        {S, OF("anyOf", N "," S), "", NULL},
        {S, OF("oneOf", N "," S), "", NULL},
        {S, OF("allOf", S), "", NULL},
        {S, OF("allOf", S ",{\"maxLength\":3}"), "TYPE_CHANGED #/", NULL},
        {OF("oneOf", S), S, "", NULL},
        {OF("oneOf", S "," N), S, "TYPE_CHANGED #/", NULL},
        {OF("allOf", S ",{\"maxLength\":3}"), S, "", NULL},
        {"{\"type\":[\"object\"]}", "{\"type\":[\"object\",\"array\"]}", "", NULL},
        {"{\"type\":[\"object\",\"array\"]}", "{\"type\":[\"object\"]}", "SUM_TYPE_NARROWED #/", NULL},
        // A matching that needs one that was taken first: integer fits both, number only number.
        {OF("oneOf", "{\"type\":\"integer\"}," N), OF("oneOf", N ",{\"type\":\"integer\"}"), "", NULL},
        {OF("oneOf", "{\"type\":\"integer\"}," N),
         OF("oneOf", "{\"type\":\"integer\"},{\"type\":\"integer\",\"title\":\"x\"}"),
         "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/", NULL},
    };
    CHECK(rows);
}

static void test_references(void **state)
{
    (void)state;
#define LIST(type)                                                                                           \
    "{\"definitions\":{\"n\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"v\":{"    \
    "\"type\":\"" type "\"},\"next\":{\"$ref\":\"#/definitions/n\"}}}},\"$ref\":\"#/definitions/n\"}"
    static const struct row rows[] = {
        {LIST("integer"), LIST("integer"), "", NULL},
        {LIST("integer"), LIST("number"), "", NULL},
        {LIST("number"), LIST("integer"), "TYPE_NARROWED #/properties/v", NULL},
        {S, "{\"$ref\":\"#/definitions/x\",\"definitions\":{\"x\":" S "}}", "", NULL},
        {"{\"items\":{\"$ref\":\"#/definitions/x\"},\"definitions\":{\"x\":" S "}}",
         "{\"items\":{\"$ref\":\"#/definitions/x\"},\"definitions\":{\"x\":" N "}}", "TYPE_CHANGED #/items",
         NULL},
        // What breaks lies behind the recursion: taking the loop to be fine must not hide it.
        {"{\"definitions\":{\"a\":{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"x\":{\"$ref\":\"#/"
         "definitions/a\"},"
         "\"y\":" S "}}," N "]}},\"properties\":{\"p\":{\"$ref\":\"#/definitions/a\"}}}",
         "{\"definitions\":{\"a\":{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"x\":{\"$ref\":\"#/"
         "definitions/a\"},"
         "\"y\":" N "}}," N "]}},\"properties\":{\"p\":{\"$ref\":\"#/definitions/a\"}}}",
         "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/properties/p", NULL},
        {"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$ref\":\"#/$defs/"
         "a\",\"maxLength\":5,\"$defs\":"
         "{\"a\":" S "}}",
         "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$ref\":\"#/$defs/"
         "a\",\"maxLength\":4,\"$defs\":"
         "{\"a\":" S "}}",
         "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/", NULL},
    };
    CHECK(rows);
}

static void test_texts(void **state)
{
    (void)state;
    struct schema *a = make(STR("{\"type\":\"string\"}"));
    struct schema *b = make(STR("{\"type\":\"number\"}"));
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct compat_report report = {.arena = &arena};
    assert_int_equal(schema_compare(b, a, COMPAT_STRICT, &report, NULL), ERR_OK);
    assert_string_equal(report.differences[0].description.ptr,
                        "The new schema differs from the old schema at path '#/'");
    struct compat_report forward = {.arena = &arena, .is_reader_old = true};
    assert_int_equal(schema_compare(a, b, COMPAT_STRICT, &forward, NULL), ERR_OK);
    assert_string_equal(forward.differences[0].description.ptr,
                        "The old schema differs from the new schema at path '#/'");
    arena_fini(&arena);
    schema_unref(a);
    schema_unref(b);
}

// Many definitions that all refer to each other, in oneOf: paths are countless, pairs are few.
static void tangle(struct buf *out, int count, const char *leaf)
{
    buf_printf(out, "{\"$ref\":\"#/definitions/d0\",\"definitions\":{");
    for (int i = 0; i < count; i++) {
        buf_printf(out, "%s\"d%d\":{\"oneOf\":[{\"type\":\"%s\"}", i == 0 ? "" : ",", i, leaf);
        for (int k = 0; k < count; k++) {
            buf_printf(out,
                       ",{\"type\":\"object\",\"required\":[\"k%d\"],\"properties\":{\"k%d\":{\"$ref\":\"#/"
                       "definitions/d%d\"}}}",
                       k, k, k);
        }
        buf_printf(out, "]}");
    }
    buf_printf(out, "}}");
}

static void test_tangles_end(void **state)
{
    (void)state;
    struct buf one;
    struct buf other;
    buf_init(&one, 1 << 20);
    buf_init(&other, 1 << 20);
    tangle(&one, 12, "string");
    tangle(&other, 12, "number");
    struct schema *a = make(buf_str(&one));
    struct schema *b = make(buf_str(&other));
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct compat_report report = {.arena = &arena};
    assert_int_equal(schema_compare(a, a, COMPAT_STRICT, &report, NULL), ERR_OK);
    assert_int_equal(report.total, 0);
    assert_int_equal(schema_compare(b, a, COMPAT_STRICT, &report, NULL), ERR_OK);
    assert_true(report.total > 0);
    schema_unref(a);
    schema_unref(b);
    buf_reset(&one);
    buf_printf(&one, "{\"oneOf\":[{\"const\":0}");
    for (int i = 1; i < 5000; i++) {
        buf_printf(&one, ",{\"const\":%d}", i);
    }
    buf_printf(&one, "]}");
    a = make(buf_str(&one));
    b = make(buf_str(&one));
    struct error e = {0};
    assert_int_equal(schema_compare(b, a, COMPAT_STRICT, &report, &e), ERR_NO_MEMORY);
    assert_non_null(strstr(e.text, "given up"));
    schema_unref(a);
    schema_unref(b);
    arena_fini(&arena);
    buf_fini(&one);
    buf_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),     cmocka_unit_test(test_content_models),
        cmocka_unit_test(test_arrays),      cmocka_unit_test(test_combined),
        cmocka_unit_test(test_references),  cmocka_unit_test(test_texts),
        cmocka_unit_test(test_tangles_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
