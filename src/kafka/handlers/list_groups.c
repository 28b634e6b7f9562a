// SPDX-License-Identifier: Apache-2.0
// ListGroups (key 16). KIP-518 (filter by state, v4), KIP-848 (filter by type, v5). Groups that come or go
// while the list is made may be in it or not.
#include "kafka/handlers/handlers.h"

#include <strings.h>

enum { STEP = 500 };

struct listing {
    struct request *rq;
    uint32_t cap;
};

static bool is_wanted(const struct str *filter, int32_t count, const char *name)
{
    size_t len = strlen(name);
    for (int32_t i = 0; i < count; i++) {
        struct str wanted = str_trim(filter[i]);
        if (wanted.len == len && strncasecmp(wanted.ptr, name, len) == 0) {
            return true;
        }
    }
    return count <= 0;
}

static bool list_grow(struct listing *l)
{
    struct list_groups_response *out = l->rq->out;
    uint32_t cap = l->cap == 0 ? STEP : l->cap * 2;
    struct list_groups_response_group *groups = wire_array(&l->rq->arena, list_groups_response_group, cap);
    if (groups == NULL) {
        return false;
    }
    if (out->groups_count > 0) {
        memcpy(groups, out->groups, (size_t)out->groups_count * sizeof *groups);
    }
    out->groups = groups;
    l->cap = cap;
    return true;
}

// list_add shows one group; the lock is held.
static void list_add(struct listing *l, struct str id)
{
    const struct list_groups_request *in = l->rq->in;
    struct list_groups_response *out = l->rq->out;
    struct group_view view;
    if (!coordinator_view(broker_coordinator(l->rq->broker), id, &view)) {
        return;
    }
    const char *type = view.is_consumer ? "consumer" : "classic";
    if (!is_wanted(in->states_filter, in->states_filter_count, view.state_name) ||
        !is_wanted(in->types_filter, in->types_filter_count, type)) {
        return;
    }
    struct list_groups_response_group *group = &out->groups[out->groups_count++];
    group->group_id = arena_str(&l->rq->arena, id);
    group->protocol_type = arena_str(&l->rq->arena, view.protocol_type);
    group->group_state = str_from_c(view.state_name);
    group->group_type = str_from_c(type);
}

// list_stored goes through the groups that the core knows, in id order; list_young through the others.
static void list_stored(struct listing *l)
{
    const struct list_groups_response *out = l->rq->out;
    struct str from = STR("");
    bool is_start = true;
    uint32_t seen = STEP;
    while (seen == STEP && !l->rq->arena.failed) {
        if ((uint32_t)out->groups_count + STEP > l->cap && !list_grow(l)) {
            return;
        }
        seen = 0;
        const struct core *core = broker_view_begin(l->rq->broker);
        uint32_t total = core_group_count(core);
        struct str id = from;
        for (uint32_t i = core_group_lower_bound(core, from); i < total && seen < STEP; i++) {
            id = group_id(core_group_at(core, i));
            if (is_start || !str_equal(id, from)) {
                list_add(l, id);
                seen++;
            }
        }
        from = arena_str(&l->rq->arena, id);
        is_start = false;
        broker_view_end(l->rq->broker);
    }
}

static void list_one(void *arg, struct str id)
{
    list_add(arg, id);
}

static void list_young(struct listing *l)
{
    const struct list_groups_response *out = l->rq->out;
    uint64_t serial = 0;
    do {
        if ((uint32_t)out->groups_count + STEP > l->cap && !list_grow(l)) {
            return;
        }
        (void)broker_view_begin(l->rq->broker);
        serial = coordinator_young(broker_coordinator(l->rq->broker), serial, STEP, list_one, l);
        broker_view_end(l->rq->broker);
    } while (serial != 0 && !l->rq->arena.failed);
}

static void list_groups_handle(struct request *rq)
{
    const struct list_groups_request *in = rq->in;
    struct listing listing = {rq, 0};
    if (is_wanted(in->types_filter, in->types_filter_count, "classic") ||
        is_wanted(in->types_filter, in->types_filter_count, "consumer")) {
        list_stored(&listing);
        list_young(&listing);
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler list_groups_handler = {.key = API_LIST_GROUPS, .handle = list_groups_handle};
