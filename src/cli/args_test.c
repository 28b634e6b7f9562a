// SPDX-License-Identifier: Apache-2.0
#include "cli/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct args_flag flags[] = {
    {"partitions", ARGS_INT, "N", "1", 1, 100, "How many."},
    {"config", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "A setting."},
    {"partition", ARGS_INTS, "P", NULL, 0, 9, "Which."},
    {"format", ARGS_TEXT, "F", NULL, 0, 0,
     "How to print what there is to print, which takes more than a line."},
    {"watch", ARGS_OPTIONAL, "SECONDS", "2", 1, 9, "Again and again."},
    {"codec", ARGS_CHOICE, "gzip|zstd", "zstd", 0, 0, "Which codec."},
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

enum { ARGV_MAX = 12 };

static enum err parse(const char *const *words, struct args *ret, struct error *e)
{
    static char copies[ARGV_MAX][64];
    char *argv[ARGV_MAX + 1] = {"test"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        assert_true(argc < ARGV_MAX);
        snprintf(copies[argc], sizeof copies[argc], "%s", words[argc - 1]);
        argv[argc] = copies[argc];
    }
    return args_parse(&spec, argc, argv, ret, e);
}

static void test_all_forms(void **state)
{
    (void)state;
    static struct args args;
    static const char *const words[] = {
        "--partitions", "7",         "--config=a=b", "name",   "--config", "c=",
        "--yes",        "--format=", "--",           "--json", NULL};
    struct str text;
    static const char *const first_choice[] = {"name", "--codec", "gzip", NULL};
    assert_int_equal(parse(first_choice, &args, NULL), ERR_OK);
    assert_true(str_equal(args_text(&args, "codec"), STR("gzip")));
    assert_int_equal(parse(words, &args, NULL), ERR_OK);
    assert_int_equal(args.name_count, 2);
    assert_true(str_equal(args.names[0], STR("name")));
    assert_true(str_equal(args.names[1], STR("--json")));
    assert_int_equal(args_int(&args, "partitions"), 7);
    assert_true(args_given(&args, "yes"));
    assert_false(args_given(&args, "json"));
    assert_true(args_list(&args, "config", 0, &text) && str_equal(text, STR("a=b")));
    assert_true(args_list(&args, "config", 1, &text) && str_equal(text, STR("c=")));
    assert_false(args_list(&args, "config", 2, &text));
    assert_non_null(args_text(&args, "format").ptr);
    assert_int_equal(args_text(&args, "format").len, 0);
    assert_int_equal(args_int(&args, "timeout-ms"), 30000);
    assert_null(args_text(&args, "bootstrap-server").ptr);
}

static void test_later_wins_and_defaults(void **state)
{
    (void)state;
    static struct args args;
    static const char *const words[] = {"x", "--partitions", "2", "--partitions=3", "-", NULL};
    static const char *const plain[] = {"x", NULL};
    assert_int_equal(parse(words, &args, NULL), ERR_OK);
    assert_int_equal(args_int(&args, "partitions"), 3);
    assert_true(str_equal(args.names[1], STR("-")));
    static const char *const bare[] = {"--watch", "x", NULL};
    static const char *const valued[] = {"--watch=7", "x", NULL};
    assert_int_equal(parse(bare, &args, NULL), ERR_OK);
    assert_true(args_given(&args, "watch") && args.name_count == 1);
    assert_int_equal(args_int(&args, "watch"), 2);
    assert_int_equal(parse(valued, &args, NULL), ERR_OK);
    assert_int_equal(args_int(&args, "watch"), 7);
    assert_int_equal(parse(plain, &args, NULL), ERR_OK);
    assert_int_equal(args_int(&args, "partitions"), 1);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *words[4];
        const char *text; // part of the message
    } rows[] = {
        {{"x", "--partitons", "3"}, "did you mean --partitions?"},
        {{"x", "--boot", "h"}, "did you mean --bootstrap-server?"},
        {{"x", "--zzzzzzzz"}, "unknown flag --zzzzzzzz"},
        {{"x", "-v"}, "two dashes"},
        {{"x", "--partitions", "many"}, "wants a number"},
        {{"x", "--partitions", "0"}, "1 to 100"},
        {{"x", "--partitions=101"}, "1 to 100"},
        {{"x", "--partition=99999999999999999999"}, "wants a number"},
        {{"x", "--partitions"}, "wants a value"},
        {{"x", "--yes=1"}, "takes no value"},
        {{"x", "--watch=0"}, "1 to 9"},
        {{"x", "--watch="}, "wants a number"},
        {{"x", "--codec=rar"}, "--codec is one of gzip|zstd, not \"rar\""},
        {{"x", "--codec=gzip|zstd"}, "one of"},
        {{"x", "--codec="}, "one of"},
        {{"--yes"}, "NAME is missing"},
        {{"a", "b", "c"}, "one argument too many"},
    };
    static struct args args;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e = {0};
        assert_int_equal(parse(rows[i].words, &args, &e), ERR_INVALID_REQUEST);
        if (strstr(e.text, rows[i].text) == NULL) {
            fail_msg("row %zu: %s", i, e.text);
        }
    }
}

static void test_help_wins(void **state)
{
    (void)state;
    static struct args args;
    static const char *const rows[][3] = {{"--help"}, {"--nonsense", "-h"}, {"a", "--help"}};
    static const char *const not_help[] = {"--", "--help", NULL};
    for (size_t i = 0; i < 3; i++) {
        const char *words[] = {rows[i][0], rows[i][1], rows[i][2], NULL};
        assert_int_equal(parse(words, &args, NULL), ERR_OK);
        assert_true(args.is_help);
    }
    assert_int_equal(parse(not_help, &args, NULL), ERR_OK);
    assert_false(args.is_help);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"topic", "produce", "consume", "config", "cluster", "dump", "repair"};
    static const struct {
        const char *text;
        const char *nearest;
    } rows[] = {
        {"topics", "topic"},   {"tpoic", "topic"}, {"prod", "produce"},
        {"consum", "consume"}, {"conf", "config"}, {"dmp", "dump"},
        {"xylophone", NULL},   {"", NULL},         {"q", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *nearest = text_nearest(str_from_c(rows[i].text), names, sizeof names / sizeof *names);
        if (rows[i].nearest == NULL ? nearest != NULL
                                    : nearest == NULL || strcmp(nearest, rows[i].nearest) != 0) {
            fail_msg("\"%s\" gives %s", rows[i].text, nearest == NULL ? "nothing" : nearest);
        }
    }
    char longest[200];
    memset(longest, 'a', sizeof longest);
    assert_null(text_nearest((struct str){longest, sizeof longest}, names, 7));
}

static void test_pairs(void **state)
{
    (void)state;
    struct str key;
    struct str value;
    assert_true(pair_split(STR("a=b=c"), &key, &value));
    assert_true(str_equal(key, STR("a")) && str_equal(value, STR("b=c")));
    assert_true(pair_split(STR("a="), &key, &value));
    assert_int_equal(value.len, 0);
    assert_false(pair_split(STR("a"), &key, &value));
    assert_false(pair_split(STR("=b"), &key, &value));
    assert_false(pair_split(STR(""), &key, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_forms), cmocka_unit_test(test_later_wins_and_defaults),
        cmocka_unit_test(test_mistakes),  cmocka_unit_test(test_help_wins),
        cmocka_unit_test(test_nearest),   cmocka_unit_test(test_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
