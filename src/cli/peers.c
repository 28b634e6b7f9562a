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

static struct str address_text(struct run *run, struct str host, int32_t port)
{
    bool is_v6 = host.len > 0 && memchr(host.ptr, ':', host.len) != NULL;
    return run_print(run, "%s" STR_FMT "%s:%d", is_v6 ? "[" : "", STR_ARG(host), is_v6 ? "]" : "", port);
}

// peer_connect opens a connection to a broker under the address that the cluster tells.
static struct client *peer_connect(struct run *run, int32_t id, struct str host, int32_t port)
{
    struct error e = {0};
    struct client *client = NULL;
    struct str address = address_text(run, host, port);
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

// coordinator_ask asks once where a group belongs. Of the broker's own error e has no file.
static enum err coordinator_ask(struct run *run, struct str group,
                                struct find_coordinator_response_coordinator *ret, struct error *e)
{
    struct find_coordinator_request request;
    struct find_coordinator_response response;
    wire_init(&find_coordinator_request_type, &request);
    request.key = group;
    request.coordinator_keys = &group;
    request.coordinator_keys_count = 1;
    enum err err = client_is_connected(run->client) ? ERR_OK : client_connect(run->client, e);
    err = err == ERR_OK ? client_call(run->client, API_FIND_COORDINATOR, &request, &run->arena, &response, e)
                        : err;
    if (err != ERR_OK) {
        return err;
    }
    if (response.coordinators_count > 0) {
        *ret = response.coordinators[0];
    } else {
        *ret = (struct find_coordinator_response_coordinator){.node_id = response.node_id,
                                                              .host = response.host,
                                                              .port = response.port,
                                                              .error = response.error,
                                                              .error_message = response.error_message};
    }
    if (ret->error != ERR_OK && e != NULL) {
        *e = (struct error){.code = ret->error};
        snprintf(e->text, sizeof e->text, STR_FMT,
                 (int)(ret->error_message.len < sizeof e->text ? ret->error_message.len : sizeof e->text - 1),
                 ret->error_message.ptr == NULL ? "" : ret->error_message.ptr);
    }
    return ret->error;
}

struct client *run_coordinator(struct run *run, struct str group, int32_t *ret_id)
{
    struct find_coordinator_response_coordinator found;
    struct error e;
    enum err err;
    int64_t deadline_ns = run_deadline(run);
    do {
        e = (struct error){0};
        err = coordinator_ask(run, group, &found, &e);
    } while (err != ERR_OK && run_retry(run, err, deadline_ns));
    if (err != ERR_OK) {
        run_fail(run, run_print(run, "cannot find the coordinator of group " STR_FMT, STR_ARG(group)).ptr,
                 err, &e, NULL);
        return NULL;
    }
    *ret_id = found.node_id;
    return run_broker(run, found.node_id);
}

enum err run_coordinator_open(struct run *run, struct str group, struct client **ret_client, struct error *e)
{
    struct find_coordinator_response_coordinator found;
    struct metadata_request request;
    struct metadata_response cluster;
    wire_init(&metadata_request_type, &request);
    request.topics_count = 0; // none
    enum err err = coordinator_ask(run, group, &found, e);
    err = err == ERR_OK ? client_call(run->client, API_METADATA, &request, &run->arena, &cluster, e) : err;
    if (err != ERR_OK) {
        return err;
    }
    // In a cluster of one, its advertised address may lead nowhere from here.
    struct str address =
        cluster.brokers_count <= 1 ? client_address(run->client) : address_text(run, found.host, found.port);
    struct client *client = NULL;
    err = client_create(run->env, address, args_int(run->args, "timeout-ms"), &client, e);
    err = err == ERR_OK ? client_connect(client, e) : err;
    if (err != ERR_OK) {
        client_destroy(client);
        return err;
    }
    *ret_client = client;
    return ERR_OK;
}
