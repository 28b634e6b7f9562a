// SPDX-License-Identifier: Apache-2.0
// consumer_codec.c - the blobs that the core keeps for groups of the consumer protocol
// (docs/formats/item.md). What does not read makes the group unknown here; it never came from this file.
#include "base/mem.h"
#include "group/consumer_private.h"

enum { BLOB_VERSION = 1, METADATA_V_CLASSIC = 2, TEXT_NULL = 0xffff, TP_SIZE = 20 };

static void text_put(struct str text, struct buf *out)
{
    buf_be16(out, text.ptr == NULL ? TEXT_NULL : (uint16_t)text.len);
    buf_append_str(out, text);
}

static struct str text_get(struct reader *r)
{
    uint16_t len = (uint16_t)reader_i16(r);
    if (len == TEXT_NULL) {
        return (struct str){NULL, 0};
    }
    const uint8_t *p = reader_take(r, len);
    return r->failed ? (struct str){"", 0} : (struct str){(const char *)p, len};
}

static struct reader blob_reader(struct bytes blob)
{
    struct reader r = reader_init(blob);
    r.failed = reader_i8(&r) != BLOB_VERSION || r.failed;
    return r;
}

static bool is_done(const struct reader *r)
{
    return !r->failed && reader_left(r) == 0;
}

// ---- sets

static void tps_put(const struct tp_set *set, struct buf *out)
{
    buf_be32(out, set->count);
    for (uint32_t i = 0; i < set->count; i++) {
        buf_uuid(out, set->list[i].topic);
        buf_be32(out, (uint32_t)set->list[i].partition);
    }
}

static void tps_get(struct reader *r, struct tp_set *ret)
{
    *ret = (struct tp_set){0};
    uint32_t count = reader_u32(r);
    r->failed = r->failed || count > reader_left(r) / TP_SIZE;
    for (uint32_t i = 0; !r->failed && i < count; i++) {
        struct tp tp = {.topic = reader_uuid(r)};
        tp.partition = reader_i32(r);
        tp_set_add(ret, tp);
    }
    tp_set_sort(ret);
}

void tp_set_encode(const struct tp_set *set, struct buf *out)
{
    buf_u8(out, BLOB_VERSION);
    tps_put(set, out);
}

bool tp_set_decode(struct bytes blob, struct tp_set *ret)
{
    *ret = (struct tp_set){0};
    if (blob.len == 0) {
        return true; // never told
    }
    struct reader r = blob_reader(blob);
    tps_get(&r, ret);
    return is_done(&r);
}

// ---- the group

void consumer_state_encode(const struct consumer_group *group, struct buf *out)
{
    buf_u8(out, BLOB_VERSION);
    buf_be32(out, (uint32_t)group->target_epoch);
    buf_be64(out, group->metadata_hash);
}

bool consumer_state_decode(struct consumer_group *group, struct bytes blob)
{
    struct reader r = blob_reader(blob);
    group->target_epoch = reader_i32(&r);
    group->metadata_hash = (uint64_t)reader_i64(&r);
    return is_done(&r);
}

// ---- a member

static void classic_put(const struct consumer_member *member, struct buf *out)
{
    buf_be32(out, (uint32_t)member->classic_session_ms);
    buf_be32(out, member->classic.count);
    for (uint32_t i = 0; i < member->classic.count; i++) {
        const struct group_protocol *protocol = &member->classic.list[i];
        text_put(protocol->name, out);
        buf_be32(out, (uint32_t)protocol->metadata.len);
        buf_append(out, protocol->metadata.ptr, protocol->metadata.len);
    }
}

static void classic_get(struct reader *r, struct consumer_member *member)
{
    struct group_protocol protocols[GROUP_PROTOCOLS_MAX];
    struct group_join join = {.session_timeout_ms = reader_i32(r), .protocols = protocols};
    join.protocol_count = reader_u32(r);
    r->failed = r->failed || join.protocol_count == 0 || join.protocol_count > GROUP_PROTOCOLS_MAX;
    for (uint32_t i = 0; i < join.protocol_count && !r->failed; i++) {
        protocols[i].name = text_get(r);
        uint32_t len = reader_u32(r);
        const uint8_t *p = reader_take(r, len);
        protocols[i].metadata = bytes_of(p, r->failed ? 0 : len);
    }
    if (is_done(r)) {
        consumer_classic_set(member, &join);
    }
}

void consumer_metadata_encode(const struct consumer_member *member, struct buf *out)
{
    buf_u8(out, member->is_classic ? METADATA_V_CLASSIC : BLOB_VERSION);
    text_put(member->instance_id, out);
    text_put(member->rack_id, out);
    text_put(member->assignor, out);
    text_put(member->regex, out);
    text_put(member->client_id, out);
    text_put(member->client_host, out);
    buf_be32(out, (uint32_t)member->rebalance_timeout_ms);
    buf_be32(out, member->topic_count);
    for (uint32_t i = 0; i < member->topic_count; i++) {
        text_put(member->topics[i], out);
    }
    if (member->is_classic) {
        classic_put(member, out);
    }
}

bool consumer_metadata_decode(struct consumer_member *member, struct bytes blob)
{
    struct reader r = reader_init(blob);
    int8_t version = reader_i8(&r);
    r.failed = r.failed || version < BLOB_VERSION || version > METADATA_V_CLASSIC;
    struct str *texts[] = {&member->instance_id, &member->rack_id,   &member->assignor,
                           &member->regex,       &member->client_id, &member->client_host};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        consumer_text_set(member, texts[i], text_get(&r));
    }
    member->rebalance_timeout_ms = reader_i32(&r);
    uint32_t count = reader_u32(&r);
    if (r.failed || count > CONSUMER_TOPICS_MAX || count > reader_left(&r) / 2) {
        return false;
    }
    struct str *topics = mem_array((size_t)count + 1, sizeof *topics);
    for (uint32_t i = 0; i < count; i++) {
        topics[i] = text_get(&r);
    }
    if (version == METADATA_V_CLASSIC && !r.failed) {
        classic_get(&r, member);
    }
    bool is_sound = is_done(&r);
    if (is_sound) {
        (void)consumer_topics_set(member, topics, count);
    }
    mem_free(topics);
    return is_sound;
}

void consumer_current_encode(const struct consumer_member *member, struct buf *out)
{
    buf_u8(out, BLOB_VERSION);
    buf_be32(out, (uint32_t)member->previous_epoch);
    buf_u8(out, (uint8_t)member->phase);
    tps_put(&member->assigned, out);
    tps_put(&member->revoking, out);
}

bool consumer_current_decode(struct consumer_member *member, struct bytes blob)
{
    if (blob.len == 0) {
        return true;
    }
    struct reader r = blob_reader(blob);
    member->previous_epoch = reader_i32(&r);
    uint8_t phase = (uint8_t)reader_i8(&r);
    member->phase = (enum consumer_phase)phase;
    tps_get(&r, &member->assigned);
    tps_get(&r, &member->revoking);
    return is_done(&r) && phase < PHASE_COUNT;
}
