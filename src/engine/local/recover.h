// SPDX-License-Identifier: Apache-2.0
// recover.h - reads a write-ahead log back and judges where it ends and why: whole, torn or rotten
// (docs/formats/wal.md, "Reading it back"). Changes nothing by itself. Shared by the engine, dump and repair.
//
// Happy path: recovery_scan walks every frame after the snapshot; the end is a torn tail or nothing at all.
// Failure modes: rotten metadata below the durable mark (verdict), unreadable sectors (ERR_IO: never taken
// for a torn tail).
#ifndef ENGINE_LOCAL_RECOVER_H
#define ENGINE_LOCAL_RECOVER_H

#include "base/buf.h"
#include "engine/local/format.h"

// ---- reading frames of one file

struct wal_reader {
    struct file *file; // borrowed
    uint64_t number;
    int64_t size;
    uint64_t store_key;
    uint8_t *window; // bytes [window_position, window_position + window_len) of the file
    int64_t window_position;
    size_t window_len;
    size_t window_cap;
};
void wal_reader_init(struct wal_reader *r, struct file *file, uint64_t number, int64_t size,
                     uint64_t store_key);
void wal_reader_fini(struct wal_reader *r); // not the file

// wal_reader_header reads the header at a position: *ret_is_valid says if it is one of this file, at its
// place. Only the header is checked. Errors are those of the disk.
enum err wal_reader_header(struct wal_reader *r, int64_t position, struct wal_frame *ret, bool *ret_is_valid,
                           struct error *e);
// wal_reader_frame checks the body too. meta and entries (undecoded) borrow the window until the next call.
enum err wal_reader_frame(struct wal_reader *r, int64_t position, struct wal_frame *ret,
                          struct bytes *ret_meta, struct bytes *ret_entries, bool *ret_is_valid,
                          struct error *e);
// wal_reader_payload checks the batches of a valid frame against its entries and their own sums.
enum err wal_reader_payload(struct wal_reader *r, const struct wal_frame *frame, bool *ret_is_whole,
                            struct error *e);
// wal_reader_search finds the next valid header at or after `position`; ret_position = size where there is
// none.
enum err wal_reader_search(struct wal_reader *r, int64_t position, struct wal_frame *ret,
                           int64_t *ret_position, struct error *e);

// ---- the whole log

enum verdict {
    LOG_WHOLE = 0,  // ends where the last clean stop ended
    LOG_TORN = 1,   // ends where the last crash cut it
    LOG_ROTTEN = 2, // what had been acknowledged cannot be read
};

struct recovery_file {
    uint64_t number;
    int64_t size;
    uint64_t first_lsn; // of its first frame; 0 = none that is valid
    uint64_t last_lsn;  // of the last frame that was accepted; 0 = none
    int64_t begin;      // frames to deliver lie in [begin, end)
    int64_t end;
};

struct frame_place {
    uint32_t file; // index
    int64_t position;
    int64_t next;   // end with padding
    uint64_t lsn;   // of a mark: of the bundle that comes next
    uint32_t chain; // header_crc of the frame before it
};

struct frame_places {
    struct frame_place *ptr;
    uint32_t count;
    uint32_t cap;
};

struct recovery {
    // given
    struct disk *disk;
    uint64_t store_key;
    uint64_t after_lsn; // of the snapshot
    uint64_t mark_lsn;  // known to be durable from elsewhere
    bool is_clean;      // the last stop was clean, with everything up to mark_lsn durable
    // found
    struct recovery_file *files; // ascending numbers
    uint32_t file_count;
    enum verdict verdict;
    uint64_t durable_lsn; // D
    uint64_t last_lsn;    // the log ends with it; at least after_lsn
    uint32_t chain;       // header_crc of the last frame; 0 = none was seen
    int64_t stamp_ms;     // highest seen
    int64_t time_ms;
    bool is_last_mark; // the log ends with a mark
    bool has_place;    // the next frame goes to cut_file at cut_position; else to a new file
    uint32_t cut_file;
    int64_t cut_position;
    struct frame_places unsure; // accepted frames above D: to be rewritten
    struct frame_places stale;  // headers after the cut: to be zeroed, or what repair drops
    int64_t bytes_after;        // of frames to deliver
    // while scanning
    struct wal_reader reader;
    struct file *file; // of files[file_index]
    uint32_t file_index;
};

void recovery_init(struct recovery *r, struct disk *disk, const struct store_meta *meta, uint64_t after_lsn,
                   uint64_t mark_lsn);
void recovery_fini(struct recovery *r);
// recovery_scan fills what is found. ERR_IO and ERR_NO_MEMORY only.
enum err recovery_scan(struct recovery *r, struct error *e);
// recovery_mend zeroes stale headers and writes unsure frames again, durably, in `mend.c`. Not on a rotten
// log.
enum err recovery_mend(struct recovery *r, struct error *e);
// recovery_resume finishes the mending that a crash interrupted; before every scan that may lead to writing.
enum err recovery_resume(struct disk *disk, struct error *e);
// recovery_deliver hands out the bundles after after_lsn.
enum err recovery_deliver(struct recovery *r,
                          enum err (*deliver)(void *arg, const struct ordered *o, struct error *e), void *arg,
                          struct error *e);
// recovery_first_lsn finds the lowest LSN that a WAL file begins with; 0 = none.
enum err recovery_first_lsn(struct recovery *r, uint64_t *ret_lsn, struct error *e);
// recovery_open makes files[index] the one that the reader reads.
enum err recovery_open(struct recovery *r, uint32_t index, struct error *e);

#endif
