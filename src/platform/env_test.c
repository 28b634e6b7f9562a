// SPDX-License-Identifier: Apache-2.0
// The shared loops of the seam over a file that moves one byte here and three there, and fails on demand.
#include "platform/env.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

struct fake_file {
    struct file base;
    uint8_t data[64];
    size_t size;
    size_t step_max;
    int calls_left; // then ERR_IO
    int calls;
};

static enum err fake_read_at(struct file *base, int64_t position, void *out, size_t len, size_t *ret_len,
                             struct error *e)
{
    struct fake_file *f = (struct fake_file *)base;
    f->calls++;
    if (f->calls_left-- == 0) {
        return FAIL(e, ERR_IO, "planned");
    }
    size_t left = (size_t)position >= f->size ? 0 : f->size - (size_t)position;
    size_t step = len < left ? len : left;
    step = step < f->step_max ? step : f->step_max;
    memcpy(out, f->data + position, step);
    *ret_len = step;
    return ERR_OK;
}

static enum err fake_write_at(struct file *base, int64_t position, const struct io_slice *slices,
                              size_t count, size_t *ret_len, struct error *e)
{
    struct fake_file *f = (struct fake_file *)base;
    f->calls++;
    if (f->calls_left-- == 0) {
        return FAIL(e, ERR_NO_SPACE, "planned");
    }
    size_t moved = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < slices[i].len && moved < f->step_max; j++) {
            f->data[(size_t)position + moved++] = ((uint8_t *)slices[i].ptr)[j];
        }
    }
    *ret_len = moved;
    return ERR_OK;
}

static const struct file_ops fake_ops = {.read_at = fake_read_at, .write_at = fake_write_at};

static struct fake_file fake_make(size_t step_max)
{
    return (struct fake_file){.base = {&fake_ops}, .step_max = step_max, .calls_left = -1};
}

static void test_write_loops_over_short_writes(void **state)
{
    (void)state;
    for (size_t step = 1; step <= 12; step++) {
        struct fake_file f = fake_make(step);
        char a[] = "abc";
        char b[] = "defg";
        char c[] = "hijk";
        struct io_slice slices[] = {{a, 3}, {NULL, 0}, {b, 4}, {c, 4}, {NULL, 0}};
        assert_int_equal(file_write_full(&f.base, 5, slices, 5, NULL), ERR_OK);
        assert_memory_equal(f.data + 5, "abcdefghijk", 11);
        assert_int_equal(f.calls, (int)((11 + step - 1) / step));
    }
    struct fake_file f = fake_make(4);
    assert_int_equal(file_write_full(&f.base, 0, NULL, 0, NULL), ERR_OK);
    assert_int_equal(file_write_bytes(&f.base, 0, bytes_of(NULL, 0), NULL), ERR_OK);
    assert_int_equal(f.calls, 0);
}

static void test_write_reports_failure_and_no_progress(void **state)
{
    (void)state;
    struct error e = {0};
    struct fake_file f = fake_make(2);
    f.calls_left = 1;
    assert_int_equal(file_write_bytes(&f.base, 0, bytes_of("abcdef", 6), &e), ERR_NO_SPACE);
    assert_int_equal(f.calls, 2);
    f = fake_make(0);
    assert_int_equal(file_write_bytes(&f.base, 0, bytes_of("abc", 3), &e), ERR_IO);
    assert_int_equal(f.calls, 1);
}

static void test_read_loops_over_short_reads(void **state)
{
    (void)state;
    struct fake_file f = fake_make(3);
    memcpy(f.data, "0123456789", 10);
    f.size = 10;
    char text[32] = "";
    size_t moved = 0;
    assert_int_equal(file_read_full(&f.base, 2, text, 8, &moved, NULL), ERR_OK);
    assert_int_equal(moved, 8);
    assert_memory_equal(text, "23456789", 8);
    assert_int_equal(file_read_full(&f.base, 8, text, 20, &moved, NULL), ERR_OK);
    assert_int_equal(moved, 2);
    assert_int_equal(file_read_exact(&f.base, 8, text, 2, NULL), ERR_OK);
    struct error e = {0};
    assert_int_equal(file_read_exact(&f.base, 8, text, 3, &e), ERR_CORRUPT);
    assert_string_equal(e.text, "file ends after 2 of 3 bytes at position 8");
    f.calls_left = 1;
    moved = 42;
    assert_int_equal(file_read_full(&f.base, 0, text, 10, &moved, &e), ERR_IO);
    assert_int_equal(moved, 42);
}

// ---- uuids from a stream of chosen bytes

struct fake_rng {
    struct rng base;
    const uint8_t *next;
};

static void fake_fill(struct rng *base, void *out, size_t len)
{
    struct fake_rng *r = (struct fake_rng *)base;
    memcpy(out, r->next, len);
    r->next += len;
}

static const struct rng_ops fake_rng_ops = {.fill = fake_fill};

static void test_uuid(void **state)
{
    (void)state;
    uint8_t stream[48];
    memset(stream, 0xff, 16); // '_' first: fine
    struct fake_rng r = {{&fake_rng_ops}, stream};
    struct uuid u = rng_uuid(&r.base);
    assert_int_equal(u.b[6], 0x4f);
    assert_int_equal(u.b[8], 0xbf);

    memset(stream, 0xf8, 16); // 62 in the top six bits: '-' first, drawn again
    memset(stream + 16, 0xfb, 16);
    memset(stream + 32, 0x00, 16);
    r.next = stream;
    u = rng_uuid(&r.base);
    assert_ptr_equal(r.next, stream + 48);
    assert_false(uuid_is_zero(u));
    char text[UUID_TEXT_SIZE];
    uuid_format(u, text);
    assert_string_equal(text, "AAAAAAAAQACAAAAAAAAAAA");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_loops_over_short_writes),
        cmocka_unit_test(test_write_reports_failure_and_no_progress),
        cmocka_unit_test(test_read_loops_over_short_reads),
        cmocka_unit_test(test_uuid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
