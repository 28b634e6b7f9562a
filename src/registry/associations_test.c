// SPDX-License-Identifier: Apache-2.0
#include "registry/rig_test.h"

#define INT_SCHEMA "{\"schema\":\"\\\"int\\\"\"}"
#define RESOURCE   "\"resourceName\":\"t\",\"resourceNamespace\":\"lkc\",\"resourceId\":\"id1\""
#define VALUE(more)                                                                                          \
    "{" RESOURCE ",\"associations\":[{\"subject\":\"s\",\"associationType\":\"value\"" more "}]}"

static void start(struct desk *d)
{
    desk_init(d);
    expect_code(d, "POST", "/subjects/s/versions", INT_SCHEMA, 0);
    expect_code(d, "POST", "/subjects/k/versions", INT_SCHEMA, 0);
}

static size_t listed(struct desk *d, const char *path)
{
    expect_code(d, "GET", path, NULL, 0);
    assert_int_equal(d->json->type, JSON_ARRAY);
    return d->json->count;
}

static void what_is_unknown_is_an_empty_list(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect(&d, "GET", "/associations/resources/-/t?resourceType=topic&associationType=value", NULL, "[]");
    expect(&d, "GET", "/associations/resources/lkc/t", NULL, "[]");
    expect(&d, "GET", "/associations/resources/id1", NULL, "[]");
    expect(&d, "GET", "/associations/subjects/s", NULL, "[]");
    expect_code(&d, "GET", "/associations/subjects/s?lifecycle=SOFT", NULL, 42212);
    desk_fini(&d);
}

static void associations_are_made_and_found(void **state)
{
    (void)state;
    struct desk d;
    start(&d);
    const char *both =
        "{" RESOURCE ",\"associations\":[{\"subject\":\"s\",\"associationType\":\"value\",\"lifecycle\":"
        "\"STRONG\"},{\"subject\":\"k\",\"associationType\":\"key\"}]}";
    const char *want =
        "{\"resourceName\":\"t\",\"resourceNamespace\":\"lkc\",\"resourceId\":\"id1\",\"resourceType\":"
        "\"topic\",\"associations\":[{\"subject\":\"s\",\"associationType\":\"value\",\"lifecycle\":"
        "\"STRONG\",\"frozen\":false},{\"subject\":\"k\",\"associationType\":\"key\",\"lifecycle\":\"WEAK\","
        "\"frozen\":false}]}";
    expect(&d, "POST", "/associations?dryRun=true", both, want);
    assert_int_equal(listed(&d, "/associations/resources/id1"), 0);
    expect(&d, "POST", "/associations", both, want);
    uint64_t serial = core_document_serial(d.rig.core);
    expect(&d, "POST", "/associations/resources/id1", both, want); // the same again
    assert_int_equal(core_document_serial(d.rig.core), serial);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(listed(&d, "/associations/resources/id1"), 2);
        assert_int_equal(listed(&d, "/associations/resources/-/t"), 2);
        assert_int_equal(listed(&d, "/associations/resources/lkc/t"), 2);
        assert_int_equal(listed(&d, "/associations/resources/other/t"), 0);
        assert_int_equal(listed(&d, "/associations/resources/lkc/t?associationType=key"), 1);
        assert_int_equal(listed(&d, "/associations/resources/lkc/t?associationType=x&associationType=value"),
                         1);
        assert_int_equal(listed(&d, "/associations/resources/lkc/t?associationType=x"), 0);
        assert_int_equal(listed(&d, "/associations/resources/lkc/t?resourceType=table"), 0);
        assert_int_equal(listed(&d, "/associations/resources/lkc/t?lifecycle=WEAK"), 1);
        assert_int_equal(listed(&d, "/associations/resources/lkc/t?limit=1"), 1);
        assert_int_equal(listed(&d, "/associations/subjects/k"), 1);
        desk_restart(&d);
    }
    expect_code(&d, "GET", "/associations/subjects/s", NULL, 0);
    assert_non_null(
        strstr(d.text, "\"resourceName\":\"t\",\"resourceNamespace\":\"lkc\",\"resourceId\":\"id1\","
                       "\"resourceType\":\"topic\",\"associationType\":\"value\",\"lifecycle\":\"STRONG\","
                       "\"frozen\":false}]"));
    // A subject with an association stays.
    expect_code(&d, "DELETE", "/subjects/s", NULL, 40904);
    assert_int_equal(ask(&d, "DELETE", "/associations/resources/id1?associationType=key", NULL), 204);
    assert_int_equal(listed(&d, "/associations/resources/id1"), 1);
    expect_code(&d, "DELETE", "/subjects/k", NULL, 0);
    assert_int_equal(ask(&d, "DELETE", "/associations/resources/id1?cascadeLifecycle=true&dryRun=true", NULL),
                     204);
    assert_int_equal(ask(&d, "DELETE", "/associations/resources/id1?cascadeLifecycle=true", NULL), 204);
    expect_code(&d, "GET", "/subjects/s/versions?deleted=true", NULL, 40401);
    expect_code(&d, "DELETE", "/associations/resources/id1", NULL, 40410);
    expect_code(&d, "POST", "/subjects/s/versions", INT_SCHEMA, 0);
    desk_fini(&d);
}

static void associations_change_within_bounds(void **state)
{
    (void)state;
    struct desk d;
    start(&d);
    expect_code(&d, "PUT", "/associations", VALUE(""), 0);
    expect_code(&d, "POST", "/associations", VALUE(",\"lifecycle\":\"STRONG\""), 40903);
    expect_code(&d, "PUT", "/associations", VALUE(",\"lifecycle\":\"STRONG\""), 0);
    assert_int_equal(listed(&d, "/associations/subjects/s?lifecycle=STRONG"), 1);
    expect_code(&d, "PUT", "/associations", VALUE(",\"frozen\":true"), 42212);
    expect_code(&d, "PUT", "/associations",
                "{" RESOURCE ",\"associations\":[{\"subject\":\"k\",\"associationType\":\"value\"}]}", 42212);
    // Another resource.
    const char *other =
        "{\"resourceName\":\"u\",\"resourceNamespace\":\"lkc\",\"resourceId\":\"id2\",\"associations\":"
        "[{\"subject\":\"s\"}]}";
    expect_code(&d, "PUT", "/associations", other, 40905);
    expect_code(&d, "PUT", "/associations", VALUE(",\"lifecycle\":\"WEAK\""), 0);
    expect_code(&d, "PUT", "/associations", other, 0);
    expect_code(&d, "PUT", "/associations", VALUE(",\"lifecycle\":\"STRONG\""), 40904);
    expect_code(&d, "PUT", "/associations",
                "{" RESOURCE ",\"associations\":[{\"subject\":\"none\",\"associationType\":\"key\"}]}",
                40907);
    expect_code(
        &d, "PUT", "/associations",
        "{\"resourceName\":\"w\",\"resourceNamespace\":\"lkc\",\"resourceId\":\"id3\",\"associations\":["
        "{\"subject\":\"k\",\"associationType\":\"key\",\"lifecycle\":\"STRONG\"},{\"subject\":\"k\"}]}",
        42212);
    expect_code(&d, "PUT", "/mode/k", "{\"mode\":\"READONLY\"}", 0);
    expect_code(&d, "PUT", "/associations",
                "{" RESOURCE ",\"associations\":[{\"subject\":\"k\",\"associationType\":\"key\"}]}", 42205);
    desk_fini(&d);
}

static void what_is_frozen_stays(void **state)
{
    (void)state;
    struct desk d;
    start(&d);
    expect_code(&d, "POST", "/subjects/:.lkc:t-value/versions", INT_SCHEMA, 0);
    desk_document(&d, "association/topic/id1/value",
                  "{\"subject\":\":.lkc:t-value\",\"guid\":\"g\"," RESOURCE ",\"resourceType\":\"topic\","
                  "\"associationType\":\"value\",\"lifecycle\":\"STRONG\",\"frozen\":true}",
                  0);
    expect_code(&d, "PUT", "/associations", "{" RESOURCE ",\"associations\":[{\"lifecycle\":\"WEAK\"}]}",
                40908);
    expect_code(&d, "PUT", "/associations", "{" RESOURCE ",\"associations\":[{\"frozen\":false}]}", 42212);
    expect_code(&d, "PUT", "/associations", "{" RESOURCE ",\"associations\":[{}]}", 0);
    expect_code(&d, "DELETE", "/associations/resources/id1", NULL, 40908);
    assert_int_equal(ask(&d, "DELETE", "/associations/resources/id1?cascadeLifecycle=true", NULL), 204);
    expect(&d, "GET", "/subjects?deleted=true", NULL, "[\"k\",\"s\"]");
    desk_fini(&d);
}

static void requests_are_checked(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{}",
        "{\"resourceName\":7}",
        "{\"resourceName\":\"\",\"resourceNamespace\":\"n\",\"resourceId\":\"i\",\"associations\":[{}]}",
        "{\"resourceName\":\"t\",\"resourceId\":\"i\",\"associations\":[{}]}",
        "{\"resourceName\":\"t\",\"resourceNamespace\":\"n\",\"associations\":[{}]}",
        "{" RESOURCE ",\"resourceType\":\"table\",\"associations\":[{}]}",
        "{" RESOURCE ",\"resourceType\":[],\"associations\":[{}]}",
        "{" RESOURCE "}",
        "{" RESOURCE ",\"associations\":[]}",
        "{" RESOURCE ",\"associations\":{}}",
        "{" RESOURCE ",\"associations\":[null]}",
        "{" RESOURCE ",\"associations\":[7]}",
        VALUE(",\"lifecycle\":\"weak\""),
        VALUE(",\"lifecycle\":{}"),
        VALUE(",\"frozen\":\"true\""),
        VALUE(",\"frozen\":true"),
        VALUE(",\"frozen\":true,\"lifecycle\":\"WEAK\""),
        VALUE(",\"schema\":\"int\""),
        "{" RESOURCE ",\"associations\":[{\"subject\":7}]}",
        "{" RESOURCE ",\"associations\":[{\"subject\":\"s\",\"associationType\":\"header\"}]}",
        "{" RESOURCE ",\"associations\":[{\"subject\":\"s\"},{\"subject\":\"s\"}]}",
        "{" RESOURCE
        ",\"associations\":[{\"subject\":\"s\",\"associationType\":\"key\"},{\"subject\":\"s\"},{}]}",
    };
    struct desk d;
    start(&d);
    uint64_t serial = core_document_serial(d.rig.core);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ask(&d, "POST", "/associations", rows[i]);
        if (desk_code(&d) != 42212) {
            fail_msg("%s: %s", rows[i], d.text);
        }
    }
    expect_code(&d, "POST", "/associations/resources/%ff",
                "{\"resourceName\":\"t\",\"resourceNamespace\":\"n\",\"associations\":[{\"subject\":\"s\"}]}",
                42212);
    expect_code(&d, "POST", "/associations", NULL, 422);
    expect_code(&d, "POST", "/associations", "[", 400);
    expect_code(&d, "PUT", "/associations/resources/other", VALUE(""), 42212);
    expect_code(&d, "POST", "/associations", "{" RESOURCE ",\"associations\":[{\"subject\":\"__GLOBAL\"}]}",
                42208);
    assert_int_equal(core_document_serial(d.rig.core), serial);
    desk_fini(&d);
}

static void delete_first(struct desk *d)
{
    assert_int_equal(desk_ask_first(d, "DELETE", "/subjects/s", NULL), 0);
}

static void associate_first(struct desk *d)
{
    assert_int_equal(desk_ask_first(d, "POST", "/associations", VALUE("")), 0);
}

static void what_comes_first_is_seen(void **state)
{
    (void)state;
    struct desk d;
    start(&d);
    d.overtake = delete_first;
    expect_code(&d, "POST", "/associations", VALUE(""), 40907);
    expect_code(&d, "POST", "/subjects/s/versions", INT_SCHEMA, 0);
    d.overtake = associate_first;
    expect_code(&d, "DELETE", "/subjects/s", NULL, 40904);
    d.overtake = associate_first;
    expect_code(&d, "PUT", "/associations", VALUE(",\"lifecycle\":\"STRONG\""), 0);
    desk_fini(&d);
}

#define USER                                                                                                 \
    "{\"schema\":\"{\\\"type\\\":\\\"array\\\",\\\"items\\\":\\\"R\\\"}\",\"references\":[{\"name\":\"R\","  \
    "\"subject\":"                                                                                           \
    "\"r\",\"version\":1}]}"
#define RECORD "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R\\\",\\\"fields\\\":[]}\"}"
#define STRONG_R                                                                                             \
    "{" RESOURCE                                                                                             \
    ",\"associations\":[{\"subject\":\"r\",\"associationType\":\"value\",\"lifecycle\":\"STRONG\"}]}"

static void refer_first(struct desk *d)
{
    assert_int_equal(desk_ask_first(d, "POST", "/subjects/user/versions", USER), 0);
}

static void make_strong_first(struct desk *d)
{
    assert_int_equal(desk_ask_first(d, "POST", "/associations", STRONG_R), 0);
}

static void what_is_strong_is_not_referred_to(void **state)
{
    (void)state;
    struct desk d;
    start(&d);
    expect_code(&d, "POST", "/subjects/r/versions", RECORD, 0);
    d.overtake = refer_first;
    expect_code(&d, "POST", "/associations", STRONG_R, 42205);
    expect_code(&d, "DELETE", "/subjects/user", NULL, 0);
    expect_code(&d, "DELETE", "/subjects/user?permanent=true", NULL, 0);
    d.overtake = make_strong_first;
    expect_code(&d, "POST", "/subjects/user/versions", USER, 42205);
    expect_code(&d, "PUT", "/associations",
                "{" RESOURCE ",\"associations\":[{\"subject\":\"r\",\"lifecycle\":\"WEAK\"}]}", 0);
    expect_code(&d, "POST", "/subjects/user/versions", USER, 0);
    desk_fini(&d);
}

#define BRING(more, text) "{" RESOURCE ",\"associations\":[{\"schema\":{\"schema\":\"" text "\"}" more "}]}"

static void schemas_come_along(void **state)
{
    (void)state;
    struct desk d;
    start(&d);
    expect_code(&d, "POST", "/associations?dryRun=true", BRING("", "\\\"long\\\""), 0);
    expect_code(&d, "GET", "/subjects/:.lkc:t-value/versions", NULL, 40401);
    expect(&d, "POST", "/associations", BRING("", "\\\"long\\\""),
           "{\"resourceName\":\"t\",\"resourceNamespace\":\"lkc\",\"resourceId\":\"id1\",\"resourceType\":"
           "\"topic\","
           "\"associations\":[{\"subject\":\":.lkc:t-value\",\"associationType\":\"value\",\"lifecycle\":"
           "\"WEAK\","
           "\"frozen\":false,\"schema\":{\"schema\":\"\\\"long\\\"\"}}]}");
    expect(&d, "GET", "/subjects/:.lkc:t-value/versions", NULL, "[1]");
    assert_int_equal(listed(&d, "/associations/resources/-/t"), 1);
    expect_code(&d, "POST", "/associations", BRING("", "\\\"long\\\""), 0);
    expect_code(&d, "POST", "/associations", BRING("", "\\\"string\\\""), 409);
    expect_code(&d, "PUT", "/associations", BRING("", "nonsense"), 42201);
    expect_code(&d, "PUT", "/config/:.lkc:t-value", "{\"compatibility\":\"NONE\"}", 0);
    expect_code(&d, "POST", "/associations", BRING("", "\\\"string\\\""), 40903);
    expect_code(&d, "PUT", "/associations", BRING("", "\\\"string\\\""), 0);
    expect(&d, "GET", "/subjects/:.lkc:t-value/versions", NULL, "[1,2]");
    desk_fini(&d);
}

static void schemas_are_normalized_if_asked(void **state)
{
    (void)state;
#define ODD "{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"F\\\",\\\"size\\\":2,\\\"zz\\\":1,\\\"aa\\\":2}"
    struct desk d;
    start(&d);
    expect_code(&d, "POST", "/associations", BRING(",\"normalize\":1", ODD), 42212);
    expect_code(&d, "POST", "/associations", BRING(",\"normalize\":true", ODD), 0);
    expect_code(&d, "GET", "/subjects/:.lkc:t-value/versions/1", NULL, 0);
    assert_non_null(strstr(d.text, "\\\"aa\\\":2,\\\"zz\\\":1"));
    expect_code(&d, "PUT", "/associations", BRING(",\"normalize\":false", ODD), 0);
    expect_code(&d, "GET", "/subjects/:.lkc:t-value/versions/2", NULL, 0);
    assert_non_null(strstr(d.text, "\\\"zz\\\":1,\\\"aa\\\":2"));
    desk_fini(&d);
}

static void the_last_version_stays_with_its_association(void **state)
{
    (void)state;
    struct desk d;
    start(&d);
    expect_code(&d, "POST", "/associations", BRING("", "\\\"long\\\""), 0);
    expect_code(&d, "DELETE", "/subjects/:.lkc:t-value/versions/1", NULL, 0);
    expect_code(&d, "DELETE", "/subjects/:.lkc:t-value/versions/1?permanent=true", NULL, 40904);
    assert_int_equal(ask(&d, "DELETE", "/associations/resources/id1", NULL), 204);
    expect_code(&d, "DELETE", "/subjects/:.lkc:t-value/versions/1?permanent=true", NULL, 0);
    desk_fini(&d);
}

static void associate_t_first(struct desk *d)
{
    assert_int_equal(desk_ask_first(d, "PUT", "/associations", BRING("", "\\\"long\\\"")), 0);
}

static void what_is_frozen_brings_its_schema(void **state)
{
    (void)state;
    struct desk d;
    start(&d);
    d.overtake = associate_first; // somewhere else: both are in the end
    expect_code(&d, "POST", "/associations",
                BRING(",\"frozen\":true,\"associationType\":\"key\"", "\\\"long\\\""), 0);
    assert_int_equal(listed(&d, "/associations/resources/id1?lifecycle=STRONG"), 1);
    expect_code(&d, "POST", "/subjects/:.lkc:t-key/versions", INT_SCHEMA, 40908);
    expect_code(&d, "POST", "/subjects/:.lkc:t-key/versions", "{\"schema\":\"\\\"long\\\"\"}", 0);
    assert_int_equal(ask(&d, "DELETE", "/associations/resources/id1?cascadeLifecycle=true", NULL), 204);
    d.overtake = associate_t_first;
    expect_code(&d, "POST", "/associations", BRING(",\"frozen\":true", "\\\"string\\\""), 40903);
    assert_int_equal(ask(&d, "DELETE", "/associations/resources/id1", NULL), 204);
    expect_code(&d, "POST", "/associations", BRING(",\"frozen\":true", "\\\"string\\\""), 409);
    expect_code(&d, "PUT", "/config/:.lkc:t-value", "{\"compatibility\":\"NONE\"}", 0);
    expect_code(&d, "POST", "/associations", BRING(",\"frozen\":true", "\\\"string\\\""), 42212);
    desk_fini(&d);
}

static void batches_bring_schemas(void **state)
{
    (void)state;
    struct desk d;
    start(&d);
    d.overtake = associate_first;
    ask(&d, "POST", "/associations:batch",
        "{\"requests\":[{\"resourceName\":\"a\",\"resourceNamespace\":\"n\",\"resourceId\":\"1\","
        "\"associations\":[{"
        "\"opType\":\"UPSERT\",\"schema\":{\"schema\":\"\\\"int\\\"\"}},{\"opType\":\"UPSERT\","
        "\"associationType\":"
        "\"key\",\"schema\":{\"schema\":\"\\\"long\\\"\"}}]},"
        "{\"resourceName\":\"b\",\"resourceNamespace\":\"n\",\"resourceId\":\"2\",\"associations\":[{"
        "\"opType\":"
        "\"CREATE\",\"schema\":{\"schema\":\"nonsense\"}}]},"
        "{\"resourceName\":\"c\",\"resourceNamespace\":\"n\",\"resourceId\":\"3\",\"associations\":[{"
        "\"opType\":"
        "\"CREATE\",\"subject\":\"new\",\"schema\":{\"schema\":\"\\\"int\\\"\"}},{\"opType\":\"CREATE\","
        "\"associationType\":\"key\",\"subject\":\"none\"}]}]}");
    assert_int_equal(d.status, 207);
    assert_int_equal(json_get(d.json, STR("results"))->count, 3);
    assert_int_equal(listed(&d, "/associations/resources/1"), 2);
    assert_int_equal(listed(&d, "/associations/resources/2"), 0);
    assert_int_equal(listed(&d, "/associations/resources/3"), 0);
    expect(&d, "GET", "/subjects", NULL, "[\":.n:a-key\",\":.n:a-value\",\"k\",\"s\"]");
    desk_fini(&d);
}

static void what_goes_along_lets_go_of_others(void **state)
{
    (void)state;
    struct desk d;
    start(&d);
    expect_code(&d, "POST", "/subjects/r/versions", RECORD, 0);
    expect_code(&d, "POST", "/subjects/user/versions", USER, 0);
    expect_code(&d, "POST", "/associations",
                "{" RESOURCE ",\"associations\":[{\"subject\":\"user\",\"lifecycle\":\"STRONG\"}]}", 0);
    const struct document *refs = core_document_find(d.rig.core, STR("refs/r/0000000001"));
    assert_int_equal(document_number(refs), 1);
    expect_code(&d, "DELETE", "/subjects/r", NULL, 42206);
    assert_int_equal(ask(&d, "DELETE", "/associations/resources/id1?cascadeLifecycle=true", NULL), 204);
    refs = core_document_find(d.rig.core, STR("refs/r/0000000001"));
    assert_int_equal(document_number(refs), 0);
    expect_code(&d, "DELETE", "/subjects/r", NULL, 0);
    desk_fini(&d);
}

static void batches_go_one_by_one(void **state)
{
    (void)state;
    struct desk d;
    start(&d);
#define OP(op, id, subject)                                                                                  \
    "{\"resourceName\":\"t" id "\",\"resourceNamespace\":\"n\",\"resourceId\":\"" id                         \
    "\",\"associations\":[{\"opType\":\"" op "\",\"subject\":\"" subject                                     \
    "\",\"associationType\":\"value\"}]}"
    d.overtake = associate_first;
    ask(&d, "POST", "/associations:batch",
        "{\"requests\":[" OP("CREATE", "1", "s") "," OP("UPSERT", "2", "k") "," OP(
            "CREATE", "3", "none") "," OP("DELETE", "1", "s") "," OP("DROP", "1", "s") ",7]}");
    assert_int_equal(d.status, 207);
    const struct json_value *results = json_get(d.json, STR("results"));
    assert_int_equal(results->count, 6);
    static const int64_t codes[] = {0, 0, 40907, 0, 42212, 42212};
    size_t at = 0;
    for (const struct json_value *v = results->first; v != NULL; v = v->next, at++) {
        int64_t code = 0;
        const struct json_value *error = json_get(v, STR("error"));
        assert_true((error != NULL) == (codes[at] != 0));
        assert_true(error == NULL || json_value_i64(json_get(error, STR("error_code")), &code));
        assert_int_equal(code, codes[at]);
    }
    assert_int_equal(listed(&d, "/associations/resources/1"), 0);
    assert_int_equal(listed(&d, "/associations/resources/2"), 1);
    assert_int_equal(listed(&d, "/associations/resources/id1"), 1);
    expect_code(&d, "POST", "/associations:batch", "{}", 42212);
    expect_code(&d, "POST", "/associations:batch", "{\"requests\":[]}", 42212);
    expect_code(&d, "POST", "/associations:batch", "{\"requests\":{}}", 42212);
    desk_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_unknown_is_an_empty_list),
        cmocka_unit_test(associations_are_made_and_found),
        cmocka_unit_test(associations_change_within_bounds),
        cmocka_unit_test(what_is_frozen_stays),
        cmocka_unit_test(requests_are_checked),
        cmocka_unit_test(what_comes_first_is_seen),
        cmocka_unit_test(what_is_strong_is_not_referred_to),
        cmocka_unit_test(schemas_come_along),
        cmocka_unit_test(schemas_are_normalized_if_asked),
        cmocka_unit_test(the_last_version_stays_with_its_association),
        cmocka_unit_test(what_is_frozen_brings_its_schema),
        cmocka_unit_test(batches_bring_schemas),
        cmocka_unit_test(what_goes_along_lets_go_of_others),
        cmocka_unit_test(batches_go_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
