// SPDX-License-Identifier: Apache-2.0
#include "cli/avro_container.h"

enum { MAGIC_SIZE = 4, SNAPPY_SUM_SIZE = 4 };

static const uint8_t magic[MAGIC_SIZE] = {'O', 'b', 'j', 1};

bool avro_is_container(struct bytes file)
{
    return file.len >= MAGIC_SIZE && memcmp(file.ptr, magic, MAGIC_SIZE) == 0;
}

static struct bytes bytes_read(struct reader *r)
{
    int64_t len = reader_varlong(r);
    if (r->failed || len < 0 || (uint64_t)len > reader_left(r)) {
        r->failed = true;
        return (struct bytes){0};
    }
    return bytes_of(reader_take(r, (size_t)len), (size_t)len);
}

static bool codec_find(struct str name, enum container_codec *ret)
{
    static const char *const names[] = {"null", "deflate", "snappy", "zstandard"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_equal(name, str_from_c(names[i]))) {
            *ret = (enum container_codec)i;
            return true;
        }
    }
    return name.len == 0; // none given: null
}

// metadata_read walks the header's map: blocks of entries until one of none.
static void metadata_read(struct reader *r, struct str *ret_schema, struct str *ret_codec)
{
    int64_t count;
    while ((count = reader_varlong(r)) != 0 && !r->failed) {
        if (count < 0) { // and then the block's size in bytes
            (void)reader_varlong(r);
            count = count == INT64_MIN ? INT64_MAX : -count;
        }
        for (; count > 0 && !r->failed; count--) {
            struct bytes key = bytes_read(r);
            struct bytes value = bytes_read(r);
            struct str name = {(const char *)key.ptr, key.len};
            struct str text = {(const char *)value.ptr, value.len};
            if (str_equal(name, STR("avro.schema"))) {
                *ret_schema = text;
            } else if (str_equal(name, STR("avro.codec"))) {
                *ret_codec = text;
            }
        }
    }
}

enum err avro_container_open(struct bytes file, struct avro_container *ret, struct error *e)
{
    struct reader r = reader_init(file);
    struct str codec = {"", 0};
    *ret = (struct avro_container){.schema = {NULL, 0}};
    if (!avro_is_container(file)) {
        return FAIL(e, ERR_CORRUPT, "no Avro container file: it does not begin with \"Obj\", 1");
    }
    (void)reader_take(&r, MAGIC_SIZE);
    metadata_read(&r, &ret->schema, &codec);
    const uint8_t *sync = reader_take(&r, CONTAINER_SYNC_SIZE);
    if (r.failed) {
        return FAIL(e, ERR_CORRUPT, "the header of the Avro container file is damaged or cut");
    }
    if (ret->schema.ptr == NULL) {
        return FAIL(e, ERR_CORRUPT, "the Avro container file has no schema (avro.schema)");
    }
    if (!codec_find(codec, &ret->codec)) {
        return FAIL(e, ERR_UNSUPPORTED_COMPRESSION,
                    "the blocks of the Avro container file are compressed with " STR_FMT
                    "; null, deflate, snappy and zstandard can be read",
                    STR_ARG(codec));
    }
    ret->sync = bytes_of(sync, CONTAINER_SYNC_SIZE);
    ret->rest = bytes_of(r.pos, reader_left(&r));
    return ERR_OK;
}

static enum err snappy_read(struct avro_container *c, struct bytes data, struct buf *out, struct error *e)
{
    if (data.len < SNAPPY_SUM_SIZE) {
        return FAIL(e, ERR_CORRUPT, "a snappy block without its checksum");
    }
    struct bytes body = bytes_of(data.ptr, data.len - SNAPPY_SUM_SIZE);
    enum err err = codec_decompress(&c->context, CODEC_SNAPPY, body, NULL, out, e);
    uint32_t want = load_be32(data.ptr + body.len);
    if (err == ERR_OK && codec_crc32(bytes_of(out->ptr, out->len)) != want) {
        err = FAIL(e, ERR_CORRUPT, "the checksum of a snappy block does not match");
    }
    return err;
}

static enum err block_read(struct avro_container *c, struct bytes data, struct buf *out, struct error *e)
{
    switch (c->codec) {
    case CONTAINER_DEFLATE:
        return codec_inflate(data, NULL, out, e);
    case CONTAINER_SNAPPY:
        return snappy_read(c, data, out, e);
    case CONTAINER_ZSTANDARD:
        return codec_decompress(&c->context, CODEC_ZSTD, data, NULL, out, e);
    default:
        buf_append(out, data.ptr, data.len);
        return out->failed
                   ? FAIL(e, ERR_BATCH_TOO_LARGE, "a block is over %d bytes", CONTAINER_BLOCK_BYTES_MAX)
                   : ERR_OK;
    }
}

enum err avro_container_next(struct avro_container *c, struct buf *out, uint64_t *ret_count, struct error *e)
{
    struct reader r = reader_init(c->rest);
    out->len = 0;
    if (c->rest.len == 0) {
        return ERR_CLOSED;
    }
    int64_t count = reader_varlong(&r);
    struct bytes data = bytes_read(&r);
    const uint8_t *sync = reader_take(&r, CONTAINER_SYNC_SIZE);
    if (r.failed || count < 0 || memcmp(sync, c->sync.ptr, CONTAINER_SYNC_SIZE) != 0) {
        c->rest.len = 0;
        return FAIL(e, ERR_CORRUPT, "a block of the Avro container file is damaged or cut");
    }
    c->rest = bytes_of(r.pos, reader_left(&r));
    *ret_count = (uint64_t)count;
    return block_read(c, data, out, e);
}

void avro_container_fini(struct avro_container *c)
{
    codec_context_fini(&c->context);
}
