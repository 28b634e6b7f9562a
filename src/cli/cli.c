// SPDX-License-Identifier: Apache-2.0
#include "cli/cli_private.h"

static const struct cli_command commands[] = {
    {"topic", "create, list, describe, alter, trim and delete topics", topic_run},
    {"produce", "write the lines of a file or of standard input to a topic", produce_run},
    {"consume", "print the records of a topic", consume_run},
    {"config", "show and change settings of topics and of the broker", config_run},
    {"cluster", "show the brokers and what they speak", cluster_run},
    {"dump", "print a log file, merged object or snapshot for people", dump_run},
    {"repair", "cut a damaged log before the first rotten bundle", repair_run},
    {"version", "print the version", version_run},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

const struct cli_command *cli_commands(size_t *ret_count)
{
    *ret_count = COMMAND_COUNT;
    return commands;
}

static int unknown_command(struct str name)
{
    const char *names[COMMAND_COUNT + 1] = {"serve"};
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i + 1] = commands[i].name;
    }
    const char *nearest = text_nearest(name, names, COMMAND_COUNT + 1);
    run_note("strom: there is no command \"" STR_FMT "\"", STR_ARG(name));
    if (nearest != NULL) {
        run_note("  hint: did you mean `strom %s`?", nearest);
    } else {
        run_note("  hint: see `strom --help`");
    }
    return CLI_USAGE;
}

int cli_run(int argc, char **argv)
{
    struct str name = argc > 0 ? str_from_c(argv[0]) : STR("");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (str_equal(name, str_from_c(commands[i].name))) {
            return commands[i].run(argc, argv);
        }
    }
    return unknown_command(name);
}

static const struct args_spec version_spec = {
    .command = "strom version",
    .names_usage = "",
    .summary = "print the version",
    .text = "Prints the version of this program. `strom cluster` tells what a broker speaks.",
    .examples = "  strom version\n  strom version --json\n",
    .is_json = true,
};

int version_run(int argc, char **argv)
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
