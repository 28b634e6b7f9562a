// SPDX-License-Identifier: Apache-2.0
#include "engine/local/recover.h"

#include "base/assert.h"
#include "base/mem.h"

enum { WAL_FILES_MAX = 1 << 20, PLACES_MAX = 1 << 26 };

void recovery_init(struct recovery *r, struct disk *disk, const struct store_meta *meta, uint64_t after_lsn,
                   uint64_t mark_lsn)
{
    *r = (struct recovery){
        .disk = disk,
        .store_key = meta->store_key,
        .after_lsn = after_lsn,
        .mark_lsn = mark_lsn > meta->durable_lsn ? mark_lsn : meta->durable_lsn,
        .is_clean = meta->is_clean,
    };
}

static void recovery_close_file(struct recovery *r)
{
    file_close(r->file);
    r->file = NULL;
    r->reader.file = NULL;
}

void recovery_fini(struct recovery *r)
{
    recovery_close_file(r);
    wal_reader_fini(&r->reader);
    mem_free(r->files);
    mem_free(r->unsure.ptr);
    mem_free(r->stale.ptr);
    r->files = NULL;
    r->unsure.ptr = r->stale.ptr = NULL;
}

enum err recovery_open(struct recovery *r, uint32_t index, struct error *e)
{
    if (r->file != NULL && r->file_index == index) {
        return ERR_OK;
    }
    recovery_close_file(r);
    char text[LOCAL_PATH_SIZE];
    struct recovery_file *f = &r->files[index];
    enum err rc = disk_open(r->disk, local_path(text, "wal", f->number, ".wal"), DISK_READ, &r->file, e);
    if (rc != ERR_OK) {
        r->file = NULL;
        return rc;
    }
    r->file_index = index;
    r->reader.file = r->file;
    r->reader.number = f->number;
    r->reader.size = f->size;
    r->reader.store_key = r->store_key;
    r->reader.window_len = 0; // of another file
    r->reader.window_position = 0;
    return ERR_OK;
}

static void places_push(struct frame_places *p, const struct frame_place *place)
{
    if (p->count == p->cap) {
        p->cap = p->cap == 0 ? 16 : p->cap * 2;
        ASSERT(p->cap <= PLACES_MAX);
        p->ptr = mem_realloc(p->ptr, p->cap * sizeof *p->ptr);
    }
    p->ptr[p->count++] = *place;
}

static struct frame_place place_of(uint32_t file, const struct wal_frame *f)
{
    return (struct frame_place){
        .file = file,
        .position = f->position,
        .next = wal_frame_next(f),
        .lsn = f->lsn,
        .chain = f->chain,
    };
}

struct listing {
    struct recovery *r;
    uint32_t cap;
};

static void recovery_each_file(void *arg, struct str name, int64_t size)
{
    struct listing *l = arg;
    struct recovery *r = l->r;
    uint64_t number;
    if (!local_name_parse(name, STR(".wal"), &number) || r->file_count == WAL_FILES_MAX) {
        return;
    }
    if (r->file_count == l->cap) {
        l->cap = l->cap == 0 ? 64 : l->cap * 2;
        r->files = mem_realloc(r->files, l->cap * sizeof *r->files);
    }
    r->files[r->file_count++] = (struct recovery_file){.number = number, .size = size};
}

// A walk may begin with any frame that the snapshot covers, or with the first bundle after it.
static uint64_t lsn_limit(const struct recovery *r, const struct wal_frame *f)
{
    return r->after_lsn + (f->kind == FRAME_BUNDLE ? 1 : 0);
}

// Finds the first LSN of every file, and the last file that begins at or before the first bundle wanted.
static enum err recovery_start(struct recovery *r, uint32_t *ret_index, struct error *e)
{
    struct listing listing = {.r = r};
    enum err rc = disk_list(r->disk, STR("wal"), recovery_each_file, &listing, e);
    *ret_index = 0;
    for (uint32_t i = 0; i < r->file_count && rc == ERR_OK; i++) {
        struct wal_frame f;
        struct bytes meta, entries;
        bool is_valid;
        ASSERT(i == 0 || r->files[i].number > r->files[i - 1].number);
        rc = recovery_open(r, i, e);
        if (rc == ERR_OK) {
            rc = wal_reader_frame(&r->reader, 0, &f, &meta, &entries, &is_valid, e);
        }
        if (rc == ERR_OK && is_valid) {
            r->files[i].first_lsn = f.lsn;
            r->durable_lsn = f.durable_lsn > r->durable_lsn ? f.durable_lsn : r->durable_lsn;
            if (f.lsn <= lsn_limit(r, &f)) {
                *ret_index = i;
            }
        }
    }
    return rc;
}

enum err recovery_first_lsn(struct recovery *r, uint64_t *ret_lsn, struct error *e)
{
    uint32_t index;
    enum err rc = recovery_start(r, &index, e);
    *ret_lsn = 0;
    for (uint32_t i = 0; i < r->file_count && rc == ERR_OK; i++) {
        uint64_t lsn = r->files[i].first_lsn;
        if (lsn != 0 && (*ret_lsn == 0 || lsn < *ret_lsn)) {
            *ret_lsn = lsn;
        }
    }
    return rc;
}

// Where the walk stands.
struct walk {
    uint32_t file;
    int64_t position;
    uint64_t next_lsn; // 0 = any that the snapshot covers, or the first after it
    bool has_chain;
    uint32_t chain;
};

static bool walk_fits(const struct recovery *r, const struct walk *w, const struct wal_frame *f)
{
    if (w->has_chain && f->chain != w->chain) {
        return false;
    }
    if (w->next_lsn == 0) {
        return f->lsn <= lsn_limit(r, f);
    }
    return f->kind == FRAME_BUNDLE ? f->lsn == w->next_lsn : f->lsn + 1 == w->next_lsn;
}

static void walk_accept(struct recovery *r, struct walk *w, uint32_t file, const struct wal_frame *f)
{
    struct recovery_file *at = &r->files[file];
    struct frame_place place = place_of(file, f);
    w->file = file;
    w->position = wal_frame_next(f);
    w->next_lsn = f->lsn + 1;
    w->has_chain = true;
    w->chain = f->header_crc;
    if (f->lsn > r->after_lsn) {
        if (at->end == 0) {
            at->begin = f->position;
        }
        at->end = w->position;
        r->bytes_after += w->position - f->position;
    }
    at->last_lsn = f->lsn;
    if (f->durable_lsn > r->durable_lsn) {
        r->durable_lsn = f->durable_lsn;
    }
    r->chain = f->header_crc;
    r->stamp_ms = f->stamp_ms > r->stamp_ms ? f->stamp_ms : r->stamp_ms;
    r->time_ms = f->time_ms > r->time_ms ? f->time_ms : r->time_ms;
    r->is_last_mark = f->kind == FRAME_MARK;
    // Frames join the list when they are read and leave it, oldest first, when a later one vouches for them.
    // A mark's own loss loses nothing, but the chain leads through it: it is sure when the bundle after it
    // is.
    place.lsn += r->is_last_mark ? 1 : 0;
    places_push(&r->unsure, &place);
}

// Drops from the list what D has overtaken meanwhile; keeps the list short on long logs.
static void unsure_trim(struct recovery *r)
{
    uint32_t sure = 0;
    while (sure < r->unsure.count && r->unsure.ptr[sure].lsn <= r->durable_lsn) {
        sure++;
    }
    if (sure == 0) {
        return;
    }
    r->unsure.count -= sure;
    memmove(r->unsure.ptr, r->unsure.ptr + sure, r->unsure.count * sizeof *r->unsure.ptr);
}

// Takes the next frame, at the walk's place or at the start of a later file; *ret_is_taken = false: neither.
static enum err walk_step(struct recovery *r, struct walk *w, bool *ret_is_taken, struct error *e)
{
    *ret_is_taken = false;
    for (uint32_t file = w->file; file < r->file_count; file++) {
        struct wal_frame f;
        struct bytes meta, entries;
        bool is_valid;
        if (file > w->file && r->files[file].first_lsn == 0) {
            continue; // nothing sound begins there
        }
        int64_t position = file == w->file ? w->position : 0;
        enum err rc = recovery_open(r, file, e);
        if (rc == ERR_OK) {
            rc = wal_reader_frame(&r->reader, position, &f, &meta, &entries, &is_valid, e);
        }
        if (rc != ERR_OK) {
            return rc;
        }
        if (is_valid && walk_fits(r, w, &f)) {
            walk_accept(r, w, file, &f);
            *ret_is_taken = true;
            return ERR_OK;
        }
        if (file > w->file) {
            break; // the first sound file decides
        }
    }
    return ERR_OK;
}

// An invalid frame that the snapshot covers does no harm: the walk goes on at the next sound header, if the
// first bundle after the snapshot is not behind us by then.
static enum err walk_hop(struct recovery *r, struct walk *w, bool *ret_is_found, struct error *e)
{
    *ret_is_found = false;
    int64_t position = w->position;
    for (uint32_t file = w->file; file < r->file_count; file++, position = 0) {
        enum err rc = recovery_open(r, file, e);
        while (rc == ERR_OK) {
            struct wal_frame f;
            rc = wal_reader_search(&r->reader, position, &f, &position, e);
            if (rc != ERR_OK || position >= r->files[file].size) {
                break;
            }
            if (f.lsn > lsn_limit(r, &f)) {
                return ERR_OK;
            }
            struct bytes meta, entries;
            bool is_valid;
            rc = wal_reader_frame(&r->reader, position, &f, &meta, &entries, &is_valid, e);
            if (rc == ERR_OK && is_valid) {
                *w = (struct walk){.file = file, .position = position};
                *ret_is_found = true;
                return ERR_OK;
            }
            position += wal_align_bytes();
        }
        if (rc != ERR_OK) {
            return rc;
        }
    }
    return ERR_OK;
}

// Searches what follows the end for headers: what they know to be durable decides between torn and rotten.
static enum err recovery_search(struct recovery *r, uint32_t file, int64_t position, struct error *e)
{
    for (; file < r->file_count; file++, position = 0) {
        enum err rc = recovery_open(r, file, e);
        while (rc == ERR_OK) {
            struct wal_frame f;
            rc = wal_reader_search(&r->reader, position, &f, &position, e);
            if (rc != ERR_OK || position >= r->files[file].size) {
                break;
            }
            struct frame_place place = place_of(file, &f);
            places_push(&r->stale, &place);
            if (f.durable_lsn > r->durable_lsn) {
                r->durable_lsn = f.durable_lsn;
            }
            position += wal_align_bytes();
        }
        if (rc != ERR_OK) {
            return rc;
        }
    }
    return ERR_OK;
}

// The frames above D count only if their payload is whole; the first that is not ends the log.
static enum err unsure_check(struct recovery *r, struct error *e)
{
    for (uint32_t i = 0; i < r->unsure.count; i++) {
        const struct frame_place place = r->unsure.ptr[i];
        struct wal_frame f;
        struct bytes meta, entries;
        bool is_whole;
        enum err rc = recovery_open(r, place.file, e);
        if (rc == ERR_OK) {
            rc = wal_reader_frame(&r->reader, place.position, &f, &meta, &entries, &is_whole, e);
        }
        if (rc == ERR_OK && is_whole) {
            rc = wal_reader_payload(&r->reader, &f, &is_whole, e);
        }
        if (rc != ERR_OK) {
            return rc;
        }
        if (is_whole) {
            continue;
        }
        for (uint32_t k = i; k < r->unsure.count; k++) {
            places_push(&r->stale, &r->unsure.ptr[k]);
        }
        r->unsure.count = i;
        r->has_place = true;
        r->cut_file = place.file;
        r->cut_position = place.position;
        r->last_lsn = place.lsn - 1;
        r->chain = place.chain;
        r->is_last_mark = false;
        break;
    }
    return ERR_OK;
}

// What recovery_deliver may hand out ends at the cut.
static void recovery_cut(struct recovery *r)
{
    for (uint32_t i = r->cut_file; i < r->file_count; i++) {
        struct recovery_file *f = &r->files[i];
        int64_t limit = i == r->cut_file ? r->cut_position : 0;
        if (f->end > limit) {
            r->bytes_after -= f->end - (f->begin > limit ? f->begin : limit);
            f->end = limit;
        }
        if (f->last_lsn > r->last_lsn) {
            f->last_lsn = limit > 0 ? r->last_lsn : 0;
        }
    }
}

static enum err recovery_judge(struct recovery *r, const struct walk *w, struct error *e)
{
    uint64_t bad_lsn = r->last_lsn + 1;
    if (r->mark_lsn > r->durable_lsn) {
        r->durable_lsn = r->mark_lsn;
    }
    if (r->after_lsn > r->durable_lsn) {
        r->durable_lsn = r->after_lsn;
    }
    if (r->is_clean && r->last_lsn == r->mark_lsn && r->durable_lsn == r->mark_lsn && r->has_place) {
        r->verdict = LOG_WHOLE;
        unsure_trim(r);
        ASSERT(r->unsure.count == 0 || r->unsure.ptr[0].lsn == r->last_lsn + 1);
        r->unsure.count = 0; // what ends a clean log was synced with it
        return ERR_OK;
    }
    enum err rc = r->file_count == 0 ? ERR_OK : recovery_search(r, w->file, w->position, e);
    if (rc != ERR_OK) {
        return rc;
    }
    r->verdict = LOG_TORN;
    if (r->durable_lsn >= bad_lsn && !plant_is(PLANT_TRUNCATE_ROT)) {
        r->verdict = LOG_ROTTEN;
    } else if (r->durable_lsn >= bad_lsn) {
        r->durable_lsn = r->last_lsn;
    }
    unsure_trim(r);
    if (r->verdict == LOG_TORN) {
        rc = unsure_check(r, e);
        recovery_cut(r);
    }
    return rc;
}

enum err recovery_scan(struct recovery *r, struct error *e)
{
    struct walk w = {0};
    enum err rc = recovery_start(r, &w.file, e);
    if (rc != ERR_OK) {
        return rc;
    }
    r->has_place = r->file_count > 0;
    while (r->file_count > 0) {
        bool is_taken;
        rc = walk_step(r, &w, &is_taken, e);
        if (rc != ERR_OK) {
            return rc;
        }
        if (is_taken) {
            if (r->unsure.count >= 64 && r->unsure.ptr[r->unsure.count / 2].lsn <= r->durable_lsn) {
                unsure_trim(r);
            }
            continue;
        }
        if (w.next_lsn > r->after_lsn) {
            break; // the end, for one reason or another
        }
        bool is_found;
        bool is_fresh = w.next_lsn == 0 && r->after_lsn == 0;
        rc = is_fresh ? ERR_OK : walk_hop(r, &w, &is_found, e);
        if (rc != ERR_OK) {
            return rc;
        }
        if (is_fresh || !is_found) {
            // Where the frames that the snapshot covers end is unknown: the next one opens a new file.
            r->has_place = is_fresh;
            break;
        }
    }
    r->last_lsn = w.next_lsn > r->after_lsn ? w.next_lsn - 1 : r->after_lsn;
    r->cut_file = w.file;
    r->cut_position = w.position;
    return recovery_judge(r, &w, e);
}

// ---- delivery

static enum err recovery_deliver_file(struct recovery *r, uint32_t index,
                                      enum err (*deliver)(void *arg, const struct ordered *o,
                                                          struct error *e),
                                      void *arg, struct error *e)
{
    const struct recovery_file *file = &r->files[index];
    enum err rc = recovery_open(r, index, e);
    for (int64_t position = file->begin; position < file->end && rc == ERR_OK;) {
        struct wal_frame f;
        struct bytes meta, entries;
        bool is_valid;
        rc = wal_reader_frame(&r->reader, position, &f, &meta, &entries, &is_valid, e);
        if (rc != ERR_OK) {
            break;
        }
        if (!is_valid) {
            return FAIL(e, ERR_IO, "wal/%020llu.wal: position %lld reads differently the second time",
                        (unsigned long long)file->number, (long long)position);
        }
        position = wal_frame_next(&f);
        if (f.kind != FRAME_BUNDLE || f.lsn <= r->after_lsn) {
            continue;
        }
        struct ordered o = {
            .lsn = f.lsn,
            .id = f.bundle_id,
            .stamp_ms = f.stamp_ms,
            .time_ms = f.time_ms,
            .object = file->number,
            .payload_position = wal_frame_payload_position(&f),
            .meta = meta,
            .item_count = f.item_count,
        };
        rc = deliver(arg, &o, e);
    }
    return rc;
}

enum err recovery_deliver(struct recovery *r,
                          enum err (*deliver)(void *arg, const struct ordered *o, struct error *e), void *arg,
                          struct error *e)
{
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < r->file_count && rc == ERR_OK; i++) {
        if (r->files[i].end > r->files[i].begin) {
            rc = recovery_deliver_file(r, i, deliver, arg, e);
        }
    }
    return rc;
}
