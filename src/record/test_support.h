// SPDX-License-Identifier: Apache-2.0
// test_support.h - what this module's tests share: seeded chance, golden files, small batches.
#ifndef RECORD_TEST_SUPPORT_H
#define RECORD_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "record/build.h"

static const int64_t T0 = 1700000000000;

static inline struct bytes text(const char *c)
{
    return bytes_of(c, c == NULL ? 0 : strlen(c));
}

// random_next is the same sequence in every run.
uint32_t random_next(void);
// golden_load appends the bytes of tests/golden/<name>.hex: lines of '#' are provenance.
void golden_load(const char *name, struct buf *out);
// small_batch appends a batch of `count` records: key "k", value "v", timestamps T0, T0 + 1, ...
void small_batch(struct buf *out, enum codec codec, int32_t count);

#endif
