// SPDX-License-Identifier: Apache-2.0
// ApiVersions (key 18): what this broker speaks. KIP-35, KIP-511 (client name and version, v3).
#include "kafka/handlers/handlers.h"

enum { FEATURES_VERSION_MIN = 3, FEATURES_FROM_0_VERSION_MIN = 4 };

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])? (kafka.md 5.3)
static bool is_client_word(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool is_edge = i == 0 || i + 1 == s.len;
        bool is_mark = s.ptr[i] == '-' || s.ptr[i] == '.';
        if (!is_word_char(s.ptr[i]) && (is_edge || !is_mark)) {
            return false;
        }
    }
    return s.len > 0;
}

// transaction.version=2 makes clients end each transaction under an epoch of its own (KIP-890);
// group.version=1 is the consumer protocol (KIP-848). All are at their highest.
static const struct feature {
    struct str name;
    int16_t max;
} features[] = {{{"group.version", 13}, 1}, {{"transaction.version", 19}, 2}};
enum { FEATURES = sizeof features / sizeof features[0] };

// A feature that may be off is not spelt with a 0 before v4 (KIP-584).
static bool fill_features(struct request *rq)
{
    struct api_versions_response *out = rq->out;
    out->supported_features = wire_array(&rq->arena, api_versions_response_supported_feature, FEATURES);
    out->finalized_features = wire_array(&rq->arena, api_versions_response_finalized_feature, FEATURES);
    if (out->supported_features == NULL || out->finalized_features == NULL) {
        return false;
    }
    out->supported_features_count = out->finalized_features_count = FEATURES;
    for (int i = 0; i < FEATURES; i++) {
        out->supported_features[i].name = out->finalized_features[i].name = features[i].name;
        out->supported_features[i].min_version = rq->version >= FEATURES_FROM_0_VERSION_MIN ? 0 : 1;
        out->supported_features[i].max_version = features[i].max;
        out->finalized_features[i].min_version_level = features[i].max;
        out->finalized_features[i].max_version_level = features[i].max;
    }
    out->finalized_features_epoch = 0;
    return true;
}

static void api_versions_handle(struct request *rq)
{
    const struct api_versions_request *in = rq->in;
    struct api_versions_response *out = rq->out;
    bool is_named = rq->version < 3 ||
                    (is_client_word(in->client_software_name) && is_client_word(in->client_software_version));
    if (!is_named) {
        out->error = ERR_INVALID_REQUEST;
        request_reply(rq);
        return;
    }
    out->api_keys = wire_array(&rq->arena, api_versions_response_api_key, handler_count());
    if (out->api_keys == NULL) {
        request_out_of_memory(rq);
        return;
    }
    for (size_t i = 0; i < handler_count(); i++) {
        if (handler_at(i)->is_unlisted) {
            continue;
        }
        const struct wire_api *api = wire_api_find((int16_t)handler_at(i)->key);
        struct api_versions_response_api_key *listed = &out->api_keys[out->api_keys_count++];
        listed->api_key = api->key;
        listed->min_version = api->version_min;
        listed->max_version = api->version_max;
    }
    if (rq->version >= FEATURES_VERSION_MIN && !fill_features(rq)) {
        request_out_of_memory(rq);
        return;
    }
    request_reply(rq);
}

const struct api_handler api_versions_handler = {.key = API_API_VERSIONS, .handle = api_versions_handle};
