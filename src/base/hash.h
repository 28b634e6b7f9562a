// SPDX-License-Identifier: Apache-2.0
// hash.h - a fast non-cryptographic 64-bit hash (wyhash family construction), stable across machines and
// releases: state hashes in snapshots depend on it. Not for untrusted keys without a seed.
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

uint64_t hash64(struct bytes data, uint64_t seed);

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)(a ^ 0x9e3779b97f4a7c15ULL) * (b ^ 0xe7037ed1a0b428dbULL);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
