// SPDX-License-Identifier: Apache-2.0
// contract_apply.c - `strom contract apply` and `diff`: what a contract file would change of topic, registry
// and settings, what it would refuse of what the topic holds, and then the change.
#include "cli/config.h"
#include "cli/contract_report.h"

#define APPLY_FLAGS                                                                                          \
    SCHEMA_REGISTRY_FLAG, TRIAL_TOPIC_FLAGS,                                                                 \
        {"all", ARGS_SWITCH, NULL, NULL, 0, 0, "Judge every record that the topic holds, however many."},    \
    {                                                                                                        \
        "no-history", ARGS_SWITCH, NULL, NULL, 0, 0, "Do not try what the topic holds."                      \
    }

static const struct args_flag apply_flags[] = {APPLY_FLAGS, RUN_YES_FLAG};
static const struct args_flag diff_flags[] = {APPLY_FLAGS};
static const struct args_spec apply_spec = {
    .command = "strom contract apply",
    .names_usage = "FILE",
    .summary = "put a topic under the contract of a file",
    .text = "FILE is JSON: \"topic\", \"partitions\", \"settings\", and for \"value\" and \"key\" the schema "
            "(\"schemaType\", "
            "\"schema\" or \"schemaFile\", \"references\"), its \"metadata\", \"ruleSet\" and \"level\". "
            "Shows what will change "
            "and how many of the records that the topic holds the contract would refuse; at a terminal it "
            "asks. Of a topic with more than a million records a million are judged, drawn from all over it, "
            "and the share of all is stated within bounds; --all judges every one. Then it "
            "creates the topic if it is not there, registers the schemas, and switches governing on. What is "
            "in place already is "
            "left alone: applying a file twice changes nothing.",
    .examples = "  strom contract apply orders.contract.json\n"
                "  strom contract apply orders.contract.json --yes --no-history\n",
    .flags = apply_flags,
    .flag_count = sizeof apply_flags / sizeof *apply_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_FILE,
    .is_remote = true,
    .is_json = true,
};
static const struct args_spec diff_spec = {
    .command = "strom contract diff",
    .names_usage = "FILE",
    .summary = "show what apply would change",
    .text =
        "Shows what `strom contract apply FILE` would change, and changes nothing. Exits with 1 if there "
        "is something. Of a topic with more than a million records a million are judged, as `apply` does.",
    .examples = "  strom contract diff orders.contract.json\n"
                "  strom contract diff orders.contract.json --all\n",
    .flags = diff_flags,
    .flag_count = sizeof diff_flags / sizeof *diff_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_FILE,
    .is_remote = true,
    .is_json = true,
};

static const char *const history_flags[] = {"all", "sample", "limit", "no-history"};

enum { DONE_BYTES_MAX = 4096 };

struct setting_change {
    struct str key;
    struct str from; // NULL ptr: not known
    struct str to;
};

struct apply {
    struct run *run;
    struct contract_file file;
    struct registry_client registry;
    const char *what;
    bool is_there;      // the topic
    int64_t partitions; // that it has
    bool is_growing;    // and needs more
    struct setting_change *changes;
    size_t change_count;
    struct str version[SIDE_COUNT]; // registered already; empty: a new one
    struct trial trial;
    bool has_tried;
    struct buf done; // what was changed, for when the rest fails
};

// ---- the plan

static bool settings_plan(struct apply *a)
{
    struct run *run = a->run;
    struct describe_configs_request request;
    struct describe_configs_request_resource resource;
    struct describe_configs_response response = {0};
    a->changes = run_room(run, a->file.setting_count, sizeof *a->changes);
    if (a->changes == NULL) {
        return false;
    }
    wire_init(&describe_configs_request_type, &request);
    wire_init(&describe_configs_request_resource_type, &resource);
    resource.resource_type = RESOURCE_TOPIC;
    resource.resource_name = a->file.topic;
    resource.configuration_keys_count = -1;
    request.resources = &resource;
    request.resources_count = 1;
    if (a->is_there && !run_call(run, API_DESCRIBE_CONFIGS, &request, &response)) {
        return false;
    }
    for (uint32_t i = 0; i < a->file.setting_count; i++) {
        const struct item_config *wanted = &a->file.settings[i];
        struct str from = {NULL, 0};
        for (int32_t k = 0; response.results_count == 1 && k < response.results->configs_count; k++) {
            const struct describe_configs_response_config *have = &response.results->configs[k];
            from = str_equal(have->name, wanted->key) ? have->value : from;
        }
        if (!str_equal(from, wanted->value) || from.ptr == NULL) {
            a->changes[a->change_count++] = (struct setting_change){wanted->key, from, wanted->value};
        }
    }
    return true;
}

// schema_plan looks the schema up; one that is not there yet must be compatible.
static bool schema_plan(struct apply *a, enum governance_side which)
{
    struct run *run = a->run;
    const struct contract_side *side = &a->file.sides[which];
    struct str body = json_text(run, side->body, false);
    struct json_value *found = NULL;
    struct buf text;
    int status = 0;
    int64_t version = 0;
    if (!registry_ask(&a->registry, "POST", path_of(run, "/subjects/%S", side->subject), body, &status,
                      &found)) {
        return false;
    }
    if (status < 300 && json_value_i64(json_get(found, STR("version")), &version)) {
        a->version[which] = run_print(run, "%lld", (long long)version);
        return true;
    }
    if (!registry_get(&a->registry, "cannot check the schema", "POST",
                      path_of(run, "/compatibility/subjects/%S/versions?verbose=true", side->subject), body,
                      &found)) {
        return false;
    }
    if (verdict_is_good(found)) {
        return true;
    }
    buf_init(&text, WEB_ANSWER_BYTES_MAX);
    verdict_explain(found, a->file.path, side->subject, (struct str){0}, &text);
    for (struct str rest = buf_str(&text); rest.len > 0;) {
        struct str line = str_cut(rest, '\n', &rest);
        run_note(STR_FMT, STR_ARG(line));
    }
    buf_fini(&text);
    run->exit = CLI_ERROR;
    return false;
}

// ---- the change: first what governs nothing yet, at last the settings that switch it on

// topic_create: a trial says whether the topic could be, with its settings.
static bool topic_create(struct apply *a, bool is_trial)
{
    struct run *run = a->run;
    struct create_topics_request request;
    struct create_topics_response response;
    wire_init(&create_topics_request_type, &request);
    request.timeout_ms = (int32_t)args_int(run->args, "timeout-ms");
    request.topics = run_array(run, create_topics_request_topic, 1);
    request.topics_count = 1;
    request.topics->name = a->file.topic;
    request.topics->num_partitions = (int32_t)a->file.partitions;
    request.topics->replication_factor = -1;
    request.validate_only = is_trial;
    request.topics->configs = run_array(run, create_topics_request_config, CONTRACT_SETTINGS_MAX);
    request.topics->configs_count = is_trial ? (int32_t)a->change_count : 0;
    for (size_t i = 0; is_trial && i < a->change_count; i++) {
        request.topics->configs[i].name = a->changes[i].key;
        request.topics->configs[i].value = a->changes[i].to;
    }
    if (!run_call(run, API_CREATE_TOPICS, &request, &response)) {
        return false;
    }
    enum err err = response.topics_count == 1 ? response.topics->error : ERR_UNKNOWN;
    if (err != ERR_OK) {
        run_refused(run, a->what, err,
                    response.topics_count == 1 ? response.topics->error_message : (struct str){NULL, 0},
                    NULL);
    }
    return err == ERR_OK;
}

static bool schema_register(struct apply *a, const struct contract_side *side)
{
    struct json_value *found = NULL;
    return registry_get(&a->registry,
                        run_print(a->run, "cannot register " STR_FMT, STR_ARG(side->subject)).ptr, "POST",
                        path_of(a->run, "/subjects/%S/versions", side->subject),
                        json_text(a->run, side->body, false), &found);
}

static bool topic_grow(struct apply *a, bool is_trial)
{
    struct run *run = a->run;
    struct create_partitions_request request;
    struct create_partitions_response response;
    wire_init(&create_partitions_request_type, &request);
    request.timeout_ms = (int32_t)args_int(run->args, "timeout-ms");
    request.validate_only = is_trial;
    request.topics = run_array(run, create_partitions_request_topic, 1);
    request.topics_count = 1;
    request.topics->name = a->file.topic;
    request.topics->count = (int32_t)a->file.partitions;
    request.topics->assignments_count = -1;
    if (!run_call(run, API_CREATE_PARTITIONS, &request, &response)) {
        return false;
    }
    enum err err = response.results_count == 1 ? response.results->error : ERR_UNKNOWN;
    if (err != ERR_OK) {
        run_refused(run, a->what, err,
                    response.results_count == 1 ? response.results->error_message : (struct str){NULL, 0},
                    NULL);
    }
    return err == ERR_OK;
}

static bool settings_set(struct apply *a, bool is_trial)
{
    const struct config_target target = {RESOURCE_TOPIC, a->file.topic, "the topic"};
    struct incremental_alter_configs_request_config *changes =
        run_array(a->run, incremental_alter_configs_request_config, CONTRACT_SETTINGS_MAX);
    for (size_t i = 0; i < a->change_count; i++) {
        changes[i].config_operation = CONFIG_SET;
        changes[i].name = a->changes[i].key;
        changes[i].value = a->changes[i].to;
    }
    return a->change_count == 0 ||
           config_change(a->run, &target, changes, a->change_count, is_trial, a->what);
}

// change_try asks the broker whether it would take the change: what can be refused is refused before anything
// is changed.
static bool change_try(struct apply *a)
{
    if (!a->is_there) {
        return topic_create(a, true);
    }
    return (!a->is_growing || topic_grow(a, true)) && settings_set(a, true);
}

static bool steps_take(struct apply *a)
{
    if (!a->is_there) {
        if (!topic_create(a, false)) {
            return false;
        }
        buf_printf(&a->done, "topic " STR_FMT " was created", STR_ARG(a->file.topic));
    }
    if (a->is_growing) {
        if (!topic_grow(a, false)) {
            return false;
        }
        buf_printf(&a->done, "topic " STR_FMT " has %lld partitions now", STR_ARG(a->file.topic),
                   (long long)a->file.partitions);
    }
    for (int side = 0; side < SIDE_COUNT; side++) {
        const struct contract_side *s = &a->file.sides[side];
        if (!s->is_there || a->version[side].len > 0) {
            continue;
        }
        if (!schema_register(a, s)) {
            return false;
        }
        buf_printf(&a->done, "%sa version of " STR_FMT " was registered", a->done.len > 0 ? ", " : "",
                   STR_ARG(s->subject));
    }
    return settings_set(a, false);
}

static bool change(struct apply *a)
{
    buf_init(&a->done, DONE_BYTES_MAX);
    bool is_done = steps_take(a);
    if (!is_done && a->done.len > 0) {
        run_note("strom: before that, " STR_FMT
                 "; the topic is not governed by this contract. Apply the file "
                 "again to go on.",
                 STR_ARG(buf_str(&a->done)));
    }
    buf_fini(&a->done);
    return is_done;
}

// ---- the plan, as a whole

// partitions_plan: a topic grows if the file wants more, and never shrinks.
static bool partitions_plan(struct apply *a, const struct metadata_response_topic *topic)
{
    struct error e = {0};
    a->partitions = topic->partitions_count;
    a->is_growing = a->file.partitions > a->partitions;
    if (a->file.partitions < 0 || a->file.partitions >= a->partitions) {
        return true;
    }
    run_fail(a->run, a->what,
             FAIL(&e, ERR_INVALID_PARTITIONS,
                  "partitions: the topic has %lld, the file says %lld; a topic can only grow",
                  (long long)a->partitions, (long long)a->file.partitions),
             &e, NULL);
    return false;
}

// history_sample is how many records of the topic are drawn, if it has more; 0: every one counts.
static int64_t history_sample(const struct args *args)
{
    if (args_given(args, "sample")) {
        return args_int(args, "sample");
    }
    return args_given(args, "all") || args_given(args, "limit") ? 0 : TRIAL_EXACT_MAX;
}

static bool plan(struct apply *a)
{
    struct run *run = a->run;
    struct metadata_response found;
    if (!run_topics(run, &a->file.topic, 1, false, &found)) {
        return false;
    }
    a->is_there = found.topics_count == 1 && found.topics->error == ERR_OK;
    if ((a->is_there && !partitions_plan(a, found.topics)) || !settings_plan(a)) {
        return false;
    }
    for (int side = 0; side < SIDE_COUNT; side++) {
        if (a->file.sides[side].is_there && !schema_plan(a, (enum governance_side)side)) {
            return false;
        }
    }
    if (!trial_init(&a->trial, run, &a->file, &a->registry) || !change_try(a)) {
        return false;
    }
    a->trial.sample = history_sample(run->args);
    a->has_tried = a->is_there && !args_given(run->args, "no-history");
    return !a->has_tried || trial_topic(&a->trial, a->file.topic);
}

static bool has_changes(const struct apply *a)
{
    bool has_new = false;
    for (int side = 0; side < SIDE_COUNT; side++) {
        has_new = has_new || (a->file.sides[side].is_there && a->version[side].len == 0);
    }
    return has_new || !a->is_there || a->is_growing || a->change_count > 0;
}

static void plan_text(const struct apply *a)
{
    struct buf *out = &a->run->out;
    if (!a->is_there) {
        buf_printf(out, "+ topic " STR_FMT "\n", STR_ARG(a->file.topic));
    }
    if (a->is_growing) {
        buf_printf(out, "~ partitions: %lld -> %lld; keys may go to other partitions than before\n",
                   (long long)a->partitions, (long long)a->file.partitions);
    }
    for (int s = 0; s < SIDE_COUNT; s++) {
        const struct contract_side *side = &a->file.sides[s];
        if (side->is_there && a->version[s].len == 0) {
            buf_printf(out, "+ ");
            text_show(side->subject, out);
            buf_printf(out, ": a new version\n");
        } else if (side->is_there) {
            buf_printf(out, "  " STR_FMT ": version " STR_FMT ", as it is\n", STR_ARG(side->subject),
                       STR_ARG(a->version[s]));
        }
    }
    for (size_t i = 0; i < a->change_count; i++) {
        const struct setting_change *change = &a->changes[i];
        buf_printf(out, "%s " STR_FMT ": ", a->is_there ? "~" : "+", STR_ARG(change->key));
        if (change->from.ptr != NULL && a->is_there) {
            buf_printf(out, STR_FMT " -> ", STR_ARG(change->from.len > 0 ? change->from : STR("(not set)")));
        }
        buf_printf(out, STR_FMT "\n", STR_ARG(change->to));
    }
    trial_remarks_text(&a->trial, out);
    if (!has_changes(a)) {
        buf_printf(out, "Everything is in place; nothing to change.\n");
    }
    if (a->has_tried) {
        buf_printf(out, "\nWhat " STR_FMT " holds, under this contract: ", STR_ARG(a->file.topic));
        trial_report_text(&a->trial, out);
    }
    if (a->trial.is_sample) {
        buf_printf(out, "\n--all judges every record.\n");
    }
}

static void plan_json(struct apply *a, bool is_done)
{
    struct json *json = &a->run->json;
    json_object_begin(json);
    json_pair_str(json, "topic", a->file.topic);
    json_pair_bool(json, "changes", has_changes(a));
    json_pair_bool(json, "applied", is_done);
    json_pair_bool(json, "topic_created", !a->is_there);
    if (a->is_growing) {
        json_pair_i64(json, "partitions_from", a->partitions);
        json_pair_i64(json, "partitions_to", a->file.partitions);
    }
    json_key(json, "settings");
    json_array_begin(json);
    for (size_t i = 0; i < a->change_count; i++) {
        json_object_begin(json);
        json_pair_str(json, "name", a->changes[i].key);
        json_pair_str(json, "from", a->is_there ? a->changes[i].from : (struct str){NULL, 0});
        json_pair_str(json, "to", a->changes[i].to);
        json_object_end(json);
    }
    json_array_end(json);
    trial_remarks_json(&a->trial, json);
    if (a->has_tried) {
        json_key(json, "history");
        trial_report_json(&a->trial, json);
    }
    json_object_end(json);
    buf_u8(&a->run->out, '\n');
}

// ---- the verbs

static bool is_agreed(struct apply *a)
{
    struct run *run = a->run;
    if (!run->is_json) {
        plan_text(a);
    }
    return has_changes(a) &&
           run_confirm(run,
                       run_print(run, "Put " STR_FMT " under this contract?", STR_ARG(a->file.topic)).ptr);
}

static void apply(struct apply *a)
{
    struct run *run = a->run;
    bool is_done = is_agreed(a) && change(a);
    if (run->exit != CLI_OK) {
        return;
    }
    if (run->is_json) {
        plan_json(a, is_done);
    } else if (is_done) {
        buf_printf(&run->out, "\n" STR_FMT " is governed by this contract.\n", STR_ARG(a->file.topic));
    }
}

static void diff(struct apply *a)
{
    if (a->run->is_json) {
        plan_json(a, false);
    } else {
        plan_text(a);
    }
    a->run->exit = has_changes(a) ? CLI_ERROR : a->run->exit;
}

static bool flags_check(struct run *run)
{
    int given = 0;
    for (size_t i = 0; i < sizeof history_flags / sizeof *history_flags; i++) {
        given += args_given(run->args, history_flags[i]) ? 1 : 0;
    }
    if (given > 1) {
        run_usage(run, "--all, --sample, --limit and --no-history exclude each other");
    }
    return given <= 1;
}

static int run_verb(const struct args_spec *spec, void (*verb)(struct apply *a), int argc, char **argv)
{
    struct run run;
    struct apply a = {.run = &run};
    if (run_start(&run, spec, argc, argv) && flags_check(&run) &&
        contract_file_read(&run, run.args->names[0], &a.file)) {
        a.what = run_print(&run, "cannot apply " STR_FMT, STR_ARG(a.file.path)).ptr;
        if (registry_open(&run, &a.registry) && run_connect(&run) && plan(&a)) {
            verb(&a);
        }
    }
    trial_fini(&a.trial);
    registry_close(&a.registry);
    return run_finish(&run);
}

static int apply_run(int argc, char **argv)
{
    return run_verb(&apply_spec, apply, argc, argv);
}

static int diff_run(int argc, char **argv)
{
    return run_verb(&diff_spec, diff, argc, argv);
}

const struct cli_command contract_apply_command = {.name = "apply", .spec = &apply_spec, .run = apply_run};
const struct cli_command contract_diff_command = {.name = "diff", .spec = &diff_spec, .run = diff_run};
