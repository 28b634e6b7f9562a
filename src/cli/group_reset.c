// SPDX-License-Identifier: Apache-2.0
// group_reset.c - `strom group reset`: plans new offsets for a group without members, shows them, and commits
// them with --execute.
#include "cli/groups.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cli/reset_plan.h"
#include "cli/when.h"
#include "platform/real/process.h"

enum { FILE_BYTES_MAX = 64 << 20 };

static const struct args_flag reset_flags[] = {
    {"topic", ARGS_LIST, "NAME[:P,P...]", NULL, 0, 0, "Reset this topic, or some of its partitions.",
     ARGS_WORDS_TOPIC},
    {"all-topics", ARGS_SWITCH, NULL, NULL, 0, 0, "Reset every partition that the group has committed."},
    {"to-earliest", ARGS_SWITCH, NULL, NULL, 0, 0, "To the first record that is still there."},
    {"to-latest", ARGS_SWITCH, NULL, NULL, 0, 0, "To the end: only what comes from now on."},
    {"to-current", ARGS_SWITCH, NULL, NULL, 0, 0, "To what is committed; to the end where nothing is."},
    {"to-offset", ARGS_INT, "N", NULL, 0, INT64_MAX, "To this offset."},
    {"shift-by", ARGS_INT, "N", NULL, INT64_MIN, INT64_MAX,
     "Forward by N records, or back with a negative N, from what is committed."},
    {"to-datetime", ARGS_TEXT, "TIME", NULL, 0, 0,
     "To the first record from this time on: 2026-01-31, 2026-01-31T12:30:45.250Z, +02:00 instead of Z; "
     "without "
     "a zone it is UTC. @MS is milliseconds since 1970."},
    {"by-duration", ARGS_TEXT, "PERIOD", NULL, 0, 0,
     "To what was written since so long ago: PT15M, P1DT12H."},
    {"from-file", ARGS_TEXT, "PATH", NULL, 0, 0,
     "To the offsets in this file: lines of topic,partition,offset; \"-\" is standard input. --export writes "
     "such lines.",
     ARGS_WORDS_FILE},
    {"execute", ARGS_SWITCH, NULL, NULL, 0, 0, "Do it."},
    {"dry-run", ARGS_SWITCH, NULL, NULL, 0, 0,
     "Show what would be done, change nothing; so it is without --execute."},
    {"export", ARGS_SWITCH, NULL, NULL, 0, 0, "Print the new offsets as lines for --from-file."},
};
static const struct args_spec reset_spec = {
    .command = "strom group reset",
    .names_usage = "GROUP",
    .summary = "move the committed offsets of a group",
    .text =
        "Shows which offsets the group would get, and with --execute commits them. Name the partitions with "
        "--topic, --all-topics or --from-file, and one place to go to.\n\n"
        "The group must have no members: stop its consumers first. An offset before the first or behind "
        "the last record becomes the nearer of the two, and a line on standard error says so. A group that "
        "does not exist yet comes to be; that is how a new one starts where you want it.",
    .examples = "  strom group reset billing --topic orders --to-earliest\n"
                "  strom group reset billing --topic orders:0,3 --shift-by -100 --execute\n"
                "  strom group reset billing --all-topics --by-duration PT2H --execute\n"
                "  strom group reset billing --all-topics --to-current --export > billing.csv\n"
                "  strom group reset billing --from-file billing.csv --execute\n",
    .flags = reset_flags,
    .flag_count = sizeof reset_flags / sizeof *reset_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_GROUP,
    .is_remote = true,
    .is_json = true,
};

struct planned {
    struct str topic;
    int32_t partition;
    int64_t from_file; // the offset that --from-file wants; -1 = none
    struct reset_place place;
    int64_t offset; // the new one
    bool is_kept;   // it has no new one
};

struct reset {
    struct run *run;
    struct group group;
    struct group_offsets committed;
    enum reset_kind kind;
    int64_t number; // of --to-offset, --shift-by, or a time in ms
    struct planned *items;
    size_t count;
    size_t room;
    struct buf file;
    const char *what;
};

// ---- flags

static bool time_flags_parse(struct reset *r)
{
    const struct args *args = r->run->args;
    bool is_period = args_given(args, "by-duration");
    const char *flag = is_period ? "by-duration" : "to-datetime";
    struct str text = args_text(args, flag);
    if (!(is_period ? duration_parse(text, &r->number) : when_parse(text, &r->number))) {
        run_usage(r->run, "--%s wants %s, not \"" STR_FMT "\"", flag,
                  is_period ? "a period as in PT15M or P1DT12H" : "a time as in 2026-01-31T12:30:45Z",
                  STR_ARG(text));
        return false;
    }
    return true;
}

static bool reset_flags_parse(struct reset *r)
{
    static const struct {
        const char *flag;
        enum reset_kind kind;
    } places[] = {{"to-earliest", RESET_EARLIEST}, {"to-latest", RESET_LATEST}, {"to-current", RESET_CURRENT},
                  {"to-offset", RESET_OFFSET},     {"shift-by", RESET_SHIFT},   {"to-datetime", RESET_TIME},
                  {"by-duration", RESET_TIME},     {"from-file", RESET_OFFSET}};
    struct run *run = r->run;
    size_t given = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (args_given(run->args, places[i].flag)) {
            r->kind = places[i].kind;
            given++;
        }
    }
    if (given != 1) {
        run_usage(run,
                  "%s: give one of --to-earliest, --to-latest, --to-current, --to-offset, --shift-by, "
                  "--to-datetime, --by-duration and --from-file",
                  given == 0 ? "where to" : "more than one place to go to");
        return false;
    }
    bool has_file = args_given(run->args, "from-file");
    size_t scopes =
        (args_given(run->args, "topic") ? 1U : 0U) + (args_given(run->args, "all-topics") ? 1U : 0U);
    if (scopes != (has_file ? 0U : 1U)) {
        run_usage(run, has_file ? "--from-file names the partitions: leave --topic and --all-topics out"
                                : "which partitions? give either --topic or --all-topics");
        return false;
    }
    if (args_given(run->args, "execute") && args_given(run->args, "dry-run")) {
        run_usage(run, "--execute and --dry-run exclude each other");
        return false;
    }
    if (r->kind == RESET_SHIFT || (r->kind == RESET_OFFSET && !has_file)) {
        r->number = args_int(run->args, r->kind == RESET_SHIFT ? "shift-by" : "to-offset");
    }
    return r->kind != RESET_TIME || time_flags_parse(r);
}

// ---- which partitions

static void plan_add(struct reset *r, struct str topic, int32_t partition, int64_t from_file)
{
    if (r->count == r->room) {
        r->room = r->room == 0 ? 64 : 2 * r->room;
        r->items = mem_realloc(r->items, r->room * sizeof *r->items);
    }
    r->items[r->count++] = (struct planned){
        .topic = topic, .partition = partition, .from_file = from_file, .place = {-1, -1, -1, -1}};
}

static bool plan_topic(struct reset *r, struct str text)
{
    struct run *run = r->run;
    struct error e = {0};
    struct topic_choice choice;
    struct metadata_response found;
    if (topic_choice_parse(text, &run->arena, &choice, &e) != ERR_OK) {
        run_usage(run, "%s", e.text);
        return false;
    }
    if (!run_topics(run, &choice.topic, 1, false, &found)) {
        return false;
    }
    enum err err = found.topics_count == 1 ? found.topics->error : ERR_UNKNOWN;
    if (err != ERR_OK) {
        run_topic_error(run, r->what, choice.topic, err);
        return false;
    }
    for (int32_t i = 0; choice.partitions == NULL && i < found.topics->partitions_count; i++) {
        plan_add(r, choice.topic, found.topics->partitions[i].partition_index, -1);
    }
    for (size_t i = 0; i < choice.count; i++) {
        if (choice.partitions[i] >= found.topics->partitions_count) {
            run_refused(run, r->what, ERR_UNKNOWN_PARTITION,
                        run_print(run, "topic " STR_FMT " has partitions 0 to %d, not %d",
                                  STR_ARG(choice.topic), found.topics->partitions_count - 1,
                                  choice.partitions[i]),
                        NULL);
            return false;
        }
        plan_add(r, choice.topic, choice.partitions[i], -1);
    }
    return true;
}

static bool file_read(struct reset *r, struct str path, struct error *e)
{
    enum err err = ERR_OK;
    if (!str_equal(path, STR("-"))) {
        err = process_file_read(path, &r->file, e);
    } else {
        struct process_lines *lines = process_lines_open(PROCESS_STDIN, 64 << 10);
        struct str line;
        while ((err = process_lines_next(lines, &line, e)) == ERR_OK && !r->file.failed) {
            buf_append_str(&r->file, line);
            buf_u8(&r->file, '\n');
        }
        process_lines_close(lines);
        err = err == ERR_CLOSED ? ERR_OK : err;
        err = r->file.failed ? FAIL(e, ERR_NO_MEMORY, "more than %d bytes", FILE_BYTES_MAX) : err;
    }
    if (err != ERR_OK) {
        run_fail(r->run, run_print(r->run, "cannot read " STR_FMT, STR_ARG(path)).ptr, err, e, NULL);
    }
    return err == ERR_OK;
}

static bool plan_file(struct reset *r, struct str path)
{
    struct error e = {0};
    if (!file_read(r, path, &e)) {
        return false;
    }
    struct str rest = buf_str(&r->file);
    for (int number = 1; rest.ptr != NULL; number++) {
        struct str line = str_trim(str_cut(rest, '\n', &rest));
        struct str group;
        struct str topic;
        int32_t partition;
        int64_t offset;
        if (line.len == 0) {
            continue;
        }
        if (!reset_line_parse(line, &group, &topic, &partition, &offset)) {
            run_usage(r->run, STR_FMT " line %d: not topic,partition,offset: \"" STR_FMT "\"", STR_ARG(path),
                      number, STR_ARG(line));
            return false;
        }
        if (group.ptr == NULL || str_equal(group, r->group.id)) {
            plan_add(r, topic, partition, offset);
        }
    }
    return true;
}

static int compare_planned(const void *a, const void *b)
{
    const struct planned *left = a;
    const struct planned *right = b;
    int order = str_compare(left->topic, right->topic);
    return order != 0 ? order : (left->partition > right->partition) - (left->partition < right->partition);
}

static bool plan_scope(struct reset *r)
{
    const struct args *args = r->run->args;
    struct str text;
    if (args_given(args, "from-file")) {
        if (!plan_file(r, args_text(args, "from-file"))) {
            return false;
        }
    } else if (args_given(args, "all-topics")) {
        for (size_t i = 0; i < r->committed.count; i++) {
            plan_add(r, r->committed.items[i].topic, r->committed.items[i].partition, -1);
        }
    }
    for (size_t i = 0; args_list(args, "topic", i, &text); i++) {
        if (!plan_topic(r, text)) {
            return false;
        }
    }
    if (r->count == 0) {
        run_refused(r->run, r->what, ERR_UNKNOWN_PARTITION, STR("there is no partition to reset"),
                    "--topic names one that the group has not read yet");
        return false;
    }
    qsort(r->items, r->count, sizeof *r->items, compare_planned);
    size_t kept = 1; // of a partition that was named twice the first stays
    for (size_t i = 1; i < r->count; i++) {
        if (compare_planned(&r->items[kept - 1], &r->items[i]) != 0) {
            r->items[kept++] = r->items[i];
        }
    }
    r->count = kept;
    return true;
}

// ---- where to

static bool look_up(struct reset *r, struct offset_query *queries, int64_t timestamp)
{
    for (size_t i = 0; i < r->count; i++) {
        queries[i] = (struct offset_query){
            .topic = r->items[i].topic, .partition = r->items[i].partition, .timestamp = timestamp};
    }
    if (!run_offset_queries(r->run, queries, r->count)) {
        return false;
    }
    for (size_t i = 0; i < r->count; i++) {
        if (queries[i].err != ERR_OK) {
            const char *what = run_print(r->run, "%s: partition %d of " STR_FMT, r->what,
                                         r->items[i].partition, STR_ARG(r->items[i].topic))
                                   .ptr;
            run_topic_error(r->run, what, r->items[i].topic, queries[i].err);
            return false;
        }
    }
    return true;
}

static bool places_find(struct reset *r)
{
    struct offset_query *queries = run_room(r->run, r->count, sizeof *queries);
    if (queries == NULL || !look_up(r, queries, OFFSETS_START)) {
        return false;
    }
    for (size_t i = 0; i < r->count; i++) {
        r->items[i].place.start = queries[i].offset;
    }
    if (!look_up(r, queries, OFFSETS_END)) {
        return false;
    }
    for (size_t i = 0; i < r->count; i++) {
        r->items[i].place.end = queries[i].offset;
    }
    if (r->kind == RESET_TIME) {
        bool is_period = args_given(r->run->args, "by-duration");
        int64_t now_ms = clock_wall_ms(r->run->env->clock);
        int64_t time_ms = is_period ? (r->number < now_ms ? now_ms - r->number : 0) : r->number;
        if (!look_up(r, queries, time_ms)) {
            return false;
        }
        for (size_t i = 0; i < r->count; i++) {
            r->items[i].place.at_time = queries[i].offset;
        }
    }
    for (size_t i = 0, c = 0; i < r->count; i++) { // both are in order
        const struct planned *item = &r->items[i];
        while (c < r->committed.count) {
            const struct group_offset *have = &r->committed.items[c];
            int order = str_compare(have->topic, item->topic);
            order = order != 0 ? order
                               : (have->partition > item->partition) - (have->partition < item->partition);
            if (order == 0) {
                r->items[i].place.committed = have->committed;
            }
            if (order >= 0) {
                break;
            }
            c++;
        }
    }
    return true;
}

static void plan_decide(struct reset *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct planned *item = &r->items[i];
        bool is_clamped = false;
        int64_t number = item->from_file >= 0 ? item->from_file : r->number;
        item->is_kept = !reset_offset(r->kind, number, &item->place, &item->offset, &is_clamped);
        if (item->is_kept) {
            run_note("strom: " STR_FMT " partition %d: nothing is committed that could be shifted; left out",
                     STR_ARG(item->topic), item->partition);
        } else if (is_clamped) {
            run_note("strom: " STR_FMT " partition %d has offsets %lld to %lld: going to %lld",
                     STR_ARG(item->topic), item->partition, (long long)item->place.start,
                     (long long)item->place.end, (long long)item->offset);
        }
    }
}

// ---- doing it

static bool group_is_idle(struct reset *r)
{
    const struct group *group = &r->group;
    if (group->err == ERR_GROUP_ID_NOT_FOUND) {
        return true; // it comes to be
    }
    if (group->err != ERR_OK) {
        run_refused(r->run, r->what, group->err, group->message, NULL);
        return false;
    }
    bool is_idle = group->member_count == 0 &&
                   (str_equal(group->state, STR("Empty")) || str_equal(group->state, STR("Dead")));
    if (!is_idle) {
        run_refused(
            r->run, r->what, ERR_NON_EMPTY_GROUP,
            run_print(r->run, "it has %zu member%s and is in state " STR_FMT, group->member_count,
                      group->member_count == 1 ? "" : "s", STR_ARG(group->state)),
            run_print(
                r->run,
                "stop its consumers, or wait until their sessions time out; `strom group describe " STR_FMT
                " --members` shows them",
                STR_ARG(group->id))
                .ptr);
    }
    return is_idle;
}

static bool commit_fill(struct reset *r, struct offset_commit_request *request)
{
    struct run *run = r->run;
    wire_init(&offset_commit_request_type, request);
    request->group_id = r->group.id;
    request->member_id = STR("");
    request->topics = wire_array(&run->arena, offset_commit_request_topic, r->count);
    struct offset_commit_request_partition *parts =
        wire_array(&run->arena, offset_commit_request_partition, r->count);
    if (request->topics == NULL || parts == NULL) {
        run_fail(run, r->what, ERR_NO_MEMORY, NULL, NULL);
        return false;
    }
    struct offset_commit_request_topic *topic = NULL;
    for (size_t i = 0; i < r->count; i++) {
        const struct planned *item = &r->items[i];
        if (item->is_kept) {
            continue;
        }
        if (topic == NULL || !str_equal(topic->name, item->topic)) {
            topic = &request->topics[request->topics_count++];
            topic->name = item->topic;
            topic->partitions = parts;
        }
        topic->partitions_count++;
        parts->partition_index = item->partition;
        parts->committed_offset = item->offset;
        parts->committed_metadata = STR("");
        parts++;
    }
    return true;
}

static bool commit(struct reset *r)
{
    struct offset_commit_request request;
    struct offset_commit_response response;
    int64_t deadline_ns = run_deadline(r->run);
    enum err err;
    if (!commit_fill(r, &request)) {
        return false;
    }
    do {
        if (!run_call_on(r->run, r->group.coordinator, API_OFFSET_COMMIT, &request, &response)) {
            return false;
        }
        err = response.topics_count == request.topics_count ? ERR_OK : ERR_UNKNOWN;
        for (int32_t t = 0; t < response.topics_count; t++) {
            for (int32_t p = 0; p < response.topics[t].partitions_count; p++) {
                err = err != ERR_OK ? err : response.topics[t].partitions[p].error;
            }
        }
    } while (run_retry(r->run, err, deadline_ns));
    if (err != ERR_OK) {
        bool is_joined = err == ERR_UNKNOWN_MEMBER_ID || err == ERR_NON_EMPTY_GROUP;
        run_refused(r->run, r->what, err, (struct str){NULL, 0},
                    is_joined ? "a consumer joined in the meantime: stop it first" : NULL);
    }
    return err == ERR_OK;
}

static void plan_json(struct reset *r, bool is_done)
{
    struct json *json = &r->run->json;
    json_object_begin(json);
    json_pair_str(json, "group", r->group.id);
    json_pair_bool(json, "executed", is_done);
    json_key(json, "partitions");
    json_array_begin(json);
    for (size_t i = 0; i < r->count; i++) {
        const struct planned *item = &r->items[i];
        json_object_begin(json);
        json_pair_str(json, "topic", item->topic);
        json_pair_i64(json, "partition", item->partition);
        json_key(json, "committed");
        item->place.committed < 0 ? json_null(json) : json_i64(json, item->place.committed);
        json_key(json, "new_offset");
        item->is_kept ? json_null(json) : json_i64(json, item->offset);
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
    buf_u8(&r->run->out, '\n');
}

static void plan_table(struct reset *r)
{
    static const struct table_column columns[] = {
        {"TOPIC", false}, {"PARTITION", true}, {"COMMITTED", true}, {"NEW", true}, {"LAG", true}};
    struct table t;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < r->count; i++) {
        const struct planned *item = &r->items[i];
        if (item->is_kept) {
            continue;
        }
        table_str(&t, item->topic);
        table_i64(&t, item->partition);
        if (item->place.committed < 0) {
            table_str(&t, (struct str){NULL, 0});
        } else {
            table_i64(&t, item->place.committed);
        }
        table_i64(&t, item->offset);
        table_i64(&t, item->place.end - item->offset);
    }
    table_print(&t, &r->run->out);
    table_fini(&t);
}

static void plan_show(struct reset *r, bool is_done)
{
    struct run *run = r->run;
    if (args_given(run->args, "export")) {
        for (size_t i = 0; i < r->count; i++) {
            if (!r->items[i].is_kept) {
                buf_printf(&run->out, STR_FMT ",%d,%lld\n", STR_ARG(r->items[i].topic), r->items[i].partition,
                           (long long)r->items[i].offset);
            }
        }
        return;
    }
    if (run->is_json) {
        plan_json(r, is_done);
        return;
    }
    plan_table(r);
    if (is_done) {
        buf_printf(&run->out, "\nGroup ");
        text_show(r->group.id, &run->out);
        buf_printf(&run->out, " was reset.\n");
    } else {
        buf_printf(&run->out, "\nNothing was changed. --execute does it.\n");
    }
}

static void reset(struct reset *r)
{
    struct run *run = r->run;
    struct str id = run->args->names[0];
    r->what = run_print(run, "cannot reset group " STR_FMT, STR_ARG(id)).ptr;
    if (!group_find(run, id, &r->group) || !group_is_idle(r) ||
        !group_committed(run, &r->group, &r->committed) || !plan_scope(r) || !places_find(r)) {
        return;
    }
    plan_decide(r);
    bool is_done = args_given(run->args, "execute");
    if (!is_done || commit(r)) {
        plan_show(r, is_done);
    }
}

static int reset_run(int argc, char **argv)
{
    struct run run;
    struct reset r = {.run = &run};
    buf_init(&r.file, FILE_BYTES_MAX);
    if (run_start(&run, &reset_spec, argc, argv) && reset_flags_parse(&r) && run_connect(&run)) {
        reset(&r);
    }
    mem_free(r.items);
    buf_fini(&r.file);
    return run_finish(&run);
}

const struct cli_command group_reset_command = {.name = "reset", .spec = &reset_spec, .run = reset_run};
