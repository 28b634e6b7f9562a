// SPDX-License-Identifier: Apache-2.0
// Level-triggered readiness. Sockets that changed are on the poller's ready list; a wait looks at those only,
// and leaves on the list what is still ready.
#include "platform/sim/sim_private.h"

static const struct poller_ops sim_poller_ops;

static struct sim_poller *poller_of(struct poller *poller)
{
    ASSERT(poller->ops == &sim_poller_ops);
    return (struct sim_poller *)poller;
}

struct poller *sim_poller_open(struct net *net)
{
    struct sim_process *process = LIST_ENTRY(net, struct sim_process, net);
    struct sim_poller *p = sys_zalloc(sizeof *p);
    p->poller.ops = &sim_poller_ops;
    p->process = process;
    list_init(&p->socks);
    list_init(&p->ready);
    list_push_back(&process->pollers, &p->of_process);
    return &p->poller;
}

void sock_notify(struct sim_sock *sock)
{
    if (sock == NULL || sock->poller == NULL) {
        return;
    }
    if (!list_is_linked(&sock->ready)) {
        list_push_back(&sock->poller->ready, &sock->ready);
    }
    if (sock->poller->waiter != NULL && sock_ready(sock) != 0) {
        fiber_wake(sock->poller->waiter);
    }
}

void sock_forget_poller(struct sim_sock *sock)
{
    list_remove(&sock->ready);
    list_remove(&sock->of_poller);
    sock->poller = NULL;
}

static void sim_poller_add(struct poller *poller, struct sock *sock, unsigned interest, void *user)
{
    struct sim_poller *p = poller_of(poller);
    struct sim_sock *s = sock_of(sock);
    ASSERT(s->poller == NULL);
    ASSERT(s->process == p->process);
    s->poller = p;
    s->interest = interest;
    s->user = user;
    list_push_back(&p->socks, &s->of_poller);
    sock_notify(s);
}

static void sim_poller_set(struct poller *poller, struct sock *sock, unsigned interest, void *user)
{
    struct sim_sock *s = sock_of(sock);
    ASSERT(s->poller == poller_of(poller));
    s->interest = interest;
    s->user = user;
    sock_notify(s);
}

static void sim_poller_remove(struct poller *poller, struct sock *sock)
{
    struct sim_sock *s = sock_of(sock);
    ASSERT(s->poller == poller_of(poller));
    sock_forget_poller(s);
}

static size_t poller_collect(struct sim_poller *p, struct poll_event *ret_events, size_t max)
{
    struct sim_world *world = p->process->world;
    // No order among ready sockets is promised, so begin anywhere near the front.
    for (uint64_t skip = sim_rand(world, 4); skip > 0 && !list_is_empty(&p->ready); skip--) {
        struct list *first = list_pop_front(&p->ready);
        list_push_back(&p->ready, first);
    }
    size_t count = 0;
    struct list seen; // goes to the back, so that a small max starves nobody
    list_init(&seen);
    while (count < max && !list_is_empty(&p->ready)) {
        struct sim_sock *s = LIST_ENTRY(list_pop_front(&p->ready), struct sim_sock, ready);
        unsigned ready = sock_ready(s);
        if (ready != 0) {
            ret_events[count++] = (struct poll_event){s->user, ready};
            list_push_back(&seen, &s->ready);
        }
    }
    struct list *node;
    while ((node = list_pop_front(&seen)) != NULL) {
        list_push_back(&p->ready, node);
    }
    return count;
}

static size_t sim_poller_wait(struct poller *poller, struct poll_event *ret_events, size_t max,
                              int64_t deadline_ns)
{
    struct sim_poller *p = poller_of(poller);
    struct sim_world *world = p->process->world;
    ASSERT(process_now() == p->process);
    ASSERT(fiber_now()->mutexes == 0);
    ASSERT(p->waiter == NULL); // one thread waits
    fiber_yield();
    for (;;) {
        size_t count = poller_collect(p, ret_events, max);
        bool is_late = deadline_ns != CLOCK_NEVER && deadline_ns <= world->now_ns;
        if (count > 0 || p->is_woken || is_late) {
            p->is_woken = false;
            trace_verb(world, "poll", (struct str){0}, (int64_t)count, is_late);
            return count;
        }
        p->waiter = fiber_now();
        fiber_wait(NULL, deadline_ns, "poller");
        p->waiter = NULL;
    }
}

static void sim_poller_wake(struct poller *poller)
{
    struct sim_poller *p = poller_of(poller);
    p->is_woken = true;
    if (p->waiter != NULL) {
        fiber_wake(p->waiter);
    }
    if (process_now() == p->process) {
        fiber_yield();
    }
}

void poller_drop(struct sim_poller *p)
{
    while (!list_is_empty(&p->socks)) {
        sock_forget_poller(LIST_ENTRY(p->socks.next, struct sim_sock, of_poller));
    }
    list_remove(&p->of_process);
    sys_free(p);
}

static void sim_poller_close(struct poller *poller)
{
    struct sim_poller *p = poller_of(poller);
    ASSERT(p->waiter == NULL);
    poller_drop(p);
}

static const struct poller_ops sim_poller_ops = {
    .add = sim_poller_add,
    .set = sim_poller_set,
    .remove = sim_poller_remove,
    .wait = sim_poller_wait,
    .wake = sim_poller_wake,
    .close = sim_poller_close,
};
