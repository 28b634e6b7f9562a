// SPDX-License-Identifier: Apache-2.0
// schema_register.c - `strom schema register`, and `check`, which asks beforehand.
#include "cli/schema.h"

// ---- register

static const struct args_flag register_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    SCHEMA_BODY_FLAGS,
};
static const struct args_spec register_spec = {
    .command = "strom schema register",
    .names_usage = "SUBJECT FILE",
    .summary = "register a schema as the next version of a subject",
    .text = "A schema that the subject has already is found, not registered again. One that is incompatible "
            "with what is "
            "there is refused: `strom schema check` says why.",
    .examples = "  strom schema register orders-value order.avsc\n"
                "  strom schema register orders-value order.proto --reference money.proto=money:1\n",
    .flags = register_flags,
    .flag_count = sizeof register_flags / sizeof *register_flags,
    .names_min = 2,
    .names_max = 2,
    .words = ARGS_WORDS_FILE,
    .is_json = true,
};

// explain_refusal asks once more what is incompatible, for an answer that is taken apart more easily.
static bool explain_refusal(struct registry_client *c, struct str body)
{
    struct run *run = c->run;
    struct buf text;
    int status = 0;
    struct json_value *verdict = NULL;
    struct str path = path_of(run, "/compatibility/subjects/%S/versions?verbose=true&normalize=%s",
                              run->args->names[0], args_given(run->args, "normalize") ? "true" : "false");
    if (!registry_ask(c, "POST", path, body, &status, &verdict) || status >= 300 ||
        verdict_is_good(verdict)) {
        return false;
    }
    buf_init(&text, WEB_ANSWER_BYTES_MAX);
    verdict_explain(verdict, run->args->names[1], run->args->names[0], (struct str){0}, &text);
    for (struct str rest = buf_str(&text); rest.len > 0;) {
        struct str line = str_cut(rest, '\n', &rest);
        run_note(STR_FMT, STR_ARG(line));
    }
    run_note("strom: the schema is not registered (409)");
    buf_fini(&text);
    run->exit = CLI_ERROR;
    return true;
}

static void register_show(struct registry_client *c, struct str body, int status,
                          const struct json_value *found)
{
    struct run *run = c->run;
    int64_t id = 0;
    int64_t version = 0;
    if (status >= 300) {
        if (run->is_json || status != 409 || !explain_refusal(c, body)) {
            registry_said(c, "cannot register the schema", status, found);
        }
        return;
    }
    (void)json_value_i64(json_get(found, STR("id")), &id);
    (void)json_value_i64(json_get(found, STR("version")), &version);
    if (run->is_json) {
        buf_append_str(&run->out, json_text(run, found, false));
        buf_u8(&run->out, '\n');
    } else {
        buf_printf(&run->out, STR_FMT ": version %lld, id %lld\n", STR_ARG(run->args->names[0]),
                   (long long)version, (long long)id);
    }
}

static int register_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    struct json_value *found = NULL;
    struct str body = {0};
    if (!run_start(&run, &register_spec, argc, argv)) {
        return run_finish(&run);
    }
    struct str subject = run.args->names[0];
    struct str path = path_of(&run, "/subjects/%S/versions?normalize=%s", subject,
                              args_given(run.args, "normalize") ? "true" : "false");
    int status = 0;
    if (schema_body(&run, run.args->names[1], &body) && registry_open(&run, &c) &&
        registry_ask(&c, "POST", path, body, &status, &found)) {
        register_show(&c, body, status, found);
    }
    registry_close(&c);
    return run_finish(&run);
}

const struct cli_command schema_register_command = {
    .name = "register", .spec = &register_spec, .run = register_run};

// ---- check

static const struct args_flag check_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    SCHEMA_BODY_FLAGS,
    {"version", ARGS_TEXT, "N", NULL, 0, 0,
     "Compare with this version only; default: with all that its level names."},
};
static const struct args_spec check_spec = {
    .command = "strom schema check",
    .names_usage = "SUBJECT FILE",
    .summary = "tell whether a schema is compatible, and if not why",
    .text = "Registers nothing. Exits with 1 if the schema is not compatible.",
    .examples = "  strom schema check orders-value order.avsc\n",
    .flags = check_flags,
    .flag_count = sizeof check_flags / sizeof *check_flags,
    .names_min = 2,
    .names_max = 2,
    .words = ARGS_WORDS_FILE,
    .is_json = true,
};

// note_new_subject: a misspelt subject is compatible with everything.
static void note_new_subject(struct registry_client *c, const struct json_value *verdict, struct str subject)
{
    int status = 0;
    struct json_value *found = NULL;
    struct str path = path_of(c->run, "/subjects/%S/versions", subject);
    if (verdict_is_good(verdict) && registry_ask(c, "GET", path, (struct str){0}, &status, &found) &&
        status == 404) {
        run_note("strom: note: there is no subject " STR_FMT " yet, so everything is compatible with it",
                 STR_ARG(subject));
    }
}

static int check_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    struct json_value *found = NULL;
    struct str body = {0};
    if (!run_start(&run, &check_spec, argc, argv)) {
        return run_finish(&run);
    }
    struct str version = args_text(run.args, "version");
    const char *normalize = args_given(run.args, "normalize") ? "true" : "false";
    struct str path = version.ptr == NULL
                          ? path_of(&run, "/compatibility/subjects/%S/versions?verbose=true&normalize=%s",
                                    run.args->names[0], normalize)
                          : path_of(&run, "/compatibility/subjects/%S/versions/%S?verbose=true&normalize=%s",
                                    run.args->names[0], version, normalize);
    if (schema_body(&run, run.args->names[1], &body) && registry_open(&run, &c) &&
        registry_get(&c, "cannot check the schema", "POST", path, body, &found)) {
        if (run.is_json) {
            buf_append_str(&run.out, json_text(&run, found, false));
            buf_u8(&run.out, '\n');
        } else {
            verdict_explain(found, run.args->names[1], run.args->names[0], version, &run.out);
        }
        run.exit = verdict_is_good(found) ? run.exit : CLI_ERROR;
        note_new_subject(&c, found, run.args->names[0]);
    }
    registry_close(&c);
    return run_finish(&run);
}

const struct cli_command schema_check_command = {.name = "check", .spec = &check_spec, .run = check_run};
