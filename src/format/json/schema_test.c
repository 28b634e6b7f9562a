// SPDX-License-Identifier: Apache-2.0
// Schemas refused and printed, what faults say, views, and input that means harm.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "format/program.h"
#include "json/tree.h"

static enum err make(const char *text, struct schema **ret, struct error *e)
{
    struct schema_source source = {.format = FORMAT_JSON, .text = str_from_c(text)};
    return schema_create(&source, ret, e);
}

static struct program *program_of(const char *text)
{
    struct schema *schema = NULL;
    struct program *program = NULL;
    struct error e = {0};
    if (make(text, &schema, &e) != ERR_OK || program_create(schema, NULL, 0, &program, &e) != ERR_OK) {
        fail_msg("%.200s: %s", text, e.text);
    }
    schema_unref(schema);
    return program;
}

static enum err check(const struct program *program, const char *payload, struct program_fault *ret)
{
    return program_check(program, bytes_of(payload, strlen(payload)), ret);
}

static void test_refused(void **state)
{
    (void)state;
#define D4    "\"$schema\":\"http://json-schema.org/draft-04/schema#\""
#define D2020 "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\""
    static const char *const rows[][2] = {
        {"", "line 1, column 1: the document ends too early"},
        {"{\"type\":\n1x}", "line 2, column 2: no comma between two values"},
        {"1", "#: must be a schema: an object, true or false"},
        {"{\"type\":\"strin\"}", "#/type: is not the name of a type"},
        {"{\"properties\":{\"x\":{\"type\":5}}}", "#/properties/x/type: is not the name of a type"},
        {"{\"type\":[]}", "#/type: must name a type"},
        {"{\"type\":[\"string\",1]}", "#/type: has something in it that is not the name of a type"},
        {"{\"minLength\":-1}", "#/minLength: must be an integer that is not negative"},
        {"{\"minLength\":1.5}", "#/minLength: must be an integer that is not negative"},
        {"{\"minLength\":2.0}", NULL},
        {"{\"multipleOf\":0}", "#/multipleOf: must be a number above 0"},
        {"{\"maximum\":\"1\"}", "#/maximum: must be a number"},
        {"{\"exclusiveMaximum\":true}", "#/exclusiveMaximum: must be a number"},
        {"{" D4 ",\"exclusiveMaximum\":1}", "#/exclusiveMaximum: must be true or false"},
        {"{\"pattern\":\"[a\"}", "#/pattern: a [ without its ] (character 1 of the regular expression)"},
        {"{\"pattern\":\"(?i)a\"}", NULL}, // RE2 and Java
        {"{\"patternProperties\":{\"(\":{}}}",
         "#/patternProperties/(: a ( without its ) (character 1 of the regular expression)"},
        {"{\"required\":true}", "#/required: must be a list of names"},
        {"{\"required\":[1]}", "#/required: must be a list of names"},
        {"{\"properties\":[]}", "#/properties: must be an object"},
        {"{\"anyOf\":{}}", "#/anyOf: must be a list of schemas"},
        {"{\"anyOf\":[]}", "#/anyOf: must have a schema in it"},
        {"{\"anyOf\":[{},{\"not\":1}]}", "#/anyOf/1/not: must be a schema: an object, true or false"},
        {"{" D4 ",\"not\":true}", "#/not: must be a schema, which in draft 4 is an object"},
        {"{" D4 ",\"additionalProperties\":false}", NULL},
        {"{\"items\":[{},{\"enum\":1}]}", "#/items/1/enum: must be a list"},
        {"{" D2020 ",\"items\":[{}]}", "#/items: must be a schema: an object, true or false"},
        {"{\"uniqueItems\":1}", "#/uniqueItems: must be true or false"},
        {"{\"dependencies\":{\"a\":[1]}}", "#/dependencies/a: must be a list of names"},
        {"{\"title\":1}", "#/title: must be a string"},
        {"{\"$ref\":1}", "#/$ref: must be a string"},
        {"{\"properties\":{\"a\":{\"$ref\":\"http://example.com/x\"}}}",
         "$ref \"http://example.com/x\" leads nowhere: it is in neither this schema nor its references, and "
         "nothing is fetched"},
        {"{\"$ref\":\"#/definitions/nope\"}",
         "$ref \"#/definitions/nope\" leads nowhere: it is in neither this schema nor its references, and "
         "nothing is fetched"},
        {"{\"$ref\":\"#/x\",\"x\":5}", "#/#/x: must be a schema: an object, true or false"},
        {"{\"$ref\":\"http://json-schema.org/draft-07/schema#/definitions/nonNegativeInteger\"}", NULL},
        {"{\"unknown\":{\"type\":5},\"enum\":[{\"type\":5}],\"default\":{\"minLength\":-1}}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct schema *schema = NULL;
        struct error e = {0};
        enum err err = make(rows[i][0], &schema, &e);
        assert_int_equal(err, rows[i][1] == NULL ? ERR_OK : ERR_INVALID_SCHEMA);
        if (err != ERR_OK) {
            assert_string_equal(e.text, rows[i][1]);
        }
        schema_unref(schema);
    }
}

static void test_print(void **state)
{
    (void)state;
    static const char text[] =
        " { \"title\" : \"T\\u0041\\n\\u0007\\u00e9/\\/\", \"b\": [1.0, 1e2 , true,null],\n"
        "\"a\":{\"z\":1,\"y\":{}}, \"b\": [2]}";
    struct schema *schema = NULL;
    assert_int_equal(make(text, &schema, NULL), ERR_OK);
    assert_true(str_equal(schema_name(schema), STR("TA\n\a\u00e9//")));
    static const struct {
        enum schema_form form;
        const char *text;
    } rows[] = {
        {SCHEMA_CANONICAL, "{\"title\":\"TA\\n\\u0007\u00e9//\",\"b\":[2],\"a\":{\"z\":1,\"y\":{}}}"},
        {SCHEMA_RESOLVED, "{\"title\":\"TA\\n\\u0007\u00e9//\",\"b\":[2],\"a\":{\"z\":1,\"y\":{}}}"},
        {SCHEMA_NORMAL, "{\"a\":{\"y\":{},\"z\":1},\"b\":[2],\"title\":\"TA\\n\\u0007\u00e9//\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out;
        buf_init(&out, 1000);
        assert_int_equal(schema_print(schema, rows[i].form, &out, NULL), ERR_OK);
        assert_true(str_equal(buf_str(&out), str_from_c(rows[i].text)));
        buf_fini(&out);
    }
    struct buf small;
    buf_init(&small, 10);
    assert_int_equal(schema_print(schema, SCHEMA_NORMAL, &small, NULL), ERR_NO_MEMORY);
    buf_fini(&small);
    schema_unref(schema);
}

static void test_references(void **state)
{
    (void)state;
    struct schema *address = NULL;
    struct schema *country = NULL;
    assert_int_equal(make("{\"enum\":[\"CH\",\"DE\"]}", &country, NULL), ERR_OK);
    const struct schema_reference to_country = {STR("country.json"), country};
    struct schema_source source = {
        .format = FORMAT_JSON,
        .text = STR(
            "{\"$id\":\"http://x.org/address.json\",\"properties\":{\"country\":{\"$ref\":\"country.json\"}},"
            "\"definitions\":{\"zip\":{\"$id\":\"#zip\",\"type\":\"integer\"}}}"),
        .references = &to_country,
        .reference_count = 1,
    };
    assert_int_equal(schema_create(&source, &address, NULL), ERR_OK);
    static const char *const refs[] = {"address",     "http://x.org/address.json", "address#",
                                       "address#zip", "address#/definitions/zip",  "country.json"};
    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"properties\":{\"a\":{\"$ref\":\"%s\"}}}", refs[i]);
        const struct schema_reference to_address = {STR("address"), address};
        source = (struct schema_source){
            .format = FORMAT_JSON, .text = str_from_c(text), .references = &to_address, .reference_count = 1};
        struct schema *user = NULL;
        struct program *program = NULL;
        struct error e = {0};
        if (schema_create(&source, &user, &e) != ERR_OK ||
            program_create(user, NULL, 0, &program, &e) != ERR_OK) {
            fail_msg("%s: %s", refs[i], e.text);
        }
        struct program_fault fault;
        if (i < 3) {
            assert_int_equal(check(program, "{\"a\":{\"country\":\"CH\"}}", NULL), ERR_OK);
            assert_int_equal(check(program, "{\"a\":{\"country\":\"XX\"}}", &fault), ERR_INVALID_RECORD);
            assert_string_equal(fault.path, "$.a.country");
        } else {
            assert_int_equal(check(program, "{\"a\":true}", NULL), ERR_INVALID_RECORD);
        }
        program_unref(program);
        schema_unref(user);
    }
    schema_unref(address);
    schema_unref(country);
}

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        const char *payload;
        size_t position;
        const char *path;
        const char *text;
    } rows[] = {
        {"{\"type\":\"string\"}", "5", 0, "$", "a number; type: string"},
        {"{\"type\":[\"integer\",\"null\"]}", "1.5", 0, "$",
         "a number that is no integer; type: null or integer"},
        {"{\"type\":\"integer\"}", "{}", 0, "$", "an object; type: integer"},
        {"{\"properties\":{\"a\":{\"items\":{\"minimum\":3}}}}", "{\"a\":[3,2]}", 8, "$.a[1]",
         "2; minimum: 3"},
        {"{\"exclusiveMaximum\":1e2}", "100.0", 0, "$", "100.0; exclusiveMaximum: 1e2"},
        {"{\"multipleOf\":0.01}", "1.005", 0, "$", "1.005; multipleOf: 0.01"},
        {"{\"minLength\":3}", "\"\u00e9\u00e9\"", 0, "$", "2 characters; minLength: 3"},
        {"{\"maxLength\":1}", "\"\\u00e9a\"", 0, "$", "2 characters; maxLength: 1"},
        {"{\"pattern\":\"^a+$\"}", "\"b\"", 0, "$", "\"b\"; pattern: ^a+$"},
        {"{\"format\":\"ipv4\"}", "\"1.2.3\"", 0, "$", "\"1.2.3\"; format: ipv4"},
        {"{\"required\":[\"a\",\"b\"]}", "{\"a\":1}", 0, "$", "\"b\" is missing (required)"},
        {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1,\"b c\":2}", 7, "$[\"b c\"]",
         "\"b c\" is not a known property (additionalProperties)"},
        {"{\"dependencies\":{\"a\":[\"b\"]}}", "{\"a\":1}", 0, "$", "\"b\" is missing (dependentRequired)"},
        {"{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}", 1, "$.ab", "2 characters; maxLength: 1"},
        {"{\"minItems\":2}", " [1]", 1, "$", "1 items; minItems: 2"},
        {"{\"contains\":{\"const\":1}}", "[2]", 0, "$", "0 items that `contains` asks for; minContains: 1"},
        {"{\"uniqueItems\":true}", "[1,2,1.0]", 5, "$[2]", "the same as item 0; uniqueItems"},
        {"{\"maxProperties\":1}", "{\"a\":1,\"b\":2}", 0, "$", "2 members; maxProperties: 1"},
        {"{\"const\":\"x\"}", "\"y\"", 0, "$", "a string y; allowed: \"x\""},
        {"{\"enum\":[1,2]}", "3", 0, "$", "a number 3; not one of the values allowed"},
        {"{\"not\":{\"type\":\"string\"}}", "\"\"", 0, "$", "what `not` forbids"},
        {"{\"oneOf\":[{\"minimum\":1},{\"maximum\":5}]}", "3", 0, "$", "oneOf: more than one schema holds"},
        {"{\"items\":{\"anyOf\":[{\"type\":\"string\"},{\"properties\":{\"a\":{\"type\":\"null\"}}}]}}",
         "[{\"a\":1}]", 6, "$[0].a", "a number; type: null; anyOf: none of 2 schemas, this is the nearest"},
        {"{\"properties\":{\"x\":false}}", "{\"x\":1}", 5, "$.x", "nothing is allowed here"},
        {"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"properties\":{\"a\":{}},"
         "\"unevaluatedProperties\":false}",
         "{\"a\":1,\"b\":2}", 7, "$.b", "no schema knows this property (unevaluatedProperties)"},
        {"{\"$schema\":\"https://json-schema.org/draft/2019-09/"
         "schema\",\"contains\":{\"const\":1},\"unevaluatedItems\":"
         "false}",
         "[1,2]", 3, "$[1]", "no schema knows this item (unevaluatedItems)"},
        {"{}", "{\"a\":1,}", 7, "$", "no JSON: not a member's name"},
        {"{\"not\":{\"required\":[\"a\"]}}", "{\"b\":01}", 5, "$.b", "no JSON: a number with a leading zero"},
        {"true", "1 2", 2, "$", "no JSON: something behind the document's end"},
        {"{\"type\":\"string\"}", "", 0, "$", "no JSON: the document ends too early"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct program *program = program_of(rows[i].schema);
        struct program_fault fault = {0};
        assert_int_equal(check(program, rows[i].payload, &fault), ERR_INVALID_RECORD);
        if (fault.position != rows[i].position || strcmp(fault.path, rows[i].path) != 0 ||
            strcmp(fault.text, rows[i].text) != 0) {
            fail_msg("%s on %s: %zu %s %s", rows[i].schema, rows[i].payload, fault.position, fault.path,
                     fault.text);
        }
        assert_int_equal(check(program, rows[i].payload, NULL), ERR_INVALID_RECORD);
        assert_true(program_memory(program) > 0);
        program_unref(program);
    }
}

// What a double would get wrong.
static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        const char *payload;
        bool is_valid;
    } rows[] = {
        {"{\"maximum\":9007199254740992}", "9007199254740993", false},
        {"{\"maximum\":9007199254740993}", "9007199254740993.0", true},
        {"{\"minimum\":0.1}", "0.1000000000000000000001", true},
        {"{\"exclusiveMinimum\":0.1}", "0.10000000000000000000", false},
        {"{\"const\":1e400}", "10e399", true},
        {"{\"const\":1e400}", "1e401", false},
        {"{\"const\":0}", "-0.0e5", true},
        {"{\"maximum\":-1e-300}", "-0.5e-300", false},
        {"{\"multipleOf\":0.1}", "0.3", true},
        {"{\"multipleOf\":3}", "1000000000000000000000000000000000000002", true},
        {"{\"multipleOf\":3}", "1000000000000000000000000000000000000001", false},
        {"{\"multipleOf\":7}", "7e1000000", true},
        {"{\"multipleOf\":7}", "1e1000000", false},
        {"{\"type\":\"integer\"}", "1e999999999999999999999", true},
        {"{\"type\":\"integer\"}", "1e-1", false},
        {"{\"type\":\"integer\"}", "120.00e-1", true},
        {"{\"type\":\"integer\"}", "12345678901234567890.5", false},
        {"{\"uniqueItems\":true}", "[10000000000000000000001,10000000000000000000002]", true},
        {"{\"uniqueItems\":true}", "[{\"a\":1,\"b\":[2.50]},{\"b\":[25e-1],\"a\":1.0}]", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct program *program = program_of(rows[i].schema);
        if (check(program, rows[i].payload, NULL) != (rows[i].is_valid ? ERR_OK : ERR_INVALID_RECORD)) {
            fail_msg("%s on %s", rows[i].schema, rows[i].payload);
        }
        program_unref(program);
    }
}

static void test_views(void **state)
{
    (void)state;
    struct program *program = program_of("{\"type\":\"object\"}");
    static const char text[] = " {\"a\" : 5, \"b\":[1.5, null ,\"x\\ny\"], \"\\u0063\":{\"d\":false}, \"e\":"
                               "12345678901234567890 }";
    struct bytes payload = bytes_of(text, sizeof text - 1);
    assert_int_equal(program_check(program, payload, NULL), ERR_OK);
    struct view root = view_root(program, payload);
    assert_int_equal(root.kind, VIEW_RECORD);
    struct view a = view_field(&root, STR("a"));
    assert_true(a.kind == VIEW_INT && a.number == 5);
    struct view c = view_field(&root, STR("c"));
    assert_int_equal(c.kind, VIEW_RECORD);
    struct view d = view_field(&c, STR("d"));
    assert_true(d.kind == VIEW_BOOL && d.number == 0);
    assert_int_equal(view_field(&root, STR("nope")).kind, VIEW_NONE);
    assert_int_equal(view_field(&a, STR("a")).kind, VIEW_NONE);
    struct view e = view_field(&root, STR("e"));
    assert_true(e.kind == VIEW_DOUBLE && e.real > 1.2e19);
    struct view_items items = {.of = view_field(&root, STR("b"))};
    struct str key;
    struct view item;
    assert_true(view_next(&items, &key, &item) && item.kind == VIEW_DOUBLE && item.real == 1.5 &&
                key.ptr == NULL);
    assert_true(view_next(&items, &key, &item) && item.kind == VIEW_NULL);
    assert_true(view_next(&items, &key, &item) && item.kind == VIEW_STRING && item.has_escape &&
                item.raw.len == 4);
    assert_false(view_next(&items, &key, &item));
    struct view_items members = {.of = root};
    size_t count = 0;
    while (view_next(&members, &key, &item)) {
        assert_true(key.len > 0);
        count++;
    }
    assert_int_equal(count, 4);
    struct view_items none = {.of = a};
    assert_false(view_next(&none, &key, &item));
    program_unref(program);
}

// ---- harm

static char *repeat(const char *begin, const char *middle, size_t count, const char *end)
{
    struct buf b;
    buf_init(&b, 8 << 20);
    buf_append_str(&b, str_from_c(begin));
    for (size_t i = 0; i < count; i++) {
        buf_append_str(&b, str_from_c(middle));
    }
    buf_append_str(&b, str_from_c(end));
    buf_u8(&b, 0);
    return (char *)b.ptr;
}

static void test_hostile_schemas(void **state)
{
    (void)state;
    struct schema *schema = NULL;
    struct program *program = NULL;
    struct error e = {0};
    char *deep = repeat("", "[", 1 << 20, "");
    assert_int_equal(make(deep, &schema, &e), ERR_INVALID_SCHEMA);
    assert_non_null(strstr(e.text, "nested too deeply"));
    mem_free(deep);
    deep = repeat("", "{\"not\":", 200, "{}");
    char *closed = repeat(deep, "}", 200, "");
    assert_int_equal(make(closed, &schema, &e), ERR_INVALID_SCHEMA);
    assert_non_null(strstr(e.text, "schemas nested too deeply"));
    mem_free(deep);
    mem_free(closed);
    static const char *const loops[] = {
        "{\"$ref\":\"#\"}",
        "{\"$ref\":\"#/a\",\"a\":{\"$ref\":\"#/b\"},\"b\":{\"$ref\":\"#/a\"}}",
        "{\"allOf\":[{\"$ref\":\"#\"}]}",
        "{\"properties\":{\"x\":{\"anyOf\":[{},{\"not\":{\"$ref\":\"#/properties/x\"}}]}}}",
        "{\"dependencies\":{\"a\":{\"$ref\":\"#\"}}}",
    };
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
        assert_int_equal(make(loops[i], &schema, &e), ERR_OK);
        assert_int_equal(program_create(schema, NULL, 0, &program, &e), ERR_INVALID_SCHEMA);
        schema_unref(schema);
    }
    // A chain of schemas that apply to one value, longer than any stack wants.
    struct buf chain;
    buf_init(&chain, 1 << 20);
    buf_printf(&chain, "{\"allOf\":[{\"$ref\":\"#/definitions/d0\"}],\"definitions\":{");
    for (int i = 0; i < 10000; i++) {
        buf_printf(&chain, "\"d%d\":{\"allOf\":[{\"$ref\":\"#/definitions/d%d\"}]},", i, i + 1);
    }
    buf_printf(&chain, "\"d10000\":{}}}");
    buf_u8(&chain, 0);
    assert_int_equal(make((const char *)chain.ptr, &schema, &e), ERR_OK);
    assert_int_equal(program_create(schema, NULL, 0, &program, &e), ERR_INVALID_SCHEMA);
    assert_non_null(strstr(e.text, "within each other apply to one value"));
    schema_unref(schema);
    buf_fini(&chain);
    assert_int_equal(make("{}", &schema, NULL), ERR_OK);
    static const int32_t root[] = {0};
    assert_int_equal(program_create(schema, root, 1, &program, &e), ERR_INVALID_SCHEMA);
    schema_unref(schema);
}

static void test_hostile_payloads(void **state)
{
    (void)state;
    struct program_fault fault;
    struct program *program = program_of("{\"items\":{\"$ref\":\"#\"}}");
    char *deep = repeat("", "[", 1 << 20, "");
    assert_int_equal(check(program, deep, &fault), ERR_INVALID_RECORD);
    assert_non_null(strstr(fault.text, "nested too deeply"));
    program_unref(program);
    program = program_of("{}");
    assert_int_equal(check(program, deep, &fault), ERR_INVALID_RECORD);
    mem_free(deep);
    deep = repeat("", "[", PAYLOAD_DEPTH_MAX, "");
    char *closed = repeat(deep, "]", PAYLOAD_DEPTH_MAX, "");
    assert_int_equal(check(program, closed, &fault), ERR_OK);
    program_unref(program);
    // Two branches at each level: 2^128 paths, 128 places.
    program =
        program_of("{\"anyOf\":[{\"type\":\"array\",\"items\":{\"$ref\":\"#\"},\"maxItems\":1},{\"type\":"
                   "\"array\",\"items\":{\"$ref\":\"#\"}}]}");
    char *bad = repeat(deep, "5]", 1, "");
    char *bad_closed = repeat(bad, "]", PAYLOAD_DEPTH_MAX - 1, "");
    assert_int_equal(check(program, closed, &fault), ERR_OK);
    assert_int_equal(check(program, bad_closed, &fault), ERR_INVALID_RECORD);
    mem_free(bad);
    mem_free(bad_closed);
    mem_free(deep);
    mem_free(closed);
    program_unref(program);
    program = program_of("{\"uniqueItems\":true}");
    struct buf items;
    buf_init(&items, 4 << 20);
    buf_u8(&items, '[');
    for (int i = 0; i < 100000; i++) {
        buf_printf(&items, "{\"id\":%d},", i);
    }
    buf_append_str(&items, STR("{\"id\":-1}]"));
    assert_int_equal(program_check(program, buf_bytes(&items), &fault), ERR_OK);
    items.len--;
    buf_append_str(&items, STR(",{\"id\":5}]"));
    assert_int_equal(program_check(program, buf_bytes(&items), &fault), ERR_INVALID_RECORD);
    assert_string_equal(fault.path, "$[100001]");
    buf_fini(&items);
    program_unref(program);
    // Every item is tried by every branch.
    buf_init(&items, 4 << 20);
    buf_printf(&items, "{\"items\":{\"anyOf\":[{\"const\":[0]}");
    for (int i = 1; i < 5000; i++) {
        buf_printf(&items, ",{\"const\":[%d]}", i);
    }
    buf_printf(&items, "]}}");
    buf_u8(&items, 0);
    program = program_of((const char *)items.ptr);
    char *many = repeat("[", "[5000],", 20000, "1]");
    assert_int_equal(check(program, many, &fault), ERR_INVALID_RECORD);
    mem_free(many);
    many = repeat("[", "[4999],", 20000, "1]");
    assert_int_equal(check(program, many, &fault), ERR_NO_MEMORY);
    assert_non_null(strstr(fault.text, "given up"));
    mem_free(many);
    buf_fini(&items);
    program_unref(program);
    program = program_of("{\"pattern\":\"^(a+)+\\\\1$\"}");
    many = repeat("\"", "a", 5000, "b\"");
    assert_int_equal(check(program, many, &fault), ERR_NO_MEMORY);
    mem_free(many);
    program_unref(program);
}

// All patterns together: each one would do.
static void test_patterns_are_bounded(void **state)
{
    (void)state;
    struct buf text;
    struct schema *schema = NULL;
    struct error e = {0};
    buf_init(&text, 1 << 20);
    buf_append_str(&text, STR("{\"allOf\":["));
    for (int i = 0; i < 30; i++) {
        buf_append_str(&text, STR("{\"pattern\":\"["));
        for (int k = 0; k < 500; k++) {
            buf_append_str(&text, STR("\\\\p{L}"));
        }
        buf_append_str(&text, STR("]\"},"));
    }
    buf_append_str(&text, STR("{}]}"));
    buf_u8(&text, 0);
    assert_int_equal(make((const char *)text.ptr, &schema, &e), ERR_INVALID_SCHEMA);
    if (strstr(e.text, "the schema's patterns take more than") == NULL) {
        fail_msg("%s", e.text);
    }
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_hostile_schemas),
        cmocka_unit_test(test_hostile_payloads),
        cmocka_unit_test(test_patterns_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
