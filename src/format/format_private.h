// SPDX-License-Identifier: Apache-2.0
// format_private.h - what a format brings. Each lives in a folder of its own and exports one struct
// format_ops.
#ifndef FORMAT_FORMAT_PRIVATE_H
#define FORMAT_FORMAT_PRIVATE_H

#include <stdatomic.h>

#include "format/program.h"

// The first member of each format's own struct. ops_create fills everything but the references.
struct schema {
    const struct format_ops *ops;
    atomic_uint ref_count;
    struct schema **references; // held
    struct str *reference_names;
    size_t reference_count;
    struct arena arena; // all that the schema is made of, this struct excepted
};

struct program {
    const struct format_ops *ops;
    atomic_uint ref_count;
    struct schema *schema; // held
};

struct format_ops {
    enum format format;
    size_t schema_size; // of the format's struct, which begins with struct schema
    // Fills a zeroed schema whose first members are set, references included. On failure it is destroyed by
    // the caller.
    enum err (*parse)(struct schema *schema, const struct schema_source *source, struct error *e);
    void (*fini)(struct schema *schema); // what is not in the arena; may be NULL
    struct str (*name)(const struct schema *schema);
    enum err (*print)(const struct schema *schema, enum schema_form form, struct buf *out, struct error *e);
    enum err (*compare)(const struct schema *reader, const struct schema *writer, enum compat_policy policy,
                        struct compat_report *report, struct error *e);
    // The result's first members are set by the caller.
    enum err (*compile)(const struct schema *schema, const int32_t *root, size_t root_count,
                        struct program **ret, struct error *e);
    void (*program_destroy)(struct program *program);
    size_t (*program_memory)(const struct program *program);
    enum err (*check)(const struct program *program, struct bytes payload, struct program_fault *ret);
    struct view (*view_root)(const struct program *program, struct bytes payload);
    struct view (*view_field)(const struct view *record, struct str name);
    bool (*view_next)(struct view_items *items, struct str *ret_key, struct view *ret);
};

extern const struct format_ops avro_ops;
extern const struct format_ops json_schema_ops;
extern const struct format_ops protobuf_ops;

#endif
