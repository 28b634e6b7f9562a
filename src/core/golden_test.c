// SPDX-License-Identifier: Apache-2.0
// Version 1 is frozen: these bytes must decode, apply and hash alike in every release. GOLDEN_WRITE=1 in the
// environment writes the files anew, for a new version only.
#include "core/rig_test.h"

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
    struct item items[STORY_ITEMS];
    story_make(items);
    struct buf frames;
    buf_init(&frames, 1 << 20);
    for (uint32_t i = 0; i < STORY_ITEMS; i++) {
        item_encode(&items[i], &frames);
    }
    golden_compare("core_items_v1.hex", "Item frames, version 1, of every kind (docs/formats/item.md).",
                   buf_bytes(&frames));
    buf_fini(&frames);
}

// golden_replay applies the golden items, as stored, in the story's bundles.
static void golden_replay(struct rig *rig)
{
    struct buf frames;
    golden_read("core_items_v1.hex", &frames);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct reader r = reader_init(buf_bytes(&frames));
    rig_init(rig);
    uint32_t bundle = 0;
    for (uint32_t i = 0; i < STORY_ITEMS; i++) {
        struct item item;
        assert_int_equal(item_decode(&r, &arena, &item, NULL), ERR_OK);
        rig_add(rig, &item);
        if (i + 1 == ends[bundle]) {
            rig_flush(rig);
            rig->time_ms += 250;
            bundle++;
        }
    }
    assert_int_equal(bundle, STORY_BUNDLES);
    arena_fini(&arena);
    buf_fini(&frames);
}

static void golden_items_v1_replay(void **state)
{
    (void)state;
    struct rig rig;
    golden_replay(&rig);
    struct partition *p = rig_partition(&rig, 1, 0);
    assert_int_equal(core_topic_count(rig.core), 1);
    assert_int_equal(partition_high_watermark(p), 10);
    assert_int_equal(partition_leader_epoch(p), 1);
    assert_int_equal(partition_extent_count(p), 2); // the merged one, and epoch 1
    assert_int_equal(partition_extent(p, 0)->object, 77);
    assert_int_equal(partition_log_start(rig_partition(&rig, 1, 1)), 2);
    assert_int_equal(partition_high_watermark(rig_partition(&rig, 1, 1)), 4);
    assert_int_equal(partition_high_watermark(rig_partition(&rig, 1, 2)), 4);
    assert_int_equal(rig.outcomes[2].err, ERR_UNKNOWN_TOPIC_ID);
    rig_fini(&rig);
}

static void golden_snapshot_v1(void **state)
{
    (void)state;
    struct rig rig;
    golden_replay(&rig);
    struct buf snapshot;
    rig_snapshot(rig.core, &snapshot);
    golden_compare("core_snapshot_v1.hex",
                   "Snapshot, version 1, after core_items_v1.hex in bundles (docs/formats/snapshot.md).",
                   buf_bytes(&snapshot));
    struct buf golden;
    golden_read("core_snapshot_v1.hex", &golden);
    struct core *loaded = core_create();
    assert_int_equal(core_load(loaded, buf_bytes(&golden), NULL), ERR_OK);
    assert_true(core_state_hash(loaded) == core_state_hash(rig.core));
    assert_true(core_state_hash(loaded) == load_be64(golden.ptr + golden.len - 8));
    core_destroy(loaded);
    buf_fini(&golden);
    buf_fini(&snapshot);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_items_v1),
        cmocka_unit_test(golden_items_v1_replay),
        cmocka_unit_test(golden_snapshot_v1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
