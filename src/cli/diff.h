// SPDX-License-Identifier: Apache-2.0
// diff.h - what changed between two texts, line by line, in the unified form that `diff -u` made known. Pure.
#ifndef CLI_DIFF_H
#define CLI_DIFF_H

#include "base/arena.h"
#include "base/buf.h"

enum {
    DIFF_CONTEXT_LINES = 3,
    DIFF_CELLS_MAX = 16 << 20, // of the table; larger changes are shown as everything out, everything in
};

// diff_print appends the hunks, nothing if the texts are equal. false: the arena is full.
bool diff_print(struct str before, struct str after, struct arena *arena, struct buf *out);

#endif
