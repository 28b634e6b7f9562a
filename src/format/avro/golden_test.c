// SPDX-License-Identifier: Apache-2.0
// What Apache Avro 1.12.0 for Java said, recorded by tools/AvroGolden.java: which texts are schemas, old and
// new, how they print, and what breaks compatibility.
#include "format/avro/avro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "json/tree.h"

enum { FILE_BYTES_MAX = 1 << 20, SCHEMAS_MIN = 250, PAIRS_MIN = 100 };

static struct schema *create(const struct json_value *line, struct str key, struct error *e)
{
    struct schema *schema = NULL;
    const struct json_value *is_new = json_get(line, STR("new"));
    struct schema_source source = {.format = FORMAT_AVRO,
                                   .text = json_get_str(line, key),
                                   .is_new = is_new != NULL && is_new->type == JSON_TRUE};
    return schema_create(&source, &schema, e) == ERR_OK ? schema : NULL;
}

static void expect_form(const struct schema *schema, enum schema_form form, struct str text,
                        struct str wanted)
{
    struct buf out;
    buf_init(&out, FILE_BYTES_MAX);
    assert_int_equal(schema_print(schema, form, &out, NULL), ERR_OK);
    if (!str_equal(buf_str(&out), wanted)) {
        fail_msg(STR_FMT ":\n" STR_FMT ", Java:\n" STR_FMT, STR_ARG(text), STR_ARG(buf_str(&out)),
                 STR_ARG(wanted));
    }
    buf_fini(&out);
}

static void check_schema(const struct json_value *line)
{
    struct error e = {0};
    struct str text = json_get_str(line, STR("schema"));
    struct str error = json_get_str(line, STR("error"));
    struct schema *schema = create(line, STR("schema"), &e);
    if ((schema == NULL) != (error.ptr != NULL)) {
        fail_msg(STR_FMT ": we say '%s', Java '" STR_FMT "'", STR_ARG(text), e.text, STR_ARG(error));
    }
    if (schema != NULL) {
        expect_form(schema, SCHEMA_CANONICAL, text, json_get_str(line, STR("canonical")));
        expect_form(schema, SCHEMA_PARSING_FORM, text, json_get_str(line, STR("parsing")));
    }
    schema_unref(schema);
}

static int compare_strs(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static void check_pair(const struct json_value *line, struct arena *arena)
{
    struct error e = {0};
    struct schema *reader = create(line, STR("reader"), &e);
    struct schema *writer = create(line, STR("writer"), &e);
    assert_true(reader != NULL && writer != NULL);
    struct compat_report report = {.arena = arena};
    assert_int_equal(schema_compare(reader, writer, COMPAT_STRICT, &report, &e), ERR_OK);
    struct str ours[COMPAT_DIFFERENCES_MAX];
    for (size_t i = 0; i < report.count; i++) {
        const struct compat_difference *d = &report.differences[i];
        ours[i] = arena_printf(arena, "%s " STR_FMT " " STR_FMT, d->kind, STR_ARG(d->path), STR_ARG(d->info));
    }
    qsort(ours, report.count, sizeof *ours, compare_strs);
    const struct json_value *java = json_get(line, STR("differences"))->first;
    for (size_t i = 0; i < report.count || java != NULL; i++) {
        struct str mine = i < report.count ? ours[i] : STR("nothing");
        struct str theirs = java != NULL ? java->text : STR("nothing");
        if (!str_equal(mine, theirs)) {
            fail_msg("reader " STR_FMT "\nwriter " STR_FMT "\nwe say " STR_FMT "\nJava " STR_FMT,
                     STR_ARG(json_get_str(line, STR("reader"))), STR_ARG(json_get_str(line, STR("writer"))),
                     STR_ARG(mine), STR_ARG(theirs));
        }
        java = java->next;
    }
    schema_unref(reader);
    schema_unref(writer);
}

static void test_java(void **state)
{
    (void)state;
    FILE *file = fopen(GOLDEN_DIR "/avro_java_1.12.0.txt", "rb");
    assert_non_null(file);
    char *data = malloc(FILE_BYTES_MAX);
    struct str text = {data, fread(data, 1, FILE_BYTES_MAX, file)};
    fclose(file);
    int schemas = 0;
    int pairs = 0;
    while (text.len > 0) {
        struct arena arena;
        arena_init(&arena, 8 << 20);
        struct json_value *line;
        assert_int_equal(json_parse(str_cut(text, '\n', &text), &arena, &line, NULL), ERR_OK);
        if (json_get(line, STR("schema")) != NULL) {
            check_schema(line);
            schemas++;
        } else {
            check_pair(line, &arena);
            pairs++;
        }
        arena_fini(&arena);
    }
    free(data);
    printf("# %d schemas, %d pairs\n", schemas, pairs);
    assert_true(schemas >= SCHEMAS_MIN && pairs >= PAIRS_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_java)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
