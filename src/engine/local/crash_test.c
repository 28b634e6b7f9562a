// SPDX-License-Identifier: Apache-2.0
// Exhaustive small crashes (after ACE, CrashMonkey): every short sequence of operations, stopped at every
// single I/O, by kill or by power cut, with the unsynced sectors kept, lost, zeroed or turned to noise by the
// seed. After each: what was acknowledged is delivered, in order, byte for byte; nothing is invented; a
// second recovery agrees; what was once served stays. Further: failed syncs, a full disk, rot. With planted
// bugs compiled in, each one that concerns the engine must be found.
//
// Arguments: number of scripts of length 2 and 3 to draw (0 = all of length 2); seeds per crash point.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/plant.h"
#include "engine/local/local_private.h"
#include "engine/local/test_support.h"
#include "platform/sim/sim.h"

enum {
    BUNDLES_MAX = 256,
    FILE_BYTES = 1 << 20,
    FIRST_BYTES = 256 << 10,
    TEXT_SIZE = 200,
};

// ---- the model: what must be there. It outlives the simulated processes.

struct shape {
    uint64_t number;
    uint32_t batch_count;
    size_t batch_size;
};

struct model {
    struct shape shapes[BUNDLES_MAX]; // by LSN
    uint64_t attempted;               // highest LSN that may be there
    uint64_t certain_kill;            // must be there after a kill
    uint64_t certain_power;           // must be there after a power cut
    uint64_t snapshot_certain;        // a snapshot at least this new must be there
    uint64_t snapshot_attempted;
    uint64_t next_number;
    uint64_t objects[16]; // sealed, not dropped
    uint32_t object_count;
    bool is_rot_expected;
    bool is_read_only; // the last recovery said so
    char failure[TEXT_SIZE];
};

struct scenario {
    uint64_t seed;
    const char *script;
    uint64_t crash_io; // 0 = none
    enum sim_io_point point;
    bool is_power_cut;
    bool has_sync_errors;
    bool is_rotten; // a bit of the log flips between the crash and the recovery
};

struct run {
    struct model *model;
    struct env *env;
    struct engine *engine;
    const char *script;
    bool is_last; // close cleanly at the end
    uint64_t last_lsn;
    struct object *pin;
    struct ordered pinned;
    struct ordered last;
};

static void model_fail(struct model *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void model_fail(struct model *m, const char *format, ...)
{
    if (m->failure[0] == '\0') {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(m->failure, sizeof m->failure, format, args);
        va_end(args);
    }
}

// ---- inside the world

static void run_fatal(void *arg, const struct error *e)
{
    struct run *run = arg;
    (void)e;
    sim_process_kill(sim_process_of(run->env)); // production ends the process
}

static void run_check_snapshot(struct run *run, const struct buf *data, uint64_t lsn)
{
    struct model *m = run->model;
    char text[40];
    (void)snprintf(text, sizeof text, "state after %llu", (unsigned long long)lsn);
    if (lsn < m->snapshot_certain || lsn > m->snapshot_attempted) {
        model_fail(m, "snapshot %llu, expected %llu..%llu", (unsigned long long)lsn,
                   (unsigned long long)m->snapshot_certain, (unsigned long long)m->snapshot_attempted);
    } else if (lsn > 0 && !bytes_equal(buf_bytes(data), bytes_of(text, strlen(text)))) {
        model_fail(m, "snapshot %llu holds another state", (unsigned long long)lsn);
    }
    m->snapshot_certain = lsn;
}

static void run_check_replay(struct run *run, const struct test_replay *replay, uint64_t snapshot_lsn,
                             enum err rc)
{
    struct model *m = run->model;
    uint64_t last = snapshot_lsn + replay->count;
    m->is_read_only = rc == ERR_READ_ONLY;
    if (rc != ERR_OK && !(rc == ERR_READ_ONLY && m->is_rot_expected)) {
        model_fail(m, "tail: %s", err_name(rc));
        return;
    }
    if (last > m->attempted || (last < m->certain_power && rc == ERR_OK)) {
        model_fail(m, "delivered up to %llu, expected %llu..%llu", (unsigned long long)last,
                   (unsigned long long)m->certain_power, (unsigned long long)m->attempted);
        return;
    }
    for (uint32_t i = 0; i < replay->count; i++) {
        const struct test_delivered *d = &replay->list[i];
        const struct shape *s = &m->shapes[snapshot_lsn + 1 + i];
        if (d->lsn != snapshot_lsn + 1 + i) {
            model_fail(m, "delivered %llu where %llu was due", (unsigned long long)d->lsn,
                       (unsigned long long)(snapshot_lsn + 1 + i));
        } else if (!test_delivered_is(run->engine, d, s->number, s->batch_count, s->batch_size) &&
                   !m->is_rot_expected) {
            model_fail(m, "bundle %llu differs", (unsigned long long)d->lsn);
        }
    }
    if (rc == ERR_OK) { // served from now on: it has to stay
        m->attempted = m->certain_kill = m->certain_power = last;
    }
    run->last_lsn = last;
}

static void run_check_objects(struct run *run)
{
    struct model *m = run->model;
    for (uint32_t i = 0; i < m->object_count; i++) {
        uint64_t value = 0;
        struct object *o = engine_object_pin(run->engine, m->objects[i]);
        if (o == NULL || engine_object_read(run->engine, o, 0, &value, sizeof value, NULL) != ERR_OK ||
            value != m->objects[i]) {
            model_fail(m, "object %llu is gone or differs", (unsigned long long)m->objects[i]);
        }
        engine_object_unpin(run->engine, o);
    }
}

static bool run_open(struct run *run)
{
    struct engine_local_options options;
    engine_local_options_init(&options);
    options.wal_file_bytes = FILE_BYTES;
    options.wal_first_bytes = FIRST_BYTES;
    options.disk_reserve_bytes = 2 << 20;
    options.fatal = run_fatal;
    options.fatal_arg = run;
    struct error e = {0};
    enum err rc = engine_local_open(run->env, &options, &run->engine, &e);
    if (rc != ERR_OK) {
        model_fail(run->model, "open: %s", e.text);
        return false;
    }
    struct buf data = {0};
    uint64_t lsn = 0;
    rc = engine_snapshot_read(run->engine, &data, &lsn, &e);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        model_fail(run->model, "snapshot_read: %s", e.text);
        return false;
    }
    run_check_snapshot(run, &data, lsn);
    buf_fini(&data);
    struct test_replay replay = {0};
    rc = engine_tail(run->engine, lsn, 0, test_deliver, &replay, &e);
    run_check_replay(run, &replay, lsn, rc);
    test_replay_fini(&replay);
    run_check_objects(run);
    return rc == ERR_OK && run->model->failure[0] == '\0';
}

static void run_order(struct run *run, uint32_t batch_count, size_t batch_size, bool needs_sync,
                      bool is_control)
{
    struct model *m = run->model;
    struct test_bundle b;
    struct ordered o = {0};
    struct error e = {0};
    uint64_t lsn = run->last_lsn + 1;
    ASSERT(lsn < BUNDLES_MAX);
    m->shapes[lsn] =
        (struct shape){.number = m->next_number++, .batch_count = batch_count, .batch_size = batch_size};
    m->attempted = lsn;
    test_bundle_init(&b, m->shapes[lsn].number, batch_count, batch_size);
    b.bundle.needs_sync = needs_sync;
    enum err rc = engine_order(run->engine, &b.bundle, is_control, &o, &e);
    test_bundle_fini(&b);
    if (rc == ERR_STORAGE) { // refused: it must never be seen
        m->attempted = lsn - 1;
        return;
    }
    if (rc != ERR_OK || o.lsn != lsn) {
        model_fail(m, "order %llu: %s %s", (unsigned long long)lsn, err_name(rc), e.text);
        return;
    }
    run->last_lsn = lsn;
    m->certain_kill = lsn;
    m->certain_power = needs_sync ? lsn : m->certain_power;
    run->last = o;
}

static void run_maintain(struct run *run)
{
    struct error e = {0};
    for (int i = 0; i < 6; i++) {
        int64_t next_ns;
        if (engine_maintain(run->engine, &next_ns, &e) != ERR_OK) {
            model_fail(run->model, "maintain: %s", e.text);
        }
    }
}

static void run_snapshot(struct run *run)
{
    struct model *m = run->model;
    char text[40];
    struct error e = {0};
    if (run->last_lsn == 0) {
        return;
    }
    m->snapshot_attempted = run->last_lsn;
    (void)snprintf(text, sizeof text, "state after %llu", (unsigned long long)run->last_lsn);
    enum err rc = engine_snapshot_write(run->engine, run->last_lsn, bytes_of(text, 6), false, &e);
    if (rc == ERR_OK) {
        rc =
            engine_snapshot_write(run->engine, run->last_lsn, bytes_of(text + 6, strlen(text) - 6), true, &e);
    }
    if (rc == ERR_NO_SPACE) {
        m->snapshot_attempted = m->snapshot_certain;
    } else if (rc != ERR_OK) {
        model_fail(m, "snapshot_write: %s %s", err_name(rc), e.text);
    } else {
        m->snapshot_certain = run->last_lsn;
        m->certain_power = run->last_lsn; // it vouches for the log
    }
}

struct drops {
    uint64_t numbers[64];
    uint32_t count;
};
static void drops_each(void *arg, const struct engine_object_info *info)
{
    struct drops *d = arg;
    if (info->is_wal && !info->is_current && d->count < 64) {
        d->numbers[d->count++] = info->object;
    }
}

static void run_object(struct run *run)
{
    struct model *m = run->model;
    uint64_t number = 0;
    struct error e = {0};
    enum err rc = engine_object_create(run->engine, &number, &e);
    if (rc == ERR_OK) {
        rc = engine_object_append(run->engine, number, bytes_of(&number, sizeof number), &e);
    }
    if (rc == ERR_OK) {
        rc = engine_object_seal(run->engine, number, &e);
    }
    for (uint32_t i = 0; i < m->object_count; i++) {
        if (m->objects[i] == number) {
            model_fail(m, "object number %llu given out twice", (unsigned long long)number);
        }
    }
    if (rc == ERR_OK && m->object_count < 16) {
        m->objects[m->object_count++] = number;
    } else if (rc != ERR_OK && rc != ERR_NO_SPACE) {
        model_fail(m, "object: %s %s", err_name(rc), e.text);
    }
}

static void run_pin_check(struct run *run)
{
    if (run->pin == NULL) {
        return;
    }
    const struct shape *s = &run->model->shapes[run->pinned.lsn];
    struct test_delivered d = {
        .id = run->pinned.id, .object = run->pinned.object, .payload_position = run->pinned.payload_position};
    struct test_bundle b;
    test_bundle_init(&b, s->number, s->batch_count, s->batch_size);
    uint8_t *read = mem_alloc(b.bundle.payload_size + 1);
    enum err rc =
        engine_object_read(run->engine, run->pin, d.payload_position, read, b.bundle.payload_size, NULL);
    if (rc != ERR_OK ||
        !bytes_equal(bytes_of(read, b.bundle.payload_size), bytes_of(b.payload, b.bundle.payload_size))) {
        model_fail(run->model, "a pinned WAL file changed under its reader");
    }
    mem_free(read);
    test_bundle_fini(&b);
    engine_object_unpin(run->engine, run->pin);
    run->pin = NULL;
}

static void run_step(struct run *run, char op)
{
    struct drops drops = {.count = 0};
    switch (op) {
    case 'O': // order
        run_order(run, 1, 100, true, false);
        break;
    case 'B': // several blocks
        run_order(run, 2, 9000, true, false);
        break;
    case 'U': // unsynced
        run_order(run, 2, 1500, false, false);
        break;
    case 'L': // large: two of them roll
        run_order(run, 4, 150000, true, false);
        break;
    case 'c': // control
        run_order(run, 0, 0, true, true);
        break;
    case 'M': // maintain
        run_maintain(run);
        break;
    case 'I': // idle
        run->env->clock->ops->sleep_until(run->env->clock, clock_mono_ns(run->env->clock) + 200000000);
        run_maintain(run);
        break;
    case 'S': // snapshot
        run_snapshot(run);
        break;
    case 'D': // drop WAL files
        (void)!engine_objects(run->engine, drops_each, &drops, NULL);
        for (uint32_t i = 0; i < drops.count; i++) {
            engine_object_drop(run->engine, drops.numbers[i]);
        }
        break;
    case 'C': // object
        run_object(run);
        break;
    case 'P': // pin the file of the last bundle
        run->pinned = run->last;
        run->pin = run->last.lsn == 0 ? NULL : engine_object_pin(run->engine, run->last.object);
        break;
    case 'K': // stop cleanly, start again
        run_pin_check(run);
        engine_close(run->engine, true);
        run->engine = NULL;
        run->last.lsn = 0;
        (void)run_open(run);
        break;
    default:
        UNREACHABLE("script");
    }
}

static void run_main(struct env *env, void *arg)
{
    struct run *run = arg;
    run->env = env;
    if (!run_open(run)) {
        return;
    }
    for (const char *at = run->script; *at != '\0' && run->model->failure[0] == '\0' && run->engine != NULL;
         at++) {
        run_step(run, *at);
    }
    if (run->engine != NULL) {
        run_pin_check(run);
        engine_close(run->engine, run->is_last);
    }
}

// ---- around it

// Runs one process on the disk; returns how it ended. Kills and power cuts adjust what is certain.
static enum sim_state phase(struct sim_world *world, struct sim_disk *disk, struct model *m,
                            const char *script, bool is_last, const struct scenario *s,
                            uint64_t *ret_io_count)
{
    struct run run = {.model = m, .script = script, .is_last = is_last};
    struct sim_process *p = sim_process_start(world, "engine", "10.0.0.1", disk, run_main, &run);
    if (s != NULL && s->crash_io > 0) {
        sim_process_crash_at_io(p, s->crash_io, s->point, s->is_power_cut);
    }
    struct sim_limits limits = {.steps_max = 2000000};
    enum sim_stop stop = sim_world_run(world, &limits);
    if (stop != SIM_DONE) {
        model_fail(m, "the world stopped: %s", sim_stop_name(stop));
    }
    if (ret_io_count != NULL) {
        *ret_io_count = sim_process_io_count(p);
    }
    return sim_process_state(p);
}

// Finds an acknowledged frame that something later vouches for and flips a bit of its header.
static bool rot_acknowledged(struct sim_disk *disk, struct sim_world *world)
{
    for (uint64_t number = 1; number < 64; number++) {
        char text[LOCAL_PATH_SIZE];
        struct str path = local_path(text, "wal", number, ".wal");
        if (sim_disk_file_size(disk, path) > 8192) {
            return sim_disk_rot(disk, path, 32 + (int64_t)sim_rand(world, 8), (unsigned)sim_rand(world, 8));
        }
    }
    return false;
}

static void scenario_print(const struct scenario *s, const struct model *m)
{
    static const char *const points[] = {"before", "during", "after"};
    print_error("script %s seed %llu: %s %s I/O %llu%s: %s\n", s->script, (unsigned long long)s->seed,
                s->is_power_cut ? "power cut" : "kill", points[s->point], (unsigned long long)s->crash_io,
                s->has_sync_errors ? " with failing syncs" : "", m->failure);
}

// Runs the script with its crash, recovers twice, goes on, loses power, recovers again.
// True: all as it should be. *ret_is_over: the script ended before the crash was due.
static bool scenario_run(const struct scenario *s, bool *ret_is_over, struct model *m)
{
    memset(m, 0, sizeof *m);
    m->next_number = 1;
    struct sim_world *world = sim_world_create(s->seed);
    struct sim_disk *disk = sim_disk_create(world);
    struct sim_faults faults = {.crash_zero = 200, .crash_garbage = 200, .short_read = 20, .short_write = 20};
    if (s->has_sync_errors) {
        faults.sync_error = 150;
        faults.sync_error_keeps = 700;
        faults.sync_error_drops = 200;
    }
    sim_disk_set_faults(disk, &faults);
    uint64_t io_count = 0;
    enum sim_state state = phase(world, disk, m, s->script, false, s, &io_count);
    *ret_is_over = state == SIM_EXITED;
    faults.sync_error = 0;
    sim_disk_set_faults(disk, &faults);
    if (s->is_rotten && m->certain_power > 2) {
        m->is_rot_expected = rot_acknowledged(disk, world);
    }
    if (m->is_rot_expected) {
        (void)phase(world, disk, m, "", false, NULL, NULL);
        if (m->failure[0] == '\0' && !m->is_read_only) {
            model_fail(m, "rot went unnoticed");
        }
        sim_world_destroy(world);
        return m->failure[0] == '\0';
    }
    // A crash in the middle of recovery, for some: it takes what only the kernel had.
    struct scenario again = {.crash_io = 1 + sim_rand(world, 40), .point = s->point, .is_power_cut = true};
    bool is_twice = sim_chance(world, 300);
    if (state == SIM_KILLED && !is_twice && m->certain_kill > m->certain_power && !s->has_sync_errors) {
        m->certain_power = m->certain_kill;
    }
    if (m->failure[0] == '\0' && is_twice) {
        (void)phase(world, disk, m, "", false, &again, NULL);
    }
    if (m->failure[0] == '\0') {
        (void)phase(world, disk, m, "", false, NULL, NULL);
    }
    sim_disk_crash(disk);
    if (m->failure[0] == '\0') {
        (void)phase(world, disk, m, "OUBM", false, NULL, NULL);
    }
    sim_disk_crash(disk);
    if (m->failure[0] == '\0') {
        (void)phase(world, disk, m, "LL", true, NULL, NULL);
    }
    sim_disk_crash(disk);
    if (m->failure[0] == '\0') {
        (void)phase(world, disk, m, "", true, NULL, NULL);
    }
    sim_world_destroy(world);
    return m->failure[0] == '\0';
}

static struct model the_model;

// Every crash point of one script. Returns whether all went well.
static bool script_run(const char *script, uint64_t seeds, uint64_t stride, bool is_quiet)
{
    for (uint64_t io = 1;; io += stride) {
        bool is_over = true;
        for (uint64_t seed = 0; seed < seeds; seed++) {
            uint64_t mixed = (io * 31 + seed) * 0x9e3779b97f4a7c15ULL + (uint64_t)(uint8_t)script[0];
            struct scenario s = {
                .seed = mixed,
                .script = script,
                .crash_io = io,
                .point = (enum sim_io_point)(mixed >> 8) % 3,
                .is_power_cut = (mixed >> 16) % 4 != 0,
            };
            bool is_seed_over;
            if (!scenario_run(&s, &is_seed_over, &the_model)) {
                if (!is_quiet) {
                    scenario_print(&s, &the_model);
                }
                return false;
            }
            is_over = is_over && is_seed_over;
        }
        if (is_over) {
            return true;
        }
    }
}

static uint64_t scripts_drawn = 10; // of all short ones, besides the long ones
static uint64_t seeds_per_point = 1;

static void short_scripts(void **state)
{
    (void)state;
    static const char ops[] = "OBULcMISDCK";
    enum { OPS = sizeof ops - 1 };
    uint64_t total = scripts_drawn == 0 ? OPS * OPS : scripts_drawn;
    for (uint64_t i = 0; i < total; i++) {
        uint64_t pick = scripts_drawn == 0 ? i : i * 7919 % (OPS * OPS * OPS);
        char script[4] = {ops[pick % OPS], ops[pick / OPS % OPS], '\0', '\0'};
        if (scripts_drawn != 0) {
            script[2] = ops[pick / OPS / OPS];
        }
        assert_true(script_run(script, seeds_per_point, scripts_drawn == 0 ? 1 : 5, false));
    }
}

static void long_scripts(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        "OUUOIUUO",           // marks between unsynced bundles
        "OMLPMLSDMLLL",       // recycling under a pin
        "OLLSDMLLSDMLLSDMLL", // recycling again and again
        "OKUKBKO",            // clean stops
        "SOSOSOS",            // snapshots
        "CCSCDCK",            // objects
    };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        assert_true(script_run(scripts[i], seeds_per_point, scripts_drawn == 0 ? 1 : 19, false));
    }
}

static void failing_syncs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30 * seeds_per_point; seed++) {
        struct scenario s = {.seed = seed, .script = "OUBOUUBOIOUB", .has_sync_errors = true};
        bool is_over;
        bool is_fine = scenario_run(&s, &is_over, &the_model);
        if (!is_fine) {
            scenario_print(&s, &the_model);
        }
        assert_true(is_fine);
    }
}

static void rot_is_noticed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct scenario s = {.seed = seed, .script = "OOOBO", .is_rotten = true};
        bool is_over;
        bool is_fine = scenario_run(&s, &is_over, &the_model);
        if (!is_fine) {
            scenario_print(&s, &the_model);
        }
        assert_true(is_fine);
    }
}

// ---- a full disk

struct full {
    struct run run;
    struct sim_disk *disk;
};

static void full_main(struct env *env, void *arg)
{
    struct full *f = arg;
    struct run *run = &f->run;
    struct engine_status status;
    run->env = env;
    if (!run_open(run)) {
        return;
    }
    run_order(run, 1, 100, true, false);
    int64_t free_bytes, total_bytes;
    (void)!disk_space(env->disk, &free_bytes, &total_bytes, NULL);
    sim_disk_set_capacity(f->disk,
                          total_bytes - free_bytes + (3 << 20) + (1 << 19)); // the reserve, and one file
    uint64_t before = 0;
    for (int i = 0; i < 20; i++) {
        before = run->last_lsn;
        run_order(run, 4, 150000, true, false);
        run_maintain(run);
    }
    engine_status(run->engine, &status);
    if (before != run->last_lsn || !status.is_disk_full || strstr(status.reason, "full") == NULL) {
        model_fail(run->model, "a full disk was not noticed");
    }
    for (int i = 0; i < 100; i++) { // control goes on, out of the reserve
        before = run->last_lsn;
        run_order(run, 0, 0, true, true);
        if (run->last_lsn != before + 1) {
            model_fail(run->model, "a control bundle was refused");
        }
    }
    run_snapshot(run);
    sim_disk_set_capacity(f->disk, 1 << 30);
    run_maintain(run);
    engine_status(run->engine, &status);
    before = run->last_lsn;
    run_order(run, 4, 150000, true, false);
    if (status.is_disk_full || run->last_lsn != before + 1) {
        model_fail(run->model, "it did not recover");
    }
    engine_close(run->engine, false);
}

static void full_disk(void **state)
{
    (void)state;
    struct model *m = &the_model;
    memset(m, 0, sizeof *m);
    m->next_number = 1;
    struct sim_world *world = sim_world_create(7);
    struct full f = {.run = {.model = m}, .disk = sim_disk_create(world)};
    struct sim_process *p = sim_process_start(world, "full", "10.0.0.1", f.disk, full_main, &f);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    assert_int_equal(sim_process_state(p), SIM_EXITED);
    sim_disk_crash(f.disk);
    (void)phase(world, f.disk, m, "", true, NULL, NULL);
    assert_string_equal(m->failure, "");
    sim_world_destroy(world);
}

// ---- a failed sync where the embedder lives on: told once, and nothing is written any more

struct dying {
    struct run run;
    struct sim_disk *disk;
    uint32_t told_count;
};

static void dying_fatal(void *arg, const struct error *e)
{
    struct dying *d = arg;
    d->told_count += e->text[0] != '\0';
}

static void dying_check(struct dying *d, bool is_as_expected, const char *what)
{
    if (!is_as_expected) {
        model_fail(d->run.model, "%s", what);
    }
}

static void dying_main(struct env *env, void *arg)
{
    struct dying *d = arg;
    struct run *run = &d->run;
    struct engine_local_options options;
    engine_local_options_init(&options);
    options.wal_file_bytes = FILE_BYTES;
    options.wal_first_bytes = FIRST_BYTES;
    options.fatal = dying_fatal;
    options.fatal_arg = d;
    struct test_replay replay = {0};
    run->env = env;
    dying_check(d, engine_local_open(env, &options, &run->engine, NULL) == ERR_OK, "open");
    dying_check(d, engine_tail(run->engine, 0, 0, test_deliver, &replay, NULL) == ERR_OK, "tail");
    run_order(run, 1, 100, true, false);
    sim_disk_set_faults(d->disk, &(struct sim_faults){.sync_error = 1000});
    struct test_bundle b;
    struct ordered o;
    uint64_t object;
    int64_t next_ns;
    test_bundle_init(&b, 2, 1, 100);
    dying_check(d, engine_order(run->engine, &b.bundle, false, &o, NULL) == ERR_IO,
                "a failed sync was acknowledged");
    sim_disk_set_faults(d->disk, &(struct sim_faults){.sync_error = 0});
    dying_check(d, engine_order(run->engine, &b.bundle, true, &o, NULL) == ERR_IO, "order went on");
    dying_check(d, engine_object_create(run->engine, &object, NULL) == ERR_IO, "objects went on");
    dying_check(d, engine_snapshot_write(run->engine, 1, bytes_of("x", 1), true, NULL) == ERR_IO,
                "snapshots went on");
    dying_check(d, engine_maintain(run->engine, &next_ns, NULL) == ERR_OK && next_ns == INT64_MAX,
                "maintain went on");
    dying_check(d, d->told_count == 1, "fatal was not called once");
    test_bundle_fini(&b);
    test_replay_fini(&replay);
    engine_close(run->engine, true); // and a clean stop is not claimed
    run->model->attempted = 2;
    run->model->shapes[2] = (struct shape){.number = 2, .batch_count = 1, .batch_size = 100};
}

static void sync_error_is_final(void **state)
{
    (void)state;
    struct model *m = &the_model;
    memset(m, 0, sizeof *m);
    m->next_number = 1;
    struct sim_world *world = sim_world_create(11);
    struct dying d = {.run = {.model = m}, .disk = sim_disk_create(world)};
    (void)sim_process_start(world, "dying", "10.0.0.1", d.disk, dying_main, &d);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    assert_string_equal(m->failure, "");
    sim_disk_crash(d.disk);
    (void)phase(world, d.disk, m, "", true, NULL, NULL);
    assert_string_equal(m->failure, "");
    sim_world_destroy(world);
}

// ---- a mark whose sync failed shows in the page cache, and the next bundle is chained to it: losing it then
// would lose what follows

struct marked {
    struct sim_disk *disk;
    uint64_t number; // of the bundle that this process orders; 0 = none
    bool must_fail;  // the sync of the mark after it
    enum err tail_rc;
    uint64_t delivered;
};

static void marked_main(struct env *env, void *arg)
{
    struct marked *m = arg;
    struct engine_local_options options;
    engine_local_options_init(&options);
    options.wal_file_bytes = FILE_BYTES;
    options.wal_first_bytes = FIRST_BYTES;
    struct engine *engine;
    struct test_replay replay = {0};
    if (engine_local_open(env, &options, &engine, NULL) != ERR_OK) {
        return;
    }
    m->tail_rc = engine_tail(engine, 0, 0, test_deliver, &replay, NULL);
    m->delivered = replay.count;
    test_replay_fini(&replay);
    if (m->number > 0 && m->tail_rc == ERR_OK) {
        struct test_bundle b;
        struct ordered o;
        int64_t next_ns;
        test_bundle_init(&b, m->number, 1, 100);
        m->tail_rc = engine_order(engine, &b.bundle, false, &o, NULL);
        test_bundle_fini(&b);
        if (m->must_fail) {
            sim_disk_set_faults(m->disk, &(struct sim_faults){.sync_error = 1000, .sync_error_keeps = 1000});
            clock_sleep_until(env->clock, clock_mono_ns(env->clock) + 1000000000);
            (void)!engine_maintain(engine, &next_ns, NULL);
            sim_disk_set_faults(m->disk, &(struct sim_faults){0});
        }
    }
    sim_process_kill(sim_process_of(env));
}

static void mark_that_was_not_synced(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(12);
    struct marked m = {.disk = sim_disk_create(world)};
    for (uint64_t start = 1; start <= 3; start++) {
        m.number = start == 3 ? 0 : start;
        m.must_fail = start == 1;
        (void)sim_process_start(world, "marked", "10.0.0.1", m.disk, marked_main, &m);
        assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
        assert_int_equal(m.tail_rc, ERR_OK);
        assert_int_equal(m.delivered, start - 1);
        if (start == 2) {
            sim_disk_crash(m.disk);
        }
    }
    sim_world_destroy(world);
}

// ---- planted bugs

#ifdef STROM_PLANTED_BUGS
static bool plant_is_found(enum plant plant)
{
    static const char *const scripts[] = {"OBO",          "OUUO",         "OLLSDMLL",   "OOSOS",
                                          "OUBOUUBOIOUB", "OMLPMLSDMLLL", "OSLLSDOSDO", "OOOBO"};
    plant_set(plant);
    bool is_found = false;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0] && !is_found; i++) {
        is_found = !script_run(scripts[i], 2, 3, true);
        for (uint64_t seed = 1; seed <= 40 && !is_found; seed++) {
            struct scenario s = {.seed = seed, .script = scripts[i], .has_sync_errors = true};
            bool is_over;
            is_found = !scenario_run(&s, &is_over, &the_model);
            s.has_sync_errors = false;
            s.is_rotten = strpbrk(scripts[i], "SD") == NULL; // what a snapshot covers may rot
            is_found = is_found || !scenario_run(&s, &is_over, &the_model);
        }
    }
    plant_set(PLANT_NONE);
    return is_found;
}

static void planted_bugs_are_found(void **state)
{
    (void)state;
    static const enum plant plants[] = {
        PLANT_ACK_BEFORE_SYNC,     PLANT_SKIP_CRC,   PLANT_RECYCLE_PINNED_WAL, PLANT_NO_TAIL_REWRITE,
        PLANT_REWRITE_ACKED_BLOCK, PLANT_RETRY_SYNC, PLANT_SKIP_DIR_SYNC,      PLANT_TRUNCATE_ROT,
        PLANT_SNAPSHOT_AHEAD,
    };
    bool is_all_found = true;
    assert_false(plant_is_found(PLANT_NONE)); // the same runs without a bug find nothing
    for (size_t i = 0; i < sizeof plants / sizeof plants[0]; i++) {
        if (!plant_is_found(plants[i])) {
            print_error("%s was not found\n", plant_name(plants[i]));
            is_all_found = false;
        } else {
            print_message("%s: %s\n", plant_name(plants[i]), the_model.failure);
        }
    }
    assert_true(is_all_found);
}
#endif

int main(int argc, char **argv)
{
    int64_t value;
    if (argc > 1 && str_parse_i64(str_from_c(argv[1]), &value) && value >= 0) {
        scripts_drawn = (uint64_t)value;
    }
    if (argc > 2 && str_parse_i64(str_from_c(argv[2]), &value) && value > 0) {
        seeds_per_point = (uint64_t)value;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_scripts),
        cmocka_unit_test(long_scripts),
        cmocka_unit_test(failing_syncs),
        cmocka_unit_test(rot_is_noticed),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(sync_error_is_final),
        cmocka_unit_test(mark_that_was_not_synced),
#ifdef STROM_PLANTED_BUGS
        cmocka_unit_test(planted_bugs_are_found),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
