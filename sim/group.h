// SPDX-License-Identifier: Apache-2.0
// group.h - the consumer group of a world: two to four members over the Kafka front, what they were told, and
// what it has to keep (numbers as in docs/reliability.md): I9 committed offsets never go back, never pass the
// end of the log and survive every crash; I10 one owner per partition and generation, no record twice inside
// a generation without a failure, every record delivered.
//
// All members talk to one broker: in worlds of several there is no lease for coordinators yet, and a group
// that uses two of them at once would be two groups.
#ifndef SIM_GROUP_H
#define SIM_GROUP_H

#include "client.h"
#include "consumer.h"
#include "scenario.h"

enum {
    GROUP_PARTITIONS = 9, // of the topics that are kept; they come first
    MEMBER_ID_MAX = 96,
    CHURN_PARTITIONS_MAX = 32,
};
#define GROUP_NAME STR("readers")

// ---- group_history.c: what the group was told. Lives outside the simulated processes.

// Who speaks: a member begins another life each time it gets another member id.
struct group_who {
    int member;
    int life;
    bool is_static;
};

struct group_history *group_history_create(struct scenario *s);
void group_history_destroy(struct group_history *take_history);
// group_joined counts answered JoinGroups; group_joins gives their number.
void group_joined(struct group_history *h);
uint64_t group_joins(const struct group_history *h);
// group_alive: a heartbeat was answered with success.
void group_alive(struct group_history *h, int member);
int64_t group_alive_ns(const struct group_history *h, int member);
// group_assigned: SyncGroup told this member what is its own. nonce: of the leader's call that assigned it.
void group_assigned(struct group_history *h, struct group_who who, int32_t generation, int64_t nonce,
                    const bool owns[GROUP_PARTITIONS]);
void group_delivered(struct group_history *h, struct group_who who, int32_t generation, int partition,
                     int64_t offset);
bool group_is_delivered(const struct group_history *h, int partition, int64_t offset);
void group_commit_sent(struct group_history *h, int partition, int64_t offset);
void group_commit_acked(struct group_history *h, struct group_who who, int partition, int64_t offset,
                        int64_t sent_ns);
// group_fetched: OffsetFetch, asked at asked_ns, said `offset` (-1: none).
void group_fetched(struct group_history *h, int partition, int64_t offset, int64_t asked_ns);

// ---- group_calls.c: one call each. Everything in the answers lives until the client's next call.

struct member {
    struct scenario *s;
    int index;
    struct group_history *history;
    struct client coordinator;
    struct consumer *consumer; // fetches over a connection of its own
    char id[MEMBER_ID_MAX];    // empty: none yet
    char instance[16];         // empty: a dynamic member
    int life;
    int16_t join_version;
    int32_t generation;   // -1: has to join
    bool needs_positions; // has just joined
    bool is_leader;
    bool has_churn; // subscribed to a topic that comes and goes
    bool owns[PARTITIONS];
    bool owns_churn[CHURN_PARTITIONS_MAX];
    int32_t churn_count; // partitions of that topic, as the leader last saw it
    int64_t committed[PARTITIONS];
    int64_t heartbeat_ns; // when the next ones are due
    int64_t commit_ns;
    int64_t look_ns;
    struct ghost { // a life that is over for sure
        char id[MEMBER_ID_MAX];
        int32_t generation;
        bool has_left; // else it is over once the instance has joined again
    } ghost;
};

struct group_who member_who(const struct member *m);
// member_call_join joins and syncs; false: not in a generation yet.
bool member_call_join(struct member *m);
// Each gives the error of the answer; ERR_CLOSED: there was none.
enum err member_call_heartbeat(struct member *m, const char *id, int32_t generation);
enum err member_call_leave(struct member *m);
enum err member_call_commit(struct member *m); // the worst of its partitions' errors
// member_call_commit_as: a life that is over commits to a partition.
enum err member_call_commit_as(struct member *m, const char *id, int32_t generation, int partition,
                               int64_t offset);
// group_offsets asks for the committed offsets of some of the kept partitions and checks the answer; false:
// no answer.
bool group_offsets(struct scenario *s, struct client *c, const bool wanted[GROUP_PARTITIONS],
                   int64_t ret_offsets[GROUP_PARTITIONS]);
// group_describe gives state ("Stable") and number of members; false: no answer.
bool group_describe(struct client *c, char ret_state[32], int32_t *ret_members);
int32_t group_churn_count(struct client *c); // partitions of the topic that comes and goes; 0 = none

// ---- member.c, judge.c

void member_main(struct env *env, void *arg);
// judge_main waits until nothing goes wrong any more, then asks: has the group read and committed everything?
// Does a restart of the broker leave it alone? Are the partitions of a member that dies taken over?
void judge_main(struct env *env, void *arg);
// group_final looks once more, after everything was read and the broker restarted.
void group_final(struct consumer *c);

#endif
