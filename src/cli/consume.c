// SPDX-License-Identifier: Apache-2.0
// consume.c - `strom consume`: flags, and reading without a group; fetcher.h reads and prints,
// consume_group.c is a member of a group.
#include "cli/consume.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cli/stop.h"

static const struct args_flag consume_flags[] = {
    {"partition", ARGS_INTS, "P", NULL, 0, INT32_MAX,
     "Read this partition. Without it: all of them. With one topic only, and without --group."},
    {"offset", ARGS_TEXT, "WHERE", "earliest", 0, 0,
     "Where to begin: earliest, latest, an offset (of several partitions each begins at the nearest that "
     "it has), -N (the last N of each partition), or @MS (records from this time on, in milliseconds since "
     "1970). With --group only for partitions of which nothing is committed."},
    {"count", ARGS_INT, "N", NULL, 1, INT64_MAX, "Stop after this many records."},
    {"exit", ARGS_SWITCH, NULL, NULL, 0, 0,
     "Stop at what was the end when the command began, or, with --group, when the partitions were assigned."},
    {"follow", ARGS_SWITCH, NULL, NULL, 0, 0, "Wait for new records; so it is without --exit."},
    {"format", ARGS_TEXT, "FORMAT", NULL, 0, 0,
     "How to print a record: %t topic, %p partition, %o offset, %T timestamp in ms, %k key, %v value, %K "
     "and %S their bytes (-1 for null), %h headers; \\n"
     ", \\t, \\0, \\xNN. Without it: \"%v\\n"
     "\"."},
    {"show-key", ARGS_SWITCH, NULL, NULL, 0, 0, "Print the key and a tab before the value."},
    {"show-headers", ARGS_SWITCH, NULL, NULL, 0, 0, "Print the headers and a tab before that."},
    {"show-timestamp", ARGS_SWITCH, NULL, NULL, 0, 0, "Print the timestamp and a tab before that."},
    {"show-offset", ARGS_SWITCH, NULL, NULL, 0, 0, "Print partition:offset and a tab before that."},
    {"null", ARGS_TEXT, "TEXT", "", 0, 0, "What to print for a key or value that is null."},
    {"group", ARGS_TEXT, "GROUP", NULL, 0, 0,
     "Join this group: share the partitions with its other members, begin where it left off, and commit.",
     ARGS_WORDS_GROUP},
    {"instance-id", ARGS_TEXT, "ID", NULL, 0, 0,
     "With --group, a name that outlives this process (static membership): it does not leave the group at "
     "the "
     "end, and one that comes back under the name within the session timeout gets its partitions again "
     "without a rebalance."},
    {"session-timeout-ms", ARGS_INT, "MS", "45000", 1, INT32_MAX,
     "With --group, how long the group waits for a member that says nothing."},
    {"max-poll-ms", ARGS_INT, "MS", "300000", 1, INT32_MAX / 2,
     "With --group, how long the output may be blocked before the member leaves, and how long it may take to "
     "rejoin when the group changes."},
    {"commit-ms", ARGS_INT, "MS", "1000", 0, 86400000, "With --group, how often to commit at most."},
    {"verbose", ARGS_SWITCH, NULL, NULL, 0, 0,
     "With --group, say on standard error which partitions it gets."},
};
static const struct args_spec consume_spec = {
    .command = "strom consume",
    .names_usage = "TOPIC...",
    .summary = "print the records of topics",
    .text =
        "Prints records as they come, each partition in its order. It begins with the oldest record "
        "and waits for new ones until Ctrl-C; --exit and --count end it.\n\n"
        "With --json each record is one line: topic, partition, offset, timestamp, key, value and "
        "headers. A key or value that is not UTF-8 is null there, and \"key_base64\" or "
        "\"value_base64\" has it.\n\n"
        "With --group it is a member of a consumer group, by the classic protocol and the assignor "
        "\"range\": it "
        "can share a group with Java, librdkafka and other consumers that offer \"range\". Whenever members "
        "come or go, all stop, commit and divide the partitions anew. What was written out is committed "
        "every --commit-ms, when the group changes and at the end; nothing is committed that standard "
        "output did not take. After a crash, or when membership was lost, the records since the last commit "
        "come again: at least once, not exactly once.\n\n"
        "Heartbeats go on while the output is blocked (by a pager, say), but then nothing is read, and when "
        "the "
        "group changes it waits for this member for --max-poll-ms; after that, or if the group does not "
        "change, the member leaves, and goes back in when the output moves again.\n\n"
        "Ctrl-C and SIGTERM commit, leave the group and end with exit code 0. If the output is blocked then, "
        "the group is left after 3 seconds without committing, and the exit code is 1. A second Ctrl-C ends "
        "at once; the others then wait for the session timeout.",
    .examples = "  strom consume orders\n"
                "  strom consume orders --offset latest --show-key\n"
                "  strom consume orders --exit --json | jq .value\n"
                "  strom consume orders --partition 0 --partition 3 --offset -10 --exit\n"
                "  strom consume orders --format '%T %k=%v\\n' --offset @1700000000000 --count 100\n"
                "  strom consume orders payments --group billing\n"
                "  strom consume orders --group billing --instance-id billing-1 --format '%t/%p/%o %v\\n'\n",
    .flags = consume_flags,
    .flag_count = sizeof consume_flags / sizeof *consume_flags,
    .names_min = 1,
    .names_max = ARGS_NAMES_MAX,
    .words = ARGS_WORDS_TOPIC,
    .is_remote = true,
    .is_json = true,
};

// ---- flags

static bool format_choose(struct consume *c)
{
    const struct args *args = c->run->args;
    struct str format = args_text(args, "format");
    snprintf(c->format_text, sizeof c->format_text, "%s%s%s%s%s",
             args_given(args, "show-offset") ? "%p:%o\\t" : "",
             args_given(args, "show-timestamp") ? "%T\\t" : "",
             args_given(args, "show-headers") ? "%h\\t" : "", args_given(args, "show-key") ? "%k\\t" : "",
             "%v\\n");
    c->format = format.ptr != NULL ? format : str_from_c(c->format_text);
    struct error e = {0};
    if (record_format_check(c->format, &e) != ERR_OK) {
        run_usage(c->run, "--format %s", e.text);
        return false;
    }
    return true;
}

static bool group_flags_check(struct consume *c)
{
    static const char *const group_only[] = {"instance-id", "session-timeout-ms", "max-poll-ms", "commit-ms",
                                             "verbose"};
    const struct args *args = c->run->args;
    struct str group = args_text(args, "group");
    for (size_t i = 0; i < sizeof group_only / sizeof *group_only; i++) {
        if (group.ptr == NULL && args_given(args, group_only[i])) {
            run_usage(c->run, "--%s is for members of a group: give --group", group_only[i]);
            return false;
        }
    }
    if (group.ptr == NULL) {
        return true;
    }
    if (group.len == 0) {
        run_usage(c->run, "--group wants a name");
    } else if (args_given(args, "partition")) {
        run_usage(c->run, "--group and --partition exclude each other: the group decides who reads what");
    } else if (c->where.kind == WHERE_LAST || c->where.kind == WHERE_OFFSET) {
        run_usage(c->run,
                  "with --group, --offset is earliest, latest or @MS; `strom group reset` moves a group");
    } else {
        return true;
    }
    return false;
}

static bool flags_parse(struct consume *c)
{
    const struct args *args = c->run->args;
    c->is_exiting = args_given(args, "exit");
    if (c->is_exiting && args_given(args, "follow")) {
        run_usage(c->run, "--exit and --follow exclude each other");
        return false;
    }
    if (!where_parse(args_text(args, "offset"), &c->where)) {
        run_usage(c->run, "--offset is earliest, latest, N, -N or @MS, not \"" STR_FMT "\"",
                  STR_ARG(args_text(args, "offset")));
        return false;
    }
    if (args->name_count > 1 && args_given(args, "partition")) {
        run_usage(c->run, "--partition is for a single topic");
        return false;
    }
    return group_flags_check(c) && format_choose(c);
}

// ---- topics and partitions

static int compare_names(const void *a, const void *b)
{
    const struct str *left = a;
    const struct str *right = b;
    return str_compare(*left, *right);
}

// topics_find looks the topics up that were named, each once.
static bool topics_find(struct consume *c)
{
    struct run *run = c->run;
    struct str *names = run->args->names;
    size_t count = 1;
    qsort(names, run->args->name_count, sizeof *names, compare_names);
    for (size_t i = 1; i < run->args->name_count; i++) {
        if (!str_equal(names[i], names[count - 1])) {
            names[count++] = names[i];
        }
    }
    run->args->name_count = count;
    if (!run_topics(run, names, count, false, &c->found)) {
        return false;
    }
    for (int32_t i = 0; i < c->found.topics_count; i++) {
        if (c->found.topics[i].error != ERR_OK) {
            run_topic_error(run,
                            run_print(run, "cannot consume " STR_FMT, STR_ARG(c->found.topics[i].name)).ptr,
                            c->found.topics[i].name, c->found.topics[i].error);
            return false;
        }
    }
    if ((size_t)c->found.topics_count != count) {
        run_refused(run, c->what, ERR_UNKNOWN, STR("the answer lacks topics"), NULL);
        return false;
    }
    return true;
}

static void part_add(struct consume *c, const struct metadata_response_topic *topic, int32_t partition)
{
    c->parts[c->part_count++] =
        (struct fetch_part){.topic = topic->name, .topic_id = topic->topic_id, .partition = partition};
}

// parts_chosen adds the partitions that --partition names, each once.
static bool parts_chosen(struct consume *c, const struct metadata_response_topic *topic)
{
    struct str text;
    for (size_t i = 0; args_list(c->run->args, "partition", i, &text); i++) {
        int64_t partition = 0;
        if (!str_parse_i64(text, &partition) || partition >= topic->partitions_count) {
            run_refused(c->run, c->what, ERR_UNKNOWN_PARTITION,
                        run_print(c->run, "it has partitions 0 to %d, not %lld", topic->partitions_count - 1,
                                  (long long)partition),
                        NULL);
            return false;
        }
        bool is_known = false;
        for (size_t k = 0; k < c->part_count; k++) {
            is_known = is_known || c->parts[k].partition == (int32_t)partition;
        }
        if (!is_known) {
            part_add(c, topic, (int32_t)partition);
        }
    }
    return true;
}

static bool parts_choose(struct consume *c)
{
    size_t room = ARGS_VALUES_MAX;
    for (int32_t t = 0; t < c->found.topics_count; t++) {
        room += (size_t)c->found.topics[t].partitions_count;
    }
    c->parts = mem_array(room, sizeof *c->parts);
    for (int32_t t = 0; t < c->found.topics_count; t++) {
        const struct metadata_response_topic *topic = &c->found.topics[t];
        size_t from = c->part_count;
        bool is_chosen = args_given(c->run->args, "partition");
        if (is_chosen && !parts_chosen(c, topic)) {
            return false;
        }
        for (int32_t p = 0; !is_chosen && p < topic->partitions_count; p++) {
            part_add(c, topic, topic->partitions[p].partition_index);
        }
        if (!where_begin(c->run, &c->where, c->parts + from, c->part_count - from, c->is_exiting, c->what)) {
            return false;
        }
    }
    return true;
}

void consume_fetcher_init(struct consume *c, struct fetcher *f)
{
    const struct args *args = c->run->args;
    fetcher_init(f, c->run);
    f->format = c->format;
    f->null_text = args_text(args, "null");
    f->what = c->what;
    f->count_left = args_given(args, "count") ? args_int(args, "count") : -1;
    f->is_exiting = c->is_exiting;
}

static void consume_alone(struct consume *c)
{
    struct fetcher f;
    if (!parts_choose(c)) {
        return;
    }
    consume_fetcher_init(c, &f);
    fetcher_assign(&f, c->parts, c->part_count);
    while (!fetcher_is_finished(&f) && fetcher_round(&f)) {
    }
    fetcher_fini(&f);
}

static int consume_run(int argc, char **argv)
{
    struct run run;
    struct consume c = {.run = &run};
    if (run_start(&run, &consume_spec, argc, argv) && flags_parse(&c)) {
        bool is_member = args_given(run.args, "group");
        c.what = run.args->name_count == 1
                     ? run_print(&run, "cannot consume " STR_FMT, STR_ARG(run.args->names[0])).ptr
                     : "cannot consume";
        if (is_member) {
            stop_block();
        }
        if (run_connect(&run) && topics_find(&c)) {
            if (is_member) {
                consume_in_group(&c);
            } else {
                consume_alone(&c);
            }
        }
    }
    mem_free(c.parts);
    return run_finish(&run);
}

const struct cli_command consume_command = {.name = "consume", .spec = &consume_spec, .run = consume_run};
