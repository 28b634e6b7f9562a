// SPDX-License-Identifier: Apache-2.0
#include "broker/test_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/local/local.h"
#include "platform/real/real.h"

enum { PATIENCE_S = 120 };

static void check(enum err err, const struct error *e)
{
    if (err != ERR_OK) {
        fail_msg("%s: %s", err_name(err), e->text);
    }
}

static void on_fatal(void *arg, const struct error *e)
{
    (void)arg;
    fail_msg("the engine failed: %s", e->text);
}

static void on_line(void *arg, enum trace_level level, struct str line)
{
    struct rig *rig = arg;
    (void)level;
    for (size_t i = 0; i + 10 <= line.len; i++) {
        if (memcmp(line.ptr + i, "is damaged", 10) == 0) {
            __atomic_add_fetch(&rig->damage_told, 1, __ATOMIC_RELAXED);
            break;
        }
    }
    if (getenv("STROM_TEST_TRACE") != NULL) {
        print_message(STR_FMT "\n", STR_ARG(line));
    }
}

void rig_init(struct rig *rig)
{
    *rig = (struct rig){
        .dir = "/tmp/strom-broker-XXXXXX", .wal_file_bytes = 8 << 20, .tail_cache_bytes = 4 << 20};
    assert_non_null(mkdtemp(rig->dir));
    arena_init(&rig->arena, 512 << 20);
}

void rig_set(struct rig *rig, const char *key, const char *value)
{
    uint32_t at = rig->config_count;
    assert_true(at < RIG_CONFIGS_MAX);
    while (at > 0 && str_compare(rig->configs[at - 1].key, str_from_c(key)) > 0) {
        rig->configs[at] = rig->configs[at - 1];
        at--;
    }
    rig->configs[at] = (struct item_config){str_from_c(key), str_from_c(value)};
    rig->config_count++;
}

static void loop_main(void *arg)
{
    loop_run(arg);
}

void rig_start(struct rig *rig)
{
    struct error e = {0};
    struct engine_local_options engine_options;
    engine_local_options_init(&engine_options);
    engine_options.wal_file_bytes = rig->wal_file_bytes;
    engine_options.wal_first_bytes = 256 << 10;
    engine_options.disk_reserve_bytes = rig->disk_reserve_bytes;
    engine_options.fatal = on_fatal;
    check(real_env_open(str_from_c(rig->dir), &rig->env, &e), &e);
    check(engine_local_open(rig->env, &engine_options, &rig->engine, &e), &e);
    mutex_init(&rig->lock, rig->env->threads);
    cond_init(&rig->done, rig->env->threads);
    rig->metrics = metrics_create();
    rig->pool = pool_create(rig->env, 256 << 20, 4 << 20);
    rig->tracer = tracer_create(rig->env, TRACE_INFO, on_line, rig);
    const struct broker_options options = {
        .static_configs = rig->configs,
        .static_config_count = rig->config_count,
        .node_id = 1,
        .cluster_id = engine_local_cluster_id(rig->engine),
        .tail_cache_bytes = rig->tail_cache_bytes,
        .segment_cache_bytes = 1 << 20,
        .tracer = rig->tracer,
        .metrics = rig->metrics,
        .pool = rig->pool,
        .policy = rig->policy,
    };
    check(broker_open(rig->env, rig->engine, &options, &rig->broker, &e), &e);
    check(broker_start(rig->broker, &e), &e);
    rig->loop = loop_create(rig->env);
    rig->port = broker_port_create(rig->broker, rig->loop);
    produce_lane_init(&rig->lane);
    rig->thread = thread_start(rig->env->threads, "loop", loop_main, rig->loop);
}

void rig_stop(struct rig *rig)
{
    loop_stop(rig->loop);
    thread_join(rig->env->threads, rig->thread);
    if (!rig->broker->is_stopping) { // else the test did
        broker_stop(rig->broker);
    }
    broker_port_destroy(rig->port);
    loop_destroy(rig->loop);
    broker_destroy(rig->broker);
    engine_stop(rig->engine);
    engine_close(rig->engine, true);
    assert_int_equal(pool_used_bytes(rig->pool), 0);
    pool_destroy(rig->pool);
    tracer_destroy(rig->tracer);
    metrics_destroy(rig->metrics);
    cond_fini(&rig->done);
    mutex_fini(&rig->lock);
    real_env_close(rig->env);
}

void rig_fini(struct rig *rig)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", rig->dir);
    assert_int_equal(system(command), 0);
    arena_fini(&rig->arena);
}

// ---- calls

static void on_call(struct task *task)
{
    struct rig_call *call = (struct rig_call *)(void *)((char *)task - offsetof(struct rig_call, task));
    call->fn(call);
}

void rig_begin(struct rig *rig, struct rig_call *call, void (*fn)(struct rig_call *call), void *arg)
{
    *call = (struct rig_call){.task = {.run = on_call}, .rig = rig, .fn = fn, .arg = arg};
    loop_post(rig->loop, &call->task);
}

void rig_wait(struct rig_call *call)
{
    struct rig *rig = call->rig;
    int64_t until_ns = clock_mono_ns(rig->env->clock) + PATIENCE_S * 1000000000LL;
    mutex_lock(&rig->lock);
    while (!call->is_done) {
        if (!cond_wait(&rig->done, &rig->lock, until_ns)) {
            fail_msg("an op was never completed");
        }
    }
    mutex_unlock(&rig->lock);
}

bool rig_is_done(struct rig_call *call)
{
    mutex_lock(&call->rig->lock);
    bool is_done = call->is_done;
    mutex_unlock(&call->rig->lock);
    return is_done;
}

void rig_done(struct rig_call *call)
{
    mutex_lock(&call->rig->lock);
    assert_false(call->is_done); // exactly once
    call->is_done = true;
    cond_broadcast(&call->rig->done);
    mutex_unlock(&call->rig->lock);
}

// ---- changes

void topic_make(struct rig *rig, const char *name, int32_t partitions)
{
    struct error e = {0};
    struct item item;
    struct outcome outcome;
    static const struct item_config quick = {{"strom.durability", 16}, {"os", 2}}; // no sync per batch
    const struct topic_spec spec = {.name = str_from_c(name),
                                    .partition_count = partitions,
                                    .replication_factor = -1,
                                    .configs = &quick,
                                    .config_count = 1};
    check(broker_plan_topic(rig->broker, &spec, &rig->arena, &item, &e), &e);
    check(broker_change_wait(rig->broker, &item, &outcome, &e), &e);
}

void topic_drop(struct rig *rig, const char *name)
{
    struct error e = {0};
    struct item item;
    struct outcome outcome;
    check(broker_plan_topic_delete(rig->broker, str_from_c(name), (struct uuid){{0}}, &item, &e), &e);
    check(broker_change_wait(rig->broker, &item, &outcome, &e), &e);
}

void topic_trim(struct rig *rig, const char *name, int64_t offset)
{
    struct error e = {0};
    struct item item;
    struct outcome outcome;
    check(broker_plan_trim(rig->broker, str_from_c(name), 0, offset, &item, &e), &e);
    check(broker_change_wait(rig->broker, &item, &outcome, &e), &e);
}

// ---- produce

struct bytes batch_make(struct rig *rig, int32_t count, size_t size, int64_t timestamp)
{
    struct batch_options options = batch_options_default();
    struct batch_builder builder;
    struct buf out;
    struct error e = {0};
    uint8_t *value = arena_alloc(&rig->arena, size + 1);
    assert_non_null(value);
    memset(value, 'v', size);
    buf_init(&out, 64 << 20);
    batch_builder_init(&builder, &options);
    for (int32_t i = 0; i < count; i++) {
        batch_builder_append(&builder, timestamp + i, bytes_of("k", 1), bytes_of(value, size), NULL, 0);
    }
    check(batch_builder_finish(&builder, &out, &e), &e);
    uint8_t *copy = arena_alloc(&rig->arena, out.len);
    assert_non_null(copy);
    memcpy(copy, out.ptr, out.len);
    struct bytes batch = bytes_of(copy, out.len);
    batch_builder_fini(&builder);
    buf_fini(&out);
    return batch;
}

struct producing {
    struct rig_call call;
    struct produce_op op;
};

static void on_produced(struct produce_op *op)
{
    rig_done(&((struct producing *)(void *)((char *)op - offsetof(struct producing, op)))->call);
}

static void produce_on_loop(struct rig_call *call)
{
    struct producing *p = call->arg;
    broker_produce(call->rig->broker, &p->op);
}

void produce_parts(struct rig *rig, struct produce_part *parts, uint32_t count)
{
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        total += parts[i].batch.len;
    }
    struct chunk *chunk = chunk_get(rig->pool, total + 1);
    assert_non_null(chunk);
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(chunk->ptr + at, parts[i].batch.ptr, parts[i].batch.len);
        parts[i].batch.ptr = chunk->ptr + at;
        parts[i].chunk = chunk;
        at += parts[i].batch.len;
    }
    struct producing p = {.op = {.port = rig->port,
                                 .arena = &rig->arena,
                                 .parts = parts,
                                 .part_count = count,
                                 .lane = &rig->lane,
                                 .adds_to_txn = true,
                                 .is_zstd_allowed = true,
                                 .done = on_produced}};
    rig_begin(rig, &p.call, produce_on_loop, &p);
    rig_wait(&p.call);
    chunk_unref(chunk);
}

int64_t produce(struct rig *rig, const char *topic, int32_t partition, struct bytes batch)
{
    struct produce_part part = {.topic_name = str_from_c(topic), .partition = partition, .batch = batch};
    produce_parts(rig, &part, 1);
    if (part.err != ERR_OK) {
        fail_msg("%s: %s", err_name(part.err), part.text);
    }
    return part.base_offset;
}

// ---- fetch

static void on_fetched(struct fetch_op *op)
{
    rig_done(&((struct fetching *)(void *)((char *)op - offsetof(struct fetching, op)))->call);
}

static void fetch_on_loop(struct rig_call *call)
{
    struct fetching *f = call->arg;
    broker_fetch(call->rig->broker, &f->op);
}

void fetch_begin(struct rig *rig, struct fetching *f, struct fetch_part *parts, uint32_t count,
                 int32_t wait_ms, int32_t bytes_min, int32_t bytes_max)
{
    *f = (struct fetching){.op = {.port = rig->port,
                                  .parts = parts,
                                  .part_count = count,
                                  .wait_ms_max = wait_ms,
                                  .bytes_min = bytes_min,
                                  .bytes_max = bytes_max,
                                  .is_read_committed = rig->reads_committed,
                                  .done = on_fetched}};
    rig_begin(rig, &f->call, fetch_on_loop, f);
}

static void cancel_on_loop(struct rig_call *call)
{
    broker_fetch_cancel(call->rig->broker, call->arg);
    rig_done(call);
}

void fetch_cancel(struct fetching *f)
{
    struct rig_call call;
    rig_begin(f->call.rig, &call, cancel_on_loop, &f->op);
    rig_wait(&call);
}

struct fetch_part fetch_part_of(const char *topic, int32_t partition, int64_t offset)
{
    return (struct fetch_part){.topic_name = str_from_c(topic),
                               .partition = partition,
                               .offset = offset,
                               .current_leader_epoch = -1,
                               .last_fetched_epoch = -1,
                               .bytes_max = 1 << 20};
}

struct reading {
    struct rig_call call;
    struct fetch_part *part;
    struct buf bytes;
    enum err err;
};

static void read_on_loop(struct rig_call *call)
{
    struct reading *r = call->arg;
    struct broker *b = call->rig->broker;
    struct error e = {0};
    for (uint32_t i = 0; i < r->part->slice_count && r->err == ERR_OK; i++) {
        struct fetch_slice *slice = &r->part->slices[i];
        while (slice->length > 0 && r->err == ERR_OK) {
            struct fetch_piece piece;
            r->err = broker_slice_next(b, slice, &piece, &e);
            if (r->err == ERR_OK && piece.file != NULL) {
                uint8_t *out = buf_reserve(&r->bytes, piece.length);
                r->err = file_read_exact(piece.file, piece.position, out, piece.length, &e);
                r->bytes.len += piece.length;
            } else if (r->err == ERR_OK) {
                buf_append(&r->bytes, piece.ptr, piece.length);
                chunk_unref(piece.chunk);
            }
        }
    }
    rig_done(call);
}

struct got fetch_read(struct rig *rig, struct fetching *f, uint32_t part)
{
    struct reading r = {.part = &f->op.parts[part]};
    buf_init(&r.bytes, 256 << 20);
    rig_begin(rig, &r.call, read_on_loop, &r);
    rig_wait(&r.call);
    struct got got = {.err = r.err, .first_offset = -1, .next_offset = -1, .bytes = (uint32_t)r.bytes.len};
    size_t at = 0;
    while (at < r.bytes.len) {
        struct batch_header header;
        struct bytes rest = bytes_of(r.bytes.ptr + at, r.bytes.len - at);
        assert_int_equal(batch_header_read(rest, &header, NULL), ERR_OK);
        assert_true(header.size <= rest.len); // batches are whole
        assert_true(batch_crc_check(bytes_of(rest.ptr, header.size)));
        if (got.batches == 0) {
            got.first_offset = header.base_offset;
        } else {
            assert_int_equal(header.base_offset, got.next_offset);
        }
        got.next_offset = batch_last_offset(&header) + 1;
        got.batches++;
        at += header.size;
    }
    buf_fini(&r.bytes);
    return got;
}

static void release_on_loop(struct rig_call *call)
{
    broker_fetch_release(call->rig->broker, call->arg);
    rig_done(call);
}

void fetch_end(struct rig *rig, struct fetching *f)
{
    struct rig_call call;
    rig_begin(rig, &call, release_on_loop, &f->op);
    rig_wait(&call);
}

struct got fetch_all(struct rig *rig, const char *topic, int64_t offset, int32_t bytes_max)
{
    struct got all = {.first_offset = -1, .next_offset = offset};
    for (;;) {
        struct fetch_part part = fetch_part_of(topic, 0, all.next_offset);
        part.bytes_max = bytes_max;
        struct fetching f;
        fetch_begin(rig, &f, &part, 1, 0, 1, bytes_max);
        rig_wait(&f.call);
        struct got got = fetch_read(rig, &f, 0);
        fetch_end(rig, &f);
        if (part.err != ERR_OK || got.err != ERR_OK) {
            all.err = part.err != ERR_OK ? part.err : got.err;
            return all;
        }
        if (got.batches == 0) {
            assert_int_equal(all.next_offset, part.high_watermark);
            return all;
        }
        // The first batch holds the offset asked for; none comes twice.
        assert_true(got.first_offset <= all.next_offset && got.next_offset > all.next_offset);
        assert_true(all.batches == 0 || got.first_offset == all.next_offset);
        all.first_offset = all.batches == 0 ? got.first_offset : all.first_offset;
        all.next_offset = got.next_offset;
        all.batches += got.batches;
        all.bytes += got.bytes;
    }
}

static void list_on_loop(struct rig_call *call)
{
    broker_list_offset(call->rig->port, call->arg);
    rig_done(call);
}

void list_offset(struct rig *rig, const char *topic, int64_t timestamp, struct offset_query *ret)
{
    struct rig_call call;
    *ret = (struct offset_query){
        .topic_name = str_from_c(topic), .current_leader_epoch = -1, .timestamp = timestamp};
    rig_begin(rig, &call, list_on_loop, ret);
    rig_wait(&call);
}
