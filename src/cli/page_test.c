// SPDX-License-Identifier: Apache-2.0
#include "cli/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct args_flag flags[] = {
    {"partitions", ARGS_INT, "N", "1", 1, 100, "How many."},
    {"config", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "A setting."},
    {"format", ARGS_TEXT, "F", "", 0, 0,
     "How to print what there is to print, which takes more than a line; a \\n ends a line."},
    {"yes", ARGS_SWITCH, NULL, NULL, 0, 0, "Do it."},
};
static const struct args_spec spec = {
    .command = "strom test",
    .names_usage = "NAME",
    .summary = "a test",
    .text = "First.\n\nSecond.",
    .examples = "  strom test x\n",
    .flags = flags,
    .flag_count = sizeof flags / sizeof *flags,
    .names_min = 1,
    .names_max = 2,
    .is_remote = true,
    .is_json = true,
};

static void test_text(void **state)
{
    (void)state;
    struct buf page;
    buf_init(&page, 1 << 16);
    page_text(&spec, &page);
    buf_u8(&page, 0);
    const char *text = (const char *)page.ptr;
    static const char *const parts[] = {"USAGE\n  strom test NAME [flags]",
                                        "DESCRIPTION\n  First.\n\n  Second.\n",
                                        "--partitions N   (default 1)",
                                        "--config KEY=VALUE   (may be repeated)",
                                        "--bootstrap-server",
                                        "--json",
                                        "--help",
                                        "EXAMPLES",
                                        "ENVIRONMENT\n  STROM_BOOTSTRAP",
                                        "EXIT CODES"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strstr(text, parts[i]) == NULL) {
            fail_msg("no \"%s\" in:\n%s", parts[i], text);
        }
    }
    struct str rest = buf_str(&page);
    while (rest.ptr != NULL) {
        assert_true(str_cut(rest, '\n', &rest).len <= 80);
    }
    buf_fini(&page);
}

static void expect_roff(const char *text, const char *want)
{
    struct buf page;
    buf_init(&page, 1 << 16);
    page_roff_text(str_from_c(text), &page);
    if (!str_equal(buf_str(&page), str_from_c(want))) {
        fail_msg("\"%s\" became \"%.*s\", not \"%s\"", text, (int)page.len, (const char *)page.ptr, want);
    }
    buf_fini(&page);
}

static void test_roff(void **state)
{
    (void)state;
    expect_roff("a-b", "a\\-b");
    expect_roff("a\\n", "a\\en");
    expect_roff(".TH x\n'so\nmid.dle'", "\\&.TH x\n\\&'so\nmid.dle'");
    struct buf page;
    buf_init(&page, 1 << 16);
    page_roff(&spec, "9.9", &page);
    buf_u8(&page, 0);
    const char *text = (const char *)page.ptr;
    static const char *const parts[] = {".TH \"strom\\-test\" 1 \"\" \"strom 9.9\"",
                                        ".SH NAME\nstrom\\-test \\- a test\n",
                                        "First.\n.PP\nSecond.\n",
                                        ".TP\n\\fB\\-\\-partitions\\fR \\fIN\\fR (default 1)\nHow many.\n",
                                        "(may be repeated)",
                                        "a \\en ends a line",
                                        ".nf\n  strom test x\n.fi\n",
                                        ".SH ENVIRONMENT",
                                        ".SH \"EXIT STATUS\""};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strstr(text, parts[i]) == NULL) {
            fail_msg("no \"%s\" in:\n%s", parts[i], text);
        }
    }
    buf_fini(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_roff)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
