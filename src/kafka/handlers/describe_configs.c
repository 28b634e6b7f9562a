// SPDX-License-Identifier: Apache-2.0
// DescribeConfigs (key 32). KIP-133, KIP-226 (source and synonyms, v1), KIP-569 (type and documentation, v3).
// Topics and brokers come from the table of settings; a secret's value is never sent. The one logger has a
// level. A client metrics subscription, whatever its name, is described by what holds without one, as in
// Kafka, and cannot be changed; groups have no configurations.
#include "core/governance.h"
#include "kafka/config_view.h"
#include "kafka/handlers/config_resource.h"
#include "kafka/handlers/handlers.h"

enum {
    SYNONYMS_MAX = 4,  // topic, dynamic, static, default
    SOURCE_BROKER = 2, // Kafka's DYNAMIC_BROKER_CONFIG
    SOURCE_LOGGER = 6, // Kafka's DYNAMIC_BROKER_LOGGER_CONFIG
};

static struct str synonym_name(const struct setting *setting, enum setting_source source)
{
    bool is_broker_wide = source != SETTING_FROM_TOPIC && setting->broker_name != NULL;
    return str_from_c(is_broker_wide ? setting->broker_name : setting->name);
}

// fill_synonyms lists every place that has a value, nearest first: the first is the effective one.
static void fill_synonyms(struct request *rq, const struct setting *setting, struct setting_layers layers,
                          struct describe_configs_response_config *out)
{
    out->synonyms = wire_array(&rq->arena, describe_configs_response_synonym, SYNONYMS_MAX);
    while (out->synonyms != NULL && out->synonyms_count < SYNONYMS_MAX) {
        enum setting_source source = SETTING_FROM_DEFAULT;
        char number[SETTING_NUMBER_SIZE];
        if (setting_lookup(setting, &layers, number, &source).ptr == NULL) {
            break;
        }
        struct describe_configs_response_synonym *synonym = &out->synonyms[out->synonyms_count++];
        synonym->name = synonym_name(setting, source);
        synonym->value = config_view_value(rq, setting, &layers, &source);
        synonym->source = (int8_t)source;
        if (source == SETTING_FROM_DEFAULT) {
            break;
        }
        layers.topic_count = 0;
        layers.dynamic_count = source == SETTING_FROM_TOPIC ? layers.dynamic_count : 0;
        layers.static_count = source == SETTING_FROM_STATIC ? 0 : layers.static_count;
    }
}

static void fill_config(struct request *rq, const struct setting *setting,
                        const struct setting_layers *layers, struct describe_configs_response_config *out)
{
    const struct describe_configs_request *in = rq->in;
    enum setting_source source = SETTING_FROM_DEFAULT;
    out->name = str_from_c(setting->name);
    out->value = config_view_value(rq, setting, layers, &source);
    out->read_only = setting->scope == SETTING_BROKER_STATIC;
    out->config_source = (int8_t)source;
    out->is_sensitive = config_view_is_secret(setting);
    out->config_type = (int8_t)setting->type;
    if (in->include_documentation) {
        out->documentation = str_from_c(setting->text);
    }
    if (in->include_synonyms) {
        fill_synonyms(rq, setting, *layers, out);
    }
}

static bool is_named(const struct describe_configs_request_resource *resource, const char *name)
{
    // Kafka takes an empty list for all, as null.
    bool is = resource->configuration_keys_count <= 0;
    for (int32_t i = 0; i < resource->configuration_keys_count && !is; i++) {
        is = str_equal(resource->configuration_keys[i], str_from_c(name));
    }
    return is;
}

static bool is_asked_for(const struct describe_configs_request_resource *resource,
                         const struct setting *setting)
{
    bool is_topic = resource->resource_type == RESOURCE_TOPIC;
    return (setting->scope == SETTING_TOPIC) == is_topic && is_named(resource, setting->name);
}

// claim_dynamic tells what is dynamic as this broker's own: it is the only one, so what was set for it and
// what for all are the same, and tools show and delete only what has the source that they asked for.
static void claim_dynamic(struct describe_configs_response_config *config)
{
    bool is_dynamic = config->config_source == SETTING_FROM_DYNAMIC;
    config->config_source = is_dynamic ? SOURCE_BROKER : config->config_source;
    for (int32_t i = 0; i < config->synonyms_count && is_dynamic; i++) {
        bool is_it = config->synonyms[i].source == SETTING_FROM_DYNAMIC;
        config->synonyms[i].source = is_it ? SOURCE_BROKER : config->synonyms[i].source;
    }
}

// fill_rule_topics: the topics that rules of its contracts name for dead letters are in a topic's configs and
// are no setting. Whoever asks for them by their name gets them; among all they are not, because what copies
// topics would try to set them.
static void fill_rule_topics(const struct describe_configs_request_resource *resource,
                             const struct setting_layers *layers,
                             struct describe_configs_response_result *out)
{
    struct str topics = governance_rule_topics(layers->topic_configs, layers->topic_count);
    if (resource->configuration_keys_count > 0 && is_named(resource, GOVERNANCE_RULE_TOPICS) &&
        topics.len > 0) {
        out->configs[out->configs_count++] = (struct describe_configs_response_config){
            .name = STR(GOVERNANCE_RULE_TOPICS),
            .value = topics,
            .read_only = true,
            .config_source = SETTING_FROM_TOPIC,
            .config_type = SETTING_LIST,
        };
    }
}

static enum err describe_settings(struct request *rq,
                                  const struct describe_configs_request_resource *resource,
                                  struct describe_configs_response_result *out, struct error *e)
{
    bool is_topic = resource->resource_type == RESOURCE_TOPIC;
    struct setting_layers layers;
    if (!config_view_load(rq, is_topic ? resource->resource_name : (struct str){NULL, 0}, &layers)) {
        return FAIL(e, ERR_UNKNOWN_PARTITION, "This server does not host this topic-partition.");
    }
    out->configs = wire_array(&rq->arena, describe_configs_response_config, (size_t)setting_count() + 1);
    // The nameless broker has what was set for all brokers, no defaults.
    bool has_dynamic_only = !is_topic && resource->resource_name.len == 0;
    for (uint32_t i = 0; i < setting_count() && out->configs != NULL; i++) {
        const struct setting *setting = setting_at(i);
        if (!is_asked_for(resource, setting)) {
            continue;
        }
        struct describe_configs_response_config *config = &out->configs[out->configs_count];
        *config = (struct describe_configs_response_config){0}; // may hold one that is not shown
        fill_config(rq, setting, &layers, config);
        if (!is_topic && !has_dynamic_only) {
            claim_dynamic(config);
        }
        bool is_shown = !has_dynamic_only || config->config_source == SETTING_FROM_DYNAMIC;
        out->configs_count += is_shown ? 1 : 0;
    }
    if (is_topic && out->configs != NULL) {
        fill_rule_topics(resource, &layers, out);
    }
    return ERR_OK;
}

struct fixed_config {
    const char *name;
    const char *value;
    enum setting_type type;
    const char *text;
};

static void describe_client_metrics(struct request *rq,
                                    const struct describe_configs_request_resource *resource,
                                    struct describe_configs_response_result *out)
{
    static const struct fixed_config rows[] = {
        {"interval.ms", "300000", SETTING_INT, "Milliseconds between two pushes of a client."},
        {"match", "", SETTING_LIST, "Which clients are asked for metrics."},
        {"metrics", "", SETTING_LIST, "Prefixes of the metrics that clients are asked for: none."},
    };
    const struct describe_configs_request *in = rq->in;
    size_t row_count = sizeof rows / sizeof rows[0];
    out->configs = wire_array(&rq->arena, describe_configs_response_config, row_count);
    for (size_t i = 0; i < row_count && out->configs != NULL; i++) {
        if (!is_named(resource, rows[i].name)) {
            continue;
        }
        struct describe_configs_response_config *config = &out->configs[out->configs_count++];
        config->name = str_from_c(rows[i].name);
        config->value = str_from_c(rows[i].value);
        config->read_only = true;
        config->config_source = SETTING_FROM_DEFAULT;
        config->config_type = (int8_t)rows[i].type;
        config->documentation = str_from_c(in->include_documentation ? rows[i].text : NULL);
    }
}

static void describe_logger(struct request *rq, const struct describe_configs_request_resource *resource,
                            struct describe_configs_response_result *out)
{
    out->configs = wire_array(&rq->arena, describe_configs_response_config, 1);
    if (out->configs == NULL || !is_named(resource, LOGGER_NAME)) {
        return;
    }
    out->configs_count = 1;
    out->configs[0].name = STR(LOGGER_NAME);
    out->configs[0].value = str_from_c(logger_level_name(tracer_level(broker_tracer(rq->broker))));
    out->configs[0].config_source = SOURCE_LOGGER;
}

static enum err describe(struct request *rq, const struct describe_configs_request_resource *resource,
                         struct describe_configs_response_result *out, struct error *e)
{
    enum err err = config_resource_check(rq, resource->resource_type, resource->resource_name, e);
    if (err != ERR_OK) {
        return err;
    }
    switch (resource->resource_type) {
    case RESOURCE_BROKER_LOGGER:
        describe_logger(rq, resource, out);
        return ERR_OK;
    case RESOURCE_CLIENT_METRICS:
        describe_client_metrics(rq, resource, out);
        return ERR_OK;
    case RESOURCE_GROUP:
        return ERR_OK;
    default:
        return describe_settings(rq, resource, out, e);
    }
}

static void describe_configs_handle(struct request *rq)
{
    const struct describe_configs_request *in = rq->in;
    struct describe_configs_response *out = rq->out;
    out->results = wire_array(&rq->arena, describe_configs_response_result, (size_t)in->resources_count);
    out->results_count = out->results == NULL ? 0 : in->resources_count;
    for (int32_t i = 0; i < out->results_count && !rq->arena.failed; i++) {
        struct describe_configs_response_result *result = &out->results[i];
        struct error error = {0};
        result->resource_type = in->resources[i].resource_type;
        result->resource_name = in->resources[i].resource_name;
        result->error = describe(rq, &in->resources[i], result, &error);
        if (result->error != ERR_OK) {
            result->error_message = arena_str(&rq->arena, str_from_c(error.text));
        }
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler describe_configs_handler = {.key = API_DESCRIBE_CONFIGS,
                                                     .handle = describe_configs_handle};
