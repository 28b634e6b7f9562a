// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct table_column columns[] = {{"NAME", false}, {"COUNT", true}, {"WHAT", false}};

static void expect(const struct table *t, const char *text)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    table_print(t, &out);
    buf_u8(&out, 0);
    assert_string_equal((const char *)out.ptr, text);
    buf_fini(&out);
}

static void test_alignment(void **state)
{
    (void)state;
    struct table t;
    table_init(&t, columns, 3);
    expect(&t, "NAME  COUNT  WHAT\n");
    table_str(&t, STR("a"));
    table_i64(&t, -1234567);
    table_str(&t, STR("short"));
    table_str(&t, STR("longer"));
    table_i64(&t, 3);
    table_str(&t, (struct str){NULL, 0});
    expect(&t, "NAME       COUNT  WHAT\n"
               "a       -1234567  short\n"
               "longer         3  -\n");
    table_fini(&t);
}

static void test_characters(void **state)
{
    (void)state;
    struct table t;
    table_init(&t, columns, 3);
    table_str(&t, STR("caf\xc3\xa9")); // four characters in five bytes
    table_i64(&t, 1);
    table_str(&t, STR("a\x1b[31m\n\xff\xc2\x9b")); // nothing a terminal would obey
    expect(&t, "NAME  COUNT  WHAT\n"
               "caf\xc3\xa9      1  a\\x1b[31m\\x0a\\xff\\xc2\\x9b\n");
    table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_alignment), cmocka_unit_test(test_characters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
