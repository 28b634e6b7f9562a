// SPDX-License-Identifier: Apache-2.0
// EndTxn (key 26): commit or abort, in every partition and for all offsets at once. KIP-98; since v5 the
// epoch rises with each end, so that a delayed request can never end the next transaction (KIP-890).
#include "kafka/handlers/handlers.h"
#include "kafka/txn_errors.h"

enum { FENCED_VERSION_MIN = 2, BUMP_VERSION_MIN = 5 };

static void on_ended(struct request *rq, struct request_change *change)
{
    struct end_txn_response *out = rq->out;
    const struct outcome *outcome = &change->op.outcomes[0];
    out->error = txn_error(rq, outcome->err, FENCED_VERSION_MIN);
    out->producer_id = outcome->err == ERR_OK ? outcome->value : -1;
    out->producer_epoch = outcome->err == ERR_OK ? outcome->producer_epoch : (int16_t)-1;
    request_reply(rq);
}

static void end_txn_handle(struct request *rq)
{
    const struct end_txn_request *in = rq->in;
    struct end_txn_response *out = rq->out;
    if (in->transactional_id.len == 0) {
        out->error = ERR_INVALID_REQUEST;
        out->producer_id = -1;
        out->producer_epoch = -1;
        request_reply(rq);
        return;
    }
    struct item *item = request_new(rq, struct item, 1);
    if (item == NULL) {
        request_out_of_memory(rq);
        return;
    }
    *item = (struct item){.kind = ITEM_TXN_END, .version = 1};
    item->txn_end = (struct item_txn_end){.txn_id = in->transactional_id,
                                          .producer_id = in->producer_id,
                                          .producer_epoch = in->producer_epoch,
                                          .is_commit = in->committed,
                                          .bumps = rq->version >= BUMP_VERSION_MIN};
    (void)request_change_start(rq, item, 1, NULL, on_ended);
}

const struct api_handler end_txn_handler = {.key = API_END_TXN, .handle = end_txn_handle};
