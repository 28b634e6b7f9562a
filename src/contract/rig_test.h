// SPDX-License-Identifier: Apache-2.0
// rig_test.h - contracts from texts, and verdicts as texts: what this module's tests share.
#ifndef CONTRACT_RIG_TEST_H
#define CONTRACT_RIG_TEST_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "contract/contract.h"

struct rig {
    struct schema *schema;
    struct contract *contract; // NULL: refused, with `error`
    struct error error;
    struct arena arena;
    struct arena scratch;
    struct contract_run run;
    struct contract_verdict verdict;
    struct buf told;
};

// What a contract is made of; format and schema must be given.
struct rig_source {
    enum format format;
    const char *schema;
    const char *metadata;
    const char *rules; // of a rule set
    enum contract_level level;
    const struct contract_part *references;
    size_t reference_count;
    const struct schema_reference *schema_references;
    const int32_t *indexes;
    size_t index_count;
};

static inline struct str rig_text(const char *text)
{
    return text == NULL ? (struct str){NULL, 0} : str_from_c(text);
}

static inline struct schema *rig_schema(enum format format, const char *text,
                                        const struct schema_reference *references, size_t count)
{
    struct schema_source source = {
        .format = format, .text = str_from_c(text), .references = references, .reference_count = count};
    struct schema *schema = NULL;
    struct error e;
    if (schema_create(&source, &schema, &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
    return schema;
}

static inline void rig_init(struct rig *rig, const struct rig_source *source)
{
    *rig = (struct rig){0};
    rig->schema =
        rig_schema(source->format, source->schema, source->schema_references, source->reference_count);
    struct contract_source made = {
        .part = {.schema = rig->schema,
                 .metadata = rig_text(source->metadata),
                 .rule_set = rig_text(source->rules),
                 .subject = STR("s-value"),
                 .version = 3,
                 .id = 7},
        .references = source->references,
        .reference_count = source->reference_count,
        .indexes = source->indexes,
        .index_count = source->index_count,
        .level = source->level,
    };
    arena_init(&rig->arena, CONTRACT_ARENA_BYTES_MAX);
    arena_init(&rig->scratch, CONTRACT_ARENA_BYTES_MAX);
    buf_init(&rig->told, 1 << 20);
    rig->run = (struct contract_run){.arena = &rig->arena,
                                     .scratch = &rig->scratch,
                                     .now_ms = 1700000000000,
                                     .on_failure = CONTRACT_REJECT,
                                     .steps = CONTRACT_STEPS_BATCH_MAX};
    if (contract_create(&made, &rig->contract, &rig->error) != ERR_OK) {
        rig->contract = NULL;
    }
}

static inline void rig_fini(struct rig *rig)
{
    contract_unref(rig->contract);
    schema_unref(rig->schema);
    arena_fini(&rig->arena);
    arena_fini(&rig->scratch);
    buf_fini(&rig->told);
}

// rig_judge tells the verdict: "pass", or "action: rule path reason" of each finding, in lines.
static inline const char *rig_judge(struct rig *rig, struct bytes payload)
{
    if (rig->contract == NULL) {
        return rig->error.text;
    }
    contract_judge(rig->contract, &rig->run, payload, &rig->verdict);
    buf_reset(&rig->told);
    buf_printf(&rig->told, "%s", rig->verdict.count == 0 ? "pass" : "");
    for (size_t i = 0; i < rig->verdict.count; i++) {
        const struct contract_finding *f = &rig->verdict.findings[i];
        buf_printf(&rig->told, "%s%s: " STR_FMT " " STR_FMT " " STR_FMT, i == 0 ? "" : "\n",
                   contract_action_name(f->action), STR_ARG(f->rule), STR_ARG(f->path), STR_ARG(f->reason));
    }
    buf_u8(&rig->told, 0);
    return rig->told.ptr == NULL ? "" : (const char *)rig->told.ptr;
}

static inline const char *rig_judge_text(struct rig *rig, const char *json)
{
    return rig_judge(rig, bytes_of(json, strlen(json)));
}

static inline void assert_text(const char *found, const char *want)
{
    if (strcmp(found, want) != 0) {
        fail_msg("\n found %s\n want  %s", found, want);
    }
}

static inline void assert_begins(const char *found, const char *want)
{
    if (strncmp(found, want, strlen(want)) != 0) {
        fail_msg("\n found %s\n want  %s...", found, want);
    }
}

#endif
