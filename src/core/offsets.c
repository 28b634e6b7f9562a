// SPDX-License-Identifier: Apache-2.0
// offsets.c - positions that groups committed, in pages of up to 256 partitions of one topic. A page hangs on
// its group, in a skip list by (topic id, page), and on its topic: when either is deleted the page is dead at
// once, counted nowhere and found by no look-up, and freed within the budget of reclaiming. Committing and
// reading cost the logarithm of a group's pages, plus moving within one page.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/plant.h"
#include "core/core_private.h"

bool offset_page_is_dead(const struct offset_page *page)
{
    return page->group->is_deleted || page->topic->is_deleted;
}

// ---- the skip list. A topic id might come again while pages of its first life are dying: topics' serials
// keep the order strict.

struct page_key {
    struct uuid topic_id;
    int32_t number;
    uint64_t topic_serial;
};

static struct page_key page_key(const struct topic *topic, int32_t number)
{
    return (struct page_key){topic->id, number, topic->serial};
}

// page_is_before: the page comes before the key.
static bool page_is_before(const struct offset_page *page, const struct page_key *key)
{
    int order = memcmp(page->topic->id.b, key->topic_id.b, sizeof key->topic_id.b);
    if (order != 0) {
        return order < 0;
    }
    return page->number != key->number ? page->number < key->number : page->topic->serial < key->topic_serial;
}

// page_at_or_after finds the first page that is not before the key.
static struct offset_page *page_at_or_after(const struct group *group, const struct page_key *key)
{
    struct offset_page *const *links = group->pages;
    for (int level = OFFSET_PAGE_HEIGHT_MAX; level-- > 0;) {
        while (links[level] != NULL && page_is_before(links[level], key)) {
            links = links[level]->next;
        }
    }
    return links[0];
}

// page_links finds, on every level, the link that leads to the first page not before the key.
static void page_links(struct group *group, const struct page_key *key,
                       struct offset_page **ret_links[OFFSET_PAGE_HEIGHT_MAX])
{
    struct offset_page **links = group->pages;
    for (int level = OFFSET_PAGE_HEIGHT_MAX; level-- > 0;) {
        while (links[level] != NULL && page_is_before(links[level], key)) {
            links = links[level]->next;
        }
        ret_links[level] = &links[level];
    }
}

// page_height: one page in four reaches the next level. By the key, so that it is the same in every run.
static uint8_t page_height(const struct page_key *key)
{
    uint64_t hash = hash64(bytes_of(key->topic_id.b, sizeof key->topic_id.b), (uint64_t)key->number + 11);
    uint8_t height = 1;
    while (height < OFFSET_PAGE_HEIGHT_MAX && (hash & 3) == 0) {
        hash >>= 2;
        height++;
    }
    return height;
}

struct offset_page *offset_page_find(const struct group *group, const struct topic *topic, int32_t number)
{
    struct page_key key = page_key(topic, number);
    struct offset_page *page = page_at_or_after(group, &key);
    return page != NULL && page->topic == topic && page->number == number ? page : NULL;
}

static size_t page_size(const struct offset_page *page)
{
    return sizeof *page + page->height * sizeof(struct offset_page *) + page->cap * sizeof *page->entries;
}

struct offset_page *offset_page_new(struct core *core, struct group *group, struct topic *topic,
                                    int32_t number)
{
    struct page_key key = page_key(topic, number);
    uint8_t height = page_height(&key);
    struct offset_page *page = mem_zalloc(sizeof *page + height * sizeof(struct offset_page *));
    page->group = group;
    page->topic = topic;
    page->number = number;
    page->height = height;
    page->snap_gen = core->cut.gen;
    struct offset_page **links[OFFSET_PAGE_HEIGHT_MAX];
    page_links(group, &key, links);
    for (uint8_t level = 0; level < height; level++) {
        page->next[level] = *links[level];
        *links[level] = page;
    }
    list_push_back(&core->offset_pages, &page->in_all);
    list_push_back(&topic->offset_pages, &page->in_topic);
    core->group_bytes += page_size(page);
    return page;
}

uint32_t offset_page_free(struct core *core, struct offset_page *page)
{
    offset_page_touch(core, page);
    cut_offset_page_leaving(core, page);
    struct page_key key = page_key(page->topic, page->number);
    struct offset_page **links[OFFSET_PAGE_HEIGHT_MAX];
    page_links(page->group, &key, links);
    for (uint8_t level = 0; level < page->height; level++) {
        ASSERT(*links[level] == page);
        *links[level] = page->next[level];
    }
    list_remove(&page->in_all);
    list_remove(&page->in_topic);
    uint32_t freed = 1;
    core->group_bytes -= page_size(page);
    for (uint16_t i = 0; i < page->count; i++) {
        if (page->entries[i].metadata != NULL) {
            core->group_bytes -= page->entries[i].metadata_len;
            mem_free(page->entries[i].metadata);
            freed++;
        }
    }
    mem_free(page->entries);
    mem_free(page);
    return freed;
}

void topic_offsets_leave(struct core *core, struct topic *topic)
{
    LIST_EACH (node, &topic->offset_pages) {
        struct offset_page *page = LIST_ENTRY(node, struct offset_page, in_topic);
        if (!page->group->is_deleted) { // a deleted group took its whole count away
            page->group->offset_count -= page->count;
            core->offset_total -= page->count;
            page->group->offset_text -= page->text;
            core->offset_text -= page->text;
        }
    }
}

void core_offsets_fini(struct core *core)
{
    LIST_EACH_SAFE (node, after, &core->offset_pages) {
        offset_page_free(core, LIST_ENTRY(node, struct offset_page, in_all));
    }
}

// ---- entries

static int32_t page_number(int32_t partition)
{
    return partition / OFFSET_PAGE_PARTITIONS;
}

static uint8_t page_index(int32_t partition)
{
    return (uint8_t)(partition % OFFSET_PAGE_PARTITIONS);
}

// entry_lower_bound: the place of the first entry >= index, which may be past a page's last.
static uint16_t entry_lower_bound(const struct offset_page *page, uint32_t index)
{
    uint16_t low = 0;
    uint16_t high = page->count;
    while (low < high) {
        uint16_t middle = (uint16_t)((low + high) / 2);
        if (page->entries[middle].index < index) {
            low = (uint16_t)(middle + 1);
        } else {
            high = middle;
        }
    }
    return low;
}

static struct offset_entry *entry_find(const struct offset_page *page, uint8_t index)
{
    uint16_t at = entry_lower_bound(page, index);
    return at < page->count && page->entries[at].index == index ? &page->entries[at] : NULL;
}

static struct offset_entry *offset_find(const struct group *group, const struct topic *topic,
                                        int32_t partition, struct offset_page **ret_page)
{
    *ret_page = offset_page_find(group, topic, page_number(partition));
    return *ret_page == NULL ? NULL : entry_find(*ret_page, page_index(partition));
}

static struct offset_entry *entry_insert(struct core *core, struct offset_page *page, uint8_t index)
{
    if (page->count == page->cap) {
        core->group_bytes -= page_size(page);
        page->cap = page->cap == 0 ? 1 : (uint16_t)(page->cap * 2);
        page->entries = mem_realloc(page->entries, page->cap * sizeof *page->entries);
        core->group_bytes += page_size(page);
    }
    uint16_t at = entry_lower_bound(page, index);
    memmove(&page->entries[at + 1], &page->entries[at], (size_t)(page->count - at) * sizeof *page->entries);
    page->entries[at] = (struct offset_entry){.index = index};
    page->count++;
    page->group->offset_count++;
    core->offset_total++;
    return &page->entries[at];
}

static void entry_text_count(struct core *core, struct offset_page *page, uint16_t more, uint16_t less)
{
    page->text = page->text + more - less;
    page->group->offset_text = page->group->offset_text + more - less;
    core->offset_text = core->offset_text + more - less;
    core->group_bytes = core->group_bytes + more - less;
}

static void entry_metadata_drop(struct core *core, struct offset_page *page, struct offset_entry *entry)
{
    entry_text_count(core, page, 0, entry->metadata_len);
    mem_free(entry->metadata);
    entry->metadata = NULL;
    entry->metadata_len = 0;
}

void offset_entry_set(struct core *core, struct offset_page *page, const struct offset_entry *values,
                      struct str metadata)
{
    offset_page_touch(core, page);
    struct offset_entry *entry = entry_find(page, values->index);
    if (entry == NULL) {
        entry = entry_insert(core, page, values->index);
    }
    entry_metadata_drop(core, page, entry);
    *entry = *values;
    entry->metadata = NULL;
    entry->metadata_len = 0;
    if (metadata.len > 0) {
        entry->metadata = mem_alloc(metadata.len);
        memcpy(entry->metadata, metadata.ptr, metadata.len);
        entry->metadata_len = (uint16_t)metadata.len;
        entry_text_count(core, page, entry->metadata_len, 0);
    }
}

// offset_remove may free the page.
static void offset_remove(struct core *core, struct offset_page *page, struct offset_entry *entry)
{
    offset_page_touch(core, page);
    entry_metadata_drop(core, page, entry);
    size_t at = (size_t)(entry - page->entries);
    memmove(entry, entry + 1, (page->count - at - 1) * sizeof *entry);
    page->count--;
    page->group->offset_count--;
    core->offset_total--;
    if (page->count == 0) {
        offset_page_free(core, page);
    }
}

// ---- OFFSET_COMMIT

enum err offset_commit_check(const struct group *group, const struct item_offset_commit *item)
{
    if (plant_is(PLANT_COMMIT_NOT_FENCED)) {
        return ERR_OK;
    }
    if (item->generation == -1) {
        return group == NULL || !group_is_populated(group) ? ERR_OK : ERR_UNKNOWN_MEMBER_ID;
    }
    if (group == NULL) {
        return ERR_ILLEGAL_GENERATION;
    }
    if (group_is_consumer(group)) {
        const struct item_consumer_member *member = consumer_member_find(group, item->member_id);
        return member == NULL                      ? ERR_UNKNOWN_MEMBER_ID
               : member->epoch == item->generation ? ERR_OK
                                                   : ERR_STALE_MEMBER_EPOCH;
    }
    if (group_member_find(group, item->member_id) == NULL) {
        return ERR_UNKNOWN_MEMBER_ID;
    }
    return item->generation == group->generation ? ERR_OK : ERR_ILLEGAL_GENERATION;
}

bool offsets_fit(const struct core *core, uint64_t more, uint64_t more_text)
{
    uint64_t count = core->offset_total + core->txn_offset_total + more;
    uint64_t text = core->offset_text + core->txn_offset_text + more_text;
    return (more == 0 || count <= core->limits.offsets_max) &&
           (more_text == 0 || (text - 1) / OFFSET_TEXT_SHARE < core->limits.offsets_max);
}

// What a commit brings.
struct commit_sum {
    uint32_t kept;  // entries whose partition is there
    uint32_t fresh; // of those, have no offset yet
    uint64_t text;  // bytes of metadata by which they are longer than what is there
};

// commit_resolve finds each entry's topic, NULL where its partition is gone.
static struct commit_sum commit_resolve(const struct core *core, const struct group *group,
                                        const struct item_offset_commit *item, struct topic **ret_topics)
{
    struct commit_sum sum = {0};
    for (uint32_t i = 0; i < item->offset_count; i++) {
        const struct item_offset *offset = &item->offsets[i];
        struct partition *p;
        if (partition_get(core, offset->topic_id, offset->partition, &p) != ERR_OK) {
            ret_topics[i] = NULL;
            continue;
        }
        ret_topics[i] = p->topic;
        struct offset_page *page;
        const struct offset_entry *there =
            group == NULL ? NULL : offset_find(group, p->topic, offset->partition, &page);
        size_t before = there == NULL ? 0 : there->metadata_len;
        sum.kept++;
        sum.fresh += there == NULL;
        sum.text += offset->metadata.len > before ? offset->metadata.len - before : 0;
    }
    return sum;
}

static void commit_one(struct core *core, struct group *group, struct topic *topic,
                       const struct item_offset *offset)
{
    int32_t number = page_number(offset->partition);
    struct offset_page *page = offset_page_find(group, topic, number);
    if (page == NULL) {
        page = offset_page_new(core, group, topic, number);
    }
    struct offset_entry values = {
        .offset = offset->offset,
        .commit_ms = core->time_ms,
        .retention_ms = offset->retention_ms < 0 ? -1 : offset->retention_ms,
        .leader_epoch = offset->leader_epoch,
        .index = page_index(offset->partition),
    };
    offset_entry_set(core, page, &values, offset->metadata);
}

enum err offset_commit_apply(struct apply *a, const struct item_offset_commit *item)
{
    struct core *core = a->core;
    struct group *group = core_group_find(core, item->group_id);
    enum err err = offset_commit_check(group, item);
    if (err != ERR_OK) {
        return err;
    }
    struct topic **topics = arena_new(&core->scratch, struct topic *, item->offset_count);
    ASSERT(topics != NULL); // the decoded item is far from filling the arena
    struct commit_sum sum = commit_resolve(core, group, item, topics);
    if (sum.kept == 0) {
        return ERR_OK;
    }
    if (!offsets_fit(core, sum.fresh, sum.text) ||
        (group == NULL && core->group_count >= core->limits.groups_max)) {
        return ERR_POLICY_VIOLATION;
    }
    if (group == NULL) {
        group = group_new(core, item->group_id);
        group_place(core, group);
    }
    for (uint32_t i = 0; i < item->offset_count; i++) {
        if (topics[i] != NULL) {
            commit_one(core, group, topics[i], &item->offsets[i]);
        }
    }
    return ERR_OK;
}

void offset_commit_one(struct core *core, struct str id, const struct item_offset *offset)
{
    struct partition *p;
    if (partition_get(core, offset->topic_id, offset->partition, &p) != ERR_OK) {
        return;
    }
    struct group *group = core_group_find(core, id);
    if (group == NULL) {
        group = group_new(core, id);
        group_place(core, group);
    }
    commit_one(core, group, p->topic, offset);
}

// ---- OFFSET_DELETE

static bool entry_is_due(const struct core *core, const struct group *group, const struct offset_entry *entry,
                         const struct item_offset_delete *item)
{
    if (item->cutoff_ms == INT64_MAX) {
        return true;
    }
    if (entry->retention_ms >= 0) {
        int64_t end_ms;
        bool is_never = __builtin_add_overflow(entry->commit_ms, entry->retention_ms, &end_ms);
        return !is_never && end_ms <= core->time_ms;
    }
    // Who expects a generation has seen which topics its members consume.
    bool is_group_over = group->empty_since_ms <= item->cutoff_ms ||
                         (group->empty_since_ms == INT64_MAX && item->expected_generation >= 0);
    return entry->commit_ms <= item->cutoff_ms && is_group_over;
}

enum err offset_delete_apply(struct apply *a, const struct item_offset_delete *item)
{
    struct core *core = a->core;
    struct group *group = core_group_find(core, item->group_id);
    if (group == NULL) {
        return ERR_GROUP_ID_NOT_FOUND;
    }
    if (item->expected_generation != -1 && item->expected_generation != group->generation) {
        return ERR_STALE;
    }
    for (uint32_t i = 0; i < item->name_count; i++) {
        struct partition *p;
        struct offset_page *page;
        if (partition_get(core, item->names[i].topic_id, item->names[i].partition, &p) != ERR_OK) {
            continue;
        }
        struct offset_entry *entry = offset_find(group, p->topic, p->index, &page);
        if (entry != NULL && entry_is_due(core, group, entry, item)) {
            offset_remove(core, page, entry);
        }
    }
    return ERR_OK;
}

// ---- reading

static void offset_view(const struct offset_page *page, const struct offset_entry *entry,
                        struct offset_view *ret)
{
    *ret = (struct offset_view){
        .topic = page->topic,
        .partition = page->number * OFFSET_PAGE_PARTITIONS + entry->index,
        .offset = entry->offset,
        .leader_epoch = entry->leader_epoch,
        .commit_ms = entry->commit_ms,
        .retention_ms = entry->retention_ms,
        .metadata = entry->metadata_len == 0 ? STR("") : (struct str){entry->metadata, entry->metadata_len},
    };
}

bool group_offset_find(const struct group *group, const struct topic *topic, int32_t partition,
                       struct offset_view *ret)
{
    if (topic_partition(topic, partition) == NULL) {
        return false;
    }
    struct offset_page *page;
    struct offset_entry *entry = offset_find(group, topic, partition, &page);
    if (entry != NULL) {
        offset_view(page, entry, ret);
    }
    return entry != NULL;
}

bool group_offset_next(const struct group *group, struct uuid after_topic, int32_t after_partition,
                       struct offset_view *ret)
{
    int32_t from = after_partition < 0 ? 0 : after_partition;
    struct page_key key = {after_topic, page_number(from), 0};
    for (struct offset_page *page = page_at_or_after(group, &key); page != NULL; page = page->next[0]) {
        bool is_first = page->number == key.number && uuid_equal(page->topic->id, after_topic);
        uint16_t at =
            is_first && after_partition >= 0 ? entry_lower_bound(page, page_index(after_partition) + 1u) : 0;
        if (at < page->count && !offset_page_is_dead(page)) {
            offset_view(page, &page->entries[at], ret);
            return true;
        }
    }
    return false;
}

uint64_t core_offset_total(const struct core *core)
{
    return core->offset_total;
}
