// SPDX-License-Identifier: Apache-2.0
#include "calls.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.h"

enum {
    CREATE_TOPICS_VERSION = 7,
    METADATA_VERSION = 12,
    INIT_PRODUCER_ID_VERSION = 4,
    FIND_COORDINATOR_VERSION = 4,
    LEADER_TRIES_MAX = 3000,
    LEADER_PAUSE_US = 10000,
};

void call_encode(struct buf *out, int16_t key, int16_t version, const void *request, struct wire_cuts *cuts)
{
    const struct wire_api *api = wire_api_find(key);
    const struct wire_request_header header = {key, version, 0, STR("bench")};
    struct error e = {0};
    size_t start = out->len;
    buf_be32(out, 0);
    wire_request_header_encode(&header, out);
    if (wire_encode(api->request, version, wire_is_flexible(api, version), request, out, cuts, &e) !=
            ERR_OK ||
        out->failed) {
        bench_die(0, "encode %s: %s", api->name, e.text);
    }
    size_t external = cuts == NULL ? 0 : wire_cuts_size(cuts);
    store_be32(out->ptr + start, (uint32_t)(out->len - start - 4 + external));
}

void call_decode(int16_t key, int16_t version, struct bytes answer, struct arena *arena, void *ret_answer)
{
    const struct wire_api *api = wire_api_find(key);
    struct reader r = reader_init(answer);
    int32_t correlation_id;
    struct error e = {0};
    if (wire_response_header_decode(api, version, &r, &correlation_id) != ERR_OK ||
        wire_decode(api->response, version, wire_is_flexible(api, version), &r, arena, ret_answer, &e) !=
            ERR_OK) {
        bench_die(0, "answer to %s: %s", api->name, e.text);
    }
}

void call_send(int fd, struct bytes data)
{
    while (data.len > 0) {
        ssize_t moved = send(fd, data.ptr, data.len, MSG_NOSIGNAL);
        if (moved <= 0) {
            bench_die(errno, "send");
        }
        data = bytes_of(data.ptr + moved, data.len - (size_t)moved);
    }
}

static void recv_all(int fd, uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t moved = recv(fd, data, len, 0);
        if (moved <= 0) {
            bench_die(moved == 0 ? 0 : errno, "the broker closed the connection");
        }
        data += moved;
        len -= (size_t)moved;
    }
}

void call(int fd, int16_t key, int16_t version, const void *request, void *ret_answer, struct buf *in,
          struct arena *arena)
{
    struct buf out;
    buf_init(&out, CALL_MESSAGE_MAX);
    call_encode(&out, key, version, request, NULL);
    call_send(fd, buf_bytes(&out));
    buf_fini(&out);
    uint8_t length[4];
    recv_all(fd, length, sizeof length);
    size_t size = load_be32(length);
    buf_reset(in);
    uint8_t *data = buf_reserve(in, size);
    if (data == NULL) {
        bench_die(0, "an answer of %zu bytes", size);
    }
    recv_all(fd, data, size);
    call_decode(key, version, bytes_of(data, size), arena, ret_answer);
}

static void send_create(int fd, struct str name, int32_t partitions, const char *config, struct buf *in,
                        struct arena *arena)
{
    struct create_topics_request_config rows[TOPIC_CONFIGS_MAX];
    struct create_topics_request_topic topic;
    struct create_topics_request request;
    struct create_topics_response answer;
    wire_init(&create_topics_request_topic_type, &topic);
    wire_init(&create_topics_request_type, &request);
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    struct str rest = config == NULL ? STR("") : str_from_c(config);
    for (topic.configs = rows; rest.len > 0 && topic.configs_count < TOPIC_CONFIGS_MAX;
         topic.configs_count++) {
        struct create_topics_request_config *row = &rows[topic.configs_count];
        wire_init(&create_topics_request_config_type, row);
        struct str value = str_cut(rest, ',', &rest);
        row->name = str_cut(value, '=', &value);
        row->value = value;
    }
    request.topics = &topic;
    request.topics_count = 1;
    call(fd, API_CREATE_TOPICS, CREATE_TOPICS_VERSION, &request, &answer, in, arena);
    enum err err = answer.topics_count == 1 ? answer.topics[0].error : ERR_MALFORMED;
    if (err != ERR_OK && err != ERR_TOPIC_EXISTS) {
        struct str why = answer.topics_count == 1 ? answer.topics[0].error_message : STR("no topic");
        bench_die(0, "create topic: error %d " STR_FMT, (int)err, STR_ARG(why));
    }
}

struct uuid topic_create(int fd, struct str name, int32_t partitions, const char *config)
{
    struct buf in;
    struct arena arena;
    buf_init(&in, CALL_MESSAGE_MAX);
    arena_init(&arena, CALL_MESSAGE_MAX);
    send_create(fd, name, partitions, config, &in, &arena);
    struct uuid id = {0};
    for (int tries = 0; uuid_is_zero(id); tries++) {
        struct metadata_request_topic topic;
        struct metadata_request request;
        struct metadata_response answer;
        wire_init(&metadata_request_topic_type, &topic);
        wire_init(&metadata_request_type, &request);
        topic.name = name;
        request.topics = &topic;
        request.topics_count = 1;
        request.allow_auto_topic_creation = false;
        arena_reset(&arena);
        call(fd, API_METADATA, METADATA_VERSION, &request, &answer, &in, &arena);
        bool is_ready = answer.topics_count == 1 && answer.topics[0].error == ERR_OK &&
                        answer.topics[0].partitions_count >= partitions;
        for (int32_t i = 0; is_ready && i < answer.topics[0].partitions_count; i++) {
            is_ready = answer.topics[0].partitions[i].leader_id >= 0;
        }
        if (is_ready) {
            id = answer.topics[0].topic_id;
        } else if (tries == LEADER_TRIES_MAX) {
            bench_die(0, "topic " STR_FMT " did not come up with %d partitions", STR_ARG(name),
                      (int)partitions);
        } else {
            usleep(LEADER_PAUSE_US);
        }
    }
    arena_fini(&arena);
    buf_fini(&in);
    return id;
}

// Asking for the coordinator is what makes Kafka create its own topic.
static void coordinator_find(int fd, struct str transactional_id, struct buf *in, struct arena *arena)
{
    struct find_coordinator_request request;
    struct find_coordinator_response answer;
    wire_init(&find_coordinator_request_type, &request);
    request.key_type = 1;
    request.coordinator_keys = &transactional_id;
    request.coordinator_keys_count = 1;
    arena_reset(arena);
    call(fd, API_FIND_COORDINATOR, FIND_COORDINATOR_VERSION, &request, &answer, in, arena);
}

struct producer producer_init(int fd, struct str transactional_id)
{
    struct buf in;
    struct arena arena;
    buf_init(&in, CALL_MESSAGE_MAX);
    arena_init(&arena, CALL_MESSAGE_MAX);
    struct producer made = {.id = -1};
    for (int tries = 0; made.id < 0; tries++) {
        if (transactional_id.len > 0) {
            coordinator_find(fd, transactional_id, &in, &arena);
        }
        struct init_producer_id_request request;
        struct init_producer_id_response answer;
        wire_init(&init_producer_id_request_type, &request);
        request.transactional_id = transactional_id;
        request.transaction_timeout_ms = 60000;
        arena_reset(&arena);
        call(fd, API_INIT_PRODUCER_ID, INIT_PRODUCER_ID_VERSION, &request, &answer, &in, &arena);
        if (answer.error == ERR_OK) {
            made = (struct producer){.id = answer.producer_id, .epoch = answer.producer_epoch};
        } else if (tries == LEADER_TRIES_MAX) {
            bench_die(0, "InitProducerId: %s", err_text(answer.error));
        } else {
            usleep(LEADER_PAUSE_US);
        }
    }
    arena_fini(&arena);
    buf_fini(&in);
    return made;
}
