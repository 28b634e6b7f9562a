// SPDX-License-Identifier: Apache-2.0
// groups.h - what the commands about groups know of one: members with their assignments, and offsets with the
// lag. Everything lives in the run's arena. Owner: the command.
#ifndef CLI_GROUPS_H
#define CLI_GROUPS_H

#include "cli/cli_private.h"
#include "cli/consumer_protocol.h"

struct group_member {
    struct str id;
    struct str instance_id; // NULL ptr = not static
    struct str client_id;
    struct str host; // without the "/" that Kafka puts before it
    struct str rack; // NULL ptr = none told
    struct str *subscribed;
    size_t subscribed_count;
    struct topic_partitions *assigned;
    size_t assigned_count;
    bool is_opaque; // what it told the others does not parse, or is no consumer's
};

struct group {
    struct str id;
    struct str type;          // "classic" or "consumer" (KIP-848)
    struct str state;         // as Kafka writes it: "Stable", "Empty", ...
    struct str protocol_type; // "consumer" for consumers
    struct str protocol;      // the assignor
    int32_t coordinator_id;
    struct client *coordinator;
    struct group_member *members;
    size_t member_count;
    enum err err; // ERR_GROUP_ID_NOT_FOUND: there is none; the rest is empty then
    struct str message;
};

// groups_describe asks one coordinator about groups; only their ids need to be set, and coordinator and its
// id. false after saying what went wrong.
bool groups_describe(struct run *run, struct client *coordinator, struct group *groups, size_t count);
// group_find finds the coordinator of a group and describes it. A group that is not there is no failure here.
bool group_find(struct run *run, struct str id, struct group *ret);
// group_missing says that a group is not there, with the nearest one that is.
void group_missing(struct run *run, const char *what, struct str id);
bool group_has_members(const struct group *group);

// One partition of a group's: an offset was committed, or a member has it.
struct group_offset {
    struct str topic;
    int32_t partition;
    int64_t committed; // -1 = none
    int64_t start;     // -1 = the topic or partition is not there any more
    int64_t end;
    int64_t lag;                      // end - committed, or to the start of what there is; -1 = unknown
    struct str metadata;              // what the committer wrote beside it
    const struct group_member *owner; // NULL = nobody
};
struct group_offsets {
    struct group_offset *items; // by topic and partition
    size_t count;
    int64_t lag; // the sum of those that are known
};
// group_offsets_read fetches what the group committed and where the partitions end.
bool group_offsets_read(struct run *run, const struct group *group, struct group_offsets *ret);
// group_committed fetches the committed offsets alone: topic, partition, committed and metadata are set.
bool group_committed(struct run *run, const struct group *group, struct group_offsets *ret);

// group_offsets_fetch is group_committed over any connection to the coordinator, once; of the broker's own
// error e has no file.
enum err group_offsets_fetch(struct client *coordinator, struct str group, struct arena *arena,
                             struct group_offsets *ret, struct error *e);

// A topic with some of its partitions, as --topic NAME[:P,P...] has it.
struct topic_choice {
    struct str topic;
    int32_t *partitions; // NULL = all
    size_t count;
};
// topic_choice_parse checks one; a colon cannot be in a topic's name. ERR_INVALID_REQUEST.
enum err topic_choice_parse(struct str text, struct arena *arena, struct topic_choice *ret, struct error *e);

#endif
