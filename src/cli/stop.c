// SPDX-License-Identifier: Apache-2.0
#include "cli/stop.h"

#include "base/mem.h"
#include "platform/real/process.h"

enum {
    EXIT_INTERRUPTED = 130, // as shells say it
    SAME_WISH_NS = 500000000,
};

struct stop {
    struct env *env;
    struct thread *thread;
    void (*wake)(void *arg);
    void *arg;
    struct mutex mutex; // of what follows
    struct cond asked;
    bool is_asked;
    int64_t asked_ns;
    bool is_closing;
};

void stop_block(void)
{
    process_signals_block();
}

static void watch(void *arg)
{
    struct stop *stop = arg;
    for (;;) {
        (void)process_signal_wait();
        mutex_lock(&stop->mutex);
        int64_t now_ns = clock_mono_ns(stop->env->clock);
        // Supervisors signal the process and its group: that is one wish.
        bool is_again = stop->is_asked && now_ns - stop->asked_ns > SAME_WISH_NS;
        bool is_closing = stop->is_closing;
        stop->asked_ns = stop->is_asked ? stop->asked_ns : now_ns;
        stop->is_asked = true;
        cond_broadcast(&stop->asked);
        mutex_unlock(&stop->mutex);
        if (is_closing) {
            return;
        }
        if (is_again) {
            process_exit(EXIT_INTERRUPTED);
        }
        if (stop->wake != NULL) {
            stop->wake(stop->arg);
        }
    }
}

struct stop *stop_open(struct env *env, void (*wake)(void *arg), void *arg)
{
    struct stop *stop = mem_zalloc(sizeof *stop);
    *stop = (struct stop){.env = env, .wake = wake, .arg = arg};
    mutex_init(&stop->mutex, env->threads);
    cond_init(&stop->asked, env->threads);
    stop->thread = thread_start(env->threads, "stop", watch, stop);
    return stop;
}

bool stop_is_asked(struct stop *stop)
{
    mutex_lock(&stop->mutex);
    bool is_asked = stop->is_asked;
    mutex_unlock(&stop->mutex);
    return is_asked;
}

bool stop_wait(struct stop *stop, int64_t deadline_ns)
{
    bool is_in_time = true;
    mutex_lock(&stop->mutex);
    while (!stop->is_asked && is_in_time) {
        is_in_time = cond_wait(&stop->asked, &stop->mutex, deadline_ns);
    }
    bool is_asked = stop->is_asked;
    mutex_unlock(&stop->mutex);
    return is_asked;
}

void stop_close(struct stop *take_stop)
{
    if (take_stop == NULL) {
        return;
    }
    mutex_lock(&take_stop->mutex);
    take_stop->is_closing = true;
    mutex_unlock(&take_stop->mutex);
    process_signal_raise();
    thread_join(take_stop->env->threads, take_stop->thread);
    cond_fini(&take_stop->asked);
    mutex_fini(&take_stop->mutex);
    mem_free(take_stop);
}
