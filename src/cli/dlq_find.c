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

bool dlq_topic_open(struct run *run, struct str topic, const char *what, struct dlq *ret)
{
    struct metadata_response found;
    *ret = (struct dlq){.run = run, .what = what, .topic = topic};
    ret->group = run_print(run, "strom-dlq-replay." STR_FMT, STR_ARG(topic));
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

static bool first_take(void *arg, const struct record *record)
{
    struct dead_letter letter;
    dead_letter_read(record, &letter);
    *(bool *)arg = letter.rule.ptr != NULL || letter.topic.ptr != NULL;
    return false;
}

// dead_letters_check: a topic that no setting names must hold dead letters; it may be any topic of records.
static bool dead_letters_check(const struct dlq *dlq)
{
    struct log_reader reader;
    struct error e = {0};
    bool is_one = true;
    enum err err = ERR_OK;
    log_reader_init(&reader, dlq->run, dlq->topic, dlq->topic_id);
    for (size_t i = 0; i < dlq->count && err == ERR_OK && is_one; i++) {
        int64_t next;
        err = log_reader_records(&reader, dlq->partitions[i].partition, dlq->partitions[i].start,
                                 dlq->partitions[i].end, first_take, &is_one, &next, &e);
    }
    log_reader_fini(&reader);
    if (err == ERR_OK && !is_one) {
        err = FAIL(&e, ERR_INVALID_REQUEST,
                   "its records are no dead letters, and its settings name no topic "
                   "that keeps some");
    }
    if (err != ERR_OK) {
        run_fail(dlq->run, dlq->what, err, &e, "`strom dlq list` shows which topics keep dead letters");
    }
    return err == ERR_OK;
}

// dlq_beside is TOPIC.dlq, where the rules of a topic put what its settings do not, if it is there.
static bool dlq_beside(struct run *run, struct str name, struct str *ret)
{
    struct metadata_response found;
    struct str topic = run_print(run, STR_FMT ".dlq", STR_ARG(name));
    if (!run_topics(run, &topic, 1, false, &found)) {
        return false;
    }
    bool is_there = found.topics_count == 1 && found.topics->error == ERR_OK;
    *ret = is_there ? topic : (struct str){NULL, 0};
    return true;
}

bool dlq_open(struct run *run, struct str name, const char *verb, struct dlq *ret)
{
    struct str topic;
    const char *what = run_print(run, "cannot %s " STR_FMT, verb, STR_ARG(name)).ptr;
    if (!dlq_name(run, name, &topic) || (topic.ptr == NULL && !dlq_beside(run, name, &topic))) {
        return false;
    }
    return dlq_topic_open(run, topic.ptr == NULL ? name : topic, what, ret) &&
           (topic.ptr != NULL || dead_letters_check(ret));
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
