// SPDX-License-Identifier: Apache-2.0
// throttle.c - who is bound by which quota, and how much of it is used.
//
// A quota is found in Kafka's order, for each kind on its own: user with client id first, then the user, then
// the client id; a name goes before the default. Where it was found says who shares it: a quota of a user is
// one for all client ids of that user, one of a client id for all users.
#include "broker/throttle.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "broker/broker_private.h"

enum {
    NAME_MAX = 255, // of names that are told apart; a longer one is cut
    WAIT_MS_MAX = 3600000,
};

// What is used of one quota by those who share it.
struct bucket {
    struct map_node node;
    uint32_t refs;
    enum throttle_kind kind;
    bool is_by_user;
    bool is_by_client;
    struct str user;
    struct str client_id;
    double tokens; // of THROTTLE_MUTATION, else the rate
    int64_t tokens_ns;
    struct quota_rate rate;
    double sums[]; // then the texts
};

struct rule {
    double bound;          // -1 = none
    struct bucket *bucket; // NULL without a bound
};

struct tracked {
    struct map_node node;
    struct list lru;
    struct str user; // or an address
    struct str client_id;
    bool is_ip;
    uint64_t serial; // of the quotas that the rules were made of
    struct rule rules[THROTTLE_KINDS];
    char text[];
};

struct throttles {
    struct broker *broker;
    struct throttle_limits limits;
    uint64_t seed;
    struct mutex lock; // guards what follows
    struct map clients;
    struct map buckets;
    struct list lru; // the longest silent first
    struct metric *metric_clients;
    struct metric *metric_throttled[THROTTLE_KINDS];
    struct metric *metric_waits[THROTTLE_KINDS];
};

struct str throttle_key(enum throttle_kind kind)
{
    static const char *const keys[THROTTLE_KINDS] = {"producer_byte_rate", "consumer_byte_rate",
                                                     "request_percentage", "controller_mutation_rate",
                                                     "connection_creation_rate"};
    return str_from_c(keys[kind]);
}

// ---- which quota applies

enum level { NONE, DEFAULT, NAME };

// What one client is bound by: the bound of each kind and at which level it was found.
struct resolved {
    uint64_t serial;
    double bounds[THROTTLE_KINDS];
    bool is_by_user[THROTTLE_KINDS];
    bool is_by_client[THROTTLE_KINDS];
};

static void resolve_level(const struct core *core, const struct item_quota_part *parts, uint32_t count,
                          struct resolved *ret)
{
    struct quota_view view;
    if (count == 0 || !core_quota_find(core, parts, count, &view)) {
        return;
    }
    for (int kind = 0; kind < THROTTLE_KINDS; kind++) {
        for (uint32_t i = 0; i < view.value_count && ret->bounds[kind] < 0; i++) {
            if (str_equal(view.values[i].key, throttle_key(kind))) {
                ret->bounds[kind] = view.values[i].value;
                ret->is_by_user[kind] = parts[0].type != QUOTA_CLIENT_ID;
                ret->is_by_client[kind] = parts[count - 1].type == QUOTA_CLIENT_ID;
            }
        }
    }
}

static struct item_quota_part part_at(enum quota_part_type type, enum level level, struct str name)
{
    return (struct item_quota_part){type, level == NAME ? name : (struct str){NULL, 0}};
}

static void resolve(struct throttles *t, const struct throttle_who *who, struct resolved *ret)
{
    static const struct {
        enum level user;
        enum level client;
    } order[] = {{NAME, NAME},       {NAME, DEFAULT}, {NAME, NONE}, {DEFAULT, NAME},
                 {DEFAULT, DEFAULT}, {DEFAULT, NONE}, {NONE, NAME}, {NONE, DEFAULT}};
    for (int kind = 0; kind < THROTTLE_KINDS; kind++) {
        ret->bounds[kind] = -1;
    }
    const struct core *core = broker_view_begin(t->broker);
    ret->serial = core_quota_serial(core);
    for (size_t i = 0; i < sizeof order / sizeof order[0] && who->ip.ptr == NULL; i++) {
        struct item_quota_part parts[2];
        uint32_t count = 0;
        if (order[i].user != NONE) {
            parts[count++] = part_at(QUOTA_USER, order[i].user, who->user);
        }
        if (order[i].client != NONE) {
            parts[count++] = part_at(QUOTA_CLIENT_ID, order[i].client, who->client_id);
        }
        resolve_level(core, parts, count, ret);
    }
    for (int level = NAME; level >= DEFAULT && who->ip.ptr != NULL; level--) {
        const struct item_quota_part part = part_at(QUOTA_IP, level, who->ip);
        resolve_level(core, &part, 1, ret);
    }
    broker_view_end(t->broker);
}

// ---- buckets; the lock is held from here on

static struct str cut(struct str name)
{
    name.len = name.len < NAME_MAX ? name.len : NAME_MAX;
    return name;
}

static struct str copy(char **at, struct str text)
{
    struct str copied = {*at, text.len};
    if (text.len > 0) {
        memcpy(*at, text.ptr, text.len);
    }
    *at += text.len;
    return copied;
}

static uint64_t hash_of(const struct throttles *t, struct str user, struct str client_id, uint64_t salt)
{
    uint64_t hash = hash64(bytes_of(user.ptr, user.len), t->seed + salt);
    return hash64(bytes_of(client_id.ptr, client_id.len), hash);
}

static double burst_of(const struct throttles *t, double bound)
{
    const struct quota_rate_config *rate = &t->limits.rate;
    return bound * rate->window_count * ((double)rate->window_ns / 1e9);
}

static struct bucket *bucket_get(struct throttles *t, enum throttle_kind kind, bool is_by_user,
                                 bool is_by_client, const struct tracked *client)
{
    struct str user = is_by_user ? client->user : (struct str){"", 0};
    struct str client_id = is_by_client ? client->client_id : (struct str){"", 0};
    uint64_t hash = hash_of(t, user, client_id, 1 + kind * 4 + is_by_user * 2 + is_by_client);
    for (struct map_node *node = map_first(&t->buckets, hash); node != NULL; node = map_next(node)) {
        struct bucket *b = MAP_ENTRY(node, struct bucket, node);
        if (b->kind == kind && b->is_by_user == is_by_user && b->is_by_client == is_by_client &&
            str_equal(b->user, user) && str_equal(b->client_id, client_id)) {
            b->refs++;
            return b;
        }
    }
    uint32_t windows = t->limits.rate.window_count;
    struct bucket *b = mem_zalloc(sizeof *b + windows * sizeof(double) + user.len + client_id.len);
    char *text = (char *)&b->sums[windows];
    b->refs = 1;
    b->kind = kind;
    b->is_by_user = is_by_user;
    b->is_by_client = is_by_client;
    b->user = copy(&text, user);
    b->client_id = copy(&text, client_id);
    b->tokens_ns = -1; // full
    b->rate.sums = b->sums;
    map_insert(&t->buckets, &b->node, hash);
    return b;
}

static void bucket_unref(struct throttles *t, struct bucket *b)
{
    if (b != NULL && --b->refs == 0) {
        map_remove(&t->buckets, &b->node);
        mem_free(b);
    }
}

// ---- clients

static struct tracked *tracked_find(const struct throttles *t, const struct throttle_who *who, uint64_t hash)
{
    bool is_ip = who->ip.ptr != NULL;
    for (struct map_node *node = map_first(&t->clients, hash); node != NULL; node = map_next(node)) {
        struct tracked *client = MAP_ENTRY(node, struct tracked, node);
        if (client->is_ip == is_ip && str_equal(client->user, cut(is_ip ? who->ip : who->user)) &&
            str_equal(client->client_id, cut(who->client_id))) {
            return client;
        }
    }
    return NULL;
}

static void tracked_free(struct throttles *t, struct tracked *client)
{
    for (int kind = 0; kind < THROTTLE_KINDS; kind++) {
        bucket_unref(t, client->rules[kind].bucket);
    }
    map_remove(&t->clients, &client->node);
    list_remove(&client->lru);
    metric_add(t->metric_clients, -1);
    mem_free(client);
}

static struct tracked *tracked_add(struct throttles *t, const struct throttle_who *who, uint64_t hash)
{
    while (t->clients.count >= t->limits.clients_max && !list_is_empty(&t->lru)) {
        tracked_free(t, LIST_ENTRY(t->lru.next, struct tracked, lru));
    }
    bool is_ip = who->ip.ptr != NULL;
    struct str user = cut(is_ip ? who->ip : who->user);
    struct str client_id = cut(who->client_id);
    struct tracked *client = mem_zalloc(sizeof *client + user.len + client_id.len);
    char *text = client->text;
    client->is_ip = is_ip;
    client->user = copy(&text, user);
    client->client_id = copy(&text, client_id);
    map_insert(&t->clients, &client->node, hash);
    list_push_back(&t->lru, &client->lru);
    metric_add(t->metric_clients, 1);
    return client;
}

// tracked_bind gives a client the rules of the quotas as they are now; what it used of a quota that is still
// shared by the same clients stays counted.
static void tracked_bind(struct throttles *t, struct tracked *client, const struct resolved *resolved)
{
    for (int kind = 0; kind < THROTTLE_KINDS; kind++) {
        struct bucket *before = client->rules[kind].bucket;
        struct bucket *bucket = resolved->bounds[kind] < 0 ? NULL
                                                           : bucket_get(t, kind, resolved->is_by_user[kind],
                                                                        resolved->is_by_client[kind], client);
        client->rules[kind] = (struct rule){resolved->bounds[kind], bucket};
        bucket_unref(t, before);
    }
    client->serial = resolved->serial;
}

// tracked_lock finds or adds a client whose rules are those of now, and returns with the lock held.
static struct tracked *tracked_lock(struct throttles *t, const struct throttle_who *who)
{
    bool is_ip = who->ip.ptr != NULL;
    uint64_t hash = hash_of(t, cut(is_ip ? who->ip : who->user), cut(who->client_id), is_ip);
    uint64_t serial = __atomic_load_n(&t->broker->quota_serial, __ATOMIC_ACQUIRE);
    mutex_lock(&t->lock);
    struct tracked *client = tracked_find(t, who, hash);
    if (client == NULL || client->serial != serial) {
        mutex_unlock(&t->lock); // the core's lock is taken alone
        struct resolved resolved = {0};
        resolve(t, who, &resolved);
        mutex_lock(&t->lock);
        client = tracked_find(t, who, hash);
        client = client == NULL ? tracked_add(t, who, hash) : client;
        tracked_bind(t, client, &resolved);
    }
    list_remove(&client->lru);
    list_push_back(&t->lru, &client->lru);
    return client;
}

// ---- the face

struct throttles *throttles_create(struct broker *b, const struct throttle_limits *limits, struct metrics *m)
{
    static const char *const labels[THROTTLE_KINDS] = {
        "quota=\"producer_byte_rate\"", "quota=\"consumer_byte_rate\"", "quota=\"request_percentage\"",
        "quota=\"controller_mutation_rate\"", "quota=\"connection_creation_rate\""};
    struct throttles *t = mem_zalloc(sizeof *t);
    t->broker = b;
    t->limits = *limits;
    t->seed = rng_u64(b->env->rng);
    mutex_init(&t->lock, b->env->threads);
    map_init(&t->clients);
    map_init(&t->buckets);
    list_init(&t->lru);
    t->metric_clients =
        metrics_gauge(m, "strom_quota_clients", NULL, "Clients and addresses whose use of quotas is known");
    for (int kind = 0; kind < THROTTLE_KINDS; kind++) {
        t->metric_throttled[kind] = metrics_counter(m, "strom_quota_throttled_total", labels[kind],
                                                    "Requests and connections that were over a quota");
        t->metric_waits[kind] = metrics_counter(m, "strom_quota_throttle_milliseconds_total", labels[kind],
                                                "How long their clients were told to wait, in all");
    }
    return t;
}

void throttles_destroy(struct throttles *take_throttles)
{
    struct throttles *t = take_throttles;
    if (t == NULL) {
        return;
    }
    while (!list_is_empty(&t->lru)) {
        tracked_free(t, LIST_ENTRY(t->lru.next, struct tracked, lru));
    }
    ASSERT(t->buckets.count == 0);
    map_fini(&t->clients);
    map_fini(&t->buckets);
    mutex_fini(&t->lock);
    mem_free(t);
}

bool throttles_are_on(const struct throttles *t)
{
    return __atomic_load_n(&t->broker->has_quotas, __ATOMIC_RELAXED);
}

static int64_t told(struct throttles *t, enum throttle_kind kind, int64_t wait_ns)
{
    int64_t max_ns = kind == THROTTLE_REQUEST ? t->limits.rate.window_ns : WAIT_MS_MAX * (int64_t)1000000;
    wait_ns = wait_ns < max_ns ? wait_ns : max_ns;
    if (wait_ns > 0) {
        metric_add(t->metric_throttled[kind], 1);
        metric_add(t->metric_waits[kind], wait_ns / 1000000);
    }
    return wait_ns;
}

int64_t throttle_add(struct throttles *t, enum throttle_kind kind, const struct throttle_who *who,
                     double amount, int64_t now_ns)
{
    ASSERT(kind != THROTTLE_MUTATION);
    if (!throttles_are_on(t)) {
        return 0;
    }
    const struct tracked *client = tracked_lock(t, who);
    const struct rule *rule = &client->rules[kind];
    int64_t wait_ns = 0;
    if (rule->bucket != NULL) {
        quota_rate_add(&rule->bucket->rate, &t->limits.rate, now_ns, amount);
        wait_ns =
            amount < 0 ? 0 : quota_rate_wait_ns(&rule->bucket->rate, &t->limits.rate, now_ns, rule->bound);
    }
    mutex_unlock(&t->lock);
    return told(t, kind, wait_ns);
}

double throttle_bound(struct throttles *t, enum throttle_kind kind, const struct throttle_who *who)
{
    if (!throttles_are_on(t)) {
        return -1;
    }
    double bound = tracked_lock(t, who)->rules[kind].bound;
    mutex_unlock(&t->lock);
    return bound;
}

int64_t throttle_windows_ns(const struct throttles *t)
{
    return t->limits.rate.window_count * t->limits.rate.window_ns;
}

double throttle_most(struct throttles *t, enum throttle_kind kind, const struct throttle_who *who)
{
    const struct quota_rate_config *rate = &t->limits.rate;
    double bound = throttle_bound(t, kind, who);
    return bound < 0 ? -1 : bound * (rate->window_count - 1) * ((double)rate->window_ns / 1e9);
}

bool throttle_is_unused(struct throttles *t, enum throttle_kind kind, const struct throttle_who *who,
                        int64_t now_ns)
{
    if (!throttles_are_on(t)) {
        return true;
    }
    struct bucket *bucket = tracked_lock(t, who)->rules[kind].bucket;
    bool is_unused = bucket == NULL || quota_rate_value(&bucket->rate, &t->limits.rate, now_ns) <= 0;
    mutex_unlock(&t->lock);
    return is_unused;
}

bool throttle_mutate(struct throttles *t, const struct throttle_who *who, double amount, bool is_strict,
                     int64_t now_ns, int64_t *ret_wait_ns)
{
    *ret_wait_ns = 0;
    if (!throttles_are_on(t)) {
        return true;
    }
    bool may = true;
    int64_t wait_ns = 0;
    const struct rule *rule = &tracked_lock(t, who)->rules[THROTTLE_MUTATION];
    struct bucket *bucket = rule->bucket;
    if (bucket != NULL) {
        double burst = burst_of(t, rule->bound);
        double passed_s = (double)(now_ns - bucket->tokens_ns) / 1e9;
        double tokens = bucket->tokens_ns < 0 ? burst : bucket->tokens + rule->bound * passed_s;
        tokens = tokens < burst ? tokens : burst;
        may = !is_strict || tokens >= 0;
        tokens -= may ? amount : 0;
        bucket->tokens = tokens;
        bucket->tokens_ns = now_ns;
        double wait_s = tokens < 0 && rule->bound > 0 ? -tokens / rule->bound : 0;
        wait_ns = wait_s < WAIT_MS_MAX / 1000 ? (int64_t)(wait_s * 1e9) : WAIT_MS_MAX * (int64_t)1000000;
    }
    mutex_unlock(&t->lock);
    *ret_wait_ns = told(t, THROTTLE_MUTATION, wait_ns);
    return may;
}
