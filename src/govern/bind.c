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
};

static enum contract_level level_of(enum governance_level level)
{
    return level == LEVEL_CONTRACT ? CONTRACT_RULES : CONTRACT_STRUCTURE;
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

static enum err compiles(const struct registry_contract *contract, enum contract_level level, struct error *e)
{
    struct contract *compiled;
    enum err err = any_compile(contract, level, &compiled, e);
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

enum err govern_check_registration(void *arg, const struct registry_contract *contract, struct error *e)
{
    struct govern *g = arg;
    const struct bindings *b = bindings_get(g);
    const struct binding *governed = NULL;
    enum contract_level strictest = CONTRACT_STRUCTURE;
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
    enum err err = compiles(contract, strictest, e);
    if (err != ERR_OK && governed != NULL) {
        error_wrap(e, "it would govern topic " STR_FMT, STR_ARG(governed->name));
    }
    return err;
}

// ---- a topic is bound

// version_bind compiles one version; the registry is this thread's.
static enum err version_bind(struct registry *r, const struct registry_subject *subject,
                             const struct registry_member *member, enum governance_level level,
                             struct arena *arena, struct error *e)
{
    struct registry_contract found;
    enum err err = registry_contract_find(r, subject->name, member->version, arena, &found, e);
    if (err == ERR_OK) {
        err = compiles(&found, level_of(level), e);
        registry_contract_release(&found);
    }
    if (err != ERR_OK) {
        error_wrap(e, STR_FMT " version %d", STR_ARG(subject->name), member->version);
    }
    return err;
}

static enum err subject_bind(struct registry *r, struct str name, const struct side_settings *settings,
                             struct arena *arena, struct error *e)
{
    struct registry_subject subject;
    enum err err = registry_subject_find(r, name, arena, &subject, e);
    int compiled = 0;
    for (size_t i = err == ERR_OK ? subject.member_count : 0; i > 0 && err == ERR_OK; i--) {
        const struct registry_member *member = &subject.members[i - 1];
        bool is_newest_only = settings->version_min == VERSION_LATEST && compiled == 1;
        if (compiled == BIND_VERSIONS_MAX || is_newest_only || member->version < settings->version_min) {
            break;
        }
        if (!member->is_deleted) {
            compiled++;
            err = version_bind(r, &subject, member, settings->level, arena, e);
        }
    }
    return err;
}

// side_subject finds the subject of a side; an empty one: each record names it.
static enum err side_subject(struct registry *r, struct str topic, int side,
                             const struct side_settings *settings, struct arena *arena,
                             char room[GOVERNANCE_SUBJECT_SIZE], struct str *ret, struct error *e)
{
    struct registry_ground ground;
    enum err err = ERR_OK;
    *ret = settings->subject;
    if (ret->len == 0) {
        err = registry_topic_subject(r, topic, side == SIDE_KEY, arena, ret, &ground, e);
    }
    if (err == ERR_OK && ret->len == 0 && settings->strategy == SUBJECT_TOPIC) {
        *ret = governance_subject(settings, (enum governance_side)side, topic, (struct str){"", 0}, room);
    }
    return err;
}

static enum err side_bind(struct registry *r, struct str topic, int side,
                          const struct side_settings *settings, struct arena *arena, struct error *e)
{
    char room[GOVERNANCE_SUBJECT_SIZE];
    struct str subject;
    enum err err = side_subject(r, topic, side, settings, arena, room, &subject, e);
    if (err != ERR_OK || subject.len == 0 || settings->level < LEVEL_STRUCTURE) {
        return err; // which subjects there will be is not known yet; a subject without versions may get some
    }
    return subject_bind(r, subject, settings, arena, e);
}

// binding_judge: contracts are found and compile.
static enum err binding_judge(struct govern *g, const struct policy_binding *binding, struct error *e)
{
    struct governance settings;
    struct arena arena;
    enum err err = ERR_OK;
    if (!governance_resolve(binding->configs, binding->config_count, &settings)) {
        return ERR_OK;
    }
    arena_init(&arena, BIND_BYTES_MAX);
    struct registry *r = govern_registry_begin(g);
    for (int side = 0; side < SIDE_COUNT && err == ERR_OK; side++) {
        if (settings.sides[side].level != LEVEL_NONE) {
            err = side_bind(r, binding->topic_name, side, &settings.sides[side], &arena, e);
        }
    }
    govern_registry_end(g);
    arena_fini(&arena);
    e->code = err == ERR_OK ? ERR_OK : ERR_INVALID_CONFIG;
    return e->code;
}

// on_bind answers one and makes room for the loop's other work.
static void on_bind(struct task *task)
{
    struct govern *g = (struct govern *)(void *)((char *)task - offsetof(struct govern, bind));
    mutex_lock(&g->binds_lock);
    struct list *node = list_is_empty(&g->binds) ? NULL : list_pop_front(&g->binds);
    g->is_bind_posted = node != NULL;
    mutex_unlock(&g->binds_lock);
    if (node != NULL) {
        struct policy_binding *binding = LIST_ENTRY(node, struct policy_binding, node);
        binding->err = binding_judge(g, binding, &binding->error);
        policy_binding_answer(binding);
        loop_post(g->loop, &g->bind);
    }
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
    char room[GOVERNANCE_SUBJECT_SIZE];
    struct str name;
    arena_init(&arena, BIND_BYTES_MAX);
    enum err err = side_subject(r, b->name, side, settings, &arena, room, &name, &e);
    bool is_one = err == ERR_OK && name.len > 0;
    err = is_one ? registry_subject_find(r, name, &arena, &subject, &e) : err;
    const struct registry_member *newest = is_one && err == ERR_OK ? newest_of(&subject) : NULL;
    if (err != ERR_OK) {
        remark_format(remarks, side, "%s", e.text);
    } else if (is_one && newest == NULL) {
        remark_format(remarks, side, "subject " STR_FMT " has no version yet: every record is refused",
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
