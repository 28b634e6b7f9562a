// SPDX-License-Identifier: Apache-2.0
// Counters and samples: bounded, whoever comes.
#include "govern/rig_test.h"
#include "json/write.h"

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_init(&world);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static struct series_name name_of(const char *topic, const char *rule, const char *client)
{
    return (struct series_name){
        .topic = str_from_c(topic),
        .subject = STR("s"),
        .version = 1,
        .rule = rule == NULL ? (struct str){NULL, 0} : str_from_c(rule),
        .path = STR("$"),
        .client_id = str_from_c(client),
        .principal = STR("User:ANONYMOUS"),
    };
}

static void add(const char *topic, const char *rule, const char *client, enum contract_action action,
                uint64_t n)
{
    struct series_name name = name_of(topic, rule, client);
    counts_add(&world.govern->counts, &name, action, n, 1000);
}

static const char *printed(const char *topic)
{
    struct buf out;
    struct json j = {.out = &out};
    buf_init(&out, 64 << 20);
    json_object_begin(&j);
    counts_print(&world.govern->counts, str_from_c(topic), &j);
    json_object_end(&j);
    const char *text = arena_str(&world.arena, buf_str(&out)).ptr;
    buf_fini(&out);
    assert_non_null(text);
    return text;
}

static void expect_in(const char *text, const char *part)
{
    assert_non_null(text);
    if (strstr(text, part) == NULL) {
        fail_msg("%.2000s\nlacks: %s", text, part);
    }
}

static void sums_are_over_producers_and_rules(void **state)
{
    (void)state;
    add("t", NULL, "a", CONTRACT_PASS, 5);
    add("t", NULL, "a", CONTRACT_REJECT, 2);
    add("t", NULL, "b", CONTRACT_PASS, 1);
    add("t", "r", "a", CONTRACT_REJECT, 2);
    add("t", "r", "b", CONTRACT_REJECT, 3);
    add("t", "r", "b", CONTRACT_MARK, 4);
    add("u", "r", "b", CONTRACT_REJECT, 9);
    const char *text = printed("t");
    expect_in(text,
              "{\"checked\":8,\"passed\":6,\"observed\":0,\"marked\":0,\"dead_lettered\":0,\"refused\":2,");
    expect_in(text, "\"rule\":\"r\",\"path\":\"$\",\"action\":\"mark\",\"count\":4,\"last_ms\":1000}");
    expect_in(text, "\"action\":\"reject\",\"count\":5,");
    expect_in(text, "{\"client\":\"a\",\"principal\":\"User:ANONYMOUS\",\"checked\":7,\"passed\":5,");
}

// Clients choose their names: past the limit they are counted together, and nothing is lost.
static void series_are_bounded(void **state)
{
    (void)state;
    char client[32];
    for (int i = 0; i < 2 * GOVERN_SERIES_MAX; i++) {
        snprintf(client, sizeof client, "client-%d", i);
        add("t", NULL, client, CONTRACT_PASS, 1);
    }
    assert_true(world.govern->counts.series_count <= GOVERN_SERIES_MAX);
    const char *text = printed("t");
    expect_in(text, "{\"checked\":8192,\"passed\":8192,");
    expect_in(text, "{\"client\":\"(others)\",\"principal\":\"(others)\",\"checked\":5120,");
    for (int i = 0; i < 2 * GOVERN_SERIES_MAX; i++) {
        snprintf(client, sizeof client, "topic-%d", i);
        add(client, NULL, "c", CONTRACT_PASS, 1);
    }
    assert_int_equal(world.govern->counts.series_count, GOVERN_SERIES_MAX);
    struct buf out;
    buf_init(&out, 64 << 20);
    metrics_render(world.rig.metrics, &out);
    buf_u8(&out, '\0');
    expect_in((const char *)out.ptr, "\nstrom_contract_counts_unnamed_total 7169\n");
    expect_in((const char *)out.ptr,
              "strom_contract_records_total{topic=\"t\",subject=\"s\",version=\"1\",client="
              "\"client-0\",principal=\"User:ANONYMOUS\",outcome=\"passed\"} 1\n");
    buf_fini(&out);
}

static const char *samples(int64_t after, size_t limit)
{
    struct buf out;
    buf_init(&out, 64 << 20);
    counts_print_samples(&world.govern->counts, STR("t"), after, limit, &out);
    const char *text = arena_str(&world.arena, buf_str(&out)).ptr;
    buf_fini(&out);
    return text;
}

static void samples_are_a_ring(void **state)
{
    (void)state;
    for (int i = 1; i <= GOVERN_SAMPLES_MAX + 50; i++) {
        const struct sample sample = {
            .topic = i % 10 == 0 ? STR("other") : STR("t"), .rule = STR("r"), .path = STR("$"), .index = i};
        counts_sample(&world.govern->counts, &sample);
    }
    expect_in(samples(-1, 1), "{\"violations\":[{\"number\":1049,");
    expect_in(samples(-1, 1), "}],\"last\":1049}");
    expect_in(samples(0, 1), "{\"violations\":[{\"number\":51,"); // what came before is gone
    expect_in(samples(0, 1), "}],\"last\":51}");
    expect_in(samples(1048, 5), "\"last\":1050}");
    expect_in(samples(1050, 5), "{\"violations\":[],\"last\":1050}");
    expect_in(samples(5000, 1), "{\"violations\":[{\"number\":51,"); // of before the last start
    expect_in(samples(-1, 0), "{\"violations\":[],\"last\":1050}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sums_are_over_producers_and_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(series_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(samples_are_a_ring, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
