// SPDX-License-Identifier: Apache-2.0
// avro_container.h - an Avro object container file (Apache Avro 1.12, "Object Container Files"): its schema,
// and block after block of records. Pure; the file is in memory, and hostile.
#ifndef CLI_AVRO_CONTAINER_H
#define CLI_AVRO_CONTAINER_H

#include "codec/codec.h"

enum {
    CONTAINER_BLOCK_BYTES_MAX = 256 << 20, // of one block's records, decompressed
    CONTAINER_SYNC_SIZE = 16,
};

enum container_codec { CONTAINER_NULL, CONTAINER_DEFLATE, CONTAINER_SNAPPY, CONTAINER_ZSTANDARD };

struct avro_container {
    struct str schema; // the writer's, as text; in the file
    enum container_codec codec;
    // private
    struct bytes rest;
    struct bytes sync;
    struct codec_context context;
};

// avro_is_container: the file begins as one.
bool avro_is_container(struct bytes file);
// avro_container_open reads the header; the file is borrowed. ERR_CORRUPT, ERR_UNSUPPORTED_COMPRESSION with a
// reason.
enum err avro_container_open(struct bytes file, struct avro_container *ret, struct error *e);
// avro_container_next puts the next block's records into `out`, which it empties first: *ret_count of them,
// one behind the other. ERR_CLOSED after the last block; ERR_CORRUPT, and errors of codec.h.
enum err avro_container_next(struct avro_container *container, struct buf *out, uint64_t *ret_count,
                             struct error *e);
void avro_container_fini(struct avro_container *container);

#endif
