// SPDX-License-Identifier: Apache-2.0
// consumer_rig_test.h - what the tests of the consumer protocol share: its members as their clients see them.
#ifndef GROUP_CONSUMER_RIG_TEST_H
#define GROUP_CONSUMER_RIG_TEST_H

#include "group/assign.h"
#include "group/rig_test.h"

// A member as its client sees it.
struct consumer {
    struct group_rig *rig;
    const char *id;
    const char *instance;
    const char *topics[3];
    struct str names[3];
    int32_t epoch;
    bool is_unsure; // an answer was lost: its next call says all it knows
    struct group_beat beat;
    bool is_answered;
    struct tp_set has; // what it was told last
    const char *regex;
    struct group_partitions owned[4];
    int32_t numbers[64];
};

static inline void rig_topic(struct group_rig *rig, uint8_t id, const char *name, int32_t partitions)
{
    struct item item = rig_create(id, name, partitions);
    assert_int_equal(rig_one(&rig->core, &item).err, ERR_OK);
}

static inline void start(struct group_rig *rig)
{
    group_rig_init(rig);
    rig->limits.group_bytes_max = 1 << 20;
    rig->limits.consumer_session_timeout_ms = 45000;
    rig->limits.consumer_heartbeat_interval_ms = 5000;
    rig->limits.consumer_members_max = 4;
    rig->limits.consumer_assignors[0] = "uniform";
    rig->limits.consumer_assignors[1] = "range";
    coordinator_destroy(rig->c);
    rig->c = coordinator_create(rig->core.core, &rig->limits);
    rig_topic(rig, 1, "t", 4);
    rig_topic(rig, 2, "u", 3);
}

static inline void consumer_init(struct consumer *m, struct group_rig *rig, const char *id)
{
    *m = (struct consumer){.rig = rig, .id = id, .topics = {"t"}};
}

// writes_do orders what the coordinator wants to have written; with err, it all fails.
static inline int writes_do(struct group_rig *rig, enum err err)
{
    int count = 0;
    for (struct group_write *w = coordinator_take_write(rig->c); w != NULL;
         w = coordinator_take_write(rig->c)) {
        enum err result = err == ERR_OK ? rig_one(&rig->core, &w->item).err : err;
        coordinator_written(rig->c, w, result, rig->now_ms);
        count++;
    }
    (void)answers_take(rig);
    return count;
}

static inline void beat_prepare(struct consumer *m, int32_t epoch)
{
    m->is_answered = false;
    m->beat = (struct group_beat){
        .call.owner = &m->is_answered,
        .arena = &m->rig->arena,
        .group_id = STR("g"),
        .member_id = str_from_c(m->id),
        .member_epoch = epoch,
        .instance_id = str_or_null(m->instance),
        .client_id = STR("client"),
        .client_host = STR("/127.0.0.1"),
        .rebalance_timeout_ms = -1,
        .topic_count = -1,
        .owned_count = -1,
        .is_id_required = true,
    };
}

static inline void beat_join(struct consumer *m)
{
    beat_prepare(m, 0);
    m->beat.rebalance_timeout_ms = 60000;
    m->beat.topic_count = m->beat.owned_count = 0;
    for (int i = 0; i < 3 && m->topics[i] != NULL; i++) {
        m->names[m->beat.topic_count++] = str_from_c(m->topics[i]);
    }
    m->beat.topics = m->names;
    if (m->regex != NULL) {
        m->beat.regex = str_from_c(m->regex);
    }
}

static inline void owned_say(struct consumer *m)
{
    m->beat.owned_count = 0;
    for (uint32_t i = 0; i < m->has.count; i++) {
        struct group_partitions *last = m->beat.owned_count == 0 ? NULL : &m->owned[m->beat.owned_count - 1];
        if (last == NULL || !uuid_equal(last->topic_id, m->has.list[i].topic)) {
            last = &m->owned[m->beat.owned_count++];
            *last = (struct group_partitions){m->has.list[i].topic, &m->numbers[i], 0};
        }
        m->numbers[i] = m->has.list[i].partition;
        last->count++;
    }
    m->beat.owned = m->owned;
}

static inline void told_take(struct consumer *m)
{
    assert_true(m->is_answered);
    if (m->beat.err != ERR_OK) {
        return;
    }
    m->epoch = m->beat.member_epoch_given;
    if (m->beat.has_assignment) {
        tp_set_fini(&m->has);
        for (uint32_t i = 0; i < m->beat.assignment_count; i++) {
            for (uint32_t k = 0; k < m->beat.assignment[i].count; k++) {
                tp_set_add(&m->has,
                           (struct tp){m->beat.assignment[i].topic_id, m->beat.assignment[i].partitions[k]});
            }
        }
    }
}

// beat_do sends what was prepared, with the journal doing its part; false: refused.
static inline enum err beat_do(struct consumer *m)
{
    coordinator_beat(m->rig->c, &m->beat, m->rig->now_ms);
    (void)answers_take(m->rig);
    while (writes_do(m->rig, ERR_OK) > 0) {
    }
    told_take(m);
    return m->beat.err;
}

static inline enum err enter(struct consumer *m)
{
    beat_join(m);
    return beat_do(m);
}

static inline enum err stay(struct consumer *m)
{
    beat_prepare(m, m->epoch);
    return beat_do(m);
}

static inline enum err report(struct consumer *m)
{
    beat_prepare(m, m->epoch);
    owned_say(m);
    return beat_do(m);
}

static inline enum err bye(struct consumer *m, int32_t epoch)
{
    beat_prepare(m, epoch);
    return beat_do(m);
}

static inline void consumer_fini(struct consumer *m)
{
    tp_set_fini(&m->has);
}

#endif
