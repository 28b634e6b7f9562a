// SPDX-License-Identifier: Apache-2.0
// sample.h - a sample of what a topic holds, and what it tells of all. Pure.
//
// The offsets of each partition are cut into places of some successive ones. All places, partition after
// partition, are cut once more into equally large parts, and of each part one place is drawn at random: so
// the sample is spread over all partitions and all times, and no offset is likelier than another.
#ifndef CLI_SAMPLE_H
#define CLI_SAMPLE_H

#include "platform/env.h"

enum {
    SAMPLE_PLACES_MAX = 2000, // more cost more reads, and do not tell much more
};

struct sample_span { // offsets of one partition, not negative
    int32_t partition;
    int64_t start;
    int64_t end;
};

int64_t sample_span_total(const struct sample_span *spans, size_t count); // at most INT64_MAX

// sample_draw draws places of about `wanted` offsets in all, at least 1. ret has room for SAMPLE_PLACES_MAX;
// how many there are is returned. They come in random order: the first of them are a fair sample, too.
size_t sample_draw(const struct sample_span *spans, size_t count, int64_t wanted, struct rng *rng,
                   struct sample_span *ret);
void sample_shuffle(struct sample_span *spans, size_t count, struct rng *rng);
// sample_run_seen is the length from which a run of successive offsets of one partition has a place in every
// sample that is drawn so.
int64_t sample_run_seen(const struct sample_span *spans, size_t count, int64_t wanted);

// What was judged. Sums over the places; so are those of what was found.
struct sample_size {
    int64_t places; // with records
    int64_t offsets;
    int64_t records;
    double squares; // of the records of each place
};
// What was found: of how many records one thing is true, such as that they break a rule.
struct sample_found {
    int64_t records;
    int64_t places; // where it is true of a record
    int64_t wholes; // where it is true of every record
    double squares; // of the records of each place
    double products;
};
void sample_size_add(struct sample_size *size, int64_t offsets, int64_t records); // one place
void sample_found_add(struct sample_found *found, int64_t records, int64_t of);
void sample_found_join(struct sample_found *found, const struct sample_found *other);

// sample_bounds gives the share of all records of which it is true: in 95 of 100 samples it lies between
// them. Wilson's interval, for as many records as the sample is worth: fewer than it has, where places differ
// more than chance makes them differ; and one for each place, while few places tell how much they differ. It
// is never so narrow that a run of records which all places have missed could not be in it.
void sample_bounds(const struct sample_size *size, const struct sample_found *found, double *ret_low,
                   double *ret_high);

#endif
