// SPDX-License-Identifier: Apache-2.0
// model_step_test.h - the steps of the model test: each makes one call, or lets the journal, the clock or a
// restart do one thing, and holds what comes out against the reference.
#ifndef GROUP_MODEL_STEP_TEST_H
#define GROUP_MODEL_STEP_TEST_H

#include "group/model_spec_test.h"

static inline struct spec_member *member_of(struct world *w, int life)
{
    return life < 0 ? NULL : spec_find(&w->spec, life);
}

static inline void step_join(struct world *w, int client, bool has_news)
{
    struct actor *a = &w->actors[client];
    if (has_news) {
        a->subscription = a->subscription == 'm' ? 'n' : 'm';
    }
    struct call *call = join_call(w, client);
    int life = call->life;
    enum err expected = spec_join(w, life);
    a->parked = call;
    coordinator_join(w->rig.c, &call->join, w->rig.now_ms);
    calls_gather(w);
    if (expected != ERR_OK) {
        CHECK(w, call->answers == 1 && call->join.err == expected, "JoinGroup was answered %s, not %s",
              err_name(call->join.err), err_name(expected));
        return;
    }
    CHECK(w, call->answers == 0 || call->join.err == ERR_OK, "JoinGroup was answered %s",
          err_name(call->join.err));
    w->joins_life = life;
    w->lives[life].pending_until_ms = 0;
    for (int i = 0; i < w->spec.count && w->lives[life].id[0] == '\0' && w->lives[life].is_static; i++) {
        const struct life *other = &w->lives[w->spec.members[i].life];
        if (other->is_static && other->client == client) {
            w->replaces_life = w->removes_life = w->spec.members[i].life;
        }
    }
}

static inline void step_sync(struct world *w, int client)
{
    struct actor *a = &w->actors[client];
    struct call *call = sync_call(w, client);
    enum err expected = spec_heartbeat(w, a->life, w->lives[a->life].generation);
    a->parked = call;
    coordinator_sync(w->rig.c, &call->sync, w->rig.now_ms);
    calls_gather(w);
    if (expected == ERR_OK) {
        w->syncs_life = w->alive_life = a->life;
        bool is_at_once = w->spec.state == GROUP_STABLE;
        CHECK(w, (call->answers == 1) == is_at_once, "SyncGroup was %sanswered in %s",
              is_at_once ? "not " : "", group_state_name(w->spec.state));
    }
    CHECK(w, call->answers == 0 || call->sync.err == expected, "SyncGroup was answered %s, not %s",
          err_name(call->sync.err), err_name(expected));
}

// A refusal tells the client what to do next.
static inline void actor_refused(struct world *w, int client, enum err err)
{
    struct actor *a = &w->actors[client];
    a->stage = STAGE_OUT;
    if (err == ERR_UNKNOWN_MEMBER_ID || err == ERR_FENCED_INSTANCE_ID) {
        a->life = -1;
    }
}

static inline void step_heartbeat(struct world *w, int client)
{
    int life = w->actors[client].life;
    enum err expected = spec_heartbeat(w, life, w->lives[life].generation);
    struct group_member_name name = member_name(w, life);
    enum err err = coordinator_heartbeat(w->rig.c, &name, w->rig.now_ms);
    CHECK(w, err == expected, "Heartbeat was answered %s, not %s", err_name(err), err_name(expected));
    if (err == ERR_OK || err == ERR_REBALANCE_IN_PROGRESS) {
        w->alive_life = life;
    }
    if (err != ERR_OK) {
        actor_refused(w, client, err);
    }
}

static inline void step_commit(struct world *w, int client)
{
    int life = w->actors[client].life;
    enum err expected = spec_commit(w, life, w->lives[life].generation);
    struct group_member_name name = member_name(w, life);
    int32_t generation = -2;
    enum err err = coordinator_commit_check(w->rig.c, &name, false, w->rig.now_ms, &generation);
    CHECK(w, err == expected, "OffsetCommit was answered %s, not %s", err_name(err), err_name(expected));
    if (err == ERR_OK) {
        CHECK(w, generation == w->spec.own.generation, "the commit names generation %d, not %d", generation,
              w->spec.own.generation);
        w->alive_life = life;
        CHECK(w, w->journal_count < JOURNAL_MAX, "too many writes");
        w->journal[w->journal_count++] = (struct entry){.life = life, .generation = generation};
    } else if (err != ERR_REBALANCE_IN_PROGRESS) {
        actor_refused(w, client, err);
    }
}

static inline void step_leave(struct world *w, int client)
{
    int life = w->actors[client].life;
    bool is_pending = w->lives[life].pending_until_ms > w->rig.now_ms;
    enum err expected = is_pending ? ERR_OK : spec_name(w, life);
    struct group_member_name name = member_name(w, life);
    enum err err =
        coordinator_leave(w->rig.c, name.group_id, name.member_id, name.instance_id, w->rig.now_ms);
    CHECK(w, err == expected, "LeaveGroup was answered %s, not %s", err_name(err), err_name(expected));
    w->lives[life].pending_until_ms = 0;
    w->removes_life = life;
    w->actors[client] = (struct actor){.life = -1, .subscription = w->actors[client].subscription};
}

static inline void step_crash(struct world *w, int client, bool is_noticed)
{
    struct actor *a = &w->actors[client];
    struct call *call = a->parked;
    if (call != NULL) {
        call->is_abandoned = true;
    }
    if (call != NULL && is_noticed) {
        const struct spec_member *m = member_of(w, call->life);
        bool is_lost = !call->is_sync && m != NULL && m->is_new && w->lives[call->life].id[0] == '\0';
        w->removes_life = is_lost && !w->lives[call->life].is_static ? call->life : -1;
        if (call->is_sync) {
            coordinator_sync_cancel(w->rig.c, &call->sync);
        } else {
            coordinator_join_cancel(w->rig.c, &call->join, w->rig.now_ms);
        }
    }
    *a = (struct actor){.life = -1, .subscription = a->subscription};
}

static inline void step_retry(struct world *w, int client)
{
    struct actor *a = &w->actors[client];
    bool is_sync = a->parked->is_sync;
    a->parked->is_abandoned = true;
    a->parked = NULL;
    if (is_sync) {
        step_sync(w, client);
    } else {
        step_join(w, client, false);
    }
}

// ---- the journal

static inline void entry_apply(struct world *w, const struct entry *entry, enum err *ret_err)
{
    if (entry->write != NULL) {
        rig_add(&w->rig.core, &entry->write->item);
        rig_flush(&w->rig.core);
        *ret_err = w->rig.core.outcomes[0].err;
        if (*ret_err == ERR_OK) {
            spec_stored(w, &entry->write->item.group_set, true);
        }
        return;
    }
    struct item_offset offset = rig_offset(1, 0, w->committed + 1);
    struct item item = rig_commit_all("g", entry->generation, w->lives[entry->life].id, &offset, 1);
    enum err expected = spec_apply(w, entry);
    *ret_err = rig_one(&w->rig.core, &item).err;
    CHECK(w, *ret_err == expected, "a commit was applied with %s, not %s", err_name(*ret_err),
          err_name(expected));
    w->committed += *ret_err == ERR_OK;
    const struct group *g = core_group_find(w->rig.core.core, STR("g"));
    struct offset_view view = {.offset = 0};
    bool is_there =
        g != NULL && group_offset_find(g, core_topic_find_id(w->rig.core.core, rig_id(1)), 0, &view);
    CHECK(w, is_there == (w->committed > 0) && view.offset == w->committed,
          "offset %lld was committed, not %lld", (long long)view.offset, (long long)w->committed);
}

static inline void step_write(struct world *w, bool is_fine)
{
    struct entry entry = w->journal[0];
    w->journal_count--;
    memmove(w->journal, w->journal + 1, (size_t)w->journal_count * sizeof w->journal[0]);
    enum err err = ERR_STORAGE;
    if (is_fine) {
        entry_apply(w, &entry, &err);
    }
    if (entry.write != NULL) {
        CHECK(w, err != ERR_OK || is_fine, "a write that failed was applied");
        w->is_reset = err == ERR_STALE;
        coordinator_written(w->rig.c, entry.write, err, w->rig.now_ms);
    } else {
        struct actor *a = &w->actors[w->lives[entry.life].client];
        bool is_read = a->life == entry.life && err != ERR_OK && err != ERR_STORAGE;
        if (is_read && a->parked == NULL) {
            actor_refused(w, w->lives[entry.life].client, err);
        }
    }
    calls_gather(w);
}

static inline void step_overtake(struct world *w)
{
    struct item item = rig_group_set("g", w->spec.stored.generation, w->spec.stored.generation + 1, "");
    assert_int_equal(rig_one(&w->rig.core, &item).err, ERR_OK);
    spec_stored(w, &item.group_set, false);
}

static inline void step_restart(struct world *w, bool is_first_kept)
{
    enum err ignored = ERR_OK;
    if (is_first_kept) {
        entry_apply(w, &w->journal[0], &ignored);
    }
    coordinator_stop(w->rig.c, ERR_NOT_COORDINATOR);
    calls_gather(w);
    CHECK(w, w->call_count == 0, "a call was not answered at the end");
    for (int i = 0; i < w->journal_count; i++) {
        if (w->journal[i].write != NULL) {
            bool is_kept = i == 0 && is_first_kept;
            coordinator_written(w->rig.c, w->journal[i].write, is_kept ? ERR_OK : ERR_STOPPING,
                                w->rig.now_ms);
        }
    }
    w->journal_count = 0;
    coordinator_destroy(w->rig.c);
    rig_reload(&w->rig.core); // through a snapshot
    w->rig.c = coordinator_create(w->rig.core.core, &w->rig.limits);
    coordinator_load(w->rig.c, w->rig.now_ms);
    w->is_reset = true;
}

static inline void step_time(struct world *w, int64_t ms)
{
    int64_t due_ms = coordinator_deadline_ms(w->rig.c);
    w->rig.now_ms = w->rig.now_ms + ms < due_ms ? w->rig.now_ms + ms : due_ms;
    if (w->rig.now_ms == due_ms) {
        w->action = ACT_TIME;
        coordinator_tick(w->rig.c, w->rig.now_ms);
        CHECK(w, coordinator_deadline_ms(w->rig.c) > w->rig.now_ms, "something is still due");
    }
    calls_gather(w);
}

// ---- answers

static inline void take_join(struct world *w, struct actor *a, const struct call *call)
{
    struct life *life = &w->lives[call->life];
    enum err err = call->join.err;
    if (err == ERR_OK || err == ERR_MEMBER_ID_REQUIRED) {
        snprintf(life->id, sizeof life->id, STR_FMT, STR_ARG(call->join.member_id_given));
    }
    if (err == ERR_OK) {
        spec_joined(w, call);
        life->generation = call->join.generation;
        a->stage = STAGE_TOLD;
    } else if (err == ERR_MEMBER_ID_REQUIRED) {
        life->pending_until_ms = w->rig.now_ms + SESSION_MS;
        a->stage = STAGE_OUT;
    } else {
        actor_refused(w, life->client, err);
    }
}

static inline void take_answer(struct world *w, const struct call *call)
{
    struct actor *a = &w->actors[w->lives[call->life].client];
    if (call->is_abandoned || a->parked != call) {
        return;
    }
    a->parked = NULL;
    if (!call->is_sync) {
        take_join(w, a, call);
    } else if (call->sync.err == ERR_OK) {
        spec_synced(w, call);
        a->stage = STAGE_SET;
    } else {
        actor_refused(w, w->lives[call->life].client, call->sync.err);
    }
}

// ---- steps

static inline bool is_enabled(const struct world *w, enum act act, int client)
{
    if (act >= ACT_CLIENT_COUNT) {
        bool is_written = w->journal_count > 0;
        bool is_overtaken = w->spec.stored.generation != w->spec.own.generation;
        return act == ACT_TIME || act == ACT_TICK ? coordinator_deadline_ms(w->rig.c) < INT64_MAX
               : act == ACT_OVERTAKE              ? w->spec.is_known && !is_overtaken
               : act == ACT_RESTART               ? true
                                                  : is_written;
    }
    const struct actor *a = &w->actors[client];
    bool has_id = a->life >= 0 && w->lives[a->life].id[0] != '\0';
    bool is_told = has_id && w->lives[a->life].generation >= 0;
    switch (act) {
    case ACT_JOIN:
    case ACT_JOIN_NEWS:
        return a->parked == NULL;
    case ACT_SYNC:
    case ACT_HEARTBEAT:
    case ACT_COMMIT:
        return a->parked == NULL && is_told;
    case ACT_LEAVE:
        return a->parked == NULL && has_id;
    case ACT_CRASH:
        return a->life >= 0;
    case ACT_HANG:
    case ACT_RETRY:
        return a->parked != NULL;
    default:
        return false;
    }
}

static inline void act_now(struct world *w, enum act act, int client, int64_t ms)
{
    switch (act) {
    case ACT_JOIN:
    case ACT_JOIN_NEWS:
        step_join(w, client, act == ACT_JOIN_NEWS);
        break;
    case ACT_SYNC:
        step_sync(w, client);
        break;
    case ACT_HEARTBEAT:
        step_heartbeat(w, client);
        break;
    case ACT_COMMIT:
        step_commit(w, client);
        break;
    case ACT_LEAVE:
        step_leave(w, client);
        break;
    case ACT_CRASH:
    case ACT_HANG:
        step_crash(w, client, act == ACT_CRASH);
        break;
    case ACT_RETRY:
        step_retry(w, client);
        break;
    case ACT_TIME:
        step_time(w, INT64_MAX / 2);
        break;
    case ACT_TICK:
        step_time(w, ms);
        break;
    case ACT_WRITE_OK:
    case ACT_WRITE_FAIL:
        step_write(w, act == ACT_WRITE_OK);
        break;
    case ACT_OVERTAKE:
        step_overtake(w);
        break;
    default:
        step_restart(w, act == ACT_RESTART_KEPT);
        break;
    }
}

// probe_fenced: who is neither a member nor has an id to come with is refused whatever it asks.
static inline void probe_fenced(struct world *w)
{
    for (int life = 0; life < w->life_count; life++) {
        const struct life *l = &w->lives[life];
        bool is_over = l->id[0] != '\0' && spec_find(&w->spec, life) == NULL && l->pending_until_ms == 0;
        if (!is_over) {
            continue;
        }
        struct group_member_name name = member_name(w, life);
        name.generation = w->spec.generation; // the best it could say
        int32_t ignored;
        CHECK(w, coordinator_heartbeat(w->rig.c, &name, w->rig.now_ms) == spec_name(w, life),
              "life %d is over but heartbeats", life);
        CHECK(w, coordinator_commit_check(w->rig.c, &name, true, w->rig.now_ms, &ignored) != ERR_OK,
              "life %d is over but commits", life);
    }
}

// step makes one step and checks it; false: it cannot be made now.
static inline bool step(struct world *w, enum act act, int client, int64_t ms)
{
    if (!is_enabled(w, act, client)) {
        return false;
    }
    if (w->path_count < PATH_MAX) {
        w->path[w->path_count++] = (struct step){act, client};
    }
    w->action = act;
    w->joins_life = w->syncs_life = w->alive_life = w->removes_life = w->replaces_life = -1;
    w->is_reset = false;
    w->begun = NULL;
    w->answered_count = 0;
    act_now(w, act, client, ms);
    calls_gather(w);
    spec_step(w);
    for (int i = 0; i < w->answered_count; i++) {
        take_answer(w, w->answered[i]);
    }
    for (int i = 0; i < w->life_count; i++) {
        if (w->lives[i].pending_until_ms <= w->rig.now_ms) {
            w->lives[i].pending_until_ms = 0;
        }
    }
    probe_fenced(w);
    return true;
}

#endif
