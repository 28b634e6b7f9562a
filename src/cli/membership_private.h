// SPDX-License-Identifier: Apache-2.0
// membership_private.h - what membership.c (being alive, committing, leaving) and membership_join.c (joining)
// share.
#ifndef CLI_MEMBERSHIP_PRIVATE_H
#define CLI_MEMBERSHIP_PRIVATE_H

#include "cli/membership.h"
#include "cli/range.h"

enum {
    MEMBER_ID_BYTES_MAX = 1024, // a broker makes "client-id" and a UUID of it
    MEMBER_ARENA_BYTES = 640 << 20,
    NS_PER_MS = 1000000,
};

enum membership_user { MEMBERSHIP_NOBODY, MEMBERSHIP_MAIN, MEMBERSHIP_THREAD };

struct membership {
    struct run *run;
    struct membership_options options;
    struct thread *thread;

    struct mutex mutex; // of everything below, but for what the client points to
    struct cond changed;
    struct client *client;     // to the coordinator; NULL = not known
    enum membership_user user; // of the client
    char id[MEMBER_ID_BYTES_MAX];
    int32_t generation;
    bool is_in;
    bool wants_join;
    enum err fatal;       // what ended the membership for good
    int64_t heartbeat_ns; // when the next one is due
    int64_t poll_ns;      // when the main thread was there last
    int64_t stop_ns;      // when membership_stop was called; 0 = not yet
    bool is_closing;
    struct arena heartbeat_arena;

    // The leader's: what it assigned by, to see when it changes. Main thread only.
    struct range_topic *watched;
    size_t watched_count;
    struct arena watched_arena;
    int64_t watch_ns;
};

// membership_use takes the client for the main thread, connected to the coordinator; membership_release gives
// it back. An error that run_retry would wait for, or ERR_NETWORK, goes away by itself.
enum err membership_use(struct membership *m, struct error *e);
void membership_release(struct membership *m);
// membership_call asks the coordinator within the main thread's use, for deadline_ms at most; ERR_STOPPING
// once membership_stop was called, if is_stoppable.
enum err membership_call(struct membership *m, enum api_key key, const void *request, struct arena *arena,
                         int64_t deadline_ms, bool is_stoppable, void *ret_response, struct error *e);
struct str membership_id(const struct membership *m);
// membership_forget_client drops the connection: the coordinator is to be found anew. The mutex is held.
void membership_forget_client(struct membership *m);

// membership_watch sees, as leader, whether topics have other partitions than those it assigned.
bool membership_watch_changed(struct membership *m);

#endif
