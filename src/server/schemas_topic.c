// SPDX-License-Identifier: Apache-2.0
// schemas_topic.c - one step at a time, each of which waits for at most one thing of the broker: the reading
// of what the topic says, its creation, or the appending of a batch. A batch that was refused is appended
// again.
#include "server/schemas_topic.h"

#include "base/mem.h"
#include "record/build.h"
#include "server/topic_content.h"

enum {
    STEP_RECORDS = 500, // looked at in one step
    STEP_BYTES = 256 * 1024,
    BATCH_BYTES_MAX = 32 << 20, // one record may be the size of a schema
    RETRY_NS = 1000 * 1000 * 1000,
    ARENA_BYTES_MAX = 1 << 20,
};

// Which topic is this registry's own: a document of that key has its id as value.
#define OWNER_PREFIX "mirror/"

enum phase {
    PHASE_OFF,   // no name, or the topic is somebody else's
    PHASE_READ,  // what it says is not known yet
    PHASE_WRITE, // it is, and what differs is being written; from then on what changes
};

struct schemas_topic {
    struct broker *broker;
    struct broker_port *port;
    struct govern *govern; // has the registry
    struct str name;       // owned
    struct str owner;      // the document's key; owned
    struct uuid id;        // zero: there is no topic yet
    enum phase phase;
    bool is_posted;
    bool is_busy;               // something of the broker is waited for
    bool is_retrying;           // the timer is set
    bool has_content;           // `content` still has keys that the registry may not have
    bool is_draining;           // and is given up, key by key
    bool has_failed;            // and that was said
    void (*stopped)(void *arg); // not NULL: stopping
    void *stopped_arg;
    struct task task;
    struct timer retry;
    struct topic_content content;
    struct buf key;
    struct buf value;
    struct batch_builder batch;
    struct arena arena; // of the change
    struct item items[2];
    struct outcome outcomes[2];
    struct submission submissions[2];
    struct change_op change;
    struct chunk *chunk; // a batch that is not in yet
    size_t chunk_len;
    struct produce_part part;
    struct produce_op produce;
};

static void step(struct task *task);

static void post(struct schemas_topic *t)
{
    if (!t->is_posted) {
        t->is_posted = true;
        loop_post(broker_port_loop(t->port), &t->task);
    }
}

static void on_retry(struct timer *timer)
{
    struct schemas_topic *t =
        (struct schemas_topic *)(void *)((char *)timer - offsetof(struct schemas_topic, retry));
    t->is_retrying = false;
    post(t);
}

// fail_later tries again after a while: a full disk is mended, memory comes back.
static void fail_later(struct schemas_topic *t, const char *what, const char *text)
{
    if (!t->has_failed) {
        trace(broker_tracer(t->broker), TRACE_WARN, "the topic " STR_FMT " %s: %s; trying again",
              STR_ARG(t->name), what, text);
    }
    t->has_failed = true;
    if (t->stopped != NULL) {
        post(t);
        return;
    }
    struct loop *loop = broker_port_loop(t->port);
    t->is_retrying = true;
    loop_timer_set(loop, &t->retry, loop_now_ns(loop) + RETRY_NS);
}

// ---- which topic it is

static bool is_owner(const struct document *document, struct uuid id)
{
    return document != NULL && bytes_equal(document_value(document), bytes_of(id.b, sizeof id.b));
}

// topic_find: false if a topic of the name is somebody else's.
static bool topic_find(struct schemas_topic *t)
{
    const struct core *core = broker_view_begin(t->broker);
    struct topic *topic = core_topic_find(core, t->name);
    struct uuid id = topic == NULL ? (struct uuid){{0}} : topic_id(topic);
    bool is_own = topic == NULL || is_owner(core_document_find(core, t->owner), id);
    broker_view_end(t->broker);
    t->id = id;
    if (is_own) {
        broker_keep_topic(t->broker, id);
        return true;
    }
    trace(broker_tracer(t->broker), TRACE_WARN,
          "the topic " STR_FMT
          " is not the registry's own and stays as it is: the registry's records are not served",
          STR_ARG(t->name));
    return false;
}

static void on_created(struct change_op *op)
{
    struct schemas_topic *t =
        (struct schemas_topic *)(void *)((char *)op - offsetof(struct schemas_topic, change));
    enum err err = t->outcomes[0].err == ERR_OK ? t->outcomes[1].err : t->outcomes[0].err;
    t->is_busy = false;
    if (err != ERR_OK) {
        fail_later(t, "cannot be created", err_text(err));
        return;
    }
    t->phase = topic_find(t) ? t->phase : PHASE_OFF;
    post(t);
}

// create orders who owns the topic and the topic, with nothing in between.
static void create(struct schemas_topic *t)
{
    const struct item_config configs[] = {{STR("cleanup.policy"), STR("compact")},
                                          {STR("max.message.bytes"), STR("33554432")}};
    const struct topic_spec spec = {.name = t->name,
                                    .partition_count = 1,
                                    .replication_factor = 1,
                                    .configs = configs,
                                    .config_count = 2};
    struct error e = {0};
    arena_reset(&t->arena);
    enum err err = broker_plan_topic(t->broker, &spec, &t->arena, &t->items[1], &e);
    struct item_document *owner = arena_new(&t->arena, struct item_document, 1);
    if (err == ERR_TOPIC_EXISTS) { // made by somebody a moment ago
        t->phase = topic_find(t) ? t->phase : PHASE_OFF;
        post(t);
        return;
    }
    if (err != ERR_OK || owner == NULL) {
        fail_later(t, "cannot be created", e.text);
        return;
    }
    const struct item_topic_create *made = &t->items[1].topic_create;
    *owner =
        (struct item_document){.key = t->owner, .value = bytes_of(made->topic_id.b, sizeof made->topic_id.b)};
    t->items[0] = (struct item){.kind = ITEM_DOCUMENTS, .version = 1, .documents = {NULL, 0, owner, 1}};
    t->change = (struct change_op){.port = t->port,
                                   .items = t->items,
                                   .item_count = 2,
                                   .done = on_created,
                                   .outcomes = t->outcomes,
                                   .submissions = t->submissions};
    t->is_busy = true;
    broker_change(t->broker, &t->change);
}

// ---- what it says already

static void feed_begin(struct schemas_topic *t)
{
    registry_feed_begin(govern_registry_begin(t->govern));
    govern_registry_end(t->govern);
}

static void on_read(struct topic_content *content)
{
    struct schemas_topic *t =
        (struct schemas_topic *)(void *)((char *)content - offsetof(struct schemas_topic, content));
    t->is_busy = false;
    if (content->err != ERR_OK) { // what is not known is written anew
        trace(broker_tracer(t->broker), TRACE_WARN, "the topic " STR_FMT " cannot be read: %s",
              STR_ARG(t->name), content->text);
    }
    t->phase = PHASE_WRITE;
    feed_begin(t);
    post(t);
}

static void content_clear(struct schemas_topic *t)
{
    topic_content_fini(&t->content);
    topic_content_init(&t->content, t->broker, t->port);
}

static void read_begin(struct schemas_topic *t)
{
    content_clear(t);
    t->has_content = true;
    t->is_draining = false;
    if (uuid_is_zero(t->id)) {
        t->phase = PHASE_WRITE;
        feed_begin(t);
        post(t);
        return;
    }
    t->is_busy = true;
    topic_content_read(&t->content, t->id, on_read);
}

// ---- writing

static void append(struct schemas_topic *t, struct bytes key, struct bytes value)
{
    int64_t now_ms = clock_wall_ms(broker_env(t->broker)->clock);
    batch_builder_append(&t->batch, now_ms, key, value.len == 0 ? (struct bytes){0} : value, NULL, 0);
}

// is_said: the topic says that of the key already. Remembers that the registry has the key.
static bool is_said(struct schemas_topic *t, struct bytes key, struct bytes value)
{
    struct content_key *known = t->has_content ? topic_content_find(&t->content, key) : NULL;
    if (known == NULL) {
        return t->has_content && !t->is_draining && value.len == 0;
    }
    bool is_same = value.len > 0 && known->value_hash == topic_content_hash(value);
    if (value.len == 0) {
        map_remove(&t->content.keys, &known->by_key);
        mem_free(known);
    } else {
        known->is_met = true;
        known->value_hash = topic_content_hash(value);
    }
    return is_same;
}

// leftovers_take: keys that the registry does not have get a tombstone; false when there are no more.
static bool leftovers_take(struct schemas_topic *t)
{
    struct content_key *left = topic_content_pop(&t->content);
    t->is_draining = true;
    if (left == NULL) {
        t->has_content = false;
        return false;
    }
    if (!left->is_met) {
        append(t, bytes_of(left->key, left->len), (struct bytes){0});
    }
    mem_free(left);
    return true;
}

// gather fills the batch. False: there is nothing more for now.
static bool gather(struct schemas_topic *t)
{
    const struct batch_options options = {.base_timestamp = -1,
                                          .producer_id = -1,
                                          .producer_epoch = -1,
                                          .base_sequence = -1,
                                          .leader_epoch = -1,
                                          .bytes_max = BATCH_BYTES_MAX};
    batch_builder_reset(&t->batch, &options);
    for (int i = 0; i < STEP_RECORDS && t->batch.records.len < STEP_BYTES; i++) {
        enum registry_feed feed = registry_feed_next(govern_registry_begin(t->govern), &t->key, &t->value);
        govern_registry_end(t->govern);
        if (feed == REGISTRY_FEED_LOST) {
            t->phase = PHASE_READ;
            return true;
        }
        if (feed == REGISTRY_FEED_END) {
            if (!t->has_content || !leftovers_take(t)) {
                return false;
            }
        } else if (!is_said(t, buf_bytes(&t->key), buf_bytes(&t->value))) {
            append(t, buf_bytes(&t->key), buf_bytes(&t->value));
        }
    }
    return true;
}

// batch_keep puts the batch into a chunk; false: there is no memory for it, or none to be written.
static bool batch_keep(struct schemas_topic *t)
{
    struct buf out;
    struct error e = {0};
    if (t->batch.record_count == 0) {
        return true;
    }
    buf_init(&out, BATCH_BYTES_MAX);
    enum err err = batch_builder_finish(&t->batch, &out, &e);
    t->chunk = err == ERR_OK ? chunk_get(broker_pool(t->broker), out.len) : NULL;
    if (t->chunk != NULL) {
        memcpy(t->chunk->ptr, out.ptr, out.len);
        t->chunk_len = out.len;
    } else {
        t->phase = PHASE_READ; // its records are taken out of the feed
        fail_later(t, "is behind", err == ERR_OK ? "no memory for a batch" : e.text);
    }
    buf_fini(&out);
    return t->chunk != NULL;
}

static void on_produced(struct produce_op *op)
{
    struct schemas_topic *t =
        (struct schemas_topic *)(void *)((char *)op - offsetof(struct schemas_topic, produce));
    t->is_busy = false;
    if (t->part.err != ERR_OK) {
        fail_later(t, "is behind", t->part.text[0] == '\0' ? err_text(t->part.err) : t->part.text);
        return;
    }
    t->has_failed = false;
    chunk_unref(t->chunk);
    t->chunk = NULL;
    post(t);
}

static void produce(struct schemas_topic *t)
{
    arena_reset(&t->arena);
    t->part = (struct produce_part){
        .topic_id = t->id, .batch = bytes_of(t->chunk->ptr, t->chunk_len), .chunk = t->chunk};
    t->produce = (struct produce_op){.port = t->port,
                                     .arena = &t->arena,
                                     .parts = &t->part,
                                     .part_count = 1,
                                     .is_keeper = true,
                                     .done = on_produced};
    t->is_busy = true;
    broker_produce(t->broker, &t->produce);
}

// ---- steps

static void write_on(struct schemas_topic *t)
{
    bool has_more = true;
    if (t->chunk == NULL) {
        has_more = gather(t);
        if (!batch_keep(t)) {
            return;
        }
    }
    if (t->chunk != NULL && uuid_is_zero(t->id)) {
        create(t);
    } else if (t->chunk != NULL) {
        produce(t);
    } else if (has_more) {
        post(t); // others have their turn in between
    }
}

static void step(struct task *task)
{
    struct schemas_topic *t =
        (struct schemas_topic *)(void *)((char *)task - offsetof(struct schemas_topic, task));
    t->is_posted = false;
    if (t->is_busy) {
        return;
    }
    if (t->stopped != NULL) {
        t->stopped(t->stopped_arg);
    } else if (t->phase == PHASE_READ) {
        read_begin(t);
    } else if (t->phase == PHASE_WRITE) {
        write_on(t);
    }
}

void schemas_topic_kick(void *arg)
{
    struct schemas_topic *t = arg;
    if (t->phase != PHASE_OFF && !t->is_busy && !t->is_retrying && t->stopped == NULL) {
        post(t);
    }
}

// ---- life

static struct str text_own(const char *prefix, struct str text)
{
    size_t prefix_len = strlen(prefix);
    char *copy = mem_alloc(prefix_len + text.len + 1);
    memcpy(copy, prefix, prefix_len);
    memcpy(copy + prefix_len, text.ptr, text.len);
    copy[prefix_len + text.len] = '\0';
    return (struct str){copy, prefix_len + text.len};
}

struct schemas_topic *schemas_topic_create(struct broker *broker, struct broker_port *port,
                                           struct govern *govern)
{
    struct schemas_topic *t = mem_zalloc(sizeof *t);
    struct batch_options options = batch_options_default();
    t->broker = broker;
    t->port = port;
    t->govern = govern;
    t->task.run = step;
    t->retry.fire = on_retry;
    arena_init(&t->arena, ARENA_BYTES_MAX);
    struct str name = broker_setting(broker, STR("strom.registry.topic"), &t->arena);
    t->name = text_own("", name);
    t->owner = text_own(OWNER_PREFIX, name);
    topic_content_init(&t->content, broker, port);
    buf_init(&t->key, BATCH_BYTES_MAX);
    buf_init(&t->value, BATCH_BYTES_MAX);
    batch_builder_init(&t->batch, &options);
    t->phase = name.len > 0 && topic_find(t) ? PHASE_READ : PHASE_OFF;
    schemas_topic_kick(t);
    return t;
}

void schemas_topic_stop(struct schemas_topic *t, void (*stopped)(void *arg), void *arg)
{
    t->stopped = stopped;
    t->stopped_arg = arg;
    loop_timer_cancel(broker_port_loop(t->port), &t->retry);
    if (!t->is_busy && !t->is_posted) {
        stopped(arg);
    } // else the next step does
}

void schemas_topic_destroy(struct schemas_topic *take_topic)
{
    struct schemas_topic *t = take_topic;
    if (t == NULL) {
        return;
    }
    chunk_unref(t->chunk);
    topic_content_fini(&t->content);
    batch_builder_fini(&t->batch);
    buf_fini(&t->key);
    buf_fini(&t->value);
    arena_fini(&t->arena);
    mem_free((char *)t->name.ptr);
    mem_free((char *)t->owner.ptr);
    mem_free(t);
}
