// SPDX-License-Identifier: Apache-2.0
// sync.c - the index follows the documents by revision: first what was removed, then what was put. If more
// was removed than the core remembers, everything is read anew. Scopes and counters, which are found by their
// keys alone, are here, too.
#include "base/mem.h"
#include "core/governance.h"
#include "registry/registry_private.h"

enum { SYNC_SLICE = 256 }; // documents taken over under one lock

// ---- scopes

struct scope_entry *index_scope(const struct registry *r, struct str name)
{
    struct map_node *node = map_first(&r->scopes_by_name, index_text_hash(name, 3));
    for (; node != NULL; node = map_next(node)) {
        struct scope_entry *scope = MAP_ENTRY(node, struct scope_entry, by_name);
        if (str_equal(scope->name, name)) {
            return scope;
        }
    }
    return NULL;
}

static void scope_put(struct registry *r, struct str name, struct document *document, bool is_mode)
{
    struct scope_entry *scope = index_scope(r, name);
    if (scope == NULL && document == NULL) {
        return;
    }
    if (scope == NULL) {
        scope = mem_zalloc(sizeof *scope);
        scope->name = index_text_keep(name);
        map_insert(&r->scopes_by_name, &scope->by_name, index_text_hash(name, 3));
    }
    struct document **place = is_mode ? &scope->mode : &scope->config;
    document_unref(*place);
    *place = document == NULL ? NULL : document_ref(document);
    if (scope->config == NULL && scope->mode == NULL) {
        map_remove(&r->scopes_by_name, &scope->by_name);
        mem_free((char *)scope->name.ptr);
        mem_free(scope);
    }
}

// ---- counters

struct counter_entry {
    struct map_node by_key;
    struct document *document; // held
};

static struct counter_entry *counter_find(const struct registry *r, struct str key)
{
    struct map_node *node = map_first(&r->counters, index_text_hash(key, 5));
    for (; node != NULL; node = map_next(node)) {
        struct counter_entry *counter = MAP_ENTRY(node, struct counter_entry, by_key);
        if (str_equal(document_key(counter->document), key)) {
            return counter;
        }
    }
    return NULL;
}

struct document *index_counter(const struct registry *r, struct str key)
{
    struct counter_entry *counter = counter_find(r, key);
    return counter == NULL ? NULL : counter->document;
}

static void counter_put(struct registry *r, struct document *document)
{
    struct counter_entry *counter = counter_find(r, document_key(document));
    if (counter != NULL) {
        document_unref(counter->document);
        counter->document = document_ref(document);
        return;
    }
    counter = mem_alloc(sizeof *counter);
    counter->document = document_ref(document);
    map_insert(&r->counters, &counter->by_key, index_text_hash(document_key(document), 5));
}

static void counter_free(struct counter_entry *counter)
{
    document_unref(counter->document);
    mem_free(counter);
}

static void counter_remove(struct registry *r, struct str key)
{
    struct counter_entry *counter = counter_find(r, key);
    if (counter != NULL) {
        map_remove(&r->counters, &counter->by_key);
        counter_free(counter);
    }
}

static bool is_counter(struct str key)
{
    return str_has_prefix(key, STR("ids/")) || str_has_prefix(key, STR("users/")) ||
           str_has_prefix(key, STR("refs/")) || str_has_prefix(key, STR("topic/")) ||
           str_equal(key, STR(BINDINGS_DOCUMENT));
}

// ---- following

bool index_key_take(struct str key, struct str kind, struct str *ret_rest)
{
    if (!str_has_prefix(key, kind)) {
        return false;
    }
    *ret_rest = (struct str){key.ptr + kind.len, key.len - kind.len};
    return true;
}

// feed_change_note: of the documents that the feed has records of.
static void feed_change_note(struct registry *r, struct str key)
{
    static const char *const kinds[] = {"version/", "config/", "mode/", "association/"};
    for (size_t i = 0; r->feed.is_on && i < sizeof kinds / sizeof *kinds; i++) {
        if (str_has_prefix(key, str_from_c(kinds[i]))) {
            feed_note(r, FEED_DOCUMENT, key);
        }
    }
}

static void index_put(struct registry *r, struct document *document)
{
    struct str key = document_key(document);
    struct str rest;
    if (index_key_take(key, STR("schema/"), &rest)) {
        index_schema_put(r, rest, document);
    } else if (index_key_take(key, STR("version/"), &rest)) {
        index_version_put(r, rest, document);
    } else if (index_key_take(key, STR("subject/"), &rest)) {
        index_subject_put(r, rest, document);
    } else if (index_key_take(key, STR("config/"), &rest)) {
        scope_put(r, rest, document, false);
    } else if (index_key_take(key, STR("mode/"), &rest)) {
        scope_put(r, rest, document, true);
    } else if (index_key_take(key, STR("association/"), &rest)) {
        association_put(r, document);
    } else if (is_counter(key)) {
        counter_put(r, document);
    }
    feed_change_note(r, key); // behind the context that came with it
}

static void index_remove(struct registry *r, struct str key)
{
    struct str rest;
    feed_change_note(r, key);
    if (index_key_take(key, STR("schema/"), &rest)) {
        index_schema_remove(r, key, rest);
    } else if (index_key_take(key, STR("version/"), &rest)) {
        index_version_remove(r, rest);
    } else if (index_key_take(key, STR("subject/"), &rest)) {
        index_subject_remove(r, rest);
    } else if (index_key_take(key, STR("config/"), &rest)) {
        scope_put(r, rest, NULL, false);
    } else if (index_key_take(key, STR("mode/"), &rest)) {
        scope_put(r, rest, NULL, true);
    } else if (index_key_take(key, STR("association/"), &rest)) {
        association_remove(r, key);
    } else if (is_counter(key)) {
        counter_remove(r, key);
    }
}

static void index_clear(struct registry *r)
{
    struct map_node *node;
    feed_lose(r);
    index_entries_clear(r);
    while ((node = map_pop(&r->scopes_by_name)) != NULL) {
        struct scope_entry *scope = MAP_ENTRY(node, struct scope_entry, by_name);
        document_unref(scope->config);
        document_unref(scope->mode);
        mem_free((char *)scope->name.ptr);
        mem_free(scope);
    }
    while ((node = map_pop(&r->counters)) != NULL) {
        counter_free(MAP_ENTRY(node, struct counter_entry, by_key));
    }
    associations_clear(r);
    r->seen_revision = r->seen_removal = 0;
}

// What one slice takes from the core.
struct slice {
    struct document *documents[SYNC_SLICE]; // held
    size_t document_count;
    struct str removed[SYNC_SLICE]; // owned; a NULL ptr: it is there again
    size_t removed_count;
    bool is_complete;
    bool has_more;
    uint64_t end_revision; // of the core
};

static void slice_take(struct registry *r, struct slice *slice)
{
    const struct core *core = r->host.view_begin(r->host.arg);
    uint64_t revision = r->seen_removal;
    struct str key;
    slice->document_count = slice->removed_count = 0;
    slice->is_complete = true;
    // Someone who has seen nothing yet does not miss what was removed.
    if (r->seen_revision == 0) {
        revision = r->seen_removal = core_document_serial(core);
    }
    bool is_complete = true;
    while (slice->removed_count < SYNC_SLICE &&
           core_document_removal_after(core, revision, &key, &revision, &is_complete) && is_complete) {
        // What was put again since is put here when its turn comes; until then it is gone.
        slice->removed[slice->removed_count++] = index_text_keep(key);
    }
    slice->is_complete = is_complete;
    if (slice->removed_count < SYNC_SLICE) {
        uint64_t after = r->seen_revision;
        struct document *document;
        while (slice->document_count < SYNC_SLICE && (document = core_document_after(core, after)) != NULL) {
            after = document_revision(document);
            slice->documents[slice->document_count++] = document_ref(document);
        }
    }
    slice->has_more = slice->removed_count == SYNC_SLICE || slice->document_count == SYNC_SLICE;
    slice->end_revision = core_document_serial(core);
    r->host.view_end(r->host.arg);
    r->seen_removal = revision;
}

void registry_sync(struct registry *r)
{
    struct slice slice;
    do {
        slice_take(r, &slice);
        if (!slice.is_complete) {
            index_clear(r);
        }
        // Versions before the schemas that they hold: within one item they are removed in this order.
        for (size_t i = 0; i < slice.removed_count; i++) {
            if (slice.is_complete) {
                index_remove(r, slice.removed[i]);
            }
            mem_free((char *)slice.removed[i].ptr);
        }
        for (size_t i = 0; i < slice.document_count; i++) {
            if (slice.is_complete) {
                index_put(r, slice.documents[i]);
                r->seen_revision = document_revision(slice.documents[i]);
            }
            document_unref(slice.documents[i]);
        }
        if (!slice.has_more && slice.is_complete) {
            r->seen_revision = slice.end_revision;
        }
    } while (slice.has_more || !slice.is_complete);
    index_subjects_settle(r);
}

// ---- the registry

struct registry *registry_create(const struct registry_host *host)
{
    struct registry *r = mem_zalloc(sizeof *r);
    r->host = *host;
    map_init(&r->subjects_by_name);
    map_init(&r->schemas_by_id);
    map_init(&r->schemas_by_guid);
    map_init(&r->schemas_by_content);
    map_init(&r->referrers);
    map_init(&r->scopes_by_name);
    map_init(&r->associations);
    map_init(&r->counters);
    list_init(&r->parsed);
    index_context_have(r, STR("."));
    return r;
}

void registry_destroy(struct registry *take_registry)
{
    struct registry *r = take_registry;
    if (r == NULL) {
        return;
    }
    index_clear(r);
    feed_fini(r);
    mem_free((char *)r->contexts[0].name.ptr);
    mem_free(r->contexts);
    mem_free(r->subjects);
    map_fini(&r->subjects_by_name);
    map_fini(&r->schemas_by_id);
    map_fini(&r->schemas_by_guid);
    map_fini(&r->schemas_by_content);
    map_fini(&r->referrers);
    map_fini(&r->scopes_by_name);
    map_fini(&r->associations);
    map_fini(&r->counters);
    mem_free(r);
}

void registry_counts(const struct registry *r, struct registry_counts *ret)
{
    *ret = (struct registry_counts){
        .subjects = r->subject_count,
        .versions = r->version_count,
        .schemas = r->schema_count,
        .contexts = r->context_count,
        .parsed_bytes = r->parsed_bytes,
    };
}
