// SPDX-License-Identifier: Apache-2.0
// check.c - runs a program over a payload: one pass, no memory but a stack of PAYLOAD_DEPTH_MAX frames, no
// words about what is wrong (explain.c has them).
#include "format/avro/program_private.h"

#include "base/assert.h"
#include "base/utf8.h"

enum { INT_VARINT_BYTES = 5, LONG_VARINT_BYTES = 10 };
#define HIGH_BITS 0x8080808080808080ULL

// Most records need few of the frames: clearing all of them would cost more than the check.
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALIZED
#define UNINITIALIZED
#endif

// An open array or map, or a called record.
struct frame {
    const struct avro_op *back; // where the record was called from
    const uint8_t *block_end;   // of a block that says its size; else NULL
    uint64_t left;              // items of the block
};

const uint8_t *avro_varint(const uint8_t *p, const uint8_t *end, int size_max, uint64_t *ret)
{
    uint64_t value = 0;
    for (int i = 0; i < size_max && p < end; i++) {
        uint8_t byte = *p++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            // The last byte of an int has 4 bits, that of a long 1.
            bool is_over = i == size_max - 1 && byte >> (size_max == INT_VARINT_BYTES ? 4 : 1) != 0;
            *ret = value;
            return is_over ? NULL : p;
        }
    }
    return NULL;
}

static inline const uint8_t *read_varint(const uint8_t *p, const uint8_t *end, uint64_t *ret)
{
    if (__builtin_expect(p < end && *p < 0x80, 1)) {
        *ret = *p;
        return p + 1;
    }
    return avro_varint(p, end, LONG_VARINT_BYTES, ret);
}

static inline uint64_t load8(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline const uint8_t *skip_long(const uint8_t *p, const uint8_t *end)
{
    if (end - p >= 8) {
        uint64_t stops = ~load8(p) & HIGH_BITS;
        if (stops != 0) {
            return p + (__builtin_ctzll(stops) >> 3) + 1;
        }
    }
    uint64_t ignored;
    return avro_varint(p, end, LONG_VARINT_BYTES, &ignored);
}

static inline const uint8_t *skip_int(const uint8_t *p, const uint8_t *end)
{
    if (p < end && *p < 0x80) {
        return p + 1;
    }
    uint64_t ignored;
    return avro_varint(p, end, INT_VARINT_BYTES, &ignored);
}

static inline const uint8_t *read_length(const uint8_t *p, const uint8_t *end, size_t *ret)
{
    uint64_t zigzag;
    p = read_varint(p, end, &zigzag);
    // An odd one is negative.
    if (p == NULL || (zigzag & 1) != 0 || zigzag >> 1 > (uint64_t)(end - p)) {
        return NULL;
    }
    *ret = (size_t)(zigzag >> 1);
    return p;
}

// Most text is short and ASCII: a word, which may reach into what follows.
static inline bool is_utf8(const uint8_t *p, size_t length, const uint8_t *end)
{
    if (length <= 8 && end - p >= 8) {
        uint64_t high = length == 0 ? 0 : load8(p) << (64 - 8 * length);
        return (high & HIGH_BITS) == 0 || utf8_is_valid((struct str){(const char *)p, length});
    }
    return utf8_is_ascii((const char *)p, length) || utf8_is_valid((struct str){(const char *)p, length});
}

static inline const uint8_t *skip_bytes(const uint8_t *p, const uint8_t *end)
{
    size_t length;
    p = read_length(p, end, &length);
    return p == NULL ? NULL : p + length;
}

static inline const uint8_t *skip_string(const uint8_t *p, const uint8_t *end)
{
    size_t length;
    p = read_length(p, end, &length);
    return p == NULL || !is_utf8(p, length, end) ? NULL : p + length;
}

// read_block reads the head of a block: how many items, and where it ends if it says so. Items that take
// bytes cannot be more than there are bytes.
static const uint8_t *read_block(const uint8_t *p, const uint8_t *end, bool is_empty, struct frame *ret)
{
    uint64_t zigzag;
    p = read_varint(p, end, &zigzag);
    if (p == NULL) {
        return NULL;
    }
    int64_t count = avro_unzigzag(zigzag);
    ret->left = (uint64_t)count;
    ret->block_end = NULL;
    if (count < 0) {
        size_t size;
        ret->left = -(uint64_t)count;
        p = read_length(p, end, &size);
        if (p == NULL) {
            return NULL;
        }
        ret->block_end = p + size;
    }
    return !is_empty && ret->left > (uint64_t)(end - p) ? NULL : p;
}

static const uint8_t *skip_empties(const uint8_t *p, const uint8_t *end, uint64_t *total)
{
    struct frame block;
    do {
        p = read_block(p, end, true, &block);
        if (p == NULL || (block.block_end != NULL && block.block_end != p) ||
            block.left > AVRO_EMPTY_ITEMS_MAX - *total) {
            return NULL;
        }
        *total += block.left;
    } while (block.left > 0);
    return p;
}

// read_index reads an enum's or union's index: an int that is not negative and below `count`.
static inline const uint8_t *read_index(const uint8_t *p, const uint8_t *end, uint32_t count, uint64_t *ret)
{
    uint64_t zigzag;
    if (p < end && *p < 0x80) {
        zigzag = *p++;
    } else {
        p = avro_varint(p, end, INT_VARINT_BYTES, &zigzag);
    }
    *ret = zigzag >> 1;
    return p == NULL || (zigzag & 1) != 0 || *ret >= count ? NULL : p;
}

// Measured: with a jump at the end of each operation instead of one switch for all, an order takes 72 ns
// instead of 93, because each jump has a history of its own. That needs labels as values.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#define GO()                                                                                                 \
    do {                                                                                                     \
        at = op++;                                                                                           \
        goto *labels[at->code];                                                                              \
    } while (0)
#define GO_IF_GOOD()                                                                                         \
    do {                                                                                                     \
        if (p == NULL) {                                                                                     \
            return false;                                                                                    \
        }                                                                                                    \
        GO();                                                                                                \
    } while (0)

bool avro_accepts(const struct avro_program *program, struct bytes payload, struct avro_mark *marks)
{
    static const void *const labels[] = {
        [OP_END] = &&op_end,       [OP_BOOLEAN] = &&op_boolean, [OP_INT] = &&op_int,
        [OP_LONG] = &&op_long,     [OP_SKIP] = &&op_skip,       [OP_BYTES] = &&op_bytes,
        [OP_STRING] = &&op_string, [OP_ENUM] = &&op_enum,       [OP_OPTION] = &&op_option,
        [OP_UNION] = &&op_union,   [OP_JUMP] = &&op_jump,       [OP_BLOCKS] = &&op_blocks,
        [OP_ITEM] = &&op_item,     [OP_EMPTIES] = &&op_empties, [OP_CALL] = &&op_call,
        [OP_RETURN] = &&op_return, [OP_SLOT] = &&op_slot,       [OP_SLOT_END] = &&op_slot_end,
    };
    static const uint8_t nothing[1];
    // One more than may be open: an empty array inside the last one is no depth.
    UNINITIALIZED struct frame frames[PAYLOAD_DEPTH_MAX + 1];
    struct frame *top = frames; // one above the innermost
    const struct avro_op *code = program->code;
    const struct avro_op *op = code;
    const struct avro_op *at;
    const uint8_t *p = payload.len == 0 ? nothing : payload.ptr;
    const uint8_t *end = p + payload.len;
    uint64_t empties = 0;
    uint64_t index;
    GO();
op_end:
    return p == end;
op_boolean:
    p = p < end && *p <= 1 ? p + 1 : NULL;
    GO_IF_GOOD();
op_int:
    p = skip_int(p, end);
    GO_IF_GOOD();
op_long:
    p = skip_long(p, end);
    GO_IF_GOOD();
op_skip:
    p = at->a <= (size_t)(end - p) ? p + at->a : NULL;
    GO_IF_GOOD();
op_bytes:
    p = skip_bytes(p, end);
    GO_IF_GOOD();
op_string:
    p = skip_string(p, end);
    GO_IF_GOOD();
op_enum:
    p = read_index(p, end, at->a, &index);
    GO_IF_GOOD();
op_option:
    p = read_index(p, end, 2, &index);
    op = index == at->b ? code + at->a : op;
    GO_IF_GOOD();
op_union:
    p = read_index(p, end, at->b, &index);
    op = p == NULL ? op : code + program->targets[at->a + index];
    GO_IF_GOOD();
op_jump:
    op = code + at->a;
    GO();
op_blocks:
    p = read_block(p, end, false, top);
    if (p == NULL || top->left == 0) {
        op = code + at->a;
    } else if (++top > frames + PAYLOAD_DEPTH_MAX) {
        return false;
    }
    GO_IF_GOOD();
op_item:
    if (--top[-1].left > 0) {
        op = code + at->a;
        GO();
    }
    if (top[-1].block_end != NULL && top[-1].block_end != p) {
        return false;
    }
    p = read_block(p, end, false, top - 1);
    if (p != NULL && top[-1].left > 0) {
        op = code + at->a;
    } else {
        top--;
    }
    GO_IF_GOOD();
op_empties:
    p = skip_empties(p, end, &empties);
    GO_IF_GOOD();
op_call:
    if (top == frames + PAYLOAD_DEPTH_MAX) {
        return false;
    }
    (top++)->back = op;
    op = code + at->a;
    GO();
op_return:
    op = (--top)->back;
    GO();
op_slot:
    marks[at->a].p = p;
    marks[at->a].node = at->b;
    GO();
op_slot_end:
    marks[at->a].end = p;
    GO();
}
#pragma GCC diagnostic pop

enum err avro_check(const struct program *program, struct bytes payload, struct view *views,
                    struct program_fault *ret)
{
    const struct avro_program *avro = avro_program_of(program);
    UNINITIALIZED struct avro_mark marks[SLOTS_MAX];
    for (uint32_t i = 0; program->slots != NULL && i < program->slots->count; i++) {
        marks[i].p = NULL;
    }
    if (avro_accepts(avro, payload, marks)) {
        if (views != NULL) {
            avro_view_slots(avro, payload, marks, views);
        }
        return ERR_OK;
    }
    struct program_fault fault = {.hides_values = false};
    bool is_good = avro_explain(avro, payload, ret != NULL ? ret : &fault);
    ASSERT(!is_good);
    return ERR_INVALID_RECORD;
}
