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

#define SALES                                                                                                \
    "{\\\"title\\\":\\\"Sale\\\",\\\"type\\\":\\\"object\\\",\\\"properties\\\":{\\\"n\\\":{"                \
    "\\\"type\\\":\\\"integer\\\"}}}"

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

// associate asks for the subject of values of the topic; id: of the resource.
static int associate(const char *topic, const char *id, const char *space, const char *subject)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"resourceName\":\"%s\",\"resourceNamespace\":\"%s\",\"resourceId\":\"%s\","
             "\"associations\":[{\"subject\":\"%s\"}]}",
             topic, space, id, subject);
    return world_ask(&world, "POST /associations", "", body);
}

static void registers_a_broken_sound(struct world *w)
{
    world_register(w, "sound", BROKEN_RULE);
}

// What a topic comes to be governed by through its associations is looked at as when it is bound.
static void an_association_is_checked_as_a_binding(void **state)
{
    (void)state;
    struct error e = {0};
    const char *refused = "it would govern topic t: broken version 1: rule 'r', line 1, column ";
    static const char *const named[] = {"strom.value.subject", "t-value", "strom.value.validation.level",
                                        "contract", NULL};
    world_register(&world, "broken", BROKEN_RULE);
    world_register(&world, "sound", RULES_OF(NUMBERS, RULE_TO("r", "bin")));
    world_register(&world, "t-value", BROKEN_RULE); // before anything is governed
    assert_int_equal(associate("t", "1", "a", "sound"), 200);
    assert_int_equal(associate("u", "2", "a", "broken"), 200); // governs nothing
    assert_int_equal(world_govern(&world, "t", by_contract, NULL, &e), ERR_OK);
    assert_int_equal(world_govern(&world, "n", named, NULL, &e), ERR_INVALID_CONFIG);
    assert_int_equal(partitions_of("bin"), 2);

    // Without it the topic would be governed by what it has by name.
    assert_int_equal(world_ask(&world, "DELETE /associations/resources/{id}", "1", NULL), 422);
    expect_in(world.text, "it would govern topic t: t-value version 1: rule 'r', line 1, column ");
    // Another one of the same standing would leave open which holds.
    assert_int_equal(associate("t", "3", "b", "sound"), 422);
    expect_in(world.text, "topic t, which is governed, would have more than one association of type value");
    // One of this cluster is stronger: it is what counts.
    char here[64];
    struct str cluster = broker_cluster_id(world.rig.broker);
    snprintf(here, sizeof here, STR_FMT, STR_ARG(cluster));
    assert_int_equal(associate("t", "4", here, "broken"), 422);
    expect_in(world.text, refused);
    world_register(&world, "other", RULES_OF(NUMBERS, RULE_TO("r", "more")));
    assert_int_equal(partitions_of("more"), 0);
    assert_int_equal(associate("t", "4", here, "other"), 200);
    assert_int_equal(partitions_of("more"), 2); // was made first
    assert_int_equal(drop("more", &e), ERR_POLICY_VIOLATION);
    // A weaker one does not count any more, and may go or come.
    assert_int_equal(world_ask(&world, "DELETE /associations/resources/{id}", "1", NULL), 204);
    assert_int_equal(associate("t", "5", "c", "broken"), 200);
    assert_int_equal(world_ask(&world, "DELETE /associations/resources/{id}", "4", NULL), 422);
    expect_in(world.text, refused);
    assert_int_equal(world_ask(&world, "DELETE /associations/resources/{id}", "5?dryRun=true", NULL), 204);
}

static void makes_t_stand_for_sound(struct world *w)
{
    assert_int_equal(world_ask(w, "PUT /config/{subject}", "t-value", "{\"alias\":\"sound\"}"), 200);
}

static void an_association_and_a_version_see_each_other(void **state)
{
    (void)state;
    struct error e = {0};
    world_register(&world, "sound", RULES_OF(NUMBERS, RULE_TO("r", "bin")));
    assert_int_equal(world_govern(&world, "t", by_contract, NULL, &e), ERR_OK);
    world.overtake = makes_t_stand_for_sound;
    assert_int_equal(world_ask(&world, "POST /subjects/{subject}/versions", "sound", BROKEN_RULE), 422);
    expect_in(world.text, "it would govern topic t: ");
    assert_int_equal(world_ask(&world, "DELETE /config/{subject}", "t-value", NULL), 200);
    world.overtake = registers_a_broken_sound;
    assert_int_equal(associate("t", "1", "a", "sound"), 422);
    expect_in(world.text, "it would govern topic t: sound version 2: rule 'r'");
    world.overtake = governs_the_topic; // u, while something comes to stand for it
    assert_int_equal(associate("u", "2", "a", "sound"), 422);
    expect_in(world.text, "it would govern topic u: sound version 2: rule 'r'");
}

// A name stands for what its alias names, one step of it, and without an alias for itself again.
static void aliases_bring_topics_for_dead_letters(void **state)
{
    (void)state;
    struct error e = {0};
    world_register(&world, "sound", RULES_OF(NUMBERS, RULE_TO("r", "bin")));
    world_register(&world, "broken", BROKEN_RULE);
    world_register(&world, "t-value", BROKEN_RULE);
    assert_int_equal(world_ask(&world, "PUT /config/{subject}", "t-value", "{\"alias\":\"empty\"}"), 200);
    assert_int_equal(world_ask(&world, "PUT /config/{subject}", "sound", "{\"alias\":\"broken\"}"), 200);
    assert_int_equal(world_govern(&world, "t", by_contract, NULL, &e), ERR_OK);
    assert_int_equal(partitions_of("bin"), 0);
    assert_int_equal(world_ask(&world, "PUT /config/{subject}", "t-value", "{\"alias\":\"sound\"}"), 200);
    assert_int_equal(partitions_of("bin"), 2);
    assert_int_equal(drop("bin", &e), ERR_POLICY_VIOLATION);
    assert_int_equal(world_ask(&world, "PUT /config/{subject}", "t-value", "{\"alias\":null}"), 422);
    expect_in(world.text, "it would govern topic t: t-value version 1: rule 'r'");
    assert_int_equal(world_ask(&world, "DELETE /config/{subject}", "t-value", NULL), 422);
    expect_in(world.text, "it would govern topic t: t-value version 1: rule 'r'");
    assert_int_equal(world_ask(&world, "DELETE /config/{subject}", "sound", NULL), 200);
}

// Of versions that a topic does not take nothing is asked.
static void only_what_is_taken_is_compiled(void **state)
{
    (void)state;
    struct error e = {0};
    static const char *const newest[] = {"strom.value.schema.version.min", "-1",
                                         "strom.value.validation.level", "contract", NULL};
    static const char *const second[] = {"strom.value.schema.version.min", "2",
                                         "strom.value.validation.level", "contract", NULL};
    world_register(&world, "mended", BROKEN_RULE);
    world_register(&world, "mended", RULES_OF("{\\\"type\\\":\\\"object\\\"}", RULE_TO("r", "bin")));
    assert_int_equal(world_govern(&world, "t", newest, NULL, &e), ERR_OK);
    assert_int_equal(world_govern(&world, "u", second, NULL, &e), ERR_OK);
    assert_int_equal(world_govern(&world, "v", by_contract, NULL, &e), ERR_OK);
    assert_int_equal(associate("t", "1", "a", "mended"), 200);
    assert_int_equal(associate("u", "2", "a", "mended"), 200);
    assert_int_equal(associate("v", "3", "a", "mended"), 422);
    expect_in(world.text, "it would govern topic v: mended version 1");
}

// With the record name strategies nobody knows before a batch comes which rules it will meet.
static void topics_of_records_are_made_when_they_are_met(void **state)
{
    (void)state;
    struct error e = {0};
    static const char *const by_record[] = {"confluent.value.subject.name.strategy",
                                            "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy",
                                            "strom.value.validation.level", "contract", NULL};
    int32_t id =
        world_register(&world, "t-Sale", RULES_OF(SALES, RULE_TO("a", "bin") "," RULE_TO("b", "rest")));
    assert_int_equal(world_govern(&world, "t", by_record, NULL, &e), ERR_OK);
    assert_int_equal(partitions_of("bin"), 0);
    struct line line = {.value = framed(&world, id, "{\"n\":-1}")};
    trial_judge(&world, &trial, "t", &line, 1);
    assert_false(trial.c.is_refused);
    assert_int_equal(trial.c.letter_count, 1);
    assert_true(str_equal(trial.c.letters[0].topic, STR("bin")));
    trial_end(&trial, POLICY_STALE); // for the topic's settings have moved
    assert_int_equal(partitions_of("bin"), 2);
    assert_int_equal(drop("bin", &e), ERR_POLICY_VIOLATION);
    expect_in(e.text, "Topic 'bin' takes the dead letters of topic 't'");
    trial_judge(&world, &trial, "t", &line, 1);
    assert_int_equal(trial.c.letter_count, 1);
    trial_end(&trial, POLICY_FINAL);

    // Where it cannot be, the reason is told.
    assert_int_equal(world_govern(&world, "u", by_record, NULL, &e), ERR_OK);
    id = world_register(&world, "v-Sale", RULES_OF(SALES, RULE_TO("a", "u")));
    assert_int_equal(world_govern(&world, "v", by_record, NULL, &e), ERR_OK);
    line.value = framed(&world, id, "{\"n\":-1}");
    trial_judge(&world, &trial, "v", &line, 1);
    assert_true(trial.c.is_refused);
    assert_int_equal(trial.c.err, ERR_INVALID_RECORD);
    expect_in(arena_printf(&world.arena, STR_FMT, STR_ARG(trial.c.text)).ptr,
              "its dead letters cannot go to \"u\": a rule's dlq.topic, \"u\": Topic 'u' is governed");
    trial_end(&trial, POLICY_FINAL);
}

#define FOR_CLIENTS(name)                                                                                    \
    RULES_OF(NUMBERS, "{\"name\":\"" name "\",\"kind\":\"TRANSFORM\",\"type\":\"CEL\",\"mode\":\"WRITE\","   \
                      "\"expr\":\"message\"}")

static void expect_remark(const char *topic, const char *text, uint64_t compiled)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_true(govern_topic_print(world.govern, str_from_c(topic), &out));
    expect_in(arena_str(&world.arena, buf_str(&out)).ptr, text);
    buf_fini(&out);
    assert_int_equal(metric_value(world.govern->remarked), compiled);
}

// A contract is compiled for its remarks once, whoever looks at how many of its topics, until it is another.
static void remarks_are_found_once(void **state)
{
    (void)state;
    struct error e = {0};
    static const char *const shared[] = {"strom.value.subject", "shared", "strom.value.validation.level",
                                         "contract", NULL};
    const char *remarks = "\"remarks\":[\"rule '";
    world_register(&world, "t-value", FOR_CLIENTS("a"));
    world_register(&world, "shared", FOR_CLIENTS("b"));
    assert_int_equal(world_govern(&world, "t", by_contract, NULL, &e), ERR_OK);
    assert_int_equal(world_govern(&world, "u", shared, NULL, &e), ERR_OK);
    assert_int_equal(world_govern(&world, "v", shared, NULL, &e), ERR_OK);
    for (int i = 0; i < 3; i++) {
        expect_remark("t", remarks, i == 0 ? 1 : 2);
        expect_remark("u", remarks, 2);
        expect_remark("v", remarks, 2);
        world_register(&world, i == 0 ? "x" : i == 1 ? "y" : "z", FOR_CLIENTS("c")); // concerns nobody
    }
    world_register(&world, "shared", FOR_CLIENTS("d"));
    expect_remark("u", "'d'", 3);
    expect_remark("v", "'d'", 3);
    expect_remark("t", "'a'", 3);
    world.govern->remarks.count_max = 1;
    expect_remark("u", "'d'", 3);
    world_register(&world, "t-value", FOR_CLIENTS("e"));
    expect_remark("t", "'e'", 4);
    assert_int_equal(world.govern->remarks.count, 1);
    expect_remark("u", "'d'", 5);
    expect_remark("t", "'e'", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rules_name_topics_for_dead_letters, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(rules_name_what_can_take_them, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_binding_and_a_version_see_each_other, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(an_alias_of_what_governs_is_compiled, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(an_association_is_checked_as_a_binding, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(an_association_and_a_version_see_each_other, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(aliases_bring_topics_for_dead_letters, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(only_what_is_taken_is_compiled, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(topics_of_records_are_made_when_they_are_met, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(remarks_are_found_once, world_setup, world_teardown),
    };
    return cmocka_run_group_tests_name("bind", tests, NULL, NULL);
}
