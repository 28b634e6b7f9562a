// SPDX-License-Identifier: Apache-2.0
// schema_settings.c - `strom schema config` and `mode`: what holds for a subject, a context, the registry.
#include "cli/schema.h"

// ---- config

static const struct args_flag config_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    {"set", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "Set a member, as in compatibility=FULL or normalize=true."},
    {"delete", ARGS_SWITCH, NULL, NULL, 0, 0, "Back to what the context or the registry says."},
};
static const struct args_spec config_spec = {
    .command = "strom schema config",
    .names_usage = "[SUBJECT]",
    .summary = "show or change compatibility and other settings",
    .text = "Shows the settings of a subject, or of the whole registry. What a subject does not say its "
            "context says, and then the registry. After a change, what holds now. compatibility is one of "
            "NONE, BACKWARD, FORWARD, FULL, and each but NONE with _TRANSITIVE. Further settings: normalize, "
            "validateFields, alias, compatibilityGroup, defaultMetadata, overrideMetadata, defaultRuleSet, "
            "overrideRuleSet.",
    .examples = "  strom schema config\n  strom schema config orders-value --set compatibility=FULL\n",
    .flags = config_flags,
    .flag_count = sizeof config_flags / sizeof *config_flags,
    .names_max = 1,
    .is_json = true,
};

static void show_members(struct run *run, const struct json_value *found)
{
    if (found == NULL) {
        return;
    }
    if (run->is_json) {
        buf_append_str(&run->out, json_text(run, found, false));
        buf_u8(&run->out, '\n');
        return;
    }
    for (const struct json_value *v = found->first; v != NULL; v = v->next) {
        // What is asked for under one name is answered under another.
        struct str key = str_equal(v->key, STR("compatibilityLevel")) ? STR("compatibility") : v->key;
        struct str text = v->type == JSON_STRING ? v->text : json_text(run, v, false);
        text_show(key, &run->out);
        buf_append_str(&run->out, STR(" = "));
        text_show(text, &run->out);
        buf_u8(&run->out, '\n');
    }
}

// A registry takes no notice of a name that it does not know.
static bool key_check(struct run *run, struct str key)
{
    static const char *const keys[] = {
        "compatibility",   "compatibilityGroup", "compatibilityPolicy", "normalize",
        "validateFields",  "validateNewSchemas", "validateRules",       "alias",
        "defaultMetadata", "overrideMetadata",   "defaultRuleSet",      "overrideRuleSet"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (str_equal(key, str_from_c(keys[i]))) {
            return true;
        }
    }
    run_usage(run, "no setting \"" STR_FMT "\"; there are compatibility, normalize and others, see --help",
              STR_ARG(key));
    return false;
}

// settings_body turns KEY=VALUE into a JSON object: numbers, truth values and objects stay what they are.
static bool settings_body(struct run *run, struct str *ret)
{
    struct str text;
    struct json_value *object = json_new(&run->arena, JSON_OBJECT);
    for (size_t i = 0; args_list(run->args, "set", i, &text); i++) {
        struct str key;
        struct str value;
        struct json_value *member = NULL;
        if (!pair_split(text, &key, &value)) {
            run_usage(run, "--set " STR_FMT ": use KEY=VALUE", STR_ARG(text));
            return false;
        }
        if (!key_check(run, key)) {
            return false;
        }
        if (json_parse(value, &run->arena, &member, NULL) != ERR_OK) {
            member = json_new(&run->arena, JSON_STRING);
            member->text = value;
        }
        member->key = key;
        json_append(object, member);
    }
    *ret = json_text(run, object, false);
    return true;
}

struct setting {
    const char *noun;
    const char *method; // NULL = only show
    const char *query;  // of the change; NULL = none
    struct str body;
};

// setting_run changes what is asked for, then shows what holds now.
static void setting_run(struct registry_client *c, const struct setting *s)
{
    struct run *run = c->run;
    struct json_value *found = NULL;
    bool has_subject = run->args->name_count > 0;
    struct str path =
        has_subject ? path_of(run, "/%s/%S", s->noun, run->args->names[0]) : path_of(run, "/%s", s->noun);
    int status = 0;
    if (s->method != NULL) {
        struct str change = run_print(run, STR_FMT "%s", STR_ARG(path), s->query == NULL ? "" : s->query);
        if (!registry_ask(c, s->method, change, s->body, &status, &found)) {
            return;
        }
        if (status >= 300) {
            registry_said(c, run_print(run, "cannot change the %s", s->noun).ptr, status, found);
            return;
        }
    }
    if (!registry_ask(c, "GET", path, (struct str){0}, &status, &found)) {
        return;
    }
    const char *what = run_print(run, "cannot read the %s", s->noun).ptr;
    if (has_subject && status == 404) {
        path = run_print(run, STR_FMT "?defaultToGlobal=true", STR_ARG(path));
        if (!registry_get(c, what, "GET", path, (struct str){0}, &found)) {
            return;
        }
        run_note("It has no %s of its own; this is what holds for it:", s->noun);
    } else if (status >= 300) {
        registry_said(c, what, status, found);
        return;
    }
    show_members(run, found);
}

static int config_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    struct str body = {0};
    struct str text;
    if (!run_start(&run, &config_spec, argc, argv)) {
        return run_finish(&run);
    }
    bool sets = args_list(run.args, "set", 0, &text);
    bool deletes = args_given(run.args, "delete");
    if (sets && deletes) {
        run_usage(&run, "--set and --delete exclude each other");
    } else if ((!sets || settings_body(&run, &body)) && registry_open(&run, &c)) {
        struct setting s = {.noun = "config",
                            .method = deletes ? "DELETE"
                                      : sets  ? "PUT"
                                              : NULL,
                            .body = body};
        setting_run(&c, &s);
    }
    registry_close(&c);
    return run_finish(&run);
}

const struct cli_command schema_config_command = {.name = "config", .spec = &config_spec, .run = config_run};

// ---- mode

static const struct args_flag mode_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    {"set", ARGS_CHOICE, "READWRITE|READONLY|READONLY_OVERRIDE|IMPORT", NULL, 0, 0, "The new mode."},
    {"force", ARGS_SWITCH, NULL, NULL, 0, 0, "IMPORT also where there are schemas already."},
    {"delete", ARGS_SWITCH, NULL, NULL, 0, 0, "Back to what the context or the registry says."},
};
static const struct args_spec mode_spec = {
    .command = "strom schema mode",
    .names_usage = "[SUBJECT]",
    .summary = "show or change what may be registered",
    .text = "READWRITE: anything may. READONLY: nothing. READONLY_OVERRIDE: nothing, whatever subjects say. "
            "IMPORT: only schemas that bring their own ids, from another registry.",
    .examples = "  strom schema mode\n  strom schema mode orders-value --set READONLY\n",
    .flags = mode_flags,
    .flag_count = sizeof mode_flags / sizeof *mode_flags,
    .names_max = 1,
    .is_json = true,
};

static int mode_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    if (!run_start(&run, &mode_spec, argc, argv)) {
        return run_finish(&run);
    }
    struct str mode = args_text(run.args, "set");
    bool deletes = args_given(run.args, "delete");
    struct setting s = {.noun = "mode",
                        .method = deletes            ? "DELETE"
                                  : mode.ptr != NULL ? "PUT"
                                                     : NULL,
                        .query = args_given(run.args, "force") ? "?force=true" : NULL};
    if (mode.ptr != NULL) {
        s.body = run_print(&run, "{\"mode\":\"" STR_FMT "\"}", STR_ARG(mode));
    }
    if (deletes && mode.ptr != NULL) {
        run_usage(&run, "--set and --delete exclude each other");
    } else if (registry_open(&run, &c)) {
        setting_run(&c, &s);
    }
    registry_close(&c);
    return run_finish(&run);
}

const struct cli_command schema_mode_command = {.name = "mode", .spec = &mode_spec, .run = mode_run};
