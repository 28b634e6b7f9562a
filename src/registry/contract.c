// SPDX-License-Identifier: Apache-2.0
// contract.c - what is registered: a schema with its references, metadata and rules; how it is read from a
// request, stored, and told from others.
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "registry/registry_private.h"

enum { VALUE_BYTES_MAX = ITEM_DOCUMENT_VALUE_MAX };

// ---- GUIDs

void guid_format(struct uuid guid, char ret_text[37])
{
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            ret_text[at++] = '-';
        }
        at += (size_t)snprintf(ret_text + at, 37 - at, "%02x", guid.b[i]);
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool guid_parse(struct str text, struct uuid *ret)
{
    struct uuid guid = {{0}};
    size_t count = 0;
    if (text.len != 36) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text.ptr[i] != '-') {
                return false;
            }
            continue;
        }
        int digit = hex_digit(text.ptr[i]);
        if (digit < 0) {
            return false;
        }
        guid.b[count / 2] = (uint8_t)(guid.b[count / 2] << 4 | digit);
        count++;
    }
    *ret = guid;
    return true;
}

// ---- the identity

static void feed(EVP_MD_CTX *md5, struct str text)
{
    EVP_DigestUpdate(md5, text.ptr == NULL ? "" : text.ptr, text.len);
}

static void feed_value(EVP_MD_CTX *md5, const struct json_value *value)
{
    if (value != NULL && value->type == JSON_STRING) {
        feed(md5, value->text);
    }
}

static void feed_byte(EVP_MD_CTX *md5)
{
    static const uint8_t one = 1;
    EVP_DigestUpdate(md5, &one, 1);
}

static int member_order(const void *left, const void *right)
{
    return str_compare((*(const struct json_value *const *)left)->key,
                       (*(const struct json_value *const *)right)->key);
}

static int text_order(const void *left, const void *right)
{
    return str_compare((*(const struct json_value *const *)left)->text,
                       (*(const struct json_value *const *)right)->text);
}

// sorted_children lists the members by key or the items by text; mem_free it.
static const struct json_value **sorted_children(const struct json_value *parent)
{
    const struct json_value **list = mem_array((size_t)parent->count + 1, sizeof(struct json_value *));
    size_t count = 0;
    for (const struct json_value *v = parent->first; v != NULL; v = v->next) {
        list[count++] = v;
    }
    qsort(list, count, sizeof *list, parent->type == JSON_OBJECT ? member_order : text_order);
    return list;
}

static void feed_sorted_list(EVP_MD_CTX *md5, const struct json_value *list)
{
    if (list == NULL || list->type != JSON_ARRAY) {
        return;
    }
    const struct json_value **sorted = sorted_children(list);
    for (uint32_t i = 0; i < list->count; i++) {
        bool is_twice = i > 0 && str_equal(sorted[i]->text, sorted[i - 1]->text);
        if (!is_twice) {
            feed_value(md5, sorted[i]);
        }
    }
    mem_free(sorted);
}

// feed_members: keys and values in the order of the keys.
static void feed_members(EVP_MD_CTX *md5, const struct json_value *object)
{
    if (object == NULL || object->type != JSON_OBJECT) {
        return;
    }
    const struct json_value **sorted = sorted_children(object);
    for (uint32_t i = 0; i < object->count; i++) {
        feed(md5, sorted[i]->key);
        if (sorted[i]->type == JSON_ARRAY) {
            feed_sorted_list(md5, sorted[i]);
        } else {
            feed_value(md5, sorted[i]);
        }
    }
    mem_free(sorted);
}

static void feed_rules(EVP_MD_CTX *md5, const struct json_value *rules)
{
    static const char *const before[] = {"name", "doc", "kind", "mode", "type"};
    static const char *const defaults[] = {"", "", "TRANSFORM", "WRITEREAD", ""};
    static const char *const behind[] = {"expr", "onSuccess", "onFailure"};
    const struct json_value *rule = rules == NULL || rules->type != JSON_ARRAY ? NULL : rules->first;
    for (; rule != NULL; rule = rule->next) {
        for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
            const struct json_value *value = json_get(rule, str_from_c(before[i]));
            feed(md5, value != NULL && value->type == JSON_STRING ? value->text : str_from_c(defaults[i]));
        }
        feed_sorted_list(md5, json_get(rule, STR("tags")));
        feed_members(md5, json_get(rule, STR("params")));
        for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
            feed_value(md5, json_get(rule, str_from_c(behind[i])));
        }
        const struct json_value *disabled = json_get(rule, STR("disabled"));
        if (disabled != NULL && disabled->type == JSON_TRUE) {
            feed_byte(md5);
        }
    }
}

struct uuid contract_guid(const struct contract *contract)
{
    struct uuid guid;
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    ASSERT(md5 != NULL);
    int is_ready = EVP_DigestInit_ex(md5, EVP_md5(), NULL);
    ASSERT(is_ready == 1);
    feed(md5, contract->text);
    for (size_t i = 0; i < contract->reference_count; i++) {
        uint8_t version[4];
        store_be32(version, (uint32_t)contract->references[i].version);
        feed(md5, contract->references[i].name);
        feed(md5, contract->references[i].subject);
        EVP_DigestUpdate(md5, version, sizeof version);
    }
    if (contract->metadata != NULL) {
        feed_byte(md5);
        feed_members(md5, json_get(contract->metadata, STR("tags")));
        feed_members(md5, json_get(contract->metadata, STR("properties")));
        feed_sorted_list(md5, json_get(contract->metadata, STR("sensitive")));
    }
    if (contract->rule_set != NULL) {
        feed_byte(md5);
        feed_rules(md5, json_get(contract->rule_set, STR("migrationRules")));
        feed_rules(md5, json_get(contract->rule_set, STR("domainRules")));
        feed_rules(md5, json_get(contract->rule_set, STR("encodingRules")));
        feed_value(md5, json_get(contract->rule_set, STR("enableAt")));
    }
    EVP_DigestFinal_ex(md5, guid.b, NULL);
    EVP_MD_CTX_free(md5);
    return guid;
}

// ---- reading

static bool is_absent(const struct json_value *value)
{
    return value == NULL || value->type == JSON_NULL;
}

static const struct json_value *present(const struct json_value *body, const char *name)
{
    const struct json_value *value = json_get(body, str_from_c(name));
    return is_absent(value) ? NULL : value;
}

static int reference_order(const void *left, const void *right)
{
    const struct contract_reference *a = left;
    const struct contract_reference *b = right;
    int order = str_compare(a->name, b->name);
    order = order != 0 ? order : str_compare(a->subject, b->subject);
    return order != 0 ? order : (a->version > b->version) - (a->version < b->version);
}

// references_read sorts and drops what is there twice. false: not a list of {name, subject, version}.
static bool references_read(const struct json_value *list, struct arena *arena, struct contract *ret)
{
    if (list == NULL) {
        return true;
    }
    if (list->type != JSON_ARRAY || list->count > SCHEMA_REFERENCES_MAX) {
        return false;
    }
    ret->references = arena_new(arena, struct contract_reference, list->count + 1);
    if (ret->references == NULL) {
        return false;
    }
    for (const struct json_value *v = list->first; v != NULL; v = v->next) {
        int64_t version = 0;
        struct str name = json_get_str(v, STR("name"));
        struct str subject = json_get_str(v, STR("subject"));
        bool is_sound = name.ptr != NULL && subject.ptr != NULL &&
                        json_value_i64(json_get(v, STR("version")), &version) && version >= -1 &&
                        version <= INT32_MAX;
        if (!is_sound) {
            return false;
        }
        ret->references[ret->reference_count++] =
            (struct contract_reference){name, subject, (int32_t)version};
    }
    qsort(ret->references, ret->reference_count, sizeof *ret->references, reference_order);
    size_t count = 0;
    for (size_t i = 0; i < ret->reference_count; i++) {
        if (i == 0 || reference_order(&ret->references[count - 1], &ret->references[i]) != 0) {
            ret->references[count++] = ret->references[i];
        }
    }
    ret->reference_count = count;
    return true;
}

static bool number_read(struct registry_call *call, const struct json_value *body, const char *name,
                        int32_t *ret)
{
    const struct json_value *value = present(body, name);
    int64_t number = 0;
    if (value == NULL) {
        return true;
    }
    if (!json_value_i64(value, &number) || number < -1 || number > INT32_MAX) {
        call_fail(call, 422, "The member '%s' must be a number between 1 and 2147483647.", name);
        return false;
    }
    *ret = number < 0 ? 0 : (int32_t)number;
    return true;
}

// is_string_map: an object of strings, or with `of_lists` of lists of strings.
static bool is_string_map(const struct json_value *value, bool of_lists)
{
    if (is_absent(value)) {
        return true;
    }
    if (value->type != JSON_OBJECT) {
        return false;
    }
    for (const struct json_value *v = value->first; v != NULL; v = v->next) {
        if (of_lists ? v->type != JSON_ARRAY : v->type != JSON_STRING) {
            return false;
        }
        for (const struct json_value *item = of_lists ? v->first : NULL; item != NULL; item = item->next) {
            if (item->type != JSON_STRING) {
                return false;
            }
        }
    }
    return true;
}

bool metadata_check(struct registry_call *call, const char *name, const struct json_value *metadata)
{
    if (metadata == NULL) {
        return true;
    }
    const struct json_value *sensitive = json_get(metadata, STR("sensitive"));
    bool is_sound = metadata->type == JSON_OBJECT && is_string_map(json_get(metadata, STR("tags")), true) &&
                    is_string_map(json_get(metadata, STR("properties")), false) &&
                    (is_absent(sensitive) || sensitive->type == JSON_ARRAY);
    if (!is_sound) {
        call_fail(call, 422,
                  "The member '%s' must be {\"tags\": {path: [tag, ...]}, \"properties\": {name: text}, "
                  "\"sensitive\": [name, ...]}.",
                  name);
    }
    return is_sound;
}

bool contract_from(struct registry_call *call, const struct json_value *body, struct contract *ret)
{
    *ret = (struct contract){.format = FORMAT_AVRO};
    const struct json_value *type = present(body, "schemaType");
    if (type != NULL && (type->type != JSON_STRING || !format_find(type->text, &ret->format))) {
        call_fail(call, CODE_INVALID_SCHEMA,
                  "Invalid schema type " STR_FMT "; there are AVRO, JSON and PROTOBUF.", STR_ARG(type->text));
        return false;
    }
    const struct json_value *text = present(body, "schema");
    if (text != NULL && text->type != JSON_STRING) {
        call_fail(call, 422, "The member 'schema' must be a string that holds the schema.");
        return false;
    }
    ret->text = text == NULL ? (struct str){"", 0} : text->text;
    if (ret->text.len > SCHEMA_TEXT_BYTES_MAX) {
        call_fail(call, CODE_SCHEMA_TOO_LARGE, "Schema is too large: %zu bytes, the limit is %d.",
                  ret->text.len, SCHEMA_TEXT_BYTES_MAX);
        return false;
    }
    if (!references_read(present(body, "references"), call->arena, ret)) {
        call_fail(
            call, CODE_INVALID_SCHEMA,
            "Invalid schema: 'references' must be a list of at most %d {\"name\", \"subject\", \"version\"}.",
            SCHEMA_REFERENCES_MAX);
        return false;
    }
    ret->metadata = present(body, "metadata");
    ret->rule_set = present(body, "ruleSet");
    return metadata_check(call, "metadata", ret->metadata) && rule_set_check(call, ret->rule_set) &&
           number_read(call, body, "id", &ret->id) && number_read(call, body, "version", &ret->version);
}

bool contract_read(struct registry_call *call, struct contract *ret)
{
    const struct json_value *body = call_body(call);
    return body != NULL && contract_from(call, body, ret);
}

bool contract_of_document(const struct schema_entry *schema, struct arena *arena, struct contract *ret)
{
    struct bytes value = document_value(schema->document);
    struct json_value *body = NULL;
    *ret = (struct contract){.format = FORMAT_AVRO};
    if (json_parse((struct str){(const char *)value.ptr, value.len}, arena, &body, NULL) != ERR_OK) {
        return false;
    }
    ret->text = json_get_str(body, STR("schema"));
    ret->metadata = present(body, "metadata");
    ret->rule_set = present(body, "ruleSet");
    return format_find(json_get_str(body, STR("schemaType")), &ret->format) && ret->text.ptr != NULL &&
           references_read(present(body, "references"), arena, ret);
}

// ---- storing

static bool is_filled(const struct json_value *value)
{
    if (value->type == JSON_NULL || (value->type == JSON_STRING && value->text.len == 0)) {
        return false;
    }
    if (value->type != JSON_ARRAY && value->type != JSON_OBJECT) {
        return true;
    }
    return value->count > 0;
}

void json_print_filled(const struct json_value *value, struct buf *out)
{
    if (value->type != JSON_OBJECT && value->type != JSON_ARRAY) {
        json_print(value, false, out);
        return;
    }
    bool is_object = value->type == JSON_OBJECT;
    bool is_first = true;
    buf_u8(out, is_object ? '{' : '[');
    for (const struct json_value *v = value->first; v != NULL; v = v->next) {
        if (is_object && !is_filled(v)) {
            continue;
        }
        if (!is_first) {
            buf_u8(out, ',');
        }
        is_first = false;
        if (is_object) {
            json_print_str(v->key, out);
            buf_u8(out, ':');
        }
        json_print_filled(v, out);
    }
    buf_u8(out, is_object ? '}' : ']');
}

struct bytes contract_value(const struct contract *contract, struct arena *arena)
{
    struct buf out;
    buf_init(&out, VALUE_BYTES_MAX);
    buf_printf(&out, "{\"schemaType\":\"%s\",\"schema\":", format_name(contract->format));
    json_print_str(contract->text, &out);
    for (size_t i = 0; i < contract->reference_count; i++) {
        const struct contract_reference *reference = &contract->references[i];
        buf_append_str(&out, i == 0 ? STR(",\"references\":[{\"name\":") : STR(",{\"name\":"));
        json_print_str(reference->name, &out);
        buf_append_str(&out, STR(",\"subject\":"));
        json_print_str(reference->subject, &out);
        buf_printf(&out, ",\"version\":%d}", reference->version);
    }
    if (contract->reference_count > 0) {
        buf_u8(&out, ']');
    }
    if (contract->metadata != NULL) {
        buf_append_str(&out, STR(",\"metadata\":"));
        json_print_filled(contract->metadata, &out);
    }
    if (contract->rule_set != NULL) {
        buf_append_str(&out, STR(",\"ruleSet\":"));
        json_print_filled(contract->rule_set, &out);
    }
    buf_u8(&out, '}');
    struct str text = out.failed ? (struct str){0} : arena_str(arena, buf_str(&out));
    buf_fini(&out);
    return bytes_of(text.ptr, text.len);
}
