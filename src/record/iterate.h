// SPDX-License-Identifier: Apache-2.0
// iterate.h - the records of one batch, in order, whatever its codec; and searches over them.
#ifndef RECORD_ITERATE_H
#define RECORD_ITERATE_H

#include "record/batch.h"

// A NULL ptr is null; length 0 with a pointer is empty.
struct record_header {
    struct str key;
    struct bytes value;
};

struct record {
    int64_t offset;
    int64_t timestamp; // ms
    struct bytes key;
    struct bytes value;
    struct bytes headers_raw; // as coded, without the count; well-formed: the iterator walked it
    int32_t header_count;
};

// struct record_source yields a batch's record bytes, in place or through a decompressing window. Private.
struct record_source {
    const uint8_t *pos;
    const uint8_t *end;
    const uint8_t *start; // where `passed` counts from
    uint64_t passed;      // record bytes before `start`
    bool is_streamed;
    bool is_ended; // streamed: the stream has no more
    struct codec_stream stream;
    struct error error; // sticky; code ERR_OK while all is well
};

// struct record_iterator borrows the batch, and the context if the batch is compressed, until fini.
struct record_iterator {
    struct batch_header header;
    struct record_source source; // private, as all that follows
    int32_t index;
    int32_t last_delta;
};

// record_iterator_init reads the header and expects the whole batch, exactly; it does not verify the
// checksum. ctx is used for compressed batches only. limits NULL = default. On failure fini is not needed.
enum err record_iterator_init(struct record_iterator *it, struct codec_context *ctx, struct bytes batch,
                              const struct codec_limits *limits, struct error *e);
// record_iterator_init_plain walks records that were decompressed before: those of a batch with this header.
// It may be copied and left without fini.
void record_iterator_init_plain(struct record_iterator *it, const struct batch_header *header,
                                struct bytes records);
// record_iterator_next fills *ret and answers true; false after the last record or at an error, which fini
// tells. Views in *ret live until the next call. Offsets ascend but, after compaction, need not be dense.
bool record_iterator_next(struct record_iterator *it, struct record *ret);
// record_iterator_fini releases the context and returns what stopped the iterator: ERR_OK,
// ERR_INVALID_RECORD, ERR_CORRUPT or ERR_BATCH_TOO_LARGE. Leaving early is no error.
enum err record_iterator_fini(struct record_iterator *it, struct error *e);

// record_headers_init starts a walk over r's headers; record_headers_next answers false after the last.
struct record_headers {
    struct reader reader;
    int32_t left;
};
struct record_headers record_headers_init(const struct record *r);
bool record_headers_next(struct record_headers *headers, struct record_header *ret);

// batch_find_timestamp finds the first record whose timestamp is at least target_ms; *ret_offset and
// *ret_timestamp are -1 if there is none. Errors as the iterator's.
enum err batch_find_timestamp(struct codec_context *ctx, struct bytes batch, int64_t target_ms,
                              int64_t *ret_offset, int64_t *ret_timestamp, struct error *e);
// batch_find_max_timestamp finds the first record that has the batch's largest timestamp (-1, -1 without
// records).
enum err batch_find_max_timestamp(struct codec_context *ctx, struct bytes batch, int64_t *ret_offset,
                                  int64_t *ret_timestamp, struct error *e);

#endif
