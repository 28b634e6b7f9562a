// SPDX-License-Identifier: Apache-2.0
// DescribeUserScramCredentials (key 50, KIP-554). There is no authentication, so nobody has credentials: all
// of them are none, and a user who is named has none. Each user is answered once, in the order of the names.
#include "kafka/handlers/handlers.h"

#include <stdlib.h>

static int name_order(const void *left, const void *right)
{
    return str_compare(*(const struct str *)left, *(const struct str *)right);
}

static void fill_user(struct request *rq, struct str name, bool is_repeated,
                      struct describe_user_scram_credentials_response_result *out)
{
    struct str why =
        is_repeated ? STR("Cannot describe SCRAM credentials for the same user twice in a single request")
                    : STR("Attempt to describe a user credential that does not exist");
    out->user = name;
    out->error = is_repeated ? ERR_DUPLICATE_RESOURCE : ERR_RESOURCE_NOT_FOUND;
    out->error_message = arena_printf(&rq->arena, STR_FMT ": " STR_FMT, STR_ARG(why), STR_ARG(name));
}

static void describe_handle(struct request *rq)
{
    const struct describe_user_scram_credentials_request *in = rq->in;
    struct describe_user_scram_credentials_response *out = rq->out;
    uint32_t count = in->users_count < 0 ? 0 : (uint32_t)in->users_count;
    struct str *names = request_new(rq, struct str, (size_t)count + 1);
    out->results = wire_array(&rq->arena, describe_user_scram_credentials_response_result, count);
    if (names == NULL || out->results == NULL) {
        request_out_of_memory(rq);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        names[i] = in->users[i].name;
    }
    qsort(names, count, sizeof *names, name_order);
    for (uint32_t i = 0, next; i < count && !rq->arena.failed; i = next) {
        for (next = i + 1; next < count && str_equal(names[i], names[next]);) {
            next++;
        }
        fill_user(rq, names[i], next > i + 1, &out->results[out->results_count++]);
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler describe_user_scram_credentials_handler = {
    .key = API_DESCRIBE_USER_SCRAM_CREDENTIALS, .handle = describe_handle};
