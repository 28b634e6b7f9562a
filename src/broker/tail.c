// SPDX-License-Identifier: Apache-2.0
// tail.c - the newest batches stay in memory as they came from the sockets, so that consumers at the tail
// cost no read. Entries leave oldest first; a response that is still to be sent pins objects, never this
// memory.
#include "base/assert.h"
#include "base/mem.h"
#include "broker/broker_private.h"

static struct tail_entry *tail_at(const struct tail *t, uint64_t index)
{
    return &t->ring[index & (TAIL_ENTRIES_MAX - 1)];
}

void tail_init(struct tail *t, size_t limit)
{
    *t = (struct tail){.limit = limit};
}

void tail_discard(struct tail *t, struct chunk *take_chunk)
{
    if (t->garbage_count == t->garbage_cap) {
        t->garbage_cap = t->garbage_cap == 0 ? 64 : t->garbage_cap * 2;
        t->garbage = mem_realloc(t->garbage, t->garbage_cap * sizeof(struct chunk *));
    }
    t->garbage[t->garbage_count++] = take_chunk;
}

static void tail_evict(struct tail *t)
{
    struct tail_entry *oldest = tail_at(t, t->head);
    tail_discard(t, oldest->chunk);
    t->bytes -= oldest->charge;
    t->head++;
}

void tail_fini(struct tail *t)
{
    while (t->head < t->end) {
        tail_evict(t);
    }
    for (size_t i = 0; i < t->garbage_count; i++) {
        chunk_unref(t->garbage[i]);
    }
    mem_free(t->garbage);
    mem_free(t->ring);
    *t = (struct tail){0};
}

static bool tail_precedes(const struct tail_entry *entry, uint64_t object, int64_t position)
{
    return entry->object != object ? entry->object < object : entry->position < position;
}

void tail_push(struct tail *t, uint64_t object, int64_t position, struct bytes batch, struct chunk *chunk)
{
    if (t->limit == 0) {
        return;
    }
    if (t->ring == NULL) {
        t->ring = mem_array(TAIL_ENTRIES_MAX, sizeof *t->ring);
    }
    const struct tail_entry *last = t->head < t->end ? tail_at(t, t->end - 1) : NULL;
    ASSERT(last == NULL || tail_precedes(last, object, position));
    // A chunk is charged in full to the first of its neighbours here: it lives as long as any of them.
    uint32_t charge = last != NULL && last->chunk == chunk ? 0 : (uint32_t)chunk->cap;
    if (charge > t->limit) {
        return; // it would take all the others' place and more
    }
    chunk_ref(chunk);
    while (t->head < t->end && (t->bytes + charge > t->limit || t->end - t->head == TAIL_ENTRIES_MAX)) {
        tail_evict(t);
    }
    *tail_at(t, t->end++) = (struct tail_entry){
        .object = object,
        .position = position,
        .length = (uint32_t)batch.len,
        .charge = charge,
        .chunk = chunk,
        .ptr = batch.ptr,
    };
    t->bytes += charge;
}

const struct tail_entry *tail_find(const struct tail *t, uint64_t object, int64_t position)
{
    uint64_t low = t->head;
    uint64_t high = t->end;
    while (low < high) { // the first entry that starts after the position
        uint64_t middle = low + (high - low) / 2;
        const struct tail_entry *entry = tail_at(t, middle);
        if (tail_precedes(entry, object, position) ||
            (entry->object == object && entry->position == position)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == t->head) {
        return NULL;
    }
    const struct tail_entry *entry = tail_at(t, low - 1);
    bool covers = entry->object == object && position < entry->position + entry->length;
    return covers ? entry : NULL;
}
