// SPDX-License-Identifier: Apache-2.0
#include "cli/contract_trial.h"

#include "base/mem.h"
#include "cli/log_reader.h"

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
    arena_init(&trial->arena, CONTRACT_ARENA_BYTES_MAX);
    arena_init(&trial->scratch, CONTRACT_ARENA_BYTES_MAX);
    trial->contracts = mem_array(TRIAL_CONTRACTS_MAX, sizeof *trial->contracts);
    trial->rows = mem_array(TRIAL_RULES_MAX, sizeof *trial->rows);
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
    mem_free(trial->contracts);
    mem_free(trial->rows);
    arena_fini(&trial->arena);
    arena_fini(&trial->scratch);
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

static struct trial_contract *contract_find(struct trial *trial, enum governance_side side,
                                            const struct frame_name *name, const int32_t *indexes,
                                            size_t index_count)
{
    for (size_t i = 0; i < trial->contract_count; i++) {
        struct trial_contract *have = &trial->contracts[i];
        if (have->side == side && is_same_name(&have->name, name) && have->index_count == index_count &&
            memcmp(have->indexes, indexes, index_count * sizeof *indexes) == 0) {
            return have;
        }
    }
    if (trial->contract_count == TRIAL_CONTRACTS_MAX ||
        index_count > sizeof trial->contracts->indexes / sizeof *indexes) {
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

// ---- counting

static struct str kept(struct trial *trial, struct str text)
{
    return arena_str(&trial->run->arena, text);
}

static void finding_count(struct trial *trial, enum governance_side side,
                          const struct contract_finding *finding, int32_t partition, int64_t offset)
{
    for (size_t i = 0; i < trial->row_count; i++) {
        struct trial_row *row = &trial->rows[i];
        if (row->side == side && row->action == finding->action && str_equal(row->rule, finding->rule) &&
            str_equal(row->path, finding->path)) {
            row->count++;
            return;
        }
    }
    if (trial->row_count < TRIAL_RULES_MAX) {
        trial->rows[trial->row_count++] = (struct trial_row){.rule = kept(trial, finding->rule),
                                                             .path = kept(trial, finding->path),
                                                             .side = side,
                                                             .action = finding->action,
                                                             .count = 1,
                                                             .partition = partition,
                                                             .offset = offset,
                                                             .reason = kept(trial, finding->reason)};
    }
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

// judge finds the payload's schema and judges it.
static void judge(struct trial *trial, enum governance_side side, const struct frame *frame,
                  struct contract_run *run, struct contract_verdict *verdict)
{
    bool has_header = frame->header.kind != FRAME_NAME_NONE;
    const struct frame_name *name = has_header ? &frame->header : &frame->prefix;
    bool is_behind = !has_header || is_same_name(&frame->header, &frame->prefix);
    struct bytes payload = is_behind ? frame->behind : frame->whole;
    struct bytes in_header = frame->header_indexes;
    struct bytes *indexed = has_header && !is_behind ? &in_header : &payload;
    bool is_protobuf = schema_format(trial->schemas[side]) == FORMAT_PROTOBUF;
    int32_t indexes[FRAME_INDEXES_MAX];
    size_t index_count = 0;
    struct error e = {0};
    if (name->kind == FRAME_NAME_NONE) {
        raw_judge(trial, side, frame, run, verdict);
        return;
    }
    if (is_protobuf && indexed->len > 0 && frame_indexes_read(indexed, indexes, &index_count, &e) != ERR_OK) {
        note(trial, side, run, verdict, CONTRACT_RULE_FRAMING, e.text);
        return;
    }
    const struct trial_contract *found = contract_find(trial, side, name, indexes, index_count);
    if (found == NULL || found->contract == NULL) {
        note(trial, side, run, verdict, CONTRACT_RULE_SCHEMA,
             found == NULL ? "too many schemas to try" : found->why);
    } else if (trial->governance.sides[side].level >= LEVEL_STRUCTURE) {
        (void)contract_judge(found->contract, run, payload, verdict);
    }
}

static enum contract_action side_judge(struct trial *trial, enum governance_side side,
                                       const struct record *record, int32_t partition)
{
    struct contract_run run = {
        .scratch = &trial->scratch,
        .arena = &trial->arena,
        .now_ms = clock_wall_ms(trial->run->env->clock),
        .on_failure = trial->on_failure,
        .steps = CONTRACT_STEPS_BATCH_MAX,
    };
    struct contract_verdict verdict = {0};
    struct frame frame;
    struct error e = {0};
    if (frame_read(record, side == SIDE_KEY, &frame, &e) != ERR_OK) {
        note(trial, side, &run, &verdict, CONTRACT_RULE_FRAMING, e.text);
    } else if (!frame.is_null) {
        judge(trial, side, &frame, &run, &verdict);
    } else if (side == SIDE_VALUE && trial->governance.is_null_refused) {
        note(trial, side, &run, &verdict, CONTRACT_RULE_NULL, "a null value is not accepted here");
    }
    for (size_t i = 0; i < verdict.count; i++) {
        finding_count(trial, side, &verdict.findings[i], partition, record->offset);
    }
    return verdict.action;
}

void trial_record(struct trial *trial, const struct record *record, int32_t partition)
{
    enum contract_action strongest = CONTRACT_PASS;
    arena_reset(&trial->arena);
    for (int s = 0; s < SIDE_COUNT; s++) {
        if (trial->own[s] != NULL) {
            enum contract_action action = side_judge(trial, (enum governance_side)s, record, partition);
            strongest = action > strongest ? action : strongest;
        }
    }
    trial->records++;
    trial->actions[strongest]++;
}

// ---- a topic

struct topic_trial {
    struct trial *trial;
    int32_t partition;
    int64_t left;
};

static bool topic_take(void *arg, const struct record *record)
{
    struct topic_trial *t = arg;
    if (t->left == 0) {
        return false;
    }
    t->left -= t->left > 0 ? 1 : 0;
    trial_record(t->trial, record, t->partition);
    return true;
}

static bool topic_read(struct trial *trial, const struct metadata_response_topic *topic, int64_t limit)
{
    struct run *run = trial->run;
    size_t count = (size_t)topic->partitions_count;
    int32_t *partitions = run_room(run, count, sizeof *partitions);
    int64_t *starts = run_room(run, count, sizeof *starts);
    int64_t *ends = run_room(run, count, sizeof *ends);
    struct topic_trial t = {.trial = trial, .left = limit};
    struct log_reader reader;
    struct error e = {0};
    if (partitions == NULL || starts == NULL || ends == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        partitions[i] = topic->partitions[i].partition_index;
    }
    if (!run_offsets(run, topic->name, partitions, count, OFFSETS_START, starts) ||
        !run_offsets(run, topic->name, partitions, count, OFFSETS_END, ends)) {
        return false;
    }
    enum err err = ERR_OK;
    log_reader_init(&reader, run, topic->name, topic->topic_id);
    for (size_t i = 0; i < count && err == ERR_OK && t.left != 0; i++) {
        int64_t next;
        t.partition = partitions[i];
        err = log_reader_records(&reader, partitions[i], starts[i], ends[i], topic_take, &t, &next, &e);
    }
    log_reader_fini(&reader);
    if (err != ERR_OK) {
        run_fail(run, run_print(run, "cannot read " STR_FMT, STR_ARG(topic->name)).ptr, err, &e, NULL);
    }
    return err == ERR_OK;
}

bool trial_topic(struct trial *trial, struct str topic, int64_t limit)
{
    struct metadata_response found;
    if (!run_topics(trial->run, &topic, 1, false, &found)) {
        return false;
    }
    bool is_there = found.topics_count == 1 && found.topics->error == ERR_OK;
    return !is_there || topic_read(trial, found.topics, limit);
}
