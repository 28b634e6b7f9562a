// SPDX-License-Identifier: Apache-2.0
// contract_watch.c - `strom contract status`, the counters of a governed topic, and `violations`, the
// reasons.
#include "cli/contract_report.h"
#include "cli/stop.h"
#include "cli/when.h"
#include "platform/real/process.h"

// FOLLOW_MS is for a broker that does not wait, or cannot: see violations_page.
enum { WATCH_MS = 1000, WAIT_MS = 1000, FOLLOW_MS = 300, PAGE = 500, NS_PER_MS = 1000000 };
#define TIME_MS_END 253402300800000 // the year 10000

// asked gets what is known of topics; of one that is not there it says where to look.
static bool asked(struct registry_client *c, const char *what, struct str path, struct json_value **ret)
{
    int status = 0;
    if (!registry_ask(c, "GET", path, (struct str){NULL, 0}, &status, ret)) {
        return false;
    }
    if (status >= 300) {
        registry_said(c, what, status, *ret);
        run_note("  hint: `strom contract list` shows the topics that are governed");
    }
    return status < 300;
}

static int64_t number_of(const struct json_value *object, const char *name)
{
    int64_t number = 0;
    (void)json_value_i64(json_get(object, str_from_c(name)), &number);
    return number;
}

static void cell_number(struct table *t, const struct json_value *object, const char *name)
{
    table_i64(t, number_of(object, name));
}

// ---- status

static const struct args_flag status_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    {"watch", ARGS_SWITCH, NULL, NULL, 0, 0, "Show it again each second, until Ctrl-C."},
};
static const struct args_spec status_spec = {
    .command = "strom contract status",
    .names_usage = "[TOPIC]",
    .summary = "show what contracts let through, and what not",
    .text =
        "Without TOPIC: one line for each governed topic. With it: its rules, failing places, versions and "
        "producers, "
        "too. Counted is, since the topic exists, what was decided when its batch was appended or refused. "
        "PER SEC is what was checked in the last minute; FAIL 1M, 1H and 1D tell how much of the last "
        "minute, hour and "
        "day did not pass. Those are kept in memory: after a restart they begin anew.",
    .examples = "  strom contract status\n"
                "  strom contract status orders --watch\n"
                "  strom contract status orders --json | jq '.rules[0]'\n",
    .flags = status_flags,
    .flag_count = sizeof status_flags / sizeof *status_flags,
    .names_max = 1,
    .words = ARGS_WORDS_TOPIC,
    .is_json = true,
};

static void sums_cells(struct table *t, const struct json_value *object)
{
    static const char *const names[] = {"checked",       "passed", "refused",
                                        "dead_lettered", "marked", "observed"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cell_number(t, object, names[i]);
    }
}

enum { WINDOWS = 3 };
static const char *const window_names[WINDOWS] = {"minute", "hour", "day"};

// cell_rate: records in a second. Whole ones of many, parts of few.
static void cell_rate(struct table *t, const struct json_value *window)
{
    const struct json_value *found = json_get(window, STR("checked_per_second"));
    bool is_known = found != NULL && found->type == JSON_NUMBER;
    double rate = is_known ? json_value_f64(found) : 0;
    char text[32];
    snprintf(text, sizeof text, "%.*f", rate > 0 && rate < 10 ? 2 : 0, rate);
    table_str(t, is_known ? str_from_c(text) : (struct str){NULL, 0});
}

// cell_failed: the part of a window that did not pass; of nothing there is none.
static void cell_failed(struct table *t, const struct json_value *window)
{
    int64_t checked = window == NULL ? 0 : number_of(window, "checked");
    int64_t failed = checked == 0 ? 0 : checked - number_of(window, "passed");
    double percent = checked == 0 ? 0 : 100 * (double)failed / (double)checked;
    char text[32];
    if (failed > 0 && percent < 0.01) {
        snprintf(text, sizeof text, "<0.01%%");
    } else {
        snprintf(text, sizeof text, "%.*f%%", failed > 0 && percent < 10 ? 2 : 0, percent);
    }
    table_str(t, checked == 0 ? (struct str){NULL, 0} : str_from_c(text));
}

static void topic_row(struct table *t, const struct json_value *topic)
{
    table_str(t, json_get_str(topic, STR("topic")));
    sums_cells(t, topic);
    const struct json_value *windows = json_get(topic, STR("windows"));
    cell_rate(t, json_get(windows, STR("minute")));
    for (size_t w = 0; w < WINDOWS; w++) {
        cell_failed(t, json_get(windows, str_from_c(window_names[w])));
    }
}

static void topics_table(const struct json_value *first, bool is_list, struct buf *out)
{
    static const struct table_column columns[] = {
        {"TOPIC", false},        {"CHECKED", true}, {"PASSED", true},   {"REFUSED", true},
        {"DEAD-LETTERED", true}, {"MARKED", true},  {"OBSERVED", true}, {"PER SEC", true},
        {"FAIL 1M", true},       {"FAIL 1H", true}, {"FAIL 1D", true}};
    struct table t;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (const struct json_value *topic = first; topic != NULL; topic = is_list ? topic->next : NULL) {
        topic_row(&t, topic);
    }
    table_print(&t, out);
    table_fini(&t);
}

static void windows_table(struct run *run, const struct json_value *windows)
{
    static const struct table_column columns[] = {
        {"LAST", false},         {"PER SEC", true}, {"CHECKED", true},  {"PASSED", true}, {"REFUSED", true},
        {"DEAD-LETTERED", true}, {"MARKED", true},  {"OBSERVED", true}, {"FAIL", true}};
    struct table t;
    if (windows == NULL) {
        return; // an older broker
    }
    buf_u8(&run->out, '\n');
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (size_t w = 0; w < WINDOWS; w++) {
        const struct json_value *window = json_get(windows, str_from_c(window_names[w]));
        table_str(&t, str_from_c(window_names[w]));
        cell_rate(&t, window);
        sums_cells(&t, window);
        cell_failed(&t, window);
    }
    table_print(&t, &run->out);
    table_fini(&t);
}

static void rules_table(struct run *run, const struct json_value *rules)
{
    static const struct table_column columns[] = {{"RULE", false},   {"PATH", false},   {"SUBJECT", false},
                                                  {"VERSION", true}, {"ACTION", false}, {"RECORDS", true}};
    struct table t;
    if (rules == NULL || rules->count == 0) {
        return;
    }
    buf_u8(&run->out, '\n');
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (const struct json_value *rule = rules->first; rule != NULL; rule = rule->next) {
        table_str(&t, json_get_str(rule, STR("rule")));
        table_str(&t, json_get_str(rule, STR("path")));
        table_str(&t, json_get_str(rule, STR("subject")));
        cell_number(&t, rule, "version");
        table_str(&t, json_get_str(rule, STR("action")));
        cell_number(&t, rule, "count");
    }
    table_print(&t, &run->out);
    table_fini(&t);
}

static void paths_table(struct run *run, const struct json_value *paths)
{
    static const struct table_column columns[] = {{"FAILING", false}, {"SIDE", false}, {"RECORDS", true}};
    struct table t;
    if (paths == NULL || paths->count < 2) { // the rules say as much
        return;
    }
    buf_u8(&run->out, '\n');
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (const struct json_value *path = paths->first; path != NULL; path = path->next) {
        table_str(&t, json_get_str(path, STR("path")));
        table_str(&t, json_get_str(path, STR("side")));
        cell_number(&t, path, "count");
    }
    table_print(&t, &run->out);
    table_fini(&t);
}

static void producers_table(struct run *run, const struct json_value *producers)
{
    static const struct table_column columns[] = {
        {"PRODUCER", false},     {"CHECKED", true}, {"PASSED", true},  {"REFUSED", true},
        {"DEAD-LETTERED", true}, {"MARKED", true},  {"OBSERVED", true}};
    struct table t;
    if (producers == NULL || producers->count == 0) {
        return;
    }
    buf_u8(&run->out, '\n');
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (const struct json_value *p = producers->first; p != NULL; p = p->next) {
        table_str(&t, json_get_str(p, STR("client")));
        sums_cells(&t, p);
    }
    table_print(&t, &run->out);
    table_fini(&t);
}

void contract_remarks_each(const struct json_value *topic, void (*each)(struct run *run, struct str text),
                           struct run *run)
{
    for (int s = 0; s < SIDE_COUNT; s++) {
        const struct json_value *side = json_get(topic, str_from_c(contract_side_names[s]));
        const struct json_value *remarks = json_get(side, STR("remarks")); // an older broker has none
        for (const struct json_value *v = remarks == NULL ? NULL : remarks->first; v != NULL; v = v->next) {
            bool is_key = s == SIDE_KEY;
            each(run, run_print(run, "note: %s" STR_FMT, is_key ? "key: " : "", STR_ARG(v->text)));
        }
    }
}

static void remark_line(struct run *run, struct str text)
{
    text_show(text, &run->out);
    buf_u8(&run->out, '\n');
}

static bool status_once(struct registry_client *c)
{
    struct run *run = c->run;
    bool is_one = run->args->name_count == 1;
    struct json_value *found = NULL;
    struct str path =
        is_one ? path_of(run, "/contracts/topics/%S", run->args->names[0]) : STR("/contracts/topics");
    if (!asked(c, "cannot get the status", path, &found)) {
        return false;
    }
    const struct json_value *topics = json_get(found, STR("topics"));
    if (run->is_json) {
        buf_append_str(&run->out, json_text(run, is_one ? found : topics, false));
        buf_u8(&run->out, '\n');
    } else if (is_one) {
        topics_table(found, false, &run->out);
        contract_remarks_each(found, remark_line, run);
        rules_table(run, json_get(found, STR("rules")));
        paths_table(run, json_get(found, STR("paths")));
        producers_table(run, json_get(found, STR("producers")));
        windows_table(run, json_get(found, STR("windows")));
    } else if (topics == NULL || topics->count == 0) {
        run_note("No contract has judged a record yet. `strom contract list` shows what is governed.");
    } else {
        topics_table(topics->first, true, &run->out);
    }
    return true;
}

static void status(struct registry_client *c)
{
    struct run *run = c->run;
    bool is_watched = args_given(run->args, "watch");
    struct stop *stop = is_watched ? stop_open(run->env, NULL, NULL) : NULL;
    bool goes_on = true;
    while (goes_on) {
        if (is_watched && !run->is_json && process_is_tty(PROCESS_STDOUT)) {
            buf_printf(&run->out, "\033[H\033[2J");
        }
        goes_on = status_once(c) && is_watched && run_flush(run) &&
                  !stop_wait(stop, clock_mono_ns(run->env->clock) + (int64_t)WATCH_MS * NS_PER_MS);
        if (goes_on) {
            arena_reset(&run->arena);
        }
    }
    stop_close(stop);
}

static int status_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    if (run_start(&run, &status_spec, argc, argv)) {
        if (args_given(run.args, "watch")) {
            stop_block();
        }
        if (registry_open(&run, &c)) {
            status(&c);
        }
    }
    registry_close(&c);
    return run_finish(&run);
}

// ---- violations

static const struct args_flag violations_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    {"follow", ARGS_SWITCH, NULL, NULL, 0, 0, "Go on with those that come, until Ctrl-C."},
};
static const struct args_spec violations_spec = {
    .command = "strom contract violations",
    .names_usage = "[TOPIC]",
    .summary = "show which records failed, and why",
    .text = "The latest records that failed a contract, of all topics or of one: who sent them, which rule "
            "they broke and why. The "
            "broker keeps a bounded number, since it started, and never a value of a record.",
    .examples = "  strom contract violations orders\n"
                "  strom contract violations --follow --json | jq -r .rule\n",
    .flags = violations_flags,
    .flag_count = sizeof violations_flags / sizeof *violations_flags,
    .names_max = 1,
    .words = ARGS_WORDS_TOPIC,
    .is_json = true,
};

static void violation_line(struct run *run, const struct json_value *v)
{
    if (run->is_json) {
        buf_append_str(&run->out, json_text(run, v, false));
        buf_u8(&run->out, '\n');
        return;
    }
    char time[WHEN_TEXT_SIZE];
    int64_t ms = number_of(v, "time_ms");
    when_format(ms >= 0 && ms < TIME_MS_END ? ms : 0, time);
    buf_printf(&run->out, "%s ", time);
    text_show(json_get_str(v, STR("topic")), &run->out);
    buf_printf(&run->out, "-%lld", (long long)number_of(v, "partition"));
    int64_t offset = -1;
    if (json_value_i64(json_get(v, STR("offset")), &offset) && offset >= 0) {
        buf_printf(&run->out, "@%lld", (long long)offset);
    }
    buf_printf(&run->out, "  ");
    text_show(json_get_str(v, STR("action")), &run->out);
    buf_printf(&run->out, "  ");
    text_show(json_get_str(v, STR("rule")), &run->out);
    buf_printf(&run->out, "  ");
    text_show(json_get_str(v, STR("path")), &run->out);
    buf_printf(&run->out, "  ");
    text_show(json_get_str(v, STR("reason")), &run->out);
    buf_printf(&run->out, "  (");
    text_show(json_get_str(v, STR("client")), &run->out);
    buf_printf(&run->out, ")\n");
}

// violations_page shows what came behind *after; *ret_count says how much. With wait_ms the broker waits so
// long for something to come.
static bool violations_page(struct registry_client *c, int wait_ms, int64_t *after, uint32_t *ret_count)
{
    struct run *run = c->run;
    struct json_value *found = NULL;
    struct str topic = run->args->name_count == 1 ? run->args->names[0] : STR("");
    struct str path = path_of(run, "/contracts/violations?after=%S&limit=%d&wait_ms=%d%s%S",
                              run_print(run, "%lld", (long long)*after), PAGE, wait_ms,
                              topic.len > 0 ? "&topic=" : "", topic);
    if (!registry_get(c, "cannot get the violations", "GET", path, (struct str){NULL, 0}, &found)) {
        return false;
    }
    const struct json_value *list = json_get(found, STR("violations"));
    for (const struct json_value *v = list == NULL ? NULL : list->first; v != NULL; v = v->next) {
        violation_line(run, v);
    }
    *ret_count = list == NULL ? 0 : list->count;
    *after = number_of(found, "last");
    return true;
}

// topic_check: a topic that is asked for by its name must be there, or a mistyped one would look sound. Asked
// only if it has no violations: those of a topic that was deleted are kept.
static bool topic_check(struct registry_client *c, bool *ret_is_governed)
{
    struct run *run = c->run;
    struct json_value *found = NULL;
    *ret_is_governed = true;
    if (run->args->name_count == 0) {
        return true;
    }
    struct str path = path_of(run, "/contracts/topics/%S", run->args->names[0]);
    if (!asked(c, "cannot get the violations", path, &found)) {
        return false;
    }
    const struct json_value *governed = json_get(found, STR("governed"));
    *ret_is_governed = governed == NULL || governed->type == JSON_TRUE;
    return true;
}

static void none_note(struct run *run, bool is_governed)
{
    if (is_governed) {
        run_note("No record has failed a contract since the broker started.");
    } else {
        run_note("No contract governs " STR_FMT ". `strom contract list` shows what is governed.",
                 STR_ARG(run->args->names[0]));
    }
}

static void violations(struct registry_client *c)
{
    struct run *run = c->run;
    bool is_followed = args_given(run->args, "follow");
    struct stop *stop = is_followed ? stop_open(run->env, NULL, NULL) : NULL;
    int64_t after = 0;
    uint32_t count = 0;
    bool goes_on = true;
    bool is_any = false;
    bool is_governed = true;
    int wait_ms = 0;
    int64_t begun_ns = clock_mono_ns(run->env->clock);
    while (goes_on && violations_page(c, wait_ms, &after, &count)) {
        if (!is_any && count == 0 && wait_ms == 0 && !topic_check(c, &is_governed)) {
            break;
        }
        is_any = is_any || count > 0;
        goes_on = run_flush(run) && (count == PAGE || is_followed);
        wait_ms = WAIT_MS; // short, so that Ctrl-C is heard
        if (goes_on && count < PAGE) {
            goes_on = !stop_wait(stop, begun_ns + (int64_t)(count > 0 ? 0 : FOLLOW_MS) * NS_PER_MS);
        }
        begun_ns = clock_mono_ns(run->env->clock);
        arena_reset(&run->arena);
    }
    if (!is_any && !run->is_json && run->exit == CLI_OK) {
        none_note(run, is_governed);
    }
    stop_close(stop);
}

static int violations_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    if (run_start(&run, &violations_spec, argc, argv)) {
        if (args_given(run.args, "follow")) {
            stop_block();
        }
        if (registry_open(&run, &c)) {
            violations(&c);
        }
    }
    registry_close(&c);
    return run_finish(&run);
}

const struct cli_command contract_status_command = {
    .name = "status", .spec = &status_spec, .run = status_run};
const struct cli_command contract_violations_command = {
    .name = "violations", .spec = &violations_spec, .run = violations_run};
