// SPDX-License-Identifier: Apache-2.0
// site.c - sites of Avro: a type each. Tags and checks are properties of fields and records.
#include "format/avro/program_private.h"

static const struct avro_type *type_of(const struct site *site)
{
    return site->of;
}

static struct site site_at(const struct program *program, const struct avro_type *type)
{
    return (struct site){.program = program, .of = type};
}

static struct site root(const struct program *program)
{
    return site_at(program, avro_program_of(program)->nodes[0].type);
}

static enum site_kind kind(const struct site *site)
{
    static const enum site_kind kinds[AVRO_KIND_COUNT] = {
        [AVRO_NULL] = SITE_NULL,      [AVRO_BOOLEAN] = SITE_BOOLEAN, [AVRO_INT] = SITE_INT,
        [AVRO_LONG] = SITE_LONG,      [AVRO_FLOAT] = SITE_FLOAT,     [AVRO_DOUBLE] = SITE_DOUBLE,
        [AVRO_BYTES] = SITE_BYTES,    [AVRO_STRING] = SITE_STRING,   [AVRO_RECORD] = SITE_RECORD,
        [AVRO_ENUM] = SITE_ENUM,      [AVRO_ARRAY] = SITE_ARRAY,     [AVRO_MAP] = SITE_MAP,
        [AVRO_UNION] = SITE_COMBINED, [AVRO_FIXED] = SITE_FIXED,
    };
    return kinds[type_of(site)->kind];
}

static const struct json_value *prop_find(const struct avro_prop *props, uint32_t count, struct str key,
                                          struct arena *arena)
{
    struct json_value *value = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (str_equal(props[i].key, key) && json_parse(props[i].text, arena, &value, NULL) == ERR_OK) {
            return value;
        }
    }
    return NULL;
}

static struct site_notes notes_of(const struct avro_prop *props, uint32_t count, struct arena *arena)
{
    return site_notes_of_json(prop_find(props, count, STR("confluent:tags"), arena),
                              prop_find(props, count, STR("confluent:rules"), arena), arena);
}

static struct site_notes notes(const struct site *site, struct arena *arena)
{
    return notes_of(type_of(site)->props, type_of(site)->prop_count, arena);
}

static bool next_field(struct site_fields *fields, struct arena *arena, struct site_field *ret)
{
    const struct avro_type *type = type_of(&fields->of);
    if (type->kind != AVRO_RECORD || fields->index >= type->count) {
        return false;
    }
    const struct avro_field *f = &type->fields[fields->index++];
    *ret = (struct site_field){
        .name = f->name,
        .full_name = arena_printf(arena, STR_FMT "." STR_FMT, STR_ARG(type->named->full), STR_ARG(f->name)),
        .site = site_at(fields->of.program, f->type),
        .notes = notes_of(f->props, f->prop_count, arena),
    };
    return true;
}

static struct site item(const struct site *site)
{
    const struct avro_type *type = type_of(site);
    bool has_items = type->kind == AVRO_ARRAY || type->kind == AVRO_MAP;
    return has_items ? site_at(site->program, type->item) : (struct site){0};
}

static bool branch(const struct site *combined, uint32_t index, struct site *ret, enum site_choice *choice)
{
    const struct avro_type *type = type_of(combined);
    if (type->kind != AVRO_UNION || index >= type->count) {
        return false;
    }
    *ret = site_at(combined->program, type->branches[index]);
    *choice = SITE_FITTING;
    return true;
}

static bool fits(const struct site *site, const struct view *view)
{
    return avro_program_of(view->program)->nodes[view->node].type == type_of(site);
}

static bool is_of(const struct site *site, const struct schema *schema, bool *ret_is_root)
{
    *ret_is_root = site->of == avro_of(schema)->root;
    return *ret_is_root;
}

const struct site_ops avro_sites = {
    .root = root,
    .kind = kind,
    .notes = notes,
    .next_field = next_field,
    .item = item,
    .branch = branch,
    .fits = fits,
    .is_of = is_of,
};
