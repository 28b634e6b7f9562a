// SPDX-License-Identifier: Apache-2.0
#include "keyed.h"

#include <stdlib.h>

#define MS 1000000LL

struct keyed_write {
    int key;
    bool is_tombstone;
    bool is_in_txn;
    uint64_t hash;
    int64_t timestamp;
    int64_t sent_ns;
    int64_t settled_ns;
    int64_t offset; // -1 = not known
    enum keyed_fate fate;
};
struct keyed_history {
    struct scenario *s;
    struct keyed_write *list;
    uint64_t count;
    uint64_t cap;
};

struct keyed_history *keyed_history_create(struct scenario *s)
{
    struct keyed_history *h = calloc(1, sizeof *h);
    if (h == NULL) {
        abort();
    }
    h->s = s;
    return h;
}

void keyed_history_destroy(struct keyed_history *take_history)
{
    free(take_history->list);
    free(take_history);
}

static int64_t now_ns(const struct keyed_history *h)
{
    return sim_world_now_ns(h->s->world);
}

uint64_t keyed_sent(struct keyed_history *h, int key, bool is_tombstone, bool is_in_txn)
{
    if (h->count == h->cap) {
        h->cap = h->cap == 0 ? 256 : h->cap * 2;
        h->list = realloc(h->list, h->cap * sizeof *h->list);
        if (h->list == NULL) {
            abort();
        }
    }
    h->list[h->count] = (struct keyed_write){
        .key = key, .is_tombstone = is_tombstone, .is_in_txn = is_in_txn, .sent_ns = now_ns(h), .offset = -1};
    return h->count++;
}

uint64_t keyed_count(const struct keyed_history *h)
{
    return h->count;
}

void keyed_filled(struct keyed_history *h, uint64_t number, uint64_t hash, int64_t timestamp)
{
    h->list[number].hash = hash;
    h->list[number].timestamp = timestamp;
}

static bool is_excused(const struct keyed_history *h)
{
    return h->s->rot_happened || checker_is_cut(h->s->checker);
}

// place: one write is at one offset.
static void place(struct keyed_history *h, uint64_t number, int64_t offset)
{
    struct keyed_write *w = &h->list[number];
    if (w->offset >= 0 && w->offset != offset && !is_excused(h)) {
        checker_fail(h->s->checker, "I2: write %llu of key %d was at offset %lld and is at %lld",
                     (unsigned long long)number, w->key, (long long)w->offset, (long long)offset);
    }
    w->offset = offset;
}

void keyed_acked(struct keyed_history *h, uint64_t number, int64_t offset)
{
    place(h, number, offset);
}

void keyed_settled(struct keyed_history *h, uint64_t number, enum keyed_fate fate)
{
    h->list[number].fate = fate;
    h->list[number].settled_ns = now_ns(h);
}

void keyed_scan_begin(struct keyed_history *h, struct keyed_scan *scan)
{
    *scan = (struct keyed_scan){.started_ns = now_ns(h), .last_offset = -1};
}

void keyed_read(struct keyed_history *h, struct keyed_scan *scan, const struct keyed_record *r,
                bool is_visible)
{
    const struct keyed_write *w = r->number < h->count ? &h->list[r->number] : NULL;
    if (is_excused(h)) {
        return;
    }
    bool is_same = w != NULL && w->key == r->key && w->is_tombstone == r->is_tombstone &&
                   w->hash == r->hash && w->timestamp == r->timestamp;
    if (!is_same) {
        checker_fail(h->s->checker, "I4: offset %lld of the compacted topic holds a record that nobody sent",
                     (long long)r->offset);
        return;
    }
    place(h, r->number, r->offset);
    if (r->offset <= scan->last_offset) {
        checker_fail(h->s->checker, "I3: the compacted topic gave offset %lld after %lld",
                     (long long)r->offset, (long long)scan->last_offset);
    }
    scan->last_offset = r->offset;
    scan->count++;
    if (!is_visible) {
        if (w->fate == KEYED_KEPT) {
            checker_fail(h->s->checker, "I7: write %llu of key %d was committed, and a reader left it out",
                         (unsigned long long)r->number, r->key);
        }
        return;
    }
    if (w->fate == KEYED_ABORTED) {
        checker_fail(h->s->checker, "I7: G1a: write %llu of key %d was aborted, and was read",
                     (unsigned long long)r->number, r->key);
    }
    if (scan->seen[r->key] > r->number) {
        checker_fail(h->s->checker, "I13: key %d: write %llu lies behind the newer %llu", r->key,
                     (unsigned long long)r->number, (unsigned long long)scan->seen[r->key] - 1);
    }
    scan->seen[r->key] = r->number + 1;
}

// promised gives the newest write of a key that was settled when the scan began, and lies in it; NULL = none.
static const struct keyed_write *promised(const struct keyed_history *h, int key,
                                          const struct keyed_scan *scan, uint64_t *ret_number)
{
    const struct keyed_write *newest = NULL;
    for (uint64_t i = 0; i < h->count; i++) {
        const struct keyed_write *w = &h->list[i];
        if (w->key == key && w->fate == KEYED_KEPT && w->settled_ns <= scan->started_ns &&
            w->offset < scan->end_offset) {
            newest = w;
            *ret_number = i;
        }
    }
    return newest;
}

// may_be_gone: from the promised write on there is a tombstone that had its time. It stays for
// delete.retention.ms after the first compaction that saw it; what it deleted went in that one.
static bool may_be_gone(const struct keyed_history *h, const struct keyed_scan *scan, int key,
                        uint64_t number)
{
    int64_t retention_ns = h->s->keyed_delete_retention_ms * MS;
    bool is_old = scan->seen[key] != 0;
    for (uint64_t i = number; i < h->count; i++) {
        const struct keyed_write *w = &h->list[i];
        int64_t since_ns = is_old && scan->started_ns > w->sent_ns ? scan->started_ns : w->sent_ns;
        if (w->key == key && w->is_tombstone && w->fate != KEYED_ABORTED &&
            now_ns(h) - since_ns >= retention_ns) {
            return true;
        }
    }
    return false;
}

void keyed_scan_end(struct keyed_history *h, const struct keyed_scan *scan)
{
    uint64_t sent = 0;
    for (int key = 0; key < KEYED_KEYS && !is_excused(h) && !scan->may_lag; key++) {
        uint64_t number = 0;
        const struct keyed_write *w = promised(h, key, scan, &number);
        if (w == NULL || scan->seen[key] > number) {
            continue;
        }
        if (!may_be_gone(h, scan, key, number)) {
            checker_fail(h->s->checker,
                         "I13: key %d: %s, write %llu, is not the newest that a scan found: %lld at %lld",
                         key, w->is_tombstone ? "a tombstone" : "a value", (unsigned long long)number,
                         (long long)scan->seen[key] - 1, (long long)w->offset);
        }
    }
    for (uint64_t i = 0; i < h->count; i++) {
        sent += h->list[i].offset >= 0;
    }
    checker_counting(h->s->checker)->compacted += sent > scan->count ? sent - scan->count : 0;
}
