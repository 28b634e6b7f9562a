// SPDX-License-Identifier: Apache-2.0
// cluster.c - `strom cluster`: who the brokers are, and which requests they speak.
#include "cli/cli_private.h"

static const struct args_flag cluster_flags[] = {
    {"apis", ARGS_SWITCH, NULL, NULL, 0, 0, "List the requests that the broker speaks, with their versions."},
};
static const struct args_spec cluster_spec = {
    .command = "strom cluster",
    .names_usage = "",
    .summary = "show the brokers and what they speak",
    .text = "Shows the id of the cluster and its brokers, as the broker that answers sees them.",
    .examples = "  strom cluster\n  strom cluster --apis\n  strom cluster --json | jq -r .cluster_id\n",
    .flags = cluster_flags,
    .flag_count = sizeof cluster_flags / sizeof *cluster_flags,
    .is_remote = true,
    .is_json = true,
};

static struct str api_name(struct run *run, int16_t key)
{
    const struct wire_api *api = wire_api_find(key);
    return api != NULL ? str_from_c(api->name) : run_print(run, "key %d", key);
}

static void cluster_json(struct run *run, const struct describe_cluster_response *cluster)
{
    json_object_begin(&run->json);
    json_pair_str(&run->json, "cluster_id", cluster->cluster_id);
    json_pair_i64(&run->json, "controller_id", cluster->controller_id);
    json_pair_str(&run->json, "answered_by", client_address(run->client));
    json_key(&run->json, "brokers");
    json_array_begin(&run->json);
    for (int32_t i = 0; i < cluster->brokers_count; i++) {
        json_object_begin(&run->json);
        json_pair_i64(&run->json, "id", cluster->brokers[i].broker_id);
        json_pair_str(&run->json, "host", cluster->brokers[i].host);
        json_pair_i64(&run->json, "port", cluster->brokers[i].port);
        json_pair_str(&run->json, "rack", cluster->brokers[i].rack);
        json_object_end(&run->json);
    }
    json_array_end(&run->json);
    json_key(&run->json, "apis");
    json_array_begin(&run->json);
    int16_t min;
    int16_t max;
    for (int16_t key = 0; key < 1000; key++) {
        if (client_range(run->client, key, &min, &max)) {
            json_object_begin(&run->json);
            json_pair_i64(&run->json, "key", key);
            json_pair_str(&run->json, "name", api_name(run, key));
            json_pair_i64(&run->json, "min_version", min);
            json_pair_i64(&run->json, "max_version", max);
            json_object_end(&run->json);
        }
    }
    json_array_end(&run->json);
    json_object_end(&run->json);
    buf_u8(&run->out, '\n');
}

static void apis_table(struct run *run)
{
    static const struct table_column columns[] = {{"KEY", true}, {"REQUEST", false}, {"VERSIONS", false}};
    struct table t;
    int16_t min;
    int16_t max;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (int16_t key = 0; key < 1000; key++) {
        if (client_range(run->client, key, &min, &max)) {
            table_i64(&t, key);
            table_str(&t, api_name(run, key));
            table_str(&t, run_print(run, "%d-%d", min, max));
        }
    }
    buf_u8(&run->out, '\n');
    table_print(&t, &run->out);
    table_fini(&t);
}

static void cluster_text(struct run *run, const struct describe_cluster_response *cluster)
{
    static const struct table_column columns[] = {
        {"BROKER", true}, {"ADDRESS", false}, {"RACK", false}, {"ROLE", false}};
    struct table t;
    buf_printf(&run->out, "cluster ");
    text_show(cluster->cluster_id, &run->out);
    buf_printf(&run->out, ", answered by " STR_FMT "\n\n", STR_ARG(client_address(run->client)));
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (int32_t i = 0; i < cluster->brokers_count; i++) {
        const struct describe_cluster_response_broker *broker = &cluster->brokers[i];
        table_i64(&t, broker->broker_id);
        table_str(&t, run_print(run, STR_FMT ":%d", STR_ARG(broker->host), broker->port));
        table_str(&t, broker->rack);
        table_str(&t, broker->broker_id == cluster->controller_id ? STR("controller") : STR("broker"));
    }
    table_print(&t, &run->out);
    table_fini(&t);
    if (args_given(run->args, "apis")) {
        apis_table(run);
    }
}

static int cluster_run(int argc, char **argv)
{
    struct run run;
    struct describe_cluster_request request;
    struct describe_cluster_response response;
    wire_init(&describe_cluster_request_type, &request);
    if (run_start(&run, &cluster_spec, argc, argv) && run_connect(&run) &&
        run_call(&run, API_DESCRIBE_CLUSTER, &request, &response)) {
        if (response.error != ERR_OK) {
            run_refused(&run, "cannot describe the cluster", response.error, response.error_message, NULL);
        } else if (run.is_json) {
            cluster_json(&run, &response);
        } else {
            cluster_text(&run, &response);
        }
    }
    return run_finish(&run);
}

const struct cli_command cluster_command = {.name = "cluster", .spec = &cluster_spec, .run = cluster_run};
