// SPDX-License-Identifier: Apache-2.0
// consumer_group.c - groups of the consumer protocol: found, made, forgotten; what is due; what others see.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "group/consumer_private.h"

static uint64_t name_hash(struct str name)
{
    return hash64(bytes_of(name.ptr, name.len), 7);
}

struct str consumer_name(const struct consumer_group *group)
{
    return (struct str){group->name, group->name_len};
}

struct consumer_group *consumer_look_up(const struct coordinator *c, struct str id)
{
    for (struct map_node *n = map_first(&c->consumers_by_name, name_hash(id)); n != NULL; n = map_next(n)) {
        struct consumer_group *group = MAP_ENTRY(n, struct consumer_group, by_name);
        if (str_equal(consumer_name(group), id)) {
            return group;
        }
    }
    return NULL;
}

struct consumer_group *consumer_new(struct coordinator *c, struct str id)
{
    const struct group *stored = core_group_find(c->core, id);
    struct consumer_group *group = mem_zalloc(sizeof *group + id.len);
    group->coordinator = c;
    c->bytes_total += sizeof *group + id.len;
    group->name_len = id.len;
    memcpy(group->name, id.ptr, id.len);
    list_init(&group->members);
    list_init(&group->waits);
    map_init(&group->supports);
    map_init(&group->by_id);
    map_init(&group->by_instance);
    group->catalogue_serial = UINT64_MAX;
    group->is_young = stored == NULL;
    if (stored != NULL) {
        group->stored_epoch = group_generation(stored);
        group->stored_revision = group_revision(stored);
    }
    c->young_count += group->is_young;
    map_insert(&c->consumers_by_name, &group->by_name, name_hash(id));
    list_push_back(&c->consumers, &group->node);
    return group;
}

struct consumer_group *consumer_find(struct coordinator *c, struct str id, int64_t now_ms)
{
    struct consumer_group *group = consumer_look_up(c, id);
    bool is_here = group != NULL || live_look_up(c, id) != NULL; // the core may be about to be told
    const struct group *stored = is_here ? NULL : core_group_find(c->core, id);
    if (stored != NULL && group_is_consumer(stored)) {
        group = consumer_new(c, id);
        if (!consumer_take_up(c, group, stored, now_ms)) {
            consumer_forget(c, group, ERR_NOT_COORDINATOR);
            return NULL;
        }
    }
    return group;
}

struct consumer_group *consumer_busy(struct coordinator *c, struct str id, int64_t now_ms)
{
    struct consumer_group *group = consumer_find(c, id, now_ms);
    if (group != NULL) {
        consumer_settle(c, group); // nobody is in it
    }
    return consumer_look_up(c, id);
}

struct consumer_group *consumer_make(struct coordinator *c, struct str id)
{
    const struct group *stored = core_group_find(c->core, id);
    bool is_over = core_group_count(c->core) + c->young_count >= c->limits.groups_max ||
                   c->bytes_total + id.len > c->limits.bytes_total_max;
    return stored == NULL && is_over ? NULL : consumer_new(c, id);
}

static void consumer_free(struct coordinator *c, struct consumer_group *group)
{
    ASSERT(group->member_count == 0 && list_is_empty(&group->waits) && group->write == NULL);
    c->bytes_total -= sizeof *group + group->name_len;
    c->young_count -= group->is_young;
    map_remove(&c->consumers_by_name, &group->by_name);
    list_remove(&group->node);
    map_fini(&group->by_id);
    map_fini(&group->by_instance);
    map_fini(&group->supports);
    for (uint32_t i = 0; i < group->gone_count; i++) {
        mem_free((void *)group->gone[i].ptr);
    }
    mem_free(group->gone);
    mem_free(group);
}

void consumer_settle(struct coordinator *c, struct consumer_group *group)
{
    if (group->member_count == 0 && group->write == NULL && !group->is_dirty &&
        list_is_empty(&group->waits)) {
        consumer_free(c, group);
    }
}

void consumer_forget(struct coordinator *c, struct consumer_group *group, enum err err)
{
    consumer_waits_fail(c, group, err, err);
    LIST_EACH_SAFE (node, after, &group->members) {
        consumer_member_remove(c, LIST_ENTRY(node, struct consumer_member, node));
    }
    if (group->write != NULL) {
        consumer_box_drop(group->write);
        group->write = NULL;
    }
    consumer_free(c, group);
}

void consumer_changed(struct consumer_group *group)
{
    group->changes++;
    group->is_dirty = true;
}

void consumer_member_changed(struct consumer_member *member, uint8_t parts)
{
    consumer_changed(member->group);
    member->dirty |= parts;
    member->changed = member->group->changes;
    consumer_member_count(member);
}

// ---- time

void consumer_session_due(struct coordinator *c, struct consumer_member *member, int64_t now_ms)
{
    struct consumer_group *group = member->group;
    if (!consumer_expel(c, member, now_ms)) {
        consumer_store_next(c, group);
    }
}

// The time to give partitions back, or to join or sync again, is over.
void consumer_revoke_due(struct coordinator *c, struct consumer_member *member, int64_t now_ms)
{
    if (member->phase == PHASE_UNREVOKED || member->is_classic) {
        consumer_session_due(c, member, now_ms);
    }
}

// ---- looking

enum consumer_state consumer_state(const struct consumer_group *group)
{
    if (group->member_count == 0) {
        return CONSUMER_EMPTY;
    }
    if (group->epoch > group->target_epoch) {
        return CONSUMER_ASSIGNING;
    }
    LIST_EACH (node, &group->members) {
        const struct consumer_member *member = LIST_ENTRY(node, struct consumer_member, node);
        if (member->phase != PHASE_STABLE || member->epoch != group->target_epoch) {
            return CONSUMER_RECONCILING;
        }
    }
    return CONSUMER_STABLE;
}

const char *consumer_state_name(enum consumer_state state)
{
    static const char *const names[CONSUMER_STATE_COUNT] = {"Empty", "Assigning", "Reconciling", "Stable"};
    return names[state];
}

bool coordinator_consumer_view(struct coordinator *c, struct str id, int64_t now_ms,
                               struct consumer_view *ret)
{
    const struct consumer_group *group = consumer_find(c, id, now_ms);
    if (group == NULL) {
        return false;
    }
    *ret = (struct consumer_view){
        .state = consumer_state(group),
        .epoch = group->epoch,
        .target_epoch = group->target_epoch,
        .assignor = consumer_assignor(group),
        .member_count = group->member_count,
    };
    consumer_settle(c, consumer_look_up(c, id)); // one without members was only looked at
    return true;
}

void coordinator_consumer_members(const struct coordinator *c, struct str id,
                                  void (*each)(void *arg, const struct consumer_member_view *member),
                                  void *arg)
{
    const struct consumer_group *group = consumer_look_up(c, id);
    if (group == NULL) {
        return;
    }
    LIST_EACH (node, &group->members) {
        const struct consumer_member *member = LIST_ENTRY(node, struct consumer_member, node);
        const struct consumer_member_view view = {
            .member_id = member->id,
            .instance_id = member->instance_id,
            .rack_id = member->rack_id,
            .epoch = member->epoch,
            .is_classic = member->is_classic,
            .client_id = member->client_id,
            .client_host = member->client_host,
            .topics = member->topics,
            .topic_count = member->topic_count,
            .regex = member->regex,
            .assigned = &member->assigned,
            .target = &member->target,
        };
        each(arg, &view);
    }
}
