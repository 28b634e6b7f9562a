// SPDX-License-Identifier: Apache-2.0
// counts.c - what judged records came to, as the log has it (core/core.h): read in short views, shown as JSON
// and as metrics.
#include <stdlib.h>

#include "base/mem.h"
#include "govern/govern_private.h"
#include "json/write.h"

enum {
    PATHS_MAX = 10,    // failing places shown of a topic
    TOPICS_STEP = 256, // topics looked at in one view
    CELLS_STEP = 2048, // cells after which a view ends with its topic
    READ_BYTES_MAX = TALLY_TOTAL_MAX * (ITEM_TALLY_KEY_MAX * 2 + 256),
};

static const char *const outcome_names[OUTCOME_COUNT] = {"passed", "observed", "marked", "dead_lettered",
                                                         "refused"};

struct str side_name(int32_t side)
{
    return side == SIDE_KEY ? STR("key") : STR("value");
}

// ---- reading. A topic's cells are read in one view: they add up.

struct counts {
    struct arena arena; // of all texts
    struct series *list;
    size_t count;
    size_t cap;
    struct tally_recent recent[TALLY_WINDOWS]; // of the last topic
};

static void counts_init(struct counts *counts)
{
    *counts = (struct counts){0};
    arena_init(&counts->arena, READ_BYTES_MAX);
}

static void counts_fini(struct counts *counts)
{
    arena_fini(&counts->arena);
    mem_free(counts->list);
}

static struct bytes bytes_keep(struct counts *counts, struct bytes bytes)
{
    uint8_t *copy = arena_new(&counts->arena, uint8_t, bytes.len + 1);
    if (copy == NULL) {
        return (struct bytes){NULL, 0}; // as if it had found no room
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.ptr, bytes.len);
    }
    return bytes_of(copy, bytes.len);
}

static void tally_take(struct counts *counts, struct str topic, const struct tally *tally)
{
    struct tally_view view;
    tally_view(tally, &view);
    if (counts->count == counts->cap) {
        counts->cap = counts->cap == 0 ? 64 : counts->cap * 2;
        counts->list = mem_realloc(counts->list, counts->cap * sizeof *counts->list);
    }
    struct series *s = &counts->list[counts->count++];
    bool is_record = view.kind < TALLY_RECORD_KINDS;
    *s = (struct series){.name.topic = topic, .last_ms = view.stamp_ms, .is_unnamed = view.what.len == 0};
    tally_who_decode(bytes_keep(counts, view.who), &s->name);
    tally_what_decode(bytes_keep(counts, view.what), is_record, &s->name);
    s->counts[view.kind % OUTCOME_COUNT] = view.count;
}

static void topic_take(struct counts *counts, const struct core *core, const struct topic *topic,
                       int64_t now_ms)
{
    struct str name = arena_str(&counts->arena, topic_name(topic));
    for (const struct tally *tally = topic_tally_next(topic, NULL); tally != NULL;
         tally = topic_tally_next(topic, tally)) {
        tally_take(counts, name, tally);
    }
    topic_tally_recent(core, topic, now_ms, counts->recent);
}

// now_of: stamps never go back, the clock may.
static int64_t now_of(const struct govern *g, const struct core *core)
{
    int64_t now_ms = clock_wall_ms(g->env->clock);
    return now_ms > core_stamp_ms(core) ? now_ms : core_stamp_ms(core);
}

static void counts_read(struct govern *g, struct str name, struct counts *ret)
{
    counts_init(ret);
    const struct core *core = broker_view_begin(g->broker);
    const struct topic *topic = core_topic_find(core, name);
    if (topic != NULL) {
        topic_take(ret, core, topic, now_of(g, core));
    }
    broker_view_end(g->broker);
}

typedef void each_topic(struct counts *counts, const struct core *core, const struct topic *topic,
                        int64_t now_ms);

// names_next gives names of topics that have counts, in order, each once; false at the end. *last: the last
// topic looked at; room for one name.
static bool topics_next(struct govern *g, char last[ITEM_NAME_MAX], size_t *last_len, each_topic *each,
                        struct counts *counts)
{
    const struct core *core = broker_view_begin(g->broker);
    struct str after = {last, *last_len};
    uint32_t at = core_topic_lower_bound(core, after);
    if (at < core_topic_count(core) && str_equal(topic_name(core_topic_at(core, at)), after)) {
        at++;
    }
    uint32_t cells = 0;
    uint32_t seen = 0;
    for (; at < core_topic_count(core) && seen < TOPICS_STEP && cells < CELLS_STEP; at++, seen++) {
        const struct topic *topic = core_topic_at(core, at);
        *last_len = topic_name(topic).len;
        memcpy(last, topic_name(topic).ptr, *last_len);
        if (topic_tally_count(topic) > 0) {
            each(counts, core, topic, now_of(g, core));
            cells += topic_tally_count(topic);
        }
    }
    bool is_more = at < core_topic_count(core);
    broker_view_end(g->broker);
    return is_more;
}

static void topics_each(struct govern *g, each_topic *each, struct counts *counts)
{
    char last[ITEM_NAME_MAX];
    size_t last_len = 0;
    while (topics_next(g, last, &last_len, each, counts)) {
    }
}

static void name_take(struct counts *counts, const struct core *core, const struct topic *topic,
                      int64_t now_ms)
{
    (void)core;
    (void)now_ms;
    if (counts->count == counts->cap) {
        counts->cap = counts->cap == 0 ? 64 : counts->cap * 2;
        counts->list = mem_realloc(counts->list, counts->cap * sizeof *counts->list);
    }
    counts->list[counts->count++] =
        (struct series){.name.topic = arena_str(&counts->arena, topic_name(topic))};
}

size_t counts_topics(struct govern *g, struct arena *arena, struct str **ret)
{
    struct counts counts;
    counts_init(&counts);
    topics_each(g, name_take, &counts);
    *ret = arena_new(arena, struct str, counts.count + 1);
    size_t count = *ret == NULL ? 0 : counts.count;
    for (size_t i = 0; i < count; i++) {
        (*ret)[i] = arena_str(arena, counts.list[i].name.topic);
    }
    counts_fini(&counts);
    return count;
}

// ---- printing

// By rule: what differs in its producer only stands together.
static int rule_order(const void *left, const void *right)
{
    const struct series_name *a = &((const struct series *)left)->name;
    const struct series_name *b = &((const struct series *)right)->name;
    int order = str_compare(a->subject, b->subject);
    order = order != 0 ? order : str_compare(a->rule, b->rule);
    order = order != 0 ? order : str_compare(a->path, b->path);
    order = order != 0 ? order : (a->version > b->version) - (a->version < b->version);
    return order != 0 ? order : a->side - b->side;
}

static int place_order(const void *left, const void *right)
{
    const struct series_name *a = &((const struct series *)left)->name;
    const struct series_name *b = &((const struct series *)right)->name;
    int order = str_compare(a->path, b->path);
    return order != 0 ? order : a->side - b->side;
}

static int version_order(const void *left, const void *right)
{
    const struct series_name *a = &((const struct series *)left)->name;
    const struct series_name *b = &((const struct series *)right)->name;
    int order = str_compare(a->subject, b->subject);
    return order != 0 ? order : (a->version > b->version) - (a->version < b->version);
}

static int producer_order(const void *left, const void *right)
{
    const struct series_name *a = &((const struct series *)left)->name;
    const struct series_name *b = &((const struct series *)right)->name;
    int order = str_compare(a->client_id, b->client_id);
    return order != 0 ? order : str_compare(a->principal, b->principal);
}

static uint64_t total(const uint64_t counts[OUTCOME_COUNT])
{
    uint64_t sum = 0;
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        sum += counts[i];
    }
    return sum;
}

static int most_first(const void *left, const void *right)
{
    uint64_t a = total(((const struct series *)left)->counts);
    uint64_t b = total(((const struct series *)right)->counts);
    return a != b ? (a < b) - (a > b) : place_order(left, right);
}

// sum adds up, in place, those that compare equal; how many are left, in order.
static size_t sum(struct series *list, size_t count, int (*order)(const void *, const void *))
{
    size_t kept = 0;
    if (count > 1) {
        qsort(list, count, sizeof *list, order);
    }
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || order(&list[kept - 1], &list[i]) != 0) {
            list[kept++] = list[i];
            continue;
        }
        struct series *into = &list[kept - 1];
        for (size_t k = 0; k < OUTCOME_COUNT; k++) {
            into->counts[k] += list[i].counts[k];
        }
        into->last_ms = list[i].last_ms > into->last_ms ? list[i].last_ms : into->last_ms;
    }
    return kept;
}

static void sums_print(const uint64_t sums[OUTCOME_COUNT], struct json *j)
{
    json_pair_i64(j, "checked", (int64_t)total(sums));
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        json_pair_i64(j, outcome_names[i], (int64_t)sums[i]);
    }
}

static void rule_print(const struct series *s, struct json *j)
{
    for (size_t i = CONTRACT_OBSERVE; i < OUTCOME_COUNT; i++) {
        if (s->counts[i] == 0) {
            continue;
        }
        json_object_begin(j);
        json_pair_str(j, "side", side_name(s->name.side));
        json_pair_str(j, "subject", s->name.subject);
        json_pair_i64(j, "version", s->name.version);
        json_pair_str(j, "rule", s->name.rule);
        json_pair_str(j, "path", s->name.path);
        json_pair_str(j, "action", str_from_c(contract_action_name((enum contract_action)i)));
        json_pair_i64(j, "count", (int64_t)s->counts[i]);
        json_pair_i64(j, "last_ms", s->last_ms);
        json_object_end(j);
    }
}

static void producer_print(const struct series *s, struct json *j)
{
    json_object_begin(j);
    json_pair_str(j, "client", s->name.client_id);
    json_pair_str(j, "principal", s->name.principal);
    sums_print(s->counts, j);
    json_object_end(j);
}

static void version_print(const struct series *s, struct json *j)
{
    json_object_begin(j);
    json_pair_str(j, "subject", s->name.subject);
    json_pair_i64(j, "version", s->name.version);
    sums_print(s->counts, j);
    json_pair_i64(j, "last_ms", s->last_ms);
    json_object_end(j);
}

static void path_print(const struct series *s, struct json *j)
{
    json_object_begin(j);
    json_pair_str(j, "side", side_name(s->name.side));
    json_pair_str(j, "path", s->name.path);
    json_pair_i64(j, "count", (int64_t)total(s->counts));
    json_object_end(j);
}

static void list_print(const char *name, const struct series *list, size_t count,
                       void (*print)(const struct series *s, struct json *j), struct json *j)
{
    json_key(j, name);
    json_array_begin(j);
    for (size_t i = 0; i < count; i++) {
        print(&list[i], j);
    }
    json_array_end(j);
}

static bool is_of_record(const struct series *s)
{
    return s->name.rule.ptr == NULL;
}

// records_first moves those of records to the front; how many they are.
static size_t records_first(struct series *list, size_t count)
{
    size_t records = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_of_record(&list[i])) {
            struct series s = list[i];
            list[i] = list[records];
            list[records++] = s;
        }
    }
    return records;
}

// A window of which less than a second is known would give rates of nothing.
static double per_second(uint64_t count, int64_t covered_ms)
{
    return (double)count * 1000 / (double)(covered_ms < 1000 ? 1000 : covered_ms);
}

static void windows_print(const struct tally_recent recent[TALLY_WINDOWS], struct json *j)
{
    static const char *const names[TALLY_WINDOWS] = {"minute", "hour", "day"};
    json_key(j, "windows");
    json_object_begin(j);
    for (int w = 0; w < TALLY_WINDOWS; w++) {
        json_key(j, names[w]);
        json_object_begin(j);
        json_pair_i64(j, "window_ms", recent[w].window_ms);
        json_pair_i64(j, "covered_ms", recent[w].covered_ms);
        json_key(j, "checked_per_second");
        json_f64(j, per_second(total(recent[w].counts), recent[w].covered_ms));
        sums_print(recent[w].counts, j);
        json_object_end(j);
    }
    json_object_end(j);
}

void counts_print(struct govern *g, struct str topic, struct json *j)
{
    struct counts counts;
    uint64_t sums[OUTCOME_COUNT] = {0};
    counts_read(g, topic, &counts);
    size_t records = records_first(counts.list, counts.count);
    for (size_t i = 0; i < records; i++) {
        for (size_t k = 0; k < OUTCOME_COUNT; k++) {
            sums[k] += counts.list[i].counts[k];
        }
    }
    sums_print(sums, j);
    windows_print(counts.recent, j);
    struct series *rules = counts.list == NULL ? NULL : counts.list + records;
    struct series *scratch = mem_array(counts.count + 1, sizeof *scratch);
    size_t rule_count = sum(rules, counts.count - records, rule_order);
    list_print("rules", rules, rule_count, rule_print, j);
    size_t path_count = sum(rules, rule_count, place_order);
    if (path_count > 1) {
        qsort(rules, path_count, sizeof *rules, most_first);
    }
    list_print("paths", rules, path_count < PATHS_MAX ? path_count : PATHS_MAX, path_print, j);
    if (records > 0) {
        memcpy(scratch, counts.list, records * sizeof *scratch);
    }
    list_print("versions", scratch, sum(scratch, records, version_order), version_print, j);
    list_print("producers", counts.list, sum(counts.list, records, producer_order), producer_print, j);
    mem_free(scratch);
    counts_fini(&counts);
}

// ---- metrics

static void label(struct buf *out, const char *name, struct str value, const char *behind)
{
    buf_printf(out, "%s=\"", name);
    metrics_label(out, value);
    buf_printf(out, "\"%s", behind);
}

static void series_expose(const struct series *s, struct buf *out)
{
    bool is_rule = !is_of_record(s);
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        if (s->counts[i] == 0) {
            continue;
        }
        buf_append_str(out, is_rule ? STR("strom_contract_violations_total{")
                                    : STR("strom_contract_records_total{"));
        label(out, "topic", s->name.topic, ",");
        label(out, "subject", s->name.subject, ",");
        buf_printf(out, "version=\"%d\",", s->name.version);
        if (is_rule) {
            label(out, "rule", s->name.rule, ",");
            label(out, "path", s->name.path, ",");
            label(out, "side", side_name(s->name.side), ",");
        }
        label(out, "client", s->name.client_id, ",");
        label(out, "principal", s->name.principal, ",");
        buf_printf(out, "outcome=\"%s\"} %llu\n", outcome_names[i], (unsigned long long)s->counts[i]);
    }
}

static void expose(const struct counts *counts, bool of_records, struct buf *out)
{
    for (size_t i = 0; i < counts->count; i++) {
        if (is_of_record(&counts->list[i]) == of_records) {
            series_expose(&counts->list[i], out);
        }
    }
}

void counts_collect(void *arg, struct buf *out)
{
    struct govern *g = arg;
    struct counts counts;
    uint64_t unnamed = 0;
    counts_init(&counts);
    if (g->broker != NULL) {
        topics_each(g, topic_take, &counts);
    }
    metrics_family(out, "strom_contract_records_total", "counter",
                   "Records of governed topics by what became of them");
    expose(&counts, true, out);
    metrics_family(out, "strom_contract_violations_total", "counter",
                   "Violations of rules of contracts by what was done about them");
    expose(&counts, false, out);
    for (size_t i = 0; i < counts.count; i++) {
        unnamed += counts.list[i].is_unnamed ? total(counts.list[i].counts) : 0;
    }
    metrics_family(out, "strom_contract_counts_unnamed_total", "counter",
                   "Records and violations above that found no room for what they are of");
    buf_printf(out, "strom_contract_counts_unnamed_total %llu\n", (unsigned long long)unnamed);
    counts_fini(&counts);
}
