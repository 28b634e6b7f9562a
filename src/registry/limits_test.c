// SPDX-License-Identifier: Apache-2.0
// limits_test.c - where numbers end, more is removed than is remembered, names are odd, and nothing may grow.
#include <stdio.h>

#include "registry/rig_test.h"

#define BODY(more) "{\"schema\":\"\\\"int\\\"\"" more "}"

static void ids_end(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect_code(&d, "PUT", "/mode/s", "{\"mode\":\"IMPORT\"}", 0);
    expect_code(&d, "POST", "/subjects/s/versions", BODY(",\"id\":2147483647"), 0);
    uint32_t count = core_document_count(d.rig.core);
    expect_code(&d, "POST", "/subjects/t/versions", "{\"schema\":\"\\\"long\\\"\"}", 50001);
    assert_int_equal(core_document_count(d.rig.core), count);
    expect_code(&d, "POST", "/subjects/t/versions", BODY(""), 0); // has its id
    expect(&d, "GET", "/schemas/ids/2147483647/versions", NULL,
           "[{\"subject\":\"s\",\"version\":1},{\"subject\":\"t\",\"version\":1}]");
    desk_fini(&d);
}

static void last_id(struct desk *d)
{
    assert_int_equal(desk_ask_first(d, "POST", "/subjects/u/versions", "{\"schema\":\"\\\"bytes\\\"\"}"), 0);
}

static void ids_end_for_one_of_two(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect_code(&d, "PUT", "/mode/s", "{\"mode\":\"IMPORT\"}", 0);
    expect_code(&d, "POST", "/subjects/s/versions", BODY(",\"id\":2147483646"), 0);
    d.overtake = last_id;
    expect_code(&d, "POST", "/subjects/t/versions", "{\"schema\":\"\\\"long\\\"\"}", 50001);
    desk_fini(&d);
}

static void versions_end(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect_code(&d, "PUT", "/mode/s", "{\"mode\":\"IMPORT\"}", 0);
    expect_code(&d, "POST", "/subjects/s/versions", BODY(",\"id\":7,\"version\":2147483647"), 0);
    expect_code(&d, "POST", "/subjects/s/versions", "{\"schema\":\"\\\"long\\\"\",\"id\":8}", 42205);
    expect_code(&d, "POST", "/subjects/s/versions", "{\"schema\":\"\\\"long\\\"\",\"id\":8,\"version\":3}",
                0);
    expect(&d, "GET", "/subjects/s/versions", NULL, "[3,2147483647]");
    desk_fini(&d);
}

static void names_are_not_cut(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect_code(&d, "POST", "/contexts/c/subjects/a%00b/versions", BODY(""), 42208);
    expect_code(&d, "POST", "/contexts/c%00d/subjects/a/versions", BODY(""), 42208);
    expect_code(&d, "POST", "/subjects/a%00b/versions", BODY(""), 42208);
    expect_code(&d, "PUT", "/config/:.c%00:", "{\"compatibility\":\"NONE\"}", 42208);
    expect_code(&d, "PUT", "/mode/%00", "{\"mode\":\"READONLY\"}", 42208);
    expect_code(&d, "DELETE", "/contexts/c%00d", NULL, 42208);
    expect_code(&d, "POST", "/contexts/c/subjects/a/versions", BODY(""), 0);
    expect(&d, "GET", "/subjects", NULL, "[\":.c:a\"]");
    expect(&d, "GET", "/contexts/c/subjects?subjectPrefix=a%00", NULL, "[]");
    desk_fini(&d);
}

// More removals than the core remembers, unseen by one registry.
static void many_removals_are_followed(void **state)
{
    (void)state;
    enum { SUBJECTS = 2500 };
    char target[100];
    struct desk d;
    struct desk other = {0};
    desk_init(&d);
    for (int i = 0; i < SUBJECTS; i++) {
        snprintf(target, sizeof target, "/contexts/c%d/subjects/s%d/versions", i % 50, i * 7919 % SUBJECTS);
        expect_code(&d, "POST", target, BODY(""), 0);
    }
    other.rig.core = d.rig.core;
    arena_init(&other.arena, REGISTRY_CALL_BYTES_MAX);
    desk_restart(&other);
    ask(&other, "GET", "/subjects", NULL);
    assert_int_equal(other.json->count, SUBJECTS);
    for (int i = 0; i < SUBJECTS - 1; i++) {
        snprintf(target, sizeof target, "/contexts/c%d/subjects/s%d", i % 50, i * 7919 % SUBJECTS);
        expect_code(&d, "DELETE", target, NULL, 0);
        strncat(target, "?permanent=true", sizeof target - strlen(target) - 1);
        expect_code(&d, "DELETE", target, NULL, 0);
    }
    ask(&other, "GET", "/subjects", NULL);
    assert_int_equal(other.json->count, 1);
    ask(&other, "GET", "/contexts", NULL);
    assert_int_equal(other.json->count, 2);
    registry_destroy(other.registry);
    arena_fini(&other.arena);
    mem_free(other.text);
    desk_fini(&d);
}

static void names_stay_in_order(void **state)
{
    (void)state;
    enum { SUBJECTS = 700 };
    char target[100];
    struct desk d;
    desk_init(&d);
    for (int i = 0; i < SUBJECTS; i++) {
        snprintf(target, sizeof target, "/subjects/s%d/versions", i * 7919 % SUBJECTS);
        expect_code(&d, "POST", target, BODY(""), 0);
        if (i % 100 == 99) {
            desk_restart(&d);
        }
    }
    ask(&d, "GET", "/subjects", NULL);
    assert_int_equal(d.json->count, SUBJECTS);
    for (const struct json_value *v = d.json->first; v->next != NULL; v = v->next) {
        assert_true(str_compare(v->text, v->next->text) < 0);
    }
    desk_fini(&d);
}

static void cycles_leave_nothing(void **state)
{
    (void)state;
    char body[200];
    struct desk d;
    desk_init(&d);
    uint32_t count = 0;
    uint64_t bytes = 0;
    for (int i = 0; i < 300; i++) {
        snprintf(body, sizeof body,
                 "{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"F\\\",\\\"size\\\":%d}\"}",
                 1000 + i);
        expect_code(&d, "POST", "/subjects/s/versions", body, 0);
        expect_code(&d, "DELETE", "/subjects/s/versions/1", NULL, 0);
        expect_code(&d, "POST", "/subjects/s/versions", body, 0); // the same once more
        expect_code(&d, "DELETE", "/subjects/s", NULL, 0);
        expect_code(&d, "DELETE", "/subjects/s?permanent=true", NULL, 0);
        if (i == 0) {
            count = core_document_count(d.rig.core);
            bytes = core_document_bytes(d.rig.core);
        }
    }
    assert_int_equal(core_document_count(d.rig.core), count);
    assert_int_equal(core_document_bytes(d.rig.core), bytes);
    struct registry_counts counts;
    registry_counts(d.registry, &counts);
    assert_int_equal(counts.schemas + counts.versions + counts.subjects + counts.parsed_bytes, 0);
    desk_fini(&d);
}

static int link_add(struct desk *d, int i)
{
    char target[60];
    char body[300];
    snprintf(target, sizeof target, "/subjects/c%d/versions", i);
    snprintf(body, sizeof body,
             "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"C%d\\\",\\\"fields\\\":[{"
             "\\\"name\\\":\\\"f\\\",\\\"type\\\":\\\"C%d\\\"}]}\",\"references\":[{\"name\":\"C%d\","
             "\"subject\":\"c%d\",\"version\":1}]}",
             i, i - 1, i - 1, i - 1);
    return ask(d, "POST", target, body);
}

// What one link after another makes too deep would not be read again by a registry that has parsed none.
static void chains_end(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    ask(&d, "POST", "/subjects/c0/versions",
        "{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"C0\\\",\\\"size\\\":1}\"}");
    int last = 0;
    while (link_add(&d, last + 1) == 200) {
        last++;
        assert_in_range(last, 1, 100);
    }
    assert_int_equal(desk_code(&d), 42201);
    char target[60];
    snprintf(target, sizeof target, "/subjects/c%d/versions/1?format=resolved", last);
    desk_restart(&d);
    assert_int_equal(ask(&d, "GET", target, NULL), 200);
    assert_int_equal(link_add(&d, last + 1), 422);
    desk_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_end),
        cmocka_unit_test(ids_end_for_one_of_two),
        cmocka_unit_test(versions_end),
        cmocka_unit_test(names_are_not_cut),
        cmocka_unit_test(many_removals_are_followed),
        cmocka_unit_test(names_stay_in_order),
        cmocka_unit_test(cycles_leave_nothing),
        cmocka_unit_test(chains_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
