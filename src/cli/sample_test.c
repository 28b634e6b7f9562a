// SPDX-License-Identifier: Apache-2.0
#include "cli/sample.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct seeded { // splitmix64
    struct rng rng;
    uint64_t state;
};

static void fill(struct rng *rng, void *out, size_t len)
{
    struct seeded *s = (struct seeded *)rng;
    uint8_t *to = out;
    for (size_t i = 0; i < len; i += 8) {
        s->state += 0x9e3779b97f4a7c15;
        uint64_t z = s->state;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        z ^= z >> 31;
        memcpy(to + i, &z, len - i < 8 ? len - i : 8);
    }
}

static const struct rng_ops ops = {.fill = fill};

static struct seeded seeded(uint64_t seed)
{
    return (struct seeded){{&ops}, seed};
}

static int compare(const void *left, const void *right)
{
    const struct sample_span *a = left;
    const struct sample_span *b = right;
    if (a->partition != b->partition) {
        return a->partition < b->partition ? -1 : 1;
    }
    return a->start < b->start ? -1 : a->start > b->start;
}

static struct sample_span places[SAMPLE_PLACES_MAX];

static const struct sample_span three[] = {{0, 0, 1001}, {4, 500, 500}, {1, 7, 300007}};

// Places are successive offsets of one partition, in random order, and none is there twice.
static void test_places(void **state)
{
    (void)state;
    struct seeded s = seeded(1);
    size_t count = sample_draw(three, 3, 10000, &s.rng, places);
    assert_int_equal(count, SAMPLE_PLACES_MAX);
    size_t ascending = 0;
    for (size_t i = 1; i < count; i++) {
        ascending += compare(&places[i - 1], &places[i]) < 0 ? 1 : 0;
    }
    assert_in_range(ascending, count * 4 / 10, count * 6 / 10);
    qsort(places, count, sizeof *places, compare);
    for (size_t i = 0; i < count; i++) {
        const struct sample_span *in = &three[places[i].partition == 0 ? 0 : 2];
        assert_int_equal(places[i].partition, in->partition);
        assert_true(places[i].start >= in->start && places[i].end <= in->end);
        assert_true(places[i].end - places[i].start == 5 || places[i].end == in->end);
        bool has_before = i > 0 && places[i - 1].partition == places[i].partition;
        assert_true(!has_before || places[i].start >= places[i - 1].end);
    }
    assert_int_equal(sample_draw(three, 3, 1, &s.rng, places), 1);
    assert_int_equal(sample_draw(three, 3, 300000, &s.rng, places), SAMPLE_PLACES_MAX); // of nearly all: also
    assert_int_equal(sample_draw(three + 1, 1, 100, &s.rng, places), 0);
    assert_int_equal(sample_span_total(three, 3), 301001);
}

// No offset is likelier than another, whichever partition it is in.
static void test_even(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    static const struct sample_span spans[] = {{0, 10, 47}, {1, 0, 3}, {2, 100, 160}};
    int64_t seen[100] = {0};
    int64_t first[100] = {0}; // of the first three places: in the order in which they come
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        struct seeded s = seeded(seed * 1000);
        size_t count = sample_draw(spans, 3, 67, &s.rng, places);
        for (size_t i = 0; i < count; i++) {
            int32_t p = places[i].partition;
            int64_t at = p == 0 ? places[i].start - 10 : p == 1 ? 37 + places[i].start : places[i].start - 60;
            seen[at]++;
            first[at] += i < 3 ? 1 : 0;
        }
    }
    for (size_t i = 0; i < 100; i++) { // five standard deviations of chance
        assert_true(fabs((double)seen[i] - ROUNDS * 0.67) < 5 * sqrt(ROUNDS * 0.67));
        assert_true(fabs((double)first[i] - ROUNDS * 0.03) < 5 * sqrt(ROUNDS * 0.03));
    }
}

// A run of so many offsets always has a place, and is about as short as can be said.
static void test_run_seen(void **state)
{
    (void)state;
    int64_t run = sample_run_seen(three, 3, 10000);
    int64_t widest = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct seeded s = seeded(seed);
        size_t count = sample_draw(three, 3, 10000, &s.rng, places);
        qsort(places, count, sizeof *places, compare);
        for (size_t i = 1; i < count; i++) {
            bool is_same = places[i].partition == places[i - 1].partition;
            int64_t gap = is_same ? places[i].start - places[i - 1].end : 0;
            widest = gap > widest ? gap : widest;
        }
    }
    assert_true(widest < run);
    assert_true(widest > run / 2);
}

static void test_hostile(void **state)
{
    (void)state;
    struct sample_span spans[] = {{0, 0, INT64_MAX}, {1, 5, INT64_MAX}, {2, INT64_MAX - 1, INT64_MAX}};
    struct seeded s = seeded(3);
    assert_int_equal(sample_span_total(spans, 3), INT64_MAX);
    size_t count = sample_draw(spans, 3, INT64_MAX / 2, &s.rng, places);
    for (size_t i = 0; i < count; i++) {
        assert_true(places[i].start >= 0 && places[i].start < places[i].end);
    }
    assert_true(sample_draw(spans, 3, 2, &s.rng, places) > 0);
    assert_true(sample_run_seen(spans, 3, 2) > 0);
    assert_true(sample_run_seen(spans, 3, INT64_MAX) > 0);
}

static void bounds(int64_t count, int64_t failed, int64_t each, double *low, double *high)
{
    struct sample_size size = {0};
    struct sample_found found = {0};
    for (int64_t i = 0; i < count; i++) {
        sample_size_add(&size, each, each);
        sample_found_add(&found, i < failed ? each : 0, each);
    }
    sample_bounds(&size, &found, low, high);
}

// Records that are drawn one by one have Wilson's interval (Wilson 1927).
static void test_wilson(void **state)
{
    (void)state;
    static const struct {
        int64_t records, failed;
        double low, high;
    } rows[] = {
        {100, 0, 0, 0.0369935},   {100, 10, 0.0552291, 0.1743657}, {100, 50, 0.4038315, 0.5961685},
        {100, 100, 0.9630065, 1}, {400, 61, 0.1205872, 0.1910239}, {1, 0, 0, 0.7934507},
    };
    double low;
    double high;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bounds(rows[i].records, rows[i].failed, 1, &low, &high);
        assert_true(fabs(low - rows[i].low) < 1e-6);
        assert_true(fabs(high - rows[i].high) < 1e-6);
    }
    bounds(0, 0, 1, &low, &high);
    assert_true(low == 0 && high == 1);
}

// A place whose records all fail tells as much as one record; and what no place has may still be in a run.
static void test_alike(void **state)
{
    (void)state;
    double low;
    double high;
    double low_each;
    double high_each;
    bounds(100, 10, 1, &low, &high);
    bounds(100, 10, 500, &low_each, &high_each);
    assert_true(fabs(low - low_each) < 1e-9 && fabs(high - high_each) < 1e-9);
    bounds(2000, 0, 500, &low, &high);
    assert_true(low == 0 && high > 0.0019 && high < 0.002);
    bounds(2000, 2000, 500, &low, &high);
    assert_true(low > 0.998 && low < 0.9981 && high == 1);
}

static void test_empty_places(void **state)
{
    (void)state;
    struct sample_size size = {0};
    struct sample_found found = {0};
    struct sample_found other = {0};
    struct sample_found both = {0};
    sample_size_add(&size, 10, 0); // aborted, or compacted away
    sample_size_add(&size, 10, 10);
    sample_found_add(&found, 10, 10);
    sample_found_add(&other, 2, 10);
    sample_found_add(&both, 10, 10);
    sample_found_add(&both, 2, 10);
    sample_found_join(&found, &other);
    assert_memory_equal(&found, &both, sizeof found);
    assert_int_equal(size.places, 1);
    assert_int_equal(size.offsets, 20);
    assert_int_equal(found.places, 2);
    assert_int_equal(found.wholes, 1);
    assert_int_equal(found.records, 12);
}

enum { RECORDS = 400000, SAMPLES = 300 };

static bool is_chance(int64_t offset)
{
    struct seeded s = seeded((uint64_t)offset);
    return rng_u64(&s.rng) % 500 == 0;
}

static bool is_in_runs(int64_t offset) // 20 runs of 300
{
    return offset % 20000 < 300;
}

static bool is_in_long_run(int64_t offset)
{
    return offset >= 250000 && offset < 290000;
}

static bool is_rare(int64_t offset)
{
    return offset == 77777;
}

static bool is_one_short_run(int64_t offset)
{
    return offset >= 5000 && offset < 5200;
}

// times_within: in how many of the samples the bounds hold the true share. failing has one for each record.
static int times_within(const struct sample_span *span, int64_t wanted, const uint8_t *failing,
                        int64_t true_count)
{
    double share = (double)true_count / (double)(span->end - span->start);
    int within = 0;
    for (uint64_t seed = 0; seed < SAMPLES; seed++) {
        struct seeded s = seeded(seed << 20);
        struct sample_size size = {0};
        struct sample_found found = {0};
        size_t count = sample_draw(span, 1, wanted, &s.rng, places);
        for (size_t i = 0; i < count; i++) {
            int64_t failed = 0;
            for (int64_t offset = places[i].start; offset < places[i].end; offset++) {
                failed += failing[offset];
            }
            sample_size_add(&size, places[i].end - places[i].start, places[i].end - places[i].start);
            sample_found_add(&found, failed, places[i].end - places[i].start);
        }
        double low;
        double high;
        sample_bounds(&size, &found, &low, &high);
        within += share >= low && share <= high ? 1 : 0;
    }
    return within;
}

// Whatever the way in which failures are spread, the bounds hold the true share as often as they say.
static void test_coverage(void **state)
{
    (void)state;
    static bool (*const fails[])(int64_t) = {is_chance, is_in_runs, is_in_long_run, is_rare,
                                             is_one_short_run};
    static const struct sample_span spans[] = {{0, 0, RECORDS}};
    uint8_t *failing = test_malloc(RECORDS);
    for (size_t f = 0; f < sizeof fails / sizeof *fails; f++) {
        int64_t true_count = 0;
        for (int64_t offset = 0; offset < RECORDS; offset++) {
            failing[offset] = fails[f](offset) ? 1 : 0;
            true_count += failing[offset];
        }
        assert_in_range(times_within(&spans[0], 20000, failing, true_count), SAMPLES * 93 / 100, SAMPLES);
    }
    test_free(failing);
}

// Most failures are in a run, or a few, that many samples miss altogether; lone ones are in many places.
static void test_hidden_runs(void **state)
{
    (void)state;
    enum { ALL = 4000000, WANTED = 400000, PART = ALL / SAMPLE_PLACES_MAX }; // 200 of 2,000 are drawn
    static const struct {
        int runs;
        int64_t length;
        uint64_t lone_in; // one of so many
    } rows[] = {
        {1, PART / 5, 13000}, {1, PART / 2, 13000},  {1, PART * 9 / 10, 13000}, {1, PART * 3 / 2, 13000},
        {3, PART / 5, 13000}, {20, PART / 20, 2000}, {1, PART * 9 / 10, 500},
    };
    static const struct sample_span spans[] = {{0, 0, ALL}};
    uint8_t *failing = test_malloc(ALL);
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct seeded chance = seeded(row);
        int64_t true_count = 0;
        for (int64_t offset = 0; offset < ALL; offset++) {
            bool is_in_run = offset % (ALL / rows[row].runs) - 12345 < rows[row].length &&
                             offset % (ALL / rows[row].runs) >= 12345;
            failing[offset] = is_in_run || rng_u64(&chance.rng) % rows[row].lone_in == 0;
            true_count += failing[offset];
        }
        assert_in_range(times_within(&spans[0], WANTED, failing, true_count), SAMPLES * 93 / 100, SAMPLES);
    }
    test_free(failing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),       cmocka_unit_test(test_even),
        cmocka_unit_test(test_run_seen),     cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_wilson),       cmocka_unit_test(test_alike),
        cmocka_unit_test(test_empty_places), cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_hidden_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
