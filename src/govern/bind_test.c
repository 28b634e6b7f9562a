// SPDX-License-Identifier: Apache-2.0
// Topics that rules name for dead letters: made with the binding, kept, refused; and bindings and versions
// that come between one another.
#include "govern/rig_test.h"

#define RULE_TO(name, topic)                                                                                 \
    "{\"name\":\"" name "\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"mode\":\"WRITE\","                     \
    "\"expr\":\"message.n > 0\",\"onFailure\":\"DLQ\",\"params\":{\"dlq.topic\":\"" topic "\"}}"
#define RULES_OF(schema, rules)                                                                              \
    "{\"schemaType\":\"JSON\",\"schema\":\"" schema "\",\"ruleSet\":{\"domainRules\":[" rules "]}}"
#define NUMBERS "{\\\"type\\\":\\\"object\\\",\\\"properties\\\":{\\\"n\\\":{\\\"type\\\":\\\"integer\\\"}}}"

static const char *const by_contract[] = {"strom.value.validation.level", "contract", NULL};

static int32_t partitions_of(const char *name)
{
    const struct core *core = broker_view_begin(world.rig.broker);
    const struct topic *topic = core_topic_find(core, str_from_c(name));
    int32_t count = topic == NULL ? 0 : topic_partition_count(topic);
    broker_view_end(world.rig.broker);
    return count;
}

static enum err drop(const char *name, struct error *e)
{
    struct item item;
    struct uuid none = {{0}};
    enum err err = broker_plan_topic_delete(world.rig.broker, str_from_c(name), none, &item, e);
    struct outcome outcome;
    return err == ERR_OK ? broker_change_wait(world.rig.broker, &item, &outcome, e) : err;
}

static void rules_name_topics_for_dead_letters(void **state)
{
    (void)state;
    struct error e = {0};
    world_register(&world, "t-value", RULES_OF(NUMBERS, RULE_TO("a", "bin") "," RULE_TO("b", "other")));
    assert_int_equal(world_govern(&world, "t", by_contract, NULL, &e), ERR_OK);
    assert_int_equal(partitions_of("bin"), 2); // made with the binding
    assert_int_equal(partitions_of("other"), 2);
    assert_int_equal(drop("bin", &e), ERR_POLICY_VIOLATION);
    expect_in(e.text, "Topic 'bin' takes the dead letters of topic 't'");
    assert_int_equal(world_govern(&world, "u", by_contract, NULL, &e), ERR_OK);
    assert_int_equal(drop("other", &e), ERR_POLICY_VIOLATION);

    // A version brings another one: it is there before the version is.
    world_register(&world, "t-value", RULES_OF(NUMBERS, RULE_TO("a", "bin") "," RULE_TO("c", "third")));
    assert_int_equal(partitions_of("third"), 2);
    assert_int_equal(drop("third", &e), ERR_POLICY_VIOLATION);
    struct line line = {.value = framed(&world, world.id, "{\"n\":-1}")};
    trial_judge(&world, &trial, "t", &line, 1);
    assert_false(trial.c.is_refused);
    assert_int_equal(trial.c.letter_count, 1);
    assert_true(str_equal(trial.c.letters[0].topic, STR("bin")));
    trial_end(&trial, POLICY_FINAL);

    // Once nothing governs the topic any more they may go, and so they may with it.
    world_configure(&world, "t", NULL);
    assert_int_equal(drop("third", &e), ERR_OK);
    assert_int_equal(drop("bin", &e), ERR_OK);
    assert_int_equal(drop("t", &e), ERR_OK);
}

static void rules_name_what_can_take_them(void **state)
{
    (void)state;
    struct error e = {0};
    static const char *const compacted[] = {"cleanup.policy", "compact", NULL};
    static const char *const elsewhere[] = {"strom.validation.dlq.topic", "all",
                                            "strom.value.validation.level", "contract", NULL};
    world_topic(&world, "compacted", compacted);
    assert_int_equal(world_govern(&world, "governed", by_contract, NULL, &e), ERR_OK);
    assert_int_equal(world_govern(&world, "t", by_contract, NULL, &e), ERR_OK);
    static const char *const bad[][3] = {
        {"a-value", RULES_OF(NUMBERS, RULE_TO("r", "no name")), "\"no name\": Topic name is invalid"},
        {"a-value", RULES_OF(NUMBERS, RULE_TO("r", "a")), "cannot take its own dead letters"},
        {"b-value", RULES_OF(NUMBERS, RULE_TO("r", "compacted")), "is compacted"},
        {"c-value", RULES_OF(NUMBERS, RULE_TO("r", "governed")), "is governed by contracts"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char topic[2] = {bad[i][0][0], '\0'};
        world_register(&world, bad[i][0], bad[i][1]); // governs nothing yet
        assert_int_equal(world_govern(&world, topic, by_contract, NULL, &e), ERR_INVALID_CONFIG);
        expect_in(e.text, bad[i][2]);
        if (strstr(bad[i][1], "\"a\"}") == NULL) { // may be another topic's
            assert_int_equal(world_ask(&world, "POST /subjects/{subject}/versions", "t-value", bad[i][1]),
                             422);
            expect_in(world.text, "it would govern topic t");
        }
        assert_int_equal(world_ask(&world, "DELETE /subjects/{subject}", bad[i][0], NULL), 200);
    }
    // Where the topic's settings say where dead letters go, what rules name does not matter.
    world_register(&world, "d-value", bad[2][1]);
    assert_int_equal(world_govern(&world, "d", elsewhere, NULL, &e), ERR_OK);
    assert_int_equal(partitions_of("all"), 2);
}

static void registers_a_broken_rule(struct world *w)
{
    world_register(w, "t-value", BROKEN_RULE);
}

static void governs_the_topic(struct world *w)
{
    struct error e = {0};
    assert_int_equal(world_govern(w, "u", by_contract, NULL, &e), ERR_OK);
}

// Between the verdict on a binding and its turn a version comes that it has not seen; and the other way
// round.
static void a_binding_and_a_version_see_each_other(void **state)
{
    (void)state;
    struct error e = {0};
    assert_int_equal(world_govern(&world, "t", by_contract, registers_a_broken_rule, &e), ERR_STALE);
    assert_int_equal(partitions_of("t"), 0);
    assert_int_equal(world_govern(&world, "t", by_contract, NULL, &e), ERR_INVALID_CONFIG); // as it sees then
    world.overtake = governs_the_topic;
    assert_int_equal(world_ask(&world, "POST /subjects/{subject}/versions", "u-value", BROKEN_RULE), 422);
    expect_in(world.text, "it would govern topic u");
}

// A name that governs a topic may only come to stand for what can.
static void an_alias_of_what_governs_is_compiled(void **state)
{
    (void)state;
    struct error e = {0};
    static const char *const by_name[] = {"strom.value.subject", "orders", "strom.value.validation.level",
                                          "contract", NULL};
    world_register(&world, "broken", BROKEN_RULE); // governs nothing
    world_register(&world, "sound", RULES_OF(NUMBERS, RULE_TO("r", "bin")));
    assert_int_equal(world_govern(&world, "t", by_contract, NULL, &e), ERR_OK);
    assert_int_equal(world_govern(&world, "u", by_name, NULL, &e), ERR_OK);
    assert_int_equal(world_ask(&world, "PUT /config/{subject}", "t-value", "{\"alias\":\"broken\"}"), 422);
    expect_in(world.text, "it would govern topic t: broken version 1: rule 'r', line 1, column ");
    assert_int_equal(world_ask(&world, "PUT /config/{subject}", "orders", "{\"alias\":\"broken\"}"), 422);
    expect_in(world.text, "it would govern topic u");
    assert_int_equal(world_ask(&world, "PUT /config/{subject}", "t-value", "{\"alias\":\"sound\"}"), 200);
    assert_int_equal(world_ask(&world, "PUT /config/{subject}", "other", "{\"alias\":\"broken\"}"), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rules_name_topics_for_dead_letters, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(rules_name_what_can_take_them, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_binding_and_a_version_see_each_other, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(an_alias_of_what_governs_is_compiled, world_setup, world_teardown),
    };
    return cmocka_run_group_tests_name("bind", tests, NULL, NULL);
}
