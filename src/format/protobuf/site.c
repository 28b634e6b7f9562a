// SPDX-License-Identifier: Apache-2.0
// site.c - sites of Protobuf: a message, or a field. Tags and checks are in the options
// confluent.message_meta and confluent.field_meta, which may be written whole or member by member.
#include "format/protobuf/pb_program.h"

enum part {
    PART_MESSAGE, // `of` is a message; else a field:
    PART_LIST,
    PART_MAP,
    PART_SCALAR, // its value, or an item of its list, or of its map
};

enum { PART_META_MAX = 1024 }; // tags or checks of one place

static const struct pb_field *field_of(const struct site *site)
{
    return site->of;
}

static struct site site_at(const struct program *program, const void *of, enum part part)
{
    return (struct site){.program = program, .of = of, .part = part};
}

static struct site root(const struct program *program)
{
    struct str name = pb_program_of(program)->messages[0].name;
    const struct pb_symbol *symbol = pb_symbol_find(&pb_schema_of(program->schema)->symbols, name);
    return symbol == NULL || symbol->message == NULL ? (struct site){0}
                                                     : site_at(program, symbol->message, PART_MESSAGE);
}

static enum site_kind scalar_kind(enum pb_type type)
{
    switch (type) {
    case PB_TYPE_DOUBLE:
        return SITE_DOUBLE;
    case PB_TYPE_FLOAT:
        return SITE_FLOAT;
    case PB_TYPE_INT64:
    case PB_TYPE_UINT64:
    case PB_TYPE_FIXED64:
    case PB_TYPE_SFIXED64:
    case PB_TYPE_SINT64:
        return SITE_LONG;
    case PB_TYPE_INT32:
    case PB_TYPE_FIXED32:
    case PB_TYPE_UINT32:
    case PB_TYPE_SFIXED32:
    case PB_TYPE_SINT32:
        return SITE_INT;
    case PB_TYPE_BOOL:
        return SITE_BOOLEAN;
    case PB_TYPE_STRING:
        return SITE_STRING;
    case PB_TYPE_BYTES:
        return SITE_BYTES;
    case PB_TYPE_ENUM:
        return SITE_ENUM;
    case PB_TYPE_MESSAGE:
    case PB_TYPE_GROUP:
    case PB_TYPE_NONE:
    case PB_TYPE_COUNT:
        break;
    }
    return SITE_RECORD;
}

static enum site_kind kind(const struct site *site)
{
    switch ((enum part)site->part) {
    case PART_MESSAGE:
        return SITE_RECORD;
    case PART_LIST:
        return SITE_ARRAY;
    case PART_MAP:
        return SITE_MAP;
    case PART_SCALAR:
        break;
    }
    return scalar_kind(field_of(site)->type);
}

// ---- notes

// What is gathered from the options of one place.
struct gather {
    struct arena *arena;
    struct str *tags;
    struct site_check *checks;
    uint32_t tag_count;
    uint32_t check_count;
};

static void take_tag(struct gather *g, const struct pb_value *value)
{
    if (g->tags == NULL) {
        g->tags = arena_new(g->arena, struct str, PART_META_MAX);
    }
    if (g->tags != NULL && g->tag_count < PART_META_MAX && value->kind == PB_VALUE_STRING) {
        g->tags[g->tag_count++] = value->text;
    }
}

static struct str entry_text(const struct pb_value *map, const char *key)
{
    for (const struct pb_value *v = map->first; v != NULL; v = v->next) {
        if (str_equal(v->key, str_from_c(key)) && v->kind == PB_VALUE_STRING) {
            return v->text;
        }
    }
    return (struct str){0};
}

static void take_check(struct gather *g, const struct pb_value *value)
{
    if (g->checks == NULL) {
        g->checks = arena_new(g->arena, struct site_check, PART_META_MAX);
    }
    if (g->checks != NULL && g->check_count < PART_META_MAX && value->kind == PB_VALUE_MAP) {
        g->checks[g->check_count++] = (struct site_check){.name = entry_text(value, "name"),
                                                          .doc = entry_text(value, "doc"),
                                                          .expr = entry_text(value, "expr"),
                                                          .sql = entry_text(value, "sql")};
    }
}

static void take_member(struct gather *g, struct str name, const struct pb_value *value)
{
    void (*take)(struct gather *, const struct pb_value *) = str_equal(name, STR("tags"))    ? take_tag
                                                             : str_equal(name, STR("rules")) ? take_check
                                                                                             : NULL;
    if (take == NULL) {
        return;
    }
    if (value->kind != PB_VALUE_LIST) {
        take(g, value);
        return;
    }
    for (const struct pb_value *v = value->first; v != NULL; v = v->next) {
        take(g, v);
    }
}

// is_named: the option is confluent.<name>, written in full or as a file of that package may.
static bool is_named(const struct pb_option *option, const char *name)
{
    struct str written = option->name;
    if (written.len > 0 && written.ptr[0] == '.') {
        written = (struct str){written.ptr + 1, written.len - 1};
    }
    struct str package = STR("confluent.");
    if (str_has_prefix(written, package)) {
        written = (struct str){written.ptr + package.len, written.len - package.len};
    }
    return option->is_extension && str_equal(written, str_from_c(name));
}

static struct site_notes notes_of(const struct pb_option *options, const char *name, struct arena *arena)
{
    struct gather g = {.arena = arena};
    for (const struct pb_option *o = options; o != NULL; o = o->next) {
        if (!is_named(o, name)) {
            continue;
        }
        if (o->path.len > 0) {
            take_member(&g, o->path, &o->value);
        }
        for (const struct pb_value *v = o->value.kind == PB_VALUE_MAP ? o->value.first : NULL;
             v != NULL && o->path.len == 0; v = v->next) {
            take_member(&g, v->key, v);
        }
    }
    return (struct site_notes){g.tags, g.checks, g.tag_count, g.check_count};
}

static struct site_notes notes(const struct site *site, struct arena *arena)
{
    if (site->part != PART_MESSAGE) {
        return (struct site_notes){0};
    }
    return notes_of(((const struct pb_message *)site->of)->options, "message_meta", arena);
}

// ---- what is in it

static struct site value_site(const struct program *program, const struct pb_field *f)
{
    bool is_message = f->type == PB_TYPE_MESSAGE || f->type == PB_TYPE_GROUP;
    return is_message ? site_at(program, f->message, PART_MESSAGE) : site_at(program, f, PART_SCALAR);
}

static bool next_field(struct site_fields *fields, struct arena *arena, struct site_field *ret)
{
    if (fields->of.part != PART_MESSAGE) {
        return false;
    }
    const struct program *program = fields->of.program;
    const struct pb_message *message = fields->of.of;
    const struct pb_field *f = fields->index == 0 ? message->fields : fields->next;
    if (f == NULL) {
        return false;
    }
    fields->index++;
    fields->next = f->next;
    struct pb_map map;
    bool is_map = pb_field_map(f, &map);
    *ret = (struct site_field){
        .name = f->name,
        .full_name = arena_printf(arena, STR_FMT "." STR_FMT, STR_ARG(message->full_name), STR_ARG(f->name)),
        .site = is_map                          ? site_at(program, f, PART_MAP)
                : f->label == PB_LABEL_REPEATED ? site_at(program, f, PART_LIST)
                                                : value_site(program, f),
        .notes = notes_of(f->options, "field_meta", arena),
    };
    ret->is_zero_if_absent = ret->site.part == PART_SCALAR && f->default_value == NULL;
    return true;
}

static struct site item(const struct site *site)
{
    struct pb_map map;
    if (site->part == PART_LIST) {
        return value_site(site->program, field_of(site));
    }
    bool is_map = site->part == PART_MAP && pb_field_map(field_of(site), &map);
    return is_map ? value_site(site->program, map.value) : (struct site){0};
}

static bool branch(const struct site *combined, uint32_t index, struct site *ret, enum site_choice *choice)
{
    (void)combined, (void)index, (void)ret, (void)choice;
    return false; // nothing is combined
}

static bool fits(const struct site *site, const struct view *view)
{
    (void)site, (void)view;
    return true;
}

static bool is_of(const struct site *site, const struct schema *schema, bool *ret_is_root)
{
    const struct pb_file *file = &pb_schema_of(schema)->file;
    const struct pb_message *message = site->of;
    *ret_is_root = site->part == PART_MESSAGE && message == file->messages;
    return site->part == PART_MESSAGE && message->file == file;
}

const struct site_ops pb_sites = {
    .root = root,
    .kind = kind,
    .notes = notes,
    .next_field = next_field,
    .item = item,
    .branch = branch,
    .fits = fits,
    .is_of = is_of,
};
