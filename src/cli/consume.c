// SPDX-License-Identifier: Apache-2.0
// consume.c - `strom consume`: fetches any number of partitions over one connection and prints their records.
// Every batch's checksum is verified. A lost connection is opened again; reading goes on where it stopped.
#include "cli/cli_private.h"

#include "base/mem.h"
#include "cli/record_format.h"

enum {
    FETCH_BYTES_MAX = 16 << 20,
    FETCH_PARTITION_BYTES_MAX = 4 << 20,
    FETCH_WAIT_MS = 500,
    ANSWER_ARENA_BYTES = 640 << 20,
    OUT_FLUSH_BYTES = 256 << 10,
    RETRY_MS = 100,
    NS_PER_MS = 1000000,
};

static const struct args_flag consume_flags[] = {
    {"partition", ARGS_INTS, "P", NULL, 0, INT32_MAX, "Read this partition. Without it: all of them."},
    {"offset", ARGS_TEXT, "WHERE", "earliest", 0, 0,
     "Where to begin: earliest, latest, an offset (of several partitions each begins at the nearest that "
     "it has), -N (the last N of each partition), or @MS (records from this time on, in milliseconds since "
     "1970)."},
    {"count", ARGS_INT, "N", NULL, 1, INT64_MAX, "Stop after this many records."},
    {"exit", ARGS_SWITCH, NULL, NULL, 0, 0, "Stop at what was the end when the command began."},
    {"follow", ARGS_SWITCH, NULL, NULL, 0, 0, "Wait for new records; so it is without --exit."},
    {"format", ARGS_TEXT, "FORMAT", NULL, 0, 0,
     "How to print a record: %t topic, %p partition, %o offset, %T timestamp in ms, %k key, %v value, %K "
     "and %S their bytes (-1 for null), %h headers; \\n"
     ", \\t, \\0, \\xNN. Without it: \"%v\\n"
     "\"."},
    {"show-key", ARGS_SWITCH, NULL, NULL, 0, 0, "Print the key and a tab before the value."},
    {"show-headers", ARGS_SWITCH, NULL, NULL, 0, 0, "Print the headers and a tab before that."},
    {"show-timestamp", ARGS_SWITCH, NULL, NULL, 0, 0, "Print the timestamp and a tab before that."},
    {"show-offset", ARGS_SWITCH, NULL, NULL, 0, 0, "Print partition:offset and a tab before that."},
    {"null", ARGS_TEXT, "TEXT", "", 0, 0, "What to print for a key or value that is null."},
    {"group", ARGS_TEXT, "GROUP", NULL, 0, 0, "Not there yet: consumer groups come in a later release."},
};
static const struct args_spec consume_spec = {
    .command = "strom consume",
    .names_usage = "TOPIC",
    .summary = "print the records of a topic",
    .text = "Prints records as they come, each partition in its order. It begins with the oldest record "
            "and waits for new ones until Ctrl-C; --exit and --count end it.\n\n"
            "With --json each record is one line: topic, partition, offset, timestamp, key, value and "
            "headers. A key or value that is not UTF-8 is null there, and \"key_base64\" or "
            "\"value_base64\" has it.",
    .examples = "  strom consume orders\n"
                "  strom consume orders --offset latest --show-key\n"
                "  strom consume orders --exit --json | jq .value\n"
                "  strom consume orders --partition 0 --partition 3 --offset -10 --exit\n"
                "  strom consume orders --format '%T %k=%v\\n' --offset @1700000000000 --count 100\n",
    .flags = consume_flags,
    .flag_count = sizeof consume_flags / sizeof *consume_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_TOPIC,
    .is_remote = true,
    .is_json = true,
};

struct consume_part {
    int32_t partition;
    int64_t next; // offset to read
    int64_t end;  // --exit: stop here
    bool is_done;
};

struct consume {
    struct run *run;
    struct str topic;
    struct uuid topic_id;
    struct consume_part *parts;
    size_t part_count;
    size_t first; // whose turn it is in a request: large answers would starve the last one otherwise
    struct str format;
    char format_text[64];
    struct str null_text;
    int64_t count_left; // -1 = no limit
    bool is_exiting;
    bool is_over;
    struct arena arena; // one answer
    struct codec_context codec;
    int64_t progress_ns; // when an answer came last
    bool is_trouble_told;
};

// ---- flags

static bool format_choose(struct consume *c)
{
    const struct args *args = c->run->args;
    struct str format = args_text(args, "format");
    snprintf(c->format_text, sizeof c->format_text, "%s%s%s%s%s",
             args_given(args, "show-offset") ? "%p:%o\\t" : "",
             args_given(args, "show-timestamp") ? "%T\\t" : "",
             args_given(args, "show-headers") ? "%h\\t" : "", args_given(args, "show-key") ? "%k\\t" : "",
             "%v\\n");
    c->format = format.ptr != NULL ? format : str_from_c(c->format_text);
    c->null_text = args_text(args, "null");
    struct error e = {0};
    if (record_format_check(c->format, &e) != ERR_OK) {
        run_usage(c->run, "--format %s", e.text);
        return false;
    }
    return true;
}

static bool flags_parse(struct consume *c)
{
    const struct args *args = c->run->args;
    c->topic = args->names[0];
    c->count_left = args_given(args, "count") ? args_int(args, "count") : -1;
    c->is_exiting = args_given(args, "exit");
    if (args_given(args, "group")) {
        run_usage(
            c->run,
            "consumer groups are not there yet: leave --group out and say where to begin with --offset");
        return false;
    }
    if (c->is_exiting && args_given(args, "follow")) {
        run_usage(c->run, "--exit and --follow exclude each other");
        return false;
    }
    return format_choose(c);
}

// ---- where to begin

static bool parts_choose(struct consume *c, const struct metadata_response_topic *topic, const char *what)
{
    struct str text;
    size_t asked = 0;
    while (args_list(c->run->args, "partition", asked, &text)) {
        asked++;
    }
    size_t all = (size_t)topic->partitions_count;
    c->parts = mem_array(asked > 0 ? asked : all + 1, sizeof *c->parts);
    for (size_t i = 0; i < (asked > 0 ? asked : all); i++) {
        int64_t partition = 0;
        if (asked == 0) {
            partition = topic->partitions[i].partition_index;
        } else if (!args_list(c->run->args, "partition", i, &text) || !str_parse_i64(text, &partition) ||
                   partition >= topic->partitions_count) {
            run_refused(c->run, what, ERR_UNKNOWN_PARTITION,
                        run_print(c->run, "it has partitions 0 to %d, not %lld", topic->partitions_count - 1,
                                  (long long)partition),
                        NULL);
            return false;
        }
        bool is_known = false;
        for (size_t k = 0; k < c->part_count && asked > 0; k++) {
            is_known = is_known || c->parts[k].partition == (int32_t)partition;
        }
        if (!is_known) {
            c->parts[c->part_count++].partition = (int32_t)partition;
        }
    }
    return true;
}

enum where { WHERE_START, WHERE_END, WHERE_OFFSET, WHERE_LAST, WHERE_TIME };

static bool where_parse(struct run *run, enum where *ret_where, int64_t *ret_number)
{
    struct str text = args_text(run->args, "offset");
    *ret_number = 0;
    if (str_equal(text, STR("earliest")) || str_equal(text, STR("beginning"))) {
        *ret_where = WHERE_START;
        return true;
    }
    if (str_equal(text, STR("latest")) || str_equal(text, STR("end"))) {
        *ret_where = WHERE_END;
        return true;
    }
    bool is_time = text.len > 0 && text.ptr[0] == '@';
    struct str digits = is_time ? (struct str){text.ptr + 1, text.len - 1} : text;
    if (!str_parse_i64(digits, ret_number) || (is_time && *ret_number < 0)) {
        run_usage(run, "--offset is earliest, latest, N, -N or @MS, not \"" STR_FMT "\"", STR_ARG(text));
        return false;
    }
    *ret_where = is_time ? WHERE_TIME : text.ptr[0] == '-' ? WHERE_LAST : WHERE_OFFSET;
    return true;
}

static bool part_begin(struct consume *c, struct consume_part *part, enum where where, int64_t number,
                       int64_t start, int64_t at_time, const char *what)
{
    switch (where) {
    case WHERE_START:
        part->next = start;
        break;
    case WHERE_END:
        part->next = part->end;
        break;
    case WHERE_LAST:
        part->next = number < start - part->end ? start : part->end + number;
        break;
    case WHERE_TIME:
        part->next = at_time < 0 ? part->end : at_time;
        break;
    case WHERE_OFFSET:
        part->next = number;
        break;
    }
    bool is_outside = part->next < start || part->next > part->end;
    if (is_outside && c->part_count == 1) {
        run_refused(c->run, what, ERR_OFFSET_OUT_OF_RANGE,
                    run_print(c->run, "partition %d has offsets %lld to %lld", part->partition,
                              (long long)start, (long long)part->end),
                    "--offset earliest begins at the first one there is");
        return false;
    }
    if (is_outside) { // one offset for several partitions seldom fits all
        run_note("strom: partition %d has offsets %lld to %lld: beginning at the nearest", part->partition,
                 (long long)start, (long long)part->end);
        part->next = part->next < start ? start : part->end;
    }
    part->is_done = c->is_exiting && part->next >= part->end;
    return true;
}

static bool parts_begin(struct consume *c, const char *what)
{
    enum where where;
    int64_t number;
    struct run *run = c->run;
    size_t count = c->part_count;
    int32_t *partitions = arena_new(&run->arena, int32_t, count + 1);
    int64_t *starts = arena_new(&run->arena, int64_t, count + 1);
    int64_t *ends = arena_new(&run->arena, int64_t, count + 1);
    int64_t *times = arena_new(&run->arena, int64_t, count + 1);
    if (partitions == NULL || starts == NULL || ends == NULL || times == NULL) {
        run_fail(run, what, ERR_NO_MEMORY, NULL, NULL);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        partitions[i] = c->parts[i].partition;
    }
    if (!where_parse(run, &where, &number) ||
        (where == WHERE_TIME && !run_offsets(run, c->topic, partitions, count, number, times)) ||
        !run_offsets(run, c->topic, partitions, count, OFFSETS_START, starts) ||
        !run_offsets(run, c->topic, partitions, count, OFFSETS_END, ends)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        c->parts[i].end = ends[i];
        if (!part_begin(c, &c->parts[i], where, number, starts[i], times[i], what)) {
            return false;
        }
    }
    return true;
}

static bool consume_begin(struct consume *c)
{
    struct metadata_response found;
    const char *what = run_print(c->run, "cannot consume " STR_FMT, STR_ARG(c->topic)).ptr;
    if (!run_topics(c->run, &c->topic, 1, false, &found)) {
        return false;
    }
    enum err err = found.topics_count == 1 ? found.topics->error : ERR_UNKNOWN;
    if (err != ERR_OK) {
        run_topic_error(c->run, what, c->topic, err);
        return false;
    }
    c->topic_id = found.topics->topic_id;
    return parts_choose(c, found.topics, what) && parts_begin(c, what);
}

// ---- records

static bool record_print(struct consume *c, const struct record_place *place, const struct record *record)
{
    struct run *run = c->run;
    if (run->is_json) {
        record_json_print(place, record, &run->json);
    } else {
        record_format_print(c->format, c->null_text, place, record, &run->out);
    }
    if (run->out.len >= OUT_FLUSH_BYTES && !run_flush(run)) {
        c->is_over = true;
    }
    if (c->count_left > 0 && --c->count_left == 0) {
        c->is_over = true;
    }
    return !c->is_over;
}

static enum err batch_print(struct consume *c, struct consume_part *part, struct bytes batch,
                            const struct batch_header *header, struct error *e)
{
    struct record_iterator it;
    struct record record;
    struct record_place place = {c->topic, part->partition};
    if (!batch_crc_check(batch)) {
        return FAIL(e, ERR_CORRUPT, "partition %d, offset %lld: the checksum of the batch does not match",
                    part->partition, (long long)header->base_offset);
    }
    if (batch_is_control(header)) {
        part->next = batch_last_offset(header) + 1;
        return ERR_OK;
    }
    enum err err = record_iterator_init(&it, &c->codec, batch, NULL, e);
    if (err != ERR_OK) {
        return err;
    }
    while (!c->is_over && record_iterator_next(&it, &record)) {
        if (record.offset >= part->next && !(c->is_exiting && record.offset >= part->end)) {
            part->next = record.offset + 1;
            (void)record_print(c, &place, &record);
        }
    }
    err = record_iterator_fini(&it, e);
    if (err == ERR_OK && !c->is_over) {
        part->next = batch_last_offset(header) + 1; // also past what compaction left out
    } else if (err != ERR_OK) {
        error_wrap(e, "partition %d, offset %lld", part->partition, (long long)header->base_offset);
    }
    return err;
}

// records_print walks the batches of one partition's answer; the last one may be cut off.
static enum err records_print(struct consume *c, struct consume_part *part, struct bytes records,
                              struct error *e)
{
    int64_t before = part->next;
    struct bytes all = records;
    while (records.len >= BATCH_HEADER_SIZE && !c->is_over) {
        struct batch_header header;
        enum err err = batch_header_read(records, &header, e);
        if (err != ERR_OK) {
            error_wrap(e, "partition %d, offset %lld", part->partition, (long long)part->next);
            return err;
        }
        if (header.size > records.len) {
            break;
        }
        if (batch_last_offset(&header) >= part->next) {
            err = batch_print(c, part, bytes_slice(records, 0, header.size), &header, e);
        }
        if (err != ERR_OK) {
            return err;
        }
        records = bytes_slice(records, header.size, records.len - header.size);
    }
    if (all.len > 0 && part->next == before && !c->is_over) {
        return FAIL(e, ERR_BATCH_TOO_LARGE, "partition %d, offset %lld: no whole batch within %d bytes",
                    part->partition, (long long)part->next, FETCH_PARTITION_BYTES_MAX);
    }
    part->is_done = c->is_exiting && part->next >= part->end;
    return ERR_OK;
}

// ---- fetching

static enum err fetch_fill(struct consume *c, struct fetch_request *request, struct error *e)
{
    wire_init(&fetch_request_type, request);
    int64_t timeout_ms = args_int(c->run->args, "timeout-ms");
    request->max_wait_ms = timeout_ms < 2 * FETCH_WAIT_MS ? (int32_t)(timeout_ms / 2) : FETCH_WAIT_MS;
    request->min_bytes = 1;
    request->max_bytes = FETCH_BYTES_MAX;
    request->topics = wire_array(&c->arena, fetch_request_topic, 1);
    struct fetch_request_partition *parts = wire_array(&c->arena, fetch_request_partition, c->part_count + 1);
    if (request->topics == NULL || parts == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "%zu partitions", c->part_count);
    }
    request->topics_count = 1;
    request->topics->topic = c->topic;
    request->topics->topic_id = c->topic_id;
    request->topics->partitions = parts;
    for (size_t i = 0; i < c->part_count; i++) {
        const struct consume_part *part = &c->parts[(c->first + i) % c->part_count];
        if (!part->is_done) {
            struct fetch_request_partition *out = &parts[request->topics->partitions_count++];
            out->partition = part->partition;
            out->fetch_offset = part->next;
            out->partition_max_bytes = FETCH_PARTITION_BYTES_MAX;
        }
    }
    c->first = (c->first + 1) % c->part_count;
    return ERR_OK;
}

static struct consume_part *part_find(struct consume *c, int32_t partition)
{
    for (size_t i = 0; i < c->part_count; i++) {
        struct consume_part *part = &c->parts[(c->first + i) % c->part_count];
        if (part->partition == partition) {
            return part;
        }
    }
    return NULL;
}

// trouble_wait sleeps before the next try; false once it has lasted for longer than --timeout-ms.
static bool trouble_wait(struct consume *c, enum err err, const struct error *e)
{
    struct clock *clock = c->run->env->clock;
    int64_t now_ns = clock_mono_ns(clock);
    if (now_ns - c->progress_ns > args_int(c->run->args, "timeout-ms") * NS_PER_MS) {
        run_fail(c->run, run_print(c->run, "cannot consume " STR_FMT, STR_ARG(c->topic)).ptr, err, e, NULL);
        return false;
    }
    if (!c->is_trouble_told) {
        run_note("strom: %s; trying again", e->text[0] != '\0' ? e->text : err_text(err));
        c->is_trouble_told = true;
    }
    clock_sleep_until(clock, now_ns + (int64_t)RETRY_MS * NS_PER_MS);
    return true;
}

// part_take handles one partition of an answer; false ends the command.
static bool part_take(struct consume *c, struct consume_part *part, const struct fetch_response_partition *in,
                      bool *ret_is_trouble)
{
    const char *what = run_print(c->run, "cannot consume " STR_FMT, STR_ARG(c->topic)).ptr;
    struct error e = {0};
    if (in->error == ERR_OFFSET_OUT_OF_RANGE && in->log_start_offset > part->next) {
        run_note("strom: partition %d: offsets %lld to %lld are gone; going on after them", part->partition,
                 (long long)part->next, (long long)in->log_start_offset - 1);
        part->next = in->log_start_offset;
        part->is_done = c->is_exiting && part->next >= part->end;
        return true;
    }
    if (in->error != ERR_OK && err_is_retriable(in->error) && in->error != ERR_UNKNOWN_PARTITION &&
        in->error != ERR_UNKNOWN_TOPIC_ID) {
        *ret_is_trouble = true;
        e.code = in->error;
        snprintf(e.text, sizeof e.text, "partition %d: %s", part->partition, err_text(in->error));
        return trouble_wait(c, in->error, &e);
    }
    if (in->error != ERR_OK) {
        run_refused(c->run, what, in->error, run_print(c->run, "partition %d", part->partition),
                    in->error == ERR_UNKNOWN_TOPIC_ID ? "was the topic deleted?" : NULL);
        return false;
    }
    enum err err = records_print(c, part, in->records.bytes, &e);
    if (err != ERR_OK) {
        run_fail(c->run, what, err, &e, NULL);
    }
    return err == ERR_OK;
}

static bool answer_take(struct consume *c, const struct fetch_response *response)
{
    bool is_trouble = false;
    if (response->error != ERR_OK) {
        struct error e = {.code = response->error};
        return trouble_wait(c, response->error, &e);
    }
    for (int32_t t = 0; t < response->topics_count; t++) {
        for (int32_t i = 0; i < response->topics[t].partitions_count && !c->is_over; i++) {
            const struct fetch_response_partition *in = &response->topics[t].partitions[i];
            struct consume_part *part = part_find(c, in->partition_index);
            if (part != NULL && !part_take(c, part, in, &is_trouble)) {
                return false;
            }
        }
    }
    if (!is_trouble) {
        c->progress_ns = clock_mono_ns(c->run->env->clock);
        c->is_trouble_told = false;
    }
    return c->run->out.len == 0 || run_flush(c->run);
}

static bool is_finished(const struct consume *c)
{
    bool is_all_done = true;
    for (size_t i = 0; i < c->part_count; i++) {
        is_all_done = is_all_done && c->parts[i].is_done;
    }
    return c->is_over || is_all_done;
}

static void consume(struct consume *c)
{
    c->progress_ns = clock_mono_ns(c->run->env->clock);
    while (!is_finished(c)) {
        struct fetch_request request;
        struct fetch_response response;
        struct error e = {0};
        arena_reset(&c->arena);
        enum err err = client_is_connected(c->run->client) ? ERR_OK : client_connect(c->run->client, &e);
        err = err == ERR_OK ? fetch_fill(c, &request, &e) : err;
        err =
            err == ERR_OK ? client_call(c->run->client, API_FETCH, &request, &c->arena, &response, &e) : err;
        if (err == ERR_NETWORK) {
            if (!trouble_wait(c, err, &e)) {
                return;
            }
        } else if (err != ERR_OK) {
            run_fail(c->run, run_print(c->run, "cannot consume " STR_FMT, STR_ARG(c->topic)).ptr, err, &e,
                     NULL);
            return;
        } else if (!answer_take(c, &response)) {
            return;
        }
    }
}

static int consume_run(int argc, char **argv)
{
    struct run run;
    struct consume c = {.run = &run};
    arena_init(&c.arena, ANSWER_ARENA_BYTES);
    if (run_start(&run, &consume_spec, argc, argv) && flags_parse(&c) && run_connect(&run) &&
        consume_begin(&c)) {
        consume(&c);
    }
    arena_fini(&c.arena);
    codec_context_fini(&c.codec);
    mem_free(c.parts);
    return run_finish(&run);
}

const struct cli_command consume_command = {.name = "consume", .spec = &consume_spec, .run = consume_run};
