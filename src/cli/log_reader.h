// SPDX-License-Identifier: Apache-2.0
// log_reader.h - the committed records of one partition from one offset to another, without those of aborted
// transactions. Owner: the command's thread.
#ifndef CLI_LOG_READER_H
#define CLI_LOG_READER_H

#include "cli/cli_private.h"
#include "record/iterate.h"

struct log_partition {
    int32_t partition;
    int64_t start;
    int64_t end; // when the command began
};

struct log_reader {
    struct run *run;
    struct client *client; // NULL: the run's
    struct str topic;
    struct uuid topic_id;
    int32_t wait_ms; // where nothing is to be had yet
    double batches;  // that were read: how much is asked for at a time
    double bytes;    // of them
    double offsets;  // of them
    struct codec_context codec;
    struct arena arena; // one answer
};
void log_reader_init(struct log_reader *reader, struct run *run, struct str topic, struct uuid topic_id);
void log_reader_fini(struct log_reader *reader);

// log_reader_records calls `take` with the records of [from, end) in order, until it answers false or nothing
// is left; what stands behind an open transaction is not waited for. *ret_next is the offset to go on from. A
// record lives until the call returns. Errors as client_call, and those of the broker's answer.
typedef bool log_take(void *arg, const struct record *record);
enum err log_reader_records(struct log_reader *reader, int32_t partition, int64_t from, int64_t end,
                            log_take *take, void *arg, int64_t *ret_next, struct error *e);

#endif
