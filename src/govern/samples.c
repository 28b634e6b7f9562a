// SPDX-License-Identifier: Apache-2.0
// samples.c - the newest violations: who sent which record, what rule it broke and why. A ring in memory,
// which begins with the process.
#include "base/mem.h"
#include "govern/govern_private.h"
#include "json/write.h"

enum { SAMPLE_TEXTS = 7 };

struct kept_sample {
    struct sample sample; // its texts lie in `texts`
    char *texts;
};

static struct str text_put(char **at, struct str text)
{
    struct str copy = {text.ptr == NULL ? NULL : *at, text.len};
    if (text.len > 0) {
        memcpy(*at, text.ptr, text.len);
        *at += text.len;
    }
    return copy;
}

void samples_add(struct samples *samples, const struct sample *sample)
{
    struct kept_sample kept = {.sample = *sample};
    struct str *texts[SAMPLE_TEXTS] = {&kept.sample.topic,   &kept.sample.client_id, &kept.sample.principal,
                                       &kept.sample.subject, &kept.sample.rule,      &kept.sample.path,
                                       &kept.sample.reason};
    size_t size = 1;
    for (size_t i = 0; i < SAMPLE_TEXTS; i++) {
        size += texts[i]->len;
    }
    char *at = kept.texts = mem_alloc(size);
    for (size_t i = 0; i < SAMPLE_TEXTS; i++) {
        *texts[i] = text_put(&at, *texts[i]);
    }
    mutex_lock(&samples->lock);
    struct kept_sample *slot = &samples->ring[samples->count++ % GOVERN_SAMPLES_MAX];
    char *gone = slot->texts;
    *slot = kept;
    if (samples->listener != NULL) {
        loop_post(samples->loop, samples->listener);
        samples->listener = NULL;
    }
    mutex_unlock(&samples->lock);
    mem_free(gone);
}

static void sample_print(const struct sample *s, uint64_t number, struct json *j)
{
    json_object_begin(j);
    json_pair_i64(j, "number", (int64_t)number);
    json_pair_i64(j, "time_ms", s->time_ms);
    json_pair_str(j, "topic", s->topic);
    json_pair_i64(j, "partition", s->partition);
    json_pair_i64(j, "index", s->index);
    json_key(j, "offset");
    if (s->offset < 0) {
        json_null(j);
    } else {
        json_i64(j, s->offset);
    }
    json_pair_str(j, "client", s->client_id);
    json_pair_str(j, "principal", s->principal);
    json_pair_str(j, "subject", s->subject);
    json_pair_i64(j, "version", s->version);
    json_pair_str(j, "side", side_name(s->side));
    json_pair_str(j, "rule", s->rule);
    json_pair_str(j, "path", s->path);
    json_pair_str(j, "reason", s->reason);
    json_pair_str(j, "action", str_from_c(contract_action_name(s->action)));
    json_object_end(j);
}

static const struct sample *sample_at(const struct samples *samples, uint64_t number)
{
    return &samples->ring[(number - 1) % GOVERN_SAMPLES_MAX].sample;
}

static bool is_of(const struct sample *s, struct str topic)
{
    return topic.ptr == NULL || str_equal(topic, s->topic);
}

// first_of gives the number of the first sample to show: the `limit` newest, or the next after `after`.
static uint64_t first_of(const struct samples *samples, struct str topic, int64_t after, size_t limit)
{
    uint64_t last = samples->count;
    uint64_t first = last < GOVERN_SAMPLES_MAX ? 1 : last - GOVERN_SAMPLES_MAX + 1;
    if (after >= 0 && (uint64_t)after > last) { // a number of before the last start
        return first;
    }
    if (after >= 0) {
        return (uint64_t)after >= first ? (uint64_t)after + 1 : first;
    }
    uint64_t number = last + 1;
    for (size_t shown = 0; number > first && shown < limit;) {
        number--;
        shown += is_of(sample_at(samples, number), topic);
    }
    return number;
}

// Numbers begin with 1 and rise; the ring has the newest.
void samples_print(struct samples *samples, struct str topic, int64_t after, size_t limit, struct buf *out)
{
    struct json j = {.out = out};
    size_t shown = 0;
    mutex_lock(&samples->lock);
    uint64_t number = first_of(samples, topic, after, limit);
    json_object_begin(&j);
    json_key(&j, "violations");
    json_array_begin(&j);
    for (; number <= samples->count && shown < limit; number++) {
        if (is_of(sample_at(samples, number), topic)) {
            sample_print(sample_at(samples, number), number, &j);
            shown++;
        }
    }
    json_array_end(&j);
    json_pair_i64(&j, "last", (int64_t)number - 1);
    json_object_end(&j);
    mutex_unlock(&samples->lock);
}

bool samples_any(struct samples *samples, struct str topic, int64_t after)
{
    bool is_any = false;
    mutex_lock(&samples->lock);
    for (uint64_t number = first_of(samples, topic, after, 1); number <= samples->count && !is_any;
         number++) {
        is_any = is_of(sample_at(samples, number), topic);
    }
    mutex_unlock(&samples->lock);
    return is_any;
}

void samples_listen(struct samples *samples, struct loop *loop, struct task *task)
{
    mutex_lock(&samples->lock);
    samples->loop = loop;
    samples->listener = task;
    mutex_unlock(&samples->lock);
}

void samples_init(struct samples *samples, struct env *env)
{
    mutex_init(&samples->lock, env->threads);
    samples->ring = mem_array(GOVERN_SAMPLES_MAX, sizeof *samples->ring);
}

void samples_fini(struct samples *samples)
{
    for (size_t i = 0; i < GOVERN_SAMPLES_MAX; i++) {
        mem_free(samples->ring[i].texts);
    }
    mem_free(samples->ring);
    mutex_fini(&samples->lock);
}
