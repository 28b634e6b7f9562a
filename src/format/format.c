// SPDX-License-Identifier: Apache-2.0
// format.c - the table of formats, and the lives of schemas.
#include "format/format.h"

#include "base/assert.h"
#include "base/mem.h"
#include "format/format_private.h"

static const struct format_ops *const formats[FORMAT_COUNT] = {
#ifdef FORMAT_HAS_AVRO
    [FORMAT_AVRO] = &avro_ops,
#else
    [FORMAT_AVRO] = NULL,
#endif
#ifdef FORMAT_HAS_JSON
    [FORMAT_JSON] = &json_schema_ops,
#endif
#ifdef FORMAT_HAS_PROTOBUF
    [FORMAT_PROTOBUF] = &protobuf_ops,
#endif
};

const char *format_name(enum format format)
{
    static const char *const names[FORMAT_COUNT] = {"AVRO", "JSON", "PROTOBUF"};
    ASSERT(format < FORMAT_COUNT);
    return names[format];
}

bool format_find(struct str name, enum format *ret)
{
    for (int i = 0; i < FORMAT_COUNT; i++) {
        if (str_equal(name, str_from_c(format_name((enum format)i)))) {
            *ret = (enum format)i;
            return true;
        }
    }
    return false;
}

// ---- schemas

static struct schema *schema_new(const struct format_ops *ops, const struct schema_source *source)
{
    struct schema *schema = mem_zalloc(ops->schema_size);
    schema->ops = ops;
    atomic_init(&schema->ref_count, 1);
    arena_init(&schema->arena, SCHEMA_MEMORY_BYTES_MAX);
    if (source->reference_count == 0) {
        return schema;
    }
    schema->references = mem_array(source->reference_count, sizeof *schema->references);
    schema->reference_names = mem_array(source->reference_count, sizeof *schema->reference_names);
    for (size_t i = 0; i < source->reference_count; i++) {
        ASSERT(source->references[i].schema->ops == ops);
        schema->references[i] = schema_ref(source->references[i].schema);
        schema->reference_names[i] = arena_str(&schema->arena, source->references[i].name);
    }
    schema->reference_count = source->reference_count;
    return schema;
}

enum err schema_create(const struct schema_source *source, struct schema **ret, struct error *e)
{
    ASSERT(source->format < FORMAT_COUNT);
    const struct format_ops *ops = formats[source->format];
    if (ops == NULL) {
        return FAIL(e, ERR_INVALID_SCHEMA, "schemas of type %s are not supported yet",
                    format_name(source->format));
    }
    if (source->text.len > SCHEMA_TEXT_BYTES_MAX) {
        return FAIL(e, ERR_INVALID_SCHEMA, "a schema of %zu bytes; the limit is %d", source->text.len,
                    SCHEMA_TEXT_BYTES_MAX);
    }
    if (source->reference_count > SCHEMA_REFERENCES_MAX) {
        return FAIL(e, ERR_INVALID_SCHEMA, "%zu references; the limit is %d", source->reference_count,
                    SCHEMA_REFERENCES_MAX);
    }
    struct schema *schema = schema_new(ops, source);
    enum err err = ops->parse(schema, source, e);
    if (err == ERR_OK && schema->arena.failed) {
        err = FAIL(e, ERR_NO_MEMORY, "the schema needs more than %d bytes", SCHEMA_MEMORY_BYTES_MAX);
    }
    if (err != ERR_OK) {
        schema_unref(schema);
        return err;
    }
    *ret = schema;
    return ERR_OK;
}

struct schema *schema_ref(const struct schema *schema)
{
    struct schema *counted = (struct schema *)schema; // only the count changes
    atomic_fetch_add_explicit(&counted->ref_count, 1, memory_order_relaxed);
    return counted;
}

void schema_unref(struct schema *take_schema)
{
    if (take_schema == NULL ||
        atomic_fetch_sub_explicit(&take_schema->ref_count, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (take_schema->ops->fini != NULL) {
        take_schema->ops->fini(take_schema);
    }
    // A chain of references is no deeper than SCHEMA_REFERENCES_MAX: the registry counts them transitively.
    for (size_t i = 0; i < take_schema->reference_count; i++) {
        schema_unref(take_schema->references[i]);
    }
    mem_free(take_schema->references);
    mem_free(take_schema->reference_names);
    arena_fini(&take_schema->arena);
    mem_free(take_schema);
}

enum format schema_format(const struct schema *schema)
{
    return schema->ops->format;
}

size_t schema_memory(const struct schema *schema)
{
    return schema->ops->schema_size + schema->arena.total;
}

struct str schema_name(const struct schema *schema)
{
    return schema->ops->name(schema);
}

enum err schema_print(const struct schema *schema, enum schema_form form, struct buf *out, struct error *e)
{
    enum err err = schema->ops->print(schema, form, out, e);
    if (err == ERR_OK && out->failed) {
        err = FAIL(e, ERR_NO_MEMORY, "the schema's text is longer than %zu bytes", out->limit);
    }
    return err;
}

// ---- compatibility

enum err schema_compare(const struct schema *reader, const struct schema *writer, enum compat_policy policy,
                        struct compat_report *report, struct error *e)
{
    ASSERT(reader->ops == writer->ops);
    return reader->ops->compare(reader, writer, policy, report, e);
}

void compat_report_add(struct compat_report *report, const char *kind, struct str path,
                       struct str description, struct str info, struct str hint)
{
    report->total++;
    if (report->differences == NULL) {
        report->differences = arena_new(report->arena, struct compat_difference, COMPAT_DIFFERENCES_MAX);
    }
    if (report->differences == NULL || report->count == COMPAT_DIFFERENCES_MAX) {
        return;
    }
    report->differences[report->count++] = (struct compat_difference){
        .kind = kind,
        .path = arena_str(report->arena, path),
        .description = arena_str(report->arena, description),
        .info = arena_str(report->arena, info),
        .hint = arena_str(report->arena, hint),
    };
}
