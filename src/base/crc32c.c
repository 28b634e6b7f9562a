// SPDX-License-Identifier: Apache-2.0
// crc32c.c - two ways to the same sum: eight tables (portable), and SSE4.2 over three interleaved streams
// that are joined by shifting with precomputed tables. The sum is kept in its reflected form throughout.
#include "base/crc32c.h"

#include <pthread.h>

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

#define CRC32C_POLYNOMIAL 0x82f63b78u // 0x1edc6f41 reflected

enum { STREAM_LONG = 4096, STREAM_SHORT = 256 };

static uint32_t slice_table[8][256];
// shift_table[k][n][b]: the effect of byte n of a sum followed by STREAM_LONG (k=0) or STREAM_SHORT (k=1)
// zero bytes
static uint32_t shift_table[2][4][256];
static bool has_sse42;

static uint32_t shift_by_zeros(uint32_t crc, size_t zeros)
{
    while (zeros-- > 0) {
        crc = slice_table[0][crc & 0xff] ^ crc >> 8;
    }
    return crc;
}

static void tables_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ CRC32C_POLYNOMIAL : crc >> 1;
        }
        slice_table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int k = 1; k < 8; k++) {
            uint32_t before = slice_table[k - 1][i];
            slice_table[k][i] = slice_table[0][before & 0xff] ^ before >> 8;
        }
    }
    const size_t lengths[2] = {STREAM_LONG, STREAM_SHORT};
    for (int k = 0; k < 2; k++) {
        // Shifting is linear over GF(2): 32 basis vectors give all of the table.
        uint32_t basis[32];
        for (int bit = 0; bit < 32; bit++) {
            basis[bit] = shift_by_zeros(1u << bit, lengths[k]);
        }
        for (int n = 0; n < 4; n++) {
            for (uint32_t b = 0; b < 256; b++) {
                uint32_t sum = 0;
                for (int bit = 0; bit < 8; bit++) {
                    sum ^= (b >> bit & 1) != 0 ? basis[n * 8 + bit] : 0;
                }
                shift_table[k][n][b] = sum;
            }
        }
    }
#ifdef __x86_64__
    __builtin_cpu_init();
    has_sse42 = __builtin_cpu_supports("sse4.2") != 0;
#endif
}

static void tables_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, tables_fill);
}

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len)
{
    tables_ready();
    const uint8_t *p = data;
    uint32_t sum = ~crc;
    for (; len >= 8; p += 8, len -= 8) {
        uint32_t low;
        uint32_t high;
        memcpy(&low, p, 4);
        memcpy(&high, p + 4, 4);
        low ^= sum;
        sum = slice_table[7][low & 0xff] ^ slice_table[6][low >> 8 & 0xff] ^
              slice_table[5][low >> 16 & 0xff] ^ slice_table[4][low >> 24] ^ slice_table[3][high & 0xff] ^
              slice_table[2][high >> 8 & 0xff] ^ slice_table[1][high >> 16 & 0xff] ^
              slice_table[0][high >> 24];
    }
    for (; len > 0; p++, len--) {
        sum = slice_table[0][(sum ^ *p) & 0xff] ^ sum >> 8;
    }
    return ~sum;
}

#ifdef __x86_64__
static uint32_t shifted(int k, uint32_t sum)
{
    return shift_table[k][0][sum & 0xff] ^ shift_table[k][1][sum >> 8 & 0xff] ^
           shift_table[k][2][sum >> 16 & 0xff] ^ shift_table[k][3][sum >> 24];
}

// three_streams sums 3 * stream bytes at p, where one crc32 instruction would wait for the one before.
__attribute__((target("sse4.2"))) static uint64_t three_streams(uint64_t sum, const uint8_t *p, size_t stream,
                                                                int k)
{
    uint64_t second = 0;
    uint64_t third = 0;
    for (size_t i = 0; i < stream; i += 8) {
        uint64_t word[3];
        memcpy(&word[0], p + i, 8);
        memcpy(&word[1], p + i + stream, 8);
        memcpy(&word[2], p + i + 2 * stream, 8);
        sum = _mm_crc32_u64(sum, word[0]);
        second = _mm_crc32_u64(second, word[1]);
        third = _mm_crc32_u64(third, word[2]);
    }
    sum = shifted(k, (uint32_t)sum) ^ second;
    return shifted(k, (uint32_t)sum) ^ third;
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *p, size_t len)
{
    uint64_t sum = ~crc;
    for (; len >= 3 * STREAM_LONG; p += 3 * STREAM_LONG, len -= 3 * STREAM_LONG) {
        sum = three_streams(sum, p, STREAM_LONG, 0);
    }
    for (; len >= 3 * STREAM_SHORT; p += 3 * STREAM_SHORT, len -= 3 * STREAM_SHORT) {
        sum = three_streams(sum, p, STREAM_SHORT, 1);
    }
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        sum = _mm_crc32_u64(sum, word);
    }
    for (; len > 0; p++, len--) {
        sum = _mm_crc32_u8((uint32_t)sum, *p);
    }
    return ~(uint32_t)sum;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    tables_ready();
#ifdef __x86_64__
    if (has_sse42) {
        return crc32c_sse42(crc, data, len);
    }
#endif
    return crc32c_portable(crc, data, len);
}
