// SPDX-License-Identifier: Apache-2.0
// pb_test.h - what the tests of this folder share.
#ifndef FORMAT_PROTOBUF_PB_TEST_H
#define FORMAT_PROTOBUF_PB_TEST_H

#include "format/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static inline enum err try_schema(const char *text, bool is_new, struct schema **ret, struct error *e)
{
    struct schema_source source = {.format = FORMAT_PROTOBUF, .text = str_from_c(text), .is_new = is_new};
    return schema_create(&source, ret, e);
}

static inline struct schema *must_schema(const char *text)
{
    struct schema *schema = NULL;
    struct error e = {0};
    if (try_schema(text, true, &schema, &e) != ERR_OK) {
        fail_msg("%s\n%s", e.text, text);
    }
    return schema;
}

static inline void expect_print(const struct schema *schema, enum schema_form form, const char *expected)
{
    struct buf out;
    struct error e = {0};
    buf_init(&out, 1 << 22);
    assert_int_equal(schema_print(schema, form, &out, &e), ERR_OK);
    buf_u8(&out, 0);
    assert_string_equal((const char *)out.ptr, expected);
    buf_fini(&out);
}

#endif
