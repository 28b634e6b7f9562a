// SPDX-License-Identifier: Apache-2.0
// membership.h - a member of a consumer group, by the classic protocol with the "range" assignor: it joins,
// learns its partitions, proves that it is alive from a thread of its own, commits and leaves. Owner: the
// main thread; membership_stop alone may come from another.
//
//   out -- membership_join --> in -- heartbeat: "rebalance" --> in, wants to join --> membership_join ...
//    ^                      |  -- heartbeat: "who are you?", or no membership_poll for too long --> lost
//    +--- membership_leave -----+                                    lost -- membership_join --> in
#ifndef CLI_MEMBERSHIP_H
#define CLI_MEMBERSHIP_H

#include "cli/consumer_protocol.h"
#include "cli/groups.h"

struct membership_options {
    struct str group;
    struct str instance_id; // NULL ptr = not static
    const struct str *topics;
    size_t topic_count;
    int32_t session_timeout_ms;
    int32_t poll_max_ms; // without membership_poll for so long it leaves the group
};

struct membership;

// membership_create makes one that is in no group yet. The run's connection is used for looking things up.
struct membership *membership_create(struct run *run, const struct membership_options *options);
// membership_destroy ends the thread; it does not leave.
void membership_destroy(struct membership *take_member); // NULL is a no-op

// membership_join enters the group, or enters it again, and gives the partitions to read from now on, in the
// arena. It waits for the others as long as it takes. ERR_STOPPING after membership_stop. ERR_NETWORK and
// what goes away by itself: call it again. Any other error is the end; of an error from the broker e has no
// file.
enum err membership_join(struct membership *m, struct arena *arena, struct topic_partitions **ret_topics,
                         size_t *ret_count, struct error *e);
// membership_hint says what to do about an error of membership_join; NULL if nothing is known.
const char *membership_hint(enum err err);

// membership_poll says that the main thread is still there, which it must every poll_max_ms. false: the
// partitions may not be read any more, go and membership_join.
bool membership_poll(struct membership *m);
// membership_is_in tells whether a commit has a chance.
bool membership_is_in(struct membership *m);
// membership_committed fetches the group's committed offsets.
enum err membership_committed(struct membership *m, struct arena *arena, struct group_offsets *ret,
                              struct error *e);
// membership_commit commits topic, partition and committed of each item. An error that ends the membership
// shows in membership_poll. ERR_OK: all of them are.
enum err membership_commit(struct membership *m, const struct group_offset *items, size_t count,
                           struct arena *arena, struct error *e);
// membership_leave leaves at once, so that the others need not wait for the session to time out. A static
// member stays, so that it can come back without a rebalance (KIP-345).
void membership_leave(struct membership *m);

// membership_stop makes membership_join end soon. From any thread. If membership_poll or membership_leave do
// not follow within a few seconds the output is blocked: the member leaves and the process ends.
void membership_stop(struct membership *m);

#endif
