// SPDX-License-Identifier: Apache-2.0
// cel.c - what one run of a compiled expression costs: its static paths given in slots, as whoever checks
// payloads has them, and looked up. The best of many rounds. One line of JSON per expression.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "cel/cel.h"

enum { ROUNDS = 40, BATCH = 20000, ARENA_BYTES = 1 << 20 };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "cel: %s: %s\n", what, why);
    exit(1);
}

// ---- an order as Avro

static const char schema_text[] =
    "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"shop\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"status\",\"type\":\"string\"},"
    "{\"name\":\"email\",\"type\":[\"null\",\"string\"]},{\"name\":\"amount\",\"type\":\"double\"},"
    "{\"name\":\"customer\",\"type\":{\"type\":\"record\",\"name\":\"Customer\",\"fields\":["
    "{\"name\":\"country\",\"type\":\"string\"},{\"name\":\"age\",\"type\":\"int\"}]}},"
    "{\"name\":\"items\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Item\","
    "\"fields\":["
    "{\"name\":\"sku\",\"type\":\"string\"},{\"name\":\"count\",\"type\":\"int\"}]}}}]}";

static void put_text(struct buf *out, const char *text)
{
    buf_varlong(out, (int64_t)strlen(text));
    buf_append_str(out, str_from_c(text));
}

static struct bytes order(struct buf *out)
{
    static const char *const skus[] = {"A-100", "B-200", "C-300", "D-400"};
    double amount = 99.5;
    buf_init(out, 4096);
    buf_varlong(out, 42);
    put_text(out, "PAID");
    buf_varlong(out, 1);
    put_text(out, "jane.doe@example.org");
    buf_append(out, &amount, sizeof amount);
    put_text(out, "NZ");
    buf_varlong(out, 33);
    buf_varlong(out, 4);
    for (int i = 0; i < 4; i++) {
        put_text(out, skus[i]);
        buf_varlong(out, i + 1);
    }
    buf_varlong(out, 0);
    return buf_bytes(out);
}

static const struct {
    const char *name;
    const char *text;
    unsigned nodes; // of the tree that are run
} cases[] = {
    {"one comparison", "message.amount > 0.0", 3},
    {"one comparison of strings", "message.status == 'PAID'", 3},
    {"three terms", "message.amount > 0.0 && message.status == 'PAID' && message.id < 1000", 10},
    {"in a list", "message.status in ['NEW', 'PAID', 'SENT']", 6},
    {"a string's start and length", "message.email.startsWith('jane') && size(message.email) < 64", 8},
    {"a regular expression", "message.email.matches('^[a-z.]+@[a-z.]+$')", 3},
    {"a choice and arithmetic",
     "(message.customer.age >= 18 ? message.amount * 1.15 : message.amount) < 200.0", 12},
    {"all of four items", "message.items.all(i, i.count > 0)", 18},
};

struct subject {
    struct cel_program *program;
    struct program *payloads; // with the expression's paths
    struct view slots[CEL_PATHS_MAX];
    struct cel_value message;
    struct view root;
    struct arena arena;
};

static void subject_init(struct subject *s, const struct schema *schema, struct bytes payload,
                         const char *text)
{
    struct program *plain = NULL;
    struct error e;
    struct cel_fault fault;
    if (program_create(schema, NULL, 0, &plain, &e) != ERR_OK) {
        die("schema", e.text);
    }
    struct cel_variable variable = {.name = STR("message"), .of = CEL_OF_SCHEMA, .program = plain};
    struct cel_source source = {.text = str_from_c(text), .variables = &variable, .variable_count = 1};
    if (cel_compile(&source, &s->program, &fault) != ERR_OK) {
        die(text, fault.text);
    }
    struct program_path paths[CEL_PATHS_MAX];
    size_t count = cel_program_path_count(s->program);
    for (size_t i = 0; i < count; i++) {
        struct cel_path path = cel_program_path(s->program, i);
        paths[i] = (struct program_path){path.names, path.name_count};
    }
    if (program_create_with(schema, NULL, 0, paths, count, &s->payloads, &e) != ERR_OK ||
        program_check_slots(s->payloads, payload, s->slots, NULL) != ERR_OK) {
        die(text, "the payload is refused");
    }
    s->root = view_root(plain, payload);
    s->message = cel_view(&s->root);
    arena_init(&s->arena, ARENA_BYTES);
    program_unref(plain);
}

static void run_once(struct subject *s, const struct view *slots)
{
    struct cel_run run = {
        .variables = &s->message, .slots = slots, .arena = &s->arena, .steps = CEL_STEPS_DEFAULT};
    struct cel_value value;
    bool holds = false;
    if (cel_eval(s->program, &run, &value, NULL) != ERR_OK || !cel_value_bool(value, &holds) || !holds) {
        die("a run", "is not true");
    }
    if (s->arena.total > 0) {
        arena_reset(&s->arena);
    }
}

static double measure(struct subject *s, const struct view *slots)
{
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now_ns();
        for (int i = 0; i < BATCH; i++) {
            run_once(s, slots);
        }
        double ns = (now_ns() - begin) / BATCH;
        best = ns < best ? ns : best;
    }
    return best;
}

int main(void)
{
    struct schema_source source = {.format = FORMAT_AVRO, .text = {schema_text, sizeof schema_text - 1}};
    struct schema *schema = NULL;
    struct error e;
    struct buf out;
    if (schema_create(&source, &schema, &e) != ERR_OK) {
        die("schema", e.text);
    }
    struct bytes payload = order(&out);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct subject s = {0};
        subject_init(&s, schema, payload, cases[i].text);
        double slot_ns = measure(&s, s.slots);
        double view_ns = measure(&s, NULL);
        printf("{\"name\": \"%s\", \"text\": \"%s\", \"nodes\": %u, \"slot_ns\": %.1f, \"view_ns\": %.1f}\n",
               cases[i].name, cases[i].text, cases[i].nodes, slot_ns, view_ns);
        cel_program_unref(s.program);
        program_unref(s.payloads);
        arena_fini(&s.arena);
    }
    buf_fini(&out);
    schema_unref(schema);
    return 0;
}
