// SPDX-License-Identifier: Apache-2.0
#include "cli/snapshot_dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "platform/real/process.h"

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
static void golden_load(struct buf *out)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_int_equal(process_file_read(STR(GOLDEN_DIR "/core_snapshot_v1.hex"), &text, NULL), ERR_OK);
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

static void test_golden(void **state)
{
    (void)state;
    struct buf golden;
    struct lines lines = {0};
    buf_init(&golden, 1 << 20);
    buf_init(&lines.text, 1 << 20);
    golden_load(&golden);
    assert_int_equal(dump(buf_bytes(&golden), &lines), ERR_OK);
    buf_u8(&lines.text, 0);
    static const char *const parts[] = {
        "snapshot version 1", "\nHEAD lsn=",      "\nTOPIC topic=",      " name=",
        "\nPARTITION topic=", " high_watermark=", "\n  extent offsets=", "\nPRODUCER topic=",
        "\nEND records="};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strstr((const char *)lines.text.ptr, parts[i]) == NULL) {
            fail_msg("no \"%s\" in:\n%s", parts[i], (const char *)lines.text.ptr);
        }
    }
    assert_null(strstr((const char *)lines.text.ptr, "DAMAGED"));
    buf_fini(&lines.text);
    buf_fini(&golden);
}

// A cut is noticed unless it lies between records; no damage reads outside (the sanitizers watch).
static void test_damage(void **state)
{
    (void)state;
    struct buf golden;
    struct lines lines = {0};
    size_t refused = 0;
    buf_init(&golden, 1 << 20);
    buf_init(&lines.text, 64 << 20);
    golden_load(&golden);
    for (size_t len = 0; len < golden.len; len++) {
        refused += dump((struct bytes){golden.ptr, len}, &lines) != ERR_OK ? 1 : 0;
    }
    assert_true(refused > golden.len - 40); // records are longer than that, so few ends lie between them
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
