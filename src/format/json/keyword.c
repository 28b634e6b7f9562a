// SPDX-License-Identifier: Apache-2.0
// keyword.c - the table of keywords, and schemas of schemas made from it: every $ref to a published
// metaschema is answered without one.
#include "format/json/schema_private.h"

#include <stdlib.h>

const struct keyword_info keyword_infos[KEYWORD_COUNT] = {
#define X(name, text, shape, first, last, vocabulary)                                                        \
    [KEYWORD_##name] = {{(text), sizeof(text) - 1}, (shape), (first), (last), VOCABULARY_##vocabulary},
    KEYWORD_TABLE(X)
#undef X
};

const char *const draft_uris[DRAFT_COUNT] = {
    [DRAFT_4] = "http://json-schema.org/draft-04/schema",
    [DRAFT_6] = "http://json-schema.org/draft-06/schema",
    [DRAFT_7] = "http://json-schema.org/draft-07/schema",
    [DRAFT_2019] = "https://json-schema.org/draft/2019-09/schema",
    [DRAFT_2020] = "https://json-schema.org/draft/2020-12/schema",
};

// By the last word of their URIs. Formats have had three.
static const struct {
    struct str name;
    uint16_t bits;
} vocabulary_names[] = {
    {{"core", 4}, 1 << VOCABULARY_CORE},
    {{"applicator", 10}, 1 << VOCABULARY_APPLICATOR},
    {{"unevaluated", 11}, 1 << VOCABULARY_UNEVALUATED},
    {{"validation", 10}, 1 << VOCABULARY_VALIDATION},
    {{"meta-data", 9}, 1 << VOCABULARY_META_DATA},
    {{"format", 6}, 1 << VOCABULARY_FORMAT},
    {{"format-annotation", 17}, 1 << VOCABULARY_FORMAT},
    {{"format-assertion", 16}, 1 << VOCABULARY_FORMAT | 1 << VOCABULARY_COUNT},
    {{"content", 7}, 1 << VOCABULARY_CONTENT},
};

// without_scheme drops http: or https:, and an empty fragment.
static struct str without_scheme(struct str uri)
{
    if (uri.len > 0 && uri.ptr[uri.len - 1] == '#') {
        uri.len--;
    }
    static const struct str schemes[] = {{"https://", 8}, {"http://", 7}};
    for (size_t i = 0; i < 2; i++) {
        if (str_has_prefix(uri, schemes[i])) {
            return (struct str){uri.ptr + schemes[i].len, uri.len - schemes[i].len};
        }
    }
    return uri;
}

bool draft_find(struct str uri, enum json_draft *ret)
{
    for (int i = 0; i < DRAFT_COUNT; i++) {
        if (str_equal(without_scheme(uri), without_scheme(str_from_c(draft_uris[i])))) {
            *ret = (enum json_draft)i;
            return true;
        }
    }
    return false;
}

static uint16_t vocabulary_bits(struct str name)
{
    for (size_t i = 0; i < sizeof vocabulary_names / sizeof vocabulary_names[0]; i++) {
        if (str_equal(name, vocabulary_names[i].name)) {
            return vocabulary_names[i].bits;
        }
    }
    return 0;
}

uint16_t vocabularies_read(const struct json_value *vocabulary)
{
    uint16_t bits = 1 << VOCABULARY_CORE;
    for (const struct json_value *v = vocabulary->first; v != NULL; v = v->next) {
        const char *slash = memrchr(v->key.ptr, '/', v->key.len);
        if (slash != NULL) {
            uint16_t own =
                vocabulary_bits((struct str){slash + 1, v->key.len - (size_t)(slash + 1 - v->key.ptr)});
            bits |= own;
            // 2019-09 has unevaluated* among the applicators.
            if (own == 1 << VOCABULARY_APPLICATOR && memmem(v->key.ptr, v->key.len, "2019-09", 7) != NULL) {
                bits |= 1 << VOCABULARY_UNEVALUATED;
            }
        }
    }
    return bits;
}

// ---- reading

static const struct keyword_info *keyword_find(struct str name, const struct jschema_resource *resource)
{
    for (int i = 0; i < KEYWORD_COUNT; i++) {
        const struct keyword_info *info = &keyword_infos[i];
        if (info->name.len == name.len && info->name.ptr[name.len - 1] == name.ptr[name.len - 1] &&
            str_equal(info->name, name)) {
            bool is_known = resource->draft >= info->first && resource->draft <= info->last &&
                            (resource->vocabularies >> info->vocabulary & 1) != 0;
            return is_known ? info : NULL;
        }
    }
    return NULL;
}

void keywords_read(struct jschema_place place, struct keywords *ret)
{
    *ret = (struct keywords){0};
    if (place.value->type != JSON_OBJECT) {
        return;
    }
    const struct json_value *ref = json_get(place.value, STR("$ref"));
    if (place.resource->draft <= DRAFT_7 && ref != NULL) {
        ret->of[KEYWORD_REF] = ref;
        return;
    }
    for (const struct json_value *v = place.value->first; v != NULL; v = v->next) {
        const struct keyword_info *info = v->key.len == 0 ? NULL : keyword_find(v->key, place.resource);
        if (info != NULL) {
            ret->of[info - keyword_infos] = v;
        }
    }
}

// ---- schemas of schemas

// What the value of a keyword has to be, as a schema. `self` refers to the whole metaschema.
static void print_shape(enum shape shape, enum json_draft draft, const char *self, struct buf *out)
{
    switch (shape) {
    case SHAPE_ANY:
        buf_append_str(out, STR("{}"));
        break;
    case SHAPE_SCHEMA:
        buf_append_str(out, str_from_c(self));
        break;
    case SHAPE_SCHEMA_OR_BOOL:
        if (draft == DRAFT_4) {
            buf_printf(out, "{\"anyOf\":[{\"type\":\"boolean\"},%s]}", self);
        } else {
            buf_append_str(out, str_from_c(self));
        }
        break;
    case SHAPE_SCHEMAS:
        buf_printf(out, "{\"type\":\"array\",\"minItems\":1,\"items\":%s}", self);
        break;
    case SHAPE_ITEMS:
        if (draft == DRAFT_2020) {
            buf_append_str(out, str_from_c(self));
        } else {
            buf_printf(out, "{\"anyOf\":[%s,{\"type\":\"array\",\"minItems\":1,\"items\":%s}]}", self, self);
        }
        break;
    case SHAPE_SCHEMA_MAP:
    case SHAPE_PATTERN_MAP:
        buf_printf(out, "{\"type\":\"object\",\"additionalProperties\":%s}", self);
        break;
    case SHAPE_DEPENDENCIES:
        buf_printf(out,
                   "{\"type\":\"object\",\"additionalProperties\":{\"anyOf\":[%s,{\"type\":\"array\","
                   "\"items\":{\"type\":\"string\"}}]}}",
                   self);
        break;
    case SHAPE_COUNT:
        buf_append_str(out, STR("{\"type\":\"integer\",\"minimum\":0}"));
        break;
    case SHAPE_NUMBER:
        buf_append_str(out, STR("{\"type\":\"number\"}"));
        break;
    case SHAPE_POSITIVE:
        buf_append_str(out, STR("{\"type\":\"number\",\"not\":{\"maximum\":0}}"));
        break;
    case SHAPE_BOOL:
        buf_append_str(out, STR("{\"type\":\"boolean\"}"));
        break;
    case SHAPE_EXCLUSIVE:
        buf_printf(out, "{\"type\":\"%s\"}", draft == DRAFT_4 ? "boolean" : "number");
        break;
    case SHAPE_STRING:
    case SHAPE_REGEX:
        buf_append_str(out, STR("{\"type\":\"string\"}"));
        break;
    case SHAPE_STRINGS:
        buf_printf(out, "{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"uniqueItems\":true%s}",
                   draft == DRAFT_4 ? ",\"minItems\":1" : "");
        break;
    case SHAPE_STRINGS_MAP:
        buf_append_str(out, STR("{\"type\":\"object\",\"additionalProperties\":{\"type\":\"array\",\"items\":"
                                "{\"type\":\"string\"},\"uniqueItems\":true}}"));
        break;
    case SHAPE_TYPE:
        buf_append_str(out, STR("{\"anyOf\":[{\"$ref\":\"#/definitions/simpleTypes\"},{\"type\":\"array\","
                                "\"items\":{\"$ref\":\"#/definitions/simpleTypes\"},\"minItems\":1,"
                                "\"uniqueItems\":true}]}"));
        break;
    case SHAPE_LIST:
        buf_append_str(out, STR("{\"type\":\"array\"}"));
        break;
    }
}

static void print_metaschema(enum json_draft draft, uint16_t vocabularies, struct str uri, struct buf *out)
{
    static const char *const selves[DRAFT_COUNT] = {
        "{\"$ref\":\"#\"}",
        "{\"$ref\":\"#\"}",
        "{\"$ref\":\"#\"}",
        "{\"$recursiveRef\":\"#\"}",
        "{\"$dynamicRef\":\"#meta\"}",
    };
    static const char *const marks[DRAFT_COUNT] = {
        "", "", "", "\"$recursiveAnchor\":true,", "\"$dynamicAnchor\":\"meta\",",
    };
    bool has_fragment = draft <= DRAFT_7;
    buf_printf(out, "{\"$schema\":\"%s%s\",\"%s\":\"" STR_FMT "%s\",%s", draft_uris[draft],
               has_fragment ? "#" : "", draft == DRAFT_4 ? "id" : "$id", STR_ARG(uri),
               has_fragment ? "#" : "", marks[draft]);
    buf_append_str(out, STR("\"definitions\":{\"simpleTypes\":{\"enum\":[\"array\",\"boolean\",\"integer\","
                            "\"null\",\"number\",\"object\",\"string\"]},"));
    buf_append_str(out, STR("\"nonNegativeInteger\":{\"type\":\"integer\",\"minimum\":0},"
                            "\"nonNegativeIntegerDefault0\":{\"type\":\"integer\",\"minimum\":0},"
                            "\"positiveInteger\":{\"type\":\"integer\",\"minimum\":0},"
                            "\"positiveIntegerDefault0\":{\"type\":\"integer\",\"minimum\":0},"));
    buf_printf(out,
               "\"stringArray\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"uniqueItems\":true},"
               "\"schemaArray\":{\"type\":\"array\",\"minItems\":1,\"items\":%s}},",
               selves[draft]);
    buf_append_str(out, draft == DRAFT_4 ? STR("\"type\":\"object\",\"properties\":{")
                                         : STR("\"type\":[\"object\",\"boolean\"],\"properties\":{"));
    bool is_first = true;
    for (int i = 0; i < KEYWORD_COUNT; i++) {
        const struct keyword_info *info = &keyword_infos[i];
        if (draft >= info->first && draft <= info->last && (vocabularies >> info->vocabulary & 1) != 0) {
            buf_printf(out, "%s\"" STR_FMT "\":", is_first ? "" : ",", STR_ARG(info->name));
            print_shape(info->shape, draft, selves[draft], out);
            is_first = false;
        }
    }
    buf_append_str(out, STR("}}"));
}

bool jschema_metaschema(struct str uri, struct buf *out)
{
    enum json_draft draft;
    if (draft_find(uri, &draft)) {
        print_metaschema(draft, VOCABULARIES_ALL, str_from_c(draft_uris[draft]), out);
        return true;
    }
    static const struct {
        const char *prefix;
        enum json_draft draft;
    } parts[] = {
        {"https://json-schema.org/draft/2019-09/meta/", DRAFT_2019},
        {"https://json-schema.org/draft/2020-12/meta/", DRAFT_2020},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct str prefix = str_from_c(parts[i].prefix);
        if (!str_has_prefix(uri, prefix)) {
            continue;
        }
        uint16_t bits = vocabulary_bits((struct str){uri.ptr + prefix.len, uri.len - prefix.len});
        if (bits != 0) {
            if (parts[i].draft == DRAFT_2019 && bits == 1 << VOCABULARY_APPLICATOR) {
                bits |= 1 << VOCABULARY_UNEVALUATED;
            }
            print_metaschema(parts[i].draft, bits, uri, out);
            return true;
        }
    }
    return false;
}
