// SPDX-License-Identifier: Apache-2.0
// config.c - `strom config set|unset|alter`, and the same changes for `strom topic alter`; config_describe.c
// shows.
#include "cli/config.h"

#include "core/setting.h"

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

bool config_target_choose(struct run *run, struct config_target *ret)
{
    const struct args *args = run->args;
    struct str topic = args_text(args, "topic");
    struct str group = args_text(args, "group");
    bool is_broker = args_given(args, "broker");
    int given = (topic.ptr != NULL ? 1 : 0) + (group.ptr != NULL ? 1 : 0) + (is_broker ? 1 : 0);
    if (given > 1) {
        run_usage(run, "--topic, --group and --broker exclude each other");
        return false;
    }
    if (args_given(args, "id") && !is_broker) {
        run_usage(run, "--id is the id of a broker: give --broker too");
        return false;
    }
    if (topic.ptr != NULL) {
        *ret = (struct config_target){RESOURCE_TOPIC, topic,
                                      run_print(run, "topic " STR_FMT, STR_ARG(topic)).ptr};
    } else if (group.ptr != NULL) {
        *ret = (struct config_target){RESOURCE_GROUP, group,
                                      run_print(run, "group " STR_FMT, STR_ARG(group)).ptr};
    } else if (args_given(args, "id")) {
        struct str id = run_print(run, "%lld", (long long)args_int(args, "id"));
        *ret =
            (struct config_target){RESOURCE_BROKER, id, run_print(run, "broker " STR_FMT, STR_ARG(id)).ptr};
    } else {
        *ret = (struct config_target){RESOURCE_BROKER, STR(""), "the broker"};
    }
    return true;
}

static void change_refused(struct run *run, const struct config_target *target, const char *what,
                           const struct incremental_alter_configs_request_config *changes, size_t count,
                           enum err err, struct str message)
{
    const char *hint = NULL;
    for (size_t i = 0; i < count && hint == NULL && target->type != RESOURCE_GROUP; i++) {
        hint = config_hint(changes[i].name, target->type == RESOURCE_TOPIC);
    }
    if (err == ERR_UNKNOWN_PARTITION && target->type == RESOURCE_TOPIC) {
        run_topic_unknown(run, what, target->name);
    } else {
        run_refused(run, what, err, message,
                    hint == NULL ? NULL : run_print(run, "did you mean %s?", hint).ptr);
    }
}

bool config_change(struct run *run, const struct config_target *target,
                   struct incremental_alter_configs_request_config *changes, size_t count, bool is_trial,
                   const char *what)
{
    struct incremental_alter_configs_request request;
    struct incremental_alter_configs_response response;
    wire_init(&incremental_alter_configs_request_type, &request);
    request.resources = run_array(run, incremental_alter_configs_request_resource, 1);
    request.resources_count = 1;
    request.validate_only = is_trial;
    request.resources->resource_type = target->type;
    request.resources->resource_name = target->name;
    request.resources->configs = changes;
    request.resources->configs_count = (int32_t)count;
    if (!run_call(run, API_INCREMENTAL_ALTER_CONFIGS, &request, &response)) {
        return false;
    }
    enum err err = response.responses_count == 1 ? response.responses->error : ERR_UNKNOWN;
    if (err != ERR_OK) {
        change_refused(run, target, what, changes, count, err,
                       response.responses_count == 1 ? response.responses->error_message : STR(""));
    }
    return err == ERR_OK;
}

static bool changes_add(struct run *run, const char *flag, int8_t operation,
                        struct incremental_alter_configs_request_config *changes, size_t *count)
{
    struct str text;
    for (size_t i = 0; args_list(run->args, flag, i, &text); i++) {
        struct incremental_alter_configs_request_config *config = &changes[(*count)++];
        config->config_operation = operation;
        config->name = text;
        config->value = (struct str){NULL, 0};
        if (operation != CONFIG_DELETE && !pair_split(text, &config->name, &config->value)) {
            run_usage(run, "--%s wants key=value, not \"" STR_FMT "\"", flag, STR_ARG(text));
            return false;
        }
    }
    return true;
}

bool config_alter_topic(struct run *run, struct str topic, const char *what, size_t *ret_count)
{
    struct incremental_alter_configs_request_config *changes =
        run_array(run, incremental_alter_configs_request_config, ARGS_VALUES_MAX);
    const struct config_target target = {RESOURCE_TOPIC, topic, "the topic"};
    *ret_count = 0;
    return changes_add(run, "config", CONFIG_SET, changes, ret_count) &&
           changes_add(run, "delete-config", CONFIG_DELETE, changes, ret_count) &&
           (*ret_count == 0 || config_change(run, &target, changes, *ret_count, false, what));
}

// ---- the verbs

static bool target_is_given(struct run *run)
{
    bool is_given =
        args_given(run->args, "topic") || args_given(run->args, "group") || args_given(run->args, "broker");
    if (!is_given) {
        run_usage(run, "whose settings? give --topic NAME or --broker");
    }
    return is_given;
}

static void change(struct run *run, struct incremental_alter_configs_request_config *changes, size_t count)
{
    struct config_target target;
    if (!config_target_choose(run, &target)) {
        return;
    }
    const char *what = run_print(run, "cannot change the settings of %s", target.text).ptr;
    if (!run_connect(run) || !config_change(run, &target, changes, count, false, what)) {
        return;
    }
    if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_str(&run->json, "resource",
                      target.type == RESOURCE_TOPIC   ? STR("topic")
                      : target.type == RESOURCE_GROUP ? STR("group")
                                                      : STR("broker"));
        json_pair_str(&run->json, "name", target.name);
        json_pair_i64(&run->json, "configs_changed", (int64_t)count);
        json_object_end(&run->json);
        buf_u8(&run->out, '\n');
    } else {
        buf_printf(&run->out, "Changed %zu setting%s of ", count, count == 1 ? "" : "s");
        text_show(str_from_c(target.text), &run->out);
        buf_printf(&run->out, ".\n");
    }
}

static const struct args_flag alter_flags[] = {
    CONFIG_TARGET_FLAGS("Change", "Change the broker's settings: those of the whole cluster, without --id."),
    {"config", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "Set a setting.", ARGS_WORDS_TOPIC_SETTING},
    {"delete-config", ARGS_LIST, "KEY", NULL, 0, 0, "Go back to what counts without it."},
    {"append-config", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "Add a value to a setting that is a list."},
    {"subtract-config", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "Take a value out of a setting that is a list."},
};
static const struct args_spec alter_spec = {
    .command = "strom config alter",
    .names_usage = "",
    .summary = "set, unset, append to and subtract from settings at once",
    .text = "Changes settings while the broker runs, all of them or none. What is not named stays. Settings "
            "that are "
            "read at start only (`strom config list --broker --all` marks them) are refused: give them to "
            "`strom serve "
            "--set`.",
    .examples = "  strom config alter --topic orders --config retention.ms=604800000\n"
                "  strom config alter --topic orders --append-config cleanup.policy=compact\n"
                "  strom config alter --broker --delete-config log.retention.ms\n",
    .flags = alter_flags,
    .flag_count = sizeof alter_flags / sizeof *alter_flags,
    .is_remote = true,
    .is_json = true,
};

static int alter_run(int argc, char **argv)
{
    struct run run;
    size_t count = 0;
    if (run_start(&run, &alter_spec, argc, argv) && target_is_given(&run)) {
        struct incremental_alter_configs_request_config *changes =
            run_array(&run, incremental_alter_configs_request_config, ARGS_VALUES_MAX);
        bool is_good = changes_add(&run, "config", CONFIG_SET, changes, &count) &&
                       changes_add(&run, "delete-config", CONFIG_DELETE, changes, &count) &&
                       changes_add(&run, "append-config", CONFIG_APPEND, changes, &count) &&
                       changes_add(&run, "subtract-config", CONFIG_SUBTRACT, changes, &count);
        if (is_good && count == 0) {
            run_usage(&run, "nothing to change: give --config or --delete-config");
        } else if (is_good) {
            change(&run, changes, count);
        }
    }
    return run_finish(&run);
}

static const struct args_flag set_flags[] = {
    CONFIG_TARGET_FLAGS("Change", "Change the broker's settings: those of the whole cluster, without --id."),
};
static const struct args_spec set_spec = {
    .command = "strom config set",
    .names_usage = "KEY=VALUE...",
    .summary = "set settings of a topic, a group or the broker",
    .text = "Sets settings while the broker runs, all of them or none; see `strom config alter` for lists.",
    .examples = "  strom config set --topic orders retention.ms=604800000 segment.ms=3600000\n"
                "  strom config set --broker log.retention.ms=86400000\n",
    .flags = set_flags,
    .flag_count = sizeof set_flags / sizeof *set_flags,
    .names_min = 1,
    .names_max = ARGS_NAMES_MAX,
    .words = ARGS_WORDS_TOPIC_SETTING,
    .is_remote = true,
    .is_json = true,
};
static const struct args_spec unset_spec = {
    .command = "strom config unset",
    .names_usage = "KEY...",
    .summary = "go back to what counts where settings are not set",
    .text = "Takes back what was set: the topic goes back to the broker's value, the broker to that of its "
            "start or to "
            "the default. `strom config get KEY` tells what counts then.",
    .examples = "  strom config unset --topic orders retention.ms\n"
                "  strom config unset --broker log.retention.ms\n",
    .flags = set_flags,
    .flag_count = sizeof set_flags / sizeof *set_flags,
    .names_min = 1,
    .names_max = ARGS_NAMES_MAX,
    .words = ARGS_WORDS_TOPIC_SETTING,
    .is_remote = true,
    .is_json = true,
};

// names_change changes what the names say: KEY=VALUE, or KEY.
static void names_change(struct run *run, int8_t operation)
{
    struct incremental_alter_configs_request_config *changes =
        run_array(run, incremental_alter_configs_request_config, ARGS_NAMES_MAX);
    if (!target_is_given(run)) {
        return;
    }
    for (size_t i = 0; i < run->args->name_count; i++) {
        struct str text = run->args->names[i];
        changes[i].config_operation = operation;
        changes[i].name = text;
        changes[i].value = (struct str){NULL, 0};
        if (operation == CONFIG_SET && !pair_split(text, &changes[i].name, &changes[i].value)) {
            run_usage(run, "KEY=VALUE is wanted, not \"" STR_FMT "\"", STR_ARG(text));
            return;
        }
    }
    change(run, changes, run->args->name_count);
}

static int set_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &set_spec, argc, argv)) {
        names_change(&run, CONFIG_SET);
    }
    return run_finish(&run);
}

static int unset_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &unset_spec, argc, argv)) {
        names_change(&run, CONFIG_DELETE);
    }
    return run_finish(&run);
}

static const struct cli_command set_command = {.name = "set", .spec = &set_spec, .run = set_run};
static const struct cli_command unset_command = {.name = "unset", .spec = &unset_spec, .run = unset_run};
static const struct cli_command alter_command = {.name = "alter", .spec = &alter_spec, .run = alter_run};
static const struct cli_command *const verbs[] = {
    &config_list_command, &config_get_command,      &set_command, &unset_command,
    &alter_command,       &config_describe_command, NULL};
const struct cli_command config_command = {
    .name = "config", .summary = "show and change settings of topics, groups and the broker", .verbs = verbs};
