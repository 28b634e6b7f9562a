// SPDX-License-Identifier: Apache-2.0
#include "group.h"

#include <stdio.h>
#include <stdlib.h>

enum { RETURNS_MAX = 8 };

struct ack {
    int64_t offset;
    int64_t at_ns;
};
struct committed {
    struct ack *acks; // each larger than the one before
    size_t ack_count;
    bool *is_sent; // by offset
    int64_t sent_cap;
    int32_t *generations; // by offset: in which it was delivered last; 0 = never
    int64_t delivered_cap;
};
struct generation {
    int32_t number;
    int64_t nonce;
    bool has_again[MEMBERS_MAX]; // came back inside it: what it had not committed it reads again
    bool was_told[MEMBERS_MAX];
    bool is_owned[GROUP_PARTITIONS];
    struct group_who owners[GROUP_PARTITIONS];
};
struct group_history {
    struct scenario *s;
    struct committed committed[GROUP_PARTITIONS];
    struct generation *generations;
    size_t generation_count;
    uint64_t joins;
    int64_t alive_ns[MEMBERS_MAX];
};

static void *grown(void *memory, int64_t *cap, int64_t index, size_t size)
{
    if (index < *cap) {
        return memory;
    }
    int64_t more = *cap == 0 ? 64 : *cap;
    while (more <= index) {
        more *= 2;
    }
    memory = realloc(memory, (size_t)more * size);
    if (memory == NULL) {
        abort();
    }
    memset((char *)memory + (size_t)*cap * size, 0, (size_t)(more - *cap) * size);
    *cap = more;
    return memory;
}

struct group_history *group_history_create(struct scenario *s)
{
    struct group_history *h = calloc(1, sizeof *h);
    if (h == NULL) {
        abort();
    }
    h->s = s;
    return h;
}

void group_history_destroy(struct group_history *take_history)
{
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        free(take_history->committed[i].acks);
        free(take_history->committed[i].is_sent);
        free(take_history->committed[i].generations);
    }
    free(take_history->generations);
    free(take_history);
}

void group_joined(struct group_history *h)
{
    h->joins++;
}

uint64_t group_joins(const struct group_history *h)
{
    return h->joins;
}

void group_alive(struct group_history *h, int member)
{
    h->alive_ns[member] = sim_world_now_ns(h->s->world);
}

int64_t group_alive_ns(const struct group_history *h, int member)
{
    return h->alive_ns[member];
}

// ---- generations

static struct generation *generation_get(struct group_history *h, int32_t number)
{
    for (size_t i = h->generation_count; i-- > 0;) {
        if (h->generations[i].number == number) {
            return &h->generations[i];
        }
    }
    h->generations = realloc(h->generations, (h->generation_count + 1) * sizeof *h->generations);
    if (h->generations == NULL) {
        abort();
    }
    checker_counting(h->s->checker)->rounds++;
    h->generations[h->generation_count] = (struct generation){.number = number};
    return &h->generations[h->generation_count++];
}

static bool is_same(struct group_who a, struct group_who b)
{
    return a.member == b.member && (a.life == b.life || (a.is_static && b.is_static));
}

void group_assigned(struct group_history *h, struct group_who who, int32_t generation, int64_t nonce,
                    const bool owns[GROUP_PARTITIONS])
{
    struct generation *g = generation_get(h, generation);
    if (h->s->rot_happened) {
        return;
    }
    if (g->nonce != 0 && nonce != 0 && g->nonce != nonce) {
        checker_fail(h->s->checker, "I10: generation %d was assigned twice: calls %lld and %lld", generation,
                     (long long)g->nonce, (long long)nonce);
    }
    g->nonce = nonce != 0 ? nonce : g->nonce;
    g->has_again[who.member] = g->was_told[who.member];
    g->was_told[who.member] = true;
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        if (!owns[i]) {
            continue;
        }
        if (g->is_owned[i] && !is_same(g->owners[i], who)) {
            checker_fail(h->s->checker,
                         "I10: partition %d belongs to members %d.%d and %d.%d in generation %d", i,
                         g->owners[i].member, g->owners[i].life, who.member, who.life, generation);
        }
        g->is_owned[i] = true;
        g->owners[i] = who;
    }
}

void group_delivered(struct group_history *h, struct group_who who, int32_t generation, int partition,
                     int64_t offset)
{
    struct committed *p = &h->committed[partition];
    struct generation *g = generation_get(h, generation);
    p->generations = grown(p->generations, &p->delivered_cap, offset, sizeof *p->generations);
    if (p->generations[offset] == generation && !g->has_again[who.member] && !h->s->rot_happened) {
        checker_fail(h->s->checker, "I10: partition %d: offset %lld was delivered twice in generation %d",
                     partition, (long long)offset, generation);
    }
    p->generations[offset] = generation;
    checker_counting(h->s->checker)->delivered++;
}

bool group_is_delivered(const struct group_history *h, int partition, int64_t offset)
{
    const struct committed *p = &h->committed[partition];
    return offset < p->delivered_cap && p->generations[offset] != 0;
}

// ---- committed offsets

// committed_floor: what was acknowledged before `at_ns`; -1 = nothing.
static int64_t committed_floor(const struct committed *p, int64_t at_ns)
{
    for (size_t i = p->ack_count; i-- > 0;) {
        if (p->acks[i].at_ns < at_ns) {
            return p->acks[i].offset;
        }
    }
    return -1;
}

void group_commit_sent(struct group_history *h, int partition, int64_t offset)
{
    struct committed *p = &h->committed[partition];
    p->is_sent = grown(p->is_sent, &p->sent_cap, offset, sizeof *p->is_sent);
    p->is_sent[offset] = true;
}

void group_commit_acked(struct group_history *h, struct group_who who, int partition, int64_t offset,
                        int64_t sent_ns)
{
    struct committed *p = &h->committed[partition];
    int64_t floor = committed_floor(p, sent_ns);
    checker_counting(h->s->checker)->commits++;
    if (h->s->rot_happened) {
        return;
    }
    if (offset < floor) {
        checker_fail(h->s->checker,
                     "I9: partition %d: member %d.%d committed %lld after %lld had been acknowledged",
                     partition, who.member, who.life, (long long)offset, (long long)floor);
    }
    if (offset > checker_known_end(h->s->checker, partition)) {
        checker_fail(h->s->checker, "I9: partition %d: %lld was committed, past the end of the log",
                     partition, (long long)offset);
    }
    int64_t last = p->ack_count == 0 ? -1 : p->acks[p->ack_count - 1].offset;
    if (offset <= last) {
        return;
    }
    p->acks = realloc(p->acks, (p->ack_count + 1) * sizeof *p->acks);
    if (p->acks == NULL) {
        abort();
    }
    p->acks[p->ack_count++] = (struct ack){offset, sim_world_now_ns(h->s->world)};
}

void group_fetched(struct group_history *h, int partition, int64_t offset, int64_t asked_ns)
{
    const struct committed *p = &h->committed[partition];
    int64_t floor = committed_floor(p, asked_ns);
    if (h->s->rot_happened) {
        return;
    }
    if (offset < floor) {
        checker_fail(h->s->checker,
                     "I9: partition %d: %lld was acknowledged as committed, and now it is %lld", partition,
                     (long long)floor, (long long)offset);
    }
    if (offset >= 0 && (offset >= p->sent_cap || !p->is_sent[offset])) {
        checker_fail(h->s->checker, "I9: partition %d: nobody committed %lld", partition, (long long)offset);
    }
}
