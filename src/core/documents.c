// SPDX-License-Identifier: Apache-2.0
// documents.c - documents by key and by revision (decision 0010). The vector by revision only grows at its
// end; what is put again or removed leaves a hole, and when more than half are holes they are closed. Keys of
// removed documents are remembered for a while, for those who follow the changes.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/core_private.h"

enum { PLACES_MIN = 64 };

static uint64_t key_hash(struct str key)
{
    return hash64(bytes_of(key.ptr, key.len), 16);
}

// ---- one document

struct document *document_ref(const struct document *document)
{
    struct document *counted = (struct document *)document; // only the count changes
    __atomic_fetch_add(&counted->ref_count, 1, __ATOMIC_RELAXED);
    return counted;
}

void document_unref(struct document *take_document)
{
    if (take_document != NULL && __atomic_fetch_sub(&take_document->ref_count, 1, __ATOMIC_ACQ_REL) == 1) {
        mem_free(take_document);
    }
}

struct str document_key(const struct document *document)
{
    return (struct str){document->bytes, document->key_len};
}

struct bytes document_value(const struct document *document)
{
    return bytes_of(document->bytes + document->key_len, document->value_len);
}

int64_t document_number(const struct document *document)
{
    return document->number;
}

uint64_t document_revision(const struct document *document)
{
    return document->revision;
}

int64_t document_stamp_ms(const struct document *document)
{
    return document->stamp_ms;
}

struct document *core_document_find(const struct core *core, struct str key)
{
    uint64_t hash = key_hash(key);
    for (struct map_node *node = map_first(&core->documents_by_key, hash); node != NULL;
         node = map_next(node)) {
        struct document *document = MAP_ENTRY(node, struct document, by_key);
        if (str_equal(document_key(document), key)) {
            return document;
        }
    }
    return NULL;
}

// ---- by revision

// place_above: the first place with a revision above this one.
static uint32_t place_above(const struct core *core, uint64_t revision)
{
    uint32_t low = 0;
    uint32_t high = core->document_places;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (core->document_revisions[middle] <= revision) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct document *core_document_after(const struct core *core, uint64_t revision)
{
    // Holes are at most half of all places, but may lie together.
    for (uint32_t at = place_above(core, revision); at < core->document_places; at++) {
        if (core->documents[at] != NULL) {
            return core->documents[at];
        }
    }
    return NULL;
}

static void places_close(struct core *core)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < core->document_places; i++) {
        if (core->documents[i] != NULL) {
            core->document_revisions[count] = core->document_revisions[i];
            core->documents[count++] = core->documents[i];
        }
    }
    core->document_places = count;
}

static void place_append(struct core *core, struct document *document)
{
    if (core->document_places > PLACES_MIN && core->document_places / 2 > core->document_count) {
        places_close(core);
    }
    if (core->document_places == core->document_places_cap) {
        core->document_places_cap =
            core->document_places_cap == 0 ? PLACES_MIN : core->document_places_cap * 2;
        core->documents = mem_realloc(core->documents, core->document_places_cap * sizeof(struct document *));
        core->document_revisions =
            mem_realloc(core->document_revisions, core->document_places_cap * sizeof(uint64_t));
    }
    core->document_revisions[core->document_places] = document->revision;
    core->documents[core->document_places++] = document;
}

// document_leave takes it out of the state, which the running cut may still need it for.
static void document_leave(struct core *core, struct document *document)
{
    document_touch(core, document);
    uint32_t place = place_above(core, document->revision) - 1;
    ASSERT(core->documents[place] == document);
    core->documents[place] = NULL;
    map_remove(&core->documents_by_key, &document->by_key);
    core->document_count--;
    core->document_bytes -= document->key_len + document->value_len;
    document_unref(document);
}

void document_put(struct core *core, struct str key, struct bytes value, int64_t number, int64_t stamp_ms,
                  uint64_t revision)
{
    struct document *document = mem_alloc(sizeof *document + key.len + value.len);
    *document = (struct document){
        .ref_count = 1,
        .key_len = (uint32_t)key.len,
        .value_len = (uint32_t)value.len,
        .snap_gen = core->cut.gen,
        .revision = revision,
        .number = number,
        .stamp_ms = stamp_ms,
    };
    memcpy(document->bytes, key.ptr, key.len);
    if (value.len > 0) {
        memcpy(document->bytes + key.len, value.ptr, value.len);
    }
    struct document *old = core_document_find(core, key);
    if (old != NULL) {
        document_leave(core, old); // `value` may lie in it
    }
    map_insert(&core->documents_by_key, &document->by_key, key_hash(document_key(document)));
    core->document_count++;
    core->document_bytes += key.len + value.len;
    place_append(core, document);
}

static int revision_order(const void *left, const void *right)
{
    const struct document *a = *(const struct document *const *)left;
    const struct document *b = *(const struct document *const *)right;
    return (a->revision > b->revision) - (a->revision < b->revision);
}

bool documents_sort(struct core *core)
{
    if (core->document_places > 0) {
        qsort(core->documents, core->document_places, sizeof(struct document *), revision_order);
    }
    core->removals_from = core->document_serial;
    for (uint32_t i = 0; i < core->document_places; i++) {
        core->document_revisions[i] = core->documents[i]->revision;
        if (core->documents[i]->revision > core->document_serial ||
            (i > 0 && core->document_revisions[i - 1] == core->document_revisions[i])) {
            return false;
        }
    }
    return true;
}

void core_documents_fini(struct core *core)
{
    for (uint32_t i = 0; i < core->document_places; i++) {
        document_unref(core->documents[i]);
    }
    uint32_t kept = core->removal_count < DOCUMENT_REMOVALS_MAX ? core->removal_count : DOCUMENT_REMOVALS_MAX;
    for (uint32_t i = 0; i < kept; i++) {
        mem_free((char *)core->removals[i].key.ptr);
    }
    map_fini(&core->documents_by_key);
    mem_free(core->documents);
    mem_free(core->document_revisions);
    mem_free(core->removals);
}

// ---- removals

static void removal_remember(struct core *core, struct str key, uint64_t revision)
{
    if (core->removals == NULL) {
        core->removals = mem_array(DOCUMENT_REMOVALS_MAX, sizeof *core->removals);
    }
    struct document_removal *removal = &core->removals[core->removal_count % DOCUMENT_REMOVALS_MAX];
    if (core->removal_count >= DOCUMENT_REMOVALS_MAX) {
        core->removals_from = removal->revision;
        mem_free((char *)removal->key.ptr);
    }
    char *copy = mem_alloc(key.len);
    memcpy(copy, key.ptr, key.len);
    *removal = (struct document_removal){revision, {copy, key.len}};
    core->removal_count++;
}

bool core_document_removal_after(const struct core *core, uint64_t revision, struct str *ret_key,
                                 uint64_t *ret_revision, bool *ret_is_complete)
{
    *ret_is_complete = revision >= core->removals_from;
    uint32_t high = core->removal_count;
    uint32_t low = high < DOCUMENT_REMOVALS_MAX ? 0 : high - DOCUMENT_REMOVALS_MAX;
    uint32_t end = high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (core->removals[middle % DOCUMENT_REMOVALS_MAX].revision <= revision) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == end) {
        return false;
    }
    *ret_key = core->removals[low % DOCUMENT_REMOVALS_MAX].key;
    *ret_revision = core->removals[low % DOCUMENT_REMOVALS_MAX].revision;
    return true;
}

// ---- DOCUMENTS

static int64_t sum_of(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? INT64_MAX : INT64_MIN) : sum;
}

static int64_t number_now(const struct core *core, struct str key)
{
    const struct document *document = core_document_find(core, key);
    return document == NULL ? 0 : document->number;
}

static struct bytes value_now(const struct core *core, struct str key)
{
    const struct document *document = core_document_find(core, key);
    return document == NULL ? (struct bytes){0} : document_value(document);
}

static bool is_sound(const struct item_documents *item)
{
    for (uint32_t i = 0; i < item->document_count; i++) {
        const struct item_document *d = &item->documents[i];
        bool has_counter = d->op == DOCUMENT_PUT && d->number_op >= NUMBER_NEXT;
        if (d->key.len == 0 || (has_counter && d->counter.len == 0)) {
            return false;
        }
    }
    return true;
}

// grows_by sums what the item adds to what is there.
static void grows_by(const struct core *core, const struct item_documents *item, uint64_t *ret_count,
                     uint64_t *ret_bytes)
{
    *ret_count = *ret_bytes = 0;
    for (uint32_t i = 0; i < item->document_count; i++) {
        const struct item_document *d = &item->documents[i];
        if (d->op == DOCUMENT_REMOVE) {
            continue;
        }
        const struct document *now = core_document_find(core, d->key);
        bool is_counter_new = d->number_op == NUMBER_NEXT && core_document_find(core, d->counter) == NULL;
        *ret_count += (now == NULL) + is_counter_new;
        *ret_bytes += is_counter_new ? d->counter.len : 0;
        if (now == NULL) {
            *ret_bytes += d->key.len + d->value.len;
        } else if (d->value.len > now->value_len) {
            *ret_bytes += d->value.len - now->value_len;
        }
    }
}

// fits bounds what the item adds. What only changes documents that are there, such as the note on a version
// that is to be deleted, may go beyond the limit: how could anything be deleted otherwise?
static bool fits(const struct core *core, const struct item_documents *item)
{
    uint64_t count;
    uint64_t bytes;
    grows_by(core, item, &count, &bytes);
    uint64_t bytes_max = core->limits.documents_bytes_max;
    bytes_max += count == 0 ? bytes_max / DOCUMENT_NOTES_SHARE : 0;
    bool has_place = count == 0 || core->document_count + count <= core->limits.documents_max;
    return has_place && (count + bytes == 0 || core->document_bytes + bytes <= bytes_max);
}

// fits_v1 does so as if nothing that it puts were there yet.
static bool fits_v1(const struct core *core, const struct item_documents *item)
{
    uint64_t count = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < item->document_count; i++) {
        const struct item_document *d = &item->documents[i];
        if (d->op == DOCUMENT_PUT) {
            count += core_document_find(core, d->key) == NULL;
            bytes += d->key.len + d->value.len + d->counter.len;
        }
    }
    return bytes == 0 || (core->document_count + count <= core->limits.documents_max &&
                          core->document_bytes + bytes <= core->limits.documents_bytes_max);
}

static void change_apply(struct apply *a, const struct item_document *d, struct outcome *ret)
{
    struct core *core = a->core;
    if (d->op == DOCUMENT_REMOVE) {
        struct document *document = core_document_find(core, d->key);
        if (document != NULL) {
            removal_remember(core, d->key, ++core->document_serial);
            document_leave(core, document);
        }
        return;
    }
    int64_t number = d->number;
    if (d->number_op == NUMBER_ADD) {
        number = sum_of(number_now(core, d->key), d->number);
    } else if (d->number_op == NUMBER_NEXT) {
        number = sum_of(number_now(core, d->counter), 1);
        document_put(core, d->counter, value_now(core, d->counter), number, core->stamp_ms,
                     ++core->document_serial);
        ret->value = number;
    } else if (d->number_op == NUMBER_COPY) {
        number = number_now(core, d->counter);
    }
    struct bytes value = d->value.ptr == NULL ? value_now(core, d->key) : d->value;
    document_put(core, d->key, value, number, core->stamp_ms, ++core->document_serial);
}

bool conditions_hold(const struct core *core, const struct item_condition *conditions, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct document *document = core_document_find(core, conditions[i].key);
        if ((document == NULL ? 0 : document->revision) != conditions[i].revision) {
            return false;
        }
    }
    return true;
}

enum err documents_apply(struct apply *a, const struct item_documents *item, uint8_t version,
                         struct outcome *ret)
{
    if (!is_sound(item)) {
        return ERR_INVALID_REQUEST;
    }
    if (!conditions_hold(a->core, item->conditions, item->condition_count)) {
        return ERR_STALE;
    }
    if (!(version == 1 ? fits_v1(a->core, item) : fits(a->core, item))) {
        return ERR_POLICY_VIOLATION;
    }
    for (uint32_t i = 0; i < item->document_count; i++) {
        change_apply(a, &item->documents[i], ret);
    }
    return ERR_OK;
}

// ---- reading

uint64_t core_document_serial(const struct core *core)
{
    return core->document_serial;
}

uint32_t core_document_count(const struct core *core)
{
    return core->document_count;
}

uint64_t core_document_bytes(const struct core *core)
{
    return core->document_bytes;
}
