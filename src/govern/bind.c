// SPDX-License-Identifier: Apache-2.0
// bind.c - whether what is to govern a topic can: asked when settings switch it on. What does not compile is
// refused with its position, before a record meets it.
#include "govern/govern_private.h"

enum { BIND_MESSAGES_MAX = 64 }; // of a Protobuf schema that are tried

enum contract_level bind_level(enum governance_level level)
{
    return level == LEVEL_CONTRACT ? CONTRACT_RULES : CONTRACT_STRUCTURE;
}

enum err named_add(struct named *named, struct str topic, struct error *e)
{
    for (uint32_t i = 0; i < named->count; i++) {
        if (str_equal(named->list[i], topic)) {
            return ERR_OK;
        }
    }
    if (named->list == NULL) {
        named->list = arena_new(named->arena, struct str, POLICY_BINDING_LETTERS_MAX);
    }
    struct str kept = arena_str(named->arena, topic);
    if (named->list == NULL || kept.ptr == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "its rules need too much memory");
    }
    if (named->count == POLICY_BINDING_LETTERS_MAX) {
        return FAIL(e, ERR_INVALID_CONFIG, "its rules name more than %d topics for dead letters",
                    POLICY_BINDING_LETTERS_MAX);
    }
    named->list[named->count++] = kept;
    return ERR_OK;
}

static enum err named_by(struct named *named, const struct contract *contract, struct error *e)
{
    enum err err = ERR_OK;
    struct str topic = {NULL, 0};
    for (size_t i = 0; err == ERR_OK; i++) {
        topic = contract_dead_letter_topic(contract, i);
        if (topic.ptr == NULL) {
            return ERR_OK;
        }
        err = named_add(named, topic, e);
    }
    return err;
}

enum err bind_compile(const struct registry_contract *contract, enum contract_level level,
                      struct contract **ret, struct error *e)
{
    struct want want = {.kind = SNAPSHOT_CONTRACT, .level = level};
    struct error later = {0};
    *ret = NULL;
    enum err err = contract_compile(contract, &want, ret, e);
    bool has_messages = schema_format(contract->part.schema) == FORMAT_PROTOBUF;
    want.index_count = 1;
    for (int32_t i = 1; err == ERR_INVALID_REQUEST && has_messages && i < BIND_MESSAGES_MAX; i++) {
        want.indexes[0] = i;
        enum err other = contract_compile(contract, &want, ret, &later);
        if (other != ERR_INVALID_REQUEST) {
            err = other == ERR_OK ? ERR_OK : err; // there is no such message: what the first one said counts
            break;
        }
    }
    return err;
}

enum err bind_check(const struct registry_contract *contract, enum contract_level level, struct named *named,
                    struct error *e)
{
    struct contract *compiled;
    enum err err = bind_compile(contract, level, &compiled, e);
    err = err == ERR_OK ? named_by(named, compiled, e) : err;
    contract_unref(compiled);
    return err;
}

bool bind_sends_letters(const struct governance *settings, int side)
{
    return settings->sides[side].level == LEVEL_CONTRACT && settings->action != ACTION_OBSERVE;
}

// ---- a topic is bound: one version in each turn of the loop

// condition_add notes that the answer rests on a document. What the question saw twice it saw alike, or the
// second look compiled what came later: then the first one does not hold.
static enum err condition_add(struct policy_binding *binding, const struct registry_ground *ground,
                              struct error *e)
{
    if (binding->conditions == NULL) {
        binding->conditions =
            arena_new(&binding->found, struct item_condition, POLICY_BINDING_CONDITIONS_MAX);
    }
    struct str key = arena_str(&binding->found, ground->key);
    if (binding->conditions == NULL || key.ptr == NULL ||
        binding->condition_count == POLICY_BINDING_CONDITIONS_MAX) {
        return FAIL(e, ERR_NO_MEMORY, "what governs the topic needs too much memory");
    }
    binding->conditions[binding->condition_count++] = (struct item_condition){key, ground->revision};
    return ERR_OK;
}

// version_bind compiles one version; the registry is this thread's.
static enum err version_bind(struct govern *g, const struct registry_subject *subject,
                             const struct registry_member *member, struct arena *arena, struct error *e)
{
    struct policy_binding *binding = g->job.binding;
    struct registry_contract found;
    struct named named = {&binding->found, binding->letters, binding->letter_count};
    enum err err = registry_contract_find(g->registry, subject->name, member->version, arena, &found, e);
    if (err == ERR_OK) {
        err = bind_check(&found, bind_level(g->job.settings.sides[g->job.side].level), &named, e);
        registry_contract_release(&found);
    }
    if (err == ERR_OK && bind_sends_letters(&g->job.settings, g->job.side)) {
        binding->letters = named.list;
        binding->letter_count = named.count;
    }
    if (err != ERR_OK) {
        error_wrap(e, STR_FMT " version %d", STR_ARG(subject->name), member->version);
    }
    return err;
}

// subject_bind compiles the newest version that has not been yet; *ret_is_done: there is none.
static enum err subject_bind(struct govern *g, struct str name, const struct side_settings *settings,
                             struct arena *arena, bool *ret_is_done, struct error *e)
{
    struct bind_job *job = &g->job;
    struct registry_subject subject;
    enum err err = registry_subject_find(g->registry, name, arena, &subject, e);
    for (int i = 0; i < REGISTRY_SUBJECT_GROUNDS && err == ERR_OK && job->is_side_new; i++) {
        err = condition_add(job->binding, &subject.grounds[i], e);
    }
    bool is_newest_only = settings->version_min == VERSION_LATEST && job->compiled == 1;
    size_t count =
        err == ERR_OK && job->compiled < BIND_VERSIONS_MAX && !is_newest_only ? subject.member_count : 0;
    for (size_t i = count; i > 0; i--) {
        const struct registry_member *member = &subject.members[i - 1];
        if (member->version < settings->version_min) {
            break;
        }
        if (!member->is_deleted && member->version < job->below) {
            job->compiled++;
            job->below = member->version;
            *ret_is_done = false;
            return version_bind(g, &subject, member, arena, e);
        }
    }
    *ret_is_done = true;
    return err;
}

enum err bind_subject(struct registry *r, struct str topic, int side, const struct side_settings *settings,
                      struct arena *arena, char room[GOVERNANCE_SUBJECT_SIZE], struct str *ret,
                      struct registry_ground *ret_ground, struct error *e)
{
    enum err err = ERR_OK;
    *ret = settings->subject;
    *ret_ground = (struct registry_ground){0};
    if (ret->len == 0) {
        err = registry_topic_subject(r, topic, side == SIDE_KEY, arena, ret, ret_ground, e);
    }
    if (err == ERR_OK && ret->len == 0 && settings->strategy == SUBJECT_TOPIC) {
        *ret = governance_subject(settings, (enum governance_side)side, topic, (struct str){"", 0}, room);
    }
    return err;
}

// side_bind does one piece of work on the job's side.
static enum err side_bind(struct govern *g, struct arena *arena, bool *ret_is_done, struct error *e)
{
    struct bind_job *job = &g->job;
    const struct side_settings *settings = &job->settings.sides[job->side];
    struct registry_ground ground;
    char room[GOVERNANCE_SUBJECT_SIZE];
    struct str subject;
    *ret_is_done = true;
    if (settings->level == LEVEL_NONE) {
        return ERR_OK;
    }
    enum err err = bind_subject(g->registry, job->binding->topic_name, job->side, settings, arena, room,
                                &subject, &ground, e);
    if (err == ERR_OK && job->is_side_new && ground.key.ptr != NULL) {
        err = condition_add(job->binding, &ground, e);
    }
    if (err != ERR_OK || subject.len == 0 || settings->level < LEVEL_STRUCTURE) {
        return err; // which subjects there will be is not known yet; a subject without versions may get some
    }
    return subject_bind(g, subject, settings, arena, ret_is_done, e);
}

// job_side begins with a side.
static void job_side(struct bind_job *job, int side)
{
    job->side = side;
    job->is_side_new = true;
    job->compiled = 0;
    job->below = INT32_MAX;
}

static void job_begin(struct bind_job *job, struct policy_binding *binding)
{
    *job = (struct bind_job){.binding = binding};
    bool is_governed = governance_resolve(binding->configs, binding->config_count, &job->settings);
    job_side(job, is_governed ? 0 : SIDE_COUNT);
}

// job_step: contracts are found and compile, a piece at a time; it answers behind the last one.
static void job_step(struct govern *g)
{
    struct bind_job *job = &g->job;
    struct policy_binding *binding = job->binding;
    struct arena arena;
    enum err err = ERR_OK;
    bool is_side_done = true;
    if (job->side < SIDE_COUNT) {
        arena_init(&arena, BIND_BYTES_MAX);
        (void)govern_registry_begin(g);
        err = side_bind(g, &arena, &is_side_done, &binding->error);
        govern_registry_end(g);
        arena_fini(&arena);
    }
    job->is_side_new = false;
    if (err == ERR_OK && is_side_done && job->side < SIDE_COUNT) {
        job_side(job, job->side + 1);
    }
    if (err == ERR_OK && job->side < SIDE_COUNT) {
        return;
    }
    binding->err = binding->error.code = err == ERR_OK ? ERR_OK : ERR_INVALID_CONFIG;
    job->binding = NULL;
    policy_binding_answer(binding);
}

// on_bind does a piece of one and makes room for the loop's other work.
static void on_bind(struct task *task)
{
    struct govern *g = (struct govern *)(void *)((char *)task - offsetof(struct govern, bind));
    if (g->job.binding == NULL) {
        mutex_lock(&g->binds_lock);
        struct list *node = list_is_empty(&g->binds) ? NULL : list_pop_front(&g->binds);
        g->is_bind_posted = node != NULL;
        mutex_unlock(&g->binds_lock);
        if (node == NULL) {
            return;
        }
        job_begin(&g->job, LIST_ENTRY(node, struct policy_binding, node));
    }
    job_step(g);
    loop_post(g->loop, &g->bind);
}

void binds_init(struct govern *g)
{
    mutex_init(&g->binds_lock, g->env->threads);
    list_init(&g->binds);
    g->bind.run = on_bind;
}

static void stopping_answer(struct policy_binding *binding)
{
    binding->err = FAIL(&binding->error, ERR_STOPPING, "the broker is stopping");
    policy_binding_answer(binding);
}

void binds_stop(struct govern *g)
{
    struct list left;
    list_init(&left);
    mutex_lock(&g->binds_lock);
    g->is_bind_stopping = true;
    while (!list_is_empty(&g->binds)) {
        list_push_back(&left, list_pop_front(&g->binds));
    }
    mutex_unlock(&g->binds_lock);
    if (g->job.binding != NULL) {
        struct policy_binding *binding = g->job.binding;
        g->job.binding = NULL;
        stopping_answer(binding);
    }
    while (!list_is_empty(&left)) {
        stopping_answer(LIST_ENTRY(list_pop_front(&left), struct policy_binding, node));
    }
}

// Schemas are parsed and contracts compiled where contracts are loaded, not on the loop that asks: it has
// other connections to serve.
void govern_bind(void *arg, struct policy_binding *binding)
{
    struct govern *g = arg;
    bool must_post = false;
    mutex_lock(&g->binds_lock);
    bool is_stopping = g->is_bind_stopping;
    if (!is_stopping) {
        list_push_back(&g->binds, &binding->node);
        must_post = !g->is_bind_posted;
        g->is_bind_posted = true;
    }
    mutex_unlock(&g->binds_lock);
    if (is_stopping) {
        stopping_answer(binding);
    } else if (must_post) {
        loop_post(g->loop, &g->bind);
    }
}
