// SPDX-License-Identifier: Apache-2.0
#include "registry/rig_test.h"

#define INT_SCHEMA "{\"schema\":\"\\\"int\\\"\"}"

static void contexts_are_listed(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect(&d, "GET", "/contexts", NULL, "[\".\"]");
    expect_code(&d, "POST", "/subjects/:.b:s/versions", INT_SCHEMA, 0);
    expect_code(&d, "POST", "/contexts/a1/subjects/s/versions", INT_SCHEMA, 0);
    expect_code(&d, "POST", "/contexts/.a2/subjects/s/versions", INT_SCHEMA, 0);
    expect(&d, "GET", "/contexts", NULL, "[\".\",\".a1\",\".a2\",\".b\"]");
    expect(&d, "GET", "/contexts?contextPrefix=.a", NULL, "[\".a1\",\".a2\"]");
    expect(&d, "GET", "/contexts?offset=1&limit=2", NULL, "[\".a1\",\".a2\"]");
    expect(&d, "GET", "/contexts?contextPrefix=.a&offset=1", NULL, "[\".a2\"]");
    expect(&d, "GET", "/contexts?limit=0", NULL, "[]");
    desk_fini(&d);
}

static void register_first(struct desk *d)
{
    assert_int_equal(desk_ask_first(d, "POST", "/subjects/:.c:s/versions", INT_SCHEMA), 0);
}

static void empty_contexts_are_deleted(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect_code(&d, "PUT", "/config/:.c:", "{\"compatibility\":\"NONE\"}", 0);
    expect_code(&d, "PUT", "/mode/:.c:", "{\"mode\":\"READWRITE\"}", 0);
    d.overtake = register_first;
    expect_code(&d, "DELETE", "/contexts/.c", NULL, 42211);
    expect_code(&d, "DELETE", "/contexts/c", NULL, 42211);
    expect_code(&d, "DELETE", "/subjects/:.c:s", NULL, 0);
    expect_code(&d, "DELETE", "/contexts/.c", NULL, 42211); // what is softly deleted is there
    expect_code(&d, "DELETE", "/subjects/:.c:s?permanent=true", NULL, 0);
    assert_int_equal(ask(&d, "DELETE", "/contexts/.c", NULL), 204);
    assert_string_equal(d.text, "");
    expect_code(&d, "GET", "/config/:.c:", NULL, 40408);
    expect_code(&d, "GET", "/mode/:.c:", NULL, 40409);
    assert_int_equal(ask(&d, "DELETE", "/contexts/.c", NULL), 204);
    expect_code(&d, "PUT", "/config", "{\"compatibility\":\"NONE\"}", 0);
    expect_code(&d, "DELETE", "/contexts/.", NULL, 42205);
    expect_code(&d, "DELETE", "/contexts/.__GLOBAL", NULL, 42205);
    expect_code(&d, "DELETE", "/contexts/a%3ab", NULL, 42208);
    expect_code(&d, "GET", "/config", NULL, 0);
    desk_fini(&d);
}

static void the_registry_tells_what_it_is(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    expect(&d, "GET", "/", NULL, "{}");
    expect(
        &d, "GET", "/v1/metadata/id", NULL,
        "{\"scope\":{\"path\":[],\"clusters\":{\"kafka-cluster\":\"cluster-1\",\"schema-registry-cluster\":"
        "\"schema-registry\"}},\"id\":\"\"}");
    expect(&d, "GET", "/v1/metadata/version", NULL, "{\"version\":\"1.2.3\",\"commitId\":\"\"}");
    expect(&d, "GET", "/v1/metadata/deployment", NULL, "{\"attributes\":[]}");
    expect(&d, "GET", "/exporters", NULL, "[]");
    static const char *const rows[][2] = {
        {"POST", "/exporters"},         {"GET", "/exporters/e"},        {"PUT", "/exporters/e"},
        {"DELETE", "/exporters/e"},     {"PUT", "/exporters/e/pause"},  {"PUT", "/exporters/e/resume"},
        {"PUT", "/exporters/e/reset"},  {"GET", "/exporters/e/status"}, {"GET", "/exporters/e/config"},
        {"PUT", "/exporters/e/config"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_code(&d, rows[i][0], rows[i][1], NULL, 501);
    }
    desk_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_are_listed),
        cmocka_unit_test(empty_contexts_are_deleted),
        cmocka_unit_test(the_registry_tells_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
