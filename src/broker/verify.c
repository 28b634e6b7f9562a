// SPDX-License-Identifier: Apache-2.0
// verify.c - batches against the rules of their topics: at once, or in slices of the loop's rounds where it
// is much. What comes of it is the part's: an error with its bad records, or timestamps as they are stored.
#include "base/assert.h"
#include "broker/broker_private.h"

static void part_keep_bad_records(struct produce_op *op, struct produce_part *part,
                                  const struct batch_facts *facts)
{
    int32_t count = facts->bad_count < BAD_RECORDS_MAX ? facts->bad_count : BAD_RECORDS_MAX;
    part->bad_records = count == 0 ? NULL : arena_new(op->arena, struct policy_bad_record, (size_t)count);
    part->bad_record_count = part->bad_records == NULL ? 0 : count;
    for (int32_t i = 0; i < part->bad_record_count; i++) {
        part->bad_records[i].index = facts->bad_records[i].index;
        part->bad_records[i].text = arena_str(op->arena, str_from_c(facts->bad_records[i].text));
    }
}

static struct batch_rules rules_of(struct produce_op *op, const struct topic_settings *settings)
{
    return (struct batch_rules){
        .batch_bytes_max = (size_t)settings->max_message_bytes,
        .now_ms = clock_wall_ms(op->broker->env->clock),
        .timestamp_before_max_ms = settings->timestamp_before_max_ms,
        .timestamp_after_max_ms = settings->timestamp_after_max_ms,
        .is_log_append_time = settings->timestamp_type == TIMESTAMP_LOG_APPEND,
        .is_compacted = settings->is_compacted,
        .is_zstd_allowed = op->is_zstd_allowed,
    };
}

static void header_read(struct produce_part *part)
{
    enum err err = batch_header_read(part->batch, &part->header, NULL);
    ASSERT(err == ERR_OK); // it was checked
}

// part_checked settles the timestamps of a batch that was found good.
static void part_checked(struct produce_part *part, const struct batch_rules *rules,
                         const struct batch_facts *facts)
{
    uint8_t *bytes = (uint8_t *)part->batch.ptr;
    header_read(part);
    part->crc_came = part->header.crc;
    if (rules->is_log_append_time) {
        part->log_append_time_ms = rules->now_ms;
        batch_set_log_append_time(bytes, rules->now_ms);
    } else if (facts->is_max_timestamp_wrong) {
        batch_fix_max_timestamp(bytes, facts->max_timestamp);
    }
    header_read(part);
    part->is_checked = true;
}

// part_opened takes over what a check in slices came to.
static void part_opened(struct produce_op *op, struct produce_part *part, const struct produce_topic *topic,
                        struct opening *opening)
{
    const struct batch_checking *checking = &opening->checking;
    if (!part->is_checked) {
        part_checked(part, &checking->rules, &checking->facts);
    }
    if (topic->settings.is_governed) {
        governed_open(op, part, topic, opening);
    }
}

// is_full: as much is held as may be, by records that are judged and by batches that are being opened. Either
// goes on without this.
static bool is_full(const struct broker_port *port)
{
    size_t rooms = port->openings[0].room.cap + port->openings[1].room.cap;
    return port->opened_bytes + rooms >= OPENED_BYTES_MAX;
}

// One of a port after the other, and those that came as little do not wait for large ones. What a little one
// decompresses to may be much as well.
enum policy_step produce_part_open(struct produce_op *op, struct produce_part *part,
                                   const struct produce_topic *topic)
{
    bool is_large = part->batch.len > OPEN_SMALL_MAX;
    struct opening *opening = &op->port->openings[is_large];
    struct batch_checking *checking = &opening->checking;
    struct error error = {0};
    enum err err = ERR_OK;
    if ((opening->part != NULL && opening->part != part) || !judge_has_slice(op->port)) {
        return POLICY_MORE;
    }
    bool is_governed = topic->settings.is_governed;
    if (opening->part == NULL && is_full(op->port)) {
        return POLICY_MORE; // what is held is judged first, or waits for a load that comes
    }
    if (opening->part == NULL) {
        const struct batch_rules rules = rules_of(op, &topic->settings);
        enum checking_kind kind = !is_governed       ? CHECKING_ONLY
                                  : part->is_checked ? CHECKING_DECOMPRESSES
                                                     : CHECKING_KEEPS;
        opening->part = part;
        checking->facts.bad_count = 0;
        err = batch_checking_begin(checking, &opening->codec, part->batch, &rules, kind, &opening->room,
                                   &error);
    }
    bool is_done = false;
    while (err == ERR_OK && !is_done) {
        err = batch_checking_step(checking, POLICY_SLICE_BYTES, &is_done, &error);
        if (err == ERR_OK && !is_done && !judge_has_slice(op->port)) {
            return POLICY_MORE;
        }
    }
    batch_checking_end(checking);
    opening->part = NULL;
    if (err != ERR_OK) {
        produce_part_fail(part, err, error.text);
        part_keep_bad_records(op, part, &checking->facts);
    } else {
        part_opened(op, part, topic, opening);
    }
    judge_room_clear(&opening->room);
    return POLICY_JUDGED;
}

// is_much: to check the batch takes long, as far as its header tells.
static bool is_much(const struct produce_part *part)
{
    struct batch_header h;
    if (part->batch.len <= OPEN_SMALL_MAX || batch_header_read(part->batch, &h, NULL) != ERR_OK) {
        return false;
    }
    return part->batch.len > CHECK_AT_ONCE_BYTES || batch_codec(&h) != CODEC_NONE;
}

static bool is_compressed(const struct produce_part *part)
{
    struct batch_header h;
    return batch_header_read(part->batch, &h, NULL) == ERR_OK && batch_codec(&h) != CODEC_NONE;
}

// check_may: the batch may be checked at once. After some that are small by themselves the clock is looked
// at: those of one request, and those that came compressed, of whichever.
static bool check_may(struct produce_op *op, const struct produce_part *part)
{
    struct broker_port *port = op->port;
    bool is_much_expanded = port->expanded_bytes > CHECK_LOOK_BYTES && is_compressed(part);
    if (op->checked_bytes <= CHECK_LOOK_BYTES && !is_much_expanded) {
        return true;
    }
    if (!judge_has_slice(port)) {
        return false;
    }
    op->checked_bytes = port->expanded_bytes = 0;
    return true;
}

enum policy_step produce_part_check(struct produce_op *op, struct produce_part *part,
                                    const struct produce_topic *topic)
{
    static const struct codec_limits at_once = {CHECK_AT_ONCE_BYTES, SIZE_MAX, CHECK_AT_ONCE_BYTES};
    if (!check_may(op, part)) {
        return POLICY_MORE;
    }
    part->is_sliced = part->is_sliced || is_much(part);
    if (part->is_sliced) {
        return produce_part_open(op, part, topic);
    }
    op->checked_bytes += part->batch.len;
    struct batch_rules rules = rules_of(op, &topic->settings);
    rules.codec_limits = &at_once;
    struct batch_facts facts;
    facts.bad_count = 0;
    struct error error = {0};
    enum err err = batch_check(&op->port->codec, part->batch, &rules, &facts, &error);
    op->port->expanded_bytes += is_compressed(part) ? facts.walked_bytes : 0;
    if (err == ERR_BATCH_TOO_LARGE) { // most likely only for this
        part->is_sliced = true;
        return produce_part_open(op, part, topic);
    }
    if (err != ERR_OK) {
        produce_part_fail(part, err, error.text);
        part_keep_bad_records(op, part, &facts);
        return POLICY_JUDGED;
    }
    part_checked(part, &rules, &facts);
    return POLICY_JUDGED;
}
