// SPDX-License-Identifier: Apache-2.0
#include "engine/local/local.h"

#include "engine/local/local_private.h"
#include "engine/local/test_rig.h"

static void fresh_start(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r);
    rig_open(&r);
    assert_int_equal(r.tail_rc, ERR_OK);
    assert_int_equal(r.replay.count, 0);
    assert_int_equal(r.snapshot_lsn, 0);
    struct uuid id = engine_local_cluster_id(r.engine);
    assert_false(uuid_is_zero(id));
    struct ordered o = rig_order(&r, 1, 2, 100);
    assert_int_equal(o.lsn, 1);
    assert_int_equal(o.id, 1 ^ 0x5555);
    assert_true(o.stamp_ms > 1600000000000);
    assert_true(o.time_ms > 1600000000000);
    struct engine_status status;
    engine_status(r.engine, &status);
    assert_int_equal(status.durable_lsn, 1);
    assert_int_equal(status.wal_bytes, 4096);
    assert_false(status.was_unclean);
    assert_true(status.free_bytes > 0);
    uint64_t lsn;
    assert_int_equal(engine_barrier(r.engine, &lsn, NULL), ERR_OK);
    assert_int_equal(lsn, 1);
    rig_reopen(&r, true);
    assert_true(uuid_equal(id, engine_local_cluster_id(r.engine)));
    rig_fini(&r);
}

// What was ordered is delivered again, byte for byte, however the stop went.
static void reopen_delivers_all(void **state)
{
    (void)state;
    for (int is_clean = 0; is_clean < 2; is_clean++) {
        struct rig r;
        rig_init(&r);
        rig_open(&r);
        uint64_t count = 0;
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 5; i++) {
                count++;
                struct ordered o = rig_order(&r, count, (uint32_t)(count % 4), 61 + count * 977);
                assert_int_equal(o.lsn, count);
            }
            rig_reopen(&r, is_clean);
            assert_int_equal(r.tail_rc, ERR_OK);
            assert_int_equal(r.replay.count, count);
            struct engine_status status;
            engine_status(r.engine, &status);
            assert_int_equal(status.was_unclean, !is_clean);
            assert_int_equal(status.durable_lsn, count);
            for (uint64_t n = 1; n <= count; n++) {
                const struct test_delivered *d = &r.replay.list[n - 1];
                assert_int_equal(d->lsn, n);
                assert_true(test_delivered_is(r.engine, d, n, (uint32_t)(n % 4), 61 + n * 977));
                assert_true(n == 1 || (d->stamp_ms >= d[-1].stamp_ms && d->time_ms >= d[-1].time_ms));
            }
        }
        rig_fini(&r);
    }
}

static int64_t rig_fresh_size(struct rig *r)
{
    struct rig_listing l = rig_list(r, "wal");
    for (uint32_t i = 0; i < l.count; i++) {
        if (strcmp(l.names[i], "fresh.tmp") == 0) {
            return l.sizes[i];
        }
    }
    return -1;
}

// The next file is written a little at a time, with the log's turn between; once the log has left it behind,
// it is only reserved.
static void the_next_file_grows_in_slices(void **state)
{
    (void)state;
    struct rig r;
    int64_t next_ns = 0;
    rig_init(&r);
    rig_open(&r);
    rig_order(&r, 1, 1, 61);
    for (int64_t slices = 1; slices <= 2; slices++) {
        int64_t before_ns = clock_mono_ns(r.env->clock);
        assert_int_equal(engine_maintain(r.engine, &next_ns, NULL), ERR_OK);
        assert_int_equal(rig_fresh_size(&r), slices * PREPARE_BYTES);
        assert_true(next_ns > before_ns && next_ns != INT64_MAX);
        rig_order(&r, 1 + (uint64_t)slices, 1, PREPARE_BYTES); // a large bundle now and then is no load
    }
    uint64_t n = 3;
    for (int64_t bytes = 0; bytes < PREPARE_LEAD_BYTES; bytes += 500000) {
        rig_order(&r, ++n, 1, 500000);
    }
    assert_int_equal(engine_maintain(r.engine, &next_ns, NULL), ERR_OK);
    assert_int_equal(rig_fresh_size(&r), -1);
    rig_reopen(&r, false);
    assert_int_equal(r.replay.count, n);
    rig_fini(&r);
}

static void rolls_over_files(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r);
    rig_open(&r);
    for (uint64_t n = 1; n <= 40; n++) {
        rig_order_as(&r, n, 2, 60000, n % 5 == 0);
        if (n % 8 == 0) {
            rig_maintain(&r);
        }
    }
    rig_order(&r, 41, 1, (1 << 20) - 4096); // nearly a whole file by itself
    struct test_bundle big;
    test_bundle_init(&big, 42, 1, 1 << 20);
    struct ordered o;
    assert_int_equal(engine_order(r.engine, &big.bundle, false, &o, NULL), ERR_BATCH_TOO_LARGE);
    test_bundle_fini(&big);
    rig_order(&r, 42, 1, 61);
    rig_reopen(&r, false);
    assert_int_equal(r.replay.count, 42);
    uint64_t last_object = 0, files = 0;
    for (uint64_t n = 1; n <= 40; n++) {
        const struct test_delivered *d = &r.replay.list[n - 1];
        assert_true(test_delivered_is(r.engine, d, n, 2, 60000));
        assert_true(d->object >= last_object);
        files += d->object > last_object;
        last_object = d->object;
    }
    assert_true(files >= 5);
    assert_true(test_delivered_is(r.engine, &r.replay.list[40], 41, 1, (1 << 20) - 4096));
    rig_fini(&r);
}

struct seen {
    struct engine_object_info infos[64];
    uint32_t count;
};
// Bundles that are larger than the staging memory go in pieces; synced and unsynced ones share a file, and
// what is read between them is never stale.
static void bundles_of_all_sizes(void **state)
{
    (void)state;
    enum { COUNT = 12 };
    static const size_t sizes[] = {100, 70000, 3 << 20, 4072};
    struct rig r;
    rig_init(&r);
    r.options.wal_file_bytes = 16 << 20;
    rig_open(&r);
    for (uint64_t n = 1; n <= COUNT; n++) {
        struct ordered o = rig_order_as(&r, n, 3, sizes[n % 4], n % 3 != 0);
        struct test_bundle b;
        test_bundle_init(&b, n, 3, sizes[n % 4]);
        uint8_t *read = mem_alloc(b.bundle.payload_size);
        struct object *object = engine_object_pin(r.engine, o.object);
        assert_int_equal(
            engine_object_read(r.engine, object, o.payload_position, read, b.bundle.payload_size, NULL),
            ERR_OK);
        assert_memory_equal(read, b.payload, b.bundle.payload_size);
        engine_object_unpin(r.engine, object);
        mem_free(read);
        test_bundle_fini(&b);
    }
    rig_reopen(&r, false);
    assert_int_equal(r.replay.count, COUNT);
    for (uint64_t n = 1; n <= COUNT; n++) {
        assert_true(test_delivered_is(r.engine, &r.replay.list[n - 1], n, 3, sizes[n % 4]));
    }
    rig_fini(&r);
}

static void seen_each(void *arg, const struct engine_object_info *info)
{
    struct seen *s = arg;
    assert_true(s->count < 64);
    s->infos[s->count++] = *info;
}

// A WAL file is recycled only when it was dropped, a snapshot covers it, and no pin holds it.
static void recycles_only_what_is_free(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r);
    rig_open(&r);
    uint64_t n = 0;
    struct ordered first = rig_order(&r, ++n, 1, 1000);
    rig_maintain(&r); // makes the next file
    while (rig_order(&r, ++n, 4, 60000).object == first.object) {
    }
    rig_maintain(&r);
    struct ordered second = rig_order(&r, ++n, 1, 1000);
    assert_true(second.object > first.object);
    while (rig_order(&r, ++n, 4, 60000).object == second.object) {
    }
    struct seen seen = {0};
    assert_int_equal(engine_objects(r.engine, seen_each, &seen, NULL), ERR_OK);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.infos[1].object, second.object);
    assert_int_equal(seen.infos[1].size, RIG_FILE_BYTES);
    assert_true(seen.infos[1].is_wal && !seen.infos[1].is_current && seen.infos[2].is_current);
    assert_int_equal(seen.infos[2].last_lsn, n);

    struct object *pin = engine_object_pin(r.engine, second.object);
    assert_non_null(pin);
    uint8_t before[1000], after[1000];
    assert_int_equal(engine_object_read(r.engine, pin, second.payload_position, before, 1000, NULL), ERR_OK);
    engine_object_drop(r.engine, second.object);
    engine_object_drop(r.engine, second.object);
    engine_object_drop(r.engine, 999999);
    assert_null(engine_object_pin(r.engine, second.object)); // no new readers
    rig_maintain(&r);
    struct rig_listing files = rig_list(&r, "wal");
    assert_int_equal(files.count, 4); // three and the next
    rig_snapshot(&r, n);
    rig_maintain(&r);
    // Pinned: whatever is written now does not touch it.
    for (int i = 0; i < 30; i++) {
        rig_order(&r, ++n, 4, 60000);
        rig_maintain(&r);
    }
    assert_int_equal(engine_object_read(r.engine, pin, second.payload_position, after, 1000, NULL), ERR_OK);
    assert_memory_equal(before, after, 1000);
    engine_object_unpin(r.engine, pin);
    rig_maintain(&r);
    uint64_t numbers_before = r.engine != NULL ? rig_order(&r, ++n, 1, 61).object : 0;
    for (int i = 0; i < 30; i++) {
        rig_order(&r, ++n, 4, 60000);
        rig_maintain(&r);
    }
    files = rig_list(&r, "wal");
    for (uint32_t i = 0; i < files.count; i++) {
        assert_string_not_equal(files.names[i], rig_wal_path(second.object) + 4);
    }
    assert_true(numbers_before > second.object);
    uint64_t snapshot_lsn = r.snapshot_lsn;
    rig_reopen(&r, false);
    assert_true(r.snapshot_lsn > snapshot_lsn);
    assert_int_equal(r.replay.count, n - r.snapshot_lsn);
    assert_int_equal(r.replay.list[r.replay.count - 1].lsn, n);
    rig_fini(&r);
}

// Files that were read before they came back are written over in the page cache, and are as durable.
static void overwrites_what_is_cached(void **state)
{
    (void)state;
    enum { BATCHES = 3, BATCH_BYTES = LARGE_BYTES_MIN / 2, COUNT = 12 };
    struct rig r;
    rig_init(&r);
    rig_open(&r);
    uint8_t *read = mem_alloc((size_t)BATCHES * BATCH_BYTES);
    uint64_t n = 0;
    for (int i = 0; i < COUNT; i++) {
        struct ordered o = rig_order(&r, ++n, BATCHES, BATCH_BYTES);
        rig_maintain(&r);
        struct object *object = engine_object_pin(r.engine, o.object);
        assert_int_equal(engine_object_read(r.engine, object, o.payload_position, read,
                                            (size_t)BATCHES * BATCH_BYTES, NULL),
                         ERR_OK);
        engine_object_unpin(r.engine, object);
    }
    mem_free(read);
    uint64_t covered = n;
    rig_snapshot(&r, covered);
    struct seen seen = {0};
    assert_int_equal(engine_objects(r.engine, seen_each, &seen, NULL), ERR_OK);
    for (uint32_t i = 0; i < seen.count; i++) {
        engine_object_drop(r.engine, seen.infos[i].object);
    }
    for (int i = 0; i < COUNT; i++) {
        rig_order_as(&r, ++n, BATCHES, BATCH_BYTES, i % 2 == 0);
        rig_maintain(&r);
    }
    rig_reopen(&r, false);
    assert_int_equal(r.replay.count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_true(test_delivered_is(r.engine, &r.replay.list[i], covered + 1 + i, BATCHES, BATCH_BYTES));
    }
    rig_fini(&r);
}

static void spares_are_bounded(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r);
    rig_open(&r);
    uint64_t n = 0;
    for (int i = 0; i < 200; i++) {
        rig_order(&r, ++n, 4, 60000);
        rig_maintain(&r);
    }
    uint32_t before = rig_list(&r, "wal").count;
    rig_snapshot(&r, n);
    struct seen seen = {0};
    assert_int_equal(engine_objects(r.engine, seen_each, &seen, NULL), ERR_OK);
    for (uint32_t i = 0; i < seen.count; i++) {
        engine_object_drop(r.engine, seen.infos[i].object); // the current one, too: it stays
    }
    assert_true(before > 2 + SPARES_MAX);
    assert_int_equal(rig_list(&r, "wal").count, 2 + SPARES_MAX); // current, next, spares: the disk has room
    // They are used again, and what they held before does not come back.
    for (int i = 0; i < 20; i++) {
        rig_order(&r, ++n, 4, 60000);
        rig_maintain(&r);
    }
    rig_reopen(&r, false);
    assert_int_equal(r.replay.count, 20);
    for (uint32_t i = 0; i < 20; i++) {
        assert_true(test_delivered_is(r.engine, &r.replay.list[i], n - 19 + i, 4, 60000));
    }
    rig_fini(&r);
}

static void objects_life(void **state)
{
    (void)state;
    struct rig r;
    struct error e = {0};
    rig_init(&r);
    rig_open(&r);
    uint64_t a = 0, b = 0, c = 0;
    assert_int_equal(engine_object_create(r.engine, &a, &e), ERR_OK);
    assert_int_equal(engine_object_create(r.engine, &b, &e), ERR_OK);
    assert_true(a != b && a != 0);
    assert_null(engine_object_pin(r.engine, a)); // not sealed yet
    assert_int_equal(engine_object_append(r.engine, a, bytes_of("hello ", 6), &e), ERR_OK);
    assert_int_equal(engine_object_append(r.engine, a, bytes_of("world", 5), &e), ERR_OK);
    assert_int_equal(engine_object_append(r.engine, b, bytes_of("lost", 4), &e), ERR_OK);
    assert_int_equal(engine_object_seal(r.engine, a, &e), ERR_OK);
    struct object *o = engine_object_pin(r.engine, a);
    assert_non_null(o);
    assert_int_equal(engine_object_size(r.engine, o), 11);
    char text[16] = {0};
    assert_int_equal(engine_object_read(r.engine, o, 6, text, 5, &e), ERR_OK);
    assert_string_equal(text, "world");
    assert_int_equal(engine_object_read(r.engine, o, 7, text, 5, &e), ERR_CORRUPT);
    assert_int_equal(engine_object_read(r.engine, o, -1, text, 1, &e), ERR_CORRUPT);
    assert_int_equal(engine_object_read(r.engine, o, INT64_MAX, text, 1, &e), ERR_CORRUPT);
    struct file *file = engine_object_file(r.engine, o);
    assert_non_null(file);
    engine_object_drop(r.engine, a); // still pinned
    assert_int_equal(file_read_exact(file, 0, text, 5, &e), ERR_OK);
    assert_memory_equal(text, "hello", 5);
    engine_object_unpin(r.engine, o);
    engine_object_unpin(r.engine, NULL);
    rig_maintain(&r);
    assert_int_equal(rig_list(&r, "obj").count, 1); // the unsealed one
    rig_reopen(&r, false);
    assert_int_equal(rig_list(&r, "obj").count, 0); // a leftover
    assert_null(engine_object_pin(r.engine, a));
    assert_int_equal(engine_object_create(r.engine, &c, &e), ERR_OK);
    assert_true(c > b);              // never again
    engine_object_drop(r.engine, c); // discarded before it was sealed
    assert_int_equal(rig_list(&r, "obj").count, 0);
    uint64_t d = 0;
    assert_int_equal(engine_object_create(r.engine, &d, &e), ERR_OK);
    assert_int_equal(engine_object_seal(r.engine, d, &e), ERR_OK);
    rig_reopen(&r, true);
    o = engine_object_pin(r.engine, d);
    assert_non_null(o); // sealed: it is there after a restart, even empty
    assert_int_equal(engine_object_size(r.engine, o), 0);
    engine_object_unpin(r.engine, o);
    uint64_t f = 0;
    assert_int_equal(engine_object_create(r.engine, &f, &e), ERR_OK);
    assert_true(f > d);
    rig_fini(&r);
}

// More objects than descriptors: the oldest unpinned ones are closed and opened again.
// An object is written in pieces of its own size, whatever those are that it is appended in.
static void objects_of_all_sizes(void **state)
{
    (void)state;
    static const size_t pieces[] = {700000, 348576, 1, 1 << 20, 3 << 20, 8 << 20, 5};
    struct rig r;
    rig_init(&r);
    rig_open(&r);
    uint64_t object = 0;
    size_t total = 0;
    uint8_t *data = mem_alloc(16 << 20);
    for (size_t i = 0; i < 16 << 20; i++) {
        data[i] = (uint8_t)(i * 7 + i / 4093);
    }
    assert_int_equal(engine_object_create(r.engine, &object, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        assert_int_equal(engine_object_append(r.engine, object, bytes_of(data + total, pieces[i]), NULL),
                         ERR_OK);
        total += pieces[i];
    }
    assert_int_equal(engine_object_seal(r.engine, object, NULL), ERR_OK);
    rig_reopen(&r, false);
    struct object *o = engine_object_pin(r.engine, object);
    uint8_t *read = mem_alloc(total);
    assert_int_equal(engine_object_size(r.engine, o), (int64_t)total);
    assert_int_equal(engine_object_read(r.engine, o, 0, read, total, NULL), ERR_OK);
    assert_memory_equal(read, data, total);
    engine_object_unpin(r.engine, o);
    mem_free(read);
    mem_free(data);
    rig_fini(&r);
}

static void descriptors_are_bounded(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct rig r;
    rig_init(&r);
    rig_open(&r);
    static uint64_t numbers[COUNT];
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < COUNT; i++) {
            uint64_t got = 0;
            if (round == 0) {
                assert_int_equal(engine_object_create(r.engine, &numbers[i], NULL), ERR_OK);
                assert_int_equal(engine_object_append(r.engine, numbers[i], bytes_of(&i, sizeof i), NULL),
                                 ERR_OK);
                assert_int_equal(engine_object_seal(r.engine, numbers[i], NULL), ERR_OK);
            }
            struct object *o = engine_object_pin(r.engine, numbers[i]);
            assert_int_equal(engine_object_read(r.engine, o, 0, &got, sizeof got, NULL), ERR_OK);
            assert_int_equal(got, i);
            engine_object_unpin(r.engine, o);
        }
    }
    FILE *pipe = popen("ls /proc/$PPID/fd | wc -l", "r");
    int count = 0;
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    assert_int_equal(pclose(pipe), 0);
    assert_true(count > 200 && count < 290);
    rig_fini(&r);
}

static void snapshots_newest_two(void **state)
{
    (void)state;
    struct rig r;
    struct error e = {0};
    rig_init(&r);
    rig_open(&r);
    size_t part_len = (3 << 20) + 17; // split into parts of the file's own
    uint8_t *part = mem_zalloc(part_len);
    part[part_len - 1] = 77;
    for (uint64_t n = 1; n <= 3; n++) {
        rig_order(&r, n, 1, 100);
        part[0] = (uint8_t)n;
        assert_int_equal(engine_snapshot_write(r.engine, n, bytes_of(part, part_len), false, &e), ERR_OK);
        assert_int_equal(engine_snapshot_write(r.engine, n, bytes_of(part, 0), false, &e), ERR_OK);
        assert_int_equal(engine_snapshot_write(r.engine, n, bytes_of("end", 3), true, &e), ERR_OK);
        struct engine_status status;
        engine_status(r.engine, &status);
        assert_int_equal(status.snapshot_lsn, n);
        assert_int_equal(status.wal_bytes, 0);
    }
    rig_order(&r, 4, 1, 100);
    assert_int_equal(engine_snapshot_write(r.engine, 4, bytes_of("unfinished", 10), false, &e), ERR_OK);
    struct rig_listing files = rig_list(&r, "snap");
    assert_int_equal(files.count, 3);
    rig_reopen(&r, false);
    assert_int_equal(r.snapshot_lsn, 3);
    assert_int_equal(r.replay.count, 1);
    assert_int_equal(r.replay.list[0].lsn, 4);
    struct buf data = {0};
    uint64_t lsn = 0;
    assert_int_equal(engine_snapshot_read(r.engine, &data, &lsn, &e), ERR_OK);
    assert_int_equal(lsn, 3);
    assert_int_equal(data.len, part_len + 3);
    part[0] = 3;
    assert_memory_equal(data.ptr, part, part_len);
    assert_memory_equal(data.ptr + part_len, "end", 3);
    buf_fini(&data);
    files = rig_list(&r, "snap");
    assert_int_equal(files.count, 2);
    assert_string_equal(files.names[0], "00000000000000000002.snap");
    mem_free(part);
    rig_fini(&r);
}

// A damaged newest snapshot: an older one serves while the log reaches back to it; else the start fails,
// loudly.
static void snapshot_damaged(void **state)
{
    (void)state;
    struct rig r;
    struct error e = {0};
    rig_init(&r);
    rig_open(&r);
    rig_order(&r, 1, 1, 100);
    rig_snapshot(&r, 1);
    rig_order(&r, 2, 1, 100);
    rig_order(&r, 3, 1, 100);
    rig_snapshot(&r, 3);
    rig_order(&r, 4, 1, 100);
    rig_close(&r, true);
    rig_env_open(&r);
    rig_file_flip(&r, "snap/00000000000000000003.snap", 40);
    rig_env_close(&r);
    rig_open(&r);
    assert_int_equal(r.snapshot_lsn, 1);
    assert_int_equal(r.replay.count, 3);
    rig_snapshot(&r, 4);
    rig_order(&r, 5, 1, 100);
    assert_int_equal(rig_list(&r, "snap").count, 2); // 1 and 4: the damaged one is gone
    rig_close(&r, true);

    rig_env_open(&r);
    rig_file_flip(&r, "snap/00000000000000000004.snap", 50);
    struct rig_listing files = rig_list(&r, "wal");
    for (uint32_t i = 0; i < files.count; i++) {
        char path[80];
        (void)snprintf(path, sizeof path, "wal/%s", files.names[i]);
        assert_int_equal(disk_unlink(r.env->disk, str_from_c(path), &e), ERR_OK);
    }
    assert_int_equal(engine_local_open(r.env, &r.options, &r.engine, &e), ERR_OK);
    struct buf data = {0};
    uint64_t lsn = 0;
    assert_int_equal(engine_snapshot_read(r.engine, &data, &lsn, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.text, "does not reach back"));
    assert_non_null(strstr(e.text, "00000000000000000004"));
    buf_fini(&data);
    rig_fini(&r);
}

static void idle_mark(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r);
    r.options.idle_mark_ms = 1;
    rig_open(&r);
    int64_t next_ns = 0;
    assert_int_equal(engine_maintain(r.engine, &next_ns, NULL), ERR_OK);
    assert_true(next_ns == INT64_MAX); // nothing was ordered, nothing to do, ever
    rig_order_as(&r, 1, 1, 100, false);
    rig_order_as(&r, 2, 1, 100, false);
    struct engine_status status;
    engine_status(r.engine, &status);
    assert_int_equal(status.durable_lsn, 0);
    for (int i = 0; i < 100000 && status.durable_lsn == 0; i++) {
        assert_int_equal(engine_maintain(r.engine, &next_ns, NULL), ERR_OK);
        engine_status(r.engine, &status);
    }
    assert_int_equal(status.durable_lsn, 2); // the mark vouches only for what is synced
    rig_maintain(&r);
    assert_int_equal(engine_maintain(r.engine, &next_ns, NULL), ERR_OK);
    assert_true(next_ns == INT64_MAX);
    rig_order(&r, 3, 1, 100);
    rig_reopen(&r, false);
    assert_int_equal(r.replay.count, 3); // marks are not delivered and take no LSN
    assert_int_equal(r.replay.list[2].payload_position > r.replay.list[1].payload_position + 8000, true);
    rig_fini(&r);
}

static void stop_and_refusals(void **state)
{
    (void)state;
    struct rig r;
    struct error e = {0};
    rig_init(&r);
    r.options.wal_file_bytes = 1000;
    rig_env_open(&r);
    assert_int_equal(engine_local_open(r.env, &r.options, &r.engine, &e), ERR_INVALID_CONFIG);
    r.options.wal_file_bytes = RIG_FILE_BYTES;
    r.options.wal_first_bytes = RIG_FILE_BYTES * 2;
    assert_int_equal(engine_local_open(r.env, &r.options, &r.engine, &e), ERR_INVALID_CONFIG);
    r.options.wal_first_bytes = RIG_FIRST_BYTES;
    rig_env_close(&r);
    rig_open(&r);
    struct env *other = NULL;
    struct engine *second = NULL;
    assert_int_equal(real_env_open(str_from_c(r.dir), &other, &e), ERR_OK);
    assert_int_equal(engine_local_open(other, &r.options, &second, &e),
                     ERR_EXISTS); // one server per directory
    real_env_close(other);
    assert_int_equal(engine_lease(r.engine, STR("merge"), 1000, &e), ERR_OK);
    engine_stop(r.engine);
    struct test_bundle b;
    struct ordered o;
    test_bundle_init(&b, 1, 1, 100);
    assert_int_equal(engine_order(r.engine, &b.bundle, true, &o, &e), ERR_STOPPING);
    test_bundle_fini(&b);
    rig_fini(&r);
}

// Several threads at once, for the thread sanitizer: one orders, one maintains, takes snapshots and drops
// what they cover, two read through pins what was just ordered.
struct stress {
    struct rig *r;
    struct mutex lock;
    struct ordered last; // with its number as id
    uint64_t last_number;
    bool is_over;
    uint64_t read_count;
};

static void stress_maintain(void *arg)
{
    struct stress *s = arg;
    for (bool is_over = false; !is_over;) {
        int64_t next_ns;
        uint64_t lsn = 0;
        struct seen seen = {0};
        assert_int_equal(engine_maintain(s->r->engine, &next_ns, NULL), ERR_OK);
        assert_int_equal(engine_barrier(s->r->engine, &lsn, NULL), ERR_OK);
        if (lsn > 0) {
            rig_snapshot(s->r, lsn);
        }
        assert_int_equal(engine_objects(s->r->engine, seen_each, &seen, NULL), ERR_OK);
        for (uint32_t i = 0; i < seen.count; i++) {
            if (!seen.infos[i].is_current && seen.infos[i].last_lsn <= lsn) {
                engine_object_drop(s->r->engine, seen.infos[i].object);
            }
        }
        mutex_lock(&s->lock);
        is_over = s->is_over;
        mutex_unlock(&s->lock);
    }
}

static void stress_read(void *arg)
{
    struct stress *s = arg;
    uint8_t *read = mem_alloc(40000);
    for (bool is_over = false; !is_over;) {
        mutex_lock(&s->lock);
        struct ordered o = s->last;
        uint64_t number = s->last_number;
        is_over = s->is_over;
        mutex_unlock(&s->lock);
        struct object *object = o.lsn == 0 ? NULL : engine_object_pin(s->r->engine, o.object);
        if (object == NULL) {
            continue; // dropped meanwhile
        }
        struct test_bundle b;
        test_bundle_init(&b, number, 2, 20000);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(engine_object_read(s->r->engine, object, o.payload_position, read, 40000, NULL),
                             ERR_OK);
            assert_memory_equal(read, b.payload, 40000);
        }
        test_bundle_fini(&b);
        engine_object_unpin(s->r->engine, object);
        mutex_lock(&s->lock);
        s->read_count++;
        mutex_unlock(&s->lock);
    }
    mem_free(read);
}

static void stress(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r);
    r.options.idle_mark_ms = 1;
    rig_open(&r);
    struct stress s = {.r = &r};
    mutex_init(&s.lock, r.env->threads);
    struct thread *threads[3] = {
        thread_start(r.env->threads, "maintain", stress_maintain, &s),
        thread_start(r.env->threads, "read", stress_read, &s),
        thread_start(r.env->threads, "read", stress_read, &s),
    };
    for (uint64_t n = 1; n <= 150; n++) {
        struct ordered o = rig_order_as(&r, n, 2, 20000, n % 3 != 0);
        mutex_lock(&s.lock);
        s.last = o;
        s.last_number = n;
        mutex_unlock(&s.lock);
    }
    mutex_lock(&s.lock);
    s.is_over = true;
    mutex_unlock(&s.lock);
    for (int i = 0; i < 3; i++) {
        thread_join(r.env->threads, threads[i]);
    }
    assert_true(s.read_count > 0);
    mutex_fini(&s.lock);
    rig_reopen(&r, true);
    assert_int_equal(r.snapshot_lsn + r.replay.count, 150);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_start),
        cmocka_unit_test(reopen_delivers_all),
        cmocka_unit_test(the_next_file_grows_in_slices),
        cmocka_unit_test(rolls_over_files),
        cmocka_unit_test(bundles_of_all_sizes),
        cmocka_unit_test(recycles_only_what_is_free),
        cmocka_unit_test(overwrites_what_is_cached),
        cmocka_unit_test(spares_are_bounded),
        cmocka_unit_test(objects_life),
        cmocka_unit_test(objects_of_all_sizes),
        cmocka_unit_test(snapshots_newest_two),
        cmocka_unit_test(snapshot_damaged),
        cmocka_unit_test(idle_mark),
        cmocka_unit_test(stop_and_refusals),
        cmocka_unit_test(descriptors_are_bounded),
        cmocka_unit_test(stress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
