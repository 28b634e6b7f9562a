// SPDX-License-Identifier: Apache-2.0
// policy_test.c - /config and /mode, and what they mean for a subject.
#include "registry/rig_test.h"

#define SCHEMA_A "schema/./00000000-0000-0000-0000-00000000000a"

// a_subject has one version of one schema, put there without the registration's checks.
static void a_subject(struct desk *desk, const char *name, const char *state)
{
    char key[200];
    if (core_document_find(desk->rig.core, STR(SCHEMA_A)) == NULL) {
        desk_document(desk, SCHEMA_A, "{\"schemaType\":\"AVRO\",\"schema\":\"\\\"int\\\"\"}", 1);
    }
    snprintf(key, sizeof key, "version/%s/0000000001", name);
    desk_document(desk, key, state, 1);
    snprintf(key, sizeof key, "subject/%s", name);
    desk_document(desk, key, "", 1);
}

static bool has_document(struct desk *desk, const char *key)
{
    return core_document_find(desk->rig.core, str_from_c(key)) != NULL;
}

static void config_is_asked_and_set(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect(&d, "GET", "/config", NULL, "{\"compatibilityLevel\":\"BACKWARD\"}");
    expect(&d, "PUT", "/config", "{\"compatibility\":\"full\",\"unknown\":1}",
           "{\"compatibility\":\"FULL\"}");
    expect(&d, "GET", "/config", NULL, "{\"compatibilityLevel\":\"FULL\"}");
    expect(&d, "GET", "/config/s", NULL,
           "{\"error_code\":40408,\"message\":\"Subject 's' does not have subject-level compatibility "
           "configured\"}");
    assert_int_equal(d.status, 404);
    expect(&d, "GET", "/config/s?defaultToGlobal=true", NULL, "{\"compatibilityLevel\":\"FULL\"}");
    expect(&d, "PUT", "/config/s", "{\"compatibility\":\"NONE\"}", "{\"compatibility\":\"NONE\"}");
    expect(&d, "GET", "/config/s", NULL, "{\"compatibilityLevel\":\"NONE\"}");
    expect(&d, "GET", "/config/:.:s", NULL, "{\"compatibilityLevel\":\"NONE\"}");
    desk_restart(&d);
    expect(&d, "GET", "/config/s", NULL, "{\"compatibilityLevel\":\"NONE\"}");
    expect(&d, "DELETE", "/config/s", NULL, "{\"compatibilityLevel\":\"NONE\"}");
    expect(&d, "DELETE", "/config/s", NULL, "{\"error_code\":40401,\"message\":\"Subject 's' not found.\"}");
    expect(&d, "DELETE", "/config", NULL, "{\"compatibilityLevel\":\"FULL\"}");
    expect(&d, "DELETE", "/config", NULL, "{\"compatibilityLevel\":\"BACKWARD\"}");
    assert_int_equal(core_document_count(d.rig.core), 0);
    desk_fini(&d);
}

static void config_keeps_what_is_not_named(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect(&d, "PUT", "/config/s",
           "{\"normalize\":true,\"compatibilityGroup\":\"g\",\"alias\":\"t\",\"aliasForDeks\":\"u\","
           "\"validateFields\":false,\"validateRules\":true,\"validateNewSchemas\":false,"
           "\"compatibilityPolicy\":\"lenient\","
           "\"overrideMetadata\":{\"properties\":{\"a\":\"b\"},\"tags\":null},"
           "\"defaultRuleSet\":{\"domainRules\":[{\"name\":\"r\",\"type\":\"CEL\",\"doc\":null}]}}",
           "{\"alias\":\"t\",\"aliasForDeks\":\"u\",\"normalize\":true,\"validateFields\":false,"
           "\"validateNewSchemas\":false,\"validateRules\":true,\"compatibilityPolicy\":\"LENIENT\","
           "\"compatibilityGroup\":\"g\",\"overrideMetadata\":{\"properties\":{\"a\":\"b\"}},"
           "\"defaultRuleSet\":{\"domainRules\":[{\"name\":\"r\",\"type\":\"CEL\"}]}}");
    expect(&d, "PUT", "/config/s",
           "{\"compatibility\":\"FORWARD_TRANSITIVE\",\"normalize\":null,\"overrideMetadata\":null,"
           "\"defaultRuleSet\":null,\"aliasForDeks\":\"\",\"validateFields\":null,\"validateRules\":null}",
           "{\"alias\":\"t\",\"validateNewSchemas\":false,\"compatibility\":\"FORWARD_TRANSITIVE\","
           "\"compatibilityPolicy\":\"LENIENT\",\"compatibilityGroup\":\"g\"}");
    // What changes nothing is not ordered.
    uint64_t serial = core_document_serial(d.rig.core);
    expect_code(&d, "PUT", "/config/s", "{}", 0);
    expect_code(&d, "PUT", "/config/s", "{\"compatibility\":\"forward_transitive\"}", 0);
    assert_int_equal(core_document_serial(d.rig.core), serial);
    expect(&d, "GET", "/config/s", NULL,
           "{\"alias\":\"t\",\"validateNewSchemas\":false,\"compatibilityLevel\":\"FORWARD_TRANSITIVE\","
           "\"compatibilityPolicy\":\"LENIENT\",\"compatibilityGroup\":\"g\"}");
    desk_fini(&d);
}

static void config_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int code;
    } rows[] = {
        {NULL, 422},
        {"", 422},
        {"{", 400},
        {"[]", 422},
        {"{\"compatibility\":\"SOMETIMES\"}", 42203},
        {"{\"compatibility\":\"\"}", 42203},
        {"{\"compatibility\":7}", 42203},
        {"{\"compatibility\":[\"FULL\"]}", 42203},
        {"{\"compatibilityPolicy\":\"LOGICAL\"}", 42203},
        {"{\"compatibilityPolicy\":false}", 42203},
        {"{\"compatibilityGroup\":{}}", 422},
        {"{\"alias\":1}", 422},
        {"{\"alias\":\"a\\u0001\"}", 42208},
        {"{\"aliasForDeks\":[]}", 422},
        {"{\"normalize\":\"true\"}", 422},
        {"{\"validateFields\":1}", 422},
        {"{\"validateNewSchemas\":{}}", 422},
        {"{\"validateRules\":[]}", 422},
        {"{\"defaultMetadata\":[]}", 422},
        {"{\"overrideMetadata\":{\"tags\":{\"a\":\"b\"}}}", 422},
        {"{\"defaultRuleSet\":7}", 42210},
        {"{\"overrideRuleSet\":{\"domainRules\":[{\"name\":\"r\"}]}}", 42210},
    };
    struct desk d;
    desk_init(&d);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_code(&d, "PUT", "/config/s", rows[i].body, rows[i].code);
    }
    static const char *const subjects[] = {"__GLOBAL", "__EMPTY", "a%01b", "%7f", ":.x:__GLOBAL"};
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        char path[100];
        snprintf(path, sizeof path, "/config/%s", subjects[i]);
        expect_code(&d, "PUT", path, "{}", 42208);
        snprintf(path, sizeof path, "/mode/%s", subjects[i]);
        expect_code(&d, "GET", path, NULL, 42208);
    }
    expect_code(&d, "GET", "/contexts/a%3ab/config", NULL, 42208);
    assert_int_equal(core_document_count(d.rig.core), 0);
    desk_fini(&d);
}

static void scopes_are_looked_through(void **state)
{
    (void)state;
    struct desk d;
    struct subject_config config;
    desk_init(&d);
    expect_code(&d, "PUT", "/config/:.__GLOBAL:", "{\"compatibility\":\"NONE\",\"normalize\":true}", 0);
    expect_code(&d, "PUT", "/config/:.c:", "{\"defaultMetadata\":{\"tags\":{\"a\":[\"b\"]}}}", 0);
    expect_code(&d, "PUT", "/contexts/c/config/s", "{\"compatibility\":\"FULL\",\"alias\":\"t\"}", 0);
    assert_true(has_document(&d, "config/:.c:s"));
    expect(&d, "GET", "/contexts/.c/config", NULL, "{\"defaultMetadata\":{\"tags\":{\"a\":[\"b\"]}}}");
    expect(&d, "GET", "/config/:.c:s?defaultToGlobal=true", NULL,
           "{\"alias\":\"t\",\"normalize\":true,\"compatibilityLevel\":\"FULL\"}");
    // The context's block holds where the subject has none; what it does not say comes from further up.
    expect(&d, "GET", "/config/:.c:other?defaultToGlobal=true", NULL,
           "{\"normalize\":true,\"compatibilityLevel\":\"NONE\",\"defaultMetadata\":{\"tags\":{\"a\":[\"b\"]}"
           "}}");
    expect(&d, "GET", "/config", NULL, "{\"normalize\":true,\"compatibilityLevel\":\"NONE\"}");
    config_resolve(d.registry, STR(":.c:s"), &d.arena, &config);
    assert_true(str_equal(config.compatibility, STR("FULL")));
    assert_true(str_equal(config.compatibility_policy, STR("STRICT")));
    assert_true(config.normalize && config.validate_new_schemas && !config.validate_rules);
    assert_null(config.default_metadata);
    assert_null(config.compatibility_group.ptr);
    config_resolve(d.registry, STR(":.d:s"), &d.arena, &config);
    assert_true(str_equal(config.compatibility, STR("NONE")));
    assert_true(str_equal(alias_resolve(d.registry, STR(":.c:s"), &d.arena), STR(":.c:t")));
    assert_true(str_equal(alias_resolve(d.registry, STR("s"), &d.arena), STR("s")));
    desk_fini(&d);
}

static void change_config(struct desk *d)
{
    desk_document(d, "config/s", "{\"alias\":\"t\"}", 0);
}

static void make_readonly(struct desk *d)
{
    desk_document(d, "mode/:.__GLOBAL:", "READONLY", 0);
}

static void what_comes_first_is_seen(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    d.overtake = change_config;
    expect(&d, "PUT", "/config/s", "{\"normalize\":true}", "{\"alias\":\"t\",\"normalize\":true}");
    assert_int_equal(d.tries, 2);
    d.overtake = change_config;
    expect(&d, "DELETE", "/config/s", NULL, "{\"alias\":\"t\"}");
    assert_int_equal(d.tries, 2);
    d.overtake = make_readonly;
    expect_code(&d, "PUT", "/config/s", "{\"normalize\":true}", 42205);
    expect_code(&d, "DELETE", "/config/s", NULL, 40401);
    expect_code(&d, "PUT", "/config", "{\"normalize\":true}", 42205);
    desk_fini(&d);
}

static void modes_are_asked_and_set(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect(&d, "GET", "/mode", NULL, "{\"mode\":\"READWRITE\"}");
    expect(&d, "GET", "/mode/s", NULL,
           "{\"error_code\":40409,\"message\":\"Subject 's' does not have subject-level mode configured\"}");
    expect(&d, "GET", "/mode/s?defaultToGlobal=TRUE", NULL, "{\"mode\":\"READWRITE\"}");
    expect(&d, "PUT", "/mode", "{\"mode\":\"readonly\"}", "{\"mode\":\"READONLY\"}");
    expect(&d, "GET", "/mode/s?defaultToGlobal=true", NULL, "{\"mode\":\"READONLY\"}");
    expect(&d, "GET", "/mode/:.c:s?defaultToGlobal=true", NULL, "{\"mode\":\"READWRITE\"}");
    expect(&d, "PUT", "/mode/s", "{\"mode\":\"READWRITE\"}", "{\"mode\":\"READWRITE\"}");
    expect(&d, "GET", "/mode/s", NULL, "{\"mode\":\"READWRITE\"}");
    expect_code(&d, "PUT", "/config/s", "{}", 0);
    expect_code(&d, "PUT", "/config/t", "{}", 42205);
    expect(&d, "PUT", "/mode", "{\"mode\":\"READONLY_OVERRIDE\"}", "{\"mode\":\"READONLY_OVERRIDE\"}");
    expect(&d, "GET", "/mode/:.c:s?defaultToGlobal=true", NULL, "{\"mode\":\"READONLY_OVERRIDE\"}");
    expect_code(&d, "PUT", "/config/s", "{\"normalize\":true}", 42205);
    expect(&d, "DELETE", "/mode", NULL, "{\"mode\":\"READONLY_OVERRIDE\"}");
    expect(&d, "DELETE", "/mode", NULL, "{\"mode\":\"READWRITE\"}");
    expect(&d, "DELETE", "/mode/s", NULL, "{\"mode\":\"READWRITE\"}");
    expect_code(&d, "DELETE", "/mode/s", NULL, 40401);
    static const char *const wrong[] = {"{}", "{\"mode\":null}", "{\"mode\":\"\"}", "{\"mode\":\"WRITE\"}",
                                        "{\"mode\":[\"IMPORT\"]}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        expect_code(&d, "PUT", "/mode/s", wrong[i], 42204);
    }
    expect_code(&d, "PUT", "/mode/s", "{\"mode\":\"FORWARD\"}", 42205);
    expect_code(&d, "PUT", "/mode", "{\"mode\":\"FORWARD\"}", 42205);
    expect_code(&d, "PUT", "/mode/:.__GLOBAL:", "{\"mode\":\"FORWARD\"}", 0);
    expect(&d, "GET", "/mode/s?defaultToGlobal=true", NULL, "{\"mode\":\"FORWARD\"}");
    desk_fini(&d);
}

static void modes_go_with_their_scope(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    a_subject(&d, "a", "");
    a_subject(&d, "b", "");
    expect_code(&d, "PUT", "/mode/a", "{\"mode\":\"READONLY\"}", 0);
    expect_code(&d, "PUT", "/mode/b", "{\"mode\":\"READONLY\"}", 0);
    expect_code(&d, "PUT", "/mode/:.c:", "{\"mode\":\"READONLY\"}", 0);
    expect_code(&d, "DELETE", "/mode/a?recursive=true", NULL, 0);
    assert_true(has_document(&d, "mode/b"));
    expect(&d, "DELETE", "/mode?recursive=true", NULL, "{\"mode\":\"READWRITE\"}");
    assert_false(has_document(&d, "mode/b"));
    assert_true(has_document(&d, "mode/:.c:"));
    desk_fini(&d);
}

static void import_live(struct desk *d)
{
    a_subject(d, "s", "");
}

static void import_wants_an_empty_place(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    a_subject(&d, "s", "");
    a_subject(&d, "gone", "deleted");
    expect(&d, "PUT", "/mode", "{\"mode\":\"IMPORT\"}",
           "{\"error_code\":42205,\"message\":\"Cannot import since found existing subjects\"}");
    expect_code(&d, "PUT", "/mode/s", "{\"mode\":\"IMPORT\"}", 42205);
    expect_code(&d, "PUT", "/mode/:.__GLOBAL:", "{\"mode\":\"IMPORT\"}", 42205);
    expect_code(&d, "PUT", "/mode/:.c:", "{\"mode\":\"IMPORT\"}", 0);
    assert_true(has_document(&d, "version/gone/0000000001"));
    expect_code(&d, "PUT", "/mode/gone", "{\"mode\":\"IMPORT\"}", 0);
    assert_false(has_document(&d, "version/gone/0000000001"));
    assert_false(has_document(&d, "subject/gone"));
    assert_null(index_subject(d.registry, STR("gone")));
    a_subject(&d, "gone", "deleted");
    expect_code(&d, "PUT", "/mode?force=true", "{\"mode\":\"IMPORT\"}", 0);
    assert_true(has_document(&d, "version/gone/0000000001"));
    assert_true(has_document(&d, "version/s/0000000001"));
    // Softly deleted, but then there is another version before the item's turn.
    expect_code(&d, "PUT", "/mode", "{\"mode\":\"READWRITE\"}", 0);
    a_subject(&d, "s", "deleted");
    d.overtake = import_live;
    expect_code(&d, "PUT", "/mode/s", "{\"mode\":\"IMPORT\"}", 42205);
    assert_true(has_document(&d, "version/s/0000000001"));
    a_subject(&d, "s", "deleted");
    expect_code(&d, "PUT", "/mode", "{\"mode\":\"IMPORT\"}", 0);
    assert_false(has_document(&d, "version/s/0000000001"));
    expect_code(&d, "PUT", "/mode", "{\"mode\":\"READWRITE\"}", 0);
    expect_code(&d, "DELETE", "/mode/:.c:", NULL, 0);
    desk_fini(&d);
}

static void import_clears_what_is_shared_too(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    static const char *const paths[] = {"/subjects/a", "/subjects/b", "/subjects/:.c:a"};
    const char *body = "{\"schema\":\"\\\"int\\\"\"}";
    expect_code(&d, "POST", "/subjects/a/versions", body, 0);
    expect_code(&d, "POST", "/subjects/b/versions", body, 0);
    expect_code(&d, "POST", "/subjects/:.c:a/versions", body, 0);
    for (size_t i = 0; i < 3; i++) {
        expect_code(&d, "DELETE", paths[i], NULL, 0);
    }
    expect_code(&d, "PUT", "/mode/a", "{\"mode\":\"IMPORT\"}", 0);
    assert_int_equal(d.registry->schema_count, 2);
    expect_code(&d, "PUT", "/mode", "{\"mode\":\"IMPORT\"}", 0);
    assert_int_equal(d.registry->schema_count, 1);
    assert_int_equal(d.registry->subject_count, 1);
    desk_restart(&d);
    expect(&d, "GET", "/subjects?deleted=true", NULL, "[\":.c:a\"]");
    assert_int_equal(d.registry->schema_count, 1);
    desk_fini(&d);
}

static void register_another(struct desk *d)
{
    assert_int_equal(desk_ask_first(d, "POST", "/subjects/new/versions", "{\"schema\":\"\\\"int\\\"\"}"), 0);
}

static void import_sees_what_is_registered_first(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    d.overtake = register_another;
    expect_code(&d, "PUT", "/mode", "{\"mode\":\"IMPORT\"}", 42205);
    expect_code(&d, "DELETE", "/subjects/new", NULL, 0);
    expect_code(&d, "DELETE", "/subjects/new?permanent=true", NULL, 0);
    d.overtake = register_another;
    expect_code(&d, "PUT", "/mode/new", "{\"mode\":\"IMPORT\"}", 42205);
    desk_fini(&d);
}

static void large_and_deep_bodies(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    struct desk d;
    desk_init(&d);
    char *body = large_config(SIZE);
    ask(&d, "PUT", "/config", body);
    assert_int_equal(d.status, 413);
    memset(body, '[', SIZE);
    body[SIZE] = 0;
    ask(&d, "PUT", "/config", body);
    assert_true(d.status >= 400 && d.status < 500);
    memcpy(body, "{\"defaultRuleSet\":", 18);
    ask(&d, "PUT", "/config", body);
    assert_true(d.status >= 400 && d.status < 500);
    mem_free(body);
    desk_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_is_asked_and_set),
        cmocka_unit_test(config_keeps_what_is_not_named),
        cmocka_unit_test(config_refuses),
        cmocka_unit_test(scopes_are_looked_through),
        cmocka_unit_test(what_comes_first_is_seen),
        cmocka_unit_test(modes_are_asked_and_set),
        cmocka_unit_test(modes_go_with_their_scope),
        cmocka_unit_test(import_wants_an_empty_place),
        cmocka_unit_test(import_clears_what_is_shared_too),
        cmocka_unit_test(import_sees_what_is_registered_first),
        cmocka_unit_test(large_and_deep_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
