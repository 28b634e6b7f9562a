// SPDX-License-Identifier: Apache-2.0
// FindCoordinator (key 10): this broker is the coordinator of every group and of every transaction. There are
// no share groups here yet, and clients are told so with UNSUPPORTED_VERSION, which none of them retries:
// COORDINATOR_NOT_AVAILABLE would have every one of them ask again until its own timeout, or for ever.
// KIP-699 (many keys, v4).
#include "kafka/handlers/handlers.h"

enum { KEY_GROUP = 0, KEY_TRANSACTION = 1, KEY_SHARE = 2, BATCH_VERSION_MIN = 4 };

// Kafka never leaves the text out, not even where all is well.
static enum err find(int8_t key_type, int16_t version, struct str *ret_text)
{
    switch (key_type) {
    case KEY_GROUP:
    case KEY_TRANSACTION:
        *ret_text = version < BATCH_VERSION_MIN ? STR("NONE") : STR("");
        return ERR_OK;
    case KEY_SHARE:
        *ret_text = STR("Share groups are not served yet.");
        return ERR_UNSUPPORTED_VERSION;
    default:
        *ret_text = STR("Unknown coordinator key type.");
        return ERR_INVALID_REQUEST;
    }
}

static void find_coordinator_handle(struct request *rq)
{
    const struct find_coordinator_request *in = rq->in;
    struct find_coordinator_response *out = rq->out;
    struct str text;
    enum err err = find(in->key_type, rq->version, &text);
    int32_t node_id = err == ERR_OK ? broker_node_id(rq->broker) : -1;
    struct str host = STR("");
    int32_t port = -1;
    if (err == ERR_OK) {
        request_endpoint(rq, &host, &port);
    }
    if (rq->version < BATCH_VERSION_MIN) {
        out->error = err;
        out->error_message = text;
        out->node_id = node_id;
        out->host = host;
        out->port = port;
        request_reply(rq);
        return;
    }
    int32_t count = in->coordinator_keys_count;
    out->coordinators = wire_array(&rq->arena, find_coordinator_response_coordinator, (size_t)count);
    if (out->coordinators == NULL && count > 0) {
        request_out_of_memory(rq);
        return;
    }
    out->coordinators_count = count;
    for (int32_t i = 0; i < count; i++) {
        struct find_coordinator_response_coordinator *coordinator = &out->coordinators[i];
        coordinator->key = in->coordinator_keys[i];
        coordinator->error = err;
        coordinator->error_message = text;
        coordinator->node_id = node_id;
        coordinator->host = host;
        coordinator->port = port;
    }
    request_reply(rq);
}

const struct api_handler find_coordinator_handler = {.key = API_FIND_COORDINATOR,
                                                     .handle = find_coordinator_handle};
