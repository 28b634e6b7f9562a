// SPDX-License-Identifier: Apache-2.0
// refusals.c - refused batches that were counted: a copy of one that its client sends again, because the
// connection broke before the answer came, is refused again and not counted again (decision 0013). A copy has
// the producer's id, epoch and sequence, and the checksum: Java's producer gives a refused batch's sequence
// to the next one (KIP-360). It is memory, of the newest ones: what is forgotten, at a restart too, counts
// again. The lock is held by who calls.
#include "base/hash.h"
#include "base/mem.h"
#include "broker/broker_private.h"

static struct refusal refusal_of(const struct item_data *data, uint32_t crc)
{
    return (struct refusal){.topic_id = data->topic_id,
                            .producer_id = data->producer_id,
                            .partition = data->partition,
                            .base_sequence = data->base_sequence,
                            .offset_span = data->offset_span,
                            .crc = crc,
                            .producer_epoch = data->producer_epoch};
}

static bool refusal_equal(const struct refusal *a, const struct refusal *b)
{
    return uuid_equal(a->topic_id, b->topic_id) && a->producer_id == b->producer_id &&
           a->partition == b->partition && a->base_sequence == b->base_sequence &&
           a->offset_span == b->offset_span && a->crc == b->crc && a->producer_epoch == b->producer_epoch;
}

// place_of: each has one place, which the newest takes.
static size_t place_of(const struct refusal *refusal)
{
    uint64_t hash = hash64(bytes_of(refusal->topic_id.b, sizeof refusal->topic_id.b), 31);
    hash = hash_mix(hash, (uint64_t)refusal->producer_id);
    hash = hash_mix(hash, (uint64_t)(uint32_t)refusal->partition << 32 | (uint32_t)refusal->base_sequence);
    return hash_mix(hash, refusal->crc) % REFUSALS_MAX;
}

void refusals_note(struct broker *b, const struct item_data *data, uint32_t crc)
{
    struct refusal refusal = refusal_of(data, crc);
    if (data->producer_id < 0) {
        return;
    }
    if (b->refusals == NULL) {
        b->refusals = mem_array(REFUSALS_MAX, sizeof *b->refusals);
        for (size_t i = 0; i < REFUSALS_MAX; i++) {
            b->refusals[i].producer_id = -1;
        }
    }
    b->refusals[place_of(&refusal)] = refusal;
}

bool refusals_has(const struct broker *b, const struct item_data *data, uint32_t crc)
{
    struct refusal refusal = refusal_of(data, crc);
    return b->refusals != NULL && data->producer_id >= 0 &&
           refusal_equal(&b->refusals[place_of(&refusal)], &refusal);
}
