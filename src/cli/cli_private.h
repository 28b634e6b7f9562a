// SPDX-License-Identifier: Apache-2.0
// cli_private.h - what the commands share: one run of a command with its flags, output, connection and
// memory.
#ifndef CLI_CLI_PRIVATE_H
#define CLI_CLI_PRIVATE_H

#include "cli/args.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "json/write.h"
#include "cli/table.h"

enum {
    CLI_PEERS_MAX = 64,
    CLI_ARENA_BYTES = 1 << 30,   // of answers kept by one command
    CLI_OUT_BYTES_MAX = 1 << 30, // of output kept before it is written
};

// A connection to one broker of a cluster, beside the first.
struct peer {
    int32_t id;
    struct client *client;
};

// One run of one command. Owner: the command's function, on its stack.
struct run {
    struct args *args;
    bool is_json;
    enum cli_exit exit;
    struct buf out; // for stdout; see run_flush
    bool is_out_closed;
    struct env *env; // NULL until run_connect
    struct client *client;
    struct peer peers[CLI_PEERS_MAX];
    size_t peer_count;
    struct arena arena;
    struct json json;
};

// run_start parses the flags. false: there is nothing left to do (help was printed, or usage was wrong), and
// run_finish ends the command.
bool run_start(struct run *run, const struct args_spec *spec, int argc, char **argv);
// run_connect opens the connection that the flags name; false after saying why not.
bool run_connect(struct run *run);
// run_open is run_connect without flags and words: bootstrap with a NULL ptr is the environment's or the
// default. ERR_INVALID_REQUEST for addresses that make no sense.
enum err run_open(struct run *run, struct str bootstrap, int64_t timeout_ms, struct error *e);
// run_finish writes what is left of the output, frees everything and returns the exit code.
int run_finish(struct run *run);

// run_flush writes run->out to stdout. false once nobody reads it any more (the command should end, quietly)
// or it cannot be written.
bool run_flush(struct run *run);

// run_fail says on stderr what went wrong, with an optional hint, and sets the exit code that err calls for.
// The error of a broker's answer goes in as `err` with e's text empty or the broker's message.
//   strom: cannot create topic orders: TOPIC_ALREADY_EXISTS (36): topic already exists
//     hint: --if-not-exists lets this pass
void run_fail(struct run *run, const char *what, enum err err, const struct error *e, const char *hint);
// run_refused is run_fail for an error code in an answer; message may have a NULL ptr.
void run_refused(struct run *run, const char *what, enum err err, struct str message, const char *hint);
// run_usage says what is wrong with the flags; exit code 2.
void run_usage(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
// run_note writes one line to stderr.
void run_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

// run_confirm asks a person at a terminal whether to go on; --yes, or standard input that is none, is a yes.
// The command has the flag RUN_YES_FLAG. false after saying that nothing was done.
bool run_confirm(struct run *run, const char *question);
#define RUN_YES_FLAG                                                                                         \
    {                                                                                                        \
        "yes", ARGS_SWITCH, NULL, NULL, 0, 0, "Do not ask, even if standard input is a terminal."            \
    }

// run_call is client_call with run's client and arena; false after saying what went wrong.
bool run_call(struct run *run, enum api_key key, const void *request, void *ret_response);
bool run_call_on(struct run *run, struct client *client, enum api_key key, const void *request,
                 void *ret_response);
// run_retry says whether a call that failed with this error is worth another try: an error that goes away by
// itself, before deadline_ns. It has waited a moment then.
bool run_retry(struct run *run, enum err err, int64_t deadline_ns);
int64_t run_deadline(struct run *run); // now and --timeout-ms

// run_broker connects to one broker of the cluster; in a cluster of one that is the connection there is. NULL
// after saying why not. Connections live as long as the run.
struct client *run_broker(struct run *run, int32_t id);
// run_coordinator is run_broker for the one that a group belongs to, and its id.
struct client *run_coordinator(struct run *run, struct str group, int32_t *ret_id);
// run_coordinator_open opens a connection of one's own to it, which the caller destroys. It asks once; of the
// broker's own error e has no file.
enum err run_coordinator_open(struct run *run, struct str group, struct client **ret_client, struct error *e);

// run_new is wire_new from the run's arena, which never runs out for what flags can ask.
void *run_new(struct run *run, const struct wire_struct *type, size_t count);
#define run_array(run, name, count) ((struct name *)run_new((run), &name##_type, (count)))
// run_room is zeroed memory for count things (and one more) that an answer told of; NULL after saying that
// there are too many. How much a broker tells is its own decision.
void *run_room(struct run *run, size_t count, size_t size);
struct str run_print(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

// run_topics fetches the metadata of the named topics (all if count is 0) in name order.
bool run_topics(struct run *run, const struct str *names, size_t count, bool may_create,
                struct metadata_response *ret);
// run_topics_matching is run_topics for names that may be patterns: "orders-*".
bool run_topics_matching(struct run *run, const struct str *names, size_t count,
                         struct metadata_response *ret);
// run_topic_unknown says that a topic is not there, with the nearest name that is.
void run_topic_unknown(struct run *run, const char *what, struct str topic);
// run_topic_error is run_topic_unknown or run_refused, as the code calls for.
void run_topic_error(struct run *run, const char *what, struct str topic, enum err err);

// run_offsets looks offsets up by ListOffsets for partitions of one topic: ret[i] belongs to partitions[i].
// timestamp: -1 the end, -2 the start, else ms. An offset of -1 means: no record that late.
enum { OFFSETS_END = -1, OFFSETS_START = -2 };
bool run_offsets(struct run *run, struct str topic, const int32_t *partitions, size_t count,
                 int64_t timestamp, int64_t *ret_offsets);

// One offset to look up; see run_offsets for the timestamp.
struct offset_query {
    struct str topic;
    int32_t partition;
    int64_t timestamp;
    int64_t offset; // the answer; -1 where there is none
    enum err err;   // of this partition
};
// run_offset_queries looks many up at once, in order of topic and partition. An error of one partition is its
// own; false after saying what else went wrong.
bool run_offset_queries(struct run *run, struct offset_query *queries, size_t count);

// config_hint finds the setting that a misspelt name may have meant; NULL if none is near.
const char *config_hint(struct str name, bool is_topic);
// config_alter_topic sets and deletes what --config and --delete-config say. ret_count: how many there were.
bool config_alter_topic(struct run *run, struct str topic, const char *what, size_t *ret_count);
// config_pair checks one --config value.
bool config_pair(struct run *run, struct str text, struct str *ret_key, struct str *ret_value);

// A command, or a noun with verbs: `strom topic create`. The tables of commands are what dispatch, help,
// manual pages and completion are made from.
struct cli_command {
    const char *name;
    const char *summary;                    // of a noun; a command's is in its spec
    const struct args_spec *spec;           // NULL for a noun
    int (*run)(int argc, char **argv);      // argv[0] is the last word of the command
    const struct cli_command *const *verbs; // NULL-terminated, in the order of help; NULL for a command
};
extern const struct cli_command cli_root; // "strom" itself, with every command
extern const struct cli_command topic_command;
extern const struct cli_command topic_describe_command;
extern const struct cli_command topic_trim_command;
extern const struct cli_command produce_command;
extern const struct cli_command consume_command;
extern const struct cli_command config_command;
extern const struct cli_command group_command;
extern const struct cli_command group_describe_command;
extern const struct cli_command group_reset_command;
extern const struct cli_command quota_command;
extern const struct cli_command schema_command;
extern const struct cli_command contract_command;
extern const struct cli_command dlq_command;
extern const struct cli_command cluster_command;
extern const struct cli_command dump_command;
extern const struct cli_command repair_command;
extern const struct cli_command completion_command;
extern const struct cli_command help_command;
extern const struct cli_command serve_command; // its run is NULL: see cli_main

// command_find gives a verb of a noun by name, NULL if it has none.
const struct cli_command *command_find(const struct cli_command *noun, struct str name);
const char *command_summary(const struct cli_command *command);
// complete_run prints what may follow the words of a half-typed command line; the shell calls it.
int complete_run(int argc, char **argv);
// help_noun prints what `strom` or a noun has, to standard error if nobody asked; path is "strom" or "strom
// topic". It returns the exit code.
int help_noun(const struct cli_command *noun, const char *path, bool is_asked);
// serve_flags is run_start for `strom serve`, and fills the options.
bool serve_flags(struct run *run, int argc, char **argv, struct cli_serve *ret);

#endif
