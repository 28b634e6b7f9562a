// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "json/write.h"

enum { TABLE_BYTES_MAX = 1 << 30, COLUMN_GAP = 2 };

void table_init(struct table *t, const struct table_column *columns, size_t column_count)
{
    ASSERT(column_count > 0 && column_count <= TABLE_COLUMNS_MAX);
    *t = (struct table){.columns = columns, .column_count = column_count};
    buf_init(&t->cells, TABLE_BYTES_MAX);
    for (size_t i = 0; i < column_count; i++) {
        t->widths[i] = strlen(columns[i].title);
    }
}

void table_fini(struct table *t)
{
    buf_fini(&t->cells);
}

void text_show(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len;) {
        size_t size = utf8_size((struct str){text.ptr + i, text.len - i});
        uint8_t c = (uint8_t)text.ptr[i];
        // U+0080 to U+009F are control characters too (ISO 6429).
        bool is_control =
            size == 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && (uint8_t)text.ptr[i + 1] < 0xa0);
        if (is_control) {
            buf_printf(out, "\\x%02x", c);
            i++;
        } else {
            buf_append(out, text.ptr + i, size);
            i += size;
        }
    }
}

static size_t width_of(struct str text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++) {
        width += ((uint8_t)text.ptr[i] & 0xc0) != 0x80 ? 1 : 0;
    }
    return width;
}

void table_str(struct table *t, struct str text)
{
    struct buf *cells = &t->cells;
    size_t head = cells->len;
    buf_be32(cells, 0);
    text_show(text.ptr == NULL ? STR("-") : text, cells);
    ASSERT(!cells->failed); // a table of a gigabyte is not for people
    size_t len = cells->len - head - 4;
    store_be32(cells->ptr + head, (uint32_t)len);
    size_t width = width_of((struct str){(const char *)cells->ptr + head + 4, len});
    size_t *column_width = &t->widths[t->cell_count % t->column_count];
    *column_width = width > *column_width ? width : *column_width;
    t->cell_count++;
}

void table_i64(struct table *t, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)number);
    table_str(t, (struct str){text, (size_t)len});
}

static void cell_print(const struct table *t, size_t column, struct str text, struct buf *out)
{
    size_t pad = t->widths[column] - width_of(text);
    bool is_last = column + 1 == t->column_count;
    if (t->columns[column].is_number) {
        buf_printf(out, "%*s", (int)pad, "");
        buf_append_str(out, text);
    } else {
        buf_append_str(out, text);
        buf_printf(out, "%*s", is_last ? 0 : (int)pad, "");
    }
    buf_printf(out, "%*s", is_last ? 0 : COLUMN_GAP, "");
    if (is_last) {
        buf_u8(out, '\n');
    }
}

void table_print(const struct table *t, struct buf *out)
{
    ASSERT(t->cell_count % t->column_count == 0);
    for (size_t i = 0; i < t->column_count; i++) {
        cell_print(t, i, str_from_c(t->columns[i].title), out);
    }
    struct reader r = reader_init(buf_bytes(&t->cells));
    for (size_t i = 0; i < t->cell_count; i++) {
        uint32_t len = reader_u32(&r);
        struct str text = {(const char *)reader_take(&r, len), len};
        cell_print(t, i % t->column_count, text, out);
    }
    ASSERT(!r.failed);
}
