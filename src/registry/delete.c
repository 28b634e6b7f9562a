// SPDX-License-Identifier: Apache-2.0
// delete.c - versions go: first softly, so that what was written with them can still be read, then for good.
#include "base/assert.h"
#include "registry/registry_private.h"

enum { PIECE_CHANGES = ITEM_DOCUMENTS_MAX / 2 }; // of one item, before the last version's

// A subject of many versions goes in several items, the lowest versions first: one that is interrupted goes
// on when it is asked for again.
struct deletion {
    int32_t *versions; // that went, and behind them those of the plan
    size_t done;
    size_t count;
    size_t cap;
    bool is_list;  // answered as a list
    bool has_more; // than the plan takes
};

static void delete_answer(struct registry_call *call)
{
    const struct deletion *deletion = call->kept;
    struct json j = call_answer(call);
    if (!deletion->is_list) {
        json_i64(&j, deletion->versions[0]);
        return;
    }
    json_array_begin(&j);
    for (size_t i = 0; i < deletion->count; i++) {
        json_i64(&j, deletion->versions[i]);
    }
    json_array_end(&j);
}

static void delete_finish(struct registry *r, struct registry_call *call, const struct outcome *outcome)
{
    struct deletion *deletion = call->kept;
    (void)outcome;
    deletion->done = deletion->count;
    if (deletion->has_more) {
        r->plan_number++;
        op_subject_delete(r, call);
    } else {
        delete_answer(call);
    }
}

static bool mode_permits(struct registry *r, struct registry_call *call, struct str subject)
{
    if (str_has_prefix(mode_resolve(r, subject), STR("READONLY"))) {
        call_fail(call, CODE_NOT_PERMITTED, "Subject " STR_FMT " is in read-only mode", STR_ARG(subject));
        return false;
    }
    return true;
}

// is_referenced: by a version that is not deleted, of another subject if `subject` goes as a whole.
static bool is_referenced(struct registry *r, const struct subject_entry *subject, int32_t version,
                          bool is_whole)
{
    struct referrer_entry *referrer = NULL;
    while ((referrer = index_referrer_next(r, subject->name, version, referrer)) != NULL) {
        for (uint32_t i = 0; i < referrer->schema->user_count; i++) {
            const struct schema_user *user = &referrer->schema->users[i];
            bool is_other = !is_whole || user->subject != subject;
            if (is_other && !index_version(user->subject, user->version)->is_deleted) {
                return true;
            }
        }
    }
    return false;
}

static bool reference_fail(struct registry_call *call, const struct subject_entry *subject, int32_t version)
{
    call_fail(call, CODE_REFERENCE_EXISTS,
              "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=" STR_FMT
              ",version=%d}.",
              STR_ARG(subject->name), version);
    return false;
}

// version_guard refuses what is referred to, and makes the plan fail if that changes.
static bool version_guard(struct registry *r, struct registry_call *call, const struct subject_entry *subject,
                          const struct version_entry *version, bool is_whole)
{
    if (is_referenced(r, subject, version->version, is_whole)) {
        return reference_fail(call, subject, version->version);
    }
    struct str key = key_version(call, "refs", subject->name, version->version);
    plan_expect(call, key, index_counter(r, key));
    return true;
}

static void references_release(struct registry_call *call, const struct schema_entry *schema)
{
    for (uint32_t i = 0; i < schema->reference_count; i++) {
        plan_add(call,
                 key_version(call, "refs", schema->references[i].subject, schema->references[i].version), -1);
    }
}

static void plan_soft(struct registry_call *call, const struct subject_entry *subject,
                      const struct version_entry *version)
{
    plan_put(call, key_version(call, "version", subject->name, version->version), bytes_of("deleted", 7),
             version->schema->id);
    references_release(call, version->schema);
}

// keeps_schema: a version still has the schema when the plan is done; *ret_content: has its content under any
// id.
static bool keeps_schema(struct registry *r, const struct schema_entry *schema, bool *ret_content)
{
    *ret_content = false;
    for (struct schema_entry *s = index_guid_next(r, schema->guid, NULL); s != NULL;
         s = index_guid_next(r, schema->guid, s)) {
        for (uint32_t i = 0; str_equal(s->context, schema->context) && i < s->user_count; i++) {
            const struct version_entry *user = index_version(s->users[i].subject, s->users[i].version);
            bool is_left = user->leaves_with != r->plan_number;
            *ret_content = *ret_content || is_left;
            if (is_left && s == schema) {
                return true;
            }
        }
    }
    return false;
}

void plan_unuse(struct registry *r, struct registry_call *call, struct version_entry *version)
{
    char guid[37];
    bool has_content;
    const struct schema_entry *schema = version->schema;
    version->leaves_with = r->plan_number;
    bool has_schema = keeps_schema(r, schema, &has_content);
    guid_format(schema->guid, guid);
    struct str users = key_of(call, "users/" STR_FMT "/%s", STR_ARG(schema->context), guid);
    // Of two that go at once and see the other stay, the second must plan again.
    plan_expect(call, users, index_counter(r, users));
    if (!has_schema) {
        plan_remove(call, document_key(schema->document));
    }
    if (has_content) {
        plan_add(call, users, -1);
    } else {
        plan_remove(call, users);
    }
}

void plan_hard(struct registry *r, struct registry_call *call, const struct subject_entry *subject,
               struct version_entry *version)
{
    plan_remove(call, key_version(call, "version", subject->name, version->version));
    plan_remove(call, key_version(call, "refs", subject->name, version->version));
    plan_unuse(r, call, version);
}

// ---- a subject

static bool piece_is_full(const struct registry_call *call, struct deletion *deletion)
{
    deletion->has_more = call->item.documents.document_count >= PIECE_CHANGES ||
                         call->item.documents.condition_count >= PIECE_CHANGES;
    return deletion->has_more;
}

static void subject_touch(struct registry_call *call, const struct subject_entry *subject)
{
    plan_put(call, key_subject(call, subject->name), bytes_of("", 0), document_number(subject->document));
}

// subject_is_free: nothing of it is referred to by others, so that it does not go by half.
static bool subject_is_free(struct registry *r, struct registry_call *call,
                            const struct subject_entry *subject)
{
    for (uint32_t i = 0; i < subject->version_count; i++) {
        if (is_referenced(r, subject, subject->versions[i].version, true)) {
            return reference_fail(call, subject, subject->versions[i].version);
        }
    }
    return true;
}

static bool subject_plan_hard(struct registry *r, struct registry_call *call, struct subject_entry *subject,
                              struct deletion *deletion)
{
    if (subject_is_live(subject)) {
        call_fail(call, CODE_SUBJECT_NOT_SOFT_DELETED,
                  "Subject '" STR_FMT "' was not deleted first before being permanently deleted",
                  STR_ARG(subject->name));
        return false;
    }
    for (uint32_t i = 0; i < subject->version_count; i++) {
        struct version_entry *version = &subject->versions[i];
        if (piece_is_full(call, deletion)) {
            subject_touch(call, subject);
            return true;
        }
        if (!version_guard(r, call, subject, version, true)) {
            return false;
        }
        plan_hard(r, call, subject, version);
        deletion->versions[deletion->count++] = version->version;
    }
    plan_remove(call, key_subject(call, subject->name));
    plan_remove(call, key_of(call, "config/" STR_FMT, STR_ARG(subject->name)));
    plan_remove(call, key_of(call, "mode/" STR_FMT, STR_ARG(subject->name)));
    return true;
}

static bool subject_plan_soft(struct registry *r, struct registry_call *call, struct subject_entry *subject,
                              struct deletion *deletion)
{
    if (!subject_is_live(subject)) {
        call_fail(call, CODE_SUBJECT_SOFT_DELETED,
                  "Subject '" STR_FMT "' was soft deleted. Set permanent=true to delete permanently",
                  STR_ARG(subject->name));
        return false;
    }
    for (uint32_t i = 0; i < subject->version_count; i++) {
        struct version_entry *version = &subject->versions[i];
        if (version->is_deleted) {
            continue;
        }
        if (piece_is_full(call, deletion)) {
            break;
        }
        if (!version_guard(r, call, subject, version, true)) {
            return false;
        }
        plan_soft(call, subject, version);
        deletion->versions[deletion->count++] = version->version;
    }
    subject_touch(call, subject);
    return true;
}

bool plan_subject_gone(struct registry *r, struct registry_call *call, const struct subject_entry *subject)
{
    if (!mode_permits(r, call, subject->name)) {
        return false;
    }
    for (uint32_t i = 0; i < subject->version_count; i++) {
        struct version_entry *version = &subject->versions[i];
        if (!version_guard(r, call, subject, version, true)) {
            return false;
        }
        if (!version->is_deleted) {
            references_release(call, version->schema);
        }
        plan_hard(r, call, subject, version);
    }
    plan_remove(call, key_subject(call, subject->name));
    plan_remove(call, key_of(call, "config/" STR_FMT, STR_ARG(subject->name)));
    plan_remove(call, key_of(call, "mode/" STR_FMT, STR_ARG(subject->name)));
    return true;
}

// deletion_have gives the call's, with room for so many versions more than are gone; NULL: no memory.
static struct deletion *deletion_have(struct registry_call *call, uint32_t count, bool is_list)
{
    struct deletion *deletion = call->kept;
    if (deletion == NULL) {
        deletion = call->kept = arena_new(call->arena, struct deletion, 1);
        if (deletion == NULL) {
            return NULL;
        }
        *deletion = (struct deletion){.is_list = is_list};
    }
    if (deletion->done + count > deletion->cap || deletion->versions == NULL) {
        size_t cap = deletion->done + count + 1;
        int32_t *wider = arena_new(call->arena, int32_t, cap);
        if (wider == NULL) {
            return NULL;
        }
        if (deletion->done > 0) {
            memcpy(wider, deletion->versions, deletion->done * sizeof *wider);
        }
        deletion->versions = wider;
        deletion->cap = cap;
    }
    deletion->count = deletion->done;
    deletion->has_more = false;
    return deletion;
}

// delete_has_ended: somebody else did the rest of what goes in pieces.
static bool delete_has_ended(const struct registry_call *call, const struct subject_entry *subject,
                             bool is_permanent)
{
    const struct deletion *deletion = call->kept;
    bool has_begun = deletion != NULL && deletion->done > 0;
    return has_begun && (subject == NULL || (!is_permanent && !subject_is_live(subject)));
}

// association_permits: a subject that a topic is associated with does not go.
static bool association_permits(struct registry *r, struct registry_call *call,
                                const struct subject_entry *subject)
{
    if (subject_is_associated(r, subject->name, false)) {
        call_fail(call, CODE_ASSOCIATION_FOR_SUBJECT,
                  "An association already exists for subject '" STR_FMT "'", STR_ARG(subject->name));
        return false;
    }
    return true;
}

void op_subject_delete(struct registry *r, struct registry_call *call)
{
    struct str name;
    if (!name_qualify(call, call->params[0], &name)) {
        return;
    }
    bool is_permanent = call_query_bool(call, "permanent");
    struct subject_entry *subject = index_subject(r, alias_resolve(r, name, call->arena));
    if (delete_has_ended(call, subject, is_permanent)) {
        delete_answer(call);
        return;
    }
    if (subject == NULL) {
        call_fail(call, CODE_SUBJECT_NOT_FOUND, "Subject '" STR_FMT "' not found.", STR_ARG(name));
        return;
    }
    if (!association_permits(r, call, subject)) {
        return;
    }
    struct deletion *deletion = deletion_have(call, subject->version_count, true);
    if (deletion == NULL || !mode_permits(r, call, subject->name) || !subject_is_free(r, call, subject)) {
        return;
    }
    plan_begin(call);
    plan_expect(call, key_subject(call, subject->name), subject->document);
    plan_expect_policy(r, call, subject->name);
    bool is_planned = is_permanent ? subject_plan_hard(r, call, subject, deletion)
                                   : subject_plan_soft(r, call, subject, deletion);
    if (is_planned) {
        plan_submit(call, delete_finish);
    }
}

// ---- a version

static bool version_plan(struct registry *r, struct registry_call *call, struct subject_entry *subject,
                         struct version_entry *version, bool is_permanent)
{
    int64_t last = document_number(subject->document);
    if (!version_guard(r, call, subject, version, false)) {
        return false;
    }
    if (!is_permanent) {
        plan_soft(call, subject, version);
    } else {
        plan_hard(r, call, subject, version);
        const struct version_entry *newest = &subject->versions[subject->version_count - 1];
        if (subject->version_count == 1) {
            plan_remove(call, key_subject(call, subject->name));
            plan_remove(call, key_of(call, "config/" STR_FMT, STR_ARG(subject->name)));
            plan_remove(call, key_of(call, "mode/" STR_FMT, STR_ARG(subject->name)));
            return true;
        }
        last = newest == version ? newest[-1].version : newest->version;
    }
    plan_put(call, key_subject(call, subject->name), bytes_of("", 0), last);
    return true;
}

void op_version_delete(struct registry *r, struct registry_call *call)
{
    struct str name;
    int32_t number;
    bool is_permanent = call_query_bool(call, "permanent");
    if (!name_qualify(call, call->params[0], &name) || !call_version(call, call->params[1], &number)) {
        return;
    }
    struct subject_entry *subject = index_subject(r, alias_resolve(r, name, call->arena));
    if (subject == NULL || (!is_permanent && !subject_is_live(subject))) {
        call_fail(call, CODE_SUBJECT_NOT_FOUND, "Subject '" STR_FMT "' not found.", STR_ARG(name));
        return;
    }
    struct version_entry *version =
        number == -1 ? subject_latest(subject, is_permanent) : index_version(subject, number);
    if (version == NULL) {
        call_fail(call, CODE_VERSION_NOT_FOUND, "Version " STR_FMT " not found.", STR_ARG(call->params[1]));
        return;
    }
    if (version->is_deleted != is_permanent) {
        call_fail(call, is_permanent ? CODE_VERSION_NOT_SOFT_DELETED : CODE_VERSION_SOFT_DELETED,
                  is_permanent ? "Subject '" STR_FMT
                                 "' Version %d was not deleted first before being permanently deleted"
                               : "Subject '" STR_FMT
                                 "' Version %d was soft deleted. Set permanent=true to delete permanently",
                  STR_ARG(subject->name), version->version);
        return;
    }
    // With its last version the subject goes.
    bool is_last = is_permanent && subject->version_count == 1;
    struct deletion *deletion = deletion_have(call, 1, false);
    if (deletion == NULL || !mode_permits(r, call, subject->name) ||
        (is_last && !association_permits(r, call, subject))) {
        return;
    }
    deletion->versions[deletion->count++] = version->version;
    plan_begin(call);
    plan_expect(call, key_subject(call, subject->name), subject->document);
    plan_expect_policy(r, call, subject->name);
    if (version_plan(r, call, subject, version, is_permanent)) {
        plan_submit(call, delete_finish);
    }
}
