// SPDX-License-Identifier: Apache-2.0
// A reference model beside the core: naive arrays, one entry per offset and every batch of every producer
// ever sent. It predicts each outcome; after each bundle the core must hold the same offsets in the same
// objects.
#include "core/model_group_test.h"

#include "base/mem.h"

enum { MODEL_TOPICS = 256, MODEL_PARTITIONS = 64, MODEL_OFFSETS = 4096, MODEL_BATCHES = 2048 };

struct model_batch { // of a producer that is still known
    int64_t producer_id;
    int16_t epoch;
    int64_t first, last; // sequences, last unwrapped
    int64_t base_offset;
    int64_t time_ms;
    uint64_t order;
};
struct model_partition {
    int64_t log_start, end;
    int32_t leader_epoch;
    int64_t epoch_start;
    uint64_t object[MODEL_OFFSETS]; // by offset
    struct model_batch batches[MODEL_BATCHES];
    uint32_t batch_count;
};
struct model_topic {
    bool is_there;
    bool is_os;
    char name[8];
    int32_t partition_count;
    uint64_t revision;
    struct model_partition *partitions[MODEL_PARTITIONS];
};
struct model {
    struct model_topic topics[MODEL_TOPICS]; // by the last byte of the id
    uint64_t order;
    int64_t producer_ids;
    uint64_t revision;
    int64_t expiration_ms;
    uint32_t producers_max;
    struct model_groups groups;
};

static struct model_partition *model_find(struct model *m, struct uuid id, int32_t index, enum err *ret_err)
{
    struct model_topic *t = &m->topics[id.b[15]];
    *ret_err = !t->is_there ? ERR_UNKNOWN_TOPIC_ID : ERR_UNKNOWN_PARTITION;
    if (!t->is_there || index < 0 || index >= t->partition_count) {
        return NULL;
    }
    *ret_err = ERR_OK;
    return t->partitions[index];
}

// model_oldest finds the last batch of the producer used longest ago, and how many producers are known.
static bool model_oldest(struct model *m, struct model_partition **ret_p, struct model_batch *ret_newest,
                         uint32_t *ret_known)
{
    uint64_t oldest = UINT64_MAX;
    *ret_known = 0;
    for (int t = 0; t < MODEL_TOPICS; t++) {
        for (int32_t i = 0; m->topics[t].is_there && i < m->topics[t].partition_count; i++) {
            struct model_partition *p = m->topics[t].partitions[i];
            for (uint32_t b = 0; b < p->batch_count; b++) {
                bool is_newest = true; // of its producer
                for (uint32_t c = b + 1; c < p->batch_count; c++) {
                    is_newest = is_newest && p->batches[c].producer_id != p->batches[b].producer_id;
                }
                *ret_known += is_newest;
                if (is_newest && p->batches[b].order < oldest) {
                    oldest = p->batches[b].order;
                    *ret_newest = p->batches[b];
                    *ret_p = p;
                }
            }
        }
    }
    return oldest != UINT64_MAX;
}

static void model_forget(struct model_partition *p, int64_t producer_id)
{
    uint32_t kept = 0;
    for (uint32_t b = 0; b < p->batch_count; b++) {
        if (p->batches[b].producer_id != producer_id) {
            p->batches[kept++] = p->batches[b];
        }
    }
    p->batch_count = kept;
}

static void model_expire(struct model *m, int64_t now_ms, int most, bool is_tick)
{
    struct model_partition *p;
    struct model_batch newest;
    uint32_t known;
    for (int i = 0; i < most && model_oldest(m, &p, &newest, &known); i++) {
        bool is_idle = is_tick && newest.time_ms + m->expiration_ms <= now_ms;
        if (!is_idle && known <= m->producers_max) {
            return;
        }
        model_forget(p, newest.producer_id);
    }
}

static enum err model_sequence(const struct model_partition *p, const struct item_data *d,
                               int64_t *ret_duplicate)
{
    const struct model_batch *mine[MODEL_BATCHES];
    uint32_t count = 0;
    for (uint32_t b = 0; b < p->batch_count; b++) {
        if (p->batches[b].producer_id == d->producer_id) {
            mine[count++] = &p->batches[b];
        }
    }
    if (count == 0) {
        return ERR_OK;
    }
    int16_t epoch = mine[count - 1]->epoch;
    if (d->producer_epoch < epoch) {
        return ERR_INVALID_PRODUCER_EPOCH;
    }
    if (d->producer_epoch > epoch) {
        return d->base_sequence == 0 ? ERR_OK : ERR_OUT_OF_ORDER_SEQUENCE;
    }
    for (uint32_t i = 0; i < 5 && i < count; i++) {
        const struct model_batch *b = mine[count - 1 - i];
        if (b->epoch == epoch && b->first == d->base_sequence &&
            b->last == d->base_sequence + (int64_t)d->offset_span - 1) {
            *ret_duplicate = b->base_offset;
            return ERR_OK;
        }
    }
    int64_t next = mine[count - 1]->last + 1;
    next = next > INT32_MAX ? next - INT32_MAX - 1 : next;
    return d->base_sequence == next ? ERR_OK : ERR_OUT_OF_ORDER_SEQUENCE;
}

static struct outcome model_data(struct model *m, const struct rig *rig, const struct item_data *d)
{
    struct outcome out = {.base_offset = -1, .log_start_offset = -1, .leader_epoch = -1};
    struct model_partition *p = model_find(m, d->topic_id, d->partition, &out.err);
    if (p == NULL) {
        return out;
    }
    if (d->producer_id >= 0 && (d->producer_epoch < 0 || d->base_sequence < 0)) {
        out.err = ERR_INVALID_RECORD;
        return out;
    }
    int64_t duplicate = -1;
    out.err = d->producer_id < 0 ? ERR_OK : model_sequence(p, d, &duplicate);
    if (out.err != ERR_OK) {
        return out;
    }
    out.log_start_offset = p->log_start;
    out.leader_epoch = p->leader_epoch;
    out.base_offset = p->end;
    if (duplicate >= 0) {
        out.is_duplicate = true;
        out.base_offset = duplicate;
        return out;
    }
    for (int32_t i = 0; i < d->offset_span; i++) {
        assert_true(p->end < MODEL_OFFSETS);
        p->object[p->end++] = rig->object;
    }
    if (d->producer_id >= 0) {
        bool is_new = true;
        for (uint32_t b = 0; b < p->batch_count; b++) {
            is_new = is_new && p->batches[b].producer_id != d->producer_id;
        }
        assert_true(p->batch_count < MODEL_BATCHES);
        p->batches[p->batch_count++] =
            (struct model_batch){d->producer_id,   d->producer_epoch,
                                 d->base_sequence, d->base_sequence + (int64_t)d->offset_span - 1,
                                 out.base_offset,  rig->time_ms,
                                 ++m->order};
        model_expire(m, rig->time_ms, is_new ? 2 : 0, false);
    }
    return out;
}

static enum err model_replace(struct model *m, const struct item_replace *x)
{
    enum err err;
    struct model_partition *p = model_find(m, x->topic_id, x->partition, &err);
    bool is_any = false;
    for (uint32_t i = 0; p != NULL && i < x->old_count; i++) {
        for (int64_t o = x->old_extents[i].base_offset; o < x->old_extents[i].end_offset; o++) {
            bool is_gone = x->old_extents[i].end_offset <= p->log_start;
            if (!is_gone && p->object[o] != x->old_extents[i].object) {
                return ERR_STALE;
            }
            is_any = is_any || !is_gone;
        }
    }
    if (p == NULL || !is_any) {
        return p == NULL ? err : ERR_STALE;
    }
    for (uint32_t i = 0; i < x->fresh_count; i++) {
        for (int64_t o = x->fresh_extents[i].base_offset; o < x->fresh_extents[i].end_offset; o++) {
            p->object[o] = x->fresh_extents[i].object;
        }
    }
    return ERR_OK;
}

static void model_grow(struct model_topic *t, int32_t count)
{
    while (t->partition_count < count) {
        t->partitions[t->partition_count++] = mem_zalloc(sizeof(struct model_partition));
    }
}

static void model_drop(struct model_topic *t)
{
    for (int32_t i = 0; t->is_there && i < t->partition_count; i++) {
        mem_free(t->partitions[i]);
    }
    *t = (struct model_topic){0};
}

static enum err model_configs(struct model *m, const struct item_config_set *s)
{
    bool is_broker = uuid_is_zero(s->topic_id);
    struct model_topic *t = &m->topics[s->topic_id.b[15]];
    if (!is_broker && !t->is_there) {
        return ERR_UNKNOWN_TOPIC_ID;
    }
    uint64_t *revision = is_broker ? &m->revision : &t->revision;
    if (*revision != s->expected_revision) {
        return ERR_STALE;
    }
    ++*revision;
    if (!is_broker) {
        t->is_os = false;
        return ERR_OK;
    }
    int64_t max = 1000000;
    if (s->config_count > 0) {
        assert_true(str_parse_i64(s->configs[0].value, &max));
    }
    m->producers_max = (uint32_t)max;
    m->groups.offsets_max = s->config_count > 2 ? (uint64_t)max : 2000000; // the same number
    m->groups.groups_max = s->config_count > 3 ? 3 : 10000;
    m->groups.quotas_max = s->config_count > 4 ? 2 : 10000;
    m->expiration_ms = s->config_count > 1 ? 500 : 86400000;
    return ERR_OK;
}

static enum err model_create(struct model *m, const struct item_topic_create *c)
{
    for (int i = 0; i < MODEL_TOPICS; i++) {
        if (m->topics[i].is_there && str_equal(str_from_c(m->topics[i].name), c->name)) {
            return ERR_TOPIC_EXISTS;
        }
    }
    struct model_topic *t = &m->topics[c->topic_id.b[15]];
    if (t->is_there) {
        return ERR_INVALID_REQUEST;
    }
    t->is_there = true;
    t->is_os = c->config_count > 0;
    memcpy(t->name, c->name.ptr, c->name.len);
    model_grow(t, c->partition_count);
    return ERR_OK;
}

static void model_raise(struct model *m)
{
    for (int t = 0; t < MODEL_TOPICS; t++) {
        for (int32_t i = 0; m->topics[t].is_there && m->topics[t].is_os && i < m->topics[t].partition_count;
             i++) {
            m->topics[t].partitions[i]->leader_epoch++;
        }
    }
}

static enum err model_commit_apply(struct model *m, const struct rig *rig,
                                   const struct item_offset_commit *commit)
{
    int32_t counts[MODEL_TOPICS];
    for (int t = 0; t < MODEL_TOPICS; t++) {
        counts[t] = m->topics[t].partition_count;
    }
    return model_commit(&m->groups, commit, counts, rig->time_ms);
}

static struct outcome model_apply(struct model *m, const struct rig *rig, const struct item *item)
{
    struct outcome out = {.base_offset = -1, .log_start_offset = -1, .leader_epoch = -1};
    struct model_partition *p;
    switch (item->kind) {
    case ITEM_DATA:
        return model_data(m, rig, &item->data);
    case ITEM_TOPIC_CREATE:
        out.err = model_create(m, &item->topic_create);
        break;
    case ITEM_TOPIC_DELETE:
        out.err = m->topics[item->topic_delete.topic_id.b[15]].is_there ? ERR_OK : ERR_UNKNOWN_TOPIC_ID;
        model_drop(&m->topics[item->topic_delete.topic_id.b[15]]);
        model_offsets_drop(&m->groups, item->topic_delete.topic_id);
        break;
    case ITEM_PARTITIONS_ADD: {
        struct model_topic *t = &m->topics[item->partitions_add.topic_id.b[15]];
        out.err = !t->is_there                                                ? ERR_UNKNOWN_TOPIC_ID
                  : t->partition_count != item->partitions_add.expected_count ? ERR_STALE
                                                                              : ERR_OK;
        if (out.err == ERR_OK) {
            model_grow(t, item->partitions_add.partition_count);
        }
        break;
    }
    case ITEM_CONFIG_SET:
        out.err = model_configs(m, &item->config_set);
        break;
    case ITEM_PRODUCER_ID:
        out.value = m->producer_ids++;
        break;
    case ITEM_TRIM:
        p = model_find(m, item->trim.topic_id, item->trim.partition, &out.err);
        if (p != NULL) {
            int64_t to = item->trim.log_start_offset < p->end ? item->trim.log_start_offset : p->end;
            p->log_start = to > p->log_start ? to : p->log_start;
            out.log_start_offset = p->log_start;
        }
        break;
    case ITEM_REPLACE:
        out.err = model_replace(m, &item->replace);
        break;
    case ITEM_TICK:
        model_expire(m, rig->time_ms, 1000, true);
        break;
    case ITEM_EPOCH_RAISE:
        model_raise(m);
        break;
    case ITEM_DOCUMENTS: // documents_test.c has a model of its own
    case ITEM_CONSUMER_SET:
        break; // consumers_test.c
    case ITEM_GROUP_SET:
        out.err = model_group_set(&m->groups, &item->group_set, rig->time_ms);
        break;
    case ITEM_GROUP_DELETE:
        out.err = model_group_delete(&m->groups, &item->group_delete);
        break;
    case ITEM_OFFSET_COMMIT:
        out.err = model_commit_apply(m, rig, &item->offset_commit);
        break;
    case ITEM_OFFSET_DELETE:
        out.err = model_offset_delete(&m->groups, &item->offset_delete, rig->time_ms);
        break;
    case ITEM_QUOTA_SET:
        out.err = model_quota_set(&m->groups, &item->quota_set);
        break;
    case ITEM_TXN_INIT: // transactions have a model of their own: txn_test.c
    case ITEM_TXN_ADD:
    case ITEM_TXN_OFFSETS:
    case ITEM_TXN_END:
        break;
    }
    return out;
}

static void partition_compare(const struct model_partition *want, struct partition *p)
{
    assert_int_equal(partition_log_start(p), want->log_start);
    assert_int_equal(partition_high_watermark(p), want->end);
    assert_int_equal(partition_leader_epoch(p), want->leader_epoch);
    uint64_t bytes = 0;
    int64_t offset = want->log_start;
    for (uint32_t i = 0; i < partition_extent_count(p); i++) {
        const struct extent *x = partition_extent(p, i);
        assert_true(x->base_offset <= offset && x->end_offset > offset); // the first may start below
        assert_int_equal(partition_extent_search(p, offset), i);
        assert_int_equal(x->record_count, x->end_offset - x->base_offset);
        for (; offset < x->end_offset; offset++) {
            assert_int_equal(want->object[offset], x->object);
        }
        bytes += x->length;
    }
    assert_int_equal(offset, want->end);
    assert_int_equal(partition_bytes(p), bytes);
    struct producer_view views[16];
    uint32_t count = partition_producers(p, views, 16);
    uint32_t known = 0;
    for (uint32_t b = 0; b < want->batch_count; b++) {
        bool is_newest = true;
        for (uint32_t c = b + 1; c < want->batch_count; c++) {
            is_newest = is_newest && want->batches[c].producer_id != want->batches[b].producer_id;
        }
        if (is_newest) { // the core lists them in the same order: by their last append
            assert_true(known < count);
            assert_int_equal(views[known].producer_id, want->batches[b].producer_id);
            assert_int_equal(views[known].producer_epoch, want->batches[b].epoch);
            assert_int_equal(views[known].last_sequence, want->batches[b].last & INT32_MAX);
            known++;
        }
    }
    assert_int_equal(count, known);
}

static void model_compare(struct model *m, struct rig *rig)
{
    uint32_t topics = 0;
    for (int t = 0; t < MODEL_TOPICS; t++) {
        struct topic *topic = core_topic_find_id(rig->core, rig_id((uint8_t)t));
        assert_int_equal(topic != NULL, m->topics[t].is_there);
        topics += m->topics[t].is_there;
        for (int32_t i = 0; topic != NULL && i < m->topics[t].partition_count; i++) {
            partition_compare(m->topics[t].partitions[i], rig_partition(rig, (uint8_t)t, i));
        }
    }
    assert_int_equal(core_topic_count(rig->core), topics);
    model_groups_compare(&m->groups, rig);
}

static void outcome_compare(const struct item *item, const struct outcome *got, const struct outcome *want)
{
    if (got->err != want->err || got->base_offset != want->base_offset) {
        fail_msg("%s: %s at %lld, the model says %s at %lld", item_kind_name(item->kind), err_name(got->err),
                 (long long)got->base_offset, err_name(want->err), (long long)want->base_offset);
    }
    assert_int_equal(got->is_duplicate, want->is_duplicate);
    assert_int_equal(got->value, want->value);
    assert_int_equal(got->leader_epoch, want->leader_epoch);
    assert_int_equal(got->log_start_offset, want->log_start_offset);
}

// What the run must have met, or it proves little: duplicates, merges, stale merges; then by kind of item,
// those that took effect.
static uint32_t hits[3];
static uint32_t kinds[ITEM_QUOTA_SET + 1];
static uint32_t over_limit; // groups, offsets and quotas

static void bundle_run(struct model *m, struct rig *rig, struct ops *ops)
{
    struct outcome want[8];
    struct item items[8];
    uint32_t count = 1 + ops_random(ops, 8);
    rig->object = 1 + core_lsn(rig->core) / 50;
    for (uint32_t i = 0; i < count; i++) {
        ops_next(ops, rig, &items[i]);
        struct item *item = &items[i];
        bool holds = item->depends_on == 0 ||
                     (want[item->depends_on - 1].err == ERR_OK && !want[item->depends_on - 1].is_duplicate);
        want[i] =
            (struct outcome){.err = ERR_STALE, .base_offset = -1, .log_start_offset = -1, .leader_epoch = -1};
        if (holds) {
            want[i] = model_apply(m, rig, item);
        }
        rig_add(rig, item);
    }
    rig_flush(rig);
    for (uint32_t i = 0; i < count; i++) {
        outcome_compare(&items[i], &rig->outcomes[i], &want[i]);
        hits[0] += want[i].is_duplicate;
        hits[1] += items[i].kind == ITEM_REPLACE && want[i].err == ERR_OK;
        hits[2] += items[i].kind == ITEM_REPLACE && want[i].err == ERR_STALE;
        kinds[items[i].kind] += want[i].err == ERR_OK;
        over_limit += want[i].err == ERR_POLICY_VIOLATION;
    }
    rig->time_ms += ops_random(ops, 40);
}

static void core_agrees_with_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct rig rig;
        struct ops ops;
        struct model *m = mem_zalloc(sizeof *m);
        m->producers_max = 1000000;
        m->expiration_ms = 86400000;
        m->groups.offsets_max = 2000000;
        m->groups.groups_max = m->groups.quotas_max = 10000;
        rig_init(&rig);
        ops_init(&ops, seed);
        for (int i = 0; i < 1500 && ops.last_id < 250; i++) {
            bundle_run(m, &rig, &ops);
            if (i % 8 == 0) {
                model_compare(m, &rig);
            }
        }
        model_compare(m, &rig);
        for (int t = 0; t < MODEL_TOPICS; t++) {
            model_drop(&m->topics[t]);
        }
        mem_free(m);
        rig_fini(&rig);
    }
    assert_true(hits[0] > 50);
    assert_true(hits[1] > 50);
    assert_true(hits[2] > 50);
    for (int kind = ITEM_DATA; kind <= ITEM_QUOTA_SET; kind++) {
        assert_true(kinds[kind] > 20);
    }
    assert_true(over_limit > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(core_agrees_with_a_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
