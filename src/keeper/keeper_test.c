// SPDX-License-Identifier: Apache-2.0
// The keeper over the local engine and the core, on a real disk: what was appended is read back byte for byte
// after any upkeep, whatever raced with it, failed, or rotted.
#include "keeper/keeper_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/local/local.h"
#include "keeper/test_support.h"
#include "platform/real/real.h"

enum { TOPICS_MAX = 4, PARTITIONS_MAX = 64, BUNDLE_BATCHES_MAX = 2048, WAL_FILE = 1 << 20 };

// What a partition must hold: its batches in final form, with their offsets.
struct expected {
    struct buf bytes;
    int64_t *offsets; // base offset of each batch
    size_t *positions;
    size_t count;
    size_t cap;
    int64_t next_offset;
};
struct world {
    char base[64];
    char data[80];
    struct env *env;
    struct engine *engine;
    struct engine_ops ops; // the engine's, with faults
    const struct engine_ops *real_ops;
    struct segment_cache *segments;
    struct metrics *metrics;
    struct keeper *keeper;
    struct keeper_options options;
    struct mutex lock; // the core
    struct mutex order_lock;
    struct cond applied;
    struct core *core;
    struct expected expected[TOPICS_MAX][PARTITIONS_MAX];
    uint64_t bundle_id;
    void (*before_submit)(struct world *w, const struct item *item);
    int64_t time_lag_ms;  // of bundles behind the engine's time
    int32_t faults_after; // engine verbs that still work; -1 = all
};
static struct world *current; // the fault hooks have no other way to it

static struct uuid topic_of(uint8_t topic)
{
    return (struct uuid){{9, topic + 1}};
}

// ---- ordering and applying, as a broker does

static struct outcome order(struct world *w, const struct item *items, uint32_t count,
                            const struct io_slice *payload, const struct payload_entry *entries,
                            uint32_t payload_count, bool is_control)
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

static struct outcome order_one(struct world *w, const struct item *item)
{
    return order(w, item, 1, NULL, NULL, 0, true);
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

static void world_open(struct world *w)
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
    const struct keeper_host host = {w, host_lock, host_unlock, host_submit, NULL};
    w->keeper = keeper_create(w->env, w->engine, w->segments, &host, &w->options, NULL, w->metrics);
}

static void world_close(struct world *w, bool is_clean)
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

static struct world *world_create(void)
{
    struct world *w = mem_zalloc(sizeof *w);
    current = w;
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

static void world_destroy(struct world *w)
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

static void topic_create(struct world *w, uint8_t topic, int32_t partitions, const char *key,
                         const char *value)
{
    char name[] = {'t', (char)('0' + topic), 0};
    struct item_config config = {str_from_c(key), str_from_c(value)};
    struct item item = {.kind = ITEM_TOPIC_CREATE, .version = 1};
    item.topic_create = (struct item_topic_create){topic_of(topic), str_from_c(name), partitions, &config,
                                                   key == NULL ? 0 : 1};
    assert_int_equal(order_one(w, &item).err, ERR_OK);
}

static void config_set(struct world *w, uint8_t topic, const char *key, const char *value)
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

struct produce {
    uint8_t topic;
    int32_t partition;
    int32_t batches;
    size_t size;
    int64_t timestamp;
};

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

// produce orders one bundle; rows must be in partition order.
static void produce(struct world *w, const struct produce *rows, size_t row_count)
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
    assert_int_equal(order(w, items, count, slices, entries, count, false).err, ERR_OK);
    buf_fini(&payload);
}

static void produce_one(struct world *w, uint8_t topic, int32_t partition, int32_t batches, size_t size)
{
    struct produce row = {topic, partition, batches, size, clock_wall_ms(w->env->clock)};
    produce(w, &row, 1);
}

// ---- reading back

static const struct partition *partition_of(struct world *w, uint8_t topic, int32_t partition)
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

// check_partition reads everything from the log start on and compares; the first extent may begin earlier.
static void check_partition(struct world *w, uint8_t topic, int32_t partition)
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

static void check_topic(struct world *w, uint8_t topic)
{
    const struct topic *t = core_topic_find_id(w->core, topic_of(topic));
    for (int32_t p = 0; p < topic_partition_count(t); p++) {
        check_partition(w, topic, p);
    }
}

static void round_ok(struct world *w)
{
    int64_t next_ns = 0;
    struct error e = {0};
    w->keeper->merge = w->keeper->snapshot = w->keeper->retention = (struct keeper_work){0};
    if (keeper_round(w->keeper, &next_ns, &e) != ERR_OK) {
        fail_msg("round: %s", e.text);
    }
    assert_true(next_ns > 0);
}

struct tally {
    uint32_t wal;
    uint32_t merged;
    uint64_t last;
};

static void tally_each(void *arg, const struct engine_object_info *info)
{
    struct tally *t = arg;
    t->wal += info->is_wal;
    t->merged += !info->is_wal;
    t->last = info->object > t->last ? info->object : t->last;
}

static struct tally tally(struct world *w)
{
    struct tally t = {0};
    assert_int_equal(engine_objects(w->engine, tally_each, &t, NULL), ERR_OK);
    return t;
}

static uint32_t unmerged_extents(struct world *w, uint8_t topic)
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

// A bundle for many partitions, with one heavy partition.
static void produce_mixed(struct world *w, uint8_t topic, int32_t partitions)
{
    struct produce rows[PARTITIONS_MAX];
    for (int32_t p = 0; p < partitions; p++) {
        rows[p] = (struct produce){topic, p, 1 + p % 4, p == 3 ? 20000 : 50 + (size_t)p * 13,
                                   clock_wall_ms(w->env->clock)};
    }
    produce(w, rows, (size_t)partitions);
}

// ---- merge

static void test_merge(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 40, NULL, NULL);
    topic_create(w, 1, 1, NULL, NULL);
    for (int i = 0; i < 5; i++) {
        produce_mixed(w, 0, 40);
        produce_one(w, 1, 0, 2, 300);
    }
    check_topic(w, 0);
    assert_true(unmerged_extents(w, 0) >= 200);
    uint64_t hash_before = core_state_hash(w->core);
    round_ok(w);
    assert_true(core_state_hash(w->core) != hash_before);
    assert_int_equal(unmerged_extents(w, 0) + unmerged_extents(w, 1), 0);
    check_topic(w, 0);
    check_topic(w, 1);
    // The heavy partition has an object of its own, all others share one.
    const struct extent *heavy = partition_extent(partition_of(w, 0, 3), 0);
    const struct extent *light = partition_extent(partition_of(w, 0, 4), 0);
    assert_int_equal(partition_extent_count(partition_of(w, 0, 3)), 1);
    assert_true(heavy->object != light->object);
    assert_int_equal(core_object_extents(w->core, heavy->object), 1);
    assert_int_equal(core_object_extents(w->core, light->object), 40);
    assert_int_equal(partition_extent(partition_of(w, 1, 0), 0)->object, light->object);
    // Every place that the cache finds is the start of a batch.
    struct object *pin = engine_object_pin(w->engine, heavy->object);
    for (int64_t offset = heavy->base_offset; offset < heavy->end_offset; offset++) {
        struct segment_place place;
        uint8_t head[BATCH_HEADER_SIZE];
        struct batch_header h;
        assert_int_equal(segment_cache_find_offset(w->segments, pin, heavy, offset, &place, NULL), ERR_OK);
        assert_int_equal(engine_object_read(w->engine, pin, place.position, head, sizeof head, NULL), ERR_OK);
        assert_int_equal(batch_header_read(bytes_of(head, sizeof head), &h, NULL), ERR_OK);
        assert_int_equal(h.base_offset, place.base_offset);
        assert_true(place.base_offset <= offset);
    }
    engine_object_unpin(w->engine, pin);
    // Nothing left to do: the next round changes nothing, and the one after it is far away.
    uint64_t lsn = core_lsn(w->core);
    round_ok(w);
    assert_int_equal(core_lsn(w->core), lsn);
    int64_t next_ns = 0;
    assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK);
    assert_false(keeper_is_behind(w->keeper));
    world_destroy(w);
}

// A partition with many tiny extents: REPLACE takes 256 at a time, and a join makes one of the pieces.
static void test_merge_many_extents(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 2, NULL, NULL);
    int64_t now_ms = clock_wall_ms(w->env->clock);
    for (int i = 0; i < 700; i++) {
        struct produce rows[] = {{0, 0, 1, 20, now_ms}, {0, 1, i % 3 == 0, 20, now_ms}};
        produce(w, rows, 2);
    }
    assert_int_equal(partition_extent_count(partition_of(w, 0, 0)), 700);
    round_ok(w);
    assert_int_equal(partition_extent_count(partition_of(w, 0, 0)), 1);
    assert_int_equal(partition_extent_count(partition_of(w, 0, 1)), 1);
    check_topic(w, 0);
    world_destroy(w);
}

// Small merged extents are rewritten together: their number stays bounded, and so does the number of objects.
static void test_merge_small_again(void **state)
{
    (void)state;
    struct world *w = world_create();
    w->options.merge_small_max = 4;
    world_close(w, true);
    world_open(w);
    topic_create(w, 0, 3, NULL, NULL);
    uint32_t most = 0;
    int64_t now_ms = clock_wall_ms(w->env->clock);
    for (int i = 0; i < 60; i++) {
        struct produce rows[] = {
            {0, 0, 1, 100, now_ms}, {0, 1, 2, 900, now_ms}, {0, 2, i % 10 == 0, 100, now_ms}};
        produce(w, rows, 3);
        round_ok(w);
        for (int32_t p = 0; p < 3; p++) {
            uint32_t count = partition_extent_count(partition_of(w, 0, p));
            most = count > most ? count : most;
        }
    }
    check_topic(w, 0);
    assert_in_range(most, 4, 14);
    assert_true(tally(w).merged < 30);
    assert_true(metric_value(w->keeper->merged_bytes) < 20 * (int64_t)w->expected[0][1].bytes.len);
    world_destroy(w);
}

// ---- races

static int race_step;

static void trim_first(struct world *w, const struct item *item)
{
    if (item->kind != ITEM_REPLACE || race_step++ > 0) {
        return;
    }
    struct item trim = {.kind = ITEM_TRIM, .version = 1};
    int64_t end_offset = item->replace.fresh_extents[item->replace.fresh_count - 1].end_offset;
    trim.trim = (struct item_trim){item->replace.topic_id, item->replace.partition, end_offset - 20};
    assert_int_equal(order_one(w, &trim).err, ERR_OK);
}

static void delete_first(struct world *w, const struct item *item)
{
    if (item->kind != ITEM_REPLACE || race_step++ > 0) {
        return;
    }
    struct item gone = {.kind = ITEM_TOPIC_DELETE, .version = 1};
    gone.topic_delete.topic_id = item->replace.topic_id;
    assert_int_equal(order_one(w, &gone).err, ERR_OK);
}

static void test_replace_races_trim(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 1, NULL, NULL);
    for (int i = 0; i < 300; i++) {
        produce_one(w, 0, 0, 1, 30);
    }
    race_step = 0;
    w->before_submit = trim_first;
    round_ok(w);
    w->before_submit = NULL;
    const struct partition *p = partition_of(w, 0, 0);
    assert_true(partition_log_start(p) > 0);
    assert_true(partition_log_start(p) < partition_high_watermark(p));
    check_topic(w, 0);
    assert_int_equal(unmerged_extents(w, 0), 0);
    produce_one(w, 0, 0, 1, 30);
    round_ok(w);
    check_topic(w, 0);
    world_destroy(w);
}

static void test_replace_races_delete(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 4, NULL, NULL);
    produce_mixed(w, 0, 4);
    race_step = 0;
    w->before_submit = delete_first;
    int64_t next_ns;
    w->keeper->merge = (struct keeper_work){0};
    assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK); // stale plans are no failure
    w->before_submit = NULL;
    assert_null(core_topic_find_id(w->core, topic_of(0)));
    for (int i = 0; i < 20 && tally(w).merged > 0; i++) { // lazily
        round_ok(w);
    }
    assert_int_equal(tally(w).merged, 0);
    world_destroy(w);
}

// ---- retention

static void test_retention_start(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 1, NULL, NULL);
    static const int64_t stamps[] = {100, -1, 300, 200, -1, 900};
    int64_t ends[6];
    for (int i = 0; i < 6; i++) {
        struct produce row = {0, 0, 1, 1000, stamps[i]};
        produce(w, &row, 1);
        ends[i] = w->expected[0][0].next_offset;
    }
    const struct partition *p = partition_of(w, 0, 0);
    assert_int_equal(partition_extent_count(p), 6);
    int64_t size = partition_extent(p, 0)->length;
    const struct {
        const char *what;
        bool is_deleted;
        int64_t retention_ms;
        int64_t retention_bytes;
        int64_t now_ms;
        int64_t start;
    } rows[] = {
        {"no limits", true, -1, -1, 1 << 20, 0},
        {"compact only", false, 10, 10, 1 << 20, 0},
        {"nothing is old enough", true, 100, -1, 200, 0},
        {"the first is", true, 100, -1, 201, ends[0]},
        {"an extent without timestamps goes with the next", true, 100, -1, 401, ends[3]},
        {"a younger one holds back what is behind it", true, 100, -1, 350, ends[0]},
        {"time empties a partition", true, 100, -1, 5000, ends[5]},
        {"retention 0", true, 0, -1, 901, ends[5]},
        {"retention longer than time", true, 5000, -1, 1000, 0},
        {"size: enough room", true, -1, 6 * size, 0, 0},
        {"size: a whole extent too much", true, -1, 5 * size, 0, ends[0]},
        {"size: less than an extent too much", true, -1, 5 * size + 1, 0, 0},
        {"size 0 keeps the newest", true, -1, 0, 0, ends[4]},
        {"both: time took more", true, 100, 5 * size, 401, ends[3]},
        {"both: size takes more", true, 100, 2 * size, 201, ends[3]},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct topic_settings settings = {.is_deleted = rows[i].is_deleted,
                                          .retention_ms = rows[i].retention_ms,
                                          .retention_bytes = rows[i].retention_bytes};
        int64_t start = keeper_retention_start(p, &settings, rows[i].now_ms);
        if (start != rows[i].start) {
            fail_msg("%s: %lld, not %lld", rows[i].what, (long long)start, (long long)rows[i].start);
        }
    }
    world_destroy(w);
}

static void test_retention_kafka46(void **state)
{
    (void)state;
    struct world *w = world_create();
    int64_t now_ms = clock_wall_ms(w->env->clock);
    topic_create(w, 0, 2, "retention.ms", "60000");
    topic_create(w, 1, 1, "retention.bytes", "1500");
    topic_create(w, 2, 1, "cleanup.policy", "compact");
    for (int i = 0; i < 4; i++) {
        struct produce rows[] = {{0, 0, 1, 1000, now_ms - 3600000},
                                 {0, 1, 1, 1000, i < 2 ? now_ms - 3600000 : now_ms},
                                 {1, 0, 1, 1000, now_ms},
                                 {2, 0, 1, 1000, 1000}};
        produce(w, rows, 4);
    }
    int64_t next_ns;
    assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK);
    // All of it was too old: offsets go on where they were.
    assert_int_equal(partition_log_start(partition_of(w, 0, 0)), w->expected[0][0].next_offset);
    assert_int_equal(partition_extent_count(partition_of(w, 0, 0)), 0);
    assert_int_equal(partition_log_start(partition_of(w, 0, 1)), w->expected[0][1].offsets[2]);
    // A segment goes only if what remains still reaches the limit.
    assert_int_equal(partition_log_start(partition_of(w, 1, 0)), w->expected[1][0].offsets[2]);
    assert_int_equal(partition_log_start(partition_of(w, 2, 0)), 0);
    for (uint8_t t = 0; t < 3; t++) {
        check_topic(w, t);
    }
    // What had expired was not copied first.
    assert_true(metric_value(w->keeper->merged_bytes) < 8 * 1200);
    // A changed limit takes effect without waiting for the interval.
    config_set(w, 2, "retention.ms", "1000");
    w->keeper->retained_ns = 1;
    assert_true(keeper_plan_next(w->keeper) <= clock_mono_ns(w->env->clock));
    round_ok(w);
    assert_int_equal(partition_extent_count(partition_of(w, 2, 0)), 0);
    world_destroy(w);
}

// After a start the newest bundle may be old: the keeper asks the engine for the time, once.
static void test_retention_asks_time(void **state)
{
    (void)state;
    struct world *w = world_create();
    w->options.merge_wal_bytes = 1 << 30;
    world_close(w, true);
    world_open(w);
    w->time_lag_ms = 7200000;
    topic_create(w, 0, 1, "retention.ms", "600000");
    struct produce row = {0, 0, 1, 100, clock_wall_ms(w->env->clock) - 3600000};
    produce(w, &row, 1);
    uint64_t lsn = core_lsn(w->core);
    round_ok(w); // the engine still says that it is early: believed, and not asked again
    round_ok(w);
    assert_int_equal(core_lsn(w->core), lsn + 1);
    assert_int_equal(partition_log_start(partition_of(w, 0, 0)), 0);
    w->keeper->is_time_asked = false; // as after a start
    w->time_lag_ms = 0;
    round_ok(w);
    assert_int_equal(partition_log_start(partition_of(w, 0, 0)), w->expected[0][0].next_offset);
    world_destroy(w);
}

// ---- snapshots and log files

static void test_snapshot_and_reopen(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 20, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        produce_mixed(w, 0, 20);
        round_ok(w);
    }
    produce_mixed(w, 0, 20);      // in the log only
    w->keeper->snapshot_step = 1; // many slices
    uint64_t cut_lsn = core_lsn(w->core);
    assert_int_equal(keeper_snapshot_now(w->keeper, NULL), ERR_OK);
    struct engine_status status;
    engine_status(w->engine, &status);
    assert_int_equal(status.snapshot_lsn, cut_lsn);
    assert_true(status.durable_lsn >= cut_lsn); // appends here do not sync, but a snapshot must not run ahead
    produce_mixed(w, 0, 20);                    // after it
    uint64_t hash = core_state_hash(w->core);
    uint64_t lsn = core_lsn(w->core);
    for (int i = 0; i < 2; i++) {
        world_close(w, i == 0);
        world_open(w);
        assert_int_equal(core_lsn(w->core), lsn);
        assert_int_equal(core_state_hash(w->core), hash);
        check_topic(w, 0);
        assert_int_equal(keeper_after_recovery(w->keeper, NULL), ERR_OK);
        check_topic(w, 0);
    }
    world_destroy(w);
}

static void test_orphans_go(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 4, NULL, NULL);
    produce_mixed(w, 0, 4);
    round_ok(w);
    uint32_t merged = tally(w).merged;
    struct segment_writer *writer = NULL; // a merge that died between seal and REPLACE
    assert_int_equal(segment_writer_create(w->engine, &writer, NULL), ERR_OK);
    uint64_t object = 0;
    assert_int_equal(segment_writer_finish(writer, &object, NULL), ERR_OK);
    segment_writer_destroy(writer);
    assert_int_equal(tally(w).merged, merged + 1);
    round_ok(w); // a running keeper does not touch it
    assert_int_equal(tally(w).merged, merged + 1);
    world_close(w, false);
    world_open(w);
    assert_int_equal(keeper_after_recovery(w->keeper, NULL), ERR_OK);
    assert_int_equal(tally(w).merged, merged);
    check_topic(w, 0);
    world_destroy(w);
}

static void test_log_is_recycled(void **state)
{
    (void)state;
    struct world *w = world_create();
    w->options.merge_wal_bytes = 1 << 20;
    w->options.merge_own_bytes = 256 << 10;
    world_close(w, true);
    world_open(w);
    topic_create(w, 0, 8, "retention.bytes", "200000");
    uint32_t most = 0;
    uint64_t produced = 0;
    while (produced < 20 * (uint64_t)WAL_FILE) {
        struct produce rows[8];
        for (int32_t p = 0; p < 8; p++) {
            rows[p] = (struct produce){0, p, 4, 4000, clock_wall_ms(w->env->clock)};
        }
        produce(w, rows, 8);
        produced += 8 * 4 * 4000;
        int64_t next_ns;
        assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK);
        struct tally t = tally(w);
        most = t.wal > most ? t.wal : most;
    }
    check_topic(w, 0);
    assert_in_range(most, 1, 6);
    assert_in_range(tally(w).merged, 1, 20);
    for (int32_t p = 0; p < 8; p++) {
        assert_true(partition_log_start(partition_of(w, 0, p)) > 0);
        assert_true(partition_bytes(partition_of(w, 0, p)) < 600000);
    }
    world_destroy(w);
}

// ---- rot

static void rot(struct world *w, const struct extent *extent, int64_t at)
{
    char path[64];
    snprintf(path, sizeof path, "wal/%020llu.wal", (unsigned long long)extent->object);
    struct file *file = NULL;
    assert_int_equal(disk_open(w->env->disk, str_from_c(path), DISK_WRITE, &file, NULL), ERR_OK);
    uint8_t byte = 0;
    size_t len = 0;
    assert_int_equal(file_read_full(file, extent->position + at, &byte, 1, &len, NULL), ERR_OK);
    byte ^= 0x40;
    assert_int_equal(file_write_bytes(file, extent->position + at, bytes_of(&byte, 1), NULL), ERR_OK);
    file_close(file);
}

static void test_rot_stays(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 3, NULL, NULL);
    for (int i = 0; i < 10; i++) {
        produce_mixed(w, 0, 3);
    }
    static const struct {
        int32_t partition;
        uint32_t extent;
        int64_t at;
    } rows[] = {{0, 4, 65}, {1, 0, 8}, {1, 9, 23}, {2, 5, 70}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rot(w, partition_extent(partition_of(w, 0, rows[i].partition), rows[i].extent), rows[i].at);
    }
    round_ok(w);
    assert_int_equal(unmerged_extents(w, 0), 4);
    assert_int_equal(metric_value(w->keeper->damaged_extents), 4);
    const struct partition *p = partition_of(w, 0, 0);
    assert_int_equal(partition_extent_count(p), 3); // merged, rotten, merged
    assert_true((partition_extent(p, 0)->flags & EXTENT_FINAL) != 0);
    assert_true((partition_extent(p, 1)->flags & EXTENT_FINAL) == 0);
    assert_int_equal(partition_extent_count(partition_of(w, 0, 1)), 3);
    // Reported once; it does not keep the keeper busy, and the rest goes on.
    produce_mixed(w, 0, 3);
    round_ok(w);
    assert_int_equal(unmerged_extents(w, 0), 4);
    assert_int_equal(metric_value(w->keeper->damaged_extents), 4);
    uint64_t lsn = core_lsn(w->core);
    round_ok(w);
    assert_int_equal(core_lsn(w->core), lsn);
    // Put right again, the bytes are what they were: nothing was rewritten on the way.
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct partition *q = partition_of(w, 0, rows[i].partition);
        for (uint32_t j = 0, seen = 0; j < partition_extent_count(q); j++) {
            const struct extent *x = partition_extent(q, j);
            if ((x->flags & EXTENT_FINAL) == 0 && (rows[i].partition != 1 || seen++ == (uint32_t)i - 1)) {
                rot(w, x, rows[i].at);
            }
        }
    }
    check_topic(w, 0);
    world_destroy(w);
}

static struct object *lost_pin(struct engine *engine, uint64_t object)
{
    (void)engine, (void)object;
    return NULL;
}

// An object that the state names and the disk lacks: the same as rot.
static void test_lost_object(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 3, NULL, NULL);
    produce_mixed(w, 0, 3);
    w->ops.object_pin = lost_pin;
    w->engine->ops = &w->ops;
    int64_t next_ns;
    assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK);
    w->engine->ops = w->real_ops;
    assert_int_equal(unmerged_extents(w, 0), 3);
    assert_int_equal(metric_value(w->keeper->damaged_extents), 3);
    check_topic(w, 0);
    world_destroy(w);
}

// ---- faults

static bool fault(void)
{
    return current->faults_after >= 0 && current->faults_after-- <= 0;
}

static enum err faulty_create(struct engine *engine, uint64_t *ret_object, struct error *e)
{
    return fault() ? FAIL(e, ERR_NO_SPACE, "planted")
                   : current->real_ops->object_create(engine, ret_object, e);
}

static enum err faulty_append(struct engine *engine, uint64_t object, struct bytes data, struct error *e)
{
    return fault() ? FAIL(e, ERR_NO_SPACE, "planted")
                   : current->real_ops->object_append(engine, object, data, e);
}

static enum err faulty_order(struct engine *engine, const struct bundle *b, bool is_control,
                             struct ordered *ret, struct error *e)
{
    return fault() ? FAIL(e, ERR_STORAGE, "planted")
                   : current->real_ops->order(engine, b, is_control, ret, e);
}

static enum err faulty_snapshot(struct engine *engine, uint64_t lsn, struct bytes part, bool is_last,
                                struct error *e)
{
    if (fault()) {
        (void)current->real_ops->snapshot_write(engine, 0, part, true, NULL); // discards the unfinished one
        return FAIL(e, ERR_NO_SPACE, "planted");
    }
    return current->real_ops->snapshot_write(engine, lsn, part, is_last, e);
}

static enum err faulty_lease(struct engine *engine, struct str name, int64_t duration_ms, struct error *e)
{
    return fault() ? FAIL(e, ERR_STALE, "planted") : current->real_ops->lease(engine, name, duration_ms, e);
}

// The engine fails from its n-th verb on, for every n: no data is lost, no object is left over, and when it
// works again the work is done.
static void test_every_failure(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 5, "retention.bytes", "100000");
    bool was_reached = true;
    for (int32_t n = 0; was_reached; n++) {
        assert_true(n < 200);
        for (int i = 0; i < 3; i++) {
            produce_mixed(w, 0, 5);
        }
        w->ops.object_create = faulty_create;
        w->ops.object_append = faulty_append;
        w->ops.order = faulty_order;
        w->ops.snapshot_write = n % 2 == 0 ? w->real_ops->snapshot_write : faulty_snapshot;
        w->ops.lease = n % 3 == 0 ? faulty_lease : w->real_ops->lease;
        w->engine->ops = &w->ops;
        w->faults_after = n;
        int64_t next_ns;
        w->keeper->merge = w->keeper->snapshot = w->keeper->retention = (struct keeper_work){0};
        w->options.snapshot_wal_bytes = 1;
        (void)keeper_round(w->keeper, &next_ns, NULL);
        was_reached = w->faults_after < 0;
        w->faults_after = -1;
        w->engine->ops = w->real_ops;
        check_topic(w, 0);
        round_ok(w);
        check_topic(w, 0);
        assert_int_equal(unmerged_extents(w, 0), 0);
    }
    world_close(w, true);
    world_open(w);
    check_topic(w, 0);
    uint32_t merged = tally(w).merged;
    assert_int_equal(keeper_after_recovery(w->keeper, NULL), ERR_OK);
    assert_int_equal(tally(w).merged, merged); // no orphans
    world_destroy(w);
}

// Failures are retried later, and later each time.
static void test_backoff(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 5, NULL, NULL);
    produce_mixed(w, 0, 5);
    w->ops.object_create = faulty_create;
    w->engine->ops = &w->ops;
    int64_t wait_ns = 0;
    for (int i = 0; i < 4; i++) {
        w->faults_after = 0;
        w->keeper->merge.retry_ns = 0;
        int64_t next_ns;
        assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_NO_SPACE);
        int64_t now_wait_ns = w->keeper->merge.retry_ns - clock_mono_ns(w->env->clock);
        assert_true(now_wait_ns > wait_ns);
        wait_ns = now_wait_ns;
        w->faults_after = 0;
        assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK); // not due: not tried
        assert_int_equal(w->faults_after, 0);
    }
    w->faults_after = -1;
    round_ok(w);
    assert_int_equal(unmerged_extents(w, 0), 0);
    assert_int_equal(w->keeper->merge.backoff_ms, 0);
    world_destroy(w);
}

// ---- the thread

static void wait_until_merged(struct world *w)
{
    mutex_lock(&w->lock);
    while (unmerged_extents(w, 0) > 0) {
        cond_wait(&w->applied, &w->lock, CLOCK_NEVER);
    }
    mutex_unlock(&w->lock);
}

static void test_thread(void **state)
{
    (void)state;
    struct world *w = world_create();
    w->options.merge_wal_bytes = 50000;
    world_close(w, true);
    world_open(w);
    topic_create(w, 0, 8, NULL, NULL);
    keeper_start(w->keeper);
    for (int i = 0; i < 30; i++) {
        produce_mixed(w, 0, 8);
    }
    wait_until_merged(w);
    keeper_stop(w->keeper);
    check_topic(w, 0);
    // Stopped in the midst of whatever it does, and started again.
    for (int i = 0; i < 10; i++) {
        keeper_start(w->keeper);
        produce_mixed(w, 0, 8);
        keeper_stop(w->keeper);
        check_topic(w, 0);
    }
    round_ok(w);
    assert_int_equal(unmerged_extents(w, 0), 0);
    check_topic(w, 0);
    world_destroy(w);
}

// Idle: it sleeps for long. Behind: it says so.
static void test_idle_and_behind(void **state)
{
    (void)state;
    struct world *w = world_create();
    w->options.merge_wal_bytes = 10000;
    w->options.merge_age_ms = 3600000;
    world_close(w, true);
    world_open(w);
    int64_t next_ns = 0;
    for (int i = 0; i < 10; i++) { // the engine prepares its next file
        round_ok(w);
        assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK);
    }
    assert_true(next_ns == INT64_MAX);
    topic_create(w, 0, 2, "retention.ms", "86400000");
    produce_one(w, 0, 0, 1, 100);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK);
    }
    // The engine's idle mark may be due soon; nothing of the keeper's own is within the next minutes.
    w->keeper->maintain_ns = INT64_MAX;
    assert_true(keeper_plan_next(w->keeper) > clock_mono_ns(w->env->clock) + 60 * 1000000000LL);
    assert_int_equal(unmerged_extents(w, 0), 1);
    assert_false(keeper_is_behind(w->keeper));
    produce_one(w, 0, 1, 1, 30000);
    assert_true(keeper_is_behind(w->keeper));
    round_ok(w);
    assert_false(keeper_is_behind(w->keeper));
    assert_int_equal(unmerged_extents(w, 0), 0);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_merge_many_extents),
        cmocka_unit_test(test_merge_small_again),
        cmocka_unit_test(test_replace_races_trim),
        cmocka_unit_test(test_replace_races_delete),
        cmocka_unit_test(test_retention_start),
        cmocka_unit_test(test_retention_kafka46),
        cmocka_unit_test(test_retention_asks_time),
        cmocka_unit_test(test_snapshot_and_reopen),
        cmocka_unit_test(test_orphans_go),
        cmocka_unit_test(test_log_is_recycled),
        cmocka_unit_test(test_rot_stays),
        cmocka_unit_test(test_lost_object),
        cmocka_unit_test(test_every_failure),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_idle_and_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
