// SPDX-License-Identifier: Apache-2.0
// Counters and samples: bounded, whoever comes.
#include "govern/rig_test.h"
#include "json/write.h"

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
                uint32_t n)
{
    struct series_name name = name_of(topic, rule, client);
    world_count(&world, &name, 1, action, n);
}

static const char *printed(const char *topic)
{
    struct buf out;
    struct json j = {.out = &out};
    buf_init(&out, 64 << 20);
    json_object_begin(&j);
    counts_print(world.govern, str_from_c(topic), &j);
    json_object_end(&j);
    const char *text = arena_str(&world.arena, buf_str(&out)).ptr;
    buf_fini(&out);
    assert_non_null(text);
    return text;
}

static void sums_are_over_producers_and_rules(void **state)
{
    (void)state;
    world_topic(&world, "t", NULL);
    world_topic(&world, "u", NULL);
    add("t", NULL, "a", CONTRACT_PASS, 5);
    add("t", NULL, "a", CONTRACT_REJECT, 2);
    add("t", NULL, "b", CONTRACT_PASS, 1);
    add("t", "r", "a", CONTRACT_REJECT, 2);
    add("t", "r", "b", CONTRACT_REJECT, 3);
    add("t", "r", "b", CONTRACT_MARK, 4);
    add("u", "r", "b", CONTRACT_REJECT, 9);
    const char *text = printed("t");
    expect_in(text,
              "{\"checked\":8,\"passed\":6,\"observed\":0,\"marked\":0,\"dead_lettered\":0,\"refused\":2,"
              "\"windows\":{\"minute\":{\"window_ms\":60000,\"covered_ms\":");
    expect_in(text, "\"rule\":\"r\",\"path\":\"$\",\"action\":\"mark\",\"count\":4,\"last_ms\":");
    expect_in(text, "\"action\":\"reject\",\"count\":5,");
    expect_in(text, "\"paths\":[{\"side\":\"key\",\"path\":\"$\",\"count\":9}]");
    expect_in(text, "\"versions\":[{\"subject\":\"s\",\"version\":1,\"checked\":8,\"passed\":6,");
    expect_in(text, "{\"client\":\"a\",\"principal\":\"User:ANONYMOUS\",\"checked\":7,\"passed\":5,");
}

// Clients choose their names: past the limit they are counted together, and nothing is lost.
static void series_are_bounded(void **state)
{
    (void)state;
    enum { AT_ONCE = 64, BATCHES = 2 * TALLY_TOPIC_MAX / AT_ONCE };
    static char rules[AT_ONCE][32];
    struct series_name names[AT_ONCE];
    char text[64];
    struct buf out;
    world_topic(&world, "t", NULL);
    add("t", NULL, "client-0", CONTRACT_PASS, 1);
    for (int b = 0; b < BATCHES; b++) {
        for (int i = 0; i < AT_ONCE; i++) {
            snprintf(rules[i], sizeof rules[i], "rule-%d", b * AT_ONCE + i);
            names[i] = name_of("t", rules[i], b % 2 == 0 ? "client-0" : "client-1");
        }
        world_count(&world, names, AT_ONCE, CONTRACT_MARK, 1);
    }
    add("t", NULL, "client-2", CONTRACT_PASS, 7);
    const char *report = printed("t");
    expect_in(report, "{\"checked\":8,\"passed\":8,");
    expect_in(report, "{\"client\":\"(others)\",\"principal\":\"(others)\",\"checked\":7,");
    buf_init(&out, 64 << 20);
    metrics_render(world.rig.metrics, &out);
    buf_u8(&out, '\0');
    // All room is taken; of what was added last not even what it is of is known.
    snprintf(text, sizeof text, "\nstrom_contract_counts_unnamed_total %d\n",
             1 + 2 * TALLY_TOPIC_MAX - TALLY_TOPIC_MAX + 7);
    expect_in((const char *)out.ptr, text);
    expect_in((const char *)out.ptr,
              "strom_contract_records_total{topic=\"t\",subject=\"s\",version=\"1\",client="
              "\"client-0\",principal=\"User:ANONYMOUS\",outcome=\"passed\"} 1\n");
    expect_in((const char *)out.ptr, "rule=\"(others)\",path=\"\",side=\"key\",client=\"(others)\"");
    buf_fini(&out);
}

// What cells are named by comes back as it went in, but for what is too long.
static void names_of_cells_round_trip(void **state)
{
    (void)state;
    char client[300];
    memset(client, 'c', sizeof client);
    struct series_name name = name_of("t", "r", "a");
    struct series_name read = {0};
    name.side = SIDE_VALUE;
    name.version = -7;
    name.client_id = (struct str){NULL, 0};
    tally_who_decode(tally_who_encode(name.client_id, name.principal, &world.arena), &read);
    tally_what_decode(tally_what_encode(&name, &world.arena), false, &read);
    assert_null(read.client_id.ptr);
    assert_true(str_equal(read.principal, name.principal) && str_equal(read.subject, name.subject));
    assert_true(str_equal(read.rule, name.rule) && str_equal(read.path, name.path));
    assert_true(read.version == -7 && read.side == SIDE_VALUE);
    name.client_id = (struct str){client, sizeof client};
    tally_who_decode(tally_who_encode(name.client_id, name.principal, &world.arena), &read);
    assert_int_equal(read.client_id.len, 254);
    assert_true(str_equal(read.principal, name.principal));
    tally_what_decode(bytes_of("\x01zzzz\xff", 6), false, &read); // not ours: a later release's, or broken
    assert_true(str_equal(read.rule, STR("(others)")));
}

static const char *samples(int64_t after, size_t limit)
{
    struct buf out;
    buf_init(&out, 64 << 20);
    samples_print(&world.govern->samples, STR("t"), after, limit, &out);
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
        samples_add(&world.govern->samples, &sample);
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

// What finds no cell of its own is counted as others: no finding is lost, whatever the records name.
static void many_paths_are_counted_as_others(void **state)
{
    enum { NAMES = 100 };
    (void)state;
    struct buf body;
    buf_init(&body, 1 << 16);
    buf_printf(&body, "{\"schemaType\":\"JSON\",\"schema\":\"{\\\"properties\\\":{");
    for (int i = 0; i < NAMES; i++) {
        buf_printf(&body, "%s\\\"f%d\\\":{\\\"type\\\":\\\"integer\\\"}", i == 0 ? "" : ",", i);
    }
    buf_printf(&body, "}}\"}");
    buf_u8(&body, '\0');
    int32_t id = world_register(&world, "t-value", (const char *)body.ptr);
    static const char *const observed[] = {"strom.value.validation.level", "structure",
                                           "strom.validation.on.failure", "observe", NULL};
    world_topic(&world, "t", observed);
    struct line *lines = arena_new(&world.arena, struct line, NAMES + 1);
    for (int i = 0; i < NAMES; i++) {
        struct str text = arena_printf(&world.arena, "{\"f%d\":\"x\"}", i);
        lines[i] = (struct line){.value = framed(&world, id, text.ptr)};
    }
    lines[NAMES] = (struct line){.value = framed(&world, id, "{}")};
    for (int round = 0; round < 2; round++) { // nothing stays of the first
        trial_judge(&world, &trial, "t", lines, NAMES + 1);
        uint64_t findings = 0;
        uint64_t records = 0;
        for (uint32_t i = 0; i < trial.c.tally_count; i++) {
            bool is_record = trial.c.tallies[i].kind < TALLY_RECORD_KINDS;
            records += is_record ? trial.c.tallies[i].count : 0;
            findings += is_record ? 0 : trial.c.tallies[i].count;
        }
        assert_int_equal(records, NAMES + 1);
        assert_int_equal(findings, NAMES);
        assert_true(trial.c.tally_count > JUDGING_TALLIES_MAX);
        assert_true(trial.c.tally_count <= ITEM_DATA_TALLIES_MAX);
        trial_end(&trial, POLICY_FINAL);
    }
    buf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sums_are_over_producers_and_rules, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(series_are_bounded, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(names_of_cells_round_trip, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(samples_are_a_ring, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(many_paths_are_counted_as_others, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
