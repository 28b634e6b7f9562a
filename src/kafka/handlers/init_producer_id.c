// SPDX-License-Identifier: Apache-2.0
// InitProducerId (key 22): an id for an idempotent producer. KIP-98, KIP-360 (v3). Transactional ids are
// refused until transactions are served, with a code that no client retries.
#include "kafka/changes.h"
#include "kafka/handlers/handlers.h"

enum { PRODUCER_VERSION_MIN = 3 };

static enum err check(const struct request *rq)
{
    const struct init_producer_id_request *in = rq->in;
    if (in->transactional_id.ptr != NULL) {
        return in->transactional_id.len == 0 ? ERR_INVALID_REQUEST : ERR_UNSUPPORTED_VERSION;
    }
    // KIP-360: the id and epoch that the producer has come together or not at all. Without a transactional id
    // Kafka gives a new id either way.
    bool has_id = in->producer_id != -1;
    bool has_epoch = in->producer_epoch != -1;
    return rq->version < PRODUCER_VERSION_MIN || has_id == has_epoch ? ERR_OK : ERR_INVALID_REQUEST;
}

static enum err plan_id(struct change_set *set, uint32_t index, struct item *ret_item, struct error *e)
{
    (void)set;
    (void)index;
    (void)e;
    *ret_item = (struct item){.kind = ITEM_PRODUCER_ID, .version = 1};
    return ERR_OK;
}

static void on_id(struct change_set *set)
{
    struct init_producer_id_response *out = set->rq->out;
    out->error = set->entries[0].err;
    if (out->error == ERR_OK) {
        out->producer_id = set->entries[0].outcome.value;
        out->producer_epoch = 0;
    }
    request_reply(set->rq);
}

static void init_producer_id_handle(struct request *rq)
{
    struct init_producer_id_response *out = rq->out;
    out->producer_id = -1;
    out->producer_epoch = -1;
    out->error = check(rq);
    if (out->error != ERR_OK) {
        request_reply(rq);
        return;
    }
    struct change_set *set = change_set_create(rq, 1);
    if (set == NULL) {
        return;
    }
    set->plan = plan_id;
    set->done = on_id;
    change_set_start(set);
}

const struct api_handler init_producer_id_handler = {.key = API_INIT_PRODUCER_ID,
                                                     .handle = init_producer_id_handle};
