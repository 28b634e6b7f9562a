// SPDX-License-Identifier: Apache-2.0
// compact_filter.c - Kafka's rules of what compaction leaves of a batch. A record stays if it is the newest
// of its key, and, being a tombstone, until its horizon; records of aborted transactions go. The horizon is
// written into the batch (KIP-534: attribute bit 6, base_timestamp) by the first pass that sees a tombstone,
// or a marker of whose transaction nothing is left. Whatever stays keeps its offset, and its batch its
// bounds.
#include "keeper/compact_private.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/plant.h"

#include <stdlib.h>

struct compact_txn {
    struct map_node node;
    int64_t producer_id;
};

void compact_filter_init(struct compact_filter *f)
{
    *f = (struct compact_filter){0};
    struct batch_options options = batch_options_default();
    map_init(&f->txns);
    batch_builder_init(&f->builder, &options);
    buf_init(&f->out, REWRITE_BYTES_MAX);
}

static void txns_forget(struct compact_filter *f)
{
    struct map_node *node;
    while ((node = map_pop(&f->txns)) != NULL) {
        mem_free(MAP_ENTRY(node, struct compact_txn, node));
    }
    map_fini(&f->txns);
    map_init(&f->txns);
}

void compact_filter_fini(struct compact_filter *f)
{
    txns_forget(f);
    compact_map_fini(&f->map);
    codec_context_fini(&f->codec);
    batch_builder_fini(&f->builder);
    buf_fini(&f->out);
    mem_free(f->aborted);
}

void compact_filter_pass_begin(struct compact_filter *f)
{
    txns_forget(f);
}

// ---- transactions

void compact_filter_aborted_add(struct compact_filter *f, const struct aborted_view *aborted)
{
    if (f->aborted_count == f->aborted_cap) {
        f->aborted_cap = f->aborted_cap == 0 ? 64 : f->aborted_cap * 2;
        f->aborted = mem_realloc(f->aborted, f->aborted_cap * sizeof *f->aborted);
    }
    f->aborted[f->aborted_count++] =
        (struct compact_aborted){aborted->producer_id, aborted->first_offset, aborted->marker_offset};
}

static int aborted_compare(const void *left, const void *right)
{
    const struct compact_aborted *a = left;
    const struct compact_aborted *b = right;
    if (a->producer_id != b->producer_id) {
        return a->producer_id < b->producer_id ? -1 : 1;
    }
    return (a->first_offset > b->first_offset) - (a->first_offset < b->first_offset);
}

void compact_filter_aborted_sort(struct compact_filter *f)
{
    if (f->aborted_count > 1) {
        qsort(f->aborted, f->aborted_count, sizeof *f->aborted, aborted_compare);
    }
}

static bool batch_is_aborted(const struct compact_filter *f, const struct batch_header *h)
{
    if (!batch_is_transactional(h) || plant_is(PLANT_COMPACT_ABORTED)) {
        return false;
    }
    struct compact_aborted key = {h->producer_id, h->base_offset, 0};
    size_t low = 0;
    size_t high = f->aborted_count; // the first that begins behind the batch
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (aborted_compare(&f->aborted[middle], &key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && f->aborted[low - 1].producer_id == h->producer_id &&
           h->base_offset < f->aborted[low - 1].marker_offset;
}

static struct compact_txn *txn_find(const struct compact_filter *f, int64_t producer_id)
{
    uint64_t hash = hash_mix((uint64_t)producer_id, f->map.seed[0]);
    for (struct map_node *n = map_first(&f->txns, hash); n != NULL; n = map_next(n)) {
        struct compact_txn *txn = MAP_ENTRY(n, struct compact_txn, node);
        if (txn->producer_id == producer_id) {
            return txn;
        }
    }
    return NULL;
}

static void txn_on_data(struct compact_filter *f, int64_t producer_id)
{
    if (txn_find(f, producer_id) == NULL) {
        struct compact_txn *txn = mem_zalloc(sizeof *txn);
        txn->producer_id = producer_id;
        map_insert(&f->txns, &txn->node, hash_mix((uint64_t)producer_id, f->map.seed[0]));
    }
}

// txn_on_marker: did the transaction that ends here have any record left when the pass began?
static bool txn_on_marker(struct compact_filter *f, int64_t producer_id)
{
    struct compact_txn *txn = txn_find(f, producer_id);
    if (txn != NULL) {
        map_remove(&f->txns, &txn->node);
        mem_free(txn);
    }
    return txn != NULL;
}

// ---- learning

enum err compact_filter_learn(struct compact_filter *f, const struct batch_header *h, struct bytes batch,
                              bool *ret_fits, struct error *e)
{
    *ret_fits = true;
    if (batch_is_control(h) || h->record_count == 0 || batch_is_aborted(f, h)) {
        return ERR_OK;
    }
    struct record_iterator it;
    enum err err = record_iterator_init(&it, &f->codec, batch, NULL, e);
    if (err != ERR_OK) {
        return err;
    }
    struct record record;
    while (*ret_fits && record_iterator_next(&it, &record)) {
        *ret_fits = record.key.ptr == NULL || compact_map_put(&f->map, record.key, record.offset);
    }
    return record_iterator_fini(&it, e);
}

// ---- writing anew

static enum err rewrite_end(struct compact_filter *f, const struct batch_header *h, enum compact_fate *ret,
                            struct error *e)
{
    buf_reset(&f->out);
    *ret = COMPACT_REWRITE;
    return batch_rewrite_end(&f->builder, h, &f->out, e);
}

static enum err judge_empty(struct compact_filter *f, const struct batch_header *h, bool must_stay,
                            enum compact_fate *ret, struct error *e)
{
    if (!must_stay) {
        *ret = COMPACT_DROP;
        return ERR_OK;
    }
    if (h->record_count == 0) {
        *ret = COMPACT_KEEP;
        return ERR_OK;
    }
    batch_rewrite_begin(&f->builder, h, -1);
    return rewrite_end(f, h, ret, e);
}

static int64_t horizon_from_now(const struct compact_filter *f)
{
    int64_t horizon_ms;
    return __builtin_add_overflow(f->now_ms, f->delete_retention_ms, &horizon_ms) ? INT64_MAX : horizon_ms;
}

static bool horizon_has_passed(const struct compact_filter *f, const struct batch_header *h)
{
    return batch_has_delete_horizon(h) && h->base_timestamp <= f->now_ms;
}

// ---- judging

static bool record_stays(const struct compact_filter *f, const struct batch_header *h,
                         const struct record *record)
{
    if (plant_is(PLANT_COMPACT_NEWEST) && record->offset % 16 == 0) {
        return false;
    }
    if (plant_is(PLANT_TOMBSTONE_FIRST)) { // the older ones stay
        return record->value.ptr != NULL;
    }
    if (record->key.ptr == NULL || compact_map_find(&f->map, record->key) > record->offset) {
        return false; // without a key: from before the topic was compacted
    }
    return record->value.ptr != NULL || !(horizon_has_passed(f, h) || plant_is(PLANT_TOMBSTONE_EARLY));
}

static enum err rewrite(struct compact_filter *f, const struct batch_header *h, struct bytes batch,
                        bool keeps_all, int64_t horizon_ms, enum compact_fate *ret, struct error *e)
{
    batch_rewrite_begin(&f->builder, h, horizon_ms);
    struct record_iterator it;
    enum err err = record_iterator_init(&it, &f->codec, batch, NULL, e);
    if (err != ERR_OK) {
        return err;
    }
    struct record record;
    while (record_iterator_next(&it, &record)) {
        if (keeps_all || record_stays(f, h, &record)) {
            record.offset =
                plant_is(PLANT_COMPACT_RENUMBERS) ? h->base_offset + f->builder.record_count : record.offset;
            batch_builder_append_record(&f->builder, &record);
        }
    }
    err = record_iterator_fini(&it, e);
    return err == ERR_OK ? rewrite_end(f, h, ret, e) : err;
}

// A marker stays while records of its transaction do, then until its horizon: consumers that are in the midst
// of it still need it.
static enum err judge_marker(struct compact_filter *f, const struct batch_header *h, struct bytes batch,
                             bool must_stay, enum compact_fate *ret, struct error *e)
{
    bool had_records = txn_on_marker(f, h->producer_id);
    *ret = COMPACT_KEEP;
    if (had_records || h->producer_id == BATCH_NO_PRODUCER_ID) {
        return ERR_OK;
    }
    if (horizon_has_passed(f, h)) {
        return judge_empty(f, h, must_stay, ret, e);
    }
    if (batch_has_delete_horizon(h)) {
        return ERR_OK;
    }
    return rewrite(f, h, batch, true, horizon_from_now(f), ret, e);
}

static enum err judge_data(struct compact_filter *f, const struct batch_header *h, struct bytes batch,
                           bool must_stay, enum compact_fate *ret, struct error *e)
{
    struct record_iterator it;
    enum err err = record_iterator_init(&it, &f->codec, batch, NULL, e);
    if (err != ERR_OK) {
        return err;
    }
    int32_t kept = 0;
    bool has_tombstone = false;
    struct record record;
    while (record_iterator_next(&it, &record)) {
        bool stays = record_stays(f, h, &record);
        kept += stays;
        has_tombstone = has_tombstone || (stays && record.value.ptr == NULL);
    }
    err = record_iterator_fini(&it, e);
    if (err != ERR_OK) {
        return err;
    }
    if (kept == 0) {
        return judge_empty(f, h, must_stay, ret, e);
    }
    bool needs_horizon = has_tombstone && !batch_has_delete_horizon(h);
    if (kept == h->record_count && !needs_horizon) {
        *ret = COMPACT_KEEP;
        return ERR_OK;
    }
    return rewrite(f, h, batch, false, needs_horizon ? horizon_from_now(f) : -1, ret, e);
}

enum err compact_filter_empty(struct compact_filter *f, const struct batch_header *h, enum compact_fate *ret,
                              struct error *e)
{
    return judge_empty(f, h, true, ret, e);
}

enum err compact_filter_judge(struct compact_filter *f, const struct batch_header *h, struct bytes batch,
                              bool must_stay, enum compact_fate *ret, struct error *e)
{
    if (h->record_count == 0) {
        return judge_empty(f, h, must_stay, ret, e);
    }
    if (batch_is_control(h)) {
        return judge_marker(f, h, batch, must_stay, ret, e);
    }
    if (batch_is_transactional(h)) {
        txn_on_data(f, h->producer_id);
    }
    if (batch_is_aborted(f, h)) {
        return judge_empty(f, h, must_stay, ret, e);
    }
    return judge_data(f, h, batch, must_stay, ret, e);
}
