// SPDX-License-Identifier: Apache-2.0
// expression_test.h - for the tests: what an expression is, as text.
#ifndef CEL_EXPRESSION_TEST_H
#define CEL_EXPRESSION_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "cel/cel_private.h"

enum { EXPRESSION_ARENA_BYTES = 16 << 20, EXPRESSION_TEXT_BYTES = 8192 };

#define EXPRESSION_OVER "over: the expression took more steps or memory than it may"

// What it should be: as cel_value_print has it, "error: ...", EXPRESSION_OVER, or "1:5:
// ..." of an expression that is refused.
struct expression_row {
    const char *text;
    const char *want;
};

static inline void expression_evaluate(const struct cel_source *source, const struct cel_value *values,
                                       uint64_t steps, char ret[EXPRESSION_TEXT_BYTES])
{
    struct cel_program *program = NULL;
    struct cel_fault fault;
    if (cel_compile(source, &program, &fault) != ERR_OK) {
        snprintf(ret, EXPRESSION_TEXT_BYTES, "%u:%u: %s", fault.line, fault.column, fault.text);
        return;
    }
    struct arena arena;
    arena_init(&arena, EXPRESSION_ARENA_BYTES);
    struct cel_run run = {.variables = values, .arena = &arena, .steps = steps};
    struct cel_value value;
    struct error e;
    enum err err = cel_eval(program, &run, &value, &e);
    if (err == ERR_OK) {
        struct buf out;
        buf_init(&out, EXPRESSION_TEXT_BYTES);
        cel_value_print(value, &out);
        snprintf(ret, EXPRESSION_TEXT_BYTES, STR_FMT, STR_ARG(buf_str(&out)));
        buf_fini(&out);
    } else {
        snprintf(ret, EXPRESSION_TEXT_BYTES, "%s: %s", err == ERR_NO_MEMORY ? "over" : "error", e.text);
    }
    arena_fini(&arena);
    cel_program_unref(program);
}

// The source has all but the text.
static inline void expression_check(const struct cel_source *source, const struct cel_value *values,
                                    const struct expression_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char got[EXPRESSION_TEXT_BYTES];
        struct cel_source with_text = *source;
        with_text.text = str_from_c(rows[i].text);
        expression_evaluate(&with_text, values, CEL_STEPS_DEFAULT, got);
        if (strcmp(got, rows[i].want) != 0) {
            fail_msg("%s\n  is   %s\n  want %s", rows[i].text, got, rows[i].want);
        }
    }
}

#endif
