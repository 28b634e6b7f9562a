// SPDX-License-Identifier: Apache-2.0
// produce.c - have each batch checked against its topic's rules (verify.c), and judged if contracts govern
// the topic, make one DATA item of it, submit. Offsets, duplicates, sequences and whether a verdict is
// current are decided when the item is applied; admission refuses only what can never become true.
//
// States of an op: waiting (for those before it in its lane) -> active (parts are checked and judged, maybe
// in many slices) -> submitted -> done. Where what a verdict rests on has moved, back to waiting; where an
// earlier batch of the same partition and lane was submitted under another verdict, blocked until that one
// has its outcome: if it is stale it must still come first.
#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"
#include "broker/broker_private.h"

#include <stdio.h>

enum { OP_WAITING, OP_ACTIVE, OP_BLOCKED, OP_SUBMITTED };
enum { PART_OPEN, PART_SUBMITTED, PART_SETTLED };

void produce_part_fail(struct produce_part *part, enum err err, const char *text)
{
    part->err = err;
    part->base_offset = -1;
    part->log_append_time_ms = -1;
    snprintf(part->text, sizeof part->text, "%s", text);
}

static struct topic *part_topic(const struct core *core, const struct produce_part *part)
{
    return uuid_is_zero(part->topic_id) ? core_topic_find(core, part->topic_name)
                                        : core_topic_find_id(core, part->topic_id);
}

static void part_begin(struct produce_part *part)
{
    part->err = ERR_OK;
    part->base_offset = -1;
    part->log_append_time_ms = -1;
    part->log_start_offset = -1;
    part->text[0] = '\0';
    part->bad_records = NULL;
    part->bad_record_count = 0;
    part->own_chunk = NULL;
    part->governed = NULL;
    part->stage = PART_OPEN;
    part->is_checked = part->is_sliced = part->is_ready = part->is_known = part->is_counted = false;
}

// part_resolve copies what is needed of the topic. The lock is held.
static void part_resolve(struct produce_op *op, struct produce_part *part, struct produce_topic *ret)
{
    const struct core *core = op->broker->core;
    ret->slot = TRAFFIC_NO_SLOT;
    struct topic *topic = part_topic(core, part);
    if (topic == NULL) {
        produce_part_fail(part, uuid_is_zero(part->topic_id) ? ERR_UNKNOWN_PARTITION : ERR_UNKNOWN_TOPIC_ID,
                          "");
        return;
    }
    struct partition *partition = topic_partition(topic, part->partition);
    if (partition == NULL) {
        produce_part_fail(part, ERR_UNKNOWN_PARTITION, "");
        return;
    }
    part->topic_id = topic_id(topic);
    if (!op->is_keeper && uuid_equal(part->topic_id, op->broker->kept_topic)) {
        produce_part_fail(part, ERR_INVALID_TOPIC,
                          "The broker itself writes this topic; clients can only read it.");
        return;
    }
    part->log_start_offset = partition_log_start(partition);
    ret->settings = *topic_settings(core, topic);
    ret->slot = partition_slot(partition);
    if (topic_is_governed(topic)) {
        char room[TOPIC_LETTERS_SIZE];
        ret->config_revision = topic_config_revision(topic);
        ret->name = arena_str(op->arena, topic_name(topic));
        ret->letters = arena_str(op->arena, topic_letters(topic, room));
        op->governed_count++;
    }
}

// ---- what is appended

// part_choose settles which bytes are appended, but for their codec: what came, or what the policy made of
// it; and gives their header.
static enum err part_choose(struct produce_part *part, struct batch_header *ret, struct error *e)
{
    part->stored = part->batch;
    *ret = part->header;
    struct policy_case *c = part->governed == NULL ? NULL : &part->governed->c;
    if (c != NULL && !c->is_refused && c->is_rewritten) {
        part->stored = c->batch;
        part->own_chunk = c->chunk;
        c->chunk = NULL;
        struct batch_header h;
        enum err err = batch_header_read(part->stored, &h, e);
        bool is_same = err == ERR_OK && h.size == part->stored.len &&
                       h.last_offset_delta == part->header.last_offset_delta &&
                       h.base_sequence == part->header.base_sequence &&
                       h.producer_id == part->header.producer_id &&
                       h.producer_epoch == part->header.producer_epoch;
        if (!is_same) {
            return FAIL(e, ERR_UNKNOWN, "the policy made another batch of it");
        }
        *ret = h;
        ret->max_timestamp = h.record_count == 0 ? BATCH_NO_TIMESTAMP : h.max_timestamp;
    }
    return ERR_OK;
}

// part_repack puts the batch under the topic's own codec, as Kafka does where compression.type is not
// producer; false: more is to be done, in later rounds.
static bool part_repack(struct produce_op *op, struct produce_part *part, struct packing *packing,
                        enum err *ret_err, struct error *e)
{
    bool is_done = false;
    while (*ret_err == ERR_OK && !is_done) {
        if (!judge_has_slice(op->port)) {
            return false;
        }
        *ret_err = batch_recompressing_step(&packing->work, REPACK_STEP_BYTES, &is_done, e);
    }
    struct chunk *chunk = *ret_err == ERR_OK ? chunk_get(op->broker->pool, packing->out.len) : NULL;
    if (*ret_err == ERR_OK && chunk == NULL) {
        *ret_err =
            FAIL(e, ERR_NO_MEMORY, "no memory to compress a batch of %zu bytes again", part->stored.len);
    }
    if (chunk != NULL) {
        memcpy(chunk->ptr, packing->out.ptr, packing->out.len);
        chunk_unref(part->own_chunk);
        part->own_chunk = chunk;
        part->stored = bytes_of(chunk->ptr, packing->out.len);
    }
    batch_recompressing_end(&packing->work);
    buf_fini(&packing->out);
    packing->part = NULL;
    return true;
}

static bool is_other_codec(const struct produce_part *part, const struct topic_settings *settings,
                           const struct batch_header *header)
{
    bool is_refused = part->governed != NULL && part->governed->c.is_refused; // nothing of it is appended
    return !is_refused && settings->compression >= 0 && header->record_count > 0 &&
           (int32_t)batch_codec(header) != settings->compression;
}

// part_item makes the item; of a refusal without its bytes.
static void part_item(struct produce_op *op, struct produce_part *part, const struct produce_topic *topic,
                      const struct batch_header *header)
{
    const struct policy_case *c = part->governed == NULL ? NULL : &part->governed->c;
    bool is_refused = c != NULL && c->is_refused;
    part->item = (struct item){
        .kind = ITEM_DATA,
        .version = 2,
        .data =
            {
                .topic_id = part->topic_id,
                .partition = part->partition,
                .producer_id = header->producer_id,
                .producer_epoch = header->producer_epoch,
                .attributes = (int16_t)(header->attributes & BATCH_ATTRIBUTES_KNOWN),
                .base_sequence = header->base_sequence,
                .offset_span = plant_is(PLANT_SPAN_SHRINKS) && header->record_count > 0
                                   ? header->record_count
                                   : header->last_offset_delta + 1,
                .record_count = header->record_count,
                .max_timestamp = header->max_timestamp,
                .payload_length = is_refused ? 0 : (uint32_t)part->stored.len,
            },
    };
    struct item_data *data = &part->item.data;
    if (op->adds_to_txn && batch_is_transactional(header)) {
        data->attributes |= DATA_ADDS;
    }
    if (c != NULL) {
        data->flags = DATA_JUDGED | (is_refused ? DATA_REFUSED : 0);
        data->config_revision = topic->config_revision;
        data->conditions = c->conditions;
        data->condition_count = c->condition_count;
        governed_tallies(part->governed, &part->item);
    }
    part->fingerprint = governed_fingerprint(data);
}

// part_store settles what is appended, and makes the item. Of a port's batches that are put under another
// codec one is in work at a time, and those that came as little do not wait for large ones.
static enum policy_step part_store(struct produce_op *op, struct produce_part *part,
                                   const struct produce_topic *topic)
{
    const struct topic_settings *settings = &topic->settings;
    struct packing *packing = &op->port->packings[part->batch.len > OPEN_SMALL_MAX];
    struct error error = {0};
    struct batch_header header;
    enum err err = ERR_OK;
    if (settings->compression >= 0 && packing->part != NULL && packing->part != part) {
        return POLICY_MORE;
    }
    if (packing->part == part) {
        header = packing->header;
    } else {
        err = part_choose(part, &header, &error);
        if (err == ERR_OK && is_other_codec(part, settings, &header)) {
            packing->part = part;
            packing->header = header;
            buf_init(&packing->out, (size_t)settings->max_message_bytes);
            err = batch_recompressing_begin(&packing->work, &packing->codec, part->stored,
                                            (enum codec)settings->compression, settings->compression_level,
                                            &packing->out, &error);
        }
    }
    if (packing->part == part && !part_repack(op, part, packing, &err, &error)) {
        return POLICY_MORE;
    }
    if (err == ERR_OK && (int64_t)part->stored.len > settings->segment_bytes) {
        err = FAIL(&error, ERR_BATCH_OVER_SEGMENT, "a batch of %zu bytes is over segment.bytes, %lld",
                   part->stored.len, (long long)settings->segment_bytes);
    }
    if (err != ERR_OK) {
        produce_part_fail(part, err, error.text);
        return POLICY_JUDGED;
    }
    part_item(op, part, topic, &header);
    part->is_ready = true;
    return POLICY_JUDGED;
}

// part_work checks and judges one part, or a slice of it.
static enum policy_step part_work(struct produce_op *op, struct produce_part *part,
                                  const struct produce_topic *topic)
{
    bool is_governed = topic->settings.is_governed;
    enum policy_step step = POLICY_JUDGED;
    if (part->stage != PART_OPEN || part->err != ERR_OK || part->is_ready) {
        return POLICY_JUDGED;
    }
    if (is_governed && part->governed == NULL) {
        step = produce_part_open(op, part, topic);
    } else if (!part->is_checked) {
        step = produce_part_check(op, part, topic);
    }
    if (step == POLICY_JUDGED && part->governed != NULL) {
        step = governed_judge(op, part);
    }
    if (step != POLICY_JUDGED || part->is_ready || part->err != ERR_OK) {
        return step;
    }
    return part_store(op, part, topic);
}

// ---- submitting

// part_check_txn: the first batch of a transaction in a partition is looked up by the transactional id that
// the request names, as Kafka's coordinator does; a producer of another one may not begin. Later ones go
// unasked.
static enum err part_check_txn(const struct broker *b, const struct produce_op *op,
                               const struct produce_part *part)
{
    const struct item_data *data = &part->item.data;
    bool is_transactional = (data->attributes & BATCH_ATTRIBUTE_TRANSACTIONAL) != 0;
    const struct txn *txn = is_transactional ? core_txn_find_producer(b->core, data->producer_id) : NULL;
    if (txn == NULL || op->transactional_id.ptr == NULL || str_equal(txn_id(txn), op->transactional_id)) {
        return ERR_OK;
    }
    const struct topic *topic = core_topic_find_id(b->core, part->topic_id);
    const struct partition *p = topic == NULL ? NULL : topic_partition(topic, part->partition);
    struct producer_view view;
    bool has_begun = p != NULL && partition_producer_find(b->core, p, data->producer_id, &view) &&
                     view.producer_epoch == data->producer_epoch && view.txn_start_offset >= 0;
    if (has_begun) {
        return ERR_OK;
    }
    return op->transactional_id.len == 0 ? ERR_INVALID_REQUEST : ERR_INVALID_PRODUCER_ID_MAPPING;
}

static void part_push(struct broker *b, struct produce_op *op, struct produce_part *part,
                      const struct produce_topic *topic)
{
    struct governed *g = part->governed;
    struct chunk *chunk = part->own_chunk != NULL ? part->own_chunk : part->chunk;
    bool is_refused = (part->item.data.flags & DATA_REFUSED) != 0;
    if (!is_refused) {
        chunk_ref(chunk);
    }
    part->submission = (struct submission){
        .item = &part->item,
        .outcome = &part->outcome,
        .payload = is_refused ? (struct bytes){NULL, 0} : part->stored,
        .chunk = is_refused ? NULL : chunk,
        .produce = op,
        .slot = topic->slot,
        .follower_count = g == NULL ? 0 : g->letter_count,
        .needs_sync = !topic->settings.is_durability_os,
    };
    journal_push(b, &part->submission);
    for (uint32_t i = 0; g != NULL && i < g->letter_count; i++) {
        chunk_ref(g->letters[i].submission.chunk);
        journal_push(b, &g->letters[i].submission);
    }
    op->pending += 1 + part->submission.follower_count;
}

// part_submit queues the part, or gives it an outcome that is final.
static void part_submit(struct broker *b, struct produce_op *op, struct produce_part *part,
                        const struct produce_topic *topic)
{
    bool is_settled = false;
    part->stage = PART_SETTLED;
    part->outcome = (struct outcome){.err = ERR_STOPPING, .base_offset = -1};
    if (b->is_stopping || b->is_read_only) {
        part->outcome.err = b->is_stopping ? ERR_STOPPING : ERR_READ_ONLY;
        return;
    }
    part->outcome.err = part_check_txn(b, op, part);
    if (part->outcome.err != ERR_OK) {
        return;
    }
    bool is_refused = (part->item.data.flags & DATA_REFUSED) != 0;
    part->is_counted = is_refused && refusals_has(b, &part->item.data, part->crc_came);
    if (part->is_counted) {
        part->item.data.tally_count = 0;
        part->item.version = 2;
    }
    part->outcome.err = room_check(b, &part->item);
    if (part->outcome.err != ERR_OK) {
        journal_refused(b, &part->item.data);
        return;
    }
    part->outcome.err = ERR_STOPPING;
    if (plant_is(PLANT_REFUSAL_UNORDERED) && is_refused) {
        part->outcome.err = ERR_INVALID_RECORD;
        part->outcome.is_refused = true;
        return;
    }
    (void)core_admit(b->core, &part->item, &is_settled, &part->outcome);
    // A duplicate may only be answered here when its original is durable: an os-durable one is as durable as
    // asked.
    if (is_settled) {
        return;
    }
    part->stage = PART_SUBMITTED;
    part_push(b, op, part, topic);
}

// part_remember: for want of memory the batch comes to nothing now, and its producer sends it again: what
// comes behind it waits. The lock is held.
static void part_remember(struct broker *b, const struct produce_part *part)
{
    const struct topic *topic = part_topic(b->core, part);
    struct batch_header h;
    if (part->err != ERR_NO_MEMORY || topic == NULL || batch_header_read(part->batch, &h, NULL) != ERR_OK) {
        return;
    }
    const struct item_data data = {.topic_id = topic_id(topic),
                                   .partition = part->partition,
                                   .producer_id = h.producer_id,
                                   .producer_epoch = h.producer_epoch,
                                   .base_sequence = h.base_sequence};
    journal_refused(b, &data);
}

// ---- lanes

void produce_lane_init(struct produce_lane *lane)
{
    list_init(&lane->ops);
}

// is_other_verdict: an earlier op has a batch for the same partition on its way, under another verdict.
static bool is_other_verdict(const struct produce_op *op, const struct produce_op *earlier, uint32_t *budget)
{
    for (uint32_t i = 0; i < op->part_count; i++) {
        const struct produce_part *part = &op->parts[i];
        bool is_at_place = i < earlier->part_count &&
                           uuid_equal(earlier->parts[i].topic_id, part->topic_id) &&
                           earlier->parts[i].partition == part->partition;
        uint32_t from = is_at_place ? i : 0;
        uint32_t to = is_at_place ? i + 1 : earlier->part_count;
        for (uint32_t k = from; k < to; k++) {
            const struct produce_part *other = &earlier->parts[k];
            if (*budget == 0) {
                return true; // it is not worth looking any longer
            }
            (*budget)--;
            if (part->is_ready && other->stage == PART_SUBMITTED && part->partition == other->partition &&
                uuid_equal(part->topic_id, other->topic_id) && part->fingerprint != other->fingerprint) {
                return true;
            }
        }
    }
    return false;
}

// lane_must_wait: what came before is judged again, or may turn out stale where this op would not.
static bool lane_must_wait(const struct produce_op *op)
{
    uint32_t budget = LANE_COMPARES_MAX;
    if (op->lane == NULL || plant_is(PLANT_LANE_OVERTAKEN)) {
        return false;
    }
    for (struct list *node = op->lane->ops.next; node != &op->in_lane; node = node->next) {
        const struct produce_op *earlier = LIST_ENTRY(node, struct produce_op, in_lane);
        bool is_governed = op->governed_count > 0 || earlier->governed_count > 0;
        bool is_open = earlier->state != OP_SUBMITTED; // it was, and is judged again
        if (is_open || (is_governed && is_other_verdict(op, earlier, &budget))) {
            return true;
        }
    }
    return false;
}

// lane_first gives the first op that is not submitted, NULL = none.
static struct produce_op *lane_first(struct produce_lane *lane)
{
    LIST_EACH (node, &lane->ops) {
        struct produce_op *op = LIST_ENTRY(node, struct produce_op, in_lane);
        if (op->state != OP_SUBMITTED) {
            return op;
        }
    }
    return NULL;
}

// lane_go has it begin; once it is submitted it has the next one begin.
static void lane_go(struct produce_lane *lane)
{
    struct produce_op *op = lane_first(lane);
    if (op != NULL && op->state != OP_ACTIVE) {
        op->state = OP_ACTIVE;
        judge_later(op);
    }
}

// ---- the op

// op_reopen forgets the verdicts that no longer hold; false: they all do, or it was tried often enough. The
// lock is held.
static bool op_reopen(struct produce_op *op, bool is_asked_of_core)
{
    bool is_reopened = false;
    bool may_try = op->tries < POLICY_TRIES && !op->is_cancelled;
    for (uint32_t i = 0; i < op->part_count && may_try; i++) {
        struct produce_part *part = &op->parts[i];
        if (plant_is(PLANT_REFUSAL_UNORDERED) && (part->item.data.flags & DATA_REFUSED) != 0) {
            continue;
        }
        bool is_stale = is_asked_of_core ? part->stage == PART_OPEN && part->is_ready && !part->is_known &&
                                               !core_verdict_holds(op->broker->core, &part->item.data)
                                         : part->stage == PART_SUBMITTED && part->outcome.err == ERR_STALE;
        if (is_stale) {
            part->stage = PART_OPEN;
            part->is_ready = part->is_known = false;
            is_reopened = true;
        }
    }
    op->tries += is_reopened;
    op->is_resolved = op->is_resolved && !is_reopened;
    return is_reopened;
}

// op_forget gives back what the reopened parts were judged by.
static void op_forget(struct produce_op *op)
{
    for (uint32_t i = 0; i < op->part_count; i++) {
        struct produce_part *part = &op->parts[i];
        if (part->stage == PART_OPEN && !part->is_ready && part->err == ERR_OK) {
            governed_settle(op, part, POLICY_STALE);
            chunk_unref(part->own_chunk);
            part->own_chunk = NULL;
        }
    }
}

static void op_resolve(struct produce_op *op)
{
    struct broker *b = op->broker;
    op->governed_count = 0;
    mutex_lock(&b->lock);
    for (uint32_t i = 0; i < op->part_count; i++) {
        struct produce_part *part = &op->parts[i];
        if (part->stage == PART_OPEN && part->err == ERR_OK) {
            part_resolve(op, part, &op->topics[i]);
        }
    }
    mutex_unlock(&b->lock);
    for (uint32_t i = 0; i < op->part_count && op->arena->failed; i++) {
        if (op->parts[i].stage == PART_OPEN) {
            produce_part_fail(&op->parts[i], ERR_NO_MEMORY, "the request is over its memory limit");
        }
    }
    op->is_resolved = true;
    op->at = 0;
}

// op_submit queues all parts at once; false: some must be judged again first.
static bool op_submit(struct produce_op *op)
{
    struct broker *b = op->broker;
    mutex_lock(&b->lock);
    if (lane_must_wait(op)) {
        op->state = OP_BLOCKED;
        mutex_unlock(&b->lock);
        return true;
    }
    if (op_reopen(op, true)) {
        mutex_unlock(&b->lock);
        op_forget(op);
        return false;
    }
    op->state = OP_SUBMITTED;
    for (uint32_t i = 0; i < op->part_count; i++) {
        struct produce_part *part = &op->parts[i];
        if (op->is_cancelled && part->stage == PART_OPEN && part->err == ERR_OK) {
            produce_part_fail(part, ERR_STOPPING, "the client is gone, or the broker stops");
        }
        bool is_open = part->stage == PART_OPEN && part->err == ERR_OK;
        if (is_open && part->governed != NULL) {
            governed_place(b, part);
        }
        if (is_open) {
            part_submit(b, op, part, &op->topics[i]);
        } else if (part->stage == PART_OPEN) {
            part_remember(b, part);
        }
        bool has_failed = part->err != ERR_OK || (part->stage == PART_SETTLED && part->outcome.err != ERR_OK);
        if (op->tries == 0) {
            traffic_produce(b, op->topics[i].slot, has_failed);
        }
    }
    if (op->pending == 0) {
        journal_complete(op->port, &op->task);
    } else {
        journal_kick_later(op->port);
    }
    journal_unlock(b, op->port);
    return true;
}

void produce_work(struct produce_op *op)
{
    ASSERT(op->state == OP_ACTIVE);
    do {
        if (!op->is_resolved) {
            op_resolve(op);
        }
        while (op->at < op->part_count) {
            enum policy_step step = part_work(op, &op->parts[op->at], &op->topics[op->at]);
            if (step == POLICY_MORE) {
                judge_later(op);
            }
            if (step != POLICY_JUDGED) {
                return;
            }
            op->at++;
        }
    } while (!op_submit(op));
    if (op->lane != NULL && op->state == OP_SUBMITTED) {
        lane_go(op->lane);
    }
}

// part_finish gives the part its final outcome.
static void part_finish(struct produce_op *op, struct produce_part *part)
{
    const struct outcome *outcome = &part->outcome;
    enum policy_end end = outcome->err == ERR_STALE ? POLICY_STALE : POLICY_LOST;
    if (part->err == ERR_OK && (outcome->is_refused || outcome->err == ERR_OK)) {
        end = outcome->is_duplicate || part->is_counted ? POLICY_DUPLICATE : POLICY_FINAL;
    }
    if (part->err != ERR_OK) {
        end = POLICY_LOST;
    } else if (outcome->is_refused) {
        const struct policy_case *c = &part->governed->c;
        produce_part_fail(part, c->err, "");
        snprintf(part->text, sizeof part->text, STR_FMT, STR_ARG(c->text));
        part->bad_records = c->bad_records;
        part->bad_record_count = c->bad_record_count;
        if (part->item.data.tally_count > 0 || part->is_counted) {
            mutex_lock(&op->broker->lock);
            refusals_note(op->broker, &part->item.data, part->crc_came);
            mutex_unlock(&op->broker->lock);
        }
    } else if (outcome->err == ERR_STALE) {
        produce_part_fail(part, ERR_NOT_ENOUGH_REPLICAS,
                          "what governs the topic changed each time: try again");
    } else if (outcome->err != ERR_OK) {
        produce_part_fail(part, outcome->err, err_text(outcome->err));
    } else {
        part->base_offset = outcome->base_offset;
        part->log_start_offset = outcome->log_start_offset;
    }
    for (uint32_t i = 0; part->governed != NULL && i < part->governed->letter_count; i++) {
        const struct letter_part *letter = &part->governed->letters[i];
        op->letter_bytes += letter->outcome.err == ERR_OK ? letter->submission.payload.len : 0;
    }
    if (part->governed != NULL) {
        part->governed->c.base_offset = outcome->base_offset;
    }
    governed_settle(op, part, end);
    chunk_unref(part->own_chunk);
    part->own_chunk = NULL;
}

static void produce_completed(struct task *task)
{
    struct produce_op *op = (struct produce_op *)(void *)((char *)task - offsetof(struct produce_op, task));
    struct produce_lane *lane = op->lane;
    if (op_reopen(op, false)) {
        op_forget(op);
        for (uint32_t i = 0; i < op->part_count; i++) {
            if (op->parts[i].stage == PART_SUBMITTED) {
                op->parts[i].stage = PART_SETTLED;
            }
        }
        op->state = OP_WAITING;
        if (lane != NULL) {
            lane_go(lane);
            return;
        }
        op->state = OP_ACTIVE;
        produce_work(op);
        return;
    }
    for (uint32_t i = 0; i < op->part_count; i++) {
        part_finish(op, &op->parts[i]);
    }
    bool has_more = false;
    if (lane != NULL) {
        list_remove(&op->in_lane);
        has_more = !list_is_empty(&lane->ops);
    }
    op->done(op);
    if (has_more) {
        lane_go(lane);
    }
}

void broker_produce_cancel(struct produce_op *op)
{
    op->is_cancelled = true;
}

void broker_produce(struct broker *b, struct produce_op *op)
{
    op->broker = b;
    op->task.run = produce_completed;
    op->pending = op->governed_count = op->at = 0;
    op->letter_bytes = 0;
    op->checked_bytes = 0;
    op->tries = 0;
    op->is_resolved = op->is_cancelled = false;
    op->in_lane = op->in_ready = (struct list){0};
    op->topics = arena_new(op->arena, struct produce_topic, op->part_count + 1);
    for (uint32_t i = 0; i < op->part_count; i++) {
        part_begin(&op->parts[i]);
    }
    if (op->topics == NULL) {
        op->state = OP_SUBMITTED;
        for (uint32_t i = 0; i < op->part_count; i++) {
            produce_part_fail(&op->parts[i], ERR_NO_MEMORY, "the request is over its memory limit");
        }
        op->lane = NULL;
        mutex_lock(&b->lock);
        for (uint32_t i = 0; i < op->part_count; i++) {
            part_remember(b, &op->parts[i]);
        }
        journal_complete(op->port, &op->task);
        journal_unlock(b, op->port);
        return;
    }
    op->state = op->lane == NULL || lane_first(op->lane) == NULL ? OP_ACTIVE : OP_WAITING;
    if (op->lane != NULL) {
        list_push_back(&op->lane->ops, &op->in_lane);
    }
    if (op->state == OP_ACTIVE) {
        produce_work(op);
    }
}
