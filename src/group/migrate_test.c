// SPDX-License-Identifier: Apache-2.0
// Groups that change their protocol while members are in them (KIP-848, "migration").
#include "core/group_rig_test.h"
#include "group/consumer_rig_test.h"

enum { BLOB_MAX = 512, NAMES_MAX = 8 };

// A member of the classic protocol whose bytes are real ones. It gives up what it has before it joins, unless
// it is cooperative.
struct classic {
    struct group_rig *rig;
    const char *name;
    const char *instance;
    const char *protocol; // NULL = range
    const char *type;     // NULL = consumer
    bool is_cooperative;
    bool has_data; // its assignor puts something into assignments
    char id[128];
    int32_t generation;
    struct tp_set has;
    uint8_t blob[BLOB_MAX];
    struct group_protocol list;
    struct group_join join;
    struct group_sync sync;
    bool is_joined;
    bool is_synced;
    // of a leader
    uint8_t shares[NAMES_MAX][BLOB_MAX];
    struct group_assignment assignments[NAMES_MAX];
};

#define CLASSIC(rig_, name_, ...)                                                                            \
    {                                                                                                        \
        .rig = (rig_), .name = (name_), ##__VA_ARGS__                                                        \
    }

static void begin(struct group_rig *rig)
{
    start(rig);
    rig->limits.initial_delay_ms = 0;
    rig->limits.may_upgrade = rig->limits.may_downgrade = true;
    coordinator_destroy(rig->c);
    rig->c = coordinator_create(rig->core.core, &rig->limits);
}

static void again(struct group_rig *rig)
{
    coordinator_stop(rig->c, ERR_NOT_COORDINATOR);
    (void)answers_take(rig);
    coordinator_destroy(rig->c);
    rig->c = coordinator_create(rig->core.core, &rig->limits);
    coordinator_load(rig->c, rig->now_ms);
}

// ---- bytes

static size_t be_put(uint8_t *at, uint32_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
    return size;
}

// Only of topic "t".
static size_t partitions_put(uint8_t *at, const struct tp_set *set)
{
    size_t n = be_put(at, set->count > 0, 4);
    if (set->count > 0) {
        n += be_put(at + n, 1, 2);
        at[n++] = 't';
        n += be_put(at + n, set->count, 4);
    }
    for (uint32_t i = 0; i < set->count; i++) {
        n += be_put(at + n, (uint32_t)set->list[i].partition, 4);
    }
    return n;
}

static struct bytes subscription_make(struct classic *m)
{
    size_t n = be_put(m->blob, 3, 2);
    n += be_put(m->blob + n, 1, 4);
    n += be_put(m->blob + n, 1, 2);
    m->blob[n++] = 't';
    n += be_put(m->blob + n, UINT32_MAX, 4);
    n += partitions_put(m->blob + n, &m->has);
    n += be_put(m->blob + n, (uint32_t)m->generation, 4);
    n += be_put(m->blob + n, 2, 2);
    m->blob[n++] = 'r';
    m->blob[n++] = '1';
    return bytes_of(m->blob, n);
}

static size_t assignment_make(uint8_t *at, const struct tp_set *set, bool has_data)
{
    size_t n = be_put(at, 3, 2);
    n += partitions_put(at + n, set);
    n += be_put(at + n, has_data ? 1 : UINT32_MAX, 4);
    at[n] = 'd';
    return n + has_data;
}

static void assignment_take(struct classic *m)
{
    struct reader r = reader_init(m->sync.assignment);
    tp_set_fini(&m->has);
    if (m->sync.assignment.len == 0) {
        return;
    }
    (void)reader_i16(&r);
    int32_t topics = reader_i32(&r);
    for (int32_t i = 0; i < topics; i++) {
        assert_int_equal(reader_i16(&r), 1);
        assert_int_equal(reader_i8(&r), 't');
        int32_t count = reader_i32(&r);
        for (int32_t k = 0; k < count; k++) {
            tp_set_add(&m->has, (struct tp){rig_id(1), reader_i32(&r)});
        }
    }
    (void)reader_i32(&r);
    assert_false(r.failed);
    tp_set_sort(&m->has);
}

// ---- calls

static void classic_join(struct classic *m)
{
    if (!m->is_cooperative) {
        tp_set_fini(&m->has);
    }
    m->protocol = m->protocol == NULL ? "range" : m->protocol;
    m->type = m->type == NULL ? "consumer" : m->type;
    m->is_joined = m->is_synced = false;
    m->list = (struct group_protocol){str_from_c(m->protocol), subscription_make(m)};
    m->join = (struct group_join){
        .call.owner = &m->is_joined,
        .arena = &m->rig->arena,
        .group_id = STR("g"),
        .member_id = str_from_c(m->id),
        .instance_id = str_or_null(m->instance),
        .client_id = str_from_c(m->name),
        .client_host = STR("/127.0.0.1"),
        .session_timeout_ms = 30000,
        .rebalance_timeout_ms = 60000,
        .protocol_type = str_from_c(m->type),
        .protocols = &m->list,
        .protocol_count = 1,
        .needs_known_id = true,
        .can_skip_assignment = true,
        .fresh_id = {{++m->rig->ids, 1}},
    };
    coordinator_join(m->rig->c, &m->join, m->rig->now_ms);
    (void)answers_take(m->rig);
    if (m->is_joined && m->join.err == ERR_MEMBER_ID_REQUIRED) {
        snprintf(m->id, sizeof m->id, STR_FMT, STR_ARG(m->join.member_id_given));
        classic_join(m);
    }
}

// shares_make: the leader deals the partitions out, in turn.
static uint32_t shares_make(struct classic *m, int32_t partitions)
{
    for (uint32_t i = 0; i < m->join.member_count; i++) {
        struct tp_set share = {0};
        for (int32_t p = (int32_t)i; p < partitions; p += (int32_t)m->join.member_count) {
            tp_set_add(&share, (struct tp){rig_id(1), p});
        }
        size_t size = assignment_make(m->shares[i], &share, m->has_data);
        m->assignments[i] =
            (struct group_assignment){m->join.members[i].member_id, bytes_of(m->shares[i], size)};
        tp_set_fini(&share);
    }
    return m->join.member_count;
}

static void classic_sync(struct classic *m, int32_t partitions)
{
    snprintf(m->id, sizeof m->id, STR_FMT, STR_ARG(m->join.member_id_given));
    m->generation = m->join.generation;
    m->is_synced = false;
    m->sync = (struct group_sync){
        .call.owner = &m->is_synced,
        .arena = &m->rig->arena,
        .group_id = STR("g"),
        .generation = m->generation,
        .member_id = str_from_c(m->id),
        .instance_id = str_or_null(m->instance),
        .protocol_type = str_from_c(m->type),
        .protocol_name = str_from_c(m->protocol),
        .assignments = m->assignments,
        .assignment_count = shares_make(m, partitions),
    };
    coordinator_sync(m->rig->c, &m->sync, m->rig->now_ms);
    (void)answers_take(m->rig);
}

static struct group_member_name classic_name(const struct classic *m)
{
    return (struct group_member_name){STR("g"), m->generation, str_from_c(m->id), str_or_null(m->instance)};
}

static enum err classic_heartbeat(struct classic *m)
{
    struct group_member_name name = classic_name(m);
    return coordinator_heartbeat(m->rig->c, &name, m->rig->now_ms);
}

static enum err classic_leave(struct classic *m)
{
    enum err err =
        coordinator_leave(m->rig->c, STR("g"), str_from_c(m->id), str_or_null(m->instance), m->rig->now_ms);
    (void)answers_take(m->rig);
    return err;
}

static enum err classic_commit(struct classic *m)
{
    struct group_member_name name = classic_name(m);
    int32_t generation = 0;
    enum err err = coordinator_commit_check(m->rig->c, &name, true, m->rig->now_ms, &generation);
    if (err != ERR_OK) {
        return err;
    }
    struct item_offset one = {rig_id(1), 0, 7, -1, -1, STR("")};
    struct item item = rig_commit_all("g", generation, m->id, &one, 1);
    return rig_one(&m->rig->core, &item).err;
}

static void classic_fini(struct classic *m)
{
    tp_set_fini(&m->has);
}

// settle: those given make a classic generation together.
static void settle(struct classic **members, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        classic_join(members[i]);
    }
    for (uint32_t i = 0; i < count; i++) { // who was alone for a moment comes again
        if (members[i]->is_joined && members[i]->join.generation != members[count - 1]->join.generation) {
            classic_join(members[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        assert_true(members[i]->is_joined);
        assert_int_equal(members[i]->join.err, ERR_OK);
        classic_sync(members[i], 4);
    }
    (void)writes_do(members[0]->rig, ERR_OK);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(members[i]->is_synced);
        assert_int_equal(members[i]->sync.err, ERR_OK);
        assignment_take(members[i]);
    }
}

// step is JoinGroup and SyncGroup in a group of the consumer protocol.
static enum err step(struct classic *m)
{
    classic_join(m);
    assert_true(m->is_joined || m->join.wait.group != NULL);
    (void)writes_do(m->rig, ERR_OK);
    assert_true(m->is_joined);
    if (m->join.err != ERR_OK) {
        return m->join.err;
    }
    assert_int_equal(m->join.leader.len, 0);
    assert_int_equal(m->join.member_count, 0);
    classic_sync(m, 4);
    (void)writes_do(m->rig, ERR_OK);
    assert_true(m->is_synced);
    if (m->sync.err == ERR_OK) {
        assignment_take(m);
    }
    return m->sync.err;
}

static struct consumer_view view_of(struct group_rig *rig)
{
    struct consumer_view view = {.state = CONSUMER_STATE_COUNT};
    (void)coordinator_consumer_view(rig->c, STR("g"), rig->now_ms, &view);
    return view;
}

static void kinds_note(void *arg, const struct consumer_member_view *member)
{
    ((int *)arg)[member->is_classic]++;
}

// ---- stories

// Two classic members, one consumer joins, the classic ones leave one by one, and back again.
static void a_group_moves_there_and_back(void **state)
{
    (void)state;
    struct group_rig rig;
    begin(&rig);
    struct classic a = CLASSIC(&rig, "a");
    struct classic b = CLASSIC(&rig, "b", .is_cooperative = true);
    struct consumer n;
    consumer_init(&n, &rig, "N");
    settle((struct classic *[]){&a, &b}, 2);
    int32_t generation = a.generation;
    assert_int_equal(a.has.count, 2);
    assert_int_equal(enter(&n), ERR_OK);
    assert_int_equal(n.epoch, generation + 1); // one number counts both
    assert_int_equal(n.has.count, 0);
    assert_int_equal(view_of(&rig).member_count, 3);
    int kinds[2] = {0};
    coordinator_consumer_members(rig.c, STR("g"), kinds_note, kinds);
    assert_int_equal(kinds[0], 1);
    assert_int_equal(kinds[1], 2);
    assert_int_equal(classic_commit(&a), ERR_OK); // its generation still counts
    assert_int_equal(classic_heartbeat(&a), ERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(step(&a), ERR_OK);
    assert_int_equal(step(&b), ERR_OK); // cooperative: it is told what to keep, and has to join once more
    assert_int_equal(classic_heartbeat(&b), b.generation == n.epoch ? ERR_OK : ERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(step(&b), ERR_OK);
    assert_int_equal(step(&a), ERR_OK);
    assert_int_equal(stay(&n), ERR_OK);
    assert_int_equal(classic_heartbeat(&a), ERR_OK);
    assert_int_equal(classic_heartbeat(&b), ERR_OK);
    assert_int_equal(a.has.count + b.has.count + n.has.count, 4);
    assert_int_equal(n.has.count, 1);
    assert_false(tp_set_meets(&a.has, &b.has) || tp_set_meets(&a.has, &n.has) ||
                 tp_set_meets(&b.has, &n.has));
    assert_int_equal(view_of(&rig).state, CONSUMER_STABLE);
    assert_int_equal(classic_commit(&a), ERR_OK);

    again(&rig); // all of that is in the core
    assert_int_equal(classic_heartbeat(&a), ERR_OK);
    assert_int_equal(stay(&n), ERR_OK);

    assert_int_equal(bye(&n, -1), ERR_OK);
    struct group_view view;
    assert_true(coordinator_view(rig.c, STR("g"), &view));
    assert_false(view.is_consumer);
    assert_int_equal(view.state, GROUP_PREPARING);
    assert_int_equal(view.generation, a.generation);
    assert_int_equal(view.member_count, 2);
    assert_false(group_is_consumer(rig_group(&rig.core, "g")));
    assert_int_equal(classic_heartbeat(&a), ERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(classic_commit(&a), ERR_OK);
    assert_int_equal(classic_commit(&b), ERR_OK);
    classic_join(&a);
    classic_join(&b);
    assert_true(a.is_joined && b.is_joined);
    assert_int_equal(a.join.generation, view.generation + 1);
    assert_int_equal(a.join.member_count + b.join.member_count, 2); // one of them leads
    classic_fini(&a);
    classic_fini(&b);
    consumer_fini(&n);
    group_rig_fini(&rig);
}

// The assignment that the classic group is left with is what its members have.
static void a_downgrade_keeps_the_assignment(void **state)
{
    (void)state;
    struct group_rig rig;
    begin(&rig);
    struct classic a = CLASSIC(&rig, "a");
    struct consumer n;
    consumer_init(&n, &rig, "N");
    settle((struct classic *[]){&a}, 1);
    assert_int_equal(enter(&n), ERR_OK);
    assert_int_equal(step(&a), ERR_OK);
    assert_int_equal(stay(&n), ERR_OK);
    for (int i = 0; i < 5; i++) { // it falls silent, A does not
        time_pass(&rig, 10000);
        (void)writes_do(&rig, ERR_OK);
        (void)classic_heartbeat(&a);
    }
    const struct group *group = rig_group(&rig.core, "g");
    assert_false(group_is_consumer(group));
    assert_int_equal(group_member_count(group), 1);
    assert_true(str_equal(group_protocol_name(group), STR("range")));
    a.sync.assignment = group_member_at(group, 0)->assignment;
    struct tp_set had = a.has;
    a.has = (struct tp_set){0};
    assignment_take(&a);
    assert_true(tp_set_equal(&a.has, &had));
    tp_set_fini(&had);
    assert_int_equal(state_of(&rig, "g"), GROUP_PREPARING);
    again(&rig); // what N had would never be given out without a round
    assert_int_equal(classic_heartbeat(&a), ERR_REBALANCE_IN_PROGRESS);
    settle((struct classic *[]){&a}, 1);
    assert_int_equal(a.has.count, 4);
    again(&rig);
    assert_int_equal(classic_heartbeat(&a), ERR_OK);
    classic_fini(&a);
    consumer_fini(&n);
    group_rig_fini(&rig);
}

// The core is not told yet when the next calls come: what is here counts.
static void calls_come_before_it_is_written(void **state)
{
    (void)state;
    struct group_rig rig;
    begin(&rig);
    struct classic a = CLASSIC(&rig, "a");
    struct consumer n;
    consumer_init(&n, &rig, "N");
    settle((struct classic *[]){&a}, 1);
    assert_int_equal(enter(&n), ERR_OK);
    assert_int_equal(step(&a), ERR_OK);
    beat_prepare(&n, -1);
    coordinator_beat(rig.c, &n.beat, rig.now_ms);
    (void)answers_take(&rig);
    assert_int_equal(n.beat.err, ERR_OK);
    assert_int_equal(classic_heartbeat(&a), ERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(state_of(&rig, "g"), GROUP_PREPARING);
    struct group_write *write = coordinator_take_write(rig.c);
    beat_join(&n); // and up again, behind a write that fails
    coordinator_beat(rig.c, &n.beat, rig.now_ms);
    coordinator_written(rig.c, write, ERR_READ_ONLY, rig.now_ms);
    assert_int_equal(writes_do(&rig, ERR_OK), 1);
    assert_int_equal(n.beat.err, ERR_NOT_COORDINATOR);
    assert_int_equal(view_of(&rig).member_count, 2); // the core never heard of it
    consumer_fini(&n);
    classic_fini(&a);
    group_rig_fini(&rig);
}

static void what_cannot_move_is_refused(void **state)
{
    (void)state;
    struct group_rig rig;
    begin(&rig);
    struct consumer n;
    consumer_init(&n, &rig, "N");
    struct classic kinds[] = {CLASSIC(&rig, "connect", .type = "connect"),
                              CLASSIC(&rig, "custom", .has_data = true)};
    for (size_t i = 0; i < 2; i++) {
        settle((struct classic *[]){&kinds[i]}, 1);
        assert_int_equal(enter(&n), ERR_GROUP_ID_NOT_FOUND);
        assert_int_equal(classic_heartbeat(&kinds[i]), ERR_OK); // as it was
        assert_int_equal(classic_leave(&kinds[i]), ERR_OK);
        (void)writes_do(&rig, ERR_OK);
        classic_fini(&kinds[i]);
    }
    struct client garbage = CLIENT(&rig, "garbage");
    join_begin(&garbage);
    settle_group((struct client *[]){&garbage}, 1);
    assert_int_equal(enter(&n), ERR_GROUP_ID_NOT_FOUND);
    assert_int_equal(leave(&garbage), ERR_OK);
    (void)writes_do(&rig, ERR_OK);

    struct classic a = CLASSIC(&rig, "a");
    rig.limits.may_upgrade = rig.limits.may_downgrade = false;
    again(&rig);
    settle((struct classic *[]){&a}, 1);
    assert_int_equal(enter(&n), ERR_GROUP_ID_NOT_FOUND);
    assert_true(
        str_equal(n.beat.message, STR("Cannot upgrade classic group g to consumer group because online "
                                      "upgrade is disabled.")));
    rig.limits.may_upgrade = true;
    again(&rig);
    assert_int_equal(enter(&n), ERR_OK);
    assert_int_equal(step(&a), ERR_OK);
    assert_int_equal(bye(&n, -1), ERR_OK);
    assert_true(group_is_consumer(rig_group(&rig.core, "g"))); // and stays one
    assert_int_equal(step(&a), ERR_OK);
    assert_int_equal(a.has.count, 4);
    rig.limits.may_downgrade = true;
    again(&rig);
    classic_join(&a); // the first call of one of those left
    (void)writes_do(&rig, ERR_OK);
    assert_int_equal(a.join.err, ERR_REBALANCE_IN_PROGRESS);
    assert_false(group_is_consumer(rig_group(&rig.core, "g")));
    classic_fini(&a);
    consumer_fini(&n);
    group_rig_fini(&rig);
}

static void calls_of_classic_members_are_judged(void **state)
{
    (void)state;
    struct group_rig rig;
    begin(&rig);
    struct consumer n;
    consumer_init(&n, &rig, "N");
    assert_int_equal(enter(&n), ERR_OK);
    struct classic a = CLASSIC(&rig, "a", .is_cooperative = true);
    struct classic other = CLASSIC(&rig, "other", .protocol = "roundrobin");
    assert_int_equal(step(&a), ERR_OK);
    classic_join(&other);
    assert_int_equal(other.join.err, ERR_INCONSISTENT_GROUP_PROTOCOL);
    other.protocol = "range";
    other.type = "connect";
    classic_join(&other);
    assert_int_equal(other.join.err, ERR_INCONSISTENT_GROUP_PROTOCOL);
    struct client garbage = CLIENT(&rig, "garbage");
    join_begin(&garbage);
    assert_int_equal(garbage.join.err, ERR_UNKNOWN);
    a.generation++;
    assert_int_equal(classic_heartbeat(&a), ERR_ILLEGAL_GENERATION);
    assert_int_equal(classic_commit(&a), ERR_ILLEGAL_GENERATION);
    a.generation--;
    a.protocol = "roundrobin";
    classic_sync(&a, 4);
    assert_int_equal(a.sync.err, ERR_INCONSISTENT_GROUP_PROTOCOL);
    a.protocol = "range";
    struct classic ghost = a;
    snprintf(ghost.id, sizeof ghost.id, "N"); // of the consumer protocol
    assert_int_equal(classic_heartbeat(&ghost), ERR_UNKNOWN_MEMBER_ID);
    struct classic fixed = CLASSIC(&rig, "f", .instance = "i");
    assert_int_equal(step(&fixed), ERR_OK);
    struct classic newer = CLASSIC(&rig, "f", .instance = "i");
    assert_int_equal(step(&newer), ERR_OK); // restarted
    assert_int_equal(classic_heartbeat(&fixed), ERR_FENCED_INSTANCE_ID);
    assert_int_equal(view_of(&rig).member_count, 3);
    struct consumer late;
    consumer_init(&late, &rig, "L");
    late.instance = "i";
    assert_int_equal(enter(&late), ERR_OK); // and now of this protocol
    assert_int_equal(view_of(&rig).member_count, 3);
    assert_int_equal(classic_heartbeat(&newer), ERR_FENCED_INSTANCE_ID);
    assert_int_equal(classic_leave(&a), ERR_OK);
    assert_int_equal(classic_leave(&a), ERR_UNKNOWN_MEMBER_ID);
    consumer_fini(&n);
    consumer_fini(&late);
    classic_fini(&a);
    classic_fini(&fixed);
    classic_fini(&newer);
    group_rig_fini(&rig);
}

// The last consumer is a static member, whose place a classic client takes.
static void a_static_member_goes_back(void **state)
{
    (void)state;
    struct group_rig rig;
    begin(&rig);
    struct consumer n;
    consumer_init(&n, &rig, "N");
    n.instance = "i";
    assert_int_equal(enter(&n), ERR_OK);
    struct classic old = CLASSIC(&rig, "o", .instance = "i");
    classic_join(&old);
    assert_int_equal(old.join.err, ERR_REBALANCE_IN_PROGRESS);
    (void)writes_do(&rig, ERR_OK);
    assert_false(group_is_consumer(rig_group(&rig.core, "g")));
    settle((struct classic *[]){&old}, 1);
    assert_int_equal(old.has.count, 4);
    consumer_fini(&n);
    classic_fini(&old);
    group_rig_fini(&rig);
}

// Told to join again, or to sync, a member that only heartbeats is given up.
static void a_classic_member_must_follow(void **state)
{
    (void)state;
    struct group_rig rig;
    begin(&rig);
    struct consumer n;
    consumer_init(&n, &rig, "N");
    struct classic a = CLASSIC(&rig, "a");
    settle((struct classic *[]){&a}, 1);
    assert_int_equal(enter(&n), ERR_OK);
    enum err err = ERR_OK;
    for (int i = 0; i < 7 && err != ERR_UNKNOWN_MEMBER_ID; i++) {
        err = classic_heartbeat(&a);
        assert_int_equal(err, i < 6 ? ERR_REBALANCE_IN_PROGRESS : ERR_UNKNOWN_MEMBER_ID);
        assert_int_equal(report(&n), ERR_OK);
        time_pass(&rig, 10001);
        (void)writes_do(&rig, ERR_OK);
    }
    assert_int_equal(report(&n), ERR_OK);
    assert_int_equal(n.has.count, 4);
    classic_join(&a);
    (void)writes_do(&rig, ERR_OK);
    assert_int_equal(a.join.err, ERR_OK); // and never syncs
    assert_int_equal(view_of(&rig).member_count, 2);
    for (int i = 0; i < 7; i++) {
        a.generation = a.join.generation;
        (void)classic_heartbeat(&a);
        assert_int_equal(report(&n), ERR_OK);
        time_pass(&rig, 10001);
        (void)writes_do(&rig, ERR_OK);
    }
    assert_int_equal(view_of(&rig).member_count, 1);
    consumer_fini(&n);
    classic_fini(&a);
    group_rig_fini(&rig);
}

// A consumer comes while the classic members are in a round: they are sent into the new one.
static void a_round_is_broken_off(void **state)
{
    (void)state;
    struct group_rig rig;
    begin(&rig);
    struct consumer n;
    consumer_init(&n, &rig, "N");
    struct classic a = CLASSIC(&rig, "a");
    struct classic b = CLASSIC(&rig, "b");
    settle((struct classic *[]){&a}, 1);
    classic_join(&b);
    assert_false(b.is_joined); // A has to come first
    assert_int_equal(enter(&n), ERR_OK);
    assert_true(b.is_joined);
    assert_int_equal(b.join.err, ERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(view_of(&rig).member_count, 2); // B knows no generation, and comes again
    assert_int_equal(step(&b), ERR_OK);
    assert_int_equal(b.has.count, 0); // A has everything
    assert_int_equal(classic_heartbeat(&a), ERR_REBALANCE_IN_PROGRESS);
    classic_join(&a);
    assert_false(a.is_joined); // not before it is durable
    (void)writes_do(&rig, ERR_OK);
    classic_sync(&a, 4);
    assignment_take(&a);
    assert_int_equal(classic_heartbeat(&b), ERR_REBALANCE_IN_PROGRESS); // what it waited for is free
    assert_int_equal(step(&b), ERR_OK);
    assert_int_equal(stay(&n), ERR_OK);
    assert_int_equal(a.has.count + b.has.count + n.has.count, 4);
    assert_int_equal(classic_heartbeat(&b), ERR_OK);
    classic_join(&a);
    coordinator_join_cancel(rig.c, &a.join, rig.now_ms); // its client is gone
    (void)answers_take(&rig);
    assert_true(a.is_joined);
    consumer_fini(&n);
    classic_fini(&a);
    classic_fini(&b);
    group_rig_fini(&rig);
}

// ---- chance

enum { CHAOS_EACH = 2, CHAOS_STEPS = 120, CHAOS_SEEDS = 2000 };

struct chaos {
    struct group_rig rig;
    struct consumer consumers[CHAOS_EACH];
    struct classic classics[CHAOS_EACH];
    bool is_parked[CHAOS_EACH]; // a JoinGroup or SyncGroup is under way
    bool is_syncing[CHAOS_EACH];
    bool is_in[CHAOS_EACH];
    bool is_ending; // nothing goes wrong any more
    uint64_t random;
};

static uint32_t roll(struct chaos *x, uint32_t sides)
{
    x->random = x->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(x->random >> 33) % sides;
}

static void journal(struct chaos *x)
{
    enum err err = !x->is_ending && roll(x, 12) == 0 ? ERR_READ_ONLY : ERR_OK;
    while (writes_do(&x->rig, err) > 0) {
        err = ERR_OK;
    }
}

static void classic_out(struct chaos *x, int i, enum err err)
{
    struct classic *m = &x->classics[i];
    if (err == ERR_UNKNOWN_MEMBER_ID) {
        m->id[0] = '\0';
    }
    if (err != ERR_REBALANCE_IN_PROGRESS) {
        tp_set_fini(&m->has);
    }
    x->is_in[i] = x->is_parked[i] = x->is_syncing[i] = false;
}

static void classic_next(struct chaos *x, int i)
{
    struct classic *m = &x->classics[i];
    if (x->is_syncing[i] && m->is_synced) {
        x->is_syncing[i] = x->is_parked[i] = false;
        x->is_in[i] = m->sync.err == ERR_OK;
        if (m->sync.err == ERR_OK) {
            assignment_take(m);
        } else {
            classic_out(x, i, m->sync.err);
        }
    } else if (x->is_parked[i] && !x->is_syncing[i] && m->is_joined) {
        if (m->join.err == ERR_OK) {
            x->is_syncing[i] = true;
            classic_sync(m, 4);
        } else {
            classic_out(x, i, m->join.err);
        }
    } else if (!x->is_parked[i]) {
        enum err err = x->is_in[i] ? classic_heartbeat(m) : ERR_REBALANCE_IN_PROGRESS;
        if (err == ERR_REBALANCE_IN_PROGRESS) {
            x->is_parked[i] = true;
            x->is_in[i] = false;
            classic_join(m);
        } else if (err != ERR_OK) {
            classic_out(x, i, err);
        }
    }
}

static void consumer_next(struct chaos *x, struct consumer *m, bool is_leaving)
{
    if (m->epoch == 0) {
        beat_join(m);
    } else {
        beat_join(m);
        m->beat.member_epoch = m->epoch;
        owned_say(m);
        if (is_leaving) {
            beat_prepare(m, -1);
        }
    }
    coordinator_beat(x->rig.c, &m->beat, x->rig.now_ms);
    (void)answers_take(&x->rig);
    journal(x);
    assert_true(m->is_answered);
    bool is_out = m->beat.err == ERR_UNKNOWN_MEMBER_ID || m->beat.err == ERR_FENCED_MEMBER_EPOCH ||
                  m->beat.err == ERR_GROUP_ID_NOT_FOUND;
    if (m->beat.member_epoch < 0 || is_out) {
        tp_set_fini(&m->has);
        m->epoch = 0;
    } else {
        told_take(m);
    }
}

static void owners_check(struct chaos *x)
{
    struct tp_set *all[2 * CHAOS_EACH];
    for (int i = 0; i < CHAOS_EACH; i++) {
        all[i] = &x->consumers[i].has;
        all[CHAOS_EACH + i] = &x->classics[i].has;
        tp_set_sort(all[i]);
        tp_set_sort(all[CHAOS_EACH + i]);
    }
    for (int i = 0; i < 2 * CHAOS_EACH; i++) {
        for (int k = 0; k < i; k++) {
            assert_false(tp_set_meets(all[i], all[k]));
        }
    }
}

static void chaos_step(struct chaos *x)
{
    uint32_t who = roll(x, 2 * CHAOS_EACH);
    uint32_t what = roll(x, 12);
    if (who < CHAOS_EACH) {
        bool is_idle = x->consumers[who].epoch == 0 && what > 2; // mostly stays away
        if (!is_idle) {
            consumer_next(x, &x->consumers[who], what < 2);
        }
    } else if (what == 0 && x->is_in[who - CHAOS_EACH]) {
        (void)classic_leave(&x->classics[who - CHAOS_EACH]);
        x->classics[who - CHAOS_EACH].id[0] = '\0';
        classic_out(x, (int)(who - CHAOS_EACH), ERR_UNKNOWN_MEMBER_ID);
    } else {
        classic_next(x, (int)(who - CHAOS_EACH));
    }
    if (roll(x, 3) > 0) { // else what was written is still on its way when the next call comes
        journal(x);
    }
    if (roll(x, 40) == 0) {
        again(&x->rig);
    }
    owners_check(x);
}

// chaos_end: one kind stays, the other leaves; everything is had in the end.
static void chaos_end(struct chaos *x, bool is_classic)
{
    x->is_ending = true;
    for (int turn = 0; turn < 60; turn++) {
        for (int i = 0; i < CHAOS_EACH; i++) {
            struct consumer *m = &x->consumers[i];
            if (!is_classic || m->epoch != 0) {
                consumer_next(x, m, is_classic);
            }
            if (!is_classic && x->is_in[i]) {
                (void)classic_leave(&x->classics[i]);
                classic_out(x, i, ERR_UNKNOWN_MEMBER_ID);
            } else if (is_classic || x->is_parked[i]) {
                classic_next(x, i);
            }
            while (writes_do(&x->rig, ERR_OK) > 0) {
            }
        }
        time_pass(&x->rig, 2000);
    }
    uint32_t total = 0;
    for (int i = 0; i < CHAOS_EACH; i++) {
        total += is_classic ? x->classics[i].has.count : x->consumers[i].has.count;
        consumer_fini(&x->consumers[i]);
        classic_fini(&x->classics[i]);
    }
    assert_int_equal(total, 4);
    struct group_view view;
    assert_true(coordinator_view(x->rig.c, STR("g"), &view));
    assert_int_equal(view.is_consumer, !is_classic);
}

static void nothing_is_had_twice(void **state)
{
    (void)state;
    static struct chaos x;
    for (uint64_t seed = 1; seed <= CHAOS_SEEDS; seed++) {
        x = (struct chaos){.random = seed * 7919};
        begin(&x.rig);
        static const char *const ids[CHAOS_EACH] = {"A", "B"};
        for (int i = 0; i < CHAOS_EACH; i++) {
            consumer_init(&x.consumers[i], &x.rig, ids[i]);
            x.classics[i] = (struct classic)CLASSIC(&x.rig, "c", .is_cooperative = false);
        }
        for (int i = 0; i < CHAOS_STEPS; i++) {
            chaos_step(&x);
        }
        chaos_end(&x, seed % 2 == 0);
        group_rig_fini(&x.rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_moves_there_and_back),
        cmocka_unit_test(a_downgrade_keeps_the_assignment),
        cmocka_unit_test(calls_come_before_it_is_written),
        cmocka_unit_test(what_cannot_move_is_refused),
        cmocka_unit_test(calls_of_classic_members_are_judged),
        cmocka_unit_test(a_static_member_goes_back),
        cmocka_unit_test(a_classic_member_must_follow),
        cmocka_unit_test(a_round_is_broken_off),
        cmocka_unit_test(nothing_is_had_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
