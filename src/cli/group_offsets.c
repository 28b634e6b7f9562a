// SPDX-License-Identifier: Apache-2.0
// group_offsets.c - where a group is in each partition and how far behind.
#include "cli/groups.h"

#include <stdlib.h>

static int compare_offsets(const void *a, const void *b)
{
    const struct group_offset *left = a;
    const struct group_offset *right = b;
    int order = str_compare(left->topic, right->topic);
    return order != 0 ? order : (left->partition > right->partition) - (left->partition < right->partition);
}

static void offset_add(struct group_offsets *list, struct str topic, int32_t partition, int64_t committed,
                       struct str metadata)
{
    list->items[list->count++] = (struct group_offset){.topic = topic,
                                                       .partition = partition,
                                                       .committed = committed,
                                                       .start = -1,
                                                       .end = -1,
                                                       .lag = -1,
                                                       .metadata = metadata};
}

static bool items_reserve(struct run *run, struct group_offsets *list, size_t count)
{
    *list = (struct group_offsets){.items = run_room(run, count, sizeof *list->items)};
    return list->items != NULL;
}

static size_t answer_count(const struct offset_fetch_response *response)
{
    size_t count = 0;
    for (int32_t t = 0; response->groups_count > 0 && t < response->groups->topics_count; t++) {
        count += (size_t)response->groups->topics[t].partitions_count;
    }
    for (int32_t t = 0; response->groups_count <= 0 && t < response->topics_count; t++) {
        count += (size_t)response->topics[t].partitions_count;
    }
    return count;
}

// take_modern reads the answer of version 8 and later, take_classic what was before. Error of the group.
static enum err take_modern(const struct offset_fetch_response_group *group, struct group_offsets *ret)
{
    for (int32_t t = 0; t < group->topics_count; t++) {
        for (int32_t p = 0; p < group->topics[t].partitions_count; p++) {
            const struct offset_fetch_response_group_topic_partition *part = &group->topics[t].partitions[p];
            if (part->error != ERR_OK) {
                return part->error;
            }
            offset_add(ret, group->topics[t].name, part->partition_index, part->committed_offset,
                       part->metadata);
        }
    }
    return group->error;
}

static enum err take_classic(const struct offset_fetch_response *response, struct group_offsets *ret)
{
    for (int32_t t = 0; t < response->topics_count; t++) {
        for (int32_t p = 0; p < response->topics[t].partitions_count; p++) {
            const struct offset_fetch_response_partition *part = &response->topics[t].partitions[p];
            if (part->error != ERR_OK) {
                return part->error;
            }
            offset_add(ret, response->topics[t].name, part->partition_index, part->committed_offset,
                       part->metadata);
        }
    }
    return response->error;
}

enum err group_offsets_fetch(struct client *coordinator, struct str group, struct arena *arena,
                             struct group_offsets *ret, struct error *e)
{
    struct offset_fetch_request request;
    struct offset_fetch_request_group one;
    struct offset_fetch_response response;
    wire_init(&offset_fetch_request_type, &request);
    wire_init(&offset_fetch_request_group_type, &one);
    one.group_id = request.group_id = group;
    one.topics_count = request.topics_count = -1; // all
    request.groups = &one;
    request.groups_count = 1;
    enum err err = client_call(coordinator, API_OFFSET_FETCH, &request, arena, &response, e);
    if (err != ERR_OK) {
        return err;
    }
    size_t count = answer_count(&response);
    *ret = (struct group_offsets){.items = arena_new(arena, struct group_offset, count + 1)};
    if (ret->items == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "the group has committed %zu partitions", count);
    }
    err = response.groups_count > 0 ? take_modern(response.groups, ret) : take_classic(&response, ret);
    if (err == ERR_GROUP_ID_NOT_FOUND) { // never committed, never joined
        ret->count = 0;
        return ERR_OK;
    }
    if (err != ERR_OK) {
        *e = (struct error){.code = err};
        return err;
    }
    qsort(ret->items, ret->count, sizeof *ret->items, compare_offsets);
    return ERR_OK;
}

bool group_committed(struct run *run, const struct group *group, struct group_offsets *ret)
{
    struct error e;
    enum err err;
    int64_t deadline_ns = run_deadline(run);
    do {
        e = (struct error){0};
        err = group_offsets_fetch(group->coordinator, group->id, &run->arena, ret, &e);
    } while (err != ERR_OK && run_retry(run, err, deadline_ns));
    if (err != ERR_OK) {
        const char *what =
            run_print(run, "cannot read the offsets of group " STR_FMT, STR_ARG(group->id)).ptr;
        run_fail(run, what, err, &e, NULL);
    }
    return err == ERR_OK;
}

static size_t assigned_count(const struct group *group)
{
    size_t count = 0;
    for (size_t m = 0; m < group->member_count; m++) {
        for (size_t t = 0; t < group->members[m].assigned_count; t++) {
            count += group->members[m].assigned[t].count;
        }
    }
    return count;
}

// owners_join adds what members have to what was committed, and says who has it.
static bool owners_join(struct run *run, const struct group *group, struct group_offsets *list)
{
    struct group_offsets all;
    if (!items_reserve(run, &all, list->count + assigned_count(group))) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        all.items[all.count++] = list->items[i];
    }
    for (size_t m = 0; m < group->member_count; m++) {
        const struct group_member *member = &group->members[m];
        for (size_t t = 0; t < member->assigned_count; t++) {
            for (size_t p = 0; p < member->assigned[t].count; p++) {
                offset_add(&all, member->assigned[t].topic, member->assigned[t].partitions[p], -1,
                           (struct str){NULL, 0});
                all.items[all.count - 1].owner = member;
            }
        }
    }
    qsort(all.items, all.count, sizeof *all.items, compare_offsets);
    size_t kept = 0;
    for (size_t i = 0; i < all.count; i++) { // a partition that was in both lists becomes one
        struct group_offset *last = kept == 0 ? NULL : &all.items[kept - 1];
        if (last == NULL || compare_offsets(last, &all.items[i]) != 0) {
            all.items[kept++] = all.items[i];
            continue;
        }
        last->owner = last->owner != NULL ? last->owner : all.items[i].owner;
        if (all.items[i].committed >= 0) {
            last->committed = all.items[i].committed;
            last->metadata = all.items[i].metadata;
        }
    }
    all.count = kept;
    *list = all;
    return true;
}

// ends_read fills start and end of every partition; one that is not there keeps -1.
static bool ends_read(struct run *run, struct group_offsets *list)
{
    struct offset_query *queries = run_room(run, list->count, sizeof *queries);
    for (int pass = 0; pass < 2; pass++) {
        if (queries == NULL) {
            return false;
        }
        for (size_t i = 0; i < list->count; i++) {
            queries[i] = (struct offset_query){.topic = list->items[i].topic,
                                               .partition = list->items[i].partition,
                                               .timestamp = pass == 0 ? OFFSETS_START : OFFSETS_END};
        }
        if (!run_offset_queries(run, queries, list->count)) {
            return false;
        }
        for (size_t i = 0; i < list->count; i++) {
            if (pass == 0) {
                list->items[i].start = queries[i].offset;
            } else {
                list->items[i].end = queries[i].offset;
            }
        }
    }
    return true;
}

bool group_offsets_read(struct run *run, const struct group *group, struct group_offsets *ret)
{
    if (!group_committed(run, group, ret) || !owners_join(run, group, ret) || !ends_read(run, ret)) {
        return false;
    }
    for (size_t i = 0; i < ret->count; i++) {
        struct group_offset *item = &ret->items[i];
        if (item->end >= 0 && item->committed >= 0) {
            // What retention dropped before it was read cannot be waited for.
            int64_t from = item->committed < item->start ? item->start : item->committed;
            item->lag = item->end > from ? item->end - from : 0;
            ret->lag += item->lag;
        }
    }
    return true;
}

enum err topic_choice_parse(struct str text, struct arena *arena, struct topic_choice *ret, struct error *e)
{
    struct str rest;
    struct topic_choice choice = {.topic = str_cut(text, ':', &rest)};
    if (choice.topic.len == 0 || (rest.ptr != NULL && rest.len == 0)) {
        return FAIL(e, ERR_INVALID_REQUEST, "--topic wants NAME or NAME:P,P..., not \"" STR_FMT "\"",
                    STR_ARG(text));
    }
    if (rest.ptr != NULL) {
        choice.partitions = arena_new(arena, int32_t, rest.len + 1);
    }
    while (rest.ptr != NULL && choice.partitions != NULL) {
        int64_t partition;
        if (!str_parse_i64(str_cut(rest, ',', &rest), &partition) || partition < 0 || partition > INT32_MAX) {
            return FAIL(e, ERR_INVALID_REQUEST, "--topic wants partitions as numbers, not \"" STR_FMT "\"",
                        STR_ARG(text));
        }
        choice.partitions[choice.count++] = (int32_t)partition;
    }
    *ret = choice;
    return ERR_OK;
}
