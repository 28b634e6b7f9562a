// SPDX-License-Identifier: Apache-2.0
// frame.c - framing, as the serializers of the Schema Registry write it: a prefix before the payload, or a
// header beside it. A header that says one thing twice is no contradiction; the last one would count.
#include "contract/frame.h"

enum {
    MAGIC_ID = 0,
    MAGIC_GUID = 1,
};

// name_read takes an id or a GUID off the front; FRAME_NAME_NONE leaves the bytes alone.
static struct frame_name name_read(struct bytes *bytes)
{
    struct frame_name name = {.kind = FRAME_NAME_NONE};
    size_t size = 0;
    if (bytes->len >= FRAME_PREFIX_ID_SIZE && bytes->ptr[0] == MAGIC_ID) {
        name.kind = FRAME_NAME_ID;
        name.id = (int32_t)load_be32(bytes->ptr + 1);
        size = FRAME_PREFIX_ID_SIZE;
    } else if (bytes->len >= FRAME_PREFIX_GUID_SIZE && bytes->ptr[0] == MAGIC_GUID) {
        name.kind = FRAME_NAME_GUID;
        memcpy(name.guid.b, bytes->ptr + 1, sizeof name.guid.b);
        size = FRAME_PREFIX_GUID_SIZE;
    }
    *bytes = bytes_slice(*bytes, size, bytes->len - size);
    return name;
}

enum err frame_read_value(struct bytes value, struct bytes header, struct frame *ret, struct error *e)
{
    struct frame frame = {.is_null = value.ptr == NULL, .whole = value, .behind = value};
    if (header.ptr != NULL) {
        frame.header_indexes = header;
        frame.header = name_read(&frame.header_indexes);
        if (frame.header.kind == FRAME_NAME_NONE) {
            return FAIL(e, ERR_INVALID_RECORD,
                        "a schema id header of %zu bytes that is neither an id nor a GUID", header.len);
        }
    }
    if (!frame.is_null) {
        frame.prefix = name_read(&frame.behind);
    }
    *ret = frame;
    return ERR_OK;
}

enum err frame_read(const struct record *record, bool is_key, struct frame *ret, struct error *e)
{
    struct str wanted = is_key ? STR(FRAME_HEADER_KEY) : STR(FRAME_HEADER_VALUE);
    struct record_headers headers = record_headers_init(record);
    struct record_header header;
    struct bytes found = {NULL, 0};
    while (record->header_count > 0 && record_headers_next(&headers, &header)) {
        if (!str_equal(header.key, wanted)) {
            continue;
        }
        if (header.value.ptr == NULL) {
            return FAIL(e, ERR_INVALID_RECORD, "a schema id header without a value");
        }
        if (found.ptr != NULL && !bytes_equal(found, header.value)) {
            return FAIL(e, ERR_INVALID_RECORD, "two schema id headers that differ");
        }
        found = header.value;
    }
    return frame_read_value(is_key ? record->key : record->value, found, ret, e);
}

enum err frame_indexes_read(struct bytes *payload, int32_t ret_indexes[FRAME_INDEXES_MAX], size_t *ret_count,
                            struct error *e)
{
    struct reader r = reader_init(*payload);
    int32_t count = reader_varint(&r);
    if (!r.failed && (count < 0 || count > FRAME_INDEXES_MAX)) {
        return FAIL(e, ERR_INVALID_RECORD, "%d message indexes, the limit is %d", count, FRAME_INDEXES_MAX);
    }
    for (int32_t i = 0; i < count && !r.failed; i++) {
        ret_indexes[i] = reader_varint(&r);
    }
    if (r.failed) {
        return FAIL(e, ERR_INVALID_RECORD, "the message indexes do not end");
    }
    *ret_count = (size_t)count;
    if (count == 0) { // the short form of the first message
        ret_indexes[0] = 0;
        *ret_count = 1;
    }
    *payload = bytes_of(r.pos, reader_left(&r));
    return ERR_OK;
}
