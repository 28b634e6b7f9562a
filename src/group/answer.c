// SPDX-License-Identifier: Apache-2.0
// answer.c - fills answers. What they point to is copied into the caller's arena: the group goes on changing.
#include "group/group_private.h"

static struct str copy_text(struct arena *arena, struct str text)
{
    return text.ptr == NULL ? text : arena_str(arena, text);
}

static struct bytes copy_bytes(struct arena *arena, struct bytes bytes)
{
    struct str copy =
        arena_str(arena, (struct str){bytes.ptr == NULL ? "" : (const char *)bytes.ptr, bytes.len});
    return bytes_of(copy.ptr, copy.len);
}

static void join_done(struct coordinator *c, struct group_join *join)
{
    if (join->parked_in != NULL) {
        join->parked_in->join = NULL;
        join->parked_in = NULL;
    }
    group_call_answer(c, &join->call);
}

void join_fail(struct coordinator *c, struct group_join *join, enum err err)
{
    if (join == NULL) {
        return;
    }
    join->err = err;
    join->generation = -1;
    join->protocol_type_chosen = (struct str){NULL, 0};
    join->protocol_name = (struct str){NULL, 0};
    join->leader = STR("");
    join->members = NULL;
    join->member_count = 0;
    join->skips_assignment = false;
    join_done(c, join);
}

static void fill_members(const struct live_group *group, struct group_join *join)
{
    join->members = arena_new(join->arena, struct group_join_member, group->member_count);
    if (join->members == NULL) {
        return;
    }
    LIST_EACH (node, &group->members) {
        const struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        join->members[join->member_count++] = (struct group_join_member){
            .member_id = copy_text(join->arena, member->id),
            .instance_id = copy_text(join->arena, member->instance_id),
            .metadata = copy_bytes(join->arena, member_metadata(member, group->protocol_name)),
        };
    }
}

void join_answer(struct coordinator *c, struct live_member *member, struct group_join *join,
                 bool with_members)
{
    const struct live_group *group = member->group;
    join->err = ERR_OK;
    join->generation = group->generation;
    join->protocol_type_chosen = copy_text(join->arena, group->protocol_type);
    join->protocol_name = copy_text(join->arena, group->protocol_name);
    join->member_id_given = copy_text(join->arena, member->id);
    if (join->leader.ptr == NULL) { // else: told who led before (see join_replace)
        join->leader = copy_text(join->arena, group->leader->id);
    }
    join->members = NULL;
    join->member_count = 0;
    if (with_members) {
        fill_members(group, join);
    }
    if (join->arena->failed) {
        join_fail(c, join, ERR_NO_MEMORY);
        return;
    }
    join_done(c, join);
}

static void sync_done(struct coordinator *c, struct group_sync *sync)
{
    if (sync->parked_in != NULL) {
        sync->parked_in->sync = NULL;
        sync->parked_in->is_awaiting_sync = false;
        sync->parked_in = NULL;
    }
    group_call_answer(c, &sync->call);
}

void sync_fail(struct coordinator *c, struct group_sync *sync, enum err err)
{
    if (sync == NULL) {
        return;
    }
    sync->err = err;
    sync->protocol_type_chosen = (struct str){NULL, 0};
    sync->protocol_name_chosen = (struct str){NULL, 0};
    sync->assignment = bytes_of("", 0);
    sync_done(c, sync);
}

void sync_answer(struct coordinator *c, const struct live_member *member, struct group_sync *sync)
{
    const struct live_group *group = member->group;
    sync->err = ERR_OK;
    sync->protocol_type_chosen = copy_text(sync->arena, group->protocol_type);
    sync->protocol_name_chosen = copy_text(sync->arena, group->protocol_name);
    sync->assignment = copy_bytes(sync->arena, member->assignment);
    if (sync->arena->failed) {
        sync_fail(c, sync, ERR_NO_MEMORY);
        return;
    }
    sync_done(c, sync);
}
