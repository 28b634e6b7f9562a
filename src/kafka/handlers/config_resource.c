// SPDX-License-Identifier: Apache-2.0
#include "kafka/handlers/config_resource.h"

static enum err check_topic(struct str name, struct error *e)
{
    return broker_topic_name_check(name, e);
}

static enum err check_broker(struct request *rq, struct str name, bool may_be_empty, struct error *e)
{
    int64_t id = 0;
    int32_t node_id = broker_node_id(rq->broker);
    if (name.len == 0) {
        return may_be_empty ? ERR_OK : FAIL(e, ERR_INVALID_REQUEST, "Broker id must not be empty");
    }
    if (!str_parse_i64(name, &id)) {
        return FAIL(e, ERR_INVALID_REQUEST, "Broker id must be an integer, but it is: " STR_FMT,
                    STR_ARG(name));
    }
    if (id != node_id) {
        return FAIL(e, ERR_INVALID_REQUEST, "Unexpected broker id, expected %d%s but received " STR_FMT,
                    node_id, may_be_empty ? " or empty string," : "", STR_ARG(name));
    }
    return ERR_OK;
}

static enum err check_named(struct str name, const char *what, struct error *e)
{
    return name.len > 0 ? ERR_OK : FAIL(e, ERR_INVALID_REQUEST, "%s name must not be empty", what);
}

enum err config_resource_check(struct request *rq, int8_t type, struct str name, struct error *e)
{
    switch (type) {
    case RESOURCE_TOPIC:
        return check_topic(name, e);
    case RESOURCE_BROKER:
        return check_broker(rq, name, true, e);
    case RESOURCE_BROKER_LOGGER:
        return check_broker(rq, name, false, e);
    case RESOURCE_CLIENT_METRICS:
        return check_named(name, "Client metrics subscription", e);
    case RESOURCE_GROUP:
        return check_named(name, "Group", e);
    default:
        return FAIL(e, ERR_INVALID_REQUEST, "Unknown resource type %d", type);
    }
}

// ---- the logger

static const char *const level_names[] = {
    [TRACE_ERROR] = "ERROR", [TRACE_WARN] = "WARN", [TRACE_INFO] = "INFO", [TRACE_DEBUG] = "DEBUG"};

const char *logger_level_name(enum trace_level level)
{
    return level_names[level];
}

bool logger_level_parse(struct str name, enum trace_level *ret)
{
    for (enum trace_level level = TRACE_ERROR; level <= TRACE_DEBUG; level++) {
        if (str_equal(name, str_from_c(level_names[level]))) {
            *ret = level;
            return true;
        }
    }
    return false;
}
