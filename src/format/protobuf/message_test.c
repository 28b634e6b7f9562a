// SPDX-License-Identifier: Apache-2.0
// message_test.c - messages by name: fields, defaults, enums, extensions, and programs for them.
#include "format/message.h"

#include "format/protobuf/pb_test.h"

static const char text[] = "syntax = \"proto2\"; package a; import \"google/protobuf/wrappers.proto\";"
                           "enum Color { RED = 1; BLUE = -2; }"
                           "message M {"
                           " optional int32 i = 1 [default = -32];"
                           " optional uint64 u = 2 [default = 0xff];"
                           " optional float f = 3 [default = 0.1];"
                           " optional double d = 4 [default = -inf];"
                           " optional string s = 5 [default = \"x\\n\"];"
                           " optional bool b = 6 [default = true];"
                           " optional Color c = 7 [default = BLUE];"
                           " optional Color first = 8;"
                           " repeated M list = 9;"
                           " map<string, N> map = 10;"
                           " optional google.protobuf.Int32Value w = 11;"
                           " optional bytes y = 12 [default = \"\\377\"];"
                           " required int64 r = 13;"
                           " message N { optional sint32 z = 1; }"
                           " extensions 100 to 200; }"
                           "extend M { optional int32 ext = 100; repeated M.N many = 101; }";

static struct message_field must_field(const struct schema *schema, const char *name)
{
    struct message_field field;
    const struct message_type *type = message_find(schema, STR("a.M"));
    assert_non_null(type);
    assert_true(message_field_find(type, str_from_c(name), &field));
    return field;
}

static void test_fields(void **state)
{
    (void)state;
    struct schema *schema = must_schema(text);
    struct message_field field = must_field(schema, "list");
    assert_true(field.is_repeated && !field.is_map && !field.has_presence);
    assert_true(str_equal(message_name(field.of), STR("a.M")));
    field = must_field(schema, "map");
    assert_true(field.is_map && !field.is_repeated);
    assert_int_equal(field.key, MESSAGE_STRING);
    assert_int_equal(field.scalar, MESSAGE_MESSAGE);
    assert_true(str_equal(message_name(field.of), STR("a.M.N")));
    field = must_field(schema, "w");
    assert_true(field.has_presence && str_equal(message_name(field.of), STR("google.protobuf.Int32Value")));
    field = must_field(schema, "r");
    assert_int_equal(field.number, 13);
    assert_int_equal(field.scalar, MESSAGE_INT64);
    const struct message_type *type = message_find(schema, STR("a.M"));
    assert_false(message_field_find(type, STR("nothing"), &field));
    assert_true(message_field_at(type, 12, &field) && str_equal(field.name, STR("r")));
    assert_false(message_field_at(type, 13, &field));
    assert_null(message_find(schema, STR("a.Color")));
    assert_null(message_find(schema, STR("M")));
    schema_unref(schema);
}

static void test_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum view_kind kind;
        int64_t number;
        double real;
        const char *raw;
    } rows[] = {
        {"i", VIEW_INT, -32, 0, ""},
        {"u", VIEW_UINT, 255, 0, ""},
        {"f", VIEW_DOUBLE, 0, (double)0.1f, ""},
        {"d", VIEW_DOUBLE, 0, -__builtin_inf(), ""},
        {"s", VIEW_STRING, 0, 0, "x\n"},
        {"b", VIEW_BOOL, 1, 0, ""},
        {"c", VIEW_INT, -2, 0, ""},
        {"first", VIEW_INT, 1, 0, ""},
        {"y", VIEW_BYTES, 0, 0, "\377"},
        {"r", VIEW_INT, 0, 0, ""},
    };
    struct schema *schema = must_schema(text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message_field field = must_field(schema, rows[i].name);
        struct view view = message_field_default(&field);
        if (view.kind != rows[i].kind || view.number != rows[i].number || view.real != rows[i].real ||
            (strcmp(rows[i].raw, "") != 0 &&
             !bytes_equal(view.raw, bytes_of(rows[i].raw, strlen(rows[i].raw))))) {
            fail_msg("the default of %s is %d, %lld, %g", rows[i].name, view.kind, (long long)view.number,
                     view.real);
        }
    }
    schema_unref(schema);
}

static void test_names(void **state)
{
    (void)state;
    struct schema *schema = must_schema(text);
    int64_t number = 0;
    assert_true(message_enum_value(schema, STR("a.Color.BLUE"), &number));
    assert_int_equal(number, -2);
    assert_true(message_enum_value(schema, STR("a.Color.RED"), &number));
    assert_false(message_enum_value(schema, STR("a.Color.GREEN"), &number));
    assert_false(message_enum_value(schema, STR("a.M.RED"), &number));
    assert_false(message_enum_value(schema, STR("RED"), &number));
    size_t messages = 0;
    size_t extensions = 0;
    struct message_field field;
    for (size_t i = 0; i < message_symbol_count(schema); i++) {
        messages += message_at(schema, i) != NULL;
        if (message_extension_at(schema, i, &field)) {
            extensions++;
            assert_true(str_equal(message_name(field.in), STR("a.M")));
        }
    }
    assert_int_equal(extensions, 2);
    assert_int_equal(messages, 2 + 9); // and the wrappers
    schema_unref(schema);
}

// A message that is no root of the wire format, and a field that the message's own program does not know.
static void test_programs(void **state)
{
    (void)state;
    static const uint8_t payload[] = {0xa0, 0x06, 0x07, 0xaa, 0x06, 0x02, 0x08, 0x03, 0xaa, 0x06, 0x00};
    struct schema *schema = must_schema(text);
    struct program *program = NULL;
    struct error e;
    assert_int_equal(
        message_program(schema, message_find(schema, STR("google.protobuf.Int32Value")), &program, &e),
        ERR_OK);
    struct view root = view_root(program, bytes_of("\x08\x05", 2));
    assert_int_equal(view_field(&root, STR("value")).number, 5);
    assert_true(str_equal(message_name(message_of_view(&root)), STR("google.protobuf.Int32Value")));
    assert_int_not_equal(program_check(program, bytes_of("\x0d\x05", 2), NULL), ERR_OK);
    program_unref(program);
    struct message_field field;
    for (size_t i = 0; i < message_symbol_count(schema); i++) {
        if (!message_extension_at(schema, i, &field)) {
            continue;
        }
        assert_int_equal(message_extension_program(schema, &field, &program, &e), ERR_OK);
        assert_int_equal(program_check(program, bytes_of(payload, sizeof payload), NULL), ERR_OK);
        root = view_root(program, bytes_of(payload, sizeof payload));
        struct view view = view_field(&root, field.name);
        struct view_items items = {.of = view};
        struct str key;
        struct view item;
        if (field.is_repeated) {
            assert_true(view_next(&items, &key, &item));
            assert_int_equal(view_field(&item, STR("z")).number, -2);
            assert_true(view_next(&items, &key, &item));
            assert_false(view_next(&items, &key, &item));
        } else {
            assert_int_equal(view.number, 7);
        }
        program_unref(program);
    }
    schema_unref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
