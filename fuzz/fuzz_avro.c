// SPDX-License-Identifier: Apache-2.0
// A schema, another one and a payload, with a zero byte between them. What a schema prints as parses to what
// prints the same; comparing ends; what the check accepts, its explanation accepts too, and views stay
// inside.
#include "base/assert.h"
#include "format/avro/avro.h"
#include "format/program.h"

enum { LOOKS_MAX = 20000, TEXT_BYTES_MAX = 16 << 20 };

static struct str part(struct str *rest)
{
    struct str first = str_cut(*rest, 0, rest);
    return first.ptr == NULL ? STR("") : first;
}

static struct schema *parse(struct str text, bool is_new)
{
    struct schema *schema = NULL;
    struct schema_source source = {.format = FORMAT_AVRO, .text = text, .is_new = is_new};
    struct error e;
    return schema_create(&source, &schema, &e) == ERR_OK ? schema : NULL;
}

static void print_again(struct str text, enum schema_form form, struct buf *out)
{
    struct schema *reread = parse(text, false);
    ASSERT(reread != NULL);
    enum err err = schema_print(reread, form, out, NULL);
    ASSERT(err == ERR_OK);
    schema_unref(reread);
}

// What was printed prints as it is. Only an alias of no namespace is printed without the dot that says so, as
// Java does it (Schema.Name.getQualified), and is read as one of the type's own: then the second text stays.
static void print_twice(const struct schema *schema, enum schema_form form, enum schema_form again)
{
    struct buf once;
    struct buf twice;
    struct buf thrice;
    buf_init(&once, TEXT_BYTES_MAX);
    buf_init(&twice, TEXT_BYTES_MAX);
    buf_init(&thrice, TEXT_BYTES_MAX);
    if (schema_print(schema, form, &once, NULL) == ERR_OK && once.len <= SCHEMA_TEXT_BYTES_MAX) {
        print_again(buf_str(&once), again, &twice);
        if (!bytes_equal(buf_bytes(&once), buf_bytes(&twice))) {
            static const char aliases[] = "\"aliases\"";
            ASSERT(memmem(once.ptr, once.len, aliases, sizeof aliases - 1) != NULL);
            print_again(buf_str(&twice), again, &thrice);
            ASSERT(bytes_equal(buf_bytes(&twice), buf_bytes(&thrice)));
        }
    }
    buf_fini(&once);
    buf_fini(&twice);
    buf_fini(&thrice);
}

static void compare(const struct schema *a, const struct schema *b)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct compat_report report = {.arena = &arena};
    enum err err = schema_compare(a, b, COMPAT_STRICT, &report, NULL);
    ASSERT(err == ERR_OK || err == ERR_NO_MEMORY);
    ASSERT(report.count <= report.total && (report.count > 0) == (report.total > 0));
    arena_fini(&arena);
}

static int look(const struct view *view, struct bytes payload, int looks)
{
    ASSERT(view->kind != VIEW_NONE);
    if (view->kind != VIEW_ENUM && view->raw.len > 0) {
        ASSERT(view->raw.ptr >= payload.ptr && view->raw.ptr + view->raw.len <= payload.ptr + payload.len);
    }
    struct view_items items = {.of = *view};
    struct view item;
    struct str key;
    while (looks < LOOKS_MAX && view_next(&items, &key, &item)) {
        looks = look(&item, payload, looks + 1);
    }
    return looks;
}

static void check(const struct schema *schema, struct bytes payload)
{
    struct program *program;
    uint64_t fingerprint;
    enum err printed = avro_fingerprint(schema, &fingerprint, NULL);
    ASSERT(printed == ERR_OK || printed == ERR_NO_MEMORY);
    enum err err = program_create(schema, NULL, 0, &program, NULL);
    ASSERT(err == ERR_OK || err == ERR_NO_MEMORY);
    if (err != ERR_OK) {
        return;
    }
    struct program_fault fault;
    ASSERT(avro_judges_alike(program, payload));
    if (program_check(program, payload, &fault) == ERR_OK) {
        struct view root = view_root(program, payload);
        look(&root, payload, 0);
    }
    program_unref(program);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct schema *schema = parse(part(&rest), false);
    struct schema *other = parse(part(&rest), true);
    if (schema != NULL) {
        print_twice(schema, SCHEMA_CANONICAL, SCHEMA_CANONICAL);
        print_twice(schema, SCHEMA_NORMAL, SCHEMA_CANONICAL);
        check(schema, bytes_of(rest.ptr, rest.ptr == NULL ? 0 : rest.len));
    }
    if (schema != NULL && other != NULL) {
        compare(schema, other);
        compare(other, schema);
        compare(schema, schema);
    }
    schema_unref(schema);
    schema_unref(other);
    return 0;
}
