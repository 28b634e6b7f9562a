// SPDX-License-Identifier: Apache-2.0
// throttle.h - holding clients to their quotas (KIP-13, KIP-124, KIP-599, KIP-612). What the quotas are is in
// the core; here is what each client used of late, in memory only, for all fronts together.
//
// Any thread may call; the lock is held for short steps. As long as there is no quota at all, a call costs
// one load. Of clients, `clients_max` are remembered: the one that was silent for longest makes room.
#ifndef BROKER_THROTTLE_H
#define BROKER_THROTTLE_H

#include "broker/broker.h"
#include "runtime/quota_rate.h"

enum throttle_kind {     // what is counted, and the key of its quota
    THROTTLE_PRODUCE,    // producer_byte_rate: bytes of Produce requests
    THROTTLE_FETCH,      // consumer_byte_rate: bytes of Fetch answers
    THROTTLE_REQUEST,    // request_percentage: seconds of a loop's time, times 100
    THROTTLE_MUTATION,   // controller_mutation_rate: partitions made and deleted
    THROTTLE_CONNECTION, // connection_creation_rate: connections from an address
    THROTTLE_KINDS,
};
struct str throttle_key(enum throttle_kind kind);

// Who is counted: a user with a client id, or (ip.ptr not NULL) an address.
struct throttle_who {
    struct str user;
    struct str client_id;
    struct str ip;
};

struct throttles;
struct throttle_limits {
    uint32_t clients_max; // strom.quota.clients.max
    struct quota_rate_config rate;
};
struct throttles *throttles_create(struct broker *b, const struct throttle_limits *limits, struct metrics *m);
void throttles_destroy(struct throttles *take_throttles);
// throttles_are_on: there are quotas.
bool throttles_are_on(const struct throttles *t);

// throttle_add counts an amount; how long the client has to stay away until it is within its quota again, 0 =
// it is. A negative amount takes back what was counted.
int64_t throttle_add(struct throttles *t, enum throttle_kind kind, const struct throttle_who *who,
                     double amount, int64_t now_ns);
// throttle_bound is the client's quota per second, or -1 for none.
double throttle_bound(struct throttles *t, enum throttle_kind kind, const struct throttle_who *who);
// throttle_most is what the client's quota can let through in one go, or -1 for no bound.
double throttle_most(struct throttles *t, enum throttle_kind kind, const struct throttle_who *who);
// throttle_windows_ns: what was used is forgotten after so long.
int64_t throttle_windows_ns(const struct throttles *t);
// throttle_is_unused: nothing is counted for the client over the windows of now.
bool throttle_is_unused(struct throttles *t, enum throttle_kind kind, const struct throttle_who *who,
                        int64_t now_ns);
// throttle_mutate counts changes of partitions unless the quota is used up and the request is_strict: then it
// returns false and they must be refused. Bursts may be large: a quota that was not used for all its windows
// has them all at once (KIP-599).
bool throttle_mutate(struct throttles *t, const struct throttle_who *who, double amount, bool is_strict,
                     int64_t now_ns, int64_t *ret_wait_ns);

#endif
