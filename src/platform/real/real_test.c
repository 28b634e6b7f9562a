// SPDX-License-Identifier: Apache-2.0
// The conformance suite against the real kernel, and what only the real world has: modes, locks between
// processes, descriptor exhaustion, address families, socket options.
#include "platform/real/real.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/env_suite.h"
#include "platform/real/real_private.h"

struct fixture {
    char base[64]; // a fresh directory
    char data[80]; // base/data, made by the env
    struct env *env;
};

static struct fixture fixture_open(void)
{
    struct fixture f = {.base = "/tmp/strom-real-XXXXXX"};
    assert_non_null(mkdtemp(f.base));
    snprintf(f.data, sizeof f.data, "%s/data", f.base);
    assert_int_equal(real_env_open(str_from_c(f.data), &f.env, NULL), ERR_OK);
    return f;
}

static void fixture_close(struct fixture *f)
{
    real_env_close(f->env);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", f->base);
    assert_int_equal(system(command), 0);
}

static void test_suite(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    env_suite_disk(f.env);
    env_suite_net(f.env);
    env_suite_net_file(f.env);
    env_suite_threads(f.env);
    fixture_close(&f);
}

static void test_open_without_disk(void **state)
{
    (void)state;
    struct env *env = NULL;
    assert_int_equal(real_env_open(STR(""), &env, NULL), ERR_OK);
    assert_null(env->disk);
    real_env_close(env);
    real_env_close(NULL);
}

static void test_open_fails_clearly(void **state)
{
    (void)state;
    struct error e = {0};
    struct env *env = NULL;
    assert_int_equal(real_env_open(STR("/nonexistent/strom/data"), &env, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "/nonexistent/strom/data"));
    assert_int_equal(real_env_open(STR("/proc/version"), &env, &e), ERR_NOT_FOUND); // no directory
    assert_int_equal(real_env_open(STR("/tmp/a\0b"), &env, &e), ERR_IO);
    assert_null(env);
}

static void test_modes_and_error_text(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    mode_t before = umask(0);
    struct file *file = NULL;
    assert_int_equal(disk_open(f.env->disk, STR("x"), DISK_WRITE | DISK_CREATE, &file, NULL), ERR_OK);
    assert_int_equal(disk_mkdir(f.env->disk, STR("d"), NULL), ERR_OK);
    umask(before);
    struct stat info;
    assert_int_equal(fstat(real_file_fd(file), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
    char path[128];
    snprintf(path, sizeof path, "%s/d", f.data);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0750);
    assert_int_equal(stat(f.data, &info), 0);
    assert_int_equal(info.st_mode & 07027, 0); // the umask may take more
    file_close(file);
    struct error e = {0};
    assert_int_equal(disk_open(f.env->disk, STR("no/file"), DISK_READ, &file, &e), ERR_NOT_FOUND);
    assert_string_equal(e.text, "open no/file: No such file or directory");
    assert_int_equal(disk_unlink(f.env->disk, STR("d"), &e), ERR_IO); // a directory
    fixture_close(&f);
}

// A kernel that cannot tell says no.
static void test_is_cached(void **state)
{
    (void)state;
    enum { SIZE = 4 * DISK_ALIGN };
    static const uint8_t bytes[SIZE] = {1};
    struct fixture f = fixture_open();
    struct file *file = NULL;
    assert_int_equal(disk_open(f.env->disk, STR("x"), DISK_WRITE | DISK_CREATE, &file, NULL), ERR_OK);
    assert_false(file_is_cached(file, 0, SIZE)); // there is nothing
    assert_int_equal(file_write_bytes(file, 0, bytes_of(bytes, SIZE), NULL), ERR_OK);
    bool is_told = file_is_cached(file, 0, SIZE);
    assert_true(!is_told || file_is_cached(file, DISK_ALIGN + 1, DISK_ALIGN));
    assert_false(file_is_cached(file, SIZE, DISK_ALIGN));
    assert_false(file_is_cached(file, DISK_ALIGN, SIZE)); // a part of it
    file_close(file);
    fixture_close(&f);
}

static void test_no_space(void **state)
{
    (void)state;
    // A file size limit is the one shortage that needs no privileges; the kernel says EFBIG and sends
    // SIGXFSZ.
    struct env *env = NULL;
    assert_int_equal(real_env_open(STR("/dev"), &env, NULL), ERR_OK);
    struct file *file = NULL;
    assert_int_equal(disk_open(env->disk, STR("full"), DISK_WRITE, &file, NULL), ERR_OK);
    struct error e = {0};
    assert_int_equal(file_write_bytes(file, 0, bytes_of("x", 1), &e), ERR_NO_SPACE);
    assert_string_equal(e.text, "write full: No space left on device");
    file_close(file);
    real_env_close(env);
}

static void test_lock_between_processes(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    assert_int_equal(disk_lock(f.env->disk, NULL), ERR_OK);
    struct env *other = NULL;
    struct error e = {0};
    assert_int_equal(real_env_open(str_from_c(f.data), &other, NULL), ERR_OK);
    assert_int_equal(disk_lock(other->disk, &e), ERR_EXISTS);
    assert_non_null(strstr(e.text, "in use by another process"));
    pid_t child = fork();
    if (child == 0) {
        struct env *mine = NULL;
        bool is_refused = real_env_open(str_from_c(f.data), &mine, NULL) == ERR_OK &&
                          disk_lock(mine->disk, NULL) == ERR_EXISTS;
        _exit(is_refused ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    real_env_close(f.env);
    assert_int_equal(disk_lock(other->disk, NULL), ERR_OK); // free again
    f.env = other;
    fixture_close(&f);
}

// serve_once connects to host and checks the names of both ends.
static void connect_and_compare(struct env *env, struct str listen_host, struct str host, struct str prefix)
{
    struct sock *listener = NULL;
    struct sock *client = NULL;
    struct sock *server = NULL;
    int port = 0;
    assert_int_equal(net_listen(env->net, listen_host, 0, &listener, &port, NULL), ERR_OK);
    assert_int_equal(net_connect(env->net, host, port, &client, NULL), ERR_OK);
    struct poller *p = poller_open(env->net);
    poller_add(p, listener, POLL_READ, listener);
    struct poll_event event;
    assert_int_equal(poller_wait(p, &event, 1, CLOCK_NEVER), 1);
    assert_int_equal(sock_accept(listener, &server, NULL), ERR_OK);
    char text[SOCK_NAME_SIZE];
    struct str name = sock_peer_name(server, text);
    if (!str_has_prefix(name, prefix)) {
        fail_msg("unexpected peer name " STR_FMT, STR_ARG(name));
    }
    char expected[SOCK_NAME_SIZE];
    int len = snprintf(expected, sizeof expected, STR_FMT "%d", STR_ARG(prefix), port);
    assert_true(str_equal(sock_local_name(server, text), (struct str){expected, (size_t)len}));
    sock_close(client);
    sock_close(server);
    sock_close(listener);
    poller_close(p);
}

static void test_addresses(void **state)
{
    (void)state;
    struct env *env = NULL;
    assert_int_equal(real_env_open(STR(""), &env, NULL), ERR_OK);
    connect_and_compare(env, STR(""), STR("127.0.0.1"), STR("127.0.0.1:")); // not ::ffff:127.0.0.1
    connect_and_compare(env, STR("127.0.0.1"), STR("localhost"), STR("127.0.0.1:"));
    struct sock *probe = NULL;
    int port = 0;
    if (net_listen(env->net, STR("::1"), 0, &probe, &port, NULL) == ERR_OK) { // containers may lack IPv6
        sock_close(probe);
        connect_and_compare(env, STR("::1"), STR("::1"), STR("[::1]:"));
        connect_and_compare(env, STR(""), STR("::1"), STR("[::1]:"));
    }
    struct error e = {0};
    struct sock *none = NULL;
    assert_int_equal(net_listen(env->net, STR("192.0.2.1"), 0, &none, &port, &e), ERR_IO);
    assert_non_null(strstr(e.text, "listen on 192.0.2.1:0"));
    char long_name[300];
    memset(long_name, 'a', sizeof long_name);
    assert_int_equal(net_connect(env->net, (struct str){long_name, sizeof long_name}, 9, &none, &e),
                     ERR_NOT_FOUND);
    assert_int_equal(net_connect(env->net, STR("a\0b"), 9, &none, &e), ERR_NOT_FOUND);
    assert_int_equal(net_connect(env->net, STR("not an address"), 9, &none, &e), ERR_NOT_FOUND);
    assert_null(none);
    real_env_close(env);
}

static int option_get(struct sock *s, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(real_sock_fd(s), level, name, &value, &size), 0);
    return value;
}

static void test_accepted_options(void **state)
{
    (void)state;
    struct env *env = NULL;
    assert_int_equal(real_env_open(STR(""), &env, NULL), ERR_OK);
    struct error e = {0};
    assert_int_equal(real_net_set_congestion(env, STR("no_such"), &e), ERR_INVALID_CONFIG);
    assert_int_equal(real_net_set_congestion(env, STR("a name of sixteen+"), &e), ERR_INVALID_CONFIG);
    assert_int_equal(real_net_set_congestion(env, STR("reno"), &e), ERR_OK); // in every kernel
    struct sock *listener = NULL;
    struct sock *client = NULL;
    struct sock *server = NULL;
    int port = 0;
    assert_int_equal(net_listen(env->net, STR("127.0.0.1"), 0, &listener, &port, NULL), ERR_OK);
    assert_int_equal(net_connect(env->net, STR("127.0.0.1"), port, &client, NULL), ERR_OK);
    while (sock_accept(listener, &server, NULL) == ERR_WOULD_BLOCK) {
    }
    assert_int_equal(option_get(server, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option_get(server, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_get(server, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    assert_int_equal(option_get(client, IPPROTO_TCP, TCP_NODELAY), 1);
    char name[16] = "";
    socklen_t size = sizeof name;
    assert_int_equal(getsockopt(real_sock_fd(server), IPPROTO_TCP, TCP_CONGESTION, name, &size), 0);
    assert_string_equal(name, "reno");
    assert_int_equal(real_net_set_congestion(env, STR(""), NULL), ERR_OK);
    sock_close(client);
    sock_close(server);
    sock_close(listener);
    real_env_close(env);
}

// Writing to a peer that reset must be an error code and not a SIGPIPE, by both ways of sending.
static void test_send_after_reset(void **state)
{
    (void)state;
    struct fixture f = fixture_open();
    struct env *env = f.env;
    struct sock *listener = NULL;
    struct sock *client = NULL;
    struct sock *server = NULL;
    int port = 0;
    assert_int_equal(net_listen(env->net, STR("127.0.0.1"), 0, &listener, &port, NULL), ERR_OK);
    assert_int_equal(net_connect(env->net, STR("127.0.0.1"), port, &client, NULL), ERR_OK);
    while (sock_accept(listener, &server, NULL) == ERR_WOULD_BLOCK) {
    }
    struct linger hard = {.l_onoff = 1};
    assert_int_equal(setsockopt(real_sock_fd(client), SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    sock_close(client);
    struct file *file = NULL;
    assert_int_equal(disk_open(env->disk, STR("x"), DISK_WRITE | DISK_CREATE, &file, NULL), ERR_OK);
    assert_int_equal(file_write_bytes(file, 0, bytes_of("abc", 3), NULL), ERR_OK);
    size_t moved = 0;
    char text[] = "abc";
    struct io_slice slice = {text, 3};
    assert_int_equal(sock_send(server, &slice, 1, false, &moved, NULL), ERR_CLOSED);
    assert_int_equal(sock_send_file(server, file, 0, 3, &moved, NULL), ERR_CLOSED);
    char byte;
    assert_int_equal(sock_recv(server, &byte, 1, &moved, NULL), ERR_CLOSED);
    char name[SOCK_NAME_SIZE];
    assert_true(str_equal(sock_peer_name(server, name), STR("unknown")));
    file_close(file);
    sock_close(server);
    sock_close(listener);
    fixture_close(&f);
}

static void test_accept_without_descriptors(void **state)
{
    (void)state;
    struct env *env = NULL;
    assert_int_equal(real_env_open(STR(""), &env, NULL), ERR_OK);
    struct sock *listener = NULL;
    struct sock *client = NULL;
    struct sock *server = NULL;
    int port = 0;
    assert_int_equal(net_listen(env->net, STR("127.0.0.1"), 0, &listener, &port, NULL), ERR_OK);
    assert_int_equal(net_connect(env->net, STR("127.0.0.1"), port, &client, NULL), ERR_OK);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {.rlim_cur = (rlim_t)real_sock_fd(client) + 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum err err = ERR_WOULD_BLOCK;
    while (err == ERR_WOULD_BLOCK) {
        err = sock_accept(listener, &server, NULL);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(err, ERR_NO_MEMORY);
    assert_int_equal(sock_accept(listener, &server, NULL), ERR_OK); // it was still waiting
    sock_close(server);
    sock_close(client);
    sock_close(listener);
    real_env_close(env);
}

static void thread_name_read(void *arg)
{
    int fd = open("/proc/thread-self/comm", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, arg, 15) > 0);
    close(fd);
}

static void test_thread_name(void **state)
{
    (void)state;
    struct env *env = NULL;
    assert_int_equal(real_env_open(STR(""), &env, NULL), ERR_OK);
    char name[16] = "";
    thread_join(env->threads, thread_start(env->threads, "front-1", thread_name_read, name));
    assert_string_equal(name, "front-1\n");
    real_env_close(env);
}

static void test_rng_across_its_buffer(void **state)
{
    (void)state;
    struct env *env = NULL;
    assert_int_equal(real_env_open(STR(""), &env, NULL), ERR_OK);
    static const size_t sizes[] = {1, 7, 16, 100, 255, 256, 257, 5000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t bytes[5001] = {0};
        uint8_t seen[5000] = {0};
        bytes[sizes[i]] = 0x5a;
        for (int round = 0; round < 30; round++) { // 2^-200 that a byte stays zero
            env->rng->ops->fill(env->rng, bytes, sizes[i]);
            for (size_t j = 0; j < sizes[i]; j++) {
                seen[j] |= bytes[j];
            }
        }
        assert_null(memchr(seen, 0, sizes[i]));
        assert_int_equal(bytes[sizes[i]], 0x5a);
    }
    real_env_close(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suite),
        cmocka_unit_test(test_open_without_disk),
        cmocka_unit_test(test_open_fails_clearly),
        cmocka_unit_test(test_modes_and_error_text),
        cmocka_unit_test(test_is_cached),
        cmocka_unit_test(test_no_space),
        cmocka_unit_test(test_lock_between_processes),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_accepted_options),
        cmocka_unit_test(test_send_after_reset),
        cmocka_unit_test(test_accept_without_descriptors),
        cmocka_unit_test(test_thread_name),
        cmocka_unit_test(test_rng_across_its_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
