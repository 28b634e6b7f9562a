// SPDX-License-Identifier: Apache-2.0
#include "core/core.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"
#include "core/core_private.h"

struct core *core_create(void)
{
    struct core *core = mem_zalloc(sizeof *core);
    arena_init(&core->scratch, SCRATCH_BYTES_MAX);
    map_init(&core->topics_by_name);
    map_init(&core->topics_by_id);
    map_init(&core->topics_by_shape);
    map_init(&core->topics_by_letters);
    map_init(&core->producers);
    map_init(&core->objects);
    map_init(&core->groups_by_id);
    list_init(&core->group_list);
    list_init(&core->dying_groups);
    list_init(&core->offset_pages);
    list_init(&core->quota_list);
    list_init(&core->dying);
    list_init(&core->producer_lru);
    map_init(&core->txns_by_id);
    map_init(&core->txns_by_producer);
    map_init(&core->txn_partitions);
    map_init(&core->txn_offsets);
    list_init(&core->txn_list);
    map_init(&core->documents_by_key);
    map_init(&core->tallies);
    list_init(&core->tally_list);
    core->txn_due_ms = INT64_MAX;
    buf_init(&core->cut.saved, SIZE_MAX / 2);
    limits_refresh(core);
    return core;
}

void core_destroy(struct core *take_core)
{
    struct core *core = take_core;
    if (core == NULL) {
        return;
    }
    core_snapshot_abort(core); // nothing is saved any more
    core_offsets_fini(core);
    core_groups_fini(core);
    core_quotas_fini(core);
    core_txns_fini(core);
    core_documents_fini(core);
    core_tallies_fini(core);
    LIST_EACH_SAFE (node, after, &core->producer_lru) {
        mem_free(LIST_ENTRY(node, struct producer, in_lru));
    }
    for (uint32_t i = 0; i < core->slot_count; i++) {
        if (core->slots[i] != NULL) {
            partition_free(core, core->slots[i]);
        }
    }
    for (uint32_t i = 0; i < core->topic_count; i++) {
        topic_free(core->topics[i]);
    }
    LIST_EACH_SAFE (node, after, &core->dying) {
        topic_free(LIST_ENTRY(node, struct topic, in_dying));
    }
    core_objects_fini(core);
    map_fini(&core->producers);
    map_fini(&core->topics_by_name);
    map_fini(&core->topics_by_id);
    map_fini(&core->topics_by_shape);
    map_fini(&core->topics_by_letters);
    mem_free(core->topics);
    mem_free(core->slots);
    mem_free(core->free_slots);
    config_set_fini(&core->configs);
    config_set_fini(&core->fixed_configs);
    arena_fini(&core->scratch);
    mem_free(core);
}

// ---- facts

void core_facts_init(struct core_facts *facts)
{
    *facts = (struct core_facts){0};
}

void core_facts_reset(struct core_facts *facts)
{
    facts->slot_count = 0;
    facts->dead_count = 0;
    facts->marker_count = 0;
    facts->catalogue_changed = false;
}

void core_facts_fini(struct core_facts *facts)
{
    mem_free(facts->slots);
    mem_free(facts->appended_bytes);
    mem_free(facts->dead_objects);
    core_facts_init(facts);
}

void facts_slot_add(struct core_facts *facts, struct partition *p, uint64_t appended_bytes)
{
    if (facts == NULL) {
        return;
    }
    bool is_there = p->fact_index < facts->slot_count && facts->slots[p->fact_index] == p->slot;
    if (is_there) {
        facts->appended_bytes[p->fact_index] += appended_bytes;
        return;
    }
    if (facts->slot_count == facts->slot_cap) {
        facts->slot_cap = facts->slot_cap == 0 ? 16 : facts->slot_cap * 2;
        facts->slots = mem_realloc(facts->slots, facts->slot_cap * sizeof *facts->slots);
        facts->appended_bytes =
            mem_realloc(facts->appended_bytes, facts->slot_cap * sizeof *facts->appended_bytes);
    }
    p->fact_index = facts->slot_count;
    facts->slots[facts->slot_count] = p->slot;
    facts->appended_bytes[facts->slot_count] = appended_bytes;
    facts->slot_count++;
}

void facts_object_add(struct core_facts *facts, uint64_t object)
{
    if (facts == NULL) {
        return;
    }
    if (facts->dead_count == facts->dead_cap) {
        facts->dead_cap = facts->dead_cap == 0 ? 16 : facts->dead_cap * 2;
        facts->dead_objects = mem_realloc(facts->dead_objects, facts->dead_cap * sizeof *facts->dead_objects);
    }
    facts->dead_objects[facts->dead_count++] = object;
}

// ---- apply

static void item_apply(struct apply *a, const struct item *item, struct outcome *ret)
{
    bool is_catalogue = false;
    switch (item->kind) {
    case ITEM_DATA:
        data_apply(a, item, ret);
        return;
    case ITEM_TOPIC_CREATE:
        ret->err = topic_create_apply(a, &item->topic_create);
        is_catalogue = true;
        break;
    case ITEM_TOPIC_DELETE:
        ret->err = topic_delete_apply(a, &item->topic_delete);
        is_catalogue = true;
        break;
    case ITEM_PARTITIONS_ADD:
        ret->err = partitions_add_apply(a, &item->partitions_add);
        is_catalogue = true;
        break;
    case ITEM_CONFIG_SET:
        ret->err = config_set_apply(a, &item->config_set);
        is_catalogue = true;
        break;
    case ITEM_PRODUCER_ID:
        ret->value = a->core->next_producer_id++;
        break;
    case ITEM_TRIM:
        ret->err = trim_apply(a, &item->trim, ret);
        break;
    case ITEM_REPLACE:
        ret->err = replace_apply(a, &item->replace);
        break;
    case ITEM_TICK:
        producers_tick(a->core);
        txns_tick(a);
        break;
    case ITEM_EPOCH_RAISE:
        epoch_raise_apply(a);
        is_catalogue = true;
        break;
    case ITEM_GROUP_SET:
        ret->err = group_set_apply(a, &item->group_set);
        break;
    case ITEM_GROUP_DELETE:
        ret->err = group_delete_apply(a, &item->group_delete);
        break;
    case ITEM_OFFSET_COMMIT:
        ret->err = offset_commit_apply(a, &item->offset_commit);
        break;
    case ITEM_OFFSET_DELETE:
        ret->err = offset_delete_apply(a, &item->offset_delete);
        break;
    case ITEM_QUOTA_SET:
        ret->err = quota_set_apply(a, &item->quota_set);
        break;
    case ITEM_TXN_INIT:
        ret->err = txn_init_apply(a, &item->txn_init, ret);
        break;
    case ITEM_TXN_ADD:
        ret->err = txn_add_apply(a, &item->txn_add);
        break;
    case ITEM_TXN_OFFSETS:
        ret->err = txn_offsets_apply(a, &item->txn_offsets);
        break;
    case ITEM_TXN_END:
        ret->err = txn_end_apply(a, &item->txn_end, ret);
        break;
    case ITEM_CONSUMER_SET:
        ret->err = consumer_set_apply(a, &item->consumer_set);
        break;
    case ITEM_DOCUMENTS:
        ret->err = documents_apply(a, &item->documents, item->version, ret);
        break;
    }
    if (is_catalogue && ret->err == ERR_OK) {
        a->core->catalogue_serial++;
        if (a->facts != NULL) {
            a->facts->catalogue_changed = true;
        }
    }
}

// dependency_holds: the named item came before this one and newly took effect.
static bool dependency_holds(const struct item *item, const struct outcome *outcomes, uint32_t index)
{
    if (item->depends_on == 0) {
        return true;
    }
    if (item->depends_on > index) {
        return false;
    }
    const struct outcome *named = &outcomes[item->depends_on - 1];
    return named->err == ERR_OK && (!named->is_duplicate || plant_is(PLANT_LETTER_OF_DUPLICATE));
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

enum err core_apply(struct core *core, const struct core_bundle *bundle, struct outcome *ret_outcomes,
                    struct core_facts *facts, struct error *e)
{
    if (bundle->lsn != core->lsn + 1) {
        return FAIL(e, ERR_CORRUPT, "bundle %llu does not follow %llu", (unsigned long long)bundle->lsn,
                    (unsigned long long)core->lsn);
    }
    struct apply apply = {core, bundle, facts};
    struct reader r = reader_init(bundle->meta);
    core->stamp_ms = later(core->stamp_ms, bundle->stamp_ms);
    core->tally_since_ms = core->lsn == 0 ? core->stamp_ms : core->tally_since_ms;
    core->time_ms = later(core->time_ms, bundle->time_ms);
    core->object_max = bundle->object > core->object_max ? bundle->object : core->object_max;
    for (uint32_t i = 0; i < bundle->item_count; i++) {
        struct item item;
        arena_reset(&core->scratch);
        enum err err = item_decode(&r, &core->scratch, &item, e);
        if (err != ERR_OK) {
            error_wrap(e, "bundle %llu item %u: ", (unsigned long long)bundle->lsn, i + 1);
            return err;
        }
        struct outcome *ret = &ret_outcomes[i];
        *ret = (struct outcome){
            .base_offset = -1, .log_start_offset = -1, .producer_epoch = -1, .leader_epoch = -1};
        if (dependency_holds(&item, ret_outcomes, i)) {
            item_apply(&apply, &item, ret);
        } else {
            ret->err = ERR_STALE;
        }
    }
    if (reader_left(&r) != 0) {
        return FAIL(e, ERR_CORRUPT, "bundle %llu holds more than its %u items",
                    (unsigned long long)bundle->lsn, bundle->item_count);
    }
    uint32_t budget = RECLAIM_THINGS_MAX;
    topics_reclaim(&apply, &budget);
    groups_reclaim(core, &budget);
    core->lsn = bundle->lsn;
    return ERR_OK;
}

uint64_t core_lsn(const struct core *core)
{
    return core->lsn;
}

int64_t core_stamp_ms(const struct core *core)
{
    return core->stamp_ms;
}

int64_t core_time_ms(const struct core *core)
{
    return core->time_ms;
}

int64_t core_next_deadline_ms(const struct core *core)
{
    bool is_dying = !list_is_empty(&core->dying) || !list_is_empty(&core->dying_groups);
    if (is_dying) {
        return core->time_ms;
    }
    int64_t producers_ms = producers_deadline_ms(core);
    int64_t txns_ms = core->txn_count == 0 ? INT64_MAX : core->txn_due_ms;
    return producers_ms < txns_ms ? producers_ms : txns_ms;
}

uint64_t core_catalogue_serial(const struct core *core)
{
    return core->catalogue_serial;
}

uint64_t core_state_bytes(const struct core *core)
{
    enum { HEAP_OVERHEAD = 16 }; // the allocator's own, each
    uint64_t bytes =
        sizeof *core + core->configs.size + core->cut.saved.cap + core->group_bytes + core->txn_bytes;
    bytes += (core->group_cap + core->groups_by_id.slot_count + core->quota_cap) * sizeof(void *);
    bytes += core->document_bytes + core->document_count * (sizeof(struct document) + HEAP_OVERHEAD) +
             core->document_places_cap * (sizeof(struct document *) + sizeof(uint64_t));
    bytes +=
        core->tally_bytes + core->tallies.count * HEAP_OVERHEAD + core->tallies.slot_count * sizeof(void *);
    bytes += core->topic_count * (sizeof(struct topic) + 32 + HEAP_OVERHEAD);
    bytes += core->slot_count * (sizeof(struct partition) + 2 * sizeof(void *) + HEAP_OVERHEAD);
    bytes += core->extent_cap_total * sizeof(struct extent);
    bytes += core->producers.count * (sizeof(struct producer) + HEAP_OVERHEAD);
    bytes += core->objects.count * (sizeof(struct object_ref) + HEAP_OVERHEAD);
    bytes += (core->producers.slot_count + core->objects.slot_count + 3 * core->topics_by_name.slot_count) *
             sizeof(void *);
    return bytes;
}
