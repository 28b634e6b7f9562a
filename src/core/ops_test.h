// SPDX-License-Identifier: Apache-2.0
// ops_test.h - a stream of random but plausible items: topics that come and go, producers that retry, restart
// and misbehave, trims, merges that are planned now and submitted later, when they may be stale, groups that
// change and commit, and quotas.
#ifndef CORE_OPS_TEST_H
#define CORE_OPS_TEST_H

#include "core/rig_test.h"

#include <stdio.h>

enum {
    OPS_SENT = 32,
    OPS_PLANS = 4,
    OPS_TOPICS = 6,
    OPS_OLD_MAX = 6,
    OPS_FRESH_MAX = 3,
    OPS_GROUPS = 5,
    OPS_MEMBERS = 6,
    OPS_COMMIT_MAX = 4,
    OPS_CONFIGS = 5
};

struct ops_plan {
    bool is_used;
    struct item item;
    struct extent old_extents[OPS_OLD_MAX];
    struct extent fresh_extents[OPS_FRESH_MAX];
};
struct ops {
    uint64_t random;
    struct item sent[OPS_SENT]; // batches that may be sent again
    uint32_t sent_count;
    struct ops_plan plans[OPS_PLANS];
    uint8_t last_id;
    uint64_t last_object;
    char name[8];
    struct item_config configs[OPS_CONFIGS];
    char value[8];
    struct item_member members[OPS_MEMBERS]; // of the item just made, as what follows
    struct item_offset offsets[OPS_COMMIT_MAX];
    struct item_offset_name names[OPS_COMMIT_MAX];
    struct item_quota_part parts[2];
    struct item_quota_value values[2];
};

static inline void ops_init(struct ops *ops, uint64_t seed)
{
    *ops = (struct ops){.random = seed * 2654435769u + 88172645463325252u, .last_object = 1000};
}

static inline uint32_t ops_random(struct ops *ops, uint32_t below)
{
    ops->random ^= ops->random << 13;
    ops->random ^= ops->random >> 7;
    ops->random ^= ops->random << 17;
    return (uint32_t)((ops->random >> 20) % below);
}

static inline struct topic *ops_topic(struct ops *ops, struct rig *rig)
{
    uint32_t count = core_topic_count(rig->core);
    return count == 0 ? NULL : core_topic_at(rig->core, ops_random(ops, count));
}

static inline struct partition *ops_partition(struct ops *ops, struct rig *rig)
{
    struct topic *topic = ops_topic(ops, rig);
    return topic == NULL
               ? NULL
               : topic_partition(topic, (int32_t)ops_random(ops, (uint32_t)topic_partition_count(topic)));
}

static inline void ops_create(struct ops *ops, struct item *ret)
{
    snprintf(ops->name, sizeof ops->name, "t%u", ops_random(ops, OPS_TOPICS));
    *ret = rig_create(++ops->last_id, ops->name, 1 + (int32_t)ops_random(ops, 3));
    ops->configs[0] = (struct item_config){STR("strom.durability"), STR("os")};
    ret->topic_create.configs = ops->configs;
    ret->topic_create.config_count = ops_random(ops, 2);
}

static inline void ops_data(struct ops *ops, struct partition *p, struct item *ret)
{
    uint32_t dice = ops_random(ops, 100);
    if (dice < 25 && ops->sent_count > 0) { // sent again: a duplicate, stale, or to a topic that is gone
        uint32_t newest = ops->sent_count - 1;
        uint32_t back = ops_random(ops, newest < 8 ? newest + 1 : 8);
        *ret = ops->sent[(newest - back) % OPS_SENT];
        return;
    }
    struct uuid id = topic_id(partition_topic(p));
    int64_t producer_id = (int64_t)ops_random(ops, 5) - 1;
    *ret = rig_idempotent(id.b[15], partition_index(p), producer_id, 0, 0, 1 + (int32_t)ops_random(ops, 4));
    struct producer_view views[16];
    uint32_t count = partition_producers(p, views, 16);
    for (uint32_t i = 0; i < count; i++) {
        if (views[i].producer_id == producer_id) {
            ret->data.producer_epoch = views[i].producer_epoch;
            ret->data.base_sequence = (int32_t)(((int64_t)views[i].last_sequence + 1) & INT32_MAX);
        }
    }
    if (dice < 30) {
        ret->data.producer_epoch++;
        ret->data.base_sequence = (int32_t)ops_random(ops, 2);
    } else if (dice < 35) {
        ret->data.base_sequence = INT32_MAX - (int32_t)ops_random(ops, 5);
    } else if (dice < 38) {
        ret->data.producer_epoch--;
    }
    ops->sent[ops->sent_count++ % OPS_SENT] = *ret;
}

// ops_plan_make plans a merge of a run of extents as they are now.
static inline void ops_plan_make(struct ops *ops, struct partition *p, struct ops_plan *plan)
{
    uint32_t count = partition_extent_count(p);
    if (count == 0) {
        return;
    }
    uint32_t first = ops_random(ops, count);
    uint32_t most = count - first < OPS_OLD_MAX ? count - first : OPS_OLD_MAX;
    uint32_t old_count = 1 + ops_random(ops, most);
    for (uint32_t i = 0; i < old_count; i++) {
        plan->old_extents[i] = *partition_extent(p, first + i);
    }
    int64_t from = plan->old_extents[0].base_offset;
    int64_t to = plan->old_extents[old_count - 1].end_offset;
    uint32_t fresh_count = 0;
    while (from < to) { // two random cuts at most, nowhere near the old ones
        bool is_last = fresh_count + 1 == OPS_FRESH_MAX;
        int64_t end = is_last ? to : from + 1 + ops_random(ops, (uint32_t)(to - from));
        plan->fresh_extents[fresh_count] = (struct extent){
            .base_offset = from,
            .end_offset = end,
            .object = ++ops->last_object,
            .length = 90 * (uint32_t)(end - from),
            .record_count = (uint32_t)(end - from),
            .flags = EXTENT_FINAL,
        };
        from = end;
        fresh_count++;
    }
    plan->item = rig_kind(ITEM_REPLACE);
    plan->item.replace.topic_id = topic_id(partition_topic(p));
    plan->item.replace.partition = partition_index(p);
    plan->item.replace.old_extents = plan->old_extents;
    plan->item.replace.old_count = old_count;
    plan->item.replace.fresh_extents = plan->fresh_extents;
    plan->item.replace.fresh_count = fresh_count;
    plan->is_used = true;
}

// ops_replace submits one plan and makes another.
static inline bool ops_replace(struct ops *ops, struct partition *p, struct item *ret)
{
    struct ops_plan *plan = &ops->plans[ops_random(ops, OPS_PLANS)];
    if (!plan->is_used) {
        ops_plan_make(ops, p, plan);
        return false;
    }
    *ret = plan->item;
    plan->is_used = false;
    return true;
}

static inline void ops_configs(struct ops *ops, struct rig *rig, struct item *ret)
{
    *ret = rig_kind(ITEM_CONFIG_SET);
    struct topic *topic = ops_topic(ops, rig);
    snprintf(ops->value, sizeof ops->value, "%u", 3 + ops_random(ops, 12));
    ops->configs[0] = (struct item_config){STR("strom.producer.ids.max"), str_from_c(ops->value)};
    ops->configs[1] = (struct item_config){STR("producer.id.expiration.ms"), STR("500")};
    ops->configs[2] = (struct item_config){STR("strom.group.offsets.max"), str_from_c(ops->value)};
    ops->configs[3] = (struct item_config){STR("strom.groups.max"), STR("3")};
    ops->configs[4] = (struct item_config){STR("strom.quotas.max"), STR("2")};
    ret->config_set.configs = ops->configs;
    ret->config_set.config_count = ops_random(ops, OPS_CONFIGS + 1);
    ret->config_set.expected_revision = core_broker_config_revision(rig->core);
    if (topic != NULL && ops_random(ops, 2) == 0) {
        ret->config_set.topic_id = topic_id(topic);
        ret->config_set.expected_revision = topic_config_revision(topic) + (ops_random(ops, 5) == 0);
    }
}

// ---- groups

static inline struct str ops_group_id(uint32_t index)
{
    static const char *const ids[OPS_GROUPS] = {"", "billing", "billing-2", "connect", "zz"};
    return str_from_c(ids[index]);
}

static inline struct str ops_member_id(uint32_t index)
{
    static const char *const ids[OPS_MEMBERS] = {"m3", "m1", "a", "m12", "m", "z"};
    return str_from_c(ids[index]);
}

static inline void ops_group_set(struct ops *ops, struct str id, const struct group *group, struct item *ret)
{
    *ret = rig_kind(ITEM_GROUP_SET);
    struct item_group_set *set = &ret->group_set;
    set->group_id = id;
    set->expected_generation = (group == NULL ? 0 : group_generation(group)) + (ops_random(ops, 8) == 0);
    set->generation = set->expected_generation + (int32_t)ops_random(ops, 3);
    set->protocol_type = STR("consumer");
    set->members = ops->members;
    uint32_t first = ops_random(ops, OPS_MEMBERS);
    for (uint32_t i = ops_random(ops, 2); i > 0 && set->member_count < OPS_MEMBERS; i = ops_random(ops, 4)) {
        uint32_t index = (first + set->member_count) % OPS_MEMBERS;
        ops->members[set->member_count++] = (struct item_member){
            .member_id = ops_member_id(index),
            .instance_id = index % 2 == 0 ? STR("") : (struct str){NULL, 0},
            .client_id = STR("client"),
            .session_timeout_ms = (int32_t)ops_random(ops, 1000),
            .assignment = bytes_of("\0\1", index % 3),
        };
    }
    if (set->member_count > 0) {
        set->protocol_name = STR("range");
        set->leader = ops->members[0].member_id;
    }
}

static inline void ops_commit(struct ops *ops, struct rig *rig, struct str id, const struct group *group,
                              struct item *ret)
{
    *ret = rig_kind(ITEM_OFFSET_COMMIT);
    struct item_offset_commit *commit = &ret->offset_commit;
    commit->group_id = id;
    commit->generation = -1;
    if (group != NULL && group_member_count(group) > 0) {
        commit->generation = group_generation(group);
        commit->member_id = group_member_at(group, 0)->member_id;
    }
    uint32_t dice = ops_random(ops, 16);
    commit->generation += dice == 0;
    commit->member_id = dice == 1 ? ops_member_id(ops_random(ops, OPS_MEMBERS)) : commit->member_id;
    commit->offsets = ops->offsets;
    commit->offset_count = ops_random(ops, OPS_COMMIT_MAX + 1);
    for (uint32_t i = 0; i < commit->offset_count; i++) {
        struct topic *topic = ops_topic(ops, rig);
        ops->offsets[i] = (struct item_offset){
            .topic_id = ops_random(ops, 16) == 0 ? rig_id((uint8_t)ops_random(ops, 256)) : topic_id(topic),
            .partition = (int32_t)ops_random(ops, 4),
            .offset = (int64_t)ops_random(ops, 1000),
            .leader_epoch = (int32_t)ops_random(ops, 3) - 1,
            .retention_ms = (int64_t)ops_random(ops, 4) * 100 - 200,
            .metadata = {"metadata", ops_random(ops, 3)},
        };
    }
}

static inline void ops_offset_delete(struct ops *ops, struct rig *rig, struct str id,
                                     const struct group *group, struct item *ret)
{
    *ret = rig_kind(ITEM_OFFSET_DELETE);
    struct item_offset_delete *delete = &ret->offset_delete;
    delete->group_id = id;
    delete->expected_generation = -1;
    if (group != NULL && ops_random(ops, 2) == 0) {
        delete->expected_generation = group_generation(group) + (ops_random(ops, 4) == 0);
    }
    delete->cutoff_ms = ops_random(ops, 3) == 0 ? INT64_MAX : rig->time_ms - (int64_t)ops_random(ops, 300);
    delete->names = ops->names;
    delete->name_count = ops_random(ops, OPS_COMMIT_MAX + 1);
    for (uint32_t i = 0; i < delete->name_count; i++) {
        ops->names[i] = (struct item_offset_name){topic_id(ops_topic(ops, rig)), (int32_t)ops_random(ops, 4)};
    }
}

static inline void ops_quota_set(struct ops *ops, struct rig *rig, struct item *ret)
{
    *ret = rig_kind(ITEM_QUOTA_SET);
    struct item_quota_set *set = &ret->quota_set;
    uint32_t which = ops_random(ops, 4);
    ops->parts[0] = (struct item_quota_part){QUOTA_USER, which < 2 ? STR("u") : (struct str){NULL, 0}};
    ops->parts[1] = (struct item_quota_part){QUOTA_CLIENT_ID, STR("c")};
    set->parts = ops->parts;
    set->part_count = 1 + which % 2;
    ops->values[0] = (struct item_quota_value){STR("consumer_byte_rate"), ops_random(ops, 100) / 4.0};
    ops->values[1] = (struct item_quota_value){STR("producer_byte_rate"), 1e9};
    set->values = ops->values;
    set->value_count = ops_random(ops, 3);
    struct quota_view view = {0};
    core_quota_find(rig->core, set->parts, set->part_count, &view);
    set->expected_revision = view.revision + (ops_random(ops, 8) == 0);
}

static inline void ops_group_next(struct ops *ops, struct rig *rig, struct item *ret)
{
    struct str id = ops_group_id(ops_random(ops, OPS_GROUPS));
    const struct group *group = core_group_find(rig->core, id);
    uint32_t dice = ops_random(ops, 100);
    if (dice < 25) {
        ops_group_set(ops, id, group, ret);
    } else if (dice < 75) {
        ops_commit(ops, rig, id, group, ret);
    } else if (dice < 85) {
        ops_offset_delete(ops, rig, id, group, ret);
    } else if (dice < 90) {
        *ret = rig_kind(ITEM_GROUP_DELETE);
        ret->group_delete = (struct item_group_delete){id, ops_random(ops, 2) == 0};
    } else {
        ops_quota_set(ops, rig, ret);
    }
}

static inline void ops_next(struct ops *ops, struct rig *rig, struct item *ret)
{
    struct partition *p = ops_partition(ops, rig);
    uint32_t dice = ops_random(ops, 1000);
    if (p == NULL || dice < 15) {
        ops_create(ops, ret);
        return;
    }
    struct uuid id = topic_id(partition_topic(p));
    int64_t span = partition_high_watermark(p) - partition_log_start(p);
    if (dice < 23) {
        *ret = rig_delete(id.b[15]);
    } else if (dice < 30) {
        int32_t count = topic_partition_count(partition_topic(p));
        *ret = rig_kind(ITEM_PARTITIONS_ADD);
        ret->partitions_add = (struct item_partitions_add){id, count, count + 1};
    } else if (dice < 45) {
        ops_configs(ops, rig, ret);
    } else if (dice < 55) {
        *ret = rig_kind(ITEM_PRODUCER_ID);
    } else if (dice < 100) {
        int64_t by = (int64_t)ops_random(ops, (uint32_t)span + 3) - 1;
        *ret = rig_trim(id.b[15], partition_index(p), partition_log_start(p) + by / (1 + ops_random(ops, 8)));
    } else if (dice < 120) {
        *ret = rig_kind(ITEM_TICK);
    } else if (dice < 123) {
        *ret = rig_kind(ITEM_EPOCH_RAISE);
    } else if (dice >= 750) {
        ops_group_next(ops, rig, ret);
    } else if (dice >= 250 || !ops_replace(ops, p, ret)) {
        ops_data(ops, p, ret);
    }
    if (ret->kind == ITEM_DATA && rig->item_count > 0 && ops_random(ops, 10) == 0) {
        ret->depends_on = 1 + ops_random(ops, rig->item_count);
    }
}

#endif
