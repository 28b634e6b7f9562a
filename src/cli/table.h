// SPDX-License-Identifier: Apache-2.0
// table.h - aligned columns for people: a header line, then the rows; numbers to the right. Pure.
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "base/buf.h"

enum { TABLE_COLUMNS_MAX = 12 };

struct table_column {
    const char *title;
    bool is_number;
};
struct table {
    const struct table_column *columns;
    size_t column_count;
    size_t cell_count;
    size_t widths[TABLE_COLUMNS_MAX]; // in characters
    struct buf cells;                 // 4 bytes length, text, for each cell row by row
};

void table_init(struct table *t, const struct table_column *columns, size_t column_count);
void table_fini(struct table *t);
// table_str and table_i64 fill the next cell, row by row. Control characters show as \xNN, NULL as "-".
void table_str(struct table *t, struct str text);
void table_i64(struct table *t, int64_t number);
// table_print appends the whole table; every row must be full.
void table_print(const struct table *t, struct buf *out);

// text_show appends text with control characters as \xNN, so that a line stays one line and a terminal safe.
void text_show(struct str text, struct buf *out);

#endif
