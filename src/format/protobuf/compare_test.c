// SPDX-License-Identifier: Apache-2.0
// What breaks readers, by Confluent's names; what does not; and that it ends in time.
#include "format/protobuf/pb_test.h"

#define P3 "syntax=\"proto3\";"
#define P2 "syntax=\"proto2\";"

// Kinds and paths of all differences: "KIND #/path; KIND #/path".
static void compare(const struct schema *old, const struct schema *new, struct buf *out)
{
    struct arena arena;
    arena_init(&arena, 16 << 20);
    struct compat_report report = {.arena = &arena};
    struct error e = {0};
    assert_int_equal(schema_compare(new, old, COMPAT_STRICT, &report, &e), ERR_OK);
    for (size_t i = 0; i < report.count; i++) {
        const struct compat_difference *d = &report.differences[i];
        buf_printf(out, "%s%s " STR_FMT, i == 0 ? "" : "; ", d->kind, STR_ARG(d->path));
        assert_true(d->description.len > 20 && d->hint.len > 10);
    }
    buf_u8(out, 0);
    arena_fini(&arena);
}

static void test_rules(void **state)
{
    (void)state;
    static const struct {
        const char *old;
        const char *new;
        const char *differences;
    } rows[] = {
        {P3 "message M{int32 a=1;}", P3 "message M{int32 a=1;}", ""},
        {P3 "package a;message M{}", P3 "package b;message M{}", "PACKAGE_CHANGED #/"},
        {P3 "message M{}message N{}", P3 "message N{}", "MESSAGE_REMOVED #/M"},
        {P3 "message M{}", P3 "message N{}message M{}", ""},
        {P3 "message M{message N{}}", P3 "message M{}", "MESSAGE_REMOVED #/M/N"},
        {P3 "enum E{A=0;B=1;}message M{}", P3 "message M{}", ""},
        {P3 "enum E{A=0;B=1;}", P3 "enum E{C=0;}", ""},
        {P3 "message M{int32 a=1;}", P3 "message M{}", ""},
        {P3 "message M{}", P3 "message M{int32 a=1;}", ""},
        {P3 "message M{int32 a=1;}", P3 "message M{int32 b=1;}", ""},
        {P3 "message M{int32 a=1;}", P3 "message M{string a=1;}", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
        {P3 "message M{int32 a=1;}", P3 "message M{uint64 a=1;}", ""},
        {P3 "message M{int32 a=1;}", P3 "message M{bool a=1;}", ""},
        {P3 "enum E{A=0;}message M{int32 a=1;}", P3 "enum E{A=0;}message M{E a=1;}", ""},
        {P3 "message M{int32 a=1;}", P3 "message M{sint32 a=1;}", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
        {P3 "message M{sint32 a=1;}", P3 "message M{sint64 a=1;}", ""},
        {P3 "message M{string a=1;}", P3 "message M{bytes a=1;}", ""},
        {P3 "message M{fixed32 a=1;}", P3 "message M{sfixed32 a=1;}", ""},
        {P3 "message M{fixed64 a=1;}", P3 "message M{sfixed64 a=1;}", ""},
        {P3 "message M{fixed32 a=1;}", P3 "message M{fixed64 a=1;}", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
        {P3 "message M{float a=1;}", P3 "message M{double a=1;}", "FIELD_SCALAR_KIND_CHANGED #/M/1"},
        {P3 "message N{}message M{int32 a=1;}", P3 "message N{}message M{N a=1;}",
         "FIELD_KIND_CHANGED #/M/1"},
        {P3 "message M{map<string,int32> a=1;}", P3 "message M{int32 a=1;}", "FIELD_KIND_CHANGED #/M/1"},
        {P3 "message M{map<string,int32> a=1;}", P3 "message M{map<string,string> a=1;}",
         "FIELD_SCALAR_KIND_CHANGED #/M/1"},
        {P3 "message M{map<string,int32> a=1;}", P3 "message M{map<int32,int64> a=1;}",
         "FIELD_SCALAR_KIND_CHANGED #/M/1"},
        {P3 "message M{map<string,N> a=1;}message N{}message O{}",
         P3 "message M{map<string,O> a=1;}message N{}message O{}", "FIELD_NAMED_TYPE_CHANGED #/M/1"},
        {P3 "message N{}message O{}message M{N a=1;}", P3 "message N{}message O{}message M{O a=1;}",
         "FIELD_NAMED_TYPE_CHANGED #/M/1"},
        {P2 "message M{optional int32 a=1;}", P2 "message M{repeated int32 a=1;}",
         "FIELD_NUMERIC_LABEL_CHANGED #/M/1"},
        {P2 "message M{optional string a=1;}", P2 "message M{repeated string a=1;}", ""},
        {P2 "message M{}", P2 "message M{required string a=1;}", "REQUIRED_FIELD_ADDED #/M/1"},
        {P2 "message M{required string a=1;}", P2 "message M{}", "REQUIRED_FIELD_REMOVED #/M/1"},
        {P3 "message M{oneof o{int32 a=1;int32 b=2;}}", P3 "message M{oneof o{int32 a=1;}}",
         "ONEOF_FIELD_REMOVED #/M/o/2"},
        {P3 "message M{oneof o{int32 a=1;}}", P3 "message M{oneof o{int32 a=1;int32 b=2;}}", ""},
        {P3 "message M{oneof o{int32 a=1;int32 b=2;}}", P3 "message M{}", ""},
        {P3 "message M{oneof o{int32 a=1;int32 b=2;}}", P3 "message M{oneof o{int32 a=1;}int32 b=2;}", ""},
        {P3 "message M{oneof o{int32 a=1;int32 b=2;}}", P3 "message M{oneof p{int32 a=1;string b=2;}}",
         "FIELD_SCALAR_KIND_CHANGED #/M/2"},
        {P3 "message M{oneof o{int32 a=1;}}", P3 "message M{oneof o{string a=1;}}",
         "FIELD_SCALAR_KIND_CHANGED #/M/o/1"},
        {P3 "message M{int32 a=1;}", P3 "message M{oneof o{int32 a=1;}}", ""},
        {P3 "message M{int32 a=1;int32 b=2;}", P3 "message M{oneof o{int32 a=1;int32 b=2;}}",
         "MULTIPLE_FIELDS_MOVED_TO_ONEOF #/M/o"},
        {P3 "message M{int32 a=1;oneof o{int32 b=2;}}", P3 "message M{oneof o{int32 a=1;int32 b=2;}}",
         "FIELD_MOVED_TO_EXISTING_ONEOF #/M/o"},
        {P2 "message M{optional group G=1{optional int32 a=1;}}",
         P2 "message M{optional group G=1{optional string a=1;}}",
         "FIELD_SCALAR_KIND_CHANGED #/M/G/1; FIELD_NAMED_TYPE_CHANGED #/M/1"},
        {P3 "message M{M a=1;int32 b=2;}", P3 "message M{M a=1;string b=2;}",
         "FIELD_SCALAR_KIND_CHANGED #/M/2"},
        // A map, and what protoc makes of one.
        {P3 "message M{map<string,int32> a=1;}",
         P3
         "message M{repeated AEntry a=1;message AEntry{option map_entry=true;string key=1;int64 value=2;}}",
         ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct schema *old = must_schema(rows[i].old);
        struct schema *new = must_schema(rows[i].new);
        struct buf out;
        buf_init(&out, 1 << 20);
        compare(old, new, &out);
        if (strcmp((const char *)out.ptr, rows[i].differences) != 0) {
            fail_msg("%s -> %s\nis '%s', not '%s'", rows[i].old, rows[i].new, (const char *)out.ptr,
                     rows[i].differences);
        }
        buf_fini(&out);
        schema_unref(old);
        schema_unref(new);
    }
}

static void test_description(void **state)
{
    (void)state;
    struct schema *old = must_schema(P3 "message M{int32 a=1;}");
    struct schema *new = must_schema(P3 "message M{string a=1;}");
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct compat_report report = {.arena = &arena};
    struct error e;
    assert_int_equal(schema_compare(new, old, COMPAT_STRICT, &report, &e), ERR_OK);
    assert_int_equal(report.count, 1);
    assert_true(
        str_equal(report.differences[0].description,
                  STR("The kind of a SCALAR field at path '#/M/1' in the new schema does not match its "
                      "kind in the old schema")));
    arena_fini(&arena);
    schema_unref(old);
    schema_unref(new);
}

static struct schema *with_reference(const char *text, const char *path, const struct schema *to)
{
    struct schema_reference reference = {str_from_c(path), to};
    struct schema_source source = {FORMAT_PROTOBUF, str_from_c(text), &reference, 1, true};
    struct schema *s = NULL;
    struct error e = {0};
    assert_int_equal(schema_create(&source, &s, &e), ERR_OK);
    return s;
}

// Types of other files are compared where a field uses them, each pair once.
static void test_across_files(void **state)
{
    (void)state;
    struct schema *one = must_schema(P3 "package p;message N{int32 a=1;N n=2;}");
    struct schema *two = must_schema(P3 "package p;message N{string a=1;N n=2;}");
    const char *text = P3 "import \"n.proto\";message M{p.N a=1;p.N b=2;}";
    struct schema *old = with_reference(text, "n.proto", one);
    struct schema *new = with_reference(text, "n.proto", two);
    struct buf out;
    buf_init(&out, 1 << 20);
    compare(old, new, &out);
    assert_string_equal((const char *)out.ptr,
                        "FIELD_SCALAR_KIND_CHANGED #/N/1; FIELD_NAMED_TYPE_CHANGED #/M/1; "
                        "FIELD_NAMED_TYPE_CHANGED #/M/2");
    buf_reset(&out);
    compare(old, old, &out);
    assert_string_equal((const char *)out.ptr, "");
    buf_fini(&out);
    schema_unref(old);
    schema_unref(new);
    schema_unref(one);
    schema_unref(two);
}

// Every message refers to every other: each pair is looked at once, so this ends at once.
static void test_polynomial(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, SCHEMA_TEXT_BYTES_MAX);
    buf_append_str(&text, STR(P3 "package p;"));
    for (int i = 0; i < 60; i++) {
        buf_printf(&text, "message N%d{", i);
        for (int k = 0; k < 60; k++) {
            buf_printf(&text, "N%d f%d=%d;", k, k, k + 1);
        }
        buf_printf(&text, "}");
    }
    buf_u8(&text, 0);
    struct schema *one = must_schema((const char *)text.ptr);
    struct schema *two = must_schema((const char *)text.ptr);
    const char *user = P3 "import \"n.proto\";message M{p.N0 a=1;}";
    struct schema *old = with_reference(user, "n.proto", one);
    struct schema *new = with_reference(user, "n.proto", two);
    struct buf out;
    buf_init(&out, 1 << 20);
    compare(old, new, &out);
    assert_string_equal((const char *)out.ptr, "");
    buf_fini(&out);
    buf_fini(&text);
    schema_unref(old);
    schema_unref(new);
    schema_unref(one);
    schema_unref(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_description),
        cmocka_unit_test(test_across_files),
        cmocka_unit_test(test_polynomial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
