// SPDX-License-Identifier: Apache-2.0
// contract_odcs.c - the Open Data Contract Standard: fields as properties, rules as custom quality checks.
// What it has no word for is in customProperties whose names begin with "strom.".
#include "cli/contract_formats.h"

enum { DEPTH_MAX = 16, FIELDS_MAX = 2000 };

struct json_value *json_with(struct arena *arena, struct json_value *parent, const char *key,
                             enum json_type type)
{
    struct json_value *value = json_new(arena, type);
    value->key = str_from_c(key);
    json_append(parent, value);
    return value;
}

void json_put_text(struct arena *arena, struct json_value *parent, const char *key, struct str text)
{
    if (text.ptr != NULL) {
        json_with(arena, parent, key, JSON_STRING)->text = text;
    }
}

void json_put_copy(struct arena *arena, struct json_value *parent, const char *key,
                   const struct json_value *value)
{
    if (value != NULL && value->type != JSON_NULL) {
        struct json_value *copy = json_new(arena, value->type);
        *copy = *value;
        copy->next = NULL;
        copy->key = str_from_c(key);
        json_append(parent, copy);
    }
}

static struct json_value *item_new(struct arena *arena, struct json_value *list)
{
    struct json_value *item = json_new(arena, JSON_OBJECT);
    json_append(list, item);
    return item;
}

// ---- export

static const char *logical_name(const struct value_type *type)
{
    uint32_t kinds = type->kinds & ~(TYPE_KIND(VIEW_NONE) | TYPE_KIND(VIEW_NULL));
    if (kinds == TYPE_KIND(VIEW_BOOL)) {
        return "boolean";
    }
    if (kinds == TYPE_KIND(VIEW_STRING) || kinds == TYPE_KIND(VIEW_ENUM) || kinds == TYPE_KIND(VIEW_BYTES)) {
        return "string";
    }
    if (kinds == TYPE_KIND(VIEW_LIST)) {
        return "array";
    }
    if (kinds == TYPE_KIND(VIEW_RECORD) || kinds == TYPE_KIND(VIEW_MAP)) {
        return "object";
    }
    if (type->is_whole || kinds == TYPE_KIND(VIEW_INT) || kinds == TYPE_KIND(VIEW_UINT)) {
        return "integer";
    }
    uint32_t numbers = TYPE_KIND(VIEW_INT) | TYPE_KIND(VIEW_UINT) | TYPE_KIND(VIEW_DOUBLE);
    return kinds != 0 && (kinds & ~numbers) == 0 ? "number" : NULL;
}

struct fields {
    struct arena *arena;
    int left;
};

static void type_put(struct fields *f, struct json_value *out, const struct value_type *type, int depth);

static void fields_put(struct fields *f, struct json_value *out, const struct value_type *record, int depth)
{
    struct str name;
    struct json_value *list = NULL;
    for (uint32_t i = 0; depth < DEPTH_MAX && f->left > 0 && type_field_name(record, i, &name); i++) {
        struct value_type type;
        if (!type_field(record, name, &type)) {
            continue;
        }
        f->left--;
        list = list == NULL ? json_with(f->arena, out, "properties", JSON_ARRAY) : list;
        struct json_value *property = item_new(f->arena, list);
        json_put_text(f->arena, property, "name", arena_str(f->arena, name));
        bool is_required = (type.kinds & (TYPE_KIND(VIEW_NONE) | TYPE_KIND(VIEW_NULL))) == 0;
        json_with(f->arena, property, "required", is_required ? JSON_TRUE : JSON_FALSE);
        type_put(f, property, &type, depth + 1);
    }
}

static void type_put(struct fields *f, struct json_value *out, const struct value_type *type, int depth)
{
    const char *logical = logical_name(type);
    if (logical == NULL) {
        return;
    }
    json_put_text(f->arena, out, "logicalType", str_from_c(logical));
    if (str_equal(str_from_c(logical), STR("object"))) {
        fields_put(f, out, type, depth);
    } else if (str_equal(str_from_c(logical), STR("array")) && depth < DEPTH_MAX) {
        struct value_type item = type_item(type);
        if (logical_name(&item) != NULL) {
            type_put(f, json_with(f->arena, out, "items", JSON_OBJECT), &item, depth + 1);
        }
    }
}

static void rules_put(struct arena *arena, struct json_value *table, const struct json_value *rules)
{
    struct json_value *list = NULL;
    for (const struct json_value *rule = rules == NULL ? NULL : rules->first; rule != NULL;
         rule = rule->next) {
        struct str on_failure = json_get_str(rule, STR("onFailure"));
        list = list == NULL ? json_with(arena, table, "quality", JSON_ARRAY) : list;
        struct json_value *check = item_new(arena, list);
        json_put_text(arena, check, "name", json_get_str(rule, STR("name")));
        json_put_text(arena, check, "description", json_get_str(rule, STR("doc")));
        json_put_text(arena, check, "type", STR("custom"));
        json_put_text(arena, check, "engine", STR("strom"));
        json_put_text(arena, check, "dimension", STR("conformity"));
        json_put_text(arena, check, "severity",
                      str_equal(on_failure, STR("NONE")) ? STR("warning") : STR("error"));
        json_put_copy(arena, check, "implementation", rule);
    }
}

static void custom_put(struct arena *arena, struct json_value *list, const char *name,
                       const struct json_value *value)
{
    if (value != NULL && value->type != JSON_NULL) {
        struct json_value *item = item_new(arena, list);
        json_put_text(arena, item, "property", str_from_c(name));
        json_put_copy(arena, item, "value", value);
    }
}

static const char *format_word(struct str schema_type)
{
    return str_equal(schema_type, STR("JSON"))       ? "json"
           : str_equal(schema_type, STR("PROTOBUF")) ? "protobuf"
                                                     : "avro";
}

struct json_value *odcs_export(const struct contract_export *x)
{
    struct arena *arena = x->arena;
    struct str topic = json_get_str(x->contract, STR("topic"));
    const struct json_value *value = json_get(x->contract, STR("value"));
    const struct json_value *properties = json_get(json_get(value, STR("metadata")), STR("properties"));
    struct str version = json_get_str(properties, STR("confluent:version"));
    struct json_value *root = json_new(arena, JSON_OBJECT);
    json_put_text(arena, root, "apiVersion", STR("v3.1.0"));
    json_put_text(arena, root, "kind", STR("DataContract"));
    json_put_text(arena, root, "id", topic);
    json_put_text(arena, root, "name", topic);
    json_put_text(arena, root, "version", version.ptr == NULL ? STR("1") : version);
    json_put_text(arena, root, "status", STR("active"));
    if (json_get_str(properties, STR("owner")).ptr != NULL) {
        json_put_text(arena, json_with(arena, root, "team", JSON_OBJECT), "name",
                      json_get_str(properties, STR("owner")));
    }
    struct json_value *server = item_new(arena, json_with(arena, root, "servers", JSON_ARRAY));
    json_put_text(arena, server, "server", STR("strom"));
    json_put_text(arena, server, "type", STR("kafka"));
    json_put_text(arena, server, "host", x->server);
    json_put_text(arena, server, "format", str_from_c(format_word(json_get_str(value, STR("schemaType")))));
    struct json_value *table = item_new(arena, json_with(arena, root, "schema", JSON_ARRAY));
    json_put_text(arena, table, "name", topic);
    json_put_text(arena, table, "physicalName", topic);
    json_put_text(arena, table, "physicalType", STR("topic"));
    json_put_text(arena, table, "logicalType", STR("object"));
    if (x->program != NULL) {
        struct fields f = {arena, FIELDS_MAX};
        struct value_type type = program_root_type(x->program);
        fields_put(&f, table, &type, 0);
    }
    rules_put(arena, table, json_get(json_get(value, STR("ruleSet")), STR("domainRules")));
    struct json_value *custom = json_with(arena, root, "customProperties", JSON_ARRAY);
    custom_put(arena, custom, "strom.settings", json_get(x->contract, STR("settings")));
    custom_put(arena, custom, "strom.key", json_get(x->contract, STR("key")));
    static const char *const members[] = {"level",  "subject",    "schemaType",
                                          "schema", "references", "metadata"};
    struct json_value *side = json_new(arena, JSON_OBJECT);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_put_copy(arena, side, members[i], json_get(value, str_from_c(members[i])));
    }
    custom_put(arena, custom, "strom.value", side->count > 0 ? side : NULL);
    return root;
}

// ---- import

static const struct json_value *custom_get(const struct json_value *document, const char *name)
{
    const struct json_value *list = json_get(document, STR("customProperties"));
    for (const struct json_value *item = list == NULL ? NULL : list->first; item != NULL; item = item->next) {
        if (str_equal(json_get_str(item, STR("property")), str_from_c(name))) {
            return json_get(item, STR("value"));
        }
    }
    return NULL;
}

static void schema_of_property(struct arena *arena, const struct json_value *property, struct json_value *out,
                               int depth);

static void schema_of_properties(struct arena *arena, const struct json_value *list, struct json_value *out,
                                 int depth)
{
    struct json_value *properties = json_with(arena, out, "properties", JSON_OBJECT);
    struct json_value *required = NULL;
    for (const struct json_value *p = list->first; p != NULL; p = p->next) {
        struct str name = json_get_str(p, STR("name"));
        const struct json_value *is_required = json_get(p, STR("required"));
        if (name.len == 0 || depth >= DEPTH_MAX) {
            continue;
        }
        struct json_value *schema = json_new(arena, JSON_OBJECT);
        schema->key = name;
        json_append(properties, schema);
        schema_of_property(arena, p, schema, depth + 1);
        if (is_required != NULL && is_required->type == JSON_TRUE) {
            required = required == NULL ? json_with(arena, out, "required", JSON_ARRAY) : required;
            struct json_value *item = json_new(arena, JSON_STRING);
            item->text = name;
            json_append(required, item);
        }
    }
}

// The options of a logical type bear JSON Schema's names where it has them.
static void options_put(struct arena *arena, const struct json_value *options, struct json_value *out)
{
    static const char *const names[] = {"minLength", "maxLength",        "pattern",          "minimum",
                                        "maximum",   "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
                                        "minItems",  "maxItems",         "uniqueItems"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_put_copy(arena, out, names[i], json_get(options, str_from_c(names[i])));
    }
}

static void schema_of_property(struct arena *arena, const struct json_value *property, struct json_value *out,
                               int depth)
{
    static const char *const texts[] = {"date", "timestamp", "time"};
    static const char *const formats[] = {"date", "date-time", "time"};
    struct str type = json_get_str(property, STR("logicalType"));
    const struct json_value *required = json_get(property, STR("required"));
    const struct json_value *fields = json_get(property, STR("properties"));
    const struct json_value *items = json_get(property, STR("items"));
    const char *format = NULL;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        format = str_equal(type, str_from_c(texts[i])) ? formats[i] : format;
    }
    if (type.ptr != NULL) {
        struct str word = format != NULL ? STR("string") : type;
        if (required != NULL && required->type == JSON_TRUE) {
            json_put_text(arena, out, "type", word);
        } else {
            struct json_value *both = json_with(arena, out, "type", JSON_ARRAY);
            struct json_value *first = json_new(arena, JSON_STRING);
            struct json_value *null = json_new(arena, JSON_STRING);
            first->text = word;
            null->text = STR("null");
            json_append(both, first);
            json_append(both, null);
        }
    }
    if (format != NULL) {
        json_put_text(arena, out, "format", str_from_c(format));
    } else {
        options_put(arena, json_get(property, STR("logicalTypeOptions")), out);
    }
    json_put_text(arena, out, "description", json_get_str(property, STR("description")));
    json_put_copy(arena, out, "confluent:tags", json_get(property, STR("tags")));
    if (fields != NULL && fields->type == JSON_ARRAY) {
        schema_of_properties(arena, fields, out, depth);
    }
    if (items != NULL && items->type == JSON_OBJECT && depth < DEPTH_MAX) {
        schema_of_property(arena, items, json_with(arena, out, "items", JSON_OBJECT), depth + 1);
    }
}

static bool is_ours(const struct json_value *check)
{
    struct str engine = json_get_str(check, STR("engine"));
    return str_equal(engine, STR("strom")) || str_equal(engine, STR("cel"));
}

// rule_of makes a rule of a quality check: its implementation is a rule as it stands in a rule set, or a CEL
// expression.
static void rule_of(struct arena *arena, const struct json_value *check, struct json_value *rules, int number)
{
    const struct json_value *implementation = json_get(check, STR("implementation"));
    struct str name = json_get_str(check, STR("name"));
    struct json_value *rule = json_new(arena, JSON_OBJECT);
    if (implementation->type == JSON_OBJECT) {
        *rule = *implementation;
        rule->next = NULL;
        rule->key = (struct str){NULL, 0};
        json_append(rules, rule);
        return;
    }
    if (name.len == 0) {
        char text[24];
        int len = snprintf(text, sizeof text, "check%d", number);
        name = arena_str(arena, (struct str){text, (size_t)len});
    }
    json_put_text(arena, rule, "name", name);
    json_put_text(arena, rule, "doc", json_get_str(check, STR("description")));
    json_put_text(arena, rule, "kind", STR("CONDITION"));
    json_put_text(arena, rule, "mode", STR("WRITE"));
    json_put_text(arena, rule, "type", STR("CEL"));
    json_put_text(arena, rule, "expr", implementation->text);
    if (str_equal(json_get_str(check, STR("severity")), STR("warning")) ||
        str_equal(json_get_str(check, STR("severity")), STR("info"))) {
        json_put_text(arena, rule, "onFailure", STR("NONE"));
    }
    json_append(rules, rule);
}

static void rules_get(struct arena *arena, const struct json_value *checks, struct json_value *side,
                      int *ret_skipped)
{
    struct json_value *rules = NULL;
    int number = 0;
    for (const struct json_value *check = checks == NULL ? NULL : checks->first; check != NULL;
         check = check->next) {
        const struct json_value *implementation = json_get(check, STR("implementation"));
        number++;
        if (!is_ours(check) || implementation == NULL ||
            (implementation->type != JSON_OBJECT && implementation->type != JSON_STRING)) {
            (*ret_skipped)++;
            continue;
        }
        rules = rules == NULL ? json_with(arena, json_with(arena, side, "ruleSet", JSON_OBJECT),
                                          "domainRules", JSON_ARRAY)
                              : rules;
        rule_of(arena, check, rules, number);
    }
}

static void side_get(struct arena *arena, const struct json_value *document, const struct json_value *table,
                     struct json_value *root, int *ret_skipped)
{
    static const char *const members[] = {"level",  "subject",    "schemaType",
                                          "schema", "references", "metadata"};
    const struct json_value *kept = custom_get(document, "strom.value");
    const struct json_value *properties = json_get(table, STR("properties"));
    if (kept == NULL && properties == NULL && custom_get(document, "strom.key") != NULL) {
        return; // only keys are governed
    }
    struct json_value *side = json_with(arena, root, "value", JSON_OBJECT);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_put_copy(arena, side, members[i], json_get(kept, str_from_c(members[i])));
    }
    if (json_get(side, STR("schema")) == NULL) {
        struct json_value *schema = json_with(arena, side, "schema", JSON_OBJECT);
        json_put_text(arena, side, "schemaType", STR("JSON"));
        json_put_text(arena, schema, "$schema", STR("http://json-schema.org/draft-07/schema#"));
        json_put_text(arena, schema, "title", json_get_str(table, STR("name")));
        json_put_text(arena, schema, "type", STR("object"));
        if (properties != NULL && properties->type == JSON_ARRAY) {
            schema_of_properties(arena, properties, schema, 0);
        }
    }
    rules_get(arena, json_get(table, STR("quality")), side, ret_skipped);
}

enum err odcs_import(const struct json_value *document, struct arena *arena, struct json_value **ret,
                     int *ret_skipped, struct error *e)
{
    const struct json_value *tables = json_get(document, STR("schema"));
    const struct json_value *table = tables == NULL ? NULL : tables->first;
    *ret_skipped = 0;
    if (!str_equal(json_get_str(document, STR("kind")), STR("DataContract")) ||
        !str_has_prefix(json_get_str(document, STR("apiVersion")), STR("v3."))) {
        return FAIL(e, ERR_INVALID_REQUEST,
                    "no data contract of the Open Data Contract Standard 3 (kind, apiVersion)");
    }
    if (table == NULL || tables->type != JSON_ARRAY || table->type != JSON_OBJECT) {
        return FAIL(e, ERR_INVALID_REQUEST, "its \"schema\" has no object");
    }
    if (tables->count != 1) {
        return FAIL(e, ERR_INVALID_REQUEST, "its \"schema\" has %u objects; a topic has one", tables->count);
    }
    struct str topic = json_get_str(table, STR("physicalName"));
    topic = topic.ptr == NULL ? json_get_str(table, STR("name")) : topic;
    if (topic.len == 0) {
        return FAIL(e, ERR_INVALID_REQUEST, "the object of \"schema\" has no name");
    }
    struct json_value *root = json_new(arena, JSON_OBJECT);
    json_put_text(arena, root, "topic", topic);
    json_put_copy(arena, root, "settings", custom_get(document, "strom.settings"));
    side_get(arena, document, table, root, ret_skipped);
    json_put_copy(arena, root, "key", custom_get(document, "strom.key"));
    *ret = root;
    return ERR_OK;
}
