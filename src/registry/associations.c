// SPDX-License-Identifier: Apache-2.0
// associations.c - which subject belongs to which topic: documents association/...
#include "base/hash.h"
#include "base/mem.h"
#include "registry/registry_private.h"

struct association_entry {
    struct map_node by_key;
    struct document *document; // held
};

static struct association_entry *association_find(const struct registry *r, struct str key)
{
    struct map_node *node = map_first(&r->associations, hash64(bytes_of(key.ptr, key.len), 4));
    for (; node != NULL; node = map_next(node)) {
        struct association_entry *entry = MAP_ENTRY(node, struct association_entry, by_key);
        if (str_equal(document_key(entry->document), key)) {
            return entry;
        }
    }
    return NULL;
}

void association_put(struct registry *r, struct document *document)
{
    struct str key = document_key(document);
    struct association_entry *entry = association_find(r, key);
    if (entry == NULL) {
        entry = mem_zalloc(sizeof *entry);
        entry->document = document_ref(document);
        map_insert(&r->associations, &entry->by_key, hash64(bytes_of(key.ptr, key.len), 4));
        return;
    }
    document_unref(entry->document);
    entry->document = document_ref(document);
}

void association_remove(struct registry *r, struct str key)
{
    struct association_entry *entry = association_find(r, key);
    if (entry != NULL) {
        map_remove(&r->associations, &entry->by_key);
        document_unref(entry->document);
        mem_free(entry);
    }
}

void associations_clear(struct registry *r)
{
    struct map_node *node;
    while ((node = map_pop(&r->associations)) != NULL) {
        struct association_entry *entry = MAP_ENTRY(node, struct association_entry, by_key);
        document_unref(entry->document);
        mem_free(entry);
    }
}
