// SPDX-License-Identifier: Apache-2.0
// message_types.c - the messages, enums and extensions of Protobuf schemas as types of expressions: looked up
// by name, and constructed.
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cel/message_private.h"

struct known_field {
    struct str name;
    const char *signature;
};

struct known_message {
    struct str name;
    const struct message_type *type;
    const struct schema *schema;
    struct known_field *fields; // sorted by name
    size_t field_count;
    _Atomic(struct program *) program; // made when an Any of this type is first met
};

struct known_extension {
    struct message_field field;
    const struct schema *schema;
    const char *signature;
    _Atomic(struct program *) program;
};

struct message_types {
    struct cel_types base;
    struct arena arena;
    struct schema **schemas; // held
    size_t schema_count;
    struct known_message *messages; // sorted by name
    size_t message_count;
    struct known_extension *extensions;
    size_t extension_count;
};

// ---- signatures

static struct str scalar_signature(enum message_scalar scalar)
{
    switch (scalar) {
    case MESSAGE_DOUBLE:
    case MESSAGE_FLOAT:
        return STR("d");
    case MESSAGE_UINT32:
    case MESSAGE_UINT64:
    case MESSAGE_FIXED32:
    case MESSAGE_FIXED64:
        return STR("u");
    case MESSAGE_BOOL:
        return STR("b");
    case MESSAGE_STRING:
        return STR("s");
    case MESSAGE_BYTES:
        return STR("y");
    default:
        return STR("i"); // enums as well
    }
}

static struct str message_signature(struct arena *arena, const struct message_type *type)
{
    static const char *const signatures[WELL_KNOWN_COUNT] = {
        [WELL_KNOWN_ANY] = "*",      [WELL_KNOWN_TIMESTAMP] = "t", [WELL_KNOWN_DURATION] = "r",
        [WELL_KNOWN_STRUCT] = "{s*", [WELL_KNOWN_VALUE] = "*",     [WELL_KNOWN_LIST_VALUE] = "[*",
        [WELL_KNOWN_BOOL] = "wb",    [WELL_KNOWN_INT32] = "wi",    [WELL_KNOWN_INT64] = "wi",
        [WELL_KNOWN_UINT32] = "wu",  [WELL_KNOWN_UINT64] = "wu",   [WELL_KNOWN_FLOAT] = "wd",
        [WELL_KNOWN_DOUBLE] = "wd",  [WELL_KNOWN_STRING] = "ws",   [WELL_KNOWN_BYTES] = "wy",
    };
    if (type == NULL) {
        return STR("*");
    }
    enum well_known kind = well_known_find(message_name(type));
    if (kind != WELL_KNOWN_NONE) {
        return str_from_c(signatures[kind]);
    }
    return arena_printf(arena, "@" STR_FMT ";", STR_ARG(message_name(type)));
}

static const char *field_signature(struct arena *arena, const struct message_field *field)
{
    struct str value = field->scalar == MESSAGE_MESSAGE ? message_signature(arena, field->of)
                                                        : scalar_signature(field->scalar);
    if (field->is_map) {
        return arena_printf(arena, "{" STR_FMT STR_FMT, STR_ARG(scalar_signature(field->key)), STR_ARG(value))
            .ptr;
    }
    return arena_printf(arena, "%s" STR_FMT, field->is_repeated ? "[" : "", STR_ARG(value)).ptr;
}

// ---- creation

static int compare_messages(const void *a, const void *b)
{
    return str_compare(((const struct known_message *)a)->name, ((const struct known_message *)b)->name);
}

static int compare_fields(const void *a, const void *b)
{
    return str_compare(((const struct known_field *)a)->name, ((const struct known_field *)b)->name);
}

static const struct known_message *find_message(const struct message_types *types, struct str name)
{
    struct known_message wanted = {.name = name};
    return types->message_count == 0 ? NULL
                                     : bsearch(&wanted, types->messages, types->message_count,
                                               sizeof *types->messages, compare_messages);
}

static struct known_extension *find_extension(const struct message_types *types, struct str name)
{
    for (size_t i = 0; i < types->extension_count; i++) {
        if (str_equal(types->extensions[i].field.name, name)) {
            return &types->extensions[i];
        }
    }
    return NULL;
}

static void add_fields(struct message_types *types, struct known_message *message)
{
    struct message_field field;
    size_t count = 0;
    while (message_field_at(message->type, count, &field)) {
        count++;
    }
    message->fields = arena_new(&types->arena, struct known_field, count + 1);
    for (size_t i = 0; message->fields != NULL && i < count && message_field_at(message->type, i, &field);
         i++) {
        message->fields[i] = (struct known_field){field.name, field_signature(&types->arena, &field)};
        message->field_count++;
    }
    if (message->field_count > 0) {
        qsort(message->fields, message->field_count, sizeof *message->fields, compare_fields);
    }
}

// Messages of all schemas, each once: schemas that import the same file have it in common.
static void add_messages(struct message_types *types, size_t most)
{
    types->messages = arena_new(&types->arena, struct known_message, most + 1);
    for (size_t i = 0; i < types->schema_count && types->messages != NULL; i++) {
        for (size_t k = 0; k < message_symbol_count(types->schemas[i]); k++) {
            const struct message_type *type = message_at(types->schemas[i], k);
            if (type != NULL) {
                types->messages[types->message_count++] =
                    (struct known_message){message_name(type), type, types->schemas[i], NULL, 0, NULL};
            }
        }
    }
    if (types->message_count == 0) {
        return;
    }
    qsort(types->messages, types->message_count, sizeof *types->messages, compare_messages);
    size_t count = 1;
    for (size_t i = 1; i < types->message_count; i++) {
        if (!str_equal(types->messages[i].name, types->messages[count - 1].name)) {
            types->messages[count++] = types->messages[i];
        }
    }
    types->message_count = count;
    for (size_t i = 0; i < count; i++) {
        add_fields(types, &types->messages[i]);
    }
}

static void add_extensions(struct message_types *types, size_t most)
{
    types->extensions = arena_new(&types->arena, struct known_extension, most + 1);
    for (size_t i = 0; i < types->schema_count && types->extensions != NULL; i++) {
        for (size_t k = 0; k < message_symbol_count(types->schemas[i]); k++) {
            struct known_extension *next = &types->extensions[types->extension_count];
            if (message_extension_at(types->schemas[i], k, &next->field) &&
                find_extension(types, next->field.name) == NULL) {
                next->schema = types->schemas[i];
                next->signature = field_signature(&types->arena, &next->field);
                types->extension_count++;
            }
        }
    }
}

static const struct message_types *types_of(const void *context)
{
    return context;
}

// ---- what cel_types asks

static bool is_message(const void *context, struct str name)
{
    return find_message(types_of(context), name) != NULL;
}

static bool constant(const void *context, struct str name, struct cel_value *ret)
{
    const struct message_types *types = context;
    int64_t number = 0;
    for (size_t i = 0; i < types->schema_count; i++) {
        if (message_enum_value(types->schemas[i], name, &number)) {
            *ret = cel_int(number);
            return true;
        }
    }
    return false;
}

static bool field_type(const void *context, struct str message, struct str name, const char **ret_signature)
{
    const struct known_message *known = find_message(types_of(context), message);
    if (known == NULL) {
        return false;
    }
    const struct known_extension *extension = find_extension(types_of(context), name);
    if (extension != NULL && extension->field.in != NULL &&
        str_equal(message_name(extension->field.in), message)) {
        *ret_signature = extension->signature;
        return true;
    }
    struct known_field wanted = {.name = name};
    const struct known_field *found =
        known->field_count == 0
            ? NULL
            : bsearch(&wanted, known->fields, known->field_count, sizeof *known->fields, compare_fields);
    if (found != NULL) {
        *ret_signature = found->signature;
    }
    return found != NULL;
}

// ---- programs, made when they are first needed; two threads may make one at once, and one of both stays

static const struct program *keep(_Atomic(struct program *) *place, struct program *made)
{
    struct program *there = NULL;
    if (!atomic_compare_exchange_strong(place, &there, made)) {
        program_unref(made);
        return there;
    }
    return made;
}

static const struct program *program_of_message(const struct known_message *known)
{
    struct known_message *place = (struct known_message *)(uintptr_t)known; // only the program is set
    struct program *program = atomic_load(&place->program);
    struct error e;
    if (program != NULL) {
        return program;
    }
    if (message_program(known->schema, known->type, &program, &e) != ERR_OK) {
        return NULL;
    }
    return keep(&place->program, program);
}

static const struct program *program_of_extension(struct known_extension *known)
{
    struct program *program = atomic_load(&known->program);
    struct error e;
    if (program != NULL) {
        return program;
    }
    if (message_extension_program(known->schema, &known->field, &program, &e) != ERR_OK) {
        return NULL;
    }
    return keep(&known->program, program);
}

static const struct message_types *types_of_call(const struct cel_call *call);

struct cel_value cel_unpack_any(struct cel_call *call, struct str type_url, struct bytes value)
{
    const struct message_types *types = types_of_call(call);
    const char *slash = type_url.len == 0 ? NULL : memrchr(type_url.ptr, '/', type_url.len);
    if (types == NULL || slash == NULL) {
        return cel_fail_static("an Any of a type that is not known");
    }
    struct str name = {slash + 1, (size_t)(type_url.ptr + type_url.len - slash) - 1};
    const struct known_message *known = find_message(types, name);
    const struct program *program = known == NULL ? NULL : program_of_message(known);
    if (program == NULL) {
        return cel_fail_static("an Any of a type that is not known");
    }
    if (!cel_pay(call, value.len / 8 + 1)) {
        return cel_over(call);
    }
    if (program_check(program, value, NULL) != ERR_OK) {
        return cel_fail_static("an Any whose bytes are not of its type");
    }
    struct view view = view_root(program, value);
    return cel_message_of_view(call, &view);
}

bool cel_find_extension(struct cel_call *call, struct cel_value message, struct str name,
                        struct message_field *ret_field, struct view *ret)
{
    const struct message_types *types = types_of_call(call);
    struct known_extension *known = types == NULL ? NULL : find_extension(types, name);
    *ret = (struct view){.kind = VIEW_NONE};
    if (known == NULL || known->field.in == NULL ||
        !str_equal(message_name(known->field.in), cel_message_name(message))) {
        return false;
    }
    *ret_field = known->field;
    if (message.form != CEL_FORM_VIEW) {
        return true; // expressions cannot set extensions
    }
    const struct view *record = message.ptr;
    const struct program *program = program_of_extension(known);
    if (program == NULL || !cel_pay(call, record->raw.len / 8 + 1)) {
        return false;
    }
    if (program_check(program, record->raw, NULL) == ERR_OK) {
        struct view root = view_root(program, record->raw);
        *ret = view_field(&root, name);
    }
    return true;
}

// ---- construction

static const char does_not_fit[] = "the value does not fit the field";

static bool convert_integer(enum message_scalar scalar, struct cel_value value)
{
    switch (scalar) {
    case MESSAGE_INT32:
    case MESSAGE_SINT32:
    case MESSAGE_SFIXED32:
    case MESSAGE_ENUM:
        return value.kind == CEL_INT && value.i >= INT32_MIN && value.i <= INT32_MAX;
    case MESSAGE_UINT32:
    case MESSAGE_FIXED32:
        return value.kind == CEL_UINT && value.u <= UINT32_MAX;
    case MESSAGE_UINT64:
    case MESSAGE_FIXED64:
        return value.kind == CEL_UINT;
    default:
        return value.kind == CEL_INT;
    }
}

static struct cel_value convert_scalar(enum message_scalar scalar, struct cel_value value)
{
    bool fits = false;
    switch (scalar) {
    case MESSAGE_FLOAT:
        return value.kind == CEL_DOUBLE ? cel_double((double)(float)value.d) : cel_fail_static(does_not_fit);
    case MESSAGE_DOUBLE:
        fits = value.kind == CEL_DOUBLE;
        break;
    case MESSAGE_BOOL:
        fits = value.kind == CEL_BOOL;
        break;
    case MESSAGE_STRING:
        fits = value.kind == CEL_STRING;
        break;
    case MESSAGE_BYTES:
        fits = value.kind == CEL_BYTES;
        break;
    default:
        fits = convert_integer(scalar, value);
        break;
    }
    return fits ? value : cel_fail_static(does_not_fit);
}

static enum message_scalar wrapped_scalar(enum well_known kind)
{
    static const enum message_scalar scalars[WELL_KNOWN_COUNT] = {
        [WELL_KNOWN_BOOL] = MESSAGE_BOOL,     [WELL_KNOWN_INT32] = MESSAGE_INT32,
        [WELL_KNOWN_INT64] = MESSAGE_INT64,   [WELL_KNOWN_UINT32] = MESSAGE_UINT32,
        [WELL_KNOWN_UINT64] = MESSAGE_UINT64, [WELL_KNOWN_FLOAT] = MESSAGE_FLOAT,
        [WELL_KNOWN_DOUBLE] = MESSAGE_DOUBLE, [WELL_KNOWN_STRING] = MESSAGE_STRING,
        [WELL_KNOWN_BYTES] = MESSAGE_BYTES,
    };
    return scalars[kind];
}

static struct cel_value convert_message(struct cel_call *call, const struct message_type *type,
                                        struct cel_value value)
{
    if (type == NULL) {
        return cel_fail_static("nothing defines the field's type");
    }
    enum well_known kind = well_known_find(message_name(type));
    bool fits = false;
    switch (kind) {
    case WELL_KNOWN_ANY:
        return value;
    case WELL_KNOWN_VALUE:
        return cel_to_json(call, value);
    case WELL_KNOWN_STRUCT:
        return value.kind == CEL_MAP ? cel_to_json(call, value) : cel_fail_static(does_not_fit);
    case WELL_KNOWN_LIST_VALUE:
        return value.kind == CEL_LIST ? cel_to_json(call, value) : cel_fail_static(does_not_fit);
    case WELL_KNOWN_TIMESTAMP:
        fits = value.kind == CEL_TIMESTAMP;
        break;
    case WELL_KNOWN_DURATION:
        fits = value.kind == CEL_DURATION;
        break;
    case WELL_KNOWN_NONE:
        fits = value.kind == CEL_MESSAGE && str_equal(cel_message_name(value), message_name(type));
        break;
    default:
        return convert_scalar(wrapped_scalar(kind), value);
    }
    return fits ? value : cel_fail_static(does_not_fit);
}

static struct cel_value convert_key(struct cel_call *call, const struct cel_converter *to,
                                    struct cel_value key)
{
    (void)call;
    return convert_scalar(to->field->key, key);
}

static struct cel_value convert_item(struct cel_call *call, const struct cel_converter *to,
                                     struct cel_value item)
{
    return to->field->scalar == MESSAGE_MESSAGE ? convert_message(call, to->field->of, item)
                                                : convert_scalar(to->field->scalar, item);
}

static struct cel_value convert_field(struct cel_call *call, const struct message_field *field,
                                      struct cel_value value)
{
    struct cel_converter converter = {.key = convert_key, .value = convert_item, .field = field};
    if (field->is_map) {
        return value.kind == CEL_MAP ? cel_convert_map(call, value, &converter)
                                     : cel_fail_static(does_not_fit);
    }
    if (field->is_repeated) {
        return value.kind == CEL_LIST ? cel_convert_list(call, value, &converter)
                                      : cel_fail_static(does_not_fit);
    }
    return convert_item(call, &converter, value);
}

// Null leaves a message unset, but for those that have a null of their own or none at all.
static bool is_unset(const struct message_field *field, struct cel_value value)
{
    if (value.kind != CEL_NULL || field->is_map || field->is_repeated || field->of == NULL) {
        return false;
    }
    enum well_known kind = well_known_find(message_name(field->of));
    return kind != WELL_KNOWN_VALUE && kind != WELL_KNOWN_STRUCT && kind != WELL_KNOWN_LIST_VALUE &&
           kind != WELL_KNOWN_ANY;
}

// The message is one that stands for something else: its fields make that.
static struct cel_value construct_well_known(struct cel_call *call, enum well_known kind,
                                             const struct set_field *fields, size_t count)
{
    struct cel_value value[2] = {0};
    bool has[2] = {false};
    for (size_t i = 0; i < count; i++) { // two fields at most, but for Value, where any is the one
        size_t at = kind == WELL_KNOWN_VALUE ? 0 : fields[i].field.number - 1;
        value[at] = fields[i].value;
        has[at] = true;
    }
    switch (kind) {
    case WELL_KNOWN_ANY:
        return cel_unpack_any(call, has[0] ? cel_str(value[0]) : (struct str){"", 0},
                              has[1] ? cel_bytes_of(value[1]) : bytes_of("", 0));
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION:
        return value_of_time(kind, value[0].i, value[1].i);
    case WELL_KNOWN_STRUCT:
        return has[0] ? value[0] : cel_map(NULL, 0);
    case WELL_KNOWN_LIST_VALUE:
        return has[0] ? value[0] : cel_list(NULL, 0);
    case WELL_KNOWN_VALUE: // null_value is an enum
        return !has[0] || fields[0].field.number == 1 ? cel_null() : value[0];
    default:
        return value[0];
    }
}

// A wrapper without a value wraps the zero of its type.
static struct cel_value empty_wrapper(struct cel_call *call, const struct known_message *known)
{
    struct message_field field;
    if (!message_field_find(known->type, STR("value"), &field)) {
        return cel_fail_static(does_not_fit);
    }
    struct view view = message_field_default(&field);
    return cel_from_view(call, &view);
}

static struct cel_value construct(const void *context, struct cel_call *call, struct str message,
                                  const struct str *names, const struct cel_value *values, size_t count)
{
    const struct known_message *known = find_message(types_of(context), message);
    struct set_field *fields = cel_new(call, struct set_field, count + 1);
    size_t set = 0;
    if (known == NULL || fields == NULL) {
        return fields == NULL ? cel_over(call) : cel_fail_static("no such message");
    }
    for (size_t i = 0; i < count; i++) {
        struct set_field *next = &fields[set];
        if (!message_field_find(known->type, names[i], &next->field)) {
            return cel_fail_static("no such field");
        }
        if (is_unset(&next->field, values[i])) {
            continue;
        }
        next->value = convert_field(call, &next->field, values[i]);
        if (next->value.kind == CEL_ERROR) {
            return next->value;
        }
        set++;
    }
    enum well_known kind = well_known_find(message);
    if (kind == WELL_KNOWN_NONE) {
        return message_object_value(call, known->type, fields, set);
    }
    if (kind >= WELL_KNOWN_BOOL && set == 0) {
        return empty_wrapper(call, known);
    }
    return construct_well_known(call, kind, fields, set);
}

// ---- lives

static const struct message_types *types_of_call(const struct cel_call *call)
{
    const struct cel_types *types = call->types;
    return types == NULL || types->construct != construct ? NULL : types->context;
}

enum err cel_types_create(const struct schema *const *schemas, size_t count, struct cel_types **ret,
                          struct error *e)
{
    struct message_types *types = mem_zalloc(sizeof *types);
    size_t most = 0;
    arena_init(&types->arena, CEL_TYPES_BYTES_MAX);
    types->schemas = mem_array(count == 0 ? 1 : count, sizeof *types->schemas);
    for (size_t i = 0; i < count; i++) {
        if (schema_has_messages(schemas[i])) {
            types->schemas[types->schema_count++] = schema_ref(schemas[i]);
            most += message_symbol_count(schemas[i]);
        }
    }
    add_messages(types, most);
    add_extensions(types, most);
    types->base = (struct cel_types){types, is_message, constant, field_type, construct};
    if (types->arena.failed) {
        cel_types_destroy(&types->base);
        return FAIL(e, ERR_NO_MEMORY, "the schemas' messages need more than %d bytes", CEL_TYPES_BYTES_MAX);
    }
    *ret = &types->base;
    return ERR_OK;
}

void cel_types_destroy(struct cel_types *take_types)
{
    struct message_types *types = (struct message_types *)(void *)take_types;
    if (types == NULL) {
        return;
    }
    for (size_t i = 0; i < types->message_count; i++) {
        program_unref(atomic_load(&types->messages[i].program));
    }
    for (size_t i = 0; i < types->extension_count; i++) {
        program_unref(atomic_load(&types->extensions[i].program));
    }
    for (size_t i = 0; i < types->schema_count; i++) {
        schema_unref(types->schemas[i]);
    }
    mem_free(types->schemas);
    arena_fini(&types->arena);
    mem_free(types);
}
