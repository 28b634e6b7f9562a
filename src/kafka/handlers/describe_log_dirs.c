// SPDX-License-Identifier: Apache-2.0
// DescribeLogDirs (key 35): what is stored where. KIP-113, KIP-827 (the volume's size, v4). There is one data
// directory; a partition's size is the bytes of its batches, in the log and in merged objects alike. As in
// Kafka, what is asked for and not there is left out.
#include "kafka/handlers/handlers.h"
#include "kafka/topic_view.h"

struct sizes {
    int64_t *bytes; // of each partition
    int32_t count;
};

// load_sizes: count 0 if the topic went away.
static bool load_sizes(struct request *rq, const struct topic_view *view, struct sizes *ret)
{
    ret->bytes = request_new(rq, int64_t, (size_t)view->partition_count + 1);
    ret->count = view->partition_count;
    if (ret->bytes != NULL && !topic_view_sizes(rq, view, ret->count, ret->bytes)) {
        ret->count = 0;
    }
    return ret->bytes != NULL;
}

static void add_partition(struct describe_log_dirs_response_topic *topic, const struct sizes *sizes,
                          int32_t index)
{
    struct describe_log_dirs_response_partition *partition = &topic->partitions[topic->partitions_count++];
    partition->partition_index = index;
    partition->partition_size = sizes->bytes[index];
}

static bool add_all(struct request *rq, struct describe_log_dirs_response_result *dir)
{
    uint32_t count = 0;
    struct topic_view *views = topic_view_list(rq, STR(""), UINT32_MAX, &count);
    dir->topics = wire_array(&rq->arena, describe_log_dirs_response_topic, (size_t)count + 1);
    bool is_complete = views != NULL && dir->topics != NULL;
    for (uint32_t i = 0; i < count && is_complete; i++) {
        struct describe_log_dirs_response_topic *topic = &dir->topics[dir->topics_count];
        struct sizes sizes;
        topic->name = views[i].name;
        topic->partitions = wire_array(&rq->arena, describe_log_dirs_response_partition,
                                       (size_t)views[i].partition_count + 1);
        is_complete = topic->partitions != NULL && load_sizes(rq, &views[i], &sizes);
        for (int32_t p = 0; is_complete && p < sizes.count; p++) {
            add_partition(topic, &sizes, p);
        }
        dir->topics_count += topic->partitions_count > 0 ? 1 : 0;
    }
    return is_complete;
}

static bool add_wanted(struct request *rq, struct describe_log_dirs_response_result *dir)
{
    const struct describe_log_dirs_request *in = rq->in;
    dir->topics = wire_array(&rq->arena, describe_log_dirs_response_topic, (size_t)in->topics_count + 1);
    bool is_complete = dir->topics != NULL;
    for (int32_t t = 0; t < in->topics_count && is_complete; t++) {
        const struct describe_log_dirs_request_topic *wanted = &in->topics[t];
        struct describe_log_dirs_response_topic *topic = &dir->topics[dir->topics_count];
        struct topic_view view;
        struct sizes sizes;
        if (!topic_view_find(rq, wanted->topic, (struct uuid){{0}}, &view)) {
            continue;
        }
        topic->name = wanted->topic;
        topic->partitions = wire_array(&rq->arena, describe_log_dirs_response_partition,
                                       (size_t)wanted->partitions_count + 1);
        is_complete = topic->partitions != NULL && load_sizes(rq, &view, &sizes);
        for (int32_t p = 0; is_complete && p < wanted->partitions_count; p++) {
            int32_t index = wanted->partitions[p];
            if (index >= 0 && index < sizes.count) {
                add_partition(topic, &sizes, index);
            }
        }
        dir->topics_count += topic->partitions_count > 0 ? 1 : 0;
    }
    return is_complete;
}

static void describe_log_dirs_handle(struct request *rq)
{
    const struct describe_log_dirs_request *in = rq->in;
    struct describe_log_dirs_response *out = rq->out;
    struct broker_status status;
    broker_status(rq->broker, &status);
    out->results = wire_array(&rq->arena, describe_log_dirs_response_result, 1);
    if (out->results == NULL) {
        request_out_of_memory(rq);
        return;
    }
    struct describe_log_dirs_response_result *dir = &out->results[0];
    out->results_count = 1;
    dir->log_dir = broker_setting(rq->broker, STR("data.dir"), &rq->arena);
    dir->total_bytes = status.engine.total_bytes;
    dir->usable_bytes = status.engine.free_bytes;
    bool is_complete = in->topics_count < 0 ? add_all(rq, dir) : add_wanted(rq, dir);
    is_complete ? request_reply(rq) : request_out_of_memory(rq);
}

const struct api_handler describe_log_dirs_handler = {.key = API_DESCRIBE_LOG_DIRS,
                                                      .handle = describe_log_dirs_handle};
