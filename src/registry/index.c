// SPDX-License-Identifier: Apache-2.0
// index.c - what the documents say, by other ways than by key. It follows the documents by revision: first
// what was removed, then what was put. If more was removed than the core remembers, everything is read anew.
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "registry/registry_private.h"

enum {
    SYNC_SLICE = 256, // documents taken over under one lock
    VERSION_DIGITS = 10,
    ID_DIGITS = 10,
};

// ---- look-ups

static uint64_t text_hash(struct str text, uint64_t seed)
{
    return hash64(bytes_of(text.ptr, text.len), seed);
}

struct subject_entry *index_subject(const struct registry *r, struct str name)
{
    struct map_node *node = map_first(&r->subjects_by_name, text_hash(name, 1));
    for (; node != NULL; node = map_next(node)) {
        struct subject_entry *subject = MAP_ENTRY(node, struct subject_entry, by_name);
        if (str_equal(subject->name, name)) {
            return subject;
        }
    }
    return NULL;
}

// lower_bound_below looks among the first `count`.
static size_t lower_bound_below(const struct registry *r, struct str name, size_t count)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_compare(r->subjects[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

size_t index_subject_lower_bound(const struct registry *r, struct str name)
{
    return lower_bound_below(r, name, r->subject_count);
}

static uint32_t version_lower_bound(const struct subject_entry *subject, int32_t version)
{
    uint32_t low = 0;
    uint32_t high = subject->version_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (subject->versions[middle].version < version) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct version_entry *index_version(const struct subject_entry *subject, int32_t version)
{
    uint32_t at = version_lower_bound(subject, version);
    bool is_there = at < subject->version_count && subject->versions[at].version == version;
    return is_there ? &subject->versions[at] : NULL;
}

struct version_entry *subject_latest(const struct subject_entry *subject, bool with_deleted)
{
    for (uint32_t i = subject->version_count; i > 0; i--) {
        if (with_deleted || !subject->versions[i - 1].is_deleted) {
            return &subject->versions[i - 1];
        }
    }
    return NULL;
}

bool subject_is_live(const struct subject_entry *subject)
{
    return subject_latest(subject, false) != NULL;
}

bool schema_is_live(const struct schema_entry *schema)
{
    for (uint32_t i = 0; i < schema->user_count; i++) {
        const struct version_entry *version =
            index_version(schema->users[i].subject, schema->users[i].version);
        if (version != NULL && !version->is_deleted) {
            return true;
        }
    }
    return false;
}

static uint64_t id_hash(struct str context, int64_t id)
{
    return text_hash(context, (uint64_t)id);
}

struct schema_entry *index_schema(const struct registry *r, struct str context, int64_t id)
{
    struct map_node *node = map_first(&r->schemas_by_id, id_hash(context, id));
    for (; node != NULL; node = map_next(node)) {
        struct schema_entry *schema = MAP_ENTRY(node, struct schema_entry, by_id);
        if (schema->id == id && str_equal(schema->context, context)) {
            return schema;
        }
    }
    return NULL;
}

static uint64_t guid_hash(struct uuid guid)
{
    return hash64(bytes_of(guid.b, sizeof guid.b), 2);
}

struct schema_entry *index_guid_next(const struct registry *r, struct uuid guid,
                                     const struct schema_entry *after)
{
    struct map_node *node =
        after == NULL ? map_first(&r->schemas_by_guid, guid_hash(guid)) : map_next(&after->by_guid);
    for (; node != NULL; node = map_next(node)) {
        struct schema_entry *schema = MAP_ENTRY(node, struct schema_entry, by_guid);
        if (uuid_equal(schema->guid, guid)) {
            return schema;
        }
    }
    return NULL;
}

struct schema_entry *index_schema_guid(const struct registry *r, struct str context, struct uuid guid)
{
    struct schema_entry *found = NULL;
    for (struct schema_entry *s = index_guid_next(r, guid, NULL); s != NULL;
         s = index_guid_next(r, guid, s)) {
        bool is_better = str_equal(s->context, context) && (found == NULL || s->id < found->id);
        found = is_better ? s : found;
    }
    return found;
}

static uint64_t target_hash(struct str subject, int32_t version)
{
    return text_hash(subject, (uint64_t)(uint32_t)version);
}

struct referrer_entry *index_referrer_next(const struct registry *r, struct str subject, int32_t version,
                                           const struct referrer_entry *after)
{
    struct map_node *node =
        after == NULL ? map_first(&r->referrers, target_hash(subject, version)) : map_next(&after->by_target);
    for (; node != NULL; node = map_next(node)) {
        struct referrer_entry *referrer = MAP_ENTRY(node, struct referrer_entry, by_target);
        if (referrer->reference->version == version && str_equal(referrer->reference->subject, subject)) {
            return referrer;
        }
    }
    return NULL;
}

struct scope_entry *index_scope(const struct registry *r, struct str name)
{
    struct map_node *node = map_first(&r->scopes_by_name, text_hash(name, 3));
    for (; node != NULL; node = map_next(node)) {
        struct scope_entry *scope = MAP_ENTRY(node, struct scope_entry, by_name);
        if (str_equal(scope->name, name)) {
            return scope;
        }
    }
    return NULL;
}

static struct str text_keep(struct str text)
{
    char *copy = mem_alloc(text.len + 1);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    return (struct str){copy, text.len};
}

// ---- contexts

static size_t context_lower_bound(const struct registry *r, struct str name)
{
    size_t low = 0;
    size_t high = r->context_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_compare(r->contexts[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct context_entry *context_have(struct registry *r, struct str name)
{
    size_t at = context_lower_bound(r, name);
    if (at < r->context_count && str_equal(r->contexts[at].name, name)) {
        return &r->contexts[at];
    }
    if (r->context_count == r->context_cap) {
        r->context_cap = r->context_cap == 0 ? 8 : r->context_cap * 2;
        r->contexts = mem_realloc(r->contexts, r->context_cap * sizeof *r->contexts);
    }
    memmove(&r->contexts[at + 1], &r->contexts[at], (r->context_count - at) * sizeof *r->contexts);
    r->contexts[at] = (struct context_entry){text_keep(name), 0};
    r->context_count++;
    return &r->contexts[at];
}

static void context_leave(struct registry *r, struct str name)
{
    struct context_entry *context = context_have(r, name);
    if (--context->subject_count > 0 || name.len == 1) {
        return;
    }
    size_t at = (size_t)(context - r->contexts);
    mem_free((char *)context->name.ptr);
    r->context_count--;
    memmove(&r->contexts[at], &r->contexts[at + 1], (r->context_count - at) * sizeof *r->contexts);
}

// ---- subjects and versions

static int subject_order(const void *left, const void *right)
{
    return str_compare((*(const struct subject_entry *const *)left)->name,
                       (*(const struct subject_entry *const *)right)->name);
}

// subjects_settle puts those that came since, at the end, in their places: one walk however many they are.
static void subjects_settle(struct registry *r)
{
    size_t new_count = r->subject_count - r->sorted_count;
    if (new_count == 0) {
        return;
    }
    struct subject_entry **new = mem_array(new_count, sizeof(struct subject_entry *));
    memcpy(new, r->subjects + r->sorted_count, new_count * sizeof(struct subject_entry *));
    qsort(new, new_count, sizeof(struct subject_entry *), subject_order);
    size_t old_count = r->sorted_count;
    for (; new_count > 0; new_count--) { // from the last on: what is behind it moves as one block
        size_t place = lower_bound_below(r, new[new_count - 1]->name, old_count);
        memmove(r->subjects + place + new_count, r->subjects + place,
                (old_count - place) * sizeof(struct subject_entry *));
        r->subjects[place + new_count - 1] = new[new_count - 1];
        old_count = place;
    }
    r->sorted_count = r->subject_count;
    mem_free(new);
}

static struct subject_entry *subject_have(struct registry *r, struct str name)
{
    struct subject_entry *subject = index_subject(r, name);
    if (subject != NULL) {
        return subject;
    }
    if (r->subject_count == r->subject_cap) {
        r->subject_cap = r->subject_cap == 0 ? 64 : r->subject_cap * 2;
        r->subjects = mem_realloc(r->subjects, r->subject_cap * sizeof(struct subject_entry *));
    }
    subject = mem_zalloc(sizeof *subject);
    subject->name = text_keep(name);
    subject->context = name_context(subject->name);
    map_insert(&r->subjects_by_name, &subject->by_name, text_hash(name, 1));
    r->subjects[r->subject_count++] = subject;
    context_have(r, subject->context)->subject_count++;
    return subject;
}

static void schema_free(struct registry *r, struct schema_entry *schema);

static void subject_free(struct registry *r, struct subject_entry *subject)
{
    for (uint32_t i = 0; i < subject->version_count; i++) {
        struct schema_entry *schema = subject->versions[i].schema;
        if (schema->is_leaving && --schema->user_count == 0) {
            schema_free(r, schema);
        }
        document_unref(subject->versions[i].document);
    }
    document_unref(subject->document);
    mem_free(subject->versions);
    mem_free((char *)subject->name.ptr);
    mem_free(subject);
}

static void subject_leave_if_empty(struct registry *r, struct subject_entry *subject)
{
    if (subject->version_count > 0 || subject->document != NULL) {
        return;
    }
    subjects_settle(r);
    size_t at = index_subject_lower_bound(r, subject->name);
    r->sorted_count = --r->subject_count;
    memmove(&r->subjects[at], &r->subjects[at + 1], (r->subject_count - at) * sizeof(struct subject_entry *));
    map_remove(&r->subjects_by_name, &subject->by_name);
    context_leave(r, subject->context);
    subject_free(r, subject);
}

static void user_add(struct schema_entry *schema, struct subject_entry *subject, int32_t version)
{
    if (schema->user_count == schema->user_cap) {
        schema->user_cap = schema->user_cap == 0 ? 2 : schema->user_cap * 2;
        schema->users = mem_realloc(schema->users, schema->user_cap * sizeof *schema->users);
    }
    schema->users[schema->user_count++] = (struct schema_user){subject, version};
}

static void user_remove(struct registry *r, struct schema_entry *schema, const struct subject_entry *subject,
                        int32_t version)
{
    for (uint32_t i = 0; i < schema->user_count; i++) {
        if (schema->users[i].subject == subject && schema->users[i].version == version) {
            schema->users[i] = schema->users[--schema->user_count];
            break;
        }
    }
    if (schema->is_leaving && schema->user_count == 0) {
        schema_free(r, schema);
    }
}

// version_key_read takes SUBJECT/VERSION apart.
static bool version_key_read(struct str rest, struct str *ret_subject, int32_t *ret_version)
{
    int64_t version = 0;
    if (rest.len < VERSION_DIGITS + 2) {
        return false;
    }
    size_t cut = rest.len - VERSION_DIGITS;
    *ret_subject = (struct str){rest.ptr, cut - 1};
    if (rest.ptr[cut - 1] != '/' || !str_parse_i64((struct str){rest.ptr + cut, VERSION_DIGITS}, &version)) {
        return false;
    }
    *ret_version = (int32_t)version;
    return version > 0 && version <= INT32_MAX;
}

static void version_put(struct registry *r, struct str rest, struct document *document)
{
    struct str name;
    int32_t number;
    if (!version_key_read(rest, &name, &number)) {
        return;
    }
    struct subject_entry *subject = subject_have(r, name);
    struct schema_entry *schema = index_schema(r, subject->context, document_number(document));
    if (schema == NULL) {
        subject_leave_if_empty(r, subject); // no planner writes such a document
        return;
    }
    struct version_entry *version = index_version(subject, number);
    if (version == NULL) {
        if (subject->version_count == subject->version_cap) {
            subject->version_cap = subject->version_cap == 0 ? 2 : subject->version_cap * 2;
            subject->versions =
                mem_realloc(subject->versions, subject->version_cap * sizeof *subject->versions);
        }
        uint32_t at = version_lower_bound(subject, number);
        memmove(&subject->versions[at + 1], &subject->versions[at],
                (subject->version_count - at) * sizeof *subject->versions);
        subject->version_count++;
        version = &subject->versions[at];
        *version = (struct version_entry){.version = number};
        r->version_count++;
    } else {
        user_remove(r, version->schema, subject, number);
        document_unref(version->document);
    }
    version->schema = schema;
    version->document = document_ref(document);
    version->is_deleted = document_value(document).len > 0;
    user_add(schema, subject, number);
}

static void version_remove(struct registry *r, struct str rest)
{
    struct str name;
    int32_t number;
    struct subject_entry *subject = version_key_read(rest, &name, &number) ? index_subject(r, name) : NULL;
    struct version_entry *version = subject == NULL ? NULL : index_version(subject, number);
    if (version == NULL) {
        return;
    }
    user_remove(r, version->schema, subject, number);
    document_unref(version->document);
    uint32_t at = (uint32_t)(version - subject->versions);
    subject->version_count--;
    memmove(version, version + 1, (subject->version_count - at) * sizeof *version);
    r->version_count--;
    subject_leave_if_empty(r, subject);
}

static void subject_put(struct registry *r, struct str name, struct document *document)
{
    struct subject_entry *subject = subject_have(r, name);
    document_unref(subject->document);
    subject->document = document_ref(document);
}

static void subject_remove(struct registry *r, struct str name)
{
    struct subject_entry *subject = index_subject(r, name);
    if (subject != NULL) {
        document_unref(subject->document);
        subject->document = NULL;
        subject_leave_if_empty(r, subject);
    }
}

// ---- schemas and what they refer to

static void references_index(struct registry *r, struct schema_entry *schema)
{
    struct arena arena;
    struct contract contract;
    arena_init(&arena, REGISTRY_CALL_BYTES_MAX);
    if (!contract_of_document(schema, &arena, &contract) || contract.reference_count == 0) {
        arena_fini(&arena);
        return;
    }
    size_t size = contract.reference_count * sizeof *schema->references;
    size_t text_at = size;
    for (size_t i = 0; i < contract.reference_count; i++) {
        contract.references[i].subject =
            name_in_context(schema->context, contract.references[i].subject, &arena);
        size += contract.references[i].name.len + contract.references[i].subject.len;
    }
    schema->references = mem_alloc(size);
    char *text = (char *)schema->references + text_at;
    for (size_t i = 0; i < contract.reference_count; i++) {
        const struct contract_reference *from = &contract.references[i];
        memcpy(text, from->name.ptr, from->name.len);
        memcpy(text + from->name.len, from->subject.ptr, from->subject.len);
        schema->references[i] = (struct contract_reference){
            {text, from->name.len}, {text + from->name.len, from->subject.len}, from->version};
        text += from->name.len + from->subject.len;
        struct referrer_entry *referrer = mem_alloc(sizeof *referrer);
        *referrer = (struct referrer_entry){.schema = schema, .reference = &schema->references[i]};
        map_insert(&r->referrers, &referrer->by_target, target_hash(from->subject, from->version));
    }
    schema->reference_count = (uint32_t)contract.reference_count;
    arena_fini(&arena);
}

static void references_forget(struct registry *r, struct schema_entry *schema)
{
    for (uint32_t i = 0; i < schema->reference_count; i++) {
        const struct contract_reference *reference = &schema->references[i];
        struct referrer_entry *referrer = NULL;
        do {
            referrer = index_referrer_next(r, reference->subject, reference->version, referrer);
        } while (referrer != NULL && referrer->reference != reference);
        ASSERT(referrer != NULL);
        map_remove(&r->referrers, &referrer->by_target);
        mem_free(referrer);
    }
    mem_free(schema->references);
    schema->references = NULL;
    schema->reference_count = 0;
}

static void schema_free(struct registry *r, struct schema_entry *schema)
{
    if (schema->parsed != NULL) {
        list_remove(&schema->in_parsed);
        r->parsed_bytes -= schema_memory(schema->parsed);
        schema_unref(schema->parsed);
    }
    references_forget(r, schema);
    document_unref(schema->document);
    mem_free(schema->users);
    mem_free(schema);
}

// schema_key_read takes CONTEXT/GUID[/ID] apart, from its end: a context's name may have slashes.
static bool schema_key_read(struct str rest, struct str *ret_context, struct uuid *ret_guid)
{
    enum { GUID_LEN = 36 };
    if (rest.len > ID_DIGITS + 1 && rest.ptr[rest.len - ID_DIGITS - 1] == '/') {
        rest.len -= ID_DIGITS + 1;
    }
    if (rest.len < GUID_LEN + 2) {
        return false;
    }
    *ret_context = (struct str){rest.ptr, rest.len - GUID_LEN - 1};
    return guid_parse((struct str){rest.ptr + rest.len - GUID_LEN, GUID_LEN}, ret_guid);
}

static void schema_put(struct registry *r, struct str rest, struct document *document)
{
    struct str context;
    struct uuid guid;
    bool is_sound = schema_key_read(rest, &context, &guid) && document_number(document) > 0 &&
                    document_number(document) <= INT32_MAX;
    if (!is_sound || index_schema(r, context, document_number(document)) != NULL) {
        return;
    }
    struct schema_entry *schema = mem_zalloc(sizeof *schema);
    schema->document = document_ref(document);
    schema->context =
        (struct str){document_key(document).ptr + (context.ptr - document_key(document).ptr), context.len};
    schema->id = (int32_t)document_number(document);
    schema->guid = guid;
    map_insert(&r->schemas_by_id, &schema->by_id, id_hash(context, schema->id));
    map_insert(&r->schemas_by_guid, &schema->by_guid, guid_hash(guid));
    r->schema_count++;
    references_index(r, schema);
}

static void schema_remove(struct registry *r, struct str key, struct str rest)
{
    struct str context;
    struct uuid guid;
    if (!schema_key_read(rest, &context, &guid)) {
        return;
    }
    struct schema_entry *schema = index_guid_next(r, guid, NULL);
    while (schema != NULL && !str_equal(document_key(schema->document), key)) {
        schema = index_guid_next(r, guid, schema);
    }
    if (schema == NULL) {
        return;
    }
    map_remove(&r->schemas_by_id, &schema->by_id);
    map_remove(&r->schemas_by_guid, &schema->by_guid);
    r->schema_count--;
    references_forget(r, schema);
    schema->is_leaving = true;
    if (schema->user_count == 0) {
        schema_free(r, schema);
    } // else its last version is one that has another schema now, and is put later
}

// ---- scopes

static void scope_put(struct registry *r, struct str name, struct document *document, bool is_mode)
{
    struct scope_entry *scope = index_scope(r, name);
    if (scope == NULL && document == NULL) {
        return;
    }
    if (scope == NULL) {
        scope = mem_zalloc(sizeof *scope);
        scope->name = text_keep(name);
        map_insert(&r->scopes_by_name, &scope->by_name, text_hash(name, 3));
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
    struct map_node *node = map_first(&r->counters, text_hash(key, 5));
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
    map_insert(&r->counters, &counter->by_key, text_hash(document_key(document), 5));
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
           str_has_prefix(key, STR("refs/")) || str_has_prefix(key, STR("topic/"));
}

// ---- following

static bool key_take(struct str key, struct str kind, struct str *ret_rest)
{
    if (!str_has_prefix(key, kind)) {
        return false;
    }
    *ret_rest = (struct str){key.ptr + kind.len, key.len - kind.len};
    return true;
}

static void index_put(struct registry *r, struct document *document)
{
    struct str key = document_key(document);
    struct str rest;
    if (key_take(key, STR("schema/"), &rest)) {
        schema_put(r, rest, document);
    } else if (key_take(key, STR("version/"), &rest)) {
        version_put(r, rest, document);
    } else if (key_take(key, STR("subject/"), &rest)) {
        subject_put(r, rest, document);
    } else if (key_take(key, STR("config/"), &rest)) {
        scope_put(r, rest, document, false);
    } else if (key_take(key, STR("mode/"), &rest)) {
        scope_put(r, rest, document, true);
    } else if (key_take(key, STR("association/"), &rest)) {
        association_put(r, document);
    } else if (is_counter(key)) {
        counter_put(r, document);
    }
}

static void index_remove(struct registry *r, struct str key)
{
    struct str rest;
    if (key_take(key, STR("schema/"), &rest)) {
        schema_remove(r, key, rest);
    } else if (key_take(key, STR("version/"), &rest)) {
        version_remove(r, rest);
    } else if (key_take(key, STR("subject/"), &rest)) {
        subject_remove(r, rest);
    } else if (key_take(key, STR("config/"), &rest)) {
        scope_put(r, rest, NULL, false);
    } else if (key_take(key, STR("mode/"), &rest)) {
        scope_put(r, rest, NULL, true);
    } else if (key_take(key, STR("association/"), &rest)) {
        association_remove(r, key);
    } else if (is_counter(key)) {
        counter_remove(r, key);
    }
}

static void index_clear(struct registry *r)
{
    struct map_node *node;
    for (size_t i = 0; i < r->subject_count; i++) {
        subject_free(r, r->subjects[i]);
    }
    map_fini(&r->subjects_by_name);
    map_init(&r->subjects_by_name);
    map_fini(&r->schemas_by_guid);
    map_init(&r->schemas_by_guid);
    while ((node = map_pop(&r->schemas_by_id)) != NULL) {
        schema_free(r, MAP_ENTRY(node, struct schema_entry, by_id));
    }
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
    for (size_t i = 0; i < r->context_count; i++) {
        mem_free((char *)r->contexts[i].name.ptr);
    }
    r->context_count = r->subject_count = r->sorted_count = r->schema_count = r->version_count = 0;
    r->seen_revision = r->seen_removal = 0;
    context_have(r, STR("."));
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
        slice->removed[slice->removed_count++] = text_keep(key);
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
    subjects_settle(r);
}

// ---- the registry

struct registry *registry_create(const struct registry_host *host)
{
    struct registry *r = mem_zalloc(sizeof *r);
    r->host = *host;
    map_init(&r->subjects_by_name);
    map_init(&r->schemas_by_id);
    map_init(&r->schemas_by_guid);
    map_init(&r->referrers);
    map_init(&r->scopes_by_name);
    map_init(&r->associations);
    map_init(&r->counters);
    list_init(&r->parsed);
    context_have(r, STR("."));
    return r;
}

void registry_destroy(struct registry *take_registry)
{
    struct registry *r = take_registry;
    if (r == NULL) {
        return;
    }
    index_clear(r);
    mem_free((char *)r->contexts[0].name.ptr);
    mem_free(r->contexts);
    mem_free(r->subjects);
    map_fini(&r->subjects_by_name);
    map_fini(&r->schemas_by_id);
    map_fini(&r->schemas_by_guid);
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
