// SPDX-License-Identifier: Apache-2.0
// serve_flags.c - the page and the flags of `strom serve`; the broker itself is elsewhere.
#include "cli/cli_private.h"

static const struct args_flag serve_flag_table[] = {
    {"config", ARGS_TEXT, "FILE", NULL, 0, 0, "Read KEY=VALUE lines (Kafka's own names where Kafka has one).",
     ARGS_WORDS_FILE},
    {"set", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "Override one setting; wins over file and environment.",
     ARGS_WORDS_BROKER_SETTING},
};
static const struct args_spec serve_spec = {
    .command = "strom serve",
    .names_usage = "",
    .summary = "run the broker",
    .text = "Serves Kafka clients. Without flags it keeps its data in ./strom-data, listens on "
            "127.0.0.1:9092 for "
            "Kafka and on 127.0.0.1:8081 for the schema registry, health and metrics over HTTP.\n\n"
            "Every setting can also be an environment variable: log.retention.ms is STROM_LOG_RETENTION_MS, "
            "strom.wal.file.bytes is STROM_WAL_FILE_BYTES. `strom config describe --broker --all --explain` "
            "lists them.\n\n"
            "Stop it with Ctrl-C or SIGTERM: what is in flight is answered first, and the exit code is 0.",
    .examples = "  strom serve\n"
                "  strom serve --set data.dir=/var/lib/strom --set num.partitions=3\n"
                "  strom serve --set listeners=127.0.0.1:19092 --set http.listeners=\n",
    .flags = serve_flag_table,
    .flag_count = sizeof serve_flag_table / sizeof *serve_flag_table,
};
const struct cli_command serve_command = {.name = "serve", .spec = &serve_spec};

bool serve_flags(struct run *run, int argc, char **argv, struct cli_serve *ret)
{
    if (!run_start(run, &serve_spec, argc, argv)) {
        return false;
    }
    struct str *sets = arena_new(&run->arena, struct str, ARGS_VALUES_MAX);
    while (sets != NULL && args_list(run->args, "set", ret->set_count, &sets[ret->set_count])) {
        ret->set_count++;
    }
    ret->sets = sets;
    ret->config_path = args_text(run->args, "config");
    return true;
}
