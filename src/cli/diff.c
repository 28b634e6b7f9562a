// SPDX-License-Identifier: Apache-2.0
// diff.c - the longest common subsequence of the lines between the first and the last change.
#include "cli/diff.h"

struct lines {
    struct str *at;
    size_t count;
};

struct edit {
    char sign; // ' ' in both, '-' only before, '+' only after
    struct str line;
};

struct edits {
    struct edit *at;
    size_t count;
};

static bool lines_split(struct str text, struct arena *arena, struct lines *ret)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++) {
        count += text.ptr[i] == '\n';
    }
    ret->at = arena_new(arena, struct str, count);
    ret->count = 0;
    while (ret->at != NULL && text.len > 0) {
        ret->at[ret->count++] = str_cut(text, '\n', &text);
    }
    return ret->at != NULL;
}

static void edit_add(struct edits *edits, char sign, struct str line)
{
    edits->at[edits->count++] = (struct edit){sign, line};
}

// changed_add tells the lines [from, to) of both sides apart. false: the arena is full.
static bool changed_add(struct edits *edits, struct lines a, struct lines b, struct arena *arena)
{
    size_t width = b.count + 1;
    size_t i = 0;
    size_t j = 0;
    bool is_small = (a.count + 1) <= DIFF_CELLS_MAX / width;
    // same[i * width + j] = how many lines a[i..] and b[j..] have in common; at most the root of the maximum.
    uint16_t *same = is_small ? arena_new(arena, uint16_t, (a.count + 1) * width) : NULL;
    if (is_small && same == NULL) {
        return false;
    }
    for (size_t row = is_small ? a.count : 0; row-- > 0;) {
        for (size_t col = b.count; col-- > 0;) {
            uint16_t down = same[(row + 1) * width + col];
            uint16_t right = same[row * width + col + 1];
            same[row * width + col] = str_equal(a.at[row], b.at[col])
                                          ? (uint16_t)(same[(row + 1) * width + col + 1] + 1)
                                      : down >= right ? down
                                                      : right;
        }
    }
    while (i < a.count || j < b.count) {
        bool is_end = i == a.count || j == b.count;
        if (!is_end && is_small && str_equal(a.at[i], b.at[j])) {
            edit_add(edits, ' ', a.at[i]);
            i++;
            j++;
        } else if (j == b.count ||
                   (i < a.count && (!is_small || same[(i + 1) * width + j] >= same[i * width + j + 1]))) {
            edit_add(edits, '-', a.at[i++]);
        } else {
            edit_add(edits, '+', b.at[j++]);
        }
    }
    return true;
}

static void range_print(char sign, size_t first, size_t count, struct buf *out)
{
    buf_printf(out, "%c%zu", sign, count == 0 ? first - 1 : first);
    if (count != 1) {
        buf_printf(out, ",%zu", count);
    }
}

// hunk_end is behind the context of the last change that belongs to the hunk whose first change is at `at`.
static size_t hunk_end(const struct edits *edits, size_t at)
{
    size_t last = at;
    for (size_t i = at; i < edits->count && i - last <= (size_t)2 * DIFF_CONTEXT_LINES + 1; i++) {
        last = edits->at[i].sign != ' ' ? i : last;
    }
    size_t end = last + 1 + DIFF_CONTEXT_LINES;
    return end < edits->count ? end : edits->count;
}

static void hunks_print(const struct edits *edits, struct buf *out)
{
    size_t before = 1; // the numbers of the lines at `from`
    size_t after = 1;
    size_t from = 0;
    for (size_t at = 0; at < edits->count; at++) {
        if (edits->at[at].sign == ' ') {
            continue;
        }
        size_t begin = at > from + DIFF_CONTEXT_LINES ? at - DIFF_CONTEXT_LINES : from;
        size_t end = hunk_end(edits, at);
        size_t gone = 0;
        size_t come = 0;
        before += begin - from;
        after += begin - from;
        for (size_t i = begin; i < end; i++) {
            gone += edits->at[i].sign != '+';
            come += edits->at[i].sign != '-';
        }
        buf_append_str(out, STR("@@ "));
        range_print('-', before, gone, out);
        buf_u8(out, ' ');
        range_print('+', after, come, out);
        buf_append_str(out, STR(" @@\n"));
        for (size_t i = begin; i < end; i++) {
            buf_printf(out, "%c" STR_FMT "\n", edits->at[i].sign, STR_ARG(edits->at[i].line));
        }
        before += gone;
        after += come;
        from = end;
        at = end - 1;
    }
}

bool diff_print(struct str before, struct str after, struct arena *arena, struct buf *out)
{
    struct lines a;
    struct lines b;
    struct edits edits = {0};
    size_t head = 0;
    size_t tail = 0;
    if (!lines_split(before, arena, &a) || !lines_split(after, arena, &b)) {
        return false;
    }
    edits.at = arena_new(arena, struct edit, a.count + b.count + 1);
    if (edits.at == NULL) {
        return false;
    }
    while (head < a.count && head < b.count && str_equal(a.at[head], b.at[head])) {
        edit_add(&edits, ' ', a.at[head++]);
    }
    while (tail < a.count - head && tail < b.count - head &&
           str_equal(a.at[a.count - 1 - tail], b.at[b.count - 1 - tail])) {
        tail++;
    }
    struct lines changed_a = {a.at + head, a.count - head - tail};
    struct lines changed_b = {b.at + head, b.count - head - tail};
    if (!changed_add(&edits, changed_a, changed_b, arena)) {
        return false;
    }
    for (size_t i = a.count - tail; i < a.count; i++) {
        edit_add(&edits, ' ', a.at[i]);
    }
    hunks_print(&edits, out);
    return true;
}
