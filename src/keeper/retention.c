// SPDX-License-Identifier: Apache-2.0
// retention.c - log starts move forward over what is too old or too much (retention.ms, retention.bytes;
// KIP-4 and Kafka's deleteOldSegments). An extent is what Kafka calls a segment: it goes as a whole, by its
// largest timestamp. Time alone may empty a partition; size keeps the newest extent.
#include "keeper/keeper_private.h"

#include "base/mem.h"
#include "base/plant.h"

static int64_t retention_start_by_time(const struct partition *p, int64_t start, int64_t before_ms)
{
    uint32_t count = partition_extent_count(p);
    for (uint32_t i = partition_extent_search(p, start); i < count; i++) {
        const struct extent *extent = partition_extent(p, i);
        if (extent->max_timestamp >= before_ms && !plant_is(PLANT_RETAIN_YOUNG)) {
            break;
        }
        if (extent->max_timestamp >= 0) { // records without timestamps go with the next that has one
            start = extent->end_offset;
        }
    }
    return start;
}

static int64_t retention_start_by_size(const struct partition *p, int64_t start, int64_t bytes_max)
{
    uint64_t size = partition_bytes(p);
    uint32_t count = partition_extent_count(p);
    uint32_t first = partition_extent_search(p, start);
    for (uint32_t i = 0; i < first; i++) { // about to go by time
        size -= partition_extent(p, i)->length;
    }
    for (uint32_t i = first; i + 1 < count; i++) {
        const struct extent *extent = partition_extent(p, i);
        if (size < extent->length || size - extent->length < (uint64_t)bytes_max) {
            break;
        }
        size -= extent->length;
        start = extent->end_offset;
    }
    return start;
}

int64_t keeper_retention_start(const struct partition *p, const struct topic_settings *settings,
                               int64_t now_ms)
{
    int64_t start = partition_log_start(p);
    if (!settings->is_deleted) {
        return start;
    }
    if (settings->retention_ms >= 0 && settings->retention_ms <= now_ms) {
        start = retention_start_by_time(p, start, now_ms - settings->retention_ms);
    }
    if (settings->retention_bytes >= 0) {
        start = retention_start_by_size(p, start, settings->retention_bytes);
    }
    return start;
}

struct retention_scan {
    struct item *items; // KEEPER_SUBMIT_ITEMS_MAX TRIMs
    struct outcome *outcomes;
    uint32_t count;
    uint32_t slot;
    uint32_t slot_count;
    int64_t next_ms;
};

// When the oldest extent that stays will have expired.
static void retention_next(struct retention_scan *scan, const struct partition *p,
                           const struct topic_settings *settings, int64_t start)
{
    uint32_t index = partition_extent_search(p, start);
    if (!settings->is_deleted || settings->retention_ms < 0 || index == partition_extent_count(p)) {
        return;
    }
    int64_t stamp_ms = partition_extent(p, index)->max_timestamp;
    if (stamp_ms >= 0 && stamp_ms < INT64_MAX - 1 - settings->retention_ms &&
        stamp_ms + settings->retention_ms + 1 < scan->next_ms) {
        scan->next_ms = stamp_ms + settings->retention_ms + 1;
    }
}

static void retention_look(struct keeper *k, struct retention_scan *scan)
{
    struct core *core = k->host.lock(k->host.arg);
    keeper_observe_locked(k, core);
    int64_t now_ms = keeper_now_ms(k);
    scan->slot_count = core_slot_count(core);
    uint32_t end = scan->slot + SLICE_SLOTS;
    for (; scan->slot < end && scan->slot < scan->slot_count && scan->count < KEEPER_SUBMIT_ITEMS_MAX;
         scan->slot++) {
        const struct partition *p = core_partition_at(core, scan->slot);
        if (p == NULL || partition_extent_count(p) == 0) {
            continue;
        }
        const struct topic *topic = partition_topic(p);
        const struct topic_settings *settings = topic_settings(core, topic);
        int64_t start = keeper_retention_start(p, settings, now_ms);
        retention_next(scan, p, settings, start);
        if (start > partition_log_start(p)) {
            scan->items[scan->count++] = (struct item){
                .kind = ITEM_TRIM,
                .version = 1,
                .trim = {.topic_id = topic_id(topic),
                         .partition = partition_index(p),
                         .log_start_offset = start},
            };
        }
    }
    k->host.unlock(k->host.arg);
}

enum err keeper_retain(struct keeper *k, int64_t *ret_next_ms, struct error *e)
{
    struct retention_scan scan = {.slot_count = 1, .next_ms = INT64_MAX};
    scan.items = mem_array(KEEPER_SUBMIT_ITEMS_MAX, sizeof *scan.items);
    scan.outcomes = mem_array(KEEPER_SUBMIT_ITEMS_MAX, sizeof *scan.outcomes);
    enum err err = ERR_OK;
    while (err == ERR_OK && scan.slot < scan.slot_count) {
        if (keeper_is_stopping(k)) {
            err = FAIL(e, ERR_STOPPING, "keeper: stopping");
            break;
        }
        retention_look(k, &scan);
        bool is_last = scan.slot >= scan.slot_count;
        if (scan.count == KEEPER_SUBMIT_ITEMS_MAX || (is_last && scan.count > 0)) {
            err = keeper_submit(k, scan.items, scan.count, scan.outcomes, e);
            for (uint32_t i = 0; i < scan.count && err == ERR_OK; i++) {
                keeper_count(k->trims, scan.outcomes[i].err == ERR_OK);
            }
            scan.count = 0;
        }
    }
    mem_free(scan.items);
    mem_free(scan.outcomes);
    if (err == ERR_OK) {
        *ret_next_ms = scan.next_ms;
    }
    return err;
}
