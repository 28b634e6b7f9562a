// SPDX-License-Identifier: Apache-2.0
// DescribeTopicPartitions (key 75): Metadata for tools, page by page. KIP-966. Pages are in name order; the
// cursor names the first partition of the next one.
#include "kafka/handlers/handlers.h"
#include "kafka/handlers/operations.h"
#include "kafka/topic_view.h"

#include <stdlib.h>

enum { PARTITIONS_MAX = 2000 }; // of one page, as in Kafka (max.request.partition.size.limit)

struct page {
    struct request *rq;
    int32_t *replicas;
    int32_t left; // partitions that the page may still take
};

static bool fill_partitions(struct page *page, const struct topic_view *view, int32_t first, int32_t count,
                            struct describe_topic_partitions_response_topic *out)
{
    struct request *rq = page->rq;
    out->partitions = wire_array(&rq->arena, describe_topic_partitions_response_partition, (size_t)count);
    int32_t *epochs = request_new(rq, int32_t, (size_t)count + 1);
    if (out->partitions == NULL || epochs == NULL) {
        return false;
    }
    if (!topic_view_epochs(rq, view, first, count, epochs)) {
        out->error = ERR_UNKNOWN_PARTITION; // deleted just now
        return true;
    }
    out->partitions_count = count;
    for (int32_t i = 0; i < count; i++) {
        struct describe_topic_partitions_response_partition *partition = &out->partitions[i];
        partition->partition_index = first + i;
        partition->leader_id = page->replicas[0];
        partition->leader_epoch = epochs[i];
        partition->replica_nodes = partition->isr_nodes = page->replicas;
        partition->replica_nodes_count = partition->isr_nodes_count = 1;
        // Empty, not null: Java's Admin client walks them.
        partition->eligible_leader_replicas_count = partition->last_known_elr_count = 0;
    }
    return true;
}

static bool set_cursor(struct page *page, struct str name, int32_t partition)
{
    struct describe_topic_partitions_response *out = page->rq->out;
    out->next_cursor = wire_array(&page->rq->arena, describe_topic_partitions_response_next_cursor, 1);
    if (out->next_cursor == NULL) {
        return false;
    }
    out->next_cursor->topic_name = name;
    out->next_cursor->partition_index = partition;
    return true;
}

// add_topic appends one topic from partition `first` on, as far as the page goes; *ret_is_full: the page
// ended, the cursor is set. False when out of memory.
static bool add_topic(struct page *page, struct str name, int32_t first, bool *ret_is_full)
{
    struct describe_topic_partitions_response *out = page->rq->out;
    struct topic_view view = {0};
    bool is_known = topic_name_is_valid(name) && topic_view_find(page->rq, name, (struct uuid){{0}}, &view);
    if (is_known && page->left == 0) {
        *ret_is_full = true;
        return set_cursor(page, view.name, first);
    }
    struct describe_topic_partitions_response_topic *topic = &out->topics[out->topics_count++];
    topic->name = name;
    topic->topic_authorized_operations = TOPIC_OPERATIONS;
    if (!is_known) {
        topic->error = topic_name_is_valid(name) ? ERR_UNKNOWN_PARTITION : ERR_INVALID_TOPIC;
        return true;
    }
    topic->topic_id = view.id;
    int32_t left = view.partition_count > first ? view.partition_count - first : 0;
    int32_t count = left < page->left ? left : page->left;
    page->left -= count;
    if (!fill_partitions(page, &view, first, count, topic)) {
        return false;
    }
    if (count < left) {
        *ret_is_full = true;
        return set_cursor(page, view.name, first + count);
    }
    return true;
}

static int name_order(const void *left, const void *right)
{
    return str_compare(*(const struct str *)left, *(const struct str *)right);
}

// load_names: the topics that this page could hold, sorted; those before the cursor are gone already.
static struct str *load_names(struct request *rq, struct str from, uint32_t *ret_count)
{
    const struct describe_topic_partitions_request *in = rq->in;
    if (in->topics_count == 0) {
        // Each has a partition at least; one more than fits tells where the next page starts.
        uint32_t count = 0;
        struct topic_view *views = topic_view_list(rq, from, PARTITIONS_MAX + 1, &count);
        struct str *names = request_new(rq, struct str, (size_t)count + 1);
        for (uint32_t i = 0; i < count && names != NULL && views != NULL; i++) {
            names[i] = views[i].name;
        }
        *ret_count = count;
        return views == NULL ? NULL : names;
    }
    struct str *names = request_new(rq, struct str, (size_t)in->topics_count + 1);
    uint32_t count = 0;
    for (int32_t i = 0; i < in->topics_count && names != NULL; i++) {
        if (str_compare(in->topics[i].name, from) >= 0) {
            names[count++] = in->topics[i].name;
        }
    }
    if (names != NULL) {
        qsort(names, count, sizeof *names, name_order);
    }
    *ret_count = count;
    return names;
}

static void describe_topic_partitions_handle(struct request *rq)
{
    const struct describe_topic_partitions_request *in = rq->in;
    struct describe_topic_partitions_response *out = rq->out;
    struct str from = in->cursor == NULL ? STR("") : in->cursor->topic_name;
    int32_t first = in->cursor == NULL ? 0 : in->cursor->partition_index;
    uint32_t count = 0;
    struct str *names = load_names(rq, from, &count);
    int32_t limit = in->response_partition_limit < 1 ? 1 : in->response_partition_limit;
    struct page page = {.rq = rq,
                        .replicas = topic_view_replicas(rq),
                        .left = limit < PARTITIONS_MAX ? limit : PARTITIONS_MAX};
    out->topics = wire_array(&rq->arena, describe_topic_partitions_response_topic, count);
    bool is_complete = names != NULL && page.replicas != NULL && (out->topics != NULL || count == 0);
    bool is_full = false;
    for (uint32_t i = 0; i < count && is_complete && !is_full; i++) {
        if (i > 0 && str_equal(names[i - 1], names[i])) {
            continue;
        }
        bool is_at_cursor = in->cursor != NULL && str_equal(names[i], from);
        is_complete = add_topic(&page, names[i], is_at_cursor && first > 0 ? first : 0, &is_full);
    }
    is_complete ? request_reply(rq) : request_out_of_memory(rq);
}

const struct api_handler describe_topic_partitions_handler = {.key = API_DESCRIBE_TOPIC_PARTITIONS,
                                                              .handle = describe_topic_partitions_handle};
