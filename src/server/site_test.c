// SPDX-License-Identifier: Apache-2.0
// The schema registry through its port: media types, contexts, limits, and stopping while changes are under
// way. What the registry answers is tested in src/registry/.
#include "server/serve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/real/real.h"
#include "registry/registry.h"

enum { ANSWER_MAX = 1 << 20, CHANGES = 20 };

struct stage {
    char dir[64];
    struct env *env;
    struct config config;
    struct server *server;
};
static struct stage stage;
static char answer[ANSWER_MAX];

static void stage_start(void)
{
    static const struct server_options options;
    static const char *const settings[] = {"listeners=127.0.0.1:0", "http.listeners=127.0.0.1:0",
                                           "strom.wal.file.bytes=4194304"};
    struct error e = {0};
    assert_int_equal(real_env_open(str_from_c(stage.dir), &stage.env, &e), ERR_OK);
    config_init(&stage.config);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        assert_int_equal(config_assign(&stage.config, str_from_c(settings[i]), STR("test"), &e), ERR_OK);
    }
    if (server_start(stage.env, &stage.config, &options, &stage.server, &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
}

static void stage_stop(void)
{
    server_stop(stage.server);
    config_fini(&stage.config);
    real_env_close(stage.env);
}

static int setup(void **state)
{
    (void)state;
    snprintf(stage.dir, sizeof stage.dir, "/tmp/strom-site-XXXXXX");
    assert_non_null(mkdtemp(stage.dir));
    stage_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    stage_stop();
    snprintf(command, sizeof command, "rm -rf %s", stage.dir);
    return system(command);
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)server_http_port(stage.server)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = 120};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        text += sent;
        len -= (size_t)sent;
    }
}

static void hear_all(int fd)
{
    size_t len = 0;
    ssize_t got;
    while ((got = recv(fd, answer + len, ANSWER_MAX - 1 - len, 0)) > 0) {
        len += (size_t)got;
    }
    answer[len] = '\0';
}

// ask sends one request; what comes back lies in `answer`.
static void ask(const char *head, const char *body)
{
    char text[1024];
    int fd = dial();
    int len = snprintf(text, sizeof text, "%s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", head,
                       strlen(body), body);
    say(fd, text, (size_t)len);
    hear_all(fd);
    close(fd);
}

static void expect(const char *head, const char *body, const char *status, const char *has)
{
    ask(head, body);
    if (strncmp(answer + strlen("HTTP/1.1 "), status, 3) != 0 || strstr(answer, has) == NULL) {
        fail_msg("%s %s -> %s (not %s, %s)", head, body, answer, status, has);
    }
}

#define V1      "Content-Type: application/vnd.schemaregistry.v1+json\r\n"
#define GENERIC "Content-Type: application/vnd.schemaregistry+json\r\n"
#define PLAIN   "Content-Type: application/json\r\n"

static void media_types(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        const char *status;
        const char *has;
    } cases[] = {
        {"GET /schemas/types HTTP/1.1", "200", V1},
        {"GET /schemas/types HTTP/1.1\r\nAccept: */*", "200", V1},
        {"GET /schemas/types HTTP/1.1\r\nAccept:", "200", V1},
        {"GET /schemas/types HTTP/1.1\r\nAccept: application/json", "200", PLAIN},
        {"GET /schemas/types HTTP/1.1\r\nACCEPT: Application/JSON;charset=utf-8", "200", PLAIN},
        {"GET /schemas/types HTTP/1.1\r\nAccept: text/html, application/*;q=0.1", "200", V1},
        {"GET /schemas/types HTTP/1.1\r\nAccept: application/vnd.schemaregistry+json, application/json",
         "200", GENERIC},
        {"GET /schemas/types HTTP/1.1\r\nAccept: application/json;q=0.9, */*;q=0.8", "200", PLAIN},
        {"GET /schemas/types HTTP/1.1\r\nAccept: application/vnd.schemaregistry.v1+json;q=0, */*", "200",
         GENERIC},
        {"GET /schemas/types HTTP/1.1\r\nAccept: application/vnd.schemaregistry.v1+json, "
         "application/vnd.schemaregistry+json, application/json",
         "200", V1},
        {"GET /schemas/types HTTP/1.1\r\nAccept: text/plain", "406", "{\"error_code\":406,"},
        {"GET /schemas/types HTTP/1.1\r\nAccept: */*;q=0", "406", V1},
        {"GET /nothing HTTP/1.1\r\nAccept: text/plain", "404",
         "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}"},
        {"GET /nothing HTTP/1.1", "404", V1},
        {"DELETE /schemas/types HTTP/1.1", "405", "{\"error_code\":405,"},
        {"GET /contexts/.a/schemas/types HTTP/1.1", "200", "AVRO"},
        {"HEAD /schemas/types HTTP/1.1", "200", "Content-Length: 26\r\n"},
        {"GET /health HTTP/1.1", "200", "\"status\":\"ok\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect(cases[i].head, "", cases[i].status, cases[i].has);
    }
    static const char *const bodies[] = {
        "application/vnd.schemaregistry.v1+json", "application/vnd.schemaregistry+json",
        "application/json; charset=utf-8", "application/octet-stream", "APPLICATION/JSON"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char head[256];
        snprintf(head, sizeof head, "PUT /config HTTP/1.1\r\nContent-Type: %s", bodies[i]);
        expect(head, "{\"compatibility\":\"FULL\"}", "200", "FULL");
    }
    expect("PUT /config HTTP/1.1", "{\"compatibility\":\"NONE\"}", "200", "NONE");
    expect("PUT /config HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded", "{}", "415",
           "{\"error_code\":415,");
    expect("GET /config HTTP/1.1", "", "200", "NONE");
}

static void contexts_and_escapes(void **state)
{
    (void)state;
    expect("PUT /config/a%2Fb%20c HTTP/1.1", "{\"compatibility\":\"FULL\"}", "200", "FULL");
    expect("PUT /contexts/.ctx/config/s HTTP/1.1", "{\"compatibility\":\"NONE\"}", "200", "NONE");
    expect("GET /config/a%2fb%20c HTTP/1.1", "", "200", "FULL");
    expect("GET /config/a HTTP/1.1", "", "404", "40408");
    expect("GET /config/:.ctx:s HTTP/1.1", "", "200", "NONE");
    expect("GET /config/%3A.ctx%3As/ HTTP/1.1", "", "200", "NONE");
    expect("GET /contexts/.ctx/config/s HTTP/1.1", "", "200", "NONE");
    expect("GET /contexts/.other/config/s HTTP/1.1", "", "404", "40408");
    expect("GET /config/s HTTP/1.1", "", "404", "40408");
    expect("GET /config/s?defaultToGlobal=true HTTP/1.1", "", "200", "BACKWARD");
    stage_stop();
    stage_start();
    expect("GET /config/:.ctx:s HTTP/1.1", "", "200", "NONE");
}

static void bodies_are_bounded(void **state)
{
    (void)state;
    enum { OVER = REGISTRY_BODY_BYTES_MAX + 1 };
    char head[128];
    char *body = malloc(OVER);
    assert_non_null(body);
    memset(body, ' ', OVER);
    for (int over = 0; over < 2; over++) {
        int fd = dial();
        int len = snprintf(head, sizeof head,
                           "PUT /config HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
                           REGISTRY_BODY_BYTES_MAX + over);
        say(fd, head, (size_t)len);
        say(fd, body, REGISTRY_BODY_BYTES_MAX + (size_t)over);
        hear_all(fd);
        assert_int_equal(strncmp(answer, over ? "HTTP/1.1 413 " : "HTTP/1.1 400 ", 13), 0);
        close(fd);
    }
    free(body);
}

// Changes that are under way when the server stops are answered, and nothing is left behind; clients that
// have gone meanwhile are not missed.
static void stops_while_changes_are_under_way(void **state)
{
    (void)state;
    int fds[CHANGES];
    for (int i = 0; i < CHANGES; i++) {
        char text[256];
        fds[i] = dial();
        int len =
            snprintf(text, sizeof text,
                     "PUT /config/s%d HTTP/1.1\r\nContent-Length: 24\r\n\r\n{\"compatibility\":\"FULL\"}", i);
        say(fds[i], text, (size_t)len);
        if (i % 4 == 3) {
            struct linger reset = {.l_onoff = 1, .l_linger = 0};
            assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
            close(fds[i]);
        }
    }
    stage_stop();
    stage_start();
    for (int i = 0; i < CHANGES; i++) {
        if (i % 4 == 3) {
            continue;
        }
        hear_all(fds[i]);
        close(fds[i]);
        char head[64];
        bool was_answered = strstr(answer, "HTTP/1.1 200 ") != NULL;
        assert_true(was_answered || answer[0] == '\0');
        snprintf(head, sizeof head, "GET /config/s%d HTTP/1.1", i);
        if (was_answered) {
            expect(head, "", "200", "FULL");
        }
    }
}

static void counts(void **state)
{
    (void)state;
    expect("GET /schemas/types HTTP/1.1", "", "200", "AVRO");
    expect("GET /contexts/.a/schemas/types HTTP/1.1", "", "200", "AVRO");
    expect("PUT /config HTTP/1.1\r\nContent-Type: text/plain", "{}", "415", "");
    expect("GET /metrics HTTP/1.1", "", "200",
           "strom_registry_requests_total{route=\"GET /schemas/types\",status=\"200\"} 2\n");
    assert_non_null(
        strstr(answer, "strom_registry_requests_total{route=\"PUT /config\",status=\"415\"} 1\n"));
    assert_non_null(strstr(answer, "\nstrom_registry_request_seconds_count 3\n"));
    assert_non_null(strstr(answer, "\nstrom_registry_contexts 1\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(media_types, setup, teardown),
        cmocka_unit_test_setup_teardown(contexts_and_escapes, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(stops_while_changes_are_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(counts, setup, teardown),
    };
    return cmocka_run_group_tests_name("site", tests, NULL, NULL);
}
