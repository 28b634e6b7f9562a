// SPDX-License-Identifier: Apache-2.0
// fetcher.h - reads partitions over the run's connection and prints their records; what `strom consume` does
// with and without a group. Every batch's checksum is verified. A lost connection is opened again; reading
// goes on where it stopped. Owner: the main thread.
#ifndef CLI_FETCHER_H
#define CLI_FETCHER_H

#include "cli/cli_private.h"
#include "cli/record_format.h"

struct fetch_part {
    struct str topic;
    struct uuid topic_id;
    int32_t partition;
    int64_t next;    // offset to read
    int64_t written; // everything before it was written out
    int64_t end;     // with is_exiting: stop here
    bool is_done;
};

struct fetcher {
    struct run *run;
    struct fetch_part *parts; // by topic; the caller's
    size_t part_count;
    size_t first; // whose turn it is in a request: large answers would starve the last one otherwise
    struct str format;
    struct str null_text;
    const char *what;   // "cannot consume orders"
    int64_t count_left; // -1 = no limit
    bool is_exiting;    // stop at the ends
    bool is_over;       // nothing more is wanted: the count is reached, or nobody reads the output
    struct arena arena; // one answer
    struct codec_context codec;
    int64_t progress_ns; // when an answer came last
    bool is_trouble_told;
};

// fetcher_init readies one without partitions; run is connected. The caller sets the rest.
void fetcher_init(struct fetcher *f, struct run *run);
void fetcher_fini(struct fetcher *f);
// fetcher_assign gives it the partitions to read from now on.
void fetcher_assign(struct fetcher *f, struct fetch_part *parts, size_t count);
// fetcher_round asks once and prints what comes; it waits for at most half a second. What was printed is
// written out when it returns. false ends the command: it was said why, or nothing more is wanted.
bool fetcher_round(struct fetcher *f);
bool fetcher_is_finished(const struct fetcher *f); // over, or every partition is done
// fetcher_trouble waits before another try; false after saying why, once it has lasted for --timeout-ms.
bool fetcher_trouble(struct fetcher *f, enum err err, const struct error *e);

// Where to begin, as --offset has it.
enum where_kind { WHERE_START, WHERE_END, WHERE_OFFSET, WHERE_LAST, WHERE_TIME };
struct where {
    enum where_kind kind;
    int64_t number; // offset, -N, or ms
};
// where_parse reads earliest, latest, N, -N or @MS; false if it is none.
bool where_parse(struct str text, struct where *ret);
// where_begin sets next and end of partitions of one topic. An offset that a partition does not have is an
// error if it was asked for alone, else the nearest one. false after saying what is wrong.
bool where_begin(struct run *run, const struct where *where, struct fetch_part *parts, size_t count,
                 bool is_exiting, const char *what);

#endif
