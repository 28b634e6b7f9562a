// SPDX-License-Identifier: Apache-2.0
// topic_trim.c - `strom topic trim`: drops the oldest records of partitions (DeleteRecords).
#include "cli/cli_private.h"

#include "cli/when.h"

static const struct args_flag trim_flags[] = {
    {"partition", ARGS_INTS, "P", NULL, 0, INT32_MAX, "Trim this partition. Without it: all of them."},
    {"offset", ARGS_TEXT, "N|end", NULL, 0, 0, "The first offset that stays; \"end\" drops every record."},
    {"before", ARGS_TEXT, "TIME", NULL, 0, 0,
     "Drop what is older: all before the first record of this time or later. 2026-01-31, "
     "2026-01-31T12:30:45Z, "
     "@MS; without a zone it is UTC. A partition without such a record keeps what it has."},
    RUN_YES_FLAG,
};
static const struct args_spec trim_spec = {
    .command = "strom topic trim",
    .names_usage = "NAME",
    .summary = "drop the oldest records of a topic",
    .text = "Moves the start of partitions forward: records before --offset, or older than --before, are "
            "gone (Kafka "
            "calls it DeleteRecords). There is no way back; at a terminal it asks first.",
    .examples = "  strom topic trim orders --partition 0 --offset 1000\n"
                "  strom topic trim orders --before 2026-01-01 --yes\n"
                "  strom topic trim orders --offset end\n",
    .flags = trim_flags,
    .flag_count = sizeof trim_flags / sizeof *trim_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_TOPIC,
    .is_remote = true,
    .is_json = true,
};

struct trim {
    struct run *run;
    struct str topic;
    const char *what;
    int64_t offset;  // -1 = the end, to Kafka
    int64_t time_ms; // -1 = --offset counts
    struct delete_records_request_partition *parts;
    size_t count;
};

static bool trim_flags_parse(struct trim *t)
{
    struct run *run = t->run;
    struct str offset = args_text(run->args, "offset");
    struct str before = args_text(run->args, "before");
    t->offset = t->time_ms = -1;
    if ((offset.ptr == NULL) == (before.ptr == NULL)) {
        run_usage(run, "one of --offset and --before is needed");
        return false;
    }
    if (before.ptr != NULL && !when_parse(before, &t->time_ms)) {
        run_usage(run, "--before wants a time as in 2026-01-31T12:30:45Z, not \"" STR_FMT "\"",
                  STR_ARG(before));
        return false;
    }
    if (offset.ptr != NULL && !str_equal(offset, STR("end")) &&
        (!str_parse_i64(offset, &t->offset) || t->offset < 0)) {
        run_usage(run, "--offset wants an offset or \"end\", not \"" STR_FMT "\"", STR_ARG(offset));
        return false;
    }
    return true;
}

static bool partition_add(struct trim *t, int64_t partition, int32_t partition_count)
{
    if (partition >= partition_count) {
        run_refused(t->run, t->what, ERR_UNKNOWN_PARTITION,
                    run_print(t->run, "it has partitions 0 to %d, not %lld", partition_count - 1,
                              (long long)partition),
                    NULL);
        return false;
    }
    t->parts[t->count].partition_index = (int32_t)partition;
    t->parts[t->count++].offset = t->offset;
    return true;
}

static bool partitions_choose(struct trim *t)
{
    struct run *run = t->run;
    struct metadata_response found;
    if (!run_topics(run, &t->topic, 1, false, &found)) {
        return false;
    }
    enum err err = found.topics_count == 1 ? found.topics->error : ERR_UNKNOWN;
    if (err != ERR_OK) {
        run_topic_error(run, t->what, t->topic, err);
        return false;
    }
    int32_t all = found.topics->partitions_count;
    t->parts = wire_array(&run->arena, delete_records_request_partition, (size_t)all + ARGS_VALUES_MAX);
    if (t->parts == NULL) {
        run_fail(run, t->what, ERR_NO_MEMORY, NULL, NULL);
        return false;
    }
    struct str text;
    bool is_good = true;
    for (size_t i = 0; is_good && args_list(run->args, "partition", i, &text); i++) {
        int64_t partition = 0;
        is_good = str_parse_i64(text, &partition) && partition_add(t, partition, all);
    }
    for (int32_t p = 0; is_good && !args_given(run->args, "partition") && p < all; p++) {
        is_good = partition_add(t, found.topics->partitions[p].partition_index, all);
    }
    return is_good;
}

// times_resolve turns --before into offsets and leaves out the partitions where nothing is so new.
static bool times_resolve(struct trim *t)
{
    int32_t *partitions = run_room(t->run, t->count, sizeof *partitions);
    int64_t *offsets = run_room(t->run, t->count, sizeof *offsets);
    if (partitions == NULL || offsets == NULL) {
        return false;
    }
    for (size_t i = 0; i < t->count; i++) {
        partitions[i] = t->parts[i].partition_index;
    }
    if (!run_offsets(t->run, t->topic, partitions, t->count, t->time_ms, offsets)) {
        return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (offsets[i] >= 0) {
            t->parts[kept].partition_index = partitions[i];
            t->parts[kept++].offset = offsets[i];
        }
    }
    t->count = kept;
    return true;
}

static void trim_print(struct trim *t, const struct delete_records_response_topic *topic)
{
    struct run *run = t->run;
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        const struct delete_records_response_partition *part = &topic->partitions[i];
        if (part->error != ERR_OK) {
            const char *what = run_print(run, "%s, partition %d", t->what, part->partition_index).ptr;
            if (part->error == ERR_OFFSET_OUT_OF_RANGE) {
                run_refused(run, what, part->error, (struct str){NULL, 0},
                            "`strom topic describe` shows where it starts and ends");
            } else {
                run_topic_error(run, what, t->topic, part->error);
            }
        } else if (run->is_json) {
            json_object_begin(&run->json);
            json_pair_str(&run->json, "topic", t->topic);
            json_pair_i64(&run->json, "partition", part->partition_index);
            json_pair_i64(&run->json, "start_offset", part->low_watermark);
            json_object_end(&run->json);
        } else {
            buf_printf(&run->out, STR_FMT ", partition %d now starts at offset %lld.\n", STR_ARG(t->topic),
                       part->partition_index, (long long)part->low_watermark);
        }
    }
}

static void trim(struct trim *t)
{
    struct run *run = t->run;
    struct delete_records_request request;
    struct delete_records_response response = {0};
    if (!partitions_choose(t) || (t->time_ms >= 0 && !times_resolve(t))) {
        return;
    }
    wire_init(&delete_records_request_type, &request);
    request.timeout_ms = (int32_t)args_int(run->args, "timeout-ms");
    request.topics = run_array(run, delete_records_request_topic, 1);
    request.topics_count = 1;
    request.topics->name = t->topic;
    request.topics->partitions = t->parts;
    request.topics->partitions_count = (int32_t)t->count;
    const char *question = run_print(run, "Drop records of %zu partition%s of " STR_FMT " for good?",
                                     t->count, t->count == 1 ? "" : "s", STR_ARG(t->topic))
                               .ptr;
    if (t->count > 0 &&
        (!run_confirm(run, question) || !run_call(run, API_DELETE_RECORDS, &request, &response))) {
        return;
    }
    if (t->count == 0) {
        run_note("Nothing to drop: no partition has a record of that time or later.");
    } else if (response.topics_count != 1) {
        run_refused(run, t->what, ERR_UNKNOWN, STR("the answer lacks the topic"), NULL);
        return;
    }
    if (run->is_json) {
        json_array_begin(&run->json);
    }
    if (t->count > 0) {
        trim_print(t, response.topics);
    }
    if (run->is_json) {
        json_array_end(&run->json);
        buf_u8(&run->out, '\n');
    }
}

static int trim_run(int argc, char **argv)
{
    struct run run;
    struct trim t = {.run = &run};
    if (run_start(&run, &trim_spec, argc, argv) && trim_flags_parse(&t) && run_connect(&run)) {
        t.topic = run.args->names[0];
        t.what = run_print(&run, "cannot trim " STR_FMT, STR_ARG(t.topic)).ptr;
        trim(&t);
    }
    return run_finish(&run);
}

const struct cli_command topic_trim_command = {.name = "trim", .spec = &trim_spec, .run = trim_run};
