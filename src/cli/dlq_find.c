// SPDX-License-Identifier: Apache-2.0
// dlq_find.c - which topic keeps the dead letters, where they begin and end, how far replay has come, and
// what a dead letter says of itself.
#include "cli/dlq.h"

#include "cli/groups.h"

static struct str setting_value(const struct describe_configs_response_result *result, const char *name)
{
    for (int32_t i = 0; i < result->configs_count; i++) {
        if (str_equal(result->configs[i].name, str_from_c(name))) {
            return result->configs[i].value;
        }
    }
    return (struct str){NULL, 0};
}

bool dlq_name(struct run *run, struct str governed, struct str *ret)
{
    static struct str keys[] = {
        {"strom.validation.dlq.topic", 26},
        {"strom.validation.on.failure", 27},
    };
    struct describe_configs_request request;
    struct describe_configs_request_resource resource;
    struct describe_configs_response response;
    wire_init(&describe_configs_request_type, &request);
    wire_init(&describe_configs_request_resource_type, &resource);
    *ret = (struct str){NULL, 0};
    resource.resource_type = 2;
    resource.resource_name = governed;
    resource.configuration_keys = keys;
    resource.configuration_keys_count = 2;
    request.resources = &resource;
    request.resources_count = 1;
    if (!run_call(run, API_DESCRIBE_CONFIGS, &request, &response)) {
        return false;
    }
    if (response.results_count != 1 || response.results->error != ERR_OK) {
        return true;
    }
    struct str named = setting_value(response.results, keys[0].ptr);
    struct str action = setting_value(response.results, keys[1].ptr);
    if (named.len > 0) {
        *ret = named;
    } else if (str_equal(action, STR("dlq"))) {
        *ret = run_print(run, STR_FMT ".dlq", STR_ARG(governed));
    }
    return true;
}

static bool ends_find(struct dlq *dlq)
{
    struct run *run = dlq->run;
    int32_t *numbers = run_room(run, dlq->count, sizeof *numbers);
    int64_t *offsets = run_room(run, dlq->count, sizeof *offsets);
    if (numbers == NULL || offsets == NULL) {
        return false;
    }
    for (size_t i = 0; i < dlq->count; i++) {
        numbers[i] = dlq->partitions[i].partition;
    }
    if (!run_offsets(run, dlq->topic, numbers, dlq->count, OFFSETS_START, offsets)) {
        return false;
    }
    for (size_t i = 0; i < dlq->count; i++) {
        dlq->partitions[i].start = offsets[i];
    }
    if (!run_offsets(run, dlq->topic, numbers, dlq->count, OFFSETS_END, offsets)) {
        return false;
    }
    for (size_t i = 0; i < dlq->count; i++) {
        dlq->partitions[i].end = offsets[i];
        dlq->partitions[i].position = dlq->partitions[i].start;
    }
    return true;
}

bool dlq_open(struct run *run, struct str name, const char *verb, struct dlq *ret)
{
    struct metadata_response found;
    struct str topic;
    *ret = (struct dlq){.run = run, .what = run_print(run, "cannot %s " STR_FMT, verb, STR_ARG(name)).ptr};
    if (!dlq_name(run, name, &topic)) {
        return false;
    }
    bool is_governed = topic.ptr != NULL;
    ret->topic = is_governed ? topic : name;
    ret->group = run_print(run, "strom-dlq-replay." STR_FMT, STR_ARG(ret->topic));
    if (!run_topics(run, &ret->topic, 1, false, &found)) {
        return false;
    }
    enum err err = found.topics_count == 1 ? found.topics->error : ERR_UNKNOWN;
    if (err != ERR_OK) {
        run_topic_error(run, ret->what, ret->topic, err);
        return false;
    }
    ret->topic_id = found.topics->topic_id;
    ret->count = (size_t)found.topics->partitions_count;
    ret->partitions = run_room(run, ret->count, sizeof *ret->partitions);
    if (ret->partitions == NULL) {
        return false;
    }
    for (size_t i = 0; i < ret->count; i++) {
        ret->partitions[i].partition = found.topics->partitions[i].partition_index;
    }
    return ends_find(ret);
}

bool dlq_positions(struct dlq *dlq)
{
    struct group group = {0};
    struct group_offsets committed;
    if (!group_find(dlq->run, dlq->group, &group)) {
        return false;
    }
    group.id = dlq->group;
    if (!group_committed(dlq->run, &group, &committed)) {
        return false;
    }
    for (size_t i = 0; i < committed.count; i++) {
        const struct group_offset *have = &committed.items[i];
        for (size_t p = 0; p < dlq->count; p++) {
            struct dlq_partition *part = &dlq->partitions[p];
            bool is_it = part->partition == have->partition && str_equal(have->topic, dlq->topic);
            if (is_it && have->committed > part->start) {
                part->position = have->committed < part->end ? have->committed : part->end;
            }
        }
    }
    return true;
}

// ---- headers

void dead_letter_read(const struct record *record, struct dead_letter *ret)
{
    *ret = (struct dead_letter){.partition = -1};
    const struct {
        const char *name;
        struct str *value;
    } texts[] = {
        {DEAD_LETTER_RULE_NAME, &ret->rule},          {DEAD_LETTER_RULE_EXCEPTION, &ret->reason},
        {DEAD_LETTER_RULE_SUBJECT, &ret->subject},    {DEAD_LETTER_ORIGIN_TOPIC, &ret->topic},
        {DEAD_LETTER_ORIGIN_CLIENT_ID, &ret->client}, {DEAD_LETTER_REPLAYED, &ret->replayed},
    };
    struct record_headers headers = record_headers_init(record);
    struct record_header header;
    while (record_headers_next(&headers, &header)) { // of two with one name the broker's own is the later
        struct str value = {(const char *)header.value.ptr, header.value.len};
        int64_t number;
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            if (str_equal(header.key, str_from_c(texts[i].name))) {
                *texts[i].value = value;
            }
        }
        if (str_equal(header.key, STR(DEAD_LETTER_ORIGIN_PARTITION)) && str_parse_i64(value, &number) &&
            number >= 0 && number <= INT32_MAX) {
            ret->partition = (int32_t)number;
        }
    }
}
