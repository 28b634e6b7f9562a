// SPDX-License-Identifier: Apache-2.0
// zone_private.h - the time zones of the IANA database as tables, which tools/zone_table.py writes during the
// build.
#ifndef CEL_ZONE_PRIVATE_H
#define CEL_ZONE_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

struct zone_change {
    int64_t second; // since 1970: from here on
    int32_t offset; // seconds ahead of UTC
};

// A date that comes each year: the week'th weekday of a month (5: the last), and seconds after its midnight.
struct zone_date {
    int8_t month; // from 1; 0: there is no summer time
    int8_t week;
    int8_t weekday; // from Sunday, 0
    int32_t seconds;
};

struct zone {
    const struct zone_change *changes;
    uint32_t change_count;
    int32_t first; // before the first change
    // After the last one.
    int32_t standard;
    int32_t summer;
    struct zone_date begin; // of summer time, in standard time
    struct zone_date end;   // in summer time
};

struct zone_name {
    const char *name;
    uint32_t zone;
};

extern const struct zone zones[];
extern const struct zone_name zone_names[]; // sorted
extern const size_t zone_name_count;

#endif
