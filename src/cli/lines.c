// SPDX-License-Identifier: Apache-2.0
// lines.c - two buffers change hands: the thread fills one, the taker empties the other. The thread waits
// while its buffer is full, the taker is woken when it had found nothing.
#include "cli/lines.h"

#include "base/buf.h"
#include "base/mem.h"
#include "cli/local_file.h"
#include "platform/real/process.h"

enum { BLOCK_BYTES = 1 << 20, CHUNK_BYTES = 64 << 10, LENGTH_SIZE = 4 };

struct lines {
    struct thread *thread;
    size_t line_bytes_max;
    struct process_lines *stream; // standard input, or
    struct local_file file;
    void (*wake)(void *arg);
    void *arg;
    struct buf taking; // the taker's own
    size_t taken;
    struct mutex mutex; // over all below
    struct cond room;
    struct buf filling; // 4 bytes length, text, ...
    bool is_waiting;    // the taker found nothing
    bool is_ended;
    bool is_closed;
    struct error error; // with is_ended; code ERR_OK at a good end
};

// push hands a line over; false once nobody takes lines any more.
static bool push(struct lines *lines, struct str line)
{
    mutex_lock(&lines->mutex);
    while (lines->filling.len >= BLOCK_BYTES && !lines->is_closed) {
        (void)cond_wait(&lines->room, &lines->mutex, CLOCK_NEVER);
    }
    bool is_wanted = !lines->is_closed;
    if (is_wanted) {
        buf_be32(&lines->filling, (uint32_t)line.len);
        buf_append_str(&lines->filling, line);
        if (lines->is_waiting) {
            lines->is_waiting = false;
            lines->wake(lines->arg);
        }
    }
    mutex_unlock(&lines->mutex);
    return is_wanted;
}

static void end(struct lines *lines, enum err err, const struct error *e)
{
    mutex_lock(&lines->mutex);
    lines->error = *e;
    lines->error.code = err;
    lines->is_ended = true;
    if (!lines->is_closed) {
        lines->wake(lines->arg);
    }
    mutex_unlock(&lines->mutex);
}

static void read_stream(struct lines *lines)
{
    struct error e = {0};
    struct str line;
    enum err err = process_lines_next(lines->stream, &line, &e);
    while (err == ERR_OK && push(lines, line)) {
        err = process_lines_next(lines->stream, &line, &e);
    }
    end(lines, err == ERR_CLOSED ? ERR_OK : err, &e);
}

// push_whole hands over every line of `text` that has its LF; *ret_used is how far they reach.
static bool push_whole(struct lines *lines, struct str text, size_t *ret_used)
{
    struct str rest = text;
    struct str next;
    *ret_used = 0;
    for (struct str line = str_cut(rest, '\n', &next); next.ptr != NULL; line = str_cut(rest, '\n', &next)) {
        if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
            line.len--;
        }
        if (!push(lines, line)) {
            return false;
        }
        *ret_used = (size_t)(next.ptr - text.ptr);
        rest = next;
    }
    return true;
}

static enum err read_file_chunks(struct lines *lines, struct buf *text, struct error *e)
{
    int64_t position = 0;
    for (;;) {
        uint8_t *room = buf_reserve(text, CHUNK_BYTES);
        if (room == NULL) {
            return FAIL(e, ERR_NO_MEMORY, "a line of more than %zu bytes", lines->line_bytes_max);
        }
        size_t moved = 0;
        size_t used = 0;
        enum err err = file_read_full(lines->file.file, position, room, CHUNK_BYTES, &moved, e);
        if (err != ERR_OK) {
            return err;
        }
        text->len += moved;
        position += (int64_t)moved;
        if (!push_whole(lines, buf_str(text), &used)) {
            return ERR_OK;
        }
        memmove(text->ptr, text->ptr + used, text->len - used);
        text->len -= used;
        if (moved < CHUNK_BYTES) {
            (void)(text->len == 0 || push(lines, buf_str(text)));
            return ERR_OK;
        }
    }
}

static void read_file(struct lines *lines)
{
    struct error e = {0};
    struct buf text;
    buf_init(&text, lines->line_bytes_max + CHUNK_BYTES);
    enum err err = read_file_chunks(lines, &text, &e);
    buf_fini(&text);
    end(lines, err, &e);
}

static void thread_run(void *arg)
{
    struct lines *lines = arg;
    if (lines->stream != NULL) {
        read_stream(lines);
    } else {
        read_file(lines);
    }
}

enum err lines_open(struct env *env, struct str path, size_t line_bytes_max, void (*wake)(void *arg),
                    void *arg, struct lines **ret_lines, struct error *e)
{
    struct lines *lines = mem_zalloc(sizeof *lines);
    if (str_equal(path, STR("-"))) {
        lines->stream = process_lines_open(PROCESS_STDIN, line_bytes_max);
    } else {
        enum err err = local_file_open(path, &lines->file, e);
        if (err != ERR_OK) {
            mem_free(lines);
            return err;
        }
    }
    lines->line_bytes_max = line_bytes_max;
    lines->wake = wake;
    lines->arg = arg;
    buf_init(&lines->taking, BLOCK_BYTES + LENGTH_SIZE + line_bytes_max + CHUNK_BYTES);
    buf_init(&lines->filling, BLOCK_BYTES + LENGTH_SIZE + line_bytes_max + CHUNK_BYTES);
    mutex_init(&lines->mutex, env->threads);
    cond_init(&lines->room, env->threads);
    lines->thread = thread_start(env->threads, "lines", thread_run, lines);
    *ret_lines = lines;
    return ERR_OK;
}

static enum lines_result swap(struct lines *lines, struct error *e)
{
    enum lines_result result = LINES_LINE;
    mutex_lock(&lines->mutex);
    if (lines->filling.len > 0) {
        struct buf empty = lines->taking;
        lines->taking = lines->filling;
        lines->filling = empty;
        buf_reset(&lines->filling);
        lines->taken = 0;
        cond_signal(&lines->room);
    } else if (!lines->is_ended) {
        lines->is_waiting = true;
        result = LINES_NONE_YET;
    } else if (lines->error.code == ERR_OK) {
        result = LINES_END;
    } else {
        result = LINES_FAILED;
        if (e != NULL) {
            *e = lines->error;
        }
    }
    mutex_unlock(&lines->mutex);
    return result;
}

enum lines_result lines_take(struct lines *lines, struct str *ret_line, struct error *e)
{
    if (lines->taken == lines->taking.len) {
        enum lines_result result = swap(lines, e);
        if (result != LINES_LINE) {
            return result;
        }
    }
    const uint8_t *at = lines->taking.ptr + lines->taken;
    *ret_line = (struct str){(const char *)at + LENGTH_SIZE, load_be32(at)};
    lines->taken += LENGTH_SIZE + ret_line->len;
    return LINES_LINE;
}

bool lines_close(struct lines *take_lines)
{
    struct lines *lines = take_lines;
    if (lines == NULL) {
        return true;
    }
    mutex_lock(&lines->mutex);
    lines->is_closed = true;
    bool may_hang = lines->stream != NULL && !lines->is_ended;
    cond_signal(&lines->room);
    mutex_unlock(&lines->mutex);
    if (may_hang) {
        return false;
    }
    thread_join(lines->mutex.threads, lines->thread);
    process_lines_close(lines->stream);
    local_file_close(&lines->file);
    mutex_fini(&lines->mutex);
    cond_fini(&lines->room);
    buf_fini(&lines->taking);
    buf_fini(&lines->filling);
    mem_free(lines);
    return true;
}
