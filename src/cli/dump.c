// SPDX-License-Identifier: Apache-2.0
// dump.c - `strom dump`: what a file of the data directory says, for people. Damage is shown, not fatal.
#include "cli/cli_private.h"

#include "base/assert.h"
#include "cli/local_file.h"
#include "cli/snapshot_dump.h"
#include "core/item.h"
#include "engine/local/local.h"
#include "keeper/segment.h"
#include "platform/real/process.h"

enum {
    SNAPSHOT_BYTES_MAX = INT32_MAX,
    ITEM_LINE_MAX = 1 << 20,
    ITEM_ARENA_BYTES = 64 << 20,
    OUT_FLUSH_BYTES = 256 << 10,
    MAGIC_SIZE = 8,
};

static const struct args_flag dump_flags[] = {
    {"no-items", ARGS_SWITCH, NULL, NULL, 0, 0,
     "Of a log file, print the bundles only, not what is in them."},
};
static const struct args_spec dump_spec = {
    .command = "strom dump",
    .names_usage = "FILE...",
    .summary = "print a log file, merged object or snapshot for people",
    .text = "Prints files of a data directory: wal/*.wal (the write-ahead log: bundles and their items), "
            "obj/*.obj (merged objects: runs and batches) and snap/*.snap (snapshots: every topic, "
            "partition and producer). What kind a file is follows from its name, else from its first "
            "bytes.\n\n"
            "It only reads. On the files of a running server it may see the very last writes half done. "
            "Records are not printed, only their batches; the formats are in docs/formats.\n\n"
            "The exit code is 1 if a file cannot be read or its structure is damaged.",
    .examples = "  strom dump strom-data/wal/*.wal\n"
                "  strom dump strom-data/wal/00000000000000000001.wal | grep TOPIC_CREATE\n"
                "  strom dump strom-data/snap/*.snap\n",
    .flags = dump_flags,
    .flag_count = sizeof dump_flags / sizeof *dump_flags,
    .names_min = 1,
    .names_max = ARGS_NAMES_MAX,
    .words = ARGS_WORDS_FILE,
};

static void print_line(void *arg, struct str text)
{
    struct run *run = arg;
    if (run->is_out_closed) {
        return;
    }
    buf_append_str(&run->out, text);
    buf_u8(&run->out, '\n');
    if (run->out.len >= OUT_FLUSH_BYTES) {
        (void)run_flush(run);
    }
}

static void print_items(void *arg, struct bytes meta, uint32_t item_count)
{
    struct run *run = arg;
    if (args_given(run->args, "no-items") || run->is_out_closed) {
        return;
    }
    struct arena arena;
    struct buf text;
    struct error e = {0};
    arena_init(&arena, ITEM_ARENA_BYTES);
    buf_init(&text, ITEM_LINE_MAX);
    struct reader r = reader_init(meta);
    for (uint32_t i = 0; i < item_count; i++) {
        struct item item;
        buf_reset(&text);
        if (item_decode(&r, &arena, &item, &e) != ERR_OK) {
            buf_printf(&text, "  item %u: DAMAGED: %s", i + 1, e.text);
            print_line(run, buf_str(&text));
            break;
        }
        buf_printf(&text, "  item %u: ", i + 1);
        item_print(&item, &text);
        text.len -= text.len > 0 && text.ptr[text.len - 1] == '\n' ? 1 : 0; // print_line ends the line
        print_line(run, buf_str(&text));
        arena_reset(&arena);
    }
    buf_fini(&text);
    arena_fini(&arena);
}

enum file_kind { FILE_WAL, FILE_SEGMENT, FILE_SNAPSHOT_FILE, FILE_SNAPSHOT_RAW, FILE_UNKNOWN };

static bool has_suffix(struct str text, struct str suffix)
{
    return text.len >= suffix.len && memcmp(text.ptr + text.len - suffix.len, suffix.ptr, suffix.len) == 0;
}

static enum err kind_of(struct str path, enum file_kind *ret, struct error *e)
{
    struct local_file f;
    uint8_t magic[MAGIC_SIZE] = {0};
    size_t len = 0;
    enum err err = local_file_open(path, &f, e);
    if (err != ERR_OK) {
        return err;
    }
    err = file_read_full(f.file, 0, magic, sizeof magic, &len, e);
    bool is_lost = str_has_prefix(f.name, STR("lost-"));
    local_file_close(&f);
    if (has_suffix(path, STR(".wal")) || is_lost) {
        *ret = FILE_WAL;
    } else if (has_suffix(path, STR(".obj"))) {
        *ret = FILE_SEGMENT;
    } else if (memcmp(magic, "STRS", 4) == 0) {
        *ret = FILE_SNAPSHOT_FILE;
    } else if (memcmp(magic, "STROMSNP", 8) == 0) {
        *ret = FILE_SNAPSHOT_RAW;
    } else if (memcmp(magic, "STRM", 4) == 0) {
        *ret = FILE_WAL;
    } else {
        *ret = has_suffix(path, STR(".snap")) ? FILE_SNAPSHOT_FILE : FILE_UNKNOWN;
    }
    return err;
}

// A log file is read from its data directory: `meta` there has the key that its frames carry.
static enum err dump_wal(struct run *run, struct str path, struct error *e)
{
    struct local_file f;
    enum err err = local_root_open(path, true, &f, e);
    if (err == ERR_OK) {
        err = wal_dump(f.env, f.name, print_line, run, print_items, e);
    }
    local_file_close(&f);
    return err;
}

static enum err dump_segment(struct run *run, struct str path, struct error *e)
{
    struct local_file f;
    enum err err = local_file_open(path, &f, e);
    if (err == ERR_OK) {
        err = segment_dump(f.file, print_line, run, e);
        local_file_close(&f);
    }
    return err;
}

static enum err dump_snapshot(struct run *run, struct str path, bool is_raw, struct error *e)
{
    struct buf file;
    struct buf joined;
    buf_init(&file, SNAPSHOT_BYTES_MAX);
    buf_init(&joined, SNAPSHOT_BYTES_MAX);
    struct error damage = {0};
    enum err broken = ERR_OK;
    enum err err = process_file_read(path, &file, e);
    if (err == ERR_OK && !is_raw) {
        broken = snapshot_file_join(buf_bytes(&file), &joined, &damage);
    }
    if (err == ERR_OK) { // also what comes before a damaged part
        err = snapshot_dump(is_raw ? buf_bytes(&file) : buf_bytes(&joined), print_line, run, e);
    }
    if (broken != ERR_OK && e != NULL) {
        *e = damage;
        err = broken;
    }
    buf_fini(&file);
    buf_fini(&joined);
    return err;
}

static bool dump_one(struct run *run, struct str path)
{
    struct error e = {0};
    enum file_kind kind = FILE_UNKNOWN;
    enum err err = kind_of(path, &kind, &e);
    if (err == ERR_OK) {
        switch (kind) {
        case FILE_WAL:
            err = dump_wal(run, path, &e);
            break;
        case FILE_SEGMENT:
            err = dump_segment(run, path, &e);
            break;
        case FILE_SNAPSHOT_FILE:
        case FILE_SNAPSHOT_RAW:
            err = dump_snapshot(run, path, kind == FILE_SNAPSHOT_RAW, &e);
            break;
        case FILE_UNKNOWN:
            err = FAIL(&e, ERR_UNSUPPORTED_FORMAT, "neither a log file, a merged object nor a snapshot");
            break;
        }
    }
    if (err != ERR_OK && !run->is_out_closed) {
        run_fail(run, run_print(run, "cannot dump " STR_FMT, STR_ARG(path)).ptr, err, &e, NULL);
    }
    return !run->is_out_closed;
}

static int dump_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &dump_spec, argc, argv)) {
        for (size_t i = 0; i < run.args->name_count; i++) {
            if (run.args->name_count > 1) {
                buf_printf(&run.out, "%s==> " STR_FMT " <==\n", i == 0 ? "" : "\n",
                           STR_ARG(run.args->names[i]));
            }
            if (!dump_one(&run, run.args->names[i])) {
                break;
            }
        }
    }
    return run_finish(&run);
}

const struct cli_command dump_command = {.name = "dump", .spec = &dump_spec, .run = dump_run};
