// SPDX-License-Identifier: Apache-2.0
// keyed.h - a compacted topic of few keys: writers, each with keys of its own, and readers that read it whole
// again and again. I13: the newest record of a key is kept, nothing older is seen behind it, a tombstone
// stays for delete.retention.ms, what stays keeps its offset and every byte. One writer makes each batch a
// transaction of its own, and aborts some.
#ifndef SIM_KEYED_H
#define SIM_KEYED_H

#include "base/bytes.h"
#include "scenario.h"

enum { KEYED_KEYS = 8, KEYED_WRITERS = 2 };
#define KEYED_TOPIC "keyed"

// ---- keyed_history.c: outside of the simulated processes. Writes are numbered over all keys.

struct keyed_history *keyed_history_create(struct scenario *s);
void keyed_history_destroy(struct keyed_history *take_history);
// keyed_sent gives the write's number. Of a key, one is sent when the fate of the one before is known.
uint64_t keyed_sent(struct keyed_history *h, int key, bool is_tombstone, bool is_in_txn);
uint64_t keyed_count(const struct keyed_history *h);
void keyed_filled(struct keyed_history *h, uint64_t number, uint64_t hash, int64_t timestamp);
void keyed_acked(struct keyed_history *h, uint64_t number, int64_t offset);
enum keyed_fate {
    KEYED_DOUBT, // nobody knows
    KEYED_KEPT,
    KEYED_ABORTED, // or refused
};
void keyed_settled(struct keyed_history *h, uint64_t number, enum keyed_fate fate);

// A scan reads from the first offset to the last stable one.
struct keyed_scan {
    int64_t started_ns;
    int64_t last_offset;
    uint64_t seen[KEYED_KEYS]; // number + 1 of the last visible record; 0 = none
    uint64_t count;
    int64_t end_offset; // it read all that lies before
    bool may_lag;       // by a broker that is behind: what it lacks proves nothing
};
void keyed_scan_begin(struct keyed_history *h, struct keyed_scan *scan);
struct keyed_record {
    int64_t offset;
    int64_t timestamp;
    uint64_t number;
    int key;
    bool is_tombstone;
    uint64_t hash;
};
void keyed_read(struct keyed_history *h, struct keyed_scan *scan, const struct keyed_record *r,
                bool is_visible);
void keyed_scan_end(struct keyed_history *h, const struct keyed_scan *scan);

// ---- keyed.c, keyed_reader.c

void keyed_writer_main(struct env *env, void *arg);
void keyed_reader_main(struct env *env, void *arg);
void keyed_final(struct scenario *s, struct env *env);

#endif
