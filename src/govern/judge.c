// SPDX-License-Identifier: Apache-2.0
// judge.c - a batch, record by record: what each key and value says that it was written with, whether that
// belongs here, and what the contract says of it. May stop anywhere and go on: for others to be served, for
// something to be loaded. Where something fails for want of knowing it, what is known is compared with the
// core first; if that has moved, the batch is judged anew.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "govern/judge_private.h"

enum step {
    STEP_ON,
    STEP_WAIT,
    STEP_ANEW, // what is held is out of date
    STEP_OVER, // the batch is refused as a whole
};

// ---- what the case holds

static void held_release(struct judging *j, bool is_outdated)
{
    for (size_t i = 0; i < j->held_count; i++) {
        bool is_failure = j->held[i]->failure.len > 0;
        if (is_outdated && (is_failure || !cache_is_current(j->g, j->held[i]))) {
            cache_drop(j->g, j->held[i]);
        }
        snapshot_unref(j->held[i]);
    }
    j->held_count = 0;
}

static const struct snapshot *held_find(const struct judging *j, const struct want *want)
{
    uint8_t key[WANT_KEY_SIZE];
    size_t len = want_key(want, key);
    uint64_t hash = hash64(bytes_of(key, len), 1);
    for (size_t i = 0; i < j->held_count; i++) {
        const struct snapshot *s = j->held[i];
        if (s->hash == hash && s->key.len == len && memcmp(s->key.ptr, key, len) == 0) {
            return s;
        }
    }
    return NULL;
}

static enum step hold(struct judging *j, const struct want *want, const struct snapshot **ret)
{
    struct snapshot *found = NULL;
    *ret = held_find(j, want);
    if (*ret != NULL) {
        return STEP_ON;
    }
    if (j->held_count == GOVERN_CASE_SNAPSHOTS_MAX) {
        outcome_refuse(j, ERR_INVALID_RECORD,
                       arena_printf(&j->kept,
                                    "the batch needs more than %d schemas and subjects: send smaller ones",
                                    GOVERN_CASE_SNAPSHOTS_MAX));
        return STEP_OVER;
    }
    switch (cache_get(j->g, want, &j->waiter, &found)) {
    case CACHE_WAIT:
        return STEP_WAIT;
    case CACHE_STOPPING:
        outcome_refuse(j, ERR_STOPPING, STR("the broker is stopping"));
        return STEP_OVER;
    case CACHE_FOUND:
        break;
    }
    j->held[j->held_count++] = found;
    *ret = found;
    return STEP_ON;
}

// doubt is asked before a record fails for what is not known: STEP_ON if all that is known still holds.
static enum step doubt(struct judging *j)
{
    bool is_current = true;
    for (size_t i = 0; i < j->held_count && !j->is_checked && is_current; i++) {
        is_current = cache_is_current(j->g, j->held[i]);
    }
    j->is_checked = is_current;
    return is_current ? STEP_ON : STEP_ANEW;
}

// ---- findings of the policy's own

static void find(struct judging *j, int side, const char *rule, const char *reason)
{
    const struct snapshot *subject = j->last[side].source.subject;
    contract_verdict_add(&j->run, &j->verdicts[side], rule,
                         subject == NULL ? (struct str){"", 0} : subject->subject.subject.name, reason);
}

// find_blocking is about what nobody can judge by: never less than a refusal, unless the topic only observes.
static void find_blocking(struct judging *j, int side, const char *reason)
{
    enum contract_action action = j->run.on_failure;
    j->run.on_failure = action == CONTRACT_OBSERVE ? action : CONTRACT_REJECT;
    find(j, side, CONTRACT_RULE_SCHEMA, reason);
    j->run.on_failure = action;
}

// ---- which schema a record was written with

static struct str name_text(struct judging *j, const struct frame_name *name)
{
    const uint8_t *b = name->guid.b;
    if (name->kind == FRAME_NAME_ID) {
        return arena_printf(&j->scratch, "schema id %d", name->id);
    }
    return arena_printf(
        &j->scratch, "schema %02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
        b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static bool is_same_name(const struct frame_name *a, const struct frame_name *b)
{
    return a->kind == b->kind && (a->kind == FRAME_NAME_ID ? a->id == b->id : uuid_equal(a->guid, b->guid));
}

// member_find gives the newest version of the subject that has the schema; one that is deleted only if no
// other has it.
static const struct registry_member *member_find(const struct snapshot *subject,
                                                 const struct frame_name *name)
{
    const struct registry_subject *s = &subject->subject.subject;
    const struct registry_member *deleted = NULL;
    for (size_t i = s->member_count; i > 0; i--) {
        const struct registry_member *member = &s->members[i - 1];
        bool is_it =
            name->kind == FRAME_NAME_ID ? member->id == name->id : uuid_equal(member->guid, name->guid);
        if (is_it && !member->is_deleted) {
            return member;
        }
        deleted = is_it && deleted == NULL ? member : deleted;
    }
    return deleted;
}

static enum step subject_hold(struct judging *j, struct str name, const struct snapshot **ret)
{
    struct want want = {.kind = SNAPSHOT_SUBJECT, .subject = name};
    return hold(j, &want, ret);
}

static bool is_protobuf(const struct registry_member *member)
{
    return member->format == FORMAT_PROTOBUF;
}

// by_record finds the subject that the schema's record names; `behind` is where Protobuf's indexes lie. The
// subject stays NULL if there is none, with *ret_why.
static enum step by_record(struct judging *j, int side, struct source *w, struct bytes indexes,
                           struct str *ret_why)
{
    const struct side_settings *settings = &j->topic->topic.settings.sides[side];
    const struct snapshot *schema;
    char room[GOVERNANCE_SUBJECT_SIZE];
    struct want want = {.kind = SNAPSHOT_SCHEMA,
                        .name = {w->name.kind == FRAME_NAME_GUID, w->name.id, w->name.guid}};
    enum step step = hold(j, &want, &schema);
    if (step == STEP_ON && schema->schema.is_known && schema->schema.format == FORMAT_PROTOBUF &&
        frame_indexes_read(&indexes, want.indexes, &want.index_count, NULL) == ERR_OK) {
        step = hold(j, &want, &schema);
    }
    if (step != STEP_ON) {
        return step;
    }
    if (schema->failure.len > 0 || !schema->schema.is_known) {
        *ret_why = schema->failure;
        return STEP_ON;
    }
    struct str record = schema->schema.record;
    struct str name = record.len == 0 ? record
                                      : governance_subject(settings, (enum governance_side)side,
                                                           j->topic->topic.name, record, room);
    if (name.len == 0 || name.len > REGISTRY_SUBJECT_BYTES_MAX) {
        *ret_why = STR("its schema has no record name that could be a subject");
        return STEP_ON;
    }
    return subject_hold(j, name, &w->subject);
}

// resolve finds what a name means here: subject and member, or NULL with *ret_why.
static enum step resolve(struct judging *j, int side, struct source *w, struct bytes indexes,
                         struct str *ret_why)
{
    enum step step = STEP_ON;
    w->subject = j->subjects[side];
    w->member = NULL;
    if (w->subject == NULL) {
        step = by_record(j, side, w, indexes, ret_why);
    }
    if (step != STEP_ON || w->subject == NULL) {
        return step;
    }
    if (w->subject->failure.len > 0) {
        *ret_why = w->subject->failure;
        return STEP_ON;
    }
    w->member = member_find(w->subject, &w->name);
    return STEP_ON;
}

// ---- contracts

static enum step contract_hold(struct judging *j, const struct source *source, const int32_t *indexes,
                               size_t index_count, enum contract_level level, const struct snapshot **ret)
{
    struct want want = {
        .kind = SNAPSHOT_CONTRACT,
        .subject = source->subject->subject.subject.name,
        .version = source->member->version,
        .guid = source->member->guid,
        .revision = source->subject->subject.subject.grounds[0].revision,
        .level = level,
        .index_count = index_count,
    };
    memcpy(want.indexes, indexes, index_count * sizeof *indexes);
    return hold(j, &want, ret);
}

// indexes_read reads Protobuf's message indexes, from the header or from the front of the payload, and
// forgets the last record's contract if they differ. A header may leave them away, a payload not: its first
// byte would be taken for them. false: a finding.
static bool indexes_read(struct judging *j, int side, struct bytes *from, bool is_header)
{
    struct written *last = &j->last[side];
    struct error e;
    int32_t indexes[FRAME_INDEXES_MAX];
    size_t count = 0;
    bool is_left_away = is_header && from->len == 0;
    if (!is_left_away && frame_indexes_read(from, indexes, &count, &e) != ERR_OK) {
        find(j, side, CONTRACT_RULE_FRAMING, e.text);
        return false;
    }
    if (count != last->index_count || memcmp(indexes, last->indexes, count * sizeof *indexes) != 0) {
        memcpy(last->indexes, indexes, count * sizeof *indexes);
        last->index_count = count;
        last->contract = NULL;
    }
    return true;
}

static inline bool indexes_take(struct judging *j, int side, struct bytes *from, bool is_header)
{
    const struct written *last = &j->last[side];
    if (from->len > 0 && from->ptr[0] == 0 && last->index_count == 1 && last->indexes[0] == 0) {
        *from = bytes_slice(*from, 1, from->len - 1); // the first message, as before
        return true;
    }
    return indexes_read(j, side, from, is_header);
}

// version_check: false with a finding if the schema may not be used for new records.
static bool version_check(struct judging *j, int side)
{
    const struct source *source = &j->last[side].source;
    int32_t min = j->topic->topic.settings.sides[side].version_min;
    const struct registry_member *latest = source->subject->subject.latest;
    struct str subject = source->subject->subject.subject.name;
    int32_t version = source->member->version;
    struct str why = {NULL, 0};
    if (source->member->is_deleted) {
        why = arena_printf(&j->scratch, "version %d of subject \"" STR_FMT "\" is deleted", version,
                           STR_ARG(subject));
    } else if (min == VERSION_LATEST && latest != NULL && version != latest->version) {
        why = arena_printf(&j->scratch, "version %d of subject \"" STR_FMT "\" is not its newest one, %d",
                           version, STR_ARG(subject), latest->version);
    } else if (min > version) {
        why = arena_printf(&j->scratch,
                           "version %d of subject \"" STR_FMT "\" is too old here, where %d is the least",
                           version, STR_ARG(subject), min);
    }
    if (why.ptr != NULL) {
        find(j, side, CONTRACT_RULE_SCHEMA, why.ptr);
    }
    return why.ptr == NULL;
}

// payload_judge asks the contract of what the record was written with. The payload comes without its framing.
static enum step payload_judge(struct judging *j, int side, struct bytes payload)
{
    struct written *w = &j->last[side];
    bool has_rules = j->topic->topic.settings.sides[side].level == LEVEL_CONTRACT;
    if (w->contract == NULL) {
        enum step step = contract_hold(j, &w->source, w->indexes, w->index_count,
                                       has_rules ? CONTRACT_RULES : CONTRACT_STRUCTURE, &w->contract);
        if (step != STEP_ON) {
            return step;
        }
    }
    if (w->contract->failure.len > 0) {
        enum step step = doubt(j);
        if (step == STEP_ON) {
            find_blocking(j, side, w->contract->failure.ptr);
        }
        return step;
    }
    (void)contract_judge(w->contract->contract, &j->run, payload, &j->verdicts[side]);
    return STEP_ON;
}

// ---- one side of a record

// source_set notes what the record was written with; the contract stays if it is the same.
static void source_set(struct written *last, const struct source *source)
{
    if (last->source.member != source->member || last->source.subject != source->subject) {
        last->contract = NULL;
        last->index_count = 0;
    }
    last->source = *source;
    last->has_prefix = false;
}

// contradiction: the prefix names another schema of the topic than the header, and what is behind it is of
// that schema.
static enum step contradiction(struct judging *j, int side, const struct frame *frame, bool *ret)
{
    struct source source = {.name = frame->prefix};
    struct contract_verdict verdict = {0};
    struct contract_run run = j->run;
    const struct snapshot *contract;
    int32_t indexes[FRAME_INDEXES_MAX];
    size_t index_count = 0;
    struct bytes payload = frame->behind;
    struct str why;
    enum step step = resolve(j, side, &source, frame->behind, &why);
    *ret = false;
    if (step != STEP_ON || source.subject == NULL || source.member == NULL ||
        (is_protobuf(source.member) && frame_indexes_read(&payload, indexes, &index_count, NULL) != ERR_OK)) {
        return step;
    }
    step = contract_hold(j, &source, indexes, index_count, CONTRACT_STRUCTURE, &contract);
    if (step == STEP_ON && contract->failure.len == 0) {
        *ret = contract_judge(contract->contract, &run, payload, &verdict) == CONTRACT_PASS;
        j->run.steps = run.steps;
    }
    return step;
}

// bound_judge judges what has no framing by the newest version of the subject that is bound, if that is JSON.
static enum step bound_judge(struct judging *j, int side, const struct frame *frame)
{
    const struct side_settings *settings = &j->topic->topic.settings.sides[side];
    struct source source = {.subject = j->subjects[side]};
    const struct registry_member *latest = source.subject == NULL ? NULL : source.subject->subject.latest;
    if (settings->level >= LEVEL_STRUCTURE && latest != NULL && latest->format == FORMAT_JSON) {
        source.member = latest;
        source_set(&j->last[side], &source);
        return version_check(j, side) ? payload_judge(j, side, frame->whole) : STEP_ON;
    }
    source_set(&j->last[side], &source);
    enum step step = doubt(j);
    if (step == STEP_ON) {
        find(j, side, CONTRACT_RULE_FRAMING,
             "there is no schema id: it was not written by a serializer of the schema registry");
    }
    return step;
}

// unknown_judge says why a name means nothing here, once that is sure.
static enum step unknown_judge(struct judging *j, int side, struct str why)
{
    const struct source *source = &j->last[side].source;
    enum step step = doubt(j);
    if (step != STEP_ON) {
        return step;
    }
    struct str name = name_text(j, &source->name);
    struct str text;
    if (why.len > 0) {
        text = arena_printf(&j->scratch, STR_FMT ": " STR_FMT, STR_ARG(name), STR_ARG(why));
    } else if (source->subject == NULL) {
        text = arena_printf(&j->scratch, STR_FMT " is not known", STR_ARG(name));
    } else {
        text = arena_printf(&j->scratch, STR_FMT " is not registered under subject \"" STR_FMT "\"",
                            STR_ARG(name), STR_ARG(source->subject->subject.subject.name));
    }
    find(j, side, CONTRACT_RULE_SCHEMA, text.ptr == NULL ? "the schema is not known" : text.ptr);
    return STEP_ON;
}

// is_as_last: the record was written with the schema of the last one, whose subject does not depend on more.
static bool is_as_last(const struct judging *j, int side, const struct frame_name *name)
{
    const struct source *last = &j->last[side].source;
    return last->member != NULL && last->name.kind != FRAME_NAME_NONE && is_same_name(&last->name, name) &&
           (j->subjects[side] != NULL || !is_protobuf(last->member));
}

// is_prefixed: the payload begins behind a prefix that names the very schema.
static bool is_prefixed(const struct frame *frame, const struct registry_member *member)
{
    struct frame_name by_id = {.kind = FRAME_NAME_ID, .id = member->id};
    struct frame_name by_guid = {.kind = FRAME_NAME_GUID, .guid = member->guid};
    return frame->header.kind == FRAME_NAME_NONE || is_same_name(&frame->prefix, &by_id) ||
           is_same_name(&frame->prefix, &by_guid);
}

// prefix_note: the version was found good, and the subject does not depend on more than the id.
static void prefix_note(struct judging *j, int side, const struct frame *frame)
{
    struct written *last = &j->last[side];
    if (last->has_prefix || frame->header.kind != FRAME_NAME_NONE || frame->prefix.kind != FRAME_NAME_ID ||
        (j->subjects[side] == NULL && is_protobuf(last->source.member))) {
        return;
    }
    memcpy(last->prefix, frame->whole.ptr, sizeof last->prefix);
    last->has_prefix = true;
}

// prefixed_judge is framed_judge of a record whose prefix was noted.
static enum step prefixed_judge(struct judging *j, int side, struct bytes value)
{
    struct bytes payload = bytes_slice(value, FRAME_PREFIX_ID_SIZE, value.len - FRAME_PREFIX_ID_SIZE);
    if (j->topic->topic.settings.sides[side].level == LEVEL_ID ||
        (is_protobuf(j->last[side].source.member) && !indexes_take(j, side, &payload, false))) {
        return STEP_ON;
    }
    return payload_judge(j, side, payload);
}

static enum step framed_judge(struct judging *j, int side, const struct frame *frame)
{
    struct written *last = &j->last[side];
    bool has_header = frame->header.kind != FRAME_NAME_NONE;
    const struct frame_name *name = has_header ? &frame->header : &frame->prefix;
    if (!is_as_last(j, side, name)) {
        struct source source = {.name = *name};
        struct str why = {"", 0};
        enum step step = resolve(j, side, &source, has_header ? frame->header_indexes : frame->behind, &why);
        if (step != STEP_ON) {
            return step;
        }
        source_set(last, &source);
        if (source.member == NULL) {
            return unknown_judge(j, side, why);
        }
    }
    const struct registry_member *member = last->source.member;
    bool is_behind = is_prefixed(frame, member);
    struct bytes payload = is_behind ? frame->behind : frame->whole;
    struct bytes in_header = frame->header_indexes;
    if (!version_check(j, side)) {
        return STEP_ON;
    }
    prefix_note(j, side, frame);
    if (j->topic->topic.settings.sides[side].level == LEVEL_ID ||
        (is_protobuf(member) && !indexes_take(j, side, is_behind ? &payload : &in_header, !is_behind))) {
        return STEP_ON;
    }
    if (has_header && !is_behind && frame->prefix.kind != FRAME_NAME_NONE) {
        bool is_contradiction;
        enum step step = contradiction(j, side, frame, &is_contradiction);
        if (step == STEP_ON && is_contradiction) {
            find(j, side, CONTRACT_RULE_FRAMING, "its header and its first bytes name different schemas");
        }
        if (step != STEP_ON || is_contradiction) {
            return step;
        }
    }
    return payload_judge(j, side, payload);
}

// any_judge is about a record that is not as the last one.
static enum step any_judge(struct judging *j, int side, struct bytes value)
{
    struct frame frame;
    struct error e;
    if (value.ptr == NULL) {
        if (side == SIDE_VALUE && j->topic->topic.settings.is_null_refused) {
            find(j, side, CONTRACT_RULE_NULL, "a null value is not accepted here");
        }
        return STEP_ON;
    }
    if (frame_read(&j->record, side == SIDE_KEY, &frame, &e) != ERR_OK) {
        find(j, side, CONTRACT_RULE_FRAMING, e.text);
        return STEP_ON;
    }
    bool is_raw = frame.header.kind == FRAME_NAME_NONE && frame.prefix.kind == FRAME_NAME_NONE;
    return is_raw ? bound_judge(j, side, &frame) : framed_judge(j, side, &frame);
}

static inline enum step side_judge(struct judging *j, int side)
{
    struct bytes value = side == SIDE_KEY ? j->record.key : j->record.value;
    const struct written *last = &j->last[side];
    if (last->has_prefix && j->record.header_count == 0 && value.len >= sizeof last->prefix &&
        memcmp(value.ptr, last->prefix, sizeof last->prefix) == 0) {
        return prefixed_judge(j, side, value);
    }
    return any_judge(j, side, value);
}

// ---- the batch

// record_judge: both sides, or neither, have their verdicts.
static enum step record_judge(struct judging *j)
{
    enum step step = STEP_ON;
    if (j->scratch.total > 0 || j->scratch.failed) {
        arena_reset(&j->scratch);
    }
    for (int side = 0; side < SIDE_COUNT && step == STEP_ON; side++) {
        j->verdicts[side] = (struct contract_verdict){0};
        if (j->topic->topic.settings.sides[side].level != LEVEL_NONE) {
            step = side_judge(j, side);
        }
    }
    return step;
}

// topic_hold finds the topic's rules and the subjects that it has for all records.
static enum step topic_hold(struct judging *j)
{
    static const enum contract_action actions[] = {CONTRACT_REJECT, CONTRACT_DEAD_LETTER, CONTRACT_MARK,
                                                   CONTRACT_OBSERVE};
    struct want want = {.kind = SNAPSHOT_TOPIC, .topic_id = j->c->topic_id};
    const struct snapshot *topic;
    enum step step = hold(j, &want, &topic);
    if (step != STEP_ON) {
        return step;
    }
    if (topic->failure.len == 0 && topic->topic.config_revision < j->c->config_revision) {
        return STEP_ANEW;
    }
    j->run.on_failure = actions[topic->topic.settings.action];
    for (int side = 0; side < SIDE_COUNT && topic->failure.len == 0; side++) {
        struct str name = topic->topic.subjects[side];
        if (name.len > 0 && topic->topic.settings.sides[side].level != LEVEL_NONE) {
            step = subject_hold(j, name, &j->subjects[side]);
        }
        if (step != STEP_ON) {
            return step;
        }
    }
    j->topic = topic;
    j->counted_side = topic->topic.settings.sides[SIDE_VALUE].level != LEVEL_NONE ? SIDE_VALUE : SIDE_KEY;
    if (topic->failure.len > 0) {
        step = doubt(j);
        if (step == STEP_ON) {
            outcome_refuse(j, ERR_INVALID_RECORD, topic->failure);
            step = STEP_OVER;
        }
    }
    return step;
}

static void judging_begin(struct judging *j)
{
    outcome_reset(j);
    arena_reset(&j->kept);
    j->c->text = (struct str){"", 0};
    j->topic = NULL;
    memset(j->subjects, 0, sizeof j->subjects);
    memset(j->last, 0, sizeof j->last);
    j->is_checked = false;
    j->has_record = false;
    j->index = -1;
    j->run = (struct contract_run){
        .scratch = &j->working,
        .arena = &j->scratch,
        .now_ms = clock_wall_ms(j->g->env->clock),
        .steps = CONTRACT_STEPS_BATCH_MAX,
    };
    record_iterator_init_plain(&j->records, &j->c->header, j->c->records);
}

static struct judging *judging_create(struct govern *g, struct policy_case *c)
{
    struct judging *j = mem_alloc(sizeof *j);
    memset(j, 0, offsetof(struct judging, held));
    j->g = g;
    j->c = c;
    j->waiter.c = c;
    arena_init(&j->working, CONTRACT_ARENA_BYTES_MAX);
    arena_init(&j->scratch, CONTRACT_ARENA_BYTES_MAX);
    arena_init(&j->kept, JUDGING_KEPT_BYTES_MAX);
    judging_begin(j);
    return j;
}

// is_over: the slice. The clock is looked at now and then.
static bool is_over(struct judging *j, size_t bytes)
{
    enum { LOOK_BYTES = 4096, LOOK_STEPS = 10000 };
    if (bytes - j->slice_bytes < LOOK_BYTES && j->slice_steps - j->run.steps < LOOK_STEPS) {
        return false;
    }
    j->slice_bytes = bytes;
    j->slice_steps = j->run.steps;
    return policy_slice_is_over(j->c, bytes);
}

// records_judge goes on until the slice or the batch is over.
static enum step records_judge(struct judging *j, bool *ret_is_sliced)
{
    size_t bytes = 0;
    *ret_is_sliced = false;
    j->slice_bytes = 0;
    j->slice_steps = j->run.steps;
    while (!j->is_refused || j->refused_count < POLICY_BAD_RECORDS_MAX) {
        if (bytes > 0 && is_over(j, bytes)) {
            *ret_is_sliced = true;
            return STEP_ON;
        }
        if (!j->has_record && !record_iterator_next(&j->records, &j->record)) {
            break;
        }
        j->index += j->has_record ? 0 : 1;
        j->has_record = true;
        enum step step = record_judge(j);
        if (step != STEP_ON) {
            return step;
        }
        outcome_record(j);
        j->has_record = false;
        bytes += j->record.key.len + j->record.value.len + j->record.headers_raw.len + 1;
    }
    if (!j->is_refused && j->index + 1 != j->c->header.record_count) { // the broker had checked them
        outcome_refuse(j, ERR_INVALID_RECORD, STR("the batch has other records than its header says"));
    }
    return STEP_ON;
}

enum policy_step govern_judge(void *arg, struct policy_case *c)
{
    struct judging *j = c->state;
    bool is_sliced = false;
    if (j == NULL) {
        c->state = j = judging_create(arg, c);
    }
    enum step step = j->topic == NULL ? topic_hold(j) : STEP_ON;
    step = step == STEP_ON ? records_judge(j, &is_sliced) : step;
    if (step == STEP_ANEW) {
        held_release(j, true);
        judging_begin(j);
        return POLICY_MORE;
    }
    if (step == STEP_WAIT) {
        return POLICY_WAIT;
    }
    if (is_sliced) {
        return POLICY_MORE;
    }
    if (!outcome_named(j)) {
        return POLICY_WAIT;
    }
    return outcome_finish(j) ? POLICY_JUDGED : POLICY_MORE;
}

void govern_settle(void *arg, struct policy_case *c, enum policy_end end)
{
    struct judging *j = c->state;
    if (end == POLICY_STALE) {
        cache_suspect(arg);
    }
    if (j == NULL) {
        return;
    }
    if (end == POLICY_FINAL) {
        outcome_samples(j);
    }
    c->state = NULL;
    held_release(j, false);
    outcome_reset(j);
    arena_fini(&j->working);
    arena_fini(&j->scratch);
    arena_fini(&j->kept);
    mem_free(j);
}
