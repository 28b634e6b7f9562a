// SPDX-License-Identifier: Apache-2.0
// lookup.c - what several commands ask a broker: which topics there are, and which offsets.
#include "cli/cli_private.h"

#include <stdlib.h>

#include "base/assert.h"
#include "cli/glob.h"

enum { LEADER_WAIT_MS = 3000, NS_PER_MS = 1000000 };

static int compare_topics(const void *a, const void *b)
{
    const struct metadata_response_topic *left = a;
    const struct metadata_response_topic *right = b;
    return str_compare(left->name, right->name);
}

static int compare_partitions(const void *a, const void *b)
{
    const struct metadata_response_partition *left = a;
    const struct metadata_response_partition *right = b;
    return left->partition_index < right->partition_index ? -1
                                                          : left->partition_index > right->partition_index;
}

bool run_topics(struct run *run, const struct str *names, size_t count, bool may_create,
                struct metadata_response *ret)
{
    struct metadata_request request;
    wire_init(&metadata_request_type, &request);
    request.topics_count = -1; // all
    if (count > 0) {
        request.topics = run_array(run, metadata_request_topic, count);
        request.topics_count = (int32_t)count;
        for (size_t i = 0; i < count; i++) {
            request.topics[i].name = names[i];
        }
    }
    request.allow_auto_topic_creation = may_create;
    if (!run_call(run, API_METADATA, &request, ret)) {
        return false;
    }
    if (ret->error != ERR_OK) {
        run_refused(run, "cannot read the metadata", ret->error, (struct str){NULL, 0}, NULL);
        return false;
    }
    if (ret->topics_count > 1) {
        qsort(ret->topics, (size_t)ret->topics_count, sizeof *ret->topics, compare_topics);
    }
    for (int32_t i = 0; i < ret->topics_count; i++) {
        if (ret->topics[i].partitions_count > 1) {
            qsort(ret->topics[i].partitions, (size_t)ret->topics[i].partitions_count,
                  sizeof *ret->topics[i].partitions, compare_partitions);
        }
    }
    return true;
}

bool run_topics_matching(struct run *run, const struct str *names, size_t count,
                         struct metadata_response *ret)
{
    bool has_pattern = false;
    for (size_t i = 0; i < count; i++) {
        has_pattern = has_pattern || glob_is_pattern(names[i]);
    }
    if (!has_pattern) {
        return run_topics(run, names, count, false, ret);
    }
    if (!run_topics(run, NULL, 0, false, ret)) {
        return false;
    }
    int32_t kept = 0;
    for (int32_t t = 0; t < ret->topics_count; t++) {
        bool is_wanted = false;
        for (size_t i = 0; i < count; i++) {
            is_wanted = is_wanted || glob_match(names[i], ret->topics[t].name);
        }
        if (is_wanted) {
            ret->topics[kept++] = ret->topics[t];
        }
    }
    ret->topics_count = kept;
    return true;
}

void run_topic_unknown(struct run *run, const char *what, struct str topic)
{
    struct metadata_response all;
    struct metadata_request request;
    wire_init(&metadata_request_type, &request);
    request.topics_count = -1;
    request.allow_auto_topic_creation = false;
    struct str nearest = {NULL, 0};
    size_t nearest_edits = SIZE_MAX;
    bool is_known = client_call(run->client, API_METADATA, &request, &run->arena, &all, NULL) == ERR_OK;
    for (int32_t i = 0; is_known && i < all.topics_count; i++) {
        size_t edits;
        if (text_is_near(topic, all.topics[i].name, &edits) && edits < nearest_edits) {
            nearest = all.topics[i].name;
            nearest_edits = edits;
        }
    }
    struct str hint = nearest.ptr != NULL
                          ? run_print(run, "did you mean \"" STR_FMT "\"?", STR_ARG(nearest))
                          : STR("`strom topic list` shows the topics, `strom topic create` makes one");
    run_refused(run, what, ERR_UNKNOWN_PARTITION, (struct str){NULL, 0}, hint.ptr);
}

void run_topic_error(struct run *run, const char *what, struct str topic, enum err err)
{
    if (err == ERR_UNKNOWN_PARTITION) {
        run_topic_unknown(run, what, topic);
    } else {
        run_refused(run, what, err, (struct str){NULL, 0},
                    err == ERR_INVALID_TOPIC
                        ? "a topic name has 1 to 249 letters, digits, \".\", \"_\" or \"-\""
                        : NULL);
    }
}

static int compare_places(struct str left_topic, int32_t left, struct str right_topic, int32_t right)
{
    int order = str_compare(left_topic, right_topic);
    return order != 0 ? order : (left > right) - (left < right);
}

static int compare_queries(const void *a, const void *b)
{
    const struct offset_query *left = a;
    const struct offset_query *right = b;
    return compare_places(left->topic, left->partition, right->topic, right->partition);
}

// query_find finds what an answer belongs to, NULL if nobody asked for it.
static struct offset_query *query_find(struct offset_query *queries, size_t count, struct str topic,
                                       int32_t partition)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_places(queries[middle].topic, queries[middle].partition, topic, partition);
        if (order == 0) {
            return &queries[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

static bool queries_fill(struct run *run, const struct offset_query *queries, size_t count,
                         struct list_offsets_request *request)
{
    request->topics = wire_array(&run->arena, list_offsets_request_topic, count);
    struct list_offsets_request_partition *partitions =
        wire_array(&run->arena, list_offsets_request_partition, count);
    if (request->topics == NULL || partitions == NULL) {
        run_fail(run, "cannot look up offsets", ERR_NO_MEMORY, NULL, NULL);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !str_equal(queries[i].topic, queries[i - 1].topic)) {
            request->topics[request->topics_count].name = queries[i].topic;
            request->topics[request->topics_count++].partitions = &partitions[i];
        }
        request->topics[request->topics_count - 1].partitions_count++;
        partitions[i].partition_index = queries[i].partition;
        partitions[i].timestamp = queries[i].timestamp;
    }
    return true;
}

// queries_ask asks once. *ret_is_passing: some partition has no leader yet, as when its topic is very new.
static bool queries_ask(struct run *run, struct offset_query *queries, size_t count,
                        const struct list_offsets_request *request, bool *ret_is_passing)
{
    struct list_offsets_response response;
    for (size_t i = 0; i < count; i++) {
        queries[i].offset = -1;
        queries[i].err = ERR_UNKNOWN; // an answer may leave it out
    }
    *ret_is_passing = false;
    if (!run_call(run, API_LIST_OFFSETS, request, &response)) {
        return false;
    }
    for (int32_t t = 0; t < response.topics_count; t++) {
        for (int32_t p = 0; p < response.topics[t].partitions_count; p++) {
            const struct list_offsets_response_partition *part = &response.topics[t].partitions[p];
            struct offset_query *query =
                query_find(queries, count, response.topics[t].name, part->partition_index);
            if (query != NULL) {
                query->err = part->error;
                query->offset = part->error == ERR_OK ? part->offset : -1;
                *ret_is_passing = *ret_is_passing || part->error == ERR_NOT_LEADER;
            }
        }
    }
    return true;
}

bool run_offset_queries(struct run *run, struct offset_query *queries, size_t count)
{
    struct list_offsets_request request;
    bool is_passing = false;
    if (count == 0) {
        return true;
    }
    wire_init(&list_offsets_request_type, &request);
    request.replica_id = -1;
    request.timeout_ms = (int32_t)args_int(run->args, "timeout-ms");
    if (!queries_fill(run, queries, count, &request)) {
        return false;
    }
    int64_t deadline_ns = clock_mono_ns(run->env->clock) + (int64_t)LEADER_WAIT_MS * NS_PER_MS;
    do {
        if (!queries_ask(run, queries, count, &request, &is_passing)) {
            return false;
        }
    } while (is_passing && run_retry(run, ERR_NOT_LEADER, deadline_ns));
    return true;
}

bool run_offsets(struct run *run, struct str topic, const int32_t *partitions, size_t count,
                 int64_t timestamp, int64_t *ret_offsets)
{
    struct offset_query *queries = arena_new(&run->arena, struct offset_query, count + 1);
    ASSERT(queries != NULL);
    for (size_t i = 0; i < count; i++) {
        queries[i] =
            (struct offset_query){.topic = topic, .partition = partitions[i], .timestamp = timestamp};
    }
    qsort(queries, count, sizeof *queries, compare_queries);
    if (!run_offset_queries(run, queries, count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct offset_query *query = query_find(queries, count, topic, partitions[i]);
        if (query->err != ERR_OK) {
            const char *what = run_print(run, "cannot look up offsets of " STR_FMT ", partition %d",
                                         STR_ARG(topic), partitions[i])
                                   .ptr;
            run_topic_error(run, what, topic, query->err);
            return false;
        }
        ret_offsets[i] = query->offset;
    }
    return true;
}
