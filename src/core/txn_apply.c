// SPDX-License-Identifier: Apache-2.0
// txn_apply.c - the items of transactions, in the order of checks that docs/formats/item.md freezes.
//
//   EMPTY --add, or the first batch--> ONGOING --TXN_END--> COMMITTED, ABORTED --add--> ONGOING
//   ONGOING --TXN_INIT, its timeout--> ABORTED, with a new epoch: whoever held the old one is fenced
//
// An end takes effect in every partition and for all offsets at once, within this one call: there are no
// half-written markers (KAFKA-17754) and no hanging transactions.
#include "base/assert.h"
#include "base/plant.h"
#include "core/core_private.h"
#include "record/batch.h"

enum {
    EPOCH_LAST = INT16_MAX - 1, // as in Kafka: the next one would be the last to fence with
    TICK_TXNS_MAX = 100,        // transactions and ids that one TICK ends ...
    TICK_PARTITIONS = 100,      // ... of which so many partitions count as one more
};

// ---- small parts

// next_epoch raises the epoch, going over to a new producer at the end of epochs.
static void next_epoch(struct core *core, struct txn *txn)
{
    txn->previous_producer_id = txn->producer_id;
    txn->previous_epoch = txn->epoch;
    if (txn->epoch >= EPOCH_LAST) {
        txn_producer_set(core, txn, core->next_producer_id++);
        txn->epoch = 0;
    } else {
        txn->epoch++;
    }
}

static int64_t txn_due_ms(const struct core *core, const struct txn *txn)
{
    if (txn->state == TXN_ONGOING) {
        return txn->deadline_ms;
    }
    int64_t at;
    return __builtin_add_overflow(txn->used_ms, core->limits.txn_expiration_ms, &at) ? INT64_MAX : at;
}

static void note_use(struct core *core, struct txn *txn)
{
    txn->used_ms = core->time_ms;
    int64_t due_ms = txn_due_ms(core, txn);
    core->txn_due_ms = due_ms < core->txn_due_ms ? due_ms : core->txn_due_ms;
}

static void begin(struct apply *a, struct txn *txn)
{
    if (txn->state != TXN_ONGOING) {
        txn->state = TXN_ONGOING;
        txn->start_ms = a->core->stamp_ms;
        if (__builtin_add_overflow(a->core->time_ms, (int64_t)txn->timeout_ms, &txn->deadline_ms)) {
            txn->deadline_ms = INT64_MAX;
        }
        a->core->txn_ongoing_count++;
    }
    note_use(a->core, txn);
}

// mark appends the marker: one offset, no stored bytes.
static void mark(struct apply *a, const struct txn *txn, struct partition *p, bool is_commit)
{
    partition_touch(a->core, p);
    uint32_t flags = EXTENT_MARKER | (is_commit ? EXTENT_COMMIT : 0) | (uint32_t)(uint16_t)txn->epoch << 16;
    struct extent marker = {
        .base_offset = p->high_watermark,
        .end_offset = p->high_watermark + 1,
        .position = txn->producer_id,
        .length = MARKER_SIZE,
        .record_count = 1,
        .max_timestamp = a->core->stamp_ms,
        .leader_epoch = p->epoch.epoch,
        .flags = flags,
    };
    extents_append(a->core, p, &marker);
    p->high_watermark++;
    p->append_lsn = 0; // a later batch of this bundle is no run with what lies before the marker
    facts_slot_add(a->facts, p, MARKER_SIZE);
    if (a->facts != NULL) {
        a->facts->marker_count++;
    }
}

// stable_after: the last stable offset of the partition once this transaction is out of it.
static int64_t stable_after(const struct txn_partition *tp)
{
    const struct partition *p = tp->partition;
    const struct list *first = p->txns.next == &tp->in_partition ? tp->in_partition.next : p->txns.next;
    const struct txn_partition *oldest =
        first == &p->txns ? NULL : LIST_ENTRY(first, struct txn_partition, in_partition);
    return oldest == NULL || oldest->first_offset < 0 ? p->high_watermark : oldest->first_offset;
}

static void end_partition(struct apply *a, const struct txn_partition *tp, bool is_commit)
{
    struct partition *p = tp->partition;
    if (p->high_watermark == INT64_MAX) {
        return;
    }
    int64_t marker_offset = p->high_watermark;
    mark(a, tp->txn, p, is_commit);
    if (!is_commit && tp->first_offset >= 0) {
        partition_aborted_add(
            a->core, p,
            &(struct aborted_view){tp->txn->producer_id, tp->first_offset, marker_offset, stable_after(tp)});
    }
}

static void commit_offsets(struct apply *a, const struct txn_group *tg)
{
    LIST_EACH (node, &tg->offsets) {
        const struct txn_offset *pending = LIST_ENTRY(node, struct txn_offset, in_group);
        struct item_offset offset = {
            .topic_id = pending->topic_id,
            .partition = pending->partition,
            .offset = pending->offset,
            .leader_epoch = pending->leader_epoch,
            .retention_ms = -1,
            .metadata = {pending->metadata, pending->metadata_len},
        };
        offset_commit_one(a->core, (struct str){tg->id, tg->id_len}, &offset);
    }
}

static void end(struct apply *a, struct txn *txn, bool is_commit)
{
    ASSERT(txn->state == TXN_ONGOING);
    LIST_EACH (node, &txn->partitions) {
        bool is_torn = plant_is(PLANT_TORN_END) && node->next == &txn->partitions;
        end_partition(a, LIST_ENTRY(node, struct txn_partition, in_txn), is_commit || is_torn);
    }
    LIST_EACH (node, &txn->groups) {
        if (is_commit || plant_is(PLANT_ABORT_KEEPS_OFFSETS)) {
            commit_offsets(a, LIST_ENTRY(node, struct txn_group, in_txn));
        }
    }
    txn_clear(a->core, txn);
    txn->state = is_commit ? TXN_COMMITTED : TXN_ABORTED;
    txn->start_ms = -1;
    a->core->txn_ongoing_count--;
    note_use(a->core, txn);
}

static void tell(const struct txn *txn, struct outcome *ret)
{
    ret->value = txn->producer_id;
    ret->producer_epoch = txn->epoch;
}

// ---- DATA

enum err txn_judge(const struct core *core, const struct item_data *item, struct txn **ret_txn)
{
    bool is_transactional = (item->attributes & BATCH_ATTRIBUTE_TRANSACTIONAL) != 0;
    struct txn *txn = item->producer_id < 0 ? NULL : core_txn_find_producer(core, item->producer_id);
    *ret_txn = is_transactional ? txn : NULL;
    if (txn == NULL) {
        return is_transactional ? ERR_INVALID_PRODUCER_ID_MAPPING : ERR_OK;
    }
    bool is_current = item->producer_epoch == txn->epoch || plant_is(PLANT_TXN_NOT_FENCED);
    return is_current ? ERR_OK : ERR_INVALID_PRODUCER_EPOCH;
}

enum err txn_judge_member(const struct core *core, const struct partition *p, const struct item_data *item,
                          const struct txn *txn)
{
    if (txn == NULL) { // not in a transaction: then its producer must have none here
        const struct txn *own =
            item->producer_id < 0 ? NULL : core_txn_find_producer(core, item->producer_id);
        bool is_open = own != NULL && txn_partition_find(core, own, p) != NULL;
        return is_open ? ERR_INVALID_TXN_STATE : ERR_OK;
    }
    bool is_member = txn->state == TXN_ONGOING && txn_partition_find(core, txn, p) != NULL;
    if (!is_member && (item->attributes & DATA_ADDS) != 0) {
        return core->txn_partitions.count < core->limits.producers_max ? ERR_OK : ERR_POLICY_VIOLATION;
    }
    return is_member ? ERR_OK : ERR_INVALID_TXN_STATE;
}

bool txn_is_earlier(const struct core *core, const struct txn *txn, const struct partition *p, int64_t offset)
{
    bool is_open = txn != NULL && txn->state == TXN_ONGOING;
    const struct txn_partition *tp = is_open ? txn_partition_find(core, txn, p) : NULL;
    return tp != NULL && (tp->first_offset < 0 || offset < tp->first_offset);
}

bool txn_joins(const struct core *core, const struct txn *txn, const struct partition *p)
{
    return txn->state != TXN_ONGOING || txn_partition_find(core, txn, p) == NULL;
}

void txn_append(struct apply *a, struct txn *txn, struct partition *p, int64_t base_offset)
{
    txn_touch(a->core, txn);
    begin(a, txn);
    struct txn_partition *tp = txn_partition_find(a->core, txn, p);
    if (tp == NULL) {
        tp = txn_partition_add(a->core, txn, p);
    }
    if (tp->first_offset < 0) {
        txn_partition_begin(tp, base_offset);
    }
}

// ---- TXN_INIT

static enum err init_new(struct core *core, const struct item_txn_init *item, struct outcome *ret)
{
    if (core->txn_count >= core->limits.txns_max || !txn_texts_fit(core, item->txn_id.len + TXN_TEXT_COST)) {
        return ERR_POLICY_VIOLATION;
    }
    struct txn *txn = txn_new(core, item->txn_id, core->next_producer_id++);
    txn->timeout_ms = item->timeout_ms;
    note_use(core, txn);
    tell(txn, ret);
    return ERR_OK;
}

enum err txn_init_apply(struct apply *a, const struct item_txn_init *item, struct outcome *ret)
{
    struct core *core = a->core;
    struct txn *txn = core_txn_find(core, item->txn_id);
    if (item->txn_id.len == 0 || item->timeout_ms <= 0) {
        return ERR_INVALID_REQUEST;
    }
    if (txn == NULL) {
        return init_new(core, item, ret);
    }
    if (item->expected_producer_id >= 0) { // KIP-360
        bool is_current =
            item->expected_producer_id == txn->producer_id && item->expected_epoch == txn->epoch;
        bool is_retry = item->expected_producer_id == txn->previous_producer_id &&
                        item->expected_epoch == txn->previous_epoch && txn->is_init;
        if (is_retry) {
            tell(txn, ret);
            return ERR_OK;
        }
        if (!is_current) {
            return ERR_PRODUCER_FENCED;
        }
    }
    txn_touch(core, txn);
    if (txn->state == TXN_ONGOING) {
        end(a, txn, plant_is(PLANT_INIT_COMMITS));
    }
    next_epoch(core, txn);
    if (item->expected_producer_id < 0 && !plant_is(PLANT_INIT_SHARES)) {
        txn->previous_epoch = -1; // another instance: whoever had the epoch before asks in vain for this one
    }
    txn->is_init = true;
    txn->state = TXN_EMPTY;
    txn->timeout_ms = item->timeout_ms;
    note_use(core, txn);
    tell(txn, ret);
    return ERR_OK;
}

// ---- TXN_ADD, TXN_OFFSETS

static enum err txn_check(const struct core *core, struct str id, int64_t producer_id, int16_t epoch,
                          struct txn **ret)
{
    struct txn *txn = core_txn_find(core, id);
    if (txn == NULL || txn->producer_id != producer_id) {
        bool was = txn != NULL && txn->previous_producer_id == producer_id;
        return was ? ERR_PRODUCER_FENCED : ERR_INVALID_PRODUCER_ID_MAPPING;
    }
    *ret = txn;
    bool is_late = plant_is(PLANT_LATE_END) && epoch == txn->previous_epoch;
    return epoch == txn->epoch || is_late ? ERR_OK : ERR_PRODUCER_FENCED;
}

// add_may_grow: what the item brings has room. Each name counts as often as it is given.
static bool add_may_grow(const struct core *core, const struct txn *txn, const struct item_txn_add *item)
{
    uint64_t partitions = core->txn_partitions.count;
    uint64_t texts = 0;
    uint32_t groups = txn->group_count;
    for (uint32_t i = 0; i < item->partition_count; i++) {
        struct partition *p;
        enum err err = partition_get(core, item->partitions[i].topic_id, item->partitions[i].partition, &p);
        partitions += err == ERR_OK && txn_partition_find(core, txn, p) == NULL;
    }
    for (uint32_t i = 0; i < item->group_count; i++) {
        bool is_fresh = txn_group_find(txn, item->groups[i]) == NULL;
        groups += is_fresh;
        texts += is_fresh ? item->groups[i].len + TXN_TEXT_COST : 0;
    }
    bool has_partitions =
        partitions == core->txn_partitions.count || partitions <= core->limits.producers_max;
    return has_partitions && groups <= ITEM_TXN_GROUPS_MAX && txn_texts_fit(core, texts);
}

enum err txn_add_apply(struct apply *a, const struct item_txn_add *item)
{
    struct core *core = a->core;
    struct txn *txn = NULL;
    enum err err = txn_check(core, item->txn_id, item->producer_id, item->producer_epoch, &txn);
    for (uint32_t i = 0; i < item->partition_count && err == ERR_OK; i++) {
        struct partition *p;
        err = partition_get(core, item->partitions[i].topic_id, item->partitions[i].partition, &p);
    }
    if (err == ERR_OK && !add_may_grow(core, txn, item)) {
        err = ERR_POLICY_VIOLATION;
    }
    if (err != ERR_OK) {
        return err;
    }
    txn_touch(core, txn);
    begin(a, txn);
    for (uint32_t i = 0; i < item->partition_count; i++) {
        struct partition *p;
        err = partition_get(core, item->partitions[i].topic_id, item->partitions[i].partition, &p);
        ASSERT(err == ERR_OK);
        if (txn_partition_find(core, txn, p) == NULL) {
            (void)txn_partition_add(core, txn, p);
        }
    }
    for (uint32_t i = 0; i < item->group_count; i++) {
        if (txn_group_find(txn, item->groups[i]) == NULL) {
            (void)txn_group_add(core, txn, item->groups[i]);
        }
    }
    return ERR_OK;
}

// offsets_may_join: the limits of what is committed hold for what is pending as well, since a commit of the
// transaction cannot be refused any more. A group that is not there counts all groups of open transactions as
// if they were new, up to as many again.
static bool offsets_may_join(const struct core *core, const struct txn *txn, const struct txn_group *tg,
                             const struct item_offset_commit *commit)
{
    uint64_t text = 0;
    for (uint32_t i = 0; i < commit->offset_count; i++) {
        text += commit->offsets[i].metadata.len;
    }
    bool is_there = core_group_find(core, commit->group_id) != NULL;
    bool has_group = is_there || core->group_count + core->txn_group_total < 2 * core->limits.groups_max;
    bool may_join = tg != NULL || (txn->group_count < ITEM_TXN_GROUPS_MAX &&
                                   txn_texts_fit(core, commit->group_id.len + TXN_TEXT_COST));
    return offsets_fit(core, commit->offset_count, text) && has_group && may_join;
}

enum err txn_offsets_apply(struct apply *a, const struct item_txn_offsets *item)
{
    struct core *core = a->core;
    struct txn *txn = NULL;
    const struct item_offset_commit *commit = &item->commit;
    enum err err = txn_check(core, item->txn_id, item->producer_id, item->producer_epoch, &txn);
    if (err != ERR_OK) {
        return err;
    }
    struct txn_group *tg = txn->state == TXN_ONGOING ? txn_group_find(txn, commit->group_id) : NULL;
    if (tg == NULL && !item->adds) {
        return ERR_INVALID_TXN_STATE;
    }
    if (commit->generation != -1) { // KIP-447
        err = offset_commit_check(core_group_find(core, commit->group_id), commit);
    }
    if (err == ERR_OK && !offsets_may_join(core, txn, tg, commit)) {
        err = ERR_POLICY_VIOLATION;
    }
    if (err != ERR_OK) {
        return err;
    }
    txn_touch(core, txn);
    begin(a, txn);
    if (tg == NULL) {
        tg = txn_group_add(core, txn, commit->group_id);
    }
    for (uint32_t i = 0; i < commit->offset_count; i++) {
        txn_offset_set(core, tg, &commit->offsets[i]);
    }
    return ERR_OK;
}

// ---- TXN_END

// KIP-890: by the epoch before the present one, which the last end has raised.
static bool is_end_before(const struct txn *txn, const struct item_txn_end *item)
{
    return item->bumps && item->producer_id == txn->previous_producer_id &&
           item->producer_epoch == txn->previous_epoch && !txn->is_init;
}

// A retry: the same end by the epoch that did it.
static bool is_end_retry(const struct txn *txn, const struct item_txn_end *item)
{
    bool is_same_end = txn->state == (item->is_commit ? TXN_COMMITTED : TXN_ABORTED);
    bool is_current = item->producer_id == txn->producer_id && item->producer_epoch == txn->epoch;
    return is_same_end && (item->bumps ? is_end_before(txn, item) : is_current);
}

static enum err end_forced(struct apply *a, struct txn *txn, struct outcome *ret)
{
    if (txn->state != TXN_ONGOING) {
        return ERR_INVALID_TXN_STATE;
    }
    txn_touch(a->core, txn);
    end(a, txn, false);
    next_epoch(a->core, txn);
    txn->is_init = true; // whoever held the old epoch may ask for a new one, not repeat an end
    tell(txn, ret);
    return ERR_OK;
}

enum err txn_end_apply(struct apply *a, const struct item_txn_end *item, struct outcome *ret)
{
    struct core *core = a->core;
    struct txn *txn = core_txn_find(core, item->txn_id);
    if (txn != NULL && item->is_forced) {
        return end_forced(a, txn, ret);
    }
    if (txn != NULL && is_end_retry(txn, item)) {
        tell(txn, ret);
        return ERR_OK;
    }
    if (txn != NULL && txn->state != TXN_ONGOING && is_end_before(txn, item)) {
        return ERR_INVALID_TXN_STATE; // the other end
    }
    enum err err = txn_check(core, item->txn_id, item->producer_id, item->producer_epoch, &txn);
    if (err != ERR_OK) {
        return err;
    }
    bool is_open = txn->state == TXN_ONGOING;
    if (!is_open && (item->is_commit || !item->bumps)) {
        return ERR_INVALID_TXN_STATE;
    }
    txn_touch(core, txn);
    if (is_open) {
        end(a, txn, item->is_commit);
    }
    if (item->bumps) {
        next_epoch(core, txn);
        txn->is_init = false;
        txn->state = item->is_commit ? TXN_COMMITTED : TXN_ABORTED;
    }
    note_use(core, txn);
    tell(txn, ret);
    return ERR_OK;
}

// ---- time

void txns_tick(struct apply *a)
{
    struct core *core = a->core;
    uint32_t done = 0;
    for (uint32_t i = 0; i < core->txn_count && done < TICK_TXNS_MAX;) {
        struct txn *txn = core->txns[i];
        if (txn_due_ms(core, txn) > core->time_ms) {
            i++;
            continue;
        }
        done += 1 + txn->partition_count / TICK_PARTITIONS;
        txn_touch(core, txn);
        if (txn->state == TXN_ONGOING) {
            end(a, txn, false);
            if (!plant_is(PLANT_TIMEOUT_NO_FENCE)) {
                next_epoch(core, txn);
            }
            txn->is_init = true;
            i++;
        } else {
            cut_txn_leaving(core, txn);
            txn_free(core, txn);
        }
    }
    core->txn_due_ms = txns_deadline_ms(core);
}

int64_t txns_deadline_ms(const struct core *core)
{
    int64_t due_ms = INT64_MAX;
    for (uint32_t i = 0; i < core->txn_count; i++) {
        int64_t at = txn_due_ms(core, core->txns[i]);
        due_ms = at < due_ms ? at : due_ms;
    }
    return due_ms;
}
