// SPDX-License-Identifier: Apache-2.0
// FindCoordinator (key 10): there are no groups and no transactions here yet, and clients are told so.
// KIP-699. The code is UNSUPPORTED_VERSION because no client retries it: the Java consumer throws from poll,
// kafka-python and kafkajs raise, librdkafka hands the application one error with our text and goes on
// serving assigned partitions. COORDINATOR_NOT_AVAILABLE would have every one of them retry in silence until
// its own timeout, or for ever.
#include "kafka/handlers/handlers.h"

enum { KEY_GROUP = 0, KEY_TRANSACTION = 1, KEY_SHARE = 2, BATCH_VERSION_MIN = 4 };

static enum err refuse(int8_t key_type, struct str *ret_text)
{
    switch (key_type) {
    case KEY_GROUP:
        *ret_text = STR("Consumer groups are not served yet: assign partitions instead of subscribing.");
        return ERR_UNSUPPORTED_VERSION;
    case KEY_TRANSACTION:
        *ret_text = STR("Transactions are not served yet: unset transactional.id.");
        return ERR_UNSUPPORTED_VERSION;
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
    enum err err = refuse(in->key_type, &text);
    if (rq->version < BATCH_VERSION_MIN) {
        out->error = err;
        out->error_message = text;
        out->node_id = out->port = -1;
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
        coordinator->node_id = coordinator->port = -1;
    }
    request_reply(rq);
}

const struct api_handler find_coordinator_handler = {.key = API_FIND_COORDINATOR,
                                                     .handle = find_coordinator_handle};
