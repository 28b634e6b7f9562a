// SPDX-License-Identifier: Apache-2.0
// lib_timestamp.c - timestamp.of(x), timestamp.of(number, unit) and timestamp(number, precision), as in
// Confluent's clients.
#include "cel/library.h"
#include "cel/time_private.h"

static struct cel_value of(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    if (args[0].kind == CEL_TIMESTAMP) {
        return args[0];
    }
    if (args[0].kind == CEL_STRING) {
        struct cel_value value;
        return time_parse_timestamp(cel_str(args[0]), &value)
                   ? value
                   : cel_fail_static("a string that is no timestamp");
    }
    if (args[0].kind == CEL_INT) {
        return cel_fail_static("a number is no timestamp without its unit: timestamp.of(number, \"millis\")");
    }
    return cel_fail_static("timestamp.of cannot take a value of this type");
}

static struct cel_value of_units(int64_t number, int64_t per_second)
{
    int64_t seconds = number / per_second;
    int64_t rest = number % per_second;
    if (rest < 0) {
        rest += per_second;
        seconds--;
    }
    if (seconds < CEL_TIMESTAMP_MIN || seconds > CEL_TIMESTAMP_MAX) {
        return cel_fail_static("timestamp out of range");
    }
    return cel_timestamp(seconds, (uint32_t)(rest * (CEL_NANOS_PER_SECOND / per_second)));
}

static const struct {
    struct str name;
    int64_t precision;
    int64_t per_second;
} units[] = {
    {{"seconds", 7}, 0, 1},
    {{"millis", 6}, 3, 1000},
    {{"micros", 6}, 6, 1000000},
    {{"nanos", 5}, 9, CEL_NANOS_PER_SECOND},
};

static struct cel_value of_number(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (str_equal(units[i].name, cel_str(args[1]))) {
            return of_units(args[0].i, units[i].per_second);
        }
    }
    return cel_fail_static("the unit of timestamp.of is seconds, millis, micros or nanos");
}

static struct cel_value of_precision(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].precision == args[1].i) {
            return of_units(args[0].i, units[i].per_second);
        }
    }
    return cel_fail_static("the precision of timestamp() is 0, 3, 6 or 9");
}

static const struct cel_function functions[] = {
    {.name = "timestamp.of", .signature = "*:t", .call = of},
    {.name = "timestamp.of", .signature = "is:t", .call = of_number},
    {.name = "timestamp", .signature = "ii:t", .call = of_precision},
};

const struct cel_library cel_timestamp_library = {
    .functions = functions,
    .function_count = sizeof functions / sizeof *functions,
};
