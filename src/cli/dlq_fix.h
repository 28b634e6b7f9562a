// SPDX-License-Identifier: Apache-2.0
// dlq_fix.h - mends the value of a dead letter before it is replayed: members of a JSON document are set to
// what CEL expressions make of it. Owner: the command's thread.
#ifndef CLI_DLQ_FIX_H
#define CLI_DLQ_FIX_H

#include "cli/cli_private.h"

struct dlq_fix;

// dlq_fix_create reads --set PATH=EXPRESSION; the paths' names are separated by dots. *ret is NULL if there
// are none. false after saying what is wrong with one.
bool dlq_fix_create(struct run *run, struct dlq_fix **ret);
void dlq_fix_destroy(struct dlq_fix *take_fix); // NULL is a no-op

// dlq_fix_apply makes the mended value in the arena; a schema id before the document stays as it is. It
// cannot be mended (ERR_INVALID_RECORD: no JSON document, an expression that fails on it, a result that JSON
// has no word for; ERR_NO_MEMORY: over a limit): *ret is what it was, and *e says which --set, and why.
enum err dlq_fix_apply(struct dlq_fix *fix, struct bytes value, struct arena *arena, struct bytes *ret,
                       struct error *e);

#endif
