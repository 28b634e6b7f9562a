// SPDX-License-Identifier: Apache-2.0
// defaults.c - whether the defaults of a new schema fit their types. Time is bounded: each pair of a value
// and a type is judged once, and so is the default that a record's default leaves a field to.
#include "format/avro/avro_private.h"

enum verdict { UNKNOWN, IN_PROGRESS, FITS, FITS_NOT };
enum { DEFAULT_DEPTH_MAX = 1024 };

struct judge {
    struct avro_parse *p;
    struct pair_table verdicts;
    uint32_t steps;
    bool gave_up;
};

static bool fits(struct judge *j, const struct json_value *value, const struct avro_type *type, int depth);

static bool is_integer_of(const struct json_value *value, int64_t min, int64_t max)
{
    int64_t number;
    return value->type == JSON_NUMBER && str_parse_i64(value->text, &number) && number >= min &&
           number <= max;
}

static struct json_value *default_value(struct judge *j, const struct avro_field *field)
{
    struct json_value *value = NULL;
    return json_parse(field->default_text, j->p->scratch, &value, NULL) == ERR_OK ? value : NULL;
}

static bool default_fits(struct judge *j, const struct avro_field *field, int depth)
{
    enum verdict verdict = pair_table_get(&j->verdicts, field, field);
    if (verdict == UNKNOWN) {
        pair_table_put(&j->verdicts, field, field, IN_PROGRESS);
        const struct json_value *value = default_value(j, field);
        // Of a float or double, text was judged when it was read: "NaN".
        bool is_real = field->type->kind == AVRO_FLOAT || field->type->kind == AVRO_DOUBLE;
        bool is_good =
            value != NULL && ((is_real && value->type == JSON_STRING) || fits(j, value, field->type, depth));
        verdict = is_good ? FITS : FITS_NOT;
        pair_table_put(&j->verdicts, field, field, verdict);
    }
    return verdict == FITS; // one that needs itself has no end
}

static bool record_fits(struct judge *j, const struct json_value *value, const struct avro_type *type,
                        int depth)
{
    for (uint32_t i = 0; i < type->count; i++) {
        const struct avro_field *field = &type->fields[i];
        const struct json_value *member = json_get(value, field->name);
        bool is_good = member != NULL ? fits(j, member, field->type, depth)
                                      : field->default_text.ptr != NULL && default_fits(j, field, depth);
        if (!is_good) {
            return false;
        }
    }
    return true;
}

static bool compound_fits(struct judge *j, const struct json_value *value, const struct avro_type *type,
                          int depth)
{
    if (type->kind == AVRO_UNION) {
        for (uint32_t i = 0; i < type->count; i++) {
            if (fits(j, value, type->branches[i], depth)) {
                return true;
            }
        }
        return false;
    }
    if (value->type != (type->kind == AVRO_ARRAY ? JSON_ARRAY : JSON_OBJECT)) {
        return false;
    }
    if (type->kind == AVRO_RECORD) {
        return record_fits(j, value, type, depth);
    }
    for (const struct json_value *item = value->first; item != NULL; item = item->next) {
        if (!fits(j, item, type->item, depth)) {
            return false;
        }
    }
    return true;
}

static bool fits(struct judge *j, const struct json_value *value, const struct avro_type *type, int depth)
{
    j->gave_up |= ++j->steps > AVRO_DEFAULT_STEPS_MAX || depth > DEFAULT_DEPTH_MAX;
    if (j->gave_up) {
        return false;
    }
    switch (type->kind) {
    case AVRO_NULL:
        return value->type == JSON_NULL;
    case AVRO_BOOLEAN:
        return json_is_bool(value);
    case AVRO_INT:
        return is_integer_of(value, INT32_MIN, INT32_MAX);
    case AVRO_LONG:
        return is_integer_of(value, INT64_MIN, INT64_MAX);
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        return value->type == JSON_NUMBER;
    case AVRO_BYTES:
    case AVRO_STRING:
    case AVRO_ENUM:
    case AVRO_FIXED:
        return value->type == JSON_STRING;
    default:
        break;
    }
    enum verdict verdict = pair_table_get(&j->verdicts, value, type);
    if (verdict == UNKNOWN) {
        pair_table_put(&j->verdicts, value, type, IN_PROGRESS);
        verdict = compound_fits(j, value, type, depth + 1) ? FITS : FITS_NOT;
        pair_table_put(&j->verdicts, value, type, verdict);
    }
    return verdict == FITS;
}

static enum err judge_record(struct judge *j, const struct avro_type *type)
{
    for (uint32_t i = 0; i < type->count; i++) {
        const struct avro_field *field = &type->fields[i];
        if (field->default_text.ptr == NULL || default_fits(j, field, 0)) {
            continue;
        }
        if (j->gave_up) {
            return avro_fail(j->p, "its defaults are too much to judge");
        }
        struct str shown = field->default_text;
        shown.len = shown.len > 60 ? 60 : shown.len;
        return avro_fail(
            j->p,
            "the default of the field '" STR_FMT "' of '" STR_FMT "' does not fit its type, %s%s: " STR_FMT,
            STR_ARG(field->name), STR_ARG(type->named->full),
            field->type->kind == AVRO_UNION && field->type->count > 0 ? "any branch of the " : "",
            avro_kind_name(field->type->kind), STR_ARG(shown));
    }
    return ERR_OK;
}

enum err avro_check_defaults(struct avro_parse *p)
{
    struct judge j = {.p = p};
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < p->defined_count && err == ERR_OK; i++) {
        if (p->defined[i]->kind == AVRO_RECORD) {
            err = judge_record(&j, p->defined[i]);
        }
    }
    pair_table_fini(&j.verdicts);
    return err;
}
