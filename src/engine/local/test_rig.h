// SPDX-License-Identifier: Apache-2.0
// test_rig.h - a local engine over a real directory, for unit tests.
#ifndef ENGINE_LOCAL_TEST_RIG_H
#define ENGINE_LOCAL_TEST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "engine/local/format.h"
#include "engine/local/test_support.h"
#include "platform/real/real.h"

enum { RIG_FILE_BYTES = 1 << 20, RIG_FIRST_BYTES = 128 << 10 };

struct rig {
    char dir[64];
    struct env *env;
    struct engine *engine;
    struct engine_local_options options;
    struct test_replay replay; // of the last open
    uint64_t snapshot_lsn;     // likewise; 0 = none
    enum err tail_rc;
    uint32_t fatal_count;
};

void rig_dir_remove(const char *dir); // rig_test.c

static inline void rig_fatal(void *arg, const struct error *e)
{
    struct rig *r = arg;
    (void)e;
    r->fatal_count++;
}

static inline void rig_init(struct rig *r)
{
    memset(r, 0, sizeof *r);
    (void)snprintf(r->dir, sizeof r->dir, "/tmp/strom-engine-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    engine_local_options_init(&r->options);
    r->options.wal_file_bytes = RIG_FILE_BYTES;
    r->options.wal_first_bytes = RIG_FIRST_BYTES;
    r->options.disk_reserve_bytes = 0;
    r->options.fatal = rig_fatal;
    r->options.fatal_arg = r;
}

static inline void rig_env_open(struct rig *r)
{
    struct error e = {0};
    assert_int_equal(real_env_open(str_from_c(r->dir), &r->env, &e), ERR_OK);
}

static inline void rig_env_close(struct rig *r)
{
    real_env_close(r->env);
    r->env = NULL;
}

// rig_open opens and replays; r->tail_rc says how the tail went.
static inline void rig_open(struct rig *r)
{
    struct error e = {0};
    struct buf snapshot = {0};
    rig_env_open(r);
    if (engine_local_open(r->env, &r->options, &r->engine, &e) != ERR_OK) {
        print_error("open: %s\n", e.text);
        fail();
    }
    r->snapshot_lsn = 0;
    enum err rc = engine_snapshot_read(r->engine, &snapshot, &r->snapshot_lsn, &e);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        print_error("snapshot: %s\n", e.text);
        fail();
    }
    buf_fini(&snapshot);
    test_replay_fini(&r->replay);
    r->tail_rc = engine_tail(r->engine, r->snapshot_lsn, 0, test_deliver, &r->replay, &e);
    if (r->tail_rc != ERR_OK && r->tail_rc != ERR_READ_ONLY) {
        print_error("tail: %s\n", e.text);
        fail();
    }
}

static inline void rig_close(struct rig *r, bool is_clean)
{
    engine_close(r->engine, is_clean);
    r->engine = NULL;
    rig_env_close(r);
}

static inline void rig_reopen(struct rig *r, bool is_clean)
{
    rig_close(r, is_clean);
    rig_open(r);
}

static inline void rig_fini(struct rig *r)
{
    if (r->engine != NULL) {
        rig_close(r, false);
    }
    test_replay_fini(&r->replay);
    rig_dir_remove(r->dir);
}

static inline struct ordered rig_order_as(struct rig *r, uint64_t number, uint32_t batch_count,
                                          size_t batch_size, bool needs_sync)
{
    struct test_bundle b;
    struct ordered o = {0};
    struct error e = {0};
    test_bundle_init(&b, number, batch_count, batch_size);
    b.bundle.needs_sync = needs_sync;
    if (engine_order(r->engine, &b.bundle, false, &o, &e) != ERR_OK) {
        print_error("order: %s\n", e.text);
        fail();
    }
    test_bundle_fini(&b);
    return o;
}

static inline struct ordered rig_order(struct rig *r, uint64_t number, uint32_t batch_count,
                                       size_t batch_size)
{
    return rig_order_as(r, number, batch_count, batch_size, true);
}

static inline void rig_maintain(struct rig *r)
{
    int64_t next_ns = 0;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(engine_maintain(r->engine, &next_ns, NULL), ERR_OK);
    }
}

static inline void rig_snapshot(struct rig *r, uint64_t lsn)
{
    struct error e = {0};
    const struct str text = STR("state");
    if (engine_snapshot_write(r->engine, lsn, bytes_of(text.ptr, text.len), true, &e) != ERR_OK) {
        print_error("snapshot: %s\n", e.text);
        fail();
    }
}

// ---- the directory behind the engine's back (while it is closed)

struct rig_listing {
    char names[64][64];
    int64_t sizes[64];
    uint32_t count;
};
static inline void rig_list_each(void *arg, struct str name, int64_t size)
{
    struct rig_listing *l = arg;
    assert_true(l->count < 64 && name.len < 64);
    (void)snprintf(l->names[l->count], 64, STR_FMT, STR_ARG(name));
    l->sizes[l->count++] = size;
}
static inline struct rig_listing rig_list(struct rig *r, const char *dir)
{
    struct rig_listing l = {.count = 0};
    assert_int_equal(disk_list(r->env->disk, str_from_c(dir), rig_list_each, &l, NULL), ERR_OK);
    return l;
}

static inline struct buf rig_file_read(struct rig *r, const char *path)
{
    struct file *file;
    int64_t size = 0;
    struct buf b;
    assert_int_equal(disk_open(r->env->disk, str_from_c(path), DISK_READ, &file, NULL), ERR_OK);
    assert_int_equal(file_size(file, &size, NULL), ERR_OK);
    buf_init(&b, (size_t)size + 1);
    uint8_t *at = buf_reserve(&b, (size_t)size + 1);
    assert_int_equal(file_read_exact(file, 0, at, (size_t)size, NULL), ERR_OK);
    b.len = (size_t)size;
    file_close(file);
    return b;
}

static inline void rig_file_write(struct rig *r, const char *path, int64_t position, const void *data,
                                  size_t len)
{
    struct file *file;
    assert_int_equal(disk_open(r->env->disk, str_from_c(path), DISK_WRITE | DISK_CREATE, &file, NULL),
                     ERR_OK);
    assert_int_equal(file_write_bytes(file, position, bytes_of(data, len), NULL), ERR_OK);
    file_close(file);
}

static inline void rig_file_flip(struct rig *r, const char *path, int64_t position)
{
    struct buf b = rig_file_read(r, path);
    uint8_t flipped = b.ptr[position] ^ 0x10;
    rig_file_write(r, path, position, &flipped, 1);
    buf_fini(&b);
}

static inline const char *rig_wal_path(uint64_t number)
{
    static char text[LOCAL_PATH_SIZE];
    (void)local_path(text, "wal", number, ".wal");
    return text;
}

#endif
