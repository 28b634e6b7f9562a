// SPDX-License-Identifier: Apache-2.0
// cache.c - snapshots by what they are asked for. One that is not there is loaded on the registry's loop
// while the cases that asked wait; the least used go when there are too many.
#include "base/hash.h"
#include "base/mem.h"
#include "govern/govern_private.h"

// Either it has a snapshot, or it is wanted or being loaded, and has waiters.
struct slot {
    struct map_node by_key;
    struct list node;          // in cache.used or cache.wanted
    struct list waiters;       // struct waiter.node
    struct snapshot *snapshot; // NULL: to be loaded
    uint64_t checked;          // the suspicion up to which the snapshot is known to hold
    struct want want;          // its subject lies in `key`
    size_t key_len;
    char subject[REGISTRY_SUBJECT_BYTES_MAX];
    uint8_t key[];
};

void snapshot_unref(struct snapshot *take_snapshot)
{
    struct snapshot *s = take_snapshot;
    if (s == NULL || __atomic_fetch_sub(&s->refs, 1, __ATOMIC_ACQ_REL) != 1) {
        return;
    }
    if (s->kind == SNAPSHOT_CONTRACT) {
        contract_unref(s->contract);
    }
    arena_fini(&s->arena);
    mem_free(s);
}

static struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    __atomic_fetch_add(&snapshot->refs, 1, __ATOMIC_RELAXED);
    return snapshot;
}

static size_t put(uint8_t *room, size_t at, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(room + at, data, size);
    }
    return at + size;
}

size_t want_key(const struct want *want, uint8_t room[WANT_KEY_SIZE])
{
    size_t at = 0;
    room[at++] = (uint8_t)want->kind;
    switch (want->kind) {
    case SNAPSHOT_TOPIC:
        return put(room, at, want->topic_id.b, sizeof want->topic_id.b);
    case SNAPSHOT_SUBJECT:
        break;
    case SNAPSHOT_SCHEMA:
        room[at++] = want->name.is_guid;
        at = want->name.is_guid ? put(room, at, want->name.guid.b, sizeof want->name.guid.b)
                                : put(room, at, &want->name.id, sizeof want->name.id);
        return put(room, at, want->indexes, want->index_count * sizeof *want->indexes);
    case SNAPSHOT_CONTRACT:
        room[at++] = (uint8_t)want->level;
        room[at++] = (uint8_t)want->index_count;
        at = put(room, at, &want->version, sizeof want->version);
        at = put(room, at, want->guid.b, sizeof want->guid.b);
        at = put(room, at, &want->revision, sizeof want->revision);
        at = put(room, at, want->indexes, want->index_count * sizeof *want->indexes);
        break;
    }
    size_t len =
        want->subject.len < REGISTRY_SUBJECT_BYTES_MAX ? want->subject.len : REGISTRY_SUBJECT_BYTES_MAX;
    return put(room, at, want->subject.ptr, len);
}

// ---- slots; the lock is held

static struct slot *slot_find(const struct cache *cache, const uint8_t *key, size_t len, uint64_t hash)
{
    for (struct map_node *node = map_first(&cache->slots, hash); node != NULL; node = map_next(node)) {
        struct slot *slot = MAP_ENTRY(node, struct slot, by_key);
        if (slot->key_len == len && memcmp(slot->key, key, len) == 0) {
            return slot;
        }
    }
    return NULL;
}

static struct slot *slot_add(struct cache *cache, const struct want *want, const uint8_t *key, size_t len,
                             uint64_t hash)
{
    struct slot *slot = mem_zalloc(sizeof *slot + len);
    slot->want = *want;
    slot->want.subject = (struct str){slot->subject, want->subject.len};
    if (want->subject.len > 0) {
        memcpy(slot->subject, want->subject.ptr, want->subject.len);
    }
    slot->key_len = len;
    memcpy(slot->key, key, len);
    list_init(&slot->waiters);
    map_insert(&cache->slots, &slot->by_key, hash);
    return slot;
}

// slot_take frees a slot and gives its snapshot, to be released once the lock is.
static struct snapshot *slot_take(struct cache *cache, struct slot *slot)
{
    struct snapshot *snapshot = slot->snapshot;
    list_remove(&slot->node);
    map_remove(&cache->slots, &slot->by_key);
    cache->bytes -= snapshot->bytes;
    cache->count--;
    mem_free(slot);
    return snapshot;
}

void cache_init(struct cache *cache, struct env *env)
{
    mutex_init(&cache->lock, env->threads);
    map_init(&cache->slots);
    cache->bytes_max = GOVERN_SNAPSHOT_BYTES_MAX;
    cache->count_max = GOVERN_SNAPSHOTS_MAX;
    list_init(&cache->used);
    list_init(&cache->wanted);
}

void cache_fini(struct cache *cache)
{
    struct map_node *node;
    while ((node = map_pop(&cache->slots)) != NULL) {
        struct slot *slot = MAP_ENTRY(node, struct slot, by_key);
        snapshot_unref(slot->snapshot);
        mem_free(slot);
    }
    map_fini(&cache->slots);
    mutex_fini(&cache->lock);
}

// ---- looking up

bool cache_is_current(struct govern *g, const struct snapshot *snapshot)
{
    bool is_current = true;
    if (snapshot->ground_count == 0 && snapshot->kind != SNAPSHOT_TOPIC) {
        return true;
    }
    const struct core *core = broker_view_begin(g->broker);
    if (snapshot->kind == SNAPSHOT_TOPIC) {
        const struct topic *topic = core_topic_find_id(core, snapshot->topic.id);
        // One that was found to be gone stays so: ids are never given twice.
        is_current = topic == NULL ? snapshot->topic.name.ptr == NULL
                                   : topic_config_revision(topic) == snapshot->topic.config_revision;
    }
    for (size_t i = 0; i < snapshot->ground_count && is_current; i++) {
        const struct document *document = core_document_find(core, snapshot->grounds[i].key);
        is_current = snapshot->grounds[i].revision == (document == NULL ? 0 : document_revision(document));
    }
    broker_view_end(g->broker);
    return is_current;
}

void cache_drop(struct govern *g, const struct snapshot *snapshot)
{
    struct cache *cache = &g->cache;
    struct snapshot *gone = NULL;
    mutex_lock(&cache->lock);
    struct slot *slot =
        slot_find(cache, (const uint8_t *)snapshot->key.ptr, snapshot->key.len, snapshot->hash);
    if (slot != NULL && slot->snapshot == snapshot) {
        gone = slot_take(cache, slot);
    }
    mutex_unlock(&cache->lock);
    snapshot_unref(gone);
}

void cache_suspect(struct govern *g)
{
    mutex_lock(&g->cache.lock);
    g->cache.suspicion++;
    mutex_unlock(&g->cache.lock);
}

// cache_find gives a reference to what is there; *ret_suspicion: up to which it has to be compared with the
// core, 0 = not.
static struct snapshot *cache_find(struct cache *cache, const uint8_t *key, size_t len, uint64_t hash,
                                   uint64_t *ret_suspicion)
{
    struct snapshot *found = NULL;
    mutex_lock(&cache->lock);
    struct slot *slot = slot_find(cache, key, len, hash);
    if (slot != NULL && slot->snapshot != NULL) {
        found = snapshot_ref(slot->snapshot);
        *ret_suspicion = slot->checked == cache->suspicion ? 0 : cache->suspicion;
        list_remove(&slot->node);
        list_push_back(&cache->used, &slot->node);
    }
    mutex_unlock(&cache->lock);
    return found;
}

static void cache_note_checked(struct cache *cache, const struct snapshot *snapshot, uint64_t suspicion)
{
    mutex_lock(&cache->lock);
    struct slot *slot =
        slot_find(cache, (const uint8_t *)snapshot->key.ptr, snapshot->key.len, snapshot->hash);
    if (slot != NULL && slot->snapshot == snapshot) {
        slot->checked = suspicion;
    }
    mutex_unlock(&cache->lock);
}

// cache_want queues the waiter, unless a snapshot came in between.
static enum cache_answer cache_want(struct govern *g, const struct want *want, struct bytes key,
                                    uint64_t hash, struct waiter *waiter, struct snapshot **ret)
{
    struct cache *cache = &g->cache;
    enum cache_answer answer = CACHE_WAIT;
    bool must_post = false;
    mutex_lock(&cache->lock);
    struct slot *slot = slot_find(cache, key.ptr, key.len, hash);
    if (cache->is_stopping) {
        answer = CACHE_STOPPING;
    } else if (slot != NULL && slot->snapshot != NULL) {
        *ret = snapshot_ref(slot->snapshot);
        answer = CACHE_FOUND;
    } else {
        if (slot == NULL) {
            slot = slot_add(cache, want, key.ptr, key.len, hash);
            list_push_back(&cache->wanted, &slot->node);
        }
        list_push_back(&slot->waiters, &waiter->node);
        must_post = !cache->is_posted;
        cache->is_posted = true;
    }
    mutex_unlock(&cache->lock);
    if (must_post) {
        loop_post(g->loop, &g->load);
    }
    return answer;
}

enum cache_answer cache_get(struct govern *g, const struct want *want, struct waiter *waiter,
                            struct snapshot **ret)
{
    uint8_t key[WANT_KEY_SIZE];
    size_t len = want_key(want, key);
    uint64_t hash = hash64(bytes_of(key, len), 1);
    uint64_t suspicion = 0;
    struct snapshot *found = cache_find(&g->cache, key, len, hash, &suspicion);
    if (found != NULL && suspicion != 0) {
        if (cache_is_current(g, found)) {
            cache_note_checked(&g->cache, found, suspicion);
        } else {
            cache_drop(g, found);
            snapshot_unref(found);
            found = NULL;
        }
    }
    if (found != NULL) {
        *ret = found;
        return CACHE_FOUND;
    }
    return cache_want(g, want, bytes_of(key, len), hash, waiter, ret);
}

// ---- loading

// cache_shrink takes out what is over the limits, but for the newest; the lock is held.
static size_t cache_shrink(struct cache *cache, struct snapshot **gone, size_t max)
{
    size_t count = 0;
    while (count < max && cache->count > 1 &&
           (cache->bytes > cache->bytes_max || cache->count > cache->count_max ||
            !mem_has_room(MEM_SHARE_TRAVEL, 0))) {
        gone[count++] = slot_take(cache, LIST_ENTRY(cache->used.next, struct slot, node));
    }
    return count;
}

static void waiters_take(struct slot *slot, struct list *ret)
{
    struct list *node;
    while ((node = list_pop_front(&slot->waiters)) != NULL) {
        list_push_back(ret, node);
    }
}

static void waiters_wake(struct list *waiters)
{
    struct list *node;
    while ((node = list_pop_front(waiters)) != NULL) {
        policy_case_wake(LIST_ENTRY(node, struct waiter, node)->c);
    }
}

// cache_publish puts what was loaded into its slot, which nobody took away meanwhile.
static void cache_publish(struct cache *cache, struct slot *slot, struct snapshot *loaded, uint64_t suspicion)
{
    enum { GONE_MAX = 64 };
    struct snapshot *gone[GONE_MAX];
    struct list waiters;
    list_init(&waiters);
    mutex_lock(&cache->lock);
    slot->snapshot = loaded;
    slot->checked = suspicion;
    cache->bytes += loaded->bytes;
    cache->count++;
    list_push_back(&cache->used, &slot->node);
    waiters_take(slot, &waiters);
    size_t gone_count = cache_shrink(cache, gone, GONE_MAX);
    mutex_unlock(&cache->lock);
    for (size_t i = 0; i < gone_count; i++) {
        snapshot_unref(gone[i]);
    }
    waiters_wake(&waiters);
}

bool cache_load_next(struct govern *g)
{
    struct cache *cache = &g->cache;
    mutex_lock(&cache->lock);
    struct list *node = cache->is_stopping ? NULL : list_pop_front(&cache->wanted);
    struct slot *slot = node == NULL ? NULL : LIST_ENTRY(node, struct slot, node);
    uint64_t suspicion = cache->suspicion;
    cache->is_posted = slot != NULL;
    mutex_unlock(&cache->lock);
    if (slot == NULL) {
        return false;
    }
    cache_publish(cache, slot, snapshot_load(g, &slot->want), suspicion);
    return true;
}

void cache_stop(struct cache *cache)
{
    struct list waiters;
    list_init(&waiters);
    mutex_lock(&cache->lock);
    cache->is_stopping = true;
    LIST_EACH (node, &cache->wanted) {
        waiters_take(LIST_ENTRY(node, struct slot, node), &waiters);
    }
    mutex_unlock(&cache->lock);
    waiters_wake(&waiters);
}
