// SPDX-License-Identifier: Apache-2.0
// Bindings, versions, aliases and associations that come between one another: each change is planned, and
// ordered only after another one was made. Whatever comes of them, no topic is governed by a contract that
// does not compile, and every topic that a rule names for dead letters is there, is not governed, and stays.
#include "govern/rig_test.h"

enum { SEEDS = 40, CHANGES = 60, TOPICS = 2, SUBJECTS = 2, BINS = 3 };

static uint64_t state_of_chance;
static uint32_t made; // rules so far, so that no two versions are alike
static uint32_t accepted[2];

static uint32_t chance(uint32_t below)
{
    state_of_chance = state_of_chance * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state_of_chance >> 33) % below;
}

static const char *word(const char *begin, uint32_t number, const char *end)
{
    static char rooms[8][64];
    static uint32_t next;
    char *room = rooms[next++ % 8];
    snprintf(room, sizeof rooms[0], "%s%u%s", begin, number, end);
    return room;
}

// subject_any: one that a topic has by its name, or one that may come to stand for it.
static const char *subject_any(void)
{
    return chance(3) == 0 ? word("t", chance(TOPICS), "-value") : word("s", chance(SUBJECTS), "");
}

static void registers(struct world *w)
{
    char body[1024];
    bool is_broken = chance(3) == 0;
    snprintf(body, sizeof body,
             "{\"schemaType\":\"JSON\",\"schema\":\"{\\\"type\\\":\\\"object\\\"}\",\"ruleSet\":{"
             "\"domainRules\":[{"
             "\"name\":\"r%u\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"mode\":\"WRITE\",\"expr\":\"%s\","
             "\"onFailure\":\"DLQ\",\"params\":{\"dlq.topic\":\"bin%u\"}}]}}",
             made++, is_broken ? "uncompilable(" : "message.n > 0", chance(BINS));
    accepted[is_broken] += world_ask(w, "POST /subjects/{subject}/versions", subject_any(), body) == 200;
}

static void aliases(struct world *w)
{
    char body[128];
    const char *name = word("t", chance(TOPICS), "-value");
    snprintf(body, sizeof body, "{\"alias\":\"%s\"}", word("s", chance(SUBJECTS), ""));
    (void)world_ask(w, "PUT /config/{subject}", name, chance(3) == 0 ? "{\"alias\":null}" : body);
}

static void associates(struct world *w)
{
    char body[512];
    uint32_t topic = chance(TOPICS);
    if (chance(3) == 0) {
        (void)world_ask(w, "DELETE /associations/resources/{id}", word("", topic, ""), NULL);
        return;
    }
    snprintf(body, sizeof body,
             "{\"resourceName\":\"t%u\",\"resourceNamespace\":\"a\",\"resourceId\":\"%u\",\"associations\":[{"
             "\"subject\":\"%s\"}]}",
             topic, topic, subject_any());
    (void)world_ask(w, "PUT /associations", "", body);
}

static void drops(struct world *w, const char *name)
{
    struct item item;
    struct error e = {0};
    struct uuid none = {{0}};
    struct outcome outcome;
    if (broker_plan_topic_delete(w->rig.broker, str_from_c(name), none, &item, &e) == ERR_OK) {
        (void)!broker_change_wait(w->rig.broker, &item, &outcome, &e);
    }
}

static bool is_there(struct world *w, const char *name)
{
    const struct core *core = broker_view_begin(w->rig.broker);
    bool is = core_topic_find(core, str_from_c(name)) != NULL;
    broker_view_end(w->rig.broker);
    return is;
}

static void change_any(struct world *w);

// binds makes a governed topic, or lets one go; now and then one that takes dead letters.
static void binds(struct world *w, bool is_within)
{
    static const char *const by_contract[] = {"strom.value.validation.level", "contract", NULL};
    struct error e;
    const char *name = chance(6) == 0 ? word("bin", chance(BINS), "") : word("t", chance(TOPICS), "");
    if (is_there(w, name)) {
        drops(w, name);
    } else {
        (void)!world_govern(w, name, by_contract, is_within ? NULL : change_any, &e);
    }
}

static void change(struct world *w, bool is_within)
{
    uint32_t what = chance(10);
    if (what < 3) {
        binds(w, is_within);
    } else if (what < 6) {
        registers(w);
    } else if (what < 8) {
        aliases(w);
    } else {
        associates(w);
    }
}

static void change_any(struct world *w)
{
    change(w, true);
}

// letters_stay: that topic is there, is not governed, and is named.
static void letters_stay(struct world *w, const char *topic, struct str letters)
{
    const struct core *core = broker_view_begin(w->rig.broker);
    const struct topic *taker = core_topic_find(core, letters);
    bool is_good = taker != NULL && !topic_is_governed(taker) && core_topic_naming(core, letters) != NULL;
    broker_view_end(w->rig.broker);
    if (!is_good) {
        fail_msg("topic " STR_FMT ", which the rules of %s name, does not take its letters", STR_ARG(letters),
                 topic);
    }
}

static void topic_holds(struct world *w, const char *name)
{
    const struct core *core = broker_view_begin(w->rig.broker);
    const struct topic *topic = core_topic_find(core, str_from_c(name));
    bool is_governed = topic != NULL && topic_is_governed(topic);
    broker_view_end(w->rig.broker);
    if (!is_governed) {
        return;
    }
    static const struct item_config level = {{"strom.value.validation.level", 28}, {"contract", 8}};
    struct error e = {0};
    struct str *letters;
    uint32_t count;
    if (world_letters(w, name, &level, 1, &letters, &count, &e) != ERR_OK) {
        fail_msg("%s is governed, and could not be: %s", name, e.text);
    }
    for (uint32_t i = 0; i < count; i++) {
        letters_stay(w, name, letters[i]);
    }
}

static void whatever_comes_between_topics_are_governed_by_what_holds(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world w;
        world_init(&w);
        state_of_chance = seed;
        for (int i = 0; i < CHANGES; i++) {
            w.overtake = chance(3) == 0 ? NULL : change_any;
            change(&w, false);
            w.overtake = NULL;
            for (uint32_t k = 0; k < TOPICS; k++) {
                topic_holds(&w, word("t", k, ""));
            }
        }
        world_fini(&w);
    }
    assert_true(accepted[0] > SEEDS && accepted[1] > SEEDS); // of either kind
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_comes_between_topics_are_governed_by_what_holds),
    };
    return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
