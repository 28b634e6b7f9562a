// SPDX-License-Identifier: Apache-2.0
// schema_diff.c - `strom schema diff`: what changed between two versions, and whether the later one is
// compatible.
#include "cli/diff.h"
#include "cli/schema.h"

static const struct args_flag diff_flags[] = {SCHEMA_REGISTRY_FLAG};
static const struct args_spec diff_spec = {
    .command = "strom schema diff",
    .names_usage = "SUBJECT VERSION [VERSION]",
    .summary = "show what changed between two versions",
    .text = "Compares the first version with the second one, by default the latest: line by line as `diff "
            "-u` does, references and rules too, Avro and JSON laid out alike first. Then tells whether the "
            "second is compatible with the first by the subject's level; exits with 1 if it is not.",
    .examples = "  strom schema diff orders-value 1\n  strom schema diff orders-value 2 3\n",
    .flags = diff_flags,
    .flag_count = sizeof diff_flags / sizeof *diff_flags,
    .names_min = 2,
    .names_max = 3,
    .is_json = true,
};

// sheet lays a version out for comparison.
static struct str sheet(struct run *run, const struct json_value *found)
{
    static const char *const extras[] = {"references", "metadata", "ruleSet"};
    struct buf out;
    buf_init(&out, WEB_ANSWER_BYTES_MAX);
    buf_append_str(&out, schema_text(run, found));
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
        const struct json_value *extra = json_get(found, str_from_c(extras[i]));
        if (extra != NULL && extra->count > 0) {
            buf_printf(&out, "%s: " STR_FMT "\n", extras[i], STR_ARG(json_text(run, extra, true)));
        }
    }
    struct str text = arena_str(&run->arena, buf_str(&out));
    buf_fini(&out);
    return text;
}

// version_body makes the body of a registration from what the registry knows of a version.
static struct str version_body(struct run *run, const struct json_value *found)
{
    static const char *const members[] = {"schemaType", "schema", "references", "metadata", "ruleSet"};
    struct json_value *body = json_new(&run->arena, JSON_OBJECT);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const struct json_value *value = json_get(found, str_from_c(members[i]));
        if (value != NULL) {
            struct json_value *copy = json_new(&run->arena, value->type);
            *copy = *value;
            copy->next = NULL;
            json_append(body, copy);
        }
    }
    return json_text(run, body, false);
}

static struct str version_number(struct run *run, const struct json_value *found)
{
    int64_t version = 0;
    (void)json_value_i64(json_get(found, STR("version")), &version);
    return run_print(run, "%lld", (long long)version);
}

static void diff_show(struct run *run, const struct json_value *old, const struct json_value *new,
                      const struct json_value *verdict)
{
    struct buf lines;
    struct str subject = run->args->names[0];
    struct str from = version_number(run, old);
    struct str to = version_number(run, new);
    buf_init(&lines, WEB_ANSWER_BYTES_MAX);
    if (!diff_print(sheet(run, old), sheet(run, new), &run->arena, &lines)) {
        struct error e = {0};
        run_fail(run, NULL, FAIL(&e, ERR_NO_MEMORY, "the schemas are too large to compare"), &e, NULL);
    } else if (run->is_json) {
        struct json *j = &run->json;
        json_object_begin(j);
        json_pair_str(j, "subject", subject);
        json_pair_str(j, "from", from);
        json_pair_str(j, "to", to);
        json_pair_bool(j, "isCompatible", verdict_is_good(verdict));
        json_pair_str(j, "diff", buf_str(&lines));
        json_object_end(j);
        buf_u8(&run->out, '\n');
    } else if (lines.len == 0) {
        buf_printf(&run->out, "Versions " STR_FMT " and " STR_FMT " of " STR_FMT " say the same.\n",
                   STR_ARG(from), STR_ARG(to), STR_ARG(subject));
    } else {
        buf_printf(&run->out, "--- " STR_FMT " version " STR_FMT "\n", STR_ARG(subject), STR_ARG(from));
        buf_printf(&run->out, "+++ " STR_FMT " version " STR_FMT "\n", STR_ARG(subject), STR_ARG(to));
        buf_append_str(&run->out, buf_str(&lines));
        buf_u8(&run->out, '\n');
        verdict_explain(verdict, run_print(run, "version " STR_FMT, STR_ARG(to)), subject, from, &run->out);
    }
    run->exit = verdict_is_good(verdict) ? run->exit : CLI_ERROR;
    buf_fini(&lines);
}

static int diff_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    struct json_value *old = NULL;
    struct json_value *new = NULL;
    struct json_value *verdict = NULL;
    if (!run_start(&run, &diff_spec, argc, argv)) {
        return run_finish(&run);
    }
    const struct str *names = run.args->names;
    const struct str later = run.args->name_count > 2 ? names[2] : STR("latest");
    struct str from = path_of(&run, "/subjects/%S/versions/%S", names[0], names[1]);
    struct str to = path_of(&run, "/subjects/%S/versions/%S", names[0], later);
    if (registry_open(&run, &c) &&
        registry_get(&c, "cannot get the schema", "GET", from, (struct str){0}, &old) &&
        registry_get(&c, "cannot get the schema", "GET", to, (struct str){0}, &new)) {
        struct str ask = path_of(&run, "/compatibility/subjects/%S/versions/%S?verbose=true", names[0],
                                 version_number(&run, old));
        if (registry_get(&c, "cannot check the schema", "POST", ask, version_body(&run, new), &verdict)) {
            diff_show(&run, old, new, verdict);
        }
    }
    registry_close(&c);
    return run_finish(&run);
}

const struct cli_command schema_diff_command = {.name = "diff", .spec = &diff_spec, .run = diff_run};
