// SPDX-License-Identifier: Apache-2.0
// topic.c - `strom topic create|list|alter|delete`; describe and trim have files of their own.
#include "cli/cli_private.h"

bool config_pair(struct run *run, struct str text, struct str *ret_key, struct str *ret_value)
{
    if (pair_split(text, ret_key, ret_value)) {
        return true;
    }
    run_usage(run, "--config wants key=value, not \"" STR_FMT "\"", STR_ARG(text));
    return false;
}

static void print_line_end(struct run *run)
{
    buf_u8(&run->out, '\n');
}

// ---- create

static const struct args_flag create_flags[] = {
    {"partitions", ARGS_INT, "N", NULL, 1, 200000,
     "How many partitions. Without it: the broker's num.partitions."},
    {"replication-factor", ARGS_INT, "N", NULL, 1, 32767,
     "How many copies. Without it: the broker's default."},
    {"config", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "A topic setting, as in retention.ms=86400000.",
     ARGS_WORDS_TOPIC_SETTING},
    {"if-not-exists", ARGS_SWITCH, NULL, NULL, 0, 0, "A topic of that name is no error; it stays as it is."},
    {"validate-only", ARGS_SWITCH, NULL, NULL, 0, 0, "Check everything, create nothing."},
};
static const struct args_spec create_spec = {
    .command = "strom topic create",
    .names_usage = "NAME",
    .summary = "create a topic",
    .text = "Creates a topic. Its name has 1 to 249 letters, digits, \".\", \"_\" or \"-\".\n\n"
            "`strom config describe --topic NAME --all` lists the settings that --config takes.",
    .examples = "  strom topic create orders --partitions 6\n"
                "  strom topic create audit --config cleanup.policy=compact --if-not-exists\n"
                "  strom topic create hot --config retention.ms=3600000 --config segment.ms=600000\n",
    .flags = create_flags,
    .flag_count = sizeof create_flags / sizeof *create_flags,
    .names_min = 1,
    .names_max = 1,
    .is_remote = true,
    .is_json = true,
};

static bool create_fill(struct run *run, struct create_topics_request *request)
{
    struct str text;
    size_t count = 0;
    wire_init(&create_topics_request_type, request);
    struct create_topics_request_topic *topic = run_array(run, create_topics_request_topic, 1);
    request->topics = topic;
    request->topics_count = 1;
    request->timeout_ms = (int32_t)args_int(run->args, "timeout-ms");
    request->validate_only = args_given(run->args, "validate-only");
    topic->name = run->args->names[0];
    topic->num_partitions =
        args_given(run->args, "partitions") ? (int32_t)args_int(run->args, "partitions") : -1;
    topic->replication_factor =
        (int16_t)(args_given(run->args, "replication-factor") ? args_int(run->args, "replication-factor")
                                                              : -1);
    topic->configs = run_array(run, create_topics_request_config, ARGS_VALUES_MAX);
    while (args_list(run->args, "config", count, &text)) {
        if (!config_pair(run, text, &topic->configs[count].name, &topic->configs[count].value)) {
            return false;
        }
        count++;
    }
    topic->configs_count = (int32_t)count;
    return true;
}

// The first setting that the table does not have is what the broker refused, if it refused a setting.
static const char *create_hint(struct run *run, const struct create_topics_request_topic *topic, enum err err)
{
    if (err == ERR_TOPIC_EXISTS) {
        return "--if-not-exists lets this pass; `strom topic alter` changes a topic";
    }
    if (err == ERR_INVALID_TOPIC) {
        return "a topic name has 1 to 249 letters, digits, \".\", \"_\" or \"-\"";
    }
    for (int32_t i = 0; err == ERR_INVALID_CONFIG && i < topic->configs_count; i++) {
        const char *hint = config_hint(topic->configs[i].name, true);
        if (hint != NULL) {
            return run_print(run, "did you mean %s?", hint).ptr;
        }
    }
    return err == ERR_INVALID_CONFIG ? "`strom config describe --topic NAME --all` lists what a topic has"
                                     : NULL;
}

static void create_print(struct run *run, const struct create_topics_response_topic *topic, bool is_created)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(topic->topic_id, id);
    if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_str(&run->json, "topic", run->args->names[0]);
        json_pair_bool(&run->json, "created", is_created);
        if (is_created) {
            json_pair_str(&run->json, "id", str_from_c(id));
            json_pair_i64(&run->json, "partitions", topic->num_partitions);
            json_pair_i64(&run->json, "replication_factor", topic->replication_factor);
        }
        json_object_end(&run->json);
        print_line_end(run);
        return;
    }
    buf_printf(&run->out, is_created ? "Created topic " : "There is a topic ");
    text_show(run->args->names[0], &run->out);
    if (is_created && topic->num_partitions > 0) {
        buf_printf(&run->out, " with %d partition%s", topic->num_partitions,
                   topic->num_partitions == 1 ? "" : "s");
    }
    buf_printf(&run->out, is_created ? ".\n" : " already; nothing changed.\n");
}

static void create(struct run *run)
{
    struct create_topics_request request;
    struct create_topics_response response;
    if (!create_fill(run, &request) || !run_connect(run) ||
        !run_call(run, API_CREATE_TOPICS, &request, &response)) {
        return;
    }
    const char *what = run_print(run, "cannot create topic " STR_FMT, STR_ARG(run->args->names[0])).ptr;
    if (response.topics_count != 1) {
        run_refused(run, what, ERR_UNKNOWN, STR("the answer lacks the topic"), NULL);
        return;
    }
    enum err err = response.topics->error;
    bool is_known = err == ERR_TOPIC_EXISTS && args_given(run->args, "if-not-exists");
    if (err == ERR_OK || is_known) {
        create_print(run, response.topics, err == ERR_OK && !request.validate_only);
    } else {
        run_refused(run, what, err, response.topics->error_message, create_hint(run, request.topics, err));
    }
}

static int create_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &create_spec, argc, argv)) {
        create(&run);
    }
    return run_finish(&run);
}

// ---- list

static const struct args_flag list_flags[] = {
    {"internal", ARGS_SWITCH, NULL, NULL, 0, 0, "Show the topics too that the broker keeps for itself."},
};
static const struct args_spec list_spec = {
    .command = "strom topic list",
    .names_usage = "[PATTERN...]",
    .summary = "list the topics",
    .text =
        "Lists the topics by name; those that are called like a pattern, with * for any text and ? for one "
        "character, if there is one. `strom topic describe` has their offsets and settings.",
    .examples =
        "  strom topic list\n  strom topic list 'orders-*'\n  strom topic list --json | jq -r '.[].topic'\n",
    .flags = list_flags,
    .flag_count = sizeof list_flags / sizeof *list_flags,
    .names_max = ARGS_NAMES_MAX,
    .is_remote = true,
    .is_json = true,
};

// A name that is no pattern may be that of no topic.
static bool is_listed(const struct run *run, const struct metadata_response_topic *topic)
{
    return topic->error == ERR_OK && (!topic->is_internal || args_given(run->args, "internal"));
}

static void list_json(struct run *run, const struct metadata_response *all)
{
    json_array_begin(&run->json);
    for (int32_t i = 0; i < all->topics_count; i++) {
        const struct metadata_response_topic *topic = &all->topics[i];
        if (!is_listed(run, topic)) {
            continue;
        }
        char id[UUID_TEXT_SIZE];
        uuid_format(topic->topic_id, id);
        json_object_begin(&run->json);
        json_pair_str(&run->json, "topic", topic->name);
        json_pair_str(&run->json, "id", str_from_c(id));
        json_pair_i64(&run->json, "partitions", topic->partitions_count);
        json_pair_i64(&run->json, "replication_factor",
                      topic->partitions_count == 0 ? 0 : topic->partitions[0].replica_nodes_count);
        json_pair_bool(&run->json, "internal", topic->is_internal);
        json_object_end(&run->json);
    }
    json_array_end(&run->json);
    print_line_end(run);
}

static void list_table(struct run *run, const struct metadata_response *all)
{
    static const struct table_column columns[] = {
        {"TOPIC", false}, {"PARTITIONS", true}, {"REPLICATION", true}, {"ID", false}};
    struct table t;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (int32_t i = 0; i < all->topics_count; i++) {
        const struct metadata_response_topic *topic = &all->topics[i];
        if (!is_listed(run, topic)) {
            continue;
        }
        char id[UUID_TEXT_SIZE];
        uuid_format(topic->topic_id, id);
        table_str(&t, topic->name);
        table_i64(&t, topic->partitions_count);
        table_i64(&t, topic->partitions_count == 0 ? 0 : topic->partitions[0].replica_nodes_count);
        table_str(&t, str_from_c(id));
    }
    if (t.cell_count > 0) {
        table_print(&t, &run->out);
    } else {
        run_note(run->args->name_count > 0 ? "No topic is called so."
                                           : "There are no topics. `strom topic create NAME` makes one.");
    }
    table_fini(&t);
}

static int list_run(int argc, char **argv)
{
    struct run run;
    struct metadata_response all;
    if (run_start(&run, &list_spec, argc, argv) && run_connect(&run) &&
        run_topics_matching(&run, run.args->names, run.args->name_count, &all)) {
        if (run.is_json) {
            list_json(&run, &all);
        } else {
            list_table(&run, &all);
        }
    }
    return run_finish(&run);
}

// ---- alter

static const struct args_flag alter_flags[] = {
    {"config", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "Set a topic setting.", ARGS_WORDS_TOPIC_SETTING},
    {"delete-config", ARGS_LIST, "KEY", NULL, 0, 0, "Go back to the broker's value for a setting.",
     ARGS_WORDS_TOPIC_SETTING},
    {"partitions", ARGS_INT, "N", NULL, 1, 200000,
     "Grow to this many partitions. It cannot shrink, and keyed records may go to other partitions than "
     "before."},
};
static const struct args_spec alter_spec = {
    .command = "strom topic alter",
    .names_usage = "NAME",
    .summary = "change settings or the number of partitions",
    .text = "Sets and deletes settings of a topic and lets it grow. Settings that are not named stay.",
    .examples = "  strom topic alter orders --config retention.ms=604800000\n"
                "  strom topic alter orders --delete-config retention.ms\n"
                "  strom topic alter orders --partitions 12\n",
    .flags = alter_flags,
    .flag_count = sizeof alter_flags / sizeof *alter_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_TOPIC,
    .is_remote = true,
    .is_json = true,
};

static bool partitions_grow(struct run *run, struct str topic, const char *what)
{
    struct create_partitions_request request;
    struct create_partitions_response response;
    wire_init(&create_partitions_request_type, &request);
    request.topics = run_array(run, create_partitions_request_topic, 1);
    request.topics_count = 1;
    request.topics->name = topic;
    request.topics->count = (int32_t)args_int(run->args, "partitions");
    request.topics->assignments_count = -1;
    request.timeout_ms = (int32_t)args_int(run->args, "timeout-ms");
    if (!run_call(run, API_CREATE_PARTITIONS, &request, &response)) {
        return false;
    }
    enum err err = response.results_count == 1 ? response.results->error : ERR_UNKNOWN;
    if (err == ERR_UNKNOWN_PARTITION) {
        run_topic_unknown(run, what, topic);
    } else if (err != ERR_OK) {
        run_refused(run, what, err, response.results_count == 1 ? response.results->error_message : STR(""),
                    err == ERR_INVALID_PARTITIONS ? "a topic can only grow; see `strom topic describe`"
                                                  : NULL);
    }
    return err == ERR_OK;
}

static void alter(struct run *run)
{
    struct str topic = run->args->names[0];
    const char *what = run_print(run, "cannot change topic " STR_FMT, STR_ARG(topic)).ptr;
    bool is_growing = args_given(run->args, "partitions");
    if (!is_growing && !args_given(run->args, "config") && !args_given(run->args, "delete-config")) {
        run_usage(run, "nothing to change: give --config, --delete-config or --partitions");
        return;
    }
    size_t config_count = 0;
    if (!run_connect(run) || !config_alter_topic(run, topic, what, &config_count) ||
        (is_growing && !partitions_grow(run, topic, what))) {
        return;
    }
    if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_str(&run->json, "topic", topic);
        json_pair_i64(&run->json, "configs_changed", (int64_t)config_count);
        if (is_growing) {
            json_pair_i64(&run->json, "partitions", args_int(run->args, "partitions"));
        }
        json_object_end(&run->json);
        print_line_end(run);
        return;
    }
    buf_printf(&run->out, "Changed topic ");
    text_show(topic, &run->out);
    buf_printf(&run->out, ".\n");
}

static int alter_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &alter_spec, argc, argv)) {
        alter(&run);
    }
    return run_finish(&run);
}

// ---- delete

static const struct args_flag delete_flags[] = {
    {"if-exists", ARGS_SWITCH, NULL, NULL, 0, 0, "A topic that is not there is no error."},
    RUN_YES_FLAG,
};
static const struct args_spec delete_spec = {
    .command = "strom topic delete",
    .names_usage = "NAME...",
    .summary = "delete topics and all their records",
    .text = "Deletes topics and all that is in them. There is no way back; at a terminal it asks first.",
    .examples = "  strom topic delete orders\n  strom topic delete tmp-1 tmp-2 --if-exists\n",
    .flags = delete_flags,
    .flag_count = sizeof delete_flags / sizeof *delete_flags,
    .names_min = 1,
    .names_max = ARGS_NAMES_MAX,
    .words = ARGS_WORDS_TOPIC,
    .is_remote = true,
    .is_json = true,
};

static void delete_print(struct run *run, const struct delete_topics_response *response)
{
    bool may_miss = args_given(run->args, "if-exists");
    if (run->is_json) {
        json_array_begin(&run->json);
    }
    for (int32_t i = 0; i < response->topics_count; i++) {
        const struct delete_topics_response_topic *topic = &response->topics[i];
        bool is_missing = topic->error == ERR_UNKNOWN_PARTITION && may_miss;
        if (topic->error != ERR_OK && !is_missing) {
            continue;
        }
        if (run->is_json) {
            json_object_begin(&run->json);
            json_pair_str(&run->json, "topic", topic->name);
            json_pair_bool(&run->json, "deleted", !is_missing);
            json_object_end(&run->json);
        } else {
            buf_printf(&run->out, is_missing ? "There is no topic " : "Deleted topic ");
            text_show(topic->name, &run->out);
            buf_printf(&run->out, ".\n");
        }
    }
    if (run->is_json) {
        json_array_end(&run->json);
        print_line_end(run);
    }
    for (int32_t i = 0; i < response->topics_count; i++) {
        const struct delete_topics_response_topic *topic = &response->topics[i];
        const char *what = run_print(run, "cannot delete topic " STR_FMT, STR_ARG(topic->name)).ptr;
        if (topic->error == ERR_UNKNOWN_PARTITION && !may_miss) {
            run_topic_unknown(run, what, topic->name);
        } else if (topic->error != ERR_OK && topic->error != ERR_UNKNOWN_PARTITION) {
            run_refused(run, what, topic->error, topic->error_message, NULL);
        }
    }
}

static bool delete_confirm(struct run *run)
{
    size_t count = run->args->name_count;
    struct str first = run->args->names[0];
    return run_confirm(
        run, count == 1 ? run_print(run, "Delete topic " STR_FMT " and all its records?", STR_ARG(first)).ptr
                        : run_print(run, "Delete %zu topics and all their records?", count).ptr);
}

static int delete_run(int argc, char **argv)
{
    struct run run;
    struct delete_topics_request request;
    struct delete_topics_response response;
    if (run_start(&run, &delete_spec, argc, argv) && delete_confirm(&run) && run_connect(&run)) {
        wire_init(&delete_topics_request_type, &request);
        request.timeout_ms = (int32_t)args_int(run.args, "timeout-ms");
        request.topics_count = request.topic_names_count = (int32_t)run.args->name_count;
        request.topics = run_array(&run, delete_topics_request_topic, run.args->name_count);
        request.topic_names = run.args->names;
        for (size_t i = 0; i < run.args->name_count; i++) {
            request.topics[i].name = run.args->names[i];
        }
        if (run_call(&run, API_DELETE_TOPICS, &request, &response)) {
            delete_print(&run, &response);
        }
    }
    return run_finish(&run);
}

static const struct cli_command create_command = {.name = "create", .spec = &create_spec, .run = create_run};
static const struct cli_command list_command = {.name = "list", .spec = &list_spec, .run = list_run};
static const struct cli_command alter_command = {.name = "alter", .spec = &alter_spec, .run = alter_run};
static const struct cli_command delete_command = {.name = "delete", .spec = &delete_spec, .run = delete_run};
static const struct cli_command *const verbs[] = {
    &create_command,     &list_command, &topic_describe_command, &alter_command, &delete_command,
    &topic_trim_command, NULL};
const struct cli_command topic_command = {
    .name = "topic", .summary = "create, list, describe, alter, trim and delete topics", .verbs = verbs};
