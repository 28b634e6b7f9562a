// SPDX-License-Identifier: Apache-2.0
#include "cli/reset_plan.h"

bool reset_offset(enum reset_kind kind, int64_t number, const struct reset_place *place, int64_t *ret_offset,
                  bool *ret_is_clamped)
{
    int64_t wanted = 0;
    switch (kind) {
    case RESET_EARLIEST:
        wanted = place->start;
        break;
    case RESET_LATEST:
        wanted = place->end;
        break;
    case RESET_CURRENT:
        wanted = place->committed >= 0 ? place->committed : place->end;
        break;
    case RESET_OFFSET:
        wanted = number;
        break;
    case RESET_SHIFT:
        if (place->committed < 0) {
            return false;
        }
        if (__builtin_add_overflow(place->committed, number, &wanted)) {
            wanted = number < 0 ? INT64_MIN : INT64_MAX;
        }
        break;
    case RESET_TIME:
        wanted = place->at_time >= 0 ? place->at_time : place->end;
        break;
    }
    *ret_is_clamped = wanted < place->start || wanted > place->end;
    *ret_offset = wanted < place->start ? place->start : wanted > place->end ? place->end : wanted;
    return true;
}

bool reset_line_parse(struct str line, struct str *ret_group, struct str *ret_topic, int32_t *ret_partition,
                      int64_t *ret_offset)
{
    struct str fields[4];
    size_t count = 0;
    struct str rest = line;
    while (rest.ptr != NULL) {
        if (count == 4) {
            return false;
        }
        struct str field = str_trim(str_cut(rest, ',', &rest));
        if (field.len >= 2 && field.ptr[0] == '"' && field.ptr[field.len - 1] == '"') {
            field = (struct str){field.ptr + 1, field.len - 2}; // as spreadsheets write it
        }
        fields[count++] = field;
    }
    int64_t partition;
    if (count < 3 || fields[count - 3].len == 0 || !str_parse_i64(fields[count - 2], &partition) ||
        partition < 0 || partition > INT32_MAX || !str_parse_i64(fields[count - 1], ret_offset) ||
        *ret_offset < 0) {
        return false;
    }
    *ret_group = count == 4 ? fields[0] : (struct str){NULL, 0};
    *ret_topic = fields[count - 3];
    *ret_partition = (int32_t)partition;
    return true;
}
