// SPDX-License-Identifier: Apache-2.0
// consumer_reconcile.c - a member on its way from what it has to what it is to get: first it gives back, then
// its epoch rises, then it gets what others have given back (KIP-848, "Member Reconciliation").
#include "base/plant.h"
#include "group/consumer_private.h"

// taken_by_others: those of `wanted` that another member has, or has still to give back.
static void taken_by_others(const struct consumer_member *member, const struct tp_set *wanted,
                            struct tp_set *ret)
{
    *ret = (struct tp_set){0};
    if (plant_is(PLANT_GIVE_UNRELEASED)) {
        return;
    }
    LIST_EACH (node, &member->group->members) {
        const struct consumer_member *other = LIST_ENTRY(node, struct consumer_member, node);
        const struct tp_set *sets[] = {&other->assigned, &other->revoking};
        for (int s = 0; s < 2 && other != member; s++) {
            for (uint32_t i = 0; i < sets[s]->count; i++) {
                if (tp_set_has(wanted, sets[s]->list[i])) {
                    tp_set_add(ret, sets[s]->list[i]);
                }
            }
        }
    }
    tp_set_sort(ret);
}

bool consumer_is_kept_waiting(const struct consumer_member *member)
{
    struct tp_set wanted;
    struct tp_set taken;
    tp_set_minus(&member->target, &member->assigned, &wanted);
    taken_by_others(member, &wanted, &taken);
    bool is_waiting = taken.count > 0;
    tp_set_fini(&wanted);
    tp_set_fini(&taken);
    return is_waiting;
}

struct step {
    enum consumer_phase phase;
    int32_t epoch;
    struct tp_set assigned;
    struct tp_set revoking;
};

static void step_take(struct coordinator *c, struct consumer_member *member, struct step *take_step,
                      int64_t now_ms)
{
    int32_t epoch_before = member->epoch;
    bool is_changed = member->phase != take_step->phase || epoch_before != take_step->epoch ||
                      member->previous_epoch != epoch_before;
    bool was_revoking = member->phase == PHASE_UNREVOKED && epoch_before == take_step->epoch;
    member->phase = take_step->phase;
    member->previous_epoch = epoch_before;
    member->epoch = take_step->epoch;
    is_changed |= tp_set_replace(&member->assigned, &take_step->assigned);
    is_changed |= tp_set_replace(&member->revoking, &take_step->revoking);
    if (is_changed) {
        consumer_member_changed(member, CONSUMER_CURRENT);
    }
    if (member->is_classic) {
        return; // its JoinGroup sets the timer
    }
    if (member->phase != PHASE_UNREVOKED) {
        timer_cancel(c, &member->revoke);
    } else if (!was_revoking) {
        timer_set(c, &member->revoke, later_ms(now_ms, member->rebalance_timeout_ms));
    }
}

// owns_any: the client still has some of these, or has not said.
static bool owns_any(const struct tp_set *owned, const struct tp_set *set)
{
    return owned == NULL || tp_set_meets(owned, set);
}

static void next_step(struct coordinator *c, struct consumer_member *member, int32_t epoch,
                      const struct tp_set *owned, int64_t now_ms)
{
    struct tp_set kept;
    struct tp_set surplus;
    tp_set_both(&member->assigned, &member->target, &kept);
    tp_set_minus(&member->assigned, &kept, &surplus);
    struct step step = {.epoch = epoch, .phase = PHASE_UNREVOKED, .assigned = kept, .revoking = surplus};
    if (surplus.count > 0 && owns_any(owned, &surplus)) {
        step_take(c, member, &step, now_ms);
        return;
    }
    tp_set_fini(&step.revoking);
    struct tp_set wanted;
    struct tp_set taken;
    struct tp_set free_now;
    tp_set_minus(&member->target, &kept, &wanted);
    taken_by_others(member, &wanted, &taken);
    tp_set_minus(&wanted, &taken, &free_now);
    tp_set_union(&kept, &free_now, &step.assigned);
    step.phase = taken.count > 0 ? PHASE_UNRELEASED : PHASE_STABLE;
    step.epoch = member->group->target_epoch;
    tp_set_fini(&kept);
    tp_set_fini(&wanted);
    tp_set_fini(&taken);
    tp_set_fini(&free_now);
    step_take(c, member, &step, now_ms);
}

void consumer_reconcile(struct coordinator *c, struct consumer_member *member, const struct tp_set *owned,
                        int64_t now_ms)
{
    switch (member->phase) {
    case PHASE_STABLE:
        if (member->epoch != member->group->target_epoch) {
            next_step(c, member, member->epoch, owned, now_ms);
        }
        return;
    case PHASE_UNREVOKED:
        // What it had to give back counts as given back once it no longer reports it.
        if (owned != NULL && !tp_set_meets(owned, &member->revoking)) {
            next_step(c, member, member->epoch + 1, owned, now_ms);
        }
        return;
    case PHASE_UNRELEASED:
        next_step(c, member, member->epoch, owned, now_ms);
        return;
    case PHASE_COUNT:
        break;
    }
}
