// SPDX-License-Identifier: Apache-2.0
// bindings.c - the topics that are governed, and what comes to govern them later: a version that is
// registered, a name that comes to stand for another subject, an association. What does not compile is
// refused with its position, and topics that rules name for dead letters are made first.
#include "base/mem.h"
#include "govern/govern_private.h"

enum {
    BINDINGS_BYTES_MAX = 256 << 20,
    BINDINGS_SLICE = 1000,  // topics looked at under one lock
    BEFORE_ITEMS_MAX = 256, // that one step of a change asks for
};

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

// letters_of plans that the topic names what rules do, unless it does already.
static enum err letters_of(struct govern *g, const struct binding *binding, const struct named *named,
                           struct arena *arena, struct registry_before *ret, struct error *e)
{
    struct item *items = NULL;
    uint32_t count = 0;
    enum err err = broker_plan_rule_letters(g->broker, binding->name, named->list, named->count, arena,
                                            &items, &count, e);
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
    return err;
}

// letters_before plans that for each topic which the contract would govern. What does not fit into this step
// does into the next.
static enum err letters_before(struct govern *g, const struct registry_contract *contract,
                               const struct named *named, struct arena *arena, struct registry_before *ret,
                               struct error *e)
{
    const struct bindings *b = &g->bindings;
    enum err err = ERR_OK;
    for (size_t i = 0; i < b->count && err == ERR_OK && ret->count < BEFORE_ITEMS_MAX; i++) {
        const struct binding *binding = &b->list[i];
        bool is_used = false;
        for (int side = 0; side < SIDE_COUNT; side++) {
            is_used = is_used || (bind_sends_letters(&binding->settings, side) &&
                                  side_uses(g->registry, binding, side, contract));
        }
        if (is_used) {
            err = letters_of(g, binding, named, arena, ret, e);
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
                enum contract_level level = bind_level(b->list[i].settings.sides[side].level);
                strictest = level > strictest ? level : strictest;
            }
        }
    }
    if (governed == NULL && b->is_known) {
        return ERR_OK;
    }
    enum err err = bind_check(contract, strictest, &named, e);
    if (err != ERR_OK && governed != NULL) {
        error_wrap(e, "it would govern topic " STR_FMT, STR_ARG(governed->name));
    }
    return err == ERR_OK && named.count > 0 ? letters_before(g, contract, &named, arena, ret, e) : err;
}

// ---- a name, or a topic, comes to stand for another subject

// What of a topic that would then be governed by the subject.
struct side_match {
    const struct binding *binding;
    int side;
    struct named named; // by the versions that it takes
};

static bool name_matches(struct registry *r, const struct binding *b, int side, struct str name)
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

static bool side_matches(struct registry *r, const struct binding *b, int side,
                         const struct registry_standing *standing)
{
    const struct side_settings *settings = &b->settings.sides[side];
    return standing->name.ptr != NULL
               ? name_matches(r, b, side, standing->name)
               : settings->level != LEVEL_NONE && settings->subject.len == 0 &&
                     standing->is_key == (side == SIDE_KEY) && str_equal(b->name, standing->topic);
}

// matches_find lists them in the arena; their count.
static size_t matches_find(struct govern *g, const struct registry_standing *standing, struct arena *arena,
                           struct side_match **ret)
{
    const struct bindings *b = bindings_get(g);
    size_t count = 0;
    *ret = NULL;
    for (int pass = 0; pass < 2; pass++) { // first they are counted
        size_t found = 0;
        for (size_t i = 0; i < b->count * SIDE_COUNT; i++) {
            const struct binding *binding = &b->list[i / SIDE_COUNT];
            int side = (int)(i % SIDE_COUNT);
            if (side_matches(g->registry, binding, side, standing)) {
                if (*ret != NULL) {
                    (*ret)[found] = (struct side_match){binding, side, {.arena = arena}};
                }
                found++;
            }
        }
        count = found;
        *ret = pass == 0 && count > 0 ? arena_new(arena, struct side_match, count) : *ret;
    }
    return *ret == NULL ? 0 : count;
}

static enum err match_fail(const struct side_match *match, enum err err, struct error *e)
{
    error_wrap(e, "it would govern topic " STR_FMT, STR_ARG(match->binding->name));
    return err;
}

// standing_subject finds the subject; *ret_is_one false: each record names its own.
static enum err standing_subject(struct govern *g, struct registry_standing *standing,
                                 const struct side_match *match, struct arena *arena,
                                 struct registry_subject *ret, bool *ret_is_one, struct error *e)
{
    const struct side_settings *settings = &match->binding->settings.sides[match->side];
    char room[GOVERNANCE_SUBJECT_SIZE];
    struct str subject = standing->subject;
    *ret_is_one = true;
    if (subject.ptr == NULL && settings->strategy != SUBJECT_TOPIC) {
        *ret_is_one = false;
        return ERR_OK;
    }
    if (subject.ptr == NULL) {
        struct str none = {"", 0};
        subject =
            governance_subject(settings, (enum governance_side)match->side, match->binding->name, none, room);
    }
    enum err err = standing->name.ptr != NULL ? registry_subject_get(g->registry, subject, arena, ret, e)
                                              : registry_subject_find(g->registry, subject, arena, ret, e);
    for (int i = 0; i < REGISTRY_SUBJECT_GROUNDS && err == ERR_OK; i++) {
        standing->grounds[standing->ground_count++] = ret->grounds[i];
    }
    return err;
}

// match_takes: the version may be used for records of the topic, and is looked into.
static bool match_takes(const struct side_match *match, int32_t version, bool is_newest)
{
    const struct side_settings *settings = &match->binding->settings.sides[match->side];
    return settings->level >= LEVEL_STRUCTURE &&
           (settings->version_min == VERSION_LATEST ? is_newest : version >= settings->version_min);
}

// version_stands compiles a version for those that take it, and notes what its rules name.
static enum err version_stands(struct govern *g, struct side_match *matches, size_t count,
                               const struct registry_subject *subject, int32_t version, bool is_newest,
                               struct error *e)
{
    const struct side_match *strictest = NULL;
    struct registry_contract found;
    struct arena arena;
    for (size_t i = 0; i < count; i++) {
        enum governance_level level = matches[i].binding->settings.sides[matches[i].side].level;
        bool is_stricter =
            strictest == NULL || level > strictest->binding->settings.sides[strictest->side].level;
        strictest = match_takes(&matches[i], version, is_newest) && is_stricter ? &matches[i] : strictest;
    }
    if (strictest == NULL) {
        return ERR_OK;
    }
    arena_init(&arena, BIND_BYTES_MAX);
    struct named named = {.arena = &arena};
    enum err err = registry_contract_find(g->registry, subject->name, version, &arena, &found, e);
    if (err == ERR_OK) {
        err = bind_check(&found, bind_level(strictest->binding->settings.sides[strictest->side].level),
                         &named, e);
        registry_contract_release(&found);
    }
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        bool is_taken = match_takes(&matches[i], version, is_newest) &&
                        bind_sends_letters(&matches[i].binding->settings, matches[i].side);
        for (uint32_t k = 0; k < named.count && is_taken && err == ERR_OK; k++) {
            err = named_add(&matches[i].named, named.list[k], e);
        }
    }
    arena_fini(&arena);
    if (err != ERR_OK) {
        error_wrap(e, STR_FMT " version %d", STR_ARG(subject->name), version);
        err = match_fail(strictest, err, e);
    }
    return err;
}

// The newest versions of the subject compile as they do when a topic is bound to it.
enum err govern_check_standing(void *arg, struct registry_standing *standing, struct arena *arena,
                               struct registry_before *ret, struct error *e)
{
    struct govern *g = arg;
    struct side_match *matches;
    struct registry_subject subject = {0};
    bool is_one = false;
    size_t count = matches_find(g, standing, arena, &matches);
    if (arena->failed || !g->bindings.is_known) {
        return FAIL(e, ERR_NO_MEMORY, "what it would govern needs too much memory");
    }
    if (count == 0) {
        return ERR_OK;
    }
    standing->is_governing = true;
    if (standing->is_ambiguous) {
        return FAIL(e, ERR_INVALID_CONFIG,
                    "topic " STR_FMT ", which is governed, would have more than one association of type %s",
                    STR_ARG(standing->topic), standing->is_key ? "key" : "value");
    }
    enum err err = standing_subject(g, standing, &matches[0], arena, &subject, &is_one, e);
    if (err != ERR_OK || !is_one) {
        return err == ERR_OK ? ERR_OK : match_fail(&matches[0], err, e);
    }
    int looked = 0;
    for (size_t i = subject.member_count; i > 0 && looked < BIND_VERSIONS_MAX && err == ERR_OK; i--) {
        const struct registry_member *member = &subject.members[i - 1];
        if (!member->is_deleted) {
            err = version_stands(g, matches, count, &subject, member->version, looked++ == 0, e);
        }
    }
    for (size_t i = 0; i < count && err == ERR_OK && ret->count < BEFORE_ITEMS_MAX; i++) {
        err = matches[i].named.count == 0
                  ? ERR_OK
                  : letters_of(g, matches[i].binding, &matches[i].named, arena, ret, e);
    }
    return err;
}
