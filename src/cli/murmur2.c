// SPDX-License-Identifier: Apache-2.0
#include "cli/murmur2.h"

static uint32_t load_le32(const uint8_t *p)
{
    return __builtin_bswap32(load_be32(p));
}

uint32_t murmur2(struct bytes data)
{
    const uint32_t m = 0x5bd1e995;
    uint32_t h = 0x9747b28c ^ (uint32_t)data.len;
    const uint8_t *p = data.ptr;
    size_t left = data.len;
    for (; left >= 4; left -= 4, p += 4) {
        uint32_t k = load_le32(p) * m;
        k = (k ^ k >> 24) * m;
        h = (h * m) ^ k;
    }
    for (size_t i = left; i > 0; i--) {
        h ^= (uint32_t)p[i - 1] << 8 * (i - 1);
    }
    if (left > 0) {
        h *= m;
    }
    h = (h ^ h >> 13) * m;
    return h ^ h >> 15;
}

int32_t key_partition(struct bytes key, int32_t partition_count)
{
    return (int32_t)((murmur2(key) & INT32_MAX) % (uint32_t)partition_count);
}
