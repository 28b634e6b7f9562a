// SPDX-License-Identifier: Apache-2.0
// print.c - the texts of a schema. Canonical: as Apache Avro for Java prints it, which is what registries
// store; normal: what Confluent's `normalize` makes of that; resolved: with what it refers to written out;
// and the specification's Parsing Canonical Form.
#include "format/avro/avro_private.h"

#include <stdlib.h>

#include "base/mem.h"

struct print {
    struct buf *out;
    struct text_table seen; // full names that were written out, or are known elsewhere
    struct arena scratch;
    bool is_normal;
    bool is_parsing_form;
};

static void print_type(struct print *p, const struct avro_type *type, struct str space);

static void put(struct print *p, const char *text)
{
    buf_append_str(p->out, str_from_c(text));
}

static void put_pair(struct print *p, const char *key, struct str value)
{
    buf_printf(p->out, ",\"%s\":", key);
    json_print_str(value, p->out);
}

static struct str space_of(struct str full)
{
    size_t dot = full.len;
    while (dot > 0 && full.ptr[dot - 1] != '.') {
        dot--;
    }
    return (struct str){full.ptr, dot > 0 ? dot - 1 : 0};
}

// A name as it stands where `space` is the namespace: short there, unless it would read as a type of Avro's.
static struct str qualified(struct str full, struct str space)
{
    struct str own = space_of(full);
    struct str name = own.len == 0 ? full : (struct str){full.ptr + own.len + 1, full.len - own.len - 1};
    enum avro_kind kind;
    bool is_short = own.len > 0 && str_equal(own, space) &&
                    (str_equal(name, STR("error")) || !avro_kind_find(name, &kind));
    return is_short ? name : full;
}

// ---- aliases, props, defaults

struct sorted_str {
    struct str key;
    struct str text;
};

static int sorted_compare(const void *a, const void *b)
{
    return str_compare(((const struct sorted_str *)a)->key, ((const struct sorted_str *)b)->key);
}

static void print_aliases(struct print *p, const struct str *aliases, uint32_t count,
                          const struct avro_name *owner)
{
    if (count == 0) {
        return;
    }
    struct sorted_str *sorted = mem_array(count, sizeof *sorted);
    for (uint32_t i = 0; i < count; i++) {
        struct str alias = aliases[i];
        // One without a namespace sorts as ".Name": so does Java's set of them.
        bool is_bare = owner != NULL && owner->space.len > 0 && space_of(alias).len == 0;
        sorted[i].key = is_bare ? arena_printf(&p->scratch, "." STR_FMT, STR_ARG(alias)) : alias;
        sorted[i].text = owner != NULL ? qualified(alias, owner->space) : alias;
    }
    if (p->is_normal) {
        qsort(sorted, count, sizeof *sorted, sorted_compare);
    }
    put(p, ",\"aliases\":[");
    for (uint32_t i = 0; i < count; i++) {
        put(p, i == 0 ? "" : ",");
        json_print_str(sorted[i].text, p->out);
    }
    put(p, "]");
    mem_free(sorted);
}

static struct json_value *reparse(struct print *p, struct str text)
{
    struct json_value *value = NULL;
    return json_parse(text, &p->scratch, &value, NULL) == ERR_OK ? value : NULL;
}

static void print_prop(struct print *p, const struct avro_prop *prop)
{
    put(p, ",");
    json_print_str(prop->key, p->out);
    put(p, ":");
    struct json_value *value = p->is_normal ? reparse(p, prop->text) : NULL;
    if (value != NULL) {
        json_print(value, true, p->out);
    } else {
        buf_append_str(p->out, prop->text);
    }
}

static int prop_compare(const void *a, const void *b)
{
    return str_compare((*(const struct avro_prop *const *)a)->key,
                       (*(const struct avro_prop *const *)b)->key);
}

// What a normal text puts before all other props: a logical type and what belongs to it.
static int prop_rank(const struct avro_type *type, const struct avro_prop *prop)
{
    if (type == NULL || type->logical == AVRO_PLAIN || type->kind == AVRO_ENUM) {
        return 3;
    }
    bool is_decimal = type->logical == AVRO_DECIMAL;
    return str_equal(prop->key, STR("logicalType"))                               ? 0
           : is_decimal && str_equal(prop->key, STR("precision"))                 ? 1
           : is_decimal && type->scale != 0 && str_equal(prop->key, STR("scale")) ? 2
                                                                                  : 3;
}

static void print_props(struct print *p, const struct avro_type *type, const struct avro_prop *props,
                        uint32_t count)
{
    if (!p->is_normal) {
        for (uint32_t i = 0; i < count; i++) {
            print_prop(p, &props[i]);
        }
        return;
    }
    if (count == 0) {
        return;
    }
    const struct avro_prop **sorted = mem_array(count, sizeof *sorted);
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = &props[i];
    }
    qsort(sorted, count, sizeof *sorted, prop_compare);
    for (int rank = 0; rank <= 3; rank++) {
        for (uint32_t i = 0; i < count; i++) {
            if (prop_rank(type, sorted[i]) == rank) {
                print_prop(p, sorted[i]);
            }
        }
    }
    mem_free(sorted);
}

// A normal default is a value of its type: 0 of a double is 0.0.
static void type_numbers(struct print *p, struct json_value *value, const struct avro_type *type)
{
    if (type->kind == AVRO_UNION) {
        if (type->count > 0) {
            type_numbers(p, value, type->branches[0]);
        }
    } else if (value->type == JSON_NUMBER && type->kind == AVRO_DOUBLE) {
        value->text = avro_print_double(json_value_f64(value), &p->scratch);
    } else if (value->type == JSON_NUMBER && type->kind == AVRO_FLOAT) {
        value->text = avro_print_float((float)json_value_f64(value), &p->scratch);
    } else if ((value->type == JSON_ARRAY && type->kind == AVRO_ARRAY) ||
               (value->type == JSON_OBJECT && type->kind == AVRO_MAP)) {
        for (struct json_value *item = value->first; item != NULL; item = item->next) {
            type_numbers(p, item, type->item);
        }
    } else if (value->type == JSON_OBJECT && type->kind == AVRO_RECORD) {
        for (struct json_value *member = value->first; member != NULL; member = member->next) {
            int64_t field = name_index_find(&type->index, member->key);
            if (field != NAME_INDEX_NONE) {
                type_numbers(p, member, type->fields[field].type);
            }
        }
    }
}

static void print_default(struct print *p, const struct avro_field *field)
{
    put(p, ",\"default\":");
    struct json_value *value = p->is_normal ? reparse(p, field->default_text) : NULL;
    if (value == NULL) {
        buf_append_str(p->out, field->default_text);
        return;
    }
    type_numbers(p, value, field->type);
    json_print(value, true, p->out);
}

// ---- types

static void print_field(struct print *p, const struct avro_field *field, struct str space)
{
    put(p, "{\"name\":");
    json_print_str(field->name, p->out);
    put(p, ",\"type\":");
    print_type(p, field->type, space);
    if (!p->is_parsing_form) {
        static const char *const orders[] = {"", "descending", "ignore"};
        if (field->doc.ptr != NULL) {
            put_pair(p, "doc", field->doc);
        }
        if (field->default_text.ptr != NULL) {
            print_default(p, field);
        }
        if (field->order != AVRO_ASCENDING) {
            put_pair(p, "order", str_from_c(orders[field->order]));
        }
        print_aliases(p, field->aliases, field->alias_count, NULL);
        print_props(p, NULL, field->props, field->prop_count);
    }
    put(p, "}");
}

// What a named type is made of: fields, symbols or size.
static void print_body(struct print *p, const struct avro_type *type)
{
    if (type->kind == AVRO_FIXED) {
        buf_printf(p->out, ",\"size\":%d", type->size);
        return;
    }
    put(p, type->kind == AVRO_RECORD ? ",\"fields\":[" : ",\"symbols\":[");
    for (uint32_t i = 0; i < type->count; i++) {
        put(p, i == 0 ? "" : ",");
        if (type->kind == AVRO_RECORD) {
            print_field(p, &type->fields[i], type->named->space);
        } else {
            json_print_str(type->symbols[i], p->out);
        }
    }
    put(p, "]");
}

static void print_named(struct print *p, const struct avro_type *type, struct str space)
{
    const struct avro_name *named = type->named;
    bool is_seen = text_table_get(&p->seen, named->full) != NULL;
    if (is_seen) {
        json_print_str(p->is_parsing_form ? named->full : qualified(named->full, space), p->out);
        return;
    }
    text_table_put(&p->seen, named->full, p);
    if (p->is_parsing_form) {
        put(p, "{\"name\":");
        json_print_str(named->full, p->out);
        put_pair(p, "type", str_from_c(avro_kind_name(type->kind)));
        print_body(p, type);
        put(p, "}");
        return;
    }
    bool is_error = type->is_error && !p->is_normal;
    buf_printf(p->out, "{\"type\":\"%s\"", is_error ? "error" : avro_kind_name(type->kind));
    put_pair(p, "name", named->name);
    if (!str_equal(named->space, space)) {
        put_pair(p, "namespace", named->space);
    }
    if (named->doc.ptr != NULL && !(p->is_normal && named->doc.len == 0)) {
        put_pair(p, "doc", named->doc);
    }
    print_body(p, type);
    if (type->default_symbol >= 0) {
        put_pair(p, "default", type->symbols[type->default_symbol]);
    }
    print_props(p, type, type->props, type->prop_count);
    print_aliases(p, named->aliases, named->alias_count, named);
    put(p, "}");
}

// Recursion ends at AVRO_GRAPH_DEPTH_MAX: a schema that leads deeper was refused.
static void print_type(struct print *p, const struct avro_type *type, struct str space)
{
    if (type->named != NULL) {
        print_named(p, type, space);
        return;
    }
    if (type->kind == AVRO_UNION) {
        put(p, "[");
        for (uint32_t i = 0; i < type->count; i++) {
            put(p, i == 0 ? "" : ",");
            print_type(p, type->branches[i], space);
        }
        put(p, "]");
        return;
    }
    bool has_item = type->kind == AVRO_ARRAY || type->kind == AVRO_MAP;
    if (!has_item && (type->prop_count == 0 || p->is_parsing_form)) {
        buf_printf(p->out, "\"%s\"", avro_kind_name(type->kind));
        return;
    }
    buf_printf(p->out, "{\"type\":\"%s\"", avro_kind_name(type->kind));
    if (has_item) {
        put(p, type->kind == AVRO_ARRAY ? ",\"items\":" : ",\"values\":");
        print_type(p, type->item, space);
    }
    if (!p->is_parsing_form) {
        print_props(p, has_item ? NULL : type, type->props, type->prop_count);
    }
    put(p, "}");
}

enum err avro_print(const struct schema *schema, enum schema_form form, struct buf *out, struct error *e)
{
    const struct avro_schema *avro = avro_of(schema);
    struct print p = {
        .out = out, .is_normal = form == SCHEMA_NORMAL, .is_parsing_form = form == SCHEMA_PARSING_FORM};
    arena_init(&p.scratch, (size_t)SCHEMA_MEMORY_BYTES_MAX * 4);
    p.seen.arena = &p.scratch;
    bool is_whole = form == SCHEMA_RESOLVED || form == SCHEMA_PARSING_FORM;
    for (uint32_t i = 0; i < avro->known_count && !is_whole; i++) {
        text_table_put(&p.seen, avro->known[i], &p);
    }
    print_type(&p, avro->root, (struct str){0});
    enum err err = ERR_OK;
    if (p.scratch.failed) {
        err = FAIL(e, ERR_NO_MEMORY, "printing the schema needs more than %zu bytes", p.scratch.limit);
    }
    arena_fini(&p.scratch);
    return err;
}

// ---- fingerprints

enum { CRC64_TABLE_SIZE = 256 };
#define CRC64_EMPTY 0xc15d213aa4d7a795ULL // of an empty text, and the polynomial

uint64_t avro_crc64(struct bytes text)
{
    uint64_t table[CRC64_TABLE_SIZE];
    for (uint32_t i = 0; i < CRC64_TABLE_SIZE; i++) {
        uint64_t sum = i;
        for (int bit = 0; bit < 8; bit++) {
            sum = (sum & 1) != 0 ? sum >> 1 ^ CRC64_EMPTY : sum >> 1;
        }
        table[i] = sum;
    }
    uint64_t sum = CRC64_EMPTY;
    for (size_t i = 0; i < text.len; i++) {
        sum = sum >> 8 ^ table[(sum ^ text.ptr[i]) & 0xff];
    }
    return sum;
}

enum err avro_fingerprint(const struct schema *schema, uint64_t *ret, struct error *e)
{
    struct buf text;
    buf_init(&text, SCHEMA_MEMORY_BYTES_MAX);
    enum err err = schema_print(schema, SCHEMA_PARSING_FORM, &text, e);
    if (err == ERR_OK) {
        *ret = avro_crc64(buf_bytes(&text));
    }
    buf_fini(&text);
    return err;
}
