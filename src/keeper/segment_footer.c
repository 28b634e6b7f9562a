// SPDX-License-Identifier: Apache-2.0
// segment_footer.c - encodes, checks and searches footers. Bytes from a disk are hostile: everything is
// checked once, at load, so that the searches need not.
#include "keeper/segment_private.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"

static const uint8_t segment_magic[8] = {'S', 'T', 'R', 'O', 'M', 'S', 'E', 'G'};

void segment_run_encode(const struct segment_run *run, struct buf *out)
{
    buf_uuid(out, run->topic_id);
    buf_be32(out, (uint32_t)run->partition);
    buf_be32(out, (uint32_t)run->leader_epoch);
    buf_be64(out, (uint64_t)run->base_offset);
    buf_be64(out, (uint64_t)run->end_offset);
    buf_be64(out, (uint64_t)run->position);
    buf_be32(out, run->length);
    buf_be32(out, run->record_count);
    buf_be64(out, (uint64_t)run->max_timestamp);
    buf_be32(out, run->entry_first);
    buf_be32(out, run->entry_count);
}

void segment_entry_encode(const struct segment_entry *entry, struct buf *out)
{
    buf_be64(out, entry->relative_offset);
    buf_be32(out, entry->relative_position);
    buf_be64(out, (uint64_t)entry->max_timestamp);
}

// The sum covers the rows and the trailer but for the sum itself.
static uint32_t segment_sum(struct bytes rows, const uint8_t *trailer)
{
    const uint8_t *after = trailer + SEGMENT_TRAILER_AT_CRC + 4;
    uint32_t sum = crc32c(0, rows.ptr, rows.len);
    sum = crc32c(sum, trailer, SEGMENT_TRAILER_AT_CRC);
    return crc32c(sum, after, SEGMENT_TRAILER_SIZE - SEGMENT_TRAILER_AT_CRC - 4);
}

void segment_trailer_encode(int64_t footer_position, uint32_t run_count, uint32_t entry_count,
                            struct buf *footer)
{
    size_t rows_size = footer->len;
    buf_be64(footer, (uint64_t)footer_position);
    buf_be32(footer, run_count);
    buf_be32(footer, entry_count);
    buf_be32(footer, 0);
    buf_be32(footer, SEGMENT_VERSION);
    buf_append(footer, segment_magic, sizeof segment_magic);
    if (footer->failed) {
        return;
    }
    ASSERT(footer->len == rows_size + SEGMENT_TRAILER_SIZE);
    uint8_t *trailer = footer->ptr + rows_size;
    store_be32(trailer + SEGMENT_TRAILER_AT_CRC, segment_sum(bytes_of(footer->ptr, rows_size), trailer));
}

struct segment_run segment_run_at(const struct segment_footer *f, uint32_t index)
{
    ASSERT(index < f->run_count);
    const uint8_t *p = f->rows + (size_t)index * SEGMENT_RUN_SIZE;
    struct segment_run run = {
        .partition = (int32_t)load_be32(p + 16),
        .leader_epoch = (int32_t)load_be32(p + 20),
        .base_offset = (int64_t)load_be64(p + 24),
        .end_offset = (int64_t)load_be64(p + 32),
        .position = (int64_t)load_be64(p + 40),
        .length = load_be32(p + 48),
        .record_count = load_be32(p + 52),
        .max_timestamp = (int64_t)load_be64(p + 56),
        .entry_first = load_be32(p + 64),
        .entry_count = load_be32(p + 68),
    };
    memcpy(run.topic_id.b, p, sizeof run.topic_id.b);
    return run;
}

struct segment_entry segment_entry_at(const struct segment_footer *f, uint32_t index)
{
    ASSERT(index < f->entry_count);
    const uint8_t *p = f->rows + (size_t)f->run_count * SEGMENT_RUN_SIZE + (size_t)index * SEGMENT_ENTRY_SIZE;
    return (struct segment_entry){
        .relative_offset = load_be64(p),
        .relative_position = load_be32(p + 8),
        .max_timestamp = (int64_t)load_be64(p + 12),
    };
}

// segment_run_check: `before` is the row above, or NULL.
static bool segment_run_check(const struct segment_run *run, const struct segment_run *before)
{
    bool is_sane = run->partition >= 0 && run->base_offset >= 0 && run->end_offset > run->base_offset &&
                   run->length >= BATCH_HEADER_SIZE && run->entry_count <= run->length / BATCH_HEADER_SIZE;
    if (before == NULL) {
        return is_sane && run->position == 0 && run->entry_first == 0;
    }
    int order = memcmp(&before->topic_id, &run->topic_id, sizeof run->topic_id);
    if (order == 0) {
        order = before->partition < run->partition ? -1 : before->partition > run->partition;
    }
    bool is_ordered = order < 0 || (order == 0 && before->end_offset <= run->base_offset);
    return is_sane && is_ordered && run->position == before->position + before->length &&
           run->entry_first == before->entry_first + before->entry_count;
}

static bool segment_entries_check(const struct segment_footer *f, const struct segment_run *run)
{
    struct segment_entry before = {.max_timestamp = INT64_MIN};
    for (uint32_t i = 0; i < run->entry_count; i++) {
        struct segment_entry entry = segment_entry_at(f, run->entry_first + i);
        if (entry.relative_offset <= before.relative_offset ||
            entry.relative_offset >= (uint64_t)(run->end_offset - run->base_offset) ||
            entry.relative_position < before.relative_position + (uint64_t)BATCH_HEADER_SIZE ||
            entry.relative_position > run->length - BATCH_HEADER_SIZE ||
            entry.max_timestamp < before.max_timestamp || entry.max_timestamp > run->max_timestamp) {
            return false;
        }
        before = entry;
    }
    return true;
}

static enum err segment_footer_check(const struct segment_footer *f, struct error *e)
{
    struct segment_run before = {0};
    for (uint32_t i = 0; i < f->run_count; i++) {
        struct segment_run run = segment_run_at(f, i);
        if (!segment_run_check(&run, i == 0 ? NULL : &before) ||
            run.entry_count > f->entry_count - run.entry_first) {
            return FAIL(e, ERR_CORRUPT, "segment footer: run %u does not fit", i);
        }
        if (!segment_entries_check(f, &run)) {
            return FAIL(e, ERR_CORRUPT, "segment footer: the index of run %u does not fit", i);
        }
        before = run;
    }
    if (before.position + before.length != f->position ||
        before.entry_first + before.entry_count != f->entry_count) {
        return FAIL(e, ERR_CORRUPT, "segment footer: runs end at %lld, the footer begins at %lld",
                    (long long)(before.position + before.length), (long long)f->position);
    }
    return ERR_OK;
}

static enum err segment_trailer_read(const uint8_t *trailer, int64_t size, struct segment_footer *ret,
                                     struct error *e)
{
    if (memcmp(trailer + 24, segment_magic, sizeof segment_magic) != 0) {
        return FAIL(e, ERR_CORRUPT, "segment: no trailer at the end");
    }
    uint32_t version = load_be32(trailer + 20);
    if (version != SEGMENT_VERSION) {
        return FAIL(e, ERR_CORRUPT, "segment: version %u, not %d", version, SEGMENT_VERSION);
    }
    uint64_t position = load_be64(trailer);
    uint32_t run_count = load_be32(trailer + 8);
    uint32_t entry_count = load_be32(trailer + 12);
    if (run_count > SEGMENT_RUNS_MAX || entry_count > SEGMENT_ENTRIES_MAX || position > (uint64_t)size) {
        return FAIL(e, ERR_CORRUPT, "segment: %u runs, %u entries, footer at %llu are out of range",
                    run_count, entry_count, (unsigned long long)position);
    }
    uint64_t end = position + (uint64_t)run_count * SEGMENT_RUN_SIZE +
                   (uint64_t)entry_count * SEGMENT_ENTRY_SIZE + SEGMENT_TRAILER_SIZE;
    if (end != (uint64_t)size) {
        return FAIL(e, ERR_CORRUPT, "segment: the footer ends at %llu of %lld bytes", (unsigned long long)end,
                    (long long)size);
    }
    *ret = (struct segment_footer){.run_count = run_count, .entry_count = entry_count};
    ret->position = (int64_t)position;
    return ERR_OK;
}

size_t segment_footer_bytes(const struct segment_footer *f)
{
    return (size_t)f->run_count * SEGMENT_RUN_SIZE + (size_t)f->entry_count * SEGMENT_ENTRY_SIZE;
}

void segment_footer_fini(struct segment_footer *f)
{
    mem_free(f->rows);
    *f = (struct segment_footer){0};
}

enum err segment_footer_load(const struct segment_source *source, struct segment_footer *ret, struct error *e)
{
    if (source->size < SEGMENT_TRAILER_SIZE) {
        return FAIL(e, ERR_CORRUPT, "segment: %lld bytes are too few", (long long)source->size);
    }
    uint8_t trailer[SEGMENT_TRAILER_SIZE];
    enum err err = source->read(source->arg, source->size - SEGMENT_TRAILER_SIZE, trailer, sizeof trailer, e);
    if (err != ERR_OK) {
        return err;
    }
    struct segment_footer footer = {0};
    err = segment_trailer_read(trailer, source->size, &footer, e);
    if (err != ERR_OK) {
        return err;
    }
    size_t size = segment_footer_bytes(&footer);
    footer.rows = mem_alloc(size == 0 ? 1 : size);
    err = source->read(source->arg, footer.position, footer.rows, size, e);
    if (err == ERR_OK &&
        segment_sum(bytes_of(footer.rows, size), trailer) != load_be32(trailer + SEGMENT_TRAILER_AT_CRC)) {
        err = FAIL(e, ERR_CORRUPT, "segment footer: the checksum does not match");
    }
    if (err == ERR_OK) {
        err = segment_footer_check(&footer, e);
    }
    if (err != ERR_OK) {
        segment_footer_fini(&footer);
        return err;
    }
    *ret = footer;
    return ERR_OK;
}

// segment_run_find finds the run that holds the whole extent.
static enum err segment_run_find(const struct segment_footer *f, const struct extent *extent,
                                 struct segment_run *ret, struct error *e)
{
    uint32_t low = 0;
    uint32_t high = f->run_count; // the first run behind the extent's start
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (segment_run_at(f, middle).position <= extent->position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low > 0) {
        struct segment_run run = segment_run_at(f, low - 1);
        if (extent->position >= run.position &&
            extent->position - run.position + extent->length <= (int64_t)run.length) {
            *ret = run;
            return ERR_OK;
        }
    }
    return FAIL(e, ERR_CORRUPT, "object %llu: no run holds position %lld, length %u",
                (unsigned long long)extent->object, (long long)extent->position, extent->length);
}

// segment_place_last finds the last entry below the extent's end that `is_before` holds for; it holds for a
// prefix of the run's entries.
static struct segment_place segment_place_last(
    const struct segment_footer *f, const struct segment_run *run, const struct extent *extent, int64_t key,
    bool (*is_before)(const struct segment_run *run, const struct segment_entry *entry, int64_t key))
{
    uint32_t low = 0;
    uint32_t high = run->entry_count;
    struct segment_place place = {extent->position, extent->base_offset};
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct segment_entry entry = segment_entry_at(f, run->entry_first + middle);
        int64_t position = run->position + entry.relative_position;
        if (position >= extent->position + extent->length || !is_before(run, &entry, key)) {
            high = middle;
            continue;
        }
        low = middle + 1;
        if (position > extent->position) {
            place.position = position;
            place.base_offset = run->base_offset + (int64_t)entry.relative_offset;
        }
    }
    return place;
}

static bool segment_entry_is_at_or_before(const struct segment_run *run, const struct segment_entry *entry,
                                          int64_t offset)
{
    return run->base_offset + (int64_t)entry->relative_offset <= offset;
}

static bool segment_entry_is_older(const struct segment_run *run, const struct segment_entry *entry,
                                   int64_t target_ms)
{
    (void)run;
    return entry->max_timestamp < target_ms;
}

enum err segment_footer_find_offset(const struct segment_footer *f, const struct extent *extent,
                                    int64_t offset, struct segment_place *ret, struct error *e)
{
    struct segment_run run;
    enum err err = segment_run_find(f, extent, &run, e);
    if (err == ERR_OK) {
        *ret = segment_place_last(f, &run, extent, offset, segment_entry_is_at_or_before);
    }
    return err;
}

enum err segment_footer_find_timestamp(const struct segment_footer *f, const struct extent *extent,
                                       int64_t target_ms, struct segment_place *ret, struct error *e)
{
    struct segment_run run;
    enum err err = segment_run_find(f, extent, &run, e);
    if (err == ERR_OK) {
        *ret = segment_place_last(f, &run, extent, target_ms, segment_entry_is_older);
    }
    return err;
}
