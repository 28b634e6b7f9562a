// SPDX-License-Identifier: Apache-2.0
// walk.c - over the fields of a payload, as far as there are rules below: checks of records and fields, rules
// of referenced schemas on the values of their types, and field rules on every primitive value. As in
// Confluent's Java clients: a value that is null or absent is seen by field rules as null, and not by checks;
// what a field rule says of an item of a list or map does not count, but an error does.
#include "contract/contract_private.h"

static struct cel_value now_of(const struct judge *j)
{
    int64_t ms = j->run->now_ms;
    int64_t seconds = ms / 1000 - (ms % 1000 < 0);
    return cel_timestamp(seconds, (uint32_t)(ms - seconds * 1000) * 1000000);
}

static bool is_absent(const struct view *view)
{
    return view->kind == VIEW_NONE || view->kind == VIEW_NULL;
}

static struct cel_value value_of(const struct view *view, const struct rule *rule)
{
    switch (view->kind) {
    case VIEW_NONE:
    case VIEW_NULL:
        return cel_null();
    case VIEW_UINT: // signed, unless the rule asks for more
        return rule->has_unsigned ? cel_uint((uint64_t)view->number) : cel_int(view->number);
    default:
        return cel_view(view);
    }
}

static void answer_take(struct judge *j, const struct rule *rule, enum rule_answer answer,
                        const struct way *way, const struct view *view, struct str reason)
{
    if (answer == RULE_HOLDS) {
        judge_succeed(j, rule, way);
    } else {
        judge_find(j, rule, way, view, reason);
    }
}

// ---- rules at a place

static void checks_run(struct judge *j, struct rule *const *rules, uint32_t count, const struct view *view,
                       const struct way *way)
{
    for (uint32_t i = 0; i < count && !is_absent(view); i++) {
        if (rules[i]->is_left) {
            continue;
        }
        const struct cel_value values[] = {value_of(view, rules[i]), now_of(j)};
        struct str reason;
        enum rule_answer answer = rule_run(j, rules[i], values, &reason);
        answer_take(j, rules[i], answer, way, view, reason);
    }
}

static struct str full_name_of(struct judge *j, const struct field_context *context, const struct way *way)
{
    return context->field->full_name.ptr != NULL ? context->field->full_name
                                                 : way_print(way, j->run->scratch);
}

static void field_rules_run(struct judge *j, const struct place *place, const struct view *view,
                            const struct way *way, const struct field_context *context)
{
    for (uint32_t i = 0; i < context->field->rule_count; i++) {
        const struct rule *rule = context->field->rules[i].rule;
        const struct cel_value values[] = {
            value_of(view, rule),
            now_of(j),
            cel_string(full_name_of(j, context, context->way)),
            cel_string(context->field->name),
            cel_string(str_from_c(site_kind_name(place->kind))),
            context->field->rules[i].tags,
            cel_view(context->record),
        };
        struct str reason;
        enum rule_answer answer = rule_run(j, rule, values, &reason);
        if (answer == RULE_BREAKS || (answer == RULE_FAILS && !context->is_within)) {
            judge_find(j, rule, way, view, reason);
        }
    }
}

static void value_rules_run(struct judge *j, const struct place *place, const struct view *view,
                            const struct way *way)
{
    for (uint32_t i = 0; i < place->value_rule_count && !is_absent(view); i++) {
        const struct cel_value values[] = {cel_view(view), now_of(j)};
        struct str reason;
        enum rule_answer answer = rule_run(j, place->value_rules[i], values, &reason);
        answer_take(j, place->value_rules[i], answer, way, view, reason);
    }
}

// ---- the walk

static void walk(struct judge *j, const struct place *place, const struct view *view, const struct way *way,
                 const struct field_context *context);

static bool is_walked(const struct place *place, const struct field_context *context)
{
    bool has_rules = context != NULL && context->field->rule_count > 0;
    return place != NULL && (place->is_needed || (has_rules && place->value_kinds != 0));
}

static void walk_field(struct judge *j, const struct place_field *field, const struct view *record,
                       const struct view *value, const struct way *way)
{
    struct way here = {.up = way, .name = field->name};
    struct field_context context = {.field = field, .record = record, .way = &here};
    struct view zero = *value;
    checks_run(j, field->checks, field->check_count, value, &here);
    if (!is_walked(field->place, &context)) {
        return;
    }
    if (value->kind == VIEW_NONE && field->is_zero_if_absent) {
        static const enum view_kind kinds[SITE_KIND_COUNT] = {
            [SITE_STRING] = VIEW_STRING, [SITE_BYTES] = VIEW_BYTES,  [SITE_INT] = VIEW_INT,
            [SITE_LONG] = VIEW_INT,      [SITE_FLOAT] = VIEW_DOUBLE, [SITE_DOUBLE] = VIEW_DOUBLE,
            [SITE_BOOLEAN] = VIEW_BOOL,
        };
        static const uint8_t nothing[1];
        zero = (struct view){.kind = kinds[field->place->kind],
                             .program = record->program,
                             .raw = {nothing, 0},
                             .payload = record->payload};
    }
    walk(j, field->place, &zero, &here, &context);
}

// Of Avro all fields are there, in their order; of the others each is looked for.
static void walk_record(struct judge *j, const struct place *place, const struct view *view,
                        const struct way *way)
{
    bool is_in_order = program_format(view->program) == FORMAT_AVRO;
    struct view_items items = {.of = *view};
    for (uint32_t i = 0; i < place->field_count && judge_spend(j, 1); i++) {
        const struct place_field *field = &place->fields[i];
        struct view value = {0};
        struct str key;
        if (is_in_order) {
            view_next(&items, &key, &value);
        }
        bool is_needed = field->check_count > 0 || field->rule_count > 0 ||
                         (field->place != NULL && field->place->is_needed);
        if (is_needed) {
            value = is_in_order ? value : view_field(view, field->name);
            walk_field(j, field, view, &value, way);
        }
    }
}

static void walk_items(struct judge *j, const struct place *place, const struct view *view,
                       const struct way *way, const struct field_context *context)
{
    struct field_context inner = context == NULL ? (struct field_context){0} : *context;
    struct view_items items = {.of = *view};
    struct view value;
    struct str key;
    inner.is_within = true;
    if (!is_walked(place->item, context)) {
        return;
    }
    for (int64_t i = 0; judge_spend(j, 1) && view_next(&items, &key, &value); i++) {
        struct way here = {.up = way, .index = view->kind == VIEW_LIST ? i : -1};
        walk(j, place->item, &value, &here, context == NULL ? NULL : &inner);
    }
}

// text_of is a JSON value as it stands in the payload.
static struct bytes text_of(const struct view *view)
{
    static const char *const words[] = {"false", "true"};
    switch (view->kind) {
    case VIEW_STRING:
        return bytes_of(view->raw.ptr - 1, view->raw.len + 2);
    case VIEW_BOOL:
        return bytes_of(words[view->number != 0], strlen(words[view->number != 0]));
    case VIEW_NONE:
    case VIEW_NULL:
        return bytes_of("null", 4);
    default:
        return view->raw;
    }
}

static bool branch_takes(struct judge *j, const struct place_branch *branch, const struct view *view)
{
    enum { BYTES_PER_STEP = 16 };
    if (branch->choice == SITE_ALWAYS) {
        return true;
    }
    if (branch->choice == SITE_FITTING) {
        struct view null = *view;
        null.kind = view->kind == VIEW_NONE ? VIEW_NULL : view->kind;
        return site_fits(&branch->site, &null);
    }
    struct bytes text = text_of(view);
    return judge_spend(j, 1 + text.len / BYTES_PER_STEP) &&
           program_check(branch->program, text, NULL) == ERR_OK;
}

static void walk_branches(struct judge *j, const struct place *place, const struct view *view,
                          const struct way *way, const struct field_context *context)
{
    bool is_chosen[SITE_ANY + 1] = {false};
    for (uint32_t i = 0; i < place->branch_count && judge_spend(j, 1); i++) {
        const struct place_branch *branch = &place->branches[i];
        bool is_first = branch->choice == SITE_ONE || branch->choice == SITE_FITTING;
        if ((is_first && is_chosen[branch->choice]) || !is_walked(branch->place, context)) {
            // One that is not walked may still be the one that the value is of.
            is_chosen[branch->choice] |= is_first && branch->place != NULL && branch_takes(j, branch, view);
            continue;
        }
        if (branch_takes(j, branch, view)) {
            is_chosen[branch->choice] = true;
            walk(j, branch->place, view, way, context);
        }
    }
}

// Depth: a payload's is bounded by its check, and of one value by the schema's, which never applies itself to
// it without end.
static void walk(struct judge *j, const struct place *place, const struct view *view, const struct way *way,
                 const struct field_context *context)
{
    if (!judge_spend(j, 1)) {
        return;
    }
    if (place->kind != SITE_COMBINED) {
        value_rules_run(j, place, view, way);
    }
    if (place->kind == SITE_RECORD && view->kind == VIEW_RECORD) {
        checks_run(j, place->checks, place->check_count, view, way);
        walk_record(j, place, view, way);
    } else if (place->kind == SITE_ARRAY && view->kind == VIEW_LIST) {
        walk_items(j, place, view, way, context);
    } else if (place->kind == SITE_MAP && view->kind == VIEW_MAP) {
        walk_items(j, place, view, way, context);
    } else if (place->kind == SITE_COMBINED) {
        walk_branches(j, place, view, way, context);
    } else if (site_kind_is_primitive(place->kind) && context != NULL) {
        field_rules_run(j, place, view, way, context);
    }
}

void judge_walk(struct judge *j, const struct view *root)
{
    if (j->contract->places != NULL && j->contract->places->is_needed) {
        walk(j, j->contract->places, root, NULL, NULL);
    }
}
