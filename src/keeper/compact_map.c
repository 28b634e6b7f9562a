// SPDX-License-Identifier: Apache-2.0
// compact_map.c - the newest offset of each key, in a table of fixed size. A key is represented by 128 bits
// of SipHash-2-4 under a key drawn by chance for each table: two keys that collide would cost the records of
// one of them, and nobody who chooses keys can aim at that.
#include "keeper/compact_private.h"

#include "base/assert.h"
#include "base/mem.h"

enum { LOAD_PERCENT = 90 }; // log.cleaner.io.buffer.load.factor of Kafka

struct compact_slot {
    uint64_t digest[2];
    int64_t offset; // -1 = free
};

// ---- SipHash-2-4 with 128 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF")

struct sip {
    uint64_t v[4];
};

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_rounds(struct sip *s, int count)
{
    uint64_t *v = s->v;
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static uint64_t load_le64(const uint8_t *p, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++) {
        word |= (uint64_t)p[i] << (8 * i);
    }
    return word;
}

static void sip_word(struct sip *s, uint64_t word)
{
    s->v[3] ^= word;
    sip_rounds(s, 2);
    s->v[0] ^= word;
}

void compact_digest(const uint64_t seed[2], struct bytes key, uint64_t ret[2])
{
    struct sip s = {{
        seed[0] ^ 0x736f6d6570736575ULL,
        seed[1] ^ 0x646f72616e646f6dULL ^ 0xee,
        seed[0] ^ 0x6c7967656e657261ULL,
        seed[1] ^ 0x7465646279746573ULL,
    }};
    size_t at = 0;
    for (; key.len - at >= 8; at += 8) {
        sip_word(&s, load_le64(key.ptr + at, 8));
    }
    sip_word(&s, load_le64(key.ptr + at, key.len - at) | (uint64_t)key.len << 56);
    s.v[2] ^= 0xee;
    sip_rounds(&s, 4);
    ret[0] = s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
    s.v[1] ^= 0xdd;
    sip_rounds(&s, 4);
    ret[1] = s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}

// ---- the table

void compact_map_init(struct compact_map *m, size_t bytes_max, uint64_t keys_max, struct rng *rng)
{
    size_t slots_max = bytes_max / sizeof(struct compact_slot);
    uint64_t wanted = keys_max < UINT64_MAX / 128 ? keys_max * 100 / LOAD_PERCENT + 2 : UINT64_MAX;
    *m = (struct compact_map){.slot_count = wanted < slots_max ? (size_t)wanted : slots_max};
    ASSERT(m->slot_count > 1);
    m->count_max = m->slot_count * LOAD_PERCENT / 100;
    m->count_max = m->count_max == 0 ? 1 : m->count_max;
    m->slots = mem_array(m->slot_count, sizeof *m->slots);
    m->seed[0] = rng_u64(rng);
    m->seed[1] = rng_u64(rng);
    compact_map_reset(m);
}

void compact_map_fini(struct compact_map *m)
{
    mem_free(m->slots);
    *m = (struct compact_map){0};
}

void compact_map_reset(struct compact_map *m)
{
    m->count = 0;
    memset(m->slots, 0xff, m->slot_count * sizeof *m->slots);
}

static struct compact_slot *compact_map_slot(const struct compact_map *m, const uint64_t digest[2])
{
    size_t index = (size_t)(((__uint128_t)digest[0] * m->slot_count) >> 64);
    for (;; index = index + 1 == m->slot_count ? 0 : index + 1) { // it is never full
        struct compact_slot *slot = &m->slots[index];
        if (slot->offset < 0 || (slot->digest[0] == digest[0] && slot->digest[1] == digest[1])) {
            return slot;
        }
    }
}

bool compact_map_put(struct compact_map *m, struct bytes key, int64_t offset)
{
    uint64_t digest[2];
    compact_digest(m->seed, key, digest);
    struct compact_slot *slot = compact_map_slot(m, digest);
    if (slot->offset < 0) {
        if (m->count >= m->count_max) {
            return false;
        }
        m->count++;
        *slot = (struct compact_slot){{digest[0], digest[1]}, offset};
    }
    slot->offset = offset > slot->offset ? offset : slot->offset;
    return true;
}

int64_t compact_map_find(const struct compact_map *m, struct bytes key)
{
    uint64_t digest[2];
    compact_digest(m->seed, key, digest);
    return compact_map_slot(m, digest)->offset;
}
