// SPDX-License-Identifier: Apache-2.0
// member.c - members of live groups, and ids that were handed out but not used yet.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/plant.h"
#include "group/group_private.h"

static uint64_t text_hash(struct str text)
{
    return hash64(bytes_of(text.ptr, text.len), 8);
}

struct str live_name(const struct live_group *group)
{
    return (struct str){group->name, group->name_len};
}

struct str text_own(struct str text)
{
    if (text.ptr == NULL) {
        return text;
    }
    char *copy = mem_alloc(text.len + 1);
    memcpy(copy, text.ptr, text.len);
    return (struct str){copy, text.len};
}

// ---- finding

struct live_member *member_find(const struct live_group *group, struct str id)
{
    for (struct map_node *n = map_first(&group->by_id, text_hash(id)); n != NULL; n = map_next(n)) {
        struct live_member *member = MAP_ENTRY(n, struct live_member, by_id);
        if (str_equal(member->id, id)) {
            return member;
        }
    }
    return NULL;
}

struct live_member *member_find_instance(const struct live_group *group, struct str instance_id)
{
    if (instance_id.ptr == NULL) {
        return NULL;
    }
    for (struct map_node *n = map_first(&group->by_instance, text_hash(instance_id)); n != NULL;
         n = map_next(n)) {
        struct live_member *member = MAP_ENTRY(n, struct live_member, by_instance);
        if (str_equal(member->instance_id, instance_id)) {
            return member;
        }
    }
    return NULL;
}

enum err member_check(const struct live_group *group, struct str member_id, struct str instance_id,
                      struct live_member **ret)
{
    struct live_member *member =
        instance_id.ptr != NULL ? member_find_instance(group, instance_id) : member_find(group, member_id);
    if (member == NULL) {
        return ERR_UNKNOWN_MEMBER_ID;
    }
    if (!str_equal(member->id, member_id) && !plant_is(PLANT_OLD_ID_LIVES)) {
        return ERR_FENCED_INSTANCE_ID; // KIP-345: a newer member has its instance id
    }
    *ret = member;
    return ERR_OK;
}

// ---- texts and protocols, each in one allocation

static char *text_put(char *at, struct str from, struct str *ret)
{
    *ret = (struct str){from.ptr == NULL ? NULL : at, from.len};
    if (from.len > 0) {
        memcpy(at, from.ptr, from.len);
    }
    return at + from.len;
}

size_t texts_bytes(struct str id, const struct group_join *join)
{
    return id.len + join->instance_id.len + join->client_id.len + join->client_host.len;
}

static void texts_set(struct live_member *member, struct str id, const struct group_join *join)
{
    void *old = member->memory;
    live_count(member->group, texts_bytes(id, join), member->text_bytes);
    member->text_bytes = texts_bytes(id, join);
    char *at = member->memory = mem_alloc(member->text_bytes + 1);
    at = text_put(at, id, &member->id);
    at = text_put(at, join->instance_id, &member->instance_id);
    at = text_put(at, join->client_id, &member->client_id);
    (void)text_put(at, join->client_host, &member->client_host);
    mem_free(old);
}

size_t protocols_bytes(const struct group_protocol *protocols, uint32_t count)
{
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        total += sizeof *protocols + protocols[i].name.len + protocols[i].metadata.len;
    }
    return total;
}

void protocols_own(const struct group_protocol *protocols, uint32_t count, struct member_protocols *ret)
{
    ret->bytes = protocols_bytes(protocols, count);
    ret->count = count;
    ret->memory = mem_alloc(ret->bytes + 1);
    ret->list = ret->memory;
    char *at = (char *)ret->memory + count * sizeof *ret->list;
    for (uint32_t i = 0; i < count; i++) {
        struct str metadata = {(const char *)protocols[i].metadata.ptr, protocols[i].metadata.len};
        at = text_put(at, protocols[i].name, &ret->list[i].name);
        at = text_put(at, metadata, &metadata);
        ret->list[i].metadata = bytes_of(metadata.ptr, metadata.len);
    }
}

static void protocols_set(struct live_member *member, const struct group_protocol *protocols, uint32_t count)
{
    struct member_protocols *own = &member->protocols;
    support_remove(&member->group->supports, own);
    mem_free(own->memory);
    live_count(member->group, protocols_bytes(protocols, count), own->bytes);
    protocols_own(protocols, count, own);
    support_add(&member->group->supports, own);
}

struct bytes member_metadata(const struct live_member *member, struct str protocol_name)
{
    for (uint32_t i = 0; i < member->protocols.count; i++) {
        if (str_equal(member->protocols.list[i].name, protocol_name)) {
            return member->protocols.list[i].metadata;
        }
    }
    return (struct bytes){NULL, 0};
}

bool protocols_match(const struct member_protocols *own, const struct group_join *join)
{
    if (own->count != join->protocol_count) {
        return false;
    }
    for (uint32_t i = 0; i < join->protocol_count; i++) {
        if (!str_equal(own->list[i].name, join->protocols[i].name) ||
            !bytes_equal(own->list[i].metadata, join->protocols[i].metadata)) {
            return false;
        }
    }
    return true;
}

void member_assign(struct live_member *member, struct bytes assignment)
{
    uint8_t *copy = assignment.len == 0 ? NULL : mem_alloc(assignment.len);
    if (assignment.len > 0) {
        memcpy(copy, assignment.ptr, assignment.len);
    }
    live_count(member->group, assignment.len, member->assignment.len);
    mem_free((void *)member->assignment.ptr);
    member->assignment = bytes_of(copy, assignment.len);
}

// ---- coming, changing, going

struct live_member *member_add(struct coordinator *c, struct live_group *group, struct str id,
                               const struct group_join *join)
{
    struct live_member *member = mem_zalloc(sizeof *member);
    member->group = group;
    c->bytes_total += sizeof *member;
    member->session.kind = TIMER_SESSION;
    texts_set(member, id, join);
    map_insert(&group->by_id, &member->by_id, text_hash(member->id));
    if (member->instance_id.ptr != NULL) {
        map_insert(&group->by_instance, &member->by_instance, text_hash(member->instance_id));
    }
    list_push_back(&group->members, &member->node);
    group->member_count++;
    c->member_total++;
    member_update(member, join);
    if (group->leader == NULL) {
        group->leader = member;
    }
    return member;
}

void member_rename(struct live_member *member, struct str id, const struct group_join *join)
{
    struct live_group *group = member->group;
    map_remove(&group->by_id, &member->by_id);
    map_remove(&group->by_instance, &member->by_instance);
    texts_set(member, id, join);
    map_insert(&group->by_id, &member->by_id, text_hash(member->id));
    map_insert(&group->by_instance, &member->by_instance, text_hash(member->instance_id));
}

void member_update(struct live_member *member, const struct group_join *join)
{
    member->session_timeout_ms = join->session_timeout_ms;
    member->rebalance_timeout_ms = join->rebalance_timeout_ms;
    protocols_set(member, join->protocols, join->protocol_count);
}

void member_remove(struct coordinator *c, struct live_member *member, enum err err)
{
    struct live_group *group = member->group;
    join_fail(c, member->join, err);
    sync_fail(c, member->sync, err);
    member_stop_join(member);
    timer_cancel(c, &member->session);
    member_assign(member, (struct bytes){NULL, 0});
    live_count(group, 0, member->protocols.bytes + member->text_bytes);
    c->bytes_total -= sizeof *member;
    map_remove(&group->by_id, &member->by_id);
    if (member->instance_id.ptr != NULL) {
        map_remove(&group->by_instance, &member->by_instance);
    }
    list_remove(&member->node);
    group->member_count--;
    c->member_total--;
    if (group->leader == member) {
        group->leader =
            list_is_empty(&group->members) ? NULL : LIST_ENTRY(group->members.next, struct live_member, node);
    }
    support_remove(&group->supports, &member->protocols);
    mem_free(member->protocols.memory);
    mem_free(member->memory);
    mem_free(member);
}

void member_wait_join(struct live_member *member, struct group_join *join)
{
    if (!member->is_awaiting_join) {
        member->is_awaiting_join = true;
        member->group->awaiting_join_count++;
    }
    member->join = join;
    if (join != NULL) {
        join->parked_in = member;
    }
}

void member_stop_join(struct live_member *member)
{
    if (member->is_awaiting_join) {
        member->is_awaiting_join = false;
        member->group->awaiting_join_count--;
    }
}

void member_touch(struct coordinator *c, struct live_member *member, int64_t now_ms)
{
    int32_t lasts_ms = member->is_new ? NEW_MEMBER_JOIN_MS : member->session_timeout_ms;
    member->session_deadline_ms = later_ms(now_ms, lasts_ms);
    bool is_late = member->session.node.index == 0 || member->session.node.key > member->session_deadline_ms;
    if (is_late) {
        timer_set(c, &member->session, member->session_deadline_ms);
    }
}

// ---- ids handed out

struct pending_id *pending_find(const struct live_group *group, struct str id)
{
    for (struct map_node *n = map_first(&group->pending_by_id, text_hash(id)); n != NULL; n = map_next(n)) {
        struct pending_id *pending = MAP_ENTRY(n, struct pending_id, by_id);
        if (str_equal((struct str){pending->id, pending->len}, id)) {
            return pending;
        }
    }
    return NULL;
}

void pending_add(struct coordinator *c, struct live_group *group, struct str id, int64_t deadline_ms)
{
    struct pending_id *pending = mem_zalloc(sizeof *pending + id.len);
    pending->group = group;
    pending->timer.kind = TIMER_PENDING;
    pending->len = id.len;
    memcpy(pending->id, id.ptr, id.len);
    map_insert(&group->pending_by_id, &pending->by_id, text_hash(id));
    list_push_back(&group->pending, &pending->node);
    c->bytes_total += sizeof *pending + id.len;
    group->pending_count++;
    c->member_total++;
    timer_set(c, &pending->timer, deadline_ms);
}

void pending_remove(struct coordinator *c, struct pending_id *pending)
{
    struct live_group *group = pending->group;
    timer_cancel(c, &pending->timer);
    map_remove(&group->pending_by_id, &pending->by_id);
    list_remove(&pending->node);
    c->bytes_total -= sizeof *pending + pending->len;
    group->pending_count--;
    c->member_total--;
    mem_free(pending);
}
