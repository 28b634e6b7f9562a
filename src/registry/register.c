// SPDX-License-Identifier: Apache-2.0
// register.c - a version is registered, or looked up. In the order of the Confluent registry
// (contracts.md 1.4): the subject's name, what is there already, the mode, what is inherited, the schema
// itself, compatibility, version, id.
#include "base/assert.h"
#include "core/governance.h"
#include "registry/registry_private.h"

enum { LAST_IDS = 1 << 20 }; // of these only one is given at a time

// What one registration comes to.
struct registration {
    struct str subject;          // qualified, alias followed
    struct subject_entry *entry; // NULL = a new subject
    struct subject_config config;
    struct contract contract;
    struct str text; // in the form that is stored
    struct uuid guid;
    int32_t version;
    int32_t id; // 0: apply gives it
    struct bytes value;
    bool is_import;
};

// ---- preparing a contract as it would be stored

static const struct json_value *over(struct arena *arena, const struct json_value *base,
                                     const struct json_value *top, bool is_rules)
{
    if (top == NULL) {
        return base;
    }
    return base == NULL ? top
           : is_rules   ? rule_set_merge(arena, base, top)
                        : metadata_merge(arena, base, top);
}

// inherit takes what the request leaves out from the version before, and puts the config's defaults under it
// and overrides over it.
static bool inherit(struct registry_call *call, struct registration *reg)
{
    struct contract *contract = &reg->contract;
    const struct version_entry *latest = reg->entry == NULL ? NULL : subject_latest(reg->entry, false);
    struct contract before = {0};
    if (latest != NULL && contract_of_document(latest->schema, call->arena, &before)) {
        if (contract->text.len == 0 && before.format == contract->format) {
            contract->text = before.text;
            contract->references = before.references;
            contract->reference_count = before.reference_count;
        }
        contract->metadata = contract->metadata == NULL ? before.metadata : contract->metadata;
        contract->rule_set = contract->rule_set == NULL ? before.rule_set : contract->rule_set;
    }
    if (contract->text.len == 0) {
        call_fail(call, CODE_INVALID_SCHEMA, "Empty schema");
        return false;
    }
    const struct subject_config *config = &reg->config;
    contract->metadata = over(call->arena, config->default_metadata, contract->metadata, false);
    contract->metadata = over(call->arena, contract->metadata, config->override_metadata, false);
    contract->rule_set = over(call->arena, config->default_rule_set, contract->rule_set, true);
    contract->rule_set = over(call->arena, contract->rule_set, config->override_rule_set, true);
    return true;
}

// references_settle gives each reference to the latest version that version's number.
static void references_settle(struct registry *r, struct registry_call *call, struct str context,
                              struct contract *contract)
{
    for (size_t i = 0; i < contract->reference_count; i++) {
        struct contract_reference *reference = &contract->references[i];
        struct subject_entry *subject =
            index_subject(r, name_in_context(context, reference->subject, call->arena));
        const struct version_entry *latest = subject == NULL ? NULL : subject_latest(subject, false);
        if (reference->version == -1 && latest != NULL) {
            reference->version = latest->version;
        }
    }
}

static void schema_refuse(struct registry_call *call, const struct contract *contract, enum err err,
                          const struct error *e)
{
    if (err == ERR_INVALID_SCHEMA || err == ERR_NOT_FOUND || err == ERR_NO_MEMORY) {
        call_fail(call, CODE_INVALID_SCHEMA, "Invalid schema of type %s: %s", format_name(contract->format),
                  e->text);
    } else {
        call_fail(call, CODE_STORE, "The schema could not be read: %s", e->text);
    }
}

// form_print gives the schema's text in a form; NULL ptr and answered if that fails.
static struct str form_print(struct registry_call *call, const struct contract *contract,
                             const struct schema *parsed, enum schema_form form)
{
    struct buf text;
    struct error e = {0};
    buf_init(&text, SCHEMA_TEXT_BYTES_MAX * 4);
    enum err err = schema_print(parsed, form, &text, &e);
    struct str kept = err == ERR_OK ? arena_str(call->arena, buf_str(&text)) : (struct str){0};
    buf_fini(&text);
    if (err != ERR_OK) {
        schema_refuse(call, contract, err, &e);
    }
    return kept;
}

static bool is_normalized(struct registry_call *call, const struct contract *contract,
                          const struct subject_config *config)
{
    return contract->is_normalized || config->normalize || call_query_bool(call, "normalize");
}

// ---- what is there already

// version_with finds the newest version of the subject that has the schema with this GUID.
static struct version_entry *version_with(const struct subject_entry *subject, struct uuid guid,
                                          bool with_deleted)
{
    for (uint32_t i = subject == NULL ? 0 : subject->version_count; i > 0; i--) {
        struct version_entry *version = &subject->versions[i - 1];
        if (uuid_equal(version->schema->guid, guid) && (with_deleted || !version->is_deleted)) {
            return version;
        }
    }
    return NULL;
}

// references_are_live: what is deleted may be read by those that refer to it already, and by nobody new.
static bool references_are_live(struct registry *r, struct registry_call *call,
                                const struct registration *reg)
{
    struct str context = name_context(reg->subject);
    for (size_t i = 0; i < reg->contract.reference_count; i++) {
        const struct contract_reference *reference = &reg->contract.references[i];
        struct subject_entry *subject =
            index_subject(r, name_in_context(context, reference->subject, call->arena));
        const struct version_entry *version =
            subject == NULL ? NULL : index_version(subject, reference->version);
        if (version == NULL || version->is_deleted) {
            call_fail(call, CODE_INVALID_SCHEMA,
                      "Invalid schema of type %s: No schema reference found for subject \"" STR_FMT
                      "\" and version %d; register it first",
                      format_name(reg->contract.format), STR_ARG(reference->subject), reference->version);
            return false;
        }
    }
    return true;
}

// ---- permission

static bool mode_permits(struct registry *r, struct registry_call *call, struct registration *reg)
{
    struct str mode = mode_resolve(r, reg->subject);
    bool is_import = str_equal(mode, STR("IMPORT")) || str_equal(mode, STR("FORWARD"));
    reg->is_import = is_import;
    if (str_has_prefix(mode, STR("READONLY"))) {
        call_fail(call, CODE_NOT_PERMITTED, "Subject " STR_FMT " is in read-only mode",
                  STR_ARG(reg->subject));
        return false;
    }
    if (reg->contract.id > 0 && !is_import) {
        call_fail(call, CODE_NOT_PERMITTED,
                  "Subject " STR_FMT " is not in import mode: an id can be given only in mode IMPORT",
                  STR_ARG(reg->subject));
        return false;
    }
    if (reg->contract.id <= 0 && str_equal(mode, STR("IMPORT"))) {
        call_fail(call, CODE_NOT_PERMITTED, "Subject " STR_FMT " is in import mode: an id must be given",
                  STR_ARG(reg->subject));
        return false;
    }
    return true;
}

// ---- version and id

static bool version_choose(struct registry_call *call, struct registration *reg)
{
    int32_t last = reg->entry == NULL ? 0 : (int32_t)document_number(reg->entry->document);
    int32_t asked = reg->contract.version;
    if (last == INT32_MAX && (asked <= 0 || !reg->is_import)) {
        call_fail(call, CODE_NOT_PERMITTED, "Subject " STR_FMT " has version %d: there is none behind it",
                  STR_ARG(reg->subject), last);
        return false;
    }
    reg->version = last == INT32_MAX ? last : last + 1;
    if (asked <= 0 || (asked == reg->version && asked > last)) {
        return true;
    }
    if (reg->is_import) {
        const struct version_entry *there = reg->entry == NULL ? NULL : index_version(reg->entry, asked);
        if (there != NULL && !there->is_deleted) {
            call_fail(call, CODE_NOT_PERMITTED,
                      "Version %d of subject " STR_FMT " exists with another schema", asked,
                      STR_ARG(reg->subject));
            return false;
        }
        reg->version = asked;
        return true;
    }
    call_fail(call, CODE_INVALID_SCHEMA,
              "Version is not one more than previous version: %d, the next one is %d", asked, reg->version);
    return false;
}

// ids_last: the last id that the context gave, or took from a client.
static int64_t ids_last(struct registry *r, struct registry_call *call, struct str context,
                        struct str *ret_key, struct document **ret_counter)
{
    *ret_key = key_of(call, "ids/" STR_FMT, STR_ARG(context));
    *ret_counter = index_counter(r, *ret_key);
    return *ret_counter == NULL ? 0 : document_number(*ret_counter);
}

static bool id_choose(struct registry *r, struct registry_call *call, struct registration *reg)
{
    struct str context = name_context(reg->subject);
    struct schema_entry *same = index_schema_guid(r, context, reg->guid);
    if (reg->contract.id <= 0) {
        struct str key;
        struct document *counter;
        reg->id = same == NULL ? 0 : same->id;
        if (same == NULL && ids_last(r, call, context, &key, &counter) >= INT32_MAX) {
            call_fail(call, CODE_STORE, "The context " STR_FMT " has no id left: its last one is %d",
                      STR_ARG(context), INT32_MAX);
            return false;
        }
        return true;
    }
    const struct schema_entry *holder = index_schema(r, context, reg->contract.id);
    if (holder != NULL && !uuid_equal(holder->guid, reg->guid)) {
        call_fail(call, CODE_NOT_PERMITTED, "Overwrite new schema with id %d is not permitted.",
                  reg->contract.id);
        return false;
    }
    reg->id = reg->contract.id;
    return true;
}

// ---- the plan

// references_plan: false and answered if a subject belongs to one topic alone (a STRONG association).
static bool references_plan(struct registry *r, struct registry_call *call, const struct registration *reg)
{
    struct str context = name_context(reg->subject);
    for (size_t i = 0; i < reg->contract.reference_count; i++) {
        const struct contract_reference *reference = &reg->contract.references[i];
        struct str name = name_in_context(context, reference->subject, call->arena);
        struct subject_entry *subject = index_subject(r, name);
        struct version_entry *version = subject == NULL ? NULL : index_version(subject, reference->version);
        if (!str_equal(name, reg->subject) && subject_is_associated(r, name, true)) {
            call_fail(call, CODE_NOT_PERMITTED,
                      "Subject " STR_FMT " has a strong association: other schemas cannot refer to it",
                      STR_ARG(name));
            return false;
        }
        plan_expect(call, key_subject(call, name), subject == NULL ? NULL : subject->document);
        plan_expect(call, key_version(call, "version", name, reference->version),
                    version == NULL ? NULL : version->document);
        plan_add(call, key_version(call, "refs", name, reference->version), 1);
    }
    return true;
}

static void schema_plan(struct registry *r, struct registry_call *call, const struct registration *reg)
{
    char guid[37];
    struct str context = name_context(reg->subject);
    struct str ids;
    struct document *counter;
    int64_t highest = ids_last(r, call, context, &ids, &counter);
    struct str version = key_version(call, "version", reg->subject, reg->version);
    guid_format(reg->guid, guid);
    struct str key = key_of(call, "schema/" STR_FMT "/%s", STR_ARG(context), guid);
    struct schema_entry *same = index_schema_guid(r, context, reg->guid);
    struct schema_entry *holder = reg->id == 0 ? NULL : index_schema(r, context, reg->id);
    // In mode IMPORT a version may take the place of a softly deleted one.
    struct version_entry *before = reg->entry == NULL ? NULL : index_version(reg->entry, reg->version);
    bool is_same = before != NULL && before->schema == holder;
    if (before != NULL && !is_same) {
        plan_unuse(r, call, before);
    }
    if (holder != NULL) { // it has its id
        plan_expect(call, document_key(holder->document), holder->document);
        plan_put(call, version, bytes_of("", 0), reg->id);
    } else if (reg->id == 0) {
        plan_expect(call, key, NULL);
        if (highest > INT32_MAX - LAST_IDS) { // apply would go on
            plan_expect(call, ids, counter);
        }
        plan_next(call, key, reg->value, ids);
        plan_copy(call, version, bytes_of("", 0), key);
    } else { // an id of the client's, in mode IMPORT
        key = same == NULL ? key : key_of(call, STR_FMT "/%010d", STR_ARG(key), reg->id);
        plan_expect(call, key, NULL);
        plan_expect(call, ids, counter);
        plan_put(call, ids, bytes_of("", 0), reg->id > highest ? reg->id : highest);
        plan_put(call, key, reg->value, reg->id);
        plan_put(call, version, bytes_of("", 0), reg->id);
    }
    if (!is_same) {
        plan_add(call, key_of(call, "users/" STR_FMT "/%s", STR_ARG(context), guid), 1);
    }
}

static void register_answer(struct registry_call *call, const struct registration *reg, int32_t id,
                            int32_t version, int64_t stamp_ms)
{
    char guid[37];
    guid_format(reg->guid, guid);
    (void)call_answer(call);
    buf_printf(&call->answer, "{\"id\":%d,\"version\":%d,\"guid\":\"%s\",", id, version, guid);
    buf_append(&call->answer, reg->value.ptr + 1, reg->value.len - 2);
    if (stamp_ms > 0) {
        buf_printf(&call->answer, ",\"ts\":%lld", (long long)stamp_ms);
    }
    buf_u8(&call->answer, '}');
}

static void register_finish(struct registry *r, struct registry_call *call, const struct outcome *outcome)
{
    const struct registration *reg = call->state;
    struct subject_entry *subject = index_subject(r, reg->subject);
    const struct version_entry *version = subject == NULL ? NULL : index_version(subject, reg->version);
    register_answer(call, reg, reg->id != 0 ? reg->id : (int32_t)outcome->value, reg->version,
                    version == NULL ? 0 : document_stamp_ms(version->document));
}

static void register_plan(struct registry *r, struct registry_call *call, struct registration *reg)
{
    plan_begin(call);
    plan_expect(call, key_subject(call, reg->subject), reg->entry == NULL ? NULL : reg->entry->document);
    plan_expect_policy(r, call, reg->subject);
    plan_expect(call, STR(BINDINGS_DOCUMENT), index_counter(r, STR(BINDINGS_DOCUMENT))); // see can_govern
    if (!references_plan(r, call, reg)) {
        return;
    }
    schema_plan(r, call, reg);
    int64_t last = reg->entry == NULL ? 0 : document_number(reg->entry->document);
    plan_put(call, key_subject(call, reg->subject), bytes_of("", 0),
             reg->version > last ? reg->version : last);
    call->state = reg;
    plan_submit(call, register_finish);
}

static bool compatibility_holds(struct registry *r, struct registry_call *call, struct registration *reg,
                                const struct schema *parsed)
{
    bool is_compatible = true;
    struct str *messages = NULL;
    size_t count = 0;
    struct error e = {0};
    if (reg->is_import || reg->entry == NULL || call_query_bool(call, "force")) {
        return true;
    }
    enum err err = check_compatible(r, call, reg->entry, NULL, &reg->contract, parsed, &reg->config,
                                    &is_compatible, &messages, &count, &e);
    if (err != ERR_OK) {
        check_fail(call, err, &e);
        return false;
    }
    if (is_compatible) {
        return true;
    }
    struct buf details;
    buf_init(&details, SCHEMA_TEXT_BYTES_MAX * 2);
    for (size_t i = 0; i < count; i++) {
        buf_append_str(&details, i == 0 ? STR("") : STR(", "));
        buf_append_str(&details, messages[i]);
    }
    call_fail(call, CODE_INCOMPATIBLE,
              "Schema being registered is incompatible with an earlier schema for subject \"" STR_FMT
              "\", details: [" STR_FMT "]",
              STR_ARG(reg->subject), STR_ARG(buf_str(&details)));
    buf_fini(&details);
    return false;
}

// registration_fill parses and prints; *ret_parsed is the caller's.
static bool registration_fill(struct registry *r, struct registry_call *call, struct registration *reg,
                              bool is_new, struct schema **ret_parsed)
{
    struct error e = {0};
    struct str context = name_context(reg->subject);
    references_settle(r, call, context, &reg->contract);
    enum err err = schema_parse(r, context, &reg->contract, is_new, call->arena, ret_parsed, &e);
    if (err != ERR_OK) {
        schema_refuse(call, &reg->contract, err, &e);
        return false;
    }
    enum schema_form form =
        is_normalized(call, &reg->contract, &reg->config) ? SCHEMA_NORMAL : SCHEMA_CANONICAL;
    reg->contract.text = form_print(call, &reg->contract, *ret_parsed, form);
    if (reg->contract.text.ptr == NULL) {
        return false;
    }
    reg->guid = contract_guid(&reg->contract);
    return true;
}

static void registration_begin(struct registry *r, struct registry_call *call, struct str subject,
                               struct registration *reg)
{
    reg->subject = alias_resolve(r, subject, call->arena);
    reg->entry = index_subject(r, reg->subject);
    config_resolve(r, reg->subject, call->arena, &reg->config);
}

// has_same answers with the version that has the very same contract; 42207 if it is asked for under another
// id.
static bool has_same(struct registry_call *call, struct registration *reg)
{
    const struct version_entry *same = version_with(reg->entry, reg->guid, false);
    if (same != NULL && reg->contract.id > 0 && reg->contract.id != same->schema->id) {
        call_fail(call, CODE_ID_MISMATCH, "Schema already registered with id %d instead of input id %d",
                  same->schema->id, reg->contract.id);
        return true;
    }
    bool is_asked = same != NULL && (reg->contract.version <= 0 || reg->contract.version == same->version);
    if (is_asked) {
        reg->value = document_value(same->schema->document);
        register_answer(call, reg, same->schema->id, same->version, document_stamp_ms(same->document));
    }
    return is_asked;
}

// is_open: a frozen association keeps its subject as it is.
static bool is_open(struct registry *r, struct registry_call *call, const struct registration *reg)
{
    const struct association *frozen = subject_frozen_by(r, reg->subject);
    if (frozen != NULL) {
        call_fail(call, CODE_ASSOCIATION_FROZEN,
                  "The association of type '" STR_FMT "' is frozen for subject '" STR_FMT "'",
                  STR_ARG(frozen->type), STR_ARG(reg->subject));
    }
    return frozen == NULL;
}

// can_govern: what judges by the subject's contracts can judge by this one.
static bool can_govern(struct registry *r, struct registry_call *call, const struct registration *reg,
                       struct schema *parsed)
{
    struct registry_contract contract;
    struct error e = {0};
    if (r->host.contract_check == NULL) {
        return true;
    }
    enum err err = contract_gather(r, reg->subject, &reg->contract, parsed, call->arena, &contract, &e);
    if (err == ERR_OK) {
        contract.part.version = reg->version;
        contract.part.id = reg->id;
        contract.part.guid = reg->guid;
        err = r->host.contract_check(r->host.arg, &contract, call->arena, &call->before, &e);
        registry_contract_release(&contract);
    }
    if (err != ERR_OK) {
        call->before.count = 0;
        call_fail(call, CODE_INVALID_RULESET, "%s", e.text);
    }
    return err == ERR_OK && call->before.count == 0; // else it is planned again behind that
}

void register_contract(struct registry *r, struct registry_call *call, struct str subject,
                       const struct contract *contract)
{
    struct registration *reg = arena_new(call->arena, struct registration, 1);
    struct schema *parsed = NULL;
    if (reg == NULL) {
        return; // answered by who sees the arena's failure
    }
    *reg = (struct registration){.contract = *contract};
    registration_begin(r, call, subject, reg);
    if (!inherit(call, reg)) {
        return;
    }
    bool is_ready = registration_fill(r, call, reg, reg->config.validate_new_schemas, &parsed);
    if (is_ready && !has_same(call, reg) && is_open(r, call, reg) && references_are_live(r, call, reg) &&
        mode_permits(r, call, reg) && version_choose(call, reg) &&
        compatibility_holds(r, call, reg, parsed) && id_choose(r, call, reg) &&
        can_govern(r, call, reg, parsed)) {
        reg->value = contract_value(&reg->contract, call->arena);
        if (reg->value.len == 0) {
            call_fail(call, CODE_SCHEMA_TOO_LARGE,
                      "Schema is too large: with its rules and metadata more than %d bytes.",
                      ITEM_DOCUMENT_VALUE_MAX);
        } else {
            register_plan(r, call, reg);
        }
    }
    schema_unref(parsed);
}

void op_register(struct registry *r, struct registry_call *call)
{
    struct str name;
    struct contract contract;
    if (name_qualify(call, call->params[0], &name) && contract_read(call, &contract)) {
        register_contract(r, call, name, &contract);
    }
}

// ---- lookup

// lookup_alike finds a version whose schema is the same when what it refers to is inlined, or whose rules and
// metadata the request does not mention.
static struct version_entry *lookup_alike(struct registry *r, struct registry_call *call,
                                          struct registration *reg, const struct schema *parsed,
                                          bool with_deleted)
{
    bool is_plain = reg->contract.metadata == NULL && reg->contract.rule_set == NULL;
    struct str resolved = form_print(call, &reg->contract, parsed, SCHEMA_RESOLVED);
    for (uint32_t i = reg->entry->version_count; i > 0 && is_plain && resolved.ptr != NULL; i--) {
        struct version_entry *version = &reg->entry->versions[i - 1];
        struct contract contract;
        struct schema *stored = NULL;
        if ((version->is_deleted && !with_deleted) ||
            !contract_of_document(version->schema, call->arena, &contract) ||
            contract.format != reg->contract.format ||
            schema_parsed(r, version->schema, call->arena, &stored, NULL) != ERR_OK) {
            continue;
        }
        if (str_equal(contract.text, reg->contract.text) ||
            str_equal(form_print(call, &contract, stored, SCHEMA_RESOLVED), resolved)) {
            return version;
        }
    }
    return NULL;
}

void op_lookup(struct registry *r, struct registry_call *call)
{
    struct registration reg = {0};
    struct schema *parsed = NULL;
    struct str name;
    bool with_deleted = call_query_bool(call, "deleted");
    if (!name_qualify(call, call->params[0], &name) || !contract_read(call, &reg.contract)) {
        return;
    }
    registration_begin(r, call, name, &reg);
    reg.entry = subject_anywhere(r, call, reg.subject);
    if (reg.entry == NULL || (!with_deleted && !subject_is_live(reg.entry))) {
        call_fail(call, CODE_SUBJECT_NOT_FOUND, "Subject '" STR_FMT "' not found.", STR_ARG(reg.subject));
        return;
    }
    reg.subject = reg.entry->name;
    if (registration_fill(r, call, &reg, false, &parsed)) {
        struct version_entry *version = version_with(reg.entry, reg.guid, with_deleted);
        version = version != NULL ? version : lookup_alike(r, call, &reg, parsed, with_deleted);
        if (version != NULL) {
            (void)call_answer(call);
            (void)show_version(r, call, &call->answer, reg.entry, version);
        } else {
            call_fail(call, CODE_SCHEMA_NOT_FOUND, "Schema not found");
        }
    }
    schema_unref(parsed);
}
