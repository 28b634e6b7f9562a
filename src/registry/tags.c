// SPDX-License-Identifier: Apache-2.0
// tags.c - a version with other tags, metadata or rules than the one before: the tags are written into the
// schema's text, and the result is registered as any schema is. And versions found by their metadata.
#include "registry/registry_private.h"

#define TAGS "confluent:tags"

// One entity that a request names.
struct entity {
    struct str path;
    bool is_record;
    const struct json_value *tags;
    bool is_removal;
};

static bool refuse(struct registry_call *call, const char *what)
{
    call_fail(call, 422, "Invalid request: %s.", what);
    return false;
}

static const struct json_value *member(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_get(object, str_from_c(name));
    return value == NULL || value->type == JSON_NULL ? NULL : value;
}

// ---- paths: names with dots between them

// path_take: the path begins with the name; *ret is what follows its dot, of length 0 at the end.
static bool path_take(struct str path, struct str name, struct str *ret)
{
    if (name.len == 0 || !str_has_prefix(path, name) || (path.len > name.len && path.ptr[name.len] != '.')) {
        return false;
    }
    size_t used = path.len > name.len ? name.len + 1 : name.len;
    *ret = (struct str){path.ptr + used, path.len - used};
    return true;
}

// What is searched for; the nodes are those of the parsed text, to be changed.
struct search {
    struct registry_call *call;
    struct str path; // whole
    bool is_record;
    uint32_t budget; // steps left: names may make many ways through a schema
};

enum { SEARCH_STEPS_MAX = 1000000 };

static bool search_goes_on(struct search *s)
{
    return s->budget > 0 && s->budget-- > 0;
}

// ---- Avro: "RECORD", "RECORD.FIELD", "RECORD.FIELD.NESTED.FIELD"; a record by its full or its short name.

static struct json_value *avro_find(struct search *s, struct json_value *node, struct str path, bool is_root);

static struct json_value *avro_find_in_fields(struct search *s, struct json_value *node, struct str rest)
{
    struct json_value *fields = json_get(node, STR("fields"));
    for (struct json_value *field = fields == NULL ? NULL : fields->first; field != NULL;
         field = field->next) {
        struct str behind;
        if (!path_take(rest, json_get_str(field, STR("name")), &behind)) {
            continue;
        }
        if (behind.len == 0) {
            return s->is_record ? NULL : field;
        }
        struct json_value *type = json_get(field, STR("type"));
        struct json_value *found = type == NULL ? NULL : avro_find(s, type, behind, false);
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

// avro_find_below looks for the whole path in everything nested.
static struct json_value *avro_find_below(struct search *s, struct json_value *node)
{
    static const char *const nested[] = {"type", "items", "values"};
    struct json_value *found = NULL;
    struct json_value *fields = node->type == JSON_OBJECT ? json_get(node, STR("fields")) : NULL;
    for (struct json_value *v = node->type == JSON_ARRAY ? node->first : NULL; found == NULL && v != NULL;
         v = v->next) {
        found = avro_find(s, v, s->path, true);
    }
    for (struct json_value *v = fields == NULL ? NULL : fields->first; found == NULL && v != NULL;
         v = v->next) {
        struct json_value *type = json_get(v, STR("type"));
        found = type == NULL ? NULL : avro_find(s, type, s->path, true);
    }
    for (size_t i = 0; found == NULL && node->type == JSON_OBJECT && i < 3; i++) {
        struct json_value *v = json_get(node, str_from_c(nested[i]));
        found = v == NULL || v->type == JSON_STRING ? NULL : avro_find(s, v, s->path, true);
    }
    return found;
}

static struct json_value *avro_find_here(struct search *s, struct json_value *node, struct str path)
{
    struct str space = json_get_str(node, STR("namespace"));
    struct str name = json_get_str(node, STR("name"));
    struct str rest;
    bool is_record = json_get(node, STR("fields")) != NULL;
    if (!is_record) {
        return NULL;
    }
    struct str full = space.len == 0
                          ? name
                          : arena_printf(s->call->arena, STR_FMT "." STR_FMT, STR_ARG(space), STR_ARG(name));
    const char *dot = memrchr(name.ptr == NULL ? "" : name.ptr, '.', name.len);
    struct str bare = dot == NULL ? name : (struct str){dot + 1, (size_t)(name.ptr + name.len - dot - 1)};
    if (!path_take(path, full, &rest) && !path_take(path, name, &rest) && !path_take(path, bare, &rest)) {
        // A nested record's namespace may be that of the one around it.
        size_t at = path.len < bare.len ? path.len : 0;
        bool is_there = false;
        for (; !is_there && bare.len > 0 && at + bare.len <= path.len; at++) {
            struct str tail = {path.ptr + at, path.len - at};
            is_there = at > 0 && path.ptr[at - 1] == '.' && path_take(tail, bare, &rest);
        }
        if (!is_there) {
            return NULL;
        }
    }
    if (rest.len == 0) {
        return s->is_record ? node : NULL;
    }
    return avro_find_in_fields(s, node, rest);
}

static struct json_value *avro_find(struct search *s, struct json_value *node, struct str path, bool is_root)
{
    static const char *const words[] = {"array", "map", "union"};
    struct json_value *found = NULL;
    if (!search_goes_on(s) || (node->type != JSON_OBJECT && node->type != JSON_ARRAY)) {
        return NULL;
    }
    if (is_root) {
        found = node->type == JSON_OBJECT ? avro_find_here(s, node, path) : NULL;
        return found != NULL ? found : avro_find_below(s, node);
    }
    for (size_t i = 0; i < 3; i++) { // these words may stand between a field and what is in it
        struct str rest;
        path = path_take(path, str_from_c(words[i]), &rest) && rest.len > 0 ? rest : path;
    }
    for (struct json_value *v = node->type == JSON_ARRAY ? node->first : NULL; found == NULL && v != NULL;
         v = v->next) {
        found = avro_find(s, v, path, false);
    }
    if (node->type == JSON_ARRAY || found != NULL) {
        return found;
    }
    found = avro_find_here(s, node, path);
    for (size_t i = 0; found == NULL && i < 3; i++) {
        static const char *const nested[] = {"items", "values", "type"};
        struct json_value *v = json_get(node, str_from_c(nested[i]));
        found = v == NULL ? NULL : avro_find(s, v, path, false);
    }
    return found;
}

// ---- JSON Schema: "object", "object.FIELD", "object.FIELD.array.object.FIELD", "...allof.0.object",
// "...not".

static struct json_value *json_find(struct search *s, struct json_value *node, struct str path);

static struct json_value *json_find_named(struct search *s, struct json_value *map, struct str path)
{
    for (struct json_value *v = map == NULL ? NULL : map->first; v != NULL; v = v->next) {
        struct str rest;
        if (path_take(path, v->key, &rest)) {
            bool is_field = rest.len == 0 && !s->is_record && v->type == JSON_OBJECT;
            struct json_value *found = is_field ? v : json_find(s, v, rest);
            if (found != NULL) {
                return found;
            }
        }
    }
    return NULL;
}

static struct json_value *json_find_numbered(struct search *s, struct json_value *list, struct str path)
{
    struct str rest;
    int64_t number;
    struct str digits = str_cut(path, '.', &rest);
    if (list == NULL || list->type != JSON_ARRAY || !str_parse_i64(digits, &number) || number < 0) {
        return NULL;
    }
    struct json_value *v = list->first;
    for (; v != NULL && number > 0; number--) {
        v = v->next;
    }
    return v == NULL ? NULL : json_find(s, v, rest);
}

static struct json_value *json_find(struct search *s, struct json_value *node, struct str path)
{
    static const char *const lists[][2] = {{"allof", "allOf"}, {"anyof", "anyOf"}, {"oneof", "oneOf"}};
    struct str rest;
    if (!search_goes_on(s) || node->type != JSON_OBJECT || path.len == 0) {
        return NULL;
    }
    if (path_take(path, STR("object"), &rest)) {
        return rest.len == 0 ? (s->is_record ? node : NULL)
                             : json_find_named(s, json_get(node, STR("properties")), rest);
    }
    if (path_take(path, STR("definitions"), &rest)) {
        return json_find_named(s, json_get(node, STR("definitions")), rest);
    }
    if (path_take(path, STR("$defs"), &rest)) {
        return json_find_named(s, json_get(node, STR("$defs")), rest);
    }
    if (path_take(path, STR("array"), &rest) || path_take(path, STR("not"), &rest)) {
        struct json_value *v = json_get(node, path.ptr[0] == 'a' ? STR("items") : STR("not"));
        return v == NULL ? NULL : json_find(s, v, rest);
    }
    for (size_t i = 0; i < 3; i++) {
        if (path_take(path, str_from_c(lists[i][0]), &rest)) {
            return json_find_numbered(s, json_get(node, str_from_c(lists[i][1])), rest);
        }
    }
    return NULL;
}

// ---- tags

static bool has_tag(const struct json_value *list, struct str tag)
{
    for (const struct json_value *v = list == NULL ? NULL : list->first; v != NULL; v = v->next) {
        if (v->type == JSON_STRING && str_equal(v->text, tag)) {
            return true;
        }
    }
    return false;
}

static void tag_append(struct registry_call *call, struct json_value *list, const struct json_value *tag)
{
    struct json_value *copy = json_copy(call->arena, tag);
    if (copy != NULL) {
        json_append(list, copy);
    }
}

static void member_unlink(struct json_value *object, const struct json_value *gone)
{
    struct json_value *before = NULL;
    for (struct json_value *v = object->first; v != NULL; before = v, v = v->next) {
        if (v != gone) {
            continue;
        }
        if (before == NULL) {
            object->first = v->next;
        } else {
            before->next = v->next;
        }
        object->last = object->last == v ? before : object->last;
        object->count--;
        object->index = NULL; // walked from now on
        return;
    }
}

static void tags_change(struct registry_call *call, struct json_value *node, const struct entity *entity)
{
    struct json_value *old = json_get(node, STR(TAGS));
    struct json_value *list = json_new(call->arena, JSON_ARRAY);
    if (list == NULL) {
        return;
    }
    list->key = STR(TAGS);
    for (const struct json_value *v = old == NULL ? NULL : old->first; v != NULL; v = v->next) {
        if (v->type == JSON_STRING && !has_tag(list, v->text) &&
            !(entity->is_removal && has_tag(entity->tags, v->text))) {
            tag_append(call, list, v);
        }
    }
    for (const struct json_value *v = entity->is_removal ? NULL : entity->tags->first; v != NULL;
         v = v->next) {
        if (!has_tag(list, v->text)) {
            tag_append(call, list, v);
        }
    }
    if (old != NULL && list->count == 0) {
        member_unlink(node, old);
    } else if (old != NULL) {
        old->type = JSON_ARRAY;
        old->first = list->first;
        old->last = list->last;
        old->count = list->count;
        old->index = NULL;
    } else if (list->count > 0) {
        node->index = NULL;
        json_append(node, list);
    }
}

static bool entity_read(struct registry_call *call, const struct json_value *value, struct entity *ret)
{
    const struct json_value *entity = member(value, "schemaEntity");
    struct str type = entity == NULL ? (struct str){0} : json_get_str(entity, STR("entityType"));
    ret->path = entity == NULL ? (struct str){0} : json_get_str(entity, STR("entityPath"));
    ret->tags = member(value, "tags");
    ret->is_record = str_equal(type, STR("sr_record"));
    if (ret->path.len > 0 && ret->path.ptr[0] == '.') {
        ret->path = (struct str){ret->path.ptr + 1, ret->path.len - 1};
    }
    if (ret->path.len == 0 || (!ret->is_record && !str_equal(type, STR("sr_field")))) {
        return refuse(call, "a schemaEntity has an entityPath and the entityType sr_record or sr_field");
    }
    bool is_list = ret->tags != NULL && ret->tags->type == JSON_ARRAY;
    for (const struct json_value *v = is_list ? ret->tags->first : NULL; v != NULL; v = v->next) {
        is_list = is_list && v->type == JSON_STRING;
    }
    return is_list || refuse(call, "the tags of a schemaEntity are a list of strings");
}

// The schema whose tags change: JSON, or of Protobuf the parsed text.
struct tagged {
    enum format format;
    struct json_value *json;
    struct schema *protobuf;
};

static enum err protobuf_change(struct registry_call *call, struct schema *schema,
                                const struct entity *entity, struct error *e)
{
    struct str *tags = arena_new(call->arena, struct str, entity->tags->count + 1);
    struct schema_tags change = {
        .path = entity->path, .is_record = entity->is_record, .tags = tags, .is_removal = entity->is_removal};
    for (const struct json_value *v = tags == NULL ? NULL : entity->tags->first; v != NULL; v = v->next) {
        tags[change.tag_count++] = v->text;
    }
    return schema_tag(schema, &change, e);
}

// entity_apply: ERR_NOT_FOUND if the schema has no such place.
static enum err entity_apply(struct registry_call *call, const struct entity *entity, struct tagged *to,
                             struct error *e)
{
    if (to->format == FORMAT_PROTOBUF) {
        return protobuf_change(call, to->protobuf, entity, e);
    }
    struct search s = {call, entity->path, entity->is_record, SEARCH_STEPS_MAX};
    struct json_value *node = to->format == FORMAT_AVRO ? avro_find(&s, to->json, entity->path, true)
                                                        : json_find(&s, to->json, entity->path);
    if (node == NULL) {
        return FAIL(e, ERR_NOT_FOUND, "No matching path '" STR_FMT "' found in the schema",
                    STR_ARG(entity->path));
    }
    tags_change(call, node, entity);
    return ERR_OK;
}

static bool tags_apply(struct registry_call *call, const struct json_value *list, bool is_removal,
                       struct tagged *to)
{
    if (list != NULL && list->type != JSON_ARRAY) {
        return refuse(call, "tagsToAdd and tagsToRemove are lists");
    }
    for (const struct json_value *v = list == NULL ? NULL : list->first; v != NULL; v = v->next) {
        struct entity entity = {.is_removal = is_removal};
        struct error e = {0};
        if (!entity_read(call, v, &entity)) {
            return false;
        }
        if (entity_apply(call, &entity, to, &e) != ERR_OK) {
            call_fail(call, CODE_INVALID_SCHEMA, "%s", e.text);
            return false;
        }
    }
    return true;
}

static bool tagged_open(struct registry *r, struct registry_call *call, struct str context,
                        const struct contract *contract, struct tagged *ret)
{
    *ret = (struct tagged){.format = contract->format};
    enum err err = contract->format == FORMAT_PROTOBUF
                       ? schema_parse(r, context, contract, false, call->arena, &ret->protobuf, NULL)
                       : json_parse(contract->text, call->arena, &ret->json, NULL);
    if (err != ERR_OK) {
        call_fail(call, CODE_STORE, "The stored schema does not read.");
    }
    return err == ERR_OK;
}

static void tagged_print(const struct tagged *from, struct buf *out)
{
    if (from->format == FORMAT_PROTOBUF) {
        out->failed |= schema_print(from->protobuf, SCHEMA_CANONICAL, out, NULL) != ERR_OK;
    } else {
        json_print(from->json, false, out);
    }
}

// text_change writes the request's tags into the schema's text.
static bool text_change(struct registry *r, struct registry_call *call, struct str context,
                        const struct json_value *body, struct contract *contract)
{
    const struct json_value *add = member(body, "tagsToAdd");
    const struct json_value *remove = member(body, "tagsToRemove");
    struct tagged to;
    if (add == NULL && remove == NULL) {
        return true;
    }
    if (!tagged_open(r, call, context, contract, &to)) {
        return false;
    }
    if (!tags_apply(call, add, false, &to) || !tags_apply(call, remove, true, &to)) {
        schema_unref(to.protobuf);
        return false;
    }
    struct buf out;
    buf_init(&out, SCHEMA_TEXT_BYTES_MAX);
    tagged_print(&to, &out);
    schema_unref(to.protobuf);
    bool is_too_large = out.failed;
    contract->text = is_too_large ? (struct str){0} : arena_str(call->arena, buf_str(&out));
    buf_fini(&out);
    if (is_too_large) {
        call_fail(call, CODE_SCHEMA_TOO_LARGE, "Schema is too large: with these tags more than %d bytes.",
                  SCHEMA_TEXT_BYTES_MAX);
    }
    return contract->text.ptr != NULL;
}

// ---- metadata and rules

static struct json_value *string_new(struct registry_call *call, const char *key, struct str text)
{
    struct json_value *value = json_new(call->arena, JSON_STRING);
    if (value != NULL) {
        value->key = str_from_c(key);
        value->text = text;
    }
    return value;
}

// version_note puts the property confluent:version into the metadata.
static void version_note(struct registry_call *call, struct contract *contract, int32_t version)
{
    struct json_value *over = json_new(call->arena, JSON_OBJECT);
    struct json_value *properties = json_new(call->arena, JSON_OBJECT);
    struct json_value *value =
        string_new(call, "confluent:version", arena_printf(call->arena, "%d", version));
    if (over != NULL && properties != NULL && value != NULL) {
        properties->key = STR("properties");
        json_append(properties, value);
        json_append(over, properties);
        contract->metadata = metadata_merge(call->arena, contract->metadata, over);
    }
}

static struct json_value *rules_without(struct registry_call *call, const struct json_value *rule_set,
                                        const struct json_value *names)
{
    struct json_value *copy = json_copy(call->arena, rule_set);
    for (struct json_value *list = copy == NULL ? NULL : copy->first; list != NULL; list = list->next) {
        for (struct json_value *rule = list->first; list->type == JSON_ARRAY && rule != NULL;
             rule = rule->next) {
            if (has_tag(names, json_get_str(rule, STR("name")))) {
                member_unlink(list, rule);
            }
        }
    }
    return copy;
}

static bool rules_change(struct registry_call *call, const struct json_value *body, struct contract *contract)
{
    const struct json_value *whole = member(body, "ruleSet");
    const struct json_value *merge = member(body, "rulesToMerge");
    const struct json_value *remove = member(body, "rulesToRemove");
    if (!rule_set_check(call, whole) || !rule_set_check(call, merge)) {
        return false;
    }
    if (whole != NULL && (merge != NULL || remove != NULL)) {
        return refuse(call, "ruleSet cannot come with rulesToMerge or rulesToRemove");
    }
    if (remove != NULL && remove->type != JSON_ARRAY) {
        return refuse(call, "rulesToRemove is a list of names");
    }
    contract->rule_set = whole != NULL ? whole : contract->rule_set;
    if (merge != NULL) {
        contract->rule_set = rule_set_merge(call->arena, contract->rule_set, merge);
    }
    if (remove != NULL && contract->rule_set != NULL) {
        contract->rule_set = rules_without(call, contract->rule_set, remove);
    }
    return true;
}

static bool metadata_change(struct registry_call *call, const struct json_value *body,
                            const struct subject_entry *subject, struct contract *contract)
{
    const struct json_value *whole = member(body, "metadata");
    const struct json_value *asked = member(body, "newVersion");
    int64_t version = 0;
    if (!metadata_check(call, "metadata", whole)) {
        return false;
    }
    if (asked != NULL && (!json_value_i64(asked, &version) || version < -1 || version > INT32_MAX)) {
        return refuse(call, "newVersion is a version's number");
    }
    contract->metadata = whole != NULL ? whole : contract->metadata;
    contract->version = version > 0 ? (int32_t)version : 0;
    const struct json_value *properties =
        contract->metadata == NULL ? NULL : member(contract->metadata, "properties");
    bool has_note = properties != NULL && json_get(properties, STR("confluent:version")) != NULL;
    if (version > 0 || has_note) {
        int32_t next = (int32_t)document_number(subject->document) + 1;
        version_note(call, contract, version > 0 ? (int32_t)version : next);
    }
    return true;
}

void op_tags(struct registry *r, struct registry_call *call)
{
    struct contract contract;
    struct subject_entry *subject = NULL;
    const struct json_value *body = call_body(call);
    const struct version_entry *version = body == NULL ? NULL : version_asked(r, call, false, &subject);
    if (version == NULL) {
        return;
    }
    if (!contract_of_document(version->schema, call->arena, &contract)) {
        call_fail(call, CODE_STORE, "The stored schema %d does not read.", version->schema->id);
        return;
    }
    if (text_change(r, call, subject->context, body, &contract) &&
        metadata_change(call, body, subject, &contract) && rules_change(call, body, &contract)) {
        register_contract(r, call, subject->name, &contract);
    }
}

// ---- by metadata

static bool has_properties(struct registry_call *call, const struct json_value *metadata)
{
    struct str keys = call->query;
    struct str values = call->query;
    struct str key;
    const struct json_value *properties = metadata == NULL ? NULL : member(metadata, "properties");
    while ((key = call_query_next(call, "key", &keys)).ptr != NULL) {
        struct str value = call_query_next(call, "value", &values);
        struct str have = properties == NULL ? (struct str){0} : json_get_str(properties, key);
        if (value.ptr == NULL || have.ptr == NULL || !str_equal(have, value)) {
            return false;
        }
    }
    return true;
}

void op_by_metadata(struct registry *r, struct registry_call *call)
{
    bool with_deleted = call_query_bool(call, "deleted");
    struct subject_entry *subject = subject_asked(r, call, with_deleted);
    if (subject == NULL) {
        return;
    }
    for (uint32_t i = subject->version_count; i > 0; i--) {
        const struct version_entry *version = &subject->versions[i - 1];
        struct contract contract;
        if ((!version->is_deleted || with_deleted) &&
            contract_of_document(version->schema, call->arena, &contract) &&
            has_properties(call, contract.metadata)) {
            (void)call_answer(call);
            (void)show_version(r, call, &call->answer, subject, version);
            return;
        }
    }
    call_fail(call, CODE_SCHEMA_NOT_FOUND, "Schema not found");
}
