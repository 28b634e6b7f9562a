// SPDX-License-Identifier: Apache-2.0
// cli.h - the command line: one grammar, noun, verb, names, flags. Tables for people, --json for programs.
// Owner: the main thread.
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/bytes.h"

// Exit codes of every command; cli_main returns one of them.
enum cli_exit {
    CLI_OK = 0,
    CLI_ERROR = 1,
    CLI_USAGE = 2,       // flags or names that make no sense
    CLI_UNREACHABLE = 3, // no broker answered
};

// What `strom serve` was given.
struct cli_serve {
    struct str config_path; // NULL ptr = none
    const struct str *sets; // KEY=VALUE each, in their order
    size_t set_count;
};

// cli_main runs `strom <command> ...`: argv[0] is the program. It returns the exit code. The broker itself is
// the caller's: `serve` runs it and returns an exit code.
int cli_main(int argc, char **argv, int (*serve)(const struct cli_serve *options));

#endif
