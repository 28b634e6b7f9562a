// SPDX-License-Identifier: Apache-2.0
// codec_private.h - what the files of this module share.
#ifndef CODEC_CODEC_PRIVATE_H
#define CODEC_CODEC_PRIVATE_H

#include <zlib.h>

#include "codec/codec.h"

enum {
    RAW_WINDOW_BITS = -15,      // the largest window, no frame
    GZIP_WINDOW_BITS = 15 + 16, // the largest window, gzip wrapper only (zlib.h)
    XERIAL_HEADER_SIZE = 16,    // magic, version, lowest version that can read it
    XERIAL_MAGIC_SIZE = 8,
    XERIAL_BLOCK_SIZE = 32 << 10, // what Java and librdkafka write
};
extern const uint8_t xerial_header[XERIAL_HEADER_SIZE];

// zlib's heap is ours, so that its contexts are counted and can be dropped like anything else.
void *codec_zlib_alloc(void *opaque, uInt count, uInt size);
void codec_zlib_free(void *opaque, void *ptr);

#endif
