// SPDX-License-Identifier: Apache-2.0
// governing.c - what judging payloads needs to know: which subject a topic has, what a subject consists of,
// which schema an id means, a contract with all that it refers to. Each answer names the documents that it
// rests on.
#include "registry/registry_private.h"

static void ground_set(struct registry_ground *ret, struct str key, const struct document *document)
{
    *ret = (struct registry_ground){key, document == NULL ? 0 : document_revision(document)};
}

// ---- topics

// is_ours: the association belongs to the Kafka cluster that is served.
static bool is_ours(const struct registry *r, const struct association *a)
{
    return str_equal(a->resource_namespace, r->host.cluster_id);
}

// What the associations of a topic come to, one after another.
struct winner {
    struct str subject; // NULL ptr: there was none
    bool is_ours;
    bool is_ambiguous;
};

static void winner_take(const struct registry *r, struct winner *w, const struct association *a)
{
    bool is_better = w->subject.ptr == NULL || (is_ours(r, a) && !w->is_ours);
    if (is_better) {
        *w = (struct winner){.subject = a->subject, .is_ours = is_ours(r, a)};
    } else {
        w->is_ambiguous = w->is_ambiguous || w->is_ours == is_ours(r, a);
    }
}

static struct winner winner_of(const struct registry *r, struct str topic, struct str type,
                               struct arena *arena, struct str without, const struct association *with)
{
    const struct association **list;
    struct winner winner = {0};
    size_t count = associations_find(r, BY_RESOURCE_NAME, topic, arena, &list);
    for (size_t i = 0; i < count; i++) {
        if (str_equal(list[i]->type, type) && !str_equal(document_key(list[i]->document), without)) {
            winner_take(r, &winner, list[i]);
        }
    }
    if (with != NULL) {
        winner_take(r, &winner, with);
    }
    return winner;
}

bool association_moves(const struct registry *r, struct str topic, struct str type, struct str without,
                       const struct association *with, struct arena *arena, struct registry_standing *ret)
{
    struct winner before = winner_of(r, topic, type, arena, (struct str){"", 0}, NULL);
    struct winner after = winner_of(r, topic, type, arena, without, with);
    *ret = (struct registry_standing){.topic = arena_str(arena, topic),
                                      .is_key = str_equal(type, STR("key")),
                                      .is_ambiguous = after.is_ambiguous};
    ret->subject = after.subject.ptr == NULL ? after.subject : arena_str(arena, after.subject);
    return before.is_ambiguous != after.is_ambiguous || !str_equal(before.subject, after.subject);
}

enum err registry_topic_subject(struct registry *r, struct str topic, bool is_key, struct arena *arena,
                                struct str *ret_subject, struct registry_ground *ret_ground, struct error *e)
{
    struct str type = is_key ? STR("key") : STR("value");
    registry_sync(r);
    struct str key = arena_printf(arena, TOPIC_DOCUMENT_FORMAT, STR_ARG(topic), STR_ARG(type));
    ground_set(ret_ground, key, index_counter(r, key));
    struct winner found = winner_of(r, topic, type, arena, (struct str){"", 0}, NULL);
    *ret_subject = (struct str){NULL, 0};
    if (found.is_ambiguous) {
        return FAIL(e, ERR_INVALID_CONFIG,
                    "the topic \"" STR_FMT "\" has more than one association of type " STR_FMT
                    ": delete all but one",
                    STR_ARG(topic), STR_ARG(type));
    }
    *ret_subject = found.subject.ptr == NULL ? *ret_subject : arena_str(arena, found.subject);
    return arena->failed ? FAIL(e, ERR_NO_MEMORY, "the topic's associations need too much memory") : ERR_OK;
}

// ---- subjects

// format_peek: contract_value puts the type first.
static enum format format_peek(const struct schema_entry *schema)
{
    struct bytes value = document_value(schema->document);
    struct str text = {(const char *)value.ptr, value.len};
    return str_has_prefix(text, STR("{\"schemaType\":\"JSON\""))       ? FORMAT_JSON
           : str_has_prefix(text, STR("{\"schemaType\":\"PROTOBUF\"")) ? FORMAT_PROTOBUF
                                                                       : FORMAT_AVRO;
}

// subject_fill: `asked` is the name under which it is known, `name` the subject's own.
static enum err subject_fill(struct registry *r, struct str asked, struct str name, struct arena *arena,
                             struct registry_subject *ret, struct error *e)
{
    *ret = (struct registry_subject){.name = arena_str(arena, name)};
    ret->context = name_context(ret->name);
    const struct subject_entry *entry = index_subject(r, ret->name);
    const struct scope_entry *scope = index_scope(r, asked);
    ground_set(&ret->grounds[0], arena_printf(arena, "subject/" STR_FMT, STR_ARG(ret->name)),
               entry == NULL ? NULL : entry->document);
    ground_set(&ret->grounds[1], arena_printf(arena, "config/" STR_FMT, STR_ARG(asked)),
               scope == NULL ? NULL : scope->config);
    size_t count = entry == NULL ? 0 : entry->version_count;
    struct registry_member *members = arena_new(arena, struct registry_member, count + 1);
    for (size_t i = 0; i < count && members != NULL; i++) {
        const struct version_entry *version = &entry->versions[i];
        members[i] = (struct registry_member){.version = version->version,
                                              .id = version->schema->id,
                                              .guid = version->schema->guid,
                                              .format = format_peek(version->schema),
                                              .is_deleted = version->is_deleted};
    }
    ret->members = members;
    ret->member_count = count;
    return arena->failed ? FAIL(e, ERR_NO_MEMORY, "the subject needs too much memory") : ERR_OK;
}

enum err registry_subject_find(struct registry *r, struct str subject, struct arena *arena,
                               struct registry_subject *ret, struct error *e)
{
    struct registry_call call = {.arena = arena};
    struct str asked;
    registry_sync(r);
    bool is_name = name_qualify(&call, subject, &asked);
    buf_fini(&call.answer);
    return is_name ? subject_fill(r, asked, alias_resolve(r, asked, arena), arena, ret, e)
                   : FAIL(e, ERR_INVALID_CONFIG, "\"" STR_FMT "\" is no name that a subject can have",
                          STR_ARG(subject));
}

enum err registry_subject_get(struct registry *r, struct str subject, struct arena *arena,
                              struct registry_subject *ret, struct error *e)
{
    registry_sync(r);
    return subject_fill(r, subject, subject, arena, ret, e);
}

bool registry_stands_for(struct registry *r, struct str name, struct str subject)
{
    struct arena arena;
    arena_init(&arena, REGISTRY_CALL_BYTES_MAX);
    bool is_it = str_equal(alias_resolve(r, name_normal(name), &arena), subject);
    arena_fini(&arena);
    return is_it;
}

bool registry_is_name(struct str name, struct str qualified)
{
    return str_equal(name_normal(name), qualified);
}

static bool is_of_name(struct registry *r, struct str subject, struct str name)
{
    (void)r;
    return str_equal(subject, name);
}

// any_association: one of the topic's has a subject of which that holds.
static bool any_association(struct registry *r, struct str topic, bool is_key, struct str name,
                            bool (*holds)(struct registry *r, struct str subject, struct str name))
{
    const struct association **list;
    struct arena arena;
    bool is_it = false;
    arena_init(&arena, REGISTRY_CALL_BYTES_MAX);
    size_t count = associations_find(r, BY_RESOURCE_NAME, topic, &arena, &list);
    for (size_t i = 0; i < count && !is_it; i++) {
        is_it =
            str_equal(list[i]->type, is_key ? STR("key") : STR("value")) && holds(r, list[i]->subject, name);
    }
    arena_fini(&arena);
    return is_it;
}

bool registry_topic_names(struct registry *r, struct str topic, bool is_key, struct str qualified)
{
    return any_association(r, topic, is_key, qualified, is_of_name);
}

bool registry_topic_stands_for(struct registry *r, struct str topic, bool is_key, struct str subject)
{
    return any_association(r, topic, is_key, subject, registry_stands_for);
}

// ---- schemas

static void part_release(struct registry_part *part)
{
    schema_unref(part->schema);
    part->schema = NULL;
}

void registry_contract_release(struct registry_contract *contract)
{
    part_release(&contract->part);
    for (size_t i = 0; i < contract->reference_count; i++) {
        part_release(&contract->references[i]);
    }
    contract->reference_count = 0;
}

static struct str json_text(const struct json_value *value, struct arena *arena)
{
    struct buf text;
    if (value == NULL) {
        return (struct str){NULL, 0};
    }
    buf_init(&text, ITEM_DOCUMENT_VALUE_MAX);
    json_print(value, false, &text);
    struct str kept = arena_str(arena, buf_str(&text));
    arena->failed = arena->failed || text.failed;
    buf_fini(&text);
    return kept;
}

// part_fill: all but version, id and guid.
static void part_fill(struct registry_part *ret, const struct contract *contract, struct str subject,
                      struct schema *schema, struct arena *arena)
{
    *ret = (struct registry_part){.schema = schema_ref(schema),
                                  .metadata = json_text(contract->metadata, arena),
                                  .rule_set = json_text(contract->rule_set, arena),
                                  .subject = arena_str(arena, subject)};
}

// What is being gathered: every schema that is referred to, once, breadth first.
struct gathering {
    struct registry *r;
    struct arena *arena;
    const struct schema_entry **entries;
    struct registry_contract *contract;
    struct error *e;
};

static bool is_gathered(const struct gathering *g, const struct schema_entry *entry)
{
    for (size_t i = 0; i < g->contract->reference_count; i++) {
        if (g->entries[i] == entry) {
            return true;
        }
    }
    return false;
}

static enum err reference_take(struct gathering *g, struct str context,
                               const struct contract_reference *reference)
{
    struct registry_contract *to = g->contract;
    struct str name = name_in_context(context, reference->subject, g->arena);
    const struct subject_entry *subject = index_subject(g->r, name);
    const struct version_entry *version = subject == NULL ? NULL : index_version(subject, reference->version);
    struct contract contract;
    struct schema *parsed = NULL;
    if (version == NULL) {
        return FAIL(g->e, ERR_NOT_FOUND, "no version %d of subject \"" STR_FMT "\", to which it refers",
                    reference->version, STR_ARG(name));
    }
    if (is_gathered(g, version->schema)) {
        return ERR_OK;
    }
    if (to->reference_count == SCHEMA_REFERENCES_MAX) {
        return FAIL(g->e, ERR_NO_MEMORY, "more than %d schemas are referred to", SCHEMA_REFERENCES_MAX);
    }
    enum err err = schema_parsed(g->r, version->schema, g->arena, &parsed, g->e);
    if (err != ERR_OK) {
        return err;
    }
    if (!contract_of_document(version->schema, g->arena, &contract)) {
        return FAIL(g->e, ERR_CORRUPT, "the stored schema %d does not read", version->schema->id);
    }
    g->entries[to->reference_count] = version->schema;
    struct registry_part *part = &to->references[to->reference_count++];
    part_fill(part, &contract, name, parsed, g->arena);
    part->version = version->version;
    part->id = version->schema->id;
    part->guid = version->schema->guid;
    return ERR_OK;
}

// references_gather: those of the contract itself, then theirs.
static enum err references_gather(struct registry *r, struct str context, const struct contract *contract,
                                  struct arena *arena, struct registry_contract *ret, struct error *e)
{
    struct gathering g = {.r = r, .arena = arena, .contract = ret, .e = e};
    enum err err = ERR_OK;
    if (contract->reference_count == 0) {
        return ERR_OK;
    }
    g.entries = arena_new(arena, const struct schema_entry *, SCHEMA_REFERENCES_MAX);
    ret->references = arena_new(arena, struct registry_part, SCHEMA_REFERENCES_MAX);
    if (g.entries == NULL || ret->references == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "the schema's references need too much memory");
    }
    for (size_t i = 0; i < contract->reference_count && err == ERR_OK; i++) {
        err = reference_take(&g, context, &contract->references[i]);
    }
    for (size_t k = 0; k < ret->reference_count && err == ERR_OK; k++) {
        const struct schema_entry *entry = g.entries[k];
        for (uint32_t i = 0; i < entry->reference_count && err == ERR_OK; i++) {
            err = reference_take(&g, entry->context, &entry->references[i]);
        }
    }
    return err;
}

enum err contract_gather(struct registry *r, struct str subject, const struct contract *contract,
                         struct schema *parsed, struct arena *arena, struct registry_contract *ret,
                         struct error *e)
{
    *ret = (struct registry_contract){0};
    part_fill(&ret->part, contract, subject, parsed, arena);
    enum err err = references_gather(r, name_context(subject), contract, arena, ret, e);
    if (err == ERR_OK && arena->failed) {
        err = FAIL(e, ERR_NO_MEMORY, "the contract needs too much memory");
    }
    if (err != ERR_OK) {
        registry_contract_release(ret);
    }
    return err;
}

enum err registry_contract_find(struct registry *r, struct str subject, int32_t version, struct arena *arena,
                                struct registry_contract *ret, struct error *e)
{
    struct contract contract;
    struct schema *parsed = NULL;
    registry_sync(r);
    const struct subject_entry *entry = index_subject(r, subject);
    struct version_entry *found = entry == NULL ? NULL : index_version(entry, version);
    if (found == NULL) {
        return FAIL(e, ERR_NOT_FOUND, "there is no version %d of subject \"" STR_FMT "\"", version,
                    STR_ARG(subject));
    }
    if (!contract_of_document(found->schema, arena, &contract)) {
        return FAIL(e, ERR_CORRUPT, "the stored schema %d does not read", found->schema->id);
    }
    enum err err = schema_parsed(r, found->schema, arena, &parsed, e);
    if (err != ERR_OK) {
        return err;
    }
    parsed = schema_ref(parsed); // it is borrowed until others are parsed
    err = contract_gather(r, entry->name, &contract, parsed, arena, ret, e);
    ret->part.version = version;
    ret->part.id = found->schema->id;
    ret->part.guid = found->schema->guid;
    schema_unref(parsed);
    return err;
}

enum err registry_schema_find(struct registry *r, struct str context, const struct registry_schema_name *name,
                              struct arena *arena, struct registry_schema *ret, struct error *e)
{
    struct schema *parsed = NULL;
    registry_sync(r);
    struct str ids = arena_printf(arena, "ids/" STR_FMT, STR_ARG(context));
    struct schema_entry *entry =
        name->is_guid ? index_schema_guid(r, context, name->guid) : index_schema(r, context, name->id);
    *ret = (struct registry_schema){0};
    ground_set(&ret->ground, ids, index_counter(r, ids));
    if (arena->failed) {
        return FAIL(e, ERR_NO_MEMORY, "the schema needs too much memory");
    }
    if (entry == NULL) {
        return ERR_OK;
    }
    enum err err = schema_parsed(r, entry, arena, &parsed, e);
    if (err == ERR_OK) {
        ret->schema = schema_ref(parsed);
        ret->id = entry->id;
        ret->guid = entry->guid;
    }
    // After it was deleted for good an id may be given to another one, in mode IMPORT.
    ground_set(&ret->ground, arena_str(arena, document_key(entry->document)), entry->document);
    return arena->failed ? FAIL(e, ERR_NO_MEMORY, "the schema needs too much memory") : err;
}
