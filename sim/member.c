// SPDX-License-Identifier: Apache-2.0
// member.c - a member of the consumer group: joins, reads what it is given, commits, heartbeats. While faults
// happen it also leaves, crashes, sleeps past its session and comes back, and tries what its former lives
// must no longer do.
#include "group.h"

#include <stdio.h>

#include "base/mem.h"

enum { MISFORTUNE_PERMILLE = 70, IDLE_MS = 30 };
#define MS 1000000LL

static int64_t now_ns(const struct member *m)
{
    return clock_mono_ns(m->coordinator.env->clock);
}

static void nap(struct member *m, int64_t ms)
{
    client_sleep(&m->coordinator, ms * MS);
}

static bool is_running(const struct member *m)
{
    return !m->s->group_is_over && (m->s->phase == PHASE_CHAOS || m->s->phase == PHASE_HEAL);
}

static void life_end(struct member *m)
{
    m->id[0] = '\0';
    m->generation = -1;
    m->life++;
}

static void on_record(void *arg, int partition, int64_t offset)
{
    struct member *m = arg;
    group_delivered(m->history, member_who(m), m->generation, partition, offset);
}

// ---- a poll

// refused: what an error of the coordinator asks for.
static void refused(struct member *m, enum err err)
{
    switch (err) {
    case ERR_OK:
    case ERR_STORAGE: // the disk is full: later
        break;
    case ERR_UNKNOWN_MEMBER_ID:
    case ERR_FENCED_INSTANCE_ID:
        life_end(m);
        break;
    case ERR_CLOSED:
        scenario_check_calm(m->s, "a member's request");
        break;
    default:
        m->generation = -1;
        break;
    }
}

// take_positions begins where the group has come to.
static bool take_positions(struct member *m)
{
    int64_t offsets[GROUP_PARTITIONS];
    if (!group_offsets(m->s, &m->coordinator, m->owns, offsets)) {
        return false;
    }
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        if (m->owns[i]) {
            m->committed[i] = offsets[i];
            m->consumer->position[i] = offsets[i] < 0 ? 0 : offsets[i];
        }
    }
    m->needs_positions = false;
    return true;
}

// try_ghost: a life that is over gets nothing, whatever it asks.
static void try_ghost(struct member *m)
{
    struct ghost ghost = m->ghost;
    bool is_over = ghost.has_left || (m->instance[0] != '\0' && m->needs_positions);
    if (ghost.id[0] == '\0' || !is_over) {
        return;
    }
    m->ghost.id[0] = '\0';
    enum err err = member_call_heartbeat(m, ghost.id, ghost.generation);
    if (err == ERR_OK || err == ERR_REBALANCE_IN_PROGRESS) {
        checker_fail(m->s->checker, "I10: %s is over, but its heartbeat was answered %s", ghost.id,
                     err_name(err));
    }
    int partition = (int)sim_rand(m->s->world, GROUP_PARTITIONS);
    int32_t generation = sim_chance(m->s->world, 500) ? ghost.generation : m->generation;
    enum err commit_err = member_call_commit_as(m, ghost.id, generation, partition, 0);
    if (commit_err == ERR_OK) {
        checker_fail(m->s->checker, "I10: %s is over (%s), but it committed in generation %d", ghost.id,
                     err_name(err), generation);
    }
}

static void heartbeat(struct member *m)
{
    m->heartbeat_ns = now_ns(m) + m->s->session_ms / 4 * MS;
    enum err err = member_call_heartbeat(m, m->id, m->generation);
    if (err == ERR_OK) {
        group_alive(m->history, m->index);
        return;
    }
    m->heartbeat_ns = err == ERR_CLOSED ? now_ns(m) : m->heartbeat_ns;
    // Whoever has to join again may go on for a while with what it has, and should commit before.
    bool goes_on = err == ERR_REBALANCE_IN_PROGRESS && sim_chance(m->s->world, 300);
    if (err == ERR_REBALANCE_IN_PROGRESS && sim_chance(m->s->world, 800)) {
        refused(m, member_call_commit(m));
    }
    if (!goes_on) {
        refused(m, err);
    }
}

// look: has the topic that comes and goes changed?
static void look(struct member *m)
{
    m->look_ns = now_ns(m) + 300 * MS;
    if (!m->is_leader || !m->has_churn || m->s->phase != PHASE_CHAOS) {
        return;
    }
    int32_t count = group_churn_count(&m->coordinator);
    m->generation = m->coordinator.sock != NULL && count != m->churn_count ? -1 : m->generation;
}

static void poll(struct member *m)
{
    bool has_any = false;
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        has_any = has_any || m->owns[i];
    }
    if (!has_any) {
        nap(m, IDLE_MS);
    } else if (!consumer_fetch(m->consumer, -1)) {
        scenario_check_calm(m->s, "a member's fetch");
        client_drop(&m->consumer->client);
        nap(m, 5);
    }
    if (now_ns(m) >= m->heartbeat_ns) {
        heartbeat(m);
    }
    if (m->generation >= 0 && now_ns(m) >= m->commit_ns) {
        m->commit_ns = now_ns(m) + (int64_t)sim_rand(m->s->world, 200) * MS; // automatic, or after each poll
        refused(m, member_call_commit(m));
    }
    if (m->generation >= 0 && now_ns(m) >= m->look_ns) {
        look(m);
    }
    if (has_any && sim_chance(m->s->world, 500)) {
        nap(m, (int64_t)sim_rand(m->s->world, IDLE_MS));
    }
}

// ---- misfortune

static void ghost_set(struct member *m, bool has_left)
{
    // Without a generation it would be anybody that keeps positions here.
    snprintf(m->ghost.id, sizeof m->ghost.id, "%s", m->generation < 0 ? "" : m->id);
    m->ghost.generation = m->generation;
    m->ghost.has_left = has_left;
}

static void misfortune(struct member *m)
{
    struct scenario *s = m->s;
    int64_t session_ms = s->session_ms;
    switch (sim_rand(s->world, 5)) {
    case 0: { // it goes, and comes again
        if (sim_chance(s->world, 500)) {
            refused(m, member_call_commit(m));
        }
        bool has_left = m->id[0] != '\0' && member_call_leave(m) == ERR_OK;
        scenario_say(s, "member %d leaves%s", m->index, has_left ? "" : ", unheard");
        ghost_set(m, has_left);
        life_end(m);
        nap(m, (int64_t)sim_rand(s->world, (uint64_t)session_ms));
        break;
    }
    case 1: // it crashes: what it read and did not commit is read again
    case 2:
        scenario_say(s, "member %d crashes", m->index);
        client_drop(&m->coordinator);
        client_drop(&m->consumer->client);
        ghost_set(m, false);
        life_end(m);
        nap(m, (int64_t)sim_rand(s->world, (uint64_t)(2 * session_ms)));
        break;
    case 3: // it is away for so long that its partitions may be somebody else's, and goes on
        scenario_say(s, "member %d pauses", m->index);
        nap(m, (int64_t)sim_rand(s->world, (uint64_t)(3 * session_ms)));
        if (sim_chance(s->world, 500)) {
            refused(m, member_call_commit(m));
        }
        break;
    default: // it subscribes to something else
        m->has_churn = !m->has_churn;
        m->generation = -1;
        break;
    }
}

// ---- the program

static bool connect_both(struct member *m)
{
    const char *address = m->s->brokers[m->s->group_broker].address;
    if (m->consumer->client.sock == NULL && !consumer_connect(m->consumer)) {
        return false;
    }
    if (m->coordinator.sock == NULL && !client_connect(&m->coordinator, address, BROKER_PORT, 1000 * MS)) {
        nap(m, 1 + (int64_t)sim_rand(m->s->world, 50));
        return false;
    }
    return true;
}

static void member_step(struct member *m)
{
    if (!m->s->topics_are_ready) {
        nap(m, 20);
        return;
    }
    if (!connect_both(m)) {
        return;
    }
    if (m->generation < 0) {
        m->needs_positions = member_call_join(m);
        if (!m->needs_positions) {
            nap(m, (int64_t)sim_rand(m->s->world, 20));
        }
        return;
    }
    if (m->needs_positions) {
        try_ghost(m);
        if (!take_positions(m)) {
            nap(m, 5);
        }
        return;
    }
    poll(m);
    if (m->s->phase == PHASE_CHAOS && !m->s->is_faultless && sim_chance(m->s->world, MISFORTUNE_PERMILLE)) {
        misfortune(m);
    }
}

void member_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct scenario *s = args->scenario;
    struct member *m = mem_zalloc(sizeof *m);
    m->s = s;
    m->index = args->index;
    m->history = s->group;
    m->generation = -1;
    client_init(&m->coordinator, env);
    m->consumer = consumer_create(s, env, CONSUMERS_MAX + 1 + m->index);
    m->consumer->broker_only = s->group_broker;
    m->consumer->owns = m->owns;
    m->consumer->on_record = on_record;
    m->consumer->on_record_arg = m;
    bool is_static = sim_chance(s->world, 350);
    static const int16_t versions[] = {2, 4, 5, 7, 9};
    m->join_version = versions[is_static ? 2 + sim_rand(s->world, 3) : sim_rand(s->world, 5)];
    if (is_static) {
        snprintf(m->instance, sizeof m->instance, "static-%d", m->index);
    }
    m->has_churn = sim_chance(s->world, 300);
    while (is_running(m) && !(s->member_must_die == m->index + 1)) {
        member_step(m);
    }
    if (is_running(m)) {
        scenario_say(s, "member %d dies", m->index); // without a word
    }
    consumer_destroy(m->consumer);
    client_fini(&m->coordinator);
    mem_free(m);
    s->active_clients--;
}
