// SPDX-License-Identifier: Apache-2.0
// What the simulated disk promises and what it takes away. Each test runs over many seeds: a promise must
// hold in all of them, and every way to lose must be met in some.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/sim/sim.h"

enum { SEEDS = 200, PAGE = 4096 };

static struct file *file_make(struct env *env, struct str path)
{
    struct file *f = NULL;
    ASSERT(disk_open(env->disk, path, DISK_WRITE | DISK_CREATE, &f, NULL) == ERR_OK);
    return f;
}

static void file_fill(struct file *f, int64_t position, char c, size_t len)
{
    char *data = mem_alloc(len);
    memset(data, c, len);
    ASSERT(file_write_bytes(f, position, bytes_of(data, len), NULL) == ERR_OK);
    mem_free(data);
}

// run_to_end runs one process on the disk until the world is done, then cuts the power if asked to.
static struct sim_process *run_to_end(struct sim_world *world, struct sim_disk *disk,
                                      void (*main)(struct env *, void *), void *arg)
{
    struct sim_process *p = sim_process_start(world, "p", "h", disk, main, arg);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    return p;
}

// ---- contents

enum { OLD = 'o', NEW = 'n' };

static void overwrite_main(struct env *env, void *arg)
{
    (void)arg;
    struct file *f = file_make(env, STR("f"));
    file_fill(f, 0, OLD, 4 * PAGE);
    ASSERT(file_sync(f, NULL) == ERR_OK);
    ASSERT(disk_sync_dir(env->disk, STR(""), NULL) == ERR_OK);
    file_fill(f, 2 * PAGE, NEW, 6 * PAGE); // two pages over old ones, four behind the end
    sim_process_crash(sim_process_of(env));
}

struct seen {
    int old_pages;
    int new_pages;
    int mixed_pages;
    int zero_sectors;
    int noise_sectors;
    int old_size;
    int new_size;
    int between_size;
};

static void look_at_page(const uint8_t *page, size_t len, bool was_zero, struct seen *seen)
{
    int olds = 0;
    int news = 0;
    for (size_t at = 0; at + 512 <= len; at += 512) {
        uint8_t c = page[at];
        bool is_uniform = memcmp(page + at, page + at + 1, 511) == 0;
        bool is_old = is_uniform && c == (was_zero ? 0 : OLD);
        olds += is_old;
        news += is_uniform && c == NEW;
        seen->zero_sectors += is_uniform && c == 0 && !was_zero;
        seen->noise_sectors += !is_uniform;
    }
    seen->old_pages += olds == 8;
    seen->new_pages += news == 8;
    seen->mixed_pages += olds > 0 && news > 0;
}

static void overwrite_once(uint64_t seed, const struct sim_faults *faults, struct seen *seen)
{
    struct sim_world *world = sim_world_create(seed);
    struct sim_disk *disk = sim_disk_create(world);
    sim_disk_set_faults(disk, faults);
    run_to_end(world, disk, overwrite_main, NULL);
    int64_t size = sim_disk_file_size(disk, STR("f"));
    assert_true(size >= 4 * PAGE && size <= 8 * PAGE);
    seen->old_size += size == 4 * PAGE;
    seen->new_size += size == 8 * PAGE;
    seen->between_size += size > 4 * PAGE && size < 8 * PAGE;
    uint8_t data[8 * PAGE];
    assert_int_equal(sim_disk_read(disk, STR("f"), 0, data, sizeof data), size);
    for (size_t i = 0; i < 2 * PAGE; i++) {
        assert_int_equal(data[i], OLD); // synced and not touched since
    }
    for (int64_t i = 2; i < size / PAGE; i++) {
        look_at_page(data + i * PAGE, PAGE, i >= 4, seen);
    }
    sim_world_destroy(world);
}

static void test_unsynced_writes(void **state)
{
    (void)state;
    struct seen seen = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        overwrite_once(seed, &(struct sim_faults){0}, &seen);
    }
    assert_true(seen.old_pages > 50);
    assert_true(seen.new_pages > 50);
    assert_true(seen.mixed_pages > 20);
    assert_true(seen.old_size > 20);
    assert_true(seen.new_size > 20);
    assert_true(seen.between_size > 20);
    assert_int_equal(seen.zero_sectors, 0);
    assert_int_equal(seen.noise_sectors, 0);

    struct seen worse = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        overwrite_once(seed, &(struct sim_faults){.crash_zero = 100, .crash_garbage = 100}, &worse);
    }
    assert_true(worse.zero_sectors > 20);
    assert_true(worse.noise_sectors > 20);
}

static void write_main(struct env *env, void *arg)
{
    const char *fate = arg;
    ASSERT(disk_mkdir(env->disk, STR("d"), NULL) == ERR_OK);
    struct file *f = file_make(env, STR("d/f"));
    file_fill(f, 100, NEW, 3 * PAGE);
    if (strcmp(fate, "kill") == 0) {
        sim_process_kill(sim_process_of(env));
    }
    file_close(f);
}

// Without a power cut the page cache keeps everything, names too.
static void test_kill_keeps_the_cache(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct sim_world *world = sim_world_create(seed);
        struct sim_disk *disk = sim_disk_create(world);
        run_to_end(world, disk, write_main, seed % 2 == 0 ? "kill" : "exit");
        assert_int_equal(sim_disk_file_size(disk, STR("d/f")), 100 + 3 * PAGE);
        char c = 0;
        assert_int_equal(sim_disk_read(disk, STR("d/f"), 99 + 3 * PAGE, &c, 1), 1);
        assert_int_equal(c, NEW);
        sim_world_destroy(world);
    }
}

// ---- names

static void names_main(struct env *env, void *arg)
{
    bool *is_synced = arg;
    struct disk *d = env->disk;
    struct file *f = file_make(env, STR("a"));
    file_fill(f, 0, OLD, 10);
    ASSERT(file_sync(f, NULL) == ERR_OK);
    file_close(f);
    f = file_make(env, STR("gone"));
    file_close(f);
    f = file_make(env, STR("b"));
    file_close(f);
    ASSERT(disk_sync_dir(d, STR(""), NULL) == ERR_OK);

    f = file_make(env, STR("tmp"));
    file_fill(f, 0, NEW, 10);
    ASSERT(file_sync(f, NULL) == ERR_OK);
    file_close(f);
    ASSERT(disk_rename(d, STR("tmp"), STR("a"), NULL) == ERR_OK);
    ASSERT(disk_rename(d, STR("b"), STR("c"), NULL) == ERR_OK);
    ASSERT(disk_unlink(d, STR("gone"), NULL) == ERR_OK);
    ASSERT(disk_mkdir(d, STR("dir"), NULL) == ERR_OK);
    file_close(file_make(env, STR("dir/in")));
    if (*is_synced) {
        ASSERT(disk_sync_dir(d, STR("dir"), NULL) == ERR_OK);
        ASSERT(disk_sync_dir(d, STR(""), NULL) == ERR_OK);
    }
    sim_process_crash(sim_process_of(env));
}

struct names_seen {
    int new_a;
    int old_a;
    int tmp_stays;
    int b_stays;
    int c_exists;
    int gone_stays;
    int gone_goes;
    int dir_in_exists;
    int dir_in_missing;
};

static void names_once(uint64_t seed, bool is_synced, struct names_seen *seen)
{
    struct sim_world *world = sim_world_create(seed);
    struct sim_disk *disk = sim_disk_create(world);
    run_to_end(world, disk, names_main, &is_synced);
    char c = 0;
    assert_int_equal(sim_disk_read(disk, STR("a"), 0, &c, 1),
                     1); // one or the other, never none: both were synced
    assert_true(c == OLD || c == NEW);
    seen->new_a += c == NEW;
    seen->old_a += c == OLD;
    seen->tmp_stays += sim_disk_file_size(disk, STR("tmp")) == 10;
    bool has_b = sim_disk_file_size(disk, STR("b")) == 0;
    bool has_c = sim_disk_file_size(disk, STR("c")) == 0;
    assert_true(has_b != has_c); // a rename happens or it does not
    seen->b_stays += has_b;
    seen->c_exists += has_c;
    bool has_gone = sim_disk_file_size(disk, STR("gone")) == 0;
    seen->gone_stays += has_gone;
    seen->gone_goes += !has_gone;
    bool has_in = sim_disk_file_size(disk, STR("dir/in")) == 0;
    seen->dir_in_exists += has_in;
    seen->dir_in_missing += !has_in;
    sim_world_destroy(world);
}

static void test_names(void **state)
{
    (void)state;
    struct names_seen seen = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        names_once(seed, false, &seen);
    }
    assert_true(seen.new_a > 20);
    assert_true(seen.old_a > 20);
    assert_true(seen.tmp_stays > 10);
    assert_true(seen.b_stays > 20);
    assert_true(seen.c_exists > 20);
    assert_true(seen.gone_stays > 20);
    assert_true(seen.gone_goes > 20);
    assert_true(seen.dir_in_exists > 20);
    assert_true(seen.dir_in_missing > 20);

    struct names_seen synced = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        names_once(seed, true, &synced);
    }
    assert_int_equal(synced.new_a, SEEDS);
    assert_int_equal(synced.tmp_stays, 0);
    assert_int_equal(synced.c_exists, SEEDS);
    assert_int_equal(synced.gone_goes, SEEDS);
    assert_int_equal(synced.dir_in_exists, SEEDS);
}

static void move_main(struct env *env, void *arg)
{
    const int *syncs = arg;
    struct disk *d = env->disk;
    ASSERT(disk_mkdir(d, STR("x"), NULL) == ERR_OK);
    ASSERT(disk_mkdir(d, STR("y"), NULL) == ERR_OK);
    file_close(file_make(env, STR("x/f")));
    ASSERT(disk_sync_dir(d, STR(""), NULL) == ERR_OK);
    ASSERT(disk_sync_dir(d, STR("x"), NULL) == ERR_OK);
    ASSERT(disk_rename(d, STR("x/f"), STR("y/f"), NULL) == ERR_OK);
    if (*syncs > 0) {
        ASSERT(disk_sync_dir(d, STR("y"), NULL) == ERR_OK);
    }
    if (*syncs > 1) {
        ASSERT(disk_sync_dir(d, STR("x"), NULL) == ERR_OK);
    }
    sim_process_crash(sim_process_of(env));
}

static void test_move_between_directories(void **state)
{
    (void)state;
    for (int syncs = 0; syncs <= 2; syncs++) {
        int moved = 0;
        int both = 0;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct sim_world *world = sim_world_create(seed);
            struct sim_disk *disk = sim_disk_create(world);
            run_to_end(world, disk, move_main, &syncs);
            bool has_old = sim_disk_file_size(disk, STR("x/f")) == 0;
            bool has_new = sim_disk_file_size(disk, STR("y/f")) == 0;
            assert_true(has_old || has_new);
            moved += has_new;
            both += has_old && has_new;
            sim_world_destroy(world);
        }
        assert_true(syncs > 0 ? moved == SEEDS : moved > 20 && moved < SEEDS - 20);
        assert_true(syncs == 1 ? both > 20 : both == 0);
    }
}

// ---- crash at any I/O: a small log that syncs each record and says so

enum { RECORDS = 5 };
struct log_run {
    int acked; // what the outside heard; belongs to the test, so it survives
};

static void log_main(struct env *env, void *arg)
{
    struct log_run *run = arg;
    struct file *f = file_make(env, STR("log"));
    ASSERT(disk_sync_dir(env->disk, STR(""), NULL) == ERR_OK);
    for (int i = 0; i < RECORDS; i++) {
        file_fill(f, (int64_t)i * PAGE, (char)('A' + i), PAGE);
        ASSERT(file_sync(f, NULL) == ERR_OK);
        run->acked = i + 1;
    }
    file_close(f);
}

static int log_records(const struct sim_disk *disk)
{
    int count = 0;
    char page[PAGE];
    while (sim_disk_read(disk, STR("log"), (int64_t)count * PAGE, page, PAGE) == PAGE &&
           page[0] == 'A' + count && memcmp(page, page + 1, PAGE - 1) == 0) {
        count++;
    }
    return count;
}

static void test_crash_at_every_io(void **state)
{
    (void)state;
    static const enum sim_io_point points[] = {SIM_IO_BEFORE, SIM_IO_DURING, SIM_IO_AFTER};
    int more_than_acked = 0;
    uint64_t n = 1;
    for (bool is_over = false; !is_over; n++) {
        for (uint64_t seed = 0; seed < 60; seed++) {
            struct sim_world *world = sim_world_create(seed);
            struct sim_disk *disk = sim_disk_create(world);
            sim_disk_set_faults(disk, &(struct sim_faults){.crash_zero = 50, .crash_garbage = 50});
            struct log_run run = {0};
            struct sim_process *p = sim_process_start(world, "log", "h", disk, log_main, &run);
            bool is_power_cut = seed % 2 == 0;
            sim_process_crash_at_io(p, n, points[seed % 3], is_power_cut);
            assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
            is_over = sim_process_state(p) == SIM_EXITED;
            if (!is_over) {
                assert_int_equal(sim_process_state(p), is_power_cut ? SIM_CRASHED : SIM_KILLED);
                assert_int_equal(sim_process_io_count(p), n);
            }
            int found = log_records(disk);
            assert_true(found >= run.acked);
            more_than_acked += found > run.acked;
            sim_world_destroy(world);
        }
    }
    assert_int_equal(n - 1, 2 + 2 * RECORDS + 1); // open, sync_dir, (write, sync)*; then none is left
    assert_true(more_than_acked > 20);
}

static void test_io_points(void **state)
{
    (void)state;
    // The third I/O of log_main is the first write. Killed, so that the cache shows how far it came.
    int parts = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        for (int point = SIM_IO_BEFORE; point <= SIM_IO_AFTER; point++) {
            struct sim_world *world = sim_world_create(seed);
            struct sim_disk *disk = sim_disk_create(world);
            struct log_run run = {0};
            struct sim_process *p = sim_process_start(world, "log", "h", disk, log_main, &run);
            sim_process_crash_at_io(p, 3, (enum sim_io_point)point, false);
            assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
            int64_t size = sim_disk_file_size(disk, STR("log"));
            assert_true(point != SIM_IO_BEFORE || size == 0);
            assert_true(point != SIM_IO_AFTER || size == PAGE);
            parts += point == SIM_IO_DURING && size > 0 && size < PAGE;
            sim_world_destroy(world);
        }
    }
    assert_true(parts > 20);
}

// ---- errors

struct fsync_run {
    bool is_old_shown; // after the failure, before any crash
};

static void failing_sync_main(struct env *env, void *arg)
{
    struct fsync_run *run = arg;
    struct sim_process *p = sim_process_of(env);
    (void)p;
    struct file *f = file_make(env, STR("f"));
    file_fill(f, 0, OLD, PAGE);
    ASSERT(file_sync(f, NULL) == ERR_OK);
    ASSERT(disk_sync_dir(env->disk, STR(""), NULL) == ERR_OK);
    file_fill(f, 0, NEW, PAGE);
    clock_sleep_until(env->clock, clock_mono_ns(env->clock) + 1000); // the test makes syncs fail here
    ASSERT(file_sync(f, NULL) == ERR_IO);
    char c = 0;
    ASSERT(file_read_exact(f, 0, &c, 1, NULL) == ERR_OK);
    run->is_old_shown = c == OLD;
    clock_sleep_until(env->clock, clock_mono_ns(env->clock) + 1000); // and succeed again here
    ASSERT(file_sync(f, NULL) == ERR_OK);                            // a lie: nothing is dirty any more
    sim_process_crash(sim_process_of(env));
}

static void failing_sync(unsigned drops, unsigned keeps, bool *ret_shown, char *ret_found)
{
    struct sim_world *world = sim_world_create(1);
    struct sim_disk *disk = sim_disk_create(world);
    struct fsync_run run = {0};
    int64_t start_ns = sim_world_now_ns(world);
    sim_process_start(world, "p", "h", disk, failing_sync_main, &run);
    assert_int_equal(sim_world_run(world, &(struct sim_limits){.until_ns = start_ns + 500}), SIM_TIME);
    struct sim_faults faults = {.sync_error = 1000, .sync_error_drops = drops, .sync_error_keeps = keeps};
    sim_disk_set_faults(disk, &faults);
    assert_int_equal(sim_world_run(world, &(struct sim_limits){.until_ns = start_ns + 1500}), SIM_TIME);
    sim_disk_set_faults(disk, &(struct sim_faults){0});
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    *ret_shown = run.is_old_shown;
    assert_int_equal(sim_disk_read(disk, STR("f"), 0, ret_found, 1), 1);
    sim_world_destroy(world);
}

static void test_failed_sync(void **state)
{
    (void)state;
    bool is_old_shown = false;
    char found = 0;
    failing_sync(1000, 0, &is_old_shown, &found); // dropped: the old page is back
    assert_true(is_old_shown);
    assert_int_equal(found, OLD);
    failing_sync(0, 1000, &is_old_shown, &found); // kept but clean: shown until the power goes
    assert_false(is_old_shown);
    assert_int_equal(found, OLD);
    failing_sync(0, 0, &is_old_shown, &found); // written, although the error says no
    assert_false(is_old_shown);
    assert_int_equal(found, NEW);
}

static void synced_main(struct env *env, void *arg)
{
    (void)arg;
    struct file *f = file_make(env, STR("f"));
    file_fill(f, 0, NEW, 4 * PAGE);
    ASSERT(file_sync(f, NULL) == ERR_OK);
    ASSERT(disk_sync_dir(env->disk, STR(""), NULL) == ERR_OK);
    char c = 0;
    ASSERT(file_read_exact(f, 3 * PAGE, &c, 1, NULL) == ERR_OK && c == NEW);
    sim_process_crash(sim_process_of(env));
}

static void test_lying_disk(void **state)
{
    (void)state;
    const struct sim_faults all[] = {{.lost_write = 1000}, {.misdirected_write = 500}};
    for (size_t kind = 0; kind < 2; kind++) {
        int lost = 0;
        for (uint64_t seed = 0; seed < 50; seed++) {
            struct sim_world *world = sim_world_create(seed);
            struct sim_disk *disk = sim_disk_create(world);
            sim_disk_set_faults(disk, &all[kind]);
            run_to_end(world, disk, synced_main, NULL);
            assert_int_equal(sim_disk_file_size(disk, STR("f")), 4 * PAGE);
            for (int64_t i = 0; i < 4; i++) {
                char c = 0;
                assert_int_equal(sim_disk_read(disk, STR("f"), i * PAGE, &c, 1), 1);
                lost += c == 0;
            }
            sim_world_destroy(world);
        }
        assert_true(kind == 0 ? lost == 200 : lost > 20 && lost < 180);
    }
}

static void errors_main(struct env *env, void *arg)
{
    int *counts = arg; // short reads, read errors, short writes, write errors, no space, meta errors
    struct file *f = NULL;
    while (disk_open(env->disk, STR("f"), DISK_WRITE | DISK_CREATE, &f, NULL) != ERR_OK) {
        counts[5]++;
    }
    char data[1000] = "";
    for (int i = 0; i < 1000; i++) {
        struct io_slice slice = {data, sizeof data};
        size_t moved = 0;
        enum err err = f->ops->write_at(f, 0, &slice, 1, &moved, NULL);
        ASSERT(err == ERR_OK || err == ERR_IO || err == ERR_NO_SPACE);
        ASSERT(err != ERR_OK || (moved > 0 && moved <= sizeof data));
        counts[2] += err == ERR_OK && moved < sizeof data;
        counts[3] += err == ERR_IO;
        counts[4] += err == ERR_NO_SPACE;
        int64_t size = 0;
        ASSERT(file_size(f, &size, NULL) == ERR_OK);
        err = f->ops->read_at(f, 0, data, sizeof data, &moved, NULL);
        ASSERT(err == ERR_OK || err == ERR_IO);
        counts[0] += err == ERR_OK && moved < sizeof data && (int64_t)moved < size;
        counts[1] += err == ERR_IO;
        counts[5] += disk_sync_dir(env->disk, STR(""), NULL) == ERR_IO;
    }
    file_close(f);
}

static void test_error_rates(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(4);
    struct sim_disk *disk = sim_disk_create(world);
    sim_disk_set_faults(disk, &(struct sim_faults){.short_read = 100,
                                                   .read_error = 100,
                                                   .short_write = 100,
                                                   .write_error = 100,
                                                   .no_space = 100,
                                                   .meta_error = 100});
    int counts[6] = {0};
    run_to_end(world, disk, errors_main, counts);
    for (int i = 0; i < 6; i++) {
        assert_in_range(counts[i], 50, 160);
    }
    sim_world_destroy(world);
}

static void full_main(struct env *env, void *arg)
{
    (void)arg;
    struct disk *d = env->disk;
    int64_t left = 0;
    int64_t total = 0;
    ASSERT(disk_space(d, &left, &total, NULL) == ERR_OK);
    ASSERT(left == 4 * PAGE && total == 4 * PAGE);
    struct file *f = file_make(env, STR("f"));
    file_fill(f, 0, NEW, 3 * PAGE);
    ASSERT(disk_space(d, &left, &total, NULL) == ERR_OK && left == PAGE);
    char data[2 * PAGE] = "";
    ASSERT(file_write_bytes(f, 3 * PAGE, bytes_of(data, sizeof data), NULL) == ERR_NO_SPACE);
    int64_t size = 0;
    ASSERT(file_size(f, &size, NULL) == ERR_OK && size == 4 * PAGE); // what fitted is there
    file_fill(f, 0, OLD, PAGE);                                      // overwriting needs no room
    struct file *other = NULL;
    ASSERT(disk_open(d, STR("g"), DISK_WRITE | DISK_CREATE, &other, NULL) == ERR_NO_SPACE);
    ASSERT(file_truncate(f, PAGE, NULL) == ERR_OK);
    ASSERT(disk_space(d, &left, &total, NULL) == ERR_OK && left == 3 * PAGE);
    ASSERT(disk_unlink(d, STR("f"), NULL) == ERR_OK);
    ASSERT(disk_sync_dir(d, STR(""), NULL) == ERR_OK);
    ASSERT(disk_space(d, &left, &total, NULL) == ERR_OK && left == 3 * PAGE); // still open
    file_close(f);
    ASSERT(disk_space(d, &left, &total, NULL) == ERR_OK && left == 4 * PAGE);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(1);
    struct sim_disk *disk = sim_disk_create(world);
    sim_disk_set_capacity(disk, 4 * PAGE);
    run_to_end(world, disk, full_main, NULL);
    sim_world_destroy(world);
}

// ---- damage, copies, locks

static void test_rot_and_clone(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(1);
    struct sim_disk *disk = sim_disk_create(world);
    assert_false(sim_disk_rot_any(disk, STR("")));
    run_to_end(world, disk, write_main, "exit");
    struct sim_disk *copy = sim_disk_clone(world, disk);
    assert_false(sim_disk_rot(disk, STR("d/none"), 0, 0));
    assert_false(sim_disk_rot(disk, STR("d/f"), 100 + 3 * PAGE, 0));
    assert_true(sim_disk_rot(disk, STR("d/f"), 100, 3));
    char c = 0;
    sim_disk_read(disk, STR("d/f"), 100, &c, 1);
    assert_int_equal(c, NEW ^ 8);
    sim_disk_read(copy, STR("d/f"), 100, &c, 1);
    assert_int_equal(c, NEW);
    assert_true(sim_disk_rot_any(copy, STR("d/")));
    assert_false(sim_disk_rot_any(copy, STR("e/")));
    // The copy is as unsynced as the original was.
    struct sim_world *other = sim_world_create(2);
    int lost = 0;
    for (int i = 0; i < 50; i++) {
        struct sim_disk *again = sim_disk_clone(other, disk);
        assert_int_equal(sim_disk_file_size(again, STR("d/f")), 100 + 3 * PAGE);
        sim_disk_crash(again);
        lost += sim_disk_file_size(again, STR("d/f")) != 100 + 3 * PAGE;
    }
    assert_in_range(lost, 10, 49);
    assert_int_equal(sim_disk_file_size(disk, STR("d/f")), 100 + 3 * PAGE);
    sim_world_destroy(other);
    sim_world_destroy(world);
}

static void lock_main(struct env *env, void *arg)
{
    enum err *ret = arg;
    *ret = disk_lock(env->disk, NULL);
    clock_sleep_until(env->clock, clock_mono_ns(env->clock) + 1000);
}

static void test_lock(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(1);
    struct sim_disk *disk = sim_disk_create(world);
    enum err first = ERR_OK;
    enum err second = ERR_OK;
    sim_process_start(world, "a", "h", disk, lock_main, &first);
    sim_process_start(world, "b", "h", disk, lock_main, &second);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    assert_true((first == ERR_OK && second == ERR_EXISTS) || (first == ERR_EXISTS && second == ERR_OK));
    run_to_end(world, disk, lock_main, &first); // both are gone
    assert_int_equal(first, ERR_OK);
    sim_world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unsynced_writes),
        cmocka_unit_test(test_kill_keeps_the_cache),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_move_between_directories),
        cmocka_unit_test(test_crash_at_every_io),
        cmocka_unit_test(test_io_points),
        cmocka_unit_test(test_failed_sync),
        cmocka_unit_test(test_lying_disk),
        cmocka_unit_test(test_error_rates),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_rot_and_clone),
        cmocka_unit_test(test_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
