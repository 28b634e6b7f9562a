// SPDX-License-Identifier: Apache-2.0
// group_private.h - groups and members as the coordinator sees them. Nobody outside group/ includes it.
#ifndef GROUP_GROUP_PRIVATE_H
#define GROUP_GROUP_PRIVATE_H

#include "base/heap.h"
#include "base/map.h"
#include "group/group.h"

enum {
    GROUP_PROTOCOLS_MAX = 64,     // that one member offers
    NEW_MEMBER_JOIN_MS = 300000,  // a member that has not got its id cannot heartbeat: this bounds its wait
    WRITE_AGAIN_MS = 1000,        // after a write that failed, of a group that nobody is left in
    CLIENT_ID_IN_MEMBER_ID = 255, // bytes of the client id that become part of a member id
};

enum timer_kind { TIMER_SESSION, TIMER_PENDING, TIMER_GROUP, TIMER_CONSUMER_SESSION, TIMER_CONSUMER_REVOKE };
struct group_timer {
    struct heap_node node;
    enum timer_kind kind;
};

// A protocol of one member; points into the member's `protocol_memory`.
struct member_protocols {
    struct group_protocol *list;
    uint32_t count;
    void *memory;
    size_t bytes; // of names and metadata
};

struct live_member {
    struct list node; // in the group, in the order in which they came
    struct map_node by_id;
    struct map_node by_instance; // linked only with an instance id
    struct live_group *group;
    struct group_timer session;
    int64_t session_deadline_ms; // the timer may fire earlier, and is then set again
    void *memory;                // of the four texts below
    size_t text_bytes;
    struct str id;
    struct str instance_id;
    struct str client_id;
    struct str client_host;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
    struct member_protocols protocols;
    struct bytes assignment; // owned
    bool is_awaiting_join;   // its JoinGroup is in the round that is being prepared
    bool is_awaiting_sync;
    bool is_awaiting_store;  // its JoinGroup is answered once the group is written
    bool is_new;             // has never been answered: it does not know its id and cannot heartbeat
    bool has_synced;         // in this generation
    struct group_join *join; // NULL: nothing is parked, or its client is gone
    struct group_sync *sync;
};

// An id that was handed out and has not been used yet (KIP-394).
struct pending_id {
    struct map_node by_id;
    struct list node;
    struct live_group *group;
    struct group_timer timer;
    size_t len;
    char id[];
};

struct write_box;

struct live_group {
    struct map_node by_name;
    struct coordinator *coordinator;
    struct list node;       // in the coordinator
    struct list young_node; // linked while it is young
    uint64_t serial;        // of the coordinator's groups, from 1
    enum group_state state;
    bool was_empty;        // preparing its first round: further members may come
    bool has_newcomer;     // one has come since the delay was set
    int64_t delay_left_ms; // of the rebalance timeout, for further delays
    int32_t generation;
    struct str protocol_type; // owned
    struct str protocol_name; // of the current generation, owned; NULL ptr = none
    struct list members;
    uint32_t member_count;
    uint32_t awaiting_join_count;
    struct live_member *leader; // NULL = none
    struct map by_id;
    struct map by_instance;
    struct map supports; // names of protocols: how many members offer each
    struct list pending;
    uint32_t pending_count;
    struct map pending_by_id;
    size_t bytes;             // of its members' texts, protocols and assignments
    struct group_timer timer; // preparing: the round ends; later: who has not synced goes; empty: write again
    // what the core has
    int32_t stored_generation;
    bool is_young;           // nothing at all yet
    bool is_assigned;        // the leader has handed out this generation's assignment
    bool is_dirty;           // it has to be told
    bool is_unled;           // comes from the consumer protocol: a round is due (stored: no leader)
    struct write_box *write; // on its way; NULL = none
    size_t name_len;
    char name[];
};

struct coordinator {
    const struct core *core;
    struct coordinator_limits limits;
    struct map groups_by_name;
    struct list groups;
    struct map consumers_by_name; // groups of the consumer protocol (consumer_private.h)
    struct list consumers;
    struct list young; // groups that the core does not know, by serial
    uint64_t young_count;
    uint64_t serial_last;
    uint64_t member_total;
    uint64_t consumer_rises;
    size_t bytes_total; // of all groups, with what they and their members take themselves
    uint32_t state_counts[GROUP_STATE_COUNT];
    struct heap timers;
    struct list answered;
    struct list writes;
    bool is_stopped;
};

// ---- groups.c

struct live_group *live_look_up(const struct coordinator *c, struct str id); // NULL: not here
// live_find gives a group with members or ids handed out, taking it up from the core if it is there.
struct live_group *live_find(struct coordinator *c, struct str id, int64_t now_ms);
// live_make makes one that live_find did not give; NULL: too many.
struct live_group *live_make(struct coordinator *c, struct str id);
// live_new is live_make without a limit.
struct live_group *live_new(struct coordinator *c, struct str id);
// live_count counts bytes of the group: `more` is new, `less` has gone.
void live_count(struct live_group *group, size_t more, size_t less);
// live_may_grow: both limits let it.
bool live_may_grow(const struct live_group *group, size_t more, size_t less);
// live_settle frees a group of which nothing is left to know.
void live_settle(struct coordinator *c, struct live_group *group);
// live_grow_up: the core knows the group now, or it is forgotten.
void live_grow_up(struct coordinator *c, struct live_group *group);
void live_set_state(struct coordinator *c, struct live_group *group, enum group_state state);
void timer_set(struct coordinator *c, struct group_timer *timer, int64_t at_ms);
void timer_cancel(struct coordinator *c, struct group_timer *timer);
int64_t later_ms(int64_t now_ms, int64_t delay_ms);
void group_call_answer(struct coordinator *c, struct group_call *call);

// ---- member.c

struct str live_name(const struct live_group *group);
// text_own copies; NULL stays NULL.
struct str text_own(struct str text);
struct live_member *member_find(const struct live_group *group, struct str id);
struct live_member *member_find_instance(const struct live_group *group, struct str instance_id);
// member_check finds whom a call speaks for: ERR_UNKNOWN_MEMBER_ID, ERR_FENCED_INSTANCE_ID.
enum err member_check(const struct live_group *group, struct str member_id, struct str instance_id,
                      struct live_member **ret);
struct live_member *member_add(struct coordinator *c, struct live_group *group, struct str id,
                               const struct group_join *join);
// member_remove answers what it has parked with `err`.
void member_remove(struct coordinator *c, struct live_member *member, enum err err);
// member_rename gives a static member its new id (and its client's address).
void member_rename(struct live_member *member, struct str id, const struct group_join *join);
// member_update takes over protocols and timeouts of a JoinGroup.
void member_update(struct live_member *member, const struct group_join *join);
void member_assign(struct live_member *member, struct bytes assignment);
// member_wait_join and member_stop_join keep the count of those in the round.
void member_wait_join(struct live_member *member, struct group_join *join);
void member_stop_join(struct live_member *member);
void member_touch(struct coordinator *c, struct live_member *member, int64_t now_ms);
struct bytes member_metadata(const struct live_member *member, struct str protocol_name);
size_t texts_bytes(struct str id, const struct group_join *join);
size_t protocols_bytes(const struct group_protocol *protocols, uint32_t count);
// protocols_own overwrites *ret with a copy, in one allocation.
void protocols_own(const struct group_protocol *protocols, uint32_t count, struct member_protocols *ret);
bool protocols_match(const struct member_protocols *own, const struct group_join *join);
struct pending_id *pending_find(const struct live_group *group, struct str id);
void pending_add(struct coordinator *c, struct live_group *group, struct str id, int64_t deadline_ms);
void pending_remove(struct coordinator *c, struct pending_id *pending);

// ---- support.c

// support_add and support_remove count what a member offers.
void support_add(struct map *supports, const struct member_protocols *protocols);
void support_remove(struct map *supports, const struct member_protocols *protocols);
// support_has_common: one of the offered is known to all of so many members.
bool support_has_common(const struct map *supports, uint32_t member_count, const struct group_join *join);
// live_supports: there are such protocols, and all members could use one of them.
bool live_supports(const struct live_group *group, const struct group_join *join);
struct str live_choose_protocol(const struct live_group *group);

// ---- join.c

struct str join_new_id(const struct group_join *join); // in its arena; NULL ptr: that is full

// ---- round.c

// live_rebalance starts a round, or with one running sees whether it is complete.
void live_rebalance(struct coordinator *c, struct live_group *group, int64_t now_ms);
void live_round_timeout(struct coordinator *c, struct live_group *group, int64_t now_ms);
// live_complete_if_joined ends the round if everybody is in it.
void live_complete_if_joined(struct coordinator *c, struct live_group *group, int64_t now_ms);
void member_leave(struct coordinator *c, struct live_member *member, int64_t now_ms);

// ---- answer.c

void join_fail(struct coordinator *c, struct group_join *join, enum err err);
// join_answer answers with the current generation; with_members for whom has to assign.
void join_answer(struct coordinator *c, struct live_member *member, struct group_join *join,
                 bool with_members);
void sync_fail(struct coordinator *c, struct group_sync *sync, enum err err);
void sync_answer(struct coordinator *c, const struct live_member *member, struct group_sync *sync);

// ---- store.c

// live_store has the core told of the group as it is, as soon as the write before is done.
void live_store(struct coordinator *c, struct live_group *group);
// live_store_expects: the generation that the core will have once the write on its way is done.
int32_t live_store_expects(const struct live_group *group);
// live_store_next writes what is left to be told, if nothing is on its way.
void live_store_next(struct coordinator *c, struct live_group *group);
// live_take_up fills a group with what the core has.
void live_take_up(struct coordinator *c, struct live_group *group, const struct group *stored,
                  int64_t now_ms);
void live_fail_syncs(struct coordinator *c, struct live_group *group, enum err err, int64_t now_ms);
// live_drop forgets a group that another coordinator has changed.
void live_drop(struct coordinator *c, struct live_group *group, enum err err);

#endif
