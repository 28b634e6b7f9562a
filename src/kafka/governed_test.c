// SPDX-License-Identifier: Apache-2.0
// Governed topics as clients see them: refusals with their reasons, sequences after a refusal, and the topic
// for dead letters as an administrator meets it. The rule is a word (broker/test_policy.h).
#include "broker/test_policy.h"
#include "kafka/test_rig.h"

#include <stdio.h>

static struct rig the_rig;
static struct test_policy policy;
static struct client c; // of the running test
static const struct uuid no_id;

// What a question is answered with, of topics whose name begins so. asked and asked_count are atomic.
static const char *asked;
static const char *const *rule_topics; // two of them
static uint64_t revision;              // of "subject/asked"
static int asked_count;

static void on_bind(void *arg, struct policy_binding *binding)
{
    (void)arg;
    const char *name = __atomic_load_n(&asked, __ATOMIC_ACQUIRE);
    if (name != NULL && str_has_prefix(binding->topic_name, str_from_c(name))) {
        int number = __atomic_fetch_add(&asked_count, 1, __ATOMIC_RELAXED);
        binding->letters = arena_new(&binding->found, struct str, 2);
        binding->conditions = arena_new(&binding->found, struct item_condition, 1);
        for (int i = 0; i < 2; i++) {
            binding->letters[i] = arena_str(&binding->found, str_from_c(rule_topics[i]));
        }
        binding->letter_count = 2;
        binding->conditions[0] = (struct item_condition){STR("subject/asked"), number == 0 ? 0 : revision};
        binding->condition_count = 1;
    }
    policy_binding_answer(binding);
}

static int setup(void **state)
{
    (void)state;
    rig_init(&the_rig);
    test_policy_init(&policy);
    policy.face.bind = on_bind;
    the_rig.policy = &policy.face;
    rig_start(&the_rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&the_rig);
    rig_fini(&the_rig);
    return 0;
}

static int test_setup(void **state)
{
    (void)state;
    client_open(&c, &the_rig);
    return 0;
}

static int test_teardown(void **state)
{
    (void)state;
    client_close(&c);
    return 0;
}

static void set_word(const char *topic, const char *word)
{
    char room[TOPIC_LETTERS_SIZE + 8];
    struct item_document change = {.op = DOCUMENT_PUT,
                                   .key = test_policy_word(str_from_c(topic), room),
                                   .value = bytes_of((const uint8_t *)word, strlen(word))};
    struct item item = {.kind = ITEM_DOCUMENTS, .version = 1};
    item.documents = (struct item_documents){.documents = &change, .document_count = 1};
    struct error e = {0};
    struct outcome outcome;
    assert_int_equal(broker_change_wait(the_rig.broker, &item, &outcome, &e), ERR_OK);
}

struct ask { // of a topic to be made
    const char *name;
    int32_t partitions;
    const char *configs[3][2];
};

static struct create_topics_response *create(const struct ask *asks, int32_t count)
{
    struct create_topics_request *in = client_new(&c, create_topics_request, 1);
    in->topics = client_new(&c, create_topics_request_topic, (size_t)count);
    in->topics_count = count;
    for (int32_t i = 0; i < count; i++) {
        struct create_topics_request_topic *topic = &in->topics[i];
        topic->name = str_from_c(asks[i].name);
        topic->num_partitions = asks[i].partitions;
        topic->replication_factor = -1;
        topic->configs = client_new(&c, create_topics_request_config, 3);
        for (int k = 0; k < 3 && asks[i].configs[k][0] != NULL; k++) {
            topic->configs[topic->configs_count].name = str_from_c(asks[i].configs[k][0]);
            topic->configs[topic->configs_count++].value = str_from_c(asks[i].configs[k][1]);
        }
    }
    return client_call(&c, API_CREATE_TOPICS, 7, in);
}

#define CONTRACT                                                                                             \
    {                                                                                                        \
        "strom.value.validation.level", "contract"                                                           \
    }
#define DLQ                                                                                                  \
    {                                                                                                        \
        "strom.validation.on.failure", "dlq"                                                                 \
    }

static struct incremental_alter_configs_response_response *alter(const char *topic, const char *key,
                                                                 const char *value)
{
    struct incremental_alter_configs_request *in = client_new(&c, incremental_alter_configs_request, 1);
    in->resources = client_new(&c, incremental_alter_configs_request_resource, 1);
    in->resources_count = 1;
    in->resources[0].resource_type = 2;
    in->resources[0].resource_name = str_from_c(topic);
    in->resources[0].configs = client_new(&c, incremental_alter_configs_request_config, 1);
    in->resources[0].configs_count = 1;
    in->resources[0].configs[0].name = str_from_c(key);
    in->resources[0].configs[0].value = str_from_c(value);
    in->resources[0].configs[0].config_operation = 0;
    struct incremental_alter_configs_response *out = client_call(&c, API_INCREMENTAL_ALTER_CONFIGS, 1, in);
    assert_int_equal(out->responses_count, 1);
    return &out->responses[0];
}

static struct delete_topics_response *drop(struct str *names, int32_t count)
{
    struct delete_topics_request *in = client_new(&c, delete_topics_request, 1);
    in->topic_names = names;
    in->topic_names_count = count;
    in->timeout_ms = 1000;
    return client_call(&c, API_DELETE_TOPICS, 5, in);
}

static int32_t partitions_of(const char *name)
{
    const struct core *core = broker_view_begin(the_rig.broker);
    const struct topic *topic = core_topic_find(core, str_from_c(name));
    int32_t count = topic == NULL ? 0 : topic_partition_count(topic);
    broker_view_end(the_rig.broker);
    return count;
}

static bool has_text(struct str text, const char *part)
{
    return text.ptr != NULL && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static struct batch_options idempotent(int64_t producer_id, int32_t sequence)
{
    struct batch_options options = batch_options_default();
    options.producer_id = producer_id;
    options.producer_epoch = 0;
    options.base_sequence = sequence;
    return options;
}

// ---- producers

static void every_version_is_told_what_it_can_hear(void **state)
{
    (void)state;
    const struct ask ask = {"told", 1, {CONTRACT}};
    struct create_topics_response *made = create(&ask, 1);
    assert_int_equal(made->topics[0].error, ERR_OK);
    set_word("told", "bad");
    for (int16_t version = 3; version <= 13; version++) {
        const struct produce_response_partition *out =
            produce_send(&c, version, "told", made->topics[0].topic_id, 0, batch_make(&c, NULL, 20, "bad"));
        assert_int_equal(out->error, ERR_INVALID_RECORD);
        assert_int_equal(out->base_offset, -1);
        assert_int_equal(out->record_errors_count, version >= 8 ? POLICY_BAD_RECORDS_MAX : 0);
        if (version >= 8) {
            assert_true(str_equal(out->error_message, STR("20 of 20 records begin with the word")));
            assert_int_equal(out->record_errors[3].batch_index, 3);
            assert_true(str_equal(out->record_errors[3].batch_index_error_message,
                                  STR("value: begins with the word")));
        }
    }
    assert_int_equal(produce(&c, "told", 0, batch_make(&c, NULL, 2, "good")), 0); // nothing has got in
}

// What is refused is not written anew before, which might fail for another reason.
static void refusals_are_not_compressed_again(void **state)
{
    (void)state;
    const struct ask ask = {
        "plain", 1, {CONTRACT, {"compression.type", "uncompressed"}, {"max.message.bytes", "500"}}};
    assert_int_equal(create(&ask, 1)->topics[0].error, ERR_OK);
    set_word("plain", "bad");
    struct batch_options options = batch_options_default();
    options.codec = CODEC_ZSTD;
    const struct produce_response_partition *out =
        produce_send(&c, 9, "plain", no_id, 0, batch_make(&c, &options, 200, "bad"));
    assert_int_equal(out->error, ERR_INVALID_RECORD);
    assert_true(has_text(out->error_message, "200 of 200 records"));
    out = produce_send(&c, 9, "plain", no_id, 0, batch_make(&c, &options, 200, "good"));
    assert_int_equal(out->error, ERR_BATCH_TOO_LARGE);
}

// A client with several requests in flight: those behind a refused one are out of order until they have its
// sequence numbers, as Java's producer gives them; the broker takes nothing in between.
static void sequences_after_a_refusal(void **state)
{
    (void)state;
    const struct ask ask = {"flight", 1, {CONTRACT}};
    assert_int_equal(create(&ask, 1)->topics[0].error, ERR_OK);
    set_word("flight", "bad");
    for (int64_t producer = 70; producer < 72; producer++) { // the second one has sent something before
        int32_t from = 0;
        if (producer == 71) {
            struct batch_options options = idempotent(producer, 0);
            (void)produce(&c, "flight", 0, batch_make(&c, &options, 3, "good"));
            from = 3;
        }
        static const struct {
            int32_t sequence;
            const char *value;
            enum err err;
        } rows[] = {
            {0, "bad", ERR_INVALID_RECORD},
            {3, "good", ERR_OUT_OF_ORDER_SEQUENCE},
            {6, "bad", ERR_INVALID_RECORD}, // whatever its place, it is never taken
            {0, "good", ERR_OK},
            {3, "good", ERR_OK},
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct batch_options options = idempotent(producer, from + rows[i].sequence);
            const struct produce_response_partition *out =
                produce_send(&c, 9, "flight", no_id, 0, batch_make(&c, &options, 3, rows[i].value));
            assert_int_equal(out->error, rows[i].err);
        }
    }
}

// A batch for which there was no memory is no bad one: its client sends it again, and it is taken.
static void lack_of_memory_is_no_verdict(void **state)
{
    (void)state;
    const struct ask ask = {"moment", 1, {CONTRACT}};
    assert_int_equal(create(&ask, 1)->topics[0].error, ERR_OK);
    set_word("moment", "bad");
    policy.refusal = ERR_NO_MEMORY;
    struct batch_options options = idempotent(90, 0);
    struct bytes batch = batch_make(&c, &options, 3, "bad");
    assert_int_equal(produce_send(&c, 9, "moment", no_id, 0, batch)->error, ERR_STORAGE);
    policy.refusal = ERR_OK;
    set_word("moment", "other");
    const struct produce_response_partition *out = produce_send(&c, 9, "moment", no_id, 0, batch);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->base_offset, 0);
}

static void quota(double rate)
{
    struct alter_client_quotas_request *in = client_new(&c, alter_client_quotas_request, 1);
    in->entries = client_new(&c, alter_client_quotas_request_entry, 1);
    in->entries_count = 1;
    in->entries->entity = client_new(&c, alter_client_quotas_request_entity_part, 1);
    in->entries->entity_count = 1;
    in->entries->entity->entity_type = STR("client-id");
    in->entries->entity->entity_name = STR("test");
    in->entries->ops = client_new(&c, alter_client_quotas_request_op, 1);
    in->entries->ops_count = 1;
    in->entries->ops->key = STR("producer_byte_rate");
    in->entries->ops->value = rate;
    in->entries->ops->remove = rate == 0;
    const struct alter_client_quotas_response *out = client_call(&c, API_ALTER_CLIENT_QUOTAS, 1, in);
    assert_int_equal(out->entries[0].error, ERR_OK);
}

// What a producer has set aside is written on its account: both the request and the letters count.
static void letters_count_against_the_quota(void **state)
{
    (void)state;
    enum { SIZE = 30000, RATE = 100, WINDOWS_S = 11 };
    const struct ask ask = {"metered", 1, {CONTRACT, DLQ}};
    assert_int_equal(create(&ask, 1)->topics[0].error, ERR_OK);
    set_word("metered", "bad");
    char value[SIZE + 1] = "bad";
    memset(value + 3, 'x', SIZE - 3);
    value[SIZE] = '\0';
    struct produce_request *in = client_new(&c, produce_request, 1);
    in->acks = -1;
    in->topics = client_new(&c, produce_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = STR("metered");
    in->topics[0].partitions = client_new(&c, produce_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].records.bytes = batch_make(&c, NULL, 1, value);
    quota(RATE);
    const struct produce_response *out = client_call(&c, API_PRODUCE, 9, in);
    assert_int_equal(out->topics[0].partitions[0].error, ERR_OK);
    assert_true(out->throttle_time_ms >= (2 * SIZE / RATE - WINDOWS_S) * 1000);
    client_close(&c); // that one is not read any more
    client_open(&c, &the_rig);
    quota(0);
}

// ---- consumers

static struct bytes timed(const char *value, int64_t timestamp)
{
    struct batch_options options = batch_options_default();
    struct batch_builder builder;
    struct buf out;
    buf_init(&out, 1 << 20);
    batch_builder_init(&builder, &options);
    for (int i = 0; i < 3; i++) {
        batch_builder_append(&builder, timestamp + i, bytes_of("key", 3), bytes_of(value, strlen(value)),
                             NULL, 0);
    }
    assert_int_equal(batch_builder_finish(&builder, &out, NULL), ERR_OK);
    struct bytes batch = batch_copy(&c, buf_bytes(&out));
    batch_builder_fini(&builder);
    buf_fini(&out);
    return batch;
}

static int64_t list_offset(int64_t timestamp)
{
    struct list_offsets_request *in = client_new(&c, list_offsets_request, 1);
    in->topics = client_new(&c, list_offsets_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = STR("gaps");
    in->topics[0].partitions = client_new(&c, list_offsets_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].timestamp = timestamp;
    const struct list_offsets_response *out = client_call(&c, API_LIST_OFFSETS, 7, in);
    assert_int_equal(out->topics[0].partitions[0].error, ERR_OK);
    return out->topics[0].partitions[0].offset;
}

static int64_t epoch_end(void)
{
    struct offset_for_leader_epoch_request *in = client_new(&c, offset_for_leader_epoch_request, 1);
    in->topics = client_new(&c, offset_for_leader_epoch_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].topic = STR("gaps");
    in->topics[0].partitions = client_new(&c, offset_for_leader_epoch_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].current_leader_epoch = -1;
    const struct offset_for_leader_epoch_response *out = client_call(&c, API_OFFSET_FOR_LEADER_EPOCH, 3, in);
    assert_int_equal(out->topics[0].partitions[0].error, ERR_OK);
    return out->topics[0].partitions[0].end_offset;
}

// The base offset of the records that a fetch brings first, -1 = a control batch that leads over the gap, or
// nothing where the log ends.
static int64_t first_at(int64_t offset)
{
    const struct fetch_ask ask = {.topic = "gaps", .offset = offset};
    const struct fetch_response_partition *out = fetch_send(&c, 11, &ask);
    struct batch_header h;
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->high_watermark, 15);
    if (out->records.bytes.len == 0) {
        assert_int_equal(offset, 15);
        return -1;
    }
    assert_int_equal(batch_header_read(out->records.bytes, &h, NULL), ERR_OK);
    if (batch_is_control(&h)) {
        assert_int_equal(h.base_offset + h.last_offset_delta, 14);
        return -1;
    }
    return h.base_offset;
}

// Whole batches that were set aside leave gaps at the log's start, within it and at its end.
static void gaps_have_no_records_but_offsets(void **state)
{
    (void)state;
    const struct ask ask = {"gaps", 1, {CONTRACT, DLQ}};
    assert_int_equal(create(&ask, 1)->topics[0].error, ERR_OK);
    set_word("gaps", "bad");
    static const char *const values[] = {"bad", "good", "bad", "good", "bad"}; // 0, 3, 6, 9, 12
    int64_t t = wall_now_ms() - 100000;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(produce(&c, "gaps", 0, timed(values[i], t + 1000 * i)), 3 * i);
    }
    assert_int_equal(list_offset(-2), 0);
    assert_int_equal(list_offset(-1), 15);
    assert_int_equal(list_offset(-3), 11);       // the largest timestamp that a record has
    assert_int_equal(list_offset(t), 3);         // its records were set aside
    assert_int_equal(list_offset(t + 2001), 9);  // those, too
    assert_int_equal(list_offset(t + 3001), 10); // is there
    assert_int_equal(list_offset(t + 4000), -1); // no later one is left
    assert_int_equal(epoch_end(), 15);
    assert_int_equal(first_at(0), 3);
    assert_int_equal(first_at(7), 9);
    assert_int_equal(first_at(12), -1);
    assert_int_equal(first_at(15), -1);
    for (int i = 0; i < 2; i++) { // and after a restart
        static const struct {
            int64_t offset;
            int64_t first;
        } rows[] = {{1, 3}, {7, 9}, {13, -1}};
        for (size_t row = 0; i == 0 && row < sizeof rows / sizeof rows[0]; row++) {
            assert_int_equal(delete_records(&c, "gaps", rows[row].offset, 2, ERR_OK), rows[row].offset);
            assert_int_equal(list_offset(-2), rows[row].offset);
            assert_int_equal(list_offset(0), rows[row].first);
            assert_int_equal(list_offset(-3), rows[row].first < 0 ? -1 : 11);
            assert_int_equal(first_at(rows[row].offset), rows[row].first);
        }
        assert_int_equal(list_offset(-1), 15);
        assert_int_equal(epoch_end(), 15);
        client_close(&c);
        rig_stop(&the_rig);
        rig_start(&the_rig);
        client_open(&c, &the_rig);
        assert_int_equal(list_offset(-2), 13);
        assert_int_equal(first_at(13), -1);
    }
    assert_int_equal(delete_records(&c, "gaps", -1, 2, ERR_OK), 15);
    assert_int_equal(produce(&c, "gaps", 0, timed("good", t)), 15);
    assert_int_equal(list_offset(0), 15);
}

// ---- administrators

static void letters_come_with_their_topic(void **state)
{
    (void)state;
    const struct ask with = {"orders", 3, {CONTRACT, DLQ}};
    const struct create_topics_response *made = create(&with, 1);
    assert_int_equal(made->topics_count, 1);
    assert_int_equal(made->topics[0].error, ERR_OK);
    assert_int_equal(partitions_of("orders.dlq"), 3);

    // Two that are made together, the taker named second; and one that two share.
    const struct ask both[] = {{"first", 1, {CONTRACT, {"strom.validation.dlq.topic", "bin"}}},
                               {"bin", 2, {{NULL, NULL}}},
                               {"second", 5, {CONTRACT, {"strom.validation.dlq.topic", "bin"}}}};
    made = create(both, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(made->topics[i].error, ERR_OK);
    }
    assert_int_equal(partitions_of("bin"), 2);

    topic_make(&c, "later", 4, NULL, NULL);
    assert_int_equal(alter("later", "strom.value.validation.level", "id")->error, ERR_OK);
    assert_int_equal(partitions_of("later.dlq"), 0);
    assert_int_equal(alter("later", "strom.validation.on.failure", "dlq")->error, ERR_OK);
    assert_int_equal(partitions_of("later.dlq"), 4);

    char name[ITEM_NAME_MAX + 1];
    memset(name, 'n', ITEM_NAME_MAX - 2);
    name[ITEM_NAME_MAX - 2] = '\0';
    const struct ask longest = {name, 1, {CONTRACT, DLQ}};
    assert_int_equal(create(&longest, 1)->topics[0].error, ERR_INVALID_CONFIG);
}

static void what_takes_letters_is_kept(void **state)
{
    (void)state;
    const struct ask with = {"kept", 1, {CONTRACT, DLQ}};
    assert_int_equal(create(&with, 1)->topics[0].error, ERR_OK);
    struct str names[] = {STR("kept.dlq"), STR("kept")};
    const struct delete_topics_response *gone = drop(names, 1);
    assert_int_equal(gone->topics[0].error, ERR_POLICY_VIOLATION);
    assert_true(has_text(gone->topics[0].error_message, "takes the dead letters of topic 'kept'"));
    const struct incremental_alter_configs_response_response *altered =
        alter("kept.dlq", "strom.value.validation.level", "contract");
    assert_int_equal(altered->error, ERR_INVALID_CONFIG);
    assert_true(has_text(altered->error_message, "takes the dead letters"));
    altered = alter("kept", "strom.validation.dlq.topic", "kept");
    assert_int_equal(altered->error, ERR_INVALID_CONFIG);
    const struct ask other = {"other", 1, {CONTRACT, {"strom.validation.dlq.topic", "kept"}}};
    const struct create_topics_response *made = create(&other, 1);
    assert_int_equal(made->topics[0].error, ERR_INVALID_CONFIG);
    assert_true(has_text(made->topics[0].error_message, "is governed by contracts"));
    gone = drop(names + 1, 1); // first the topic, then what took its letters
    assert_int_equal(gone->topics[0].error, ERR_OK);
    gone = drop(names, 1);
    assert_int_equal(gone->topics[0].error, ERR_OK);
}

static void what_takes_letters_keeps_them(void **state)
{
    (void)state;
    const struct ask compacted = {"some", 1, {{"cleanup.policy", "compact"}}};
    assert_int_equal(create(&compacted, 1)->topics[0].error, ERR_OK);
    const struct ask with = {"full", 1, {CONTRACT, DLQ, {"strom.validation.dlq.topic", "some"}}};
    const struct create_topics_response *made = create(&with, 1);
    assert_int_equal(made->topics[0].error, ERR_INVALID_CONFIG);
    assert_true(has_text(made->topics[0].error_message, "is compacted"));

    const struct ask fine = {"whole", 1, {CONTRACT, DLQ}};
    assert_int_equal(create(&fine, 1)->topics[0].error, ERR_OK);
    assert_int_equal(alter("whole.dlq", "cleanup.policy", "compact")->error, ERR_OK);
    set_word("whole", "aside");
    const struct produce_response_partition *out =
        produce_send(&c, 9, "whole", no_id, 0, batch_make(&c, NULL, 1, "aside"));
    assert_int_equal(out->error, ERR_INVALID_RECORD);
    assert_true(has_text(out->error_message, "is compacted"));
    assert_int_equal(alter("whole.dlq", "cleanup.policy", "delete")->error, ERR_OK);
    out = produce_send(&c, 9, "whole", no_id, 0, batch_make(&c, NULL, 1, "aside"));
    assert_int_equal(out->error, ERR_OK);
}

// described is the value of a topic's config, asked for by its name or among all; NULL ptr: it is not there.
static struct str described(const char *topic, const char *key, bool is_named)
{
    struct str name = str_from_c(key);
    struct describe_configs_request *in = client_new(&c, describe_configs_request, 1);
    in->resources = client_new(&c, describe_configs_request_resource, 1);
    in->resources_count = 1;
    in->resources[0].resource_type = 2;
    in->resources[0].resource_name = str_from_c(topic);
    in->resources[0].configuration_keys = &name;
    in->resources[0].configuration_keys_count = is_named ? 1 : -1;
    const struct describe_configs_response *out = client_call(&c, API_DESCRIBE_CONFIGS, 4, in);
    struct str value = {NULL, 0};
    assert_int_equal(out->results[0].error, ERR_OK);
    assert_true(out->results[0].configs_count <= 1 || !is_named);
    for (int32_t i = 0; i < out->results[0].configs_count; i++) {
        if (str_equal(out->results[0].configs[i].name, name)) {
            value = out->results[0].configs[i].value;
            assert_true(out->results[0].configs[i].read_only == str_equal(name, STR(GOVERNANCE_RULE_TOPICS)));
        }
    }
    return value;
}

// Topics that rules name for dead letters come with the binding and stay with it; a verdict on the binding
// that rests on what has moved is asked for again.
static void rules_name_topics(void **state)
{
    (void)state;
    static const char *const topics[] = {"rule.bin", "rule.other"};
    struct str names[] = {STR("rule.bin"), STR("rule.other"), STR("asked")};
    struct item_document put = {.key = STR("subject/asked")};
    struct item item = {.kind = ITEM_DOCUMENTS, .version = 2, .documents = {NULL, 0, &put, 1}};
    struct outcome outcome;
    assert_int_equal(broker_change_wait(the_rig.broker, &item, &outcome, NULL), ERR_OK);
    const struct core *core = broker_view_begin(the_rig.broker);
    revision = document_revision(core_document_find(core, STR("subject/asked")));
    broker_view_end(the_rig.broker);
    rule_topics = topics;
    __atomic_store_n(&asked, "asked", __ATOMIC_RELEASE);
    const struct ask with = {"asked", 3, {CONTRACT}};
    assert_int_equal(create(&with, 1)->topics[0].error, ERR_OK);
    assert_int_equal(__atomic_load_n(&asked_count, __ATOMIC_RELAXED),
                     2); // the first answer was of another state
    assert_int_equal(partitions_of("rule.bin"), 3);
    assert_int_equal(partitions_of("rule.other"), 3);
    for (int i = 0; i < 2; i++) {
        const struct delete_topics_response *gone = drop(&names[i], 1);
        assert_int_equal(gone->topics[0].error, ERR_POLICY_VIOLATION);
        assert_true(has_text(gone->topics[0].error_message, "takes the dead letters of topic 'asked'"));
    }
    assert_int_equal(alter("rule.bin", "strom.value.validation.level", "id")->error, ERR_INVALID_CONFIG);
    assert_int_equal(alter("asked", "retention.ms", "5000")->error, ERR_OK); // whatever else changes
    assert_int_equal(drop(names, 1)->topics[0].error, ERR_POLICY_VIOLATION);

    // They are nobody's to set, and shown to who asks for them only.
    assert_non_null(described("asked", "strom.validation.dlq.topic", false).ptr);
    assert_null(described("asked", GOVERNANCE_RULE_TOPICS, false).ptr);
    assert_true(str_equal(described("asked", GOVERNANCE_RULE_TOPICS, true), STR("rule.bin,rule.other")));
    assert_null(described("rule.bin", GOVERNANCE_RULE_TOPICS, true).ptr);
    assert_int_equal(alter("asked", GOVERNANCE_RULE_TOPICS, "x")->error, ERR_INVALID_CONFIG);

    // With a topic of its own for all dead letters they are free, and so they are when nothing is bound.
    assert_int_equal(alter("asked", "strom.validation.on.failure", "dlq")->error, ERR_OK);
    assert_int_equal(drop(names, 1)->topics[0].error, ERR_OK);
    assert_int_equal(alter("asked", "strom.validation.on.failure", "reject")->error, ERR_OK);
    assert_int_equal(partitions_of("rule.bin"), 3); // made anew
    assert_int_equal(alter("asked", "strom.value.validation.level", "none")->error, ERR_OK);
    assert_int_equal(drop(names, 2)->topics[1].error, ERR_OK);
    __atomic_store_n(&asked, NULL, __ATOMIC_RELEASE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_version_is_told_what_it_can_hear),
        TEST(refusals_are_not_compressed_again),
        TEST(sequences_after_a_refusal),
        TEST(lack_of_memory_is_no_verdict),
        TEST(letters_count_against_the_quota),
        TEST(gaps_have_no_records_but_offsets),
        TEST(letters_come_with_their_topic),
        TEST(what_takes_letters_is_kept),
        TEST(what_takes_letters_keeps_them),
        TEST(rules_name_topics),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
