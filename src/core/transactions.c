// SPDX-License-Identifier: Apache-2.0
// transactions.c - transactional ids, their open transactions, and what lies under them: which partitions a
// transaction has written to from which offset on (so the last stable offset), and what it has left aborted.
// KIP-98. What the items do is in txn_apply.c.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/plant.h"
#include "core/core_private.h"

static uint64_t text_hash(struct str text)
{
    return hash64(bytes_of(text.ptr, text.len), 12);
}

static uint64_t producer_hash(int64_t producer_id)
{
    return hash_mix((uint64_t)producer_id, 13);
}

struct str txn_id(const struct txn *txn)
{
    return (struct str){txn->id, txn->id_len};
}

bool txn_texts_fit(const struct core *core, uint64_t more)
{
    return more == 0 || (core->txn_text_total + more - 1) / TXN_TEXT_SHARE < core->limits.txns_max;
}

static void text_count(struct core *core, size_t len)
{
    core->txn_text_total += len + TXN_TEXT_COST;
}

static void text_discount(struct core *core, size_t len)
{
    core->txn_text_total -= len + TXN_TEXT_COST;
}

// ---- ids

struct txn *core_txn_find(const struct core *core, struct str id)
{
    for (struct map_node *n = map_first(&core->txns_by_id, text_hash(id)); n != NULL; n = map_next(n)) {
        struct txn *txn = MAP_ENTRY(n, struct txn, by_id);
        if (str_equal(txn_id(txn), id)) {
            return txn;
        }
    }
    return NULL;
}

struct txn *core_txn_find_producer(const struct core *core, int64_t producer_id)
{
    uint64_t hash = producer_hash(producer_id);
    for (struct map_node *n = map_first(&core->txns_by_producer, hash); n != NULL; n = map_next(n)) {
        struct txn *txn = MAP_ENTRY(n, struct txn, by_producer);
        if (txn->producer_id == producer_id) {
            return txn;
        }
    }
    return NULL;
}

uint32_t core_txn_count(const struct core *core)
{
    return core->txn_count;
}

struct txn *core_txn_at(const struct core *core, uint32_t index)
{
    ASSERT(index < core->txn_count);
    return core->txns[index];
}

uint32_t core_txn_lower_bound(const struct core *core, struct str from)
{
    uint32_t low = 0;
    uint32_t high = core->txn_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_compare(txn_id(core->txns[middle]), from) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct txn *txn_new(struct core *core, struct str id, int64_t producer_id)
{
    struct txn *txn = mem_zalloc(sizeof *txn + id.len);
    txn->producer_id = producer_id;
    txn->previous_producer_id = -1;
    txn->previous_epoch = -1;
    txn->start_ms = -1;
    txn->snap_gen = core->cut.gen;
    txn->id_len = (uint16_t)id.len;
    memcpy(txn->id, id.ptr, id.len);
    list_init(&txn->partitions);
    list_init(&txn->groups);
    map_insert(&core->txns_by_id, &txn->by_id, text_hash(id));
    map_insert(&core->txns_by_producer, &txn->by_producer, producer_hash(producer_id));
    list_push_back(&core->txn_list, &txn->in_all);
    if (core->txn_count == core->txn_cap) {
        core->txn_cap = core->txn_cap == 0 ? 16 : core->txn_cap * 2;
        core->txns = mem_realloc(core->txns, core->txn_cap * sizeof(struct txn *));
    }
    uint32_t at = core_txn_lower_bound(core, id);
    memmove(&core->txns[at + 1], &core->txns[at], (core->txn_count - at) * sizeof(struct txn *));
    core->txns[at] = txn;
    core->txn_count++;
    core->txn_bytes += sizeof *txn + id.len;
    text_count(core, id.len);
    return txn;
}

void txn_producer_set(struct core *core, struct txn *txn, int64_t producer_id)
{
    map_remove(&core->txns_by_producer, &txn->by_producer);
    txn->producer_id = producer_id;
    map_insert(&core->txns_by_producer, &txn->by_producer, producer_hash(producer_id));
}

void txn_free(struct core *core, struct txn *txn)
{
    txn_clear(core, txn);
    uint32_t at = core_txn_lower_bound(core, txn_id(txn));
    ASSERT(core->txns[at] == txn);
    memmove(&core->txns[at], &core->txns[at + 1], (core->txn_count - at - 1) * sizeof(struct txn *));
    core->txn_count--;
    map_remove(&core->txns_by_id, &txn->by_id);
    map_remove(&core->txns_by_producer, &txn->by_producer);
    list_remove(&txn->in_all);
    core->txn_bytes -= sizeof *txn + txn->id_len;
    text_discount(core, txn->id_len);
    mem_free(txn);
}

void core_txns_fini(struct core *core)
{
    while (core->txn_count > 0) {
        txn_free(core, core->txns[core->txn_count - 1]);
    }
    map_fini(&core->txns_by_id);
    map_fini(&core->txns_by_producer);
    map_fini(&core->txn_offsets);
    map_fini(&core->txn_partitions);
    mem_free(core->txns);
}

// ---- partitions of an open transaction

static uint64_t txn_partition_hash(const struct txn *txn, const struct partition *p)
{
    return hash_mix(p->serial, hash_mix((uint64_t)txn->producer_id, 14));
}

static void txn_partition_free(struct core *core, struct txn_partition *tp)
{
    map_remove(&core->txn_partitions, &tp->by_key);
    list_remove(&tp->in_txn);
    list_remove(&tp->in_partition);
    tp->txn->partition_count--;
    tp->partition->topic->txn_partition_count--;
    core->txn_bytes -= sizeof *tp;
    mem_free(tp);
}

struct txn_partition *txn_partition_find(const struct core *core, const struct txn *txn,
                                         const struct partition *p)
{
    uint64_t hash = txn_partition_hash(txn, p);
    for (struct map_node *n = map_first(&core->txn_partitions, hash); n != NULL; n = map_next(n)) {
        struct txn_partition *tp = MAP_ENTRY(n, struct txn_partition, by_key);
        if (tp->txn == txn && tp->partition == p) {
            return tp;
        }
    }
    return NULL;
}

struct txn_partition *txn_partition_add(struct core *core, struct txn *txn, struct partition *p)
{
    struct txn_partition *tp = mem_zalloc(sizeof *tp);
    tp->txn = txn;
    tp->partition = p;
    tp->first_offset = -1;
    map_insert(&core->txn_partitions, &tp->by_key, txn_partition_hash(txn, p));
    list_push_back(&txn->partitions, &tp->in_txn);
    list_push_back(&p->txns, &tp->in_partition);
    txn->partition_count++;
    p->topic->txn_partition_count++;
    core->txn_bytes += sizeof *tp;
    return tp;
}

// Those with records come first, in the order of their first offsets; then those without.
void txn_partition_begin(struct txn_partition *tp, int64_t first_offset)
{
    struct list *head = &tp->partition->txns;
    list_remove(&tp->in_partition);
    tp->first_offset = first_offset;
    struct list *at = head;
    while (at->prev != head) {
        const struct txn_partition *other = LIST_ENTRY(at->prev, struct txn_partition, in_partition);
        if (other->first_offset >= 0 && other->first_offset < first_offset) {
            break;
        }
        at = at->prev;
    }
    list_insert_before(&tp->in_partition, at);
}

void topic_txns_leave(struct core *core, struct topic *topic)
{
    for (int32_t i = 0; i < topic->partition_count && topic->txn_partition_count > 0; i++) {
        LIST_EACH_SAFE (node, after, &topic->partitions[i]->txns) {
            struct txn_partition *tp = LIST_ENTRY(node, struct txn_partition, in_partition);
            txn_touch(core, tp->txn);
            txn_partition_free(core, tp);
        }
    }
}

int64_t partition_last_stable_offset(const struct partition *p)
{
    if (list_is_empty(&p->txns)) {
        return p->high_watermark;
    }
    int64_t first = LIST_ENTRY(p->txns.next, struct txn_partition, in_partition)->first_offset;
    if (plant_is(PLANT_STABLE_PAST_OPEN)) {
        first = LIST_ENTRY(p->txns.prev, struct txn_partition, in_partition)->first_offset;
    }
    if (first < 0) {
        return p->high_watermark;
    }
    return first > p->log_start ? first : p->log_start;
}

// ---- groups of an open transaction

struct txn_group *txn_group_find(const struct txn *txn, struct str id)
{
    LIST_EACH (node, &txn->groups) {
        struct txn_group *tg = LIST_ENTRY(node, struct txn_group, in_txn);
        if (str_equal((struct str){tg->id, tg->id_len}, id)) {
            return tg;
        }
    }
    return NULL;
}

struct txn_group *txn_group_add(struct core *core, struct txn *txn, struct str id)
{
    struct txn_group *tg = mem_zalloc(sizeof *tg + id.len);
    list_init(&tg->offsets);
    tg->id_len = (uint16_t)id.len;
    memcpy(tg->id, id.ptr, id.len);
    list_push_back(&txn->groups, &tg->in_txn);
    txn->group_count++;
    core->txn_group_total++;
    text_count(core, id.len);
    core->txn_bytes += sizeof *tg + id.len;
    return tg;
}

static struct str txn_group_id(const struct txn_group *tg)
{
    return (struct str){tg->id, tg->id_len};
}

// Of one key there may be an offset in each of several transactions.
static uint64_t txn_offset_hash(struct str group_id, struct uuid topic_id, int32_t partition)
{
    uint64_t hash = hash64(bytes_of(topic_id.b, sizeof topic_id.b), text_hash(group_id));
    return hash_mix((uint64_t)partition, hash);
}

static bool txn_offset_is(const struct txn_offset *offset, struct uuid topic_id, int32_t partition)
{
    return offset->partition == partition && uuid_equal(offset->topic_id, topic_id);
}

static struct txn_offset *txn_offset_find(const struct core *core, const struct txn_group *tg,
                                          struct uuid topic_id, int32_t partition)
{
    uint64_t hash = txn_offset_hash(txn_group_id(tg), topic_id, partition);
    for (struct map_node *n = map_first(&core->txn_offsets, hash); n != NULL; n = map_next(n)) {
        struct txn_offset *offset = MAP_ENTRY(n, struct txn_offset, by_key);
        if (offset->group == tg && txn_offset_is(offset, topic_id, partition)) {
            return offset;
        }
    }
    return NULL;
}

static struct txn_offset *txn_offset_add(struct core *core, struct txn_group *tg, struct uuid topic_id,
                                         int32_t partition)
{
    struct txn_offset *offset = mem_zalloc(sizeof *offset);
    offset->group = tg;
    offset->topic_id = topic_id;
    offset->partition = partition;
    map_insert(&core->txn_offsets, &offset->by_key, txn_offset_hash(txn_group_id(tg), topic_id, partition));
    list_push_back(&tg->offsets, &offset->in_group);
    tg->offset_count++;
    core->txn_offset_total++;
    core->txn_bytes += sizeof *offset;
    return offset;
}

static void txn_offset_metadata_set(struct core *core, struct txn_offset *offset, struct str metadata)
{
    core->txn_bytes = core->txn_bytes + metadata.len - offset->metadata_len;
    core->txn_offset_text = core->txn_offset_text + metadata.len - offset->metadata_len;
    mem_free(offset->metadata);
    offset->metadata = metadata.len == 0 ? NULL : mem_alloc(metadata.len);
    offset->metadata_len = (uint16_t)metadata.len;
    if (metadata.len > 0) {
        memcpy(offset->metadata, metadata.ptr, metadata.len);
    }
}

void txn_offset_set(struct core *core, struct txn_group *tg, const struct item_offset *from)
{
    struct txn_offset *offset = txn_offset_find(core, tg, from->topic_id, from->partition);
    if (offset == NULL) {
        offset = txn_offset_add(core, tg, from->topic_id, from->partition);
    }
    offset->offset = from->offset;
    offset->leader_epoch = from->leader_epoch;
    txn_offset_metadata_set(core, offset, from->metadata);
}

static void txn_offset_free(struct core *core, struct txn_offset *offset)
{
    txn_offset_metadata_set(core, offset, STR(""));
    map_remove(&core->txn_offsets, &offset->by_key);
    list_remove(&offset->in_group);
    core->txn_offset_total--;
    core->txn_bytes -= sizeof *offset;
    mem_free(offset);
}

static void txn_group_free(struct core *core, struct txn *txn, struct txn_group *tg)
{
    LIST_EACH_SAFE (node, after, &tg->offsets) {
        txn_offset_free(core, LIST_ENTRY(node, struct txn_offset, in_group));
    }
    core->txn_bytes -= sizeof *tg + tg->id_len;
    text_discount(core, tg->id_len);
    txn->group_count--;
    core->txn_group_total--;
    list_remove(&tg->in_txn);
    mem_free(tg);
}

bool group_offset_is_pending(const struct core *core, struct str group_id, const struct topic *topic,
                             int32_t partition)
{
    uint64_t hash = txn_offset_hash(group_id, topic->id, partition);
    for (struct map_node *n = map_first(&core->txn_offsets, hash); n != NULL; n = map_next(n)) {
        const struct txn_offset *offset = MAP_ENTRY(n, struct txn_offset, by_key);
        if (txn_offset_is(offset, topic->id, partition) && str_equal(txn_group_id(offset->group), group_id)) {
            return true;
        }
    }
    return false;
}

void txn_clear(struct core *core, struct txn *txn)
{
    LIST_EACH_SAFE (node, after, &txn->partitions) {
        txn_partition_free(core, LIST_ENTRY(node, struct txn_partition, in_txn));
    }
    LIST_EACH_SAFE (node, after, &txn->groups) {
        txn_group_free(core, txn, LIST_ENTRY(node, struct txn_group, in_txn));
    }
}

// ---- what was aborted

void partition_aborted_add(struct core *core, struct partition *p, const struct aborted_view *aborted)
{
    if (p->aborted_first + p->aborted_count == p->aborted_cap) {
        core->txn_bytes -= p->aborted_cap * sizeof *p->aborted;
        if (p->aborted_count > 0) {
            memmove(p->aborted, p->aborted + p->aborted_first, p->aborted_count * sizeof *p->aborted);
        }
        p->aborted_first = 0;
        if (p->aborted_count == p->aborted_cap) {
            p->aborted_cap = p->aborted_cap == 0 ? 4 : p->aborted_cap * 2;
            p->aborted = mem_realloc(p->aborted, p->aborted_cap * sizeof *p->aborted);
        }
        core->txn_bytes += p->aborted_cap * sizeof *p->aborted;
    }
    p->aborted[p->aborted_first + p->aborted_count++] = *aborted;
}

void partition_aborted_trim(struct partition *p, int64_t before)
{
    while (p->aborted_count > 0 &&
           (p->aborted[p->aborted_first].marker_offset < before ||
            (plant_is(PLANT_ABORTED_TRIMMED) && p->aborted[p->aborted_first].first_offset < before))) {
        p->aborted_first++;
        p->aborted_count--;
    }
}

uint32_t partition_aborted_count(const struct partition *p)
{
    return p->aborted_count;
}

uint32_t partition_aborted_search(const struct partition *p, int64_t from)
{
    uint32_t low = 0;
    uint32_t high = p->aborted_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->aborted[p->aborted_first + middle].marker_offset < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void partition_aborted_at(const struct partition *p, uint32_t index, struct aborted_view *ret)
{
    ASSERT(index < p->aborted_count);
    *ret = p->aborted[p->aborted_first + index];
}

// ---- reading

void txn_view(const struct txn *txn, struct txn_view *ret)
{
    *ret = (struct txn_view){
        .id = txn_id(txn),
        .producer_id = txn->producer_id,
        .producer_epoch = txn->epoch,
        .timeout_ms = txn->timeout_ms,
        .state = txn->state,
        .start_ms = txn->start_ms,
        .partition_count = txn->partition_count,
    };
}

bool core_txn_has(const struct core *core, const struct txn *txn, const struct partition *p)
{
    return txn_partition_find(core, txn, p) != NULL;
}

struct partition *txn_partition_next(const struct core *core, const struct txn *txn,
                                     const struct partition *after)
{
    const struct txn_partition *tp = after == NULL ? NULL : txn_partition_find(core, txn, after);
    if (after != NULL && tp == NULL) {
        return NULL; // it has left the transaction
    }
    const struct list *next = tp == NULL ? txn->partitions.next : tp->in_txn.next;
    return next == &txn->partitions ? NULL : LIST_ENTRY(next, struct txn_partition, in_txn)->partition;
}
