// SPDX-License-Identifier: Apache-2.0
// model_world_test.h - the world of the model test: three clients that may do anything in any order, the
// journal, the clock and restarts, around a real coordinator over a real core.
//
// A life is one member id of a client: after a crash, a leave or a refusal the client begins another one. The
// life's number is in the member id, so that every id that comes back can be traced.
#ifndef GROUP_MODEL_WORLD_TEST_H
#define GROUP_MODEL_WORLD_TEST_H

#include <stdlib.h>

#include "core/group_rig_test.h"
#include "group/rig_test.h"

enum {
    CLIENTS = 3,
    LIVES_MAX = 400,
    CALLS_SEEN_MAX = 16, // parked at once
    JOURNAL_MAX = 16,
    MEMBERS_SEEN_MAX = 64,
    PATH_MAX = 400,
    SESSION_MS = 10000,
    REBALANCE_MS = 20000,
    NEWCOMER_MS = 300000, // how long a member is waited for that has never been answered
    ASSIGNMENT_BYTES = 4,
};

enum act {
    ACT_JOIN,      // JoinGroup under the id that the client has
    ACT_JOIN_NEWS, // ... with another subscription
    ACT_SYNC,
    ACT_HEARTBEAT,
    ACT_COMMIT, // checked now, applied in its turn
    ACT_LEAVE,
    ACT_CRASH, // the connection closes
    ACT_HANG,  // nobody notices
    ACT_RETRY, // a parked call is sent once more; nobody noticed that the first one's connection is gone
    ACT_CLIENT_COUNT,
    ACT_TIME = ACT_CLIENT_COUNT, // to the next deadline
    ACT_TICK,                    // some seconds, not further than the next deadline
    ACT_WRITE_OK,                // the first in the journal is ordered and applied
    ACT_WRITE_FAIL,
    ACT_OVERTAKE,     // another broker empties the group
    ACT_RESTART,      // what is in the journal is lost
    ACT_RESTART_KEPT, // ... but for its first, which nobody was told of
    ACT_COUNT,
};
static const char *const act_names[ACT_COUNT] = {
    "join",  "join-news", "sync", "heartbeat", "commit",     "leave",    "crash",   "hang",
    "retry", "time",      "tick", "write-ok",  "write-fail", "overtake", "restart", "restart-kept"};

struct step {
    enum act act;
    int client;
};

struct life {
    int client;
    bool is_static;
    bool is_old; // a client from before KIP-394
    char id[64]; // as the client knows it; empty: not yet
    int32_t generation;
    int64_t pending_until_ms; // its id was handed out (KIP-394)
};

struct call {
    struct group_join join;
    struct group_sync sync;
    struct group_protocol protocol;
    struct group_assignment assignments[MEMBERS_SEEN_MAX];
    char bytes[MEMBERS_SEEN_MAX][ASSIGNMENT_BYTES];
    char ids[MEMBERS_SEEN_MAX][64];
    int life;
    int answers;
    bool is_sync;
    bool is_abandoned; // nobody reads the answer
};

// What a client believes.
enum stage { STAGE_AWAY, STAGE_OUT, STAGE_TOLD, STAGE_SET };
struct actor {
    int life; // -1 = none
    enum stage stage;
    struct call *parked;
    char subscription;
};

struct entry {                 // of the journal
    struct group_write *write; // NULL: a commit
    int life;
    int32_t generation;
};

struct roster_line {
    int life;
    size_t len;
    uint8_t assignment[ASSIGNMENT_BYTES];
};
struct roster_copy {
    int32_t generation;
    int count;
    int assigner; // the life that made the assignments; -1 = nobody
    struct roster_line lines[MEMBERS_SEEN_MAX];
};

struct spec_member {
    int life;
    bool is_new; // was never told of a generation
    bool has_joined;
    bool has_synced;
    bool awaits_store; // a static member that came back: it may wait for a write
    bool was_waiting;
    int64_t called_ms; // its last sign of life
    int64_t alive_ms;  // the last moment at which it may have been waiting for an answer
};
struct spec {
    bool is_there; // there is such a group
    enum group_state state;
    int32_t generation;
    int count;
    struct spec_member members[MEMBERS_SEEN_MAX];
    int leader_told; // the life that JoinGroup named in this generation; -1 = nobody yet
    int64_t generation_ms;
    int64_t round_ms;
    bool is_known;             // the core has the group
    struct roster_copy stored; // in the core
    struct roster_copy own;    // the last one that this coordinator wrote or loaded
};
struct observation {
    bool is_there;
    enum group_state state;
    int32_t generation;
    int count;
    int lives[MEMBERS_SEEN_MAX];
};

struct world {
    struct group_rig rig;
    struct life lives[LIVES_MAX];
    int life_count;
    struct actor actors[CLIENTS];
    struct call *calls[CALLS_SEEN_MAX]; // not answered yet
    int call_count;
    struct call *answered[CALLS_SEEN_MAX]; // in this step
    int answered_count;
    struct entry journal[JOURNAL_MAX];
    int journal_count;
    int64_t committed; // the last one that was applied; also the value of the next one
    struct spec spec;
    // of the step that is being made
    enum act action;
    const struct call *begun; // its call, if it made one
    int joins_life;           // takes part in the round, or in the group
    int syncs_life;           // its SyncGroup was taken
    int alive_life;           // a call of its was taken
    int removes_life;         // was told to go
    int replaces_life;        // whose place joins_life takes
    bool is_reset;            // the coordinator begins again with what is stored
    // for a person
    const char *scenario;
    struct step path[PATH_MAX];
    int path_count;
};

// ---- failing: how one came here

static inline void path_print(const struct world *w)
{
    print_error("scenario %s:", w->scenario);
    for (int i = 0; i < w->path_count; i++) {
        const struct step *step = &w->path[i];
        if (step->act < ACT_CLIENT_COUNT) {
            print_error(" %s(%d)", act_names[step->act], step->client);
        } else {
            print_error(" %s", act_names[step->act]);
        }
    }
    print_error("\n");
}

#define CHECK(w, condition, ...)                                                                             \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            path_print(w);                                                                                   \
            fail_msg(__VA_ARGS__);                                                                           \
        }                                                                                                    \
    } while (0)

// ---- looking

// life_of: member ids are "c<client>-" and the number of the life in four hex digits, then zeros.
static inline int life_of(struct world *w, struct str id)
{
    char text[5] = {0};
    CHECK(w, id.len > 7, "an impossible member id");
    memcpy(text, id.ptr + 3, 4);
    int life = (int)strtol(text, NULL, 16);
    CHECK(w, life < w->life_count && w->lives[life].client == id.ptr[1] - '0', "an unknown member id");
    return life;
}

struct observing {
    struct world *w;
    struct observation *ret;
};

static inline void observe_member(void *arg, const struct group_member_view *member)
{
    struct observing *o = arg;
    CHECK(o->w, o->ret->count < MEMBERS_SEEN_MAX, "too many members");
    o->ret->lives[o->ret->count++] = life_of(o->w, member->member_id);
}

static inline void observe(struct world *w, struct observation *ret)
{
    struct group_view view;
    *ret = (struct observation){.state = GROUP_EMPTY};
    if (coordinator_view(w->rig.c, STR("g"), &view)) {
        ret->is_there = true;
        ret->state = view.state;
        ret->generation = view.generation;
        coordinator_members(w->rig.c, STR("g"), observe_member, &(struct observing){w, ret});
        CHECK(w, ret->count == (int)view.member_count, "the view counts other members than it shows");
    }
}

static inline bool observation_has(const struct observation *o, int life)
{
    for (int i = 0; i < o->count; i++) {
        if (o->lives[i] == life) {
            return true;
        }
    }
    return false;
}

// ---- life

static inline bool client_is_static(const struct world *w, int client)
{
    return w->scenario[0] == 's' && client < 2;
}

static inline void world_init(struct world *w, const char *scenario)
{
    group_rig_init(&w->rig);
    w->rig.limits.members_max = 50;
    w->rig.limits.group_bytes_max = 65536;
    coordinator_destroy(w->rig.c);
    w->rig.c = coordinator_create(w->rig.core.core, &w->rig.limits);
    struct item topic = rig_create(1, "t", 1);
    assert_int_equal(rig_one(&w->rig.core, &topic).err, ERR_OK);
    w->scenario = scenario;
    w->life_count = w->call_count = w->journal_count = w->path_count = w->answered_count = 0;
    w->committed = 0;
    w->spec = (struct spec){.leader_told = -1, .stored.assigner = -1, .own.assigner = -1};
    for (int i = 0; i < CLIENTS; i++) {
        w->actors[i] = (struct actor){.life = -1, .subscription = 'm'};
    }
}

static inline int life_begin(struct world *w, int client)
{
    CHECK(w, w->life_count < LIVES_MAX, "too many lives");
    w->lives[w->life_count] = (struct life){.client = client,
                                            .is_static = client_is_static(w, client),
                                            .is_old = w->scenario[0] != 's' && client == 2,
                                            .generation = -1};
    return w->life_count++;
}

static inline struct str instance_of(const struct life *life)
{
    static const char *const names[CLIENTS] = {"c0", "c1", "c2"}; // also the client ids
    return life->is_static ? str_from_c(names[life->client]) : (struct str){NULL, 0};
}

static inline struct group_member_name member_name(const struct world *w, int life)
{
    const struct life *l = &w->lives[life];
    return (struct group_member_name){STR("g"), l->generation, str_from_c(l->id), instance_of(l)};
}

// ---- calls

static inline struct call *call_begin(struct world *w, int life, bool is_sync)
{
    struct call *call = arena_new(&w->rig.arena, struct call, 1);
    assert_non_null(call);
    call->life = life;
    call->is_sync = is_sync;
    CHECK(w, w->call_count < CALLS_SEEN_MAX, "too many calls");
    w->calls[w->call_count++] = call;
    w->begun = call;
    return call;
}

// calls_gather notes what was answered and what has to be written.
static inline void calls_gather(struct world *w)
{
    for (struct group_call *c = coordinator_take_answered(w->rig.c); c != NULL;
         c = coordinator_take_answered(w->rig.c)) {
        struct call *call = c->owner;
        call->answers++;
        CHECK(w, call->answers == 1, "answered twice");
        w->answered[w->answered_count++] = call;
        for (int i = 0; i < w->call_count; i++) {
            if (w->calls[i] == call) {
                w->calls[i] = w->calls[--w->call_count];
                break;
            }
        }
    }
    for (struct group_write *write = coordinator_take_write(w->rig.c); write != NULL;
         write = coordinator_take_write(w->rig.c)) {
        CHECK(w, w->journal_count < JOURNAL_MAX, "too many writes");
        w->journal[w->journal_count++] = (struct entry){.write = write};
    }
}

static inline struct call *join_call(struct world *w, int client)
{
    struct actor *a = &w->actors[client];
    if (a->life < 0 || w->lives[a->life].id[0] == '\0') { // every id that is asked for is another one
        a->life = life_begin(w, client);
    }
    const struct life *life = &w->lives[a->life];
    struct call *call = call_begin(w, a->life, false);
    static const char *const client_ids[CLIENTS] = {"c0", "c1", "c2"};
    call->protocol = (struct group_protocol){STR("range"), bytes_of(a->subscription == 'm' ? "m" : "n", 1)};
    call->join = (struct group_join){
        .call.owner = call,
        .arena = &w->rig.arena,
        .group_id = STR("g"),
        .member_id = str_from_c(life->id),
        .instance_id = instance_of(life),
        .client_id = str_from_c(client_ids[client]),
        .client_host = STR("h"),
        .session_timeout_ms = SESSION_MS,
        .rebalance_timeout_ms = REBALANCE_MS,
        .protocol_type = STR("consumer"),
        .protocols = &call->protocol,
        .protocol_count = 1,
        .needs_known_id = !life->is_old,
        .can_skip_assignment = client == 0,
        .fresh_id = {{(uint8_t)(a->life >> 8), (uint8_t)a->life}},
    };
    return call;
}

// sync_call assigns something to everybody that the client may know of, leader or not: only the leader's word
// counts.
static inline struct call *sync_call(struct world *w, int client)
{
    int life = w->actors[client].life;
    struct call *call = call_begin(w, life, true);
    call->sync = (struct group_sync){
        .call.owner = call,
        .arena = &w->rig.arena,
        .group_id = STR("g"),
        .generation = w->lives[life].generation,
        .member_id = str_from_c(w->lives[life].id),
        .instance_id = instance_of(&w->lives[life]),
        .assignments = call->assignments,
    };
    struct observation seen;
    observe(w, &seen);
    for (int i = 0; i < seen.count; i++) {
        const struct life *to = &w->lives[seen.lives[i]];
        char *bytes = call->bytes[i];
        bytes[0] = (char)(life >> 8);
        bytes[1] = (char)life;
        bytes[2] = (char)(seen.lives[i] >> 8);
        bytes[3] = (char)seen.lives[i];
        // the id as the leader would have been told it
        snprintf(call->ids[i], sizeof call->ids[i], "c%d-%04x0000-0000-0000-0000-000000000000", to->client,
                 (unsigned)seen.lives[i]);
        call->assignments[i] =
            (struct group_assignment){str_from_c(call->ids[i]), bytes_of(bytes, ASSIGNMENT_BYTES)};
    }
    call->sync.assignment_count = (uint32_t)seen.count;
    return call;
}

#endif
