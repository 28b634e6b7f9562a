// SPDX-License-Identifier: Apache-2.0
// env.h - the only door to the world: clock, disk, network, randomness, threads. Real (real/real.h) or
// simulated (sim/sim.h); nothing outside platform/ may reach any of these another way.
//
// All verbs are plain blocking calls. In the real world a caller that may not block uses a thread; in the
// simulator every thread is a fiber and every verb that could block, fail or be observed is a point where the
// seeded scheduler may run another fiber, inject a fault, or crash the process. Code written as straight
// lines is thereby tested at every interleaving of its I/O (docs/decisions/0001).
#ifndef PLATFORM_ENV_H
#define PLATFORM_ENV_H

#include "base/bytes.h"
#include "base/error.h"

struct env {
    struct clock *clock;
    struct disk *disk; // rooted at the data directory
    struct net *net;
    struct rng *rng;
    struct threads *threads;
};

// ---- clock

struct clock {
    const struct clock_ops *ops;
};
struct clock_ops {
    int64_t (*mono_ns)(struct clock *);
    int64_t (*wall_ms)(struct clock *);
    void (*sleep_until)(struct clock *, int64_t mono_ns);
};
// clock_mono_ns never goes back within a process. clock_wall_ms is Unix time and may jump.
static inline int64_t clock_mono_ns(struct clock *c)
{
    return c->ops->mono_ns(c);
}
static inline int64_t clock_wall_ms(struct clock *c)
{
    return c->ops->wall_ms(c);
}
static inline void clock_sleep_until(struct clock *c, int64_t mono_ns)
{
    c->ops->sleep_until(c, mono_ns);
}

// ---- randomness

struct rng {
    const struct rng_ops *ops;
};
struct rng_ops {
    void (*fill)(struct rng *, void *out, size_t len);
};
static inline uint64_t rng_u64(struct rng *r)
{
    uint64_t v;
    r->ops->fill(r, &v, sizeof v);
    return v;
}
struct uuid rng_uuid(struct rng *r); // a random (version 4) uuid that is none of Kafka's reserved ones

// ---- threads

// In the simulator mutexes are never contended across a blocking verb: holding one there is an assert.
struct mutex {
    struct threads *threads;
    uint64_t state[8];
};
struct cond {
    struct threads *threads;
    uint64_t state[8];
};
struct thread; // opaque handle
struct threads {
    const struct threads_ops *ops;
};
struct threads_ops {
    struct thread *(*start)(struct threads *, const char *name, void (*run)(void *), void *arg);
    void (*join)(struct threads *, struct thread *take_thread);
    void (*mutex_init)(struct mutex *);
    void (*mutex_fini)(struct mutex *);
    void (*mutex_lock)(struct mutex *);
    void (*mutex_unlock)(struct mutex *);
    void (*cond_init)(struct cond *);
    void (*cond_fini)(struct cond *);
    bool (*cond_wait)(struct cond *, struct mutex *, int64_t deadline_ns);
    void (*cond_signal)(struct cond *);
    void (*cond_broadcast)(struct cond *);
};
enum { CLOCK_NEVER = 0 }; // a deadline that never comes

// thread_start never fails (exhaustion aborts). name is at most 15 characters.
struct thread *thread_start(struct threads *t, const char *name, void (*run)(void *), void *arg);
void thread_join(struct threads *t, struct thread *take_thread);
void mutex_init(struct mutex *m, struct threads *t);
void mutex_fini(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
void cond_init(struct cond *c, struct threads *t);
void cond_fini(struct cond *c);
// cond_wait returns false when deadline_ns (monotonic; CLOCK_NEVER = none) passed. Spurious wake-ups happen.
bool cond_wait(struct cond *c, struct mutex *m, int64_t deadline_ns);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

// ---- disk

struct io_slice { // scatter/gather; same layout as struct iovec
    void *ptr;
    size_t len;
};

enum disk_open_flags {
    DISK_READ = 0,
    DISK_WRITE = 1,
    DISK_CREATE = 2, // with DISK_WRITE: create if missing
    DISK_EXCL = 4,   // with DISK_CREATE: fail with ERR_EXISTS if present
    // with DISK_WRITE: a write whose position, memory and lengths are multiples of DISK_ALIGN goes past the
    // page cache, where the disk can do that. It is as durable as any other: after a sync.
    DISK_DIRECT = 8,
};
enum { DISK_ALIGN = 4096 };

struct file {
    const struct file_ops *ops;
};
struct file_ops {
    // read_at and write_at may move fewer bytes than asked (short); reading at the end moves 0.
    enum err (*read_at)(struct file *, int64_t position, void *out, size_t len, size_t *ret_len,
                        struct error *);
    enum err (*write_at)(struct file *, int64_t position, const struct io_slice *slices, size_t count,
                         size_t *ret_len, struct error *);
    enum err (*sync)(struct file *, struct error *); // fdatasync
    enum err (*size)(struct file *, int64_t *ret_size, struct error *);
    enum err (*truncate)(struct file *, int64_t size, struct error *);
    // reserve may be NULL: zeros are written instead.
    enum err (*reserve)(struct file *, int64_t from, int64_t to, struct error *);
    void (*advise_cold)(struct file *, int64_t position, int64_t len);
    void (*advise_soon)(struct file *, int64_t position, int64_t len);
    bool (*is_cached)(struct file *, int64_t position, int64_t len);
    void (*close)(struct file *);
};

struct disk {
    const struct disk_ops *ops;
};
struct disk_ops {
    enum err (*open)(struct disk *, struct str path, unsigned flags, struct file **ret_file, struct error *);
    enum err (*rename)(struct disk *, struct str from, struct str to, struct error *);
    enum err (*unlink)(struct disk *, struct str path, struct error *);
    enum err (*mkdir)(struct disk *, struct str path, struct error *);
    enum err (*sync_dir)(struct disk *, struct str path, struct error *);
    enum err (*list)(struct disk *, struct str path, void (*each)(void *arg, struct str name, int64_t size),
                     void *arg, struct error *);
    enum err (*space)(struct disk *, int64_t *ret_free, int64_t *ret_total, struct error *);
    enum err (*lock)(struct disk *, struct error *);
};

// Paths are relative to the data directory ("wal/0000.wal"), no "..", at most 255 bytes. "" is the directory
// itself. Errors: ERR_NOT_FOUND, ERR_EXISTS, ERR_NO_SPACE, ERR_IO (everything else, with the reason in the
// text).
enum err disk_open(struct disk *d, struct str path, unsigned flags, struct file **ret_file, struct error *e);
enum err disk_rename(struct disk *d, struct str from, struct str to, struct error *e);
enum err disk_unlink(struct disk *d, struct str path, struct error *e);
enum err disk_mkdir(struct disk *d, struct str path, struct error *e); // existing is fine
enum err disk_sync_dir(struct disk *d, struct str path, struct error *e);
// disk_list calls each for every regular file, in name order.
enum err disk_list(struct disk *d, struct str path, void (*each)(void *arg, struct str name, int64_t size),
                   void *arg, struct error *e);
enum err disk_space(struct disk *d, int64_t *ret_free, int64_t *ret_total, struct error *e);
// disk_lock takes the directory for this process until it ends; ERR_EXISTS if another process has it.
enum err disk_lock(struct disk *d, struct error *e);

// file_read_full loops over short reads; *ret_len < len only at the end of the file.
enum err file_read_full(struct file *f, int64_t position, void *out, size_t len, size_t *ret_len,
                        struct error *e);
// file_read_exact fails with ERR_CORRUPT where the file ends early.
enum err file_read_exact(struct file *f, int64_t position, void *out, size_t len, struct error *e);
// file_write_full loops over short writes; count <= IO_SLICES_MAX; the slices are consumed (modified).
enum { IO_SLICES_MAX = 1024 };
enum err file_write_full(struct file *f, int64_t position, struct io_slice *slices, size_t count,
                         struct error *e);
enum err file_write_bytes(struct file *f, int64_t position, struct bytes data, struct error *e);
// file_write_zeros fills [from, to). file_reserve takes the space of [from, to), which reads as zeros,
// without writing it where the file system can: quick, but the first write to each block costs more than
// overwriting.
enum err file_write_zeros(struct file *f, int64_t from, int64_t to, struct error *e);
enum err file_reserve(struct file *f, int64_t from, int64_t to, struct error *e);
enum err file_sync(struct file *f,
                   struct error *e); // an error is final: never retry, never trust the file again
enum err file_size(struct file *f, int64_t *ret_size, struct error *e);
enum err file_truncate(struct file *f, int64_t size, struct error *e);
// file_advise_cold tells the kernel that a range will not be read again soon. Best effort.
void file_advise_cold(struct file *f, int64_t position, int64_t len);
// file_advise_soon: it will be read soon; reading ahead begins. Best effort.
void file_advise_soon(struct file *f, int64_t position, int64_t len);
// file_is_cached: the page cache has all of the range; false where nobody can tell.
bool file_is_cached(struct file *f, int64_t position, int64_t len);
void file_close(struct file *take_file); // NULL is a no-op

// ---- network

struct sock {
    const struct sock_ops *ops;
};
// Every socket is non-blocking. ERR_WOULD_BLOCK: try again after the poller says so. ERR_CLOSED: end of
// stream, reset, or refused; the caller closes.
struct sock_ops {
    enum err (*accept)(struct sock *listener, struct sock **ret_sock, struct error *);
    enum err (*recv)(struct sock *, void *out, size_t len, size_t *ret_len, struct error *);
    enum err (*send)(struct sock *, const struct io_slice *slices, size_t count, bool has_more,
                     size_t *ret_len, struct error *);
    enum err (*send_file)(struct sock *, struct file *, int64_t position, size_t len, size_t *ret_len,
                          struct error *);
    enum err (*connect_done)(struct sock *, struct error *);
    struct str (*name)(struct sock *, bool is_peer, char *text, size_t size);
    void (*close)(struct sock *);
};

enum poll_interest { POLL_READ = 1, POLL_WRITE = 2, POLL_CLOSED = 4 };
struct poll_event {
    void *user;
    unsigned ready; // POLL_* bits; POLL_CLOSED comes with POLL_READ so that a reader finds the end
};
struct poller {
    const struct poller_ops *ops;
};
struct poller_ops {
    void (*add)(struct poller *, struct sock *, unsigned interest, void *user);
    void (*set)(struct poller *, struct sock *, unsigned interest, void *user);
    void (*remove)(struct poller *, struct sock *);
    size_t (*wait)(struct poller *, struct poll_event *ret_events, size_t max, int64_t deadline_ns);
    void (*wake)(struct poller *);
    void (*close)(struct poller *);
};

struct net {
    const struct net_ops *ops;
};
struct net_ops {
    enum err (*listen)(struct net *, struct str host, int port, struct sock **ret_listener, int *ret_port,
                       struct error *);
    enum err (*connect)(struct net *, struct str host, int port, struct sock **ret_sock, struct error *);
    struct poller *(*poller_open)(struct net *);
};

// net_listen binds host ("" = all addresses) and port (0 = any; *ret_port says which). Address in use:
// ERR_EXISTS.
enum err net_listen(struct net *n, struct str host, int port, struct sock **ret_listener, int *ret_port,
                    struct error *e);
// net_connect starts connecting; POLL_WRITE then sock_connect_done tells how it went.
enum err net_connect(struct net *n, struct str host, int port, struct sock **ret_sock, struct error *e);
enum err sock_connect_done(struct sock *s, struct error *e);
enum err sock_accept(struct sock *listener, struct sock **ret_sock,
                     struct error *e); // ERR_NO_MEMORY: out of fds
enum err sock_recv(struct sock *s, void *out, size_t len, size_t *ret_len, struct error *e);
// sock_send may send less than asked; has_more: another send follows at once (MSG_MORE).
enum err sock_send(struct sock *s, const struct io_slice *slices, size_t count, bool has_more,
                   size_t *ret_len, struct error *e);
// sock_send_file queues file bytes without copying: what the peer sees is what the file holds when the kernel
// transmits, so only immutable files may be sent.
enum err sock_send_file(struct sock *s, struct file *f, int64_t position, size_t len, size_t *ret_len,
                        struct error *e);
enum { SOCK_NAME_SIZE = 80 };
struct str sock_peer_name(struct sock *s, char text[SOCK_NAME_SIZE]);  // "127.0.0.1:50123"
struct str sock_local_name(struct sock *s, char text[SOCK_NAME_SIZE]); // the address the peer used
void sock_close(struct sock *take_sock);                               // NULL is a no-op

struct poller *poller_open(struct net *n);
void poller_add(struct poller *p, struct sock *s, unsigned interest, void *user); // level-triggered
void poller_set(struct poller *p, struct sock *s, unsigned interest, void *user);
void poller_remove(struct poller *p, struct sock *s); // before sock_close; pending events for it are dropped
// poller_wait blocks until an event, a wake, or deadline_ns (CLOCK_NEVER = none; in the past = poll only).
size_t poller_wait(struct poller *p, struct poll_event *ret_events, size_t max, int64_t deadline_ns);
void poller_wake(struct poller *p); // from any thread
void poller_close(struct poller *take_poller);

#endif
