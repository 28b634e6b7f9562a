// SPDX-License-Identifier: Apache-2.0
// load.c - a fresh core from a whole snapshot. First every record is framed, counted and hashed; only then
// are they read: topics, then their partitions, producers in the order of their last append, groups, then
// their offsets, and quotas.
#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"
#include "core/core_private.h"

enum {
    END_BODY_SIZE = 16,
    EPOCH_SIZE = 12,
    STORED_EXTENT_SIZE = 56,
};

struct record {
    uint8_t kind;
    struct bytes body;
};

// record_next frames one record; false at the end or when it does not fit (r->failed).
static bool record_next(struct reader *r, struct record *ret)
{
    if (r->failed || reader_left(r) == 0) {
        return false;
    }
    uint32_t length = reader_u32(r);
    ret->kind = (uint8_t)reader_i8(r);
    const uint8_t *body = reader_take(r, length);
    ret->body = bytes_of(body, length);
    return !r->failed;
}

static bool record_kind_is_known(uint8_t kind)
{
    return (kind >= RECORD_HEAD && kind <= RECORD_ABORTED) || kind == RECORD_CONSUMER ||
           kind == RECORD_DOCUMENT || kind == RECORD_DOCUMENTS || kind == RECORD_TALLY;
}

// records_check walks the whole stream once and leaves *ret at its first record.
static enum err records_check(struct bytes snapshot, struct reader *ret, struct error *e)
{
    struct reader r = reader_init(snapshot);
    const uint8_t *magic = reader_take(&r, sizeof snapshot_magic);
    uint32_t version = reader_u32(&r);
    if (r.failed || memcmp(magic, snapshot_magic, sizeof snapshot_magic) != 0) {
        return FAIL(e, ERR_CORRUPT, "this is no snapshot");
    }
    if (version != SNAPSHOT_VERSION) {
        return FAIL(e, ERR_CORRUPT, "snapshot version %u, known here: %d", version, SNAPSHOT_VERSION);
    }
    *ret = r;
    uint64_t count = 0;
    uint64_t hash = 0;
    struct record record = {0};
    while (record_next(&r, &record) && record.kind != RECORD_END) {
        bool is_head = record.kind == RECORD_HEAD;
        if (!record_kind_is_known(record.kind) || is_head != (count == 0)) {
            return FAIL(e, ERR_CORRUPT, "snapshot record %llu of kind %u", (unsigned long long)count,
                        record.kind);
        }
        count++;
        hash += record_hash(record.kind, record.body);
    }
    if (r.failed || record.kind != RECORD_END || reader_left(&r) != 0 || record.body.len != END_BODY_SIZE) {
        return FAIL(e, ERR_CORRUPT, "snapshot does not end well after %llu records",
                    (unsigned long long)count);
    }
    if (load_be64(record.body.ptr) != count || load_be64(record.body.ptr + 8) != hash || count == 0) {
        return FAIL(e, ERR_CORRUPT, "snapshot of %llu records does not match its count and hash",
                    (unsigned long long)count);
    }
    return ERR_OK;
}

static bool is_done(const struct reader *r)
{
    return !r->failed && reader_left(r) == 0;
}

static bool head_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    core->lsn = (uint64_t)reader_i64(&r);
    core->stamp_ms = reader_i64(&r);
    core->tally_since_ms = core->stamp_ms;
    core->time_ms = reader_i64(&r);
    core->next_producer_id = reader_i64(&r);
    core->producer_order = (uint64_t)reader_i64(&r);
    core->object_max = (uint64_t)reader_i64(&r);
    core->configs.revision = (uint64_t)reader_i64(&r);
    uint32_t count = 0;
    const struct item_config *configs = configs_decode(&r, &core->scratch, &count);
    if (!is_done(&r) || !config_set_replace(&core->configs, configs, count)) {
        return false;
    }
    limits_refresh(core);
    return true;
}

static bool topic_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    struct uuid id = reader_uuid(&r);
    struct str name = name_decode(&r);
    int32_t partition_count = reader_i32(&r);
    uint64_t revision = (uint64_t)reader_i64(&r);
    uint32_t count = 0;
    const struct item_config *configs = configs_decode(&r, &core->scratch, &count);
    if (!is_done(&r) || !topic_name_is_valid(name) || uuid_is_zero(id) || partition_count < 1 ||
        partition_count > ITEM_PARTITIONS_MAX || core_topic_find(core, name) != NULL ||
        core_topic_find_id(core, id) != NULL) {
        return false;
    }
    struct topic *topic = topic_new(core, id, name);
    topic->configs.revision = revision;
    // Only as many partitions as there are records for: see partitions_complete.
    topic->partition_cap = partition_count;
    bool is_done_right = config_set_replace(&topic->configs, configs, count);
    governing_refresh(core, topic);
    return is_done_right;
}

// epochs_load reads the rising list; the last one is the current one.
static bool epochs_load(struct partition *p, struct reader *r)
{
    uint32_t count = reader_u32(r);
    if (r->failed || count < 1 || count > PARTITION_EPOCHS_MAX + 1 || count > reader_left(r) / EPOCH_SIZE) {
        return false;
    }
    p->old_epoch_count = count - 1;
    p->old_epochs = count == 1 ? NULL : mem_array(count - 1, sizeof *p->old_epochs);
    struct epoch_start before = {-1, -1};
    for (uint32_t i = 0; i < count; i++) {
        struct epoch_start start = {.epoch = reader_i32(r)};
        start.start_offset = reader_i64(r);
        if (start.epoch <= before.epoch || start.start_offset <= before.start_offset) {
            return false;
        }
        *(i + 1 == count ? &p->epoch : &p->old_epochs[i]) = start;
        before = start;
    }
    return true;
}

// log_is_sound: the invariants of extents.c and partitions.c.
static bool log_is_sound(const struct partition *p)
{
    if (plant_is(PLANT_REUSE_OFFSET) || plant_is(PLANT_REPLACE_RACES_TRIM) ||
        plant_is(PLANT_TRIM_MOVES_BACK)) {
        return true; // such a broker must live until its bug shows
    }
    if (p->log_start < 0 || p->log_start > p->high_watermark || p->epoch.start_offset > p->high_watermark) {
        return false;
    }
    for (uint32_t i = 0; i < p->extent_count; i++) {
        const struct extent *extent = partition_extent(p, i);
        bool is_adjacent = i == 0 || partition_extent(p, i - 1)->end_offset == extent->base_offset;
        if (extent->base_offset < 0 || extent->base_offset >= extent->end_offset || extent->position < 0 ||
            !is_adjacent) {
            return false;
        }
    }
    if (p->extent_count == 0) {
        return p->log_start == p->high_watermark;
    }
    return partition_extent(p, 0)->end_offset > p->log_start &&
           partition_extent(p, p->extent_count - 1)->end_offset == p->high_watermark;
}

static bool partition_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    struct uuid id = reader_uuid(&r);
    int32_t index = reader_i32(&r);
    struct topic *topic = core_topic_find_id(core, id);
    if (r.failed || topic == NULL || index < 0 || index >= topic->partition_count) {
        return false;
    }
    struct partition *p = topic->partitions[index];
    if (p->high_watermark != -1) {
        return false; // seen before
    }
    p->log_start = reader_i64(&r);
    p->high_watermark = reader_i64(&r);
    if (p->high_watermark < 0 || !epochs_load(p, &r)) {
        return false;
    }
    uint32_t count = reader_u32(&r);
    if (r.failed || reader_left(&r) != (uint64_t)count * STORED_EXTENT_SIZE) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct extent extent;
        extent_decode(&r, &extent);
        extents_append(core, p, &extent);
    }
    if (plant_is(PLANT_REUSE_OFFSET) && p->extent_count > 0) {
        p->high_watermark--;
    }
    return log_is_sound(p);
}

// partitions_make gives each topic its empty partitions, marked as not seen yet. The records that must follow
// bound their number, so that a few bytes do not claim much memory.
static bool partitions_make(struct core *core, uint64_t partition_records)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < core->topic_count; i++) {
        total += (uint64_t)core->topics[i]->partition_cap;
    }
    if (total != partition_records) {
        return false;
    }
    for (uint32_t i = 0; i < core->topic_count; i++) {
        struct topic *topic = core->topics[i];
        int32_t count = topic->partition_cap;
        topic->partition_cap = 0;
        topic_partitions_add(core, topic, count);
        for (int32_t k = 0; k < count; k++) {
            topic->partitions[k]->high_watermark = -1;
        }
    }
    return true;
}

static bool window_load(struct producer *producer, struct reader *r)
{
    producer->window_count = (uint8_t)reader_i8(r);
    if (producer->window_count < 1 || producer->window_count > PRODUCER_WINDOW) {
        producer->window_count = 0;
        return false;
    }
    for (uint8_t i = 0; i < producer->window_count; i++) {
        struct producer_batch *batch = &producer->window[i];
        batch->base_sequence = reader_i32(r);
        batch->offset_span = reader_i32(r);
        batch->base_offset = reader_i64(r);
        if (batch->base_sequence < 0 || batch->offset_span < 0 || batch->base_offset < 0) {
            return false;
        }
    }
    return is_done(r);
}

static bool producer_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    struct uuid id = reader_uuid(&r);
    int32_t index = reader_i32(&r);
    int64_t producer_id = reader_i64(&r);
    struct partition *p;
    if (r.failed || producer_id < 0 || partition_get(core, id, index, &p) != ERR_OK ||
        producer_find(core, p, producer_id) != NULL) {
        return false;
    }
    struct producer *producer = producer_new(core, p, producer_id);
    producer->epoch = reader_i16(&r);
    producer->last_time_ms = reader_i64(&r);
    producer->order = (uint64_t)reader_i64(&r);
    return producer->epoch >= 0 && window_load(producer, &r) && producer->order <= core->producer_order;
}

static int producer_order(const void *a, const void *b)
{
    const struct producer *const *x = a;
    const struct producer *const *y = b;
    return (*x)->order < (*y)->order ? -1 : (*x)->order > (*y)->order;
}

// producers_sort puts the lists back into the order of the last appends. False if two share a place.
static bool producers_sort(struct core *core)
{
    size_t count = 0;
    struct producer **all = mem_array(core->producers.count + 1, sizeof(struct producer *));
    LIST_EACH (node, &core->producer_lru) {
        all[count++] = LIST_ENTRY(node, struct producer, in_lru);
    }
    ASSERT(count == core->producers.count);
    qsort(all, count, sizeof(struct producer *), producer_order);
    bool is_strict = true;
    for (size_t i = 0; i < count; i++) {
        is_strict = is_strict && (i == 0 || all[i - 1]->order < all[i]->order);
        list_remove(&all[i]->in_lru);
        list_push_back(&core->producer_lru, &all[i]->in_lru);
        list_remove(&all[i]->in_partition);
        list_push_back(&all[i]->partition->producers, &all[i]->in_partition);
    }
    mem_free(all);
    return is_strict;
}

static bool document_serial_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    core->document_serial = (uint64_t)reader_i64(&r);
    return is_done(&r);
}

static bool record_load(struct core *core, const struct record *record)
{
    arena_reset(&core->scratch);
    switch ((enum record_kind)record->kind) {
    case RECORD_HEAD:
        return head_load(core, record->body);
    case RECORD_TOPIC:
        return topic_load(core, record->body);
    case RECORD_PARTITION:
        return partition_load(core, record->body);
    case RECORD_PRODUCER:
        return producer_load(core, record->body);
    case RECORD_GROUP:
        return group_load(core, record->body);
    case RECORD_OFFSETS:
        return offset_page_load(core, record->body);
    case RECORD_QUOTA:
        return quota_load(core, record->body);
    case RECORD_TXN:
        return txn_load(core, record->body);
    case RECORD_ABORTED:
        return aborted_load(core, record->body);
    case RECORD_CONSUMER:
        return consumer_load(core, record->body);
    case RECORD_DOCUMENT:
        return document_load(core, record->body);
    case RECORD_DOCUMENTS:
        return document_serial_load(core, record->body);
    case RECORD_TALLY:
        return tally_load(core, record->body);
    case RECORD_END:
        break;
    }
    return true;
}

// records_load loads the records of one kind. *ret_count: how many there were.
static enum err records_load(struct core *core, struct reader r, enum record_kind kind, uint64_t *ret_count,
                             struct error *e)
{
    struct record record = {0};
    uint64_t count = 0;
    while (record_next(&r, &record)) {
        if (record.kind != kind) {
            continue;
        }
        if (!record_load(core, &record)) {
            return FAIL(e, ERR_CORRUPT, "snapshot record %llu of kind %u does not read",
                        (unsigned long long)count, (unsigned)kind);
        }
        count++;
    }
    *ret_count = count;
    return ERR_OK;
}

static uint64_t records_count(struct reader r, enum record_kind kind)
{
    struct record record = {0};
    uint64_t count = 0;
    while (record_next(&r, &record)) {
        count += record.kind == kind;
    }
    return count;
}

enum err core_load(struct core *core, struct bytes snapshot, struct error *e)
{
    ASSERT(core->lsn == 0);
    ASSERT(core->topic_count == 0);
    struct reader r;
    uint64_t count;
    enum err err = records_check(snapshot, &r, e);
    err = err == ERR_OK ? records_load(core, r, RECORD_HEAD, &count, e) : err;
    err = err == ERR_OK ? records_load(core, r, RECORD_TOPIC, &count, e) : err;
    if (err != ERR_OK) {
        return err;
    }
    topics_sort(core);
    if (!partitions_make(core, records_count(r, RECORD_PARTITION))) {
        return FAIL(e, ERR_CORRUPT, "snapshot lacks partitions, or has too many");
    }
    // As many records as partitions, and none twice: each partition has its own.
    err = records_load(core, r, RECORD_PARTITION, &count, e);
    err = err == ERR_OK ? records_load(core, r, RECORD_PRODUCER, &count, e) : err;
    if (err == ERR_OK && !producers_sort(core)) {
        return FAIL(e, ERR_CORRUPT, "two producers of the snapshot have the same place");
    }
    err = err == ERR_OK ? records_load(core, r, RECORD_GROUP, &count, e) : err;
    err = err == ERR_OK ? records_load(core, r, RECORD_CONSUMER, &count, e) : err;
    err = err == ERR_OK ? records_load(core, r, RECORD_OFFSETS, &count, e) : err;
    err = err == ERR_OK ? records_load(core, r, RECORD_QUOTA, &count, e) : err;
    err = err == ERR_OK ? records_load(core, r, RECORD_TXN, &count, e) : err;
    err = err == ERR_OK ? records_load(core, r, RECORD_ABORTED, &count, e) : err;
    err = err == ERR_OK ? records_load(core, r, RECORD_DOCUMENTS, &count, e) : err;
    if (err == ERR_OK && count > 1) {
        return FAIL(e, ERR_CORRUPT, "snapshot gives the last revision of documents twice");
    }
    err = err == ERR_OK ? records_load(core, r, RECORD_DOCUMENT, &count, e) : err;
    if (err == ERR_OK && !documents_sort(core)) {
        return FAIL(e, ERR_CORRUPT, "two documents of the snapshot have the same revision");
    }
    err = err == ERR_OK ? records_load(core, r, RECORD_TALLY, &count, e) : err;
    core->txn_due_ms = txns_deadline_ms(core);
    if (err == ERR_OK && !quotas_sort(core)) {
        return FAIL(e, ERR_CORRUPT, "an entity of the snapshot has quotas twice");
    }
    groups_sort(core);
    return err;
}
