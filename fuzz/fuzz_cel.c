// SPDX-License-Identifier: Apache-2.0
// fuzz_cel.c - any text as an expression: compiled, with types and without, and run over a payload; whatever
// it does, it ends within its budget.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "cel/cel.h"

enum { RUN_STEPS = 20000, RUN_BYTES = 1 << 20, PRINT_BYTES = 1 << 16 };

static const char schema_text[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"i\",\"type\":"
                                  "\"long\"},{\"name\":\"s\",\"type\":\"string\"},"
                                  "{\"name\":\"o\",\"type\":[\"null\",\"double\"]},{\"name\":\"l\",\"type\":{"
                                  "\"type\":\"array\",\"items\":\"int\"}},"
                                  "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"bytes\"}},{"
                                  "\"name\":\"r\",\"type\":{\"type\":\"record\","
                                  "\"name\":\"Inner\",\"fields\":[{\"name\":\"b\",\"type\":\"boolean\"}]}}]}";
// 1, "ab", null, [1, 2], {"k": "v"}, {true}
static const uint8_t payload_bytes[] = {2, 4, 'a', 'b', 0, 4, 2, 4, 0, 2, 2, 'k', 2, 'v', 0, 1};

static struct program *make_program(void)
{
    static struct program *made;
    struct schema_source source = {.format = FORMAT_AVRO, .text = {schema_text, sizeof schema_text - 1}};
    struct schema *schema = NULL;
    if (made == NULL) {
        ASSERT(schema_create(&source, &schema, NULL) == ERR_OK);
        ASSERT(program_create(schema, NULL, 0, &made, NULL) == ERR_OK);
        ASSERT(program_check(made, bytes_of(payload_bytes, sizeof payload_bytes), NULL) == ERR_OK);
        schema_unref(schema);
    }
    return made;
}

static void run(const struct cel_program *program, const struct program *payloads)
{
    struct view root = view_root(payloads, bytes_of(payload_bytes, sizeof payload_bytes));
    struct cel_value values[] = {cel_view(&root), cel_int(7)};
    struct arena arena;
    arena_init(&arena, RUN_BYTES);
    struct cel_run run = {.variables = values, .arena = &arena, .steps = RUN_STEPS};
    struct cel_value value;
    struct error e;
    enum err err = cel_eval(program, &run, &value, &e);
    ASSERT(err == ERR_OK || err == ERR_INVALID_RECORD || err == ERR_NO_MEMORY);
    if (err == ERR_OK) {
        int kind = cel_program_result(program);
        ASSERT(kind == CEL_ANY || kind == value.kind || value.kind == CEL_NULL);
        struct buf out;
        buf_init(&out, PRINT_BYTES);
        cel_value_print(value, &out);
        ASSERT(value.kind != CEL_STRING || out.failed || utf8_is_valid(buf_str(&out)));
        buf_fini(&out);
    }
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct program *payloads = make_program();
    const struct cel_variable variables[] = {
        {.name = STR("message"), .of = CEL_OF_SCHEMA, .program = payloads},
        {.name = STR("x"), .of = CEL_OF_DYN},
    };
    for (int unchecked = 0; unchecked < 2; unchecked++) {
        struct cel_source source = {.text = {(const char *)data, size},
                                    .variables = variables,
                                    .variable_count = 2,
                                    .is_unchecked = unchecked != 0};
        struct cel_program *program = NULL;
        struct cel_fault fault;
        enum err err = cel_compile(&source, &program, &fault);
        if (err == ERR_OK) {
            run(program, payloads);
        } else {
            ASSERT(err == ERR_INVALID_REQUEST || err == ERR_NO_MEMORY);
            ASSERT(fault.line > 0 && fault.column > 0 && fault.text[0] != '\0');
        }
        cel_program_unref(program);
    }
    return 0;
}
