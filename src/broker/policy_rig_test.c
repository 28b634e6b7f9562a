// SPDX-License-Identifier: Apache-2.0
#include "broker/broker_private.h"
#include "broker/test_policy.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "record/rewrite.h"

enum { WORD_MAX = 64, BATCH_BYTES_MAX = 64 << 20, WAIT_NS = 2000000 };

struct judging {
    struct policy_case *c;
    struct pool *pool;
    struct timer timer;
    bool has_waited;
    bool has_word;
    char word[WORD_MAX];
    size_t word_len;
    struct record_iterator records;
    bool *is_bad; // by index
    int32_t bad_count;
    int32_t index;
};

struct str test_policy_word(struct str topic, char room[TOPIC_LETTERS_SIZE + 8])
{
    int len = snprintf(room, TOPIC_LETTERS_SIZE + 8, "word/" STR_FMT, STR_ARG(topic));
    return (struct str){room, (size_t)len};
}

static void on_wait_over(struct timer *timer)
{
    policy_case_wake(((struct judging *)(void *)((char *)timer - offsetof(struct judging, timer)))->c);
}

// word_load reads the document, and what the verdict rests on, at one moment.
static void word_load(struct policy_case *c, struct judging *j)
{
    char room[TOPIC_LETTERS_SIZE + 8];
    struct str key = test_policy_word(c->topic_name, room);
    c->conditions = arena_new(c->arena, struct item_condition, 1);
    struct str copy = arena_str(c->arena, key);
    if (c->conditions == NULL || copy.ptr == NULL) {
        c->is_refused = true;
        c->err = ERR_NO_MEMORY;
        return;
    }
    const struct core *core = broker_view_begin(broker_port_broker(c->port));
    const struct document *document = core_document_find(core, key);
    c->conditions[0] = (struct item_condition){copy, document == NULL ? 0 : document_revision(document)};
    c->condition_count = 1;
    if (document != NULL) {
        struct bytes word = document_value(document);
        j->word_len = word.len < WORD_MAX ? word.len : WORD_MAX;
        memcpy(j->word, word.ptr, j->word_len);
    }
    broker_view_end(broker_port_broker(c->port));
    j->has_word = true;
}

static bool record_is_bad(const struct judging *j, const struct record *record)
{
    return j->word_len > 0 && record->value.ptr != NULL && record->value.len >= j->word_len &&
           memcmp(record->value.ptr, j->word, j->word_len) == 0;
}

static struct rewrite_fate fate_of(void *arg, const struct record *record, int32_t index)
{
    const struct judging *j = arg;
    (void)record;
    return (struct rewrite_fate){.is_dropped = j->is_bad[index]};
}

static struct bytes chunk_of(const struct judging *j, const struct buf *out, struct chunk **ret)
{
    *ret = chunk_get(j->pool, out->len);
    ASSERT(*ret != NULL);
    memcpy((*ret)->ptr, out->ptr, out->len);
    return bytes_of((*ret)->ptr, out->len);
}

static void set_aside(struct policy_case *c, struct judging *j)
{
    struct batch_options options = batch_options_default();
    struct batch_builder builder;
    struct buf out;
    struct error e;
    int32_t left = 0;
    batch_builder_init(&builder, &options);
    buf_init(&out, BATCH_BYTES_MAX);
    enum err err = batch_rewrite(&builder, broker_port_codec(c->port), c->original,
                                 (struct rewrite_judge){fate_of, j}, &out, &left, &e);
    ASSERT(err == ERR_OK && left == c->header.record_count - j->bad_count);
    c->is_rewritten = true;
    c->batch = chunk_of(j, &out, &c->chunk);

    batch_builder_reset(&builder, &options);
    struct record_iterator it;
    struct record record;
    record_iterator_init_plain(&it, &c->header, c->records);
    for (int32_t i = 0; record_iterator_next(&it, &record); i++) {
        if (j->is_bad[i]) {
            batch_builder_append(&builder, record.timestamp, record.key, record.value, NULL, 0);
        }
    }
    buf_reset(&out);
    err = batch_builder_finish(&builder, &out, &e);
    ASSERT(err == ERR_OK);
    c->letters = arena_new(c->arena, struct policy_letter, 1);
    ASSERT(c->letters != NULL);
    c->letters[0].topic = c->dlq_topic;
    c->letters[0].batch = chunk_of(j, &out, &c->letters[0].chunk);
    c->letter_count = 1;
    batch_builder_fini(&builder);
    buf_fini(&out);
}

static void refuse(const struct test_policy *policy, struct policy_case *c, const struct judging *j)
{
    c->is_refused = true;
    c->err = policy->refusal == ERR_OK ? ERR_INVALID_RECORD : policy->refusal;
    c->text =
        arena_printf(c->arena, "%d of %d records begin with the word", j->bad_count, c->header.record_count);
    c->bad_records = arena_new(c->arena, struct policy_bad_record, POLICY_BAD_RECORDS_MAX);
    for (int32_t i = 0; i < c->header.record_count && c->bad_record_count < POLICY_BAD_RECORDS_MAX; i++) {
        if (j->is_bad[i] && c->bad_records != NULL) {
            c->bad_records[c->bad_record_count++] =
                (struct policy_bad_record){i, STR("value: begins with the word")};
        }
    }
}

// tally_fill says what is to be counted: by the word, whoever sent it.
static void tally_fill(struct policy_case *c, const struct judging *j)
{
    uint32_t bad = c->is_refused ? (uint32_t)c->header.record_count : (uint32_t)j->bad_count;
    uint32_t good = (uint32_t)c->header.record_count - bad;
    c->tally_who = bytes_of("w", 1);
    c->tallies = arena_new(c->arena, struct item_tally, 2);
    if (c->tallies == NULL) {
        return; // the request is over its memory limit
    }
    if (good > 0) {
        c->tallies[c->tally_count++] =
            (struct item_tally){bytes_of(j->word, j->word_len), TALLY_PASSED, good};
    }
    if (bad > 0) {
        c->tallies[c->tally_count++] = (struct item_tally){
            bytes_of(j->word, j->word_len), c->is_refused ? TALLY_REFUSED : TALLY_DEAD_LETTERED, bad};
    }
}

static struct judging *begin(struct test_policy *policy, struct policy_case *c)
{
    struct judging *j = mem_zalloc(sizeof *j);
    j->c = c;
    j->pool = broker_pool(broker_port_broker(c->port));
    j->timer.fire = on_wait_over;
    j->is_bad = mem_array((size_t)c->header.record_count, sizeof *j->is_bad);
    record_iterator_init_plain(&j->records, &c->header, c->records);
    uint32_t number = __atomic_add_fetch(&policy->cases, 1, __ATOMIC_RELAXED);
    j->has_waited = policy->wait_one_in == 0 || number % policy->wait_one_in != 0;
    return j;
}

static bool step_is_over(const struct test_policy *policy, const struct policy_case *c, int32_t records,
                         size_t bytes)
{
    return (policy->slice_records > 0 && records >= (int32_t)policy->slice_records) ||
           policy_slice_is_over(c, bytes);
}

static enum policy_step judge(void *arg, struct policy_case *c)
{
    struct test_policy *policy = arg;
    struct judging *j = c->state == NULL ? begin(policy, c) : c->state;
    c->state = j;
    __atomic_add_fetch(&policy->steps, 1, __ATOMIC_RELAXED);
    struct loop *loop = broker_port_loop(c->port);
    size_t opened = c->port->opened_bytes;
    policy->opened_max = opened > policy->opened_max ? opened : policy->opened_max;
    if (!j->has_waited) {
        j->has_waited = true;
        loop_timer_set(loop, &j->timer, loop_now_ns(loop) + WAIT_NS);
        return POLICY_WAIT;
    }
    if (!j->has_word) {
        word_load(c, j);
    }
    if (__atomic_load_n(&policy->is_endless, __ATOMIC_ACQUIRE)) {
        return POLICY_MORE;
    }
    struct record record;
    size_t bytes = 0;
    for (int32_t done = 0; !c->is_refused && record_iterator_next(&j->records, &record);) {
        j->is_bad[j->index] = record_is_bad(j, &record);
        j->bad_count += j->is_bad[j->index++];
        bytes += record.value.len;
        if (step_is_over(policy, c, ++done, bytes) && j->index < c->header.record_count) {
            return POLICY_MORE;
        }
    }
    if (j->bad_count > 0 && c->dlq_topic.ptr != NULL) {
        set_aside(c, j);
    } else if (j->bad_count > 0) {
        refuse(policy, c, j);
    }
    tally_fill(c, j);
    return POLICY_JUDGED;
}

static void settle(void *arg, struct policy_case *c, enum policy_end end)
{
    struct test_policy *policy = arg;
    struct judging *j = c->state;
    __atomic_add_fetch(&policy->ends[end], 1, __ATOMIC_RELAXED);
    mem_free(j->is_bad);
    mem_free(j);
}

void test_policy_init(struct test_policy *policy)
{
    *policy = (struct test_policy){.face = {.arg = policy, .judge = judge, .settle = settle}};
}
