// SPDX-License-Identifier: Apache-2.0
// expiry.c - offsets that nobody will ask for again, and groups of which nothing else is left. KIP-211:
// offsets go offsets.retention.minutes after their group lost its last member, outside a group after their
// commit; of a consumer group with members, those of topics that none of them consumes. Planned here, judged
// by apply.
#include "base/mem.h"
#include "group/group.h"
#include "keeper/keeper_private.h"

enum {
    SLICE_STEPS = 500,           // groups and offsets looked at in one lock section
    SCAN_ARENA_BYTES = 64 << 20, // ids and names of one batch of items; far more than they take
    NAMES_MAX = 1000,            // of one item
    STEP_BYTES = 1000,           // of subscriptions read
};

struct expiry_scan {
    struct item *items; // KEEPER_SUBMIT_ITEMS_MAX
    struct outcome *outcomes;
    uint32_t count;
    struct arena arena; // of the items
    // where the walk stands
    char *group; // ITEM_TEXT_MAX
    size_t group_len;
    bool is_in_group; // its offsets up to (topic, partition) have been looked at
    bool is_started;
    struct uuid topic;
    int32_t partition;
    bool is_done;
    int64_t now_ms;
    int64_t retention_ms;
    uint64_t expired;
};

static const struct group *scan_group(struct expiry_scan *s, const struct core *core)
{
    struct str at = {s->group, s->group_len};
    uint32_t index = core_group_lower_bound(core, s->is_started ? at : STR(""));
    const struct group *group = index < core_group_count(core) ? core_group_at(core, index) : NULL;
    bool is_same = group != NULL && s->is_started && str_equal(group_id(group), at);
    if (is_same && !s->is_in_group) { // that one is done
        index++;
        group = index < core_group_count(core) ? core_group_at(core, index) : NULL;
        is_same = false;
    }
    if (group != NULL && !is_same) {
        s->group_len = group_id(group).len;
        memcpy(s->group, group_id(group).ptr, s->group_len);
        s->topic = (struct uuid){{0}};
        s->partition = -1;
        s->is_in_group = true;
    }
    s->is_started = true;
    s->is_done = group == NULL;
    return group;
}

struct topic_search {
    struct str name;
    bool is_found;
};

static void search_topic(void *arg, struct str topic_name)
{
    struct topic_search *search = arg;
    search->is_found = search->is_found || str_equal(topic_name, search->name);
}

// is_consumed is also true where it cannot be told. It takes as many steps as there is to read.
static bool is_consumed(const struct group *group, struct str name, uint32_t *steps)
{
    struct topic_search search = {name, false};
    bool is_known = true;
    for (uint32_t i = 0; i < group_member_count(group) && is_known && !search.is_found; i++) {
        struct bytes subscription = group_member_at(group, i)->subscription;
        uint32_t cost = (uint32_t)(subscription.len / STEP_BYTES);
        is_known = subscription_each(subscription, search_topic, &search);
        *steps -= cost < *steps ? cost : *steps;
    }
    return search.is_found || !is_known;
}

// is_over: the offset's time is up, were it not for members that consume the topic.
static bool is_over(const struct expiry_scan *s, const struct group *group, const struct offset_view *view)
{
    int64_t since_ms = view->commit_ms;
    int64_t keep_ms = view->retention_ms >= 0 ? view->retention_ms : s->retention_ms;
    bool has_members = group_member_count(group) > 0;
    if (view->retention_ms < 0 && !has_members && group_empty_since_ms(group) > since_ms) {
        since_ms = group_empty_since_ms(group);
    }
    return since_ms <= s->now_ms && s->now_ms - since_ms >= keep_ms;
}

static bool scan_offset(struct expiry_scan *s, const struct group *group, const struct offset_view *view,
                        uint32_t *steps)
{
    bool has_members = group_member_count(group) > 0;
    s->topic = topic_id(view->topic);
    s->partition = view->partition;
    if (!is_over(s, group, view)) {
        return false;
    }
    if (has_members && !str_equal(group_protocol_type(group), STR("consumer"))) {
        return false; // what its members use cannot be known
    }
    return !has_members || !is_consumed(group, topic_name(view->topic), steps);
}

static struct item_offset_delete *item_begin(struct expiry_scan *s, const struct group *group)
{
    struct item *item = &s->items[s->count++];
    *item = (struct item){.kind = ITEM_OFFSET_DELETE, .version = 1};
    item->offset_delete = (struct item_offset_delete){
        .group_id = arena_str(&s->arena, group_id(group)),
        .expected_generation = group_generation(group),
        .cutoff_ms = s->now_ms - s->retention_ms,
        .names = arena_new(&s->arena, struct item_offset_name, NAMES_MAX),
    };
    return &item->offset_delete;
}

// scan_offsets walks at most *steps offsets of one group.
static void scan_offsets(struct expiry_scan *s, const struct group *group, uint32_t *steps)
{
    struct item_offset_delete *item = NULL;
    while (*steps > 0 && s->count < KEEPER_SUBMIT_ITEMS_MAX) {
        struct offset_view view;
        (*steps)--;
        if (!group_offset_next(group, s->topic, s->partition, &view)) {
            s->is_in_group = false;
            return;
        }
        if (!scan_offset(s, group, &view, steps)) {
            continue;
        }
        item = item == NULL || item->name_count == NAMES_MAX ? item_begin(s, group) : item;
        if (s->arena.failed) {
            s->count--;
            return;
        }
        item->names[item->name_count++] = (struct item_offset_name){s->topic, s->partition};
        s->expired++;
    }
}

// A group without members and offsets goes once it has been so for a while: it may be about to come back.
static void scan_bare(struct keeper *k, struct expiry_scan *s, const struct group *group)
{
    bool is_bare = group_member_count(group) == 0 && group_offset_count(group) == 0;
    int64_t since_ms = group_empty_since_ms(group);
    bool is_long = since_ms == INT64_MIN || s->now_ms - since_ms >= k->options.offsets_check_ms;
    if (is_bare && is_long && s->count < KEEPER_SUBMIT_ITEMS_MAX) {
        s->items[s->count++] = (struct item){
            .kind = ITEM_GROUP_DELETE,
            .version = 1,
            .group_delete = {.group_id = arena_str(&s->arena, group_id(group)), .must_be_bare = true},
        };
        s->count -= s->arena.failed;
    }
}

static void scan_slice(struct keeper *k, struct expiry_scan *s)
{
    struct core *core = k->host.lock(k->host.arg);
    keeper_observe_locked(k, core);
    s->now_ms = keeper_now_ms(k);
    uint32_t steps = SLICE_STEPS;
    while (steps > 0 && s->count < KEEPER_SUBMIT_ITEMS_MAX && !s->arena.failed) {
        const struct group *group = scan_group(s, core);
        if (group == NULL) {
            break;
        }
        if (s->partition < 0) {
            scan_bare(k, s, group);
        }
        scan_offsets(s, group, &steps);
    }
    k->host.unlock(k->host.arg);
}

static enum err scan_submit(struct keeper *k, struct expiry_scan *s, struct error *e)
{
    enum err err = s->count == 0 ? ERR_OK : keeper_submit(k, s->items, s->count, s->outcomes, e);
    s->count = 0; // what was overtaken is looked at again next time
    arena_reset(&s->arena);
    return err;
}

enum err keeper_expire_offsets(struct keeper *k, struct error *e)
{
    struct expiry_scan s = {.retention_ms = k->options.offsets_retention_ms};
    s.items = mem_array(KEEPER_SUBMIT_ITEMS_MAX, sizeof *s.items);
    s.outcomes = mem_array(KEEPER_SUBMIT_ITEMS_MAX, sizeof *s.outcomes);
    s.group = mem_alloc(ITEM_TEXT_MAX);
    arena_init(&s.arena, SCAN_ARENA_BYTES);
    enum err err = ERR_OK;
    while (err == ERR_OK && !s.is_done) {
        if (keeper_is_stopping(k)) {
            err = FAIL(e, ERR_STOPPING, "keeper: stopping");
            break;
        }
        scan_slice(k, &s);
        if (s.is_done || s.arena.failed || s.count > KEEPER_SUBMIT_ITEMS_MAX / 2) {
            err = scan_submit(k, &s, e);
        }
    }
    if (err == ERR_OK) {
        keeper_count(k->expired_offsets, (int64_t)s.expired);
    }
    arena_fini(&s.arena);
    mem_free(s.group);
    mem_free(s.items);
    mem_free(s.outcomes);
    return err;
}
