// SPDX-License-Identifier: Apache-2.0
#include "cli/snapshot_dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "platform/real/process.h"

static const char topics_golden[] = GOLDEN_DIR "/core_snapshot_v1.hex";
static const char tallies_golden[] = GOLDEN_DIR "/core_snapshot_v1_tallies.hex";
static const char groups_golden[] = GOLDEN_DIR "/core_snapshot_v1_groups.hex";

struct lines {
    struct buf text;
    size_t count;
};

static void take_line(void *arg, struct str text)
{
    struct lines *lines = arg;
    buf_append_str(&lines->text, text);
    buf_u8(&lines->text, '\n');
    lines->count++;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// golden_load appends the bytes of a .hex file; lines of '#' are provenance.
static void golden_load(const char *path, struct buf *out)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_int_equal(process_file_read(str_from_c(path), &text, NULL), ERR_OK);
    struct str rest = buf_str(&text);
    while (rest.ptr != NULL) {
        struct str line = str_cut(rest, '\n', &rest);
        for (size_t i = 0; line.len > 0 && line.ptr[0] != '#' && i + 1 < line.len; i++) {
            int high = hex_digit((uint8_t)line.ptr[i]);
            if (high >= 0) {
                buf_u8(out, (uint8_t)(high * 16 + hex_digit((uint8_t)line.ptr[++i])));
            }
        }
    }
    buf_fini(&text);
    assert_true(out->len > 100);
}

static enum err dump(struct bytes snapshot, struct lines *lines)
{
    struct error e = {0};
    lines->count = 0;
    buf_reset(&lines->text);
    enum err err = snapshot_dump(snapshot, take_line, lines, &e);
    assert_true(err == ERR_OK || e.text[0] != '\0');
    return err;
}

static void golden_shows(const char *path, const char *const *parts, size_t count)
{
    struct buf golden;
    struct lines lines = {0};
    buf_init(&golden, 1 << 20);
    buf_init(&lines.text, 1 << 20);
    golden_load(path, &golden);
    assert_int_equal(dump(buf_bytes(&golden), &lines), ERR_OK);
    buf_u8(&lines.text, 0);
    for (size_t i = 0; i < count; i++) {
        if (strstr((const char *)lines.text.ptr, parts[i]) == NULL) {
            fail_msg("no \"%s\" in:\n%s", parts[i], (const char *)lines.text.ptr);
        }
    }
    assert_null(strstr((const char *)lines.text.ptr, "DAMAGED"));
    buf_fini(&lines.text);
    buf_fini(&golden);
}

static void test_golden(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "snapshot version 1", "\nHEAD lsn=",      "\nTOPIC topic=",      " name=",
        "\nPARTITION topic=", " high_watermark=", "\n  extent offsets=", "\nPRODUCER topic=",
        "\nEND records="};
    golden_shows(topics_golden, parts, sizeof parts / sizeof *parts);
    static const char *const group_parts[] = {
        "\nGROUP group=billing generation=5 empty_since_ms=11000 type= members=0\n",
        "\nGROUP group=tool generation=2 type=connect protocol=v1 leader=w-1 members=2\n"
        "  member id=w-1 instance=node-1 client=connect host=/10.0.0.8 session_ms=10000 rebalance_ms=60000 "
        "subscription=3 assignment=1\n"
        "  member id=w-0 client= host= session_ms=0 rebalance_ms=0 subscription=0 assignment=0\n",
        ("\nOFFSETS group=tool topic=UQAAAAAAAAAAAAAAAAAAAQ partitions=256.. count=1\n"
         "  offset partition=256 offset=77 epoch=3 commit_ms=6000 retention_ms=-1 metadata=note\n"),
        "\nQUOTA user=(default) client-id=app revision=2 request_percentage=12.5\n"};
    golden_shows(groups_golden, group_parts, sizeof group_parts / sizeof *group_parts);
    static const char *const tally_parts[] = {"\nTALLY topic=UQAAAAAAAAAAAAAAAAAAAQ who=",
                                              " kind=0 count=5 stamp_ms="};
    golden_shows(tallies_golden, tally_parts, 2);
}

static size_t record_count(struct bytes snapshot)
{
    size_t count = 0;
    for (size_t at = 12; at < snapshot.len; at += 5 + (size_t)load_be32(snapshot.ptr + at)) {
        count++;
    }
    return count;
}

// records_drop drops the first records, up to one of this kind.
static void records_drop(struct buf *snapshot, uint8_t first_kind)
{
    size_t at = 12;
    while (snapshot->ptr[at + 4] < first_kind) {
        at += 5 + (size_t)load_be32(snapshot->ptr + at);
    }
    memmove(snapshot->ptr + 12, snapshot->ptr + at, snapshot->len - at);
    snapshot->len -= at - 12;
}

// A cut is noticed unless it lies between records; no damage reads outside (the sanitizers watch).
static void damage_shows(const char *path, uint8_t first_kind)
{
    struct buf golden;
    struct lines lines = {0};
    size_t refused = 0;
    buf_init(&golden, 1 << 20);
    buf_init(&lines.text, 64 << 20);
    golden_load(path, &golden);
    records_drop(&golden, first_kind);
    for (size_t len = 0; len < golden.len; len++) {
        refused += dump((struct bytes){golden.ptr, len}, &lines) != ERR_OK ? 1 : 0;
    }
    assert_int_equal(refused,
                     golden.len - record_count(buf_bytes(&golden))); // each begins where a cut is clean
    for (size_t i = 0; i < golden.len; i++) {
        uint8_t before = golden.ptr[i];
        golden.ptr[i] = 0xff;
        enum err err = dump(buf_bytes(&golden), &lines);
        assert_true(err == ERR_OK || err == ERR_CORRUPT);
        golden.ptr[i] = before;
    }
    assert_int_equal(dump((struct bytes){NULL, 0}, &lines), ERR_CORRUPT);
    buf_fini(&lines.text);
    buf_fini(&golden);
}

static void test_damage(void **state)
{
    (void)state;
    damage_shows(topics_golden, 1);
    damage_shows(groups_golden, 5); // its hundreds of partitions would take long
}

static void part_append(struct buf *file, uint32_t *sum, const char *data, uint32_t len, uint64_t total)
{
    uint8_t head[4];
    uint8_t last[8];
    store_be32(head, len);
    store_be64(last, total);
    *sum = len == 0 ? crc32c(*sum, last, 8) : crc32c(crc32c(*sum, head, 4), data, len);
    buf_be32(file, len);
    buf_be32(file, *sum);
    buf_append(file, data, len);
}

static void test_file_sums(void **state)
{
    (void)state;
    struct buf file;
    struct buf joined;
    buf_init(&file, 1 << 16);
    buf_init(&joined, 1 << 16);
    buf_append_str(&file, STR("STRS"));
    for (int i = 0; i < 28; i++) {
        buf_u8(&file, (uint8_t)i);
    }
    uint32_t sum = crc32c(0, file.ptr, file.len);
    buf_be32(&file, sum);
    part_append(&file, &sum, "abc", 3, 0);
    part_append(&file, &sum, "de", 2, 0);
    part_append(&file, &sum, "", 0, 5);
    assert_int_equal(snapshot_file_join(buf_bytes(&file), &joined, NULL), ERR_OK);
    assert_true(str_equal(buf_str(&joined), STR("abcde")));
    for (size_t i = 0; i < file.len; i++) { // every flipped bit and every cut is noticed
        file.ptr[i] ^= 0x40;
        buf_reset(&joined);
        assert_int_equal(snapshot_file_join(buf_bytes(&file), &joined, NULL), ERR_CORRUPT);
        file.ptr[i] ^= 0x40;
        buf_reset(&joined);
        assert_int_equal(snapshot_file_join((struct bytes){file.ptr, i}, &joined, NULL), ERR_CORRUPT);
    }
    buf_u8(&file, 0);
    buf_reset(&joined);
    assert_int_equal(snapshot_file_join(buf_bytes(&file), &joined, NULL), ERR_CORRUPT);
    buf_fini(&file);
    buf_fini(&joined);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_file_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
