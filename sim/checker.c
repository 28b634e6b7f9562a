// SPDX-License-Identifier: Apache-2.0
#include "checker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum record_state { RECORD_SENT, RECORD_ACKED, RECORD_REFUSED };
enum { WATCHERS_MAX = 32, ACKS_REMEMBERED = 64 };
#define MS 1000000LL

struct record {
    uint64_t hash;
    int64_t offset; // -1 = not known
    int64_t sent_ns;
    size_t bytes; // of the batch that it is the first of
    enum record_state state;
    bool in_final;
};
struct log_slot {
    uint64_t number;
    int64_t timestamp;
    int producer;         // -1 = not known
    int32_t leader_epoch; // of the last read
    bool is_read;
    bool in_final;
};
struct ack {
    int64_t end; // the largest so far
    int64_t at_ns;
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
    int64_t retention_ms;
    int64_t retention_bytes;
    bool has_retention;
    bool is_loose;
    struct ack acks[ACKS_REMEMBERED]; // a ring
    uint64_t ack_count;
};
struct checker {
    struct sim_world *world;
    bool is_cut;
    uint64_t losses;
    struct partition partitions[CHECKER_PARTITIONS_MAX];
    struct checker_counts counts;
    bool has_failed;
    bool is_final;
    char failure[512];
};

struct checker *checker_create(struct sim_world *world)
{
    struct checker *c = calloc(1, sizeof *c);
    if (c == NULL) {
        abort();
    }
    c->world = world;
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

void checker_set_retention(struct checker *c, int partition, int64_t retention_ms, int64_t retention_bytes)
{
    c->partitions[partition].has_retention = true;
    c->partitions[partition].retention_ms = retention_ms;
    c->partitions[partition].retention_bytes = retention_bytes;
}

void checker_set_loose(struct checker *c, int partition)
{
    c->partitions[partition].is_loose = true;
}

uint64_t checker_losses(const struct checker *c)
{
    return c->losses;
}

void checker_loss_possible(struct checker *c)
{
    c->losses++;
    for (int i = 0; i < CHECKER_PARTITIONS_MAX; i++) {
        struct partition *p = &c->partitions[i];
        for (int w = 0; w < WATCHERS_MAX && p->is_loose; w++) {
            p->high_watermark[w] = 0;
        }
    }
}

void checker_cut(struct checker *c)
{
    c->is_cut = true;
}

bool checker_is_cut(const struct checker *c)
{
    return c->is_cut;
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
    p->records[producer][number] =
        (struct record){.hash = hash, .offset = -1, .sent_ns = sim_world_now_ns(c->world)};
    c->counts.sent++;
    return number;
}

void checker_sized(struct checker *c, int partition, int producer, uint64_t number, size_t bytes)
{
    c->partitions[partition].records[producer][number].bytes = bytes;
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

static void ack_remember(struct checker *c, struct partition *p, int64_t end)
{
    const struct ack *last = &p->acks[(p->ack_count + ACKS_REMEMBERED - 1) % ACKS_REMEMBERED];
    if (end > last->end) {
        p->acks[p->ack_count++ % ACKS_REMEMBERED] = (struct ack){end, sim_world_now_ns(c->world)};
    }
}

void checker_acked(struct checker *c, int partition, int producer, uint64_t number, uint64_t count,
                   int64_t base_offset)
{
    struct partition *p = &c->partitions[partition];
    c->counts.acked += count;
    if (p->is_loose) {
        return; // only what is read counts
    }
    for (uint64_t i = 0; i < count; i++) {
        place(c, partition, producer, number + i, base_offset + (int64_t)i);
        p->records[producer][number + i].state = RECORD_ACKED;
    }
    ack_remember(c, p, base_offset + (int64_t)count);
}

int64_t checker_acked_end(const struct checker *c, int partition, int64_t at_ns)
{
    const struct partition *p = &c->partitions[partition];
    int64_t end = 0;
    for (int i = 0; i < ACKS_REMEMBERED && !c->is_cut; i++) {
        end = p->acks[i].at_ns <= at_ns && p->acks[i].end > end ? p->acks[i].end : end;
    }
    return end;
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

// place_loose: within one leader epoch an offset has one value; a higher epoch may give another.
static void place_loose(struct checker *c, int partition, const struct checker_record *r)
{
    struct log_slot *slot = slot_at(&c->partitions[partition], r->offset);
    struct record *record = &c->partitions[partition].records[r->producer][r->number];
    bool is_same = slot->producer == r->producer && slot->number == r->number;
    if (slot->producer >= 0 && r->leader_epoch < slot->leader_epoch) {
        checker_fail(c, "I2: partition %d offset %lld had leader epoch %d and now %d", partition,
                     (long long)r->offset, slot->leader_epoch, r->leader_epoch);
    } else if (slot->producer >= 0 && r->leader_epoch == slot->leader_epoch && !is_same) {
        checker_fail(c, "I2: partition %d offset %lld held record %d/%llu and now %d/%llu, both in epoch %d",
                     partition, (long long)r->offset, slot->producer, (unsigned long long)slot->number,
                     r->producer, (unsigned long long)r->number, r->leader_epoch);
    }
    if (record->offset >= 0 && record->offset != r->offset) {
        checker_fail(c, "I5: partition %d: record %d/%llu is at offset %lld and at %lld", partition,
                     r->producer, (unsigned long long)r->number, (long long)record->offset,
                     (long long)r->offset);
    }
    slot->producer = r->producer;
    slot->number = r->number;
    record->offset = r->offset;
}

void checker_read(struct checker *c, int partition, const struct checker_record *r)
{
    struct partition *p = &c->partitions[partition];
    bool is_ours =
        r->producer >= 0 && r->producer < CHECKER_PRODUCERS_MAX && r->number < p->counts[r->producer];
    if (!is_ours || p->records[r->producer][r->number].hash != r->hash) {
        checker_fail(c, "I4: partition %d offset %lld holds a record that nobody sent (%d/%llu)", partition,
                     (long long)r->offset, r->producer, (unsigned long long)r->number);
        return;
    }
    struct record *record = &p->records[r->producer][r->number];
    if (record->state == RECORD_REFUSED) {
        checker_fail(c, "I11: partition %d offset %lld holds record %d/%llu, which was refused", partition,
                     (long long)r->offset, r->producer, (unsigned long long)r->number);
    }
    if (p->is_loose) {
        place_loose(c, partition, r);
    } else {
        place(c, partition, r->producer, r->number, r->offset);
    }
    if (c->has_failed) {
        return; // the offset may be impossible
    }
    struct log_slot *slot = slot_at(p, r->offset);
    if (slot->is_read && slot->leader_epoch != r->leader_epoch && !p->is_loose) {
        checker_fail(c, "I2: partition %d offset %lld had leader epoch %d and now %d", partition,
                     (long long)r->offset, slot->leader_epoch, r->leader_epoch);
    }
    slot->is_read = true;
    slot->leader_epoch = r->leader_epoch;
    slot->timestamp = r->timestamp;
    slot->in_final = slot->in_final || c->is_final;
    record->in_final = record->in_final || c->is_final;
    c->counts.read++;
}

// is_expired: every known record in [from, to) is as old as retention.ms asks.
static bool is_expired(const struct checker *c, const struct partition *p, int64_t from, int64_t to)
{
    int64_t now_ns = sim_world_now_ns(c->world);
    for (int64_t i = from; i < to && i < p->slot_count; i++) {
        const struct log_slot *slot = &p->slots[i];
        if (slot->producer >= 0 &&
            now_ns - p->records[slot->producer][slot->number].sent_ns < p->retention_ms * MS) {
            return false;
        }
    }
    return p->retention_ms >= 0;
}

// bytes_from: the most that the log can hold from an offset on, what is in doubt counted in.
static int64_t bytes_from(const struct partition *p, int64_t offset)
{
    int64_t sum = 0;
    for (int producer = 0; producer < CHECKER_PRODUCERS_MAX; producer++) {
        for (uint64_t n = 0; n < p->counts[producer]; n++) {
            const struct record *r = &p->records[producer][n];
            sum += r->offset < 0 || r->offset >= offset ? (int64_t)r->bytes : 0;
        }
    }
    return sum;
}

static void check_retention(struct checker *c, int partition, int64_t from, int64_t log_start)
{
    struct partition *p = &c->partitions[partition];
    bool is_allowed = log_start <= p->trim_max || is_expired(c, p, from, log_start) ||
                      (p->retention_bytes >= 0 && bytes_from(p, log_start) >= p->retention_bytes);
    if (!is_allowed) {
        checker_fail(
            c,
            "I1: partition %d: retention took offsets up to %lld, younger than %lld ms, leaving %lld "
            "bytes of %lld",
            partition, (long long)log_start, (long long)p->retention_ms, (long long)bytes_from(p, log_start),
            (long long)p->retention_bytes);
    }
    p->trim_max = log_start > p->trim_max ? log_start : p->trim_max;
}

void checker_bounds(struct checker *c, int partition, int watcher, int64_t log_start, int64_t high_watermark)
{
    struct partition *p = &c->partitions[partition];
    if (high_watermark < p->high_watermark[watcher] && !c->is_cut) {
        checker_fail(c, "I3: partition %d: the high watermark went from %lld back to %lld", partition,
                     (long long)p->high_watermark[watcher], (long long)high_watermark);
    }
    if (log_start < p->log_start[watcher] && !c->is_cut) {
        checker_fail(c, "I3: partition %d: log start went from %lld back to %lld", partition,
                     (long long)p->log_start[watcher], (long long)log_start);
    }
    if (log_start > p->trim_max && p->has_retention) {
        check_retention(c, partition, p->trim_max, log_start);
    } else if (log_start > p->trim_max) {
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

int64_t checker_offset(const struct checker *c, int partition, int producer, uint64_t number)
{
    return c->partitions[partition].records[producer][number].offset;
}

void checker_final_begin(struct checker *c)
{
    c->is_final = true;
}

// Producers without an id are the odd ones among the first.
static bool checker_is_ordered(int producer)
{
    return producer % 2 == 0 || producer >= CHECKER_PLAIN_PRODUCERS;
}

void checker_final_partition(struct checker *c, int partition, int64_t log_start, int64_t high_watermark,
                             bool excused)
{
    struct partition *p = &c->partitions[partition];
    for (int producer = 0; producer < CHECKER_PRODUCERS_MAX; producer++) {
        int64_t last = -1;
        for (uint64_t n = 0; n < p->counts[producer]; n++) {
            const struct record *r = &p->records[producer][n];
            bool must_be_there = r->state == RECORD_ACKED && r->offset >= log_start && !excused && !c->is_cut;
            if (must_be_there && (!r->in_final || r->offset >= high_watermark)) {
                checker_fail(c,
                             "I1: partition %d: record %d/%llu was acknowledged at offset %lld and is gone "
                             "(log %lld to %lld)",
                             partition, producer, (unsigned long long)n, (long long)r->offset,
                             (long long)log_start, (long long)high_watermark);
            }
            // A batch left in doubt by a producer without an id may arrive after its successor: no promise
            // there.
            bool is_ordered = checker_is_ordered(producer) && !p->is_loose;
            if (is_ordered && r->offset >= 0 && r->offset < last) {
                checker_fail(
                    c, "I6: partition %d: record %d/%llu at offset %lld came before an earlier one at %lld",
                    partition, producer, (unsigned long long)n, (long long)r->offset, (long long)last);
            }
            last = r->offset >= 0 ? r->offset : last;
        }
    }
}

bool checker_scan(const struct checker *c, int partition, int64_t log_start, int64_t timestamp,
                  int64_t *ret_offset, int64_t *ret_timestamp)
{
    const struct partition *p = &c->partitions[partition];
    bool is_found = false;
    for (int64_t i = log_start; i < p->slot_count; i++) {
        const struct log_slot *slot = &p->slots[i];
        bool is_hit = timestamp == INT64_MAX ? !is_found || slot->timestamp > *ret_timestamp
                                             : !is_found && slot->timestamp >= timestamp;
        if (slot->in_final && is_hit) {
            is_found = true;
            *ret_offset = i;
            *ret_timestamp = slot->timestamp;
        }
    }
    return is_found;
}

bool checker_is_in_final(const struct checker *c, int partition, int64_t offset)
{
    const struct partition *p = &c->partitions[partition];
    return offset < p->slot_count && p->slots[offset].in_final;
}

void checker_looked_up(struct checker *c)
{
    c->counts.lookups++;
}

void checker_state_compared(struct checker *c)
{
    c->counts.states++;
}

struct checker_counts *checker_counting(struct checker *c)
{
    return &c->counts;
}

struct checker_counts checker_counts(const struct checker *c)
{
    return c->counts;
}
