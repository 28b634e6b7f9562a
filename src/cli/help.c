// SPDX-License-Identifier: Apache-2.0
// help.c - `strom help`, and what `strom` and each noun print for --help. --man is the same as roff.
#include "cli/cli_private.h"

#include "cli/page.h"
#include "platform/real/process.h"

enum { VERBS_MAX = 32, PAGE_BYTES_MAX = 4 << 20 };

static void list_print(const struct cli_command *noun, struct buf *out)
{
    struct page_row rows[VERBS_MAX];
    size_t count = 0;
    for (const struct cli_command *const *verb = noun->verbs; *verb != NULL && count < VERBS_MAX; verb++) {
        rows[count++] = (struct page_row){(*verb)->name, command_summary(*verb)};
    }
    page_list(rows, count, out);
}

static void noun_print(const struct cli_command *noun, const char *path, struct buf *out)
{
    bool is_root = noun == &cli_root;
    buf_printf(out, "%s - %s\n\nUSAGE\n  %s %s [names] [flags]\n\n%s\n", path, noun->summary, path,
               is_root ? "COMMAND" : "VERB", is_root ? "COMMANDS" : "VERBS");
    list_print(noun, out);
    if (is_root) {
        buf_printf(out, "\n`strom COMMAND --help` explains each; `strom help --man | man -l -` is the whole "
                        "manual.\n\nA FIRST TRY, in two terminals\n  strom serve\n"
                        "  echo hello | strom produce greetings && strom consume greetings --exit\n");
    } else {
        buf_printf(out, "\n`%s VERB --help` explains each, with examples.\n", path);
    }
}

int help_noun(const struct cli_command *noun, const char *path, bool is_asked)
{
    struct buf text;
    buf_init(&text, PAGE_BYTES_MAX);
    noun_print(noun, path, &text);
    enum err err = process_write(is_asked ? PROCESS_STDOUT : PROCESS_STDERR, buf_str(&text), NULL);
    (void)err; // a closed pipe is fine
    buf_fini(&text);
    return is_asked ? CLI_OK : CLI_USAGE;
}

// ---- the manual

static void man_sections(const struct cli_command *noun, struct buf *out)
{
    for (const struct cli_command *const *verb = noun->verbs; *verb != NULL; verb++) {
        if ((*verb)->spec != NULL) {
            page_roff_section((*verb)->spec, out);
        } else {
            man_sections(*verb, out);
        }
    }
}

// man_print makes the whole manual: one page with a section per command.
static void man_print(struct buf *out)
{
    buf_printf(out, ".TH \"STROM\" 1 \"\" \"strom %s\" \"Strom\"\n.SH NAME\nstrom \\- ", STROM_VERSION);
    page_roff_text(str_from_c(cli_root.summary), out);
    buf_printf(out, "\n.SH SYNOPSIS\n.B strom\n.I COMMAND\n[names] [flags]\n.SH DESCRIPTION\n");
    page_roff_text(
        STR("One program is the broker and every tool beside it. Commands are a noun, a verb, names "
            "and flags; tables are for people, --json is for programs. Each command prints its "
            "own page with --help.\n"),
        out);
    buf_printf(out, ".SH COMMANDS\n");
    man_sections(&cli_root, out);
    page_roff_end(true, out);
}

static const struct args_flag help_flags[] = {
    {"man", ARGS_SWITCH, NULL, NULL, 0, 0,
     "Print a man page in roff; without names the whole manual, strom(1)."},
};
static const struct args_spec help_spec = {
    .command = "strom help",
    .names_usage = "[COMMAND [VERB]]",
    .summary = "explain a command",
    .text = "Prints the page that `--help` of the command prints, or the list of commands.",
    .examples = "  strom help topic create\n"
                "  strom help --man | man -l -\n"
                "  strom help --man > /usr/local/share/man/man1/strom.1\n",
    .flags = help_flags,
    .flag_count = sizeof help_flags / sizeof *help_flags,
    .names_max = 2,
    .words = ARGS_WORDS_COMMAND,
};

static void help(struct run *run)
{
    const struct cli_command *command = &cli_root;
    const char *path = "strom";
    bool is_man = args_given(run->args, "man");
    for (size_t i = 0; i < run->args->name_count; i++) {
        const struct cli_command *verb =
            command->verbs == NULL ? NULL : command_find(command, run->args->names[i]);
        if (verb == NULL) {
            run_usage(run, "`%s` has no \"" STR_FMT "\"", path, STR_ARG(run->args->names[i]));
            return;
        }
        command = verb;
        path = run_print(run, "%s %s", path, verb->name).ptr;
    }
    if (command->spec == NULL) {
        if (is_man && command != &cli_root) {
            run_usage(run, "`%s` is a noun: name one of its verbs too", path);
        } else if (is_man) {
            man_print(&run->out);
        } else {
            noun_print(command, path, &run->out);
        }
    } else if (is_man) {
        page_roff(command->spec, STROM_VERSION, &run->out);
    } else {
        page_text(command->spec, &run->out);
    }
}

static int help_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &help_spec, argc, argv)) {
        help(&run);
    }
    return run_finish(&run);
}

const struct cli_command help_command = {.name = "help", .spec = &help_spec, .run = help_run};
