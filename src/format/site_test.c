// SPDX-License-Identifier: Apache-2.0
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "format/site.h"

static struct schema *parse(enum format format, const char *text, const struct schema_reference *references,
                            size_t count)
{
    struct schema_source source = {
        .format = format, .text = str_from_c(text), .references = references, .reference_count = count};
    struct schema *schema = NULL;
    struct error e;
    if (schema_create(&source, &schema, &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
    return schema;
}

static struct program *compile(const struct schema *schema)
{
    struct program *program = NULL;
    struct error e;
    if (program_create(schema, NULL, 0, &program, &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
    return program;
}

// tell writes what a site is, as "RECORD(name STRING [tags] {checks}, ...)"; a type within itself is "...".
enum { DEPTH_MAX = 8 };

static void tell_notes(const struct site_notes *notes, struct buf *out)
{
    for (uint32_t i = 0; i < notes->tag_count; i++) {
        buf_printf(out, " #" STR_FMT, STR_ARG(notes->tags[i]));
    }
    for (uint32_t i = 0; i < notes->check_count; i++) {
        buf_printf(out, " {" STR_FMT ": " STR_FMT "}", STR_ARG(notes->checks[i].name),
                   STR_ARG(notes->checks[i].expr));
    }
}

static void tell(const struct site *site, int depth, struct arena *arena, struct buf *out)
{
    static const char *const choices[] = {"always", "fitting", "one", "any"};
    enum site_kind kind = site_kind(site);
    buf_printf(out, "%s", depth == DEPTH_MAX ? "..." : site_kind_name(kind));
    struct site inner;
    struct site_field field;
    struct site_fields fields = {.of = *site};
    enum site_choice choice;
    if (depth == DEPTH_MAX) {
        return;
    }
    struct site_notes notes = site_notes(site, arena);
    tell_notes(&notes, out);
    if (kind == SITE_RECORD) {
        buf_printf(out, "(");
        while (site_next_field(&fields, arena, &field)) {
            struct str name = field.full_name.ptr != NULL ? field.full_name : field.name;
            buf_printf(out, "%s" STR_FMT "%s", fields.index == 1 ? "" : ", ", STR_ARG(name),
                       field.is_zero_if_absent ? "=0" : "");
            tell_notes(&field.notes, out);
            buf_printf(out, ": ");
            tell(&field.site, depth + 1, arena, out);
        }
        buf_printf(out, ")");
    } else if (kind == SITE_ARRAY || kind == SITE_MAP) {
        inner = site_item(site);
        buf_printf(out, "<");
        if (inner.program != NULL) {
            tell(&inner, depth + 1, arena, out);
        }
        buf_printf(out, ">");
    }
    for (uint32_t i = 0; kind == SITE_COMBINED && site_branch(site, i, &inner, &choice); i++) {
        buf_printf(out, "%s%s ", i == 0 ? "(" : " | ", choices[choice]);
        tell(&inner, depth + 1, arena, out);
    }
    buf_printf(out, "%s", kind == SITE_COMBINED ? ")" : "");
}

static void assert_told(const struct schema *schema, const char *want)
{
    struct program *program = compile(schema);
    struct arena arena;
    struct buf out;
    arena_init(&arena, 16 << 20);
    buf_init(&out, 1 << 16);
    struct site root = site_root(program);
    tell(&root, 0, &arena, &out);
    if (!str_equal(buf_str(&out), str_from_c(want))) {
        fail_msg("\n told " STR_FMT "\n want %s", STR_ARG(buf_str(&out)), want);
    }
    buf_fini(&out);
    arena_fini(&arena);
    program_unref(program);
}

static void avro_sites_of(void **state)
{
    (void)state;
    struct schema *schema = parse(
        FORMAT_AVRO,
        "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a.b\",\"confluent:rules\":[{\"name\":\"r\","
        "\"expr\":"
        "\"e\"},3],\"fields\":["
        "{\"name\":\"s\",\"type\":\"string\",\"confluent:tags\":[\"PII\",7,\"X\"]},"
        "{\"name\":\"u\",\"type\":[\"null\",\"long\"],\"confluent:rules\":[{\"name\":\"q\",\"expr\":\"this>"
        "0\"}]},"
        "{\"name\":\"l\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"map\",\"values\":\"double\"}}},"
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}},"
        "{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}},"
        "{\"name\":\"i\",\"type\":\"int\",\"confluent:tags\":\"no list\"}]}",
        NULL, 0);
    assert_told(schema,
                "RECORD {r: e}(a.b.R.s #PII #X: STRING, a.b.R.u {q: this>0}: COMBINED(fitting NULL | fitting "
                "LONG), a.b.R.l: ARRAY<MAP<DOUBLE>>, a.b.R.e: ENUM, a.b.R.f: FIXED, a.b.R.i: INT)");
    schema_unref(schema);
}

static void json_sites_of(void **state)
{
    (void)state;
    struct schema *schema = parse(
        FORMAT_JSON,
        "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"r\",\"expr\":\"e\"}],\"properties\":{"
        "\"a\":{\"type\":\"string\",\"confluent:tags\":[\"PII\"]},"
        "\"b\":{\"type\":[\"null\",\"integer\"]},"
        "\"c\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/d\"}},"
        "\"d\":{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"properties\":{\"x\":{\"type\":"
        "\"number\"}}}]},"
        "\"e\":{\"enum\":[1,\"a\"]},\"f\":{\"type\":\"object\",\"additionalProperties\":true},\"g\":true,"
        "\"h\":{\"type\":\"array\",\"items\":[{\"type\":\"string\"}]},"
        "\"i\":{\"allOf\":[{\"type\":\"integer\"}],\"type\":\"integer\"}},"
        "\"definitions\":{\"d\":{\"type\":\"boolean\"}}}",
        NULL, 0);
    assert_told(
        schema,
        "RECORD {r: e}(a #PII: STRING #PII, b: COMBINED(fitting NULL | fitting INT), c: ARRAY<BOOLEAN>, "
        "d: COMBINED(one STRING | one RECORD(x: DOUBLE)), e: ENUM, f: MAP<>, g: NULL, "
        "h: ARRAY<>, i: COMBINED(always INT | always INT))");
    schema_unref(schema);
}

static void protobuf_sites_of(void **state)
{
    (void)state;
    struct schema *schema =
        parse(FORMAT_PROTOBUF,
              "syntax = \"proto3\"; package p; import \"confluent/meta.proto\";"
              "message M { option (confluent.message_meta).rules = {name: \"r\", expr: \"e\"};"
              " string s = 1 [(confluent.field_meta).tags = \"PII\", (confluent.field_meta).tags = \"X\"];"
              " optional uint32 u = 2 [(.confluent.field_meta) = {tags: [\"A\", \"B\"], rules: [{name: "
              "\"q\", expr: "
              "\"this > 0\"}]}];"
              " repeated bytes l = 3; map<string, N> m = 4; N n = 5; E e = 6; oneof o { sint64 x = 7; double "
              "d = 8; } }"
              "message N { bool b = 1; } enum E { Z = 0; }",
              NULL, 0);
    assert_told(
        schema,
        "RECORD {r: e}(p.M.s=0 #PII #X: STRING, p.M.u=0 #A #B {q: this > 0}: INT, p.M.l: ARRAY<BYTES>, "
        "p.M.m: MAP<RECORD(p.N.b=0: BOOLEAN)>, p.M.n: RECORD(p.N.b=0: BOOLEAN), p.M.e=0: ENUM, "
        "p.M.x=0: LONG, p.M.d=0: DOUBLE)");
    schema_unref(schema);
}

static void types_of_references(void **state)
{
    (void)state;
    static const char *const inner[] = {
        "{\"type\":\"record\",\"name\":\"In\",\"fields\":[]}",
        "{\"type\":\"object\",\"properties\":{\"x\":{}}}",
        "syntax = \"proto3\"; message In { int32 x = 1; } message Second {}",
    };
    static const char *const outer[] = {
        "{\"type\":\"record\",\"name\":\"Out\",\"fields\":[{\"name\":\"f\",\"type\":\"In\"}]}",
        "{\"type\":\"object\",\"properties\":{\"f\":{\"$ref\":\"In\"}}}",
        "syntax = \"proto3\"; import \"In\"; message Out { In f = 1; }",
    };
    for (int i = 0; i < FORMAT_COUNT; i++) {
        struct schema *in = parse((enum format)i, inner[i], NULL, 0);
        struct schema_reference reference = {STR("In"), in};
        struct schema *out = parse((enum format)i, outer[i], &reference, 1);
        struct program *program = compile(out);
        struct arena arena;
        arena_init(&arena, 1 << 20);
        struct site root = site_root(program);
        struct site_fields fields = {.of = root};
        struct site_field field;
        bool is_root = false;
        assert_true(site_is_of(&root, out, &is_root));
        assert_true(is_root);
        assert_false(site_is_of(&root, in, &is_root));
        assert_true(site_next_field(&fields, &arena, &field));
        assert_true(site_is_of(&field.site, in, &is_root));
        assert_true(is_root);
        assert_false(site_is_of(&field.site, out, &is_root));
        arena_fini(&arena);
        program_unref(program);
        schema_unref(out);
        schema_unref(in);
    }
}

static void branches_are_chosen(void **state)
{
    (void)state;
    struct schema *avro = parse(FORMAT_AVRO, "[\"null\",\"string\",\"long\"]", NULL, 0);
    struct program *program = compile(avro);
    struct bytes payload = bytes_of("\4\6", 2);
    assert_int_equal(program_check(program, payload, NULL), ERR_OK);
    struct view view = view_root(program, payload);
    struct site root = site_root(program);
    struct site branch;
    enum site_choice choice;
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(site_branch(&root, i, &branch, &choice));
        assert_int_equal(site_fits(&branch, &view), i == 2);
    }
    program_unref(program);
    schema_unref(avro);

    struct schema *json = parse(
        FORMAT_JSON,
        "{\"oneOf\":[{\"type\":\"string\",\"minLength\":3},{\"type\":\"string\",\"maxLength\":2}]}", NULL, 0);
    program = compile(json);
    root = site_root(program);
    for (uint32_t i = 0; i < 2; i++) {
        struct program *own = NULL;
        assert_true(site_branch(&root, i, &branch, &choice));
        assert_int_equal(choice, SITE_ONE);
        assert_int_equal(site_program(&branch, (struct site_loose){0}, &own, NULL), ERR_OK);
        assert_int_equal(program_check(own, bytes_of("\"abc\"", 5), NULL) == ERR_OK, i == 0);
        assert_int_equal(program_check(own, bytes_of("\"a\"", 3), NULL) == ERR_OK, i == 1);
        program_unref(own);
    }
    program_unref(program);
    schema_unref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(avro_sites_of),       cmocka_unit_test(json_sites_of),
        cmocka_unit_test(protobuf_sites_of),   cmocka_unit_test(types_of_references),
        cmocka_unit_test(branches_are_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
