// SPDX-License-Identifier: Apache-2.0
// admin.c - the simulated operator: creates the topics, deletes records, churns other topics and configs.
#include <stdio.h>

#include "base/mem.h"
#include "client.h"
#include "scenario.h"

enum { CALL_MS = 5000 };
#define MS 1000000LL

static bool create_topic(struct client *c, const char *name, int32_t partitions, bool *ret_exists)
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
    request->topics[0].configs = wire_array(&arena, create_topics_request_config, 1);
    request->topics[0].configs_count = 1;
    request->topics[0].configs[0].name = STR("retention.ms");
    request->topics[0].configs[0].value = STR("-1");
    struct create_topics_response *r = client_call(c, API_CREATE_TOPICS, 4, request, CALL_MS * MS);
    arena_fini(&arena);
    if (r == NULL || r->topics_count != 1) {
        return false;
    }
    *ret_exists = r->topics[0].error == ERR_OK || r->topics[0].error == ERR_TOPIC_EXISTS;
    return true;
}

static bool delete_topic(struct client *c, const char *name)
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
    return r != NULL;
}

static bool delete_records(struct client *c, struct scenario *s)
{
    int partition = (int)sim_rand(s->world, PARTITIONS);
    int64_t end = checker_known_end(s->checker, partition);
    int64_t offset = (int64_t)sim_rand(s->world, (uint64_t)end + 1);
    checker_trim_asked(s->checker, partition, offset);
    char name[24];
    snprintf(name, sizeof name, "topic-%d", partition / PARTITIONS_PER_TOPIC);
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct delete_records_request *request = wire_new(&arena, &delete_records_request_type, 1);
    request->timeout_ms = CALL_MS;
    request->topics = wire_array(&arena, delete_records_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].name = str_from_c(name);
    request->topics[0].partitions = wire_array(&arena, delete_records_request_partition, 1);
    request->topics[0].partitions_count = 1;
    request->topics[0].partitions[0].partition_index = partition % PARTITIONS_PER_TOPIC;
    request->topics[0].partitions[0].offset = offset;
    struct delete_records_response *r = client_call(c, API_DELETE_RECORDS, 1, request, CALL_MS * MS);
    arena_fini(&arena);
    return r != NULL;
}

static bool churn(struct client *c, struct scenario *s)
{
    char name[32];
    snprintf(name, sizeof name, "churn-%d", (int)sim_rand(s->world, 4));
    bool exists = false;
    switch (sim_rand(s->world, 4)) {
    case 0:
        return create_topic(c, name, 1 + (int32_t)sim_rand(s->world, 20), &exists);
    case 1:
        return delete_topic(c, name);
    case 2:
        return !s->has_trims || delete_records(c, s);
    default:
        client_sleep(c, (int64_t)sim_rand(s->world, 200) * MS);
        return true;
    }
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
            char name[24];
            snprintf(name, sizeof name, "topic-%d", created);
            bool exists = false;
            is_fine = create_topic(&c, name, PARTITIONS_PER_TOPIC, &exists);
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
