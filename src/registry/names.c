// SPDX-License-Identifier: Apache-2.0
// names.c - subjects and their contexts: ":.ctx:subject", bare in the default context ".".
#include "registry/registry_private.h"

static bool has_context(struct str name)
{
    return name.len >= 3 && name.ptr[0] == ':' && name.ptr[1] == '.' &&
           memchr(name.ptr + 1, ':', name.len - 1) != NULL;
}

struct str name_context(struct str qualified)
{
    if (!has_context(qualified)) {
        return STR(".");
    }
    const char *end = memchr(qualified.ptr + 1, ':', qualified.len - 1);
    return (struct str){qualified.ptr + 1, (size_t)(end - qualified.ptr) - 1};
}

struct str name_bare(struct str qualified)
{
    if (!has_context(qualified)) {
        return qualified;
    }
    size_t cut = name_context(qualified).len + 2;
    return (struct str){qualified.ptr + cut, qualified.len - cut};
}

struct str scope_of_context(struct str context, struct arena *arena)
{
    return context.len == 1 ? STR("") : arena_printf(arena, ":" STR_FMT ":", STR_ARG(context));
}

struct str name_normal(struct str name)
{
    bool is_default = has_context(name) && name_context(name).len == 1;
    return is_default ? name_bare(name) : name;
}

bool name_is_clean(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((uint8_t)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool name_refuse(struct registry_call *call, struct str subject)
{
    call_fail(call, CODE_INVALID_SUBJECT, "The specified subject '" STR_FMT "' is not a valid.",
              STR_ARG(subject));
    return false;
}

bool name_qualify(struct registry_call *call, struct str subject, struct str *ret)
{
    // The global context has a config and a mode, and no subjects.
    return name_qualify_scope(call, subject, ret) &&
           (!str_equal(name_context(*ret), STR(".__GLOBAL")) || name_refuse(call, subject));
}

bool name_qualify_scope(struct registry_call *call, struct str subject, struct str *ret)
{
    struct str name = subject;
    bool has_colon = call->context.ptr != NULL && memchr(call->context.ptr, ':', call->context.len) != NULL;
    bool is_bare_context =
        call->context.len > 0 && !str_equal(call->context, STR(".")) && !has_context(subject);
    if (is_bare_context) {
        struct str dot = call->context.ptr[0] == '.' ? STR("") : STR(".");
        name = arena_printf(call->arena, ":" STR_FMT STR_FMT ":" STR_FMT, STR_ARG(dot),
                            STR_ARG(call->context), STR_ARG(subject));
    }
    name = name_normal(name);
    struct str bare = name_bare(name);
    bool is_reserved = str_equal(bare, STR("__GLOBAL")) || str_equal(bare, STR("__EMPTY"));
    if (bare.len == 0 || name.len > REGISTRY_SUBJECT_BYTES_MAX || is_reserved || has_colon ||
        !name_is_clean(subject) || !name_is_clean(call->context)) {
        return name_refuse(call, subject);
    }
    *ret = name;
    return true;
}

struct str name_in_context(struct str context, struct str subject, struct arena *arena)
{
    bool is_whole = has_context(subject) || context.len == 1;
    return name_normal(
        is_whole ? subject
                 : arena_printf(arena, ":" STR_FMT ":" STR_FMT, STR_ARG(context), STR_ARG(subject)));
}
