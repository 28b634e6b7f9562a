// SPDX-License-Identifier: Apache-2.0
#include "record/test_support.h"

#include <stdio.h>

uint32_t random_next(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

void golden_load(const char *name, struct buf *out)
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

void small_batch(struct buf *out, enum codec codec, int32_t count)
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
