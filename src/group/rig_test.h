// SPDX-License-Identifier: Apache-2.0
// rig_test.h - what the tests of group share: a coordinator over a core, with time and the journal by hand.
#ifndef GROUP_RIG_TEST_H
#define GROUP_RIG_TEST_H

#include <stdio.h>

#include "core/rig_test.h"
#include "group/group.h"

enum { CALLS_MAX = 64 };

struct group_rig {
    struct rig core;
    struct coordinator *c;
    struct coordinator_limits limits;
    int64_t now_ms;
    struct arena arena;
    uint8_t ids; // member ids given
};

static inline void group_rig_init(struct group_rig *rig)
{
    *rig = (struct group_rig){.now_ms = 1000000};
    rig_init(&rig->core);
    arena_init(&rig->arena, 64 << 20);
    rig->limits = (struct coordinator_limits){
        .initial_delay_ms = 3000,
        .session_timeout_min_ms = 6000,
        .session_timeout_max_ms = 1800000,
        .members_max = 4,
        .members_total_max = 1000,
        .group_bytes_max = 4096,
        .bytes_total_max = 8 << 20,
        .groups_max = 3,
    };
    rig->c = coordinator_create(rig->core.core, &rig->limits);
}

static inline void group_rig_fini(struct group_rig *rig)
{
    coordinator_stop(rig->c, ERR_NOT_COORDINATOR);
    while (coordinator_take_answered(rig->c) != NULL) {
    }
    coordinator_destroy(rig->c);
    arena_fini(&rig->arena);
    rig_fini(&rig->core);
}

// A member as its client sees it; zeroed fields get defaults when it joins.
struct client {
    struct group_rig *rig;
    const char *group;
    const char *name;     // client id
    const char *instance; // NULL = dynamic
    const char *protocols[3];
    const char *metadata; // of each
    char id[128];         // "" until known
    int32_t generation;
    bool is_leader;
    int32_t session_ms;
    int32_t rebalance_ms;
    bool is_old; // JoinGroup before v4
    bool has_no_protocol;
    bool can_skip;
    struct group_protocol list[3];
    struct group_join join;
    struct group_sync sync;
    bool is_join_answered;
    bool is_sync_answered;
};

static inline struct str str_or_null(const char *text)
{
    return text == NULL ? (struct str){NULL, 0} : str_from_c(text);
}

// answers_take notes what was answered. Owners are the flags of the clients.
static inline int answers_take(struct group_rig *rig)
{
    int count = 0;
    for (struct group_call *call = coordinator_take_answered(rig->c); call != NULL;
         call = coordinator_take_answered(rig->c)) {
        *(bool *)call->owner = true;
        count++;
    }
    return count;
}

static inline void client_defaults(struct client *m)
{
    m->group = m->group == NULL ? "g" : m->group;
    m->metadata = m->metadata == NULL ? "m" : m->metadata;
    m->session_ms = m->session_ms == 0 ? 10000 : m->session_ms;
    m->rebalance_ms = m->rebalance_ms == 0 ? 60000 : m->rebalance_ms;
    if (m->protocols[0] == NULL && !m->has_no_protocol) {
        m->protocols[0] = "range";
    }
}

static inline void join_send(struct client *m)
{
    struct group_rig *rig = m->rig;
    uint32_t count = 0;
    client_defaults(m);
    for (; count < 3 && m->protocols[count] != NULL; count++) {
        m->list[count] = (struct group_protocol){str_from_c(m->protocols[count]),
                                                 bytes_of(m->metadata, strlen(m->metadata))};
    }
    m->is_join_answered = false;
    m->join = (struct group_join){
        .call.owner = &m->is_join_answered,
        .arena = &rig->arena,
        .group_id = str_from_c(m->group),
        .member_id = str_from_c(m->id),
        .instance_id = str_or_null(m->instance),
        .client_id = str_from_c(m->name),
        .client_host = STR("/127.0.0.1"),
        .session_timeout_ms = m->session_ms,
        .rebalance_timeout_ms = m->rebalance_ms,
        .protocol_type = STR("consumer"),
        .protocols = m->list,
        .protocol_count = count,
        .needs_known_id = !m->is_old,
        .can_skip_assignment = m->can_skip,
        .fresh_id = {{++rig->ids}},
    };
    coordinator_join(rig->c, &m->join, rig->now_ms);
    answers_take(rig);
}

static inline void join_note(struct client *m)
{
    assert_true(m->is_join_answered);
    assert_int_equal(m->join.err, ERR_OK);
    m->generation = m->join.generation;
    snprintf(m->id, sizeof m->id, STR_FMT, STR_ARG(m->join.member_id_given));
    m->is_leader = str_equal(m->join.leader, m->join.member_id_given);
}

// join_begin sends JoinGroup, with what is left of a new member's two steps.
static inline void join_begin(struct client *m)
{
    bool has_asked = m->is_join_answered && m->id[0] == '\0' && m->join.err == ERR_MEMBER_ID_REQUIRED;
    if (!has_asked) {
        join_send(m);
    }
    if (m->is_join_answered && m->join.err == ERR_MEMBER_ID_REQUIRED) {
        snprintf(m->id, sizeof m->id, STR_FMT, STR_ARG(m->join.member_id_given));
        join_send(m);
    }
}

static inline void sync_send(struct client *m, const struct group_assignment *assignments, uint32_t count)
{
    m->is_sync_answered = false;
    m->sync = (struct group_sync){
        .call.owner = &m->is_sync_answered,
        .arena = &m->rig->arena,
        .group_id = str_from_c(m->group),
        .generation = m->generation,
        .member_id = str_from_c(m->id),
        .instance_id = str_or_null(m->instance),
        .assignments = assignments,
        .assignment_count = count,
    };
    coordinator_sync(m->rig->c, &m->sync, m->rig->now_ms);
    answers_take(m->rig);
}

static inline struct group_member_name name_of(const struct client *m)
{
    return (struct group_member_name){str_from_c(m->group), m->generation, str_from_c(m->id),
                                      str_or_null(m->instance)};
}

static inline enum err heartbeat(struct client *m)
{
    struct group_member_name name = name_of(m);
    return coordinator_heartbeat(m->rig->c, &name, m->rig->now_ms);
}

static inline enum err leave(struct client *m)
{
    enum err err = coordinator_leave(m->rig->c, str_from_c(m->group), str_from_c(m->id),
                                     str_or_null(m->instance), m->rig->now_ms);
    answers_take(m->rig);
    return err;
}

// writes_apply orders what the coordinator wants written, all with `err` or really; the number of writes.
static inline int writes_apply(struct group_rig *rig, enum err err)
{
    int count = 0;
    for (struct group_write *w = coordinator_take_write(rig->c); w != NULL;
         w = coordinator_take_write(rig->c)) {
        enum err outcome = err;
        if (err == ERR_OK) {
            rig_add(&rig->core, &w->item);
            rig_flush(&rig->core);
            outcome = rig->core.outcomes[0].err;
        }
        coordinator_written(rig->c, w, outcome, rig->now_ms);
        count++;
    }
    answers_take(rig);
    return count;
}

static inline void time_pass(struct group_rig *rig, int64_t ms)
{
    int64_t until_ms = rig->now_ms + ms;
    while (coordinator_deadline_ms(rig->c) <= until_ms) {
        int64_t due_ms = coordinator_deadline_ms(rig->c);
        rig->now_ms = due_ms > rig->now_ms ? due_ms : rig->now_ms;
        coordinator_tick(rig->c, rig->now_ms);
        answers_take(rig);
    }
    rig->now_ms = until_ms;
}

static inline enum group_state state_of(struct group_rig *rig, const char *group)
{
    struct group_view view;
    return coordinator_view(rig->c, str_from_c(group), &view) ? view.state : GROUP_STATE_COUNT;
}

// settle_group leads the given members, which are parked in JoinGroup, to a stable generation: the first
// one's leader assigns each member its own name.
static inline void settle_group(struct client **members, uint32_t count)
{
    struct group_rig *rig = members[0]->rig;
    struct group_assignment assignments[CALLS_MAX];
    struct client *leader = NULL;
    for (uint32_t i = 0; i < count; i++) {
        join_note(members[i]);
        leader = members[i]->is_leader ? members[i] : leader;
        assignments[i] = (struct group_assignment){str_from_c(members[i]->id),
                                                   bytes_of(members[i]->name, strlen(members[i]->name))};
    }
    assert_non_null(leader);
    for (uint32_t i = 0; i < count; i++) {
        if (members[i] != leader) {
            sync_send(members[i], NULL, 0);
            assert_false(members[i]->is_sync_answered);
        }
    }
    sync_send(leader, assignments, count);
    assert_false(leader->is_sync_answered); // not before it is written
    assert_int_equal(writes_apply(rig, ERR_OK), 1);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(members[i]->is_sync_answered);
        assert_int_equal(members[i]->sync.err, ERR_OK);
        assert_true(
            bytes_equal(members[i]->sync.assignment, bytes_of(members[i]->name, strlen(members[i]->name))));
    }
    assert_int_equal(state_of(rig, members[0]->group), GROUP_STABLE);
}

#define CLIENT(rig_, name_, ...)                                                                             \
    {                                                                                                        \
        .rig = (rig_), .name = (name_), ##__VA_ARGS__                                                        \
    }

#endif
