// SPDX-License-Identifier: Apache-2.0
// lib_sets.c - lists as sets: contains, equivalent, intersects. Each pair of items is compared, and paid for.
#include "cel/library.h"

static bool has_item(struct cel_call *call, struct cel_value list, struct cel_value wanted)
{
    struct cel_walk walk = cel_walk(list);
    struct cel_value key;
    struct cel_value item;
    while (cel_walk_next(call, &walk, &key, &item)) {
        if (cel_is_equal(call, item, wanted)) {
            return true;
        }
    }
    return false;
}

// Whether all items of `part` (or, with `is_any`, one of them) are in `whole`.
static bool has_items(struct cel_call *call, struct cel_value whole, struct cel_value part, bool is_any)
{
    struct cel_walk walk = cel_walk(part);
    struct cel_value key;
    struct cel_value item;
    while (cel_walk_next(call, &walk, &key, &item)) {
        if (has_item(call, whole, item) == is_any) {
            return is_any;
        }
    }
    return !is_any;
}

static struct cel_value result(struct cel_call *call, bool value)
{
    return call->is_over ? cel_over(call) : cel_bool(value);
}

static struct cel_value contains(struct cel_call *call, const struct cel_value *args)
{
    return result(call, has_items(call, args[0], args[1], false));
}

static struct cel_value equivalent(struct cel_call *call, const struct cel_value *args)
{
    return result(call, has_items(call, args[0], args[1], false) && has_items(call, args[1], args[0], false));
}

static struct cel_value intersects(struct cel_call *call, const struct cel_value *args)
{
    return result(call, has_items(call, args[0], args[1], true));
}

static const struct cel_function functions[] = {
    {.name = "sets.contains", .signature = "[A[A:b", .call = contains},
    {.name = "sets.equivalent", .signature = "[A[A:b", .call = equivalent},
    {.name = "sets.intersects", .signature = "[A[A:b", .call = intersects},
};

const struct cel_library cel_sets_library = {
    .functions = functions,
    .function_count = sizeof functions / sizeof *functions,
};
