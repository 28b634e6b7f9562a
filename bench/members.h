// SPDX-License-Identifier: Apache-2.0
// members.h - a crowd of group members over one epoll loop, one connection each. members.c runs the loop and
// takes commands; member_calls.c is what one member sends, and what it makes of the answers.
#ifndef BENCH_MEMBERS_H
#define BENCH_MEMBERS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/heap.h"
#include "support.h"

enum ask {
    ASK_NOTHING,
    ASK_GREETING, // ApiVersions
    ASK_JOIN,
    ASK_SYNC,
    ASK_HEARTBEAT,
    ASK_COMMIT,
    ASK_LEAVE,
    ASK_LIST,
    ASK_DESCRIBE,
};

struct member {
    int fd; // -1: has left
    int index;
    int group;
    enum ask asked;  // the request in flight
    enum ask wanted; // by the command: once, or until its time is over
    int64_t asked_ns;
    bool is_stable;       // has its assignment, and sends heartbeats
    bool is_leader;       // of the group's generation
    bool must_settle;     // the command waits for it
    struct heap_node due; // the next heartbeat, or another try to join
    int32_t generation;
    char id[128];
    size_t id_len;
    struct buf in; // the start of an answer
};

struct crowd {
    int port;
    const char *congestion;
    const char *name;    // groups are called <name>-00000 and so on
    int groups, members; // members of each group
    int offsets;         // positions of one commit
    int64_t heartbeat_ns, session_ms;
    int epoll;
    struct member *list;
    struct heap due;
    struct arena arena; // of one request or answer
    struct buf out;
    struct buf metadata;   // a consumer's subscription
    struct buf assignment; // and what each is given
    uint32_t random;
    // the command
    int waiting;      // members that must settle
    int64_t until_ns; // what is wanted is asked again until then
    int64_t joined_ns, settled_ns;
    uint64_t joins, answers;
    struct histogram histogram; // of what is wanted, and of heartbeats
};
extern struct crowd crowd;

// member_ask sends a request; nothing else may be in flight.
void member_ask(struct member *m, enum ask ask);
// member_answered takes the answer (without its length) to what was asked, and goes on.
void member_answered(struct member *m, struct bytes answer);
// member_go_on asks what is wanted, or waits for the next heartbeat.
void member_go_on(struct member *m);
// member_due: the time of its heartbeat, or of another try, has come.
void member_due(struct member *m);
// member_settle and member_unsettle keep the number of those that the command waits for.
void member_settle(struct member *m);
void member_unsettle(struct member *m);
// crowd_prepare fills what all requests share, and waits until groups are served.
void crowd_prepare(void);

#endif
