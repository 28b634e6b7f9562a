// SPDX-License-Identifier: Apache-2.0
#include "core/group_rig_test.h"
#include "core/ops_test.h"

#include "base/mem.h"

// A log of bundles, to be applied to several cores.
struct record_log {
    struct core_bundle bundles[4096];
    uint32_t count;
};

static void log_free(struct record_log *log)
{
    for (uint32_t i = 0; i < log->count; i++) {
        mem_free((void *)(uintptr_t)log->bundles[i].meta.ptr);
    }
    mem_free(log);
}

// bundle_random applies a random bundle to the rig and logs it.
static void bundle_random(struct rig *rig, struct ops *ops, struct record_log *log)
{
    uint32_t count = 1 + ops_random(ops, 6);
    rig->object = 1 + core_lsn(rig->core) / 50;
    for (uint32_t i = 0; i < count; i++) {
        struct item item;
        ops_next(ops, rig, &item);
        rig_add(rig, &item);
    }
    struct core_bundle bundle = rig_bundle(rig);
    uint8_t *meta = mem_alloc(bundle.meta.len + 1);
    memcpy(meta, bundle.meta.ptr, bundle.meta.len);
    bundle.meta.ptr = meta;
    assert_true(log->count < 4096);
    log->bundles[log->count++] = bundle;
    rig_flush(rig);
    rig->time_ms += ops_random(ops, 40);
}

static void log_apply(struct core *core, const struct record_log *log)
{
    struct outcome outcomes[64];
    for (uint32_t i = 0; i < log->count; i++) {
        if (log->bundles[i].lsn > core_lsn(core)) {
            assert_int_equal(core_apply(core, &log->bundles[i], outcomes, NULL, NULL), ERR_OK);
        }
    }
}

static struct core *load(struct bytes snapshot)
{
    struct core *core = core_create();
    struct error e = {0};
    enum err err = core_load(core, snapshot, &e);
    if (err != ERR_OK) {
        fail_msg("%s: %s", err_name(err), e.text);
    }
    return core;
}

static void hash_same_for_the_same_bundles(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 104; seed++) {
        struct rig rig;
        struct ops ops;
        struct record_log *log = mem_zalloc(sizeof *log);
        rig_init(&rig);
        ops_init(&ops, seed);
        uint64_t last_hash = core_state_hash(rig.core);
        for (int i = 0; i < 300; i++) {
            bundle_random(&rig, &ops, log);
            uint64_t hash = core_state_hash(rig.core);
            assert_true(hash != last_hash); // it has the LSN
            last_hash = hash;
        }
        struct core *other = core_create();
        log_apply(other, log);
        assert_true(core_state_hash(other) == last_hash);
        assert_int_equal(core_next_deadline_ms(other), core_next_deadline_ms(rig.core));
        core_destroy(other);
        log_free(log);
        rig_fini(&rig);
    }
}

// The same items, bundled differently: same outcomes and offsets. (Expiry and extents depend on bundles.)
static void outcomes_do_not_depend_on_bundling(void **state)
{
    (void)state;
    enum { ITEMS = 400 };
    struct rig one;
    struct rig many;
    struct ops ops;
    static struct outcome outcomes[ITEMS];
    rig_init(&one);
    rig_init(&many);
    ops_init(&ops, 7);
    for (int i = 0; i < ITEMS; i++) {
        struct item item;
        do {
            ops_next(&ops, &one, &item);
        } while (item.kind == ITEM_REPLACE || item.kind == ITEM_TICK);
        item.depends_on = 0;
        outcomes[i] = rig_one(&one, &item);
        rig_add(&many, &item);
    }
    rig_flush(&many);
    for (int i = 0; i < ITEMS; i++) {
        assert_int_equal(many.outcomes[i].err, outcomes[i].err);
        assert_int_equal(many.outcomes[i].base_offset, outcomes[i].base_offset);
        assert_int_equal(many.outcomes[i].is_duplicate, outcomes[i].is_duplicate);
        assert_int_equal(many.outcomes[i].log_start_offset, outcomes[i].log_start_offset);
    }
    assert_int_equal(core_topic_count(many.core), core_topic_count(one.core));
    for (uint32_t t = 0; t < core_topic_count(one.core); t++) {
        struct topic *a = core_topic_at(one.core, t);
        struct topic *b = core_topic_at(many.core, t);
        for (int32_t i = 0; i < topic_partition_count(a); i++) {
            assert_int_equal(partition_high_watermark(topic_partition(a, i)),
                             partition_high_watermark(topic_partition(b, i)));
        }
    }
    rig_fini(&one);
    rig_fini(&many);
}

static uint32_t partitions_saved; // how often a cut overlapped with changes: see the end

// A cut in steps of `step` objects with a random bundle between steps, then the tail on what was loaded.
static void cut_check(uint64_t seed, uint32_t step, int bundles_before)
{
    struct rig rig;
    struct ops ops;
    struct record_log *log = mem_zalloc(sizeof *log);
    rig_init(&rig);
    ops_init(&ops, seed);
    for (int i = 0; i < bundles_before; i++) {
        bundle_random(&rig, &ops, log);
    }
    for (int round = 0; round < 3; round++) {
        uint64_t cut_hash = core_state_hash(rig.core);
        uint64_t cut_lsn = core_lsn(rig.core);
        struct buf snapshot;
        buf_init(&snapshot, SIZE_MAX / 2);
        core_snapshot_begin(rig.core);
        if (round == 1) { // given up in the middle: the next one is whole again
            core_snapshot_step(rig.core, 3, &snapshot);
            bundle_random(&rig, &ops, log);
            core_snapshot_abort(rig.core);
            buf_fini(&snapshot);
            continue;
        }
        while (!core_snapshot_step(rig.core, step, &snapshot)) {
            bundle_random(&rig, &ops, log);
            partitions_saved++;
        }
        struct core *loaded = load(buf_bytes(&snapshot));
        assert_int_equal(core_lsn(loaded), cut_lsn);
        assert_true(core_state_hash(loaded) == cut_hash);
        log_apply(loaded, log);
        assert_int_equal(core_lsn(loaded), core_lsn(rig.core));
        assert_true(core_state_hash(loaded) == core_state_hash(rig.core));
        // The loaded one and the original go on alike.
        for (int i = 0; i < 20; i++) {
            bundle_random(&rig, &ops, log);
        }
        log_apply(loaded, log);
        assert_true(core_state_hash(loaded) == core_state_hash(rig.core));
        core_destroy(loaded);
        buf_fini(&snapshot);
    }
    log_free(log);
    rig_fini(&rig);
}

static void snapshot_in_slices_while_bundles_apply(void **state)
{
    (void)state;
    for (uint32_t step = 1; step <= 40; step++) {
        cut_check(1000 + step, step, (int)(step * 7 % 150));
        cut_check(2000 + step, step, 60);
    }
    assert_true(partitions_saved > 500);
}

static void snapshot_of_an_empty_core(void **state)
{
    (void)state;
    struct core *core = core_create();
    struct buf snapshot;
    rig_snapshot(core, &snapshot);
    struct core *other = load(buf_bytes(&snapshot));
    assert_true(core_state_hash(other) == core_state_hash(core));
    core_destroy(other);
    core_destroy(core);
    buf_fini(&snapshot);
}

static void wide_topic(struct rig *rig)
{
    rig_init(rig);
    struct item create = rig_create(1, "wide", 300);
    rig_one(rig, &create);
    for (int32_t i = 0; i < 300; i++) {
        struct item data = rig_idempotent(1, i, 7, 0, 0, 1);
        rig_one(rig, &data);
    }
}

// A topic deleted after the cut is in it, whole, however its memory is freed meanwhile; one deleted before is
// not.
static void snapshot_and_deletion(void **state)
{
    (void)state;
    struct item delete = rig_delete(1);
    struct item tick = rig_kind(ITEM_TICK);
    for (uint32_t step = 1; step < 700; step += 97) {
        struct rig rig;
        wide_topic(&rig);
        uint64_t hash = core_state_hash(rig.core);
        struct buf snapshot;
        buf_init(&snapshot, SIZE_MAX / 2);
        core_snapshot_begin(rig.core);
        bool is_done = core_snapshot_step(rig.core, step, &snapshot);
        rig_one(&rig, &delete);
        while (!is_done) {
            rig_one(&rig, &tick);
            is_done = core_snapshot_step(rig.core, step, &snapshot);
        }
        struct core *loaded = load(buf_bytes(&snapshot));
        assert_true(core_state_hash(loaded) == hash);
        assert_int_equal(core_partition_total(loaded), 300);
        core_destroy(loaded);
        buf_fini(&snapshot);
        rig_fini(&rig);

        wide_topic(&rig);
        rig_one(&rig, &delete); // 64 of its partitions are freed, the others are dying
        rig_snapshot(rig.core, &snapshot);
        loaded = load(buf_bytes(&snapshot));
        assert_true(core_state_hash(loaded) == core_state_hash(rig.core));
        assert_int_equal(core_topic_count(loaded), 0);
        assert_int_equal(core_object_extents(loaded, 1), 0);
        core_destroy(loaded);
        buf_fini(&snapshot);
        rig_fini(&rig);
    }
}

// A group, its topic or both are deleted after the cut began: their offsets are in it, also those of pages
// that are freed later. Deleted before it, they are not.
static void snapshot_and_deletion_of_offsets(void **state)
{
    (void)state;
    enum { TOPIC = 1, GROUP = 2 };
    struct item tick = rig_kind(ITEM_TICK);
    for (int gone = TOPIC; gone <= (TOPIC | GROUP); gone++) {
        for (uint32_t step = 1; step < 6000; step = step * 3 + 1) {
            struct rig rig;
            rig_init(&rig);
            struct item create = rig_create(1, "wide", 5000);
            struct item commits[] = {rig_commit_many("g", 1, 5000), rig_commit_many("h", 1, 500)};
            rig_one(&rig, &create);
            rig_one(&rig, &commits[0]);
            rig_one(&rig, &commits[1]);
            uint64_t hash = core_state_hash(rig.core);
            struct buf snapshot;
            buf_init(&snapshot, SIZE_MAX / 2);
            core_snapshot_begin(rig.core);
            bool is_done = core_snapshot_step(rig.core, step, &snapshot);
            struct item delete_topic = rig_delete(1);
            struct item delete_group = rig_group_delete("g", false);
            if ((gone & GROUP) != 0) {
                rig_add(&rig, &delete_group);
            }
            if ((gone & TOPIC) != 0) {
                rig_add(&rig, &delete_topic);
            }
            rig_flush(&rig);
            uint64_t after = core_state_hash(rig.core);
            core_destroy(is_done ? rig_copy(rig.core) : NULL); // a cut of what is dying
            while (!is_done) {
                rig_one(&rig, &tick);
                is_done = core_snapshot_step(rig.core, step, &snapshot);
            }
            struct core *loaded = load(buf_bytes(&snapshot));
            assert_true(core_state_hash(loaded) == hash);
            assert_true(core_state_hash(loaded) != after);
            assert_int_equal(core_offset_total(loaded), 5500);
            core_destroy(loaded);
            buf_fini(&snapshot);
            rig_fini(&rig);
        }
    }
}

// A page of offsets may hold a megabyte of metadata: the bytes of a step are bounded, not only its objects.
static void snapshot_steps_are_small(void **state)
{
    (void)state;
    enum { PARTITIONS = 2560, METADATA = 4096, STEP_MAX = 3 << 20 };
    static char text[METADATA];
    memset(text, 'm', sizeof text);
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "wide", PARTITIONS);
    rig_one(&rig, &create);
    static struct item_offset offsets[PARTITIONS];
    for (int32_t i = 0; i < PARTITIONS; i++) {
        offsets[i] = rig_offset(1, i, 7);
        offsets[i].metadata = (struct str){text, sizeof text};
    }
    struct item commit = rig_commit_all("g", -1, "", offsets, PARTITIONS);
    assert_int_equal(rig_one(&rig, &commit).err, ERR_OK);
    core_snapshot_begin(rig.core);
    struct buf part;
    bool is_done = false;
    while (!is_done) {
        buf_init(&part, SIZE_MAX / 2);
        is_done = core_snapshot_step(rig.core, 100000, &part);
        assert_true(part.len <= STEP_MAX);
        buf_fini(&part);
    }
    rig_fini(&rig);
}

static void snapshot_keeps_producers_16(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "orders", 1);
    struct item data = rig_idempotent(1, 0, 7, 3, 0, 5);
    struct item trim = rig_trim(1, 0, 5);
    rig_one(&rig, &create);
    rig_one(&rig, &data);
    rig_one(&rig, &trim);
    struct buf snapshot;
    rig_snapshot(rig.core, &snapshot);
    core_destroy(rig.core);
    rig.core = load(buf_bytes(&snapshot));
    assert_int_equal(core_next_deadline_ms(rig.core), 1000 + 86400000);
    struct outcome outcome = rig_one(&rig, &data);
    assert_true(outcome.is_duplicate);
    assert_int_equal(outcome.base_offset, 0);
    data.data.producer_epoch = 2;
    assert_int_equal(rig_one(&rig, &data).err, ERR_INVALID_PRODUCER_EPOCH);
    buf_fini(&snapshot);
    rig_fini(&rig);
}

// ---- damage

static void snapshot_make(struct buf *out)
{
    struct rig rig;
    struct ops ops;
    struct record_log *log = mem_zalloc(sizeof *log);
    rig_init(&rig);
    ops_init(&ops, 42);
    for (int i = 0; i < 60; i++) {
        bundle_random(&rig, &ops, log);
    }
    rig_snapshot(rig.core, out);
    log_free(log);
    rig_fini(&rig);
}

static enum err load_copy(struct bytes snapshot)
{
    uint8_t *copy = mem_alloc(snapshot.len + 1);
    memcpy(copy, snapshot.ptr, snapshot.len);
    struct core *core = core_create();
    struct error e = {0};
    enum err err = core_load(core, bytes_of(copy, snapshot.len), &e);
    assert_true(err == ERR_OK || e.text[0] != 0);
    core_destroy(core);
    mem_free(copy);
    return err;
}

static void snapshot_every_byte_flipped_is_corrupt(void **state)
{
    (void)state;
    struct buf snapshot;
    snapshot_make(&snapshot);
    assert_int_equal(load_copy(buf_bytes(&snapshot)), ERR_OK);
    for (size_t i = 0; i < snapshot.len; i++) {
        uint8_t was = snapshot.ptr[i];
        snapshot.ptr[i] ^= (uint8_t)(1 << (i % 8));
        assert_int_equal(load_copy(buf_bytes(&snapshot)), ERR_CORRUPT);
        snapshot.ptr[i] = (uint8_t)~was;
        assert_int_equal(load_copy(buf_bytes(&snapshot)), ERR_CORRUPT);
        snapshot.ptr[i] = was;
    }
    buf_fini(&snapshot);
}

static void snapshot_truncated_or_longer_is_corrupt(void **state)
{
    (void)state;
    struct buf snapshot;
    snapshot_make(&snapshot);
    for (size_t len = 0; len < snapshot.len; len++) {
        assert_int_equal(load_copy(bytes_of(snapshot.ptr, len)), ERR_CORRUPT);
    }
    buf_u8(&snapshot, 0);
    assert_int_equal(load_copy(buf_bytes(&snapshot)), ERR_CORRUPT);
    buf_fini(&snapshot);
}

// seal puts the right count and hash behind records that are wrong in themselves.
uint64_t record_hash(uint8_t kind, struct bytes body);

static enum err load_sealed(const uint8_t *records, size_t len)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_append(&out, "STROMSNP\0\0\0\1", 12);
    buf_append(&out, records, len);
    uint64_t count = 0;
    uint64_t hash = 0;
    struct reader r = reader_init(bytes_of(records, len));
    while (reader_left(&r) > 0) {
        uint32_t length = reader_u32(&r);
        uint8_t kind = (uint8_t)reader_i8(&r);
        const uint8_t *body = reader_take(&r, length);
        if (r.failed) {
            break;
        }
        hash += record_hash(kind, bytes_of(body, length));
        count++;
    }
    buf_be32(&out, 16);
    buf_u8(&out, 255);
    buf_be64(&out, count);
    buf_be64(&out, hash);
    enum err err = load_copy(buf_bytes(&out));
    buf_fini(&out);
    return err;
}

// Every byte of a small snapshot is changed under a right hash: what loads must be sound, the rest refused.
static void snapshot_wrong_under_a_right_hash(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "orders", 1);
    struct item data = rig_idempotent(1, 0, 7, 0, 0, 2);
    struct item raise = rig_kind(ITEM_EPOCH_RAISE);
    struct item_quota_part user = {QUOTA_USER, STR("ann")};
    struct item_quota_value rate = {STR("producer_byte_rate"), 1e6};
    struct item quota = rig_kind(ITEM_QUOTA_SET);
    quota.quota_set = (struct item_quota_set){&user, 1, 0, &rate, 1};
    rig_one(&rig, &create);
    rig_one(&rig, &data);
    rig_one(&rig, &raise);
    rig_one(&rig, &quota);
    assert_int_equal(rig_commit(&rig, "g", 1, 0, 5), ERR_OK);
    assert_int_equal(rig_set(&rig, "g", 0, 3, "ba"), ERR_OK);
    struct buf snapshot;
    rig_snapshot(rig.core, &snapshot);
    uint8_t *records = snapshot.ptr + 12;
    size_t len = snapshot.len - 12 - 21;
    assert_int_equal(load_sealed(records, len), ERR_OK);
    int refused = 0;
    for (size_t i = 0; i < len; i++) {
        static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
        uint8_t was = records[i];
        for (size_t v = 0; v < sizeof values; v++) {
            records[i] = values[v];
            enum err err = load_sealed(records, len);
            assert_true(err == ERR_OK || err == ERR_CORRUPT);
            refused += err == ERR_CORRUPT;
        }
        records[i] = was;
    }
    assert_true(refused > 300);
    // A record left out, or twice.
    size_t at = 0;
    while (at < len) {
        size_t size = 5 + (size_t)load_be32(records + at);
        uint8_t kind = records[at + 4];
        bool may_lack = kind == 4 || kind == 6 || kind == 7; // producers, offsets, quotas
        struct buf other;
        buf_init(&other, 1 << 20);
        buf_append(&other, records, at);
        buf_append(&other, records + at + size, len - at - size);
        assert_int_equal(load_sealed(other.ptr, other.len), may_lack ? ERR_OK : ERR_CORRUPT);
        buf_reset(&other);
        buf_append(&other, records, len);
        buf_append(&other, records + at, size);
        assert_int_equal(load_sealed(other.ptr, other.len), ERR_CORRUPT);
        buf_fini(&other);
        at += size;
    }
    buf_fini(&snapshot);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_same_for_the_same_bundles),
        cmocka_unit_test(outcomes_do_not_depend_on_bundling),
        cmocka_unit_test(snapshot_in_slices_while_bundles_apply),
        cmocka_unit_test(snapshot_of_an_empty_core),
        cmocka_unit_test(snapshot_and_deletion),
        cmocka_unit_test(snapshot_and_deletion_of_offsets),
        cmocka_unit_test(snapshot_steps_are_small),
        cmocka_unit_test(snapshot_keeps_producers_16),
        cmocka_unit_test(snapshot_every_byte_flipped_is_corrupt),
        cmocka_unit_test(snapshot_truncated_or_longer_is_corrupt),
        cmocka_unit_test(snapshot_wrong_under_a_right_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
