// SPDX-License-Identifier: Apache-2.0
// load.c - snapshots made from the core and the registry. What an answer rests on is read together with it,
// or before.
#include "base/hash.h"
#include "base/mem.h"
#include "govern/govern_private.h"

enum { LOAD_BYTES_MAX = 64 << 20 }; // texts of one snapshot, and what its making needs

static struct str kept_text(struct snapshot *s, struct str text)
{
    return arena_str(&s->arena, text);
}

static void fail(struct snapshot *s, const struct error *e)
{
    s->failure = kept_text(s, str_from_c(e->text));
    if (s->failure.len == 0) {
        s->failure = STR("what governs the topic needs too much memory");
    }
}

// ---- topics

struct topic_copy {
    struct item_config *configs;
    uint32_t config_count;
};

// topic_copy takes the topic's name and configs out of the core; false: it is gone.
static bool topic_copy(struct govern *g, struct uuid id, struct snapshot *s, struct topic_copy *ret)
{
    const struct core *core = broker_view_begin(g->broker);
    const struct topic *topic = core_topic_find_id(core, id);
    if (topic != NULL) {
        const struct item_config *configs = topic_configs(topic, &ret->config_count);
        s->topic.name = kept_text(s, topic_name(topic));
        s->topic.config_revision = topic_config_revision(topic);
        ret->configs = arena_new(&s->arena, struct item_config, ret->config_count + 1);
        for (uint32_t i = 0; i < ret->config_count && ret->configs != NULL; i++) {
            ret->configs[i] =
                (struct item_config){kept_text(s, configs[i].key), kept_text(s, configs[i].value)};
        }
    }
    broker_view_end(g->broker);
    return topic != NULL && ret->configs != NULL;
}

// side_subject finds which subject a side has, unless its settings say or each record does.
static enum err side_subject(struct govern *g, struct snapshot *s, int side, struct registry_ground *ground,
                             struct error *e)
{
    struct topic_rules *topic = &s->topic;
    const struct side_settings *settings = &topic->settings.sides[side];
    char room[GOVERNANCE_SUBJECT_SIZE];
    struct str *subject = &topic->subjects[side];
    *subject = settings->subject;
    if (subject->len > 0) {
        return ERR_OK;
    }
    struct registry *r = govern_registry_begin(g);
    enum err err = registry_topic_subject(r, topic->name, side == SIDE_KEY, &s->arena, subject, ground, e);
    govern_registry_end(g);
    s->ground_count++;
    if (err == ERR_OK && subject->ptr == NULL && settings->strategy == SUBJECT_TOPIC) {
        struct str none = {"", 0};
        *subject =
            kept_text(s, governance_subject(settings, (enum governance_side)side, topic->name, none, room));
    }
    return err;
}

static void topic_load(struct govern *g, struct snapshot *s, const struct want *want)
{
    struct topic_copy copy = {0};
    struct error e = {0};
    struct registry_ground *grounds = arena_new(&s->arena, struct registry_ground, SIDE_COUNT);
    s->topic.id = want->topic_id;
    if (grounds == NULL || !topic_copy(g, want->topic_id, s, &copy)) {
        s->failure = STR("the topic has just been deleted");
        return;
    }
    s->grounds = grounds;
    (void)governance_resolve(copy.configs, copy.config_count, &s->topic.settings);
    s->topic.rule_topics = governance_rule_topics(copy.configs, copy.config_count);
    for (int i = 0; i < SIDE_COUNT; i++) {
        if (s->topic.settings.sides[i].level != LEVEL_NONE &&
            side_subject(g, s, i, &grounds[s->ground_count], &e) != ERR_OK) {
            fail(s, &e);
            return;
        }
    }
}

// ---- subjects

static void subject_load(struct govern *g, struct snapshot *s, const struct want *want)
{
    struct error e = {0};
    struct registry_subject *subject = &s->subject.subject;
    struct registry *r = govern_registry_begin(g);
    enum err err = registry_subject_find(r, want->subject, &s->arena, subject, &e);
    govern_registry_end(g);
    if (err != ERR_OK) {
        fail(s, &e);
        return;
    }
    s->grounds = subject->grounds;
    s->ground_count = REGISTRY_SUBJECT_GROUNDS;
    for (size_t i = subject->member_count; i > 0 && s->subject.latest == NULL; i--) {
        const struct registry_member *member = &subject->members[i - 1];
        s->subject.latest = member->is_deleted ? NULL : member;
    }
}

// ---- schemas by id

// record_name gives the name that the record name strategies mean: in Protobuf that of the message.
static enum err record_name(const struct schema *schema, const struct want *want, struct arena *arena,
                            struct str *ret, struct error *e)
{
    struct program *program = NULL;
    *ret = schema_format(schema) == FORMAT_PROTOBUF ? *ret : arena_str(arena, schema_name(schema));
    if (schema_format(schema) != FORMAT_PROTOBUF || want->index_count == 0) {
        return ERR_OK;
    }
    enum err err = program_create(schema, want->indexes, want->index_count, &program, e);
    if (err == ERR_OK) {
        struct value_type type = program_root_type(program);
        *ret = arena_str(arena, type_name(&type));
        program_unref(program);
    }
    return err;
}

static void schema_load(struct govern *g, struct snapshot *s, const struct want *want)
{
    struct error e = {0};
    struct registry_schema found = {0};
    struct registry_ground *ground = arena_new(&s->arena, struct registry_ground, 1);
    struct registry *r = govern_registry_begin(g);
    enum err err = registry_schema_find(r, STR("."), &want->name, &s->arena, &found, &e);
    govern_registry_end(g);
    if (ground != NULL) {
        *ground = found.ground;
        s->grounds = ground;
        s->ground_count = 1;
    }
    s->schema.is_known = found.schema != NULL;
    if (err == ERR_OK && found.schema != NULL) {
        s->schema.format = schema_format(found.schema);
        s->schema.guid = found.guid;
        err = record_name(found.schema, want, &s->arena, &s->schema.record, &e);
    }
    schema_unref(found.schema);
    if (err != ERR_OK) {
        fail(s, &e);
    }
}

// ---- contracts

static struct contract_part part_of(const struct registry_part *part)
{
    return (struct contract_part){
        .schema = part->schema,
        .metadata = part->metadata,
        .rule_set = part->rule_set,
        .subject = part->subject,
        .version = part->version,
        .id = part->id,
    };
}

enum err contract_compile(const struct registry_contract *from, const struct want *want,
                          struct contract **ret, struct error *e)
{
    struct contract_part *parts = mem_array(from->reference_count + 1, sizeof *parts);
    for (size_t i = 0; i < from->reference_count; i++) {
        parts[i] = part_of(&from->references[i]);
    }
    const struct contract_source source = {
        .part = part_of(&from->part),
        .references = parts,
        .reference_count = from->reference_count,
        .indexes = want->index_count == 0 ? NULL : want->indexes,
        .index_count = want->index_count,
        .level = want->level,
    };
    enum err err = contract_create(&source, ret, e);
    mem_free(parts);
    return err;
}

static void contract_load(struct govern *g, struct snapshot *s, const struct want *want)
{
    struct error e = {0};
    struct arena arena;
    struct registry_contract found = {0};
    arena_init(&arena, LOAD_BYTES_MAX);
    struct registry *r = govern_registry_begin(g);
    enum err err = registry_contract_find(r, want->subject, want->version, &arena, &found, &e);
    govern_registry_end(g);
    if (err == ERR_OK && !uuid_equal(found.part.guid, want->guid)) {
        err = FAIL(&e, ERR_NOT_FOUND, "version %d of subject \"" STR_FMT "\" has just become another schema",
                   want->version, STR_ARG(want->subject));
    }
    err = err == ERR_OK ? contract_compile(&found, want, &s->contract, &e) : err;
    registry_contract_release(&found);
    arena_fini(&arena);
    if (err != ERR_OK) {
        fail(s, &e);
    }
}

// ---- any

struct snapshot *snapshot_load(struct govern *g, const struct want *want)
{
    uint8_t key[WANT_KEY_SIZE];
    struct snapshot *s = mem_zalloc(sizeof *s);
    size_t len = want_key(want, key);
    s->kind = want->kind;
    s->refs = 1;
    s->hash = hash64(bytes_of(key, len), 1);
    arena_init(&s->arena, LOAD_BYTES_MAX);
    s->key = arena_str(&s->arena, (struct str){(const char *)key, len});
    switch (want->kind) {
    case SNAPSHOT_TOPIC:
        topic_load(g, s, want);
        break;
    case SNAPSHOT_SUBJECT:
        subject_load(g, s, want);
        break;
    case SNAPSHOT_SCHEMA:
        schema_load(g, s, want);
        break;
    case SNAPSHOT_CONTRACT:
        contract_load(g, s, want);
        break;
    }
    if (s->arena.failed && s->failure.len == 0) {
        s->failure = STR("what governs the topic needs too much memory");
    }
    s->bytes = sizeof *s + s->arena.total +
               (s->contract == NULL || s->kind != SNAPSHOT_CONTRACT ? 0 : contract_memory(s->contract));
    metric_add(g->loads, 1);
    metric_add(g->load_failures, s->failure.len > 0);
    return s;
}
