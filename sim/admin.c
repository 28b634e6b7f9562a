// SPDX-License-Identifier: Apache-2.0
// admin.c - the simulated operator: creates the topics, deletes records, churns other topics and configs.
#include <stdio.h>

#include "base/mem.h"
#include "catalogue.h"

enum { CALL_MS = 5000, RESOURCE_TOPIC = 2, LOOSE_TOPIC = TOPICS - 1 };
#define MS 1000000LL

// Each call gives its answer's error; false = no answer.
bool admin_create_topic_with(struct client *c, const char *name, int32_t partitions,
                             const struct create_topics_request_config *configs, int32_t config_count,
                             enum err *ret_err)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct create_topics_request *request = wire_new(&arena, &create_topics_request_type, 1);
    request->timeout_ms = CALL_MS;
    request->topics = wire_array(&arena, create_topics_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].name = str_from_c(name);
    request->topics[0].num_partitions = partitions;
    request->topics[0].replication_factor = 1;
    request->topics[0].configs = wire_array(&arena, create_topics_request_config, config_count + 1);
    request->topics[0].configs_count = config_count;
    for (int32_t i = 0; i < config_count; i++) {
        request->topics[0].configs[i] = configs[i];
    }
    struct create_topics_response *r = client_call(c, API_CREATE_TOPICS, 4, request, CALL_MS * MS);
    arena_fini(&arena);
    *ret_err = r == NULL || r->topics_count != 1 ? ERR_CLOSED : r->topics[0].error;
    return r != NULL;
}

bool admin_create_topic(struct client *c, const char *name, int32_t partitions, enum err *ret_err)
{
    return admin_create_topic_with(c, name, partitions, NULL, 0, ret_err);
}

static bool create_followed(struct client *c, const struct scenario *s, const struct topic_plan *plan,
                            bool *ret_exists)
{
    char ms[24];
    char bytes[24];
    bool is_retained = plan->kind == TOPIC_RETAINED;
    snprintf(ms, sizeof ms, "%lld", (long long)(is_retained ? s->retention_ms : -1));
    snprintf(bytes, sizeof bytes, "%lld", (long long)(is_retained ? s->retention_bytes : -1));
    // Clocks that jump must not make timestamps invalid: that is a promise to reject, and tested elsewhere.
    const struct create_topics_request_config configs[] = {
        {.name = STR("retention.ms"), .value = str_from_c(ms)},
        {.name = STR("retention.bytes"), .value = str_from_c(bytes)},
        {.name = STR("message.timestamp.after.max.ms"), .value = STR("9223372036854775807")},
        {.name = STR("strom.durability"), .value = plan->kind == TOPIC_LOOSE ? STR("os") : STR("fsync")},
    };
    enum err err = ERR_OK;
    bool is_answered = admin_create_topic_with(c, plan->name, plan->count, configs, 4, &err);
    *ret_exists = is_answered && (err == ERR_OK || err == ERR_TOPIC_EXISTS);
    return is_answered;
}

bool admin_delete_topic(struct client *c, const char *name, enum err *ret_err)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct delete_topics_request *request = wire_new(&arena, &delete_topics_request_type, 1);
    struct str names[1] = {str_from_c(name)};
    request->topic_names = names;
    request->topic_names_count = 1;
    request->timeout_ms = CALL_MS;
    struct delete_topics_response *r = client_call(c, API_DELETE_TOPICS, 3, request, CALL_MS * MS);
    arena_fini(&arena);
    *ret_err = r == NULL || r->topics_count != 1 ? ERR_CLOSED : r->topics[0].error;
    return r != NULL;
}

static bool grow_topic(struct client *c, const char *name, int32_t count, enum err *ret_err)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct create_partitions_request *request = wire_new(&arena, &create_partitions_request_type, 1);
    request->timeout_ms = CALL_MS;
    request->topics = wire_array(&arena, create_partitions_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].name = str_from_c(name);
    request->topics[0].count = count;
    request->topics[0].assignments_count = -1;
    struct create_partitions_response *r = client_call(c, API_CREATE_PARTITIONS, 1, request, CALL_MS * MS);
    arena_fini(&arena);
    *ret_err = r == NULL || r->results_count != 1 ? ERR_CLOSED : r->results[0].error;
    return r != NULL;
}

static bool set_config(struct client *c, const char *topic, struct str key, struct str value,
                       enum err *ret_err)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct incremental_alter_configs_request *request =
        wire_new(&arena, &incremental_alter_configs_request_type, 1);
    request->resources = wire_array(&arena, incremental_alter_configs_request_resource, 1);
    request->resources_count = 1;
    request->resources[0].resource_type = RESOURCE_TOPIC;
    request->resources[0].resource_name = str_from_c(topic);
    request->resources[0].configs = wire_array(&arena, incremental_alter_configs_request_config, 1);
    request->resources[0].configs_count = 1;
    request->resources[0].configs[0].name = key;
    request->resources[0].configs[0].value = value;
    struct incremental_alter_configs_response *r =
        client_call(c, API_INCREMENTAL_ALTER_CONFIGS, 0, request, CALL_MS * MS);
    arena_fini(&arena);
    *ret_err = r == NULL || r->responses_count != 1 ? ERR_CLOSED : r->responses[0].error;
    return r != NULL;
}

static bool alter_something(struct client *c, struct scenario *s)
{
    int topic = (int)sim_rand(s->world, TOPICS);
    enum err err = ERR_OK;
    if (sim_chance(s->world, 400) && topic_plans[topic].kind == TOPIC_KEPT) {
        return set_config(c, topic_plans[topic].name, STR("message.timestamp.type"),
                          sim_chance(s->world, 500) ? STR("LogAppendTime") : STR("CreateTime"), &err);
    }
    char text[24];
    int64_t value = 200000 + (int64_t)sim_rand(s->world, 1000000);
    snprintf(text, sizeof text, "%lld", (long long)value);
    bool is_answered =
        set_config(c, topic_plans[topic].name, STR("max.message.bytes"), str_from_c(text), &err);
    catalogue_set(s, topic, is_answered, err, value);
    return is_answered;
}

static bool delete_records(struct client *c, struct scenario *s)
{
    int partition = (int)sim_rand(s->world, (uint64_t)topic_plans[LOOSE_TOPIC].first);
    const struct topic_plan *topic = topic_plan_of(partition);
    int64_t end = checker_known_end(s->checker, partition);
    int64_t offset = (int64_t)sim_rand(s->world, (uint64_t)end + 1);
    checker_trim_asked(s->checker, partition, offset);
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct delete_records_request *request = wire_new(&arena, &delete_records_request_type, 1);
    request->timeout_ms = CALL_MS;
    request->topics = wire_array(&arena, delete_records_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].name = str_from_c(topic->name);
    request->topics[0].partitions = wire_array(&arena, delete_records_request_partition, 1);
    request->topics[0].partitions_count = 1;
    request->topics[0].partitions[0].partition_index = partition - topic->first;
    request->topics[0].partitions[0].offset = offset;
    struct delete_records_response *r = client_call(c, API_DELETE_RECORDS, 1, request, CALL_MS * MS);
    arena_fini(&arena);
    return r != NULL;
}

static bool churn(struct client *c, struct scenario *s)
{
    int topic = (int)sim_rand(s->world, CHURN_TOPICS);
    int32_t count = 1 + (int32_t)sim_rand(s->world, 20);
    char name[32];
    snprintf(name, sizeof name, "churn-%d", topic);
    bool is_answered = true;
    enum err err = ERR_OK;
    uint64_t what = sim_rand(s->world, 6);
    switch (what < 4 && !s->has_churn ? 5 : what) {
    case 0:
        is_answered = admin_create_topic(c, name, count, &err);
        catalogue_created(s, topic, is_answered, err, count);
        break;
    case 1:
        is_answered = admin_delete_topic(c, name, &err);
        catalogue_deleted(s, topic, is_answered, err);
        break;
    case 2:
        is_answered = grow_topic(c, name, count, &err);
        catalogue_grown(s, topic, is_answered, err, count);
        break;
    case 3:
        return alter_something(c, s);
    case 4:
        return !s->has_trims || delete_records(c, s);
    default:
        client_sleep(c, (int64_t)sim_rand(s->world, 200) * MS);
        break;
    }
    return is_answered;
}

void admin_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct scenario *s = args->scenario;
    struct client c;
    client_init(&c, env);
    int created = 0;
    while (s->phase == PHASE_CHAOS || (s->phase == PHASE_HEAL && created < TOPICS)) {
        int broker = (int)sim_rand(s->world, (uint64_t)s->broker_count);
        if (c.sock == NULL && !client_connect(&c, s->brokers[broker].address, BROKER_PORT, 1000 * MS)) {
            client_sleep(&c, (int64_t)(1 + sim_rand(s->world, 50)) * MS);
            continue;
        }
        bool is_fine = true;
        if (created < TOPICS) {
            bool exists = false;
            is_fine = create_followed(&c, s, &topic_plans[created], &exists);
            created += exists ? 1 : 0;
            if (created == TOPICS) {
                client_sleep(&c, s->is_shared ? 1000 * MS : 0); // every broker has caught up
                s->topics_are_ready = true;
            }
        } else {
            is_fine = churn(&c, s);
        }
        if (!is_fine || sim_chance(s->world, 20)) {
            client_drop(&c);
        }
    }
    client_fini(&c);
    s->active_clients--;
}
