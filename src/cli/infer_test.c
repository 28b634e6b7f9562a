// SPDX-License-Identifier: Apache-2.0
#include "cli/infer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct draft {
    struct arena arena;
    struct shape *shape;
    struct buf out;
    struct str path;
};

static void begin(struct draft *d, const char *const *records, size_t count)
{
    arena_init(&d->arena, 16 << 20);
    buf_init(&d->out, 1 << 20);
    d->shape = infer_new(&d->arena);
    for (size_t i = 0; i < count; i++) {
        struct json_value *record = NULL;
        assert_int_equal(json_parse(str_from_c(records[i]), &d->arena, &record, NULL), ERR_OK);
        assert_true(infer_record(d->shape, record));
    }
}

static void end(struct draft *d)
{
    buf_fini(&d->out);
    arena_fini(&d->arena);
}

static void expect_text(struct draft *d, const char *wanted)
{
    buf_u8(&d->out, 0);
    assert_string_equal((const char *)d->out.ptr, wanted);
    buf_reset(&d->out);
}

static const char *const quakes[] = {
    "{\"id\":\"a\",\"magnitude\":4.5,\"depth\":10,\"place\":null,\"tags\":[\"x\"],\"at\":{\"lat\":1.5}}",
    "{\"id\":\"b\",\"magnitude\":5,\"depth\":12,\"place\":\"sea\",\"felt\":7,\"tags\":[],\"at\":{\"lat\":2.5}"
    "}",
};

static void test_drafts(void **state)
{
    (void)state;
    struct draft d;
    begin(&d, quakes, 2);
    infer_json_schema(d.shape, STR("Quake"), &d.out);
    expect_text(
        &d,
        "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"title\":\"Quake\",\"type\":\"object\","
        "\"properties\":{\"id\":{\"type\":\"string\"},\"magnitude\":{\"type\":\"number\"},\"depth\":{"
        "\"type\":"
        "\"integer\"},\"place\":{\"type\":[\"null\",\"string\"]},\"tags\":{\"type\":\"array\",\"items\":{"
        "\"type\":"
        "\"string\"}},\"at\":{\"type\":\"object\",\"properties\":{\"lat\":{\"type\":\"number\"}},"
        "\"required\":["
        "\"lat\"]},\"felt\":{\"type\":\"integer\"}},\"required\":[\"id\",\"magnitude\",\"depth\",\"place\","
        "\"tags\",\"at\"]}");
    assert_true(infer_avro(d.shape, STR("Quake"), &d.out, &d.path));
    expect_text(
        &d,
        "{\"type\":\"record\",\"name\":\"Quake\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"},{\"name\":"
        "\"magnitude\",\"type\":\"double\"},{\"name\":\"depth\",\"type\":\"long\"},{\"name\":\"place\","
        "\"type\":["
        "\"null\",\"string\"],\"default\":null},{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":"
        "\"string\"}},{\"name\":\"at\",\"type\":{\"type\":\"record\",\"name\":\"Quake_at\",\"fields\":[{"
        "\"name\":"
        "\"lat\",\"type\":\"double\"}]}},{\"name\":\"felt\",\"type\":[\"null\",\"long\"],\"default\":null}]"
        "}");
    end(&d);
}

static void test_what_avro_lacks(void **state)
{
    (void)state;
    static const struct {
        const char *record;
        const char *path;
    } rows[] = {
        {"{\"a\":{\"b-c\":1}}", "$.a.b-c"},
        {"{\"a\":[[1,\"x\"]]}", "$.a[][]"},
        {"{\"a\":[null]}", "$.a"},
        {"{\"a\":[]}", "$.a"},
        {"[1]", "$"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct draft d;
        begin(&d, &rows[i].record, 1);
        assert_false(infer_avro(d.shape, STR("R"), &d.out, &d.path));
        assert_true(str_equal(d.path, str_from_c(rows[i].path)));
        end(&d);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct draft d;
    begin(&d, NULL, 0);
    struct buf deep;
    buf_init(&deep, 1 << 20);
    for (int i = 0; i < INFER_DEPTH_MAX + 2; i++) {
        buf_append_str(&deep, STR("["));
    }
    for (int i = 0; i < INFER_DEPTH_MAX + 2; i++) {
        buf_append_str(&deep, STR("]"));
    }
    struct json_value *record = NULL;
    assert_int_equal(json_parse(buf_str(&deep), &d.arena, &record, NULL), ERR_OK);
    assert_false(infer_record(d.shape, record));
    buf_reset(&deep);
    buf_u8(&deep, '{');
    for (int i = 0; i <= INFER_FIELDS_MAX; i++) {
        buf_printf(&deep, "%s\"f%d\":1", i == 0 ? "" : ",", i);
    }
    buf_u8(&deep, '}');
    assert_int_equal(json_parse(buf_str(&deep), &d.arena, &record, NULL), ERR_OK);
    struct shape *fresh = infer_new(&d.arena);
    assert_false(infer_record(fresh, record));
    buf_fini(&deep);
    end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drafts),
        cmocka_unit_test(test_what_avro_lacks),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
