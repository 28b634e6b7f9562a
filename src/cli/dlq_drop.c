// SPDX-License-Identifier: Apache-2.0
// dlq_drop.c - `strom dlq drop`: dead letters go for good: those that were replayed, or all.
#include "cli/dlq.h"

static const struct args_flag drop_flags[] = {
    {"replayed", ARGS_SWITCH, NULL, NULL, 0, 0, "Those that `strom dlq replay` has driven home."},
    {"all", ARGS_SWITCH, NULL, NULL, 0, 0, "Every one there is when the command begins."},
    RUN_YES_FLAG,
};
static const struct args_spec drop_spec = {
    .command = "strom dlq drop",
    .names_usage = "TOPIC",
    .summary = "drop dead letters for good",
    .text = "TOPIC is the governed topic, or the one that keeps its dead letters. There is no way back; at a "
            "terminal it "
            "asks first.",
    .examples = "  strom dlq drop orders --replayed\n"
                "  strom dlq drop orders --all --yes\n",
    .flags = drop_flags,
    .flag_count = sizeof drop_flags / sizeof *drop_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_TOPIC,
    .is_remote = true,
    .is_json = true,
};

static void drop(struct dlq *dlq)
{
    struct run *run = dlq->run;
    struct delete_records_request request;
    struct delete_records_response response;
    int64_t kept;
    int64_t waiting;
    if (!dlq_count(dlq, &kept, &waiting)) {
        return;
    }
    int64_t dropped = args_given(run->args, "all") ? kept : kept - waiting;
    wire_init(&delete_records_request_type, &request);
    request.timeout_ms = (int32_t)args_int(run->args, "timeout-ms");
    request.topics = run_array(run, delete_records_request_topic, 1);
    request.topics_count = 1;
    request.topics->name = dlq->topic;
    request.topics->partitions = run_array(run, delete_records_request_partition, dlq->count);
    for (size_t i = 0; i < dlq->count; i++) {
        const struct dlq_partition *part = &dlq->partitions[i];
        int64_t upto = args_given(run->args, "all") ? part->end : part->position;
        if (upto > part->start) {
            struct delete_records_request_partition *out =
                &request.topics->partitions[request.topics->partitions_count++];
            out->partition_index = part->partition;
            out->offset = upto;
        }
    }
    const char *question = run_print(run, "Drop %lld dead letters of " STR_FMT " for good?",
                                     (long long)dropped, STR_ARG(dlq->topic))
                               .ptr;
    if (request.topics->partitions_count > 0 &&
        (!run_confirm(run, question) || !run_call(run, API_DELETE_RECORDS, &request, &response))) {
        return;
    }
    for (int32_t i = 0; request.topics->partitions_count > 0 && response.topics_count == 1 &&
                        i < response.topics->partitions_count;
         i++) {
        if (response.topics->partitions[i].error != ERR_OK) {
            run_topic_error(run, dlq->what, dlq->topic, response.topics->partitions[i].error);
            return;
        }
    }
    if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_str(&run->json, "dead_letters", dlq->topic);
        json_pair_i64(&run->json, "dropped", dropped);
        json_object_end(&run->json);
        buf_u8(&run->out, '\n');
    } else {
        buf_printf(&run->out, "Dropped %lld dead letters of " STR_FMT ".\n", (long long)dropped,
                   STR_ARG(dlq->topic));
    }
}

static int drop_run(int argc, char **argv)
{
    struct run run;
    struct dlq dlq;
    if (run_start(&run, &drop_spec, argc, argv)) {
        if (args_given(run.args, "all") == args_given(run.args, "replayed")) {
            run_usage(&run, "which ones? give either --replayed or --all");
        } else if (run_connect(&run) &&
                   dlq_open(&run, run.args->names[0], "drop the dead letters of", &dlq) &&
                   dlq_positions(&dlq)) {
            drop(&dlq);
        }
    }
    return run_finish(&run);
}

const struct cli_command dlq_drop_command = {.name = "drop", .spec = &drop_spec, .run = drop_run};
