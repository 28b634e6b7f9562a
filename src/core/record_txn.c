// SPDX-License-Identifier: Apache-2.0
// record_txn.c - snapshot records of transactional ids and of what was aborted (docs/formats/snapshot.md).
#include "base/mem.h"
#include "base/plant.h"
#include "core/core_private.h"

enum { ABORTED_SIZE = 4 * 8 };

static bool is_done(const struct reader *r)
{
    return !r->failed && reader_left(r) == 0;
}

// ---- TXN

static void txn_groups_body(const struct txn *txn, struct buf *out)
{
    uint32_t count = 0;
    LIST_EACH (node, &txn->groups) {
        count++;
        (void)node;
    }
    buf_be32(out, count);
    LIST_EACH (node, &txn->groups) {
        const struct txn_group *tg = LIST_ENTRY(node, struct txn_group, in_txn);
        text_encode((struct str){tg->id, tg->id_len}, out);
        buf_be32(out, tg->offset_count);
        LIST_EACH (at, &tg->offsets) {
            const struct txn_offset *offset = LIST_ENTRY(at, struct txn_offset, in_group);
            buf_uuid(out, offset->topic_id);
            buf_be32(out, (uint32_t)offset->partition);
            buf_be64(out, (uint64_t)offset->offset);
            buf_be32(out, (uint32_t)offset->leader_epoch);
            text_encode((struct str){offset->metadata, offset->metadata_len}, out);
        }
    }
}

void txn_body(const struct txn *txn, struct buf *out)
{
    text_encode(txn_id(txn), out);
    buf_be64(out, (uint64_t)txn->producer_id);
    buf_be16(out, (uint16_t)txn->epoch);
    buf_be64(out, (uint64_t)txn->previous_producer_id);
    buf_be16(out, (uint16_t)txn->previous_epoch);
    buf_u8(out, txn->is_init);
    buf_be32(out, (uint32_t)txn->timeout_ms);
    buf_u8(out, (uint8_t)txn->state);
    buf_be64(out, (uint64_t)txn->start_ms);
    buf_be64(out, (uint64_t)txn->deadline_ms);
    buf_be64(out, (uint64_t)txn->used_ms);
    buf_be32(out, txn->partition_count);
    LIST_EACH (node, &txn->partitions) {
        const struct txn_partition *tp = LIST_ENTRY(node, struct txn_partition, in_txn);
        buf_uuid(out, tp->partition->topic->id);
        buf_be32(out, (uint32_t)tp->partition->index);
        buf_be64(out, plant_is(PLANT_FORGET_TXN_BEGIN) ? UINT64_MAX : (uint64_t)tp->first_offset);
    }
    txn_groups_body(txn, out);
}

static bool txn_partitions_load(struct core *core, struct txn *txn, struct reader *r)
{
    uint32_t count = reader_u32(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        struct uuid id = reader_uuid(r);
        int32_t index = reader_i32(r);
        int64_t first_offset = reader_i64(r);
        struct partition *p;
        if (r->failed || partition_get(core, id, index, &p) != ERR_OK || first_offset < -1 ||
            first_offset >= p->high_watermark || txn_partition_find(core, txn, p) != NULL) {
            return false;
        }
        struct txn_partition *tp = txn_partition_add(core, txn, p);
        if (first_offset >= 0) {
            txn_partition_begin(tp, first_offset);
        }
    }
    return !r->failed;
}

static bool txn_groups_load(struct core *core, struct txn *txn, struct reader *r)
{
    uint32_t group_count = reader_u32(r);
    for (uint32_t g = 0; g < group_count && !r->failed; g++) {
        struct str id = text_decode(r);
        uint32_t count = reader_u32(r);
        if (r->failed || txn_group_find(txn, id) != NULL) {
            return false;
        }
        struct txn_group *tg = txn_group_add(core, txn, id);
        for (uint32_t i = 0; i < count && !r->failed; i++) {
            struct item_offset offset = {.topic_id = reader_uuid(r)};
            offset.partition = reader_i32(r);
            offset.offset = reader_i64(r);
            offset.leader_epoch = reader_i32(r);
            offset.metadata = text_decode(r);
            if (!r->failed) {
                txn_offset_set(core, tg, &offset);
            }
        }
    }
    return !r->failed;
}

bool txn_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    struct str id = text_decode(&r);
    int64_t producer_id = reader_i64(&r);
    if (r.failed || id.len == 0 || producer_id < 0 || core_txn_find(core, id) != NULL ||
        core_txn_find_producer(core, producer_id) != NULL) {
        return false;
    }
    struct txn *txn = txn_new(core, id, producer_id);
    txn->epoch = reader_i16(&r);
    txn->previous_producer_id = reader_i64(&r);
    txn->previous_epoch = reader_i16(&r);
    uint8_t is_init = (uint8_t)reader_i8(&r);
    txn->is_init = is_init != 0;
    txn->timeout_ms = reader_i32(&r);
    uint8_t state = (uint8_t)reader_i8(&r);
    txn->start_ms = reader_i64(&r);
    txn->deadline_ms = reader_i64(&r);
    txn->used_ms = reader_i64(&r);
    bool is_sound = !r.failed && is_init <= 1 && state <= TXN_ABORTED && txn->epoch >= 0;
    if (!is_sound || !txn_partitions_load(core, txn, &r) || !txn_groups_load(core, txn, &r)) {
        return false;
    }
    txn->state = (enum txn_state)state;
    core->txn_ongoing_count += txn->state == TXN_ONGOING;
    bool is_bare = txn->partition_count == 0 && list_is_empty(&txn->groups);
    return is_done(&r) && (txn->state == TXN_ONGOING || is_bare);
}

// ---- ABORTED: of one partition that has any

void aborted_body(const struct partition *p, struct buf *out)
{
    buf_uuid(out, p->topic->id);
    buf_be32(out, (uint32_t)p->index);
    buf_be32(out, p->aborted_count);
    for (uint32_t i = 0; i < p->aborted_count; i++) {
        const struct aborted_view *aborted = &p->aborted[p->aborted_first + i];
        buf_be64(out, (uint64_t)aborted->producer_id);
        buf_be64(out, (uint64_t)aborted->first_offset);
        buf_be64(out, (uint64_t)aborted->marker_offset);
        buf_be64(out, (uint64_t)aborted->stable_offset);
    }
}

bool aborted_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    struct uuid id = reader_uuid(&r);
    int32_t index = reader_i32(&r);
    uint32_t count = reader_u32(&r);
    struct partition *p;
    if (r.failed || partition_get(core, id, index, &p) != ERR_OK || p->aborted_count > 0 || count == 0 ||
        count > reader_left(&r) / ABORTED_SIZE) {
        return false;
    }
    int64_t before = p->log_start - 1;
    for (uint32_t i = 0; i < count; i++) {
        struct aborted_view aborted = {.producer_id = reader_i64(&r)};
        aborted.first_offset = reader_i64(&r);
        aborted.marker_offset = reader_i64(&r);
        aborted.stable_offset = reader_i64(&r);
        bool is_sound = aborted.first_offset >= 0 && aborted.first_offset < aborted.marker_offset &&
                        aborted.marker_offset > before && aborted.marker_offset < p->high_watermark &&
                        aborted.stable_offset >= 0 && aborted.stable_offset <= aborted.marker_offset + 1;
        if (!is_sound) {
            return false;
        }
        partition_aborted_add(core, p, &aborted);
        before = aborted.marker_offset;
    }
    return is_done(&r);
}
