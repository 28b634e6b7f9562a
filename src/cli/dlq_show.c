// SPDX-License-Identifier: Apache-2.0
// dlq_show.c - `strom dlq show`: dead letters with the rule that each broke and why.
#include "cli/dlq.h"
#include "cli/record_format.h"

enum { VALUE_SHOWN_MAX = 60 };

static const struct args_flag show_flags[] = {
    {"count", ARGS_INT, "N", "20", 0, INT64_MAX, "Show at most N of each partition; 0 is all."},
    {"partition", ARGS_INTS, "P", NULL, 0, INT32_MAX, "Only of this partition."},
    {"all", ARGS_SWITCH, NULL, NULL, 0, 0, "Those too that were replayed already."},
    {"rule", ARGS_TEXT, "NAME", NULL, 0, 0, "Only those that broke this rule."},
};
static const struct args_spec show_spec = {
    .command = "strom dlq show",
    .names_usage = "TOPIC",
    .summary = "show dead letters and why they were set aside",
    .text = "TOPIC is the governed topic, or the one that keeps its dead letters. Shows those that wait, the "
            "oldest first: "
            "where each was bound for, the rule that it broke and why. With --json a record stands as `strom "
            "consume "
            "--json` prints it, in \"record\".",
    .examples = "  strom dlq show orders\n"
                "  strom dlq show orders --rule strom:structure --count 5\n"
                "  strom dlq show orders --count 0 --json | jq -r .rule | sort | uniq -c\n",
    .flags = show_flags,
    .flag_count = sizeof show_flags / sizeof *show_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_TOPIC,
    .is_remote = true,
    .is_json = true,
};

struct show {
    struct run *run;
    struct dlq dlq;
    int32_t partition;
    int64_t left; // of this partition; -1 = no limit
    struct table table;
};

static void show_json(struct show *show, const struct dead_letter *letter, const struct record *record)
{
    struct json *json = &show->run->json;
    struct record_place place = {show->dlq.topic, show->partition};
    json_object_begin(json);
    json_pair_str(json, "rule", letter->rule);
    json_pair_str(json, "reason", letter->reason);
    json_pair_str(json, "subject", letter->subject);
    json_pair_str(json, "topic", letter->topic);
    json_key(json, "partition");
    letter->partition < 0 ? json_null(json) : json_i64(json, letter->partition);
    json_pair_str(json, "client", letter->client);
    json_pair_str(json, "replayed_from", letter->replayed);
    json_key(json, "record");
    record_json_print(&place, record, json);
    while (show->run->out.len > 0 && show->run->out.ptr[show->run->out.len - 1] == '\n') {
        show->run->out.len--;
    }
    json_object_end(json);
    buf_u8(&show->run->out, '\n');
}

static void show_row(struct show *show, const struct dead_letter *letter, const struct record *record)
{
    struct str value = {(const char *)record->value.ptr, record->value.len};
    if (value.len > VALUE_SHOWN_MAX) {
        value.len = VALUE_SHOWN_MAX;
    }
    table_i64(&show->table, show->partition);
    table_i64(&show->table, record->offset);
    table_str(&show->table, letter->rule);
    table_str(&show->table, letter->reason);
    table_str(&show->table, letter->client);
    table_str(&show->table, value);
}

static bool show_take(void *arg, const struct record *record)
{
    struct show *show = arg;
    struct dead_letter letter;
    struct str rule = args_text(show->run->args, "rule");
    dead_letter_read(record, &letter);
    if (rule.ptr != NULL && !str_equal(rule, letter.rule)) {
        return true;
    }
    if (show->left == 0) {
        return false;
    }
    show->left -= show->left > 0 ? 1 : 0;
    if (show->run->is_json) {
        show_json(show, &letter, record);
        return run_flush(show->run);
    }
    show_row(show, &letter, record);
    return true;
}

static bool is_wanted(struct show *show, int32_t partition)
{
    struct str text;
    bool is_given = false;
    for (size_t i = 0; args_list(show->run->args, "partition", i, &text); i++) {
        int64_t wanted = -1;
        is_given = true;
        if (str_parse_i64(text, &wanted) && wanted == partition) {
            return true;
        }
    }
    return !is_given;
}

static void show_all(struct show *show)
{
    struct run *run = show->run;
    struct log_reader reader;
    struct error e = {0};
    int64_t count = args_int(run->args, "count");
    enum err err = ERR_OK;
    log_reader_init(&reader, run, show->dlq.topic, show->dlq.topic_id);
    for (size_t i = 0; i < show->dlq.count && err == ERR_OK && !run->is_out_closed; i++) {
        const struct dlq_partition *part = &show->dlq.partitions[i];
        int64_t next = args_given(run->args, "all") ? part->start : part->position;
        show->partition = part->partition;
        show->left = count == 0 ? -1 : count;
        if (is_wanted(show, part->partition)) {
            err = log_reader_records(&reader, part->partition, next, part->end, show_take, show, &next, &e);
        }
    }
    log_reader_fini(&reader);
    if (err != ERR_OK) {
        run_fail(run, show->dlq.what, err, &e, NULL);
    }
}

static void show_table(struct show *show)
{
    static const struct table_column columns[] = {{"PARTITION", true}, {"OFFSET", true},  {"RULE", false},
                                                  {"REASON", false},   {"CLIENT", false}, {"VALUE", false}};
    table_init(&show->table, columns, sizeof columns / sizeof *columns);
    show_all(show);
    if (show->table.cell_count > 0) {
        table_print(&show->table, &show->run->out);
    } else if (show->run->exit == CLI_OK) {
        run_note("No dead letters wait; --all shows those that were replayed, too.");
    }
    table_fini(&show->table);
}

static int show_run(int argc, char **argv)
{
    struct run run;
    struct show show = {.run = &run};
    if (run_start(&run, &show_spec, argc, argv) && run_connect(&run) &&
        dlq_open(&run, run.args->names[0], "show the dead letters of", &show.dlq) &&
        dlq_positions(&show.dlq)) {
        run.is_json ? show_all(&show) : show_table(&show);
    }
    return run_finish(&run);
}

const struct cli_command dlq_show_command = {.name = "show", .spec = &show_spec, .run = show_run};
