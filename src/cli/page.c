// SPDX-License-Identifier: Apache-2.0
#include "cli/page.h"

enum { PAGE_COLUMNS = 80, FLAG_INDENT = 6 };

static const struct page_row exit_rows[] = {
    {"0", "done; also ended by Ctrl-C where the page says so"},
    {"1", "an error: what, why and a hint are on standard error"},
    {"2", "wrong usage: flags or names that make no sense; nothing was done"},
    {"3", "no broker answered, or the connection broke"},
};
static const struct page_row environment_rows[] = {
    {"STROM_BOOTSTRAP", "brokers to try, where --bootstrap-server is not given"},
};

void page_wrap(struct str text, int indent, struct buf *out)
{
    size_t column = 0;
    while (text.len > 0) {
        struct str rest;
        struct str word = str_cut(text, ' ', &rest);
        if (column > 0 && (size_t)indent + column + 1 + word.len > PAGE_COLUMNS) {
            buf_u8(out, '\n');
            column = 0;
        }
        buf_printf(out, "%*s" STR_FMT, column == 0 ? indent : 1, "", STR_ARG(word));
        column += word.len + (column == 0 ? 0 : 1);
        text = rest;
    }
    buf_u8(out, '\n');
}

void page_list(const struct page_row *rows, size_t count, struct buf *out)
{
    size_t width = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(rows[i].name);
        width = len > width ? len : width;
    }
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "  %-*s  %s\n", (int)width, rows[i].name, rows[i].summary);
    }
}

static bool is_repeated(const struct args_flag *flag)
{
    return flag->kind == ARGS_LIST || flag->kind == ARGS_INTS;
}

static void flag_text(const struct args_flag *flag, struct buf *out)
{
    bool is_optional = flag->kind == ARGS_OPTIONAL;
    buf_printf(out, "  --%s%s%s%s", flag->name,
               flag->value_name == NULL ? ""
               : is_optional            ? "[="
                                        : " ",
               flag->value_name == NULL ? "" : flag->value_name, is_optional ? "]" : "");
    if (flag->default_text != NULL && flag->default_text[0] != '\0') {
        buf_printf(out, "   (default %s)", flag->default_text);
    }
    if (is_repeated(flag)) {
        buf_printf(out, "   (may be repeated)");
    }
    buf_u8(out, '\n');
    page_wrap(str_from_c(flag->help), FLAG_INDENT, out);
}

static size_t exit_row_count(bool is_remote)
{
    return sizeof exit_rows / sizeof *exit_rows - (is_remote ? 0 : 1);
}

void page_text(const struct args_spec *spec, struct buf *out)
{
    buf_printf(out, "%s - %s\n\nUSAGE\n  %s %s%s[flags]\n", spec->command, spec->summary, spec->command,
               spec->names_usage, spec->names_usage[0] == '\0' ? "" : " ");
    if (spec->text != NULL) {
        buf_printf(out, "\nDESCRIPTION\n");
    }
    struct str rest = str_from_c(spec->text);
    while (rest.ptr != NULL) {
        struct str line = str_cut(rest, '\n', &rest);
        if (line.len > 0 && line.ptr[0] == ' ') {
            buf_printf(out, "  " STR_FMT "\n", STR_ARG(line)); // laid out by hand
        } else if (line.len > 0) {
            page_wrap(line, 2, out);
        } else {
            buf_u8(out, '\n');
        }
    }
    buf_printf(out, "\nFLAGS\n");
    const struct args_flag *flag;
    for (size_t i = 0; (flag = args_flag_at(spec, i)) != NULL; i++) {
        flag_text(flag, out);
    }
    if (spec->examples != NULL) {
        buf_printf(out, "\nEXAMPLES\n%s", spec->examples);
    }
    if (spec->is_remote) {
        buf_printf(out, "\nENVIRONMENT\n");
        page_list(environment_rows, 1, out);
    }
    buf_printf(out, "\nEXIT CODES\n");
    page_list(exit_rows, exit_row_count(spec->is_remote), out);
}

// ---- roff (man(7))

void page_roff_text(struct str text, struct buf *out)
{
    bool is_line_start = true;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_line_start && (c == '.' || c == '\'')) {
            buf_printf(out, "\\&");
        }
        if (c == '\\') {
            buf_printf(out, "\\e");
        } else if (c == '-') {
            buf_printf(out, "\\-");
        } else {
            buf_u8(out, (uint8_t)c);
        }
        is_line_start = c == '\n';
    }
}

static void roff_row(const char *name, const char *text, struct buf *out)
{
    buf_printf(out, ".TP\n.B ");
    page_roff_text(str_from_c(name), out);
    buf_u8(out, '\n');
    page_roff_text(str_from_c(text), out);
    buf_u8(out, '\n');
}

static void roff_flag(const struct args_flag *flag, struct buf *out)
{
    buf_printf(out, ".TP\n\\fB\\-\\-");
    page_roff_text(str_from_c(flag->name), out);
    buf_printf(out, "\\fR");
    if (flag->value_name != NULL) {
        bool is_optional = flag->kind == ARGS_OPTIONAL;
        buf_printf(out, is_optional ? "[=\\fI" : " \\fI");
        page_roff_text(str_from_c(flag->value_name), out);
        buf_printf(out, is_optional ? "\\fR]" : "\\fR");
    }
    if (flag->default_text != NULL && flag->default_text[0] != '\0') {
        buf_printf(out, " (default ");
        page_roff_text(str_from_c(flag->default_text), out);
        buf_u8(out, ')');
    }
    buf_printf(out, "%s\n", is_repeated(flag) ? " (may be repeated)" : "");
    page_roff_text(str_from_c(flag->help), out);
    buf_u8(out, '\n');
}

// roff_paragraphs breaks at empty lines; lines that begin with a space are laid out by hand.
static void roff_paragraphs(const char *text, struct buf *out)
{
    struct str rest = str_from_c(text);
    bool is_verbatim = false;
    while (rest.ptr != NULL) {
        struct str line = str_cut(rest, '\n', &rest);
        bool is_laid_out = line.len > 0 && line.ptr[0] == ' ';
        if (is_laid_out != is_verbatim && line.len > 0) {
            buf_printf(out, is_laid_out ? ".nf\n" : ".fi\n");
            is_verbatim = is_laid_out;
        }
        if (line.len == 0) {
            buf_printf(out, ".PP\n");
        } else {
            page_roff_text(line, out);
            buf_u8(out, '\n');
        }
    }
    buf_printf(out, "%s", is_verbatim ? ".fi\n" : "");
}

static void roff_body(const struct args_spec *spec, const char *heading, struct buf *out)
{
    if (spec->text != NULL) {
        buf_printf(out, "%s\n", heading);
        roff_paragraphs(spec->text, out);
    }
    const struct args_flag *flag;
    for (size_t i = 0; (flag = args_flag_at(spec, i)) != NULL; i++) {
        roff_flag(flag, out);
    }
    if (spec->examples != NULL) {
        buf_printf(out, ".PP\nExamples:\n.PP\n.nf\n");
        page_roff_text(str_from_c(spec->examples), out);
        buf_printf(out, ".fi\n");
    }
}

static void roff_usage(const struct args_spec *spec, struct buf *out)
{
    buf_printf(out, ".B ");
    page_roff_text(str_from_c(spec->command), out);
    buf_printf(out, "\n.IR \"");
    page_roff_text(str_from_c(spec->names_usage), out);
    buf_printf(out, "\" \" [flags]\"\n");
}

static void roff_dashed(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        buf_printf(out, *text == ' ' ? "\\-" : "%c", *text);
    }
}

void page_roff(const struct args_spec *spec, const char *version, struct buf *out)
{
    buf_printf(out, ".TH \"");
    roff_dashed(spec->command, out);
    buf_printf(out, "\" 1 \"\" \"strom %s\" \"Strom\"\n.SH NAME\n", version);
    roff_dashed(spec->command, out);
    buf_printf(out, " \\- ");
    page_roff_text(str_from_c(spec->summary), out);
    buf_printf(out, "\n.SH SYNOPSIS\n");
    roff_usage(spec, out);
    roff_body(spec, ".SH DESCRIPTION", out);
    page_roff_end(spec->is_remote, out);
}

void page_roff_section(const struct args_spec *spec, struct buf *out)
{
    buf_printf(out, ".SS \"");
    page_roff_text(str_from_c(spec->command), out);
    buf_printf(out, " \\- ");
    page_roff_text(str_from_c(spec->summary), out);
    buf_printf(out, "\"\n");
    roff_usage(spec, out);
    roff_body(spec, ".PP", out);
}

void page_roff_end(bool is_remote, struct buf *out)
{
    if (is_remote) {
        buf_printf(out, ".SH ENVIRONMENT\n");
        roff_row(environment_rows->name, environment_rows->summary, out);
    }
    buf_printf(out, ".SH \"EXIT STATUS\"\n");
    for (size_t i = 0; i < exit_row_count(is_remote); i++) {
        roff_row(exit_rows[i].name, exit_rows[i].summary, out);
    }
}
