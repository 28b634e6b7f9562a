// SPDX-License-Identifier: Apache-2.0
// members.c - a crowd: --groups N of --members M each, one connection per member, all over one epoll loop.
// Each member greets (ApiVersions) when it has connected. Then commands come on standard input, one per line,
// and each is answered with one line of JSON once it is done; the end of the input ends the program.
// Members that are in a group send heartbeats meanwhile.
//
//   join                    everybody joins; done when all have their assignments
//   leave                   one member of the first group leaves; done when the others are assigned anew
//   offsets                 every member commits once
//   loop WHAT COUNT SECONDS COUNT members ask heartbeat, commit, list or describe, as fast as they are
//   answered rest SECONDS            nothing but heartbeats
#include "members.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

enum { EVENTS_MAX = 1024, SCRATCH_SIZE = 256 << 10, ANSWER_MAX = 64 << 20 };

struct crowd crowd;
static uint8_t scratch[SCRATCH_SIZE];

// ---- the loop

// frames_take hands on the whole answers at the front of data and returns how many bytes they took.
static size_t frames_take(struct member *m, const uint8_t *data, size_t len)
{
    size_t taken = 0;
    while (len - taken >= 4 && len - taken - 4 >= load_be32(data + taken)) {
        size_t size = load_be32(data + taken);
        member_answered(m, bytes_of(data + taken + 4, size));
        taken += 4 + size;
    }
    return taken;
}

static void member_receive(struct member *m)
{
    ssize_t moved = recv(m->fd, scratch, sizeof scratch, MSG_DONTWAIT);
    if (moved <= 0) {
        if (moved < 0 && errno == EAGAIN) {
            return;
        }
        bench_die(moved == 0 ? 0 : errno, "member %d: the broker closed the connection", m->index);
    }
    if (m->in.len == 0) {
        size_t taken = frames_take(m, scratch, (size_t)moved);
        buf_append(&m->in, scratch + taken, (size_t)moved - taken);
        return;
    }
    buf_append(&m->in, scratch, (size_t)moved);
    if (m->in.failed) {
        bench_die(0, "member %d: an answer of more than %d bytes", m->index, (int)ANSWER_MAX);
    }
    size_t taken = frames_take(m, m->in.ptr, m->in.len);
    if (taken == m->in.len) {
        buf_fini(&m->in); // the leader's was large
        buf_init(&m->in, ANSWER_MAX);
    } else if (taken > 0) {
        memmove(m->in.ptr, m->in.ptr + taken, m->in.len - taken);
        m->in.len -= taken;
    }
}

// loop_step waits for something to happen, until `until_ns` at most; true: a command is waiting.
static bool loop_step(int64_t until_ns)
{
    const struct heap_node *first = heap_min(&crowd.due);
    int64_t now_ns = bench_now_ns();
    int64_t wait_ns = (first != NULL && first->key < until_ns ? first->key : until_ns) - now_ns;
    int wait_ms = wait_ns <= 0 ? 0 : wait_ns > 1000000000 ? 1000 : (int)(wait_ns / 1000000) + 1;
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(crowd.epoll, events, EVENTS_MAX, wait_ms);
    bool has_command = false;
    for (int i = 0; i < count; i++) {
        struct member *m = events[i].data.ptr;
        if (m == NULL) {
            has_command = true;
        } else if (m->fd >= 0) {
            member_receive(m);
        }
    }
    now_ns = bench_now_ns();
    for (first = heap_min(&crowd.due); first != NULL && first->key <= now_ns; first = heap_min(&crowd.due)) {
        member_due(HEAP_ENTRY(first, struct member, due));
    }
    return has_command;
}

static int member_total(void)
{
    return crowd.groups * crowd.members;
}

// ---- commands

static void command_begin(void)
{
    crowd.joins = crowd.answers = 0;
    crowd.until_ns = crowd.joined_ns = crowd.settled_ns = 0;
    crowd.histogram = (struct histogram){0};
}

// want has the first `count` members ask until the time is over, and has the command wait for them.
static void want(enum ask ask, int count, int64_t until_ns)
{
    crowd.until_ns = until_ns;
    for (int i = 0; i < count && i < member_total(); i++) {
        struct member *m = &crowd.list[i];
        if (m->fd >= 0) {
            m->wanted = ask;
            member_unsettle(m);
            member_go_on(m);
        }
    }
}

static void one_leaves(void)
{
    struct member *leaver = NULL;
    for (int i = 0; i < crowd.members; i++) {
        struct member *m = &crowd.list[i];
        if (m->fd >= 0) {
            member_unsettle(m);
            leaver = leaver == NULL && !m->is_leader ? m : leaver;
        }
    }
    if (leaver == NULL) {
        bench_die(0, "nobody can leave");
    }
    leaver->wanted = ASK_LEAVE;
    member_go_on(leaver);
}

static enum ask loop_ask(const char *what)
{
    static const struct {
        const char *name;
        enum ask ask;
    } names[] = {
        {"heartbeat", ASK_HEARTBEAT}, {"commit", ASK_COMMIT}, {"list", ASK_LIST}, {"describe", ASK_DESCRIBE}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].name, what) == 0) {
            return names[i].ask;
        }
    }
    bench_die(0, "loop: %s", what);
}

static void command_end(int64_t start_ns, int64_t rest_until_ns)
{
    while (crowd.waiting > 0 || bench_now_ns() < rest_until_ns) {
        (void)loop_step(rest_until_ns == 0 ? INT64_MAX : rest_until_ns);
    }
    int64_t end_ns = rest_until_ns > 0 || crowd.settled_ns == 0 ? bench_now_ns() : crowd.settled_ns;
    double ms = (double)(end_ns - start_ns) / 1e6;
    const struct histogram *h = &crowd.histogram;
    printf("{\"ms\": %.3f, \"after_last_join_ms\": %.3f, \"joins\": %llu, \"generation\": %d, "
           "\"answers\": %llu, \"per_s\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
           ms, crowd.joined_ns == 0 ? 0 : (double)(end_ns - crowd.joined_ns) / 1e6,
           (unsigned long long)crowd.joins, (int)crowd.list[member_total() - 1].generation,
           (unsigned long long)crowd.answers, (double)crowd.answers / ms * 1e3,
           (double)histogram_at(h, 0.5) / 1e3, (double)histogram_at(h, 0.99) / 1e3, (double)h->max_ns / 1e3);
    fflush(stdout);
}

static void command_run(const char *line)
{
    char name[16] = "", what[16] = "";
    int count = 0, seconds = 0, rest = 0;
    int64_t start_ns = bench_now_ns();
    command_begin();
    if (sscanf(line, "loop %15s %d %d", what, &count, &seconds) == 3) {
        want(loop_ask(what), count, start_ns + seconds * INT64_C(1000000000));
    } else if (sscanf(line, "rest %d", &rest) == 1) {
        rest = rest < 1 ? 1 : rest;
    } else if (sscanf(line, "%15s", name) == 1 && strcmp(name, "join") == 0) {
        want(ASK_JOIN, member_total(), 0);
    } else if (strcmp(name, "offsets") == 0) {
        want(ASK_COMMIT, member_total(), 0);
    } else if (strcmp(name, "leave") == 0) {
        one_leaves();
    } else {
        bench_die(0, "unknown command: %s", line);
    }
    command_end(start_ns, rest == 0 ? 0 : start_ns + rest * INT64_C(1000000000));
}

// command_read returns false at the end of the input. Whoever gives commands waits for each answer.
static bool command_read(void)
{
    char line[64];
    ssize_t len = read(STDIN_FILENO, line, sizeof line - 1);
    if (len <= 0) {
        return false;
    }
    line[len] = '\0';
    epoll_ctl(crowd.epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    command_run(line);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    return true;
}

// ---- the crowd

static void member_open(int index)
{
    struct member *m = &crowd.list[index];
    m->index = index;
    m->group = index / crowd.members;
    m->fd = bench_connect(crowd.port, crowd.congestion);
    buf_init(&m->in, ANSWER_MAX);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = m};
    epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, m->fd, &event);
    m->wanted = ASK_GREETING;
    member_unsettle(m);
    member_go_on(m);
}

static void serve(void)
{
    crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
    crowd.list = mem_zalloc((size_t)member_total() * sizeof *crowd.list);
    heap_init(&crowd.due);
    int64_t start_ns = bench_now_ns();
    for (int i = 0; i < member_total(); i++) {
        member_open(i);
    }
    command_end(start_ns, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0) {
        bench_die(errno, "standard input"); // a file cannot be waited for
    }
    do {
        while (!loop_step(INT64_MAX)) {
        }
    } while (command_read());
}

static const char usage[] =
    "usage: members --port N [--cpu N] [--congestion NAME] [--groups N] [--members N]\n"
    "  --name NAME --offsets N --heartbeat-ms N --session-ms N   positions of a commit (3000 and 45000 ms)\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, NULL, 'p'},    {"cpu", 1, NULL, 'c'},        {"congestion", 1, NULL, 'g'},
        {"name", 1, NULL, 'n'},    {"groups", 1, NULL, 'G'},     {"members", 1, NULL, 'M'},
        {"offsets", 1, NULL, 'o'}, {"session-ms", 1, NULL, 's'}, {"heartbeat-ms", 1, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int cpu = -1;
    crowd = (struct crowd){.congestion = "",
                           .name = "bench",
                           .groups = 1,
                           .members = 1,
                           .offsets = 1,
                           .heartbeat_ns = 3000000000,
                           .session_ms = 45000,
                           .random = 1};
    for (int o = getopt_long(argc, argv, "", options, NULL); o != -1;
         o = getopt_long(argc, argv, "", options, NULL)) {
        switch (o) {
        case 'p':
            crowd.port = (int)bench_number("--port", optarg, 1, 65535);
            break;
        case 'c':
            cpu = (int)bench_number("--cpu", optarg, 0, 1023);
            break;
        case 'g':
            crowd.congestion = optarg;
            break;
        case 'n':
            crowd.name = optarg;
            break;
        case 'G':
            crowd.groups = (int)bench_number("--groups", optarg, 1, 100000);
            break;
        case 'M':
            crowd.members = (int)bench_number("--members", optarg, 1, 100000);
            break;
        case 'o':
            crowd.offsets = (int)bench_number("--offsets", optarg, 1, 10000);
            break;
        case 's':
            crowd.session_ms = bench_number("--session-ms", optarg, 1, 1800000);
            break;
        case 'h':
            crowd.heartbeat_ns = bench_number("--heartbeat-ms", optarg, 1, 1800000) * 1000000;
            break;
        default:
            crowd.port = 0;
            optind = argc + 1;
            break;
        }
    }
    if (crowd.port == 0 || optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    bench_pin(cpu);
    bench_raise_descriptors();
    crowd_prepare();
    serve();
    return 0;
}
