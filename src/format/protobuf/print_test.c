// SPDX-License-Identifier: Apache-2.0
// The texts that ids depend on, byte by byte.
#include "format/protobuf/pb_test.h"

static const char whole[] =
    "// first\nsyntax = \"proto3\"; package a.b;\n"
    "import \"google/protobuf/timestamp.proto\"; import public \"google/type/date.proto\";\n"
    "import \"confluent/meta.proto\";\n"
    "option java_package = 'x.\"y'; option (confluent.file_meta).doc = \"d\";\n"
    "option (confluent.file_meta).tags = \"t1\"; option (confluent.file_meta).tags = \"t2\";\n"
    "/* block */ enum E { option allow_alias = true; reserved 5, 7 to max; B = 0 [deprecated = true]; A = "
    "0x0; }\n"
    "message M { reserved 100, 200 to 300; reserved \"foo\", \"bar\"; // trailing\n"
    "  option (confluent.message_meta) = { doc: \"x\" params: [{key: \"a\" value: \"b\"}], tags: [] };\n"
    "  int32 a = 0x2 [json_name = \"aa\", deprecated = true];\n"
    "  optional string b = 1; map < string , N > m = 3;\n"
    "  repeated .a.b.M.N os = 4 [(confluent.field_meta) = { tags: \"PII\" }];\n"
    "  oneof x { string c = 7; google.protobuf.Timestamp d = 6; }\n"
    "  message N { Q q = 2; enum Q { Q0 = 0; } message O {} O o = 1; }\n"
    "}\n"
    "service S { rpc Get (M) returns (stream M.N) { option deprecated = true; } rpc P(stream M) returns (M); "
    "}\n";

static void test_canonical(void **state)
{
    (void)state;
    struct schema *s = must_schema(whole);
    expect_print(
        s, SCHEMA_CANONICAL,
        "syntax = \"proto3\";\npackage a.b;\n\n"
        "import \"google/protobuf/timestamp.proto\";\nimport \"confluent/meta.proto\";\n"
        "import public \"google/type/date.proto\";\n\n"
        "option java_package = \"x.\\\"y\";\noption (confluent.file_meta).doc = \"d\";\n"
        "option (confluent.file_meta).tags = \"t1\";\noption (confluent.file_meta).tags = \"t2\";\n\n"
        "message M {\n  reserved 100, 200 to 300;\n  reserved \"foo\", \"bar\";\n\n"
        "  option (confluent.message_meta) = {\n    doc: \"x\",\n    params: [\n      {\n        key: "
        "\"a\",\n"
        "        value: \"b\"\n      }\n    ],\n    tags: [\n    ]\n  };\n\n"
        "  int32 a = 2 [\n    deprecated = true,\n    json_name = \"aa\"\n  ];\n"
        "  optional string b = 1;\n  map<string, N> m = 3;\n"
        "  repeated .a.b.M.N os = 4 [(confluent.field_meta) = {\n    tags: \"PII\"\n  }];\n\n"
        "  oneof x {\n    string c = 7;\n    google.protobuf.Timestamp d = 6;\n  }\n\n"
        "  message N {\n    Q q = 2;\n    O o = 1;\n  \n    message O {}\n    enum Q {\n      Q0 = 0;\n    "
        "}\n"
        "  }\n}\n"
        "enum E {\n  reserved 5, 7 to max;\n  option allow_alias = true;\n  B = 0 [deprecated = true];\n"
        "  A = 0;\n}\n\n"
        "service S {\n  rpc Get (M) returns (stream M.N) {\n    option deprecated = true;\n  };\n"
        "  rpc P (stream M) returns (M);\n}\n");
    assert_true(str_equal(schema_name(s), STR("a.b.M")));
    schema_unref(s);
}

static void test_normal(void **state)
{
    (void)state;
    struct schema *s = must_schema(whole);
    expect_print(
        s, SCHEMA_NORMAL,
        "syntax = \"proto3\";\npackage a.b;\n\n"
        "import \"confluent/meta.proto\";\nimport \"google/protobuf/timestamp.proto\";\n"
        "import public \"google/type/date.proto\";\n\n"
        "option (confluent.file_meta) = {\n  doc: \"d\",\n  tags: [\n    \"t1\",\n    \"t2\"\n  ]\n};\n"
        "option java_package = \"x.\\\"y\";\n\n"
        "message M {\n  reserved 100;\n  reserved 200 to 300;\n  reserved \"bar\";\n  reserved \"foo\";\n\n"
        "  option (confluent.message_meta) = {\n    doc: \"x\",\n    params: {\n      key: \"a\",\n"
        "      value: \"b\"\n    }\n  };\n\n"
        "  optional string b = 1;\n  int32 a = 2 [\n    deprecated = true,\n    json_name = \"aa\"\n  ];\n"
        "  map<string, .a.b.M.N> m = 3;\n"
        "  repeated .a.b.M.N os = 4 [(confluent.field_meta) = {\n    tags: \"PII\"\n  }];\n\n"
        "  oneof x {\n    .google.protobuf.Timestamp d = 6;\n    string c = 7;\n  }\n\n"
        "  message N {\n    .a.b.M.N.O o = 1;\n    .a.b.M.N.Q q = 2;\n  \n    message O {}\n"
        "    enum Q {\n      Q0 = 0;\n    }\n  }\n}\n"
        "enum E {\n  reserved 5;\n  reserved 7 to max;\n  option allow_alias = true;\n  A = 0;\n"
        "  B = 0 [deprecated = true];\n}\n\n"
        "service S {\n  rpc Get (.a.b.M) returns (stream .a.b.M.N) {\n    option deprecated = true;\n  };\n"
        "  rpc P (stream .a.b.M) returns (.a.b.M);\n}\n");
    schema_unref(s);
}

// proto2, its groups, extensions and defaults; no syntax said: the text begins with an empty line.
static void test_proto2(void **state)
{
    (void)state;
    struct schema *s = must_schema(
        "import \"google/protobuf/descriptor.proto\";"
        "message A { required int32 a = 3 [default = -0x10]; optional double d = 2 [default = 3.14159];"
        "optional bytes b = 4 [default = \"\\x00z\"]; repeated group G = 5 { optional A.G g = 1; }"
        "optional E e = 1 [default = E1]; extensions 100 to max, 50; extend A { optional A x = 100; } }"
        "enum E { E1 = 1; E0 = -1; }"
        "extend google.protobuf.FieldOptions { optional string o = 50001; }"
        "extend A { optional string y = 102; repeated int32 z = 101 [packed = true, (o) = 'v']; }");
    expect_print(s, SCHEMA_CANONICAL,
                 "\nimport \"google/protobuf/descriptor.proto\";\n\n"
                 "message A {\n  required int32 a = 3 [default = -0x10];\n  optional double d = 2 [default = "
                 "3.14159];\n"
                 "  optional bytes b = 4 [default = \"\\000z\"];\n  optional E e = 1 [default = E1];\n\n"
                 "  repeated group G = 5 {\n    optional A.G g = 1;\n  }\n\n  extensions 100 to max, 50;\n\n"
                 "  extend A {\n    optional A x = 100;\n  }\n}\nenum E {\n  E1 = 1;\n  E0 = -1;\n}\n\n"
                 "extend google.protobuf.FieldOptions {\n  optional string o = 50001;\n}\n"
                 "extend A {\n  optional string y = 102;\n"
                 "  repeated int32 z = 101 [\n    packed = true,\n    (o) = \"v\"\n  ];\n}\n");
    expect_print(
        s, SCHEMA_NORMAL,
        "\nimport \"google/protobuf/descriptor.proto\";\n\n"
        "message A {\n  optional .E e = 1 [default = E1];\n  optional double d = 2 [default = 3.142];\n"
        "  required int32 a = 3 [default = -16];\n  optional bytes b = 4 [default = \"\\000z\"];\n\n"
        "  repeated group G = 5 {\n    optional .A.G g = 1;\n  }\n\n"
        "  extensions 50;\n  extensions 100 to max;\n\n"
        "  extend .A {\n    optional .A x = 100;\n  }\n}\nenum E {\n  E0 = -1;\n  E1 = 1;\n}\n\n"
        "extend .google.protobuf.FieldOptions {\n  optional string o = 50001;\n}\n"
        "extend .A {\n  repeated int32 z = 101 [\n    (o) = \"v\",\n    packed = true\n  ];\n"
        "  optional string y = 102;\n}\n");
    expect_print(
        s, SCHEMA_PLAIN,
        "\nimport \"google/protobuf/descriptor.proto\";\n\n"
        "message A {\n  required int32 a = 3 [default = -0x10];\n  optional double d = 2 [default = "
        "3.14159];\n"
        "  optional bytes b = 4 [default = \"\\000z\"];\n  optional E e = 1 [default = E1];\n\n"
        "  repeated group G = 5 {\n    optional A.G g = 1;\n  }\n}\nenum E {\n  E1 = 1;\n  E0 = -1;\n}\n");
    schema_unref(s);
}

static void test_editions(void **state)
{
    (void)state;
    const char *text =
        "edition = \"2023\";\npackage e;\n\noption features.field_presence = IMPLICIT;\n\n"
        "message M {\n  reserved foo;\n\n  int32 a = 1 [features.field_presence = LEGACY_REQUIRED];\n"
        "  M m = 2 [features.message_encoding = DELIMITED];\n}\n";
    struct schema *s = must_schema(text);
    expect_print(s, SCHEMA_CANONICAL, text);
    schema_unref(s);
    text = "edition = \"2024\";\n\nimport \"google/protobuf/any.proto\";\nimport option \"x.proto\";\n\n"
           "export message M {\n  local message N {}\n  export enum E {\n    A = 0;\n  }\n}\nlocal enum F "
           "{\n  B = 0;\n}\n";
    s = must_schema(text);
    expect_print(s, SCHEMA_CANONICAL, text);
    schema_unref(s);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *written;
        const char *normal;
    } rows[] = {
        {"1", "1"},
        {"0x1F", "31"},
        {"017", "15"},
        {"1.5", "1.5"},
        {"1.0", "1"},
        {"2.71828", "2.718"},
        {"1e3", "1000"},
        {"-0.5", "-0.5"},
        {"1e10", "10000000000"},
        {"1e-9", "0"},
        {"inf", "inf"},
        {"-inf", "-inf"},
        {"0.0005", "0.001"},
        {"0.0015", "0.002"},
        {"123456789.5", "123456792"},
        {"1.5E20", "150000003006131600000"},
        {"1e15", "999999986991104"},
        {"1e38", "99999996802856920000000000000000000000"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        char expected[200];
        snprintf(text, sizeof text, "message M { optional double d = 1 [default = %s]; }", rows[i].written);
        snprintf(expected, sizeof expected, "\nmessage M {\n  optional double d = 1 [default = %s];\n}\n",
                 rows[i].normal);
        struct schema *s = must_schema(text);
        expect_print(s, SCHEMA_NORMAL, expected);
        schema_unref(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical), cmocka_unit_test(test_normal),  cmocka_unit_test(test_proto2),
        cmocka_unit_test(test_editions),  cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
