// SPDX-License-Identifier: Apache-2.0
// fast_test.c - the fast pass and the one that explains agree: on random schemas of every keyword and random
// values, well-formed and damaged, and on what lies at the edges of the words that are read at once.
#include "format/json/json_schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "json/lex.h"
#include "json/scan.h"

struct world {
    uint64_t rng;
    struct buf text;
};

static uint32_t below(struct world *w, uint32_t bound)
{
    w->rng = hash_mix(w->rng + 0x9e3779b97f4a7c15ULL, 0x2545f4914f6cdd1dULL);
    return (uint32_t)((w->rng >> 32) % bound);
}

static void put(struct world *w, const char *text)
{
    buf_append_str(&w->text, str_from_c(text));
}

#define PICK(w, list) ((list)[below((w), sizeof(list) / sizeof((list)[0]))])

static const char *const names[] = {"a",
                                    "b",
                                    "c",
                                    "kind",
                                    "a longer name than a word",
                                    "\\u0061",
                                    "q\\\"t",
                                    "exactly15bytes.",
                                    "sixteen bytes it"};
static const char *const scalars[] = {"null",
                                      "true",
                                      "false",
                                      "0",
                                      "1",
                                      "-1",
                                      "7.5",
                                      "1.0",
                                      "1e2",
                                      "12345678901234567",
                                      "0.00000001",
                                      "100",
                                      "\"\"",
                                      "\"a\"",
                                      "\"b\"",
                                      "\"click\"",
                                      "\"view\"",
                                      "\"\\u0061\"",
                                      "\"abc\"",
                                      "\"2026-01-02\"",
                                      "\"\xc3\xa4\xc3\xb6\xc3\xbc\"",
                                      "\"long enough to span several words of text\""};
static const char *const spaces[] = {"", "", "", " ", "\n\t "};

static void schema(struct world *w, int depth);

static void schema_list(struct world *w, const char *keyword, int depth)
{
    uint32_t count = 1 + below(w, 3);
    buf_printf(&w->text, ",\"%s\":[", keyword);
    for (uint32_t i = 0; i < count; i++) {
        put(w, i == 0 ? "" : ",");
        schema(w, depth - 1);
    }
    put(w, "]");
}

static void named(struct world *w, const char *keyword, int depth)
{
    buf_printf(&w->text, ",\"%s\":", keyword);
    schema(w, depth - 1);
}

static void properties(struct world *w, const char *keyword, int depth)
{
    bool is_taken[9] = {false};
    uint32_t count = 1 + below(w, 4);
    const char *comma = "";
    buf_printf(&w->text, ",\"%s\":{", keyword);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = below(w, 9);
        if (is_taken[at] || at == 5) {
            continue;
        }
        is_taken[at] = true;
        buf_printf(&w->text, "%s\"%s\":", comma, names[at]);
        schema(w, depth - 1);
        comma = ",";
    }
    put(w, "}");
}

// A union whose branches are told apart by a member.
static void told_apart(struct world *w, int depth)
{
    static const char *const kinds[] = {"click", "view", "a"};
    buf_printf(&w->text, ",\"%s\":[", below(w, 2) == 0 ? "oneOf" : "anyOf");
    for (int i = 0; i < 3; i++) {
        buf_printf(&w->text, "%s{\"properties\":{\"kind\":{\"const\":\"%s\"},\"a\":", i == 0 ? "" : ",",
                   kinds[i]);
        schema(w, depth - 1);
        put(w, "}}");
    }
    put(w, "]");
}

static void object_keywords(struct world *w, int depth)
{
    static const char *const rows[] = {",\"required\":[\"a\"]",
                                       ",\"required\":[\"kind\",\"b\"]",
                                       ",\"minProperties\":1",
                                       ",\"maxProperties\":2",
                                       ",\"additionalProperties\":false",
                                       ",\"unevaluatedProperties\":false",
                                       ",\"dependentRequired\":{\"a\":[\"b\"]}"};
    switch (below(w, 8)) {
    case 0:
        named(w, "additionalProperties", depth);
        return;
    case 1:
        properties(w, "dependentSchemas", depth);
        return;
    case 2:
        put(w, ",\"patternProperties\":{\"^a\":");
        schema(w, depth - 1);
        put(w, "}");
        return;
    case 3:
        put(w, ",\"propertyNames\":{\"maxLength\":8}");
        return;
    case 4:
        put(w, PICK(w, rows));
        return;
    case 5:
        told_apart(w, depth);
        return;
    default:
        properties(w, "properties", depth);
        return;
    }
}

static void array_keywords(struct world *w, int depth)
{
    static const char *const rows[] = {",\"minItems\":1", ",\"maxItems\":2", ",\"uniqueItems\":true",
                                       ",\"unevaluatedItems\":false", ",\"minContains\":0,\"contains\":true"};
    switch (below(w, 4)) {
    case 0:
        schema_list(w, "prefixItems", depth);
        return;
    case 1:
        named(w, "contains", depth);
        return;
    case 2:
        put(w, PICK(w, rows));
        return;
    default:
        named(w, "items", depth);
        return;
    }
}

static void keyword(struct world *w, int depth)
{
    static const char *const types[] = {"\"object\"",
                                        "\"array\"",
                                        "\"string\"",
                                        "\"number\"",
                                        "\"integer\"",
                                        "\"boolean\"",
                                        "\"null\"",
                                        "[\"string\",\"null\"]",
                                        "[\"object\",\"array\",\"integer\"]"};
    static const char *const rows[] = {",\"minLength\":2",
                                       ",\"maxLength\":3",
                                       ",\"pattern\":\"^[a-z]+$\"",
                                       ",\"minimum\":0",
                                       ",\"maximum\":100",
                                       ",\"minimum\":0.5",
                                       ",\"exclusiveMaximum\":7.5",
                                       ",\"multipleOf\":1",
                                       ",\"multipleOf\":0.5",
                                       ",\"minimum\":-1e3",
                                       ",\"const\":\"a\"",
                                       ",\"enum\":[\"a\",\"b\",1,null]",
                                       ",\"enum\":[\"click\"]",
                                       ",\"const\":{\"a\":1}",
                                       ",\"enum\":[1,true,7.5]",
                                       ",\"exclusiveMinimum\":-1",
                                       ",\"minimum\":1",
                                       ",\"exclusiveMinimum\":0",
                                       ",\"minimum\":-100,\"maximum\":1000"};
    switch (below(w, depth <= 0 ? 3 : 9)) {
    case 0:
    case 1:
        put(w, PICK(w, rows));
        return;
    case 2:
        buf_printf(&w->text, ",\"type\":%s", PICK(w, types));
        return;
    case 3:
    case 4:
        object_keywords(w, depth);
        return;
    case 5:
        array_keywords(w, depth);
        return;
    case 6:
        schema_list(w, below(w, 3) == 0 ? "allOf" : below(w, 2) == 0 ? "anyOf" : "oneOf", depth);
        return;
    case 7:
        named(w, "not", depth);
        return;
    default:
        named(w, "if", depth);
        named(w, "then", depth);
        named(w, "else", depth);
        return;
    }
}

// Of keywords that stand twice the last one counts.
static void schema(struct world *w, int depth)
{
    uint32_t kind = below(w, 12);
    if (kind == 0) {
        put(w, "true");
        return;
    }
    if (kind == 1 && depth < 3) {
        put(w, depth < 2 && below(w, 2) == 0 ? "false" : "{\"$ref\":\"#/properties/a\"}");
        return;
    }
    put(w, "{\"title\":\"\"");
    uint32_t count = 1 + below(w, 3);
    for (uint32_t i = 0; i < count; i++) {
        keyword(w, depth);
    }
    put(w, "}");
}

static void value(struct world *w, int depth)
{
    uint32_t kind = below(w, depth <= 0 ? 1 : 4);
    uint32_t count = below(w, 4);
    put(w, PICK(w, spaces));
    if (kind == 0) {
        put(w, PICK(w, scalars));
    } else if (kind == 1) {
        put(w, "[");
        for (uint32_t i = 0; i < count; i++) {
            put(w, i == 0 ? "" : ",");
            value(w, depth - 1);
        }
        put(w, "]");
    } else {
        bool is_taken[9] = {false};
        const char *comma = "";
        put(w, "{");
        for (uint32_t i = 0; i < count; i++) {
            uint32_t at = below(w, 9);
            bool *taken = &is_taken[at == 5 ? 0 : at]; // the same name
            if (*taken && below(w, 16) > 0) {
                continue;
            }
            *taken = true;
            buf_printf(&w->text, "%s%s\"%s\"%s:", comma, PICK(w, spaces), names[at], PICK(w, spaces));
            value(w, depth - 1);
            comma = ",";
        }
        put(w, "}");
    }
    put(w, PICK(w, spaces));
}

static struct program *compile(struct str text, bool must)
{
    struct schema *schema = NULL;
    struct program *program = NULL;
    struct error e = {0};
    struct schema_source source = {.format = FORMAT_JSON, .text = text};
    if (schema_create(&source, &schema, &e) != ERR_OK ||
        program_create(schema, NULL, 0, &program, &e) != ERR_OK) {
        if (must) {
            fail_msg("%s: %.*s", e.text, STR_ARG(text));
        }
        program = NULL;
    }
    schema_unref(schema);
    return program;
}

struct tally {
    uint32_t good, bad, fast, all;
};

static void compare(struct world *w, const struct program *program, struct str text, struct tally *tally)
{
    // Exactly as long as the payload, for a sanitizer.
    char *copy = malloc(w->text.len + 1);
    memcpy(copy, w->text.ptr, w->text.len);
    bool is_fast;
    if (!jschema_judges_alike(program, bytes_of(copy, w->text.len), &is_fast)) {
        fail_msg("the two passes disagree: %.*s on %.*s", STR_ARG(text), (int)w->text.len, copy);
    }
    bool is_good = program_check(program, bytes_of(copy, w->text.len), NULL) == ERR_OK;
    tally->good += is_good;
    tally->bad += !is_good;
    tally->fast += is_fast;
    tally->all++;
    free(copy);
}

static void test_random(void **state)
{
    (void)state;
    enum { SCHEMAS = 4000, PAYLOADS = 20 };
    struct world w = {0};
    struct buf text;
    struct tally tally = {0};
    buf_init(&w.text, 1 << 20);
    buf_init(&text, 1 << 20);
    for (uint64_t seed = 1; seed <= SCHEMAS; seed++) {
        w.rng = seed;
        buf_reset(&w.text);
        put(&w, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"\"");
        properties(&w, "properties", 3);
        put(&w, below(&w, 2) == 0 ? ",\"properties\":{\"a\":{\"type\":\"string\"}}" : "");
        keyword(&w, 3);
        keyword(&w, 4);
        put(&w, "}");
        buf_reset(&text);
        buf_append_str(&text, buf_str(&w.text));
        struct program *program = compile(buf_str(&text), false);
        for (int i = 0; i < PAYLOADS && program != NULL; i++) {
            buf_reset(&w.text);
            value(&w, 4);
            compare(&w, program, buf_str(&text), &tally);
            if (w.text.len > 0) {
                w.text.ptr[below(&w, (uint32_t)w.text.len)] ^= (uint8_t)(1 << below(&w, 8));
                compare(&w, program, buf_str(&text), &tally);
                w.text.len = below(&w, (uint32_t)w.text.len);
                compare(&w, program, buf_str(&text), &tally);
            }
        }
        program_unref(program);
    }
    printf("# %u accepted, %u refused, %u of %u without check.c\n", tally.good, tally.bad, tally.fast,
           tally.all);
    assert_true(tally.good > SCHEMAS * 5 && tally.bad > SCHEMAS * 5 && tally.fast > tally.all / 10 * 8);
    buf_fini(&w.text);
    buf_fini(&text);
}

// Schemas that apply in place and only name or require members, beside others of the same names.
static void folded(struct world *w)
{
    static const char *const parts[] = {
        "{\"properties\":{\"a\":{\"type\":\"string\"}}}",
        "{\"properties\":{\"a\":{\"maxLength\":1},\"b\":true}}",
        "{\"properties\":{\"b\":{\"type\":\"integer\"}},\"required\":[\"c\"]}",
        "{\"maxProperties\":2}",
        "{\"type\":\"object\"}",
        "{\"type\":[\"object\",\"integer\"]}"};
    static const char *const branches[] = {"{\"required\":[\"a\"]}",
                                           "{\"required\":[\"b\",\"c\"]}",
                                           "{\"required\":[\"kind\"],\"minProperties\":2}",
                                           "{}",
                                           "{\"required\":[\"c\"],\"type\":\"object\"}",
                                           "{\"type\":\"string\"}"};
    static const char *const keywords[] = {"allOf", "oneOf", "anyOf"};
    put(w, "{\"title\":\"\"");
    put(w, below(w, 4) > 0 ? ",\"type\":\"object\"" : "");
    put(w, below(w, 2) == 0 ? ",\"properties\":{\"a\":{\"minLength\":1}}" : "");
    put(w, below(w, 3) == 0 ? ",\"minProperties\":1" : "");
    put(w, below(w, 3) == 0 ? ",\"patternProperties\":{\"^a$\":{\"maxLength\":3}}" : "");
    for (int i = 0; i < 3; i++) {
        if (below(w, 2) == 0) {
            continue;
        }
        uint32_t count = 1 + below(w, 3);
        buf_printf(&w->text, ",\"%s\":[", keywords[i]);
        for (uint32_t k = 0; k < count; k++) {
            put(w, k == 0 ? "" : ",");
            put(w, i == 0 ? PICK(w, parts) : PICK(w, branches));
        }
        put(w, "]");
    }
    put(w, below(w, 3) == 0 ? ",\"not\":{\"required\":[\"kind\"]}" : "");
    put(w, "}");
}

static void test_folded(void **state)
{
    (void)state;
    struct world w = {0};
    struct buf text;
    struct tally tally = {0};
    buf_init(&w.text, 1 << 20);
    buf_init(&text, 1 << 20);
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        w.rng = seed;
        buf_reset(&w.text);
        folded(&w);
        buf_reset(&text);
        buf_append_str(&text, buf_str(&w.text));
        struct program *program = compile(buf_str(&text), true);
        for (int i = 0; i < 20; i++) {
            buf_reset(&w.text);
            value(&w, 1 + (int)below(&w, 2));
            compare(&w, program, buf_str(&text), &tally);
        }
        program_unref(program);
    }
    printf("# %u accepted, %u refused\n", tally.good, tally.bad);
    assert_true(tally.good > 2000 && tally.bad > 2000);
    buf_fini(&w.text);
    buf_fini(&text);
}

// Items that are the same in other words; many of them; those beyond what is told apart by bytes.
static void test_unique(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        bool is_unique;
    } rows[] = {
        {"[1,2,3]", true},
        {"[1,1.0]", false},
        {"[1,10e-1]", false},
        {"[0,-0]", false},
        {"[\"a\",\"\\u0061\"]", false},
        {"[\"1\",1]", true},
        {"[true,false,null]", true},
        {"[null,null]", false},
        {"[{\"a\":1},{\"a\":1.0}]", false},
        {"[[1],[2]]", true},
        {"[\"a\", \"b\" ,\"a\"]", false},
        {"[-1,1]", true},
    };
    struct program *program = compile(STR("{\"uniqueItems\":true}"), true);
    struct world w = {.rng = 7};
    struct tally tally = {0};
    buf_init(&w.text, 1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_reset(&w.text);
        put(&w, rows[i].payload);
        uint32_t good = tally.good;
        compare(&w, program, STR("uniqueItems"), &tally);
        assert_int_equal(tally.good - good, rows[i].is_unique);
    }
    for (int count = 60; count < 70; count++) {
        for (int is_twice = 0; is_twice < 2; is_twice++) {
            buf_reset(&w.text);
            put(&w, "[");
            for (int i = 0; i < count; i++) {
                buf_printf(&w.text, "%s\"item %d\"", i == 0 ? "" : ",",
                           is_twice != 0 && i == count - 1 ? 3 : i);
            }
            put(&w, "]");
            uint32_t good = tally.good;
            compare(&w, program, STR("uniqueItems"), &tally);
            assert_int_equal(tally.good - good, is_twice == 0);
        }
    }
    program_unref(program);
    buf_fini(&w.text);
}

// Strings and numbers of every length around the width that is read at once, at every place of it.
static void test_edges(void **state)
{
    (void)state;
    struct program *program = compile(STR("{\"properties\":{\"t\":{\"type\":\"string\",\"maxLength\":40},"
                                          "\"n\":{\"type\":\"number\",\"minimum\":-5e30,\"maximum\":1e60}}}"),
                                      true);
    struct world w = {.rng = 7};
    struct tally tally = {0};
    buf_init(&w.text, 1 << 10);
    static const char *const ends[] = {"\"",    "\\n\"", "\\u00e4\"", "\xc3\xa4\"", "",      "\\",
                                       "\\u12", "\\x\"", "\x01\"",    "\xc3\"",     "\xff\""};
    for (uint32_t len = 0; len < 50; len++) {
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
            for (int is_closed = 0; is_closed < 2; is_closed++) {
                buf_reset(&w.text);
                put(&w, "{\"t\":\"");
                for (uint32_t k = 0; k < len; k++) {
                    put(&w, "x");
                }
                put(&w, ends[i]);
                put(&w, is_closed != 0 ? "}" : "");
                compare(&w, program, STR("edges"), &tally);
            }
        }
        for (uint32_t fraction = 0; fraction < 20; fraction++) {
            buf_reset(&w.text);
            put(&w, "{\"n\":-");
            for (uint32_t k = 0; k < len; k++) {
                buf_u8(&w.text, (uint8_t)('0' + below(&w, 10)));
            }
            put(&w, fraction > 0 ? "." : "");
            for (uint32_t k = 1; k < fraction; k++) {
                put(&w, "7");
            }
            put(&w, below(&w, 4) == 0 ? "e1}" : "}");
            compare(&w, program, STR("edges"), &tally);
        }
    }
    printf("# %u accepted, %u refused\n", tally.good, tally.bad);
    assert_true(tally.good > 200 && tally.bad > 200);
    program_unref(program);
    buf_fini(&w.text);
}

// The inner loops against the obvious.
static void test_lex(void **state)
{
    (void)state;
    char text[LEX_WIDTH + LEX_PAD + 1] = {0};
    for (int place = 0; place < LEX_WIDTH; place++) {
        for (int c = 0; c < 256; c++) {
            memset(text, 'a', LEX_WIDTH);
            text[place] = (char)c;
            bool stops = c == '"' || c == '\\' || c < 0x20;
            assert_int_equal(lex_plain(text), stops ? place : LEX_WIDTH);
            memset(text, '5', LEX_WIDTH);
            text[place] = (char)c;
            assert_int_equal(lex_digits(text), c >= '0' && c <= '9' ? LEX_WIDTH : place);
        }
    }
    for (uint32_t count = 0; count <= 8; count++) {
        uint64_t number = 0;
        for (uint32_t i = 0; i < count; i++) {
            text[i] = (char)('0' + (i * 7 + count) % 10);
            number = number * 10 + (uint64_t)(text[i] - '0');
        }
        text[count] = '"';
        assert_int_equal(lex_number8(text, count), number);
    }
}

// Large payloads, deep ones, and branches within branches end, and are judged.
static void test_hostile(void **state)
{
    (void)state;
    struct world w = {.rng = 7};
    struct tally tally = {0};
    buf_init(&w.text, 4 << 20);
    struct program *any = compile(STR("{\"items\":{\"maxItems\":1000000}}"), true);
    put(&w, "[");
    for (int i = 0; i < 100000; i++) {
        put(&w, i == 0 ? "\"a text\"" : ", \"a text\"");
    }
    put(&w, "]");
    compare(&w, any, STR("large"), &tally);
    assert_int_equal(tally.good, 1);
    for (int depth = 126; depth <= 130; depth++) {
        buf_reset(&w.text);
        for (int i = 0; i < depth; i++) {
            put(&w, "[");
        }
        for (int i = 0; i < depth; i++) {
            put(&w, "]");
        }
        compare(&w, any, STR("deep"), &tally);
        assert_int_equal(tally.good, 1 + (depth < 128 ? depth - 125 : 3));
    }
    buf_reset(&w.text);
    for (int i = 0; i < 1 << 20; i++) {
        put(&w, "[");
    }
    compare(&w, any, STR("endless"), &tally);
    program_unref(any);
    struct program *twice =
        compile(STR("{\"$defs\":{\"n\":{\"anyOf\":[{\"items\":{\"$ref\":\"#/$defs/n\"},\"minItems\":1,"
                    "\"type\":\"array\"},{\"items\":{\"$ref\":\"#/$defs/n\"},\"type\":\"array\"},"
                    "{\"const\":1}]}},\"$ref\":\"#/$defs/n\","
                    "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"}"),
                true);
    buf_reset(&w.text);
    for (int i = 0; i < 100; i++) {
        put(&w, "[");
    }
    put(&w, "2");
    for (int i = 0; i < 100; i++) {
        put(&w, "]");
    }
    compare(&w, twice, STR("2^100 ways"), &tally);
    program_unref(twice);
    buf_fini(&w.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_folded), cmocka_unit_test(test_unique),
        cmocka_unit_test(test_edges),  cmocka_unit_test(test_lex),    cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
