// SPDX-License-Identifier: Apache-2.0
// cli.c - the list of commands, and the way from words to one of them.
#include "cli/cli_private.h"

static const struct args_spec version_spec = {
    .command = "strom version",
    .names_usage = "",
    .summary = "print the version",
    .text = "Prints the version of this program. `strom cluster` tells what a broker speaks.",
    .examples = "  strom version\n  strom version --json\n",
    .is_json = true,
};

static int version_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &version_spec, argc, argv)) {
        if (run.is_json) {
            json_object_begin(&run.json);
            json_pair_str(&run.json, "version", STR(STROM_VERSION));
            json_object_end(&run.json);
            buf_u8(&run.out, '\n');
        } else {
            buf_printf(&run.out, "strom %s\n", STROM_VERSION);
        }
    }
    return run_finish(&run);
}

static const struct cli_command version_command = {
    .name = "version", .spec = &version_spec, .run = version_run};
static const struct cli_command *const commands[] = {&serve_command,
                                                     &topic_command,
                                                     &produce_command,
                                                     &consume_command,
                                                     &group_command,
                                                     &config_command,
                                                     &quota_command,
                                                     &schema_command,
                                                     &contract_command,
                                                     &dlq_command,
                                                     &cluster_command,
                                                     &dump_command,
                                                     &repair_command,
                                                     &completion_command,
                                                     &help_command,
                                                     &version_command,
                                                     NULL};
const struct cli_command cli_root = {
    .name = "strom",
    .summary = "event streaming that understands its data; it speaks the Kafka protocol",
    .verbs = commands,
};

const struct cli_command *command_find(const struct cli_command *noun, struct str name)
{
    for (const struct cli_command *const *verb = noun->verbs; *verb != NULL; verb++) {
        if (str_equal(name, str_from_c((*verb)->name))) {
            return *verb;
        }
    }
    return NULL;
}

const char *command_summary(const struct cli_command *command)
{
    return command->spec != NULL ? command->spec->summary : command->summary;
}

static const char *nearest_verb(const struct cli_command *noun, struct str name)
{
    const char *nearest = NULL;
    size_t nearest_edits = SIZE_MAX;
    for (const struct cli_command *const *verb = noun->verbs; *verb != NULL; verb++) {
        size_t edits;
        if (text_is_near(name, str_from_c((*verb)->name), &edits) && edits < nearest_edits) {
            nearest = (*verb)->name;
            nearest_edits = edits;
        }
    }
    return nearest;
}

static int unknown_verb(const struct cli_command *noun, const char *path, struct str name)
{
    const char *nearest = nearest_verb(noun, name);
    if (noun == &cli_root) {
        run_note("strom: there is no command \"" STR_FMT "\"", STR_ARG(name));
    } else {
        run_note("strom: `%s` has no verb \"" STR_FMT "\"", path, STR_ARG(name));
    }
    if (nearest != NULL) {
        run_note("  hint: did you mean `%s %s`?", path, nearest);
    } else {
        run_note("  hint: see `%s --help`", path);
    }
    return CLI_USAGE;
}

static int serve_run(int argc, char **argv, int (*serve)(const struct cli_serve *options))
{
    struct run run;
    struct cli_serve options = {0};
    bool is_ready = serve_flags(&run, argc, argv, &options);
    int code = is_ready ? serve(&options) : CLI_OK;
    int own_code = run_finish(&run);
    return is_ready ? code : own_code;
}

int cli_main(int argc, char **argv, int (*serve)(const struct cli_serve *options))
{
    const struct cli_command *command = &cli_root;
    const char *path = "strom";
    char noun_path[64];
    for (int i = 1; command->verbs != NULL; i++) {
        struct str word = i < argc ? str_from_c(argv[i]) : STR("--help");
        if (str_equal(word, STR("--help")) || str_equal(word, STR("-h"))) {
            return help_noun(command, path, i < argc);
        }
        if (command == &cli_root && str_equal(word, STR("--version"))) {
            word = STR("version");
        }
        if (command == &cli_root && str_equal(word, STR("complete"))) {
            return complete_run(argc - i, argv + i);
        }
        const struct cli_command *verb = command_find(command, word);
        if (verb == NULL) {
            return unknown_verb(command, path, word);
        }
        if (verb == &serve_command) {
            return serve_run(argc - i, argv + i, serve);
        }
        if (verb->run != NULL) {
            return verb->run(argc - i, argv + i);
        }
        snprintf(noun_path, sizeof noun_path, "strom %s", verb->name);
        path = noun_path;
        command = verb;
    }
    return CLI_USAGE;
}
