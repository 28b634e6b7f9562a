// SPDX-License-Identifier: Apache-2.0
#include "cli/contract_trial.h"

#include <stdlib.h>

#include "base/mem.h"

static bool fail(struct trial *trial, const struct error *e, enum governance_side side)
{
    const char *what =
        run_print(trial->run, "%s of " STR_FMT, contract_side_names[side], STR_ARG(trial->file->path)).ptr;
    run_fail(trial->run, what, e->code, e, NULL);
    return false;
}

static enum contract_level level_of(const struct contract_side *side)
{
    return str_equal(side->level, STR("contract")) ? CONTRACT_RULES : CONTRACT_STRUCTURE;
}

static enum err contract_make(const struct trial *trial, enum governance_side which,
                              const struct schema *schema, const int32_t *indexes, size_t index_count,
                              struct contract **ret, struct error *e)
{
    const struct contract_side *side = &trial->file->sides[which];
    struct contract_source source = {
        .part = {.schema = schema,
                 .metadata = side->metadata,
                 .rule_set = side->rule_set,
                 .subject = side->subject},
        .indexes = index_count > 0 ? indexes : NULL, // only Protobuf has them
        .index_count = index_count,
        .level = level_of(side),
    };
    return contract_create(&source, ret, e);
}

bool trial_init(struct trial *trial, struct run *run, const struct contract_file *file,
                struct registry_client *registry)
{
    *trial = (struct trial){.run = run, .file = file, .registry = registry, .on_failure = CONTRACT_REJECT};
    (void)governance_resolve(file->settings, file->setting_count, &trial->governance);
    trial->contracts = mem_array(TRIAL_CONTRACTS_MAX, sizeof *trial->contracts);
    trial->counts.rows = mem_array(TRIAL_RULES_MAX, sizeof *trial->counts.rows);
    trial->mutex = mem_zalloc(sizeof *trial->mutex);
    mutex_init(trial->mutex, run->env->threads);
    trial->now_ms = clock_wall_ms(run->env->clock);
    if (trial->governance.action == ACTION_DLQ) {
        trial->on_failure = CONTRACT_DEAD_LETTER;
    } else if (trial->governance.action == ACTION_MARK) {
        trial->on_failure = CONTRACT_MARK;
    }
    for (int s = 0; s < SIDE_COUNT; s++) {
        enum governance_side side = (enum governance_side)s;
        struct error e = {0};
        if (!file->sides[s].is_there) {
            continue;
        }
        trial->schemas[s] = schema_of(registry, file->sides[s].body);
        if (trial->schemas[s] == NULL) {
            return false;
        }
        if (contract_make(trial, side, trial->schemas[s], NULL, 0, &trial->own[s], &e) != ERR_OK) {
            return fail(trial, &e, side);
        }
    }
    return true;
}

void trial_fini(struct trial *trial)
{
    for (int s = 0; s < SIDE_COUNT; s++) {
        contract_unref(trial->own[s]);
        schema_unref(trial->schemas[s]);
    }
    for (size_t i = 0; i < trial->contract_count; i++) {
        contract_unref(trial->contracts[i].contract);
    }
    if (trial->mutex != NULL) {
        mutex_fini(trial->mutex);
    }
    mem_free(trial->mutex);
    mem_free(trial->contracts);
    mem_free(trial->counts.rows);
}

// ---- the schema that a record names

static struct str guid_path(struct run *run, struct uuid guid)
{
    const uint8_t *b = guid.b;
    return run_print(
        run, "/schemas/guids/%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
        b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static struct schema *schema_by_name(struct trial *trial, const struct frame_name *name, const char **ret_why)
{
    int status = 0;
    struct json_value *found = NULL;
    struct str path = name->kind == FRAME_NAME_ID ? path_of(trial->run, "/schemas/ids/%d", name->id)
                                                  : guid_path(trial->run, name->guid);
    if (!registry_ask(trial->registry, "GET", path, (struct str){NULL, 0}, &status, &found)) {
        return NULL;
    }
    if (status >= 300) {
        *ret_why = "it names a schema that is not registered";
        return NULL;
    }
    return schema_of(trial->registry, found);
}

static bool is_same_name(const struct frame_name *a, const struct frame_name *b)
{
    return a->kind == b->kind && (a->kind == FRAME_NAME_ID ? a->id == b->id : uuid_equal(a->guid, b->guid));
}

static bool is_contract_of(const struct trial_contract *have, enum governance_side side,
                           const struct frame_name *name, const int32_t *indexes, size_t index_count)
{
    return have->side == side && is_same_name(&have->name, name) && have->index_count == index_count &&
           memcmp(have->indexes, indexes, index_count * sizeof *indexes) == 0;
}

static const struct trial_contract *contract_of(struct trial *trial, enum governance_side side,
                                                const struct frame_name *name, const int32_t *indexes,
                                                size_t index_count)
{
    for (size_t i = 0; i < trial->contract_count; i++) {
        if (is_contract_of(&trial->contracts[i], side, name, indexes, index_count)) {
            return &trial->contracts[i];
        }
    }
    if (trial->contract_count == TRIAL_CONTRACTS_MAX) {
        return NULL;
    }
    struct trial_contract *fresh = &trial->contracts[trial->contract_count++];
    struct error e = {0};
    *fresh = (struct trial_contract){.side = side, .name = *name, .index_count = index_count};
    memcpy(fresh->indexes, indexes, index_count * sizeof *indexes);
    fresh->why = "the schema that it names cannot be read";
    struct schema *schema = schema_by_name(trial, name, &fresh->why);
    if (schema != NULL &&
        contract_make(trial, side, schema, indexes, index_count, &fresh->contract, &e) != ERR_OK) {
        fresh->why = run_print(trial->run, "with the schema that it names: %s", e.text).ptr;
    }
    schema_unref(schema);
    return fresh;
}

// contract_find: a judge asks the trial once for each schema.
static const struct trial_contract *contract_find(struct trial_judge *judge, enum governance_side side,
                                                  const struct frame_name *name, const int32_t *indexes,
                                                  size_t index_count)
{
    for (size_t i = 0; i < judge->known_count; i++) {
        if (is_contract_of(judge->known[i], side, name, indexes, index_count)) {
            return judge->known[i];
        }
    }
    if (index_count > TRIAL_INDEXES_MAX) {
        return NULL;
    }
    mutex_lock(judge->trial->mutex);
    const struct trial_contract *found = contract_of(judge->trial, side, name, indexes, index_count);
    mutex_unlock(judge->trial->mutex);
    if (found != NULL) {
        judge->known[judge->known_count++] = found;
    }
    return found;
}

// ---- counting

static struct trial_row *row_find(struct trial_counts *counts, const struct trial_row *like)
{
    for (size_t i = 0; i < counts->row_count; i++) {
        struct trial_row *row = &counts->rows[i];
        if (row->side == like->side && row->action == like->action && str_equal(row->rule, like->rule) &&
            str_equal(row->path, like->path)) {
            return row;
        }
    }
    return NULL;
}

static int row_compare(const void *left, const void *right)
{
    const struct trial_row *a = left;
    const struct trial_row *b = right;
    if (a->partition != b->partition) {
        return a->partition < b->partition ? -1 : 1;
    }
    if (a->offset != b->offset) {
        return a->offset < b->offset ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order; // one record has one judge
}

// first_set makes the record of `from` the row's first. Texts are copied: a shorter life never lasts.
static void first_set(struct trial_row *row, const struct trial_row *from, struct arena *arena)
{
    struct str reason = arena_str(arena, from->reason);
    row->reason = reason.ptr != NULL ? reason : row->reason;
    row->partition = from->partition;
    row->offset = from->offset;
    row->order = from->order;
}

// row_of gives the row like this one, which may be a new one; NULL if there are too many. Its first record is
// the earliest of all, in whatever order they are judged.
static struct trial_row *row_of(struct trial_counts *counts, const struct trial_row *like,
                                struct arena *arena)
{
    struct trial_row *row = row_find(counts, like);
    if (row != NULL) {
        if (row_compare(like, row) < 0) {
            first_set(row, like, arena);
        }
        return row;
    }
    if (counts->row_count == TRIAL_RULES_MAX) {
        return NULL;
    }
    row = &counts->rows[counts->row_count++];
    *row = (struct trial_row){.rule = arena_str(arena, like->rule),
                              .path = arena_str(arena, like->path),
                              .side = like->side,
                              .action = like->action,
                              .last = -1};
    first_set(row, like, arena);
    return row;
}

static void finding_count(struct trial_judge *judge, const struct trial_row *finding)
{
    struct trial_row *row = row_of(&judge->counts, finding, &judge->texts);
    if (row == NULL) {
        return;
    }
    row->count++;
    row->here += row->last != judge->counts.records ? 1 : 0;
    row->last = judge->counts.records;
}

void trial_place_end(struct trial_judge *judge, int64_t records)
{
    for (size_t i = 0; i < judge->counts.row_count; i++) {
        struct trial_row *row = &judge->counts.rows[i];
        if (row->here > 0) {
            sample_found_add(&row->found, row->here, records);
            row->here = 0;
        }
    }
}

int64_t trial_records_all(const struct trial *trial)
{
    if (!trial->is_sample || trial->size.offsets == 0) {
        return trial->counts.records;
    }
    double share = (double)trial->size.records / (double)trial->size.offsets;
    double all = (double)trial->offsets * (share < 1 ? share : 1);
    return all < (double)INT64_MAX ? (int64_t)all : INT64_MAX;
}

void trial_judge_init(struct trial_judge *judge, struct trial *trial)
{
    *judge = (struct trial_judge){.trial = trial};
    arena_init(&judge->arena, CONTRACT_ARENA_BYTES_MAX);
    arena_init(&judge->scratch, CONTRACT_ARENA_BYTES_MAX);
    arena_init(&judge->texts, CONTRACT_ARENA_BYTES_MAX);
    judge->known = mem_array(TRIAL_CONTRACTS_MAX, sizeof *judge->known);
    judge->counts.rows = mem_array(TRIAL_RULES_MAX, sizeof *judge->counts.rows);
}

void trial_judge_end(struct trial_judge *judge)
{
    struct trial_counts *counts = &judge->trial->counts;
    mutex_lock(judge->trial->mutex);
    for (size_t i = 0; i < judge->counts.row_count; i++) {
        const struct trial_row *found = &judge->counts.rows[i];
        struct trial_row *row = row_of(counts, found, &judge->trial->run->arena);
        if (row != NULL) {
            row->count += found->count;
            sample_found_join(&row->found, &found->found);
        }
    }
    for (size_t i = 0; i < sizeof counts->actions / sizeof *counts->actions; i++) {
        counts->actions[i] += judge->counts.actions[i];
    }
    counts->records += judge->counts.records;
    qsort(counts->rows, counts->row_count, sizeof *counts->rows, row_compare);
    mutex_unlock(judge->trial->mutex);
    mem_free(judge->counts.rows);
    mem_free(judge->known);
    arena_fini(&judge->arena);
    arena_fini(&judge->scratch);
    arena_fini(&judge->texts);
}

static void note(struct trial *trial, enum governance_side side, struct contract_run *run,
                 struct contract_verdict *verdict, const char *rule, const char *reason)
{
    contract_verdict_add(run, verdict, rule, trial->file->sides[side].subject, reason);
}

static void raw_judge(struct trial *trial, enum governance_side side, const struct frame *frame,
                      struct contract_run *run, struct contract_verdict *verdict)
{
    bool is_judged = trial->governance.sides[side].level >= LEVEL_STRUCTURE &&
                     schema_format(trial->schemas[side]) == FORMAT_JSON;
    if (is_judged) {
        (void)contract_judge(trial->own[side], run, frame->whole, verdict);
    } else {
        note(trial, side, run, verdict, CONTRACT_RULE_FRAMING,
             "there is no schema id: it was not written by a serializer of the schema registry");
    }
}

// judge_frame finds the payload's schema and judges it.
static void judge_frame(struct trial_judge *judge, enum governance_side side, const struct frame *frame,
                        struct contract_run *run, struct contract_verdict *verdict)
{
    struct trial *trial = judge->trial;
    bool has_header = frame->header.kind != FRAME_NAME_NONE;
    const struct frame_name *name = has_header ? &frame->header : &frame->prefix;
    bool is_behind = !has_header || is_same_name(&frame->header, &frame->prefix);
    struct bytes payload = is_behind ? frame->behind : frame->whole;
    struct bytes in_header = frame->header_indexes;
    struct bytes *indexed = has_header && !is_behind ? &in_header : &payload;
    bool is_protobuf = schema_format(trial->schemas[side]) == FORMAT_PROTOBUF;
    int32_t indexes[FRAME_INDEXES_MAX] __attribute__((uninitialized)); // as far as `index_count` says
    size_t index_count = 0;
    struct error e __attribute__((uninitialized)); // of what fails
    if (name->kind == FRAME_NAME_NONE) {
        raw_judge(trial, side, frame, run, verdict);
        return;
    }
    if (is_protobuf && indexed->len > 0 && frame_indexes_read(indexed, indexes, &index_count, &e) != ERR_OK) {
        note(trial, side, run, verdict, CONTRACT_RULE_FRAMING, e.text);
        return;
    }
    const struct trial_contract *found = contract_find(judge, side, name, indexes, index_count);
    if (found == NULL || found->contract == NULL) {
        note(trial, side, run, verdict, CONTRACT_RULE_SCHEMA,
             found == NULL ? "too many schemas to try" : found->why);
    } else if (trial->governance.sides[side].level >= LEVEL_STRUCTURE) {
        (void)contract_judge(found->contract, run, payload, verdict);
    }
}

static enum contract_action side_judge(struct trial_judge *judge, enum governance_side side,
                                       const struct record *record, int32_t partition)
{
    struct trial *trial = judge->trial;
    struct contract_run run = {
        .scratch = &judge->scratch,
        .arena = &judge->arena,
        .now_ms = trial->now_ms,
        .on_failure = trial->on_failure,
        .steps = CONTRACT_STEPS_BATCH_MAX,
    };
    struct contract_verdict verdict = {0};
    struct frame frame;
    struct error e __attribute__((uninitialized)); // of what fails
    if (frame_read(record, side == SIDE_KEY, &frame, &e) != ERR_OK) {
        note(trial, side, &run, &verdict, CONTRACT_RULE_FRAMING, e.text);
    } else if (!frame.is_null) {
        judge_frame(judge, side, &frame, &run, &verdict);
    } else if (side == SIDE_VALUE && trial->governance.is_null_refused) {
        note(trial, side, &run, &verdict, CONTRACT_RULE_NULL, "a null value is not accepted here");
    }
    for (size_t i = 0; i < verdict.count; i++) {
        const struct contract_finding *finding = &verdict.findings[i];
        struct trial_row row = {.rule = finding->rule,
                                .path = finding->path,
                                .side = side,
                                .action = finding->action,
                                .partition = partition,
                                .offset = record->offset,
                                .order = (size_t)side * CONTRACT_FINDINGS_MAX + i,
                                .reason = finding->reason};
        finding_count(judge, &row);
    }
    return verdict.action;
}

enum contract_action trial_record(struct trial_judge *judge, const struct record *record, int32_t partition)
{
    enum contract_action strongest = CONTRACT_PASS;
    arena_reset(&judge->arena);
    for (int s = 0; s < SIDE_COUNT; s++) {
        if (judge->trial->own[s] != NULL) {
            enum contract_action action = side_judge(judge, (enum governance_side)s, record, partition);
            strongest = action > strongest ? action : strongest;
        }
    }
    judge->counts.records++;
    judge->counts.actions[strongest]++;
    return strongest;
}
