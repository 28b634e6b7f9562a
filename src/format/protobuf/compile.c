// SPDX-License-Identifier: Apache-2.0
// compile.c - from a message to flat arrays of what can be reached from it. Each message is compiled once, in
// the order in which it is found, so that types that contain themselves end.
#include "format/protobuf/pb_program.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"

// A message or enum that has an index.
struct known {
    struct map_node node;
    const void *element;
    uint32_t index;
};

// What a message node is made of: a message, or the entry of a field written as map<K, V>.
struct job {
    const struct pb_message *message;
    const struct pb_field *map;
};

struct compiler {
    struct pb_program *program;
    struct map known;
    struct arena arena;
    struct job *jobs; // parallel to the program's messages
    size_t job_cap;
    size_t field_cap;
    size_t enum_cap;
    size_t value_cap;
    struct error *e;
};

static void *grow(void *items, size_t *cap, size_t count, size_t size)
{
    if (count < *cap) {
        return items;
    }
    *cap = *cap == 0 ? 16 : *cap * 2;
    return mem_realloc(items, *cap * size);
}

static struct known *find_known(struct compiler *c, const void *element)
{
    uint64_t hash = hash_mix((uint64_t)(uintptr_t)element, 0);
    for (struct map_node *n = map_first(&c->known, hash); n != NULL; n = map_next(n)) {
        struct known *known = MAP_ENTRY(n, struct known, node);
        if (known->element == element) {
            return known;
        }
    }
    return NULL;
}

static enum err add_known(struct compiler *c, const void *element, size_t index)
{
    struct known *known = arena_new(&c->arena, struct known, 1);
    if (known == NULL) {
        return FAIL(c->e, ERR_NO_MEMORY, "the message needs more than %d bytes", PROGRAM_BYTES_MAX);
    }
    known->element = element;
    known->index = (uint32_t)index;
    map_insert(&c->known, &known->node, hash_mix((uint64_t)(uintptr_t)element, 0));
    return ERR_OK;
}

static enum err message_index(struct compiler *c, const struct pb_message *message,
                              const struct pb_field *map, uint32_t *ret)
{
    const void *element = map != NULL ? (const void *)map : (const void *)message;
    struct known *known = find_known(c, element);
    if (known != NULL) {
        *ret = known->index;
        return ERR_OK;
    }
    size_t at = c->program->message_count;
    size_t cap = c->job_cap;
    c->jobs = grow(c->jobs, &cap, at, sizeof *c->jobs);
    c->program->messages = grow(c->program->messages, &c->job_cap, at, sizeof *c->program->messages);
    c->jobs[at] = (struct job){message, map};
    c->program->messages[at] = (struct pb_node_message){0};
    c->program->message_count++;
    *ret = (uint32_t)at;
    return add_known(c, element, at);
}

static int compare_values(const void *a, const void *b)
{
    const struct pb_node_value *x = a;
    const struct pb_node_value *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static enum err enum_index(struct compiler *c, const struct pb_enum *made, uint32_t *ret)
{
    struct known *known = find_known(c, made);
    if (known != NULL) {
        *ret = known->index;
        return ERR_OK;
    }
    struct pb_program *p = c->program;
    size_t at = p->enum_count;
    p->enums = grow(p->enums, &c->enum_cap, at, sizeof *p->enums);
    struct pb_node_enum *node = &p->enums[p->enum_count++];
    *node = (struct pb_node_enum){.name = made->full_name, .first = (uint32_t)p->value_count};
    for (const struct pb_enum_value *v = made->values; v != NULL; v = v->next) {
        p->values = grow(p->values, &c->value_cap, p->value_count, sizeof *p->values);
        p->values[p->value_count++] = (struct pb_node_value){v->name, v->number};
    }
    node->count = (uint32_t)p->value_count - node->first;
    if (node->count > 0) {
        qsort(p->values + node->first, node->count, sizeof *p->values, compare_values);
    }
    *ret = (uint32_t)at;
    return add_known(c, made, at);
}

static uint8_t wire_of(enum pb_type type)
{
    switch (type) {
    case PB_TYPE_DOUBLE:
    case PB_TYPE_FIXED64:
    case PB_TYPE_SFIXED64:
        return PB_WIRE_64;
    case PB_TYPE_FLOAT:
    case PB_TYPE_FIXED32:
    case PB_TYPE_SFIXED32:
        return PB_WIRE_32;
    case PB_TYPE_STRING:
    case PB_TYPE_BYTES:
    case PB_TYPE_MESSAGE:
        return PB_WIRE_LENGTH;
    case PB_TYPE_GROUP:
        return PB_WIRE_GROUP;
    default:
        return PB_WIRE_VARINT;
    }
}

static enum err fail_field(struct compiler *c, const struct pb_field *f, const char *what)
{
    return pb_fail(c->e, f->place, "field " STR_FMT ": %s", STR_ARG(f->name), what);
}

static enum err set_target(struct compiler *c, const struct pb_field *f, struct pb_node_field *node)
{
    enum err err = ERR_OK;
    uint32_t target = 0;
    if (node->type == PB_TYPE_ENUM && f->enumeration != NULL) {
        err = enum_index(c, f->enumeration, &target);
        node->flags |= f->enumeration->is_closed ? PB_NODE_CLOSED : 0;
    } else if ((node->type == PB_TYPE_MESSAGE || node->type == PB_TYPE_GROUP) && f->message != NULL) {
        err = message_index(c, f->message, NULL, &target);
    } else if (node->type == PB_TYPE_NONE) {
        err = fail_field(c, f, "nothing defines its type");
    }
    node->target = target;
    return err;
}

static struct pb_node_field *new_field(struct compiler *c)
{
    struct pb_program *p = c->program;
    p->fields = grow(p->fields, &c->field_cap, p->field_count, sizeof *p->fields);
    p->fields[p->field_count] = (struct pb_node_field){0};
    return &p->fields[p->field_count++];
}

static enum err compile_field(struct compiler *c, const struct pb_field *f)
{
    struct pb_node_field node = {.name = f->name, .number = (uint32_t)f->number, .type = (uint8_t)f->type};
    enum err err = ERR_OK;
    if (f->is_map) {
        if (f->key_type == PB_TYPE_NONE) {
            return fail_field(c, f, "its key's type is unknown");
        }
        node.type = PB_TYPE_MESSAGE;
        node.flags = PB_NODE_MAP | PB_NODE_REPEATED;
        err = message_index(c, NULL, f, &node.target);
    } else {
        if (f->type == PB_TYPE_MESSAGE && f->features.is_delimited) {
            node.type = PB_TYPE_GROUP;
        }
        if (f->label == PB_LABEL_REPEATED) {
            node.flags |= PB_NODE_REPEATED;
            node.flags |= pb_type_is_packable(f->type) ? PB_NODE_PACKABLE : 0;
            struct pb_map map;
            node.flags |= pb_field_map(f, &map) ? PB_NODE_MAP : 0;
        }
        node.flags |= f->type == PB_TYPE_STRING && f->features.is_utf8 ? PB_NODE_UTF8 : 0;
        node.flags |= pb_field_is_required(f) ? PB_NODE_REQUIRED : 0;
        node.flags |= pb_field_has_presence(f) ? PB_NODE_PRESENCE : 0;
        node.oneof = f->oneof == NULL ? 0 : f->oneof->index + 1;
        err = set_target(c, f, &node);
    }
    if (err == ERR_OK && node.type == PB_TYPE_NONE) {
        err = fail_field(c, f, "nothing defines its type");
    }
    node.wire = wire_of((enum pb_type)node.type);
    *new_field(c) = node;
    return err;
}

// The entry that stands for map<K, V>: a message of key and value.
static enum err compile_entry(struct compiler *c, const struct pb_field *f)
{
    struct pb_node_field key = {.name = STR("key"), .number = 1, .type = (uint8_t)f->key_type};
    struct pb_node_field value = {.name = STR("value"), .number = 2, .type = (uint8_t)f->type};
    uint8_t utf8 = f->features.is_utf8 ? PB_NODE_UTF8 : 0;
    enum err err = set_target(c, f, &value);
    key.wire = wire_of(f->key_type);
    key.flags = f->key_type == PB_TYPE_STRING ? utf8 : 0;
    value.wire = wire_of(f->type);
    value.flags |= f->type == PB_TYPE_STRING ? utf8 : 0;
    *new_field(c) = key;
    *new_field(c) = value;
    return err;
}

static int compare_fields(const void *a, const void *b)
{
    const struct pb_node_field *x = a;
    const struct pb_node_field *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static enum err compile_message(struct compiler *c, size_t at)
{
    struct pb_program *p = c->program;
    struct job job = c->jobs[at];
    size_t first = p->field_count;
    enum err err = ERR_OK;
    if (job.map != NULL) {
        err = compile_entry(c, job.map);
    }
    for (const struct pb_field *f = job.message == NULL ? NULL : job.message->fields;
         f != NULL && err == ERR_OK; f = f->next) {
        err = compile_field(c, f);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct pb_node_message *m = &p->messages[at];
    m->name = job.message != NULL ? job.message->full_name : job.map->name;
    m->first = (uint32_t)first;
    m->count = (uint32_t)(p->field_count - first);
    if (m->count > 0) {
        qsort(p->fields + first, m->count, sizeof *p->fields, compare_fields);
    }
    for (size_t i = first; i < p->field_count; i++) {
        if ((p->fields[i].flags & PB_NODE_REQUIRED) != 0) {
            p->fields[i].required = m->required_count++;
        }
        if (i > first && p->fields[i].number == p->fields[i - 1].number) {
            return FAIL(c->e, ERR_INVALID_SCHEMA, "message " STR_FMT " has two fields with number %u",
                        STR_ARG(m->name), p->fields[i].number);
        }
    }
    if (m->required_count > PB_REQUIRED_MAX) {
        return FAIL(c->e, ERR_INVALID_SCHEMA, "message " STR_FMT " has more than %d required fields",
                    STR_ARG(m->name), PB_REQUIRED_MAX);
    }
    if (pb_program_memory(&p->base) > PROGRAM_BYTES_MAX) {
        return FAIL(c->e, ERR_NO_MEMORY, "the message needs more than %d bytes", PROGRAM_BYTES_MAX);
    }
    return ERR_OK;
}

static void index_names(struct compiler *c, const struct pb_node_message *m)
{
    struct pb_program *p = c->program;
    struct pb_sorted *items = mem_array(m->count == 0 ? 1 : m->count, sizeof *items);
    for (uint32_t i = 0; i < m->count; i++) {
        items[i] =
            (struct pb_sorted){.element = &p->fields[m->first + i], .name = p->fields[m->first + i].name};
    }
    pb_sort(items, m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        p->by_name[m->first + i] = (uint32_t)((const struct pb_node_field *)items[i].element - p->fields);
    }
    mem_free(items);
}

// Message indexes count messages as written: fields of type map and groups do not count.
static const struct pb_message *find_root(const struct pb_schema *schema, const int32_t *root, size_t count)
{
    static const int32_t first = 0;
    const struct pb_message *found = NULL;
    if (root == NULL || count == 0) {
        root = &first;
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        const struct pb_message *list = i == 0 ? schema->file.messages : found->messages;
        for (int32_t skip = root[i]; list != NULL && skip > 0; skip--) {
            list = list->next;
        }
        if (list == NULL || root[i] < 0) {
            return NULL;
        }
        found = list;
    }
    return found;
}

// place_slots finds the fields that the paths lead through, once all messages are compiled.
static enum err place_slots(struct pb_program *p, const struct slots *slots, struct error *e)
{
    p->slots = mem_array(slots->count, sizeof *p->slots);
    p->slots[0] = (struct pb_slot){.field = PB_NO_SLOT};
    for (uint32_t i = 0; i < slots->count; i++) { // a parent comes before its children
        struct pb_slot *own = &p->slots[i];
        const struct pb_node_field *f = own->field == PB_NO_SLOT ? NULL : &p->fields[own->field];
        bool is_message = i == 0 || (f != NULL && (f->flags & PB_NODE_REPEATED) == 0 &&
                                     (f->type == PB_TYPE_MESSAGE || f->type == PB_TYPE_GROUP));
        const struct pb_node_message *m = is_message ? &p->messages[f == NULL ? 0 : f->target] : NULL;
        own->table = PB_NO_SLOT;
        if (m != NULL && slots->slots[i].first != 0) {
            own->table = (uint32_t)p->slot_table_count;
            p->slot_table_count += m->count;
        }
        for (uint32_t child = slots->slots[i].first; child != 0; child = slots->slots[child].next) {
            const struct pb_node_field *found =
                m == NULL ? NULL : pb_field_by_name(p, m, slots->slots[child].name);
            p->slots[child].field = found == NULL ? PB_NO_SLOT : (uint32_t)(found - p->fields);
            own->has_oneof |= found != NULL && found->oneof != 0;
        }
        if (p->slot_table_count > PROGRAM_BYTES_MAX / sizeof *p->slot_tables) {
            return FAIL(e, ERR_NO_MEMORY, "the paths need more than %d bytes", PROGRAM_BYTES_MAX);
        }
    }
    p->slot_tables = mem_array(p->slot_table_count + 1, sizeof *p->slot_tables);
    for (uint32_t i = 1; i < slots->count; i++) {
        const struct pb_slot *parent = &p->slots[slots->slots[i].parent];
        if (p->slots[i].field != PB_NO_SLOT) {
            uint32_t first =
                p->messages[parent->field == PB_NO_SLOT ? 0 : p->fields[parent->field].target].first;
            p->slot_tables[parent->table + p->slots[i].field - first] = (uint16_t)i;
        }
    }
    return ERR_OK;
}

enum err pb_compile_message(const struct pb_message *message, const struct slots *slots, struct program **ret,
                            struct error *e)
{
    struct compiler c = {.program = mem_zalloc(sizeof *c.program), .e = e};
    arena_init(&c.arena, PROGRAM_BYTES_MAX);
    map_init(&c.known);
    uint32_t index = 0;
    enum err err = message_index(&c, message, NULL, &index);
    for (size_t i = 0; i < c.program->message_count && err == ERR_OK; i++) {
        err = compile_message(&c, i);
    }
    if (err == ERR_OK) {
        c.program->by_name =
            mem_array(c.program->field_count == 0 ? 1 : c.program->field_count, sizeof(uint32_t));
        for (size_t i = 0; i < c.program->message_count; i++) {
            index_names(&c, &c.program->messages[i]);
        }
        err = slots == NULL ? ERR_OK : place_slots(c.program, slots, e);
    }
    map_fini(&c.known);
    arena_fini(&c.arena);
    mem_free(c.jobs);
    if (err != ERR_OK) {
        pb_program_destroy(&c.program->base);
        return err;
    }
    *ret = &c.program->base;
    return ERR_OK;
}

enum err pb_compile(const struct schema *schema, const int32_t *root, size_t root_count,
                    const struct slots *slots, struct program **ret, struct error *e)
{
    const struct pb_message *message = find_root(pb_schema_of(schema), root, root_count);
    if (message == NULL) {
        return FAIL(e, ERR_INVALID_SCHEMA, "the schema has no message with these indexes");
    }
    return pb_compile_message(message, slots, ret, e);
}

void pb_program_destroy(struct program *program)
{
    struct pb_program *p = (struct pb_program *)(void *)program;
    mem_free(p->messages);
    mem_free(p->fields);
    mem_free(p->by_name);
    mem_free(p->enums);
    mem_free(p->values);
    mem_free(p->slots);
    mem_free(p->slot_tables);
    mem_free(p);
}

size_t pb_program_memory(const struct program *program)
{
    const struct pb_program *p = pb_program_of(program);
    return sizeof *p + p->message_count * sizeof *p->messages +
           p->field_count * (sizeof *p->fields + sizeof *p->by_name) + p->enum_count * sizeof *p->enums +
           p->value_count * sizeof *p->values + p->slot_table_count * sizeof *p->slot_tables;
}
