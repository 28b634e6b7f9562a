// SPDX-License-Identifier: Apache-2.0
// log_reader.c - one fetch at a time. KIP-98: an aborted producer's batches count from its first offset to
// its abort marker.
#include "cli/log_reader.h"
#include "record/build.h"

enum {
    ANSWER_ARENA_BYTES = 256 << 20,
    FETCH_BYTES = 1 << 20, // more is no faster: it would leave the CPU's cache before it is read
    FETCH_FIRST_BYTES = 64 << 10,
    FETCH_WAIT_MS = 200,
};

void log_reader_init(struct log_reader *reader, struct run *run, struct str topic, struct uuid topic_id)
{
    *reader = (struct log_reader){.run = run, .topic = topic, .topic_id = topic_id, .wait_ms = FETCH_WAIT_MS};
    arena_init(&reader->arena, ANSWER_ARENA_BYTES);
}

void log_reader_fini(struct log_reader *reader)
{
    arena_fini(&reader->arena);
    codec_context_fini(&reader->codec);
}

struct walk {
    struct log_reader *reader;
    const struct fetch_response_partition *part;
    int64_t next;
    int64_t end;
    log_take *take;
    void *arg;
    bool is_over;
    bool *is_ended; // for each of part's aborted transactions: its marker came
};

static bool is_aborted(const struct walk *walk, const struct batch_header *header)
{
    for (int32_t i = 0; i < walk->part->aborted_transactions_count; i++) {
        const struct fetch_response_aborted_transaction *aborted = &walk->part->aborted_transactions[i];
        if (!walk->is_ended[i] && aborted->producer_id == header->producer_id &&
            aborted->first_offset <= header->base_offset) {
            return (header->attributes & BATCH_ATTRIBUTE_TRANSACTIONAL) != 0;
        }
    }
    return false;
}

// marker_take: the oldest open one of the producer ends; a commit's producer has none open here.
static enum err marker_take(struct walk *walk, struct bytes batch, const struct batch_header *header,
                            struct error *e)
{
    struct record_iterator it;
    struct record record;
    int16_t type = -1;
    enum err err = record_iterator_init(&it, &walk->reader->codec, batch, NULL, e);
    if (err != ERR_OK) {
        return err;
    }
    bool is_abort =
        record_iterator_next(&it, &record) && control_type_read(record.key, &type) && type == CONTROL_ABORT;
    err = record_iterator_fini(&it, e);
    for (int32_t i = 0; is_abort && i < walk->part->aborted_transactions_count; i++) {
        if (!walk->is_ended[i] && walk->part->aborted_transactions[i].producer_id == header->producer_id) {
            walk->is_ended[i] = true;
            break;
        }
    }
    return err;
}

static enum err batch_take(struct walk *walk, struct bytes batch, const struct batch_header *header,
                           struct error *e)
{
    struct record_iterator it;
    struct record record;
    if (!batch_crc_check(batch)) {
        return FAIL(e, ERR_CORRUPT, "offset %lld: the checksum of the batch does not match",
                    (long long)header->base_offset);
    }
    if (batch_is_control(header)) {
        return marker_take(walk, batch, header, e);
    }
    if (is_aborted(walk, header)) {
        return ERR_OK;
    }
    enum err err = record_iterator_init(&it, &walk->reader->codec, batch, NULL, e);
    if (err != ERR_OK) {
        return err;
    }
    while (!walk->is_over && record_iterator_next(&it, &record)) {
        if (record.offset >= walk->end) {
            walk->is_over = true;
        } else if (record.offset >= walk->next) {
            walk->is_over = !walk->take(walk->arg, &record);
            walk->next = walk->is_over ? walk->next : record.offset + 1;
        }
    }
    return record_iterator_fini(&it, e);
}

static enum err answer_walk(struct walk *walk, struct error *e)
{
    struct bytes rest = walk->part->records.bytes;
    while (rest.len >= BATCH_HEADER_SIZE && !walk->is_over) {
        struct batch_header header;
        enum err err = batch_header_read(rest, &header, e);
        if (err != ERR_OK || header.size > rest.len) {
            return err;
        }
        walk->reader->batches++;
        walk->reader->bytes += (double)header.size;
        walk->reader->offsets += (double)batch_last_offset(&header) - (double)header.base_offset + 1;
        if (batch_last_offset(&header) >= walk->next) {
            err = batch_take(walk, bytes_slice(rest, 0, header.size), &header, e);
        }
        if (err != ERR_OK) {
            return err;
        }
        walk->next = walk->is_over ? walk->next : batch_last_offset(&header) + 1;
        rest = bytes_slice(rest, header.size, rest.len - header.size);
    }
    return ERR_OK;
}

// fetch_bytes is what the rest of a range takes, by what was read so far, and a batch for what stands before
// and behind it in its own: more would be read in vain.
static int32_t fetch_bytes(const struct log_reader *reader, int64_t offsets)
{
    if (reader->batches == 0) {
        return FETCH_FIRST_BYTES;
    }
    double bytes = reader->bytes / reader->offsets * (double)offsets + reader->bytes / reader->batches;
    return bytes < FETCH_BYTES ? (int32_t)bytes : FETCH_BYTES;
}

static enum err fetch(struct log_reader *reader, int32_t partition, int64_t offset, int64_t end,
                      const struct fetch_response_partition **ret, struct error *e)
{
    struct fetch_request request;
    struct fetch_request_topic topic;
    struct fetch_request_partition part;
    struct fetch_response *response = arena_new(&reader->arena, struct fetch_response, 1);
    wire_init(&fetch_request_type, &request);
    wire_init(&fetch_request_topic_type, &topic);
    wire_init(&fetch_request_partition_type, &part);
    request.max_wait_ms = reader->wait_ms;
    request.min_bytes = 1;
    request.max_bytes = fetch_bytes(reader, end - offset);
    request.isolation_level = 1;
    request.topics = &topic;
    request.topics_count = 1;
    topic.topic = reader->topic;
    topic.topic_id = reader->topic_id;
    topic.partitions = &part;
    topic.partitions_count = 1;
    part.partition = partition;
    part.fetch_offset = offset;
    part.partition_max_bytes = request.max_bytes;
    if (response == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "an answer");
    }
    struct client *client = reader->client != NULL ? reader->client : reader->run->client;
    enum err err = client_call(client, API_FETCH, &request, &reader->arena, response, e);
    if (err != ERR_OK) {
        return err;
    }
    err = response->error;
    if (err == ERR_OK && (response->topics_count != 1 || response->topics->partitions_count != 1)) {
        return FAIL(e, ERR_MALFORMED, "the answer lacks the partition");
    }
    *ret = err == ERR_OK ? response->topics->partitions : NULL;
    return err == ERR_OK ? (*ret)->error : err;
}

enum err log_reader_records(struct log_reader *reader, int32_t partition, int64_t from, int64_t end,
                            log_take *take, void *arg, int64_t *ret_next, struct error *e)
{
    struct walk walk = {.reader = reader, .next = from, .end = end, .take = take, .arg = arg};
    enum err err = ERR_OK;
    while (err == ERR_OK && !walk.is_over && walk.next < end) {
        int64_t before = walk.next;
        arena_reset(&reader->arena);
        err = fetch(reader, partition, walk.next, end, &walk.part, e);
        if (err != ERR_OK) {
            break;
        }
        walk.is_ended = arena_new(
            &reader->arena, bool,
            (size_t)(walk.part->aborted_transactions_count > 0 ? walk.part->aborted_transactions_count : 1));
        err = walk.is_ended == NULL ? FAIL(e, ERR_NO_MEMORY, "aborted transactions") : answer_walk(&walk, e);
        if (err == ERR_OK && walk.next == before && !walk.is_over) {
            bool is_cut = walk.part->records.bytes.len > 0;
            if (is_cut) {
                err = FAIL(e, ERR_BATCH_TOO_LARGE, "offset %lld: the answer holds no whole batch",
                           (long long)before);
            } else if (walk.part->last_stable_offset <= walk.next) {
                break; // what follows is of transactions that are still open
            }
        }
    }
    *ret_next = walk.next;
    return err;
}
