// SPDX-License-Identifier: Apache-2.0
// cli.h - the commands that a person types, all but `serve`. One grammar: noun, verb, names, flags. Tables
// for people, --json for programs. Owner: the main thread.
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stddef.h>

// Exit codes of every command; cli_run returns one of them.
enum cli_exit {
    CLI_OK = 0,
    CLI_ERROR = 1,
    CLI_USAGE = 2,       // flags or names that make no sense
    CLI_UNREACHABLE = 3, // no broker answered
};

struct cli_command {
    const char *name;
    const char *summary;               // one line, for the overall help
    int (*run)(int argc, char **argv); // argv[0] is the command's name
};

// cli_run runs `strom <command> ...` for every command but serve: argv[0] is the command. It returns the exit
// code. An unknown command is CLI_USAGE, with the nearest name as a hint.
int cli_run(int argc, char **argv);

// cli_commands lists them in the order in which help shows them.
const struct cli_command *cli_commands(size_t *ret_count);

#endif
