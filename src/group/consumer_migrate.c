// SPDX-License-Identifier: Apache-2.0
// consumer_migrate.c - groups with members change their protocol (KIP-848, "migration"): a consumer that
// joins a classic group makes it one of the consumer protocol, whose classic members stay as such; when only
// those are left it is a classic group again. One item of the core does either at once.
#include "base/assert.h"
#include "base/mem.h"
#include "group/consumer_private.h"

// ---- up

static int id_order(const void *a, const void *b)
{
    const struct live_member *const *x = a;
    const struct live_member *const *y = b;
    return str_compare((*x)->id, (*y)->id);
}

// The subscription for the protocol of the generation; a member in a round may have others by now.
static struct bytes subscription_of(const struct live_member *member)
{
    struct bytes chosen = member_metadata(member, member->group->protocol_name);
    return chosen.ptr != NULL ? chosen : member->protocols.list[0].metadata;
}

// member_convert: its epoch is the generation, and it has and is to get what it was assigned last.
static const char *member_convert(struct coordinator *c, struct consumer_group *group,
                                  const struct live_member *old, int64_t now_ms)
{
    static const char malformed[] = "because the embedded consumer protocol is malformed.";
    struct subscription subscription;
    if (!subscription_read(c->core, subscription_of(old), &subscription)) {
        return malformed;
    }
    struct tp_set assigned;
    bool has_data = false;
    bool is_read = assignment_read(c->core, old->assignment, &assigned, &has_data);
    if (!is_read || has_data) {
        subscription_fini(&subscription);
        tp_set_fini(&assigned);
        return !is_read
                   ? malformed
                   : "because an unsupported custom assignor is in use. Please refer to the documentation "
                     "or switch to a default assignor before re-attempting the upgrade.";
    }
    struct consumer_member *member = consumer_member_add(c, group, old->id);
    consumer_text_set(member, &member->instance_id, old->instance_id);
    consumer_text_set(member, &member->rack_id, subscription.rack_id);
    consumer_text_set(member, &member->client_id, old->client_id);
    consumer_text_set(member, &member->client_host, old->client_host);
    member->rebalance_timeout_ms = old->rebalance_timeout_ms;
    (void)consumer_topics_set(member, subscription.topics, subscription.topic_count);
    const struct group_join join = {.session_timeout_ms = old->session_timeout_ms,
                                    .protocols = old->protocols.list,
                                    .protocol_count = old->protocols.count};
    consumer_classic_set(member, &join);
    member->epoch = member->previous_epoch = group->epoch;
    tp_set_copy(&assigned, &member->target);
    member->assigned = assigned;
    consumer_member_changed(member, CONSUMER_METADATA | CONSUMER_TARGET | CONSUMER_CURRENT);
    consumer_session_touch(c, member, now_ms);
    subscription_fini(&subscription);
    return NULL;
}

// members_convert: whoever was never answered knows no generation, and comes again.
static const char *members_convert(struct coordinator *c, struct consumer_group *group,
                                   const struct live_group *classic, int64_t now_ms)
{
    const struct live_member **members = mem_array((size_t)classic->member_count + 1, sizeof *members);
    uint32_t count = 0;
    LIST_EACH (node, &classic->members) {
        const struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        if (!member->is_new) {
            members[count++] = member;
        }
    }
    if (count > 1) {
        qsort(members, count, sizeof *members, id_order);
    }
    const char *why = NULL;
    for (uint32_t i = 0; i < count && why == NULL; i++) {
        why = member_convert(c, group, members[i], now_ms);
    }
    mem_free(members);
    return why;
}

struct consumer_group *consumer_upgrade(struct coordinator *c, struct live_group *take_classic,
                                        int64_t now_ms, const char **ret_why)
{
    struct live_group *classic = take_classic;
    *ret_why = NULL;
    if (!c->limits.may_upgrade) {
        *ret_why = "because online upgrade is disabled.";
    } else if (!str_equal(classic->protocol_type, STR("consumer"))) {
        *ret_why = "because the group does not use the consumer embedded protocol.";
    } else if (classic->member_count > c->limits.consumer_members_max) {
        *ret_why = "because the group size exceeds the consumer group maximum size.";
    }
    if (*ret_why != NULL) {
        return NULL;
    }
    struct consumer_group *group = consumer_new(c, live_name(classic));
    group->epoch = group->target_epoch = classic->generation;
    group->stored_epoch = live_store_expects(classic);
    group->stored_revision = 0; // of a classic group, which the core may be about to be told of
    *ret_why = members_convert(c, group, classic, now_ms);
    if (*ret_why != NULL) {
        consumer_forget(c, group, ERR_NOT_COORDINATOR);
        return NULL;
    }
    (void)consumer_hash_update(c, group);
    consumer_changed(group);
    live_drop(c, classic, ERR_REBALANCE_IN_PROGRESS);
    return group;
}

// ---- down

static bool is_downgrade_due(const struct coordinator *c, const struct consumer_group *group,
                             const struct consumer_member *leaving)
{
    uint32_t classic = group->classic_count - (leaving != NULL && leaving->is_classic);
    uint32_t left = group->member_count - (leaving != NULL);
    return left > 0 && classic == left && c->limits.may_downgrade && left <= c->limits.members_max;
}

static void member_revert(struct coordinator *c, struct live_group *classic,
                          const struct consumer_member *old, int64_t now_ms)
{
    const struct group_join join = {
        .instance_id = old->instance_id,
        .client_id = old->client_id,
        .client_host = old->client_host,
        .session_timeout_ms = old->classic_session_ms,
        .rebalance_timeout_ms = old->rebalance_timeout_ms,
        .protocols = old->classic.list,
        .protocol_count = old->classic.count,
    };
    struct live_member *member = member_add(c, classic, old->id, &join);
    member->has_synced = true;
    member_touch(c, member, now_ms);
}

// had_assign: they keep what they may still use. Kafka writes the targets; a consumer that came before the
// round is over would then take what somebody has.
static void had_assign(struct coordinator *c, struct live_group *classic, const struct consumer_group *group)
{
    struct buf blob;
    buf_init(&blob, SIZE_MAX / 2); // what they have is bounded already
    LIST_EACH (node, &classic->members) {
        struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        const struct consumer_member *old = consumer_member_look_up(group, member->id);
        struct tp_set had;
        tp_set_union(&old->assigned, &old->revoking, &had);
        assignment_write(c->core, &had, member_metadata(member, classic->protocol_name), &blob);
        tp_set_fini(&had);
        struct str text = buf_str(&blob);
        member_assign(member, bytes_of(text.ptr, text.len));
        buf_reset(&blob);
    }
    buf_fini(&blob);
}

// downgrade writes the group as it is, so that its members' epochs count as its generation from now on, and
// then begins a round.
static void downgrade(struct coordinator *c, struct consumer_group *group, int64_t now_ms)
{
    struct live_group *classic = live_new(c, consumer_name(group));
    classic->generation = group->epoch;
    classic->stored_generation = consumer_store_expects(group);
    mem_free((void *)classic->protocol_type.ptr);
    classic->protocol_type = text_own(STR("consumer"));
    LIST_EACH (node, &group->members) {
        member_revert(c, classic, LIST_ENTRY(node, struct consumer_member, node), now_ms);
    }
    classic->protocol_name = text_own(live_choose_protocol(classic));
    had_assign(c, classic, group);
    consumer_waits_fail(c, group, ERR_UNKNOWN_MEMBER_ID, ERR_REBALANCE_IN_PROGRESS);
    consumer_forget(c, group, ERR_NOT_COORDINATOR);
    live_set_state(c, classic, GROUP_STABLE);
    classic->is_unled = true; // after a restart, too, what the others had is to be given out
    live_store(c, classic);
    // What follows is ordered behind it. Should it fail, the next write is stale, and the group taken up
    // anew.
    classic->stored_generation = classic->generation;
    live_rebalance(c, classic, now_ms);
}

bool consumer_downgrade_if_due(struct coordinator *c, struct consumer_group *group, int64_t now_ms)
{
    bool is_due = is_downgrade_due(c, group, NULL);
    if (is_due) {
        downgrade(c, group, now_ms);
    }
    return is_due;
}

bool consumer_expel(struct coordinator *c, struct consumer_member *member, int64_t now_ms)
{
    struct consumer_group *group = member->group;
    bool is_due = is_downgrade_due(c, group, member);
    if (is_due) {
        consumer_member_remove(c, member);
        downgrade(c, group, now_ms);
    } else {
        consumer_member_fence(c, member);
    }
    return is_due;
}
