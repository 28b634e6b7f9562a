// SPDX-License-Identifier: Apache-2.0
// model_group_test.h - the part of the reference model that knows groups, their offsets and quotas: flat
// arrays, searched from end to end.
#ifndef CORE_MODEL_GROUP_TEST_H
#define CORE_MODEL_GROUP_TEST_H

#include "core/ops_test.h"

enum { MODEL_GROUP_OFFSETS = 1024, MODEL_QUOTAS = 8 };

struct model_offset {
    struct uuid topic_id;
    int32_t partition;
    int64_t offset;
    int32_t leader_epoch;
    int64_t commit_ms;
    int64_t retention_ms;
    size_t metadata_len; // of "metadata"
};
struct model_group {
    bool is_there;
    int32_t generation;
    struct str members[OPS_MEMBERS];
    uint32_t member_count;
    int64_t empty_since_ms;
    struct model_offset offsets[MODEL_GROUP_OFFSETS];
    uint32_t offset_count;
};
struct model_quota { // there if revision > 0
    uint64_t revision;
    uint32_t value_count;
    double first_value;
};
struct model_groups {
    struct model_group groups[OPS_GROUPS];
    struct model_quota quotas[2][2]; // default user or "u"; without or with client id
    uint64_t offsets_max;
    uint64_t groups_max;
    uint64_t quotas_max;
};

static struct model_group *model_group_find(struct model_groups *m, struct str id)
{
    for (uint32_t i = 0; i < OPS_GROUPS; i++) {
        if (str_equal(ops_group_id(i), id)) {
            return &m->groups[i];
        }
    }
    fail_msg("no such group in the model");
    return NULL;
}

static uint64_t model_group_count(const struct model_groups *m)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < OPS_GROUPS; i++) {
        count += m->groups[i].is_there;
    }
    return count;
}

static uint64_t model_offset_count(const struct model_groups *m)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < OPS_GROUPS; i++) {
        count += m->groups[i].offset_count;
    }
    return count;
}

static uint64_t model_offset_text(const struct model_groups *m)
{
    uint64_t text = 0;
    for (uint32_t i = 0; i < OPS_GROUPS; i++) {
        for (uint32_t k = 0; k < m->groups[i].offset_count; k++) {
            text += m->groups[i].offsets[k].metadata_len;
        }
    }
    return text;
}

static enum err model_group_set(struct model_groups *m, const struct item_group_set *set, int64_t now_ms)
{
    struct model_group *g = model_group_find(m, set->group_id);
    if (set->expected_generation != g->generation) {
        return ERR_STALE;
    }
    if (!g->is_there && model_group_count(m) >= m->groups_max) {
        return ERR_POLICY_VIOLATION;
    }
    int64_t was = g->is_there ? g->empty_since_ms : INT64_MIN;
    g->empty_since_ms = set->member_count > 0 ? INT64_MAX : g->member_count > 0 ? now_ms : was;
    g->is_there = true;
    g->generation = set->generation;
    g->member_count = set->member_count;
    for (uint32_t i = 0; i < set->member_count; i++) {
        g->members[i] = set->members[i].member_id; // literals
    }
    return ERR_OK;
}

static enum err model_group_delete(struct model_groups *m, const struct item_group_delete *delete)
{
    struct model_group *g = model_group_find(m, delete->group_id);
    if (!g->is_there) {
        return ERR_GROUP_ID_NOT_FOUND;
    }
    if (g->member_count > 0) {
        return ERR_NON_EMPTY_GROUP;
    }
    if (delete->must_be_bare && g->offset_count > 0) {
        return ERR_STALE;
    }
    *g = (struct model_group){0};
    return ERR_OK;
}

static uint32_t model_offset_find(const struct model_group *g, struct uuid topic_id, int32_t partition)
{
    uint32_t i = 0;
    while (i < g->offset_count &&
           !(uuid_equal(g->offsets[i].topic_id, topic_id) && g->offsets[i].partition == partition)) {
        i++;
    }
    return i;
}

static enum err model_commit_check(const struct model_group *g, const struct item_offset_commit *commit)
{
    if (commit->generation == -1) {
        return g->member_count == 0 ? ERR_OK : ERR_UNKNOWN_MEMBER_ID;
    }
    bool is_member = false;
    for (uint32_t i = 0; i < g->member_count; i++) {
        is_member = is_member || str_equal(g->members[i], commit->member_id);
    }
    if (g->is_there && !is_member) {
        return ERR_UNKNOWN_MEMBER_ID;
    }
    return g->is_there && g->generation == commit->generation ? ERR_OK : ERR_ILLEGAL_GENERATION;
}

// partition_counts: how many partitions a topic has, by the last byte of its id; 0 = there is no such topic.
static enum err model_commit(struct model_groups *m, const struct item_offset_commit *commit,
                             const int32_t partition_counts[256], int64_t now_ms)
{
    struct model_group *g = model_group_find(m, commit->group_id);
    enum err err = model_commit_check(g, commit);
    if (err != ERR_OK) {
        return err;
    }
    uint32_t fresh = 0;
    uint64_t text = 0;
    uint32_t kept = 0;
    bool is_kept[OPS_COMMIT_MAX];
    for (uint32_t i = 0; i < commit->offset_count; i++) {
        const struct item_offset *o = &commit->offsets[i];
        is_kept[i] = o->partition < partition_counts[o->topic_id.b[15]];
        kept += is_kept[i];
        uint32_t at = model_offset_find(g, o->topic_id, o->partition);
        size_t before = at == g->offset_count ? 0 : g->offsets[at].metadata_len;
        fresh += is_kept[i] && at == g->offset_count;
        text += is_kept[i] && o->metadata.len > before ? o->metadata.len - before : 0;
    }
    if (kept == 0) {
        return ERR_OK;
    }
    bool is_over = (fresh > 0 && model_offset_count(m) + fresh > m->offsets_max) ||
                   (text > 0 && model_offset_text(m) + text > m->offsets_max * 128);
    if (is_over || (!g->is_there && model_group_count(m) >= m->groups_max)) {
        return ERR_POLICY_VIOLATION;
    }
    g->empty_since_ms = g->is_there ? g->empty_since_ms : INT64_MIN;
    g->is_there = true;
    for (uint32_t i = 0; i < commit->offset_count; i++) {
        const struct item_offset *o = &commit->offsets[i];
        if (is_kept[i]) {
            uint32_t at = model_offset_find(g, o->topic_id, o->partition);
            g->offset_count += at == g->offset_count;
            assert_true(g->offset_count <= MODEL_GROUP_OFFSETS);
            g->offsets[at] = (struct model_offset){o->topic_id,    o->partition,
                                                   o->offset,      o->leader_epoch,
                                                   now_ms,         o->retention_ms < 0 ? -1 : o->retention_ms,
                                                   o->metadata.len};
        }
    }
    return ERR_OK;
}

static enum err model_offset_delete(struct model_groups *m, const struct item_offset_delete *delete,
                                    int64_t now_ms)
{
    struct model_group *g = model_group_find(m, delete->group_id);
    if (!g->is_there) {
        return ERR_GROUP_ID_NOT_FOUND;
    }
    if (delete->expected_generation != -1 && delete->expected_generation != g->generation) {
        return ERR_STALE;
    }
    for (uint32_t i = 0; i < delete->name_count; i++) {
        uint32_t at = model_offset_find(g, delete->names[i].topic_id, delete->names[i].partition);
        if (at == g->offset_count) {
            continue;
        }
        const struct model_offset *o = &g->offsets[at];
        bool is_seen = g->member_count > 0 && delete->expected_generation >= 0;
        bool is_old =
            o->commit_ms <= delete->cutoff_ms && (is_seen || g->empty_since_ms <= delete->cutoff_ms);
        bool is_due = o->retention_ms >= 0 ? o->commit_ms + o->retention_ms <= now_ms : is_old;
        if (is_due || delete->cutoff_ms == INT64_MAX) {
            g->offsets[at] = g->offsets[--g->offset_count];
        }
    }
    return ERR_OK;
}

static void model_offsets_drop(struct model_groups *m, struct uuid topic_id)
{
    for (uint32_t i = 0; i < OPS_GROUPS; i++) {
        struct model_group *g = &m->groups[i];
        for (uint32_t k = g->offset_count; k-- > 0;) {
            if (uuid_equal(g->offsets[k].topic_id, topic_id)) {
                g->offsets[k] = g->offsets[--g->offset_count];
            }
        }
    }
}

static enum err model_quota_set(struct model_groups *m, const struct item_quota_set *set)
{
    struct model_quota *q = &m->quotas[set->parts[0].name.ptr != NULL][set->part_count - 1];
    uint64_t count = 0;
    for (int i = 0; i < 4; i++) {
        count += m->quotas[i / 2][i % 2].revision > 0;
    }
    if (set->expected_revision != q->revision) {
        return ERR_STALE;
    }
    if (q->revision == 0 && set->value_count > 0 && count >= m->quotas_max) {
        return ERR_POLICY_VIOLATION;
    }
    uint64_t revision = set->value_count > 0 ? q->revision + 1 : 0;
    *q = (struct model_quota){revision, set->value_count, set->values[0].value};
    return ERR_OK;
}

// ---- comparing

static void model_offsets_compare(const struct model_group *want, const struct group *group)
{
    struct uuid topic = {{0}};
    int32_t partition = -1;
    struct offset_view view;
    uint32_t count = 0;
    while (group_offset_next(group, topic, partition, &view)) {
        int order = memcmp(topic_id(view.topic).b, topic.b, sizeof topic.b);
        assert_true(order > 0 || (order == 0 && view.partition > partition));
        topic = topic_id(view.topic);
        partition = view.partition;
        uint32_t at = model_offset_find(want, topic, partition);
        assert_true(at < want->offset_count);
        assert_int_equal(view.offset, want->offsets[at].offset);
        assert_int_equal(view.leader_epoch, want->offsets[at].leader_epoch);
        assert_int_equal(view.commit_ms, want->offsets[at].commit_ms);
        assert_int_equal(view.retention_ms, want->offsets[at].retention_ms);
        assert_int_equal(view.metadata.len, want->offsets[at].metadata_len);
        assert_memory_equal(view.metadata.ptr, "metadata", view.metadata.len);
        struct offset_view again;
        assert_true(group_offset_find(group, view.topic, partition, &again));
        assert_int_equal(again.offset, view.offset);
        count++;
    }
    assert_int_equal(count, want->offset_count);
    assert_int_equal(group_offset_count(group), want->offset_count);
}

static void model_groups_compare(struct model_groups *m, struct rig *rig)
{
    for (uint32_t i = 0; i < OPS_GROUPS; i++) {
        const struct model_group *want = &m->groups[i];
        struct group *group = core_group_find(rig->core, ops_group_id(i));
        assert_int_equal(group != NULL, want->is_there);
        if (group == NULL) {
            continue;
        }
        assert_int_equal(group_generation(group), want->generation);
        assert_int_equal(group_empty_since_ms(group), want->empty_since_ms);
        assert_int_equal(group_member_count(group), want->member_count);
        for (uint32_t k = 0; k < want->member_count; k++) {
            assert_true(str_equal(group_member_at(group, k)->member_id, want->members[k]));
        }
        model_offsets_compare(want, group);
    }
    assert_int_equal(core_group_count(rig->core), model_group_count(m));
    for (uint32_t i = 1; i < core_group_count(rig->core); i++) {
        assert_true(str_compare(group_id(core_group_at(rig->core, i - 1)),
                                group_id(core_group_at(rig->core, i))) < 0);
    }
    assert_int_equal(core_offset_total(rig->core), model_offset_count(m));
    uint32_t quotas = 0;
    for (int i = 0; i < 4; i++) {
        const struct model_quota *want = &m->quotas[i / 2][i % 2];
        struct item_quota_part parts[2] = {{QUOTA_USER, i / 2 == 1 ? STR("u") : (struct str){NULL, 0}},
                                           {QUOTA_CLIENT_ID, STR("c")}};
        struct quota_view view = {0};
        assert_int_equal(core_quota_find(rig->core, parts, 1 + (uint32_t)i % 2, &view), want->revision > 0);
        assert_int_equal(view.revision, want->revision);
        assert_int_equal(view.value_count, want->value_count);
        assert_true(view.value_count == 0 || view.values[0].value == want->first_value);
        quotas += want->revision > 0;
    }
    assert_int_equal(core_quota_count(rig->core), quotas);
}

#endif
