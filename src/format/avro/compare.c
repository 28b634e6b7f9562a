// SPDX-License-Identifier: Apache-2.0
// compare.c - whether one schema reads what another wrote: the rules, kinds and places of Apache Avro's
// SchemaCompatibility, in the words of Confluent's registry. A pair of types is judged once, and once more
// where its differences are to be told, so time is polynomial. A pair in progress counts as compatible.
#include "format/avro/avro_private.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/mem.h"

enum verdict { UNKNOWN, IN_PROGRESS, COMPATIBLE, INCOMPATIBLE, INCOMPATIBLE_TOLD };
enum { PATH_BYTES_MAX = 64 << 10, TEXT_BYTES_MAX = 16 << 10, SYMBOLS_BYTES_MAX = 8 << 10 };

struct compare {
    struct compat_report *report;
    struct pair_table verdicts;
    struct buf path;
    struct buf text[3]; // description, info, hint of the difference being told
    uint32_t steps;
    int depth;
    int silent; // > 0: trying a branch of a union, of which nobody is told
    bool gave_up;
    const char *reader; // "new", or "old"
    const char *writer;
};

static bool compatible(struct compare *c, const char *token, const struct avro_type *reader,
                       const struct avro_type *writer);

// ---- telling

static void upper(enum avro_kind kind, char ret[16])
{
    const char *name = avro_kind_name(kind);
    size_t i = 0;
    for (; name[i] != 0; i++) {
        ret[i] = (char)toupper((unsigned char)name[i]);
    }
    ret[i] = 0;
}

static size_t push(struct compare *c, const char *token)
{
    size_t length = c->path.len;
    if (*token != 0) {
        buf_printf(&c->path, "/%s", token);
    }
    return length;
}

static size_t push_index(struct compare *c, size_t index)
{
    size_t length = c->path.len;
    buf_printf(&c->path, "/%zu", index);
    return length;
}

static struct str place(const struct compare *c)
{
    return c->path.len == 0 ? STR("/") : buf_str(&c->path);
}

#define DESCRIBE(c, ...) buf_printf(&(c)->text[0], __VA_ARGS__)
#define INFORM(c, ...)   buf_printf(&(c)->text[1], __VA_ARGS__)
#define HINT(c, ...)     buf_printf(&(c)->text[2], __VA_ARGS__)

// begin_telling makes the texts empty; false if nobody is told.
static bool begin_telling(struct compare *c)
{
    for (int i = 0; i < 3; i++) {
        buf_reset(&c->text[i]);
    }
    return c->silent == 0;
}

static void tell(struct compare *c, const char *kind)
{
    compat_report_add(c->report, kind, place(c), buf_str(&c->text[0]), buf_str(&c->text[1]),
                      buf_str(&c->text[2]));
}

static bool is_reader_new(const struct compare *c)
{
    return !c->report->is_reader_old;
}

// What a reader of another type than the writer's could be.
static void hint_types(struct compare *c, enum avro_kind writer)
{
    static const char *const wider[AVRO_KIND_COUNT] = {
        [AVRO_INT] = ", LONG, FLOAT, DOUBLE",
        [AVRO_LONG] = ", FLOAT, DOUBLE",
        [AVRO_FLOAT] = ", DOUBLE",
        [AVRO_STRING] = ", BYTES",
        [AVRO_BYTES] = ", STRING",
    };
    char name[16];
    upper(writer, name);
    HINT(c, "%s can be read as: %s%s, or a union with one of them", name, name,
         wider[writer] != NULL ? wider[writer] : "");
}

static bool type_mismatch(struct compare *c, const struct avro_type *reader, const struct avro_type *writer)
{
    if (begin_telling(c)) {
        char names[2][16];
        upper(reader->kind, names[0]);
        upper(writer->kind, names[1]);
        DESCRIBE(
            c, "The type (path '" STR_FMT "') of a field in the %s schema does not match with the %s schema",
            STR_ARG(place(c)), c->reader, c->writer);
        INFORM(c, "reader type: %s not compatible with writer type: %s", names[0], names[1]);
        hint_types(c, writer->kind);
        tell(c, "TYPE_MISMATCH");
    }
    return false;
}

static void missing_branch(struct compare *c, const struct avro_type *writer)
{
    if (begin_telling(c)) {
        char name[16];
        upper(writer->kind, name);
        DESCRIBE(
            c, "The %s schema is missing a type inside a union field at path '" STR_FMT "' in the %s schema",
            c->reader, STR_ARG(place(c)), c->writer);
        INFORM(c, "reader union lacking writer type: %s", name);
        hint_types(c, writer->kind);
        tell(c, "MISSING_UNION_BRANCH");
    }
}

// ---- named types

static bool names_fit(struct compare *c, const struct avro_type *reader, const struct avro_type *writer)
{
    const struct avro_name *named = reader->named;
    if (str_equal(named->name, writer->named->name)) {
        return true;
    }
    for (uint32_t i = 0; i < named->alias_count; i++) {
        if (str_equal(named->aliases[i], writer->named->full)) {
            return true;
        }
    }
    if (begin_telling(c)) {
        size_t path = push(c, "name");
        DESCRIBE(c, "The name of the schema has changed (path '" STR_FMT "')", STR_ARG(place(c)));
        INFORM(c, "expected: " STR_FMT, STR_ARG(writer->named->full));
        HINT(c, "Keep the name '" STR_FMT "'%s" STR_FMT "%s", STR_ARG(writer->named->name),
             is_reader_new(c) ? ", or add '" : "", STR_ARG(is_reader_new(c) ? writer->named->full : STR("")),
             is_reader_new(c) ? "' to the aliases" : "");
        tell(c, "NAME_MISMATCH");
        c->path.len = path;
    }
    return false;
}

static bool sizes_fit(struct compare *c, const struct avro_type *reader, const struct avro_type *writer)
{
    if (reader->size == writer->size) {
        return true;
    }
    if (begin_telling(c)) {
        size_t path = push(c, "size");
        DESCRIBE(c,
                 "The size of FIXED type field at path '" STR_FMT
                 "' in the %s schema does not match with the %s "
                 "schema",
                 STR_ARG(place(c)), c->reader, c->writer);
        INFORM(c, "expected: %d, found: %d", writer->size, reader->size);
        HINT(c, "A fixed keeps its size: a new one wants a field and a name of its own");
        tell(c, "FIXED_SIZE_MISMATCH");
        c->path.len = path;
    }
    return false;
}

static int compare_strs(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static void list_symbols(struct buf *out, struct str *missing, uint32_t count)
{
    qsort(missing, count, sizeof *missing, compare_strs);
    buf_u8(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (out->len > SYMBOLS_BYTES_MAX || missing[i].len > SYMBOLS_BYTES_MAX / 2) {
            buf_append_str(out, STR(", ..."));
            break;
        }
        buf_printf(out, "%s" STR_FMT, i == 0 ? "" : ", ", STR_ARG(missing[i]));
    }
    buf_u8(out, ']');
}

static bool symbols_fit(struct compare *c, const struct avro_type *reader, const struct avro_type *writer)
{
    if (reader->default_symbol >= 0) {
        return true;
    }
    struct str *missing = mem_array(writer->count + 1, sizeof *missing);
    uint32_t count = 0;
    for (uint32_t i = 0; i < writer->count; i++) {
        if (name_index_find(&reader->index, writer->symbols[i]) == NAME_INDEX_NONE) {
            missing[count++] = writer->symbols[i];
        }
    }
    c->steps += writer->count;
    if (count > 0 && begin_telling(c)) {
        size_t path = push(c, "symbols");
        list_symbols(&c->text[1], missing, count);
        DESCRIBE(c,
                 "The %s schema is missing enum symbols '" STR_FMT "' at path '" STR_FMT "' in the %s schema",
                 c->reader, STR_ARG(buf_str(&c->text[1])), STR_ARG(place(c)), c->writer);
        HINT(c, is_reader_new(c) ? "Keep the symbols, or give the enum a default"
                                 : "Readers know new symbols only if their enum has a default");
        tell(c, "MISSING_ENUM_SYMBOLS");
        c->path.len = path;
    }
    mem_free(missing);
    return count == 0;
}

// ---- records

// The writer's field that a reader's field is filled from: by its name or one of its aliases. *ret_hits may
// be 2.
static const struct avro_field *find_writer(const struct avro_field *field, const struct avro_type *writer,
                                            int *ret_hits)
{
    int64_t found = name_index_find(&writer->index, field->name);
    *ret_hits = found != NAME_INDEX_NONE;
    for (uint32_t i = 0; i < field->alias_count && *ret_hits < 2; i++) {
        int64_t by_alias = name_index_find(&writer->index, field->aliases[i]);
        if (by_alias != NAME_INDEX_NONE) {
            found = by_alias;
            ++*ret_hits;
        }
    }
    return found == NAME_INDEX_NONE ? NULL : &writer->fields[found];
}

static bool missing_default(struct compare *c, const struct avro_field *field)
{
    if (begin_telling(c)) {
        DESCRIBE(c,
                 "The field '" STR_FMT "' at path '" STR_FMT "' in the %s schema has no default value and is "
                 "missing in the %s schema",
                 STR_ARG(field->name), STR_ARG(place(c)), c->reader, c->writer);
        INFORM(c, STR_FMT, STR_ARG(field->name));
        if (is_reader_new(c)) {
            HINT(c, "Give the field '" STR_FMT "' a default value", STR_ARG(field->name));
        } else {
            HINT(c, "Keep the field '" STR_FMT "': who reads with the old schema needs it",
                 STR_ARG(field->name));
        }
        tell(c, "READER_FIELD_MISSING_DEFAULT_VALUE");
    }
    return false;
}

static bool field_fits(struct compare *c, const struct avro_field *field, const struct avro_type *writer)
{
    int hits;
    const struct avro_field *from = find_writer(field, writer, &hits);
    c->steps += field->alias_count;
    if (hits > 1) {
        if (begin_telling(c)) {
            DESCRIBE(c,
                     "The field '" STR_FMT "' at path '" STR_FMT
                     "' in the %s schema matches more than one field of "
                     "the %s schema",
                     STR_ARG(field->name), STR_ARG(place(c)), c->reader, c->writer);
            INFORM(c, STR_FMT, STR_ARG(field->name));
            HINT(c, "Name and aliases of a field may hit one field only");
            tell(c, "NAME_MISMATCH");
        }
        return false;
    }
    if (from != NULL) {
        return compatible(c, "type", field->type, from->type);
    }
    if (field->default_text.ptr != NULL) {
        return true;
    }
    // Java's rule, odd as it is: an enum's own default is looked at, and then held against the whole record.
    if (field->type->kind == AVRO_ENUM && field->type->default_symbol >= 0) {
        return compatible(c, "type", field->type, writer);
    }
    return missing_default(c, field);
}

static bool records_fit(struct compare *c, const struct avro_type *reader, const struct avro_type *writer)
{
    bool is_good = names_fit(c, reader, writer);
    size_t path = push(c, "fields");
    for (uint32_t i = 0; i < reader->count && !c->gave_up; i++) {
        size_t inner = push_index(c, i);
        is_good &= field_fits(c, &reader->fields[i], writer);
        c->path.len = inner;
    }
    c->path.len = path;
    return is_good;
}

// ---- unions

static bool tries(struct compare *c, const struct avro_type *reader, const struct avro_type *writer)
{
    c->silent++;
    bool is_good = compatible(c, "", reader, writer);
    c->silent--;
    return is_good;
}

static bool unions_fit(struct compare *c, const struct avro_type *reader, const struct avro_type *writer)
{
    bool is_good = true;
    for (uint32_t i = 0; i < writer->count && !c->gave_up; i++) {
        if (!tries(c, reader, writer->branches[i])) {
            size_t path = push_index(c, i);
            missing_branch(c, writer->branches[i]);
            c->path.len = path;
            is_good = false;
        }
    }
    return is_good;
}

static bool union_writer_fits(struct compare *c, const struct avro_type *reader,
                              const struct avro_type *writer)
{
    bool is_good = true;
    for (uint32_t i = 0; i < writer->count && !c->gave_up; i++) {
        size_t path = push_index(c, i);
        is_good &= compatible(c, "", reader, writer->branches[i]);
        c->path.len = path;
    }
    return is_good;
}

static bool union_reader_fits(struct compare *c, const struct avro_type *reader,
                              const struct avro_type *writer)
{
    for (uint32_t i = 0; i < reader->count && !c->gave_up; i++) {
        if (tries(c, reader->branches[i], writer)) {
            return true;
        }
    }
    missing_branch(c, writer);
    return false;
}

// ---- types

static bool is_promoted(enum avro_kind reader, enum avro_kind writer)
{
    switch (reader) {
    case AVRO_LONG:
        return writer == AVRO_INT;
    case AVRO_FLOAT:
        return writer == AVRO_INT || writer == AVRO_LONG;
    case AVRO_DOUBLE:
        return writer == AVRO_INT || writer == AVRO_LONG || writer == AVRO_FLOAT;
    case AVRO_BYTES:
        return writer == AVRO_STRING;
    case AVRO_STRING:
        return writer == AVRO_BYTES;
    default:
        return false;
    }
}

static bool judge(struct compare *c, const struct avro_type *reader, const struct avro_type *writer)
{
    if (reader->kind != writer->kind) {
        return writer->kind == AVRO_UNION ? union_writer_fits(c, reader, writer)
               : reader->kind == AVRO_UNION
                   ? union_reader_fits(c, reader, writer)
                   : is_promoted(reader->kind, writer->kind) || type_mismatch(c, reader, writer);
    }
    bool is_good = true;
    switch (reader->kind) {
    case AVRO_RECORD:
        return records_fit(c, reader, writer);
    case AVRO_ENUM:
        is_good = names_fit(c, reader, writer);
        return symbols_fit(c, reader, writer) && is_good;
    case AVRO_FIXED:
        is_good = names_fit(c, reader, writer);
        return sizes_fit(c, reader, writer) && is_good;
    case AVRO_ARRAY:
        return compatible(c, "items", reader->item, writer->item);
    case AVRO_MAP:
        return compatible(c, "values", reader->item, writer->item);
    case AVRO_UNION:
        return unions_fit(c, reader, writer);
    default:
        return true;
    }
}

static bool judge_once(struct compare *c, const struct avro_type *reader, const struct avro_type *writer)
{
    enum verdict verdict = pair_table_get(&c->verdicts, reader, writer);
    if (verdict == IN_PROGRESS || verdict == COMPATIBLE) {
        return true;
    }
    if (verdict == INCOMPATIBLE_TOLD || (verdict == INCOMPATIBLE && c->silent > 0)) {
        return false;
    }
    if (c->verdicts.count >= AVRO_COMPARE_PAIRS_MAX) {
        c->gave_up = true;
        return false;
    }
    pair_table_put(&c->verdicts, reader, writer, IN_PROGRESS);
    // What was found incompatible stays so: the second time is for telling.
    bool is_good = judge(c, reader, writer) && verdict != INCOMPATIBLE;
    pair_table_put(&c->verdicts, reader, writer,
                   (is_good         ? COMPATIBLE
                    : c->silent > 0 ? INCOMPATIBLE
                                    : INCOMPATIBLE_TOLD));
    return is_good;
}

static bool compatible(struct compare *c, const char *token, const struct avro_type *reader,
                       const struct avro_type *writer)
{
    c->gave_up |= ++c->steps > AVRO_COMPARE_STEPS_MAX || c->depth >= AVRO_GRAPH_DEPTH_MAX;
    if (c->gave_up) {
        return false;
    }
    size_t path = push(c, token);
    c->depth++;
    bool is_plain = reader->kind < AVRO_PRIMITIVE_COUNT && writer->kind < AVRO_PRIMITIVE_COUNT;
    bool is_good = is_plain ? judge(c, reader, writer) : judge_once(c, reader, writer);
    c->depth--;
    c->path.len = path;
    return is_good;
}

enum err avro_compare(const struct schema *reader, const struct schema *writer, enum compat_policy policy,
                      struct compat_report *report, struct error *e)
{
    (void)policy; // Avro has one
    struct compare c = {
        .report = report,
        .reader = report->is_reader_old ? "old" : "new",
        .writer = report->is_reader_old ? "new" : "old",
    };
    buf_init(&c.path, PATH_BYTES_MAX);
    for (int i = 0; i < 3; i++) {
        buf_init(&c.text[i], TEXT_BYTES_MAX);
    }
    size_t told_before = report->total;
    bool is_good = compatible(&c, "", avro_of(reader)->root, avro_of(writer)->root);
    if (!is_good && report->total == told_before) {
        type_mismatch(&c, avro_of(reader)->root, avro_of(writer)->root);
    }
    pair_table_fini(&c.verdicts);
    buf_fini(&c.path);
    for (int i = 0; i < 3; i++) {
        buf_fini(&c.text[i]);
    }
    return c.gave_up ? FAIL(e, ERR_NO_MEMORY, "comparing the two schemas takes too long") : ERR_OK;
}
