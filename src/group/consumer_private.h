// SPDX-License-Identifier: Apache-2.0
// consumer_private.h - groups of the consumer protocol as the coordinator sees them. Nobody outside group/
// includes it.
#ifndef GROUP_CONSUMER_PRIVATE_H
#define GROUP_CONSUMER_PRIVATE_H

#include "group/assign.h"
#include "group/group_private.h"

enum {
    EPOCH_JOIN = 0,
    EPOCH_LEAVE = -1,
    EPOCH_LEAVE_STATIC = -2,
    CONSUMER_TOPICS_MAX = 10000,      // that one member names
    CONSUMER_PARTITIONS_MAX = 100000, // that one group assigns: bounds one recomputation
};

// Where a member is on its way to its target (KIP-848).
enum consumer_phase { PHASE_STABLE, PHASE_UNREVOKED, PHASE_UNRELEASED, PHASE_COUNT };

struct consumer_group;

struct consumer_member {
    struct list node; // in the group, by rising id
    struct map_node by_id;
    struct map_node by_instance; // linked only with an instance id
    struct consumer_group *group;
    struct group_timer session;
    struct group_timer revoke; // ends the time to give partitions back, or to join or sync again
    // metadata; all texts owned
    struct str id;
    struct str instance_id; // NULL ptr = none, as of the next three
    struct str rack_id;
    struct str assignor;
    struct str regex; // whatever topic it matches wholly
    struct str client_id;
    struct str client_host;
    int32_t rebalance_timeout_ms;
    struct str *topics; // rising, each once; one allocation with their texts
    uint32_t topic_count;
    size_t bytes; // of the metadata
    size_t taken; // memory of it all, as counted for the coordinator
    // of the classic protocol (consumer_classic.c): what its JoinGroup said
    bool is_classic;
    int32_t classic_session_ms;
    struct member_protocols classic; // the first one counts
    // target
    struct tp_set target;
    // current
    int32_t epoch;
    int32_t previous_epoch;
    enum consumer_phase phase;
    struct tp_set assigned;
    struct tp_set revoking;
    uint8_t dirty;    // parts (item_consumer_parts) that the core has to be told
    uint64_t changed; // the group's `changes` at the last change
};

struct consumer_box;

struct consumer_group {
    struct coordinator *coordinator;
    struct map_node by_name;
    struct list node;
    int32_t epoch;
    int32_t target_epoch;
    uint64_t metadata_hash;    // of the subscribed topics and their partition counts
    uint64_t catalogue_serial; // as of which it is
    bool is_hash_stale;        // a subscription has changed since
    struct list members;
    uint32_t member_count;
    uint32_t classic_count; // of them
    struct map supports;    // names of protocols: how many classic members offer each
    struct map by_id;
    struct map by_instance;
    size_t bytes;
    uint64_t changes;  // made here
    uint64_t durable;  // of them, written
    struct list waits; // calls
    struct str *gone;  // owned: members that the core still has
    uint32_t gone_count;
    uint32_t gone_cap;
    int32_t stored_epoch; // what the core has
    uint64_t stored_revision;
    bool is_dirty;
    bool is_young; // the core has nothing at all yet
    struct consumer_box *write;
    size_t name_len;
    char name[];
};

// ---- consumer_group.c

struct str consumer_name(const struct consumer_group *group);
struct consumer_group *consumer_look_up(const struct coordinator *c, struct str id);
// consumer_find takes the group up from the core if it is there. NULL: there is none, or it is classic.
struct consumer_group *consumer_find(struct coordinator *c, struct str id, int64_t now_ms);
// consumer_busy is consumer_find for groups that somebody is in, or is just leaving.
struct consumer_group *consumer_busy(struct coordinator *c, struct str id, int64_t now_ms);
// consumer_make makes one that consumer_find did not give; NULL: too many.
struct consumer_group *consumer_make(struct coordinator *c, struct str id);
// consumer_new is consumer_make without a limit.
struct consumer_group *consumer_new(struct coordinator *c, struct str id);
// consumer_settle forgets a group of which nothing is left to know that the core does not have.
void consumer_settle(struct coordinator *c, struct consumer_group *group);
// consumer_forget drops the group; its calls end with `err`.
void consumer_forget(struct coordinator *c, struct consumer_group *group, enum err err);
void consumer_changed(struct consumer_group *group);
void consumer_member_changed(struct consumer_member *member, uint8_t parts);
void consumer_session_due(struct coordinator *c, struct consumer_member *member, int64_t now_ms);
void consumer_revoke_due(struct coordinator *c, struct consumer_member *member, int64_t now_ms);
enum consumer_state consumer_state(const struct consumer_group *group);

// ---- consumer_member.c

struct consumer_member *consumer_member_look_up(const struct consumer_group *group, struct str id);
struct consumer_member *consumer_member_by_instance(const struct consumer_group *group,
                                                    struct str instance_id);
struct consumer_member *consumer_member_add(struct coordinator *c, struct consumer_group *group,
                                            struct str id);
// consumer_member_remove takes it out of the group and of memory; the core is not told.
void consumer_member_remove(struct coordinator *c, struct consumer_member *member);
// consumer_member_fence removes it for good: the epoch of the group rises, and the core is told.
void consumer_member_fence(struct coordinator *c, struct consumer_member *member);
void consumer_gone_add(struct consumer_group *group, struct str id);
void consumer_member_count(struct consumer_member *member); // its memory
void consumer_session_touch(struct coordinator *c, struct consumer_member *member, int64_t now_ms);
// consumer_member_replace gives a static member its new id: what it had and was to get stays.
struct consumer_member *consumer_member_replace(struct coordinator *c, struct consumer_member *old,
                                                struct str id);
void consumer_text_set(struct consumer_member *member, struct str *text, struct str fresh);
// consumer_topics_set sorts and copies; false: they are what it has already.
bool consumer_topics_set(struct consumer_member *member, const struct str *topics, uint32_t count);
// consumer_classic_set makes it a member of the classic protocol; consumer_classic_clear one of this one.
void consumer_classic_set(struct consumer_member *member, const struct group_join *join);
void consumer_classic_clear(struct consumer_member *member);
// consumer_has_room: the group takes a member that says so many bytes; `there` is who it is already, or NULL.
bool consumer_has_room(const struct coordinator *c, const struct consumer_group *group,
                       const struct consumer_member *there, size_t bytes);

// ---- consumer_target.c

// consumer_refresh raises the epoch if asked to, or if the subscribed topics are not what they were, and
// computes the target anew if the epoch has risen. ERR_GROUP_MAX_SIZE_REACHED: too many partitions.
enum err consumer_refresh(struct coordinator *c, struct consumer_group *group, bool must_rise);
// consumer_hash_update looks whether the subscribed topics are what they were; false: they are.
bool consumer_hash_update(struct coordinator *c, struct consumer_group *group);
// consumer_topics_each: what the members consume, a topic as often as it is meant.
void consumer_topics_each(const struct coordinator *c, const struct consumer_group *group,
                          void (*each)(void *arg, struct str topic_name), void *arg);
struct str consumer_assignor(const struct consumer_group *group); // the most wanted
bool consumer_assignor_is_known(const struct coordinator *c, struct str name);

// ---- consumer_wait.c

// consumer_wait answers the call, now or once so many changes of the group are durable.
void consumer_wait(struct coordinator *c, struct consumer_group *group, struct group_wait *wait,
                   uint64_t waits_for);
// consumer_wait_fail answers one that may be parked.
void consumer_wait_fail(struct coordinator *c, struct group_wait *wait, enum err err);
// consumer_waits_fail answers all that are parked: those of this protocol, and those of the classic one.
void consumer_waits_fail(struct coordinator *c, struct consumer_group *group, enum err beat_err,
                         enum err classic_err);
void consumer_waits_answer(struct coordinator *c, struct consumer_group *group); // what is durable

// ---- consumer_embedded.c

// What a classic member subscribes to; texts point into the bytes.
struct subscription {
    struct str *topics; // owned
    uint32_t topic_count;
    struct str rack_id;  // NULL ptr = none
    struct tp_set owned; // that it has
};
// subscription_read: false for bytes that are none. Else subscription_fini.
bool subscription_read(const struct core *core, struct bytes blob, struct subscription *ret);
void subscription_fini(struct subscription *subscription);
// assignment_read: *ret_has_data: an assignor put something of its own into it.
bool assignment_read(const struct core *core, struct bytes blob, struct tp_set *ret, bool *ret_has_data);
// assignment_write writes it in the version of the member's subscription.
void assignment_write(const struct core *core, const struct tp_set *set, struct bytes subscription,
                      struct buf *out);

// ---- consumer_classic.c: what members of the classic protocol call

void consumer_join(struct coordinator *c, struct consumer_group *group, struct group_join *join,
                   int64_t now_ms);
void consumer_sync(struct coordinator *c, struct consumer_group *group, struct group_sync *sync,
                   int64_t now_ms);
enum err consumer_heartbeat(struct coordinator *c, const struct consumer_group *group,
                            const struct group_member_name *name, int64_t now_ms);

// ---- consumer_migrate.c

// consumer_upgrade makes a classic group with members one of this protocol. NULL: *ret_why, and nothing has
// changed.
struct consumer_group *consumer_upgrade(struct coordinator *c, struct live_group *take_classic,
                                        int64_t now_ms, const char **ret_why);
// consumer_downgrade_if_due makes the group, which is gone then, a classic one if only classic members are
// left.
bool consumer_downgrade_if_due(struct coordinator *c, struct consumer_group *group, int64_t now_ms);
// consumer_expel fences the member, or if only classic ones are left does as the above.
bool consumer_expel(struct coordinator *c, struct consumer_member *member, int64_t now_ms);

// ---- consumer_beat.c

// consumer_leave is LeaveGroup: an empty member id leaves by its instance id.
enum err consumer_leave(struct coordinator *c, struct consumer_group *group, struct str member_id,
                        struct str instance_id, int64_t now_ms);
enum err consumer_commit_check(const struct consumer_group *group, const struct group_member_name *name,
                               int32_t *ret_generation);

// ---- consumer_reconcile.c

// consumer_reconcile moves the member towards its target. owned: what the client says it has; NULL = not
// said.
void consumer_reconcile(struct coordinator *c, struct consumer_member *member, const struct tp_set *owned,
                        int64_t now_ms);
// consumer_is_kept_waiting: others have something of what it is to get.
bool consumer_is_kept_waiting(const struct consumer_member *member);

// ---- consumer_store.c

// consumer_store_expects: the epoch that the core will have once the write on its way is done.
int32_t consumer_store_expects(const struct consumer_group *group);
void consumer_store_next(struct coordinator *c, struct consumer_group *group);
void consumer_written(struct coordinator *c, struct group_write *take_write, enum err err, int64_t now_ms);
void consumer_box_drop(struct consumer_box *box); // its group goes
// consumer_take_up fills a group with what the core has; false: it does not read.
bool consumer_take_up(struct coordinator *c, struct consumer_group *group, const struct group *stored,
                      int64_t now_ms);

// ---- consumer_codec.c: the blobs of CONSUMER_SET (docs/formats/item.md)

void consumer_state_encode(const struct consumer_group *group, struct buf *out);
bool consumer_state_decode(struct consumer_group *group, struct bytes blob);
void consumer_metadata_encode(const struct consumer_member *member, struct buf *out);
bool consumer_metadata_decode(struct consumer_member *member, struct bytes blob);
void consumer_current_encode(const struct consumer_member *member, struct buf *out);
bool consumer_current_decode(struct consumer_member *member, struct bytes blob);
void tp_set_encode(const struct tp_set *set, struct buf *out);
bool tp_set_decode(struct bytes blob, struct tp_set *ret); // the whole blob

#endif
