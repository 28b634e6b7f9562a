// SPDX-License-Identifier: Apache-2.0
// Families (one name) and their series (one set of labels) form lists that only grow, so that a scrape walks
// them without a lock while others register. Registration takes a spin lock: it is rare, short and never
// blocks inside.
#include "runtime/metrics.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    BOUND_COUNT = 27,               // 1 us << 0 .. 1 us << 26 (67 s)
    BUCKET_COUNT = BOUND_COUNT + 1, // and one without bound
};

struct metric {
    _Atomic int64_t value;
};

struct metric_histogram {
    _Atomic uint64_t sum_ns;
    _Atomic uint64_t buckets[BUCKET_COUNT]; // not cumulative
};

enum family_kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };

struct gauge_source {
    int64_t (*read)(void *arg); // asked at scrape time; NULL = the metric's own value
    void *arg;
};

struct series {
    struct series *_Atomic next;
    const char *labels; // NULL = none
    struct metric metric;
    struct metric_histogram *histogram; // KIND_HISTOGRAM only
    struct gauge_source source;
};

struct family {
    struct family *_Atomic next;
    const char *name;
    const char *help;
    enum family_kind kind;
    struct series *_Atomic first;
};

struct collector {
    struct collector *_Atomic next;
    void (*collect)(void *arg, struct buf *out);
    void *arg;
};

struct metrics {
    atomic_flag registering;
    struct family *_Atomic first;
    struct collector *_Atomic collectors;
};

struct metrics *metrics_create(void)
{
    struct metrics *m = mem_zalloc(sizeof *m);
    atomic_flag_clear(&m->registering);
    return m;
}

void metrics_destroy(struct metrics *take_metrics)
{
    if (take_metrics == NULL) {
        return;
    }
    struct family *family = atomic_load(&take_metrics->first);
    while (family != NULL) {
        struct family *family_next = atomic_load(&family->next);
        struct series *series = atomic_load(&family->first);
        while (series != NULL) {
            struct series *next = atomic_load(&series->next);
            mem_free(series->histogram);
            mem_free(series);
            series = next;
        }
        mem_free(family);
        family = family_next;
    }
    struct collector *collector = atomic_load(&take_metrics->collectors);
    while (collector != NULL) {
        struct collector *next = atomic_load(&collector->next);
        mem_free(collector);
        collector = next;
    }
    mem_free(take_metrics);
}

static bool labels_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct family *family_get_locked(struct metrics *m, enum family_kind kind, const char *name,
                                        const char *help)
{
    struct family *_Atomic *link = &m->first;
    for (struct family *family = atomic_load(link); family != NULL; family = atomic_load(link)) {
        if (strcmp(family->name, name) == 0) {
            ASSERT(family->kind == kind);
            return family;
        }
        link = &family->next;
    }
    struct family *family = mem_zalloc(sizeof *family);
    family->name = name;
    family->help = help;
    family->kind = kind;
    atomic_store(link, family);
    return family;
}

static struct series *series_get_locked(struct family *family, const char *labels, struct gauge_source source)
{
    struct series *_Atomic *link = &family->first;
    for (struct series *series = atomic_load(link); series != NULL; series = atomic_load(link)) {
        if (labels_equal(series->labels, labels)) {
            ASSERT(series->source.read == NULL &&
                   source.read == NULL); // a function cannot be shared or exchanged
            return series;
        }
        link = &series->next;
    }
    struct series *series = mem_zalloc(sizeof *series);
    series->labels = labels;
    series->source = source;
    if (family->kind == KIND_HISTOGRAM) {
        series->histogram = mem_zalloc(sizeof *series->histogram);
    }
    atomic_store(link, series); // complete before anyone sees it
    return series;
}

static struct series *series_register(struct metrics *m, enum family_kind kind, const char *name,
                                      const char *labels, const char *help, struct gauge_source source)
{
    while (atomic_flag_test_and_set(&m->registering)) {
    }
    struct series *series = series_get_locked(family_get_locked(m, kind, name, help), labels, source);
    atomic_flag_clear(&m->registering);
    return series;
}

struct metric *metrics_counter(struct metrics *m, const char *name, const char *labels, const char *help)
{
    return &series_register(m, KIND_COUNTER, name, labels, help, (struct gauge_source){NULL, NULL})->metric;
}

struct metric *metrics_gauge(struct metrics *m, const char *name, const char *labels, const char *help)
{
    return &series_register(m, KIND_GAUGE, name, labels, help, (struct gauge_source){NULL, NULL})->metric;
}

void metrics_gauge_fn(struct metrics *m, const char *name, const char *labels, const char *help,
                      int64_t (*read)(void *arg), void *arg)
{
    series_register(m, KIND_GAUGE, name, labels, help, (struct gauge_source){read, arg});
}

struct metric_histogram *metrics_histogram(struct metrics *m, const char *name, const char *labels,
                                           const char *help)
{
    return series_register(m, KIND_HISTOGRAM, name, labels, help, (struct gauge_source){NULL, NULL})
        ->histogram;
}

void metrics_collector(struct metrics *m, void (*collect)(void *arg, struct buf *out), void *arg)
{
    struct collector *collector = mem_zalloc(sizeof *collector);
    collector->collect = collect;
    collector->arg = arg;
    while (atomic_flag_test_and_set(&m->registering)) {
    }
    struct collector *_Atomic *link = &m->collectors;
    for (struct collector *c = atomic_load(link); c != NULL; c = atomic_load(link)) {
        link = &c->next;
    }
    atomic_store(link, collector); // complete before anyone sees it
    atomic_flag_clear(&m->registering);
}

void metric_add(struct metric *metric, int64_t delta)
{
    atomic_fetch_add_explicit(&metric->value, delta, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

int64_t metric_value(const struct metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

// bucket_index finds the first bound, 1 us << index, that is not below ns.
static size_t bucket_index(uint64_t ns)
{
    uint64_t us = ns / 1000 + (ns % 1000 != 0);
    size_t index = us <= 1 ? 0 : 64 - (size_t)__builtin_clzll(us - 1);
    return index < BOUND_COUNT ? index : BOUND_COUNT;
}

void metric_observe_ns(struct metric_histogram *h, int64_t ns)
{
    uint64_t observed = ns < 0 ? 0 : (uint64_t)ns; // an interval cannot be negative
    atomic_fetch_add_explicit(&h->buckets[bucket_index(observed)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_ns, observed, memory_order_relaxed);
}

// ---- rendering

void metrics_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

// utf8_size is the length of the well-formed character at text (RFC 3629), 0 if it is none.
static size_t utf8_size(const uint8_t *text, size_t len)
{
    if (text[0] < 0x80) {
        return 1;
    }
    size_t size = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4 || len < size) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool is_overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool is_outside = (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf4 && text[1] > 0x8f);
    return is_overlong || is_outside ? 0 : size;
}

void metrics_label(struct buf *out, struct str value)
{
    const uint8_t *text = (const uint8_t *)value.ptr;
    for (size_t i = 0; i < value.len;) {
        size_t size = utf8_size(text + i, value.len - i);
        bool is_odd = size == 0 || text[i] < 0x20 || text[i] == 0x7f;
        if (is_odd) {
            buf_printf(out, "%%%02X", text[i]);
        } else if (text[i] == '"' || text[i] == '\\') {
            buf_printf(out, "\\%c", text[i]);
        } else {
            buf_append(out, text + i, size);
        }
        i += size == 0 ? 1 : size;
    }
}

// name{labels} or name alone.
static void name_render(struct buf *out, const struct family *family, const char *suffix, const char *labels)
{
    buf_printf(out, "%s%s", family->name, suffix);
    if (labels != NULL) {
        buf_printf(out, "{%s}", labels);
    }
}

static void histogram_render(struct buf *out, const struct family *family, const struct series *series)
{
    const char *labels = series->labels == NULL ? "" : series->labels;
    const char *comma = series->labels == NULL ? "" : ",";
    uint64_t count = 0;
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        count += atomic_load_explicit(&series->histogram->buckets[i], memory_order_relaxed);
        if (i < BOUND_COUNT) {
            uint64_t us = 1ULL << i;
            buf_printf(out, "%s_bucket{%s%sle=\"%llu.%06llu\"} %llu\n", family->name, labels, comma,
                       (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000),
                       (unsigned long long)count);
        } else {
            buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", family->name, labels, comma,
                       (unsigned long long)count);
        }
    }
    uint64_t sum_ns = atomic_load_explicit(&series->histogram->sum_ns, memory_order_relaxed);
    name_render(out, family, "_sum", series->labels);
    buf_printf(out, " %llu.%09llu\n", (unsigned long long)(sum_ns / 1000000000),
               (unsigned long long)(sum_ns % 1000000000));
    name_render(out, family, "_count", series->labels);
    buf_printf(out, " %llu\n", (unsigned long long)count);
}

void metrics_render(struct metrics *m, struct buf *out)
{
    static const char *const kinds[] = {
        [KIND_COUNTER] = "counter", [KIND_GAUGE] = "gauge", [KIND_HISTOGRAM] = "histogram"};
    for (struct family *family = atomic_load(&m->first); family != NULL;
         family = atomic_load(&family->next)) {
        metrics_family(out, family->name, kinds[family->kind], family->help);
        for (struct series *series = atomic_load(&family->first); series != NULL;
             series = atomic_load(&series->next)) {
            if (family->kind == KIND_HISTOGRAM) {
                histogram_render(out, family, series);
                continue;
            }
            int64_t value = series->source.read != NULL ? series->source.read(series->source.arg)
                                                        : metric_value(&series->metric);
            name_render(out, family, "", series->labels);
            buf_printf(out, " %lld\n", (long long)value);
        }
    }
    for (struct collector *c = atomic_load(&m->collectors); c != NULL; c = atomic_load(&c->next)) {
        c->collect(c->arg, out);
    }
}
