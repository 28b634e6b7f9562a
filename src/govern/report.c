// SPDX-License-Identifier: Apache-2.0
// report.c - what is asked for over HTTP: topics that are governed, what was counted, the newest violations.
#include "base/mem.h"
#include "govern/govern_private.h"
#include "json/write.h"

enum {
    TOPICS_BYTES_MAX = 64 << 20, // of names of topics that have counts
    BINDING_COPY_BYTES_MAX = 64 << 10,
};

static const char *const level_names[] = {"none", "id", "structure", "contract"};
static const char *const action_names[] = {"reject", "dlq", "mark", "observe"};

void govern_violations_print(struct govern *g, struct str topic, int64_t after, size_t limit, struct buf *out)
{
    samples_print(&g->samples, topic, after, limit, out);
}

bool govern_violations_any(struct govern *g, struct str topic, int64_t after)
{
    return samples_any(&g->samples, topic, after);
}

void govern_violations_listen(struct govern *g, struct task *task)
{
    samples_listen(&g->samples, g->loop, task);
}

static void side_print(const struct binding *b, int side, const struct remarks *remarks, struct json *j)
{
    const struct side_settings *settings = &b->settings.sides[side];
    char room[GOVERNANCE_SUBJECT_SIZE];
    struct str subject =
        settings->strategy == SUBJECT_TOPIC || settings->subject.len > 0
            ? governance_subject(settings, (enum governance_side)side, b->name, (struct str){"", 0}, room)
            : (struct str){NULL, 0};
    json_key(j, side == SIDE_KEY ? "key" : "value");
    json_object_begin(j);
    json_pair_str(j, "level", str_from_c(level_names[settings->level]));
    json_pair_str(j, "subject", subject);
    json_pair_i64(j, "version_min", settings->version_min);
    if (remarks != NULL) {
        json_key(j, "remarks");
        json_array_begin(j);
        for (size_t i = 0; i < remarks->counts[side]; i++) {
            json_str(j, remarks->texts[side][i]);
        }
        json_array_end(j);
    }
    json_object_end(j);
}

// topic_print: b NULL for a topic that is not governed, or not any more; remarks NULL: not asked for.
static void topic_print(struct govern *g, struct str name, const struct binding *b,
                        const struct remarks *remarks, struct buf *out)
{
    struct json j = {.out = out};
    char room[GOVERNANCE_NAME_SIZE];
    json_object_begin(&j);
    json_pair_str(&j, "topic", name);
    json_pair_bool(&j, "governed", b != NULL);
    if (b != NULL) {
        json_pair_str(&j, "on_failure", str_from_c(action_names[b->settings.action]));
        json_pair_str(&j, "dlq_topic", governance_dlq_topic(&b->settings, b->name, room));
        json_pair_bool(&j, "null_refused", b->settings.is_null_refused);
        side_print(b, SIDE_KEY, remarks, &j);
        side_print(b, SIDE_VALUE, remarks, &j);
    }
    counts_print(g, name, &j);
    json_object_end(&j);
}

static const struct binding *binding_find(const struct bindings *b, struct str topic)
{
    for (size_t i = 0; i < b->count; i++) {
        if (str_equal(b->list[i].name, topic)) {
            return &b->list[i];
        }
    }
    return NULL;
}

// binding_copy: what is governed may change once the registry is given back. false: the topic is not.
static bool binding_copy(struct govern *g, struct str topic, struct arena *arena, struct binding *ret)
{
    (void)govern_registry_begin(g); // which guards the bindings
    const struct binding *b = binding_find(bindings_get(g), topic);
    if (b != NULL) {
        *ret = *b;
        ret->name = arena_str(arena, b->name);
        ret->settings.dlq_topic = arena_str(arena, b->settings.dlq_topic);
        for (int side = 0; side < SIDE_COUNT; side++) {
            ret->settings.sides[side].subject = arena_str(arena, b->settings.sides[side].subject);
        }
    }
    govern_registry_end(g);
    return b != NULL;
}

bool govern_topic_print(struct govern *g, struct str topic, struct buf *out)
{
    const struct core *core = broker_view_begin(g->broker);
    bool is_known = core_topic_find(core, topic) != NULL;
    broker_view_end(g->broker);
    struct arena arena;
    struct remarks remarks;
    struct binding b;
    arena_init(&arena, BINDING_COPY_BYTES_MAX);
    if (is_known && binding_copy(g, topic, &arena, &b)) {
        remarks_find(g, &b, &remarks);
        topic_print(g, topic, &b, &remarks, out);
        arena_fini(&remarks.arena);
    } else if (is_known) {
        topic_print(g, topic, NULL, NULL, out);
    }
    arena_fini(&arena);
    return is_known;
}

void govern_topics_print(struct govern *g, struct buf *out)
{
    struct arena arena;
    struct str *counted;
    arena_init(&arena, TOPICS_BYTES_MAX);
    size_t count = counts_topics(g, &arena, &counted);
    (void)govern_registry_begin(g);
    const struct bindings *b = bindings_get(g);
    bool is_first = true;
    buf_append_str(out, STR("{\"topics\":["));
    for (size_t i = 0; i < b->count; i++) {
        buf_append_str(out, is_first ? STR("") : STR(","));
        topic_print(g, b->list[i].name, &b->list[i], NULL, out);
        is_first = false;
    }
    for (size_t i = 0; i < count; i++) {
        if (binding_find(b, counted[i]) == NULL) {
            buf_append_str(out, is_first ? STR("") : STR(","));
            topic_print(g, counted[i], NULL, NULL, out);
            is_first = false;
        }
    }
    buf_append_str(out, STR("]}"));
    govern_registry_end(g);
    arena_fini(&arena);
}
