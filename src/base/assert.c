// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

static void (*assert_hook)(void);

void assert_hook_set(void (*hook)(void))
{
    assert_hook = hook;
}

void assert_fail(const char *claim, const char *file, int line)
{
    fprintf(stderr, "strom: broken invariant: %s (%s:%d)\n", claim, file, line);
    if (assert_hook != NULL) {
        assert_hook();
    }
    abort();
}

void *obj_check(void *ptr, uint32_t magic, const char *type, const char *file, int line)
{
    if (ptr == NULL || *(uint32_t *)ptr != magic) {
        assert_fail(type, file, line);
    }
    return ptr;
}
