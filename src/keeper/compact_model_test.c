// SPDX-License-Identifier: Apache-2.0
// compact_model_test.c - compaction against a model of everything that was ever appended: random keys,
// tombstones, codecs, idempotent and transactional producers, trims, restarts, and failures of the engine at
// every verb. After each round the log must hold what I13 (Kafka's promise) says, and nothing else.
#include "keeper/compact_private.h"
#include "keeper/rig_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

enum { KEYS = 12, LOG_MAX = 1 << 16, IDEMPOTENT = 3, TXNS = 2, RETENTION_MS = 60000 };

enum fate { PLAIN, OPEN, COMMITTED, ABORTED, MARKER };
struct entry {
    enum fate fate;
    int key;
    int value; // -1 = a tombstone
    int64_t timestamp;
    int64_t pid;
    int64_t born_ms; // by the keeper's clock
    int64_t marker;  // of its transaction
};

struct producer_model {
    int64_t pid;
    int32_t sequence; // of the next record
    int32_t last_sequence;
    int32_t last_count;
    bool is_open; // in a transaction
    char id[8];
};

struct model {
    struct world *w;
    uint64_t seed;
    struct entry *log;
    int64_t count; // next offset
    struct producer_model producers[IDEMPOTENT + TXNS];
    int values;
    int64_t ahead_ms; // of the keeper's clock
    struct codec_context codec;
};

static uint32_t chance(struct model *m, uint32_t n)
{
    m->seed = m->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(m->seed >> 33) % n;
}

// ---- appending

static void entry_add(struct model *m, struct entry e)
{
    assert_true(m->count < LOG_MAX);
    e.born_ms = keeper_now_ms(m->w->keeper);
    m->log[m->count++] = e;
}

static void batch_append(struct model *m, int who)
{
    struct producer_model *pm = who < 0 ? NULL : &m->producers[who];
    bool is_txn = who >= IDEMPOTENT;
    int32_t records = 1 + (int32_t)chance(m, 6);
    struct batch_options options = batch_options_default();
    options.codec = (enum codec)chance(m, CODEC_COUNT);
    int64_t base_ms = clock_wall_ms(m->w->env->clock) - 10000 - chance(m, 100000);
    if (pm != NULL) {
        options.producer_id = pm->pid;
        options.producer_epoch = 0;
        options.base_sequence = pm->sequence;
        options.attributes = is_txn ? BATCH_ATTRIBUTE_TRANSACTIONAL : 0;
    }
    struct batch_builder b;
    batch_builder_init(&b, &options);
    struct entry entries[8];
    for (int32_t i = 0; i < records; i++) {
        struct entry *e = &entries[i];
        *e = (struct entry){.fate = is_txn ? OPEN : PLAIN, .pid = pm == NULL ? -1 : pm->pid};
        e->key = (int)chance(m, KEYS);
        e->value = chance(m, 4) == 0 ? -1 : m->values++;
        e->timestamp = base_ms + chance(m, 50);
        char key[8];
        char value[64];
        snprintf(key, sizeof key, "k%d", e->key);
        snprintf(value, sizeof value, "%d-%040d", e->value, 0);
        struct record_header header = {STR("h"), bytes_of((const uint8_t *)key, strlen(key))};
        batch_builder_append(&b, e->timestamp, bytes_of((const uint8_t *)key, strlen(key)),
                             e->value < 0 ? (struct bytes){NULL, 0}
                                          : bytes_of((const uint8_t *)value, strlen(value)),
                             &header, i % 2);
    }
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(batch_builder_finish(&b, &out, NULL), ERR_OK);
    struct item_data data = {
        .topic_id = topic_of(0),
        .producer_id = options.producer_id,
        .producer_epoch = options.producer_epoch,
        .attributes = (int16_t)(options.attributes | (int)options.codec | (is_txn ? DATA_ADDS : 0)),
        .base_sequence = options.base_sequence,
        .offset_span = records,
        .record_count = records,
        .max_timestamp = b.max_timestamp,
    };
    struct outcome outcome = order_batch(m->w, &data, buf_bytes(&out));
    assert_int_equal(outcome.err, ERR_OK);
    assert_false(outcome.is_duplicate);
    assert_int_equal(outcome.base_offset, m->count);
    for (int32_t i = 0; i < records; i++) {
        entry_add(m, entries[i]);
    }
    if (pm != NULL) { // it must be known as a duplicate for ever
        pm->is_open = is_txn;
        pm->last_sequence = pm->sequence;
        pm->last_count = records;
        pm->sequence += records;
        assert_true(order_batch(m->w, &data, buf_bytes(&out)).is_duplicate);
    }
    buf_fini(&out);
    batch_builder_fini(&b);
}

static void txn_end(struct model *m, int who, bool is_commit)
{
    struct producer_model *pm = &m->producers[who];
    struct item item = {.kind = ITEM_TXN_END, .version = 1};
    item.txn_end = (struct item_txn_end){
        .txn_id = str_from_c(pm->id), .producer_id = pm->pid, .producer_epoch = 0, .is_commit = is_commit};
    assert_int_equal(order_one(m->w, &item).err, ERR_OK);
    pm->is_open = false;
    for (int64_t i = 0; i < m->count; i++) {
        if (m->log[i].fate == OPEN && m->log[i].pid == pm->pid) {
            m->log[i].fate = is_commit ? COMMITTED : ABORTED;
            m->log[i].marker = m->count;
        }
    }
    entry_add(m, (struct entry){.fate = MARKER, .pid = pm->pid});
}

static void trim(struct model *m)
{
    const struct partition *p = partition_of(m->w, 0, 0);
    struct item item = {.kind = ITEM_TRIM, .version = 1};
    int64_t start = partition_log_start(p);
    item.trim =
        (struct item_trim){topic_of(0), 0, start + (int64_t)chance(m, (uint32_t)(m->count - start) / 8 + 1)};
    assert_int_equal(order_one(m->w, &item).err, ERR_OK);
}

// ---- what is there

struct seen {
    bool *is_there; // by offset
    int64_t newest[KEYS];
    int64_t clean_end;
};

static void see_batch(struct model *m, const struct batch_header *h, struct bytes batch, struct seen *seen)
{
    struct record_iterator it;
    assert_int_equal(record_iterator_init(&it, &m->codec, batch, NULL, NULL), ERR_OK);
    struct record r;
    while (record_iterator_next(&it, &r)) {
        assert_true(r.offset >= h->base_offset && r.offset <= batch_last_offset(h));
        const struct entry *e = &m->log[r.offset];
        seen->is_there[r.offset] = true;
        assert_int_equal(h->producer_id, e->pid);
        if (batch_is_control(h)) {
            assert_int_equal(e->fate, MARKER);
            continue;
        }
        char key[8];
        char value[64];
        snprintf(key, sizeof key, "k%d", e->key);
        snprintf(value, sizeof value, "%d-%040d", e->value, 0);
        assert_int_equal(r.timestamp, e->timestamp);
        assert_int_equal(r.key.len, strlen(key));
        assert_memory_equal(r.key.ptr, key, r.key.len);
        assert_int_equal(r.value.ptr == NULL, e->value < 0);
        if (e->value >= 0) {
            assert_int_equal(r.value.len, strlen(value));
            assert_memory_equal(r.value.ptr, value, r.value.len);
        }
        if (e->fate != ABORTED) {
            seen->newest[e->key] = r.offset;
        }
    }
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
}

static void see(struct model *m, struct seen *seen)
{
    const struct partition *p = partition_of(m->w, 0, 0);
    struct compact_reader reader;
    compact_reader_init(&reader, m->w->engine);
    seen->is_there = mem_zalloc((size_t)m->count + 1);
    memset(seen->newest, 0xff, sizeof seen->newest);
    seen->clean_end = 0;
    bool is_clean = true;
    for (uint32_t i = 0; i < partition_extent_count(p); i++) {
        const struct extent *extent = partition_extent(p, i);
        struct error e = {0};
        assert_true(i == 0 || partition_extent(p, i - 1)->end_offset == extent->base_offset);
        if (compact_reader_open(&reader, extent, &e) != ERR_OK) {
            fail_msg("%s", e.text);
        }
        uint32_t records = 0;
        for (;;) {
            struct batch_header h;
            struct bytes batch;
            if (compact_reader_next(&reader, &h, &batch, &e) != ERR_OK) {
                fail_msg("%s", e.text);
            }
            if (batch.ptr == NULL) {
                break;
            }
            records += (uint32_t)h.record_count;
            see_batch(m, &h, batch, seen);
        }
        assert_int_equal(records, extent->record_count);
        is_clean = is_clean && (extent->flags & EXTENT_CLEAN) != 0;
        seen->clean_end = is_clean ? extent->end_offset : seen->clean_end;
    }
    assert_int_equal(partition_high_watermark(p), m->count);
    compact_reader_fini(&reader);
}

static bool is_hidden(const struct partition *p, const struct entry *e, int64_t offset)
{
    for (uint32_t i = 0; i < partition_aborted_count(p); i++) {
        struct aborted_view view;
        partition_aborted_at(p, i, &view);
        if (view.producer_id == e->pid && view.first_offset <= offset && offset < view.marker_offset) {
            return true;
        }
    }
    return false;
}

static void check(struct model *m)
{
    const struct partition *p = partition_of(m->w, 0, 0);
    int64_t start = partition_log_start(p);
    int64_t stable = partition_last_stable_offset(p);
    int64_t now_ms = keeper_now_ms(m->w->keeper);
    struct seen seen;
    see(m, &seen);
    int64_t newest[KEYS]; // that took effect
    memset(newest, 0xff, sizeof newest);
    for (int64_t i = 0; i < m->count; i++) {
        const struct entry *e = &m->log[i];
        if (e->fate == PLAIN || e->fate == COMMITTED || e->fate == OPEN) {
            newest[e->key] = i;
        }
    }
    for (int64_t i = start; i < m->count; i++) {
        const struct entry *e = &m->log[i];
        bool is_data = e->fate == PLAIN || e->fate == COMMITTED || e->fate == OPEN;
        if (i >= stable) {
            assert_true(seen.is_there[i]); // unstable
        } else if (is_data && newest[e->key] == i && e->value >= 0) {
            assert_true(seen.is_there[i]); // the last value of its key
        } else if (is_data && newest[e->key] == i && now_ms < e->born_ms + RETENTION_MS) {
            assert_true(seen.is_there[i]); // a tombstone before its time
        }
        if (seen.is_there[i] && e->fate != MARKER) {
            assert_int_equal(is_hidden(p, e, i), e->fate == ABORTED);
        }
        if (seen.is_there[i] && (e->fate == COMMITTED || e->fate == ABORTED)) {
            assert_true(seen.is_there[e->marker]);
        }
        if (i < seen.clean_end && seen.is_there[i] && e->fate != MARKER) { // it was worth it
            assert_int_not_equal(e->fate, ABORTED);
        }
    }
    for (int k = 0; k < KEYS; k++) { // nothing comes back
        if (newest[k] >= 0 && seen.newest[k] != newest[k]) {
            assert_true(seen.newest[k] < start || m->log[newest[k]].value < 0);
            assert_true(seen.newest[k] < start);
        }
    }
    mem_free(seen.is_there);
}

// check_compacted: below the compacted end each key is there at most once.
static void check_compacted(struct model *m)
{
    const struct partition *p = partition_of(m->w, 0, 0);
    struct seen seen;
    see(m, &seen);
    int counts[KEYS] = {0};
    for (int64_t i = partition_log_start(p); i < seen.clean_end; i++) {
        if (seen.is_there[i] && m->log[i].fate != MARKER) {
            assert_int_equal(counts[m->log[i].key]++, 0);
        }
    }
    assert_true(seen.clean_end >= partition_last_stable_offset(p));
    mem_free(seen.is_there);
}

// ---- the world

static void restart(struct model *m, bool is_clean)
{
    world_close(m->w, is_clean);
    world_open(m->w);
    keeper_observe_locked(m->w->keeper, m->w->core);
    m->w->keeper->anchor_ms += m->ahead_ms; // the clock never goes back
}

static void time_pass(struct model *m, int64_t ms)
{
    m->ahead_ms += ms;
    m->w->keeper->anchor_ms += ms;
}

static struct model *model_create(uint64_t seed)
{
    struct model *m = mem_zalloc(sizeof *m);
    m->seed = seed;
    m->log = mem_array(LOG_MAX, sizeof *m->log);
    m->w = world_create();
    m->w->options.object_bytes_max = 4096 << chance(m, 6);
    m->w->options.compact_map_bytes = 1;
    m->w->options.merge_wal_bytes = 1 << (10 + chance(m, 10));
    m->w->options.merge_small_max = 2 + chance(m, 8);
    restart(m, true);
    struct item_config configs[] = {{STR("cleanup.policy"), STR("compact")},
                                    {STR("delete.retention.ms"), STR("60000")},
                                    {STR("min.cleanable.dirty.ratio"), STR("0.0")},
                                    {STR("segment.ms"), STR("1")}};
    struct item item = {.kind = ITEM_TOPIC_CREATE, .version = 1};
    item.topic_create = (struct item_topic_create){topic_of(0), STR("t"), 1, configs, 4};
    assert_int_equal(order_one(m->w, &item).err, ERR_OK);
    for (int i = 0; i < IDEMPOTENT + TXNS; i++) {
        struct producer_model *pm = &m->producers[i];
        item = (struct item){.kind = ITEM_PRODUCER_ID, .version = 1};
        if (i >= IDEMPOTENT) {
            snprintf(pm->id, sizeof pm->id, "txn%d", i);
            item.kind = ITEM_TXN_INIT;
            item.txn_init = (struct item_txn_init){str_from_c(pm->id), 3600000, -1, -1};
        }
        struct outcome outcome = order_one(m->w, &item);
        assert_int_equal(outcome.err, ERR_OK);
        pm->pid = outcome.value;
    }
    return m;
}

static void model_destroy(struct model *m)
{
    world_destroy(m->w);
    codec_context_fini(&m->codec);
    mem_free(m->log);
    mem_free(m);
}

static void step(struct model *m)
{
    uint32_t what = chance(m, 100);
    int who = IDEMPOTENT + (int)chance(m, TXNS);
    if (what < 30) {
        batch_append(m, -1);
    } else if (what < 50) {
        batch_append(m, (int)chance(m, IDEMPOTENT));
    } else if (what < 70) {
        batch_append(m, who);
    } else if (what < 85) {
        if (m->producers[who].is_open) {
            txn_end(m, who, chance(m, 2) == 0);
        }
    } else if (what < 93) {
        round_ok(m->w);
        check(m);
    } else if (what < 96) {
        time_pass(m, chance(m, RETENTION_MS));
    } else if (what < 97) {
        trim(m);
    } else {
        restart(m, chance(m, 2) == 0);
        check(m);
    }
}

static void finish(struct model *m)
{
    for (int who = IDEMPOTENT; who < IDEMPOTENT + TXNS; who++) {
        if (m->producers[who].is_open) {
            txn_end(m, who, true);
        }
    }
    for (int i = 0; i < 4; i++) { // what has to wait for a horizon, and what was seen only then
        round_ok(m->w);
        check(m);
        time_pass(m, 2 * RETENTION_MS);
        batch_append(m, -1);
    }
    round_ok(m->w);
    check(m);
    check_compacted(m);
    const struct partition *p = partition_of(m->w, 0, 0);
    assert_int_equal(partition_aborted_count(p), 0);
    assert_true(partition_bytes(p) < 40000); // it does not grow with what was written
}

static void test_random_worlds(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct model *m = model_create(seed);
        for (int i = 0; i < 400; i++) {
            step(m);
        }
        finish(m);
        model_destroy(m);
    }
}

// ---- failures

static struct world *current;

static bool fault(void)
{
    return current->faults_after >= 0 && current->faults_after-- <= 0;
}

static enum err faulty_create(struct engine *engine, uint64_t *ret_object, struct error *e)
{
    return fault() ? FAIL(e, ERR_NO_SPACE, "planted")
                   : current->real_ops->object_create(engine, ret_object, e);
}

static enum err faulty_append(struct engine *engine, uint64_t object, struct bytes data, struct error *e)
{
    return fault() ? FAIL(e, ERR_NO_SPACE, "planted")
                   : current->real_ops->object_append(engine, object, data, e);
}

static enum err faulty_seal(struct engine *engine, uint64_t object, struct error *e)
{
    return fault() ? FAIL(e, ERR_NO_SPACE, "planted") : current->real_ops->object_seal(engine, object, e);
}

static enum err faulty_order(struct engine *engine, const struct bundle *b, bool is_control,
                             struct ordered *ret, struct error *e)
{
    return fault() ? FAIL(e, ERR_STORAGE, "planted")
                   : current->real_ops->order(engine, b, is_control, ret, e);
}

// The engine fails at its n-th verb and at all behind it, for every n, and the process is killed there: the
// log is what it was or compacted in part.
static void test_every_failure(void **state)
{
    (void)state;
    struct model *m = model_create(99);
    m->w->options.object_bytes_max = 1024; // many objects, so many places to stop
    restart(m, true);
    current = m->w;
    bool was_reached = true;
    for (int32_t n = 0; was_reached; n++) {
        assert_true(n < 400);
        for (int i = 0; i < 12; i++) {
            batch_append(m, (int)chance(m, IDEMPOTENT + TXNS));
        }
        for (int who = IDEMPOTENT; who < IDEMPOTENT + TXNS; who++) {
            if (m->producers[who].is_open && chance(m, 3) > 0) {
                txn_end(m, who, chance(m, 2) == 0);
            }
        }
        time_pass(m, RETENTION_MS / 2);
        m->w->ops.object_create = faulty_create;
        m->w->ops.object_append = faulty_append;
        m->w->ops.object_seal = faulty_seal;
        m->w->ops.order = faulty_order;
        m->w->engine->ops = &m->w->ops;
        m->w->faults_after = n;
        int64_t next_ns;
        (void)keeper_round(m->w->keeper, &next_ns, NULL);
        was_reached = m->w->faults_after < 0;
        m->w->faults_after = -1;
        m->w->engine->ops = m->w->real_ops;
        check(m);
        restart(m, false);
        assert_int_equal(keeper_after_recovery(m->w->keeper, NULL), ERR_OK);
        check(m);
        if (n % 4 == 3) {
            round_ok(m->w);
            check(m);
        }
    }
    finish(m);
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_worlds),
        cmocka_unit_test(test_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
