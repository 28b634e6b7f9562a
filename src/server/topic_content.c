// SPDX-License-Identifier: Apache-2.0
// topic_content.c - fetch by fetch, batch by batch, record by record.
#include "server/topic_content.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "record/iterate.h"

enum { FETCH_BYTES = 1 << 20, READ_BYTES_MAX = 64 << 20 }; // one fetch; one with a batch of any size

static uint64_t key_hash(struct bytes key)
{
    return hash64(key, 31);
}

uint64_t topic_content_hash(struct bytes value)
{
    return hash64(value, 32);
}

void topic_content_init(struct topic_content *content, struct broker *broker, struct broker_port *port)
{
    *content = (struct topic_content){.broker = broker, .port = port};
    map_init(&content->keys);
    buf_init(&content->bytes, READ_BYTES_MAX);
}

struct content_key *topic_content_pop(struct topic_content *content)
{
    struct map_node *node = map_pop(&content->keys);
    return node == NULL ? NULL : MAP_ENTRY(node, struct content_key, by_key);
}

void topic_content_fini(struct topic_content *content)
{
    struct content_key *key;
    while ((key = topic_content_pop(content)) != NULL) {
        mem_free(key);
    }
    map_fini(&content->keys);
    buf_fini(&content->bytes);
}

struct content_key *topic_content_find(const struct topic_content *content, struct bytes key)
{
    struct map_node *node = map_first(&content->keys, key_hash(key));
    for (; node != NULL; node = map_next(node)) {
        struct content_key *entry = MAP_ENTRY(node, struct content_key, by_key);
        if (bytes_equal(bytes_of(entry->key, entry->len), key)) {
            return entry;
        }
    }
    return NULL;
}

static void record_take(struct topic_content *content, const struct record *record)
{
    if (record->key.ptr == NULL) {
        return; // a compacted topic has none
    }
    struct content_key *entry = topic_content_find(content, record->key);
    if (record->value.ptr == NULL) {
        if (entry != NULL) {
            map_remove(&content->keys, &entry->by_key);
            mem_free(entry);
        }
        return;
    }
    if (entry == NULL) {
        entry = mem_zalloc(sizeof *entry + record->key.len);
        entry->len = record->key.len;
        memcpy(entry->key, record->key.ptr, record->key.len);
        map_insert(&content->keys, &entry->by_key, key_hash(record->key));
    }
    entry->value_hash = topic_content_hash(record->value);
}

static enum err batch_take(struct topic_content *content, struct bytes batch, struct error *e)
{
    struct record_iterator it;
    struct record record;
    enum err err = record_iterator_init(&it, broker_port_codec(content->port), batch, NULL, e);
    if (err != ERR_OK) {
        return err;
    }
    bool is_control = (it.header.attributes & BATCH_ATTRIBUTE_CONTROL) != 0;
    while (record_iterator_next(&it, &record)) {
        if (!is_control) {
            record_take(content, &record);
        }
    }
    return record_iterator_fini(&it, e);
}

// slice_read appends the bytes of one slice.
static enum err slice_read(struct topic_content *content, struct fetch_slice *slice, struct error *e)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && slice->length > 0) {
        struct fetch_piece piece;
        err = broker_slice_next(content->broker, slice, &piece, e);
        if (err != ERR_OK) {
            break;
        }
        uint8_t *out = buf_reserve(&content->bytes, piece.length);
        if (out == NULL) {
            err = FAIL(e, ERR_NO_MEMORY, "a fetch of more than %d bytes", READ_BYTES_MAX);
        } else if (piece.file != NULL) {
            err = file_read_exact(piece.file, piece.position, out, piece.length, e);
        } else {
            memcpy(out, piece.ptr, piece.length);
        }
        content->bytes.len += out == NULL ? 0 : piece.length;
        chunk_unref(piece.chunk);
    }
    return err;
}

// fetched_take reads what was fetched; the next offset is in the part.
static enum err fetched_take(struct topic_content *content, struct error *e)
{
    struct fetch_part *part = &content->part;
    enum err err = part->err == ERR_OK ? ERR_OK : FAIL(e, part->err, "%s", err_text(part->err));
    content->bytes.len = 0;
    for (uint32_t i = 0; err == ERR_OK && i < part->slice_count; i++) {
        err = slice_read(content, &part->slices[i], e);
    }
    for (size_t at = 0; err == ERR_OK && at < content->bytes.len;) {
        struct bytes rest = bytes_of(content->bytes.ptr + at, content->bytes.len - at);
        struct batch_header header;
        err = batch_header_read(rest, &header, e);
        if (err == ERR_OK && header.size > rest.len) {
            err = FAIL(e, ERR_CORRUPT, "half a batch at offset %lld", (long long)header.base_offset);
        }
        err = err == ERR_OK ? batch_take(content, bytes_of(rest.ptr, header.size), e) : err;
        if (err == ERR_OK) {
            part->offset = batch_last_offset(&header) + 1;
            at += header.size;
        }
    }
    return err;
}

static void fetch(struct topic_content *content);

static void on_fetched(struct fetch_op *op)
{
    struct topic_content *content =
        (struct topic_content *)(void *)((char *)op - offsetof(struct topic_content, fetch));
    struct error e = {0};
    int64_t before = content->part.offset;
    int64_t end = content->part.high_watermark;
    content->err = fetched_take(content, &e);
    broker_fetch_release(content->broker, op);
    if (content->err == ERR_OK && content->part.offset < end) {
        if (content->part.offset > before) {
            fetch(content);
            return;
        }
        content->err = FAIL(&e, ERR_CORRUPT, "nothing can be read at offset %lld", (long long)before);
    }
    snprintf(content->text, sizeof content->text, "%s", e.text);
    content->done(content);
}

static void fetch(struct topic_content *content)
{
    struct uuid topic = content->part.topic_id;
    int64_t offset = content->part.offset;
    content->part = (struct fetch_part){.topic_id = topic,
                                        .offset = offset,
                                        .current_leader_epoch = -1,
                                        .last_fetched_epoch = -1,
                                        .bytes_max = FETCH_BYTES};
    content->fetch = (struct fetch_op){.port = content->port,
                                       .parts = &content->part,
                                       .part_count = 1,
                                       .bytes_max = FETCH_BYTES,
                                       .done = on_fetched};
    broker_fetch(content->broker, &content->fetch);
}

void topic_content_read(struct topic_content *content, struct uuid topic,
                        void (*done)(struct topic_content *content))
{
    content->part = (struct fetch_part){.topic_id = topic};
    content->done = done;
    fetch(content);
}
