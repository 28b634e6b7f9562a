// SPDX-License-Identifier: Apache-2.0
#include "engine/local/format.h"

#include "base/crc32c.h"

enum {
    FRAME_MAGIC = 0x5354524d,    // "STRM"
    META_MAGIC = 0x53545241,     // "STRA"
    SNAPSHOT_MAGIC = 0x53545253, // "STRS"
    FORMAT_VERSION = 1,
    FRAME_SUM_AT = 108,
    META_SUM_AT = 72,
    SNAPSHOT_SUM_AT = 32,
    NAME_DIGITS = 20,
};

// A frame that claims more is not ours: it keeps every sum of positions far from overflow.
static const uint64_t payload_len_max = 1ULL << 40;
static const uint64_t position_max = 1ULL << 50;

uint32_t wal_frame_encode(struct wal_frame *frame, uint8_t out[FRAME_HEADER_SIZE])
{
    memset(out, 0, FRAME_HEADER_SIZE);
    store_be32(out, FRAME_MAGIC);
    store_be16(out + 4, FORMAT_VERSION);
    out[6] = (uint8_t)frame->kind;
    store_be64(out + 8, frame->store_key);
    store_be64(out + 16, frame->file);
    store_be64(out + 24, (uint64_t)frame->position);
    store_be64(out + 32, frame->lsn);
    store_be64(out + 40, frame->durable_lsn);
    store_be64(out + 48, frame->bundle_id);
    store_be64(out + 56, (uint64_t)frame->stamp_ms);
    store_be64(out + 64, (uint64_t)frame->time_ms);
    store_be32(out + 72, frame->chain);
    store_be32(out + 76, frame->meta_len);
    store_be32(out + 80, frame->item_count);
    store_be32(out + 84, frame->entry_count);
    store_be64(out + 88, frame->payload_len);
    store_be32(out + 96, frame->body_crc);
    frame->header_crc = crc32c(0, out, FRAME_SUM_AT);
    store_be32(out + FRAME_SUM_AT, frame->header_crc);
    return frame->header_crc;
}

bool wal_frame_decode(const uint8_t in[FRAME_HEADER_SIZE], struct wal_frame *ret)
{
    if (load_be32(in) != FRAME_MAGIC || load_be16(in + 4) != FORMAT_VERSION) {
        return false;
    }
    if (in[6] != FRAME_BUNDLE && in[6] != FRAME_MARK) {
        return false;
    }
    struct wal_frame f = {
        .kind = (enum frame_kind)in[6],
        .store_key = load_be64(in + 8),
        .file = load_be64(in + 16),
        .position = (int64_t)load_be64(in + 24),
        .lsn = load_be64(in + 32),
        .durable_lsn = load_be64(in + 40),
        .bundle_id = load_be64(in + 48),
        .stamp_ms = (int64_t)load_be64(in + 56),
        .time_ms = (int64_t)load_be64(in + 64),
        .chain = load_be32(in + 72),
        .meta_len = load_be32(in + 76),
        .item_count = load_be32(in + 80),
        .entry_count = load_be32(in + 84),
        .payload_len = load_be64(in + 88),
        .body_crc = load_be32(in + 96),
        .header_crc = load_be32(in + FRAME_SUM_AT),
    };
    if (crc32c(0, in, FRAME_SUM_AT) != f.header_crc && !plant_is(PLANT_SKIP_CRC)) {
        return false;
    }
    if (f.payload_len > payload_len_max || (uint64_t)f.position > position_max) {
        return false;
    }
    // Nobody writes a frame that vouches for itself or for what comes later.
    if (f.durable_lsn > f.lsn || (f.kind == FRAME_BUNDLE && f.durable_lsn == f.lsn)) {
        return false;
    }
    *ret = f;
    return true;
}

void payload_entry_encode(const struct payload_entry *entry, uint8_t out[FRAME_ENTRY_SIZE])
{
    store_be32(out, entry->length);
    store_be32(out + 4, entry->crc);
}

struct payload_entry payload_entry_decode(const uint8_t in[FRAME_ENTRY_SIZE])
{
    return (struct payload_entry){.length = load_be32(in), .crc = load_be32(in + 4)};
}

void store_meta_encode(const struct store_meta *meta, uint8_t out[META_SLOT_SIZE])
{
    memset(out, 0, META_SLOT_SIZE);
    store_be32(out, META_MAGIC);
    store_be16(out + 4, FORMAT_VERSION);
    out[6] = meta->is_clean;
    store_be64(out + 8, meta->generation);
    memcpy(out + 16, meta->cluster_id.b, 16);
    store_be64(out + 32, meta->store_key);
    store_be64(out + 40, meta->object_limit);
    store_be64(out + 48, meta->durable_lsn);
    store_be64(out + 56, (uint64_t)meta->stamp_ms);
    store_be64(out + 64, (uint64_t)meta->time_ms);
    store_be32(out + META_SUM_AT, crc32c(0, out, META_SUM_AT));
}

enum err store_meta_decode(const uint8_t in[META_SLOT_SIZE], struct store_meta *ret, struct error *e)
{
    if (load_be32(in) != META_MAGIC || crc32c(0, in, META_SUM_AT) != load_be32(in + META_SUM_AT)) {
        return FAIL(e, ERR_CORRUPT, "meta: damaged slot");
    }
    if (load_be16(in + 4) != FORMAT_VERSION) {
        return FAIL(e, ERR_UNSUPPORTED_VERSION, "meta: the data is in format %u, this program knows %d",
                    load_be16(in + 4), FORMAT_VERSION);
    }
    struct store_meta m = {
        .is_clean = in[6] == 1,
        .generation = load_be64(in + 8),
        .store_key = load_be64(in + 32),
        .object_limit = load_be64(in + 40),
        .durable_lsn = load_be64(in + 48),
        .stamp_ms = (int64_t)load_be64(in + 56),
        .time_ms = (int64_t)load_be64(in + 64),
    };
    memcpy(m.cluster_id.b, in + 16, 16);
    *ret = m;
    return ERR_OK;
}

uint32_t snapshot_header_encode(const struct snapshot_header *h, uint8_t out[SNAPSHOT_HEADER_SIZE])
{
    memset(out, 0, SNAPSHOT_HEADER_SIZE);
    store_be32(out, SNAPSHOT_MAGIC);
    store_be16(out + 4, FORMAT_VERSION);
    store_be64(out + 8, h->lsn);
    store_be64(out + 16, (uint64_t)h->stamp_ms);
    store_be64(out + 24, (uint64_t)h->time_ms);
    uint32_t sum = crc32c(0, out, SNAPSHOT_SUM_AT);
    store_be32(out + SNAPSHOT_SUM_AT, sum);
    return sum;
}

bool snapshot_header_decode(const uint8_t in[SNAPSHOT_HEADER_SIZE], struct snapshot_header *ret,
                            uint32_t *ret_sum)
{
    uint32_t sum = crc32c(0, in, SNAPSHOT_SUM_AT);
    if (load_be32(in) != SNAPSHOT_MAGIC || load_be16(in + 4) != FORMAT_VERSION ||
        load_be32(in + SNAPSHOT_SUM_AT) != sum) {
        return false;
    }
    ret->lsn = load_be64(in + 8);
    ret->stamp_ms = (int64_t)load_be64(in + 16);
    ret->time_ms = (int64_t)load_be64(in + 24);
    *ret_sum = sum;
    return true;
}

uint32_t snapshot_part_sum(uint32_t sum, struct bytes part)
{
    uint8_t len[4];
    store_be32(len, (uint32_t)part.len);
    return crc32c(crc32c(sum, len, sizeof len), part.ptr, part.len);
}

uint32_t snapshot_end_sum(uint32_t sum, uint64_t total)
{
    uint8_t text[8];
    store_be64(text, total);
    return crc32c(sum, text, sizeof text);
}

struct str local_path(char text[LOCAL_PATH_SIZE], const char *dir, uint64_t number, const char *suffix)
{
    int len = snprintf(text, LOCAL_PATH_SIZE, "%s/%020llu%s", dir, (unsigned long long)number, suffix);
    return (struct str){text, (size_t)len};
}

bool local_name_parse(struct str name, struct str suffix, uint64_t *ret_number)
{
    if (name.len != NAME_DIGITS + suffix.len ||
        !str_equal((struct str){name.ptr + NAME_DIGITS, suffix.len}, suffix)) {
        return false;
    }
    int64_t number;
    if (name.ptr[0] == '-' || !str_parse_i64((struct str){name.ptr, NAME_DIGITS}, &number) || number <= 0) {
        return false;
    }
    *ret_number = (uint64_t)number;
    return true;
}
