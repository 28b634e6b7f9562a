// SPDX-License-Identifier: Apache-2.0
// model_spec_test.h - the reference for the model test: what each call may answer and how a group may change,
// given its history. Written from the protocol, not from the coordinator: it knows only what clients were
// told, what was made durable, what the clock says, and what coordinator_view shows after each step.
#ifndef GROUP_MODEL_SPEC_TEST_H
#define GROUP_MODEL_SPEC_TEST_H

#include "group/model_world_test.h"

// ---- exact answers

static inline struct spec_member *spec_find(struct spec *s, int life)
{
    for (int i = 0; i < s->count; i++) {
        if (s->members[i].life == life) {
            return &s->members[i];
        }
    }
    return NULL;
}

static inline bool spec_has_instance_of(const struct world *w, int life)
{
    for (int i = 0; i < w->spec.count; i++) {
        const struct life *other = &w->lives[w->spec.members[i].life];
        if (w->lives[life].is_static && other->is_static && other->client == w->lives[life].client) {
            return true;
        }
    }
    return false;
}

// spec_name: ERR_OK if this life is a member.
static inline enum err spec_name(struct world *w, int life)
{
    if (spec_find(&w->spec, life) != NULL) {
        return ERR_OK;
    }
    return spec_has_instance_of(w, life) ? ERR_FENCED_INSTANCE_ID : ERR_UNKNOWN_MEMBER_ID;
}

static inline enum err spec_heartbeat(struct world *w, int life, int32_t generation)
{
    enum err err = spec_name(w, life);
    if (err == ERR_OK && generation != w->spec.generation) {
        err = ERR_ILLEGAL_GENERATION;
    }
    return err == ERR_OK && w->spec.state == GROUP_PREPARING ? ERR_REBALANCE_IN_PROGRESS : err;
}

static inline enum err spec_commit(struct world *w, int life, int32_t generation)
{
    if (w->spec.count == 0) {
        return w->spec.is_there ? ERR_UNKNOWN_MEMBER_ID : ERR_ILLEGAL_GENERATION;
    }
    enum err err = spec_name(w, life);
    if (err == ERR_OK && generation != w->spec.generation) {
        err = ERR_ILLEGAL_GENERATION;
    }
    return err == ERR_OK && w->spec.state == GROUP_COMPLETING ? ERR_REBALANCE_IN_PROGRESS : err;
}

// spec_join: what JoinGroup is refused with at once; ERR_OK = it takes part.
static inline enum err spec_join(struct world *w, int life)
{
    const struct life *l = &w->lives[life];
    if (l->id[0] == '\0') {
        return l->is_static || l->is_old ? ERR_OK : ERR_MEMBER_ID_REQUIRED;
    }
    return l->pending_until_ms > w->rig.now_ms ? ERR_OK : spec_name(w, life);
}

static inline const struct roster_line *roster_find(const struct roster_copy *r, int life)
{
    for (int i = 0; i < r->count; i++) {
        if (r->lines[i].life == life) {
            return &r->lines[i];
        }
    }
    return NULL;
}

// spec_apply: what the core says to a commit that was let through.
static inline enum err spec_apply(const struct world *w, const struct entry *entry)
{
    if (!w->spec.is_known) {
        return ERR_ILLEGAL_GENERATION;
    }
    if (roster_find(&w->spec.stored, entry->life) == NULL) {
        return ERR_UNKNOWN_MEMBER_ID;
    }
    return entry->generation == w->spec.stored.generation ? ERR_OK : ERR_ILLEGAL_GENERATION;
}

// ---- what may be told

static inline void spec_joined(struct world *w, const struct call *call)
{
    struct spec *s = &w->spec;
    const struct group_join *join = &call->join;
    int life = life_of(w, join->member_id_given);
    CHECK(w, life == call->life, "JoinGroup was answered with the id of somebody else");
    CHECK(w, spec_find(s, life) != NULL, "who is not in the group was told that it is");
    CHECK(w, join->generation == s->generation, "told of generation %d in %d", join->generation,
          s->generation);
    CHECK(w, str_equal(join->protocol_name, STR("range")), "another protocol");
    int leader = life_of(w, join->leader);
    bool is_leader = leader == life;
    if (s->leader_told < 0) {
        s->leader_told = leader;
    }
    // A leader that came back under another id must not assign: it is told that its old self leads (KIP-345),
    // or to skip it (KIP-814).
    bool is_heir = w->lives[life].is_static && w->lives[leader].is_static &&
                   w->lives[leader].client == w->lives[life].client;
    bool was_replaced =
        w->lives[leader].is_static && w->lives[leader].client == w->lives[s->leader_told].client;
    bool is_round = s->state == GROUP_COMPLETING;
    CHECK(w, !is_round || (leader == s->leader_told && !join->skips_assignment),
          "life %d was told something else than to assign", life);
    CHECK(w, leader == s->leader_told || is_heir || was_replaced, "two leaders in generation %d",
          join->generation);
    CHECK(w, !is_leader || leader == s->leader_told || join->skips_assignment,
          "a leader that must not assign was not told so");
    bool has_list = join->member_count > 0;
    CHECK(w, has_list == is_leader, "life %d was told that %d leads, and of %u members", life, leader,
          join->member_count);
    CHECK(w, !has_list || (int)join->member_count == s->count, "the leader was shown %u of %d members",
          join->member_count, s->count);
    for (uint32_t i = 0; i < join->member_count; i++) {
        CHECK(w, spec_find(s, life_of(w, join->members[i].member_id)) != NULL, "a stranger was listed");
    }
}

static inline void spec_synced(struct world *w, const struct call *call)
{
    const struct roster_line *line = roster_find(&w->spec.own, call->life);
    CHECK(w, w->lives[call->life].generation == w->spec.own.generation, "synced in a generation not stored");
    CHECK(w, line != NULL, "told an assignment that the core does not have");
    CHECK(w,
          call->sync.assignment.len == line->len &&
              memcmp(call->sync.assignment.ptr, line->assignment, line->len) == 0,
          "told another assignment than the one stored");
}

// spec_stored takes over a GROUP_SET that was applied.
static inline void spec_stored(struct world *w, const struct item_group_set *set, bool is_own)
{
    struct roster_copy *r = &w->spec.stored;
    struct roster_copy before = *r;
    *r = (struct roster_copy){.generation = set->generation, .assigner = -1};
    for (uint32_t i = 0; i < set->member_count; i++) {
        struct roster_line *line = &r->lines[r->count++];
        line->life = life_of(w, set->members[i].member_id);
        line->len = set->members[i].assignment.len;
        memcpy(line->assignment, set->members[i].assignment.ptr, line->len);
        if (line->len > 0) {
            int assigner = load_be16(line->assignment);
            CHECK(w, r->assigner < 0 || r->assigner == assigner, "two leaders assigned");
            CHECK(w, w->lives[load_be16(line->assignment + 2)].client == w->lives[line->life].client,
                  "somebody else's assignment");
            r->assigner = assigner;
        }
    }
    CHECK(w, set->generation > before.generation || (is_own && set->generation == before.generation),
          "the stored generation went from %d to %d", before.generation, set->generation);
    CHECK(w, set->generation > before.generation || r->assigner == before.assigner,
          "generation %d was assigned twice", set->generation);
    w->spec.is_known = true;
    if (is_own) {
        w->spec.own = *r;
    }
}

// ---- how the group may change in one step

static inline bool spec_is_waiting(const struct world *w, const struct spec_member *m)
{
    bool is_parked = false;
    for (int i = 0; i < w->call_count; i++) {
        const struct call *call = w->calls[i];
        is_parked = is_parked || (call->life == m->life && call->answers == 0 &&
                                  (call->is_sync || w->spec.state == GROUP_STABLE));
    }
    return is_parked || m->awaits_store || (m->has_joined && !m->is_new);
}

// spec_is_silent: since `from_ms` nothing was heard of it for the time that it has.
static inline bool spec_is_silent(const struct world *w, const struct spec_member *m, int64_t from_ms)
{
    return from_ms + (m->is_new && m->has_joined ? NEWCOMER_MS : SESSION_MS) <= w->rig.now_ms;
}

static inline void spec_check_removed(struct world *w, const struct spec_member *m,
                                      const struct observation *now)
{
    const struct spec *s = &w->spec;
    bool is_static = w->lives[m->life].is_static;
    bool is_absent =
        s->state == GROUP_PREPARING && !m->has_joined && !is_static && now->generation != s->generation;
    bool is_unsynced = (s->state == GROUP_COMPLETING || s->state == GROUP_STABLE) && !m->has_synced &&
                       w->rig.now_ms >= s->generation_ms + REBALANCE_MS;
    bool is_expired = !m->was_waiting && spec_is_silent(w, m, m->called_ms);
    bool is_timed = w->action == ACT_TIME && (is_absent || is_unsynced || is_expired);
    bool is_asked = w->removes_life == m->life;
    CHECK(w, is_timed || is_asked, "life %d was removed without a reason, %lld ms after it was heard of",
          m->life, (long long)(w->rig.now_ms - m->called_ms));
}

static inline void spec_check_stays(struct world *w, const struct spec_member *m)
{
    const struct spec *s = &w->spec;
    CHECK(w, m->was_waiting || !spec_is_silent(w, m, m->alive_ms), "life %d is over its session", m->life);
    bool is_absent = s->state == GROUP_PREPARING && !m->has_joined && !w->lives[m->life].is_static;
    CHECK(w, !is_absent || w->rig.now_ms < s->round_ms + REBALANCE_MS, "life %d holds up the round", m->life);
}

static inline bool spec_is_transition(const struct world *w, const struct observation *now, bool has_changed)
{
    const struct spec *s = &w->spec;
    bool is_next = now->generation == s->generation + 1;
    bool is_same = now->generation == s->generation;
    if (is_next) { // a round has ended, or has begun and ended at once
        return (now->state == GROUP_COMPLETING && now->count > 0) ||
               (now->state == GROUP_EMPTY && now->count == 0) ||
               (now->state == GROUP_PREPARING && w->action == ACT_TIME);
    }
    if (!is_same) {
        return false;
    }
    if (has_changed && now->state != GROUP_PREPARING) { // who comes or goes makes a round
        return w->replaces_life >= 0 && s->state == GROUP_STABLE && now->state == GROUP_STABLE;
    }
    return now->state == s->state || now->state == GROUP_PREPARING ||
           (s->state == GROUP_COMPLETING && now->state == GROUP_STABLE && w->action == ACT_WRITE_OK &&
            s->own.generation == now->generation);
}

static inline void spec_check_generation(struct world *w, const struct observation *now)
{
    for (int i = 0; i < now->count; i++) {
        const struct spec_member *m = spec_find(&w->spec, now->lives[i]);
        bool has_joined = (m != NULL && (m->has_joined || m->awaits_store)) || w->joins_life == now->lives[i];
        bool is_excused = w->action == ACT_TIME && w->lives[now->lives[i]].is_static;
        CHECK(w, has_joined || is_excused || now->state == GROUP_PREPARING,
              "life %d is in a generation that it did not join", now->lives[i]);
    }
}

// spec_is_answered: a client that waited has just got its answer, and now has one session to speak again.
static inline bool spec_is_answered(const struct world *w, int life, bool is_read)
{
    for (int i = 0; i < w->answered_count; i++) {
        const struct call *call = w->answered[i];
        if (call->life == life && call != w->begun && !(call->is_abandoned && is_read)) {
            return true;
        }
    }
    return false;
}

static inline bool spec_is_writing(const struct world *w)
{
    for (int i = 0; i < w->journal_count; i++) {
        if (w->journal[i].write != NULL) {
            return true;
        }
    }
    return false;
}

// spec_take makes what is seen the state that the next step starts from.
static inline void spec_take(struct world *w, const struct observation *now)
{
    struct spec *s = &w->spec;
    struct spec before = *s;
    bool is_next = now->generation != s->generation;
    if (is_next) {
        s->generation_ms = w->rig.now_ms;
        s->leader_told = -1;
    }
    if (is_next || s->state != now->state) {
        s->round_ms = w->rig.now_ms;
    }
    s->is_there = now->is_there;
    s->state = now->state;
    s->generation = now->generation;
    s->count = now->count;
    bool has_joined = false;
    for (int i = 0; i < now->count; i++) {
        struct spec_member *m = &s->members[i];
        const struct spec_member *old = spec_find(&before, now->lives[i]);
        if (old == NULL && w->replaces_life >= 0 && w->joins_life == now->lives[i]) {
            old = spec_find(&before, w->replaces_life);
        }
        *m = old != NULL ? *old : (struct spec_member){.is_new = true};
        m->life = now->lives[i];
        bool joins = w->joins_life == m->life;
        bool is_back = joins && w->replaces_life >= 0;
        m->awaits_store = spec_is_writing(w) && (m->awaits_store || (is_back && now->state == GROUP_STABLE));
        m->has_joined = m->has_joined || (now->state == GROUP_PREPARING && (joins || m->awaits_store));
        m->has_synced = m->has_synced || w->syncs_life == m->life;
        if (is_next) {
            m->has_joined = m->has_synced = m->is_new = m->awaits_store = false;
        }
        bool is_called = joins || w->alive_life == m->life || is_next || spec_is_answered(w, m->life, true);
        m->called_ms = is_called ? w->rig.now_ms : m->called_ms;
        m->was_waiting = spec_is_waiting(w, m);
        bool was_alive = is_called || m->was_waiting || (old != NULL && old->awaits_store) ||
                         spec_is_answered(w, m->life, false);
        m->alive_ms = was_alive ? w->rig.now_ms : m->alive_ms;
        has_joined = has_joined || m->has_joined;
    }
    s->round_ms = has_joined ? s->round_ms : w->rig.now_ms;
}

// spec_reset: the coordinator knows nothing but what is stored.
static inline void spec_reset(struct world *w)
{
    struct spec *s = &w->spec;
    s->own = s->stored;
    s->state = s->stored.count > 0 ? GROUP_STABLE : GROUP_EMPTY;
    s->generation = s->stored.generation;
    s->count = s->stored.count;
    s->leader_told = -1;
    s->generation_ms = s->round_ms = w->rig.now_ms;
    for (int i = 0; i < s->count; i++) {
        s->members[i] = (struct spec_member){
            .life = s->stored.lines[i].life,
            .has_synced = true,
            .called_ms = w->rig.now_ms,
            .alive_ms = w->rig.now_ms,
        };
    }
    for (int i = 0; i < w->life_count; i++) {
        w->lives[i].pending_until_ms = 0;
    }
}

static inline void spec_step(struct world *w)
{
    struct observation now;
    observe(w, &now);
    if (w->is_reset) {
        spec_reset(w);
        CHECK(w,
              now.generation == w->spec.generation && now.count == w->spec.count &&
                  now.state == w->spec.state,
              "generation %d with %d members was stored, but %d with %d came back", w->spec.generation,
              w->spec.count, now.generation, now.count);
    }
    bool has_changed = false;
    for (int i = 0; i < w->spec.count; i++) {
        if (!observation_has(&now, w->spec.members[i].life)) {
            spec_check_removed(w, &w->spec.members[i], &now);
            has_changed = true;
        }
    }
    for (int i = 0; i < now.count; i++) {
        bool is_there = spec_find(&w->spec, now.lives[i]) != NULL;
        CHECK(w, is_there || w->joins_life == now.lives[i] || w->is_reset, "life %d came by itself",
              now.lives[i]);
        has_changed = has_changed || !is_there;
    }
    CHECK(w, spec_is_transition(w, &now, has_changed), "from %s %d to %s %d", group_state_name(w->spec.state),
          w->spec.generation, group_state_name(now.state), now.generation);
    if (now.generation != w->spec.generation) {
        spec_check_generation(w, &now);
    }
    spec_take(w, &now);
    if (!spec_is_writing(w) && coordinator_deadline_ms(w->rig.c) == INT64_MAX) {
        w->spec.own = w->spec.stored; // no member, no id, nothing to be written: the group is not live
    }
    for (int i = 0; i < w->spec.count && w->action == ACT_TIME; i++) {
        spec_check_stays(w, &w->spec.members[i]);
    }
}

#endif
