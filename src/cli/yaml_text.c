// SPDX-License-Identifier: Apache-2.0
#include "cli/yaml_text.h"

#include <yaml.h>

struct parsing {
    yaml_parser_t parser;
    struct arena *arena;
    int values;
    struct error *e;
};

static enum err refuse(struct parsing *p, const yaml_event_t *event, const char *why)
{
    return FAIL(p->e, ERR_INVALID_REQUEST, "line %zu: %s", event->start_mark.line + 1, why);
}

static enum err event_next(struct parsing *p, yaml_event_t *event)
{
    if (yaml_parser_parse(&p->parser, event) == 0) {
        return FAIL(p->e, ERR_INVALID_REQUEST, "line %zu: %s", p->parser.problem_mark.line + 1,
                    p->parser.problem == NULL ? "no YAML" : p->parser.problem);
    }
    return ERR_OK;
}

static bool is_number(struct str text)
{
    struct arena arena;
    struct json_value *value = NULL;
    char c = text.len == 0 ? '\0' : text.ptr[0];
    if (c != '-' && (c < '0' || c > '9')) {
        return false;
    }
    arena_init(&arena, 1 << 16);
    bool is_it = json_parse(text, &arena, &value, NULL) == ERR_OK && value->type == JSON_NUMBER;
    arena_fini(&arena);
    return is_it;
}

static enum json_type plain_type(struct str text)
{
    if (text.len == 0 || str_equal(text, STR("~")) || str_equal(text, STR("null"))) {
        return JSON_NULL;
    }
    if (str_equal(text, STR("true"))) {
        return JSON_TRUE;
    }
    if (str_equal(text, STR("false"))) {
        return JSON_FALSE;
    }
    return is_number(text) ? JSON_NUMBER : JSON_STRING;
}

static enum err value_parse(struct parsing *p, const yaml_event_t *event, int depth, struct json_value **ret);

static enum err scalar_parse(struct parsing *p, const yaml_event_t *event, struct json_value **ret)
{
    struct str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct json_value *value = json_new(p->arena, is_plain ? plain_type(text) : JSON_STRING);
    if (value == NULL) {
        return FAIL(p->e, ERR_NO_MEMORY, "the document is too large");
    }
    value->text = arena_str(p->arena, text);
    *ret = value;
    return ERR_OK;
}

// children_parse reads items, or keys and values, until the end event.
static enum err children_parse(struct parsing *p, struct json_value *parent, int depth)
{
    bool is_object = parent->type == JSON_OBJECT;
    for (;;) {
        yaml_event_t event;
        struct json_value *key = NULL;
        struct json_value *value = NULL;
        enum err err = event_next(p, &event);
        if (err != ERR_OK) {
            return err;
        }
        bool is_end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        if (!is_end && is_object) {
            bool is_text = event.type == YAML_SCALAR_EVENT && event.data.scalar.anchor == NULL;
            err = is_text ? scalar_parse(p, &event, &key)
                          : refuse(p, &event,
                                   "the key of a mapping is no text, or has an anchor: anchors are not read");
            yaml_event_delete(&event);
            err = err == ERR_OK ? event_next(p, &event) : err;
            if (err != ERR_OK) {
                return err;
            }
        }
        err = is_end ? ERR_OK : value_parse(p, &event, depth + 1, &value);
        yaml_event_delete(&event);
        if (is_end || err != ERR_OK) {
            return err;
        }
        if (is_object && parent->count == YAML_MEMBERS_MAX) { // each is compared with all before it
            return FAIL(p->e, ERR_NO_MEMORY, "a mapping has more than %d keys", YAML_MEMBERS_MAX);
        }
        value->key = key == NULL ? (struct str){NULL, 0} : key->text;
        if (key != NULL && json_get(parent, value->key) != NULL) {
            return FAIL(p->e, ERR_INVALID_REQUEST, "a mapping has the key \"" STR_FMT "\" twice",
                        STR_ARG(value->key));
        }
        json_append(parent, value);
    }
}

static enum err value_parse(struct parsing *p, const yaml_event_t *event, int depth, struct json_value **ret)
{
    if (depth > YAML_DEPTH_MAX || ++p->values > YAML_VALUES_MAX) {
        return FAIL(p->e, ERR_NO_MEMORY, "the document is nested too deep, or too large");
    }
    const yaml_char_t *anchor = event->type == YAML_SCALAR_EVENT           ? event->data.scalar.anchor
                                : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor
                                : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.anchor
                                                                           : NULL;
    if (anchor != NULL) { // aliases could make a document of any size out of a small one
        return refuse(p, event, "anchors are not read");
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return scalar_parse(p, event, ret);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        *ret = json_new(p->arena, event->type == YAML_SEQUENCE_START_EVENT ? JSON_ARRAY : JSON_OBJECT);
        return *ret == NULL ? FAIL(p->e, ERR_NO_MEMORY, "the document is too large")
                            : children_parse(p, *ret, depth);
    case YAML_ALIAS_EVENT:
        return refuse(p, event, "aliases are not read");
    default:
        return refuse(p, event, "a value is missing");
    }
}

static enum err document_parse(struct parsing *p, struct json_value **ret)
{
    for (;;) { // stream and document begin first
        yaml_event_t event;
        enum err err = event_next(p, &event);
        if (err != ERR_OK) {
            return err;
        }
        bool is_start = event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT;
        err = is_start ? ERR_OK : value_parse(p, &event, 0, ret);
        yaml_event_delete(&event);
        if (!is_start) {
            return err;
        }
    }
}

enum err yaml_parse(struct str text, struct arena *arena, struct json_value **ret, struct error *e)
{
    struct parsing p = {.arena = arena, .e = e};
    if (yaml_parser_initialize(&p.parser) == 0) {
        return FAIL(e, ERR_NO_MEMORY, "no memory to parse");
    }
    yaml_parser_set_input_string(&p.parser, (const unsigned char *)text.ptr, text.len);
    enum err err = document_parse(&p, ret);
    yaml_parser_delete(&p.parser);
    return err;
}

// ---- printing: block style; text always in JSON's quotes, which are YAML's double ones

static void print(const struct json_value *value, int depth, bool is_in_list, struct buf *out)
{
    bool is_object = value->type == JSON_OBJECT;
    if ((!is_object && value->type != JSON_ARRAY) || value->count == 0 || depth >= YAML_DEPTH_MAX) {
        json_print(value, false, out);
        buf_u8(out, '\n');
        return;
    }
    bool is_first = true;
    if (!is_in_list && depth > 0) {
        buf_u8(out, '\n');
    }
    for (const struct json_value *v = value->first; v != NULL; v = v->next) {
        if (!(is_in_list && is_first)) {
            buf_printf(out, "%*s", depth * 2, "");
        }
        if (is_object) {
            json_print_str(v->key, out);
            bool is_empty = v->count == 0 || (v->type != JSON_OBJECT && v->type != JSON_ARRAY);
            buf_append_str(out, is_empty ? STR(": ") : STR(":"));
        } else {
            buf_append_str(out, STR("- "));
        }
        print(v, depth + 1, !is_object, out);
        is_first = false;
    }
}

void yaml_print(const struct json_value *value, struct buf *out)
{
    print(value, 0, false, out);
}
