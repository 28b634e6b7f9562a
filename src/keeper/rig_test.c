// SPDX-License-Identifier: Apache-2.0
// rig_test.c - orders and applies as a broker does, and reads back byte for byte.
#include "keeper/rig_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "keeper/test_support.h"

struct uuid topic_of(uint8_t topic)
{
    return (struct uuid){{9, topic + 1}};
}

// ---- ordering and applying, as a broker does

static struct outcome order(struct world *w, const struct item *items, uint32_t count,
                            const struct io_slice *payload, const struct payload_entry *entries,
                            uint32_t payload_count, bool is_control, struct outcome *ret_all)
{
    struct buf meta;
    buf_init(&meta, 16 << 20);
    size_t payload_size = 0;
    for (uint32_t i = 0; i < count; i++) {
        item_encode(&items[i], &meta);
    }
    for (uint32_t i = 0; i < payload_count; i++) {
        payload_size += payload[i].len;
    }
    struct outcome *outcomes = mem_array(count, sizeof *outcomes);
    struct core_facts facts;
    core_facts_init(&facts);
    mutex_lock(&w->order_lock);
    struct bundle bundle = {
        .id = ++w->bundle_id,
        .meta = buf_bytes(&meta),
        .item_count = count,
        .entries = entries,
        .entry_count = payload_count,
        .payload = payload,
        .payload_slice_count = payload_count,
        .payload_size = payload_size,
        .needs_sync = is_control,
    };
    struct ordered o;
    struct error e = {0};
    enum err err = engine_order(w->engine, &bundle, is_control, &o, &e);
    if (err == ERR_OK) {
        struct core_bundle applied = {
            o.lsn,       o.stamp_ms,       o.time_ms - w->time_lag_ms, o.object, o.payload_position,
            bundle.meta, bundle.item_count};
        mutex_lock(&w->lock);
        assert_int_equal(core_apply(w->core, &applied, outcomes, &facts, &e), ERR_OK);
        cond_broadcast(&w->applied);
        mutex_unlock(&w->lock);
    }
    mutex_unlock(&w->order_lock);
    if (ret_all != NULL) {
        memcpy(ret_all, outcomes, count * sizeof *ret_all);
    }
    struct outcome last = outcomes[count - 1];
    if (err != ERR_OK) {
        last = (struct outcome){.err = err};
    } else if (w->keeper != NULL) {
        keeper_objects_dead(w->keeper, facts.dead_objects, facts.dead_count);
        keeper_poke(w->keeper, payload_size > 0 ? payload_size : meta.len);
    }
    core_facts_fini(&facts);
    mem_free(outcomes);
    buf_fini(&meta);
    return last;
}

struct outcome order_one(struct world *w, const struct item *item)
{
    return order(w, item, 1, NULL, NULL, 0, true, NULL);
}

struct outcome order_batch(struct world *w, const struct item_data *data, struct bytes batch)
{
    struct item item = {.kind = ITEM_DATA, .version = 1, .data = *data};
    item.data.payload_length = (uint32_t)batch.len;
    struct io_slice slice = {(void *)(uintptr_t)batch.ptr, batch.len};
    struct payload_entry entry = {(uint32_t)batch.len, load_be32(batch.ptr + 17)};
    return order(w, &item, 1, &slice, &entry, 1, false, NULL);
}

void order_all(struct world *w, struct item *items, uint32_t count, const struct bytes *batches,
               struct outcome *ret_outcomes)
{
    struct io_slice *slices = mem_array(count, sizeof *slices);
    struct payload_entry *entries = mem_array(count, sizeof *entries);
    uint32_t position = 0;
    for (uint32_t i = 0; i < count && batches != NULL; i++) {
        uint32_t length = (uint32_t)batches[i].len;
        items[i].data.payload_position = position;
        items[i].data.payload_length = length;
        slices[i] = (struct io_slice){(void *)(uintptr_t)batches[i].ptr, length};
        entries[i] = (struct payload_entry){length, load_be32(batches[i].ptr + 17)};
        position += length;
    }
    (void)order(w, items, count, slices, entries, batches == NULL ? 0 : count, batches == NULL, ret_outcomes);
    mem_free(slices);
    mem_free(entries);
}

static struct core *host_lock(void *arg)
{
    struct world *w = arg;
    mutex_lock(&w->lock);
    return w->core;
}

static void host_unlock(void *arg)
{
    struct world *w = arg;
    mutex_unlock(&w->lock);
}

static enum err host_submit(void *arg, const struct item *item, struct outcome *ret_outcome, struct error *e)
{
    struct world *w = arg;
    if (w->before_submit != NULL) {
        w->before_submit(w, item);
    }
    *ret_outcome = order_one(w, item);
    return ret_outcome->err == ERR_OK ? ERR_OK : FAIL(e, ret_outcome->err, "refused");
}

static enum err host_submit_all(void *arg, const struct item *items, uint32_t count,
                                struct outcome *ret_outcomes, struct error *e)
{
    struct world *w = arg;
    w->submitted_most = count > w->submitted_most ? count : w->submitted_most;
    enum err err = order(w, items, count, NULL, NULL, 0, true, ret_outcomes).err;
    return err == ERR_STORAGE ? FAIL(e, err, "refused") : ERR_OK;
}

// ---- the world

static enum err deliver(void *arg, const struct ordered *o, struct error *e)
{
    struct world *w = arg;
    struct outcome *outcomes = mem_array(o->item_count, sizeof *outcomes);
    struct core_facts facts;
    core_facts_init(&facts);
    struct core_bundle bundle = {o->lsn,  o->stamp_ms,  o->time_ms, o->object, o->payload_position,
                                 o->meta, o->item_count};
    enum err err = core_apply(w->core, &bundle, outcomes, &facts, e);
    core_facts_fini(&facts);
    mem_free(outcomes);
    return err;
}

void world_open(struct world *w)
{
    struct engine_local_options options;
    engine_local_options_init(&options);
    options.wal_file_bytes = WAL_FILE;
    options.wal_first_bytes = WAL_FILE;
    struct error e = {0};
    if (real_env_open(str_from_c(w->data), &w->env, &e) != ERR_OK ||
        engine_local_open(w->env, &options, &w->engine, &e) != ERR_OK) {
        fail_msg("open: %s", e.text);
    }
    mutex_init(&w->lock, w->env->threads);
    mutex_init(&w->order_lock, w->env->threads);
    cond_init(&w->applied, w->env->threads);
    w->core = core_create();
    struct buf snapshot;
    buf_init(&snapshot, SIZE_MAX / 2);
    uint64_t lsn = 0;
    enum err err = engine_snapshot_read(w->engine, &snapshot, &lsn, &e);
    if (err == ERR_OK) {
        err = core_load(w->core, buf_bytes(&snapshot), &e);
    }
    buf_fini(&snapshot);
    if ((err != ERR_OK && err != ERR_NOT_FOUND) ||
        engine_tail(w->engine, core_lsn(w->core), 1, deliver, w, &e) != ERR_OK) {
        fail_msg("recovery: %s", e.text);
    }
    w->real_ops = w->engine->ops;
    w->ops = *w->engine->ops;
    w->segments = segment_cache_create(w->env, w->engine, 1 << 20);
    w->metrics = metrics_create();
    const struct keeper_host host = {w, host_lock, host_unlock, host_submit,
                                     w->submits_all ? host_submit_all : NULL};
    w->keeper = keeper_create(w->env, w->engine, w->segments, &host, &w->options, NULL, w->metrics);
}

void world_close(struct world *w, bool is_clean)
{
    w->engine->ops = w->real_ops;
    keeper_destroy(w->keeper);
    w->keeper = NULL;
    metrics_destroy(w->metrics);
    segment_cache_destroy(w->segments);
    core_destroy(w->core);
    engine_stop(w->engine);
    engine_close(w->engine, is_clean);
    cond_fini(&w->applied);
    mutex_fini(&w->order_lock);
    mutex_fini(&w->lock);
    real_env_close(w->env);
}

struct world *world_create(void)
{
    struct world *w = mem_zalloc(sizeof *w);
    snprintf(w->base, sizeof w->base, "/tmp/strom-keeper-XXXXXX");
    assert_non_null(mkdtemp(w->base));
    snprintf(w->data, sizeof w->data, "%s/data", w->base);
    keeper_options_init(&w->options);
    w->options.merge_wal_bytes = 1; // every round merges
    w->options.merge_own_bytes = 128 << 10;
    w->options.object_bytes_max = 1 << 20;
    w->options.snapshot_wal_bytes = 1 << 20;
    w->faults_after = -1;
    world_open(w);
    return w;
}

void world_destroy(struct world *w)
{
    world_close(w, true);
    for (int t = 0; t < TOPICS_MAX; t++) {
        for (int p = 0; p < PARTITIONS_MAX; p++) {
            buf_fini(&w->expected[t][p].bytes);
            mem_free(w->expected[t][p].offsets);
            mem_free(w->expected[t][p].positions);
        }
    }
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", w->base);
    assert_int_equal(system(command), 0);
    mem_free(w);
}

void topic_create(struct world *w, uint8_t topic, int32_t partitions, const char *key, const char *value)
{
    char name[] = {'t', (char)('0' + topic), 0};
    struct item_config config = {str_from_c(key), str_from_c(value)};
    struct item item = {.kind = ITEM_TOPIC_CREATE, .version = 1};
    item.topic_create = (struct item_topic_create){topic_of(topic), str_from_c(name), partitions, &config,
                                                   key == NULL ? 0 : 1};
    assert_int_equal(order_one(w, &item).err, ERR_OK);
}

void config_set(struct world *w, uint8_t topic, const char *key, const char *value)
{
    struct item_config config = {str_from_c(key), str_from_c(value)};
    mutex_lock(&w->lock);
    uint64_t revision = topic_config_revision(core_topic_find_id(w->core, topic_of(topic)));
    mutex_unlock(&w->lock);
    struct item item = {.kind = ITEM_CONFIG_SET, .version = 1};
    item.config_set = (struct item_config_set){topic_of(topic), revision, &config, 1};
    assert_int_equal(order_one(w, &item).err, ERR_OK);
    keeper_poke(w->keeper, 0);
}

// ---- producing

static void expect_batch(struct expected *x, struct bytes batch, int32_t records)
{
    if (x->count == x->cap) {
        x->cap = x->cap == 0 ? 64 : x->cap * 2;
        x->offsets = mem_realloc(x->offsets, x->cap * sizeof *x->offsets);
        x->positions = mem_realloc(x->positions, x->cap * sizeof *x->positions);
    }
    if (x->bytes.limit == 0) {
        buf_init(&x->bytes, SIZE_MAX / 2);
    }
    x->offsets[x->count] = x->next_offset;
    x->positions[x->count++] = x->bytes.len;
    size_t at = x->bytes.len;
    buf_append(&x->bytes, batch.ptr, batch.len);
    batch_patch(x->bytes.ptr + at, x->next_offset, 0);
    x->next_offset += records;
}

void produce(struct world *w, const struct produce *rows, size_t row_count)
{
    static struct item items[BUNDLE_BATCHES_MAX];
    static struct io_slice slices[BUNDLE_BATCHES_MAX];
    static struct payload_entry entries[BUNDLE_BATCHES_MAX];
    struct buf payload;
    buf_init(&payload, 64 << 20);
    size_t ends[BUNDLE_BATCHES_MAX];
    uint32_t count = 0;
    uint32_t position = 0;
    for (size_t r = 0; r < row_count; r++) {
        struct expected *x = &w->expected[rows[r].topic][rows[r].partition];
        for (int32_t b = 0; b < rows[r].batches; b++) {
            int32_t records = 1 + b % 3;
            test_batch(&payload, x->next_offset % 3 == 0 ? 0 : 77, -1, records, rows[r].timestamp,
                       rows[r].size);
            uint32_t length = (uint32_t)payload.len - position;
            struct bytes batch = bytes_slice(buf_bytes(&payload), position, length);
            expect_batch(x, batch, records);
            items[count] = (struct item){.kind = ITEM_DATA, .version = 1};
            items[count].data = (struct item_data){
                .topic_id = topic_of(rows[r].topic),
                .partition = rows[r].partition,
                .producer_id = -1,
                .producer_epoch = -1,
                .base_sequence = -1,
                .offset_span = records,
                .record_count = records,
                .max_timestamp = rows[r].timestamp,
                .payload_position = position,
                .payload_length = length,
            };
            entries[count] = (struct payload_entry){length, load_be32(batch.ptr + 17)};
            ends[count++] = payload.len;
            position = (uint32_t)payload.len;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t from = i == 0 ? 0 : ends[i - 1];
        slices[i] = (struct io_slice){payload.ptr + from, ends[i] - from};
    }
    assert_int_equal(order(w, items, count, slices, entries, count, false, NULL).err, ERR_OK);
    buf_fini(&payload);
}

void produce_one(struct world *w, uint8_t topic, int32_t partition, int32_t batches, size_t size)
{
    struct produce row = {topic, partition, batches, size, clock_wall_ms(w->env->clock)};
    produce(w, &row, 1);
}

// ---- reading back

const struct partition *partition_of(struct world *w, uint8_t topic, int32_t partition)
{
    const struct topic *t = core_topic_find_id(w->core, topic_of(topic));
    assert_non_null(t);
    return topic_partition(t, partition);
}

static void read_extent(struct world *w, const struct extent *extent, struct buf *out)
{
    struct object *pin = engine_object_pin(w->engine, extent->object);
    assert_non_null(pin);
    uint8_t *to = buf_reserve(out, extent->length);
    struct error e = {0};
    if (engine_object_read(w->engine, pin, extent->position, to, extent->length, &e) != ERR_OK) {
        fail_msg("object %llu: %s", (unsigned long long)extent->object, e.text);
    }
    engine_object_unpin(w->engine, pin);
    out->len += extent->length;
    if ((extent->flags & EXTENT_FINAL) != 0) {
        return;
    }
    int64_t offset = extent->base_offset;
    for (size_t at = out->len - extent->length; at < out->len;) {
        struct batch_header h;
        assert_int_equal(batch_header_read(bytes_of(out->ptr + at, out->len - at), &h, NULL), ERR_OK);
        batch_patch(out->ptr + at, offset, extent->leader_epoch);
        offset += h.last_offset_delta + 1;
        at += h.size;
    }
    assert_int_equal(offset, extent->end_offset);
}

void check_partition(struct world *w, uint8_t topic, int32_t partition)
{
    const struct expected *x = &w->expected[topic][partition];
    const struct partition *p = partition_of(w, topic, partition);
    assert_int_equal(partition_high_watermark(p), x->next_offset);
    uint32_t count = partition_extent_count(p);
    if (count == 0) {
        assert_int_equal(partition_log_start(p), x->next_offset);
        return;
    }
    int64_t first_offset = partition_extent(p, 0)->base_offset;
    size_t from = 0;
    while (x->offsets[from] < first_offset) {
        from++;
    }
    assert_int_equal(x->offsets[from], first_offset);
    assert_true(first_offset <= partition_log_start(p));
    struct buf got;
    buf_init(&got, SIZE_MAX / 2);
    for (uint32_t i = 0; i < count; i++) {
        const struct extent *extent = partition_extent(p, i);
        assert_int_equal(extent->base_offset, first_offset);
        first_offset = extent->end_offset;
        read_extent(w, extent, &got);
    }
    assert_int_equal(first_offset, x->next_offset);
    assert_int_equal(got.len, x->bytes.len - x->positions[from]);
    assert_memory_equal(got.ptr, x->bytes.ptr + x->positions[from], got.len);
    buf_fini(&got);
}

void check_topic(struct world *w, uint8_t topic)
{
    const struct topic *t = core_topic_find_id(w->core, topic_of(topic));
    for (int32_t p = 0; p < topic_partition_count(t); p++) {
        check_partition(w, topic, p);
    }
}

void round_ok(struct world *w)
{
    int64_t next_ns = 0;
    struct error e = {0};
    w->keeper->merge = w->keeper->snapshot = w->keeper->retention = w->keeper->compact =
        (struct keeper_work){0};
    if (keeper_round(w->keeper, &next_ns, &e) != ERR_OK) {
        fail_msg("round: %s", e.text);
    }
    assert_true(next_ns > 0);
}

static void tally_each(void *arg, const struct engine_object_info *info)
{
    struct tally *t = arg;
    t->wal += info->is_wal;
    t->merged += !info->is_wal;
    t->last = info->object > t->last ? info->object : t->last;
}

struct tally tally(struct world *w)
{
    struct tally t = {0};
    assert_int_equal(engine_objects(w->engine, tally_each, &t, NULL), ERR_OK);
    return t;
}

uint32_t unmerged_extents(struct world *w, uint8_t topic)
{
    uint32_t count = 0;
    const struct topic *t = core_topic_find_id(w->core, topic_of(topic));
    for (int32_t i = 0; i < topic_partition_count(t); i++) {
        const struct partition *p = topic_partition(t, i);
        for (uint32_t j = 0; j < partition_extent_count(p); j++) {
            count += (partition_extent(p, j)->flags & EXTENT_FINAL) == 0;
        }
    }
    return count;
}

void produce_mixed(struct world *w, uint8_t topic, int32_t partitions)
{
    struct produce rows[PARTITIONS_MAX];
    for (int32_t p = 0; p < partitions; p++) {
        rows[p] = (struct produce){topic, p, 1 + p % 4, p == 3 ? 20000 : 50 + (size_t)p * 13,
                                   clock_wall_ms(w->env->clock)};
    }
    produce(w, rows, (size_t)partitions);
}
