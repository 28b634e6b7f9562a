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

// rule_topics_cut takes the names apart that stand between commas.
static bool rule_topics_cut(struct run *run, struct str list, struct dlq_takers *ret)
{
    size_t most = 1;
    for (size_t i = 0; i < list.len; i++) {
        most += list.ptr[i] == ',' ? 1 : 0;
    }
    ret->names = run_room(run, most, sizeof *ret->names);
    while (ret->names != NULL && list.len > 0) {
        ret->names[ret->count++] = str_cut(list, ',', &list);
    }
    return ret->names != NULL;
}

bool dlq_takers(struct run *run, struct str governed, struct dlq_takers *ret)
{
    enum { TOPIC, ACTION, RULES, KEY_LEVEL, VALUE_LEVEL, COUNT };
    static const char *const names[COUNT] = {[TOPIC] = "strom.validation.dlq.topic",
                                             [ACTION] = "strom.validation.on.failure",
                                             [RULES] = "strom.validation.rule.dlq.topics",
                                             [KEY_LEVEL] = "strom.key.validation.level",
                                             [VALUE_LEVEL] = "strom.value.validation.level"};
    struct str keys[COUNT];
    struct str values[COUNT];
    struct describe_configs_request request;
    struct describe_configs_request_resource resource;
    struct describe_configs_response response;
    wire_init(&describe_configs_request_type, &request);
    wire_init(&describe_configs_request_resource_type, &resource);
    *ret = (struct dlq_takers){0};
    for (int i = 0; i < COUNT; i++) {
        keys[i] = str_from_c(names[i]);
    }
    resource.resource_type = 2;
    resource.resource_name = governed;
    resource.configuration_keys = keys;
    resource.configuration_keys_count = COUNT;
    request.resources = &resource;
    request.resources_count = 1;
    if (!run_call(run, API_DESCRIBE_CONFIGS, &request, &response)) {
        return false;
    }
    if (response.results_count != 1 || response.results->error != ERR_OK) {
        return true;
    }
    for (int i = 0; i < COUNT; i++) {
        values[i] = setting_value(response.results, names[i]);
    }
    ret->has_rules =
        str_equal(values[KEY_LEVEL], STR("contract")) || str_equal(values[VALUE_LEVEL], STR("contract"));
    ret->is_set = values[TOPIC].len > 0 || str_equal(values[ACTION], STR("dlq"));
    if (!ret->is_set) {
        return rule_topics_cut(run, values[RULES], ret);
    }
    ret->names = run_room(run, 1, sizeof *ret->names);
    if (ret->names != NULL) {
        ret->count = 1;
        *ret->names =
            values[TOPIC].len > 0 ? values[TOPIC] : run_print(run, STR_FMT ".dlq", STR_ARG(governed));
    }
    return ret->names != NULL;
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
    *(enum dlq_holds *)arg =
        letter.rule.ptr != NULL || letter.topic.ptr != NULL ? DLQ_HOLDS_LETTERS : DLQ_HOLDS_OTHERS;
    return false;
}

// holds_find looks at the first record of each partition; one that is no dead letter decides.
static bool holds_find(const struct dlq *dlq, enum dlq_holds *ret)
{
    struct log_reader reader;
    struct error e = {0};
    enum err err = ERR_OK;
    *ret = DLQ_HOLDS_NOTHING;
    log_reader_init(&reader, dlq->run, dlq->topic, dlq->topic_id);
    for (size_t i = 0; i < dlq->count && err == ERR_OK && *ret != DLQ_HOLDS_OTHERS; i++) {
        int64_t next;
        err = log_reader_records(&reader, dlq->partitions[i].partition, dlq->partitions[i].start,
                                 dlq->partitions[i].end, first_take, ret, &next, &e);
    }
    log_reader_fini(&reader);
    if (err != ERR_OK) {
        run_fail(dlq->run, dlq->what, err, &e, NULL);
    }
    return err == ERR_OK;
}

bool dlq_beside(struct run *run, struct str name, const char *what, struct dlq *ret,
                enum dlq_holds *ret_holds)
{
    struct metadata_response found;
    struct str topic = run_print(run, STR_FMT ".dlq", STR_ARG(name));
    *ret_holds = DLQ_HOLDS_OTHERS;
    if (!run_topics(run, &topic, 1, false, &found)) {
        return false;
    }
    if (found.topics_count != 1 || found.topics->error != ERR_OK) {
        return true;
    }
    return dlq_topic_open(run, topic, what, ret) && holds_find(ret, ret_holds);
}

// open_itself: a topic that nothing names must hold dead letters; it may be any topic of records.
static bool open_itself(struct run *run, struct str name, const char *what, struct dlq *ret)
{
    enum dlq_holds holds;
    struct error e = {0};
    if (!dlq_topic_open(run, name, what, ret) || !holds_find(ret, &holds)) {
        return false;
    }
    if (holds == DLQ_HOLDS_OTHERS) {
        enum err err = FAIL(&e, ERR_INVALID_REQUEST,
                            "its records are no dead letters, and neither its settings nor rules of its "
                            "contract name a topic that keeps some");
        run_fail(run, what, err, &e, "`strom dlq list` shows which topics keep dead letters");
    }
    return holds != DLQ_HOLDS_OTHERS;
}

static void say_several(struct run *run, const char *what, const struct dlq_takers *takers, struct str beside)
{
    struct error e = {0};
    struct str list = beside;
    for (size_t i = 0; i < takers->count; i++) {
        list = run_print(run, STR_FMT "%s" STR_FMT, STR_ARG(list), list.len > 0 ? ", " : "",
                         STR_ARG(takers->names[i]));
    }
    enum err err = FAIL(&e, ERR_INVALID_REQUEST, "its rules put them into several topics");
    run_fail(run, what, err, &e, run_print(run, "give one of these: " STR_FMT, STR_ARG(list)).ptr);
}

bool dlq_open(struct run *run, struct str name, const char *verb, struct dlq *ret)
{
    struct dlq_takers takers;
    enum dlq_holds holds = DLQ_HOLDS_OTHERS;
    const char *what = run_print(run, "cannot %s " STR_FMT, verb, STR_ARG(name)).ptr;
    if (!dlq_takers(run, name, &takers) || (!takers.is_set && !dlq_beside(run, name, what, ret, &holds))) {
        return false;
    }
    bool is_beside = holds == DLQ_HOLDS_LETTERS || (holds == DLQ_HOLDS_NOTHING && takers.count == 0);
    for (size_t i = 0; i < takers.count && is_beside; i++) {
        is_beside = !str_equal(takers.names[i], ret->topic); // a rule's without a name of its own
    }
    if (takers.count + (is_beside ? 1 : 0) > 1) {
        say_several(run, what, &takers, is_beside ? ret->topic : (struct str){"", 0});
        return false;
    }
    if (is_beside) {
        return true;
    }
    return takers.count == 1 ? dlq_topic_open(run, takers.names[0], what, ret)
                             : open_itself(run, name, what, ret);
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

struct counting {
    int64_t position;
    int64_t kept;
    int64_t waiting;
};

static bool letter_count(void *arg, const struct record *record)
{
    struct counting *counting = arg;
    counting->kept++;
    counting->waiting += record->offset >= counting->position ? 1 : 0;
    return true;
}

bool dlq_count(const struct dlq *dlq, int64_t *ret_kept, int64_t *ret_waiting)
{
    struct log_reader reader;
    struct counting counting = {0};
    struct error e = {0};
    enum err err = ERR_OK;
    log_reader_init(&reader, dlq->run, dlq->topic, dlq->topic_id);
    for (size_t i = 0; i < dlq->count && err == ERR_OK; i++) {
        int64_t next;
        counting.position = dlq->partitions[i].position;
        err = log_reader_records(&reader, dlq->partitions[i].partition, dlq->partitions[i].start,
                                 dlq->partitions[i].end, letter_count, &counting, &next, &e);
    }
    log_reader_fini(&reader);
    if (err != ERR_OK) {
        run_fail(dlq->run, dlq->what, err, &e, NULL);
        return false;
    }
    *ret_kept = counting.kept;
    *ret_waiting = counting.waiting;
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
