// SPDX-License-Identifier: Apache-2.0
// remarks.c - what binding means for the rules, for whoever looks at it.
#include <stdarg.h>

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

static void version_remark(struct registry *r, struct remarks *remarks, int side, struct str subject,
                           const struct registry_member *member, enum governance_level level,
                           struct arena *arena)
{
    struct registry_contract found;
    struct contract *contract = NULL;
    struct error e = {0};
    enum err err = registry_contract_find(r, subject, member->version, arena, &found, &e);
    if (err == ERR_OK) {
        err = bind_compile(&found, bind_level(level), &contract, &e);
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
    enum err err = bind_subject(r, b->name, side, settings, &arena, room, &name, &ground, &e);
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
