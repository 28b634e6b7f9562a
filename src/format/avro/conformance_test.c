// SPDX-License-Identifier: Apache-2.0
// Apache Avro's own cases of Parsing Canonical Form and fingerprint: avro/schema-tests.txt below
// $STROM_CONFORMANCE. Without it the cases are skipped, and counted.
#include "format/avro/avro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CASES = 34, FINGERPRINTS = 26, FILE_BYTES_MAX = 1 << 20 };

// What stands behind "<<tag " on its line, or between that line and one that says just the tag.
static bool next_value(struct str *text, const char *tag, struct str *ret)
{
    char mark[32];
    snprintf(mark, sizeof mark, "<<%s", tag);
    struct str line = str_cut(*text, '\n', text);
    while (!str_has_prefix(line, str_from_c(mark))) {
        if (text->ptr == NULL) {
            return false;
        }
        line = str_cut(*text, '\n', text);
    }
    size_t skip = strlen(mark);
    *ret = str_trim((struct str){line.ptr + skip, line.len - skip});
    if (ret->len > 0) {
        return true;
    }
    const char *begin = text->ptr;
    while (text->ptr != NULL) {
        line = str_cut(*text, '\n', text);
        if (str_equal(str_trim(line), str_from_c(tag))) {
            *ret = (struct str){begin, (size_t)(line.ptr - begin)};
            return true;
        }
    }
    return false;
}

static void check_case(struct str input, struct str canonical, const int64_t *fingerprint)
{
    struct schema *schema = NULL;
    struct error e = {0};
    struct schema_source source = {.format = FORMAT_AVRO, .text = input, .is_new = true};
    if (schema_create(&source, &schema, &e) != ERR_OK) {
        fail_msg(STR_FMT ": %s", STR_ARG(input), e.text);
    }
    struct buf out;
    buf_init(&out, FILE_BYTES_MAX);
    assert_int_equal(schema_print(schema, SCHEMA_PARSING_FORM, &out, &e), ERR_OK);
    if (!str_equal(buf_str(&out), canonical)) {
        fail_msg(STR_FMT ": " STR_FMT, STR_ARG(input), STR_ARG(buf_str(&out)));
    }
    uint64_t sum;
    assert_int_equal(avro_fingerprint(schema, &sum, &e), ERR_OK);
    if (fingerprint != NULL) {
        assert_int_equal((int64_t)sum, *fingerprint);
    }
    buf_fini(&out);
    schema_unref(schema);
}

static void test_cases(void **state)
{
    (void)state;
    const char *folder = getenv("STROM_CONFORMANCE");
    char path[4096];
    snprintf(path, sizeof path, "%s/avro/schema-tests.txt", folder != NULL ? folder : CONFORMANCE_DEFAULT);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        printf("# skipped: %d cases of schema-tests.txt, which is not there\n", CASES);
        skip();
    }
    char *data = malloc(FILE_BYTES_MAX);
    struct str text = {data, fread(data, 1, FILE_BYTES_MAX, file)};
    fclose(file);
    int cases = 0;
    int fingerprints = 0;
    struct str input;
    struct str canonical;
    // A line of comment in the file shows an input, too.
    while (next_value(&text, "INPUT", &input) && next_value(&text, "canonical", &canonical)) {
        struct str rest = text;
        struct str line = str_trim(str_cut(rest, '\n', &rest));
        int64_t sum = 0;
        bool has_sum = str_has_prefix(line, STR("<<fingerprint "));
        if (has_sum) {
            assert_true(str_parse_i64(str_trim((struct str){line.ptr + 14, line.len - 14}), &sum));
        }
        check_case(input, canonical, has_sum ? &sum : NULL);
        cases++;
        fingerprints += has_sum;
    }
    free(data);
    printf("# %d cases, %d fingerprints\n", cases, fingerprints);
    assert_int_equal(cases, CASES);
    assert_int_equal(fingerprints, FINGERPRINTS);
}

static void test_crc64(void **state)
{
    (void)state;
    assert_int_equal((int64_t)avro_crc64(bytes_of("\"int\"", 5)), 8247732601305521295);
    assert_int_equal(avro_crc64(bytes_of("", 0)), 0xc15d213aa4d7a795);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_crc64)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
