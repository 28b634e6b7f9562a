// SPDX-License-Identifier: Apache-2.0
// compile_checks.c - the keywords of single types, and enum and const.
#include "format/json/compile_private.h"

#include <stdlib.h>

#include "base/hash.h"

enum { FEW = 8 }; // so many are compared one by one

static void *take(struct compiler *c, size_t count, size_t size)
{
    void *memory = arena_array_alloc(&c->program->arena, count == 0 ? 1 : count, size);
    c->is_full |= memory == NULL;
    return memory;
}
#define TAKE(c, type, count) ((type *)take((c), (count), sizeof(type)))

static bool small_integer(const struct decimal *d, int64_t *ret)
{
    if (d->exponent < 0 || d->exponent > 17 || d->exponent + d->count > 18) {
        return false;
    }
    int64_t value = (int64_t)decimal_coefficient(d);
    for (int64_t i = 0; i < d->exponent; i++) {
        value *= 10;
    }
    *ret = d->is_negative ? -value : value;
    return true;
}

// count_of reads a non-negative integer; what no payload can reach is INT64_MAX.
static int64_t count_of(const struct json_value *v, int64_t otherwise)
{
    int64_t value = INT64_MAX;
    if (v == NULL) {
        return otherwise;
    }
    struct decimal d = decimal_parse(v->text);
    return small_integer(&d, &value) ? value : INT64_MAX;
}

static const struct regex *regex_of(struct compiler *c, struct str pattern)
{
    struct regex *regex = NULL;
    struct regex_link *link = TAKE(c, struct regex_link, 1);
    if (link == NULL || jschema_regex(pattern, &regex, NULL) != ERR_OK) {
        return NULL;
    }
    *link = (struct regex_link){regex, c->program->regexes};
    c->program->regexes = link;
    c->program->regex_bytes += regex_memory(regex);
    c->program->regex_work += regex_work(regex);
    return regex;
}

static struct str text_of(struct compiler *c, struct str text)
{
    struct str copy = arena_str(&c->program->arena, text);
    c->is_full |= copy.ptr == NULL;
    return copy.ptr == NULL ? STR("") : copy;
}

static void compile_string(struct compiler *c, struct node_entry *entry, const struct keywords *k)
{
    enum json_format format = k->of[KEYWORD_FORMAT] == NULL
                                  ? FORMAT_NONE
                                  : json_format_find(k->of[KEYWORD_FORMAT]->text, entry->place.resource);
    if (k->of[KEYWORD_MIN_LENGTH] == NULL && k->of[KEYWORD_MAX_LENGTH] == NULL &&
        k->of[KEYWORD_PATTERN] == NULL && format == FORMAT_NONE) {
        return;
    }
    struct string_check *check = TAKE(c, struct string_check, 1);
    if (check == NULL) {
        return;
    }
    check->min = count_of(k->of[KEYWORD_MIN_LENGTH], 0);
    check->max = count_of(k->of[KEYWORD_MAX_LENGTH], INT64_MAX);
    check->format = format;
    if (format != FORMAT_NONE) {
        check->format_name = text_of(c, k->of[KEYWORD_FORMAT]->text);
    }
    if (k->of[KEYWORD_PATTERN] != NULL) {
        check->pattern = regex_of(c, k->of[KEYWORD_PATTERN]->text);
        check->pattern_text = text_of(c, k->of[KEYWORD_PATTERN]->text);
    }
    entry->made->string = check;
}

static void bound_set(struct compiler *c, struct number_bound *bound, const struct json_value *v,
                      bool is_exclusive)
{
    struct str text = text_of(c, v->text);
    struct decimal value = decimal_parse(text.len == 0 ? STR("0") : text);
    *bound =
        (struct number_bound){.is_set = true, .is_exclusive = is_exclusive, .value = value, .text = text};
    bound->is_small = small_integer(&value, &bound->small);
}

// bound_pair sets a bound from its plain and its exclusive keyword; of two the tighter one. `side` is 1 for a
// maximum.
static void bound_pair(struct compiler *c, struct number_bound *bound, const struct json_value *plain,
                       const struct json_value *exclusive, int side)
{
    if (exclusive != NULL && json_is_bool(exclusive)) { // draft 4
        if (plain != NULL) {
            bound_set(c, bound, plain, exclusive->type == JSON_TRUE);
        }
        return;
    }
    if (plain != NULL) {
        bound_set(c, bound, plain, false);
    }
    if (exclusive != NULL) {
        struct number_bound other = {0};
        bound_set(c, &other, exclusive, true);
        if (!bound->is_set || decimal_compare(&other.value, &bound->value) * side <= 0) {
            *bound = other;
        }
    }
}

// free_digits is the most digits that a number of the size of a bound, or less, can have whatever they are.
static int32_t free_digits(const struct number_bound *bound)
{
    int32_t count = 0;
    for (uint64_t power = 10; power <= (uint64_t)llabs(bound->small) && count < 17; power *= 10) {
        count++;
    }
    return bound->is_set ? count : INT32_MAX;
}

static void find_free(struct number_check *check)
{
    const struct number_bound *min = &check->min;
    const struct number_bound *max = &check->max;
    check->free_positive = check->free_negative = -1;
    if (check->multiple.is_set || (min->is_set && !min->is_small) || (max->is_set && !max->is_small)) {
        return;
    }
    // What is 1 or more is above a minimum of 1, and above one of 0 that is excluded.
    check->needs_one = min->is_set && (min->small == 1 || (min->small == 0 && min->is_exclusive));
    if (!min->is_set || min->small < 0 || (min->small == 0 && !min->is_exclusive) ||
        (check->needs_one && !(min->small == 1 && min->is_exclusive))) {
        check->free_positive = max->is_set && max->small <= 0 ? -1 : free_digits(max);
    }
    if (!max->is_set || max->small > 0) {
        check->free_negative = min->is_set && min->small >= 0 ? -1 : free_digits(min);
    }
}

static enum err compile_number(struct compiler *c, struct node_entry *entry, const struct keywords *k,
                               struct error *e)
{
    const struct json_value *multiple = k->of[KEYWORD_MULTIPLE_OF];
    if (multiple == NULL && k->of[KEYWORD_MAXIMUM] == NULL && k->of[KEYWORD_MINIMUM] == NULL &&
        k->of[KEYWORD_EXCLUSIVE_MAXIMUM] == NULL && k->of[KEYWORD_EXCLUSIVE_MINIMUM] == NULL) {
        return ERR_OK;
    }
    struct number_check *check = TAKE(c, struct number_check, 1);
    if (check == NULL) {
        return ERR_OK;
    }
    bound_pair(c, &check->min, k->of[KEYWORD_MINIMUM], k->of[KEYWORD_EXCLUSIVE_MINIMUM], -1);
    bound_pair(c, &check->max, k->of[KEYWORD_MAXIMUM], k->of[KEYWORD_EXCLUSIVE_MAXIMUM], 1);
    if (multiple != NULL) {
        bound_set(c, &check->multiple, multiple, false);
        if (check->multiple.value.count > DIVISOR_DIGITS_MAX) {
            return FAIL(e, ERR_INVALID_SCHEMA, "multipleOf " STR_FMT ": more than %d digits that count",
                        (int)(multiple->text.len > 60 ? 60 : multiple->text.len), multiple->text.ptr,
                        DIVISOR_DIGITS_MAX);
        }
    }
    if (check->min.is_set || check->max.is_set || check->multiple.is_set) {
        find_free(check);
        entry->made->number = check;
    }
    return ERR_OK;
}

static const struct jnode **node_list(struct compiler *c, struct node_entry *entry,
                                      const struct json_value *list)
{
    const struct jnode **nodes = TAKE(c, const struct jnode *, list->count);
    uint32_t i = 0;
    for (const struct json_value *v = list->first; v != NULL && nodes != NULL; v = v->next) {
        nodes[i++] = compile_sub(c, entry, v);
    }
    return nodes;
}

static void compile_array(struct compiler *c, struct node_entry *entry, const struct keywords *k)
{
    static const enum keyword own[] = {KEYWORD_ITEMS,     KEYWORD_PREFIX_ITEMS, KEYWORD_MIN_ITEMS,
                                       KEYWORD_MAX_ITEMS, KEYWORD_CONTAINS,     KEYWORD_UNIQUE_ITEMS};
    bool is_there = false;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        is_there |= k->of[own[i]] != NULL;
    }
    struct array_check *check = is_there ? TAKE(c, struct array_check, 1) : NULL;
    if (check == NULL) {
        return;
    }
    const struct json_value *items = k->of[KEYWORD_ITEMS];
    const struct json_value *prefix = k->of[KEYWORD_PREFIX_ITEMS];
    if (items != NULL && items->type == JSON_ARRAY) {
        prefix = items;
        items = k->of[KEYWORD_ADDITIONAL_ITEMS];
    }
    if (prefix != NULL) {
        check->prefix = node_list(c, entry, prefix);
        check->prefix_count = check->prefix == NULL ? 0 : prefix->count;
    }
    check->rest = compile_sub(c, entry, items);
    check->min = count_of(k->of[KEYWORD_MIN_ITEMS], 0);
    check->max = count_of(k->of[KEYWORD_MAX_ITEMS], INT64_MAX);
    check->is_unique = k->of[KEYWORD_UNIQUE_ITEMS] != NULL && k->of[KEYWORD_UNIQUE_ITEMS]->type == JSON_TRUE;
    check->contains = compile_sub(c, entry, k->of[KEYWORD_CONTAINS]);
    check->contains_min = count_of(k->of[KEYWORD_MIN_CONTAINS], 1);
    check->contains_max = count_of(k->of[KEYWORD_MAX_CONTAINS], INT64_MAX);
    // 2020-12 says so; in 2019-09 other validators do it as well.
    check->contains_evaluates = entry->place.resource->draft >= DRAFT_2019;
    entry->made->array = check;
}

// ---- objects

uint32_t compile_property(struct compiler *c, struct object_check *check, struct str name)
{
    uint64_t slot = property_hash(name.ptr, name.len);
    for (;; slot++) {
        uint32_t *at = &check->slots[slot & (check->slot_count - 1)];
        if (*at == 0) {
            check->properties[check->property_count].name = text_of(c, name);
            compile_key(&check->properties[check->property_count].key, name);
            *at = ++check->property_count;
            return check->property_count - 1;
        }
        if (str_equal(check->properties[*at - 1].name, name)) {
            return *at - 1;
        }
    }
}

static uint64_t *property_bits(struct compiler *c, struct object_check *check, const struct json_value *names)
{
    uint64_t *bits = TAKE(c, uint64_t, check->words);
    for (const struct json_value *v = names->first; v != NULL && bits != NULL; v = v->next) {
        uint32_t index = compile_property(c, check, v->text);
        bits[index / 64] |= (uint64_t)1 << (index % 64);
    }
    return bits;
}

static size_t names_count(const struct json_value *map)
{
    size_t count = 0;
    for (const struct json_value *v = map == NULL ? NULL : map->first; v != NULL; v = v->next) {
        count += 1 + (v->type == JSON_ARRAY ? v->count : 0);
    }
    return count;
}

static void add_dependents(struct compiler *c, struct node_entry *entry, struct object_check *check,
                           const struct json_value *map, struct dependent *dependents)
{
    for (const struct json_value *v = map == NULL ? NULL : map->first; v != NULL; v = v->next) {
        struct dependent *d = &dependents[check->dependent_count++];
        d->property = compile_property(c, check, v->key);
        if (v->type == JSON_ARRAY) {
            d->needed = property_bits(c, check, v);
        } else {
            d->node = compile_sub(c, entry, v);
        }
    }
}

static void compile_patterns(struct compiler *c, struct node_entry *entry, struct object_check *check,
                             const struct json_value *map)
{
    struct pattern_property *patterns = TAKE(c, struct pattern_property, map->count);
    for (const struct json_value *v = map->first; v != NULL && patterns != NULL; v = v->next) {
        const struct regex *regex = regex_of(c, v->key);
        if (regex != NULL) {
            patterns[check->pattern_count++] = (struct pattern_property){regex, compile_sub(c, entry, v)};
        }
    }
    check->patterns = patterns;
}

bool compile_table(struct compiler *c, struct object_check *check, size_t names)
{
    check->slot_count = 8;
    while (check->slot_count < names * 2) {
        check->slot_count *= 2;
    }
    check->words = (uint32_t)((names + 63) / 64);
    check->properties = TAKE(c, struct property, names);
    check->slots = TAKE(c, uint32_t, check->slot_count);
    return check->properties != NULL && check->slots != NULL;
}

// table_make sizes the table of names for all that any keyword mentions.
static bool table_make(struct compiler *c, struct object_check *check, const struct keywords *k)
{
    size_t names = names_count(k->of[KEYWORD_PROPERTIES]) + names_count(k->of[KEYWORD_DEPENDENCIES]) +
                   names_count(k->of[KEYWORD_DEPENDENT_REQUIRED]) +
                   names_count(k->of[KEYWORD_DEPENDENT_SCHEMAS]) +
                   (k->of[KEYWORD_REQUIRED] == NULL ? 0 : k->of[KEYWORD_REQUIRED]->count);
    return compile_table(c, check, names);
}

static void compile_object(struct compiler *c, struct node_entry *entry, const struct keywords *k)
{
    static const enum keyword own[] = {
        KEYWORD_PROPERTIES,        KEYWORD_PATTERN_PROPERTIES, KEYWORD_ADDITIONAL_PROPERTIES,
        KEYWORD_PROPERTY_NAMES,    KEYWORD_REQUIRED,           KEYWORD_MIN_PROPERTIES,
        KEYWORD_MAX_PROPERTIES,    KEYWORD_DEPENDENCIES,       KEYWORD_DEPENDENT_REQUIRED,
        KEYWORD_DEPENDENT_SCHEMAS,
    };
    bool is_there = false;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        is_there |= k->of[own[i]] != NULL;
    }
    struct object_check *check = is_there ? TAKE(c, struct object_check, 1) : NULL;
    size_t dependents_max = names_count(k->of[KEYWORD_DEPENDENCIES]) +
                            names_count(k->of[KEYWORD_DEPENDENT_REQUIRED]) +
                            names_count(k->of[KEYWORD_DEPENDENT_SCHEMAS]);
    struct dependent *dependents = check == NULL ? NULL : TAKE(c, struct dependent, dependents_max);
    if (check == NULL || dependents == NULL || !table_make(c, check, k)) {
        return;
    }
    const struct json_value *properties = k->of[KEYWORD_PROPERTIES];
    for (const struct json_value *v = properties == NULL ? NULL : properties->first; v != NULL; v = v->next) {
        uint32_t index = compile_property(c, check, v->key);
        check->properties[index].node = compile_sub(c, entry, v);
    }
    if (k->of[KEYWORD_REQUIRED] != NULL && k->of[KEYWORD_REQUIRED]->count > 0) {
        check->required = property_bits(c, check, k->of[KEYWORD_REQUIRED]);
    }
    add_dependents(c, entry, check, k->of[KEYWORD_DEPENDENCIES], dependents);
    add_dependents(c, entry, check, k->of[KEYWORD_DEPENDENT_REQUIRED], dependents);
    add_dependents(c, entry, check, k->of[KEYWORD_DEPENDENT_SCHEMAS], dependents);
    check->dependents = dependents;
    if (k->of[KEYWORD_PATTERN_PROPERTIES] != NULL) {
        compile_patterns(c, entry, check, k->of[KEYWORD_PATTERN_PROPERTIES]);
    }
    check->additional = compile_sub(c, entry, k->of[KEYWORD_ADDITIONAL_PROPERTIES]);
    check->has_additional = check->additional != NULL;
    check->names = compile_sub(c, entry, k->of[KEYWORD_PROPERTY_NAMES]);
    check->min = count_of(k->of[KEYWORD_MIN_PROPERTIES], 0);
    check->max = count_of(k->of[KEYWORD_MAX_PROPERTIES], INT64_MAX);
    entry->made->object = check;
}

// ---- values

static void index_strings(struct compiler *c, struct value_set *set)
{
    if (set->string_count <= FEW) {
        return;
    }
    set->slot_count = 32;
    while (set->slot_count < set->string_count * 2) {
        set->slot_count *= 2;
    }
    set->slots = TAKE(c, uint32_t, set->slot_count);
    for (uint32_t i = 0; i < set->string_count && set->slots != NULL; i++) {
        uint64_t slot = hash64(bytes_of(set->strings[i].ptr, set->strings[i].len), (uintptr_t)set->slots);
        while (set->slots[slot & (set->slot_count - 1)] != 0) {
            slot++;
        }
        set->slots[slot & (set->slot_count - 1)] = i + 1;
    }
}

static void add_value(struct compiler *c, struct value_set *set, struct str *strings, struct key *keys,
                      struct decimal *numbers, const struct json_value *v)
{
    switch (v->type) {
    case JSON_NULL:
        set->types |= TYPE_NULL;
        break;
    case JSON_FALSE:
        set->types |= TYPE_BOOL;
        set->has_false = true;
        break;
    case JSON_TRUE:
        set->types |= TYPE_BOOL;
        set->has_true = true;
        break;
    case JSON_NUMBER:
        set->types |= TYPE_NUMBER | TYPE_INTEGER;
        numbers[set->number_count++] = decimal_parse(text_of(c, v->text));
        break;
    case JSON_STRING:
        set->types |= TYPE_STRING;
        set->has_others |= !compile_key(&keys[set->string_count], v->text);
        strings[set->string_count++] = text_of(c, v->text);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        set->types |= v->type == JSON_ARRAY ? TYPE_ARRAY : TYPE_OBJECT;
        set->others[set->other_count++] = v; // lives as long as the schema, which the program holds
        break;
    }
}

// set_make makes a set of the values from `first`; `count` of them.
static const struct value_set *set_make(struct compiler *c, const struct json_value *first, uint32_t count)
{
    struct value_set *set = TAKE(c, struct value_set, 1);
    struct str *strings = TAKE(c, struct str, count);
    struct key *keys = TAKE(c, struct key, count);
    struct decimal *numbers = TAKE(c, struct decimal, count);
    const struct json_value **others = TAKE(c, const struct json_value *, count);
    if (set == NULL || strings == NULL || keys == NULL || numbers == NULL || others == NULL) {
        return NULL;
    }
    set->strings = strings;
    set->keys = keys;
    set->numbers = numbers;
    set->others = others;
    for (const struct json_value *v = first; count > 0 && !c->is_full; v = v->next, count--) {
        add_value(c, set, strings, keys, numbers, v);
    }
    index_strings(c, set);
    return set;
}

enum err compile_checks(struct compiler *c, struct node_entry *entry, const struct keywords *k,
                        struct error *e)
{
    compile_string(c, entry, k);
    compile_array(c, entry, k);
    compile_object(c, entry, k);
    if (k->of[KEYWORD_ENUM] != NULL) {
        entry->made->values[0] = set_make(c, k->of[KEYWORD_ENUM]->first, k->of[KEYWORD_ENUM]->count);
    }
    if (k->of[KEYWORD_CONST] != NULL) {
        const struct value_set *set = set_make(c, k->of[KEYWORD_CONST], 1);
        entry->made->values[entry->made->values[0] == NULL ? 0 : 1] = set;
    }
    return compile_number(c, entry, k, e);
}
