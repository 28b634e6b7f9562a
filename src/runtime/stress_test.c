// SPDX-License-Identifier: Apache-2.0
// Several threads at once on what may be shared: posting to a loop, chunks of a pool, metrics and the log.
// Meant for the thread sanitizer; without it, it still proves that no post is lost, that each poster's order
// is kept, and that a chunk is never in two hands.
#include "base/assert.h"
#include "base/mem.h"
#include "platform/real/real.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/pool.h"

enum { POSTERS = 4, POSTS = 5000, CHAIN = 5, LIMIT_BYTES = 1 << 20 };

struct stress {
    struct env *env;
    struct loop *loop;
    struct pool *pool;
    struct metrics *metrics;
    struct tracer *tracer;
    int next[POSTERS]; // the serial that the loop expects from each poster
    int left;
    int64_t lines; // atomic
};

struct message {
    struct task task;
    struct stress *stress;
    struct chunk *chunk; // carries (poster, serial) in every byte that fits
    int poster;
    int serial;
};

static uint8_t pattern(int poster, int serial)
{
    return (uint8_t)(poster * 61 + serial);
}

static void message_run(struct task *task)
{
    struct message *message = (struct message *)task;
    struct stress *stress = message->stress;
    ASSERT(stress->next[message->poster] == message->serial);
    stress->next[message->poster]++;
    uint8_t expected = pattern(message->poster, message->serial);
    ASSERT(message->chunk->ptr[0] == expected);
    ASSERT(message->chunk->ptr[message->chunk->cap - 1] == expected);
    chunk_unref(message->chunk);
    mem_free(message);
    if (--stress->left == 0) {
        loop_stop(stress->loop);
    }
}

static struct message *message_make(struct stress *stress, int poster, int serial)
{
    struct message *message = mem_zalloc(sizeof *message);
    message->task.run = message_run;
    message->stress = stress;
    message->poster = poster;
    message->serial = serial;
    size_t size = serial % 3 == 0 ? 9000 : 100;
    while ((message->chunk = chunk_get(stress->pool, size)) == NULL) { // the loop is behind
        clock_sleep_until(stress->env->clock, clock_mono_ns(stress->env->clock) + 50000);
    }
    message->chunk->ptr[0] = pattern(poster, serial);
    message->chunk->ptr[message->chunk->cap - 1] = pattern(poster, serial);
    return message;
}

struct poster {
    struct stress *stress;
    int index;
};

static void poster_run(void *arg)
{
    struct poster *poster = arg;
    struct stress *stress = poster->stress;
    struct metric *count = metrics_counter(stress->metrics, "posts_total", NULL, "Posts");
    struct metric_histogram *times =
        metrics_histogram(stress->metrics, "post_seconds", NULL, "Time of a post");
    int serial = 0;
    while (serial < POSTS) {
        int64_t start_ns = clock_mono_ns(stress->env->clock);
        struct message *first = message_make(stress, poster->index, serial++);
        struct message *last = first;
        struct chunk *held = first->chunk;
        chunk_ref(held); // released by whoever is last
        while (serial % CHAIN != 0) {
            struct message *next = message_make(stress, poster->index, serial++);
            last->task.next = &next->task;
            last = next;
        }
        last->task.next = NULL;
        if (serial % 2 == 0) {
            loop_post_chain(stress->loop, &first->task);
        } else {
            for (struct task *task = &first->task; task != NULL;) {
                struct task *next = task->next; // gone once posted
                loop_post(stress->loop, task);
                task = next;
            }
        }
        chunk_unref(held);
        metric_add(count, CHAIN);
        metric_observe_ns(times, clock_mono_ns(stress->env->clock) - start_ns);
        trace(stress->tracer, TRACE_INFO, "poster %d at %d", poster->index, serial);
    }
}

static void line_count(void *arg, enum trace_level level, struct str line)
{
    (void)level;
    ASSERT(line.len > 0 && line.len < 1024);
    __atomic_fetch_add(&((struct stress *)arg)->lines, 1, __ATOMIC_RELAXED);
}

int main(void)
{
    struct stress stress = {.left = POSTERS * POSTS};
    ASSERT(real_env_open(STR(""), &stress.env, NULL) == ERR_OK);
    stress.loop = loop_create(stress.env);
    stress.pool = pool_create(stress.env, LIMIT_BYTES, LIMIT_BYTES / 4);
    stress.metrics = metrics_create();
    stress.tracer = tracer_create(stress.env, TRACE_INFO, line_count, &stress);
    struct poster posters[POSTERS];
    struct thread *threads[POSTERS];
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){&stress, i};
        threads[i] = thread_start(stress.env->threads, "poster", poster_run, &posters[i]);
    }
    loop_run(stress.loop);
    for (int i = 0; i < POSTERS; i++) {
        thread_join(stress.env->threads, threads[i]);
        ASSERT(stress.next[i] == POSTS);
    }
    ASSERT(metric_value(metrics_counter(stress.metrics, "posts_total", NULL, "Posts")) == POSTERS * POSTS);
    ASSERT(pool_used_bytes(stress.pool) == 0);
    tracer_destroy(stress.tracer);
    ASSERT(stress.lines > 0);
    metrics_destroy(stress.metrics);
    pool_destroy(stress.pool);
    loop_destroy(stress.loop);
    real_env_close(stress.env);
    return 0;
}
