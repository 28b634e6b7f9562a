// SPDX-License-Identifier: Apache-2.0
// topics.c - the catalogue: topics by name, id and name order, and their partitions in slots. Deletion is
// logical: a deleted topic leaves every look-up at once and waits on the dying list, from which each bundle
// frees a bounded amount.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/core_private.h"

bool topic_name_is_valid(struct str name)
{
    if (name.len == 0 || name.len > ITEM_NAME_MAX || str_equal(name, STR(".")) ||
        str_equal(name, STR(".."))) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                        c == '.' || c == '_' || c == '-';
        if (!is_legal) {
            return false;
        }
    }
    return true;
}

// ---- look-ups

static uint64_t name_hash(struct str name)
{
    return hash64(bytes_of(name.ptr, name.len), 1);
}

static uint64_t id_hash(struct uuid id)
{
    return hash64(bytes_of(id.b, sizeof id.b), 2);
}

// shape_hash hashes the name as Kafka's metrics see it; 0 for names too long to be any topic's.
static uint64_t shape_hash(struct str name)
{
    char shape[ITEM_NAME_MAX];
    if (name.len > sizeof shape) {
        return 0;
    }
    for (size_t i = 0; i < name.len; i++) {
        shape[i] = name.ptr[i] == '.' ? '_' : name.ptr[i];
    }
    return hash64(bytes_of(shape, name.len), 3);
}

static bool shape_equal(struct str a, struct str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        char x = a.ptr[i] == '.' ? '_' : a.ptr[i];
        char y = b.ptr[i] == '.' ? '_' : b.ptr[i];
        if (x != y) {
            return false;
        }
    }
    return true;
}

struct str topic_name(const struct topic *topic)
{
    return (struct str){topic->name, topic->name_len};
}

struct topic *core_topic_find(const struct core *core, struct str name)
{
    for (struct map_node *n = map_first(&core->topics_by_name, name_hash(name)); n != NULL; n = map_next(n)) {
        struct topic *topic = MAP_ENTRY(n, struct topic, by_name);
        if (str_equal(topic_name(topic), name)) {
            return topic;
        }
    }
    return NULL;
}

struct topic *core_topic_find_id(const struct core *core, struct uuid id)
{
    for (struct map_node *n = map_first(&core->topics_by_id, id_hash(id)); n != NULL; n = map_next(n)) {
        struct topic *topic = MAP_ENTRY(n, struct topic, by_id);
        if (uuid_equal(topic->id, id)) {
            return topic;
        }
    }
    return NULL;
}

struct topic *core_topic_collides(const struct core *core, struct str name)
{
    for (struct map_node *n = map_first(&core->topics_by_shape, shape_hash(name)); n != NULL;
         n = map_next(n)) {
        struct topic *topic = MAP_ENTRY(n, struct topic, by_shape);
        if (shape_equal(topic_name(topic), name) && !str_equal(topic_name(topic), name)) {
            return topic;
        }
    }
    return NULL;
}

uint32_t core_topic_lower_bound(const struct core *core, struct str from)
{
    uint32_t low = 0;
    uint32_t high = core->topic_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_compare(topic_name(core->topics[middle]), from) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t core_topic_count(const struct core *core)
{
    return core->topic_count;
}

struct topic *core_topic_at(const struct core *core, uint32_t index)
{
    ASSERT(index < core->topic_count);
    return core->topics[index];
}

uint64_t core_partition_total(const struct core *core)
{
    return core->partition_total;
}

struct uuid topic_id(const struct topic *topic)
{
    return topic->id;
}

int32_t topic_partition_count(const struct topic *topic)
{
    return topic->partition_count;
}

struct partition *topic_partition(const struct topic *topic, int32_t index)
{
    return index >= 0 && index < topic->partition_count ? topic->partitions[index] : NULL;
}

uint32_t core_slot_count(const struct core *core)
{
    return core->slot_count;
}

struct partition *core_partition_at(const struct core *core, uint32_t slot)
{
    struct partition *p = slot < core->slot_count ? core->slots[slot] : NULL;
    return p != NULL && !p->topic->is_deleted ? p : NULL;
}

enum err partition_get(const struct core *core, struct uuid topic_id, int32_t index, struct partition **ret)
{
    struct topic *topic = core_topic_find_id(core, topic_id);
    if (topic == NULL) {
        return ERR_UNKNOWN_TOPIC_ID;
    }
    struct partition *p = topic_partition(topic, index);
    if (p == NULL) {
        return ERR_UNKNOWN_PARTITION;
    }
    *ret = p;
    return ERR_OK;
}

// ---- making

struct topic *topic_new(struct core *core, struct uuid id, struct str name)
{
    ASSERT(name.len > 0 && name.len <= ITEM_NAME_MAX);
    struct topic *topic = mem_zalloc(sizeof *topic + name.len);
    topic->id = id;
    topic->serial = ++core->topic_serial;
    list_init(&topic->offset_pages);
    list_init(&topic->tallies);
    topic->name_len = (uint16_t)name.len;
    topic->snap_gen = core->cut.gen;
    memcpy(topic->name, name.ptr, name.len);
    map_insert(&core->topics_by_name, &topic->by_name, name_hash(name));
    map_insert(&core->topics_by_id, &topic->by_id, id_hash(id));
    map_insert(&core->topics_by_shape, &topic->by_shape, shape_hash(name));
    if (core->topic_count == core->topic_cap) {
        core->topic_cap = core->topic_cap == 0 ? 16 : core->topic_cap * 2;
        core->topics = mem_realloc(core->topics, core->topic_cap * sizeof *core->topics);
    }
    core->topics[core->topic_count++] = topic; // the caller puts it into its place
    return topic;
}

// topic_place moves the topic just made from the end to where its name belongs.
static void topic_place(struct core *core, struct topic *topic)
{
    core->topic_count--;
    uint32_t at = core_topic_lower_bound(core, topic_name(topic));
    memmove(&core->topics[at + 1], &core->topics[at], (core->topic_count - at) * sizeof *core->topics);
    core->topics[at] = topic;
    core->topic_count++;
}

static int topic_order(const void *a, const void *b)
{
    const struct topic *const *x = a;
    const struct topic *const *y = b;
    return str_compare(topic_name(*x), topic_name(*y));
}

void topics_sort(struct core *core)
{
    if (core->topic_count > 1) {
        qsort(core->topics, core->topic_count, sizeof *core->topics, topic_order);
    }
}

static uint32_t slot_take(struct core *core)
{
    if (core->free_slot_count > 0) {
        return core->free_slots[--core->free_slot_count];
    }
    if (core->slot_count == core->slot_cap) {
        core->slot_cap = core->slot_cap == 0 ? 16 : core->slot_cap * 2;
        core->slots = mem_realloc(core->slots, core->slot_cap * sizeof(struct partition *));
    }
    return core->slot_count++;
}

static void slot_give(struct core *core, uint32_t slot)
{
    core->slots[slot] = NULL;
    if (core->free_slot_count == core->free_slot_cap) {
        core->free_slot_cap = core->free_slot_cap == 0 ? 16 : core->free_slot_cap * 2;
        core->free_slots = mem_realloc(core->free_slots, core->free_slot_cap * sizeof *core->free_slots);
    }
    core->free_slots[core->free_slot_count++] = slot;
}

void topic_partitions_add(struct core *core, struct topic *topic, int32_t count)
{
    if (count > topic->partition_cap) {
        topic->partitions = mem_realloc(topic->partitions, (size_t)count * sizeof(struct partition *));
        topic->partition_cap = count;
    }
    while (topic->partition_count < count) {
        struct partition *p = partition_new(core, topic, topic->partition_count);
        p->slot = slot_take(core);
        core->slots[p->slot] = p;
        topic->partitions[topic->partition_count++] = p;
        core->partition_total++;
    }
}

static bool partitions_fit(const struct core *core, int32_t more)
{
    return core->partition_total + (uint64_t)more <= core->limits.partitions_max;
}

enum err topic_create_apply(struct apply *a, const struct item_topic_create *item)
{
    struct core *core = a->core;
    if (!topic_name_is_valid(item->name)) {
        return ERR_INVALID_TOPIC;
    }
    if (core_topic_find(core, item->name) != NULL) {
        return ERR_TOPIC_EXISTS;
    }
    if (core_topic_collides(core, item->name) != NULL) {
        return ERR_INVALID_TOPIC;
    }
    if (uuid_is_zero(item->topic_id) || core_topic_find_id(core, item->topic_id) != NULL) {
        return ERR_INVALID_REQUEST;
    }
    if (item->partition_count < 1 || item->partition_count > ITEM_PARTITIONS_MAX) {
        return ERR_INVALID_PARTITIONS;
    }
    if (core->topic_count >= core->limits.topics_max || !partitions_fit(core, item->partition_count)) {
        return ERR_POLICY_VIOLATION;
    }
    enum err err = governing_check(core, item->name, item->configs, item->config_count);
    if (err != ERR_OK) {
        return err;
    }
    struct config_set configs = {0};
    if (!config_set_replace(&configs, item->configs, item->config_count)) {
        return ERR_INVALID_CONFIG;
    }
    struct topic *topic = topic_new(core, item->topic_id, item->name);
    topic_place(core, topic);
    topic->configs = configs;
    governing_refresh(core, topic);
    topic_partitions_add(core, topic, item->partition_count);
    return ERR_OK;
}

enum err partitions_add_apply(struct apply *a, const struct item_partitions_add *item)
{
    struct topic *topic = core_topic_find_id(a->core, item->topic_id);
    if (topic == NULL) {
        return ERR_UNKNOWN_TOPIC_ID;
    }
    if (item->expected_count != topic->partition_count) {
        return ERR_STALE;
    }
    if (item->partition_count <= topic->partition_count || item->partition_count > ITEM_PARTITIONS_MAX) {
        return ERR_INVALID_PARTITIONS;
    }
    if (!partitions_fit(a->core, item->partition_count - topic->partition_count)) {
        return ERR_POLICY_VIOLATION;
    }
    topic_touch(a->core, topic);
    topic_partitions_add(a->core, topic, item->partition_count);
    return ERR_OK;
}

// ---- deleting

enum err topic_delete_apply(struct apply *a, const struct item_topic_delete *item)
{
    struct core *core = a->core;
    struct topic *topic = core_topic_find_id(core, item->topic_id);
    if (topic == NULL) {
        return ERR_UNKNOWN_TOPIC_ID;
    }
    if (core_topic_naming(core, topic_name(topic)) != NULL) {
        return ERR_POLICY_VIOLATION;
    }
    topic_touch(core, topic); // what hangs on it is saved when it is freed
    governing_leave(core, topic);
    topic_txns_leave(core, topic);
    uint32_t at = core_topic_lower_bound(core, topic_name(topic));
    ASSERT(core->topics[at] == topic);
    memmove(&core->topics[at], &core->topics[at + 1], (core->topic_count - at - 1) * sizeof *core->topics);
    core->topic_count--;
    map_remove(&core->topics_by_name, &topic->by_name);
    map_remove(&core->topics_by_id, &topic->by_id);
    map_remove(&core->topics_by_shape, &topic->by_shape);
    core->partition_total -= (uint64_t)topic->partition_count;
    core->producer_count -= topic->producer_count;
    topic_offsets_leave(core, topic);
    topic_tallies_leave(core, topic);
    topic->is_deleted = true;
    topic->delete_gen = core->cut.gen;
    list_push_back(&core->dying, &topic->in_dying);
    return ERR_OK;
}

void topic_free(struct topic *topic)
{
    config_set_fini(&topic->configs);
    mem_free(topic->takers);
    mem_free(topic->partitions);
    mem_free(topic->tally_slots);
    mem_free(topic);
}

// partition_reclaim frees what the budget allows; true once nothing is left of the partition.
static bool partition_reclaim(struct apply *a, struct partition *p, uint32_t *budget)
{
    partition_touch(a->core, p);
    while (*budget > 0 && !list_is_empty(&p->producers)) {
        producer_remove(a->core, LIST_ENTRY(p->producers.next, struct producer, in_partition));
        (*budget)--;
    }
    uint32_t count = p->extent_count < *budget ? p->extent_count : *budget;
    extents_drop_front(a->core, p, count, a->facts);
    *budget -= count;
    if (!list_is_empty(&p->producers) || p->extent_count > 0) {
        return false;
    }
    slot_give(a->core, p->slot);
    partition_free(a->core, p);
    return true;
}

// offsets_reclaim frees pages of offsets; true once the topic has none.
static bool offsets_reclaim(struct core *core, struct topic *topic, uint32_t *budget)
{
    while (*budget > 0 && !list_is_empty(&topic->offset_pages)) {
        uint32_t freed =
            offset_page_free(core, LIST_ENTRY(topic->offset_pages.next, struct offset_page, in_topic));
        *budget -= freed < *budget ? freed : *budget;
    }
    return list_is_empty(&topic->offset_pages);
}

void topics_reclaim(struct apply *a, uint32_t *budget)
{
    uint32_t partitions = RECLAIM_PARTITIONS_MAX;
    while (*budget > 0 && partitions > 0 && !list_is_empty(&a->core->dying)) {
        struct topic *topic = LIST_ENTRY(a->core->dying.next, struct topic, in_dying);
        if (!offsets_reclaim(a->core, topic, budget) || !tallies_reclaim(a->core, topic, budget)) {
            return;
        }
        if (topic->partition_count == 0) {
            list_remove(&topic->in_dying);
            topic_free(topic);
            continue;
        }
        if (!partition_reclaim(a, topic->partitions[topic->partition_count - 1], budget)) {
            return;
        }
        topic->partition_count--;
        partitions--;
    }
}
