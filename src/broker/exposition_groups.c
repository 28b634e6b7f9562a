// SPDX-License-Identifier: Apache-2.0
// exposition_groups.c - groups for a scrape: how many are in which state under Kafka's own names, and how far
// each is behind, under the names of kafka-exporter, because Kafka itself has no such metric. Copied in short
// sections of the lock, in the order of their ids.
#include "base/mem.h"
#include "broker/broker_private.h"

enum { COPY_STEP = 500, NAMES_BYTES_MAX = 64 << 20 };

struct group_row {
    size_t name_at; // in names
    size_t name_len;
    uint32_t members;
};

struct offset_row {
    uint32_t group; // index of its row
    char topic[ITEM_NAME_MAX + 1];
    int32_t partition;
    int64_t offset;
    int64_t lag;
};

struct group_page {
    struct broker *b;
    struct buf *out;
    struct buf names;
    struct group_row *groups;
    uint32_t group_count;
    struct offset_row *offsets;
    uint32_t offset_count;
    uint32_t cap; // of either
    uint64_t group_total;
    uint64_t offset_total;
    uint64_t states[GROUP_STATE_COUNT];
    uint64_t consumers[CONSUMER_STATE_COUNT];
    uint64_t rises;
    // where the copying goes on
    struct buf last; // id of the group that is being copied
    bool has_last;
    bool has_row; // it has one
    struct uuid after_topic;
    int32_t after_partition;
};

// ---- copying

static struct str last_of(const struct group_page *x)
{
    return (struct str){(const char *)x->last.ptr, x->last.len};
}

static void row_add(struct group_page *x, struct str id, const struct group_view *view)
{
    x->has_row = x->group_count < x->cap;
    if (!x->has_row) {
        return;
    }
    x->groups[x->group_count++] = (struct group_row){x->names.len, id.len, view->member_count};
    buf_append_str(&x->names, id);
    if (x->names.failed) {
        x->cap = --x->group_count; // enough said
        x->has_row = false;
    }
}

// group_begin counts the next group and begins its row; NULL if there is none.
static const struct group *group_begin(struct group_page *x)
{
    const struct core *core = x->b->core;
    uint32_t index = x->has_last ? core_group_lower_bound(core, last_of(x)) : 0;
    const struct group *group = index < core_group_count(core) ? core_group_at(core, index) : NULL;
    if (group != NULL && x->has_last && str_equal(group_id(group), last_of(x))) {
        group = index + 1 < core_group_count(core) ? core_group_at(core, index + 1) : NULL;
    }
    if (group == NULL) {
        return NULL;
    }
    struct group_view view;
    x->has_row = false;
    if (coordinator_view(x->b->coordinator, group_id(group), &view)) {
        x->states[GROUP_EMPTY] += view.state == GROUP_EMPTY && !view.is_consumer;
        x->consumers[view.consumer_state] += view.is_consumer;
        row_add(x, group_id(group), &view);
    }
    buf_reset(&x->last);
    buf_append_str(&x->last, group_id(group));
    x->has_last = true;
    x->after_topic = (struct uuid){{0}};
    x->after_partition = -1;
    return group;
}

static void offset_add(struct group_page *x, const struct offset_view *view)
{
    const struct partition *p = topic_partition(view->topic, view->partition);
    if (p == NULL) {
        return;
    }
    int64_t lag = partition_high_watermark(p) - view->offset;
    struct offset_row *row = &x->offsets[x->offset_count++];
    struct str name = topic_name(view->topic);
    *row = (struct offset_row){.group = x->group_count - 1,
                               .partition = view->partition,
                               .offset = view->offset,
                               .lag = lag < 0 ? 0 : lag};
    memcpy(row->topic, name.ptr, name.len);
}

// copy_step is false when all is copied. The lock is held.
static bool copy_step(struct group_page *x)
{
    const struct group *group = x->has_last ? core_group_find(x->b->core, last_of(x)) : NULL;
    for (int step = 0; step < COPY_STEP; step++) {
        struct offset_view view;
        bool has_room = x->has_row && x->offset_count < x->cap;
        if (group != NULL && has_room &&
            group_offset_next(group, x->after_topic, x->after_partition, &view)) {
            offset_add(x, &view);
            x->after_topic = topic_id(view.topic);
            x->after_partition = view.partition;
            continue;
        }
        group = group_begin(x);
        if (group == NULL) {
            return false;
        }
    }
    return true;
}

static void copy_state(struct group_page *x)
{
    bool has_more = true;
    while (has_more) {
        mutex_lock(&x->b->lock);
        has_more = copy_step(x);
        mutex_unlock(&x->b->lock);
    }
    mutex_lock(&x->b->lock);
    x->offset_total = core_offset_total(x->b->core);
    for (enum group_state state = GROUP_PREPARING; state < GROUP_STATE_COUNT; state++) {
        x->states[state] = coordinator_count(x->b->coordinator, state);
    }
    x->rises = coordinator_rises(x->b->coordinator);
    mutex_unlock(&x->b->lock);
    for (enum group_state state = GROUP_EMPTY; state < GROUP_STATE_COUNT; state++) {
        x->group_total += x->states[state];
    }
}

// ---- writing

static void put_number(const struct group_page *x, const char *name, const char *help, uint64_t value)
{
    metrics_family(x->out, name, "gauge", help);
    buf_printf(x->out, "%s %llu\n", name, (unsigned long long)value);
}

static void put_group(const struct group_page *x, const char *name, uint32_t group)
{
    const struct group_row *row = &x->groups[group];
    buf_printf(x->out, "%s{consumergroup=\"", name);
    metrics_label(x->out, (struct str){(const char *)x->names.ptr + row->name_at, row->name_len});
}

static void put_rows(const struct group_page *x)
{
    metrics_family(x->out, "kafka_consumergroup_members", "gauge", "Members");
    for (uint32_t i = 0; i < x->group_count; i++) {
        put_group(x, "kafka_consumergroup_members", i);
        buf_printf(x->out, "\"} %u\n", x->groups[i].members);
    }
    metrics_family(x->out, "kafka_consumergroup_current_offset", "gauge", "Committed offset");
    for (uint32_t i = 0; i < x->offset_count; i++) {
        const struct offset_row *row = &x->offsets[i];
        put_group(x, "kafka_consumergroup_current_offset", row->group);
        buf_printf(x->out, "\",topic=\"%s\",partition=\"%d\"} %lld\n", row->topic, row->partition,
                   (long long)row->offset);
    }
    metrics_family(x->out, "kafka_consumergroup_lag", "gauge", "Records behind the end of the log");
    for (uint32_t i = 0; i < x->offset_count; i++) {
        const struct offset_row *row = &x->offsets[i];
        put_group(x, "kafka_consumergroup_lag", row->group);
        buf_printf(x->out, "\",topic=\"%s\",partition=\"%d\"} %lld\n", row->topic, row->partition,
                   (long long)row->lag);
    }
}

// put_protocols: what Kafka tells of both protocols, and of the states of the consumer protocol.
static void put_protocols(const struct group_page *x)
{
    static const char groups[] = "kafka_server_group_coordinator_metrics_group_count";
    static const char states[] = "kafka_server_group_coordinator_metrics_consumer_group_count";
    static const char rises[] = "kafka_server_group_coordinator_metrics_consumer_group_rebalance_count";
    static const char *const names[CONSUMER_STATE_COUNT] = {"empty", "assigning", "reconciling", "stable"};
    uint64_t total = 0;
    metrics_family(x->out, states, "gauge", "Groups of the consumer protocol in this state");
    for (enum consumer_state state = CONSUMER_EMPTY; state < CONSUMER_STATE_COUNT; state++) {
        buf_printf(x->out, "%s{state=\"%s\"} %llu\n", states, names[state],
                   (unsigned long long)x->consumers[state]);
        total += x->consumers[state];
    }
    metrics_family(x->out, groups, "gauge", "Groups of this protocol");
    buf_printf(x->out, "%s{protocol=\"classic\"} %llu\n", groups, (unsigned long long)x->group_total);
    buf_printf(x->out, "%s{protocol=\"consumer\"} %llu\n", groups, (unsigned long long)total);
    metrics_family(x->out, rises, "counter", "Rebalances of groups of the consumer protocol");
    buf_printf(x->out, "%s %llu\n", rises, (unsigned long long)x->rises);
}

static void put_counts(const struct group_page *x)
{
    put_number(x, "kafka_coordinator_group_groupmetadatamanager_numgroups", "Classic groups", x->group_total);
    put_number(x, "kafka_coordinator_group_groupmetadatamanager_numgroupsempty", "Groups without members",
               x->states[GROUP_EMPTY]);
    put_number(x, "kafka_coordinator_group_groupmetadatamanager_numgroupspreparingrebalance",
               "Groups that wait for their members to join", x->states[GROUP_PREPARING]);
    put_number(x, "kafka_coordinator_group_groupmetadatamanager_numgroupscompletingrebalance",
               "Groups that wait for their leader's assignment", x->states[GROUP_COMPLETING]);
    put_number(x, "kafka_coordinator_group_groupmetadatamanager_numgroupsstable", "Groups at work",
               x->states[GROUP_STABLE]);
    put_number(x, "kafka_coordinator_group_groupmetadatamanager_numoffsets", "Committed offsets",
               x->offset_total);
    put_number(x, "strom_metrics_group_offsets_left_out",
               "Committed offsets without series of their own (strom.metrics.partitions.max)",
               x->offset_total > x->offset_count ? x->offset_total - x->offset_count : 0);
}

void exposition_groups(struct broker *b, struct buf *out)
{
    struct group_page x = {.b = b, .out = out};
    mutex_lock(&b->lock);
    uint64_t there = core_offset_total(b->core) + core_group_count(b->core);
    mutex_unlock(&b->lock);
    uint64_t limit = (uint64_t)broker_setting_i64(b, STR("strom.metrics.partitions.max"));
    x.cap = (uint32_t)(there < limit ? there : limit);
    x.groups = mem_array((size_t)x.cap + 1, sizeof *x.groups);
    x.offsets = mem_array((size_t)x.cap + 1, sizeof *x.offsets);
    buf_init(&x.names, NAMES_BYTES_MAX);
    buf_init(&x.last, ITEM_TEXT_MAX + 1);
    copy_state(&x);
    put_rows(&x);
    put_counts(&x);
    put_protocols(&x);
    buf_fini(&x.names);
    buf_fini(&x.last);
    mem_free(x.groups);
    mem_free(x.offsets);
}
