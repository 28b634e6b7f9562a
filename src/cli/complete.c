// SPDX-License-Identifier: Apache-2.0
// complete.c - `strom complete WORD...`: what may stand in the place of the last word. The scripts of `strom
// completion` call it at each Tab; commands, flags and choices come from the tables, topics and groups from
// the broker. One candidate per line, a tab and what it is; ":files" says that the shell shall offer its own.
// It never complains: whoever types a command line wants no errors in the middle of it.
#include "cli/cli_private.h"

#include "core/setting.h"

enum { COMPLETE_TIMEOUT_MS = 1500 };

struct completion {
    struct run *run;
    struct str prefix; // of what is typed
    struct str lead;   // stands before each candidate: "--format=", or "retention.ms=" would be one's own
    struct str bootstrap;
};

static void offer(const struct completion *c, struct str word, const char *what)
{
    if (!str_has_prefix(word, c->prefix)) {
        return;
    }
    struct buf *out = &c->run->out;
    text_show(c->lead, out);
    text_show(word, out);
    if (what != NULL) {
        buf_printf(out, "\t%s", what);
    }
    buf_u8(out, '\n');
}

static void offer_choices(const struct completion *c, const char *choices)
{
    struct str rest = str_from_c(choices);
    while (rest.ptr != NULL) {
        offer(c, str_cut(rest, '|', &rest), NULL);
    }
}

static void offer_settings(const struct completion *c, bool is_topic)
{
    for (uint32_t i = 0; i < setting_count(); i++) {
        const struct setting *setting = setting_at(i);
        if ((setting->scope == SETTING_TOPIC) == is_topic) {
            offer(c, run_print(c->run, "%s=", setting->name), NULL);
        }
    }
}

static bool ask_connect(struct completion *c)
{
    return run_open(c->run, c->bootstrap, COMPLETE_TIMEOUT_MS, NULL) == ERR_OK;
}

static void offer_topics(struct completion *c)
{
    struct metadata_request request;
    struct metadata_response response;
    wire_init(&metadata_request_type, &request);
    request.topics_count = -1;
    request.allow_auto_topic_creation = false;
    if (!ask_connect(c) ||
        client_call(c->run->client, API_METADATA, &request, &c->run->arena, &response, NULL) != ERR_OK) {
        return;
    }
    for (int32_t i = 0; i < response.topics_count; i++) {
        if (!response.topics[i].is_internal) {
            offer(c, response.topics[i].name, NULL);
        }
    }
}

static void offer_groups(struct completion *c)
{
    struct list_groups_request request;
    struct list_groups_response response;
    wire_init(&list_groups_request_type, &request);
    if (!ask_connect(c) ||
        client_call(c->run->client, API_LIST_GROUPS, &request, &c->run->arena, &response, NULL) != ERR_OK) {
        return;
    }
    for (int32_t i = 0; i < response.groups_count; i++) {
        offer(c, response.groups[i].group_id, NULL);
    }
}

static void offer_verbs(const struct completion *c, const struct cli_command *noun)
{
    for (const struct cli_command *const *verb = noun->verbs; *verb != NULL; verb++) {
        offer(c, str_from_c((*verb)->name), command_summary(*verb));
    }
}

static void offer_words(struct completion *c, enum args_words words, const char *choices)
{
    switch (words) {
    case ARGS_WORDS_NONE:
        break;
    case ARGS_WORDS_FILE:
        buf_printf(&c->run->out, ":files\n");
        break;
    case ARGS_WORDS_TOPIC:
        offer_topics(c);
        break;
    case ARGS_WORDS_GROUP:
        offer_groups(c);
        break;
    case ARGS_WORDS_TOPIC_SETTING:
    case ARGS_WORDS_BROKER_SETTING:
        offer_settings(c, words == ARGS_WORDS_TOPIC_SETTING);
        break;
    case ARGS_WORDS_COMMAND:
        offer_verbs(c, &cli_root);
        break;
    case ARGS_WORDS_CHOICE:
        offer_choices(c, choices);
        break;
    }
}

static void offer_value(struct completion *c, const struct args_flag *flag)
{
    bool is_choice = flag->kind == ARGS_CHOICE;
    offer_words(c, is_choice ? ARGS_WORDS_CHOICE : flag->words, flag->value_name);
}

static void offer_flags(const struct completion *c, const struct args_spec *spec)
{
    const struct args_flag *flag;
    for (size_t i = 0; (flag = args_flag_at(spec, i)) != NULL; i++) {
        struct str first = str_from_c(flag->help);
        first.len = str_cut(first, '.', &(struct str){0}).len;
        offer(c, run_print(c->run, "--%s", flag->name), run_print(c->run, STR_FMT, STR_ARG(first)).ptr);
    }
}

// complete_command offers for the last of the words after a command.
static void complete_command(struct completion *c, const struct args_spec *spec, int argc, char **argv)
{
    const struct args_flag *open = NULL; // the flag whose value comes next
    for (int i = 0; i + 1 < argc; i++) {
        struct str value = {NULL, 0};
        struct str word = str_from_c(argv[i]);
        if (open != NULL) {
            c->bootstrap = strcmp(open->name, "bootstrap-server") == 0 ? word : c->bootstrap;
            open = NULL;
        } else if (str_has_prefix(word, STR("--"))) {
            const struct args_flag *flag =
                args_flag_find(spec, str_cut(str_from_c(argv[i] + 2), '=', &value));
            bool wants_value =
                flag != NULL && value.ptr == NULL && flag->kind != ARGS_SWITCH && flag->kind != ARGS_OPTIONAL;
            open = wants_value ? flag : NULL;
        }
    }
    struct str word = str_from_c(argv[argc - 1]);
    if (open != NULL) {
        offer_value(c, open);
    } else if (word.len > 0 && word.ptr[0] == '-') {
        struct str value = {NULL, 0};
        struct str name = str_cut(word, '=', &value);
        bool has_value = value.ptr != NULL && name.len > 2;
        const struct args_flag *flag =
            has_value ? args_flag_find(spec, (struct str){name.ptr + 2, name.len - 2}) : NULL;
        if (flag != NULL) {
            c->lead = (struct str){word.ptr, name.len + 1};
            c->prefix = value;
            offer_value(c, flag);
        } else {
            offer_flags(c, spec);
        }
    } else {
        offer_words(c, spec->words, spec->names_usage);
    }
}

int complete_run(int argc, char **argv)
{
    static const struct args_spec spec = {.command = "strom complete", .names_usage = "", .is_remote = true};
    char *no_words[] = {argv[0]};
    struct run run;
    struct completion c = {.run = &run};
    if (run_start(&run, &spec, 1, no_words) && argc > 1) {
        const struct cli_command *command = &cli_root;
        int at = 1;
        while (at + 1 < argc && command != NULL && command->verbs != NULL) {
            command = command_find(command, str_from_c(argv[at++]));
        }
        c.prefix = str_from_c(argv[argc - 1]);
        if (command != NULL && command->verbs != NULL) {
            offer_verbs(&c, command);
        } else if (command != NULL) {
            complete_command(&c, command->spec, argc - at, argv + at);
        }
    }
    run.exit = CLI_OK;
    return run_finish(&run);
}
