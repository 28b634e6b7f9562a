// SPDX-License-Identifier: Apache-2.0
// usual.h - the usual record: it lies whole in memory with the start of the next one, has short lengths and
// no headers. Nearly all records of a batch, read with one look at where the bytes end.
#ifndef RECORD_USUAL_H
#define RECORD_USUAL_H

#include "record/record_private.h"

enum {
    SHORT_MAX = 3,                  // bytes of a varint that is read here
    SHORT_VALUE = 1 << 20,          // no value of theirs is as large
    USUAL_HEAD = 4 * SHORT_MAX + 1, // up to a key, and its length
};

// What is read of one record.
struct usual_record {
    const uint8_t *end;
    int64_t timestamp_delta;
    int64_t offset_delta;
    struct bytes key;
    struct bytes value;
};

static inline int64_t unzigzag(uint32_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

// usual_is_in: timestamps of the batch's usual records are its base and their delta, without a look at
// bounds.
static inline bool usual_is_in(const struct batch_header *h)
{
    return !batch_is_log_append_time(h) && h->base_timestamp >= INT64_MIN + SHORT_VALUE &&
           h->base_timestamp <= INT64_MAX - SHORT_VALUE;
}

// short_varint reads a varint of up to SHORT_MAX bytes, which are there; NULL for a longer one.
static inline const uint8_t *short_varint(const uint8_t *p, uint32_t *ret)
{
    uint32_t value = p[0];
    if (value < 0x80) {
        *ret = value;
        return p + 1;
    }
    value = (value & 0x7f) | (uint32_t)p[1] << 7;
    if (p[1] < 0x80) {
        *ret = value;
        return p + 2;
    }
    *ret = (value & 0x3fff) | (uint32_t)p[2] << 14;
    return p[2] < 0x80 ? p + SHORT_MAX : NULL;
}

// usual_value is the rest of a record: value, no headers.
static inline bool usual_value(const uint8_t *p, struct usual_record *ret)
{
    uint32_t coded;
    p = short_varint(p, &coded);
    if (p == NULL || ((coded & 1) != 0 && coded != 1)) {
        return false;
    }
    ret->value = bytes_of(coded == 1 ? NULL : p, coded >> 1);
    return ret->end - p == (ptrdiff_t)(coded >> 1) + 1 && ret->end[-1] == 0; // of null, too
}

// usual_read reads the record at p; USUAL_HEAD bytes are there. false: it is not a usual one, or not sound.
static inline bool usual_read(const uint8_t *p, const uint8_t *source_end, struct usual_record *ret)
{
    uint32_t len, timestamp, offset, key;
    p = short_varint(p, &len);
    if (p == NULL || (len & 1) != 0 || source_end - p < (ptrdiff_t)(len >> 1) + SHORT_MAX) {
        return false;
    }
    ret->end = p + (len >> 1);
    p = short_varint(p + 1, &timestamp); // attributes: none are defined
    p = p == NULL ? NULL : short_varint(p, &offset);
    p = p == NULL ? NULL : short_varint(p, &key);
    if (p == NULL || ((key & 1) != 0 && key != 1) || ret->end - p < (ptrdiff_t)(key >> 1)) {
        return false;
    }
    ret->timestamp_delta = unzigzag(timestamp);
    ret->offset_delta = unzigzag(offset);
    ret->key = bytes_of(key == 1 ? NULL : p, key >> 1);
    return usual_value(p + (key >> 1), ret);
}

#endif
