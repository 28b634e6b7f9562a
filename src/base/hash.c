// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

static uint64_t load_le64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

uint64_t hash64(struct bytes data, uint64_t seed)
{
    uint64_t state = hash_mix(seed, data.len);
    const uint8_t *p = data.ptr;
    size_t left = data.len;
    for (; left >= 16; p += 16, left -= 16) {
        state = hash_mix(load_le64(p) ^ state, load_le64(p + 8));
    }
    uint8_t tail[16] = {0};
    if (left > 0) {
        memcpy(tail, p, left);
    }
    return hash_mix(load_le64(tail) ^ state, load_le64(tail + 8) ^ 0x8ebc6af09c88c6e3ULL);
}
