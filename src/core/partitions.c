// SPDX-License-Identifier: Apache-2.0
// partitions.c - what happens to one partition's log: append, trim, leader epochs. Log end = high watermark:
// whatever is applied is durable.
#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"
#include "core/core_private.h"
#include "record/batch.h"

struct partition *partition_new(struct core *core, struct topic *topic, int32_t index)
{
    struct partition *p = mem_zalloc(sizeof *p);
    p->topic = topic;
    p->index = index;
    p->serial = ++core->partition_serial;
    p->snap_gen = core->cut.gen;
    list_init(&p->producers);
    list_init(&p->txns);
    return p;
}

void partition_free(struct core *core, struct partition *p)
{
    core->extent_cap_total -= p->extent_cap;
    core->txn_bytes -= p->aborted_cap * sizeof *p->aborted;
    mem_free(p->aborted);
    mem_free(p->extents);
    mem_free(p->old_epochs);
    mem_free(p);
}

// ---- DATA

// data_is_letter: a dead letter in a transaction: the producer of its batch, and no sequence.
static bool data_is_letter(const struct item *item)
{
    return item->version >= 2 && item->depends_on != 0 && item->data.base_sequence < 0 &&
           (item->data.attributes & BATCH_ATTRIBUTE_TRANSACTIONAL) != 0;
}

// data_check refuses what no state of the partition can make right.
static enum err data_check(const struct partition *p, const struct item *item)
{
    const struct item_data *data = &item->data;
    bool is_refusal = (data->flags & DATA_REFUSED) != 0;
    bool is_shaped = data->offset_span >= 1 && data->record_count >= 0 &&
                     data->record_count <= data->offset_span && is_refusal == (data->payload_length == 0) &&
                     (!is_refusal || (data->flags & DATA_JUDGED) != 0);
    bool is_idempotent = data->producer_id >= 0;
    bool has_sequence = data->base_sequence >= 0 || data_is_letter(item);
    if (!is_shaped || (is_idempotent && (data->producer_epoch < 0 || !has_sequence))) {
        return ERR_INVALID_RECORD;
    }
    if (data->offset_span > INT64_MAX - p->high_watermark) {
        return ERR_OFFSET_OUT_OF_RANGE;
    }
    return ERR_OK;
}

// data_store appends the bytes to the log: onto the last extent where it is the same run of bytes.
static void data_store(struct apply *a, struct partition *p, const struct item_data *item)
{
    const struct core_bundle *bundle = a->bundle;
    struct extent fresh = {
        .base_offset = p->high_watermark,
        .end_offset = p->high_watermark + item->offset_span,
        .object = bundle->object,
        .position = bundle->payload_position + item->payload_position,
        .length = item->payload_length,
        .record_count = (uint32_t)item->record_count,
        .max_timestamp = item->max_timestamp,
        .leader_epoch = p->epoch.epoch,
    };
    struct extent *last = extent_last(p);
    bool is_run = last != NULL && p->append_lsn == bundle->lsn && last->object == fresh.object &&
                  last->position + last->length == fresh.position &&
                  last->leader_epoch == fresh.leader_epoch && (last->flags & EXTENT_FINAL) == 0 &&
                  last->end_offset == fresh.base_offset && last->length <= EXTENT_LENGTH_MAX &&
                  fresh.length <= EXTENT_LENGTH_MAX - last->length;
    if (is_run) {
        last->end_offset = fresh.end_offset;
        last->length += fresh.length;
        last->record_count += fresh.record_count;
        last->max_timestamp =
            last->max_timestamp > fresh.max_timestamp ? last->max_timestamp : fresh.max_timestamp;
        p->bytes += fresh.length;
        p->unmerged_bytes += fresh.length;
    } else {
        extents_append(a->core, p, &fresh);
    }
    p->high_watermark = fresh.end_offset;
    p->append_lsn = bundle->lsn;
}

// What is known once a batch was judged.
struct judged {
    struct partition *partition;
    struct producer *producer;              // NULL = nothing is known of it here
    const struct producer_batch *duplicate; // NULL = it is new
    struct txn *txn;                        // NULL = it is in no transaction
    bool is_unsequenced;
};

// verdict_holds: the batch was judged by what governs its topic now. Version 1 knew of nothing that governs.
static bool verdict_holds(const struct core *core, const struct topic *topic, const struct item *item)
{
    const struct item_data *data = &item->data;
    if (item->version < 2) {
        return true;
    }
    if ((data->flags & DATA_JUDGED) == 0) {
        return !topic->is_governed;
    }
    return data->config_revision == topic->configs.revision &&
           conditions_hold(core, data->conditions, data->condition_count);
}

// letters_judge: what depends on this batch can be appended: nothing may be in the way of the letters once
// their batch is in.
static enum err letters_judge(const struct core *core, const struct item_data *data,
                              const struct judged *judged)
{
    uint64_t joins = judged->txn != NULL && txn_joins(core, judged->txn, judged->partition);
    for (uint32_t i = 0; i < data->target_count; i++) {
        struct partition *p;
        enum err err = partition_get(core, data->targets[i].topic_id, data->targets[i].partition, &p);
        if (err != ERR_OK || p->topic->is_governed || p->high_watermark > INT64_MAX / 2) {
            return ERR_STALE; // somebody looks for another place
        }
        joins += judged->txn != NULL && txn_joins(core, judged->txn, p);
    }
    bool has_room = joins == 0 || core->txn_partitions.count + joins <= core->limits.producers_max;
    return data->target_count == 0 || has_room ? ERR_OK : ERR_POLICY_VIOLATION;
}

// data_judge is everything that may refuse the batch, in the order that docs/formats/item.md freezes.
static enum err data_judge(const struct core *core, const struct item *item, struct judged *ret)
{
    const struct item_data *data = &item->data;
    struct partition *p;
    enum err err = partition_get(core, data->topic_id, data->partition, &p);
    if (err != ERR_OK) {
        return err;
    }
    err = data_check(p, item);
    if (err != ERR_OK) {
        return err;
    }
    ret->partition = p;
    ret->is_unsequenced = data->producer_id < 0 || data_is_letter(item);
    ret->producer = ret->is_unsequenced ? NULL : producer_find(core, p, data->producer_id);
    err = txn_judge(core, data, &ret->txn);
    if (err != ERR_OK) {
        return err;
    }
    enum err sequence_err = producer_judge(ret->producer, data, &ret->duplicate);
    if (ret->duplicate != NULL && txn_is_earlier(core, ret->txn, p, ret->duplicate->base_offset)) {
        ret->duplicate = NULL;
        return ERR_OUT_OF_ORDER_SEQUENCE;
    }
    if (sequence_err == ERR_INVALID_PRODUCER_EPOCH || ret->duplicate != NULL) {
        return sequence_err;
    }
    if (!verdict_holds(core, p->topic, item) && !plant_is(PLANT_STALE_VERDICT)) {
        return ERR_STALE;
    }
    if ((data->flags & DATA_REFUSED) != 0) {
        return ERR_INVALID_RECORD;
    }
    err = sequence_err == ERR_OK ? txn_judge_member(core, p, data, ret->txn) : sequence_err;
    return err == ERR_OK ? letters_judge(core, data, ret) : err;
}

static void data_duplicate(const struct partition *p, const struct producer_batch *duplicate,
                           struct outcome *ret)
{
    ret->is_duplicate = true;
    ret->base_offset = duplicate->base_offset;
    if (plant_is(PLANT_DUPLICATE_NEW_OFFSET)) {
        ret->base_offset = p->high_watermark;
    }
    ret->log_start_offset = p->log_start;
    ret->leader_epoch = p->epoch.epoch;
}

// data_refuse: nothing is appended, but its records are counted. Of a producer of which nothing is known, it
// is from now on that the next sequence is the one refused: what it sent behind it does not get in before.
static void data_refuse(struct apply *a, const struct judged *judged, const struct item_data *data,
                        struct outcome *ret)
{
    ret->is_refused = true;
    tallies_apply(a, judged->partition->topic, data);
    if (judged->producer == NULL && !judged->is_unsequenced) {
        struct item_data none = *data;
        none.offset_span = 0;
        producer_append(a->core, judged->partition, NULL, &none, judged->partition->high_watermark);
    }
}

void data_apply(struct apply *a, const struct item *item, struct outcome *ret)
{
    const struct item_data *data = &item->data;
    struct judged judged = {0};
    ret->err = data_judge(a->core, item, &judged);
    struct partition *p = judged.partition;
    if (ret->err == ERR_INVALID_RECORD && p != NULL) {
        data_refuse(a, &judged, data, ret);
    }
    if (ret->err != ERR_OK) {
        return;
    }
    if (judged.duplicate != NULL) {
        data_duplicate(p, judged.duplicate, ret);
        if (plant_is(PLANT_TALLY_OF_DUPLICATE)) {
            tallies_apply(a, p->topic, data);
        }
        return;
    }
    if (judged.txn != NULL) {
        txn_append(a, judged.txn, p, p->high_watermark);
    }
    partition_touch(a->core, p);
    ret->base_offset = p->high_watermark;
    ret->log_start_offset = p->log_start;
    ret->leader_epoch = p->epoch.epoch;
    if (!judged.is_unsequenced) {
        producer_append(a->core, p, judged.producer, data, p->high_watermark);
    }
    data_store(a, p, data);
    tallies_apply(a, p->topic, data);
    facts_slot_add(a->facts, p, data->payload_length);
}

enum err core_admit(const struct core *core, const struct item *item, bool *ret_is_settled,
                    struct outcome *ret_outcome)
{
    struct judged judged = {0};
    struct outcome outcome = {.base_offset = -1, .log_start_offset = -1, .leader_epoch = -1};
    outcome.err = data_judge(core, item, &judged);
    switch (outcome.err) {
    case ERR_OK:
        if (judged.duplicate != NULL) {
            data_duplicate(judged.partition, judged.duplicate, &outcome);
        }
        *ret_is_settled = judged.duplicate != NULL;
        break;
    case ERR_UNKNOWN_TOPIC_ID: // ids are never given twice
    case ERR_INVALID_PRODUCER_EPOCH:
        *ret_is_settled = true;
        break;
    case ERR_INVALID_RECORD: // a refusal is final only in its place
        *ret_is_settled = (item->data.flags & DATA_REFUSED) == 0;
        break;
    default: // a batch on its way may fill the gap, a partition may come
        *ret_is_settled = false;
        return ERR_OK;
    }
    if (!*ret_is_settled) {
        return ERR_OK;
    }
    *ret_outcome = outcome;
    return outcome.err;
}

bool core_verdict_holds(const struct core *core, const struct item_data *data)
{
    struct topic *topic = core_topic_find_id(core, data->topic_id);
    const struct item item = {.kind = ITEM_DATA, .version = 2, .data = *data};
    return topic != NULL && verdict_holds(core, topic, &item);
}

bool core_producer_is_known(const struct core *core, const struct item_data *data)
{
    struct partition *p = NULL;
    return partition_get(core, data->topic_id, data->partition, &p) == ERR_OK &&
           producer_find(core, p, data->producer_id) != NULL;
}

// ---- TRIM

// epochs_trim forgets epochs whose every record is below the log start. The current one always stays.
static void epochs_trim(struct partition *p)
{
    uint32_t gone = 0;
    while (gone < p->old_epoch_count) {
        bool is_last = gone + 1 == p->old_epoch_count;
        int64_t end = is_last ? p->epoch.start_offset : p->old_epochs[gone + 1].start_offset;
        if (end > p->log_start) {
            break;
        }
        gone++;
    }
    if (gone == 0) {
        return;
    }
    p->old_epoch_count -= gone;
    memmove(p->old_epochs, p->old_epochs + gone, p->old_epoch_count * sizeof *p->old_epochs);
    if (p->old_epoch_count == 0) {
        mem_free(p->old_epochs);
        p->old_epochs = NULL;
    }
}

enum err trim_apply(struct apply *a, const struct item_trim *item, struct outcome *ret)
{
    struct partition *p;
    enum err err = partition_get(a->core, item->topic_id, item->partition, &p);
    if (err != ERR_OK) {
        return err;
    }
    int64_t target = item->log_start_offset;
    target = target > p->high_watermark ? p->high_watermark : target;
    bool is_back = target < p->log_start;
    if (plant_is(PLANT_TRIM_MOVES_BACK)) {
        is_back = target < 0;
    }
    if (!is_back && target != p->log_start) {
        partition_touch(a->core, p);
        p->log_start = target;
        // Each extent goes once in its life, so this loop is paid for by the appends.
        extents_drop_front(a->core, p, partition_extent_search(p, target), a->facts);
        partition_aborted_trim(p, p->log_start);
        epochs_trim(p);
        facts_slot_add(a->facts, p, 0);
    }
    ret->log_start_offset = p->log_start;
    return ERR_OK;
}

// ---- leader epochs

static void epoch_raise(struct core *core, struct partition *p)
{
    if (p->epoch.epoch == INT32_MAX) {
        return;
    }
    partition_touch(core, p);
    if (p->epoch.start_offset == p->high_watermark) { // it has no records: it never was
        p->epoch.epoch++;
        return;
    }
    if (p->old_epoch_count == PARTITION_EPOCHS_MAX) {
        p->old_epoch_count--;
        memmove(p->old_epochs, p->old_epochs + 1, p->old_epoch_count * sizeof *p->old_epochs);
    }
    // Rare and small: grown by one each time.
    p->old_epochs = mem_realloc(p->old_epochs, (p->old_epoch_count + 1) * sizeof *p->old_epochs);
    p->old_epochs[p->old_epoch_count++] = p->epoch;
    p->epoch.epoch++;
    p->epoch.start_offset = p->high_watermark;
}

// Ordered once, after an unclean start and before serving: the one item that walks all partitions.
void epoch_raise_apply(struct apply *a)
{
    for (uint32_t t = 0; t < a->core->topic_count; t++) {
        struct topic *topic = a->core->topics[t];
        struct str value = {NULL, 0};
        for (uint32_t i = 0; i < topic->configs.count; i++) {
            if (str_equal(topic->configs.configs[i].key, STR("strom.durability"))) {
                value = topic->configs.configs[i].value;
            }
        }
        for (int32_t i = 0; str_equal(value, STR("os")) && i < topic->partition_count; i++) {
            epoch_raise(a->core, topic->partitions[i]);
        }
    }
}

void partition_epoch_end(const struct partition *p, int32_t epoch, int32_t *ret_epoch,
                         int64_t *ret_end_offset)
{
    *ret_epoch = -1;
    *ret_end_offset = -1;
    if (epoch == -1 || epoch > p->epoch.epoch) {
        return;
    }
    if (epoch == p->epoch.epoch) {
        *ret_epoch = epoch;
        *ret_end_offset = p->high_watermark;
        return;
    }
    *ret_epoch = epoch;
    *ret_end_offset = p->epoch.start_offset;
    for (uint32_t i = p->old_epoch_count; i > 0; i--) {
        const struct epoch_start *start = &p->old_epochs[i - 1];
        if (start->epoch <= epoch) {
            *ret_epoch = start->epoch;
            return;
        }
        *ret_end_offset = start->start_offset;
    }
    *ret_end_offset =
        *ret_end_offset < p->log_start ? p->log_start : *ret_end_offset; // older than all records
}

int32_t partition_epoch_at(const struct partition *p, int64_t offset)
{
    if (offset >= p->epoch.start_offset || p->old_epoch_count == 0) {
        return p->epoch.epoch;
    }
    uint32_t i = p->old_epoch_count - 1;
    while (i > 0 && p->old_epochs[i].start_offset > offset) {
        i--;
    }
    return p->old_epochs[i].epoch;
}

// ---- reading

struct topic *partition_topic(const struct partition *p)
{
    return p->topic;
}

int32_t partition_index(const struct partition *p)
{
    return p->index;
}

uint32_t partition_slot(const struct partition *p)
{
    return p->slot;
}

uint64_t partition_generation(const struct partition *p)
{
    return p->serial;
}

int64_t partition_log_start(const struct partition *p)
{
    return p->log_start;
}

int64_t partition_high_watermark(const struct partition *p)
{
    return p->high_watermark;
}

int32_t partition_leader_epoch(const struct partition *p)
{
    return p->epoch.epoch;
}

uint64_t partition_bytes(const struct partition *p)
{
    return p->bytes;
}

uint64_t partition_unmerged_bytes(const struct partition *p)
{
    return p->unmerged_bytes;
}
