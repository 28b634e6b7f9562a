// SPDX-License-Identifier: Apache-2.0
// What the parts of the simulator share. Objects of the world itself are allocated with sys_zalloc, never
// mem_*, because mem_* charges the process whose fiber is running and is dropped with it.
#ifndef PLATFORM_SIM_PRIVATE_H
#define PLATFORM_SIM_PRIVATE_H

#include "base/assert.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/mem.h"
#include "platform/sim/fiber.h"
#include "platform/sim/sim.h"

enum {
    SIM_NAME_SIZE = 24,
    SIM_HOST_SIZE = 48,
    SIM_PATH_SIZE = 256,
    SIM_TRACE_LINES = 256,
    SIM_TRACE_TEXT = 120
};

// ---- memory (process_mem.c)

void *sys_zalloc(size_t size);
void *sys_array(size_t count, size_t size);
void *sys_realloc(void *ptr, size_t size);
void sys_free(void *ptr);
char *sys_text(struct str text); // NUL-terminated copy
// mem_owner_swap makes `process` (NULL: nobody) the owner of what mem_* allocates next; returns the one
// before.
struct sim_process *mem_owner_swap(struct sim_process *process);
void mem_drop(struct sim_process *process); // frees everything that it holds

// ---- events and fibers (world.c)

struct sim_event { // zeroed is idle
    struct heap_node node;
    void (*fire)(struct sim_world *world, struct sim_event *event);
};
void event_set(struct sim_world *world, struct sim_event *event, int64_t at_ns); // moves it if set
void event_cancel(struct sim_world *world, struct sim_event *event);
static inline bool event_is_set(const struct sim_event *event)
{
    return event->node.index != 0;
}

// struct fiber is one thread of one process. Owner: the world.
struct fiber {
    struct fiber_context context;
    struct sim_world *world;
    struct sim_process *process;
    struct list of_process;
    struct list wait;      // in the list of what it waits for
    struct sim_event wake; // the deadline of the wait
    size_t run_index;      // 1-based place among the runnable; 0 = waiting
    const char *waits_for;
    unsigned mutexes; // held, that forbid I/O
    uint32_t id;
    bool timed_out;
    bool is_done;
    struct list joiners;
    void (*run)(void *arg);
    void *arg;
    char name[16];
};
struct fiber *fiber_start(struct sim_process *process, const char *name, void (*run)(void *), void *arg);
void fiber_drop(struct fiber *fiber); // wherever it is; not the running one
struct fiber *fiber_now(void);        // NULL outside of the world
void fiber_yield(void);               // a scheduling point; no-op outside of the world
// fiber_wait blocks until fiber_wake or deadline_ns (CLOCK_NEVER = none); false when the deadline passed.
bool fiber_wait(struct list *waiters, int64_t deadline_ns, const char *waits_for);
void fiber_wake(struct fiber *fiber); // no-op on a runnable one
void fiber_sleep(int64_t ns);
void fiber_wake_all(struct list *waiters);
void fiber_leave(void) __attribute__((noreturn)); // back to the scheduler for good

// ---- world (world.c)

struct trace_line {
    int64_t now_ns;
    const char *verb; // NULL: text is the whole line
    int64_t a;
    int64_t b;
    uint32_t process_id; // 0: nobody's
    char fiber[16];
    char text[SIM_TRACE_TEXT];
};

struct sim_world {
    uint64_t seed;
    uint64_t rng[4];
    uint64_t hash;
    uint64_t steps;
    int64_t now_ns;
    struct heap events;
    struct fiber **runnable;
    size_t runnable_count;
    size_t runnable_cap;
    uint32_t fiber_ids;
    uint32_t process_ids;
    uint64_t file_ids;
    size_t alive_count; // processes
    struct sim_schedule schedule;
    struct list processes;
    struct list disks;
    struct list calls;         // of sim_world_at
    struct sim_process *dying; // asks the scheduler to drop it
    enum sim_state dying_state;
    // network
    struct sim_net_faults net_faults;
    struct list conns;
    struct list listeners;
    struct list blocks;
    int next_port;
    // trace
    uint64_t trace_count;
    struct trace_line trace[SIM_TRACE_LINES];
};

// ---- trace (trace.c)

// trace_verb notes one observable act of the running fiber (or of nobody) in the ring and in the hash.
void trace_verb(struct sim_world *world, const char *verb, struct str text, int64_t a, int64_t b);
void trace_world_set(struct sim_world *world); // the one that a failing ASSERT prints
void trace_world_gone(struct sim_world *world);
void world_hash_bytes(struct sim_world *world, const void *ptr, size_t len);
static inline void world_hash_add(struct sim_world *world, uint64_t value)
{
    world->hash = hash_mix(world->hash, value);
}
// world_range draws from min..max, both included.
int64_t world_range(struct sim_world *world, int64_t min, int64_t max);

// ---- processes (process.c)

struct sim_process {
    struct list of_world;
    struct sim_world *world;
    uint32_t id;
    enum sim_state state;
    char name[SIM_NAME_SIZE];
    char host[SIM_HOST_SIZE];
    // the seam
    struct env env;
    struct clock clock;
    struct disk disk;
    struct net net;
    struct rng rng;
    struct threads threads;
    uint64_t rng_state;
    int64_t wall_base_ms; // wall time at wall_since_ns
    int64_t wall_since_ns;
    int wall_drift_ppm;
    // what it holds
    struct sim_disk *sim_disk;
    struct list fibers;
    struct list blocks; // heap
    struct list files;
    struct list socks;
    struct list pollers;
    size_t heap_bytes;
    size_t heap_blocks;
    struct sim_leaks leaks;
    struct list waiters; // fibers in sim_process_wait
    void (*main)(struct env *env, void *arg);
    void *arg;
    // crash at the n-th I/O
    uint64_t io_count;
    uint64_t crash_at;
    enum sim_io_point crash_point;
    bool crash_is_power_cut;
};
// process_io counts one I/O of the running fiber, checks that no mutex is held, and is a scheduling point;
// the process may crash here. The number it returns goes to process_io_during and process_io_done.
uint64_t process_io(struct sim_process *process);
void process_io_during(struct sim_process *process, uint64_t number);
// process_will_crash_during: prepare what a crash in the middle leaves, then call process_io_during.
bool process_will_crash_during(const struct sim_process *process, uint64_t number);
void process_io_done(struct sim_process *process, uint64_t number);
void process_end(struct sim_process *process, enum sim_state state); // not from one of its own fibers
static inline struct sim_process *process_now(void)
{
    return fiber_now() == NULL ? NULL : fiber_now()->process;
}

// ---- threads (threads.c)

extern const struct threads_ops sim_threads_ops;

// ---- disk (disk.c, disk_image.c, inode.c)

extern const struct disk_ops sim_disk_ops;
enum { SIM_PAGE = 4096, SIM_SECTOR = 512 };
static const int64_t FILE_SIZE_MAX = (int64_t)1 << 36;

struct block { // one page of bytes, shared copy-on-write between cache, platter and clones
    uint32_t refs;
    struct block *next_free;
    uint8_t data[SIM_PAGE];
};
struct page { // NULL blocks read as zeros
    struct block *live;
    struct block *durable;
    bool is_dirty;     // written since the last sync
    bool is_allocated; // takes room on the disk
};
struct inode {
    struct list of_disk;
    struct sim_disk *disk;
    uint64_t id;
    unsigned refs; // names, open files, queued sends, unsynced directory operations
    int64_t size;
    int64_t durable_size;
    struct page *pages;
    size_t page_cap;
    uint32_t *dirty; // indexes of dirty pages
    size_t dirty_count;
    size_t dirty_cap;
};
struct inode *inode_create(struct sim_disk *disk);
struct inode *inode_ref(struct inode *inode);
void inode_unref(struct inode *inode); // NULL is a no-op
struct inode *inode_clone(struct sim_disk *disk, const struct inode *inode);
// inode_read moves fewer bytes only at the end of the file.
size_t inode_read(const struct inode *inode, int64_t position, void *out, size_t len);
// inode_write takes bytes from slices, skipping the first `skip`; fewer only when the disk is full.
size_t inode_write(struct inode *inode, int64_t position, const struct io_slice *slices, size_t count,
                   size_t skip, size_t len);
void inode_truncate(struct inode *inode, int64_t size);
void inode_sync(struct inode *inode);        // as the disk's chances have it
void inode_sync_some(struct inode *inode);   // a random part of the dirty pages reaches the platter
void inode_sync_failed(struct inode *inode); // pages dropped, kept or written
void inode_power_cut(struct inode *inode);
bool inode_rot(struct inode *inode, int64_t position, unsigned bit);

struct dir_entry {
    char *name;
    struct inode *inode;
};
struct dir_names { // sorted by name
    struct dir_entry *rows;
    size_t count;
    size_t cap;
};
struct dir {
    struct list of_disk;
    char *path; // "" is the root
    bool is_durable;
    struct dir_names live;
    struct dir_names durable;
};
enum dir_op_kind { DIR_CREATE, DIR_RENAME, DIR_UNLINK };
struct dir_op { // done in the cache, not yet known to be on the platter
    struct list of_disk;
    enum dir_op_kind kind;
    struct dir *dir; // of `name`; for a rename, of the new name
    struct dir *from_dir;
    char *name;
    char *from_name;
    struct inode *inode;
};
struct sim_disk {
    struct list of_world;
    struct sim_world *world;
    struct sim_faults faults;
    struct list dirs;
    struct list ops; // in order
    struct list inodes;
    int64_t capacity_pages;
    int64_t used_pages;
    struct sim_process *locked_by;
};
struct dir *dir_find(const struct sim_disk *disk, struct str path); // NULL if missing
struct inode *names_find(const struct dir_names *names, struct str name);
void names_set(struct dir_names *names, struct str name, struct inode *inode); // takes a reference of its own
void names_remove(struct dir_names *names, struct str name);
void names_fini(struct dir_names *names);
void dir_op_free(struct dir_op *op);
// dir_op_apply does op to the durable names if that still makes sense there.
void dir_op_apply(struct dir_op *op);
void dir_free(struct dir *dir);
void dir_sync(struct sim_disk *disk, struct dir *dir);                  // makes what happened in dir durable
struct inode *disk_inode(const struct sim_disk *disk, struct str path); // NULL if missing
void disk_destroy(struct sim_disk *disk);
void disk_process_gone(struct sim_process *process);
struct inode *file_inode(struct file *file);

// ---- network (net.c, conn.c, pipe.c, poller.c)

extern const struct net_ops sim_net_ops;

struct chunk { // queued to be sent: bytes, or a reference into a file that is read on delivery
    struct list of_pipe;
    struct inode *inode; // NULL: bytes
    int64_t position;
    size_t len;
    size_t done;
    uint8_t bytes[];
};
struct pipe { // one direction of a connection
    struct sim_event deliver;
    struct sim_conn *conn;
    unsigned from; // end 0 or 1
    struct list queue;
    size_t queued;
    size_t limit; // of queued and of arrived
    uint8_t *arrived;
    size_t arrived_head;
    size_t arrived_len;
    size_t arrived_cap;
    bool is_corked; // the sender promised more
    bool fin_queued;
    bool fin_arrived;
};
struct sim_conn {
    struct list of_world;
    struct sim_world *world;
    struct sim_sock *socks[2]; // 0: who connected; NULL once closed
    struct pipe pipes[2];      // pipes[i] carries what end i sends
    char hosts[2][SIM_HOST_SIZE];
    char target[SIM_HOST_SIZE]; // what the client asked for
    int ports[2];
    struct sim_event open;  // the connection attempt arrives
    struct sim_event reset; // a late reset
    bool is_open;
    bool is_refused;
    bool is_reset;
};
struct sim_sock {
    struct sock sock;
    struct sim_process *process;
    struct list of_process;
    struct sim_conn *conn; // NULL: a listener
    unsigned end;
    // listener
    struct list of_listeners;
    char host[SIM_HOST_SIZE];
    int port;
    struct list backlog;
    size_t backlog_count;
    struct list in_backlog;
    // poller
    struct sim_poller *poller;
    unsigned interest;
    void *user;
    struct list ready; // in the poller's list of sockets worth a look
    struct list of_poller;
};
struct sim_poller {
    struct poller poller;
    struct sim_process *process;
    struct list of_process;
    struct list socks;
    struct list ready;
    struct fiber *waiter;
    bool is_woken;
};
extern const struct sock_ops sim_sock_ops;
struct sim_sock *sock_of(struct sock *sock);
unsigned sock_ready(const struct sim_sock *sock);        // POLL_* that a poller would report
void sock_notify(struct sim_sock *sock);                 // something about it changed; NULL is a no-op
void sock_end(struct sim_sock *sock, bool is_power_cut); // close, as the kernel does for a dead process
struct poller *sim_poller_open(struct net *net);
void poller_drop(struct sim_poller *poller);
void sock_forget_poller(struct sim_sock *sock);
void pipe_init(struct pipe *pipe, struct sim_conn *conn, unsigned from);
void pipe_fini(struct pipe *pipe);
void pipe_arm(struct pipe *pipe); // something may be deliverable
size_t pipe_room(const struct pipe *pipe);
void pipe_put_bytes(struct pipe *pipe, const struct io_slice *slices, size_t count, size_t len);
void pipe_put_file(struct pipe *pipe, struct inode *inode, int64_t position, size_t len);
size_t pipe_take(struct pipe *pipe, void *out, size_t len);
void pipe_cork(struct pipe *pipe, bool has_more);
void pipe_drop_queue(struct pipe *pipe); // and stop delivering
struct sim_conn *conn_create(struct sim_process *client, struct str host, int port);
struct sim_sock *sock_create(struct sim_process *process, struct sim_conn *conn, unsigned end);
void conn_reset_later(struct sim_conn *conn, bool is_power_cut);
void conn_reset_now(struct sim_conn *conn);
void conn_free_if_over(struct sim_conn *conn);
void conn_free(struct sim_conn *conn);
bool net_is_blocked(const struct sim_world *world, const char *from, const char *to);
int64_t net_delay_ns(struct sim_world *world);
void net_process_gone(struct sim_process *process, bool is_power_cut);
void net_destroy(struct sim_world *world);

#endif
