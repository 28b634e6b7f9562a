// SPDX-License-Identifier: Apache-2.0
// Threads, mutexes and condition variables by pthreads. A failing pthread call on our own objects is a bug of
// ours (or exhaustion at start), so all of them are asserted.
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/real/real_private.h"

struct real_thread {
    pthread_t id;
    void (*run)(void *);
    void *arg;
    char name[16]; // the kernel's limit, with the NUL
};

_Static_assert(sizeof(pthread_mutex_t) <= sizeof((struct mutex){0}.state), "a mutex fits its state");
_Static_assert(sizeof(pthread_cond_t) <= sizeof((struct cond){0}.state),
               "a condition variable fits its state");
_Static_assert(_Alignof(pthread_mutex_t) <= _Alignof(uint64_t), "mutex alignment");
_Static_assert(_Alignof(pthread_cond_t) <= _Alignof(uint64_t), "condition variable alignment");

static pthread_mutex_t *mutex_of(struct mutex *m)
{
    return (pthread_mutex_t *)(void *)m->state;
}

static pthread_cond_t *cond_of(struct cond *c)
{
    return (pthread_cond_t *)(void *)c->state;
}

static void *thread_main(void *arg)
{
    struct real_thread *thread = arg;
    (void)pthread_setname_np(pthread_self(), thread->name); // a name is a convenience
    thread->run(thread->arg);
    return NULL;
}

static struct thread *real_start(struct threads *t, const char *name, void (*run)(void *), void *arg)
{
    (void)t;
    struct real_thread *thread = mem_zalloc(sizeof *thread);
    thread->run = run;
    thread->arg = arg;
    memcpy(thread->name, name, strnlen(name, sizeof thread->name - 1));
    ASSERT(pthread_create(&thread->id, NULL, thread_main, thread) == 0);
    return (struct thread *)thread;
}

static void real_join(struct threads *t, struct thread *take_thread)
{
    (void)t;
    struct real_thread *thread = (struct real_thread *)take_thread;
    ASSERT(pthread_join(thread->id, NULL) == 0);
    mem_free(thread);
}

static void real_mutex_init(struct mutex *m)
{
    ASSERT(pthread_mutex_init(mutex_of(m), NULL) == 0);
}

static void real_mutex_fini(struct mutex *m)
{
    ASSERT(pthread_mutex_destroy(mutex_of(m)) == 0);
}

static void real_mutex_lock(struct mutex *m)
{
    ASSERT(pthread_mutex_lock(mutex_of(m)) == 0);
}

static void real_mutex_unlock(struct mutex *m)
{
    ASSERT(pthread_mutex_unlock(mutex_of(m)) == 0);
}

static void real_cond_init(struct cond *c)
{
    pthread_condattr_t attributes;
    ASSERT(pthread_condattr_init(&attributes) == 0);
    ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_cond_init(cond_of(c), &attributes) == 0);
    ASSERT(pthread_condattr_destroy(&attributes) == 0);
}

static void real_cond_fini(struct cond *c)
{
    ASSERT(pthread_cond_destroy(cond_of(c)) == 0);
}

static bool real_cond_wait(struct cond *c, struct mutex *m, int64_t deadline_ns)
{
    if (deadline_ns == CLOCK_NEVER) {
        ASSERT(pthread_cond_wait(cond_of(c), mutex_of(m)) == 0);
        return true;
    }
    int64_t until_ns = deadline_ns < 0 ? 0 : deadline_ns;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    int error = pthread_cond_timedwait(cond_of(c), mutex_of(m), &until);
    ASSERT(error == 0 || error == ETIMEDOUT);
    return error == 0;
}

static void real_cond_signal(struct cond *c)
{
    ASSERT(pthread_cond_signal(cond_of(c)) == 0);
}

static void real_cond_broadcast(struct cond *c)
{
    ASSERT(pthread_cond_broadcast(cond_of(c)) == 0);
}

static const struct threads_ops real_threads_ops = {
    .start = real_start,
    .join = real_join,
    .mutex_init = real_mutex_init,
    .mutex_fini = real_mutex_fini,
    .mutex_lock = real_mutex_lock,
    .mutex_unlock = real_mutex_unlock,
    .cond_init = real_cond_init,
    .cond_fini = real_cond_fini,
    .cond_wait = real_cond_wait,
    .cond_signal = real_cond_signal,
    .cond_broadcast = real_cond_broadcast,
};

struct threads *real_threads_open(void)
{
    struct threads *t = mem_zalloc(sizeof *t);
    t->ops = &real_threads_ops;
    return t;
}

void real_threads_close(struct threads *take_threads)
{
    mem_free(take_threads);
}
