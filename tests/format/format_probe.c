// SPDX-License-Identifier: Apache-2.0
// format_probe.c - src/format/ for scripts that hold it against other programs: a request per line on stdin,
// an answer per line on stdout, both JSON. README.md has the requests.
#include <stdio.h>
#include <stdlib.h>

#include "format/program.h"
#include "json/tree.h"
#include "json/write.h"

enum { MEMORY_MAX = 512 << 20, ROOT_MAX = 16, VALUE_DEPTH_MAX = 18 };

struct probe {
    struct arena arena; // of one request
    struct buf out;
    struct json json;
};

static bool answer_error(struct probe *p, const struct error *e)
{
    json_pair_bool(&p->json, "ok", false);
    json_pair_str(&p->json, "error", str_from_c(e->text));
    return false;
}

// ---- schemas

static enum err create(struct probe *p, const struct json_value *v, const char *key, struct schema **ret,
                       struct error *e);

static enum err create_references(struct probe *p, const struct json_value *list,
                                  struct schema_source *source, struct error *e)
{
    struct schema_reference *references = arena_new(&p->arena, struct schema_reference, list->count);
    source->references = references;
    for (const struct json_value *v = list->first; v != NULL; v = v->next) {
        struct schema *schema;
        enum err err = create(p, v, "schema", &schema, e);
        if (err != ERR_OK) {
            return err;
        }
        references[source->reference_count++] =
            (struct schema_reference){json_get_str(v, STR("name")), schema};
    }
    return ERR_OK;
}

static enum err create(struct probe *p, const struct json_value *v, const char *key, struct schema **ret,
                       struct error *e)
{
    struct schema_source source = {
        .text = json_get_str(v, str_from_c(key)),
        .is_new = json_get(v, STR("new")) != NULL && json_get(v, STR("new"))->type == JSON_TRUE,
    };
    struct str format = json_get_str(v, STR("format"));
    if (!format_find(format.ptr == NULL ? STR("AVRO") : format, &source.format)) {
        return FAIL(e, ERR_INVALID_REQUEST, "no such format");
    }
    const struct json_value *references = json_get(v, STR("references"));
    enum err err = ERR_OK;
    if (references != NULL && references->type == JSON_ARRAY) {
        err = create_references(p, references, &source, e);
    }
    if (err == ERR_OK) {
        err = schema_create(&source, ret, e);
    }
    for (size_t i = 0; i < source.reference_count; i++) {
        schema_unref((struct schema *)(uintptr_t)source.references[i].schema);
    }
    return err;
}

static bool print_schema(struct probe *p, const struct json_value *request)
{
    static const char *const forms[] = {"canonical", "normal", "resolved", "plain", "serialized", "parsing"};
    struct str wanted = json_get_str(request, STR("form"));
    size_t form = 0;
    while (form < 5 && !str_equal(wanted, str_from_c(forms[form]))) {
        form++;
    }
    struct schema *schema;
    struct error e = {0};
    if (create(p, request, "schema", &schema, &e) != ERR_OK) {
        return answer_error(p, &e);
    }
    struct buf text;
    buf_init(&text, MEMORY_MAX);
    if (schema_print(schema, (enum schema_form)form, &text, &e) != ERR_OK) {
        answer_error(p, &e);
    } else {
        json_pair_bool(&p->json, "ok", true);
        json_pair_str(&p->json, "text", buf_str(&text));
    }
    buf_fini(&text);
    schema_unref(schema);
    return true;
}

static bool compare(struct probe *p, const struct json_value *request)
{
    struct schema *reader;
    struct schema *writer;
    struct error e = {0};
    if (create(p, request, "reader", &reader, &e) != ERR_OK) {
        return answer_error(p, &e);
    }
    if (create(p, request, "writer", &writer, &e) != ERR_OK) {
        schema_unref(reader);
        return answer_error(p, &e);
    }
    struct compat_report report = {.arena = &p->arena};
    bool is_lenient = str_equal(json_get_str(request, STR("policy")), STR("LENIENT"));
    if (schema_compare(reader, writer, is_lenient ? COMPAT_LENIENT : COMPAT_STRICT, &report, &e) != ERR_OK) {
        answer_error(p, &e);
    } else {
        json_pair_bool(&p->json, "ok", true);
        json_pair_bool(&p->json, "compatible", report.total == 0);
        json_key(&p->json, "differences");
        json_array_begin(&p->json);
        for (size_t i = 0; i < report.count; i++) {
            json_object_begin(&p->json);
            json_pair_str(&p->json, "kind", str_from_c(report.differences[i].kind));
            json_pair_str(&p->json, "path", report.differences[i].path);
            json_object_end(&p->json);
        }
        json_array_end(&p->json);
    }
    schema_unref(reader);
    schema_unref(writer);
    return true;
}

// ---- payloads

static bool from_hex(struct probe *p, struct str hex, struct bytes *ret)
{
    uint8_t *data = arena_new(&p->arena, uint8_t, hex.len / 2 + 1);
    if (data == NULL || hex.len % 2 != 0) {
        return false;
    }
    for (size_t i = 0; i < hex.len / 2; i++) {
        char pair[3] = {hex.ptr[2 * i], hex.ptr[2 * i + 1], 0};
        data[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    *ret = bytes_of(data, hex.len / 2);
    return true;
}

static void put_hex(struct probe *p, const char *prefix, struct bytes data)
{
    struct buf text;
    buf_init(&text, MEMORY_MAX);
    buf_append_str(&text, str_from_c(prefix));
    for (size_t i = 0; i < data.len; i++) {
        buf_printf(&text, "%02x", data.ptr[i]);
    }
    json_str(&p->json, buf_str(&text));
    buf_fini(&text);
}

static void put_text(struct probe *p, struct bytes raw)
{
    struct buf text;
    buf_init(&text, MEMORY_MAX);
    buf_u8(&text, 's');
    buf_append(&text, raw.ptr, raw.len);
    json_str(&p->json, buf_str(&text));
    buf_fini(&text);
}

static void put_value(struct probe *p, const struct view *view, int depth);

static void put_items(struct probe *p, const struct view *view, int depth)
{
    struct view_items items = {.of = *view};
    struct view item;
    struct str key;
    if (view->kind != VIEW_LIST) {
        json_object_begin(&p->json);
        json_key(&p->json, view->kind == VIEW_MAP ? "map" : "record");
    }
    // Entries as pairs: keys may come twice.
    json_array_begin(&p->json);
    while (view_next(&items, &key, &item)) {
        if (view->kind != VIEW_LIST) {
            json_array_begin(&p->json);
            json_str(&p->json, key);
        }
        put_value(p, &item, depth + 1);
        if (view->kind != VIEW_LIST) {
            json_array_end(&p->json);
        }
    }
    json_array_end(&p->json);
    if (view->kind != VIEW_LIST) {
        json_object_end(&p->json);
    }
}

// Numbers as text with a letter in front, so that no bit is lost: "i-5", "d<8 bytes, hex>", "x<bytes, hex>".
static void put_value(struct probe *p, const struct view *view, int depth)
{
    char text[32];
    if (depth > VALUE_DEPTH_MAX) {
        json_str(&p->json, STR("deep"));
        return;
    }
    switch (view->kind) {
    case VIEW_NONE:
    case VIEW_NULL:
        json_null(&p->json);
        return;
    case VIEW_BOOL:
        json_bool(&p->json, view->number != 0);
        return;
    case VIEW_INT:
    case VIEW_UINT:
        snprintf(text, sizeof text, view->kind == VIEW_INT ? "i%lld" : "i%llu", (long long)view->number);
        json_str(&p->json, str_from_c(text));
        return;
    case VIEW_DOUBLE:
        put_hex(p, "d", bytes_of(&view->real, sizeof view->real));
        return;
    case VIEW_BYTES:
        put_hex(p, "x", view->raw);
        return;
    case VIEW_STRING:
    case VIEW_ENUM:
        put_text(p, view->raw);
        return;
    case VIEW_LIST:
    case VIEW_MAP:
    case VIEW_RECORD:
        put_items(p, view, depth);
        return;
    }
}

static void check_one(struct probe *p, const struct program *program, struct str hex, bool with_values)
{
    struct bytes payload = {0};
    struct program_fault fault = {0};
    enum err err = from_hex(p, hex, &payload) ? program_check(program, payload, &fault) : ERR_INVALID_REQUEST;
    json_object_begin(&p->json);
    json_pair_bool(&p->json, "ok", err == ERR_OK);
    if (err != ERR_OK) {
        json_pair_str(&p->json, "path", str_from_c(fault.path));
        json_pair_str(&p->json, "text", str_from_c(fault.text));
    } else if (with_values) {
        struct view root = view_root(program, payload);
        json_key(&p->json, "value");
        put_value(p, &root, 0);
    }
    json_object_end(&p->json);
}

static bool check(struct probe *p, const struct json_value *request)
{
    struct schema *schema;
    struct error e = {0};
    if (create(p, request, "schema", &schema, &e) != ERR_OK) {
        return answer_error(p, &e);
    }
    int32_t root[ROOT_MAX];
    size_t root_count = 0;
    const struct json_value *indexes = json_get(request, STR("root"));
    for (const struct json_value *v = indexes == NULL ? NULL : indexes->first;
         v != NULL && root_count < ROOT_MAX; v = v->next) {
        int64_t index = 0;
        json_value_i64(v, &index);
        root[root_count++] = (int32_t)index;
    }
    struct program *program;
    enum err err = program_create(schema, root_count == 0 ? NULL : root, root_count, &program, &e);
    schema_unref(schema);
    if (err != ERR_OK) {
        return answer_error(p, &e);
    }
    const struct json_value *values = json_get(request, STR("values"));
    const struct json_value *payloads = json_get(request, STR("payloads"));
    json_pair_bool(&p->json, "ok", true);
    json_key(&p->json, "verdicts");
    json_array_begin(&p->json);
    for (const struct json_value *v = payloads == NULL ? NULL : payloads->first; v != NULL; v = v->next) {
        check_one(p, program, v->text, values != NULL && values->type == JSON_TRUE);
    }
    json_array_end(&p->json);
    program_unref(program);
    return true;
}

// ---- lines

static void answer(struct probe *p, struct str line)
{
    struct json_value *request = NULL;
    struct error e = {0};
    json_object_begin(&p->json);
    if (json_parse(line, &p->arena, &request, &e) != ERR_OK) {
        answer_error(p, &e);
    } else {
        struct str op = json_get_str(request, STR("op"));
        if (str_equal(op, STR("check"))) {
            check(p, request);
        } else if (str_equal(op, STR("compare"))) {
            compare(p, request);
        } else {
            print_schema(p, request);
        }
    }
    json_object_end(&p->json);
}

int main(void)
{
    struct probe p = {0};
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    arena_init(&p.arena, MEMORY_MAX);
    buf_init(&p.out, MEMORY_MAX);
    while ((length = getline(&line, &capacity, stdin)) > 0) {
        arena_reset(&p.arena);
        buf_reset(&p.out);
        p.json = (struct json){.out = &p.out};
        answer(&p, (struct str){line, (size_t)length});
        buf_u8(&p.out, '\n');
        fwrite(p.out.ptr, 1, p.out.len, stdout);
        fflush(stdout);
    }
    free(line);
    buf_fini(&p.out);
    arena_fini(&p.arena);
    return 0;
}
