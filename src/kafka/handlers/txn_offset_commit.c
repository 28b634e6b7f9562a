// SPDX-License-Identifier: Apache-2.0
// TxnOffsetCommit (key 28): a group's positions as part of a transaction: seen by nobody until it commits,
// and forgotten if it aborts. KIP-98; fenced by the group's generation since v3 (KIP-447); since v5 the group
// joins the transaction by this call alone (KIP-890).
#include "kafka/handlers/handlers.h"
#include "kafka/topic_view.h"
#include "kafka/txn_errors.h"

enum { ADDS_VERSION_MIN = 5, ABORTABLE_VERSION_MIN = 4, ITEM_BYTES_MAX = 1 << 20, NEVER = INT16_MAX };

struct commit_state {
    struct item *items;
    uint32_t item_count;
    struct item_offset *offsets;
    uint32_t offset_count;
    enum err *errors; // per partition, in the order of the request
    int32_t *item_of;
};

static bool state_create(struct request *rq, struct commit_state **ret)
{
    const struct txn_offset_commit_request *in = rq->in;
    size_t count = 0;
    for (int32_t t = 0; t < in->topics_count; t++) {
        count += (size_t)in->topics[t].partitions_count;
    }
    struct commit_state *state = request_new(rq, struct commit_state, 1);
    if (state == NULL) {
        return false;
    }
    state->items = request_new(rq, struct item, count + 1);
    state->offsets = request_new(rq, struct item_offset, count + 1);
    state->errors = request_new(rq, enum err, count + 1);
    state->item_of = request_new(rq, int32_t, count + 1);
    *ret = state;
    return !rq->arena.failed;
}

// item_for gives the item that takes one more offset of `more` bytes.
static struct item_offset_commit *item_for(struct request *rq, struct commit_state *state, size_t *bytes,
                                           size_t more)
{
    const struct txn_offset_commit_request *in = rq->in;
    struct item_txn_offsets *last =
        state->item_count == 0 ? NULL : &state->items[state->item_count - 1].txn_offsets;
    if (last != NULL && last->commit.offset_count < ITEM_OFFSET_ENTRIES_MAX &&
        *bytes + more <= ITEM_BYTES_MAX) {
        *bytes += more;
        return &last->commit;
    }
    struct item *item = &state->items[state->item_count++];
    *item = (struct item){.kind = ITEM_TXN_OFFSETS, .version = 1};
    item->txn_offsets = (struct item_txn_offsets){.txn_id = in->transactional_id,
                                                  .producer_id = in->producer_id,
                                                  .producer_epoch = in->producer_epoch,
                                                  .adds = rq->version >= ADDS_VERSION_MIN};
    item->txn_offsets.commit = (struct item_offset_commit){.group_id = in->group_id,
                                                           .generation = -1,
                                                           .member_id = in->member_id,
                                                           .offsets = state->offsets + state->offset_count};
    *bytes = more;
    return &item->txn_offsets.commit;
}

static void gather(struct request *rq, struct commit_state *state)
{
    const struct txn_offset_commit_request *in = rq->in;
    uint32_t at = 0;
    size_t bytes = 0;
    for (int32_t t = 0; t < in->topics_count; t++) {
        struct topic_view view = {0};
        bool is_known = topic_view_find(rq, in->topics[t].name, (struct uuid){{0}}, &view);
        for (int32_t i = 0; i < in->topics[t].partitions_count; i++, at++) {
            const struct txn_offset_commit_request_partition *partition = &in->topics[t].partitions[i];
            struct str metadata = partition->committed_metadata;
            bool is_there = is_known && partition->partition_index >= 0 &&
                            partition->partition_index < view.partition_count;
            bool is_large = metadata.len > broker_offset_metadata_max(rq->broker);
            state->errors[at] = !is_there  ? ERR_UNKNOWN_PARTITION
                                : is_large ? ERR_OFFSET_METADATA_TOO_LARGE
                                           : ERR_OK;
            if (state->errors[at] != ERR_OK) {
                continue;
            }
            struct item_offset_commit *commit =
                item_for(rq, state, &bytes, sizeof(struct item_offset) + metadata.len);
            commit->offsets[commit->offset_count++] =
                (struct item_offset){view.id,
                                     partition->partition_index,
                                     partition->committed_offset,
                                     partition->committed_leader_epoch,
                                     -1,
                                     metadata.ptr == NULL ? STR("") : metadata};
            state->offset_count++;
            state->item_of[at] = (int32_t)state->item_count - 1;
        }
    }
}

static void answer(struct request *rq, const struct commit_state *state, enum err group_err,
                   const struct outcome *outcomes)
{
    const struct txn_offset_commit_request *in = rq->in;
    struct txn_offset_commit_response *out = rq->out;
    out->topics = wire_array(&rq->arena, txn_offset_commit_response_topic, (size_t)in->topics_count + 1);
    uint32_t at = 0;
    for (int32_t t = 0; t < in->topics_count && out->topics != NULL; t++) {
        struct txn_offset_commit_response_topic *topic = &out->topics[out->topics_count++];
        int32_t count = in->topics[t].partitions_count;
        topic->name = in->topics[t].name;
        topic->partitions = wire_array(&rq->arena, txn_offset_commit_response_partition, (size_t)count + 1);
        for (int32_t i = 0; i < count && topic->partitions != NULL; i++, at++) {
            struct txn_offset_commit_response_partition *partition =
                &topic->partitions[topic->partitions_count++];
            enum err err = state->errors[at];
            if (err == ERR_OK) {
                err = group_err != ERR_OK ? group_err : outcomes[state->item_of[at]].err;
            }
            partition->partition_index = in->topics[t].partitions[i].partition_index;
            partition->error = txn_state_error(rq, txn_error(rq, err, NEVER), ABORTABLE_VERSION_MIN);
        }
    }
    request_reply(rq); // closes if the arena failed
}

static void on_committed(struct request *rq, struct request_change *change)
{
    answer(rq, change->state, ERR_OK, change->op.outcomes);
}

// check_group: it has an id; with a member or a generation, they must be the group's (KIP-447).
static enum err check_group(struct request *rq, int32_t *ret_generation)
{
    const struct txn_offset_commit_request *in = rq->in;
    *ret_generation = -1;
    if (in->transactional_id.len == 0 || in->group_id.len == 0) {
        return in->group_id.len == 0 ? ERR_INVALID_GROUP_ID : ERR_INVALID_REQUEST;
    }
    bool is_member = in->generation_id >= 0 || in->member_id.len > 0 || in->group_instance_id.ptr != NULL;
    if (!is_member) {
        return ERR_OK;
    }
    const struct group_member_name name = {in->group_id, in->generation_id, in->member_id,
                                           in->group_instance_id};
    enum err err = broker_group_commit_check(rq->port, &name, false, ret_generation);
    // Clients take this one for the end of the producer.
    bool is_old = err == ERR_REBALANCE_IN_PROGRESS || err == ERR_STALE_MEMBER_EPOCH;
    return is_old ? ERR_ILLEGAL_GENERATION : err;
}

static void txn_offset_commit_handle(struct request *rq)
{
    struct commit_state *state = NULL;
    if (!state_create(rq, &state)) {
        request_out_of_memory(rq);
        return;
    }
    gather(rq, state);
    int32_t generation = -1;
    enum err err = state->item_count == 0 ? ERR_OK : check_group(rq, &generation);
    if (err != ERR_OK || state->item_count == 0) {
        answer(rq, state, err, NULL);
        return;
    }
    for (uint32_t i = 0; i < state->item_count; i++) {
        state->items[i].txn_offsets.commit.generation = generation;
    }
    (void)request_change_start(rq, state->items, state->item_count, state, on_committed);
}

const struct api_handler txn_offset_commit_handler = {.key = API_TXN_OFFSET_COMMIT,
                                                      .handle = txn_offset_commit_handle};
