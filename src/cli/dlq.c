// SPDX-License-Identifier: Apache-2.0
// dlq.c - `strom dlq list`: the topics that keep dead letters, for whom, and how many wait.
#include "cli/dlq.h"

static const struct args_spec list_spec = {
    .command = "strom dlq list",
    .names_usage = "",
    .summary = "list the topics that keep dead letters",
    .text =
        "Lists each governed topic that has its bad records set aside, and the topic that keeps them: the "
        "one that its settings say, or each that rules of its contract name. "
        "KEPT is how many "
        "dead letters there are, WAITING how many of them no `strom dlq replay` has driven home yet. "
        "They are counted by reading them; where several topics share one, it is all that it keeps.",
    .examples = "  strom dlq list\n"
                "  strom dlq list --json | jq '.[] | select(.waiting > 0).topic'\n",
    .is_remote = true,
    .is_json = true,
};

struct listed {
    struct str governed;
    struct str topic;
    int64_t kept; // -1 = the topic is not there
    int64_t waiting;
    struct listed *next;
};

struct listing {
    struct run *run;
    struct listed *first;
    struct listed **end;
};

static bool listed_count(struct run *run, struct listed *listed)
{
    struct metadata_response found;
    struct dlq dlq;
    listed->kept = listed->waiting = -1;
    if (!run_topics(run, &listed->topic, 1, false, &found)) {
        return false;
    }
    if (found.topics_count != 1 || found.topics->error != ERR_OK) {
        return true;
    }
    const char *what = run_print(run, "cannot list " STR_FMT, STR_ARG(listed->topic)).ptr;
    if (!dlq_topic_open(run, listed->topic, what, &dlq) || !dlq_positions(&dlq)) {
        return false;
    }
    return dlq_count(&dlq, &listed->kept, &listed->waiting);
}

static bool listed_add(struct listing *listing, struct str governed, struct str topic)
{
    const struct listed *same = listing->first; // which several topics share is read once
    struct listed *listed = run_room(listing->run, 1, sizeof *listed);
    if (listed == NULL) {
        return false;
    }
    while (same != NULL && !str_equal(same->topic, topic)) {
        same = same->next;
    }
    *listed = (struct listed){.governed = governed, .topic = topic};
    if (same != NULL) {
        listed->kept = same->kept;
        listed->waiting = same->waiting;
    } else if (!listed_count(listing->run, listed)) {
        return false;
    }
    *listing->end = listed;
    listing->end = &listed->next;
    return true;
}

static bool listed_of(struct listing *listing, struct str governed)
{
    struct run *run = listing->run;
    struct dlq_takers takers;
    struct dlq beside;
    enum dlq_holds holds = DLQ_HOLDS_OTHERS;
    const char *what = run_print(run, "cannot list " STR_FMT ".dlq", STR_ARG(governed)).ptr;
    if (!dlq_takers(run, governed, &takers) ||
        (takers.has_rules && !takers.is_set && !dlq_beside(run, governed, what, &beside, &holds))) {
        return false;
    }
    bool is_fine = true;
    for (size_t i = 0; i < takers.count && is_fine; i++) {
        bool is_beside = holds == DLQ_HOLDS_LETTERS && str_equal(takers.names[i], beside.topic);
        is_fine = is_beside || listed_add(listing, governed, takers.names[i]);
    }
    return is_fine && (holds != DLQ_HOLDS_LETTERS || listed_add(listing, governed, beside.topic));
}

static void listed_json(struct run *run, const struct listed *first)
{
    json_array_begin(&run->json);
    for (const struct listed *item = first; item != NULL; item = item->next) {
        json_object_begin(&run->json);
        json_pair_str(&run->json, "topic", item->governed);
        json_pair_str(&run->json, "dead_letters", item->topic);
        json_key(&run->json, "kept");
        item->kept < 0 ? json_null(&run->json) : json_i64(&run->json, item->kept);
        json_key(&run->json, "waiting");
        item->kept < 0 ? json_null(&run->json) : json_i64(&run->json, item->waiting);
        json_object_end(&run->json);
    }
    json_array_end(&run->json);
    buf_u8(&run->out, '\n');
}

static void listed_table(struct run *run, const struct listed *first)
{
    static const struct table_column columns[] = {
        {"TOPIC", false}, {"DEAD LETTERS IN", false}, {"KEPT", true}, {"WAITING", true}};
    struct table t;
    if (first == NULL) {
        run_note("No topic has its bad records set aside. `strom config set --topic NAME "
                 "strom.validation.on.failure=dlq` does it.");
        return;
    }
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (const struct listed *item = first; item != NULL; item = item->next) {
        table_str(&t, item->governed);
        table_str(&t, item->topic);
        if (item->kept < 0) {
            table_str(&t, (struct str){NULL, 0});
            table_str(&t, (struct str){NULL, 0});
        } else {
            table_i64(&t, item->kept);
            table_i64(&t, item->waiting);
        }
    }
    table_print(&t, &run->out);
    table_fini(&t);
}

static void list(struct run *run)
{
    struct metadata_response found;
    struct listing listing = {.run = run, .end = &listing.first};
    if (!run_topics(run, NULL, 0, false, &found)) {
        return;
    }
    for (int32_t i = 0; i < found.topics_count; i++) {
        if (found.topics[i].error == ERR_OK && !listed_of(&listing, found.topics[i].name)) {
            return;
        }
    }
    run->is_json ? listed_json(run, listing.first) : listed_table(run, listing.first);
}

static int list_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &list_spec, argc, argv) && run_connect(&run)) {
        list(&run);
    }
    return run_finish(&run);
}

static const struct cli_command list_command = {.name = "list", .spec = &list_spec, .run = list_run};
static const struct cli_command *const dlq_verbs[] = {&list_command, &dlq_show_command, &dlq_replay_command,
                                                      &dlq_drop_command, NULL};
const struct cli_command dlq_command = {
    .name = "dlq", .summary = "dead letters: records that a contract set aside", .verbs = dlq_verbs};
