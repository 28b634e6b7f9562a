// SPDX-License-Identifier: Apache-2.0
// sets.c - sets of characters as sorted ranges.
#include "regex/regex_private.h"

#include <stdlib.h>

#include "base/mem.h"

void char_set_add(struct char_set *set, uint32_t first, uint32_t last)
{
    if (first > last) {
        return;
    }
    if (set->count == set->cap) {
        set->cap = set->cap == 0 ? 4 : set->cap * 2;
        set->ranges = mem_realloc(set->ranges, set->cap * sizeof *set->ranges);
    }
    set->ranges[set->count++] = (struct char_range){first, last};
}

void char_set_add_ranges(struct char_set *set, const struct char_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char_set_add(set, ranges[i].first, ranges[i].last);
    }
}

static int range_compare(const void *left, const void *right)
{
    const struct char_range *a = left;
    const struct char_range *b = right;
    return a->first < b->first ? -1 : a->first > b->first;
}

void char_set_finish(struct char_set *set)
{
    if (set->count == 0) {
        return;
    }
    qsort(set->ranges, set->count, sizeof *set->ranges, range_compare);
    uint32_t kept = 0;
    for (uint32_t i = 1; i < set->count; i++) {
        if (set->ranges[i].first <= set->ranges[kept].last + 1) {
            if (set->ranges[i].last > set->ranges[kept].last) {
                set->ranges[kept].last = set->ranges[i].last;
            }
        } else {
            set->ranges[++kept] = set->ranges[i];
        }
    }
    set->count = kept + 1;
}

void char_set_invert(struct char_set *set)
{
    struct char_set inverse = {0};
    uint32_t next = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->ranges[i].first > next) {
            char_set_add(&inverse, next, set->ranges[i].first - 1);
        }
        next = set->ranges[i].last + 1;
    }
    if (next <= CODE_POINT_MAX) {
        char_set_add(&inverse, next, CODE_POINT_MAX);
    }
    char_set_fini(set);
    *set = inverse;
}

void char_set_fold(struct char_set *set)
{
    uint32_t count = set->count;
    for (uint32_t i = 0; i < count; i++) {
        struct char_range r = set->ranges[i];
        for (uint32_t c = r.first; c <= r.last && c < 128; c++) {
            bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
            if (is_letter) {
                char_set_add(set, c ^ 0x20, c ^ 0x20);
            }
        }
    }
    char_set_finish(set);
}

bool char_set_has(const struct char_set *set, uint32_t c)
{
    uint32_t low = 0;
    uint32_t high = set->count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (c > set->ranges[mid].last) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < set->count && c >= set->ranges[low].first;
}

void char_set_fini(struct char_set *set)
{
    mem_free(set->ranges);
    *set = (struct char_set){0};
}

// ---- properties

// Long names of the general categories (UAX #44, table 12), and the letter or letters of their short ones.
static const struct {
    const char *name;
    const char *category;
} long_names[] = {
    {"Letter", "L"},
    {"Cased_Letter", "LC"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Combining_Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"cntrl", "Cc"},
    {"Format", "Cf"},
    {"Surrogate", "Cs"},
    {"Private_Use", "Co"},
    {"Unassigned", "Cn"},
};

static bool add_category(struct char_set *set, struct str name)
{
    bool is_found = false;
    for (size_t i = 0; i < unicode_category_count; i++) {
        const struct unicode_category *c = &unicode_categories[i];
        bool is_cased = str_equal(name, STR("LC")) && c->name[0] == 'L' && strchr("ult", c->name[1]) != NULL;
        bool is_it = name.len > 0 && name.len <= 2 && memcmp(name.ptr, c->name, name.len) == 0;
        if (is_it || is_cased) {
            char_set_add_ranges(set, c->ranges, c->count);
            is_found = true;
        }
    }
    return is_found;
}

bool char_set_add_property(struct char_set *set, struct str name)
{
    static const struct str prefixes[] = {{"General_Category=", 17}, {"gc=", 3}};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (str_has_prefix(name, prefixes[i])) {
            name = (struct str){name.ptr + prefixes[i].len, name.len - prefixes[i].len};
            break;
        }
    }
    if (str_equal(name, STR("Any"))) {
        char_set_add(set, 0, CODE_POINT_MAX);
        return true;
    }
    if (str_equal(name, STR("ASCII"))) {
        char_set_add(set, 0, 127);
        return true;
    }
    if (str_equal(name, STR("Alphabetic")) || str_equal(name, STR("Alpha"))) {
        return add_category(set, STR("L")) && add_category(set, STR("Nl"));
    }
    for (size_t i = 0; i < sizeof long_names / sizeof long_names[0]; i++) {
        if (str_equal(name, str_from_c(long_names[i].name))) {
            return add_category(set, str_from_c(long_names[i].category));
        }
    }
    return add_category(set, name);
}
