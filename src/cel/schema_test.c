// SPDX-License-Identifier: Apache-2.0
// schema_test.c - expressions over payloads of each format: what the schema refuses, and what is read, with
// slots and without.
#include "cel/cel_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { ARENA_BYTES = 1 << 20, TEXT_BYTES = 1024 };

static const char avro_schema[] =
    "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"shop\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"email\",\"type\":[\"null\",\"string\"]},"
    "{\"name\":\"status\",\"type\":{\"type\":\"enum\",\"name\":\"Status\",\"symbols\":[\"NEW\",\"PAID\"]}},"
    "{\"name\":\"customer\",\"type\":{\"type\":\"record\",\"name\":\"Customer\",\"fields\":["
    "{\"name\":\"age\",\"type\":\"int\"},{\"name\":\"country\",\"type\":[\"null\",\"string\"]}]}},"
    "{\"name\":\"items\",\"type\":{\"type\":\"array\",\"items\":\"string\"}},"
    "{\"name\":\"tags\",\"type\":{\"type\":\"map\",\"values\":\"long\"}}]}";
// 7, "a@b", PAID, {33, null}, ["x", "yy"], {"n": 5}
static const uint8_t avro_payload[] = {14,  2, 6,   'a', '@', 'b', 2, 66,  0,  4, 2,
                                       'x', 4, 'y', 'y', 0,   2,   2, 'n', 10, 0};

static const char json_schema[] =
    "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\"},\"name\":{\"type\":\"string\"},"
    "\"inner\":{\"type\":\"object\",\"properties\":{\"flag\":{\"type\":\"boolean\"}},"
    "\"additionalProperties\":false},"
    "\"list\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}},\"additionalProperties\":false}";
static const char json_payload[] = "{\"id\": 7, \"name\": \"J\\u00fcrgen \\\"x\\\" \\ud83d\\ude00\", "
                                   "\"inner\": {\"flag\": true}, \"list\": [\"a\\n\", \"b\"]}";

static const char proto_schema[] =
    "syntax = \"proto3\";\npackage shop;\nimport \"google/protobuf/timestamp.proto\";\nimport "
    "\"google/protobuf/wrappers.proto\";\n"
    "message Order {\n  int64 id = 1;\n  string name = 2;\n  Customer customer = 3;\n"
    "  google.protobuf.Timestamp at = 4;\n  google.protobuf.Int32Value maybe = 5;\n  repeated uint32 counts "
    "= 6;\n"
    "  map<int32, string> names = 7;\n  enum Kind { A = 0; B = 1; }\n  Kind kind = 8;\n  optional int32 opt "
    "= 9;\n"
    "  uint64 big = 10;\n  message Customer { int32 age = 1; Customer friend = 2; }\n}\n";
// id 7, name "n", at {100, 5}, counts [1, 2], names {3: "c"}, kind B, big 5
static const uint8_t proto_payload[] = {8, 7, 18, 1, 'n', 34, 4,  8, 100, 16, 5, 50, 2,
                                        1, 2, 58, 5, 8,   3,  18, 1, 'c', 64, 1, 80, 5};

struct subject {
    struct schema *schema;
    struct program *program;
    struct bytes payload;
    bool has_unsigned;
};

static struct subject subject(enum format format, const char *text, const void *payload, size_t size)
{
    struct subject s = {.payload = bytes_of(payload, size)};
    struct schema_source source = {.format = format, .text = str_from_c(text)};
    struct error e = {0};
    if (schema_create(&source, &s.schema, &e) != ERR_OK ||
        program_create(s.schema, NULL, 0, &s.program, &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
    struct program_fault fault;
    if (program_check(s.program, s.payload, &fault) != ERR_OK) {
        fail_msg("%s %s", fault.path, fault.text);
    }
    return s;
}

static void subject_fini(struct subject *s)
{
    program_unref(s->program);
    schema_unref(s->schema);
}

static void run(const struct subject *s, const struct cel_program *program, const struct view *slots,
                char ret[TEXT_BYTES])
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct view root = view_root(s->program, s->payload);
    struct cel_value message = cel_view(&root);
    struct cel_run run = {.variables = &message, .slots = slots, .arena = &arena, .steps = CEL_STEPS_DEFAULT};
    struct cel_value value;
    struct error e;
    struct buf out;
    buf_init(&out, TEXT_BYTES);
    if (cel_eval(program, &run, &value, &e) == ERR_OK) {
        cel_value_print(value, &out);
        snprintf(ret, TEXT_BYTES, STR_FMT, STR_ARG(buf_str(&out)));
    } else {
        snprintf(ret, TEXT_BYTES, "error: %s", e.text);
    }
    buf_fini(&out);
    arena_fini(&arena);
}

static void check_one(const struct subject *s, const char *text, const char *want)
{
    struct cel_variable variable = {.name = STR("message"), .of = CEL_OF_SCHEMA, .program = s->program};
    struct cel_source source = {.text = str_from_c(text),
                                .variables = &variable,
                                .variable_count = 1,
                                .has_unsigned = s->has_unsigned};
    struct cel_program *program = NULL;
    struct cel_fault fault;
    char got[TEXT_BYTES];
    if (cel_compile(&source, &program, &fault) != ERR_OK) {
        snprintf(got, sizeof got, "%u:%u: %s", fault.line, fault.column, fault.text);
    } else {
        struct view slots[CEL_PATHS_MAX];
        for (size_t i = 0; i < cel_program_path_count(program); i++) {
            struct cel_path path = cel_program_path(program, i);
            slots[i] = view_root(s->program, s->payload);
            for (size_t k = 0; k < path.name_count; k++) {
                slots[i] = view_field(&slots[i], path.names[k]);
            }
        }
        char by_slots[TEXT_BYTES];
        run(s, program, NULL, got);
        run(s, program, slots, by_slots);
        assert_string_equal(got, by_slots);
    }
    cel_program_unref(program);
    if (strcmp(got, want) != 0) {
        fail_msg("%s\n  is   %s\n  want %s", text, got, want);
    }
}

static void test_avro(void **state)
{
    (void)state;
    struct subject s = subject(FORMAT_AVRO, avro_schema, avro_payload, sizeof avro_payload);
    static const char *const rows[][2] = {
        {"message.id > 5 && message.email.startsWith('a') && message.status == 'PAID'", "true"},
        {"message.customer.age + 1", "34"},
        {"message.customer.country == null && has(message.customer.country) && has(message.email)", "true"},
        {"message.customer.country.size()",
         "error: no matching overload for 'size' with 1 arguments, the first of type null_type"},
        {"message.items.map(i, i + '!')", "[\"x!\", \"yy!\"]"},
        {"message.tags.n + message.tags['n']", "10"},
        {"message.tags.m", "error: no such key: m"},
        {"size(message.items) + size(message.tags) + size(message)", "9"},
        {"message.customer", "{\"age\": 33, \"country\": null}"},
        {"message.exists(k, k == 'id') && 'id' in message && message['id'] == 7", "true"},
        {"message.idd", "1:9: shop.Order has no field \"idd\"; did you mean \"id\"?"},
        {"message.customer.unknown", "1:18: shop.Customer has no field \"unknown\""},
        {"has(message.emial)", "1:1: shop.Order has no field \"emial\"; did you mean \"email\"?"},
        {"message['emial']", "1:8: shop.Order has no field \"emial\"; did you mean \"email\"?"},
        {"message.id == 'x'", "1:12: no matching overload for '_==_' applied to '(int, string)'"},
        {"message.id == 7.0", "true"},
        {"message.items.all(i, i > 1)", "1:24: no matching overload for '_>_' applied to '(string, int)'"},
        {"message.customer.age.x", "1:22: a value of type int has no fields"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_one(&s, rows[i][0], rows[i][1]);
    }
    subject_fini(&s);
}

static void test_json(void **state)
{
    (void)state;
    struct subject s = subject(FORMAT_JSON, json_schema, json_payload, sizeof json_payload - 1);
    static const char *const rows[][2] = {
        {"message.id == 7 && message.inner.flag", "true"},
        {"message.name == 'J\\u00fcrgen \"x\" \\U0001F600' && message.name.size() == 12", "true"},
        {"message.list[0] + message.list[1]", "\"a\\nb\""},
        {"message.nam", "1:9: record has no field \"nam\"; did you mean \"name\"?"},
        {"message.name > 5", "1:14: no matching overload for '_>_' applied to '(string, int)'"},
        {"message.inner", "{\"flag\": true}"},
        {"has(message.inner) && has(message.inner.flag)", "true"},
        {"type(message)", "map"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_one(&s, rows[i][0], rows[i][1]);
    }
    subject_fini(&s);
    static const char absent[] = "{}";
    s = subject(FORMAT_JSON, json_schema, absent, 2);
    check_one(&s, "message.name", "error: no such key: name");
    check_one(&s, "has(message.name) || message.inner.flag", "error: no such key: flag");
    check_one(&s, "has(message.name) && message.name == 'x'", "false");
    subject_fini(&s);
}

static void test_protobuf(void **state)
{
    (void)state;
    struct subject s = subject(FORMAT_PROTOBUF, proto_schema, proto_payload, sizeof proto_payload);
    static const char *const rows[][2] = {
        {"message.id + message.kind", "8"},
        {"message.customer.age == 0 && !has(message.customer) && message.customer.friend.age == 0", "true"},
        {"message.at > timestamp(99) && message.at.getMilliseconds() == 0", "true"},
        {"message.maybe == null", "true"},
        {"message.counts.map(c, c * 2)", "[2, 4]"},
        {"message.names[3] + message.names[?4].orValue('d')", "\"cd\""},
        {"message.opt == 0 && !has(message.opt)", "true"},
        {"message.big + 1", "6"},
        {"message.nam", "1:9: shop.Order has no field \"nam\"; did you mean \"name\"?"},
        {"type(message.customer)", "shop.Order.Customer"},
        {"message.names.all(k, v, k == 3 && v == 'c')", "true"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_one(&s, rows[i][0], rows[i][1]);
    }
    s.has_unsigned = true;
    check_one(&s, "message.big + 1u", "6u");
    check_one(&s, "message.big + 1", "1:13: no matching overload for '_+_' applied to '(uint, int)'");
    subject_fini(&s);
}

// Paths are what is read of the schema's variable, each once.
static void test_paths(void **state)
{
    (void)state;
    struct subject s = subject(FORMAT_AVRO, avro_schema, avro_payload, sizeof avro_payload);
    struct cel_variable variable = {.name = STR("message"), .of = CEL_OF_SCHEMA, .program = s.program};
    struct cel_source source = {.text = STR("message.customer.age > 1 && message['customer']['age'] < 9 && "
                                            "message.tags.n == 1 && has(message.customer.country)"),
                                .variables = &variable,
                                .variable_count = 1};
    struct cel_program *program = NULL;
    assert_int_equal(cel_compile(&source, &program, NULL), ERR_OK);
    assert_int_equal(cel_program_path_count(program), 3);
    static const char *const want[] = {"customer.age", "tags", "customer"};
    for (size_t i = 0; i < 3; i++) {
        struct cel_path path = cel_program_path(program, i);
        char text[TEXT_BYTES] = "";
        for (size_t k = 0; k < path.name_count; k++) {
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s" STR_FMT, k == 0 ? "" : ".",
                     STR_ARG(path.names[k]));
        }
        assert_string_equal(text, want[i]);
    }
    struct cel_program *held = cel_program_ref(program);
    cel_program_unref(program);
    assert_int_equal(cel_program_result(held), CEL_BOOL);
    assert_true(cel_program_memory(held) > 0);
    cel_program_unref(held);
    // A place below the root.
    struct value_type root = program_root_type(s.program);
    struct value_type customer;
    assert_true(type_field(&root, STR("customer"), &customer));
    variable = (struct cel_variable){
        .name = STR("this"), .of = CEL_OF_SCHEMA, .program = s.program, .place = &customer};
    source.text = STR("this.agee > 1");
    struct cel_fault fault;
    assert_int_equal(cel_compile(&source, &program, &fault), ERR_INVALID_REQUEST);
    assert_string_equal(fault.text, "shop.Customer has no field \"agee\"; did you mean \"age\"?");
    subject_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_avro),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_protobuf),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
