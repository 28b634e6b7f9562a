// SPDX-License-Identifier: Apache-2.0
// consumer_wait.c - calls to groups of the consumer protocol that are answered once what they tell is
// durable.
#include "base/assert.h"
#include "base/plant.h"
#include "group/consumer_private.h"

void consumer_wait(struct coordinator *c, struct consumer_group *group, struct group_wait *wait,
                   uint64_t waits_for)
{
    consumer_store_next(c, group);
    if (waits_for > group->durable && !plant_is(PLANT_BEAT_BEFORE_WRITE)) {
        wait->group = group;
        wait->waits_for = waits_for;
        list_push_back(&group->waits, &wait->node);
    } else {
        group_call_answer(c, wait->call);
    }
}

static void unpark(struct group_wait *wait)
{
    if (wait->group != NULL) {
        list_remove(&wait->node);
        wait->group = NULL;
    }
}

void consumer_wait_fail(struct coordinator *c, struct group_wait *wait, enum err err)
{
    unpark(wait);
    switch (wait->kind) {
    case WAIT_BEAT: {
        struct group_beat *beat = LIST_ENTRY(wait, struct group_beat, wait);
        beat->err = err;
        beat->member_id_given = (struct str){NULL, 0};
        beat->member_epoch_given = 0;
        beat->heartbeat_interval_ms = 0;
        beat->has_assignment = false;
        group_call_answer(c, &beat->call);
        return;
    }
    case WAIT_JOIN:
        join_fail(c, LIST_ENTRY(wait, struct group_join, wait), err);
        return;
    case WAIT_SYNC:
        sync_fail(c, LIST_ENTRY(wait, struct group_sync, wait), err);
        return;
    }
    UNREACHABLE("a wait of no kind");
}

void consumer_waits_fail(struct coordinator *c, struct consumer_group *group, enum err beat_err,
                         enum err classic_err)
{
    LIST_EACH_SAFE (node, after, &group->waits) {
        struct group_wait *wait = LIST_ENTRY(node, struct group_wait, node);
        consumer_wait_fail(c, wait, wait->kind == WAIT_BEAT ? beat_err : classic_err);
    }
}

void consumer_waits_answer(struct coordinator *c, struct consumer_group *group)
{
    LIST_EACH_SAFE (node, after, &group->waits) {
        struct group_wait *wait = LIST_ENTRY(node, struct group_wait, node);
        if (wait->waits_for <= group->durable) {
            unpark(wait);
            group_call_answer(c, wait->call);
        }
    }
}
