// SPDX-License-Identifier: Apache-2.0
// peers.c - connections to particular brokers of a cluster. Groups belong to a coordinator each, which need
// not be the broker that was named.
#include "cli/cli_private.h"

enum { RETRY_MS = 100, NS_PER_MS = 1000000 };

int64_t run_deadline(struct run *run)
{
    return clock_mono_ns(run->env->clock) + args_int(run->args, "timeout-ms") * NS_PER_MS;
}

bool run_retry(struct run *run, enum err err, int64_t deadline_ns)
{
    int64_t now_ns = clock_mono_ns(run->env->clock);
    bool is_passing = err == ERR_COORDINATOR_LOADING || err == ERR_COORDINATOR_NOT_AVAILABLE ||
                      err == ERR_NOT_COORDINATOR || err == ERR_UNSTABLE_OFFSET_COMMIT ||
                      err == ERR_NOT_LEADER;
    if (!is_passing || now_ns + (int64_t)RETRY_MS * NS_PER_MS > deadline_ns) {
        return false;
    }
    clock_sleep_until(run->env->clock, now_ns + (int64_t)RETRY_MS * NS_PER_MS);
    return true;
}

// peer_connect opens a connection to a broker under the address that the cluster tells.
static struct client *peer_connect(struct run *run, int32_t id, struct str host, int32_t port)
{
    struct error e = {0};
    struct client *client = NULL;
    bool is_v6 = memchr(host.ptr, ':', host.len) != NULL;
    struct str address =
        run_print(run, "%s" STR_FMT "%s:%d", is_v6 ? "[" : "", STR_ARG(host), is_v6 ? "]" : "", port);
    if (run->peer_count == CLI_PEERS_MAX) {
        run_fail(run, NULL, FAIL(&e, ERR_BUSY, "more than %d brokers", CLI_PEERS_MAX), &e, NULL);
        return NULL;
    }
    enum err err = client_create(run->env, address, args_int(run->args, "timeout-ms"), &client, &e);
    err = err == ERR_OK ? client_connect(client, &e) : err;
    if (err != ERR_OK) {
        client_destroy(client);
        run_fail(run, run_print(run, "broker %d", id).ptr, err, &e,
                 "the cluster told this address: is it reachable from here? (advertised.listeners)");
        return NULL;
    }
    run->peers[run->peer_count++] = (struct peer){id, client};
    return client;
}

struct client *run_broker(struct run *run, int32_t id)
{
    struct error e = {0};
    struct metadata_request request;
    struct metadata_response response;
    for (size_t i = 0; i < run->peer_count; i++) {
        struct client *client = run->peers[i].client;
        if (run->peers[i].id == id) {
            enum err err = client_is_connected(client) ? ERR_OK : client_connect(client, &e);
            if (err != ERR_OK) {
                run_fail(run, NULL, err, &e, NULL);
            }
            return err == ERR_OK ? client : NULL;
        }
    }
    wire_init(&metadata_request_type, &request);
    request.topics_count = 0; // none
    if (!run_call(run, API_METADATA, &request, &response)) {
        return NULL;
    }
    if (response.brokers_count <= 1) {
        return run->client; // also where its advertised address leads nowhere
    }
    for (int32_t i = 0; i < response.brokers_count; i++) {
        const struct metadata_response_broker *broker = &response.brokers[i];
        if (broker->node_id == id) {
            return peer_connect(run, id, broker->host, broker->port);
        }
    }
    run_refused(run, run_print(run, "broker %d", id).ptr, ERR_COORDINATOR_NOT_AVAILABLE,
                STR("the cluster does not list it"), NULL);
    return NULL;
}

struct client *run_coordinator(struct run *run, struct str group, int32_t *ret_id)
{
    struct find_coordinator_request request;
    struct find_coordinator_response response;
    enum err err;
    struct str message;
    int32_t id;
    int64_t deadline_ns = run_deadline(run);
    wire_init(&find_coordinator_request_type, &request);
    request.key = group;
    request.coordinator_keys = &group;
    request.coordinator_keys_count = 1;
    do {
        if (!run_call(run, API_FIND_COORDINATOR, &request, &response)) {
            return NULL;
        }
        bool is_list = response.coordinators_count > 0;
        err = is_list ? response.coordinators->error : response.error;
        message = is_list ? response.coordinators->error_message : response.error_message;
        id = is_list ? response.coordinators->node_id : response.node_id;
    } while (err != ERR_OK && run_retry(run, err, deadline_ns));
    if (err != ERR_OK) {
        run_refused(run, run_print(run, "cannot find the coordinator of group " STR_FMT, STR_ARG(group)).ptr,
                    err, message, NULL);
        return NULL;
    }
    *ret_id = id;
    return run_broker(run, id);
}
