// SPDX-License-Identifier: Apache-2.0
// judge.c - batches of governed topics: asking the policy in slices, and what its verdict becomes. All cases
// of a port share one slice in each round of its loop, so that sockets get their turn however much is to be
// judged.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/plant.h"
#include "broker/broker_private.h"

// ---- slices

static void turn_run(struct task *task)
{
    struct broker_port *port =
        (struct broker_port *)(void *)((char *)task - offsetof(struct broker_port, turn));
    port->is_turn_posted = false;
    struct list taken;
    list_init(&taken); // each once: who wants more comes in a later round
    while (!list_is_empty(&port->ready)) {
        list_push_back(&taken, list_pop_front(&port->ready));
    }
    while (!list_is_empty(&taken)) {
        produce_work(LIST_ENTRY(list_pop_front(&taken), struct produce_op, in_ready));
    }
    // Who had the slice comes last in the next round: however much that is, others get theirs.
    if (!list_is_empty(&port->ready)) {
        list_push_back(&port->ready, list_pop_front(&port->ready));
    }
}

void judge_later(struct produce_op *op)
{
    struct broker_port *port = op->port;
    list_push_back(&port->ready, &op->in_ready);
    if (!port->is_turn_posted) {
        port->is_turn_posted = true;
        loop_post(port->loop, &port->turn);
    }
}

void judge_port_init(struct broker_port *port)
{
    list_init(&port->ready);
    port->turn.run = turn_run;
    port->slice_round_ns = -1;
    buf_init(&port->openings[0].room, SIZE_MAX / 2);
    buf_init(&port->openings[1].room, SIZE_MAX / 2);
}

void judge_port_fini(struct broker_port *port)
{
    ASSERT(list_is_empty(&port->ready) && port->opened_bytes == 0);
    for (int i = 0; i < 2; i++) {
        ASSERT(port->openings[i].part == NULL);
        buf_fini(&port->openings[i].room);
        codec_context_fini(&port->openings[i].codec);
        ASSERT(port->packings[i].part == NULL);
        codec_context_fini(&port->packings[i].codec);
    }
}

// slice_until: when the port's slice of this round ends.
static int64_t slice_until(struct broker_port *port, int64_t now_ns)
{
    int64_t round_ns = loop_now_ns(port->loop);
    if (round_ns != port->slice_round_ns) {
        port->slice_round_ns = round_ns;
        port->slice_until_ns = now_ns + POLICY_SLICE_NS;
    }
    return port->slice_until_ns;
}

bool judge_has_slice(struct broker_port *port)
{
    int64_t now_ns = clock_mono_ns(port->broker->env->clock);
    return now_ns < slice_until(port, now_ns);
}

// ---- one case

static void on_woken(struct task *task)
{
    struct policy_case *c = (struct policy_case *)(void *)((char *)task - offsetof(struct policy_case, wake));
    struct governed *g = (struct governed *)(void *)((char *)c - offsetof(struct governed, c));
    judge_later(g->op);
}

// records_hold keeps decompressed records until the case is judged; the port's room is for the next part.
static bool records_hold(struct produce_op *op, struct governed *g, struct buf *room, struct bytes *records)
{
    if (room->len == 0) {
        return true; // in place
    }
    if (room->len > RECORDS_COPY_MAX) { // it is not worth copying
        g->room = *room;
        op->port->opened_bytes += g->room.cap;
        buf_init(room, SIZE_MAX / 2);
        return true;
    }
    g->records = chunk_get(op->broker->pool, room->len);
    if (g->records != NULL) {
        memcpy(g->records->ptr, room->ptr, room->len);
        *records = bytes_of(g->records->ptr, room->len);
    }
    return g->records != NULL;
}

static void records_drop(struct governed *g)
{
    chunk_unref(g->records);
    g->records = NULL;
    g->op->port->opened_bytes -= g->room.cap;
    buf_fini(&g->room);
}

void judge_room_clear(struct buf *room)
{
    if (room->cap > RECORDS_COPY_MAX) {
        buf_fini(room);
        buf_init(room, SIZE_MAX / 2);
    }
    buf_reset(room);
}

// is_known_before: a duplicate of what was appended, and what is fenced, need no judging.
static bool is_known_before(struct produce_op *op, struct produce_part *part)
{
    struct broker *b = op->broker;
    const struct batch_header *h = &part->header;
    struct item item = {
        .kind = ITEM_DATA,
        .version = 2,
        .data = {.topic_id = part->topic_id,
                 .partition = part->partition,
                 .producer_id = h->producer_id,
                 .producer_epoch = h->producer_epoch,
                 .attributes = h->attributes,
                 .base_sequence = h->base_sequence,
                 .offset_span = h->last_offset_delta + 1,
                 .record_count = h->record_count,
                 .payload_length = (uint32_t)part->batch.len},
    };
    struct outcome outcome;
    mutex_lock(&b->lock);
    (void)core_admit(b->core, &item, &part->is_known, &outcome);
    mutex_unlock(&b->lock);
    if (part->is_known) { // it is asked for again when it is submitted, and most likely told the same
        part->item = item;
        part->stored = part->batch;
        part->fingerprint = 0;
        part->is_ready = true;
    }
    return part->is_known;
}

void governed_open(struct produce_op *op, struct produce_part *part, const struct produce_topic *topic,
                   struct opening *opening)
{
    struct bytes records = opening->checking.records;
    if (part->header.producer_id >= 0 && is_known_before(op, part)) {
        return;
    }
    struct governed *g = arena_new(op->arena, struct governed, 1);
    if (g != NULL) {
        buf_init(&g->room, SIZE_MAX / 2);
    }
    if (g == NULL || !records_hold(op, g, &opening->room, &records)) {
        part->err = ERR_NO_MEMORY;
        return;
    }
    g->op = op;
    g->c = (struct policy_case){
        .port = op->port,
        .arena = op->arena,
        .topic_id = part->topic_id,
        .topic_name = topic->name,
        .partition = part->partition,
        .config_revision = topic->config_revision,
        .dlq_topic = topic->letters,
        .header = part->header,
        .original = part->batch,
        .records = records,
        .log_append_time_ms = part->log_append_time_ms,
        .client_id = op->client_id,
        .principal = op->principal,
        .bytes_max = op->broker->change_bytes_max,
        .letter_bytes_max = op->broker->change_bytes_max,
        .wake = {.run = on_woken},
    };
    part->governed = g;
}

// tallies_refuse: each record counts as refused, whatever the policy had found.
static void tallies_refuse(struct policy_case *c)
{
    for (uint32_t i = 0; i < c->tally_count; i++) {
        struct item_tally *tally = &c->tallies[i];
        tally->kind = tally->kind < TALLY_RECORD_KINDS ? TALLY_REFUSED : tally->kind;
    }
    if (c->tally_count == 0 && c->header.record_count > 0) {
        c->unnamed = (struct item_tally){.kind = TALLY_REFUSED, .count = (uint32_t)c->header.record_count};
        c->tallies = &c->unnamed;
        c->tally_count = 1;
    }
}

static void refuse(struct governed *g, enum err err, struct str text)
{
    struct policy_case *c = &g->c;
    c->is_refused = true;
    c->err = err;
    c->text = text;
    c->bad_records = NULL;
    c->bad_record_count = 0;
    tallies_refuse(c);
}

void governed_tallies(const struct governed *g, struct item *item)
{
    item->version = g->c.tally_count > 0 ? 3 : 2;
    item->data.tally_who = g->c.tally_who;
    item->data.tallies = g->c.tallies;
    item->data.tally_count = g->c.tally_count;
}

// letters_make builds the items of the dead letters, all but where they go.
static void letters_make(struct produce_op *op, struct produce_part *part)
{
    struct governed *g = part->governed;
    struct policy_case *c = &g->c;
    size_t total = c->is_rewritten ? c->batch.len : part->batch.len;
    g->letters = arena_new(op->arena, struct letter_part, c->letter_count);
    g->targets = arena_new(op->arena, struct item_target, c->letter_count);
    if (g->letters == NULL || g->targets == NULL) {
        refuse(g, ERR_NO_MEMORY, STR("no memory for dead letters"));
        return;
    }
    for (uint32_t i = 0; i < c->letter_count; i++) {
        struct batch_header h;
        enum err err = batch_header_read(c->letters[i].batch, &h, NULL);
        ASSERT(err == ERR_OK && h.record_count > 0); // the policy built it
        if (batch_is_transactional(&part->header) && !plant_is(PLANT_LETTER_OUTSIDE_TXN)) {
            batch_set_transaction((uint8_t *)c->letters[i].batch.ptr, part->header.producer_id,
                                  part->header.producer_epoch);
            h.attributes |= BATCH_ATTRIBUTE_TRANSACTIONAL | DATA_ADDS;
            h.producer_id = part->header.producer_id;
            h.producer_epoch = part->header.producer_epoch;
        }
        total += c->letters[i].batch.len;
        g->letters[i].outcome.err = ERR_STOPPING; // until it has one
        g->letters[i].item = (struct item){
            .kind = ITEM_DATA,
            .version = 2,
            .data = {.producer_id = h.producer_id,
                     .producer_epoch = h.producer_epoch,
                     .attributes = h.attributes,
                     .base_sequence = -1,
                     .offset_span = h.last_offset_delta + 1,
                     .record_count = h.record_count,
                     .max_timestamp = h.max_timestamp,
                     .payload_length = (uint32_t)c->letters[i].batch.len},
        };
    }
    if (total > op->broker->change_bytes_max) {
        refuse(g, ERR_BATCH_TOO_LARGE,
               arena_printf(op->arena,
                            "the batch and its dead letters take %zu bytes, the log takes %zu at "
                            "once: send smaller batches",
                            total, op->broker->change_bytes_max));
        return;
    }
    g->letter_count = c->letter_count;
}

static void verdict_check(struct produce_op *op, struct produce_part *part)
{
    struct governed *g = part->governed;
    struct policy_case *c = &g->c;
    bool is_over = c->condition_count > POLICY_CONDITIONS_MAX || c->letter_count > POLICY_LETTERS_MAX;
    if (is_over) {
        c->condition_count = 0;
        refuse(g, ERR_INVALID_RECORD,
               STR("the batch's records are of more contracts, or go to more dead letter topics, "
                   "than one batch may have: send smaller batches"));
    }
    if (!c->is_refused && c->letter_count > 0) {
        letters_make(op, part);
    }
    if (c->is_refused && c->err == ERR_OK) {
        c->err = ERR_INVALID_RECORD;
    }
}

enum policy_step governed_judge(struct produce_op *op, struct produce_part *part)
{
    struct governed *g = part->governed;
    const struct broker_policy *policy = &op->broker->policy;
    if (g->is_judged) {
        return POLICY_JUDGED;
    }
    if (policy->judge == NULL) {
        refuse(g, ERR_INVALID_RECORD,
               STR("the topic is governed, and this broker has no policy that judges"));
        g->is_judged = true;
        return POLICY_JUDGED;
    }
    int64_t now_ns = clock_mono_ns(op->broker->env->clock);
    g->c.slice_until_ns = slice_until(op->port, now_ns);
    if (now_ns >= g->c.slice_until_ns) {
        return POLICY_MORE;
    }
    g->is_opened = true;
    enum policy_step step = policy->judge(policy->arg, &g->c);
    if (step == POLICY_JUDGED) {
        g->is_judged = true;
        records_drop(g);
        verdict_check(op, part);
    }
    return step;
}

void governed_settle(struct produce_op *op, struct produce_part *part, enum policy_end end)
{
    struct governed *g = part->governed;
    if (g == NULL) {
        return;
    }
    const struct broker_policy *policy = &op->broker->policy;
    if (g->is_opened) {
        policy->settle(policy->arg, &g->c, end);
    }
    for (uint32_t i = 0; i < g->c.letter_count && g->is_judged; i++) {
        chunk_unref(g->c.letters[i].chunk);
    }
    chunk_unref(g->c.chunk);
    records_drop(g);
    part->governed = NULL;
}

// ---- where letters go

void governed_place(struct broker *b, struct produce_part *part)
{
    struct governed *g = part->governed;
    struct produce_op *op = g->op;
    for (uint32_t i = 0; i < g->letter_count; i++) {
        const struct policy_letter *letter = &g->c.letters[i];
        struct letter_part *made = &g->letters[i];
        struct topic *topic = core_topic_find(b->core, letter->topic);
        bool is_kept = topic != NULL && uuid_equal(topic_id(topic), b->kept_topic);
        bool is_compacted = topic != NULL && topic_settings(b->core, topic)->is_compacted;
        if (topic == NULL || is_kept || is_compacted || topic_is_governed(topic)) {
            const char *why = topic == NULL  ? "is not there"
                              : is_kept      ? "is the broker's own"
                              : is_compacted ? "is compacted: letters of one key would not all stay"
                                             : "is governed by contracts itself";
            refuse(
                g, ERR_INVALID_RECORD,
                arena_printf(op->arena, "the dead letter topic " STR_FMT " %s", STR_ARG(letter->topic), why));
            part->item.data.flags |= DATA_REFUSED;
            part->item.data.payload_length = 0;
            part->item.data.target_count = 0;
            governed_tallies(g, &part->item);
            g->letter_count = 0;
            return;
        }
        struct item_data *data = &made->item.data;
        data->topic_id = topic_id(topic);
        data->partition = part->partition % topic_partition_count(topic);
        g->targets[i] = (struct item_target){data->topic_id, data->partition};
        made->submission = (struct submission){
            .item = &made->item,
            .outcome = &made->outcome,
            .payload = letter->batch,
            .chunk = letter->chunk,
            .produce = op,
            .slot = partition_slot(topic_partition(topic, data->partition)),
            .needs_sync = !topic_settings(b->core, topic)->is_durability_os,
        };
    }
    part->item.data.targets = g->targets;
    part->item.data.target_count = g->letter_count;
}

uint64_t governed_fingerprint(const struct item_data *data)
{
    if ((data->flags & DATA_JUDGED) == 0) {
        return 0;
    }
    uint64_t print = hash_mix(data->config_revision, 19);
    for (uint32_t i = 0; i < data->condition_count; i++) {
        const struct item_condition *condition = &data->conditions[i];
        print =
            hash_mix(print, hash64(bytes_of(condition->key.ptr, condition->key.len), condition->revision));
    }
    return print | 1;
}
