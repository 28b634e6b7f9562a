// SPDX-License-Identifier: Apache-2.0
#include "core/governance.h"
#include "core/rig_test.h"

enum { PAIRS_MAX = 6 };

struct row {
    const char *pairs[2 * PAIRS_MAX]; // key, value, ... NULL
    const char *text;                 // of governance_check; NULL = it is fine
};

static uint32_t configs_of(const struct row *row, struct item_config *ret)
{
    uint32_t count = 0;
    for (; count < PAIRS_MAX && row->pairs[2 * count] != NULL; count++) {
        ret[count] =
            (struct item_config){str_from_c(row->pairs[2 * count]), str_from_c(row->pairs[2 * count + 1])};
    }
    return count;
}

static void nothing_set_is_not_governed(void **state)
{
    (void)state;
    struct governance g;
    assert_false(governance_resolve(NULL, 0, &g));
    assert_false(governance_is_on(NULL, 0));
    assert_int_equal(g.action, ACTION_REJECT);
    assert_int_equal(g.sides[SIDE_VALUE].level, LEVEL_NONE);
    assert_int_equal(g.sides[SIDE_KEY].version_min, 0);
    assert_false(g.is_null_refused);
}

static void settings_are_resolved(void **state)
{
    (void)state;
    struct item_config configs[PAIRS_MAX];
    struct governance g;
    const struct row row = {{"strom.value.validation.level", "contract", "strom.validation.on.failure", "dlq",
                             "strom.value.schema.version.min", " 3 ", "confluent.key.schema.validation",
                             "True", "confluent.key.subject.name.strategy", SUBJECT_STRATEGY_TOPIC_RECORD,
                             "strom.value.null", "reject"},
                            NULL};
    assert_true(governance_resolve(configs, configs_of(&row, configs), &g));
    assert_true(governance_is_on(configs, PAIRS_MAX));
    assert_int_equal(g.sides[SIDE_VALUE].level, LEVEL_CONTRACT);
    assert_int_equal(g.sides[SIDE_KEY].level, LEVEL_ID);
    assert_int_equal(g.sides[SIDE_KEY].strategy, SUBJECT_TOPIC_RECORD);
    assert_int_equal(g.sides[SIDE_VALUE].version_min, 3);
    assert_int_equal(g.action, ACTION_DLQ);
    assert_true(g.is_null_refused);
}

static void confluent_name_means_id_at_least(void **state)
{
    (void)state;
    struct item_config configs[PAIRS_MAX];
    struct governance g;
    const struct row both = {
        {"confluent.value.schema.validation", "true", "strom.value.validation.level", "structure"}, NULL};
    (void)governance_resolve(configs, configs_of(&both, configs), &g);
    assert_int_equal(g.sides[SIDE_VALUE].level, LEVEL_STRUCTURE);
    const struct row off = {{"confluent.value.schema.validation", "false"}, NULL};
    assert_false(governance_is_on(configs, configs_of(&off, configs)));
}

static void names_are_derived(void **state)
{
    (void)state;
    char room[GOVERNANCE_SUBJECT_SIZE];
    char name[GOVERNANCE_NAME_SIZE];
    struct governance g = {0};
    struct side_settings *side = &g.sides[SIDE_VALUE];
    struct str topic = STR("orders");
    struct str record = STR("shop.Order");
    assert_true(str_equal(governance_dlq_topic(&g, topic, name), STR("orders.dlq")));
    g.dlq_topic = STR("bad");
    assert_true(str_equal(governance_dlq_topic(&g, topic, name), STR("bad")));
    assert_true(str_equal(governance_subject(side, SIDE_VALUE, topic, record, room), STR("orders-value")));
    assert_true(str_equal(governance_subject(side, SIDE_KEY, topic, record, room), STR("orders-key")));
    side->strategy = SUBJECT_RECORD;
    assert_true(str_equal(governance_subject(side, SIDE_VALUE, topic, record, room), record));
    side->strategy = SUBJECT_TOPIC_RECORD;
    assert_true(
        str_equal(governance_subject(side, SIDE_VALUE, topic, record, room), STR("orders-shop.Order")));
    static char long_name[GOVERNANCE_SUBJECT_SIZE];
    memset(long_name, 'a', sizeof long_name);
    struct str over = {long_name, sizeof long_name};
    assert_null(governance_subject(side, SIDE_VALUE, topic, over, room).ptr);
    side->subject = STR("fixed");
    assert_true(str_equal(governance_subject(side, SIDE_VALUE, topic, record, room), STR("fixed")));
}

static void combinations_are_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {{NULL}, NULL},
        {{"strom.value.validation.level", "contract", "strom.validation.on.failure", "dlq"}, NULL},
        {{"strom.validation.dlq.topic", "elsewhere"}, NULL},
        {{"strom.value.validation.level", "none", "confluent.value.schema.validation", "true"},
         "strom.value.validation.level=none contradicts confluent.value.schema.validation=true: set one of "
         "them"},
        {{"strom.key.subject", "s", "confluent.key.subject.name.strategy", SUBJECT_STRATEGY_RECORD},
         "strom.key.subject fixes the subject, confluent.key.subject.name.strategy derives it from each "
         "record: set one of them"},
        {{"strom.value.null", "reject"},
         "strom.value.null=reject has no effect without a strom.value.validation.level"},
        {{"strom.validation.dlq.topic", "a b"},
         "strom.validation.dlq.topic: \"a b\" is no name that a topic can have"},
        {{"strom.validation.dlq.topic", "orders"},
         "strom.validation.dlq.topic: a topic cannot take its own dead letters"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct item_config configs[PAIRS_MAX];
        struct error e = {0};
        enum err err = governance_check(STR("orders"), configs, configs_of(&rows[i], configs), &e);
        assert_int_equal(err, rows[i].text == NULL ? ERR_OK : ERR_INVALID_CONFIG);
        assert_string_equal(e.text, rows[i].text == NULL ? "" : rows[i].text);
    }
}

// A long topic name leaves no room for .dlq: said when it is bound, not when the first record fails.
static void dlq_name_must_fit(void **state)
{
    (void)state;
    char text[ITEM_NAME_MAX];
    struct item_config configs[] = {{STR("strom.value.validation.level"), STR("id")},
                                    {STR("strom.validation.on.failure"), STR("dlq")}};
    memset(text, 'a', sizeof text);
    struct str topic = {text, sizeof text};
    assert_int_equal(governance_check(topic, configs, 2, NULL), ERR_INVALID_CONFIG);
    topic.len -= 4;
    assert_int_equal(governance_check(topic, configs, 2, NULL), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_set_is_not_governed),      cmocka_unit_test(settings_are_resolved),
        cmocka_unit_test(confluent_name_means_id_at_least), cmocka_unit_test(names_are_derived),
        cmocka_unit_test(combinations_are_checked),         cmocka_unit_test(dlq_name_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
