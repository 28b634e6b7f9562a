// SPDX-License-Identifier: Apache-2.0
// lookup.c - what several commands ask a broker: which topics there are, and which offsets.
#include "cli/cli_private.h"

#include <stdlib.h>

#include "base/assert.h"

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

// find_partition gives the place of a partition in a list of them; count if it is not there.
static size_t find_partition(const int32_t *partitions, size_t count, int32_t partition)
{
    if (partition >= 0 && (size_t)partition < count && partitions[partition] == partition) {
        return (size_t)partition; // the usual case: all of them
    }
    size_t at = 0;
    while (at < count && partitions[at] != partition) {
        at++;
    }
    return at;
}

static bool take_offsets(struct run *run, struct str topic, const int32_t *partitions, size_t count,
                         const struct list_offsets_response *response, int64_t *ret_offsets)
{
    const char *what = run_print(run, "cannot look up offsets of " STR_FMT, STR_ARG(topic)).ptr;
    size_t found = 0;
    for (int32_t t = 0; t < response->topics_count; t++) {
        for (int32_t p = 0; p < response->topics[t].partitions_count; p++) {
            const struct list_offsets_response_partition *part = &response->topics[t].partitions[p];
            size_t at = find_partition(partitions, count, part->partition_index);
            if (part->error != ERR_OK) {
                what = run_print(run, "%s, partition %d", what, part->partition_index).ptr;
                run_topic_error(run, what, topic, part->error);
                return false;
            }
            if (at < count) {
                ret_offsets[at] = part->offset;
                found++;
            }
        }
    }
    if (found != count) {
        run_refused(run, what, ERR_UNKNOWN, STR("the answer lacks partitions"), NULL);
    }
    return found == count;
}

bool run_offsets(struct run *run, struct str topic, const int32_t *partitions, size_t count,
                 int64_t timestamp, int64_t *ret_offsets)
{
    struct list_offsets_request request;
    wire_init(&list_offsets_request_type, &request);
    request.replica_id = -1;
    request.timeout_ms = (int32_t)args_int(run->args, "timeout-ms");
    request.topics = run_array(run, list_offsets_request_topic, 1);
    request.topics_count = 1;
    request.topics->name = topic;
    request.topics->partitions = run_array(run, list_offsets_request_partition, count + 1);
    request.topics->partitions_count = (int32_t)count;
    for (size_t i = 0; i < count; i++) {
        request.topics->partitions[i].partition_index = partitions[i];
        request.topics->partitions[i].timestamp = timestamp;
    }
    struct list_offsets_response response;
    return run_call(run, API_LIST_OFFSETS, &request, &response) &&
           take_offsets(run, topic, partitions, count, &response, ret_offsets);
}
