// SPDX-License-Identifier: Apache-2.0
// cel_private.h - inside of cel/: how a value lies in its 16 bytes, and how functions, types and objects of
// libraries are brought in. A library is a table of functions: a file `lib_<name>.c` with one struct
// cel_library, named in the list of functions.c. Nothing here outlives a run, except what cel_library and
// cel_types point to.
#ifndef CEL_CEL_PRIVATE_H
#define CEL_CEL_PRIVATE_H

#include "cel/cel.h"

// ---- values
//
//   kind                 form            the rest
//   CEL_ERROR            -               ptr: text, len: its length (static, or of the run's arena)
//   CEL_NULL             -
//   CEL_BOOL             -               i: 0 or 1
//   CEL_INT, UINT        -               i, u
//   CEL_DOUBLE           -               d
//   CEL_STRING, BYTES    -               ptr, len; strings are valid UTF-8
//   CEL_TYPE             -               ptr, len: the type's name ("int", "google.protobuf.Timestamp")
//   CEL_TIMESTAMP        -               i: seconds since 1970, len: nanoseconds, 0 to 999999999
//   CEL_DURATION         -               i: seconds, rounded down; len: nanoseconds to add, 0 to 999999999
//   CEL_LIST             CEL_FORM_ITEMS  ptr: const struct cel_value[len]
//                        CEL_FORM_VIEW   ptr: const struct view (VIEW_LIST)
//   CEL_MAP              CEL_FORM_ITEMS  ptr: const struct cel_entry[len]
//                        CEL_FORM_VIEW   ptr: const struct view (VIEW_MAP, or a VIEW_RECORD of Avro and JSON)
//   CEL_MESSAGE          CEL_FORM_VIEW   ptr: const struct view (a VIEW_RECORD of Protobuf)
//                        CEL_FORM_OBJECT ptr: const struct cel_object
//   CEL_OPAQUE           CEL_FORM_OBJECT ptr: const struct cel_object
//
// A zeroed value is an error without text. Read lists and maps with cel_list_*, cel_map_* below, which know
// every form.
enum cel_form { CEL_FORM_DIRECT, CEL_FORM_ITEMS, CEL_FORM_VIEW, CEL_FORM_OBJECT };

struct cel_entry {
    struct cel_value key;
    struct cel_value value;
};

enum { CEL_NANOS_PER_SECOND = 1000000000 };
#define CEL_TIMESTAMP_MIN (-62135596800LL) // 0001-01-01T00:00:00Z
#define CEL_TIMESTAMP_MAX 253402300799LL   // 9999-12-31T23:59:59.999999999Z
#define CEL_DURATION_MAX                                                                                     \
    9223372036LL // seconds, either way: what 64 bits of nanoseconds hold, as in Go and Java

static inline struct cel_value cel_text_value(enum cel_kind kind, const void *ptr, size_t len)
{
    return (struct cel_value){.kind = (uint8_t)kind, .len = (uint32_t)len, .ptr = ptr};
}
static inline struct str cel_str(struct cel_value value) // of a string, a type or an error
{
    return (struct str){value.ptr, value.len};
}
static inline struct bytes cel_bytes_of(struct cel_value value)
{
    return (struct bytes){value.ptr, value.len};
}
struct cel_value cel_type(struct str name); // borrowed
struct cel_value cel_duration(int64_t seconds, uint32_t nanos);

// ---- what a run hands to functions

// Owner: cel_eval, for one run.
struct cel_call {
    struct arena *arena;
    uint64_t steps;       // left
    bool is_over;         // steps or memory ran out: the run ends with ERR_NO_MEMORY, whatever is returned
    const void *prepared; // what `prepare` made of the constant argument; NULL: there is none
    size_t count;         // of arguments
    const struct cel_program *program;
    const struct cel_types *types; // the program's; may be NULL
};

// cel_pay takes steps for work that is not constant: about one per 32 bytes, or one per item. false: the run
// is over; return cel_over(). A function that loops pays before it does the work.
bool cel_pay(struct cel_call *call, uint64_t steps);
struct cel_value cel_over(struct cel_call *call);
// cel_alloc returns zeroed memory of the run's arena, or NULL (the run is over then).
void *cel_alloc(struct cel_call *call, size_t count, size_t size);
#define cel_new(call, type, count) ((type *)cel_alloc((call), (count), sizeof(type)))
// cel_fail makes an error value. Its text never contains payload values, only types and names of the
// expression.
struct cel_value cel_fail(struct cel_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct cel_value cel_fail_static(const char *text); // for texts that need nothing
// cel_copy_string puts text into the arena.
struct cel_value cel_copy_string(struct cel_call *call, struct str text);

// ---- lists and maps, whatever their form

bool cel_list_size(struct cel_call *call, struct cel_value list, size_t *ret); // false: over
struct cel_value cel_list_at(struct cel_call *call, struct cel_value list,
                             size_t index); // an error if outside

// Items of a list, or entries of a map. cel_walk_next pays a step each; false at the end, or when the run is
// over.
struct cel_walk {
    struct cel_value of;
    size_t index;
    struct view_items items;
    struct view *place; // of the view of an item, until the next one; NULL: in the arena, for the run
};
struct cel_walk cel_walk(struct cel_value list_or_map);
bool cel_walk_next(struct cel_call *call, struct cel_walk *walk, struct cel_value *ret_key,
                   struct cel_value *ret_value);

bool cel_map_size(struct cel_call *call, struct cel_value map, size_t *ret);
// cel_map_find: false: no such key (int, uint and double keys that are equal numbers are the same key).
bool cel_map_find(struct cel_call *call, struct cel_value map, struct cel_value key, struct cel_value *ret);
struct cel_value cel_map(const struct cel_entry *entries, size_t count); // borrowed; keys differ

// cel_equal is CEL's ==: true, false, or an error.
struct cel_value cel_equal(struct cel_call *call, struct cel_value a, struct cel_value b);
// cel_is_equal: false also for what cannot be compared.
bool cel_is_equal(struct cel_call *call, struct cel_value a, struct cel_value b);
// cel_compare orders numbers (across kinds), strings, bytes, bools, timestamps, durations. false: they have
// no order.
bool cel_compare(struct cel_value a, struct cel_value b, int *ret);
struct cel_value cel_type_of(struct cel_call *call, struct cel_value value);
// cel_from_view reads a view of a payload as a value.
struct cel_value cel_from_view(struct cel_call *call, const struct view *view);

// cel_to_string is what string(x) does.
struct cel_value cel_to_string(struct cel_call *call, struct cel_value value);

// ---- functions

// A signature is argument types, a colon and the result's type. A member's first argument is what stands
// before the dot.
//
//   b bool   i int   u uint   d double   s string   y bytes   n null   t timestamp   r duration   k type   *
//   any (dyn) [X list of X    {XY map from X to Y    %X optional X    wX wrapper: X or null    A B C type
//   parameters #name; an opaque type    @name; a message
//   + behind the last argument: one or more of it
//
// "[As:b" for contains-like; "{AB:i" for size of a map; "#decimal;#decimal;:b".
struct cel_function {
    const char *name; // "size", "charAt", or with its name space "math.greatest"
    const char *signature;
    // Arguments are of the signature's kinds, and no errors. NULL: it can be type-checked, not run.
    struct cel_value (*call)(struct cel_call *call, const struct cel_value *args);
    bool is_member;
    // Compiles an argument that is a literal, once: into what it likes, freed by `release`. May be NULL. *ret
    // stays NULL: the call does it each time. ERR_INVALID_REQUEST: the literal is refused, with the reason.
    enum err (*prepare)(const struct cel_program *program, struct cel_value literal, void **ret,
                        struct error *e);
    void (*release)(void *take_prepared);
    uint8_t prepare_index; // of the argument
};
// Several rows of one name are overloads: chosen by the static types, and where those say too little by the
// kinds of the arguments, the first row that fits.

struct cel_library {
    const struct cel_function *functions;
    size_t function_count;
    // Names with a constant value, as "math.PI"; may be NULL.
    const struct cel_constant *constants;
    size_t constant_count;
};
struct cel_constant {
    const char *name;
    const char *type; // as in signatures
    struct cel_value value;
};
// cel_libraries: all that every expression may use; the list is in functions.c.
extern const struct cel_library *const cel_libraries[];
extern const size_t cel_library_count;

// ---- objects: messages that were built, and opaque values

struct cel_object {
    const struct cel_object_ops *ops; // its own data follows
};
struct cel_object_ops {
    const char *type_name; // "decimal", "optional_type"; of messages NULL: type_of tells
    struct str (*type_of)(const struct cel_object *object);
    // Both are of the same ops; may be NULL: equal if they are the same object.
    struct cel_value (*equal)(struct cel_call *call, const struct cel_object *a, const struct cel_object *b);
    // Messages: a field's value (its default if unset), or an error; whether it is set. May be NULL for
    // opaque values.
    struct cel_value (*field)(struct cel_call *call, const struct cel_object *object, struct str name);
    struct cel_value (*has)(struct cel_call *call, const struct cel_object *object, struct str name);
    bool (*compare)(const struct cel_object *a, const struct cel_object *b,
                    int *ret);                        // for < and its like; may be NULL
    bool (*is_zero)(const struct cel_object *object); // for optional.ofNonZeroValue; may be NULL
    void (*print)(const struct cel_object *object, struct buf *out);
};
static inline const struct cel_object *cel_object_of(struct cel_value value)
{
    return value.ptr;
}
static inline struct cel_value cel_object_value(enum cel_kind kind, const struct cel_object *object)
{
    return (struct cel_value){.kind = (uint8_t)kind, .form = CEL_FORM_OBJECT, .ptr = object};
}

// cel_optional makes optional.of(*value), or optional.none() of NULL. cel_optional_value: false of none.
struct cel_value cel_optional(struct cel_call *call, const struct cel_value *value);
bool cel_is_optional(struct cel_value value);
bool cel_optional_value(struct cel_value optional, struct cel_value *ret);

// ---- types of others: messages that an expression may name and construct

// Answers names that are already qualified ("cel.expr.conformance.proto3.TestAllTypes"). Outlives the
// programs compiled with it.
struct cel_types {
    const void *context;
    // The name of a message type: has a type value and can be constructed.
    bool (*is_message)(const void *context, struct str name);
    // A value of an enum by its full name: an int constant (or what `value` is). false: none.
    bool (*constant)(const void *context, struct str name, struct cel_value *ret);
    // The type of a field, as in signatures. false: the message has no such field.
    bool (*field)(const void *context, struct str message, struct str name, const char **ret_signature);
    // `message{name: value, ...}`; an error value if a value does not fit.
    struct cel_value (*construct)(const void *context, struct cel_call *call, struct str message,
                                  const struct str *names, const struct cel_value *values, size_t count);
};

// ---- for tests: the static type of the result, as "list(int)"

void cel_program_type_print(const struct cel_program *program, struct buf *out);

#endif
