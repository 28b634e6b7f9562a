// SPDX-License-Identifier: Apache-2.0
// DescribeCluster (key 60): brokers and cluster id without topics. KIP-700, KIP-919 (endpoint type, v1).
#include "kafka/handlers/handlers.h"
#include "kafka/handlers/operations.h"

#include <stdio.h>

enum { ENDPOINT_BROKER = 1, ENDPOINT_CONTROLLER = 2 };

static void refuse(struct request *rq, enum err err, struct str text)
{
    struct describe_cluster_response *out = rq->out;
    out->error = err;
    out->error_message = text;
    request_reply(rq);
}

static void describe_cluster_handle(struct request *rq)
{
    const struct describe_cluster_request *in = rq->in;
    struct describe_cluster_response *out = rq->out;
    if (in->endpoint_type == ENDPOINT_CONTROLLER) {
        refuse(rq, ERR_MISMATCHED_ENDPOINT_TYPE,
               STR("The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type "
                   "CONTROLLER"));
        return;
    }
    if (in->endpoint_type != ENDPOINT_BROKER) {
        char text[64];
        snprintf(text, sizeof text, "Unsupported endpoint type %d", in->endpoint_type);
        refuse(rq, ERR_UNSUPPORTED_ENDPOINT_TYPE, arena_str(&rq->arena, str_from_c(text)));
        return;
    }
    out->brokers = wire_array(&rq->arena, describe_cluster_response_broker, 1);
    if (out->brokers == NULL) {
        request_out_of_memory(rq);
        return;
    }
    out->brokers_count = 1;
    out->brokers[0].broker_id = broker_node_id(rq->broker);
    request_endpoint(rq, &out->brokers[0].host, &out->brokers[0].port);
    if (rq->options->rack.len > 0) {
        out->brokers[0].rack = rq->options->rack;
    }
    out->cluster_id = broker_cluster_id(rq->broker);
    out->controller_id = broker_node_id(rq->broker);
    if (in->include_cluster_authorized_operations) {
        out->cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    request_reply(rq);
}

const struct api_handler describe_cluster_handler = {.key = API_DESCRIBE_CLUSTER,
                                                     .handle = describe_cluster_handle};
