// SPDX-License-Identifier: Apache-2.0
// zone.c - by how much a time zone is ahead of UTC at a time.
#include "cel/time_private.h"
#include "cel/zone_private.h"

enum { SECONDS_PER_DAY = 86400 };

static const struct zone *find_name(struct str name)
{
    size_t low = 0;
    size_t high = zone_name_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(str_from_c(zone_names[middle].name), name);
        if (order == 0) {
            return &zones[zone_names[middle].zone];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

// When the date is in a year, in seconds of the clock on the wall.
static int64_t date_second(const struct zone_date *date, int64_t year)
{
    int64_t days = time_days(year, date->month, 1);
    int weekday = time_calendar(days * SECONDS_PER_DAY).weekday;
    days += (date->weekday - weekday + 7) % 7 + (date->week - 1) * 7;
    int64_t next_month = date->month == 12 ? time_days(year + 1, 1, 1) : time_days(year, date->month + 1, 1);
    return (days >= next_month ? days - 7 : days) * SECONDS_PER_DAY + date->seconds;
}

static int64_t offset_by_rule(const struct zone *zone, int64_t seconds)
{
    if (zone->begin.month == 0) {
        return zone->standard;
    }
    int64_t year = time_calendar(seconds + zone->standard).year;
    int64_t begin = date_second(&zone->begin, year) - zone->standard;
    int64_t end = date_second(&zone->end, year) - zone->summer;
    bool is_summer = begin < end ? seconds >= begin && seconds < end : seconds >= begin || seconds < end;
    return is_summer ? zone->summer : zone->standard;
}

bool zone_find(struct str name, int64_t seconds, int64_t *ret_offset)
{
    const struct zone *zone = find_name(name);
    if (zone == NULL) {
        return false;
    }
    uint32_t low = 0; // how many changes are over
    uint32_t high = zone->change_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->changes[middle].second <= seconds) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == zone->change_count) {
        *ret_offset = offset_by_rule(zone, seconds);
    } else {
        *ret_offset = low == 0 ? zone->first : zone->changes[low - 1].offset;
    }
    return true;
}
