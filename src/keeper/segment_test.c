// SPDX-License-Identifier: Apache-2.0
// Merged objects: what is written is found again, byte for byte and by index; hostile footers are refused;
// the cache keeps its bound.
#include "keeper/segment_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "keeper/test_support.h"
#include "platform/real/real.h"

// ---- an engine that keeps objects in memory

enum { MEMORY_OBJECTS_MAX = 64 };

struct object {
    struct buf data;
    bool is_there;
    bool is_sealed;
    uint32_t pins;
};
struct memory_engine {
    struct engine engine;
    struct object objects[MEMORY_OBJECTS_MAX]; // by number; 0 is not used
    uint64_t last;
    uint32_t reads;
    int64_t appends_left; // then ERR_NO_SPACE; -1 = no limit
};

static enum err memory_create(struct engine *engine, uint64_t *ret_object, struct error *e)
{
    struct memory_engine *m = (struct memory_engine *)engine;
    (void)e;
    *ret_object = ++m->last;
    m->objects[m->last].is_there = true;
    buf_init(&m->objects[m->last].data, SIZE_MAX / 2);
    return ERR_OK;
}

static enum err memory_append(struct engine *engine, uint64_t object, struct bytes data, struct error *e)
{
    struct memory_engine *m = (struct memory_engine *)engine;
    if (m->appends_left == 0) {
        return FAIL(e, ERR_NO_SPACE, "full");
    }
    m->appends_left -= m->appends_left > 0;
    buf_append(&m->objects[object].data, data.ptr, data.len);
    return ERR_OK;
}

static enum err memory_seal(struct engine *engine, uint64_t object, struct error *e)
{
    (void)e;
    ((struct memory_engine *)engine)->objects[object].is_sealed = true;
    return ERR_OK;
}

static void memory_drop(struct engine *engine, uint64_t object)
{
    struct object *o = &((struct memory_engine *)engine)->objects[object];
    o->is_there = false;
    buf_fini(&o->data);
}

static struct object *memory_pin(struct engine *engine, uint64_t object)
{
    struct object *o = &((struct memory_engine *)engine)->objects[object];
    return o->is_there ? o : NULL;
}

static void memory_unpin(struct engine *engine, struct object *o)
{
    (void)engine;
    (void)o;
}

static enum err memory_read(struct engine *engine, struct object *o, int64_t position, void *out, size_t len,
                            struct error *e)
{
    __atomic_fetch_add(&((struct memory_engine *)engine)->reads, 1, __ATOMIC_RELAXED);
    if (position < 0 || len > o->data.len || (size_t)position > o->data.len - len) {
        return FAIL(e, ERR_CORRUPT, "past the end");
    }
    memcpy(out, o->data.ptr + position, len);
    return ERR_OK;
}

static int64_t memory_size(struct engine *engine, struct object *o)
{
    (void)engine;
    return (int64_t)o->data.len;
}

static const struct engine_ops memory_engine_ops = {
    .object_create = memory_create,
    .object_append = memory_append,
    .object_seal = memory_seal,
    .object_drop = memory_drop,
    .object_pin = memory_pin,
    .object_unpin = memory_unpin,
    .object_read = memory_read,
    .object_size = memory_size,
};

static void memory_engine_init(struct memory_engine *m)
{
    *m = (struct memory_engine){.engine = {&memory_engine_ops}, .appends_left = -1};
}

static void memory_engine_fini(struct memory_engine *m)
{
    for (uint64_t i = 1; i <= m->last; i++) {
        buf_fini(&m->objects[i].data);
    }
}

// ---- writing

enum { BATCHES_MAX = 512, RUNS_MAX = 16 };

struct placed {
    int64_t position;
    int64_t base_offset;
    int64_t end_offset;
    int64_t max_timestamp;
    uint32_t run;
};
struct fixture {
    struct env *env;
    struct memory_engine memory;
    struct segment_writer *writer;
    struct segment_cache *cache;
    struct buf all; // what was written
    struct placed batches[BATCHES_MAX];
    uint32_t batch_count;
    struct extent extents[RUNS_MAX];
    uint32_t run_count;
    uint64_t object;
};

static struct fixture *fixture_create(size_t cache_bytes)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    assert_int_equal(real_env_open(STR(""), &f->env, NULL), ERR_OK);
    memory_engine_init(&f->memory);
    f->cache = segment_cache_create(f->env, &f->memory.engine, cache_bytes);
    buf_init(&f->all, SIZE_MAX / 2);
    return f;
}

static void fixture_destroy(struct fixture *f)
{
    segment_writer_destroy(f->writer);
    segment_cache_destroy(f->cache);
    memory_engine_fini(&f->memory);
    real_env_close(f->env);
    buf_fini(&f->all);
    mem_free(f);
}

static void write_batch(struct fixture *f, int64_t base_offset, int32_t epoch, int32_t records,
                        int64_t timestamp, size_t size)
{
    struct buf one;
    buf_init(&one, SIZE_MAX / 2);
    test_batch(&one, base_offset, epoch, records, timestamp, size);
    struct batch_header h;
    assert_int_equal(batch_header_read(buf_bytes(&one), &h, NULL), ERR_OK);
    f->batches[f->batch_count++] =
        (struct placed){(int64_t)f->all.len, base_offset, base_offset + records, timestamp, f->run_count};
    buf_append(&f->all, one.ptr, one.len);
    assert_int_equal(segment_writer_batch(f->writer, &h, buf_bytes(&one), NULL), ERR_OK);
    buf_fini(&one);
}

static struct uuid topic_of(uint8_t n)
{
    struct uuid id = {{n}};
    return id;
}

// Runs of several shapes: tiny, many small batches, one batch over the writer's buffer, gaps in offsets,
// timestamps that go back.
static void write_object(struct fixture *f)
{
    assert_int_equal(segment_writer_create(&f->memory.engine, &f->writer, NULL), ERR_OK);
    static const struct {
        uint8_t topic;
        int32_t partition;
        int32_t epoch;
        uint32_t batches;
        size_t size;
        int64_t gap;
    } rows[] = {
        {1, 0, 0, 1, 10, 0},      {1, 1, 0, 200, 700, 0}, {1, 1, 3, 20, 9000, 5},
        {2, 0, 1, 1, 3 << 20, 0}, {2, 7, 1, 60, 2000, 0}, {3, 0, 0, 1, 1, 0},
    };
    int64_t next_offset = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_same =
            i > 0 && rows[i].topic == rows[i - 1].topic && rows[i].partition == rows[i - 1].partition;
        next_offset = is_same ? next_offset : 1000;
        segment_writer_run_begin(f->writer, topic_of(rows[i].topic), rows[i].partition);
        for (uint32_t b = 0; b < rows[i].batches; b++) {
            int64_t timestamp = 5000 + (int64_t)b * 10 - (b % 7 == 3 ? 45 : 0);
            write_batch(f, next_offset, rows[i].epoch, 1 + (int32_t)(b % 3), timestamp, rows[i].size);
            next_offset = f->batches[f->batch_count - 1].end_offset + rows[i].gap;
        }
        segment_writer_run_end(f->writer, &f->extents[f->run_count++]);
    }
    assert_int_equal(segment_writer_bytes(f->writer), f->all.len);
    assert_int_equal(segment_writer_finish(f->writer, &f->object, NULL), ERR_OK);
    segment_writer_destroy(f->writer);
    f->writer = NULL;
}

static void test_write_and_find(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(1 << 20);
    write_object(f);
    struct object *o = memory_pin(&f->memory.engine, f->object);
    assert_true(o->is_sealed);
    assert_true(o->data.len > f->all.len);
    assert_memory_equal(o->data.ptr, f->all.ptr, f->all.len);
    for (uint32_t r = 0; r < f->run_count; r++) {
        const struct extent *x = &f->extents[r];
        assert_int_equal(x->object, f->object);
        assert_int_equal(x->flags, EXTENT_FINAL);
        int64_t seen_ms = INT64_MIN;
        uint32_t last_indexed = 0;
        for (uint32_t i = 0; i < f->batch_count; i++) {
            const struct placed *b = &f->batches[i];
            if (b->run != r) {
                continue;
            }
            struct segment_place place;
            for (int64_t offset = b->base_offset; offset < b->end_offset; offset++) {
                assert_int_equal(segment_cache_find_offset(f->cache, o, x, offset, &place, NULL), ERR_OK);
                assert_true(place.base_offset <= offset && place.position <= b->position);
                // The walk from there is short: one interval and the batch that crosses it.
                assert_true(b->position - place.position <= SEGMENT_INDEX_INTERVAL_BYTES + 10000);
                last_indexed += place.position > x->position;
            }
            assert_int_equal(segment_cache_find_timestamp(f->cache, o, x, b->max_timestamp, &place, NULL),
                             ERR_OK);
            for (uint32_t j = 0; j < f->batch_count; j++) {
                const struct placed *before = &f->batches[j];
                assert_false(before->run == r && before->position < place.position &&
                             before->max_timestamp >= b->max_timestamp);
            }
            seen_ms = b->max_timestamp > seen_ms ? b->max_timestamp : seen_ms;
        }
        assert_int_equal(x->max_timestamp, seen_ms);
        assert_int_equal(last_indexed > 0, r == 1 || r == 2 || r == 4); // the long ones
    }
    // Far beyond: the last entry, not the end.
    struct segment_place place;
    assert_int_equal(segment_cache_find_timestamp(f->cache, o, &f->extents[1], INT64_MAX, &place, NULL),
                     ERR_OK);
    assert_true(place.position > f->extents[1].position);
    assert_true(place.position < f->extents[1].position + f->extents[1].length);
    fixture_destroy(f);
}

// An extent may name a part of a run (one run, several REPLACE items): places stay inside it.
static void test_part_of_run(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(1 << 20);
    write_object(f);
    struct object *o = memory_pin(&f->memory.engine, f->object);
    const struct placed *from = &f->batches[1 + 60];
    const struct placed *to = &f->batches[1 + 150];
    struct extent part = f->extents[1];
    part.position = from->position;
    part.base_offset = from->base_offset;
    part.length = (uint32_t)(to->position - from->position);
    part.end_offset = to->base_offset;
    static const int64_t offsets[] = {0, 1000, 1100, 1121, 1200, 1299, 5000};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        struct segment_place place;
        assert_int_equal(segment_cache_find_offset(f->cache, o, &part, offsets[i], &place, NULL), ERR_OK);
        assert_true(place.position >= part.position && place.position < part.position + part.length);
        assert_true(place.base_offset >= part.base_offset && place.base_offset < part.end_offset);
    }
    part.position = to->position;
    part.length = 1 << 30; // reaches into the next runs: no run holds it
    struct segment_place place;
    assert_int_equal(segment_cache_find_offset(f->cache, o, &part, 0, &place, NULL), ERR_CORRUPT);
    fixture_destroy(f);
}

static void test_unfinished_is_dropped(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(1 << 20);
    f->memory.appends_left = 1;
    assert_int_equal(segment_writer_create(&f->memory.engine, &f->writer, NULL), ERR_OK);
    segment_writer_run_begin(f->writer, topic_of(1), 0);
    struct buf one;
    buf_init(&one, SIZE_MAX / 2);
    test_batch(&one, 0, 0, 1, 1, 600 << 10);
    struct batch_header h;
    assert_int_equal(batch_header_read(buf_bytes(&one), &h, NULL), ERR_OK);
    enum err err = ERR_OK;
    for (int i = 0; i < 10 && err == ERR_OK; i++) {
        batch_patch(one.ptr, i, 0);
        h.base_offset = i;
        err = segment_writer_batch(f->writer, &h, buf_bytes(&one), NULL);
    }
    assert_int_equal(err, ERR_NO_SPACE);
    f->memory.appends_left = -1; // room again changes nothing: bytes are missing in the middle
    assert_int_equal(segment_writer_batch(f->writer, &h, buf_bytes(&one), NULL), ERR_NO_SPACE);
    struct extent extent;
    segment_writer_run_end(f->writer, &extent);
    uint64_t object = 0;
    assert_int_equal(segment_writer_finish(f->writer, &object, NULL), ERR_NO_SPACE);
    assert_true(f->memory.objects[1].is_there);
    segment_writer_destroy(f->writer);
    f->writer = NULL;
    assert_false(f->memory.objects[1].is_there);
    buf_fini(&one);
    fixture_destroy(f);
}

// ---- hostile footers

struct span {
    const uint8_t *ptr;
    size_t len;
};

static enum err span_read(void *arg, int64_t position, void *out, size_t len, struct error *e)
{
    const struct span *s = arg;
    if (position < 0 || len > s->len || (size_t)position > s->len - len) {
        return FAIL(e, ERR_CORRUPT, "past the end");
    }
    memcpy(out, s->ptr + position, len);
    return ERR_OK;
}

static enum err load(struct bytes object)
{
    struct span span = {object.ptr, object.len};
    struct segment_source source = {&span, (int64_t)object.len, span_read};
    struct segment_footer footer;
    enum err err = segment_footer_load(&source, &footer, NULL);
    if (err == ERR_OK) {
        segment_footer_fini(&footer);
    }
    return err;
}

static void sum_again(struct buf *object, size_t footer_position)
{
    uint8_t *trailer = object->ptr + object->len - SEGMENT_TRAILER_SIZE;
    uint32_t sum =
        crc32c(0, object->ptr + footer_position, object->len - footer_position - SEGMENT_TRAILER_SIZE);
    sum = crc32c(sum, trailer, 16);
    store_be32(trailer + 16, crc32c(sum, trailer + 20, 12));
}

static void test_hostile_footer(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(1 << 20);
    write_object(f);
    struct buf *o = &f->memory.objects[f->object].data;
    size_t footer = f->all.len;
    assert_int_equal(load(buf_bytes(o)), ERR_OK);
    for (size_t at = footer; at < o->len; at++) { // any flipped bit is noticed
        o->ptr[at] ^= 0x10;
        assert_int_equal(load(buf_bytes(o)), ERR_CORRUPT);
        o->ptr[at] ^= 0x10;
    }
    for (size_t len = 0; len < o->len; len += len < footer ? 65537 : 1) { // and any other end
        assert_int_equal(load(bytes_of(o->ptr, len)), ERR_CORRUPT);
    }
    // Structure: what the checksum does not tell.
    static const struct {
        const char *what;
        size_t row;   // SIZE_MAX: trailer
        size_t at;    // in it
        uint64_t add; // to the big-endian 64-bit word there
    } rows[] = {
        {"partition negative", 0, 16, 1ULL << 63},
        {"order of partitions", 1, 16, 9ULL << 32},
        {"base offset negative", 0, 24, 1ULL << 63},
        {"empty range", 0, 32, (uint64_t)-1},
        {"overlap in a partition", 2, 24, (uint64_t)-1},
        {"gap between runs", 1, 40, 1},
        {"length", 1, 44, 1},
        {"first run not at 0", 0, 40, 61},
        {"entry first", 1, 60, 1},
        {"entry count beyond", 5, 64, 1},
        {"footer position", SIZE_MAX, 0, 1},
        {"run count", SIZE_MAX, 4, 1},
        {"entry count", SIZE_MAX, 8, 1},
        {"run count huge", SIZE_MAX, 8, 0xffffffffULL << 32},
        {"version", SIZE_MAX, 16, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *row = rows[i].row == SIZE_MAX ? o->ptr + o->len - SEGMENT_TRAILER_SIZE
                                               : o->ptr + footer + rows[i].row * SEGMENT_RUN_SIZE;
        uint8_t saved[SEGMENT_TRAILER_SIZE];
        uint8_t word[8];
        memcpy(saved, o->ptr + o->len - SEGMENT_TRAILER_SIZE, sizeof saved);
        memcpy(word, row + rows[i].at, 8);
        store_be64(row + rows[i].at, load_be64(row + rows[i].at) + rows[i].add);
        sum_again(o, footer);
        if (load(buf_bytes(o)) != ERR_CORRUPT) {
            fail_msg("accepted: %s", rows[i].what);
        }
        memcpy(row + rows[i].at, word, 8);
        memcpy(o->ptr + o->len - SEGMENT_TRAILER_SIZE, saved, sizeof saved);
    }
    // Entries that go back.
    uint8_t *entries = o->ptr + footer + f->run_count * SEGMENT_RUN_SIZE;
    static const size_t fields[] = {0, 4, 12};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint8_t *second = entries + SEGMENT_ENTRY_SIZE + fields[i];
        uint64_t word = load_be64(second);
        store_be64(second, fields[i] == 4 ? word & ~0xffffffffULL : 0);
        sum_again(o, footer);
        assert_int_equal(load(buf_bytes(o)), ERR_CORRUPT);
        store_be64(second, word);
    }
    sum_again(o, footer);
    assert_int_equal(load(buf_bytes(o)), ERR_OK);
    fixture_destroy(f);
}

// ---- the cache

static uint32_t reads_of_find(struct fixture *f, uint64_t object)
{
    struct extent x = f->extents[1];
    x.object = object;
    uint32_t before = f->memory.reads;
    struct segment_place place;
    enum err err =
        segment_cache_find_offset(f->cache, memory_pin(&f->memory.engine, object), &x, 1100, &place, NULL);
    assert_int_equal(err, ERR_OK);
    assert_true(place.position > x.position);
    return f->memory.reads - before;
}

static void test_cache(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(2500); // room for two footers of this size
    write_object(f);
    size_t footer = f->memory.objects[1].data.len - f->all.len - SEGMENT_TRAILER_SIZE;
    assert_in_range(footer, 800, 1000);
    for (int i = 0; i < 2; i++) { // the same object under more numbers
        uint64_t copy = 0;
        assert_int_equal(memory_create(&f->memory.engine, &copy, NULL), ERR_OK);
        assert_int_equal(memory_append(&f->memory.engine, copy, buf_bytes(&f->memory.objects[1].data), NULL),
                         ERR_OK);
    }
    assert_int_equal(reads_of_find(f, 1), 2); // trailer and rows
    assert_int_equal(reads_of_find(f, 1), 0);
    assert_int_equal(reads_of_find(f, 2), 2);
    assert_int_equal(reads_of_find(f, 1), 0);
    assert_int_equal(reads_of_find(f, 3), 2); // the bound pushes out 2, used longer ago than 1
    assert_int_equal(reads_of_find(f, 1), 0);
    assert_int_equal(reads_of_find(f, 2), 2);
    segment_cache_forget(f->cache, 2);
    segment_cache_forget(f->cache, 99);
    assert_int_equal(reads_of_find(f, 2), 2);

    struct segment_cache *kept = f->cache;
    f->cache = segment_cache_create(f->env, &f->memory.engine, footer / 2);
    assert_int_equal(reads_of_find(f, 1), 2); // too large to keep: right all the same
    assert_int_equal(reads_of_find(f, 1), 2);
    segment_cache_destroy(f->cache);
    f->cache = kept;

    // Log extents and short ones need no footer.
    struct segment_place place;
    struct extent x = f->extents[1];
    x.flags = 0;
    uint32_t reads = f->memory.reads;
    struct object *o = memory_pin(&f->memory.engine, 1);
    assert_int_equal(segment_cache_find_offset(f->cache, o, &x, 1100, &place, NULL), ERR_OK);
    assert_int_equal(place.position, x.position);
    assert_int_equal(segment_cache_find_timestamp(f->cache, o, &f->extents[0], 1, &place, NULL), ERR_OK);
    assert_int_equal(place.base_offset, f->extents[0].base_offset);
    assert_int_equal(f->memory.reads, reads);
    fixture_destroy(f);
}

// Several threads miss, hit and evict at once (the point of it is TSan and ASan).
struct hammer {
    struct fixture *f;
    struct extent extent;
    uint32_t wrong;
};

static void hammer_run(void *arg)
{
    struct hammer *h = arg;
    for (uint32_t i = 0; i < 2000; i++) {
        uint64_t object = 1 + i % 3;
        struct segment_place place;
        h->extent.object = object;
        enum err err = segment_cache_find_offset(h->f->cache, memory_pin(&h->f->memory.engine, object),
                                                 &h->extent, 1100, &place, NULL);
        h->wrong += err != ERR_OK || place.position <= h->extent.position;
        if (i % 17 == 0) {
            segment_cache_forget(h->f->cache, object);
        }
    }
}

static void test_cache_threads(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(2500);
    write_object(f);
    for (int i = 0; i < 2; i++) {
        uint64_t copy = 0;
        assert_int_equal(memory_create(&f->memory.engine, &copy, NULL), ERR_OK);
        assert_int_equal(memory_append(&f->memory.engine, copy, buf_bytes(&f->memory.objects[1].data), NULL),
                         ERR_OK);
    }
    struct hammer hammers[3];
    struct thread *threads[3];
    for (int i = 0; i < 3; i++) {
        hammers[i] = (struct hammer){f, f->extents[1], 0};
        threads[i] = thread_start(f->env->threads, "hammer", hammer_run, &hammers[i]);
    }
    for (int i = 0; i < 3; i++) {
        thread_join(f->env->threads, threads[i]);
        assert_int_equal(hammers[i].wrong, 0);
    }
    fixture_destroy(f);
}

// ---- dump

struct memory_file {
    struct file file;
    struct bytes bytes;
};

static enum err memory_file_read(struct file *file, int64_t position, void *out, size_t len, size_t *ret_len,
                                 struct error *e)
{
    (void)e;
    struct bytes b = ((struct memory_file *)file)->bytes;
    size_t left = (size_t)position < b.len ? b.len - (size_t)position : 0;
    *ret_len = len < left ? len : left;
    memcpy(out, b.ptr + position, *ret_len);
    return ERR_OK;
}

static enum err memory_file_size(struct file *file, int64_t *ret_size, struct error *e)
{
    (void)e;
    *ret_size = (int64_t)((struct memory_file *)file)->bytes.len;
    return ERR_OK;
}

struct lines {
    uint32_t count;
    uint32_t damaged;
};

static void count_line(void *arg, struct str text)
{
    struct lines *lines = arg;
    lines->count++;
    lines->damaged += memmem(text.ptr, text.len, "DAMAGED", 7) != NULL;
}

static void test_dump(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(1 << 20);
    write_object(f);
    struct buf *o = &f->memory.objects[f->object].data;
    static const struct file_ops ops = {.read_at = memory_file_read, .size = memory_file_size};
    struct memory_file file = {{&ops}, buf_bytes(o)};
    struct lines lines = {0};
    assert_int_equal(segment_dump(&file.file, count_line, &lines, NULL), ERR_OK);
    assert_int_equal(lines.count, 1 + f->run_count + f->batch_count);
    assert_int_equal(lines.damaged, 0);
    o->ptr[f->batches[50].position + 70] ^= 1; // a record
    o->ptr[f->extents[4].position + 16] ^= 1;  // a magic byte: the rest of that run cannot be walked
    lines = (struct lines){0};
    assert_int_equal(segment_dump(&file.file, count_line, &lines, NULL), ERR_OK);
    assert_int_equal(lines.damaged, 2);
    assert_int_equal(lines.count, 1 + f->run_count + f->batch_count - 60 + 1);
    file.bytes.len--;
    assert_int_equal(segment_dump(&file.file, count_line, &lines, NULL), ERR_CORRUPT);
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_find),
        cmocka_unit_test(test_part_of_run),
        cmocka_unit_test(test_unfinished_is_dropped),
        cmocka_unit_test(test_hostile_footer),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_threads),
        cmocka_unit_test(test_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
