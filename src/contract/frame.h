// SPDX-License-Identifier: Apache-2.0
// frame.h - which schema a key or value says that it was written with: the Schema Registry's wire formats.
// Pure, no allocation.
#ifndef CONTRACT_FRAME_H
#define CONTRACT_FRAME_H

#include "record/iterate.h"

enum {
    FRAME_PREFIX_ID_SIZE = 5,    // 00 | id
    FRAME_PREFIX_GUID_SIZE = 17, // 01 | guid
    FRAME_INDEXES_MAX = 64,      // of nested Protobuf messages
};

#define FRAME_HEADER_KEY   "__key_schema_id"
#define FRAME_HEADER_VALUE "__value_schema_id"

enum frame_name_kind { FRAME_NAME_NONE, FRAME_NAME_ID, FRAME_NAME_GUID };

// What a schema is called there.
struct frame_name {
    enum frame_name_kind kind;
    int32_t id;
    struct uuid guid;
};

// What was found. `header` and `prefix` may both be there. A header stands for itself: the value is a bare
// payload. Bytes that look like a prefix may then be the payload's own; so whoever knows the schemas decides:
//   header alone, or a prefix that names no schema  the payload is `whole`, by the header's schema
//   both, and they name the same schema             the payload is `behind`
//   both, and they name different schemas           a contradiction if `behind` fits the prefix's schema
//   prefix alone                                    the payload is `behind`
//   neither                                         raw: `whole`, by the schema that is bound
struct frame {
    bool is_null; // a null value: a tombstone, of no schema
    struct frame_name header;
    struct frame_name prefix;
    struct bytes whole;          // the value
    struct bytes behind;         // the prefix
    struct bytes header_indexes; // Protobuf's message indexes as they stand in the header; may be empty
};

// frame_read looks at the record's headers and at its key or value. ERR_INVALID_RECORD: a header that is
// malformed or there twice with different contents; e says so without a byte of it.
enum err frame_read(const struct record *record, bool is_key, struct frame *ret, struct error *e);
// frame_read_value is frame_read where the last header of that name is known; NULL ptr = none.
enum err frame_read_value(struct bytes value, struct bytes header, struct frame *ret, struct error *e);

// frame_indexes_read takes the message indexes off the front of *payload: a zigzag count, then zigzag
// indexes; a single 0 byte is the first message. ERR_INVALID_RECORD: malformed, or more than
// FRAME_INDEXES_MAX.
enum err frame_indexes_read(struct bytes *payload, int32_t ret_indexes[FRAME_INDEXES_MAX], size_t *ret_count,
                            struct error *e);

#endif
