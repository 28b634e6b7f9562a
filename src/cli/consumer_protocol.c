// SPDX-License-Identifier: Apache-2.0
#include "cli/consumer_protocol.h"

enum { TOPIC_BYTES_MIN = 2, TOPIC_PARTITIONS_BYTES_MIN = 6, PARTITION_BYTES = 4 };

// read_count reads the length of an array whose elements take at least `element_bytes`.
static size_t read_count(struct reader *r, size_t element_bytes)
{
    int32_t count = reader_i32(r);
    if (count < 0 || (size_t)count > reader_left(r) / element_bytes) {
        r->failed = true;
        return 0;
    }
    return (size_t)count;
}

static struct str read_str(struct reader *r)
{
    int16_t len = reader_i16(r);
    const uint8_t *at = reader_take(r, len < 0 ? 0 : (size_t)len);
    return len < 0 ? (struct str){NULL, 0} : (struct str){(const char *)at, at == NULL ? 0 : (size_t)len};
}

static struct bytes read_bytes(struct reader *r)
{
    int32_t len = reader_i32(r);
    const uint8_t *at = reader_take(r, len < 0 ? 0 : (size_t)len);
    return len < 0 ? (struct bytes){NULL, 0} : bytes_of(at, at == NULL ? 0 : (size_t)len);
}

// read_topics reads an array of topics with partitions. false past the arena's cap.
static bool read_topics(struct reader *r, struct arena *arena, struct topic_partitions **ret_topics,
                        size_t *ret_count)
{
    *ret_count = read_count(r, TOPIC_PARTITIONS_BYTES_MIN);
    *ret_topics = arena_new(arena, struct topic_partitions, *ret_count + 1);
    for (size_t i = 0; *ret_topics != NULL && i < *ret_count; i++) {
        struct topic_partitions *topic = &(*ret_topics)[i];
        topic->topic = read_str(r);
        topic->count = read_count(r, PARTITION_BYTES);
        topic->partitions = arena_new(arena, int32_t, topic->count + 1);
        if (topic->partitions == NULL) {
            return false;
        }
        for (size_t p = 0; p < topic->count; p++) {
            topic->partitions[p] = reader_i32(r);
        }
    }
    return *ret_topics != NULL;
}

enum err subscription_decode(struct bytes data, struct arena *arena, struct subscription *ret,
                             struct error *e)
{
    struct reader r = reader_init(data);
    struct subscription s = {.generation = -1};
    if (data.len == 0) {
        *ret = s;
        return ERR_OK;
    }
    s.version = reader_i16(&r);
    if (s.version < 0) {
        return FAIL(e, ERR_MALFORMED, "a subscription of version %d", s.version);
    }
    s.topic_count = read_count(&r, TOPIC_BYTES_MIN);
    s.topics = arena_new(arena, struct str, s.topic_count + 1);
    if (s.topics == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "a subscription to %zu topics", s.topic_count);
    }
    for (size_t i = 0; i < s.topic_count; i++) {
        s.topics[i] = read_str(&r);
    }
    s.user_data = read_bytes(&r);
    if (s.version >= 1 && !read_topics(&r, arena, &s.owned, &s.owned_count)) {
        return FAIL(e, ERR_NO_MEMORY, "a subscription of %zu bytes", data.len);
    }
    s.generation = s.version >= 2 ? reader_i32(&r) : -1;
    s.rack = s.version >= 3 ? read_str(&r) : (struct str){NULL, 0};
    if (r.failed) {
        return FAIL(e, ERR_MALFORMED, "a subscription of %zu bytes that does not parse", data.len);
    }
    *ret = s;
    return ERR_OK;
}

enum err assignment_decode(struct bytes data, struct arena *arena, struct assignment *ret, struct error *e)
{
    struct reader r = reader_init(data);
    struct assignment a = {0};
    if (data.len == 0) {
        *ret = a;
        return ERR_OK;
    }
    a.version = reader_i16(&r);
    if (a.version < 0) {
        return FAIL(e, ERR_MALFORMED, "an assignment of version %d", a.version);
    }
    if (!read_topics(&r, arena, &a.topics, &a.topic_count)) {
        return FAIL(e, ERR_NO_MEMORY, "an assignment of %zu bytes", data.len);
    }
    a.user_data = read_bytes(&r);
    if (r.failed) {
        return FAIL(e, ERR_MALFORMED, "an assignment of %zu bytes that does not parse", data.len);
    }
    *ret = a;
    return ERR_OK;
}

static void write_str(struct str text, struct buf *out)
{
    buf_be16(out, (uint16_t)text.len);
    buf_append_str(out, text);
}

static void write_topics(const struct topic_partitions *topics, size_t count, struct buf *out)
{
    buf_be32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        write_str(topics[i].topic, out);
        buf_be32(out, (uint32_t)topics[i].count);
        for (size_t p = 0; p < topics[i].count; p++) {
            buf_be32(out, (uint32_t)topics[i].partitions[p]);
        }
    }
}

void subscription_encode(const struct str *topics, size_t count, struct buf *out)
{
    buf_be16(out, 1);
    buf_be32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        write_str(topics[i], out);
    }
    buf_be32(out, 0); // user data: empty
    write_topics(NULL, 0, out);
}

void assignment_encode(const struct topic_partitions *topics, size_t count, struct buf *out)
{
    buf_be16(out, 0);
    write_topics(topics, count, out);
    buf_be32(out, 0);
}
