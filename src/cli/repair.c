// SPDX-License-Identifier: Apache-2.0
// repair.c - `strom repair`: the way out when a server is read-only because acknowledged data has rotted.
#include "cli/cli_private.h"

#include "cli/local_file.h"
#include "engine/local/local.h"
#include "platform/real/real.h"

static const struct args_flag repair_flags[] = {
    {"data-dir", ARGS_TEXT, "DIR", "./strom-data", 0, 0,
     "The data directory. No server may be running on it."},
    {"dry-run", ARGS_SWITCH, NULL, NULL, 0, 0,
     "Say what would be done, change nothing; so it is without --yes."},
    {"yes", ARGS_SWITCH, NULL, NULL, 0, 0, "Do it."},
};
static const struct args_spec repair_spec = {
    .command = "strom repair",
    .names_usage = "",
    .summary = "cut a damaged log before the first rotten bundle",
    .text =
        "A server that finds acknowledged data damaged serves what precedes the damage, read-only, and "
        "says so in its log and at /health. Restore a backup if you can. If not, this command cuts the log "
        "before the first rotten bundle, so that the server starts again: every record from there on is "
        "lost to clients.\n\n"
        "What is cut off is first copied to wal/lost-LSN-N in the data directory. A log without damage is "
        "left "
        "as it is.",
    .examples = "  strom repair --data-dir /var/lib/strom\n"
                "  strom repair --data-dir /var/lib/strom --yes\n",
    .flags = repair_flags,
    .flag_count = sizeof repair_flags / sizeof *repair_flags,
};

static void print_line(void *arg, struct str text)
{
    struct run *run = arg;
    buf_append_str(&run->out, text);
    buf_u8(&run->out, '\n');
}

static enum err data_dir_open(struct str dir, struct env **ret_env, struct error *e)
{
    char meta[1024];
    int len = snprintf(meta, sizeof meta, STR_FMT "/meta", STR_ARG(dir));
    // Opening the seam would make a directory that is not there.
    if (len < 0 || (size_t)len >= sizeof meta || !path_exists((struct str){meta, (size_t)len})) {
        return FAIL(e, ERR_NOT_FOUND,
                    STR_FMT " is no data directory: it has no file \"meta\" that can be read", STR_ARG(dir));
    }
    return real_env_open(dir, ret_env, e);
}

static void repair(struct run *run)
{
    bool is_dry_run = !args_given(run->args, "yes");
    struct str dir = args_text(run->args, "data-dir");
    struct error e = {0};
    if (!is_dry_run && args_given(run->args, "dry-run")) {
        run_usage(run, "--yes and --dry-run exclude each other");
        return;
    }
    enum err err = data_dir_open(dir, &run->env, &e);
    if (err == ERR_OK) {
        err = wal_repair(run->env, is_dry_run, print_line, run, &e);
    }
    if (err != ERR_OK) {
        run_fail(run, run_print(run, "cannot repair " STR_FMT, STR_ARG(dir)).ptr, err, &e,
                 err == ERR_EXISTS ? "stop the server first" : NULL);
    } else if (is_dry_run) {
        buf_printf(&run->out, "Nothing was changed. --yes does it.\n");
    }
}

static int repair_run(int argc, char **argv)
{
    struct run run;
    if (run_start(&run, &repair_spec, argc, argv)) {
        repair(&run);
    }
    return run_finish(&run);
}

const struct cli_command repair_command = {.name = "repair", .spec = &repair_spec, .run = repair_run};
