// SPDX-License-Identifier: Apache-2.0
// compare.c - whether a reader's schema can read what a writer's wrote, by the rules of Confluent's registry:
// fields are matched by number over the whole message, types by name, scalars by groups that share an
// encoding.
//
// Each pair of messages is compared once, so time is polynomial; a pair that is being compared counts as
// compatible, so recursion ends.
#include "format/protobuf/protobuf_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"

enum {
    COMPARE_DEPTH_MAX = 400,     // messages that refer to each other across files
    COMPARE_STEPS_MAX = 5000000, // fields, messages and names looked at: a fraction of a second
};

struct pair {
    struct map_node node;
    const struct pb_message *old;
    const struct pb_message *new;
    bool is_incompatible;
};

struct comparison {
    const struct pb_schema *old; // the writer's
    const struct pb_schema *new; // the reader's
    struct compat_report *report;
    struct arena arena;
    struct map pairs;
    struct buf path;
    size_t steps;
    unsigned depth;
};

static const struct {
    const char *kind;
    const char *text; // with one %s, the path
    const char *hint;
} differences[] = {
    {"PACKAGE_CHANGED", "The package at '%s' in the new schema does not match the package in the old schema",
     "Keep the package, or register the schema under another subject."},
    {"MESSAGE_REMOVED", "The new schema is missing a MESSAGE type at path '%s' in the old schema",
     "Keep the message, even if nothing uses it any more."},
    {"FIELD_KIND_CHANGED", "The type of a field at path '%s' in the new schema does not match the old schema",
     "Add a field with a new number instead, and reserve the old number."},
    {"FIELD_SCALAR_KIND_CHANGED",
     "The kind of a SCALAR field at path '%s' in the new schema does not match its kind in the old schema",
     "Only types with the same encoding replace each other: int32, int64, uint32, uint64, bool and enums; "
     "sint32 "
     "and sint64; string and bytes; fixed32 and sfixed32; fixed64 and sfixed64."},
    {"FIELD_NAMED_TYPE_CHANGED",
     "The type of a MESSAGE field at path '%s' in the new schema does not match its type in the old schema",
     "Keep the name of the message type, and change it only in ways that are compatible."},
    {"FIELD_NUMERIC_LABEL_CHANGED",
     "The label for a NUMERIC field at path '%s' in the new schema does not match its label in the old "
     "schema",
     "Add a field with a new number instead, and reserve the old number."},
    {"REQUIRED_FIELD_ADDED", "A required field  at path '%s' in the new schema is missing in the old schema",
     "Make the new field optional."},
    {"REQUIRED_FIELD_REMOVED", "The new schema is missing a required field at path: '%s' in the old schema",
     "Keep the required field."},
    {"ONEOF_FIELD_REMOVED", "The new schema is missing a oneof field at path '%s' in the old schema",
     "Keep the field in its oneof, marked as deprecated."},
    {"MULTIPLE_FIELDS_MOVED_TO_ONEOF",
     "Multiple fields in the oneof at path '%s' in the new schema are outside a oneof in the old schema",
     "Records may have more than one of these fields: move at most one into a new oneof."},
    {"FIELD_MOVED_TO_EXISTING_ONEOF",
     "A field in the oneof at path '%s' in the new schema is outside an existing oneof in the old schema",
     "Records may have this field beside one of the oneof: keep it outside."},
};

static void report(struct comparison *c, const char *kind)
{
    size_t i = 0;
    while (strcmp(differences[i].kind, kind) != 0) {
        i++;
    }
    buf_u8(&c->path, 0);
    c->path.len--;
    const char *path = c->path.failed ? "#/..." : (const char *)c->path.ptr;
    struct buf text;
    buf_init(&text, 4096);
    const char *split = strstr(differences[i].text, "%s");
    buf_append(&text, differences[i].text, (size_t)(split - differences[i].text));
    buf_append_str(&text, str_from_c(path));
    buf_append_str(&text, str_from_c(split + 2));
    compat_report_add(c->report, differences[i].kind, str_from_c(path),
                      text.failed ? str_from_c(differences[i].text) : buf_str(&text), STR(""),
                      str_from_c(differences[i].hint));
    buf_fini(&text);
}

// ---- the path: "#/Message/Nested/3"

static size_t enter(struct comparison *c, struct str name)
{
    size_t before = c->path.len;
    if (before > 2) {
        buf_u8(&c->path, '/');
    }
    buf_append_str(&c->path, name);
    return before;
}

static size_t enter_number(struct comparison *c, int32_t number)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    return enter(c, str_from_c(text));
}

static void leave(struct comparison *c, size_t before)
{
    c->path.len = before;
    c->path.failed = false;
}

// ---- look-ups: lists sorted once

struct index {
    struct pb_sorted *items;
    size_t count;
};

static struct index make_index(struct comparison *c, size_t count)
{
    c->steps += count + 1;
    return (struct index){arena_new(&c->arena, struct pb_sorted, count == 0 ? 1 : count), 0};
}

static struct index index_fields(struct comparison *c, const struct pb_message *message)
{
    size_t count = 0;
    for (const struct pb_field *f = message->fields; f != NULL; f = f->next) {
        count++;
    }
    struct index index = make_index(c, count);
    for (const struct pb_field *f = message->fields; f != NULL && index.items != NULL; f = f->next) {
        index.items[index.count++] = (struct pb_sorted){.element = f, .key = f->number};
    }
    pb_sort(index.items, index.count);
    return index;
}

static const struct pb_field *find_field(const struct index *index, int32_t number)
{
    size_t low = 0;
    size_t high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->items[middle].key < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < index->count && index->items[low].key == number ? index->items[low].element : NULL;
}

static struct index index_messages(struct comparison *c, const struct pb_message *first)
{
    size_t count = 0;
    for (const struct pb_message *m = first; m != NULL; m = m->next) {
        count++;
    }
    struct index index = make_index(c, count);
    for (const struct pb_message *m = first; m != NULL && index.items != NULL; m = m->next) {
        index.items[index.count++] = (struct pb_sorted){.element = m, .name = m->name};
    }
    pb_sort(index.items, index.count);
    return index;
}

static const void *find_name(const struct index *index, struct str name)
{
    size_t low = 0;
    size_t high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_compare(index->items[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < index->count && str_equal(index->items[low].name, name) ? index->items[low].element : NULL;
}

// ---- fields

enum kind { KIND_SCALAR, KIND_MESSAGE, KIND_MAP };

static enum kind kind_of(const struct pb_field *f)
{
    struct pb_map map;
    if (pb_field_map(f, &map)) {
        return KIND_MAP;
    }
    return f->type == PB_TYPE_NONE || f->type == PB_TYPE_MESSAGE || f->type == PB_TYPE_GROUP ? KIND_MESSAGE
                                                                                             : KIND_SCALAR;
}

enum scalar_kind {
    SCALAR_NUMBER,
    SCALAR_SIGNED,
    SCALAR_TEXT,
    SCALAR_FIXED32,
    SCALAR_FIXED64,
    SCALAR_FLOAT,
    SCALAR_DOUBLE
};

static enum scalar_kind scalar_kind(enum pb_type type)
{
    switch (type) {
    case PB_TYPE_SINT32:
    case PB_TYPE_SINT64:
        return SCALAR_SIGNED;
    case PB_TYPE_STRING:
    case PB_TYPE_BYTES:
        return SCALAR_TEXT;
    case PB_TYPE_FIXED32:
    case PB_TYPE_SFIXED32:
        return SCALAR_FIXED32;
    case PB_TYPE_FIXED64:
    case PB_TYPE_SFIXED64:
        return SCALAR_FIXED64;
    case PB_TYPE_FLOAT:
        return SCALAR_FLOAT;
    case PB_TYPE_DOUBLE:
        return SCALAR_DOUBLE;
    default:
        return SCALAR_NUMBER;
    }
}

static void compare_scalars(struct comparison *c, enum pb_type old, enum pb_type new, enum pb_label old_label,
                            enum pb_label new_label)
{
    if (scalar_kind(old) != scalar_kind(new)) {
        report(c, "FIELD_SCALAR_KIND_CHANGED");
    } else if (old_label != PB_LABEL_NONE && new_label != PB_LABEL_NONE && old_label != new_label &&
               scalar_kind(old) != SCALAR_TEXT) {
        report(c, "FIELD_NUMERIC_LABEL_CHANGED");
    }
}

static struct str local_name(const struct pb_message *message)
{
    struct str name = message->full_name;
    struct str package = message->file->package;
    if (package.len > 0 && name.len > package.len + 1 && str_has_prefix(name, package)) {
        name.ptr += package.len + 1;
        name.len -= package.len + 1;
    }
    return name;
}

static bool compare_messages(struct comparison *c, const struct pb_message *old,
                             const struct pb_message *new);

static void compare_message_types(struct comparison *c, const struct pb_field *old,
                                  const struct pb_field *new)
{
    if (old->message == NULL || new->message == NULL) {
        if (!str_equal(old->type_name, new->type_name)) {
            report(c, "FIELD_NAMED_TYPE_CHANGED");
        }
        return;
    }
    struct str name = local_name(old->message);
    if (!str_equal(name, local_name(new->message))) {
        report(c, "FIELD_NAMED_TYPE_CHANGED");
        return;
    }
    if (old->message == new->message ||
        (old->message->file == &c->old->file && new->message->file == &c->new->file && old->group == NULL)) {
        return; // types of the files themselves are compared by the list of types
    }
    struct buf outer = c->path;
    buf_init(&c->path, FAULT_PATH_SIZE * 4);
    buf_append_str(&c->path, STR("#/"));
    for (struct str rest = name; rest.ptr != NULL;) {
        enter(c, str_cut(rest, '.', &rest));
    }
    bool is_compatible = compare_messages(c, old->message, new->message);
    buf_fini(&c->path);
    c->path = outer;
    if (!is_compatible) {
        report(c, "FIELD_NAMED_TYPE_CHANGED");
    }
}

static void compare_types(struct comparison *c, const struct pb_field *old, const struct pb_field *new);

static void compare_maps(struct comparison *c, const struct pb_field *old, const struct pb_field *new)
{
    struct pb_map a = {0};
    struct pb_map b = {0};
    pb_field_map(old, &a);
    pb_field_map(new, &b);
    compare_scalars(c, a.key_type, b.key_type, PB_LABEL_NONE, PB_LABEL_NONE);
    // The values as fields of their own: no maps, no labels.
    struct pb_field old_value = *a.value;
    struct pb_field new_value = *b.value;
    old_value.is_map = new_value.is_map = false;
    old_value.label = new_value.label = PB_LABEL_NONE;
    compare_types(c, &old_value, &new_value);
}

static void compare_types(struct comparison *c, const struct pb_field *old, const struct pb_field *new)
{
    enum kind kind = kind_of(old);
    if (kind != kind_of(new)) {
        report(c, "FIELD_KIND_CHANGED");
    } else if (kind == KIND_SCALAR) {
        compare_scalars(c, old->type, new->type, old->label, new->label);
    } else if (kind == KIND_MESSAGE) {
        compare_message_types(c, old, new);
    } else {
        compare_maps(c, old, new);
    }
}

// ---- oneofs

static void check_moved(struct comparison *c, const struct pb_oneof *oneof, const struct index *old_fields,
                        const struct index *new_fields)
{
    size_t moved = 0;
    size_t existing = 0;
    for (const struct pb_field *f = oneof->fields; f != NULL; f = f->next_in_oneof) {
        const struct pb_field *old = find_field(old_fields, f->number);
        bool is_first = find_field(new_fields, f->number) == f;
        moved += is_first && old != NULL && old->oneof == NULL;
        existing += is_first && old != NULL && old->oneof != NULL;
    }
    size_t before = enter(c, oneof->name);
    if (moved > 1) {
        report(c, "MULTIPLE_FIELDS_MOVED_TO_ONEOF");
    } else if (moved == 1 && existing > 0) {
        report(c, "FIELD_MOVED_TO_EXISTING_ONEOF");
    }
    leave(c, before);
}

// A field that left its oneof for another place in the message lost nothing; nor did one whose oneof
// vanished.
static void check_removed(struct comparison *c, const struct pb_field *old, const struct index *new_oneofs)
{
    if (old->oneof == NULL) {
        size_t before = enter_number(c, old->number);
        if (pb_field_is_required(old)) {
            report(c, "REQUIRED_FIELD_REMOVED");
        }
        leave(c, before);
    } else if (find_name(new_oneofs, old->oneof->name) != NULL) {
        size_t before = enter(c, old->oneof->name);
        enter_number(c, old->number);
        report(c, "ONEOF_FIELD_REMOVED");
        leave(c, before);
    }
}

static void compare_fields(struct comparison *c, const struct pb_field *old, const struct pb_field *new)
{
    size_t before = c->path.len;
    if (old->oneof != NULL && new->oneof != NULL && str_equal(old->oneof->name, new->oneof->name)) {
        enter(c, old->oneof->name);
    }
    enter_number(c, old->number);
    compare_types(c, old, new);
    leave(c, before);
}

static struct index index_oneofs(struct comparison *c, const struct pb_message *message)
{
    size_t count = 0;
    for (const struct pb_oneof *o = message->oneofs; o != NULL; o = o->next) {
        count++;
    }
    struct index index = make_index(c, count);
    for (const struct pb_oneof *o = message->oneofs; o != NULL && index.items != NULL; o = o->next) {
        index.items[index.count++] = (struct pb_sorted){.element = o, .name = o->name};
    }
    pb_sort(index.items, index.count);
    return index;
}

static void compare_contents(struct comparison *c, const struct pb_message *old, const struct pb_message *new)
{
    struct index old_fields = index_fields(c, old);
    struct index new_fields = index_fields(c, new);
    struct index new_oneofs = index_oneofs(c, new);
    for (const struct pb_oneof *o = new->oneofs; o != NULL; o = o->next) {
        check_moved(c, o, &old_fields, &new_fields);
    }
    for (size_t i = 0; i < old_fields.count; i++) {
        const struct pb_field *f = old_fields.items[i].element;
        const struct pb_field *same = find_field(&new_fields, f->number);
        if (find_field(&old_fields, f->number) != f) {
            continue; // an old schema may use a number twice: the first one counts
        }
        if (same == NULL) {
            check_removed(c, f, &new_oneofs);
        } else {
            compare_fields(c, f, same);
        }
    }
    for (size_t i = 0; i < new_fields.count; i++) {
        const struct pb_field *f = new_fields.items[i].element;
        if (find_field(&old_fields, f->number) == NULL && f->oneof == NULL && pb_field_is_required(f)) {
            size_t before = enter_number(c, f->number);
            report(c, "REQUIRED_FIELD_ADDED");
            leave(c, before);
        }
    }
}

// ---- messages

static void compare_lists(struct comparison *c, const struct pb_message *old, const struct pb_message *new)
{
    struct index news = index_messages(c, new);
    for (const struct pb_message *m = old; m != NULL; m = m->next) {
        const struct pb_message *same = find_name(&news, m->name);
        size_t before = enter(c, m->name);
        if (same != NULL) {
            compare_messages(c, m, same);
        } else if (!m->is_map_entry) {
            report(c, "MESSAGE_REMOVED");
        }
        leave(c, before);
    }
}

static struct pair *find_pair(struct comparison *c, const struct pb_message *old,
                              const struct pb_message *new, uint64_t hash)
{
    for (struct map_node *n = map_first(&c->pairs, hash); n != NULL; n = map_next(n)) {
        struct pair *pair = MAP_ENTRY(n, struct pair, node);
        if (pair->old == old && pair->new == new) {
            return pair;
        }
    }
    return NULL;
}

// False if there is a difference. Over a limit c->arena fails, and the whole comparison is given up.
static bool compare_messages(struct comparison *c, const struct pb_message *old, const struct pb_message *new)
{
    uint64_t hash = hash_mix((uint64_t)(uintptr_t)old, (uint64_t)(uintptr_t) new);
    struct pair *pair = find_pair(c, old, new, hash);
    if (pair != NULL) {
        return !pair->is_incompatible;
    }
    pair = arena_new(&c->arena, struct pair, 1);
    if (pair == NULL || c->depth > COMPARE_DEPTH_MAX || c->steps > COMPARE_STEPS_MAX) {
        c->arena.failed = true;
        return true;
    }
    *pair = (struct pair){.old = old, .new = new};
    map_insert(&c->pairs, &pair->node, hash);
    size_t before = c->report->total;
    c->depth++;
    compare_contents(c, old, new);
    compare_lists(c, old->messages, new->messages);
    c->depth--;
    pair->is_incompatible = c->report->total != before;
    return !pair->is_incompatible;
}

enum err pb_compare(const struct schema *reader, const struct schema *writer, enum compat_policy policy,
                    struct compat_report *compat, struct error *e)
{
    (void)policy;
    struct comparison c = {.old = pb_schema_of(writer), .new = pb_schema_of(reader), .report = compat};
    arena_init(&c.arena, SCHEMA_MEMORY_BYTES_MAX);
    map_init(&c.pairs);
    buf_init(&c.path, 4096);
    buf_append_str(&c.path, STR("#/"));
    if (!str_equal(c.old->file.package, c.new->file.package)) {
        report(&c, "PACKAGE_CHANGED");
    }
    compare_lists(&c, c.old->file.messages, c.new->file.messages);
    bool is_given_up = c.arena.failed;
    buf_fini(&c.path);
    map_fini(&c.pairs);
    arena_fini(&c.arena);
    return is_given_up ? FAIL(e, ERR_NO_MEMORY, "these schemas are too large to compare") : ERR_OK;
}
