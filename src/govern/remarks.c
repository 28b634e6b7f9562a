// SPDX-License-Identifier: Apache-2.0
// remarks.c - what binding means for the rules, for whoever looks at it. A contract is compiled for that
// while no lock is held, and what was said of it is kept: it is the same for all its topics, and never
// changes.
#include <stdarg.h>

#include "base/hash.h"
#include "base/mem.h"
#include "govern/govern_private.h"

enum {
    REMARKS_BYTES_MAX = 1 << 20,
    REMARK_SIZE = 512,
};

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

// ---- those of one contract

// What is asked of one side, in the asker's arena.
struct asked {
    struct want want; // its contract, by which remarks are kept
    struct registry_contract found;
    bool is_found;
};

static struct kept_remarks *kept_find(struct remarks_kept *kept, const uint8_t *key, size_t len,
                                      uint64_t hash)
{
    LIST_EACH (node, &kept->used) {
        struct kept_remarks *k = LIST_ENTRY(node, struct kept_remarks, node);
        if (k->hash == hash && k->key_len == len && memcmp(k->key, key, len) == 0) {
            return k;
        }
    }
    return NULL;
}

static void kept_drop(struct remarks_kept *kept, struct kept_remarks *k)
{
    list_remove(&k->node);
    kept->count--;
    arena_fini(&k->arena);
    mem_free(k);
}

// kept_take copies what is known of the contract; false: nothing is.
static bool kept_take(struct govern *g, const struct want *want, struct remarks *remarks, int side)
{
    uint8_t key[WANT_KEY_SIZE];
    size_t len = want_key(want, key);
    struct kept_remarks *k = kept_find(&g->remarks, key, len, hash64(bytes_of(key, len), 1));
    for (size_t i = 0; k != NULL && i < k->count; i++) {
        remark_add(remarks, side, k->texts[i]);
    }
    if (k != NULL) {
        list_remove(&k->node);
        list_push_back(&g->remarks.used, &k->node);
    }
    return k != NULL;
}

static void kept_put(struct govern *g, const struct want *want, const struct remarks *remarks, int side)
{
    struct remarks_kept *kept = &g->remarks;
    uint8_t key[WANT_KEY_SIZE];
    size_t len = want_key(want, key);
    uint64_t hash = hash64(bytes_of(key, len), 1);
    struct kept_remarks *k = kept_find(kept, key, len, hash);
    if (k != NULL) { // somebody else was as fast
        return;
    }
    k = mem_zalloc(sizeof *k + len);
    arena_init(&k->arena, REMARKS_BYTES_MAX);
    k->hash = hash;
    k->key_len = len;
    memcpy(k->key, key, len);
    for (; k->count < remarks->counts[side]; k->count++) {
        k->texts[k->count] = arena_str(&k->arena, remarks->texts[side][k->count]);
    }
    list_push_back(&kept->used, &k->node);
    kept->count++;
    while (kept->count > kept->count_max) {
        kept_drop(kept, LIST_ENTRY(kept->used.next, struct kept_remarks, node));
    }
}

// contract_remarks compiles it, and no lock is held meanwhile; whether what was said stays true.
static bool contract_remarks(struct govern *g, struct asked *asked, struct remarks *remarks, int side)
{
    struct contract *contract = NULL;
    struct error e = {0};
    const char *text;
    metric_add(g->remarked, 1);
    enum err err = bind_compile(&asked->found, asked->want.level, &contract, &e);
    registry_contract_release(&asked->found);
    if (err != ERR_OK) {
        remark_format(remarks, side, STR_FMT " version %d cannot be used for judging: %s",
                      STR_ARG(asked->want.subject), asked->want.version, e.text);
        return err != ERR_NO_MEMORY;
    }
    for (size_t i = 0; (text = contract_remark(contract, i)) != NULL; i++) {
        remark_add(remarks, side, str_from_c(text));
    }
    contract_unref(contract);
    return !remarks->arena.failed;
}

// ---- those of a topic

// side_ask finds the newest contract of a side, or what is known of it; the registry is this thread's.
static void side_ask(struct govern *g, const struct binding *b, int side, struct arena *arena,
                     struct remarks *remarks, struct asked *ret)
{
    const struct side_settings *settings = &b->settings.sides[side];
    struct registry_subject subject = {0};
    struct error e = {0};
    struct registry_ground ground;
    char room[GOVERNANCE_SUBJECT_SIZE];
    struct str name;
    enum err err = bind_subject(g->registry, b->name, side, settings, arena, room, &name, &ground, &e);
    bool is_one = err == ERR_OK && name.len > 0;
    err = is_one ? registry_subject_find(g->registry, name, arena, &subject, &e) : err;
    const struct registry_member *newest = is_one && err == ERR_OK ? newest_of(&subject) : NULL;
    if (is_one && err == ERR_OK && newest == NULL) {
        remark_format(remarks, side, "subject " STR_FMT " has no version yet: no payload passes",
                      STR_ARG(name));
    }
    if (newest != NULL && settings->level >= LEVEL_STRUCTURE) {
        ret->want = (struct want){.kind = SNAPSHOT_CONTRACT,
                                  .subject = subject.name,
                                  .version = newest->version,
                                  .guid = newest->guid,
                                  .revision = subject.grounds[0].revision,
                                  .level = bind_level(settings->level)};
        if (!kept_take(g, &ret->want, remarks, side)) {
            err = registry_contract_find(g->registry, subject.name, newest->version, arena, &ret->found, &e);
            ret->is_found = err == ERR_OK;
        }
    }
    if (err != ERR_OK) {
        remark_format(remarks, side, "%s", e.text);
    }
}

void remarks_find(struct govern *g, const struct binding *b, struct remarks *ret)
{
    struct asked asked[SIDE_COUNT] = {0};
    struct arena arena;
    arena_init(&arena, BIND_BYTES_MAX);
    *ret = (struct remarks){0};
    arena_init(&ret->arena, REMARKS_BYTES_MAX);
    (void)govern_registry_begin(g);
    for (int side = 0; side < SIDE_COUNT; side++) {
        if (b->settings.sides[side].level != LEVEL_NONE) {
            side_ask(g, b, side, &arena, ret, &asked[side]);
        }
    }
    govern_registry_end(g);
    for (int side = 0; side < SIDE_COUNT; side++) {
        if (asked[side].is_found && contract_remarks(g, &asked[side], ret, side)) {
            (void)govern_registry_begin(g);
            kept_put(g, &asked[side].want, ret, side);
            govern_registry_end(g);
        }
    }
    arena_fini(&arena);
}

void remarks_init(struct remarks_kept *kept)
{
    list_init(&kept->used);
    kept->count_max = REMARKS_KEPT_MAX;
}

void remarks_fini(struct remarks_kept *kept)
{
    while (kept->count > 0) {
        kept_drop(kept, LIST_ENTRY(kept->used.next, struct kept_remarks, node));
    }
}
