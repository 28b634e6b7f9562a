// SPDX-License-Identifier: Apache-2.0
// parse_option.c - options and their values, aggregates included: Protobuf's text format. As Wire reads them:
// a key that stands twice in an aggregate becomes a list.
#include "format/protobuf/protobuf_private.h"

static void parse_value(struct pb_lexer *l, struct pb_value *value, unsigned depth);

void pb_value_append(struct pb_value *into, struct pb_value *item)
{
    item->next = NULL;
    if (into->last == NULL) {
        into->first = item;
    } else {
        into->last->next = item;
    }
    into->last = item;
    into->count++;
}

static void append_all(struct arena *arena, struct pb_value *list, struct pb_value *value)
{
    if (value->kind != PB_VALUE_LIST) {
        pb_value_append(list, value);
        return;
    }
    (void)arena;
    for (struct pb_value *item = value->first; item != NULL;) {
        struct pb_value *next = item->next;
        pb_value_append(list, item);
        item = next;
    }
}

void pb_value_add(struct arena *arena, struct pb_value *map, struct pb_value *entry)
{
    for (struct pb_value *old = map->first; old != NULL; old = old->next) {
        if (!str_equal(old->key, entry->key)) {
            continue;
        }
        if (old->kind != PB_VALUE_LIST) {
            struct pb_value *first = arena_new(arena, struct pb_value, 1);
            if (first == NULL) {
                return;
            }
            *first = *old;
            struct pb_value *next = old->next;
            *old = (struct pb_value){.next = next, .key = old->key, .kind = PB_VALUE_LIST};
            pb_value_append(old, first);
        }
        append_all(arena, old, entry);
        return;
    }
    pb_value_append(map, entry);
}

static struct str bracketed_key(struct pb_lexer *l)
{
    pb_lexer_expect(l, '[');
    struct buf key;
    buf_init(&key, 4096);
    buf_u8(&key, '[');
    buf_append_str(&key, pb_lexer_full_name(l));
    if (pb_lexer_accept(l, '/')) { // the URL of an expanded Any: domain/full.Name
        buf_u8(&key, '/');
        buf_append_str(&key, pb_lexer_full_name(l));
    }
    buf_u8(&key, ']');
    pb_lexer_expect(l, ']');
    struct str text = key.failed ? (struct str){NULL, 0} : arena_str(l->arena, buf_str(&key));
    buf_fini(&key);
    if (text.ptr == NULL) {
        pb_lexer_fail(l, l->token.place, "this name is too long");
    }
    return text;
}

static void parse_entries(struct pb_lexer *l, struct pb_value *map, char close, unsigned depth)
{
    map->kind = PB_VALUE_MAP;
    while (l->err == ERR_OK && !pb_lexer_accept(l, close)) {
        struct pb_value *entry = arena_new(l->arena, struct pb_value, 1);
        if (entry == NULL || map->count >= PB_ENTRIES_MAX) {
            pb_lexer_fail(l, l->token.place, "more than %d entries in one aggregate", PB_ENTRIES_MAX);
            return;
        }
        struct str key = pb_lexer_is(l, '[') ? bracketed_key(l) : pb_lexer_full_name(l);
        if (!pb_lexer_accept(l, ':') && !pb_lexer_is(l, '{') && !pb_lexer_is(l, '<')) {
            pb_lexer_expect(l, ':');
        }
        parse_value(l, entry, depth);
        entry->key = key;
        pb_value_add(l->arena, map, entry);
        if (!pb_lexer_accept(l, ',')) {
            pb_lexer_accept(l, ';');
        }
    }
}

static void parse_list(struct pb_lexer *l, struct pb_value *list, unsigned depth)
{
    list->kind = PB_VALUE_LIST;
    while (l->err == ERR_OK && !pb_lexer_accept(l, ']')) {
        struct pb_value *item = arena_new(l->arena, struct pb_value, 1);
        if (item == NULL) {
            pb_lexer_fail(l, l->token.place, "the schema is too large");
            return;
        }
        parse_value(l, item, depth);
        pb_value_append(list, item);
        if (!pb_lexer_accept(l, ',') && !pb_lexer_is(l, ']')) {
            pb_lexer_expect(l, ',');
        }
    }
}

// A number or a word, with its sign. Number and sign need not lie beside each other.
static void parse_plain(struct pb_lexer *l, struct pb_value *value)
{
    bool is_negative = pb_lexer_accept(l, '-');
    if (!is_negative) {
        pb_lexer_accept(l, '+');
    }
    value->text = l->token.text;
    if (l->token.kind == PB_TOKEN_NUMBER) {
        value->kind = PB_VALUE_NUMBER;
        pb_lexer_next(l);
    } else {
        value->kind = is_negative ? PB_VALUE_NUMBER : PB_VALUE_WORD; // -inf
        value->text = is_negative ? pb_lexer_name(l) : pb_lexer_full_name(l);
    }
    if (is_negative) {
        value->text = arena_printf(l->arena, "-" STR_FMT, STR_ARG(value->text));
    } else if (str_equal(value->text, STR("true")) || str_equal(value->text, STR("false"))) {
        value->kind = PB_VALUE_BOOL;
    }
    if (value->text.ptr == NULL) {
        pb_lexer_fail(l, l->token.place, "the schema is too large");
        value->text = STR("");
    }
}

static void parse_value(struct pb_lexer *l, struct pb_value *value, unsigned depth)
{
    if (depth > SCHEMA_DEPTH_MAX) {
        pb_lexer_fail(l, l->token.place, "an option nested deeper than %d", SCHEMA_DEPTH_MAX);
        return;
    }
    if (pb_lexer_accept(l, '{')) {
        parse_entries(l, value, '}', depth + 1);
    } else if (pb_lexer_accept(l, '<')) {
        parse_entries(l, value, '>', depth + 1);
    } else if (pb_lexer_accept(l, '[')) {
        parse_list(l, value, depth + 1);
    } else if (l->token.kind == PB_TOKEN_STRING) {
        value->kind = PB_VALUE_STRING;
        value->text = pb_lexer_string(l);
    } else {
        parse_plain(l, value);
    }
}

// What follows the first part of a name: ".a.(b.c).d", without its first dot.
static struct str parse_path(struct pb_lexer *l)
{
    struct buf path;
    buf_init(&path, 4096);
    while (pb_lexer_accept(l, '.')) {
        if (path.len > 0) {
            buf_u8(&path, '.');
        }
        if (pb_lexer_accept(l, '(')) {
            buf_u8(&path, '(');
            buf_append_str(&path, pb_lexer_full_name(l));
            buf_u8(&path, ')');
            pb_lexer_expect(l, ')');
        } else {
            buf_append_str(&path, pb_lexer_name(l));
        }
    }
    struct str text = path.len == 0 ? STR("") : arena_str(l->arena, buf_str(&path));
    if (path.failed || text.ptr == NULL) {
        pb_lexer_fail(l, l->token.place, "this name is too long");
        text = STR("");
    }
    buf_fini(&path);
    return text;
}

void pb_parse_option(struct pb_lexer *l, struct pb_option ***last)
{
    struct pb_option *option = arena_new(l->arena, struct pb_option, 1);
    if (option == NULL) {
        pb_lexer_fail(l, l->token.place, "the schema is too large");
        return;
    }
    option->place = l->token.place;
    if (pb_lexer_accept(l, '(')) {
        option->is_extension = true;
        option->name = pb_lexer_full_name(l);
        pb_lexer_expect(l, ')');
    } else {
        option->name = pb_lexer_name(l);
    }
    option->path = parse_path(l);
    pb_lexer_expect(l, '=');
    parse_value(l, &option->value, 0);
    if (l->err == ERR_OK) {
        **last = option;
        *last = &option->next;
    }
}

void pb_parse_option_list(struct pb_lexer *l, struct pb_option ***last)
{
    if (!pb_lexer_accept(l, '[')) {
        return;
    }
    do {
        pb_parse_option(l, last);
    } while (l->err == ERR_OK && pb_lexer_accept(l, ','));
    pb_lexer_expect(l, ']');
}

const struct pb_option *pb_option_find(const struct pb_option *options, const char *name)
{
    const struct pb_option *found = NULL;
    for (const struct pb_option *o = options; o != NULL; o = o->next) {
        if (!o->is_extension && o->path.len == 0 && str_equal(o->name, str_from_c(name))) {
            found = o;
        }
    }
    return found;
}

bool pb_option_is_true(const struct pb_option *options, const char *name)
{
    const struct pb_option *option = pb_option_find(options, name);
    return option != NULL && str_equal(option->value.text, STR("true"));
}
