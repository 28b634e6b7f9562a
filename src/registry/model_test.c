// SPDX-License-Identifier: Apache-2.0
// model_test.c - two registries over one core, several calls of each under way at once, in random order: what
// is acknowledged is what a small model says, and what the documents and the indexes say agrees.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "registry/rig_test.h"

enum { FLIGHTS = 6, SUBJECTS = 5, CONTENTS = 6, VERSIONS = 400, IDS = 2000, CONTEXTS = 2, STEPS = 1200 };

static const char *const subjects[SUBJECTS] = {"s", "t", "u", ":.c:s", ":.c:t"};

static int context_of(int subject)
{
    return subject >= 3;
}

static uint64_t rng;

static uint32_t chance(uint32_t below)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % below;
}

// ---- the model: what was acknowledged

enum state { GONE, LIVE, SOFT };

struct model_version {
    enum state state;
    int32_t id;
    char content[160]; // the text, with what it refers to
};

struct model {
    struct model_version versions[SUBJECTS][VERSIONS];
    char issued[CONTEXTS][IDS][160]; // the content that an id stood for last; "" = none
};

static int max_version(const struct model *m, int subject)
{
    int v = VERSIONS - 1;
    while (v > 0 && m->versions[subject][v].state == GONE) {
        v--;
    }
    return v;
}

// users_of: how many versions of the context have the content; *ret_has: one of them has this id.
static int users_of(const struct model *m, int context, const char *content, int32_t id, bool *ret_has)
{
    int count = 0;
    *ret_has = false;
    for (int s = 0; s < SUBJECTS; s++) {
        for (int v = 1; v < VERSIONS && context_of(s) == context; v++) {
            const struct model_version *mv = &m->versions[s][v];
            bool is_it = mv->state != GONE && strcmp(mv->content, content) == 0;
            count += is_it;
            *ret_has = *ret_has || (is_it && mv->id == id);
        }
    }
    return count;
}

// ---- calls

enum kind { REGISTER, SOFT_VERSION, HARD_VERSION, SOFT_SUBJECT, HARD_SUBJECT, MODE, CONFIG, LOOK, KINDS };

struct flight {
    bool is_busy;
    struct desk *desk;
    struct registry_call call;
    struct arena arena;
    enum kind kind;
    int subject;
    int32_t version; // asked for; 0 = none
    int32_t id;      // likewise
    bool is_import;  // of a mode
    char content[160];
    char target[200];
    char body[600];
};

struct world {
    struct desk desks[2];
    struct flight flights[FLIGHTS];
    struct model model;
    uint32_t stale;
    uint32_t acknowledged[KINDS];
};

// content_make: a schema, or one that refers to a version that is there.
static void content_make(struct world *w, struct flight *f)
{
    int s = (int)chance(SUBJECTS);
    int v = 1 + (int)chance((uint32_t)max_version(&w->model, s) + 1);
    const struct model_version *target = &w->model.versions[s][v];
    unsigned k = chance(CONTENTS);
    unsigned name = 0;
    bool refers = chance(3) == 0 && target->state == LIVE && sscanf(target->content, "R%u", &name) == 1 &&
                  target->content[0] == 'R';
    char references[200];
    if (refers) {
        snprintf(f->content, sizeof f->content, "W%u of R%u at %s %d", k, name, subjects[s], v);
        bool is_elsewhere = context_of(f->subject) && s < 3;
        snprintf(references, sizeof references,
                 ",\"references\":[{\"name\":\"R%u\",\"subject\":\"%s%s\",\"version\":%d}]", name,
                 is_elsewhere ? ":.:" : "", subjects[s], v);
        snprintf(f->body, sizeof f->body,
                 "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"W%u\\\",\\\"fields\\\":[{"
                 "\\\"name\\\":\\\"f\\\",\\\"type\\\":\\\"R%u\\\"}]}\"%s",
                 k, name, references);
    } else {
        snprintf(f->content, sizeof f->content, "R%u", k);
        snprintf(f->body, sizeof f->body,
                 "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R%u\\\",\\\"fields\\\":[]}\"",
                 k);
    }
}

static const char *register_make(struct world *w, struct flight *f)
{
    content_make(w, f);
    f->id = chance(3) == 0 ? 1 + (int32_t)chance(40) : 0;
    f->version = chance(4) == 0 ? 1 + (int32_t)chance(30) : 0;
    size_t at = strlen(f->body);
    if (f->id > 0) {
        at += (size_t)snprintf(f->body + at, sizeof f->body - at, ",\"id\":%d", f->id);
    }
    if (f->version > 0) {
        at += (size_t)snprintf(f->body + at, sizeof f->body - at, ",\"version\":%d", f->version);
    }
    snprintf(f->body + at, sizeof f->body - at, "}");
    snprintf(f->target, sizeof f->target, "/subjects/%s/versions", subjects[f->subject]);
    return "POST";
}

static const char *mode_make(struct flight *f)
{
    static const char *const modes[] = {"READWRITE", "READWRITE", "IMPORT", "READONLY"};
    const char *mode = modes[chance(4)];
    f->is_import = strcmp(mode, "IMPORT") == 0 && chance(2) == 0;
    snprintf(f->target, sizeof f->target, "/mode/%s%s", subjects[f->subject],
             f->is_import || strcmp(mode, "IMPORT") != 0 ? "" : "?force=true");
    snprintf(f->body, sizeof f->body, "{\"mode\":\"%s\"}", mode);
    return chance(4) == 0 && !f->is_import ? "DELETE" : "PUT";
}

static const char *flight_make(struct world *w, struct flight *f)
{
    static const enum kind mix[] = {REGISTER,     REGISTER,     REGISTER,     REGISTER,     REGISTER,
                                    REGISTER,     REGISTER,     REGISTER,     SOFT_VERSION, SOFT_VERSION,
                                    SOFT_VERSION, HARD_VERSION, HARD_VERSION, SOFT_SUBJECT, HARD_SUBJECT,
                                    HARD_SUBJECT, MODE,         MODE,         CONFIG,       LOOK};
    f->kind = mix[chance(sizeof mix / sizeof *mix)];
    f->subject = (int)chance(SUBJECTS);
    f->version = 1 + (int32_t)chance((uint32_t)max_version(&w->model, f->subject) + 1);
    f->body[0] = 0;
    const char *name = subjects[f->subject];
    bool is_hard = f->kind == HARD_VERSION || f->kind == HARD_SUBJECT;
    const char *query = is_hard ? "?permanent=true" : "";
    switch (f->kind) {
    case REGISTER:
        return register_make(w, f);
    case MODE:
        return mode_make(f);
    case CONFIG:
        snprintf(f->target, sizeof f->target, "/config/%s", name);
        snprintf(f->body, sizeof f->body, "{\"compatibility\":\"%s\"}", chance(3) == 0 ? "FULL" : "NONE");
        return chance(3) == 0 ? "DELETE" : "PUT";
    case LOOK:
        snprintf(f->target, sizeof f->target, "/subjects/%s/versions/%d", name, f->version);
        return "GET";
    case SOFT_VERSION:
    case HARD_VERSION:
        snprintf(f->target, sizeof f->target, "/subjects/%s/versions/%d%s", name, f->version, query);
        return "DELETE";
    default:
        snprintf(f->target, sizeof f->target, "/subjects/%s%s", name, query);
        return "DELETE";
    }
}

// ---- what is acknowledged

static int64_t member(const struct json_value *json, const char *name)
{
    int64_t number = -1;
    (void)json_value_i64(json_get(json, str_from_c(name)), &number);
    return number;
}

static void registered(struct model *m, const struct flight *f, const struct json_value *json, bool is_new)
{
    int32_t id = (int32_t)member(json, "id");
    int32_t version = (int32_t)member(json, "version");
    int context = context_of(f->subject);
    assert_in_range(id, 1, IDS - 1);
    assert_in_range(version, 1, VERSIONS - 1);
    struct model_version *mv = &m->versions[f->subject][version];
    if (!is_new) {
        assert_int_equal(mv->state, LIVE);
        assert_int_equal(mv->id, id);
        assert_string_equal(mv->content, f->content);
        return;
    }
    assert_int_not_equal(mv->state, LIVE);
    char *issued = m->issued[context][id];
    if (f->id > 0) {
        assert_int_equal(id, f->id);
        assert_true(f->version == 0 || f->version == version);
        // Of the client's choice, so that an id may come back with another content: when nothing has it.
        for (int s = 0; s < SUBJECTS; s++) {
            for (int v = 1; v < VERSIONS; v++) {
                const struct model_version *other = &m->versions[s][v];
                if (other->state != GONE && other->id == id && context_of(s) == context && other != mv) {
                    assert_string_equal(other->content, f->content);
                }
            }
        }
    } else {
        bool has_id = false;
        assert_int_equal(version, max_version(m, f->subject) + 1);
        if (users_of(m, context, f->content, id, &has_id) > 0) {
            assert_true(has_id);
        } else {
            if (issued[0] != 0) {
                fail_msg("%s %s: id %d was %s", f->target, f->body, id, issued);
            }
        }
    }
    snprintf(issued, sizeof m->issued[0][0], "%s", f->content);
    *mv = (struct model_version){.state = LIVE, .id = id};
    snprintf(mv->content, sizeof mv->content, "%s", f->content);
}

static void versions_gone(struct model *m, const struct flight *f, const struct json_value *json)
{
    bool is_hard = f->kind == HARD_VERSION || f->kind == HARD_SUBJECT;
    bool is_subject = f->kind == SOFT_SUBJECT || f->kind == HARD_SUBJECT;
    const struct json_value *v = is_subject ? json->first : json;
    for (; v != NULL; v = is_subject ? v->next : NULL) {
        int64_t version = 0;
        assert_true(json_value_i64(v, &version));
        assert_in_range(version, 1, VERSIONS - 1);
        assert_int_equal(m->versions[f->subject][version].state, is_hard ? SOFT : LIVE);
        m->versions[f->subject][version].state = is_hard ? GONE : SOFT;
    }
    for (int i = 1; is_subject && i < VERSIONS; i++) { // all of them
        assert_int_not_equal(m->versions[f->subject][i].state, is_hard ? SOFT : LIVE);
    }
}

static int32_t version_of(struct str key)
{
    int64_t version = 0;
    assert_true(str_parse_i64((struct str){key.ptr + key.len - 10, 10}, &version));
    return (int32_t)version;
}

static void acknowledge(struct world *w, const struct flight *f, bool is_new)
{
    struct model *m = &w->model;
    struct json_value *json = NULL;
    struct arena arena;
    if (f->call.status >= 500) {
        fail_msg("%s %s: " STR_FMT, f->target, f->body, STR_ARG(buf_str(&f->call.answer)));
    }
    if (f->call.status != 200) {
        return;
    }
    arena_init(&arena, REGISTRY_CALL_BYTES_MAX);
    assert_int_equal(json_parse(buf_str(&f->call.answer), &arena, &json, NULL), ERR_OK);
    w->acknowledged[f->kind]++;
    if (f->kind == REGISTER) {
        registered(m, f, json, is_new);
    } else if (f->kind >= SOFT_VERSION && f->kind <= HARD_SUBJECT) {
        versions_gone(m, f, json);
    } else if (f->kind == MODE && f->is_import && is_new && f->call.item.documents.document_count > 0) {
        // Where it was IMPORT already nothing is removed: what the documents say is compared below.
        const struct item_documents *plan = &f->call.item.documents;
        for (uint32_t i = 0; i < plan->document_count; i++) {
            struct str key = plan->documents[i].key;
            if (plan->documents[i].op == DOCUMENT_REMOVE && str_has_prefix(key, STR("version/"))) {
                int32_t version = version_of(key);
                assert_int_equal(m->versions[f->subject][version].state, SOFT);
                m->versions[f->subject][version].state = GONE;
            }
        }
    } else if (f->kind == LOOK && max_version(m, f->subject) > 0) { // else another context's is shown
        const struct model_version *mv = &m->versions[f->subject][f->version];
        assert_int_equal(mv->state, LIVE);
        assert_int_equal(mv->id, member(json, "id"));
    }
    arena_fini(&arena);
}

// ---- what the documents and the indexes say

static void index_dump(struct registry *r, struct buf *out)
{
    registry_sync(r);
    struct registry_counts counts;
    registry_counts(r, &counts);
    buf_printf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", counts.subjects, counts.versions,
               counts.schemas, counts.contexts);
    for (size_t i = 0; i < r->subject_count; i++) {
        const struct subject_entry *s = r->subjects[i];
        buf_printf(out, STR_FMT " %" PRIu64 "\n", STR_ARG(s->name),
                   s->document == NULL ? 0 : document_revision(s->document));
        for (uint32_t v = 0; v < s->version_count; v++) {
            const struct version_entry *version = &s->versions[v];
            const struct schema_entry *schema = version->schema;
            size_t referrers = 0;
            for (struct referrer_entry *e = NULL;
                 (e = index_referrer_next(r, s->name, version->version, e)) != NULL;) {
                referrers++;
            }
            buf_printf(out, " %d %d %" PRIu64 ": %d of %" PRIu64 ", users %u, refers to %u, of it %zu\n",
                       version->version, version->is_deleted, document_revision(version->document),
                       schema->id, document_revision(schema->document), schema->user_count,
                       schema->reference_count, referrers);
            assert_ptr_equal(index_schema(r, s->context, schema->id), schema);
        }
    }
}

// documents_hold: counts are the truth, nothing is left over, and versions are the model's.
static void documents_hold(struct world *w)
{
    struct registry *r = w->desks[0].registry;
    const struct core *core = w->desks[0].rig.core;
    const struct model *m = &w->model;
    uint64_t after = 0;
    size_t version_count = 0;
    registry_sync(r);
    for (const struct document *d; (d = core_document_after(core, after)) != NULL;) {
        struct str key = document_key(d);
        after = document_revision(d);
        version_count += str_has_prefix(key, STR("version/"));
        if (str_has_prefix(key, STR("users/"))) {
            struct uuid guid;
            int64_t users = 0;
            assert_true(guid_parse((struct str){key.ptr + key.len - 36, 36}, &guid));
            struct str context = {key.ptr + 6, key.len - 6 - 37};
            for (struct schema_entry *s = NULL; (s = index_guid_next(r, guid, s)) != NULL;) {
                users += str_equal(s->context, context) ? s->user_count : 0;
            }
            assert_int_equal(document_number(d), users);
            assert_int_not_equal(users, 0);
        } else if (str_has_prefix(key, STR("refs/"))) {
            int32_t version = version_of(key);
            int64_t live = 0;
            struct str subject = {key.ptr + 5, key.len - 5 - 11};
            for (struct referrer_entry *e = NULL;
                 (e = index_referrer_next(r, subject, version, e)) != NULL;) {
                for (uint32_t i = 0; i < e->schema->user_count; i++) {
                    const struct schema_user *user = &e->schema->users[i];
                    live += !index_version(user->subject, user->version)->is_deleted;
                }
            }
            assert_int_equal(document_number(d), live);
            struct subject_entry *target = index_subject(r, subject);
            assert_non_null(target);
            assert_non_null(index_version(target, version));
        }
    }
    size_t expected = 0;
    for (int s = 0; s < SUBJECTS; s++) {
        struct subject_entry *subject = index_subject(r, str_from_c(subjects[s]));
        assert_true((subject != NULL) == (max_version(m, s) > 0));
        for (int v = 1; v < VERSIONS; v++) {
            const struct model_version *mv = &m->versions[s][v];
            expected += mv->state != GONE;
            if (mv->state != GONE) {
                const struct version_entry *version = index_version(subject, v);
                assert_non_null(version);
                assert_int_equal(version->schema->id, mv->id);
                assert_int_equal(version->is_deleted, mv->state == SOFT);
            }
        }
    }
    assert_int_equal(version_count, expected);
    struct registry_counts counts;
    size_t schemas = 0;
    registry_counts(r, &counts);
    for (int c = 0; c < CONTEXTS; c++) {
        for (int id = 1; id < IDS; id++) {
            const struct schema_entry *s = index_schema(r, c == 0 ? STR(".") : STR(".c"), id);
            if (s != NULL) {
                schemas++;
                assert_int_not_equal(s->user_count, 0);
            }
        }
    }
    assert_int_equal(schemas, counts.schemas);
}

static void indexes_agree(struct world *w)
{
    struct buf dumps[3];
    struct desk fresh = {.rig = {.core = w->desks[0].rig.core}};
    desk_restart(&fresh);
    struct registry *registries[] = {w->desks[0].registry, w->desks[1].registry, fresh.registry};
    for (int i = 0; i < 3; i++) {
        buf_init(&dumps[i], SIZE_MAX / 2);
        index_dump(registries[i], &dumps[i]);
        buf_u8(&dumps[i], 0);
    }
    assert_string_equal(dumps[0].ptr, dumps[2].ptr);
    assert_string_equal(dumps[1].ptr, dumps[2].ptr);
    for (int i = 0; i < 3; i++) {
        buf_fini(&dumps[i]);
    }
    registry_destroy(fresh.registry);
}

// ---- the run

static void flight_end(struct world *w, struct flight *f, bool is_new)
{
    acknowledge(w, f, is_new);
    buf_fini(&f->call.answer);
    f->is_busy = false;
}

static void flight_begin(struct world *w, struct flight *f)
{
    arena_reset(&f->arena);
    f->call = (struct registry_call){.arena = &f->arena};
    f->desk = &w->desks[chance(2)];
    f->id = 0;
    f->is_import = false;
    const char *method = flight_make(w, f);
    struct str path = str_cut(str_from_c(f->target), '?', &f->call.query);
    desk_route(&f->call, method, path);
    assert_non_null(f->call.route);
    f->call.body = bytes_of(f->body, strlen(f->body));
    f->is_busy = true;
    if (registry_call_step(f->desk->registry, &f->call, NULL) == REGISTRY_ANSWERED) {
        flight_end(w, f, false);
    }
}

static void flight_land(struct world *w, struct flight *f)
{
    struct outcome outcome = rig_one(&w->desks[0].rig, &f->call.item);
    w->stale += outcome.err == ERR_STALE;
    if (registry_call_step(f->desk->registry, &f->call, &outcome) == REGISTRY_ANSWERED) {
        flight_end(w, f, outcome.err == ERR_OK);
    }
}

static void world_run(uint64_t seed, struct world *w)
{
    *w = (struct world){0};
    rng = seed;
    desk_init(&w->desks[0]);
    w->desks[1].rig.core = w->desks[0].rig.core;
    desk_restart(&w->desks[1]);
    ask(&w->desks[0], "PUT", "/config/:.__GLOBAL:", "{\"compatibility\":\"NONE\"}");
    assert_int_equal(w->desks[0].status, 200);
    for (int i = 0; i < FLIGHTS; i++) {
        arena_init(&w->flights[i].arena, REGISTRY_CALL_BYTES_MAX);
    }
    for (int step = 0; step < STEPS; step++) {
        struct flight *f = &w->flights[chance(FLIGHTS)];
        if (f->is_busy) {
            flight_land(w, f);
        } else {
            flight_begin(w, f);
        }
        documents_hold(w);
        if (step % 16 == 0) {
            indexes_agree(w);
        }
    }
    for (int i = 0; i < FLIGHTS; i++) {
        buf_fini(&w->flights[i].call.answer);
        arena_fini(&w->flights[i].arena);
    }
    registry_destroy(w->desks[1].registry);
    desk_fini(&w->desks[0]);
}

static void random_histories(void **state)
{
    (void)state;
    struct world *w = mem_zalloc(sizeof *w);
    uint32_t acknowledged[KINDS] = {0};
    uint32_t stale = 0;
    const char *one = getenv("MODEL_SEED");
    uint64_t first = one == NULL ? 1 : strtoull(one, NULL, 10);
    for (uint64_t seed = first; seed < first + (one == NULL ? 12 : 1); seed++) {
        print_message("seed %" PRIu64 "\n", seed);
        world_run(seed, w);
        stale += w->stale;
        for (int k = 0; k < KINDS; k++) {
            acknowledged[k] += w->acknowledged[k];
        }
    }
    for (int k = 0; one == NULL && k < KINDS; k++) {
        assert_in_range(acknowledged[k], 10, UINT32_MAX); // each was really tried
    }
    assert_true(stale > 0 || one != NULL);
    mem_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
