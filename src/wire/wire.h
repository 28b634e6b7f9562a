// SPDX-License-Identifier: Apache-2.0
// wire.h - Kafka protocol messages as data: const tables made from spec/*.api, and one walker that decodes,
// encodes and prints every version of every message in both directions (the command line is a client too).
// The C structs are in the generated "wire/messages.h": struct <api>_<request|response> and their parts, each
// with a descriptor <struct>_type. Pure: no globals that change, no I/O. Lengths and counts from the peer are
// checked against the bytes that are left before anything is allocated.
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"

enum {
    WIRE_VERSION_NEVER = INT16_MAX, // flexible_since of an API that never is
    WIRE_STRING_SIZE_MAX = INT16_MAX,
};

// A records field: opaque here, src/record knows the layout. A NULL bytes.ptr is Kafka's null.
// For encoding, external_size > 0 says that so many bytes follow `bytes` from elsewhere: the walker writes
// the length of both, then `bytes`, and notes the place in a struct wire_cuts. Decoding never sets external.
struct wire_records {
    struct bytes bytes;
    uint32_t external_size;
    void *external; // whatever the caller splices from; not looked at
};

// Where external bytes belong: before out->ptr[position]. In ascending order of position.
struct wire_cut {
    size_t position;
    void *external;
    uint32_t size;
};
struct wire_cuts {
    struct wire_cut *items;
    uint32_t count;
    uint32_t cap;
};
// A zeroed wire_cuts is empty. wire_cuts_size is the sum of all external bytes; reset keeps the memory.
void wire_cuts_fini(struct wire_cuts *cuts);
void wire_cuts_reset(struct wire_cuts *cuts);
size_t wire_cuts_size(const struct wire_cuts *cuts);

// The layout of one C struct; opaque outside.
struct wire_struct;

struct wire_api {
    int16_t key; // enum api_key
    const char *name;
    int16_t version_min;    // as ApiVersions advertises them
    int16_t version_max;    // inclusive
    int16_t flexible_since; // KIP-482; WIRE_VERSION_NEVER if never
    int16_t decode_min;     // versions below are advertised but refused (Produce 0-2)
    const struct wire_struct *request;
    const struct wire_struct *response;
};

// wire_api_find returns NULL for a key that we do not speak.
const struct wire_api *wire_api_find(int16_t key);
// wire_api_at iterates in key order; index < wire_api_count().
size_t wire_api_count(void);
const struct wire_api *wire_api_at(size_t index);
// wire_can_decode says whether this version has a table: decode_min..version_max.
bool wire_can_decode(const struct wire_api *api, int16_t version);
bool wire_is_flexible(const struct wire_api *api, int16_t version);
// The header of an ApiVersions response is always v0, so that a client can read an answer to a version that
// the broker does not know (KIP-511).
bool wire_response_header_is_flexible(const struct wire_api *api, int16_t version);

// wire_new returns `count` structs at Kafka's defaults (which are not all zero: -1 for most ids and epochs),
// or NULL past the arena's cap. Build messages from it: a zeroed struct would say "leader epoch 0", and in
// tagged fields send what Kafka leaves out.
void *wire_new(struct arena *arena, const struct wire_struct *type, size_t count);
// wire_array is wire_new with its type: wire_array(arena, fetch_response_topic, n).
#define wire_array(arena, name, count) ((struct name *)wire_new((arena), &name##_type, (count)))
// wire_init sets one struct that the caller owns to Kafka's defaults.
void wire_init(const struct wire_struct *type, void *ret_message);
size_t wire_struct_size(const struct wire_struct *type);

// wire_throttle_set writes throttle_time_ms, if the message has that field in this version.
void wire_throttle_set(const struct wire_struct *type, int16_t version, void *message, int32_t throttle_ms);

// wire_decode reads one message. Strings, bytes and records point into the reader's input; arrays and
// nullable structs live in the arena. Fields that this version lacks get their defaults. Unknown tagged
// fields are skipped. Bytes after the message stay in the reader: see reader_left. ERR_MALFORMED: truncated,
// null where null is not allowed, a length or count that cannot be. ERR_NO_MEMORY: past the arena's cap.
// Either way *ret_message holds nothing of use.
enum err wire_decode(const struct wire_struct *type, int16_t version, bool is_flexible, struct reader *r,
                     struct arena *arena, void *ret_message, struct error *e);

// wire_encode appends one message. Fields that this version lacks are left out without complaint. A NULL
// string or a count of -1 in a field that cannot be null in this version is sent as empty. Tagged fields are
// sent if they differ from their default. Kafka error codes come from ERROR_TABLE, -1 for a value outside it.
// cuts may be NULL if no records are external.
// ERR_MALFORMED: a string over 32767 bytes or another length that its prefix cannot hold.
// ERR_NO_MEMORY: past the limit of out. Either way out and cuts hold part of the message.
enum err wire_encode(const struct wire_struct *type, int16_t version, bool is_flexible, const void *message,
                     struct buf *out, struct wire_cuts *cuts, struct error *e);

// wire_encode_watched is wire_encode that tells of every error code it writes, as Kafka numbers it; watch may
// be NULL.
struct wire_watch {
    void (*error)(void *arg, int16_t kafka_code);
    void *arg;
};
enum err wire_encode_watched(const struct wire_struct *type, int16_t version, bool is_flexible,
                             const void *message, struct buf *out, struct wire_cuts *cuts,
                             const struct wire_watch *watch, struct error *e);

// wire_print appends the message as one line of JSON for traces and tests: the fields of this version, errors
// by name, long bytes and records as size and CRC-32C. Fields marked secret in the spec are never printed.
void wire_print(const struct wire_struct *type, int16_t version, const void *message, struct buf *out);

// Headers. They are not generated: client_id keeps its int16 length even in the flexible version.
struct wire_request_header {
    int16_t api_key;
    int16_t api_version;
    int32_t correlation_id;
    struct str client_id; // may be null; points into the input
};
// wire_request_header_decode reads header v1 or v2, whichever the key and version call for. Of a key that we
// do not speak it reads v1, and the caller finds out from wire_api_find. ERR_MALFORMED: truncated.
enum err wire_request_header_decode(struct reader *r, struct wire_request_header *ret);
void wire_request_header_encode(const struct wire_request_header *header, struct buf *out);
enum err wire_response_header_decode(const struct wire_api *api, int16_t version, struct reader *r,
                                     int32_t *ret_correlation_id);
void wire_response_header_encode(const struct wire_api *api, int16_t version, int32_t correlation_id,
                                 struct buf *out);

#endif
