// SPDX-License-Identifier: Apache-2.0
// parsed.c - schemas parsed with what they refer to; those of stored ones are kept, the least used go first.
#include "base/assert.h"
#include "base/mem.h"
#include "registry/registry_private.h"

enum { REFERENCE_DEPTH_MAX = 64 };

static enum err parsed_get(struct registry *r, struct schema_entry *entry, struct arena *arena, int depth,
                           struct schema **ret, struct error *e);

// reference_find gives the schema that a reference means; of version -1 the latest.
static enum err reference_find(struct registry *r, struct str context,
                               const struct contract_reference *reference, struct arena *arena,
                               struct schema_entry **ret, struct error *e)
{
    struct str name = name_in_context(context, reference->subject, arena);
    const struct subject_entry *subject = index_subject(r, name);
    const struct version_entry *version = subject == NULL ? NULL
                                          : reference->version == -1
                                              ? subject_latest(subject, false)
                                              : index_version(subject, reference->version);
    if (version == NULL) {
        return FAIL(e, ERR_NOT_FOUND,
                    "No schema reference found for subject \"" STR_FMT "\" and version %d; register it first",
                    STR_ARG(reference->subject), reference->version);
    }
    *ret = version->schema;
    return ERR_OK;
}

static enum err too_deep(struct error *e)
{
    return FAIL(e, ERR_INVALID_SCHEMA, "references are nested deeper than %d", REFERENCE_DEPTH_MAX);
}

// parse_at: *ret_below becomes how deep references go below, those that were parsed already included.
static enum err parse_at(struct registry *r, struct str context, const struct contract *contract, bool is_new,
                         struct arena *arena, int depth, struct schema **ret, int *ret_below, struct error *e)
{
    *ret_below = 0;
    if (depth > REFERENCE_DEPTH_MAX) {
        return too_deep(e);
    }
    struct schema_reference *references =
        arena_new(arena, struct schema_reference, contract->reference_count + 1);
    if (references == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "the schema's references need too much memory");
    }
    enum err err = ERR_OK;
    size_t count = 0;
    while (err == ERR_OK && count < contract->reference_count) {
        const struct contract_reference *from = &contract->references[count];
        struct schema_entry *entry = NULL;
        struct schema *parsed = NULL;
        err = reference_find(r, context, from, arena, &entry, e);
        err = err == ERR_OK ? parsed_get(r, entry, arena, depth + 1, &parsed, e) : err;
        if (err == ERR_OK && schema_format(parsed) != contract->format) {
            err = FAIL(e, ERR_INVALID_SCHEMA, "the reference \"" STR_FMT "\" is of type %s",
                       STR_ARG(from->name), format_name(schema_format(parsed)));
        }
        if (err == ERR_OK) {
            references[count++] = (struct schema_reference){from->name, schema_ref(parsed)};
            *ret_below = entry->depth >= *ret_below ? entry->depth + 1 : *ret_below;
        }
    }
    err = err == ERR_OK && depth + *ret_below > REFERENCE_DEPTH_MAX ? too_deep(e) : err;
    if (err == ERR_OK) {
        const struct schema_source source = {
            .format = contract->format,
            .text = contract->text,
            .references = references,
            .reference_count = count,
            .is_new = is_new,
        };
        err = schema_create(&source, ret, e);
    }
    for (size_t i = 0; i < count; i++) {
        schema_unref((struct schema *)references[i].schema);
    }
    return err;
}

static void parsed_keep(struct registry *r, struct schema_entry *entry, struct schema *take_parsed)
{
    entry->parsed = take_parsed;
    list_push_back(&r->parsed, &entry->in_parsed);
    r->parsed_bytes += schema_memory(take_parsed);
    while (r->parsed_bytes > REGISTRY_PARSED_BYTES_MAX) {
        struct schema_entry *oldest = LIST_ENTRY(r->parsed.next, struct schema_entry, in_parsed);
        if (oldest == entry) {
            return;
        }
        list_remove(&oldest->in_parsed);
        r->parsed_bytes -= schema_memory(oldest->parsed);
        schema_unref(oldest->parsed);
        oldest->parsed = NULL;
    }
}

static enum err parsed_get(struct registry *r, struct schema_entry *entry, struct arena *arena, int depth,
                           struct schema **ret, struct error *e)
{
    if (entry->parsed == NULL) {
        struct contract contract;
        struct schema *parsed = NULL;
        if (!contract_of_document(entry, arena, &contract)) {
            return FAIL(e, ERR_CORRUPT, "the stored schema %d of context " STR_FMT " does not read",
                        entry->id, STR_ARG(entry->context));
        }
        enum err err = parse_at(r, entry->context, &contract, false, arena, depth, &parsed, &entry->depth, e);
        if (err != ERR_OK) {
            return err;
        }
        parsed_keep(r, entry, parsed);
    } else {
        list_remove(&entry->in_parsed);
        list_push_back(&r->parsed, &entry->in_parsed);
    }
    *ret = entry->parsed;
    return ERR_OK;
}

enum err schema_parse(struct registry *r, struct str context, const struct contract *contract, bool is_new,
                      struct arena *arena, struct schema **ret, struct error *e)
{
    int below;
    return parse_at(r, context, contract, is_new, arena, 0, ret, &below, e);
}

enum err schema_parsed(struct registry *r, struct schema_entry *entry, struct arena *arena,
                       struct schema **ret, struct error *e)
{
    return parsed_get(r, entry, arena, 0, ret, e);
}
