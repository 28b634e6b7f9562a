// SPDX-License-Identifier: Apache-2.0
#include "core/rig_test.h"

#include "base/mem.h"

static struct item_config configs[] = {
    {{"cleanup.policy", 14}, {"compact", 7}},
    {{"retention.ms", 12}, {"", 0}},
};
static struct extent old_extents[] = {
    {.base_offset = 0, .end_offset = 5, .object = 1, .position = 4096},
    {.base_offset = 5, .end_offset = 9, .object = 1, .position = 8192},
};
static struct extent fresh_extents[] = {
    {0, 9, 7, 0, 900, 8, 123456, 3, EXTENT_FINAL},
};

static struct item_member members[] = {
    {{"m-1", 3},
     {"rack-7", 6},
     {"app", 3},
     {"/10.0.0.7", 9},
     45000,
     300000,
     {(const uint8_t *)"\0\1", 2},
     {(const uint8_t *)"x", 1}},
    {{"m-2", 3}, {NULL, 0}, {"", 0}, {"", 0}, -1, INT32_MAX, {NULL, 0}, {NULL, 0}},
};
static struct item_offset offsets[] = {
    {{{9}}, 3, 1LL << 40, 7, 86400000, {"note", 4}},
    {{{9}}, INT32_MAX, -1, -1, -1, {"", 0}},
};
static struct item_offset_name names[] = {{{{9}}, 3}, {{{8}}, -1}};
static struct item_condition conditions[] = {{{"a", 1}, 0}, {{"b", 1}, UINT64_MAX}};
static struct item_document documents[] = {
    {DOCUMENT_PUT, {"key", 3}, {(const uint8_t *)"value", 5}, NUMBER_SET, -7, {NULL, 0}},
    {DOCUMENT_PUT, {"key", 3}, {(const uint8_t *)"", 0}, NUMBER_ADD, 7, {NULL, 0}},
    {DOCUMENT_PUT, {"key", 3}, {NULL, 0}, NUMBER_NEXT, 0, {"counter", 7}},
    {DOCUMENT_PUT, {"key", 3}, {NULL, 0}, NUMBER_COPY, 0, {"other", 5}},
    {.op = DOCUMENT_REMOVE, .key = {"gone", 4}},
};
static struct item_quota_part parts[] = {
    {QUOTA_USER, {"ann", 3}},
    {QUOTA_CLIENT_ID, {NULL, 0}},
    {QUOTA_IP, {"", 0}},
};
static struct item_quota_value values[] = {
    {{"consumer_byte_rate", 18}, 1048576},
    {{"request_percentage", 18}, -0.5},
};

static struct item_txn_partition txn_partitions[] = {{{{9}}, 3}, {{{8}}, 0}};
static struct str txn_groups[] = {{"billing", 7}, {"", 0}};

static const struct item examples[] = {
    {.kind = ITEM_DATA,
     .version = 1,
     .depends_on = 3,
     .data = {{{1, 2, 3}}, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}},
    {.kind = ITEM_DATA, .version = 1, .data = {{{0xff}}, -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, UINT64_MAX}},
    {.kind = ITEM_TOPIC_CREATE, .version = 1, .topic_create = {{{9}}, {"orders", 6}, 12, configs, 2}},
    {.kind = ITEM_TOPIC_CREATE, .version = 1, .topic_create = {{{9}}, {"", 0}, 0, configs, 0}},
    {.kind = ITEM_TOPIC_DELETE, .version = 1, .topic_delete = {{{9}}}},
    {.kind = ITEM_PARTITIONS_ADD, .version = 1, .partitions_add = {{{9}}, 12, 24}},
    {.kind = ITEM_CONFIG_SET, .version = 1, .config_set = {{{0}}, 77, configs, 2}},
    {.kind = ITEM_PRODUCER_ID, .version = 1},
    {.kind = ITEM_TRIM, .version = 1, .trim = {{{9}}, 3, 1LL << 40}},
    {.kind = ITEM_REPLACE, .version = 1, .replace = {{{9}}, 3, old_extents, 2, fresh_extents, 1}},
    {.kind = ITEM_REPLACE, .version = 1, .replace = {{{9}}, 3, NULL, 0, NULL, 0}},
    {.kind = ITEM_TICK, .version = 1},
    {.kind = ITEM_EPOCH_RAISE, .version = 1, .depends_on = UINT32_MAX},
    {.kind = ITEM_GROUP_SET,
     .version = 1,
     .group_set = {{"billing", 7}, 4, 5, {"consumer", 8}, {"range", 5}, {"m-1", 3}, members, 2}},
    {.kind = ITEM_GROUP_SET,
     .version = 1,
     .group_set = {{"", 0}, -1, 0, {"", 0}, {NULL, 0}, {NULL, 0}, NULL, 0}},
    {.kind = ITEM_GROUP_DELETE, .version = 1, .group_delete = {{"billing", 7}, true}},
    {.kind = ITEM_OFFSET_COMMIT, .version = 1, .offset_commit = {{"billing", 7}, 5, {"m-1", 3}, offsets, 2}},
    {.kind = ITEM_OFFSET_COMMIT, .version = 1, .offset_commit = {{"billing", 7}, -1, {"", 0}, NULL, 0}},
    {.kind = ITEM_OFFSET_DELETE, .version = 1, .offset_delete = {{"billing", 7}, -1, INT64_MAX, names, 2}},
    {.kind = ITEM_QUOTA_SET, .version = 1, .quota_set = {parts, 3, 77, values, 2}},
    {.kind = ITEM_QUOTA_SET, .version = 1, .quota_set = {parts, 1, UINT64_MAX, NULL, 0}},
    {.kind = ITEM_TXN_INIT, .version = 1, .txn_init = {{"pay", 3}, 60000, -1, -1}},
    {.kind = ITEM_TXN_INIT, .version = 1, .txn_init = {{"", 0}, INT32_MIN, 77, 5}},
    {.kind = ITEM_TXN_ADD, .version = 1, .txn_add = {{"pay", 3}, 77, 5, txn_partitions, 2, txn_groups, 2}},
    {.kind = ITEM_TXN_ADD, .version = 1, .txn_add = {{"pay", 3}, -1, -1, NULL, 0, NULL, 0}},
    {.kind = ITEM_TXN_OFFSETS,
     .version = 1,
     .txn_offsets = {{"pay", 3}, 77, 5, true, {{"billing", 7}, 5, {"m-1", 3}, offsets, 1}}},
    {.kind = ITEM_TXN_END, .version = 1, .txn_end = {{"pay", 3}, 77, 5, true, true, false}},
    {.kind = ITEM_TXN_END, .version = 1, .txn_end = {{"pay", 3}, 77, 5, false, false, true}},
    {.kind = ITEM_DOCUMENTS, .version = 1, .documents = {conditions, 2, documents, 5}},
    {.kind = ITEM_DOCUMENTS, .version = 1, .documents = {NULL, 0, NULL, 0}},
};
enum { EXAMPLES = sizeof examples / sizeof examples[0] };

static void frames_make(struct buf *out)
{
    buf_init(out, 1 << 20);
    for (size_t i = 0; i < EXAMPLES; i++) {
        item_encode(&examples[i], out);
    }
    assert_false(out->failed);
}

static void item_round_trip(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct buf first;
        struct buf second;
        buf_init(&first, 1 << 16);
        buf_init(&second, 1 << 16);
        item_encode(&examples[i], &first);
        struct reader r = reader_init(buf_bytes(&first));
        struct item back;
        assert_int_equal(item_decode(&r, &arena, &back, NULL), ERR_OK);
        assert_int_equal(reader_left(&r), 0);
        assert_int_equal(back.kind, examples[i].kind);
        assert_int_equal(back.depends_on, examples[i].depends_on);
        item_encode(&back, &second);
        assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
        buf_fini(&first);
        buf_fini(&second);
    }
    arena_fini(&arena);
}

static void item_fields_survive(void **state)
{
    (void)state;
    struct buf frames;
    frames_make(&frames);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct reader r = reader_init(buf_bytes(&frames));
    struct item got[EXAMPLES];
    for (size_t i = 0; i < EXAMPLES; i++) {
        assert_int_equal(item_decode(&r, &arena, &got[i], NULL), ERR_OK);
    }
    assert_memory_equal(&got[0].data, &examples[0].data, sizeof got[0].data);
    assert_true(str_equal(got[2].topic_create.name, STR("orders")));
    assert_int_equal(got[2].topic_create.config_count, 2);
    assert_true(str_equal(got[2].topic_create.configs[0].value, STR("compact")));
    assert_int_equal(got[2].topic_create.configs[1].value.len, 0);
    assert_int_equal(got[6].config_set.expected_revision, 77);
    assert_int_equal(got[8].trim.log_start_offset, 1LL << 40);
    assert_int_equal(got[9].replace.old_extents[1].position, 8192);
    assert_int_equal(got[9].replace.old_extents[1].length, 0);
    assert_memory_equal(got[9].replace.fresh_extents, fresh_extents, sizeof fresh_extents);
    const struct item_group_set *set = &got[13].group_set;
    assert_int_equal(set->expected_generation, 4);
    assert_int_equal(set->generation, 5);
    assert_true(str_equal(set->leader, STR("m-1")));
    assert_true(str_equal(set->members[0].instance_id, STR("rack-7")));
    assert_true(str_equal(set->members[0].client_host, STR("/10.0.0.7")));
    assert_int_equal(set->members[0].rebalance_timeout_ms, 300000);
    assert_int_equal(set->members[0].subscription.len, 2);
    assert_null(set->members[1].instance_id.ptr);
    assert_non_null(set->members[1].client_id.ptr);
    assert_null(got[14].group_set.protocol_name.ptr);
    assert_non_null(got[14].group_set.protocol_type.ptr);
    assert_true(got[15].group_delete.must_be_bare);
    assert_int_equal(got[16].offset_commit.generation, 5);
    assert_int_equal(got[16].offset_commit.offsets[0].retention_ms, 86400000);
    assert_true(str_equal(got[16].offset_commit.offsets[0].metadata, STR("note")));
    assert_int_equal(got[16].offset_commit.offsets[1].partition, INT32_MAX);
    assert_int_equal(got[18].offset_delete.cutoff_ms, INT64_MAX);
    assert_memory_equal(got[18].offset_delete.names, names, sizeof names);
    assert_null(got[19].quota_set.parts[1].name.ptr);
    assert_non_null(got[19].quota_set.parts[2].name.ptr);
    assert_true(got[19].quota_set.values[1].value == -0.5);
    arena_fini(&arena);
    buf_fini(&frames);
}

// Decodes frames until the end or an error, from a heap copy of exactly that size, so that ASan sees
// overruns.
static enum err decode_all(struct bytes frames)
{
    uint8_t *copy = mem_alloc(frames.len + 1);
    memcpy(copy, frames.ptr, frames.len);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct reader r = reader_init(bytes_of(copy, frames.len));
    enum err err = ERR_OK;
    struct buf line;
    buf_init(&line, 1 << 20);
    while (err == ERR_OK && reader_left(&r) > 0) {
        struct item item;
        struct error e = {0};
        err = item_decode(&r, &arena, &item, &e);
        if (err == ERR_OK) {
            item_print(&item, &line);
        } else {
            assert_int_equal(err, ERR_CORRUPT);
            assert_true(r.failed);
        }
    }
    buf_fini(&line);
    arena_fini(&arena);
    mem_free(copy);
    return err;
}

static void item_truncated_is_corrupt(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct buf frame;
        buf_init(&frame, 1 << 16);
        item_encode(&examples[i], &frame);
        for (size_t len = 1; len < frame.len; len++) {
            assert_int_equal(decode_all(bytes_of(frame.ptr, len)), ERR_CORRUPT);
        }
        buf_fini(&frame);
    }
}

static void item_flipped_never_crashes(void **state)
{
    (void)state;
    struct buf frames;
    frames_make(&frames);
    for (size_t i = 0; i < frames.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            frames.ptr[i] ^= (uint8_t)(1 << bit);
            enum err err = decode_all(buf_bytes(&frames));
            assert_true(err == ERR_OK || err == ERR_CORRUPT);
            frames.ptr[i] ^= (uint8_t)(1 << bit);
        }
    }
    buf_fini(&frames);
}

static void item_hostile_frames(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t bytes[64];
        size_t len;
    } rows[] = {
        {"length below the head", {0, 0, 0, 5, 9, 1, 0, 0, 0, 0}, 10},
        {"length of 4 GiB", {0xff, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0, 0}, 10},
        {"kind 0", {0, 0, 0, 6, 0, 1, 0, 0, 0, 0}, 10},
        {"kind 16", {0, 0, 0, 6, 16, 1, 0, 0, 0, 0}, 10},
        {"kind 255", {0, 0, 0, 6, 255, 1, 0, 0, 0, 0}, 10},
        {"version 0", {0, 0, 0, 6, 9, 0, 0, 0, 0, 0}, 10},
        {"version 2", {0, 0, 0, 6, 9, 2, 0, 0, 0, 0}, 10},
        {"a byte too many", {0, 0, 0, 7, 9, 1, 0, 0, 0, 0, 0}, 11},
        {"name of 250 bytes", {0, 0, 0, 30, 2, 1, 0, 0, 0, 0, [26] = 0, 250}, 34},
        {"65535 configs", {0, 0, 0, 32, 5, 1, 0, 0, 0, 0, [34] = 0xff, 0xff}, 36},
        {"65535 old extents", {0, 0, 0, 30, 8, 1, 0, 0, 0, 0, [30] = 0xff, 0xff, 0, 0}, 34},
        {"257 old extents", {0, 0, 0, 30, 8, 1, 0, 0, 0, 0, [30] = 1, 1, 0, 0}, 34},
        {"65535 fresh extents", {0, 0, 0, 30, 8, 1, 0, 0, 0, 0, [30] = 0, 0, 0xff, 0xff}, 34},
        {"one member in no bytes", {0, 0, 0, 26, 11, 1, 0, 0, 0, 0, [29] = 1}, 30},
        {"4 billion members", {0, 0, 0, 26, 11, 1, 0, 0, 0, 0, [26] = 0xff, 0xff, 0xff, 0xff}, 30},
        {"a null group id", {0, 0, 0, 9, 12, 1, 0, 0, 0, 0, 0xff, 0xff, 0}, 13},
        {"must_be_bare 2", {0, 0, 0, 9, 12, 1, 0, 0, 0, 0, 0, 0, 2}, 13},
        {"one offset in no bytes", {0, 0, 0, 18, 13, 1, 0, 0, 0, 0, [21] = 1}, 22},
        {"4 billion offsets", {0, 0, 0, 18, 13, 1, 0, 0, 0, 0, [18] = 0xff, 0xff, 0xff, 0xff}, 22},
        {"one offset name in no bytes", {0, 0, 0, 24, 14, 1, 0, 0, 0, 0, [27] = 1}, 28},
        {"4 billion offset names", {0, 0, 0, 24, 14, 1, 0, 0, 0, 0, [24] = 0xff, 0xff, 0xff, 0xff}, 28},
        {"4 quota parts", {0, 0, 0, 28, 15, 1, 0, 0, 0, 0, 4, [13] = 0, [31] = 0}, 32},
        {"part type 3", {0, 0, 0, 19, 15, 1, 0, 0, 0, 0, 1, 3, 0, 0}, 23},
        {"17 quota values in no bytes", {0, 0, 0, 16, 15, 1, 0, 0, 0, 0, [19] = 17}, 20},
        {"a quota of NaN", {0, 0, 0, 26, 15, 1, 0, 0, 0, 0, [19] = 1, 0, 0, 0x7f, 0xf8}, 30},
        {"a negative NaN", {0, 0, 0, 26, 15, 1, 0, 0, 0, 0, [19] = 1, 0, 0, 0xff, 0xf0, [29] = 1}, 30},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (decode_all(bytes_of(rows[i].bytes, rows[i].len)) != ERR_CORRUPT) {
            fail_msg("%s is accepted", rows[i].what);
        }
    }
    // The same shapes with nothing wrong, so that the rows above fail for the reason that they name.
    static const uint8_t tick[] = {0, 0, 0, 6, 9, 1, 0, 0, 0, 0};
    static const uint8_t replace[34] = {0, 0, 0, 30, 8, 1};
    static const struct {
        uint8_t bytes[32];
        size_t len;
    } sound[] = {
        {{0, 0, 0, 26, 11, 1}, 30},
        {{0, 0, 0, 9, 12, 1, 0, 0, 0, 0, 0, 0, 1}, 13},
        {{0, 0, 0, 18, 13, 1}, 22},
        {{0, 0, 0, 24, 14, 1}, 28},
        {{0, 0, 0, 25, 15, 1, 0, 0, 0, 0, 3, [29] = 0}, 29},
        {{0, 0, 0, 19, 15, 1, 0, 0, 0, 0, 1, 2, 0xff, 0xff}, 23},
        {{0, 0, 0, 26, 15, 1, 0, 0, 0, 0, [19] = 1, 0, 0, 0x7f, 0xf0}, 30}, // infinity
    };
    for (size_t i = 0; i < sizeof sound / sizeof sound[0]; i++) {
        assert_int_equal(decode_all(bytes_of(sound[i].bytes, sound[i].len)), ERR_OK);
    }
    assert_int_equal(decode_all(bytes_of(tick, sizeof tick)), ERR_OK);
    assert_int_equal(decode_all(bytes_of(replace, sizeof replace)), ERR_OK);
}

static void item_encode_refuses_over_limits(void **state)
{
    (void)state;
    static char text[ITEM_CONFIG_VALUE_MAX + 1];
    static struct item_config many[ITEM_CONFIGS_MAX + 1];
    struct item_config large = {{"k", 1}, {text, sizeof text}};
    struct item_quota_value nan = {{"k", 1}, __builtin_nan("")};
    const struct item items[] = {
        {.kind = ITEM_TOPIC_CREATE, .topic_create = {{{1}}, {text, ITEM_NAME_MAX + 1}, 1, NULL, 0}},
        {.kind = ITEM_CONFIG_SET, .config_set = {{{1}}, 0, &large, 1}},
        {.kind = ITEM_CONFIG_SET, .config_set = {{{1}}, 0, many, ITEM_CONFIGS_MAX + 1}},
        {.kind = ITEM_REPLACE, .replace = {{{1}}, 0, NULL, ITEM_REPLACE_EXTENTS_MAX + 1, NULL, 0}},
        {.kind = (enum item_kind)0},
        {.kind = ITEM_GROUP_DELETE, .group_delete = {{text, ITEM_TEXT_MAX + 1}, false}},
        {.kind = ITEM_GROUP_SET, .group_set = {.leader = {text, ITEM_TEXT_MAX + 1}}},
        {.kind = ITEM_GROUP_SET, .group_set = {.member_count = ITEM_GROUP_MEMBERS_MAX + 1}},
        {.kind = ITEM_OFFSET_COMMIT, .offset_commit = {.offset_count = ITEM_OFFSET_ENTRIES_MAX + 1}},
        {.kind = ITEM_OFFSET_DELETE, .offset_delete = {.name_count = ITEM_OFFSET_ENTRIES_MAX + 1}},
        {.kind = ITEM_QUOTA_SET, .quota_set = {.part_count = ITEM_QUOTA_PARTS_MAX + 1}},
        {.kind = ITEM_QUOTA_SET, .quota_set = {.value_count = ITEM_QUOTA_VALUES_MAX + 1}},
        {.kind = ITEM_QUOTA_SET, .quota_set = {.values = &nan, .value_count = 1}},
        {.kind = ITEM_TXN_ADD, .txn_add = {.partition_count = ITEM_OFFSET_ENTRIES_MAX + 1}},
        {.kind = ITEM_TXN_ADD, .txn_add = {.group_count = 1001}},
        {.kind = ITEM_TXN_INIT, .txn_init = {.txn_id = {text, ITEM_TEXT_MAX + 1}}},
        {.kind = ITEM_TXN_OFFSETS, .txn_offsets = {.commit = {.offset_count = ITEM_OFFSET_ENTRIES_MAX + 1}}},
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        item_encode(&items[i], &out);
        assert_true(out.failed);
        buf_fini(&out);
    }
}

// A text, a blob or a count at its limit is taken, one more is refused although all its bytes are there.
enum limit { LIMIT_TEXT, LIMIT_BLOB, LIMIT_MEMBERS, LIMIT_OFFSETS, LIMIT_NAMES, LIMIT_VALUES };

static void limit_frame(enum limit limit, uint32_t count, struct buf *out)
{
    static const uint8_t kinds[] = {ITEM_GROUP_DELETE,  ITEM_GROUP_SET,     ITEM_GROUP_SET,
                                    ITEM_OFFSET_COMMIT, ITEM_OFFSET_DELETE, ITEM_QUOTA_SET};
    static const uint8_t heads[] = {0, 16, 16, 8, 14, 9}; // bytes of the body before the count
    static const uint8_t sizes[] = {1, 1, 24, 42, 20, 10};
    static const uint8_t zero[64];
    buf_be32(out, 0);
    buf_u8(out, kinds[limit]);
    buf_u8(out, 1);
    buf_be32(out, 0);
    buf_append(out, zero, heads[limit]);
    switch (limit) {
    case LIMIT_TEXT:
        buf_be16(out, (uint16_t)count);
        break;
    case LIMIT_BLOB: // one member without texts; the count is its assignment's
        buf_be32(out, 1);
        buf_append(out, zero, 4 * 2 + 2 * 4 + 4);
        buf_be32(out, count);
        break;
    case LIMIT_VALUES:
        buf_u8(out, (uint8_t)count);
        break;
    case LIMIT_MEMBERS:
    case LIMIT_OFFSETS:
    case LIMIT_NAMES:
        buf_be32(out, count);
        break;
    }
    for (uint32_t i = 0; i < count; i++) {
        buf_append(out, zero, sizes[limit]);
    }
    buf_append(out, zero, limit == LIMIT_TEXT ? 1 : 0);
    assert_false(out->failed);
    store_be32(out->ptr, (uint32_t)out->len - 4);
}

static void item_limits_are_exact(void **state)
{
    (void)state;
    static const struct {
        enum limit limit;
        uint32_t max;
    } rows[] = {
        {LIMIT_TEXT, ITEM_TEXT_MAX},
        {LIMIT_BLOB, ITEM_GROUP_BYTES_MAX},
        {LIMIT_MEMBERS, ITEM_GROUP_MEMBERS_MAX},
        {LIMIT_OFFSETS, ITEM_OFFSET_ENTRIES_MAX},
        {LIMIT_NAMES, ITEM_OFFSET_ENTRIES_MAX},
        {LIMIT_VALUES, ITEM_QUOTA_VALUES_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint32_t over = 0; over < 2; over++) {
            struct buf frame;
            struct arena arena;
            buf_init(&frame, 16 << 20);
            arena_init(&arena, 64 << 20);
            limit_frame(rows[i].limit, rows[i].max + over, &frame);
            struct reader r = reader_init(buf_bytes(&frame));
            struct item item;
            assert_int_equal(item_decode(&r, &arena, &item, NULL), over == 0 ? ERR_OK : ERR_CORRUPT);
            if (over == 0) {
                struct buf again;
                buf_init(&again, 16 << 20);
                item_encode(&item, &again);
                assert_true(bytes_equal(buf_bytes(&frame), buf_bytes(&again)));
                assert_true(again.len <= item_encoded_max(&item));
                buf_fini(&again);
            }
            arena_fini(&arena);
            buf_fini(&frame);
        }
    }
}

static void item_size_is_bounded(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct buf frame;
        buf_init(&frame, 1 << 16);
        item_encode(&examples[i], &frame);
        assert_true(frame.len <= item_encoded_max(&examples[i]));
        assert_true(item_encoded_max(&examples[i]) <= frame.len + 256);
        buf_fini(&frame);
    }
}

static void item_print_is_one_safe_line(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    struct item item = rig_create(1, "a\nb\x1b", 3);
    item.depends_on = 2;
    item_print(&item, &out);
    assert_true(str_equal(buf_str(&out), STR("TOPIC_CREATE topic=UQAAAAAAAAAAAAAAAAAAAQ name=a\\x0ab\\x1b "
                                             "partitions=3 depends_on=2\n")));
    buf_reset(&out);
    item_print(&examples[9], &out);
    assert_true(
        str_equal(buf_str(&out), STR("REPLACE topic=CQAAAAAAAAAAAAAAAAAAAA partition=3 old=[0..5@1+4096 "
                                     "5..9@1+8192] fresh=[0..9@7+0:900]\n")));
    static const char *const lines[] = {
        "GROUP_SET group=billing generation=5 expected=4 type=consumer protocol=range leader=m-1 "
        "members=[m-1 instance=rack-7 client=app host=/10.0.0.7 session_ms=45000 rebalance_ms=300000 "
        "subscription=2 assignment=1; m-2 client= host= session_ms=-1 rebalance_ms=2147483647 "
        "subscription=0 assignment=0]\n",
        "GROUP_SET group= generation=0 expected=-1 type= members=[]\n",
        "GROUP_DELETE group=billing must_be_bare\n",
        "OFFSET_COMMIT group=billing generation=5 member=m-1 offsets=[CQAAAAAAAAAAAAAAAAAAAA/3=1099511627776 "
        "epoch=7 retention_ms=86400000 metadata=note CQAAAAAAAAAAAAAAAAAAAA/2147483647=-1]\n",
        "OFFSET_COMMIT group=billing generation=-1 member= offsets=[]\n",
        "OFFSET_DELETE group=billing expected=-1 offsets=[CQAAAAAAAAAAAAAAAAAAAA/3 "
        "CAAAAAAAAAAAAAAAAAAAAA/-1]\n",
        "QUOTA_SET user=ann client-id=(default) ip= revision=77 consumer_byte_rate=1048576 "
        "request_percentage=-0.5\n",
        "QUOTA_SET user=ann revision=18446744073709551615\n",
        "TXN_INIT txn=pay timeout_ms=60000\n",
        "TXN_INIT txn= timeout_ms=-2147483648 expected=77:5\n",
        "TXN_ADD txn=pay producer=77:5 partitions=[CQAAAAAAAAAAAAAAAAAAAA/3 CAAAAAAAAAAAAAAAAAAAAA/0] "
        "group=billing group=\n",
        "TXN_ADD txn=pay producer=-1:-1 partitions=[]\n",
        "TXN_OFFSETS txn=pay producer=77:5 adds group=billing generation=5 member=m-1 "
        "offsets=[CQAAAAAAAAAAAAAAAAAAAA/3=1099511627776 epoch=7 retention_ms=86400000 metadata=note]\n",
        "TXN_END txn=pay producer=77:5 commit bumps\n",
        "TXN_END txn=pay producer=77:5 abort forced\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        buf_reset(&out);
        item_print(&examples[13 + i], &out);
        assert_true(str_equal(buf_str(&out), str_from_c(lines[i])));
    }
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_round_trip),
        cmocka_unit_test(item_fields_survive),
        cmocka_unit_test(item_truncated_is_corrupt),
        cmocka_unit_test(item_flipped_never_crashes),
        cmocka_unit_test(item_hostile_frames),
        cmocka_unit_test(item_encode_refuses_over_limits),
        cmocka_unit_test(item_limits_are_exact),
        cmocka_unit_test(item_size_is_bounded),
        cmocka_unit_test(item_print_is_one_safe_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
