// SPDX-License-Identifier: Apache-2.0
// What parses prints, and what is printed parses to the same again.
#include "base/assert.h"
#include "json/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    arena_init(&arena, 8 << 20);
    struct json_value *v = NULL;
    if (json_parse((struct str){(const char *)data, size}, &arena, &v, NULL) == ERR_OK) {
        for (int is_sorted = 0; is_sorted <= 1; is_sorted++) {
            struct buf once;
            struct buf twice;
            buf_init(&once, 16 << 20);
            buf_init(&twice, 16 << 20);
            json_print(v, is_sorted != 0, &once);
            struct json_value *again = NULL;
            struct error e;
            enum err err = json_parse(buf_str(&once), &arena, &again, &e);
            ASSERT(err == ERR_OK || err == ERR_NO_MEMORY);
            if (err == ERR_OK) {
                json_print(again, is_sorted != 0, &twice);
                ASSERT(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
            }
            buf_fini(&once);
            buf_fini(&twice);
        }
    }
    arena_fini(&arena);
    return 0;
}
