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
        {"kind 11", {0, 0, 0, 6, 11, 1, 0, 0, 0, 0}, 10},
        {"kind 255", {0, 0, 0, 6, 255, 1, 0, 0, 0, 0}, 10},
        {"version 0", {0, 0, 0, 6, 9, 0, 0, 0, 0, 0}, 10},
        {"version 2", {0, 0, 0, 6, 9, 2, 0, 0, 0, 0}, 10},
        {"a byte too many", {0, 0, 0, 7, 9, 1, 0, 0, 0, 0, 0}, 11},
        {"name of 250 bytes", {0, 0, 0, 30, 2, 1, 0, 0, 0, 0, [26] = 0, 250}, 34},
        {"65535 configs", {0, 0, 0, 32, 5, 1, 0, 0, 0, 0, [34] = 0xff, 0xff}, 36},
        {"65535 old extents", {0, 0, 0, 30, 8, 1, 0, 0, 0, 0, [30] = 0xff, 0xff, 0, 0}, 34},
        {"257 old extents", {0, 0, 0, 30, 8, 1, 0, 0, 0, 0, [30] = 1, 1, 0, 0}, 34},
        {"65535 fresh extents", {0, 0, 0, 30, 8, 1, 0, 0, 0, 0, [30] = 0, 0, 0xff, 0xff}, 34},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (decode_all(bytes_of(rows[i].bytes, rows[i].len)) != ERR_CORRUPT) {
            fail_msg("%s is accepted", rows[i].what);
        }
    }
    // The same shapes with nothing wrong, so that the rows above fail for the reason that they name.
    static const uint8_t tick[] = {0, 0, 0, 6, 9, 1, 0, 0, 0, 0};
    static const uint8_t replace[34] = {0, 0, 0, 30, 8, 1};
    assert_int_equal(decode_all(bytes_of(tick, sizeof tick)), ERR_OK);
    assert_int_equal(decode_all(bytes_of(replace, sizeof replace)), ERR_OK);
}

static void item_encode_refuses_over_limits(void **state)
{
    (void)state;
    static char text[ITEM_CONFIG_VALUE_MAX + 1];
    static struct item_config many[ITEM_CONFIGS_MAX + 1];
    struct item_config large = {{"k", 1}, {text, sizeof text}};
    const struct item items[] = {
        {.kind = ITEM_TOPIC_CREATE, .topic_create = {{{1}}, {text, ITEM_NAME_MAX + 1}, 1, NULL, 0}},
        {.kind = ITEM_CONFIG_SET, .config_set = {{{1}}, 0, &large, 1}},
        {.kind = ITEM_CONFIG_SET, .config_set = {{{1}}, 0, many, ITEM_CONFIGS_MAX + 1}},
        {.kind = ITEM_REPLACE, .replace = {{{1}}, 0, NULL, ITEM_REPLACE_EXTENTS_MAX + 1, NULL, 0}},
        {.kind = (enum item_kind)0},
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        item_encode(&items[i], &out);
        assert_true(out.failed);
        buf_fini(&out);
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
        cmocka_unit_test(item_print_is_one_safe_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
