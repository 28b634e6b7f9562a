// SPDX-License-Identifier: Apache-2.0
// rig_test.h - what the tests of govern/ share: a whole broker with a governed topic, its registry asked by
// hand, and cases of the policy that the test makes itself.
#ifndef GOVERN_RIG_TEST_H
#define GOVERN_RIG_TEST_H

#include "broker/test_rig.h"
#include "govern/judge_private.h"
#include "json/tree.h"

enum { CASE_RECORDS_MAX = 20000 };

struct world {
    struct rig rig;
    struct govern *govern;
    struct arena arena; // of answers and cases
    // The last answer of the registry.
    int status;
    char *text;
    int32_t id;
    // What cases say instead of what holds, if set.
    struct str dlq_topic;
    struct uuid topic_id;
    size_t bytes_max; // 0 = plenty
    bool has_no_time; // slices are over when they begin
    size_t letter_bytes_max;
    enum codec codec; // that batches say they came with; their records are decompressed
    // Called once, between a plan of the registry and its item's turn: a change that comes first.
    void (*overtake)(struct world *w);
};

void world_init(struct world *w);
void world_stop(struct world *w); // no more is loaded
void world_fini(struct world *w);
// world_ask makes a request of the registry: "POST /subjects/{subject}/versions", its params separated by
// '\n', and behind a '?' its query.
int world_ask(struct world *w, const char *route, const char *params, const char *body);
// world_register gives the schema's id. schema: JSON text of the body.
int32_t world_register(struct world *w, const char *subject, const char *body);
void world_topic(struct world *w, const char *name, const char *const *configs); // key, value, ... NULL
void world_configure(struct world *w, const char *name, const char *const *configs);

// world_bind asks the policy whether a topic may have these configs: asked on one loop, answered on it later.
enum err world_bind(struct world *w, const char *topic, const struct item_config *configs, uint32_t count,
                    struct error *e);

// world_letters is world_bind, and gives the topics that rules name, in the world's arena.
enum err world_letters(struct world *w, const char *topic, const struct item_config *configs, uint32_t count,
                       struct str **ret, uint32_t *ret_count, struct error *e);

// world_govern makes a governed topic as an administrator's request does: asked, then ordered with what the
// answer rests on and with its topics for dead letters; `overtake`, if any, comes between.
enum err world_govern(struct world *w, const char *name, const char *const *configs,
                      void (*overtake)(struct world *w), struct error *e);

// One record to be judged. What is left out is null.
struct line {
    const char *key;
    size_t key_len; // 0: up to its NUL
    struct bytes value;
    struct record_header header; // key.ptr NULL: none
};
struct trial {
    struct policy_case c;
    struct world *world;
    struct buf batch;
    bool is_woken; // guarded by the rig's lock
    uint32_t waits;
    uint32_t mores;
};
// The world of the running test, made and ended by these two, and its case.
extern struct world world;
extern struct trial trial;
int world_setup(void **state);
int world_teardown(void **state);
// trial_judge judges a batch of the records for partition 0; waits for what is loaded.
void trial_judge(struct world *w, struct trial *t, const char *topic, const struct line *lines,
                 int32_t count);
// trial_end settles the case; with POLICY_FINAL its records are counted first, as the broker would have them.
void trial_end(struct trial *t, enum policy_end end);
// world_count orders a batch of the topic that counts n in each of the cells so named, which have one
// producer.
void world_count(struct world *w, const struct series_name *names, uint32_t count,
                 enum contract_action action, uint32_t n);
// framed gives 00 | id | text.
struct bytes framed(struct world *w, int32_t id, const char *text);

// A contract that does not compile.
#define BROKEN_RULE                                                                                          \
    "{\"schemaType\":\"JSON\",\"schema\":\"{\\\"type\\\":\\\"object\\\"}\",\"ruleSet\":{\"domainRules\":[{"  \
    "\"name\":\"r\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"mode\":\"WRITE\",\"expr\":\"uncompilable(\"}]" \
    "}}"

static inline void expect_in(const char *text, const char *part)
{
    assert_non_null(text);
    if (strstr(text, part) == NULL) {
        fail_msg("%.2000s\nlacks: %s", text, part);
    }
}

#endif
