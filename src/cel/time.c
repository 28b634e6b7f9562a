// SPDX-License-Identifier: Apache-2.0
// time.c - timestamps and durations as text, and as what a calendar says of them in a time zone.
#include "cel/time_private.h"

#include <stdio.h>

enum { SECONDS_PER_DAY = 86400, DAYS_PER_ERA = 146097, DAYS_TO_EPOCH = 719468 };

// ---- the calendar (proleptic Gregorian; eras of 400 years that begin with March)

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t time_days(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_divide(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH;
}

struct calendar time_calendar(int64_t seconds)
{
    int64_t days = floor_divide(seconds, SECONDS_PER_DAY);
    int64_t of_day = seconds - days * SECONDS_PER_DAY;
    int64_t shifted = days + DAYS_TO_EPOCH;
    int64_t era = floor_divide(shifted, DAYS_PER_ERA);
    int64_t day_of_era = shifted - era * DAYS_PER_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; // from March
    struct calendar c = {
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
        .hour = (int)(of_day / 3600),
        .minute = (int)(of_day / 60 % 60),
        .second = (int)(of_day % 60),
        .weekday = (int)((days % 7 + 11) % 7),
    };
    c.year = year_of_era + era * 400 + (c.month <= 2);
    c.day_of_year = (int)(days - time_days(c.year, 1, 1));
    return c;
}

static bool is_day(int64_t year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && is_leap);
}

// ---- reading

// Digits at *at, exactly `count`; -1: they are none.
static int digits(struct str *at, int count)
{
    int number = 0;
    if (at->len < (size_t)count) {
        return -1;
    }
    for (int i = 0; i < count; i++) {
        if (at->ptr[i] < '0' || at->ptr[i] > '9') {
            return -1;
        }
        number = number * 10 + (at->ptr[i] - '0');
    }
    at->ptr += count;
    at->len -= (size_t)count;
    return number;
}

static bool take(struct str *at, const char *any)
{
    if (at->len == 0 || strchr(any, at->ptr[0]) == NULL || at->ptr[0] == '\0') {
        return false;
    }
    at->ptr++;
    at->len--;
    return true;
}

// A fraction of a second behind its point, as nanoseconds; -1: there are no digits, or more than nine.
static int64_t fraction(struct str *at)
{
    int64_t nanos = 0;
    int count = 0;
    while (at->len > 0 && at->ptr[0] >= '0' && at->ptr[0] <= '9') {
        if (++count > 9) {
            return -1;
        }
        nanos = nanos * 10 + (at->ptr[0] - '0');
        at->ptr++;
        at->len--;
    }
    for (int i = count; i < 9; i++) {
        nanos *= 10;
    }
    return count == 0 ? -1 : nanos;
}

// "+hh:mm", "-hh:mm", "hh:mm"
static bool offset_of(struct str *at, int64_t *ret_seconds)
{
    bool is_negative = at->len > 0 && at->ptr[0] == '-';
    take(at, "+-");
    int hours = digits(at, 2);
    if (hours < 0 || !take(at, ":")) {
        return false;
    }
    int minutes = digits(at, 2);
    if (minutes < 0 || minutes > 59 || hours > 23) {
        return false;
    }
    int64_t seconds = hours * 3600 + minutes * 60;
    *ret_seconds = is_negative ? -seconds : seconds;
    return true;
}

static bool parse_clock(struct str *at, int64_t *ret_seconds, int64_t *ret_nanos)
{
    int hour = digits(at, 2);
    bool has_colon = take(at, ":");
    int minute = digits(at, 2);
    bool has_second = take(at, ":");
    int second = digits(at, 2);
    *ret_nanos = take(at, ".") ? fraction(at) : 0;
    *ret_seconds = hour * 3600 + minute * 60 + second;
    return has_colon && has_second && hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 &&
           second <= 59 && *ret_nanos >= 0;
}

bool time_parse_timestamp(struct str text, struct cel_value *ret)
{
    int64_t of_day;
    int64_t nanos;
    int64_t offset = 0;
    int year = digits(&text, 4);
    bool has_dash = take(&text, "-");
    int month = digits(&text, 2);
    has_dash &= take(&text, "-");
    int day = digits(&text, 2);
    if (year < 0 || !has_dash || !is_day(year, month, day) || !take(&text, "T") ||
        !parse_clock(&text, &of_day, &nanos)) {
        return false;
    }
    bool is_zoned =
        take(&text, "Z") || (text.len > 0 && strchr("+-", text.ptr[0]) != NULL && offset_of(&text, &offset));
    int64_t seconds = time_days(year, month, day) * SECONDS_PER_DAY + of_day - offset;
    if (!is_zoned || text.len != 0 || seconds < CEL_TIMESTAMP_MIN || seconds > CEL_TIMESTAMP_MAX) {
        return false;
    }
    *ret = cel_timestamp(seconds, (uint32_t)nanos);
    return true;
}

struct unit {
    const char *name;
    int64_t nanos;
};

static const struct unit *unit_at(struct str *at)
{
    static const struct unit units[] = {
        {"ns", 1},       {"us", 1000},        {"\xc2\xb5s", 1000},  {"\xce\xbcs", 1000},
        {"ms", 1000000}, {"s", 1000000000LL}, {"m", 60000000000LL}, {"h", 3600000000000LL},
    };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        struct str name = str_from_c(units[i].name);
        if (str_has_prefix(*at, name)) {
            at->ptr += name.len;
            at->len -= name.len;
            return &units[i];
        }
    }
    return NULL;
}

// A number with its unit is added to *nanos; false: there is none, or it is too large.
static bool add_part(struct str *at, __int128_t *nanos)
{
    int64_t whole = 0;
    int64_t parts = 0; // of the fraction
    int64_t scale = 1;
    bool has_digits = false;
    for (; at->len > 0 && at->ptr[0] >= '0' && at->ptr[0] <= '9'; at->ptr++, at->len--) {
        has_digits = true;
        if (whole > CEL_DURATION_MAX * CEL_NANOS_PER_SECOND / 10 - 10) {
            return false;
        }
        whole = whole * 10 + (at->ptr[0] - '0');
    }
    if (take(at, ".")) {
        for (; at->len > 0 && at->ptr[0] >= '0' && at->ptr[0] <= '9'; at->ptr++, at->len--) {
            has_digits = true;
            if (scale < 1000000000000000LL) {
                parts = parts * 10 + (at->ptr[0] - '0');
                scale *= 10;
            }
        }
    }
    const struct unit *unit = has_digits ? unit_at(at) : NULL;
    if (unit == NULL) {
        return false;
    }
    *nanos += (__int128_t)whole * unit->nanos + (__int128_t)parts * unit->nanos / scale;
    return *nanos <= (__int128_t)INT64_MAX;
}

bool time_parse_duration(struct str text, struct cel_value *ret)
{
    __int128_t nanos = 0;
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    take(&text, "+-");
    if (str_equal(text, STR("0"))) {
        *ret = cel_duration(0, 0);
        return true;
    }
    if (text.len == 0) {
        return false;
    }
    while (text.len > 0) {
        if (!add_part(&text, &nanos)) {
            return false;
        }
    }
    int64_t signed_nanos = (int64_t)(is_negative ? -nanos : nanos);
    int64_t seconds = floor_divide(signed_nanos, CEL_NANOS_PER_SECOND);
    *ret = cel_duration(seconds, (uint32_t)(signed_nanos - seconds * CEL_NANOS_PER_SECOND));
    return true;
}

// ---- writing

// Nanoseconds behind a point, in groups of three digits, as Protobuf's JSON form has them.
static int print_fraction(char *text, size_t size, uint32_t nanos)
{
    if (nanos == 0) {
        text[0] = '\0';
        return 0;
    }
    int width = 9;
    while (nanos % 1000 == 0) {
        nanos /= 1000;
        width -= 3;
    }
    return snprintf(text, size, ".%0*u", width, nanos);
}

size_t time_print_timestamp(struct cel_value value, char ret_text[TIME_TEXT_SIZE])
{
    char part[16];
    struct calendar c = time_calendar(value.i);
    print_fraction(part, sizeof part, value.len);
    return (size_t)snprintf(ret_text, TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", (int)c.year,
                            c.month, c.day, c.hour, c.minute, c.second, part);
}

size_t time_print_duration(struct cel_value value, char ret_text[TIME_TEXT_SIZE])
{
    char part[16];
    int64_t seconds = value.i;
    uint32_t nanos = value.len;
    bool is_negative = seconds < 0;
    if (is_negative && nanos > 0) {
        seconds++;
        nanos = CEL_NANOS_PER_SECOND - nanos;
    }
    print_fraction(part, sizeof part, nanos);
    return (size_t)snprintf(ret_text, TIME_TEXT_SIZE, "%s%lld%ss", is_negative ? "-" : "",
                            (long long)(is_negative ? -seconds : seconds), part);
}

// ---- zones

// "UTC", an offset, or a name of the IANA database. False: it is unknown.
static bool zone_offset(struct str zone, int64_t seconds, int64_t *ret)
{
    struct str at = zone;
    *ret = 0;
    if (zone.len == 0 || str_equal(zone, STR("UTC")) || str_equal(zone, STR("Z"))) {
        return true;
    }
    if ((zone.ptr[0] >= '0' && zone.ptr[0] <= '9') || zone.ptr[0] == '+' || zone.ptr[0] == '-') {
        return offset_of(&at, ret) && at.len == 0;
    }
    return zone_find(zone, seconds, ret);
}

// ---- accessors

static struct cel_value get_part(struct cel_call *call, const struct cel_value *args,
                                 int (*part)(const struct calendar *))
{
    int64_t offset = 0;
    if (call->count > 1 && !zone_offset(cel_str(args[1]), args[0].i, &offset)) {
        return cel_fail_static("an unknown time zone");
    }
    struct calendar c = time_calendar(args[0].i + offset);
    return cel_int(part(&c));
}

#define ACCESSOR(name, expression)                                                                           \
    static int name##_part(const struct calendar *c)                                                         \
    {                                                                                                        \
        return expression;                                                                                   \
    }                                                                                                        \
    static struct cel_value name(struct cel_call *call, const struct cel_value *args)                        \
    {                                                                                                        \
        return get_part(call, args, name##_part);                                                            \
    }
ACCESSOR(full_year, (int)c->year)
ACCESSOR(month, c->month - 1)
ACCESSOR(date, c->day)
ACCESSOR(day_of_month, c->day - 1)
ACCESSOR(day_of_week, c->weekday)
ACCESSOR(day_of_year, c->day_of_year)
ACCESSOR(hours, c->hour)
ACCESSOR(minutes, c->minute)
ACCESSOR(seconds, c->second)
#undef ACCESSOR

static struct cel_value milliseconds(struct cel_call *call, const struct cel_value *args)
{
    int64_t offset;
    if (call->count > 1 && !zone_offset(cel_str(args[1]), args[0].i, &offset)) {
        return cel_fail_static("an unknown time zone");
    }
    return cel_int(args[0].len / 1000000);
}

// Of a duration, towards zero.
static int64_t whole_seconds(struct cel_value duration)
{
    return duration.i + (duration.i < 0 && duration.len > 0);
}

static struct cel_value duration_hours(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_int(whole_seconds(args[0]) / 3600);
}

static struct cel_value duration_minutes(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_int(whole_seconds(args[0]) / 60);
}

static struct cel_value duration_seconds(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_int(whole_seconds(args[0]));
}

// The part of a second, as the language's definition has it; not the whole in milliseconds.
static struct cel_value duration_milliseconds(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    bool is_negative = args[0].i < 0 && args[0].len > 0;
    int64_t nanos = is_negative ? (int64_t)args[0].len - CEL_NANOS_PER_SECOND : args[0].len;
    return cel_int(nanos / 1000000);
}

#define OF_TIME(named, function)                                                                             \
    {.name = named, .signature = "t:i", .call = function, .is_member = true},                                \
    {                                                                                                        \
        .name = named, .signature = "ts:i", .call = function, .is_member = true                              \
    }
static const struct cel_function functions[] = {
    OF_TIME("getFullYear", full_year),
    OF_TIME("getMonth", month),
    OF_TIME("getDate", date),
    OF_TIME("getDayOfMonth", day_of_month),
    OF_TIME("getDayOfWeek", day_of_week),
    OF_TIME("getDayOfYear", day_of_year),
    OF_TIME("getHours", hours),
    OF_TIME("getMinutes", minutes),
    OF_TIME("getSeconds", seconds),
    OF_TIME("getMilliseconds", milliseconds),
    {.name = "getHours", .signature = "r:i", .call = duration_hours, .is_member = true},
    {.name = "getMinutes", .signature = "r:i", .call = duration_minutes, .is_member = true},
    {.name = "getSeconds", .signature = "r:i", .call = duration_seconds, .is_member = true},
    {.name = "getMilliseconds", .signature = "r:i", .call = duration_milliseconds, .is_member = true},
};
#undef OF_TIME

const struct cel_library cel_time_library = {functions, sizeof functions / sizeof functions[0], NULL, 0};
