// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/sim/sim.h"

static const int64_t MS = 1000000;
static const int64_t SECOND = 1000 * 1000000;

// ---- a busy little program: threads, sleeps, a queue, a file

struct busy {
    struct env *env;
    struct mutex mutex;
    struct cond changed;
    int turns;
};

static void busy_thread(void *arg)
{
    struct busy *b = arg;
    for (int i = 0; i < 10; i++) {
        clock_sleep_until(b->env->clock,
                          clock_mono_ns(b->env->clock) + (int64_t)(rng_u64(b->env->rng) % 1000));
        mutex_lock(&b->mutex);
        b->turns++;
        cond_signal(&b->changed);
        mutex_unlock(&b->mutex);
    }
}

static void busy_main(struct env *env, void *arg)
{
    (void)arg;
    struct busy *b = mem_zalloc(sizeof *b);
    b->env = env;
    mutex_init(&b->mutex, env->threads);
    cond_init(&b->changed, env->threads);
    struct thread *threads[3];
    for (int i = 0; i < 3; i++) {
        threads[i] = thread_start(env->threads, "busy", busy_thread, b);
    }
    mutex_lock(&b->mutex);
    while (b->turns < 30) {
        cond_wait(&b->changed, &b->mutex, CLOCK_NEVER);
    }
    mutex_unlock(&b->mutex);
    for (int i = 0; i < 3; i++) {
        thread_join(env->threads, threads[i]);
    }
    struct file *f = NULL;
    ASSERT(disk_open(env->disk, STR("x"), DISK_WRITE | DISK_CREATE, &f, NULL) == ERR_OK);
    uint64_t value = rng_u64(env->rng);
    ASSERT(file_write_bytes(f, 0, bytes_of(&value, sizeof value), NULL) == ERR_OK);
    file_close(f);
    cond_fini(&b->changed);
    mutex_fini(&b->mutex);
    mem_free(b);
}

static uint64_t busy_hash(uint64_t seed)
{
    struct sim_world *world = sim_world_create(seed);
    struct sim_schedule schedule = sim_schedule_draw(world);
    sim_world_set_schedule(world, &schedule);
    sim_process_start(world, "a", "10.0.0.1", sim_disk_create(world), busy_main, NULL);
    sim_process_start(world, "b", "10.0.0.2", sim_disk_create(world), busy_main, NULL);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    uint64_t hash = sim_world_hash(world);
    sim_world_destroy(world);
    return hash;
}

static void test_same_seed_same_run(void **state)
{
    (void)state;
    uint64_t before = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        uint64_t hash = busy_hash(seed);
        void *noise[8]; // addresses must not matter
        for (size_t i = 0; i < 8; i++) {
            noise[i] = mem_alloc(seed % 2 == 0 ? 512 : 64 << i);
        }
        assert_true(busy_hash(seed) == hash);
        for (size_t i = 0; i < 8; i++) {
            mem_free(noise[i]);
        }
        assert_true(hash != before);
        before = hash;
    }
}

static void test_thousand_worlds(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        busy_hash(seed);
    }
}

// ---- mutual exclusion, although the holder is switched away inside

enum { RIVALS = 4, ROUNDS = 50 };
struct rivals {
    struct env *env;
    struct mutex outer;
    struct mutex inner;
    int inside;
    int rounds;
    int switches; // rounds during which another fiber took a step
    uint64_t steps;
};

static void rival_run(void *arg)
{
    struct rivals *r = arg;
    for (int i = 0; i < ROUNDS; i++) {
        mutex_lock(&r->outer);
        ASSERT(r->inside++ == 0);
        uint64_t before = ++r->steps;
        mutex_lock(&r->inner); // may let others run
        r->rounds++;
        r->switches += r->steps != before;
        mutex_unlock(&r->inner);
        ASSERT(--r->inside == 0);
        mutex_unlock(&r->outer);
        r->steps++;
        clock_sleep_until(r->env->clock, 0);
        r->steps++;
    }
}

static void rivals_main(struct env *env, void *arg)
{
    struct rivals *r = arg;
    r->env = env;
    mutex_init(&r->outer, env->threads);
    mutex_init(&r->inner, env->threads);
    struct thread *threads[RIVALS];
    for (int i = 0; i < RIVALS; i++) {
        threads[i] = thread_start(env->threads, "rival", rival_run, r);
    }
    for (int i = 0; i < RIVALS; i++) {
        thread_join(env->threads, threads[i]);
    }
    mutex_fini(&r->outer);
    mutex_fini(&r->inner);
}

static void test_mutex(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(1);
    sim_world_set_schedule(world, &(struct sim_schedule){.lock_switch_permille = 500});
    struct rivals rivals = {0};
    sim_process_start(world, "rivals", "h", NULL, rivals_main, &rivals);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    assert_int_equal(rivals.rounds, RIVALS * ROUNDS);
    assert_true(rivals.switches > 20);
    sim_world_destroy(world);
}

// ---- time

static void sleeper_main(struct env *env, void *arg)
{
    int64_t ns = *(int64_t *)arg;
    int64_t start_ns = clock_mono_ns(env->clock);
    clock_sleep_until(env->clock, start_ns + ns);
    ASSERT(clock_mono_ns(env->clock) == start_ns + ns);
    clock_sleep_until(env->clock, 1); // the past
    ASSERT(clock_mono_ns(env->clock) == start_ns + ns);
}

static void note_time(void *arg)
{
    *(int64_t *)arg = 1;
}

static void test_time(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(7);
    int64_t long_ns = 3600 * SECOND;
    int64_t start_ns = sim_world_now_ns(world);
    struct sim_process *p = sim_process_start(world, "sleeper", "h", NULL, sleeper_main, &long_ns);
    int64_t is_called = 0;
    sim_world_at(world, start_ns + SECOND, note_time, &is_called);

    struct sim_limits limits = {.until_ns = start_ns + 10 * SECOND};
    assert_int_equal(sim_world_run(world, &limits), SIM_TIME);
    assert_true(sim_world_now_ns(world) == start_ns + 10 * SECOND);
    assert_int_equal(is_called, 1);
    int64_t wall_ms = clock_wall_ms(sim_process_env(p)->clock);
    sim_process_wall_jump(p, -3600000);
    assert_true(clock_wall_ms(sim_process_env(p)->clock) == wall_ms - 3600000);
    sim_process_wall_drift(p, 50000); // 5 %
    limits.until_ns += 100 * SECOND;
    assert_int_equal(sim_world_run(world, &limits), SIM_TIME);
    assert_true(clock_wall_ms(sim_process_env(p)->clock) == wall_ms - 3600000 + 105000);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    assert_true(sim_world_now_ns(world) == start_ns + long_ns);
    sim_world_destroy(world);
}

// ---- ends

static void forever_main(struct env *env, void *arg)
{
    (void)arg;
    struct mutex mutex;
    struct cond cond;
    mutex_init(&mutex, env->threads);
    cond_init(&cond, env->threads);
    mutex_lock(&mutex);
    for (;;) {
        cond_wait(&cond, &mutex, CLOCK_NEVER);
    }
}

static void spin_main(struct env *env, void *arg)
{
    (void)arg;
    for (;;) {
        clock_sleep_until(env->clock, 0);
    }
}

static bool is_set(void *arg)
{
    return *(int64_t *)arg != 0;
}

static void test_stops(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(1);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE); // nobody there
    struct sim_process *p = sim_process_start(world, "stuck", "h", NULL, forever_main, NULL);
    assert_int_equal(sim_world_run(world, NULL), SIM_DEADLOCK);
    sim_process_kill(p);
    assert_int_equal(sim_process_state(p), SIM_KILLED);
    sim_process_kill(p); // no-op
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);

    struct sim_process *spinner = sim_process_start(world, "spin", "h", NULL, spin_main, NULL);
    uint64_t steps = sim_world_steps(world);
    assert_int_equal(sim_world_run(world, &(struct sim_limits){.steps_max = 100}), SIM_STEPS);
    assert_true(sim_world_steps(world) == steps + 100);
    int64_t flag = 1;
    assert_int_equal(sim_world_run(world, &(struct sim_limits){.until = is_set, .arg = &flag}), SIM_UNTIL);
    // With a cost per step even a spinning program meets its time limit.
    sim_world_set_schedule(world, &(struct sim_schedule){.step_ns = 1000});
    struct sim_limits limits = {.until_ns = sim_world_now_ns(world) + MS};
    assert_int_equal(sim_world_run(world, &limits), SIM_TIME);
    assert_true(sim_process_is_alive(spinner));
    sim_world_destroy(world); // with a live process
}

static void leaky_main(struct env *env, void *arg)
{
    (void)arg;
    mem_free(mem_alloc(50));
    ASSERT(mem_alloc(100) != NULL);
    ASSERT(mem_realloc(mem_alloc(1), 23) != NULL);
    struct file *f = NULL;
    ASSERT(disk_open(env->disk, STR("f"), DISK_WRITE | DISK_CREATE, &f, NULL) == ERR_OK);
    struct sock *listener = NULL;
    int port = 0;
    ASSERT(net_listen(env->net, STR(""), 0, &listener, &port, NULL) == ERR_OK);
    ASSERT(poller_open(env->net) != NULL);
}

static void test_leaks(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(1);
    struct sim_disk *disk = sim_disk_create(world);
    struct sim_process *p = sim_process_start(world, "leaky", "h", disk, leaky_main, NULL);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    struct sim_leaks leaks = sim_process_leaks(p);
    assert_int_equal(leaks.blocks, 2);
    assert_int_equal(leaks.bytes, 123);
    assert_int_equal(leaks.files, 1);
    assert_int_equal(leaks.sockets, 2);
    assert_int_equal(sim_process_heap_bytes(p), 0); // and yet nothing stays
    sim_world_destroy(world);
}

// ---- crashes

static void hoarder_thread(void *arg)
{
    struct env *env = arg;
    for (;;) {
        ASSERT(mem_alloc(1000) != NULL);
        clock_sleep_until(env->clock, clock_mono_ns(env->clock) + MS);
    }
}

static void hoarder_main(struct env *env, void *arg)
{
    (void)arg;
    ASSERT(disk_lock(env->disk, NULL) == ERR_OK);
    struct thread *thread = thread_start(env->threads, "hoarder", hoarder_thread, env);
    thread_join(env->threads, thread);
}

static void test_crash_drops_everything(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(3);
    struct sim_disk *disk = sim_disk_create(world);
    for (int i = 0; i < 20; i++) {
        struct sim_process *p = sim_process_start(world, "hoarder", "h", disk, hoarder_main, NULL);
        struct sim_limits limits = {.until_ns = sim_world_now_ns(world) + 10 * MS};
        assert_int_equal(sim_world_run(world, &limits), SIM_TIME);
        assert_true(sim_process_heap_bytes(p) >= 10000);
        if (i % 2 == 0) {
            sim_process_crash(p);
        } else {
            sim_process_kill(p);
        }
        assert_false(sim_process_is_alive(p));
        assert_int_equal(sim_process_heap_bytes(p), 0);
    }
    sim_world_destroy(world);
}

struct duel {
    struct sim_process *victim;
    bool saw_end;
};

static void suicide_main(struct env *env, void *arg)
{
    (void)arg;
    clock_sleep_until(env->clock, clock_mono_ns(env->clock) + SECOND);
    sim_process_crash(sim_process_of(env));
    UNREACHABLE("a process outlived its crash");
}

static void witness_main(struct env *env, void *arg)
{
    struct duel *duel = arg;
    (void)env;
    sim_process_wait(duel->victim);
    duel->saw_end = sim_process_state(duel->victim) == SIM_CRASHED;
}

static void killer_main(struct env *env, void *arg)
{
    struct duel *duel = arg;
    clock_sleep_until(env->clock, clock_mono_ns(env->clock) + SECOND);
    sim_process_crash(duel->victim);
    duel->saw_end = !sim_process_is_alive(duel->victim);
}

static void test_crash_from_inside(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(5);
    struct sim_disk *disk = sim_disk_create(world);
    struct duel duel = {sim_process_start(world, "suicide", "h", disk, suicide_main, NULL), false};
    sim_process_start(world, "witness", "w", NULL, witness_main, &duel);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    assert_true(duel.saw_end);

    duel = (struct duel){sim_process_start(world, "victim", "h", disk, hoarder_main, NULL), false};
    sim_process_start(world, "killer", "w", NULL, killer_main, &duel);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    assert_true(duel.saw_end);

    // Two programs on one disk: the power goes for both, whoever asks for it.
    duel = (struct duel){sim_process_start(world, "victim", "h", disk, forever_main, NULL), false};
    struct sim_process *killer = sim_process_start(world, "killer", "h", disk, killer_main, &duel);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    assert_int_equal(sim_process_state(duel.victim), SIM_CRASHED);
    assert_int_equal(sim_process_state(killer), SIM_CRASHED);
    sim_world_destroy(world);
}

struct restart {
    struct sim_world *world;
    struct sim_process *process;
    int64_t sleep_ns;
};

static void start_again(void *arg)
{
    struct restart *r = arg;
    r->process = sim_process_start(r->world, "again", "h", NULL, sleeper_main, &r->sleep_ns);
}

// ---- what a world refuses

static void lock_and_write(struct env *env, bool is_allowed)
{
    struct mutex mutex;
    mutex_init(&mutex, env->threads);
    if (is_allowed) {
        sim_mutex_allow_io(&mutex);
    }
    mutex_lock(&mutex);
    struct file *f = NULL;
    ASSERT(disk_open(env->disk, STR("x"), DISK_WRITE | DISK_CREATE, &f, NULL) == ERR_OK);
    file_close(f);
    mutex_unlock(&mutex);
    mutex_fini(&mutex);
}

static void locked_io_main(struct env *env, void *arg)
{
    (void)arg;
    lock_and_write(env, false);
}

static void allowed_io_main(struct env *env, void *arg)
{
    (void)arg;
    lock_and_write(env, true);
}

static void overflow_main(struct env *env, void *arg)
{
    (void)env;
    (void)arg;
    // Touches every page below, until the guard page stops it.
    volatile char *at = (volatile char *)&arg;
    for (size_t i = 0; i < (size_t)4 << 20; i += 512) {
        at[-(ptrdiff_t)i] = 1;
    }
}

static int run_apart(void (*main)(struct env *, void *))
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        // cmocka's and the sanitizers' handlers would turn the end into something else.
        signal(SIGABRT, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        assert_non_null(freopen("/dev/null", "w", stderr));
        struct sim_world *world = sim_world_create(1);
        sim_process_start(world, "p", "h", sim_disk_create(world), main, NULL);
        enum sim_stop stop = sim_world_run(world, NULL);
        _exit(stop == SIM_DONE ? 0 : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_refusals(void **state)
{
    (void)state;
    assert_int_equal(run_apart(locked_io_main), SIGABRT);
    assert_int_equal(run_apart(allowed_io_main), 0);
    assert_int_equal(run_apart(overflow_main), SIGSEGV);
}

// Between a crash and the restart nobody is alive, but the world is not over.
static void test_call_keeps_world_going(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(1);
    struct restart r = {world, NULL, SECOND};
    sim_world_at(world, sim_world_now_ns(world) + SECOND, start_again, &r);
    int64_t start_ns = sim_world_now_ns(world);
    assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
    assert_non_null(r.process);
    assert_int_equal(sim_process_state(r.process), SIM_EXITED);
    assert_true(sim_world_now_ns(world) == start_ns + 2 * SECOND);
    sim_world_destroy(world);
}

static void test_random(void **state)
{
    (void)state;
    struct sim_world *world = sim_world_create(99);
    int counts[10] = {0};
    int hits = 0;
    for (int i = 0; i < 10000; i++) {
        counts[sim_rand(world, 10)]++;
        hits += sim_chance(world, 250);
        assert_false(sim_chance(world, 0));
        assert_true(sim_chance(world, 1000));
    }
    for (int i = 0; i < 10; i++) {
        assert_in_range(counts[i], 850, 1150);
    }
    assert_in_range(hits, 2300, 2700);
    sim_world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_run),
        cmocka_unit_test(test_thousand_worlds),
        cmocka_unit_test(test_mutex),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_leaks),
        cmocka_unit_test(test_crash_drops_everything),
        cmocka_unit_test(test_crash_from_inside),
        cmocka_unit_test(test_call_keeps_world_going),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
