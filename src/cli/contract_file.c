// SPDX-License-Identifier: Apache-2.0
#include "cli/contract_file.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "core/setting.h"
#include "format/format.h"
#include "platform/real/process.h"

const char *const contract_side_names[SIDE_COUNT] = {"key", "value"};

struct reading {
    struct run *run;
    struct contract_file *file;
    const char *what;
    struct str text; // of the file
};

static bool refuse(struct reading *r, const char *where, struct str name, const char *why)
{
    struct error e = {0};
    enum err err = FAIL(&e, ERR_INVALID_REQUEST, "%s" STR_FMT ": %s", where, STR_ARG(name), why);
    run_fail(r->run, r->what, err, &e, NULL);
    return false;
}

// refuse_unknown says as well which known name is near.
static bool refuse_unknown(struct reading *r, const char *where, struct str name, const char *why,
                           const char *nearest)
{
    return refuse(r, where, name,
                  nearest == NULL ? why : run_print(r->run, "%s; did you mean %s?", why, nearest).ptr);
}

static bool text_read(struct reading *r, struct str path, size_t bytes_max, struct str *ret)
{
    struct error e = {0};
    struct buf text;
    buf_init(&text, bytes_max);
    enum err err = process_file_read(path, &text, &e);
    if (err == ERR_OK && !utf8_is_valid(buf_str(&text))) {
        err = FAIL(&e, ERR_MALFORMED, "it is not text in UTF-8");
    }
    if (err == ERR_OK) {
        *ret = arena_str(&r->run->arena, utf8_skip_mark(buf_str(&text)));
    } else {
        run_fail(r->run, run_print(r->run, "cannot read " STR_FMT, STR_ARG(path)).ptr, err, &e, NULL);
    }
    buf_fini(&text);
    return err == ERR_OK;
}

// refuse_at says where in the file the value begins, as the parser does.
static bool refuse_at(struct reading *r, const char *where, const struct json_value *value, const char *why)
{
    const char *at = r->text.ptr + value->position;
    const char *line = r->text.ptr;
    int number = 1;
    for (const char *p = line; p < at; p++) {
        if (*p == '\n') {
            number++;
            line = p + 1;
        }
    }
    struct error e = {0};
    enum err err = FAIL(&e, ERR_INVALID_REQUEST, "line %d, column %lld: %s" STR_FMT ": %s", number,
                        (long long)(at - line) + 1, where, STR_ARG(value->key), why);
    run_fail(r->run, r->what, err, &e, NULL);
    return false;
}

// type_check: what is there must be of the type; null is not there.
static bool type_check(struct reading *r, const struct json_value *object, const char *where,
                       const char *const *names, enum json_type type, const char *why)
{
    for (const char *const *name = names; *name != NULL; name++) {
        const struct json_value *value = json_get(object, str_from_c(*name));
        if (value != NULL && value->type != JSON_NULL && value->type != type) {
            return refuse_at(r, where, value, why);
        }
    }
    return true;
}

// members_check: a name that is misspelt would otherwise be a rule that is silently not there.
static bool members_check(struct reading *r, const struct json_value *object, const char *where,
                          const char *const *names)
{
    for (const struct json_value *v = object->first; v != NULL; v = v->next) {
        bool is_known = false;
        for (const char *const *name = names; *name != NULL; name++) {
            is_known = is_known || str_equal(v->key, str_from_c(*name));
        }
        if (!is_known) {
            size_t count = 0;
            while (names[count] != NULL) {
                count++;
            }
            return refuse_unknown(r, where, v->key, "there is no such member",
                                  text_nearest(v->key, names, count));
        }
    }
    return true;
}

static bool setting_add(struct reading *r, struct str key, struct str value)
{
    struct contract_file *file = r->file;
    for (uint32_t i = 0; i < file->setting_count; i++) {
        if (str_equal(file->settings[i].key, key)) {
            file->settings[i].value = value;
            return true;
        }
    }
    if (file->setting_count == CONTRACT_SETTINGS_MAX) {
        return refuse(r, "settings.", key, "more settings than a file may have");
    }
    file->settings[file->setting_count++] = (struct item_config){key, value};
    return true;
}

static bool settings_read(struct reading *r, const struct json_value *settings)
{
    struct error e = {0};
    for (const struct json_value *v = settings == NULL ? NULL : settings->first; v != NULL; v = v->next) {
        struct str value = v->text;
        if (json_is_bool(v)) {
            value = v->type == JSON_TRUE ? STR("true") : STR("false");
        } else if (v->type != JSON_STRING && v->type != JSON_NUMBER) {
            return refuse(r, "settings.", v->key, "a text, a number, true or false is needed");
        }
        const struct setting *setting = setting_find(v->key, SETTING_TOPIC);
        if (setting == NULL) {
            return refuse_unknown(r, "settings.", v->key, "a topic has no such setting",
                                  config_hint(v->key, true));
        }
        if (setting_check(setting, value, &e) != ERR_OK) {
            return refuse(r, "settings.", v->key, e.text);
        }
        if (!setting_add(r, v->key, value)) {
            return false;
        }
    }
    return true;
}

// ---- a side

static struct str beside(struct reading *r, struct str name)
{
    const char *slash = memrchr(r->file->path.ptr, '/', r->file->path.len);
    if (name.len == 0 || name.ptr[0] == '/' || slash == NULL) {
        return name;
    }
    struct str folder = {r->file->path.ptr, (size_t)(slash - r->file->path.ptr)};
    return run_print(r->run, STR_FMT "/" STR_FMT, STR_ARG(folder), STR_ARG(name));
}

static bool schema_read(struct reading *r, const struct json_value *side, const char *where, struct str *ret)
{
    const struct json_value *inside = json_get(side, STR("schema"));
    struct str name = json_get_str(side, STR("schemaFile"));
    if ((inside == NULL) == (name.ptr == NULL)) {
        return refuse(r, where, STR("schema"), "either schema or schemaFile is needed");
    }
    if (name.ptr != NULL) {
        return text_read(r, beside(r, name), SCHEMA_FILE_BYTES_MAX, ret);
    }
    *ret = inside->type == JSON_STRING ? inside->text : json_text(r->run, inside, false);
    return true;
}

static struct json_value *member(struct reading *r, struct json_value *parent, const char *key,
                                 enum json_type type)
{
    struct json_value *value = json_new(&r->run->arena, type);
    value->key = str_from_c(key);
    json_append(parent, value);
    return value;
}

static void copied(struct reading *r, struct json_value *parent, const char *key,
                   const struct json_value *from)
{
    if (from != NULL && from->type != JSON_NULL) {
        struct json_value *value = json_new(&r->run->arena, from->type);
        *value = *from;
        value->next = NULL;
        value->key = str_from_c(key);
        json_append(parent, value);
    }
}

static bool level_check(struct reading *r, const char *where, struct str level)
{
    static const char *const levels[] = {"none", "id", "structure", "contract"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (str_equal(level, str_from_c(levels[i]))) {
            return true;
        }
    }
    return refuse(r, where, STR("level"), "none, id, structure or contract is needed");
}

static bool side_types_check(struct reading *r, const struct json_value *side, const char *where)
{
    static const char *const texts[] = {"level", "subject", "schemaType", "schemaFile", NULL};
    static const char *const lists[] = {"references", NULL};
    static const char *const objects[] = {"metadata", "ruleSet", NULL};
    return type_check(r, side, where, texts, JSON_STRING, "a text is needed") &&
           type_check(r, side, where, lists, JSON_ARRAY, "a list is needed") &&
           type_check(r, side, where, objects, JSON_OBJECT, "an object is needed");
}

static bool side_read(struct reading *r, enum governance_side which, const struct json_value *side)
{
    static const char *const names[] = {"level",      "subject",  "schemaType", "schema", "schemaFile",
                                        "references", "metadata", "ruleSet",    NULL};
    struct run *run = r->run;
    struct contract_side *ret = &r->file->sides[which];
    const char *name = contract_side_names[which];
    const char *where = run_print(run, "%s.", name).ptr;
    struct str schema;
    struct str subject = json_get_str(side, STR("subject"));
    struct str type = json_get_str(side, STR("schemaType"));
    enum format format;
    if (side->type != JSON_OBJECT) {
        return refuse(r, "", str_from_c(name), "an object is needed");
    }
    if (!members_check(r, side, where, names) || !side_types_check(r, side, where) ||
        !schema_read(r, side, where, &schema)) {
        return false;
    }
    if (!format_find(type.ptr == NULL ? STR("AVRO") : type, &format)) {
        return refuse(r, where, STR("schemaType"), "AVRO, JSON or PROTOBUF is needed");
    }
    ret->is_there = true;
    ret->level = json_get_str(side, STR("level"));
    ret->level = ret->level.ptr == NULL ? STR("contract") : ret->level;
    ret->subject =
        subject.ptr != NULL ? subject : run_print(run, STR_FMT "-%s", STR_ARG(r->file->topic), name);
    struct json_value *body = json_new(&run->arena, JSON_OBJECT);
    member(r, body, "schemaType", JSON_STRING)->text = str_from_c(format_name(format));
    member(r, body, "schema", JSON_STRING)->text = schema;
    copied(r, body, "references", json_get(side, STR("references")));
    copied(r, body, "metadata", json_get(side, STR("metadata")));
    copied(r, body, "ruleSet", json_get(side, STR("ruleSet")));
    ret->body = body;
    const struct json_value *metadata = json_get(body, STR("metadata"));
    const struct json_value *rule_set = json_get(body, STR("ruleSet"));
    ret->metadata = metadata == NULL ? (struct str){NULL, 0} : json_text(run, metadata, false);
    ret->rule_set = rule_set == NULL ? (struct str){NULL, 0} : json_text(run, rule_set, false);
    return level_check(r, where, ret->level) &&
           setting_add(r, run_print(run, "strom.%s.validation.level", name), ret->level) &&
           (subject.ptr == NULL || setting_add(r, run_print(run, "strom.%s.subject", name), subject));
}

static int compare_settings(const void *a, const void *b)
{
    return str_compare(((const struct item_config *)a)->key, ((const struct item_config *)b)->key);
}

static bool root_read(struct reading *r, const struct json_value *root)
{
    static const char *const names[] = {"topic", "partitions", "settings", "key", "value", NULL};
    struct contract_file *file = r->file;
    const struct json_value *partitions = json_get(root, STR("partitions"));
    const struct json_value *settings = json_get(root, STR("settings"));
    struct error e = {0};
    if (root->type != JSON_OBJECT) {
        return refuse(r, "", file->path, "an object is needed");
    }
    if (!members_check(r, root, "", names)) {
        return false;
    }
    static const char *const texts[] = {"topic", NULL};
    if (!type_check(r, root, "", texts, JSON_STRING, "a text is needed")) {
        return false;
    }
    file->topic = json_get_str(root, STR("topic"));
    if (file->topic.len == 0) {
        return refuse(r, "", STR("topic"), "the name of a topic is needed");
    }
    if (!topic_name_is_valid(file->topic)) {
        return refuse(
            r, "", STR("topic"),
            "a topic's name is 1 to 249 of the letters a to z and A to Z, digits, '.', '_' and '-'");
    }
    if (partitions != NULL && (!json_value_i64(partitions, &file->partitions) || file->partitions < 1 ||
                               file->partitions > ITEM_PARTITIONS_MAX)) {
        return refuse(r, "", STR("partitions"), "a number of partitions is needed");
    }
    if (settings != NULL && settings->type != JSON_OBJECT) {
        return refuse(r, "", STR("settings"), "an object is needed");
    }
    if (!settings_read(r, settings)) {
        return false;
    }
    for (int side = 0; side < SIDE_COUNT; side++) {
        const struct json_value *value = json_get(root, str_from_c(contract_side_names[side]));
        if (value != NULL && !side_read(r, (enum governance_side)side, value)) {
            return false;
        }
    }
    if (!file->sides[SIDE_KEY].is_there && !file->sides[SIDE_VALUE].is_there) {
        return refuse(r, "", STR("value"), "a file without key and value governs nothing");
    }
    qsort(file->settings, file->setting_count, sizeof *file->settings, compare_settings);
    if (governance_check(file->topic, file->settings, file->setting_count, &e) != ERR_OK) {
        return refuse(r, "", STR("settings"), e.text);
    }
    return true;
}

bool contract_file_read(struct run *run, struct str path, struct contract_file *ret)
{
    struct error e = {0};
    struct str text;
    struct json_value *root = NULL;
    *ret = (struct contract_file){.path = path, .partitions = -1};
    struct reading r = {.run = run, .file = ret};
    r.what = run_print(run, "cannot use the contract " STR_FMT, STR_ARG(path)).ptr;
    ret->settings = run_room(run, CONTRACT_SETTINGS_MAX, sizeof *ret->settings);
    if (ret->settings == NULL || !text_read(&r, path, CONTRACT_FILE_BYTES_MAX, &text)) {
        return false;
    }
    enum err err = json_parse(text, &run->arena, &root, &e);
    if (err != ERR_OK) {
        run_fail(run, r.what, err, &e,
                 "a contract file is JSON; `strom contract apply --help` says what is in it");
        return false;
    }
    r.text = text;
    return root_read(&r, root);
}
