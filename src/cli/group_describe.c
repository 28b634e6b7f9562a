// SPDX-License-Identifier: Apache-2.0
// group_describe.c - `strom group describe`: members, offsets and lag, once or again and again
// (group_watch.c).
#include "cli/group_print.h"

#include "cli/stop.h"

static const struct args_flag describe_flags[] = {
    {"members", ARGS_SWITCH, NULL, NULL, 0, 0,
     "Show the members and what each has, instead of partitions and offsets."},
    {"watch", ARGS_OPTIONAL, "SECONDS", "2", 1, 3600,
     "Show it again every 2 or so many seconds, with rates and the time until the lag is gone, until Ctrl-C. "
     "On a terminal in place; else block after block, with --json one line per group."},
};
static const struct args_spec describe_spec = {
    .command = "strom group describe",
    .names_usage = "GROUP...",
    .summary = "show members, offsets and lag of groups",
    .text =
        "Shows the state of each group, and for every partition that it has committed or that a member has: "
        "the "
        "committed offset (COMMITTED: the next record to read), the end of the partition (END), how many "
        "records "
        "are between them (LAG), the member that has it (OWNER: its instance id or member id) and what was "
        "committed beside the offset (METADATA).\n\n"
        "LAG counts offsets: compaction and transactions leave gaps, so it may be too high; what retention "
        "dropped before it was read does not count. \"-\" is unknown: nothing was committed, or the "
        "partition "
        "is gone.\n\n"
        "With --watch, rates are means over the last 30 seconds, and consumed means committed: a consumer "
        "that "
        "commits every 5 seconds moves in steps. ZERO IN is when the lag is gone if both rates stay; "
        "\"never\" "
        "if the group is slower than the producers. A lost connection is opened again for --timeout-ms.",
    .examples = "  strom group describe billing\n"
                "  strom group describe billing shipping --members\n"
                "  strom group describe billing --watch\n"
                "  strom group describe billing --json | jq '.[0].lag'\n"
                "  strom group describe billing --watch=10 --json | jq -c '[.time, .lag, .zero_in_s]'\n",
    .flags = describe_flags,
    .flag_count = sizeof describe_flags / sizeof *describe_flags,
    .names_min = 1,
    .names_max = ARGS_NAMES_MAX,
    .words = ARGS_WORDS_GROUP,
    .is_remote = true,
    .is_json = true,
};

static bool describe_one(struct run *run, struct str id, bool is_first)
{
    struct group group;
    struct group_offsets offsets;
    if (!group_find(run, id, &group)) {
        return false;
    }
    const char *what = run_print(run, "cannot describe group " STR_FMT, STR_ARG(id)).ptr;
    if (group.err == ERR_GROUP_ID_NOT_FOUND) {
        group_missing(run, what, id);
        return client_is_connected(run->client);
    }
    if (group.err != ERR_OK) {
        run_refused(run, what, group.err, group.message, NULL);
        return true;
    }
    if (!group_offsets_read(run, &group, &offsets)) {
        return false;
    }
    if (run->is_json) {
        json_object_begin(&run->json);
        group_json(run, &group, offsets.lag);
        group_offsets_json(run, &offsets, NULL);
        json_object_end(&run->json);
        return true;
    }
    if (!is_first) {
        buf_u8(&run->out, '\n');
    }
    group_text(run, &group, offsets.lag);
    if (args_given(run->args, "members")) {
        group_members_table(run, &group);
    } else {
        group_offsets_table(run, &offsets, NULL);
    }
    return true;
}

static void describe(struct run *run)
{
    if (run->is_json) {
        json_array_begin(&run->json);
    }
    for (size_t i = 0; i < run->args->name_count; i++) {
        if (!describe_one(run, run->args->names[i], i == 0)) {
            break;
        }
    }
    if (run->is_json) {
        json_array_end(&run->json);
        buf_u8(&run->out, '\n');
    }
}

static int describe_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &describe_spec, argc, argv)) {
        bool is_watch = args_given(run.args, "watch");
        if (is_watch && args_given(run.args, "members")) {
            run_usage(&run, "--watch shows partitions; it excludes --members");
        } else if (is_watch) {
            stop_block();
            if (run_connect(&run)) {
                group_watch(&run);
            }
        } else if (run_connect(&run)) {
            describe(&run);
        }
    }
    return run_finish(&run);
}

const struct cli_command group_describe_command = {
    .name = "describe", .spec = &describe_spec, .run = describe_run};
