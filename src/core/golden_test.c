// SPDX-License-Identifier: Apache-2.0
// Version 1 is frozen: these bytes must decode, apply and hash alike in every release. GOLDEN_WRITE=1 in the
// environment writes the files anew, for a new version only.
#include "core/group_rig_test.h"
#include "record/batch.h"

#include <stdio.h>
#include <stdlib.h>

static struct item_config topic_set[] = {
    {{"cleanup.policy", 14}, {"delete", 6}},
    {{"strom.durability", 16}, {"os", 2}},
};
static struct item_config broker_set[] = {
    {{"log.retention.ms", 16}, {"86400000", 8}},
    {{"strom.producer.ids.max", 22}, {"100", 3}},
};

static struct item config_item(uint8_t id, struct item_config *configs, uint32_t count, uint64_t revision)
{
    struct item item = rig_kind(ITEM_CONFIG_SET);
    item.config_set.topic_id = id == 0 ? (struct uuid){{0}} : rig_id(id);
    item.config_set.expected_revision = revision;
    item.config_set.configs = configs;
    item.config_set.config_count = count;
    return item;
}

// story_make fills `items` with every kind, refusals among them; bundle i ends before item ends[i].
enum { STORY_ITEMS = 21, STORY_BUNDLES = 8 };
static const uint32_t ends[STORY_BUNDLES] = {4, 8, 9, 12, 14, 16, 18, STORY_ITEMS};

static void story_make(struct item items[STORY_ITEMS])
{
    static struct extent old[] = {
        {.base_offset = 0, .end_offset = 5, .object = 1, .position = 4096},
        {.base_offset = 5, .end_offset = 8, .object = 1, .position = 4896},
    };
    static struct extent fresh[] = {{0, 8, 77, 512, 640, 8, 5005, 0, EXTENT_FINAL}};
    uint32_t n = 0;
    items[n] = rig_create(1, "orders", 2);
    items[n].topic_create.configs = topic_set;
    items[n++].topic_create.config_count = 2;
    items[n++] = rig_create(2, "gone.soon", 1);
    items[n++] = rig_create(3, "gone_soon", 1); // refused
    items[n++] = rig_kind(ITEM_PRODUCER_ID);
    items[n++] = rig_idempotent(1, 0, 0, 0, 0, 5);
    items[n++] = rig_data(1, 1, 3);
    items[n++] = rig_idempotent(1, 0, 0, 0, 5, 3);
    items[n++] = rig_idempotent(1, 0, 0, 0, 0, 5); // duplicate
    items[n++] = rig_kind(ITEM_EPOCH_RAISE);
    items[n++] = rig_idempotent(1, 0, 0, 1, 0, 2);
    items[n] = rig_data(1, 1, 1);
    items[n++].depends_on = 1;
    items[n++] = rig_idempotent(1, 0, 0, 0, 8, 1); // fenced
    items[n] = rig_kind(ITEM_REPLACE);
    items[n++].replace = (struct item_replace){rig_id(1), 0, old, 2, fresh, 1};
    items[n++] = rig_trim(1, 1, 2);
    items[n++] = config_item(0, broker_set, 2, 0);
    items[n++] = config_item(1, topic_set, 1, 0);
    items[n] = rig_kind(ITEM_PARTITIONS_ADD);
    items[n++].partitions_add = (struct item_partitions_add){rig_id(1), 2, 3};
    items[n++] = rig_delete(2);
    items[n++] = rig_kind(ITEM_TICK);
    items[n++] = rig_idempotent(1, 2, 4000000000, 7, INT32_MAX - 1, 4);
    items[n++] = rig_trim(2, 0, 1); // refused
    assert_int_equal(n, STORY_ITEMS);
}

// The same for the kinds of groups, offsets and quotas.
enum { GROUPS_ITEMS = 23, GROUPS_BUNDLES = 7 };
static const uint32_t groups_ends[GROUPS_BUNDLES] = {4, 6, 10, 14, 17, 19, GROUPS_ITEMS};

static void groups_story_make(struct item items[GROUPS_ITEMS])
{
    static struct item_member members[] = {
        {{"m-1", 3},
         {"rack-7", 6},
         {"app", 3},
         {"/10.0.0.7", 9},
         45000,
         300000,
         {(const uint8_t *)"\0\1", 2},
         {(const uint8_t *)"a", 1}},
        {{"m-0", 3}, {NULL, 0}, {"app", 3}, {"", 0}, 6000, 60000, {NULL, 0}, {(const uint8_t *)"bb", 2}},
    };
    static struct item_member workers[] = {
        {{"w-1", 3},
         {"node-1", 6},
         {"connect", 7},
         {"/10.0.0.8", 9},
         10000,
         60000,
         {(const uint8_t *)"\0\1\2", 3},
         {(const uint8_t *)"w", 1}},
        {{"w-0", 3}, {NULL, 0}, {"", 0}, {"", 0}, 0, 0, {NULL, 0}, {NULL, 0}},
    };
    static struct item_offset offsets[] = {
        {{{0x51, [15] = 1}}, 256, 77, 3, -1, {"note", 4}},
        {{{0x51, [15] = 1}}, 0, 5, -1, 5000, {"", 0}},
        {{{0x51, [15] = 2}}, 0, 6, -1, -1, {"", 0}}, // its topic goes
        {{{0x51, [15] = 9}}, 0, 7, -1, -1, {"", 0}}, // skipped
    };
    static struct item_offset_name names[] = {{{{0x51, [15] = 1}}, 0}, {{{0x51, [15] = 1}}, 1}};
    static struct item_quota_part parts[] = {
        {QUOTA_USER, {NULL, 0}}, {QUOTA_CLIENT_ID, {"app", 3}}, {QUOTA_IP, {"10.0.0.7", 8}}};
    static struct item_quota_value values[] = {{{"consumer_byte_rate", 18}, 1048576},
                                               {{"request_percentage", 18}, 12.5}};
    static struct item_config limits[] = {{{"strom.group.offsets.max", 23}, {"6", 1}},
                                          {{"strom.groups.max", 16}, {"3", 1}},
                                          {{"strom.quotas.max", 16}, {"2", 1}}};
    uint32_t n = 0;
    items[n++] = rig_create(1, "orders", 300);
    items[n++] = rig_create(2, "gone.soon", 1);
    items[n++] = config_item(0, limits, 3, 0);
    items[n] = rig_kind(ITEM_GROUP_SET);
    items[n++].group_set =
        (struct item_group_set){STR("billing"), 0, 4, STR("consumer"), STR("range"), STR("m-1"), members, 2};
    items[n++] = rig_commit_all("billing", 4, "m-0", offsets, 4);
    items[n++] = rig_commit_all("billing", 3, "m-0", offsets, 4); // fenced
    items[n++] = rig_commit_all("billing", -1, "", offsets, 4);   // refused: it has members
    items[n++] = rig_commit_all("tool", -1, "", offsets, 2);
    items[n++] = rig_commit_all("extra", -1, "", offsets, 2); // over the limit
    items[n++] = rig_commit_all("gone", -1, "", offsets, 1);
    items[n++] = rig_delete(2);
    items[n++] = rig_group_delete("billing", false); // refused: it has members
    items[n++] = rig_group_delete("gone", false);
    items[n] = rig_kind(ITEM_GROUP_SET); // stale
    items[n++].group_set = (struct item_group_set){.group_id = STR("billing"), .expected_generation = 3};
    items[n] = rig_kind(ITEM_OFFSET_DELETE); // old enough by its own retention only
    items[n++].offset_delete = (struct item_offset_delete){STR("tool"), 0, 0, names, 2};
    items[n] = rig_kind(ITEM_GROUP_SET);
    items[n++].group_set =
        (struct item_group_set){.group_id = STR("billing"), .expected_generation = 4, .generation = 5};
    items[n++] = rig_group_delete("tool", true); // refused: it has an offset
    items[n] = rig_kind(ITEM_QUOTA_SET);
    items[n++].quota_set = (struct item_quota_set){parts, 2, 0, values, 2};
    items[n] = rig_kind(ITEM_QUOTA_SET);
    items[n++].quota_set = (struct item_quota_set){parts + 2, 1, 0, values, 1};
    items[n] = rig_kind(ITEM_QUOTA_SET); // over the limit
    items[n++].quota_set = (struct item_quota_set){parts, 1, 0, values, 1};
    items[n] = rig_kind(ITEM_QUOTA_SET);
    items[n++].quota_set = (struct item_quota_set){parts + 2, 1, 1, values, 0};
    items[n] = rig_kind(ITEM_QUOTA_SET);
    items[n++].quota_set = (struct item_quota_set){parts, 2, 1, values + 1, 1};
    items[n] = rig_kind(ITEM_GROUP_SET);
    items[n++].group_set =
        (struct item_group_set){STR("tool"), 0, 2, STR("connect"), STR("v1"), STR("w-1"), workers, 2};
    assert_int_equal(n, GROUPS_ITEMS);
}

// The same for transactions.
enum { TXNS_ITEMS = 24, TXNS_BUNDLES = 8 };
static const uint32_t txns_ends[TXNS_BUNDLES] = {1, 3, 6, 9, 12, 16, 20, TXNS_ITEMS};

static struct item txn_batch(int32_t partition, int64_t producer_id, int16_t epoch, int32_t sequence,
                             bool adds)
{
    struct item item = rig_idempotent(1, partition, producer_id, epoch, sequence, 2);
    item.data.attributes = (int16_t)(BATCH_ATTRIBUTE_TRANSACTIONAL | (adds ? DATA_ADDS : 0));
    return item;
}

static struct item txn_end(const char *id, int64_t producer_id, int16_t epoch, bool is_commit, bool bumps)
{
    struct item item = rig_kind(ITEM_TXN_END);
    item.txn_end = (struct item_txn_end){str_from_c(id), producer_id, epoch, is_commit, bumps, false};
    return item;
}

static void txns_story_make(struct item items[TXNS_ITEMS])
{
    static struct item_offset offsets[] = {{{{0x51, [15] = 1}}, 0, 77, 3, -1, {"note", 4}},
                                           {{{0x51, [15] = 1}}, 1, 78, -1, -1, {"", 0}}};
    static struct item_txn_partition partitions[] = {{{{0x51, [15] = 1}}, 0}, {{{0x51, [15] = 1}}, 1}};
    static struct str groups[] = {{"billing", 7}};
    uint32_t n = 0;
    items[n++] = rig_create(1, "orders", 3);
    items[n] = rig_kind(ITEM_TXN_INIT);
    items[n++].txn_init = (struct item_txn_init){STR("pay"), 60000, -1, -1};
    items[n] = rig_kind(ITEM_TXN_INIT);
    items[n++].txn_init = (struct item_txn_init){STR("ship"), 300, -1, -1};
    items[n] = rig_kind(ITEM_TXN_ADD);
    items[n++].txn_add = (struct item_txn_add){STR("pay"), 0, 0, partitions, 2, groups, 1};
    items[n++] = txn_batch(0, 0, 0, 0, false);
    items[n] = rig_kind(ITEM_TXN_OFFSETS);
    items[n++].txn_offsets =
        (struct item_txn_offsets){STR("pay"), 0, 0, false, {STR("billing"), -1, STR(""), offsets, 2}};
    items[n++] = txn_batch(0, 1, 0, 0, true);  // ship begins
    items[n++] = txn_batch(2, 0, 0, 0, false); // not added
    items[n++] = txn_end("pay", 0, 0, true, false);
    items[n++] = txn_end("pay", 0, 0, true, false); // again
    items[n++] = txn_batch(0, 0, 0, 0, false);      // a duplicate of the committed one
    items[n++] = rig_kind(ITEM_TICK);               // ship was too slow
    items[n++] = txn_end("ship", 1, 0, true, true); // fenced
    items[n] = rig_kind(ITEM_TXN_INIT);
    items[n++].txn_init = (struct item_txn_init){STR("ship"), 90000, 1, 0}; // goes on with the next epoch
    items[n++] = txn_batch(1, 1, 1, 0, true);
    items[n++] = txn_end("ship", 1, 1, true, true);
    items[n++] = txn_batch(1, 1, 2, 0, true);
    items[n++] = txn_end("ship", 1, 1, true, true); // the one before, delayed
    items[n++] = txn_batch(2, 1, 2, 0, true);
    items[n++] = txn_end("ship", 1, 2, false, true);
    items[n++] = txn_batch(2, 0, 0, 0, true); // open at the end
    items[n] = rig_kind(ITEM_TXN_OFFSETS);
    items[n++].txn_offsets =
        (struct item_txn_offsets){STR("pay"), 0, 0, true, {STR("tool"), -1, STR(""), offsets, 1}};
    items[n] = rig_kind(ITEM_TXN_ADD);
    items[n++].txn_add = (struct item_txn_add){STR("gone"), 7, 0, partitions, 1, NULL, 0}; // nobody
    items[n++] = rig_trim(1, 0, 1);
    assert_int_equal(n, TXNS_ITEMS);
}

// The same for groups of the consumer protocol.
enum { CONSUMERS_ITEMS = 10, CONSUMERS_BUNDLES = 4 };
static const uint32_t consumers_ends[CONSUMERS_BUNDLES] = {3, 5, 8, CONSUMERS_ITEMS};

static void consumers_story_make(struct item items[CONSUMERS_ITEMS])
{
    static struct item_member classic[] = {{.member_id = {"c-1", 3}, .session_timeout_ms = 45000}};
    static struct item_consumer_member two[] = {
        {{"m-1", 3},
         CONSUMER_METADATA | CONSUMER_TARGET | CONSUMER_CURRENT,
         {(const uint8_t *)"meta", 4},
         {(const uint8_t *)"t", 1},
         1,
         {NULL, 0}},
        {{"m-2", 3},
         CONSUMER_METADATA | CONSUMER_CURRENT,
         {NULL, 0},
         {NULL, 0},
         1,
         {(const uint8_t *)"c", 1}},
    };
    static struct item_consumer_member moved[] = {
        {{"m-2", 3}, CONSUMER_CURRENT, {NULL, 0}, {NULL, 0}, 2, {(const uint8_t *)"cc", 2}},
    };
    static struct str first[] = {{"m-1", 3}};
    static struct str both[] = {{"m-1", 3}, {"m-2", 3}};
    static struct item_offset offsets[] = {{{{0x51, [15] = 1}}, 0, 5, -1, -1, {"", 0}}};
    struct bytes state = {(const uint8_t *)"state", 5};
    uint32_t n = 0;
    items[n++] = rig_create(1, "orders", 3);
    items[n] = rig_kind(ITEM_CONSUMER_SET);
    items[n++].consumer_set = (struct item_consumer_set){STR("new"), 0, 0, 1, state, NULL, 0, two, 2};
    items[n] = rig_kind(ITEM_CONSUMER_SET); // stale: another revision
    items[n++].consumer_set = (struct item_consumer_set){STR("new"), 1, 0, 2, state, NULL, 0, moved, 1};
    items[n] = rig_kind(ITEM_CONSUMER_SET);
    items[n++].consumer_set = (struct item_consumer_set){STR("new"), 1, 1, 2, state, first, 1, moved, 1};
    items[n++] = rig_commit_all("new", 2, "m-2", offsets, 1);
    items[n++] = rig_commit_all("new", 1, "m-2", offsets, 1); // an older epoch
    items[n] = rig_kind(ITEM_GROUP_SET);
    items[n++].group_set =
        (struct item_group_set){STR("old"), 0, 4, STR("consumer"), STR("range"), STR("c-1"), classic, 1};
    items[n] = rig_kind(ITEM_CONSUMER_SET); // a classic group becomes one
    items[n++].consumer_set = (struct item_consumer_set){STR("old"), 4, 0, 5, state, NULL, 0, two, 2};
    items[n] = rig_kind(ITEM_CONSUMER_SET);
    items[n++].consumer_set = (struct item_consumer_set){STR("old"), 5, 1, 6, {NULL, 0}, both, 2, NULL, 0};
    items[n] = rig_kind(ITEM_GROUP_SET); // and back; it is not expected to have been one
    items[n++].group_set =
        (struct item_group_set){STR("old"), 6, 7, STR("consumer"), STR("range"), STR("c-1"), classic, 1};
    assert_int_equal(n, CONSUMERS_ITEMS);
}

// DATA, version 2: verdicts and dead letters.
enum { VERDICTS_ITEMS = 16, VERDICTS_BUNDLES = 7 };
static const uint32_t verdicts_ends[VERDICTS_BUNDLES] = {4, 6, 8, 9, 12, 14, VERDICTS_ITEMS};

static struct item verdict(struct item item, uint8_t flags, struct item_condition *condition,
                           struct item_target *target)
{
    item.version = 2;
    item.data.flags = flags;
    item.data.conditions = condition;
    item.data.condition_count = condition != NULL;
    item.data.targets = target;
    item.data.target_count = target != NULL;
    item.data.payload_length = (flags & DATA_REFUSED) != 0 ? 0 : item.data.payload_length;
    return item;
}

static void verdicts_story_make(struct item items[VERDICTS_ITEMS])
{
    static struct item_config governed[] = {{{"strom.validation.on.failure", 27}, {"dlq", 3}},
                                            {{"strom.value.validation.level", 28}, {"contract", 8}}};
    static struct item_document put[] = {
        {.op = DOCUMENT_PUT, .key = {"subject/orders", 14}, .value = {(const uint8_t *)"x", 1}}};
    static struct item_condition first[] = {{{"subject/orders", 14}, 1}};
    static struct item_condition second[] = {{{"subject/orders", 14}, 2}};
    static struct item_target target[] = {{{{0x51, [15] = 2}}, 0}};
    struct item change = rig_kind(ITEM_DOCUMENTS);
    change.documents = (struct item_documents){.documents = put, .document_count = 1};
    struct item letter = verdict(rig_data(2, 0, 1), 0, NULL, NULL);
    uint32_t n = 0;
    items[n] = rig_create(1, "orders", 1); // refused: what takes its dead letters is not there
    items[n].topic_create.configs = governed;
    items[n++].topic_create.config_count = 2;
    items[n++] = rig_create(2, "orders.dlq", 1);
    items[n] = rig_create(1, "orders", 1);
    items[n].topic_create.configs = governed;
    items[n++].topic_create.config_count = 2;
    items[n++] = change;
    items[n] = verdict(rig_idempotent(1, 0, 7, 0, 0, 4), DATA_JUDGED, first, target);
    items[n++].data.record_count = 3;
    items[n] = letter;
    items[n++].depends_on = 1;
    items[n++] = verdict(rig_idempotent(1, 0, 7, 0, 0, 4), DATA_JUDGED, first, target); // duplicate
    items[n] = letter;
    items[n++].depends_on = 1; // left out
    items[n++] = change;
    items[n++] = verdict(rig_idempotent(1, 0, 7, 0, 4, 2), DATA_JUDGED, first, NULL); // stale
    items[n++] = verdict(rig_idempotent(1, 0, 7, 0, 4, 2), DATA_JUDGED | DATA_REFUSED, second, NULL);
    items[n++] = verdict(rig_idempotent(1, 0, 7, 0, 0, 4), DATA_JUDGED | DATA_REFUSED, second, NULL);
    items[n++] = verdict(rig_idempotent(1, 0, 7, 0, 4, 2), DATA_JUDGED, second, NULL);
    items[n++] = verdict(rig_data(1, 0, 1), 0, NULL, NULL); // not judged
    items[n++] = rig_delete(2);                             // it is named
    items[n++] = verdict(rig_data(2, 0, 2), 0, NULL, NULL);
    assert_int_equal(n, VERDICTS_ITEMS);
}

// DATA, version 3: what became of its records.
enum { TALLIES_ITEMS = 9, TALLIES_BUNDLES = 4 };
static const uint32_t tallies_ends[TALLIES_BUNDLES] = {2, 4, 7, TALLIES_ITEMS};

static struct item tallied(struct item item, uint8_t flags, struct item_tally *tallies, uint32_t count)
{
    item.version = 3;
    item.data.flags = flags;
    item.data.tally_who = (struct bytes){(const uint8_t *)"\x03"
                                                          "appUser:ANONYMOUS",
                                         18};
    item.data.tallies = tallies;
    item.data.tally_count = count;
    item.data.payload_length = (flags & DATA_REFUSED) != 0 ? 0 : item.data.payload_length;
    return item;
}

static void tallies_story_make(struct item items[TALLIES_ITEMS])
{
    static struct item_config governed[] = {{{"strom.value.validation.level", 28}, {"contract", 8}}};
    static const uint8_t schema[] = "\0\0\0\0\1\0\6orders";
    static const uint8_t rule[] = "\2\0\0\0\1\0\6orders\5adult$.age";
    static struct item_tally good[] = {{{schema, sizeof schema - 1}, TALLY_PASSED, 4}};
    static struct item_tally mixed[] = {{{schema, sizeof schema - 1}, TALLY_PASSED, 1},
                                        {{schema, sizeof schema - 1}, TALLY_MARKED, 1},
                                        {{rule, sizeof rule - 1}, TALLY_FINDING + TALLY_MARKED, 1}};
    static struct item_tally bad[] = {{{schema, sizeof schema - 1}, TALLY_REFUSED, 2},
                                      {{rule, sizeof rule - 1}, TALLY_FINDING + TALLY_REFUSED, 1}};
    uint32_t n = 0;
    items[n] = rig_create(1, "orders", 1);
    items[n].topic_create.configs = governed;
    items[n++].topic_create.config_count = 1;
    items[n] = rig_create(2, "gone", 1);
    items[n].topic_create.configs = governed;
    items[n++].topic_create.config_count = 1;
    items[n++] = tallied(rig_idempotent(1, 0, 7, 0, 0, 4), DATA_JUDGED, good, 1);
    items[n++] = tallied(rig_idempotent(1, 0, 7, 0, 0, 4), DATA_JUDGED, good, 1); // duplicate: counts nothing
    items[n++] = tallied(rig_data(1, 0, 2), DATA_JUDGED, mixed, 3);
    items[n++] = tallied(rig_data(1, 0, 2), DATA_JUDGED | DATA_REFUSED, bad, 2);
    items[n++] = tallied(rig_data(2, 0, 4), DATA_JUDGED, good, 1);
    items[n++] = rig_delete(2);
    items[n] = tallied(rig_data(1, 0, 2), DATA_JUDGED, mixed, 3); // stale: counts nothing
    items[n++].data.config_revision = 9;
    assert_int_equal(n, TALLIES_ITEMS);
}

// DOCUMENTS, version 2: only what is added counts.
enum { DOCUMENTS_ITEMS = 7, DOCUMENTS_BUNDLES = 2 };
static const uint32_t documents_ends[DOCUMENTS_BUNDLES] = {3, DOCUMENTS_ITEMS};

static void documents_story_make(struct item items[DOCUMENTS_ITEMS])
{
    static struct item_config limits[] = {{{"strom.documents.bytes.max", 25}, {"32", 2}},
                                          {{"strom.documents.max", 19}, {"2", 1}}};
    static struct item_document put[] = {
        {.key = {"version/a", 9}, .value = {(const uint8_t *)"0123456", 7}},
        {.key = {"version/b", 9}, .value = {(const uint8_t *)"0123456", 7}},
        {.key = {"version/a", 9}, .value = {(const uint8_t *)"012345678", 9}, .number = 3},
        {.key = {"version/a", 9}, .value = {(const uint8_t *)"0123456789", 10}},
        {.key = {"version/b", 9}, .number_op = NUMBER_ADD, .number = 1},
        {.key = {"c", 1}},
    };
    uint32_t n = 0;
    items[n++] = config_item(0, limits, 2, 0);
    for (uint32_t i = 0; i < 6; i++) {
        items[n] = rig_kind(ITEM_DOCUMENTS);
        items[n].version = 2;
        items[n++].documents = (struct item_documents){.documents = &put[i], .document_count = 1};
    }
    assert_int_equal(n, DOCUMENTS_ITEMS);
}

// A story and its two files.
static const struct story {
    void (*make)(struct item *items);
    uint32_t item_count;
    const uint32_t *ends;
    uint32_t bundle_count;
    int64_t bundle_ms; // time from one to the next
    const char *items_file;
    const char *items_about;
    const char *snapshot_file;
    const char *snapshot_about;
} stories[] = {
    {story_make, STORY_ITEMS, ends, STORY_BUNDLES, 250, "core_items_v1.hex",
     "Item frames, version 1, of every kind (docs/formats/item.md).", "core_snapshot_v1.hex",
     "Snapshot, version 1, after core_items_v1.hex in bundles (docs/formats/snapshot.md)."},
    {groups_story_make, GROUPS_ITEMS, groups_ends, GROUPS_BUNDLES, 2500, "core_items_v1_groups.hex",
     "Item frames, version 1, of groups, offsets and quotas (docs/formats/item.md).",
     "core_snapshot_v1_groups.hex",
     "Snapshot, version 1, after core_items_v1_groups.hex in bundles (docs/formats/snapshot.md)."},
    {txns_story_make, TXNS_ITEMS, txns_ends, TXNS_BUNDLES, 400, "core_items_v1_txns.hex",
     "Item frames, version 1, of transactions (docs/formats/item.md).", "core_snapshot_v1_txns.hex",
     "Snapshot, version 1, after core_items_v1_txns.hex in bundles (docs/formats/snapshot.md)."},
    {consumers_story_make, CONSUMERS_ITEMS, consumers_ends, CONSUMERS_BUNDLES, 250,
     "core_items_v1_consumers.hex",
     "Item frames, version 1, of groups of the consumer protocol (docs/formats/item.md).",
     "core_snapshot_v1_consumers.hex",
     "Snapshot, version 1, after core_items_v1_consumers.hex in bundles (docs/formats/snapshot.md)."},
    {verdicts_story_make, VERDICTS_ITEMS, verdicts_ends, VERDICTS_BUNDLES, 250, "core_items_v2_data.hex",
     "Item frames, DATA of version 2 among them (docs/formats/item.md).", "core_snapshot_v1_data.hex",
     "Snapshot, version 1, after core_items_v2_data.hex in bundles (docs/formats/snapshot.md)."},
    {tallies_story_make, TALLIES_ITEMS, tallies_ends, TALLIES_BUNDLES, 250, "core_items_v3_tallies.hex",
     "Item frames, DATA of version 3 among them (docs/formats/item.md).", "core_snapshot_v1_tallies.hex",
     "Snapshot, version 1, after core_items_v3_tallies.hex in bundles (docs/formats/snapshot.md)."},
    {documents_story_make, DOCUMENTS_ITEMS, documents_ends, DOCUMENTS_BUNDLES, 250,
     "core_items_v2_documents.hex", "Item frames, DOCUMENTS of version 2 among them (docs/formats/item.md).",
     "core_snapshot_v1_documents.hex",
     "Snapshot, version 1, after core_items_v2_documents.hex in bundles (docs/formats/snapshot.md)."},
};
enum { STORIES = sizeof stories / sizeof stories[0], STORY_ITEMS_MAX = 32 };

static void path_make(const char *name, char *out, size_t size)
{
    const char *dir = getenv("GOLDEN_DIR");
    snprintf(out, size, "%s/%s", dir == NULL ? "tests/golden" : dir, name);
}

static void golden_write(const char *name, const char *about, struct bytes data)
{
    char path[512];
    path_make(name, path, sizeof path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "# %s\n", about);
    for (size_t i = 0; i < data.len; i++) {
        fprintf(f, "%02x%s", data.ptr[i], i % 48 == 47 || i + 1 == data.len ? "\n" : "");
    }
    assert_int_equal(fclose(f), 0);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void golden_read(const char *name, struct buf *out)
{
    char path[512];
    path_make(name, path, sizeof path);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char line[512];
    buf_init(out, 1 << 20);
    while (fgets(line, sizeof line, f) != NULL) {
        for (size_t i = 0; line[0] != '#' && hex_digit(line[i]) >= 0; i += 2) {
            assert_true(hex_digit(line[i + 1]) >= 0);
            buf_u8(out, (uint8_t)(hex_digit(line[i]) * 16 + hex_digit(line[i + 1])));
        }
    }
    fclose(f);
    assert_true(out->len > 0);
}

static void golden_compare(const char *name, const char *about, struct bytes made)
{
    if (getenv("GOLDEN_WRITE") != NULL) {
        golden_write(name, about, made);
    }
    struct buf golden;
    golden_read(name, &golden);
    assert_int_equal(golden.len, made.len);
    assert_memory_equal(golden.ptr, made.ptr, made.len);
    buf_fini(&golden);
}

static void golden_items_v1(void **state)
{
    (void)state;
    for (int s = 0; s < STORIES; s++) {
        struct item items[STORY_ITEMS_MAX];
        stories[s].make(items);
        struct buf frames;
        buf_init(&frames, 1 << 20);
        for (uint32_t i = 0; i < stories[s].item_count; i++) {
            item_encode(&items[i], &frames);
        }
        golden_compare(stories[s].items_file, stories[s].items_about, buf_bytes(&frames));
        buf_fini(&frames);
    }
}

// golden_replay applies the golden items, as stored, in the story's bundles.
static void golden_replay(const struct story *story, struct rig *rig, enum err *ret_errs)
{
    struct buf frames;
    golden_read(story->items_file, &frames);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct reader r = reader_init(buf_bytes(&frames));
    rig_init(rig);
    uint32_t bundle = 0;
    uint32_t first = 0;
    for (uint32_t i = 0; i < story->item_count; i++) {
        struct item item;
        assert_int_equal(item_decode(&r, &arena, &item, NULL), ERR_OK);
        rig_add(rig, &item);
        if (i + 1 == story->ends[bundle]) {
            rig_flush(rig);
            rig->time_ms += story->bundle_ms;
            for (uint32_t k = first; k <= i; k++) {
                ret_errs[k] = rig->outcomes[k - first].err;
            }
            first = i + 1;
            bundle++;
        }
    }
    assert_int_equal(bundle, story->bundle_count);
    arena_fini(&arena);
    buf_fini(&frames);
}

static void golden_items_v1_replay(void **state)
{
    (void)state;
    struct rig rig;
    enum err errs[STORY_ITEMS_MAX];
    golden_replay(&stories[0], &rig, errs);
    struct partition *p = rig_partition(&rig, 1, 0);
    assert_int_equal(core_topic_count(rig.core), 1);
    assert_int_equal(partition_high_watermark(p), 10);
    assert_int_equal(partition_leader_epoch(p), 1);
    assert_int_equal(partition_extent_count(p), 2); // the merged one, and epoch 1
    assert_int_equal(partition_extent(p, 0)->object, 77);
    assert_int_equal(partition_log_start(rig_partition(&rig, 1, 1)), 2);
    assert_int_equal(partition_high_watermark(rig_partition(&rig, 1, 1)), 4);
    assert_int_equal(partition_high_watermark(rig_partition(&rig, 1, 2)), 4);
    assert_int_equal(errs[STORY_ITEMS - 1], ERR_UNKNOWN_TOPIC_ID);
    rig_fini(&rig);
}

static void golden_tallies_v3_replay(void **state)
{
    (void)state;
    static const enum err want[TALLIES_ITEMS] = {[5] = ERR_INVALID_RECORD, [8] = ERR_STALE};
    static const uint64_t counts[] = {5, 1, 1, 2, 1}; // in the order in which the cells were made
    struct rig rig;
    enum err errs[STORY_ITEMS_MAX];
    golden_replay(&stories[5], &rig, errs);
    for (int i = 0; i < TALLIES_ITEMS; i++) {
        assert_int_equal(errs[i], want[i]);
    }
    const struct topic *topic = core_topic_find_id(rig.core, rig_id(1));
    const struct tally *tally = NULL;
    struct tally_view view;
    assert_int_equal(core_tally_count(rig.core), 5);
    for (int i = 0; i < 5; i++) {
        tally = topic_tally_next(topic, tally);
        assert_non_null(tally);
        tally_view(tally, &view);
        assert_int_equal(view.count, counts[i]);
    }
    assert_null(topic_tally_next(topic, tally));
    rig_fini(&rig);
}

static void golden_groups_v1_replay(void **state)
{
    (void)state;
    static const enum err want[GROUPS_ITEMS] = {
        [5] = ERR_ILLEGAL_GENERATION,
        [6] = ERR_UNKNOWN_MEMBER_ID,
        [8] = ERR_POLICY_VIOLATION,
        [11] = ERR_NON_EMPTY_GROUP,
        [13] = ERR_STALE,
        [16] = ERR_STALE,
        [19] = ERR_POLICY_VIOLATION,
    };
    struct rig rig;
    enum err errs[STORY_ITEMS_MAX];
    golden_replay(&stories[1], &rig, errs);
    for (int i = 0; i < GROUPS_ITEMS; i++) {
        assert_int_equal(errs[i], want[i]);
    }
    assert_int_equal(core_group_count(rig.core), 2);
    assert_int_equal(group_generation(rig_group(&rig, "billing")), 5);
    assert_int_equal(group_empty_since_ms(rig_group(&rig, "billing")), 11000);
    assert_int_equal(group_offset_count(rig_group(&rig, "billing")), 2);
    assert_int_equal(rig_committed(&rig, "billing", 1, 256), 77);
    assert_int_equal(rig_committed(&rig, "tool", 1, 0), -1);
    assert_int_equal(group_member_count(rig_group(&rig, "tool")), 2);
    assert_true(str_equal(group_leader(rig_group(&rig, "tool")), STR("w-1")));
    assert_int_equal(rig_committed(&rig, "tool", 1, 256), 77);
    assert_int_equal(core_quota_count(rig.core), 1);
    struct quota_view view;
    core_quota_at(rig.core, 0, &view);
    assert_int_equal(view.revision, 2);
    assert_true(view.values[0].value == 12.5);
    rig_fini(&rig);
}

static void golden_txns_v1_replay(void **state)
{
    (void)state;
    static const enum err want[TXNS_ITEMS] = {
        [7] = ERR_INVALID_TXN_STATE,
        [12] = ERR_PRODUCER_FENCED,
        [17] = ERR_PRODUCER_FENCED,
        [22] = ERR_INVALID_PRODUCER_ID_MAPPING,
    };
    struct rig rig;
    enum err errs[STORY_ITEMS_MAX];
    golden_replay(&stories[2], &rig, errs);
    for (int i = 0; i < TXNS_ITEMS; i++) {
        assert_int_equal(errs[i], want[i]);
    }
    assert_int_equal(partition_high_watermark(rig_partition(&rig, 1, 0)), 6);
    assert_int_equal(partition_aborted_count(rig_partition(&rig, 1, 0)), 1);
    assert_int_equal(partition_last_stable_offset(rig_partition(&rig, 1, 0)), 6);
    assert_int_equal(partition_high_watermark(rig_partition(&rig, 1, 1)), 7);
    assert_int_equal(partition_aborted_count(rig_partition(&rig, 1, 1)), 1);
    assert_int_equal(partition_high_watermark(rig_partition(&rig, 1, 2)), 5);
    assert_int_equal(partition_last_stable_offset(rig_partition(&rig, 1, 2)), 3);
    assert_int_equal(rig_committed(&rig, "billing", 1, 0), 77);
    assert_null(rig_group(&rig, "tool"));
    struct txn_view view;
    txn_view(core_txn_find(rig.core, STR("ship")), &view);
    assert_int_equal(view.producer_epoch, 3);
    assert_int_equal(view.state, TXN_ABORTED);
    rig_fini(&rig);
}

static void golden_consumers_v1_replay(void **state)
{
    (void)state;
    static const enum err want[CONSUMERS_ITEMS] = {[2] = ERR_STALE, [5] = ERR_STALE_MEMBER_EPOCH};
    struct rig rig;
    enum err errs[STORY_ITEMS_MAX];
    golden_replay(&stories[3], &rig, errs);
    for (int i = 0; i < CONSUMERS_ITEMS; i++) {
        assert_int_equal(errs[i], want[i]);
    }
    const struct group *group = rig_group(&rig, "new");
    assert_true(group_is_consumer(group));
    assert_int_equal(group_generation(group), 2);
    assert_int_equal(group_revision(group), 2);
    assert_int_equal(group_consumer_count(group), 1);
    assert_int_equal(group_consumer_at(group, 0)->epoch, 2);
    assert_int_equal(rig_committed(&rig, "new", 1, 0), 5);
    assert_false(group_is_consumer(rig_group(&rig, "old")));
    assert_int_equal(group_generation(rig_group(&rig, "old")), 7);
    assert_int_equal(group_member_count(rig_group(&rig, "old")), 1);
    rig_fini(&rig);
}

static void golden_data_v2_replay(void **state)
{
    (void)state;
    static const enum err want[VERDICTS_ITEMS] = {
        [0] = ERR_STALE,           [7] = ERR_STALE,  [9] = ERR_STALE,
        [10] = ERR_INVALID_RECORD, [13] = ERR_STALE, [14] = ERR_POLICY_VIOLATION,
    };
    struct rig rig;
    enum err errs[STORY_ITEMS_MAX];
    golden_replay(&stories[4], &rig, errs);
    for (int i = 0; i < VERDICTS_ITEMS; i++) {
        assert_int_equal(errs[i], want[i]);
    }
    assert_int_equal(partition_high_watermark(rig_partition(&rig, 1, 0)), 6);
    assert_int_equal(partition_high_watermark(rig_partition(&rig, 2, 0)), 3);
    rig_fini(&rig);
}

static void golden_documents_v2_replay(void **state)
{
    (void)state;
    static const enum err want[DOCUMENTS_ITEMS] = {
        [4] = ERR_POLICY_VIOLATION, // 34 bytes may be: 32, and a sixteenth for what is there
        [6] = ERR_POLICY_VIOLATION,
    };
    struct rig rig;
    enum err errs[STORY_ITEMS_MAX];
    golden_replay(&stories[6], &rig, errs);
    for (int i = 0; i < DOCUMENTS_ITEMS; i++) {
        assert_int_equal(errs[i], want[i]);
    }
    assert_int_equal(core_document_bytes(rig.core), 34);
    assert_int_equal(core_document_count(rig.core), 2);
    rig_fini(&rig);
}

static void golden_snapshot_v1(void **state)
{
    (void)state;
    for (int s = 0; s < STORIES; s++) {
        struct rig rig;
        enum err errs[STORY_ITEMS_MAX];
        golden_replay(&stories[s], &rig, errs);
        struct buf snapshot;
        rig_snapshot(rig.core, &snapshot);
        golden_compare(stories[s].snapshot_file, stories[s].snapshot_about, buf_bytes(&snapshot));
        struct buf golden;
        golden_read(stories[s].snapshot_file, &golden);
        struct core *loaded = core_create();
        assert_int_equal(core_load(loaded, buf_bytes(&golden), NULL), ERR_OK);
        assert_true(core_state_hash(loaded) == core_state_hash(rig.core));
        assert_true(core_state_hash(loaded) == load_be64(golden.ptr + golden.len - 8));
        core_destroy(loaded);
        buf_fini(&golden);
        buf_fini(&snapshot);
        rig_fini(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_items_v1),
        cmocka_unit_test(golden_items_v1_replay),
        cmocka_unit_test(golden_groups_v1_replay),
        cmocka_unit_test(golden_txns_v1_replay),
        cmocka_unit_test(golden_consumers_v1_replay),
        cmocka_unit_test(golden_data_v2_replay),
        cmocka_unit_test(golden_tallies_v3_replay),
        cmocka_unit_test(golden_documents_v2_replay),
        cmocka_unit_test(golden_snapshot_v1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
