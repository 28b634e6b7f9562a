// SPDX-License-Identifier: Apache-2.0
// A schema, a byte 0xff, a payload. What a schema prints parses to a schema that prints the same, in every
// form; what a check accepts can be walked to its end; a schema is compatible with itself.
#include "base/assert.h"
#include "format/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct schema *parse(struct str text, bool is_new)
{
    struct schema_source source = {.format = FORMAT_PROTOBUF, .text = text, .is_new = is_new};
    struct schema *schema = NULL;
    struct error e;
    return schema_create(&source, &schema, &e) == ERR_OK ? schema : NULL;
}

static void check_fixpoint(const struct schema *schema, enum schema_form form)
{
    struct buf once;
    struct buf twice;
    struct error e;
    buf_init(&once, SCHEMA_TEXT_BYTES_MAX);
    buf_init(&twice, SCHEMA_TEXT_BYTES_MAX);
    if (schema_print(schema, form, &once, &e) == ERR_OK && once.len > 0) {
        struct schema *again = parse(buf_str(&once), false);
        ASSERT(again != NULL);
        enum err err = schema_print(again, form, &twice, &e);
        // A descriptor may lose the options of its own extensions once: from then on it stays.
        if (err == ERR_OK && form == SCHEMA_SERIALIZED) {
            struct buf third;
            buf_init(&third, SCHEMA_TEXT_BYTES_MAX);
            struct schema *third_schema = parse(buf_str(&twice), false);
            ASSERT(third_schema != NULL);
            err = schema_print(third_schema, form, &third, &e);
            ASSERT(err != ERR_OK || bytes_equal(buf_bytes(&twice), buf_bytes(&third)));
            buf_fini(&third);
            schema_unref(third_schema);
        } else {
            ASSERT(err != ERR_OK || bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
        }
        schema_unref(again);
    }
    buf_fini(&once);
    buf_fini(&twice);
}

static void walk(struct view v, int depth, int *budget)
{
    struct view_items items = {.of = v};
    struct str key;
    struct view item;
    while (depth < 8 && (*budget)-- > 0 && view_next(&items, &key, &item)) {
        if (key.ptr != NULL && v.kind == VIEW_RECORD) {
            ASSERT(view_field(&v, key).kind != VIEW_NONE);
        }
        walk(item, depth + 1, budget);
    }
}

static void check_payload(const struct schema *schema, struct bytes payload)
{
    struct program *program = NULL;
    struct error e;
    if (program_create(schema, NULL, 0, &program, &e) != ERR_OK) {
        return;
    }
    struct program_fault fault;
    enum err err = program_check(program, payload, &fault);
    ASSERT(program_check(program, payload, NULL) == err);
    if (err == ERR_OK) {
        int budget = 2000;
        walk(view_root(program, payload), 0, &budget);
    } else {
        ASSERT(fault.position <= payload.len);
        ASSERT(fault.path[0] == '$' || fault.path[0] == '.');
    }
    program_unref(program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *split = size == 0 ? NULL : memchr(data, 0xff, size);
    size_t text_len = split == NULL ? size : (size_t)(split - data);
    struct str text = {(const char *)(const void *)data, text_len};
    struct schema *strict = parse(text, true);
    struct schema *schema = parse(text, false);
    ASSERT(strict == NULL || schema != NULL);
    schema_unref(strict);
    if (schema == NULL) {
        return 0;
    }
    for (int form = SCHEMA_CANONICAL; form <= SCHEMA_SERIALIZED; form++) {
        check_fixpoint(schema, (enum schema_form)form);
    }
    struct arena arena;
    struct error e;
    arena_init(&arena, 1 << 20);
    struct compat_report report = {.arena = &arena};
    if (schema_compare(schema, schema, COMPAT_STRICT, &report, &e) == ERR_OK) {
        ASSERT(report.total == 0);
    }
    arena_fini(&arena);
    struct bytes payload = {split == NULL ? NULL : split + 1, split == NULL ? 0 : size - text_len - 1};
    check_payload(schema, payload);
    schema_unref(schema);
    return 0;
}
