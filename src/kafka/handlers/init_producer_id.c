// SPDX-License-Identifier: Apache-2.0
// InitProducerId (key 22): an id for an idempotent producer, or the next epoch of a transactional one, which
// fences whoever had it before and aborts what that left open. KIP-98, KIP-360 (v3).
#include "kafka/handlers/handlers.h"
#include "kafka/txn_errors.h"

enum { PRODUCER_VERSION_MIN = 3, FENCED_VERSION_MIN = 4 };

static enum err check(const struct request *rq)
{
    const struct init_producer_id_request *in = rq->in;
    // KIP-360: the id and epoch that the producer has come together or not at all. Without a transactional id
    // Kafka gives a new id either way.
    bool has_id = in->producer_id != -1;
    bool has_epoch = in->producer_epoch != -1;
    if (rq->version >= PRODUCER_VERSION_MIN && has_id != has_epoch) {
        return ERR_INVALID_REQUEST;
    }
    if (in->transactional_id.ptr == NULL) {
        return ERR_OK;
    }
    if (in->transactional_id.len == 0) {
        return ERR_INVALID_REQUEST;
    }
    int64_t timeout_max_ms = broker_setting_i64(rq->broker, STR("transaction.max.timeout.ms"));
    bool is_timeout_fine = in->transaction_timeout_ms > 0 && in->transaction_timeout_ms <= timeout_max_ms;
    return is_timeout_fine ? ERR_OK : ERR_TXN_TIMEOUT_TOO_LARGE;
}

static void on_init(struct request *rq, struct request_change *change)
{
    const struct init_producer_id_request *in = rq->in;
    struct init_producer_id_response *out = rq->out;
    const struct outcome *outcome = &change->op.outcomes[0];
    out->error = txn_error(rq, outcome->err, FENCED_VERSION_MIN);
    if (outcome->err == ERR_OK) {
        out->producer_id = outcome->value;
        out->producer_epoch = in->transactional_id.ptr == NULL ? 0 : outcome->producer_epoch;
    }
    request_reply(rq);
}

static void init_producer_id_handle(struct request *rq)
{
    const struct init_producer_id_request *in = rq->in;
    struct init_producer_id_response *out = rq->out;
    out->producer_id = -1;
    out->producer_epoch = -1;
    out->error = check(rq);
    if (out->error != ERR_OK) {
        request_reply(rq);
        return;
    }
    struct item *item = request_new(rq, struct item, 1);
    if (item == NULL) {
        request_out_of_memory(rq);
        return;
    }
    *item = (struct item){.kind = ITEM_PRODUCER_ID, .version = 1};
    if (in->transactional_id.ptr != NULL) {
        bool has_id = rq->version >= PRODUCER_VERSION_MIN;
        item->kind = ITEM_TXN_INIT;
        int64_t expected = in->producer_id < -1 ? INT64_MAX : in->producer_id; // ids below that are nobody's
        item->txn_init =
            (struct item_txn_init){in->transactional_id, in->transaction_timeout_ms, has_id ? expected : -1,
                                   has_id ? in->producer_epoch : (int16_t)-1};
    }
    (void)request_change_start(rq, item, 1, NULL, on_init);
}

const struct api_handler init_producer_id_handler = {.key = API_INIT_PRODUCER_ID,
                                                     .handle = init_producer_id_handle};
