// SPDX-License-Identifier: Apache-2.0
#include "cli/range.h"

#include <stdlib.h>

// Static members come first, by instance id, so that a restart under a new member id moves nothing (KIP-345).
static int compare_members(const void *a, const void *b)
{
    const struct range_member *left = a;
    const struct range_member *right = b;
    if ((left->instance_id.ptr == NULL) != (right->instance_id.ptr == NULL)) {
        return left->instance_id.ptr == NULL ? 1 : -1;
    }
    return left->instance_id.ptr == NULL ? str_compare(left->id, right->id)
                                         : str_compare(left->instance_id, right->instance_id);
}

static int compare_topics(const void *a, const void *b)
{
    const struct range_topic *left = a;
    const struct range_topic *right = b;
    return str_compare(left->name, right->name);
}

static bool is_subscribed(const struct range_member *member, struct str topic)
{
    bool is_found = false;
    for (size_t i = 0; i < member->subscribed_count && !is_found; i++) {
        is_found = str_equal(member->subscribed[i], topic);
    }
    return is_found;
}

static bool member_take(struct range_member *member, struct str topic, int32_t from, int32_t count,
                        struct arena *arena)
{
    struct topic_partitions *out = &member->topics[member->topic_count];
    out->topic = topic;
    out->partitions = arena_new(arena, int32_t, (size_t)count);
    if (out->partitions == NULL) {
        return false;
    }
    out->count = (size_t)count;
    for (int32_t i = 0; i < count; i++) {
        out->partitions[i] = from + i;
    }
    member->topic_count++;
    return true;
}

static bool topic_assign(const struct range_topic *topic, struct range_member *members, size_t member_count,
                         struct arena *arena)
{
    int32_t subscribed = 0;
    for (size_t i = 0; i < member_count; i++) {
        subscribed += is_subscribed(&members[i], topic->name) ? 1 : 0;
    }
    int32_t from = 0;
    int32_t nth = 0;
    for (size_t i = 0; i < member_count && subscribed > 0; i++) {
        if (!is_subscribed(&members[i], topic->name)) {
            continue;
        }
        int32_t count =
            topic->partition_count / subscribed + (nth < topic->partition_count % subscribed ? 1 : 0);
        if (count > 0 && !member_take(&members[i], topic->name, from, count, arena)) {
            return false;
        }
        from += count;
        nth++;
    }
    return true;
}

enum err range_assign(struct range_member *members, size_t member_count, struct range_topic *topics,
                      size_t topic_count, struct arena *arena, struct error *e)
{
    if (member_count > 1) {
        qsort(members, member_count, sizeof *members, compare_members);
    }
    if (topic_count > 1) {
        qsort(topics, topic_count, sizeof *topics, compare_topics);
    }
    bool is_room = true;
    for (size_t i = 0; i < member_count && is_room; i++) {
        members[i].topics = arena_new(arena, struct topic_partitions, topic_count + 1);
        members[i].topic_count = 0;
        is_room = members[i].topics != NULL;
    }
    for (size_t i = 0; i < topic_count && is_room; i++) {
        is_room = topic_assign(&topics[i], members, member_count, arena);
    }
    return is_room ? ERR_OK : FAIL(e, ERR_NO_MEMORY, "the assignment of %zu members", member_count);
}
