// SPDX-License-Identifier: Apache-2.0
// assert.h - assertion classes. A broken invariant of ours crashes; bad input never reaches these.
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include <stddef.h>
#include <stdint.h>

// assert_fail prints the failed claim with its place to stderr and aborts.
_Noreturn void assert_fail(const char *claim, const char *file, int line);

// assert_hook_set installs a function called before abort (the simulator prints its seed); NULL removes.
void assert_hook_set(void (*hook)(void));

// ASSERT is on in every build.
#define ASSERT(claim) ((claim) ? (void)0 : assert_fail(#claim, __FILE__, __LINE__))

// ASSERT_SLOW walks structures: on in debug and simulator builds only.
#ifdef STROM_SLOW_ASSERTS
#define ASSERT_SLOW(claim) ASSERT(claim)
#else
#define ASSERT_SLOW(claim) ((void)sizeof(!(claim)))
#endif

#define UNREACHABLE(why) assert_fail("unreachable: " why, __FILE__, __LINE__)

// OBJ_CAST converts a callback context after checking its magic (first field, uint32_t magic).
#define OBJ_CAST(type, object_magic, ptr)                                                                    \
    ((struct type *)obj_check((ptr), (object_magic), #type, __FILE__, __LINE__))
void *obj_check(void *ptr, uint32_t magic, const char *type, const char *file, int line);

#endif
