// SPDX-License-Identifier: Apache-2.0
// ApiVersions (key 18): what this broker speaks. KIP-35, KIP-511 (client name and version, v3).
#include "kafka/handlers/handlers.h"

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
    out->api_keys_count = (int32_t)handler_count();
    for (size_t i = 0; i < handler_count(); i++) {
        const struct wire_api *api = wire_api_find((int16_t)handler_at(i)->key);
        out->api_keys[i].api_key = api->key;
        out->api_keys[i].min_version = api->version_min;
        out->api_keys[i].max_version = api->version_max;
    }
    request_reply(rq);
}

const struct api_handler api_versions_handler = {.key = API_API_VERSIONS, .handle = api_versions_handle};
