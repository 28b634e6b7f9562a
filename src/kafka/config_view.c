// SPDX-License-Identifier: Apache-2.0
// config_view.c - layers of configs, copied; the look-up itself is core/setting.h's.
#include "kafka/config_view.h"

// copy_configs copies texts into the arena; on want of memory the count is 0 and the arena failed.
static const struct item_config *copy_configs(struct request *rq, const struct item_config *configs,
                                              uint32_t count, uint32_t *ret_count)
{
    struct item_config *copies = request_new(rq, struct item_config, (size_t)count + 1);
    *ret_count = copies == NULL ? 0 : count;
    for (uint32_t i = 0; i < *ret_count; i++) {
        copies[i].key = arena_str(&rq->arena, configs[i].key);
        copies[i].value = arena_str(&rq->arena, configs[i].value);
    }
    return copies;
}

bool config_view_load(struct request *rq, struct str topic_name, struct setting_layers *ret_layers)
{
    *ret_layers = (struct setting_layers){0};
    ret_layers->static_configs = broker_static_configs(rq->broker, &ret_layers->static_count);
    const struct core *core = broker_view_begin(rq->broker);
    const struct topic *topic = topic_name.ptr == NULL ? NULL : core_topic_find(core, topic_name);
    uint32_t count = 0;
    const struct item_config *configs = core_broker_configs(core, &count);
    ret_layers->dynamic_configs = copy_configs(rq, configs, count, &ret_layers->dynamic_count);
    if (topic != NULL) {
        configs = topic_configs(topic, &count);
        ret_layers->topic_configs = copy_configs(rq, configs, count, &ret_layers->topic_count);
    }
    broker_view_end(rq->broker);
    return topic_name.ptr == NULL || topic != NULL;
}

bool config_view_is_secret(const struct setting *setting)
{
    return setting->type == SETTING_PASSWORD;
}

struct str config_view_value(struct request *rq, const struct setting *setting,
                             const struct setting_layers *layers, enum setting_source *ret_source)
{
    char number[SETTING_NUMBER_SIZE];
    struct str value = setting_lookup(setting, layers, number, ret_source);
    if (config_view_is_secret(setting)) {
        return (struct str){NULL, 0};
    }
    return value.ptr == number ? arena_str(&rq->arena, value) : value;
}
