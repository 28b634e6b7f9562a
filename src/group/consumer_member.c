// SPDX-License-Identifier: Apache-2.0
// consumer_member.c - members of groups of the consumer protocol: found, made, replaced, gone.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/plant.h"
#include "group/consumer_private.h"

static uint64_t text_hash(struct str text)
{
    return hash64(bytes_of(text.ptr, text.len), 8);
}

// ---- finding

struct consumer_member *consumer_member_look_up(const struct consumer_group *group, struct str id)
{
    for (struct map_node *n = map_first(&group->by_id, text_hash(id)); n != NULL; n = map_next(n)) {
        struct consumer_member *member = MAP_ENTRY(n, struct consumer_member, by_id);
        if (str_equal(member->id, id)) {
            return member;
        }
    }
    return NULL;
}

struct consumer_member *consumer_member_by_instance(const struct consumer_group *group,
                                                    struct str instance_id)
{
    if (instance_id.ptr == NULL) {
        return NULL;
    }
    for (struct map_node *n = map_first(&group->by_instance, text_hash(instance_id)); n != NULL;
         n = map_next(n)) {
        struct consumer_member *member = MAP_ENTRY(n, struct consumer_member, by_instance);
        if (str_equal(member->instance_id, instance_id)) {
            return member;
        }
    }
    return NULL;
}

// ---- metadata

static void bytes_count(struct consumer_member *member, size_t gone, size_t come)
{
    member->bytes = member->bytes - gone + come;
    member->group->bytes = member->group->bytes - gone + come;
}

void consumer_text_set(struct consumer_member *member, struct str *text, struct str fresh)
{
    bool is_same = (text->ptr == NULL) == (fresh.ptr == NULL) && str_equal(*text, fresh);
    if (is_same) {
        return;
    }
    bool is_instance = text == &member->instance_id;
    if (is_instance && text->ptr != NULL) {
        map_remove(&member->group->by_instance, &member->by_instance);
    }
    bytes_count(member, text->len, fresh.len);
    struct str copy = text_own(fresh);
    mem_free((void *)text->ptr);
    *text = copy;
    if (is_instance && copy.ptr != NULL) {
        map_insert(&member->group->by_instance, &member->by_instance, text_hash(copy));
    }
    consumer_member_changed(member, CONSUMER_METADATA);
}

static int name_order(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

// topics_make copies, sorts and drops what is there twice; one allocation.
static struct str *topics_make(const struct str *topics, uint32_t count, uint32_t *ret_count,
                               size_t *ret_size)
{
    size_t size = (count + 1) * sizeof(struct str);
    for (uint32_t i = 0; i < count; i++) {
        size += topics[i].len;
    }
    struct str *copy = mem_alloc(size);
    char *text = (char *)&copy[count + 1];
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = (struct str){text, topics[i].len};
        memcpy(text, topics[i].ptr, topics[i].len);
        text += topics[i].len;
    }
    if (count > 1) {
        qsort(copy, count, sizeof *copy, name_order);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || !str_equal(copy[kept - 1], copy[i])) {
            copy[kept++] = copy[i];
        }
    }
    *ret_count = kept;
    *ret_size = size;
    return copy;
}

static size_t topics_bytes(const struct str *topics, uint32_t count)
{
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += sizeof(struct str) + topics[i].len;
    }
    return size;
}

bool consumer_topics_set(struct consumer_member *member, const struct str *topics, uint32_t count)
{
    uint32_t fresh_count = 0;
    size_t size = 0;
    struct str *fresh = topics_make(topics, count, &fresh_count, &size);
    bool is_same = fresh_count == member->topic_count;
    for (uint32_t i = 0; i < fresh_count && is_same; i++) {
        is_same = str_equal(fresh[i], member->topics[i]);
    }
    if (is_same) {
        mem_free(fresh);
        return false;
    }
    bytes_count(member, topics_bytes(member->topics, member->topic_count), topics_bytes(fresh, fresh_count));
    mem_free(member->topics);
    member->topics = fresh;
    member->topic_count = fresh_count;
    member->group->is_hash_stale = true;
    consumer_member_changed(member, CONSUMER_METADATA);
    return true;
}

// ---- members of the classic protocol

static void classic_drop(struct consumer_member *member)
{
    struct consumer_group *group = member->group;
    if (!member->is_classic) {
        return;
    }
    support_remove(&group->supports, &member->classic);
    group->classic_count--;
    bytes_count(member, member->classic.bytes, 0);
    mem_free(member->classic.memory);
    member->classic = (struct member_protocols){0};
    member->is_classic = false;
}

void consumer_classic_set(struct consumer_member *member, const struct group_join *join)
{
    bool is_same = member->is_classic && member->classic_session_ms == join->session_timeout_ms &&
                   protocols_match(&member->classic, join);
    if (is_same) {
        return;
    }
    classic_drop(member);
    protocols_own(join->protocols, join->protocol_count, &member->classic);
    member->is_classic = true;
    member->classic_session_ms = join->session_timeout_ms;
    bytes_count(member, 0, member->classic.bytes);
    support_add(&member->group->supports, &member->classic);
    member->group->classic_count++;
    consumer_member_changed(member, CONSUMER_METADATA);
}

void consumer_classic_clear(struct consumer_member *member)
{
    if (member->is_classic) {
        classic_drop(member);
        timer_cancel(member->group->coordinator, &member->revoke);
        consumer_member_changed(member, CONSUMER_METADATA);
    }
}

// ---- room

void consumer_member_count(struct consumer_member *member)
{
    size_t partitions = (size_t)member->target.cap + member->assigned.cap + member->revoking.cap;
    size_t taken = sizeof *member + member->bytes + partitions * sizeof(struct tp);
    struct coordinator *c = member->group->coordinator;
    c->bytes_total = c->bytes_total - member->taken + taken;
    member->taken = taken;
}

bool consumer_has_room(const struct coordinator *c, const struct consumer_group *group,
                       const struct consumer_member *there, size_t bytes)
{
    uint32_t count = group == NULL ? 0 : group->member_count;
    bool is_crowded =
        count >= c->limits.consumer_members_max || c->member_total >= c->limits.members_total_max;
    if (there == NULL && is_crowded) {
        return false;
    }
    size_t before = there == NULL ? 0 : there->bytes;
    size_t all = (group == NULL ? 0 : group->bytes) - before + bytes;
    // A quarter: targets and what members have need room in the same item.
    return bytes <= before || (all <= c->limits.group_bytes_max / 4 &&
                               c->bytes_total - before + bytes <= c->limits.bytes_total_max);
}

// ---- making and going

static void member_place(struct consumer_group *group, struct consumer_member *member)
{
    struct list *before = &group->members;
    while (before->prev != &group->members &&
           str_compare(LIST_ENTRY(before->prev, struct consumer_member, node)->id, member->id) > 0) {
        before = before->prev;
    }
    list_insert_before(&member->node, before);
}

struct consumer_member *consumer_member_add(struct coordinator *c, struct consumer_group *group,
                                            struct str id)
{
    struct consumer_member *member = mem_zalloc(sizeof *member);
    member->group = group;
    member->id = text_own(id);
    member->session.kind = TIMER_CONSUMER_SESSION;
    member->revoke.kind = TIMER_CONSUMER_REVOKE;
    member->rebalance_timeout_ms = -1;
    member->client_id = text_own(STR(""));
    member->client_host = text_own(STR(""));
    member_place(group, member);
    map_insert(&group->by_id, &member->by_id, text_hash(member->id));
    group->member_count++;
    c->member_total++;
    bytes_count(member, 0, id.len);
    consumer_member_count(member);
    return member;
}

void consumer_member_remove(struct coordinator *c, struct consumer_member *member)
{
    struct consumer_group *group = member->group;
    timer_cancel(c, &member->session);
    timer_cancel(c, &member->revoke);
    map_remove(&group->by_id, &member->by_id);
    if (member->instance_id.ptr != NULL) {
        map_remove(&group->by_instance, &member->by_instance);
    }
    list_remove(&member->node);
    classic_drop(member);
    group->member_count--;
    group->bytes -= member->bytes;
    c->bytes_total -= member->taken;
    group->is_hash_stale = true;
    c->member_total--;
    struct str *texts[] = {&member->id,    &member->instance_id, &member->rack_id,    &member->assignor,
                           &member->regex, &member->client_id,   &member->client_host};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        mem_free((void *)texts[i]->ptr);
    }
    mem_free(member->topics);
    tp_set_fini(&member->target);
    tp_set_fini(&member->assigned);
    tp_set_fini(&member->revoking);
    mem_free(member);
}

void consumer_gone_add(struct consumer_group *group, struct str id)
{
    if (group->gone_count == group->gone_cap) {
        group->gone_cap = group->gone_cap == 0 ? 4 : group->gone_cap * 2;
        group->gone = mem_realloc(group->gone, group->gone_cap * sizeof *group->gone);
    }
    group->gone[group->gone_count++] = text_own(id);
}

void consumer_member_fence(struct coordinator *c, struct consumer_member *member)
{
    struct consumer_group *group = member->group;
    consumer_gone_add(group, member->id);
    consumer_member_remove(c, member);
    group->epoch++;
    c->consumer_rises++;
    (void)consumer_hash_update(c, group); // the one rise stands for both
    consumer_changed(group);
}

struct consumer_member *consumer_member_replace(struct coordinator *c, struct consumer_member *old,
                                                struct str id)
{
    struct consumer_group *group = old->group;
    struct consumer_member *fresh = consumer_member_add(c, group, id);
    struct str instance_id = text_own(old->instance_id);
    consumer_text_set(old, &old->instance_id, (struct str){NULL, 0});
    consumer_text_set(fresh, &fresh->instance_id, instance_id);
    mem_free((void *)instance_id.ptr);
    consumer_text_set(fresh, &fresh->rack_id, old->rack_id);
    consumer_text_set(fresh, &fresh->assignor, old->assignor);
    consumer_text_set(fresh, &fresh->regex, old->regex);
    fresh->rebalance_timeout_ms = old->rebalance_timeout_ms;
    (void)consumer_topics_set(fresh, old->topics, old->topic_count);
    (void)tp_set_replace(&fresh->target, &old->target);
    (void)tp_set_replace(&fresh->assigned, &old->assigned);
    fresh->phase = old->phase;
    consumer_gone_add(group, old->id);
    consumer_member_remove(c, old);
    consumer_member_changed(fresh, CONSUMER_METADATA | CONSUMER_TARGET | CONSUMER_CURRENT);
    return fresh;
}

void consumer_session_touch(struct coordinator *c, struct consumer_member *member, int64_t now_ms)
{
    int32_t lasts_ms =
        member->is_classic ? member->classic_session_ms : c->limits.consumer_session_timeout_ms;
    timer_set(c, &member->session, plant_is(PLANT_BEAT_NEVER_ENDS) ? INT64_MAX : later_ms(now_ms, lasts_ms));
}
