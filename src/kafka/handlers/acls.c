// SPDX-License-Identifier: Apache-2.0
// DescribeAcls, CreateAcls, DeleteAcls (keys 29 to 31, KIP-140). There is no authorizer: nothing is forbidden
// and no rule can be kept, and each is told so, as Kafka does without one.
#include "kafka/handlers/handlers.h"

static void describe_acls_handle(struct request *rq)
{
    struct describe_acls_response *out = rq->out;
    out->error = ERR_SECURITY_DISABLED;
    out->error_message = STR("No Authorizer is configured on the broker");
    request_reply(rq);
}

static void create_acls_handle(struct request *rq)
{
    const struct create_acls_request *in = rq->in;
    struct create_acls_response *out = rq->out;
    out->results = wire_array(&rq->arena, create_acls_response_result, (size_t)in->creations_count);
    out->results_count = out->results == NULL ? 0 : in->creations_count;
    for (int32_t i = 0; i < out->results_count; i++) {
        out->results[i].error = ERR_SECURITY_DISABLED;
        out->results[i].error_message = STR("No Authorizer is configured.");
    }
    request_reply(rq); // closes if the arena failed
}

static void delete_acls_handle(struct request *rq)
{
    const struct delete_acls_request *in = rq->in;
    struct delete_acls_response *out = rq->out;
    out->filter_results = wire_array(&rq->arena, delete_acls_response_result, (size_t)in->filters_count);
    out->filter_results_count = out->filter_results == NULL ? 0 : in->filters_count;
    for (int32_t i = 0; i < out->filter_results_count; i++) {
        out->filter_results[i].error = ERR_SECURITY_DISABLED;
        out->filter_results[i].error_message = STR("No Authorizer is configured.");
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler describe_acls_handler = {.key = API_DESCRIBE_ACLS, .handle = describe_acls_handle};
const struct api_handler create_acls_handler = {.key = API_CREATE_ACLS, .handle = create_acls_handle};
const struct api_handler delete_acls_handler = {.key = API_DELETE_ACLS, .handle = delete_acls_handle};
