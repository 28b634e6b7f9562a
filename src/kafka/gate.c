// SPDX-License-Identifier: Apache-2.0
// gate.c - connections per broker, per address and per second. The accepting front alone walks and changes
// the table of addresses; a front that loses a connection only counts down, and the acceptor drops what
// stands at zero a little at a time.
#include "kafka/gate.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    SWEEP_STEPS = 2, // addresses looked at per new connection: each brings at most one
    PAUSE_MS_MAX = 1000,
};

struct gate *gate_create(uint64_t seed)
{
    struct gate *gate = mem_zalloc(sizeof *gate);
    gate->refs = 1;
    gate->seed = seed;
    map_init(&gate->ips);
    list_init(&gate->ip_order);
    gate->rate.sums = gate->rate_sums;
    return gate;
}

struct gate *gate_ref(struct gate *gate)
{
    __atomic_fetch_add(&gate->refs, 1, __ATOMIC_RELAXED);
    return gate;
}

void gate_unref(struct gate *gate)
{
    if (__atomic_sub_fetch(&gate->refs, 1, __ATOMIC_ACQ_REL) > 0) {
        return;
    }
    ASSERT(gate->connections == 0);
    ASSERT(gate->queued_bytes[FRAME_SMALL] == 0 && gate->queued_bytes[FRAME_LARGE] == 0);
    ASSERT(gate->work_bytes == 0);
    struct map_node *node;
    while ((node = map_pop(&gate->ips)) != NULL) {
        mem_free(MAP_ENTRY(node, struct ip_count, node));
    }
    map_fini(&gate->ips);
    mem_free(gate);
}

// ---- addresses

static struct str address_of(struct sock *sock, char text[SOCK_NAME_SIZE])
{
    struct str name = sock_peer_name(sock, text);
    size_t end = name.len;
    while (end > 0 && name.ptr[end - 1] != ':') {
        end--; // the port
    }
    name.len = end > 0 ? end - 1 : name.len;
    if (name.len > 2 && name.ptr[0] == '[') {
        name = (struct str){name.ptr + 1, name.len - 2};
    }
    return name;
}

static void sweep(struct gate *gate)
{
    for (int i = 0; i < SWEEP_STEPS && !list_is_empty(&gate->ip_order); i++) {
        struct ip_count *ip = LIST_ENTRY(list_pop_front(&gate->ip_order), struct ip_count, order);
        if (__atomic_load_n(&ip->count, __ATOMIC_ACQUIRE) > 0) {
            list_push_back(&gate->ip_order, &ip->order);
        } else {
            map_remove(&gate->ips, &ip->node);
            mem_free(ip);
        }
    }
}

static struct ip_count *ip_get(struct gate *gate, struct str address)
{
    uint64_t hash = hash64(bytes_of(address.ptr, address.len), gate->seed);
    struct map_node *node = map_first(&gate->ips, hash);
    for (; node != NULL; node = map_next(node)) {
        struct ip_count *ip = MAP_ENTRY(node, struct ip_count, node);
        if (str_equal((struct str){ip->text, ip->len}, address)) {
            return ip;
        }
    }
    struct ip_count *ip = mem_zalloc(sizeof *ip);
    memcpy(ip->text, address.ptr, address.len);
    ip->len = address.len;
    map_insert(&gate->ips, &ip->node, hash);
    list_push_back(&gate->ip_order, &ip->order);
    return ip;
}

// ---- in and out

enum gate_answer gate_enter(struct gate *gate, const struct kafka_options *options,
                            struct throttles *throttles, int64_t now_ns, struct sock *sock,
                            struct ip_count **ret_ip)
{
    // Only this thread counts up, so that what is below the limit now stays so.
    if (__atomic_load_n(&gate->connections, __ATOMIC_RELAXED) >= options->connections_max) {
        return GATE_FULL;
    }
    char text[SOCK_NAME_SIZE];
    sweep(gate);
    struct ip_count *ip = ip_get(gate, address_of(sock, text));
    if (__atomic_load_n(&ip->count, __ATOMIC_RELAXED) >= options->connections_per_ip) {
        return GATE_FULL_FOR_IP;
    }
    const struct throttle_who who = {.ip = {ip->text, ip->len}};
    if (throttle_add(throttles, THROTTLE_CONNECTION, &who, 1, now_ns) > 0) {
        (void)throttle_add(throttles, THROTTLE_CONNECTION, &who, -1, now_ns); // who is refused used nothing
        return GATE_FAST_FOR_IP;
    }
    __atomic_fetch_add(&ip->count, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&gate->connections, 1, __ATOMIC_RELAXED);
    *ret_ip = ip;
    return GATE_OPEN;
}

void gate_leave(struct gate *gate, struct ip_count *ip)
{
    __atomic_fetch_sub(&gate->connections, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&ip->count, 1, __ATOMIC_RELEASE); // last: the acceptor may free it from here on
}

int64_t gate_pause_ns(struct gate *gate, const struct kafka_options *options, int64_t now_ns)
{
    if (options->connection_rate_max == INT32_MAX) {
        return 0;
    }
    quota_rate_add(&gate->rate, &options->rate, now_ns, 1);
    int64_t wait_ns = quota_rate_wait_ns(&gate->rate, &options->rate, now_ns, options->connection_rate_max);
    int64_t max_ns = PAUSE_MS_MAX * (int64_t)1000000;
    return wait_ns < max_ns ? wait_ns : max_ns;
}
