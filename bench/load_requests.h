// SPDX-License-Identifier: Apache-2.0
// load_requests.h - the Kafka requests that the load generator sends, encoded once and patched ever after,
// and the few fields that it reads from the answers.
#ifndef BENCH_LOAD_REQUESTS_H
#define BENCH_LOAD_REQUESTS_H

#include "calls.h"

// One encoded request. The parts between head and tail (a batch, or nothing) are shared by all connections.
struct template
{
    uint8_t head[256];
    size_t head_len;
    struct bytes body;
    uint8_t tail[16];
    size_t tail_len;
    size_t partition_at; // in head; int32
    size_t offset_at;    // in head; int64; 0 = there is none (produce)
    size_t batch_at;     // in head, which ends with the header of the batch (produce)
};
enum { CORRELATION_AT = 8 };

// batch_make appends one batch of about batch_bytes (before its codec, an enum codec) to out and says how
// many records it holds. Their values are made up, of record_bytes each, or those of the file `values` in
// turns. Timestamps are now.
void batch_make(struct buf *out, size_t batch_bytes, size_t record_bytes, int codec, const char *values,
                int32_t *ret_records);

// Produce v13 with acks=all, no producer id, one batch for one partition.
void produce_template(struct template *ret, struct uuid topic_id, struct bytes batch);
// template_sequence makes the batch the producer's next one, and sums it again.
void template_sequence(struct template *t, struct producer *producer, int32_t records);
// Fetch v16 without a session, for one partition.
void fetch_template(struct template *ret, struct uuid topic_id, int32_t fetch_bytes, int32_t max_wait_ms);

// What an answer says; `len` is what was kept of it: enough for all that is read here. False: malformed.
enum { ANSWER_HEAD_SIZE = 128 };
struct answer {
    int32_t correlation_id;
    int error;
    int64_t high_watermark; // fetch
    int64_t records_bytes;  // fetch
    int64_t base_offset;    // produce: of the batch; fetch: of the first batch, -1 without one
};
bool produce_answer_read(const uint8_t *data, size_t len, struct answer *ret);
bool fetch_answer_read(const uint8_t *data, size_t len, struct answer *ret);

// partition_end asks for the high watermark, blocking, until the partition has its leader.
int64_t partition_end(int fd, struct uuid topic_id, int32_t partition);

#endif
