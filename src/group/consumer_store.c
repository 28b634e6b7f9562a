// SPDX-License-Identifier: Apache-2.0
// consumer_store.c - changes go to the core as CONSUMER_SETs, at most one at a time per group: what changes
// meanwhile goes with the next. A write that fails makes the group forgotten here, so that it is taken up
// again as the core has it.
#include "base/assert.h"
#include "base/mem.h"
#include "group/consumer_private.h"

struct consumer_box {
    struct group_write write;
    struct consumer_group *group; // NULL: forgotten meanwhile
    struct arena arena;
    uint64_t changes; // of the group, in it
};

static struct bytes box_blob(struct consumer_box *box, struct buf *scratch)
{
    ASSERT(!scratch->failed); // the parts are bounded
    struct str copy = arena_str(&box->arena, buf_str(scratch));
    buf_reset(scratch);
    return bytes_of(copy.ptr, copy.len);
}

static void box_member(struct consumer_box *box, struct consumer_member *member, struct buf *scratch)
{
    struct item_consumer_set *set = &box->write.item.consumer_set;
    struct item_consumer_member *out = &set->members[set->member_count++];
    *out = (struct item_consumer_member){.member_id = arena_str(&box->arena, member->id),
                                         .parts = member->dirty};
    if ((member->dirty & CONSUMER_METADATA) != 0) {
        consumer_metadata_encode(member, scratch);
        out->metadata = box_blob(box, scratch);
    }
    if ((member->dirty & CONSUMER_TARGET) != 0) {
        tp_set_encode(&member->target, scratch);
        out->target = box_blob(box, scratch);
    }
    if ((member->dirty & CONSUMER_CURRENT) != 0) {
        consumer_current_encode(member, scratch);
        out->current = box_blob(box, scratch);
        out->epoch = member->epoch;
    }
    member->dirty = 0;
}

static int text_order(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

// box_gone moves the ids of those gone into the item, rising and each once.
static void box_gone(struct consumer_box *box, struct consumer_group *group)
{
    struct item_consumer_set *set = &box->write.item.consumer_set;
    set->gone = arena_new(&box->arena, struct str, (size_t)group->gone_count + 1);
    if (group->gone_count > 1) {
        qsort(group->gone, group->gone_count, sizeof *group->gone, text_order);
    }
    for (uint32_t i = 0; i < group->gone_count; i++) {
        if (i == 0 || !str_equal(set->gone[set->gone_count - 1], group->gone[i])) {
            set->gone[set->gone_count++] = arena_str(&box->arena, group->gone[i]);
        }
        mem_free((void *)group->gone[i].ptr);
    }
    group->gone_count = 0;
}

static struct consumer_box *box_create(struct consumer_group *group)
{
    struct consumer_box *box = mem_zalloc(sizeof *box);
    box->group = group;
    box->changes = group->changes;
    arena_init(&box->arena, SIZE_MAX / 2); // what is copied is bounded already
    struct buf scratch;
    buf_init(&scratch, SIZE_MAX / 2);
    box->write.item = (struct item){.kind = ITEM_CONSUMER_SET, .version = 1};
    struct item_consumer_set *set = &box->write.item.consumer_set;
    set->group_id = arena_str(&box->arena, consumer_name(group));
    set->expected_generation = group->stored_epoch;
    set->expected_revision = group->stored_revision;
    set->generation = group->epoch;
    consumer_state_encode(group, &scratch);
    set->state = box_blob(box, &scratch);
    box_gone(box, group);
    set->members = arena_new(&box->arena, struct item_consumer_member, (size_t)group->member_count + 1);
    LIST_EACH (node, &group->members) {
        struct consumer_member *member = LIST_ENTRY(node, struct consumer_member, node);
        if (member->dirty != 0) {
            box_member(box, member, &scratch);
        }
    }
    buf_fini(&scratch);
    return box;
}

void consumer_store_next(struct coordinator *c, struct consumer_group *group)
{
    if (!group->is_dirty || group->write != NULL) {
        return;
    }
    group->is_dirty = false;
    group->write = box_create(group);
    list_push_back(&c->writes, &group->write->write.node);
}

void consumer_box_drop(struct consumer_box *box)
{
    box->group = NULL;
}

int32_t consumer_store_expects(const struct consumer_group *group)
{
    return group->write == NULL ? group->stored_epoch : group->write->write.item.consumer_set.generation;
}

void consumer_written(struct coordinator *c, struct group_write *take_write, enum err err, int64_t now_ms)
{
    struct consumer_box *box =
        (struct consumer_box *)(void *)((char *)take_write - offsetof(struct consumer_box, write));
    struct consumer_group *group = box->group;
    uint64_t changes = box->changes;
    int32_t epoch = take_write->item.consumer_set.generation;
    arena_fini(&box->arena);
    mem_free(box);
    if (group == NULL) {
        return;
    }
    group->write = NULL;
    if (c->is_stopped) {
        return;
    }
    if (err != ERR_OK) {
        struct str id = text_own(consumer_name(group));
        consumer_forget(c, group, err == ERR_STALE ? ERR_NOT_COORDINATOR : ERR_COORDINATOR_NOT_AVAILABLE);
        if (err != ERR_STALE) {
            (void)consumer_find(c, id,
                                now_ms); // whoever has gone meanwhile goes again when its session is over
        }
        mem_free((void *)id.ptr);
        return;
    }
    c->young_count -= group->is_young;
    group->is_young = false;
    group->stored_epoch = epoch;
    group->stored_revision++;
    group->durable = changes;
    consumer_waits_answer(c, group);
    consumer_store_next(c, group);
    consumer_settle(c, group);
}

// ---- taken up

static bool member_take_up(struct coordinator *c, struct consumer_group *group,
                           const struct item_consumer_member *stored, int64_t now_ms)
{
    struct consumer_member *member = consumer_member_add(c, group, stored->member_id);
    member->epoch = stored->epoch;
    if (!consumer_metadata_decode(member, stored->metadata) ||
        !tp_set_decode(stored->target, &member->target) ||
        !consumer_current_decode(member, stored->current)) {
        return false;
    }
    consumer_session_touch(c, member, now_ms);
    if (member->phase == PHASE_UNREVOKED) {
        timer_set(c, &member->revoke, later_ms(now_ms, member->rebalance_timeout_ms));
    }
    consumer_member_count(member);
    member->dirty = 0;
    member->changed = 0;
    return true;
}

bool consumer_take_up(struct coordinator *c, struct consumer_group *group, const struct group *stored,
                      int64_t now_ms)
{
    group->epoch = group_generation(stored);
    bool is_sound = consumer_state_decode(group, group_consumer_state(stored));
    for (uint32_t i = 0; i < group_consumer_count(stored) && is_sound; i++) {
        is_sound = member_take_up(c, group, group_consumer_at(stored, i), now_ms);
    }
    group->changes = group->durable = 0;
    group->is_dirty = false;
    return is_sound;
}
