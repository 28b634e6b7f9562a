// SPDX-License-Identifier: Apache-2.0
// contract_history.c - a contract tried on what a topic holds. Nearly all of the time goes into judging, so
// the offsets are cut into ranges, and each CPU reads and judges one after another over a connection of its
// own: the broker tells the aborted transactions of any range. Verdicts do not depend on who judges.
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/contract_trial.h"
#include "cli/log_reader.h"
#include "platform/real/process.h"

enum {
    READERS_MAX = 32,
    RANGES_PER_READER = 8,     // so that all end at about the same time
    RANGE_OFFSETS_MIN = 50000, // a range costs one answer that is read past its end

    PROGRESS_NS = 500000000,
};

#define SURE_95 1.959964 // of the normal distribution

struct range {
    int32_t partition;
    int64_t from;
    int64_t end;
};

struct history {
    struct trial *trial;
    struct str topic;
    struct uuid topic_id;
    struct range *ranges; // by partition and offset
    size_t range_count;
    bool is_sample;     // a range is one offset
    int64_t total;      // offsets
    struct mutex mutex; // over all below
    struct cond ended;  // a range, or a reader
    size_t taken;
    size_t readers;
    int64_t left; // of --limit; -1 = no limit. With one there is one reader
    int64_t records;
    int64_t failed;
    enum err err; // of the first that failed: all stop
    struct error error;
};

struct history_reader {
    struct history *history;
    struct trial_judge judge;
    struct client *client;
    int32_t partition;
    int64_t records; // of this range
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
    enum contract_action action = trial_record(&r->judge, record, r->partition);
    r->records++;
    r->failed += action >= CONTRACT_MARK ? 1 : 0;
    return true;
}

// range_next waits for nothing: all ranges are known when readers begin.
static bool range_next(struct history_reader *r, enum err err, const struct error *e, struct range *ret)
{
    struct history *h = r->history;
    mutex_lock(&h->mutex);
    if (err != ERR_OK && h->err == ERR_OK) {
        h->err = err;
        h->error = *e;
    }
    h->records += r->records;
    h->failed += r->failed;
    r->records = r->failed = 0;
    bool is_more = h->err == ERR_OK && h->taken < h->range_count && r->left != 0;
    if (is_more) {
        *ret = h->ranges[h->taken++];
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
    struct range range;
    struct error e = {0};
    log_reader_init(&reader, run, h->topic, h->topic_id);
    enum err err = client_create(run->env, client_address(run->client), args_int(run->args, "timeout-ms"),
                                 &r->client, &e);
    err = err == ERR_OK ? client_connect(r->client, &e) : err;
    reader.client = r->client;
    reader.fetch_bytes = h->is_sample ? 1 : reader.fetch_bytes; // a batch for each
    while (range_next(r, err, &e, &range)) {
        int64_t next;
        r->partition = range.partition;
        err = log_reader_records(&reader, range.partition, range.from, range.end, record_take, r, &next, &e);
    }
    client_destroy(r->client);
    log_reader_fini(&reader);
}

// progress_show waits for the readers. At a terminal it says how far they are.
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
            (void)fprintf(stderr, "\r%lld of some %lld records tried, %lld would fail", (long long)h->records,
                          (long long)h->total, (long long)h->failed);
            was_shown = true;
        }
        due_ns = is_due ? clock_mono_ns(clock) + PROGRESS_NS : due_ns;
    }
    mutex_unlock(&h->mutex);
    if (was_shown) {
        (void)fprintf(stderr, "\n");
    }
}

static bool ranges_make(struct history *h, const int32_t *partitions, const int64_t *starts,
                        const int64_t *ends, size_t count, size_t readers)
{
    size_t room = count + readers * RANGES_PER_READER + 1;
    for (size_t i = 0; i < count; i++) {
        h->total += ends[i] > starts[i] ? ends[i] - starts[i] : 0;
    }
    int64_t size = h->total / (int64_t)(readers * RANGES_PER_READER) + 1;
    size = size < RANGE_OFFSETS_MIN ? RANGE_OFFSETS_MIN : size;
    h->ranges = run_room(h->trial->run, room, sizeof *h->ranges);
    for (size_t i = 0; h->ranges != NULL && i < count; i++) {
        for (int64_t from = starts[i]; from < ends[i]; from += size) {
            int64_t end = ends[i] - from > size ? from + size : ends[i];
            h->ranges[h->range_count++] = (struct range){partitions[i], from, end};
        }
    }
    return h->ranges != NULL;
}

static int range_compare(const void *left, const void *right)
{
    const struct range *a = left;
    const struct range *b = right;
    if (a->partition != b->partition) {
        return a->partition < b->partition ? -1 : 1;
    }
    return a->from < b->from ? -1 : a->from > b->from;
}

// sample_draw draws offsets, each as likely as any other; one that holds no record does not count.
static bool sample_draw(struct history *h, const int32_t *partitions, const int64_t *starts,
                        const int64_t *ends, size_t count, size_t size)
{
    struct rng *rng = h->trial->run->env->rng;
    h->ranges = run_room(h->trial->run, size, sizeof *h->ranges);
    for (size_t i = 0; i < count; i++) {
        h->total += ends[i] > starts[i] ? ends[i] - starts[i] : 0;
    }
    h->is_sample = true;
    h->trial->sampled_of = h->total;
    for (size_t n = 0; h->ranges != NULL && h->total > 0 && n < size; n++) {
        int64_t at = (int64_t)(rng_u64(rng) % (uint64_t)h->total);
        size_t i = 0;
        while (ends[i] <= starts[i] || at >= ends[i] - starts[i]) {
            at -= ends[i] > starts[i] ? ends[i] - starts[i] : 0;
            i++;
        }
        h->ranges[h->range_count++] = (struct range){partitions[i], starts[i] + at, starts[i] + at + 1};
    }
    if (h->ranges != NULL) {
        qsort(h->ranges, h->range_count, sizeof *h->ranges, range_compare);
    }
    return h->ranges != NULL;
}

static void history_read(struct history *h, size_t wanted)
{
    struct threads *threads = h->trial->run->env->threads;
    size_t count = wanted < h->range_count ? wanted : h->range_count;
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

static bool topic_read(struct trial *trial, const struct metadata_response_topic *topic)
{
    struct run *run = trial->run;
    bool is_sample = args_given(run->args, "sample");
    int64_t limit = args_given(run->args, "limit") ? args_int(run->args, "limit") : -1;
    size_t count = (size_t)topic->partitions_count;
    size_t cpus = (size_t)process_cpu_count();
    size_t readers = limit >= 0 ? 1 : cpus < READERS_MAX ? cpus : READERS_MAX;
    int32_t *partitions = run_room(run, count, sizeof *partitions);
    int64_t *starts = run_room(run, count, sizeof *starts);
    int64_t *ends = run_room(run, count, sizeof *ends);
    struct history h = {.trial = trial, .topic = topic->name, .topic_id = topic->topic_id, .left = limit};
    if (partitions == NULL || starts == NULL || ends == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        partitions[i] = topic->partitions[i].partition_index;
    }
    if (!run_offsets(run, topic->name, partitions, count, OFFSETS_START, starts) ||
        !run_offsets(run, topic->name, partitions, count, OFFSETS_END, ends) ||
        !(is_sample ? sample_draw(&h, partitions, starts, ends, count, (size_t)args_int(run->args, "sample"))
                    : ranges_make(&h, partitions, starts, ends, count, readers))) {
        return false;
    }
    history_read(&h, readers);
    if (h.err != ERR_OK) {
        run_fail(run, run_print(run, "cannot read " STR_FMT, STR_ARG(topic->name)).ptr, h.err, &h.error,
                 NULL);
    }
    return h.err == ERR_OK;
}

void trial_bounds(const struct trial *trial, double *ret_low, double *ret_high)
{
    double n = (double)trial->counts.records;
    double p = n > 0 ? (double)trial_failed(&trial->counts) / n : 0;
    double z2 = SURE_95 * SURE_95;
    double middle = n > 0 ? (p + z2 / (2 * n)) / (1 + z2 / n) : 0.5;
    double half = n > 0 ? SURE_95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n) : 0.5;
    *ret_low = p > 0 && middle > half ? middle - half : 0; // not what rounding leaves
    *ret_high = (p < 1 || n == 0) && middle + half < 1 ? middle + half : 1;
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
