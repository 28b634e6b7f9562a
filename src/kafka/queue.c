// SPDX-License-Identifier: Apache-2.0
// queue.c - how many bytes of requests may wait inside, over all fronts (queued.max.request.bytes). A byte
// counts from the moment it was read until its request is answered.
//
// A large frame is read when the queue has room for what it still lacks, which is promised to it: those that
// have begun can end, and the others wait in their sockets. Only the first bytes of a very large one are
// promised.
//
// Small frames have a quarter of the queue to themselves: however many large ones are held back, a heartbeat
// gets through. Once a part is full, or there is no memory at all, all wait but for one connection of the
// whole broker and class: who has the turn reads on, beyond the limits by one frame, so that one after the
// other is completed, in the order in which they began. Who has the turn and does not send is closed, which
// frees what it holds.
#include "base/assert.h"
#include "kafka/front_private.h"

enum {
    SMALL_FRAME_MAX = 64 * 1024,
    TURN_MS = 3000,
    TURN_BYTES_MIN = 1 << 20, // what a connection must send to keep its turn for another period
    RESUMED_PER_TICK = 64,    // of each class
    PROMISE_MAX = 2 << 20,    // bytes of one frame
    RETRY_NS = 20 * 1000000,
};

// ---- counting

static enum frame_class class_of(const struct connection *conn)
{
    return input_frame_total(conn) <= SMALL_FRAME_MAX ? FRAME_SMALL : FRAME_LARGE;
}

static size_t queued_in(const struct kafka_front *front, enum frame_class class)
{
    return __atomic_load_n(&front->gate->queued_bytes[class], __ATOMIC_RELAXED);
}

static size_t limit_of(const struct kafka_front *front, enum frame_class class)
{
    size_t quarter = front->options.queued_bytes_max / 4;
    return class == FRAME_SMALL ? quarter : 3 * quarter;
}

// ---- promises

static void promise_use(struct connection *conn, size_t bytes)
{
    size_t used = bytes < conn->promised ? bytes : conn->promised;
    conn->promised -= used;
    __atomic_fetch_sub(&conn->front->gate->promised_bytes, used, __ATOMIC_RELAXED);
}

void queue_promise_end(struct connection *conn)
{
    promise_use(conn, conn->promised);
}

bool queue_is_filling(const struct kafka_front *front)
{
    size_t promised = __atomic_load_n(&front->gate->promised_bytes, __ATOMIC_RELAXED);
    return queued_in(front, FRAME_LARGE) + promised > limit_of(front, FRAME_LARGE) / 2;
}

// promise_take: there is room for what the frame lacks, or there was.
static bool promise_take(struct connection *conn)
{
    if (conn->promised > 0) {
        return true;
    }
    size_t total = input_frame_total(conn);
    size_t left = input_left(conn);
    size_t lacking = total > left ? total - left : 0;
    size_t wanted = lacking < PROMISE_MAX ? lacking : PROMISE_MAX;
    size_t limit = limit_of(conn->front, FRAME_LARGE);
    size_t *promised = &conn->front->gate->promised_bytes;
    size_t before = __atomic_load_n(promised, __ATOMIC_RELAXED);
    do {
        if (queued_in(conn->front, FRAME_LARGE) + before + wanted > limit) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(promised, &before, before + wanted, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    conn->promised = wanted;
    return true;
}

// ---- what was read

void queue_add(struct connection *conn, size_t bytes)
{
    enum frame_class class = class_of(conn);
    conn->queued.bytes[class] += bytes;
    conn->turn_bytes += bytes;
    __atomic_fetch_add(&conn->front->gate->queued_bytes[class], bytes, __ATOMIC_RELAXED);
    promise_use(conn, bytes);
    metric_add(conn->front->metric_queued, (int64_t)bytes);
}

struct queued queue_take(struct connection *conn, size_t bytes)
{
    // The first bytes of a large frame were counted as small, before its length was known.
    enum frame_class class = bytes <= SMALL_FRAME_MAX ? FRAME_SMALL : FRAME_LARGE;
    enum frame_class other = class == FRAME_SMALL ? FRAME_LARGE : FRAME_SMALL;
    struct queued taken = {.work_bytes = 0};
    taken.bytes[class] = conn->queued.bytes[class] < bytes ? conn->queued.bytes[class] : bytes;
    taken.bytes[other] = bytes - taken.bytes[class];
    ASSERT(taken.bytes[other] <= conn->queued.bytes[other]);
    conn->queued.bytes[class] -= taken.bytes[class];
    conn->queued.bytes[other] -= taken.bytes[other];
    return taken;
}

void queue_work(struct kafka_front *front, struct queued *queued)
{
    queued->work_bytes = queued->bytes[FRAME_LARGE];
    __atomic_fetch_add(&front->gate->work_bytes, queued->work_bytes, __ATOMIC_RELAXED);
}

void queue_remove(struct kafka_front *front, struct queued *queued)
{
    __atomic_fetch_sub(&front->gate->work_bytes, queued->work_bytes, __ATOMIC_RELAXED);
    queued->work_bytes = 0;
    for (int class = 0; class < FRAME_CLASSES; class ++) {
        size_t bytes = queued->bytes[class];
        size_t before = __atomic_fetch_sub(&front->gate->queued_bytes[class], bytes, __ATOMIC_RELAXED);
        ASSERT(before >= bytes);
        metric_add(front->metric_queued, -(int64_t)bytes);
        queued->bytes[class] = 0;
        if (class == FRAME_LARGE && bytes > 0 && !list_is_empty(&front->starved[FRAME_LARGE])) {
            loop_timer_set(front->loop, &front->starved_retry, loop_now_ns(front->loop));
        }
    }
}

// ---- the turn

static bool turn_take(struct connection *conn, enum frame_class class)
{
    struct connection *nobody = NULL;
    if (!__atomic_compare_exchange_n(&conn->front->gate->turns[class], &nobody, conn, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED)) {
        return false;
    }
    struct loop *loop = conn->front->loop;
    conn->has_turn = true;
    conn->turn_class = class;
    conn->turn_bytes = 0;
    conn->turn_end_ns = loop_now_ns(loop) + TURN_MS * (int64_t)1000000;
    loop_timer_set(loop, &conn->timer, conn->turn_end_ns);
    return true;
}

void queue_turn_end(struct connection *conn)
{
    if (!conn->has_turn) {
        return;
    }
    struct kafka_front *front = conn->front;
    conn->has_turn = false;
    __atomic_store_n(&front->gate->turns[conn->turn_class], NULL, __ATOMIC_RELEASE);
    if (!list_is_empty(&front->starved[conn->turn_class])) {
        loop_timer_set(front->loop, &front->starved_retry, loop_now_ns(front->loop)); // the next one
    }
}

bool queue_turn_renew(struct connection *conn)
{
    if (conn->turn_bytes < TURN_BYTES_MIN) {
        return false;
    }
    conn->turn_bytes = 0;
    conn->turn_end_ns = loop_now_ns(conn->front->loop) + TURN_MS * (int64_t)1000000;
    return true;
}

// Large requests that fill the queue by themselves will make room; frames of which only a part came may not,
// nor a JoinGroup that waits for another one.
static bool will_have_room(const struct kafka_front *front, enum frame_class class)
{
    return class == FRAME_LARGE &&
           __atomic_load_n(&front->gate->work_bytes, __ATOMIC_RELAXED) >= limit_of(front, FRAME_LARGE);
}

bool queue_may_read(struct connection *conn)
{
    const struct kafka_front *front = conn->front;
    enum frame_class class = class_of(conn);
    size_t limit = limit_of(front, class);
    size_t queued = queued_in(front, class);
    if (class == FRAME_SMALL ? queued < limit : promise_take(conn)) {
        return true;
    }
    // Room for one frame is kept beyond the limit: it must be free.
    bool may_exceed = queued < limit + front->options.frame_bytes_max + SMALL_FRAME_MAX;
    return may_exceed && (conn->has_turn || !will_have_room(front, class)) && queue_may_exceed(conn);
}

// The row is by age, and a connection that is being tried is not in it.
static bool is_oldest(const struct connection *conn, enum frame_class class)
{
    const struct list *starved = &conn->front->starved[class];
    if (list_is_empty(starved) || starved->next == &conn->starved) {
        return true;
    }
    const struct connection *first = LIST_ENTRY(starved->next, struct connection, starved);
    return conn->frame_ns != 0 && (first->frame_ns == 0 || conn->frame_ns <= first->frame_ns);
}

bool queue_may_exceed(struct connection *conn)
{
    enum frame_class class = class_of(conn);
    if (conn->has_turn && conn->turn_class == FRAME_SMALL && class == FRAME_LARGE) {
        queue_turn_end(conn); // it began before its length was known: the small ones need it
    }
    if (conn->has_turn) {
        return true;
    }
    return is_oldest(conn, class) && turn_take(conn, class);
}

// ---- waiting

static void retry_later(struct kafka_front *front)
{
    if (front->starved_retry.node.index == 0) {
        loop_timer_set(front->loop, &front->starved_retry, loop_now_ns(front->loop) + RETRY_NS);
    }
}

void queue_starve(struct connection *conn)
{
    struct list *starved = &conn->front->starved[class_of(conn)];
    conn->is_starved = true;
    list_remove(&conn->starved);
    // By the age of the frame that waits; one whose frame has not begun goes last.
    struct list *at = starved->prev;
    while (at != starved && conn->frame_ns != 0) {
        const struct connection *other = LIST_ENTRY(at, struct connection, starved);
        if (other->frame_ns != 0 && other->frame_ns <= conn->frame_ns) {
            break;
        }
        at = at->prev;
    }
    list_push_front(at, &conn->starved);
    retry_later(conn->front);
}

void queue_resume(struct connection *conn)
{
    conn->is_starved = false;
    list_remove(&conn->starved);
}

void queue_thirst(struct connection *conn)
{
    if (!list_is_linked(&conn->thirsty)) {
        list_push_back(&conn->front->thirsty, &conn->thirsty);
    }
    retry_later(conn->front);
}

void queue_on_retry(struct timer *timer)
{
    struct kafka_front *front =
        (struct kafka_front *)(void *)((char *)timer - offsetof(struct kafka_front, starved_retry));
    for (int class = 0; class < FRAME_CLASSES; class ++) {
        for (int i = 0; i < RESUMED_PER_TICK && !list_is_empty(&front->starved[class]); i++) {
            struct connection *conn = LIST_ENTRY(front->starved[class].next, struct connection, starved);
            // Who would not use the turn now leaves the row, or it would hold up the rest.
            if (!connection_is_held(conn) && !queue_may_read(conn)) {
                break;
            }
            queue_resume(conn);
            connection_mark(conn);
        }
    }
    struct list *node;
    while ((node = list_pop_front(&front->thirsty)) != NULL) {
        connection_mark(LIST_ENTRY(node, struct connection, thirsty));
    }
    if (!list_is_empty(&front->starved[FRAME_SMALL]) || !list_is_empty(&front->starved[FRAME_LARGE])) {
        retry_later(front);
    }
}
