// SPDX-License-Identifier: Apache-2.0
#include "kafka/rig_clock_test.h"

#include <stddef.h>

#include "base/mem.h"

enum { NS_PER_MS = 1000000 };

#define OUTER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

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
    int64_t until_ns = deadline_ns - ahead_ns(rc);
    int64_t nap_ns = clock_mono_ns(rc->real->clock) + RIG_NAP_NS;
    until_ns = until_ns < nap_ns ? until_ns : nap_ns;
    return until_ns > CLOCK_NEVER ? until_ns : CLOCK_NEVER + 1;
}

static void moved_sleep_until(struct clock *c, int64_t mono_ns)
{
    const struct rig_clock *rc = OUTER(c, struct rig_clock, clock);
    while (clock_mono_ns(c) < mono_ns) {
        clock_sleep_until(rc->real->clock, nap_ns(rc, mono_ns));
    }
}

static const struct clock_ops moved_clock_ops = {
    .mono_ns = moved_mono_ns, .wall_ms = moved_wall_ms, .sleep_until = moved_sleep_until};

// ---- threads

static struct thread *moved_start(struct threads *t, const char *name, void (*run)(void *), void *arg)
{
    return thread_start(OUTER(t, struct rig_clock, threads)->real->threads, name, run, arg);
}

static void moved_join(struct threads *t, struct thread *take_thread)
{
    thread_join(OUTER(t, struct rig_clock, threads)->real->threads, take_thread);
}

static bool moved_cond_wait(struct cond *cond, struct mutex *m, int64_t deadline_ns)
{
    struct rig_clock *rc = OUTER(cond->threads, struct rig_clock, threads);
    const struct threads_ops *real = rc->real->threads->ops;
    if (deadline_ns == CLOCK_NEVER) {
        return real->cond_wait(cond, m, CLOCK_NEVER);
    }
    return real->cond_wait(cond, m, nap_ns(rc, deadline_ns)) || clock_mono_ns(&rc->clock) < deadline_ns;
}

// ---- the network

struct moved_poller {
    struct poller face;
    struct poller *real;
    struct rig_clock *rc;
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

static size_t moved_wait(struct poller *p, struct poll_event *ret_events, size_t max, int64_t deadline_ns)
{
    const struct rig_clock *rc = OUTER(p, struct moved_poller, face)->rc;
    return poller_wait(real_poller(p), ret_events, max,
                       deadline_ns == CLOCK_NEVER ? CLOCK_NEVER : nap_ns(rc, deadline_ns));
}

static void moved_wake(struct poller *p)
{
    poller_wake(real_poller(p));
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
    rc->threads.ops = &rc->threads_ops;
    rc->clock.ops = &moved_clock_ops;
    rc->net.ops = &moved_net_ops;
    rc->env.clock = &rc->clock;
    rc->env.net = &rc->net;
    rc->env.threads = &rc->threads;
}

void rig_clock_move(struct rig_clock *rc, int64_t ms)
{
    __atomic_add_fetch(&rc->ahead_ns, ms * NS_PER_MS, __ATOMIC_RELEASE);
}
