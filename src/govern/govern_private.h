// SPDX-License-Identifier: Apache-2.0
// govern_private.h - snapshots of what is bound, the cache of them, and the counters.
#ifndef GOVERN_GOVERN_PRIVATE_H
#define GOVERN_GOVERN_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "contract/contract.h"
#include "contract/frame.h"
#include "core/governance.h"
#include "govern/govern.h"

// ---- snapshots

enum snapshot_kind {
    SNAPSHOT_TOPIC,    // a topic's settings, and the names of its subjects
    SNAPSHOT_SUBJECT,  // the versions of a subject
    SNAPSHOT_SCHEMA,   // what an id means, where the subject follows from the schema
    SNAPSHOT_CONTRACT, // a contract, compiled
};

// What a snapshot is asked for by.
struct want {
    enum snapshot_kind kind;
    struct uuid topic_id;             // TOPIC
    struct str subject;               // SUBJECT: as it is named; CONTRACT: qualified, its alias followed
    struct registry_schema_name name; // SCHEMA, of the default context
    int32_t version;                  // CONTRACT
    struct uuid guid;                 // CONTRACT: what that version has been
    uint64_t revision;         // CONTRACT: of its subject; what it refers to is replaced only with that
    enum contract_level level; // CONTRACT
    int32_t indexes[FRAME_INDEXES_MAX]; // CONTRACT, SCHEMA: of the Protobuf message
    size_t index_count;
};
enum { WANT_KEY_SIZE = 64 + REGISTRY_SUBJECT_BYTES_MAX + 4 * FRAME_INDEXES_MAX };
// want_key writes what tells wants apart; its length. A subject's name is at most REGISTRY_SUBJECT_BYTES_MAX
// bytes.
size_t want_key(const struct want *want, uint8_t room[WANT_KEY_SIZE]);

struct topic_rules {
    struct uuid id;
    struct str name;
    uint64_t config_revision;
    struct governance settings;
    struct str rule_topics;          // GOVERNANCE_RULE_TOPICS
    struct str subjects[SIDE_COUNT]; // NULL ptr: each record's schema names it
};

struct subject_rules {
    struct registry_subject subject;
    const struct registry_member *latest; // that is not deleted; NULL = none
};

struct schema_rules {
    bool is_known;
    enum format format;
    struct str record; // its name; empty: it has none
    struct uuid guid;
};

// Immutable once it is published. Owner: whoever holds a reference.
struct snapshot {
    enum snapshot_kind kind;
    uint32_t refs; // atomic
    uint64_t hash; // of its key
    size_t bytes;
    struct arena arena; // of all texts
    struct str key;
    const struct registry_ground *grounds; // what it rests on
    size_t ground_count;
    struct str failure; // why nothing can be judged by it; empty = it can
    union {
        struct topic_rules topic;
        struct subject_rules subject;
        struct schema_rules schema;
        struct contract *contract;
    };
};
void snapshot_unref(struct snapshot *take_snapshot); // NULL is a no-op

// load.c: snapshot_load reads the core and the registry. Always gives one, of a failure if need be.
struct snapshot *snapshot_load(struct govern *g, const struct want *want);
// contract_compile compiles what the registry gave.
enum err contract_compile(const struct registry_contract *from, const struct want *want,
                          struct contract **ret, struct error *e);

// ---- cache.c

struct waiter {
    struct list node;
    struct policy_case *c;
};
enum cache_answer { CACHE_FOUND, CACHE_WAIT, CACHE_STOPPING };

struct cache {
    struct mutex lock;  // guards what follows. Taken alone: nothing of broker or registry is called under it
    struct map slots;   // by key
    struct list used;   // slots with a snapshot, least used first
    struct list wanted; // slots to be loaded
    size_t bytes;
    size_t count;
    size_t bytes_max;   // GOVERN_SNAPSHOT_BYTES_MAX
    size_t count_max;   // GOVERN_SNAPSHOTS_MAX
    uint64_t suspicion; // rises when a verdict was stale: what was looked at before is compared with the core
                        // again
    bool is_stopping;
    bool is_posted;
};
void cache_init(struct cache *cache, struct env *env);
void cache_fini(struct cache *cache);
// cache_get gives a reference, or lets the waiter's case be woken once there is one.
enum cache_answer cache_get(struct govern *g, const struct want *want, struct waiter *waiter,
                            struct snapshot **ret);
// cache_is_current compares what a snapshot rests on with the core.
bool cache_is_current(struct govern *g, const struct snapshot *snapshot);
// cache_drop forgets the snapshot: who asks next has it loaded.
void cache_drop(struct govern *g, const struct snapshot *snapshot);
void cache_suspect(struct govern *g);
// cache_load_next loads one that is wanted and wakes who waits for it; false: none is.
bool cache_load_next(struct govern *g);
void cache_stop(struct cache *cache); // wakes all who wait

// ---- counts.c

enum {
    OUTCOME_COUNT = CONTRACT_REJECT + 1
}; // enum contract_action: PASS, OBSERVE, MARK, DEAD_LETTER, REJECT

// Whose records, and by which rule. A NULL rule: the records themselves.
struct series_name {
    struct str topic;
    struct str subject;
    int32_t version; // 0: unknown
    int32_t side;    // of a rule, likewise the path, in which every index is [*]
    struct str rule;
    struct str path;
    struct str client_id;
    struct str principal;
};
struct series { // one cell as it was read, or a sum of some
    struct series_name name;
    uint64_t counts[OUTCOME_COUNT];
    int64_t last_ms;
    bool is_unnamed; // it found no room for what it is of
};
struct str side_name(int32_t side);
// counts_print writes members of an object about a topic: sums, "windows":{...}, "rules":[...],
// "paths":[...], "versions":[...], "producers":[...].
struct json;
void counts_print(struct govern *g, struct str topic, struct json *j);
// counts_topics lists the topics that have counts, in order.
size_t counts_topics(struct govern *g, struct arena *arena, struct str **ret);
void counts_collect(void *arg, struct buf *out); // for metrics; arg: govern

// ---- tally.c: how cells are named in the log. A NULL ptr: no memory.

struct bytes tally_who_encode(struct str client_id, struct str principal, struct arena *arena);
struct bytes tally_what_encode(const struct series_name *name, struct arena *arena);
// The decoders fill parts of a name; "(others)" is for what has none. Texts are the bytes' own.
void tally_who_decode(struct bytes who, struct series_name *ret);
void tally_what_decode(struct bytes what, bool is_record, struct series_name *ret);

// ---- samples.c

struct sample { // of a violation; texts never hold a value of the payload
    int64_t time_ms;
    struct str topic;
    int32_t partition;
    int32_t index; // within its batch
    int64_t offset_delta;
    int64_t offset; // -1: its batch was refused
    struct str client_id;
    struct str principal;
    struct str subject;
    int32_t version;
    int32_t side;
    struct str rule;
    struct str path;
    struct str reason;
    enum contract_action action;
};
struct samples {
    struct mutex lock;        // guards what follows; under it only a task is posted
    struct kept_sample *ring; // of GOVERN_SAMPLES_MAX
    uint64_t count;           // ever
    struct task *listener;    // posted to `loop` with the next one; NULL = nobody waits
    struct loop *loop;
};
void samples_init(struct samples *samples, struct env *env);
void samples_fini(struct samples *samples);
void samples_add(struct samples *samples, const struct sample *sample);
// samples_any: the ring has one of the topic (NULL ptr: of any) behind the one with that number, or has begun
// anew.
bool samples_any(struct samples *samples, struct str topic, int64_t after);
void samples_listen(struct samples *samples, struct loop *loop, struct task *task); // NULL: nobody any more
void samples_print(struct samples *samples, struct str topic, int64_t after, size_t limit, struct buf *out);

// ---- bind.c: what else asks whether a contract can govern

enum {
    BIND_VERSIONS_MAX = 20, // the newest of a subject that are compiled when it is bound
    BIND_BYTES_MAX = 256 << 20,
};

// Topics that rules name for dead letters, each once.
struct named {
    struct arena *arena;
    struct str *list; // POLICY_BINDING_LETTERS_MAX
    uint32_t count;
};
enum err named_add(struct named *named, struct str topic, struct error *e);
enum contract_level bind_level(enum governance_level level);
// bind_sends_letters: what rules set aside goes where they say.
bool bind_sends_letters(const struct governance *settings, int side);
// bind_compile compiles a contract. Which message of a Protobuf schema its rules are about is said by records
// only: one of those at the top has to fit.
enum err bind_compile(const struct registry_contract *contract, enum contract_level level,
                      struct contract **ret, struct error *e);
// bind_check says whether a contract can judge, and notes the topics that its rules name.
enum err bind_check(const struct registry_contract *contract, enum contract_level level, struct named *named,
                    struct error *e);
// bind_subject finds the subject of a side; an empty one: each record names it. ret_ground->key.ptr NULL: its
// settings say.
enum err bind_subject(struct registry *r, struct str topic, int side, const struct side_settings *settings,
                      struct arena *arena, char room[GOVERNANCE_SUBJECT_SIZE], struct str *ret,
                      struct registry_ground *ret_ground, struct error *e);

// ---- bindings.c: the topics that are governed. The registry's lock guards them.

struct binding {
    struct str name;
    struct governance settings;
};
struct bindings {
    struct binding *list; // in the order of names
    size_t count;
    size_t cap;
    struct arena arena;
    uint64_t serial; // of the catalogue that they were read from
    bool is_known;   // false: there was too much of it
};
const struct bindings *bindings_get(struct govern *g);
void bindings_fini(struct bindings *b);

// ---- remarks.c

enum {
    REMARKS_MAX = 64,       // of a side: as many as a contract has, or why there are none
    REMARKS_KEPT_MAX = 512, // contracts whose remarks are known; the least used go
};

// What whoever looks at a binding should know.
struct remarks {
    struct str texts[SIDE_COUNT][REMARKS_MAX];
    size_t counts[SIDE_COUNT];
    struct arena arena; // of all texts
};
// remarks_find finds those of the newest contract of each side. Not under the registry's lock, which it
// takes; the caller frees the arena.
void remarks_find(struct govern *g, const struct binding *b, struct remarks *ret);

struct kept_remarks { // of one contract
    struct list node;
    struct arena arena; // of all texts
    struct str texts[REMARKS_MAX];
    size_t count;
    uint64_t hash; // of its key, as of its snapshot
    size_t key_len;
    uint8_t key[];
};
struct remarks_kept { // guarded by the registry's lock
    struct list used; // struct kept_remarks.node, the least used first
    size_t count;
    size_t count_max; // REMARKS_KEPT_MAX
};
void remarks_init(struct remarks_kept *kept);
void remarks_fini(struct remarks_kept *kept);

// ---- judge.c, outcome.c, bind.c, bindings.c: the policy

enum policy_step govern_judge(void *arg, struct policy_case *c);
void govern_settle(void *arg, struct policy_case *c, enum policy_end end);
void govern_bind(void *arg, struct policy_binding *binding);
void binds_init(struct govern *g);
void binds_stop(struct govern *g); // answers all, and whatever is asked from here on
enum err govern_check_registration(void *arg, const struct registry_contract *contract, struct arena *arena,
                                   struct registry_before *ret, struct error *e);
enum err govern_check_standing(void *arg, struct registry_standing *standing, struct arena *arena,
                               struct registry_before *ret, struct error *e);

// ---- naming.c

// A topic's configs are to name a topic for dead letters, which is made if need be. Owner: a case that waits.
struct naming {
    struct list node;
    struct policy_case *c; // woken when it is done
    struct str topic;
    struct str letters;
    // out
    enum err err;
    char text[ERROR_TEXT_SIZE];
};
struct namings {
    struct mutex lock;   // guards what follows; taken alone
    struct list waiting; // struct naming.node
    struct naming *current;
    bool is_posted;
    bool is_stopping;
    struct task task; // on the loop, as what follows
    uint32_t tries;
    struct str topic; // of the current one, likewise
    struct str letters;
    char topic_room[GOVERNANCE_NAME_SIZE];
    char letters_room[GOVERNANCE_NAME_SIZE];
    struct arena arena;
    struct change_op op;
};
void namings_init(struct namings *namings, struct env *env);
void namings_fini(struct namings *namings);
// naming_ask: the case is woken when it is done; false: it is, for the server stops.
bool naming_ask(struct govern *g, struct naming *n);
void namings_stop(struct govern *g); // wakes all who wait

// A question about a topic, being answered.
struct bind_job {
    struct policy_binding *binding; // NULL = none
    struct governance settings;
    int side;
    bool is_side_new;
    int compiled;  // versions of its subject
    int32_t below; // those that are not compiled yet
};

struct govern {
    struct env *env;
    struct broker *broker; // NULL until it is attached
    struct broker_port *port;
    struct loop *loop; // of the port
    struct task load;  // on the loop
    struct mutex registry_lock;
    struct registry *registry;
    struct bindings bindings;
    struct remarks_kept remarks; // likewise
    struct mutex binds_lock;     // guards what follows; taken alone
    struct list binds;           // struct policy_binding.node: to be answered
    bool is_bind_posted;
    bool is_bind_stopping;
    struct task bind; // on the loop, as the job
    struct bind_job job;
    struct namings namings;
    struct cache cache;
    struct samples samples;
    struct metric *loads;
    struct metric *load_failures;
    struct metric *remarked;
};

#endif
