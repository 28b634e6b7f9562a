// SPDX-License-Identifier: Apache-2.0
// contract.c - `strom contract`: list and get; test, apply, diff, status and violations have files of their
// own.
#include "cli/contract_formats.h"
#include "cli/contract_report.h"
#include "core/setting.h"

// What a topic's settings say of contracts, in the order of the table.
static const char *const keys[] = {
    "strom.value.validation.level",
    "strom.key.validation.level",
    "strom.validation.on.failure",
    "strom.validation.dlq.topic",
    "strom.value.subject",
    "strom.key.subject",
    "confluent.value.schema.validation",
    "confluent.key.schema.validation",
    "confluent.value.subject.name.strategy",
    "confluent.key.subject.name.strategy",
    "strom.value.null",
    "strom.value.schema.version.min",
    "strom.key.schema.version.min",
};
enum { KEY_COUNT = sizeof keys / sizeof *keys };
enum key_place { VALUE_LEVEL, KEY_LEVEL, ON_FAILURE, DLQ_TOPIC, VALUE_SUBJECT, KEY_SUBJECT };

struct governed {
    struct str topic;
    struct item_config configs[KEY_COUNT];
    uint32_t config_count;
    struct governance governance;
    enum err err; // what the broker said
};

// governed_read asks for the settings of topics; those that are not governed have no level.
static bool governed_read(struct run *run, const struct str *topics, size_t count, struct governed *ret)
{
    struct describe_configs_request request;
    struct describe_configs_response response;
    struct str *names = run_room(run, KEY_COUNT, sizeof *names);
    wire_init(&describe_configs_request_type, &request);
    request.resources = run_array(run, describe_configs_request_resource, count);
    request.resources_count = (int32_t)count;
    for (size_t k = 0; names != NULL && k < KEY_COUNT; k++) {
        names[k] = str_from_c(keys[k]);
    }
    for (size_t i = 0; i < count; i++) {
        request.resources[i].resource_type = 2;
        request.resources[i].resource_name = topics[i];
        request.resources[i].configuration_keys = names;
        request.resources[i].configuration_keys_count = KEY_COUNT;
    }
    if (names == NULL || !run_call(run, API_DESCRIBE_CONFIGS, &request, &response)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        ret[i].topic = topics[i];
    }
    for (int32_t r = 0; r < response.results_count && (size_t)r < count; r++) {
        const struct describe_configs_response_result *result = &response.results[r];
        ret[r].err = result->error;
        for (int32_t c = 0; c < result->configs_count && ret[r].config_count < KEY_COUNT; c++) {
            bool is_set = result->configs[c].config_source != SETTING_FROM_DEFAULT;
            if (is_set && result->configs[c].value.ptr != NULL) {
                ret[r].configs[ret[r].config_count++] =
                    (struct item_config){result->configs[c].name, result->configs[c].value};
            }
        }
        (void)governance_resolve(ret[r].configs, ret[r].config_count, &ret[r].governance);
    }
    return true;
}

static const char *level_name(enum governance_level level)
{
    static const char *const names[] = {"none", "id", "structure", "contract"};
    return names[level];
}

static const char *action_name(enum governance_action action)
{
    static const char *const names[] = {"reject", "dlq", "mark", "observe"};
    return names[action];
}

// ---- list

static const struct args_spec list_spec = {
    .command = "strom contract list",
    .names_usage = "",
    .summary = "list the topics that contracts govern",
    .text = "KEY and VALUE say how far a record is checked: id (a registered schema), structure (and it fits "
            "it), contract (and "
            "its rules hold).",
    .examples = "  strom contract list\n  strom contract list --json | jq -r '.[].topic'\n",
    .is_remote = true,
    .is_json = true,
};

static void governed_json(struct run *run, const struct governed *g)
{
    char room[GOVERNANCE_NAME_SIZE];
    bool has_dlq = g->governance.action == ACTION_DLQ || g->governance.dlq_topic.len > 0;
    json_object_begin(&run->json);
    json_pair_str(&run->json, "topic", g->topic);
    json_pair_str(&run->json, "key", str_from_c(level_name(g->governance.sides[SIDE_KEY].level)));
    json_pair_str(&run->json, "value", str_from_c(level_name(g->governance.sides[SIDE_VALUE].level)));
    json_pair_str(&run->json, "on_failure", str_from_c(action_name(g->governance.action)));
    json_pair_str(&run->json, "dead_letters",
                  has_dlq ? governance_dlq_topic(&g->governance, g->topic, room) : (struct str){NULL, 0});
    json_object_end(&run->json);
}

static void governed_row(struct table *t, const struct governed *g)
{
    char room[GOVERNANCE_NAME_SIZE];
    bool has_dlq = g->governance.action == ACTION_DLQ || g->governance.dlq_topic.len > 0;
    table_str(t, g->topic);
    table_str(t, str_from_c(level_name(g->governance.sides[SIDE_KEY].level)));
    table_str(t, str_from_c(level_name(g->governance.sides[SIDE_VALUE].level)));
    table_str(t, str_from_c(action_name(g->governance.action)));
    table_str(t, has_dlq ? governance_dlq_topic(&g->governance, g->topic, room) : (struct str){NULL, 0});
}

static void list_print(struct run *run, const struct governed *all, size_t count)
{
    static const struct table_column columns[] = {{"TOPIC", false},
                                                  {"KEY", false},
                                                  {"VALUE", false},
                                                  {"ON FAILURE", false},
                                                  {"DEAD LETTERS IN", false}};
    struct table t;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    if (run->is_json) {
        json_array_begin(&run->json);
    }
    for (size_t i = 0; i < count; i++) {
        bool is_governed = all[i].governance.sides[SIDE_KEY].level != LEVEL_NONE ||
                           all[i].governance.sides[SIDE_VALUE].level != LEVEL_NONE;
        if (is_governed && run->is_json) {
            governed_json(run, &all[i]);
        } else if (is_governed) {
            governed_row(&t, &all[i]);
        }
    }
    if (run->is_json) {
        json_array_end(&run->json);
        buf_u8(&run->out, '\n');
    } else if (t.cell_count == 0) {
        run_note("No topic is governed. `strom contract apply FILE` puts one under a contract.");
    } else {
        table_print(&t, &run->out);
    }
    table_fini(&t);
}

static int list_run(int argc, char **argv)
{
    struct run run;
    struct metadata_response found;
    if (run_start(&run, &list_spec, argc, argv) && run_connect(&run) &&
        run_topics(&run, NULL, 0, false, &found)) {
        size_t count = (size_t)found.topics_count;
        struct str *names = run_room(&run, count, sizeof *names);
        struct governed *all = run_room(&run, count, sizeof *all);
        for (size_t i = 0; names != NULL && i < count; i++) {
            names[i] = found.topics[i].name;
        }
        if (names != NULL && all != NULL && governed_read(&run, names, count, all)) {
            list_print(&run, all, count);
        }
    }
    return run_finish(&run);
}

// ---- get

static const struct args_flag get_flags[] = {SCHEMA_REGISTRY_FLAG};
static const struct args_spec get_spec = {
    .command = "strom contract get",
    .names_usage = "TOPIC",
    .summary = "print the contract of a topic as a file",
    .text = "Prints what governs the topic in the form that `strom contract apply` takes: its settings, and "
            "the latest schemas of "
            "its subjects with their metadata and rules.",
    .examples = "  strom contract get orders > orders.contract.json\n",
    .flags = get_flags,
    .flag_count = sizeof get_flags / sizeof *get_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_TOPIC,
    .is_remote = true,
};

// associated_find: the subject that the topic's association names, one of this cluster's before others, as
// the broker has it; NULL ptr if there is none.
static bool associated_find(struct registry_client *c, struct str topic, enum governance_side which,
                            struct str *ret)
{
    struct run *run = c->run;
    struct metadata_response found;
    struct json_value *list = NULL;
    int status = 0;
    bool is_ours = false;
    struct str path = path_of(run, "/associations/resources/-/%S?resourceType=topic&associationType=%s",
                              topic, contract_side_names[which]);
    *ret = (struct str){NULL, 0};
    if (!run_topics(run, &topic, 1, false, &found) ||
        !registry_ask(c, "GET", path, (struct str){NULL, 0}, &status, &list)) {
        return false;
    }
    bool is_known = status < 300 && list != NULL && list->type == JSON_ARRAY; // older registries have none
    for (const struct json_value *v = is_known ? list->first : NULL; v != NULL && !is_ours; v = v->next) {
        is_ours = str_equal(json_get_str(v, STR("resourceNamespace")), found.cluster_id);
        *ret = ret->ptr == NULL || is_ours ? json_get_str(v, STR("subject")) : *ret;
    }
    return true;
}

static bool side_get(struct registry_client *c, const struct governed *g, enum governance_side which,
                     struct json_value *root)
{
    static const char *const members[] = {"schemaType", "references", "metadata", "ruleSet"};
    struct run *run = c->run;
    const struct side_settings *side = &g->governance.sides[which];
    char room[GOVERNANCE_SUBJECT_SIZE];
    struct json_value *found = NULL;
    if (side->level == LEVEL_NONE) {
        return true;
    }
    struct str subject = side->subject;
    if (subject.len == 0 && !associated_find(c, g->topic, which, &subject)) {
        return false;
    }
    bool is_named = subject.len > 0;
    if (!is_named && side->strategy != SUBJECT_TOPIC) {
        struct error e = {0};
        run_fail(run, run_print(run, "cannot get the contract of " STR_FMT, STR_ARG(g->topic)).ptr,
                 FAIL(&e, ERR_INVALID_REQUEST, "each record names the subject of its %s: a file has one",
                      contract_side_names[which]),
                 &e, "`strom config describe` shows its settings, `strom schema get` a subject's contract");
        return false;
    }
    if (!is_named) {
        subject = governance_subject(side, which, g->topic, (struct str){NULL, 0}, room);
    }
    if (!registry_get(c, "cannot get the schema", "GET",
                      path_of(run, "/subjects/%S/versions/latest", subject), (struct str){NULL, 0}, &found)) {
        return false;
    }
    struct json_value *out = json_with(&run->arena, root, contract_side_names[which], JSON_OBJECT);
    json_put_text(&run->arena, out, "level", str_from_c(level_name(side->level)));
    if (is_named) {
        json_put_text(&run->arena, out, "subject", subject);
    }
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const struct json_value *value = json_get(found, str_from_c(members[i]));
        if (value != NULL) {
            struct json_value *copy = json_new(&run->arena, value->type);
            *copy = *value;
            copy->next = NULL;
            json_append(out, copy);
        }
    }
    struct str type = json_get_str(found, STR("schemaType"));
    struct str text = json_get_str(found, STR("schema"));
    struct json_value *schema = NULL;
    bool is_json =
        !str_equal(type, STR("PROTOBUF")) && json_parse(text, &run->arena, &schema, NULL) == ERR_OK;
    if (is_json && schema->type != JSON_STRING) {
        schema->key = STR("schema");
        json_append(out, schema);
    } else {
        json_put_text(&run->arena, out, "schema", text);
    }
    return true;
}

bool contract_of_topic(struct registry_client *c, struct str topic, struct json_value **ret)
{
    struct run *run = c->run;
    struct governed g = {0};
    struct json_value *root = json_new(&run->arena, JSON_OBJECT);
    struct error e = {0};
    if (!governed_read(run, &topic, 1, &g)) {
        return false;
    }
    if (g.err != ERR_OK) {
        run_topic_error(run, run_print(run, "cannot get the contract of " STR_FMT, STR_ARG(topic)).ptr, topic,
                        g.err);
        return false;
    }
    if (g.governance.sides[SIDE_KEY].level == LEVEL_NONE &&
        g.governance.sides[SIDE_VALUE].level == LEVEL_NONE) {
        run_fail(run, run_print(run, "cannot get the contract of " STR_FMT, STR_ARG(g.topic)).ptr,
                 FAIL(&e, ERR_NOT_FOUND, "no contract governs that topic"), &e,
                 "`strom contract list` shows those that are");
        return false;
    }
    json_put_text(&run->arena, root, "topic", g.topic);
    struct json_value *settings = json_with(&run->arena, root, "settings", JSON_OBJECT);
    for (uint32_t i = 0; i < g.config_count; i++) {
        bool is_side = false;
        static const enum key_place sides[] = {VALUE_LEVEL, KEY_LEVEL, VALUE_SUBJECT, KEY_SUBJECT};
        for (size_t k = 0; k < sizeof sides / sizeof *sides; k++) {
            is_side = is_side || str_equal(g.configs[i].key, str_from_c(keys[sides[k]]));
        }
        if (!is_side && g.configs[i].value.len > 0 && !str_equal(g.configs[i].value, STR("false"))) {
            struct json_value *value = json_new(&run->arena, JSON_STRING);
            value->key = g.configs[i].key;
            value->text = g.configs[i].value;
            json_append(settings, value);
        }
    }
    *ret = root;
    return side_get(c, &g, SIDE_VALUE, root) && side_get(c, &g, SIDE_KEY, root);
}

static void remark_note(struct run *run, struct str text)
{
    (void)run;
    run_note(STR_FMT, STR_ARG(text));
}

// remarks_note says on standard error what the contract means for its rules; another's registry does not
// know.
static void remarks_note(struct registry_client *c, struct str topic)
{
    int status = 0;
    struct json_value *found = NULL;
    struct str path = path_of(c->run, "/contracts/topics/%S", topic);
    if (registry_ask(c, "GET", path, (struct str){NULL, 0}, &status, &found) && status < 300) {
        contract_remarks_each(found, remark_note, c->run);
    }
}

static int get_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    struct json_value *contract = NULL;
    if (run_start(&run, &get_spec, argc, argv) && run_connect(&run) && registry_open(&run, &c) &&
        contract_of_topic(&c, run.args->names[0], &contract)) {
        buf_append_str(&run.out, json_text(&run, contract, true));
        buf_u8(&run.out, '\n');
        (void)run_flush(&run);
        remarks_note(&c, run.args->names[0]);
    }
    registry_close(&c);
    return run_finish(&run);
}

static const struct cli_command list_command = {.name = "list", .spec = &list_spec, .run = list_run};
static const struct cli_command get_command = {.name = "get", .spec = &get_spec, .run = get_run};
static const struct cli_command *const contract_verbs[] = {
    &contract_apply_command,
    &contract_diff_command,
    &contract_test_command,
    &get_command,
    &list_command,
    &contract_status_command,
    &contract_violations_command,
    &contract_export_command,
    &contract_import_command,
    NULL,
};
const struct cli_command contract_command = {
    .name = "contract", .summary = "data contracts: what may enter a topic", .verbs = contract_verbs};
