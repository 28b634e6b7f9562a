// SPDX-License-Identifier: Apache-2.0
// AddOffsetsToTxn (key 25): a group's positions are going to be part of the open transaction. KIP-98.
#include "kafka/handlers/handlers.h"
#include "kafka/txn_errors.h"

enum { FENCED_VERSION_MIN = 2 };

static void on_added(struct request *rq, struct request_change *change)
{
    struct add_offsets_to_txn_response *out = rq->out;
    out->error = txn_error(rq, change->op.outcomes[0].err, FENCED_VERSION_MIN);
    request_reply(rq);
}

static void add_offsets_to_txn_handle(struct request *rq)
{
    const struct add_offsets_to_txn_request *in = rq->in;
    if (in->transactional_id.len == 0) {
        struct add_offsets_to_txn_response *out = rq->out;
        out->error = ERR_INVALID_REQUEST;
        request_reply(rq);
        return;
    }
    struct item *item = request_new(rq, struct item, 1);
    struct str *group = request_new(rq, struct str, 1);
    if (item == NULL || group == NULL) {
        request_out_of_memory(rq);
        return;
    }
    *group = in->group_id;
    *item = (struct item){.kind = ITEM_TXN_ADD, .version = 1};
    item->txn_add =
        (struct item_txn_add){in->transactional_id, in->producer_id, in->producer_epoch, NULL, 0, group, 1};
    (void)request_change_start(rq, item, 1, NULL, on_added);
}

const struct api_handler add_offsets_to_txn_handler = {.key = API_ADD_OFFSETS_TO_TXN,
                                                       .handle = add_offsets_to_txn_handle};
