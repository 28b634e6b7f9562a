// SPDX-License-Identifier: Apache-2.0
// fault_test.c - upkeep over rotten and lost bytes, a failing engine, and stops in its midst.
#include "keeper/rig_test.h"

#include <setjmp.h>
#include <stdarg.h>

#include <stdio.h>

#include <cmocka.h>

// ---- rot

static void rot(struct world *w, const struct extent *extent, int64_t at)
{
    char path[64];
    snprintf(path, sizeof path, "wal/%020llu.wal", (unsigned long long)extent->object);
    struct file *file = NULL;
    assert_int_equal(disk_open(w->env->disk, str_from_c(path), DISK_WRITE, &file, NULL), ERR_OK);
    uint8_t byte = 0;
    size_t len = 0;
    assert_int_equal(file_read_full(file, extent->position + at, &byte, 1, &len, NULL), ERR_OK);
    byte ^= 0x40;
    assert_int_equal(file_write_bytes(file, extent->position + at, bytes_of(&byte, 1), NULL), ERR_OK);
    file_close(file);
}

static void test_rot_stays(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 3, NULL, NULL);
    for (int i = 0; i < 10; i++) {
        produce_mixed(w, 0, 3);
    }
    static const struct {
        int32_t partition;
        uint32_t extent;
        int64_t at;
    } rows[] = {{0, 4, 65}, {1, 0, 8}, {1, 9, 23}, {2, 5, 70}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rot(w, partition_extent(partition_of(w, 0, rows[i].partition), rows[i].extent), rows[i].at);
    }
    round_ok(w);
    assert_int_equal(unmerged_extents(w, 0), 4);
    assert_int_equal(metric_value(w->keeper->damaged_extents), 4);
    const struct partition *p = partition_of(w, 0, 0);
    assert_int_equal(partition_extent_count(p), 3); // merged, rotten, merged
    assert_true((partition_extent(p, 0)->flags & EXTENT_FINAL) != 0);
    assert_true((partition_extent(p, 1)->flags & EXTENT_FINAL) == 0);
    assert_int_equal(partition_extent_count(partition_of(w, 0, 1)), 3);
    // Reported once; it does not keep the keeper busy, and the rest goes on.
    produce_mixed(w, 0, 3);
    round_ok(w);
    assert_int_equal(unmerged_extents(w, 0), 4);
    assert_int_equal(metric_value(w->keeper->damaged_extents), 4);
    uint64_t lsn = core_lsn(w->core);
    round_ok(w);
    assert_int_equal(core_lsn(w->core), lsn);
    // Put right again, the bytes are what they were: nothing was rewritten on the way.
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct partition *q = partition_of(w, 0, rows[i].partition);
        for (uint32_t j = 0, seen = 0; j < partition_extent_count(q); j++) {
            const struct extent *x = partition_extent(q, j);
            if ((x->flags & EXTENT_FINAL) == 0 && (rows[i].partition != 1 || seen++ == (uint32_t)i - 1)) {
                rot(w, x, rows[i].at);
            }
        }
    }
    check_topic(w, 0);
    world_destroy(w);
}

static struct object *lost_pin(struct engine *engine, uint64_t object)
{
    (void)engine, (void)object;
    return NULL;
}

// An object that the state names and the disk lacks: the same as rot.
static void test_lost_object(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 3, NULL, NULL);
    produce_mixed(w, 0, 3);
    w->ops.object_pin = lost_pin;
    w->engine->ops = &w->ops;
    int64_t next_ns;
    assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK);
    w->engine->ops = w->real_ops;
    assert_int_equal(unmerged_extents(w, 0), 3);
    assert_int_equal(metric_value(w->keeper->damaged_extents), 3);
    check_topic(w, 0);
    world_destroy(w);
}

// ---- faults

static struct world *current; // the fault hooks have no other way to it

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

static enum err faulty_order(struct engine *engine, const struct bundle *b, bool is_control,
                             struct ordered *ret, struct error *e)
{
    return fault() ? FAIL(e, ERR_STORAGE, "planted")
                   : current->real_ops->order(engine, b, is_control, ret, e);
}

static enum err faulty_snapshot(struct engine *engine, uint64_t lsn, struct bytes part, bool is_last,
                                struct error *e)
{
    if (fault()) {
        (void)current->real_ops->snapshot_write(engine, 0, part, true, NULL); // discards the unfinished one
        return FAIL(e, ERR_NO_SPACE, "planted");
    }
    return current->real_ops->snapshot_write(engine, lsn, part, is_last, e);
}

static enum err faulty_lease(struct engine *engine, struct str name, int64_t duration_ms, struct error *e)
{
    return fault() ? FAIL(e, ERR_STALE, "planted") : current->real_ops->lease(engine, name, duration_ms, e);
}

// The engine fails from its n-th verb on, for every n: no data is lost, no object is left over, and when it
// works again the work is done.
static void test_every_failure(void **state)
{
    (void)state;
    struct world *w = world_create();
    current = w;
    topic_create(w, 0, 5, "retention.bytes", "100000");
    bool was_reached = true;
    for (int32_t n = 0; was_reached; n++) {
        assert_true(n < 200);
        for (int i = 0; i < 3; i++) {
            produce_mixed(w, 0, 5);
        }
        w->ops.object_create = faulty_create;
        w->ops.object_append = faulty_append;
        w->ops.order = faulty_order;
        w->ops.snapshot_write = n % 2 == 0 ? w->real_ops->snapshot_write : faulty_snapshot;
        w->ops.lease = n % 3 == 0 ? faulty_lease : w->real_ops->lease;
        w->engine->ops = &w->ops;
        w->faults_after = n;
        int64_t next_ns;
        w->keeper->merge = w->keeper->snapshot = w->keeper->retention = (struct keeper_work){0};
        w->options.snapshot_wal_bytes = 1;
        (void)keeper_round(w->keeper, &next_ns, NULL);
        was_reached = w->faults_after < 0;
        w->faults_after = -1;
        w->engine->ops = w->real_ops;
        check_topic(w, 0);
        round_ok(w);
        check_topic(w, 0);
        assert_int_equal(unmerged_extents(w, 0), 0);
    }
    world_close(w, true);
    world_open(w);
    check_topic(w, 0);
    uint32_t merged = tally(w).merged;
    assert_int_equal(keeper_after_recovery(w->keeper, NULL), ERR_OK);
    assert_int_equal(tally(w).merged, merged); // no orphans
    world_destroy(w);
}

// Failures are retried later, and later each time.
static void test_backoff(void **state)
{
    (void)state;
    struct world *w = world_create();
    current = w;
    topic_create(w, 0, 5, NULL, NULL);
    produce_mixed(w, 0, 5);
    w->ops.object_create = faulty_create;
    w->engine->ops = &w->ops;
    int64_t wait_ns = 0;
    for (int i = 0; i < 4; i++) {
        w->faults_after = 0;
        w->keeper->merge.retry_ns = 0;
        int64_t next_ns;
        assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_NO_SPACE);
        int64_t now_wait_ns = w->keeper->merge.retry_ns - clock_mono_ns(w->env->clock);
        assert_true(now_wait_ns > wait_ns);
        wait_ns = now_wait_ns;
        w->faults_after = 0;
        assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK); // not due: not tried
        assert_int_equal(w->faults_after, 0);
    }
    w->faults_after = -1;
    round_ok(w);
    assert_int_equal(unmerged_extents(w, 0), 0);
    assert_int_equal(w->keeper->merge.backoff_ms, 0);
    world_destroy(w);
}

// ---- the thread

static void wait_until_merged(struct world *w)
{
    mutex_lock(&w->lock);
    while (unmerged_extents(w, 0) > 0) {
        cond_wait(&w->applied, &w->lock, CLOCK_NEVER);
    }
    mutex_unlock(&w->lock);
}

static void test_thread(void **state)
{
    (void)state;
    struct world *w = world_create();
    w->options.merge_wal_bytes = 50000;
    world_close(w, true);
    world_open(w);
    topic_create(w, 0, 8, NULL, NULL);
    keeper_start(w->keeper);
    for (int i = 0; i < 30; i++) {
        produce_mixed(w, 0, 8);
    }
    wait_until_merged(w);
    keeper_stop(w->keeper);
    check_topic(w, 0);
    // Stopped in the midst of whatever it does, and started again.
    for (int i = 0; i < 10; i++) {
        keeper_start(w->keeper);
        produce_mixed(w, 0, 8);
        keeper_stop(w->keeper);
        check_topic(w, 0);
    }
    round_ok(w);
    assert_int_equal(unmerged_extents(w, 0), 0);
    check_topic(w, 0);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rot_stays),     cmocka_unit_test(test_lost_object),
        cmocka_unit_test(test_every_failure), cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
