// SPDX-License-Identifier: Apache-2.0
#include "broker/traffic.h"

#include "base/mem.h"
#include "broker/broker_private.h"

void traffic_reserve(struct broker *b, uint32_t slot_count)
{
    if (slot_count <= b->slot_traffic_count) {
        return;
    }
    b->slot_traffic = mem_realloc(b->slot_traffic, slot_count * sizeof *b->slot_traffic);
    memset(b->slot_traffic + b->slot_traffic_count, 0,
           (slot_count - b->slot_traffic_count) * sizeof *b->slot_traffic);
    b->slot_traffic_count = slot_count;
}

struct traffic *traffic_slot(struct broker *b, uint32_t slot)
{
    const struct partition *p = slot < b->slot_traffic_count ? core_partition_at(b->core, slot) : NULL;
    if (p == NULL) {
        return NULL;
    }
    struct slot_traffic *of = &b->slot_traffic[slot];
    uint64_t generation = partition_generation(p);
    if (of->generation != generation) {
        *of = (struct slot_traffic){.generation = generation};
    }
    return &of->traffic;
}

void traffic_produce(struct broker *b, uint32_t slot, bool has_failed)
{
    struct traffic *of = traffic_slot(b, slot);
    b->traffic.produces++;
    b->traffic.produces_failed += has_failed;
    if (of != NULL) {
        of->produces++;
        of->produces_failed += has_failed;
    }
}

void traffic_outcome(struct broker *b, const struct submission *s)
{
    struct traffic *of = traffic_slot(b, s->slot);
    bool is_appended = s->outcome->err == ERR_OK && !s->outcome->is_duplicate;
    uint64_t messages = is_appended ? (uint64_t)s->item->data.record_count : 0;
    uint64_t bytes = is_appended ? s->payload.len : 0;
    uint64_t failed = s->outcome->err != ERR_OK && s->outcome->err != ERR_STALE; // that is tried again
    b->traffic.messages_in += messages;
    b->traffic.bytes_in += bytes;
    b->traffic.produces_failed += failed;
    if (of != NULL) {
        of->messages_in += messages;
        of->bytes_in += bytes;
        of->produces_failed += failed;
    }
}

void traffic_fetch(struct broker *b, const struct fetch_op *op)
{
    for (uint32_t i = 0; i < op->part_count; i++) {
        const struct fetch_part *part = &op->parts[i];
        struct traffic *of = traffic_slot(b, part->slot);
        bool has_failed = part->err != ERR_OK;
        b->traffic.bytes_out += part->slice_bytes;
        b->traffic.fetches++;
        b->traffic.fetches_failed += has_failed;
        if (of != NULL) {
            of->bytes_out += part->slice_bytes;
            of->fetches++;
            of->fetches_failed += has_failed;
        }
    }
}
