// SPDX-License-Identifier: Apache-2.0
// resolve.c - what the names of a file mean: full names, a table of all symbols that it can reach, the types
// of its fields. A name is looked for in the scope where it stands and in each around it, as the registry of
// Confluent does: the whole name, not its first part.
#include "format/protobuf/protobuf_private.h"

#include <stdlib.h>

#include "base/mem.h"

// A built-in file that this schema, or one that it includes, imports.
struct builtin_file {
    struct builtin_file *next;
    struct str path;
    struct pb_file file;
};

struct resolver {
    struct pb_schema *schema;
    struct arena *arena;
    struct error *e;
    bool is_strict;
    struct pb_symbol *items; // of the heap while they are gathered
    size_t count;
    size_t cap;
    struct builtin_file *builtins;
    const struct pb_file **visible; // sorted by address
    size_t visible_count;
};

// ---- full names and symbols

static struct pb_symbol *add_symbol(struct resolver *r, struct str name, enum pb_symbol_kind kind,
                                    const struct pb_file *file, struct pb_place place)
{
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 64 : r->cap * 2;
        r->items = mem_realloc(r->items, r->cap * sizeof *r->items);
    }
    struct pb_symbol *symbol = &r->items[r->count++];
    *symbol = (struct pb_symbol){.name = name, .kind = kind, .file = file, .place = place};
    return symbol;
}

static enum err join(struct resolver *r, struct str scope, struct str name, struct pb_place place,
                     struct str *ret)
{
    if (scope.len + 1 + name.len > PB_FULL_NAME_MAX) {
        return pb_fail(r->e, place, "a full name longer than %d bytes", PB_FULL_NAME_MAX);
    }
    *ret = scope.len == 0 ? name : arena_printf(r->arena, STR_FMT "." STR_FMT, STR_ARG(scope), STR_ARG(name));
    return ret->ptr == NULL ? FAIL(r->e, ERR_NO_MEMORY, "the schema is too large") : ERR_OK;
}

static enum err add_other(struct resolver *r, struct str scope, struct str name, const struct pb_file *file,
                          struct pb_place place)
{
    struct str full = {NULL, 0};
    enum err err = join(r, scope, name, place, &full);
    if (err == ERR_OK) {
        add_symbol(r, full, PB_SYMBOL_OTHER, file, place);
    }
    return err;
}

static enum err name_enum(struct resolver *r, const struct pb_file *file, struct str scope,
                          struct pb_enum *made)
{
    enum err err = join(r, scope, made->name, made->place, &made->full_name);
    if (err != ERR_OK) {
        return err;
    }
    made->file = file;
    add_symbol(r, made->full_name, PB_SYMBOL_ENUM, file, made->place)->enumeration = made;
    for (struct pb_enum_value *v = made->values; v != NULL && err == ERR_OK; v = v->next) {
        err = add_other(r, scope, v->name, file, v->place); // values are siblings of their enum
    }
    return err;
}

static enum err name_message(struct resolver *r, const struct pb_file *file, struct str scope,
                             struct pb_message *message);

static enum err name_extends(struct resolver *r, const struct pb_file *file, struct str scope,
                             struct pb_extend *extends)
{
    enum err err = ERR_OK;
    for (struct pb_extend *x = extends; x != NULL; x = x->next) {
        for (struct pb_field *f = x->fields; f != NULL && err == ERR_OK; f = f->next) {
            // A group's extension has its name in small letters; its message has the name as written.
            if (f->group != NULL) {
                err = name_message(r, file, scope, f->group);
                continue;
            }
            err = join(r, scope, f->name, f->place, &f->full_name);
            if (err == ERR_OK) {
                add_symbol(r, f->full_name, PB_SYMBOL_EXTENSION, file, f->place)->extension = f;
            }
        }
    }
    return err;
}

static enum err name_message(struct resolver *r, const struct pb_file *file, struct str scope,
                             struct pb_message *message)
{
    enum err err = join(r, scope, message->name, message->place, &message->full_name);
    if (err != ERR_OK) {
        return err;
    }
    message->file = file;
    message->is_map_entry = pb_option_is_true(message->options, "map_entry");
    add_symbol(r, message->full_name, PB_SYMBOL_MESSAGE, file, message->place)->message = message;
    struct str own = message->full_name;
    for (struct pb_field *f = message->fields; f != NULL && err == ERR_OK; f = f->next) {
        err = f->group != NULL ? name_message(r, file, own, f->group)
                               : add_other(r, own, f->name, file, f->place);
    }
    for (struct pb_oneof *o = message->oneofs; o != NULL && err == ERR_OK; o = o->next) {
        err = add_other(r, own, o->name, file, o->place);
    }
    for (struct pb_message *m = message->messages; m != NULL && err == ERR_OK; m = m->next) {
        err = name_message(r, file, own, m);
    }
    for (struct pb_enum *n = message->enums; n != NULL && err == ERR_OK; n = n->next) {
        err = name_enum(r, file, own, n);
    }
    return err == ERR_OK ? name_extends(r, file, own, message->extends) : err;
}

static enum err name_file(struct resolver *r, struct pb_file *file)
{
    enum err err = ERR_OK;
    for (struct pb_message *m = file->messages; m != NULL && err == ERR_OK; m = m->next) {
        err = name_message(r, file, file->package, m);
    }
    for (struct pb_enum *n = file->enums; n != NULL && err == ERR_OK; n = n->next) {
        err = name_enum(r, file, file->package, n);
    }
    for (struct pb_service *s = file->services; s != NULL && err == ERR_OK; s = s->next) {
        err = add_other(r, file->package, s->name, file, s->place);
    }
    return err == ERR_OK ? name_extends(r, file, file->package, file->extends) : err;
}

// ---- imports

static enum err load_builtin(struct resolver *r, struct str path, const struct pb_file **ret);

static enum err load_imports(struct resolver *r, struct pb_file *file)
{
    const struct schema *base = &r->schema->base;
    for (struct pb_import *import = file->imports; import != NULL; import = import->next) {
        for (size_t i = 0; i < base->reference_count && import->file == NULL; i++) {
            if (str_equal(base->reference_names[i], import->path)) {
                import->file = &pb_schema_of(base->references[i])->file;
            }
        }
        if (import->file == NULL) {
            enum err err = load_builtin(r, import->path, &import->file);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    return ERR_OK;
}

// Recursion ends: the built-in files import each other without a circle. *ret stays NULL for others.
static enum err load_builtin(struct resolver *r, struct str path, const struct pb_file **ret)
{
    struct str text = pb_builtin_text(path);
    if (text.ptr == NULL) {
        return ERR_OK;
    }
    for (struct builtin_file *b = r->builtins; b != NULL; b = b->next) {
        if (str_equal(b->path, path)) {
            *ret = &b->file;
            return ERR_OK;
        }
    }
    struct builtin_file *made = arena_new(r->arena, struct builtin_file, 1);
    if (made == NULL) {
        return FAIL(r->e, ERR_NO_MEMORY, "the schema is too large");
    }
    made->path = path;
    enum err err = pb_parse(r->arena, text, &made->file, r->e);
    if (err == ERR_OK) {
        made->next = r->builtins;
        r->builtins = made;
        *ret = &made->file;
        err = name_file(r, &made->file);
    }
    return err == ERR_OK ? load_imports(r, &made->file) : err;
}

static int compare_files(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (const struct pb_file *const *)a;
    uintptr_t y = (uintptr_t) * (const struct pb_file *const *)b;
    return x < y ? -1 : x > y;
}

static bool is_listed(const struct resolver *r, const struct pb_file *file)
{
    for (size_t i = 0; i < r->visible_count; i++) {
        if (r->visible[i] == file) {
            return true;
        }
    }
    return false;
}

// The files whose names this one may use: itself, what it imports, and what those import publicly.
static enum err list_visible(struct resolver *r)
{
    size_t cap = 64;
    r->visible = mem_array(cap, sizeof *r->visible);
    r->visible[r->visible_count++] = &r->schema->file;
    for (size_t at = 0; at < r->visible_count; at++) {
        for (const struct pb_import *i = r->visible[at]->imports; i != NULL; i = i->next) {
            bool is_seen = at == 0 || i->kind == PB_IMPORT_PUBLIC;
            if (!is_seen || i->file == NULL || is_listed(r, i->file)) {
                continue;
            }
            if (r->visible_count > 2 * SCHEMA_REFERENCES_MAX) {
                return pb_fail(r->e, i->place, "more than %d imports", 2 * SCHEMA_REFERENCES_MAX);
            }
            if (r->visible_count == cap) {
                cap *= 2;
                r->visible = mem_realloc(r->visible, cap * sizeof *r->visible);
            }
            r->visible[r->visible_count++] = i->file;
        }
    }
    qsort(r->visible, r->visible_count, sizeof *r->visible, compare_files);
    return ERR_OK;
}

static void add_reference_symbols(struct resolver *r)
{
    for (size_t i = 0; i < r->schema->base.reference_count; i++) {
        const struct pb_symbols *theirs = &pb_schema_of(r->schema->base.references[i])->symbols;
        for (size_t k = 0; k < theirs->count; k++) {
            const struct pb_symbol *s = &theirs->items[k];
            *add_symbol(r, s->name, s->kind, s->file, s->place) = *s;
        }
    }
}

// ---- the table

static int compare_symbols(const void *a, const void *b)
{
    const struct pb_symbol *x = a;
    const struct pb_symbol *y = b;
    int order = str_compare(x->name, y->name);
    if (order == 0) {
        order = y->is_visible - x->is_visible; // what is visible first
    }
    if (order == 0 && x->place.line != y->place.line) {
        order = x->place.line < y->place.line ? -1 : 1;
    }
    if (order == 0 && x->place.column != y->place.column) {
        order = x->place.column < y->place.column ? -1 : 1;
    }
    return order;
}

// Keeps the first symbol of each name and, of other files, only types and extensions.
static enum err build_table(struct resolver *r)
{
    const struct pb_file *own = &r->schema->file;
    for (size_t i = 0; i < r->count; i++) {
        r->items[i].is_visible = bsearch(&r->items[i].file, r->visible, r->visible_count, sizeof *r->visible,
                                         compare_files) != NULL;
    }
    if (r->count > 0) {
        qsort(r->items, r->count, sizeof *r->items, compare_symbols);
    }
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct pb_symbol *s = &r->items[i];
        if (kept > 0 && str_equal(r->items[kept - 1].name, s->name)) {
            const struct pb_symbol *first = &r->items[kept - 1];
            bool is_twice = (s->file == own || first->file == own) && s->is_visible && first->is_visible;
            if (is_twice && r->is_strict) {
                struct pb_place place = s->file == own ? s->place : first->place;
                return pb_fail(r->e, place, "\"" STR_FMT "\" is defined twice", STR_ARG(s->name));
            }
            continue;
        }
        r->items[kept++] = *s;
    }
    size_t shared = 0;
    for (size_t i = 0; i < kept; i++) {
        if (r->items[i].kind != PB_SYMBOL_OTHER) {
            r->items[shared++] = r->items[i];
        }
    }
    struct pb_symbol *items = arena_new(r->arena, struct pb_symbol, shared == 0 ? 1 : shared);
    if (items == NULL) {
        return FAIL(r->e, ERR_NO_MEMORY, "the schema and what it imports are too large");
    }
    if (shared > 0) {
        memcpy(items, r->items, shared * sizeof *items);
    }
    r->schema->symbols = (struct pb_symbols){items, shared};
    return ERR_OK;
}

const struct pb_symbol *pb_symbol_find(const struct pb_symbols *symbols, struct str full_name)
{
    size_t low = 0;
    size_t high = symbols->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(symbols->items[middle].name, full_name);
        if (order == 0) {
            return &symbols->items[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct pb_symbol *pb_symbol_resolve(const struct pb_symbols *symbols, struct str scope, struct str name,
                                          unsigned kinds)
{
    const struct pb_symbol *found = NULL;
    if (name.len > 0 && name.ptr[0] == '.') {
        found = pb_symbol_find(symbols, (struct str){name.ptr + 1, name.len - 1});
        return found != NULL && (kinds >> found->kind & 1) != 0 ? found : NULL;
    }
    char key[2 * PB_FULL_NAME_MAX + 2];
    if (name.len > PB_FULL_NAME_MAX || scope.len > PB_FULL_NAME_MAX) {
        return NULL;
    }
    if (scope.len > 0) {
        memcpy(key, scope.ptr, scope.len);
    }
    for (size_t len = scope.len; len > 0;) {
        key[len] = '.';
        memcpy(key + len + 1, name.ptr, name.len);
        found = pb_symbol_find(symbols, (struct str){key, len + 1 + name.len});
        if (found != NULL && (kinds >> found->kind & 1) != 0) {
            return found;
        }
        do {
            len--;
        } while (len > 0 && scope.ptr[len] != '.');
    }
    found = pb_symbol_find(symbols, name);
    return found != NULL && (kinds >> found->kind & 1) != 0 ? found : NULL;
}

// ---- types of fields

static enum err fail_unknown(struct resolver *r, struct pb_place place, struct str name)
{
    for (const struct pb_import *i = r->schema->file.imports; i != NULL; i = i->next) {
        if (i->file == NULL) {
            return pb_fail(r->e, place,
                           "\"" STR_FMT "\" is not defined; for import \"" STR_FMT "\" there is no reference",
                           STR_ARG(name), STR_ARG(i->path));
        }
    }
    return pb_fail(r->e, place, "\"" STR_FMT "\" is not defined", STR_ARG(name));
}

static enum err check_found(struct resolver *r, const struct pb_symbol *found, struct pb_place place,
                            struct str name)
{
    if (!r->is_strict) {
        return ERR_OK;
    }
    if (found == NULL) {
        return fail_unknown(r, place, name);
    }
    if (!found->is_visible) {
        return pb_fail(r->e, place, "\"" STR_FMT "\" is defined in a file that is not imported",
                       STR_ARG(name));
    }
    return ERR_OK;
}

static enum err resolve_field(struct resolver *r, struct str scope, struct pb_field *f)
{
    if (f->is_map) {
        f->key_type = pb_scalar_find(f->key_name);
    }
    if (f->group != NULL) {
        f->type = PB_TYPE_GROUP;
        f->message = f->group;
        return ERR_OK;
    }
    f->type = pb_scalar_find(f->type_name);
    if (f->type != PB_TYPE_NONE) {
        return ERR_OK;
    }
    const struct pb_symbol *found = pb_symbol_resolve(&r->schema->symbols, scope, f->type_name,
                                                      1u << PB_SYMBOL_MESSAGE | 1u << PB_SYMBOL_ENUM);
    if (found != NULL) {
        f->type = found->kind == PB_SYMBOL_ENUM ? PB_TYPE_ENUM : PB_TYPE_MESSAGE;
        f->message = found->message;
        f->enumeration = found->enumeration;
    }
    return check_found(r, found, f->place, f->type_name);
}

static enum err resolve_message(struct resolver *r, struct pb_message *message,
                                const struct pb_features *features);

static enum err resolve_extends(struct resolver *r, struct str scope, struct pb_extend *extends,
                                const struct pb_features *features)
{
    enum err err = ERR_OK;
    for (struct pb_extend *x = extends; x != NULL && err == ERR_OK; x = x->next) {
        const struct pb_symbol *found =
            pb_symbol_resolve(&r->schema->symbols, scope, x->type_name, 1u << PB_SYMBOL_MESSAGE);
        err = check_found(r, found, x->place, x->type_name);
        x->full_name = found == NULL ? (struct str){NULL, 0} : found->name;
        for (struct pb_field *f = x->fields; f != NULL && err == ERR_OK; f = f->next) {
            f->extendee = x->full_name;
            f->features = *features;
            pb_features_apply(&f->features, f->options);
            err = resolve_field(r, scope, f);
            if (err == ERR_OK && f->group != NULL) {
                err = resolve_message(r, f->group, features);
            }
        }
    }
    return err;
}

static void resolve_enum(struct pb_enum *made, const struct pb_features *features)
{
    struct pb_features own = *features;
    pb_features_apply(&own, made->options);
    made->is_closed = own.is_closed;
}

static enum err resolve_message(struct resolver *r, struct pb_message *message,
                                const struct pb_features *features)
{
    enum err err = ERR_OK;
    message->features = *features;
    pb_features_apply(&message->features, message->options);
    for (struct pb_field *f = message->fields; f != NULL && err == ERR_OK; f = f->next) {
        f->features = message->features;
        if (f->oneof != NULL) {
            pb_features_apply(&f->features, f->oneof->options);
        }
        pb_features_apply(&f->features, f->options);
        err = resolve_field(r, message->full_name, f);
        if (err == ERR_OK && f->group != NULL) {
            err = resolve_message(r, f->group, &message->features);
        }
    }
    for (struct pb_message *m = message->messages; m != NULL && err == ERR_OK; m = m->next) {
        err = resolve_message(r, m, &message->features);
    }
    for (struct pb_enum *n = message->enums; n != NULL; n = n->next) {
        resolve_enum(n, &message->features);
    }
    return err == ERR_OK ? resolve_extends(r, message->full_name, message->extends, &message->features) : err;
}

static enum err resolve_services(struct resolver *r, struct pb_file *file)
{
    enum err err = ERR_OK;
    for (struct pb_service *s = file->services; s != NULL; s = s->next) {
        for (struct pb_rpc *rpc = s->rpcs; rpc != NULL && err == ERR_OK; rpc = rpc->next) {
            const struct pb_symbol *in =
                pb_symbol_resolve(&r->schema->symbols, file->package, rpc->request, 1u << PB_SYMBOL_MESSAGE);
            const struct pb_symbol *out =
                pb_symbol_resolve(&r->schema->symbols, file->package, rpc->response, 1u << PB_SYMBOL_MESSAGE);
            rpc->request_message = in == NULL ? NULL : in->message;
            rpc->response_message = out == NULL ? NULL : out->message;
            err = check_found(r, in, rpc->place, rpc->request);
            if (err == ERR_OK) {
                err = check_found(r, out, rpc->place, rpc->response);
            }
        }
    }
    return err;
}

static enum err resolve_file(struct resolver *r, struct pb_file *file)
{
    enum err err = ERR_OK;
    pb_features_default(file);
    for (struct pb_message *m = file->messages; m != NULL && err == ERR_OK; m = m->next) {
        err = resolve_message(r, m, &file->features);
    }
    for (struct pb_enum *n = file->enums; n != NULL; n = n->next) {
        resolve_enum(n, &file->features);
    }
    if (err == ERR_OK) {
        err = resolve_extends(r, file->package, file->extends, &file->features);
    }
    return err == ERR_OK ? resolve_services(r, file) : err;
}

enum err pb_resolve(struct pb_schema *schema, bool is_strict, struct error *e)
{
    struct resolver r = {.schema = schema, .arena = &schema->base.arena, .e = e, .is_strict = is_strict};
    enum err err = name_file(&r, &schema->file);
    if (err == ERR_OK) {
        err = load_imports(&r, &schema->file);
    }
    if (err == ERR_OK) {
        err = list_visible(&r);
    }
    if (err == ERR_OK) {
        add_reference_symbols(&r);
        err = build_table(&r);
    }
    // Built-in files see each other: all of them are in the table.
    r.is_strict = false;
    for (struct builtin_file *b = r.builtins; b != NULL && err == ERR_OK; b = b->next) {
        err = resolve_file(&r, &b->file);
    }
    r.is_strict = is_strict;
    if (err == ERR_OK) {
        err = resolve_file(&r, &schema->file);
    }
    mem_free(r.items);
    mem_free(r.visible);
    return err;
}
