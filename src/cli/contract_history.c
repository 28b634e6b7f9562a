// SPDX-License-Identifier: Apache-2.0
// contract_history.c - a contract tried on what a topic holds. Nearly all of the time goes into judging, so
// the offsets are cut into places, and each CPU reads and judges one after another over a connection of its
// own: the broker tells the aborted transactions of any of them. Verdicts do not depend on who judges. The
// places come in random order, so that what was judged so far is a fair sample of the whole at any moment
// (docs/decisions/0015).
#include <stdlib.h>

#include "base/mem.h"
#include "cli/contract_trial.h"
#include "cli/log_reader.h"
#include "platform/real/process.h"

enum {
    READERS_MAX = 32,
    PLACE_OFFSETS_MIN = 5000, // of what is judged as a whole: a place costs a batch that is read in vain
    WAIT_MS = 1,              // for what open transactions hold back: it is not waited for

    PROGRESS_NS = 200000000,
};

struct history {
    struct trial *trial;
    struct str topic;
    struct uuid topic_id;
    struct sample_span *places;
    size_t place_count;
    struct mutex mutex; // over all below, and the trial's size and failed
    struct cond ended;  // a place, or a reader
    size_t taken;
    size_t readers;
    int64_t left; // of --limit; -1 = no limit. With one there is one reader
    enum err err; // of the first that failed: all stop
    struct error error;
};

struct history_reader {
    struct history *history;
    struct trial_judge judge;
    struct client *client;
    struct sample_span place; // that is read
    int64_t records;          // of it
    int64_t failed;
    int64_t left;
};

static bool record_take(void *arg, const struct record *record)
{
    struct history_reader *r = arg;
    if (r->left == 0) {
        return false;
    }
    r->left -= r->left > 0 ? 1 : 0;
    enum contract_action action = trial_record(&r->judge, record, r->place.partition);
    r->records++;
    r->failed += action >= CONTRACT_MARK ? 1 : 0;
    return true;
}

// place_next waits for nothing: all places are known when readers begin.
static bool place_next(struct history_reader *r, enum err err, const struct error *e)
{
    struct history *h = r->history;
    trial_place_end(&r->judge, r->records);
    mutex_lock(&h->mutex);
    if (err != ERR_OK && h->err == ERR_OK) {
        h->err = err;
        h->error = *e;
    }
    sample_size_add(&h->trial->size, r->place.end - r->place.start, r->records);
    sample_found_add(&h->trial->failed, r->failed, r->records);
    r->records = r->failed = 0;
    bool is_more = h->err == ERR_OK && h->taken < h->place_count && r->left != 0;
    if (is_more) {
        r->place = h->places[h->taken++];
    } else {
        h->readers--;
    }
    cond_signal(&h->ended);
    mutex_unlock(&h->mutex);
    return is_more;
}

static void reader_run(void *arg)
{
    struct history_reader *r = arg;
    struct history *h = r->history;
    struct run *run = h->trial->run;
    struct log_reader reader;
    struct error e = {0};
    log_reader_init(&reader, run, h->topic, h->topic_id);
    enum err err = client_create(run->env, client_address(run->client), args_int(run->args, "timeout-ms"),
                                 &r->client, &e);
    if (err == ERR_OK) {
        client_lend(r->client);
        err = client_connect(r->client, &e);
    }
    reader.client = r->client;
    reader.wait_ms = WAIT_MS;
    while (place_next(r, err, &e)) {
        int64_t next;
        err = log_reader_records(&reader, r->place.partition, r->place.start, r->place.end, record_take, r,
                                 &next, &e);
    }
    client_destroy(r->client);
    log_reader_fini(&reader);
}

static void progress_line(const struct trial *trial)
{
    double low;
    double high;
    if (trial->first > 0) { // of the first ones nothing follows for the others
        (void)fprintf(stderr, "\r%lld of %lld records judged, the first ones: %lld would fail    ",
                      (long long)trial->size.records, (long long)trial->first,
                      (long long)trial->failed.records);
        return;
    }
    sample_bounds(&trial->size, &trial->failed, &low, &high);
    (void)fprintf(stderr, "\r%lld of some %lld records judged: %.3g %% to %.3g %% would fail    ",
                  (long long)trial->size.records,
                  (long long)(trial->is_sample ? trial->sample : trial->offsets), 100 * low, 100 * high);
}

// progress_show waits for the readers. At a terminal it says what is known so far.
static void progress_show(struct history *h)
{
    struct clock *clock = h->trial->run->env->clock;
    bool is_shown = process_is_tty(PROCESS_STDERR) && !h->trial->run->is_json;
    int64_t due_ns = clock_mono_ns(clock) + PROGRESS_NS;
    bool was_shown = false;
    mutex_lock(&h->mutex);
    while (h->readers > 0) {
        bool is_due = !cond_wait(&h->ended, &h->mutex, due_ns);
        if (is_due && is_shown) {
            progress_line(h->trial);
            was_shown = true;
        }
        due_ns = is_due ? clock_mono_ns(clock) + PROGRESS_NS : due_ns;
    }
    mutex_unlock(&h->mutex);
    if (was_shown) {
        (void)fprintf(stderr, "\n");
    }
}

// places_cut cuts all offsets into places; in order for the first records, which --limit asks for.
static bool places_cut(struct history *h, const struct sample_span *spans, size_t count)
{
    int64_t size = h->trial->offsets / SAMPLE_PLACES_MAX + 1;
    size = size < PLACE_OFFSETS_MIN ? PLACE_OFFSETS_MIN : size;
    h->places = run_room(h->trial->run, count + SAMPLE_PLACES_MAX, sizeof *h->places);
    for (size_t i = 0; h->places != NULL && i < count; i++) {
        for (int64_t left = spans[i].end - spans[i].start; left > 0; left -= size) {
            int64_t start = spans[i].end - left;
            int64_t end = left > size ? start + size : spans[i].end;
            h->places[h->place_count++] = (struct sample_span){spans[i].partition, start, end};
        }
    }
    if (h->places != NULL && h->left < 0) {
        sample_shuffle(h->places, h->place_count, h->trial->run->env->rng);
    }
    return h->places != NULL;
}

static bool places_draw(struct history *h, const struct sample_span *spans, size_t count)
{
    struct run *run = h->trial->run;
    h->places = run_room(run, SAMPLE_PLACES_MAX, sizeof *h->places);
    if (h->places != NULL) {
        h->trial->run_seen = sample_run_seen(spans, count, h->trial->sample);
        h->place_count = sample_draw(spans, count, h->trial->sample, run->env->rng, h->places);
    }
    return h->places != NULL;
}

static void history_read(struct history *h, size_t wanted)
{
    struct threads *threads = h->trial->run->env->threads;
    size_t count = wanted < h->place_count ? wanted : h->place_count;
    struct history_reader *readers = mem_array(count + 1, sizeof *readers);
    struct thread *started[READERS_MAX];
    mutex_init(&h->mutex, threads);
    cond_init(&h->ended, threads);
    h->readers = count;
    for (size_t i = 0; i < count; i++) {
        readers[i] = (struct history_reader){.history = h, .left = h->left};
        trial_judge_init(&readers[i].judge, h->trial);
        started[i] = thread_start(threads, "history", reader_run, &readers[i]);
    }
    progress_show(h);
    for (size_t i = 0; i < count; i++) {
        thread_join(threads, started[i]);
        trial_judge_end(&readers[i].judge);
    }
    cond_fini(&h->ended);
    mutex_fini(&h->mutex);
    mem_free(readers);
}

// spans_find asks which offsets the topic has. NULL after saying why not.
static struct sample_span *spans_find(struct run *run, const struct metadata_response_topic *topic)
{
    size_t count = (size_t)topic->partitions_count;
    int32_t *partitions = run_room(run, count, sizeof *partitions);
    int64_t *starts = run_room(run, count, sizeof *starts);
    int64_t *ends = run_room(run, count, sizeof *ends);
    struct sample_span *spans = run_room(run, count, sizeof *spans);
    if (partitions == NULL || starts == NULL || ends == NULL || spans == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        partitions[i] = topic->partitions[i].partition_index;
    }
    if (!run_offsets(run, topic->name, partitions, count, OFFSETS_START, starts) ||
        !run_offsets(run, topic->name, partitions, count, OFFSETS_END, ends)) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t start = starts[i] > 0 ? starts[i] : 0;
        spans[i] = (struct sample_span){partitions[i], start, ends[i] > start ? ends[i] : start};
    }
    return spans;
}

static bool topic_read(struct trial *trial, const struct metadata_response_topic *topic)
{
    struct run *run = trial->run;
    size_t count = (size_t)topic->partitions_count;
    size_t cpus = (size_t)process_cpu_count();
    struct history h = {.trial = trial, .topic = topic->name, .topic_id = topic->topic_id, .left = -1};
    struct sample_span *spans = spans_find(run, topic);
    if (spans == NULL) {
        return false;
    }
    h.left = args_given(run->args, "limit") ? args_int(run->args, "limit") : -1;
    trial->offsets = sample_span_total(spans, count);
    if (trial->offsets == INT64_MAX) {
        struct error e;
        enum err err = FAIL(&e, ERR_CORRUPT, "the broker claims more offsets than there can be");
        run_fail(run, run_print(run, "cannot read " STR_FMT, STR_ARG(topic->name)).ptr, err, &e, NULL);
        return false;
    }
    trial->first = h.left >= 0 && h.left < trial->offsets ? h.left : 0;
    trial->is_sample = trial->sample > 0 && trial->sample < trial->offsets;
    if (!(trial->is_sample ? places_draw(&h, spans, count) : places_cut(&h, spans, count))) {
        return false;
    }
    history_read(&h, h.left >= 0 ? 1 : cpus < READERS_MAX ? cpus : READERS_MAX);
    if (h.err != ERR_OK) {
        run_fail(run, run_print(run, "cannot read " STR_FMT, STR_ARG(topic->name)).ptr, h.err, &h.error,
                 NULL);
    }
    return h.err == ERR_OK;
}

bool trial_topic(struct trial *trial, struct str topic)
{
    struct metadata_response found;
    if (!run_topics(trial->run, &topic, 1, false, &found)) {
        return false;
    }
    bool is_there = found.topics_count == 1 && found.topics->error == ERR_OK;
    return !is_there || topic_read(trial, found.topics);
}
