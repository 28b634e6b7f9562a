// SPDX-License-Identifier: Apache-2.0
// plan_letters.c - binding a topic to contracts: whether its configs may govern it, and the topics that take
// its dead letters, which are made together with the binding: the one that its settings name, and those that
// rules of its contracts do.
#include "broker/broker_private.h"
#include "core/governance.h"

enum { BINDING_FOUND_BYTES_MAX = 1 << 20 };

// check_taker refuses what apply would, in words, of a topic that is to take the dead letters of another one.
// The lock is held.
static enum err check_taker(const struct broker *b, struct str name, struct str letters, struct error *e)
{
    const struct topic *taker = core_topic_find(b->core, letters);
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
    return kept_check(b, taker, e);
}

// check_binding: the topic may be governed, as others do not put their dead letters into it, and what takes
// its own can. The lock is held.
static enum err check_binding(const struct broker *b, struct str name, struct str letters, bool is_governed,
                              struct error *e)
{
    const struct topic *naming = core_topic_naming(b->core, name);
    if (is_governed && naming != NULL) {
        return FAIL(e, ERR_INVALID_CONFIG,
                    "Topic '" STR_FMT "' takes the dead letters of topic '" STR_FMT
                    "': contracts cannot govern it.",
                    STR_ARG(name), STR_ARG(topic_name(naming)));
    }
    return letters.ptr == NULL ? ERR_OK : check_taker(b, name, letters, e);
}

enum err plan_binding(struct broker *b, struct str name, const struct item_config *configs, uint32_t count,
                      struct error *e)
{
    char room[TOPIC_LETTERS_SIZE];
    bool is_governed = false;
    struct str letters = letters_topic(name, configs, count, &is_governed, room);
    mutex_lock(&b->lock);
    enum err err = check_binding(b, name, letters, is_governed, e);
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
        arena_init(&binding->found, BINDING_FOUND_BYTES_MAX);
        b->policy.bind(b->policy.arg, binding);
    }
    return is_governed;
}

// ---- topics that rules name

// check_rule_taker: a topic of that name can take dead letters, or be made for it.
static enum err check_rule_taker(struct broker *b, struct str name, struct str letters, struct error *e)
{
    enum err err = broker_topic_name_check(letters, e);
    if (err == ERR_OK && str_equal(letters, name)) {
        err = FAIL(e, ERR_INVALID_CONFIG, "a topic cannot take its own dead letters");
    }
    if (err == ERR_OK) {
        mutex_lock(&b->lock);
        err = check_taker(b, name, letters, e);
        mutex_unlock(&b->lock);
    }
    if (err != ERR_OK) {
        error_wrap(e, "a rule's dlq.topic, \"" STR_FMT "\"", STR_ARG(letters));
        e->code = ERR_INVALID_CONFIG;
    }
    return err == ERR_OK ? ERR_OK : ERR_INVALID_CONFIG;
}

static bool list_has(struct str list, struct str name)
{
    while (list.len > 0) {
        if (str_equal(str_cut(list, ',', &list), name)) {
            return true;
        }
    }
    return false;
}

// rule_topics adds names to a list of GOVERNANCE_RULE_TOPICS; *ret is the list itself if it has them all.
static enum err rule_topics(struct broker *b, struct str topic, struct str list, const struct str *letters,
                            uint32_t count, struct arena *arena, struct str *ret, struct error *e)
{
    uint32_t total = 0;
    enum err err = ERR_OK;
    for (struct str rest = list; rest.len > 0; total++) {
        (void)str_cut(rest, ',', &rest);
    }
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        if (list_has(list, letters[i])) {
            continue;
        }
        err = check_rule_taker(b, topic, letters[i], e);
        if (err == ERR_OK && total++ == GOVERNANCE_RULE_TOPICS_MAX) {
            err = FAIL(e, ERR_INVALID_CONFIG,
                       "the rules of the contracts of topic '" STR_FMT
                       "' name more than %d topics for dead letters",
                       STR_ARG(topic), GOVERNANCE_RULE_TOPICS_MAX);
        }
        list = arena_printf(arena, STR_FMT "%s" STR_FMT, STR_ARG(list), list.len > 0 ? "," : "",
                            STR_ARG(letters[i]));
    }
    *ret = list;
    return err == ERR_OK && arena->failed ? FAIL(e, ERR_NO_MEMORY, "the request is over its memory limit")
                                          : err;
}

// configs_with gives the configs with that list, which replaces the one they have; they stay sorted.
static struct item_config *configs_with(const struct item_config *configs, uint32_t count, struct str list,
                                        struct arena *arena, uint32_t *ret_count)
{
    struct item_config own = {STR(GOVERNANCE_RULE_TOPICS), list};
    struct item_config *all = arena_new(arena, struct item_config, (size_t)count + 1);
    bool is_put = list.len == 0;
    *ret_count = 0;
    for (uint32_t i = 0; i < count && all != NULL; i++) {
        int order = str_compare(configs[i].key, own.key);
        if (order > 0 && !is_put) {
            all[(*ret_count)++] = own;
            is_put = true;
        }
        if (order != 0) {
            all[(*ret_count)++] = configs[i];
        }
    }
    if (!is_put && all != NULL) {
        all[(*ret_count)++] = own;
    }
    return all;
}

enum err broker_bound(struct broker *b, const struct policy_binding *binding, struct arena *arena,
                      struct item *item, struct item *ret_guard, struct error *e)
{
    bool is_create = item->kind == ITEM_TOPIC_CREATE;
    struct item_config **configs = is_create ? &item->topic_create.configs : &item->config_set.configs;
    uint32_t *count = is_create ? &item->topic_create.config_count : &item->config_set.config_count;
    struct str topic = arena_str(arena, binding->topic_name);
    struct item_condition *conditions =
        arena_new(arena, struct item_condition, (size_t)binding->condition_count + 1);
    struct item_document *change = arena_new(arena, struct item_document, 1);
    char room[TOPIC_LETTERS_SIZE];
    bool is_governed = false;
    struct str list = {"", 0};
    enum err err = ERR_OK;
    if (letters_topic(topic, *configs, *count, &is_governed, room).ptr == NULL) { // else that one takes all
        err = rule_topics(b, topic, list, binding->letters, binding->letter_count, arena, &list, e);
    }
    if (err == ERR_OK && *count + (list.len > 0) > ITEM_CONFIGS_MAX) {
        err = FAIL(e, ERR_INVALID_CONFIG, "%u configs, limit %d", *count + 1, ITEM_CONFIGS_MAX);
    }
    if (err != ERR_OK) {
        return err;
    }
    *configs = configs_with(*configs, *count, list, arena, count);
    for (uint32_t i = 0; i < binding->condition_count && conditions != NULL; i++) {
        conditions[i] = (struct item_condition){arena_str(arena, binding->conditions[i].key),
                                                binding->conditions[i].revision};
    }
    if (arena->failed) {
        return FAIL(e, ERR_NO_MEMORY, "the request is over its memory limit");
    }
    *change = (struct item_document){.key = STR(BINDINGS_DOCUMENT), .number_op = NUMBER_ADD, .number = 1};
    *ret_guard = (struct item){.kind = ITEM_DOCUMENTS, .version = 2};
    ret_guard->documents = (struct item_documents){conditions, binding->condition_count, change, 1};
    item->depends_on = 1;
    return ERR_OK;
}

// ---- making the topics

// planned_of gives name, configs and partitions of the topic that a planned item is about; false: none.
static bool planned_of(struct broker *b, const struct item *item, struct arena *arena,
                       struct item_topic_create *ret)
{
    const struct item_config_set *set = &item->config_set;
    if (item->kind == ITEM_TOPIC_CREATE) {
        *ret = item->topic_create;
        return true;
    }
    if (item->kind != ITEM_CONFIG_SET || uuid_is_zero(set->topic_id)) {
        return false;
    }
    mutex_lock(&b->lock);
    const struct topic *topic = core_topic_find_id(b->core, set->topic_id);
    if (topic != NULL) {
        *ret = (struct item_topic_create){.name = arena_str(arena, topic_name(topic)),
                                          .partition_count = topic_partition_count(topic),
                                          .configs = set->configs,
                                          .config_count = set->config_count};
    }
    mutex_unlock(&b->lock);
    return topic != NULL && ret->name.ptr != NULL;
}

// plan_taker plans a topic for dead letters unless it is there.
static enum err plan_taker(struct broker *b, struct str letters, int32_t partition_count, struct arena *arena,
                           struct item *creates, uint32_t *count, struct error *e)
{
    static const struct item_config stays = {{"cleanup.policy", 14}, {"delete", 6}}; // whatever is usual here
    const struct topic_spec spec = {.name = arena_str(arena, letters),
                                    .partition_count = partition_count,
                                    .replication_factor = -1,
                                    .configs = &stays,
                                    .config_count = 1};
    mutex_lock(&b->lock);
    bool is_there = core_topic_find(b->core, letters) != NULL;
    mutex_unlock(&b->lock);
    if (is_there) {
        return ERR_OK;
    }
    enum err err = spec.name.ptr == NULL ? FAIL(e, ERR_NO_MEMORY, "the request is over its memory limit")
                                         : broker_plan_topic(b, &spec, arena, &creates[*count], e);
    *count += err == ERR_OK;
    if (err != ERR_OK) {
        error_wrap(e, "the topic for dead letters \"" STR_FMT "\"", STR_ARG(letters));
    }
    return err;
}

enum err broker_plan_letters(struct broker *b, const struct item *item, struct arena *arena,
                             struct item **ret_creates, uint32_t *ret_count, struct error *e)
{
    struct item_topic_create planned;
    char room[TOPIC_LETTERS_SIZE];
    bool is_governed;
    *ret_count = 0;
    *ret_creates = NULL;
    if (!planned_of(b, item, arena, &planned)) {
        return ERR_OK;
    }
    struct str letters =
        letters_topic(planned.name, planned.configs, planned.config_count, &is_governed, room);
    struct str rest = governance_rule_topics(planned.configs, planned.config_count);
    if (letters.ptr == NULL && rest.len == 0) {
        return ERR_OK;
    }
    *ret_creates = arena_new(arena, struct item, GOVERNANCE_RULE_TOPICS_MAX + 2);
    enum err err =
        *ret_creates == NULL ? FAIL(e, ERR_NO_MEMORY, "the request is over its memory limit") : ERR_OK;
    if (err == ERR_OK && letters.ptr != NULL) {
        err = plan_taker(b, letters, planned.partition_count, arena, *ret_creates, ret_count, e);
    }
    while (err == ERR_OK && rest.len > 0) {
        struct str name = str_cut(rest, ',', &rest);
        err = plan_taker(b, name, planned.partition_count, arena, *ret_creates, ret_count, e);
    }
    return err;
}

// ---- a version is registered

// stored_copy takes a governed topic's configs out of the core; false: it is not governed, or gone.
static bool stored_copy(struct broker *b, struct str name, struct arena *arena, struct item_config_set *ret)
{
    uint32_t count = 0;
    mutex_lock(&b->lock);
    const struct topic *topic = core_topic_find(b->core, name);
    bool is_governed = topic != NULL && topic_is_governed(topic);
    if (is_governed) {
        const struct item_config *stored = topic_configs(topic, &count);
        *ret = (struct item_config_set){.topic_id = topic_id(topic),
                                        .expected_revision = topic_config_revision(topic),
                                        .configs = arena_new(arena, struct item_config, (size_t)count + 1),
                                        .config_count = count};
        for (uint32_t i = 0; i < count && ret->configs != NULL; i++) {
            ret->configs[i] =
                (struct item_config){arena_str(arena, stored[i].key), arena_str(arena, stored[i].value)};
        }
    }
    mutex_unlock(&b->lock);
    return is_governed;
}

enum err broker_plan_rule_letters(struct broker *b, struct str topic, const struct str *letters,
                                  uint32_t letter_count, struct arena *arena, struct item **ret_items,
                                  uint32_t *ret_count, struct error *e)
{
    struct item item = {.kind = ITEM_CONFIG_SET, .version = 1};
    struct item_config_set *set = &item.config_set;
    char room[TOPIC_LETTERS_SIZE];
    bool is_governed;
    *ret_count = 0;
    if (!stored_copy(b, topic, arena, set) || arena->failed) {
        return arena->failed ? FAIL(e, ERR_NO_MEMORY, "the request is over its memory limit") : ERR_OK;
    }
    struct str before = governance_rule_topics(set->configs, set->config_count);
    struct str list = before;
    if (letters_topic(topic, set->configs, set->config_count, &is_governed, room).ptr != NULL) {
        return ERR_OK; // that one takes all
    }
    enum err err = rule_topics(b, topic, before, letters, letter_count, arena, &list, e);
    if (err != ERR_OK || list.len == before.len) {
        return err;
    }
    set->configs = configs_with(set->configs, set->config_count, list, arena, &set->config_count);
    if (set->config_count > ITEM_CONFIGS_MAX) {
        return FAIL(e, ERR_INVALID_CONFIG, "%u configs, limit %d", set->config_count, ITEM_CONFIGS_MAX);
    }
    err = arena->failed ? FAIL(e, ERR_NO_MEMORY, "the request is over its memory limit")
                        : broker_plan_letters(b, &item, arena, ret_items, ret_count, e);
    if (err == ERR_OK) {
        (*ret_items)[(*ret_count)++] = item;
    }
    return err;
}
