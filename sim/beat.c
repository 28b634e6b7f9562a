// SPDX-License-Identifier: Apache-2.0
#include "beat.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
    LIVES_MAX = 4096,
    CALL_MS = 3000,
    PATIENCE_S = 60,
    ROUNDING_MS = 5,
    MISFORTUNE_PERMILLE = 25,
    NOBODY = -1
};
#define MS    1000000LL
#define GROUP STR("beaters")

// ---- the ledger. Lives outside the simulated processes.

struct beat_life {
    int64_t sent_ns;  // its last heartbeat left
    int64_t heard_ns; // the last one that was answered left: its session is over no sooner than after that
    bool is_over;     // it has left, or knows that it was fenced
};
struct beat_ledger {
    struct scenario *s;
    struct beat_life lives[LIVES_MAX];
    int life_count;
    int owner[GROUP_PARTITIONS]; // a life
    int64_t given_ns[GROUP_PARTITIONS];
    int64_t changed_ns;
    int alive[BEATERS_MAX]; // the life of each member; NOBODY = none
};

struct beat_ledger *beat_ledger_create(struct scenario *s)
{
    struct beat_ledger *l = calloc(1, sizeof *l);
    if (l == NULL) {
        abort();
    }
    l->s = s;
    memset(l->owner, 0xff, sizeof l->owner);
    memset(l->alive, 0xff, sizeof l->alive);
    return l;
}

void beat_ledger_destroy(struct beat_ledger *take_ledger)
{
    free(take_ledger);
}

static int64_t now_ns(const struct beat_ledger *l)
{
    return sim_world_now_ns(l->s->world);
}

static int ledger_life(struct beat_ledger *l, int member)
{
    if (l->life_count == LIVES_MAX) {
        abort();
    }
    l->alive[member] = l->life_count;
    return l->life_count++;
}

static void ledger_release(struct beat_ledger *l, int life, int partition)
{
    if (l->owner[partition] == life) {
        l->owner[partition] = NOBODY;
        l->changed_ns = now_ns(l);
    }
}

static void ledger_over(struct beat_ledger *l, int life)
{
    l->lives[life].is_over = true;
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        ledger_release(l, life, i);
    }
}

// is_outdated: the answer was so long on its way that the session is over, and the partition another's.
static bool is_outdated(const struct beat_ledger *l, int life, int partition)
{
    return l->owner[partition] >= 0 && l->given_ns[partition] >= l->lives[life].sent_ns &&
           now_ns(l) - l->lives[life].sent_ns >= (BEAT_SESSION_MS - ROUNDING_MS) * MS;
}

static void ledger_assign(struct beat_ledger *l, int life, int partition)
{
    int before = l->owner[partition];
    if (before == life || is_outdated(l, life, partition)) {
        return;
    }
    bool is_fine = before == NOBODY || l->lives[before].is_over || l->s->rot_happened ||
                   now_ns(l) - l->lives[before].heard_ns >= (BEAT_SESSION_MS - ROUNDING_MS) * MS;
    if (!is_fine) {
        checker_fail(l->s->checker, "I10: KIP-848: partition %d is given to life %d while life %d has it",
                     partition, life, before);
    }
    l->owner[partition] = life;
    l->given_ns[partition] = l->changed_ns = now_ns(l);
    checker_counting(l->s->checker)->beats++;
}

// ---- a member

struct beater {
    struct scenario *s;
    struct beat_ledger *ledger;
    struct client client;
    int index;
    int life;
    char id[32];
    int32_t epoch; // 0: has to join
    bool owns[GROUP_PARTITIONS];
    bool must_tell; // what it owns
    bool has_ids;
    struct uuid topic_ids[GROUP_PARTITIONS / PARTITIONS_PER_TOPIC_MAX];
};

enum { BEAT_TOPICS = GROUP_PARTITIONS / PARTITIONS_PER_TOPIC_MAX };

static void nap(struct beater *b, int64_t ms)
{
    client_sleep(&b->client, ms * MS);
}

static void life_begin(struct beater *b)
{
    b->life = ledger_life(b->ledger, b->index);
    snprintf(b->id, sizeof b->id, "beater-%d-%d", b->index, b->life);
    b->epoch = 0;
    b->must_tell = false;
    memset(b->owns, 0, sizeof b->owns);
}

// learn asks for the ids of the topics.
static bool learn(struct beater *b)
{
    struct metadata_request request;
    struct metadata_request_topic topics[BEAT_TOPICS];
    wire_init(&metadata_request_type, &request);
    for (int t = 0; t < BEAT_TOPICS; t++) {
        wire_init(&metadata_request_topic_type, &topics[t]);
        topics[t].name = str_from_c(topic_plans[t].name);
    }
    request.topics = topics;
    request.topics_count = BEAT_TOPICS;
    const struct metadata_response *r = client_call(&b->client, API_METADATA, 12, &request, CALL_MS * MS);
    int found = 0;
    for (int32_t i = 0; r != NULL && i < r->topics_count; i++) {
        int first = topic_partition_number(r->topics[i].name, 0);
        if (first >= 0 && first < GROUP_PARTITIONS && r->topics[i].error == ERR_OK) {
            b->topic_ids[first / PARTITIONS_PER_TOPIC_MAX] = r->topics[i].topic_id;
            found++;
        }
    }
    b->has_ids = found == BEAT_TOPICS;
    return b->has_ids;
}

static int partition_of_id(const struct beater *b, struct uuid id, int32_t partition)
{
    for (int t = 0; t < BEAT_TOPICS; t++) {
        if (uuid_equal(b->topic_ids[t], id) && partition >= 0 && partition < PARTITIONS_PER_TOPIC_MAX) {
            return t * PARTITIONS_PER_TOPIC_MAX + partition;
        }
    }
    return -1;
}

static void fill_owned(struct beater *b, struct arena *arena,
                       struct consumer_group_heartbeat_request *request)
{
    request->topic_partitions =
        wire_array(arena, consumer_group_heartbeat_request_topic_partition, BEAT_TOPICS);
    request->topic_partitions_count = 0;
    for (int t = 0; t < BEAT_TOPICS; t++) {
        struct consumer_group_heartbeat_request_topic_partition *topic =
            &request->topic_partitions[request->topic_partitions_count];
        topic->topic_id = b->topic_ids[t];
        topic->partitions = arena_new(arena, int32_t, PARTITIONS_PER_TOPIC_MAX);
        topic->partitions_count = 0;
        for (int i = 0; i < PARTITIONS_PER_TOPIC_MAX; i++) {
            if (b->owns[t * PARTITIONS_PER_TOPIC_MAX + i]) {
                topic->partitions[topic->partitions_count++] = i;
            }
        }
        request->topic_partitions_count += topic->partitions_count > 0;
    }
}

// call sends one heartbeat of an id and an epoch; NULL = no answer.
static const struct consumer_group_heartbeat_response *call(struct beater *b, int32_t epoch, bool is_full)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct consumer_group_heartbeat_request *request =
        wire_new(&arena, &consumer_group_heartbeat_request_type, 1);
    struct str names[BEAT_TOPICS];
    request->group_id = GROUP;
    request->member_id = str_from_c(b->id);
    request->member_epoch = epoch;
    if (is_full) {
        for (int t = 0; t < BEAT_TOPICS; t++) {
            names[t] = str_from_c(topic_plans[t].name);
        }
        request->rebalance_timeout_ms = 60000;
        request->subscribed_topic_names = names;
        request->subscribed_topic_names_count = BEAT_TOPICS;
    }
    if (is_full || b->must_tell) {
        fill_owned(b, &arena, request);
        for (int i = 0; i < GROUP_PARTITIONS; i++) { // said to be given back
            if (!b->owns[i]) {
                ledger_release(b->ledger, b->life, i);
            }
        }
    }
    b->ledger->lives[b->life].sent_ns = now_ns(b->ledger);
    const struct consumer_group_heartbeat_response *r =
        client_call(&b->client, API_CONSUMER_GROUP_HEARTBEAT, 1, request, CALL_MS * MS);
    arena_fini(&arena);
    return r;
}

static void take_assignment(struct beater *b,
                            const struct consumer_group_heartbeat_response_assignment *given)
{
    bool target[GROUP_PARTITIONS] = {false};
    for (int32_t t = 0; t < given->topic_partitions_count; t++) {
        const struct consumer_group_heartbeat_response_topic_partitions *topic = &given->topic_partitions[t];
        for (int32_t i = 0; i < topic->partitions_count; i++) {
            int partition = partition_of_id(b, topic->topic_id, topic->partitions[i]);
            if (partition < 0) {
                checker_fail(b->s->checker, "I10: KIP-848: a partition that nobody subscribed to is given");
                return;
            }
            target[partition] = true;
        }
    }
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        if (target[i]) {
            ledger_assign(b->ledger, b->life, i);
        }
        b->owns[i] = target[i];
    }
    b->must_tell = true;
}

// check_owned: a heartbeat was fine, so what it has is still its own.
static void check_owned(struct beater *b)
{
    for (int i = 0; i < GROUP_PARTITIONS && !b->s->rot_happened; i++) {
        if (b->owns[i] && b->ledger->owner[i] != b->life && !is_outdated(b->ledger, b->life, i)) {
            checker_fail(b->s->checker,
                         "I10: KIP-848: life %d is told to go on with partition %d, which life %d has",
                         b->life, i, b->ledger->owner[i]);
        }
    }
}

static void beat(struct beater *b)
{
    bool is_join = b->epoch == 0;
    bool told = b->must_tell;
    const struct consumer_group_heartbeat_response *r =
        call(b, b->epoch, is_join || sim_chance(b->s->world, 200));
    if (r == NULL) {
        scenario_check_calm(b->s, "a heartbeat of the consumer protocol");
        return;
    }
    if (r->error == ERR_UNKNOWN_MEMBER_ID || r->error == ERR_FENCED_MEMBER_EPOCH) {
        scenario_say(b->s, "beater %d: %s", b->index, err_name(r->error));
        ledger_over(b->ledger, b->life);
        life_begin(b);
        return;
    }
    if (r->error != ERR_OK) {
        nap(b, 1 + (int64_t)sim_rand(b->s->world, 50));
        return;
    }
    if (r->member_epoch < b->epoch && !b->s->rot_happened) {
        checker_fail(b->s->checker, "I10: KIP-848: the epoch of life %d went from %d back to %d", b->life,
                     b->epoch, r->member_epoch);
    }
    b->ledger->lives[b->life].heard_ns = b->ledger->lives[b->life].sent_ns;
    b->epoch = r->member_epoch;
    b->must_tell = b->must_tell && !told;
    if (r->assignment != NULL) {
        take_assignment(b, r->assignment);
    }
    check_owned(b);
}

static void leave(struct beater *b)
{
    ledger_over(b->ledger, b->life); // the others may be told before we are
    const struct consumer_group_heartbeat_response *r = call(b, -1, false);
    bool has_left = r != NULL && r->error == ERR_OK;
    scenario_say(b->s, "beater %d leaves%s", b->index, has_left ? "" : ", unheard");
    if (has_left && b->epoch > 0 && sim_chance(b->s->world, 500)) { // nobody
        r = call(b, b->epoch, false);
        if (r != NULL && r->error == ERR_OK) {
            checker_fail(b->s->checker, "I10: KIP-848: life %d has left, and its heartbeat is fine", b->life);
        }
    }
    life_begin(b);
}

static void misfortune(struct beater *b)
{
    switch (sim_rand(b->s->world, 3)) {
    case 0:
        leave(b);
        break;
    case 1: // it crashes, and comes back as somebody else
        scenario_say(b->s, "beater %d crashes", b->index);
        client_drop(&b->client);
        life_begin(b);
        break;
    default:
        scenario_say(b->s, "beater %d pauses", b->index);
        nap(b, (int64_t)sim_rand(b->s->world, 3 * BEAT_SESSION_MS));
        break;
    }
}

static bool is_running(const struct beater *b)
{
    bool must_die = b->s->beater_must_die == b->index + 1;
    return !must_die && !b->s->beat_is_over && (b->s->phase == PHASE_CHAOS || b->s->phase == PHASE_HEAL);
}

void beater_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct scenario *s = args->scenario;
    struct beater *b = mem_zalloc(sizeof *b);
    b->s = s;
    b->ledger = s->beats;
    b->index = args->index;
    client_init(&b->client, env);
    life_begin(b);
    while (is_running(b)) {
        const char *address = s->brokers[s->group_broker].address;
        nap(b, (int64_t)(1 + sim_rand(s->world, BEAT_INTERVAL_MS)));
        if (!s->topics_are_ready) {
            continue;
        }
        if (b->client.sock == NULL && !client_connect(&b->client, address, BROKER_PORT, 1000 * MS)) {
            continue;
        }
        if (!b->has_ids) {
            (void)learn(b);
        } else {
            beat(b);
            if (s->phase == PHASE_CHAOS && !s->is_faultless && sim_chance(s->world, MISFORTUNE_PERMILLE)) {
                misfortune(b);
            }
        }
    }
    b->ledger->alive[b->index] = NOBODY;
    client_fini(&b->client);
    mem_free(b);
    s->active_clients--;
}

// ---- the judge

// is_at_rest: every partition belongs to a member that lives, and nothing moved for a session.
static bool is_at_rest(const struct beat_ledger *l, int dead)
{
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        bool is_owned = false;
        for (int member = 0; member < l->s->beater_count; member++) {
            is_owned =
                is_owned || (member != dead && l->alive[member] >= 0 && l->owner[i] == l->alive[member]);
        }
        if (!is_owned) {
            return false;
        }
    }
    return now_ns(l) - l->changed_ns >= BEAT_SESSION_MS * MS;
}

static bool wait_rest(struct env *env, const struct beat_ledger *l, int dead)
{
    int64_t deadline_ns = now_ns(l) + PATIENCE_S * 1000 * MS;
    while (!is_at_rest(l, dead)) {
        if (now_ns(l) >= deadline_ns || l->s->rot_happened) {
            return l->s->rot_happened;
        }
        clock_sleep_until(env->clock, clock_mono_ns(env->clock) + 50 * MS);
    }
    return true;
}

void beat_judge_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct scenario *s = args->scenario;
    while (s->phase == PHASE_CHAOS) {
        clock_sleep_until(env->clock, clock_mono_ns(env->clock) + 50 * MS);
    }
    if (!wait_rest(env, s->beats, NOBODY)) {
        checker_fail(s->checker, "I19: KIP-848: the group does not come to rest with all partitions");
    }
    int dead = (int)sim_rand(s->world, (uint64_t)s->beater_count);
    s->beater_must_die = dead + 1;
    if (s->beater_count > 1 && !wait_rest(env, s->beats, dead)) {
        checker_fail(s->checker, "I19: KIP-848: nobody takes over from a member that died");
    }
    s->beat_is_over = true;
    s->active_clients--;
}
