// SPDX-License-Identifier: Apache-2.0
// walk_test.c - rules on fields, checks inside of schemas, and rules of referenced schemas, in all formats.
#include "contract/rig_test.h"

#include "base/buf.h"

#define FIELD(name, tags, expr)                                                                              \
    "{\"name\":\"" name "\",\"kind\":\"CONDITION\",\"type\":\"CEL_FIELD\",\"tags\":[" tags                   \
    "],\"expr\":\"" expr "\"}"
#define RULES(list) "{\"domainRules\":[" list "]}"

// ---- payloads

static void avro_string(struct buf *out, const char *text)
{
    buf_varlong(out, (int64_t)strlen(text));
    buf_append(out, text, strlen(text));
}

static void pb_string(struct buf *out, uint32_t number, const char *text)
{
    buf_uvarint(out, number << 3 | 2);
    buf_uvarint(out, strlen(text));
    buf_append(out, text, strlen(text));
}

static void pb_message(struct buf *out, uint32_t number, const struct buf *inner)
{
    buf_uvarint(out, number << 3 | 2);
    buf_uvarint(out, inner->len);
    buf_append(out, inner->ptr, inner->len);
}

// ---- one person in each format: name, tagged inline; nick, which may be null; emails; home {zip}

static const char *const schemas[FORMAT_COUNT] = {
    "{\"type\":\"record\",\"name\":\"P\",\"namespace\":\"n\",\"fields\":["
    "{\"name\":\"name\",\"type\":\"string\",\"confluent:tags\":[\"PII\"]},"
    "{\"name\":\"nick\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"emails\",\"type\":{\"type\":\"array\",\"items\":\"string\"}},"
    "{\"name\":\"home\",\"type\":{\"type\":\"record\",\"name\":\"H\",\"fields\":[{\"name\":\"zip\",\"type\":"
    "\"string\"}]}}]}",
    "{\"type\":\"object\",\"properties\":{"
    "\"name\":{\"type\":\"string\",\"confluent:tags\":[\"PII\"]},"
    "\"nick\":{\"type\":[\"null\",\"string\"]},"
    "\"emails\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
    "\"home\":{\"type\":\"object\",\"properties\":{\"zip\":{\"type\":\"string\"}}}}}",
    "syntax = \"proto3\"; package n; import \"confluent/meta.proto\";"
    "message P { string name = 1 [(confluent.field_meta).tags = \"PII\"]; optional string nick = 2; repeated "
    "string "
    "emails = 3; H home = 4; } message H { string zip = 1; }",
};

static void person(enum format format, const char *name, const char *nick, const char *email, const char *zip,
                   struct buf *out)
{
    struct buf inner;
    buf_reset(out);
    buf_init(&inner, 1 << 10);
    switch (format) {
    case FORMAT_AVRO:
        avro_string(out, name);
        buf_varlong(out, nick == NULL ? 0 : 1);
        if (nick != NULL) {
            avro_string(out, nick);
        }
        buf_varlong(out, 1);
        avro_string(out, email);
        buf_varlong(out, 0);
        avro_string(out, zip);
        break;
    case FORMAT_JSON:
        buf_printf(out, "{\"name\":\"%s\",", name);
        buf_printf(out, nick == NULL ? "\"nick\":null," : "\"nick\":\"%s\",", nick);
        buf_printf(out, "\"emails\":[\"%s\"],\"home\":{\"zip\":\"%s\"}}", email, zip);
        break;
    default:
        pb_string(out, 1, name);
        if (nick != NULL) {
            pb_string(out, 2, nick);
        }
        pb_string(out, 3, email);
        pb_string(&inner, 1, zip);
        pb_message(out, 4, &inner);
        break;
    }
    buf_fini(&inner);
}

// expect judges a person with `rules` in every format; the wanted text may differ in one.
static void expect(const char *metadata, const char *rules, const char *const want[FORMAT_COUNT])
{
    for (int format = 0; format < FORMAT_COUNT; format++) {
        struct rig rig;
        struct rig_source source = {.format = (enum format)format,
                                    .schema = schemas[format],
                                    .metadata = metadata,
                                    .rules = rules,
                                    .level = CONTRACT_RULES};
        struct buf payload;
        buf_init(&payload, 1 << 12);
        rig_init(&rig, &source);
        person((enum format)format, "Ann", NULL, "e@x", "12", &payload);
        const char *found = rig_judge(&rig, buf_bytes(&payload));
        if (strcmp(found, want[format]) != 0) {
            fail_msg("%s\n found %s\n want  %s", format_name((enum format)format), found, want[format]);
        }
        buf_fini(&payload);
        rig_fini(&rig);
    }
}

static void expect_same(const char *metadata, const char *rules, const char *want)
{
    const char *const all[FORMAT_COUNT] = {want, want, want};
    expect(metadata, rules, all);
}

static void inline_tags(void **state)
{
    (void)state;
    expect_same(NULL, RULES(FIELD("f", "\"PII\"", "value == 'Ann'")), "pass");
    expect_same(NULL, RULES(FIELD("f", "\"PII\"", "value == 'Bob'")),
                "reject: f $.name Expr failed: 'value == 'Bob''");
    expect_same(NULL, RULES(FIELD("f", "\"OTHER\"", "false")), "pass");
}

static void tags_by_name(void **state)
{
    (void)state;
    const char *const metadata = "{\"tags\":{\"**.zip\":[\"Z\"]}}";
    expect_same(metadata, RULES(FIELD("f", "\"Z\"", "value == '0'")),
                "reject: f $.home.zip Expr failed: 'value == '0''");
    expect_same("{\"tags\":{\"n.H.*\":[\"Z\"],\"$.home.z??\":[\"Z\"]}}",
                RULES(FIELD("f", "\"Z\"", "value == '0'")),
                "reject: f $.home.zip Expr failed: 'value == '0''");
    expect_same("{\"tags\":{\"n.H*\":[\"Z\"],\"$.home*\":[\"Z\"]}}", RULES(FIELD("f", "\"Z\"", "false")),
                "pass");
}

// What a rule sees of a field.
static void variables(void **state)
{
    (void)state;
    const char *const avro = "{\"tags\":{\"**.name\":[\"M\"]}}";
    expect_same(avro, RULES(FIELD("f", "\"M\"", "name == 'name' && typeName == 'STRING' && value == 'Ann'")),
                "pass");
    expect_same(avro, RULES(FIELD("f", "\"M\"", "fullName in ['n.P.name', '$.name']")), "pass");
    expect_same(avro, RULES(FIELD("f", "\"M\"", "tags == ['PII', 'M']")), "pass");
    expect_same(avro, RULES(FIELD("f", "\"M\"", "message.home.zip == '12'")), "pass");
    expect_same(avro,
                RULES(FIELD("f", "\"M\"",
                            "now > timestamp('2023-11-14T22:13:19Z') && now < "
                            "timestamp('2023-11-14T22:13:21Z')")),
                "pass");
}

// A rule without tags is for every primitive field: what is null is seen as null, as by Confluent's Java.
static void untagged_rules(void **state)
{
    (void)state;
    const char *const want[FORMAT_COUNT] = {
        "reject: f $.nick Expr failed: 'name != 'nick''",
        "reject: f $.nick Expr failed: 'name != 'nick''",
        "reject: f $.nick Expr failed: 'name != 'nick''",
    };
    expect(NULL, RULES(FIELD("f", "", "name != 'nick'")), want);
    const char *const types[FORMAT_COUNT] = {
        "reject: f $.nick Expr failed: 'name != 'nick' || (value != null && typeName != 'NULL')'",
        "reject: f $.nick Expr failed: 'name != 'nick' || (value != null && typeName != 'NULL')'",
        // A field that is not there has the zero of its type: no field of the message is ever null.
        "rule 'f' on n.P.name as a string, line 1, column 26: no matching overload for '_!=_' applied to "
        "'(string, "
        "null)'",
    };
    expect(NULL, RULES(FIELD("f", "", "name != 'nick' || (value != null && typeName != 'NULL')")), types);
}

// What it says of an item does not count; that it cannot be evaluated does.
static void items(void **state)
{
    (void)state;
    expect_same(NULL, RULES(FIELD("f", "", "name != 'emails'")), "pass");
    expect_same(NULL, RULES(FIELD("f", "", "name != 'emails' || 1 / 0 == 1")),
                "reject: f $.emails[0] the expression cannot be evaluated: division by zero");
}

static void guards(void **state)
{
    (void)state;
    expect_same(NULL, RULES(FIELD("f", "", "name == 'zip' ; size(value) == 5")),
                "reject: f $.home.zip Expr failed: 'name == 'zip' ; size(value) == 5'");
}

// A field rule that can never be evaluated for a field's type is refused with the field's name.
static void types_that_cannot_fit(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_source source = {.format = FORMAT_AVRO, .schema = schemas[0], .level = CONTRACT_RULES};
    source.rules = RULES(FIELD("f", "\"PII\"", "value > 3"));
    rig_init(&rig, &source);
    assert_null(rig.contract);
    assert_begins(rig.error.text, "rule 'f' on n.P.name as a string, line 1, column 7: ");
    rig_fini(&rig);
}

// ---- checks inside of schemas

static const char *const checked[FORMAT_COUNT] = {
    "{\"type\":\"record\",\"name\":\"P\",\"confluent:rules\":[{\"name\":\"r\",\"doc\":\"zip of "
    "P\",\"expr\":\"this.home."
    "zip != '12'\"}],\"fields\":["
    "{\"name\":\"name\",\"type\":\"string\",\"confluent:rules\":[{\"name\":\"n\",\"expr\":\"this == 'Bob' ? "
    "'' : 'who "
    "else'\"}]},"
    "{\"name\":\"nick\",\"type\":[\"null\",\"string\"],\"confluent:rules\":[{\"name\":\"k\",\"expr\":"
    "\"false\"}]},"
    "{\"name\":\"emails\",\"type\":{\"type\":\"array\",\"items\":\"string\"},\"confluent:rules\":[{\"name\":"
    "\"e\","
    "\"sql\":\"two of them\",\"expr\":\"size(this) == 2\"}]},"
    "{\"name\":\"home\",\"type\":{\"type\":\"record\",\"name\":\"H\",\"confluent:rules\":[{\"name\":\"h\","
    "\"expr\":\"this."
    "zip.matches('^[0-9]{3}$')\"}],\"fields\":[{\"name\":\"zip\",\"type\":\"string\"}]}}]}",
    "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"r\",\"doc\":\"zip of P\",\"expr\":\"this.home.zip "
    "!= '12'\"}],"
    "\"properties\":{"
    "\"name\":{\"type\":\"string\",\"confluent:rules\":[{\"name\":\"n\",\"expr\":\"this == 'Bob' ? '' : 'who "
    "else'\"}]},"
    "\"nick\":{\"type\":[\"null\",\"string\"],\"confluent:rules\":[{\"name\":\"k\",\"expr\":\"false\"}]},"
    "\"emails\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"confluent:rules\":[{\"name\":\"e\","
    "\"sql\":\"two of "
    "them\",\"expr\":\"size(this) == 2\"}]},"
    "\"home\":{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"h\",\"expr\":\"this.zip.matches('^[0-9]{"
    "3}$')\"}],"
    "\"properties\":{\"zip\":{\"type\":\"string\"}}}}}",
    "syntax = \"proto3\"; package n; import \"confluent/meta.proto\";"
    "message P { option (confluent.message_meta).rules = {name: \"r\", doc: \"zip of P\", expr: "
    "\"this.home.zip != "
    "'12'\"};"
    " string name = 1 [(confluent.field_meta).rules = {name: \"n\", expr: \"this == 'Bob' ? '' : 'who "
    "else'\"}];"
    " optional string nick = 2 [(confluent.field_meta).rules = {name: \"k\", expr: \"false\"}];"
    " repeated string emails = 3 [(confluent.field_meta).rules = {name: \"e\", sql: \"two of them\", expr: "
    "\"size(this) "
    "== 2\"}];"
    " H home = 4; } message H { option (confluent.message_meta).rules = {name: \"h\", expr: "
    "\"this.zip.matches('^[0-9]{3}"
    "$')\"}; string zip = 1; }",
};

static void checks(void **state)
{
    (void)state;
    for (int format = 0; format < FORMAT_COUNT; format++) {
        struct rig rig;
        struct rig_source source = {
            .format = (enum format)format, .schema = checked[format], .level = CONTRACT_RULES};
        struct buf payload;
        buf_init(&payload, 1 << 12);
        rig_init(&rig, &source);
        rig.run.on_failure = CONTRACT_MARK;
        person((enum format)format, "Ann", NULL, "e@x", "12", &payload);
        assert_text(rig_judge(&rig, buf_bytes(&payload)),
                    "mark: r $ zip of P\nmark: n $.name who else\nmark: e $.emails two of them\n"
                    "mark: h $.home Expr failed: 'this.zip.matches('^[0-9]{3}$')'");
        person((enum format)format, "Bob", "B", "e@x", "123", &payload);
        assert_text(rig_judge(&rig, buf_bytes(&payload)),
                    "mark: k $.nick Expr failed: 'false'\nmark: e $.emails two of them");
        buf_fini(&payload);
        rig_fini(&rig);
    }
}

static void checks_that_cannot_run(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        const char *want;
    } rows[] = {
        {"{\"name\":\"c\",\"expr\":\"1 +\"}", "check 'c' on $...a, line 1, column 4: "},
        {"{\"name\":\"c\",\"expr\":\"1 + 1\"}", "check 'c' on $...a gives neither a bool nor a string"},
        {"{\"expr\":\"\"}", "check 'unnamed' of $...a has no expression"},
        {"{\"name\":\"c\",\"expr\":\"this.matches('(?=a)')\"}", "check 'c' on $...a, line 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char schema[512];
        snprintf(
            schema, sizeof schema,
            "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"confluent:rules\":[%s]}}}",
            rows[i].rules);
        struct rig rig;
        struct rig_source source = {.format = FORMAT_JSON, .schema = schema, .level = CONTRACT_RULES};
        rig_init(&rig, &source);
        assert_null(rig.contract);
        assert_begins(rig.error.text, rows[i].want);
        rig_fini(&rig);
    }
}

// ---- schemas that combine and refer

static void expect_json(const char *schema, const char *metadata, const char *rules, const char *payload,
                        const char *want)
{
    struct rig rig;
    struct rig_source source = {.format = FORMAT_JSON,
                                .schema = schema,
                                .metadata = metadata,
                                .rules = rules,
                                .level = CONTRACT_RULES};
    rig_init(&rig, &source);
    assert_text(rig_judge_text(&rig, payload), want);
    rig_fini(&rig);
}

static void branches(void **state)
{
    (void)state;
    const char *const schema =
        "{\"oneOf\":[{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"string\","
        "\"confluent:rules\":[{\"name\":\"a\",\"expr\":\"false\"}]}}},"
        "{\"type\":\"object\",\"required\":[\"b\"],\"properties\":{\"b\":{\"type\":\"string\",\"confluent:"
        "rules\":[{"
        "\"name\":\"b\",\"expr\":\"false\"}]},\"a\":false}}]}";
    expect_json(schema, NULL, NULL, "{\"a\":\"x\"}", "reject: a $.a Expr failed: 'false'");
    expect_json(schema, NULL, NULL, "{\"b\":\"x\"}", "reject: b $.b Expr failed: 'false'");
}

// Names are matched to any depth of a type within itself, and a tag on the first level is not one on the
// second.
static void types_within_themselves(void **state)
{
    (void)state;
    const char *const schema =
        "{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"string\"},\"next\":{\"$ref\":"
        "\"#\"}}}";
    const char *const payload = "{\"v\":\"a\",\"next\":{\"v\":\"b\",\"next\":{\"v\":\"c\"}}}";
    expect_json(schema, "{\"tags\":{\"$.next.v\":[\"T\"]}}", RULES(FIELD("f", "\"T\"", "value != 'b'")),
                payload, "reject: f $.next.v Expr failed: 'value != 'b''");
    expect_json(schema, "{\"tags\":{\"$.next.v\":[\"T\"]}}", RULES(FIELD("f", "\"T\"", "value == 'b'")),
                payload, "pass");
    expect_json(schema, "{\"tags\":{\"$.next.next.v\":[\"T\"]}}", RULES(FIELD("f", "\"T\"", "value == 'b'")),
                payload, "reject: f $.next.next.v Expr failed: 'value == 'b''");
    expect_json(schema, "{\"tags\":{\"$.next**\":[\"T\"]}}", RULES(FIELD("f", "\"T\"", "value == 'a'")),
                payload,
                "reject: f $.next.v Expr failed: 'value == 'a''\nreject: f $.next.next.v Expr failed: 'value "
                "== 'a''");
    expect_json(schema, NULL, RULES(FIELD("f", "", "fullName != '$.next.next.v'")), payload,
                "reject: f $.next.next.v Expr failed: 'fullName != '$.next.next.v''");
}

// Rules of a referenced schema run on the values of its type, wherever they are.
static void rules_of_references(void **state)
{
    (void)state;
    static const char *const inner[FORMAT_COUNT] = {
        ("{\"type\":\"record\",\"name\":\"H\",\"namespace\":\"n\",\"fields\":[{\"name\":\"zip\",\"type\":"
         "\"string\"}]}"),
        "{\"type\":\"object\",\"properties\":{\"zip\":{\"type\":\"string\"}}}",
        "syntax = \"proto3\"; package n; message H { string zip = 1; }",
    };
    static const char *const outer[FORMAT_COUNT] = {
        "{\"type\":\"record\",\"name\":\"P\",\"namespace\":\"n\",\"fields\":[{\"name\":\"homes\",\"type\":{"
        "\"type\":"
        "\"array\",\"items\":\"H\"}}]}",
        "{\"type\":\"object\",\"properties\":{\"homes\":{\"type\":\"array\",\"items\":{\"$ref\":\"home\"}}}}",
        "syntax = \"proto3\"; package n; import \"home\"; message P { repeated H homes = 1; }",
    };
    for (int format = 0; format < FORMAT_COUNT; format++) {
        struct schema *schema = rig_schema((enum format)format, inner[format], NULL, 0);
        struct schema_reference reference = {format == FORMAT_AVRO ? STR("n.H") : STR("home"), schema};
        struct contract_part part = {
            .schema = schema,
            .metadata = STR("{\"tags\":{\"n.H.zip\":[\"Z\"],\"$.zip\":[\"Z\"]}}"),
            .rule_set = STR(RULES(
                "{\"name\":\"m\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"onFailure\":\"DLQ\",\"expr\":"
                "\"message.zip != '2'\"}," FIELD("f", "\"Z\"", "value != '3'"))),
            .subject = STR("homes"),
            .version = 1};
        struct rig rig;
        struct rig_source source = {.format = (enum format)format,
                                    .schema = outer[format],
                                    .level = CONTRACT_RULES,
                                    .references = &part,
                                    .schema_references = &reference,
                                    .reference_count = 1};
        struct buf payload;
        buf_init(&payload, 1 << 12);
        rig_init(&rig, &source);
        if (format == FORMAT_JSON) {
            buf_printf(&payload, "{\"homes\":[{\"zip\":\"1\"},{\"zip\":\"2\"},{\"zip\":\"3\"}]}");
        }
        buf_varlong(&payload, 3);
        for (int i = 1; i <= 3; i++) {
            char zip[2] = {(char)('0' + i), 0};
            struct buf home;
            buf_init(&home, 1 << 10);
            if (format == FORMAT_AVRO) {
                avro_string(&payload, zip);
            } else if (format == FORMAT_PROTOBUF) {
                payload.len = i == 1 ? 0 : payload.len;
                pb_string(&home, 1, zip);
                pb_message(&payload, 1, &home);
            }
            buf_fini(&home);
        }
        if (format == FORMAT_AVRO) {
            buf_varlong(&payload, 0);
        } else if (format == FORMAT_JSON) {
            payload.len--;
        }
        assert_text(rig_judge(&rig, buf_bytes(&payload)),
                    "dlq: m $.homes[1] Expr failed: 'message.zip != '2''\n"
                    "reject: f $.homes[2].zip Expr failed: 'value != '3''");
        assert_true(str_equal(rig.verdict.findings[0].subject, STR("homes")));
        buf_fini(&payload);
        rig_fini(&rig);
        schema_unref(schema);
    }
}

// ---- what clients encrypt

#define ENCRYPT "{\"name\":\"enc\",\"kind\":\"TRANSFORM\",\"type\":\"ENCRYPT\",\"tags\":[\"PII\"]}"

static void encrypted_fields(void **state)
{
    (void)state;
    expect_same(NULL, RULES(ENCRYPT "," FIELD("f", "\"PII\"", "false")), "pass");
    expect_same(NULL, RULES(ENCRYPT "," FIELD("f", "", "name != 'name'")), "pass");
    expect_same(NULL,
                "{\"encodingRules\":[{\"name\":\"p\",\"type\":\"ENCRYPT_PAYLOAD\"}],\"domainRules\":[" FIELD(
                    "f", "", "false") "]}",
                "pass");
    struct rig rig;
    struct rig_source source = {.format = FORMAT_AVRO,
                                .schema = schemas[0],
                                .rules = RULES(ENCRYPT "," FIELD("f", "\"PII\"", "false")),
                                .level = CONTRACT_RULES};
    rig_init(&rig, &source);
    assert_string_equal(contract_remark(rig.contract, 0),
                        "clients encrypt n.P.name: rule 'f' is left to them");
    assert_null(contract_remark(rig.contract, 1)); // not that it applies to no field, too
    rig_fini(&rig);
    source.rules = RULES(ENCRYPT "," FIELD("f", "\"PII\"", "false") "," FIELD("g", "\"PII\"", "false"));
    rig_init(&rig, &source);
    assert_string_equal(contract_remark(rig.contract, 1),
                        "clients encrypt n.P.name: rule 'g' is left to them");
    assert_null(contract_remark(rig.contract, 2));
    rig_fini(&rig);
}

// Of what clients encrypt JSON Schema asks for the type alone, at every level; of what they do not, for all.
static void encrypted_json_is_checked_for_its_type(void **state)
{
    (void)state;
    const char *const schema =
        "{\"oneOf\":[{\"type\":\"object\",\"required\":[\"ssn\"],\"properties\":{\"ssn\":{\"type\":"
        "\"string\",\"pattern\":"
        "\"^[0-9]*$\",\"confluent:tags\":[\"PII\"]},\"zip\":{\"type\":\"string\",\"pattern\":\"^[0-9]*$\","
        "\"confluent:"
        "rules\":[{\"name\":\"z\",\"expr\":\"this != '13'\"}]}}},{\"type\":\"integer\"}]}";
    for (int level = CONTRACT_STRUCTURE; level <= CONTRACT_RULES; level++) {
        struct rig rig;
        struct rig_source source = {.format = FORMAT_JSON,
                                    .schema = schema,
                                    .rules = RULES(ENCRYPT),
                                    .level = (enum contract_level)level};
        rig_init(&rig, &source);
        assert_text(rig_judge_text(&rig, "{\"ssn\":\"YWJj\",\"zip\":\"12\"}"), "pass");
        assert_begins(rig_judge_text(&rig, "{\"ssn\":7}"), "reject: strom:structure $.ssn");
        assert_begins(rig_judge_text(&rig, "{\"ssn\":\"YWJj\",\"zip\":\"ab\"}"),
                      "reject: strom:structure $.zip");
        // The branch is found though its pattern would refuse what is encrypted.
        assert_text(rig_judge_text(&rig, "{\"ssn\":\"YWJj\",\"zip\":\"13\"}"),
                    level == CONTRACT_STRUCTURE ? "pass" : "reject: z $.zip Expr failed: 'this != '13''");
        rig_fini(&rig);
    }
}

// ---- nothing of a payload is ever told

#define CANARY "c4n4ry"

static void no_value_is_told(void **state)
{
    (void)state;
    static const char *const json[] = {
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"pattern\":\"^x\"}}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"format\":\"ipv4\"}}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[\"x\"]}}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"const\":\"x\"}}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}",
        "{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"integer\"}},\"additionalProperties\":false}",
        "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}",
        "{\"type\":\"object\",\"patternProperties\":{\"^c\":{\"type\":\"integer\"}}}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"oneOf\":[{\"pattern\":\"^x\"},{\"pattern\":\"^y\"}]}}"
        "}",
        "{\"type\":\"object\",\"propertyNames\":{\"maxLength\":1}}",
        "{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^z\"}}",
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"unevaluatedProperties\":false}",
        "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"'not ' + this.a\"}]}",
        "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"this.a\"}]}",
        "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"this[this.a] == 1\"}]}",
        "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"int(this.a) == 1\"}]}",
        "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"timestamp(this.a) == now\"}]}",
        "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"duration(this.a) == "
        "duration('1s')\"}]}",
        "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"double(this.a) == 1.0\"}]}",
        "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"'x'.matches('(' + this.a)\"}]}",
        "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"decimal(this.a) == "
        "decimal('1')\"}]}",
        "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"this.a + 1 == 2\"}]}",
    };
    static const char *const payloads[] = {
        ("{\"a\":\"" CANARY "\",\"" CANARY "\":\"" CANARY "\"}"),
        ("{\"a\":\"" CANARY "\"}"),
        ("{\"a\":\"" CANARY),
    };
    size_t findings = 0;
    for (size_t i = 0; i < sizeof json / sizeof *json; i++) {
        struct rig rig;
        struct rig_source source = {.format = FORMAT_JSON, .schema = json[i], .level = CONTRACT_RULES};
        rig_init(&rig, &source);
        if (rig.contract == NULL) {
            fail_msg("%s: %s", json[i], rig.error.text);
        }
        for (size_t k = 0; k < sizeof payloads / sizeof *payloads; k++) {
            const char *told = rig_judge_text(&rig, payloads[k]);
            if (strstr(told, CANARY) != NULL) {
                fail_msg("%s\n %s", json[i], told);
            }
            findings += rig.verdict.count;
        }
        rig_fini(&rig);
    }
    assert_true(findings >= 2 * sizeof json / sizeof *json);
}

static void no_key_of_a_map_is_told(void **state)
{
    (void)state;
    static const char *const maps[] = {
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"m\",\"type\":{\"type\":\"map\","
        "\"values\":\"boolean\"}}]}",
        "syntax = \"proto3\"; message R { map<string, I> m = 1; } message I { string s = 1; }",
    };
    for (int i = 0; i < 2; i++) {
        struct rig rig;
        struct rig_source source = {
            .format = i == 0 ? FORMAT_AVRO : FORMAT_PROTOBUF, .schema = maps[i], .level = CONTRACT_RULES};
        struct buf payload;
        struct buf entry;
        buf_init(&payload, 1 << 10);
        buf_init(&entry, 1 << 10);
        rig_init(&rig, &source);
        if (i == 0) {
            buf_varlong(&payload, 1);
            avro_string(&payload, CANARY);
            buf_append(&payload, "\7\0", 2); // no boolean
        } else {
            pb_string(&entry, 1, CANARY);
            pb_string(&entry, 2, "\x0a\x02\xff\xff"); // no UTF-8
            pb_message(&payload, 1, &entry);
        }
        const char *told = rig_judge(&rig, buf_bytes(&payload));
        assert_begins(told, i == 0 ? "reject: strom:structure $.m[*] " : "reject: strom:structure $.m[*]");
        assert_null(strstr(told, CANARY));
        buf_fini(&payload);
        buf_fini(&entry);
        rig_fini(&rig);
    }
}

// ---- what an enemy may write

static void too_many_places_are_refused(void **state)
{
    (void)state;
    struct buf schema;
    struct buf metadata;
    buf_init(&schema, 1 << 20);
    buf_init(&metadata, 1 << 20);
    // A tree of itself with many names, and patterns that remember how it was reached.
    buf_printf(&schema, "{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"string\"}");
    buf_printf(&metadata, "{\"tags\":{\"$.v\":[\"T\"]");
    for (int i = 0; i < 26; i++) {
        buf_printf(&schema, ",\"%c\":{\"$ref\":\"#\"}", 'A' + i);
        buf_printf(&metadata, ",\"**.%c.*.*.*.*.*.*.v\":[\"T\"]", 'A' + i);
    }
    buf_printf(&schema, "}}");
    buf_printf(&metadata, "}}");
    buf_u8(&schema, 0);
    buf_u8(&metadata, 0);
    struct rig rig;
    struct rig_source source = {.format = FORMAT_JSON,
                                .schema = (const char *)schema.ptr,
                                .metadata = (const char *)metadata.ptr,
                                .rules = RULES(FIELD("f", "\"T\"", "true")),
                                .level = CONTRACT_RULES};
    rig_init(&rig, &source);
    assert_null(rig.contract);
    assert_int_equal(rig.error.code, ERR_NO_MEMORY);
    rig_fini(&rig);
    buf_fini(&schema);
    buf_fini(&metadata);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inline_tags),
        cmocka_unit_test(tags_by_name),
        cmocka_unit_test(variables),
        cmocka_unit_test(untagged_rules),
        cmocka_unit_test(items),
        cmocka_unit_test(guards),
        cmocka_unit_test(types_that_cannot_fit),
        cmocka_unit_test(checks),
        cmocka_unit_test(checks_that_cannot_run),
        cmocka_unit_test(branches),
        cmocka_unit_test(types_within_themselves),
        cmocka_unit_test(rules_of_references),
        cmocka_unit_test(encrypted_fields),
        cmocka_unit_test(encrypted_json_is_checked_for_its_type),
        cmocka_unit_test(no_value_is_told),
        cmocka_unit_test(no_key_of_a_map_is_told),
        cmocka_unit_test(too_many_places_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
