// SPDX-License-Identifier: Apache-2.0
// config_describe.c - `strom config list|describe|get`: values, where they come from, and what would count
// without.
#include "cli/config.h"

#include <stdlib.h>

#include "core/setting.h"

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
    case 8:
        return "group";
    default:
        return "unknown";
    }
}

static const struct args_flag list_flags[] = {
    CONFIG_TARGET_FLAGS("Show", "Show the broker's settings; so it is without --topic and --group."),
    {"all", ARGS_SWITCH, NULL, NULL, 0, 0, "Show defaults too, not only what somebody set."},
    {"explain", ARGS_SWITCH, NULL, NULL, 0, 0, "Say what each setting does."},
};
static const struct args_spec list_spec = {
    .command = "strom config list",
    .names_usage = "",
    .summary = "show settings of a topic, a group or the broker",
    .text = "Shows what was set. SOURCE says where: topic or group, broker (this one, while running), "
            "cluster (all of "
            "them, while running), file (configuration file, flag or environment at start), or default. "
            "WITHOUT is the "
            "value that counts if the setting is unset. With --json \"synonyms\" has every value that was "
            "set, the one "
            "that counts first.",
    .examples = "  strom config list\n"
                "  strom config list --topic orders --all\n"
                "  strom config list --broker --all --explain\n"
                "  strom config list --topic orders --all --json | jq 'map({(.name): .value}) | add'\n",
    .flags = list_flags,
    .flag_count = sizeof list_flags / sizeof *list_flags,
    .is_remote = true,
    .is_json = true,
};
static const struct args_spec describe_spec = {
    .command = "strom config describe",
    .names_usage = "",
    .summary = "the same as list",
    .text = "Kafka's word for `strom config list`.",
    .examples = "  strom config describe --topic orders --all\n",
    .flags = list_flags,
    .flag_count = sizeof list_flags / sizeof *list_flags,
    .is_remote = true,
    .is_json = true,
};

static bool is_shown(const struct run *run, const struct describe_configs_response_config *config)
{
    return args_given(run->args, "all") || config->config_source != SETTING_FROM_DEFAULT;
}

static void setting_json(struct run *run, const struct describe_configs_response_config *config,
                         bool is_explained)
{
    struct json *json = &run->json;
    json_object_begin(json);
    json_pair_str(json, "name", config->name);
    json_pair_str(json, "value", config->value);
    json_pair_str(json, "source", str_from_c(source_name(config->config_source)));
    json_pair_bool(json, "read_only", config->read_only);
    json_pair_bool(json, "sensitive", config->is_sensitive);
    json_key(json, "synonyms");
    json_array_begin(json);
    for (int32_t i = 0; i < config->synonyms_count; i++) {
        json_object_begin(json);
        json_pair_str(json, "name", config->synonyms[i].name);
        json_pair_str(json, "value", config->synonyms[i].value);
        json_pair_str(json, "source", str_from_c(source_name(config->synonyms[i].source)));
        json_object_end(json);
    }
    json_array_end(json);
    if (is_explained) {
        json_pair_str(json, "text", config->documentation);
    }
    json_object_end(json);
}

static void list_json(struct run *run, const struct describe_configs_response_result *result)
{
    json_array_begin(&run->json);
    for (int32_t i = 0; i < result->configs_count; i++) {
        if (is_shown(run, &result->configs[i])) {
            setting_json(run, &result->configs[i], args_given(run->args, "explain"));
        }
    }
    json_array_end(&run->json);
    buf_u8(&run->out, '\n');
}

// value_without is the value that counts if this one is unset; NULL where the broker does not tell, or where
// nothing is set.
static struct str value_without(const struct describe_configs_response_config *config)
{
    bool is_set = config->config_source != SETTING_FROM_DEFAULT && config->synonyms_count > 1;
    return is_set ? config->synonyms[1].value : (struct str){NULL, 0};
}

static void list_table(struct run *run, const struct describe_configs_response_result *result)
{
    static const struct table_column columns[] = {{"NAME", false},    {"VALUE", false},  {"SOURCE", false},
                                                  {"WITHOUT", false}, {"CHANGE", false}, {"WHAT", false}};
    struct table t;
    bool is_explained = args_given(run->args, "explain");
    table_init(&t, columns, is_explained ? 6 : 5);
    for (int32_t i = 0; i < result->configs_count; i++) {
        const struct describe_configs_response_config *config = &result->configs[i];
        if (!is_shown(run, config)) {
            continue;
        }
        table_str(&t, config->name);
        table_str(&t, config->is_sensitive ? STR("(secret)") : config->value);
        table_str(&t, str_from_c(source_name(config->config_source)));
        table_str(&t, value_without(config));
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

static int compare_configs(const void *a, const void *b)
{
    const struct describe_configs_response_config *left = a;
    const struct describe_configs_response_config *right = b;
    return str_compare(left->name, right->name);
}

// ask fetches the settings of a target, all of them if keys is NULL. false after saying why not.
static bool ask(struct run *run, struct config_target *target, const struct args *keys, bool is_explained,
                const struct describe_configs_response_result **ret)
{
    struct describe_configs_request request;
    struct describe_configs_response response;
    if (target->type == RESOURCE_BROKER && target->name.len == 0 && !broker_name_find(run, &target->name)) {
        return false;
    }
    wire_init(&describe_configs_request_type, &request);
    request.include_documentation = is_explained;
    request.include_synonyms = true;
    request.resources = run_array(run, describe_configs_request_resource, 1);
    request.resources_count = 1;
    request.resources->resource_type = target->type;
    request.resources->resource_name = target->name;
    request.resources->configuration_keys = keys == NULL ? NULL : run->args->names;
    request.resources->configuration_keys_count = keys == NULL ? -1 : (int32_t)keys->name_count;
    if (!run_call(run, API_DESCRIBE_CONFIGS, &request, &response)) {
        return false;
    }
    const char *what = run_print(run, "cannot show the settings of %s", target->text).ptr;
    enum err err = response.results_count == 1 ? response.results->error : ERR_UNKNOWN;
    if (err == ERR_UNKNOWN_PARTITION) {
        run_topic_unknown(run, what, target->name);
    } else if (err != ERR_OK) {
        run_refused(run, what, err, response.results_count == 1 ? response.results->error_message : STR(""),
                    NULL);
    }
    if (err == ERR_OK && response.results->configs_count > 1) {
        qsort(response.results->configs, (size_t)response.results->configs_count,
              sizeof *response.results->configs, compare_configs);
    }
    *ret = response.results;
    return err == ERR_OK;
}

static int show_run(const struct args_spec *spec, int argc, char **argv)
{
    struct run run;
    struct config_target target;
    const struct describe_configs_response_result *result;
    if (run_start(&run, spec, argc, argv) && config_target_choose(&run, &target) && run_connect(&run) &&
        ask(&run, &target, NULL, args_given(run.args, "explain"), &result)) {
        if (run.is_json) {
            list_json(&run, result);
        } else {
            list_table(&run, result);
        }
    }
    return run_finish(&run);
}

static int list_run(int argc, char **argv)
{
    return show_run(&list_spec, argc, argv);
}

static int describe_run(int argc, char **argv)
{
    return show_run(&describe_spec, argc, argv);
}

// ---- get

static const struct args_flag get_flags[] = {
    CONFIG_TARGET_FLAGS("Read", "Read the broker's settings; so it is without --topic and --group."),
};
static const struct args_spec get_spec = {
    .command = "strom config get",
    .names_usage = "KEY...",
    .summary = "print the values of settings",
    .text = "Prints the value that counts, wherever it was set: of one setting the value alone, of several "
            "KEY=VALUE lines. A setting that is not there is an error.",
    .examples = "  strom config get retention.ms --topic orders\n"
                "  strom config get log.dirs num.partitions\n"
                "  strom config get retention.ms --topic orders --json | jq -r '.[0].source'\n",
    .flags = get_flags,
    .flag_count = sizeof get_flags / sizeof *get_flags,
    .names_min = 1,
    .names_max = ARGS_NAMES_MAX,
    .words = ARGS_WORDS_TOPIC_SETTING,
    .is_remote = true,
    .is_json = true,
};

static const struct describe_configs_response_config *
config_find(const struct describe_configs_response_result *result, struct str name)
{
    for (int32_t i = 0; i < result->configs_count; i++) {
        if (str_equal(result->configs[i].name, name)) {
            return &result->configs[i];
        }
    }
    return NULL;
}

static void get(struct run *run, const struct config_target *target,
                const struct describe_configs_response_result *result)
{
    const struct args *args = run->args;
    if (run->is_json) {
        json_array_begin(&run->json);
    }
    for (size_t i = 0; i < args->name_count; i++) {
        const struct describe_configs_response_config *config = config_find(result, args->names[i]);
        if (config == NULL) {
            const char *hint = config_hint(args->names[i], target->type == RESOURCE_TOPIC);
            run_refused(run, target->text, ERR_INVALID_CONFIG,
                        run_print(run, "there is no setting " STR_FMT, STR_ARG(args->names[i])),
                        hint == NULL ? "`strom config list --all` shows them"
                                     : run_print(run, "did you mean %s?", hint).ptr);
        } else if (run->is_json) {
            setting_json(run, config, false);
        } else {
            if (args->name_count > 1) {
                text_show(config->name, &run->out);
                buf_u8(&run->out, '=');
            }
            text_show(config->value, &run->out);
            buf_u8(&run->out, '\n');
        }
    }
    if (run->is_json) {
        json_array_end(&run->json);
        buf_u8(&run->out, '\n');
    }
}

static int get_run(int argc, char **argv)
{
    struct run run;
    struct config_target target;
    const struct describe_configs_response_result *result;
    if (run_start(&run, &get_spec, argc, argv) && config_target_choose(&run, &target) && run_connect(&run) &&
        ask(&run, &target, run.args, false, &result)) {
        get(&run, &target, result);
    }
    return run_finish(&run);
}

const struct cli_command config_list_command = {.name = "list", .spec = &list_spec, .run = list_run};
const struct cli_command config_describe_command = {
    .name = "describe", .spec = &describe_spec, .run = describe_run};
const struct cli_command config_get_command = {.name = "get", .spec = &get_spec, .run = get_run};
