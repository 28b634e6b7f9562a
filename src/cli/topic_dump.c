// SPDX-License-Identifier: Apache-2.0
#include "cli/topic_dump.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"

// The last record of a key.
struct row {
    struct map_node by_key;
    struct row *next; // in the order in which the keys came
    struct str key_text;
    struct json_value *key;
    struct json_value *value; // NULL: deleted
};

struct dump {
    struct arena *arena;
    struct map rows;
    struct row *first;
    struct row *last;
    size_t count;
};

static struct row *row_have(struct dump *d, struct str key)
{
    uint64_t hash = hash64(bytes_of(key.ptr, key.len), 1);
    for (struct map_node *node = map_first(&d->rows, hash); node != NULL; node = map_next(node)) {
        struct row *row = MAP_ENTRY(node, struct row, by_key);
        if (str_equal(row->key_text, key)) {
            return row;
        }
    }
    struct row *row = arena_new(d->arena, struct row, 1);
    if (row == NULL) {
        return NULL;
    }
    *row = (struct row){.key_text = key};
    map_insert(&d->rows, &row->by_key, hash);
    if (d->last == NULL) {
        d->first = row;
    } else {
        d->last->next = row;
    }
    d->last = row;
    d->count++;
    return row;
}

static enum err line_read(struct dump *d, struct str line, size_t number, struct error *e)
{
    struct str value;
    struct str key = str_cut(line, '\t', &value);
    struct row *row = row_have(d, key);
    if (row == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "the dump is too large");
    }
    enum err err = value.ptr == NULL
                       ? FAIL(e, ERR_INVALID_REQUEST,
                              "no tab between key and value: print the topic with print.key=true")
                       : json_parse(key, d->arena, &row->key, e);
    bool is_gone = value.len == 0 || str_equal(value, STR("null"));
    row->value = NULL;
    if (err == ERR_OK && !is_gone) {
        err = json_parse(value, d->arena, &row->value, e);
    }
    if (err == ERR_OK && json_get_str(row->key, STR("keytype")).ptr == NULL) {
        err = FAIL(e, ERR_INVALID_REQUEST, "the key has no \"keytype\"");
    }
    if (err != ERR_OK) {
        error_wrap(e, "line %zu: ", number);
    }
    return err;
}

static bool is_kind(const struct row *row, const char *kind)
{
    return row->value != NULL && str_equal(json_get_str(row->key, STR("keytype")), str_from_c(kind));
}

static int64_t number_of(const struct json_value *v, const char *name)
{
    int64_t number = 0;
    (void)json_value_i64(json_get(v, str_from_c(name)), &number);
    return number;
}

// subject_is_deleted: older registries write one record for all versions up to one.
static bool subject_is_deleted(const struct dump *d, const struct json_value *schema)
{
    for (const struct row *row = d->first; row != NULL; row = row->next) {
        if (is_kind(row, "DELETE_SUBJECT") &&
            str_equal(json_get_str(row->value, STR("subject")), json_get_str(schema, STR("subject"))) &&
            number_of(schema, "version") <= number_of(row->value, "version")) {
            return true;
        }
    }
    return false;
}

static int schema_order(const void *left, const void *right)
{
    const struct dumped_schema *a = left;
    const struct dumped_schema *b = right;
    int64_t by_id = number_of(a->value, "id") - number_of(b->value, "id");
    int64_t order = by_id != 0 ? by_id : number_of(a->value, "version") - number_of(b->value, "version");
    return (order > 0) - (order < 0);
}

static void rows_sort_out(const struct dump *d, struct topic_dump *ret)
{
    for (const struct row *row = d->first; row != NULL; row = row->next) {
        if (is_kind(row, "SCHEMA")) {
            const struct json_value *deleted = json_get(row->value, STR("deleted"));
            bool is_deleted =
                (deleted != NULL && deleted->type == JSON_TRUE) || subject_is_deleted(d, row->value);
            ret->schemas[ret->schema_count++] = (struct dumped_schema){row->value, is_deleted};
        } else if (is_kind(row, "CONFIG") || is_kind(row, "MODE") || is_kind(row, "ASSOC")) {
            enum dumped_kind kind = is_kind(row, "CONFIG") ? DUMPED_CONFIG
                                    : is_kind(row, "MODE") ? DUMPED_MODE
                                                           : DUMPED_ASSOCIATION;
            ret->settings[ret->setting_count++] =
                (struct dumped_setting){kind, json_get_str(row->key, STR("subject")), row->value};
        } else {
            ret->ignored++;
        }
    }
    if (ret->schema_count > 1) {
        qsort(ret->schemas, ret->schema_count, sizeof *ret->schemas, schema_order);
    }
}

enum err topic_dump_read(struct str text, struct arena *arena, struct topic_dump *ret, struct error *e)
{
    struct dump d = {.arena = arena};
    enum err err = ERR_OK;
    size_t number = 0;
    map_init(&d.rows);
    while (err == ERR_OK && text.len > 0) {
        struct str line = str_cut(text, '\n', &text);
        number++;
        if (str_trim(line).len > 0) {
            err = line_read(&d, line, number, e);
        }
    }
    *ret = (struct topic_dump){
        .schemas = arena_new(arena, struct dumped_schema, d.count + 1),
        .settings = arena_new(arena, struct dumped_setting, d.count + 1),
    };
    if (err == ERR_OK && (ret->schemas == NULL || ret->settings == NULL)) {
        err = FAIL(e, ERR_NO_MEMORY, "the dump is too large");
    }
    if (err == ERR_OK) {
        rows_sort_out(&d, ret);
    }
    map_fini(&d.rows);
    return err;
}
