// SPDX-License-Identifier: Apache-2.0
#include "txn.h"

#include <stdlib.h>

#define MS 1000000LL

enum { ROUNDING_MS = 3 }; // the broker counts whole ones, and begins anew at a restart

enum end { END_NONE, END_ABORT, END_COMMIT };
struct txn_fate {
    int id;
    int64_t begun_ns;
    int32_t timeout_ms;
    enum end sent;
    bool may_have_ended;
    bool is_acked;   // its end
    bool is_refused; // its end: it was aborted
    int64_t acked_ns;
    bool has_offsets;                     // acknowledged
    int64_t first_offset[TXN_PARTITIONS]; // acknowledged; -1 = none
    bool is_seen;                         // by somebody, records or offsets
    bool is_hidden;                       // somebody left out some of it
};
struct txn_record {
    uint64_t txn;
    bool in_final;
};
struct txn_records {
    struct txn_record *list;
    uint64_t count;
    uint64_t cap;
};
struct txn_history {
    struct scenario *s;
    struct txn_fate *txns; // number n is at n - 1
    uint64_t count;
    uint64_t cap;
    int inits_in_flight[TXN_PRODUCERS_MAX];
    bool has_stray_init[TXN_PRODUCERS_MAX];
    struct txn_records records[TXN_PARTITIONS][TXN_PRODUCERS_MAX];
    bool is_final;
};

static void *grow(void *list, uint64_t count, uint64_t *cap, size_t size)
{
    if (count < *cap) {
        return list;
    }
    *cap = *cap == 0 ? 64 : *cap * 2;
    void *more = realloc(list, *cap * size);
    if (more == NULL) {
        abort();
    }
    return more;
}

int txn_first_partition(void)
{
    int topic = 0;
    while (topic_plans[topic].kind != TOPIC_TXN) {
        topic++;
    }
    return topic_plans[topic].first;
}

struct txn_history *txn_history_create(struct scenario *s)
{
    struct txn_history *h = calloc(1, sizeof *h);
    if (h == NULL) {
        abort();
    }
    h->s = s;
    return h;
}

void txn_history_destroy(struct txn_history *take_history)
{
    for (int p = 0; p < TXN_PARTITIONS; p++) {
        for (int i = 0; i < TXN_PRODUCERS_MAX; i++) {
            free(take_history->records[p][i].list);
        }
    }
    free(take_history->txns);
    free(take_history);
}

static int64_t now_ns(const struct txn_history *h)
{
    return sim_world_now_ns(h->s->world);
}

// is_excused: what rot took may have been an end.
static bool is_excused(const struct txn_history *h)
{
    return h->s->rot_happened || checker_is_cut(h->s->checker);
}

static struct txn_fate *fate(const struct txn_history *h, uint64_t txn)
{
    return &h->txns[txn - 1];
}

// ---- what producers do

void txn_init_sent(struct txn_history *h, int id)
{
    h->inits_in_flight[id]++;
    for (uint64_t i = 0; i < h->count; i++) {
        h->txns[i].may_have_ended = h->txns[i].may_have_ended || h->txns[i].id == id;
    }
}

void txn_init_done(struct txn_history *h, int id, bool is_answered)
{
    h->inits_in_flight[id]--;
    h->has_stray_init[id] = h->has_stray_init[id] || !is_answered;
}

uint64_t txn_begun(struct txn_history *h, int id, int32_t timeout_ms)
{
    h->txns = grow(h->txns, h->count, &h->cap, sizeof *h->txns);
    h->txns[h->count++] = (struct txn_fate){.id = id,
                                            .begun_ns = now_ns(h),
                                            .timeout_ms = timeout_ms,
                                            .first_offset = {-1, -1},
                                            .may_have_ended = h->inits_in_flight[id] > 0};
    return h->count;
}

bool txn_is_due(const struct txn_history *h, uint64_t txn)
{
    const struct txn_fate *t = fate(h, txn);
    return t->may_have_ended || h->has_stray_init[t->id] || h->s->has_clock_jumps ||
           now_ns(h) >= t->begun_ns + (t->timeout_ms - ROUNDING_MS) * MS;
}

void txn_record_sent(struct txn_history *h, uint64_t txn, int partition, int producer, uint64_t number)
{
    struct txn_records *r = &h->records[partition - txn_first_partition()][producer - TXN_CHECKER_FIRST];
    r->list = grow(r->list, r->count, &r->cap, sizeof *r->list);
    if (r->count != number) {
        abort();
    }
    r->list[r->count++] = (struct txn_record){.txn = txn};
}

void txn_record_acked(struct txn_history *h, uint64_t txn, int partition, int64_t offset)
{
    int64_t *first = &fate(h, txn)->first_offset[partition - txn_first_partition()];
    *first = *first < 0 ? offset : *first;
}

void txn_offsets_acked(struct txn_history *h, uint64_t txn)
{
    fate(h, txn)->has_offsets = true;
}

void txn_end_sent(struct txn_history *h, uint64_t txn, bool is_commit)
{
    fate(h, txn)->sent = is_commit ? END_COMMIT : END_ABORT;
    fate(h, txn)->may_have_ended = true;
}

static void check_atomic(struct txn_history *h, uint64_t txn)
{
    const struct txn_fate *t = fate(h, txn);
    bool must_show = t->sent == END_COMMIT && t->is_acked;
    if (is_excused(h)) {
        return;
    }
    if (t->is_seen && (t->sent != END_COMMIT || t->is_refused)) {
        checker_fail(h->s->checker, "I7: G1a: transaction %llu was never committed, and was read",
                     (unsigned long long)txn);
    } else if (t->is_hidden && must_show) {
        checker_fail(h->s->checker,
                     "I7: lost write: transaction %llu was committed, and a reader left it out",
                     (unsigned long long)txn);
    } else if (t->is_hidden && t->is_seen) {
        checker_fail(h->s->checker, "I7: transaction %llu is torn: read in one place, left out in another",
                     (unsigned long long)txn);
    }
}

void txn_end_acked(struct txn_history *h, uint64_t txn)
{
    checker_counting(h->s->checker)->transactions++;
    fate(h, txn)->is_acked = true;
    fate(h, txn)->acked_ns = now_ns(h);
    check_atomic(h, txn);
}

void txn_end_refused(struct txn_history *h, uint64_t txn)
{
    fate(h, txn)->is_refused = true;
    check_atomic(h, txn);
}

// ---- what readers see

void txn_read(struct txn_history *h, int partition, int producer, uint64_t number, bool is_visible)
{
    struct txn_records *r = &h->records[partition - txn_first_partition()][producer - TXN_CHECKER_FIRST];
    if (number >= r->count || r->list[number].txn == 0) {
        return; // of an epoch that is over: the checker has a word for it
    }
    struct txn_fate *t = fate(h, r->list[number].txn);
    t->is_seen = t->is_seen || is_visible;
    t->is_hidden = t->is_hidden || !is_visible;
    r->list[number].in_final = r->list[number].in_final || h->is_final;
    checker_counting(h->s->checker)->stable_reads++;
    check_atomic(h, r->list[number].txn);
}

void txn_stable(struct txn_history *h, int partition, int64_t log_start, int64_t stable_offset)
{
    for (uint64_t txn = 1; txn <= h->count && !is_excused(h); txn++) {
        int64_t first = fate(h, txn)->first_offset[partition - txn_first_partition()];
        bool is_open = first >= 0 && !txn_is_due(h, txn);
        if (is_open && stable_offset > first && stable_offset > log_start) {
            checker_fail(
                h->s->checker,
                "I12: partition %d: transaction %llu is open from offset %lld on, and the last stable "
                "offset is %lld",
                partition, (unsigned long long)txn, (long long)first, (long long)stable_offset);
        }
    }
}

void txn_committed(struct txn_history *h, int id, int64_t offset, int64_t asked_ns)
{
    uint64_t promised = 0;
    for (uint64_t txn = 1; txn <= h->count; txn++) {
        const struct txn_fate *t = fate(h, txn);
        bool is_committed = t->sent == END_COMMIT && t->is_acked && t->acked_ns <= asked_ns;
        promised = t->id == id && is_committed && t->has_offsets ? txn : promised;
    }
    if (is_excused(h)) {
        return;
    }
    if (offset < (int64_t)promised && promised > 0) {
        checker_fail(h->s->checker, "I9: transaction %llu had committed its offset, and now it is %lld",
                     (unsigned long long)promised, (long long)offset);
    } else if (offset > (int64_t)h->count || (offset > 0 && fate(h, (uint64_t)offset)->id != id)) {
        checker_fail(h->s->checker, "I8: id %d: the offset %lld is committed, which no transaction of it had",
                     id, (long long)offset);
    } else if (offset > 0) {
        fate(h, (uint64_t)offset)->is_seen = true;
        check_atomic(h, (uint64_t)offset);
    }
}

// ---- the last pass

void txn_final_begin(struct txn_history *h)
{
    h->is_final = true;
}

void txn_final_partition(struct txn_history *h, int partition, int64_t log_start)
{
    for (int i = 0; i < TXN_PRODUCERS_MAX && !is_excused(h); i++) {
        const struct txn_records *r = &h->records[partition - txn_first_partition()][i];
        for (uint64_t number = 0; number < r->count; number++) {
            int64_t offset = checker_offset(h->s->checker, partition, TXN_CHECKER_FIRST + i, number);
            if (offset >= log_start && !r->list[number].in_final) {
                checker_fail(h->s->checker,
                             "I7: partition %d: nobody who reads what is committed gets past offset %lld",
                             partition, (long long)offset);
            }
        }
    }
}

void txn_final_offset(struct txn_history *h, int id, int64_t offset)
{
    for (uint64_t txn = 1; txn <= h->count && !is_excused(h); txn++) {
        const struct txn_fate *t = fate(h, txn);
        if (t->id == id && t->has_offsets && t->is_seen && offset < (int64_t)txn) {
            checker_fail(h->s->checker,
                         "I7: transaction %llu is torn: it was read, but its offset is not in %lld",
                         (unsigned long long)txn, (long long)offset);
        }
    }
}
