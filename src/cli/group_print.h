// SPDX-License-Identifier: Apache-2.0
// group_print.h - how groups are shown, as text and as JSON; shared by describe and watch.
#ifndef CLI_GROUP_PRINT_H
#define CLI_GROUP_PRINT_H

#include "cli/groups.h"
#include "cli/lag_rate.h"

// What --watch knows more of a partition or of a whole group. Rates below 0 are unknown.
struct group_pace {
    double consumed_per_s;
    double produced_per_s;
};

// group_text prints the head of a group, group_members_table and group_offsets_table what follows. paces is
// NULL or has one for each offset.
void group_text(struct run *run, const struct group *group, int64_t lag);
void group_members_table(struct run *run, const struct group *group);
void group_offsets_table(struct run *run, const struct group_offsets *offsets,
                         const struct group_pace *paces);
// pace_text is the cell of the time to zero lag: "2 min 5 s", "never", "-".
struct str pace_text(struct run *run, int64_t lag, const struct group_pace *pace);
// rate_text is the cell of a rate.
struct str rate_text(struct run *run, double per_s);

// group_json writes the pairs of a group into the object that was begun, group_offsets_json "partitions",
// pace_json the pairs of a pace.
void group_json(struct run *run, const struct group *group, int64_t lag);
void group_offsets_json(struct run *run, const struct group_offsets *offsets, const struct group_pace *paces);
void pace_json(struct run *run, int64_t lag, const struct group_pace *pace);

// group_watch shows the groups that the names say again and again, until Ctrl-C.
void group_watch(struct run *run);

#endif
