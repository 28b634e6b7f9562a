// SPDX-License-Identifier: Apache-2.0
// functions.c - the list of libraries, and look-up by name.
#include "cel/compile_private.h"
#include "cel/library.h"
#include "cel/standard_private.h"
#include "cel/time_private.h"

const struct cel_library *const cel_libraries[] = {
    &cel_operator_library, &cel_text_library,     &cel_convert_library,  &cel_time_library,
    &cel_strings_library,  &cel_math_library,     &cel_encoders_library, &cel_sets_library,
    &cel_optional_library, &cel_validate_library, &cel_decimal_library,  &cel_timestamp_library,
    &cel_variant_library,
};
const size_t cel_library_count = sizeof cel_libraries / sizeof cel_libraries[0];

// The library with a number; the source's own is the last.
static const struct cel_library *library_at(const struct cel_source *source, size_t index)
{
    if (index < cel_library_count) {
        return cel_libraries[index];
    }
    return index == cel_library_count ? source->library : NULL;
}

// Most names differ in their first letters.
static bool has_name(const char *name, struct str wanted)
{
    return strncmp(name, wanted.ptr, wanted.len) == 0 && name[wanted.len] == '\0';
}

const struct cel_function *functions_find(const struct cel_source *source, struct str name, bool is_member,
                                          uint32_t *cursor)
{
    size_t begin = 0; // of the library's rows, in the count of all
    for (size_t l = 0; l <= cel_library_count; l++) {
        const struct cel_library *library = library_at(source, l);
        size_t count = library == NULL ? 0 : library->function_count;
        for (size_t i = *cursor > begin ? *cursor - begin : 0; i < count; i++) {
            const struct cel_function *f = &library->functions[i];
            if (f->is_member == is_member && has_name(f->name, name)) {
                *cursor = (uint32_t)(begin + i + 1);
                return f;
            }
        }
        begin += count;
    }
    return NULL;
}

const struct cel_constant *functions_constant(const struct cel_source *source, struct str name)
{
    for (size_t l = 0; l <= cel_library_count; l++) {
        const struct cel_library *library = library_at(source, l);
        size_t count = library == NULL ? 0 : library->constant_count;
        for (size_t i = 0; i < count; i++) {
            if (str_equal(name, str_from_c(library->constants[i].name))) {
                return &library->constants[i];
            }
        }
    }
    return NULL;
}
