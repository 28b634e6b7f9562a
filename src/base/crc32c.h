// SPDX-License-Identifier: Apache-2.0
// crc32c.h - CRC-32C (Castagnoli, RFC 3720 B.4), as Kafka's record batches carry it.
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "base/bytes.h"

// crc32c continues from `crc` (0 to start). Chosen at first use: SSE4.2 with three streams, else slicing
// by 8.
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
// crc32c_portable is the table version: the oracle of the tests.
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif
