// SPDX-License-Identifier: Apache-2.0
#include "checker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum record_state { RECORD_SENT, RECORD_ACKED, RECORD_REFUSED };
enum { WATCHERS_MAX = 16 };

struct record {
    uint64_t hash;
    int64_t offset; // -1 = not known
    enum record_state state;
    bool in_final;
};
struct log_slot {
    uint64_t number;
    int producer; // -1 = not known
};
struct partition {
    struct record *records[CHECKER_PRODUCERS_MAX];
    uint64_t counts[CHECKER_PRODUCERS_MAX];
    uint64_t caps[CHECKER_PRODUCERS_MAX];
    struct log_slot *slots;
    int64_t slot_count;
    int64_t slot_cap;
    int64_t log_start[WATCHERS_MAX];
    int64_t high_watermark[WATCHERS_MAX];
    int64_t trim_max;
};
struct checker {
    struct partition partitions[CHECKER_PARTITIONS_MAX];
    struct checker_counts counts;
    bool has_failed;
    bool is_final;
    char failure[512];
};

struct checker *checker_create(void)
{
    struct checker *c = calloc(1, sizeof *c);
    if (c == NULL) {
        abort();
    }
    return c;
}

void checker_destroy(struct checker *take_checker)
{
    for (int p = 0; p < CHECKER_PARTITIONS_MAX; p++) {
        for (int i = 0; i < CHECKER_PRODUCERS_MAX; i++) {
            free(take_checker->partitions[p].records[i]);
        }
        free(take_checker->partitions[p].slots);
    }
    free(take_checker);
}

bool checker_has_failed(const struct checker *c)
{
    return c->has_failed;
}

const char *checker_failure(const struct checker *c)
{
    return c->failure;
}

void checker_fail(struct checker *c, const char *format, ...)
{
    if (c->has_failed) {
        return;
    }
    c->has_failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(c->failure, sizeof c->failure, format, args);
    va_end(args);
}

uint64_t checker_sent(struct checker *c, int partition, int producer, uint64_t hash)
{
    struct partition *p = &c->partitions[partition];
    uint64_t number = p->counts[producer]++;
    if (number == p->caps[producer]) {
        p->caps[producer] = number == 0 ? 64 : number * 2;
        p->records[producer] = realloc(p->records[producer], p->caps[producer] * sizeof(struct record));
        if (p->records[producer] == NULL) {
            abort();
        }
    }
    p->records[producer][number] = (struct record){.hash = hash, .offset = -1};
    c->counts.sent++;
    return number;
}

static struct log_slot *slot_at(struct partition *p, int64_t offset)
{
    if (offset >= p->slot_cap) {
        int64_t cap = p->slot_cap == 0 ? 256 : p->slot_cap;
        while (cap <= offset) {
            cap *= 2;
        }
        p->slots = realloc(p->slots, (size_t)cap * sizeof *p->slots);
        if (p->slots == NULL) {
            abort();
        }
        p->slot_cap = cap;
    }
    while (p->slot_count <= offset) {
        p->slots[p->slot_count++] = (struct log_slot){.producer = -1};
    }
    return &p->slots[offset];
}

// place says that a record is at an offset; every earlier word on either must agree.
static void place(struct checker *c, int partition, int producer, uint64_t number, int64_t offset)
{
    struct partition *p = &c->partitions[partition];
    if (offset < 0 || offset > 100000000) {
        checker_fail(c, "partition %d: record %d/%llu at the impossible offset %lld", partition, producer,
                     (unsigned long long)number, (long long)offset);
        return;
    }
    struct record *record = &p->records[producer][number];
    struct log_slot *slot = slot_at(p, offset);
    if (slot->producer >= 0 && (slot->producer != producer || slot->number != number)) {
        checker_fail(c, "I2: partition %d offset %lld held record %d/%llu and now %d/%llu", partition,
                     (long long)offset, slot->producer, (unsigned long long)slot->number, producer,
                     (unsigned long long)number);
    }
    if (record->offset >= 0 && record->offset != offset) {
        checker_fail(c, "I5: partition %d: record %d/%llu is at offset %lld and at %lld", partition, producer,
                     (unsigned long long)number, (long long)record->offset, (long long)offset);
    }
    slot->producer = producer;
    slot->number = number;
    record->offset = offset;
}

void checker_acked(struct checker *c, int partition, int producer, uint64_t number, uint64_t count,
                   int64_t base_offset)
{
    struct partition *p = &c->partitions[partition];
    for (uint64_t i = 0; i < count; i++) {
        place(c, partition, producer, number + i, base_offset + (int64_t)i);
        p->records[producer][number + i].state = RECORD_ACKED;
        c->counts.acked++;
    }
}

void checker_refused(struct checker *c, int partition, int producer, uint64_t number, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct record *record = &c->partitions[partition].records[producer][number + i];
        if (record->offset >= 0) {
            checker_fail(c, "I11: partition %d: record %d/%llu was refused but is at offset %lld", partition,
                         producer, (unsigned long long)(number + i), (long long)record->offset);
        }
        record->state = RECORD_REFUSED;
    }
}

void checker_read(struct checker *c, int partition, int64_t offset, int producer, uint64_t number,
                  uint64_t hash)
{
    struct partition *p = &c->partitions[partition];
    bool is_ours = producer >= 0 && producer < CHECKER_PRODUCERS_MAX && number < p->counts[producer];
    if (!is_ours || p->records[producer][number].hash != hash) {
        checker_fail(c, "I4: partition %d offset %lld holds a record that nobody sent (%d/%llu)", partition,
                     (long long)offset, producer, (unsigned long long)number);
        return;
    }
    struct record *record = &p->records[producer][number];
    if (record->state == RECORD_REFUSED) {
        checker_fail(c, "I11: partition %d offset %lld holds record %d/%llu, which was refused", partition,
                     (long long)offset, producer, (unsigned long long)number);
    }
    place(c, partition, producer, number, offset);
    record->in_final = record->in_final || c->is_final;
    c->counts.read++;
}

void checker_bounds(struct checker *c, int partition, int watcher, int64_t log_start, int64_t high_watermark)
{
    struct partition *p = &c->partitions[partition];
    if (high_watermark < p->high_watermark[watcher]) {
        checker_fail(c, "I3: partition %d: the high watermark went from %lld back to %lld", partition,
                     (long long)p->high_watermark[watcher], (long long)high_watermark);
    }
    if (log_start < p->log_start[watcher]) {
        checker_fail(c, "I3: partition %d: log start went from %lld back to %lld", partition,
                     (long long)p->log_start[watcher], (long long)log_start);
    }
    if (log_start > p->trim_max) {
        checker_fail(c, "I1: partition %d: log start is %lld but nobody asked to delete past %lld", partition,
                     (long long)log_start, (long long)p->trim_max);
    }
    p->high_watermark[watcher] = high_watermark;
    p->log_start[watcher] = log_start;
}

void checker_trim_asked(struct checker *c, int partition, int64_t offset)
{
    struct partition *p = &c->partitions[partition];
    p->trim_max = offset > p->trim_max ? offset : p->trim_max;
}

int64_t checker_known_end(const struct checker *c, int partition)
{
    return c->partitions[partition].slot_count;
}

void checker_final_begin(struct checker *c)
{
    c->is_final = true;
}

void checker_final_partition(struct checker *c, int partition, int64_t log_start, int64_t high_watermark,
                             bool excused)
{
    struct partition *p = &c->partitions[partition];
    for (int producer = 0; producer < CHECKER_PRODUCERS_MAX; producer++) {
        int64_t last = -1;
        for (uint64_t n = 0; n < p->counts[producer]; n++) {
            const struct record *r = &p->records[producer][n];
            bool must_be_there = r->state == RECORD_ACKED && r->offset >= log_start && !excused;
            if (must_be_there && (!r->in_final || r->offset >= high_watermark)) {
                checker_fail(c,
                             "I1: partition %d: record %d/%llu was acknowledged at offset %lld and is gone "
                             "(log %lld to %lld)",
                             partition, producer, (unsigned long long)n, (long long)r->offset,
                             (long long)log_start, (long long)high_watermark);
            }
            // A batch left in doubt by a producer without an id may arrive after its successor: no promise
            // there.
            bool is_ordered = producer % 2 == 0;
            if (is_ordered && r->offset >= 0 && r->offset < last) {
                checker_fail(
                    c, "I6: partition %d: record %d/%llu at offset %lld came before an earlier one at %lld",
                    partition, producer, (unsigned long long)n, (long long)r->offset, (long long)last);
            }
            last = r->offset >= 0 ? r->offset : last;
        }
    }
}

struct checker_counts checker_counts(const struct checker *c)
{
    return c->counts;
}
