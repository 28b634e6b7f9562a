// SPDX-License-Identifier: Apache-2.0
// cel_test.c - the language by expressions and what they are.
#include "cel/expression_test.h"

static const struct cel_variable variables[] = {
    {.name = {"x", 1}, .of = CEL_OF_DYN},
    {.name = {"name", 4}, .of = CEL_OF_KIND, .kind = CEL_STRING},
    {.name = {"a.b", 3}, .of = CEL_OF_KIND, .kind = CEL_INT},
    {.name = {"tags", 4}, .of = CEL_OF_TYPE, .type = "[s"},
};

static void evaluate(const struct cel_source *source, uint64_t steps, char ret[EXPRESSION_TEXT_BYTES])
{
    static const struct cel_value tags[] = {{.kind = CEL_STRING, .len = 3, .ptr = "PII"},
                                            {.kind = CEL_STRING, .len = 3, .ptr = "PCI"}};
    const struct cel_value values[] = {cel_int(5), cel_string(STR("J\xc3\xbcrgen")), cel_int(7),
                                       cel_list(tags, 2)};
    expression_evaluate(source, values, steps, ret);
}

// What it is as JSON, or why it cannot be.
static void expression_json(const struct cel_source *source, char ret[EXPRESSION_TEXT_BYTES])
{
    struct cel_program *program = NULL;
    struct cel_fault fault;
    struct arena arena;
    struct cel_value value;
    struct buf out;
    struct error e;
    assert_int_equal(cel_compile(source, &program, &fault), ERR_OK);
    arena_init(&arena, EXPRESSION_ARENA_BYTES);
    buf_init(&out, EXPRESSION_TEXT_BYTES);
    struct cel_run run = {.arena = &arena, .steps = CEL_STEPS_DEFAULT};
    assert_int_equal(cel_eval(program, &run, &value, &e), ERR_OK);
    bool is_good = cel_value_json(value, &arena, &out, &e) == ERR_OK;
    snprintf(ret, EXPRESSION_TEXT_BYTES, STR_FMT, STR_ARG(is_good ? buf_str(&out) : str_from_c(e.text)));
    buf_fini(&out);
    arena_fini(&arena);
    cel_program_unref(program);
}

static struct cel_source source_of(struct str text)
{
    return (struct cel_source){.text = text,
                               .variables = variables,
                               .variable_count = sizeof variables / sizeof variables[0],
                               .has_unsigned = true};
}

static void check_rows(const struct expression_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char got[EXPRESSION_TEXT_BYTES];
        struct cel_source source = source_of(str_from_c(rows[i].text));
        evaluate(&source, CEL_STEPS_DEFAULT, got);
        if (strcmp(got, rows[i].want) != 0) {
            fail_msg("%s\n  is   %s\n  want %s", rows[i].text, got, rows[i].want);
        }
    }
}
#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_operators(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"1 + 2 * 3 - 4 / 2 % 2", "7"},
        {"-(-7) == 7", "true"},
        {"7 / -2", "-3"},
        {"7 % -2", "1"},
        {"2u * 3u", "6u"},
        {"1.5 + 2.0", "3.5"},
        {"1.0 / 0.0 > 1e308", "true"},
        {"'a' + \"b\" + r'\\n'", "\"ab\\\\n\""},
        {"b'a' + b'\\xff'", "b\"a\\xff\""},
        {"[1] + [2, 3]", "[1, 2, 3]"},
        {"9223372036854775807 + 1", "error: integer overflow"},
        {"-9223372036854775808 - 1", "error: integer overflow"},
        {"-(-9223372036854775808)", "error: integer overflow"},
        {"-9223372036854775808 / -1", "error: integer overflow"},
        {"-9223372036854775808 % -1", "error: integer overflow"},
        {"0u - 1u", "error: integer overflow"},
        {"18446744073709551615u * 2u", "error: integer overflow"},
        {"1 / 0", "error: division by zero"},
        {"1 % 0", "error: modulus by zero"},
        {"1 == 1u && 1u == 1.0 && 1 < 1.5 && 2u > 1", "true"},
        {"9007199254740993 > 9007199254740992.0", "false"},
        {"dyn(1) == dyn('1')", "false"},
        {"double('NaN') == double('NaN') || double('NaN') < 1.0 || 1.0 <= double('NaN')", "false"},
        {"'abc' < 'abd' && b'a' < b'b' && false < true", "true"},
        {"[1, 2.0, 3u] == [1u, 2, 3.0] && {'a': dyn(1)} == {'a': 1u}", "true"},
        {"2 in [1, 2] && 'a' in {'a': 1} && !('b' in {'a': 1})", "true"},
        {"x > 4 ? 'big' : 'small'", "\"big\""},
        {"true || 1 / 0 == 1", "true"},
        {"1 / 0 == 1 || true", "true"},
        {"1 / 0 == 1 && false", "false"},
        {"1 / 0 == 1 && true", "error: division by zero"},
        {"false || false || 1 / 0 == 1", "error: division by zero"},
        {"(1 / 0 == 1) ? 1 : 2", "error: division by zero"},
        {"a.b + 1", "8"},
        {"name.size()", "6"},
        {"'\\u00fc\\U0001F600\\x41\\101'", "\"\xc3\xbc\xf0\x9f\x98\x80"
                                           "AA\""},
        {"'''a\nb''' == 'a\\nb' // and a comment", "true"},
    };
    CHECK(rows);
}

static void test_functions(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"'foobar'.contains('oba') && 'foobar'.startsWith('foo') && 'foobar'.endsWith('bar') && "
         "'a'.contains('')",
         "true"},
        {"'foobar'.matches('o+b') && matches('x', '^x$') && !'foobar'.matches('^o')", "true"},
        {"'ABC'.matches('(?i)abc') && 'DE12'.matches('^(?!XX)[A-Z]{2}\\\\d+$') && 'aa'.matches('^(a)\\\\1$')",
         "true"},
        {"'x'.matches(name + '(')", "error: a regular expression that is none"},
        {"[int('-12'), int(3.9), int(7u), int(timestamp(9))]", "[-12, 3, 7, 9]"},
        {"int('1.5')", "error: a string that is no int"},
        {"int(1e30)", "error: a number out of the range of int"},
        {"[uint('12'), uint(3.9), uint(7)]", "[12u, 3u, 7u]"},
        {"uint(-1)", "error: a number out of the range of uint"},
        {"[double('1e3'), double(7), double(-0.0)]", "[1000.0, 7.0, -0.0]"},
        {"double('0x10')", "error: a string that is no double"},
        {"[string(1), string(2u), string(1.5), string(true), string(b'x'), string(0.1 + 0.2)]",
         "[\"1\", \"2\", \"1.5\", \"true\", \"x\", \"0.30000000000000004\"]"},
        {"[1.0, 1e21, 1e6, 1e7, 12345678.5, 0.001, 1.5e-4, -0.0045, 123.456, 100.0, 5e-324].map(d, "
         "string(d))",
         "[\"1.0\", \"1.0E21\", \"1000000.0\", \"1.0E7\", \"1.23456785E7\", \"0.001\", \"1.5E-4\", "
         "\"-0.0045\", \"123.456\", \"100.0\", "
         "\"4.94065645841247E-324\"]"},
        {"string(b'\\xff')", "error: bytes that are not valid UTF-8"},
        {"[bool('true'), bool('F')]", "[true, false]"},
        {"bool('yes')", "error: a string that is no bool"},
        {"type(1) == int && type([]) == list && type(type(1)) == type && type(null) == null_type", "true"},
        {"type(timestamp(0)) == google.protobuf.Timestamp", "true"},
        {"string(timestamp('2024-02-29T23:59:59.5-01:30'))", "\"2024-03-01T01:29:59.500Z\""},
        {"timestamp('2023-02-29T00:00:00Z')", "error: a string that is no timestamp"},
        {"timestamp('2024-01-01T00:00:00')", "error: a string that is no timestamp"},
        {"string(duration('-1h2m3.5s')) + string(duration('1ms') + duration('1us') + duration('1ns'))",
         "\"-3723.500s0.001001001s\""},
        {"duration('1x')", "error: a string that is no duration"},
        {"duration('9223372037s')", "error: a string that is no duration"},
        {"timestamp('2024-01-01T00:00:00Z') - timestamp('2023-12-31T23:00:00Z') == duration('1h')", "true"},
        {"timestamp('9999-12-31T23:59:59Z') + duration('1s')", "error: a time out of range"},
        {"timestamp('2024-07-01T00:30:00Z').getHours('Europe/Berlin')", "2"},
        {"timestamp('2024-07-01T00:30:00Z').getDayOfWeek('-01:00')", "0"},
        {"timestamp('2100-07-01T00:30:00Z').getHours('America/New_York')", "20"},
        {"timestamp(0).getHours('Mars/Olympus')", "error: an unknown time zone"},
        {"[duration('90m').getHours(), duration('-90m').getHours(), duration('-1.5s').getMilliseconds()]",
         "[1, -1, -500]"},
    };
    CHECK(rows);
}

static void test_containers(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"[1, 2, 3][1] + {'a': {'b': 5}}.a.b", "7"},
        {"[1][1]", "error: index out of bounds"},
        {"[1][-1]", "error: index out of bounds"},
        {"{'a': 1}.b", "error: no such key: b"},
        {"{'a': 1}['b']", "error: no such key"},
        {"{1: 'a', 2u: 'b', true: 'c'}[2]", "\"b\""},
        {"{1: 'a', 1u: 'b'}", "error: a key stands twice in a map"},
        {"{1.5: 'a'}", "error: a key of type double"},
        {"has({'a': 1}.a) && !has({'a': 1}.b)", "true"},
        {"size([1, 2]) + size({'a': 1}) + size('abc') + size(b'abcd')", "10"},
        {"[?optional.of(1), ?optional.none(), 2]", "[1, 2]"},
        {"{?'a': optional.none(), 'b': 1}", "{\"b\": 1}"},
        {"{'a': 1}.?a.orValue(0) + {'a': 1}[?'b'].orValue(5) + [1][?7].orValue(9)", "15"},
        {"{'a': {'b': 2}}.?a.b.hasValue() && !{'a': dyn(1)}.?c.d.hasValue()", "true"},
        {"optional.of(4).optMap(v, v * 2).value()", "8"},
        {"optional.none().optMap(v, v * 2).hasValue()", "false"},
        {"optional.of(4).optFlatMap(v, optional.none()).hasValue()", "false"},
    };
    CHECK(rows);
}

static void test_macros(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"[1, 2, 3].all(i, i > 0) && ![1, 2].all(i, i > 1) && [].all(i, false)", "true"},
        {"[1, 2, 3].exists(i, i == 2) && ![].exists(i, true)", "true"},
        {"[1, 2, 2].exists_one(i, i == 1) && ![1, 2, 2].exists_one(i, i == 2)", "true"},
        {"[1, 2, 3].filter(i, i % 2 == 1)", "[1, 3]"},
        {"[1, 2, 3].map(i, i * i)", "[1, 4, 9]"},
        {"[1, 2, 3].map(i, i > 1, string(i))", "[\"2\", \"3\"]"},
        {"{'a': 1, 'b': 2}.map(k, k)", "[\"a\", \"b\"]"},
        {"{'a': 1, 'b': 2}.filter(k, k != 'a')", "[\"b\"]"},
        {"[0, 2].exists(i, 4 / i == 2)", "true"},
        {"[0, 1].all(i, 4 / i == 2)", "false"},
        {"[0].exists(i, 4 / i == 2)", "error: division by zero"},
        {"[0, 1].filter(i, 4 / i == 4)", "error: division by zero"},
        {"[[1, 2], [3]].map(l, l.map(i, i + size(l)))", "[[3, 4], [4]]"},
        {"[1, 2].map(i, [3, 4].filter(j, j > i + 2))", "[[4], []]"},
        {"cel.bind(t, 2 + 3, [1, 2].map(i, cel.bind(u, i * t, u + t)))", "[10, 15]"},
        {"[5, 6].all(i, v, v == i + 5) && {'a': 1}.exists(k, v, k == 'a' && v == 1)", "true"},
        {"[5, 6].existsOne(i, v, i == 1 && v == 6)", "true"},
        {"[5, 6].transformList(i, v, i * v)", "[0, 6]"},
        {"{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 10)", "{\"b\": 20}"},
        {"{'a': 1, 'b': 2}.transformMapEntry(k, v, {v: k})", "{1: \"a\", 2: \"b\"}"},
        {"[1, 1].transformMapEntry(i, v, {v: i})", "error: a key stands twice in a map"},
        {"tags.exists(t, t == 'PII') && tags.all(x, x.startsWith('P'))", "true"},
    };
    CHECK(rows);
}

static void test_faults(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"", "1:1: the expression ends where an expression is expected"},
        {"1 +", "1:4: the expression ends where an expression is expected"},
        {"1 +\n  foo", "2:3: there is no variable \"foo\" here"},
        {"'\xc3\xbc\xc3\xbc' + 1", "1:6: no matching overload for '_+_' applied to '(string, int)'"},
        {"name > 5", "1:6: no matching overload for '_>_' applied to '(string, int)'"},
        {"name == 5", "1:6: no matching overload for '_==_' applied to '(string, int)'"},
        {"name.foo", "1:6: a value of type string has no fields"},
        {"name.sise()", "1:6: there is no function \"sise\""},
        {"size(1)", "1:1: no matching overload for 'size' applied to '(int)'"},
        {"1 && true", "1:1: a term of && is of type int, not bool"},
        {"[1, 2", "1:6: the expression ends where ']' is expected"},
        {"has(name)", "1:5: has() wants a field: has(a.b)"},
        {"[1].all(1, true)", "1:9: all() wants a simple name here"},
        {"'abc", "1:1: the string does not end"},
        {"'\\q'", "1:1: an escape sequence that means nothing"},
        {"9223372036854775808", "1:1: the number is too large"},
        {"name.matches('a(')", "1:14: a ( without its ) (character 2 of the regular expression)"},
        {"for", "1:1: \"for\" is a reserved word"},
        {"1 2", "1:3: an operator or the end is expected here"},
        {"a = b", "1:3: a character that has no meaning here"},
        {"Foo{a: 1}", "1:1: there is no message type \"Foo\""},
        {"true ? 1 : 'a'", "1:6: one branch is of type int, the other of type string"},
    };
    CHECK(rows);
}

static void test_matches_whole(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"'abc1'.matches('[0-9]')", "false"},
        {"'abc1'.matches('a.*1|x') && 'x'.matches('a|x') && 'AB'.matches('(?i)ab')", "true"},
        {"'ab'.matches('a)(b')", "1:14: a ) without its ( (character 2 of the regular expression)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char got[EXPRESSION_TEXT_BYTES];
        struct cel_source source = source_of(str_from_c(rows[i].text));
        source.matches_whole = true;
        evaluate(&source, CEL_STEPS_DEFAULT, got);
        assert_string_equal(got, rows[i].want);
    }
}

static void test_json(void **state)
{
    (void)state;
    static const struct expression_row rows[] = {
        {"[1, -2.5, 3u, null, true, 'a\"b']", "[1,-2.5,3,null,true,\"a\\\"b\"]"},
        {"{'a': {1: []}, true: 'x'}", "{\"a\":{\"1\":[]},\"true\":\"x\"}"},
        {"timestamp('2026-01-02T03:04:05Z')", "\"2026-01-02T03:04:05Z\""},
        {"duration('90s')", "\"90s\""},
        {"[b'x']", "JSON has no word for a value of type bytes"},
        {"1.0 / 0.0", "JSON has no word for that number of type double"},
        {"type(1)", "JSON has no word for a value of type type"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char got[EXPRESSION_TEXT_BYTES];
        struct cel_source source = source_of(str_from_c(rows[i].text));
        expression_json(&source, got);
        assert_string_equal(got, rows[i].want);
    }
    char deep[256] = "";
    for (size_t i = 0; i < 65; i++) {
        deep[i] = '[';
        deep[65 + i] = ']';
    }
    char got[EXPRESSION_TEXT_BYTES];
    struct cel_source source = source_of(str_from_c(deep));
    expression_json(&source, got);
    assert_string_equal(got, "it is nested more than 64 levels deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operators),     cmocka_unit_test(test_functions),
        cmocka_unit_test(test_matches_whole), cmocka_unit_test(test_containers),
        cmocka_unit_test(test_macros),        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
