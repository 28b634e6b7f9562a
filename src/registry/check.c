// SPDX-License-Identifier: Apache-2.0
// check.c - compatibility of a contract with a subject's versions, as the subject's level asks.
#include "registry/registry_private.h"

enum {
    MESSAGES_PER_VERSION = COMPAT_DIFFERENCES_MAX + 4,
    MESSAGE_BYTES_MAX = 4 << 20,
    COMPARED_STEP_BYTES = 512 * 1024, // of texts compared before others have their turn
};

struct checking {
    struct registry *r;
    const struct contract *contract;
    const struct schema *parsed;
    const struct subject_config *config;
    struct arena *arena;
    struct str *messages;
    size_t count;
};

static void message_add(struct checking *c, struct str text)
{
    if (c->messages == NULL) {
        c->messages = arena_new(c->arena, struct str, MESSAGES_PER_VERSION);
    }
    if (c->messages != NULL && c->count < MESSAGES_PER_VERSION) {
        c->messages[c->count++] = text;
    }
}

// difference_add words one difference as the Confluent registry does, and adds how it could be mended.
static void difference_add(struct checking *c, const struct compat_difference *d)
{
    bool is_avro = c->contract->format == FORMAT_AVRO;
    const char *quote = is_avro ? "'" : "\"";
    struct buf text;
    buf_init(&text, MESSAGE_BYTES_MAX);
    buf_printf(&text, "{errorType:%s%s%s, description:\"", quote, d->kind, quote);
    buf_append_str(&text, d->description);
    buf_u8(&text, '"');
    if (is_avro) {
        buf_append_str(&text, STR(", additionalInfo:'"));
        buf_append_str(&text, d->info);
        buf_u8(&text, '\'');
    }
    if (d->hint.len > 0) {
        buf_append_str(&text, STR(", hint:\""));
        buf_append_str(&text, d->hint);
        buf_u8(&text, '"');
    }
    buf_u8(&text, '}');
    message_add(c, arena_str(c->arena, buf_str(&text)));
    buf_fini(&text);
}

// one_way tells whether `reader` reads what `writer` wrote.
static enum err one_way(struct checking *c, const struct schema *reader, const struct schema *writer,
                        struct error *e)
{
    bool is_lenient = str_equal(c->config->compatibility_policy, STR("LENIENT"));
    struct compat_report report = {.arena = c->arena, .is_reader_old = writer == c->parsed};
    enum err err = schema_compare(reader, writer, is_lenient ? COMPAT_LENIENT : COMPAT_STRICT, &report, e);
    for (size_t i = 0; err == ERR_OK && i < report.count; i++) {
        difference_add(c, &report.differences[i]);
    }
    if (err == ERR_OK && report.total > report.count) {
        message_add(c, arena_printf(c->arena, "{and %zu more}", report.total - report.count));
    }
    return err;
}

static bool level_has(const struct subject_config *config, const char *word)
{
    return str_has_prefix(config->compatibility, str_from_c(word)) ||
           str_has_prefix(config->compatibility, STR("FULL"));
}

static enum err version_check(struct checking *c, const struct version_entry *version,
                              const struct contract *old, struct error *e)
{
    struct schema *parsed = NULL;
    enum err err = ERR_OK;
    c->count = 0;
    if (old->format != c->contract->format) {
        message_add(c, STR("Incompatible because of different schema type"));
    } else if (!str_equal(old->text, c->contract->text) ||
               old->reference_count + c->contract->reference_count > 0) {
        err = schema_parsed(c->r, version->schema, c->arena, &parsed, e);
        if (err == ERR_OK && level_has(c->config, "BACKWARD")) {
            err = one_way(c, c->parsed, parsed, e);
        }
        if (err == ERR_OK && level_has(c->config, "FORWARD")) {
            err = one_way(c, parsed, c->parsed, e);
        }
    }
    if (err == ERR_OK && c->count > 0) {
        message_add(c, arena_printf(c->arena, "{oldSchemaVersion: %d}", version->version));
        message_add(c, arena_printf(c->arena, "{oldSchema: '" STR_FMT "'}", STR_ARG(old->text)));
        message_add(c, arena_printf(c->arena, "{validateFields: '%s', compatibility: '" STR_FMT "'}",
                                    c->config->validate_fields ? "true" : "false",
                                    STR_ARG(c->config->compatibility)));
    }
    return err;
}

// group_of: the metadata property by which only versions of one group are compared; NULL ptr = has none.
static struct str group_of(const struct contract *contract, struct str property)
{
    const struct json_value *metadata = contract->metadata;
    return json_get_str(metadata == NULL ? NULL : json_get(metadata, STR("properties")), property);
}

static bool is_compared(const struct checking *c, const struct version_entry *version,
                        const struct contract *old)
{
    struct str property = c->config->compatibility_group;
    if (version->is_deleted) {
        return false;
    }
    if (property.len == 0) {
        return true;
    }
    struct str a = group_of(c->contract, property);
    struct str b = group_of(old, property);
    return (a.ptr == NULL) == (b.ptr == NULL) && str_equal(a, b);
}

static bool is_compared_already(const struct registry_call *call, struct uuid guid)
{
    for (uint32_t i = 0; i < call->compared_count; i++) {
        if (uuid_equal(call->compared[i], guid)) {
            return true;
        }
    }
    return false;
}

// compared_keep remembers a version that is compatible: the plan may be made again.
static void compared_keep(struct registry_call *call, struct uuid guid)
{
    if (call->compared_count == call->compared_cap) {
        uint32_t cap = call->compared_cap == 0 ? 16 : 2 * call->compared_cap;
        struct uuid *wider = arena_new(call->arena, struct uuid, cap);
        if (wider == NULL) {
            return;
        }
        if (call->compared_count > 0) {
            memcpy(wider, call->compared, call->compared_count * sizeof *wider);
        }
        call->compared = wider;
        call->compared_cap = cap;
    }
    call->compared[call->compared_count++] = guid;
}

enum err check_compatible(struct registry *r, struct registry_call *call, struct subject_entry *subject,
                          const struct version_entry *only, const struct contract *contract,
                          const struct schema *parsed, const struct subject_config *config,
                          bool *ret_is_compatible, struct str **ret_messages, size_t *ret_count,
                          struct error *e)
{
    struct arena *arena = call->arena;
    struct checking c = {.r = r, .contract = contract, .parsed = parsed, .config = config, .arena = arena};
    bool is_transitive = config->compatibility.len > 11; // ..._TRANSITIVE
    enum err err = ERR_OK;
    *ret_is_compatible = true;
    if (str_equal(config->compatibility, STR("NONE"))) {
        return ERR_OK;
    }
    for (uint32_t i = subject->version_count; i > 0 && err == ERR_OK && *ret_is_compatible; i--) {
        const struct version_entry *version = &subject->versions[i - 1];
        struct contract old;
        if ((only != NULL && version != only) || !contract_of_document(version->schema, arena, &old) ||
            !is_compared(&c, version, &old) || is_compared_already(call, version->schema->guid)) {
            continue;
        }
        if (call->work > COMPARED_STEP_BYTES) {
            call->has_more = true;
            return FAIL(e, ERR_STALE, "there is more to compare");
        }
        err = version_check(&c, version, &old, e);
        call->work += old.text.len + contract->text.len;
        *ret_is_compatible = c.count == 0;
        if (is_transitive && err == ERR_OK && *ret_is_compatible) {
            compared_keep(call, version->schema->guid);
        }
        if (!is_transitive) {
            break;
        }
    }
    *ret_messages = c.messages;
    *ret_count = c.count;
    return err;
}

void check_fail(struct registry_call *call, enum err err, const struct error *e)
{
    // The schemas are sound, but too large or too tangled for each other: that is the client's to mend.
    bool is_too_complex = err == ERR_NO_MEMORY;
    call_fail(call, is_too_complex ? CODE_INVALID_SCHEMA : CODE_STORE,
              "The schema could not be compared: %s%s", e->text,
              is_too_complex ? "; with compatibility NONE it is not" : "");
}

// ---- the operations

static void answer_compatible(struct registry_call *call, bool is_compatible, const struct str *messages,
                              size_t count)
{
    struct json j = call_answer(call);
    json_object_begin(&j);
    json_pair_bool(&j, "is_compatible", is_compatible);
    if (call_query_bool(call, "verbose") && count > 0) {
        json_key(&j, "messages");
        json_array_begin(&j);
        for (size_t i = 0; i < count; i++) {
            json_str(&j, messages[i]);
        }
        json_array_end(&j);
    }
    json_object_end(&j);
}

static void answer_invalid(struct registry_call *call, const struct contract *contract, const struct error *e)
{
    if (call_query_bool(call, "verbose")) {
        struct str message = arena_printf(call->arena, "Invalid schema of type %s: %s",
                                          format_name(contract->format), e->text);
        answer_compatible(call, false, &message, 1);
        return;
    }
    call_fail(call, CODE_INVALID_SCHEMA, "Invalid schema of type %s: %s", format_name(contract->format),
              e->text);
}

static void check_with(struct registry *r, struct registry_call *call, struct str name,
                       struct subject_entry *subject, const struct version_entry *only,
                       const struct contract *contract)
{
    struct subject_config config;
    struct schema *parsed = NULL;
    struct error e = {0};
    bool is_compatible = true;
    struct str *messages = NULL;
    size_t count = 0;
    config_resolve(r, name, call->arena, &config);
    enum err err =
        schema_parse(r, name_context(name), contract, config.validate_new_schemas, call->arena, &parsed, &e);
    if (err != ERR_OK) {
        answer_invalid(call, contract, &e);
        return;
    }
    if (subject != NULL) {
        err = check_compatible(r, call, subject, only, contract, parsed, &config, &is_compatible, &messages,
                               &count, &e);
    }
    if (err != ERR_OK) {
        check_fail(call, err, &e);
    } else {
        answer_compatible(call, is_compatible, messages, count);
    }
    schema_unref(parsed);
}

void op_check_all(struct registry *r, struct registry_call *call)
{
    struct str name;
    struct contract contract;
    if (name_qualify(call, call->params[0], &name) && contract_read(call, &contract)) {
        name = alias_resolve(r, name, call->arena);
        check_with(r, call, name, index_subject(r, name), NULL, &contract);
    }
}

void op_check_version(struct registry *r, struct registry_call *call)
{
    struct str name;
    struct contract contract;
    int32_t number;
    if (!name_qualify(call, call->params[0], &name) || !call_version(call, call->params[1], &number) ||
        !contract_read(call, &contract)) {
        return;
    }
    name = alias_resolve(r, name, call->arena);
    struct subject_entry *subject = index_subject(r, name);
    bool is_known = subject != NULL && subject_is_live(subject);
    const struct version_entry *version = !is_known      ? NULL
                                          : number == -1 ? subject_latest(subject, false)
                                                         : index_version(subject, number);
    if (number != -1 && !is_known) {
        call_fail(call, CODE_SUBJECT_NOT_FOUND, "Subject '" STR_FMT "' not found.", STR_ARG(name));
    } else if (number != -1 && (version == NULL || version->is_deleted)) {
        call_fail(call, CODE_VERSION_NOT_FOUND, "Version %d not found.", number);
    } else {
        check_with(r, call, name, version == NULL ? NULL : subject, version, &contract);
    }
}
