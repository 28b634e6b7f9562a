// SPDX-License-Identifier: Apache-2.0
// sample.c - stratified draws of clusters (places), and the variance of a ratio between them: Cochran,
// Sampling Techniques, chapters 5A, 6 and 9A; the sample's worth is Kish's effective size, as Korn and
// Graubard use it for proportions.
#include "cli/sample.h"

#include <math.h>

enum { PLACES_FEW = 10 };

#define SURE_95 1.959964 // of the normal distribution

static int64_t span_size(const struct sample_span *span)
{
    return span->end > span->start ? span->end - span->start : 0;
}

int64_t sample_span_total(const struct sample_span *spans, size_t count)
{
    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (__builtin_add_overflow(total, span_size(&spans[i]), &total)) {
            return INT64_MAX;
        }
    }
    return total;
}

static int64_t places_wanted(int64_t wanted)
{
    return wanted < SAMPLE_PLACES_MAX ? wanted : SAMPLE_PLACES_MAX;
}

static int64_t place_size(int64_t wanted)
{
    return wanted / places_wanted(wanted);
}

static int64_t span_places(const struct sample_span *span, int64_t size)
{
    int64_t offsets = span_size(span);
    return offsets / size + (offsets % size > 0 ? 1 : 0);
}

void sample_shuffle(struct sample_span *spans, size_t count, struct rng *rng)
{
    for (size_t left = count; left > 1; left--) {
        size_t i = (size_t)(rng_u64(rng) % left);
        struct sample_span span = spans[i];
        spans[i] = spans[left - 1];
        spans[left - 1] = span;
    }
}

// places_all counts the places of all spans, as far as a number goes.
static uint64_t places_all(const struct sample_span *spans, size_t count, int64_t size)
{
    uint64_t all = 0;
    for (size_t i = 0; i < count && all < INT64_MAX; i++) {
        all += (uint64_t)span_places(&spans[i], size);
    }
    return all < INT64_MAX ? all : INT64_MAX;
}

// part_begin is the first place of a part; equally many parts differ by one place at most.
static uint64_t part_begin(uint64_t all, int64_t part, int64_t parts)
{
    return (uint64_t)((__uint128_t)all * (uint64_t)part / (uint64_t)parts);
}

size_t sample_draw(const struct sample_span *spans, size_t count, int64_t wanted, struct rng *rng,
                   struct sample_span *ret)
{
    int64_t size = place_size(wanted);
    uint64_t all = places_all(spans, count, size);
    int64_t parts = places_wanted(wanted);
    if (all == 0) {
        return 0;
    }
    parts = (uint64_t)parts < all ? parts : (int64_t)all;
    uint64_t turn = rng_u64(rng) % all; // where the first part begins: no place is always in a smaller one
    size_t drawn = 0;
    size_t span = 0;
    uint64_t before = 0; // places of the spans before
    for (int64_t part = 0; part < parts; part++) {
        uint64_t begin = part_begin(all, part, parts);
        uint64_t place = begin + rng_u64(rng) % (part_begin(all, part + 1, parts) - begin);
        place = place < all - turn ? place + turn : place - (all - turn);
        if (place < before) { // once around
            before = 0;
            span = 0;
        }
        while (place - before >= (uint64_t)span_places(&spans[span], size)) {
            before += (uint64_t)span_places(&spans[span++], size);
        }
        int64_t start = spans[span].start + (int64_t)(place - before) * size;
        int64_t end = spans[span].end - start > size ? start + size : spans[span].end;
        ret[drawn++] = (struct sample_span){spans[span].partition, start, end};
    }
    sample_shuffle(ret, drawn, rng);
    return drawn;
}

int64_t sample_run_seen(const struct sample_span *spans, size_t count, int64_t wanted)
{
    // Of a part that lies in the run with the whole of the places at its ends, one is drawn. In any run of
    // two parts and two places there is such a part.
    int64_t size = place_size(wanted);
    uint64_t part = places_all(spans, count, size) / (uint64_t)places_wanted(wanted) + 1;
    uint64_t run = 2 * part + 2;
    return run < (uint64_t)(INT64_MAX / size) ? (int64_t)run * size : INT64_MAX;
}

void sample_size_add(struct sample_size *size, int64_t offsets, int64_t records)
{
    size->places += records > 0 ? 1 : 0;
    size->offsets += offsets;
    size->records += records;
    size->squares += (double)records * (double)records;
}

void sample_found_add(struct sample_found *found, int64_t records, int64_t of)
{
    found->records += records;
    found->places += records > 0 ? 1 : 0;
    found->wholes += records > 0 && records == of ? 1 : 0;
    found->squares += (double)records * (double)records;
    found->products += (double)records * (double)of;
}

void sample_found_join(struct sample_found *found, const struct sample_found *other)
{
    found->records += other->records;
    found->places += other->places;
    found->wholes += other->wholes;
    found->squares += other->squares;
    found->products += other->products;
}

// worth is how many records drawn one by one would tell as much.
static double worth(const struct sample_size *size, const struct sample_found *found)
{
    double n = (double)size->records;
    double p = (double)found->records / n;
    double differences = found->squares - 2 * p * found->products + p * p * size->squares;
    double worth = n;
    if (differences > n * p * (1 - p)) { // places differ more than chance makes them
        worth = n * n * p * (1 - p) / differences;
    }
    bool is_told = found->places >= PLACES_FEW && size->places - found->wholes >= PLACES_FEW;
    return is_told || worth < (double)size->places ? worth : (double)size->places;
}

void sample_bounds(const struct sample_size *size, const struct sample_found *found, double *ret_low,
                   double *ret_high)
{
    *ret_low = 0;
    *ret_high = 1;
    if (size->records == 0) {
        return;
    }
    double n = worth(size, found);
    double p = (double)found->records / (double)size->records;
    double z2 = SURE_95 * SURE_95;
    double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = SURE_95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);
    double low = p > 0 && middle > half ? middle - half : 0; // not what rounding leaves
    double high = p < 1 && middle + half < 1 ? middle + half : 1;
    // What no place has met says nothing of how much there is of it: a run between the places may be of other
    // records than all that were seen. That much of the topic may be so, by the bound for a thing that none
    // of `places` draws has.
    double hidden = z2 / ((double)size->places + z2);
    *ret_low = low < p - hidden * p ? low : p - hidden * p;
    *ret_high = high > p + hidden * (1 - p) ? high : p + hidden * (1 - p);
}
