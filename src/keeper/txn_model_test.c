// SPDX-License-Identifier: Apache-2.0
// txn_model_test.c - every interleaving of up to four transactions in two partitions, with a compaction and a
// crash at each place between their steps, against a reference: the last stable offset, the list of aborted
// transactions for every range, and what the log holds, record by record.
//
// Interleavings do not touch each other, so all of them go side by side, each in two partitions of one topic:
// one world for each place of the compaction and of the crash.
#include "keeper/compact_private.h"
#include "keeper/rig_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

enum { TXNS = 4, PARTS = 2, STEPS_MAX = 9, LOG_MAX = 16, BUNDLE_MAX = 1000, ACTIVE_MS = 1000 };

// What the transactions do: each writes `writes` times, to partition 0, 1, 0, ... or to both at once, and
// ends.
struct shape {
    int txns;
    int writes;
    bool writes_both;
    int masks; // of this many patterns of commit and abort, bit i for transaction i
};

// ---- the reference: one log per partition, an entry per offset

struct ref_entry {
    int txn;
    bool is_marker;
    bool is_commit; // of a marker
    int key;
    int value;
    bool is_gone; // compacted away
};
struct ref_log {
    struct ref_entry entries[LOG_MAX];
    int count;
    int compacted; // what lies below may have been compacted
};
struct ref {
    struct ref_log logs[PARTS];
    bool has_ended[TXNS];
    bool has_committed[TXNS];
    bool is_added[TXNS][PARTS];
};

static void ref_write(struct ref *r, int part, int txn, int key, int value)
{
    struct ref_log *log = &r->logs[part];
    log->entries[log->count++] = (struct ref_entry){.txn = txn, .key = key, .value = value};
    r->is_added[txn][part] = true;
}

static void ref_end(struct ref *r, int txn, bool is_commit)
{
    for (int part = 0; part < PARTS; part++) {
        struct ref_log *log = &r->logs[part];
        if (r->is_added[txn][part]) {
            log->entries[log->count++] =
                (struct ref_entry){.txn = txn, .is_marker = true, .is_commit = is_commit};
        }
    }
    r->has_ended[txn] = true;
    r->has_committed[txn] = is_commit;
}

static int ref_stable(const struct ref *r, int part)
{
    const struct ref_log *log = &r->logs[part];
    for (int i = 0; i < log->count; i++) {
        if (!r->has_ended[log->entries[i].txn]) {
            return i;
        }
    }
    return log->count;
}

static void ref_bounds(const struct ref_log *log, int txn, int *ret_first, int *ret_marker)
{
    *ret_first = *ret_marker = -1;
    for (int i = 0; i < log->count; i++) {
        if (log->entries[i].txn == txn) {
            *ret_first = *ret_first < 0 ? i : *ret_first;
            *ret_marker = log->entries[i].is_marker ? i : *ret_marker;
        }
    }
}

// ref_is_listed: the transaction belongs in the list of aborted ones of a fetch of [from, to).
static bool ref_is_listed(const struct ref *r, int part, int txn, int from, int to)
{
    int first;
    int marker;
    ref_bounds(&r->logs[part], txn, &first, &marker);
    bool is_aborted = r->has_ended[txn] && !r->has_committed[txn] && first >= 0;
    return is_aborted && marker >= r->logs[part].compacted && first < to && marker >= from;
}

// ref_compact: up to the last stable offset stays the newest of each key that was committed; and all markers,
// since none has been there for delete.retention.ms.
static void ref_compact(struct ref *r)
{
    for (int part = 0; part < PARTS; part++) {
        struct ref_log *log = &r->logs[part];
        log->compacted = ref_stable(r, part);
        for (int i = 0; i < log->compacted; i++) {
            struct ref_entry *e = &log->entries[i];
            bool is_newest = true;
            for (int j = i + 1; j < log->compacted; j++) {
                const struct ref_entry *later = &log->entries[j];
                is_newest =
                    is_newest && (later->is_marker || later->key != e->key || !r->has_committed[later->txn]);
            }
            e->is_gone = !e->is_marker && (!r->has_committed[e->txn] || !is_newest);
        }
    }
}

// ---- many of them side by side

struct instance {
    int order[STEPS_MAX]; // whose step comes next
    int mask;
    int64_t pids[TXNS];
    int steps[TXNS];
    struct ref ref;
};
struct run {
    struct world *w;
    const struct shape *shape;
    struct instance *list;
    int count;
    int length; // steps of each
    struct codec_context codec;
    // the bundle that is being filled
    struct item *items;
    struct bytes *batches;
    struct outcome *outcomes;
    uint32_t item_count;
    struct buf payload;
    int64_t ahead_ms; // of the keeper's clock
    char (*ids)[TXNS][24];
};

static struct uuid the_topic(void)
{
    return topic_of(0);
}

static void permute(struct run *r, int *order, int at, int *left)
{
    if (at == r->length) {
        for (int m = 0; m < r->shape->masks; m++) {
            // The first ones: every other aborts, all do, none does, the first two do.
            static const int masks[16] = {5, 15, 0, 3, 1, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14};
            struct instance *i = &r->list[r->count++];
            memcpy(i->order, order, sizeof i->order);
            i->mask = masks[m];
        }
        return;
    }
    for (int txn = 0; txn < r->shape->txns; txn++) {
        if (left[txn] > 0) {
            left[txn]--;
            order[at] = txn;
            permute(r, order, at + 1, left);
            left[txn]++;
        }
    }
}

static void flush(struct run *r, bool is_data)
{
    if (r->item_count > 0) {
        order_all(r->w, r->items, r->item_count, is_data ? r->batches : NULL, r->outcomes);
    }
}

static void batch_add(struct run *r, const struct instance *i, int part, int txn, int key, int value)
{
    struct batch_options options = batch_options_default();
    options.producer_id = i->pids[txn];
    options.producer_epoch = 0;
    options.base_sequence = i->steps[txn] / (r->shape->writes_both ? 1 : PARTS);
    options.attributes = BATCH_ATTRIBUTE_TRANSACTIONAL;
    struct batch_builder b;
    batch_builder_init(&b, &options);
    uint8_t key_byte = (uint8_t)('a' + key);
    uint8_t value_byte = (uint8_t)value;
    int64_t stamp_ms = clock_wall_ms(r->w->env->clock) - 10000;
    batch_builder_append(&b, stamp_ms, bytes_of(&key_byte, 1), bytes_of(&value_byte, 1), NULL, 0);
    struct buf *out = &r->payload;
    size_t at = out->len;
    assert_int_equal(batch_builder_finish(&b, out, NULL), ERR_OK);
    batch_builder_fini(&b);
    r->batches[r->item_count] = bytes_of(NULL, out->len - at); // placed when the buffer has stopped growing
    struct item *item = &r->items[r->item_count++];
    *item = (struct item){.kind = ITEM_DATA, .version = 1};
    item->data = (struct item_data){
        .topic_id = the_topic(),
        .partition = (int32_t)(i - r->list) * PARTS + part,
        .producer_id = options.producer_id,
        .attributes = BATCH_ATTRIBUTE_TRANSACTIONAL | DATA_ADDS,
        .base_sequence = options.base_sequence,
        .offset_span = 1,
        .record_count = 1,
        .max_timestamp = stamp_ms,
    };
}

static void batches_place(struct run *r)
{
    size_t at = 0;
    for (uint32_t i = 0; i < r->item_count; i++) {
        r->batches[i].ptr = r->payload.ptr + at;
        at += r->batches[i].len;
    }
}

static void batches_flush(struct run *r)
{
    batches_place(r);
    flush(r, true);
    for (uint32_t i = 0; i < r->item_count; i++) {
        assert_int_equal(r->outcomes[i].err, ERR_OK);
    }
    r->item_count = 0;
    buf_reset(&r->payload);
}

// Both partitions have key 0 of everybody; each transaction's second record of a partition has key 1.
static void step_write(struct run *r, struct instance *i, int txn)
{
    int step = i->steps[txn];
    for (int part = 0; part < PARTS; part++) {
        if (r->shape->writes_both || step % PARTS == part) {
            int key = step >= PARTS ? 1 : 0;
            int value = txn * 16 + step;
            batch_add(r, i, part, txn, key, value);
            ref_write(&i->ref, part, txn, key, value);
        }
    }
}

static void step_all(struct run *r, int at)
{
    for (int n = 0; n < r->count; n++) {
        struct instance *i = &r->list[n];
        int txn = i->order[at];
        if (i->steps[txn] < r->shape->writes) {
            step_write(r, i, txn);
        }
        if (r->item_count + PARTS > BUNDLE_MAX) {
            batches_flush(r);
        }
    }
    batches_flush(r);
    for (int n = 0; n < r->count; n++) {
        struct instance *i = &r->list[n];
        int txn = i->order[at];
        if (i->steps[txn]++ == r->shape->writes) {
            bool is_commit = (i->mask >> txn & 1) == 0;
            struct item *item = &r->items[r->item_count++];
            *item = (struct item){.kind = ITEM_TXN_END, .version = 1};
            item->txn_end = (struct item_txn_end){
                .txn_id = str_from_c(r->ids[n][txn]), .producer_id = i->pids[txn], .is_commit = is_commit};
            ref_end(&i->ref, txn, is_commit);
        }
        if (r->item_count == BUNDLE_MAX || n + 1 == r->count) {
            flush(r, false);
            for (uint32_t k = 0; k < r->item_count; k++) {
                assert_int_equal(r->outcomes[k].err, ERR_OK);
            }
            r->item_count = 0;
        }
    }
}

// ---- comparing

static void fail_here(const struct run *r, const struct instance *i, int part, const char *what)
{
    char text[128];
    int len = snprintf(text, sizeof text, "%s in partition %d, mask %d, order", what, part, i->mask);
    for (int at = 0; at < r->length; at++) {
        len += snprintf(text + len, sizeof text - (size_t)len, " %d", i->order[at]);
    }
    fail_msg("%s", text);
}

static void check_list(const struct run *r, const struct instance *i, int part, const struct partition *p)
{
    int count = i->ref.logs[part].count;
    for (int from = 0; from < count; from++) {
        for (int to = from + 1; to <= count; to++) {
            bool is_told[TXNS] = {false};
            struct aborted_view view = {.stable_offset = -1};
            for (uint32_t n = partition_aborted_search(p, from);
                 n < partition_aborted_count(p) && view.stable_offset < to; n++) {
                partition_aborted_at(p, n, &view);
                for (int txn = 0; txn < r->shape->txns && view.first_offset < to; txn++) {
                    int first;
                    int marker;
                    ref_bounds(&i->ref.logs[part], txn, &first, &marker);
                    is_told[txn] =
                        is_told[txn] || (view.producer_id == i->pids[txn] && view.first_offset == first &&
                                         view.marker_offset == marker);
                }
            }
            for (int txn = 0; txn < r->shape->txns; txn++) {
                if (is_told[txn] != ref_is_listed(&i->ref, part, txn, from, to)) {
                    fail_here(r, i, part, "the list of aborted transactions is wrong");
                }
            }
        }
    }
}

static void check_bounds(const struct run *r)
{
    for (int n = 0; n < r->count; n++) {
        const struct instance *i = &r->list[n];
        for (int part = 0; part < PARTS; part++) {
            const struct partition *p = partition_of(r->w, 0, n * PARTS + part);
            if (partition_high_watermark(p) != i->ref.logs[part].count ||
                partition_last_stable_offset(p) != ref_stable(&i->ref, part)) {
                fail_here(r, i, part, "a bound is wrong");
            }
            check_list(r, i, part, p);
        }
    }
}

static bool entry_is(struct run *r, const struct instance *i, const struct batch_header *h,
                     struct bytes batch, const struct ref_entry *e)
{
    struct record_iterator it;
    struct record record;
    int16_t type = -1;
    if (h->record_count != 1 || h->producer_id != i->pids[e->txn] || !batch_is_transactional(h) ||
        batch_is_control(h) != e->is_marker ||
        record_iterator_init(&it, &r->codec, batch, NULL, NULL) != ERR_OK ||
        !record_iterator_next(&it, &record)) {
        return false;
    }
    bool is_same = e->is_marker ? control_type_read(record.key, &type) &&
                                      type == (e->is_commit ? CONTROL_COMMIT : CONTROL_ABORT)
                                : record.key.len == 1 && record.value.len == 1 &&
                                      record.key.ptr[0] == 'a' + e->key && record.value.ptr[0] == e->value;
    return record_iterator_fini(&it, NULL) == ERR_OK && is_same;
}

static void check_contents(struct run *r)
{
    struct compact_reader reader;
    compact_reader_init(&reader, r->w->engine);
    for (int n = 0; n < r->count; n++) {
        const struct instance *i = &r->list[n];
        for (int part = 0; part < PARTS; part++) {
            const struct ref_log *log = &i->ref.logs[part];
            const struct partition *p = partition_of(r->w, 0, n * PARTS + part);
            int next = 0; // entry
            for (uint32_t x = 0; x < partition_extent_count(p); x++) {
                struct batch_header h;
                struct bytes batch;
                assert_int_equal(compact_reader_open(&reader, partition_extent(p, x), NULL), ERR_OK);
                while (compact_reader_next(&reader, &h, &batch, NULL) == ERR_OK && batch.ptr != NULL) {
                    if (h.record_count == 0) {
                        continue; // only its bounds are left
                    }
                    while (next < log->count && log->entries[next].is_gone) {
                        next++;
                    }
                    if (next == log->count || h.base_offset != next ||
                        !entry_is(r, i, &h, batch, &log->entries[next])) {
                        fail_here(r, i, part, "the log holds something else");
                    }
                    next++;
                }
            }
            while (next < log->count && log->entries[next].is_gone) {
                next++;
            }
            if (next != log->count) {
                fail_here(r, i, part, "the log lacks something");
            }
        }
    }
    compact_reader_fini(&reader);
}

// ---- a world

static void topic_make(struct run *r)
{
    struct item_config configs[] = {{STR("cleanup.policy"), STR("compact")},
                                    {STR("min.cleanable.dirty.ratio"), STR("0.0")},
                                    {STR("segment.ms"), STR("1")}};
    struct item item = {.kind = ITEM_TOPIC_CREATE, .version = 1};
    item.topic_create = (struct item_topic_create){the_topic(), STR("t"), r->count * PARTS, configs, 3};
    assert_int_equal(order_one(r->w, &item).err, ERR_OK);
}

static void ids_make(struct run *r)
{
    int done = 0;
    for (int n = 0; n < r->count; n++) {
        for (int txn = 0; txn < r->shape->txns; txn++) {
            snprintf(r->ids[n][txn], sizeof r->ids[n][txn], "%d-%d", n, txn);
            r->items[r->item_count] = (struct item){.kind = ITEM_TXN_INIT, .version = 1};
            r->items[r->item_count++].txn_init =
                (struct item_txn_init){str_from_c(r->ids[n][txn]), 3600000, -1, -1};
        }
        if (r->item_count + TXNS > BUNDLE_MAX || n + 1 == r->count) {
            flush(r, false);
            for (uint32_t k = 0; k < r->item_count; k++, done++) {
                assert_int_equal(r->outcomes[k].err, ERR_OK);
                r->list[done / r->shape->txns].pids[done % r->shape->txns] = r->outcomes[k].value;
            }
            r->item_count = 0;
        }
    }
}

static void compact_all(struct run *r)
{
    r->ahead_ms += ACTIVE_MS; // what was just written is no longer active
    r->w->keeper->anchor_ms += ACTIVE_MS;
    round_ok(r->w);
    for (int n = 0; n < r->count; n++) {
        ref_compact(&r->list[n].ref);
    }
}

static void crash(struct run *r, bool has_snapshot)
{
    if (has_snapshot) {
        assert_int_equal(keeper_snapshot_now(r->w->keeper, NULL), ERR_OK);
    }
    world_close(r->w, false);
    world_open(r->w);
    keeper_observe_locked(r->w->keeper, r->w->core);
    r->w->keeper->anchor_ms += r->ahead_ms; // the clock never goes back
}

static struct run *run_create(const struct shape *shape)
{
    struct run *r = mem_zalloc(sizeof *r);
    r->shape = shape;
    r->length = shape->txns * (shape->writes + 1);
    assert_true(r->length <= STEPS_MAX);
    int most = 2520 * shape->masks;
    r->list = mem_zalloc((size_t)most * sizeof *r->list);
    int left[TXNS] = {shape->writes + 1, shape->writes + 1, shape->writes + 1, shape->writes + 1};
    int order[STEPS_MAX] = {0};
    permute(r, order, 0, left);
    r->ids = mem_zalloc((size_t)r->count * sizeof *r->ids);
    r->items = mem_array(BUNDLE_MAX + PARTS, sizeof *r->items);
    r->batches = mem_array(BUNDLE_MAX + PARTS, sizeof *r->batches);
    r->outcomes = mem_array(BUNDLE_MAX + PARTS, sizeof *r->outcomes);
    buf_init(&r->payload, 64 << 20);
    r->w = world_create();
    r->w->options.merge_wal_bytes = INT64_MAX; // an extent per batch: what is compacted can be told exactly
    r->w->options.merge_extents_max = UINT32_MAX;
    r->w->options.snapshot_wal_bytes = INT64_MAX;
    r->w->submits_all = true;
    world_close(r->w, true);
    world_open(r->w);
    topic_make(r);
    ids_make(r);
    keeper_observe_locked(r->w->keeper, r->w->core); // its clock begins
    return r;
}

static void run_destroy(struct run *r)
{
    world_destroy(r->w);
    codec_context_fini(&r->codec);
    buf_fini(&r->payload);
    mem_free(r->list);
    mem_free(r->ids);
    mem_free(r->items);
    mem_free(r->batches);
    mem_free(r->outcomes);
    mem_free(r);
}

// world_run: a compaction comes before step `compaction`, a crash before step `crash_at`, whichever is first
// when they are at one place.
static int world_run(const struct shape *shape, int compaction, int crash_at, bool crashes_first)
{
    struct run *r = run_create(shape);
    int count = r->count;
    for (int at = 0; at <= r->length; at++) {
        for (int turn = 0; turn < 2; turn++) {
            bool is_crash = (turn == 0) == crashes_first;
            if (is_crash && at == crash_at) {
                crash(r, (compaction + crash_at) % 2 == 0);
                check_bounds(r);
                check_contents(r);
            } else if (!is_crash && at == compaction) {
                compact_all(r);
                check_bounds(r);
                check_contents(r);
            }
        }
        if (at < r->length) {
            step_all(r, at);
            check_bounds(r);
        }
    }
    check_contents(r);
    run_destroy(r);
    return count;
}

// every_place: of all places for the two, one in `stride`.
static void every_place(const struct shape *shape, int stride)
{
    int length = shape->txns * (shape->writes + 1);
    int place = 0;
    int64_t runs = 0;
    for (int compaction = 0; compaction <= length; compaction++) {
        for (int crash_at = 0; crash_at <= length; crash_at++) {
            for (int first = 0; first < (compaction == crash_at ? 2 : 1); first++) {
                if (place++ % stride == 0) {
                    runs += world_run(shape, compaction, crash_at, first == 1);
                }
            }
        }
    }
    printf("%d transactions: %lld histories\n", shape->txns, (long long)runs);
}

// STROM_MODEL_PLACES=all: every place, and more patterns of commit and abort.
static bool is_all(void)
{
    const char *text = getenv("STROM_MODEL_PLACES");
    return text != NULL && strcmp(text, "all") == 0;
}

static void test_one_and_two(void **state)
{
    (void)state;
    const struct shape one = {.txns = 1, .writes = 3, .masks = 2};
    const struct shape two = {.txns = 2, .writes = 3, .masks = is_all() ? 16 : 4};
    every_place(&one, 1);
    every_place(&two, 1);
}

static void test_three(void **state)
{
    (void)state;
    const struct shape shape = {.txns = 3, .writes = 2, .masks = is_all() ? 4 : 1};
    every_place(&shape, is_all() ? 1 : 23);
}

static void test_four(void **state)
{
    (void)state;
    const struct shape shape = {.txns = 4, .writes = 1, .writes_both = true, .masks = is_all() ? 4 : 1};
    every_place(&shape, is_all() ? 1 : 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_and_two),
        cmocka_unit_test(test_three),
        cmocka_unit_test(test_four),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
