// SPDX-License-Identifier: Apache-2.0
// format.h - the bytes of the local engine's files (docs/formats/wal.md). Pure. Only the engine and its tools
// know them.
#ifndef ENGINE_LOCAL_FORMAT_H
#define ENGINE_LOCAL_FORMAT_H

#include "base/bytes.h"
#include "base/plant.h"
#include "engine/engine.h"

enum {
    FRAME_ALIGN = 4096,
    FRAME_HEADER_SIZE = 112,
    FRAME_ENTRY_SIZE = 8,
    META_SLOT_SIZE = 4096,
    SNAPSHOT_HEADER_SIZE = 36,
    SNAPSHOT_PART_HEADER_SIZE = 8,
    SNAPSHOT_PART_MAX = 1 << 20,
};

enum frame_kind {
    FRAME_BUNDLE = 1,
    FRAME_MARK = 2, // says what is durable; takes no LSN
};

struct wal_frame {
    enum frame_kind kind;
    uint64_t store_key;
    uint64_t file;
    int64_t position;
    uint64_t lsn;
    uint64_t durable_lsn;
    uint64_t bundle_id;
    int64_t stamp_ms;
    int64_t time_ms;
    uint32_t chain;
    uint32_t meta_len;
    uint32_t item_count;
    uint32_t entry_count;
    uint64_t payload_len;
    uint32_t body_crc;
    uint32_t header_crc;
};

// wal_frame_encode writes the header and returns its sum, which it also puts into frame->header_crc.
uint32_t wal_frame_encode(struct wal_frame *frame, uint8_t out[FRAME_HEADER_SIZE]);
// wal_frame_decode: false where there is no sound header of a version that we know.
bool wal_frame_decode(const uint8_t in[FRAME_HEADER_SIZE], struct wal_frame *ret);

// Sizes cannot overflow: decode bounds payload_len, the caller of order bounds the rest.
static inline int64_t wal_frame_body_size(const struct wal_frame *f)
{
    return (int64_t)f->meta_len + (int64_t)f->entry_count * FRAME_ENTRY_SIZE;
}
static inline int64_t wal_frame_payload_position(const struct wal_frame *f)
{
    return f->position + FRAME_HEADER_SIZE + wal_frame_body_size(f);
}
// wal_frame_end is where the frame ends, without padding.
static inline int64_t wal_frame_end(const struct wal_frame *f)
{
    return wal_frame_payload_position(f) + (int64_t)f->payload_len;
}
// wal_align_bytes is FRAME_ALIGN, unless a bug is planted.
static inline int64_t wal_align_bytes(void)
{
    return plant_is(PLANT_REWRITE_ACKED_BLOCK) ? 64 : FRAME_ALIGN;
}
static inline int64_t wal_align(int64_t position)
{
    return (position + wal_align_bytes() - 1) / wal_align_bytes() * wal_align_bytes();
}
static inline int64_t wal_frame_next(const struct wal_frame *f)
{
    return wal_align(wal_frame_end(f));
}

void payload_entry_encode(const struct payload_entry *entry, uint8_t out[FRAME_ENTRY_SIZE]);
struct payload_entry payload_entry_decode(const uint8_t in[FRAME_ENTRY_SIZE]);

struct store_meta {
    bool is_clean;
    uint64_t generation;
    struct uuid cluster_id;
    uint64_t store_key;
    uint64_t object_limit;
    uint64_t durable_lsn;
    int64_t stamp_ms;
    int64_t time_ms;
};
void store_meta_encode(const struct store_meta *meta, uint8_t out[META_SLOT_SIZE]);
// store_meta_decode: ERR_CORRUPT for a damaged slot, ERR_UNSUPPORTED_VERSION for a newer one.
enum err store_meta_decode(const uint8_t in[META_SLOT_SIZE], struct store_meta *ret, struct error *e);

struct snapshot_header {
    uint64_t lsn;
    int64_t stamp_ms;
    int64_t time_ms;
};
// snapshot_header_encode returns the sum from which the parts continue.
uint32_t snapshot_header_encode(const struct snapshot_header *h, uint8_t out[SNAPSHOT_HEADER_SIZE]);
bool snapshot_header_decode(const uint8_t in[SNAPSHOT_HEADER_SIZE], struct snapshot_header *ret,
                            uint32_t *ret_sum);
// snapshot_part_sum continues the sum with a part's length field and bytes.
uint32_t snapshot_part_sum(uint32_t sum, struct bytes part);
uint32_t snapshot_end_sum(uint32_t sum, uint64_t total);

// File names: "wal/00000000000000000012.wal".
enum { LOCAL_PATH_SIZE = 80 };
struct str local_path(char text[LOCAL_PATH_SIZE], const char *dir, uint64_t number, const char *suffix);
// local_name_parse reads "<20 digits><suffix>".
bool local_name_parse(struct str name, struct str suffix, uint64_t *ret_number);

#endif
