// SPDX-License-Identifier: Apache-2.0
// feed.c - the state as the records of a `_schemas` topic, in the JSON that the Confluent Schema Registry
// writes there and reads back (storage/SchemaKey, ConfigKey, ModeKey, ContextKey, AssociationKey and their
// values, 8.x). First all that there is, in the order of the documents' revisions; then what changes, each
// thing as it is when its turn comes. Subjects need no DELETE_SUBJECT: each of their versions says whether it
// is deleted.
#include "base/mem.h"
#include "registry/registry_private.h"

enum { FEED_CHANGES_MAX = 1 << 16 };

// The one tenant that a registry of one's own has.
#define TENANT "default"

struct feed_change {
    struct feed_change *next;
    enum feed_kind kind;
    size_t len;
    size_t record_len; // FEED_ASSOCIATION_GONE: the record's key lies behind the document's
    char text[];
};

// ---- what changed

static void feed_clear(struct feed *feed)
{
    while (feed->first != NULL) {
        struct feed_change *change = feed->first;
        feed->first = change->next;
        mem_free(change);
    }
    feed->last = NULL;
    feed->count = 0;
}

void feed_lose(struct registry *r)
{
    r->feed.is_lost = r->feed.is_on;
    feed_clear(&r->feed);
}

static void feed_push(struct registry *r, enum feed_kind kind, struct str text, struct str record)
{
    struct feed *feed = &r->feed;
    if (!feed->is_on || feed->is_lost) {
        return;
    }
    if (feed->count == FEED_CHANGES_MAX) {
        feed_lose(r);
        return;
    }
    struct feed_change *change = mem_alloc(sizeof *change + text.len + record.len);
    *change = (struct feed_change){.kind = kind, .len = text.len, .record_len = record.len};
    memcpy(change->text, text.ptr, text.len);
    if (record.len > 0) {
        memcpy(change->text + text.len, record.ptr, record.len);
    }
    if (feed->last == NULL) {
        feed->first = change;
    } else {
        feed->last->next = change;
    }
    feed->last = change;
    feed->count++;
}

void feed_note(struct registry *r, enum feed_kind kind, struct str text)
{
    feed_push(r, kind, text, (struct str){0});
}

// ---- records

// key_begin writes {"keytype":KIND, and what each record's key ends with is written by key_end: the order of
// the members is always the same, since compaction compares bytes.
static struct json key_begin(struct buf *out, const char *kind)
{
    struct json j = {.out = out};
    json_object_begin(&j);
    json_pair_str(&j, "keytype", str_from_c(kind));
    return j;
}

static void key_end(struct json *j, int magic)
{
    json_pair_i64(j, "magic", magic);
    json_object_end(j);
}

// subject_of_scope: the registry's own config and mode have a subject that is null.
static struct str subject_of_scope(struct str scope)
{
    return scope.len == 0 ? (struct str){0} : scope;
}

static void scope_key(struct buf *out, const char *kind, struct str scope)
{
    struct json j = key_begin(out, kind);
    json_pair_str(&j, "subject", subject_of_scope(scope));
    key_end(&j, 0);
}

// members_append writes the members of an object that is stored as text.
static void members_append(struct buf *out, struct bytes object)
{
    if (object.len > 2) {
        buf_u8(out, ',');
        buf_append(out, object.ptr + 1, object.len - 2);
    }
}

static bool version_record(const struct registry *r, struct str rest, struct buf *key, struct buf *value)
{
    struct str name;
    int32_t number;
    if (!index_version_key(rest, &name, &number)) {
        return false;
    }
    struct json j = key_begin(key, "SCHEMA");
    json_pair_str(&j, "subject", name);
    json_pair_i64(&j, "version", number);
    key_end(&j, 1);
    const struct subject_entry *subject = index_subject(r, name);
    const struct version_entry *version = subject == NULL ? NULL : index_version(subject, number);
    if (version != NULL) {
        j = (struct json){.out = value};
        json_object_begin(&j);
        json_pair_str(&j, "subject", name);
        json_pair_i64(&j, "version", number);
        json_pair_i64(&j, "id", version->schema->id);
        json_pair_bool(&j, "deleted", version->is_deleted);
        members_append(value, document_value(version->schema->document));
        json_object_end(&j);
    }
    return true;
}

static void config_record(const struct registry *r, struct str scope, struct buf *key, struct buf *value)
{
    scope_key(key, "CONFIG", scope);
    const struct scope_entry *entry = index_scope(r, scope);
    struct arena arena;
    struct json_value *config = NULL;
    if (entry == NULL || entry->config == NULL) {
        return;
    }
    arena_init(&arena, REGISTRY_CALL_BYTES_MAX);
    struct bytes text = document_value(entry->config);
    if (json_parse((struct str){(const char *)text.ptr, text.len}, &arena, &config, NULL) == ERR_OK) {
        // What requests call compatibility is stored under the name that answers have.
        for (struct json_value *v = config->first; v != NULL; v = v->next) {
            v->key = str_equal(v->key, STR("compatibility")) ? STR("compatibilityLevel") : v->key;
        }
        struct buf members;
        buf_init(&members, ITEM_DOCUMENT_VALUE_MAX);
        json_print_filled(config, &members);
        struct json j = {.out = value};
        json_object_begin(&j);
        json_pair_str(&j, "subject", subject_of_scope(scope));
        members_append(value, bytes_of(members.ptr, members.len));
        json_object_end(&j);
        buf_fini(&members);
    }
    arena_fini(&arena);
}

static void mode_record(const struct registry *r, struct str scope, struct buf *key, struct buf *value)
{
    scope_key(key, "MODE", scope);
    const struct scope_entry *entry = index_scope(r, scope);
    if (entry != NULL && entry->mode != NULL) {
        struct bytes mode = document_value(entry->mode);
        struct json j = {.out = value};
        json_object_begin(&j);
        json_pair_str(&j, "subject", subject_of_scope(scope));
        json_pair_str(&j, "mode", (struct str){(const char *)mode.ptr, mode.len});
        json_object_end(&j);
    }
}

static void association_key(const struct association *a, struct buf *out)
{
    struct json j = key_begin(out, "ASSOC");
    json_pair_str(&j, "tenant", STR(TENANT));
    json_pair_str(&j, "resourceName", a->resource_name);
    json_pair_str(&j, "resourceNamespace", a->resource_namespace);
    json_pair_str(&j, "resourceType", a->resource_type);
    json_pair_str(&j, "associationType", a->type);
    json_pair_str(&j, "subject", a->subject);
    key_end(&j, 0);
}

static bool association_record(const struct registry *r, struct str document, struct buf *key,
                               struct buf *value)
{
    const struct association *a = association_get(r, document);
    if (a == NULL) {
        return false; // its going was noted with its key
    }
    association_key(a, key);
    struct json j = {.out = value};
    json_object_begin(&j);
    json_pair_str(&j, "tenant", STR(TENANT));
    members_append(value, document_value(a->document));
    json_object_end(&j);
    return true;
}

void feed_note_association_gone(struct registry *r, const struct association *a)
{
    if (r->feed.is_on && !r->feed.is_lost) {
        struct buf key;
        buf_init(&key, ITEM_DOCUMENT_VALUE_MAX);
        association_key(a, &key);
        feed_push(r, FEED_ASSOCIATION_GONE, document_key(a->document), buf_str(&key));
        buf_fini(&key);
    }
}

// association_gone: false if the association is there again under the same key.
static bool association_gone(const struct registry *r, const struct feed_change *change, struct buf *key)
{
    const struct association *a = association_get(r, (struct str){change->text, change->len});
    struct str gone = {change->text + change->len, change->record_len};
    if (a != NULL) {
        association_key(a, key);
        bool is_same = str_equal(buf_str(key), gone);
        key->len = 0;
        if (is_same) {
            return false;
        }
    }
    buf_append(key, gone.ptr, gone.len);
    return true;
}

static void context_record(const struct registry *r, struct str name, struct buf *key, struct buf *value)
{
    struct json j = key_begin(key, "CONTEXT");
    json_pair_str(&j, "tenant", STR(TENANT));
    json_pair_str(&j, "context", name);
    key_end(&j, 0);
    if (index_has_context(r, name)) {
        j = (struct json){.out = value};
        json_object_begin(&j);
        json_pair_str(&j, "tenant", STR(TENANT));
        json_pair_str(&j, "context", name);
        json_object_end(&j);
    }
}

// document_record: false if the topic has no record of such a document.
static bool document_record(const struct registry *r, struct str key, struct buf *ret_key, struct buf *value)
{
    struct str rest;
    if (index_key_take(key, STR("version/"), &rest)) {
        return version_record(r, rest, ret_key, value);
    }
    if (index_key_take(key, STR("association/"), &rest)) {
        return association_record(r, key, ret_key, value);
    }
    if (index_key_take(key, STR("config/"), &rest)) {
        config_record(r, rest, ret_key, value);
    } else if (index_key_take(key, STR("mode/"), &rest)) {
        mode_record(r, rest, ret_key, value);
    } else {
        return false;
    }
    return true;
}

static bool change_record(const struct registry *r, const struct feed_change *change, struct buf *key,
                          struct buf *value)
{
    struct str text = {change->text, change->len};
    switch (change->kind) {
    case FEED_CONTEXT:
        context_record(r, text, key, value);
        return true;
    case FEED_ASSOCIATION_GONE:
        return association_gone(r, change, key);
    default:
        return document_record(r, text, key, value);
    }
}

// ---- the face

void registry_feed_begin(struct registry *r)
{
    feed_clear(&r->feed);
    registry_sync(r);
    r->feed = (struct feed){.is_on = true, .is_walking = true, .walk_end = r->seen_revision};
    for (size_t i = 0; i < r->context_count; i++) {
        if (r->contexts[i].name.len > 1) {
            feed_note(r, FEED_CONTEXT, r->contexts[i].name);
        }
    }
}

void feed_fini(struct registry *r)
{
    feed_clear(&r->feed);
}

// walk_next takes the next document that was there when the feed began.
static struct document *walk_next(struct registry *r)
{
    struct feed *feed = &r->feed;
    const struct core *core = r->host.view_begin(r->host.arg);
    struct document *document = core_document_after(core, feed->walked);
    if (document != NULL && document_revision(document) > feed->walk_end) {
        document = NULL; // it came later, and is among the changes
    }
    if (document != NULL) {
        document_ref(document);
    }
    r->host.view_end(r->host.arg);
    return document;
}

// walk gives the next record of the walk; false when it is over.
static bool walk(struct registry *r, struct buf *key, struct buf *value)
{
    struct feed *feed = &r->feed;
    struct document *document;
    bool is_record = false;
    while (!is_record && (document = walk_next(r)) != NULL) {
        feed->walked = document_revision(document);
        is_record = document_record(r, document_key(document), key, value);
        document_unref(document);
    }
    return is_record;
}

static bool changes_next(struct registry *r, struct buf *key, struct buf *value)
{
    struct feed *feed = &r->feed;
    bool is_record = false;
    while (!is_record && feed->first != NULL) {
        struct feed_change *change = feed->first;
        feed->first = change->next;
        feed->last = feed->first == NULL ? NULL : feed->last;
        feed->count--;
        is_record = change_record(r, change, key, value);
        mem_free(change);
    }
    return is_record;
}

enum registry_feed registry_feed_next(struct registry *r, struct buf *key, struct buf *value)
{
    struct feed *feed = &r->feed;
    key->len = value->len = 0;
    if (feed->is_lost) {
        return REGISTRY_FEED_LOST;
    }
    if (feed->is_walking && walk(r, key, value)) {
        return REGISTRY_FEED_RECORD;
    }
    if (feed->first == NULL) {
        registry_sync(r);
        if (feed->is_lost) {
            return REGISTRY_FEED_LOST;
        }
    }
    if (changes_next(r, key, value)) {
        return REGISTRY_FEED_RECORD;
    }
    feed->is_walking = false;
    return REGISTRY_FEED_END;
}
