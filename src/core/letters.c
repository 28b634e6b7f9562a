// SPDX-License-Identifier: Apache-2.0
// letters.c - what apply reads out of a topic's configs: whether contracts govern it, and which topic takes
// its dead letters. That one exists while it is named, and is not governed itself: a dead letter is never
// judged.
#include "base/hash.h"
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

// naming_find gives a topic whose dead letters go to the one of this name; NULL = none.
static struct topic *naming_find(const struct core *core, struct str name)
{
    for (struct map_node *n = map_first(&core->topics_by_letters, letters_hash(name)); n != NULL;
         n = map_next(n)) {
        struct topic *topic = MAP_ENTRY(n, struct topic, by_letters);
        char room[TOPIC_LETTERS_SIZE];
        if (str_equal(topic_letters(topic, room), name)) {
            return topic;
        }
    }
    return NULL;
}

struct topic *core_topic_naming(const struct core *core, struct str name)
{
    return naming_find(core, name);
}

enum err governing_check(const struct core *core, struct str name, const struct item_config *configs,
                         uint32_t count)
{
    bool is_governed;
    char room[TOPIC_LETTERS_SIZE];
    struct str letters = letters_topic(name, configs, count, &is_governed, room);
    if (is_governed && naming_find(core, name) != NULL) {
        return ERR_INVALID_CONFIG;
    }
    if (letters.ptr == NULL) {
        return ERR_OK;
    }
    const struct topic *taker = core_topic_find(core, letters);
    if (taker == NULL) {
        return str_equal(letters, name) ? ERR_INVALID_CONFIG : ERR_STALE;
    }
    return taker->is_governed || str_equal(letters, name) ? ERR_INVALID_CONFIG : ERR_OK;
}

void governing_leave(struct core *core, struct topic *topic)
{
    if (topic->has_letters) {
        map_remove(&core->topics_by_letters, &topic->by_letters);
    }
    topic->has_letters = topic->is_governed = false;
}

void governing_refresh(struct core *core, struct topic *topic)
{
    char room[TOPIC_LETTERS_SIZE];
    governing_leave(core, topic);
    struct str letters = letters_topic(topic_name(topic), topic->configs.configs, topic->configs.count,
                                       &topic->is_governed, room);
    topic->has_letters = letters.ptr != NULL;
    if (topic->has_letters) {
        map_insert(&core->topics_by_letters, &topic->by_letters, letters_hash(letters));
    }
}
