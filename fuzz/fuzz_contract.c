// SPDX-License-Identifier: Apache-2.0
// The first byte chooses. Below the number of contracts: the rest is a payload for one that exists, and the
// verdict is consistent, within its steps, and tells nothing of the payload. Above: a rule set, a zero byte,
// metadata, a zero byte and a payload: what is compiled can be judged with, what is not names an error.
#include "base/assert.h"
#include "contract/contract.h"
#include "contract/frame.h"

enum { CONTRACTS = 6, STEPS_SLACK = 64 };

#define RULES                                                                                                \
    "{\"domainRules\":[{\"name\":\"m\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"onFailure\":\"DLQ\","       \
    "\"expr\":\"size("                                                                                       \
    "message.s) < 3 || message.l.exists(x, x == "                                                            \
    "message.s)\"},{\"name\":\"f\",\"kind\":\"CONDITION\",\"type\":"                                         \
    "\"CEL_FIELD\",\"tags\":[\"T\"],\"expr\":\"name == 's' ; "                                               \
    "value.matches('^[a-z]*$')\"},{\"name\":\"g\",\"kind\":"                                                 \
    "\"CONDITION\",\"type\":\"CEL_FIELD\",\"onFailure\":\"NONE\",\"expr\":\"name != 'zz' && fullName != "    \
    "''\"}]}"
#define METADATA "{\"tags\":{\"**.s\":[\"T\"]}}"

static const struct {
    enum format format;
    const char *schema;
    const char *rules;
} sources[CONTRACTS] = {
    {FORMAT_AVRO,
     "{\"type\":\"record\",\"name\":\"R\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"size(this.l) < "
     "4\"}],\"fields\":[{"
     "\"name\":\"s\",\"type\":\"string\"},{\"name\":\"l\",\"type\":{\"type\":\"array\",\"items\":\"string\"}}"
     ",{\"name\":\"n\","
     "\"type\":[\"null\",\"R\"]},{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"R\"}}]}",
     RULES},
    {FORMAT_JSON,
     "{\"type\":\"object\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"!has(this.l) || size(this.l) < "
     "4\"}],"
     "\"properties\":{\"s\":{\"type\":\"string\"},\"l\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
     "\"n\":{\"$ref\":"
     "\"#\"},\"o\":{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"object\",\"required\":[\"s\"],\"properties\":{"
     "\"s\":{\"type\":["
     "\"string\",\"integer\"]},\"o\":{\"$ref\":\"#/properties/o\"}}}]}}}",
     RULES},
    {FORMAT_PROTOBUF,
     "syntax = \"proto3\"; import \"confluent/meta.proto\"; message R { option "
     "(confluent.message_meta).rules = {name: "
     "\"c\", expr: \"size(this.l) < 4\"}; string s = 1; repeated string l = 2; R n = 3; map<string, R> m = "
     "4; oneof o { "
     "uint64 u = 5; double d = 6; } }",
     RULES},
    {FORMAT_AVRO, "[\"null\",\"long\",\"string\"]", NULL},
    {FORMAT_JSON, "{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"maximum\":10}}", NULL},
    {FORMAT_JSON,
     "{\"oneOf\":[{\"type\":\"string\",\"confluent:rules\":[{\"name\":\"c\",\"expr\":\"this == "
     "''\"}]},{\"type\":"
     "\"object\",\"additionalProperties\":false,\"properties\":{\"s\":{\"type\":[\"null\",\"string\"]}}}]}",
     "{\"domainRules\":[{\"name\":\"f\",\"kind\":\"CONDITION\",\"type\":\"CEL_FIELD\",\"expr\":\"value == "
     "null\"}]}"},
};

static struct contract *make(enum format format, const char *text, struct str rules, struct str metadata)
{
    struct schema_source source = {.format = format, .text = str_from_c(text)};
    struct schema *schema = NULL;
    struct contract *contract = NULL;
    struct error e = {0};
    enum err err = schema_create(&source, &schema, &e);
    ASSERT(err == ERR_OK);
    struct contract_source made = {.part = {.schema = schema,
                                            .rule_set = rules,
                                            .metadata = metadata,
                                            .subject = STR("s"),
                                            .version = 1},
                                   .level = CONTRACT_RULES};
    err = contract_create(&made, &contract, &e);
    ASSERT((err == ERR_OK) == (contract != NULL));
    ASSERT(err == ERR_OK || e.text[0] != 0);

    schema_unref(schema);
    return contract;
}

static void judge(const struct contract *contract, struct bytes payload, enum contract_action on_failure)
{
    struct arena arena;
    struct arena scratch;
    arena_init(&arena, CONTRACT_ARENA_BYTES_MAX);
    arena_init(&scratch, CONTRACT_ARENA_BYTES_MAX);
    struct contract_run run = {.arena = &arena,
                               .scratch = &scratch,
                               .now_ms = -1,
                               .on_failure = on_failure,
                               .steps = CONTRACT_STEPS_BATCH_MAX};
    struct contract_verdict verdict;
    enum contract_action action = contract_judge(contract, &run, payload, &verdict);
    ASSERT(action == verdict.action && verdict.count <= CONTRACT_FINDINGS_MAX &&
           verdict.count <= verdict.total);
    ASSERT((action == CONTRACT_PASS) == (verdict.total == 0));
    ASSERT(CONTRACT_STEPS_BATCH_MAX - run.steps <= CONTRACT_STEPS_RECORD_MAX + STEPS_SLACK);
    enum contract_action most = CONTRACT_PASS;
    for (size_t i = 0; i < verdict.count; i++) {
        const struct contract_finding *finding = &verdict.findings[i];
        most = finding->action > most ? finding->action : most;
        ASSERT(finding->position <= payload.len);
        ASSERT(finding->path.len > 0 && finding->path.len < CONTRACT_PATH_SIZE &&
               finding->path.ptr[0] == '$');
        ASSERT(finding->reason.len > 0 && finding->reason.len < CONTRACT_REASON_SIZE);
        ASSERT(on_failure != CONTRACT_OBSERVE || finding->action == CONTRACT_OBSERVE);
    }
    ASSERT(most == action);
    arena_fini(&arena);
    arena_fini(&scratch);
}

static struct str part(struct str *rest)
{
    struct str first = str_cut(*rest, 0, rest);
    return first.ptr == NULL ? STR("") : first;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct contract *contracts[CONTRACTS];
    if (size == 0) {
        return 0;
    }
    uint8_t chosen = data[0] % 16;
    enum contract_action on_failure = (enum contract_action)(data[0] / 16 % (CONTRACT_REJECT + 1));
    struct bytes rest = bytes_of(data + 1, size - 1);
    if (chosen < CONTRACTS) {
        if (contracts[chosen] == NULL) {
            contracts[chosen] = make(sources[chosen].format, sources[chosen].schema,
                                     str_from_c(sources[chosen].rules), STR(METADATA));
            ASSERT(contracts[chosen] != NULL);
        }
        judge(contracts[chosen], rest, on_failure);
        return 0;
    }
    struct str text = {(const char *)rest.ptr, rest.len};
    struct str rules = part(&text);
    struct str metadata = part(&text);
    struct contract *contract = make(sources[chosen % 3].format, sources[chosen % 3].schema, rules, metadata);
    if (contract != NULL) {
        judge(contract, bytes_of(text.ptr, text.len), on_failure);
    }
    contract_unref(contract);
    return 0;
}
