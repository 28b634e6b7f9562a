// SPDX-License-Identifier: Apache-2.0
// quota.c - `strom quota list|set|remove`: limits for users, clients and addresses (KIP-546).
#include "cli/cli_private.h"

#include <math.h>
#include <stdlib.h>

enum { ENTITY_PARTS_MAX = 3, KEY_BYTES_MAX = 64, MATCH_EXACT = 0, MATCH_DEFAULT = 1 };

// The flags of an entity, and what the protocol calls them.
static const struct {
    const char *flag;
    const char *default_flag;
    const char *type;
} entities[ENTITY_PARTS_MAX] = {
    {"user", "user-default", "user"}, {"client", "client-default", "client-id"}, {"ip", "ip-default", "ip"}};

#define ENTITY_FLAGS(what)                                                                                   \
    {"user", ARGS_TEXT, "NAME", NULL, 0, 0, what " this user."},                                             \
        {"user-default", ARGS_SWITCH, NULL, NULL, 0, 0, what " every user without a quota of its own."},     \
        {"client", ARGS_TEXT, "ID", NULL, 0, 0, what " this client id; with --user, of that user."},         \
        {"client-default", ARGS_SWITCH, NULL, NULL, 0, 0, what " every client id without one of its own."},  \
        {"ip", ARGS_TEXT, "ADDRESS", NULL, 0, 0, what " connections from this address."},                    \
    {                                                                                                        \
        "ip-default", ARGS_SWITCH, NULL, NULL, 0, 0, what " connections from every other address."           \
    }

static const char KEYS_TEXT[] =
    "The keys: producer_byte_rate and consumer_byte_rate (bytes per second), request_percentage (of the "
    "broker's time), controller_mutation_rate (partitions made or deleted per second), and for addresses "
    "connection_creation_rate (connections per second). Who is over a quota is slowed down, not refused.";

// entity_given collects what the flags say of one part. *ret_name NULL ptr = the default. false: nothing.
static bool entity_given(const struct run *run, size_t part, struct str *ret_name)
{
    if (args_given(run->args, entities[part].default_flag)) {
        *ret_name = (struct str){NULL, 0};
        return true;
    }
    *ret_name = args_text(run->args, entities[part].flag);
    return ret_name->ptr != NULL;
}

static bool entity_flags_check(struct run *run, bool is_needed)
{
    size_t given = 0;
    struct str name;
    for (size_t i = 0; i < ENTITY_PARTS_MAX; i++) {
        if (args_given(run->args, entities[i].flag) && args_given(run->args, entities[i].default_flag)) {
            run_usage(run, "--%s and --%s exclude each other", entities[i].flag, entities[i].default_flag);
            return false;
        }
        given += entity_given(run, i, &name) ? 1 : 0;
    }
    bool is_mixed = entity_given(run, 2, &name) && given > 1;
    if (is_mixed) {
        run_usage(run, "an address has quotas of its own: --ip excludes --user and --client");
    } else if (is_needed && given == 0) {
        run_usage(run, "whose quota? give --user, --client or --ip, or one of the defaults");
    }
    return !is_mixed && (!is_needed || given > 0);
}

static void entity_text(const struct describe_client_quotas_response_entity_part *parts, int32_t count,
                        struct buf *out)
{
    for (int32_t i = 0; i < count; i++) {
        buf_printf(out, "%s", i == 0 ? "" : ", ");
        text_show(parts[i].entity_type, out);
        buf_u8(out, ' ');
        text_show(parts[i].entity_name.ptr == NULL ? STR("(default)") : parts[i].entity_name, out);
    }
}

static struct str number_text(struct run *run, double value)
{
    bool is_whole = value > -1e15 && value < 1e15 && (double)(int64_t)value == value;
    return run_print(run, is_whole ? "%.0f" : "%.15g", value);
}

// ---- list

static const struct args_flag list_flags[] = {
    ENTITY_FLAGS("Only quotas of"),
};
static const struct args_spec list_spec = {
    .command = "strom quota list",
    .names_usage = "",
    .summary = "show quotas",
    .text = "Shows the quotas that were set; with flags those of the entities that match, also where they "
            "are part of "
            "a pair of user and client.",
    .examples = "  strom quota list\n"
                "  strom quota list --user alice --json\n",
    .flags = list_flags,
    .flag_count = sizeof list_flags / sizeof *list_flags,
    .is_remote = true,
    .is_json = true,
};

static void list_json(struct run *run, const struct describe_client_quotas_response *found)
{
    struct json *json = &run->json;
    json_array_begin(json);
    for (int32_t i = 0; i < found->entries_count; i++) {
        const struct describe_client_quotas_response_entry *entry = &found->entries[i];
        json_object_begin(json);
        json_key(json, "entity");
        json_array_begin(json);
        for (int32_t p = 0; p < entry->entity_count; p++) {
            json_object_begin(json);
            json_pair_str(json, "type", entry->entity[p].entity_type);
            json_pair_str(json, "name", entry->entity[p].entity_name);
            json_object_end(json);
        }
        json_array_end(json);
        json_key(json, "quotas");
        json_object_begin(json);
        for (int32_t v = 0; v < entry->values_count; v++) {
            json_key(json, run_print(run, STR_FMT, STR_ARG(entry->values[v].key)).ptr);
            json_f64(json, entry->values[v].value);
        }
        json_object_end(json);
        json_object_end(json);
    }
    json_array_end(json);
    buf_u8(&run->out, '\n');
}

static void list_table(struct run *run, const struct describe_client_quotas_response *found)
{
    static const struct table_column columns[] = {{"ENTITY", false}, {"QUOTA", false}, {"VALUE", true}};
    struct table t;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (int32_t i = 0; i < found->entries_count; i++) {
        const struct describe_client_quotas_response_entry *entry = &found->entries[i];
        struct buf who;
        buf_init(&who, CLI_OUT_BYTES_MAX);
        entity_text(entry->entity, entry->entity_count, &who);
        for (int32_t v = 0; v < entry->values_count; v++) {
            table_str(&t, buf_str(&who));
            table_str(&t, entry->values[v].key);
            table_str(&t, number_text(run, entry->values[v].value));
        }
        buf_fini(&who);
    }
    if (t.cell_count > 0) {
        table_print(&t, &run->out);
    } else {
        run_note("No such quota is set.");
    }
    table_fini(&t);
}

static bool list_ask(struct run *run, struct describe_client_quotas_response *ret)
{
    struct describe_client_quotas_request request;
    wire_init(&describe_client_quotas_request_type, &request);
    request.components = run_array(run, describe_client_quotas_request_component, ENTITY_PARTS_MAX);
    for (size_t i = 0; i < ENTITY_PARTS_MAX; i++) {
        struct str name;
        if (entity_given(run, i, &name)) {
            struct describe_client_quotas_request_component *c =
                &request.components[request.components_count++];
            c->entity_type = str_from_c(entities[i].type);
            c->match_type = name.ptr == NULL ? MATCH_DEFAULT : MATCH_EXACT;
            c->match = name;
        }
    }
    if (!run_call(run, API_DESCRIBE_CLIENT_QUOTAS, &request, ret)) {
        return false;
    }
    if (ret->error != ERR_OK) {
        run_refused(run, "cannot list the quotas", ret->error, ret->error_message, NULL);
    }
    return ret->error == ERR_OK;
}

static int list_run(int argc, char **argv)
{
    struct run run;
    struct describe_client_quotas_response found;
    if (run_start(&run, &list_spec, argc, argv) && entity_flags_check(&run, false) && run_connect(&run) &&
        list_ask(&run, &found)) {
        if (run.is_json) {
            list_json(&run, &found);
        } else {
            list_table(&run, &found);
        }
    }
    return run_finish(&run);
}

// ---- set and remove

static const struct args_flag change_flags[] = {
    ENTITY_FLAGS("For"),
    {"validate-only", ARGS_SWITCH, NULL, NULL, 0, 0, "Check everything, change nothing."},
};
static const struct args_spec set_spec = {
    .command = "strom quota set",
    .names_usage = "KEY=VALUE...",
    .summary = "set quotas of a user, a client or an address",
    .text = KEYS_TEXT,
    .examples = "  strom quota set --user alice producer_byte_rate=1048576 consumer_byte_rate=2097152\n"
                "  strom quota set --client-default request_percentage=25\n"
                "  strom quota set --user alice --client report consumer_byte_rate=1e6\n"
                "  strom quota set --ip 10.0.0.7 connection_creation_rate=5\n",
    .flags = change_flags,
    .flag_count = sizeof change_flags / sizeof *change_flags,
    .names_min = 1,
    .names_max = ARGS_NAMES_MAX,
    .is_remote = true,
    .is_json = true,
};
static const struct args_spec remove_spec = {
    .command = "strom quota remove",
    .names_usage = "KEY...",
    .summary = "remove quotas of a user, a client or an address",
    .text = KEYS_TEXT,
    .examples = "  strom quota remove --user alice producer_byte_rate\n",
    .flags = change_flags,
    .flag_count = sizeof change_flags / sizeof *change_flags,
    .names_min = 1,
    .names_max = ARGS_NAMES_MAX,
    .is_remote = true,
    .is_json = true,
};

static bool number_parse(struct str text, double *ret)
{
    char copy[KEY_BYTES_MAX];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *end;
    *ret = strtod(copy, &end);
    return *end == '\0' && isfinite(*ret) && copy[0] != ' ' && strpbrk(copy, "xX") == NULL;
}

static bool ops_fill(struct run *run, bool is_set, struct alter_client_quotas_request_entry *entry)
{
    entry->ops = run_array(run, alter_client_quotas_request_op, run->args->name_count);
    for (size_t i = 0; i < run->args->name_count; i++) {
        struct alter_client_quotas_request_op *op = &entry->ops[entry->ops_count++];
        struct str text = run->args->names[i];
        struct str number;
        op->key = text;
        op->remove = !is_set;
        if (is_set && (!pair_split(text, &op->key, &number) || !number_parse(number, &op->value))) {
            run_usage(run, "KEY=NUMBER is wanted, not \"" STR_FMT "\"", STR_ARG(text));
            return false;
        }
    }
    return true;
}

static void change(struct run *run, bool is_set)
{
    struct alter_client_quotas_request request;
    struct alter_client_quotas_response response;
    wire_init(&alter_client_quotas_request_type, &request);
    request.entries = run_array(run, alter_client_quotas_request_entry, 1);
    request.entries_count = 1;
    request.validate_only = args_given(run->args, "validate-only");
    request.entries->entity = run_array(run, alter_client_quotas_request_entity_part, ENTITY_PARTS_MAX);
    for (size_t i = 0; i < ENTITY_PARTS_MAX; i++) {
        struct str name;
        if (entity_given(run, i, &name)) {
            request.entries->entity[request.entries->entity_count].entity_type = str_from_c(entities[i].type);
            request.entries->entity[request.entries->entity_count++].entity_name = name;
        }
    }
    if (!ops_fill(run, is_set, request.entries) || !run_connect(run) ||
        !run_call(run, API_ALTER_CLIENT_QUOTAS, &request, &response)) {
        return;
    }
    enum err err = response.entries_count == 1 ? response.entries->error : ERR_UNKNOWN;
    if (err != ERR_OK) {
        run_refused(run, "cannot change the quotas", err,
                    response.entries_count == 1 ? response.entries->error_message : STR(""),
                    run_print(run, "`%s --help` lists the keys", run->args->spec->command).ptr);
    } else if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_i64(&run->json, "quotas_changed",
                      request.validate_only ? 0 : (int64_t)run->args->name_count);
        json_object_end(&run->json);
        buf_u8(&run->out, '\n');
    } else {
        buf_printf(&run->out,
                   request.validate_only ? "That would be fine; nothing was changed.\n"
                                         : "Changed %zu quota%s.\n",
                   run->args->name_count, run->args->name_count == 1 ? "" : "s");
    }
}

static int set_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &set_spec, argc, argv) && entity_flags_check(&run, true)) {
        change(&run, true);
    }
    return run_finish(&run);
}

static int remove_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &remove_spec, argc, argv) && entity_flags_check(&run, true)) {
        change(&run, false);
    }
    return run_finish(&run);
}

static const struct cli_command list_command = {.name = "list", .spec = &list_spec, .run = list_run};
static const struct cli_command set_command = {.name = "set", .spec = &set_spec, .run = set_run};
static const struct cli_command remove_command = {.name = "remove", .spec = &remove_spec, .run = remove_run};
static const struct cli_command *const verbs[] = {&list_command, &set_command, &remove_command, NULL};
const struct cli_command quota_command = {
    .name = "quota", .summary = "show and change what clients may use", .verbs = verbs};
