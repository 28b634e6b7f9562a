// SPDX-License-Identifier: Apache-2.0
// fetch_session.c - the cache of fetch sessions.
//
// States of a session: cached and idle -> in use (begin .. end) -> idle again, or gone. Whoever closes one
// that is in use only takes it out of the cache; its user frees it at the end. Evicted are: first what was
// idle for eviction_ms, then what has fewer partitions than the newcomer and is at least that old (Kafka's
// order).
#include "broker/fetch_session.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

enum {
    SESSION_SHARE = 4,    // one session gets at most bytes_max / SESSION_SHARE
    ALLOCATION_COST = 16, // what the heap adds to an allocation
    MAP_COST = 16,        // slots of a map, per entry
    HIGH_WATERMARK_UNKNOWN = -1,
};

struct session_topic {
    struct map_node node;
    struct uuid id;
    uint32_t entry_count;
    bool is_by_name;
    size_t name_len;
    char name[];
};

struct session_entry {
    struct map_node node;
    struct list order;
    struct session_topic *topic;
    int64_t offset;
    int64_t high_watermark; // as told last
    int64_t log_start_offset;
    int32_t partition;
    int32_t bytes_max;
    int32_t current_leader_epoch;
    int32_t last_fetched_epoch;
};

struct fetch_session {
    struct fetch_sessions *sessions;
    // of the cache, under its lock
    struct map_node node;
    struct list lru;
    bool is_used;
    bool is_gone; // out of the cache
    int32_t epoch;
    int64_t created_ns;
    int64_t used_ns;
    uint32_t counted; // partitions, as of the last end
    size_t charged;   // bytes, counted in the cache
    // constant
    int32_t id;
    bool uses_topic_ids;
    // of the user
    size_t bytes;
    struct map entries;
    struct map topics;
    struct list order;
};

struct fetch_sessions {
    struct env *env;
    struct fetch_session_limits limits;
    uint64_t seed;
    struct mutex lock; // guards what follows
    struct map by_id;
    struct list lru; // the longest unused first
    uint32_t count;
    size_t bytes;
    struct metric *metric_sessions;
    struct metric *metric_partitions;
    struct metric *metric_evictions;
};

// ---- one session's partitions

static size_t entry_cost(void)
{
    return sizeof(struct session_entry) + ALLOCATION_COST + MAP_COST;
}

static size_t topic_cost(const struct fetch_part *part)
{
    return sizeof(struct session_topic) + part->topic_name.len + ALLOCATION_COST + MAP_COST;
}

static uint64_t topic_hash(const struct fetch_session *s, const struct fetch_part *part)
{
    return part->topic_name.ptr != NULL
               ? hash64(bytes_of(part->topic_name.ptr, part->topic_name.len), s->sessions->seed)
               : hash64(bytes_of(part->topic_id.b, sizeof part->topic_id.b), s->sessions->seed);
}

static struct session_topic *topic_find(const struct fetch_session *s, const struct fetch_part *part,
                                        uint64_t hash)
{
    bool is_by_name = part->topic_name.ptr != NULL;
    struct map_node *node = map_first(&s->topics, hash);
    for (; node != NULL; node = map_next(node)) {
        struct session_topic *topic = MAP_ENTRY(node, struct session_topic, node);
        const struct str name = {topic->name, topic->name_len};
        if (topic->is_by_name == is_by_name &&
            (is_by_name ? str_equal(name, part->topic_name) : uuid_equal(topic->id, part->topic_id))) {
            return topic;
        }
    }
    return NULL;
}

static struct session_topic *topic_add(struct fetch_session *s, const struct fetch_part *part, uint64_t hash)
{
    struct session_topic *topic = mem_zalloc(sizeof *topic + part->topic_name.len);
    topic->is_by_name = part->topic_name.ptr != NULL;
    topic->id = part->topic_id;
    topic->name_len = part->topic_name.len;
    if (topic->is_by_name) {
        memcpy(topic->name, part->topic_name.ptr, part->topic_name.len);
    }
    map_insert(&s->topics, &topic->node, hash);
    s->bytes += topic_cost(part);
    return topic;
}

static uint64_t entry_hash(uint64_t topic_hash, int32_t partition)
{
    return hash_mix(topic_hash, (uint64_t)(uint32_t)partition);
}

static struct session_entry *entry_find(const struct fetch_session *s, const struct session_topic *topic,
                                        int32_t partition)
{
    struct map_node *node =
        topic == NULL ? NULL : map_first(&s->entries, entry_hash(topic->node.hash, partition));
    for (; node != NULL; node = map_next(node)) {
        struct session_entry *entry = MAP_ENTRY(node, struct session_entry, node);
        if (entry->topic == topic && entry->partition == partition) {
            return entry;
        }
    }
    return NULL;
}

// entry_put adds or updates what is asked of one partition.
static struct session_entry *entry_put(struct fetch_session *s, const struct fetch_part *part)
{
    uint64_t hash = topic_hash(s, part);
    struct session_topic *topic = topic_find(s, part, hash);
    topic = topic == NULL ? topic_add(s, part, hash) : topic;
    struct session_entry *entry = entry_find(s, topic, part->partition);
    if (entry == NULL) {
        entry = mem_zalloc(sizeof *entry);
        entry->topic = topic;
        entry->partition = part->partition;
        entry->high_watermark = HIGH_WATERMARK_UNKNOWN;
        entry->log_start_offset = -1;
        topic->entry_count++;
        map_insert(&s->entries, &entry->node, entry_hash(hash, part->partition));
        list_push_back(&s->order, &entry->order);
        s->bytes += entry_cost();
    }
    entry->offset = part->offset;
    entry->bytes_max = part->bytes_max;
    entry->current_leader_epoch = part->current_leader_epoch;
    entry->last_fetched_epoch = part->last_fetched_epoch;
    return entry;
}

static void entry_remove(struct fetch_session *s, const struct fetch_part *part)
{
    struct session_topic *topic = topic_find(s, part, topic_hash(s, part));
    struct session_entry *entry = entry_find(s, topic, part->partition);
    if (entry == NULL) {
        return;
    }
    map_remove(&s->entries, &entry->node);
    list_remove(&entry->order);
    mem_free(entry);
    s->bytes -= entry_cost();
    if (--topic->entry_count == 0) {
        map_remove(&s->topics, &topic->node);
        s->bytes -= topic_cost(part);
        mem_free(topic);
    }
}

// growth is the most that putting these parts can cost.
static size_t growth(const struct fetch_session *s, const struct fetch_part *parts, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct session_topic *topic = topic_find(s, &parts[i], topic_hash(s, &parts[i]));
        if (entry_find(s, topic, parts[i].partition) != NULL) {
            continue;
        }
        bool is_next = i > 0 && parts[i - 1].topic_name.ptr == parts[i].topic_name.ptr &&
                       uuid_equal(parts[i - 1].topic_id, parts[i].topic_id); // of the topic counted before
        bytes += entry_cost() + (topic == NULL && !is_next ? topic_cost(&parts[i]) : 0);
    }
    return bytes;
}

static void session_free(struct fetch_session *s)
{
    struct map_node *node;
    while ((node = map_pop(&s->entries)) != NULL) {
        mem_free(MAP_ENTRY(node, struct session_entry, node));
    }
    while ((node = map_pop(&s->topics)) != NULL) {
        mem_free(MAP_ENTRY(node, struct session_topic, node));
    }
    map_fini(&s->entries);
    map_fini(&s->topics);
    mem_free(s);
}

static struct fetch_session *session_new(struct fetch_sessions *sessions, bool uses_topic_ids)
{
    struct fetch_session *s = mem_zalloc(sizeof *s);
    s->sessions = sessions;
    s->uses_topic_ids = uses_topic_ids;
    s->bytes = sizeof *s + ALLOCATION_COST + MAP_COST;
    map_init(&s->entries);
    map_init(&s->topics);
    list_init(&s->order);
    return s;
}

// ---- the cache; the lock is held in functions that end in _locked

static struct fetch_session *find_locked(const struct fetch_sessions *sessions, int32_t id)
{
    struct map_node *node = map_first(&sessions->by_id, hash_mix(sessions->seed, (uint64_t)(uint32_t)id));
    for (; node != NULL; node = map_next(node)) {
        struct fetch_session *s = MAP_ENTRY(node, struct fetch_session, node);
        if (s->id == id) {
            return s;
        }
    }
    return NULL;
}

static void recount_locked(struct fetch_session *s, uint32_t count, size_t bytes)
{
    struct fetch_sessions *sessions = s->sessions;
    metric_add(sessions->metric_partitions, (int64_t)count - (int64_t)s->counted);
    sessions->bytes += bytes - s->charged;
    s->counted = count;
    s->charged = bytes;
}

// take_out_locked removes a session from the cache; true if the caller has to free it.
static bool take_out_locked(struct fetch_session *s)
{
    struct fetch_sessions *sessions = s->sessions;
    if (!s->is_gone) {
        s->is_gone = true;
        map_remove(&sessions->by_id, &s->node);
        list_remove(&s->lru);
        sessions->count--;
        metric_add(sessions->metric_sessions, -1);
    }
    if (s->is_used) {
        return false; // its bytes are counted until its user ends
    }
    recount_locked(s, 0, 0);
    return true;
}

static struct fetch_session *victim_locked(const struct fetch_sessions *sessions, uint32_t partition_count,
                                           int64_t now_ns)
{
    struct fetch_session *smallest = NULL;
    int64_t old_ns = now_ns - sessions->limits.eviction_ms * 1000000;
    LIST_EACH (node, &sessions->lru) {
        struct fetch_session *s = LIST_ENTRY(node, struct fetch_session, lru);
        if (s->is_used) {
            continue;
        }
        if (s->used_ns < old_ns) {
            return s;
        }
        if (s->created_ns < old_ns && s->counted < partition_count &&
            (smallest == NULL || s->counted < smallest->counted)) {
            smallest = s;
        }
    }
    return smallest;
}

// room_locked evicts until `slots` more sessions and `bytes` more bytes fit; false if they cannot. What is to
// be freed after the lock goes into `garbage`.
static bool room_locked(struct fetch_sessions *sessions, uint32_t slots, size_t bytes,
                        uint32_t partition_count, int64_t now_ns, struct list *garbage)
{
    const struct fetch_session_limits *limits = &sessions->limits;
    while (sessions->count + slots > limits->count_max || bytes > limits->bytes_max ||
           sessions->bytes > limits->bytes_max - bytes) {
        struct fetch_session *victim =
            bytes > limits->bytes_max ? NULL : victim_locked(sessions, partition_count, now_ns);
        if (victim == NULL) {
            return false;
        }
        bool is_free = take_out_locked(victim);
        ASSERT(is_free);
        list_push_back(garbage, &victim->lru);
        metric_add(sessions->metric_evictions, 1);
    }
    return true;
}

static void garbage_free(struct list *garbage)
{
    struct list *node;
    while ((node = list_pop_front(garbage)) != NULL) {
        session_free(LIST_ENTRY(node, struct fetch_session, lru));
    }
}

// reserve counts `bytes` more for a session, and its slot if it is new.
static bool reserve(struct fetch_session *s, bool is_new, size_t bytes, uint32_t partition_count,
                    int64_t now_ns)
{
    struct fetch_sessions *sessions = s->sessions;
    struct list garbage;
    list_init(&garbage);
    bool fits = s->charged + bytes <= sessions->limits.bytes_max / SESSION_SHARE;
    mutex_lock(&sessions->lock);
    fits = fits && room_locked(sessions, is_new ? 1 : 0, bytes, partition_count, now_ns, &garbage);
    if (fits) {
        recount_locked(s, s->counted, s->charged + bytes);
        sessions->count += is_new ? 1 : 0;
    }
    mutex_unlock(&sessions->lock);
    garbage_free(&garbage);
    return fits;
}

struct fetch_sessions *fetch_sessions_create(struct env *env, const struct fetch_session_limits *limits,
                                             struct metrics *m)
{
    struct fetch_sessions *sessions = mem_zalloc(sizeof *sessions);
    sessions->env = env;
    sessions->limits = *limits;
    sessions->seed = rng_u64(env->rng);
    mutex_init(&sessions->lock, env->threads);
    map_init(&sessions->by_id);
    list_init(&sessions->lru);
    sessions->metric_sessions = metrics_gauge(m, "kafka_server_fetchsessioncache_numincrementalfetchsessions",
                                              NULL, "Fetch sessions that are remembered");
    sessions->metric_partitions =
        metrics_gauge(m, "kafka_server_fetchsessioncache_numincrementalfetchpartitionscached", NULL,
                      "Partitions of all fetch sessions");
    sessions->metric_evictions =
        metrics_counter(m, "kafka_server_fetchsessioncache_incrementalfetchsessionevictions_total", NULL,
                        "Fetch sessions that made room for others");
    return sessions;
}

void fetch_sessions_destroy(struct fetch_sessions *take_sessions)
{
    if (take_sessions == NULL) {
        return;
    }
    struct map_node *node;
    while ((node = map_pop(&take_sessions->by_id)) != NULL) {
        struct fetch_session *s = MAP_ENTRY(node, struct fetch_session, node);
        ASSERT(!s->is_used);
        session_free(s);
    }
    map_fini(&take_sessions->by_id);
    mutex_fini(&take_sessions->lock);
    mem_free(take_sessions);
}

// insert gives the session a number and puts it into the cache; its slot is counted already.
static void insert(struct fetch_session *s, int64_t now_ns)
{
    struct fetch_sessions *sessions = s->sessions;
    s->epoch = fetch_epoch_next(FETCH_EPOCH_INITIAL);
    s->created_ns = s->used_ns = now_ns;
    for (bool is_in = false; !is_in;) {
        int32_t id =
            (int32_t)(rng_u64(sessions->env->rng) & INT32_MAX); // no verb of the world under the lock
        mutex_lock(&sessions->lock);
        is_in = id != FETCH_SESSION_NONE && find_locked(sessions, id) == NULL;
        if (is_in) {
            s->id = id;
            map_insert(&sessions->by_id, &s->node, hash_mix(sessions->seed, (uint64_t)(uint32_t)id));
            list_push_back(&sessions->lru, &s->lru);
            recount_locked(s, (uint32_t)s->entries.count, s->bytes);
            metric_add(sessions->metric_sessions, 1);
        }
        mutex_unlock(&sessions->lock);
    }
}

int32_t fetch_session_create(struct fetch_sessions *sessions, const struct fetch_part *parts, uint32_t count,
                             bool uses_topic_ids, int64_t now_ns)
{
    struct fetch_session *s = session_new(sessions, uses_topic_ids);
    if (count == 0 || !reserve(s, true, s->bytes + growth(s, parts, count), count, now_ns)) {
        session_free(s);
        return FETCH_SESSION_NONE;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct session_entry *entry = entry_put(s, &parts[i]);
        entry->high_watermark = parts[i].high_watermark;
        entry->log_start_offset = parts[i].log_start_offset;
    }
    insert(s, now_ns);
    return s->id;
}

void fetch_session_close(struct fetch_sessions *sessions, int32_t id)
{
    mutex_lock(&sessions->lock);
    struct fetch_session *s = find_locked(sessions, id);
    bool is_free = s != NULL && take_out_locked(s);
    mutex_unlock(&sessions->lock);
    if (is_free) {
        session_free(s);
    }
}

// ---- used by a request

enum err fetch_session_begin(struct fetch_sessions *sessions, int32_t id, int32_t epoch, bool uses_topic_ids,
                             int64_t now_ns, struct fetch_session **ret_session)
{
    enum err err = ERR_OK;
    mutex_lock(&sessions->lock);
    struct fetch_session *s = find_locked(sessions, id);
    if (s == NULL) {
        err = ERR_FETCH_SESSION_NOT_FOUND;
    } else if (s->is_used || s->epoch != epoch) {
        err = ERR_FETCH_SESSION_EPOCH;
    } else if (s->uses_topic_ids != uses_topic_ids) {
        err = ERR_FETCH_SESSION_TOPIC_ID;
    } else {
        s->is_used = true;
        s->epoch = fetch_epoch_next(epoch);
        s->used_ns = now_ns;
        list_remove(&s->lru);
        list_push_back(&sessions->lru, &s->lru);
        *ret_session = s;
    }
    mutex_unlock(&sessions->lock);
    return err;
}

void fetch_session_end(struct fetch_session *take_session)
{
    struct fetch_session *s = take_session;
    struct fetch_sessions *sessions = s->sessions;
    mutex_lock(&sessions->lock);
    s->is_used = false;
    bool is_free = s->is_gone && take_out_locked(s);
    if (!is_free) {
        recount_locked(s, (uint32_t)s->entries.count, s->bytes);
    }
    mutex_unlock(&sessions->lock);
    if (is_free) {
        session_free(s);
    }
}

int32_t fetch_session_id(const struct fetch_session *session)
{
    return session->id;
}

uint32_t fetch_session_count(const struct fetch_session *session)
{
    return (uint32_t)session->entries.count;
}

enum err fetch_session_change(struct fetch_session *session, const struct fetch_part *asked, uint32_t count,
                              const struct fetch_part *forgotten, uint32_t forgotten_count, int64_t now_ns)
{
    size_t bytes = growth(session, asked, count);
    uint32_t partition_count = (uint32_t)session->entries.count + count;
    if (bytes > 0 && !reserve(session, false, bytes, partition_count, now_ns)) {
        fetch_session_close(session->sessions, session->id);
        return ERR_FETCH_SESSION_NOT_FOUND;
    }
    for (uint32_t i = 0; i < count; i++) {
        (void)entry_put(session, &asked[i]);
    }
    for (uint32_t i = 0; i < forgotten_count; i++) {
        entry_remove(session, &forgotten[i]);
    }
    if (session->entries.count == 0) {
        fetch_session_close(session->sessions, session->id);
    }
    return ERR_OK;
}

void fetch_session_fill(const struct fetch_session *session, struct fetch_part *ret_parts)
{
    LIST_EACH (node, &session->order) {
        const struct session_entry *entry = LIST_ENTRY(node, struct session_entry, order);
        const struct session_topic *topic = entry->topic;
        *ret_parts++ = (struct fetch_part){
            .topic_id = topic->id,
            .topic_name = {topic->is_by_name ? topic->name : NULL, topic->name_len},
            .partition = entry->partition,
            .current_leader_epoch = entry->current_leader_epoch,
            .last_fetched_epoch = entry->last_fetched_epoch,
            .offset = entry->offset,
            .bytes_max = entry->bytes_max,
        };
    }
}

uint32_t fetch_session_news(struct fetch_session *session, struct fetch_part *parts,
                            struct fetch_part **ret_news)
{
    uint32_t count = 0;
    uint32_t left = (uint32_t)session->entries.count;
    struct list *node = session->order.next;
    for (struct fetch_part *part = parts; left > 0; left--, part++) {
        struct session_entry *entry = LIST_ENTRY(node, struct session_entry, order);
        node = node->next;
        ASSERT(entry->partition == part->partition);
        bool is_news = part->err != ERR_OK || part->slice_bytes > 0 || part->diverging_epoch >= 0 ||
                       part->high_watermark != entry->high_watermark ||
                       part->log_start_offset != entry->log_start_offset;
        if (!is_news) {
            continue;
        }
        // After an error the partition is news again, whatever it was before.
        entry->high_watermark = part->err == ERR_OK ? part->high_watermark : HIGH_WATERMARK_UNKNOWN;
        entry->log_start_offset = part->log_start_offset;
        list_remove(&entry->order);
        list_push_back(&session->order, &entry->order);
        ret_news[count++] = part;
    }
    return count;
}
