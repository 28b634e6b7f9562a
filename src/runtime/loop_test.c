// SPDX-License-Identifier: Apache-2.0
// The loop over a scripted poller and a clock that stands still, so that every round is known; and once over
// the real world.
#include "runtime/loop.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"
#include "platform/real/real.h"
#include "runtime/metrics.h"

enum { WAITS_MAX = 32 };

struct world {
    struct env env;
    struct clock clock;
    struct net net;
    struct poller poller;
    struct threads threads;
    int64_t now_ns;
    struct loop *loop;
    int wakes;
    int adds;
    int sets;
    int removes;
    // What each wait returns; past the script a wait stops the loop, as another thread would.
    struct poll_event events[WAITS_MAX][4];
    int script_count;
    int wait_count;
    int64_t deadlines[WAITS_MAX]; // what each wait was asked
    void (*during_wait)(struct world *w);
    char trail[160]; // what ran, in order
};

#define WORLD_OF(object, member) ((struct world *)(void *)((char *)(object)-offsetof(struct world, member)))

static int64_t world_mono_ns(struct clock *c)
{
    return WORLD_OF(c, clock)->now_ns;
}
static const struct clock_ops world_clock_ops = {.mono_ns = world_mono_ns};

static void world_add(struct poller *p, struct sock *s, unsigned interest, void *user)
{
    (void)s, (void)interest, (void)user;
    WORLD_OF(p, poller)->adds++;
}
static void world_set(struct poller *p, struct sock *s, unsigned interest, void *user)
{
    (void)s, (void)interest, (void)user;
    WORLD_OF(p, poller)->sets++;
}
static void world_remove(struct poller *p, struct sock *s)
{
    (void)s;
    WORLD_OF(p, poller)->removes++;
}
static void world_wake(struct poller *p)
{
    WORLD_OF(p, poller)->wakes++;
}
static void world_close(struct poller *p)
{
    (void)p;
}

static size_t world_wait(struct poller *p, struct poll_event *ret_events, size_t max, int64_t deadline_ns)
{
    struct world *w = WORLD_OF(p, poller);
    assert_true(w->wait_count < WAITS_MAX);
    assert_true(max >= 4);
    int round = w->wait_count++;
    w->deadlines[round] = deadline_ns;
    if (w->during_wait != NULL) {
        w->during_wait(w);
    }
    size_t count = 0;
    while (round < w->script_count && count < 4 && w->events[round][count].user != NULL) {
        ret_events[count] = w->events[round][count];
        count++;
    }
    if (round >= w->script_count) {
        loop_stop(w->loop);
    } else if (count == 0 && deadline_ns > w->now_ns) {
        w->now_ns = deadline_ns;
    }
    return count;
}

static const struct poller_ops world_poller_ops = {
    .add = world_add,
    .set = world_set,
    .remove = world_remove,
    .wait = world_wait,
    .wake = world_wake,
    .close = world_close,
};
static struct poller *world_poller_open(struct net *n)
{
    return &WORLD_OF(n, net)->poller;
}
static const struct net_ops world_net_ops = {.poller_open = world_poller_open};

static struct world *world_open(int script_count)
{
    struct world *w = mem_zalloc(sizeof *w);
    w->clock.ops = &world_clock_ops;
    w->net.ops = &world_net_ops;
    w->poller.ops = &world_poller_ops;
    w->env = (struct env){.clock = &w->clock, .net = &w->net};
    w->now_ns = 1000;
    w->script_count = script_count;
    w->loop = loop_create(&w->env);
    return w;
}

static void world_close_all(struct world *w)
{
    loop_destroy(w->loop);
    mem_free(w);
}

static void trail_add(struct world *w, char mark)
{
    size_t len = strlen(w->trail);
    assert_true(len + 1 < sizeof w->trail);
    w->trail[len] = mark;
}

// An object that leaves its mark when it runs, and then does what `then` says.
struct actor {
    struct task task;
    struct timer timer;
    struct loop_io io;
    struct world *w;
    char mark;
    unsigned ready; // of the last event
    void (*then)(struct actor *a);
    struct actor *other;
    struct sock sock;
};

static void actor_act(struct actor *a)
{
    trail_add(a->w, a->mark);
    if (a->then != NULL) {
        a->then(a);
    }
}
static void actor_task(struct task *task)
{
    actor_act((struct actor *)task);
}
static void actor_fire(struct timer *timer)
{
    actor_act((struct actor *)(void *)((char *)timer - offsetof(struct actor, timer)));
}
static void actor_ready(struct loop_io *io, unsigned ready)
{
    struct actor *a = (struct actor *)(void *)((char *)io - offsetof(struct actor, io));
    a->ready = ready;
    actor_act(a);
}

static struct actor actor_make(struct world *w, char mark, void (*then)(struct actor *a))
{
    return (struct actor){
        .task = {.run = actor_task},
        .timer = {.fire = actor_fire},
        .io = {.ready = actor_ready},
        .w = w,
        .mark = mark,
        .then = then,
    };
}

// ---- waiting

static void test_idle_waits_without_end(void **state)
{
    (void)state;
    struct world *w = world_open(0);
    loop_run(w->loop);
    assert_int_equal(w->wait_count, 1);
    assert_int_equal(w->deadlines[0], CLOCK_NEVER);
    assert_int_equal(loop_now_ns(w->loop), 1000);
    assert_ptr_equal(loop_env(w->loop), &w->env);
    world_close_all(w);
    loop_destroy(NULL);
}

static void test_stop_before_run_and_run_again(void **state)
{
    (void)state;
    struct world *w = world_open(0);
    loop_stop(w->loop);
    loop_run(w->loop);
    assert_int_equal(w->wait_count, 0);
    loop_run(w->loop);
    assert_int_equal(w->wait_count, 1);
    world_close_all(w);
}

// ---- tasks

static void test_round_order(void **state)
{
    (void)state;
    struct world *w = world_open(1);
    struct actor deferred = actor_make(w, 'd', NULL);
    struct actor posted = actor_make(w, 'p', NULL);
    struct actor timer = actor_make(w, 't', NULL);
    struct actor io = actor_make(w, 'i', NULL);
    loop_defer(w->loop, &deferred.task);
    loop_post(w->loop, &posted.task);
    loop_timer_set(w->loop, &timer.timer, 900);
    loop_io_add(w->loop, &io.io, &io.sock, POLL_READ);
    w->events[0][0] = (struct poll_event){&io.io, POLL_READ};
    loop_run(w->loop);
    assert_string_equal(w->trail, "itpd");
    assert_int_equal(w->deadlines[0], 1); // only looked, since there was work
    assert_int_equal(w->wakes, 1);        // by the loop_stop during the last wait
    world_close_all(w);
}

static void post_from_wait(struct world *w)
{
    static struct actor posted[3];
    if (w->wait_count == 1) {
        for (int i = 0; i < 3; i++) {
            posted[i] = actor_make(w, (char)('1' + i), NULL);
            loop_post(w->loop, &posted[i].task);
        }
        assert_int_equal(w->wakes, 1); // the first one wakes; the others find the loop awake
    }
}

static void test_posts_wake_once_and_run_in_order(void **state)
{
    (void)state;
    struct world *w = world_open(1);
    w->during_wait = post_from_wait;
    loop_run(w->loop);
    assert_string_equal(w->trail, "123");
    world_close_all(w);
}

static void test_post_chain(void **state)
{
    (void)state;
    struct world *w = world_open(1);
    struct actor a[5];
    for (int i = 0; i < 5; i++) {
        a[i] = actor_make(w, (char)('a' + i), NULL);
    }
    loop_post(w->loop, &a[0].task);
    a[1].task.next = &a[2].task;
    a[2].task.next = &a[3].task;
    a[3].task.next = NULL;
    loop_post_chain(w->loop, &a[1].task);
    loop_post_chain(w->loop, NULL);
    loop_post(w->loop, &a[4].task);
    loop_run(w->loop);
    assert_string_equal(w->trail, "abcde");
    assert_int_equal(w->wakes, 1); // by loop_stop alone: nobody slept when they were posted
    world_close_all(w);
}

// A flood of tasks takes several rounds, and a socket has its turn in each.
static void test_many_posts_take_turns_with_sockets(void **state)
{
    (void)state;
    enum { COUNT = 150, PER_ROUND = 64 };
    struct world *w = world_open(3);
    struct actor many[COUNT];
    struct actor io = actor_make(w, 'i', NULL);
    loop_io_add(w->loop, &io.io, &io.sock, POLL_READ);
    char expected[COUNT + 4] = "";
    size_t len = 0;
    for (int i = 0; i < COUNT; i++) {
        many[i] = actor_make(w, 'm', NULL);
        loop_post(w->loop, &many[i].task);
        if (i % PER_ROUND == 0) {
            w->events[i / PER_ROUND][0] = (struct poll_event){&io.io, POLL_READ};
            expected[len++] = 'i';
        }
        expected[len++] = 'm';
    }
    loop_run(w->loop);
    assert_string_equal(w->trail, expected);
    assert_int_equal(w->wait_count, 4);
    assert_int_equal(w->deadlines[1], 1); // only looked: tasks were left
    assert_int_equal(w->deadlines[2], 1);
    assert_int_equal(w->deadlines[3], CLOCK_NEVER);
    world_close_all(w);
}

static void post_again(struct actor *a)
{
    if (strlen(a->w->trail) < 3) {
        loop_post(a->w->loop, &a->task);
    }
}

static void defer_again(struct actor *a)
{
    if (strlen(a->w->trail) < 3) {
        loop_defer(a->w->loop, &a->task);
    }
}

static void test_repeating_tasks_take_one_turn_per_round(void **state)
{
    (void)state;
    void (*const again[])(struct actor * a) = {post_again, defer_again};
    for (int i = 0; i < 2; i++) {
        struct world *w = world_open(3);
        struct actor a = actor_make(w, 'x', again[i]);
        again[i](&a);
        loop_run(w->loop);
        assert_string_equal(w->trail, "xxx");
        assert_int_equal(w->wait_count, 4);
        assert_int_equal(w->deadlines[1], 1);
        assert_int_equal(w->deadlines[2], 1);
        assert_int_equal(w->deadlines[3], CLOCK_NEVER);
        world_close_all(w);
    }
}

// ---- timers

static void test_timers_fire_in_order(void **state)
{
    (void)state;
    struct world *w = world_open(3);
    struct actor a[4];
    static const int64_t deadlines[] = {3000, 2000, 2000, 9000};
    for (int i = 0; i < 4; i++) {
        a[i] = actor_make(w, (char)('a' + i), NULL);
        loop_timer_set(w->loop, &a[i].timer, deadlines[i]);
    }
    loop_timer_cancel(w->loop, &a[3].timer);
    loop_timer_cancel(w->loop, &a[3].timer); // idle: no-op
    loop_run(w->loop);
    assert_string_equal(w->trail, "bca");
    assert_int_equal(w->deadlines[0], 2000);
    assert_int_equal(w->deadlines[1], 3000);
    assert_int_equal(w->deadlines[2], CLOCK_NEVER);
    world_close_all(w);
}

static void test_timer_moves(void **state)
{
    (void)state;
    struct world *w = world_open(2);
    struct actor a = actor_make(w, 'a', NULL);
    loop_timer_set(w->loop, &a.timer, 5000);
    loop_timer_set(w->loop, &a.timer, 4000);
    loop_timer_set(w->loop, &a.timer, 7000);
    loop_run(w->loop);
    assert_string_equal(w->trail, "a");
    assert_int_equal(w->deadlines[0], 7000);
    assert_int_equal(w->now_ns, 7000);
    world_close_all(w);
}

static void set_to_the_past(struct actor *a)
{
    loop_timer_set(a->w->loop, &a->timer, -5);
}

static void test_past_timer_starves_nobody(void **state)
{
    (void)state;
    struct world *w = world_open(2);
    struct actor greedy = actor_make(w, 'g', set_to_the_past);
    struct actor late = actor_make(w, 'l', NULL);
    loop_timer_set(w->loop, &greedy.timer, 500);
    loop_timer_set(w->loop, &late.timer, 1000);
    loop_run(w->loop);
    assert_string_equal(w->trail, "glgg"); // once per round, the stopping round included
    world_close_all(w);
}

static void cancel_other(struct actor *a)
{
    loop_timer_cancel(a->w->loop, &a->other->timer);
}

static void test_cancel_of_a_due_timer(void **state)
{
    (void)state;
    struct world *w = world_open(1);
    struct actor a = actor_make(w, 'a', cancel_other);
    struct actor b = actor_make(w, 'b', NULL);
    a.other = &b;
    loop_timer_set(w->loop, &a.timer, 900);
    loop_timer_set(w->loop, &b.timer, 901);
    loop_run(w->loop);
    assert_string_equal(w->trail, "a");
    world_close_all(w);
}

// ---- sockets

static void remove_other(struct actor *a)
{
    loop_io_remove(a->w->loop, &a->other->io);
}

static void pause_other(struct actor *a)
{
    loop_io_set(a->w->loop, &a->other->io, POLL_WRITE);
}

static void test_no_stale_events(void **state)
{
    (void)state;
    static const struct {
        void (*then)(struct actor *a);
        unsigned ready;
        unsigned expected; // what b then gets
    } rows[] = {
        {NULL, POLL_READ, POLL_READ},
        {NULL, POLL_READ | POLL_WRITE, POLL_READ}, // masked by interest
        {remove_other, POLL_READ, 0},
        {remove_other, POLL_READ | POLL_CLOSED, 0},
        {pause_other, POLL_READ, 0},
        {pause_other, POLL_READ | POLL_WRITE, POLL_WRITE},
        {pause_other, POLL_READ | POLL_CLOSED, POLL_READ | POLL_CLOSED}, // the end is always told
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = world_open(1);
        struct actor a = actor_make(w, 'a', rows[i].then);
        struct actor b = actor_make(w, 'b', NULL);
        a.other = &b;
        loop_io_add(w->loop, &a.io, &a.sock, POLL_READ);
        loop_io_add(w->loop, &b.io, &b.sock, POLL_READ);
        w->events[0][0] = (struct poll_event){&a.io, POLL_READ};
        w->events[0][1] = (struct poll_event){&b.io, rows[i].ready};
        loop_run(w->loop);
        assert_int_equal(b.ready, rows[i].expected);
        assert_string_equal(w->trail, rows[i].expected != 0 ? "ab" : "a");
        world_close_all(w);
    }
}

static void test_set_is_cheap_and_remove_idempotent(void **state)
{
    (void)state;
    struct world *w = world_open(1);
    struct actor a = actor_make(w, 'a', NULL);
    loop_io_add(w->loop, &a.io, &a.sock, POLL_READ);
    loop_io_set(w->loop, &a.io, POLL_READ);
    assert_int_equal(w->sets, 0);
    loop_io_set(w->loop, &a.io, POLL_READ | POLL_WRITE);
    assert_int_equal(w->sets, 1);
    loop_io_remove(w->loop, &a.io);
    loop_io_remove(w->loop, &a.io);
    assert_int_equal(w->adds, 1);
    assert_int_equal(w->removes, 1);
    world_close_all(w);
}

// ---- the real world

struct echo {
    struct loop_io listener;
    struct loop_io server;
    struct loop_io client;
    struct loop *loop;
    struct task done;
    struct thread *poster;
    char got[8];
};

static void echo_done(struct task *task)
{
    struct echo *echo = (struct echo *)(void *)((char *)task - offsetof(struct echo, done));
    loop_stop(echo->loop);
}

static void echo_poster_run(void *arg)
{
    struct echo *echo = arg;
    loop_post(echo->loop, &echo->done);
}

static void echo_send(struct sock *sock, const char *text)
{
    struct io_slice slice = {(void *)(uintptr_t)text, strlen(text)};
    size_t moved = 0;
    assert_int_equal(sock_send(sock, &slice, 1, false, &moved, NULL), ERR_OK);
    assert_int_equal(moved, strlen(text));
}

static void echo_server_ready(struct loop_io *io, unsigned ready)
{
    char text[8] = "";
    size_t moved = 0;
    assert_true((ready & POLL_READ) != 0);
    assert_int_equal(sock_recv(io->sock, text, sizeof text - 1, &moved, NULL), ERR_OK);
    echo_send(io->sock, text);
}

static void echo_listener_ready(struct loop_io *io, unsigned ready)
{
    struct echo *echo = (struct echo *)(void *)((char *)io - offsetof(struct echo, listener));
    struct sock *sock = NULL;
    assert_int_equal(ready, POLL_READ);
    assert_int_equal(sock_accept(io->sock, &sock, NULL), ERR_OK);
    loop_io_add(echo->loop, &echo->server, sock, POLL_READ);
}

static void echo_client_ready(struct loop_io *io, unsigned ready)
{
    struct echo *echo = (struct echo *)(void *)((char *)io - offsetof(struct echo, client));
    size_t moved = 0;
    if ((ready & POLL_WRITE) != 0) {
        assert_int_equal(sock_connect_done(io->sock, NULL), ERR_OK);
        echo_send(io->sock, "hello");
        loop_io_set(echo->loop, io, POLL_READ);
        return;
    }
    assert_int_equal(sock_recv(io->sock, echo->got, sizeof echo->got - 1, &moved, NULL), ERR_OK);
    echo->poster = thread_start(loop_env(echo->loop)->threads, "poster", echo_poster_run, echo);
}

static void test_echo_over_real_sockets(void **state)
{
    (void)state;
    struct env *env = NULL;
    assert_int_equal(real_env_open(STR(""), &env, NULL), ERR_OK);
    struct echo echo = {
        .listener = {.ready = echo_listener_ready},
        .server = {.ready = echo_server_ready},
        .client = {.ready = echo_client_ready},
        .loop = loop_create(env),
        .done = {.run = echo_done},
    };
    struct sock *listener = NULL;
    struct sock *client = NULL;
    int port = 0;
    assert_int_equal(net_listen(env->net, STR("127.0.0.1"), 0, &listener, &port, NULL), ERR_OK);
    assert_int_equal(net_connect(env->net, STR("127.0.0.1"), port, &client, NULL), ERR_OK);
    loop_io_add(echo.loop, &echo.listener, listener, POLL_READ);
    loop_io_add(echo.loop, &echo.client, client, POLL_WRITE);
    loop_run(echo.loop);
    assert_string_equal(echo.got, "hello");
    thread_join(env->threads, echo.poster);
    struct sock *server = echo.server.sock;
    loop_io_remove(echo.loop, &echo.listener);
    loop_io_remove(echo.loop, &echo.server);
    loop_io_remove(echo.loop, &echo.client);
    sock_close(listener);
    sock_close(server);
    sock_close(client);
    loop_destroy(echo.loop);
    real_env_close(env);
}

static void take_a_second(struct actor *a)
{
    a->w->now_ns += 1000000000;
}

// A watched loop tells how long its long rounds took.
static void test_rounds_are_observed(void **state)
{
    (void)state;
    struct world *w = world_open(3);
    struct metrics *metrics = metrics_create();
    loop_watch(w->loop, metrics, NULL);
    struct actor slow = actor_make(w, 's', take_a_second);
    loop_post(w->loop, &slow.task);
    loop_run(w->loop);
    struct buf text;
    buf_init(&text, 1 << 16);
    metrics_render(metrics, &text);
    buf_u8(&text, 0);
    assert_non_null(strstr((char *)text.ptr, "strom_loop_long_round_seconds_sum 1.0"));
    assert_non_null(strstr((char *)text.ptr, "strom_loop_long_round_seconds_count 1\n"));
    buf_fini(&text);
    metrics_destroy(metrics);
    world_close_all(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_waits_without_end),
        cmocka_unit_test(test_stop_before_run_and_run_again),
        cmocka_unit_test(test_round_order),
        cmocka_unit_test(test_posts_wake_once_and_run_in_order),
        cmocka_unit_test(test_post_chain),
        cmocka_unit_test(test_many_posts_take_turns_with_sockets),
        cmocka_unit_test(test_repeating_tasks_take_one_turn_per_round),
        cmocka_unit_test(test_timers_fire_in_order),
        cmocka_unit_test(test_timer_moves),
        cmocka_unit_test(test_past_timer_starves_nobody),
        cmocka_unit_test(test_cancel_of_a_due_timer),
        cmocka_unit_test(test_no_stale_events),
        cmocka_unit_test(test_set_is_cheap_and_remove_idempotent),
        cmocka_unit_test(test_rounds_are_observed),
        cmocka_unit_test(test_echo_over_real_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
