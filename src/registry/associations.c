// SPDX-License-Identifier: Apache-2.0
// associations.c - which subject belongs to which topic. Documents association/topic/ID/TYPE, where TYPE is
// "key" or "value": JSON as answers show it. Here is how they are found; associate.c changes them.
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "registry/registry_private.h"

struct association_link {
    struct map_node node;
    struct association_entry *entry;
    enum association_by by;
};

struct association_entry {
    struct association association;
    struct association_link links[ASSOCIATION_BY_COUNT];
    char texts[];
};

// ---- the index: one map, in which each association is found by several of its texts

static struct str text_by(const struct association *a, enum association_by by)
{
    switch (by) {
    case BY_KEY:
        return document_key(a->document);
    case BY_SUBJECT:
        return a->subject;
    case BY_RESOURCE_ID:
        return a->resource_id;
    default:
        return a->resource_name;
    }
}

static uint64_t link_hash(struct str text, enum association_by by)
{
    return hash64(bytes_of(text.ptr, text.len), 100 + (uint64_t)by);
}

// link_next gives one association after another that has the text; NULL = from the first.
static struct association_link *link_next(const struct registry *r, enum association_by by, struct str text,
                                          const struct association_link *after)
{
    struct map_node *node =
        after == NULL ? map_first(&r->associations, link_hash(text, by)) : map_next(&after->node);
    for (; node != NULL; node = map_next(node)) {
        struct association_link *link = MAP_ENTRY(node, struct association_link, node);
        if (link->by == by && str_equal(text_by(&link->entry->association, by), text)) {
            return link;
        }
    }
    return NULL;
}

static void entry_drop(struct registry *r, struct association_entry *entry, const struct map_node *popped)
{
    for (size_t i = 0; i < ASSOCIATION_BY_COUNT; i++) {
        if (&entry->links[i].node != popped) {
            map_remove(&r->associations, &entry->links[i].node);
        }
    }
    document_unref(entry->association.document);
    mem_free(entry);
}

void association_remove(struct registry *r, struct str key)
{
    struct association_link *link = link_next(r, BY_KEY, key, NULL);
    if (link != NULL) {
        feed_note_association_gone(r, &link->entry->association);
        entry_drop(r, link->entry, NULL);
    }
}

void associations_clear(struct registry *r)
{
    struct map_node *node;
    while ((node = map_pop(&r->associations)) != NULL) {
        entry_drop(r, MAP_ENTRY(node, struct association_link, node)->entry, node);
    }
}

static struct association_entry *entry_new(struct document *document, const struct json_value *value)
{
    static const char *const names[] = {"subject",    "guid",         "resourceName",    "resourceNamespace",
                                        "resourceId", "resourceType", "associationType", "lifecycle"};
    enum { NAME_COUNT = sizeof names / sizeof *names };
    struct str texts[NAME_COUNT];
    size_t size = 0;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        texts[i] = json_get_str(value, str_from_c(names[i]));
        size += texts[i].len;
    }
    struct association_entry *entry = mem_zalloc(sizeof *entry + size);
    char *at = entry->texts;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (texts[i].len > 0) {
            memcpy(at, texts[i].ptr, texts[i].len);
        }
        texts[i].ptr = at;
        at += texts[i].len;
    }
    const struct json_value *frozen = json_get(value, STR("frozen"));
    entry->association = (struct association){
        .subject = texts[0],
        .guid = texts[1],
        .resource_name = texts[2],
        .resource_namespace = texts[3],
        .resource_id = texts[4],
        .resource_type = texts[5],
        .type = texts[6],
        .is_strong = str_equal(texts[7], STR("STRONG")),
        .is_frozen = frozen != NULL && frozen->type == JSON_TRUE,
        .document = document_ref(document),
    };
    return entry;
}

void association_put(struct registry *r, struct document *document)
{
    struct arena arena;
    struct json_value *value = NULL;
    struct bytes text = document_value(document);
    arena_init(&arena, REGISTRY_CALL_BYTES_MAX);
    association_remove(r, document_key(document));
    if (json_parse((struct str){(const char *)text.ptr, text.len}, &arena, &value, NULL) == ERR_OK) {
        struct association_entry *entry = entry_new(document, value);
        for (size_t i = 0; i < ASSOCIATION_BY_COUNT; i++) {
            enum association_by by = (enum association_by)i;
            entry->links[i].entry = entry;
            entry->links[i].by = by;
            map_insert(&r->associations, &entry->links[i].node,
                       link_hash(text_by(&entry->association, by), by));
        }
    }
    arena_fini(&arena);
}

// ---- looking up

static int key_order(const void *left, const void *right)
{
    const struct association *a = *(const struct association *const *)left;
    const struct association *b = *(const struct association *const *)right;
    return str_compare(document_key(a->document), document_key(b->document));
}

size_t associations_find(const struct registry *r, enum association_by by, struct str text,
                         struct arena *arena, const struct association ***ret)
{
    size_t count = 0;
    struct association_link *link = NULL;
    while ((link = link_next(r, by, text, link)) != NULL) {
        count++;
    }
    *ret = arena_new(arena, const struct association *, count + 1);
    if (*ret == NULL) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        link = link_next(r, by, text, link);
        (*ret)[i] = &link->entry->association;
    }
    qsort(*ret, count, sizeof(struct association *), key_order); // the map's order is of no meaning
    return count;
}

const struct association *association_get(const struct registry *r, struct str key)
{
    struct association_link *link = link_next(r, BY_KEY, key, NULL);
    return link == NULL ? NULL : &link->entry->association;
}

const struct association *subject_frozen_by(const struct registry *r, struct str subject)
{
    struct association_link *link = NULL;
    while ((link = link_next(r, BY_SUBJECT, subject, link)) != NULL) {
        if (link->entry->association.is_frozen) {
            return &link->entry->association;
        }
    }
    return NULL;
}

bool subject_is_associated(const struct registry *r, struct str subject, bool only_strong)
{
    struct association_link *link = NULL;
    while ((link = link_next(r, BY_SUBJECT, subject, link)) != NULL) {
        if (!only_strong || link->entry->association.is_strong) {
            return true;
        }
    }
    return false;
}

// ---- answering. Clients ask before they serialise whether a topic has an association: [] is the answer for
// what is not known, and anything but 200 and 404 would stop them.

// What the query's resourceType, associationType (any of several) and lifecycle let pass.
bool association_is_asked(struct registry_call *call, const struct association *a)
{
    struct str rest = call->query;
    struct str type = call_query(call, "resourceType");
    struct str lifecycle = call_query(call, "lifecycle");
    bool is_asked = type.len == 0 || str_equal(type, a->resource_type);
    if (lifecycle.len > 0) {
        is_asked = is_asked && str_equal(lifecycle, a->is_strong ? STR("STRONG") : STR("WEAK"));
    }
    bool is_any = true;
    struct str kind;
    while (is_asked && (kind = call_query_next(call, "associationType", &rest)).ptr != NULL) {
        if (str_equal(kind, a->type)) {
            return true;
        }
        is_any = is_any && kind.len == 0;
    }
    return is_asked && is_any;
}

static bool lifecycle_is_sound(struct registry_call *call)
{
    struct str lifecycle = call_query(call, "lifecycle");
    bool is_sound =
        lifecycle.len == 0 || str_equal(lifecycle, STR("STRONG")) || str_equal(lifecycle, STR("WEAK"));
    if (!is_sound) {
        call_fail(call, CODE_INVALID_ASSOCIATION,
                  "Association parameters are invalid: lifecycle is STRONG or WEAK");
    }
    return is_sound;
}

static void answer_list(struct registry_call *call, const struct association **list, size_t count,
                        struct str space)
{
    size_t first;
    size_t end;
    size_t seen = 0;
    bool is_anywhere = space.ptr == NULL || str_equal(space, STR("-"));
    if (!lifecycle_is_sound(call)) {
        return;
    }
    call_page(call, SIZE_MAX / 2, SIZE_MAX / 2, &first, &end);
    (void)call_answer(call);
    struct buf *out = &call->answer;
    buf_u8(out, '[');
    for (size_t i = 0; i < count && seen < end; i++) {
        bool is_there = is_anywhere || str_equal(space, list[i]->resource_namespace);
        if (is_there && association_is_asked(call, list[i]) && seen++ >= first) {
            struct bytes value = document_value(list[i]->document);
            if (out->len > 1) {
                buf_u8(out, ',');
            }
            buf_append(out, value.ptr, value.len);
        }
    }
    buf_u8(out, ']');
}

void op_associations_of_subject(struct registry *r, struct registry_call *call)
{
    struct str name;
    const struct association **list;
    if (name_qualify(call, call->params[0], &name)) {
        size_t count = associations_find(r, BY_SUBJECT, name, call->arena, &list);
        answer_list(call, list, count, (struct str){0});
    }
}

void op_associations_of_id(struct registry *r, struct registry_call *call)
{
    const struct association **list;
    size_t count = associations_find(r, BY_RESOURCE_ID, call->params[0], call->arena, &list);
    answer_list(call, list, count, (struct str){0});
}

void op_associations_of_name(struct registry *r, struct registry_call *call)
{
    const struct association **list;
    size_t count = associations_find(r, BY_RESOURCE_NAME, call->params[1], call->arena, &list);
    answer_list(call, list, count, call->params[0]);
}
