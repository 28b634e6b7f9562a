// SPDX-License-Identifier: Apache-2.0
// snapshot.c - the state as a stream of records (docs/formats/snapshot.md), cut at one LSN and handed out in
// slices. An object carries the number of the cut that has it. A step hands out the next objects that the
// cut lacks; apply saves an object just before its first change. Either way the record shows it as it was at
// the cut. Topics are walked by name, partitions by slot, the others by their place in a list (producers in
// the LRU list), of which new and moved entries always lie behind the cut's place and are in the cut already
// or not part of it.
#include "base/assert.h"
#include "base/hash.h"
#include "base/plant.h"
#include "core/core_private.h"

const char snapshot_magic[8] = {'S', 'T', 'R', 'O', 'M', 'S', 'N', 'P'};

// ---- records

uint64_t record_hash(uint8_t kind, struct bytes body)
{
    return hash64(body, kind);
}

static void head_body(const struct core *core, struct buf *out)
{
    buf_be64(out, core->lsn);
    buf_be64(out, (uint64_t)core->stamp_ms);
    buf_be64(out, (uint64_t)core->time_ms);
    buf_be64(out, (uint64_t)core->next_producer_id);
    buf_be64(out, core->producer_order);
    buf_be64(out, core->object_max);
    buf_be64(out, core->configs.revision);
    configs_encode(core->configs.configs, core->configs.count, out);
}

static void topic_body(const struct topic *topic, struct buf *out)
{
    buf_uuid(out, topic->id);
    name_encode(topic_name(topic), out);
    buf_be32(out, (uint32_t)topic->partition_count);
    buf_be64(out, topic->configs.revision);
    configs_encode(topic->configs.configs, topic->configs.count, out);
}

static void epoch_start_encode(const struct epoch_start *start, struct buf *out)
{
    buf_be32(out, (uint32_t)start->epoch);
    buf_be64(out, (uint64_t)start->start_offset);
}

static void partition_body(const struct partition *p, struct buf *out)
{
    buf_uuid(out, p->topic->id);
    buf_be32(out, (uint32_t)p->index);
    buf_be64(out, (uint64_t)p->log_start);
    buf_be64(out, (uint64_t)p->high_watermark);
    buf_be32(out, p->old_epoch_count + 1);
    for (uint32_t i = 0; i < p->old_epoch_count; i++) {
        epoch_start_encode(&p->old_epochs[i], out);
    }
    epoch_start_encode(&p->epoch, out);
    buf_be32(out, p->extent_count);
    for (uint32_t i = 0; i < p->extent_count; i++) {
        extent_encode(partition_extent(p, i), out);
    }
}

static void producer_body(const struct producer *producer, struct buf *out)
{
    buf_uuid(out, producer->partition->topic->id);
    buf_be32(out, (uint32_t)producer->partition->index);
    buf_be64(out, (uint64_t)producer->producer_id);
    buf_be16(out, (uint16_t)producer->epoch);
    buf_be64(out, (uint64_t)producer->last_time_ms);
    buf_be64(out, producer->order);
    buf_u8(out, producer->window_count);
    for (uint8_t i = 0; i < producer->window_count; i++) {
        buf_be32(out, (uint32_t)producer->window[i].base_sequence);
        buf_be32(out, (uint32_t)producer->window[i].offset_span);
        buf_be64(out, (uint64_t)producer->window[i].base_offset);
    }
}

static void record_body(enum record_kind kind, const void *object, struct buf *out)
{
    switch (kind) {
    case RECORD_HEAD:
        head_body(object, out);
        return;
    case RECORD_TOPIC:
        topic_body(object, out);
        return;
    case RECORD_PARTITION:
        partition_body(object, out);
        return;
    case RECORD_PRODUCER:
        producer_body(object, out);
        return;
    case RECORD_GROUP:
        group_body(object, out);
        return;
    case RECORD_OFFSETS:
        offset_page_body(object, out);
        return;
    case RECORD_QUOTA:
        quota_body(object, out);
        return;
    case RECORD_TXN:
        txn_body(object, out);
        return;
    case RECORD_ABORTED:
        aborted_body(object, out);
        return;
    case RECORD_CONSUMER:
        consumer_body(object, out);
        return;
    case RECORD_DOCUMENT:
        document_body(object, out);
        return;
    case RECORD_DOCUMENTS:
        buf_be64(out, ((const struct core *)object)->document_serial);
        return;
    case RECORD_TALLY:
        tally_body(object, out);
        return;
    case RECORD_END:
        break;
    }
    UNREACHABLE("a record that has no object");
}

static void record_write(struct cut *cut, enum record_kind kind, const void *object, struct buf *out)
{
    size_t start = out->len;
    buf_be32(out, 0);
    buf_u8(out, (uint8_t)kind);
    record_body(kind, object, out);
    if (out->failed) {
        return; // the caller sees it and gives the snapshot up
    }
    size_t body_start = start + SNAPSHOT_RECORD_HEAD_SIZE;
    size_t body_length = out->len - body_start;
    ASSERT(body_length <= UINT32_MAX);
    store_be32(out->ptr + start, (uint32_t)body_length);
    cut->record_count++;
    cut->hash += record_hash((uint8_t)kind, bytes_of(out->ptr + body_start, body_length));
}

// ---- saving before a change

// cut_is_open: the cut has no object yet that carries `snap_gen`.
static bool cut_is_open(const struct core *core, uint32_t snap_gen)
{
    return core->cut.is_active && snap_gen != core->cut.gen;
}

// was_deleted_before the running cut began.
static bool was_deleted_before(const struct core *core, bool is_deleted, uint32_t delete_gen)
{
    return is_deleted && delete_gen != core->cut.gen;
}

// cut_lacks: the cut must still get an object of this topic that carries `snap_gen`.
static bool cut_lacks(const struct core *core, const struct topic *topic, uint32_t snap_gen)
{
    return cut_is_open(core, snap_gen) && !was_deleted_before(core, topic->is_deleted, topic->delete_gen);
}

void topic_touch(struct core *core, struct topic *topic)
{
    if (cut_lacks(core, topic, topic->snap_gen)) {
        topic->snap_gen = core->cut.gen;
        record_write(&core->cut, RECORD_TOPIC, topic, &core->cut.saved);
    }
}

void partition_touch(struct core *core, struct partition *p)
{
    if (cut_lacks(core, p->topic, p->snap_gen)) {
        p->snap_gen = core->cut.gen;
        record_write(&core->cut, RECORD_PARTITION, p, &core->cut.saved);
        if (p->aborted_count > 0) {
            record_write(&core->cut, RECORD_ABORTED, p, &core->cut.saved);
        }
    }
}

void producer_touch(struct core *core, struct producer *producer)
{
    if (plant_is(PLANT_FORGET_PRODUCERS)) {
        return;
    }
    if (cut_lacks(core, producer->partition->topic, producer->snap_gen)) {
        producer->snap_gen = core->cut.gen;
        record_write(&core->cut, RECORD_PRODUCER, producer, &core->cut.saved);
    }
}

void group_touch(struct core *core, struct group *group)
{
    if (cut_is_open(core, group->snap_gen)) {
        group->snap_gen = core->cut.gen;
        record_write(&core->cut, RECORD_GROUP, group, &core->cut.saved);
        if (group->consumer != NULL) {
            record_write(&core->cut, RECORD_CONSUMER, group, &core->cut.saved);
        }
    }
}

void offset_page_touch(struct core *core, struct offset_page *page)
{
    if (plant_is(PLANT_FORGET_OFFSETS)) {
        return;
    }
    const struct group *group = page->group;
    if (cut_lacks(core, page->topic, page->snap_gen) &&
        !was_deleted_before(core, group->is_deleted, group->delete_gen)) {
        page->snap_gen = core->cut.gen;
        record_write(&core->cut, RECORD_OFFSETS, page, &core->cut.saved);
    }
}

void quota_touch(struct core *core, struct quota *quota)
{
    if (cut_is_open(core, quota->snap_gen)) {
        quota->snap_gen = core->cut.gen;
        record_write(&core->cut, RECORD_QUOTA, quota, &core->cut.saved);
    }
}

void txn_touch(struct core *core, struct txn *txn)
{
    if (cut_is_open(core, txn->snap_gen)) {
        txn->snap_gen = core->cut.gen;
        record_write(&core->cut, RECORD_TXN, txn, &core->cut.saved);
    }
}

void document_touch(struct core *core, struct document *document)
{
    if (cut_is_open(core, document->snap_gen)) {
        document->snap_gen = core->cut.gen;
        record_write(&core->cut, RECORD_DOCUMENT, document, &core->cut.saved);
    }
}

void tally_touch(struct core *core, struct tally *tally)
{
    if (plant_is(PLANT_FORGET_TALLIES)) {
        return;
    }
    if (cut_lacks(core, tally->topic, tally->snap_gen)) {
        tally->snap_gen = core->cut.gen;
        record_write(&core->cut, RECORD_TALLY, tally, &core->cut.saved);
    }
}

static struct producer *producer_after(const struct core *core, const struct list *node)
{
    return node->next == &core->producer_lru ? NULL : LIST_ENTRY(node->next, struct producer, in_lru);
}

void cut_producer_leaving(struct core *core, struct producer *producer)
{
    if (core->cut.is_active && core->cut.producer == producer) {
        core->cut.producer = producer_after(core, &producer->in_lru);
    }
}

static struct list *node_after(const struct list *head, const struct list *node)
{
    return node->next == head ? NULL : node->next;
}

static void cut_node_leaving(struct list **cursor, const struct list *head, const struct list *node)
{
    if (*cursor == node) {
        *cursor = node_after(head, node);
    }
}

void cut_group_leaving(struct core *core, struct group *group)
{
    cut_node_leaving(&core->cut.group, &core->group_list, &group->in_all);
}

void cut_offset_page_leaving(struct core *core, struct offset_page *page)
{
    cut_node_leaving(&core->cut.page, &core->offset_pages, &page->in_all);
}

void cut_quota_leaving(struct core *core, struct quota *quota)
{
    cut_node_leaving(&core->cut.quota, &core->quota_list, &quota->in_all);
}

void cut_txn_leaving(struct core *core, struct txn *txn)
{
    cut_node_leaving(&core->cut.txn, &core->txn_list, &txn->in_all);
}

void cut_tally_leaving(struct core *core, struct tally *tally)
{
    cut_node_leaving(&core->cut.tally, &core->tally_list, &tally->in_all);
}

// ---- the cut

void core_snapshot_begin(struct core *core)
{
    struct cut *cut = &core->cut;
    ASSERT(!cut->is_active);
    buf_reset(&cut->saved);
    cut->is_active = true;
    cut->gen++;
    cut->phase = CUT_TOPICS;
    cut->topic_name_len = 0;
    cut->slot = 0;
    cut->producer = producer_after(core, &core->producer_lru);
    cut->group = node_after(&core->group_list, &core->group_list);
    cut->page = node_after(&core->offset_pages, &core->offset_pages);
    cut->quota = node_after(&core->quota_list, &core->quota_list);
    cut->txn = node_after(&core->txn_list, &core->txn_list);
    cut->tally = node_after(&core->tally_list, &core->tally_list);
    cut->record_count = 0;
    cut->hash = 0;
    buf_append(&cut->saved, snapshot_magic, sizeof snapshot_magic);
    buf_be32(&cut->saved, SNAPSHOT_VERSION);
    record_write(cut, RECORD_HEAD, core, &cut->saved);
    cut->document_revision = 0;
    cut->document_revision_end = core->document_serial;
    if (core->document_serial > 0) {
        record_write(cut, RECORD_DOCUMENTS, core, &cut->saved);
    }
}

void core_snapshot_abort(struct core *core)
{
    core->cut.is_active = false;
    core->cut.producer = NULL;
    core->cut.group = core->cut.page = core->cut.quota = core->cut.txn = core->cut.tally = NULL;
    buf_fini(&core->cut.saved);
}

// The walks save through the touches, so that there is one rule for what the cut has. They are false at the
// end of their phase.

static bool cut_topic_next(struct core *core)
{
    struct cut *cut = &core->cut;
    struct str last = {cut->topic_name, cut->topic_name_len};
    uint32_t at = core_topic_lower_bound(core, last);
    if (at < core->topic_count && str_equal(topic_name(core->topics[at]), last)) {
        at++;
    }
    if (at == core->topic_count) {
        return false;
    }
    struct topic *topic = core->topics[at];
    cut->topic_name_len = topic->name_len;
    memcpy(cut->topic_name, topic->name, topic->name_len);
    topic_touch(core, topic);
    return true;
}

static bool cut_partition_next(struct core *core)
{
    struct cut *cut = &core->cut;
    if (cut->slot >= core->slot_count) {
        return false;
    }
    struct partition *p = core->slots[cut->slot++];
    if (p != NULL) {
        partition_touch(core, p);
    }
    return true;
}

static bool cut_producer_next(struct core *core)
{
    struct cut *cut = &core->cut;
    if (cut->producer == NULL) {
        return false;
    }
    struct producer *producer = cut->producer;
    cut->producer = producer_after(core, &producer->in_lru);
    producer_touch(core, producer);
    return true;
}

// cut_node_take gives the next object of a list and moves on; NULL at its end.
static struct list *cut_node_take(struct list **cursor, const struct list *head)
{
    struct list *node = *cursor;
    if (node != NULL) {
        *cursor = node_after(head, node);
    }
    return node;
}

static bool cut_group_next(struct core *core)
{
    struct list *node = cut_node_take(&core->cut.group, &core->group_list);
    if (node != NULL) {
        group_touch(core, LIST_ENTRY(node, struct group, in_all));
    }
    return node != NULL;
}

static bool cut_offset_page_next(struct core *core)
{
    struct list *node = cut_node_take(&core->cut.page, &core->offset_pages);
    if (node != NULL) {
        offset_page_touch(core, LIST_ENTRY(node, struct offset_page, in_all));
    }
    return node != NULL;
}

static bool cut_quota_next(struct core *core)
{
    struct list *node = cut_node_take(&core->cut.quota, &core->quota_list);
    if (node != NULL) {
        quota_touch(core, LIST_ENTRY(node, struct quota, in_all));
    }
    return node != NULL;
}

static bool cut_txn_next(struct core *core)
{
    struct list *node = cut_node_take(&core->cut.txn, &core->txn_list);
    if (node != NULL) {
        txn_touch(core, LIST_ENTRY(node, struct txn, in_all));
    }
    return node != NULL;
}

// A document that was put again since was saved then, and stands behind the end of the cut.
static bool cut_document_next(struct core *core)
{
    struct cut *cut = &core->cut;
    struct document *document = core_document_after(core, cut->document_revision);
    if (document == NULL || document->revision > cut->document_revision_end) {
        return false;
    }
    cut->document_revision = document->revision;
    document_touch(core, document);
    return true;
}

static bool cut_tally_next(struct core *core)
{
    struct list *node = cut_node_take(&core->cut.tally, &core->tally_list);
    if (node != NULL) {
        tally_touch(core, LIST_ENTRY(node, struct tally, in_all));
    }
    return node != NULL;
}

static bool cut_next(struct core *core)
{
    struct cut *cut = &core->cut;
    bool is_more = false;
    switch (cut->phase) {
    case CUT_TOPICS:
        is_more = cut_topic_next(core);
        break;
    case CUT_PARTITIONS:
        is_more = cut_partition_next(core);
        break;
    case CUT_PRODUCERS:
        is_more = cut_producer_next(core);
        break;
    case CUT_GROUPS:
        is_more = cut_group_next(core);
        break;
    case CUT_OFFSETS:
        is_more = cut_offset_page_next(core);
        break;
    case CUT_QUOTAS:
        is_more = cut_quota_next(core);
        break;
    case CUT_TXNS:
        is_more = cut_txn_next(core);
        break;
    case CUT_DOCUMENTS:
        is_more = cut_document_next(core);
        break;
    case CUT_TALLIES:
        is_more = cut_tally_next(core);
        break;
    case CUT_END:
        return false;
    }
    if (!is_more) {
        cut->phase++;
    }
    return cut->phase != CUT_END;
}

static void cut_end(struct core *core, struct buf *out)
{
    buf_be32(out, 16);
    buf_u8(out, RECORD_END);
    buf_be64(out, core->cut.record_count);
    buf_be64(out, core->cut.hash);
    core->cut.is_active = false;
    buf_fini(&core->cut.saved);
}

bool core_snapshot_step(struct core *core, uint32_t max_objects, struct buf *out)
{
    struct cut *cut = &core->cut;
    ASSERT(cut->is_active);
    bool is_more = true;
    for (uint32_t i = 0; is_more && i < max_objects && cut->saved.len < SNAPSHOT_STEP_BYTES; i++) {
        is_more = cut_next(core);
    }
    buf_append(out, cut->saved.ptr, cut->saved.len);
    buf_reset(&cut->saved);
    if (cut->saved.cap > SNAPSHOT_KEEP_BYTES) {
        buf_fini(&cut->saved);
    }
    if (!is_more) {
        cut_end(core, out);
    }
    return !is_more;
}

// ---- the hash

static void hash_add(struct cut *sum, enum record_kind kind, const void *object, struct buf *scratch)
{
    buf_reset(scratch);
    record_write(sum, kind, object, scratch);
}

uint64_t core_state_hash(const struct core *core)
{
    struct cut sum = {0};
    struct buf scratch;
    buf_init(&scratch, SIZE_MAX / 2);
    hash_add(&sum, RECORD_HEAD, core, &scratch);
    for (uint32_t t = 0; t < core->topic_count; t++) {
        const struct topic *topic = core->topics[t];
        hash_add(&sum, RECORD_TOPIC, topic, &scratch);
        for (int32_t i = 0; i < topic->partition_count; i++) {
            hash_add(&sum, RECORD_PARTITION, topic->partitions[i], &scratch);
            if (topic->partitions[i]->aborted_count > 0) {
                hash_add(&sum, RECORD_ABORTED, topic->partitions[i], &scratch);
            }
        }
    }
    LIST_EACH (node, &core->producer_lru) {
        const struct producer *producer = LIST_ENTRY(node, struct producer, in_lru);
        if (!producer->partition->topic->is_deleted && !plant_is(PLANT_FORGET_PRODUCERS)) {
            hash_add(&sum, RECORD_PRODUCER, producer, &scratch);
        }
    }
    for (uint32_t i = 0; i < core->group_count; i++) {
        hash_add(&sum, RECORD_GROUP, core->groups[i], &scratch);
        if (core->groups[i]->consumer != NULL) {
            hash_add(&sum, RECORD_CONSUMER, core->groups[i], &scratch);
        }
    }
    LIST_EACH (node, &core->offset_pages) {
        const struct offset_page *page = LIST_ENTRY(node, struct offset_page, in_all);
        if (!offset_page_is_dead(page) && !plant_is(PLANT_FORGET_OFFSETS)) {
            hash_add(&sum, RECORD_OFFSETS, page, &scratch);
        }
    }
    for (uint32_t i = 0; i < core->quota_count; i++) {
        hash_add(&sum, RECORD_QUOTA, core->quotas[i], &scratch);
    }
    for (uint32_t i = 0; i < core->txn_count; i++) {
        hash_add(&sum, RECORD_TXN, core->txns[i], &scratch);
    }
    for (uint32_t i = 0; i < core->document_places; i++) {
        if (core->documents[i] != NULL) {
            hash_add(&sum, RECORD_DOCUMENT, core->documents[i], &scratch);
        }
    }
    if (core->document_serial > 0) {
        hash_add(&sum, RECORD_DOCUMENTS, core, &scratch);
    }
    LIST_EACH (node, &core->tally_list) {
        const struct tally *tally = LIST_ENTRY(node, struct tally, in_all);
        if (!tally->topic->is_deleted && !plant_is(PLANT_FORGET_TALLIES)) {
            hash_add(&sum, RECORD_TALLY, tally, &scratch);
        }
    }
    buf_fini(&scratch);
    return sum.hash;
}
