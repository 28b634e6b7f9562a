// SPDX-License-Identifier: Apache-2.0
#include "core/core_private.h"

const char *item_kind_name(enum item_kind kind)
{
    switch (kind) {
    case ITEM_DATA:
        return "DATA";
    case ITEM_TOPIC_CREATE:
        return "TOPIC_CREATE";
    case ITEM_TOPIC_DELETE:
        return "TOPIC_DELETE";
    case ITEM_PARTITIONS_ADD:
        return "PARTITIONS_ADD";
    case ITEM_CONFIG_SET:
        return "CONFIG_SET";
    case ITEM_PRODUCER_ID:
        return "PRODUCER_ID";
    case ITEM_TRIM:
        return "TRIM";
    case ITEM_REPLACE:
        return "REPLACE";
    case ITEM_TICK:
        return "TICK";
    case ITEM_EPOCH_RAISE:
        return "EPOCH_RAISE";
    case ITEM_GROUP_SET:
        return "GROUP_SET";
    case ITEM_GROUP_DELETE:
        return "GROUP_DELETE";
    case ITEM_OFFSET_COMMIT:
        return "OFFSET_COMMIT";
    case ITEM_OFFSET_DELETE:
        return "OFFSET_DELETE";
    case ITEM_QUOTA_SET:
        return "QUOTA_SET";
    case ITEM_TXN_INIT:
        return "TXN_INIT";
    case ITEM_TXN_ADD:
        return "TXN_ADD";
    case ITEM_TXN_OFFSETS:
        return "TXN_OFFSETS";
    case ITEM_TXN_END:
        return "TXN_END";
    case ITEM_CONSUMER_SET:
        return "CONSUMER_SET";
    case ITEM_DOCUMENTS:
        return "DOCUMENTS";
    }
    return "UNKNOWN";
}

static void topic_print(struct uuid id, struct buf *out)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    buf_printf(out, " topic=%s", text);
}

// text_print keeps a line one line and a terminal safe.
static void text_print(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (c < 0x20 || c >= 0x7f || c == '\\') {
            buf_printf(out, "\\x%02x", c);
        } else {
            buf_u8(out, c);
        }
    }
}

static void configs_print(const struct item_config *configs, uint32_t count, struct buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_u8(out, ' ');
        text_print(configs[i].key, out);
        buf_u8(out, '=');
        text_print(configs[i].value, out);
    }
}

static void extents_print(const char *label, const struct extent *extents, uint32_t count, struct buf *out)
{
    buf_printf(out, " %s=[", label);
    for (uint32_t i = 0; i < count; i++) {
        const struct extent *x = &extents[i];
        buf_printf(out, "%s%lld..%lld@%llu+%lld", i == 0 ? "" : " ", (long long)x->base_offset,
                   (long long)x->end_offset, (unsigned long long)x->object, (long long)x->position);
        if (x->length > 0) {
            buf_printf(out, ":%u", x->length);
        }
    }
    buf_u8(out, ']');
}

static void data_print(const struct item_data *d, struct buf *out)
{
    topic_print(d->topic_id, out);
    buf_printf(out, " partition=%d span=%d records=%d bytes=%u at=%u max_timestamp=%lld attributes=0x%x",
               d->partition, d->offset_span, d->record_count, d->payload_length, d->payload_position,
               (long long)d->max_timestamp, (unsigned)(uint16_t)d->attributes);
    if (d->producer_id >= 0) {
        buf_printf(out, " producer=%lld epoch=%d sequence=%d", (long long)d->producer_id, d->producer_epoch,
                   d->base_sequence);
    }
    if (d->verdict_lsn != 0) {
        buf_printf(out, " verdict=%llu", (unsigned long long)d->verdict_lsn);
    }
    if ((d->flags & DATA_JUDGED) != 0) {
        data_judged_print(d, out);
    }
}

// label_print leaves out what is null.
static void label_print(const char *label, struct str text, struct buf *out)
{
    if (text.ptr != NULL) {
        buf_printf(out, " %s=", label);
        text_print(text, out);
    }
}

static void group_set_print(const struct item_group_set *set, struct buf *out)
{
    label_print("group", set->group_id, out);
    buf_printf(out, " generation=%d expected=%d", set->generation, set->expected_generation);
    label_print("type", set->protocol_type, out);
    label_print("protocol", set->protocol_name, out);
    label_print("leader", set->leader, out);
    buf_printf(out, " members=[");
    for (uint32_t i = 0; i < set->member_count; i++) {
        const struct item_member *m = &set->members[i];
        buf_printf(out, "%s", i == 0 ? "" : "; ");
        text_print(m->member_id, out);
        label_print("instance", m->instance_id, out);
        label_print("client", m->client_id, out);
        label_print("host", m->client_host, out);
        buf_printf(out, " session_ms=%d rebalance_ms=%d subscription=%zu assignment=%zu",
                   m->session_timeout_ms, m->rebalance_timeout_ms, m->subscription.len, m->assignment.len);
    }
    buf_u8(out, ']');
}

static void offset_name_print(uint32_t index, struct uuid topic_id, int32_t partition, struct buf *out)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(topic_id, text);
    buf_printf(out, "%s%s/%d", index == 0 ? "" : " ", text, partition);
}

static void offset_commit_print(const struct item_offset_commit *commit, struct buf *out)
{
    label_print("group", commit->group_id, out);
    buf_printf(out, " generation=%d", commit->generation);
    label_print("member", commit->member_id, out);
    buf_printf(out, " offsets=[");
    for (uint32_t i = 0; i < commit->offset_count; i++) {
        const struct item_offset *o = &commit->offsets[i];
        offset_name_print(i, o->topic_id, o->partition, out);
        buf_printf(out, "=%lld", (long long)o->offset);
        if (o->leader_epoch >= 0) {
            buf_printf(out, " epoch=%d", o->leader_epoch);
        }
        if (o->retention_ms >= 0) {
            buf_printf(out, " retention_ms=%lld", (long long)o->retention_ms);
        }
        if (o->metadata.len > 0) {
            label_print("metadata", o->metadata, out);
        }
    }
    buf_u8(out, ']');
}

static void offset_delete_print(const struct item_offset_delete *delete, struct buf *out)
{
    label_print("group", delete->group_id, out);
    buf_printf(out, " expected=%d", delete->expected_generation);
    if (delete->cutoff_ms != INT64_MAX) {
        buf_printf(out, " cutoff_ms=%lld", (long long)delete->cutoff_ms);
    }
    buf_printf(out, " offsets=[");
    for (uint32_t i = 0; i < delete->name_count; i++) {
        offset_name_print(i, delete->names[i].topic_id, delete->names[i].partition, out);
    }
    buf_u8(out, ']');
}

static void quota_set_print(const struct item_quota_set *set, struct buf *out)
{
    static const char *const types[] = {"user", "client-id", "ip"};
    for (uint32_t i = 0; i < set->part_count; i++) {
        bool is_default = set->parts[i].name.ptr == NULL;
        label_print(types[set->parts[i].type], is_default ? STR("(default)") : set->parts[i].name, out);
    }
    buf_printf(out, " revision=%llu", (unsigned long long)set->expected_revision);
    for (uint32_t i = 0; i < set->value_count; i++) {
        buf_u8(out, ' ');
        text_print(set->values[i].key, out);
        buf_printf(out, "=%.17g", set->values[i].value);
    }
}

static void producer_print(const char *label, int64_t producer_id, int16_t epoch, struct buf *out)
{
    buf_printf(out, " %s=%lld:%d", label, (long long)producer_id, epoch);
}

static void txn_add_print(const struct item_txn_add *add, struct buf *out)
{
    label_print("txn", add->txn_id, out);
    producer_print("producer", add->producer_id, add->producer_epoch, out);
    buf_printf(out, " partitions=[");
    for (uint32_t i = 0; i < add->partition_count; i++) {
        offset_name_print(i, add->partitions[i].topic_id, add->partitions[i].partition, out);
    }
    buf_u8(out, ']');
    for (uint32_t i = 0; i < add->group_count; i++) {
        label_print("group", add->groups[i], out);
    }
}

static void consumer_set_print(const struct item_consumer_set *set, struct buf *out)
{
    label_print("group", set->group_id, out);
    buf_printf(out, " expected=%d/%llu generation=%d gone=[", set->expected_generation,
               (unsigned long long)set->expected_revision, set->generation);
    for (uint32_t i = 0; i < set->gone_count; i++) {
        label_print("member", set->gone[i], out);
    }
    buf_printf(out, "] members=[");
    for (uint32_t i = 0; i < set->member_count; i++) {
        const struct item_consumer_member *m = &set->members[i];
        label_print("member", m->member_id, out);
        if ((m->parts & CONSUMER_METADATA) != 0) {
            buf_printf(out, " metadata=%zu bytes", m->metadata.len);
        }
        if ((m->parts & CONSUMER_TARGET) != 0) {
            buf_printf(out, " target=%zu bytes", m->target.len);
        }
        if ((m->parts & CONSUMER_CURRENT) != 0) {
            buf_printf(out, " epoch=%d current=%zu bytes", m->epoch, m->current.len);
        }
    }
    buf_u8(out, ']');
}

void item_print(const struct item *item, struct buf *out)
{
    buf_printf(out, "%s", item_kind_name(item->kind));
    switch (item->kind) {
    case ITEM_DATA:
        data_print(&item->data, out);
        break;
    case ITEM_TOPIC_CREATE:
        topic_print(item->topic_create.topic_id, out);
        buf_printf(out, " name=");
        text_print(item->topic_create.name, out);
        buf_printf(out, " partitions=%d", item->topic_create.partition_count);
        configs_print(item->topic_create.configs, item->topic_create.config_count, out);
        break;
    case ITEM_TOPIC_DELETE:
        topic_print(item->topic_delete.topic_id, out);
        break;
    case ITEM_PARTITIONS_ADD:
        topic_print(item->partitions_add.topic_id, out);
        buf_printf(out, " partitions=%d expected=%d", item->partitions_add.partition_count,
                   item->partitions_add.expected_count);
        break;
    case ITEM_CONFIG_SET:
        if (uuid_is_zero(item->config_set.topic_id)) {
            buf_printf(out, " broker");
        } else {
            topic_print(item->config_set.topic_id, out);
        }
        buf_printf(out, " revision=%llu", (unsigned long long)item->config_set.expected_revision);
        configs_print(item->config_set.configs, item->config_set.config_count, out);
        break;
    case ITEM_TRIM:
        topic_print(item->trim.topic_id, out);
        buf_printf(out, " partition=%d log_start=%lld", item->trim.partition,
                   (long long)item->trim.log_start_offset);
        break;
    case ITEM_REPLACE:
        topic_print(item->replace.topic_id, out);
        buf_printf(out, " partition=%d", item->replace.partition);
        extents_print("old", item->replace.old_extents, item->replace.old_count, out);
        extents_print("fresh", item->replace.fresh_extents, item->replace.fresh_count, out);
        break;
    case ITEM_GROUP_SET:
        group_set_print(&item->group_set, out);
        break;
    case ITEM_GROUP_DELETE:
        label_print("group", item->group_delete.group_id, out);
        buf_printf(out, "%s", item->group_delete.must_be_bare ? " must_be_bare" : "");
        break;
    case ITEM_OFFSET_COMMIT:
        offset_commit_print(&item->offset_commit, out);
        break;
    case ITEM_OFFSET_DELETE:
        offset_delete_print(&item->offset_delete, out);
        break;
    case ITEM_QUOTA_SET:
        quota_set_print(&item->quota_set, out);
        break;
    case ITEM_TXN_INIT:
        label_print("txn", item->txn_init.txn_id, out);
        buf_printf(out, " timeout_ms=%d", item->txn_init.timeout_ms);
        if (item->txn_init.expected_producer_id >= 0) {
            producer_print("expected", item->txn_init.expected_producer_id, item->txn_init.expected_epoch,
                           out);
        }
        break;
    case ITEM_TXN_ADD:
        txn_add_print(&item->txn_add, out);
        break;
    case ITEM_TXN_OFFSETS:
        label_print("txn", item->txn_offsets.txn_id, out);
        producer_print("producer", item->txn_offsets.producer_id, item->txn_offsets.producer_epoch, out);
        buf_printf(out, "%s", item->txn_offsets.adds ? " adds" : "");
        offset_commit_print(&item->txn_offsets.commit, out);
        break;
    case ITEM_TXN_END:
        label_print("txn", item->txn_end.txn_id, out);
        producer_print("producer", item->txn_end.producer_id, item->txn_end.producer_epoch, out);
        buf_printf(out, "%s%s%s", item->txn_end.is_commit ? " commit" : " abort",
                   item->txn_end.bumps ? " bumps" : "", item->txn_end.is_forced ? " forced" : "");
        break;
    case ITEM_CONSUMER_SET:
        consumer_set_print(&item->consumer_set, out);
        break;
    case ITEM_DOCUMENTS:
        documents_print(&item->documents, out);
        break;
    case ITEM_PRODUCER_ID:
    case ITEM_TICK:
    case ITEM_EPOCH_RAISE:
        break;
    }
    if (item->depends_on != 0) {
        buf_printf(out, " depends_on=%u", item->depends_on);
    }
    buf_u8(out, '\n');
}
