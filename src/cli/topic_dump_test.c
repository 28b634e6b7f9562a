// SPDX-License-Identifier: Apache-2.0
#include "cli/topic_dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define KEY(subject, version)                                                                                \
    "{\"keytype\":\"SCHEMA\",\"subject\":\"" subject "\",\"version\":" #version ",\"magic\":1}\t"
#define VALUE(subject, version, id, deleted)                                                                 \
    "{\"subject\":\"" subject "\",\"version\":" #version ",\"id\":" #id                                      \
    ",\"schema\":\"\\\"int\\\"\",\"deleted\":" #deleted "}\n"

static const char dump[] = "{\"keytype\":\"NOOP\",\"magic\":0}\tnull\n" KEY("b", 1) VALUE("b", 1, 2, false)
    KEY("a", 1) VALUE("a", 1, 1, false) KEY("a", 1) VALUE("a", 1, 1, true) KEY("gone", 1) VALUE("gone", 1, 3,
                                                                                                false)
        KEY("gone",
            1) "null\n"
               "{\"keytype\":\"CONFIG\",\"subject\":null,\"magic\":0}\t{\"compatibilityLevel\":\"FULL\"}\n"
               "{\"keytype\":\"CONFIG\",\"subject\":\"b\",\"magic\":0}\t{\"compatibilityLevel\":\"NONE\"}\n"
               "{\"keytype\":\"MODE\",\"subject\":\"b\",\"magic\":0}\t{\"mode\":\"READONLY\"}\n"
               "{\"keytype\":\"ASSOC\",\"subject\":\"b\",\"magic\":0}\t{\"subject\":\"b\"}\n"
               "{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"c\",\"magic\":0}\t{\"subject\":\"c\","
               "\"version\":1}\n" KEY("c", 1) VALUE("c", 1, 4, false) KEY("c", 2) VALUE("c", 2, 5, false);

static int64_t id_of(const struct dumped_schema *schema)
{
    int64_t id = 0;
    assert_true(json_value_i64(json_get(schema->value, STR("id")), &id));
    return id;
}

static void test_last_values_count(void **state)
{
    (void)state;
    struct arena arena;
    struct topic_dump got;
    struct error e = {0};
    arena_init(&arena, 16 << 20);
    assert_int_equal(topic_dump_read(str_from_c(dump), &arena, &got, &e), ERR_OK);
    static const struct {
        int64_t id;
        bool is_deleted;
    } wanted[] = {{1, true}, {2, false}, {4, true}, {5, false}};
    assert_int_equal(got.schema_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(id_of(&got.schemas[i]), wanted[i].id);
        assert_int_equal(got.schemas[i].is_deleted, wanted[i].is_deleted);
    }
    assert_int_equal(got.setting_count, 4);
    assert_null(got.settings[0].subject.ptr);
    struct str level = json_get_str(got.settings[0].value, STR("compatibilityLevel"));
    assert_true(str_equal(level, STR("FULL")));
    static const enum dumped_kind kinds[] = {DUMPED_CONFIG, DUMPED_CONFIG, DUMPED_MODE, DUMPED_ASSOCIATION};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(got.settings[i].kind, kinds[i]);
        assert_true(i == 0 || str_equal(got.settings[i].subject, STR("b")));
    }
    assert_int_equal(got.ignored, 3); // NOOP, the one that is gone, DELETE_SUBJECT
    arena_fini(&arena);
}

static void test_bad_lines(void **state)
{
    (void)state;
    static const char *const rows[] = {"x", "x\ty", "{}\t{}", "{\"keytype\":\"SCHEMA\"}\t{",
                                       "{\"keytype\":1}\tnull"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena;
        struct topic_dump got;
        struct error e = {0};
        arena_init(&arena, 1 << 20);
        assert_int_equal(topic_dump_read(str_from_c(rows[i]), &arena, &got, &e), ERR_INVALID_REQUEST);
        assert_non_null(strstr(e.text, "line 1"));
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_values_count),
        cmocka_unit_test(test_bad_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
