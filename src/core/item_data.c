// SPDX-License-Identifier: Apache-2.0
// item_data.c - the bytes of DATA, all versions. The second one says which verdict let the batch in, the
// third one how its records are counted.
#include "core/core_private.h"

enum {
    CONDITION_SIZE_MIN = 2 + 8,
    TARGET_SIZE = 16 + 4,
    TALLY_SIZE_MIN = 2 + 1 + 4,
    JUDGED_FIXED_MAX = 8 + 2 + 2,
    TALLIES_FIXED_MAX = 2 + 2,
};

static void key_encode(struct bytes key, struct buf *out)
{
    out->failed = out->failed || key.len > ITEM_TALLY_KEY_MAX;
    buf_be16(out, (uint16_t)key.len);
    buf_append(out, key.ptr, key.len);
}

static void tallies_encode(const struct item_data *data, struct buf *out)
{
    if (data->tally_count > ITEM_DATA_TALLIES_MAX) {
        out->failed = true;
        return;
    }
    buf_be16(out, (uint16_t)data->tally_count);
    key_encode(data->tally_who, out);
    for (uint32_t i = 0; i < data->tally_count; i++) {
        const struct item_tally *tally = &data->tallies[i];
        key_encode(tally->what, out);
        buf_u8(out, tally->kind);
        buf_be32(out, tally->count);
    }
}

static void judged_encode(const struct item_data *data, struct buf *out)
{
    if (data->condition_count > ITEM_DATA_CONDITIONS_MAX || data->target_count > ITEM_DATA_TARGETS_MAX) {
        out->failed = true;
        return;
    }
    buf_be64(out, data->config_revision);
    buf_be16(out, (uint16_t)data->condition_count);
    for (uint32_t i = 0; i < data->condition_count; i++) {
        condition_encode(&data->conditions[i], out);
    }
    buf_be16(out, (uint16_t)data->target_count);
    for (uint32_t i = 0; i < data->target_count; i++) {
        buf_uuid(out, data->targets[i].topic_id);
        buf_be32(out, (uint32_t)data->targets[i].partition);
    }
}

void data_encode(const struct item_data *data, uint8_t version, struct buf *out)
{
    buf_uuid(out, data->topic_id);
    buf_be32(out, (uint32_t)data->partition);
    buf_be64(out, (uint64_t)data->producer_id);
    buf_be16(out, (uint16_t)data->producer_epoch);
    buf_be16(out, (uint16_t)data->attributes);
    buf_be32(out, (uint32_t)data->base_sequence);
    buf_be32(out, (uint32_t)data->offset_span);
    buf_be32(out, (uint32_t)data->record_count);
    buf_be64(out, (uint64_t)data->max_timestamp);
    buf_be32(out, data->payload_position);
    buf_be32(out, data->payload_length);
    if (version < 2) {
        buf_be64(out, data->verdict_lsn);
        return;
    }
    buf_u8(out, data->flags);
    if ((data->flags & DATA_JUDGED) != 0) {
        judged_encode(data, out);
        if (version >= 3) {
            tallies_encode(data, out);
        }
    }
}

static struct bytes key_decode(struct reader *r)
{
    size_t length = (uint16_t)reader_i16(r);
    r->failed = r->failed || length > ITEM_TALLY_KEY_MAX;
    const uint8_t *key = reader_take(r, length);
    return bytes_of(key, r->failed ? 0 : length);
}

static void tallies_decode(struct reader *r, struct arena *arena, struct item_data *ret)
{
    uint32_t count = (uint16_t)reader_i16(r);
    ret->tally_who = key_decode(r);
    if (!count_is_possible(r, count, ITEM_DATA_TALLIES_MAX, TALLY_SIZE_MIN)) {
        r->failed = true;
        return;
    }
    ret->tallies = arena_new(arena, struct item_tally, count + 1);
    r->failed = r->failed || ret->tallies == NULL;
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        struct item_tally *tally = &ret->tallies[i];
        tally->what = key_decode(r);
        tally->kind = (uint8_t)reader_i8(r);
        tally->count = reader_u32(r);
        r->failed = r->failed || tally->kind >= TALLY_KINDS || tally->count == 0;
    }
    ret->tally_count = count;
}

static void judged_decode(struct reader *r, struct arena *arena, struct item_data *ret)
{
    ret->config_revision = (uint64_t)reader_i64(r);
    uint32_t count = (uint16_t)reader_i16(r);
    if (!count_is_possible(r, count, ITEM_DATA_CONDITIONS_MAX, CONDITION_SIZE_MIN)) {
        r->failed = true;
        return;
    }
    ret->conditions = arena_new(arena, struct item_condition, count + 1);
    r->failed = r->failed || ret->conditions == NULL;
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        condition_decode(r, &ret->conditions[i]);
    }
    ret->condition_count = count;
    count = (uint16_t)reader_i16(r);
    if (!count_is_possible(r, count, ITEM_DATA_TARGETS_MAX, TARGET_SIZE)) {
        r->failed = true;
        return;
    }
    ret->targets = arena_new(arena, struct item_target, count + 1);
    r->failed = r->failed || ret->targets == NULL;
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        ret->targets[i].topic_id = reader_uuid(r);
        ret->targets[i].partition = reader_i32(r);
    }
    ret->target_count = count;
}

void data_decode(struct reader *r, struct arena *arena, uint8_t version, struct item_data *ret)
{
    ret->topic_id = reader_uuid(r);
    ret->partition = reader_i32(r);
    ret->producer_id = reader_i64(r);
    ret->producer_epoch = reader_i16(r);
    ret->attributes = reader_i16(r);
    ret->base_sequence = reader_i32(r);
    ret->offset_span = reader_i32(r);
    ret->record_count = reader_i32(r);
    ret->max_timestamp = reader_i64(r);
    ret->payload_position = reader_u32(r);
    ret->payload_length = reader_u32(r);
    if (version < 2) {
        ret->verdict_lsn = (uint64_t)reader_i64(r);
        return;
    }
    ret->flags = (uint8_t)reader_i8(r);
    r->failed = r->failed || (ret->flags & ~(DATA_JUDGED | DATA_REFUSED)) != 0;
    if ((ret->flags & DATA_JUDGED) != 0) {
        judged_decode(r, arena, ret);
        if (version >= 3) {
            tallies_decode(r, arena, ret);
        }
    }
}

size_t data_encoded_max(const struct item_data *data)
{
    size_t size = JUDGED_FIXED_MAX + (size_t)data->target_count * TARGET_SIZE;
    for (uint32_t i = 0; i < data->condition_count; i++) {
        size += CONDITION_SIZE_MIN + data->conditions[i].key.len;
    }
    size += TALLIES_FIXED_MAX + data->tally_who.len;
    for (uint32_t i = 0; i < data->tally_count; i++) {
        size += TALLY_SIZE_MIN + data->tallies[i].what.len;
    }
    return size;
}

static const char *const kind_names[TALLY_FINDING] = {"passed", "observed", "marked", "dead_lettered",
                                                      "refused"};

void data_judged_print(const struct item_data *data, struct buf *out)
{
    bool is_refused = (data->flags & DATA_REFUSED) != 0;
    buf_printf(out, " %s config_revision=%llu", is_refused ? "refused" : "judged",
               (unsigned long long)data->config_revision);
    conditions_print(data->conditions, data->condition_count, out);
    for (uint32_t i = 0; i < data->target_count; i++) {
        char text[UUID_TEXT_SIZE];
        uuid_format(data->targets[i].topic_id, text);
        buf_printf(out, " letters=%s/%d", text, data->targets[i].partition);
    }
    for (uint32_t i = 0; i < data->tally_count; i++) {
        const struct item_tally *tally = &data->tallies[i];
        buf_printf(out, " %s%s=%u", tally->kind < TALLY_FINDING ? "" : "found_",
                   kind_names[tally->kind % TALLY_FINDING], tally->count);
    }
}
