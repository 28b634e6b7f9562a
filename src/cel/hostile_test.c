// SPDX-License-Identifier: Apache-2.0
// hostile_test.c - expressions that want too much: refused when they are compiled, or ended by the run's
// budget.
#include "cel/cel_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

enum { ARENA_BYTES = 8 << 20 };

// `count` times `unit`, between `head` and `tail`; freed by the caller.
static struct str repeat(const char *head, const char *unit, size_t count, const char *tail)
{
    struct buf out;
    buf_init(&out, 8 << 20);
    buf_append_str(&out, str_from_c(head));
    for (size_t i = 0; i < count; i++) {
        buf_append_str(&out, str_from_c(unit));
    }
    buf_append_str(&out, str_from_c(tail));
    return buf_str(&out);
}

static enum err compile(struct str text, struct cel_program **ret, struct cel_fault *fault)
{
    static const struct cel_variable variable = {.name = {"x", 1}, .of = CEL_OF_DYN};
    struct cel_source source = {.text = text, .variables = &variable, .variable_count = 1};
    return cel_compile(&source, ret, fault);
}

static enum err evaluate(const char *text, struct cel_value x, uint64_t *steps, struct cel_value *ret,
                         struct arena *arena)
{
    struct cel_program *program = NULL;
    struct cel_fault fault = {0};
    if (compile(str_from_c(text), &program, &fault) != ERR_OK) {
        fail_msg("%s: %s", text, fault.text);
    }
    struct cel_run run = {.variables = &x, .arena = arena, .steps = *steps};
    enum err err = cel_eval(program, &run, ret, NULL);
    *steps = run.steps;
    cel_program_unref(program);
    return err;
}

static void refuse(struct str text, enum err want, const char *part)
{
    struct cel_program *program = NULL;
    struct cel_fault fault = {0};
    enum err err = compile(text, &program, &fault);
    if (err != want || strstr(fault.text, part) == NULL) {
        fail_msg("%.60s: %s %s", text.ptr, err_name(err), fault.text);
    }
    mem_free((void *)text.ptr);
}

static void accept(struct str text)
{
    struct cel_program *program = NULL;
    struct cel_fault fault = {0};
    if (compile(text, &program, &fault) != ERR_OK) {
        fail_msg("%.60s: %s", text.ptr, fault.text);
    }
    cel_program_unref(program);
    mem_free((void *)text.ptr);
}

static void test_nesting(void **state)
{
    (void)state;
    static const char deep[] = "nested deeper";
    refuse(repeat("", "(", 50000, "1"), ERR_NO_MEMORY, deep);
    refuse(repeat("", "[", 50000, ""), ERR_NO_MEMORY, deep);
    refuse(repeat("", "{1:", 10000, ""), ERR_NO_MEMORY, deep);
    refuse(repeat("", "!", 50000, "true"), ERR_NO_MEMORY, deep);
    refuse(repeat("", "- ", 30000, "x"), ERR_NO_MEMORY, deep);
    refuse(repeat("", "true ? 1 : ", 5000, "1"), ERR_NO_MEMORY, deep);
    refuse(repeat("x", ".a", 10000, ""), ERR_NO_MEMORY, deep);
    refuse(repeat("x", "[0]", 10000, ""), ERR_NO_MEMORY, deep);
    refuse(repeat("1", "+1", 10000, ""), ERR_NO_MEMORY, deep);
    refuse(repeat("", "size(", 10000, ""), ERR_NO_MEMORY, deep);
    refuse(repeat("", "[1].map(i,", 6000, "1"), ERR_NO_MEMORY, deep);
    accept(repeat("true", " && true", 5000, "")); // a chain is not deep
    accept(repeat("[", "1,", 9000, "1]"));
}

static void test_size(void **state)
{
    (void)state;
    refuse(repeat("'", "a", CEL_TEXT_BYTES_MAX, "'"), ERR_NO_MEMORY, "the limit is");
    refuse(repeat("[", "1,", 25000, "1]"), ERR_NO_MEMORY, "parts");
    refuse(repeat("'", "\xff", 1, "'"), ERR_INVALID_REQUEST, "UTF-8");
    refuse(repeat("'", "a", 60000, ""), ERR_INVALID_REQUEST, "does not end");
    refuse(repeat("", "9", 60000, ""), ERR_INVALID_REQUEST, "too large");
    accept(repeat("0.", "9", 60000, ""));
    accept(repeat("", "//", 30000, "\n1"));
}

// Each ends by the budget, with steps or memory all taken.
static void test_budget(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "x.all(a, x.all(b, x.all(c, x.all(d, true))))",
        "x.map(a, x.map(b, x.map(c, x.map(d, 'text' + string(d)))))",
        "x.exists(a, x.exists(b, x.exists(c, x.exists(d, a + b + c + d < 0))))",
        "x.map(a, x.map(b, x)).exists(l, l == l.map(y, y))== x.map(a, x.map(b, x)).exists(l, l == l.map(y, "
        "y)) && "
        "x.all(a, x.all(b, x.map(c, x) == x.map(c, x)))",
        "x.transformMap(i, a, x.transformMap(k, b, x.transformMap(m, c, a + b + c)))",
        "x.all(a, x.all(b, x.all(c, '0123456789'.matches('([0-9]+)+' + string(a) + '$') || true)))",
    };
    struct cel_value items[300];
    for (int i = 0; i < 300; i++) {
        items[i] = cel_int(i);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct arena arena;
        arena_init(&arena, ARENA_BYTES);
        uint64_t steps = CEL_STEPS_DEFAULT;
        struct cel_value value;
        enum err err = evaluate(texts[i], cel_list(items, 300), &steps, &value, &arena);
        if (err != ERR_NO_MEMORY || (steps != 0 && !arena.failed)) {
            fail_msg("%s: %s, %llu steps left", texts[i], err_name(err), (unsigned long long)steps);
        }
        arena_fini(&arena);
    }
}

// A million turns that keep nothing take no memory.
static void test_million_turns(void **state)
{
    (void)state;
    struct cel_value items[1000];
    for (int i = 0; i < 1000; i++) {
        items[i] = cel_int(i);
    }
    struct arena arena;
    arena_init(&arena, 64 << 10);
    uint64_t steps = 100000000;
    struct cel_value value;
    enum err err = evaluate("x.all(a, x.all(b, ('key' + string(a)).size() > 3 && [a, b].size() == 2))",
                            cel_list(items, 1000), &steps, &value, &arena);
    assert_int_equal(err, ERR_OK);
    assert_true(value.kind == CEL_BOOL && value.i == 1);
    arena_fini(&arena);
}

// A turn costs what its body is long.
static void test_long_body(void **state)
{
    (void)state;
    struct cel_value items[1000];
    for (int i = 0; i < 1000; i++) {
        items[i] = cel_int(i);
    }
    struct str text = repeat("x.all(a, a == a", " && a + 1 > a", 200, ")");
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    uint64_t steps = 10 * CEL_STEPS_DEFAULT;
    struct cel_value value;
    char *copy = mem_zalloc(text.len + 1);
    memcpy(copy, text.ptr, text.len);
    assert_int_equal(evaluate(copy, cel_list(items, 1000), &steps, &value, &arena), ERR_OK);
    assert_true(10 * CEL_STEPS_DEFAULT - steps > 1000 * 200 * 5);
    mem_free(copy);
    mem_free((void *)text.ptr);
    arena_fini(&arena);
}

// Strings that double: memory ends it, not time.
static void test_doubling(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_printf(&text, "cel.bind(v0, string(x), ");
    for (int i = 1; i < 60; i++) {
        buf_printf(&text, "cel.bind(v%d, v%d + v%d, ", i, i - 1, i - 1);
    }
    buf_printf(&text, "size(v59)");
    for (int i = 0; i < 60; i++) {
        buf_u8(&text, ')');
    }
    buf_u8(&text, '\0');
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    uint64_t steps = CEL_STEPS_DEFAULT;
    struct cel_value value;
    enum err err = evaluate((const char *)text.ptr, cel_int(12345), &steps, &value, &arena);
    assert_int_equal(err, ERR_NO_MEMORY);
    arena_fini(&arena);
    buf_fini(&text);
}

// Compiling patterns is work, too: of literals when the expression is made, of others by the run.
static void test_many_patterns(void **state)
{
    (void)state;
    refuse(repeat("true", " && x.matches('a{1000}')", 1000, ""), ERR_NO_MEMORY, "regular expressions");
    struct cel_value items[200];
    for (int i = 0; i < 200; i++) {
        items[i] = cel_int(i);
    }
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    uint64_t steps = CEL_STEPS_DEFAULT;
    struct cel_value value;
    assert_int_equal(evaluate("x.all(i, !'b'.matches('a{1000}' + string(i)))", cel_list(items, 200), &steps,
                              &value, &arena),
                     ERR_NO_MEMORY);
    assert_int_equal(steps, 0);
    arena_fini(&arena);
}

// A pattern that makes others take exponential time.
static void test_patterns(void **state)
{
    (void)state;
    struct str text = repeat("", "a", 5000, "!");
    static const char *const patterns[] = {"x.matches('^(a+)+$')",
                                           "x.matches('^(a|a)*$')",
                                           "x.matches('^(a|aa)+$')",
                                           "x.matches('(.*)*b')",
                                           "x.matches('^(?=(a+)+$)a')",
                                           "x.matches('(a+)+\\\\1b')",
                                           "x.matches('^(a{1,100}b?){1,30}c$')"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct arena arena;
        arena_init(&arena, ARENA_BYTES);
        uint64_t steps = CEL_STEPS_DEFAULT;
        struct cel_value value = cel_bool(true);
        enum err err = evaluate(patterns[i], cel_string(text), &steps, &value, &arena);
        assert_true(err == ERR_NO_MEMORY || (err == ERR_OK && value.kind == CEL_BOOL && value.i == 0));
        assert_true(err == ERR_OK || steps == 0); // what was spent is not there for the next expression
        arena_fini(&arena);
    }
    mem_free((void *)text.ptr);
}

// Texts of errors go to producers: what is in a payload is not in them.
static void test_no_payload_in_errors(void **state)
{
    (void)state;
    static const char *const texts[] = {"int(x)",
                                        "uint(x)",
                                        "double(x)",
                                        "bool(x)",
                                        "timestamp(x)",
                                        "duration(x)",
                                        "{'a': 1}[x]",
                                        "[1][x]",
                                        "x + 1",
                                        "x.foo",
                                        "{x: 1, x: 2}",
                                        "timestamp(0).getHours(x)",
                                        "'a'.matches('(' + x)",
                                        "x.charAt(500)",
                                        "x.substring(-1)",
                                        "decimal(x)",
                                        "base64.decode(x)",
                                        "x && true"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct cel_program *program = NULL;
        struct cel_fault fault = {0};
        struct arena arena;
        struct error e = {0};
        struct cel_value x = cel_string(STR("SECRET!"));
        struct cel_value value;
        arena_init(&arena, ARENA_BYTES);
        if (compile(str_from_c(texts[i]), &program, &fault) != ERR_OK) {
            fail_msg("%s: %s", texts[i], fault.text);
        }
        struct cel_run run = {.variables = &x, .arena = &arena, .steps = CEL_STEPS_DEFAULT};
        if (cel_eval(program, &run, &value, &e) != ERR_INVALID_RECORD) {
            fail_msg("%s is no error", texts[i]);
        }
        if (strstr(e.text, "SECRET") != NULL || e.text[0] == '\0') {
            fail_msg("%s: %s", texts[i], e.text);
        }
        cel_program_unref(program);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_million_turns),
        cmocka_unit_test(test_long_body),
        cmocka_unit_test(test_doubling),
        cmocka_unit_test(test_many_patterns),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_no_payload_in_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
