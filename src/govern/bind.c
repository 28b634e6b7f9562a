// SPDX-License-Identifier: Apache-2.0
// bind.c - whether what is to govern a topic can: asked when settings switch it on, and when a version is
// registered under a subject that does. What does not compile is refused with its position, before a record
// meets it.
#include <stdarg.h>

#include "base/mem.h"
#include "govern/govern_private.h"

enum {
    BINDINGS_BYTES_MAX = 256 << 20,
    BINDINGS_SLICE = 1000,  // topics looked at under one lock
    BIND_VERSIONS_MAX = 20, // the newest of a subject that are compiled when it is bound
    BIND_MESSAGES_MAX = 64, // of a Protobuf schema that are tried
    BIND_BYTES_MAX = 256 << 20,
    REMARKS_BYTES_MAX = 1 << 20,
    REMARK_SIZE = 512,
    BEFORE_ITEMS_MAX = 256, // that one step of a registration asks for
};

// Topics that rules name for dead letters, each once.
struct named {
    struct arena *arena;
    struct str *list; // POLICY_BINDING_LETTERS_MAX
    uint32_t count;
};

static enum contract_level level_of(enum governance_level level)
{
    return level == LEVEL_CONTRACT ? CONTRACT_RULES : CONTRACT_STRUCTURE;
}

static enum err named_add(struct named *named, struct str topic, struct error *e)
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

// any_compile compiles a contract. Which message of a Protobuf schema its rules are about is said
// by records only: one of those at the top has to fit.
static enum err any_compile(const struct registry_contract *contract, enum contract_level level,
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

// compiles says whether a contract can judge, and notes the topics that its rules name.
static enum err compiles(const struct registry_contract *contract, enum contract_level level,
                         struct named *named, struct error *e)
{
    struct contract *compiled;
    enum err err = any_compile(contract, level, &compiled, e);
    err = err == ERR_OK ? named_by(named, compiled, e) : err;
    contract_unref(compiled);
    return err;
}

// ---- the topics that are governed

static struct str kept(struct bindings *b, struct str text)
{
    return arena_str(&b->arena, text);
}

static void binding_add(struct bindings *b, const struct topic *topic, const struct governance *g)
{
    if (b->count == b->cap) {
        b->cap = b->cap == 0 ? 64 : 2 * b->cap;
        b->list = mem_realloc(b->list, b->cap * sizeof *b->list);
    }
    struct binding *to = &b->list[b->count++];
    *to = (struct binding){.name = kept(b, topic_name(topic)), .settings = *g};
    to->settings.dlq_topic = kept(b, g->dlq_topic);
    for (int i = 0; i < SIDE_COUNT; i++) {
        to->settings.sides[i].subject = kept(b, g->sides[i].subject);
    }
}

// slice_take looks at some topics from `index` on; false: there are no more.
static bool slice_take(struct govern *g, uint32_t *index)
{
    const struct core *core = broker_view_begin(g->broker);
    uint32_t end = core_topic_count(core);
    uint32_t until = *index + BINDINGS_SLICE < end ? *index + BINDINGS_SLICE : end;
    for (; *index < until; (*index)++) {
        const struct topic *topic = core_topic_at(core, *index);
        struct governance settings;
        uint32_t count;
        const struct item_config *configs = topic_configs(topic, &count);
        if (count > 0 && governance_resolve(configs, count, &settings)) {
            binding_add(&g->bindings, topic, &settings);
        }
    }
    broker_view_end(g->broker);
    return *index < end;
}

static uint64_t catalogue_serial(struct govern *g)
{
    const struct core *core = broker_view_begin(g->broker);
    uint64_t serial = core_catalogue_serial(core);
    broker_view_end(g->broker);
    return serial;
}

const struct bindings *bindings_get(struct govern *g)
{
    struct bindings *b = &g->bindings;
    uint64_t serial = catalogue_serial(g);
    uint32_t index = 0;
    if (b->is_known && b->serial == serial) {
        return b;
    }
    arena_fini(&b->arena);
    arena_init(&b->arena, BINDINGS_BYTES_MAX);
    b->count = 0;
    b->serial = serial; // what changes from here on makes it be read anew
    b->is_known = true;
    while (slice_take(g, &index)) {
    }
    b->is_known = !b->arena.failed;
    return b;
}

void bindings_fini(struct bindings *b)
{
    arena_fini(&b->arena);
    mem_free(b->list);
}

// ---- a version is registered

static bool side_uses(struct registry *r, const struct binding *b, int side,
                      const struct registry_contract *contract)
{
    const struct side_settings *settings = &b->settings.sides[side];
    struct str subject = contract->part.subject;
    char room[GOVERNANCE_SUBJECT_SIZE];
    if (settings->level < LEVEL_STRUCTURE) {
        return false;
    }
    if (settings->subject.len > 0) {
        return registry_stands_for(r, settings->subject, subject);
    }
    struct str record = settings->strategy == SUBJECT_TOPIC ? STR("") : schema_name(contract->part.schema);
    struct str name = governance_subject(settings, (enum governance_side)side, b->name, record, room);
    return registry_stands_for(r, name, subject) ||
           registry_topic_stands_for(r, b->name, side == SIDE_KEY, subject);
}

// sends_letters: what rules set aside goes where they say.
static bool sends_letters(const struct governance *settings, int side)
{
    return settings->sides[side].level == LEVEL_CONTRACT && settings->action != ACTION_OBSERVE;
}

// letters_before plans that each topic which the contract would govern names what its rules do. What does not
// fit into this step does into the next.
static enum err letters_before(struct govern *g, const struct registry_contract *contract,
                               const struct named *named, struct arena *arena, struct registry_before *ret,
                               struct error *e)
{
    const struct bindings *b = &g->bindings;
    enum err err = ERR_OK;
    for (size_t i = 0; i < b->count && err == ERR_OK && ret->count < BEFORE_ITEMS_MAX; i++) {
        const struct binding *binding = &b->list[i];
        struct item *items = NULL;
        uint32_t count = 0;
        bool is_used = false;
        for (int side = 0; side < SIDE_COUNT; side++) {
            is_used = is_used || (sends_letters(&binding->settings, side) &&
                                  side_uses(g->registry, binding, side, contract));
        }
        if (is_used) {
            err = broker_plan_rule_letters(g->broker, binding->name, named->list, named->count, arena, &items,
                                           &count, e);
        }
        struct item *all = count == 0 ? NULL : arena_new(arena, struct item, (size_t)ret->count + count);
        if (all != NULL) {
            for (uint32_t k = 0; k < ret->count + count; k++) {
                all[k] = k < ret->count ? ret->items[k] : items[k - ret->count];
            }
            *ret = (struct registry_before){all, ret->count + count};
        }
        if (err != ERR_OK) {
            error_wrap(e, "it would govern topic " STR_FMT, STR_ARG(binding->name));
        }
    }
    return err;
}

enum err govern_check_registration(void *arg, const struct registry_contract *contract, struct arena *arena,
                                   struct registry_before *ret, struct error *e)
{
    struct govern *g = arg;
    const struct bindings *b = bindings_get(g);
    const struct binding *governed = NULL;
    enum contract_level strictest = CONTRACT_STRUCTURE;
    struct named named = {.arena = arena};
    for (size_t i = 0; i < b->count; i++) {
        for (int side = 0; side < SIDE_COUNT; side++) {
            if (side_uses(g->registry, &b->list[i], side, contract)) {
                governed = governed == NULL ? &b->list[i] : governed;
                enum contract_level level = level_of(b->list[i].settings.sides[side].level);
                strictest = level > strictest ? level : strictest;
            }
        }
    }
    if (governed == NULL && b->is_known) {
        return ERR_OK;
    }
    enum err err = compiles(contract, strictest, &named, e);
    if (err != ERR_OK && governed != NULL) {
        error_wrap(e, "it would govern topic " STR_FMT, STR_ARG(governed->name));
    }
    return err == ERR_OK && named.count > 0 ? letters_before(g, contract, &named, arena, ret, e) : err;
}

// ---- a name comes to stand for another subject

static bool side_named(struct registry *r, const struct binding *b, int side, struct str name)
{
    const struct side_settings *settings = &b->settings.sides[side];
    char room[GOVERNANCE_SUBJECT_SIZE];
    if (settings->level < LEVEL_STRUCTURE) {
        return false;
    }
    if (settings->subject.len > 0) {
        return registry_is_name(settings->subject, name);
    }
    struct str none = {"", 0};
    struct str own = governance_subject(settings, (enum governance_side)side, b->name, none, room);
    return (settings->strategy == SUBJECT_TOPIC && registry_is_name(own, name)) ||
           registry_topic_names(r, b->name, side == SIDE_KEY, name);
}

// newest_compile compiles the newest versions of a subject, as they are when a topic is bound to it.
static enum err newest_compile(struct govern *g, struct str name, enum contract_level level,
                               struct arena *arena, struct error *e)
{
    struct registry_subject subject;
    enum err err = registry_subject_find(g->registry, name, arena, &subject, e);
    int compiled = 0;
    for (size_t i = err == ERR_OK ? subject.member_count : 0; i > 0 && err == ERR_OK; i--) {
        const struct registry_member *member = &subject.members[i - 1];
        struct registry_contract found;
        struct named named = {.arena = arena};
        if (member->is_deleted || compiled++ >= BIND_VERSIONS_MAX) {
            continue;
        }
        err = registry_contract_find(g->registry, subject.name, member->version, arena, &found, e);
        if (err == ERR_OK) {
            err = compiles(&found, level, &named, e);
            registry_contract_release(&found);
        }
        if (err != ERR_OK) {
            error_wrap(e, STR_FMT " version %d", STR_ARG(subject.name), member->version);
        }
    }
    return err;
}

enum err govern_check_alias(void *arg, struct str name, struct str subject, struct error *e)
{
    struct govern *g = arg;
    const struct bindings *b = bindings_get(g);
    const struct binding *governed = NULL;
    enum contract_level strictest = CONTRACT_STRUCTURE;
    struct arena arena;
    for (size_t i = 0; i < b->count; i++) {
        for (int side = 0; side < SIDE_COUNT; side++) {
            if (side_named(g->registry, &b->list[i], side, name)) {
                governed = governed == NULL ? &b->list[i] : governed;
                enum contract_level level = level_of(b->list[i].settings.sides[side].level);
                strictest = level > strictest ? level : strictest;
            }
        }
    }
    if (governed == NULL && b->is_known) {
        return ERR_OK;
    }
    arena_init(&arena, BIND_BYTES_MAX);
    enum err err = newest_compile(g, subject, strictest, &arena, e);
    arena_fini(&arena);
    if (err != ERR_OK && governed != NULL) {
        error_wrap(e, "it would govern topic " STR_FMT, STR_ARG(governed->name));
    }
    return err;
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
        err = compiles(&found, level_of(g->job.settings.sides[g->job.side].level), &named, e);
        registry_contract_release(&found);
    }
    if (err == ERR_OK && sends_letters(&g->job.settings, g->job.side)) {
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

// side_subject finds the subject of a side; an empty one: each record names it. ret_ground->key.ptr NULL: its
// settings say.
static enum err side_subject(struct registry *r, struct str topic, int side,
                             const struct side_settings *settings, struct arena *arena,
                             char room[GOVERNANCE_SUBJECT_SIZE], struct str *ret,
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
    enum err err = side_subject(g->registry, job->binding->topic_name, job->side, settings, arena, room,
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

// ---- what binding means for the rules, for whoever looks at it

static void remark_add(struct remarks *remarks, int side, struct str text)
{
    if (remarks->counts[side] < REMARKS_MAX) {
        remarks->texts[side][remarks->counts[side]++] = arena_str(&remarks->arena, text);
    }
}

static void remark_format(struct remarks *remarks, int side, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void remark_format(struct remarks *remarks, int side, const char *format, ...)
{
    char text[REMARK_SIZE];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    remark_add(remarks, side, str_from_c(text));
}

static const struct registry_member *newest_of(const struct registry_subject *subject)
{
    for (size_t i = subject->member_count; i > 0; i--) {
        if (!subject->members[i - 1].is_deleted) {
            return &subject->members[i - 1];
        }
    }
    return NULL;
}

static void version_remark(struct registry *r, struct remarks *remarks, int side, struct str subject,
                           const struct registry_member *member, enum governance_level level,
                           struct arena *arena)
{
    struct registry_contract found;
    struct contract *contract = NULL;
    struct error e = {0};
    enum err err = registry_contract_find(r, subject, member->version, arena, &found, &e);
    if (err == ERR_OK) {
        err = any_compile(&found, level_of(level), &contract, &e);
        registry_contract_release(&found);
    }
    if (err != ERR_OK) {
        remark_format(remarks, side, STR_FMT " version %d cannot be used for judging: %s", STR_ARG(subject),
                      member->version, e.text);
        return;
    }
    const char *text;
    for (size_t i = 0; (text = contract_remark(contract, i)) != NULL; i++) {
        remark_add(remarks, side, str_from_c(text));
    }
    contract_unref(contract);
}

static void side_remark(struct registry *r, const struct binding *b, int side, struct remarks *remarks)
{
    const struct side_settings *settings = &b->settings.sides[side];
    struct registry_subject subject;
    struct arena arena;
    struct error e = {0};
    struct registry_ground ground;
    char room[GOVERNANCE_SUBJECT_SIZE];
    struct str name;
    arena_init(&arena, BIND_BYTES_MAX);
    enum err err = side_subject(r, b->name, side, settings, &arena, room, &name, &ground, &e);
    bool is_one = err == ERR_OK && name.len > 0;
    err = is_one ? registry_subject_find(r, name, &arena, &subject, &e) : err;
    const struct registry_member *newest = is_one && err == ERR_OK ? newest_of(&subject) : NULL;
    if (err != ERR_OK) {
        remark_format(remarks, side, "%s", e.text);
    } else if (is_one && newest == NULL) {
        remark_format(remarks, side, "subject " STR_FMT " has no version yet: no payload passes",
                      STR_ARG(name));
    } else if (newest != NULL && settings->level >= LEVEL_STRUCTURE) {
        version_remark(r, remarks, side, subject.name, newest, settings->level, &arena);
    }
    arena_fini(&arena);
}

const struct remarks *remarks_get(struct govern *g, struct registry *r, const struct binding *b)
{
    struct remarks *remarks = &g->remarks;
    const struct core *core = broker_view_begin(g->broker);
    uint64_t documents = core_document_serial(core);
    broker_view_end(g->broker);
    bool is_same = remarks->is_known && remarks->catalogue_serial == g->bindings.serial &&
                   remarks->document_serial == documents && str_equal(remarks->topic, b->name);
    if (is_same) {
        return remarks;
    }
    arena_fini(&remarks->arena);
    *remarks = (struct remarks){
        .is_known = true, .catalogue_serial = g->bindings.serial, .document_serial = documents};
    arena_init(&remarks->arena, REMARKS_BYTES_MAX);
    remarks->topic = arena_str(&remarks->arena, b->name);
    for (int side = 0; side < SIDE_COUNT; side++) {
        if (b->settings.sides[side].level != LEVEL_NONE) {
            side_remark(r, b, side, remarks);
        }
    }
    return remarks;
}
