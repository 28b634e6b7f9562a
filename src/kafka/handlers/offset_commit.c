// SPDX-License-Identifier: Apache-2.0
// OffsetCommit (key 8): a group stores its positions; answered when they are durable. KIP-320 (leader epochs,
// v6), KIP-345 (v7), KIP-848 (topic ids, v10). Retention of its own in v2 to v4 (KIP-211).
#include "kafka/handlers/handlers.h"
#include "kafka/topic_view.h"

enum { GROUP_MISSING_VERSION_MIN = 9, TOPIC_ID_VERSION_MIN = 10, ITEM_BYTES_MAX = 1 << 20 };

struct commit_state {
    struct item *items;
    uint32_t item_count;
    struct item_offset *offsets; // of all items, one after the other
    enum err *errors;            // of all partitions, in the order of the request: ERR_OK = in an item
    int32_t *item_of;            // likewise
    uint32_t partition_count;
    bool has_too_long; // metadata: that is told only to who may commit
};

static size_t offset_bytes(const struct offset_commit_request_partition *partition)
{
    return sizeof(struct item_offset) + partition->committed_metadata.len;
}

static bool state_create(struct request *rq, struct commit_state **ret)
{
    const struct offset_commit_request *in = rq->in;
    size_t count = 0;
    size_t bytes = 0;
    for (int32_t t = 0; t < in->topics_count; t++) {
        count += (size_t)in->topics[t].partitions_count;
        for (int32_t i = 0; i < in->topics[t].partitions_count; i++) {
            bytes += offset_bytes(&in->topics[t].partitions[i]);
        }
    }
    // Of two items that follow each other, one is full of entries, or both together are of bytes.
    size_t items_max = count / ITEM_OFFSET_ENTRIES_MAX + 2 * (bytes / ITEM_BYTES_MAX) + 2;
    struct commit_state *state = request_new(rq, struct commit_state, 1);
    if (state == NULL) {
        return false;
    }
    state->offsets = request_new(rq, struct item_offset, count + 1);
    state->errors = request_new(rq, enum err, count + 1);
    state->item_of = request_new(rq, int32_t, count + 1);
    state->items = request_new(rq, struct item, items_max);
    state->partition_count = (uint32_t)count;
    *ret = state;
    return !rq->arena.failed;
}

// is_too_long: Kafka's limit counts units of UTF-16. Bytes that are no UTF-8 are not counted, but bounded.
static bool is_too_long(struct str text, size_t max)
{
    size_t units = 0;
    for (size_t i = 0; i < text.len && units <= max; i++) {
        uint8_t byte = (uint8_t)text.ptr[i];
        units += ((byte & 0xc0) != 0x80) + (byte >= 0xf0); // those are two
    }
    return units > max || text.len > 3 * max;
}

// check_topic settles what is wrong with the topic's partitions.
static void check_topic(struct request *rq, const struct offset_commit_request_topic *topic,
                        struct topic_view *ret_view, enum err *errors)
{
    bool is_by_id = rq->version >= TOPIC_ID_VERSION_MIN;
    size_t metadata_max = broker_offset_metadata_max(rq->broker);
    bool is_known = is_by_id && uuid_is_zero(topic->topic_id)
                        ? false
                        : topic_view_find(rq, topic->name, topic->topic_id, ret_view);
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        const struct offset_commit_request_partition *partition = &topic->partitions[i];
        if (!is_known) {
            errors[i] = is_by_id ? ERR_UNKNOWN_TOPIC_ID : ERR_UNKNOWN_PARTITION;
        } else if (partition->partition_index < 0 ||
                   partition->partition_index >= ret_view->partition_count) {
            errors[i] = ERR_UNKNOWN_PARTITION;
        } else if (is_too_long(partition->committed_metadata, metadata_max)) {
            errors[i] = ERR_OFFSET_METADATA_TOO_LARGE;
        }
    }
}

// item_for gives the item that takes one more offset: the last one, or a new one when that is full.
static struct item_offset_commit *item_for(struct commit_state *state, const struct offset_commit_request *in,
                                           size_t *bytes, size_t more)
{
    struct item_offset_commit *last =
        state->item_count == 0 ? NULL : &state->items[state->item_count - 1].offset_commit;
    if (last != NULL && last->offset_count < ITEM_OFFSET_ENTRIES_MAX && *bytes + more <= ITEM_BYTES_MAX) {
        *bytes += more;
        return last;
    }
    struct item_offset *rest = last == NULL ? state->offsets : last->offsets + last->offset_count;
    struct item *item = &state->items[state->item_count++];
    *item = (struct item){.kind = ITEM_OFFSET_COMMIT, .version = 1};
    item->offset_commit =
        (struct item_offset_commit){.group_id = in->group_id, .member_id = in->member_id, .offsets = rest};
    *bytes = more;
    return &item->offset_commit;
}

static void gather(struct request *rq, struct commit_state *state)
{
    const struct offset_commit_request *in = rq->in;
    uint32_t at = 0;
    size_t bytes = 0;
    for (int32_t t = 0; t < in->topics_count; t++) {
        const struct offset_commit_request_topic *topic = &in->topics[t];
        struct topic_view view = {0};
        check_topic(rq, topic, &view, &state->errors[at]);
        for (int32_t i = 0; i < topic->partitions_count; i++, at++) {
            const struct offset_commit_request_partition *partition = &topic->partitions[i];
            if (state->errors[at] != ERR_OK) {
                state->has_too_long |= state->errors[at] == ERR_OFFSET_METADATA_TOO_LARGE;
                continue;
            }
            struct item_offset_commit *commit = item_for(state, in, &bytes, offset_bytes(partition));
            struct str metadata = partition->committed_metadata;
            commit->offsets[commit->offset_count++] = (struct item_offset){
                .topic_id = view.id,
                .partition = partition->partition_index,
                .offset = partition->committed_offset,
                .leader_epoch = partition->committed_leader_epoch,
                .retention_ms = in->retention_time_ms,
                .metadata = metadata.ptr == NULL ? STR("") : metadata,
            };
            state->item_of[at] = (int32_t)state->item_count - 1;
        }
    }
}

static void answer(struct request *rq, const struct commit_state *state, enum err group_err,
                   const struct outcome *outcomes)
{
    const struct offset_commit_request *in = rq->in;
    struct offset_commit_response *out = rq->out;
    out->topics = wire_array(&rq->arena, offset_commit_response_topic, (size_t)in->topics_count + 1);
    uint32_t at = 0;
    for (int32_t t = 0; t < in->topics_count && out->topics != NULL; t++) {
        struct offset_commit_response_topic *topic = &out->topics[out->topics_count++];
        int32_t count = in->topics[t].partitions_count;
        topic->name = in->topics[t].name;
        topic->topic_id = in->topics[t].topic_id;
        topic->partitions = wire_array(&rq->arena, offset_commit_response_partition, (size_t)count + 1);
        for (int32_t i = 0; i < count && topic->partitions != NULL; i++, at++) {
            struct offset_commit_response_partition *partition =
                &topic->partitions[topic->partitions_count++];
            enum err err = state->errors[at];
            if (err == ERR_OFFSET_METADATA_TOO_LARGE && group_err != ERR_OK) {
                err = group_err;
            } else if (err == ERR_OK) {
                err = group_err != ERR_OK ? group_err : outcomes[state->item_of[at]].err;
                err = err == ERR_STORAGE ? ERR_COORDINATOR_NOT_AVAILABLE : err; // a full disk: try again
            }
            partition->partition_index = in->topics[t].partitions[i].partition_index;
            partition->error = err;
        }
    }
    request_reply(rq); // closes if the arena failed
}

static void on_committed(struct request *rq, struct request_change *change)
{
    answer(rq, change->state, ERR_OK, change->op.outcomes);
}

static void offset_commit_handle(struct request *rq)
{
    const struct offset_commit_request *in = rq->in;
    struct commit_state *state = NULL;
    if (!state_create(rq, &state)) {
        request_out_of_memory(rq);
        return;
    }
    gather(rq, state);
    const struct group_member_name name = {in->group_id, in->generation_id_or_member_epoch, in->member_id,
                                           in->group_instance_id, rq->version < GROUP_MISSING_VERSION_MIN};
    int32_t generation = -1;
    enum err err = state->item_count == 0 && !state->has_too_long
                       ? ERR_OK
                       : broker_group_commit_check(rq->port, &name, rq->version >= GROUP_MISSING_VERSION_MIN,
                                                   &generation);
    if (err != ERR_OK || state->item_count == 0) {
        answer(rq, state, err, NULL);
        return;
    }
    for (uint32_t i = 0; i < state->item_count; i++) {
        state->items[i].offset_commit.generation = generation;
    }
    (void)request_change_start(rq, state->items, state->item_count, state, on_committed);
}

const struct api_handler offset_commit_handler = {.key = API_OFFSET_COMMIT, .handle = offset_commit_handle};
