// SPDX-License-Identifier: Apache-2.0
// roundtrip_test.c - every (key, version, direction) with seeded random values: what is encoded decodes to
// the same message, encodes to the same bytes, and fails cleanly when cut short or damaged.
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"
#include "wire/wire.h"
#include "wire/wire_private.h"

enum { SEEDS = 6, ARENA_SIZE = 1 << 20, OUT_SIZE = 1 << 20 };

// splitmix64: tests repeat exactly.
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

struct filler {
    uint64_t state;
    struct arena *arena;
    int16_t version;
};

static uint64_t below(struct filler *f, uint64_t limit)
{
    return next_random(&f->state) % limit;
}

static void fill_struct(struct filler *f, const struct wire_struct *type, uint8_t *message);

static struct bytes random_bytes(struct filler *f)
{
    static const size_t sizes[] = {0, 1, 5, 40, 126, 127, 300};
    size_t size = sizes[below(f, sizeof sizes / sizeof sizes[0])];
    uint8_t *at = arena_alloc(f->arena, size + 1); // empty is not null
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)below(f, 256);
    }
    return (struct bytes){at, size};
}

static void fill_element(struct filler *f, const struct wire_field *field, bool is_null, void *at)
{
    uint64_t bits = next_random(&f->state);
    struct bytes bytes = {NULL, 0};
    switch ((enum wire_type)field->type) {
    case WIRE_BOOL:
        *(bool *)at = bits & 1;
        return;
    case WIRE_ERROR:
        *(enum err *)at = err_from_kafka((int16_t)((int64_t)(bits % 136) - 2));
        return;
    case WIRE_STRUCT:
        fill_struct(f, field->sub, at);
        return;
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
        bytes = is_null ? bytes : random_bytes(f);
        memcpy(at, &bytes, sizeof bytes);
        return;
    default:
        for (size_t i = 0; i < wire_element_size(field); i++) {
            ((uint8_t *)at)[i] = (uint8_t)below(f, 256);
        }
    }
}

static void fill_field(struct filler *f, const struct wire_field *field, uint8_t *at)
{
    bool is_null = f->version >= field->null_since && below(f, 4) == 0;
    if (field->flags & WIRE_ARRAY) {
        int32_t count = is_null ? -1 : (int32_t)below(f, 4);
        size_t stride = wire_element_size(field);
        uint8_t *items = count <= 0 ? NULL : arena_array_alloc(f->arena, (size_t)count, stride);
        for (int32_t i = 0; i < count; i++) {
            fill_element(f, field, false, items + (size_t)i * stride);
        }
        *(struct wire_array_view *)at = (struct wire_array_view){items, count};
    } else if (field->flags & WIRE_POINTER) {
        void *message = is_null ? NULL : wire_new(f->arena, field->sub, 1);
        if (message != NULL) {
            fill_struct(f, field->sub, message);
        }
        *(void **)at = message;
    } else {
        fill_element(f, field, is_null, at);
    }
}

static void fill_struct(struct filler *f, const struct wire_struct *type, uint8_t *message)
{
    wire_init(type, message);
    for (size_t i = 0; i < type->count; i++) {
        const struct wire_field *field = &type->fields[i];
        bool stays_default = field->tag >= 0 && below(f, 3) == 0;
        if (wire_field_in(field, f->version) && !stays_default) {
            fill_field(f, field, message + field->offset);
        }
    }
}

static bool same_struct(const struct wire_struct *type, const uint8_t *a, const uint8_t *b);

static bool same_element(const struct wire_field *field, const uint8_t *a, const uint8_t *b)
{
    if (field->type == WIRE_STRUCT) {
        return same_struct(field->sub, a, b);
    }
    if (field->type >= WIRE_STRING) {
        const struct bytes *x = (const struct bytes *)a;
        const struct bytes *y = (const struct bytes *)b;
        return (x->ptr == NULL) == (y->ptr == NULL) && bytes_equal(*x, *y);
    }
    return memcmp(a, b, wire_element_size(field)) == 0;
}

static bool same_field(const struct wire_field *field, const uint8_t *a, const uint8_t *b)
{
    if (field->flags & WIRE_ARRAY) {
        const struct wire_array_view *x = (const struct wire_array_view *)a;
        const struct wire_array_view *y = (const struct wire_array_view *)b;
        size_t stride = wire_element_size(field);
        for (int32_t i = 0; x->count == y->count && i < x->count; i++) {
            if (!same_element(field, (uint8_t *)x->ptr + i * stride, (uint8_t *)y->ptr + i * stride)) {
                return false;
            }
        }
        return x->count == y->count;
    }
    if (field->flags & WIRE_POINTER) {
        const uint8_t *x = *(uint8_t *const *)a;
        const uint8_t *y = *(uint8_t *const *)b;
        return x == NULL || y == NULL ? x == y : same_struct(field->sub, x, y);
    }
    return same_element(field, a, b);
}

// same_struct compares all fields, also those that the version lacks: they must be at their defaults.
static bool same_struct(const struct wire_struct *type, const uint8_t *a, const uint8_t *b)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct wire_field *field = &type->fields[i];
        if (!same_field(field, a + field->offset, b + field->offset)) {
            print_error("%s.%s differs\n", type->name, field->name);
            return false;
        }
    }
    return true;
}

struct scratch {
    struct arena arena;
    struct buf out;
    struct buf again;
};

static void scratch_init(struct scratch *s)
{
    arena_init(&s->arena, ARENA_SIZE);
    buf_init(&s->out, OUT_SIZE);
    buf_init(&s->again, OUT_SIZE);
}

static void scratch_fini(struct scratch *s)
{
    arena_fini(&s->arena);
    buf_fini(&s->out);
    buf_fini(&s->again);
}

// For each version of each message in both directions.
typedef void visit(struct scratch *s, const struct wire_struct *type, int16_t version, bool is_flexible,
                   uint64_t seed);

static void each_message(visit *call, uint64_t seeds)
{
    struct scratch s;
    scratch_init(&s);
    for (size_t i = 0; i < wire_api_count(); i++) {
        const struct wire_api *api = wire_api_at(i);
        for (int16_t version = api->decode_min; version <= api->version_max; version++) {
            for (uint64_t seed = 0; seed < seeds; seed++) {
                uint64_t mixed = seed << 32 | (uint64_t)api->key << 16 | (uint64_t)version << 1;
                call(&s, api->request, version, wire_is_flexible(api, version), mixed);
                call(&s, api->response, version, wire_is_flexible(api, version), mixed + 1);
            }
        }
    }
    scratch_fini(&s);
}

// encode_random leaves a random message's bytes in s->out.
static uint8_t *encode_random(struct scratch *s, const struct wire_struct *type, int16_t version,
                              bool is_flexible, uint64_t seed)
{
    arena_reset(&s->arena);
    buf_reset(&s->out);
    buf_reset(&s->again);
    struct filler f = {seed, &s->arena, version};
    uint8_t *message = arena_alloc(&s->arena, type->size);
    fill_struct(&f, type, message);
    struct error e = {0};
    enum err err = wire_encode(type, version, is_flexible, message, &s->out, NULL, &e);
    if (err != ERR_OK) {
        fail_msg("%s", e.text);
    }
    return message;
}

static void check_roundtrip(struct scratch *s, const struct wire_struct *type, int16_t version,
                            bool is_flexible, uint64_t seed)
{
    uint8_t *message = encode_random(s, type, version, is_flexible, seed);
    uint8_t *back = arena_alloc(&s->arena, type->size);
    memset(back, 0xa5, type->size); // decoding must set every field
    struct reader r = reader_init(buf_bytes(&s->out));
    struct error e = {0};
    enum err err = wire_decode(type, version, is_flexible, &r, &s->arena, back, &e);
    if (err != ERR_OK || reader_left(&r) != 0) {
        fail_msg("%s v%d seed %llx: %s, %zu left", type->name, version, (unsigned long long)seed, e.text,
                 reader_left(&r));
    }
    if (!same_struct(type, message, back)) {
        fail_msg("%s v%d seed %llx", type->name, version, (unsigned long long)seed);
    }
    assert_int_equal(wire_encode(type, version, is_flexible, back, &s->again, NULL, &e), ERR_OK);
    assert_int_equal(s->out.len, s->again.len);
    assert_true(bytes_equal(buf_bytes(&s->out), buf_bytes(&s->again)));
}

static void test_roundtrip(void **state)
{
    (void)state;
    each_message(check_roundtrip, SEEDS);
}

// decode_copy decodes from a heap block of exactly that size, so that a sanitizer sees a read past the end.
static enum err decode_copy(struct scratch *s, const struct wire_struct *type, int16_t version,
                            bool is_flexible, struct bytes input)
{
    arena_reset(&s->arena);
    uint8_t *message = arena_alloc(&s->arena, type->size);
    uint8_t *copy = mem_alloc(input.len + (input.len == 0));
    memcpy(copy, input.ptr, input.len);
    struct reader r = reader_init((struct bytes){copy, input.len});
    struct error e = {0};
    enum err err = wire_decode(type, version, is_flexible, &r, &s->arena, message, &e);
    if (err == ERR_OK) {
        wire_print(type, version, message, &s->again); // touches every view
    } else {
        assert_int_equal(e.code, err);
        assert_true(e.text[0] != '\0');
    }
    mem_free(copy);
    return err;
}

static void check_truncated(struct scratch *s, const struct wire_struct *type, int16_t version,
                            bool is_flexible, uint64_t seed)
{
    encode_random(s, type, version, is_flexible, seed);
    size_t step = s->out.len > 1500 ? s->out.len / 1500 : 1;
    for (size_t len = 0; len < s->out.len; len += step) {
        enum err err = decode_copy(s, type, version, is_flexible, (struct bytes){s->out.ptr, len});
        assert_int_equal(err, ERR_MALFORMED);
    }
}

static void test_truncated(void **state)
{
    (void)state;
    each_message(check_truncated, 1);
}

// A damaged message either decodes or is refused; it never makes the arena hand out more than its cap.
static void check_damaged(struct scratch *s, const struct wire_struct *type, int16_t version,
                          bool is_flexible, uint64_t seed)
{
    encode_random(s, type, version, is_flexible, seed);
    uint64_t state = ~seed;
    for (int i = 0; i < 20 && s->out.len > 0; i++) {
        uint8_t *at = s->out.ptr + next_random(&state) % s->out.len;
        uint8_t kept = *at;
        *at = i % 2 == 0 ? (uint8_t)next_random(&state) : 0xff;
        buf_reset(&s->again);
        enum err err = decode_copy(s, type, version, is_flexible, buf_bytes(&s->out));
        assert_true(err == ERR_OK || err == ERR_MALFORMED || err == ERR_NO_MEMORY);
        *at = kept;
    }
}

static void test_damaged(void **state)
{
    (void)state;
    each_message(check_damaged, 2);
}

// with_unknown_tag appends a tag that no version knows to the tag buffer that ends a flexible message without
// tags.
static void check_unknown_tag(struct scratch *s, const struct wire_struct *type, int16_t version,
                              bool is_flexible, uint64_t seed)
{
    (void)seed;
    if (!is_flexible) {
        return;
    }
    arena_reset(&s->arena);
    buf_reset(&s->out);
    uint8_t *message = wire_new(&s->arena, type, 1);
    assert_int_equal(wire_encode(type, version, true, message, &s->out, NULL, NULL), ERR_OK);
    assert_int_equal(s->out.ptr[s->out.len - 1], 0); // defaults: no tags
    s->out.len--;
    buf_append(&s->out, "\x02\xe7\x07\x03xyz\xe8\x07\x00", 10); // tag 999, three bytes; tag 1000, none
    struct reader r = reader_init(buf_bytes(&s->out));
    uint8_t *back = wire_new(&s->arena, type, 1);
    assert_int_equal(wire_decode(type, version, true, &r, &s->arena, back, NULL), ERR_OK);
    assert_int_equal(reader_left(&r), 0);
    assert_true(same_struct(type, message, back));
}

static void test_unknown_tags(void **state)
{
    (void)state;
    each_message(check_unknown_tag, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roundtrip),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_unknown_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
