// SPDX-License-Identifier: Apache-2.0
// strom dump: one WAL file for people. It reads whatever is there, in any state, and says what it cannot
// read.
#include <stdarg.h>

#include "engine/local/local_private.h"

struct dump {
    void (*line)(void *arg, struct str text);
    void (*print_items)(void *arg, struct bytes meta, uint32_t item_count);
    void *arg;
    struct wal_reader reader;
};

static void dump_line(const struct dump *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void dump_line(const struct dump *d, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len > 0) {
        size_t size = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
        d->line(d->arg, (struct str){text, size});
    }
}

static void dump_frame(const struct dump *d, const struct wal_frame *f, struct bytes meta, bool is_whole)
{
    if (f->kind == FRAME_MARK) {
        dump_line(d, "%lld: mark: all is durable up to lsn %llu; chain %08x, sum %08x",
                  (long long)f->position, (unsigned long long)f->durable_lsn, f->chain, f->header_crc);
        return;
    }
    dump_line(d,
              "%lld: bundle lsn %llu id %016llx stamp_ms %lld time_ms %lld durable_lsn %llu chain %08x sum "
              "%08x: %u "
              "items in %u bytes, %u batches in %llu bytes at %lld%s",
              (long long)f->position, (unsigned long long)f->lsn, (unsigned long long)f->bundle_id,
              (long long)f->stamp_ms, (long long)f->time_ms, (unsigned long long)f->durable_lsn, f->chain,
              f->header_crc, f->item_count, f->meta_len, f->entry_count, (unsigned long long)f->payload_len,
              (long long)wal_frame_payload_position(f), is_whole ? "" : " - DAMAGED: a batch does not match");
    if (d->print_items != NULL && meta.len > 0) {
        d->print_items(d->arg, meta, f->item_count);
    }
}

// Prints the frame at the position, if there is one, and moves behind it.
static enum err dump_step(struct dump *d, int64_t *position, struct error *e)
{
    struct wal_frame f;
    struct bytes meta, entries;
    bool is_valid, is_whole;
    enum err rc = wal_reader_frame(&d->reader, *position, &f, &meta, &entries, &is_valid, e);
    if (rc == ERR_OK && is_valid) {
        rc = wal_reader_payload(&d->reader, &f, &is_whole, e);
        if (rc == ERR_OK) { // the window has moved on
            rc = wal_reader_frame(&d->reader, *position, &f, &meta, &entries, &is_valid, e);
        }
        if (rc == ERR_OK && is_valid) {
            dump_frame(d, &f, meta, is_whole);
            *position = wal_frame_next(&f);
        }
        return rc;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = wal_reader_header(&d->reader, *position, &f, &is_valid, e);
    if (rc == ERR_OK && is_valid) {
        dump_line(d, "%lld: DAMAGED: bundle lsn %llu, its items do not match their sum",
                  (long long)f.position, (unsigned long long)f.lsn);
    }
    int64_t from = *position;
    if (rc == ERR_OK) {
        rc = wal_reader_search(&d->reader, from + FRAME_ALIGN, &f, position, e);
    }
    if (rc == ERR_OK && !is_valid) {
        dump_line(d, "%lld: nothing of this file up to %lld", (long long)from, (long long)*position);
    }
    return rc;
}

// The key and the number are known from meta and the name, or else taken from the first header that is sound.
static enum err dump_identify(struct env *env, struct dump *d, struct str path, struct error *e)
{
    struct store_meta meta;
    struct str name = path;
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] == '/') {
            name = (struct str){path.ptr + i + 1, path.len - i - 1};
        }
    }
    bool has_number = local_name_parse(name, STR(".wal"), &d->reader.number);
    bool has_key = meta_read(env->disk, &meta, NULL) == ERR_OK;
    if (has_key) {
        d->reader.store_key = meta.store_key;
    }
    for (int64_t at = 0; !(has_number && has_key) && at + FRAME_HEADER_SIZE <= d->reader.size;
         at += FRAME_ALIGN) {
        uint8_t head[FRAME_HEADER_SIZE];
        struct wal_frame f;
        enum err rc = file_read_exact(d->reader.file, at, head, sizeof head, e);
        if (rc != ERR_OK) {
            return rc;
        }
        if (wal_frame_decode(head, &f)) {
            d->reader.number = has_number ? d->reader.number : f.file;
            d->reader.store_key = has_key ? d->reader.store_key : f.store_key;
            break;
        }
    }
    return ERR_OK;
}

enum err wal_dump(struct env *env, struct str path, void (*line)(void *arg, struct str text), void *arg,
                  void (*print_items)(void *arg, struct bytes meta, uint32_t item_count), struct error *e)
{
    struct dump d = {.line = line, .print_items = print_items, .arg = arg};
    struct file *file;
    int64_t size = 0;
    enum err rc = disk_open(env->disk, path, DISK_READ, &file, e);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = file_size(file, &size, e);
    wal_reader_init(&d.reader, file, 0, size, 0);
    if (rc == ERR_OK) {
        rc = dump_identify(env, &d, path, e);
    }
    if (rc == ERR_OK) {
        dump_line(&d, STR_FMT ": %lld bytes, object %llu", STR_ARG(path), (long long)size,
                  (unsigned long long)d.reader.number);
    }
    for (int64_t position = 0; position < size && rc == ERR_OK;) {
        rc = dump_step(&d, &position, e);
    }
    wal_reader_fini(&d.reader);
    file_close(file);
    return rc;
}
