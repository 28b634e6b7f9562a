// SPDX-License-Identifier: Apache-2.0
// consumer_beat.c - ConsumerGroupHeartbeat: join, stay, leave. A call is answered once what it tells is
// durable.
#include "base/mem.h"
#include "group/consumer_private.h"
#include "group/regex.h"

// ---- answering

static enum err fail(struct group_beat *beat, enum err err, struct str message)
{
    beat->message = message;
    return err;
}

// said: an id as far as a message for people repeats it.
static struct str said(struct str id)
{
    enum { SAID_MAX = 1000 };
    return (struct str){id.ptr, id.len < SAID_MAX ? id.len : SAID_MAX};
}

static void beat_settle(struct coordinator *c, struct consumer_group *group, struct group_beat *beat,
                        uint64_t waits_for)
{
    beat->err = ERR_OK;
    consumer_wait(c, group, &beat->wait, waits_for);
}

void coordinator_beat_cancel(struct coordinator *c, struct group_beat *beat)
{
    if (beat->wait.group != NULL) {
        struct consumer_group *group = beat->wait.group;
        consumer_wait_fail(c, &beat->wait, ERR_NOT_COORDINATOR);
        consumer_settle(c, group);
    }
}

// answer_assignment copies what the member has, topic by topic.
static void answer_assignment(struct group_beat *beat, const struct tp_set *assigned)
{
    beat->has_assignment = true;
    beat->assignment = arena_new(beat->arena, struct group_partitions, (size_t)assigned->count + 1);
    int32_t *partitions = arena_new(beat->arena, int32_t, (size_t)assigned->count + 1);
    if (beat->assignment == NULL || partitions == NULL) {
        return; // the front sees that the arena is full
    }
    for (uint32_t i = 0; i < assigned->count; i++) {
        struct group_partitions *last =
            beat->assignment_count == 0 ? NULL : &beat->assignment[beat->assignment_count - 1];
        if (last == NULL || !uuid_equal(last->topic_id, assigned->list[i].topic)) {
            last = &beat->assignment[beat->assignment_count++];
            *last = (struct group_partitions){assigned->list[i].topic, &partitions[i], 0};
        }
        partitions[i] = assigned->list[i].partition;
        last->count++;
    }
}

// ---- checking

static enum err join_check(struct group_beat *beat)
{
    if (beat->rebalance_timeout_ms == -1) {
        return fail(beat, ERR_INVALID_REQUEST, STR("RebalanceTimeoutMs must be provided in first request."));
    }
    if (beat->owned_count != 0) {
        return fail(beat, ERR_INVALID_REQUEST, STR("TopicPartitions must be empty when (re-)joining."));
    }
    if (beat->topic_count < 0 && beat->regex.ptr == NULL) {
        return fail(
            beat, ERR_INVALID_REQUEST,
            STR("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."));
    }
    return ERR_OK;
}

static enum err regex_check(struct group_beat *beat)
{
    const char *why = NULL;
    struct regex *regex = regex_compile(beat->regex, &why);
    if (regex == NULL) {
        return fail(beat, ERR_INVALID_REGULAR_EXPRESSION,
                    arena_printf(beat->arena,
                                 "SubscribedTopicRegex `" STR_FMT "` is not a valid regular expression: %s.",
                                 STR_ARG(said(beat->regex)), why));
    }
    regex_free(regex);
    return ERR_OK;
}

// texts_fit: an item can hold them.
static bool texts_fit(const struct group_beat *beat)
{
    const struct str texts[] = {beat->group_id,  beat->member_id, beat->instance_id, beat->rack_id,
                                beat->client_id, beat->regex,     beat->client_host};
    bool fits = true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        fits &= texts[i].len <= ITEM_TEXT_MAX;
    }
    for (int32_t i = 0; i < beat->topic_count; i++) {
        fits &= beat->topics[i].len <= ITEM_TEXT_MAX;
    }
    return fits;
}

static enum err assignor_check(const struct coordinator *c, struct group_beat *beat)
{
    if (beat->assignor.ptr == NULL || consumer_assignor_is_known(c, beat->assignor)) {
        return ERR_OK;
    }
    const char *const *names = c->limits.consumer_assignors;
    return fail(beat, ERR_UNSUPPORTED_ASSIGNOR,
                arena_printf(beat->arena,
                             "ServerAssignor " STR_FMT " is not supported. Supported assignors: %s%s%s.",
                             STR_ARG(said(beat->assignor)), names[0], names[1] == NULL ? "" : ", ",
                             names[1] == NULL ? "" : names[1]));
}

static enum err beat_check(const struct coordinator *c, struct group_beat *beat)
{
    if (beat->group_id.len == 0) {
        return ERR_INVALID_GROUP_ID;
    }
    bool needs_id = beat->is_id_required || beat->member_epoch != EPOCH_JOIN;
    if (needs_id && beat->member_id.len == 0) {
        return fail(beat, ERR_INVALID_REQUEST, STR("MemberId can't be empty."));
    }
    if (beat->instance_id.ptr != NULL && beat->instance_id.len == 0) {
        return fail(beat, ERR_INVALID_REQUEST, STR("InstanceId can't be empty."));
    }
    if (beat->rack_id.ptr != NULL && beat->rack_id.len == 0) {
        return fail(beat, ERR_INVALID_REQUEST, STR("RackId can't be empty."));
    }
    enum err err = beat->member_epoch == EPOCH_JOIN ? join_check(beat) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    if (beat->member_epoch == EPOCH_LEAVE_STATIC && beat->instance_id.ptr == NULL) {
        return fail(beat, ERR_INVALID_REQUEST, STR("InstanceId can't be null."));
    }
    if (beat->member_epoch < EPOCH_LEAVE_STATIC) {
        return fail(beat, ERR_INVALID_REQUEST, STR("MemberEpoch is invalid."));
    }
    err = assignor_check(c, beat);
    err = err == ERR_OK && beat->regex.len > 0 ? regex_check(beat) : err;
    if (err != ERR_OK) {
        return err;
    }
    bool is_small = beat->topic_count <= CONSUMER_TOPICS_MAX &&
                    beat->owned_count <= CONSUMER_PARTITIONS_MAX && texts_fit(beat);
    return is_small ? ERR_OK : fail(beat, ERR_INVALID_REQUEST, STR("Too many topics, or too long a text."));
}

static enum err epoch_check(const struct consumer_member *member, struct group_beat *beat,
                            const struct tp_set *owned)
{
    if (beat->member_epoch == EPOCH_JOIN || beat->member_epoch == member->epoch) {
        return ERR_OK;
    }
    bool is_ahead = beat->member_epoch > member->epoch;
    // The answer that raised its epoch may not have arrived.
    if (!is_ahead && beat->member_epoch == member->previous_epoch && owned != NULL &&
        tp_set_is_subset(owned, &member->assigned)) {
        return ERR_OK;
    }
    return fail(beat, ERR_FENCED_MEMBER_EPOCH,
                arena_printf(beat->arena,
                             "The consumer group member has a %s member epoch (%d) than the one known by the "
                             "group coordinator (%d). The member must abandon all its partitions and rejoin.",
                             is_ahead ? "greater" : "smaller", beat->member_epoch, member->epoch));
}

static enum err instance_check(const struct consumer_member *there, struct group_beat *beat)
{
    if (there == NULL) {
        return fail(beat, ERR_UNKNOWN_MEMBER_ID,
                    arena_printf(beat->arena, "Instance id " STR_FMT " is unknown.",
                                 STR_ARG(said(beat->instance_id))));
    }
    if (!str_equal(there->id, beat->member_id)) {
        return fail(beat, ERR_FENCED_INSTANCE_ID,
                    arena_printf(beat->arena,
                                 "Static member " STR_FMT " with instance id " STR_FMT
                                 " was fenced by member " STR_FMT ".",
                                 STR_ARG(said(beat->member_id)), STR_ARG(said(beat->instance_id)),
                                 STR_ARG(said(there->id))));
    }
    return ERR_OK;
}

static enum err member_unknown(struct group_beat *beat)
{
    return fail(beat, ERR_UNKNOWN_MEMBER_ID,
                arena_printf(beat->arena, "Member " STR_FMT " is not a member of group " STR_FMT ".",
                             STR_ARG(said(beat->member_id)), STR_ARG(said(beat->group_id))));
}

// ---- leaving

static enum err leave_find(struct consumer_group *group, struct group_beat *beat,
                           struct consumer_member **ret)
{
    if (beat->instance_id.ptr != NULL) {
        *ret = consumer_member_by_instance(group, beat->instance_id);
        return instance_check(*ret, beat);
    }
    *ret = consumer_member_look_up(group, beat->member_id);
    return *ret == NULL ? member_unknown(beat) : ERR_OK;
}

static enum err beat_leave(struct coordinator *c, struct consumer_group *group, struct group_beat *beat,
                           int64_t now_ms)
{
    struct consumer_member *member = NULL;
    enum err err = leave_find(group, beat, &member);
    if (err != ERR_OK) {
        return err;
    }
    beat->member_id_given = arena_str(beat->arena, member->id);
    beat->member_epoch_given = beat->member_epoch;
    if (beat->member_epoch == EPOCH_LEAVE_STATIC) {
        // It keeps its place: somebody else may come under its instance id.
        bool is_news = member->epoch != EPOCH_LEAVE_STATIC;
        member->epoch = EPOCH_LEAVE_STATIC;
        tp_set_fini(&member->revoking);
        timer_cancel(c, &member->revoke);
        if (is_news) {
            consumer_member_changed(member, CONSUMER_CURRENT);
        }
        beat_settle(c, group, beat, member->changed);
        return ERR_OK;
    }
    if (consumer_expel(c, member, now_ms)) {
        beat->err = ERR_OK;
        group_call_answer(c, &beat->call);
    } else {
        beat_settle(c, group, beat, group->changes);
    }
    return ERR_OK;
}

// ---- joining and staying

static size_t beat_bytes(const struct group_beat *beat)
{
    size_t size = beat->regex.len + beat->member_id.len + beat->instance_id.len + beat->rack_id.len +
                  beat->client_id.len + beat->client_host.len;
    for (int32_t i = 0; i < beat->topic_count; i++) {
        size += sizeof(struct str) + beat->topics[i].len;
    }
    return size;
}

static enum err group_full(struct group_beat *beat)
{
    return fail(beat, ERR_GROUP_MAX_SIZE_REACHED,
                arena_printf(beat->arena,
                             "The consumer group has reached its maximum capacity of members or bytes."));
}

// member_for gives the member that the call speaks for, made if it joins.
static enum err member_for(struct coordinator *c, struct consumer_group *group, struct group_beat *beat,
                           const struct tp_set *owned, struct consumer_member **ret, bool *ret_is_new)
{
    struct consumer_member *there = beat->instance_id.ptr != NULL
                                        ? consumer_member_by_instance(group, beat->instance_id)
                                        : consumer_member_look_up(group, beat->member_id);
    if (beat->member_epoch == EPOCH_JOIN && beat->instance_id.ptr != NULL && there != NULL) {
        if (there->epoch != EPOCH_LEAVE_STATIC && !there->is_classic) {
            return fail(beat, ERR_UNRELEASED_INSTANCE_ID,
                        arena_printf(beat->arena,
                                     "Static member " STR_FMT " with instance id " STR_FMT
                                     " cannot join the group because the instance id is owned by " STR_FMT
                                     " member.",
                                     STR_ARG(said(beat->member_id)), STR_ARG(said(beat->instance_id)),
                                     STR_ARG(said(there->id))));
        }
        if (str_equal(there->id, beat->member_id)) {
            there->epoch = EPOCH_JOIN;
            *ret = there;
        } else {
            *ret = consumer_member_replace(c, there, beat->member_id);
        }
        return ERR_OK;
    }
    if (there == NULL && beat->member_epoch == EPOCH_JOIN) {
        struct consumer_member *same = consumer_member_look_up(group, beat->member_id);
        *ret_is_new = same == NULL;
        *ret = same != NULL ? same : consumer_member_add(c, group, beat->member_id);
        return ERR_OK;
    }
    enum err err = beat->instance_id.ptr != NULL ? instance_check(there, beat)
                   : there == NULL               ? member_unknown(beat)
                                                 : ERR_OK;
    *ret = there;
    return err != ERR_OK ? err : epoch_check(there, beat, owned);
}

// metadata_update takes over what the call says; true if it subscribes to something else.
static bool metadata_update(struct consumer_member *member, const struct group_beat *beat)
{
    if (beat->instance_id.ptr != NULL) {
        consumer_text_set(member, &member->instance_id, beat->instance_id);
    }
    if (beat->rack_id.ptr != NULL) {
        consumer_text_set(member, &member->rack_id, beat->rack_id);
    }
    if (beat->assignor.ptr != NULL) {
        consumer_text_set(member, &member->assignor, beat->assignor);
    }
    consumer_text_set(member, &member->client_id, beat->client_id);
    consumer_text_set(member, &member->client_host, beat->client_host);
    if (beat->rebalance_timeout_ms != -1 && beat->rebalance_timeout_ms != member->rebalance_timeout_ms) {
        member->rebalance_timeout_ms = beat->rebalance_timeout_ms;
        consumer_member_changed(member, CONSUMER_METADATA);
    }
    struct str regex = beat->regex.len > 0 ? beat->regex : (struct str){NULL, 0};
    bool is_other = beat->regex.ptr != NULL && !str_equal(regex, member->regex);
    if (is_other) {
        consumer_text_set(member, &member->regex, regex);
        member->group->is_hash_stale = true;
    }
    if (beat->topic_count >= 0) {
        is_other |= consumer_topics_set(member, beat->topics, (uint32_t)beat->topic_count);
    }
    return is_other;
}

static enum err beat_run(struct coordinator *c, struct consumer_group *group, struct group_beat *beat,
                         const struct tp_set *owned, int64_t now_ms)
{
    bool is_new = false;
    struct consumer_member *member = NULL;
    enum err err = member_for(c, group, beat, owned, &member, &is_new);
    if (err != ERR_OK) {
        return err;
    }
    if (is_new) {
        consumer_member_changed(member, CONSUMER_METADATA | CONSUMER_CURRENT);
    }
    consumer_classic_clear(member);
    struct str assignor_before = consumer_assignor(group);
    bool must_rise = metadata_update(member, beat) || is_new;
    must_rise |= !str_equal(consumer_assignor(group), assignor_before);
    consumer_session_touch(c, member, now_ms);
    err = consumer_refresh(c, group, must_rise);
    if (err != ERR_OK) {
        return err;
    }
    struct tp_set before;
    tp_set_copy(&member->assigned, &before);
    consumer_reconcile(c, member, owned, now_ms);
    bool has_topics = beat->topic_count >= 0 || beat->regex.ptr != NULL;
    bool is_whole = beat->rebalance_timeout_ms != -1 && has_topics && owned != NULL;
    if (beat->member_epoch == EPOCH_JOIN || is_whole || !tp_set_equal(&before, &member->assigned)) {
        answer_assignment(beat, &member->assigned);
    }
    tp_set_fini(&before);
    beat->member_id_given = arena_str(beat->arena, member->id);
    beat->member_epoch_given = member->epoch;
    beat->heartbeat_interval_ms = c->limits.consumer_heartbeat_interval_ms;
    beat_settle(c, group, beat, member->changed);
    return ERR_OK;
}

static enum err group_missing(const struct coordinator *c, struct group_beat *beat)
{
    bool is_classic = core_group_find(c->core, beat->group_id) != NULL;
    return fail(beat, ERR_GROUP_ID_NOT_FOUND,
                is_classic ? arena_printf(beat->arena, "Group " STR_FMT " is not a consumer group.",
                                          STR_ARG(said(beat->group_id)))
                           : arena_printf(beat->arena, "%s " STR_FMT " not found.",
                                          beat->member_epoch < 0 ? "Group" : "Consumer group",
                                          STR_ARG(said(beat->group_id))));
}

// group_from_classic: a classic group becomes one of this protocol.
static enum err group_from_classic(struct coordinator *c, struct group_beat *beat, struct live_group *classic,
                                   int64_t now_ms, struct consumer_group **ret)
{
    if (classic->member_count == 0) {
        live_drop(c, classic, ERR_UNKNOWN_MEMBER_ID);
        *ret = consumer_find(c, beat->group_id, now_ms);
        *ret = *ret != NULL ? *ret : consumer_make(c, beat->group_id);
        return *ret == NULL ? group_full(beat) : ERR_OK;
    }
    const char *why = NULL;
    *ret = consumer_upgrade(c, classic, now_ms, &why);
    return *ret != NULL ? ERR_OK
                        : fail(beat, ERR_GROUP_ID_NOT_FOUND,
                               arena_printf(beat->arena,
                                            "Cannot upgrade classic group " STR_FMT " to consumer group %s",
                                            STR_ARG(said(beat->group_id)), why));
}

static bool has_room(const struct coordinator *c, const struct consumer_group *group,
                     const struct group_beat *beat)
{
    const struct consumer_member *there = group == NULL ? NULL
                                          : beat->instance_id.ptr != NULL
                                              ? consumer_member_by_instance(group, beat->instance_id)
                                              : consumer_member_look_up(group, beat->member_id);
    bool is_stranger = there == NULL && beat->member_epoch != EPOCH_JOIN; // refused for that
    return beat->member_epoch < 0 || is_stranger || consumer_has_room(c, group, there, beat_bytes(beat));
}

// group_for gives the group, made if somebody joins.
static enum err group_for(struct coordinator *c, struct group_beat *beat, int64_t now_ms,
                          struct consumer_group **ret)
{
    *ret = consumer_find(c, beat->group_id, now_ms);
    struct live_group *classic = *ret != NULL ? NULL : live_find(c, beat->group_id, now_ms);
    if (*ret == NULL && beat->member_epoch != EPOCH_JOIN) {
        return group_missing(c, beat);
    }
    if (!has_room(c, *ret, beat)) {
        return group_full(beat);
    }
    if (*ret != NULL) {
        return ERR_OK;
    }
    if (classic != NULL) {
        bool is_full = classic->member_count == c->limits.consumer_members_max;
        return is_full ? group_full(beat) : group_from_classic(c, beat, classic, now_ms, ret);
    }
    *ret = consumer_make(c, beat->group_id);
    return *ret == NULL ? group_full(beat) : ERR_OK;
}

static void owned_make(const struct group_beat *beat, struct tp_set *ret)
{
    *ret = (struct tp_set){0};
    for (int32_t i = 0; i < beat->owned_count; i++) {
        for (uint32_t k = 0; k < beat->owned[i].count && ret->count < CONSUMER_PARTITIONS_MAX; k++) {
            tp_set_add(ret, (struct tp){beat->owned[i].topic_id, beat->owned[i].partitions[k]});
        }
    }
    tp_set_sort(ret);
}

void coordinator_beat(struct coordinator *c, struct group_beat *beat, int64_t now_ms)
{
    beat->wait = (struct group_wait){.kind = WAIT_BEAT, .call = &beat->call};
    enum err err = c->is_stopped ? ERR_NOT_COORDINATOR : beat_check(c, beat);
    if (err == ERR_OK && beat->member_id.len == 0) {
        char text[UUID_TEXT_SIZE];
        uuid_format(beat->fresh_id, text);
        beat->member_id = arena_str(beat->arena, str_from_c(text));
    }
    struct consumer_group *group = NULL;
    err = err == ERR_OK ? group_for(c, beat, now_ms, &group) : err;
    if (err == ERR_OK) {
        struct tp_set owned;
        owned_make(beat, &owned);
        err = beat->member_epoch < 0
                  ? beat_leave(c, group, beat, now_ms)
                  : beat_run(c, group, beat, beat->owned_count < 0 ? NULL : &owned, now_ms);
        tp_set_fini(&owned);
    }
    if (err != ERR_OK) {
        consumer_wait_fail(c, &beat->wait, err);
        if (group != NULL && !consumer_downgrade_if_due(c, group, now_ms)) {
            consumer_store_next(c, group);
            consumer_settle(c, group);
        }
    }
}

// ---- what other calls do to such a group

enum err consumer_leave(struct coordinator *c, struct consumer_group *group, struct str member_id,
                        struct str instance_id, int64_t now_ms)
{
    struct consumer_member *member = instance_id.ptr != NULL ? consumer_member_by_instance(group, instance_id)
                                                             : consumer_member_look_up(group, member_id);
    if (member == NULL) {
        return ERR_UNKNOWN_MEMBER_ID;
    }
    if (member_id.len > 0 && !str_equal(member->id, member_id)) {
        return ERR_FENCED_INSTANCE_ID;
    }
    if (!consumer_expel(c, member, now_ms)) {
        consumer_store_next(c, group);
    }
    return ERR_OK;
}

enum err consumer_commit_check(const struct consumer_group *group, const struct group_member_name *name,
                               int32_t *ret_generation)
{
    *ret_generation = name->generation;
    if (name->generation < 0 && group->member_count == 0) {
        return ERR_OK;
    }
    const struct consumer_member *member = consumer_member_look_up(group, name->member_id);
    if (member == NULL) {
        return ERR_UNKNOWN_MEMBER_ID;
    }
    if (name->is_before_epochs && !member->is_classic) {
        return ERR_UNSUPPORTED_VERSION;
    }
    return name->generation == member->epoch ? ERR_OK
           : member->is_classic              ? ERR_ILLEGAL_GENERATION
                                             : ERR_STALE_MEMBER_EPOCH;
}
