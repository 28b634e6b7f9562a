// SPDX-License-Identifier: Apache-2.0
// registry_private.h - the index over the documents, and what the operations share.
//
// Documents, by key ("/" separates; subjects are qualified, ":.ctx:name", and bare in the default context
// "."; versions and ids have ten digits):
//
//   schema/CONTEXT/GUID           number: id            value: the contract as JSON, see contract.c
//   schema/CONTEXT/GUID/ID        the same content under another id (mode IMPORT)
//   ids/CONTEXT                   number: the last id given
//   subject/SUBJECT               number: the last version given; its revision changes with every version's
//   version/SUBJECT/VERSION       number: id            value: "" or "deleted"
//   users/CONTEXT/GUID            number: how many versions have the schema
//   refs/SUBJECT/VERSION          number: how many versions that are not deleted refer to it
//   config/SCOPE, mode/SCOPE      value: JSON, a word   SCOPE: a subject; ":.ctx:"; "" the default context's
//   and global association/...               see associations.c
//   topic/TOPIC/TYPE              number: how often what the topic's key or value is associated with has
//   changed
#ifndef REGISTRY_REGISTRY_PRIVATE_H
#define REGISTRY_REGISTRY_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "format/format.h"
#include "json/tree.h"
#include "json/write.h"
#include "registry/registry.h"

// Error codes of the REST API. Codes of five digits begin with their HTTP status.
enum registry_code {
    CODE_SUBJECT_NOT_FOUND = 40401,
    CODE_VERSION_NOT_FOUND = 40402,
    CODE_SCHEMA_NOT_FOUND = 40403,
    CODE_SUBJECT_SOFT_DELETED = 40404,
    CODE_SUBJECT_NOT_SOFT_DELETED = 40405,
    CODE_VERSION_SOFT_DELETED = 40406,
    CODE_VERSION_NOT_SOFT_DELETED = 40407,
    CODE_CONFIG_NOT_FOUND = 40408,
    CODE_MODE_NOT_FOUND = 40409,
    CODE_ASSOCIATION_NOT_FOUND = 40410,
    CODE_INCOMPATIBLE = 409,               // the REST API's error_code of 40901's status
    CODE_ASSOCIATION_FOR_RESOURCE = 40903, // 40902 would be too many, 40906 nobody gives
    CODE_ASSOCIATION_FOR_SUBJECT = 40904,
    CODE_STRONG_ASSOCIATION = 40905,
    CODE_NO_ACTIVE_VERSION = 40907,
    CODE_ASSOCIATION_FROZEN = 40908,
    CODE_INVALID_SCHEMA = 42201,
    CODE_INVALID_VERSION = 42202,
    CODE_INVALID_COMPATIBILITY = 42203,
    CODE_INVALID_MODE = 42204,
    CODE_NOT_PERMITTED = 42205,
    CODE_REFERENCE_EXISTS = 42206,
    CODE_ID_MISMATCH = 42207,
    CODE_INVALID_SUBJECT = 42208,
    CODE_SCHEMA_TOO_LARGE = 42209,
    CODE_INVALID_RULESET = 42210,
    CODE_CONTEXT_NOT_EMPTY = 42211,
    CODE_INVALID_ASSOCIATION = 42212,
    CODE_STORE = 50001,
    CODE_TIMEOUT = 50002,
};

// ---- the index

struct schema_entry;

struct version_entry {
    int32_t version;
    bool is_deleted;
    struct schema_entry *schema;
    struct document *document; // held
    uint64_t leaves_with;      // the plan (registry.plan_number) that takes its schema from it
};

struct subject_entry {
    struct map_node by_name;
    struct str name;                // qualified; owned
    struct str context;             // part of it: "." or ".ctx"
    struct document *document;      // subject/...; held, NULL while only versions are known yet
    struct version_entry *versions; // rising
    uint32_t version_count;
    uint32_t version_cap;
};

struct schema_user { // a version that has the schema
    struct subject_entry *subject;
    int32_t version;
};

struct contract_reference {
    struct str name;
    struct str subject; // as written; in schema_entry.references qualified
    int32_t version;
};

struct schema_entry {
    struct map_node by_id;      // (context, id)
    struct map_node by_guid;    // guid alone: all contexts
    struct map_node by_content; // (context, guid)
    struct document *document;  // held
    struct str context;         // in the document's key
    int32_t id;
    struct uuid guid;
    bool is_leaving; // its document was removed, and it is found by its users only
    struct schema_user *users;
    uint32_t user_count;
    uint32_t user_cap;
    struct schema *parsed;                 // NULL = not parsed yet, or put away
    struct list in_parsed;                 // least used first
    int depth;                             // of references, while it is parsed
    struct contract_reference *references; // with the texts one allocation
    uint32_t reference_count;
};

struct referrer_entry {        // one reference of one schema
    struct map_node by_target; // (subject, version)
    struct schema_entry *schema;
    const struct contract_reference *reference;
};

struct scope_entry {
    struct map_node by_name;
    struct str name;         // owned
    struct document *config; // held, or NULL
    struct document *mode;
};

struct context_entry {
    struct str name; // "." or ".ctx"; owned
    uint32_t subject_count;
};

// What changed since the feed's reader last asked (feed.c).
struct feed {
    bool is_on;
    bool is_lost;      // some of it
    bool is_walking;   // through what was there at the beginning
    uint64_t walked;   // the last document's revision
    uint64_t walk_end; // what came later is among the changes
    struct feed_change *first;
    struct feed_change *last;
    size_t count;
};

struct registry {
    struct registry_host host;
    struct feed feed;
    uint64_t seen_revision;
    uint64_t seen_removal;
    uint64_t plan_number; // of the plan being made
    struct map subjects_by_name;
    struct subject_entry **subjects; // by name
    size_t subject_count;
    size_t sorted_count; // the others came last and are put in their places when all is seen
    size_t subject_cap;
    struct map schemas_by_id;
    struct map schemas_by_guid;
    struct map schemas_by_content;
    size_t schema_count;
    size_t version_count;
    struct map referrers;
    struct map scopes_by_name;
    struct context_entry *contexts; // by name; the default one is always there
    size_t context_count;
    size_t context_cap;
    struct list parsed; // schema entries that have one, least used first
    size_t parsed_bytes;
    struct map associations; // see associations.c
    struct map counters;     // the documents ids/, users/ and refs/, by key
};

// sync.c: registry_sync takes over what changed in the core. Called before every plan.
void registry_sync(struct registry *r);
struct scope_entry *index_scope(const struct registry *r, struct str name);
struct document *index_counter(const struct registry *r, struct str key); // NULL if unknown

// index.c
struct subject_entry *index_subject(const struct registry *r,
                                    struct str name); // NULL if it has no versions at all
size_t index_subject_lower_bound(const struct registry *r, struct str name); // in registry.subjects
struct version_entry *index_version(const struct subject_entry *subject, int32_t version); // NULL if unknown
struct schema_entry *index_schema(const struct registry *r, struct str context, int64_t id);
struct schema_entry *index_schema_guid(const struct registry *r, struct str context,
                                       struct uuid guid); // lowest id
// The schemas with this GUID in any context, one after another: NULL gives the first.
struct schema_entry *index_guid_next(const struct registry *r, struct uuid guid,
                                     const struct schema_entry *after);
// What refers to (subject, version), one after another: NULL gives the first.
struct referrer_entry *index_referrer_next(const struct registry *r, struct str subject, int32_t version,
                                           const struct referrer_entry *after);
bool subject_is_live(const struct subject_entry *subject); // has a version that is not deleted
bool schema_is_live(const struct schema_entry *schema);    // likewise
struct version_entry *subject_latest(const struct subject_entry *subject, bool with_deleted); // NULL if none

// for sync.c: a document of a kind was put or removed; `rest` is its key behind the kind
void index_subject_put(struct registry *r, struct str name, struct document *document);
void index_subject_remove(struct registry *r, struct str name);
void index_version_put(struct registry *r, struct str rest, struct document *document);
void index_version_remove(struct registry *r, struct str rest);
void index_schema_put(struct registry *r, struct str rest, struct document *document);
void index_schema_remove(struct registry *r, struct str key, struct str rest);
void index_subjects_settle(struct registry *r); // after a run of them
void index_entries_clear(struct registry *r);
struct context_entry *index_context_have(struct registry *r, struct str name);
uint64_t index_text_hash(struct str text, uint64_t seed);
struct str index_text_keep(struct str text); // freed with mem_free

bool index_has_context(const struct registry *r, struct str name);
bool index_version_key(struct str rest, struct str *ret_subject, int32_t *ret_version); // SUBJECT/VERSION
bool index_key_take(struct str key, struct str kind, struct str *ret_rest);             // false: another kind

// associations.c: the documents association/...
void association_put(struct registry *r, struct document *document);
void association_remove(struct registry *r, struct str key);
void associations_clear(struct registry *r);

#define TOPIC_DOCUMENT_FORMAT "topic/" STR_FMT "/" STR_FMT // of a resource's name and an association's type
struct association {
    struct str subject; // qualified
    struct str guid;
    struct str resource_name;
    struct str resource_namespace; // the Kafka cluster's id
    struct str resource_id;
    struct str resource_type; // "topic"
    struct str type;          // "key", "value"
    bool is_strong;
    bool is_frozen;
    struct document *document;
};
enum association_by { BY_KEY, BY_SUBJECT, BY_RESOURCE_ID, BY_RESOURCE_NAME, ASSOCIATION_BY_COUNT };
// associations_find lists those that have the text there, in the order of their keys.
size_t associations_find(const struct registry *r, enum association_by by, struct str text,
                         struct arena *arena, const struct association ***ret);
const struct association *association_get(const struct registry *r, struct str key); // NULL if unknown
// subject_frozen_by: the frozen association of the subject; NULL if it has none.
// association_moves: the topic would have another subject without the association that has that key and with
// the other one (NULL: none); the texts of *ret are the arena's.
bool association_moves(const struct registry *r, struct str topic, struct str type, struct str without,
                       const struct association *with, struct arena *arena, struct registry_standing *ret);
const struct association *subject_frozen_by(const struct registry *r, struct str subject);
bool subject_is_associated(const struct registry *r, struct str subject, bool only_strong);
bool association_is_asked(struct registry_call *call, const struct association *a);

// feed.c: something was put or removed, or more than is known
enum feed_kind { FEED_DOCUMENT, FEED_CONTEXT, FEED_ASSOCIATION_GONE };
void feed_note(struct registry *r, enum feed_kind kind,
               struct str text); // the document's key, the context's name
void feed_note_association_gone(struct registry *r, const struct association *a);
void feed_lose(struct registry *r);
void feed_fini(struct registry *r);

// ---- names.c: subjects, contexts, scopes

struct str name_normal(struct str name); // the default context's subjects bare, however they were asked for
// name_qualify gives the qualified subject of a path segment under a call's context; false and answered 42208
// if it is no valid subject.
bool name_qualify(struct registry_call *call, struct str subject, struct str *ret);
// name_qualify_scope is name_qualify that takes the global context, too.
bool name_qualify_scope(struct registry_call *call, struct str subject, struct str *ret);
bool name_is_clean(struct str text);           // no control characters
struct str name_context(struct str qualified); // "." or ".ctx"
struct str name_bare(struct str qualified);    // without its context
// name_in_context gives the qualified form of a subject that a schema of `context` names.
struct str name_in_context(struct str context, struct str subject, struct arena *arena);
struct str scope_of_context(struct str context, struct arena *arena); // "" for ".", ":.ctx:"

// ---- contract.c: what is registered

struct contract {
    enum format format;
    struct str text;
    struct contract_reference *references; // sorted by name, distinct
    size_t reference_count;
    const struct json_value *metadata; // NULL = none
    const struct json_value *rule_set; // NULL = none
    bool is_normalized;                // asked for beside the query
    int32_t id;                        // asked for; 0 = none
    int32_t version;                   // likewise
};
// contract_read reads a request's body (schema, schemaType, references, metadata, ruleSet, id, version);
// answers 422 and returns false if it cannot. Unknown members are ignored, null members are absent.
bool contract_read(struct registry_call *call, struct contract *ret);
// contract_of_document reads what is stored.
bool contract_of_document(const struct schema_entry *schema, struct arena *arena, struct contract *ret);
// contract_from reads what contract_read does from a JSON object: of a request, or of an association's
// schema.
bool contract_from(struct registry_call *call, const struct json_value *body, struct contract *ret);
// contract_value is the document's value:
// {"schemaType":..,"schema":..,"references":[..],"metadata":..,"ruleSet":..}, without what is empty. Its
// members are what answers show.
struct bytes contract_value(const struct contract *contract, struct arena *arena);
// contract_guid is the MD5 over the identity (contracts.md 1.1), as a UUID.
struct uuid contract_guid(const struct contract *contract);
void guid_format(struct uuid guid, char ret_text[37]); // 8-4-4-4-12
bool guid_parse(struct str text, struct uuid *ret);
// metadata_check: true, or answered 422 about the member `name`. NULL is fine.
bool metadata_check(struct registry_call *call, const char *name, const struct json_value *metadata);
// json_print_filled prints a value without the members that are null or empty, in depth.
void json_print_filled(const struct json_value *value, struct buf *out);
// rule_set_check: true, or answered 42210.
bool rule_set_check(struct registry_call *call, const struct json_value *rule_set);

// ---- parsed.c: schemas parsed, with what they refer to

// schema_parse parses with all references; the result is the caller's. ERR_INVALID_SCHEMA, ERR_NOT_FOUND (a
// reference).
enum err schema_parse(struct registry *r, struct str context, const struct contract *contract, bool is_new,
                      struct arena *arena, struct schema **ret, struct error *e);
// schema_parsed gives the parsed form of a stored schema, kept in a bounded cache; borrowed until the next
// call of it.
enum err schema_parsed(struct registry *r, struct schema_entry *entry, struct arena *arena,
                       struct schema **ret, struct error *e);

// ---- config.c, mode.c: what holds for a subject

#define GLOBAL_SCOPE ":.__GLOBAL:"
enum { SCOPE_CHAIN_MAX = 3 };
// scope_read gives the scope that a route's param names (NULL ptr: it has none); false and answered 42208.
bool scope_read(struct registry_call *call, struct str subject, struct str *ret);
// scope_chain lists where what is not set for a scope is looked for: itself, its context, the global one.
size_t scope_chain(struct str scope, struct arena *arena, struct str ret[SCOPE_CHAIN_MAX]);
struct subject_config {              // resolved: subject, then context, then global
    struct str compatibility;        // "BACKWARD", ...
    struct str compatibility_policy; // "STRICT", "LENIENT"
    struct str compatibility_group;  // NULL ptr = none
    struct str alias;                // NULL ptr = none
    bool normalize;
    bool validate_fields;
    bool validate_rules;
    bool validate_new_schemas;
    const struct json_value *default_metadata; // or NULL, likewise the others
    const struct json_value *override_metadata;
    const struct json_value *default_rule_set;
    const struct json_value *override_rule_set;
};
void config_resolve(struct registry *r, struct str subject, struct arena *arena, struct subject_config *ret);
// mode_resolve: "READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT", "FORWARD".
struct str mode_resolve(struct registry *r, struct str subject);
// alias_resolve: the subject that a subject's alias names, else itself.
struct str alias_resolve(struct registry *r, struct str subject, struct arena *arena);

// ---- check.c: compatibility

// check_compatible compares with versions of the subject as its level asks; `only` not NULL: with this one
// alone. *ret_messages: an array of strings as the REST API shows them. ERR_OK also if it is not compatible.
// ERR_NO_MEMORY: the two are too much for each other. After much work it stops with call->has_more; the plan
// is made again then, and goes on behind what was compatible.
enum err check_compatible(struct registry *r, struct registry_call *call, struct subject_entry *subject,
                          const struct version_entry *only, const struct contract *contract,
                          const struct schema *parsed, const struct subject_config *config,
                          bool *ret_is_compatible, struct str **ret_messages, size_t *ret_count,
                          struct error *e);
// check_fail answers what check_compatible failed with.
void check_fail(struct registry_call *call, enum err err, const struct error *e);

// ---- call.c: answering, planning

void call_fail(struct registry_call *call, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// call_answer begins a 200 whose JSON goes through the writer.
struct json call_answer(struct registry_call *call);
struct str call_query(struct registry_call *call, const char *name); // decoded; NULL ptr = not there
// call_query_next gives one after another of a parameter that may come several times; *rest begins as
// call->query.
struct str call_query_next(struct registry_call *call, const char *name, struct str *rest);
bool call_query_bool(struct registry_call *call, const char *name); // absent = false
// call_page applies offset and limit to a list: which of `count` things to show. limit < 0 or absent =
// `fallback` (SIZE_MAX = all).
void call_page(struct registry_call *call, size_t count, size_t fallback, size_t *ret_first, size_t *ret_end);
struct json_value *
call_body(struct registry_call *call); // parsed JSON object; NULL and answered 400/422 if it is none
// call_version reads a version segment: a number of at least 1, "latest" or "-1" (ret = -1); answers 42202.
bool call_version(struct registry_call *call, struct str segment, int32_t *ret);

// A plan: conditions and changes gathered into the call's item.
void plan_begin(struct registry_call *call);
// plan_expect: the document still has the revision that the index knows (document NULL: it must not exist).
void plan_expect(struct registry_call *call, struct str key, const struct document *document);
void plan_put(struct registry_call *call, struct str key, struct bytes value, int64_t number);
void plan_add(struct registry_call *call, struct str key, int64_t number);
void plan_next(struct registry_call *call, struct str key, struct bytes value, struct str counter);
void plan_copy(struct registry_call *call, struct str key, struct bytes value, struct str other);
void plan_remove(struct registry_call *call, struct str key);
// plan_submit asks for the item to be ordered; finish answers when it is in.
void plan_submit(struct registry_call *call,
                 void (*finish)(struct registry *, struct registry_call *, const struct outcome *));
// plan_expect_policy: no config or mode that the subject's depend on has changed.
void plan_expect_policy(struct registry *r, struct registry_call *call, struct str subject);
// plan_standing: what comes to govern topics by that can. Before anything is looked at that the plan uses: it
// brings the index up to date. false: answered, or to be planned again behind call->before.
bool plan_standing(struct registry *r, struct registry_call *call, struct registry_standing *standing);

struct str key_subject(struct registry_call *call, struct str subject);
struct str key_version(struct registry_call *call, const char *kind, struct str subject, int32_t version);
struct str key_of(struct registry_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

// ---- merge.c: metadata and rule sets of one contract over another's; NULL = none

struct json_value *metadata_merge(struct arena *arena, const struct json_value *under,
                                  const struct json_value *over);
struct json_value *rule_set_merge(struct arena *arena, const struct json_value *under,
                                  const struct json_value *over);
// json_copy copies a value with all below it; key included.
struct json_value *json_copy(struct arena *arena, const struct json_value *value);

// ---- show.c: schemas as answers show them

// show_version writes {"subject","version","id","guid","ts", ...the contract's members}, in the form that the
// query `format` asks for. ERR_OK, or answered.
bool show_version(struct registry *r, struct registry_call *call, struct buf *out,
                  const struct subject_entry *subject, const struct version_entry *version);
bool show_schema(struct registry *r, struct registry_call *call, struct buf *out,
                 struct schema_entry *schema);
// show_text gives the schema's text in the form that the query asks for; NULL ptr and answered on failure.
struct str show_text(struct registry *r, struct registry_call *call, struct schema_entry *schema);

// ---- subjects.c: what a path or a query asks for

// subject_prefix reads the query's subjectPrefix: true for all contexts, of whose bare names *ret is the
// prefix.
bool subject_prefix(struct registry_call *call, struct str fallback, struct str *ret);
size_t subject_first(const struct registry *r, const struct str *prefix,
                     bool all_contexts); // where matches begin
bool subject_matches(const struct subject_entry *subject, struct str prefix, bool all_contexts);
bool subject_is_past(const struct subject_entry *subject, struct str prefix,
                     bool all_contexts); // and no more come
// subject_asked: the subject of the path's first segment, its alias followed; NULL and answered 40401, 42208.
struct subject_entry *subject_asked(struct registry *r, struct registry_call *call, bool with_deleted);
// version_asked: likewise with the second segment, 40402, 42202.
struct version_entry *version_asked(struct registry *r, struct registry_call *call, bool with_deleted,
                                    struct subject_entry **ret_subject);
// subject_anywhere: a bare name that the default context lacks is looked for in the others.
struct subject_entry *subject_anywhere(struct registry *r, struct registry_call *call, struct str name);

// ---- governing.c

// contract_gather puts a contract and all it refers to together, but for the version, id and GUID of itself;
// registry_contract_release gives it back.
enum err contract_gather(struct registry *r, struct str subject, const struct contract *contract,
                         struct schema *parsed, struct arena *arena, struct registry_contract *ret,
                         struct error *e);

// ---- register.c

// register_contract plans a version of the qualified subject, as POST /subjects/{subject}/versions does:
// answers, or asks for an item and answers when it is in.
void register_contract(struct registry *r, struct registry_call *call, struct str subject,
                       const struct contract *contract);

// ---- delete.c

// plan_unuse: the version has its schema no more, which goes with the last that has it.
void plan_unuse(struct registry *r, struct registry_call *call, struct version_entry *version);
// plan_hard takes a softly deleted version away.
void plan_hard(struct registry *r, struct registry_call *call, const struct subject_entry *subject,
               struct version_entry *version);

// plan_subject_gone takes all of a subject away at once, whether deleted or not; false and answered if others
// refer to it or its mode forbids it.
bool plan_subject_gone(struct registry *r, struct registry_call *call, const struct subject_entry *subject);

// ---- the operations (routes.c). Each plans a call from the start: it may run again after a conflict.

void op_types(struct registry *r, struct registry_call *call); // schemas.c

// schemas.c
void op_schemas(struct registry *r, struct registry_call *call);
void op_schema_by_id(struct registry *r, struct registry_call *call);
void op_schema_text_by_id(struct registry *r, struct registry_call *call);
void op_subjects_of_id(struct registry *r, struct registry_call *call);
void op_versions_of_id(struct registry *r, struct registry_call *call);
void op_schema_by_guid(struct registry *r, struct registry_call *call);
void op_ids_of_guid(struct registry *r, struct registry_call *call);
// subjects.c
void op_subjects(struct registry *r, struct registry_call *call);
void op_versions(struct registry *r, struct registry_call *call);
void op_version(struct registry *r, struct registry_call *call);
void op_version_text(struct registry *r, struct registry_call *call);
void op_referenced_by(struct registry *r, struct registry_call *call);
// register.c
void op_register(struct registry *r, struct registry_call *call);
void op_lookup(struct registry *r, struct registry_call *call);
// delete.c
void op_subject_delete(struct registry *r, struct registry_call *call);
void op_version_delete(struct registry *r, struct registry_call *call);
// check.c
void op_check_version(struct registry *r, struct registry_call *call);
void op_check_all(struct registry *r, struct registry_call *call);

void op_config_get(struct registry *r, struct registry_call *call); // config.c
void op_config_put(struct registry *r, struct registry_call *call);
void op_config_delete(struct registry *r, struct registry_call *call);
void op_mode_get(struct registry *r, struct registry_call *call); // mode.c
void op_mode_put(struct registry *r, struct registry_call *call);
void op_mode_delete(struct registry *r, struct registry_call *call);
void op_contexts(struct registry *r, struct registry_call *call); // contexts.c
void op_context_delete(struct registry *r, struct registry_call *call);
void op_root(struct registry *r, struct registry_call *call);
void op_metadata_id(struct registry *r, struct registry_call *call);
void op_metadata_version(struct registry *r, struct registry_call *call);
void op_metadata_deployment(struct registry *r, struct registry_call *call);
void op_exporters(struct registry *r, struct registry_call *call);
void op_exporter_none(struct registry *r, struct registry_call *call);
void op_associations_of_subject(struct registry *r, struct registry_call *call); // associations.c
void op_associations_of_id(struct registry *r, struct registry_call *call);
void op_associations_of_name(struct registry *r, struct registry_call *call);
void op_associate(struct registry *r, struct registry_call *call); // associate.c
void op_associate_or_change(struct registry *r, struct registry_call *call);
void op_dissociate(struct registry *r, struct registry_call *call);
void op_associations_batch(struct registry *r, struct registry_call *call);
void op_tags(struct registry *r, struct registry_call *call); // tags.c
void op_by_metadata(struct registry *r, struct registry_call *call);

#endif
