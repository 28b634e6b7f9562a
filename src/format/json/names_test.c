// SPDX-License-Identifier: Apache-2.0
// names_test.c - an object that has a member twice is refused, wherever it stands, whatever its schema says,
// by the pass that accepts and by the one that explains; and no payload makes that take long.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "format/json/json_schema.h"
#include "format/json/run_private.h"

#define D2020 "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\""

static struct program *program_of(const char *text, const struct program_path *path)
{
    struct schema_source source = {.format = FORMAT_JSON, .text = str_from_c(text)};
    struct schema *schema = NULL;
    struct program *program = NULL;
    struct error e = {0};
    if (schema_create(&source, &schema, &e) != ERR_OK ||
        program_create_with(schema, NULL, 0, path, path != NULL, &program, &e) != ERR_OK) {
        fail_msg("%.200s: %s", text, e.text);
    }
    schema_unref(schema);
    return program;
}

// judge gives what all ways of checking say.
static enum err judge(const struct program *program, struct bytes payload, struct program_fault *ret)
{
    const struct jprogram *own = (const struct jprogram *)program;
    struct view views[1];
    enum err err = program_check(program, payload, ret);
    enum fast_verdict fast = fast_judge(own, payload, NULL, NULL);
    assert_int_equal(jschema_judge(own, payload, NULL, NULL), err);
    assert_true(fast == FAST_UNKNOWN || (fast == FAST_YES) == (err == ERR_OK));
    assert_int_equal(program_check_slots(program, payload, views, NULL), err);
    return err;
}

static enum err judge_text(const struct program *program, const char *text, struct program_fault *ret)
{
    return judge(program, bytes_of(text, strlen(text)), ret);
}

static void test_places(void **state)
{
    (void)state;
    static const char *const schemas[] = {
        "true",
        "{}",
        "{\"properties\":{\"n\":{},\"a\":true,\"list\":{\"items\":{\"properties\":{\"n\":{}}}}}}",
        "{\"additionalProperties\":{}}",
        "{\"patternProperties\":{\"n\":{},\"^\":{}}}",
        "{\"propertyNames\":{\"maxLength\":20}}",
        "{\"required\":[],\"minProperties\":1}",
        "{\"anyOf\":[{\"required\":[\"nope\"]},{\"type\":\"object\"}]}",
        "{\"oneOf\":[{\"properties\":{\"n\":{\"type\":\"array\"}},\"required\":[\"n\"]},{}]}",
        "{\"not\":{\"required\":[\"nope\"]}}",
        "{\"not\":{\"properties\":{\"a\":{\"type\":\"array\"}},\"required\":[\"a\",\"none\"]}}",
        "{\"if\":{\"required\":[\"n\"]},\"then\":{},\"else\":{}}",
        "{\"dependencies\":{\"n\":{\"properties\":{\"n\":{}}}}}",
        "{\"properties\":{\"a\":{\"type\":[\"object\",\"array\"]},\"n\":{\"enum\":[2,4,{},5]}}}",
        "{" D2020 ",\"anyOf\":[{\"properties\":{\"n\":{}}},{}],\"unevaluatedProperties\":{}}",
        "{" D2020 ",\"properties\":{\"a\":{\"allOf\":[{}],\"unevaluatedProperties\":true},\"n\":{}}}",
        "{\"properties\":{\"list\":{\"uniqueItems\":true,\"contains\":{}}}}",
    };
    static const struct {
        const char *payload;
        size_t position; // 0: it is good
        const char *path;
    } rows[] = {
        {"{\"n\":2,\"n\":4}", 7, "$"},
        {"{\"n\":2,\"m\":3,\"n\":2}", 13, "$"},
        {"{\"n\":2,\"\\u006e\":4}", 7, "$"},
        {"{\"\\u006E\":2, \"n\" :4}", 13, "$"},
        {"{\"x\":2,\"y\":1,\"\\u0078\":4}", 13, "$"},
        {"{\"\":2,\"\":4}", 6, "$"},
        {"{\"\\ud83d\\ude00\":2,\"\xf0\x9f\x98\x80\":4}", 18, "$"},
        {"{\"q\\\"\":2,\"q\\u0022\":4}", 9, "$"},
        {"{\"longer than a word is\":2,\"longer than a word is\":4}", 27, "$"},
        {"{\"a\":{\"n\":1,\"n\":1}}", 12, "$.a"},
        {"{\"a\":{\"b\":{\"x\":null,\"x\":null}}}", 20, "$.a.b"},
        {"{\"list\":[{\"n\":1},{\"n\":1,\"n\":2}]}", 24, "$.list[1]"},
        {"{\"list\":[[],[3,{\"n\":1,\"x\":{},\"n\":2}]]}", 29, "$.list[1][1]"},
        {"{\"u\":[{\"n\":1,\"x\":{\"z\":1,\"z\":{}}}]}", 24, "$.u[0].x"},
        {"{\"n\":2,\"m\":4,\"N\":5,\"nn\":6}", 0, NULL},
        {"{\"n\":2,\"a\":{\"n\":{\"x\":[{\"n\":2},{\"n\":3}],\"n\":5}}}", 0, NULL},
        {"{\"x\":{\"a\":1},\"y\":{\"a\":1},\"\\u0061\":{\"a\":{}}}", 0, NULL},
        {"{\"ab\":2,\"abc\":4,\"a\":5,\"b\":6,\"\":7,\"\\\"\":8}", 0, NULL},
    };
    static const struct str name = {"n", 1};
    struct program_path path = {&name, 1};
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        struct program *program = program_of(schemas[i], &path);
        for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
            struct program_fault fault = {0};
            bool is_object_short = rows[k].position == 0 && strstr(schemas[i], "enum") != NULL;
            enum err err = judge_text(program, rows[k].payload, &fault);
            if (rows[k].position == 0) {
                assert_true(err == ERR_OK || is_object_short);
                continue;
            }
            if (err != ERR_INVALID_RECORD || fault.position != rows[k].position ||
                strcmp(fault.path, rows[k].path) != 0 ||
                strcmp(fault.text, "a member name is there twice") != 0) {
                fail_msg("%s on %s: %d %zu %s %s", schemas[i], rows[k].payload, (int)err, fault.position,
                         fault.path, fault.text);
            }
        }
        program_unref(program);
    }
}

// Faults that hide the payload have the schema's names only.
static void test_hidden(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        const char *payload;
        const char *path;
    } rows[] = {
        {"{}", "{\"secret\":2,\"secret\":4}", "$"},
        {"{}", "{\"secret\":{\"n\":1,\"n\":1}}", "$[*]"},
        {"true", "[{\"secret\":[{\"n\":1,\"n\":1}]}]", "$[0][*][0]"},
        {"{\"additionalProperties\":{\"properties\":{\"a\":{}}}}",
         "{\"secret\":{\"a\":{\"secret\":1,\"secret\":1}}}", "$[*].a"},
        {"{\"properties\":{\"a\":{\"properties\":{\"b\":{}}},\"list\":{\"items\":{\"properties\":{\"c\":{}}}}"
         "}}",
         "{\"a\":{\"b\":{\"secret\":{\"secret\":1,\"secret\":1}}}}", "$.a.b[*]"},
        {"{\"properties\":{\"a\":{},\"list\":{\"type\":\"array\",\"items\":{\"properties\":{\"c\":{}}}}}}",
         "{\"list\":[1,{\"c\":{\"secret\":1,\"secret\":1}}]}", "$.list[1].c"},
        {"{\"patternProperties\":{\"^s\":{}}}", "{\"secret\":{\"n\":1,\"n\":1}}", "$[*]"},
        {"{\"anyOf\":[{\"properties\":{\"a\":{\"properties\":{\"b\":{}}}}},{}]}",
         "{\"a\":{\"secret\":{\"n\":1,\"n\":1}}}", "$.a[*]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct program *program = program_of(rows[i].schema, NULL);
        struct program_fault fault = {0};
        struct bytes payload = bytes_of(rows[i].payload, strlen(rows[i].payload));
        assert_int_equal(program_check_hiding(program, payload, NULL, NULL, &fault), ERR_INVALID_RECORD);
        assert_string_equal(fault.path, rows[i].path);
        assert_string_equal(fault.text, "a member name is there twice");
        program_unref(program);
    }
}

static void put_member(struct buf *out, uint32_t i, bool is_first, bool has_escape)
{
    buf_append_str(out, is_first ? STR("{") : STR(","));
    buf_printf(out, has_escape ? "\"\\u006bey %u\":%u" : "\"key %u\":%u", i, i);
}

// Objects of every size around those at which names are compared in another way; every pair of places.
static void test_sizes(void **state)
{
    (void)state;
    struct program *programs[] = {
        program_of("{}", NULL), program_of("{\"properties\":{\"key 3\":{},\"key 17\":{}}}", NULL),
        program_of("{" D2020 ",\"anyOf\":[{\"required\":[\"key 0\"]}],\"unevaluatedProperties\":{}}", NULL)};
    struct buf text;
    buf_init(&text, 1 << 20);
    for (uint32_t count = 1; count < 72; count++) {
        for (uint32_t twice = 0; twice <= count; twice++) {
            uint32_t late = twice + 1 + (twice * 7 + count) % (count + 1 - twice);
            buf_reset(&text);
            for (uint32_t i = 0; i < count; i++) {
                put_member(&text, twice < count && i == late ? twice : i, i == 0,
                           i == late && count % 2 == 0);
            }
            buf_u8(&text, '}');
            bool is_twice = twice < count && late < count;
            for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
                assert_int_equal(judge(programs[i], buf_bytes(&text), NULL),
                                 is_twice ? ERR_INVALID_RECORD : ERR_OK);
            }
        }
    }
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        program_unref(programs[i]);
    }
    buf_fini(&text);
}

// steps_of counts comparisons: no clock has a say.
static uint64_t steps_of(const struct program *program, const struct buf *text, bool is_unique)
{
    struct run r;
    run_init(&r, buf_bytes(text), NULL, NULL);
    assert_int_equal(names_unique(&r, (const struct jprogram *)program), is_unique);
    assert_false(r.is_given_up);
    uint64_t steps = r.steps;
    run_fini(&r);
    assert_int_equal(judge(program, buf_bytes(text), NULL), is_unique ? ERR_OK : ERR_INVALID_RECORD);
    return steps;
}

static void test_hostile(void **state)
{
    (void)state;
    enum { MEMBERS = 70000, LOG2 = 17, EACH = 1000 };
    struct program *program = program_of("{}", NULL);
    struct buf text;
    buf_init(&text, 4 << 20);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        put_member(&text, i, i == 0, i % 3 == 0);
    }
    size_t len = text.len;
    buf_u8(&text, '}');
    assert_true(text.len >= 1 << 20);
    assert_true(steps_of(program, &text, true) <= (uint64_t)MEMBERS * (LOG2 + 1));
    text.len = len;
    buf_append_str(&text, STR(",\"\\u006Bey 5\":1}"));
    assert_true(steps_of(program, &text, false) <= (uint64_t)(MEMBERS + 1) * (LOG2 + 2));
    // One name, again and again.
    buf_reset(&text);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        put_member(&text, 7, i == 0, i % 2 == 0);
    }
    buf_u8(&text, '}');
    assert_true(steps_of(program, &text, false) <= (uint64_t)MEMBERS * (LOG2 + 2));
    // As many in each of as many objects as may lie within each other.
    buf_reset(&text);
    for (uint32_t depth = 0; depth < PAYLOAD_DEPTH_MAX - 1; depth++) {
        for (uint32_t i = 0; i < EACH; i++) {
            put_member(&text, i, i == 0, false);
        }
        buf_append_str(&text, STR(",\"in\":"));
    }
    buf_append_str(&text, STR("{}"));
    for (uint32_t depth = 0; depth < PAYLOAD_DEPTH_MAX - 1; depth++) {
        buf_u8(&text, '}');
    }
    assert_true(steps_of(program, &text, true) <= (uint64_t)PAYLOAD_DEPTH_MAX * EACH * 12);
    program_unref(program);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
