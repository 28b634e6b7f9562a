// SPDX-License-Identifier: Apache-2.0
#include "catalogue.h"

#include <stdio.h>

enum { CALL_MS = 5000, CHECK_TRIES = 100, RESOURCE_TOPIC = 2 };
#define MS 1000000LL

// settles: a definite answer that fits what was known, or the topic is in doubt from now on.
static bool settles(struct scenario *s, struct churn_topic *t, int topic, bool is_answered, enum err err,
                    enum err misfit, const char *what)
{
    if (is_answered && err == misfit && !t->is_in_doubt && !s->is_shared && !s->rot_happened) {
        checker_fail(s->checker, "I1: %s of churn-%d was answered %s", what, topic, err_name(err));
    }
    if (!is_answered || err != ERR_OK) {
        t->is_in_doubt = t->is_in_doubt || !is_answered || err_is_retriable(err) || s->is_shared;
        return false;
    }
    return true;
}

void catalogue_created(struct scenario *s, int topic, bool is_answered, enum err err, int32_t partitions)
{
    struct churn_topic *t = &s->catalogue->churn[topic];
    if (settles(s, t, topic, is_answered, err, t->is_present ? ERR_OK : ERR_TOPIC_EXISTS, "creation")) {
        t->is_present = true;
        t->partition_count = partitions;
    }
}

void catalogue_deleted(struct scenario *s, int topic, bool is_answered, enum err err)
{
    struct churn_topic *t = &s->catalogue->churn[topic];
    if (settles(s, t, topic, is_answered, err, t->is_present ? ERR_UNKNOWN_PARTITION : ERR_OK, "deletion")) {
        t->is_present = false;
    }
}

void catalogue_grown(struct scenario *s, int topic, bool is_answered, enum err err, int32_t partitions)
{
    struct churn_topic *t = &s->catalogue->churn[topic];
    if (settles(s, t, topic, is_answered, err, t->is_present ? ERR_UNKNOWN_PARTITION : ERR_OK, "growth")) {
        t->partition_count = partitions;
    }
}

void catalogue_set(struct scenario *s, int topic, bool is_answered, enum err err, int64_t max_message_bytes)
{
    bool is_set = is_answered && err == ERR_OK;
    s->catalogue->settings[topic].is_in_doubt = s->catalogue->settings[topic].is_in_doubt || !is_set;
    if (is_set) {
        s->catalogue->settings[topic].max_message_bytes = max_message_bytes;
    }
}

// differs says in text what is not as it was left; false = all is, or there is no answer (text is empty).
static bool topics_differ(struct scenario *s, struct client *c, char text[128])
{
    struct metadata_request request;
    wire_init(&metadata_request_type, &request);
    request.topics = NULL; // all
    request.topics_count = -1;
    request.allow_auto_topic_creation = false;
    const struct metadata_response *r = client_call(c, API_METADATA, 8, &request, CALL_MS * MS);
    if (r == NULL) {
        snprintf(text, 128, "Metadata is not answered");
        return true;
    }
    for (int i = 0; i < CHURN_TOPICS; i++) {
        const struct churn_topic *t = &s->catalogue->churn[i];
        char name[16];
        snprintf(name, sizeof name, "churn-%d", i);
        int32_t count = -1;
        for (int32_t k = 0; k < r->topics_count; k++) {
            count = str_equal(r->topics[k].name, str_from_c(name)) ? r->topics[k].partitions_count : count;
        }
        if (!t->is_in_doubt && count != (t->is_present ? t->partition_count : -1)) {
            snprintf(text, 128, "%s has %d partitions instead of %d (-1: does not exist)", name, count,
                     t->is_present ? t->partition_count : -1);
            return true;
        }
    }
    return false;
}

static bool settings_differ(struct scenario *s, struct client *c, char text[128])
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct describe_configs_request *request = wire_new(&arena, &describe_configs_request_type, 1);
    request->resources = wire_array(&arena, describe_configs_request_resource, TOPICS);
    struct str keys[1] = {STR("max.message.bytes")};
    for (int t = 0; t < TOPICS; t++) {
        request->resources[t].resource_type = RESOURCE_TOPIC;
        request->resources[t].resource_name = str_from_c(topic_plans[t].name);
        request->resources[t].configuration_keys = keys;
        request->resources[t].configuration_keys_count = 1;
    }
    request->resources_count = TOPICS;
    const struct describe_configs_response *r =
        client_call(c, API_DESCRIBE_CONFIGS, 2, request, CALL_MS * MS);
    arena_fini(&arena);
    if (r == NULL || r->results_count != TOPICS) {
        snprintf(text, 128, "DescribeConfigs is not answered");
        return true;
    }
    for (int t = 0; t < TOPICS; t++) {
        int64_t value = 0;
        if (s->catalogue->settings[t].is_in_doubt || s->catalogue->settings[t].max_message_bytes == 0) {
            continue;
        }
        bool is_there = r->results[t].error == ERR_OK && r->results[t].configs_count == 1 &&
                        str_parse_i64(r->results[t].configs[0].value, &value);
        if (!is_there || value != s->catalogue->settings[t].max_message_bytes) {
            snprintf(text, 128, "max.message.bytes of %s is %lld instead of %lld", topic_plans[t].name,
                     (long long)value, (long long)s->catalogue->settings[t].max_message_bytes);
            return true;
        }
    }
    return false;
}

void catalogue_check(struct scenario *s, struct client *c)
{
    char text[128] = "";
    for (int i = 0; i < CHECK_TRIES && !s->rot_happened; i++) {
        int broker = (int)sim_rand(s->world, (uint64_t)s->broker_count);
        bool is_connected =
            c->sock != NULL || client_connect(c, s->brokers[broker].address, BROKER_PORT, 1000 * MS);
        if (is_connected && !topics_differ(s, c, text) && !settings_differ(s, c, text)) {
            return;
        }
        if (!s->is_shared && text[0] != '\0' && c->sock != NULL) {
            break; // one broker has no excuse; of several this one may lag
        }
        client_drop(c);
        client_sleep(c, 50 * MS);
    }
    if (!s->rot_happened) {
        checker_fail(s->checker, "I1: the catalogue: %s", text[0] != '\0' ? text : "no broker answers");
    }
}
