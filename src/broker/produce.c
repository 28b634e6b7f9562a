// SPDX-License-Identifier: Apache-2.0
// produce.c - check each batch against its topic's rules, make one DATA item of it, submit. Offsets,
// duplicates and sequences are decided when the item is applied; admission refuses only what can never become
// true.
#include "base/assert.h"
#include "broker/broker_private.h"
#include "record/recompress.h"

#include <stdio.h>

// What one part needs to know of its topic, copied out of the lock.
struct produce_topic {
    struct topic_settings settings;
    uint32_t slot; // TRAFFIC_NO_SLOT: no such partition
};

static void part_fail(struct produce_part *part, enum err err, const char *text)
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

static void part_resolve(struct broker *b, struct produce_part *part, bool is_keeper,
                         struct produce_topic *ret)
{
    ret->slot = TRAFFIC_NO_SLOT;
    part->err = ERR_OK;
    part->base_offset = -1;
    part->log_append_time_ms = -1;
    part->log_start_offset = -1;
    part->text[0] = '\0';
    struct topic *topic = part_topic(b->core, part);
    if (topic == NULL) {
        part_fail(part, uuid_is_zero(part->topic_id) ? ERR_UNKNOWN_PARTITION : ERR_UNKNOWN_TOPIC_ID, "");
        return;
    }
    struct partition *partition = topic_partition(topic, part->partition);
    if (partition == NULL) {
        part_fail(part, ERR_UNKNOWN_PARTITION, "");
        return;
    }
    part->topic_id = topic_id(topic);
    if (!is_keeper && uuid_equal(part->topic_id, b->kept_topic)) {
        part_fail(part, ERR_INVALID_TOPIC, "The broker itself writes this topic; clients can only read it.");
        return;
    }
    part->log_start_offset = partition_log_start(partition);
    ret->settings = *topic_settings(b->core, topic);
    ret->slot = partition_slot(partition);
}

static void part_keep_bad_records(struct produce_op *op, struct produce_part *part,
                                  const struct batch_facts *facts)
{
    int32_t count = facts->bad_count < BAD_RECORDS_MAX ? facts->bad_count : BAD_RECORDS_MAX;
    part->bad_records = count == 0 ? NULL : arena_new(op->arena, struct bad_record, (size_t)count);
    part->bad_record_count = part->bad_records == NULL ? 0 : count;
    if (part->bad_records != NULL) {
        memcpy(part->bad_records, facts->bad_records, (size_t)count * sizeof(struct bad_record));
    }
}

// part_recompress stores the batch under the topic's own codec, as Kafka does where compression.type is not
// producer.
static enum err part_recompress(struct broker *b, struct produce_op *op, struct produce_part *part,
                                const struct topic_settings *settings, struct error *e)
{
    struct buf out;
    buf_init(&out, (size_t)settings->max_message_bytes);
    enum err err = batch_recompress(&op->port->codec, part->batch, (enum codec)settings->compression,
                                    settings->compression_level, &out, e);
    struct chunk *chunk = err == ERR_OK ? chunk_get(b->pool, out.len) : NULL;
    if (err == ERR_OK && chunk == NULL) {
        err = FAIL(e, ERR_NO_MEMORY, "no memory to compress a batch of %zu bytes again", part->batch.len);
    }
    if (chunk != NULL) {
        memcpy(chunk->ptr, out.ptr, out.len);
        part->own_chunk = part->chunk = chunk;
        part->batch = bytes_of(chunk->ptr, out.len);
    }
    buf_fini(&out);
    return err;
}

// part_check verifies the batch, settles its timestamps, and fills the item.
static void part_check(struct broker *b, struct produce_op *op, struct produce_part *part,
                       const struct produce_topic *topic, int64_t now_ms)
{
    const struct topic_settings *settings = &topic->settings;
    const struct batch_rules rules = {
        .batch_bytes_max = (size_t)settings->max_message_bytes,
        .now_ms = now_ms,
        .timestamp_before_max_ms = settings->timestamp_before_max_ms,
        .timestamp_after_max_ms = settings->timestamp_after_max_ms,
        .is_log_append_time = settings->timestamp_type == TIMESTAMP_LOG_APPEND,
        .is_compacted = settings->is_compacted,
        .is_zstd_allowed = op->is_zstd_allowed,
    };
    struct batch_facts facts;
    facts.bad_count = 0;
    struct error error = {0};
    enum err err = batch_check(&op->port->codec, part->batch, &rules, &facts, &error);
    bool is_other_codec = settings->compression >= 0 && err == ERR_OK &&
                          (int32_t)batch_codec(&facts.header) != settings->compression;
    if (is_other_codec) {
        err = part_recompress(b, op, part, settings, &error);
    }
    if (err == ERR_OK && (int64_t)part->batch.len > settings->segment_bytes) {
        err = FAIL(&error, ERR_BATCH_OVER_SEGMENT, "a batch of %zu bytes is over segment.bytes, %lld",
                   part->batch.len, (long long)settings->segment_bytes);
    }
    if (err != ERR_OK) {
        part_fail(part, err, error.text);
        part_keep_bad_records(op, part, &facts);
        return;
    }
    uint8_t *bytes = (uint8_t *)part->batch.ptr;
    int64_t max_timestamp = facts.max_timestamp;
    if (rules.is_log_append_time) {
        max_timestamp = part->log_append_time_ms = now_ms;
        batch_set_log_append_time(bytes, now_ms);
    } else if (facts.is_max_timestamp_wrong) {
        batch_fix_max_timestamp(bytes, max_timestamp);
    }
    const struct batch_header *header = &facts.header;
    part->item = (struct item){
        .kind = ITEM_DATA,
        .version = 2,
        .data =
            {
                .topic_id = part->topic_id,
                .partition = part->partition,
                .producer_id = header->producer_id,
                .producer_epoch = header->producer_epoch,
                .attributes = (int16_t)(load_be16(bytes + 21) & BATCH_ATTRIBUTES_KNOWN),
                .base_sequence = header->base_sequence,
                .offset_span = header->last_offset_delta + 1,
                .record_count = header->record_count,
                .max_timestamp = max_timestamp,
                .payload_length = (uint32_t)part->batch.len,
            },
    };
    if (op->adds_to_txn && (header->attributes & BATCH_ATTRIBUTE_TRANSACTIONAL) != 0) {
        part->item.data.attributes |= DATA_ADDS;
    }
    if (rules.is_log_append_time) {
        part->item.data.attributes |= BATCH_ATTRIBUTE_LOG_APPEND_TIME;
    }
}

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

// part_submit is true if the part was queued; else its outcome is final.
static bool part_submit(struct broker *b, struct produce_op *op, struct produce_part *part,
                        const struct produce_topic *topic)
{
    bool is_settled = false;
    part->outcome = (struct outcome){.err = ERR_STOPPING, .base_offset = -1};
    if (b->is_stopping || b->is_read_only) {
        part->outcome.err = b->is_stopping ? ERR_STOPPING : ERR_READ_ONLY;
        return false;
    }
    part->outcome.err = part_check_txn(b, op, part);
    if (part->outcome.err != ERR_OK) {
        return false;
    }
    part->outcome.err = ERR_STOPPING;
    (void)core_admit(b->core, &part->item, &is_settled, &part->outcome);
    // A duplicate may only be answered here when its original is durable: an os-durable one is as durable as
    // asked.
    if (is_settled) {
        return false;
    }
    chunk_ref(part->chunk);
    part->submission = (struct submission){
        .item = &part->item,
        .outcome = &part->outcome,
        .payload = part->batch,
        .chunk = part->chunk,
        .produce = op,
        .slot = topic->slot,
        .needs_sync = !topic->settings.is_durability_os,
    };
    op->pending++;
    journal_push(b, &part->submission);
    return true;
}

static void produce_completed(struct task *task)
{
    struct produce_op *op = (struct produce_op *)(void *)((char *)task - offsetof(struct produce_op, task));
    for (uint32_t i = 0; i < op->part_count; i++) {
        struct produce_part *part = &op->parts[i];
        chunk_unref(part->own_chunk);
        part->own_chunk = NULL;
        if (part->err != ERR_OK) {
            continue;
        }
        const struct outcome *outcome = &part->outcome;
        if (outcome->err != ERR_OK) {
            part_fail(part, outcome->err, err_text(outcome->err));
        } else {
            part->base_offset = outcome->base_offset;
            part->log_start_offset = outcome->log_start_offset;
        }
    }
    op->done(op);
}

void broker_produce(struct broker *b, struct produce_op *op)
{
    op->task.run = produce_completed;
    op->pending = 0;
    struct produce_topic few[8];
    struct produce_topic *topics = few;
    if (op->part_count > 8) {
        topics = arena_new(op->arena, struct produce_topic, op->part_count);
    }
    mutex_lock(&b->lock);
    for (uint32_t i = 0; i < op->part_count; i++) {
        if (topics == NULL) {
            part_fail(&op->parts[i], ERR_NO_MEMORY, "the request is over its memory limit");
        } else {
            part_resolve(b, &op->parts[i], op->is_keeper, &topics[i]);
        }
    }
    mutex_unlock(&b->lock);

    int64_t now_ms = clock_wall_ms(b->env->clock);
    for (uint32_t i = 0; i < op->part_count; i++) {
        if (op->parts[i].err == ERR_OK) {
            part_check(b, op, &op->parts[i], &topics[i], now_ms);
        }
    }

    mutex_lock(&b->lock);
    for (uint32_t i = 0; i < op->part_count; i++) {
        struct produce_part *part = &op->parts[i];
        bool is_queued = part->err == ERR_OK && part_submit(b, op, part, &topics[i]);
        bool has_failed = part->err != ERR_OK || (!is_queued && part->outcome.err != ERR_OK);
        traffic_produce(b, topics == NULL ? TRAFFIC_NO_SLOT : topics[i].slot, has_failed);
    }
    if (op->pending == 0) {
        journal_complete(op->port, &op->task);
    } else {
        journal_kick_later(op->port);
    }
    journal_unlock(b, op->port);
}
