// SPDX-License-Identifier: Apache-2.0
// snapshot_dump.c - reads with its own eyes, not with the core's loader: a dump must also show what the
// loader refuses.
#include "cli/snapshot_dump.h"

#include "base/crc32c.h"
#include "cli/table.h"

enum {
    FILE_MAGIC = 0x53545253, // "STRS"
    FILE_HEADER_SIZE = 36,
    FILE_CRC_AT = 32,
    PART_BYTES_MAX = 1 << 20,
    LINE_BYTES_MAX = 64 << 20,
    RECORD_HEAD = 1,
    RECORD_TOPIC = 2,
    RECORD_PARTITION = 3,
    RECORD_PRODUCER = 4,
    RECORD_GROUP = 5,
    RECORD_OFFSETS = 6,
    RECORD_QUOTA = 7,
    RECORD_TXN = 8,
    RECORD_ABORTED = 9,
    RECORD_TALLY = 20,
    OFFSETS_PER_PAGE = 256,
    TEXT_NULL = 0xffff,
    RECORD_END = 255,
};

enum err snapshot_file_join(struct bytes file, struct buf *out, struct error *e)
{
    struct reader r = reader_init(file);
    const uint8_t *header = reader_take(&r, FILE_HEADER_SIZE);
    if (header == NULL || load_be32(header) != FILE_MAGIC) {
        return FAIL(e, ERR_CORRUPT, "no snapshot file: it does not begin with \"STRS\"");
    }
    uint32_t sum = crc32c(0, header, FILE_CRC_AT);
    if (sum != load_be32(header + FILE_CRC_AT)) {
        return FAIL(e, ERR_CORRUPT, "the header's checksum does not match");
    }
    uint64_t total = 0;
    for (uint32_t index = 0;; index++) {
        const uint8_t *head = reader_take(&r, 8);
        uint32_t length = head == NULL ? 0 : load_be32(head);
        const uint8_t *data = reader_take(&r, length);
        if (head == NULL || data == NULL || length > PART_BYTES_MAX) {
            return FAIL(e, ERR_CORRUPT, "part %u: cut off, or of an impossible length", index);
        }
        uint8_t last[8];
        store_be64(last, total);
        sum = length == 0 ? crc32c(sum, last, sizeof last) : crc32c(crc32c(sum, head, 4), data, length);
        if (sum != load_be32(head + 4)) {
            return FAIL(e, ERR_CORRUPT, "part %u: its checksum does not match", index);
        }
        if (length == 0) {
            return reader_left(&r) == 0 ? ERR_OK : FAIL(e, ERR_CORRUPT, "bytes after the last part");
        }
        buf_append(out, data, length);
        total += length;
    }
}

struct dump {
    void (*line)(void *arg, struct str text);
    void *arg;
    struct buf text;
};

static void line_end(struct dump *d)
{
    d->line(d->arg, buf_str(&d->text));
    buf_reset(&d->text);
}

static struct str read_name(struct reader *r)
{
    uint16_t len = (uint16_t)reader_i16(r);
    const uint8_t *at = reader_take(r, len);
    return at == NULL ? STR("") : (struct str){(const char *)at, len};
}

static void dump_uuid(struct dump *d, struct reader *r)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(reader_uuid(r), id);
    buf_printf(&d->text, " topic=%s", id);
}

static void dump_configs(struct dump *d, struct reader *r)
{
    uint16_t count = (uint16_t)reader_i16(r);
    for (uint16_t i = 0; i < count && !r->failed; i++) {
        struct str key = read_name(r);
        uint32_t len = reader_u32(r);
        const uint8_t *value = reader_take(r, len);
        if (value != NULL) {
            buf_u8(&d->text, ' ');
            text_show(key, &d->text);
            buf_u8(&d->text, '=');
            text_show((struct str){(const char *)value, len}, &d->text);
        }
    }
}

static void dump_head(struct dump *d, struct reader *r)
{
    static const char *const names[] = {"lsn",        "stamp_ms",   "time_ms",        "next_producer",
                                        "next_order", "object_max", "config_revision"};
    buf_printf(&d->text, "HEAD");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        buf_printf(&d->text, " %s=%lld", names[i], (long long)reader_i64(r));
    }
    dump_configs(d, r);
}

static void dump_topic(struct dump *d, struct reader *r)
{
    buf_printf(&d->text, "TOPIC");
    dump_uuid(d, r);
    struct str name = read_name(r);
    buf_printf(&d->text, " name=");
    text_show(name, &d->text);
    buf_printf(&d->text, " partitions=%d", reader_i32(r));
    buf_printf(&d->text, " revision=%lld", (long long)reader_i64(r));
    dump_configs(d, r);
}

static void dump_extent(struct dump *d, struct reader *r)
{
    int64_t base = reader_i64(r);
    int64_t end = reader_i64(r);
    int64_t object = reader_i64(r);
    int64_t position = reader_i64(r);
    uint32_t length = reader_u32(r);
    uint32_t records = reader_u32(r);
    int64_t max_timestamp = reader_i64(r);
    int32_t epoch = reader_i32(r);
    uint32_t flags = reader_u32(r);
    if (!r->failed) {
        line_end(d);
        buf_printf(&d->text,
                   "  extent offsets=%lld..%lld object=%lld position=%lld bytes=%u records=%u "
                   "max_timestamp=%lld epoch=%d%s",
                   (long long)base, (long long)end, (long long)object, (long long)position, length, records,
                   (long long)max_timestamp, epoch, (flags & 1) != 0 ? " final" : "");
    }
}

static void dump_partition(struct dump *d, struct reader *r)
{
    buf_printf(&d->text, "PARTITION");
    dump_uuid(d, r);
    buf_printf(&d->text, " partition=%d", reader_i32(r));
    buf_printf(&d->text, " log_start=%lld", (long long)reader_i64(r));
    buf_printf(&d->text, " high_watermark=%lld epochs=", (long long)reader_i64(r));
    uint32_t epoch_count = reader_u32(r);
    for (uint32_t i = 0; i < epoch_count && !r->failed; i++) {
        int32_t epoch = reader_i32(r);
        int64_t start = reader_i64(r);
        buf_printf(&d->text, "%s%d@%lld", i == 0 ? "" : ",", epoch, (long long)start);
    }
    uint32_t extent_count = reader_u32(r);
    buf_printf(&d->text, " extents=%u", extent_count);
    for (uint32_t i = 0; i < extent_count && !r->failed; i++) {
        dump_extent(d, r);
    }
}

static void dump_producer(struct dump *d, struct reader *r)
{
    buf_printf(&d->text, "PRODUCER");
    dump_uuid(d, r);
    buf_printf(&d->text, " partition=%d", reader_i32(r));
    buf_printf(&d->text, " producer=%lld", (long long)reader_i64(r));
    buf_printf(&d->text, " epoch=%d", reader_i16(r));
    buf_printf(&d->text, " last_time_ms=%lld", (long long)reader_i64(r));
    buf_printf(&d->text, " order=%lld batches=", (long long)reader_i64(r));
    int count = (uint8_t)reader_i8(r);
    for (int i = 0; i < count && !r->failed; i++) {
        int32_t sequence = reader_i32(r);
        int32_t span = reader_i32(r);
        int64_t offset = reader_i64(r);
        buf_printf(&d->text, "%s%d+%d@%lld", i == 0 ? "" : ",", sequence, span, (long long)offset);
    }
}

// dump_text reads a text behind its length, and shows it unless it is null.
static void dump_text(struct dump *d, const char *label, struct reader *r)
{
    uint16_t len = (uint16_t)reader_i16(r);
    const uint8_t *at = len == TEXT_NULL ? NULL : reader_take(r, len);
    if (at != NULL) {
        buf_printf(&d->text, " %s=", label);
        text_show((struct str){(const char *)at, len}, &d->text);
    }
}

static void dump_blob_size(struct dump *d, const char *label, struct reader *r)
{
    uint32_t len = reader_u32(r);
    reader_take(r, len);
    buf_printf(&d->text, " %s=%u", label, len);
}

static void dump_group(struct dump *d, struct reader *r)
{
    buf_printf(&d->text, "GROUP");
    dump_text(d, "group", r);
    buf_printf(&d->text, " generation=%d", reader_i32(r));
    int64_t empty_since_ms = reader_i64(r);
    if (empty_since_ms != INT64_MAX && empty_since_ms != INT64_MIN) { // it has members; it never had any
        buf_printf(&d->text, " empty_since_ms=%lld", (long long)empty_since_ms);
    }
    dump_text(d, "type", r);
    dump_text(d, "protocol", r);
    dump_text(d, "leader", r);
    uint32_t count = reader_u32(r);
    buf_printf(&d->text, " members=%u", count);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        line_end(d);
        buf_printf(&d->text, "  member");
        dump_text(d, "id", r);
        dump_text(d, "instance", r);
        dump_text(d, "client", r);
        dump_text(d, "host", r);
        buf_printf(&d->text, " session_ms=%d", reader_i32(r));
        buf_printf(&d->text, " rebalance_ms=%d", reader_i32(r));
        dump_blob_size(d, "subscription", r);
        dump_blob_size(d, "assignment", r);
    }
}

static void dump_offsets(struct dump *d, struct reader *r)
{
    buf_printf(&d->text, "OFFSETS");
    dump_text(d, "group", r);
    dump_uuid(d, r);
    int64_t first = (int64_t)reader_i32(r) * OFFSETS_PER_PAGE;
    uint16_t count = (uint16_t)reader_i16(r);
    buf_printf(&d->text, " partitions=%lld.. count=%u", (long long)first, count);
    for (uint16_t i = 0; i < count && !r->failed; i++) {
        line_end(d);
        buf_printf(&d->text, "  offset partition=%lld", (long long)first + (uint8_t)reader_i8(r));
        buf_printf(&d->text, " offset=%lld", (long long)reader_i64(r));
        buf_printf(&d->text, " epoch=%d", reader_i32(r));
        buf_printf(&d->text, " commit_ms=%lld", (long long)reader_i64(r));
        buf_printf(&d->text, " retention_ms=%lld", (long long)reader_i64(r));
        dump_text(d, "metadata", r);
    }
}

static void dump_quota(struct dump *d, struct reader *r)
{
    static const char *const types[] = {"user", "client-id", "ip"};
    buf_printf(&d->text, "QUOTA");
    int part_count = (uint8_t)reader_i8(r);
    for (int i = 0; i < part_count && !r->failed; i++) {
        uint8_t type = (uint8_t)reader_i8(r);
        const char *label = type < sizeof types / sizeof *types ? types[type] : "unknown-type";
        if (reader_left(r) >= 2 && load_be16(r->pos) == TEXT_NULL) {
            buf_printf(&d->text, " %s=(default)", label);
        }
        dump_text(d, label, r);
    }
    buf_printf(&d->text, " revision=%lld", (long long)reader_i64(r));
    int value_count = (uint8_t)reader_i8(r);
    for (int i = 0; i < value_count && !r->failed; i++) {
        struct str key = read_name(r);
        uint64_t bits = (uint64_t)reader_i64(r);
        double value;
        memcpy(&value, &bits, sizeof value);
        buf_u8(&d->text, ' ');
        text_show(key, &d->text);
        buf_printf(&d->text, "=%.17g", value);
    }
}

static void dump_txn_groups(struct dump *d, struct reader *r)
{
    uint32_t group_count = reader_u32(r);
    for (uint32_t g = 0; g < group_count && !r->failed; g++) {
        line_end(d);
        buf_printf(&d->text, "  offsets");
        dump_text(d, "group", r);
        uint32_t count = reader_u32(r);
        for (uint32_t i = 0; i < count && !r->failed; i++) {
            line_end(d);
            buf_printf(&d->text, "   ");
            dump_uuid(d, r);
            buf_printf(&d->text, " partition=%d", reader_i32(r));
            buf_printf(&d->text, " offset=%lld", (long long)reader_i64(r));
            buf_printf(&d->text, " epoch=%d", reader_i32(r));
            dump_text(d, "metadata", r);
        }
    }
}

static void dump_txn(struct dump *d, struct reader *r)
{
    static const char *const states[] = {"empty", "ongoing", "committed", "aborted"};
    buf_printf(&d->text, "TXN");
    dump_text(d, "id", r);
    buf_printf(&d->text, " producer=%lld", (long long)reader_i64(r));
    buf_printf(&d->text, ":%d", reader_i16(r));
    buf_printf(&d->text, " before=%lld", (long long)reader_i64(r));
    buf_printf(&d->text, ":%d", reader_i16(r));
    buf_printf(&d->text, " by=%s", reader_i8(r) != 0 ? "init" : "end");
    buf_printf(&d->text, " timeout_ms=%d", reader_i32(r));
    uint8_t state = (uint8_t)reader_i8(r);
    buf_printf(&d->text, " state=%s", state < 4 ? states[state] : "unknown");
    buf_printf(&d->text, " start_ms=%lld", (long long)reader_i64(r));
    buf_printf(&d->text, " deadline_ms=%lld", (long long)reader_i64(r));
    buf_printf(&d->text, " used_ms=%lld", (long long)reader_i64(r));
    uint32_t count = reader_u32(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        line_end(d);
        buf_printf(&d->text, " ");
        dump_uuid(d, r);
        buf_printf(&d->text, " partition=%d", reader_i32(r));
        buf_printf(&d->text, " first_offset=%lld", (long long)reader_i64(r));
    }
    dump_txn_groups(d, r);
}

static void dump_aborted(struct dump *d, struct reader *r)
{
    buf_printf(&d->text, "ABORTED");
    dump_uuid(d, r);
    buf_printf(&d->text, " partition=%d", reader_i32(r));
    uint32_t count = reader_u32(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        line_end(d);
        buf_printf(&d->text, "  producer=%lld", (long long)reader_i64(r));
        buf_printf(&d->text, " first_offset=%lld", (long long)reader_i64(r));
        buf_printf(&d->text, " marker=%lld", (long long)reader_i64(r));
        buf_printf(&d->text, " stable=%lld", (long long)reader_i64(r));
    }
}

static void dump_tally(struct dump *d, struct reader *r)
{
    buf_printf(&d->text, "TALLY");
    dump_uuid(d, r);
    buf_printf(&d->text, " who=");
    text_show(read_name(r), &d->text);
    buf_printf(&d->text, " what=");
    text_show(read_name(r), &d->text);
    buf_printf(&d->text, " kind=%d", reader_i8(r));
    buf_printf(&d->text, " count=%lld", (long long)reader_i64(r));
    buf_printf(&d->text, " stamp_ms=%lld", (long long)reader_i64(r));
}

static bool dump_record(struct dump *d, int kind, struct reader *r)
{
    switch (kind) {
    case RECORD_HEAD:
        dump_head(d, r);
        break;
    case RECORD_TOPIC:
        dump_topic(d, r);
        break;
    case RECORD_PARTITION:
        dump_partition(d, r);
        break;
    case RECORD_PRODUCER:
        dump_producer(d, r);
        break;
    case RECORD_GROUP:
        dump_group(d, r);
        break;
    case RECORD_OFFSETS:
        dump_offsets(d, r);
        break;
    case RECORD_QUOTA:
        dump_quota(d, r);
        break;
    case RECORD_TXN:
        dump_txn(d, r);
        break;
    case RECORD_ABORTED:
        dump_aborted(d, r);
        break;
    case RECORD_TALLY:
        dump_tally(d, r);
        break;
    case RECORD_END:
        buf_printf(&d->text, "END records=%lld", (long long)reader_i64(r));
        buf_printf(&d->text, " state_hash=%016llx", (unsigned long long)reader_i64(r));
        break;
    default:
        buf_printf(&d->text, "UNKNOWN kind=%d bytes=%zu", kind, reader_left(r));
        r->pos = r->end;
        break;
    }
    bool is_sound = !r->failed && reader_left(r) == 0;
    buf_printf(&d->text, "%s", is_sound ? "" : "  DAMAGED: the record's length does not fit what is in it");
    line_end(d);
    return is_sound;
}

enum err snapshot_dump(struct bytes snapshot, void (*line)(void *arg, struct str text), void *arg,
                       struct error *e)
{
    struct reader r = reader_init(snapshot);
    const uint8_t *magic = reader_take(&r, 8);
    uint32_t version = reader_u32(&r);
    if (r.failed || memcmp(magic, "STROMSNP", 8) != 0) {
        return FAIL(e, ERR_CORRUPT, "no snapshot: it does not begin with \"STROMSNP\"");
    }
    struct dump d = {.line = line, .arg = arg};
    buf_init(&d.text, LINE_BYTES_MAX);
    buf_printf(&d.text, "snapshot version %u, %zu bytes", version, snapshot.len);
    line_end(&d);
    enum err err = ERR_OK;
    while (err == ERR_OK && reader_left(&r) > 0) {
        size_t at = snapshot.len - reader_left(&r);
        uint32_t length = reader_u32(&r);
        int kind = (uint8_t)reader_i8(&r);
        const uint8_t *body = reader_take(&r, length);
        if (body == NULL) {
            err = FAIL(e, ERR_CORRUPT, "cut off in the record at byte %zu", at);
            break;
        }
        struct reader record = reader_init(bytes_of(body, length));
        if (!dump_record(&d, kind, &record)) {
            err = FAIL(e, ERR_CORRUPT, "the record at byte %zu does not make sense", at);
        }
    }
    buf_fini(&d.text);
    return err;
}
