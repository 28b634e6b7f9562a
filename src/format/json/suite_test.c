// SPDX-License-Identifier: Apache-2.0
// The JSON Schema Test Suite: every required case of the drafts must hold; the optional ones are counted.
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "format/json/json_schema.h"
#include "json/tree.h"

enum { REMOTES_MAX = 200, TEXT_MAX = 1 << 20 };

static const struct {
    const char *folder;
    const char *uri;
} drafts[] = {
    {"draft4", "http://json-schema.org/draft-04/schema#"},
    {"draft6", "http://json-schema.org/draft-06/schema#"},
    {"draft7", "http://json-schema.org/draft-07/schema#"},
    {"draft2019-09", "https://json-schema.org/draft/2019-09/schema"},
    {"draft2020-12", "https://json-schema.org/draft/2020-12/schema"},
};

struct remote {
    char uri[256];
    char text[8192];
    struct schema *schema;
};

struct tally {
    size_t passed;
    size_t failed;
};

static const char *suite_root(void)
{
    const char *root = getenv("STROM_CONFORMANCE");
    return root == NULL ? CONFORMANCE_DEFAULT : root;
}

static bool file_read(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return false;
    }
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) {
        buf_append(out, chunk, n);
    }
    fclose(f);
    return true;
}

// print_with_draft prints a schema; one that is an object without $schema gets the draft's.
static void print_with_draft(const struct json_value *schema, const char *draft_uri, struct buf *out)
{
    if (schema->type != JSON_OBJECT || json_get(schema, STR("$schema")) != NULL) {
        json_print(schema, false, out);
        return;
    }
    struct buf plain;
    buf_init(&plain, TEXT_MAX);
    json_print(schema, false, &plain);
    buf_printf(out, "{\"$schema\":\"%s\"%s", draft_uri, schema->count > 0 ? "," : "");
    buf_append(out, plain.ptr + 1, plain.len - 1);
    buf_fini(&plain);
}

// ---- remotes

static void remotes_list(const char *folder, const char *uri, struct remote *remotes, size_t *count)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[1024];
        char sub_uri[512];
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "draft3") == 0 ||
            strcmp(entry->d_name, "v1") == 0) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        snprintf(sub_uri, sizeof sub_uri, "%s/%s", uri, entry->d_name);
        size_t len = strlen(entry->d_name);
        if (len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0) {
            struct remote *r = &remotes[*count];
            struct buf text;
            buf_init(&text, sizeof r->text - 1);
            assert_true(*count < REMOTES_MAX && file_read(path, &text));
            memcpy(r->text, text.ptr, text.len);
            r->text[text.len] = 0;
            snprintf(r->uri, sizeof r->uri, "%.250s", sub_uri);
            r->schema = NULL;
            (*count)++;
            buf_fini(&text);
        } else if (strchr(entry->d_name, '.') == NULL || strncmp(entry->d_name, "draft", 5) == 0) {
            remotes_list(path, sub_uri, remotes, count);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

// refs_collect lists each $ref of a remote that names a remote, as it is written, with that remote.
static void refs_collect(const struct json_value *value, const struct remote *of,
                         const struct remote *remotes, size_t count, struct schema_reference *refs,
                         size_t *ref_count, bool *is_ready)
{
    for (const struct json_value *v = value->first; v != NULL; v = v->next) {
        refs_collect(v, of, remotes, count, refs, ref_count, is_ready);
        bool is_ref =
            v->type == JSON_STRING && (str_equal(v->key, STR("$ref")) || str_equal(v->key, STR("$schema")));
        if (!is_ref) {
            continue;
        }
        struct str name;
        struct str fragment;
        name = str_cut(v->text, '#', &fragment);
        char folder[256];
        snprintf(folder, sizeof folder, "%s", of->uri);
        *(strrchr(folder, '/') + 1) = 0;
        char absolute[512];
        snprintf(absolute, sizeof absolute, "%s%.*s",
                 memmem(name.ptr, name.len, "://", 3) != NULL ? "" : folder, STR_ARG(name));
        for (size_t i = 0; i < count; i++) {
            if (name.len == 0 || strcmp(remotes[i].uri, absolute) != 0 || &remotes[i] == of) {
                continue;
            }
            if (remotes[i].schema == NULL) {
                *is_ready = false;
            } else if (*ref_count < 20) {
                refs[(*ref_count)++] = (struct schema_reference){name, remotes[i].schema};
            }
        }
    }
}

static bool remote_make(struct remote *r, const struct remote *remotes, size_t count, const char *draft_uri)
{
    struct arena arena;
    arena_init(&arena, TEXT_MAX);
    struct json_value *root = NULL;
    assert_int_equal(json_parse(str_from_c(r->text), &arena, &root, NULL), ERR_OK);
    struct schema_reference refs[20];
    size_t ref_count = 0;
    bool is_ready = true;
    refs_collect(root, r, remotes, count, refs, &ref_count, &is_ready);
    if (is_ready) {
        struct buf text;
        buf_init(&text, TEXT_MAX);
        print_with_draft(root, draft_uri, &text);
        struct schema_source source = {
            .format = FORMAT_JSON, .text = buf_str(&text), .references = refs, .reference_count = ref_count};
        struct error e = {0};
        if (schema_create(&source, &r->schema, &e) != ERR_OK && getenv("STROM_VERBOSE") != NULL) {
            printf("# remote %s: %s\n", r->uri, e.text);
        }
        buf_fini(&text);
    }
    arena_fini(&arena);
    return r->schema != NULL;
}

static void remotes_make(struct remote *remotes, size_t count, const char *draft_uri)
{
    bool has_changed = true;
    while (has_changed) {
        has_changed = false;
        for (size_t i = 0; i < count; i++) {
            has_changed |= remotes[i].schema == NULL && remote_make(&remotes[i], remotes, count, draft_uri);
        }
    }
}

// ---- cases

static void note(struct tally *tally, bool holds, const char *file, struct str group, struct str test,
                 const char *why)
{
    tally->passed += holds;
    tally->failed += !holds;
    if (!holds && getenv("STROM_VERBOSE") != NULL) {
        printf("# %s: " STR_FMT ": " STR_FMT ": %s\n", file, STR_ARG(group), STR_ARG(test), why);
    }
}

static void run_group(const struct json_value *group, const char *file, const char *draft_uri,
                      const struct schema_reference *refs, size_t ref_count, struct tally *tally)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    print_with_draft(json_get(group, STR("schema")), draft_uri, &text);
    struct schema_source source = {
        .format = FORMAT_JSON, .text = buf_str(&text), .references = refs, .reference_count = ref_count};
    struct schema *schema = NULL;
    struct program *program = NULL;
    struct error e = {0};
    struct str name = json_get_str(group, STR("description"));
    if (schema_create(&source, &schema, &e) == ERR_OK) {
        (void)!program_create(schema, NULL, 0, &program, &e);
    }
    for (const struct json_value *t = json_get(group, STR("tests"))->first; t != NULL; t = t->next) {
        struct buf data;
        buf_init(&data, TEXT_MAX);
        json_print(json_get(t, STR("data")), false, &data);
        bool is_valid = json_get(t, STR("valid"))->type == JSON_TRUE;
        struct str test = json_get_str(t, STR("description"));
        if (program == NULL) {
            note(tally, false, file, name, test, e.text);
        } else {
            struct program_fault fault = {0};
            enum err err = program_check(program, buf_bytes(&data), &fault);
            assert_true(jschema_judges_alike(program, buf_bytes(&data), NULL));
            bool holds = err == (is_valid ? ERR_OK : ERR_INVALID_RECORD) && (is_valid || fault.text[0] != 0);
            char why[600];
            snprintf(why, sizeof why, "%s %s: %s", err == ERR_OK ? "accepted" : "refused", fault.path,
                     fault.text);
            note(tally, holds, file, name, test, why);
        }
        buf_fini(&data);
    }
    program_unref(program);
    schema_unref(schema);
    buf_fini(&text);
}

static void run_file(const char *path, const char *draft_uri, const struct schema_reference *refs,
                     size_t ref_count, struct tally *tally)
{
    struct buf text;
    struct arena arena;
    struct json_value *root = NULL;
    buf_init(&text, TEXT_MAX);
    arena_init(&arena, 64 << 20);
    assert_true(file_read(path, &text));
    assert_int_equal(json_parse(buf_str(&text), &arena, &root, NULL), ERR_OK);
    for (const struct json_value *group = root->first; group != NULL; group = group->next) {
        run_group(group, path, draft_uri, refs, ref_count, tally);
    }
    arena_fini(&arena);
    buf_fini(&text);
}

static void run_folder(const char *folder, const char *draft_uri, const struct schema_reference *refs,
                       size_t ref_count, struct tally *tally)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);
        if (len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0) {
            char path[1024];
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            run_file(path, draft_uri, refs, ref_count, tally);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static void test_suite(void **state)
{
    (void)state;
    char path[1024];
    size_t all_failed = 0;
    for (size_t d = 0; d < sizeof drafts / sizeof drafts[0]; d++) {
        struct remote *remotes = mem_array(REMOTES_MAX, sizeof *remotes);
        size_t count = 0;
        snprintf(path, sizeof path, "%s/json-schema/remotes", suite_root());
        remotes_list(path, "http://localhost:1234", remotes, &count);
        if (count == 0) {
            printf("# skipped: all cases of the JSON Schema Test Suite, which is not in %s\n", suite_root());
            mem_free(remotes);
            return;
        }
        remotes_make(remotes, count, drafts[d].uri);
        struct schema_reference refs[REMOTES_MAX];
        size_t ref_count = 0;
        for (size_t i = 0; i < count; i++) {
            if (remotes[i].schema != NULL) {
                refs[ref_count++] = (struct schema_reference){str_from_c(remotes[i].uri), remotes[i].schema};
            }
        }
        struct tally required = {0};
        struct tally optional = {0};
        struct tally formats = {0};
        snprintf(path, sizeof path, "%s/json-schema/tests/%s", suite_root(), drafts[d].folder);
        run_folder(path, drafts[d].uri, refs, ref_count, &required);
        snprintf(path, sizeof path, "%s/json-schema/tests/%s/optional", suite_root(), drafts[d].folder);
        run_folder(path, drafts[d].uri, refs, ref_count, &optional);
        snprintf(path, sizeof path, "%s/json-schema/tests/%s/optional/format", suite_root(),
                 drafts[d].folder);
        run_folder(path, drafts[d].uri, refs, ref_count, &formats);
        printf("# %-12s required %zu of %zu, optional %zu of %zu, formats %zu of %zu\n", drafts[d].folder,
               required.passed, required.passed + required.failed, optional.passed,
               optional.passed + optional.failed, formats.passed, formats.passed + formats.failed);
        all_failed += required.failed;
        assert_true(required.passed + required.failed > 500);
        for (size_t i = 0; i < count; i++) {
            schema_unref(remotes[i].schema);
        }
        mem_free(remotes);
    }
    assert_int_equal(all_failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_suite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
