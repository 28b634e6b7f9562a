// SPDX-License-Identifier: Apache-2.0
// lookup.c - offsets by time (record-exact) and by leader epoch. Answers equal a linear scan of the log
// (I14).
#include "broker/broker_private.h"

#include "base/plant.h"
#include "record/iterate.h"

enum { LOOKUP_TRIES = 3 };

static enum err check_epoch(const struct partition *p, int32_t current_leader_epoch)
{
    int32_t current = partition_leader_epoch(p);
    if (current_leader_epoch == -1 || current_leader_epoch == current) {
        return ERR_OK;
    }
    return current_leader_epoch < current ? ERR_FENCED_LEADER_EPOCH : ERR_UNKNOWN_LEADER_EPOCH;
}

static struct partition *find_partition(struct broker *b, struct str topic_name, int32_t index)
{
    struct topic *topic = core_topic_find(b->core, topic_name);
    return topic == NULL ? NULL : topic_partition(topic, index);
}

static void answer(struct offset_query *q, int64_t offset, int64_t timestamp, int32_t leader_epoch)
{
    q->offset = offset;
    q->found_timestamp = timestamp;
    q->leader_epoch = leader_epoch;
}

// Where to look for a timestamp: the extents that may hold it, copied under the lock.
struct candidates {
    struct extent *extents;
    uint32_t count;
    int64_t log_start;
    int64_t bound; // records from here on are not looked at
};

// collect copies, for a target, the extents from the first whose largest timestamp reaches it; for the
// maximum, the first of those whose largest timestamp is the largest. Of an extent that straddles the log
// start nothing is known but by looking: it comes first. The lock is held.
static void collect(const struct partition *p, int64_t target, struct candidates *c)
{
    uint32_t total = partition_extent_count(p);
    uint32_t index = partition_extent_search(p, partition_log_start(p));
    int64_t best = INT64_MIN;
    c->count = 0;
    c->log_start = partition_log_start(p);
    if (target == OFFSET_MAX_TIMESTAMP && index < total &&
        partition_extent(p, index)->base_offset < c->log_start) {
        c->extents[c->count++] = *partition_extent(p, index++);
    }
    uint32_t straddling = c->count;
    for (; index < total && c->count < FETCH_EXTENTS_MAX; index++) {
        const struct extent *extent = partition_extent(p, index);
        if ((extent->flags & EXTENT_MARKER) != 0) {
            continue; // no record of a producer
        }
        if (target == OFFSET_MAX_TIMESTAMP && extent->max_timestamp > best) {
            best = extent->max_timestamp;
            c->extents[straddling] = *extent;
            c->count = straddling + 1;
        } else if (target != OFFSET_MAX_TIMESTAMP && extent->max_timestamp >= target) {
            c->extents[c->count++] = *extent;
        }
    }
}

// search_batch looks into the walk's current batch, record by record: a batch may straddle the log start.
static enum err search_batch(struct broker_port *port, struct batch_walk *walk, struct offset_query *q,
                             int64_t log_start, bool *ret_found, struct error *e)
{
    if (batch_is_control(&walk->header)) {
        return ERR_OK; // markers are no records of a producer
    }
    struct chunk *chunk = NULL;
    struct bytes batch;
    enum err err = batch_walk_read(walk, &chunk, &batch, e);
    if (err != ERR_OK) {
        return err;
    }
    struct record_iterator it;
    err = record_iterator_init(&it, &port->codec, batch, NULL, e);
    if (err == ERR_OK) {
        bool is_max = q->timestamp == OFFSET_MAX_TIMESTAMP;
        struct record record;
        while ((is_max || !*ret_found) && record_iterator_next(&it, &record)) {
            bool is_hit = is_max ? !*ret_found || record.timestamp > q->found_timestamp
                                 : record.timestamp >= q->timestamp + plant_is(PLANT_TIMESTAMP_AFTER);
            if (record.offset >= log_start && is_hit) {
                answer(q, record.offset, record.timestamp, walk->extent.leader_epoch);
                *ret_found = true;
            }
        }
        err = record_iterator_fini(&it, e);
    }
    chunk_unref(chunk);
    return err;
}

// search_extent: for a time it ends at the first record that reaches it. For the maximum, *ret_found and the
// answer may come from an extent before, and only a larger timestamp replaces them.
static enum err search_extent(struct broker_port *port, struct offset_query *q, const struct extent *extent,
                              int64_t log_start, bool *ret_found, struct error *e)
{
    struct broker *b = port->broker;
    bool is_max = q->timestamp == OFFSET_MAX_TIMESTAMP;
    bool is_straddling = extent->base_offset < log_start;
    int64_t target = !is_max ? q->timestamp : is_straddling ? INT64_MIN : extent->max_timestamp;
    struct object *pin = engine_object_pin(b->engine, extent->object);
    if (pin == NULL) {
        return FAIL(e, ERR_STALE, "object %llu is gone", (unsigned long long)extent->object);
    }
    struct segment_place place = {extent->position, extent->base_offset};
    struct batch_walk walk;
    if ((extent->flags & EXTENT_FINAL) != 0 && target != INT64_MIN &&
        segment_cache_find_timestamp(b->segments, pin, extent, target, &place, e) != ERR_OK) {
        place = (struct segment_place){extent->position, extent->base_offset};
    }
    enum err err = batch_walk_init(&walk, b, pin, extent, &place, e);
    bool has_more = true;
    bool is_done = false;
    while (err == ERR_OK && has_more && !is_done) {
        bool is_candidate = walk.header.record_count > 0 && walk.header.max_timestamp >= target &&
                            walk.base_offset + walk.header.last_offset_delta >= log_start;
        if (is_candidate) {
            err = search_batch(port, &walk, q, log_start, ret_found, e);
            is_done = is_max ? !is_straddling : *ret_found;
        }
        if (err == ERR_OK && !is_done) {
            err = is_candidate ? batch_walk_next(&walk, &has_more, e) : batch_walk_skip(&walk, &has_more, e);
        }
    }
    engine_object_unpin(b->engine, pin);
    return err;
}

static void list_by_timestamp(struct broker_port *port, struct offset_query *q)
{
    struct broker *b = port->broker;
    struct candidates c = {.extents = port->extents};
    for (int attempt = 0; attempt < LOOKUP_TRIES; attempt++) {
        mutex_lock(&b->lock);
        struct partition *p = find_partition(b, q->topic_name, q->partition);
        q->err = p == NULL ? ERR_UNKNOWN_PARTITION : ERR_OK;
        if (p != NULL) {
            collect(p, q->timestamp, &c);
            c.bound = q->is_read_committed ? partition_last_stable_offset(p) : partition_high_watermark(p);
        }
        mutex_unlock(&b->lock);
        bool found = false;
        struct error error = {0};
        bool is_max = q->timestamp == OFFSET_MAX_TIMESTAMP;
        for (uint32_t i = 0; i < c.count && q->err == ERR_OK && (is_max || !found); i++) {
            if (found && c.extents[i].max_timestamp <= q->found_timestamp) {
                continue;
            }
            q->err = search_extent(port, q, &c.extents[i], c.log_start, &found, &error);
        }
        if (q->err == ERR_STALE) {
            answer(q, -1, -1, -1); // look again
        } else if (q->err == ERR_OK && q->offset >= c.bound) {
            answer(q, -1, -1, -1); // there, but not stable yet
            return;
        } else {
            return; // not found: offset and timestamp stay -1, without an error
        }
    }
    q->err = ERR_STORAGE; // the state names an object that is not there
}

void broker_list_offset(struct broker_port *port, struct offset_query *q)
{
    struct broker *b = port->broker;
    answer(q, -1, -1, -1);
    mutex_lock(&b->lock);
    struct partition *p = find_partition(b, q->topic_name, q->partition);
    q->err = p == NULL ? ERR_UNKNOWN_PARTITION : check_epoch(p, q->current_leader_epoch);
    bool needs_search = false;
    if (q->err == ERR_OK) {
        int64_t start = partition_log_start(p);
        int64_t end = partition_high_watermark(p);
        switch (q->timestamp) {
        case OFFSET_LATEST:
            end = q->is_read_committed ? partition_last_stable_offset(p) : end;
            answer(q, end, -1, partition_leader_epoch(p));
            break;
        case OFFSET_EARLIEST:
        case OFFSET_EARLIEST_LOCAL:
            answer(q, start, -1, partition_epoch_at(p, start));
            break;
        case OFFSET_LATEST_TIERED:
        case OFFSET_EARLIEST_PENDING_UPLOAD:
            break; // nothing is tiered: -1
        default:
            needs_search = q->timestamp >= 0 || q->timestamp == OFFSET_MAX_TIMESTAMP;
            q->err = needs_search ? ERR_OK : ERR_INVALID_REQUEST;
            break;
        }
    }
    mutex_unlock(&b->lock);
    if (needs_search) {
        list_by_timestamp(port, q);
    }
}

void broker_epoch_end(struct broker *b, struct epoch_query *q)
{
    q->found_epoch = -1;
    q->end_offset = -1;
    mutex_lock(&b->lock);
    struct partition *p = find_partition(b, q->topic_name, q->partition);
    q->err = p == NULL ? ERR_UNKNOWN_PARTITION : check_epoch(p, q->current_leader_epoch);
    if (q->err == ERR_OK) {
        partition_epoch_end(p, q->leader_epoch, &q->found_epoch, &q->end_offset);
    }
    mutex_unlock(&b->lock);
}
