// SPDX-License-Identifier: Apache-2.0
// A start that fails, at whatever step, says why, frees everything and leaves the data as it was.
#include "server/serve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "platform/real/real.h"

enum { PATIENCE_S = 20, LINES_SIZE = 8192, BALLAST = 64 << 20 };

struct stage {
    char dir[64];
    struct env *env;
    struct config config;
    struct server *server;
};

static void stage_open(struct stage *s, const char *dir)
{
    struct error e = {0};
    *s = (struct stage){0};
    if (dir == NULL) {
        snprintf(s->dir, sizeof s->dir, "/tmp/strom-serve-XXXXXX");
        assert_non_null(mkdtemp(s->dir));
        dir = s->dir;
    }
    assert_int_equal(real_env_open(str_from_c(dir), &s->env, &e), ERR_OK);
    config_init(&s->config);
}

static void set(struct stage *s, const char *assignment)
{
    struct error e = {0};
    if (config_assign(&s->config, str_from_c(assignment), STR("test"), &e) != ERR_OK) {
        fail_msg("%s: %s", assignment, e.text);
    }
}

static enum err start(struct stage *s, struct error *e)
{
    static const struct server_options options;
    set(s, "strom.wal.file.bytes=4194304");
    return server_start(s->env, &s->config, &options, &s->server, e);
}

static void stage_close(struct stage *s)
{
    config_fini(&s->config);
    real_env_close(s->env);
    if (s->dir[0] != '\0') {
        char command[128];
        snprintf(command, sizeof command, "rm -rf %s", s->dir);
        assert_int_equal(system(command), 0);
    }
}

static void keep_line(void *arg, enum trace_level level, struct str line)
{
    char *lines = arg;
    (void)level;
    if (strlen(lines) + line.len < LINES_SIZE - 1) {
        strncat(lines, line.ptr, line.len);
    }
}

static void must_start(struct stage *s)
{
    struct error e = {0};
    if (start(s, &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
}

static void starts_and_stops(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, NULL);
    set(&s, "listeners=127.0.0.1:0");
    set(&s, "http.listeners=127.0.0.1:0");
    set(&s, "num.network.threads=3");
    must_start(&s);
    assert_int_not_equal(server_kafka_port(s.server), 0);
    assert_int_not_equal(server_http_port(s.server), 0);
    assert_int_not_equal(server_kafka_port(s.server), server_http_port(s.server));
    server_stop(s.server);
    stage_close(&s);
}

static void failing_start_ends_with_the_reason(void **state)
{
    (void)state;
    struct stage first;
    stage_open(&first, NULL);
    set(&first, "listeners=127.0.0.1:0");
    set(&first, "http.listeners=");
    must_start(&first);
    char taken_kafka[64];
    char taken_http[64];
    snprintf(taken_kafka, sizeof taken_kafka, "listeners=127.0.0.1:%d", server_kafka_port(first.server));
    snprintf(taken_http, sizeof taken_http, "http.listeners=http://127.0.0.1:%d",
             server_kafka_port(first.server));
    const struct {
        const char *settings[4];
        const char *says;
    } cases[] = {
        {{taken_kafka, "http.listeners="}, "listeners: listen on 127.0.0.1:"},
        {{"listeners=127.0.0.1:0", taken_http, "num.network.threads=3"}, "http.listeners: listen on"},
        {{"listeners="}, "there is nothing to serve"},
        {{"listeners=0.0.0.0:0"}, "strom.listen.unprotected=true"},
        {{"listeners=SSL://127.0.0.1:0"}, "only PLAINTEXT"},
        {{"listeners=127.0.0.1"}, "expected host:port"},
        {{"advertised.listeners=nonsense"}, "expected host:port"},
        {{"strom.wal.file.bytes=4194305"}, "steps of 4 KiB"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stage s;
        stage_open(&s, NULL);
        struct error e = {0};
        static const struct server_options options;
        set(&s, "strom.wal.file.bytes=4194304");
        for (size_t k = 0; k < 4 && cases[i].settings[k] != NULL; k++) {
            set(&s, cases[i].settings[k]);
        }
        assert_int_not_equal(server_start(s.env, &s.config, &options, &s.server, &e), ERR_OK);
        if (strstr(e.text, cases[i].says) == NULL) {
            fail_msg("case %zu says: %s", i, e.text);
        }
        stage_close(&s);
    }
    server_stop(first.server);
    stage_close(&first);
}

static void data_directory_is_held_by_one(void **state)
{
    (void)state;
    struct stage first;
    stage_open(&first, NULL);
    set(&first, "listeners=127.0.0.1:0");
    set(&first, "http.listeners=");
    must_start(&first);
    struct stage second;
    stage_open(&second, first.dir);
    set(&second, "listeners=127.0.0.1:0");
    set(&second, "http.listeners=");
    struct error e = {0};
    assert_int_not_equal(start(&second, &e), ERR_OK);
    assert_non_null(strstr(e.text, "in use"));
    stage_close(&second);
    server_stop(first.server);
    stage_close(&first);
}

// A state that takes nearly all of the memory leaves none for records: that is said.
static void tells_that_memory_is_short(void **state)
{
    (void)state;
    static char lines[LINES_SIZE];
    struct error e = {0};
    struct stage s;
    for (int is_short = 0; is_short < 2; is_short++) {
        lines[0] = '\0';
        stage_open(&s, NULL);
        set(&s, "listeners=127.0.0.1:0");
        set(&s, "http.listeners=127.0.0.1:0");
        struct tracer *tracer = tracer_create(s.env, TRACE_INFO, keep_line, lines);
        const struct server_options options = {.tracer = tracer};
        void *ballast = mem_alloc(BALLAST);
        mem_cap_set(is_short ? BALLAST : (size_t)1 << 30);
        assert_int_equal(server_start(s.env, &s.config, &options, &s.server, &e), ERR_OK);
        mem_cap_set(0);
        mem_free(ballast);
        server_stop(s.server);
        tracer_destroy(tracer);
        stage_close(&s);
        assert_int_equal(strstr(lines, "no records are served") != NULL, is_short);
    }
}

int main(void)
{
    alarm(PATIENCE_S); // a stop that never ends must fail, not hang
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_and_stops),
        cmocka_unit_test(failing_start_ends_with_the_reason),
        cmocka_unit_test(data_directory_is_held_by_one),
        cmocka_unit_test(tells_that_memory_is_short),
    };
    return cmocka_run_group_tests_name("serve", tests, NULL, NULL);
}
