// SPDX-License-Identifier: Apache-2.0
#include "platform/real/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/real/real_private.h"

enum { READ_STEP_BYTES = 64 * 1024 };

static void signals_of_interest(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void process_signals_block(void)
{
    sigset_t set;
    signals_of_interest(&set);
    ASSERT(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

enum process_signal process_signal_wait(void)
{
    sigset_t set;
    signals_of_interest(&set);
    int signal_number;
    do {
        signal_number = sigwaitinfo(&set, NULL);
    } while (signal_number < 0 && errno == EINTR);
    ASSERT(signal_number > 0);
    return signal_number == SIGHUP ? PROCESS_RELOAD : PROCESS_STOP;
}

void process_signal_raise(void)
{
    ASSERT(kill(getpid(), SIGTERM) == 0);
}

_Noreturn void process_exit(int code)
{
    _exit(code);
}

int64_t process_rss_bytes(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t len = read(fd, text, sizeof text);
    (void)close(fd);
    struct str rest = {text, len < 0 ? 0 : (size_t)len};
    str_cut(rest, ' ', &rest); // the first field is the whole address space, the second what is resident
    int64_t pages = 0;
    return str_parse_i64(str_cut(rest, ' ', &rest), &pages) ? pages * sysconf(_SC_PAGESIZE) : 0;
}

int64_t process_fd_limit_raise(void)
{
    struct rlimit limit;
    ASSERT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            limit = raised;
        }
    }
    return limit.rlim_cur > INT_MAX ? INT_MAX : (int64_t)limit.rlim_cur;
}

int process_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return CPU_COUNT(&set);
    }
    long count = sysconf(_SC_NPROCESSORS_ONLN); // more CPUs than cpu_set_t can name
    return count < 1 ? 1 : (int)count;
}

struct str process_env_find(const char *name)
{
    return str_from_c(getenv(name));
}

static int stream_fd(enum process_stream stream)
{
    static const int fds[] = {
        [PROCESS_STDIN] = STDIN_FILENO, [PROCESS_STDOUT] = STDOUT_FILENO, [PROCESS_STDERR] = STDERR_FILENO};
    return fds[stream];
}

bool process_is_tty(enum process_stream stream)
{
    return isatty(stream_fd(stream)) == 1;
}

int process_tty_rows(enum process_stream stream)
{
    struct winsize size;
    return ioctl(stream_fd(stream), TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

enum err process_write(enum process_stream stream, struct str text, struct error *e)
{
    while (text.len > 0) {
        ssize_t moved = write(stream_fd(stream), text.ptr, text.len);
        if (moved < 0 && errno == EINTR) {
            continue;
        }
        if (moved < 0) {
            char reason[REAL_TEXT_SIZE];
            enum err err = errno == EPIPE ? ERR_CLOSED : errno == ENOSPC ? ERR_NO_SPACE : ERR_IO;
            return FAIL(e, err, "write: %s", real_errno_text(errno, reason));
        }
        text.ptr += moved;
        text.len -= (size_t)moved;
    }
    return ERR_OK;
}

// read_step appends what one read gives. *ret_moved is 0 at the end. One byte past the limit is asked for
// where the buffer is full, so that a file of exactly the limit is no error.
static enum err read_step(int fd, struct buf *out, size_t *ret_moved, struct error *e)
{
    size_t room = out->limit - out->len;
    size_t asked = room < READ_STEP_BYTES ? room : READ_STEP_BYTES;
    uint8_t extra;
    uint8_t *at = asked == 0 ? &extra : buf_reserve(out, asked);
    ASSERT(at != NULL);
    ssize_t moved;
    do {
        moved = read(fd, at, asked == 0 ? 1 : asked);
    } while (moved < 0 && errno == EINTR);
    if (moved < 0) {
        char reason[REAL_TEXT_SIZE];
        return FAIL(e, ERR_IO, "read: %s", real_errno_text(errno, reason));
    }
    if (asked == 0 && moved > 0) {
        return FAIL(e, ERR_NO_MEMORY, "larger than the limit of %zu bytes", out->limit);
    }
    out->len += (size_t)moved;
    *ret_moved = (size_t)moved;
    return ERR_OK;
}

enum err process_file_read(struct str path, struct buf *out, struct error *e)
{
    char text[PATH_MAX];
    char reason[REAL_TEXT_SIZE];
    if (path.len == 0 || path.len >= sizeof text || memchr(path.ptr, '\0', path.len) != NULL) {
        return FAIL(e, ERR_NOT_FOUND, "a path of %zu bytes", path.len);
    }
    memcpy(text, path.ptr, path.len);
    text[path.len] = '\0';
    int fd;
    do {
        fd = open(text, O_RDONLY | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return FAIL(e, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO, "open %s: %s", text,
                    real_errno_text(errno, reason));
    }
    enum err err;
    size_t moved = 0;
    do {
        err = read_step(fd, out, &moved, e);
    } while (err == ERR_OK && moved > 0);
    (void)close(fd);
    if (err != ERR_OK) {
        error_wrap(e, "%s", text);
    }
    return err;
}

// ---- lines

struct process_lines {
    int fd;
    bool has_ended;
    bool has_failed;
    size_t line_bytes_max;
    size_t start;    // of the line to give next
    size_t searched; // bytes from start known to hold no LF
    struct buf buf;
};

struct process_lines *process_lines_open(enum process_stream stream, size_t line_bytes_max)
{
    struct process_lines *lines = mem_zalloc(sizeof *lines);
    lines->fd = stream_fd(stream);
    lines->line_bytes_max = line_bytes_max;
    buf_init(&lines->buf, line_bytes_max + 2); // CR LF
    return lines;
}

static enum err line_take(struct process_lines *lines, size_t len, size_t taken, struct str *ret_line,
                          struct error *e)
{
    struct str line = {(const char *)lines->buf.ptr + lines->start, len};
    lines->start += taken;
    lines->searched = 0;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    if (line.len > lines->line_bytes_max) {
        lines->has_failed = true;
        return FAIL(e, ERR_NO_MEMORY, "a line over %zu bytes", lines->line_bytes_max);
    }
    *ret_line = line;
    return ERR_OK;
}

// lines_fill reads more behind the partial line; the view of the line given last ends here.
static enum err lines_fill(struct process_lines *lines, struct error *e)
{
    struct buf *buf = &lines->buf;
    if (lines->start > 0) {
        memmove(buf->ptr, buf->ptr + lines->start, buf->len - lines->start);
        buf->len -= lines->start;
        lines->start = 0;
    }
    size_t moved = 0;
    enum err err = read_step(lines->fd, buf, &moved, e);
    lines->has_failed = err != ERR_OK;
    lines->has_ended = err == ERR_OK && moved == 0;
    return err;
}

enum err process_lines_next(struct process_lines *lines, struct str *ret_line, struct error *e)
{
    for (;;) {
        if (lines->has_failed) {
            return FAIL(e, ERR_NO_MEMORY, "the input has failed before");
        }
        size_t have = lines->buf.len - lines->start;
        const uint8_t *from = have == 0 ? NULL : lines->buf.ptr + lines->start;
        const uint8_t *end =
            have == lines->searched ? NULL : memchr(from + lines->searched, '\n', have - lines->searched);
        if (end != NULL) {
            size_t len = (size_t)(end - from);
            return line_take(lines, len, len + 1, ret_line, e);
        }
        lines->searched = have;
        if (lines->has_ended) {
            return have == 0 ? FAIL(e, ERR_CLOSED, "end of input")
                             : line_take(lines, have, have, ret_line, e);
        }
        enum err err = lines_fill(lines, e);
        if (err != ERR_OK) {
            return err;
        }
    }
}

void process_lines_close(struct process_lines *take_lines)
{
    if (take_lines != NULL) {
        buf_fini(&take_lines->buf);
        mem_free(take_lines);
    }
}
