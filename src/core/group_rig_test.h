// SPDX-License-Identifier: Apache-2.0
// group_rig_test.h - short ways to say items of groups, offsets and quotas.
#ifndef CORE_GROUP_RIG_TEST_H
#define CORE_GROUP_RIG_TEST_H

#include "core/rig_test.h"

enum { GROUP_RIG_MEMBERS = 8 };

// rig_group_set: members by the letters of `members`, each an id.
static inline struct item rig_group_set(const char *group, int32_t expected, int32_t generation,
                                        const char *members)
{
    static struct item_member room[GROUP_RIG_MEMBERS];
    struct item item = {.kind = ITEM_GROUP_SET, .version = 1};
    item.group_set = (struct item_group_set){
        .group_id = str_from_c(group),
        .expected_generation = expected,
        .generation = generation,
        .protocol_type = STR("consumer"),
        .members = room,
        .member_count = (uint32_t)strlen(members),
    };
    assert_true(item.group_set.member_count <= GROUP_RIG_MEMBERS);
    for (uint32_t i = 0; i < item.group_set.member_count; i++) {
        room[i] = (struct item_member){.member_id = {members + i, 1}};
    }
    return item;
}

static inline struct item rig_group_delete(const char *group, bool must_be_bare)
{
    return (struct item){
        .kind = ITEM_GROUP_DELETE, .version = 1, .group_delete = {str_from_c(group), must_be_bare}};
}

static inline struct item rig_commit_all(const char *group, int32_t generation, const char *member,
                                         struct item_offset *offsets, uint32_t count)
{
    return (struct item){
        .kind = ITEM_OFFSET_COMMIT,
        .version = 1,
        .offset_commit = {str_from_c(group), generation, str_from_c(member), offsets, count},
    };
}

static inline struct item_offset rig_offset(uint8_t topic, int32_t partition, int64_t offset)
{
    return (struct item_offset){.topic_id = rig_id(topic),
                                .partition = partition,
                                .offset = offset,
                                .leader_epoch = -1,
                                .retention_ms = -1,
                                .metadata = STR("")};
}

// rig_commit: one offset, outside a generation.
static inline enum err rig_commit(struct rig *rig, const char *group, uint8_t topic, int32_t partition,
                                  int64_t offset)
{
    struct item_offset one = rig_offset(topic, partition, offset);
    struct item item = rig_commit_all(group, -1, "", &one, 1);
    return rig_one(rig, &item).err;
}

static inline struct group *rig_group(struct rig *rig, const char *id)
{
    return core_group_find(rig->core, str_from_c(id));
}

// rig_committed: the offset, or -1.
static inline int64_t rig_committed(struct rig *rig, const char *group, uint8_t topic, int32_t partition)
{
    struct topic *t = core_topic_find_id(rig->core, rig_id(topic));
    struct offset_view view;
    assert_non_null(rig_group(rig, group));
    return t != NULL && group_offset_find(rig_group(rig, group), t, partition, &view) ? view.offset : -1;
}

static inline enum err rig_set(struct rig *rig, const char *group, int32_t expected, int32_t generation,
                               const char *members)
{
    struct item item = rig_group_set(group, expected, generation, members);
    return rig_one(rig, &item).err;
}

static inline enum err rig_limit(struct rig *rig, const char *key, const char *value)
{
    struct item_config config = {str_from_c(key), str_from_c(value)};
    return rig_configs(rig, 0, &config, 1, core_broker_config_revision(rig->core));
}

// rig_copy hands the state over through a snapshot: nothing may get lost.
static inline struct core *rig_copy(struct core *core)
{
    struct buf snapshot;
    rig_snapshot(core, &snapshot);
    struct core *loaded = core_create();
    struct error e = {0};
    if (core_load(loaded, buf_bytes(&snapshot), &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
    assert_true(core_state_hash(loaded) == core_state_hash(core));
    buf_fini(&snapshot);
    return loaded;
}

static inline void rig_reload(struct rig *rig)
{
    struct core *loaded = rig_copy(rig->core);
    core_destroy(rig->core);
    rig->core = loaded;
}

// rig_commit_many: `count` offsets with metadata of one topic, from its first partition on.
enum { RIG_OFFSETS_MAX = 6000 };
static inline struct item rig_commit_many(const char *group, uint8_t topic, uint32_t count)
{
    static struct item_offset offsets[RIG_OFFSETS_MAX];
    assert_true(count <= RIG_OFFSETS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        offsets[i] = rig_offset(topic, (int32_t)i, (int64_t)i);
        offsets[i].metadata = STR("m");
    }
    return rig_commit_all(group, -1, "", offsets, count);
}

#endif
