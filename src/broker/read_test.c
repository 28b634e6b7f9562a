// SPDX-License-Identifier: Apache-2.0
// Rot in stored batches: whatever byte changed, a reader gets the right batches or an error, never wrong
// offsets; the rest of the log is served; the damage is told once.
#include "broker/test_rig.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <unistd.h>

enum { BATCHES = 6, RECORDS = 3 };

static int setup(void **state)
{
    static struct rig rig;
    rig_init(&rig);
    rig_set(&rig, "log.retention.ms", "-1");
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

// flip changes one byte of the first log file, while nobody has it open.
static void flip(struct rig *rig, int64_t position, uint8_t mask)
{
    char path[128];
    glob_t found = {0};
    snprintf(path, sizeof path, "%s/wal/*", rig->dir);
    assert_int_equal(glob(path, 0, NULL, &found), 0); // sorted by name
    int fd = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, position), 1);
    byte ^= mask;
    assert_int_equal(pwrite(fd, &byte, 1, position), 1);
    close(fd);
    globfree(&found);
}

// One bundle with BATCHES batches of one partition: one extent.
static struct extent fill(struct rig *rig)
{
    topic_make(rig, "t", 1);
    struct produce_part parts[BATCHES] = {{.topic_name = STR("")}};
    for (int i = 0; i < BATCHES; i++) {
        parts[i] = (struct produce_part){.topic_name = STR("t"),
                                         .batch = batch_make(rig, RECORDS, 100, 1000 + i * 10)};
    }
    produce_parts(rig, parts, BATCHES);
    assert_int_equal(parts[BATCHES - 1].base_offset, (BATCHES - 1) * RECORDS);
    produce(rig, "t", 0, batch_make(rig, 1, 100, 5000)); // an extent of its own, which stays sound
    const struct core *core = broker_view_begin(rig->broker);
    struct partition *p = topic_partition(core_topic_find(core, STR("t")), 0);
    assert_int_equal(partition_extent_count(p), 2);
    struct extent extent = *partition_extent(p, 0);
    broker_view_end(rig->broker);
    return extent;
}

static void any_rotten_header_byte_is_found(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    struct extent extent = fill(rig);
    uint32_t size = extent.length / BATCHES;
    rig_stop(rig);
    rig->tail_cache_bytes = 0;
    // In the second batch: everything but base offset and leader epoch, which are not used.
    for (int64_t at = 8; at < BATCH_HEADER_SIZE + 2; at++) {
        if (at >= 12 && at < 16) {
            continue;
        }
        flip(rig, extent.position + size + at, 0x01);
        rig_start(rig);
        for (int64_t from = 0; from <= BATCHES * RECORDS; from += RECORDS) {
            struct fetch_part part = fetch_part_of("t", 0, from);
            struct fetching f;
            fetch_begin(rig, &f, &part, 1, 0, 1, 1 << 20);
            rig_wait(&f.call);
            struct got got = fetch_read(rig, &f, 0); // fails the test on a bad checksum or a gap
            fetch_end(rig, &f);
            if (part.err == ERR_OK && got.err == ERR_OK && got.first_offset != from) {
                fail_msg("byte %d: asked for %d, got %d", (int)at, (int)from, (int)got.first_offset);
            }
            assert_true(from < BATCHES * RECORDS || got.first_offset == from); // the sound extent
            struct offset_query query;
            list_offset(rig, "t", 1000 + from / RECORDS * 10, &query);
            assert_true(from >= BATCHES * RECORDS || query.err != ERR_OK || query.offset == from);
        }
        if (rig->damage_told < 1 || rig->damage_told > 2) {
            fail_msg("byte %d: told %d times", (int)at, rig->damage_told);
        }
        rig->damage_told = 0;
        rig_stop(rig);
        flip(rig, extent.position + size + at, 0x01);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_rotten_header_byte_is_found, setup, teardown),
    };
    return cmocka_run_group_tests_name("read", tests, NULL, NULL);
}
