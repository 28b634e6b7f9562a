// SPDX-License-Identifier: Apache-2.0
// codec.h - the compressions that a record batch may carry, behind one face. The libraries do the work; this
// module bounds it: sizes that a header declares are never trusted, and output stops at a limit tied to the
// input. Owner: the caller's thread; no globals. A zeroed struct codec_context is a valid empty one.
#ifndef CODEC_CODEC_H
#define CODEC_CODEC_H

#include "base/buf.h"
#include "base/error.h"

// The values are the codec bits (0-2) of a batch's attributes.
enum codec { CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD };
#define CODEC_COUNT 5

// codec_name answers Kafka's own word: "none", "gzip", "snappy", "lz4", "zstd".
const char *codec_name(enum codec codec);
// codec_parse reads those words and "uncompressed"; false for any other.
bool codec_parse(struct str name, enum codec *ret);

// What one decompression may produce: at most bytes_max, and at most ratio_max times the input, but always up
// to bytes_free, since a few identical records legitimately shrink more than a thousandfold under zstd.
struct codec_limits {
    size_t bytes_max;
    size_t ratio_max;
    size_t bytes_free;
};
extern const struct codec_limits codec_limits_default; // 64 MiB, 1000, 4 MiB
// codec_limit is the bound for an input of this size. limits NULL = default, here and below.
size_t codec_limit(const struct codec_limits *limits, size_t input_size);

// struct codec_context keeps library contexts and scratch memory between batches. One stream at a time uses
// it, from codec_stream_init to codec_stream_fini. A context that grew large is cut back when the stream
// ends.
struct codec_context {
    void *gzip;
    void *lz4;
    void *zstd;
    struct buf block;  // one snappy block
    struct buf window; // free for whoever reads the stream
    bool is_busy;
};
void codec_context_fini(struct codec_context *ctx);

// codec_compress appends the compressed form of `in`: gzip one member, snappy in xerial framing (as Java and
// librdkafka write it), lz4 one frame of independent blocks, zstd one frame, none a copy.
// ERR_BATCH_TOO_LARGE when it does not fit under out's limit; ERR_UNSUPPORTED_COMPRESSION for an unknown
// codec.
enum err codec_compress(enum codec codec, struct bytes in, struct buf *out, struct error *e);

// The same in steps, for whoever may not take the time that a large input costs at once. What comes out
// decompresses to the same, and need not be the same bytes.
enum { CODEC_LEVEL_DEFAULT = INT32_MIN };
struct codec_packing {
    enum codec codec; // private, as all that follows
    int level;
    struct bytes in; // what was not taken yet
    struct buf *out;
    void *state; // the library's
};
// codec_packing_begin compresses harder or faster: gzip 1 to 9, lz4 1 to 17, zstd -131072 to 22; the others
// have no levels. `in` and `out` are borrowed until end, which must follow, also after errors.
enum err codec_packing_begin(struct codec_packing *p, enum codec codec, int level, struct bytes in,
                             struct buf *out, struct error *e);
// codec_packing_step takes about so many bytes more: lz4 and snappy whole blocks of 64 KiB; zstd may hold
// them back until it has 128 KiB.
enum err codec_packing_step(struct codec_packing *p, size_t bytes, bool *ret_is_done, struct error *e);
void codec_packing_end(struct codec_packing *p);

// struct codec_stream decompresses `in`, which it borrows until fini. Fields are private.
struct codec_stream {
    struct codec_context *ctx;
    enum codec codec;
    struct bytes in; // what the library has not taken yet
    size_t produced;
    size_t limit;
    size_t block_position; // snappy: read so far from ctx->block
    bool is_xerial;
    bool is_between_frames; // zstd: a frame has ended and no byte of the next has been read
    bool is_ended;
    enum err err; // sticky
};

// codec_stream_init fails with ERR_UNSUPPORTED_COMPRESSION for an unknown codec; fini is then not needed.
enum err codec_stream_init(struct codec_stream *stream, struct codec_context *ctx, enum codec codec,
                           struct bytes in, const struct codec_limits *limits, struct error *e);
// codec_stream_read fills out with up to cap (> 0) bytes. *ret_len 0 is the end: the input was consumed in
// full and its checksums held. ERR_CORRUPT for damaged, truncated or trailing bytes, ERR_BATCH_TOO_LARGE past
// the limit; errors stay. Fewer than cap bytes do not yet mean the end.
enum err codec_stream_read(struct codec_stream *stream, uint8_t *out, size_t cap, size_t *ret_len,
                           struct error *e);
void codec_stream_fini(struct codec_stream *stream);

// codec_decompress appends all of the decompressed input to out. Errors as codec_stream_read; also
// ERR_BATCH_TOO_LARGE when out's own limit is hit.
enum err codec_decompress(struct codec_context *ctx, enum codec codec, struct bytes in,
                          const struct codec_limits *limits, struct buf *out, struct error *e);

// codec_inflate appends what raw DEFLATE (RFC 1951, without zlib's or gzip's frame) decompresses to, as files
// of others have it. Bytes after its end are ignored: Avro for Python leaves some of zlib's checksum. Errors
// as codec_decompress.
enum err codec_inflate(struct bytes in, const struct codec_limits *limits, struct buf *out, struct error *e);
// codec_crc32 is the checksum of gzip and zlib (RFC 1952), which others put behind blocks.
uint32_t codec_crc32(struct bytes data);

#endif
