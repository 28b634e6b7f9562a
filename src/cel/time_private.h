// SPDX-License-Identifier: Apache-2.0
// time_private.h - dates, and time as text.
#ifndef CEL_TIME_PRIVATE_H
#define CEL_TIME_PRIVATE_H

#include "cel/cel_private.h"

enum { TIME_TEXT_SIZE = 48 };

struct calendar {
    int64_t year;
    int month; // from 1
    int day;   // from 1
    int hour;
    int minute;
    int second;
    int weekday;     // from Sunday, 0
    int day_of_year; // from 0
};
struct calendar time_calendar(int64_t seconds);
int64_t time_days(int64_t year, int month, int day); // since 1970-01-01

bool time_parse_timestamp(struct str text, struct cel_value *ret); // RFC 3339
bool time_parse_duration(struct str text, struct cel_value *ret);  // "1h30m", "-1.5s"
// Both return the text's length.
size_t time_print_timestamp(struct cel_value value, char ret_text[TIME_TEXT_SIZE]);
size_t time_print_duration(struct cel_value value, char ret_text[TIME_TEXT_SIZE]);

// zone_find tells by how much a zone of the IANA database is ahead of UTC at a time; false: there is no such
// zone.
bool zone_find(struct str name, int64_t seconds, int64_t *ret_offset);

extern const struct cel_library cel_time_library;

#endif
