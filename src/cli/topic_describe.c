// SPDX-License-Identifier: Apache-2.0
// topic_describe.c - `strom topic describe`: partitions with their offsets, and what was configured.
#include "cli/cli_private.h"

enum { RESOURCE_TOPIC = 2, SOURCE_TOPIC = 1 };

static const struct args_flag describe_flags[] = {
    {"configured", ARGS_SWITCH, NULL, NULL, 0, 0, "Only topics that have settings of their own."},
    {"under-replicated", ARGS_SWITCH, NULL, NULL, 0, 0, "Only partitions with copies that are not in sync."},
    {"unavailable", ARGS_SWITCH, NULL, NULL, 0, 0, "Only partitions without a leader."},
};
static const struct args_spec describe_spec = {
    .command = "strom topic describe",
    .names_usage = "[NAME|PATTERN...]",
    .summary = "show partitions, offsets and settings",
    .text =
        "Shows the named topics, or all: for each partition the leader's epoch, the first offset that is "
        "still there (START), the offset that the next record gets (END) and an estimate of the records "
        "between them; and the settings that were made for the topic itself.\n\n"
        "RECORDS is END - START: compaction and transactions leave gaps, so it may be too high.\n\n"
        "A name may be a pattern, with * for any text and ? for one character; quote it for the shell. "
        "--configured, --under-replicated and --unavailable leave out the topics or partitions of which it "
        "is not so.",
    .examples = "  strom topic describe orders\n"
                "  strom topic describe 'orders-*' --under-replicated\n"
                "  strom topic describe --json | jq '.[] | {topic, records}'\n",
    .flags = describe_flags,
    .flag_count = sizeof describe_flags / sizeof *describe_flags,
    .names_min = 0,
    .names_max = ARGS_NAMES_MAX,
    .words = ARGS_WORDS_TOPIC,
    .is_remote = true,
    .is_json = true,
};

struct described {
    const struct metadata_response_topic *topic;
    int64_t *starts; // one per partition
    int64_t *ends;
    const struct describe_configs_response_result *configs;
};

static bool describe_offsets(struct run *run, struct described *d)
{
    size_t count = (size_t)d->topic->partitions_count;
    int32_t *partitions = arena_new(&run->arena, int32_t, count + 1);
    d->starts = arena_new(&run->arena, int64_t, count + 1);
    d->ends = arena_new(&run->arena, int64_t, count + 1);
    if (partitions == NULL || d->starts == NULL || d->ends == NULL) {
        run_fail(run, "cannot describe", ERR_NO_MEMORY, NULL, NULL);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        partitions[i] = d->topic->partitions[i].partition_index;
    }
    return run_offsets(run, d->topic->name, partitions, count, OFFSETS_START, d->starts) &&
           run_offsets(run, d->topic->name, partitions, count, OFFSETS_END, d->ends);
}

static bool describe_configs(struct run *run, struct described *topics, size_t count)
{
    struct describe_configs_request request;
    struct describe_configs_response response;
    wire_init(&describe_configs_request_type, &request);
    request.resources = run_array(run, describe_configs_request_resource, count + 1);
    request.resources_count = (int32_t)count;
    for (size_t i = 0; i < count; i++) {
        request.resources[i].resource_type = RESOURCE_TOPIC;
        request.resources[i].resource_name = topics[i].topic->name;
        request.resources[i].configuration_keys_count = -1;
    }
    if (!run_call(run, API_DESCRIBE_CONFIGS, &request, &response)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        for (int32_t r = 0; r < response.results_count && topics[i].configs == NULL; r++) {
            if (str_equal(response.results[r].resource_name, topics[i].topic->name)) {
                topics[i].configs = &response.results[r];
            }
        }
    }
    return true;
}

static bool is_configured(const struct described *d)
{
    bool has_own = false;
    for (int32_t i = 0; d->configs != NULL && i < d->configs->configs_count; i++) {
        has_own = has_own || d->configs->configs[i].config_source == SOURCE_TOPIC;
    }
    return has_own;
}

static bool is_part_shown(const struct run *run, const struct metadata_response_partition *part)
{
    bool is_under = part->isr_nodes_count < part->replica_nodes_count;
    return (!args_given(run->args, "under-replicated") || is_under) &&
           (!args_given(run->args, "unavailable") || part->leader_id < 0);
}

// is_shown says whether the flags leave anything of a topic.
static bool is_shown(const struct run *run, const struct described *d)
{
    bool has_parts = false;
    for (int32_t i = 0; i < d->topic->partitions_count; i++) {
        has_parts = has_parts || is_part_shown(run, &d->topic->partitions[i]);
    }
    return has_parts && (!args_given(run->args, "configured") || is_configured(d));
}

static int64_t record_count(const struct described *d)
{
    int64_t count = 0;
    for (int32_t i = 0; i < d->topic->partitions_count; i++) {
        count += d->ends[i] - d->starts[i];
    }
    return count;
}

static void partition_json(struct run *run, const struct described *d, int32_t index)
{
    const struct metadata_response_partition *part = &d->topic->partitions[index];
    json_object_begin(&run->json);
    json_pair_i64(&run->json, "partition", part->partition_index);
    json_pair_i64(&run->json, "leader", part->leader_id);
    json_pair_i64(&run->json, "leader_epoch", part->leader_epoch);
    json_pair_i64(&run->json, "start_offset", d->starts[index]);
    json_pair_i64(&run->json, "end_offset", d->ends[index]);
    json_pair_i64(&run->json, "records", d->ends[index] - d->starts[index]);
    json_key(&run->json, "replicas");
    json_array_begin(&run->json);
    for (int32_t i = 0; i < part->replica_nodes_count; i++) {
        json_i64(&run->json, part->replica_nodes[i]);
    }
    json_array_end(&run->json);
    json_key(&run->json, "in_sync");
    json_array_begin(&run->json);
    for (int32_t i = 0; i < part->isr_nodes_count; i++) {
        json_i64(&run->json, part->isr_nodes[i]);
    }
    json_array_end(&run->json);
    json_object_end(&run->json);
}

static void topic_json(struct run *run, const struct described *d)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(d->topic->topic_id, id);
    json_object_begin(&run->json);
    json_pair_str(&run->json, "topic", d->topic->name);
    json_pair_str(&run->json, "id", str_from_c(id));
    json_pair_bool(&run->json, "internal", d->topic->is_internal);
    json_pair_i64(&run->json, "records", record_count(d));
    json_key(&run->json, "configs");
    json_object_begin(&run->json);
    for (int32_t i = 0; d->configs != NULL && i < d->configs->configs_count; i++) {
        const struct describe_configs_response_config *config = &d->configs->configs[i];
        if (config->config_source == SOURCE_TOPIC) {
            json_pair_str(&run->json, run_print(run, STR_FMT, STR_ARG(config->name)).ptr, config->value);
        }
    }
    json_object_end(&run->json);
    json_key(&run->json, "partitions");
    json_array_begin(&run->json);
    for (int32_t i = 0; i < d->topic->partitions_count; i++) {
        if (is_part_shown(run, &d->topic->partitions[i])) {
            partition_json(run, d, i);
        }
    }
    json_array_end(&run->json);
    json_object_end(&run->json);
}

static void nodes_cell(struct table *t, const int32_t *nodes, int32_t count)
{
    char text[256];
    size_t len = 0;
    text[0] = '\0';
    for (int32_t i = 0; i < count && len + 16 < sizeof text; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%d", i == 0 ? "" : ",", nodes[i]);
    }
    table_str(t, str_from_c(text));
}

static void topic_text(struct run *run, const struct described *d)
{
    static const struct table_column columns[] = {{"  PARTITION", true}, {"LEADER", true},  {"EPOCH", true},
                                                  {"START", true},       {"END", true},     {"RECORDS", true},
                                                  {"REPLICAS", false},   {"IN SYNC", false}};
    char id[UUID_TEXT_SIZE];
    uuid_format(d->topic->topic_id, id);
    text_show(d->topic->name, &run->out);
    buf_printf(&run->out, "  id %s, %d partition%s, about %lld records\n", id, d->topic->partitions_count,
               d->topic->partitions_count == 1 ? "" : "s", (long long)record_count(d));
    for (int32_t i = 0; d->configs != NULL && i < d->configs->configs_count; i++) {
        const struct describe_configs_response_config *config = &d->configs->configs[i];
        if (config->config_source == SOURCE_TOPIC) {
            buf_printf(&run->out, "  " STR_FMT "=", STR_ARG(config->name));
            text_show(config->value, &run->out);
            buf_u8(&run->out, '\n');
        }
    }
    struct table t;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (int32_t i = 0; i < d->topic->partitions_count; i++) {
        if (!is_part_shown(run, &d->topic->partitions[i])) {
            continue;
        }
        table_i64(&t, d->topic->partitions[i].partition_index);
        table_i64(&t, d->topic->partitions[i].leader_id);
        table_i64(&t, d->topic->partitions[i].leader_epoch);
        table_i64(&t, d->starts[i]);
        table_i64(&t, d->ends[i]);
        table_i64(&t, d->ends[i] - d->starts[i]);
        nodes_cell(&t, d->topic->partitions[i].replica_nodes, d->topic->partitions[i].replica_nodes_count);
        nodes_cell(&t, d->topic->partitions[i].isr_nodes, d->topic->partitions[i].isr_nodes_count);
    }
    table_print(&t, &run->out);
    table_fini(&t);
}

// describe_collect leaves out what cannot be shown, after saying so.
static size_t describe_collect(struct run *run, const struct metadata_response *found, struct described *ret)
{
    size_t count = 0;
    for (int32_t i = 0; i < found->topics_count; i++) {
        const struct metadata_response_topic *topic = &found->topics[i];
        struct described *d = &ret[count];
        d->topic = topic;
        if (topic->error != ERR_OK) {
            run_topic_error(run, run_print(run, "cannot describe topic " STR_FMT, STR_ARG(topic->name)).ptr,
                            topic->name, topic->error);
        } else if (describe_offsets(run, d)) {
            count++;
        } else if (!client_is_connected(run->client)) {
            break;
        }
    }
    return count;
}

static void describe(struct run *run)
{
    struct metadata_response found;
    if (!run_topics_matching(run, run->args->names, run->args->name_count, &found)) {
        return;
    }
    struct described *topics = arena_new(&run->arena, struct described, (size_t)found.topics_count + 1);
    size_t count = topics == NULL ? 0 : describe_collect(run, &found, topics);
    if (!client_is_connected(run->client) || (count > 0 && !describe_configs(run, topics, count))) {
        return;
    }
    if (run->is_json) {
        json_array_begin(&run->json);
        for (size_t i = 0; i < count; i++) {
            if (is_shown(run, &topics[i])) {
                topic_json(run, &topics[i]);
            }
        }
        json_array_end(&run->json);
        buf_u8(&run->out, '\n');
        return;
    }
    bool is_first = true;
    for (size_t i = 0; i < count; i++) {
        if (is_shown(run, &topics[i])) {
            buf_printf(&run->out, "%s", is_first ? "" : "\n");
            topic_text(run, &topics[i]);
            is_first = false;
        }
    }
    if (found.topics_count == 0 && run->args->name_count > 0) {
        run_note("No topic is called so.");
    } else if (found.topics_count == 0) {
        run_note("There are no topics. `strom topic create NAME` makes one.");
    }
}

static int topic_describe_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &describe_spec, argc, argv) && run_connect(&run)) {
        describe(&run);
    }
    return run_finish(&run);
}

const struct cli_command topic_describe_command = {
    .name = "describe", .spec = &describe_spec, .run = topic_describe_run};
