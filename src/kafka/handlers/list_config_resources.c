// SPDX-License-Identifier: Apache-2.0
// ListConfigResources (key 74): the resources that have configurations. KIP-714 (v0: client metrics),
// KIP-1142 (any type, v1). No client metrics are subscribed and no group has configurations of its own: none
// to list.
#include "kafka/handlers/config_resource.h"
#include "kafka/handlers/handlers.h"
#include "kafka/topic_view.h"

enum { TYPED_VERSION_MIN = 1 };

static bool is_type_listable(int8_t type)
{
    return type == RESOURCE_TOPIC || type == RESOURCE_BROKER || type == RESOURCE_BROKER_LOGGER ||
           type == RESOURCE_CLIENT_METRICS || type == RESOURCE_GROUP;
}

// wants says whether resources of this type are asked for; no types at all are all of them.
static bool wants(const struct list_config_resources_request *in, enum config_resource_type type)
{
    bool does = in->resource_types_count <= 0;
    for (int32_t i = 0; i < in->resource_types_count && !does; i++) {
        does = in->resource_types[i] == (int8_t)type;
    }
    return does;
}

static void add(struct list_config_resources_response *out, enum config_resource_type type, struct str name)
{
    struct list_config_resources_response_config_resource *resource =
        &out->config_resources[out->config_resources_count++];
    resource->resource_type = (int8_t)type;
    resource->resource_name = name;
}

static void fill(struct request *rq)
{
    const struct list_config_resources_request *in = rq->in;
    struct list_config_resources_response *out = rq->out;
    uint32_t count = 0;
    struct topic_view *views = NULL;
    if (wants(in, RESOURCE_TOPIC)) {
        views = topic_view_list(rq, STR(""), UINT32_MAX, &count);
    }
    struct str node_id = arena_printf(&rq->arena, "%d", broker_node_id(rq->broker));
    out->config_resources =
        wire_array(&rq->arena, list_config_resources_response_config_resource, (size_t)count + 2);
    if (rq->arena.failed) {
        return;
    }
    if (wants(in, RESOURCE_BROKER_LOGGER)) {
        add(out, RESOURCE_BROKER_LOGGER, node_id);
    }
    if (wants(in, RESOURCE_BROKER)) {
        add(out, RESOURCE_BROKER, node_id);
    }
    for (uint32_t i = 0; i < count; i++) {
        add(out, RESOURCE_TOPIC, views[i].name);
    }
}

static void list_config_resources_handle(struct request *rq)
{
    const struct list_config_resources_request *in = rq->in;
    struct list_config_resources_response *out = rq->out;
    for (int32_t i = 0; i < in->resource_types_count && out->error == ERR_OK; i++) {
        out->error = is_type_listable(in->resource_types[i]) ? ERR_OK : ERR_UNSUPPORTED_VERSION;
    }
    if (out->error == ERR_OK && rq->version >= TYPED_VERSION_MIN) {
        fill(rq);
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler list_config_resources_handler = {.key = API_LIST_CONFIG_RESOURCES,
                                                          .handle = list_config_resources_handle};
