// SPDX-License-Identifier: Apache-2.0
// associate.c - associations of topics with subjects are made, changed and deleted, with schemas that come
// along. STRONG: the subject is
// the topic's alone, and goes with it when the deletion cascades. Whatever changes a subject's associations
// puts the subject's document anew, so that a deletion of the subject cannot pass it.
#include "base/hash.h"
#include "base/utf8.h"
#include "registry/registry_private.h"

enum {
    KINDS = 2,                // key, value
    RESOURCE_TEXT_MAX = 1000, // bytes of a resource's name, namespace or id
    BATCH_REQUESTS_MAX = 1000,
};

struct resource {
    struct str name;
    struct str space;
    struct str id;
};

// One association as a request asks for it.
struct wish {
    struct str subject; // qualified
    struct str type;
    const struct json_value *lifecycle; // NULL = as it is; WEAK for a new one
    const struct json_value *frozen;    // NULL = as it is; false for a new one
    const struct json_value *normalize; // the schema; NULL = as the subject's config says
    const struct json_value *schema;    // to be registered first; NULL = none
    bool is_registered;
};

struct request {
    struct resource resource;
    struct wish wishes[KINDS];
    size_t count;
    bool is_create; // what is there already must not differ
    bool is_dry;
    void *state; // of the call when the associations' item is in, and who then answers
    void (*finish)(struct registry *, struct registry_call *, const struct outcome *);
    void (*answered)(struct registry *, struct registry_call *); // NULL = it is the call's answer
};

static bool refuse(struct registry_call *call, const char *property, const char *detail)
{
    call_fail(call, CODE_INVALID_ASSOCIATION,
              "The association specified an invalid value for property: '%s', detail: %s", property, detail);
    return false;
}

static const struct json_value *member(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_get(object, str_from_c(name));
    return value == NULL || value->type == JSON_NULL ? NULL : value;
}

// ---- reading a request

static bool text_read(struct registry_call *call, const struct json_value *body, const char *name,
                      struct str *ret)
{
    const struct json_value *value = member(body, name);
    if (value != NULL && (value->type != JSON_STRING || value->text.len > RESOURCE_TEXT_MAX)) {
        return refuse(call, name, "must be a string of at most 1000 bytes");
    }
    *ret = value == NULL ? (struct str){0} : value->text;
    return true;
}

static bool resource_read(struct registry_call *call, const struct json_value *body, struct str path_id,
                          bool is_dry, struct resource *ret)
{
    struct str type;
    if (!text_read(call, body, "resourceName", &ret->name) ||
        !text_read(call, body, "resourceNamespace", &ret->space) ||
        !text_read(call, body, "resourceId", &ret->id) || !text_read(call, body, "resourceType", &type)) {
        return false;
    }
    if (ret->name.len == 0) {
        return refuse(call, "resourceName", "cannot be null or empty");
    }
    if (ret->space.len == 0) {
        return refuse(call, "resourceNamespace", "cannot be null or empty");
    }
    if (path_id.len > 0 && ret->id.len > 0 && !str_equal(path_id, ret->id)) {
        return refuse(call, "resourceId", "differs from that of the path");
    }
    ret->id = path_id.len > 0 ? path_id : ret->id;
    if (ret->id.len > RESOURCE_TEXT_MAX || (!is_dry && ret->id.len == 0)) {
        return refuse(call, "resourceId", "cannot be null, empty or longer than 1000 bytes");
    }
    if (type.len > 0 && !str_equal(type, STR("topic"))) {
        return refuse(call, "resourceType", "must be 'topic'");
    }
    return true;
}

static bool type_read(struct registry_call *call, const struct json_value *value, struct str *ret)
{
    if (!text_read(call, value, "associationType", ret)) {
        return false;
    }
    *ret = ret->len == 0 ? STR("value") : *ret;
    return str_equal(*ret, STR("key")) || str_equal(*ret, STR("value")) ||
           refuse(call, "associationType", "must be 'key' or 'value'");
}

static bool subject_read(struct registry_call *call, const struct json_value *value,
                         const struct resource *resource, struct wish *wish)
{
    struct str name;
    struct str own = arena_printf(call->arena, ":." STR_FMT ":" STR_FMT "-" STR_FMT, STR_ARG(resource->space),
                                  STR_ARG(resource->name), STR_ARG(wish->type));
    if (!text_read(call, value, "subject", &name) ||
        !name_qualify(call, name.ptr == NULL ? own : name, &wish->subject)) {
        return false;
    }
    bool is_frozen = wish->frozen != NULL && wish->frozen->type == JSON_TRUE;
    return !is_frozen || str_equal(wish->subject, own) ||
           refuse(call, "subject", "frozen associations must use the subject ':.NAMESPACE:NAME-TYPE'");
}

static bool wish_read(struct registry_call *call, const struct json_value *value,
                      const struct resource *resource, struct wish *ret)
{
    if (value->type != JSON_OBJECT) {
        return refuse(call, "associations", "must be a list of objects");
    }
    ret->lifecycle = member(value, "lifecycle");
    ret->frozen = member(value, "frozen");
    ret->normalize = member(value, "normalize");
    ret->schema = member(value, "schema");
    if (ret->schema != NULL && ret->schema->type != JSON_OBJECT) {
        return refuse(call, "schema", "must be an object as for the registration of a schema");
    }
    const struct json_value *lifecycle = ret->lifecycle;
    bool is_weak = lifecycle != NULL && str_equal(lifecycle->text, STR("WEAK"));
    if (lifecycle != NULL &&
        (lifecycle->type != JSON_STRING || (!is_weak && !str_equal(lifecycle->text, STR("STRONG"))))) {
        return refuse(call, "lifecycle", "must be STRONG or WEAK");
    }
    if (ret->frozen != NULL && !json_is_bool(ret->frozen)) {
        return refuse(call, "frozen", "must be true or false");
    }
    if (ret->normalize != NULL && !json_is_bool(ret->normalize)) {
        return refuse(call, "normalize", "must be true or false");
    }
    if (is_weak && ret->frozen != NULL && ret->frozen->type == JSON_TRUE) {
        return refuse(call, "frozen", "association with lifecycle of WEAK cannot be frozen");
    }
    return type_read(call, value, &ret->type) && subject_read(call, value, resource, ret);
}

static bool request_read(struct registry_call *call, const struct json_value *body, struct request *ret)
{
    const struct json_value *list = member(body, "associations");
    if (!resource_read(call, body, call->params[0], ret->is_dry, &ret->resource)) {
        return false;
    }
    if (!utf8_is_valid(ret->resource.id)) {
        return refuse(call, "resourceId", "must be UTF-8");
    }
    if (list == NULL || list->type != JSON_ARRAY || list->count == 0) {
        return refuse(call, "associations", "cannot be null or empty");
    }
    for (const struct json_value *v = list->first; v != NULL; v = v->next) {
        struct wish wish = {0};
        if (!wish_read(call, v, &ret->resource, &wish)) {
            return false;
        }
        for (size_t i = 0; i < ret->count; i++) {
            const struct json_value *other = ret->wishes[i].frozen;
            if (str_equal(ret->wishes[i].type, wish.type)) {
                return refuse(call, "associationType", "is there twice");
            }
            if (other != NULL && wish.frozen != NULL && other->type != wish.frozen->type) {
                return refuse(call, "frozen", "all associations of a resource are frozen, or none");
            }
        }
        ret->wishes[ret->count++] = wish; // there are no more types than places
    }
    return true;
}

// ---- checking it against what is there

static struct str association_key(struct registry_call *call, struct str id, struct str type)
{
    return key_of(call, "association/topic/" STR_FMT "/" STR_FMT, STR_ARG(id), STR_ARG(type));
}

static bool wishes_frozen(const struct wish *wish, const struct association *there)
{
    return wish->frozen != NULL ? wish->frozen->type == JSON_TRUE : there != NULL && there->is_frozen;
}

static bool wishes_strong(const struct wish *wish, const struct association *there)
{
    if (wish->lifecycle != NULL) {
        return str_equal(wish->lifecycle->text, STR("STRONG"));
    }
    return there != NULL ? there->is_strong : wishes_frozen(wish, there); // what is frozen is STRONG
}

static bool is_same(const struct wish *wish, const struct association *there)
{
    return str_equal(wish->subject, there->subject) && wishes_strong(wish, there) == there->is_strong &&
           wishes_frozen(wish, there) == there->is_frozen;
}

static bool change_check(struct registry_call *call, const struct request *request, const struct wish *wish,
                         const struct association *there)
{
    if (there == NULL) {
        // A frozen association brings the only schema that its subject will ever have.
        return wish->frozen == NULL || wish->frozen->type == JSON_FALSE || wish->schema != NULL ||
               refuse(call, "schema", "schema must be provided when creating a frozen association");
    }
    if (is_same(wish, there)) {
        return true;
    }
    if (request->is_create) {
        call_fail(call, CODE_ASSOCIATION_FOR_RESOURCE,
                  "An association of type '" STR_FMT "' already exists for resource '" STR_FMT "'",
                  STR_ARG(wish->type), STR_ARG(request->resource.id));
        return false;
    }
    if (!str_equal(wish->subject, there->subject)) {
        return refuse(call, "subject", "subject of association cannot be changed");
    }
    if (wishes_frozen(wish, there) != there->is_frozen) {
        return refuse(call, "frozen", "frozen attribute of association cannot be changed");
    }
    if (there->is_frozen) {
        call_fail(call, CODE_ASSOCIATION_FROZEN,
                  "The association of type '" STR_FMT "' is frozen for subject '" STR_FMT "'",
                  STR_ARG(wish->type), STR_ARG(wish->subject));
        return false;
    }
    return true;
}

// others_check: a subject has one STRONG association, or any number of WEAK ones.
static bool others_check(struct registry *r, struct registry_call *call, const struct wish *wish,
                         struct str key, bool is_strong)
{
    const struct association **list;
    size_t count = associations_find(r, BY_SUBJECT, wish->subject, call->arena, &list);
    for (size_t i = 0; i < count; i++) {
        if (str_equal(document_key(list[i]->document), key)) {
            continue;
        }
        if (is_strong) {
            call_fail(call, CODE_ASSOCIATION_FOR_SUBJECT,
                      "An association of type '" STR_FMT "' already exists for subject '" STR_FMT "'",
                      STR_ARG(list[i]->type), STR_ARG(wish->subject));
            return false;
        }
        if (list[i]->is_strong) {
            call_fail(call, CODE_STRONG_ASSOCIATION,
                      "A strong association of type '" STR_FMT "' already exists for subject '" STR_FMT "'",
                      STR_ARG(list[i]->type), STR_ARG(wish->subject));
            return false;
        }
    }
    return true;
}

// is_referenced: a subject that another's schemas refer to cannot be one topic's alone. The plan fails if
// that changes.
static bool is_referenced(struct registry *r, struct registry_call *call, const struct subject_entry *subject)
{
    for (uint32_t i = 0; i < subject->version_count; i++) {
        int32_t version = subject->versions[i].version;
        struct str refs = key_version(call, "refs", subject->name, version);
        struct referrer_entry *referrer = NULL;
        while ((referrer = index_referrer_next(r, subject->name, version, referrer)) != NULL) {
            for (uint32_t u = 0; u < referrer->schema->user_count; u++) {
                if (referrer->schema->users[u].subject != subject) {
                    return true;
                }
            }
        }
        plan_expect(call, refs, index_counter(r, refs));
    }
    return false;
}

static bool subject_check(struct registry *r, struct registry_call *call, const struct wish *wish,
                          bool is_strong)
{
    const struct subject_entry *subject = index_subject(r, wish->subject);
    bool is_live = subject != NULL && subject_is_live(subject);
    bool is_coming = wish->schema != NULL && !wish->is_registered;
    if (!is_live && !is_coming) {
        call_fail(call, CODE_NO_ACTIVE_VERSION,
                  "No active (non-deleted) version exists for subject '" STR_FMT "'", STR_ARG(wish->subject));
        return false;
    }
    if (str_has_prefix(mode_resolve(r, wish->subject), STR("READONLY"))) {
        call_fail(call, CODE_NOT_PERMITTED, "Subject " STR_FMT " is in read-only mode",
                  STR_ARG(wish->subject));
        return false;
    }
    if (is_strong && subject != NULL && is_referenced(r, call, subject)) {
        call_fail(call, CODE_NOT_PERMITTED,
                  "Subject " STR_FMT " is referenced by other schemas: its association cannot be STRONG",
                  STR_ARG(wish->subject));
        return false;
    }
    return true;
}

// ---- planning

static struct bytes value_print(struct registry_call *call, const struct resource *resource,
                                const struct wish *wish, struct str key, bool is_strong, bool is_frozen)
{
    struct buf out;
    struct json j = {.out = &out};
    struct uuid guid;
    char text[37];
    // A name for it that every try gives alike.
    uint64_t halves[2] = {hash64(bytes_of(key.ptr, key.len), 1),
                          hash64(bytes_of(wish->subject.ptr, wish->subject.len), 2)};
    memcpy(guid.b, halves, sizeof guid.b);
    guid_format(guid, text);
    buf_init(&out, ITEM_DOCUMENT_VALUE_MAX);
    json_object_begin(&j);
    json_pair_str(&j, "subject", wish->subject);
    json_pair_str(&j, "guid", str_from_c(text));
    json_pair_str(&j, "resourceName", resource->name);
    json_pair_str(&j, "resourceNamespace", resource->space);
    json_pair_str(&j, "resourceId", resource->id);
    json_pair_str(&j, "resourceType", STR("topic"));
    json_pair_str(&j, "associationType", wish->type);
    json_pair_str(&j, "lifecycle", is_strong ? STR("STRONG") : STR("WEAK"));
    json_pair_bool(&j, "frozen", is_frozen);
    json_object_end(&j);
    struct str kept = arena_str(call->arena, buf_str(&out));
    buf_fini(&out);
    return bytes_of(kept.ptr, kept.len);
}

// subject_touch makes what others plan about the subject fail once this is in.
static void subject_touch(struct registry *r, struct registry_call *call, struct str name)
{
    const struct subject_entry *subject = index_subject(r, name);
    struct str key = key_subject(call, name);
    if (subject != NULL && subject->document != NULL) {
        plan_expect(call, key, subject->document);
        plan_put(call, key, bytes_of("", 0), document_number(subject->document));
    }
}

// topic_touch makes what was judged by the topic's association stale once this is in.
static void topic_touch(struct registry_call *call, struct str topic, struct str type)
{
    plan_add(call, key_of(call, TOPIC_DOCUMENT_FORMAT, STR_ARG(topic), STR_ARG(type)), 1);
}

// topic_stands: what comes to govern the topic without the association that has that key, and with the other
// one (NULL: none), can. As plan_standing.
static bool topic_stands(struct registry *r, struct registry_call *call, struct str topic, struct str type,
                         struct str without, const struct association *with, bool is_dry)
{
    struct registry_standing standing;
    struct str key = key_of(call, TOPIC_DOCUMENT_FORMAT, STR_ARG(topic), STR_ARG(type));
    plan_expect(call, key, index_counter(r, key));
    if (!association_moves(r, topic, type, without, with, call->arena, &standing)) {
        return true;
    }
    bool stands = plan_standing(r, call, &standing);
    if (is_dry && call->before.count > 0) { // it could be made
        call->before.count = 0;
        stands = true;
    }
    return stands;
}

// request_stands asks that about all topics that the request is about.
static bool request_stands(struct registry *r, struct registry_call *call, const struct request *request)
{
    bool is_sound = true;
    for (size_t i = 0; i < request->count && is_sound; i++) {
        const struct wish *wish = &request->wishes[i];
        struct str key = association_key(call, request->resource.id, wish->type);
        const struct association *there = association_get(r, key);
        const struct association coming = {.subject = wish->subject,
                                           .resource_namespace = request->resource.space};
        bool is_changed = there == NULL || !is_same(wish, there);
        bool has_left = there != NULL && !str_equal(there->resource_name, request->resource.name);
        struct str left = has_left ? arena_str(call->arena, there->resource_name) : (struct str){NULL, 0};
        if (is_changed) {
            is_sound =
                topic_stands(r, call, request->resource.name, wish->type, key, &coming, request->is_dry) &&
                (!has_left || topic_stands(r, call, left, wish->type, key, NULL, request->is_dry));
        }
    }
    return is_sound;
}

static void answer_request(struct registry *r, struct registry_call *call, const struct request *request)
{
    struct json j = call_answer(call);
    json_object_begin(&j);
    json_pair_str(&j, "resourceName", request->resource.name);
    json_pair_str(&j, "resourceNamespace", request->resource.space);
    if (request->resource.id.len > 0) {
        json_pair_str(&j, "resourceId", request->resource.id);
    }
    json_pair_str(&j, "resourceType", STR("topic"));
    json_key(&j, "associations");
    json_array_begin(&j);
    for (size_t i = 0; i < request->count; i++) {
        const struct wish *wish = &request->wishes[i];
        const struct association *there =
            association_get(r, association_key(call, request->resource.id, wish->type));
        json_object_begin(&j);
        json_pair_str(&j, "subject", wish->subject);
        json_pair_str(&j, "associationType", wish->type);
        json_pair_str(&j, "lifecycle", wishes_strong(wish, there) ? STR("STRONG") : STR("WEAK"));
        json_pair_bool(&j, "frozen", wishes_frozen(wish, there));
        if (wish->schema != NULL) {
            json_key(&j, "schema");
            json_print_filled(wish->schema, &call->answer);
            j.is_after_key = false;
        }
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
}

static bool request_check(struct registry *r, struct registry_call *call, const struct request *request)
{
    for (size_t i = 0; i < request->count; i++) {
        const struct wish *wish = &request->wishes[i];
        struct str key = association_key(call, request->resource.id, wish->type);
        const struct association *there = association_get(r, key);
        bool is_strong = wishes_strong(wish, there);
        if (!change_check(call, request, wish, there) || !subject_check(r, call, wish, is_strong) ||
            !others_check(r, call, wish, key, is_strong)) {
            return false;
        }
        if (i > 0 && str_equal(wish->subject, request->wishes[0].subject) &&
            (is_strong || wishes_strong(&request->wishes[0], NULL))) {
            return refuse(call, "subject", "a STRONG association's subject cannot have another one");
        }
    }
    return true;
}

// ---- schemas that come along: each is registered by an item of its own before the associations are planned

static void request_plan(struct registry *r, struct registry_call *call, struct request *request);

static void schema_finish(struct registry *r, struct registry_call *call, const struct outcome *outcome)
{
    struct request *request = call->state;
    size_t i = 0;
    (void)outcome;
    while (request->wishes[i].schema == NULL || request->wishes[i].is_registered) {
        i++; // the one that the item was for is the first that is not registered
    }
    request->wishes[i].is_registered = true;
    request_plan(r, call, request);
    if (!call->has_item && call->before.count == 0 && request->answered != NULL) {
        request->answered(r, call);
    }
}

// schema_register: true if the wish's schema is there; else answered, or an item is asked for.
static bool schema_register(struct registry *r, struct registry_call *call, struct request *request,
                            struct wish *wish)
{
    struct contract contract;
    const struct subject_entry *subject = index_subject(r, wish->subject);
    const struct association *there =
        association_get(r, association_key(call, request->resource.id, wish->type));
    if (!contract_from(call, wish->schema, &contract)) {
        return false;
    }
    contract.is_normalized = wish->normalize != NULL && wish->normalize->type == JSON_TRUE;
    call->status = 0;
    register_contract(r, call, wish->subject, &contract);
    if (call->has_item && there != NULL && request->is_create) {
        call_fail(call, CODE_ASSOCIATION_FOR_RESOURCE,
                  "An association of type '" STR_FMT "' already exists for resource '" STR_FMT "'",
                  STR_ARG(wish->type), STR_ARG(request->resource.id));
        return false;
    }
    bool is_other = subject != NULL && (call->has_item || subject->version_count > 1);
    if (there == NULL && wishes_frozen(wish, NULL) && is_other) {
        call->has_item = false;
        return refuse(call, "schema",
                      "cannot create a frozen association when schemas already exist in the subject");
    }
    if (call->has_item) {
        call->finish = schema_finish;
        call->state = request;
    }
    wish->is_registered = call->status == 200 && !call->has_item;
    return wish->is_registered;
}

// request_plan answers, or asks for an item: of a schema that is to be registered, or of the associations.
static void request_plan(struct registry *r, struct registry_call *call, struct request *request)
{
    bool is_changed = false;
    plan_begin(call);
    if (!request_check(r, call, request)) {
        return;
    }
    for (size_t i = 0; i < request->count && !request->is_dry; i++) {
        struct wish *wish = &request->wishes[i];
        bool is_coming = wish->schema != NULL && !wish->is_registered;
        if (is_coming && !schema_register(r, call, request, wish)) {
            return;
        }
    }
    plan_begin(call);
    if (!request_stands(r, call, request) || !request_check(r, call, request)) {
        return;
    }
    for (size_t i = 0; i < request->count; i++) {
        const struct wish *wish = &request->wishes[i];
        struct str key = association_key(call, request->resource.id, wish->type);
        const struct association *there = association_get(r, key);
        if (there != NULL && is_same(wish, there)) {
            continue;
        }
        is_changed = true;
        plan_expect(call, key, there == NULL ? NULL : there->document);
        plan_expect_policy(r, call, wish->subject);
        plan_put(call, key,
                 value_print(call, &request->resource, wish, key, wishes_strong(wish, there),
                             wishes_frozen(wish, there)),
                 0);
        subject_touch(r, call, wish->subject);
        topic_touch(call, request->resource.name, wish->type);
        if (there != NULL && !str_equal(there->resource_name, request->resource.name)) {
            topic_touch(call, there->resource_name, wish->type);
        }
    }
    if (!is_changed || request->is_dry) {
        answer_request(r, call, request);
        return;
    }
    call->state = request->state;
    plan_submit(call, request->finish);
}

static void context_read(struct registry_call *call)
{
    struct str context = call_query(call, "context");
    while (context.len > 0 && context.ptr[0] == ':') {
        context = (struct str){context.ptr + 1, context.len - 1};
    }
    context.len -= context.len > 0 && context.ptr[context.len - 1] == ':';
    if (context.len > 0) {
        call->context = context;
    }
}

static void associate_finish(struct registry *r, struct registry_call *call, const struct outcome *outcome)
{
    (void)outcome;
    answer_request(r, call, call->state);
}

static void associate(struct registry *r, struct registry_call *call, bool is_create)
{
    struct request *request = arena_new(call->arena, struct request, 1);
    const struct json_value *body = call_body(call);
    if (body == NULL || request == NULL) {
        return;
    }
    *request = (struct request){.is_create = is_create, .is_dry = call_query_bool(call, "dryRun")};
    context_read(call);
    if (request_read(call, body, request)) {
        request->state = request;
        request->finish = associate_finish;
        request_plan(r, call, request);
    }
}

void op_associate(struct registry *r, struct registry_call *call)
{
    associate(r, call, true);
}

void op_associate_or_change(struct registry *r, struct registry_call *call)
{
    associate(r, call, false);
}

// ---- deleting

static void answer_nothing(struct registry_call *call)
{
    (void)call_answer(call);
    call->status = 204;
}

static void dissociate_finish(struct registry *r, struct registry_call *call, const struct outcome *outcome)
{
    (void)r;
    (void)outcome;
    answer_nothing(call);
}

// dissociate_plan plans one association's end; with `cascade` a STRONG one takes its subject along. false:
// answered.
static bool dissociate_plan(struct registry *r, struct registry_call *call, const struct association *a,
                            bool cascade)
{
    struct subject_entry *subject = index_subject(r, a->subject);
    if (a->is_frozen && !cascade) {
        call_fail(call, CODE_ASSOCIATION_FROZEN,
                  "The association of type '" STR_FMT "' is frozen for subject '" STR_FMT "'",
                  STR_ARG(a->type), STR_ARG(a->subject));
        return false;
    }
    plan_expect(call, document_key(a->document), a->document);
    plan_remove(call, document_key(a->document));
    topic_touch(call, a->resource_name, a->type);
    if (cascade && a->is_strong && subject != NULL) {
        plan_expect(call, key_subject(call, subject->name), subject->document);
        plan_expect_policy(r, call, subject->name);
        return plan_subject_gone(r, call, subject);
    }
    subject_touch(r, call, a->subject);
    return true;
}

// end_stands: topic_stands of a topic that loses an association.
static bool end_stands(struct registry *r, struct registry_call *call, struct str key, bool is_dry)
{
    const struct association *a = association_get(r, key);
    struct str topic = a == NULL ? (struct str){"", 0} : arena_str(call->arena, a->resource_name);
    struct str type = a == NULL ? (struct str){"", 0} : arena_str(call->arena, a->type);
    return a == NULL || topic_stands(r, call, topic, type, key, NULL, is_dry);
}

void op_dissociate(struct registry *r, struct registry_call *call)
{
    const struct association **list;
    size_t count = associations_find(r, BY_RESOURCE_ID, call->params[0], call->arena, &list);
    struct str *keys = arena_new(call->arena, struct str, count + 1);
    size_t planned = 0;
    bool cascade = call_query_bool(call, "cascadeLifecycle");
    plan_begin(call);
    for (size_t i = 0; i < count && keys != NULL; i++) {
        bool is_asked = association_is_asked(call, list[i]);
        keys[i] = is_asked ? arena_str(call->arena, document_key(list[i]->document)) : (struct str){"", 0};
    }
    for (size_t i = 0; i < count && keys != NULL; i++) {
        if (!end_stands(r, call, keys[i], call_query_bool(call, "dryRun"))) {
            return;
        }
    }
    count = associations_find(r, BY_RESOURCE_ID, call->params[0], call->arena, &list); // as they are now
    for (size_t i = 0; i < count; i++) {
        if (association_is_asked(call, list[i])) {
            planned++;
            if (!dissociate_plan(r, call, list[i], cascade)) {
                return;
            }
        }
    }
    if (planned == 0) {
        call_fail(call, CODE_ASSOCIATION_NOT_FOUND, "No association found for resource '" STR_FMT "'",
                  STR_ARG(call->params[0]));
    } else if (call_query_bool(call, "dryRun")) {
        answer_nothing(call);
    } else {
        plan_submit(call, dissociate_finish);
    }
}

// ---- batches: requests one after another, each an item of its own. A conflict begins anew with the first:
// what is in already changes nothing a second time.

struct batch {
    const struct json_value *next; // request to plan
    struct request request;        // that waits for its item
    struct str *results;
    size_t count;
};

// result_keep takes the answer to one request.
static void result_keep(struct registry_call *call, struct batch *batch)
{
    const char *name = call->status < 300 ? "result" : "error";
    bool is_empty = call->answer.len == 0;
    batch->results[batch->count++] =
        is_empty ? STR("{}")
                 : arena_printf(call->arena, "{\"%s\":" STR_FMT "}", name, STR_ARG(buf_str(&call->answer)));
    batch->next = batch->next->next;
}

static void batch_answer(struct registry_call *call, const struct batch *batch)
{
    (void)call_answer(call);
    call->status = 207;
    buf_append_str(&call->answer, STR("{\"results\":["));
    for (size_t i = 0; i < batch->count; i++) {
        buf_append_str(&call->answer, i == 0 ? STR("") : STR(","));
        buf_append_str(&call->answer, batch->results[i]);
    }
    buf_append_str(&call->answer, STR("]}"));
}

static void batch_run(struct registry *r, struct registry_call *call);

static void batch_finish(struct registry *r, struct registry_call *call, const struct outcome *outcome)
{
    struct batch *batch = call->state;
    (void)outcome;
    answer_request(r, call, &batch->request);
    result_keep(call, batch);
    batch_run(r, call);
}

static void batch_delete_finish(struct registry *r, struct registry_call *call, const struct outcome *outcome)
{
    (void)outcome;
    answer_nothing(call);
    result_keep(call, call->state);
    batch_run(r, call);
}

static void batch_answered(struct registry *r, struct registry_call *call)
{
    struct batch *batch = MAP_ENTRY(call->state, struct batch, request);
    call->state = batch;
    result_keep(call, batch);
    batch_run(r, call);
}

// batch_delete: all associations of a request are to be deleted.
static void batch_delete(struct registry *r, struct registry_call *call, const struct json_value *body,
                         bool is_dry)
{
    struct resource resource;
    size_t planned = 0;
    if (!resource_read(call, body, (struct str){0}, is_dry, &resource)) {
        return;
    }
    plan_begin(call);
    for (const struct json_value *v = member(body, "associations")->first; v != NULL; v = v->next) {
        struct str type;
        if (!type_read(call, v, &type) ||
            !end_stands(r, call, association_key(call, resource.id, type), is_dry)) {
            return;
        }
    }
    for (const struct json_value *v = member(body, "associations")->first; v != NULL; v = v->next) {
        struct str type;
        const struct json_value *cascade = member(v, "cascadeLifecycle");
        if (!type_read(call, v, &type)) {
            return;
        }
        const struct association *a = association_get(r, association_key(call, resource.id, type));
        planned += a != NULL;
        if (a != NULL && !dissociate_plan(r, call, a, cascade != NULL && cascade->type == JSON_TRUE)) {
            return;
        }
    }
    if (planned == 0 || is_dry) {
        answer_nothing(call);
    } else {
        plan_submit(call, batch_delete_finish);
    }
}

// ops_read: the one opType of a request's associations; false and answered if there is none.
static bool ops_read(struct registry_call *call, const struct json_value *body, struct str *ret)
{
    const struct json_value *list = member(body, "associations");
    struct str op = {0};
    for (const struct json_value *v = list == NULL || list->type != JSON_ARRAY ? NULL : list->first;
         v != NULL; v = v->next) {
        struct str at = json_get_str(v, STR("opType"));
        if (op.ptr != NULL && !str_equal(op, at)) {
            return refuse(call, "opType", "must be the same for all associations of a request here");
        }
        op = at.ptr == NULL ? STR("?") : at;
    }
    *ret = op;
    return str_equal(op, STR("CREATE")) || str_equal(op, STR("UPSERT")) || str_equal(op, STR("DELETE")) ||
           refuse(call, op.ptr == NULL ? "associations" : "opType", "must be CREATE, UPSERT or DELETE");
}

static void batch_run(struct registry *r, struct registry_call *call)
{
    struct batch *batch = call->state;
    bool is_dry = call_query_bool(call, "dryRun");
    while (batch->next != NULL && !call->arena->failed) {
        struct str op;
        batch->request = (struct request){
            .is_dry = is_dry, .state = batch, .finish = batch_finish, .answered = batch_answered};
        if (ops_read(call, batch->next, &op)) {
            batch->request.is_create = str_equal(op, STR("CREATE"));
            if (str_equal(op, STR("DELETE"))) {
                batch_delete(r, call, batch->next, is_dry);
            } else if (request_read(call, batch->next, &batch->request)) {
                request_plan(r, call, &batch->request);
            }
        }
        if (call->has_item || call->before.count > 0) {
            return;
        }
        result_keep(call, batch);
    }
    batch_answer(call, batch);
}

void op_associations_batch(struct registry *r, struct registry_call *call)
{
    struct batch *batch = arena_new(call->arena, struct batch, 1);
    const struct json_value *body = call_body(call);
    const struct json_value *list = body == NULL ? NULL : member(body, "requests");
    if (body == NULL || batch == NULL) {
        return;
    }
    if (list == NULL || list->type != JSON_ARRAY || list->count == 0 || list->count > BATCH_REQUESTS_MAX) {
        refuse(call, "requests", "must be a list of 1 to 1000 requests");
        return;
    }
    *batch = (struct batch){.next = list->first, .results = arena_new(call->arena, struct str, list->count)};
    if (batch->results != NULL) {
        context_read(call);
        call->state = batch;
        batch_run(r, call);
    }
}
