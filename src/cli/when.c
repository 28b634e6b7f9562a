// SPDX-License-Identifier: Apache-2.0
#include "cli/when.h"

#include <stdio.h>

enum { MS_PER_S = 1000, MS_PER_MIN = 60000, MS_PER_H = 3600000, MS_PER_DAY = 86400000 };

static const int64_t MS_MAX = 253402300799999; // the end of year 9999

// Days since 1970 of a date in the Gregorian calendar, by eras of 400 years that begin in March.
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    int64_t shifted = month <= 2 ? year - 1 : year;
    int64_t era = shifted / 400;
    int64_t year_of_era = shifted - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

// take_digits reads exactly `count` digits off the front.
static bool take_digits(struct str *text, size_t count, int64_t *ret)
{
    int64_t value = 0;
    if (text->len < count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (text->ptr[i] < '0' || text->ptr[i] > '9') {
            return false;
        }
        value = value * 10 + (text->ptr[i] - '0');
    }
    *text = (struct str){text->ptr + count, text->len - count};
    *ret = value;
    return true;
}

static bool take_char(struct str *text, char c)
{
    if (text->len == 0 || text->ptr[0] != c) {
        return false;
    }
    *text = (struct str){text->ptr + 1, text->len - 1};
    return true;
}

// take_fraction reads 1 to 9 digits after a point as milliseconds; what is finer is dropped.
static bool take_fraction(struct str *text, int64_t *ret_ms)
{
    int64_t digit;
    int64_t unit = 100;
    size_t count = 0;
    *ret_ms = 0;
    while (count < 9 && take_digits(text, 1, &digit)) {
        *ret_ms += digit * unit;
        unit /= 10;
        count++;
    }
    return count > 0;
}

static bool take_zone(struct str *text, int64_t *ret_ms)
{
    int64_t hours;
    int64_t minutes = 0;
    *ret_ms = 0;
    if (text->len == 0 || take_char(text, 'Z')) {
        return true;
    }
    bool is_west = take_char(text, '-');
    if (!is_west && !take_char(text, '+')) {
        return false;
    }
    if (!take_digits(text, 2, &hours)) {
        return false;
    }
    if (text->len > 0) {
        (void)take_char(text, ':');
        if (!take_digits(text, 2, &minutes)) {
            return false;
        }
    }
    int64_t ms = hours * MS_PER_H + minutes * MS_PER_MIN;
    *ret_ms = is_west ? -ms : ms;
    return hours <= 18 && minutes <= 59;
}

static bool take_time(struct str *text, int64_t *ret_ms)
{
    int64_t hour;
    int64_t minute;
    int64_t second = 0;
    int64_t ms = 0;
    bool is_good = take_digits(text, 2, &hour) && take_char(text, ':') && take_digits(text, 2, &minute);
    if (is_good && take_char(text, ':')) {
        is_good = take_digits(text, 2, &second);
        is_good = is_good && (!take_char(text, '.') || take_fraction(text, &ms));
    }
    if (!is_good || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *ret_ms = hour * MS_PER_H + minute * MS_PER_MIN + second * MS_PER_S + ms;
    return true;
}

bool when_parse(struct str text, int64_t *ret_ms)
{
    int64_t year;
    int64_t month;
    int64_t day;
    int64_t time_ms = 0;
    int64_t zone_ms = 0;
    if (take_char(&text, '@')) {
        return str_parse_i64(text, ret_ms) && *ret_ms >= 0 && *ret_ms <= MS_MAX;
    }
    if (!take_digits(&text, 4, &year) || !take_char(&text, '-') || !take_digits(&text, 2, &month) ||
        !take_char(&text, '-') || !take_digits(&text, 2, &day) || month < 1 || month > 12 || day < 1 ||
        day > days_of_month(year, month)) {
        return false;
    }
    if (take_char(&text, 'T') || take_char(&text, ' ')) {
        if (!take_time(&text, &time_ms)) {
            return false;
        }
    }
    if (!take_zone(&text, &zone_ms) || text.len > 0) {
        return false;
    }
    int64_t ms = days_from_date(year, month, day) * MS_PER_DAY + time_ms - zone_ms;
    if (ms < 0) {
        return false;
    }
    *ret_ms = ms;
    return true;
}

bool duration_parse(struct str text, int64_t *ret_ms)
{
    static const struct {
        char letter;
        bool is_time;
        int64_t ms;
    } units[] = {{'W', false, (int64_t)7 * MS_PER_DAY},
                 {'D', false, MS_PER_DAY},
                 {'H', true, MS_PER_H},
                 {'M', true, MS_PER_MIN},
                 {'S', true, MS_PER_S}};
    enum { UNITS = sizeof units / sizeof *units, DIGITS_MAX = 12 };
    int64_t total = 0;
    size_t next = 0; // units come in this order, each once
    bool is_time = false;
    if (!take_char(&text, 'P') || text.len == 0) {
        return false;
    }
    while (text.len > 0) {
        if (!is_time && take_char(&text, 'T')) {
            is_time = true;
        }
        int64_t value = 0;
        int64_t digit;
        int64_t fraction_ms = 0;
        size_t digits = 0;
        for (; digits < DIGITS_MAX && take_digits(&text, 1, &digit); digits++) {
            value = value * 10 + digit;
        }
        bool has_fraction = take_char(&text, '.');
        if (digits == 0 || (has_fraction && !take_fraction(&text, &fraction_ms))) {
            return false;
        }
        while (next < UNITS && !(units[next].is_time == is_time && take_char(&text, units[next].letter))) {
            next++;
        }
        if (next == UNITS || (has_fraction && units[next].letter != 'S') || value > MS_MAX / units[next].ms) {
            return false;
        }
        total += value * units[next++].ms + fraction_ms;
        if (total > MS_MAX) {
            return false;
        }
    }
    *ret_ms = total;
    return true;
}

void when_format(int64_t ms, char ret_text[WHEN_TEXT_SIZE])
{
    int64_t days = ms / MS_PER_DAY;
    int64_t rest = ms % MS_PER_DAY;
    int64_t year = 1970;
    int64_t month = 1;
    while (days >= (is_leap(year) ? 366 : 365)) {
        days -= is_leap(year) ? 366 : 365;
        year++;
    }
    while (days >= days_of_month(year, month)) {
        days -= days_of_month(year, month);
        month++;
    }
    snprintf(ret_text, WHEN_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)year, (int)month,
             (int)days + 1, (int)(rest / MS_PER_H), (int)(rest % MS_PER_H / MS_PER_MIN),
             (int)(rest % MS_PER_MIN / MS_PER_S), (int)(rest % MS_PER_S));
}

void span_format(int64_t seconds, char ret_text[WHEN_TEXT_SIZE])
{
    int64_t minutes = seconds / 60;
    int64_t hours = minutes / 60;
    if (minutes == 0) {
        snprintf(ret_text, WHEN_TEXT_SIZE, "%lld s", (long long)seconds);
    } else if (hours == 0) {
        snprintf(ret_text, WHEN_TEXT_SIZE, "%lld min %lld s", (long long)minutes, (long long)(seconds % 60));
    } else if (hours < 48) {
        snprintf(ret_text, WHEN_TEXT_SIZE, "%lld h %lld min", (long long)hours, (long long)(minutes % 60));
    } else {
        snprintf(ret_text, WHEN_TEXT_SIZE, "%lld d %lld h", (long long)(hours / 24), (long long)(hours % 24));
    }
}
