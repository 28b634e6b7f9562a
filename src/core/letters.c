// SPDX-License-Identifier: Apache-2.0
// letters.c - what apply reads out of a topic's configs: whether contracts govern it, and which topics take
// its dead letters: the one that its settings name, and those that rules of its contracts do. Each exists
// while it is named, and is not governed itself: a dead letter is never judged.
#include "base/hash.h"
#include "base/mem.h"
#include "core/core_private.h"
#include "core/governance.h"

static uint64_t letters_hash(struct str name)
{
    return hash64(bytes_of(name.ptr, name.len), 17);
}

struct str letters_topic(struct str name, const struct item_config *configs, uint32_t count,
                         bool *ret_is_governed, char room[TOPIC_LETTERS_SIZE])
{
    struct governance governance;
    *ret_is_governed = governance_resolve(configs, count, &governance);
    bool is_asked = governance.dlq_topic.len > 0 || (*ret_is_governed && governance.action == ACTION_DLQ);
    return is_asked ? governance_dlq_topic(&governance, name, room) : (struct str){NULL, 0};
}

struct str topic_letters(const struct topic *topic, char room[TOPIC_LETTERS_SIZE])
{
    bool is_governed;
    return letters_topic(topic_name(topic), topic->configs.configs, topic->configs.count, &is_governed, room);
}

bool topic_is_governed(const struct topic *topic)
{
    return topic->is_governed;
}

// takers_next gives one after another of the topics that these configs put dead letters into; false: there
// are no more.
struct takers {
    struct str name;
    const struct item_config *configs;
    uint32_t count;
    bool is_begun;
    bool is_governed;
    struct str rest; // of those that rules name
    char room[TOPIC_LETTERS_SIZE];
};

static bool takers_next(struct takers *t, struct str *ret)
{
    if (!t->is_begun) {
        t->is_begun = true;
        t->rest = governance_rule_topics(t->configs, t->count);
        *ret = letters_topic(t->name, t->configs, t->count, &t->is_governed, t->room);
        if (ret->ptr != NULL) {
            return true;
        }
    }
    if (t->rest.len == 0) {
        return false;
    }
    *ret = str_cut(t->rest, ',', &t->rest);
    return true;
}

static struct takers takers_of(struct str name, const struct item_config *configs, uint32_t count)
{
    return (struct takers){.name = name, .configs = configs, .count = count};
}

static struct takers topic_takers(const struct topic *topic)
{
    return takers_of(topic_name(topic), topic->configs.configs, topic->configs.count);
}

static bool topic_names(const struct topic *topic, struct str name)
{
    struct takers takers = topic_takers(topic);
    struct str taker;
    bool is_named = false;
    while (!is_named && takers_next(&takers, &taker)) {
        is_named = str_equal(taker, name);
    }
    return is_named;
}

struct topic *core_topic_naming(const struct core *core, struct str name)
{
    for (struct map_node *n = map_first(&core->topics_by_letters, letters_hash(name)); n != NULL;
         n = map_next(n)) {
        struct topic *topic = MAP_ENTRY(n, struct taker_node, by_name)->topic;
        if (topic_names(topic, name)) {
            return topic;
        }
    }
    return NULL;
}

static enum err taker_check(const struct core *core, struct str name, struct str letters)
{
    const struct topic *taker = core_topic_find(core, letters);
    if (str_equal(letters, name)) {
        return ERR_INVALID_CONFIG;
    }
    return taker == NULL ? ERR_STALE : taker->is_governed ? ERR_INVALID_CONFIG : ERR_OK;
}

enum err governing_check(const struct core *core, struct str name, const struct item_config *configs,
                         uint32_t count)
{
    struct takers takers = takers_of(name, configs, count);
    struct str taker;
    enum err err = ERR_OK;
    if (governance_is_on(configs, count) && core_topic_naming(core, name) != NULL) {
        return ERR_INVALID_CONFIG;
    }
    while (err == ERR_OK && takers_next(&takers, &taker)) {
        err = taker_check(core, name, taker);
    }
    return err;
}

void governing_leave(struct core *core, struct topic *topic)
{
    for (uint32_t i = 0; i < topic->taker_count; i++) {
        map_remove(&core->topics_by_letters, &topic->takers[i].by_name);
    }
    mem_free(topic->takers);
    topic->takers = NULL;
    topic->taker_count = 0;
    topic->is_governed = false;
}

void governing_refresh(struct core *core, struct topic *topic)
{
    struct str taker;
    uint32_t count = 0;
    governing_leave(core, topic);
    topic->is_governed = governance_is_on(topic->configs.configs, topic->configs.count);
    struct takers takers = topic_takers(topic);
    while (takers_next(&takers, &taker)) {
        count++;
    }
    topic->takers = count == 0 ? NULL : mem_array(count, sizeof *topic->takers);
    takers = topic_takers(topic);
    while (takers_next(&takers, &taker)) {
        struct taker_node *node = &topic->takers[topic->taker_count++];
        node->topic = topic;
        map_insert(&core->topics_by_letters, &node->by_name, letters_hash(taker));
    }
}
