// SPDX-License-Identifier: Apache-2.0
// json_schema.c - what checking JSON payloads costs. Each file has a schema and payloads that are valid; a
// line of JSON for each: bytes and ns of the average payload, the best of many rounds. json_schema.mjs
// measures ajv by the same files.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "format/program.h"
#include "json/tree.h"

enum { FILE_MAX = 1 << 20, PAYLOADS_MAX = 100, ROUNDS = 1000, BATCH = 10 };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "json_schema: %s: %s\n", what, why);
    exit(1);
}

static void file_read(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        die(path, "cannot be read");
    }
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) {
        buf_append(out, chunk, n);
    }
    fclose(f);
}

static double round_ns(const struct program *program, const struct buf *payloads, size_t count)
{
    double begin = now_ns();
    for (int i = 0; i < BATCH; i++) {
        for (size_t k = 0; k < count; k++) {
            if (program_check(program, buf_bytes(&payloads[k]), NULL) != ERR_OK) {
                die("a payload", "is refused");
            }
        }
    }
    return (now_ns() - begin) / (BATCH * (double)count);
}

static void measure(const char *path)
{
    struct buf text;
    struct buf schema_text;
    struct arena arena;
    struct json_value *root = NULL;
    struct error e = {0};
    buf_init(&text, FILE_MAX);
    buf_init(&schema_text, FILE_MAX);
    arena_init(&arena, 16 << 20);
    file_read(path, &text);
    if (json_parse(buf_str(&text), &arena, &root, &e) != ERR_OK) {
        die(path, e.text);
    }
    json_print(json_get(root, STR("schema")), false, &schema_text);
    struct schema_source source = {.format = FORMAT_JSON, .text = buf_str(&schema_text)};
    struct schema *schema;
    struct program *program;
    if (schema_create(&source, &schema, &e) != ERR_OK ||
        program_create(schema, NULL, 0, &program, &e) != ERR_OK) {
        die(path, e.text);
    }
    struct buf payloads[PAYLOADS_MAX];
    size_t count = 0;
    size_t bytes = 0;
    for (const struct json_value *v = json_get(root, STR("payloads"))->first;
         v != NULL && count < PAYLOADS_MAX; v = v->next) {
        buf_init(&payloads[count], FILE_MAX);
        json_print(v, false, &payloads[count]);
        bytes += payloads[count++].len;
    }
    double best = round_ns(program, payloads, count);
    for (int i = 1; i < ROUNDS; i++) {
        double ns = round_ns(program, payloads, count);
        best = ns < best ? ns : best;
    }
    printf("{\"file\":\"%s\",\"bytes\":%zu,\"ns\":%.1f}\n", path, bytes / count, best);
    for (size_t i = 0; i < count; i++) {
        buf_fini(&payloads[i]);
    }
    program_unref(program);
    schema_unref(schema);
    arena_fini(&arena);
    buf_fini(&schema_text);
    buf_fini(&text);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        measure(argv[i]);
    }
    return 0;
}
