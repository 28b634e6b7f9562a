// SPDX-License-Identifier: Apache-2.0
// The part of the seam that every world shares: argument checks, then one call through the ops table; and the
// loops that turn short reads and writes into whole ones.
#include "platform/env.h"

#include "base/assert.h"
#include "base/mem.h"

enum { DISK_PATH_MAX = 255, ZEROS_SIZE = 4096 };

// A path is made by our own code, so a bad one is a bug and not an input error.
static bool path_is_inside(struct str path)
{
    if (path.len > DISK_PATH_MAX || (path.len > 0 && path.ptr[0] == '/')) {
        return false;
    }
    if (path.len > 0 && memchr(path.ptr, '\0', path.len) != NULL) {
        return false;
    }
    struct str rest = path;
    while (rest.ptr != NULL && rest.len > 0) {
        struct str part = str_cut(rest, '/', &rest);
        if (str_equal(part, STR(".."))) {
            return false;
        }
    }
    return true;
}

struct uuid rng_uuid(struct rng *r)
{
    struct uuid u;
    // Kafka never hands out an id whose text starts with '-' (command lines would take it for a flag): draw
    // again. Its other reserved ids are 0 and 1, which the version bits exclude.
    do {
        r->ops->fill(r, u.b, sizeof u.b);
        u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x40); // RFC 9562 5.4: version 4
        u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80); // RFC 9562 4.1: variant 10
    } while (u.b[0] >> 2 == 62);                    // '-' in base64url
    return u;
}

// ---- threads

struct thread *thread_start(struct threads *t, const char *name, void (*run)(void *), void *arg)
{
    ASSERT(strlen(name) <= 15);
    return t->ops->start(t, name, run, arg);
}

void thread_join(struct threads *t, struct thread *take_thread)
{
    t->ops->join(t, take_thread);
}

void mutex_init(struct mutex *m, struct threads *t)
{
    m->threads = t;
    t->ops->mutex_init(m);
}

void mutex_fini(struct mutex *m)
{
    m->threads->ops->mutex_fini(m);
}

void mutex_lock(struct mutex *m)
{
    m->threads->ops->mutex_lock(m);
}

void mutex_unlock(struct mutex *m)
{
    m->threads->ops->mutex_unlock(m);
}

void cond_init(struct cond *c, struct threads *t)
{
    c->threads = t;
    t->ops->cond_init(c);
}

void cond_fini(struct cond *c)
{
    c->threads->ops->cond_fini(c);
}

bool cond_wait(struct cond *c, struct mutex *m, int64_t deadline_ns)
{
    return c->threads->ops->cond_wait(c, m, deadline_ns);
}

void cond_signal(struct cond *c)
{
    c->threads->ops->cond_signal(c);
}

void cond_broadcast(struct cond *c)
{
    c->threads->ops->cond_broadcast(c);
}

// ---- disk

enum err disk_open(struct disk *d, struct str path, unsigned flags, struct file **ret_file, struct error *e)
{
    ASSERT(path.len > 0 && path_is_inside(path));
    ASSERT((flags & DISK_CREATE) == 0 || (flags & DISK_WRITE) != 0);
    ASSERT((flags & DISK_EXCL) == 0 || (flags & DISK_CREATE) != 0);
    return d->ops->open(d, path, flags, ret_file, e);
}

enum err disk_rename(struct disk *d, struct str from, struct str to, struct error *e)
{
    ASSERT(from.len > 0 && path_is_inside(from));
    ASSERT(to.len > 0 && path_is_inside(to));
    return d->ops->rename(d, from, to, e);
}

enum err disk_unlink(struct disk *d, struct str path, struct error *e)
{
    ASSERT(path.len > 0 && path_is_inside(path));
    return d->ops->unlink(d, path, e);
}

enum err disk_mkdir(struct disk *d, struct str path, struct error *e)
{
    ASSERT(path.len > 0 && path_is_inside(path));
    return d->ops->mkdir(d, path, e);
}

enum err disk_sync_dir(struct disk *d, struct str path, struct error *e)
{
    ASSERT(path_is_inside(path));
    return d->ops->sync_dir(d, path, e);
}

enum err disk_list(struct disk *d, struct str path, void (*each)(void *arg, struct str name, int64_t size),
                   void *arg, struct error *e)
{
    ASSERT(path_is_inside(path));
    return d->ops->list(d, path, each, arg, e);
}

enum err disk_space(struct disk *d, int64_t *ret_free, int64_t *ret_total, struct error *e)
{
    return d->ops->space(d, ret_free, ret_total, e);
}

enum err disk_lock(struct disk *d, struct error *e)
{
    return d->ops->lock(d, e);
}

enum err file_read_full(struct file *f, int64_t position, void *out, size_t len, size_t *ret_len,
                        struct error *e)
{
    ASSERT(position >= 0);
    size_t done = 0;
    while (done < len) {
        size_t moved = 0;
        enum err err =
            f->ops->read_at(f, position + (int64_t)done, (uint8_t *)out + done, len - done, &moved, e);
        if (err != ERR_OK) {
            return err;
        }
        if (moved == 0) {
            break;
        }
        ASSERT(moved <= len - done);
        done += moved;
    }
    *ret_len = done;
    return ERR_OK;
}

enum err file_read_exact(struct file *f, int64_t position, void *out, size_t len, struct error *e)
{
    size_t moved = 0;
    enum err err = file_read_full(f, position, out, len, &moved, e);
    if (err == ERR_OK && moved < len) {
        return FAIL(e, ERR_CORRUPT, "file ends after %zu of %zu bytes at position %lld", moved, len,
                    (long long)position);
    }
    return err;
}

enum err file_write_full(struct file *f, int64_t position, struct io_slice *slices, size_t count,
                         struct error *e)
{
    ASSERT(position >= 0);
    ASSERT(count <= IO_SLICES_MAX);
    size_t first = 0;
    for (;;) {
        while (first < count && slices[first].len == 0) {
            first++;
        }
        if (first == count) {
            return ERR_OK;
        }
        size_t moved = 0;
        enum err err = f->ops->write_at(f, position, slices + first, count - first, &moved, e);
        if (err != ERR_OK) {
            return err;
        }
        if (moved == 0) {
            return FAIL(e, ERR_IO, "a write at position %lld moved nothing", (long long)position);
        }
        position += (int64_t)moved;
        while (moved > 0) {
            ASSERT(first < count);
            size_t step = moved < slices[first].len ? moved : slices[first].len;
            slices[first].ptr = (uint8_t *)slices[first].ptr + step;
            slices[first].len -= step;
            moved -= step;
            first += slices[first].len == 0;
        }
    }
}

enum err file_write_bytes(struct file *f, int64_t position, struct bytes data, struct error *e)
{
    // Slices serve reads and writes alike and so are not const; a write does not change what they point at.
    struct io_slice slice = {(void *)(uintptr_t)data.ptr, data.len};
    return file_write_full(f, position, &slice, 1, e);
}

enum err file_write_zeros(struct file *f, int64_t from, int64_t to, struct error *e)
{
    // IO_SLICES_MAX slices that all show the same block, which may go past the page cache.
    static _Alignas(DISK_ALIGN) uint8_t zeros[ZEROS_SIZE];
    struct io_slice *slices = mem_array(IO_SLICES_MAX, sizeof *slices);
    enum err rc = ERR_OK;
    while (from < to && rc == ERR_OK) {
        size_t count = 0;
        int64_t at = from;
        while (at < to && count < IO_SLICES_MAX) {
            int64_t len = to - at < ZEROS_SIZE ? to - at : ZEROS_SIZE;
            slices[count++] = (struct io_slice){.ptr = zeros, .len = (size_t)len};
            at += len;
        }
        rc = file_write_full(f, from, slices, count, e);
        from = at;
    }
    mem_free(slices);
    return rc;
}

enum err file_reserve(struct file *f, int64_t from, int64_t to, struct error *e)
{
    ASSERT(from >= 0 && from <= to);
    return f->ops->reserve == NULL ? file_write_zeros(f, from, to, e) : f->ops->reserve(f, from, to, e);
}

enum err file_sync(struct file *f, struct error *e)
{
    return f->ops->sync(f, e);
}

enum err file_size(struct file *f, int64_t *ret_size, struct error *e)
{
    return f->ops->size(f, ret_size, e);
}

enum err file_truncate(struct file *f, int64_t size, struct error *e)
{
    ASSERT(size >= 0);
    return f->ops->truncate(f, size, e);
}

void file_advise_cold(struct file *f, int64_t position, int64_t len)
{
    f->ops->advise_cold(f, position, len);
}

void file_advise_soon(struct file *f, int64_t position, int64_t len)
{
    f->ops->advise_soon(f, position, len);
}

bool file_is_cached(struct file *f, int64_t position, int64_t len)
{
    return f->ops->is_cached(f, position, len);
}

void file_close(struct file *take_file)
{
    if (take_file != NULL) {
        take_file->ops->close(take_file);
    }
}

// ---- network

enum err net_listen(struct net *n, struct str host, int port, struct sock **ret_listener, int *ret_port,
                    struct error *e)
{
    ASSERT(port >= 0 && port <= 65535);
    return n->ops->listen(n, host, port, ret_listener, ret_port, e);
}

enum err net_connect(struct net *n, struct str host, int port, struct sock **ret_sock, struct error *e)
{
    ASSERT(port > 0 && port <= 65535);
    return n->ops->connect(n, host, port, ret_sock, e);
}

enum err sock_connect_done(struct sock *s, struct error *e)
{
    return s->ops->connect_done(s, e);
}

enum err sock_accept(struct sock *listener, struct sock **ret_sock, struct error *e)
{
    return listener->ops->accept(listener, ret_sock, e);
}

enum err sock_recv(struct sock *s, void *out, size_t len, size_t *ret_len, struct error *e)
{
    ASSERT(len > 0); // 0 bytes moved would look like the end of the stream
    return s->ops->recv(s, out, len, ret_len, e);
}

enum err sock_send(struct sock *s, const struct io_slice *slices, size_t count, bool has_more,
                   size_t *ret_len, struct error *e)
{
    return s->ops->send(s, slices, count, has_more, ret_len, e);
}

enum err sock_send_file(struct sock *s, struct file *f, int64_t position, size_t len, size_t *ret_len,
                        struct error *e)
{
    ASSERT(position >= 0);
    return s->ops->send_file(s, f, position, len, ret_len, e);
}

struct str sock_peer_name(struct sock *s, char text[SOCK_NAME_SIZE])
{
    return s->ops->name(s, true, text, SOCK_NAME_SIZE);
}

struct str sock_local_name(struct sock *s, char text[SOCK_NAME_SIZE])
{
    return s->ops->name(s, false, text, SOCK_NAME_SIZE);
}

void sock_close(struct sock *take_sock)
{
    if (take_sock != NULL) {
        take_sock->ops->close(take_sock);
    }
}

struct poller *poller_open(struct net *n)
{
    return n->ops->poller_open(n);
}

void poller_add(struct poller *p, struct sock *s, unsigned interest, void *user)
{
    p->ops->add(p, s, interest, user);
}

void poller_set(struct poller *p, struct sock *s, unsigned interest, void *user)
{
    p->ops->set(p, s, interest, user);
}

void poller_remove(struct poller *p, struct sock *s)
{
    p->ops->remove(p, s);
}

size_t poller_wait(struct poller *p, struct poll_event *ret_events, size_t max, int64_t deadline_ns)
{
    ASSERT(max > 0);
    return p->ops->wait(p, ret_events, max, deadline_ns);
}

void poller_wake(struct poller *p)
{
    p->ops->wake(p);
}

void poller_close(struct poller *take_poller)
{
    if (take_poller != NULL) {
        take_poller->ops->close(take_poller);
    }
}
