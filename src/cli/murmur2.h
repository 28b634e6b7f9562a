// SPDX-License-Identifier: Apache-2.0
// murmur2.h - the hash by which Kafka's producers send equal keys to the same partition. Pure.
#ifndef CLI_MURMUR2_H
#define CLI_MURMUR2_H

#include "base/bytes.h"

// murmur2 is MurmurHash2 of 32 bits with the seed and byte order that Kafka's Java client uses.
uint32_t murmur2(struct bytes data);
// key_partition places a key as Kafka's default partitioner does; partition_count > 0.
int32_t key_partition(struct bytes key, int32_t partition_count);

#endif
