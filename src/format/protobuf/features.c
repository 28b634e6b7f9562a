// SPDX-License-Identifier: Apache-2.0
// features.c - what syntax, edition and `features` options say about fields and enums, and what follows from
// it.
#include "format/protobuf/protobuf_private.h"

void pb_features_default(struct pb_file *file)
{
    bool is_proto2 = file->syntax == PB_SYNTAX_NONE || file->syntax == PB_SYNTAX_PROTO2;
    bool is_proto3 = file->syntax == PB_SYNTAX_PROTO3;
    file->features = (struct pb_features){
        .is_implicit = is_proto3,
        .is_closed = is_proto2,
        .is_packed = !is_proto2,
        .is_utf8 = !is_proto2,
    };
    pb_features_apply(&file->features, file->options);
}

static void apply_one(struct pb_features *features, struct str name, struct str value)
{
    if (str_equal(name, STR("field_presence"))) {
        features->is_implicit = str_equal(value, STR("IMPLICIT"));
        features->is_required = str_equal(value, STR("LEGACY_REQUIRED"));
    } else if (str_equal(name, STR("enum_type"))) {
        features->is_closed = str_equal(value, STR("CLOSED"));
    } else if (str_equal(name, STR("repeated_field_encoding"))) {
        features->is_packed = str_equal(value, STR("PACKED"));
    } else if (str_equal(name, STR("utf8_validation"))) {
        features->is_utf8 = str_equal(value, STR("VERIFY"));
    } else if (str_equal(name, STR("message_encoding"))) {
        features->is_delimited = str_equal(value, STR("DELIMITED"));
    }
}

void pb_features_apply(struct pb_features *features, const struct pb_option *options)
{
    for (const struct pb_option *o = options; o != NULL; o = o->next) {
        if (o->is_extension || !str_equal(o->name, STR("features"))) {
            continue;
        }
        if (o->path.len > 0) {
            apply_one(features, o->path, o->value.text);
            continue;
        }
        for (const struct pb_value *v = o->value.first; v != NULL; v = v->next) {
            apply_one(features, v->key, v->text);
        }
    }
}

// ---- fields

bool pb_field_is_repeated(const struct pb_field *field)
{
    return field->is_map || field->label == PB_LABEL_REPEATED;
}

bool pb_field_is_required(const struct pb_field *field)
{
    return field->label == PB_LABEL_REQUIRED ||
           (field->features.is_required && !pb_field_is_repeated(field) && field->oneof == NULL);
}

bool pb_field_is_packed(const struct pb_field *field)
{
    if (field->label != PB_LABEL_REPEATED || !pb_type_is_packable(field->type)) {
        return false;
    }
    const struct pb_option *packed = pb_option_find(field->options, "packed");
    return packed != NULL ? str_equal(packed->value.text, STR("true")) : field->features.is_packed;
}

bool pb_field_has_presence(const struct pb_field *field)
{
    if (pb_field_is_repeated(field)) {
        return false;
    }
    return field->oneof != NULL || field->label != PB_LABEL_NONE || field->type == PB_TYPE_MESSAGE ||
           field->type == PB_TYPE_GROUP || !field->features.is_implicit;
}

bool pb_field_map(const struct pb_field *field, struct pb_map *ret)
{
    if (field->is_map) {
        *ret = (struct pb_map){.key_type = field->key_type,
                               .key_name = field->key_name,
                               .value_name = field->type_name,
                               .value = field};
        return true;
    }
    if (field->message == NULL || !field->message->is_map_entry || field->label != PB_LABEL_REPEATED) {
        return false;
    }
    *ret = (struct pb_map){.scope = field->message->full_name};
    for (const struct pb_field *f = field->message->fields; f != NULL; f = f->next) {
        if (f->number == 1 && str_equal(f->name, STR("key"))) {
            ret->key_type = f->type;
            ret->key_name = f->type_name;
        } else if (f->number == 2 && str_equal(f->name, STR("value"))) {
            ret->value = f;
            ret->value_name = f->type_name;
        }
    }
    return ret->key_type != PB_TYPE_NONE && ret->value != NULL;
}
