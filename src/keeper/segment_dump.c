// SPDX-License-Identifier: Apache-2.0
// segment_dump.c - a merged object as text. What is damaged is said and skipped; only the footer is needed.
#include "keeper/segment_private.h"

#include "base/mem.h"

enum { DUMP_LINE_SIZE = 512 };

struct dump {
    struct file *file;
    void (*line)(void *arg, struct str text);
    void *arg;
    struct buf text;
};

static enum err dump_read(void *arg, int64_t position, void *out, size_t len, struct error *e)
{
    return file_read_exact(arg, position, out, len, e);
}

static void dump_line(struct dump *d)
{
    d->line(d->arg, buf_str(&d->text));
    buf_reset(&d->text);
}

static bool dump_batch_is_sound(struct dump *d, int64_t position, size_t size)
{
    uint8_t *batch = mem_alloc(size);
    bool is_sound = file_read_exact(d->file, position, batch, size, NULL) == ERR_OK &&
                    batch_crc_check(bytes_of(batch, size));
    mem_free(batch);
    return is_sound;
}

// dump_batches walks a run by its headers; it stops where one does not make sense.
static void dump_batches(struct dump *d, const struct segment_run *run)
{
    int64_t position = run->position;
    int64_t end = run->position + run->length;
    while (position < end) {
        uint8_t head[BATCH_HEADER_SIZE];
        struct batch_header h = {0};
        if (end - position < BATCH_HEADER_SIZE ||
            file_read_exact(d->file, position, head, sizeof head, NULL) != ERR_OK ||
            batch_header_read(bytes_of(head, sizeof head), &h, NULL) != ERR_OK ||
            h.size > (size_t)(end - position)) {
            buf_printf(&d->text, "  position %lld: DAMAGED, no batch header; skipping the rest of the run",
                       (long long)position);
            dump_line(d);
            return;
        }
        buf_printf(&d->text,
                   "  position %lld: offsets %lld..%lld, records %d, bytes %zu, epoch %d, codec %d, producer "
                   "%lld/%d, sequence %d, max timestamp %lld, checksum %s",
                   (long long)position, (long long)h.base_offset, (long long)batch_last_offset(&h),
                   h.record_count, h.size, h.leader_epoch, (int)batch_codec(&h), (long long)h.producer_id,
                   h.producer_epoch, h.base_sequence, (long long)h.max_timestamp,
                   dump_batch_is_sound(d, position, h.size) ? "ok" : "DAMAGED");
        dump_line(d);
        position += (int64_t)h.size;
    }
}

enum err segment_dump(struct file *file, void (*line)(void *arg, struct str text), void *arg, struct error *e)
{
    int64_t size = 0;
    enum err err = file_size(file, &size, e);
    if (err != ERR_OK) {
        return err;
    }
    struct segment_source source = {file, size, dump_read};
    struct segment_footer footer;
    err = segment_footer_load(&source, &footer, e);
    if (err != ERR_OK) {
        return err;
    }
    struct dump d = {.file = file, .line = line, .arg = arg};
    buf_init(&d.text, DUMP_LINE_SIZE);
    buf_printf(&d.text, "merged object: %lld bytes, %u runs, %u index entries, footer at %lld",
               (long long)size, footer.run_count, footer.entry_count, (long long)footer.position);
    dump_line(&d);
    for (uint32_t i = 0; i < footer.run_count; i++) {
        struct segment_run run = segment_run_at(&footer, i);
        char topic[UUID_TEXT_SIZE];
        uuid_format(run.topic_id, topic);
        buf_printf(&d.text,
                   "run %u: topic %s, partition %d, offsets %lld..%lld, records %u, position %lld, bytes %u, "
                   "epoch %d, max timestamp %lld, index entries %u",
                   i, topic, run.partition, (long long)run.base_offset, (long long)(run.end_offset - 1),
                   run.record_count, (long long)run.position, run.length, run.leader_epoch,
                   (long long)run.max_timestamp, run.entry_count);
        dump_line(&d);
        dump_batches(&d, &run);
    }
    buf_fini(&d.text);
    segment_footer_fini(&footer);
    return ERR_OK;
}
