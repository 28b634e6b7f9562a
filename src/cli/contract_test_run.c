// SPDX-License-Identifier: Apache-2.0
// contract_test_run.c - `strom contract test`: a contract against a file or what a topic holds, for a person
// or a pipeline.
#include "base/utf8.h"
#include "cli/contract_report.h"
#include "platform/real/process.h"

enum { LINE_BYTES_MAX = 8 << 20, FILE_BYTES_MAX = 1 << 30 };

static const struct args_flag test_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    {"records", ARGS_TEXT, "PATH", NULL, 0, 0,
     "Try lines of JSON from this file (- = standard input), as values.", ARGS_WORDS_FILE},
    {"topic", ARGS_TEXT, "NAME", NULL, 0, 0, "Try what this topic holds; without it, the contract's own.",
     ARGS_WORDS_TOPIC},
    TRIAL_TOPIC_FLAGS,
    {"format", ARGS_CHOICE, "text|json|junit", "text", 0, 0, "How the outcome is written."},
    {"allow-empty", ARGS_SWITCH, NULL, NULL, 0, 0, "No record to test is a success."},
};
static const struct args_spec test_spec = {
    .command = "strom contract test",
    .names_usage = "FILE",
    .summary = "try a contract on records before it governs",
    .text =
        "Reads the contract from FILE and judges records by it, as the broker would: the lines of "
        "--records, or what a topic "
        "holds. Nothing is changed. A record that names a schema of its own is read with that one and "
        "held to the rules of "
        "FILE. Exits with 1 if a record would be refused, set aside or marked, or if there was none to test.",
    .examples =
        "  strom contract test orders.contract.json\n"
        "  strom contract test orders.contract.json --records samples.jsonl --format junit > report.xml\n"
        "  strom consume orders --exit | strom contract test orders.contract.json --records -\n",
    .flags = test_flags,
    .flag_count = sizeof test_flags / sizeof *test_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_FILE,
    .is_remote = true,
    .is_json = true,
};

struct lines_trial {
    struct trial_judge judge;
    int64_t line;
    int64_t left;
};

static bool line_take(struct lines_trial *t, struct str line)
{
    t->line++;
    line = t->line == 1 ? utf8_skip_mark(line) : line;
    if (str_trim(line).len == 0) {
        return true;
    }
    if (t->left == 0) {
        return false;
    }
    t->left -= t->left > 0 ? 1 : 0;
    struct record record = {.offset = t->line, .value = bytes_of(line.ptr, line.len)};
    (void)trial_record(&t->judge, &record, -1);
    return true;
}

static enum err stdin_try(struct lines_trial *t, struct error *e)
{
    struct process_lines *lines = process_lines_open(PROCESS_STDIN, LINE_BYTES_MAX);
    struct str line;
    enum err err;
    while ((err = process_lines_next(lines, &line, e)) == ERR_OK && line_take(t, line)) {
    }
    process_lines_close(lines);
    return err == ERR_CLOSED ? ERR_OK : err;
}

static enum err file_try(struct lines_trial *t, struct str path, struct error *e)
{
    struct buf text;
    buf_init(&text, FILE_BYTES_MAX);
    enum err err = process_file_read(path, &text, e);
    struct str rest = buf_str(&text);
    bool goes_on = true;
    while (err == ERR_OK && goes_on && rest.len > 0) {
        goes_on = line_take(t, str_cut(rest, '\n', &rest));
    }
    buf_fini(&text);
    return err;
}

static bool records_try(struct trial *trial, struct str path, int64_t limit)
{
    struct run *run = trial->run;
    struct lines_trial t = {.left = limit};
    struct error e = {0};
    if (trial->own[SIDE_VALUE] == NULL || schema_format(trial->schemas[SIDE_VALUE]) != FORMAT_JSON) {
        run_fail(run, "cannot try lines of JSON",
                 FAIL(&e, ERR_INVALID_SCHEMA, "the contract has no JSON Schema for values"), &e,
                 "--topic tries what a topic holds, in any format");
        return false;
    }
    trial_judge_init(&t.judge, trial);
    enum err err = is_stdin(path) ? stdin_try(&t, &e) : file_try(&t, path, &e);
    trial_judge_end(&t.judge);
    if (err != ERR_OK) {
        run_fail(run, run_print(run, "cannot read " STR_FMT, STR_ARG(path)).ptr, err, &e, NULL);
    }
    return err == ERR_OK;
}

// empty_check: a test of nothing must not look like a good one: a wrong file, or a topic that was made anew.
static void empty_check(struct run *run, const struct trial *trial)
{
    struct error e = {0};
    if (trial->counts.records > 0 || args_given(run->args, "allow-empty")) {
        return;
    }
    run_fail(
        run, "nothing was tested", FAIL(&e, ERR_NOT_FOUND, "there is no record in what was to be tried"), &e,
        "--records tries a file, --topic what another topic holds; --allow-empty takes this for a success");
}

static void report(struct run *run, const struct trial *trial)
{
    struct str format = args_text(run->args, "format");
    if (run->is_json || str_equal(format, STR("json"))) {
        trial_report_json(trial, &run->json);
        buf_u8(&run->out, '\n');
    } else if (str_equal(format, STR("junit"))) {
        trial_report_junit(trial, args_given(run->args, "allow-empty"), &run->out);
    } else {
        trial_remarks_text(trial, &run->out);
        trial_report_text(trial, &run->out);
    }
    run->exit = trial_failed(&trial->counts) > 0 ? CLI_ERROR : run->exit;
    empty_check(run, trial);
}

// topic_check: a topic that is asked for by its name must be there, or a mistyped one would pass.
static bool topic_check(struct run *run, struct str topic)
{
    struct metadata_response found;
    if (!run_topics(run, &topic, 1, false, &found)) {
        return false;
    }
    enum err err = found.topics_count == 1 ? found.topics->error : ERR_UNKNOWN;
    if (err != ERR_OK) {
        run_topic_error(run, "cannot try what it holds", topic, err);
    }
    return err == ERR_OK;
}

static void test(struct run *run, const struct contract_file *file, struct registry_client *registry)
{
    struct trial trial;
    struct str records = args_text(run->args, "records");
    struct str topic = args_text(run->args, "topic");
    int64_t limit = args_given(run->args, "limit") ? args_int(run->args, "limit") : -1;
    if (trial_init(&trial, run, file, registry)) {
        trial.sample = args_given(run->args, "sample") ? args_int(run->args, "sample") : 0;
        bool is_done = records.ptr != NULL
                           ? records_try(&trial, records, limit)
                           : run_connect(run) && (topic.ptr == NULL || topic_check(run, topic)) &&
                                 trial_topic(&trial, topic.ptr != NULL ? topic : file->topic);
        if (is_done) {
            report(run, &trial);
        }
    }
    trial_fini(&trial);
}

static int test_run(int argc, char **argv)
{
    struct run run;
    struct registry_client registry = {0};
    struct contract_file file;
    if (run_start(&run, &test_spec, argc, argv)) {
        if (args_given(run.args, "records") && args_given(run.args, "topic")) {
            run_usage(&run, "--records and --topic exclude each other");
        } else if (args_given(run.args, "records") && args_given(run.args, "sample")) {
            run_usage(&run, "--sample is for what a topic holds");
        } else if (args_given(run.args, "limit") && args_given(run.args, "sample")) {
            run_usage(&run, "--limit and --sample exclude each other");
        } else if (contract_file_read(&run, run.args->names[0], &file) && registry_open(&run, &registry)) {
            test(&run, &file, &registry);
        }
    }
    registry_close(&registry);
    return run_finish(&run);
}

const struct cli_command contract_test_command = {.name = "test", .spec = &test_spec, .run = test_run};
