// SPDX-License-Identifier: Apache-2.0
// produce.c - `strom produce`: lines become records. A thread reads ahead (lines.h), the producer batches,
// keeps requests in flight and repeats (producer.h); this file has the flags, the partitioning and the
// summary.
#include "cli/cli_private.h"

#include "base/assert.h"
#include "cli/lines.h"
#include "cli/murmur2.h"
#include "cli/producer.h"

enum {
    LINE_BYTES_MAX = 32 << 20,
    HEADERS_MAX = 64,
    BATCH_BYTES = 900 << 10, // below the broker's usual max.message.bytes of 1048588
    NAME_TRIES_MAX = 20,     // while a topic is being created
    NAME_TRY_MS = 100,
    NS_PER_MS = 1000000,
};

static const struct args_flag produce_flags[] = {
    {"file", ARGS_TEXT, "PATH", "-", 0, 0, "Read lines from this file; \"-\" is standard input.",
     ARGS_WORDS_FILE},
    {"partition", ARGS_INT, "P", NULL, 0, INT32_MAX,
     "Send everything to this partition. Without it the key decides, by the hash that Kafka's own "
     "producers use; records without a key go to one partition at random per batch."},
    {"key", ARGS_TEXT, "KEY", NULL, 0, 0, "The key of every record."},
    {"key-separator", ARGS_TEXT, "SEP", NULL, 0, 0,
     "A line is KEY SEP VALUE, split at the first SEP; \\t is a tab. A line without SEP has no key."},
    {"header", ARGS_LIST, "KEY=VALUE", NULL, 0, 0, "A header of every record."},
    {"empty-as-null", ARGS_SWITCH, NULL, NULL, 0, 0,
     "An empty value becomes null: a tombstone, which deletes the key from a compacted topic."},
    {"compression", ARGS_CHOICE, "none|gzip|snappy|lz4|zstd", "none", 0, 0, "How to pack batches."},
    {"acks", ARGS_TEXT, "all|1|0", "all", 0, 0,
     "What counts as done. With all, records are neither lost nor written twice, even when the connection "
     "breaks in between (idempotent producer). With 0 nobody answers, and nobody knows."},
    {"batch-records", ARGS_INT, "N", "10000", 1, 1000000, "Records per batch, at most."},
    {"linger-ms", ARGS_INT, "MS", "5", 0, 60000, "How long a record waits for others to share a batch."},
    {"quiet", ARGS_SWITCH, NULL, NULL, 0, 0, "No summary at the end."},
};
static const struct args_spec produce_spec = {
    .command = "strom produce",
    .names_usage = "TOPIC",
    .summary = "write the lines of a file or of standard input to a topic",
    .text = "Each line becomes a record, without its end of line; a line holds at most 32 MiB. A topic "
            "that is not there is created if the broker's auto.create.topics.enable allows it.\n\n"
            "The summary goes to standard error; with --json it is an object on standard output.\n\n"
            "After an error the exit code is 1 and the message names the lines of the batch that failed. "
            "What came before them was written; of what follows them some may have been.",
    .examples = "  echo hello | strom produce greetings\n"
                "  strom produce orders --file orders.tsv --key-separator '\\t' --compression zstd\n"
                "  tail -f app.log | strom produce logs --header host=web1\n",
    .flags = produce_flags,
    .flag_count = sizeof produce_flags / sizeof *produce_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_TOPIC,
    .is_remote = true,
    .is_json = true,
};

struct produce {
    struct run *run;
    struct producer_options options;
    struct producer *producer;
    struct lines *lines;
    int32_t partition; // -1 = by key
    struct str key;    // NULL ptr = none
    struct str separator;
    char separator_text[64];
    struct record_header headers[HEADERS_MAX];
    int32_t header_count;
    bool is_empty_null;
    uint64_t line; // from 1
    int64_t begin_ns;
};

static bool headers_parse(struct produce *p)
{
    struct str text;
    for (size_t i = 0; args_list(p->run->args, "header", i, &text); i++) {
        struct str key;
        struct str value;
        if (p->header_count == HEADERS_MAX) {
            run_usage(p->run, "more than %d headers", HEADERS_MAX);
            return false;
        }
        if (!pair_split(text, &key, &value)) {
            run_usage(p->run, "--header wants key=value, not \"" STR_FMT "\"", STR_ARG(text));
            return false;
        }
        p->headers[p->header_count++] = (struct record_header){key, bytes_of(value.ptr, value.len)};
    }
    return true;
}

static bool acks_parse(struct produce *p)
{
    struct str text = args_text(p->run->args, "acks");
    if (str_equal(text, STR("all")) || str_equal(text, STR("-1"))) {
        p->options.acks = -1;
    } else if (str_equal(text, STR("1"))) {
        p->options.acks = 1;
    } else if (str_equal(text, STR("0"))) {
        p->options.acks = 0;
    } else {
        run_usage(p->run, "--acks is all, 1 or 0, not \"" STR_FMT "\"", STR_ARG(text));
        return false;
    }
    p->options.is_idempotent = p->options.acks == -1;
    return true;
}

// A shell hands "\t" over as two characters.
static bool separator_parse(struct produce *p)
{
    struct str text = args_text(p->run->args, "key-separator");
    if (text.ptr == NULL) {
        return true;
    }
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < sizeof p->separator_text; i++) {
        char c = text.ptr[i];
        if (c == '\\' && i + 1 < text.len && (text.ptr[i + 1] == 't' || text.ptr[i + 1] == '\\')) {
            c = text.ptr[++i] == 't' ? '\t' : '\\';
        }
        p->separator_text[len++] = c;
    }
    if (len == 0 || len == sizeof p->separator_text) {
        run_usage(p->run, "--key-separator wants 1 to %zu characters", sizeof p->separator_text - 1);
        return false;
    }
    p->separator = (struct str){p->separator_text, len};
    return true;
}

static bool flags_parse(struct produce *p)
{
    const struct args *args = p->run->args;
    p->options.topic = args->names[0];
    p->options.timeout_ms = args_int(args, "timeout-ms");
    p->options.linger_ms = args_int(args, "linger-ms");
    p->options.batch_records = (int32_t)args_int(args, "batch-records");
    p->options.batch_bytes = BATCH_BYTES;
    p->partition = args_given(args, "partition") ? (int32_t)args_int(args, "partition") : -1;
    p->key = args_text(args, "key");
    p->is_empty_null = args_given(args, "empty-as-null");
    ASSERT(codec_parse(args_text(args, "compression"), &p->options.codec));
    if (p->key.ptr != NULL && args_given(args, "key-separator")) {
        run_usage(p->run, "--key and --key-separator exclude each other");
        return false;
    }
    return headers_parse(p) && acks_parse(p) && separator_parse(p);
}

// topic_find learns the topic's id and partitions. A topic that the broker just creates takes a moment.
static bool topic_find(struct produce *p)
{
    struct run *run = p->run;
    const char *what = run_print(run, "cannot produce to " STR_FMT, STR_ARG(p->options.topic)).ptr;
    struct metadata_response found = {0};
    const struct metadata_response_topic *topic = NULL;
    for (int i = 0; i < NAME_TRIES_MAX; i++) {
        if (!run_topics(run, &p->options.topic, 1, true, &found)) {
            return false;
        }
        topic = found.topics_count == 1 ? found.topics : NULL;
        if (topic == NULL || topic->error != ERR_LEADER_NOT_AVAILABLE) {
            break;
        }
        clock_sleep_until(run->env->clock, clock_mono_ns(run->env->clock) + NAME_TRY_MS * NS_PER_MS);
    }
    enum err err = topic == NULL ? ERR_UNKNOWN : topic->error;
    if (err == ERR_OK && topic->partitions_count == 0) {
        err = ERR_LEADER_NOT_AVAILABLE;
    }
    if (err != ERR_OK) {
        run_topic_error(run, what, p->options.topic, err);
        return false;
    }
    if (p->partition >= topic->partitions_count) {
        run_refused(
            run, what, ERR_UNKNOWN_PARTITION,
            run_print(run, "it has partitions 0 to %d, not %d", topic->partitions_count - 1, p->partition),
            NULL);
        return false;
    }
    p->options.partition_count = topic->partitions_count;
    p->options.topic_id = topic->topic_id;
    return true;
}

// line_split finds the key; without one its ptr is NULL.
static struct bytes line_split(const struct produce *p, struct str line, struct bytes *ret_value)
{
    struct bytes key = bytes_of(p->key.ptr, p->key.len);
    *ret_value = bytes_of(line.ptr, line.len);
    if (p->separator.len > 0) {
        const char *at = memmem(line.ptr, line.len, p->separator.ptr, p->separator.len);
        if (at != NULL) {
            size_t key_len = (size_t)(at - line.ptr);
            key = bytes_of(line.ptr, key_len);
            *ret_value =
                bytes_slice(*ret_value, key_len + p->separator.len, line.len - key_len - p->separator.len);
        }
    }
    if (p->is_empty_null && ret_value->len == 0) {
        *ret_value = bytes_of(NULL, 0);
    }
    return key;
}

static enum err line_add(struct produce *p, struct str line, struct error *e)
{
    struct bytes value;
    struct bytes key = line_split(p, line, &value);
    int32_t partition = p->partition;
    if (partition < 0) {
        partition =
            key.ptr != NULL ? key_partition(key, p->options.partition_count) : producer_sticky(p->producer);
    }
    p->line++;
    return producer_add(p->producer, partition, key, value, p->headers, p->header_count, p->line, e);
}

// pump moves lines into the producer until they end or something fails. ret_is_input: the lines failed.
static enum err pump(struct produce *p, bool *ret_is_input, struct error *e)
{
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        struct str line;
        switch (lines_take(p->lines, &line, e)) {
        case LINES_LINE:
            err = line_add(p, line, e);
            break;
        case LINES_NONE_YET:
            err = producer_wait(p->producer, e);
            break;
        case LINES_END:
            return producer_drain(p->producer, e);
        case LINES_FAILED:
            *ret_is_input = true;
            err = e->code;
            if (producer_drain(p->producer, NULL) != ERR_OK) { // what was read well still goes out
                run_note("strom: what was read before could not be written either");
            }
            break;
        }
    }
    return err;
}

static void summary(struct produce *p)
{
    struct producer_stats stats = producer_stats(p->producer);
    struct run *run = p->run;
    double seconds = (double)(clock_mono_ns(run->env->clock) - p->begin_ns) / 1e9;
    if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_str(&run->json, "topic", p->options.topic);
        json_pair_i64(&run->json, "records", (int64_t)stats.records);
        json_pair_i64(&run->json, "bytes", (int64_t)stats.bytes);
        json_pair_i64(&run->json, "batches", (int64_t)stats.batches);
        json_pair_i64(&run->json, "batch_bytes", (int64_t)stats.wire_bytes);
        json_pair_i64(&run->json, "retries", (int64_t)stats.retries);
        json_pair_i64(&run->json, "duration_ms", (int64_t)(seconds * 1e3));
        json_object_end(&run->json);
        buf_u8(&run->out, '\n');
        return;
    }
    if (!args_given(run->args, "quiet")) {
        double rate = seconds > 0 ? (double)stats.records / seconds : 0;
        run_note("%s %llu record%s (%llu bytes, %llu on the wire) to " STR_FMT " in %.3f s: %.0f records/s",
                 p->options.acks == 0 ? "Sent" : "Wrote", (unsigned long long)stats.records,
                 stats.records == 1 ? "" : "s", (unsigned long long)stats.bytes,
                 (unsigned long long)stats.wire_bytes, STR_ARG(p->options.topic), seconds, rate);
    }
}

static void wake(void *arg)
{
    client_wake(arg);
}

static bool producer_open(struct produce *p)
{
    struct error e = {0};
    bool is_refused = false;
    p->producer = producer_create(p->run->env, p->run->client, &p->options);
    int64_t deadline_ns = run_deadline(p->run);
    enum err err;
    do {
        err = producer_start(p->producer, &is_refused, &e);
    } while (is_refused && run_retry(p->run, err, deadline_ns));
    if (err != ERR_OK) {
        run_fail(p->run, "cannot get a producer id", err, is_refused ? NULL : &e,
                 "--acks 1 does without it, and without its guarantees");
        return false;
    }
    struct str path = args_text(p->run->args, "file");
    err = lines_open(p->run->env, path, LINE_BYTES_MAX, wake, p->run->client, &p->lines, &e);
    if (err != ERR_OK) {
        run_fail(p->run, "cannot read the lines", err, &e, NULL);
    }
    return err == ERR_OK;
}

static const char *refusal_hint(enum err err, const struct error *e)
{
    if (err == ERR_BATCH_TOO_LARGE) {
        return "raise max.message.bytes: `strom topic alter TOPIC --config max.message.bytes=...`";
    }
    if (err == ERR_INVALID_RECORD && strstr(e->text, "without a key") != NULL) {
        return "a compacted topic wants a key: --key or --key-separator";
    }
    return err == ERR_INVALID_RECORD ? "`strom contract violations` shows what a contract refused" : NULL;
}

static void produce(struct produce *p)
{
    struct error e = {0};
    bool is_input = false;
    p->begin_ns = clock_mono_ns(p->run->env->clock);
    enum err err = pump(p, &is_input, &e);
    summary(p);
    if (err != ERR_OK && is_input) {
        run_fail(p->run, run_print(p->run, "after line %llu", (unsigned long long)p->line).ptr, err, &e,
                 NULL);
    } else if (err != ERR_OK) {
        if (producer_is_refused(p->producer)) {
            e.file = NULL; // the broker's words
        }
        run_fail(p->run, run_print(p->run, "cannot write to " STR_FMT, STR_ARG(p->options.topic)).ptr, err,
                 &e, refusal_hint(err, &e));
    }
}

static int produce_run(int argc, char **argv)
{
    struct run run;
    struct produce p = {.run = &run};
    if (run_start(&run, &produce_spec, argc, argv) && flags_parse(&p) && run_connect(&run) &&
        topic_find(&p) && producer_open(&p)) {
        produce(&p);
    }
    bool is_free = lines_close(p.lines);
    producer_destroy(p.producer);
    if (!is_free) {
        run.env = NULL; // a thread still sits in it; the process ends soon
    }
    return run_finish(&run);
}

const struct cli_command produce_command = {.name = "produce", .spec = &produce_spec, .run = produce_run};
