// SPDX-License-Identifier: Apache-2.0
// HTTP over real sockets: routing, pipelining, limits, malformed and slow clients. The clock is ours, so that
// timeouts pass at once.
#include "http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/real/real.h"

enum { ANSWER_MAX = 1 << 20, BIG_ANSWER = 48 << 20 };

struct rig {
    struct env *real;
    struct env env; // the real one but for its clock
    struct clock clock;
    int64_t ahead_ns; // atomic
    struct loop *loop;
    struct thread *thread;
    struct metrics *metrics;
    struct http_server *server;
    int port;
    struct task nudge;
    bool is_nudged; // atomic
    struct task stop;
    bool is_stopped;            // atomic
    bool was_asked;             // to stop
    int handled;                // atomic
    struct http_request *later; // of /later; the loop's
    struct task answer;
};
static struct rig rig;

static int64_t clock_ahead_ns(struct clock *c)
{
    (void)c;
    return clock_mono_ns(rig.real->clock) + __atomic_load_n(&rig.ahead_ns, __ATOMIC_ACQUIRE);
}
static int64_t clock_wall(struct clock *c)
{
    (void)c;
    return clock_wall_ms(rig.real->clock);
}
static const struct clock_ops clock_ops = {.mono_ns = clock_ahead_ns, .wall_ms = clock_wall};

// ---- routes

static void on_echo(struct http_request *rq)
{
    __atomic_add_fetch(&rig.handled, 1, __ATOMIC_RELAXED);
    struct str query = http_request_query(rq, STR("q"));
    struct str header = http_request_header(rq, STR("x-test"));
    struct bytes body = http_request_body(rq);
    struct str text =
        arena_printf(http_request_arena(rq), "%s|" STR_FMT "|" STR_FMT "|" STR_FMT "|%zu|%s",
                     http_request_method(rq).ptr, STR_ARG(http_request_param(rq, 0)), STR_ARG(query),
                     STR_ARG(header), body.len, (const char *)http_request_arg(rq));
    http_reply(rq, 200, STR("text/plain"), bytes_of(text.ptr, text.len));
}

static void on_big(struct http_request *rq)
{
    __atomic_add_fetch(&rig.handled, 1, __ATOMIC_RELAXED);
    uint8_t *body = calloc(1, BIG_ANSWER);
    assert_non_null(body);
    http_reply(rq, 200, STR("text/plain"), bytes_of(body, BIG_ANSWER));
    free(body);
}

// on_later leaves the answer to rig.answer, as a handler does that waits for the disk.
static void on_later(struct http_request *rq)
{
    rig.later = rq;
    __atomic_add_fetch(&rig.handled, 1, __ATOMIC_RELAXED);
}

static void on_answer(struct task *task)
{
    (void)task;
    struct bytes body = http_request_body(rig.later);
    http_reply(rig.later, 200, STR("text/plain"), body);
    rig.later = NULL;
}

static const struct http_route routes[] = {
    {"GET", "/echo/{name}", on_echo, (void *)"get"},
    {"POST", "/echo/{name}", on_echo, (void *)"post"},
    {"GET", "/plain", on_echo, (void *)"plain"},
    {"GET", "/big", on_big, NULL},
    {"POST", "/later", on_later, NULL},
};

// ---- the rig

static void loop_main(void *arg)
{
    loop_run(arg);
}

static void on_nudge(struct task *task)
{
    (void)task;
    __atomic_store_n(&rig.is_nudged, true, __ATOMIC_RELEASE);
}

static void on_stopped(void *arg)
{
    (void)arg;
    __atomic_store_n(&rig.is_stopped, true, __ATOMIC_RELEASE);
    loop_stop(rig.loop);
}

static void on_stop(struct task *task)
{
    (void)task;
    http_server_stop(rig.server, on_stopped, NULL);
}

static int setup(void **state)
{
    (void)state;
    struct error e = {0};
    struct sock *listener = NULL;
    rig = (struct rig){.nudge = {.run = on_nudge}, .stop = {.run = on_stop}, .answer = {.run = on_answer}};
    assert_int_equal(real_env_open(STR(""), &rig.real, &e), ERR_OK);
    rig.env = *rig.real;
    rig.clock.ops = &clock_ops;
    rig.env.clock = &rig.clock;
    rig.loop = loop_create(&rig.env);
    rig.metrics = metrics_create();
    rig.server = http_server_create(rig.loop, rig.metrics,
                                    (struct http_routes){routes, sizeof routes / sizeof routes[0], NULL});
    assert_int_equal(net_listen(rig.real->net, STR("127.0.0.1"), 0, &listener, &rig.port, &e), ERR_OK);
    http_server_listen(rig.server, listener);
    rig.thread = thread_start(rig.real->threads, "loop", loop_main, rig.loop);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (!rig.was_asked) {
        loop_post(rig.loop, &rig.stop);
    }
    thread_join(rig.real->threads, rig.thread);
    http_server_destroy(rig.server);
    loop_destroy(rig.loop);
    metrics_destroy(rig.metrics);
    real_env_close(rig.real);
    return 0;
}

// time_passes moves the clock and returns when the loop has seen it: in the round after the one that ran the
// task, timers have fired.
static void time_passes(int64_t ms)
{
    __atomic_add_fetch(&rig.ahead_ns, ms * 1000000, __ATOMIC_RELEASE);
    for (int round = 0; round < 2; round++) {
        __atomic_store_n(&rig.is_nudged, false, __ATOMIC_RELEASE);
        loop_post(rig.loop, &rig.nudge);
        while (!__atomic_load_n(&rig.is_nudged, __ATOMIC_ACQUIRE)) {
            usleep(1000);
        }
    }
}

// ---- the client

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)rig.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = 120};
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return; // the server closed; the test finds out when it reads
        }
        text += sent;
        len -= (size_t)sent;
    }
}

// hear_all reads until the server closes; false where it does not.
static bool hear_all(int fd, char *out)
{
    size_t len = 0;
    for (;;) {
        ssize_t got = recv(fd, out + len, ANSWER_MAX - 1 - len, 0);
        if (got <= 0) {
            out[len] = '\0';
            return got == 0 || errno == ECONNRESET;
        }
        len += (size_t)got;
    }
}

// hear reads until `last` has come.
static void hear(int fd, char *out, const char *last)
{
    size_t len = 0;
    out[0] = '\0';
    while (strstr(out, last) == NULL) {
        ssize_t got = recv(fd, out + len, ANSWER_MAX - 1 - len, 0);
        if (got <= 0) {
            fail_msg("closed or silent after: %s", out);
        }
        len += (size_t)got;
        out[len] = '\0';
    }
}

static int count_of(const char *text, const char *what)
{
    int count = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        count++;
    }
    return count;
}

static char answer[ANSWER_MAX];

static int64_t cpu_ms(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

// ---- tests

static void answers(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *status;
        const char *has;
    } cases[] = {
        {"GET /echo/a?q=1 HTTP/1.1\r\nHost: h\r\nX-TEST: v\r\n", "HTTP/1.1 200 OK\r\n",
         "\r\n\r\nGET|a|1|v|0|get"},
        {"GET /echo/a%2Fb%20c?x=0&q=%41+b HTTP/1.1\r\n", "HTTP/1.1 200 ", "GET|a/b c|A b||0|get"},
        {"GET /echo/%zz%4?q HTTP/1.1\r\n", "HTTP/1.1 200 ", "GET|%zz%4|||0|get"},
        {"HEAD /plain HTTP/1.1\r\n", "HTTP/1.1 200 ", "Content-Length: "},
        {"POST /echo/n HTTP/1.1\r\nContent-Length: 0\r\n", "HTTP/1.1 200 ", "POST|n|||0|post"},
        {"GET / HTTP/1.1\r\n", "HTTP/1.1 404 Not Found", "\"error_code\":404"},
        {"GET /echo HTTP/1.1\r\n", "HTTP/1.1 404 ", ""},
        {"GET /echo/ HTTP/1.1\r\n", "HTTP/1.1 404 ", ""},
        {"GET /echo/a/b HTTP/1.1\r\n", "HTTP/1.1 404 ", ""},
        {"GET /plain/ HTTP/1.1\r\n", "HTTP/1.1 200 ", "|plain"},
        {"GET /plain// HTTP/1.1\r\n", "HTTP/1.1 404 ", ""},
        {"GET http://somewhere:8081/echo/a?q=1 HTTP/1.1\r\n", "HTTP/1.1 200 ", "GET|a|1|"},
        {"GET http://somewhere HTTP/1.1\r\n", "HTTP/1.1 404 ", ""},
        {"OPTIONS /plain HTTP/1.1\r\n", "HTTP/1.1 204 No Content\r\nAllow: GET, HEAD\r\n", ""},
        {"PUT /echo/a HTTP/1.1\r\n", "HTTP/1.1 405 ", "Allow: GET, HEAD, POST\r\n"},
        {"POST /echo/a HTTP/1.1\r\nContent-Length: 0\r\nExpect: the best\r\n", "HTTP/1.1 417 ", ""},
        {"POST /echo/a HTTP/1.1\r\nTransfer-Encoding: gzip\r\n", "HTTP/1.1 400 ", ""},
        {"CONNECT h:1 HTTP/1.1\r\n", "HTTP/1.1 404 ", ""},
        {"DELETE /plain HTTP/1.1\r\n", "HTTP/1.1 405 Method Not Allowed", "\"error_code\":405"},
        {"GET nonsense HTTP/1.1\r\n", "HTTP/1.1 400 ", ""},
        {"GET /plain HTTP/9.9.9\r\n", "HTTP/1.1 400 ", ""},
        {"GET /plain HTTP/1.1\r\nContent-Length: nine\r\n", "HTTP/1.1 400 ", ""},
        {"GET /plain HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", "HTTP/1.1 400 ", ""},
        {"POST /echo/a HTTP/1.1\r\nContent-Length: 8388609\r\n", "HTTP/1.1 413 ", "Connection: close"},
        {"POST /echo/a HTTP/1.1\r\nContent-Length: 99999999999999999\r\n", "HTTP/1.1 413 ", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char request[512];
        int len = snprintf(request, sizeof request, "%sConnection: close\r\n\r\n", cases[i].request);
        int fd = dial();
        say(fd, request, (size_t)len);
        if (!hear_all(fd, answer) || strncmp(answer, cases[i].status, strlen(cases[i].status)) != 0 ||
            strstr(answer, cases[i].has) == NULL) {
            fail_msg("%s -> %s", request, answer);
        }
        close(fd);
    }
}

// A body that is refused is not read as the requests that it may look like.
static void refused_body_is_no_request(void **state)
{
    (void)state;
    static const char text[] = "POST /echo/a HTTP/1.1\r\nContent-Length: 8388609\r\n\r\n"
                               "GET /plain HTTP/1.1\r\n\r\nGET /plain HTTP/1.1\r\n\r\n";
    int fd = dial();
    say(fd, text, sizeof text - 1);
    assert_true(hear_all(fd, answer));
    assert_int_equal(count_of(answer, "HTTP/1.1 "), 1);
    assert_non_null(strstr(answer, "HTTP/1.1 413 "));
    assert_int_equal(__atomic_load_n(&rig.handled, __ATOMIC_RELAXED), 0);
    close(fd);
}

static void pipelined_and_in_pieces(void **state)
{
    (void)state;
    static const char text[] =
        "GET /echo/1 HTTP/1.1\r\n\r\nPOST /echo/2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\n\r\nGET /none HTTP/1.1\r\n\r\nGET /echo/3?q=end HTTP/1.1\r\n\r\n";
    static const size_t steps[] = {1, 7, sizeof text - 1};
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        int fd = dial();
        for (size_t at = 0; at < sizeof text - 1; at += steps[s]) {
            size_t left = sizeof text - 1 - at;
            say(fd, text + at, left < steps[s] ? left : steps[s]);
        }
        hear(fd, answer, "GET|3|end||0|get");
        const char *one = strstr(answer, "GET|1|");
        const char *two = strstr(answer, "POST|2|||3|post");
        const char *none = strstr(answer, "HTTP/1.1 404 ");
        assert_true(one != NULL && two != NULL && none != NULL && one < two && two < none);
        assert_int_equal(count_of(answer, "HTTP/1.1 "), 4);
        close(fd);
    }
}

// More requests at once than are held: the others wait their turn.
static void pipeline_is_bounded(void **state)
{
    (void)state;
    enum { SENT = 40 * HTTP_PIPELINE_MAX };
    static const char one[] = "GET /plain HTTP/1.1\r\n\r\n";
    static const char last[] = "GET /echo/last HTTP/1.1\r\nConnection: close\r\n\r\n";
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < SENT; i++) {
        buf_append(&text, one, sizeof one - 1);
    }
    buf_append(&text, last, sizeof last - 1);
    int fd = dial();
    say(fd, (const char *)text.ptr, text.len);
    assert_true(hear_all(fd, answer));
    assert_int_equal(count_of(answer, "|plain"), SENT);
    assert_int_equal(count_of(answer, "GET|last|"), 1);
    buf_fini(&text);
    close(fd);
}

// Java's client offers HTTP/2 in its first request, and goes on as before if nobody takes it up.
static void upgrade_is_ignored(void **state)
{
    (void)state;
    static const char text[] =
        "POST /echo/a HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAMAAABk\r\nContent-Length: 3\r\n\r\nabc"
        "GET /plain HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        "GET /echo/b HTTP/1.1\r\n\r\n";
    int fd = dial();
    say(fd, text, sizeof text - 1);
    hear(fd, answer, "GET|b|");
    assert_non_null(strstr(answer, "POST|a|||3|post"));
    assert_int_equal(count_of(answer, "HTTP/1.1 200 "), 3);
    close(fd);
}

static void old_clients_keep_the_connection_if_they_ask(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 47);
    hear(fd, answer, "|plain");
    assert_non_null(strstr(answer, "Connection: keep-alive\r\n"));
    say(fd, "GET /plain HTTP/1.0\r\n\r\n", 23);
    assert_true(hear_all(fd, answer));
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    close(fd);
}

static void body_is_asked_for(void **state)
{
    (void)state;
    static const char head[] = "POST /echo/a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    static const char refused[] =
        "POST /echo/a HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 8388609\r\n\r\n";
    int fd = dial();
    for (int i = 0; i < 2; i++) {
        say(fd, "GET /plain HTTP/1.1\r\n\r\n", 23); // behind this one's answer
        say(fd, head, sizeof head - 1);
        hear(fd, answer, "100 Continue\r\n\r\n");
        assert_true(strstr(answer, "|plain") < strstr(answer, "100 Continue"));
        say(fd, "abc", 3);
        hear(fd, answer, "POST|a|||3|post");
        assert_null(strstr(answer, "100 Continue"));
    }
    say(fd, head, sizeof head - 1); // one that does not wait for it
    say(fd, "abc", 3);
    hear(fd, answer, "POST|a|||3|post");
    say(fd, refused, sizeof refused - 1);
    hear(fd, answer, "\"error_code\":413");
    assert_null(strstr(answer, "100 Continue"));
    close(fd);
}

static void wait_for(int *counter, int value)
{
    while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) < value) {
        usleep(1000);
    }
}

static const char later[] = "POST /later HTTP/1.1\r\nContent-Length: 4\r\n\r\nwhat";

// Whoever leaves while a handler works is not missed, and costs no time until the handler is done.
static void client_is_gone_before_its_answer(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        int fd = dial();
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        say(fd, later, sizeof later - 1);
        say(fd, "GET /plain HTTP/1.1\r\n\r\n", kind == 1 ? 23 : 0);
        wait_for(&rig.handled, 1);
        assert_int_equal(kind == 2 ? 0 : setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        close(fd);
        int64_t before = cpu_ms();
        usleep(200000);
        assert_true(cpu_ms() - before < 20);
        loop_post(rig.loop, &rig.answer);
        time_passes(0);
        __atomic_store_n(&rig.handled, 0, __ATOMIC_RELEASE);
    }
    int fd = dial();
    say(fd, "GET /plain HTTP/1.1\r\n\r\n", 23);
    hear(fd, answer, "|plain");
    close(fd);
}

// One that has only stopped sending is answered.
static void half_closed_client_is_answered(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, later, sizeof later - 1);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    wait_for(&rig.handled, 1);
    time_passes(0);
    loop_post(rig.loop, &rig.answer);
    assert_true(hear_all(fd, answer));
    assert_non_null(strstr(answer, "\r\n\r\nwhat"));
    close(fd);
}

static void stop_answers_what_is_in_work(void **state)
{
    (void)state;
    int idle = dial();
    int busy = dial();
    int deaf = dial();
    say(idle, "GET /plain HTTP/1.1\r\n\r\n", 23);
    hear(idle, answer, "|plain");
    say(deaf, "GET /big HTTP/1.1\r\n\r\n", 21);
    usleep(50000);
    say(busy, later, sizeof later - 1);
    say(busy, "GET /echo/never HTTP/1.1\r\n\r\n", 28);
    wait_for(&rig.handled, 3);
    rig.was_asked = true;
    loop_post(rig.loop, &rig.stop);
    assert_true(hear_all(idle, answer));
    assert_string_equal(answer, "");
    time_passes(HTTP_STOP_GRACE_MS +
                1000); // the deaf one has had its time; the handler takes as long as it takes
    assert_false(__atomic_load_n(&rig.is_stopped, __ATOMIC_ACQUIRE));
    loop_post(rig.loop, &rig.answer);
    assert_true(hear_all(busy, answer));
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_non_null(strstr(answer, "\r\n\r\nwhat"));
    assert_null(strstr(answer, "never"));
    while (!__atomic_load_n(&rig.is_stopped, __ATOMIC_ACQUIRE)) {
        usleep(1000);
    }
    close(idle);
    close(busy);
    close(deaf);
}

static void add(struct buf *text, size_t repeat, const char *what)
{
    for (size_t i = 0; i < repeat; i++) {
        buf_append(text, what, strlen(what));
    }
}

static void lengths_are_bounded(void **state)
{
    (void)state;
    enum { TOO_LONG = HTTP_HEADER_BYTES_MAX + 1000 };
    static const char *const statuses[] = {"HTTP/1.1 414 ", "HTTP/1.1 431 ", "HTTP/1.1 431 "};
    struct buf text;
    buf_init(&text, 16 << 20);
    for (int kind = 0; kind < 3; kind++) {
        buf_reset(&text);
        if (kind == 0) {
            add(&text, 1, "GET /plain?");
            add(&text, TOO_LONG, "x");
        } else {
            add(&text, 1, "GET /plain HTTP/1.1\r\n");
            add(&text, kind == 1 ? 0 : HTTP_HEADERS_MAX + 1, "A: b\r\n");
            add(&text, kind == 1 ? 1 : 0, "X: ");
            add(&text, kind == 1 ? TOO_LONG : 0, "x");
            add(&text, 1, "\r\n\r\n");
        }
        int fd = dial();
        say(fd, (const char *)text.ptr, text.len);
        assert_true(hear_all(fd, answer));
        assert_int_equal(strncmp(answer, statuses[kind], strlen(statuses[kind])), 0);
        close(fd);
    }
    // A chunked body tells no length beforehand.
    buf_reset(&text);
    add(&text, 1, "POST /echo/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 9; i++) {
        add(&text, 1, "100000\r\n");
        add(&text, 1 << 20, "x");
        add(&text, 1, "\r\n");
    }
    int fd = dial();
    say(fd, (const char *)text.ptr, text.len);
    (void)hear_all(fd, answer); // may be reset: bytes were left unread
    assert_int_equal(__atomic_load_n(&rig.handled, __ATOMIC_RELAXED), 0);
    buf_fini(&text);
    close(fd);
}

static void slow_clients_lose_the_connection(void **state)
{
    (void)state;
    int idle = dial();
    int trickling = dial();
    int waiting = dial();
    say(waiting, "GET /plain HTTP/1.1\r\n\r\n", 23);
    hear(waiting, answer, "|plain");
    // One byte every 4 s keeps no half-sent request alive.
    for (int i = 0; i < 4; i++) {
        say(trickling, &"GET /plain"[i], 1);
        usleep(20000);
        time_passes(HTTP_HEADER_TIMEOUT_MS * 4 / 10);
    }
    assert_true(hear_all(trickling, answer));
    assert_string_equal(answer, "");
    say(waiting, "GET /plain HTTP/1.1\r\n\r\n", 23); // still there
    hear(waiting, answer, "|plain");
    time_passes(HTTP_IDLE_TIMEOUT_MS);
    time_passes(2000);
    assert_true(hear_all(idle, answer));
    assert_true(hear_all(waiting, answer));
    close(idle);
    close(trickling);
    close(waiting);
}

// A body must come at some pace, also if something always comes.
static void trickling_body_loses_the_connection(void **state)
{
    (void)state;
    static const char head[] = "POST /echo/a HTTP/1.1\r\nContent-Length: 1000\r\n\r\n";
    int fd = dial();
    say(fd, head, sizeof head - 1);
    for (int i = 0; i < 4; i++) {
        say(fd, "x", 1);
        usleep(20000);
        time_passes(HTTP_HEADER_TIMEOUT_MS * 4 / 10);
    }
    assert_true(hear_all(fd, answer));
    assert_string_equal(answer, "");
    assert_int_equal(__atomic_load_n(&rig.handled, __ATOMIC_RELAXED), 0);
    close(fd);
}

// A long answer leaves in pieces: others are served meanwhile.
static void long_answer_holds_nobody_up(void **state)
{
    (void)state;
    int fd = dial();
    int other = dial();
    say(fd, "GET /big HTTP/1.1\r\n\r\n", 21);
    static char sink[1 << 20];
    size_t total = 0;
    while (total < BIG_ANSWER) {
        ssize_t got = recv(fd, sink, sizeof sink, 0);
        assert_true(got > 0);
        bool is_first = total < 8 << 20 && total + (size_t)got >= 8 << 20;
        total += (size_t)got;
        if (is_first) {
            say(other, "GET /plain HTTP/1.1\r\n\r\n", 23);
            hear(other, answer, "|plain");
        }
    }
    close(fd);
    close(other);
}

static void client_that_does_not_read_loses_the_connection(void **state)
{
    (void)state;
    int fd = dial();
    say(fd, "GET /big HTTP/1.1\r\n\r\n", 21);
    usleep(100000); // until the socket is full
    for (int i = 0; i < 3; i++) {
        time_passes(HTTP_IDLE_TIMEOUT_MS);
    }
    static char sink[1 << 20];
    size_t total = 0;
    ssize_t got;
    while ((got = recv(fd, sink, sizeof sink, 0)) > 0) {
        total += (size_t)got;
    }
    assert_true(total < BIG_ANSWER);
    close(fd);
}

// Without a free descriptor a waiting connection must wait, not spin, and be served when there is one.
static void no_descriptor_left(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)rig.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct rlimit none = {.rlim_cur = (rlim_t)fd + 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    say(fd, "GET /plain HTTP/1.1\r\n\r\n", 23);
    int64_t cpu_before = cpu_ms();
    usleep(200000);
    int64_t spent = cpu_ms() - cpu_before;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(spent < 100);
    hear(fd, answer, "|plain");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_body_is_no_request, setup, teardown),
        cmocka_unit_test_setup_teardown(pipelined_and_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(pipeline_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(upgrade_is_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(old_clients_keep_the_connection_if_they_ask, setup, teardown),
        cmocka_unit_test_setup_teardown(body_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(client_is_gone_before_its_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(half_closed_client_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(stop_answers_what_is_in_work, setup, teardown),
        cmocka_unit_test_setup_teardown(lengths_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(trickling_body_loses_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(long_answer_holds_nobody_up, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_clients_lose_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(client_that_does_not_read_loses_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(no_descriptor_left, setup, teardown),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
