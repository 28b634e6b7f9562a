// SPDX-License-Identifier: Apache-2.0
// Produce (key 0): append record batches. KIP-98, KIP-467 (record errors, v8), KIP-516 (topic ids, v13).
// acks=0 gets no answer; on any error Kafka closes such a connection, and so do we (kafka.md 5.5).
#include "base/utf8.h"
#include "kafka/handlers/handlers.h"
#include "kafka/topic_view.h"
#include "kafka/txn_errors.h"
#include "record/batch.h"

struct produce_state {
    struct produce_op op;
    struct request *rq;
};

enum { ZSTD_VERSION_MIN = 7, ABORTABLE_VERSION_MIN = 11, ADDS_VERSION_MIN = 12 };
enum { RECORD_ERROR_MAX = 500 }; // bytes

// A batch outside of transactions, whose producer has one open here, gets INVALID_TXN_STATE in every version.
// What lacked memory is a matter of the moment, for which there is no code: of those after which clients send
// again, a full disk is the nearest.
static enum err error_of(const struct request *rq, const struct produce_part *part)
{
    if (part->err != ERR_INVALID_TXN_STATE) {
        return part->err == ERR_NO_MEMORY ? ERR_STORAGE : part->err;
    }
    struct batch_header h;
    bool is_transactional = batch_header_read(part->batch, &h, NULL) == ERR_OK && batch_is_transactional(&h);
    return is_transactional ? txn_state_error(rq, part->err, ABORTABLE_VERSION_MIN) : part->err;
}

// text_told is at most `max` bytes of the text. Names in it are the clients', and may have been cut within a
// character: what is no UTF-8 becomes a question mark, as strict clients fail on it.
static struct str text_told(struct request *rq, struct str text, size_t max)
{
    size_t len = text.len < max ? text.len : max;
    char *told = request_new(rq, char, len + 1);
    for (size_t i = 0; told != NULL && i < len;) {
        size_t size = utf8_size((struct str){text.ptr + i, len - i});
        memcpy(told + i, size == 0 ? "?" : text.ptr + i, size == 0 ? 1 : size);
        i += size == 0 ? 1 : size;
    }
    return (struct str){told, told == NULL ? 0 : len};
}

static void fill_partition(struct request *rq, const struct produce_part *part,
                           struct produce_response_partition *out)
{
    out->error = error_of(rq, part);
    out->base_offset = part->base_offset;
    out->log_append_time_ms = part->log_append_time_ms;
    out->log_start_offset = part->log_start_offset;
    if (part->err == ERR_OK) {
        return;
    }
    if (part->text[0] != '\0') {
        out->error_message = text_told(rq, str_from_c(part->text), sizeof part->text);
    }
    out->record_errors =
        wire_array(&rq->arena, produce_response_record_error, (size_t)part->bad_record_count);
    out->record_errors_count = out->record_errors == NULL ? 0 : part->bad_record_count;
    for (int32_t i = 0; i < out->record_errors_count; i++) {
        out->record_errors[i].batch_index = part->bad_records[i].index;
        out->record_errors[i].batch_index_error_message =
            text_told(rq, part->bad_records[i].text, RECORD_ERROR_MAX);
    }
}

static bool fill_response(struct request *rq, const struct produce_op *op)
{
    const struct produce_request *in = rq->in;
    struct produce_response *out = rq->out;
    out->topics = wire_array(&rq->arena, produce_response_topic, (size_t)in->topics_count);
    if (out->topics == NULL) {
        return false;
    }
    out->topics_count = in->topics_count;
    const struct produce_part *part = op->parts;
    for (int32_t t = 0; t < in->topics_count; t++) {
        out->topics[t].name = in->topics[t].name;
        out->topics[t].topic_id = in->topics[t].topic_id;
        out->topics[t].partitions_count = in->topics[t].partitions_count;
        out->topics[t].partitions =
            wire_array(&rq->arena, produce_response_partition, (size_t)in->topics[t].partitions_count);
        if (out->topics[t].partitions == NULL) {
            return false;
        }
        for (int32_t p = 0; p < in->topics[t].partitions_count; p++, part++) {
            out->topics[t].partitions[p].index = part->partition;
            fill_partition(rq, part, &out->topics[t].partitions[p]);
        }
    }
    return true;
}

static void on_produced(struct produce_op *op)
{
    struct produce_state *state =
        (struct produce_state *)(void *)((char *)op - offsetof(struct produce_state, op));
    struct request *rq = state->rq;
    const struct produce_request *in = rq->in;
    bool has_error = false;
    if (op->letter_bytes > 0) {
        request_charge(rq, THROTTLE_PRODUCE, (double)op->letter_bytes);
    }
    for (uint32_t i = 0; i < op->part_count; i++) {
        has_error = has_error || op->parts[i].err != ERR_OK;
    }
    if (in->acks == 0) {
        rq->has_no_answer = !has_error;
        has_error ? request_close(rq) : request_reply(rq);
        return;
    }
    if (!fill_response(rq, op)) {
        request_out_of_memory(rq);
        return;
    }
    request_reply(rq);
}

static void on_cancelled(struct request *rq)
{
    broker_produce_cancel(&((struct produce_state *)rq->state)->op);
}

static uint32_t count_partitions(const struct produce_request *in)
{
    uint32_t count = 0;
    for (int32_t t = 0; t < in->topics_count; t++) {
        count += (uint32_t)in->topics[t].partitions_count;
    }
    return count;
}

// acks_error: of a partition that is not there, that is told first, as in Kafka.
static enum err acks_error(struct request *rq, const struct produce_part *part)
{
    struct topic_view view;
    if (!topic_view_find(rq, part->topic_name, part->topic_id, &view)) {
        return uuid_is_zero(part->topic_id) ? ERR_UNKNOWN_PARTITION : ERR_UNKNOWN_TOPIC_ID;
    }
    bool is_there = part->partition >= 0 && part->partition < view.partition_count;
    return is_there ? ERR_INVALID_ACKS : ERR_UNKNOWN_PARTITION;
}

static void refuse_all(struct request *rq, struct produce_op *op, enum err err)
{
    for (uint32_t i = 0; i < op->part_count; i++) {
        op->parts[i].err = err == ERR_INVALID_ACKS ? acks_error(rq, &op->parts[i]) : err;
        op->parts[i].base_offset = -1;
        op->parts[i].log_append_time_ms = -1;
        op->parts[i].log_start_offset = -1;
    }
    on_produced(op);
}

// Kafka asks whether the client may use the request's transactional id, if only one batch is transactional. A
// request that names none may not.
static bool lacks_transactional_id(const struct produce_request *in, const struct produce_op *op)
{
    for (uint32_t i = 0; i < op->part_count && in->transactional_id.ptr == NULL; i++) {
        struct batch_header h;
        if (batch_header_read(op->parts[i].batch, &h, NULL) == ERR_OK && batch_is_transactional(&h)) {
            return true;
        }
    }
    return false;
}

static void produce_handle(struct request *rq)
{
    const struct produce_request *in = rq->in;
    uint32_t count = count_partitions(in);
    // At once: Produces overlap, and many more would have begun before the first is answered.
    request_charge(rq, THROTTLE_PRODUCE, (double)rq->frame_size);
    request_hold(rq);
    struct produce_state *state = request_new(rq, struct produce_state, 1);
    struct produce_part *parts = request_new(rq, struct produce_part, count + 1);
    if (state == NULL || parts == NULL) {
        request_out_of_memory(rq);
        return;
    }
    struct produce_part *part = parts;
    for (int32_t t = 0; t < in->topics_count; t++) {
        for (int32_t p = 0; p < in->topics[t].partitions_count; p++, part++) {
            part->topic_id = in->topics[t].topic_id;
            part->topic_name = in->topics[t].name;
            part->partition = in->topics[t].partitions[p].index;
            part->batch = in->topics[t].partitions[p].records.bytes;
            part->chunk = rq->chunk;
            if (rq->version >= 13 && uuid_is_zero(part->topic_id)) {
                part->topic_id.b[0] = 1; // a zero id names no topic; never look it up by an empty name
            }
        }
    }
    state->rq = rq;
    state->op = (struct produce_op){.port = rq->port,
                                    .arena = &rq->arena,
                                    .lane = rq->lane,
                                    .client_id = rq->header.client_id,
                                    .principal = STR("User:ANONYMOUS"),
                                    .parts = parts,
                                    .part_count = count,
                                    .is_zstd_allowed = rq->version >= ZSTD_VERSION_MIN,
                                    .transactional_id = in->transactional_id,
                                    .adds_to_txn = rq->version >= ADDS_VERSION_MIN,
                                    .done = on_produced};
    if (in->acks < -1 || in->acks > 1) {
        refuse_all(rq, &state->op, ERR_INVALID_ACKS);
    } else if (lacks_transactional_id(in, &state->op)) {
        refuse_all(rq, &state->op, ERR_TRANSACTIONAL_ID_AUTHORIZATION);
    } else {
        rq->state = state;
        rq->cancel = in->acks == 0 ? NULL : on_cancelled; // such a client may leave at once
        broker_produce(rq->broker, &state->op);
    }
}

const struct api_handler produce_handler = {.key = API_PRODUCE, .overlaps = true, .handle = produce_handle};
