// SPDX-License-Identifier: Apache-2.0
// The first byte is the length of a header, the next bytes are it, the rest is the value. What is read lies
// within its source, and a frame written anew from what was read is the same.
#include "base/assert.h"
#include "contract/frame.h"

static void write_name(struct buf *out, const struct frame_name *name)
{
    if (name->kind != FRAME_NAME_NONE) {
        buf_u8(out, name->kind == FRAME_NAME_ID ? 0 : 1);
    }
    if (name->kind == FRAME_NAME_ID) {
        buf_be32(out, (uint32_t)name->id);
    } else if (name->kind == FRAME_NAME_GUID) {
        buf_append(out, name->guid.b, sizeof name->guid.b);
    }
}

static void written_again(const struct frame_name *name, struct bytes rest, struct bytes whole)
{
    struct buf out;
    buf_init(&out, whole.len + 1);
    write_name(&out, name);
    buf_append(&out, rest.ptr, rest.len);
    ASSERT(bytes_equal(buf_bytes(&out), whole));
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t header_size = data[0] < size - 1 ? data[0] : size - 1;
    struct bytes header = header_size == 0 ? (struct bytes){NULL, 0} : bytes_of(data + 1, header_size);
    struct bytes value = bytes_of(data + 1 + header_size, size - 1 - header_size);
    struct frame frame;
    if (frame_read_value(value, header, &frame, NULL) != ERR_OK) {
        ASSERT(header.ptr != NULL);
        return 0;
    }
    written_again(&frame.prefix, frame.behind, value);
    if (header.ptr != NULL) {
        written_again(&frame.header, frame.header_indexes, header);
    }
    struct bytes payload = frame.behind;
    int32_t indexes[FRAME_INDEXES_MAX];
    size_t count = 0;
    if (frame_indexes_read(&payload, indexes, &count, NULL) == ERR_OK) {
        ASSERT(count > 0 && count <= FRAME_INDEXES_MAX && payload.len < frame.behind.len);
        ASSERT(payload.ptr + payload.len == frame.behind.ptr + frame.behind.len);
    }
    return 0;
}
