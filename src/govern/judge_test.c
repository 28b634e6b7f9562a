// SPDX-License-Identifier: Apache-2.0
// Which schema a record was written with, whether it belongs to the topic, and what becomes of the batch.
// What the contract itself says is tested in src/contract/.
#include "govern/rig_test.h"

#define JSON_INT "{" JSON_INT_MEMBERS
#define JSON_INT_MEMBERS                                                                                     \
    "\"schemaType\":\"JSON\",\"schema\":\"{\\\"title\\\":\\\"Reading\\\",\\\"type\\\":\\\"object\\\","       \
    "\\\"required\\\":[\\\"n\\\"],\\\"properties\\\":{\\\"n\\\":{\\\"type\\\":\\\"integer\\\"}}}\"}"
#define JSON_INT_2                                                                                           \
    "{\"schemaType\":\"JSON\",\"schema\":\"{\\\"title\\\":\\\"Reading\\\",\\\"type\\\":\\\"object\\\","      \
    "\\\"description\\\":\\\"again\\\",\\\"required\\\":[\\\"n\\\"],\\\"properties\\\":{\\\"n\\\":{"         \
    "\\\"type\\\":\\\"integer\\\"}}}\"}"
#define JSON_OTHER "{" JSON_OTHER_MEMBERS
#define JSON_OTHER_MEMBERS                                                                                   \
    "\"schemaType\":\"JSON\",\"schema\":\"{\\\"title\\\":\\\"Other\\\",\\\"type\\\":\\\"string\\\"}\"}"
#define AVRO_STRING "{\"schema\":\"\\\"string\\\"\"}"

static const char *const structure[] = {"strom.value.validation.level", "structure", NULL};

// ---- what most tests say

static void judge(const struct line *lines, int32_t count)
{
    trial_judge(&world, &trial, "t", lines, count);
}

static void expect_stored(const struct line *lines, int32_t count)
{
    judge(lines, count);
    if (trial.c.is_refused) {
        fail_msg(STR_FMT, STR_ARG(trial.c.text));
    }
    assert_false(trial.c.is_rewritten);
    trial_end(&trial, POLICY_FINAL);
}

static void expect_refused(const struct line *lines, int32_t count, const char *why)
{
    judge(lines, count);
    assert_true(trial.c.is_refused);
    assert_int_equal(trial.c.err, ERR_INVALID_RECORD);
    assert_true(trial.c.bad_record_count > 0);
    char *told = (char *)arena_str(&world.arena, trial.c.bad_records[0].text).ptr;
    if (strstr(told, why) == NULL) {
        fail_msg("%s\nand not: %s", told, why);
    }
    trial_end(&trial, POLICY_FINAL);
}

static struct line value(struct bytes bytes)
{
    return (struct line){.value = bytes};
}

static struct line good(int32_t id)
{
    return value(framed(&world, id, "{\"n\":1}"));
}

static struct line bad(int32_t id)
{
    return value(framed(&world, id, "{\"n\":\"one\"}"));
}

// ---- framing and membership

static void good_records_pass_with_their_conditions(void **state)
{
    (void)state;
    int32_t id = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", structure);
    struct line lines[] = {good(id), good(id), good(id)};
    judge(lines, 3);
    assert_false(trial.c.is_refused);
    assert_true(trial.waits > 0);
    static const char *const keys[] = {"topic/t/value", "subject/t-value", "config/t-value"};
    assert_int_equal(trial.c.condition_count, 3);
    const struct core *core = broker_view_begin(world.rig.broker);
    for (size_t i = 0; i < 3; i++) {
        struct item_condition *condition = &trial.c.conditions[i];
        const struct document *document = core_document_find(core, condition->key);
        assert_true(str_equal(condition->key, str_from_c(keys[i])));
        assert_true(condition->revision == (document == NULL ? 0 : document_revision(document)));
    }
    broker_view_end(world.rig.broker);
    trial_end(&trial, POLICY_FINAL);
    judge(lines, 3); // all is there now
    assert_int_equal(trial.waits, 0);
    trial_end(&trial, POLICY_FINAL);
}

static void bad_payload_is_refused_with_path_and_rule(void **state)
{
    (void)state;
    int32_t id = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", structure);
    struct line lines[] = {good(id), bad(id), good(id), bad(id)};
    judge(lines, 4);
    assert_true(trial.c.is_refused);
    assert_int_equal(trial.c.bad_record_count, 2);
    assert_int_equal(trial.c.bad_records[0].index, 1);
    assert_int_equal(trial.c.bad_records[1].index, 3);
    assert_true(str_has_prefix(trial.c.bad_records[0].text,
                               STR("$.n: rule 'strom:structure' of t-value, version 1: ")));
    assert_true(
        str_has_prefix(trial.c.text, STR("2 of 4 records break the contract of topic t; record 1: $.n")));
    trial_end(&trial, POLICY_FINAL);
}

static void many_bad_records_are_capped(void **state)
{
    (void)state;
    int32_t id = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", structure);
    struct line *lines = arena_new(&world.arena, struct line, 1000);
    for (int i = 0; i < 1000; i++) {
        lines[i] = bad(id);
    }
    judge(lines, 1000);
    assert_int_equal(trial.c.bad_record_count, POLICY_BAD_RECORDS_MAX);
    assert_true(str_has_prefix(trial.c.text, STR("at least 16 of 1000 records")));
    trial_end(&trial, POLICY_FINAL);
}

static void ids_must_belong_to_the_subject(void **state)
{
    (void)state;
    int32_t id = world_register(&world, "t-value", JSON_INT);
    int32_t other = world_register(&world, "u-value", JSON_OTHER);
    world_topic(&world, "t", structure);
    struct line unknown = good(77);
    struct line foreign = value(framed(&world, other, "\"x\""));
    struct line raw = value(bytes_of("\x05hello", 6));
    struct line cut = value(bytes_of("\0\0\0", 3));
    struct line fine = good(id);
    expect_refused(&unknown, 1, "schema id 77 is not registered under subject \"t-value\"");
    expect_refused(&foreign, 1, "is not registered under subject \"t-value\"");
    expect_stored(&fine, 1);
    expect_refused(&raw, 1, ""); // JSON was expected
    expect_refused(&cut, 1, "");
}

// Records without headers that begin as the one before are of its schema; these are not such.
static void a_record_is_not_taken_for_the_one_before(void **state)
{
    (void)state;
    static const char *const by_id[] = {"strom.value.validation.level", "id", NULL};
    static uint8_t guid[17] = {1, 2, 3};
    int32_t id = world_register(&world, "t-value", JSON_INT);
    struct line lines[] = {good(id), good(id), good(77), good(id), good(id), value(bytes_of("\0\0\0", 3)),
                           good(id)};
    lines[4].header = (struct record_header){STR(FRAME_HEADER_VALUE), bytes_of(guid, sizeof guid)};
    world_topic(&world, "t", structure);
    world_topic(&world, "t2", by_id);
    world_register(&world, "t2-value", JSON_INT);
    for (int i = 0; i < 2; i++) {
        trial_judge(&world, &trial, i == 0 ? "t" : "t2", lines, 7);
        assert_true(trial.c.is_refused);
        assert_int_equal(trial.c.bad_record_count, 3);
        assert_int_equal(trial.c.bad_records[0].index, 2);
        assert_int_equal(trial.c.bad_records[1].index, 4);
        assert_int_equal(trial.c.bad_records[2].index, 5);
        trial_end(&trial, POLICY_FINAL);
    }
}

static void level_id_looks_at_ids_only(void **state)
{
    (void)state;
    static const char *const configs[] = {"confluent.value.schema.validation", "true", NULL};
    int32_t id = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", configs);
    struct line broken = bad(id);
    struct line raw = value(bytes_of("{\"n\":1}", 7));
    struct line null = {.key = "k"};
    expect_stored(&broken, 1);
    expect_stored(&null, 1);
    expect_refused(&raw, 1, "rule 'strom:framing'");
}

static void raw_json_is_judged_by_the_newest_version(void **state)
{
    (void)state;
    world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", structure);
    struct line fine = value(bytes_of("{\"n\":1}", 7));
    struct line wrong = value(bytes_of("{\"n\":\"\"}", 8));
    expect_stored(&fine, 1);
    expect_refused(&wrong, 1, "$.n: rule 'strom:structure'");
}

static void raw_json_is_of_a_version_that_may_be_used(void **state)
{
    (void)state;
    static const char *const two[] = {"strom.value.validation.level", "structure",
                                      "strom.value.schema.version.min", "2", NULL};
    world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", two);
    struct line raw = value(bytes_of("{\"n\":1}", 7));
    expect_refused(&raw, 1, "version 1 of subject \"t-value\" is too old here, where 2 is the least");
    world_register(&world, "t-value", JSON_INT_2);
    judge(&raw, 1);
    trial_end(&trial, POLICY_STALE);
    expect_stored(&raw, 1);
}

static void raw_bytes_under_avro_are_refused(void **state)
{
    (void)state;
    int32_t id = world_register(&world, "t-value", AVRO_STRING);
    world_topic(&world, "t", structure);
    struct line raw = value(bytes_of("{\"n\":1}", 7));
    struct line fine = value(framed(&world, id, "\4ab"));
    expect_refused(&raw, 1, "there is no schema id");
    expect_stored(&fine, 1);
}

static void old_and_deleted_versions_are_refused(void **state)
{
    (void)state;
    int32_t first = world_register(&world, "t-value", JSON_INT);
    int32_t second = world_register(&world, "t-value", JSON_INT_2);
    static const char *const newest[] = {"strom.value.validation.level", "structure",
                                         "strom.value.schema.version.min", "-1", NULL};
    static const char *const two[] = {"strom.value.validation.level", "structure",
                                      "strom.value.schema.version.min", "2", NULL};
    struct line old = good(first);
    struct line new = good(second);
    world_topic(&world, "t", two);
    expect_refused(&old, 1, "version 1 of subject \"t-value\" is too old here, where 2 is the least");
    expect_stored(&new, 1);
    world_configure(&world, "t", newest);
    expect_refused(&old, 1, "is not its newest one, 2");
    world_configure(&world, "t", structure);
    expect_stored(&old, 1);
    world_ask(&world, "DELETE /subjects/{subject}/versions/{version}", "t-value\n1", NULL);
    judge(&old, 1); // by what was known, which apply will refuse
    assert_false(trial.c.is_refused);
    trial_end(&trial, POLICY_STALE);
    expect_refused(&old, 1, "version 1 of subject \"t-value\" is deleted");
}

static void null_is_refused_where_asked(void **state)
{
    (void)state;
    static const char *const configs[] = {"strom.value.validation.level", "structure", "strom.value.null",
                                          "reject", NULL};
    world_topic(&world, "t", configs);
    struct line null = {.key = "k"};
    expect_refused(&null, 1, "rule 'strom:null'");
}

// ---- headers

static void guid_of(struct world *w, const char *subject, uint8_t ret[17])
{
    struct registry_subject found;
    struct registry *r = govern_registry_begin(w->govern);
    assert_int_equal(registry_subject_find(r, str_from_c(subject), &w->arena, &found, NULL), ERR_OK);
    govern_registry_end(w->govern);
    ret[0] = 1;
    memcpy(ret + 1, found.members[found.member_count - 1].guid.b, 16);
}

static void header_names_the_schema_of_a_bare_payload(void **state)
{
    (void)state;
    static uint8_t guid[17];
    static uint8_t prefixed[64];
    int32_t id = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", structure);
    guid_of(&world, "t-value", guid);
    struct record_header header = {STR(FRAME_HEADER_VALUE), bytes_of(guid, sizeof guid)};
    struct line bare = {.value = bytes_of("{\"n\":1}", 7), .header = header};
    struct line wrong = {.value = bytes_of("{\"n\":[]}", 8), .header = header};
    struct line both = {.value = framed(&world, id, "{\"n\":1}"), .header = header};
    memcpy(prefixed, guid, sizeof guid);
    memcpy(prefixed + sizeof guid, "{\"n\":1}", 7);
    struct line by_guid = value(bytes_of(prefixed, sizeof guid + 7));
    expect_stored(&bare, 1);
    expect_stored(&both, 1);
    expect_stored(&by_guid, 1);
    expect_refused(&wrong, 1, "$.n: rule 'strom:structure'");
    guid[3] ^= 1;
    expect_refused(&bare, 1, "is not registered under subject");
}

static void header_and_prefix_must_agree(void **state)
{
    (void)state;
    static uint8_t guid[17];
    int32_t first = world_register(&world, "t-value", JSON_INT);
    world_register(&world, "t-value", JSON_INT_2);
    world_topic(&world, "t", structure);
    guid_of(&world, "t-value", guid); // of the second
    struct line line = good(first);
    line.header = (struct record_header){STR(FRAME_HEADER_VALUE), bytes_of(guid, sizeof guid)};
    expect_refused(&line, 1, "name different schemas");
}

// ---- which subject

static void subject_may_be_set_or_associated(void **state)
{
    (void)state;
    static const char *const set[] = {"strom.value.validation.level", "structure", "strom.value.subject", "s",
                                      NULL};
    int32_t s = world_register(&world, "s", JSON_INT);
    int32_t a = world_register(&world, "a", JSON_INT_2);
    struct line of_s = good(s);
    struct line of_a = good(a);
    world_topic(&world, "t", set);
    expect_stored(&of_s, 1);
    expect_refused(&of_a, 1, "under subject \"s\"");
    world_configure(&world, "t", structure);
    expect_refused(&of_s, 1, "under subject \"t-value\"");
    world_ask(&world, "POST /associations", "",
              "{\"resourceName\":\"t\",\"resourceNamespace\":\"any\",\"resourceId\":\"1\",\"resourceType\":"
              "\"topic\",\"associations\":[{\"subject\":\"a\",\"associationType\":\"value\"}]}");
    assert_int_equal(world.status, 200);
    expect_stored(&of_a, 1); // it failed by what was known, so that what is known was looked at again
    expect_refused(&of_s, 1, "under subject \"a\"");
}

static void subject_purge(const char *name)
{
    char query[60];
    snprintf(query, sizeof query, "%s?permanent=true", name);
    assert_int_equal(world_ask(&world, "DELETE /subjects/{subject}", name, NULL), 200);
    assert_int_equal(world_ask(&world, "DELETE /subjects/{subject}", query, NULL), 200);
}

static void record_names_the_subject(void **state)
{
    (void)state;
    static const char *const by_record[] = {"strom.value.validation.level", "structure",
                                            "confluent.value.subject.name.strategy", SUBJECT_STRATEGY_RECORD,
                                            NULL};
    static const char *const by_both[] = {"strom.value.validation.level", "structure",
                                          "confluent.value.subject.name.strategy",
                                          SUBJECT_STRATEGY_TOPIC_RECORD, NULL};
    int32_t reading = world_register(&world, "Reading", JSON_INT);
    int32_t stray = world_register(&world, "stray", JSON_OTHER);
    struct line fine = good(reading);
    struct line wrong = value(framed(&world, stray, "\"x\""));
    struct line unknown = good(99);
    world_topic(&world, "t", by_record);
    expect_stored(&fine, 1);
    expect_refused(&wrong, 1, "is not registered under subject \"Other\"");
    judge(&unknown, 1);
    assert_true(trial.c.is_refused);
    assert_true(str_equal(trial.c.conditions[trial.c.condition_count - 1].key, STR("ids/.")));
    trial_end(&trial, POLICY_FINAL);
    world_configure(&world, "t", by_both);
    expect_refused(&fine, 1, "is not registered under subject \"t-Reading\"");
    world_register(&world, "t-Reading", JSON_INT);
    expect_stored(&fine, 1);
}

#define WITH_ID(body) "{\"id\":70,\"version\":1," body

// In mode IMPORT an id may be given to another schema, once the first one was deleted for good.
static void an_id_given_again_names_another_subject(void **state)
{
    (void)state;
    static const char *const by_record[] = {"strom.value.validation.level", "structure",
                                            "confluent.value.subject.name.strategy", SUBJECT_STRATEGY_RECORD,
                                            NULL};
    assert_int_equal(world_ask(&world, "PUT /mode", "", "{\"mode\":\"IMPORT\"}"), 200);
    assert_int_equal(world_register(&world, "Reading", WITH_ID(JSON_INT_MEMBERS)), 70);
    world_topic(&world, "t", by_record);
    struct line reading = good(70);
    struct line other = value(framed(&world, 70, "\"x\""));
    expect_stored(&reading, 1);
    subject_purge("Reading");
    assert_int_equal(world_register(&world, "Other", WITH_ID(JSON_OTHER_MEMBERS)), 70);
    judge(&other, 1); // by what was: the core then says that this does not hold
    trial_end(&trial, POLICY_STALE);
    expect_stored(&other, 1);
    expect_refused(&reading, 1, "rule 'strom:structure'");
}

static void protobuf_message_is_named_by_its_indexes(void **state)
{
    (void)state;
    static const char *const by_record[] = {"strom.value.validation.level", "structure",
                                            "confluent.value.subject.name.strategy", SUBJECT_STRATEGY_RECORD,
                                            NULL};
    const char *body =
        "{\"schemaType\":\"PROTOBUF\",\"schema\":\"syntax = \\\"proto3\\\"; package p; message A "
        "{ int32 n = 1; } message B { string s = 1; }\"}";
    int32_t id = world_register(&world, "p.A", body);
    world_topic(&world, "t", by_record);
    uint8_t first[] = {0, 0, 0, 0, (uint8_t)id, 0, 0x08, 0x01};
    uint8_t second[] = {0, 0, 0, 0, (uint8_t)id, 2, 2, 0x0a, 0x01, 'x'};
    uint8_t wrong[] = {0, 0, 0, 0, (uint8_t)id, 0, 0x0a, 0x01, 'x'};
    struct line lines[] = {value(bytes_of(first, sizeof first)), value(bytes_of(second, sizeof second)),
                           value(bytes_of(wrong, sizeof wrong))};
    expect_stored(&lines[0], 1);
    expect_refused(&lines[1], 1, "is not registered under subject \"p.B\"");
    expect_refused(&lines[2], 1, "rule 'strom:structure'");
    world_register(&world, "p.B", body);
    expect_stored(lines, 2);
}

// Without them the payload is no empty first message: a serializer that forgot them has sent its payload's
// first bytes in their place. A header may leave them away.
static void protobuf_payload_begins_with_indexes(void **state)
{
    (void)state;
    const char *body =
        "{\"schemaType\":\"PROTOBUF\",\"schema\":\"syntax = \\\"proto3\\\"; message A { int32 n = 1; }\"}";
    static uint8_t guid[17];
    int32_t id = world_register(&world, "t-value", body);
    world_topic(&world, "t", structure);
    guid_of(&world, "t-value", guid);
    const struct record_header header = {STR(FRAME_HEADER_VALUE), bytes_of(guid, sizeof guid)};
    uint8_t first[] = {0, 0, 0, 0, (uint8_t)id, 0, 0x08, 0x01};
    struct line good_one = value(bytes_of(first, sizeof first));
    struct line empty = value(bytes_of(first, 6));
    struct line bare = {.value = bytes_of("", 0), .header = header};
    struct line none[] = {good_one, value(bytes_of(first, 5))};
    struct line both = {.value = none[1].value, .header = header};
    expect_stored(&empty, 1);
    expect_stored(&bare, 1);
    expect_refused(&none[1], 1, "rule 'strom:framing'");
    expect_refused(none, 2, "rule 'strom:framing'");
    expect_refused(&both, 1, "rule 'strom:framing'");
    expect_stored(&good_one, 1);
}

// ---- changes

static void a_new_version_is_found_when_its_id_comes(void **state)
{
    (void)state;
    int32_t first = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", structure);
    struct line line = good(first);
    expect_stored(&line, 1);
    int32_t second = world_register(&world, "t-value", JSON_INT_2);
    line = good(second);
    expect_stored(&line, 1);
}

static void a_subject_that_comes_later_is_found(void **state)
{
    (void)state;
    world_topic(&world, "t", structure);
    struct line line = good(1);
    expect_refused(&line, 1, "is not registered under subject \"t-value\"");
    assert_int_equal(world_register(&world, "t-value", JSON_INT), 1);
    expect_stored(&line, 1);
}

#define AVRO_REFERS                                                                                          \
    "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"S\\\",\\\"fields\\\":[{\\\"name\\\":"       \
    "\\\"r\\\","                                                                                             \
    "\\\"type\\\":\\\"R\\\"}]}\",\"references\":[{\"name\":\"R\",\"subject\":\"r\",\"version\":1}]}"
#define AVRO_REFERRED(type)                                                                                  \
    "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R\\\",\\\"fields\\\":[{\\\"name\\\":"       \
    "\\\"a\\\","                                                                                             \
    "\\\"type\\\":\\\"" type "\\\"}]}\"}"

// Version numbers and GUIDs come again where all was deleted for good: what is referred to may be another.
static void what_is_referred_to_may_be_replaced(void **state)
{
    (void)state;
    world_register(&world, "r", AVRO_REFERRED("string"));
    struct line before = value(framed(&world, world_register(&world, "t-value", AVRO_REFERS), "\2a"));
    world_topic(&world, "t", structure);
    expect_stored(&before, 1);
    subject_purge("t-value");
    subject_purge("r");
    world_register(&world, "r", AVRO_REFERRED("boolean"));
    int32_t id = world_register(&world, "t-value", AVRO_REFERS);
    struct line string = value(framed(&world, id, "\2a"));
    struct line boolean = value(framed(&world, id, "\1"));
    expect_refused(&string, 1, "strom:structure");
    expect_stored(&boolean, 1);
}

// Of one subject, found by two names, one view is older: no verdict holds that rests on both.
static void a_verdict_of_two_views_does_not_hold(void **state)
{
    (void)state;
    static const char *const newest[] = {"strom.value.validation.level",
                                         "structure",
                                         "strom.value.subject",
                                         "s",
                                         "strom.value.schema.version.min",
                                         "-1",
                                         NULL};
    static const char *const by_alias[] = {"strom.key.validation.level",
                                           "id",
                                           "strom.key.subject",
                                           "alias",
                                           "strom.value.validation.level",
                                           "structure",
                                           "strom.value.subject",
                                           "s",
                                           "strom.value.schema.version.min",
                                           "-1",
                                           NULL};
    assert_int_equal(world_ask(&world, "PUT /config/{subject}", "alias", "{\"alias\":\"s\"}"), 200);
    struct line old = good(world_register(&world, "s", JSON_INT));
    world_topic(&world, "u", newest);
    world_topic(&world, "t", by_alias);
    trial_judge(&world, &trial, "u", &old, 1);
    trial_end(&trial, POLICY_FINAL);
    world_register(&world, "s", JSON_INT_2);
    char key[] = "\0\0\0\0\0{}";
    key[4] = (char)old.value.ptr[4];
    old.key = key;
    old.key_len = 7;
    judge(&old, 1); // the key by what is, the value by what was
    bool holds = true;
    const struct core *core = broker_view_begin(world.rig.broker);
    for (uint32_t i = 0; i < trial.c.condition_count; i++) {
        const struct document *document = core_document_find(core, trial.c.conditions[i].key);
        holds =
            holds && trial.c.conditions[i].revision == (document == NULL ? 0 : document_revision(document));
    }
    broker_view_end(world.rig.broker);
    assert_false(holds);
    trial_end(&trial, POLICY_STALE);
    expect_refused(&old, 1, "is not its newest one, 2");
}

// The broker then finds that the topic is gone, and says so.
static void a_topic_that_is_gone_ends_it(void **state)
{
    (void)state;
    int32_t id = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", structure);
    struct line line = good(id);
    world.topic_id = (struct uuid){{7}};
    for (int i = 0; i < 2; i++) {
        judge(&line, 1);
        assert_true(trial.c.is_refused);
        assert_true(str_equal(trial.c.text, STR("the topic has just been deleted")));
        trial_end(&trial, POLICY_STALE);
    }
    world.topic_id = (struct uuid){{0}};
    expect_stored(&line, 1);
}

static void newer_settings_are_seen_at_once(void **state)
{
    (void)state;
    static const char *const observe[] = {"strom.value.validation.level", "structure",
                                          "strom.validation.on.failure", "observe", NULL};
    int32_t id = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", structure);
    struct line line = bad(id);
    expect_refused(&line, 1, "$.n");
    world_configure(&world, "t", observe);
    expect_stored(&line, 1);
}

// ---- what becomes of the batch

// What records_in decompresses, which `last` is in; who has batches with a codec gives it back.
static struct codec_context reading;

static int32_t records_in(struct bytes batch, struct record *last)
{
    struct record_iterator it;
    int32_t count = 0;
    assert_true(batch_crc_check(batch));
    assert_int_equal(record_iterator_init(&it, &reading, batch, NULL, NULL), ERR_OK);
    while (record_iterator_next(&it, last)) {
        count++;
    }
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
    return count;
}

static struct str header_of(const struct record *record, const char *name)
{
    struct record_headers headers = record_headers_init(record);
    struct record_header header;
    while (record_headers_next(&headers, &header)) {
        if (str_equal(header.key, str_from_c(name))) {
            return (struct str){(const char *)header.value.ptr, header.value.len};
        }
    }
    return (struct str){NULL, 0};
}

static const char *const dlq[] = {"strom.validation.on.failure", "dlq", "strom.value.validation.level",
                                  "structure", NULL};

// A topic whose bad records are set aside; the id of its schema.
static int32_t world_with_letters(void)
{
    int32_t id = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t.dlq", NULL);
    world_topic(&world, "t", dlq);
    return id;
}

static void bad_records_are_set_aside(void **state)
{
    (void)state;
    struct record record;
    int32_t id = world_with_letters();
    struct line lines[] = {good(id), bad(id), good(id)};
    lines[1].key = "k1";
    judge(lines, 3);
    assert_false(trial.c.is_refused);
    assert_true(trial.c.is_rewritten);
    assert_int_equal(records_in(trial.c.batch, &record), 2);
    assert_int_equal(record.offset, 2);
    assert_int_equal(trial.c.letter_count, 1);
    assert_true(str_equal(trial.c.letters[0].topic, STR("t.dlq")));
    assert_int_equal(records_in(trial.c.letters[0].batch, &record), 1);
    assert_true(bytes_equal(record.key, bytes_of("k1", 2)));
    assert_true(bytes_equal(record.value, lines[1].value));
    assert_int_equal(record.timestamp, 1700000000001);
    assert_true(str_equal(header_of(&record, DEAD_LETTER_RULE_NAME), STR("strom:structure")));
    assert_true(str_equal(header_of(&record, DEAD_LETTER_ORIGIN_TOPIC), STR("t")));
    assert_true(str_equal(header_of(&record, DEAD_LETTER_ORIGIN_CLIENT_ID), STR("tester")));
    trial_end(&trial, POLICY_FINAL);
}

static void a_batch_of_bad_records_leaves_its_offsets(void **state)
{
    (void)state;
    struct record record;
    struct batch_header header;
    int32_t id = world_with_letters();
    struct line lines[] = {bad(id), bad(id)};
    judge(lines, 2);
    assert_true(trial.c.is_rewritten);
    assert_int_equal(trial.c.batch.len, BATCH_HEADER_SIZE);
    assert_int_equal(batch_header_read(trial.c.batch, &header, NULL), ERR_OK);
    assert_int_equal(header.last_offset_delta, 1);
    assert_int_equal(records_in(trial.c.letters[0].batch, &record), 2);
    trial_end(&trial, POLICY_FINAL);
}

static void letters_have_the_codec_of_their_batch(void **state)
{
    (void)state;
    struct record record;
    struct batch_header header;
    int32_t id = world_with_letters();
    for (int i = 0; i < CODEC_COUNT; i++) {
        struct line lines[] = {good(id), bad(id), good(id), bad(id)};
        world.codec = (enum codec)i;
        judge(lines, 4);
        assert_int_equal(batch_header_read(trial.c.batch, &header, NULL), ERR_OK);
        assert_int_equal(batch_codec(&header), world.codec);
        assert_int_equal(records_in(trial.c.batch, &record), 2);
        assert_int_equal(batch_header_read(trial.c.letters[0].batch, &header, NULL), ERR_OK);
        assert_int_equal(batch_codec(&header), world.codec);
        assert_int_equal(records_in(trial.c.letters[0].batch, &record), 2);
        assert_int_equal(record.offset, 1);
        trial_end(&trial, POLICY_FINAL);
    }
    codec_context_fini(&reading);
}

// However many letters there are, the name of their topic is kept once.
static void many_records_are_set_aside(void **state)
{
    enum { RECORDS = CASE_RECORDS_MAX };
    (void)state;
    char name[ITEM_NAME_MAX + 1];
    char body[1200];
    memset(name, 'q', ITEM_NAME_MAX);
    name[ITEM_NAME_MAX] = '\0';
    snprintf(body, sizeof body,
             "{\"schemaType\":\"JSON\",\"schema\":\"{\\\"type\\\":\\\"object\\\"}\",\"ruleSet\":{"
             "\"domainRules\":[{\"name\":\"r\",\"kind\":\"CONDITION\",\"type\":\"CEL\",\"mode\":\"WRITE\","
             "\"expr\":\"false\",\"onFailure\":\"DLQ\",\"params\":{\"dlq.topic\":\"%s\"}}]}}",
             name);
    int32_t id = world_register(&world, "t-value", body);
    static const char *const rules[] = {"strom.value.validation.level", "contract", NULL};
    world_topic(&world, name, NULL);
    world_topic(&world, "t", rules);
    struct line *lines = arena_new(&world.arena, struct line, RECORDS);
    for (int i = 0; i < RECORDS; i++) {
        lines[i] = value(framed(&world, id, "{}"));
    }
    world.letter_bytes_max = 64 << 20;
    judge(lines, RECORDS);
    if (trial.c.is_refused) {
        fail_msg(STR_FMT, STR_ARG(trial.c.text));
    }
    assert_int_equal(trial.c.letter_count, 1);
    struct judging *j = trial.c.state;
    assert_true(j->kept.total < 1 << 20);
    trial_end(&trial, POLICY_FINAL);
}

static void dead_letters_need_a_place(void **state)
{
    (void)state;
    int32_t id = world_with_letters();
    struct line line = bad(id);
    world.dlq_topic = STR("nowhere");
    judge(&line, 1);
    assert_true(trial.c.is_refused);
    assert_true(
        str_equal(trial.c.text, STR("its dead letters cannot go to \"nowhere\": there is no such topic")));
    trial_end(&trial, POLICY_FINAL);
    world.dlq_topic = STR("t");
    judge(&line, 1);
    assert_true(
        str_equal(trial.c.text, STR("its dead letters cannot go to \"t\": that topic is governed itself")));
    trial_end(&trial, POLICY_FINAL);
    world.dlq_topic = (struct str){0};
    world.letter_bytes_max = 20;
    judge(&line, 1);
    assert_true(
        str_equal(trial.c.text, STR("its dead letters take more than 20 bytes: send smaller batches")));
    trial_end(&trial, POLICY_FINAL);
}

// One byte less than the marked batch takes: refused, with nothing written.
static void marks_may_not_make_a_batch_too_large(void **state)
{
    (void)state;
    static const char *const mark[] = {"strom.validation.on.failure", "mark", "strom.value.validation.level",
                                       "structure", NULL};
    int32_t id = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", mark);
    struct line line = bad(id);
    judge(&line, 1);
    assert_true(trial.c.is_rewritten);
    size_t marked = trial.c.batch.len;
    trial_end(&trial, POLICY_FINAL);
    world.bytes_max = marked;
    judge(&line, 1);
    assert_true(trial.c.is_rewritten);
    trial_end(&trial, POLICY_FINAL);
    world.bytes_max = marked - 1;
    judge(&line, 1);
    assert_true(trial.c.is_refused);
    assert_int_equal(trial.c.err, ERR_BATCH_TOO_LARGE);
    assert_false(trial.c.is_rewritten);
    trial_end(&trial, POLICY_FINAL);
}

static void marks_are_headers(void **state)
{
    (void)state;
    static const char *const mark[] = {"strom.validation.on.failure", "mark", "strom.value.validation.level",
                                       "structure", NULL};
    struct record record;
    int32_t id = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", mark);
    struct line lines[] = {good(id), bad(id)};
    judge(lines, 2);
    assert_true(trial.c.is_rewritten);
    assert_int_equal(trial.c.letter_count, 0);
    assert_int_equal(records_in(trial.c.batch, &record), 2);
    assert_true(str_has_prefix(header_of(&record, MARK_HEADER), STR("strom:structure")));
    assert_true(bytes_equal(record.value, lines[1].value));
    trial_end(&trial, POLICY_FINAL);
}

// Judging looks at the clock after each 4 KiB; copying what stays, and writing it, after each 16 KiB.
static void long_batches_are_judged_in_slices(void **state)
{
    (void)state;
    enum { COUNT = 4000, TOTAL = COUNT * 250 };
    struct record record;
    int32_t id = world_with_letters();
    char *text = arena_new(&world.arena, char, 300);
    snprintf(text, 300, "{\"n\":1,\"pad\":\"%0240d\"}", 1);
    struct line *lines = arena_new(&world.arena, struct line, COUNT);
    for (int i = 0; i < COUNT; i++) {
        lines[i] = i % 1000 == 999 ? bad(id) : value(framed(&world, id, text));
    }
    world.has_no_time = true;
    judge(lines, COUNT);
    world.has_no_time = false;
    assert_true(trial.mores >= TOTAL / 5000 + 2 * (TOTAL / 20000));
    assert_int_equal(records_in(trial.c.batch, &record), COUNT - 4);
    assert_int_equal(records_in(trial.c.letters[0].batch, &record), 4);
    trial_end(&trial, POLICY_FINAL);
}

static void keys_are_judged_too(void **state)
{
    (void)state;
    static const char *const both[] = {"strom.key.validation.level", "structure", NULL};
    int32_t id = world_register(&world, "t-key", JSON_INT);
    world_topic(&world, "t", both);
    struct line line = {.key = "{\"n\":1}", .value = bytes_of("whatever", 8)};
    expect_stored(&line, 1);
    line.key = "{\"n\":[]}";
    expect_refused(&line, 1, "key $.n: rule 'strom:structure' of t-key, version 1");
    (void)id;
}

static void what_is_least_used_goes_and_comes_back(void **state)
{
    (void)state;
    int32_t id = world_register(&world, "t-value", JSON_INT);
    int32_t other = world_register(&world, "t-value", JSON_INT_2);
    world_topic(&world, "t", structure);
    struct line lines[] = {good(id), good(other), bad(id)};
    world.govern->cache.count_max = 2;
    for (int i = 0; i < 3; i++) {
        expect_stored(lines, 2);
        assert_true(world.govern->cache.count <= 2);
        expect_refused(lines, 3, "$.n: rule 'strom:structure' of t-value, version 1");
    }
    world.govern->cache.count_max = GOVERN_SNAPSHOTS_MAX;
    world.govern->cache.bytes_max = 1;
    expect_stored(lines, 2);
    assert_int_equal(world.govern->cache.count, 1); // the newest stays, whatever it takes
}

static void nothing_is_loaded_once_the_server_stops(void **state)
{
    (void)state;
    int32_t id = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", structure);
    world_stop(&world);
    struct line line = good(id);
    judge(&line, 1);
    assert_true(trial.c.is_refused);
    assert_int_equal(trial.c.err, ERR_STOPPING);
    trial_end(&trial, POLICY_LOST);
}

// ---- what is counted

static const char *report(void)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_true(govern_topic_print(world.govern, STR("t"), &out));
    const char *text = arena_str(&world.arena, buf_str(&out)).ptr;
    buf_fini(&out);
    return text;
}

static void counts_are_of_final_verdicts(void **state)
{
    (void)state;
    struct buf out;
    int32_t id = world_register(&world, "t-value", JSON_INT);
    world_topic(&world, "t", structure);
    struct line lines[] = {good(id), bad(id), good(id)};
    judge(lines, 3);
    trial_end(&trial, POLICY_DUPLICATE);
    judge(lines, 3);
    trial_end(&trial, POLICY_FINAL);
    judge(lines, 1);
    trial_end(&trial, POLICY_FINAL);
    const char *text = report();
    expect_in(text, "\"governed\":true,\"on_failure\":\"reject\"");
    expect_in(text,
              "\"checked\":4,\"passed\":1,\"observed\":0,\"marked\":0,\"dead_lettered\":0,\"refused\":3");
    expect_in(text, "\"rules\":[{\"side\":\"value\",\"subject\":\"t-value\",\"version\":1,\"rule\":"
                    "\"strom:structure\",\"path\":\"$.n\",\"action\":\"reject\",\"count\":1,");
    expect_in(text, "\"producers\":[{\"client\":\"tester\",\"principal\":\"User:ANONYMOUS\",\"checked\":4,");
    buf_init(&out, 1 << 20);
    govern_violations_print(world.govern, STR("t"), -1, 10, &out);
    buf_u8(&out, '\0');
    expect_in((const char *)out.ptr, "{\"violations\":[{\"number\":1,");
    expect_in((const char *)out.ptr, "\"index\":1,\"offset\":null,\"client\":\"tester\"");
    expect_in((const char *)out.ptr, "\"last\":1}");
    buf_reset(&out);
    govern_violations_print(world.govern, STR("t"), 1, 10, &out);
    assert_true(str_equal(buf_str(&out), STR("{\"violations\":[],\"last\":1}")));
    buf_fini(&out);
}

// ---- binding

// A topic's subject may be an alias: what is registered under either name would govern it.
static void what_an_alias_stands_for_is_compiled(void **state)
{
    (void)state;
    static const char *const contract[] = {"strom.value.validation.level", "contract", NULL};
    static const char *const by_name[] = {"strom.value.validation.level", "contract", "strom.value.subject",
                                          "orders", NULL};
    world_topic(&world, "t", contract);
    assert_int_equal(world_ask(&world, "PUT /config/{subject}", "t-value", "{\"alias\":\"real\"}"), 200);
    for (int i = 0; i < 2; i++) {
        const char *subject = i == 0 ? "t-value" : "real";
        assert_int_equal(world_ask(&world, "POST /subjects/{subject}/versions", subject, BROKEN_RULE), 422);
        expect_in(world.text, "it would govern topic t");
    }
    world_topic(&world, "u", by_name);
    assert_int_equal(world_ask(&world, "PUT /config/{subject}", "orders", "{\"alias\":\"other\"}"), 200);
    assert_int_equal(world_ask(&world, "POST /subjects/{subject}/versions", "other", BROKEN_RULE), 422);
    expect_in(world.text, "it would govern topic u");
    world_register(&world, "nothing", BROKEN_RULE);
}

static void what_governs_is_compiled_when_bound(void **state)
{
    (void)state;
    struct error e = {0};
    const struct item_config configs[] = {{STR("strom.value.validation.level"), STR("contract")}};
    assert_int_equal(world_bind(&world, "t", configs, 1, &e), ERR_OK); // no subject yet
    world_register(&world, "t-value", BROKEN_RULE);                    // governs nothing yet
    assert_int_equal(world_bind(&world, "t", configs, 1, &e), ERR_INVALID_CONFIG);
    expect_in(e.text, "t-value version 1: rule 'r', line 1, column ");
    assert_int_equal(world_bind(&world, "u", configs, 1, &e), ERR_OK);
    const char *const governed[] = {"strom.value.validation.level", "contract", NULL};
    world_topic(&world, "u", governed);
    assert_int_equal(world_ask(&world, "POST /subjects/{subject}/versions", "u-value", BROKEN_RULE), 422);
    expect_in(world.text, "\"error_code\":42210");
    expect_in(world.text, "it would govern topic u");
    expect_in(world.text, "rule 'r', line 1, column ");
    // Where it slipped in nevertheless, records are refused with the reason, and not set aside.
    static const char *const to_dlq[] = {"strom.validation.on.failure", "dlq", "strom.value.validation.level",
                                         "contract", NULL};
    world_topic(&world, "t.dlq", NULL);
    world_topic(&world, "t", to_dlq);
    struct line line = value(framed(&world, 1, "{}"));
    expect_refused(&line, 1, "rule 'r', line 1, column ");
}

#define TWO_MESSAGES                                                                                         \
    "{\"schemaType\":\"PROTOBUF\",\"schema\":\"syntax = \\\"proto3\\\"; message A { int32 n = 1; } message " \
    "B { "                                                                                                   \
    "string s = 1; "                                                                                         \
    "}\",\"ruleSet\":{\"domainRules\":[{\"name\":\"r\",\"kind\":\"CONDITION\",\"type\":\"CEL\","             \
    "\"mode\":\"WRITE\",\"expr\":\"%s\"}]}}"

// Which message of a Protobuf schema the rules are about shows only in records: it may be any.
static void rules_may_be_about_any_message(void **state)
{
    (void)state;
    struct error e = {0};
    const struct item_config configs[] = {{STR("strom.value.validation.level"), STR("contract")}};
    char body[600];
    snprintf(body, sizeof body, TWO_MESSAGES, "message.s != ''");
    world_register(&world, "t-value", body);
    assert_int_equal(world_bind(&world, "t", configs, 1, &e), ERR_OK);
    snprintf(body, sizeof body, TWO_MESSAGES, "message.q != ''");
    world_register(&world, "u-value", body);
    assert_int_equal(world_bind(&world, "u", configs, 1, &e), ERR_INVALID_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rules_may_be_about_any_message, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(good_records_pass_with_their_conditions, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(bad_payload_is_refused_with_path_and_rule, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(many_bad_records_are_capped, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(ids_must_belong_to_the_subject, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(level_id_looks_at_ids_only, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_record_is_not_taken_for_the_one_before, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(raw_json_is_judged_by_the_newest_version, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(raw_json_is_of_a_version_that_may_be_used, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(raw_bytes_under_avro_are_refused, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(old_and_deleted_versions_are_refused, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(null_is_refused_where_asked, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(header_names_the_schema_of_a_bare_payload, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(header_and_prefix_must_agree, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(subject_may_be_set_or_associated, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(record_names_the_subject, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(an_id_given_again_names_another_subject, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(protobuf_message_is_named_by_its_indexes, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(protobuf_payload_begins_with_indexes, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_new_version_is_found_when_its_id_comes, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(a_subject_that_comes_later_is_found, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(what_is_referred_to_may_be_replaced, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_verdict_of_two_views_does_not_hold, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_topic_that_is_gone_ends_it, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(newer_settings_are_seen_at_once, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(bad_records_are_set_aside, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_batch_of_bad_records_leaves_its_offsets, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(many_records_are_set_aside, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(letters_have_the_codec_of_their_batch, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(dead_letters_need_a_place, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(marks_may_not_make_a_batch_too_large, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(marks_are_headers, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(long_batches_are_judged_in_slices, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(keys_are_judged_too, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(what_is_least_used_goes_and_comes_back, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(nothing_is_loaded_once_the_server_stops, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(counts_are_of_final_verdicts, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(what_governs_is_compiled_when_bound, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(what_an_alias_stands_for_is_compiled, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
