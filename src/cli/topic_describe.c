// SPDX-License-Identifier: Apache-2.0
// topic_describe.c - `strom topic describe`: partitions with their offsets, and what was configured.
#include "cli/cli_private.h"

enum { RESOURCE_TOPIC = 2, SOURCE_TOPIC = 1 };

static const struct args_spec describe_spec = {
    .command = "strom topic describe",
    .names_usage = "[NAME...]",
    .summary = "show partitions, offsets and settings",
    .text = "Shows the named topics, or all: for each partition the leader's epoch, the first offset that is "
            "still there (START), the offset that the next record gets (END) and an estimate of the records "
            "between them; and the settings that were made for the topic itself.\n\n"
            "RECORDS is END - START: compaction and transactions leave gaps, so it may be too high.",
    .examples = "  strom topic describe orders\n"
                "  strom topic describe --json | jq '.[] | {topic, records}'\n",
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
            char key[ARGS_VALUES_MAX];
            snprintf(key, sizeof key, STR_FMT, STR_ARG(config->name));
            json_pair_str(&run->json, key, config->value);
        }
    }
    json_object_end(&run->json);
    json_key(&run->json, "partitions");
    json_array_begin(&run->json);
    for (int32_t i = 0; i < d->topic->partitions_count; i++) {
        partition_json(run, d, i);
    }
    json_array_end(&run->json);
    json_object_end(&run->json);
}

static void topic_text(struct run *run, const struct described *d)
{
    static const struct table_column columns[] = {{"  PARTITION", true}, {"LEADER", true}, {"EPOCH", true},
                                                  {"START", true},       {"END", true},    {"RECORDS", true}};
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
        table_i64(&t, d->topic->partitions[i].partition_index);
        table_i64(&t, d->topic->partitions[i].leader_id);
        table_i64(&t, d->topic->partitions[i].leader_epoch);
        table_i64(&t, d->starts[i]);
        table_i64(&t, d->ends[i]);
        table_i64(&t, d->ends[i] - d->starts[i]);
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
    if (!run_topics(run, run->args->names, run->args->name_count, false, &found)) {
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
            topic_json(run, &topics[i]);
        }
        json_array_end(&run->json);
        buf_u8(&run->out, '\n');
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_u8(&run->out, '\n');
        }
        topic_text(run, &topics[i]);
    }
    if (found.topics_count == 0) {
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
