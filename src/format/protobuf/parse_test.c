// SPDX-License-Identifier: Apache-2.0
// What is refused, and where; references; hostile texts.
#include "format/protobuf/pb_test.h"

#include <stdlib.h>

#include "base/mem.h"

#define P3 "syntax=\"proto3\";"

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        {"message M {", "1:12: expected a name, but the text ends"},
        {P3 "message M { int32 a = 1 }", "1:41: expected ';', not '}'"},
        {P3 "message M {\n int32 = 1; }", "2:8: expected a name, not '='"},
        {P3 "/* x", "1:17: this comment has no end"},
        {P3 "option a = \"\\q\";", "1:28: this string has a malformed escape"},
        {P3 "option a = \"b;", "1:28: this string has no end"},
        {"syntax = \"proto4\";", "1:1: syntax \"proto4\"; known are proto2 and proto3"},
        {"edition = \"2022\";", "1:1: edition \"2022\"; known are 2023 and 2024"},
        {P3 "message M { int32 a = 0; }", "1:39: '0' is not a number from 1 to 2147483647"},
        {P3 "message M { int32 a = 536870912; }",
         "1:29: 536870912 is no field number: they are from 1 to 536870911"},
        {P3 "message M { int32 a = 19000; }",
         "1:29: field numbers from 19000 to 19999 are kept for Protobuf itself"},
        {P3 "message M { int32 a = 1; int32 b = 1; }", "1:42: number 1 is taken by field a and field b"},
        {P3 "message M { int32 a = 1; int32 a = 2; }", "1:42: \"M.a\" is defined twice"},
        {P3 "message M { } message M { }", "1:39: \"M\" is defined twice"},
        {P3 "message M { reserved 2 to 9; int32 a = 5; }",
         "1:46: number 5 is taken by reserved 2 to 9 and field a"},
        {P3 "message M { reserved \"a\"; int32 a = 5; }", "1:43: the name \"a\" is reserved"},
        {P3 "message M { reserved 9 to 2; }", "1:38: a range from 9 to 2"},
        {P3 "message M { Foo a = 1; }", "1:29: \"Foo\" is not defined"},
        {P3 "import \"x.proto\"; message M { Foo a = 1; }",
         "1:47: \"Foo\" is not defined; for import \"x.proto\" there is no reference"},
        {P3 "message M { google.protobuf.Any a = 1; }", "1:29: \"google.protobuf.Any\" is not defined"},
        {P3 "import \"google/protobuf/api.proto\"; message M { google.protobuf.Any a = 1; }",
         "1:65: \"google.protobuf.Any\" is defined in a file that is not imported"},
        {P3 "message M { map<double, int32> a = 1; }", "1:29: \"double\" cannot be the key of a map"},
        {"message M { map<int32, E> a = 1; } enum E { A = 1; }",
         "1:13: an enum in a map begins with the value 0"},
        {P3 "message M { repeated map<string, int32> a = 1; }", "1:29: a map has no label"},
        {P3 "message M { required int32 a = 1; }", "1:38: required fields are of proto2"},
        {P3 "message M { int32 a = 1 [default = 1]; }", "1:29: this field may not have a default"},
        {P3 "message M { string a = 1 [packed = true]; }",
         "1:43: only repeated numbers, bools and enums can be packed"},
        {P3 "message M { oneof o { } }", "1:35: oneof \"o\" has no field"},
        {P3 "message M { oneof o { repeated int32 a = 1; } }", "1:39: a field of a oneof has no label"},
        {P3 "enum E { A = 1; }", "1:26: the first value of an open enum is 0"},
        {P3 "enum E { }", "1:22: enum \"E\" has no value"},
        {P3 "enum E { A = 0; B = 0; }", "1:33: number 0 is taken by value A and value B"},
        {P3 "enum E { A = 0; } enum F { A = 0; }", "1:44: \"A\" is defined twice"},
        {P3 "enum E { A = 0; reserved 0; }", "1:26: number 0 is taken by value A and reserved 0 to 0"},
        {"message M { int32 a = 1; }", "1:13: a field of proto2 begins with optional, required or repeated"},
        {"message M { extensions 5; } extend M { optional int32 a = 6; }",
         "1:49: \"M\" does not keep number 6 for extensions"},
        {P3 "service S { rpc A (B) returns (B); }", "1:33: \"B\" is not defined"},
        {P3 "package a; package b;", "1:28: a second package"},
        {P3 "messag M { }", "1:17: expected a declaration, not 'messag'"},
        {P3 "message M { int32 a = 1; \x01 }", "1:42: a character that has no place here: 0x01"},
        {"edition = \"2023\"; message M { optional int32 a = 1; }",
         "1:40: editions have no optional: fields are so unless features say otherwise"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct schema *s = NULL;
        struct error e = {0};
        if (try_schema(rows[i].text, true, &s, &e) != ERR_INVALID_SCHEMA) {
            fail_msg("accepted: %s", rows[i].text);
        }
        assert_string_equal(e.text, rows[i].error);
    }
}

// A schema that has long been registered is printed even if it would not be taken today.
static void test_lenient(void **state)
{
    (void)state;
    struct schema *s = NULL;
    struct error e;
    assert_int_equal(try_schema("message M { int32 a = 1; Foo b = 1; }", false, &s, &e), ERR_OK);
    expect_print(s, SCHEMA_CANONICAL, "\nmessage M {\n  int32 a = 1;\n  Foo b = 1;\n}\n");
    struct program *p = NULL;
    assert_int_equal(program_create(s, NULL, 0, &p, &e), ERR_INVALID_SCHEMA);
    schema_unref(s);
}

static void test_names_that_are_words(void **state)
{
    (void)state;
    struct schema *s = must_schema(P3 "message M { int32 option = 1; string message = 2; bool reserved = 3;"
                                      "message.X oneof = 4; optional.X map = 5; int32 to = 6; }"
                                      "message message { message X {} } message optional { message X {} }"
                                      "enum E { option = 0; reserved = 1; }");
    expect_print(s, SCHEMA_CANONICAL,
                 "syntax = \"proto3\";\n\nmessage M {\n  int32 option = 1;\n  string message = 2;\n"
                 "  bool reserved = 3;\n  message.X oneof = 4;\n  optional.X map = 5;\n  int32 to = 6;\n}\n"
                 "message message {\n  message X {}\n}\nmessage optional {\n  message X {}\n}\n"
                 "enum E {\n  option = 0;\n  reserved = 1;\n}\n");
    schema_unref(s);
}

static void test_streams(void **state)
{
    (void)state;
    struct schema *s =
        must_schema(P3 "message stream { message M {} } service S { rpc A(stream .stream.M) returns "
                       "(stream.M); rpc B(stream) returns (stream stream); }");
    expect_print(
        s, SCHEMA_CANONICAL,
        "syntax = \"proto3\";\n\nmessage stream {\n  message M {}\n}\n\nservice S {\n"
        "  rpc A (stream .stream.M) returns (stream.M);\n  rpc B (stream) returns (stream stream);\n}\n");
    schema_unref(s);
}

static void test_references(void **state)
{
    (void)state;
    struct schema *c = must_schema(P3 "package p.c; message C { int32 a = 1; }");
    struct schema_reference to_c = {STR("c.proto"), c};
    struct schema_source source = {
        .format = FORMAT_PROTOBUF,
        .text = STR(P3 "package p.b; import public \"c.proto\"; message B { c.C c = 1; }"),
        .references = &to_c,
        .reference_count = 1,
        .is_new = true};
    struct schema *b = NULL;
    struct error e = {0};
    assert_int_equal(schema_create(&source, &b, &e), ERR_OK);
    struct schema_reference to_b = {STR("b.proto"), b};
    source.references = &to_b;
    source.text = STR(P3 "package p; import \"b.proto\"; message A { b.B b = 1; .p.c.C c = 2; c.C d = 3; }");
    struct schema *a = NULL;
    assert_int_equal(schema_create(&source, &a, &e), ERR_OK);
    expect_print(a, SCHEMA_NORMAL,
                 "syntax = \"proto3\";\npackage p;\n\nimport \"b.proto\";\n\nmessage A {\n  .p.b.B b = 1;\n"
                 "  .p.c.C c = 2;\n  .p.c.C d = 3;\n}\n");
    schema_unref(a);
    schema_unref(b);
    schema_unref(c);
}

static void test_builtins(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"google/protobuf/any", "google.protobuf.Any"},
        {"google/protobuf/api", "google.protobuf.Api"},
        {"google/protobuf/descriptor", "google.protobuf.FileDescriptorProto"},
        {"google/protobuf/duration", "google.protobuf.Duration"},
        {"google/protobuf/empty", "google.protobuf.Empty"},
        {"google/protobuf/field_mask", "google.protobuf.FieldMask"},
        {"google/protobuf/source_context", "google.protobuf.SourceContext"},
        {"google/protobuf/struct", "google.protobuf.Struct"},
        {"google/protobuf/timestamp", "google.protobuf.Timestamp"},
        {"google/protobuf/type", "google.protobuf.Type"},
        {"google/protobuf/wrappers", "google.protobuf.BytesValue"},
        {"google/type/calendar_period", "google.type.CalendarPeriod"},
        {"google/type/color", "google.type.Color"},
        {"google/type/date", "google.type.Date"},
        {"google/type/datetime", "google.type.DateTime"},
        {"google/type/dayofweek", "google.type.DayOfWeek"},
        {"google/type/decimal", "google.type.Decimal"},
        {"google/type/expr", "google.type.Expr"},
        {"google/type/fraction", "google.type.Fraction"},
        {"google/type/interval", "google.type.Interval"},
        {"google/type/latlng", "google.type.LatLng"},
        {"google/type/money", "google.type.Money"},
        {"google/type/month", "google.type.Month"},
        {"google/type/phone_number", "google.type.PhoneNumber"},
        {"google/type/postal_address", "google.type.PostalAddress"},
        {"google/type/quaternion", "google.type.Quaternion"},
        {"google/type/timeofday", "google.type.TimeOfDay"},
        {"confluent/meta", "confluent.Meta"},
        {"confluent/type/decimal", "confluent.type.Decimal"},
        {"confluent/type/variant", "confluent.type.Variant"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[300];
        snprintf(text, sizeof text, P3 "import \"%s.proto\"; message M { %s m = 1; }", rows[i][0],
                 rows[i][1]);
        struct schema *s = must_schema(text);
        struct program *p = NULL; // all that it reaches is resolved
        struct error e = {0};
        if (program_create(s, NULL, 0, &p, &e) != ERR_OK) {
            fail_msg("%s: %s", rows[i][0], e.text);
        }
        program_unref(p);
        schema_unref(s);
    }
}

// ---- what an enemy may send

static void expect_bounded(const char *begin, const char *unit, const char *end)
{
    struct buf text;
    buf_init(&text, SCHEMA_TEXT_BYTES_MAX);
    buf_append_str(&text, str_from_c(begin));
    while (text.len + strlen(unit) + strlen(end) < SCHEMA_TEXT_BYTES_MAX) {
        buf_append_str(&text, str_from_c(unit));
    }
    buf_append_str(&text, str_from_c(end));
    struct schema_source source = {.format = FORMAT_PROTOBUF, .text = buf_str(&text), .is_new = true};
    struct schema *s = NULL;
    struct error e = {0};
    if (schema_create(&source, &s, &e) == ERR_OK) {
        struct buf out;
        buf_init(&out, 1 << 24);
        for (int form = SCHEMA_CANONICAL; form <= SCHEMA_SERIALIZED; form++) {
            enum err err = schema_print(s, (enum schema_form)form, &out, &e);
            assert_true(err == ERR_OK || err == ERR_NO_MEMORY);
        }
        buf_fini(&out);
        schema_unref(s);
    }
    buf_fini(&text);
}

static void test_hostile(void **state)
{
    (void)state;
    expect_bounded("", "message M{", "");
    expect_bounded("message M{", "optional group G=1{", "}");
    expect_bounded(P3 "option a=", "{a:", "");
    expect_bounded(P3 "option a=", "[", "");
    expect_bounded(P3 "option a={", "a:1 ", "};");
    expect_bounded(P3 "option a={", "a{} ", "};");
    expect_bounded(P3 "option a", ".a", "=1;");
    expect_bounded(P3 "option a=\"", "\\", "\";");
    expect_bounded(P3 "option a=", "'a'", ";");
    expect_bounded(P3, "option (x)={a:1};", "");
    expect_bounded(P3, "import \"a\";", "");
    expect_bounded(P3, "import public \"google/protobuf/type.proto\";", "");
    expect_bounded(P3 "message M{", "reserved 1 to max;", "}");
    expect_bounded("message M{", "extensions 1 to max;", "}");
    expect_bounded("message M{extensions 1 to max;}", "extend M{}", "");
    expect_bounded(P3 "message M{map<string,", "a.", "a>x=1;}");
    expect_bounded(P3 "message ", "M", "{}");
    expect_bounded(P3 "enum E{A=0;", "reserved -1 to max;", "}");
    expect_bounded(P3 "/*", "*", "");
    expect_bounded("", ";", "");
    expect_bounded("A", "AAAA", "A");   // base64 of nothing known
    expect_bounded("Ig", "AAAA", "AA"); // base64 of a descriptor of zeros
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lenient),
        cmocka_unit_test(test_names_that_are_words),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_builtins),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
