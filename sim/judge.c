// SPDX-License-Identifier: Apache-2.0
// judge.c - when all faults have ended: what the group must come to, and what it must not do.
#include "group.h"

#include <string.h>

enum { PATIENCE_S = 60, LOOK_MS = 50 };
#define MS 1000000LL

struct judge {
    struct scenario *s;
    struct consumer *consumer; // for its calls and its connection
};

static int64_t deadline_in(const struct judge *j, int64_t ms)
{
    return sim_world_now_ns(j->s->world) + ms * MS;
}

static bool is_past(const struct judge *j, int64_t deadline_ns)
{
    return sim_world_now_ns(j->s->world) >= deadline_ns;
}

// look_again waits a little, with a connection.
static void look_again(struct judge *j)
{
    client_sleep(&j->consumer->client, LOOK_MS * MS);
    if (j->consumer->client.sock == NULL) {
        (void)consumer_connect(j->consumer);
    }
}

// ---- everything is read and committed

// lag_total adds up what is not committed; -1 = no answer.
static int64_t lag_total(struct judge *j)
{
    static const bool all[GROUP_PARTITIONS] = {true, true, true, true, true, true, true, true, true};
    int64_t offsets[GROUP_PARTITIONS];
    int64_t sum = 0;
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        int64_t end = consumer_list_offset(j->consumer, i, -1, NULL);
        if (end < 0) {
            return -1;
        }
        sum += end;
    }
    if (!group_offsets(j->s, &j->consumer->client, all, offsets)) {
        return -1;
    }
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        sum -= offsets[i] < 0 ? 0 : offsets[i];
    }
    return sum;
}

static bool wait_drained(struct judge *j)
{
    int64_t deadline_ns = deadline_in(j, PATIENCE_S * 1000);
    int64_t lag = -1;
    while (lag != 0 && !is_past(j, deadline_ns)) {
        look_again(j);
        lag = lag_total(j);
    }
    if (lag != 0) {
        checker_fail(j->s->checker, "I19: the group has %lld records left to read and commit",
                     (long long)lag);
    }
    return lag == 0;
}

// ---- the group is at rest

// is_stable: all of them are in it, and the coordinator says so.
static bool is_stable(struct judge *j, int32_t members)
{
    char state[32];
    int32_t count = 0;
    return group_describe(&j->consumer->client, state, &count) && strcmp(state, "Stable") == 0 &&
           count == members;
}

// wait_rest waits until there was no round for two sessions.
static bool wait_rest(struct judge *j, int32_t members)
{
    int64_t deadline_ns = deadline_in(j, PATIENCE_S * 1000);
    uint64_t joins = group_joins(j->s->group);
    int64_t rest_ns = deadline_in(j, 2 * j->s->session_ms);
    while (!is_past(j, rest_ns)) {
        look_again(j);
        if (!is_stable(j, members) || joins != group_joins(j->s->group)) {
            joins = group_joins(j->s->group);
            rest_ns = deadline_in(j, 2 * j->s->session_ms);
        }
        if (is_past(j, deadline_ns)) {
            checker_fail(j->s->checker, "I19: the group does not come to rest with %d members", members);
            return false;
        }
    }
    return true;
}

// restart_quietly: the broker ends in some way and comes back while all members live. Nobody may have to join
// again, and all must be heard.
static void restart_quietly(struct judge *j)
{
    struct scenario *s = j->s;
    struct broker_host *host = &s->brokers[s->group_broker];
    uint64_t joins = group_joins(s->group);
    switch (sim_rand(s->world, s->has_power_cuts ? 3 : 2)) {
    case 0:
        host->must_stop = true; // the watch starts it again
        break;
    case 1:
        sim_process_kill(host->process);
        chaos_restart(host);
        break;
    default:
        sim_process_crash(host->process);
        chaos_restart(host);
        break;
    }
    uint64_t starts = host->starts;
    scenario_say(s, "the broker restarts under the group");
    for (int64_t end_ns = deadline_in(j, PATIENCE_S * 1000); !is_past(j, end_ns);) {
        look_again(j);
        if (host->is_serving && (!host->must_stop || host->starts > starts)) {
            break;
        }
    }
    int64_t served_ns = sim_world_now_ns(s->world);
    client_sleep(&j->consumer->client, 3 * s->session_ms * MS);
    if (joins != group_joins(s->group)) {
        checker_fail(s->checker, "I10: a restart of the broker made %d members join again",
                     (int)(group_joins(s->group) - joins));
    }
    for (int i = 0; i < s->member_count; i++) {
        if (group_alive_ns(s->group, i) < served_ns) {
            checker_fail(s->checker, "I19: member %d was not heard after a restart of the broker", i);
        }
    }
}

// take_over: a member dies without a word; the others must be given its partitions.
static bool take_over(struct judge *j)
{
    struct scenario *s = j->s;
    s->member_must_die = 1 + (int)sim_rand(s->world, (uint64_t)s->member_count);
    return wait_rest(j, s->member_count - 1);
}

void judge_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct scenario *s = args->scenario;
    struct judge j = {s, consumer_create(s, env, CONSUMERS_MAX + 1 + MEMBERS_MAX)};
    j.consumer->broker_only = s->group_broker;
    // The others have ended, and so have the records.
    while (s->phase == PHASE_CHAOS || s->active_clients > s->member_count + 1) {
        client_sleep(&j.consumer->client, LOOK_MS * MS);
    }
    bool is_fine = !s->rot_happened && wait_drained(&j);
    s->group_is_drained = is_fine;
    is_fine = is_fine && wait_rest(&j, s->member_count);
    if (is_fine && !s->is_shared) {
        restart_quietly(&j);
    }
    if (is_fine && take_over(&j)) {
        scenario_say(s, "the group is at rest");
    }
    s->group_is_over = true;
    consumer_destroy(j.consumer);
    s->active_clients--;
}

void group_final(struct consumer *c)
{
    struct scenario *s = c->s;
    static const bool all[GROUP_PARTITIONS] = {true, true, true, true, true, true, true, true, true};
    int64_t offsets[GROUP_PARTITIONS];
    bool is_answered = false;
    for (int tries = 0; tries < 100 && !is_answered; tries++) {
        c->broker_only = s->group_broker;
        is_answered = (c->client.sock != NULL && c->broker == s->group_broker) || consumer_connect(c);
        is_answered = is_answered && group_offsets(s, &c->client, all, offsets);
        if (!is_answered) {
            client_drop(&c->client);
            client_sleep(&c->client, LOOK_MS * MS);
        }
    }
    if (!is_answered) {
        checker_fail(s->checker, "I19: OffsetFetch is not answered after all faults ended");
        return;
    }
    for (int i = 0; i < GROUP_PARTITIONS && s->group_is_drained; i++) {
        // Of several brokers, one that ended may have left a bundle in doubt, which is ordered when nobody
        // reads any more.
        int64_t end = s->is_shared && offsets[i] >= 0 ? offsets[i] : c->high_watermark[i];
        if (offsets[i] < 0 ? end > 0 : offsets[i] != end) {
            checker_fail(s->checker, "I9: partition %d: all was committed, up to %lld, and now it is %lld", i,
                         (long long)end, (long long)offsets[i]);
        }
        for (int64_t offset = c->log_start[i]; offset < end; offset++) {
            if (checker_is_in_final(s->checker, i, offset) && !group_is_delivered(s->group, i, offset)) {
                checker_fail(s->checker, "I10: partition %d: offset %lld was never given to the group", i,
                             (long long)offset);
            }
        }
    }
}
