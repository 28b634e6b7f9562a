// SPDX-License-Identifier: Apache-2.0
// index.c - what the documents say, by other ways than by key: subjects with their versions, schemas by id
// and GUID, what refers to what. sync.c brings it up to date.
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "registry/registry_private.h"

enum {
    VERSION_DIGITS = 10,
    ID_DIGITS = 10,
};

// ---- look-ups

uint64_t index_text_hash(struct str text, uint64_t seed)
{
    return hash64(bytes_of(text.ptr, text.len), seed);
}

struct subject_entry *index_subject(const struct registry *r, struct str name)
{
    struct map_node *node = map_first(&r->subjects_by_name, index_text_hash(name, 1));
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
    return index_text_hash(context, (uint64_t)id);
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

static uint64_t content_hash(struct str context, struct uuid guid)
{
    return index_text_hash(context, guid_hash(guid));
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
    struct map_node *node = map_first(&r->schemas_by_content, content_hash(context, guid));
    for (; node != NULL; node = map_next(node)) {
        struct schema_entry *s = MAP_ENTRY(node, struct schema_entry, by_content);
        bool is_it = uuid_equal(s->guid, guid) && str_equal(s->context, context);
        found = is_it && (found == NULL || s->id < found->id) ? s : found;
    }
    return found;
}

static uint64_t target_hash(struct str subject, int32_t version)
{
    return index_text_hash(subject, (uint64_t)(uint32_t)version);
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

struct str index_text_keep(struct str text)
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

bool index_has_context(const struct registry *r, struct str name)
{
    size_t at = context_lower_bound(r, name);
    return at < r->context_count && str_equal(r->contexts[at].name, name);
}

struct context_entry *index_context_have(struct registry *r, struct str name)
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
    r->contexts[at] = (struct context_entry){index_text_keep(name), 0};
    r->context_count++;
    if (name.len > 1) { // the default one is always there
        feed_note(r, FEED_CONTEXT, name);
    }
    return &r->contexts[at];
}

static void context_leave(struct registry *r, struct str name)
{
    struct context_entry *context = index_context_have(r, name);
    if (--context->subject_count > 0 || name.len == 1) {
        return;
    }
    feed_note(r, FEED_CONTEXT, name);
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
void index_subjects_settle(struct registry *r)
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
    subject->name = index_text_keep(name);
    subject->context = name_context(subject->name);
    map_insert(&r->subjects_by_name, &subject->by_name, index_text_hash(name, 1));
    r->subjects[r->subject_count++] = subject;
    index_context_have(r, subject->context)->subject_count++;
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
    index_subjects_settle(r);
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
bool index_version_key(struct str rest, struct str *ret_subject, int32_t *ret_version)
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

void index_version_put(struct registry *r, struct str rest, struct document *document)
{
    struct str name;
    int32_t number;
    if (!index_version_key(rest, &name, &number)) {
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

void index_version_remove(struct registry *r, struct str rest)
{
    struct str name;
    int32_t number;
    struct subject_entry *subject = index_version_key(rest, &name, &number) ? index_subject(r, name) : NULL;
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

void index_subject_put(struct registry *r, struct str name, struct document *document)
{
    struct subject_entry *subject = subject_have(r, name);
    document_unref(subject->document);
    subject->document = document_ref(document);
}

void index_subject_remove(struct registry *r, struct str name)
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

void index_schema_put(struct registry *r, struct str rest, struct document *document)
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
    map_insert(&r->schemas_by_content, &schema->by_content, content_hash(schema->context, guid));
    r->schema_count++;
    references_index(r, schema);
}

void index_schema_remove(struct registry *r, struct str key, struct str rest)
{
    struct str context;
    struct uuid guid;
    if (!schema_key_read(rest, &context, &guid)) {
        return;
    }
    struct map_node *node = map_first(&r->schemas_by_content, content_hash(context, guid));
    while (node != NULL &&
           !str_equal(document_key(MAP_ENTRY(node, struct schema_entry, by_content)->document), key)) {
        node = map_next(node);
    }
    if (node == NULL) {
        return;
    }
    struct schema_entry *schema = MAP_ENTRY(node, struct schema_entry, by_content);
    map_remove(&r->schemas_by_content, node);
    map_remove(&r->schemas_by_id, &schema->by_id);
    map_remove(&r->schemas_by_guid, &schema->by_guid);
    r->schema_count--;
    references_forget(r, schema);
    schema->is_leaving = true;
    if (schema->user_count == 0) {
        schema_free(r, schema);
    } // else its last version is one that has another schema now, and is put later
}

void index_entries_clear(struct registry *r)
{
    struct map_node *node;
    for (size_t i = 0; i < r->subject_count; i++) {
        subject_free(r, r->subjects[i]);
    }
    map_fini(&r->subjects_by_name);
    map_init(&r->subjects_by_name);
    map_fini(&r->schemas_by_guid);
    map_init(&r->schemas_by_guid);
    map_fini(&r->schemas_by_content);
    map_init(&r->schemas_by_content);
    while ((node = map_pop(&r->schemas_by_id)) != NULL) {
        schema_free(r, MAP_ENTRY(node, struct schema_entry, by_id));
    }
    for (size_t i = 0; i < r->context_count; i++) {
        mem_free((char *)r->contexts[i].name.ptr);
    }
    r->context_count = r->subject_count = r->sorted_count = r->schema_count = r->version_count = 0;
    index_context_have(r, STR("."));
}
