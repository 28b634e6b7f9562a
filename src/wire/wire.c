// SPDX-License-Identifier: Apache-2.0
// wire.c - the list of APIs, defaults, headers and cuts.
#include "wire/wire.h"

#include "base/assert.h"
#include "base/mem.h"
#include "wire/messages.h"
#include "wire/wire_private.h"

const struct wire_api *wire_api_find(int16_t key)
{
    size_t low = 0;
    size_t high = wire_apis_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (wire_apis[middle].key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < wire_apis_count && wire_apis[low].key == key ? &wire_apis[low] : NULL;
}

size_t wire_api_count(void)
{
    return wire_apis_count;
}

const struct wire_api *wire_api_at(size_t index)
{
    ASSERT(index < wire_apis_count);
    return &wire_apis[index];
}

bool wire_can_decode(const struct wire_api *api, int16_t version)
{
    return version >= api->decode_min && version <= api->version_max;
}

bool wire_is_flexible(const struct wire_api *api, int16_t version)
{
    return version >= api->flexible_since;
}

bool wire_response_header_is_flexible(const struct wire_api *api, int16_t version)
{
    return api->key != API_API_VERSIONS && wire_is_flexible(api, version);
}

size_t wire_element_size(const struct wire_field *field)
{
    static const uint8_t sizes[] = {
        [WIRE_BOOL] = sizeof(bool),
        [WIRE_I8] = 1,
        [WIRE_I16] = 2,
        [WIRE_U16] = 2,
        [WIRE_I32] = 4,
        [WIRE_I64] = 8,
        [WIRE_F64] = sizeof(double),
        [WIRE_UUID] = sizeof(struct uuid),
        [WIRE_ERROR] = sizeof(enum err),
        [WIRE_STRING] = sizeof(struct str),
        [WIRE_BYTES] = sizeof(struct bytes),
        [WIRE_RECORDS] = sizeof(struct wire_records),
    };
    return field->type == WIRE_STRUCT ? field->sub->size : sizes[field->type];
}

void wire_init(const struct wire_struct *type, void *ret_message)
{
    memcpy(ret_message, type->initial, type->size);
}

void *wire_new(struct arena *arena, const struct wire_struct *type, size_t count)
{
    uint8_t *first = arena_array_alloc(arena, count, type->size);
    for (size_t i = 0; first != NULL && i < count; i++) {
        wire_init(type, first + i * type->size);
    }
    return first;
}

void wire_throttle_set(const struct wire_struct *type, int16_t version, void *message, int32_t throttle_ms)
{
    for (uint16_t i = 0; i < type->count; i++) {
        const struct wire_field *field = &type->fields[i];
        if (field->type == WIRE_I32 && wire_field_in(field, version) &&
            strcmp(field->name, "throttle_time_ms") == 0) {
            memcpy((char *)message + field->offset, &throttle_ms, sizeof throttle_ms);
        }
    }
}

size_t wire_struct_size(const struct wire_struct *type)
{
    return type->size;
}

void wire_cuts_fini(struct wire_cuts *cuts)
{
    mem_free(cuts->items);
    *cuts = (struct wire_cuts){0};
}

void wire_cuts_reset(struct wire_cuts *cuts)
{
    cuts->count = 0;
}

size_t wire_cuts_size(const struct wire_cuts *cuts)
{
    size_t total = 0;
    for (uint32_t i = 0; i < cuts->count; i++) {
        total += cuts->items[i].size;
    }
    return total;
}

bool wire_tags_skip(struct reader *r)
{
    // A tag takes two bytes at least, so the bytes that are left bound the loop.
    uint32_t count = reader_uvarint(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        reader_uvarint(r);
        reader_take(r, reader_uvarint(r));
    }
    return !r->failed;
}

enum err wire_request_header_decode(struct reader *r, struct wire_request_header *ret)
{
    struct wire_request_header header = {
        .api_key = reader_i16(r),
        .api_version = reader_i16(r),
        .correlation_id = reader_i32(r),
    };
    int16_t length = reader_i16(r);
    if (length >= 0) {
        const uint8_t *at = reader_take(r, (size_t)length);
        header.client_id = (struct str){(const char *)at, at == NULL ? 0 : (size_t)length};
    }
    const struct wire_api *api = wire_api_find(header.api_key);
    if (api != NULL && wire_is_flexible(api, header.api_version)) {
        wire_tags_skip(r);
    }
    if (r->failed || length < -1) {
        return ERR_MALFORMED;
    }
    *ret = header;
    return ERR_OK;
}

void wire_request_header_encode(const struct wire_request_header *header, struct buf *out)
{
    ASSERT(header->client_id.len <= WIRE_STRING_SIZE_MAX);
    buf_be16(out, (uint16_t)header->api_key);
    buf_be16(out, (uint16_t)header->api_version);
    buf_be32(out, (uint32_t)header->correlation_id);
    buf_be16(out, header->client_id.ptr == NULL ? UINT16_MAX : (uint16_t)header->client_id.len);
    buf_append_str(out, header->client_id);
    const struct wire_api *api = wire_api_find(header->api_key);
    if (api != NULL && wire_is_flexible(api, header->api_version)) {
        buf_uvarint(out, 0);
    }
}

enum err wire_response_header_decode(const struct wire_api *api, int16_t version, struct reader *r,
                                     int32_t *ret_correlation_id)
{
    int32_t correlation_id = reader_i32(r);
    if (wire_response_header_is_flexible(api, version)) {
        wire_tags_skip(r);
    }
    if (r->failed) {
        return ERR_MALFORMED;
    }
    *ret_correlation_id = correlation_id;
    return ERR_OK;
}

void wire_response_header_encode(const struct wire_api *api, int16_t version, int32_t correlation_id,
                                 struct buf *out)
{
    buf_be32(out, (uint32_t)correlation_id);
    if (wire_response_header_is_flexible(api, version)) {
        buf_uvarint(out, 0);
    }
}
