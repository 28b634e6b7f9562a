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

enum { PIECES = 3, VERSIONS = 6000, LONG_VERSIONS = 12, LONG_BYTES = 120000, CONTEXTS = 200 };

static void version_put(struct desk *d, int number)
{
    char body[128];
    snprintf(body, sizeof body,
             "{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"F\\\",\\\"size\\\":%d}\"}", number);
    expect_code(d, "POST", "/subjects/s/versions", body, 0);
}

// More versions than one item takes.
static void many_versions_go_in_pieces(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect_code(&d, "PUT", "/config", "{\"compatibility\":\"NONE\"}", 0);
    uint32_t before = core_document_count(d.rig.core);
    for (int i = 1; i <= VERSIONS; i++) {
        version_put(&d, i);
    }
    uint64_t items = d.items;
    expect_code(&d, "DELETE", "/subjects/s", NULL, 0);
    assert_int_equal(d.json->count, VERSIONS);
    assert_true(d.items - items > 1);
    expect_code(&d, "DELETE", "/subjects/s", NULL, 40404);
    items = d.items;
    expect_code(&d, "DELETE", "/subjects/s?permanent=true", NULL, 0);
    assert_int_equal(d.json->count, VERSIONS);
    int64_t last = 0;
    assert_true(json_value_i64(d.json->last, &last) && last == VERSIONS);
    assert_true(d.items - items > PIECES);
    expect_code(&d, "GET", "/subjects/s/versions?deleted=true", NULL, 40401);
    assert_int_equal(core_document_count(d.rig.core), before + 1); // the counter of ids
    desk_fini(&d);
}

static void refer_first(struct desk *d)
{
    assert_int_equal(
        desk_ask_first(d, "POST", "/subjects/other/versions",
                       "{\"schema\":\"\\\"F\\\"\",\"references\":[{\"name\":\"F\",\"subject\":\"s\","
                       "\"version\":5900}]}"),
        0);
}

// What others refer to keeps the whole subject, not only what comes behind it.
static void what_is_referred_to_does_not_go_by_half(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect_code(&d, "PUT", "/config", "{\"compatibility\":\"NONE\"}", 0);
    for (int i = 1; i <= VERSIONS; i++) {
        version_put(&d, i);
    }
    refer_first(&d);
    expect_code(&d, "DELETE", "/subjects/s", NULL, 42206);
    expect_code(&d, "GET", "/subjects/s/versions/1", NULL, 0);
    expect_code(&d, "DELETE", "/subjects/other", NULL, 0);
    expect_code(&d, "DELETE", "/subjects/s", NULL, 0);
    assert_int_equal(d.json->count, VERSIONS);
    desk_fini(&d);
}

static const char *long_body(struct buf *out, int number, const char *type)
{
    out->len = 0;
    buf_printf(out, "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R\\\",\\\"doc\\\":\\\"");
    for (int i = 0; i < LONG_BYTES; i++) {
        buf_u8(out, 'x');
    }
    buf_printf(out, "%d\\\",\\\"fields\\\":[{\\\"name\\\":\\\"f\\\",\\\"type\\\":\\\"%s\\\"}]}\"}", number,
               type);
    buf_u8(out, 0);
    return (const char *)out->ptr;
}

// A comparison with many large versions lets others have their turn, and comes to the same verdict.
static void comparing_takes_turns(void **state)
{
    (void)state;
    struct desk d;
    struct buf body;
    desk_init(&d);
    buf_init(&body, 1 << 20);
    expect_code(&d, "PUT", "/config", "{\"compatibility\":\"BACKWARD_TRANSITIVE\"}", 0);
    expect_code(&d, "POST", "/subjects/s/versions?force=true", long_body(&body, 0, "string"), 0);
    for (int i = 1; i < LONG_VERSIONS; i++) {
        expect_code(&d, "POST", "/subjects/s/versions?force=true", long_body(&body, i, "long"), 0);
    }
    uint32_t turns = d.turns;
    expect_code(&d, "POST", "/subjects/s/versions", long_body(&body, 99, "long"), 409);
    assert_non_null(strstr(d.text, "{oldSchemaVersion: 1}"));
    assert_true(d.turns - turns >= 3);
    assert_int_equal(d.tries, 1);
    turns = d.turns;
    expect_code(&d, "POST", "/compatibility/subjects/s/versions", long_body(&body, 99, "long"), 0);
    assert_string_equal(d.text, "{\"is_compatible\":false}");
    assert_true(d.turns > turns);
    expect_code(&d, "DELETE", "/subjects/s/versions/1", NULL, 0);
    expect_code(&d, "POST", "/subjects/s/versions", long_body(&body, 99, "long"), 0);
    buf_fini(&body);
    desk_fini(&d);
}

static const char *one_of(struct buf *out, int from)
{
    out->len = 0;
    buf_printf(out, "{\"schemaType\":\"JSON\",\"schema\":\"{\\\"oneOf\\\":[");
    for (int i = 0; i < 5000; i++) {
        buf_printf(out, "%s{\\\"const\\\":%d}", i == 0 ? "" : ",", i + from);
    }
    buf_printf(out, "]}\"}");
    buf_u8(out, 0);
    return (const char *)out->ptr;
}

static void what_is_too_tangled_is_said(void **state)
{
    (void)state;
    struct desk d;
    struct buf body;
    desk_init(&d);
    buf_init(&body, 1 << 20);
    expect_code(&d, "POST", "/subjects/s/versions", one_of(&body, 0), 0);
    expect_code(&d, "POST", "/subjects/s/versions", one_of(&body, 1), 42201);
    assert_non_null(strstr(d.text, "could not be compared"));
    expect_code(&d, "POST", "/compatibility/subjects/s/versions/latest", one_of(&body, 1), 42201);
    expect_code(&d, "PUT", "/config/s", "{\"compatibility\":\"NONE\"}", 0);
    expect_code(&d, "POST", "/subjects/s/versions", one_of(&body, 1), 0);
    buf_fini(&body);
    desk_fini(&d);
}

static void the_global_context_has_no_subjects(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect_code(&d, "POST", "/subjects/:.__GLOBAL:s/versions", BODY(""), 42208);
    expect_code(&d, "POST", "/contexts/.__GLOBAL/subjects/s/versions", BODY(""), 42208);
    expect_code(&d, "PUT", "/config/:.__GLOBAL:s", "{\"compatibility\":\"NONE\"}", 42208);
    expect_code(&d, "PUT", "/mode/:.__GLOBAL:s", "{\"mode\":\"READONLY\"}", 42208);
    expect_code(&d, "PUT", "/config/:.__GLOBAL:", "{\"compatibility\":\"NONE\"}", 0);
    expect_code(&d, "PUT", "/mode/:.__GLOBAL:", "{\"mode\":\"READWRITE\"}", 0);
    expect(&d, "GET", "/contexts", NULL, "[\".\"]");
    desk_fini(&d);
}

// One content in many contexts: an id in each, found by its context.
static void contents_are_found_by_context(void **state)
{
    (void)state;
    struct desk d;
    char target[64];
    desk_init(&d);
    for (int i = 0; i < CONTEXTS; i++) {
        snprintf(target, sizeof target, "/subjects/:.c%d:s/versions", i);
        expect_code(&d, "POST", target, BODY(""), 0);
        expect_code(&d, "POST", target, BODY(""), 0);
        assert_non_null(strstr(d.text, "\"id\":1,\"version\":1,"));
    }
    char guid[128];
    const char *at = strstr(d.text, "\"guid\":\"");
    snprintf(guid, sizeof guid, "/schemas/guids/%.36s/ids", at + 8);
    expect_code(&d, "GET", guid, NULL, 0);
    assert_int_equal(d.json->count, CONTEXTS);
    expect_code(&d, "DELETE", "/subjects/:.c7:s", NULL, 0);
    expect_code(&d, "DELETE", "/subjects/:.c7:s?permanent=true", NULL, 0);
    expect_code(&d, "GET", guid, NULL, 0);
    assert_int_equal(d.json->count, CONTEXTS - 1);
    expect_code(&d, "GET", "/schemas/ids/1?subject=:.c8:", NULL, 0);
    expect_code(&d, "GET", "/schemas/ids/1?subject=:.c7:", NULL, 40403);
    desk_fini(&d);
}

// However full the registry is, what is in it can be deleted, softly first.
static void a_full_registry_is_emptied(void **state)
{
    (void)state;
    static const char *const told[] = {"?permanent=true", "strom.documents.max", "strom.documents.bytes.max",
                                       "strom.memory.max.bytes", "docs/limits.md"};
    char number[24];
    struct desk d;
    desk_init(&d);
    expect_code(&d, "POST", "/subjects/s/versions", BODY(""), 0);
    expect_code(&d, "POST", "/subjects/t/versions", "{\"schema\":\"\\\"long\\\"\"}", 0);
    snprintf(number, sizeof number, "%llu", (unsigned long long)core_document_bytes(d.rig.core));
    struct item_config limit[] = {{STR("strom.documents.bytes.max"), str_from_c(number)}};
    struct item item = rig_kind(ITEM_CONFIG_SET);
    item.config_set = (struct item_config_set){.configs = limit, .config_count = 1};
    assert_int_equal(rig_one(&d.rig, &item).err, ERR_OK);
    expect_code(&d, "POST", "/subjects/u/versions", BODY(""), 50001);
    struct str said = json_get_str(d.json, STR("message"));
    assert_true(said.len > 0);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        assert_non_null(strstr(said.ptr, told[i]));
    }
    expect_code(&d, "DELETE", "/subjects/s/versions/1", NULL, 0);
    expect_code(&d, "DELETE", "/subjects/s/versions/1?permanent=true", NULL, 0);
    expect_code(&d, "DELETE", "/subjects/t", NULL, 0);
    expect_code(&d, "DELETE", "/subjects/t?permanent=true", NULL, 0);
    expect_code(&d, "POST", "/subjects/u/versions", BODY(""), 0);
    desk_fini(&d);
}

// It is not the request that is too large: it can be sent again.
static void memory_runs_out(void **state)
{
    (void)state;
    enum { BALLAST = 64 << 20, SIZE = 200 << 10 };
    struct desk d;
    desk_init(&d);
    char *body = large_config(SIZE);
    expect_code(&d, "GET", "/config", NULL, 0); // so that the rig has what it needs
    d.arena.gives_way = true;
    void *ballast = mem_alloc(BALLAST);
    mem_cap_set(BALLAST / 2);
    ask(&d, "PUT", "/config", body);
    mem_cap_set(0);
    mem_free(ballast);
    assert_int_equal(d.status, 503);
    expect_code(&d, "PUT", "/config", body, 0);
    mem_free(body);
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
        cmocka_unit_test(many_versions_go_in_pieces),
        cmocka_unit_test(what_is_referred_to_does_not_go_by_half),
        cmocka_unit_test(comparing_takes_turns),
        cmocka_unit_test(what_is_too_tangled_is_said),
        cmocka_unit_test(the_global_context_has_no_subjects),
        cmocka_unit_test(contents_are_found_by_context),
        cmocka_unit_test(a_full_registry_is_emptied),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
