// SPDX-License-Identifier: Apache-2.0
#include "govern/rig_test.h"

#include <stdio.h>

#include "base/mem.h"

enum { ASK_TRIES = 20, OUTCOMES_MAX = 64 };

struct world world;
struct trial trial;

int world_setup(void **state)
{
    (void)state;
    world_init(&world);
    return 0;
}

int world_teardown(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

void world_init(struct world *w)
{
    *w = (struct world){0};
    rig_init(&w->rig);
    rig_start(&w->rig);
    arena_init(&w->arena, 512 << 20);
    w->govern = govern_create(w->rig.env, w->rig.metrics);
    govern_attach(w->govern, w->rig.broker, w->rig.port, STR("1.2.3"));
}

static void on_stop(struct rig_call *call)
{
    govern_stop(call->arg);
    rig_done(call);
}

void world_stop(struct world *w)
{
    struct rig_call call;
    for (int i = 0; i < 2; i++) { // what had been posted before the first one is through with the second
        rig_begin(&w->rig, &call, on_stop, w->govern);
        rig_wait(&call);
    }
}

void world_fini(struct world *w)
{
    world_stop(w);
    govern_destroy(w->govern);
    rig_stop(&w->rig);
    rig_fini(&w->rig);
    arena_fini(&w->arena);
    mem_free(w->text);
}

static const struct registry_route *route_find(const char *route)
{
    size_t count;
    const struct registry_route *routes = registry_routes(&count);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(routes[i].method);
        if (strncmp(routes[i].method, route, len) == 0 && strcmp(routes[i].pattern, route + len + 1) == 0) {
            return &routes[i];
        }
    }
    fail_msg("no route %s", route);
    return NULL;
}

int world_ask(struct world *w, const char *route, const char *params, const char *body)
{
    struct registry_call call = {.arena = &w->arena, .route = route_find(route)};
    struct str query = {NULL, 0};
    struct str rest = str_cut(str_from_c(params), '?', &query);
    struct outcome outcomes[OUTCOMES_MAX];
    struct json_value *json = NULL;
    int64_t id = 0;
    call.query = query;
    call.body = bytes_of(body, body == NULL ? 0 : strlen(body));
    for (int i = 0; rest.len > 0; i++) {
        call.params[i] = str_cut(rest, '\n', &rest);
    }
    enum registry_step step = registry_call_step(govern_registry_begin(w->govern), &call, NULL);
    govern_registry_end(w->govern);
    for (int i = 0; step != REGISTRY_ANSWERED && i < ASK_TRIES; i++) {
        bool is_before = step == REGISTRY_PREPARE;
        const struct item *items = is_before ? call.before.items : &call.item;
        assert_true(call.before.count <= OUTCOMES_MAX);
        void (*overtake)(struct world *) = is_before ? NULL : w->overtake;
        if (overtake != NULL) {
            w->overtake = NULL;
            overtake(w);
        }
        (void)!broker_change_wait_all(w->rig.broker, items, is_before ? call.before.count : 1, outcomes,
                                      NULL);
        step = registry_call_step(govern_registry_begin(w->govern), &call, outcomes);
        govern_registry_end(w->govern);
    }
    mem_free(w->text);
    w->text = mem_zalloc(call.answer.len + 1);
    if (call.answer.len > 0) {
        memcpy(w->text, call.answer.ptr, call.answer.len);
    }
    buf_fini(&call.answer);
    if (json_parse(str_from_c(w->text), &w->arena, &json, NULL) == ERR_OK) {
        (void)json_value_i64(json_get(json, STR("id")), &id);
    }
    w->id = (int32_t)id;
    return w->status = call.status;
}

int32_t world_register(struct world *w, const char *subject, const char *body)
{
    if (world_ask(w, "POST /subjects/{subject}/versions", subject, body) != 200) {
        fail_msg("%s", w->text);
    }
    return w->id;
}

// ---- binding

struct bind_call {
    struct rig_call call;
    struct policy_binding binding;
    struct govern *govern;
    bool is_asking; // an answer that comes from within the question would find its asker half done
    bool is_within;
};

static void on_bound(struct task *task)
{
    struct policy_binding *binding =
        (struct policy_binding *)(void *)((char *)task - offsetof(struct policy_binding, answered));
    struct bind_call *b = (struct bind_call *)(void *)((char *)binding - offsetof(struct bind_call, binding));
    b->is_within = b->is_asking;
    rig_done(&b->call);
}

static void on_bind(struct rig_call *call)
{
    struct bind_call *b = (struct bind_call *)(void *)call;
    struct broker_policy policy = govern_policy(b->govern);
    b->is_asking = true;
    policy.bind(policy.arg, &b->binding);
    b->is_asking = false;
}

// bind_ask has the question answered; what was found is the caller's.
static void bind_ask(struct world *w, const char *topic, const struct item_config *configs, uint32_t count,
                     struct bind_call *b)
{
    *b = (struct bind_call){.binding = {.loop = w->rig.loop,
                                        .topic_name = str_from_c(topic),
                                        .configs = configs,
                                        .config_count = count,
                                        .answered = {.run = on_bound}},
                            .govern = w->govern};
    arena_init(&b->binding.found, 1 << 20);
    rig_begin(&w->rig, &b->call, on_bind, NULL);
    rig_wait(&b->call);
    assert_false(b->is_within);
}

enum err world_bind(struct world *w, const char *topic, const struct item_config *configs, uint32_t count,
                    struct error *e)
{
    struct bind_call b;
    bind_ask(w, topic, configs, count, &b);
    *e = b.binding.error;
    arena_fini(&b.binding.found);
    return b.binding.err;
}

enum err world_letters(struct world *w, const char *topic, const struct item_config *configs, uint32_t count,
                       struct str **ret, uint32_t *ret_count, struct error *e)
{
    struct bind_call b;
    bind_ask(w, topic, configs, count, &b);
    *e = b.binding.error;
    *ret_count = b.binding.letter_count;
    *ret = arena_new(&w->arena, struct str, (size_t)*ret_count + 1);
    for (uint32_t i = 0; i < *ret_count; i++) {
        (*ret)[i] = arena_str(&w->arena, b.binding.letters[i]);
    }
    arena_fini(&b.binding.found);
    return b.binding.err;
}

static uint32_t configs_of(const char *const *pairs, struct item_config *ret, uint32_t max)
{
    uint32_t count = 0;
    for (; count < max && pairs != NULL && pairs[2 * count] != NULL; count++) {
        ret[count] = (struct item_config){str_from_c(pairs[2 * count]), str_from_c(pairs[2 * count + 1])};
    }
    return count;
}

static void change(struct world *w, const struct item *item)
{
    struct outcome outcome;
    struct error e = {0};
    if (broker_change_wait(w->rig.broker, item, &outcome, &e) != ERR_OK || outcome.err != ERR_OK) {
        fail_msg("%s %s", e.text, err_name(outcome.err));
    }
}

enum err world_govern(struct world *w, const char *name, const char *const *configs,
                      void (*overtake)(struct world *w), struct error *e)
{
    struct item_config list[RIG_CONFIGS_MAX];
    struct topic_spec spec = {.name = str_from_c(name), .partition_count = 2, .replication_factor = -1};
    struct item items[OUTCOMES_MAX];
    struct item item;
    struct item *letters;
    struct outcome outcomes[OUTCOMES_MAX];
    struct bind_call b;
    uint32_t count;
    spec.configs = list;
    spec.config_count = configs_of(configs, list, RIG_CONFIGS_MAX);
    *e = (struct error){0};
    assert_int_equal(broker_plan_topic(w->rig.broker, &spec, &w->arena, &item, e), ERR_OK);
    bind_ask(w, name, item.topic_create.configs, item.topic_create.config_count, &b);
    *e = b.binding.error;
    enum err err = b.binding.err;
    if (err == ERR_OK) {
        err = broker_bound(w->rig.broker, &b.binding, &w->arena, &item, &items[OUTCOMES_MAX - 1], e);
    }
    arena_fini(&b.binding.found);
    if (err == ERR_OK) {
        err = broker_plan_letters(w->rig.broker, &item, &w->arena, &letters, &count, e);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (overtake != NULL) {
        overtake(w);
    }
    assert_true(count + 3 < OUTCOMES_MAX);
    if (count > 0) {
        memcpy(items, letters, count * sizeof *items);
    }
    items[count++] = items[OUTCOMES_MAX - 1];
    items[count++] = item;
    assert_int_equal(broker_change_wait_all(w->rig.broker, items, count, outcomes, e), ERR_OK);
    return outcomes[count - 1].err;
}

void world_topic(struct world *w, const char *name, const char *const *configs)
{
    struct item_config list[RIG_CONFIGS_MAX];
    struct topic_spec spec = {.name = str_from_c(name), .partition_count = 1, .replication_factor = -1};
    struct item item;
    struct error e = {0};
    spec.configs = list;
    spec.config_count = configs_of(configs, list, RIG_CONFIGS_MAX);
    if (broker_plan_topic(w->rig.broker, &spec, &w->arena, &item, &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
    change(w, &item);
}

void world_configure(struct world *w, const char *name, const char *const *configs)
{
    struct item_config list[RIG_CONFIGS_MAX];
    struct config_change changes[RIG_CONFIGS_MAX];
    struct item item;
    struct error e = {0};
    uint32_t count = configs_of(configs, list, RIG_CONFIGS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        changes[i] = (struct config_change){list[i].key, list[i].value, CONFIG_SET};
    }
    if (broker_plan_configs(w->rig.broker, str_from_c(name), changes, count, true, &w->arena, &item, &e) !=
        ERR_OK) {
        fail_msg("%s", e.text);
    }
    change(w, &item);
}

struct bytes framed(struct world *w, int32_t id, const char *text)
{
    uint8_t *bytes = arena_new(&w->arena, uint8_t, strlen(text) + 5);
    store_be32(bytes + 1, (uint32_t)id);
    memcpy(bytes + 5, text, strlen(text));
    return bytes_of(bytes, strlen(text) + 5);
}

// ---- trials

enum { TRIAL_MORES_MAX = 100000 };

static void on_woken(struct task *task)
{
    struct policy_case *c = (struct policy_case *)(void *)((char *)task - offsetof(struct policy_case, wake));
    struct trial *t = (struct trial *)(void *)((char *)c - offsetof(struct trial, c));
    struct rig *rig = &t->world->rig; // whose lock outlives the trial
    mutex_lock(&rig->lock);
    t->is_woken = true;
    cond_broadcast(&rig->done);
    mutex_unlock(&rig->lock);
}

static void trial_wait(struct trial *t)
{
    struct rig *rig = &t->world->rig;
    mutex_lock(&rig->lock);
    while (!t->is_woken) {
        cond_wait(&rig->done, &rig->lock, CLOCK_NEVER);
    }
    t->is_woken = false;
    mutex_unlock(&rig->lock);
}

static void batch_fill(struct trial *t, const struct line *lines, int32_t count)
{
    struct batch_options options = batch_options_default();
    struct batch_builder builder;
    options.base_timestamp = 1700000000000;
    batch_builder_init(&builder, &options);
    for (int32_t i = 0; i < count; i++) {
        const struct line *line = &lines[i];
        size_t key_len = line->key == NULL ? 0 : line->key_len > 0 ? line->key_len : strlen(line->key);
        batch_builder_append(&builder, options.base_timestamp + i, bytes_of(line->key, key_len), line->value,
                             &line->header, line->header.key.ptr == NULL ? 0 : 1);
    }
    buf_init(&t->batch, 64 << 20);
    assert_int_equal(batch_builder_finish(&builder, &t->batch, NULL), ERR_OK);
    batch_builder_fini(&builder);
}

static void topic_look(struct trial *t, const char *name)
{
    const struct core *core = broker_view_begin(t->world->rig.broker);
    const struct topic *topic = core_topic_find(core, str_from_c(name));
    struct governance g;
    uint32_t count;
    char room[GOVERNANCE_NAME_SIZE];
    assert_non_null(topic);
    t->c.topic_id = topic_id(topic);
    t->c.topic_name = arena_str(&t->world->arena, topic_name(topic));
    t->c.config_revision = topic_config_revision(topic);
    const struct item_config *configs = topic_configs(topic, &count);
    (void)governance_resolve(configs, count, &g);
    if (g.action == ACTION_DLQ || g.dlq_topic.len > 0) {
        t->c.dlq_topic = arena_str(&t->world->arena, governance_dlq_topic(&g, t->c.topic_name, room));
    }
    broker_view_end(t->world->rig.broker);
}

void trial_judge(struct world *w, struct trial *t, const char *topic, const struct line *lines, int32_t count)
{
    *t = (struct trial){.world = w};
    batch_fill(t, lines, count);
    topic_look(t, topic);
    struct policy_case *c = &t->c;
    c->topic_id = uuid_is_zero(w->topic_id) ? c->topic_id : w->topic_id;
    c->port = w->rig.port;
    c->arena = &w->arena;
    c->original = buf_bytes(&t->batch);
    c->records = bytes_slice(c->original, BATCH_HEADER_SIZE, t->batch.len - BATCH_HEADER_SIZE);
    c->log_append_time_ms = -1;
    c->client_id = STR("tester");
    c->principal = STR("User:ANONYMOUS");
    c->bytes_max = w->bytes_max != 0 ? w->bytes_max : 8 << 20;
    c->letter_bytes_max = w->letter_bytes_max != 0 ? w->letter_bytes_max : 8 << 20;
    c->dlq_topic = w->dlq_topic.ptr != NULL ? w->dlq_topic : c->dlq_topic;
    c->wake.run = on_woken;
    assert_int_equal(batch_header_read(c->original, &c->header, NULL), ERR_OK);
    c->header.attributes = (int16_t)(c->header.attributes | (int)w->codec);
    for (;;) {
        c->slice_until_ns = w->has_no_time ? 0 : clock_mono_ns(w->rig.env->clock) + POLICY_SLICE_NS;
        enum policy_step step = govern_judge(w->govern, c);
        if (step == POLICY_JUDGED) {
            return;
        }
        t->mores += step == POLICY_MORE;
        assert_true(t->mores < TRIAL_MORES_MAX); // or it never ends
        if (step == POLICY_WAIT) {
            t->waits++;
            trial_wait(t);
        }
    }
}

// tallies_order orders what is to be counted as a refusal, which needs no bytes.
static void tallies_order(struct world *w, struct str topic, struct bytes who, struct item_tally *tallies,
                          uint32_t count)
{
    struct item item = {.kind = ITEM_DATA, .version = 3};
    struct outcome outcome;
    const struct core *core = broker_view_begin(w->rig.broker);
    const struct topic *found = core_topic_find(core, topic);
    assert_non_null(found);
    item.data = (struct item_data){
        .topic_id = topic_id(found),
        .producer_id = -1,
        .producer_epoch = -1,
        .base_sequence = -1,
        .offset_span = 1,
        .record_count = 1,
        .flags = DATA_JUDGED | DATA_REFUSED,
        .config_revision = topic_config_revision(found),
        .tally_who = who,
        .tallies = tallies,
        .tally_count = count,
    };
    broker_view_end(w->rig.broker);
    (void)!broker_change_wait(w->rig.broker, &item, &outcome, NULL);
    assert_true(outcome.is_refused);
}

void world_count(struct world *w, const struct series_name *names, uint32_t count,
                 enum contract_action action, uint32_t n)
{
    struct item_tally tallies[ITEM_DATA_TALLIES_MAX];
    struct arena arena;
    arena_init(&arena, 1 << 20);
    assert_true(count <= ITEM_DATA_TALLIES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        int first = names[i].rule.ptr == NULL ? TALLY_PASSED : TALLY_FINDING;
        tallies[i] =
            (struct item_tally){tally_what_encode(&names[i], &arena), (uint8_t)(first + (int)action), n};
    }
    tallies_order(w, names->topic, tally_who_encode(names->client_id, names->principal, &arena), tallies,
                  count);
    arena_fini(&arena);
}

void trial_end(struct trial *t, enum policy_end end)
{
    t->c.base_offset = t->c.is_refused ? -1 : 0;
    if (end == POLICY_FINAL) {
        tallies_order(t->world, t->c.topic_name, t->c.tally_who, t->c.tallies, t->c.tally_count);
    }
    govern_settle(t->world->govern, &t->c, end);
    chunk_unref(t->c.chunk);
    for (uint32_t i = 0; i < t->c.letter_count; i++) {
        chunk_unref(t->c.letters[i].chunk);
    }
    buf_fini(&t->batch);
}
