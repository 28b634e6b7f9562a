// SPDX-License-Identifier: Apache-2.0
// reset_plan.h - where an offset goes when a group is reset; the same answers as kafka-consumer-groups
// --reset-offsets gives. Pure.
#ifndef CLI_RESET_PLAN_H
#define CLI_RESET_PLAN_H

#include "base/bytes.h"

enum reset_kind {
    RESET_EARLIEST,
    RESET_LATEST,
    RESET_CURRENT, // what is committed; the end where nothing is
    RESET_OFFSET,  // a given one
    RESET_SHIFT,   // by so many
    RESET_TIME,    // the first record from a time on; the end if there is none
};

struct reset_place {
    int64_t committed; // -1 = none
    int64_t start;
    int64_t end;
    int64_t at_time; // RESET_TIME: -1 = no record that late
};

// reset_offset decides the new offset of a partition. An offset outside start..end becomes the nearer of the
// two: *ret_is_clamped. false: there is none, because nothing was committed that could be shifted.
bool reset_offset(enum reset_kind kind, int64_t number, const struct reset_place *place, int64_t *ret_offset,
                  bool *ret_is_clamped);

// reset_line_parse reads a line of --from-file: topic,partition,offset or group,topic,partition,offset.
bool reset_line_parse(struct str line, struct str *ret_group, struct str *ret_topic, int32_t *ret_partition,
                      int64_t *ret_offset);

#endif
