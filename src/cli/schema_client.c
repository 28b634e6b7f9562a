// SPDX-License-Identifier: Apache-2.0
// schema_client.c - asking a registry, and telling a person what it said.
#include <stdarg.h>
#include <strings.h>

#include "base/utf8.h"
#include "cli/schema.h"
#include "platform/real/process.h"
#include "platform/real/real.h"

enum { TIMEOUT_MS = 60000, PATH_BYTES_MAX = 64 << 10, BODY_BYTES_MAX = 16 << 20, INDENT_MAX = 64 };

bool registry_open_url(struct run *run, struct str url, struct registry_client *ret)
{
    struct error e = {0};
    *ret = (struct registry_client){.run = run};
    enum err err = run->env != NULL ? ERR_OK : real_env_open(STR(""), &run->env, &e);
    err = err == ERR_OK ? web_create(run->env, url, TIMEOUT_MS, &ret->web, &e) : err;
    if (err == ERR_INVALID_REQUEST) {
        run_usage(run, "%s", e.text);
    } else if (err != ERR_OK) {
        run_fail(run, NULL, err, &e, NULL);
    }
    return err == ERR_OK;
}

bool registry_open(struct run *run, struct registry_client *ret)
{
    struct str url = args_text(run->args, "registry");
    url = url.ptr != NULL ? url : process_env_find("STROM_REGISTRY");
    return registry_open_url(run, url.len > 0 ? url : STR("http://127.0.0.1:8081"), ret);
}

void registry_close(struct registry_client *c)
{
    web_destroy(c->web);
    c->web = NULL;
}

bool registry_ask(struct registry_client *c, const char *method, struct str path, struct str body,
                  int *ret_status, struct json_value **ret)
{
    struct error e = {0};
    struct str text = {0};
    *ret = NULL;
    enum err err = web_call(c->web, method, path, body, &c->run->arena, ret_status, &text, &e);
    if (err != ERR_OK) {
        run_fail(c->run, NULL, err, &e,
                 c->is_other ? "Is that registry running?"
                             : "Is the broker running? Its registry listens on http.listeners; name it with "
                               "--registry or STROM_REGISTRY.");
        return false;
    }
    if (text.len == 0) {
        return true;
    }
    err = json_parse(text, &c->run->arena, ret, &e);
    if (err != ERR_OK) {
        error_wrap(&e, "the answer is no JSON; is that a schema registry? ");
        run_fail(c->run, NULL, err, &e, NULL);
    }
    return err == ERR_OK;
}

static const struct {
    int64_t code;
    const char *text;
} hints[] = {
    {40404, "it was deleted softly already; --permanent deletes it for good"},
    {40405, "delete it without --permanent first"},
    {40406, "it was deleted softly already; --permanent deletes it for good"},
    {40407, "delete it without --permanent first"},
};

void registry_said(struct registry_client *c, const char *what, int status, const struct json_value *answer)
{
    struct str message = json_get_str(answer, STR("message"));
    int64_t code = status;
    (void)json_value_i64(json_get(answer, STR("error_code")), &code);
    message = message.ptr == NULL ? STR("the registry refused it without a word") : message;
    (void)run_flush(c->run); // what was printed so far comes first
    run_note("strom: %s: " STR_FMT " (%lld)", what, STR_ARG(message), (long long)code);
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        if (hints[i].code == code) {
            run_note("  hint: %s", hints[i].text);
        }
    }
    c->run->exit = CLI_ERROR;
}

bool registry_get(struct registry_client *c, const char *what, const char *method, struct str path,
                  struct str body, struct json_value **ret)
{
    int status = 0;
    if (!registry_ask(c, method, path, body, &status, ret)) {
        return false;
    }
    if (status >= 300) {
        registry_said(c, what, status, *ret);
        return false;
    }
    return true;
}

struct str path_of(struct run *run, const char *format, ...)
{
    struct buf out;
    va_list args;
    buf_init(&out, PATH_BYTES_MAX);
    va_start(args, format);
    for (const char *p = format; *p != '\0'; p++) {
        if (p[0] == '%' && p[1] == 'S') {
            web_escape(va_arg(args, struct str), &out);
            p++;
        } else if (p[0] == '%' && p[1] == 'd') {
            buf_printf(&out, "%d", va_arg(args, int));
            p++;
        } else if (p[0] == '%' && p[1] == 's') {
            buf_append_str(&out, str_from_c(va_arg(args, const char *)));
            p++;
        } else {
            buf_u8(&out, (uint8_t)*p);
        }
    }
    va_end(args);
    struct str path = arena_str(&run->arena, buf_str(&out));
    buf_fini(&out);
    return path;
}

// ---- bodies

static const char *type_of_file(struct str file)
{
    static const struct {
        const char *ending;
        const char *type;
    } rows[] = {{".avsc", "AVRO"}, {".avro", "AVRO"}, {".json", "JSON"}, {".proto", "PROTOBUF"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str ending = str_from_c(rows[i].ending);
        if (file.len >= ending.len && memcmp(file.ptr + file.len - ending.len, ending.ptr, ending.len) == 0) {
            return rows[i].type;
        }
    }
    return NULL;
}

static const char *type_given(struct run *run, struct str file)
{
    struct str type = args_text(run->args, "type");
    if (type.ptr == NULL) {
        return type_of_file(file);
    }
    return str_equal(type, STR("avro")) ? "AVRO" : str_equal(type, STR("json")) ? "JSON" : "PROTOBUF";
}

static bool references_write(struct run *run, struct json *j)
{
    struct str text;
    for (size_t i = 0; args_list(run->args, "reference", i, &text); i++) {
        struct str name;
        struct str rest;
        int64_t version = 0;
        const char *colon = NULL;
        if (pair_split(text, &name, &rest)) {
            colon = memrchr(rest.ptr, ':', rest.len);
        }
        struct str number = colon == NULL
                                ? (struct str){0}
                                : (struct str){colon + 1, (size_t)(rest.ptr + rest.len - colon) - 1};
        if (colon == NULL || !str_parse_i64(number, &version) || version < 1) {
            run_usage(run, "--reference " STR_FMT ": use NAME=SUBJECT:VERSION", STR_ARG(text));
            return false;
        }
        if (i == 0) {
            json_key(j, "references");
            json_array_begin(j);
        }
        json_object_begin(j);
        json_pair_str(j, "name", name);
        json_pair_str(j, "subject", (struct str){rest.ptr, (size_t)(colon - rest.ptr)});
        json_pair_i64(j, "version", version);
        json_object_end(j);
    }
    if (args_list(run->args, "reference", 0, &text)) {
        json_array_end(j);
    }
    return true;
}

bool schema_body(struct run *run, struct str file, struct str *ret)
{
    struct error e = {0};
    struct buf schema;
    struct buf body;
    const char *type = type_given(run, file);
    if (type == NULL) {
        run_usage(run, "what does " STR_FMT " hold? say --type avro, json or protobuf", STR_ARG(file));
        return false;
    }
    buf_init(&schema, SCHEMA_FILE_BYTES_MAX);
    buf_init(&body, BODY_BYTES_MAX);
    enum err err = process_file_read(file, &schema, &e);
    if (err == ERR_OK && !utf8_is_valid(buf_str(&schema))) {
        err = FAIL(&e, ERR_MALFORMED, "it is not text in UTF-8");
    }
    bool is_good = err == ERR_OK;
    if (!is_good) {
        run_fail(run, run_print(run, "cannot read " STR_FMT, STR_ARG(file)).ptr, err, &e, NULL);
    } else {
        struct json j = {.out = &body};
        json_object_begin(&j);
        json_pair_str(&j, "schemaType", str_from_c(type));
        json_pair_str(&j, "schema", utf8_skip_mark(buf_str(&schema)));
        is_good = references_write(run, &j);
        json_object_end(&j);
        *ret = arena_str(&run->arena, buf_str(&body));
    }
    buf_fini(&schema);
    buf_fini(&body);
    return is_good;
}

// ---- printing JSON for people

static void pretty(const struct json_value *value, int depth, struct buf *out)
{
    bool is_object = value->type == JSON_OBJECT;
    if ((!is_object && value->type != JSON_ARRAY) || value->count == 0 || depth >= INDENT_MAX) {
        json_print(value, false, out);
        return;
    }
    buf_u8(out, is_object ? '{' : '[');
    for (const struct json_value *v = value->first; v != NULL; v = v->next) {
        buf_printf(out, "%s\n%*s", v == value->first ? "" : ",", (depth + 1) * 2, "");
        if (is_object) {
            json_print_str(v->key, out);
            buf_append_str(out, STR(": "));
        }
        pretty(v, depth + 1, out);
    }
    buf_printf(out, "\n%*s", depth * 2, "");
    buf_u8(out, is_object ? '}' : ']');
}

struct str json_text(struct run *run, const struct json_value *value, bool is_pretty)
{
    struct buf out;
    buf_init(&out, WEB_ANSWER_BYTES_MAX);
    if (is_pretty) {
        pretty(value, 0, &out);
    } else {
        json_print(value, false, &out);
    }
    struct str text = arena_str(&run->arena, buf_str(&out));
    buf_fini(&out);
    return text;
}

struct str schema_text(struct run *run, const struct json_value *found)
{
    struct str text = json_get_str(found, STR("schema"));
    struct json_value *parsed = NULL;
    if (json_parse(text, &run->arena, &parsed, NULL) == ERR_OK) {
        text = json_text(run, parsed, true);
    }
    bool is_ended = text.len > 0 && text.ptr[text.len - 1] == '\n';
    return is_ended ? text : run_print(run, STR_FMT "\n", STR_ARG(text));
}
