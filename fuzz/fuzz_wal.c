// SPDX-License-Identifier: Apache-2.0
// fuzz_wal.c - recover from any bytes. The input is a little program that lays frames, garbage and further
// files, sound or not, onto a disk in memory; then the engine starts on it, and dump and repair read it. It
// must not crash or hang, nor take more memory than the files hold twice over; a second start must agree with
// the first; after a start that may write, a bundle can be ordered and is there again.
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "engine/local/format.h"
#include "engine/local/test_support.h"
#include "platform/real/real.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FILES_MAX = 32,
    FILE_SIZE_MAX = 2 << 20,
    PROGRAM_FILES_MAX = 4,
    BLOCKS_MAX = 16, // of a file that the program writes
    FILE_BLOCKS = BLOCKS_MAX + 12,
    SLACK_BYTES = 12 << 20, // what the engine takes whatever the files hold
};
static const uint64_t store_key = 0x1122334455667788;

// ---- memory is counted

static size_t held_bytes, held_peak;

static void *counted_alloc(size_t size)
{
    size_t *at = malloc(size + 16);
    ASSERT(at != NULL);
    *at = size;
    held_bytes += size;
    held_peak = held_bytes > held_peak ? held_bytes : held_peak;
    return (char *)at + 16;
}

static void counted_free(void *ptr)
{
    if (ptr != NULL) {
        size_t *at = (void *)((char *)ptr - 16);
        held_bytes -= *at;
        free(at);
    }
}

static void *counted_realloc(void *ptr, size_t size)
{
    void *fresh = counted_alloc(size);
    if (ptr != NULL) {
        size_t old = *(size_t *)(void *)((char *)ptr - 16);
        memcpy(fresh, ptr, old < size ? old : size);
        counted_free(ptr);
    }
    return fresh;
}

__attribute__((constructor)) static void count_memory(void)
{
    static const struct mem_hooks hooks = {counted_alloc, counted_realloc, counted_free};
    mem_hooks_set(&hooks); // before anything is allocated
}

// ---- a disk in memory

struct memory_file {
    char name[80]; // empty = free
    uint8_t *data;
    size_t size;
    size_t cap; // zeros beyond the size
};
struct memory_handle {
    struct file base;
    struct memory_file *file;
};
static struct memory_file files[FILES_MAX];

static struct memory_file *file_find(struct str path)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (files[i].name[0] != '\0' && str_equal(str_from_c(files[i].name), path)) {
            return &files[i];
        }
    }
    return NULL;
}

static void file_grow(struct memory_file *f, size_t size)
{
    if (size > f->cap) {
        size_t cap = size * 2 < FILE_SIZE_MAX ? size * 2 : FILE_SIZE_MAX;
        f->data = realloc(f->data, cap);
        ASSERT(f->data != NULL && cap >= size);
        memset(f->data + f->cap, 0, cap - f->cap);
        f->cap = cap;
    }
}

static struct memory_file *file_make(struct str path)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (files[i].name[0] == '\0') {
            (void)snprintf(files[i].name, sizeof files[i].name, STR_FMT, STR_ARG(path));
            file_grow(&files[i], 4 * FRAME_ALIGN);
            return &files[i];
        }
    }
    UNREACHABLE("more files than a start can make");
}

static void file_drop(struct memory_file *f)
{
    free(f->data);
    *f = (struct memory_file){.size = 0};
}

static enum err memory_read(struct file *base, int64_t position, void *out, size_t len, size_t *ret_len,
                            struct error *e)
{
    const struct memory_file *f = ((struct memory_handle *)(void *)base)->file;
    (void)e;
    ASSERT(position >= 0);
    size_t left = (size_t)position < f->size ? f->size - (size_t)position : 0;
    *ret_len = len < left ? len : left;
    if (*ret_len > 0) {
        memcpy(out, f->data + position, *ret_len);
    }
    return ERR_OK;
}

static enum err memory_write(struct file *base, int64_t position, const struct io_slice *slices, size_t count,
                             size_t *ret_len, struct error *e)
{
    struct memory_file *f = ((struct memory_handle *)(void *)base)->file;
    *ret_len = 0;
    for (size_t i = 0; i < count; i++) {
        if (position < 0 || position > FILE_SIZE_MAX || slices[i].len > (size_t)(FILE_SIZE_MAX - position)) {
            return FAIL(e, ERR_NO_SPACE, "the file is full");
        }
        file_grow(f, (size_t)position + slices[i].len);
        memcpy(f->data + position, slices[i].ptr, slices[i].len);
        position += (int64_t)slices[i].len;
        *ret_len += slices[i].len;
        f->size = (size_t)position > f->size ? (size_t)position : f->size;
    }
    return ERR_OK;
}

static enum err memory_sync(struct file *base, struct error *e)
{
    (void)base, (void)e;
    return ERR_OK;
}

static enum err memory_size(struct file *base, int64_t *ret_size, struct error *e)
{
    (void)e;
    *ret_size = (int64_t)((struct memory_handle *)(void *)base)->file->size;
    return ERR_OK;
}

static enum err memory_truncate(struct file *base, int64_t size, struct error *e)
{
    struct memory_file *f = ((struct memory_handle *)(void *)base)->file;
    (void)e;
    ASSERT(size >= 0 && (size_t)size <= f->size);
    memset(f->data + size, 0, f->size - (size_t)size);
    f->size = (size_t)size;
    return ERR_OK;
}

static void memory_advise(struct file *base, int64_t position, int64_t len)
{
    (void)base, (void)position, (void)len;
}

static void memory_close(struct file *base)
{
    free(base);
}

static const struct file_ops memory_file_ops = {
    .read_at = memory_read,
    .write_at = memory_write,
    .sync = memory_sync,
    .size = memory_size,
    .truncate = memory_truncate,
    .advise_cold = memory_advise,
    .close = memory_close,
};

static enum err disk_open_op(struct disk *d, struct str path, unsigned flags, struct file **ret_file,
                             struct error *e)
{
    (void)d;
    struct memory_file *f = file_find(path);
    if (f == NULL && (flags & DISK_CREATE) != 0) {
        f = file_make(path);
    }
    if (f == NULL) {
        return FAIL(e, ERR_NOT_FOUND, "open " STR_FMT, STR_ARG(path));
    }
    struct memory_handle *h = calloc(1, sizeof *h);
    h->base.ops = &memory_file_ops;
    h->file = f;
    *ret_file = &h->base;
    return ERR_OK;
}

// Handles point at the slot, so the slot moves to the new name in place.
static enum err disk_rename_op(struct disk *d, struct str from, struct str to, struct error *e)
{
    (void)d;
    struct memory_file *f = file_find(from), *old = file_find(to);
    if (f == NULL) {
        return FAIL(e, ERR_NOT_FOUND, "rename " STR_FMT, STR_ARG(from));
    }
    if (old != NULL && old != f) {
        file_drop(old);
    }
    (void)snprintf(f->name, sizeof f->name, STR_FMT, STR_ARG(to));
    return ERR_OK;
}

static enum err disk_unlink_op(struct disk *d, struct str path, struct error *e)
{
    (void)d;
    struct memory_file *f = file_find(path);
    if (f == NULL) {
        return FAIL(e, ERR_NOT_FOUND, "unlink " STR_FMT, STR_ARG(path));
    }
    file_drop(f);
    return ERR_OK;
}

static enum err disk_dir_op(struct disk *d, struct str path, struct error *e)
{
    (void)d, (void)path, (void)e;
    return ERR_OK;
}

static enum err disk_list_op(struct disk *d, struct str path,
                             void (*each)(void *arg, struct str name, int64_t size), void *arg,
                             struct error *e)
{
    (void)d, (void)e;
    const char *last = "";
    for (;;) { // in name order
        const struct memory_file *next = NULL;
        for (int i = 0; i < FILES_MAX; i++) {
            const char *name = files[i].name;
            if (strncmp(name, path.ptr, path.len) == 0 && name[path.len] == '/' && strcmp(name, last) > 0 &&
                (next == NULL || strcmp(name, next->name) < 0)) {
                next = &files[i];
            }
        }
        if (next == NULL) {
            return ERR_OK;
        }
        last = next->name;
        each(arg, str_from_c(next->name + path.len + 1), (int64_t)next->size);
    }
}

static enum err disk_space_op(struct disk *d, int64_t *ret_free, int64_t *ret_total, struct error *e)
{
    (void)d, (void)e;
    *ret_free = *ret_total = 1 << 30;
    return ERR_OK;
}

static enum err disk_lock_op(struct disk *d, struct error *e)
{
    (void)d, (void)e;
    return ERR_OK;
}

static const struct disk_ops memory_disk_ops = {
    .open = disk_open_op,
    .rename = disk_rename_op,
    .unlink = disk_unlink_op,
    .mkdir = disk_dir_op,
    .sync_dir = disk_dir_op,
    .list = disk_list_op,
    .space = disk_space_op,
    .lock = disk_lock_op,
};

// ---- the program: what lies on the disk

struct program {
    struct reader in;
    struct memory_file *file;
    uint64_t number;
    size_t blocks;
    uint32_t chain;
    uint64_t lsn;
};

static uint8_t program_u8(struct program *p)
{
    return (uint8_t)reader_i8(&p->in);
}

static void program_next_file(struct program *p)
{
    char text[LOCAL_PATH_SIZE];
    if (p->number == PROGRAM_FILES_MAX) {
        return;
    }
    p->number++;
    p->file = file_make(local_path(text, "wal", p->number, ".wal"));
    file_grow(p->file, FILE_BLOCKS * FRAME_ALIGN);
    p->blocks = 0;
}

// A frame that is right but for what the input asks to be wrong.
static void program_frame(struct program *p)
{
    uint8_t wrong = program_u8(p), step = program_u8(p), durable = program_u8(p), meta_len = program_u8(p);
    // LSNs do not go back within a store, and frames that claim otherwise need the store's key to be taken
    // for ours.
    uint64_t lsn = p->lsn + (step < 200 ? step % 3 : step);
    p->lsn = lsn;
    uint8_t batches = program_u8(p) % TEST_BATCHES_MAX;
    struct test_bundle b;
    test_bundle_init(&b, lsn, batches, 61 + (size_t)program_u8(p) * 40);
    struct wal_frame f = {
        .kind = (wrong & 1) != 0 ? FRAME_MARK : FRAME_BUNDLE,
        .store_key = store_key + (wrong >> 1 & 1),
        .file = p->number + (wrong >> 2 & 1),
        .position = (int64_t)(p->blocks + (wrong >> 3 & 1)) * FRAME_ALIGN,
        .lsn = lsn,
        .durable_lsn = durable,
        .bundle_id = lsn,
        .chain = p->chain + (wrong >> 4 & 1),
        .meta_len = (wrong & 32) != 0 ? reader_u32(&p->in) : (uint32_t)(meta_len % 40),
        .item_count = 1,
        .entry_count = (wrong & 64) != 0 ? reader_u32(&p->in) : batches,
        .payload_len = (wrong & 128) != 0 ? (uint64_t)reader_i64(&p->in) : b.bundle.payload_size,
    };
    uint8_t body[40 + TEST_BATCHES_MAX * FRAME_ENTRY_SIZE] = {0};
    size_t body_len = meta_len % 40;
    for (uint32_t i = 0; i < batches; i++) {
        payload_entry_encode(&b.entries[i], body + body_len);
        body_len += FRAME_ENTRY_SIZE;
    }
    f.body_crc = crc32c(0, body, body_len);
    uint8_t *at = p->file->data + p->blocks * FRAME_ALIGN;
    p->chain = wal_frame_encode(&f, at);
    memcpy(at + FRAME_HEADER_SIZE, body, body_len);
    memcpy(at + FRAME_HEADER_SIZE + body_len, b.payload, b.bundle.payload_size);
    size_t total = FRAME_HEADER_SIZE + body_len + b.bundle.payload_size;
    p->blocks += (total + FRAME_ALIGN - 1) / FRAME_ALIGN;
    test_bundle_fini(&b);
}

static void program_raw(struct program *p, const char *path)
{
    size_t len = program_u8(p);
    len = len < reader_left(&p->in) ? len : reader_left(&p->in);
    const uint8_t *from = reader_take(&p->in, len);
    struct memory_file *f = path == NULL ? p->file : file_find(str_from_c(path));
    f = f == NULL ? file_make(str_from_c(path)) : f;
    size_t at = path == NULL ? p->blocks * FRAME_ALIGN : f->size;
    file_grow(f, at + len);
    if (len > 0) {
        memcpy(f->data + at, from, len);
    }
    f->size += path == NULL ? 0 : len;
    p->blocks += path == NULL ? 1 : 0;
}

// A sound copy of a tail, with bytes of the input's choice, for some file and position.
static void program_copy(struct program *p)
{
    struct memory_file *f = file_find(STR("wal/tail.copy"));
    f = f == NULL ? file_make(STR("wal/tail.copy")) : f;
    size_t len = program_u8(p);
    len = len < reader_left(&p->in) ? len : reader_left(&p->in);
    memset(f->data, 0, 16);
    store_be32(f->data, 0x53545254);
    store_be16(f->data + 4, 1);
    store_be32(f->data + 8, 1);
    store_be64(f->data + 16, p->number);
    store_be64(f->data + 24, p->blocks * FRAME_ALIGN);
    store_be64(f->data + 32, len);
    for (size_t i = 0; i < len; i++) {
        f->data[40 + i] = program_u8(p);
    }
    store_be32(f->data + 40 + len, crc32c(0, f->data, 40 + len));
    f->size = 44 + len;
}

// A sound snapshot of some LSN.
static void program_snapshot(struct program *p)
{
    char text[LOCAL_PATH_SIZE];
    struct snapshot_header header = {.lsn = 1 + program_u8(p) % 8u};
    struct memory_file *f = file_make(local_path(text, "snap", header.lsn, ".snap"));
    uint32_t sum = snapshot_header_encode(&header, f->data);
    store_be32(f->data + SNAPSHOT_HEADER_SIZE + 4, snapshot_end_sum(sum, 0));
    f->size = SNAPSHOT_HEADER_SIZE + SNAPSHOT_PART_HEADER_SIZE;
}

static void program_flip(struct program *p)
{
    size_t at = (size_t)(uint16_t)reader_i16(&p->in);
    uint8_t with = program_u8(p);
    if (at < p->blocks * FRAME_ALIGN) {
        p->file->data[at] ^= with;
    }
}

static void program_run(struct bytes input)
{
    struct program p = {.in = reader_init(input)};
    uint8_t flags = program_u8(&p);
    struct store_meta meta = {.is_clean = (flags & 1) != 0,
                              .generation = 1,
                              .store_key = store_key,
                              .object_limit = PROGRAM_FILES_MAX,
                              .durable_lsn = (flags & 2) != 0 ? program_u8(&p) : 0};
    struct memory_file *f = file_make(STR("meta"));
    store_meta_encode(&meta, f->data + META_SLOT_SIZE);
    f->size = 2 * META_SLOT_SIZE;
    if ((flags & 4) != 0) {
        program_snapshot(&p);
    }
    program_next_file(&p);
    while (reader_left(&p.in) > 0 && p.blocks < BLOCKS_MAX) {
        switch (program_u8(&p) % 8) {
        case 0:
            program_next_file(&p);
            break;
        case 1:
            program_raw(&p, NULL);
            break;
        case 2:
            program_flip(&p);
            break;
        case 3:
            program_copy(&p);
            break;
        case 4:
            program_raw(&p, "snap/00000000000000000003.snap");
            break;
        case 5:
            program_raw(&p, "wal/tail.copy");
            break;
        default:
            program_frame(&p);
        }
        p.file->size = FILE_BLOCKS * FRAME_ALIGN;
    }
}

// ---- what happens then

static size_t files_bytes(void)
{
    size_t total = 0;
    for (int i = 0; i < FILES_MAX; i++) {
        total += files[i].size;
    }
    return total;
}

static enum err deliver(void *arg, const struct ordered *o, struct error *e)
{
    uint64_t *last = arg;
    (void)e;
    ASSERT(o->lsn == *last + 1);
    for (size_t i = 0; i < o->meta.len; i++) { // every byte can be read
        *last += o->meta.ptr[i] == 0 ? 0 : 0;
    }
    *last = o->lsn;
    return ERR_OK;
}

static void fatal(void *arg, const struct error *e)
{
    (void)arg, (void)e;
    UNREACHABLE("this disk does not fail");
}

// Starts the engine; returns how the tail went, with the last LSN. Orders a bundle if it may.
static enum err start(struct env *env, bool is_ordering, uint64_t *ret_last)
{
    struct engine_local_options options;
    struct engine *engine;
    engine_local_options_init(&options);
    options.wal_file_bytes = 1 << 20;
    options.wal_first_bytes = 16 << 10;
    options.fatal = fatal;
    size_t limit = 2 * files_bytes() + SLACK_BYTES;
    held_peak = held_bytes;
    if (engine_local_open(env, &options, &engine, NULL) != ERR_OK) {
        return ERR_CORRUPT;
    }
    struct buf snapshot = {0};
    *ret_last = 0;
    enum err rc = engine_snapshot_read(engine, &snapshot, ret_last, NULL);
    buf_fini(&snapshot);
    if (rc == ERR_OK || rc == ERR_NOT_FOUND) {
        rc = engine_tail(engine, *ret_last, 0, deliver, ret_last, NULL);
    }
    if (rc == ERR_OK && is_ordering) {
        struct test_bundle b;
        struct ordered o;
        test_bundle_init(&b, 1, 1, 61);
        rc = engine_order(engine, &b.bundle, false, &o, NULL);
        ASSERT(rc == ERR_OK && o.lsn == *ret_last + 1);
        *ret_last = o.lsn;
        test_bundle_fini(&b);
    }
    ASSERT(held_peak <= limit);
    engine_close(engine, false);
    return rc;
}

static void line(void *arg, struct str text)
{
    *(size_t *)arg += text.len;
}

static void items(void *arg, struct bytes meta, uint32_t item_count)
{
    *(size_t *)arg += meta.len + item_count;
}

static void check(struct env *env)
{
    size_t sum = 0;
    uint64_t first = 0, second = 0;
    (void)!wal_dump(env, STR("wal/00000000000000000001.wal"), line, &sum, items, NULL);
    (void)!wal_repair(env, true, line, &sum, NULL);
    // A clean stop is believed, which is right only if it is true: the first start ends such a claim.
    enum err rc = start(env, false, &first);
    rc = start(env, false, &first);
    ASSERT(start(env, true, &second) == rc);
    ASSERT(rc != ERR_OK || second == first + 1);
    ASSERT(rc != ERR_READ_ONLY || second == first);
    if (rc == ERR_READ_ONLY) {
        ASSERT(wal_repair(env, false, line, &sum, NULL) == ERR_OK);
        ASSERT(start(env, true, &second) == ERR_OK);
        ASSERT(second == first + 1);
        rc = ERR_OK;
    }
    if (rc == ERR_OK) {
        ASSERT(start(env, false, &first) == ERR_OK);
        ASSERT(first == second);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct env *world;
    static struct disk disk = {.ops = &memory_disk_ops};
    if (world == NULL) {
        struct error e;
        ASSERT(real_env_open(STR(""), &world, &e) == ERR_OK);
    }
    if (size > 4096) {
        return 0;
    }
    struct env env = *world;
    env.disk = &disk;
    program_run(bytes_of(data, size));
    check(&env);
    for (int i = 0; i < FILES_MAX; i++) {
        if (files[i].name[0] != '\0') {
            file_drop(&files[i]);
        }
    }
    return 0;
}
