// SPDX-License-Identifier: Apache-2.0
// plant.h - planted bugs: wrong on purpose, compiled in only with -Dplanted_bugs=true, and switched on one at
// a time by the simulator. A checker that finds nothing proves nothing.
#ifndef BASE_PLANT_H
#define BASE_PLANT_H

#include <stdbool.h>

#include "base/bytes.h"

// X(name, what it breaks)
#define PLANT_TABLE(X)                                                                                       \
    X(PLANT_NONE, "no bug")                                                                                  \
    X(PLANT_ACK_BEFORE_SYNC, "acknowledge before the bundle is synced")                                      \
    X(PLANT_SKIP_CRC, "accept a bundle at recovery without checking its CRC")                                \
    X(PLANT_REUSE_OFFSET, "after a restart assign the last offset of a partition again")                     \
    X(PLANT_RECYCLE_PINNED_WAL, "recycle a WAL file that is queued in a socket")                             \
    X(PLANT_NO_TAIL_REWRITE, "serve the tail above the durable mark without rewriting it")                   \
    X(PLANT_REWRITE_ACKED_BLOCK, "start a bundle in the last block of the one before")                       \
    X(PLANT_REPLACE_RACES_TRIM, "REPLACE does not check which extents it names")                             \
    X(PLANT_SNAPSHOT_AHEAD, "a snapshot claims one bundle more than it holds")                               \
    X(PLANT_RETRY_SYNC, "retry a failed sync and believe the second answer")                                 \
    X(PLANT_SKIP_DIR_SYNC, "rename a snapshot without syncing its directory")                                \
    X(PLANT_TRUNCATE_ROT, "cut the log at rotten metadata as if it were torn")                               \
    X(PLANT_FORGET_PRODUCERS, "leave producer windows out of snapshots")                                     \
    X(PLANT_WINDOW_OF_ONE, "remember one batch per producer instead of five")                                \
    X(PLANT_DUPLICATE_NEW_OFFSET, "answer a duplicate with the current log end")                             \
    X(PLANT_PATCH_WRONG_OFFSET,                                                                              \
      "batches read back from the WAL get the offset after their neighbour's first")                         \
    X(PLANT_LOST_COMMIT_RETRY, "order a bundle again after a lost reply instead of asking")                  \
    X(PLANT_RESPONSE_ORDER, "answer produce requests in completion order")                                   \
    X(PLANT_MERGE_DROPS_BATCH, "merge leaves out the last batch of a run")                                   \
    X(PLANT_TRIM_MOVES_BACK, "log start may go back")                                                        \
    X(PLANT_NO_EPOCH_FENCE, "append batches of a fenced producer epoch")                                     \
    X(PLANT_NO_EPOCH_RAISE, "keep the leader epoch after a power cut took os-durable records")               \
    X(PLANT_FORGET_WAKE, "an append does not wake the fetches that wait for it")                             \
    X(PLANT_RETAIN_YOUNG, "retention takes what has not expired")                                            \
    X(PLANT_TIME_FOLLOWS_WALL, "retention believes a wall clock that jumps")                                 \
    X(PLANT_MERGE_STALE_EPOCH, "merge stamps batches with the epoch before")                                 \
    X(PLANT_EXPIRE_LIVE, "forget producers as soon as they pause")                                           \
    X(PLANT_TIMESTAMP_AFTER, "look-ups by time skip records of that very time")                              \
    X(PLANT_CONTROL_NOT_SYNCED, "answer changes of topics and settings before they are synced")              \
    X(PLANT_KEEP_ABSENT_MEMBERS, "a round takes along members that did not join it")                         \
    X(PLANT_TELL_BEFORE_WRITE, "tell members their assignments before they are durable")                     \
    X(PLANT_ANYBODY_ASSIGNS, "take the assignment of a member that does not lead")                           \
    X(PLANT_GENERATION_STAYS, "a round ends in the generation it began in")                                  \
    X(PLANT_SESSION_NEVER_ENDS, "a member that fell silent stays")                                           \
    X(PLANT_OLD_ID_LIVES, "the old id of a static member that came back is still good")                      \
    X(PLANT_FORGET_MEMBERS, "a restart forgets the members of groups")                                       \
    X(PLANT_ROUND_AT_RESTART, "a restart makes every group join again")                                      \
    X(PLANT_COORDINATOR_SLEEPS, "an earlier deadline of the coordinator does not wake its thread")           \
    X(PLANT_COMMIT_NOT_FENCED, "take commits of members and generations that are over")                      \
    X(PLANT_FORGET_OFFSETS, "leave committed offsets out of snapshots")                                      \
    X(PLANT_ABORTED_TRIMMED, "forget an aborted transaction once log start has passed its first record")     \
    X(PLANT_ABORTED_BEFORE, "leave what began before the fetch out of its list of aborted transactions")     \
    X(PLANT_LATE_END, "a delayed EndTxn ends the next transaction")                                          \
    X(PLANT_STABLE_PAST_OPEN, "the last stable offset waits for the newest open transaction only")           \
    X(PLANT_STABLE_INSIDE_BATCH, "serve the rest of an open batch that log start has cut")                   \
    X(PLANT_ABORT_KEEPS_OFFSETS, "an abort commits the offsets of its transaction")                          \
    X(PLANT_TORN_END, "an abort tells the last partition of its transaction that it was a commit")           \
    X(PLANT_TIMEOUT_NO_FENCE, "a transaction that timed out leaves its producer the epoch")                  \
    X(PLANT_INIT_COMMITS, "InitProducerId commits what it finds open")                                       \
    X(PLANT_INIT_SHARES, "a producer that was fenced gets the epoch of the one that did it")                 \
    X(PLANT_TXN_NOT_FENCED, "take batches of a transactional id's former epochs")                            \
    X(PLANT_GIVE_UNRELEASED, "give a partition before its owner has given it back (KIP-848)")                \
    X(PLANT_BEAT_BEFORE_WRITE, "answer a heartbeat before what it tells is durable (KIP-848)")               \
    X(PLANT_BEAT_NEVER_ENDS, "a member of the consumer protocol that fell silent stays")                     \
    X(PLANT_COMPACT_NEWEST, "compaction drops a record that is the newest of its key")                       \
    X(PLANT_TOMBSTONE_EARLY, "compaction drops tombstones at once")                                          \
    X(PLANT_TOMBSTONE_FIRST, "compaction drops a tombstone and leaves what it deleted")                      \
    X(PLANT_COMPACT_ABORTED, "compaction takes records of aborted transactions for the newest")              \
    X(PLANT_COMPACT_UNSTABLE, "compaction goes past the last stable offset")                                 \
    X(PLANT_COMPACT_RENUMBERS, "compaction gives what stays of a batch dense offsets")                       \
    X(PLANT_REPLACE_ORDER, "a compaction swaps its last group first, and its first ones with the next time") \
    X(PLANT_STALE_VERDICT, "append batches that were judged by what no longer governs their topic")          \
    X(PLANT_LETTER_OF_DUPLICATE, "append the dead letters of a batch once more with its duplicate")          \
    X(PLANT_REFUSAL_UNORDERED, "refuse a batch by its contract without asking the order")                    \
    X(PLANT_LETTER_OUTSIDE_TXN, "dead letters are not part of the transaction of their batch")               \
    X(PLANT_SPAN_SHRINKS, "a batch with dead letters takes the offsets of the others only")                  \
    X(PLANT_LANE_OVERTAKEN, "order a batch before one that came first and is judged again")                  \
    X(PLANT_LETTER_ALONE, "append dead letters whatever became of their batch")                              \
    X(PLANT_TALLY_OF_DUPLICATE, "count the records of a batch once more with its duplicate")                 \
    X(PLANT_FORGET_TALLIES, "leave what was counted out of snapshots")                                       \
    X(PLANT_FORGET_TXN_BEGIN, "a snapshot forgets where open transactions began")

enum plant {
#define X(name, text) name,
    PLANT_TABLE(X)
#undef X
        PLANT_COUNT
};

// plant_set chooses the bug for the process; without the build option it has no effect.
void plant_set(enum plant plant);
enum plant plant_find(struct str name); // "ACK_BEFORE_SYNC" or "PLANT_ACK_BEFORE_SYNC"; PLANT_NONE if unknown
const char *plant_name(enum plant plant);
const char *plant_text(enum plant plant);

#ifdef STROM_PLANTED_BUGS
bool plant_is(enum plant plant);
#else
#define plant_is(plant) false
#endif

#endif
