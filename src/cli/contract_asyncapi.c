// SPDX-License-Identifier: Apache-2.0
// contract_asyncapi.c - a governed topic as an AsyncAPI 3.1 document: one channel with Kafka's binding, one
// message with its schema in its own format.
#include "cli/contract_formats.h"

// The names of schema formats in AsyncAPI's "Multi Format Schema Object".
static const char *schema_format_name(struct str schema_type, struct str schema)
{
    if (str_equal(schema_type, STR("PROTOBUF"))) {
        return memmem(schema.ptr, schema.len, "proto3", 6) != NULL
                   ? "application/vnd.google.protobuf;version=3"
                   : "application/vnd.google.protobuf;version=2";
    }
    return str_equal(schema_type, STR("JSON")) ? "application/schema+json;version=draft-07"
                                               : "application/vnd.apache.avro+json;version=1.9.0";
}

static const char *content_type(struct str schema_type)
{
    return str_equal(schema_type, STR("JSON"))       ? "application/json"
           : str_equal(schema_type, STR("PROTOBUF")) ? "application/x-protobuf"
                                                     : "application/vnd.apache.avro+binary";
}

static void payload_put(struct arena *arena, struct json_value *message, const struct json_value *side)
{
    const struct json_value *schema = json_get(side, STR("schema"));
    struct str type = json_get_str(side, STR("schemaType"));
    struct str text = json_get_str(side, STR("schema"));
    struct json_value *payload = json_with(arena, message, "payload", JSON_OBJECT);
    json_put_text(arena, payload, "schemaFormat", str_from_c(schema_format_name(type, text)));
    json_put_copy(arena, payload, "schema", schema);
}

static void reference_put(struct arena *arena, struct json_value *parent, const char *to)
{
    json_put_text(arena, parent, "$ref", str_from_c(to));
}

static void server_put(const struct contract_export *x, struct json_value *root)
{
    struct arena *arena = x->arena;
    struct json_value *server =
        json_with(arena, json_with(arena, root, "servers", JSON_OBJECT), "strom", JSON_OBJECT);
    json_put_text(arena, server, "host", x->server);
    json_put_text(arena, server, "protocol", STR("kafka"));
    struct json_value *kafka =
        json_with(arena, json_with(arena, server, "bindings", JSON_OBJECT), "kafka", JSON_OBJECT);
    json_put_text(arena, kafka, "schemaRegistryUrl", x->registry);
    json_put_text(arena, kafka, "schemaRegistryVendor", STR("confluent"));
    json_put_text(arena, kafka, "bindingVersion", STR("0.5.0"));
}

// key_put: the key of Kafka's binding (0.5.0) is taken as a JSON Schema only; of other formats it is told in
// an extension.
static void key_put(struct arena *arena, struct json_value *kafka, const struct json_value *key)
{
    const struct json_value *schema = json_get(key, STR("schema"));
    bool is_told = str_equal(json_get_str(key, STR("schemaType")), STR("JSON"));
    json_put_copy(arena, kafka, is_told ? "key" : "x-strom-key-schema", schema);
    json_put_copy(arena, kafka, "x-strom-key-rules",
                  json_get(json_get(key, STR("ruleSet")), STR("domainRules")));
}

static void message_put(const struct contract_export *x, struct json_value *messages)
{
    struct arena *arena = x->arena;
    const struct json_value *value = json_get(x->contract, STR("value"));
    struct json_value *message = json_with(arena, messages, "value", JSON_OBJECT);
    json_put_text(arena, message, "name", json_get_str(x->contract, STR("topic")));
    if (value != NULL) {
        json_put_text(arena, message, "contentType",
                      str_from_c(content_type(json_get_str(value, STR("schemaType")))));
        payload_put(arena, message, value);
        json_put_copy(arena, message, "x-strom-rules",
                      json_get(json_get(value, STR("ruleSet")), STR("domainRules")));
    }
    struct json_value *kafka =
        json_with(arena, json_with(arena, message, "bindings", JSON_OBJECT), "kafka", JSON_OBJECT);
    key_put(arena, kafka, json_get(x->contract, STR("key")));
    json_put_text(arena, kafka, "schemaIdLocation", STR("payload"));
    json_put_text(arena, kafka, "schemaIdPayloadEncoding", STR("confluent"));
    json_put_text(arena, kafka, "schemaLookupStrategy", STR("TopicIdStrategy"));
    json_put_text(arena, kafka, "bindingVersion", STR("0.5.0"));
}

struct json_value *asyncapi_export(const struct contract_export *x)
{
    static const char *const actions[] = {"send", "receive"};
    struct arena *arena = x->arena;
    struct str topic = json_get_str(x->contract, STR("topic"));
    struct json_value *root = json_new(arena, JSON_OBJECT);
    json_put_text(arena, root, "asyncapi", STR("3.1.0"));
    struct json_value *info = json_with(arena, root, "info", JSON_OBJECT);
    json_put_text(arena, info, "title", topic);
    json_put_text(arena, info, "version", STR("1.0.0"));
    json_put_text(arena, info, "description",
                  STR("A topic that a data contract governs; see x-strom-settings."));
    server_put(x, root);
    struct json_value *channel =
        json_with(arena, json_with(arena, root, "channels", JSON_OBJECT), "topic", JSON_OBJECT);
    json_put_text(arena, channel, "address", topic);
    message_put(x, json_with(arena, channel, "messages", JSON_OBJECT));
    struct json_value *kafka =
        json_with(arena, json_with(arena, channel, "bindings", JSON_OBJECT), "kafka", JSON_OBJECT);
    json_put_text(arena, kafka, "topic", topic);
    json_put_text(arena, kafka, "bindingVersion", STR("0.5.0"));
    json_put_copy(arena, channel, "x-strom-settings", json_get(x->contract, STR("settings")));
    struct json_value *operations = json_with(arena, root, "operations", JSON_OBJECT);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        struct json_value *operation = json_with(arena, operations, actions[i], JSON_OBJECT);
        json_put_text(arena, operation, "action", str_from_c(actions[i]));
        reference_put(arena, json_with(arena, operation, "channel", JSON_OBJECT), "#/channels/topic");
    }
    return root;
}
