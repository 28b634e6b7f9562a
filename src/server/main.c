// SPDX-License-Identifier: Apache-2.0
// main.c - `strom serve`; every other command is the command line's.
#include "base/assert.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "platform/real/process.h"
#include "platform/real/real.h"
#include "server/serve.h"

#include <stdio.h>

#ifndef STROM_VERSION
#define STROM_VERSION "0"
#endif

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

static enum err read_file(struct config *config, struct str path, struct error *e)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    enum err err = process_file_read(path, &text, e);
    err = err == ERR_OK ? config_parse(config, arena_str(&config->arena, buf_str(&text)), path, e) : err;
    buf_fini(&text);
    return err;
}

// read_settings fills the config: file first, then environment, then --set.
static enum err read_settings(const struct cli_serve *options, struct config *config, struct error *e)
{
    enum err err = options->config_path.ptr == NULL ? ERR_OK : read_file(config, options->config_path, e);
    err = err == ERR_OK ? config_environment(config, process_env_find, e) : err;
    for (size_t i = 0; i < options->set_count && err == ERR_OK; i++) {
        err = config_assign(config, options->sets[i], STR("--set"), e);
    }
    err = err == ERR_OK ? config_fit(config, e) : err;
    return err == ERR_OK ? config_check(config, e) : err;
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
    mem_cap_set((size_t)config_i64(config, STR("strom.memory.max.bytes")));
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

static int serve(const struct cli_serve *options)
{
    process_signals_block();
    struct config config;
    config_init(&config);
    struct error e = {0};
    int exit_code = read_settings(options, &config, &e) == ERR_OK ? run_server(&config) : complain(&e);
    config_fini(&config);
    return exit_code;
}

int main(int argc, char **argv)
{
    return cli_main(argc, argv, serve);
}
