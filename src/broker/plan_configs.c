// SPDX-License-Identifier: Apache-2.0
// plan_configs.c - AlterConfigs and IncrementalAlterConfigs: from the stored set and the wished changes to
// the whole new set, with the revision it was planned against. Two racing changes: the second is refused as
// stale and planned again, so none is lost.
#include "broker/broker_private.h"
#include "core/governance.h"

#include <stdlib.h>

struct plan {
    struct item_config *configs;
    uint32_t count;
    uint32_t cap;
    struct arena *arena;
    enum setting_scope scope;
};

static struct item_config *plan_find(struct plan *plan, struct str key)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        if (str_equal(plan->configs[i].key, key)) {
            return &plan->configs[i];
        }
    }
    return NULL;
}

static void plan_put(struct plan *plan, struct str key, struct str value)
{
    struct item_config *config = plan_find(plan, key);
    if (config == NULL && plan->count < plan->cap) {
        config = &plan->configs[plan->count++];
        config->key = arena_str(plan->arena, key);
    }
    if (config != NULL) {
        config->value = arena_str(plan->arena, value);
    }
}

static void plan_drop(struct plan *plan, struct str key)
{
    struct item_config *config = plan_find(plan, key);
    if (config != NULL) {
        *config = plan->configs[--plan->count];
    }
}

static bool list_has(struct str list, struct str element)
{
    while (list.len > 0) {
        struct str rest;
        if (str_equal(str_trim(str_cut(list, ',', &rest)), element)) {
            return true;
        }
        list = rest;
    }
    return false;
}

// list_edit appends the elements of `value` to `list`, or takes them out.
static struct str list_edit(struct arena *arena, struct str list, struct str value, bool is_append)
{
    struct str result = {"", 0};
    struct str rest = list;
    while (rest.len > 0) {
        struct str element = str_trim(str_cut(rest, ',', &rest));
        if (is_append || !list_has(value, element)) {
            result = arena_printf(arena, STR_FMT "%s" STR_FMT, STR_ARG(result), result.len > 0 ? "," : "",
                                  STR_ARG(element));
        }
    }
    rest = value;
    while (is_append && rest.len > 0) {
        struct str element = str_trim(str_cut(rest, ',', &rest));
        if (!list_has(result, element)) {
            result = arena_printf(arena, STR_FMT "%s" STR_FMT, STR_ARG(result), result.len > 0 ? "," : "",
                                  STR_ARG(element));
        }
    }
    return result;
}

static struct str effective_list(struct plan *plan, const struct setting *setting)
{
    struct item_config *config = plan_find(plan, str_from_c(setting->name));
    if (config != NULL) {
        return config->value;
    }
    return setting->default_text == NULL ? (struct str){"", 0} : str_from_c(setting->default_text);
}

static enum err plan_change(struct plan *plan, const struct config_change *change, struct error *e)
{
    const struct setting *setting = setting_find(change->key, plan->scope);
    if (setting == NULL) {
        return FAIL(e, ERR_INVALID_CONFIG, "Unknown %s config name: " STR_FMT,
                    plan->scope == SETTING_TOPIC ? "topic" : "broker", STR_ARG(change->key));
    }
    if (setting->scope == SETTING_BROKER_STATIC) {
        return FAIL(e, ERR_INVALID_REQUEST,
                    "Cannot update these configs dynamically: [" STR_FMT
                    "]: set it at start, with --set or in the configuration file",
                    STR_ARG(change->key));
    }
    if (change->op == CONFIG_DELETE) {
        plan_drop(plan, change->key);
        return ERR_OK;
    }
    if (change->value.ptr == NULL) {
        return FAIL(e, ERR_INVALID_REQUEST, "Null value not supported for : " STR_FMT, STR_ARG(change->key));
    }
    struct str value = change->value;
    if (change->op != CONFIG_SET) {
        if (setting->type != SETTING_LIST) {
            return FAIL(e, ERR_INVALID_CONFIG, "Can't %s to key " STR_FMT " because its type is not LIST.",
                        change->op == CONFIG_APPEND ? "APPEND" : "SUBTRACT", STR_ARG(change->key));
        }
        value = list_edit(plan->arena, effective_list(plan, setting), value, change->op == CONFIG_APPEND);
    }
    enum err err = setting_check(setting, value, e);
    if (err != ERR_OK) {
        return err;
    }
    plan_put(plan, change->key, value);
    return plan->arena->failed ? FAIL(e, ERR_NO_MEMORY, "the request is over its memory limit") : ERR_OK;
}

// load copies the stored set.
static enum err load(struct broker *b, struct str name, bool is_whole, struct plan *plan, uint32_t extra,
                     struct item_config_set *set, struct error *e)
{
    mutex_lock(&b->lock);
    struct topic *topic = name.ptr == NULL ? NULL : core_topic_find(b->core, name);
    bool is_known = name.ptr == NULL || topic != NULL;
    enum err err = kept_check(b, topic, e);
    if (is_known && err == ERR_OK) {
        uint32_t count = 0;
        const struct item_config *stored =
            topic == NULL ? core_broker_configs(b->core, &count) : topic_configs(topic, &count);
        set->topic_id = topic == NULL ? (struct uuid){{0}} : topic_id(topic);
        set->expected_revision =
            topic == NULL ? core_broker_config_revision(b->core) : topic_config_revision(topic);
        plan->cap = count + extra;
        plan->configs = arena_new(plan->arena, struct item_config, plan->cap + 1);
        for (uint32_t i = 0; i < count && !is_whole && plan->configs != NULL; i++) {
            if (!str_equal(stored[i].key, STR(GOVERNANCE_RULE_TOPICS))) { // which is found anew
                plan_put(plan, stored[i].key, stored[i].value);
            }
        }
    }
    mutex_unlock(&b->lock);
    return is_known
               ? err
               : FAIL(e, ERR_UNKNOWN_PARTITION, "The topic '" STR_FMT "' does not exist.", STR_ARG(name));
}

static int config_order(const void *left, const void *right)
{
    return str_compare(((const struct item_config *)left)->key, ((const struct item_config *)right)->key);
}

enum err broker_plan_configs(struct broker *b, struct str topic_name_, const struct config_change *changes,
                             uint32_t change_count, bool is_whole, struct arena *arena, struct item *ret_item,
                             struct error *e)
{
    struct plan plan = {.arena = arena,
                        .scope = topic_name_.ptr == NULL ? SETTING_BROKER_DYNAMIC : SETTING_TOPIC};
    *ret_item = (struct item){.kind = ITEM_CONFIG_SET, .version = 1};
    enum err loaded = load(b, topic_name_, is_whole, &plan, change_count, &ret_item->config_set, e);
    if (loaded != ERR_OK) {
        return loaded;
    }
    if (plan.configs == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "the request is over its memory limit");
    }
    for (uint32_t i = 0; i < change_count; i++) {
        struct config_change change = changes[i];
        change.op = is_whole ? CONFIG_SET : change.op;
        enum err err = plan_change(&plan, &change, e);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (plan.count > ITEM_CONFIGS_MAX) {
        return FAIL(e, ERR_INVALID_CONFIG, "%u configs, limit %d", plan.count, ITEM_CONFIGS_MAX);
    }
    qsort(plan.configs, plan.count, sizeof(struct item_config), config_order);
    ret_item->config_set.configs = plan.configs;
    ret_item->config_set.config_count = plan.count;
    if (topic_name_.ptr == NULL) {
        return ERR_OK;
    }
    enum err err = governance_check(topic_name_, plan.configs, plan.count, e);
    return err == ERR_OK ? plan_binding(b, topic_name_, plan.configs, plan.count, e) : err;
}

bool plan_configs_is_noop(struct broker *b, const struct item *item)
{
    const struct item_config_set *set = &item->config_set;
    mutex_lock(&b->lock);
    uint32_t count = 0;
    const struct item_config *stored = core_broker_configs(b->core, &count);
    bool is_same = count == set->config_count;
    for (uint32_t i = 0; i < count && is_same; i++) {
        is_same = str_equal(stored[i].key, set->configs[i].key) &&
                  str_equal(stored[i].value, set->configs[i].value);
    }
    mutex_unlock(&b->lock);
    return is_same;
}
