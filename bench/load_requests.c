// SPDX-License-Identifier: Apache-2.0
#include "load_requests.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "calls.h"
#include "record/build.h"
#include "support.h"

enum {
    PRODUCE_VERSION = 13,
    FETCH_VERSION = 16,
    PARTITION_MARK = 0x51525354,
    PRODUCE_TIMEOUT_MS = 30000,
};
static const int64_t offset_mark = 0x5152535455565758;

// Half of a value differs from record to record: with a codec it shrinks to about half, as events do.
static void value_vary(uint8_t *value, size_t len, uint64_t *chance)
{
    for (size_t i = len / 2; i < len; i++) {
        *chance = *chance * 6364136223846793005 + 1442695040888963407;
        value[i] = (uint8_t)("0123456789abcdef"[*chance >> 60]);
    }
}

static void file_read(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        bench_die(errno, "%s", path);
    }
    for (size_t got = 1; got > 0;) {
        uint8_t *at = buf_reserve(out, 1 << 16);
        got = at == NULL ? 0 : fread(at, 1, 1 << 16, f);
        out->len += got;
    }
    fclose(f);
}

// value_next gives the value at `at` and moves there; the file is read in a circle.
static struct bytes value_next(const struct buf *file, size_t *at)
{
    *at = *at == file->len ? 0 : *at;
    uint64_t len = file->len - *at >= 4 ? load_be32(file->ptr + *at) : UINT64_MAX;
    if (len > file->len - *at - 4) {
        bench_die(0, "a file of values ends within one");
    }
    struct bytes value = bytes_of(file->ptr + *at + 4, (size_t)len);
    *at += 4 + (size_t)len;
    return value;
}

void batch_make(struct buf *out, size_t batch_bytes, size_t record_bytes, int codec, const char *values,
                int32_t *ret_records)
{
    struct buf file;
    buf_init(&file, 64 << 20);
    size_t file_at = 0;
    uint64_t chance = 1;
    uint8_t *made = mem_alloc(record_bytes);
    for (size_t i = 0; i < record_bytes; i++) {
        made[i] = (uint8_t)("abcdefghijklmnopqrstuvwxyz0123456789"[(i * i / 7 + i) % 36]);
    }
    if (values != NULL) {
        file_read(values, &file);
    }
    struct batch_options options = batch_options_default();
    options.codec = (enum codec)codec;
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    int64_t now_ms = bench_wall_ms();
    struct bytes value = bytes_of(made, record_bytes);
    do {
        value_vary(made, record_bytes, &chance);
        value = values == NULL ? value : value_next(&file, &file_at);
        batch_builder_append(&builder, now_ms, (struct bytes){NULL, 0}, value, NULL, 0);
    } while (builder.records.len + value.len + BATCH_HEADER_SIZE <= batch_bytes);
    *ret_records = builder.record_count;
    struct error e = {0};
    if (batch_builder_finish(&builder, out, &e) != ERR_OK) {
        bench_die(0, "batch: %s", e.text);
    }
    batch_builder_fini(&builder);
    buf_fini(&file);
    mem_free(made);
}

static size_t find_mark(const uint8_t *data, size_t len, const uint8_t *mark, size_t mark_len)
{
    const uint8_t *at = memmem(data, len, mark, mark_len);
    if (at == NULL) {
        bench_die(0, "a field that has to be patched is not in the request");
    }
    return (size_t)(at - data);
}

static void template_fill(struct template *t, const struct buf *request, size_t cut)
{
    t->head_len = cut;
    t->tail_len = request->len - cut;
    if (t->head_len > sizeof t->head || t->tail_len > sizeof t->tail) {
        bench_die(0, "a request is larger than its template");
    }
    memcpy(t->head, request->ptr, t->head_len);
    memcpy(t->tail, request->ptr + cut, t->tail_len);
    uint8_t mark[4];
    store_be32(mark, PARTITION_MARK);
    t->partition_at = find_mark(t->head, t->head_len, mark, sizeof mark);
    store_be32(t->head + t->partition_at, 0);
}

void produce_template(struct template *ret, struct uuid topic_id, struct bytes batch)
{
    struct produce_request_partition partition;
    struct produce_request_topic topic;
    struct produce_request request;
    wire_init(&produce_request_partition_type, &partition);
    wire_init(&produce_request_topic_type, &topic);
    wire_init(&produce_request_type, &request);
    partition.index = PARTITION_MARK;
    partition.records = (struct wire_records){.external_size = (uint32_t)batch.len, .external = ret};
    topic.topic_id = topic_id;
    topic.partitions = &partition;
    topic.partitions_count = 1;
    request.acks = -1;
    request.timeout_ms = PRODUCE_TIMEOUT_MS;
    request.topics = &topic;
    request.topics_count = 1;
    struct buf out;
    struct wire_cuts cuts = {0};
    buf_init(&out, CALL_MESSAGE_MAX);
    call_encode(&out, API_PRODUCE, PRODUCE_VERSION, &request, &cuts);
    *ret = (struct template){.body = bytes_slice(batch, BATCH_HEADER_SIZE, batch.len - BATCH_HEADER_SIZE)};
    template_fill(ret, &out, cuts.items[0].position);
    ret->batch_at = ret->head_len;
    if (ret->head_len + BATCH_HEADER_SIZE > sizeof ret->head) {
        bench_die(0, "a request is larger than its template");
    }
    memcpy(ret->head + ret->head_len, batch.ptr, BATCH_HEADER_SIZE);
    ret->head_len += BATCH_HEADER_SIZE;
    wire_cuts_fini(&cuts);
    buf_fini(&out);
}

void template_sequence(struct template *t, struct producer *producer, int32_t records)
{
    uint8_t *header = t->head + t->batch_at;
    store_be64(header + 43, (uint64_t)producer->id);
    store_be16(header + 51, (uint16_t)producer->epoch);
    store_be32(header + 53, (uint32_t)producer->sequence);
    uint32_t crc = crc32c(0, header + 21, BATCH_HEADER_SIZE - 21);
    store_be32(header + 17, crc32c(crc, t->body.ptr, t->body.len));
    producer->sequence = (int32_t)(((int64_t)producer->sequence + records) & INT32_MAX);
}

struct fetch_parts {
    struct fetch_request_partition partition;
    struct fetch_request_topic topic;
    struct fetch_request request;
};

static void fetch_fill(struct fetch_parts *f, struct uuid topic_id, int32_t fetch_bytes, int32_t max_wait_ms)
{
    wire_init(&fetch_request_partition_type, &f->partition);
    wire_init(&fetch_request_topic_type, &f->topic);
    wire_init(&fetch_request_type, &f->request);
    f->partition.partition_max_bytes = fetch_bytes;
    f->topic.topic_id = topic_id;
    f->topic.partitions = &f->partition;
    f->topic.partitions_count = 1;
    f->request.max_wait_ms = max_wait_ms;
    f->request.min_bytes = 1;
    f->request.max_bytes = fetch_bytes;
    f->request.topics = &f->topic;
    f->request.topics_count = 1;
}

void fetch_template(struct template *ret, struct uuid topic_id, int32_t fetch_bytes, int32_t max_wait_ms)
{
    struct fetch_parts f;
    fetch_fill(&f, topic_id, fetch_bytes, max_wait_ms);
    f.partition.partition = PARTITION_MARK;
    f.partition.fetch_offset = offset_mark;
    struct buf out;
    buf_init(&out, CALL_MESSAGE_MAX);
    call_encode(&out, API_FETCH, FETCH_VERSION, &f.request, NULL);
    *ret = (struct template){0};
    template_fill(ret, &out, out.len);
    uint8_t mark[8];
    store_be64(mark, (uint64_t)offset_mark);
    ret->offset_at = find_mark(ret->head, ret->head_len, mark, sizeof mark);
    buf_fini(&out);
}

// Both readers know that the request named one partition. Arrays are compact: count + 1.
static bool is_one(struct reader *r)
{
    return reader_uvarint(r) == 2;
}

bool produce_answer_read(const uint8_t *data, size_t len, struct answer *ret)
{
    struct reader r = reader_init(bytes_of(data, len));
    reader_take(&r, 4); // length
    ret->correlation_id = reader_i32(&r);
    reader_take(&r, 1); // tags of the header
    bool is_shaped = is_one(&r);
    reader_take(&r, 16);
    is_shaped = is_one(&r) && is_shaped;
    reader_i32(&r); // partition
    ret->error = reader_i16(&r);
    ret->base_offset = reader_i64(&r);
    return is_shaped && !r.failed;
}

bool fetch_answer_read(const uint8_t *data, size_t len, struct answer *ret)
{
    struct reader r = reader_init(bytes_of(data, len));
    reader_take(&r, 4); // length
    ret->correlation_id = reader_i32(&r);
    reader_take(&r, 1 + 4); // tags of the header, throttle time
    ret->error = reader_i16(&r);
    if (ret->error != 0) {
        return !r.failed; // an answer to the whole request: no partitions follow
    }
    reader_i32(&r); // session
    bool is_shaped = is_one(&r);
    reader_take(&r, 16);
    is_shaped = is_one(&r) && is_shaped;
    reader_i32(&r); // partition
    ret->error = reader_i16(&r);
    ret->high_watermark = reader_i64(&r);
    reader_take(&r, 8 + 8);                           // last stable offset, log start offset
    is_shaped = reader_uvarint(&r) <= 1 && is_shaped; // no aborted transactions
    reader_i32(&r);                                   // preferred replica
    uint32_t coded = reader_uvarint(&r);
    ret->records_bytes = coded == 0 ? 0 : (int64_t)coded - 1;
    ret->base_offset = ret->records_bytes >= 8 ? reader_i64(&r) : -1;
    return is_shaped && !r.failed;
}

// ---- before the measurement

// Kafka's metadata may name a leader that does not know of it yet.
enum { LEADER_TRIES_MAX = 3000, LEADER_PAUSE_US = 10000 };

static bool is_passing(enum err err)
{
    return err == ERR_NOT_LEADER || err == ERR_UNKNOWN_TOPIC_ID || err == ERR_UNKNOWN_PARTITION;
}

int64_t partition_end(int fd, struct uuid topic_id, int32_t partition)
{
    struct buf in;
    struct arena arena;
    buf_init(&in, CALL_MESSAGE_MAX);
    arena_init(&arena, CALL_MESSAGE_MAX);
    struct fetch_parts f;
    fetch_fill(&f, topic_id, 1, 0);
    f.partition.partition = partition;
    struct fetch_response answer;
    for (int tries = 0;; tries++) {
        arena_reset(&arena);
        call(fd, API_FETCH, FETCH_VERSION, &f.request, &answer, &in, &arena);
        bool is_shaped = answer.topics_count == 1 && answer.topics[0].partitions_count == 1;
        enum err err = is_shaped ? answer.topics[0].partitions[0].error : answer.error;
        if (is_shaped && err == ERR_OK) {
            break;
        }
        if (!is_passing(err) || tries == LEADER_TRIES_MAX) {
            bench_die(0, "partition %d cannot be fetched: %s", (int)partition, err_text(err));
        }
        usleep(LEADER_PAUSE_US);
    }
    int64_t end = answer.topics[0].partitions[0].high_watermark;
    arena_fini(&arena);
    buf_fini(&in);
    return end;
}
