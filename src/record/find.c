// SPDX-License-Identifier: Apache-2.0
// find.c - searches by timestamp within one batch; keys and values are skipped, not gathered.
#include "record/record_private.h"

// find_scan stops at the first record with timestamp >= target, or notes the first of the largest timestamp.
static enum err find_scan(struct record_source *s, const struct batch_header *h, const int64_t *target,
                          int64_t *ret_offset, int64_t *ret_timestamp, struct error *e)
{
    int64_t offset = -1;
    int64_t timestamp = BATCH_NO_TIMESTAMP;
    for (int32_t i = 0; i < h->record_count; i++) {
        struct record_walk walk;
        if (!record_source_walk(s, h, false, &walk)) {
            error_wrap(&s->error, "record %d", i);
            break;
        }
        if (target != NULL ? walk.timestamp >= *target : offset < 0 || walk.timestamp > timestamp) {
            offset = h->base_offset + walk.offset_delta;
            timestamp = walk.timestamp;
        }
        // LogAppendTime: the first record has the timestamp of all.
        if (offset >= 0 && (target != NULL || batch_is_log_append_time(h))) {
            break;
        }
    }
    if (s->error.code != ERR_OK) {
        if (e != NULL) {
            *e = s->error;
        }
        return s->error.code;
    }
    *ret_offset = offset;
    *ret_timestamp = timestamp;
    return ERR_OK;
}

static enum err find(struct codec_context *ctx, struct bytes batch, const int64_t *target,
                     int64_t *ret_offset, int64_t *ret_timestamp, struct error *e)
{
    struct batch_header h;
    enum err err = batch_header_read(batch, &h, e);
    if (err != ERR_OK) {
        return err;
    }
    if (target != NULL && h.max_timestamp < *target) {
        *ret_offset = -1;
        *ret_timestamp = BATCH_NO_TIMESTAMP;
        return ERR_OK;
    }
    struct record_source source;
    err = record_source_open(&source, ctx, &h, batch, NULL, e);
    if (err != ERR_OK) {
        return err;
    }
    err = find_scan(&source, &h, target, ret_offset, ret_timestamp, e);
    record_source_close(&source);
    return err;
}

enum err batch_find_timestamp(struct codec_context *ctx, struct bytes batch, int64_t target_ms,
                              int64_t *ret_offset, int64_t *ret_timestamp, struct error *e)
{
    return find(ctx, batch, &target_ms, ret_offset, ret_timestamp, e);
}

enum err batch_find_max_timestamp(struct codec_context *ctx, struct bytes batch, int64_t *ret_offset,
                                  int64_t *ret_timestamp, struct error *e)
{
    return find(ctx, batch, NULL, ret_offset, ret_timestamp, e);
}
