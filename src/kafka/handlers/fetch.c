// SPDX-License-Identifier: Apache-2.0
// Fetch (key 1): read batches from an offset, waiting for them if asked. KIP-74 (limits), KIP-516 (topic ids,
// v13), KIP-227 (sessions, v7): epoch 0 asks for a session and gets one with the answer if there is room;
// epoch -1 wants none; any other goes on with a session, and the answer holds only what is news.
#include "broker/fetch_session.h"
#include "kafka/handlers/handlers.h"

enum {
    TOPIC_ID_VERSION_MIN = 13,
    LARGE_PARTS = 2000, // a fetch of more, and without a session, does not hold its memory for long:
    LARGE_WAIT_MS_MAX = 5000,
};

struct fetch_state {
    struct fetch_op op;
    struct request *rq;
    bool wants_session;
    struct fetch_session *session; // in use by this request, or NULL
};

static void fetch_release(struct request *rq)
{
    struct fetch_state *state = rq->state;
    broker_fetch_release(rq->broker, &state->op);
}

static void fetch_cancel(struct request *rq)
{
    struct fetch_state *state = rq->state;
    broker_fetch_cancel(rq->broker, &state->op);
}

static bool uses_topic_ids(const struct request *rq)
{
    return rq->version >= TOPIC_ID_VERSION_MIN;
}

// ---- what is asked

// A name, or from v13 on an id: then the name is null, and a zero id names no topic.
static struct fetch_part part_of(const struct request *rq, struct str name, struct uuid id, int32_t partition)
{
    return (struct fetch_part){.topic_name = uses_topic_ids(rq) ? (struct str){NULL, 0} : name,
                               .topic_id = id,
                               .partition = partition};
}

static uint32_t asked_count(const struct fetch_request *in)
{
    uint32_t count = 0;
    for (int32_t t = 0; t < in->topics_count; t++) {
        count += (uint32_t)in->topics[t].partitions_count;
    }
    return count;
}

// asked_parts copies the request's partitions; NULL when out of memory.
static struct fetch_part *asked_parts(struct request *rq)
{
    const struct fetch_request *in = rq->in;
    struct fetch_part *parts = request_new(rq, struct fetch_part, (size_t)asked_count(in) + 1);
    struct fetch_part *part = parts;
    for (int32_t t = 0; t < in->topics_count && parts != NULL; t++) {
        const struct fetch_request_topic *topic = &in->topics[t];
        for (int32_t p = 0; p < topic->partitions_count; p++, part++) {
            const struct fetch_request_partition *asked = &topic->partitions[p];
            *part = part_of(rq, topic->topic, topic->topic_id, asked->partition);
            part->current_leader_epoch = asked->current_leader_epoch;
            part->last_fetched_epoch = asked->last_fetched_epoch;
            part->offset = asked->fetch_offset;
            part->bytes_max = asked->partition_max_bytes < 0 ? 0 : asked->partition_max_bytes;
        }
    }
    return parts;
}

static struct fetch_part *forgotten_parts(struct request *rq, uint32_t *ret_count)
{
    const struct fetch_request *in = rq->in;
    uint32_t count = 0;
    for (int32_t t = 0; t < in->forgotten_topics_count; t++) {
        count += (uint32_t)in->forgotten_topics[t].partitions_count;
    }
    struct fetch_part *parts = request_new(rq, struct fetch_part, (size_t)count + 1);
    struct fetch_part *part = parts;
    for (int32_t t = 0; t < in->forgotten_topics_count && parts != NULL; t++) {
        const struct fetch_request_forgotten_topic *topic = &in->forgotten_topics[t];
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            *part++ = part_of(rq, topic->topic, topic->topic_id, topic->partitions[p]);
        }
    }
    *ret_count = count;
    return parts;
}

// ---- the answer

// fill_aborted: null unless read committed (KIP-98).
static void fill_aborted(struct request *rq, const struct fetch_part *part,
                         struct fetch_response_partition *out)
{
    const struct fetch_request *in = rq->in;
    if (in->isolation_level != 1 || part->err != ERR_OK) {
        out->aborted_transactions_count = -1;
        return;
    }
    out->aborted_transactions =
        wire_array(&rq->arena, fetch_response_aborted_transaction, (size_t)part->aborted_count + 1);
    out->aborted_transactions_count = out->aborted_transactions == NULL ? 0 : (int32_t)part->aborted_count;
    for (int32_t i = 0; i < out->aborted_transactions_count; i++) {
        out->aborted_transactions[i].producer_id = part->aborted[i].producer_id;
        out->aborted_transactions[i].first_offset = part->aborted[i].first_offset;
    }
}

static void fill_partition(struct request *rq, struct fetch_part *part, struct fetch_response_partition *out)
{
    out->partition_index = part->partition;
    out->error = part->err;
    out->high_watermark = part->high_watermark;
    out->last_stable_offset = part->last_stable_offset;
    out->log_start_offset = part->log_start_offset;
    fill_aborted(rq, part, out);
    if (part->diverging_epoch >= 0) {
        out->diverging_epoch.epoch = part->diverging_epoch;
        out->diverging_epoch.end_offset = part->diverging_end_offset;
    }
    // Empty, not null: some clients do not expect null records.
    out->records.bytes = (struct bytes){(const uint8_t *)"", 0};
    out->records.external_size = part->slice_bytes;
    out->records.external = part;
}

static bool is_same_topic(const struct fetch_part *a, const struct fetch_part *b)
{
    return uuid_equal(a->topic_id, b->topic_id) && str_equal(a->topic_name, b->topic_name);
}

// fill_response groups neighbours of one topic, as Kafka does; a topic may come more than once.
static bool fill_response(struct request *rq, struct fetch_part **parts, uint32_t count)
{
    struct fetch_response *out = rq->out;
    uint32_t topic_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        topic_count += i == 0 || !is_same_topic(parts[i - 1], parts[i]) ? 1 : 0;
    }
    out->topics = wire_array(&rq->arena, fetch_response_topic, (size_t)topic_count + 1);
    struct fetch_response_partition *partitions =
        wire_array(&rq->arena, fetch_response_partition, (size_t)count + 1);
    if (out->topics == NULL || partitions == NULL) {
        return false;
    }
    out->topics_count = (int32_t)topic_count;
    struct fetch_response_topic *topic = out->topics - 1;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || !is_same_topic(parts[i - 1], parts[i])) {
            topic++;
            topic->topic = parts[i]->topic_name;
            topic->topic_id = parts[i]->topic_id;
            topic->partitions = &partitions[i];
            topic->partitions_count = 0;
        }
        topic->partitions_count++;
        fill_partition(rq, parts[i], &partitions[i]);
    }
    return true;
}

// is_throttled counts the records of the answer. Over the quota nothing is sent, nothing counts as sent, and
// the client is told to wait, as Kafka does it. Only who has used nothing gets its records all the same, and
// waits afterwards: a batch that is larger than the quota would never come otherwise.
static bool is_throttled(struct request *rq, const struct fetch_op *op)
{
    double bytes = 0;
    for (uint32_t i = 0; i < op->part_count; i++) {
        bytes += op->parts[i].slice_bytes;
    }
    request_charge(rq, THROTTLE_FETCH, bytes);
    if (request_throttle_ns(rq) == 0) {
        return false;
    }
    request_charge(rq, THROTTLE_FETCH, -bytes);
    const struct throttle_who who = request_who(rq);
    int64_t now_ns = loop_now_ns(broker_port_loop(rq->port));
    if (bytes > 0 && throttle_is_unused(broker_throttles(rq->broker), THROTTLE_FETCH, &who, now_ns)) {
        request_charge(rq, THROTTLE_FETCH, bytes);
        return false;
    }
    int64_t most_ns = throttle_windows_ns(broker_throttles(rq->broker));
    rq->throttle_ns = rq->throttle_ns < most_ns ? rq->throttle_ns : most_ns;
    return true;
}

// fill_all answers with what is news, or with everything where there is no session, or a new one.
static bool fill_all(struct fetch_state *state)
{
    struct request *rq = state->rq;
    struct fetch_response *out = rq->out;
    struct fetch_op *op = &state->op;
    struct fetch_part **told = request_new(rq, struct fetch_part *, (size_t)op->part_count + 1);
    uint32_t count = op->part_count;
    if (told == NULL) {
        return false;
    }
    if (state->session != NULL) {
        count = fetch_session_news(state->session, op->parts, told);
    }
    for (uint32_t i = 0; i < count && state->session == NULL; i++) {
        told[i] = &op->parts[i];
    }
    if (!fill_response(rq, told, count)) {
        return false;
    }
    if (state->wants_session) {
        out->session_id = fetch_session_create(broker_fetch_sessions(rq->broker), op->parts, op->part_count,
                                               uses_topic_ids(rq), loop_now_ns(broker_port_loop(rq->port)));
    }
    return true;
}

static void on_fetched(struct fetch_op *op)
{
    struct fetch_state *state = (struct fetch_state *)(void *)((char *)op - offsetof(struct fetch_state, op));
    struct request *rq = state->rq;
    struct fetch_response *out = rq->out;
    struct fetch_session *session = state->session;
    if (session != NULL && op->part_count > 0) { // else it is closed
        out->session_id = fetch_session_id(session);
    }
    if (is_throttled(rq, op) || fill_all(state)) {
        request_reply(rq);
    } else {
        request_out_of_memory(rq);
    }
    if (session != NULL) {
        fetch_session_end(session); // the encoded answer no longer needs the names in it
    }
}

// ---- sessions

// session_take begins with the session that the request names and tells it what changed; an error is the
// request's.
static enum err session_take(struct request *rq, struct fetch_session **ret_session)
{
    const struct fetch_request *in = rq->in;
    int64_t now_ns = loop_now_ns(broker_port_loop(rq->port));
    struct fetch_session *session = NULL;
    enum err err = fetch_session_begin(broker_fetch_sessions(rq->broker), in->session_id, in->session_epoch,
                                       uses_topic_ids(rq), now_ns, &session);
    if (err != ERR_OK) {
        return err;
    }
    uint32_t forgotten_count = 0;
    struct fetch_part *asked = asked_parts(rq);
    struct fetch_part *forgotten = forgotten_parts(rq, &forgotten_count);
    err = asked == NULL || forgotten == NULL
              ? ERR_NO_MEMORY
              : fetch_session_change(session, asked, asked_count(in), forgotten, forgotten_count, now_ns);
    if (err != ERR_OK) {
        fetch_session_end(session);
        return err;
    }
    *ret_session = session;
    return ERR_OK;
}

// state_parts makes the parts to be fetched: the request's, or all of the session's.
static bool state_parts(struct fetch_state *state, struct fetch_part **ret_parts, uint32_t *ret_count)
{
    struct request *rq = state->rq;
    if (state->session == NULL) {
        *ret_parts = asked_parts(rq);
        *ret_count = asked_count(rq->in);
        return *ret_parts != NULL;
    }
    *ret_count = fetch_session_count(state->session);
    *ret_parts = request_new(rq, struct fetch_part, (size_t)*ret_count + 1);
    if (*ret_parts == NULL) {
        fetch_session_end(state->session);
        return false;
    }
    fetch_session_fill(state->session, *ret_parts);
    return true;
}

static enum err sessions_obey(struct request *rq, struct fetch_state *state)
{
    const struct fetch_request *in = rq->in;
    bool is_full = in->session_epoch == FETCH_EPOCH_INITIAL || in->session_epoch == FETCH_EPOCH_FINAL;
    if (!is_full) {
        return session_take(rq, &state->session);
    }
    if (in->session_id != FETCH_SESSION_NONE) {
        fetch_session_close(broker_fetch_sessions(rq->broker), in->session_id);
    }
    state->wants_session = in->session_epoch == FETCH_EPOCH_INITIAL;
    return ERR_OK;
}

// bytes_wanted: an answer that the client's quota could never pass would never be sent.
static int32_t bytes_wanted(const struct request *rq)
{
    const struct fetch_request *in = rq->in;
    const struct throttle_who who = request_who(rq);
    double most = throttle_most(broker_throttles(rq->broker), THROTTLE_FETCH, &who);
    int32_t wanted =
        in->max_bytes < rq->options->fetch_bytes_max ? in->max_bytes : rq->options->fetch_bytes_max;
    wanted = wanted < 0 ? 0 : wanted;
    return most >= 0 && most < wanted ? (int32_t)most : wanted;
}

static void fetch_handle(struct request *rq)
{
    const struct fetch_request *in = rq->in;
    struct fetch_response *out = rq->out;
    struct fetch_state *state = request_new(rq, struct fetch_state, 1);
    if (state == NULL) {
        request_out_of_memory(rq);
        return;
    }
    state->rq = rq;
    enum err err = sessions_obey(rq, state);
    struct fetch_part *parts = NULL;
    uint32_t count = 0;
    if (err == ERR_NO_MEMORY || (err == ERR_OK && !state_parts(state, &parts, &count))) {
        request_out_of_memory(rq);
        return;
    }
    if (err != ERR_OK) {
        out->error = err;
        request_reply(rq);
        return;
    }
    bool is_large = state->session == NULL && count > LARGE_PARTS;
    int32_t bytes_max = bytes_wanted(rq);
    state->op = (struct fetch_op){
        .port = rq->port,
        .parts = parts,
        .part_count = count,
        .wait_ms_max = is_large && in->max_wait_ms > LARGE_WAIT_MS_MAX ? LARGE_WAIT_MS_MAX : in->max_wait_ms,
        .bytes_min = in->min_bytes < bytes_max ? in->min_bytes : bytes_max,
        .bytes_max = bytes_max,
        .is_read_committed = in->isolation_level == 1,
        .done = on_fetched};
    rq->state = state;
    rq->release = fetch_release;
    rq->cancel = fetch_cancel;
    broker_fetch(rq->broker, &state->op);
}

const struct api_handler fetch_handler = {.key = API_FETCH, .handle = fetch_handle};
