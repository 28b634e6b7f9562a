// SPDX-License-Identifier: Apache-2.0
// consume.h - what the two ways of `strom consume` share.
#ifndef CLI_CONSUME_H
#define CLI_CONSUME_H

#include "cli/fetcher.h"

struct consume {
    struct run *run;
    const char *what;
    struct where where;
    struct str format;
    char format_text[64];
    bool is_exiting;
    struct metadata_response found; // the topics that were named, in order
    struct fetch_part *parts;       // on the heap
    size_t part_count;
};

// consume_fetcher_init readies a fetcher by the flags.
void consume_fetcher_init(struct consume *c, struct fetcher *f);
// consume_in_group reads as a member of --group, until Ctrl-C, --count or --exit. The signals are blocked.
void consume_in_group(struct consume *c);

#endif
