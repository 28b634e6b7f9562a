// SPDX-License-Identifier: Apache-2.0
#include "registry/rig_test.h"

static void put_schema(struct desk *d, const char *path, const char *type, const char *text, const char *more)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    buf_printf(&body, "{\"schemaType\":\"%s\",\"schema\":", type);
    json_print_str(str_from_c(text), &body);
    buf_printf(&body, "%s}", more);
    buf_u8(&body, 0);
    expect_code(d, "POST", path, (const char *)body.ptr, 0);
    buf_fini(&body);
}

// tag asks for tags at one path, and returns the schema that comes of it.
static const char *tag(struct desk *d, const char *list, const char *path, const char *type, const char *tags)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    buf_printf(&body,
               "{\"%s\":[{\"schemaEntity\":{\"entityPath\":\"%s\",\"entityType\":\"%s\"},\"tags\":%s}]}",
               list, path, type, tags);
    buf_u8(&body, 0);
    ask(d, "POST", "/subjects/s/versions/latest/tags", (const char *)body.ptr);
    buf_fini(&body);
    struct str text = d->status == 200 ? json_get_str(d->json, STR("schema")) : (struct str){0};
    return text.ptr == NULL ? NULL : arena_str(&d->arena, text).ptr;
}

static void tags_are_written_into_avro(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    put_schema(&d, "/subjects/s/versions", "AVRO",
               "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a.b\",\"fields\":["
               "{\"name\":\"f\",\"type\":\"string\"},"
               "{\"name\":\"g\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"N\",\"fields\":[{\"name\":"
               "\"h\",\"type\":"
               "\"int\"}]}]},"
               "{\"name\":\"l\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"M\","
               "\"fields\":[{"
               "\"name\":\"k\",\"type\":\"int\"}]}}}]}",
               "");
    assert_non_null(strstr(tag(&d, "tagsToAdd", "a.b.R", "sr_record", "[\"X\",\"Y\",\"X\"]"),
                           "\"confluent:tags\":[\"X\",\"Y\"]"));
    expect_code(&d, "GET", "/subjects/s/versions", NULL, 0);
    assert_string_equal(d.text, "[1,2]");
    assert_non_null(strstr(tag(&d, "tagsToAdd", ".R.f", "sr_field", "[\"PII\"]"),
                           "{\"name\":\"f\",\"type\":\"string\",\"confluent:tags\":[\"PII\"]}"));
    assert_non_null(strstr(tag(&d, "tagsToAdd", "R.g.N.h", "sr_field", "[\"Q\"]"),
                           "{\"name\":\"h\",\"type\":\"int\",\"confluent:tags\":[\"Q\"]}"));
    assert_non_null(strstr(tag(&d, "tagsToAdd", "a.b.N", "sr_record", "[\"NN\"]"), "[\"NN\"]"));
    assert_non_null(strstr(tag(&d, "tagsToAdd", "R.l.array.M.k", "sr_field", "[\"K\"]"),
                           "{\"name\":\"k\",\"type\":\"int\",\"confluent:tags\":[\"K\"]}"));
    assert_non_null(strstr(tag(&d, "tagsToAdd", "a.b.M.k", "sr_field", "[\"K2\"]"), "[\"K\",\"K2\"]"));
    assert_non_null(
        strstr(tag(&d, "tagsToRemove", "a.b.R", "sr_record", "[\"X\"]"), "\"confluent:tags\":[\"Y\"]"));
    assert_null(strstr(tag(&d, "tagsToRemove", "a.b.R", "sr_record", "[\"Y\"]"), "[\"Y\"]"));
    static const char *const wrong[][2] = {
        {"R.x", "sr_field"}, {"R", "sr_field"},    {"R.f", "sr_record"},
        {"Q", "sr_record"},  {"a.b", "sr_record"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null(tag(&d, "tagsToAdd", wrong[i][0], wrong[i][1], "[\"T\"]"));
        assert_int_equal(desk_code(&d), 42201);
    }
    desk_fini(&d);
}

static void tags_are_written_into_json(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    put_schema(
        &d, "/subjects/s/versions", "JSON",
        "{\"type\":\"object\",\"properties\":{\"f\":{\"type\":\"string\"},\"a.b\":{\"type\":\"string\"},"
        "\"l\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"g\":{\"type\":\"string\"}"
        "}}},"
        "\"u\":{\"allOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"properties\":{\"h\":{\"type\":"
        "\"string\"}}}]},"
        "\"n\":{\"not\":{\"type\":\"object\",\"properties\":{\"i\":{\"type\":\"string\"}}}}}}",
        "");
    static const char *const paths[][2] = {
        {"object", "sr_record"},
        {"object.f", "sr_field"},
        {"object.a.b", "sr_field"},
        {"object.l.array.object.g", "sr_field"},
        {"object.l.array.object", "sr_record"},
        {"object.u.allof.1.object.h", "sr_field"},
        {"object.n.not.object.i", "sr_field"},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char tags[20];
        snprintf(tags, sizeof tags, "[\"T%zu\"]", i);
        const char *text = tag(&d, "tagsToAdd", paths[i][0], paths[i][1], tags);
        if (text == NULL || strstr(text, tags) == NULL) {
            fail_msg("%s: %s", paths[i][0], d.text);
        }
    }
    static const char *const wrong[] = {"f", "object.x", "object.u.allof.2.object.h", "object.u.allof.-1",
                                        "object.f.not"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null(tag(&d, "tagsToAdd", wrong[i], "sr_field", "[\"T\"]"));
        assert_int_equal(desk_code(&d), 42201);
    }
    desk_fini(&d);
}

static void metadata_and_rules_change(void **state)
{
    (void)state;
    struct desk d;
    desk_init(&d);
    put_schema(&d, "/subjects/s/versions", "AVRO", "\"int\"",
               ",\"metadata\":{\"properties\":{\"o\":\"x\"}},\"ruleSet\":{\"domainRules\":[{\"name\":\"a\","
               "\"type\":\"T\"},"
               "{\"name\":\"b\",\"type\":\"T\"}]}");
    expect_code(&d, "POST", "/subjects/s/versions/1/tags",
                "{\"newVersion\":2,\"rulesToMerge\":{\"domainRules\":[{\"name\":\"c\",\"type\":\"T\"}]},"
                "\"rulesToRemove\":"
                "[\"a\"]}",
                0);
    assert_non_null(strstr(d.text, "\"properties\":{\"o\":\"x\",\"confluent:version\":\"2\"}"));
    assert_null(strstr(d.text, "\"name\":\"a\""));
    assert_non_null(strstr(d.text, "\"name\":\"b\""));
    assert_non_null(strstr(d.text, "\"name\":\"c\""));
    expect_code(&d, "POST", "/subjects/s/versions/latest/tags",
                "{\"newVersion\":3,\"metadata\":{\"properties\":{\"p\":\"y\"}},\"ruleSet\":{}}", 0);
    assert_non_null(strstr(d.text, "\"properties\":{\"p\":\"y\",\"confluent:version\":\"3\"}"));
    assert_null(strstr(d.text, "domainRules"));
    expect_code(&d, "GET", "/subjects/s/metadata?key=o&value=x", NULL, 0);
    assert_non_null(strstr(d.text, "\"version\":2"));
    expect_code(&d, "GET", "/subjects/s/metadata?key=o&value=x&key=confluent:version&value=3", NULL, 40403);
    expect_code(&d, "GET", "/subjects/s/metadata?key=o", NULL, 40403);
    expect_code(&d, "GET", "/subjects/s/metadata", NULL, 0);
    assert_non_null(strstr(d.text, "\"version\":3"));
    expect_code(&d, "GET", "/subjects/none/metadata?key=o&value=x", NULL, 40401);
    expect_code(&d, "DELETE", "/subjects/s/versions/2", NULL, 0);
    expect_code(&d, "GET", "/subjects/s/metadata?key=confluent:version&value=2", NULL, 40403);
    expect_code(&d, "GET", "/subjects/s/metadata?key=confluent:version&value=2&deleted=true", NULL, 0);
    desk_fini(&d);
}

static void requests_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int code;
    } rows[] = {
        {NULL, 422},
        {"[", 400},
        {"7", 422},
        {"{\"tagsToAdd\":{}}", 422},
        {"{\"tagsToAdd\":[7]}", 422},
        {"{\"tagsToAdd\":[{}]}", 422},
        {"{\"tagsToAdd\":[{\"schemaEntity\":{\"entityPath\":\"R\"},\"tags\":[]}]}", 422},
        {"{\"tagsToAdd\":[{\"schemaEntity\":{\"entityPath\":7,\"entityType\":\"sr_field\"},\"tags\":[]}]}",
         422},
        {"{\"tagsToAdd\":[{\"schemaEntity\":{\"entityPath\":\"R\",\"entityType\":\"sr_record\"},\"tags\":[7]}"
         "]}",
         422},
        {"{\"tagsToAdd\":[{\"schemaEntity\":{\"entityPath\":\"R\",\"entityType\":\"sr_record\"}}]}", 422},
        {"{\"tagsToRemove\":\"x\"}", 422},
        {"{\"metadata\":[]}", 422},
        {"{\"newVersion\":\"x\"}", 422},
        {"{\"newVersion\":7}", 42201},
        {"{\"ruleSet\":7}", 42210},
        {"{\"rulesToMerge\":{\"domainRules\":[{}]}}", 42210},
        {"{\"rulesToRemove\":{}}", 422},
        {"{\"ruleSet\":{},\"rulesToRemove\":[\"a\"]}", 422},
    };
    struct desk d;
    desk_init(&d);
    put_schema(&d, "/subjects/s/versions", "AVRO", "{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}", "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_code(&d, "POST", "/subjects/s/versions/1/tags", rows[i].body, rows[i].code);
    }
    expect_code(&d, "POST", "/subjects/s/versions/2/tags", "{}", 40402);
    expect_code(&d, "POST", "/subjects/t/versions/1/tags", "{}", 40401);
    expect_code(&d, "POST", "/subjects/s/versions/x/tags", "{}", 42202);
    desk_fini(&d);
}

static void tags_are_written_into_protobuf(void **state)
{
    (void)state;
    static const struct {
        const char *verb;
        const char *path;
        const char *kind;
        const char *tags;
        const char *has; // NULL: the path names nothing
    } rows[] = {
        {"tagsToAdd", "p.M.plain", "sr_field", "[\"A\",\"B\"]",
         "string plain = 1 [(confluent.field_meta) = {\\n    tags: [\\n      \\\"A\\\",\\n      \\\"B\\\"\\n "
         "   ]\\n  }];"},
        {"tagsToAdd", "M.plain", "sr_field", "[\"B\",\"C\"]",
         "\\\"A\\\",\\n      \\\"B\\\",\\n      \\\"C\\\""},
        {"tagsToRemove", ".p.M.plain", "sr_field", "[\"A\",\"B\",\"X\"]",
         "tags: [\\n      \\\"C\\\"\\n    ]"},
        {"tagsToRemove", "p.M.plain", "sr_field", "[\"C\"]", "string plain = 1;"},
        {"tagsToAdd", "p.M.doc", "sr_field", "[\"D\"]",
         "(confluent.field_meta).doc = \\\"d\\\",\\n    (confluent.field_meta).tags = \\\"D\\\""},
        {"tagsToAdd", "p.M.old", "sr_field", "[\"NEW\"]", "\\\"OLD\\\",\\n      \\\"NEW\\\""},
        {"tagsToRemove", "p.M.whole", "sr_field", "[\"W\"]", "doc: \\\"w\\\"\\n  }];"},
        {"tagsToAdd", "p.M", "sr_record", "[\"REC\"]",
         "option (confluent.message_meta) = {\\n    tags: [\\n      \\\"REC\\\""},
        {"tagsToAdd", "M.Inner", "sr_record", "[\"IN\"]", "\\\"IN\\\""},
        {"tagsToAdd", "M.Inner.x", "sr_field", "[\"X\"]", "int32 x = 1 [(confluent.field_meta) = {"},
        {"tagsToAdd", "M.inner.y", "sr_field", "[\"Y\"]", "int32 y = 2 [(confluent.field_meta) = {"},
        {"tagsToAdd", "M.pick", "sr_field", "[\"ONE\"]", "bytes pick = 6 [(confluent.field_meta) = {"},
        {"tagsToAdd", "M.nothing", "sr_field", "[\"A\"]", NULL},
        {"tagsToAdd", "M", "sr_field", "[\"A\"]", NULL},
        {"tagsToAdd", "M.plain", "sr_record", "[\"A\"]", NULL},
        {"tagsToAdd", "q.M.plain", "sr_field", "[\"A\"]", NULL},
        {"tagsToAdd", "M.when.seconds", "sr_field", "[\"A\"]", NULL}, // another file's
    };
    struct desk d;
    desk_init(&d);
    put_schema(&d, "/subjects/s/versions", "PROTOBUF",
               "syntax = \"proto3\"; package p; import \"google/protobuf/timestamp.proto\"; message M {"
               "string plain = 1; string doc = 2 [(confluent.field_meta).doc = \"d\"];"
               "string old = 3 [(confluent.field_meta).tags = \"OLD\"];"
               "string whole = 4 [(confluent.field_meta) = {doc: \"w\", tags: [\"W\"]}];"
               "Inner inner = 5; oneof o { bytes pick = 6; } google.protobuf.Timestamp when = 7;"
               "message Inner { int32 x = 1; int32 y = 2; } }",
               "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = tag(&d, rows[i].verb, rows[i].path, rows[i].kind, rows[i].tags);
        if ((text == NULL) != (rows[i].has == NULL) ||
            (text != NULL && strstr(d.text, rows[i].has) == NULL)) {
            fail_msg("%s %s: %s", rows[i].verb, rows[i].path, d.text);
        }
        assert_true(text != NULL || desk_code(&d) == 42201);
        assert_true(text == NULL || strstr(d.text, "import \\\"confluent/meta.proto\\\"") != NULL);
    }
    desk_fini(&d);
}

static void long_paths_end(void **state)
{
    (void)state;
    struct desk d;
    struct buf text;
    struct buf path;
    desk_init(&d);
    buf_init(&text, 1 << 20);
    buf_init(&path, 1 << 20);
    buf_append_str(&text, STR("{\"type\":\"record\",\"name\":\"R0\",\"fields\":["));
    for (int i = 1; i < 60; i++) {
        buf_printf(&text,
                   "{\"name\":\"f\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[",
                   i);
        buf_printf(&path, "R%d.f.", i - 1);
    }
    for (int i = 1; i < 60; i++) {
        buf_append_str(&text, STR("]}]}"));
    }
    buf_append_str(&text, STR("]}"));
    buf_u8(&text, 0);
    buf_append_str(&path, STR("R59"));
    buf_u8(&path, 0);
    put_schema(&d, "/subjects/s/versions", "AVRO", (const char *)text.ptr, "");
    const char *tagged = tag(&d, "tagsToAdd", (const char *)path.ptr, "sr_record", "[\"DEEP\"]");
    assert_non_null(tagged);
    assert_non_null(strstr(tagged, "DEEP"));
    buf_fini(&text);
    buf_fini(&path);
    desk_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_written_into_avro),     cmocka_unit_test(tags_are_written_into_json),
        cmocka_unit_test(tags_are_written_into_protobuf), cmocka_unit_test(metadata_and_rules_change),
        cmocka_unit_test(requests_are_checked),           cmocka_unit_test(long_paths_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
