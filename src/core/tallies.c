// SPDX-License-Identifier: Apache-2.0
// tallies.c - what became of the records of governed topics (decision 0013). A batch says what to add to
// which cells of its topic; it is added when the batch is appended or its refusal is final, and so exactly
// once.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/core_private.h"

enum {
    NAMED_TOPIC_MAX = TALLY_TOPIC_MAX / 4 * 3, // the last part of the room is for cells without `who`
    NAMED_TOTAL_MAX = TALLY_TOTAL_MAX / 4 * 3,
};

struct tally_key {
    struct bytes who;
    struct bytes what;
    uint8_t kind;
};

static uint64_t key_hash(const struct topic *topic, const struct tally_key *key)
{
    return hash_mix(hash64(key->who, topic->serial), hash64(key->what, key->kind));
}

static struct bytes tally_who(const struct tally *tally)
{
    return bytes_of(tally->key, tally->who_len);
}

static struct bytes tally_what(const struct tally *tally)
{
    return bytes_of(tally->key + tally->who_len, tally->what_len);
}

static struct tally *tally_find(const struct core *core, const struct topic *topic,
                                const struct tally_key *key)
{
    uint64_t hash = key_hash(topic, key);
    for (struct map_node *n = map_first(&core->tallies, hash); n != NULL; n = map_next(n)) {
        struct tally *tally = MAP_ENTRY(n, struct tally, by_key);
        if (tally->topic == topic && tally->kind == key->kind && bytes_equal(tally_who(tally), key->who) &&
            bytes_equal(tally_what(tally), key->what)) {
            return tally;
        }
    }
    return NULL;
}

static size_t tally_size(const struct tally *tally)
{
    return sizeof *tally + tally->who_len + tally->what_len;
}

static struct tally *tally_new(struct core *core, struct topic *topic, const struct tally_key *key)
{
    ASSERT(key->who.len <= ITEM_TALLY_KEY_MAX);
    ASSERT(key->what.len <= ITEM_TALLY_KEY_MAX);
    struct tally *tally = mem_zalloc(sizeof *tally + key->who.len + key->what.len);
    tally->topic = topic;
    tally->snap_gen = core->cut.gen;
    tally->kind = key->kind;
    tally->who_len = (uint16_t)key->who.len;
    tally->what_len = (uint16_t)key->what.len;
    if (key->who.len > 0) {
        memcpy(tally->key, key->who.ptr, key->who.len);
    }
    if (key->what.len > 0) {
        memcpy(tally->key + key->who.len, key->what.ptr, key->what.len);
    }
    map_insert(&core->tallies, &tally->by_key, key_hash(topic, key));
    list_push_back(&core->tally_list, &tally->in_all);
    list_push_back(&topic->tallies, &tally->in_topic);
    core->tally_bytes += tally_size(tally);
    core->tally_count++;
    topic->tally_count++;
    return tally;
}

static void tally_free(struct core *core, struct tally *tally)
{
    cut_tally_leaving(core, tally);
    map_remove(&core->tallies, &tally->by_key);
    list_remove(&tally->in_all);
    list_remove(&tally->in_topic);
    core->tally_bytes -= tally_size(tally);
    mem_free(tally);
}

// tally_for gives the cell that counts for the key. One that has no room for its name is another's.
static struct tally *tally_for(struct core *core, struct topic *topic, const struct tally_key *key)
{
    const struct tally_key keys[] = {
        *key,
        {{NULL, 0}, key->what, key->kind},
        {{NULL, 0}, {NULL, 0}, key->kind},
    };
    bool has_room[] = {
        topic->tally_count < NAMED_TOPIC_MAX && core->tally_count < NAMED_TOTAL_MAX,
        topic->tally_count < TALLY_TOPIC_MAX && core->tally_count < TALLY_TOTAL_MAX,
        true,
    };
    struct tally *found = NULL;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && found == NULL; i++) {
        found = tally_find(core, topic, &keys[i]);
        if (found == NULL && has_room[i]) {
            found = tally_new(core, topic, &keys[i]);
        }
    }
    ASSERT(found != NULL);
    return found;
}

// The windows, each a ring of slots behind that of the one before.
static const struct {
    int64_t step_ms;
    int32_t slots;
    int32_t first;
} windows[TALLY_WINDOWS] = {
    [TALLY_MINUTE] = {5000, TALLY_MINUTE_SLOTS, 0},
    [TALLY_HOUR] = {300000, TALLY_HOUR_SLOTS, TALLY_MINUTE_SLOTS},
    [TALLY_DAY] = {3600000, TALLY_DAY_SLOTS, TALLY_MINUTE_SLOTS + TALLY_HOUR_SLOTS},
};

// recent_add keeps what was counted lately.
static void recent_add(struct core *core, struct topic *topic, const struct item_tally *item)
{
    if (item->kind >= TALLY_RECORD_KINDS || core->stamp_ms < 0) {
        return;
    }
    if (topic->tally_slots == NULL) {
        topic->tally_slots = mem_zalloc(TALLY_SLOTS * sizeof *topic->tally_slots);
        core->tally_bytes += TALLY_SLOTS * sizeof *topic->tally_slots;
    }
    for (int w = 0; w < TALLY_WINDOWS; w++) {
        int64_t number = core->stamp_ms / windows[w].step_ms;
        struct tally_slot *slot = &topic->tally_slots[windows[w].first + number % windows[w].slots];
        if (slot->number != number) {
            *slot = (struct tally_slot){.number = number};
        }
        slot->counts[item->kind] += item->count;
    }
}

void tallies_apply(struct apply *a, struct topic *topic, const struct item_data *data)
{
    struct core *core = a->core;
    for (uint32_t i = 0; i < data->tally_count; i++) {
        const struct item_tally *item = &data->tallies[i];
        const struct tally_key key = {data->tally_who, item->what, item->kind};
        struct tally *tally = tally_for(core, topic, &key);
        tally_touch(core, tally);
        tally->count += item->count;
        tally->stamp_ms = core->stamp_ms;
        recent_add(core, topic, item);
    }
}

// ---- going

void topic_tallies_leave(struct core *core, struct topic *topic)
{
    core->tally_count -= topic->tally_count;
    if (topic->tally_slots != NULL) {
        core->tally_bytes -= TALLY_SLOTS * sizeof *topic->tally_slots;
        mem_free(topic->tally_slots);
        topic->tally_slots = NULL;
    }
}

bool tallies_reclaim(struct core *core, struct topic *topic, uint32_t *budget)
{
    while (*budget > 0 && !list_is_empty(&topic->tallies)) {
        struct tally *tally = LIST_ENTRY(topic->tallies.next, struct tally, in_topic);
        tally_touch(core, tally);
        tally_free(core, tally);
        (*budget)--;
    }
    return list_is_empty(&topic->tallies);
}

void core_tallies_fini(struct core *core)
{
    LIST_EACH_SAFE (node, after, &core->tally_list) {
        tally_free(core, LIST_ENTRY(node, struct tally, in_all));
    }
    map_fini(&core->tallies);
}

// ---- snapshots

static void key_put(struct bytes key, struct buf *out)
{
    buf_be16(out, (uint16_t)key.len);
    buf_append(out, key.ptr, key.len);
}

static struct bytes key_get(struct reader *r)
{
    size_t length = (uint16_t)reader_i16(r);
    const uint8_t *key = reader_take(r, length);
    return bytes_of(key, r->failed ? 0 : length);
}

void tally_body(const struct tally *tally, struct buf *out)
{
    buf_uuid(out, tally->topic->id);
    key_put(tally_who(tally), out);
    key_put(tally_what(tally), out);
    buf_u8(out, tally->kind);
    buf_be64(out, tally->count);
    buf_be64(out, (uint64_t)tally->stamp_ms);
}

bool tally_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    struct topic *topic = core_topic_find_id(core, reader_uuid(&r));
    struct tally_key key;
    key.who = key_get(&r);
    key.what = key_get(&r);
    key.kind = (uint8_t)reader_i8(&r);
    uint64_t count = (uint64_t)reader_i64(&r);
    int64_t stamp_ms = reader_i64(&r);
    if (r.failed || reader_left(&r) != 0 || topic == NULL || count == 0 || key.kind >= TALLY_KINDS ||
        key.who.len > ITEM_TALLY_KEY_MAX || key.what.len > ITEM_TALLY_KEY_MAX ||
        tally_find(core, topic, &key) != NULL) {
        return false;
    }
    struct tally *tally = tally_new(core, topic, &key);
    tally->count = count;
    tally->stamp_ms = stamp_ms;
    return true;
}

// ---- reading

uint32_t core_tally_count(const struct core *core)
{
    return core->tally_count;
}

uint32_t topic_tally_count(const struct topic *topic)
{
    return topic->tally_count;
}

const struct tally *topic_tally_next(const struct topic *topic, const struct tally *after)
{
    const struct list *node = after == NULL ? topic->tallies.next : after->in_topic.next;
    return node == &topic->tallies ? NULL : LIST_ENTRY(node, const struct tally, in_topic);
}

void tally_view(const struct tally *tally, struct tally_view *ret)
{
    *ret = (struct tally_view){
        .who = tally_who(tally),
        .what = tally_what(tally),
        .kind = tally->kind,
        .count = tally->count,
        .stamp_ms = tally->stamp_ms,
    };
}

static void window_sum(const struct topic *topic, int w, int64_t now_ms, struct tally_recent *ret)
{
    int64_t newest = now_ms / windows[w].step_ms;
    for (int i = 0; topic->tally_slots != NULL && i < windows[w].slots; i++) {
        const struct tally_slot *slot = &topic->tally_slots[windows[w].first + i];
        bool is_recent = slot->number <= newest && slot->number > newest - windows[w].slots;
        for (int k = 0; is_recent && k < TALLY_RECORD_KINDS; k++) {
            ret->counts[k] += slot->counts[k];
        }
    }
}

void topic_tally_recent(const struct core *core, const struct topic *topic, int64_t now_ms,
                        struct tally_recent ret[TALLY_WINDOWS])
{
    int64_t known_ms = now_ms < core->tally_since_ms ? 0 : now_ms - core->tally_since_ms;
    for (int w = 0; w < TALLY_WINDOWS; w++) {
        int64_t step_ms = windows[w].step_ms;
        int64_t full_ms = (windows[w].slots - 1) * step_ms + now_ms % step_ms; // the newest slot is not over
        ret[w] = (struct tally_recent){.window_ms = windows[w].slots * step_ms};
        ret[w].covered_ms = known_ms < full_ms ? known_ms : full_ms;
        window_sum(topic, w, now_ms, &ret[w]);
    }
}
