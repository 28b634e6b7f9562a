// SPDX-License-Identifier: Apache-2.0
// DescribeClientQuotas (key 48): the quotas of the entities that a filter lets through. KIP-546.
#include "kafka/handlers/handlers.h"
#include "kafka/handlers/quota_entity.h"

enum { MATCH_EXACT = 0, MATCH_DEFAULT = 1, MATCH_ANY = 2, VIEW_STEP = 500 };

// What an entity must have to be let through, by type.
struct filter {
    bool is_wanted[QUOTA_ENTITY_PARTS_MAX];
    bool is_any[QUOTA_ENTITY_PARTS_MAX];
    struct str name[QUOTA_ENTITY_PARTS_MAX]; // NULL ptr = the default
    uint32_t count;
    bool is_strict; // nothing else
};

static enum err filter_add(struct filter *filter, const struct describe_client_quotas_request_component *c,
                           struct error *e)
{
    enum quota_part_type type = QUOTA_USER;
    if (c->entity_type.len == 0) {
        return FAIL(e, ERR_INVALID_REQUEST, "Invalid empty entity type.");
    }
    if (!quota_entity_type(c->entity_type, &type)) {
        return FAIL(e, ERR_UNSUPPORTED_VERSION, "Unsupported entity type " STR_FMT, STR_ARG(c->entity_type));
    }
    if (filter->is_wanted[type]) {
        return FAIL(e, ERR_INVALID_REQUEST,
                    "Entity type " STR_FMT " cannot appear more than once in the filter.",
                    STR_ARG(c->entity_type));
    }
    if (c->match_type == MATCH_EXACT && c->match.ptr == NULL) {
        return FAIL(e, ERR_INVALID_REQUEST,
                    "Request specified MATCH_TYPE_EXACT, but set match string to null.");
    }
    if (c->match_type < MATCH_EXACT || c->match_type > MATCH_ANY) {
        return FAIL(e, ERR_INVALID_REQUEST, "Unknown match type %d", c->match_type);
    }
    if (c->match_type != MATCH_EXACT && c->match.ptr != NULL) {
        return FAIL(e, ERR_INVALID_REQUEST,
                    "Request specified MATCH_TYPE_%s, but also specified a match string.",
                    c->match_type == MATCH_DEFAULT ? "DEFAULT" : "SPECIFIED");
    }
    filter->is_wanted[type] = true;
    filter->is_any[type] = c->match_type == MATCH_ANY;
    filter->name[type] = c->match;
    filter->count++;
    return ERR_OK;
}

static enum err filter_read(const struct describe_client_quotas_request *in, struct filter *filter,
                            struct error *e)
{
    enum err err = ERR_OK;
    filter->is_strict = in->strict;
    for (int32_t i = 0; i < in->components_count && err == ERR_OK; i++) {
        err = filter_add(filter, &in->components[i], e);
    }
    if (err == ERR_OK && filter->is_wanted[QUOTA_IP] && filter->count > 1) {
        err = FAIL(e, ERR_INVALID_REQUEST,
                   "Invalid entity filter component combination. IP filter component should not be used "
                   "with user or clientId filter component.");
    }
    return err;
}

static bool filter_lets(const struct filter *filter, const struct quota_view *view)
{
    uint32_t matched = 0;
    for (uint32_t i = 0; i < view->part_count; i++) {
        const struct item_quota_part *part = &view->parts[i];
        struct str name = filter->name[part->type];
        bool is_same = (name.ptr == NULL) == (part->name.ptr == NULL) && str_equal(name, part->name);
        matched += filter->is_wanted[part->type] && (filter->is_any[part->type] || is_same) ? 1 : 0;
    }
    return matched == filter->count && (!filter->is_strict || view->part_count == filter->count);
}

static void fill_entry(struct request *rq, const struct quota_view *view,
                       struct describe_client_quotas_response_entry *out)
{
    out->entity = wire_array(&rq->arena, describe_client_quotas_response_entity_part, view->part_count);
    out->values = wire_array(&rq->arena, describe_client_quotas_response_value, view->value_count);
    out->entity_count = out->entity == NULL ? 0 : (int32_t)view->part_count;
    out->values_count = out->values == NULL ? 0 : (int32_t)view->value_count;
    for (int32_t i = 0; i < out->entity_count; i++) {
        out->entity[i].entity_type = str_from_c(quota_entity_names[view->parts[i].type]);
        out->entity[i].entity_name = arena_str(&rq->arena, view->parts[i].name);
    }
    for (int32_t i = 0; i < out->values_count; i++) {
        out->values[i].key = arena_str(&rq->arena, view->values[i].key);
        out->values[i].value = view->values[i].value;
    }
}

// fill_step copies from `index` on, at most VIEW_STEP entities looked at; returns the next index. What
// changes between two steps may be missed or told twice.
static uint32_t fill_step(struct request *rq, const struct filter *filter, uint32_t index, uint32_t cap,
                          bool *ret_more)
{
    struct describe_client_quotas_response *out = rq->out;
    const struct core *core = broker_view_begin(rq->broker);
    uint32_t total = core_quota_count(core);
    for (uint32_t left = VIEW_STEP; left > 0 && index < total; left--, index++) {
        struct quota_view view;
        core_quota_at(core, index, &view);
        if ((uint32_t)out->entries_count < cap && filter_lets(filter, &view)) {
            fill_entry(rq, &view, &out->entries[out->entries_count++]);
        }
    }
    *ret_more = index < total;
    broker_view_end(rq->broker);
    return index;
}

static void describe_client_quotas_handle(struct request *rq)
{
    const struct describe_client_quotas_request *in = rq->in;
    struct describe_client_quotas_response *out = rq->out;
    struct filter filter = {.count = 0};
    struct error error = {0};
    out->error = filter_read(in, &filter, &error);
    if (out->error != ERR_OK) {
        out->error_message = arena_str(&rq->arena, str_from_c(error.text));
        out->entries_count = -1; // null
        request_reply(rq);
        return;
    }
    uint32_t cap = core_quota_count(broker_view_begin(rq->broker));
    broker_view_end(rq->broker);
    out->entries = wire_array(&rq->arena, describe_client_quotas_response_entry, (size_t)cap + 1);
    out->entries_count = 0;
    out->error_message = STR(""); // as Kafka
    bool has_more = out->entries != NULL;
    for (uint32_t index = 0; has_more;) {
        index = fill_step(rq, &filter, index, cap, &has_more);
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler describe_client_quotas_handler = {.key = API_DESCRIBE_CLIENT_QUOTAS,
                                                           .handle = describe_client_quotas_handle};
