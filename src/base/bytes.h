// SPDX-License-Identifier: Apache-2.0
// bytes.h - borrowed views by value, big-endian scalars, and a reader that fails sticky.
// NULL ptr is Kafka's null; length 0 with a pointer is empty.
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr; // text, not NUL-terminated
    size_t len;
};
struct bytes {
    const uint8_t *ptr;
    size_t len;
};
struct uuid {
    uint8_t b[16]; // topic ids; all zero = none
};

#define STR(lit)   ((struct str){(lit), sizeof(lit) - 1})
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)(s).len, (s).ptr

static inline struct str str_from_c(const char *c)
{
    return (struct str){c, c == NULL ? 0 : strlen(c)};
}
static inline bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
// str_compare orders by bytes, then by length; < 0, 0, > 0.
int str_compare(struct str a, struct str b);
bool str_has_prefix(struct str s, struct str prefix);
// str_parse_i64 accepts an optional '-' and decimal digits only, in full; false otherwise or on overflow.
bool str_parse_i64(struct str s, int64_t *ret);
// str_trim drops spaces, tabs, CR and LF at both ends.
struct str str_trim(struct str s);
// str_cut splits at the first `sep`; *rest is empty with NULL ptr where there is none.
struct str str_cut(struct str s, char sep, struct str *ret_rest);

static inline struct bytes bytes_of(const void *ptr, size_t len)
{
    return (struct bytes){ptr, len};
}
static inline struct bytes bytes_slice(struct bytes b, size_t from, size_t len)
{
    return (struct bytes){b.ptr + from, len};
}
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool uuid_is_zero(struct uuid u)
{
    static const struct uuid zero;
    return memcmp(&u, &zero, sizeof u) == 0;
}
static inline bool uuid_equal(struct uuid a, struct uuid b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}
enum { UUID_TEXT_SIZE = 23 };
// uuid_format writes Kafka's base64url form (22 characters and NUL).
void uuid_format(struct uuid u, char ret_text[UUID_TEXT_SIZE]);
// uuid_parse reads Kafka's base64url form; false if malformed.
bool uuid_parse(struct str text, struct uuid *ret);

// Big-endian scalars at an address.
static inline uint16_t load_be16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return __builtin_bswap16(v);
}
static inline uint32_t load_be32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}
static inline uint64_t load_be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}
static inline void store_be16(uint8_t *p, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(p, &v, 2);
}
static inline void store_be32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}
static inline void store_be64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}

// struct reader walks bytes it borrows. After a failure every read returns zero and stays failed:
// read all fields, then check `failed` once.
struct reader {
    const uint8_t *pos;
    const uint8_t *end;
    bool failed;
};

static inline struct reader reader_init(struct bytes b)
{
    return (struct reader){b.ptr, b.len == 0 ? b.ptr : b.ptr + b.len, false};
}
static inline size_t reader_left(const struct reader *r)
{
    return r->failed ? 0 : (size_t)(r->end - r->pos);
}
// reader_take returns n bytes in place, or NULL once failed.
const uint8_t *reader_take(struct reader *r, size_t n);
int8_t reader_i8(struct reader *r);
int16_t reader_i16(struct reader *r);
int32_t reader_i32(struct reader *r);
int64_t reader_i64(struct reader *r);
uint32_t reader_u32(struct reader *r);
struct uuid reader_uuid(struct reader *r);
// reader_uvarint reads an unsigned LEB128 of at most 5 bytes; reader_uvarint64 of at most 10.
uint32_t reader_uvarint(struct reader *r);
uint64_t reader_uvarint64(struct reader *r);
// reader_varint and reader_varlong read zigzag-coded values (records).
int32_t reader_varint(struct reader *r);
int64_t reader_varlong(struct reader *r);

#endif
