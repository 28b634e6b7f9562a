// SPDX-License-Identifier: Apache-2.0
// CreateTopics (key 19). KIP-4, KIP-464 (-1 = defaults, v4), KIP-525 (configs in the answer, v5), KIP-516
// (ids, v7). A replication factor above one is accepted and answered as what it is here: one (kafka.md 5.27).
#include "kafka/changes.h"
#include "kafka/config_view.h"
#include "kafka/handlers/handlers.h"

enum { CONFIGS_VERSION_MIN = 5, STRICT_VERSION_MIN = 6 }; // KIP-599

static bool load_spec(struct request *rq, const struct create_topics_request_topic *topic,
                      struct topic_spec *ret)
{
    size_t config_count = (size_t)topic->configs_count;
    size_t assigned_count = (size_t)topic->assignments_count;
    struct item_config *configs = request_new(rq, struct item_config, config_count + 1);
    int32_t *assigned = request_new(rq, int32_t, assigned_count + 1);
    if (configs == NULL || assigned == NULL) {
        return false;
    }
    for (size_t i = 0; i < config_count; i++) {
        configs[i] = (struct item_config){topic->configs[i].name, topic->configs[i].value};
    }
    for (size_t i = 0; i < assigned_count; i++) {
        assigned[i] = topic->assignments[i].partition_index;
    }
    *ret = (struct topic_spec){
        .name = topic->name,
        .partition_count = topic->num_partitions,
        .replication_factor = topic->replication_factor,
        .configs = configs,
        .config_count = (uint32_t)config_count,
        .assigned_partitions = assigned_count == 0 ? NULL : assigned,
        .assigned_count = (uint32_t)assigned_count,
    };
    return true;
}

static enum err plan_topic(struct change_set *set, uint32_t index, struct item *ret_item, struct error *e)
{
    const struct create_topics_request *in = set->rq->in;
    struct topic_spec spec;
    if (!load_spec(set->rq, &in->topics[index], &spec)) {
        return FAIL(e, ERR_NO_MEMORY, "the request is over its memory limit");
    }
    return broker_plan_topic(set->rq->broker, &spec, &set->rq->arena, ret_item, e);
}

static void fill_configs(struct request *rq, const struct item_topic_create *create,
                         const struct setting_layers *broker_layers, struct create_topics_response_topic *out)
{
    struct setting_layers layers = *broker_layers;
    layers.topic_configs = create->configs;
    layers.topic_count = create->config_count;
    out->configs = wire_array(&rq->arena, create_topics_response_config, setting_count());
    for (uint32_t i = 0; i < setting_count() && out->configs != NULL; i++) {
        const struct setting *setting = setting_at(i);
        if (setting->scope != SETTING_TOPIC) {
            continue;
        }
        enum setting_source source = SETTING_FROM_DEFAULT;
        struct create_topics_response_config *config = &out->configs[out->configs_count++];
        config->name = str_from_c(setting->name);
        config->value = config_view_value(rq, setting, &layers, &source);
        config->config_source = (int8_t)source;
        config->is_sensitive = config_view_is_secret(setting);
    }
}

static void on_created(struct change_set *set)
{
    struct request *rq = set->rq;
    const struct create_topics_request *in = rq->in;
    struct create_topics_response *out = rq->out;
    struct setting_layers layers;
    (void)config_view_load(rq, (struct str){NULL, 0}, &layers);
    out->topics = wire_array(&rq->arena, create_topics_response_topic, set->count);
    out->topics_count = out->topics == NULL ? 0 : (int32_t)set->count;
    for (int32_t i = 0; i < out->topics_count; i++) {
        const struct change_entry *entry = &set->entries[i];
        struct create_topics_response_topic *topic = &out->topics[i];
        topic->name = in->topics[i].name;
        topic->error = entry->err;
        topic->error_message = entry->text;
        if (entry->err == ERR_OK) {
            const struct item_topic_create *create = &entry->item.topic_create;
            topic->topic_id = in->validate_only ? (struct uuid){{0}} : create->topic_id;
            topic->num_partitions = create->partition_count;
            topic->replication_factor = 1;
            if (rq->version >= CONFIGS_VERSION_MIN) {
                fill_configs(rq, create, &layers, topic);
            }
        }
    }
    request_reply(rq); // closes if the arena failed
}

static void create_topics_handle(struct request *rq)
{
    const struct create_topics_request *in = rq->in;
    uint32_t count = (uint32_t)in->topics_count;
    struct str *names = request_new(rq, struct str, (size_t)count + 1);
    if (names == NULL) {
        request_out_of_memory(rq);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        names[i] = in->topics[i].name;
    }
    struct change_set *set = change_set_create(rq, count);
    if (set == NULL || !change_set_refuse_repeated(set, names, STR("Duplicate topic name."))) {
        return;
    }
    set->is_validate_only = in->validate_only;
    set->plan = plan_topic;
    set->done = on_created;
    set->strict_since = STRICT_VERSION_MIN;
    change_set_start(set);
}

const struct api_handler create_topics_handler = {.key = API_CREATE_TOPICS, .handle = create_topics_handle};
