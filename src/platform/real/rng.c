// SPDX-License-Identifier: Apache-2.0
// Randomness from getrandom(2). Small draws are served from a buffer, since a system call per uuid would be
// waste; handed-out bytes are wiped so that a later look at memory does not find them.
#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/real/real_private.h"

enum { RNG_BUFFER_SIZE = 256 };

struct real_rng {
    struct rng base;
    pthread_mutex_t mutex;
    size_t left; // unused bytes, at the end of the buffer
    uint8_t buffer[RNG_BUFFER_SIZE];
};

static void kernel_fill(uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t got = getrandom(out, len, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        ASSERT(got > 0);
        out += got;
        len -= (size_t)got;
    }
}

static void real_fill(struct rng *base, void *out, size_t len)
{
    struct real_rng *r = (struct real_rng *)base;
    if (len > RNG_BUFFER_SIZE) {
        kernel_fill(out, len);
        return;
    }
    ASSERT(pthread_mutex_lock(&r->mutex) == 0);
    if (r->left < len) {
        kernel_fill(r->buffer, RNG_BUFFER_SIZE);
        r->left = RNG_BUFFER_SIZE;
    }
    uint8_t *from = r->buffer + RNG_BUFFER_SIZE - r->left;
    memcpy(out, from, len);
    memset(from, 0, len);
    r->left -= len;
    ASSERT(pthread_mutex_unlock(&r->mutex) == 0);
}

static const struct rng_ops real_rng_ops = {.fill = real_fill};

struct rng *real_rng_open(void)
{
    struct real_rng *r = mem_zalloc(sizeof *r);
    r->base.ops = &real_rng_ops;
    ASSERT(pthread_mutex_init(&r->mutex, NULL) == 0);
    return &r->base;
}

void real_rng_close(struct rng *take_rng)
{
    struct real_rng *r = (struct real_rng *)take_rng;
    ASSERT(pthread_mutex_destroy(&r->mutex) == 0);
    mem_free(r);
}
