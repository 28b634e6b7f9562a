// SPDX-License-Identifier: Apache-2.0
// segment_writer.c - writes one merged object front to back; the footer is gathered in memory on the way.
// The first failure stays: later calls return it, finish too, and destroy drops the object.
#include "keeper/segment_private.h"

#include "base/assert.h"
#include "base/mem.h"

enum {
    WRITER_BUFFER_SIZE = 1 << 20,
    WRITER_LARGE_SIZE = 16 << 10, // not gathered here: the engine gathers, too
    WRITER_RUNS_LIMIT = SEGMENT_RUNS_MAX * SEGMENT_RUN_SIZE,
    WRITER_ENTRIES_LIMIT = SEGMENT_ENTRIES_MAX * SEGMENT_ENTRY_SIZE,
};

struct segment_writer {
    struct engine *engine;
    uint64_t object;
    uint64_t bytes; // of batches so far
    struct buf buffer;
    struct buf rows;
    struct buf entries;
    uint32_t run_count;
    uint32_t entry_count;
    struct segment_run run;
    uint32_t entry_position; // relative position of the run's last entry; 0 = its start
    bool is_in_run;
    bool is_finished;
    struct error error; // sticky
};

enum err segment_writer_create(struct engine *engine, struct segment_writer **ret_writer, struct error *e)
{
    uint64_t object = 0;
    enum err err = engine_object_create(engine, &object, e);
    if (err != ERR_OK) {
        return err;
    }
    struct segment_writer *w = mem_zalloc(sizeof *w);
    w->engine = engine;
    w->object = object;
    buf_init(&w->buffer, WRITER_BUFFER_SIZE);
    buf_init(&w->rows, (size_t)WRITER_RUNS_LIMIT + WRITER_ENTRIES_LIMIT + SEGMENT_TRAILER_SIZE);
    buf_init(&w->entries, WRITER_ENTRIES_LIMIT);
    *ret_writer = w;
    return ERR_OK;
}

void segment_writer_destroy(struct segment_writer *take_writer)
{
    struct segment_writer *w = take_writer;
    if (w == NULL) {
        return;
    }
    if (!w->is_finished) {
        engine_object_drop(w->engine, w->object);
    }
    buf_fini(&w->buffer);
    buf_fini(&w->rows);
    buf_fini(&w->entries);
    mem_free(w);
}

uint64_t segment_writer_bytes(const struct segment_writer *w)
{
    return w->bytes;
}

void segment_writer_run_begin(struct segment_writer *w, struct uuid topic_id, int32_t partition)
{
    ASSERT(!w->is_in_run);
    ASSERT(partition >= 0);
    w->is_in_run = true;
    w->entry_position = 0;
    w->run = (struct segment_run){
        .topic_id = topic_id,
        .partition = partition,
        .position = (int64_t)w->bytes,
        .max_timestamp = INT64_MIN,
        .entry_first = w->entry_count,
    };
}

static enum err segment_writer_flush(struct segment_writer *w)
{
    if (w->buffer.len > 0 && w->error.code == ERR_OK) {
        if (engine_object_append(w->engine, w->object, buf_bytes(&w->buffer), &w->error) == ERR_OK) {
            buf_reset(&w->buffer);
        }
    }
    return w->error.code;
}

static void segment_writer_append(struct segment_writer *w, struct bytes data)
{
    bool is_large = data.len >= WRITER_LARGE_SIZE;
    if ((is_large || w->buffer.len + data.len > WRITER_BUFFER_SIZE) && segment_writer_flush(w) != ERR_OK) {
        return;
    }
    if (is_large) {
        (void)engine_object_append(w->engine, w->object, data, &w->error);
        return;
    }
    buf_append(&w->buffer, data.ptr, data.len);
    ASSERT(!w->buffer.failed);
}

// An entry comes before the first batch that lies a whole interval behind the last entry.
static void segment_writer_index(struct segment_writer *w, const struct batch_header *header)
{
    if (w->run.length - w->entry_position < SEGMENT_INDEX_INTERVAL_BYTES) {
        return;
    }
    struct segment_entry entry = {
        .relative_offset = (uint64_t)(header->base_offset - w->run.base_offset),
        .relative_position = w->run.length,
        .max_timestamp = w->run.max_timestamp,
    };
    segment_entry_encode(&entry, &w->entries);
    w->entry_position = w->run.length;
    w->entry_count++;
    w->run.entry_count++;
}

enum err segment_writer_batch(struct segment_writer *w, const struct batch_header *header, struct bytes batch,
                              struct error *e)
{
    ASSERT(w->is_in_run);
    ASSERT(batch.len == header->size);
    ASSERT(w->run.length == 0 || header->base_offset >= w->run.end_offset);
    if (w->error.code == ERR_OK && batch.len > UINT32_MAX - w->run.length) {
        (void)FAIL(&w->error, ERR_BATCH_TOO_LARGE, "segment: a run is over 4 GiB");
    }
    if (w->error.code == ERR_OK && w->run.length == 0) {
        w->run.base_offset = header->base_offset;
        w->run.leader_epoch = header->leader_epoch;
    }
    if (w->error.code == ERR_OK) {
        ASSERT(w->run.leader_epoch == header->leader_epoch);
        segment_writer_index(w, header);
        segment_writer_append(w, batch);
    }
    if (w->error.code != ERR_OK) {
        return FAIL(e, w->error.code, "%s", w->error.text);
    }
    uint32_t records = (uint32_t)header->record_count;
    w->run.record_count +=
        records > UINT32_MAX - w->run.record_count ? UINT32_MAX - w->run.record_count : records;
    w->run.length += (uint32_t)batch.len;
    w->run.end_offset = batch_last_offset(header) + 1;
    if (header->max_timestamp > w->run.max_timestamp) {
        w->run.max_timestamp = header->max_timestamp;
    }
    w->bytes += batch.len;
    return ERR_OK;
}

void segment_writer_run_end(struct segment_writer *w, struct extent *ret_extent)
{
    ASSERT(w->is_in_run);
    w->is_in_run = false;
    *ret_extent = (struct extent){
        .base_offset = w->run.base_offset,
        .end_offset = w->run.end_offset,
        .object = w->object,
        .position = w->run.position,
        .length = w->run.length,
        .record_count = w->run.record_count,
        .max_timestamp = w->run.max_timestamp,
        .leader_epoch = w->run.leader_epoch,
        .flags = EXTENT_FINAL,
    };
    if (w->run.length > 0) {
        segment_run_encode(&w->run, &w->rows);
        w->run_count++;
    }
}

enum err segment_writer_finish(struct segment_writer *w, uint64_t *ret_object, struct error *e)
{
    ASSERT(!w->is_in_run && !w->is_finished);
    if (w->error.code == ERR_OK &&
        (w->run_count > SEGMENT_RUNS_MAX || w->entry_count > SEGMENT_ENTRIES_MAX)) {
        (void)FAIL(&w->error, ERR_NO_MEMORY, "segment: %u runs, %u index entries are too many", w->run_count,
                   w->entry_count);
    }
    if (segment_writer_flush(w) != ERR_OK) {
        return FAIL(e, w->error.code, "%s", w->error.text);
    }
    buf_append(&w->rows, w->entries.ptr, w->entries.len);
    segment_trailer_encode((int64_t)w->bytes, w->run_count, w->entry_count, &w->rows);
    ASSERT(!w->rows.failed && !w->entries.failed);
    enum err err = engine_object_append(w->engine, w->object, buf_bytes(&w->rows), &w->error);
    if (err == ERR_OK) {
        err = engine_object_seal(w->engine, w->object, &w->error);
    }
    if (err != ERR_OK) {
        return FAIL(e, err, "%s", w->error.text);
    }
    w->is_finished = true;
    *ret_object = w->object;
    return ERR_OK;
}
