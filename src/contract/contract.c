// SPDX-License-Identifier: Apache-2.0
// contract.c - the life of a contract: rule sets are read, the schema's places found, expressions compiled,
// and in the end the program that checks payloads and finds what the expressions read.
#include "contract/contract_private.h"

#include "base/assert.h"
#include "base/mem.h"

const char *contract_action_name(enum contract_action action)
{
    static const char *const names[] = {"pass", "observe", "mark", "dlq", "reject"};
    ASSERT((size_t)action < sizeof names / sizeof *names);
    return names[action];
}

static bool has_rules(const struct contract_part *part)
{
    return part->rule_set.len > 0 || part->metadata.len > 0;
}

// parts_read: the schema's own part, and those that it refers to that bring rules.
static bool parts_read(struct compile *c, const struct contract_source *source)
{
    struct contract *contract = c->contract;
    uint32_t count = 1;
    for (size_t i = 0; i < source->reference_count; i++) {
        count += source->references[i].rule_set.len > 0;
    }
    if (count > CONTRACT_PARTS_MAX) {
        return bind_fail(c, ERR_NO_MEMORY, "more than %d schemas with rules of their own",
                         CONTRACT_PARTS_MAX);
    }
    contract->parts = arena_new(c->arena, struct part, count);
    if (contract->parts == NULL) {
        return false;
    }
    contract->parts[0].source = &source->part;
    contract->part_count = 1;
    for (size_t i = 0; i < source->reference_count; i++) {
        if (source->references[i].rule_set.len > 0) {
            contract->parts[contract->part_count++].source = &source->references[i];
        }
    }
    for (uint32_t p = 0; p < contract->part_count; p++) {
        contract->parts[p].subject = arena_str(c->arena, contract->parts[p].source->subject);
        if (has_rules(contract->parts[p].source) && !rules_read(c, p, contract->parts[p].source)) {
            return false;
        }
    }
    return true;
}

static bool program_make(struct compile *c, const struct contract_source *source)
{
    struct contract *contract = c->contract;
    struct error e;
    enum err err = ERR_OK;
    if (c->path_count == 0 && c->loose_count == 0) {
        contract->program = program_ref(contract->types);
        return true;
    }
    err = program_create_loose(source->part.schema, source->indexes, source->index_count, c->paths,
                               c->path_count, (struct site_loose){c->loose, c->loose_count},
                               &contract->program, &e);
    return err == ERR_OK || bind_fail(c, err, "%s", e.text);
}

static bool names_make(struct compile *c)
{
    struct contract *contract = c->contract;
    const struct schema *schema = contract->schema;
    struct error e;
    if (schema_format(schema) != FORMAT_PROTOBUF || contract->level != CONTRACT_RULES) {
        return true;
    }
    enum err err = cel_types_create(&schema, 1, &contract->names, &e);
    return err == ERR_OK || bind_fail(c, err, "%s", e.text);
}

static bool compile_all(struct compile *c, const struct contract_source *source)
{
    struct contract *contract = c->contract;
    struct error e;
    enum err err =
        program_create(source->part.schema, source->indexes, source->index_count, &contract->types, &e);
    if (err != ERR_OK) {
        return bind_fail(c, err, "%s", e.text);
    }
    if (!parts_read(c, source) || !names_make(c)) {
        return false;
    }
    bool is_loose = contract->parts[0].encryption_count > 0; // even where only the structure counts
    bool has_any = (contract->level == CONTRACT_RULES || is_loose) && !contract->is_opaque;
    return (!has_any || (places_build(c) && rules_compile(c))) && program_make(c, source);
}

enum err contract_create(const struct contract_source *source, struct contract **ret, struct error *e)
{
    struct contract *contract = mem_zalloc(sizeof *contract);
    struct compile c = {.contract = contract, .arena = &contract->arena, .e = e};
    atomic_init(&contract->ref_count, 1);
    arena_init(&contract->arena, CONTRACT_MEMORY_BYTES_MAX);
    contract->level = source->level;
    contract->schema = schema_ref(source->part.schema);
    compile_all(&c, source);
    mem_free(c.loose);
    if (contract->arena.failed) {
        bind_fail(&c, ERR_NO_MEMORY, "the rules need more than %d bytes", CONTRACT_MEMORY_BYTES_MAX);
    }
    for (uint32_t p = 0; p < contract->part_count; p++) {
        contract->parts[p].source = NULL; // the caller's
    }
    if (c.err != ERR_OK) {
        contract_unref(contract);
        return c.err;
    }
    *ret = contract;
    return ERR_OK;
}

struct contract *contract_ref(const struct contract *contract)
{
    struct contract *counted = (struct contract *)contract; // only the count changes
    atomic_fetch_add_explicit(&counted->ref_count, 1, memory_order_relaxed);
    return counted;
}

void contract_unref(struct contract *take_contract)
{
    struct contract *contract = take_contract;
    if (contract == NULL || atomic_fetch_sub_explicit(&contract->ref_count, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (uint32_t i = 0; i < contract->rule_count; i++) {
        cel_program_unref(contract->rules[i]->guard.program);
        cel_program_unref(contract->rules[i]->body.program);
    }
    for (const struct place *place = contract->places; place != NULL; place = place->next) {
        for (uint32_t i = 0; i < place->branch_count; i++) {
            program_unref(place->branches[i].program);
        }
    }
    cel_types_destroy(contract->names);
    program_unref(contract->program);
    program_unref(contract->types);
    schema_unref(contract->schema);
    arena_fini(&contract->arena);
    mem_free(contract);
}

size_t contract_memory(const struct contract *contract)
{
    size_t size = sizeof *contract + contract->arena.total + program_memory(contract->program);
    size += contract->types == contract->program ? 0 : program_memory(contract->types);
    for (uint32_t i = 0; i < contract->rule_count; i++) {
        const struct rule *rule = contract->rules[i];
        size += rule->guard.program == NULL ? 0 : cel_program_memory(rule->guard.program);
        size += rule->body.program == NULL ? 0 : cel_program_memory(rule->body.program);
    }
    for (const struct place *place = contract->places; place != NULL; place = place->next) {
        for (uint32_t i = 0; i < place->branch_count; i++) {
            const struct program *program = place->branches[i].program;
            size += program == NULL ? 0 : program_memory(program);
        }
    }
    return size;
}

const char *contract_remark(const struct contract *contract, size_t index)
{
    return index < contract->remark_count ? contract->remarks[index] : NULL;
}

struct str contract_dead_letter_topic(const struct contract *contract, size_t index)
{
    return index < contract->letter_topic_count ? contract->letter_topics[index] : (struct str){NULL, 0};
}
