// SPDX-License-Identifier: Apache-2.0
// ListOffsets (key 2): offsets by time, exact to the record, or by name. KIP-79, KIP-734 (-3), KIP-405 (-4),
// KIP-1005 (-5), KIP-1023 (-6). A look-up by time may read the disk, so a long request lets others run in
// between.
#include "kafka/handlers/handlers.h"

enum { LOOKUPS_PER_STEP = 32 };

struct list_offsets_state {
    struct task task; // first: the task is the state
    struct request *rq;
    int32_t topic;
    int32_t partition;
};

// A name is refused in versions that lack it (kafka.md 5.25).
static bool is_known_in(int64_t timestamp, int16_t version)
{
    static const int16_t since[] = {
        [-OFFSET_LATEST] = 1,         [-OFFSET_EARLIEST] = 1,      [-OFFSET_MAX_TIMESTAMP] = 7,
        [-OFFSET_EARLIEST_LOCAL] = 8, [-OFFSET_LATEST_TIERED] = 9, [-OFFSET_EARLIEST_PENDING_UPLOAD] = 11,
    };
    if (timestamp >= 0) {
        return true;
    }
    return timestamp >= OFFSET_EARLIEST_PENDING_UPLOAD && version >= since[-timestamp];
}

static void look_up(struct request *rq, const struct list_offsets_request_topic *topic,
                    const struct list_offsets_request_partition *asked,
                    struct list_offsets_response_partition *out)
{
    const struct list_offsets_request *in = rq->in;
    out->partition_index = asked->partition_index;
    if (!is_known_in(asked->timestamp, rq->version)) {
        out->error = ERR_UNSUPPORTED_VERSION;
        return;
    }
    struct offset_query query = {
        .topic_name = topic->name,
        .partition = asked->partition_index,
        .current_leader_epoch = asked->current_leader_epoch,
        .timestamp = asked->timestamp,
        .is_read_committed = in->isolation_level == 1,
    };
    broker_list_offset(rq->port, &query);
    out->error = query.err;
    if (query.err == ERR_OK) {
        out->offset = query.offset;
        out->timestamp = query.found_timestamp;
        out->leader_epoch = query.leader_epoch;
    }
}

static void list_offsets_step(struct task *task)
{
    struct list_offsets_state *state = (struct list_offsets_state *)(void *)task;
    struct request *rq = state->rq;
    const struct list_offsets_request *in = rq->in;
    struct list_offsets_response *out = rq->out;
    int left = LOOKUPS_PER_STEP;
    while (state->topic < in->topics_count && left > 0) {
        const struct list_offsets_request_topic *topic = &in->topics[state->topic];
        if (state->partition >= topic->partitions_count) {
            state->topic++;
            state->partition = 0;
            continue;
        }
        look_up(rq, topic, &topic->partitions[state->partition],
                &out->topics[state->topic].partitions[state->partition]);
        state->partition++;
        left--;
    }
    if (state->topic < in->topics_count) {
        loop_post(broker_port_loop(rq->port), &state->task);
        return;
    }
    request_reply(rq);
}

// list_offsets_cancel: nobody waits for the rest.
static void list_offsets_cancel(struct request *rq)
{
    struct list_offsets_state *state = rq->state;
    const struct list_offsets_request *in = rq->in;
    state->topic = in->topics_count;
}

static void list_offsets_handle(struct request *rq)
{
    const struct list_offsets_request *in = rq->in;
    struct list_offsets_response *out = rq->out;
    struct list_offsets_state *state = request_new(rq, struct list_offsets_state, 1);
    out->topics = wire_array(&rq->arena, list_offsets_response_topic, (size_t)in->topics_count);
    if (state == NULL || (out->topics == NULL && in->topics_count > 0)) {
        request_out_of_memory(rq);
        return;
    }
    out->topics_count = in->topics_count;
    for (int32_t t = 0; t < in->topics_count; t++) {
        int32_t count = in->topics[t].partitions_count;
        out->topics[t].name = in->topics[t].name;
        out->topics[t].partitions = wire_array(&rq->arena, list_offsets_response_partition, (size_t)count);
        out->topics[t].partitions_count = out->topics[t].partitions == NULL ? 0 : count;
    }
    if (rq->arena.failed) {
        request_out_of_memory(rq);
        return;
    }
    state->task.run = list_offsets_step;
    state->rq = rq;
    rq->state = state;
    rq->cancel = list_offsets_cancel;
    list_offsets_step(&state->task);
}

const struct api_handler list_offsets_handler = {.key = API_LIST_OFFSETS, .handle = list_offsets_handle};
