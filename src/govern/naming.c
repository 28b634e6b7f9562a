// SPDX-License-Identifier: Apache-2.0
// naming.c - topics for dead letters that a rule names and its topic's configs do not yet: with the record
// name strategies nobody knows which subjects there will be, so these are made when a batch first needs them.
// One at a time, on the registry's loop.
#include "govern/judge_private.h"

enum {
    NAMING_BYTES_MAX = 4 << 20,
    NAMING_TRIES = 8, // plans of one that others overtook
};

static void naming_fail(struct naming *n, enum err err, const char *text)
{
    n->err = err;
    snprintf(n->text, sizeof n->text, "%s", text);
}

// name_keep: what is cut off is too long for a topic's name anyway.
static struct str name_keep(struct str name, char room[GOVERNANCE_NAME_SIZE])
{
    size_t len = name.len < GOVERNANCE_NAME_SIZE ? name.len : GOVERNANCE_NAME_SIZE;
    memcpy(room, name.ptr, len);
    return (struct str){room, len};
}

// naming_next takes up the next one; false: there is none.
static bool naming_next(struct govern *g)
{
    struct namings *namings = &g->namings;
    mutex_lock(&namings->lock);
    struct list *node = list_is_empty(&namings->waiting) ? NULL : list_pop_front(&namings->waiting);
    namings->current = node == NULL ? NULL : LIST_ENTRY(node, struct naming, node);
    namings->is_posted = node != NULL;
    namings->tries = 0;
    if (node != NULL) { // its case may be gone before the change is done
        namings->topic = name_keep(namings->current->topic, namings->topic_room);
        namings->letters = name_keep(namings->current->letters, namings->letters_room);
    }
    mutex_unlock(&namings->lock);
    return node != NULL;
}

// naming_end wakes who waits for it, unless it was woken when the server began to stop.
static void naming_end(struct govern *g, enum err err, const char *text)
{
    struct namings *namings = &g->namings;
    mutex_lock(&namings->lock);
    struct naming *n = namings->current;
    namings->current = NULL;
    mutex_unlock(&namings->lock);
    if (n != NULL) {
        naming_fail(n, err, text);
        policy_case_wake(n->c);
    }
}

static void naming_run(struct govern *g);

static void on_named(struct change_op *op)
{
    struct govern *g = (struct govern *)(void *)((char *)op - offsetof(struct govern, namings.op));
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < op->item_count && err == ERR_OK; i++) {
        err = op->outcomes[i].err == ERR_TOPIC_EXISTS ? ERR_OK : op->outcomes[i].err;
    }
    if (err == ERR_STALE && ++g->namings.tries < NAMING_TRIES) {
        naming_run(g);
        return;
    }
    err = err == ERR_STALE ? ERR_OK : err; // so will the verdict be
    naming_end(g, err, err == ERR_OK ? "" : err_text(err));
    loop_post(g->loop, &g->namings.task);
}

// naming_run plans what is missing and has it ordered.
static void naming_run(struct govern *g)
{
    struct namings *namings = &g->namings;
    struct error e = {0};
    struct item *items = NULL;
    uint32_t count = 0;
    arena_reset(&namings->arena);
    enum err err = broker_plan_rule_letters(g->broker, namings->topic, &namings->letters, 1, &namings->arena,
                                            &items, &count, &e);
    namings->op =
        (struct change_op){.port = g->port,
                           .items = items,
                           .item_count = count,
                           .done = on_named,
                           .outcomes = arena_new(&namings->arena, struct outcome, (size_t)count + 1),
                           .submissions = arena_new(&namings->arena, struct submission, (size_t)count + 1)};
    if (err == ERR_OK && namings->arena.failed) {
        err = FAIL(&e, ERR_NO_MEMORY, "the topic's settings need too much memory");
    }
    if (err == ERR_OK && count > 0) {
        broker_change(g->broker, &namings->op);
        return;
    }
    naming_end(g, err, err == ERR_OK ? "" : e.text);
    loop_post(g->loop, &namings->task);
}

static void on_naming(struct task *task)
{
    struct govern *g = (struct govern *)(void *)((char *)task - offsetof(struct govern, namings.task));
    if (naming_next(g)) {
        naming_run(g);
    }
}

void namings_init(struct namings *namings, struct env *env)
{
    mutex_init(&namings->lock, env->threads);
    list_init(&namings->waiting);
    namings->task.run = on_naming;
    arena_init(&namings->arena, NAMING_BYTES_MAX);
}

void namings_fini(struct namings *namings)
{
    arena_fini(&namings->arena);
    mutex_fini(&namings->lock);
}

bool naming_ask(struct govern *g, struct naming *n)
{
    struct namings *namings = &g->namings;
    bool must_post = false;
    mutex_lock(&namings->lock);
    bool is_stopping = namings->is_stopping;
    if (!is_stopping) {
        list_push_back(&namings->waiting, &n->node);
        must_post = !namings->is_posted;
        namings->is_posted = true;
    }
    mutex_unlock(&namings->lock);
    if (is_stopping) {
        naming_fail(n, ERR_STOPPING, "the broker is stopping");
    } else if (must_post) {
        loop_post(g->loop, &namings->task);
    }
    return !is_stopping;
}

void namings_stop(struct govern *g)
{
    struct namings *namings = &g->namings;
    struct list left;
    list_init(&left);
    mutex_lock(&namings->lock);
    namings->is_stopping = true;
    while (!list_is_empty(&namings->waiting)) {
        list_push_back(&left, list_pop_front(&namings->waiting));
    }
    if (namings->current != NULL) {
        list_push_back(&left, &namings->current->node);
        namings->current = NULL;
    }
    mutex_unlock(&namings->lock);
    while (!list_is_empty(&left)) {
        struct naming *n = LIST_ENTRY(list_pop_front(&left), struct naming, node);
        naming_fail(n, ERR_STOPPING, "the broker is stopping");
        policy_case_wake(n->c);
    }
}

// ---- what a batch asks for

static bool list_has(struct str list, struct str name)
{
    while (list.len > 0) {
        if (str_equal(str_cut(list, ',', &list), name)) {
            return true;
        }
    }
    return false;
}

// What the topic's configs name is there, is not governed and stays while they do. The rest is asked for once
// the batch is judged; by then its verdict is out of date, and it is judged again.
bool outcome_named(struct judging *j)
{
    struct naming *n = &j->naming;
    for (; j->named_count < j->letter_count && !j->is_refused; j->named_count++) {
        struct str name = j->letters[j->named_count].topic;
        if (j->c->dlq_topic.ptr != NULL || list_has(j->topic->topic.rule_topics, name)) {
            continue;
        }
        if (n->topic.ptr == NULL) {
            *n = (struct naming){.c = j->c, .topic = j->topic->topic.name, .letters = name};
            if (naming_ask(j->g, n)) {
                return false;
            }
        }
        n->topic = (struct str){NULL, 0}; // it was answered
        if (n->err != ERR_OK) {
            outcome_refuse_letters(j, n->err, name, n->text);
        }
    }
    return true;
}
