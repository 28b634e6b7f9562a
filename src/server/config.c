// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

enum { CONFIG_BYTES_MAX = 4 << 20, CONFIG_ENTRIES_MAX = 512, HINT_DISTANCE_MAX = 3 };

void config_init(struct config *c)
{
    *c = (struct config){0};
    arena_init(&c->arena, CONFIG_BYTES_MAX);
    c->entries = arena_new(&c->arena, struct item_config, CONFIG_ENTRIES_MAX);
}

void config_fini(struct config *c)
{
    arena_fini(&c->arena);
    *c = (struct config){0};
}

// edit_distance of short names, bounded: for hints only.
static size_t edit_distance(struct str a, struct str b)
{
    size_t row[129];
    if (a.len > 128 || b.len > 128) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a.ptr[i - 1] == b.ptr[j - 1] ? 0 : 1);
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = above + 1 < best ? above + 1 : best;
            diagonal = above;
        }
    }
    return row[b.len];
}

// ends_with says whether `part` is the last words of `whole`: http.listeners of strom.http.listeners.
static bool ends_with(struct str whole, struct str part)
{
    return part.len > 0 && whole.len > part.len && whole.ptr[whole.len - part.len - 1] == '.' &&
           memcmp(whole.ptr + whole.len - part.len, part.ptr, part.len) == 0;
}

// nearest_name is the name that differs by a few letters; else the longest by words in front. NULL = none.
static const char *nearest_name(struct str key)
{
    const char *nearest = NULL;
    size_t best = HINT_DISTANCE_MAX + 1;
    size_t longest = 0;
    for (uint32_t i = 0; i < setting_count(); i++) {
        const struct setting *s = setting_at(i);
        size_t distance = s->scope == SETTING_TOPIC ? SIZE_MAX : edit_distance(key, str_from_c(s->name));
        struct str name = str_from_c(s->name);
        bool is_longer = s->scope != SETTING_TOPIC && best > HINT_DISTANCE_MAX && name.len > longest &&
                         (ends_with(name, key) || ends_with(key, name));
        if (distance < best) {
            best = distance;
            nearest = s->name;
        } else if (is_longer) {
            longest = name.len;
            nearest = s->name;
        }
    }
    return nearest;
}

enum err config_set(struct config *c, struct str key, struct str value, struct str from, struct error *e)
{
    const struct setting *setting = setting_find(key, SETTING_BROKER_STATIC);
    if (setting == NULL) {
        const char *nearest = nearest_name(key);
        return FAIL(e, ERR_INVALID_CONFIG, STR_FMT ": there is no setting " STR_FMT "%s%s%s", STR_ARG(from),
                    STR_ARG(key),
                    nearest == NULL ? "; `strom config describe --broker --all` lists those of a broker"
                                    : "; did you mean ",
                    nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
    }
    enum err err = setting_check(setting, value, e);
    if (err != ERR_OK) {
        error_wrap(e, STR_FMT, STR_ARG(from));
        return err;
    }
    uint32_t at = 0;
    while (at < c->count && str_compare(c->entries[at].key, key) < 0) {
        at++;
    }
    bool is_present = at < c->count && str_equal(c->entries[at].key, key);
    if (!is_present && c->count == CONFIG_ENTRIES_MAX) {
        return FAIL(e, ERR_INVALID_CONFIG, "more than %d settings", CONFIG_ENTRIES_MAX);
    }
    if (!is_present) {
        memmove(&c->entries[at + 1], &c->entries[at], (c->count - at) * sizeof c->entries[0]);
        c->count++;
    }
    c->entries[at] = (struct item_config){str_from_c(setting->name), arena_str(&c->arena, value)};
    return c->arena.failed ? FAIL(e, ERR_NO_MEMORY, "settings over %d bytes", CONFIG_BYTES_MAX) : ERR_OK;
}

enum err config_assign(struct config *c, struct str assignment, struct str from, struct error *e)
{
    struct str value;
    struct str key = str_trim(str_cut(assignment, '=', &value));
    if (value.ptr == NULL || key.len == 0) {
        return FAIL(e, ERR_INVALID_CONFIG, STR_FMT ": expected key=value, got '" STR_FMT "'", STR_ARG(from),
                    STR_ARG(assignment));
    }
    return config_set(c, key, str_trim(value), from, e);
}

enum err config_parse(struct config *c, struct str text, struct str file_name, struct error *e)
{
    for (int line_number = 1; text.len > 0; line_number++) {
        struct str line = str_trim(str_cut(text, '\n', &text));
        if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == '!') {
            continue;
        }
        struct str from = arena_printf(&c->arena, STR_FMT " line %d", STR_ARG(file_name), line_number);
        enum err err = config_assign(c, line, from, e);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

enum err config_environment(struct config *c, struct str (*find)(const char *name), struct error *e)
{
    for (uint32_t i = 0; i < setting_count(); i++) {
        const struct setting *setting = setting_at(i);
        if (setting->scope == SETTING_TOPIC) {
            continue;
        }
        struct str bare = str_from_c(setting->name);
        if (str_has_prefix(bare, STR("strom."))) {
            bare = (struct str){bare.ptr + 6, bare.len - 6};
        }
        struct str name = arena_printf(&c->arena, "STROM_" STR_FMT, STR_ARG(bare));
        if (name.ptr == NULL) {
            return FAIL(e, ERR_NO_MEMORY, "settings over %d bytes", CONFIG_BYTES_MAX);
        }
        char *at = (char *)name.ptr;
        for (size_t k = 0; k < name.len; k++) {
            at[k] = at[k] == '.' ? '_' : at[k];
            at[k] = at[k] >= 'a' && at[k] <= 'z' ? (char)(at[k] - 'a' + 'A') : at[k];
        }
        struct str value = find(name.ptr);
        enum err err = value.ptr == NULL ? ERR_OK : config_set(c, str_from_c(setting->name), value, name, e);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static struct str config_find(const struct config *c, struct str key)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (str_equal(c->entries[i].key, key)) {
            return c->entries[i].value;
        }
    }
    return (struct str){NULL, 0};
}

struct str config_get(const struct config *c, struct str key)
{
    static const char *const other_names[][2] = {{"data.dir", "log.dirs"}, {"node.id", "broker.id"}};
    struct str value = config_find(c, key);
    for (size_t i = 0; i < sizeof other_names / sizeof other_names[0] && value.ptr == NULL; i++) {
        if (str_equal(key, str_from_c(other_names[i][0]))) {
            value = config_find(c, str_from_c(other_names[i][1]));
        }
    }
    if (value.ptr != NULL) {
        return value;
    }
    const struct setting *setting = setting_find(key, SETTING_BROKER_STATIC);
    return str_from_c(setting == NULL ? NULL : setting->default_text);
}

int64_t config_i64(const struct config *c, struct str key)
{
    int64_t value = 0;
    (void)str_parse_i64(str_trim(config_get(c, key)), &value); // checked when it was set
    return value;
}

enum err config_fit(struct config *c, struct error *e)
{
    // Most of the memory that each may take: a half of it travels, what is here stays or is worked with. None
    // that apply decides by: the log keeps those, whatever memory this process has.
    static const struct {
        const char *key;
        int64_t divisor;
    } shares[] = {
        {"strom.tail.cache.bytes", 8},           {"strom.segment.cache.bytes", 64},
        {"strom.groups.bytes.max", 16},          {"log.cleaner.dedupe.buffer.size", 8},
        {"strom.fetch.session.cache.bytes", 32}, {"strom.request.memory.max.bytes", 4},
        {"socket.request.max.bytes", 8},         {"strom.first.request.max.bytes", 16},
    };
    int64_t memory = config_i64(c, STR("strom.memory.max.bytes"));
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        struct str key = str_from_c(shares[i].key);
        int64_t share = memory / shares[i].divisor;
        if (config_find(c, key).ptr != NULL || config_i64(c, key) <= share) {
            continue;
        }
        struct str value = arena_printf(&c->arena, "%lld", (long long)share);
        if (value.ptr == NULL) {
            return FAIL(e, ERR_NO_MEMORY, "settings over %d bytes", CONFIG_BYTES_MAX);
        }
        enum err err = config_set(c, key, value, STR("strom.memory.max.bytes"), e);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

enum err config_check(const struct config *c, struct error *e)
{
    // The first may not be less than the second.
    static const char *const pairs[][2] = {
        {"group.consumer.max.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms"},
        {"group.consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms"},
        {"group.consumer.max.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"},
        {"group.consumer.max.session.timeout.ms", "group.consumer.min.session.timeout.ms"},
        {"group.consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms"},
        {"group.consumer.max.session.timeout.ms", "group.consumer.session.timeout.ms"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        int64_t more = config_i64(c, str_from_c(pairs[i][0]));
        int64_t less = config_i64(c, str_from_c(pairs[i][1]));
        if (more < less) {
            return FAIL(e, ERR_INVALID_CONFIG, "%s (%lld) must be greater than or equal to %s (%lld)",
                        pairs[i][0], (long long)more, pairs[i][1], (long long)less);
        }
    }
    if (config_i64(c, STR("group.consumer.heartbeat.interval.ms")) >=
        config_i64(c, STR("group.consumer.session.timeout.ms"))) {
        return FAIL(
            e, ERR_INVALID_CONFIG,
            "group.consumer.heartbeat.interval.ms must be less than group.consumer.session.timeout.ms");
    }
    struct str rest;
    struct str first = str_trim(str_cut(config_get(c, STR("group.consumer.assignors")), ',', &rest));
    if (first.len == 0 || str_equal(first, str_trim(rest))) {
        return FAIL(e, ERR_INVALID_CONFIG,
                    "group.consumer.assignors must name uniform, range or both, each once");
    }
    return ERR_OK;
}

bool config_bool(const struct config *c, struct str key)
{
    struct str text = str_trim(config_get(c, key)); // "true" in any case was accepted
    bool is_true = text.len == 4;
    for (size_t i = 0; i < text.len && is_true; i++) {
        is_true = (text.ptr[i] | 0x20) == "true"[i];
    }
    return is_true;
}

enum err config_endpoint(struct str text, struct endpoint *ret, struct error *e)
{
    struct str rest = str_trim(text);
    for (size_t i = 0; i + 2 < rest.len; i++) {
        if (memcmp(rest.ptr + i, "://", 3) == 0) {
            struct str scheme = {rest.ptr, i};
            bool is_plain = str_equal(scheme, STR("PLAINTEXT")) || str_equal(scheme, STR("http"));
            if (!is_plain) {
                return FAIL(e, ERR_INVALID_CONFIG,
                            "listener " STR_FMT ": only PLAINTEXT and http are served yet", STR_ARG(text));
            }
            rest = (struct str){rest.ptr + i + 3, rest.len - i - 3};
            break;
        }
    }
    size_t colon = rest.len;
    while (colon > 0 && rest.ptr[colon - 1] != ':') {
        colon--;
    }
    int64_t port = -1;
    if (colon == 0 || !str_parse_i64((struct str){rest.ptr + colon, rest.len - colon}, &port) || port < 0 ||
        port > 65535) {
        return FAIL(e, ERR_INVALID_CONFIG, "listener " STR_FMT ": expected host:port", STR_ARG(text));
    }
    ret->host = (struct str){rest.ptr, colon - 1};
    ret->port = (int)port;
    if (ret->host.len >= 2 && ret->host.ptr[0] == '[' && ret->host.ptr[ret->host.len - 1] == ']') {
        ret->host = (struct str){ret->host.ptr + 1, ret->host.len - 2};
    }
    return ERR_OK;
}

bool endpoint_is_loopback(const struct endpoint *endpoint)
{
    bool is_ipv4 = true; // 127.example.org may be anywhere
    for (size_t i = 0; i < endpoint->host.len && is_ipv4; i++) {
        char c = endpoint->host.ptr[i];
        is_ipv4 = c == '.' || (c >= '0' && c <= '9');
    }
    return (is_ipv4 && str_has_prefix(endpoint->host, STR("127."))) ||
           str_equal(endpoint->host, STR("localhost")) || str_equal(endpoint->host, STR("::1"));
}
