// SPDX-License-Identifier: Apache-2.0
// group.c - `strom group list|delete`; describe and reset have files of their own.
#include "cli/groups.h"

#include <stdlib.h>

enum { DESCRIBE_AT_ONCE = 256 };

// ---- list

static const struct args_flag list_flags[] = {
    {"state", ARGS_LIST, "STATE", NULL, 0, 0,
     "Only groups in this state: Stable, Empty, Dead, PreparingRebalance, CompletingRebalance, and Assigning "
     "or Reconciling of groups that the broker leads."},
    {"type", ARGS_LIST, "TYPE", NULL, 0, 0, "Only groups of this type: classic, consumer, share or streams."},
};
static const struct args_spec list_spec = {
    .command = "strom group list",
    .names_usage = "",
    .summary = "list the groups",
    .text = "Lists the groups by name: TYPE is classic where the members share the work out among "
            "themselves, and "
            "consumer where the broker does. PROTOCOL is what the members call themselves: \"consumer\" for "
            "consumers, \"connect\" for Kafka Connect, nothing where offsets are all that there is.",
    .examples = "  strom group list\n"
                "  strom group list --state Empty\n"
                "  strom group list --json | jq -r '.[] | select(.members == 0).group'\n",
    .flags = list_flags,
    .flag_count = sizeof list_flags / sizeof *list_flags,
    .is_remote = true,
    .is_json = true,
};

struct listed {
    struct str id;
    struct str type;
    struct str protocol_type;
    struct str state;
    int64_t member_count; // -1 = the broker does not tell
};

static int compare_listed(const void *a, const void *b)
{
    const struct listed *left = a;
    const struct listed *right = b;
    return str_compare(left->id, right->id);
}

static bool is_same_word(struct str a, struct str b)
{
    bool is_same = a.len == b.len;
    for (size_t i = 0; i < a.len && is_same; i++) {
        is_same = (a.ptr[i] | 0x20) == (b.ptr[i] | 0x20);
    }
    return is_same;
}

static bool is_wanted(const struct run *run, const char *flag, struct str word)
{
    struct str wanted;
    bool is_found = !args_given(run->args, flag);
    for (size_t i = 0; args_list(run->args, flag, i, &wanted); i++) {
        is_found = is_found || is_same_word(wanted, word);
    }
    return is_found;
}

// members_count describes the listed groups of one broker, some at a time.
static bool members_count(struct run *run, struct client *broker, struct listed *items, size_t count)
{
    struct group groups[DESCRIBE_AT_ONCE];
    for (size_t from = 0; from < count; from += DESCRIBE_AT_ONCE) {
        size_t here = count - from < DESCRIBE_AT_ONCE ? count - from : DESCRIBE_AT_ONCE;
        for (size_t i = 0; i < here; i++) {
            groups[i] = (struct group){.id = items[from + i].id};
        }
        if (!groups_describe(run, broker, groups, here)) {
            return false;
        }
        for (size_t i = 0; i < here; i++) {
            items[from + i].member_count = groups[i].err == ERR_OK ? (int64_t)groups[i].member_count : -1;
        }
    }
    return true;
}

// list_broker appends the groups that one broker coordinates.
static bool list_broker(struct run *run, struct client *broker, struct listed **items, size_t *count)
{
    struct list_groups_request request;
    struct list_groups_response response;
    int64_t deadline_ns = run_deadline(run);
    wire_init(&list_groups_request_type, &request);
    do {
        if (!run_call_on(run, broker, API_LIST_GROUPS, &request, &response)) {
            return false;
        }
    } while (run_retry(run, response.error, deadline_ns));
    if (response.error != ERR_OK) {
        run_refused(run, "cannot list the groups", response.error, (struct str){NULL, 0}, NULL);
        return false;
    }
    struct listed *all = run_room(run, *count + (size_t)response.groups_count, sizeof *all);
    if (all == NULL) {
        return false;
    }
    size_t kept = *count;
    for (size_t i = 0; i < kept; i++) {
        all[i] = (*items)[i];
    }
    for (int32_t i = 0; i < response.groups_count; i++) {
        const struct list_groups_response_group *group = &response.groups[i];
        struct str type = group->group_type.len > 0 ? group->group_type : STR("classic");
        if (is_wanted(run, "state", group->group_state) && is_wanted(run, "type", type)) {
            all[kept++] =
                (struct listed){group->group_id, type, group->protocol_type, group->group_state, -1};
        }
    }
    bool is_done = members_count(run, broker, all + *count, kept - *count);
    *items = all;
    *count = kept;
    return is_done;
}

static void list_json(struct run *run, const struct listed *items, size_t count)
{
    json_array_begin(&run->json);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(&run->json);
        json_pair_str(&run->json, "group", items[i].id);
        json_pair_str(&run->json, "type", items[i].type);
        json_pair_str(&run->json, "protocol_type", items[i].protocol_type);
        json_pair_str(&run->json, "state", items[i].state);
        json_key(&run->json, "members");
        if (items[i].member_count < 0) {
            json_null(&run->json);
        } else {
            json_i64(&run->json, items[i].member_count);
        }
        json_object_end(&run->json);
    }
    json_array_end(&run->json);
    buf_u8(&run->out, '\n');
}

static struct str text_or_none(struct str text)
{
    return text.len == 0 ? (struct str){NULL, 0} : text;
}

static void list_table(struct run *run, const struct listed *items, size_t count)
{
    static const struct table_column columns[] = {
        {"GROUP", false}, {"TYPE", false}, {"PROTOCOL", false}, {"STATE", false}, {"MEMBERS", true}};
    if (count == 0) {
        run_note("There are no groups%s.", args_given(run->args, "state") || args_given(run->args, "type")
                                               ? " of that kind"
                                               : "; one comes to be when its first member joins");
        return;
    }
    struct table t;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < count; i++) {
        table_str(&t, items[i].id);
        table_str(&t, items[i].type);
        table_str(&t, text_or_none(items[i].protocol_type));
        table_str(&t, text_or_none(items[i].state));
        if (items[i].member_count < 0) {
            table_str(&t, (struct str){NULL, 0});
        } else {
            table_i64(&t, items[i].member_count);
        }
    }
    table_print(&t, &run->out);
    table_fini(&t);
}

// Each broker knows the groups that it coordinates.
static bool list_collect(struct run *run, struct listed **ret_items, size_t *ret_count)
{
    struct metadata_request request;
    struct metadata_response cluster;
    wire_init(&metadata_request_type, &request);
    request.topics_count = 0; // none
    if (!run_call(run, API_METADATA, &request, &cluster)) {
        return false;
    }
    for (int32_t i = 0; i < cluster.brokers_count; i++) {
        struct client *broker = run_broker(run, cluster.brokers[i].node_id);
        if (broker == NULL || !list_broker(run, broker, ret_items, ret_count)) {
            return false;
        }
    }
    if (*ret_count > 1) {
        qsort(*ret_items, *ret_count, sizeof **ret_items, compare_listed);
    }
    return true;
}

static int list_run(int argc, char **argv)
{
    struct run run;
    struct listed *items = NULL;
    size_t count = 0;
    if (run_start(&run, &list_spec, argc, argv) && run_connect(&run) && list_collect(&run, &items, &count)) {
        if (run.is_json) {
            list_json(&run, items, count);
        } else {
            list_table(&run, items, count);
        }
    }
    return run_finish(&run);
}

// ---- delete

static const struct args_flag delete_flags[] = {
    {"topic", ARGS_LIST, "NAME[:P,P...]", NULL, 0, 0,
     "Keep the group and forget its offsets for this topic, or for some of its partitions.",
     ARGS_WORDS_TOPIC},
    {"if-exists", ARGS_SWITCH, NULL, NULL, 0, 0, "A group that is not there is no error."},
};
static const struct args_spec delete_spec = {
    .command = "strom group delete",
    .names_usage = "GROUP...",
    .summary = "delete groups, or their offsets for a topic",
    .text =
        "Deletes groups with all their offsets. A group that has members cannot be deleted; with --topic its "
        "members must not be subscribed to that topic. There is no way back: what joins under that name "
        "later begins where a new group begins.",
    .examples = "  strom group delete old-app\n"
                "  strom group delete app --topic orders --topic audit:0,1\n",
    .flags = delete_flags,
    .flag_count = sizeof delete_flags / sizeof *delete_flags,
    .names_min = 1,
    .names_max = ARGS_NAMES_MAX,
    .words = ARGS_WORDS_GROUP,
    .is_remote = true,
    .is_json = true,
};

static const char *delete_hint(struct run *run, struct str group, enum err err)
{
    if (err == ERR_NON_EMPTY_GROUP) {
        return run_print(run,
                         "stop its consumers first; `strom group describe " STR_FMT " --members` shows them",
                         STR_ARG(group))
            .ptr;
    }
    return err == ERR_GROUP_SUBSCRIBED_TO_TOPIC ? "stop the consumers that read the topic first" : NULL;
}

static void delete_refused(struct run *run, struct str group, const char *what, enum err err)
{
    if (err == ERR_GROUP_ID_NOT_FOUND) {
        group_missing(run, what, group);
    } else {
        run_refused(run, what, err, (struct str){NULL, 0}, delete_hint(run, group, err));
    }
}

static bool group_delete(struct run *run, struct str group, bool *ret_is_deleted)
{
    struct delete_groups_request request;
    struct delete_groups_response response;
    int64_t deadline_ns = run_deadline(run);
    enum err err;
    wire_init(&delete_groups_request_type, &request);
    request.group_names = &group;
    request.group_names_count = 1;
    do {
        int32_t id;
        struct client *coordinator = run_coordinator(run, group, &id);
        if (coordinator == NULL || !run_call_on(run, coordinator, API_DELETE_GROUPS, &request, &response)) {
            return false;
        }
        err = response.results_count == 1 ? response.results->error : ERR_UNKNOWN;
    } while (run_retry(run, err, deadline_ns));
    *ret_is_deleted = err == ERR_OK;
    if (err != ERR_OK && !(err == ERR_GROUP_ID_NOT_FOUND && args_given(run->args, "if-exists"))) {
        delete_refused(run, group, run_print(run, "cannot delete group " STR_FMT, STR_ARG(group)).ptr, err);
        return false;
    }
    return true;
}

// topics_choose fills the request with what --topic names; all partitions are those the group has offsets of.
static bool topics_choose(struct run *run, const struct group *group, struct offset_delete_request *request)
{
    struct str text;
    struct group_offsets offsets;
    if (!group_committed(run, group, &offsets)) {
        return false;
    }
    request->topics = run_array(run, offset_delete_request_topic, ARGS_VALUES_MAX);
    for (size_t i = 0; args_list(run->args, "topic", i, &text); i++) {
        struct topic_choice choice;
        struct error e = {0};
        if (topic_choice_parse(text, &run->arena, &choice, &e) != ERR_OK) {
            run_usage(run, "%s", e.text);
            return false;
        }
        struct offset_delete_request_topic *topic = &request->topics[request->topics_count++];
        size_t room = choice.partitions != NULL ? choice.count : offsets.count;
        topic->name = choice.topic;
        topic->partitions = wire_array(&run->arena, offset_delete_request_partition, room + 1);
        for (size_t k = 0; k < room && topic->partitions != NULL; k++) {
            if (choice.partitions != NULL) {
                topic->partitions[topic->partitions_count++].partition_index = choice.partitions[k];
            } else if (str_equal(offsets.items[k].topic, choice.topic)) {
                topic->partitions[topic->partitions_count++].partition_index = offsets.items[k].partition;
            }
        }
        if (topic->partitions_count == 0) {
            run_refused(run, run_print(run, "group " STR_FMT, STR_ARG(group->id)).ptr, ERR_UNKNOWN_PARTITION,
                        run_print(run, "it has no offset for topic " STR_FMT, STR_ARG(choice.topic)), NULL);
            return false;
        }
    }
    return true;
}

static bool offsets_delete(struct run *run, struct str id, int64_t *ret_count)
{
    struct group group;
    struct offset_delete_request request;
    struct offset_delete_response response;
    const char *what = run_print(run, "cannot delete offsets of group " STR_FMT, STR_ARG(id)).ptr;
    wire_init(&offset_delete_request_type, &request);
    request.group_id = id;
    if (!group_find(run, id, &group)) {
        return false;
    }
    if (group.err != ERR_OK) {
        delete_refused(run, id, what, group.err);
        return false;
    }
    if (!topics_choose(run, &group, &request) ||
        !run_call_on(run, group.coordinator, API_OFFSET_DELETE, &request, &response)) {
        return false;
    }
    enum err err = response.error;
    for (int32_t t = 0; t < response.topics_count; t++) {
        for (int32_t p = 0; p < response.topics[t].partitions_count; p++) {
            const struct offset_delete_response_partition *part = &response.topics[t].partitions[p];
            *ret_count += part->error == ERR_OK ? 1 : 0;
            if (part->error != ERR_OK && err == ERR_OK) {
                err = part->error;
                what = run_print(run, "%s, " STR_FMT " partition %d", what, STR_ARG(response.topics[t].name),
                                 part->partition_index)
                           .ptr;
            }
        }
    }
    if (err != ERR_OK) {
        delete_refused(run, id, what, err);
    }
    return err == ERR_OK;
}

static void delete_one(struct run *run, struct str group)
{
    bool is_deleted = false;
    int64_t count = 0;
    bool is_partial = args_given(run->args, "topic");
    if (!(is_partial ? offsets_delete(run, group, &count) : group_delete(run, group, &is_deleted))) {
        return;
    }
    if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_str(&run->json, "group", group);
        if (is_partial) {
            json_pair_i64(&run->json, "offsets_deleted", count);
        } else {
            json_pair_bool(&run->json, "deleted", is_deleted);
        }
        json_object_end(&run->json);
        return;
    }
    buf_printf(&run->out, is_partial ? "Group " : is_deleted ? "Deleted group " : "There is no group ");
    text_show(group, &run->out);
    if (is_partial) {
        buf_printf(&run->out, ": forgot %lld offset%s", (long long)count, count == 1 ? "" : "s");
    }
    buf_printf(&run->out, ".\n");
}

static int delete_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &delete_spec, argc, argv) && run_connect(&run)) {
        if (run.is_json) {
            json_array_begin(&run.json);
        }
        for (size_t i = 0; i < run.args->name_count; i++) {
            delete_one(&run, run.args->names[i]);
        }
        if (run.is_json) {
            json_array_end(&run.json);
            buf_u8(&run.out, '\n');
        }
    }
    return run_finish(&run);
}

static const struct cli_command list_command = {.name = "list", .spec = &list_spec, .run = list_run};
static const struct cli_command delete_command = {.name = "delete", .spec = &delete_spec, .run = delete_run};
static const struct cli_command *const verbs[] = {&list_command, &group_describe_command,
                                                  &group_reset_command, &delete_command, NULL};
const struct cli_command group_command = {
    .name = "group", .summary = "list, describe, reset and delete consumer groups", .verbs = verbs};
