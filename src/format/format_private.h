// SPDX-License-Identifier: Apache-2.0
// format_private.h - what a format brings. Each lives in a folder of its own and exports one struct
// format_ops.
#ifndef FORMAT_FORMAT_PRIVATE_H
#define FORMAT_FORMAT_PRIVATE_H

#include <stdatomic.h>

#include "format/program.h"
#include "format/site.h"

// The first member of each format's own struct. ops_create fills everything but the references.
struct schema {
    const struct format_ops *ops;
    atomic_uint ref_count;
    struct schema **references; // held
    struct str *reference_names;
    size_t reference_count;
    struct arena arena; // all that the schema is made of, this struct excepted
};

// The static paths of a program as a tree: 0 is the root, a parent comes before its children.
struct slot {
    struct str name; // of the field in its parent
    uint32_t parent;
    uint32_t first; // child; 0: none
    uint32_t next;  // of the same parent; 0: none
    uint32_t view;  // index of the path that ends here, or SLOT_INNER
};
enum { SLOTS_MAX = PROGRAM_PATHS_MAX * 4 + 1, SLOT_INNER = UINT16_MAX };
struct slots {
    uint32_t count;
    uint32_t path_count;
    struct slot *slots;
    uint32_t *paths; // per path the slot where it ends
    struct arena arena;
};
// slots_walk fills the views of all paths below a slot whose value is known, by view_field.
void slots_walk(const struct slots *slots, uint32_t index, const struct view *value, struct view *views);
// slots_none says that nothing is there, nor below.
void slots_none(const struct slots *slots, uint32_t index, struct view *views);

struct program {
    const struct format_ops *ops;
    atomic_uint ref_count;
    struct schema *schema; // held
    struct slots *slots;   // NULL: no paths
};

struct site_ops {
    struct site (*root)(const struct program *program);
    enum site_kind (*kind)(const struct site *site);
    struct site_notes (*notes)(const struct site *site, struct arena *arena);
    bool (*next_field)(struct site_fields *fields, struct arena *arena, struct site_field *ret);
    struct site (*item)(const struct site *site);
    bool (*branch)(const struct site *combined, uint32_t index, struct site *ret, enum site_choice *choice);
    bool (*fits)(const struct site *branch, const struct view *view);
    // NULL: no branch needs one, and nothing is looser.
    enum err (*program)(const struct site *branch, struct site_loose loose, struct program **ret,
                        struct error *e);
    enum err (*loose)(const struct schema *schema, struct site_loose loose, struct program **ret,
                      struct error *e);
    bool (*is_of)(const struct site *site, const struct schema *schema, bool *ret_is_root);
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
    // The result's first members are set by the caller. `slots` lives as long as the program; may be NULL.
    enum err (*compile)(const struct schema *schema, const int32_t *root, size_t root_count,
                        const struct slots *slots, struct program **ret, struct error *e);
    void (*program_destroy)(struct program *program);
    size_t (*program_memory)(const struct program *program);
    // views: NULL, or to be filled if the program has slots; paths that end at one slot share its view.
    // ret->steps: only formats whose work is not linear in the payload take from it.
    enum err (*check)(const struct program *program, struct bytes payload, struct view *views,
                      struct program_fault *ret);
    struct view (*view_root)(const struct program *program, struct bytes payload);
    struct view (*view_field)(const struct view *record, struct str name);
    bool (*view_next)(struct view_items *items, struct str *ret_key, struct view *ret);
    struct value_type (*type_root)(const struct program *program);
    struct value_type (*view_type)(const struct view *view); // NULL: views do not know
    // Of all these the type has a program.
    bool (*type_field)(const struct value_type *type, struct str name, struct value_type *ret);
    bool (*type_is_open)(const struct value_type *type);
    bool (*type_field_name)(const struct value_type *type, uint32_t index, struct str *ret);
    struct value_type (*type_item)(const struct value_type *type);
    struct value_type (*type_key)(const struct value_type *type);
    bool (*type_branch)(const struct value_type *type, uint32_t index, struct value_type *ret);
    struct str (*type_name)(const struct value_type *type);
    struct str (*type_logical)(const struct value_type *type);
    bool (*type_symbol)(const struct value_type *type, uint32_t index, struct str *ret_name,
                        int64_t *ret_number);
    const struct site_ops *sites;
};

// site_notes_of_json reads the values of `confluent:tags` and `confluent:rules` (NULL: not there).
struct json_value;
struct site_notes site_notes_of_json(const struct json_value *tags, const struct json_value *rules,
                                     struct arena *arena);

// program_adopt sets a new program's first members.
void program_adopt(struct program *program, const struct schema *schema);

extern const struct format_ops avro_ops;
extern const struct format_ops json_schema_ops;
extern const struct format_ops protobuf_ops;

#endif
