// SPDX-License-Identifier: Apache-2.0
// site.c - the face of sites, and notes as JSON has them.
#include "format/site.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "format/format_private.h"
#include "json/tree.h"

const char *site_kind_name(enum site_kind kind)
{
    static const char *const names[SITE_KIND_COUNT] = {
        "RECORD", "ENUM", "ARRAY", "MAP",   "COMBINED", "FIXED",   "STRING",
        "BYTES",  "INT",  "LONG",  "FLOAT", "DOUBLE",   "BOOLEAN", "NULL",
    };
    ASSERT(kind < SITE_KIND_COUNT);
    return names[kind];
}

static const struct site_ops *ops_of(const struct site *site)
{
    return site->program->ops->sites;
}

struct site site_root(const struct program *program)
{
    return program->ops->sites->root(program);
}

enum site_kind site_kind(const struct site *site)
{
    return ops_of(site)->kind(site);
}

struct site_notes site_notes(const struct site *site, struct arena *arena)
{
    return ops_of(site)->notes(site, arena);
}

bool site_next_field(struct site_fields *fields, struct arena *arena, struct site_field *ret)
{
    return ops_of(&fields->of)->next_field(fields, arena, ret);
}

struct site site_item(const struct site *site)
{
    return ops_of(site)->item(site);
}

bool site_branch(const struct site *combined, uint32_t index, struct site *ret, enum site_choice *ret_choice)
{
    return ops_of(combined)->branch(combined, index, ret, ret_choice);
}

bool site_fits(const struct site *branch, const struct view *view)
{
    return ops_of(branch)->fits(branch, view);
}

enum err site_program(const struct site *branch, struct site_loose loose, struct program **ret,
                      struct error *e)
{
    struct program *program = NULL;
    ASSERT(ops_of(branch)->program != NULL);
    enum err err = ops_of(branch)->program(branch, loose, &program, e);
    if (err == ERR_OK) {
        program_adopt(program, branch->program->schema);
        *ret = program;
    }
    return err;
}

bool site_is_of(const struct site *site, const struct schema *schema, bool *ret_is_root)
{
    return schema->ops == site->program->ops && ops_of(site)->is_of(site, schema, ret_is_root);
}

// ---- notes in JSON

static const struct str *tags_read(const struct json_value *list, struct arena *arena, uint32_t *ret_count)
{
    struct str *tags = list->count == 0 ? NULL : arena_new(arena, struct str, list->count);
    uint32_t count = 0;
    for (const struct json_value *v = tags == NULL ? NULL : list->first; v != NULL; v = v->next) {
        if (v->type == JSON_STRING) {
            tags[count++] = arena_str(arena, v->text);
        }
    }
    *ret_count = count;
    return tags;
}

static const struct site_check *checks_read(const struct json_value *list, struct arena *arena,
                                            uint32_t *ret_count)
{
    struct site_check *checks = list->count == 0 ? NULL : arena_new(arena, struct site_check, list->count);
    uint32_t count = 0;
    for (const struct json_value *v = checks == NULL ? NULL : list->first; v != NULL; v = v->next) {
        if (v->type == JSON_OBJECT) {
            checks[count++] = (struct site_check){
                .name = arena_str(arena, json_get_str(v, STR("name"))),
                .doc = arena_str(arena, json_get_str(v, STR("doc"))),
                .expr = arena_str(arena, json_get_str(v, STR("expr"))),
                .sql = arena_str(arena, json_get_str(v, STR("sql"))),
            };
        }
    }
    *ret_count = count;
    return checks;
}

struct site_notes site_notes_of_json(const struct json_value *tags, const struct json_value *rules,
                                     struct arena *arena)
{
    struct site_notes notes = {0};
    if (tags != NULL && tags->type == JSON_ARRAY) {
        notes.tags = tags_read(tags, arena, &notes.tag_count);
    }
    if (rules != NULL && rules->type == JSON_ARRAY) {
        notes.checks = checks_read(rules, arena, &notes.check_count);
    }
    return notes;
}
