// SPDX-License-Identifier: Apache-2.0
#include "cli/fetcher.h"

enum {
    FETCH_BYTES_MAX = 16 << 20,
    FETCH_PARTITION_BYTES_MAX = 4 << 20,
    FETCH_WAIT_MS = 500,
    ANSWER_ARENA_BYTES = 640 << 20,
    OUT_FLUSH_BYTES = 256 << 10,
    RETRY_MS = 100,
    NS_PER_MS = 1000000,
};

void fetcher_init(struct fetcher *f, struct run *run)
{
    *f = (struct fetcher){.run = run, .count_left = -1, .progress_ns = clock_mono_ns(run->env->clock)};
    arena_init(&f->arena, ANSWER_ARENA_BYTES);
}

void fetcher_fini(struct fetcher *f)
{
    arena_fini(&f->arena);
    codec_context_fini(&f->codec);
}

void fetcher_assign(struct fetcher *f, struct fetch_part *parts, size_t count)
{
    f->parts = parts;
    f->part_count = count;
    f->first = 0;
}

bool fetcher_is_finished(const struct fetcher *f)
{
    bool is_all_done = true;
    for (size_t i = 0; i < f->part_count; i++) {
        is_all_done = is_all_done && f->parts[i].is_done;
    }
    return f->is_over || is_all_done;
}

// ---- records

static bool record_print(struct fetcher *f, const struct record_place *place, const struct record *record)
{
    struct run *run = f->run;
    if (run->is_json) {
        record_json_print(place, record, &run->json);
    } else {
        record_format_print(f->format, f->null_text, place, record, &run->out);
    }
    if (run->out.len >= OUT_FLUSH_BYTES && !run_flush(run)) {
        f->is_over = true;
    }
    if (f->count_left > 0 && --f->count_left == 0) {
        f->is_over = true;
    }
    return !f->is_over;
}

static enum err batch_print(struct fetcher *f, struct fetch_part *part, struct bytes batch,
                            const struct batch_header *header, struct error *e)
{
    struct record_iterator it;
    struct record record;
    struct record_place place = {part->topic, part->partition};
    if (!batch_crc_check(batch)) {
        return FAIL(e, ERR_CORRUPT, "partition %d, offset %lld: the checksum of the batch does not match",
                    part->partition, (long long)header->base_offset);
    }
    if (batch_is_control(header)) {
        part->next = batch_last_offset(header) + 1;
        return ERR_OK;
    }
    enum err err = record_iterator_init(&it, &f->codec, batch, NULL, e);
    if (err != ERR_OK) {
        return err;
    }
    while (!f->is_over && record_iterator_next(&it, &record)) {
        if (record.offset >= part->next && !(f->is_exiting && record.offset >= part->end)) {
            part->next = record.offset + 1;
            (void)record_print(f, &place, &record);
        }
    }
    err = record_iterator_fini(&it, e);
    if (err == ERR_OK && !f->is_over) {
        part->next = batch_last_offset(header) + 1; // also past what compaction left out
    } else if (err != ERR_OK) {
        error_wrap(e, "partition %d, offset %lld", part->partition, (long long)header->base_offset);
    }
    return err;
}

// records_print walks the batches of one partition's answer; the last one may be cut off.
static enum err records_print(struct fetcher *f, struct fetch_part *part, struct bytes records,
                              struct error *e)
{
    int64_t before = part->next;
    struct bytes all = records;
    while (records.len >= BATCH_HEADER_SIZE && !f->is_over) {
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
            err = batch_print(f, part, bytes_slice(records, 0, header.size), &header, e);
        }
        if (err != ERR_OK) {
            return err;
        }
        records = bytes_slice(records, header.size, records.len - header.size);
    }
    if (all.len > 0 && part->next == before && !f->is_over) {
        return FAIL(e, ERR_BATCH_TOO_LARGE, "partition %d, offset %lld: no whole batch within %d bytes",
                    part->partition, (long long)part->next, FETCH_PARTITION_BYTES_MAX);
    }
    part->is_done = f->is_exiting && part->next >= part->end;
    return ERR_OK;
}

// ---- fetching

static size_t topic_size(const struct fetcher *f, size_t from)
{
    size_t size = 1;
    while (from + size < f->part_count && str_equal(f->parts[from + size].topic, f->parts[from].topic)) {
        size++;
    }
    return size;
}

// topic_fill adds the partitions of one topic that are not done, another one first each time.
static void topic_fill(const struct fetcher *f, size_t from, size_t size, struct fetch_request *request,
                       struct fetch_request_partition **parts)
{
    struct fetch_request_topic *topic = &request->topics[request->topics_count];
    topic->topic = f->parts[from].topic;
    topic->topic_id = f->parts[from].topic_id;
    topic->partitions = *parts;
    for (size_t i = 0; i < size; i++) {
        const struct fetch_part *part = &f->parts[from + (f->first + i) % size];
        if (!part->is_done) {
            struct fetch_request_partition *out = &topic->partitions[topic->partitions_count++];
            out->partition = part->partition;
            out->fetch_offset = part->next;
            out->partition_max_bytes = FETCH_PARTITION_BYTES_MAX;
        }
    }
    if (topic->partitions_count > 0) {
        *parts += topic->partitions_count;
        request->topics_count++;
    }
}

static enum err fetch_fill(struct fetcher *f, struct fetch_request *request, struct error *e)
{
    wire_init(&fetch_request_type, request);
    int64_t timeout_ms = args_int(f->run->args, "timeout-ms");
    request->max_wait_ms = timeout_ms < 2 * FETCH_WAIT_MS ? (int32_t)(timeout_ms / 2) : FETCH_WAIT_MS;
    request->min_bytes = 1;
    request->max_bytes = FETCH_BYTES_MAX;
    request->topics = wire_array(&f->arena, fetch_request_topic, f->part_count + 1);
    struct fetch_request_partition *parts = wire_array(&f->arena, fetch_request_partition, f->part_count + 1);
    if (request->topics == NULL || parts == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "%zu partitions", f->part_count);
    }
    size_t begin = f->part_count == 0 ? 0 : f->first % f->part_count;
    while (begin > 0 && str_equal(f->parts[begin - 1].topic, f->parts[begin].topic)) {
        begin--;
    }
    for (size_t from = begin; from < f->part_count; from += topic_size(f, from)) {
        topic_fill(f, from, topic_size(f, from), request, &parts);
    }
    for (size_t from = 0; from < begin; from += topic_size(f, from)) {
        topic_fill(f, from, topic_size(f, from), request, &parts);
    }
    f->first++;
    return ERR_OK;
}

static struct fetch_part *part_find(struct fetcher *f, const struct fetch_response_topic *topic,
                                    int32_t partition)
{
    bool is_by_id = !uuid_is_zero(topic->topic_id);
    for (size_t i = 0; i < f->part_count; i++) {
        struct fetch_part *part = &f->parts[i];
        if (part->partition == partition &&
            (is_by_id ? uuid_equal(part->topic_id, topic->topic_id) : str_equal(part->topic, topic->topic))) {
            return part;
        }
    }
    return NULL;
}

bool fetcher_trouble(struct fetcher *f, enum err err, const struct error *e)
{
    struct clock *clock = f->run->env->clock;
    int64_t now_ns = clock_mono_ns(clock);
    if (now_ns - f->progress_ns > args_int(f->run->args, "timeout-ms") * NS_PER_MS) {
        run_fail(f->run, f->what, err, e, NULL);
        return false;
    }
    if (!f->is_trouble_told) {
        run_note("strom: %s; trying again", e->text[0] != '\0' ? e->text : err_text(err));
        f->is_trouble_told = true;
    }
    clock_sleep_until(clock, now_ns + (int64_t)RETRY_MS * NS_PER_MS);
    return true;
}

// part_take handles one partition of an answer; false ends the command.
static bool part_take(struct fetcher *f, struct fetch_part *part, const struct fetch_response_partition *in,
                      bool *ret_is_trouble)
{
    struct error e = {0};
    if (in->error == ERR_OFFSET_OUT_OF_RANGE && in->log_start_offset > part->next) {
        run_note("strom: partition %d: offsets %lld to %lld are gone; going on after them", part->partition,
                 (long long)part->next, (long long)in->log_start_offset - 1);
        part->next = in->log_start_offset;
        part->is_done = f->is_exiting && part->next >= part->end;
        return true;
    }
    if (in->error != ERR_OK && err_is_retriable(in->error) && in->error != ERR_UNKNOWN_PARTITION &&
        in->error != ERR_UNKNOWN_TOPIC_ID) {
        *ret_is_trouble = true;
        e.code = in->error;
        snprintf(e.text, sizeof e.text, "partition %d: %s", part->partition, err_text(in->error));
        return fetcher_trouble(f, in->error, &e);
    }
    if (in->error != ERR_OK) {
        run_refused(f->run, f->what, in->error, run_print(f->run, "partition %d", part->partition),
                    in->error == ERR_UNKNOWN_TOPIC_ID ? "was the topic deleted?" : NULL);
        return false;
    }
    enum err err = records_print(f, part, in->records.bytes, &e);
    if (err != ERR_OK) {
        run_fail(f->run, f->what, err, &e, NULL);
    }
    return err == ERR_OK;
}

// written_note remembers what is written out, so that nothing else is ever committed.
static bool written_note(struct fetcher *f)
{
    if (f->run->out.len > 0 && !run_flush(f->run)) {
        f->is_over = true;
        return false;
    }
    for (size_t i = 0; i < f->part_count && !f->run->is_out_closed; i++) {
        f->parts[i].written = f->parts[i].next;
    }
    return true;
}

static bool answer_take(struct fetcher *f, const struct fetch_response *response)
{
    bool is_trouble = false;
    if (response->error != ERR_OK) {
        struct error e = {.code = response->error};
        return fetcher_trouble(f, response->error, &e);
    }
    for (int32_t t = 0; t < response->topics_count; t++) {
        for (int32_t i = 0; i < response->topics[t].partitions_count && !f->is_over; i++) {
            const struct fetch_response_partition *in = &response->topics[t].partitions[i];
            struct fetch_part *part = part_find(f, &response->topics[t], in->partition_index);
            if (part != NULL && !part_take(f, part, in, &is_trouble)) {
                return false;
            }
        }
    }
    if (!is_trouble) {
        f->progress_ns = clock_mono_ns(f->run->env->clock);
        f->is_trouble_told = false;
    }
    return written_note(f);
}

bool fetcher_round(struct fetcher *f)
{
    struct client *client = f->run->client;
    struct fetch_request request;
    struct fetch_response response;
    struct error e = {0};
    arena_reset(&f->arena);
    enum err err = client_is_connected(client) ? ERR_OK : client_connect(client, &e);
    err = err == ERR_OK ? fetch_fill(f, &request, &e) : err;
    err = err == ERR_OK ? client_call(client, API_FETCH, &request, &f->arena, &response, &e) : err;
    if (err == ERR_NETWORK) {
        return fetcher_trouble(f, err, &e);
    }
    if (err != ERR_OK) {
        run_fail(f->run, f->what, err, &e, NULL);
        return false;
    }
    return answer_take(f, &response);
}
