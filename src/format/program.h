// SPDX-License-Identifier: Apache-2.0
// program.h - a schema compiled to a flat program that checks payloads where they lie: one pass, no
// allocation for a record, bounded depth. Immutable and shared between threads. Payloads come without the
// registry's framing. Pure.
#ifndef FORMAT_PROGRAM_H
#define FORMAT_PROGRAM_H

#include "format/format.h"

enum {
    PAYLOAD_DEPTH_MAX = 128,
    PROGRAM_BYTES_MAX = 64 << 20,
    FAULT_PATH_SIZE = 256,
    FAULT_TEXT_SIZE = 256,
};

struct program;

// program_create compiles. `root` is the Protobuf message's indexes (the wire format's: 0, then nested ones);
// NULL and 0 is the first message, and the only choice for other formats. ERR_NO_MEMORY: over
// PROGRAM_BYTES_MAX. ERR_INVALID_SCHEMA: no such message, or something that cannot be compiled, with its
// place.
enum err program_create(const struct schema *schema, const int32_t *root, size_t root_count,
                        struct program **ret, struct error *e);
struct program *program_ref(const struct program *program);
void program_unref(struct program *take_program); // NULL is a no-op
size_t program_memory(const struct program *program);

// Why a payload is refused. path: "$.items[2].price" in every format; text: what is there and what the schema
// asks.
struct program_fault {
    size_t position; // byte in the payload
    char path[FAULT_PATH_SIZE];
    char text[FAULT_TEXT_SIZE];
};

// program_check judges one payload. ERR_OK, or ERR_INVALID_RECORD with the first fault in *ret (may be NULL).
// ERR_NO_MEMORY: the budget of a regular expression or of uniqueItems ran out; such a payload is not accepted
// either.
enum err program_check(const struct program *program, struct bytes payload, struct program_fault *ret);

// ---- views: a checked payload by field, without decoding the rest

enum view_kind {
    VIEW_NONE, // there is nothing: no such field, or an optional one that is absent
    VIEW_NULL,
    VIEW_BOOL,
    VIEW_INT,    // number
    VIEW_UINT,   // number: Protobuf's unsigned ones
    VIEW_DOUBLE, // real
    VIEW_STRING, // raw: text; of JSON as written, escapes included if has_escape
    VIEW_BYTES,  // raw
    VIEW_ENUM,   // raw: the symbol's name; number
    VIEW_LIST,
    VIEW_MAP,
    VIEW_RECORD, // Avro record, Protobuf message, JSON object
};

// A place in a payload. By value; valid as long as payload and program.
struct view {
    enum view_kind kind;
    const struct program *program;
    uint32_t node;        // of the program
    struct bytes raw;     // of a scalar its value; of the others their encoding
    struct bytes payload; // the whole
    int64_t number;
    double real;
    bool has_escape;
};

// The payload has passed program_check. A union is seen as what is in it.
struct view view_root(const struct program *program, struct bytes payload);
// view_field finds a field of a record or a value of a map by name; VIEW_NONE if there is none.
struct view view_field(const struct view *record, struct str name);

// Items of a list, or entries of a map or record, in their order. A zeroed struct with `of` set is ready.
struct view_items {
    struct view of;
    size_t position;
    uint64_t left;
    uint32_t index;
    uint32_t state;
    char key_text[24]; // where a key that is no string is written (Protobuf's maps)
};
// view_next: false at the end. *ret_key is an entry's key, valid until the next call; NULL ptr for items.
bool view_next(struct view_items *items, struct str *ret_key, struct view *ret);

#endif
