// SPDX-License-Identifier: Apache-2.0
// plan_letters.c - binding a topic to contracts: whether its configs may govern it, and the topic that takes
// its dead letters, which is made together with the binding.
#include "broker/broker_private.h"

// check_taker refuses what apply would, in words. ret_is_missing: the topic for dead letters is to be made.
// The lock is held.
static enum err check_taker(const struct broker *b, struct str name, struct str letters, bool is_governed,
                            bool *ret_is_missing, struct error *e)
{
    const struct topic *naming = core_topic_naming(b->core, name);
    if (is_governed && naming != NULL) {
        return FAIL(e, ERR_INVALID_CONFIG,
                    "Topic '" STR_FMT "' takes the dead letters of topic '" STR_FMT
                    "': contracts cannot govern it.",
                    STR_ARG(name), STR_ARG(topic_name(naming)));
    }
    const struct topic *taker = letters.ptr == NULL ? NULL : core_topic_find(b->core, letters);
    if (taker != NULL && topic_is_governed(taker)) {
        return FAIL(e, ERR_INVALID_CONFIG,
                    "Topic '" STR_FMT
                    "' is governed by contracts: it cannot take the dead letters of topic '" STR_FMT "'.",
                    STR_ARG(letters), STR_ARG(name));
    }
    if (taker != NULL && topic_settings(b->core, taker)->is_compacted) {
        return FAIL(e, ERR_INVALID_CONFIG,
                    "Topic '" STR_FMT "' is compacted: of dead letters with one key, or none, it would not "
                    "keep all.",
                    STR_ARG(letters));
    }
    *ret_is_missing = letters.ptr != NULL && taker == NULL;
    return kept_check(b, taker, e);
}

enum err plan_binding(struct broker *b, struct str name, const struct item_config *configs, uint32_t count,
                      struct error *e)
{
    char room[TOPIC_LETTERS_SIZE];
    bool is_governed = false;
    bool is_missing = false;
    struct str letters = letters_topic(name, configs, count, &is_governed, room);
    mutex_lock(&b->lock);
    enum err err = check_taker(b, name, letters, is_governed, &is_missing, e);
    mutex_unlock(&b->lock);
    return err;
}

// topic_of gives the name and configs that a planned item makes a topic's; false: it is about none.
static bool topic_of(struct broker *b, const struct item *item, struct arena *arena,
                     struct policy_binding *ret)
{
    const struct item_topic_create *create = &item->topic_create;
    const struct item_config_set *set = &item->config_set;
    if (item->kind == ITEM_TOPIC_CREATE) {
        ret->topic_name = create->name;
        ret->configs = create->configs;
        ret->config_count = create->config_count;
        return true;
    }
    if (item->kind != ITEM_CONFIG_SET || uuid_is_zero(set->topic_id)) {
        return false;
    }
    mutex_lock(&b->lock);
    const struct topic *topic = core_topic_find_id(b->core, set->topic_id);
    ret->topic_name = topic == NULL ? (struct str){NULL, 0} : arena_str(arena, topic_name(topic));
    mutex_unlock(&b->lock);
    ret->configs = set->configs;
    ret->config_count = set->config_count;
    return ret->topic_name.ptr != NULL; // one that is gone makes the change stale
}

bool broker_bind(struct broker *b, const struct item *item, struct arena *arena,
                 struct policy_binding *binding)
{
    char room[TOPIC_LETTERS_SIZE];
    bool is_governed = false;
    if (b->policy.bind == NULL || !topic_of(b, item, arena, binding)) {
        return false;
    }
    (void)letters_topic(binding->topic_name, binding->configs, binding->config_count, &is_governed, room);
    if (is_governed) {
        b->policy.bind(b->policy.arg, binding);
    }
    return is_governed;
}

enum err broker_plan_letters(struct broker *b, const struct item *item, struct arena *arena,
                             struct item *ret_create, bool *ret_is_needed, struct error *e)
{
    const struct item_topic_create *create = &item->topic_create;
    const struct item_config_set *set = &item->config_set;
    bool is_create = item->kind == ITEM_TOPIC_CREATE;
    bool is_governed;
    bool is_missing = false;
    char room[TOPIC_LETTERS_SIZE];
    struct str letters = {NULL, 0};
    int32_t partition_count = 0;
    *ret_is_needed = false;
    mutex_lock(&b->lock);
    if (is_create) {
        letters = letters_topic(create->name, create->configs, create->config_count, &is_governed, room);
        partition_count = create->partition_count;
    } else if (item->kind == ITEM_CONFIG_SET && !uuid_is_zero(set->topic_id)) {
        const struct topic *topic = core_topic_find_id(b->core, set->topic_id);
        if (topic != NULL) {
            letters = letters_topic(topic_name(topic), set->configs, set->config_count, &is_governed, room);
            partition_count = topic_partition_count(topic);
        }
    }
    is_missing = letters.ptr != NULL && core_topic_find(b->core, letters) == NULL;
    letters = is_missing ? arena_str(arena, letters) : (struct str){NULL, 0};
    mutex_unlock(&b->lock);
    if (!is_missing) {
        return ERR_OK;
    }
    const struct item_config stays = {STR("cleanup.policy"), STR("delete")}; // whatever is usual here
    const struct topic_spec spec = {.name = letters,
                                    .partition_count = partition_count,
                                    .replication_factor = -1,
                                    .configs = &stays,
                                    .config_count = 1};
    enum err err = letters.ptr == NULL ? FAIL(e, ERR_NO_MEMORY, "the request is over its memory limit")
                                       : broker_plan_topic(b, &spec, arena, ret_create, e);
    if (err != ERR_OK) {
        error_wrap(e, "the topic for dead letters: ");
    }
    *ret_is_needed = err == ERR_OK;
    return err;
}
