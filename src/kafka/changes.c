// SPDX-License-Identifier: Apache-2.0
// changes.c - plan, submit, look at the outcomes, plan again what was stale: at most BROKER_PLAN_TRIES times.
#include "kafka/changes.h"

#include <stdlib.h>

#define LETTERS (1U << 31) // of an item that the entry's own needs: what became of it shows there
#define GUARD   (1U << 30)
#define ENTRY   (GUARD - 1)

struct change_set *change_set_create(struct request *rq, uint32_t count)
{
    struct change_set *set = request_new(rq, struct change_set, 1);
    struct change_entry *entries = request_new(rq, struct change_entry, (size_t)count + 1);
    if (set == NULL || entries == NULL) {
        request_out_of_memory(rq);
        return NULL;
    }
    set->rq = rq;
    set->entries = entries;
    set->count = count;
    for (uint32_t i = 0; i < count; i++) {
        entries[i].set = set;
    }
    return set;
}

void change_set_refuse(struct change_set *set, uint32_t index, enum err err, struct str text)
{
    struct change_entry *entry = &set->entries[index];
    entry->err = err;
    entry->text = text;
    entry->is_settled = true;
}

struct named {
    struct str name;
    uint32_t index;
};

static int named_order(const void *left, const void *right)
{
    return str_compare(((const struct named *)left)->name, ((const struct named *)right)->name);
}

bool change_set_refuse_repeated(struct change_set *set, const struct str *names, struct str text)
{
    struct named *sorted = request_new(set->rq, struct named, (size_t)set->count + 1);
    if (sorted == NULL) {
        request_out_of_memory(set->rq);
        return false;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        if (names[i].ptr != NULL) {
            sorted[count++] = (struct named){names[i], i};
        }
    }
    qsort(sorted, count, sizeof *sorted, named_order);
    for (uint32_t i = 1; i < count; i++) {
        if (!str_equal(sorted[i - 1].name, sorted[i].name)) {
            continue;
        }
        for (uint32_t twin = i - 1; twin <= i; twin++) {
            if (!set->entries[sorted[twin].index].is_settled) {
                change_set_refuse(set, sorted[twin].index, ERR_INVALID_REQUEST, text);
            }
        }
    }
    return true;
}

// An id that is gone means that the topic went between plan and apply, a deletion that is refused that it
// came to take dead letters: planning again finds the right words.
static bool is_overtaken(const struct change_entry *entry)
{
    bool is_bound = entry->err == ERR_POLICY_VIOLATION && entry->item.kind == ITEM_TOPIC_DELETE;
    return entry->err == ERR_STALE || entry->err == ERR_UNKNOWN_TOPIC_ID || is_bound;
}

static void on_changed(struct request *rq, struct request_change *change)
{
    (void)rq;
    struct change_set *set = change->state;
    bool may_retry = set->tries < BROKER_PLAN_TRIES;
    for (uint32_t i = 0; i < change->op.item_count; i++) {
        struct change_entry *entry = &set->entries[set->submitted[i] & ENTRY];
        enum err err = change->op.outcomes[i].err;
        if ((set->submitted[i] & (LETTERS | GUARD)) != 0) {
            entry->guard_err = (set->submitted[i] & GUARD) != 0 ? err : ERR_OK;
            continue; // what needs it tells
        }
        entry->outcome = change->op.outcomes[i];
        bool is_guarded = err == ERR_STALE && entry->has_guard && entry->guard_err != ERR_OK;
        entry->err = is_guarded ? entry->guard_err : err;
        if (is_overtaken(entry) && may_retry) {
            continue;
        }
        entry->is_settled = true;
        if (entry->err == ERR_STALE) {
            entry->err = ERR_TIMED_OUT; // retriable for every client
            entry->text = STR("Other changes of the same resource came first each time: try again.");
        } else if (entry->err == ERR_POLICY_VIOLATION) { // most limits are told of with numbers, by plans
            entry->text = STR("There is no room for it: what stays in memory takes all that it may of "
                              "strom.memory.max.bytes (62 %), or another limit of docs/limits.md is "
                              "reached. Delete what is not needed, or raise the limit.");
        } else if (entry->err != ERR_OK) {
            entry->text = str_from_c(err_text(entry->err));
        }
    }
    change_set_start(set);
}

// partitions_of: how many partitions a planned change makes or deletes.
static uint32_t partitions_of(struct request *rq, const struct item *item)
{
    uint32_t count = 0;
    if (item->kind == ITEM_TOPIC_CREATE) {
        count = (uint32_t)item->topic_create.partition_count;
    } else if (item->kind == ITEM_PARTITIONS_ADD) {
        count = (uint32_t)(item->partitions_add.partition_count - item->partitions_add.expected_count);
    } else if (item->kind == ITEM_TOPIC_DELETE) {
        const struct topic *topic =
            core_topic_find_id(broker_view_begin(rq->broker), item->topic_delete.topic_id);
        count = topic == NULL ? 0 : (uint32_t)topic_partition_count(topic);
        broker_view_end(rq->broker);
    }
    return count;
}

// entry_count counts a change that was planned well, once however often it is planned again.
static void entry_count(struct change_set *set, struct change_entry *entry)
{
    if (entry->is_counted || set->strict_since == 0) {
        return;
    }
    entry->is_counted = true;
    bool is_strict = set->rq->version >= set->strict_since;
    if (!request_mutate(set->rq, partitions_of(set->rq, &entry->item), is_strict)) {
        entry->err = ERR_QUOTA_EXCEEDED;
        entry->text = STR("The throttling quota has been exceeded.");
        entry->is_settled = true;
    }
}

static void changes_submit(struct change_set *set);

// entry_fail settles what could not be planned.
static void entry_fail(struct change_entry *entry, enum err err, const struct error *error)
{
    struct change_set *set = entry->set;
    struct str text = arena_str(&set->rq->arena, str_from_c(error->text));
    change_set_refuse(set, (uint32_t)(entry - set->entries), err, text);
}

static void entry_plan_letters(struct change_entry *entry)
{
    struct request *rq = entry->set->rq;
    struct error error = {0};
    enum err err = broker_plan_letters(rq->broker, &entry->item, &rq->arena, &entry->letters,
                                       &entry->letter_count, &error);
    if (err != ERR_OK) {
        entry_fail(entry, err, &error);
    }
}

// on_answered: whether contracts can govern a topic is found out where they are loaded, since it takes time.
static void on_answered(struct task *task)
{
    struct policy_binding *binding =
        (struct policy_binding *)(void *)((char *)task - offsetof(struct policy_binding, answered));
    struct change_entry *entry =
        (struct change_entry *)(void *)((char *)binding - offsetof(struct change_entry, binding));
    struct change_set *set = entry->set;
    struct request *rq = set->rq;
    struct error error = binding->error;
    enum err err = binding->err;
    if (err == ERR_OK) {
        err = broker_bound(rq->broker, binding, &rq->arena, &entry->item, &entry->guard, &error);
        entry->has_guard = err == ERR_OK;
    }
    arena_fini(&binding->found);
    if (err != ERR_OK) {
        entry_fail(entry, err, &error);
    } else {
        entry_plan_letters(entry);
    }
    if (--set->asked == 0) {
        changes_submit(set);
    }
}

static void entry_plan(struct change_set *set, uint32_t index)
{
    struct change_entry *entry = &set->entries[index];
    struct error error = {0};
    entry->has_guard = false;
    entry->err = set->plan(set, index, &entry->item, &error);
    if (entry->err != ERR_OK) {
        entry_fail(entry, entry->err, &error);
        return;
    }
    entry->binding =
        (struct policy_binding){.loop = broker_port_loop(set->rq->port), .answered = {.run = on_answered}};
    if (broker_bind(set->rq->broker, &entry->item, &set->rq->arena, &entry->binding)) {
        set->asked++;
    } else {
        entry_plan_letters(entry);
    }
}

// is_made_here: an entry of the same request makes the topic that another one needs for dead letters.
static bool is_made_here(const struct change_set *set, struct str name)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct change_entry *entry = &set->entries[i];
        if (!entry->is_settled && entry->item.kind == ITEM_TOPIC_CREATE &&
            str_equal(entry->item.topic_create.name, name)) {
            return true;
        }
    }
    return false;
}

void change_set_start(struct change_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (!set->entries[i].is_settled) {
            entry_plan(set, i);
        }
    }
    if (set->asked == 0) { // else when all are answered, in a later round of this loop
        changes_submit(set);
    }
}

// items_add puts in what an entry comes to; its number is at most letter_count + 2.
static void items_add(struct change_set *set, uint32_t index, struct item *items, uint32_t *count)
{
    const struct change_entry *entry = &set->entries[index];
    for (uint32_t i = 0; i < entry->letter_count; i++) {
        if (!is_made_here(set, entry->letters[i].topic_create.name)) {
            set->submitted[*count] = LETTERS | index;
            items[(*count)++] = entry->letters[i];
        }
    }
    if (entry->has_guard) {
        set->submitted[*count] = GUARD | index;
        items[(*count)++] = entry->guard;
    }
    set->submitted[*count] = index;
    items[(*count)++] = entry->item;
}

static void changes_submit(struct change_set *set)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct change_entry *entry = &set->entries[i];
        entry->is_settled |= set->is_validate_only;
        if (!entry->is_settled) {
            entry_count(set, entry);
        }
        count += entry->is_settled ? 0 : entry->letter_count + 2;
    }
    if (count == 0) {
        set->done(set);
        return;
    }
    struct item *items = request_new(set->rq, struct item, count);
    set->submitted = request_new(set->rq, uint32_t, count);
    if (items == NULL || set->submitted == NULL) {
        request_out_of_memory(set->rq);
        return;
    }
    count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        if (!set->entries[i].is_settled) {
            items_add(set, i, items, &count);
        }
    }
    set->tries++;
    (void)request_change_start(set->rq, items, count, set, on_changed);
}
