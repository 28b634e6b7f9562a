// SPDX-License-Identifier: Apache-2.0
// read.c - from extents to bytes. Batches in the WAL lack their offsets and are copied out, patched, from the
// tail cache or the disk; merged objects hold the wire format and are sent from the file.
#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"
#include "broker/broker_private.h"
#include "record/build.h"

enum {
    SEND_FILE_BYTES_MIN = 16384, // below, copying is cheaper (measured: storage.md 4.2)
    SEND_FILE_BYTES_MAX = 1 << 20,
};

// ---- rot

bool broker_is_damaged(const struct broker *b, const struct extent *extent)
{
    for (uint32_t i = 0; i < b->damaged_count; i++) {
        const struct damage *d = &b->damaged[i];
        if (d->object == extent->object && d->position >= extent->position &&
            d->position < extent->position + extent->length) {
            return true;
        }
    }
    return false;
}

void broker_mark_damaged(struct broker *b, uint64_t object, int64_t position)
{
    mutex_lock(&b->lock);
    bool is_known = false;
    for (uint32_t i = 0; i < b->damaged_count && !is_known; i++) {
        is_known = b->damaged[i].object == object && b->damaged[i].position == position;
    }
    if (!is_known && b->damaged_count < DAMAGED_MAX) {
        b->damaged[b->damaged_count++] = (struct damage){object, position};
    }
    mutex_unlock(&b->lock);
    if (is_known) {
        return; // told before; look-ups by time come here again and again
    }
    trace(b->tracer, TRACE_ERROR,
          "object %llu is damaged at byte %lld: a batch there no longer matches its checksum. Its reads "
          "fail; the rest is served. Restore this topic from another copy",
          (unsigned long long)object, (long long)position);
}

// ---- walking batch headers

// tail_copy copies from the tail cache; false where it does not hold the bytes.
static bool tail_copy(struct broker *b, uint64_t object, int64_t position, void *out, size_t len)
{
    mutex_lock(&b->lock);
    const struct tail_entry *entry = tail_find(&b->tail, object, position);
    bool has = entry != NULL && position + (int64_t)len <= entry->position + entry->length;
    if (has) {
        memcpy(out, entry->ptr + (position - entry->position), len);
    }
    mutex_unlock(&b->lock);
    return has;
}

// In a merged object a batch knows its offset, and compaction leaves gaps before it. The checksum does not
// cover it.
static bool header_is_inside(const struct batch_walk *w)
{
    const struct batch_header *h = &w->header;
    return h->base_offset >= w->base_offset && h->last_offset_delta >= 0 &&
           h->last_offset_delta < w->extent.end_offset - h->base_offset;
}

static enum err walk_header(struct batch_walk *w, struct error *e)
{
    int64_t end = w->extent.position + w->extent.length;
    if (end - w->position < BATCH_HEADER_SIZE) {
        return FAIL(e, ERR_CORRUPT, "an extent ends inside a batch header");
    }
    uint8_t copy[BATCH_HEADER_SIZE];
    const uint8_t *at = copy;
    bool is_windowed = w->position >= w->window_position &&
                       w->position + BATCH_HEADER_SIZE <= w->window_position + (int64_t)w->window_len;
    bool is_final = (w->extent.flags & EXTENT_FINAL) != 0;
    if (!is_windowed &&
        (is_final || !tail_copy(w->broker, w->extent.object, w->position, copy, sizeof copy))) {
        // A window pays where several batches fit into it; after a large batch only the next header is read.
        size_t len = w->header.size > sizeof w->window / 2 ? BATCH_HEADER_SIZE : sizeof w->window;
        len = (int64_t)len > end - w->position ? (size_t)(end - w->position) : len;
        enum err err = engine_object_read(w->broker->engine, w->pin, w->position, w->window, len, e);
        if (err != ERR_OK) {
            return err;
        }
        w->window_position = w->position;
        w->window_len = len;
        is_windowed = true;
    }
    if (is_windowed) {
        at = w->window + (w->position - w->window_position);
    }
    w->is_from_disk = is_windowed;
    enum err err = batch_header_read(bytes_of(at, BATCH_HEADER_SIZE), &w->header, e);
    if (err != ERR_OK || (int64_t)w->header.size > end - w->position) {
        broker_mark_damaged(w->broker, w->extent.object, w->position);
        return err != ERR_OK ? ERR_CORRUPT : FAIL(e, ERR_CORRUPT, "a batch header does not fit its extent");
    }
    if (is_final && !header_is_inside(w)) {
        broker_mark_damaged(w->broker, w->extent.object, w->position);
        return FAIL(e, ERR_CORRUPT, "a batch lies outside its extent");
    }
    w->base_offset = is_final ? w->header.base_offset : w->base_offset;
    w->header.base_offset = w->base_offset;
    return ERR_OK;
}

enum err batch_walk_init(struct batch_walk *w, struct broker *b, struct object *pin,
                         const struct extent *extent, const struct segment_place *place, struct error *e)
{
    w->broker = b;
    w->pin = pin;
    w->extent = *extent;
    w->position = place->position;
    w->base_offset = place->base_offset;
    w->header.size = 0;
    w->window_len = 0;
    w->window_position = 0;
    return walk_header(w, e);
}

enum err batch_walk_next(struct batch_walk *w, bool *ret_more, struct error *e)
{
    w->base_offset += (int64_t)w->header.last_offset_delta + 1;
    w->position += (int64_t)w->header.size;
    *ret_more = w->position < w->extent.position + w->extent.length;
    return *ret_more ? walk_header(w, e) : ERR_OK;
}

enum err batch_walk_skip(struct batch_walk *w, bool *ret_more, struct error *e)
{
    if ((w->extent.flags & EXTENT_FINAL) == 0 && w->is_from_disk) {
        struct chunk *chunk = NULL;
        struct bytes batch;
        enum err err = batch_walk_read(w, &chunk, &batch, e);
        if (err != ERR_OK) {
            return err;
        }
        chunk_unref(chunk);
    }
    return batch_walk_next(w, ret_more, e);
}

enum err batch_walk_seek(struct batch_walk *w, struct broker *b, struct object *pin,
                         const struct extent *extent, int64_t offset, struct error *e)
{
    struct segment_place place = {extent->position, extent->base_offset};
    if ((extent->flags & EXTENT_FINAL) != 0 && offset > extent->base_offset) {
        // A damaged footer costs only the index: walk from the start of the extent.
        if (segment_cache_find_offset(b->segments, pin, extent, offset, &place, e) != ERR_OK) {
            place = (struct segment_place){extent->position, extent->base_offset};
        }
    }
    enum err err = batch_walk_init(w, b, pin, extent, &place, e);
    bool has_more = true;
    while (err == ERR_OK && has_more && offset > w->base_offset + w->header.last_offset_delta) {
        err = batch_walk_skip(w, &has_more, e);
    }
    if (err == ERR_OK && !has_more) {
        return FAIL(e, ERR_CORRUPT, "offset %lld is not in its extent", (long long)offset);
    }
    return err;
}

enum err batch_walk_read(struct batch_walk *w, struct chunk **ret_chunk, struct bytes *ret_batch,
                         struct error *e)
{
    struct chunk *chunk = chunk_get(w->broker->pool, w->header.size);
    if (chunk == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "no memory to read a batch of %zu bytes", w->header.size);
    }
    if (!tail_copy(w->broker, w->extent.object, w->position, chunk->ptr, w->header.size)) {
        enum err err =
            engine_object_read(w->broker->engine, w->pin, w->position, chunk->ptr, w->header.size, e);
        if (err != ERR_OK) {
            chunk_unref(chunk);
            return err;
        }
    }
    *ret_batch = bytes_of(chunk->ptr, w->header.size);
    if (!batch_crc_check(*ret_batch)) {
        broker_mark_damaged(w->broker, w->extent.object, w->position);
        chunk_unref(chunk);
        return FAIL(e, ERR_CORRUPT, "a stored batch does not match its checksum");
    }
    batch_patch(chunk->ptr, w->base_offset, w->extent.leader_epoch);
    *ret_chunk = chunk;
    return ERR_OK;
}

// ---- slices to pieces

static void slice_advance(struct fetch_slice *slice, uint32_t length)
{
    ASSERT(length <= slice->length);
    slice->position += length;
    slice->length -= length;
}

static bool slice_from_tail(struct broker *b, struct fetch_slice *slice, struct fetch_piece *ret)
{
    mutex_lock(&b->lock);
    const struct tail_entry *entry =
        slice->batch_left != 0 ? NULL : tail_find(&b->tail, slice->object, slice->position);
    bool has = entry != NULL && entry->position == slice->position && entry->length <= slice->length;
    if (has) {
        chunk_ref(entry->chunk);
        *ret = (struct fetch_piece){.chunk = entry->chunk, .ptr = entry->ptr, .length = entry->length};
    }
    mutex_unlock(&b->lock);
    if (has) {
        slice->base_offset += (int64_t)(int32_t)load_be32(ret->ptr + 23) + 1;
        slice_advance(slice, ret->length);
    }
    return has;
}

// patch_piece writes offsets and epochs into the batches that start in the piece; *ret_len is shortened so
// that no header straddles its end. A batch that lies in the piece whole is checked against its checksum.
static enum err patch_piece(struct broker *b, struct fetch_slice *slice, uint8_t *piece, size_t *len,
                            struct error *e)
{
    size_t at = slice->batch_left;
    while (at < *len) {
        if (*len - at < BATCH_HEADER_SIZE && *len < slice->length) {
            *len = at;
            break;
        }
        struct batch_header header;
        bool is_whole = false;
        enum err err = batch_header_read(bytes_of(piece + at, *len - at), &header, e);
        if (err == ERR_OK && header.size > slice->length - at) {
            err = FAIL(e, ERR_CORRUPT, "a stored batch claims more bytes than its extent has");
        }
        if (err == ERR_OK) {
            is_whole = header.size <= *len - at;
        }
        if (err == ERR_OK && is_whole && !batch_crc_check(bytes_of(piece + at, header.size))) {
            err = FAIL(e, ERR_CORRUPT, "a stored batch does not match its checksum");
        }
        if (err != ERR_OK) {
            broker_mark_damaged(b, slice->object, slice->position + (int64_t)at);
            return ERR_CORRUPT;
        }
        batch_patch(piece + at, slice->base_offset, slice->leader_epoch);
        slice->base_offset += plant_is(PLANT_PATCH_WRONG_OFFSET) ? 1 : (int64_t)header.last_offset_delta + 1;
        at += header.size;
    }
    slice->batch_left = at > *len ? (uint32_t)(at - *len) : 0;
    return ERR_OK;
}

// Markers and gaps have no stored bytes: they are made here.
static enum err slice_make(struct broker *b, struct fetch_slice *slice, struct fetch_piece *ret,
                           struct error *e)
{
    struct chunk *chunk = chunk_get(b->pool, MARKER_SIZE);
    if (chunk == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "no memory for a control batch");
    }
    if (slice->is_gap) {
        struct buf out;
        buf_init(&out, MARKER_SIZE);
        enum err err = batch_gap_build(&out, slice->base_offset, slice->marker_timestamp, NULL);
        ASSERT(err == ERR_OK && out.len == MARKER_SIZE);
        batch_patch(out.ptr, slice->base_offset, slice->leader_epoch);
        memcpy(chunk->ptr, out.ptr, MARKER_SIZE);
        buf_fini(&out);
    } else {
        const struct extent marker = {
            .base_offset = slice->base_offset,
            .position = slice->position,
            .max_timestamp = slice->marker_timestamp,
            .leader_epoch = slice->leader_epoch,
            .flags = slice->marker_flags,
        };
        extent_marker_build(&marker, chunk->ptr);
    }
    *ret = (struct fetch_piece){.chunk = chunk, .ptr = chunk->ptr, .length = MARKER_SIZE};
    slice->length = 0;
    return ERR_OK;
}

enum err broker_slice_next(struct broker *b, struct fetch_slice *slice, struct fetch_piece *ret,
                           struct error *e)
{
    ASSERT(slice->length > 0);
    if (slice->marker_flags != 0 || slice->is_gap) {
        return slice_make(b, slice, ret, e);
    }
    struct file *file = slice->is_final ? engine_object_file(b->engine, slice->pin) : NULL;
    if (!slice->is_final && slice_from_tail(b, slice, ret)) {
        return ERR_OK;
    }
    if (file != NULL && slice->length >= SEND_FILE_BYTES_MIN) {
        size_t len = slice->length < SEND_FILE_BYTES_MAX ? slice->length : SEND_FILE_BYTES_MAX;
        *ret = (struct fetch_piece){.file = file, .position = slice->position, .length = (uint32_t)len};
        slice_advance(slice, (uint32_t)len);
        return ERR_OK;
    }
    size_t len = slice->length < FETCH_PIECE_BYTES ? slice->length : FETCH_PIECE_BYTES;
    struct chunk *chunk = chunk_get(b->pool, len);
    if (chunk == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "no memory for a piece of a response");
    }
    enum err err = engine_object_read(b->engine, slice->pin, slice->position, chunk->ptr, len, e);
    if (err == ERR_OK && !slice->is_final) {
        err = patch_piece(b, slice, chunk->ptr, &len, e);
    }
    if (err != ERR_OK) {
        chunk_unref(chunk);
        return err;
    }
    *ret = (struct fetch_piece){.chunk = chunk, .ptr = chunk->ptr, .length = (uint32_t)len};
    slice_advance(slice, (uint32_t)len);
    return ERR_OK;
}

void broker_slice_release(struct broker *b, struct fetch_slice *slice)
{
    engine_object_unpin(b->engine, slice->pin);
    slice->pin = NULL;
    slice->length = 0;
}
