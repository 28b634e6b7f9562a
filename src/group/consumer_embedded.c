// SPDX-License-Identifier: Apache-2.0
// consumer_embedded.c - what members of the classic protocol say and are told in bytes: the subscriptions and
// assignments of KIP-54. Version 0 is int16 version, the topics, the assignor's data; later ones add to the
// end of a subscription what its member has (1), of which generation (2), and its rack (3).
#include "base/mem.h"
#include "group/consumer_private.h"

enum { EMBEDDED_VERSION_MAX = 3, SUBSCRIPTION_V_OWNED = 1, SUBSCRIPTION_V_RACK = 3 };

// text_get reads a text with its length before it; NULL ptr for null.
static struct str text_get(struct reader *r)
{
    int16_t len = reader_i16(r);
    const uint8_t *p = reader_take(r, len < 0 ? 0 : (size_t)len);
    return r->failed || len < 0 ? (struct str){NULL, 0} : (struct str){(const char *)p, (size_t)len};
}

// count_get reads the length of an array whose elements take at least `size_min` bytes.
static uint32_t count_get(struct reader *r, uint32_t max, size_t size_min)
{
    int32_t count = reader_i32(r);
    r->failed = r->failed || count < 0 || (uint32_t)count > max || (size_t)count > reader_left(r) / size_min;
    return r->failed ? 0 : (uint32_t)count;
}

static struct bytes data_get(struct reader *r)
{
    int32_t len = reader_i32(r);
    const uint8_t *p = reader_take(r, len < 0 ? 0 : (size_t)len);
    return bytes_of(p, r->failed || len < 0 ? 0 : (size_t)len);
}

// partitions_get adds those that there are.
static void partitions_get(const struct core *core, struct reader *r, struct tp_set *ret)
{
    uint32_t topics = count_get(r, CONSUMER_TOPICS_MAX, 2 + 4);
    for (uint32_t i = 0; i < topics && !r->failed; i++) {
        struct str name = text_get(r);
        const struct topic *topic = name.ptr == NULL ? NULL : core_topic_find(core, name);
        uint32_t count = count_get(r, CONSUMER_PARTITIONS_MAX, 4);
        for (uint32_t k = 0; k < count; k++) {
            int32_t partition = reader_i32(r);
            bool is_there = topic != NULL && partition >= 0 && partition < topic_partition_count(topic);
            if (is_there && ret->count < CONSUMER_PARTITIONS_MAX) {
                tp_set_add(ret, (struct tp){topic_id(topic), partition});
            }
        }
    }
    tp_set_sort(ret);
}

bool subscription_read(const struct core *core, struct bytes blob, struct subscription *ret)
{
    *ret = (struct subscription){0};
    struct reader r = reader_init(blob);
    int16_t version = reader_i16(&r);
    r.failed = r.failed || version < 0;
    uint32_t count = count_get(&r, CONSUMER_TOPICS_MAX, 2);
    ret->topics = mem_array((size_t)count + 1, sizeof *ret->topics);
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        ret->topics[i] = text_get(&r);
        r.failed = r.failed || ret->topics[i].ptr == NULL;
    }
    ret->topic_count = count;
    (void)data_get(&r);
    if (version >= SUBSCRIPTION_V_OWNED) {
        partitions_get(core, &r, &ret->owned);
    }
    if (version >= SUBSCRIPTION_V_RACK) {
        (void)reader_i32(&r); // the generation
        ret->rack_id = text_get(&r);
    }
    if (r.failed) {
        subscription_fini(ret);
    }
    return !r.failed;
}

void subscription_fini(struct subscription *subscription)
{
    mem_free(subscription->topics);
    tp_set_fini(&subscription->owned);
    *subscription = (struct subscription){0};
}

bool assignment_read(const struct core *core, struct bytes blob, struct tp_set *ret, bool *ret_has_data)
{
    *ret = (struct tp_set){0};
    *ret_has_data = false;
    if (blob.len == 0) {
        return true; // it has never synced
    }
    struct reader r = reader_init(blob);
    int16_t version = reader_i16(&r);
    r.failed = r.failed || version < 0;
    partitions_get(core, &r, ret);
    *ret_has_data = data_get(&r).len > 0;
    if (r.failed) {
        tp_set_fini(ret);
    }
    return !r.failed;
}

void assignment_write(const struct core *core, const struct tp_set *set, struct bytes subscription,
                      struct buf *out)
{
    struct reader r = reader_init(subscription);
    int16_t version = reader_i16(&r);
    version = version > EMBEDDED_VERSION_MAX ? EMBEDDED_VERSION_MAX : version;
    buf_be16(out, (uint16_t)(r.failed || version < 0 ? 0 : version));
    uint32_t topics = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        bool is_next = i == 0 || !uuid_equal(set->list[i - 1].topic, set->list[i].topic);
        topics += is_next && core_topic_find_id(core, set->list[i].topic) != NULL;
    }
    buf_be32(out, topics);
    for (uint32_t i = 0; i < set->count;) {
        uint32_t end = i + 1;
        while (end < set->count && uuid_equal(set->list[i].topic, set->list[end].topic)) {
            end++;
        }
        const struct topic *topic = core_topic_find_id(core, set->list[i].topic);
        if (topic != NULL) {
            buf_be16(out, (uint16_t)topic_name(topic).len);
            buf_append_str(out, topic_name(topic));
            buf_be32(out, end - i);
        }
        for (; i < end; i++) {
            if (topic != NULL) {
                buf_be32(out, (uint32_t)set->list[i].partition);
            }
        }
    }
    buf_be32(out, UINT32_MAX); // no data
}
