// SPDX-License-Identifier: Apache-2.0
// configs.c - config sets of topics and of the broker. To apply, keys and values are opaque texts, except the
// few that bound the state itself: what a release calls valid may change, a replay may not.
#include "base/mem.h"
#include "core/core_private.h"

static int config_order(const void *a, const void *b)
{
    const struct item_config *x = a;
    const struct item_config *y = b;
    return str_compare(x->key, y->key);
}

struct str text_copy(char **at, struct str text)
{
    struct str copy = {*at, text.len};
    if (text.len > 0) {
        memcpy(*at, text.ptr, text.len);
    }
    *at += text.len;
    return copy;
}

bool config_set_replace(struct config_set *set, const struct item_config *configs, uint32_t count)
{
    size_t size = count * sizeof *configs;
    for (uint32_t i = 0; i < count; i++) {
        size += configs[i].key.len + configs[i].value.len;
    }
    struct item_config *copies = NULL;
    if (count > 0) {
        copies = mem_alloc(size);
        char *text = (char *)(copies + count);
        for (uint32_t i = 0; i < count; i++) {
            copies[i].key = text_copy(&text, configs[i].key);
            copies[i].value = text_copy(&text, configs[i].value);
        }
        qsort(copies, count, sizeof *copies, config_order);
    }
    for (uint32_t i = 1; i < count; i++) {
        if (str_equal(copies[i - 1].key, copies[i].key)) {
            mem_free(copies);
            return false;
        }
    }
    mem_free(set->configs);
    set->configs = copies;
    set->count = count;
    set->size = size;
    return true;
}

void config_set_fini(struct config_set *set)
{
    mem_free(set->configs);
    *set = (struct config_set){0};
}

// limit_number reads one bound; what does not parse or is out of range leaves the default.
static int64_t limit_number(const struct core *core, struct str key, int64_t min, int64_t fallback)
{
    for (uint32_t i = 0; i < core->configs.count; i++) {
        const struct item_config *config = &core->configs.configs[i];
        int64_t value;
        if (str_equal(config->key, key) && str_parse_i64(config->value, &value) && value >= min) {
            return value;
        }
    }
    return fallback;
}

void limits_refresh(struct core *core)
{
    core->limits.producer_expiration_ms = limit_number(core, STR("producer.id.expiration.ms"), 1, 86400000);
    core->limits.producers_max = (uint64_t)limit_number(core, STR("strom.producer.ids.max"), 1, 1000000);
    core->limits.partitions_max = (uint64_t)limit_number(core, STR("strom.partitions.max"), 1, 200000);
    core->limits.topics_max = (uint64_t)limit_number(core, STR("strom.topics.max"), 1, 200000);
    core->limits.groups_max = (uint64_t)limit_number(core, STR("strom.groups.max"), 1, 10000);
    core->limits.offsets_max = (uint64_t)limit_number(core, STR("strom.group.offsets.max"), 1, 2000000);
    core->limits.txns_max = (uint64_t)limit_number(core, STR("strom.transactional.ids.max"), 1, 100000);
    core->limits.txn_expiration_ms = limit_number(core, STR("transactional.id.expiration.ms"), 1, 604800000);
    core->txn_due_ms = core->txn_count == 0 ? INT64_MAX : INT64_MIN; // to be looked for again
    core->limits.quotas_max = (uint64_t)limit_number(core, STR("strom.quotas.max"), 1, 10000);
    core->limits.documents_max = (uint64_t)limit_number(core, STR("strom.documents.max"), 1, 1000000);
    core->limits.documents_bytes_max =
        (uint64_t)limit_number(core, STR("strom.documents.bytes.max"), 1, (int64_t)1 << 30);
    core->settings_serial++;
}

enum err config_set_apply(struct apply *a, const struct item_config_set *item)
{
    struct core *core = a->core;
    struct config_set *set = &core->configs;
    struct topic *topic = NULL;
    if (!uuid_is_zero(item->topic_id)) {
        topic = core_topic_find_id(core, item->topic_id);
        if (topic == NULL) {
            return ERR_UNKNOWN_TOPIC_ID;
        }
        set = &topic->configs;
    }
    if (item->expected_revision != set->revision) {
        return ERR_STALE;
    }
    enum err err =
        topic == NULL ? ERR_OK : governing_check(core, topic_name(topic), item->configs, item->config_count);
    if (err != ERR_OK) {
        return err;
    }
    if (topic != NULL) {
        topic_touch(core, topic);
    }
    if (!config_set_replace(set, item->configs, item->config_count)) {
        return ERR_INVALID_CONFIG;
    }
    set->revision++;
    if (topic == NULL) {
        limits_refresh(core);
    } else {
        topic->settings_serial = 0;
        governing_refresh(core, topic);
    }
    return ERR_OK;
}

// ---- reading

const struct item_config *topic_configs(const struct topic *topic, uint32_t *ret_count)
{
    *ret_count = topic->configs.count;
    return topic->configs.configs;
}

uint64_t topic_config_revision(const struct topic *topic)
{
    return topic->configs.revision;
}

const struct item_config *core_broker_configs(const struct core *core, uint32_t *ret_count)
{
    *ret_count = core->configs.count;
    return core->configs.configs;
}

uint64_t core_broker_config_revision(const struct core *core)
{
    return core->configs.revision;
}

enum err core_static_configs_set(struct core *core, const struct item_config *configs, uint32_t count)
{
    if (!config_set_replace(&core->fixed_configs, configs, count)) {
        return ERR_INVALID_CONFIG;
    }
    core->settings_serial++;
    return ERR_OK;
}

const struct topic_settings *topic_settings(const struct core *core, const struct topic *topic)
{
    // A cache: the caller holds the one lock, and the answer depends on nothing but the state.
    struct topic *cache = (struct topic *)topic;
    if (cache->settings_serial != core->settings_serial) {
        struct setting_layers layers = {
            .topic_configs = topic->configs.configs,
            .topic_count = topic->configs.count,
            .dynamic_configs = core->configs.configs,
            .dynamic_count = core->configs.count,
            .static_configs = core->fixed_configs.configs,
            .static_count = core->fixed_configs.count,
        };
        topic_settings_resolve(&layers, &cache->settings);
        cache->settings_serial = core->settings_serial;
    }
    return &cache->settings;
}
