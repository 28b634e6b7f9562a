// SPDX-License-Identifier: Apache-2.0
// rules_test.c - what a rule set means for a broker: which rules run, what they do about a record, and what
// is refused when it is bound.
#include "contract/rig_test.h"

#define PERSON                                                                                               \
    "{\"type\":\"object\",\"properties\":{\"age\":{\"type\":\"integer\"},\"name\":{\"type\":\"string\"}}}"
#define RULES(list) "{\"domainRules\":[" list "]}"
#define AGE(more)                                                                                            \
    "{\"name\":\"age\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"mode\":\"WRITE\",\"expr\":\"message.age "   \
    ">= 0\"" more "}"

static const struct rig_source person = {.format = FORMAT_JSON, .schema = PERSON, .level = CONTRACT_RULES};

static void expect_on(const char *rules, const char *payload, enum contract_action topic, const char *want)
{
    struct rig rig;
    struct rig_source source = person;
    source.rules = rules;
    rig_init(&rig, &source);
    rig.run.on_failure = topic;
    assert_text(rig_judge_text(&rig, payload), want);
    rig_fini(&rig);
}

static void expect(const char *rules, const char *payload, const char *want)
{
    expect_on(rules, payload, CONTRACT_REJECT, want);
}

#define FAILS "reject: age $ Expr failed: 'message.age >= 0'"
#define BAD   "{\"age\":-1}"

static void conditions(void **state)
{
    (void)state;
    expect(RULES(AGE("")), "{\"age\":1}", "pass");
    expect(RULES(AGE("")), BAD, FAILS);
    expect(RULES(AGE(",\"doc\":\"no negative age\"")), BAD, "reject: age $ no negative age");
    expect(RULES(AGE(",\"disabled\":true")), BAD, "pass");
    expect(NULL, BAD, "pass");
    expect("{}", BAD, "pass");
    expect(RULES("{\"name\":\"x\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"expr\":\"message.age > 0\"}"),
           BAD,
           "reject: x $ Expr failed: 'message.age > 0'"); // WRITEREAD
    expect(RULES("{\"name\":\"x\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"mode\":\"READ\",\"expr\":"
                 "\"message.age > "
                 "0\"}"),
           BAD, "pass");
    expect(RULES("{\"name\":\"x\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"expr\":\"message.age\"}"), BAD,
           "pass");
}

// As in Confluent's Java serializers: the default engine is asked of the whole text, re2 of any part.
static void matches_asks_of_the_whole(void **state)
{
    (void)state;
#define NAME(expr, more)                                                                                     \
    RULES("{\"name\":\"n\",\"doc\":\"d\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"expr\":\"" expr "\"" more \
          "}")
    expect(NAME("message.name.matches('b+')", ""), "{\"name\":\"bb\"}", "pass");
    expect(NAME("message.name.matches('b+')", ""), "{\"name\":\"abb\"}", "reject: n $ d");
    expect(NAME("message.name.matches('.*b+')", ""), "{\"name\":\"abb\"}", "pass");
    expect(NAME("message.name.matches('b+')", ",\"params\":{\"cel.regex.engine\":\"re2\"}"),
           "{\"name\":\"abb\"}", "pass");
#undef NAME
}

static void level_structure_runs_no_rule(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_source source = person;
    source.rules = RULES(AGE(",\"onFailure\":\"LAUNCH\""));
    source.level = CONTRACT_STRUCTURE;
    rig_init(&rig, &source);
    assert_text(rig_judge_text(&rig, BAD), "pass");
    assert_begins(rig_judge_text(&rig, "{\"age\":\"x\"}"),
                  "reject: strom:structure $.age a string; type: integer");
    assert_begins(rig_judge_text(&rig, "{\"age\":1} {}"), "reject: strom:structure $");
    rig_fini(&rig);
}

static void enable_at(void **state)
{
    (void)state;
    static const char *const places[] = {"ALL", "SERVER", "CLIENT", "GATEWAY", "NONE"};
    for (size_t i = 0; i < 5; i++) {
        char rules[512];
        snprintf(rules, sizeof rules, "{\"enableAt\":\"%s\",\"domainRules\":[%s]}", places[i], AGE(""));
        expect(rules, BAD, i < 2 ? FAILS : "pass");
    }
}

// The rule's own action beats the topic's; observe on the topic beats all.
static void actions(void **state)
{
    (void)state;
    static const struct {
        const char *own;
        enum contract_action topic;
        const char *want;
    } rows[] = {
        {"", CONTRACT_REJECT, "reject"},
        {"", CONTRACT_DEAD_LETTER, "dlq"},
        {"", CONTRACT_MARK, "mark"},
        {"", CONTRACT_OBSERVE, "observe"},
        {"", CONTRACT_PASS, "reject"}, // not said: the strictest
        {",\"onFailure\":\"ERROR\"", CONTRACT_DEAD_LETTER, "reject"},
        {",\"onFailure\":\"DLQ\"", CONTRACT_REJECT, "dlq"},
        {",\"onFailure\":\"NONE\"", CONTRACT_REJECT, "observe"},
        {",\"onFailure\":\"DLQ\"", CONTRACT_OBSERVE, "observe"},
        {",\"onFailure\":\"ERROR\"", CONTRACT_OBSERVE, "observe"},
        {",\"onFailure\":\"\"", CONTRACT_MARK, "mark"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char rules[512];
        char want[128];
        snprintf(rules, sizeof rules, RULES("%s%s}"),
                 "{\"name\":\"age\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"expr\":\"message.age >= 0\"",
                 rows[i].own);
        snprintf(want, sizeof want, "%s: age $ Expr failed: 'message.age >= 0'", rows[i].want);
        expect_on(rules, BAD, rows[i].topic, want);
    }
    // Of two actions the first is for writing.
    expect(
        RULES(
            "{\"name\":\"age\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"onFailure\":\"DLQ,ERROR\",\"expr\":"
            "\"message.age >= 0\"}"),
        BAD, "dlq: age $ Expr failed: 'message.age >= 0'");
    expect(RULES(AGE(",\"onSuccess\":\"ERROR\"")), "{\"age\":1}",
           "reject: age $ the rule holds, and its onSuccess asks for this");
    expect(RULES(AGE(",\"onSuccess\":\"NONE\"")), "{\"age\":1}", "pass");
    expect(RULES(AGE(",\"onFailure\":\"LAUNCH\"")), BAD,
           "rule 'age': onFailure is 'LAUNCH'; a broker knows ERROR, DLQ and NONE");
}

static void strongest_action_decides(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_source source = person;
    source.rules =
        RULES(AGE(",\"onFailure\":\"NONE\"") ",{\"name\":\"b\",\"kind\":\"CONDITION\",\"type\":\"CEL\","
                                             "\"onFailure\":\"DLQ\",\"expr\":\"message.age > 1\"}");
    rig_init(&rig, &source);
    rig_judge_text(&rig, BAD);
    assert_int_equal(rig.verdict.total, 2);
    assert_int_equal(rig.verdict.action, CONTRACT_DEAD_LETTER);
    assert_true(str_equal(rig.verdict.findings[0].subject, STR("s-value")));
    rig_fini(&rig);
}

static void dead_letter_topics(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_source source = person;
    source.metadata = "{\"properties\":{\"dlq.topic\":\"letters\"}}";
    source.rules =
        RULES(AGE(",\"onFailure\":\"DLQ\"") ",{\"name\":\"b\",\"kind\":\"CONDITION\",\"type\":\"CEL\","
                                            "\"onFailure\":\"DLQ\",\"params\":{\"dlq.topic\":\"own\"},"
                                            "\"expr\":\"message.age > 1\"},"
                                            "{\"name\":\"c\",\"kind\":\"CONDITION\",\"type\":\"CEL\","
                                            "\"expr\":\"message.age > 2\"}");
    rig_init(&rig, &source);
    rig.run.on_failure = CONTRACT_DEAD_LETTER;
    rig_judge_text(&rig, BAD);
    assert_int_equal(rig.verdict.count, 3);
    assert_true(str_equal(rig.verdict.findings[0].dead_letter_topic, STR("letters")));
    assert_true(str_equal(rig.verdict.findings[1].dead_letter_topic, STR("own")));
    assert_null(rig.verdict.findings[2].dead_letter_topic.ptr); // the topic's own
    assert_true(str_equal(contract_dead_letter_topic(rig.contract, 0), STR("letters")));
    assert_true(str_equal(contract_dead_letter_topic(rig.contract, 1), STR("own")));
    assert_null(contract_dead_letter_topic(rig.contract, 2).ptr);
    rig_fini(&rig);
}

#define CEL(name, expr)                                                                                      \
    "{\"name\":\"" name "\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"expr\":\"" expr "\"}"

static void guards(void **state)
{
    (void)state;
    expect(RULES(CEL("g", "message.name == 'x' ; message.age > 0")), "{\"name\":\"y\",\"age\":-1}", "pass");
    expect(RULES(CEL("g", "message.name == 'x' ; message.age > 0")), "{\"name\":\"x\",\"age\":-1}",
           "reject: g $ Expr failed: 'message.name == 'x' ; message.age > 0'");
    expect(RULES(CEL("g", " ; message.age > 0")), BAD, "reject: g $ Expr failed: ' ; message.age > 0'");
    // A guard that cannot be evaluated lets pass: there is no name.
    expect(RULES(CEL("g", "message.name == 'x' ; message.age > 0")), BAD, "pass");
    expect(RULES("{\"name\":\"g\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"params\":{\"cel.ignore.guard."
                 "separator\":"
                 "\"true\"},\"expr\":\"message.name != ';'\"}"),
           "{\"name\":\";\"}", "reject: g $ Expr failed: 'message.name != ';''");
}

// Places in the text are those of the whole expression, guard and all.
static void places_of_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        const char *want;
    } rows[] = {
        {RULES(CEL("g", "message.agee > 0")),
         "rule 'g', line 1, column 9: com.acme.Person has no field \"agee\"; did you mean \"age\"?"},
        {RULES(CEL("g", "true ;\\n  message.agee > 0")),
         "rule 'g', line 2, column 11: com.acme.Person has no field \"agee\"; did you mean \"age\"?"},
        {RULES(CEL("g", "message.agee > 0; true")),
         "rule 'g', line 1, column 9: com.acme.Person has no field \"agee\"; did you mean \"age\"?"},
        {RULES(CEL("g", "message.age >")), "rule 'g', line 1, column 14: "},
        {RULES(CEL("g", "true ;\\n  1 + 'x' == ''")), "rule 'g', line 2, column 5: "},
        {RULES(CEL("g", "1 + 'x' == ''; true")), "rule 'g', line 1, column 3: "},
        {RULES(CEL("g", "nobody > 0")), "rule 'g', line 1, column 1: "},
        {"{\"domainRules\":7", "the rule set of s-value is no JSON: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig rig;
        struct rig_source source = {
            .format = FORMAT_AVRO,
            .schema =
                "{\"type\":\"record\",\"name\":\"Person\",\"namespace\":\"com.acme\",\"fields\":[{\"name\":"
                "\"age\",\"type\":\"int\"}]}",
            .rules = rows[i].rules,
            .level = CONTRACT_RULES};
        rig_init(&rig, &source);
        assert_null(rig.contract);
        assert_int_equal(rig.error.code, ERR_INVALID_REQUEST);
        assert_begins(rig.error.text, rows[i].want);
        rig_fini(&rig);
    }
}

static void errors_in_a_rule_fail_it(void **state)
{
    (void)state;
    expect(RULES(AGE("")), "{}", "reject: age $ the expression cannot be evaluated: no such key: age");
    expect(RULES(CEL("d", "1 / message.age > 0")), "{\"age\":0}",
           "reject: d $ the expression cannot be evaluated: division by zero");
}

static void what_cannot_run_is_refused(void **state)
{
    (void)state;
    expect(RULES("{\"name\":\"t\",\"kind\":\"TRANSFORM\",\"type\":\"CEL\",\"expr\":\"message\"}"), BAD,
           "pass");
    expect("{\"enableAt\":\"SERVER\",\"domainRules\":[{\"name\":\"t\",\"kind\":\"TRANSFORM\",\"type\":"
           "\"CEL\",\"expr\":"
           "\"message\"}]}",
           BAD,
           "rule 't' (CEL, TRANSFORM) is to run at SERVER; a broker runs conditions of the types CEL and "
           "CEL_FIELD and "
           "changes no payload");
    expect(RULES("{\"name\":\"j\",\"kind\":\"CONDITION\",\"type\":\"JSONATA\",\"expr\":\"age > 0\"}"), BAD,
           "pass");
}

static void remarks(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_source source = person;
    source.rules = RULES("{\"name\":\"t\",\"type\":\"CEL\",\"expr\":\"message\"}," CEL(
        "n", "size(message.name)") ",{\"name\":"
                                   "\"f\",\"kind\":\"CONDITION\",\"type\":\"CEL_FIELD\",\"tags\":[\"PII\"],"
                                   "\"expr\":\"true\"}");
    rig_init(&rig, &source);
    assert_non_null(rig.contract);
    assert_string_equal(contract_remark(rig.contract, 0), "rule 't' (CEL, TRANSFORM) is left to the clients");
    assert_string_equal(contract_remark(rig.contract, 1), "rule 'n' never fails: it gives no bool");
    assert_string_equal(contract_remark(rig.contract, 2), "rule 'f' applies to no field");
    assert_null(contract_remark(rig.contract, 3));
    assert_true(contract_memory(rig.contract) > 0);
    rig_fini(&rig);
}

// Whatever a producer sends beside the payload, and however often it was refused: there is no way round.
static void budgets(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_source source = {
        .format = FORMAT_JSON,
        .schema = "{\"type\":\"object\",\"properties\":{\"l\":{\"type\":\"array\",\"items\":"
                  "{\"type\":\"integer\"}}}}",
        .rules = RULES(CEL("slow", "message.l.all(a, message.l.all(b, message.l.all(c, a + b "
                                   "+ c >= 0)))")),
        .level = CONTRACT_RULES};
    rig_init(&rig, &source);
    struct buf payload;
    buf_init(&payload, 1 << 20);
    buf_printf(&payload, "{\"l\":[0");
    for (int i = 0; i < 1000; i++) {
        buf_printf(&payload, ",%d", i % 10);
    }
    buf_printf(&payload, "]}");
    assert_text(rig_judge_text(&rig, "{\"l\":[1,2]}"), "pass");
    uint64_t before = rig.run.steps;
    assert_begins(rig_judge(&rig, buf_bytes(&payload)), "reject: slow $ the expression cannot be evaluated");
    assert_in_range(before - rig.run.steps, CONTRACT_STEPS_RECORD_MIN,
                    CONTRACT_STEPS_RECORD_MIN + payload.len);
    rig.run.steps = 1000; // left of the batch
    rig.run.on_failure = CONTRACT_DEAD_LETTER;
    assert_begins(rig_judge(&rig, buf_bytes(&payload)), "dlq: slow");
    assert_int_equal(rig.run.steps, 0);
    assert_text(rig_judge_text(&rig, "{\"l\":[1,2]}"),
                "reject: strom:budget $ the records before it used up the steps that a batch may take");
    buf_fini(&payload);
    rig_fini(&rig);
}

// judge_hostile judges a text of `count` letters and gives the steps that it took.
static uint64_t judge_hostile(struct rig *rig, const char *prefix, char letter, size_t count,
                              const char *want)
{
    struct buf payload;
    buf_init(&payload, 1 << 20);
    buf_printf(&payload, "%s", prefix);
    for (size_t i = 0; i < count; i++) {
        buf_u8(&payload, (uint8_t)letter);
    }
    buf_append_str(&payload, STR("\""));
    uint64_t before = rig->run.steps;
    assert_begins(rig_judge(rig, buf_bytes(&payload)), want);
    buf_fini(&payload);
    return before - rig->run.steps;
}

// What checking the structure takes beyond a pass over the payload comes out of the same steps as the rules.
static void structure_is_charged(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        const char *prefix;
        size_t count;
        const char *want;
        uint64_t least;
    } rows[] = {
        {"{\"type\":\"string\",\"pattern\":\"^(a+)+\\\\1b$\"}", "\"", 20000, "reject: strom:budget $ ",
         CONTRACT_STEPS_RECORD_MIN + 20000},
        {"{\"type\":\"string\",\"pattern\":\"^(?=b)\"}", "\"", 20, "reject: strom:structure", 3},
        {"{\"type\":\"string\",\"pattern\":\"(a|b)*a(a|b){14}c\"}", "\"", 2000, "reject: strom:structure",
         2000 * 16},
        // Known to be bad, and told so, though too little is left to find where.
        {"{\"type\":\"string\",\"pattern\":\"(a|b)*a(a|b){14}c\"}", "\"", 3000,
         "reject: strom:structure $ the payload is not what the schema says; to find where takes too long",
         CONTRACT_STEPS_RECORD_MIN},
        {"{\"type\":\"string\",\"format\":\"regex\"}", "\"", 2000, "pass", 2000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig rig;
        struct rig_source source = {.format = FORMAT_JSON, .schema = rows[i].schema};
        rig_init(&rig, &source);
        uint64_t steps = judge_hostile(&rig, rows[i].prefix, 'a', rows[i].count, rows[i].want);
        assert_in_range(steps, rows[i].least, CONTRACT_STEPS_RECORD_MIN + rows[i].count + 3);
        rig_fini(&rig);
    }
    // of a batch that has few steps left it is the batch that is over
    struct rig rig;
    struct rig_source source = {.format = FORMAT_JSON, .schema = rows[0].schema};
    rig_init(&rig, &source);
    rig.run.steps = 5000;
    rig.run.on_failure = CONTRACT_MARK;
    (void)judge_hostile(&rig, "\"", 'a', 20000,
                        "reject: strom:budget $ patterns or branches of the schema used up the steps that a "
                        "batch may take");
    assert_int_equal(rig.run.steps, 0);
    rig_fini(&rig);
}

// What nobody means ill by passes at any size: here of a megabyte and its smallest values.
static void large_records_pass(void **state)
{
    (void)state;
    static const struct {
        const char *items;
        const char *item;
    } rows[] = {
        {"{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"integer\"}]}", "7"},
        {"{\"type\":\"string\",\"pattern\":\"^[^@]+@[^@]+[.][a-z]+$\"}", "\"a.person@example.com\""},
        {"{\"type\":\"string\",\"pattern\":\"^[\\\\p{L} '-]{1,100}$\"}", "\"Jean-Pierre O'Neill\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf schema;
        struct buf payload;
        struct rig rig;
        buf_init(&schema, 1 << 20);
        buf_init(&payload, 2 << 20);
        buf_printf(&schema, "{\"type\":\"array\",\"items\":%s}", rows[i].items);
        buf_u8(&schema, 0);
        struct rig_source source = {.format = FORMAT_JSON, .schema = (const char *)schema.ptr};
        rig_init(&rig, &source);
        while (payload.len < 1 << 20) {
            buf_printf(&payload, "%s%s", payload.len == 0 ? "[" : ",", rows[i].item);
        }
        buf_append_str(&payload, STR("]"));
        assert_text(rig_judge(&rig, buf_bytes(&payload)), "pass");
        rig_fini(&rig);
        buf_fini(&payload);
        buf_fini(&schema);
    }
}

// Branches within branches: each level doubles what has to be tried.
static void branches_are_charged(void **state)
{
    (void)state;
    struct buf schema;
    struct rig rig;
    buf_init(&schema, 1 << 20);
    buf_append_str(&schema, STR("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$ref\":\"#/"
                                "$defs/d0\",\"unevaluatedProperties\":false,\"$defs\":{"));
    for (int i = 0; i < 40; i++) {
        buf_printf(&schema, "\"d%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/d%d\"},{\"$ref\":\"#/$defs/d%d\"}]},", i,
                   i + 1, i + 1);
    }
    buf_append_str(&schema, STR("\"d40\":{\"properties\":{\"x\":true}}}}"));
    buf_u8(&schema, 0);
    struct rig_source source = {.format = FORMAT_JSON, .schema = (const char *)schema.ptr};
    rig_init(&rig, &source);
    uint64_t before = rig.run.steps;
    assert_begins(
        rig_judge_text(&rig, "{\"x\":2,\"y\":1}"),
        "reject: strom:budget $ patterns or branches of the schema used up the steps that a record");
    assert_in_range(before - rig.run.steps, CONTRACT_STEPS_RECORD_MIN, CONTRACT_STEPS_RECORD_MIN + 20);
    rig_fini(&rig);
    buf_fini(&schema);
}

static void findings_of_the_caller(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, &person);
    struct contract_verdict verdict = {0};
    rig.run.on_failure = CONTRACT_DEAD_LETTER;
    contract_verdict_add(&rig.run, &verdict, CONTRACT_RULE_FRAMING, STR("s"), "no schema id");
    contract_verdict_add(&rig.run, &verdict, CONTRACT_RULE_FRAMING, STR("s"), "no schema id");
    assert_int_equal(verdict.action, CONTRACT_DEAD_LETTER);
    assert_int_equal(verdict.count, 1);
    assert_true(str_equal(verdict.findings[0].rule, STR("strom:framing")));
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions),
        cmocka_unit_test(matches_asks_of_the_whole),
        cmocka_unit_test(level_structure_runs_no_rule),
        cmocka_unit_test(enable_at),
        cmocka_unit_test(actions),
        cmocka_unit_test(strongest_action_decides),
        cmocka_unit_test(dead_letter_topics),
        cmocka_unit_test(guards),
        cmocka_unit_test(places_of_mistakes),
        cmocka_unit_test(errors_in_a_rule_fail_it),
        cmocka_unit_test(what_cannot_run_is_refused),
        cmocka_unit_test(remarks),
        cmocka_unit_test(budgets),
        cmocka_unit_test(structure_is_charged),
        cmocka_unit_test(branches_are_charged),
        cmocka_unit_test(large_records_pass),
        cmocka_unit_test(findings_of_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
