// SPDX-License-Identifier: Apache-2.0
// config.c - `strom config describe|alter`, and the same changes for `strom topic alter`.
#include "cli/cli_private.h"

#include "core/setting.h"

enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4, OP_SET = 0, OP_DELETE = 1, OP_APPEND = 2, OP_SUBTRACT = 3 };

const char *config_hint(struct str name, bool is_topic)
{
    const char *nearest = NULL;
    size_t nearest_edits = SIZE_MAX;
    for (uint32_t i = 0; i < setting_count(); i++) {
        const struct setting *setting = setting_at(i);
        size_t edits;
        if ((setting->scope == SETTING_TOPIC) != is_topic) {
            continue;
        }
        if (str_equal(str_from_c(setting->name), name)) {
            return NULL;
        }
        if (text_is_near(name, str_from_c(setting->name), &edits) && edits < nearest_edits) {
            nearest = setting->name;
            nearest_edits = edits;
        }
    }
    return nearest;
}

static const char *source_name(int8_t source)
{
    switch (source) {
    case 1:
        return "topic";
    case 2:
        return "broker";
    case 3:
        return "cluster";
    case 4:
        return "file";
    case 5:
        return "default";
    default:
        return "unknown";
    }
}

// The resource that --topic or --broker names; a broker's name is its id.
static bool resource_choose(struct run *run, int8_t *ret_type, struct str *ret_name)
{
    struct str topic = args_text(run->args, "topic");
    if (topic.ptr != NULL && args_given(run->args, "broker")) {
        run_usage(run, "--topic and --broker exclude each other");
        return false;
    }
    *ret_type = topic.ptr != NULL ? RESOURCE_TOPIC : RESOURCE_BROKER;
    *ret_name = topic.ptr != NULL ? topic : STR("");
    return true;
}

static const char *resource_text(struct run *run, int8_t type, struct str name)
{
    return type == RESOURCE_TOPIC ? run_print(run, "topic " STR_FMT, STR_ARG(name)).ptr : "the broker";
}

// ---- alter

struct change_list {
    struct incremental_alter_configs_request_config *configs;
    size_t count;
};

static bool changes_add(struct run *run, const char *flag, int8_t operation, struct change_list *list)
{
    struct str text;
    for (size_t i = 0; args_list(run->args, flag, i, &text); i++) {
        struct incremental_alter_configs_request_config *config = &list->configs[list->count++];
        config->config_operation = operation;
        config->name = text;
        config->value = (struct str){NULL, 0};
        if (operation != OP_DELETE && !pair_split(text, &config->name, &config->value)) {
            run_usage(run, "--%s wants key=value, not \"" STR_FMT "\"", flag, STR_ARG(text));
            return false;
        }
    }
    return true;
}

static void alter_refused(struct run *run, bool is_topic, struct str resource, const char *what,
                          const struct change_list *list, enum err err, struct str message)
{
    const char *hint = NULL;
    for (size_t i = 0; i < list->count && hint == NULL; i++) {
        hint = config_hint(list->configs[i].name, is_topic);
    }
    if (err == ERR_UNKNOWN_PARTITION && is_topic) {
        run_topic_unknown(run, what, resource);
    } else {
        run_refused(run, what, err, message,
                    hint == NULL ? NULL : run_print(run, "did you mean %s?", hint).ptr);
    }
}

bool config_alter(struct run *run, int8_t resource_type, struct str resource, const char *what,
                  size_t *ret_count)
{
    struct change_list list = {run_array(run, incremental_alter_configs_request_config, ARGS_VALUES_MAX), 0};
    bool is_own_command = run->args->spec->names_max == 0; // `strom config alter` has more flags
    if (!changes_add(run, "config", OP_SET, &list) || !changes_add(run, "delete-config", OP_DELETE, &list) ||
        (is_own_command && (!changes_add(run, "append-config", OP_APPEND, &list) ||
                            !changes_add(run, "subtract-config", OP_SUBTRACT, &list)))) {
        return false;
    }
    *ret_count = list.count;
    if (list.count == 0) {
        return true;
    }
    struct incremental_alter_configs_request request;
    struct incremental_alter_configs_response response;
    wire_init(&incremental_alter_configs_request_type, &request);
    request.resources = run_array(run, incremental_alter_configs_request_resource, 1);
    request.resources_count = 1;
    request.resources->resource_type = resource_type;
    request.resources->resource_name = resource;
    request.resources->configs = list.configs;
    request.resources->configs_count = (int32_t)list.count;
    if (!run_call(run, API_INCREMENTAL_ALTER_CONFIGS, &request, &response)) {
        return false;
    }
    enum err err = response.responses_count == 1 ? response.responses->error : ERR_UNKNOWN;
    if (err != ERR_OK) {
        alter_refused(run, resource_type == RESOURCE_TOPIC, resource, what, &list, err,
                      response.responses_count == 1 ? response.responses->error_message : STR(""));
    }
    return err == ERR_OK;
}

static const struct args_flag alter_flags[] = {
    {"topic", ARGS_TEXT, "NAME", NULL, 0, 0, "Change this topic's settings.", ARGS_WORDS_TOPIC},
    {"broker", ARGS_SWITCH, NULL, NULL, 0, 0, "Change the broker's settings (those of the whole cluster)."},
    {"config", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "Set a setting.", ARGS_WORDS_TOPIC_SETTING},
    {"delete-config", ARGS_LIST, "KEY", NULL, 0, 0, "Go back to what counts without it."},
    {"append-config", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "Add a value to a setting that is a list."},
    {"subtract-config", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "Take a value out of a setting that is a list."},
};
static const struct args_spec alter_spec = {
    .command = "strom config alter",
    .names_usage = "",
    .summary = "change settings of a topic or of the broker",
    .text =
        "Changes settings while the broker runs. What is not named stays. Settings that are read at start "
        "only (`strom config describe --broker --all` marks them) are refused: give them to `strom serve "
        "--set`.",
    .examples = "  strom config alter --topic orders --config retention.ms=604800000\n"
                "  strom config alter --topic orders --append-config cleanup.policy=compact\n"
                "  strom config alter --broker --delete-config log.retention.ms\n",
    .flags = alter_flags,
    .flag_count = sizeof alter_flags / sizeof *alter_flags,
    .is_remote = true,
    .is_json = true,
};

static void alter(struct run *run)
{
    int8_t type;
    struct str name;
    size_t count = 0;
    if (!resource_choose(run, &type, &name)) {
        return;
    }
    if (type == RESOURCE_BROKER && !args_given(run->args, "broker")) {
        run_usage(run, "whose settings? give --topic NAME or --broker");
        return;
    }
    if (!args_given(run->args, "config") && !args_given(run->args, "delete-config") &&
        !args_given(run->args, "append-config") && !args_given(run->args, "subtract-config")) {
        run_usage(run, "nothing to change: give --config or --delete-config");
        return;
    }
    const char *who = resource_text(run, type, name);
    const char *what = run_print(run, "cannot change the settings of %s", who).ptr;
    if (!run_connect(run) || !config_alter(run, type, name, what, &count)) {
        return;
    }
    if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_str(&run->json, "resource", type == RESOURCE_TOPIC ? STR("topic") : STR("broker"));
        json_pair_str(&run->json, "name", name);
        json_pair_i64(&run->json, "configs_changed", (int64_t)count);
        json_object_end(&run->json);
        buf_u8(&run->out, '\n');
    } else {
        buf_printf(&run->out, "Changed %zu setting%s of %s.\n", count, count == 1 ? "" : "s", who);
    }
}

static int alter_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &alter_spec, argc, argv)) {
        alter(&run);
    }
    return run_finish(&run);
}

// ---- describe

static const struct args_flag describe_flags[] = {
    {"topic", ARGS_TEXT, "NAME", NULL, 0, 0, "Show this topic's settings.", ARGS_WORDS_TOPIC},
    {"broker", ARGS_SWITCH, NULL, NULL, 0, 0, "Show the broker's settings; so it is without --topic."},
    {"all", ARGS_SWITCH, NULL, NULL, 0, 0, "Show defaults too, not only what somebody set."},
    {"explain", ARGS_SWITCH, NULL, NULL, 0, 0, "Say what each setting does."},
};
static const struct args_spec describe_spec = {
    .command = "strom config describe",
    .names_usage = "",
    .summary = "show settings of a topic or of the broker",
    .text = "Shows what was set. SOURCE says where: topic, broker or cluster (changed while running), file "
            "(configuration "
            "(configuration file, flag or environment at start), or default.",
    .examples = "  strom config describe\n"
                "  strom config describe --topic orders --all\n"
                "  strom config describe --broker --all --explain\n",
    .flags = describe_flags,
    .flag_count = sizeof describe_flags / sizeof *describe_flags,
    .is_remote = true,
    .is_json = true,
};

static bool is_shown(const struct run *run, const struct describe_configs_response_config *config)
{
    return args_given(run->args, "all") || config->config_source != SETTING_FROM_DEFAULT;
}

static void describe_json(struct run *run, const struct describe_configs_response_result *result)
{
    json_array_begin(&run->json);
    for (int32_t i = 0; i < result->configs_count; i++) {
        const struct describe_configs_response_config *config = &result->configs[i];
        if (!is_shown(run, config)) {
            continue;
        }
        json_object_begin(&run->json);
        json_pair_str(&run->json, "name", config->name);
        json_pair_str(&run->json, "value", config->value);
        json_pair_str(&run->json, "source", str_from_c(source_name(config->config_source)));
        json_pair_bool(&run->json, "read_only", config->read_only);
        json_pair_bool(&run->json, "sensitive", config->is_sensitive);
        if (args_given(run->args, "explain")) {
            json_pair_str(&run->json, "text", config->documentation);
        }
        json_object_end(&run->json);
    }
    json_array_end(&run->json);
    buf_u8(&run->out, '\n');
}

static void describe_table(struct run *run, const struct describe_configs_response_result *result)
{
    static const struct table_column columns[] = {
        {"NAME", false}, {"VALUE", false}, {"SOURCE", false}, {"CHANGE", false}, {"WHAT", false}};
    struct table t;
    bool is_explained = args_given(run->args, "explain");
    table_init(&t, columns, is_explained ? 5 : 4);
    for (int32_t i = 0; i < result->configs_count; i++) {
        const struct describe_configs_response_config *config = &result->configs[i];
        if (!is_shown(run, config)) {
            continue;
        }
        table_str(&t, config->name);
        table_str(&t, config->is_sensitive ? STR("(secret)") : config->value);
        table_str(&t, str_from_c(source_name(config->config_source)));
        table_str(&t, config->read_only ? STR("at start") : STR("any time"));
        if (is_explained) {
            table_str(&t, config->documentation);
        }
    }
    if (t.cell_count > 0) {
        table_print(&t, &run->out);
    } else {
        run_note("Nothing is set; --all shows the defaults.");
    }
    table_fini(&t);
}

// A broker is asked under its own id; under "" it would tell the cluster-wide changes only.
static bool broker_name_find(struct run *run, struct str *ret_name)
{
    struct metadata_request request;
    struct metadata_response response;
    wire_init(&metadata_request_type, &request);
    request.topics_count = 0; // none
    if (!run_call(run, API_METADATA, &request, &response)) {
        return false;
    }
    *ret_name = response.brokers_count > 0 ? run_print(run, "%d", response.brokers[0].node_id) : STR("");
    return true;
}

static void describe(struct run *run)
{
    int8_t type;
    struct str name;
    if (!resource_choose(run, &type, &name) || !run_connect(run) ||
        (type == RESOURCE_BROKER && !broker_name_find(run, &name))) {
        return;
    }
    struct describe_configs_request request;
    struct describe_configs_response response;
    wire_init(&describe_configs_request_type, &request);
    request.include_documentation = args_given(run->args, "explain");
    request.resources = run_array(run, describe_configs_request_resource, 1);
    request.resources_count = 1;
    request.resources->resource_type = type;
    request.resources->resource_name = name;
    request.resources->configuration_keys_count = -1;
    if (!run_call(run, API_DESCRIBE_CONFIGS, &request, &response)) {
        return;
    }
    const char *what = run_print(run, "cannot show the settings of %s", resource_text(run, type, name)).ptr;
    enum err err = response.results_count == 1 ? response.results->error : ERR_UNKNOWN;
    if (err == ERR_UNKNOWN_PARTITION) {
        run_topic_unknown(run, what, name);
    } else if (err != ERR_OK) {
        run_refused(run, what, err, response.results_count == 1 ? response.results->error_message : STR(""),
                    NULL);
    } else if (run->is_json) {
        describe_json(run, response.results);
    } else {
        describe_table(run, response.results);
    }
}

static int describe_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &describe_spec, argc, argv)) {
        describe(&run);
    }
    return run_finish(&run);
}

static const struct cli_command describe_command = {
    .name = "describe", .spec = &describe_spec, .run = describe_run};
static const struct cli_command alter_command = {.name = "alter", .spec = &alter_spec, .run = alter_run};
static const struct cli_command *const verbs[] = {&describe_command, &alter_command, NULL};
const struct cli_command config_command = {
    .name = "config", .summary = "show and change settings of topics and of the broker", .verbs = verbs};
