// SPDX-License-Identifier: Apache-2.0
// Readiness by level-triggered epoll, with an eventfd for wake-ups from other threads.
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/real/real_private.h"

enum { EVENTS_MAX = 256 };

struct real_poller {
    struct poller base;
    int epoll_fd;
    int wake_fd;
    bool has_pwait2; // until the kernel says otherwise
};

static struct real_poller *poller_of(struct poller *base)
{
    return (struct real_poller *)base;
}

static void control(struct poller *base, int verb, struct sock *sock, unsigned interest, void *user)
{
    uint32_t events = 0;
    events |= (interest & POLL_READ) != 0 ? EPOLLIN : 0;
    events |= (interest & POLL_WRITE) != 0 ? EPOLLOUT : 0;
    events |= (interest & POLL_CLOSED) != 0 ? EPOLLRDHUP : 0;
    ASSERT(user != NULL); // NULL marks the wake-up descriptor
    struct epoll_event event = {.events = events, .data.ptr = user};
    ASSERT(epoll_ctl(poller_of(base)->epoll_fd, verb, real_sock_fd(sock), &event) == 0);
}

static void real_add(struct poller *base, struct sock *sock, unsigned interest, void *user)
{
    control(base, EPOLL_CTL_ADD, sock, interest, user);
}

static void real_set(struct poller *base, struct sock *sock, unsigned interest, void *user)
{
    control(base, EPOLL_CTL_MOD, sock, interest, user);
}

static void real_remove(struct poller *base, struct sock *sock)
{
    ASSERT(epoll_ctl(poller_of(base)->epoll_fd, EPOLL_CTL_DEL, real_sock_fd(sock), NULL) == 0);
}

static int64_t mono_now_ns(void)
{
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// wait_ns < 0 waits without an end. Milliseconds are rounded up, so that a timer is never found not yet due.
static int wait_ms(int fd, struct epoll_event *events, int max, int64_t wait_ns)
{
    int64_t ms = wait_ns < 0 ? -1 : wait_ns / 1000000 + (wait_ns % 1000000 != 0);
    return epoll_wait(fd, events, max, ms > INT_MAX ? INT_MAX : (int)ms);
}

static int wait_ns(struct real_poller *p, struct epoll_event *events, int max, int64_t deadline_ns)
{
    int64_t left_ns = -1;
    if (deadline_ns != CLOCK_NEVER) {
        left_ns = deadline_ns < 0 ? 0 : deadline_ns - mono_now_ns();
        left_ns = left_ns < 0 ? 0 : left_ns;
    }
#ifdef SYS_epoll_pwait2
    if (p->has_pwait2 && left_ns > 0) {
        struct timespec left = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
        long count = syscall(SYS_epoll_pwait2, p->epoll_fd, events, max, &left, NULL, 0);
        // Linux before 5.11 lacks the call and some sandboxes forbid it.
        if (count >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return (int)count;
        }
        p->has_pwait2 = false;
    }
#endif
    return wait_ms(p->epoll_fd, events, max, left_ns);
}

static unsigned ready_bits(uint32_t events)
{
    unsigned ready = 0;
    ready |= (events & EPOLLIN) != 0 ? POLL_READ : 0;
    ready |= (events & EPOLLOUT) != 0 ? POLL_WRITE : 0;
    ready |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 ? POLL_CLOSED | POLL_READ : 0;
    return ready;
}

static size_t real_wait(struct poller *base, struct poll_event *ret_events, size_t max, int64_t deadline_ns)
{
    struct real_poller *p = poller_of(base);
    UNINITIALIZED struct epoll_event events[EVENTS_MAX];
    int count = wait_ns(p, events, max < EVENTS_MAX ? (int)max : EVENTS_MAX, deadline_ns);
    if (count < 0) {
        ASSERT(errno == EINTR); // callers cope with an empty answer
        return 0;
    }
    size_t filled = 0;
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL) {
            uint64_t wakes;
            ASSERT(read(p->wake_fd, &wakes, sizeof wakes) == sizeof wakes || errno == EAGAIN);
            continue;
        }
        ret_events[filled++] = (struct poll_event){events[i].data.ptr, ready_bits(events[i].events)};
    }
    return filled;
}

static void real_wake(struct poller *base)
{
    uint64_t one = 1;
    ASSERT(write(poller_of(base)->wake_fd, &one, sizeof one) == sizeof one || errno == EAGAIN);
}

static void real_poller_close(struct poller *base)
{
    struct real_poller *p = poller_of(base);
    (void)close(p->wake_fd);
    (void)close(p->epoll_fd);
    mem_free(p);
}

static const struct poller_ops real_poller_ops = {
    .add = real_add,
    .set = real_set,
    .remove = real_remove,
    .wait = real_wait,
    .wake = real_wake,
    .close = real_poller_close,
};

struct poller *real_poller_open(struct net *net)
{
    (void)net;
    struct real_poller *p = mem_zalloc(sizeof *p);
    p->base.ops = &real_poller_ops;
    p->has_pwait2 = true;
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ASSERT(p->epoll_fd >= 0);
    ASSERT(p->wake_fd >= 0);
    struct epoll_event event = {.events = EPOLLIN};
    ASSERT(epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->wake_fd, &event) == 0);
    return &p->base;
}
