// SPDX-License-Identifier: Apache-2.0
// ListTransactions (key 66). KIP-664; by duration v1 (KIP-994), by a pattern of the whole id v2 (KIP-1152).
#include "group/regex.h"
#include "kafka/handlers/handlers.h"
#include "kafka/txn_state.h"

// PATTERN_WORK_MAX: steps of the pattern times bytes of ids; a loop is busy with nothing else for that long.
enum { STEP = 500, PATTERN_WORK_MAX = 200000000 };

struct listing {
    struct request *rq;
    struct regex *pattern; // or NULL
    int64_t now_ms;
    uint32_t cap;
    uint64_t work; // spent on the pattern
};

static bool is_wanted(const struct listing *l, const struct txn_view *view)
{
    const struct list_transactions_request *in = l->rq->in;
    bool is_state = in->state_filters_count <= 0;
    for (int32_t i = 0; i < in->state_filters_count; i++) {
        is_state = is_state || str_equal(in->state_filters[i], str_from_c(txn_state_name(view->state)));
    }
    bool is_producer = in->producer_id_filters_count <= 0;
    for (int32_t i = 0; i < in->producer_id_filters_count; i++) {
        is_producer = is_producer || in->producer_id_filters[i] == view->producer_id;
    }
    bool is_long = in->duration_filter < 0 ||
                   (view->state == TXN_ONGOING && l->now_ms - view->start_ms >= in->duration_filter);
    return is_state && is_producer && is_long;
}

static bool list_grow(struct listing *l)
{
    struct list_transactions_response *out = l->rq->out;
    uint32_t cap = l->cap == 0 ? STEP : l->cap * 2;
    struct list_transactions_response_transaction_state *states =
        wire_array(&l->rq->arena, list_transactions_response_transaction_state, cap);
    if (states == NULL) {
        return false;
    }
    if (out->transaction_states_count > 0) {
        memcpy(states, out->transaction_states, (size_t)out->transaction_states_count * sizeof *states);
    }
    out->transaction_states = states;
    l->cap = cap;
    return true;
}

// list_step looks at up to STEP ids from `from` on; false at the end.
static bool list_step(struct listing *l, struct str *from, bool is_start)
{
    struct list_transactions_response *out = l->rq->out;
    const struct core *core = broker_view_begin(l->rq->broker);
    l->now_ms = core_stamp_ms(core);
    uint32_t total = core_txn_count(core);
    uint32_t seen = 0;
    struct str last = *from;
    for (uint32_t i = core_txn_lower_bound(core, *from); i < total && seen < STEP; i++) {
        struct txn_view view;
        txn_view(core_txn_at(core, i), &view);
        if (!is_start && str_equal(view.id, *from)) {
            continue;
        }
        seen++;
        last = view.id;
        if (is_wanted(l, &view)) {
            struct list_transactions_response_transaction_state *state =
                &out->transaction_states[out->transaction_states_count++];
            state->transactional_id = arena_str(&l->rq->arena, view.id);
            state->producer_id = view.producer_id;
            state->transaction_state = str_from_c(txn_state_name(view.state));
        }
    }
    *from = arena_str(&l->rq->arena, last);
    broker_view_end(l->rq->broker);
    return seen == STEP;
}

// keep_matches is done outside of the lock: ids and patterns may be long. False: they are too long.
static bool keep_matches(struct listing *l, int32_t first)
{
    struct list_transactions_response *out = l->rq->out;
    int32_t count = first;
    for (int32_t i = first; i < out->transaction_states_count; i++) {
        l->work += (out->transaction_states[i].transactional_id.len + 1) * regex_steps(l->pattern);
        if (l->work > PATTERN_WORK_MAX) {
            return false;
        }
        if (regex_matches(l->pattern, out->transaction_states[i].transactional_id)) {
            out->transaction_states[count++] = out->transaction_states[i];
        }
    }
    out->transaction_states_count = count;
    return true;
}

static void list_all(struct listing *l)
{
    struct list_transactions_response *out = l->rq->out;
    struct str from = STR("");
    bool has_more = true;
    for (bool is_start = true; has_more && !l->rq->arena.failed; is_start = false) {
        int32_t first = out->transaction_states_count;
        bool is_full = (uint32_t)first + STEP > l->cap;
        has_more = (!is_full || list_grow(l)) && list_step(l, &from, is_start);
        bool has_matched = l->pattern == NULL || l->rq->arena.failed || keep_matches(l, first);
        if (!has_matched) {
            out->error = ERR_INVALID_REGULAR_EXPRESSION;
            out->transaction_states_count = 0;
            return;
        }
    }
}

static void note_unknown_states(struct request *rq)
{
    const struct list_transactions_request *in = rq->in;
    struct list_transactions_response *out = rq->out;
    out->unknown_state_filters = request_new(rq, struct str, (size_t)in->state_filters_count + 1);
    for (int32_t i = 0; i < in->state_filters_count && out->unknown_state_filters != NULL; i++) {
        if (!txn_state_is_known(in->state_filters[i])) {
            out->unknown_state_filters[out->unknown_state_filters_count++] = in->state_filters[i];
        }
    }
}

static void list_transactions_handle(struct request *rq)
{
    const struct list_transactions_request *in = rq->in;
    struct list_transactions_response *out = rq->out;
    struct listing listing = {.rq = rq};
    if (in->transactional_id_pattern.len > 0) {
        const char *why;
        listing.pattern = regex_compile(in->transactional_id_pattern, &why);
        if (listing.pattern == NULL) {
            out->error = ERR_INVALID_REGULAR_EXPRESSION;
            request_reply(rq);
            return;
        }
    }
    note_unknown_states(rq);
    list_all(&listing);
    regex_free(listing.pattern);
    request_reply(rq); // closes if the arena failed
}

const struct api_handler list_transactions_handler = {.key = API_LIST_TRANSACTIONS,
                                                      .handle = list_transactions_handle};
