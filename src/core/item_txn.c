// SPDX-License-Identifier: Apache-2.0
// item_txn.c - bodies of the items of transactions.
#include "core/core_private.h"

enum { TXN_PARTITION_SIZE = 16 + 4, TEXT_SIZE_MIN = 2 };

static bool flag_decode(struct reader *r)
{
    uint8_t flag = (uint8_t)reader_i8(r);
    r->failed = r->failed || flag > 1;
    return flag == 1;
}

void txn_init_encode(const struct item_txn_init *item, struct buf *out)
{
    text_encode(item->txn_id, out);
    buf_be32(out, (uint32_t)item->timeout_ms);
    buf_be64(out, (uint64_t)item->expected_producer_id);
    buf_be16(out, (uint16_t)item->expected_epoch);
}

void txn_init_decode(struct reader *r, struct item_txn_init *ret)
{
    ret->txn_id = text_decode(r);
    ret->timeout_ms = reader_i32(r);
    ret->expected_producer_id = reader_i64(r);
    ret->expected_epoch = reader_i16(r);
}

void txn_add_encode(const struct item_txn_add *item, struct buf *out)
{
    if (item->partition_count > ITEM_OFFSET_ENTRIES_MAX || item->group_count > ITEM_TXN_GROUPS_MAX) {
        out->failed = true;
        return;
    }
    text_encode(item->txn_id, out);
    buf_be64(out, (uint64_t)item->producer_id);
    buf_be16(out, (uint16_t)item->producer_epoch);
    buf_be32(out, item->partition_count);
    for (uint32_t i = 0; i < item->partition_count; i++) {
        buf_uuid(out, item->partitions[i].topic_id);
        buf_be32(out, (uint32_t)item->partitions[i].partition);
    }
    buf_be32(out, item->group_count);
    for (uint32_t i = 0; i < item->group_count; i++) {
        text_encode(item->groups[i], out);
    }
}

void txn_add_decode(struct reader *r, struct arena *arena, struct item_txn_add *ret)
{
    ret->txn_id = text_decode(r);
    ret->producer_id = reader_i64(r);
    ret->producer_epoch = reader_i16(r);
    ret->partition_count = reader_u32(r);
    if (!count_is_possible(r, ret->partition_count, ITEM_OFFSET_ENTRIES_MAX, TXN_PARTITION_SIZE)) {
        return;
    }
    ret->partitions = arena_new(arena, struct item_txn_partition, ret->partition_count);
    r->failed = ret->partitions == NULL;
    for (uint32_t i = 0; !r->failed && i < ret->partition_count; i++) {
        ret->partitions[i].topic_id = reader_uuid(r);
        ret->partitions[i].partition = reader_i32(r);
    }
    ret->group_count = reader_u32(r);
    if (!count_is_possible(r, ret->group_count, ITEM_TXN_GROUPS_MAX, TEXT_SIZE_MIN)) {
        return;
    }
    ret->groups = arena_new(arena, struct str, ret->group_count);
    r->failed = ret->groups == NULL;
    for (uint32_t i = 0; !r->failed && i < ret->group_count; i++) {
        ret->groups[i] = text_decode(r);
    }
}

void txn_offsets_encode(const struct item_txn_offsets *item, struct buf *out)
{
    text_encode(item->txn_id, out);
    buf_be64(out, (uint64_t)item->producer_id);
    buf_be16(out, (uint16_t)item->producer_epoch);
    buf_u8(out, item->adds);
    offset_commit_encode(&item->commit, out);
}

void txn_offsets_decode(struct reader *r, struct arena *arena, struct item_txn_offsets *ret)
{
    ret->txn_id = text_decode(r);
    ret->producer_id = reader_i64(r);
    ret->producer_epoch = reader_i16(r);
    ret->adds = flag_decode(r);
    offset_commit_decode(r, arena, &ret->commit);
}

void txn_end_encode(const struct item_txn_end *item, struct buf *out)
{
    text_encode(item->txn_id, out);
    buf_be64(out, (uint64_t)item->producer_id);
    buf_be16(out, (uint16_t)item->producer_epoch);
    buf_u8(out, item->is_commit);
    buf_u8(out, item->bumps);
    buf_u8(out, item->is_forced);
}

void txn_end_decode(struct reader *r, struct item_txn_end *ret)
{
    ret->txn_id = text_decode(r);
    ret->producer_id = reader_i64(r);
    ret->producer_epoch = reader_i16(r);
    ret->is_commit = flag_decode(r);
    ret->bumps = flag_decode(r);
    ret->is_forced = flag_decode(r);
}
