// SPDX-License-Identifier: Apache-2.0
// One WAL file read through a window: frames one after another, payloads, and the search for later headers.
// Lengths come from the disk: nothing is believed before its sum is checked, and memory never exceeds what
// the file holds.
#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "engine/local/recover.h"
#include "record/batch.h"

enum {
    WINDOW_BYTES = 64 << 10, // read ahead while walking: small frames come many to a read
    SEARCH_BYTES = 1 << 20,  // while searching and while checking payload
    BATCH_CRC_AT = BATCH_CRC_FROM - 4,
    BATCH_MAGIC_AT = BATCH_CRC_AT - 1,
    BATCH_LENGTH_AT = BATCH_PREFIX_SIZE - 4,
};

void wal_reader_init(struct wal_reader *r, struct file *file, uint64_t number, int64_t size,
                     uint64_t store_key)
{
    *r = (struct wal_reader){.file = file, .number = number, .size = size, .store_key = store_key};
}

void wal_reader_fini(struct wal_reader *r)
{
    mem_free(r->window);
    r->window = NULL;
    r->window_cap = r->window_len = 0;
}

// Makes [position, position + len) visible, reading `want` bytes at once where the file has them. NULL
// without an error: the file ends before that.
static enum err window_get(struct wal_reader *r, int64_t position, int64_t len, int64_t want,
                           const uint8_t **ret, struct error *e)
{
    *ret = NULL;
    if (position < 0 || len > r->size || position > r->size - len) {
        return ERR_OK;
    }
    int64_t window_end = r->window_position + (int64_t)r->window_len;
    if (position >= r->window_position && position + len <= window_end) {
        *ret = r->window + (position - r->window_position);
        return ERR_OK;
    }
    want = want > len ? want : len;
    want = want < r->size - position ? want : r->size - position;
    if ((size_t)want > r->window_cap) {
        mem_free(r->window);
        r->window = mem_alloc((size_t)want);
        r->window_cap = (size_t)want;
    }
    r->window_len = 0;
    size_t got;
    enum err rc = file_read_full(r->file, position, r->window, (size_t)want, &got, e);
    if (rc != ERR_OK) {
        return rc;
    }
    r->window_position = position;
    r->window_len = got;
    *ret = (int64_t)got >= len ? r->window : NULL;
    return ERR_OK;
}

static bool header_is_ours(const struct wal_reader *r, int64_t position, const struct wal_frame *f)
{
    return f->store_key == r->store_key && f->file == r->number && f->position == position &&
           wal_frame_end(f) <= r->size;
}

enum err wal_reader_header(struct wal_reader *r, int64_t position, struct wal_frame *ret, bool *ret_is_valid,
                           struct error *e)
{
    const uint8_t *at;
    *ret_is_valid = false;
    enum err rc = window_get(r, position, FRAME_HEADER_SIZE, WINDOW_BYTES, &at, e);
    if (rc != ERR_OK || at == NULL) {
        return rc;
    }
    *ret_is_valid = wal_frame_decode(at, ret) && header_is_ours(r, position, ret);
    return ERR_OK;
}

// The entries say where the payload ends: their lengths must add up.
static bool entries_fit(struct bytes entries, uint64_t payload_len)
{
    uint64_t total = 0;
    for (size_t at = 0; at < entries.len; at += FRAME_ENTRY_SIZE) {
        struct payload_entry entry = payload_entry_decode(entries.ptr + at);
        if (entry.length < BATCH_HEADER_SIZE) {
            return false;
        }
        total += entry.length;
    }
    return total == payload_len;
}

enum err wal_reader_frame(struct wal_reader *r, int64_t position, struct wal_frame *ret,
                          struct bytes *ret_meta, struct bytes *ret_entries, bool *ret_is_valid,
                          struct error *e)
{
    struct wal_frame f;
    bool is_valid;
    enum err rc = wal_reader_header(r, position, &f, &is_valid, e);
    if (rc != ERR_OK || !is_valid) {
        *ret_is_valid = false;
        return rc;
    }
    *ret_is_valid = false;
    const uint8_t *at;
    int64_t body = wal_frame_body_size(&f);
    rc = window_get(r, position, FRAME_HEADER_SIZE + body, WINDOW_BYTES, &at, e);
    if (rc != ERR_OK || at == NULL) {
        return rc;
    }
    struct bytes meta = bytes_of(at + FRAME_HEADER_SIZE, f.meta_len);
    struct bytes entries = bytes_of(meta.ptr + meta.len, (size_t)body - f.meta_len);
    if (crc32c(0, meta.ptr, (size_t)body) != f.body_crc && !plant_is(PLANT_SKIP_CRC)) {
        return ERR_OK;
    }
    if (!entries_fit(entries, f.payload_len)) {
        return ERR_OK;
    }
    *ret = f;
    *ret_meta = meta;
    *ret_entries = entries;
    *ret_is_valid = true;
    return ERR_OK;
}

// One batch: its first bytes must say what the entry says, and its own sum must hold.
static enum err batch_is_whole(struct wal_reader *r, int64_t position, const struct payload_entry *entry,
                               bool *ret_is_whole, struct error *e)
{
    *ret_is_whole = false;
    const uint8_t *at;
    enum err rc = window_get(r, position, BATCH_CRC_FROM, SEARCH_BYTES, &at, e);
    if (rc != ERR_OK || at == NULL) {
        return rc;
    }
    if (load_be32(at + BATCH_LENGTH_AT) != entry->length - BATCH_PREFIX_SIZE ||
        at[BATCH_MAGIC_AT] != BATCH_MAGIC || load_be32(at + BATCH_CRC_AT) != entry->crc) {
        return ERR_OK;
    }
    uint32_t sum = 0;
    int64_t end = position + entry->length;
    for (int64_t from = position + BATCH_CRC_FROM; from < end;) {
        int64_t len = end - from < WINDOW_BYTES ? end - from : WINDOW_BYTES;
        rc = window_get(r, from, len, SEARCH_BYTES, &at, e);
        if (rc != ERR_OK || at == NULL) {
            return rc;
        }
        sum = crc32c(sum, at, (size_t)len);
        from += len;
    }
    *ret_is_whole = sum == entry->crc;
    return ERR_OK;
}

enum err wal_reader_payload(struct wal_reader *r, const struct wal_frame *frame, bool *ret_is_whole,
                            struct error *e)
{
    *ret_is_whole = true;
    if (plant_is(PLANT_SKIP_CRC)) {
        return ERR_OK;
    }
    // The window moves on to the payload, so the entries are copied first.
    int64_t entries_size = (int64_t)frame->entry_count * FRAME_ENTRY_SIZE;
    const uint8_t *at;
    enum err rc =
        window_get(r, wal_frame_payload_position(frame) - entries_size, entries_size, WINDOW_BYTES, &at, e);
    if (rc != ERR_OK || at == NULL) {
        *ret_is_whole = false;
        return rc;
    }
    uint8_t *entries = mem_alloc((size_t)entries_size + 1);
    memcpy(entries, at, (size_t)entries_size);
    int64_t position = wal_frame_payload_position(frame);
    for (int64_t i = 0; i < entries_size && rc == ERR_OK && *ret_is_whole; i += FRAME_ENTRY_SIZE) {
        struct payload_entry entry = payload_entry_decode(entries + i);
        rc = batch_is_whole(r, position, &entry, ret_is_whole, e);
        position += entry.length;
    }
    mem_free(entries);
    return rc;
}

enum err wal_reader_search(struct wal_reader *r, int64_t position, struct wal_frame *ret,
                           int64_t *ret_position, struct error *e)
{
    for (position = wal_align(position); position <= r->size - FRAME_HEADER_SIZE;
         position += wal_align_bytes()) {
        const uint8_t *at;
        enum err rc = window_get(r, position, FRAME_HEADER_SIZE, SEARCH_BYTES, &at, e);
        if (rc != ERR_OK) {
            return rc;
        }
        if (at == NULL) {
            break;
        }
        if (wal_frame_decode(at, ret) && header_is_ours(r, position, ret)) {
            *ret_position = position;
            return ERR_OK;
        }
    }
    *ret_position = r->size;
    return ERR_OK;
}
