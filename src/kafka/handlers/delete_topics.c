// SPDX-License-Identifier: Apache-2.0
// DeleteTopics (key 20): by name, or by id since v6. KIP-4, KIP-516.
#include "kafka/changes.h"
#include "kafka/handlers/handlers.h"
#include "kafka/topic_view.h"

enum { TOPICS_VERSION_MIN = 6, STRICT_VERSION_MIN = 5 }; // KIP-599

// wanted gives one topic of the request whichever way the version spells it.
static struct delete_topics_request_topic wanted(const struct request *rq, uint32_t index)
{
    const struct delete_topics_request *in = rq->in;
    if (rq->version >= TOPICS_VERSION_MIN) {
        return in->topics[index];
    }
    return (struct delete_topics_request_topic){.name = in->topic_names[index]};
}

static enum err plan_delete(struct change_set *set, uint32_t index, struct item *ret_item, struct error *e)
{
    struct delete_topics_request_topic topic = wanted(set->rq, index);
    return broker_plan_topic_delete(set->rq->broker, topic.name, topic.topic_id, ret_item, e);
}

static void on_deleted(struct change_set *set)
{
    struct request *rq = set->rq;
    struct delete_topics_response *out = rq->out;
    const struct str *names = set->state;
    out->topics = wire_array(&rq->arena, delete_topics_response_topic, set->count);
    out->topics_count = out->topics == NULL ? 0 : (int32_t)set->count;
    for (int32_t i = 0; i < out->topics_count; i++) {
        const struct change_entry *entry = &set->entries[i];
        struct delete_topics_request_topic topic = wanted(rq, (uint32_t)i);
        out->topics[i].name = names[i];
        out->topics[i].topic_id = topic.topic_id;
        if (entry->err == ERR_OK) {
            out->topics[i].topic_id = entry->item.topic_delete.topic_id;
        }
        out->topics[i].error = entry->err;
        out->topics[i].error_message = entry->text;
    }
    request_reply(rq); // closes if the arena failed
}

// prepare refuses what names no topic or names it in two ways, and notes the names for the answer.
static void prepare(struct change_set *set, struct str *names)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct delete_topics_request_topic topic = wanted(set->rq, i);
        bool is_by_id = !uuid_is_zero(topic.topic_id);
        struct topic_view view;
        if (is_by_id == (topic.name.ptr != NULL)) {
            change_set_refuse(set, i, ERR_INVALID_REQUEST,
                              is_by_id ? STR("You may not specify both topic name and topic id.")
                                       : STR("Neither topic name nor id were specified."));
        } else if (is_by_id && topic_view_find(set->rq, topic.name, topic.topic_id, &view)) {
            topic.name = view.name;
        }
        names[i] = topic.name;
    }
}

static void delete_topics_handle(struct request *rq)
{
    const struct delete_topics_request *in = rq->in;
    uint32_t count = (uint32_t)(rq->version >= TOPICS_VERSION_MIN ? in->topics_count : in->topic_names_count);
    struct str *names = request_new(rq, struct str, (size_t)count + 1);
    if (names == NULL) {
        request_out_of_memory(rq);
        return;
    }
    struct change_set *set = change_set_create(rq, count);
    if (set == NULL) {
        return;
    }
    prepare(set, names);
    if (!change_set_refuse_repeated(set, names, STR("Duplicate topic name."))) {
        return;
    }
    set->state = names;
    set->plan = plan_delete;
    set->done = on_deleted;
    set->strict_since = STRICT_VERSION_MIN;
    change_set_start(set);
}

const struct api_handler delete_topics_handler = {.key = API_DELETE_TOPICS, .handle = delete_topics_handle};
