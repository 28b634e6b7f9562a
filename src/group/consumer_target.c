// SPDX-License-Identifier: Apache-2.0
// consumer_target.c - what the members of a group are to get: computed anew when the members, what they
// subscribe to or those topics have changed.
#include "base/hash.h"
#include "base/mem.h"
#include "group/consumer_private.h"
#include "group/regex.h"

// ---- the topics of a group

struct topics {
    struct assign_topic *list;
    uint32_t count;
    uint32_t cap;
};

static void topics_push(struct topics *topics, const struct assign_topic *topic)
{
    if (topics->count == topics->cap) {
        topics->cap = topics->cap == 0 ? 8 : topics->cap * 2;
        topics->list = mem_realloc(topics->list, topics->cap * sizeof *topics->list);
    }
    topics->list[topics->count++] = *topic;
}

static void topics_add(struct topics *topics, const struct topic *topic)
{
    const struct assign_topic added = {topic_id(topic), topic_partition_count(topic)};
    topics_push(topics, &added);
}

static int topic_order(const void *a, const void *b)
{
    const struct assign_topic *x = a;
    const struct assign_topic *y = b;
    return memcmp(&x->id, &y->id, sizeof x->id);
}

static void topics_sort(struct topics *topics)
{
    if (topics->count < 2) {
        return;
    }
    qsort(topics->list, topics->count, sizeof *topics->list, topic_order);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < topics->count; i++) {
        if (topic_order(&topics->list[kept - 1], &topics->list[i]) != 0) {
            topics->list[kept++] = topics->list[i];
        }
    }
    topics->count = kept;
}

// What the regular expressions of one group match, each worked out once.
struct matched {
    struct str regex;
    struct topics topics;
};
struct matches {
    struct matched *list;
    uint32_t count;
    uint32_t cap;
};

static void matches_fini(struct matches *matches)
{
    for (uint32_t i = 0; i < matches->count; i++) {
        mem_free(matches->list[i].topics.list);
    }
    mem_free(matches->list);
}

static const struct topics *matches_of(const struct coordinator *c, struct matches *matches, struct str regex)
{
    for (uint32_t i = 0; i < matches->count; i++) {
        if (str_equal(matches->list[i].regex, regex)) {
            return &matches->list[i].topics;
        }
    }
    if (matches->count == matches->cap) {
        matches->cap = matches->cap == 0 ? 4 : matches->cap * 2;
        matches->list = mem_realloc(matches->list, matches->cap * sizeof *matches->list);
    }
    struct matched *fresh = &matches->list[matches->count++];
    *fresh = (struct matched){.regex = regex};
    const char *why = NULL;
    struct regex *program = regex_compile(regex, &why);
    for (uint32_t i = 0; i < core_topic_count(c->core) && program != NULL; i++) {
        const struct topic *topic = core_topic_at(c->core, i);
        if (regex_matches(program, topic_name(topic))) {
            topics_add(&fresh->topics, topic);
        }
    }
    regex_free(program);
    return &fresh->topics;
}

static void member_topics(const struct coordinator *c, const struct consumer_member *member,
                          struct matches *matches, struct topics *topics)
{
    if (member->regex.len > 0) {
        const struct topics *matched = matches_of(c, matches, member->regex);
        for (uint32_t i = 0; i < matched->count; i++) {
            topics_push(topics, &matched->list[i]);
        }
    }
    for (uint32_t i = 0; i < member->topic_count; i++) {
        const struct topic *topic = core_topic_find(c->core, member->topics[i]);
        if (topic != NULL) {
            topics_add(topics, topic);
        }
    }
}

// group_topics gathers them by rising id. Members mostly name the same: sorting now and then keeps it small.
static struct topics group_topics(const struct coordinator *c, const struct consumer_group *group,
                                  struct matches *matches)
{
    enum { SORT_AT = 65536 };
    struct topics topics = {0};
    uint32_t sort_at = SORT_AT;
    LIST_EACH (node, &group->members) {
        member_topics(c, LIST_ENTRY(node, struct consumer_member, node), matches, &topics);
        if (topics.count >= sort_at) {
            topics_sort(&topics);
            sort_at = topics.count + SORT_AT;
        }
    }
    topics_sort(&topics);
    return topics;
}

bool consumer_hash_update(struct coordinator *c, struct consumer_group *group)
{
    uint64_t serial = core_catalogue_serial(c->core);
    if (serial == group->catalogue_serial && !group->is_hash_stale) {
        return false;
    }
    struct matches matches = {0};
    struct topics topics = group_topics(c, group, &matches);
    matches_fini(&matches);
    uint64_t hash = 0;
    for (uint32_t i = 0; i < topics.count; i++) {
        uint64_t seed = hash_mix(hash, (uint64_t)topics.list[i].partition_count);
        hash = hash64(bytes_of(&topics.list[i].id, sizeof topics.list[i].id), seed);
    }
    mem_free(topics.list);
    group->catalogue_serial = serial;
    group->is_hash_stale = false;
    bool is_news = hash != group->metadata_hash;
    group->metadata_hash = hash;
    return is_news;
}

// ---- the target

bool consumer_assignor_is_known(const struct coordinator *c, struct str name)
{
    for (uint32_t i = 0; i < GROUP_ASSIGNORS_MAX && c->limits.consumer_assignors[i] != NULL; i++) {
        if (str_equal(name, str_from_c(c->limits.consumer_assignors[i]))) {
            return true;
        }
    }
    return false;
}

struct str consumer_assignor(const struct consumer_group *group)
{
    uint32_t votes[GROUP_ASSIGNORS_MAX] = {0};
    const char *const *names = group->coordinator->limits.consumer_assignors;
    LIST_EACH (node, &group->members) {
        const struct consumer_member *member = LIST_ENTRY(node, struct consumer_member, node);
        for (uint32_t i = 0; i < GROUP_ASSIGNORS_MAX && names[i] != NULL; i++) {
            votes[i] += str_equal(member->assignor, str_from_c(names[i]));
        }
    }
    uint32_t best = 0;
    for (uint32_t i = 1; i < GROUP_ASSIGNORS_MAX; i++) {
        best = votes[i] > votes[best] ? i : best;
    }
    return str_from_c(names[best]);
}

static int index_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

// member_spec: its topics as indexes into those of the group.
static void member_spec(const struct coordinator *c, struct consumer_member *member, struct matches *matches,
                        const struct topics *all, struct assign_member *ret)
{
    struct topics own = {0};
    member_topics(c, member, matches, &own);
    topics_sort(&own);
    uint32_t *indexes = mem_array((size_t)own.count + 1, sizeof *indexes);
    for (uint32_t i = 0; i < own.count; i++) {
        const struct assign_topic *found =
            bsearch(&own.list[i], all->list, all->count, sizeof *all->list, topic_order);
        indexes[i] = (uint32_t)(found - all->list);
    }
    qsort(indexes, own.count, sizeof *indexes, index_order);
    *ret = (struct assign_member){.id = member->id,
                                  .instance_id = member->instance_id,
                                  .topics = indexes,
                                  .topic_count = own.count,
                                  .previous = &member->target};
    mem_free(own.list);
}

static void target_compute(struct coordinator *c, struct consumer_group *group, struct matches *matches,
                           struct topics *topics)
{
    struct assign_member *members = mem_array((size_t)group->member_count + 1, sizeof *members);
    struct assign_spec spec = {topics->list, topics->count, members, group->member_count};
    uint32_t at = 0;
    LIST_EACH (node, &group->members) {
        member_spec(c, LIST_ENTRY(node, struct consumer_member, node), matches, topics, &members[at++]);
    }
    if (str_equal(consumer_assignor(group), STR("range"))) {
        assign_range(&spec);
    } else {
        assign_uniform(&spec);
    }
    at = 0;
    LIST_EACH (node, &group->members) {
        struct consumer_member *member = LIST_ENTRY(node, struct consumer_member, node);
        tp_set_sort(&members[at].target);
        mem_free((void *)members[at].topics);
        if (tp_set_replace(&member->target, &members[at].target)) {
            consumer_member_changed(member, CONSUMER_TARGET);
        }
        at++;
    }
    mem_free(members);
}

enum err consumer_refresh(struct coordinator *c, struct consumer_group *group, bool must_rise)
{
    bool is_news = consumer_hash_update(c, group);
    if (must_rise || is_news) {
        group->epoch++;
        c->consumer_rises++;
        consumer_changed(group);
    }
    if (group->epoch <= group->target_epoch) {
        return ERR_OK;
    }
    struct matches matches = {0};
    struct topics topics = group_topics(c, group, &matches);
    uint64_t total = 0;
    for (uint32_t i = 0; i < topics.count; i++) {
        total += (uint64_t)topics.list[i].partition_count;
    }
    enum err err = total > CONSUMER_PARTITIONS_MAX ? ERR_GROUP_MAX_SIZE_REACHED : ERR_OK;
    if (err == ERR_OK) {
        target_compute(c, group, &matches, &topics);
        group->target_epoch = group->epoch;
        consumer_changed(group);
    }
    mem_free(topics.list);
    matches_fini(&matches);
    return err;
}

void consumer_topics_each(const struct coordinator *c, const struct consumer_group *group,
                          void (*each)(void *arg, struct str topic_name), void *arg)
{
    struct matches matches = {0};
    LIST_EACH (node, &group->members) {
        const struct consumer_member *member = LIST_ENTRY(node, struct consumer_member, node);
        for (uint32_t i = 0; i < member->topic_count; i++) {
            each(arg, member->topics[i]);
        }
        const struct topics *matched = member->regex.len == 0 ? NULL : matches_of(c, &matches, member->regex);
        for (uint32_t i = 0; matched != NULL && i < matched->count; i++) {
            each(arg, topic_name(core_topic_find_id(c->core, matched->list[i].id)));
        }
    }
    matches_fini(&matches);
}
