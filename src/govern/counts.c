// SPDX-License-Identifier: Apache-2.0
// counts.c - what judged records came to, by topic, subject version, rule and producer, and samples of
// violations.
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "govern/govern_private.h"
#include "json/write.h"

enum { SAMPLE_TEXTS = 7 };

struct series {
    struct map_node by_name;
    struct series_name name;
    uint64_t counts[OUTCOME_COUNT];
    int64_t last_ms;
    char texts[];
};

struct kept_sample {
    struct sample sample; // its texts lie in `texts`
    char *texts;
};

static const char *const outcome_names[OUTCOME_COUNT] = {"passed", "observed", "marked", "dead_lettered",
                                                         "refused"};

// ---- series

static uint64_t name_hash(const struct series_name *n)
{
    uint64_t hash = hash64(bytes_of(n->topic.ptr, n->topic.len), 1);
    const struct str texts[] = {n->subject, n->rule, n->path, n->client_id, n->principal};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hash = hash_mix(hash, hash64(bytes_of(texts[i].ptr, texts[i].len), i + 2));
    }
    return hash_mix(hash, (uint64_t)n->version * 4 + (uint64_t)n->side * 2 + (n->rule.ptr == NULL));
}

static bool is_same_name(const struct series_name *a, const struct series_name *b)
{
    return a->version == b->version && a->side == b->side && (a->rule.ptr == NULL) == (b->rule.ptr == NULL) &&
           str_equal(a->topic, b->topic) && str_equal(a->subject, b->subject) &&
           str_equal(a->rule, b->rule) && str_equal(a->path, b->path) &&
           str_equal(a->client_id, b->client_id) && str_equal(a->principal, b->principal);
}

static struct str text_put(char **at, struct str text)
{
    struct str copy = {text.ptr == NULL ? NULL : *at, text.len};
    if (text.len > 0) {
        memcpy(*at, text.ptr, text.len);
        *at += text.len;
    }
    return copy;
}

static struct series *series_create(const struct series_name *n)
{
    size_t size =
        n->topic.len + n->subject.len + n->rule.len + n->path.len + n->client_id.len + n->principal.len;
    struct series *s = mem_zalloc(sizeof *s + size + 1);
    char *at = s->texts;
    s->name.version = n->version;
    s->name.side = n->side;
    s->name.topic = text_put(&at, n->topic);
    s->name.subject = text_put(&at, n->subject);
    s->name.rule = text_put(&at, n->rule);
    s->name.path = text_put(&at, n->path);
    s->name.client_id = text_put(&at, n->client_id);
    s->name.principal = text_put(&at, n->principal);
    return s;
}

static struct series *series_find(struct counts *counts, const struct series_name *name, size_t max)
{
    uint64_t hash = name_hash(name);
    for (struct map_node *node = map_first(&counts->by_name, hash); node != NULL; node = map_next(node)) {
        struct series *s = MAP_ENTRY(node, struct series, by_name);
        if (is_same_name(&s->name, name)) {
            return s;
        }
    }
    if (counts->series_count >= max) {
        return NULL;
    }
    struct series *s = series_create(name);
    counts->series[counts->series_count++] = s;
    map_insert(&counts->by_name, &s->by_name, hash);
    return s;
}

void counts_add(struct counts *counts, const struct series_name *name, enum contract_action outcome,
                uint64_t n, int64_t now_ms)
{
    struct series_name of_all = *name;
    of_all.client_id = of_all.principal = STR("(others)");
    mutex_lock(&counts->lock);
    // The last part of the room is for what is counted without its producer.
    struct series *s = series_find(counts, name, GOVERN_SERIES_MAX / 4 * 3);
    s = s == NULL ? series_find(counts, &of_all, GOVERN_SERIES_MAX) : s;
    s = s == NULL ? counts->overflow : s;
    s->counts[outcome] += n;
    s->last_ms = now_ms > s->last_ms ? now_ms : s->last_ms;
    mutex_unlock(&counts->lock);
}

// ---- samples

void counts_sample(struct counts *counts, const struct sample *sample)
{
    struct kept_sample kept = {.sample = *sample};
    struct str *texts[SAMPLE_TEXTS] = {&kept.sample.topic,   &kept.sample.client_id, &kept.sample.principal,
                                       &kept.sample.subject, &kept.sample.rule,      &kept.sample.path,
                                       &kept.sample.reason};
    size_t size = 1;
    for (size_t i = 0; i < SAMPLE_TEXTS; i++) {
        size += texts[i]->len;
    }
    char *at = kept.texts = mem_alloc(size);
    for (size_t i = 0; i < SAMPLE_TEXTS; i++) {
        *texts[i] = text_put(&at, *texts[i]);
    }
    mutex_lock(&counts->lock);
    struct kept_sample *slot = &counts->samples[counts->sample_count++ % GOVERN_SAMPLES_MAX];
    char *gone = slot->texts;
    *slot = kept;
    mutex_unlock(&counts->lock);
    mem_free(gone);
}

static struct str side_name(int32_t side)
{
    return side == SIDE_KEY ? STR("key") : STR("value");
}

static void sample_print(const struct sample *s, uint64_t number, struct json *j)
{
    json_object_begin(j);
    json_pair_i64(j, "number", (int64_t)number);
    json_pair_i64(j, "time_ms", s->time_ms);
    json_pair_str(j, "topic", s->topic);
    json_pair_i64(j, "partition", s->partition);
    json_pair_i64(j, "index", s->index);
    json_pair_str(j, "client", s->client_id);
    json_pair_str(j, "principal", s->principal);
    json_pair_str(j, "subject", s->subject);
    json_pair_i64(j, "version", s->version);
    json_pair_str(j, "side", side_name(s->side));
    json_pair_str(j, "rule", s->rule);
    json_pair_str(j, "path", s->path);
    json_pair_str(j, "reason", s->reason);
    json_pair_str(j, "action", str_from_c(contract_action_name(s->action)));
    json_object_end(j);
}

static const struct sample *sample_at(const struct counts *counts, uint64_t number)
{
    return &counts->samples[(number - 1) % GOVERN_SAMPLES_MAX].sample;
}

static bool is_of(const struct sample *s, struct str topic)
{
    return topic.ptr == NULL || str_equal(topic, s->topic);
}

// first_of gives the number of the first sample to show: the `limit` newest, or the next after `after`.
static uint64_t first_of(const struct counts *counts, struct str topic, int64_t after, size_t limit)
{
    uint64_t last = counts->sample_count;
    uint64_t first = last < GOVERN_SAMPLES_MAX ? 1 : last - GOVERN_SAMPLES_MAX + 1;
    if (after >= 0 && (uint64_t)after > last) { // a number of before the last start
        return first;
    }
    if (after >= 0) {
        return (uint64_t)after >= first ? (uint64_t)after + 1 : first;
    }
    uint64_t number = last + 1;
    for (size_t shown = 0; number > first && shown < limit;) {
        number--;
        shown += is_of(sample_at(counts, number), topic);
    }
    return number;
}

// Numbers begin with 1 and rise; the ring has the newest.
void counts_print_samples(struct counts *counts, struct str topic, int64_t after, size_t limit,
                          struct buf *out)
{
    struct json j = {.out = out};
    size_t shown = 0;
    mutex_lock(&counts->lock);
    uint64_t number = first_of(counts, topic, after, limit);
    json_object_begin(&j);
    json_key(&j, "violations");
    json_array_begin(&j);
    for (; number <= counts->sample_count && shown < limit; number++) {
        if (is_of(sample_at(counts, number), topic)) {
            sample_print(sample_at(counts, number), number, &j);
            shown++;
        }
    }
    json_array_end(&j);
    json_pair_i64(&j, "last", (int64_t)number - 1);
    json_object_end(&j);
    mutex_unlock(&counts->lock);
}

// ---- printing

// By rule: what differs in its producer only stands together.
static int rule_order(const void *left, const void *right)
{
    const struct series_name *a = &(*(struct series *const *)left)->name;
    const struct series_name *b = &(*(struct series *const *)right)->name;
    int order = str_compare(a->subject, b->subject);
    order = order != 0 ? order : str_compare(a->rule, b->rule);
    order = order != 0 ? order : str_compare(a->path, b->path);
    order = order != 0 ? order : (a->version > b->version) - (a->version < b->version);
    return order != 0 ? order : a->side - b->side;
}

static int producer_order(const void *left, const void *right)
{
    const struct series_name *a = &(*(struct series *const *)left)->name;
    const struct series_name *b = &(*(struct series *const *)right)->name;
    int order = str_compare(a->client_id, b->client_id);
    return order != 0 ? order : str_compare(a->principal, b->principal);
}

// sum adds up the series from `first` on that compare equal; the first that does not.
static size_t sum(struct series **list, size_t first, size_t count, int (*order)(const void *, const void *),
                  uint64_t ret[OUTCOME_COUNT], int64_t *ret_last_ms)
{
    size_t i = first;
    memset(ret, 0, OUTCOME_COUNT * sizeof *ret);
    *ret_last_ms = 0;
    for (; i < count && order(&list[i], &list[first]) == 0; i++) {
        for (size_t k = 0; k < OUTCOME_COUNT; k++) {
            ret[k] += list[i]->counts[k];
        }
        *ret_last_ms = list[i]->last_ms > *ret_last_ms ? list[i]->last_ms : *ret_last_ms;
    }
    return i;
}

static void sums_print(const uint64_t sums[OUTCOME_COUNT], struct json *j)
{
    uint64_t checked = 0;
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        checked += sums[i];
    }
    json_pair_i64(j, "checked", (int64_t)checked);
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        json_pair_i64(j, outcome_names[i], (int64_t)sums[i]);
    }
}

static void rule_print(const struct series_name *name, const uint64_t sums[OUTCOME_COUNT], int64_t last_ms,
                       struct json *j)
{
    for (size_t i = CONTRACT_OBSERVE; i < OUTCOME_COUNT; i++) {
        if (sums[i] == 0) {
            continue;
        }
        json_object_begin(j);
        json_pair_str(j, "side", side_name(name->side));
        json_pair_str(j, "subject", name->subject);
        json_pair_i64(j, "version", name->version);
        json_pair_str(j, "rule", name->rule);
        json_pair_str(j, "path", name->path);
        json_pair_str(j, "action", str_from_c(contract_action_name((enum contract_action)i)));
        json_pair_i64(j, "count", (int64_t)sums[i]);
        json_pair_i64(j, "last_ms", last_ms);
        json_object_end(j);
    }
}

static void producer_print(const struct series_name *name, const uint64_t sums[OUTCOME_COUNT], struct json *j)
{
    json_object_begin(j);
    json_pair_str(j, "client", name->client_id);
    json_pair_str(j, "principal", name->principal);
    sums_print(sums, j);
    json_object_end(j);
}

static void list_print(struct series **list, size_t count, bool of_rules, struct json *j)
{
    int (*order)(const void *, const void *) = of_rules ? rule_order : producer_order;
    uint64_t sums[OUTCOME_COUNT];
    int64_t last_ms;
    qsort(list, count, sizeof(struct series *), order);
    json_array_begin(j);
    for (size_t i = 0; i < count;) {
        const struct series_name *name = &list[i]->name;
        i = sum(list, i, count, order, sums, &last_ms);
        if (of_rules) {
            rule_print(name, sums, last_ms, j);
        } else {
            producer_print(name, sums, j);
        }
    }
    json_array_end(j);
}

void counts_print(struct counts *counts, struct str topic, struct json *j)
{
    struct series **rules = mem_array(GOVERN_SERIES_MAX, sizeof(struct series *));
    struct series **records = mem_array(GOVERN_SERIES_MAX, sizeof(struct series *));
    size_t rule_count = 0;
    size_t record_count = 0;
    uint64_t sums[OUTCOME_COUNT] = {0};
    mutex_lock(&counts->lock);
    for (size_t i = 0; i < counts->series_count; i++) {
        struct series *s = counts->series[i];
        if (!str_equal(s->name.topic, topic)) {
            continue;
        }
        if (s->name.rule.ptr != NULL) {
            rules[rule_count++] = s;
            continue;
        }
        records[record_count++] = s;
        for (size_t k = 0; k < OUTCOME_COUNT; k++) {
            sums[k] += s->counts[k];
        }
    }
    sums_print(sums, j);
    json_key(j, "rules");
    list_print(rules, rule_count, true, j);
    json_key(j, "producers");
    list_print(records, record_count, false, j);
    mutex_unlock(&counts->lock);
    mem_free(rules);
    mem_free(records);
}

static int text_order(const void *left, const void *right)
{
    return str_compare(*(const struct str *)left, *(const struct str *)right);
}

size_t counts_topics(struct counts *counts, struct arena *arena, struct str **ret)
{
    mutex_lock(&counts->lock);
    *ret = arena_new(arena, struct str, counts->series_count + 1);
    size_t count = *ret == NULL ? 0 : counts->series_count;
    for (size_t i = 0; i < count; i++) {
        (*ret)[i] = arena_str(arena, counts->series[i]->name.topic);
    }
    mutex_unlock(&counts->lock);
    qsort(*ret, count, sizeof **ret, text_order);
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !str_equal((*ret)[i], (*ret)[distinct - 1])) {
            (*ret)[distinct++] = (*ret)[i];
        }
    }
    return distinct;
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
    bool is_rule = s->name.rule.ptr != NULL;
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

static void collect(void *arg, struct buf *out)
{
    struct counts *counts = arg;
    mutex_lock(&counts->lock);
    metrics_family(out, "strom_contract_records_total", "counter",
                   "Records of governed topics by what became of them");
    for (size_t i = 0; i < counts->series_count; i++) {
        if (counts->series[i]->name.rule.ptr == NULL) {
            series_expose(counts->series[i], out);
        }
    }
    metrics_family(out, "strom_contract_violations_total", "counter",
                   "Violations of rules of contracts by what was done about them");
    for (size_t i = 0; i < counts->series_count; i++) {
        if (counts->series[i]->name.rule.ptr != NULL) {
            series_expose(counts->series[i], out);
        }
    }
    uint64_t overflow = 0;
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        overflow += counts->overflow->counts[i];
    }
    metrics_family(out, "strom_contract_counts_unnamed_total", "counter",
                   "Records and violations that found no room among the counters above");
    buf_printf(out, "strom_contract_counts_unnamed_total %llu\n", (unsigned long long)overflow);
    mutex_unlock(&counts->lock);
}

void counts_init(struct counts *counts, struct env *env, struct metrics *metrics)
{
    const struct series_name nobody = {0};
    mutex_init(&counts->lock, env->threads);
    map_init(&counts->by_name);
    counts->series = mem_array(GOVERN_SERIES_MAX, sizeof *counts->series);
    counts->overflow = series_create(&nobody);
    counts->samples = mem_array(GOVERN_SAMPLES_MAX, sizeof *counts->samples);
    metrics_collector(metrics, collect, counts);
}

void counts_fini(struct counts *counts)
{
    for (size_t i = 0; i < counts->series_count; i++) {
        mem_free(counts->series[i]);
    }
    for (size_t i = 0; i < GOVERN_SAMPLES_MAX; i++) {
        mem_free(counts->samples[i].texts);
    }
    mem_free(counts->samples);
    mem_free(counts->series);
    mem_free(counts->overflow);
    map_fini(&counts->by_name);
    mutex_fini(&counts->lock);
}
