// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/real/real_private.h"

static int64_t real_mono_ns(struct clock *c)
{
    (void)c;
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t real_wall_ms(struct clock *c)
{
    (void)c;
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void real_sleep_until(struct clock *c, int64_t mono_ns)
{
    (void)c;
    if (mono_ns <= 0) {
        return;
    }
    struct timespec until = {.tv_sec = mono_ns / 1000000000, .tv_nsec = mono_ns % 1000000000};
    int error;
    do {
        error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    } while (error == EINTR);
    ASSERT(error == 0);
}

static const struct clock_ops real_clock_ops = {
    .mono_ns = real_mono_ns,
    .wall_ms = real_wall_ms,
    .sleep_until = real_sleep_until,
};

struct clock *real_clock_open(void)
{
    struct clock *c = mem_zalloc(sizeof *c);
    c->ops = &real_clock_ops;
    return c;
}

void real_clock_close(struct clock *take_clock)
{
    mem_free(take_clock);
}
