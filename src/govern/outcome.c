// SPDX-License-Identifier: Apache-2.0
// outcome.c - from verdicts on records to what becomes of their batch: refused, with what its producer is
// told; or written again without its dead letters and with its marks; or as it came. The strongest verdict
// decides, of a record and of a batch.
#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "govern/judge_private.h"

enum { TOLD_TEXT_SIZE = 512 }; // bytes about one record that its producer is told

// ---- telling

static int clipped(struct str text, int max)
{
    return text.len > (size_t)max ? max : (int)text.len;
}

// plain replaces control characters (also U+0080 to U+009F, and what was cut in the middle of one): names of
// rules and members come from schemas and payloads, and clients print the text to terminals.
static void plain(char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t size = utf8_size((struct str){text + i, len - i});
        uint8_t c = (uint8_t)text[i];
        bool is_control = size == 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && (uint8_t)text[i + 1] < 0xa0);
        size = size == 0 ? 1 : size;
        memset(text + i, is_control ? '?' : text[i], is_control ? size : 1);
        i += size;
    }
}

// told_text: "$.age: rule 'adult' of orders-value, version 2: ..."; a key's path begins with "key ".
static struct str told_text(struct judging *j, int side, const struct contract_finding *finding)
{
    char text[TOLD_TEXT_SIZE];
    struct str path = finding->path.len == 0 ? STR("$") : finding->path;
    const struct source *source = &j->last[side].source;
    int len =
        snprintf(text, sizeof text, "%s%.*s: rule '%.*s'", side == SIDE_KEY ? "key " : "",
                 clipped(path, CONTRACT_PATH_SIZE), path.ptr, clipped(finding->rule, 100), finding->rule.ptr);
    if (finding->subject.len > 0 && len < (int)sizeof text) {
        len += snprintf(text + len, sizeof text - (size_t)len, " of %.*s", clipped(finding->subject, 100),
                        finding->subject.ptr);
    }
    if (source->member != NULL && len < (int)sizeof text) {
        len += snprintf(text + len, sizeof text - (size_t)len, ", version %d", source->member->version);
    }
    if (len < (int)sizeof text) {
        len += snprintf(text + len, sizeof text - (size_t)len, ": %.*s",
                        clipped(finding->reason, CONTRACT_REASON_SIZE), finding->reason.ptr);
    }
    len = len < (int)sizeof text ? len : (int)sizeof text - 1;
    plain(text, (size_t)len);
    struct str kept = arena_str(j->c->arena, (struct str){text, (size_t)len});
    return kept.ptr == NULL ? STR("it breaks the contract") : kept;
}

void outcome_refuse(struct judging *j, enum err err, struct str text)
{
    struct str kept = arena_str(j->c->arena, text);
    j->is_refused = true;
    j->c->err = err;
    j->c->text = kept.ptr == NULL ? STR("it cannot be judged") : kept;
}

// ---- counting, within the case

static struct str kept_text(struct judging *j, struct str text)
{
    struct str kept = arena_str(&j->kept, text);
    return kept.ptr == NULL ? (struct str){"", 0} : kept;
}

static bool is_tally(const struct tally *t, const struct tally *like)
{
    return t->action == like->action && t->version == like->version && t->side == like->side &&
           (t->rule.ptr == NULL) == (like->rule.ptr == NULL) && str_equal(t->rule, like->rule) &&
           str_equal(t->path, like->path) && str_equal(t->subject, like->subject);
}

static struct tally *tally_find(struct judging *j, const struct tally *like)
{
    for (size_t i = 0; i < j->tally_count; i++) {
        if (is_tally(&j->tallies[i], like)) {
            return &j->tallies[i];
        }
    }
    bool is_record = like->rule.ptr == NULL;
    if (j->tally_count < JUDGING_TALLIES_MAX) {
        struct tally *t = &j->tallies[j->tally_count++];
        *t = *like;
        t->subject = kept_text(j, like->subject);
        t->path = kept_text(j, like->path);
        t->rule = is_record ? like->rule : kept_text(j, like->rule);
        return t;
    }
    // What finds no other is counted whatever the subject and rule.
    struct tally *t = &j->others[(is_record ? 0 : OUTCOME_COUNT) + like->action];
    t->action = like->action;
    t->rule = is_record ? like->rule : STR("(others)");
    return t;
}

// path_general writes a path with [*] for every index, so that one place has one name.
static struct str path_general(struct str path, char room[CONTRACT_PATH_SIZE])
{
    size_t len = 0;
    for (size_t i = 0; i < path.len && len + 2 < CONTRACT_PATH_SIZE; i++) {
        room[len++] = path.ptr[i];
        if (path.ptr[i] != '[') {
            continue;
        }
        size_t end = i + 1;
        while (end < path.len && path.ptr[end] >= '0' && path.ptr[end] <= '9') {
            end++;
        }
        if (end > i + 1 && end < path.len && path.ptr[end] == ']') {
            room[len++] = '*';
            i = end - 1;
        }
    }
    return (struct str){room, len};
}

static void tally_finding(struct judging *j, int side, const struct contract_finding *finding)
{
    char room[CONTRACT_PATH_SIZE];
    const struct registry_member *member = j->last[side].source.member;
    const struct tally like = {
        .subject = finding->subject,
        .version = member == NULL ? 0 : member->version,
        .side = side,
        .rule = finding->rule.ptr == NULL ? STR("") : finding->rule,
        .path = path_general(finding->path, room),
        .action = finding->action,
    };
    tally_find(j, &like)->count++;
}

// tally_record counts one that is not as the last that passed.
static void tally_record(struct judging *j, enum contract_action action)
{
    int side = j->counted_side;
    const struct source *source = &j->last[side].source;
    struct str subject =
        source->subject == NULL ? (struct str){"", 0} : source->subject->subject.subject.name;
    int32_t version = source->member == NULL ? 0 : source->member->version;
    struct tally *t = j->last_pass;
    if (action != CONTRACT_PASS || t == NULL || t->version != version || !str_equal(t->subject, subject)) {
        const struct tally like = {.subject = subject, .version = version, .side = side, .action = action};
        t = tally_find(j, &like);
        j->last_pass = action == CONTRACT_PASS ? t : j->last_pass;
    }
    j->last_pass_member = action == CONTRACT_PASS ? source->member : j->last_pass_member;
    t->count++;
}

static inline void tally_pass(struct judging *j)
{
    const struct registry_member *member = j->last[j->counted_side].source.member;
    if (member != NULL && member == j->last_pass_member) {
        j->last_pass->count++;
    } else {
        tally_record(j, CONTRACT_PASS);
    }
}

static void sample_keep(struct judging *j, int side, const struct contract_finding *finding)
{
    const struct source *source = &j->last[side].source;
    if (j->sample_count == GOVERN_CASE_SAMPLES_MAX) {
        return;
    }
    j->samples[j->sample_count++] = (struct sample){
        .time_ms = j->run.now_ms,
        .index = j->index,
        .offset_delta = j->record.offset - j->c->header.base_offset,
        .subject = kept_text(j, finding->subject),
        .version = source->member == NULL ? 0 : source->member->version,
        .side = side,
        .rule = kept_text(j, finding->rule),
        .path = finding->path.len == 0 ? STR("$") : kept_text(j, finding->path),
        .reason = kept_text(j, finding->reason),
        .action = finding->action,
    };
}

// ---- what becomes of a record

static void take_refused(struct judging *j, int side, const struct contract_finding *finding)
{
    if (j->refused_count < POLICY_BAD_RECORDS_MAX) {
        j->bad[j->refused_count] = (struct policy_bad_record){j->index, told_text(j, side, finding)};
    }
    j->refused_count++;
    if (!j->is_refused) {
        j->is_refused = true;
        j->c->err = ERR_INVALID_RECORD;
    }
}

// action_note: from the first one on that is taken out or marked each record's action is noted.
static void action_note(struct judging *j, enum contract_action action, const struct contract_finding *mark)
{
    if (j->actions == NULL) {
        j->actions = mem_array((size_t)j->c->header.record_count, sizeof *j->actions);
    }
    j->is_rewritten = true;
    ASSERT(j->index < j->c->header.record_count); // the iterator gives no more
    j->actions[j->index] = (struct batch_verdict){(uint8_t)action, mark};
}

static void take_marked(struct judging *j, const struct contract_finding *finding)
{
    // Most marks of a batch say the same: the last one is used again.
    const struct contract_finding *before = j->last_mark;
    bool is_same = before != NULL && str_equal(before->rule, finding->rule) &&
                   str_equal(before->path, finding->path) && str_equal(before->reason, finding->reason);
    struct contract_finding *kept = is_same ? j->last_mark : arena_new(&j->kept, struct contract_finding, 1);
    if (kept != NULL && !is_same) {
        *kept = *finding;
        kept->rule = arena_str(&j->kept, finding->rule);
        kept->path = arena_str(&j->kept, finding->path);
        kept->reason = arena_str(&j->kept, finding->reason);
    }
    if (kept == NULL || j->kept.failed) {
        outcome_refuse(j, ERR_INVALID_RECORD,
                       STR("the marks of its records take too much memory: send smaller batches"));
        return;
    }
    j->last_mark = kept;
    action_note(j, CONTRACT_MARK, kept);
}

// letter_topic: the topic's settings say where its dead letters go, else the rule, else it is the topic's
// name with .dlq.
static struct str letter_topic(struct judging *j, const struct contract_finding *finding,
                               char room[GOVERNANCE_NAME_SIZE])
{
    const struct topic_rules *topic = &j->topic->topic;
    if (j->c->dlq_topic.ptr != NULL) {
        return j->c->dlq_topic;
    }
    if (topic->settings.dlq_topic.len > 0 || finding->dead_letter_topic.len == 0) {
        return governance_dlq_topic(&topic->settings, topic->name, room);
    }
    return finding->dead_letter_topic;
}

void outcome_refuse_letters(struct judging *j, enum err err, struct str name, const char *why)
{
    bool is_passing = err == ERR_STOPPING || err == ERR_READ_ONLY || err == ERR_NO_MEMORY;
    outcome_refuse(
        j, is_passing ? err : ERR_INVALID_RECORD,
        arena_printf(&j->kept, "its dead letters cannot go to \"" STR_FMT "\": %s", STR_ARG(name), why));
}

// letter_topic_check: false and refused if the topic that settings name cannot take dead letters.
static bool letter_topic_check(struct judging *j, struct str name)
{
    const struct core *core = broker_view_begin(j->g->broker);
    const struct topic *topic = core_topic_find(core, name);
    bool is_governed = topic != NULL && topic_settings(core, topic)->is_governed;
    broker_view_end(j->g->broker);
    if (topic == NULL || is_governed) {
        outcome_refuse_letters(j, ERR_INVALID_RECORD, name,
                               topic == NULL ? "there is no such topic" : "that topic is governed itself");
    }
    return topic != NULL && !is_governed;
}

static struct letters *letters_for(struct judging *j, struct str topic)
{
    for (size_t i = 0; i < j->letter_count; i++) {
        if (str_equal(j->letters[i].topic, topic)) {
            return &j->letters[i];
        }
    }
    if (j->c->dlq_topic.ptr != NULL && !letter_topic_check(j, topic)) { // others: see outcome_named
        return NULL;
    }
    if (j->letter_count == JUDGING_LETTERS_MAX) {
        outcome_refuse(j, ERR_INVALID_RECORD, STR("its rules name too many dead letter topics"));
        return NULL;
    }
    struct batch_options options = batch_options_default();
    options.codec = batch_codec(&j->c->header);
    options.bytes_max = j->c->letter_bytes_max;
    if (j->letter_count == 0) {
        const struct dead_letter_origin origin = {
            .topic = j->topic->topic.name,
            .partition = j->c->partition,
            .client_id = j->c->client_id,
            .principal = j->c->principal,
        };
        dead_letter_writer_init(&j->writer, &origin);
    }
    struct letters *letters = &j->letters[j->letter_count++];
    letters->topic = kept_text(j, topic);
    batch_builder_init(&letters->builder, &options);
    return letters;
}

static void take_aside(struct judging *j, int side, const struct contract_finding *finding)
{
    const struct registry_member *member = j->last[side].source.member;
    struct record record = j->record;
    record.timestamp = j->c->log_append_time_ms >= 0 ? j->c->log_append_time_ms : record.timestamp;
    char room[GOVERNANCE_NAME_SIZE];
    struct letters *letters = letters_for(j, letter_topic(j, finding, room));
    if (letters == NULL) {
        return;
    }
    struct batch_builder *builder = &letters->builder;
    size_t before = builder->records.len;
    dead_letter_append(&j->writer, builder, &record, finding, member == NULL ? 0 : member->version);
    j->letter_bytes += builder->records.len - before;
    if (builder->records.failed || j->letter_bytes > j->c->letter_bytes_max) {
        outcome_refuse(j, ERR_INVALID_RECORD,
                       arena_printf(&j->kept,
                                    "its dead letters take more than %zu bytes: send smaller batches",
                                    j->c->letter_bytes_max));
        return;
    }
    action_note(j, CONTRACT_DEAD_LETTER, NULL);
}

void outcome_record(struct judging *j)
{
    const struct contract_finding *decides = NULL;
    int decides_side = 0;
    enum contract_action action = CONTRACT_PASS;
    if (j->verdicts[SIDE_KEY].count == 0 && j->verdicts[SIDE_VALUE].count == 0) {
        tally_pass(j);
        return;
    }
    for (int side = 0; side < SIDE_COUNT; side++) {
        const struct contract_verdict *verdict = &j->verdicts[side];
        for (size_t i = 0; i < verdict->count; i++) {
            const struct contract_finding *finding = &verdict->findings[i];
            tally_finding(j, side, finding);
            if (finding->action > action) {
                action = finding->action;
                decides = finding;
                decides_side = side;
            }
        }
    }
    tally_record(j, action);
    if (decides == NULL) {
        return;
    }
    sample_keep(j, decides_side, decides);
    if (action == CONTRACT_REJECT) {
        take_refused(j, decides_side, decides);
    } else if (action == CONTRACT_DEAD_LETTER && !j->is_refused) {
        take_aside(j, decides_side, decides);
    } else if (action == CONTRACT_MARK && !j->is_refused) {
        take_marked(j, decides);
    }
}

// ---- what becomes of the batch

enum { REVISION_NONE = -1 }; // no document ever has it

static struct item_condition *condition_find(const struct policy_case *c, struct str key)
{
    for (uint32_t i = 0; i < c->condition_count; i++) {
        if (str_equal(c->conditions[i].key, key)) {
            return &c->conditions[i];
        }
    }
    return NULL;
}

// conditions_fill names all that the verdict rests on. false: that is too much. What two snapshots saw with
// different revisions cannot hold: the batch is judged again, by what does.
static bool conditions_fill(struct judging *j)
{
    struct policy_case *c = j->c;
    c->condition_count = 0;
    c->conditions = arena_new(c->arena, struct item_condition, POLICY_CONDITIONS_MAX);
    for (size_t i = 0; i < j->held_count; i++) {
        const struct snapshot *s = j->held[i];
        if (s->kind == SNAPSHOT_SCHEMA && s->schema.is_known) {
            continue; // while its subject's document stays, the id means it; who was refused for it has
                      // doubted
        }
        for (size_t k = 0; k < s->ground_count; k++) {
            if (c->conditions == NULL) {
                return false;
            }
            struct item_condition *same = condition_find(c, s->grounds[k].key);
            if (same != NULL) {
                same->revision =
                    same->revision == s->grounds[k].revision ? same->revision : (uint64_t)REVISION_NONE;
                continue;
            }
            if (c->condition_count == POLICY_CONDITIONS_MAX) {
                return false;
            }
            struct item_condition *condition = &c->conditions[c->condition_count++];
            condition->key = arena_str(c->arena, s->grounds[k].key);
            condition->revision = s->grounds[k].revision;
        }
    }
    return !c->arena->failed;
}

// ---- writing it again, and its letters, in slices

enum { SETTLE_STEP_BYTES = 16 << 10 }; // of records, until the clock is looked at

static bool is_all_aside(const struct judging *j)
{
    int64_t count = 0;
    for (size_t i = 0; i < j->letter_count; i++) {
        count += j->letters[i].builder.record_count;
    }
    return count == j->c->header.record_count;
}

static enum err settle_begin(struct judging *j, struct error *e)
{
    struct policy_case *c = j->c;
    batch_settling_begin(&j->settling, &c->header, c->records, is_all_aside(j) ? NULL : j->actions,
                         (size_t)c->header.record_count);
    j->stage = SETTLE_RECORDS;
    c->letters = arena_new(c->arena, struct policy_letter, j->letter_count + 1);
    return c->letters != NULL ? ERR_OK : FAIL(e, ERR_NO_MEMORY, "the request is over its memory limit");
}

static void finish_end(struct judging *j)
{
    batch_finishing_end(&j->finishing);
    if (j->chunk == NULL) {
        buf_fini(&j->made);
    }
    chunk_unref(j->chunk);
    j->chunk = NULL;
}

static void settle_end(struct judging *j)
{
    if (j->stage == SETTLE_BATCH || j->stage == SETTLE_LETTER) {
        finish_end(j);
    }
    if (j->stage == SETTLE_RECORDS || j->stage == SETTLE_BATCH) {
        batch_settling_end(&j->settling);
    }
    j->stage = SETTLE_NOT;
}

static enum err no_room(size_t size, struct error *e)
{
    return FAIL(e, ERR_NO_MEMORY, "no memory to write a batch of %zu bytes again", size);
}

// finish_begin enters the stage. What no codec changes has a size that is known: it is written where it
// stays.
static enum err finish_begin(struct judging *j, enum settle_stage stage, struct batch_builder *builder,
                             struct error *e)
{
    const struct policy_case *c = j->c;
    if (builder->record_count == 0 || builder->options.codec == CODEC_NONE) {
        size_t size = BATCH_HEADER_SIZE + builder->records.len;
        j->chunk = chunk_get(broker_pool(j->g->broker), size);
        if (j->chunk == NULL) {
            return no_room(size, e);
        }
        j->made = buf_borrow(j->chunk->ptr, size);
    } else {
        j->chunk = NULL;
        buf_init(&j->made, c->bytes_max > c->letter_bytes_max ? c->bytes_max : c->letter_bytes_max);
    }
    j->stage = stage;
    return batch_finishing_begin(&j->finishing, builder, &j->made, e);
}

// finish_some goes on; done, it gives the batch and the chunk that has it.
static enum err finish_some(struct judging *j, struct chunk **ret_chunk, struct bytes *ret_batch,
                            bool *ret_is_done, struct error *e)
{
    enum err err = batch_finishing_step(&j->finishing, SETTLE_STEP_BYTES, ret_is_done, e);
    if (err != ERR_OK || !*ret_is_done) {
        return err;
    }
    struct bytes made = buf_bytes(&j->made);
    struct chunk *chunk = j->chunk;
    if (chunk == NULL) {
        chunk = chunk_get(broker_pool(j->g->broker), made.len);
        if (chunk == NULL) {
            return no_room(made.len, e);
        }
        memcpy(chunk->ptr, made.ptr, made.len);
    } else {
        j->chunk = NULL;
        buf_init(&j->made, 0); // it was not its own
    }
    finish_end(j);
    *ret_chunk = chunk;
    *ret_batch = bytes_of(chunk->ptr, made.len);
    return ERR_OK;
}

static enum err size_check(const struct judging *j, size_t size, struct error *e)
{
    return size <= j->c->bytes_max
               ? ERR_OK
               : FAIL(e, ERR_BATCH_TOO_LARGE, "with its marks the batch is larger than %zu bytes",
                      j->c->bytes_max);
}

static enum err records_some(struct judging *j, struct error *e)
{
    const struct batch_builder *builder = &j->settling.builder;
    bool is_done = false;
    enum err err = batch_settling_step(&j->settling, SETTLE_STEP_BYTES, &is_done, e);
    if (err != ERR_OK || !is_done) {
        return err;
    }
    if (builder->options.codec == CODEC_NONE) {
        err = size_check(j, BATCH_HEADER_SIZE + builder->records.len, e);
    }
    return err == ERR_OK ? finish_begin(j, SETTLE_BATCH, &j->settling.builder, e) : err;
}

static enum err batch_some(struct judging *j, struct error *e)
{
    struct policy_case *c = j->c;
    struct chunk *chunk = NULL;
    bool is_done = false;
    enum err err = finish_some(j, &chunk, &c->batch, &is_done, e);
    if (err != ERR_OK || !is_done) {
        return err;
    }
    batch_settling_end(&j->settling);
    j->stage = SETTLE_LETTERS;
    c->chunk = chunk;
    c->is_rewritten = true;
    return size_check(j, c->batch.len, e);
}

static enum err letter_some(struct judging *j, struct error *e)
{
    struct policy_case *c = j->c;
    struct letters *letters = &j->letters[c->letter_count];
    struct policy_letter made = {0};
    bool is_done = false;
    enum err err = finish_some(j, &made.chunk, &made.batch, &is_done, e);
    if (err != ERR_OK || !is_done) {
        return err;
    }
    batch_builder_fini(&letters->builder);
    j->stage = SETTLE_LETTERS;
    made.topic = arena_str(c->arena, letters->topic);
    c->letters[c->letter_count++] = made;
    return ERR_OK;
}

// settle_some goes on for a slice; what fails refuses the batch.
static enum err settle_some(struct judging *j, bool *ret_is_done, struct error *e)
{
    enum err err = j->stage == SETTLE_NOT ? settle_begin(j, e) : ERR_OK;
    while (err == ERR_OK && !*ret_is_done) {
        if (j->stage == SETTLE_RECORDS) {
            err = records_some(j, e);
        } else if (j->stage == SETTLE_BATCH) {
            err = batch_some(j, e);
        } else if (j->stage == SETTLE_LETTER) {
            err = letter_some(j, e);
        } else if (j->c->letter_count < j->letter_count) {
            err = finish_begin(j, SETTLE_LETTER, &j->letters[j->c->letter_count].builder, e);
        } else {
            *ret_is_done = true;
        }
        if (err == ERR_OK && !*ret_is_done && policy_slice_is_over(j->c, 0)) {
            return ERR_OK;
        }
    }
    settle_end(j);
    return err;
}

static void rewritten_drop(struct policy_case *c)
{
    for (uint32_t i = 0; i < c->letter_count; i++) {
        chunk_unref(c->letters[i].chunk);
    }
    chunk_unref(c->chunk);
    c->letter_count = 0;
    c->letters = NULL;
    c->chunk = NULL;
    c->batch = (struct bytes){0};
    c->is_rewritten = false;
}

// refused_fill tells which records, unless the batch was refused as a whole.
static void refused_fill(struct judging *j)
{
    struct policy_case *c = j->c;
    int32_t count = j->refused_count < POLICY_BAD_RECORDS_MAX ? j->refused_count : POLICY_BAD_RECORDS_MAX;
    c->is_refused = true;
    if (c->text.len == 0) {
        const char *more = j->refused_count >= POLICY_BAD_RECORDS_MAX ? "at least " : "";
        c->text = arena_printf(
            c->arena, "%s%d of %d records break the contract of topic " STR_FMT "; record %d: " STR_FMT, more,
            j->refused_count, c->header.record_count, STR_ARG(j->topic->topic.name), j->bad[0].index,
            STR_ARG(j->bad[0].text));
    }
    c->bad_records = count == 0 ? NULL : arena_new(c->arena, struct policy_bad_record, (size_t)count);
    c->bad_record_count = c->bad_records == NULL ? 0 : count;
    for (int32_t i = 0; i < c->bad_record_count; i++) {
        c->bad_records[i] = j->bad[i];
    }
}

// ---- how it is counted

// All cells: named ones, and the others once there are too many.
static size_t tally_cells(const struct judging *j)
{
    return j->tally_count + (j->tally_count == JUDGING_TALLIES_MAX ? JUDGING_OTHERS : 0);
}

static const struct tally *tally_at(const struct judging *j, size_t i)
{
    return i < j->tally_count ? &j->tallies[i] : &j->others[i - j->tally_count];
}

// tallies_unnamed counts the batch's records where there is no memory to say whose they are.
static void tallies_unnamed(struct judging *j)
{
    struct policy_case *c = j->c;
    uint64_t counts[TALLY_RECORD_KINDS] = {0};
    uint64_t left = (uint64_t)c->header.record_count;
    for (size_t i = 0; i < tally_cells(j); i++) {
        const struct tally *t = tally_at(j, i);
        uint64_t count = t->rule.ptr == NULL ? t->count : 0;
        counts[t->action] += count;
        left -= count;
    }
    if (j->is_refused) {
        memset(counts, 0, sizeof counts);
        left = (uint64_t)c->header.record_count;
    }
    counts[TALLY_REFUSED] += left;
    c->tally_who = (struct bytes){NULL, 0};
    c->tallies = j->unnamed;
    c->tally_count = 0;
    for (uint8_t kind = 0; kind < TALLY_RECORD_KINDS; kind++) {
        if (counts[kind] > 0) {
            j->unnamed[c->tally_count++] = (struct item_tally){.kind = kind, .count = (uint32_t)counts[kind]};
        }
    }
}

static bool tally_put(struct judging *j, const struct series_name *name, enum tally_kind kind, uint64_t count)
{
    struct policy_case *c = j->c;
    struct item_tally *tally = &c->tallies[c->tally_count++];
    tally->what = tally_what_encode(name, &j->kept);
    tally->kind = (uint8_t)kind;
    tally->count = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
    return tally->what.ptr != NULL;
}

// tallies_fill: of a refused batch every record is refused, whatever was found about it.
static bool tallies_fill(struct judging *j)
{
    struct policy_case *c = j->c;
    uint64_t left = (uint64_t)c->header.record_count;
    c->tally_who = tally_who_encode(c->client_id, c->principal, &j->kept);
    c->tallies = arena_new(&j->kept, struct item_tally, tally_cells(j) + 1);
    c->tally_count = 0;
    bool is_done = c->tally_who.ptr != NULL && c->tallies != NULL;
    for (size_t i = 0; i < tally_cells(j) && is_done; i++) {
        const struct tally *t = tally_at(j, i);
        bool is_record = t->rule.ptr == NULL;
        if (t->count == 0) {
            continue;
        }
        const struct series_name name = {
            .subject = t->subject, .version = t->version, .side = t->side, .rule = t->rule, .path = t->path};
        enum tally_kind kind = !is_record      ? TALLY_FINDING + (enum tally_kind)t->action
                               : j->is_refused ? TALLY_REFUSED
                                               : (enum tally_kind)t->action;
        is_done = tally_put(j, &name, kind, t->count);
        left -= is_record ? t->count : 0;
    }
    if (left > 0 && is_done) { // judging had stopped
        const struct series_name name = {.subject = STR("")};
        is_done = tally_put(j, &name, TALLY_REFUSED, left);
    }
    return is_done;
}

bool outcome_finish(struct judging *j)
{
    struct error e = {0};
    if (j->stage == SETTLE_NOT && !conditions_fill(j) && !j->is_refused) {
        outcome_refuse(
            j, ERR_INVALID_RECORD,
            arena_printf(&j->kept,
                         "its records are of more subjects than one verdict may rest on (%d conditions): "
                         "send smaller batches",
                         POLICY_CONDITIONS_MAX));
    }
    if (!j->is_refused && j->is_rewritten) {
        bool is_done = false;
        enum err err = settle_some(j, &is_done, &e);
        if (err == ERR_OK && !is_done) {
            return false;
        }
        if (err != ERR_OK) {
            rewritten_drop(j->c);
            outcome_refuse(j, err, str_from_c(e.text));
        }
    }
    if (j->is_refused) {
        refused_fill(j);
    }
    if (!tallies_fill(j)) {
        tallies_unnamed(j);
    }
    return true;
}

void outcome_reset(struct judging *j)
{
    settle_end(j);
    if (j->letter_count > 0) {
        dead_letter_writer_fini(&j->writer);
    }
    for (size_t i = 0; i < j->letter_count; i++) {
        batch_builder_fini(&j->letters[i].builder);
    }
    mem_free(j->actions);
    if (j->tally_count == JUDGING_TALLIES_MAX) {
        memset(j->others, 0, sizeof j->others);
    }
    j->actions = NULL;
    j->letter_count = 0;
    j->named_count = 0;
    j->letter_bytes = 0;
    j->tally_count = 0;
    j->last_pass = NULL;
    j->last_pass_member = NULL;
    j->last_mark = NULL;
    j->sample_count = 0;
    j->is_refused = false;
    j->is_rewritten = false;
    j->refused_count = 0;
}

// ---- samples, once it is true

void outcome_samples(struct judging *j)
{
    const struct policy_case *c = j->c;
    for (size_t i = 0; i < j->sample_count; i++) {
        struct sample *sample = &j->samples[i];
        sample->topic = c->topic_name;
        sample->partition = c->partition;
        sample->offset = c->base_offset < 0 ? -1 : c->base_offset + sample->offset_delta;
        sample->client_id = c->client_id;
        sample->principal = c->principal;
        samples_add(&j->g->samples, sample);
    }
}
