// SPDX-License-Identifier: Apache-2.0
#include "kafka/rig_clock_test.h"

#include <stddef.h>

#include "base/mem.h"

enum { NS_PER_MS = 1000000, LOOK_AGAIN_NS = 200000, PATIENCE_MS = 120000, ROUNDS = 2 };

#define OUTER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

// A thread of the broker. All but `self` is guarded by the lock of rc.
struct moved_thread {
    struct rig_clock *rc;
    void (*run)(void *);
    void *arg;
    struct moved_thread *next;
    const void *sleeps_in; // a poller, a condition variable or the clock; NULL = it is awake, or about to be
    int64_t until_ns;      // INT64_MAX = without an end
    int rounds;            // how often it went to sleep since the clock was moved
};

static _Thread_local struct moved_thread *self; // NULL: not one of the broker's

// ---- who sleeps

// sleep_begin: until sleep_end or wake_note. is_woken: it will not sleep; NULL = false.
static void sleep_begin(const void *in, int64_t deadline_ns, const bool *is_woken)
{
    if (self == NULL) {
        return;
    }
    mutex_lock(&self->rc->lock);
    self->sleeps_in = is_woken != NULL && *is_woken ? NULL : in;
    self->until_ns = deadline_ns == CLOCK_NEVER ? INT64_MAX : deadline_ns;
    self->rounds += self->rounds < ROUNDS;
    mutex_unlock(&self->rc->lock);
}

static void sleep_end(bool *ret_is_woken)
{
    if (self == NULL) {
        return;
    }
    mutex_lock(&self->rc->lock);
    self->sleeps_in = NULL;
    if (ret_is_woken != NULL) {
        *ret_is_woken = false;
    }
    mutex_unlock(&self->rc->lock);
}

// wake_note: who sleeps there has something to do, although it may not run yet. The lock is held.
static void wake_note(struct rig_clock *rc, const void *in)
{
    for (struct moved_thread *t = rc->first_thread; t != NULL; t = t->next) {
        t->sleeps_in = t->sleeps_in == in ? NULL : t->sleeps_in;
    }
}

// is_idle: all have seen that it is now_ns, did what was due, and sleep until later.
static bool is_idle(struct rig_clock *rc, int64_t now_ns)
{
    bool is_idle = true;
    mutex_lock(&rc->lock);
    for (const struct moved_thread *t = rc->first_thread; t != NULL && is_idle; t = t->next) {
        is_idle = t->sleeps_in != NULL && t->until_ns > now_ns && t->rounds == ROUNDS;
    }
    mutex_unlock(&rc->lock);
    return is_idle;
}

// ---- time

static int64_t ahead_ns(const struct rig_clock *rc)
{
    return __atomic_load_n(&rc->ahead_ns, __ATOMIC_ACQUIRE);
}

static int64_t moved_mono_ns(struct clock *c)
{
    const struct rig_clock *rc = OUTER(c, struct rig_clock, clock);
    return clock_mono_ns(rc->real->clock) + ahead_ns(rc);
}

static int64_t moved_wall_ms(struct clock *c)
{
    const struct rig_clock *rc = OUTER(c, struct rig_clock, clock);
    return clock_wall_ms(rc->real->clock) + ahead_ns(rc) / NS_PER_MS;
}

// nap_ns: until when to sleep, in real time, on the way to a deadline.
static int64_t nap_ns(const struct rig_clock *rc, int64_t deadline_ns)
{
    int64_t until_ns = deadline_ns == CLOCK_NEVER ? INT64_MAX : deadline_ns - ahead_ns(rc);
    int64_t nap_ns = clock_mono_ns(rc->real->clock) + RIG_NAP_NS;
    until_ns = until_ns < nap_ns ? until_ns : nap_ns;
    return until_ns > CLOCK_NEVER ? until_ns : CLOCK_NEVER + 1;
}

static void moved_sleep_until(struct clock *c, int64_t mono_ns)
{
    const struct rig_clock *rc = OUTER(c, struct rig_clock, clock);
    while (clock_mono_ns(c) < mono_ns) {
        sleep_begin(c, mono_ns, NULL);
        clock_sleep_until(rc->real->clock, nap_ns(rc, mono_ns));
        sleep_end(NULL);
    }
}

static const struct clock_ops moved_clock_ops = {
    .mono_ns = moved_mono_ns, .wall_ms = moved_wall_ms, .sleep_until = moved_sleep_until};

// ---- threads

static void thread_add(struct moved_thread *t)
{
    mutex_lock(&t->rc->lock);
    t->next = t->rc->first_thread;
    t->rc->first_thread = t;
    mutex_unlock(&t->rc->lock);
}

static void thread_remove(const struct moved_thread *t)
{
    mutex_lock(&t->rc->lock);
    struct moved_thread **link = &t->rc->first_thread;
    while (*link != t) {
        link = &(*link)->next;
    }
    *link = t->next;
    mutex_unlock(&t->rc->lock);
}

static void thread_main(void *arg)
{
    self = arg;
    self->run(self->arg);
    thread_remove(self);
    mem_free(self);
}

static struct thread *moved_start(struct threads *threads, const char *name, void (*run)(void *), void *arg)
{
    struct rig_clock *rc = OUTER(threads, struct rig_clock, threads);
    struct moved_thread *t = mem_zalloc(sizeof *t);
    *t = (struct moved_thread){.rc = rc, .run = run, .arg = arg};
    thread_add(t);
    return thread_start(rc->real->threads, name, thread_main, t);
}

static void moved_join(struct threads *t, struct thread *take_thread)
{
    thread_join(OUTER(t, struct rig_clock, threads)->real->threads, take_thread);
}

static bool moved_cond_wait(struct cond *cond, struct mutex *m, int64_t deadline_ns)
{
    struct rig_clock *rc = OUTER(cond->threads, struct rig_clock, threads);
    sleep_begin(cond, deadline_ns, NULL);
    bool is_woken = rc->real->threads->ops->cond_wait(cond, m, nap_ns(rc, deadline_ns));
    sleep_end(NULL);
    return is_woken || deadline_ns == CLOCK_NEVER || clock_mono_ns(&rc->clock) < deadline_ns;
}

static void cond_note(struct cond *cond)
{
    struct rig_clock *rc = OUTER(cond->threads, struct rig_clock, threads);
    mutex_lock(&rc->lock);
    wake_note(rc, cond); // also if one of them only is woken: the others take another nap
    mutex_unlock(&rc->lock);
}

static void moved_cond_signal(struct cond *cond)
{
    cond_note(cond);
    OUTER(cond->threads, struct rig_clock, threads)->real->threads->ops->cond_signal(cond);
}

static void moved_cond_broadcast(struct cond *cond)
{
    cond_note(cond);
    OUTER(cond->threads, struct rig_clock, threads)->real->threads->ops->cond_broadcast(cond);
}

// ---- the network

struct moved_poller {
    struct poller face;
    struct poller *real;
    struct rig_clock *rc;
    bool is_woken; // under the lock of rc: the next wait ends at once
};

static struct poller *real_poller(struct poller *p)
{
    return OUTER(p, struct moved_poller, face)->real;
}

static void moved_add(struct poller *p, struct sock *s, unsigned interest, void *user)
{
    poller_add(real_poller(p), s, interest, user);
}

static void moved_set(struct poller *p, struct sock *s, unsigned interest, void *user)
{
    poller_set(real_poller(p), s, interest, user);
}

static void moved_remove(struct poller *p, struct sock *s)
{
    poller_remove(real_poller(p), s);
}

static size_t moved_wait(struct poller *face, struct poll_event *ret_events, size_t max, int64_t deadline_ns)
{
    struct moved_poller *p = OUTER(face, struct moved_poller, face);
    sleep_begin(p, deadline_ns, &p->is_woken);
    size_t count = poller_wait(p->real, ret_events, max, nap_ns(p->rc, deadline_ns));
    sleep_end(&p->is_woken);
    return count;
}

static void moved_wake(struct poller *face)
{
    struct moved_poller *p = OUTER(face, struct moved_poller, face);
    mutex_lock(&p->rc->lock);
    p->is_woken = true;
    wake_note(p->rc, p);
    mutex_unlock(&p->rc->lock);
    poller_wake(p->real);
}

static void moved_close(struct poller *p)
{
    poller_close(real_poller(p));
    mem_free(OUTER(p, struct moved_poller, face));
}

static enum err moved_listen(struct net *n, struct str host, int port, struct sock **ret_listener,
                             int *ret_port, struct error *e)
{
    return net_listen(OUTER(n, struct rig_clock, net)->real->net, host, port, ret_listener, ret_port, e);
}

static enum err moved_connect(struct net *n, struct str host, int port, struct sock **ret_sock,
                              struct error *e)
{
    return net_connect(OUTER(n, struct rig_clock, net)->real->net, host, port, ret_sock, e);
}

static struct poller *moved_poller_open(struct net *n)
{
    static const struct poller_ops ops = {.add = moved_add,
                                          .set = moved_set,
                                          .remove = moved_remove,
                                          .wait = moved_wait,
                                          .wake = moved_wake,
                                          .close = moved_close};
    struct rig_clock *rc = OUTER(n, struct rig_clock, net);
    struct moved_poller *p = mem_zalloc(sizeof *p);
    *p = (struct moved_poller){.face = {&ops}, .real = poller_open(rc->real->net), .rc = rc};
    return &p->face;
}

static const struct net_ops moved_net_ops = {
    .listen = moved_listen, .connect = moved_connect, .poller_open = moved_poller_open};

// ---- the face

void rig_clock_init(struct rig_clock *rc, struct env *real)
{
    *rc = (struct rig_clock){.real = real, .env = *real, .threads_ops = *real->threads->ops};
    rc->threads_ops.start = moved_start;
    rc->threads_ops.join = moved_join;
    rc->threads_ops.cond_wait = moved_cond_wait;
    rc->threads_ops.cond_signal = moved_cond_signal;
    rc->threads_ops.cond_broadcast = moved_cond_broadcast;
    rc->threads.ops = &rc->threads_ops;
    rc->clock.ops = &moved_clock_ops;
    rc->net.ops = &moved_net_ops;
    rc->env.clock = &rc->clock;
    rc->env.net = &rc->net;
    rc->env.threads = &rc->threads;
    mutex_init(&rc->lock, real->threads);
}

void rig_clock_fini(struct rig_clock *rc)
{
    mutex_fini(&rc->lock);
}

static int64_t move(struct rig_clock *rc, int64_t ms)
{
    mutex_lock(&rc->lock);
    __atomic_add_fetch(&rc->ahead_ns, ms * NS_PER_MS, __ATOMIC_RELEASE);
    for (struct moved_thread *t = rc->first_thread; t != NULL; t = t->next) {
        t->rounds = 0;
    }
    mutex_unlock(&rc->lock);
    return clock_mono_ns(&rc->clock);
}

bool rig_clock_move(struct rig_clock *rc, int64_t ms)
{
    struct clock *real = rc->real->clock;
    int64_t now_ns = move(rc, ms);
    int64_t end_ns = clock_mono_ns(real) + PATIENCE_MS * (int64_t)NS_PER_MS;
    while (!is_idle(rc, now_ns)) {
        if (clock_mono_ns(real) > end_ns) {
            return false;
        }
        clock_sleep_until(real, clock_mono_ns(real) + LOOK_AGAIN_NS);
    }
    return true;
}
