// SPDX-License-Identifier: Apache-2.0
#include "cli/avro_container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

static const char sync[] = "0123456789abcdef";

static void text_put(struct buf *out, const char *text)
{
    buf_varlong(out, (int64_t)strlen(text));
    buf_append(out, text, strlen(text));
}

static void header_put(struct buf *out, const char *codec)
{
    buf_append(out, "Obj\1", 4);
    buf_varlong(out, -2); // two entries, and the block's size
    buf_varlong(out, 100);
    text_put(out, "avro.schema");
    text_put(out, "\"long\"");
    text_put(out, "avro.codec");
    text_put(out, codec);
    buf_varlong(out, 0);
    buf_append(out, sync, CONTAINER_SYNC_SIZE);
}

static void block_put(struct buf *out, int64_t count, const char *data, size_t len)
{
    buf_varlong(out, count);
    buf_varlong(out, (int64_t)len);
    buf_append(out, data, len);
    buf_append(out, sync, CONTAINER_SYNC_SIZE);
}

// read_all: records over all blocks, or -1 for an error; the file is exactly as long as it is said to be.
static int64_t read_all(const struct buf *file, size_t len, enum err *ret_err)
{
    struct avro_container container;
    struct error e = {0};
    struct buf block;
    uint8_t *copy = mem_alloc(len + (len == 0));
    memcpy(copy, file->ptr, len);
    buf_init(&block, CONTAINER_BLOCK_BYTES_MAX);
    enum err err = avro_container_open(bytes_of(copy, len), &container, &e);
    uint64_t total = 0;
    while (err == ERR_OK) {
        uint64_t count = 0;
        err = avro_container_next(&container, &block, &count, &e);
        total += count;
    }
    assert_true(err == ERR_CLOSED || e.text[0] != '\0');
    avro_container_fini(&container);
    buf_fini(&block);
    mem_free(copy);
    *ret_err = err;
    return err == ERR_CLOSED ? (int64_t)total : -1;
}

static void blocks_are_read(void **state)
{
    (void)state;
    // 1, 2, 3 as longs; raw DEFLATE of them in a stored block; snappy: a literal of three bytes and CRC-32.
    static const char plain[] = "\2\4\6";
    static const char deflated[] = "\1\3\0\xfc\xff\2\4\6";
    char snappy[9] = "\3\x08\2\4\6";
    store_be32((uint8_t *)snappy + 5, codec_crc32(bytes_of(plain, 3)));
    const struct {
        const char *codec;
        const char *data;
        size_t len;
    } rows[] = {{"null", plain, 3}, {"deflate", deflated, 8}, {"snappy", snappy, 9}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf file;
        enum err err;
        buf_init(&file, 1 << 16);
        header_put(&file, rows[i].codec);
        size_t header = file.len;
        assert_int_equal(read_all(&file, file.len, &err), 0);
        block_put(&file, 3, rows[i].data, rows[i].len);
        size_t one = file.len;
        block_put(&file, 3, rows[i].data, rows[i].len);
        int64_t got = read_all(&file, file.len, &err);
        assert_int_equal(got, 6);
        for (size_t len = 0; len < file.len; len++) { // cut anywhere, it ends with a block or says so
            got = read_all(&file, len, &err);
            assert_true((got >= 0) == (len == header || len == one));
        }
        snappy[8] ^= 1;
        buf_fini(&file);
    }
}

static void damage_is_said(void **state)
{
    (void)state;
    struct buf file;
    enum err err;
    buf_init(&file, 1 << 16);
    header_put(&file, "bzip2");
    assert_int_equal(read_all(&file, file.len, &err), -1);
    assert_int_equal(err, ERR_UNSUPPORTED_COMPRESSION);
    file.len = 0;
    header_put(&file, "null");
    block_put(&file, -1, "", 0);
    assert_int_equal(read_all(&file, file.len, &err), -1);
    file.len = 0;
    header_put(&file, "null");
    block_put(&file, 1, "\2", 1);
    file.ptr[file.len - 1] ^= 1;
    assert_int_equal(read_all(&file, file.len, &err), -1);
    file.len = 0;
    header_put(&file, "deflate");
    block_put(&file, 1, "\x07garbage", 8);
    assert_int_equal(read_all(&file, file.len, &err), -1);
    assert_int_equal(err, ERR_CORRUPT);
    file.len = 0;
    buf_append(&file, "Obj\1", 4);
    buf_varlong(&file, INT64_MIN);
    buf_varlong(&file, 0);
    assert_int_equal(read_all(&file, file.len, &err), -1);
    file.len = 0;
    buf_append(&file, "Obj\1", 4);
    buf_varlong(&file, 0);
    buf_append(&file, sync, CONTAINER_SYNC_SIZE);
    assert_int_equal(read_all(&file, file.len, &err), -1); // no schema
    buf_fini(&file);
}

static void raw_deflate_is_bounded(void **state)
{
    (void)state;
    static const struct codec_limits tight = {.bytes_max = 100, .ratio_max = 1, .bytes_free = 10};
    static const char deflated[] = "\1\3\0\xfc\xff\2\4\6";
    struct buf out;
    struct error e = {0};
    buf_init(&out, 4 << 20);
    assert_int_equal(codec_inflate(bytes_of(deflated, 8), NULL, &out, &e), ERR_OK);
    assert_int_equal(out.len, 3);
    assert_int_equal(codec_inflate(bytes_of(deflated, 7), NULL, &out, &e), ERR_CORRUPT);
    out.len = 0;
    assert_int_equal(codec_inflate(bytes_of("\1\3\0\xfc\xff\2\4\6x", 9), NULL, &out, &e), ERR_OK);
    assert_int_equal(out.len, 3);
    assert_int_equal(codec_inflate(bytes_of("", 0), NULL, &out, &e), ERR_CORRUPT);
    struct buf zipped;
    static const uint8_t zeros[1 << 20];
    enum { GZIP_HEAD = 10, GZIP_TAIL = 8 };
    buf_init(&zipped, 4 << 20);
    assert_int_equal(codec_compress(CODEC_GZIP, bytes_of(zeros, sizeof zeros), &zipped, &e), ERR_OK);
    struct bytes raw = bytes_of(zipped.ptr + GZIP_HEAD, zipped.len - GZIP_HEAD - GZIP_TAIL);
    out.len = 0;
    assert_int_equal(codec_inflate(raw, NULL, &out, &e), ERR_OK);
    assert_int_equal(out.len, sizeof zeros);
    out.len = 0;
    assert_int_equal(codec_inflate(raw, &tight, &out, &e), ERR_BATCH_TOO_LARGE);
    buf_fini(&zipped);
    assert_int_equal(codec_crc32(bytes_of("123456789", 9)), 0xcbf43926); // RFC 1952's check value
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_read),
        cmocka_unit_test(damage_is_said),
        cmocka_unit_test(raw_deflate_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
