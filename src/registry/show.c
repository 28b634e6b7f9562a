// SPDX-License-Identifier: Apache-2.0
// show.c - schemas as answers show them. What is stored is shown as it is, unless the query asks for another
// form.
#include "registry/registry_private.h"

static bool form_asked(struct registry_call *call, enum format format, enum schema_form *ret)
{
    static const struct {
        enum format format;
        const char *name;
        enum schema_form form;
    } rows[] = {
        {FORMAT_AVRO, "resolved", SCHEMA_RESOLVED},
        {FORMAT_PROTOBUF, "ignore_extensions", SCHEMA_PLAIN},
        {FORMAT_PROTOBUF, "serialized", SCHEMA_SERIALIZED},
    };
    struct str name = call_query(call, "format");
    for (size_t i = 0; name.len > 0 && i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].format == format && str_equal(name, str_from_c(rows[i].name))) {
            *ret = rows[i].form;
            return true;
        }
    }
    return false;
}

static bool print_form(struct registry *r, struct registry_call *call, struct schema_entry *schema,
                       enum schema_form form, struct str *ret)
{
    struct schema *parsed = NULL;
    struct error e = {0};
    struct buf text;
    buf_init(&text, ITEM_DOCUMENT_VALUE_MAX);
    enum err err = schema_parsed(r, schema, call->arena, &parsed, &e);
    err = err == ERR_OK ? schema_print(parsed, form, &text, &e) : err;
    if (err == ERR_OK) {
        *ret = arena_str(call->arena, buf_str(&text));
    } else {
        call_fail(call, CODE_STORE, "The schema %d cannot be shown in this form: %s", schema->id, e.text);
    }
    buf_fini(&text);
    return err == ERR_OK;
}

// The members of the contract without the braces around them.
static bool members_of(struct registry *r, struct registry_call *call, struct schema_entry *schema,
                       struct str *ret)
{
    struct contract contract;
    enum schema_form form;
    struct bytes value = document_value(schema->document);
    if (call_query(call, "format").len > 0 && contract_of_document(schema, call->arena, &contract) &&
        form_asked(call, contract.format, &form)) {
        if (!print_form(r, call, schema, form, &contract.text)) {
            return false;
        }
        value = contract_value(&contract, call->arena);
    }
    if (value.len < 2) {
        call_fail(call, CODE_STORE, "The schema %d is too large in this form.", schema->id);
        return false;
    }
    *ret = (struct str){(const char *)value.ptr + 1, value.len - 2};
    return true;
}

struct str show_text(struct registry *r, struct registry_call *call, struct schema_entry *schema)
{
    struct contract contract;
    enum schema_form form;
    if (!contract_of_document(schema, call->arena, &contract)) {
        call_fail(call, CODE_STORE, "The stored schema %d does not read.", schema->id);
        return (struct str){0};
    }
    if (form_asked(call, contract.format, &form) && !print_form(r, call, schema, form, &contract.text)) {
        return (struct str){0};
    }
    return contract.text;
}

bool show_version(struct registry *r, struct registry_call *call, struct buf *out,
                  const struct subject_entry *subject, const struct version_entry *version)
{
    struct str members;
    char guid[37];
    if (!members_of(r, call, version->schema, &members)) {
        return false;
    }
    guid_format(version->schema->guid, guid);
    buf_append_str(out, STR("{\"subject\":"));
    json_print_str(subject->name, out);
    buf_printf(out, ",\"version\":%d,\"id\":%d,\"guid\":\"%s\",", version->version, version->schema->id,
               guid);
    buf_append_str(out, members);
    buf_printf(out, ",\"ts\":%lld", (long long)document_stamp_ms(version->document));
    buf_append_str(out, version->is_deleted ? STR(",\"deleted\":true}") : STR("}"));
    return true;
}

bool show_schema(struct registry *r, struct registry_call *call, struct buf *out, struct schema_entry *schema)
{
    struct str members;
    char guid[37];
    if (!members_of(r, call, schema, &members)) {
        return false;
    }
    guid_format(schema->guid, guid);
    buf_u8(out, '{');
    buf_append_str(out, members);
    buf_printf(out, ",\"guid\":\"%s\"", guid);
    if (call_query_bool(call, "fetchMaxId")) {
        struct document *ids = index_counter(r, key_of(call, "ids/" STR_FMT, STR_ARG(schema->context)));
        buf_printf(out, ",\"maxId\":%lld", (long long)(ids == NULL ? 0 : document_number(ids)));
    }
    buf_u8(out, '}');
    return true;
}
