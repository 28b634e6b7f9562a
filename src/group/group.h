// SPDX-License-Identifier: Apache-2.0
// group.h - the coordinator of groups, classic (KIP-62, KIP-345, KIP-394) and of the consumer protocol
// (KIP-848), as a state machine: calls and the
// passing of time go in; answered calls and items to be written come out. Pure: no I/O, clock, threads or
// chance. What has to survive a restart is in the core (a group's last complete generation); here is what
// may be lost: rounds that are running, heartbeats, ids that were handed out.
//
// Owner: one lock of the caller for everything, the core included. Times are milliseconds of a clock that
// never goes back.
#ifndef GROUP_GROUP_H
#define GROUP_GROUP_H

#include "core/core.h"

struct coordinator;

enum { GROUP_ASSIGNORS_MAX = 2 };

struct coordinator_limits {
    int32_t initial_delay_ms;       // group.initial.rebalance.delay.ms
    int32_t session_timeout_min_ms; // group.min.session.timeout.ms
    int32_t session_timeout_max_ms; // group.max.session.timeout.ms
    uint32_t members_max;           // group.max.size
    uint64_t members_total_max;     // of all groups, ids handed out included
    size_t group_bytes_max;         // texts, subscriptions and assignments of one group
    size_t bytes_total_max;         // of all groups and members, ids handed out included
    uint64_t groups_max;            // with those that the core knows
    // of groups of the consumer protocol
    int32_t consumer_session_timeout_ms;    // group.consumer.session.timeout.ms
    int32_t consumer_heartbeat_interval_ms; // group.consumer.heartbeat.interval.ms
    uint32_t consumer_members_max;          // group.consumer.max.size
    // group.consumer.assignors: "uniform", "range"; the first is for who does not ask. NULL = no more
    const char *consumer_assignors[GROUP_ASSIGNORS_MAX];
    bool may_upgrade; // group.consumer.migration.policy, as the next
    bool may_downgrade;
};

// coordinator_create borrows the core.
struct coordinator *coordinator_create(const struct core *core, const struct coordinator_limits *limits);
void coordinator_destroy(struct coordinator *take_coordinator); // every parked call must have been answered
// coordinator_load takes up every group of the core that has members, as after a restart: each member has one
// session timeout to show itself, and nobody has to join again. Groups that are not loaded are taken up when
// a member first calls.
void coordinator_load(struct coordinator *c, int64_t now_ms);

// ---- calls. The caller's memory, untouched until answered; answered exactly once, inside the call that
// starts it or later: it is then in coordinator_take_answered.

struct group_call {
    struct list node; // private
    void *owner;      // the caller's
};

// A call that a group of the consumer protocol answers once a change is durable. Private.
enum group_wait_kind { WAIT_BEAT, WAIT_JOIN, WAIT_SYNC };
struct group_wait {
    struct list node;
    struct group_call *call;
    struct consumer_group *group; // NULL: not parked
    uint64_t waits_for;
    enum group_wait_kind kind;
};

struct group_protocol {
    struct str name;
    struct bytes metadata;
};
struct group_join_member {
    struct str member_id;
    struct str instance_id; // NULL ptr = none
    struct bytes metadata;
};
struct group_join {
    // in
    struct group_call call;
    struct arena *arena; // gets what the answer points to
    struct str group_id;
    struct str member_id;   // empty: a new member
    struct str instance_id; // NULL ptr = a dynamic member
    struct str client_id;
    struct str client_host;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
    struct str protocol_type;
    const struct group_protocol *protocols; // in order of preference
    uint32_t protocol_count;
    bool needs_known_id;      // JoinGroup v4+: a new member first gets its id (KIP-394)
    bool can_skip_assignment; // v9+: KIP-814
    struct uuid fresh_id;     // random; becomes part of the id of a new member
    // out
    enum err err;
    int32_t generation; // -1 on error
    struct str protocol_type_chosen;
    struct str protocol_name; // NULL ptr on error
    struct str leader;        // empty on error
    struct str member_id_given;
    bool skips_assignment;
    struct group_join_member *members; // for the leader only
    uint32_t member_count;
    struct live_member *parked_in; // private, as the next
    struct group_wait wait;
};

struct group_assignment {
    struct str member_id;
    struct bytes assignment;
};
struct group_sync {
    // in
    struct group_call call;
    struct arena *arena;
    struct str group_id;
    int32_t generation;
    struct str member_id;
    struct str instance_id;
    struct str protocol_type; // NULL ptr = not said
    struct str protocol_name;
    const struct group_assignment *assignments; // the leader's
    uint32_t assignment_count;
    // out
    enum err err;
    struct str protocol_type_chosen;
    struct str protocol_name_chosen;
    struct bytes assignment;
    struct live_member *parked_in; // private, as the next
    struct group_wait wait;
};

void coordinator_join(struct coordinator *c, struct group_join *join, int64_t now_ms);
void coordinator_sync(struct coordinator *c, struct group_sync *sync, int64_t now_ms);
// The cancels answer at once if the call is still parked: its client is gone. The member stays until its
// session is over, unless nobody can ever learn its id.
void coordinator_join_cancel(struct coordinator *c, struct group_join *join, int64_t now_ms);
void coordinator_sync_cancel(struct coordinator *c, struct group_sync *sync);

// ---- the consumer protocol (KIP-848): one call to join, to stay, to learn one's partitions and to leave

struct group_partitions {
    struct uuid topic_id;
    int32_t *partitions;
    uint32_t count;
};
struct group_beat {
    // in
    struct group_call call;
    struct arena *arena; // gets what the answer points to
    struct str group_id;
    struct str member_id;
    int32_t member_epoch;   // 0 joins, -1 leaves, -2 leaves for a while (static members)
    struct str instance_id; // NULL ptr = none, or not said, as of the next two
    struct str rack_id;
    struct str assignor;
    struct str client_id;
    struct str client_host;
    int32_t rebalance_timeout_ms;         // -1 = not said
    const struct str *topics;             // the subscription
    int32_t topic_count;                  // -1 = not said
    struct str regex;                     // NULL ptr = not said; empty = none
    const struct group_partitions *owned; // what the client has
    int32_t owned_count;                  // -1 = not said
    bool is_id_required;                  // v1+: a client makes its own member id
    struct uuid fresh_id;                 // random; the id of a member that may come without
    // out
    enum err err;
    struct str message;         // NULL ptr = none
    struct str member_id_given; // NULL ptr on error
    int32_t member_epoch_given;
    int32_t heartbeat_interval_ms;
    bool has_assignment; // false: as told before
    struct group_partitions *assignment;
    uint32_t assignment_count;
    struct group_wait wait; // private
};
void coordinator_beat(struct coordinator *c, struct group_beat *beat, int64_t now_ms);
void coordinator_beat_cancel(struct coordinator *c, struct group_beat *beat); // its client is gone

// Whom a call speaks for.
struct group_member_name {
    struct str group_id;
    int32_t generation;
    struct str member_id;
    struct str instance_id; // NULL ptr = none
    bool is_before_epochs;  // an OffsetCommit before v9: members of the consumer protocol have no use for it
};
enum err coordinator_heartbeat(struct coordinator *c, const struct group_member_name *name, int64_t now_ms);
// coordinator_leave: member ids are looked up as given; an empty one leaves by its instance id (KIP-345).
enum err coordinator_leave(struct coordinator *c, struct str group_id, struct str member_id,
                           struct str instance_id, int64_t now_ms);
// coordinator_commit_check judges an OffsetCommit and keeps the member alive; *ret_generation is what the
// item must expect (-1 = a group without members). is_v9: ERR_GROUP_ID_NOT_FOUND instead of
// ERR_ILLEGAL_GENERATION for a group that does not exist. In the consumer protocol a member's epoch takes the
// generation's place (ERR_STALE_MEMBER_EPOCH).
enum err coordinator_commit_check(struct coordinator *c, const struct group_member_name *name, bool is_v9,
                                  int64_t now_ms, int32_t *ret_generation);

// coordinator_fetch_check judges an OffsetFetch that names a member: in the consumer protocol it must be the
// group's, with its epoch (ERR_UNKNOWN_MEMBER_ID, ERR_STALE_MEMBER_EPOCH).
enum err coordinator_fetch_check(struct coordinator *c, const struct group_member_name *name, int64_t now_ms);

// coordinator_tick acts on everything that is due.
void coordinator_tick(struct coordinator *c, int64_t now_ms);
int64_t coordinator_deadline_ms(const struct coordinator *c); // INT64_MAX = none
// coordinator_stop answers every parked call with `err`; nothing may be called after it but destroy and
// coordinator_written.
void coordinator_stop(struct coordinator *c, enum err err);

// ---- what comes out

struct group_call *coordinator_take_answered(struct coordinator *c); // NULL = no more

// A GROUP_SET or CONSUMER_SET to be ordered. Lives until coordinator_written, which each write needs exactly
// once.
struct group_write {
    struct list node; // private
    struct item item;
};
struct group_write *coordinator_take_write(struct coordinator *c); // NULL = no more
void coordinator_written(struct coordinator *c, struct group_write *take_write, enum err err, int64_t now_ms);

// ---- looking

enum group_state { GROUP_EMPTY, GROUP_PREPARING, GROUP_COMPLETING, GROUP_STABLE, GROUP_STATE_COUNT };
const char *group_state_name(enum group_state state); // Kafka's: "PreparingRebalance"

enum consumer_state {
    CONSUMER_EMPTY,
    CONSUMER_ASSIGNING,
    CONSUMER_RECONCILING,
    CONSUMER_STABLE,
    CONSUMER_STATE_COUNT
};
const char *consumer_state_name(enum consumer_state state); // Kafka's

struct group_view {
    bool is_consumer;       // of the consumer protocol: coordinator_consumer_view says more
    const char *state_name; // Kafka's
    enum group_state state; // of a classic group
    enum consumer_state consumer_state;
    int32_t generation;
    struct str protocol_type;
    struct str protocol_name; // empty unless stable
    struct str leader;        // NULL ptr = none
    uint32_t member_count;
};
// coordinator_view also shows groups that only the core knows; false: there is no such group.
bool coordinator_view(const struct coordinator *c, struct str group_id, struct group_view *ret);

struct consumer_view {
    enum consumer_state state;
    int32_t epoch;
    int32_t target_epoch;
    struct str assignor;
    uint32_t member_count;
};
// coordinator_consumer_view takes the group up if only the core knows it; false: there is none of the
// consumer protocol.
bool coordinator_consumer_view(struct coordinator *c, struct str group_id, int64_t now_ms,
                               struct consumer_view *ret);
struct consumer_member_view {
    struct str member_id;
    struct str instance_id; // NULL ptr = none, as rack_id
    struct str rack_id;
    int32_t epoch;
    bool is_classic; // of the classic protocol, in a group that is changing over
    struct str client_id;
    struct str client_host;
    const struct str *topics;
    uint32_t topic_count;
    struct str regex;              // NULL ptr = none
    const struct tp_set *assigned; // group/assign.h
    const struct tp_set *target;
};
// coordinator_consumer_members calls `each` for every member of a group that coordinator_consumer_view
// showed.
void coordinator_consumer_members(const struct coordinator *c, struct str group_id,
                                  void (*each)(void *arg, const struct consumer_member_view *member),
                                  void *arg);

struct group_member_view {
    struct str member_id;
    struct str instance_id;
    struct str client_id;
    struct str client_host;
    struct bytes metadata;   // of the chosen protocol; empty unless stable
    struct bytes assignment; // the last one, also while a round runs: the member may still use it
};
// coordinator_members calls `each` for every member of a group that coordinator_view showed, in the order in
// which they came.
void coordinator_members(const struct coordinator *c, struct str group_id,
                         void (*each)(void *arg, const struct group_member_view *member), void *arg);
// coordinator_young calls `each` for up to `max` groups that have never completed a generation, so that the
// core does not know them yet: those made after the `after`th group (0: from the first one on). The number to
// go on with; 0 = no more.
uint64_t coordinator_young(const struct coordinator *c, uint64_t after, uint32_t max,
                           void (*each)(void *arg, struct str group_id), void *arg);
uint32_t coordinator_count(const struct coordinator *c, enum group_state state); // groups with members here
// coordinator_rises: how often the epoch of a group of the consumer protocol has risen since the start.
uint64_t coordinator_rises(const struct coordinator *c);
// coordinator_topics calls `each` for every topic that a member of this group of consumers consumes, once per
// member. False: that cannot be told, because a subscription is none, or the first generation is not
// complete.
bool coordinator_topics(const struct coordinator *c, struct str group_id,
                        void (*each)(void *arg, struct str topic_name), void *arg);

// subscription_each calls `each` for the topics of a consumer protocol subscription (KIP-54, any version).
// False for bytes that are no subscription; some may have been named by then.
bool subscription_each(struct bytes subscription, void (*each)(void *arg, struct str topic_name), void *arg);

#endif
