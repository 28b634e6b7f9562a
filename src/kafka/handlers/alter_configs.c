// SPDX-License-Identifier: Apache-2.0
// AlterConfigs (key 33, KIP-133) replaces the whole set of a resource; IncrementalAlterConfigs (key 44,
// KIP-339) sets, deletes, appends and subtracts single values. Both become one list of wishes.
#include "kafka/changes.h"
#include "kafka/handlers/config_resource.h"
#include "kafka/handlers/handlers.h"

struct wish {
    int8_t resource_type;
    struct str resource_name;
    struct config_change *changes;
    uint32_t change_count;
};

struct alter_state {
    struct wish *wishes;
    bool is_whole;
};

static enum err check_changes(const struct wish *wish, struct error *e)
{
    if (wish->change_count > ITEM_CONFIGS_MAX) { // also bounds the comparing of keys below
        return FAIL(e, ERR_INVALID_CONFIG, "%u configs, limit %d", wish->change_count, ITEM_CONFIGS_MAX);
    }
    for (uint32_t i = 0; i < wish->change_count; i++) {
        if ((unsigned)wish->changes[i].op > CONFIG_SUBTRACT) {
            return FAIL(e, ERR_INVALID_REQUEST, "Unknown config operation %d", (int)wish->changes[i].op);
        }
        for (uint32_t before = 0; before < i; before++) {
            if (str_equal(wish->changes[before].key, wish->changes[i].key)) {
                return FAIL(e, ERR_INVALID_REQUEST, "Error due to duplicate config keys");
            }
        }
    }
    return ERR_OK;
}

// check_is_kept refuses what has no configurations of its own that could be stored.
static enum err check_is_kept(const struct wish *wish, struct error *e)
{
    struct str first = wish->change_count == 0 ? STR("") : wish->changes[0].key;
    switch (wish->resource_type) {
    case RESOURCE_CLIENT_METRICS:
        return FAIL(e, ERR_INVALID_REQUEST,
                    "Client metrics subscriptions are not kept: this broker asks clients for no metrics");
    case RESOURCE_GROUP:
        return FAIL(e, ERR_INVALID_CONFIG, "Unknown group config name: " STR_FMT, STR_ARG(first));
    default:
        return ERR_OK;
    }
}

// ---- the logger: its level holds until the broker stops, as in Kafka

static enum err plan_level(const struct wish *wish, bool is_whole, enum trace_level *ret, struct error *e)
{
    if (is_whole) {
        return FAIL(e, ERR_INVALID_REQUEST, "Unknown resource type %d", wish->resource_type);
    }
    for (uint32_t i = 0; i < wish->change_count; i++) {
        const struct config_change *change = &wish->changes[i];
        if (!str_equal(change->key, STR(LOGGER_NAME))) {
            return FAIL(e, ERR_INVALID_CONFIG, "Logger " STR_FMT " does not exist!", STR_ARG(change->key));
        }
        if (change->op == CONFIG_DELETE) {
            return FAIL(e, ERR_INVALID_REQUEST,
                        "Removing the log level of the " LOGGER_NAME " logger is not allowed");
        }
        if (change->op != CONFIG_SET) {
            return FAIL(e, ERR_INVALID_REQUEST, "%s operation is not allowed for the BROKER_LOGGER resource",
                        change->op == CONFIG_APPEND ? "APPEND" : "SUBTRACT");
        }
        if (!logger_level_parse(change->value, ret)) {
            return FAIL(e, ERR_INVALID_CONFIG,
                        "Cannot set the log level of " LOGGER_NAME " to " STR_FMT
                        " as it is not a supported log level. Valid log levels are DEBUG, ERROR, INFO, WARN",
                        STR_ARG(change->value));
        }
    }
    return ERR_OK;
}

// settle_loggers changes levels at once: they are not part of the state, so that nothing is submitted.
static void settle_loggers(struct change_set *set)
{
    const struct alter_state *state = set->state;
    struct tracer *tracer = broker_tracer(set->rq->broker);
    for (uint32_t i = 0; i < set->count; i++) {
        const struct wish *wish = &state->wishes[i];
        if (wish->resource_type != RESOURCE_BROKER_LOGGER || set->entries[i].is_settled) {
            continue;
        }
        struct error error = {0};
        enum trace_level level = tracer_level(tracer);
        enum err err = config_resource_check(set->rq, wish->resource_type, wish->resource_name, &error);
        err = err == ERR_OK ? check_changes(wish, &error) : err;
        err = err == ERR_OK ? plan_level(wish, state->is_whole, &level, &error) : err;
        if (err == ERR_OK && !set->is_validate_only) {
            tracer_level_set(tracer, level);
        }
        struct str text = str_from_c(err == ERR_OK ? NULL : error.text);
        change_set_refuse(set, i, err, arena_str(&set->rq->arena, text));
    }
}

static enum err plan_wish(struct change_set *set, uint32_t index, struct item *ret_item, struct error *e)
{
    const struct alter_state *state = set->state;
    const struct wish *wish = &state->wishes[index];
    enum err err = config_resource_check(set->rq, wish->resource_type, wish->resource_name, e);
    if (err == ERR_OK) {
        err = check_changes(wish, e);
    }
    if (err == ERR_OK) {
        err = check_is_kept(wish, e);
    }
    if (err != ERR_OK) {
        return err;
    }
    bool is_topic = wish->resource_type == RESOURCE_TOPIC;
    return broker_plan_configs(set->rq->broker, is_topic ? wish->resource_name : (struct str){NULL, 0},
                               wish->changes, wish->change_count, state->is_whole, &set->rq->arena, ret_item,
                               e);
}

// alter_start refuses resources that occur twice and plans the rest. Their keys: the type, then the name.
static void alter_start(struct request *rq, struct wish *wishes, uint32_t count, bool is_whole,
                        bool is_validate_only, void (*done)(struct change_set *set))
{
    struct alter_state *state = request_new(rq, struct alter_state, 1);
    struct str *keys = request_new(rq, struct str, (size_t)count + 1);
    if (state == NULL || keys == NULL) {
        request_out_of_memory(rq);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = arena_printf(&rq->arena, "%d " STR_FMT, wishes[i].resource_type,
                               STR_ARG(wishes[i].resource_name));
    }
    struct change_set *set = change_set_create(rq, count);
    if (set == NULL ||
        !change_set_refuse_repeated(set, keys, STR("Each resource must appear at most once."))) {
        return;
    }
    state->wishes = wishes;
    state->is_whole = is_whole;
    set->state = state;
    set->is_validate_only = is_validate_only;
    set->plan = plan_wish;
    set->done = done;
    settle_loggers(set);
    change_set_start(set);
}

// ---- AlterConfigs

static void on_altered(struct change_set *set)
{
    struct request *rq = set->rq;
    const struct alter_configs_request *in = rq->in;
    struct alter_configs_response *out = rq->out;
    out->responses = wire_array(&rq->arena, alter_configs_response_response, set->count);
    out->responses_count = out->responses == NULL ? 0 : (int32_t)set->count;
    for (int32_t i = 0; i < out->responses_count; i++) {
        out->responses[i].error = set->entries[i].err;
        out->responses[i].error_message = set->entries[i].text;
        out->responses[i].resource_type = in->resources[i].resource_type;
        out->responses[i].resource_name = in->resources[i].resource_name;
    }
    request_reply(rq); // closes if the arena failed
}

static void alter_configs_handle(struct request *rq)
{
    const struct alter_configs_request *in = rq->in;
    uint32_t count = (uint32_t)in->resources_count;
    struct wish *wishes = request_new(rq, struct wish, (size_t)count + 1);
    for (uint32_t i = 0; i < count && wishes != NULL; i++) {
        const struct alter_configs_request_resource *resource = &in->resources[i];
        wishes[i] = (struct wish){.resource_type = resource->resource_type,
                                  .resource_name = resource->resource_name,
                                  .change_count = (uint32_t)resource->configs_count};
        wishes[i].changes = request_new(rq, struct config_change, (size_t)wishes[i].change_count + 1);
        for (uint32_t c = 0; c < wishes[i].change_count && wishes[i].changes != NULL; c++) {
            wishes[i].changes[c] =
                (struct config_change){resource->configs[c].name, resource->configs[c].value, CONFIG_SET};
        }
    }
    if (rq->arena.failed) {
        request_out_of_memory(rq);
        return;
    }
    alter_start(rq, wishes, count, true, in->validate_only, on_altered);
}

const struct api_handler alter_configs_handler = {.key = API_ALTER_CONFIGS, .handle = alter_configs_handle};

// ---- IncrementalAlterConfigs

static void on_incrementally_altered(struct change_set *set)
{
    struct request *rq = set->rq;
    const struct incremental_alter_configs_request *in = rq->in;
    struct incremental_alter_configs_response *out = rq->out;
    out->responses = wire_array(&rq->arena, incremental_alter_configs_response_response, set->count);
    out->responses_count = out->responses == NULL ? 0 : (int32_t)set->count;
    for (int32_t i = 0; i < out->responses_count; i++) {
        out->responses[i].error = set->entries[i].err;
        out->responses[i].error_message = set->entries[i].text;
        out->responses[i].resource_type = in->resources[i].resource_type;
        out->responses[i].resource_name = in->resources[i].resource_name;
    }
    request_reply(rq); // closes if the arena failed
}

static void incremental_alter_configs_handle(struct request *rq)
{
    const struct incremental_alter_configs_request *in = rq->in;
    uint32_t count = (uint32_t)in->resources_count;
    struct wish *wishes = request_new(rq, struct wish, (size_t)count + 1);
    for (uint32_t i = 0; i < count && wishes != NULL; i++) {
        const struct incremental_alter_configs_request_resource *resource = &in->resources[i];
        wishes[i] = (struct wish){.resource_type = resource->resource_type,
                                  .resource_name = resource->resource_name,
                                  .change_count = (uint32_t)resource->configs_count};
        wishes[i].changes = request_new(rq, struct config_change, (size_t)wishes[i].change_count + 1);
        for (uint32_t c = 0; c < wishes[i].change_count && wishes[i].changes != NULL; c++) {
            const struct incremental_alter_configs_request_config *config = &resource->configs[c];
            wishes[i].changes[c] =
                (struct config_change){config->name, config->value, (enum config_op)config->config_operation};
        }
    }
    if (rq->arena.failed) {
        request_out_of_memory(rq);
        return;
    }
    alter_start(rq, wishes, count, false, in->validate_only, on_incrementally_altered);
}

const struct api_handler incremental_alter_configs_handler = {.key = API_INCREMENTAL_ALTER_CONFIGS,
                                                              .handle = incremental_alter_configs_handle};
