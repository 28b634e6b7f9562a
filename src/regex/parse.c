// SPDX-License-Identifier: Apache-2.0
// parse.c - the text of a pattern becomes a tree. Recursion is as deep as its groups (REGEX_DEPTH_MAX).
#include "regex/regex_private.h"

#include "base/mem.h"
#include "base/utf8.h"

enum {
    END_OF_PATTERN = 0x7fffffff,
    NAMES_MAX = REGEX_GROUPS_MAX,
};

struct parser {
    struct str pattern;
    size_t pos;
    bool is_re2;
    bool ignores_case;   // RE2: (?i)
    bool dot_is_any;     // (?s)
    bool has_line_edges; // (?m)
    uint32_t depth;
    struct regex_tree *tree;
    struct str names[NAMES_MAX]; // of groups; NULL ptr without one
    uint32_t total_groups;       // of the whole pattern, for back references to what comes later
    const char *why;
    size_t why_pos;
};

static uint32_t fail(struct parser *p, size_t pos, const char *why)
{
    if (p->why == NULL) {
        p->why = why;
        p->why_pos = pos;
    }
    return NO_NODE;
}

static uint32_t peek(const struct parser *p)
{
    if (p->pos >= p->pattern.len) {
        return END_OF_PATTERN;
    }
    struct str rest = {p->pattern.ptr + p->pos, p->pattern.len - p->pos};
    return utf8_decode(&rest);
}

static uint32_t take(struct parser *p)
{
    if (p->pos >= p->pattern.len) {
        return END_OF_PATTERN;
    }
    struct str rest = {p->pattern.ptr + p->pos, p->pattern.len - p->pos};
    uint32_t c = utf8_decode(&rest);
    p->pos = (size_t)(rest.ptr - p->pattern.ptr);
    return c;
}

static bool take_text(struct parser *p, const char *text)
{
    struct str rest = {p->pattern.ptr + p->pos, p->pattern.len - p->pos};
    struct str wanted = str_from_c(text);
    if (!str_has_prefix(rest, wanted)) {
        return false;
    }
    p->pos += wanted.len;
    return true;
}

// ---- the tree

static uint32_t node_new(struct parser *p, enum node_kind kind)
{
    struct regex_tree *t = p->tree;
    if (t->count == t->cap) {
        t->cap = t->cap == 0 ? 32 : t->cap * 2;
        t->nodes = mem_realloc(t->nodes, t->cap * sizeof *t->nodes);
        if (t->count == 0) {
            t->nodes[t->count++] = (struct regex_node){0};
        }
    }
    t->nodes[t->count] = (struct regex_node){.kind = (uint8_t)kind};
    return t->count++;
}

static void node_append(struct parser *p, uint32_t parent, uint32_t child)
{
    struct regex_node *nodes = p->tree->nodes;
    if (child == NO_NODE) {
        return;
    }
    if (nodes[parent].first == NO_NODE) {
        nodes[parent].first = child;
    } else {
        nodes[nodes[parent].last].next = child;
    }
    nodes[parent].last = child;
}

static bool set_equal(const struct char_set *a, const struct char_set *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->ranges, b->ranges, a->count * sizeof *a->ranges) == 0);
}

// work counts steps; one that takes too many is refused.
static void work(struct parser *p, uint64_t steps)
{
    p->tree->work += steps;
    if (p->tree->work > REGEX_WORK_MAX) {
        fail(p, p->pos, "too much work: too many characters and sets of them");
    }
}

// node_of_set takes the set.
static uint32_t node_of_set(struct parser *p, struct char_set *take_set)
{
    struct regex_tree *t = p->tree;
    uint32_t index = 0;
    while (index < t->set_count && !set_equal(&t->sets[index], take_set)) {
        index++;
    }
    work(p, 1 + index / 4);
    if (index < t->set_count) {
        char_set_fini(take_set);
    } else if (t->set_count == REGEX_CLASSES_MAX) {
        char_set_fini(take_set);
        return fail(p, p->pos, "too many different characters");
    } else {
        if (t->set_count == t->set_cap) {
            t->set_cap = t->set_cap == 0 ? 16 : t->set_cap * 2;
            t->sets = mem_realloc(t->sets, t->set_cap * sizeof *t->sets);
        }
        t->sets[t->set_count++] = *take_set;
    }
    uint32_t node = node_new(p, NODE_SET);
    t->nodes[node].value = index;
    return node;
}

static uint32_t node_of_char(struct parser *p, uint32_t c)
{
    struct char_set set = {0};
    char_set_add(&set, c, c);
    if (p->ignores_case) {
        char_set_fold(&set);
    }
    return node_of_set(p, &set);
}

static uint32_t node_of_assert(struct parser *p, enum assert_kind kind)
{
    uint32_t node = node_new(p, NODE_ASSERT);
    p->tree->nodes[node].value = kind;
    p->tree->has_word_edges |= kind != ASSERT_TEXT_BEGIN && kind != ASSERT_TEXT_END;
    return node;
}

// ---- escapes

static int hex_digit(uint32_t c)
{
    return c >= '0' && c <= '9'                     ? (int)c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (int)(c | 0x20) - 'a' + 10
                                                    : -1;
}

// take_hex reads exactly `count` digits; -1 and nothing taken otherwise.
static int32_t take_hex(struct parser *p, int count)
{
    size_t begin = p->pos;
    int32_t value = 0;
    for (int i = 0; i < count; i++) {
        int digit = hex_digit(take(p));
        if (digit < 0) {
            p->pos = begin;
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

// take_braced_hex reads {H...} behind \u or \x.
static int32_t take_braced_hex(struct parser *p)
{
    size_t begin = p->pos;
    int32_t value = 0;
    int count = 0;
    p->pos++; // {
    while (hex_digit(peek(p)) >= 0 && value <= CODE_POINT_MAX) {
        value = value * 16 + hex_digit(take(p));
        count++;
    }
    if (count == 0 || take(p) != '}' || value > CODE_POINT_MAX) {
        p->pos = begin;
        return -1;
    }
    return value;
}

static uint32_t take_unicode_escape(struct parser *p, size_t begin)
{
    int32_t value = peek(p) == '{' ? take_braced_hex(p) : take_hex(p, 4);
    if (value < 0) {
        return fail(p, begin, "\\u needs four hexadecimal digits"), END_OF_PATTERN;
    }
    size_t after = p->pos;
    if (value >= 0xd800 && value < 0xdc00 && take_text(p, "\\u")) {
        int32_t low = take_hex(p, 4);
        if (low >= 0xdc00 && low < 0xe000) {
            return 0x10000 + (((uint32_t)value - 0xd800) << 10 | ((uint32_t)low - 0xdc00));
        }
        p->pos = after;
    }
    return (uint32_t)value;
}

// add_class_escape adds \d \D \w \W \s \S \p \P to the set; false if c begins none of them.
static bool add_class_escape(struct parser *p, uint32_t c, struct char_set *set)
{
    static const struct char_range digits[] = {{'0', '9'}};
    static const struct char_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    static const struct char_range spaces[] = {
        {9, 13},          {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
        {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
    static const struct char_range re2_spaces[] = {{9, 10}, {12, 13}, {' ', ' '}};
    struct char_set own = {0};
    if (c == 'd' || c == 'D') {
        char_set_add_ranges(&own, digits, 1);
    } else if (c == 'w' || c == 'W') {
        char_set_add_ranges(&own, words, 4);
    } else if ((c == 's' || c == 'S') && p->is_re2) {
        char_set_add_ranges(&own, re2_spaces, 3);
    } else if (c == 's' || c == 'S') {
        char_set_add_ranges(&own, spaces, 10);
    } else if (c == 'p' || c == 'P') {
        size_t begin = p->pos;
        struct str name = {p->pattern.ptr + p->pos, p->pos < p->pattern.len ? 1 : 0};
        if (peek(p) == '{') {
            const char *end = memchr(p->pattern.ptr + p->pos, '}', p->pattern.len - p->pos);
            name.ptr++;
            name.len = end == NULL ? 0 : (size_t)(end - name.ptr);
            p->pos = end == NULL ? p->pos : p->pos + name.len + 2;
        } else if (p->is_re2) {
            p->pos += name.len;
        } else {
            name.len = 0;
        }
        bool is_inverse = p->is_re2 && name.len > 1 && name.ptr[0] == '^';
        struct str plain = is_inverse ? (struct str){name.ptr + 1, name.len - 1} : name;
        if (!char_set_add_property(&own, plain)) {
            fail(p, begin, "no such property of characters, or one that is not supported");
        }
        c = is_inverse ? c ^ 0x20 : c;
    } else {
        return false;
    }
    work(p, own.count);
    char_set_finish(&own);
    if (c < 'a') { // an upper case letter
        char_set_invert(&own);
    }
    char_set_add_ranges(set, own.ranges, own.count);
    char_set_fini(&own);
    return true;
}

static bool is_letter_or_digit(uint32_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

// take_char_escape reads what stands for one character, behind the backslash. END_OF_PATTERN: none does.
static uint32_t take_char_escape(struct parser *p, size_t begin)
{
    uint32_t c = take(p);
    static const char names[] = "tnvfr";
    static const char values[] = "\t\n\v\f\r";
    const char *name = c < 128 && c != 0 ? strchr(names, (int)c) : NULL;
    if (name != NULL) {
        return (uint32_t)values[name - names];
    }
    if (c == 'x') {
        int32_t value = p->is_re2 && peek(p) == '{' ? take_braced_hex(p) : take_hex(p, 2);
        return value >= 0 ? (uint32_t)value
                          : (fail(p, begin, "\\x needs two hexadecimal digits"), END_OF_PATTERN);
    }
    if (c == 'u' && !p->is_re2) {
        return take_unicode_escape(p, begin);
    }
    if (c == 'c' && !p->is_re2 && (peek(p) | 0x20) >= 'a' && (peek(p) | 0x20) <= 'z') {
        return take(p) % 32;
    }
    if (c == '0' && !(peek(p) >= '0' && peek(p) <= '9')) {
        return 0;
    }
    if (c == 'a' && p->is_re2) {
        return 7;
    }
    if (c == END_OF_PATTERN) {
        return fail(p, begin, "a backslash at the end"), END_OF_PATTERN;
    }
    if (is_letter_or_digit(c)) {
        return fail(p, begin, "no such escape"), END_OF_PATTERN;
    }
    return c;
}

// ---- [...]

static bool add_posix_class(struct parser *p, struct char_set *set)
{
    static const struct {
        const char *name;
        struct char_range ranges[4];
    } rows[] = {
        {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
        {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
        {"ascii", {{0, 127}}},
        {"blank", {{9, 9}, {' ', ' '}}},
        {"cntrl", {{0, 31}, {127, 127}}},
        {"digit", {{'0', '9'}}},
        {"graph", {{33, 126}}},
        {"lower", {{'a', 'z'}}},
        {"print", {{32, 126}}},
        {"punct", {{33, 47}, {58, 64}, {91, 96}, {123, 126}}},
        {"space", {{9, 13}, {' ', ' '}}},
        {"upper", {{'A', 'Z'}}},
        {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
        {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
    };
    size_t begin = p->pos;
    if (!take_text(p, "[:")) {
        return false;
    }
    bool is_inverse = take_text(p, "^");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t at = p->pos;
        if (!take_text(p, rows[i].name) || !take_text(p, ":]")) {
            p->pos = at;
            continue;
        }
        struct char_set own = {0};
        for (size_t k = 0; k < 4 && (k == 0 || rows[i].ranges[k].last != 0); k++) {
            char_set_add(&own, rows[i].ranges[k].first, rows[i].ranges[k].last);
        }
        char_set_finish(&own);
        if (is_inverse) {
            char_set_invert(&own);
        }
        char_set_add_ranges(set, own.ranges, own.count);
        char_set_fini(&own);
        return true;
    }
    p->pos = begin;
    return false;
}

// take_class_atom reads one character, or adds a whole class to the set and says so.
static uint32_t take_class_atom(struct parser *p, struct char_set *set, bool *ret_is_class)
{
    size_t begin = p->pos;
    *ret_is_class = false;
    if (p->is_re2 && add_posix_class(p, set)) {
        *ret_is_class = true;
        return 0;
    }
    uint32_t c = take(p);
    if (c != '\\') {
        return c;
    }
    size_t at = p->pos;
    c = take(p);
    if (c != END_OF_PATTERN && add_class_escape(p, c, set)) {
        *ret_is_class = true;
        return 0;
    }
    if (c == 'b' && !p->is_re2) {
        return 8;
    }
    p->pos = at;
    return take_char_escape(p, begin);
}

static uint32_t parse_set(struct parser *p)
{
    size_t begin = p->pos - 1;
    bool is_inverse = peek(p) == '^' && take(p) == '^';
    struct char_set set = {0};
    bool is_first = true;
    while (p->why == NULL && (peek(p) != ']' || (is_first && p->is_re2))) {
        is_first = false;
        bool is_class;
        size_t from = p->pos;
        uint32_t first = take_class_atom(p, &set, &is_class);
        if (first == END_OF_PATTERN) {
            fail(p, begin, "a [ without its ]");
            break;
        }
        bool is_range = peek(p) == '-' && p->pos + 1 < p->pattern.len && p->pattern.ptr[p->pos + 1] != ']';
        if (is_class && is_range) {
            continue; // Annex B: the hyphen is one
        }
        if (is_class) {
            continue;
        }
        uint32_t last = first;
        if (is_range) {
            p->pos++;
            last = take_class_atom(p, &set, &is_class);
            if (is_class) {
                char_set_add(&set, '-', '-');
                last = first;
            } else if (last == END_OF_PATTERN) {
                fail(p, begin, "a [ without its ]");
            } else if (last < first) {
                fail(p, from, "a range that ends before it begins");
            }
        }
        char_set_add(&set, first, last);
    }
    take(p);
    char_set_finish(&set);
    if (p->ignores_case) {
        char_set_fold(&set);
    }
    if (is_inverse) {
        char_set_invert(&set);
    }
    return node_of_set(p, &set);
}

// ---- atoms

static uint32_t parse_choice(struct parser *p);

static bool take_name(struct parser *p, struct str *ret)
{
    const char *begin = p->pattern.ptr + p->pos;
    const char *end = memchr(begin, '>', p->pattern.len - p->pos);
    if (end == NULL || end == begin) {
        return false;
    }
    *ret = (struct str){begin, (size_t)(end - begin)};
    p->pos += ret->len + 1;
    for (size_t i = 0; i < ret->len; i++) {
        uint8_t c = (uint8_t)ret->ptr[i];
        if (c < 0x80 && !is_letter_or_digit(c) && c != '_' && c != '$') {
            return false;
        }
    }
    return !(begin[0] >= '0' && begin[0] <= '9');
}

static uint32_t parse_backref(struct parser *p, uint32_t c, size_t begin)
{
    uint32_t number = 0;
    if (c == 'k') {
        struct str name;
        if (take(p) != '<' || !take_name(p, &name)) {
            return fail(p, begin, "\\k needs the <name> of a group");
        }
        // Groups that come later have no name yet: such a reference is empty anyway (ECMA-262 22.2.2.9.2).
        for (uint32_t i = 1; i <= p->tree->group_count && i < NAMES_MAX; i++) {
            number = str_equal(p->names[i], name) ? i : number;
        }
        if (number == 0) {
            return fail(p, begin, "no group of that name before it");
        }
    } else {
        number = c - '0';
        while (peek(p) >= '0' && peek(p) <= '9' && number < REGEX_GROUPS_MAX) {
            number = number * 10 + (take(p) - '0');
        }
        if (number > p->total_groups) {
            return fail(p, begin, "no group of that number");
        }
    }
    uint32_t node = node_new(p, NODE_BACKREF);
    p->tree->nodes[node].value = number;
    p->tree->has_backrefs = true;
    return node;
}

static uint32_t parse_quoted(struct parser *p)
{
    uint32_t list = node_new(p, NODE_LIST);
    while (p->pos < p->pattern.len && !take_text(p, "\\E")) {
        uint32_t child = node_of_char(p, take(p));
        node_append(p, list, child);
    }
    return list;
}

static uint32_t parse_escape(struct parser *p)
{
    size_t begin = p->pos - 1;
    size_t at = p->pos;
    uint32_t c = take(p);
    if (c == 'b' || c == 'B') {
        return node_of_assert(p, c == 'b' ? ASSERT_WORD_EDGE : ASSERT_NO_WORD_EDGE);
    }
    if (p->is_re2 && (c == 'A' || c == 'z')) {
        return node_of_assert(p, c == 'A' ? ASSERT_TEXT_BEGIN : ASSERT_TEXT_END);
    }
    if (p->is_re2 && c == 'Q') {
        return parse_quoted(p);
    }
    if (!p->is_re2 && (c == 'k' || (c >= '1' && c <= '9'))) {
        return parse_backref(p, c, begin);
    }
    struct char_set set = {0};
    if (c != END_OF_PATTERN && add_class_escape(p, c, &set)) {
        char_set_finish(&set);
        return node_of_set(p, &set);
    }
    p->pos = at;
    c = take_char_escape(p, begin);
    return c == END_OF_PATTERN ? NO_NODE : node_of_char(p, c);
}

static uint32_t parse_dot(struct parser *p)
{
    struct char_set set = {0};
    if (!p->dot_is_any) {
        char_set_add(&set, '\n', '\n');
        if (!p->is_re2) {
            char_set_add(&set, '\r', '\r');
            char_set_add(&set, 0x2028, 0x2029);
        }
        char_set_finish(&set);
    }
    char_set_invert(&set);
    return node_of_set(p, &set);
}

// RE2's (?ims-ims) and (?ims-ims:...). true: flags for the rest of the group around it.
static bool take_flags(struct parser *p, size_t begin, bool *ret_is_group)
{
    bool on = true;
    *ret_is_group = false;
    while (true) {
        uint32_t c = take(p);
        switch (c) {
        case 'i':
            p->ignores_case = on;
            break;
        case 's':
            p->dot_is_any = on;
            break;
        case 'm':
            p->has_line_edges = on;
            break;
        case 'U':
            break; // who is greedy does not change whether something matches
        case '-':
            on = false;
            break;
        case ':':
            *ret_is_group = true;
            return true;
        case ')':
            return true;
        default:
            fail(p, begin, "no such kind of group");
            return false;
        }
    }
}

// group_begin makes the node of what opens behind `(`. NO_NODE with *ret_is_plain: (?:...).
static uint32_t group_begin(struct parser *p, size_t begin, bool *ret_is_plain)
{
    *ret_is_plain = false;
    struct str name = {0};
    if (take_text(p, "?:")) {
        *ret_is_plain = true;
        return NO_NODE;
    }
    if (p->is_re2) {
        bool is_named = take_text(p, "?P<") || take_text(p, "?<");
        if (is_named && !take_name(p, &name)) {
            return fail(p, begin, "no name of a group");
        }
    } else {
        static const char *const looks[] = {"?=", "?!", "?<=", "?<!"};
        for (uint32_t i = 0; i < 4; i++) {
            if (take_text(p, looks[i])) {
                uint32_t node = node_new(p, NODE_LOOK);
                p->tree->nodes[node].is_negative = i % 2 == 1;
                p->tree->nodes[node].is_behind = i >= 2;
                p->tree->has_looks = true;
                return node;
            }
        }
        if (take_text(p, "?<") && !take_name(p, &name)) {
            return fail(p, begin, "no name of a group");
        }
    }
    if (name.ptr == NULL && peek(p) == '?') {
        return fail(p, begin, "no such kind of group");
    }
    if (p->tree->group_count + 1 >= REGEX_GROUPS_MAX) {
        return fail(p, begin, "too many groups");
    }
    uint32_t node = node_new(p, NODE_GROUP);
    p->tree->nodes[node].value = ++p->tree->group_count;
    for (uint32_t i = 1; name.ptr != NULL && i < p->tree->group_count; i++) {
        if (str_equal(p->names[i], name)) {
            return fail(p, begin, "two groups of the same name");
        }
    }
    p->names[p->tree->group_count] = name;
    return node;
}

static uint32_t parse_group(struct parser *p)
{
    size_t begin = p->pos - 1;
    if (++p->depth > REGEX_DEPTH_MAX) {
        return fail(p, begin, "groups nested too deeply");
    }
    bool ignores_case = p->ignores_case; // flags end with the group
    bool dot_is_any = p->dot_is_any;
    bool has_line_edges = p->has_line_edges;
    bool is_plain = false;
    uint32_t group = NO_NODE;
    if (p->is_re2 && peek(p) == '?' && p->pos + 1 < p->pattern.len && p->pattern.ptr[p->pos + 1] != ':' &&
        p->pattern.ptr[p->pos + 1] != 'P' && p->pattern.ptr[p->pos + 1] != '<') {
        p->pos++;
        if (!take_flags(p, begin, &is_plain)) {
            return NO_NODE;
        }
        if (!is_plain) {
            p->depth--;
            return node_new(p, NODE_EMPTY);
        }
    } else {
        group = group_begin(p, begin, &is_plain);
    }
    if (p->why != NULL) {
        return NO_NODE;
    }
    uint32_t inner = parse_choice(p);
    if (p->why == NULL && take(p) != ')') {
        return fail(p, begin, "a ( without its )");
    }
    p->ignores_case = ignores_case;
    p->dot_is_any = dot_is_any;
    p->has_line_edges = has_line_edges;
    p->depth--;
    if (is_plain) {
        return inner;
    }
    node_append(p, group, inner);
    return group;
}

static uint32_t parse_atom(struct parser *p)
{
    size_t begin = p->pos;
    uint32_t c = take(p);
    switch (c) {
    case '(':
        return parse_group(p);
    case '[':
        return parse_set(p);
    case '.':
        return parse_dot(p);
    case '\\':
        return parse_escape(p);
    case '^':
        return node_of_assert(p, p->has_line_edges ? ASSERT_LINE_BEGIN : ASSERT_TEXT_BEGIN);
    case '$':
        return node_of_assert(p, p->has_line_edges ? ASSERT_LINE_END : ASSERT_TEXT_END);
    case '*':
    case '+':
    case '?':
        return fail(p, begin, "nothing to repeat");
    default:
        return node_of_char(p, c);
    }
}

// ---- repeats

static bool take_number(struct parser *p, int32_t *ret)
{
    int32_t value = 0;
    size_t begin = p->pos;
    while (peek(p) >= '0' && peek(p) <= '9') {
        int32_t digit = (int32_t)(take(p) - '0');
        value = value > REGEX_REPEAT_MAX ? value : value * 10 + digit;
    }
    *ret = value;
    return p->pos > begin;
}

// take_repeat reads a quantifier; false if what is there is none.
static bool take_repeat(struct parser *p, int32_t *ret_min, int32_t *ret_max)
{
    size_t begin = p->pos;
    uint32_t c = peek(p);
    if (c == '*' || c == '+' || c == '?') {
        take(p);
        *ret_min = c == '+';
        *ret_max = c == '?' ? 1 : REPEAT_ENDLESS;
    } else if (c == '{') {
        take(p);
        bool is_repeat = take_number(p, ret_min);
        *ret_max = *ret_min;
        if (is_repeat && peek(p) == ',') {
            take(p);
            *ret_max = REPEAT_ENDLESS;
            if (peek(p) != '}') {
                is_repeat = take_number(p, ret_max);
            }
        }
        if (!is_repeat || take(p) != '}') { // Annex B: a brace for itself
            p->pos = begin;
            return false;
        }
        if (*ret_min > REGEX_REPEAT_MAX || *ret_max > REGEX_REPEAT_MAX) {
            fail(p, begin, "a repeat over the limit of 32768");
        } else if (*ret_max != REPEAT_ENDLESS && *ret_max < *ret_min) {
            fail(p, begin, "a repeat that ends before it begins");
        }
    } else {
        return false;
    }
    if (peek(p) == '?') {
        take(p); // who is greedy does not change whether something matches
    }
    return true;
}

static uint32_t parse_list(struct parser *p)
{
    uint32_t list = node_new(p, NODE_LIST);
    while (p->why == NULL) {
        uint32_t c = peek(p);
        if (c == END_OF_PATTERN || c == '|' || (c == ')' && p->depth > 0)) {
            break;
        }
        if (c == ')') {
            return fail(p, p->pos, "a ) without its (");
        }
        uint32_t atom = parse_atom(p);
        int32_t min;
        int32_t max;
        if (p->why == NULL && take_repeat(p, &min, &max)) {
            uint32_t repeat = node_new(p, NODE_REPEAT);
            p->tree->nodes[repeat].min = min;
            p->tree->nodes[repeat].max = max;
            node_append(p, repeat, atom);
            atom = repeat;
            size_t at = p->pos;
            if (take_repeat(p, &min, &max)) {
                return fail(p, at, "nothing to repeat");
            }
        }
        node_append(p, list, atom);
    }
    return list;
}

static uint32_t parse_choice(struct parser *p)
{
    uint32_t first = parse_list(p);
    if (p->why != NULL || peek(p) != '|') {
        return first;
    }
    uint32_t choice = node_new(p, NODE_CHOICE);
    node_append(p, choice, first);
    while (p->why == NULL && peek(p) == '|') {
        take(p);
        uint32_t list = parse_list(p);
        node_append(p, choice, list);
    }
    return choice;
}

// count_groups counts what captures, for references to groups that come later.
static uint32_t count_groups(struct str pattern)
{
    uint32_t count = 0;
    bool is_in_set = false;
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.ptr[i];
        if (c == '\\') {
            i++;
        } else if (c == '[') {
            is_in_set = true;
        } else if (c == ']') {
            is_in_set = false;
        } else if (c == '(' && !is_in_set) {
            struct str rest = {pattern.ptr + i, pattern.len - i};
            bool is_named =
                str_has_prefix(rest, STR("(?<")) && rest.len > 3 && rest.ptr[3] != '=' && rest.ptr[3] != '!';
            count += is_named || !str_has_prefix(rest, STR("(?"));
        }
    }
    return count;
}

enum err regex_parse(struct str pattern, enum regex_syntax syntax, struct regex_tree *ret, struct error *e)
{
    if (pattern.len > REGEX_PATTERN_BYTES_MAX) {
        return FAIL(e, ERR_INVALID_REQUEST, "a regular expression of %zu bytes; the limit is %d", pattern.len,
                    REGEX_PATTERN_BYTES_MAX);
    }
    if (!utf8_is_valid(pattern)) {
        return FAIL(e, ERR_INVALID_REQUEST, "a regular expression that is not UTF-8");
    }
    struct parser *p = mem_zalloc(sizeof *p);
    *p = (struct parser){.pattern = pattern, .is_re2 = syntax == REGEX_RE2, .tree = ret};
    p->total_groups = count_groups(pattern);
    ret->root = parse_choice(p);
    enum err err = ERR_OK;
    if (p->why != NULL) {
        size_t place = utf8_count((struct str){pattern.ptr, p->why_pos}) + 1;
        err = FAIL(e, ERR_INVALID_REQUEST, "%s (character %zu of the regular expression)", p->why, place);
    }
    mem_free(p);
    return err;
}

void regex_tree_fini(struct regex_tree *tree)
{
    for (uint32_t i = 0; i < tree->set_count; i++) {
        char_set_fini(&tree->sets[i]);
    }
    mem_free(tree->sets);
    mem_free(tree->nodes);
}
