// SPDX-License-Identifier: Apache-2.0
// main.c - `strom serve`, the overall help, and the way to every other command.
#include "base/assert.h"
#include "cli/cli.h"
#include "platform/real/process.h"
#include "platform/real/real.h"
#include "server/serve.h"

#include <stdio.h>

#ifndef STROM_VERSION
#define STROM_VERSION "0"
#endif

static const char serve_help[] =
    "Usage: strom serve [--config FILE] [--set KEY=VALUE]...\n"
    "\n"
    "Serve Kafka clients. Without arguments: data in ./strom-data, Kafka on 127.0.0.1:9092,\n"
    "health and metrics over HTTP on 127.0.0.1:8081.\n"
    "\n"
    "  --config FILE      read KEY=VALUE lines (Kafka's own names where Kafka has one)\n"
    "  --set KEY=VALUE    override one setting; may be repeated; wins over file and environment\n"
    "  -h, --help         this page\n"
    "\n"
    "Every setting can also be an environment variable: log.retention.ms is STROM_LOG_RETENTION_MS,\n"
    "strom.wal.file.bytes is STROM_WAL_FILE_BYTES. `strom config describe --broker --all` lists them.\n"
    "\n"
    "Stop with Ctrl-C or SIGTERM: what is in flight is answered first.\n"
    "\n"
    "Examples:\n"
    "  strom serve\n"
    "  strom serve --set data.dir=/var/lib/strom --set num.partitions=3\n"
    "  strom serve --set listeners=127.0.0.1:19092 --set http.listeners=\n";

static void say(enum process_stream stream, const char *text)
{
    (void)!process_write(stream, str_from_c(text), NULL);
}

static void on_trace(void *arg, enum trace_level level, struct str line)
{
    (void)arg;
    (void)level;
    char text[1024];
    snprintf(text, sizeof text, STR_FMT "\n", STR_ARG(line));
    say(PROCESS_STDERR, text);
}

static int complain(const struct error *e)
{
    char text[ERROR_TEXT_SIZE + 128];
    snprintf(text, sizeof text, "strom serve: %s\n", e->text);
    say(PROCESS_STDERR, text);
    return e->code == ERR_INVALID_CONFIG ? 2 : 1;
}

static enum err read_file(struct config *config, const char *path, struct error *e)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    enum err err = process_file_read(str_from_c(path), &text, e);
    err = err == ERR_OK ? config_parse(config, arena_str(&config->arena, buf_str(&text)), str_from_c(path), e)
                        : err;
    buf_fini(&text);
    return err;
}

// read_arguments fills the config: file first, then environment, then --set. *ret_exit >= 0: exit with it.
static enum err read_arguments(int argc, char **argv, struct config *config, int *ret_exit, struct error *e)
{
    *ret_exit = -1;
    const char *file = NULL;
    for (int i = 1; i < argc; i += 2) { // every flag but --help takes a value
        struct str arg = str_from_c(argv[i]);
        if (str_equal(arg, STR("-h")) || str_equal(arg, STR("--help"))) {
            say(PROCESS_STDOUT, serve_help);
            *ret_exit = 0;
            return ERR_OK;
        }
        bool takes_value = str_equal(arg, STR("--set")) || str_equal(arg, STR("--config"));
        if (!takes_value || i + 1 == argc) {
            return takes_value
                       ? FAIL(e, ERR_INVALID_CONFIG, "%s needs a value; see strom serve --help", argv[i])
                       : FAIL(e, ERR_INVALID_CONFIG, "unknown argument %s; see strom serve --help", argv[i]);
        }
        file = str_equal(arg, STR("--config")) ? argv[i + 1] : file;
    }
    enum err err = file == NULL ? ERR_OK : read_file(config, file, e);
    err = err == ERR_OK ? config_environment(config, process_env_find, e) : err;
    for (int i = 1; i + 1 < argc && err == ERR_OK; i += 2) {
        if (str_equal(str_from_c(argv[i]), STR("--set"))) {
            err = config_assign(config, str_from_c(argv[i + 1]), STR("--set"), e);
        }
    }
    return err;
}

static void announce(const struct config *config, struct server *server, struct env *env, int64_t started_ns)
{
    char text[512];
    snprintf(text, sizeof text,
             "Strom " STROM_VERSION " is ready: Kafka on port %d, HTTP on port %d, data in " STR_FMT
             " (%lld ms)\n",
             server_kafka_port(server), server_http_port(server),
             STR_ARG(config_get(config, STR("data.dir"))),
             (long long)((clock_mono_ns(env->clock) - started_ns) / 1000000));
    say(PROCESS_STDOUT, text);
}

static int run_server(struct config *config)
{
    struct error e = {0};
    struct env *env = NULL;
    if (real_env_open(config_get(config, STR("data.dir")), &env, &e) != ERR_OK ||
        real_net_set_congestion(env, config_get(config, STR("strom.tcp.congestion")), &e) != ERR_OK) {
        real_env_close(env);
        return complain(&e);
    }
    int64_t started_ns = clock_mono_ns(env->clock);
    process_fd_limit_raise();
    struct tracer *tracer = tracer_create(env, TRACE_INFO, on_trace, NULL);
    const struct server_options options = {.tracer = tracer, .cpu_count = process_cpu_count()};
    struct server *server = NULL;
    enum err err = server_start(env, config, &options, &server, &e);
    int exit_code = 0;
    if (err == ERR_OK) {
        announce(config, server, env, started_ns);
        while (process_signal_wait() == PROCESS_RELOAD) {
            trace(tracer, TRACE_INFO, "SIGHUP: there is nothing to reload yet");
        }
        server_stop(server);
        say(PROCESS_STDOUT, "Strom has stopped\n");
    } else {
        exit_code = complain(&e);
    }
    tracer_destroy(tracer);
    real_env_close(env);
    return exit_code;
}

static int serve(int argc, char **argv)
{
    process_signals_block();
    struct config config;
    config_init(&config);
    struct error e = {0};
    int exit_code = -1;
    if (read_arguments(argc, argv, &config, &exit_code, &e) != ERR_OK) {
        exit_code = complain(&e);
    } else if (exit_code < 0) {
        exit_code = run_server(&config);
    }
    config_fini(&config);
    return exit_code;
}

static void print_help(enum process_stream stream)
{
    say(stream,
        "Strom " STROM_VERSION ": event streaming that understands its data. Speaks the Kafka protocol.\n"
        "\n"
        "Usage: strom COMMAND [ARGUMENTS]\n"
        "\n"
        "  serve      run the broker\n");
    size_t count = 0;
    const struct cli_command *commands = cli_commands(&count);
    for (size_t i = 0; i < count; i++) {
        char line[160];
        snprintf(line, sizeof line, "  %-10s %s\n", commands[i].name, commands[i].summary);
        say(stream, line);
    }
    say(stream,
        "\n"
        "strom COMMAND --help explains each. A first try, in two terminals:\n"
        "  strom serve\n"
        "  echo hello | strom produce greetings && strom consume greetings --offset earliest --exit\n");
}

int main(int argc, char **argv)
{
    struct str command = argc < 2 ? (struct str){NULL, 0} : str_from_c(argv[1]);
    if (command.ptr == NULL || str_equal(command, STR("-h")) || str_equal(command, STR("--help")) ||
        str_equal(command, STR("help"))) {
        print_help(command.ptr == NULL ? PROCESS_STDERR : PROCESS_STDOUT);
        return command.ptr == NULL ? 2 : 0;
    }
    if (str_equal(command, STR("--version"))) {
        say(PROCESS_STDOUT, "strom " STROM_VERSION "\n");
        return 0;
    }
    if (str_equal(command, STR("serve"))) {
        return serve(argc - 1, argv + 1);
    }
    return cli_run(argc - 1, argv + 1);
}
