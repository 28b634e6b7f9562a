// SPDX-License-Identifier: Apache-2.0
// compact_read.c - reads an extent front to back through a window: memory for one batch, not for one extent.
#include "keeper/compact_private.h"

#include "base/assert.h"

enum { READ_PIECE = 1 << 20, READ_KEEP_BYTES = 8 << 20 };

void compact_reader_init(struct compact_reader *r, struct engine *engine)
{
    *r = (struct compact_reader){.engine = engine};
    buf_init(&r->window, UINT32_MAX);
}

void compact_reader_fini(struct compact_reader *r)
{
    engine_object_unpin(r->engine, r->pin);
    buf_fini(&r->window);
}

enum err compact_reader_open(struct compact_reader *r, const struct extent *extent, struct error *e)
{
    engine_object_unpin(r->engine, r->pin);
    r->pin = NULL;
    r->extent = *extent;
    r->read = 0;
    r->next_offset = extent->base_offset;
    r->at = 0;
    if (r->window.cap > READ_KEEP_BYTES) {
        buf_fini(&r->window);
        buf_init(&r->window, UINT32_MAX);
    }
    buf_reset(&r->window);
    if ((extent->flags & EXTENT_MARKER) != 0) {
        extent_marker_build(extent, buf_reserve(&r->window, MARKER_SIZE));
        r->window.len = MARKER_SIZE;
        r->read = MARKER_SIZE;
        return ERR_OK;
    }
    r->pin = engine_object_pin(r->engine, extent->object);
    return r->pin != NULL ? ERR_OK
                          : FAIL(e, ERR_NOT_FOUND, "object %llu is gone", (unsigned long long)extent->object);
}

bool compact_reader_is_done(const struct compact_reader *r)
{
    return r->at == r->window.len && r->read == r->extent.length;
}

// reader_fill makes `need` bytes of the next batch present, if the extent has them.
static enum err reader_fill(struct compact_reader *r, size_t need, struct error *e)
{
    size_t have = r->window.len - r->at;
    size_t left = (size_t)(r->extent.length - r->read);
    if (have >= need || left == 0) {
        return ERR_OK;
    }
    if (have > 0) {
        memmove(r->window.ptr, r->window.ptr + r->at, have);
    }
    r->window.len = have;
    r->at = 0;
    size_t piece = need - have < READ_PIECE ? READ_PIECE : need - have;
    piece = piece < left ? piece : left;
    uint8_t *to = buf_reserve(&r->window, piece);
    ASSERT(to != NULL); // an extent is below the window's limit
    enum err err = engine_object_read(r->engine, r->pin, r->extent.position + r->read, to, piece, e);
    if (err == ERR_OK) {
        r->window.len += piece;
        r->read += (int64_t)piece;
    }
    return err;
}

static struct bytes reader_rest(const struct compact_reader *r)
{
    return bytes_of(r->window.ptr + r->at, r->window.len - r->at);
}

enum err compact_reader_next(struct compact_reader *r, struct batch_header *ret_header,
                             struct bytes *ret_batch, struct error *e)
{
    *ret_batch = (struct bytes){NULL, 0};
    if (compact_reader_is_done(r)) {
        return r->next_offset == r->extent.end_offset
                   ? ERR_OK
                   : FAIL(e, ERR_CORRUPT, "the batches end at offset %lld, the extent at %lld",
                          (long long)r->next_offset, (long long)r->extent.end_offset);
    }
    struct batch_header h;
    enum err err = reader_fill(r, BATCH_HEADER_SIZE, e);
    err = err == ERR_OK ? batch_header_read(reader_rest(r), &h, e) : err;
    if (err == ERR_OK && h.size > r->extent.length) {
        err = FAIL(e, ERR_CORRUPT, "a batch is larger than its extent");
    }
    err = err == ERR_OK ? reader_fill(r, h.size, e) : err;
    if (err != ERR_OK) {
        return err;
    }
    uint8_t *batch = r->window.ptr + r->at;
    bool is_final = (r->extent.flags & (EXTENT_FINAL | EXTENT_MARKER)) != 0;
    int64_t base_offset = is_final ? h.base_offset : r->next_offset;
    if (h.size > r->window.len - r->at || !batch_crc_check(bytes_of(batch, h.size))) {
        return FAIL(e, ERR_CORRUPT, "the checksum of a batch at offset %lld does not match",
                    (long long)base_offset);
    }
    if (base_offset < r->next_offset || h.last_offset_delta < 0 ||
        h.last_offset_delta >= r->extent.end_offset - base_offset) {
        return FAIL(e, ERR_CORRUPT, "a batch lies outside its extent");
    }
    batch_patch(batch, base_offset, r->extent.leader_epoch);
    h.base_offset = base_offset;
    h.leader_epoch = r->extent.leader_epoch;
    r->next_offset = batch_last_offset(&h) + 1;
    r->at += h.size;
    *ret_header = h;
    *ret_batch = bytes_of(batch, h.size);
    return ERR_OK;
}
