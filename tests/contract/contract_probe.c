// SPDX-License-Identifier: Apache-2.0
// contract_probe.c - src/contract/ for scripts that hold it against other programs: a request per line on
// stdin, an answer per line on stdout, both JSON. README.md has the requests.
#include <stdio.h>
#include <stdlib.h>

#include "contract/contract.h"
#include "json/tree.h"
#include "json/write.h"

enum { MEMORY_MAX = 512 << 20 };

struct probe {
    struct arena arena; // of one request
    struct arena findings;
    struct arena scratch;
    struct buf out;
    struct json json;
};

static void answer_error(struct probe *p, const struct error *e)
{
    json_pair_bool(&p->json, "ok", false);
    json_pair_str(&p->json, "error", str_from_c(e->text));
}

static bool from_hex(struct probe *p, struct str hex, struct bytes *ret)
{
    uint8_t *data = arena_new(&p->arena, uint8_t, hex.len / 2 + 1);
    if (data == NULL || hex.len % 2 != 0) {
        return false;
    }
    for (size_t i = 0; i < hex.len / 2; i++) {
        char pair[3] = {hex.ptr[2 * i], hex.ptr[2 * i + 1], 0};
        data[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    *ret = bytes_of(data, hex.len / 2);
    return true;
}

static void judge_one(struct probe *p, const struct contract *contract, struct str hex, int64_t now_ms)
{
    struct contract_run run = {.arena = &p->findings,
                               .scratch = &p->scratch,
                               .now_ms = now_ms,
                               .on_failure = CONTRACT_REJECT,
                               .steps = CONTRACT_STEPS_BATCH_MAX};
    struct contract_verdict verdict = {0};
    struct bytes payload = {0};
    arena_reset(&p->findings);
    json_object_begin(&p->json);
    if (from_hex(p, hex, &payload)) {
        contract_judge(contract, &run, payload, &verdict);
    }
    json_pair_str(&p->json, "action", str_from_c(contract_action_name(verdict.action)));
    json_key(&p->json, "findings");
    json_array_begin(&p->json);
    for (size_t i = 0; i < verdict.count; i++) {
        const struct contract_finding *finding = &verdict.findings[i];
        json_object_begin(&p->json);
        json_pair_str(&p->json, "action", str_from_c(contract_action_name(finding->action)));
        json_pair_str(&p->json, "rule", finding->rule);
        json_pair_str(&p->json, "path", finding->path);
        json_pair_str(&p->json, "reason", finding->reason);
        json_object_end(&p->json);
    }
    json_array_end(&p->json);
    json_object_end(&p->json);
}

static void judge(struct probe *p, const struct json_value *request, const struct contract *contract)
{
    int64_t now_ms = 0;
    json_value_i64(json_get(request, STR("now")), &now_ms);
    json_pair_bool(&p->json, "ok", true);
    json_key(&p->json, "remarks");
    json_array_begin(&p->json);
    for (size_t i = 0; contract_remark(contract, i) != NULL; i++) {
        json_str(&p->json, str_from_c(contract_remark(contract, i)));
    }
    json_array_end(&p->json);
    const struct json_value *payloads = json_get(request, STR("payloads"));
    json_key(&p->json, "verdicts");
    json_array_begin(&p->json);
    for (const struct json_value *v = payloads == NULL ? NULL : payloads->first; v != NULL; v = v->next) {
        judge_one(p, contract, v->text, now_ms);
    }
    json_array_end(&p->json);
}

static void answer(struct probe *p, struct str line)
{
    struct json_value *request = NULL;
    struct error e = {0};
    struct schema_source source = {.format = FORMAT_AVRO};
    struct schema *schema = NULL;
    struct contract *contract = NULL;
    json_object_begin(&p->json);
    enum err err = json_parse(line, &p->arena, &request, &e);
    if (err == ERR_OK) {
        source.text = json_get_str(request, STR("schema"));
        if (!format_find(json_get_str(request, STR("format")), &source.format)) {
            err = FAIL(&e, ERR_INVALID_REQUEST, "no such format");
        }
    }
    err = err == ERR_OK ? schema_create(&source, &schema, &e) : err;
    if (err == ERR_OK) {
        struct contract_source made = {.part = {.schema = schema,
                                                .metadata = json_get_str(request, STR("metadata")),
                                                .rule_set = json_get_str(request, STR("ruleSet")),
                                                .subject = STR("probe-value"),
                                                .version = 1},
                                       .level = CONTRACT_RULES};
        err = contract_create(&made, &contract, &e);
    }
    if (err == ERR_OK) {
        judge(p, request, contract);
    } else {
        answer_error(p, &e);
    }
    json_object_end(&p->json);
    contract_unref(contract);
    schema_unref(schema);
}

int main(void)
{
    struct probe p = {0};
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    arena_init(&p.arena, MEMORY_MAX);
    arena_init(&p.findings, CONTRACT_ARENA_BYTES_MAX);
    arena_init(&p.scratch, CONTRACT_ARENA_BYTES_MAX);
    buf_init(&p.out, MEMORY_MAX);
    while ((length = getline(&line, &capacity, stdin)) > 0) {
        arena_reset(&p.arena);
        buf_reset(&p.out);
        p.json = (struct json){.out = &p.out};
        answer(&p, (struct str){line, (size_t)length});
        buf_u8(&p.out, '\n');
        fwrite(p.out.ptr, 1, p.out.len, stdout);
        fflush(stdout);
    }
    free(line);
    buf_fini(&p.out);
    arena_fini(&p.arena);
    arena_fini(&p.findings);
    arena_fini(&p.scratch);
    return 0;
}
