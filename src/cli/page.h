// SPDX-License-Identifier: Apache-2.0
// page.h - the manual pages, made from the same tables that parse the flags: as text for a terminal and as
// roff for man(1). Pure.
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include "cli/args.h"

// One line of a list of commands or verbs.
struct page_row {
    const char *name;
    const char *summary;
};

// page_text appends the page of one command.
void page_text(const struct args_spec *spec, struct buf *out);
// page_list appends rows in two columns.
void page_list(const struct page_row *rows, size_t count, struct buf *out);
// page_wrap appends text in lines of at most 80 columns, each after `indent` spaces.
void page_wrap(struct str text, int indent, struct buf *out);

// page_roff appends the page of one command as a whole man page; `version` goes into its footer.
void page_roff(const struct args_spec *spec, const char *version, struct buf *out);
// page_roff_text appends text with what roff would take for commands escaped.
void page_roff_text(struct str text, struct buf *out);
// page_roff_section appends one command as a section of a longer page.
void page_roff_section(const struct args_spec *spec, struct buf *out);
// page_roff_end appends what every page ends with: environment, exit codes.
void page_roff_end(bool is_remote, struct buf *out);

#endif
