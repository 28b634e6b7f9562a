// SPDX-License-Identifier: Apache-2.0
// model_test.c - all interleavings of what three clients, the journal, the clock and a restart may do to a
// group, checked at every step against a small reference (model_spec_test.h). From every state that is
// reached, clients that follow the protocol must bring the group to rest.
//
// A state is reached by making its path again in a new world; two paths that lead to the same state, by a
// hash of everything that decides what comes next, are continued once. STROM_MODEL_STATES explores more of
// them, STROM_MODEL_WALKS takes more long random walks.
#include <stdlib.h>

#include "base/hash.h"
#include "group/group_private.h"
#include "group/model_step_test.h"

enum { SETTLE_ROUNDS = 300, SETTLE_MS = 2000, WALK_STEPS = 120 };

// ---- the group comes to rest

static bool client_acts(struct world *w, int client)
{
    struct actor *a = &w->actors[client];
    if (a->parked != NULL || a->life < 0) {
        return a->parked != NULL || a->stage == STAGE_AWAY || step(w, ACT_JOIN, client, 0);
    }
    if (a->stage == STAGE_SET) {
        (void)step(w, ACT_COMMIT, client, 0);
    }
    return a->stage == STAGE_SET    ? step(w, ACT_HEARTBEAT, client, 0)
           : a->stage == STAGE_TOLD ? step(w, ACT_SYNC, client, 0)
                                    : step(w, ACT_JOIN, client, 0);
}

static bool is_at_rest(struct world *w)
{
    int present = 0;
    for (int i = 0; i < CLIENTS; i++) {
        const struct actor *a = &w->actors[i];
        present += a->stage != STAGE_AWAY || a->parked != NULL;
        bool is_set = a->stage == STAGE_SET && a->parked == NULL &&
                      w->lives[a->life].generation == w->spec.generation &&
                      roster_find(&w->spec.stored, a->life) != NULL;
        if ((a->stage != STAGE_AWAY || a->parked != NULL) && !is_set) {
            return false;
        }
    }
    return w->journal_count == 0 && w->spec.count == present && w->spec.stored.count == present &&
           w->spec.stored.generation == w->spec.generation &&
           w->spec.state == (present > 0 ? GROUP_STABLE : GROUP_EMPTY);
}

static void settle(struct world *w)
{
    for (int i = 0; i < SETTLE_ROUNDS; i++) {
        while (step(w, ACT_WRITE_OK, 0, 0)) {
        }
        if (is_at_rest(w)) {
            return;
        }
        for (int client = 0; client < CLIENTS; client++) {
            (void)client_acts(w, client);
        }
        while (step(w, ACT_WRITE_OK, 0, 0)) {
        }
        (void)step(w, ACT_TICK, 0, SETTLE_MS);
    }
    CHECK(w, false, "the group does not come to rest: %s %d with %d members", group_state_name(w->spec.state),
          w->spec.generation, w->spec.count);
}

static void world_fini(struct world *w)
{
    coordinator_stop(w->rig.c, ERR_NOT_COORDINATOR);
    calls_gather(w);
    CHECK(w, w->call_count == 0, "a call was not answered at the end");
    for (int i = 0; i < w->journal_count; i++) {
        if (w->journal[i].write != NULL) {
            coordinator_written(w->rig.c, w->journal[i].write, ERR_STOPPING, w->rig.now_ms);
        }
    }
    w->journal_count = 0;
    group_rig_fini(&w->rig);
}

// ---- what decides what comes next

static void put(uint64_t *hash, int64_t value)
{
    *hash = hash_mix(*hash, (uint64_t)value);
}

// label names a life by its client and by how many lives that client has begun since.
static int64_t label(const struct world *w, int life)
{
    int64_t age = 0;
    for (int i = life + 1; i < w->life_count && life >= 0; i++) {
        age += w->lives[i].client == w->lives[life].client;
    }
    return life < 0 ? -1 : w->lives[life].client + 4 * age;
}

static void put_id(struct world *w, uint64_t *hash, struct str id)
{
    put(hash, id.ptr == NULL ? -1 : label(w, life_of(w, id)));
}

static void put_assignment(const struct world *w, uint64_t *hash, struct bytes assignment)
{
    for (size_t i = 0; i + 2 <= assignment.len; i += 2) {
        put(hash, label(w, load_be16(assignment.ptr + i)));
    }
}

static void put_timer(const struct world *w, uint64_t *hash, const struct group_timer *timer)
{
    put(hash, timer->node.index == 0 ? -1 : timer->node.key - w->rig.now_ms);
}

static void put_member(struct world *w, uint64_t *hash, const struct live_member *m)
{
    put_id(w, hash, m->id);
    put_timer(w, hash, &m->session);
    put(hash, m->session_deadline_ms - w->rig.now_ms);
    put(hash, m->protocols.list[0].metadata.ptr[0]);
    put_assignment(w, hash, m->assignment);
    put(hash, m->is_awaiting_join | m->is_awaiting_sync << 1 | m->is_awaiting_store << 2 | m->is_new << 3 |
                  m->has_synced << 4 | (m->join != NULL) << 5 | (m->sync != NULL) << 6);
}

static void put_group(struct world *w, uint64_t *hash, const struct live_group *g)
{
    int32_t base = w->spec.stored.generation;
    put(hash, g->state | g->was_empty << 3 | g->has_newcomer << 4 | g->is_young << 5 | g->is_assigned << 6 |
                  g->is_dirty << 7 | (g->write != NULL) << 8);
    put(hash, g->delay_left_ms);
    put(hash, g->generation - base);
    put(hash, g->stored_generation - base);
    put_timer(w, hash, &g->timer);
    put_id(w, hash, g->leader == NULL ? (struct str){NULL, 0} : g->leader->id);
    LIST_EACH (node, &g->members) {
        put_member(w, hash, LIST_ENTRY(node, struct live_member, node));
    }
    LIST_EACH (node, &g->pending) {
        const struct pending_id *pending = LIST_ENTRY(node, struct pending_id, node);
        put_id(w, hash, (struct str){pending->id, pending->len});
        put_timer(w, hash, &pending->timer);
    }
}

static void put_items(struct world *w, uint64_t *hash)
{
    int32_t base = w->spec.stored.generation;
    const struct group *stored = core_group_find(w->rig.core.core, STR("g"));
    for (uint32_t i = 0; stored != NULL && i < group_member_count(stored); i++) {
        put_id(w, hash, group_member_at(stored, i)->member_id);
        put_assignment(w, hash, group_member_at(stored, i)->assignment);
    }
    for (int i = 0; i < w->journal_count; i++) {
        const struct entry *entry = &w->journal[i];
        const struct item_group_set *set = entry->write == NULL ? NULL : &entry->write->item.group_set;
        put(hash, set == NULL ? label(w, entry->life) : 1000 + set->expected_generation - base);
        put(hash, set == NULL ? entry->generation - base : set->generation - base);
        for (uint32_t k = 0; set != NULL && k < set->member_count; k++) {
            put_id(w, hash, set->members[k].member_id);
            put_assignment(w, hash, set->members[k].assignment);
        }
    }
}

static uint64_t world_hash(struct world *w)
{
    uint64_t hash = (uint64_t)w->spec.is_known;
    for (int i = 0; i < CLIENTS; i++) {
        const struct actor *a = &w->actors[i];
        const struct life *life = a->life < 0 ? NULL : &w->lives[a->life];
        put(&hash, a->stage | (a->parked != NULL) << 3 | a->subscription << 4);
        put(&hash, life == NULL ? -1 : life->id[0] != '\0');
        put(&hash,
            life == NULL || life->generation < 0 ? 1000 : life->generation - w->spec.stored.generation);
    }
    LIST_EACH (node, &w->rig.c->groups) {
        put_group(w, &hash, LIST_ENTRY(node, struct live_group, node));
    }
    put_items(w, &hash);
    uint64_t calls = 0; // in no order
    for (int i = 0; i < w->call_count; i++) {
        uint64_t call = (uint64_t)w->calls[i]->is_sync;
        put(&call, label(w, w->calls[i]->life));
        put(&call, w->calls[i]->is_abandoned);
        calls += call;
    }
    put(&hash, (int64_t)calls);
    put(&hash, label(w, w->spec.leader_told));
    return hash;
}

// ---- every path

struct node {
    uint32_t parent;
    uint8_t act;
    uint8_t client;
    uint16_t depth;
};
struct explorer {
    const char *scenario;
    struct node *nodes;
    uint32_t count;
    uint32_t max;
    uint64_t *seen; // hashes, in an open table twice as large
    uint32_t seen_size;
};
static struct world world; // large, and only one at a time

static bool seen_add(struct explorer *x, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash % x->seen_size);
    hash = hash == 0 ? 1 : hash;
    while (x->seen[at] != 0 && x->seen[at] != hash) {
        at = at + 1 == x->seen_size ? 0 : at + 1;
    }
    bool is_new = x->seen[at] == 0;
    x->seen[at] = hash;
    return is_new;
}

// begin makes the state that a scenario starts from: its third letter on says who is in the group.
static void begin(struct world *w, const char *scenario)
{
    world_init(w, scenario);
    for (const char *who = scenario + 2; *who != '\0'; who++) {
        (void)step(w, ACT_JOIN, *who - '0', 0);
    }
    settle(w);
    w->path_count = 0;
}

static void replay(struct world *w, const struct explorer *x, uint32_t at)
{
    uint32_t path[PATH_MAX];
    int length = 0;
    for (; at != 0; at = x->nodes[at].parent) {
        path[length++] = at;
    }
    begin(w, x->scenario);
    while (length > 0) {
        const struct node *node = &x->nodes[path[--length]];
        assert_true(step(w, node->act, node->client, 0));
    }
}

static void explore_from(struct explorer *x, uint32_t at)
{
    bool is_there = false;
    for (int act = 0; act < ACT_COUNT; act++) {
        for (int client = 0; client < (act < ACT_CLIENT_COUNT ? CLIENTS : 1) && x->count < x->max; client++) {
            if (!is_there) {
                replay(&world, x, at);
                is_there = true;
            }
            if (act == ACT_TICK || !step(&world, (enum act)act, client, 0)) {
                continue; // the same state serves for the next
            }
            is_there = false;
            if (seen_add(x, world_hash(&world))) {
                uint16_t depth = (uint16_t)(x->nodes[at].depth + 1);
                x->nodes[x->count++] = (struct node){at, (uint8_t)act, (uint8_t)client, depth};
                settle(&world);
            }
            world_fini(&world);
        }
    }
    if (is_there) {
        world_fini(&world);
    }
}

static uint32_t bound(const char *name, uint32_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : (uint32_t)strtoul(text, NULL, 10);
}

static void explore(const char *scenario)
{
    struct explorer x = {.scenario = scenario, .max = bound("STROM_MODEL_STATES", 4000)};
    x.seen_size = x.max * 4;
    x.nodes = calloc(x.max, sizeof *x.nodes);
    x.seen = calloc(x.seen_size, sizeof *x.seen);
    assert_true(x.nodes != NULL && x.seen != NULL);
    x.count = 1; // the start
    for (uint32_t at = 0; at < x.count && x.count < x.max; at++) {
        explore_from(&x, at);
    }
    print_message("%s: %u states, up to %u steps\n", scenario, x.count, x.nodes[x.count - 1].depth);
    free(x.nodes);
    free(x.seen);
}

// "d" dynamic members, the third one of the time before KIP-394; "s" two static members and a dynamic one.
static void test_interleavings(void **state)
{
    (void)state;
    explore("d-");
    explore("d-01");
    explore("d-012");
    explore("s-");
    explore("s-01");
    explore("s-012");
}

// ---- long walks

static uint64_t next(uint64_t *seed, uint64_t bound_)
{
    *seed = hash_mix(*seed, 77);
    return (*seed >> 16) % bound_;
}

static void walk(uint64_t number)
{
    static const char *const scenarios[] = {"d-", "d-012", "s-", "s-012"};
    uint64_t seed = number + 1;
    begin(&world, scenarios[next(&seed, 4)]);
    for (int i = 0; i < WALK_STEPS; i++) {
        // time and writes as often as calls, or nothing would ever be finished
        uint64_t kind = next(&seed, 10);
        enum act act = kind < 2   ? ACT_WRITE_OK
                       : kind < 4 ? ACT_TICK
                       : kind < 7 ? (enum act)next(&seed, ACT_COMMIT)
                                  : (enum act)next(&seed, ACT_COUNT);
        int client = act < ACT_CLIENT_COUNT ? (int)next(&seed, CLIENTS) : 0;
        (void)step(&world, act, client, 1 + (int64_t)next(&seed, 6000));
    }
    settle(&world);
    world_fini(&world);
}

static void test_walks(void **state)
{
    (void)state;
    uint32_t count = bound("STROM_MODEL_WALKS", 2000);
    for (uint32_t i = 0; i < count; i++) {
        walk(i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interleavings),
        cmocka_unit_test(test_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
