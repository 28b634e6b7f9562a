// SPDX-License-Identifier: Apache-2.0
// changes.h - what every changing API does: plan each wish, submit the plans together, plan again those that
// were overtaken by another change, and tell the handler how each one ended.
#ifndef KAFKA_CHANGES_H
#define KAFKA_CHANGES_H

#include "kafka/request.h"

struct change_entry {
    enum err err;         // how it ended
    struct str text;      // why, in words; NULL ptr = nothing to add
    bool is_settled;      // err is final
    bool is_counted;      // its partitions, against controller_mutation_rate
    struct item item;     // as planned last
    struct item *letters; // the topics for dead letters that it needs
    uint32_t letter_count;
    struct item guard; // what the item depends on, with has_guard
    bool has_guard;
    enum err guard_err;
    struct outcome outcome; // of an entry that was submitted
    struct change_set *set;
    struct policy_binding binding; // what may govern the topic, while that is asked
};

// In a request's arena. Owner: the handler that created it.
struct change_set {
    struct request *rq;
    struct change_entry *entries;
    uint32_t count;
    bool is_validate_only; // plan, and submit nothing
    int16_t strict_since;  // version from which too many partitions are refused (KIP-599); 0 = not counted
    void *state;           // the handler's
    enum err (*plan)(struct change_set *set, uint32_t index, struct item *ret_item, struct error *e);
    void (*done)(struct change_set *set);
    uint32_t tries;      // private from here on
    uint32_t *submitted; // whose the items are
    uint32_t asked;      // bindings that are not answered
};

// change_set_create returns NULL past the request's memory limit, having closed the request.
struct change_set *change_set_create(struct request *rq, uint32_t count);
// change_set_refuse settles an entry before the start, with an error or with ERR_OK; text must outlive the
// request or be static.
void change_set_refuse(struct change_set *set, uint32_t index, enum err err, struct str text);
// change_set_refuse_repeated settles with ERR_INVALID_REQUEST each unsettled entry whose name occurs more
// than once; names[i] belongs to entry i, NULL ptr = has none. False: out of memory, and the request is
// closed.
bool change_set_refuse_repeated(struct change_set *set, const struct str *names, struct str text);
// change_set_start plans and submits what is not settled yet; then done(set), maybe before it returns.
void change_set_start(struct change_set *set);

#endif
