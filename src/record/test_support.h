// SPDX-License-Identifier: Apache-2.0
// test_support.h - what this module's tests share: seeded chance, golden files, small batches.
#ifndef RECORD_TEST_SUPPORT_H
#define RECORD_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "record/build.h"

static const int64_t T0 = 1700000000000;

static uint64_t random_state = 88172645463325252u;

static inline uint32_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

static inline struct bytes text(const char *c)
{
    return bytes_of(c, c == NULL ? 0 : strlen(c));
}

// golden_load reads tests/golden/<name>.hex: lines of '#' are provenance.
static inline void golden_load(const char *name, struct buf *out)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.hex", GOLDEN_DIR, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char line[512];
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned byte;
        for (const char *p = line; line[0] != '#' && sscanf(p, "%2x", &byte) == 1; p += 2) {
            buf_u8(out, (uint8_t)byte);
        }
    }
    fclose(file);
}

// small_batch appends `count` records (key "k", value "v", timestamps T0, T0 + 1, ...).
static inline void small_batch(struct buf *out, enum codec codec, int32_t count)
{
    struct batch_options options = batch_options_default();
    options.codec = codec;
    struct batch_builder b;
    batch_builder_init(&b, &options);
    for (int32_t i = 0; i < count; i++) {
        batch_builder_append(&b, T0 + i, text("k"), text("v"), NULL, 0);
    }
    assert_int_equal(batch_builder_finish(&b, out, NULL), ERR_OK);
    batch_builder_fini(&b);
}

#endif
