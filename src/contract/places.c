// SPDX-License-Identifier: Apache-2.0
// places.c - the sites of a schema as a graph of places, with the rules that apply at each. A place is a site
// together with the schemas whose rules are active there (one becomes so where its type begins) and, for
// JSON, with how far the tagged names have been matched on the way: so that types within themselves end, and
// each name's tags are right at any depth.
#include "contract/contract_private.h"

#include "base/hash.h"
#include "base/mem.h"

enum { PASSES_MAX = 1000 }; // over all places, until nothing changes

static bool is_json(const struct compile *c)
{
    return schema_format(c->contract->schema) == FORMAT_JSON;
}

static bool is_active(uint64_t parts, uint32_t index)
{
    return (parts >> index & 1) != 0;
}

// ---- places

static size_t states_size(const struct compile *c)
{
    return is_json(c) ? c->state_words * sizeof(uint64_t) : 0;
}

static uint64_t place_hash(const struct compile *c, const struct site *site, uint64_t parts,
                           const uint64_t *states)
{
    uint64_t hash = hash_mix((uintptr_t)site->of, hash_mix((uintptr_t)site->in, site->part));
    hash = hash_mix(hash, parts);
    return states_size(c) == 0 ? hash : hash64(bytes_of(states, states_size(c)), hash);
}

static bool place_is(const struct compile *c, const struct place *place, const struct site *site,
                     uint64_t parts, const uint64_t *states)
{
    return place->site.of == site->of && place->site.in == site->in && place->site.part == site->part &&
           place->parts == parts &&
           (states_size(c) == 0 || memcmp(place->states, states, states_size(c)) == 0);
}

// states_step moves the states of the active parts over a text.
static void states_step(const struct compile *c, uint64_t parts, uint64_t *states, struct str text)
{
    for (uint32_t p = 0; p < c->contract->part_count; p++) {
        const struct part *part = &c->contract->parts[p];
        for (uint32_t i = 0; is_active(parts, p) && i < part->glob_count; i++) {
            glob_step(&part->globs[i], states + part->globs[i].first_word, text);
        }
    }
}

// part_begin: names count from here for the schema whose type this is.
static void part_begin(const struct compile *c, uint32_t index, uint64_t *states)
{
    const struct part *part = &c->contract->parts[index];
    for (uint32_t i = 0; is_json(c) && i < part->glob_count; i++) {
        glob_start(&part->globs[i], states + part->globs[i].first_word);
        glob_step(&part->globs[i], states + part->globs[i].first_word, STR("$"));
    }
}

// place_get finds or makes the place. `states` (of states_size bytes) is the caller's and changed.
static struct place *place_get(struct compile *c, const struct site *site, uint64_t parts, uint64_t *states)
{
    if (site->program == NULL) {
        return NULL;
    }
    for (uint32_t p = 1; p < c->contract->part_count; p++) {
        bool is_root = false;
        if (!is_active(parts, p) && site_is_of(site, c->contract->parts[p].source->schema, &is_root)) {
            parts |= (uint64_t)1 << p;
            part_begin(c, p, states);
        }
    }
    uint64_t hash = place_hash(c, site, parts, states);
    for (struct map_node *n = map_first(&c->places, hash); n != NULL; n = map_next(n)) {
        struct place *place = MAP_ENTRY(n, struct place, node);
        if (place_is(c, place, site, parts, states)) {
            return place;
        }
    }
    struct place *place = arena_new(c->arena, struct place, 1);
    uint64_t *kept = arena_new(c->arena, uint64_t, c->state_words + 1);
    if (place == NULL || kept == NULL) {
        return NULL; // the arena says so in the end
    }
    if (c->place_count++ == CONTRACT_PLACES_MAX) {
        bind_fail(c, ERR_NO_MEMORY, "the rules apply at more than %d places of the schema",
                  CONTRACT_PLACES_MAX);
        return NULL;
    }
    memcpy(kept, states, states_size(c));
    *place = (struct place){.site = *site, .kind = site_kind(site), .parts = parts, .states = kept};
    map_insert(&c->places, &place->node, hash);
    *(c->last_place == NULL ? &c->contract->places : &c->last_place->next) = place;
    c->last_place = place;
    return place;
}

// ---- tags

// A field while its rules are found.
struct field_work {
    struct compile *c;
    const struct place *record;
    const struct site_field *field;
    const uint64_t *states; // behind the field's name; JSON
};

static bool glob_is_met(const struct field_work *w, const struct glob *glob)
{
    return w->field->full_name.ptr != NULL ? tag_glob_match(glob, w->field->full_name)
                                           : glob_accepts(glob, w->states + glob->first_word);
}

// tags_of gathers inline tags and those of a part's metadata, each once.
static struct str *tags_of(const struct field_work *w, const struct part *part, uint32_t *ret_count)
{
    size_t most = w->field->notes.tag_count;
    for (uint32_t i = 0; i < part->glob_count; i++) {
        most += part->glob_tags[i]->count;
    }
    struct str *tags = most == 0 ? NULL : arena_new(w->c->arena, struct str, most);
    uint32_t count = 0;
    for (uint32_t i = 0; tags != NULL && i < w->field->notes.tag_count; i++) {
        tags[count++] = w->field->notes.tags[i];
    }
    for (uint32_t i = 0; tags != NULL && i < part->glob_count; i++) {
        const struct json_value *v = glob_is_met(w, &part->globs[i]) ? part->glob_tags[i]->first : NULL;
        for (; v != NULL; v = v->next) {
            bool is_new = v->type == JSON_STRING;
            for (uint32_t k = 0; is_new && k < count; k++) {
                is_new = !str_equal(tags[k], v->text);
            }
            if (is_new) {
                tags[count++] = v->text;
            }
        }
    }
    *ret_count = count;
    return tags;
}

static bool have_common(const struct str *a, uint32_t a_count, const struct str *b, uint32_t b_count)
{
    for (uint32_t i = 0; i < a_count; i++) {
        for (uint32_t k = 0; k < b_count; k++) {
            if (str_equal(a[i], b[k])) {
                return true;
            }
        }
    }
    return false;
}

static struct cel_value tags_value(struct compile *c, const struct str *tags, uint32_t count)
{
    struct cel_value *items = arena_new(c->arena, struct cel_value, count + 1);
    for (uint32_t i = 0; items != NULL && i < count; i++) {
        items[i] = cel_string(tags[i]);
    }
    return cel_list(items, items == NULL ? 0 : count);
}

// rules_of_field finds the field rules of one part that apply, and whether clients encrypt the field.
static void rules_of_field(const struct field_work *w, uint32_t index, struct place_field *ret)
{
    const struct part *part = &w->c->contract->parts[index];
    uint32_t tag_count = 0;
    const struct str *tags = tags_of(w, part, &tag_count);
    struct cel_value value = tags_value(w->c, tags, tag_count);
    for (uint32_t i = 0; i < part->encryption_count; i++) {
        const struct encryption *one = &part->encryptions[i];
        ret->is_encrypted |= one->tag_count == 0 || have_common(tags, tag_count, one->tags, one->tag_count);
    }
    for (uint32_t i = 0; i < part->rule_count; i++) {
        const struct rule *rule = part->rules[i];
        bool applies = rule->type == RULE_CEL_FIELD &&
                       (rule->tag_count == 0 || have_common(tags, tag_count, rule->tags, rule->tag_count));
        if (applies) {
            ret->rules[ret->rule_count++] = (struct field_rule){rule, value};
        }
    }
}

static uint32_t field_rule_count(const struct compile *c, uint64_t parts)
{
    uint32_t count = 0;
    for (uint32_t p = 0; p < c->contract->part_count; p++) {
        count += is_active(parts, p) ? c->contract->parts[p].rule_count : 0;
    }
    return count;
}

// ---- checks

// Checks of one record or field, made once, however many places it has.
struct check_entry {
    struct map_node node;
    const void *owner;
    uint32_t field; // from 1; 0: the record's own
    struct rule **rules;
    uint32_t count;
};

static struct rule **checks_of(struct compile *c, const struct place *owner, uint32_t field,
                               const struct site_notes *notes, struct str sample, uint32_t *ret_count)
{
    uint64_t hash = hash_mix((uintptr_t)owner->site.of, hash_mix(field, 3));
    for (struct map_node *n = map_first(&c->checks, hash); n != NULL; n = map_next(n)) {
        struct check_entry *entry = MAP_ENTRY(n, struct check_entry, node);
        if (entry->owner == owner->site.of && entry->field == field) {
            *ret_count = entry->count;
            return entry->rules;
        }
    }
    *ret_count = 0;
    bool has_any = notes->check_count > 0 && c->contract->level == CONTRACT_RULES;
    struct check_entry *entry = has_any ? arena_new(c->arena, struct check_entry, 1) : NULL;
    struct rule **rules = entry == NULL ? NULL : arena_new(c->arena, struct rule *, notes->check_count);
    for (uint32_t i = 0; rules != NULL && c->err == ERR_OK && i < notes->check_count; i++) {
        const struct site_check *check = &notes->checks[i];
        struct str name = check->name.len > 0 ? check->name : STR("unnamed");
        if (check->expr.len == 0) {
            bind_fail(c, ERR_INVALID_REQUEST, "check '" STR_FMT "' of " STR_FMT " has no expression",
                      STR_ARG(name), STR_ARG(sample));
            return NULL;
        }
        struct rule *rule = rule_add(c, RULE_CHECK);
        if (rule == NULL) {
            return NULL;
        }
        rule->name = name;
        rule->expr = check->expr;
        rule->reason = check->doc.len > 0 ? check->doc
                       : check->sql.len > 0
                           ? check->sql
                           : arena_printf(c->arena, "Expr failed: '" STR_FMT "'", STR_ARG(check->expr));
        rule->subject = c->contract->parts[0].subject;
        rule->regex = CEL_REGEX_RE2;
        rule->sample = sample;
        rule->is_of_root = field == 0 && owner == c->contract->places;
        rules[(*ret_count)++] = rule;
    }
    if (rules != NULL) {
        *entry = (struct check_entry){
            .owner = owner->site.of, .field = field, .rules = rules, .count = *ret_count};
        map_insert(&c->checks, &entry->node, hash);
    }
    return rules;
}

// ---- filling a place

static struct str sample_of(struct compile *c, const struct site_field *field)
{
    return field->full_name.ptr != NULL ? field->full_name
                                        : arena_printf(c->arena, "$..." STR_FMT, STR_ARG(field->name));
}

static void field_fill(struct compile *c, struct place *record, const struct site_field *field,
                       uint32_t number, struct place_field *ret)
{
    uint64_t *states = mem_array(c->state_words + 1, sizeof *states);
    memcpy(states, record->states, states_size(c));
    if (is_json(c)) {
        states_step(c, record->parts, states, STR("."));
        states_step(c, record->parts, states, field->name);
    }
    struct field_work w = {.c = c, .record = record, .field = field, .states = states};
    *ret = (struct place_field){
        .name = field->name,
        .full_name = field->full_name,
        .written = field->written,
        .is_zero_if_absent = field->is_zero_if_absent,
    };
    uint32_t most = field_rule_count(c, record->parts);
    ret->rules = arena_new(c->arena, struct field_rule, most + 1);
    for (uint32_t p = 0; ret->rules != NULL && p < c->contract->part_count; p++) {
        if (is_active(record->parts, p)) {
            rules_of_field(&w, p, ret);
        }
    }
    for (uint32_t i = 0; i < ret->rule_count; i++) {
        struct rule *rule = (struct rule *)ret->rules[i].rule;
        rule->sample = rule->sample.ptr != NULL ? rule->sample : sample_of(c, field);
    }
    // JSON has the notes of a property in its subschema, and an object tells its own.
    bool is_told = is_json(c) && site_kind(&field->site) == SITE_RECORD;
    if (!is_told) {
        ret->checks = checks_of(c, record, number, &field->notes, sample_of(c, field), &ret->check_count);
    }
    ret->place = place_get(c, &field->site, record->parts, states);
    mem_free(states);
}

static void record_fill(struct compile *c, struct place *place)
{
    struct site_fields fields = {.of = place->site};
    struct site_field field;
    uint32_t count = 0;
    struct arena scratch;
    arena_init(&scratch, CONTRACT_MEMORY_BYTES_MAX);
    while (site_next_field(&fields, &scratch, &field)) {
        count++;
    }
    arena_fini(&scratch);
    place->fields = count == 0 ? NULL : arena_new(c->arena, struct place_field, count);
    fields = (struct site_fields){.of = place->site};
    for (uint32_t i = 0; place->fields != NULL && c->err == ERR_OK && i < count; i++) {
        site_next_field(&fields, c->arena, &field);
        field_fill(c, place, &field, i + 1, &place->fields[i]);
        place->field_count++;
    }
    struct site_notes notes = site_notes(&place->site, c->arena);
    place->checks = checks_of(c, place, 0, &notes, place == c->contract->places ? STR("$") : STR("a record"),
                              &place->check_count);
}

static void value_rules_fill(struct compile *c, struct place *place)
{
    for (uint32_t p = 1; p < c->contract->part_count; p++) {
        const struct part *part = &c->contract->parts[p];
        bool is_root = false;
        if (!site_is_of(&place->site, part->source->schema, &is_root) || !is_root) {
            continue;
        }
        if (place->value_rules == NULL) {
            place->value_rules = arena_new(c->arena, struct rule *, field_rule_count(c, UINT64_MAX) + 1);
        }
        for (uint32_t i = 0; place->value_rules != NULL && i < part->rule_count; i++) {
            if (part->rules[i]->type == RULE_CEL) {
                place->value_rules[place->value_rule_count++] = part->rules[i];
            }
        }
    }
}

static void branch_fill(struct compile *c, struct place *place, const struct site *site,
                        enum site_choice choice)
{
    struct place_branch *branch = &place->branches[place->branch_count++];
    uint64_t *states = mem_array(c->state_words + 1, sizeof *states);
    memcpy(states, place->states, states_size(c));
    *branch = (struct place_branch){.site = *site, .choice = choice};
    branch->place = place_get(c, site, place->parts, states);
    mem_free(states);
}

static void branches_fill(struct compile *c, struct place *place)
{
    struct site site;
    enum site_choice choice;
    uint32_t count = 0;
    while (count < CONTRACT_BRANCHES_MAX && site_branch(&place->site, count, &site, &choice)) {
        count++;
    }
    if (count == CONTRACT_BRANCHES_MAX) {
        bind_fail(c, ERR_NO_MEMORY, "more than %d branches at one place of the schema",
                  CONTRACT_BRANCHES_MAX);
        return;
    }
    place->branches = arena_new(c->arena, struct place_branch, count + 1);
    for (uint32_t i = 0; place->branches != NULL && c->err == ERR_OK && i < count; i++) {
        site_branch(&place->site, i, &site, &choice);
        branch_fill(c, place, &site, choice);
    }
}

static void place_fill(struct compile *c, struct place *place)
{
    value_rules_fill(c, place);
    if (place->kind == SITE_RECORD) {
        record_fill(c, place);
    } else if (place->kind == SITE_COMBINED) {
        branches_fill(c, place);
    } else if (place->kind == SITE_ARRAY || place->kind == SITE_MAP) {
        uint64_t *states = mem_array(c->state_words + 1, sizeof *states);
        struct site item = site_item(&place->site);
        memcpy(states, place->states, states_size(c));
        place->item = place_get(c, &item, place->parts, states);
        mem_free(states);
    }
}

// ---- what is needed

static uint32_t kinds_of(const struct compile *c, enum site_kind kind)
{
    switch (kind) {
    case SITE_STRING:
        return 1 << KIND_STRING;
    case SITE_BYTES:
        return 1 << KIND_BYTES;
    case SITE_INT:
    case SITE_LONG:
        return is_json(c) ? 1 << KIND_INT | 1 << KIND_DOUBLE : 1 << KIND_INT;
    case SITE_FLOAT:
    case SITE_DOUBLE:
        return is_json(c) ? 1 << KIND_INT | 1 << KIND_DOUBLE : 1 << KIND_DOUBLE;
    case SITE_BOOLEAN:
        return 1 << KIND_BOOL;
    case SITE_NULL:
        return 1 << KIND_OTHER;
    default:
        return 0;
    }
}

static bool place_is_needed(const struct place *place)
{
    return place != NULL && place->is_needed;
}

// place_learn updates what is known of a place from those below. true: something changed.
static bool place_learn(struct place *place)
{
    uint32_t kinds = place->value_kinds;
    bool is_needed = place->is_needed || place->check_count > 0 || place->value_rule_count > 0 ||
                     place_is_needed(place->item);
    kinds |= place->item == NULL ? 0 : place->item->value_kinds;
    for (uint32_t i = 0; i < place->branch_count; i++) {
        const struct place *inner = place->branches[i].place;
        kinds |= inner == NULL ? 0 : inner->value_kinds;
        is_needed |= place_is_needed(inner);
    }
    for (uint32_t i = 0; !is_needed && i < place->field_count; i++) {
        const struct place_field *field = &place->fields[i];
        bool has_rules = field->rule_count > 0 && field->place != NULL && field->place->value_kinds != 0;
        is_needed = has_rules || field->check_count > 0 || place_is_needed(field->place);
    }
    bool is_changed = kinds != place->value_kinds || is_needed != place->is_needed;
    place->value_kinds = kinds;
    place->is_needed = is_needed;
    return is_changed;
}

static bool places_learn(struct compile *c)
{
    struct place **all = mem_array(c->place_count + 1, sizeof *all);
    uint32_t count = 0;
    for (struct place *place = c->contract->places; place != NULL; place = place->next) {
        place->value_kinds = kinds_of(c, place->kind);
        all[count++] = place;
    }
    bool is_changed = true;
    int passes = 0;
    for (; is_changed && passes < PASSES_MAX; passes++) {
        is_changed = false;
        for (uint32_t i = count; i-- > 0;) { // those below come later
            is_changed |= place_learn(all[i]);
        }
    }
    mem_free(all);
    return !is_changed ||
           bind_fail(c, ERR_NO_MEMORY, "the types of the schema are within each other too intricately");
}

// loose_add notes a field of which JSON Schema may ask no more than the type.
static void loose_add(struct compile *c, const struct site *site)
{
    for (size_t i = 0; i < c->loose_count; i++) {
        if (c->loose[i].of == site->of) {
            return;
        }
    }
    if (c->loose_count == c->loose_cap) {
        c->loose_cap = c->loose_cap == 0 ? 16 : c->loose_cap * 2;
        c->loose = mem_realloc(c->loose, c->loose_cap * sizeof *c->loose);
    }
    c->loose[c->loose_count++] = *site;
}

static void encrypted_remark(struct compile *c, const struct place_field *field, struct rule *rule)
{
    struct str name = field->full_name.ptr != NULL ? field->full_name : field->name;
    rule->is_left_some = true;
    bind_remark(c, "clients encrypt " STR_FMT ": rule '" STR_FMT "' is left to them", STR_ARG(name),
                STR_ARG(rule->name));
}

static void encrypted_settle(struct compile *c, struct place_field *field)
{
    if (is_json(c)) {
        loose_add(c, &field->written);
    }
    for (uint32_t k = 0; k < field->rule_count; k++) {
        encrypted_remark(c, field, (struct rule *)field->rules[k].rule);
    }
    for (uint32_t k = 0; k < field->check_count; k++) {
        encrypted_remark(c, field, field->checks[k]);
    }
    field->rule_count = field->check_count = 0;
}

// fields_settle drops field rules that meet no value, and what concerns encrypted fields.
static void fields_settle(struct compile *c, struct place *place)
{
    enum { TEXT_KINDS = 1 << KIND_STRING | 1 << KIND_BYTES };
    for (uint32_t i = 0; i < place->field_count; i++) {
        struct place_field *field = &place->fields[i];
        uint32_t kinds = field->place == NULL ? 0 : field->place->value_kinds;
        field->is_encrypted &= (kinds & TEXT_KINDS) != 0;
        if (field->is_encrypted) {
            encrypted_settle(c, field);
        }
        field->rule_count = kinds == 0 ? 0 : field->rule_count;
        for (uint32_t k = 0; k < field->rule_count; k++) {
            struct rule *rule = (struct rule *)field->rules[k].rule;
            rule->kinds |= kinds;
            rule->may_be_either |= is_json(c);
        }
        for (uint32_t k = 0; k < field->check_count; k++) {
            field->checks[k]->kinds |= field->place == NULL ? 0 : kinds_of(c, field->place->kind);
            field->checks[k]->may_be_either |= is_json(c);
        }
    }
}

// branches_compile makes the programs that tell which branch a value is of.
static bool branches_compile(struct compile *c, struct place *place)
{
    struct site_loose loose = {c->loose, c->loose_count};
    for (uint32_t i = 0; i < place->branch_count; i++) {
        struct place_branch *branch = &place->branches[i];
        struct error e;
        if (branch->choice != SITE_ONE && branch->choice != SITE_ANY) {
            continue;
        }
        enum err err = site_program(&branch->site, loose, &branch->program, &e);
        if (err != ERR_OK) {
            return bind_fail(c, err, "%s", e.text);
        }
        c->branch_memory += program_memory(branch->program);
        if (c->branch_memory > CONTRACT_MEMORY_BYTES_MAX) {
            return bind_fail(c, ERR_NO_MEMORY, "the branches of the schema need more than %d bytes",
                             CONTRACT_MEMORY_BYTES_MAX);
        }
    }
    return true;
}

bool places_build(struct compile *c)
{
    struct site root = site_root(c->contract->types);
    uint64_t *states = mem_array(c->state_words + 1, sizeof *states);
    map_init(&c->places);
    map_init(&c->checks);
    part_begin(c, 0, states);
    place_get(c, &root, 1, states);
    mem_free(states);
    for (struct place *place = c->contract->places; place != NULL && c->err == ERR_OK && !c->arena->failed;
         place = place->next) {
        place_fill(c, place);
    }
    bool is_sound = c->err == ERR_OK && !c->arena->failed && places_learn(c);
    for (struct place *place = c->contract->places; is_sound && place != NULL; place = place->next) {
        fields_settle(c, place);
    }
    for (struct place *place = c->contract->places; is_sound && place != NULL; place = place->next) {
        is_sound = branches_compile(c, place);
    }
    map_fini(&c->places);
    map_fini(&c->checks);
    return is_sound;
}
