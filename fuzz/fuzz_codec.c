// SPDX-License-Identifier: Apache-2.0
// fuzz_codec.c - byte 0 chooses codec, reading step and direction. Decompressing the rest must end within its
// limit, in the same way whatever the reading step; compressing the rest and reading it back must give the
// rest.
#include "base/assert.h"
#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct codec_limits limits = {.bytes_max = 1 << 20, .ratio_max = 1000, .bytes_free = 64 << 10};

static enum err read_in_steps(struct codec_context *ctx, enum codec codec, struct bytes in, size_t step,
                              struct buf *out)
{
    struct codec_stream stream;
    enum err err = codec_stream_init(&stream, ctx, codec, in, &limits, NULL);
    if (err != ERR_OK) {
        return err;
    }
    size_t bound = codec == CODEC_NONE ? in.len : codec_limit(&limits, in.len);
    for (;;) {
        uint8_t piece[4096];
        size_t len = 0;
        err = codec_stream_read(&stream, piece, step, &len, NULL);
        if (err != ERR_OK || len == 0) {
            break;
        }
        ASSERT(len <= step);
        buf_append(out, piece, len);
        ASSERT(out->len <= bound);
    }
    codec_stream_fini(&stream);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct codec_context ctx; // reused from input to input, as a thread of the server does
    static const size_t steps[] = {4096, 1, 7, 333};
    if (size == 0) {
        return 0;
    }
    enum codec codec = (enum codec)(data[0] % 8);
    size_t step = steps[data[0] >> 3 & 3];
    struct bytes in = bytes_of(data + 1, size - 1);
    struct buf first, second;
    buf_init(&first, 8 << 20);
    buf_init(&second, 8 << 20);
    if ((data[0] & 0x80) != 0 && codec < CODEC_COUNT) {
        enum err err = codec_compress(codec, in, &first, NULL);
        ASSERT(err == ERR_OK);
        err = read_in_steps(&ctx, codec, buf_bytes(&first), step, &second);
        ASSERT(err == ERR_OK || err == ERR_BATCH_TOO_LARGE);
        ASSERT(err != ERR_OK || bytes_equal(in, buf_bytes(&second)));
    } else {
        enum err err = read_in_steps(&ctx, codec, in, step, &first);
        enum err again = codec_decompress(&ctx, codec, in, &limits, &second, NULL);
        ASSERT(err == again);
        ASSERT(err != ERR_OK || bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    }
    buf_fini(&first);
    buf_fini(&second);
    return 0;
}
