// SPDX-License-Identifier: Apache-2.0
// where.c - --offset: where in a partition to begin.
#include "cli/fetcher.h"

bool where_parse(struct str text, struct where *ret)
{
    *ret = (struct where){WHERE_START, 0};
    if (str_equal(text, STR("earliest")) || str_equal(text, STR("beginning"))) {
        return true;
    }
    if (str_equal(text, STR("latest")) || str_equal(text, STR("end"))) {
        ret->kind = WHERE_END;
        return true;
    }
    bool is_time = text.len > 0 && text.ptr[0] == '@';
    struct str digits = is_time ? (struct str){text.ptr + 1, text.len - 1} : text;
    if (!str_parse_i64(digits, &ret->number) || (is_time && ret->number < 0)) {
        return false;
    }
    ret->kind = is_time ? WHERE_TIME : text.ptr[0] == '-' ? WHERE_LAST : WHERE_OFFSET;
    return true;
}

static bool part_begin(struct run *run, const struct where *where, struct fetch_part *part, bool is_alone,
                       int64_t start, int64_t at_time, const char *what)
{
    switch (where->kind) {
    case WHERE_START:
        part->next = start;
        break;
    case WHERE_END:
        part->next = part->end;
        break;
    case WHERE_LAST:
        part->next = where->number < start - part->end ? start : part->end + where->number;
        break;
    case WHERE_TIME:
        part->next = at_time < 0 ? part->end : at_time;
        break;
    case WHERE_OFFSET:
        part->next = where->number;
        break;
    }
    bool is_outside = part->next < start || part->next > part->end;
    if (is_outside && is_alone) {
        run_refused(run, what, ERR_OFFSET_OUT_OF_RANGE,
                    run_print(run, "partition %d has offsets %lld to %lld", part->partition, (long long)start,
                              (long long)part->end),
                    "--offset earliest begins at the first one there is");
        return false;
    }
    if (is_outside) { // one offset for several partitions seldom fits all
        run_note("strom: partition %d has offsets %lld to %lld: beginning at the nearest", part->partition,
                 (long long)start, (long long)part->end);
        part->next = part->next < start ? start : part->end;
    }
    return true;
}

bool where_begin(struct run *run, const struct where *where, struct fetch_part *parts, size_t count,
                 bool is_exiting, const char *what)
{
    int32_t *partitions = run_room(run, count, sizeof *partitions);
    int64_t *starts = run_room(run, count, sizeof *starts);
    int64_t *ends = run_room(run, count, sizeof *ends);
    int64_t *times = run_room(run, count, sizeof *times);
    if (count == 0) {
        return true;
    }
    if (partitions == NULL || starts == NULL || ends == NULL || times == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        partitions[i] = parts[i].partition;
    }
    if ((where->kind == WHERE_TIME &&
         !run_offsets(run, parts->topic, partitions, count, where->number, times)) ||
        !run_offsets(run, parts->topic, partitions, count, OFFSETS_START, starts) ||
        !run_offsets(run, parts->topic, partitions, count, OFFSETS_END, ends)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        parts[i].end = ends[i];
        if (!part_begin(run, where, &parts[i], count == 1, starts[i], times[i], what)) {
            return false;
        }
        parts[i].written = parts[i].next;
        parts[i].is_done = is_exiting && parts[i].next >= parts[i].end;
    }
    return true;
}
