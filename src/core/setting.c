// SPDX-License-Identifier: Apache-2.0
// setting.c - the table of settings and what is a valid value. Names, defaults and ranges are those of Kafka
// 4.2 where Kafka has the setting; its synonyms of topic configs (log.retention.ms, ...) have rows of their
// own, as Kafka documents them.
#include "core/setting.h"

#include <inttypes.h>

#include "base/assert.h"

#define TOPIC   SETTING_TOPIC
#define DYNAMIC SETTING_BROKER_DYNAMIC
#define STATIC  SETTING_BROKER_STATIC
#define I32     INT32_MAX
#define I64     INT64_MAX

#define COMPRESSIONS "uncompressed,zstd,lz4,snappy,gzip,producer"
#define TIMESTAMPS   "CreateTime,LogAppendTime"
#define POLICIES     "compact,delete"
#define ASSIGNORS    "uniform,range"
#define MIGRATIONS   "disabled,upgrade,downgrade,bidirectional"
#define LEVELS       "none,id,structure,contract"
#define STRATEGIES   SUBJECT_STRATEGY_TOPIC "," SUBJECT_STRATEGY_RECORD "," SUBJECT_STRATEGY_TOPIC_RECORD

// Rows: name, broker name, default, range, prose.
#define ROW_LONG(name, broker, scope, fallback, min, max, unit, text)                                        \
    {name, broker, scope, SETTING_LONG, fallback, min, max, NULL, unit, text},
#define ROW_INT(name, broker, scope, fallback, min, max, unit, text)                                         \
    {name, broker, scope, SETTING_INT, fallback, min, max, NULL, unit, text},
#define ROW_BOOL(name, broker, scope, fallback, text)                                                        \
    {name, broker, scope, SETTING_BOOLEAN, fallback, 0, 0, NULL, "", text},
#define ROW_TEXT(name, broker, scope, fallback, choices, text)                                               \
    {name, broker, scope, SETTING_STRING, fallback, 0, 0, choices, "", text},
#define ROW_LIST(name, broker, scope, fallback, choices, text)                                               \
    {name, broker, scope, SETTING_LIST, fallback, 0, 0, choices, "", text},
#define ROW_DOUBLE(name, broker, scope, fallback, min, max, text)                                            \
    {name, broker, scope, SETTING_DOUBLE, fallback, min, max, NULL, "", text},

// clang-format off
static const struct setting settings[] = {
    // ---- topics
    ROW_LIST("cleanup.policy", "log.cleanup.policy", TOPIC, "delete", POLICIES,
             "What happens to old records: delete by age and size, compact by key, both, or neither.")
    ROW_INT("compression.gzip.level", "compression.gzip.level", TOPIC, "-1", -1, 9, "",
            "Level when the broker compresses with gzip; -1 is the codec's default.")
    ROW_INT("compression.lz4.level", "compression.lz4.level", TOPIC, "9", 1, 17, "",
            "Level when the broker compresses with lz4.")
    ROW_TEXT("compression.type", "compression.type", TOPIC, "producer", COMPRESSIONS,
             "Codec in which batches are stored, compressed again if need be; producer: as sent.")
    ROW_INT("compression.zstd.level", "compression.zstd.level", TOPIC, "3", -131072, 22, "",
            "Level when the broker compresses with zstd.")
    ROW_LONG("delete.retention.ms", "log.cleaner.delete.retention.ms", TOPIC, "86400000", 0, I64, "ms",
             "How long compaction keeps tombstones.")
    ROW_LONG("file.delete.delay.ms", "log.segment.delete.delay.ms", TOPIC, "60000", 0, I64, "ms",
             "Accepted for Kafka's tools; files go once nobody reads them.")
    ROW_LONG("flush.messages", "log.flush.interval.messages", TOPIC, "9223372036854775807", 1, I64, "",
             "Accepted for Kafka's tools; every acknowledged record is durable: see strom.durability.")
    ROW_LONG("flush.ms", "log.flush.interval.ms", TOPIC, "9223372036854775807", 0, I64, "ms",
             "Accepted for Kafka's tools; every acknowledged record is durable: see strom.durability.")
    ROW_LIST("follower.replication.throttled.replicas", NULL, TOPIC, "", NULL,
             "Accepted for Kafka's tools; there are no followers.")
    ROW_INT("index.interval.bytes", "log.index.interval.bytes", TOPIC, "4096", 0, I32, "bytes",
            "Bytes between two entries of a segment's sparse index.")
    ROW_LIST("leader.replication.throttled.replicas", NULL, TOPIC, "", NULL,
             "Accepted for Kafka's tools; there are no followers.")
    ROW_LONG("local.retention.bytes", "log.local.retention.bytes", TOPIC, "-2", -2, I64, "bytes",
             "Bytes kept locally with tiered storage; -2 is retention.bytes.")
    ROW_LONG("local.retention.ms", "log.local.retention.ms", TOPIC, "-2", -2, I64, "ms",
             "Time kept locally with tiered storage; -2 is retention.ms.")
    ROW_LONG("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms", TOPIC,
            "9223372036854775807", 1, I64,
             "ms", "The longest time that a record may wait for compaction.")
    ROW_INT("max.message.bytes", "message.max.bytes", TOPIC, "1048588", 0, I32, "bytes",
            "The largest record batch, as sent, that is accepted.")
    ROW_LONG("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms", TOPIC, "3600000", 0, I64,
             "ms", "How far a record's timestamp may lie ahead of the broker's clock.")
    ROW_LONG("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms", TOPIC,
             "9223372036854775807", 0, I64, "ms",
             "How far a record's timestamp may lie behind the broker's clock.")
    ROW_TEXT("message.timestamp.type", "log.message.timestamp.type", TOPIC, "CreateTime", TIMESTAMPS,
             "Whether records keep the producer's timestamp or get the time of append.")
    ROW_DOUBLE("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio", TOPIC, "0.5", 0, 1,
               "Share of uncompacted bytes from which a log is compacted.")
    ROW_LONG("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", TOPIC, "0", 0, I64, "ms",
             "The shortest time before a record may be compacted away.")
    ROW_INT("min.insync.replicas", "min.insync.replicas", TOPIC, "1", 1, I32, "",
            "Accepted for Kafka's tools; an acknowledged record is durable without replicas.")
    ROW_BOOL("preallocate", "log.preallocate", TOPIC, "false",
             "Accepted for Kafka's tools; the write-ahead log is always written in advance.")
    ROW_BOOL("remote.log.copy.disable", NULL, TOPIC, "false", "Whether tiered storage stops taking segments.")
    ROW_BOOL("remote.log.delete.on.disable", NULL, TOPIC, "false",
             "Whether tiered segments are deleted when tiered storage is switched off.")
    ROW_BOOL("remote.storage.enable", NULL, TOPIC, "false", "Whether segments move to tiered storage.")
    ROW_LONG("retention.bytes", "log.retention.bytes", TOPIC, "-1", -1, I64, "bytes",
             "Bytes that a partition keeps before its oldest records go; -1 is no limit.")
    ROW_LONG("retention.ms", "log.retention.ms", TOPIC, "604800000", -1, I64, "ms",
             "How long records are kept; -1 is for ever.")
    ROW_INT("segment.bytes", "log.segment.bytes", TOPIC, "1073741824", 1048576, I32, "bytes",
            "Upper bound of one retention step; a larger batch is refused.")
    ROW_INT("segment.index.bytes", "log.index.size.max.bytes", TOPIC, "10485760", 4, I32, "bytes",
            "Accepted for Kafka's tools; indexes grow with their segment.")
    ROW_LONG("segment.jitter.ms", "log.roll.jitter.ms", TOPIC, "0", 0, I64, "ms",
             "Accepted for Kafka's tools; segments of different partitions are not rolled together.")
    ROW_LONG("segment.ms", "log.roll.ms", TOPIC, "604800000", 1, I64, "ms",
             "The longest time before a partition's newest records become subject to retention.")
    ROW_BOOL("unclean.leader.election.enable", "unclean.leader.election.enable", TOPIC, "false",
             "Accepted for Kafka's tools; nothing acknowledged is given up.")
    ROW_TEXT("strom.durability", NULL, TOPIC, "fsync", "fsync,os",
             "When a record is acknowledged: fsync, once it is on the disk; os, once the kernel has it.")

    // ---- topics: contracts. Without broker-wide defaults: see governance.h
    ROW_TEXT("strom.key.validation.level", NULL, TOPIC, "none", LEVELS,
             "What keys are held to: nothing; a schema id of their subject; the schema's structure; the "
             "contract with its rules.")
    ROW_TEXT("strom.value.validation.level", NULL, TOPIC, "none", LEVELS,
             "What values are held to: nothing; a schema id of their subject; the schema's structure; the "
             "contract with its rules.")
    ROW_TEXT("strom.validation.on.failure", NULL, TOPIC, "reject", "reject,dlq,mark,observe",
             "What becomes of a record that fails, unless its rule says: its batch is refused, it goes to "
             "the dead letter topic, it gets a header, or it is only counted, whatever its rule says.")
    ROW_TEXT("strom.validation.dlq.topic", NULL, TOPIC, "", NULL,
             "Where records go that are set aside; empty for this topic's name with .dlq behind it.")
    ROW_TEXT("strom.key.subject", NULL, TOPIC, "", NULL,
             "The subject of keys; empty for the topic's association, else the subject name strategy.")
    ROW_TEXT("strom.value.subject", NULL, TOPIC, "", NULL,
             "The subject of values; empty for the topic's association, else the subject name strategy.")
    ROW_INT("strom.key.schema.version.min", NULL, TOPIC, "0", -1, I32, "",
            "The lowest version of its subject that a key may be written with; -1 for the newest only.")
    ROW_INT("strom.value.schema.version.min", NULL, TOPIC, "0", -1, I32, "",
            "The lowest version of its subject that a value may be written with; -1 for the newest only.")
    ROW_TEXT("strom.value.null", NULL, TOPIC, "accept", "accept,reject",
             "Whether a null value, a tombstone, passes where values are held to something.")
    ROW_BOOL("confluent.key.schema.validation", NULL, TOPIC, "false",
             "Confluent's name of strom.key.validation.level=id; the stricter of the two holds.")
    ROW_BOOL("confluent.value.schema.validation", NULL, TOPIC, "false",
             "Confluent's name of strom.value.validation.level=id; the stricter of the two holds.")
    ROW_TEXT("confluent.key.subject.name.strategy", NULL, TOPIC, SUBJECT_STRATEGY_TOPIC, STRATEGIES,
             "How the subject of a key is named, where nothing else names it.")
    ROW_TEXT("confluent.value.subject.name.strategy", NULL, TOPIC, SUBJECT_STRATEGY_TOPIC, STRATEGIES,
             "How the subject of a value is named, where nothing else names it.")

    // ---- broker: the defaults of topics
    ROW_LIST("log.cleanup.policy", NULL, DYNAMIC, "delete", POLICIES, "Default of cleanup.policy.")
    ROW_INT("compression.gzip.level", NULL, DYNAMIC, "-1", -1, 9, "", "Default of compression.gzip.level.")
    ROW_INT("compression.lz4.level", NULL, DYNAMIC, "9", 1, 17, "", "Default of compression.lz4.level.")
    ROW_TEXT("compression.type", NULL, DYNAMIC, "producer", COMPRESSIONS, "Default of compression.type.")
    ROW_INT("compression.zstd.level", NULL, DYNAMIC, "3", -131072, 22, "",
            "Default of compression.zstd.level.")
    ROW_LONG("log.cleaner.delete.retention.ms", NULL, DYNAMIC, "86400000", 0, I64, "ms",
             "Default of delete.retention.ms.")
    ROW_LONG("log.segment.delete.delay.ms", NULL, DYNAMIC, "60000", 0, I64, "ms",
             "Default of file.delete.delay.ms.")
    ROW_LONG("log.flush.interval.messages", NULL, DYNAMIC, "9223372036854775807", 1, I64, "",
             "Default of flush.messages.")
    ROW_LONG("log.flush.interval.ms", NULL, DYNAMIC, NULL, 0, I64, "ms", "Default of flush.ms.")
    ROW_INT("log.index.interval.bytes", NULL, DYNAMIC, "4096", 0, I32, "bytes",
            "Default of index.interval.bytes.")
    ROW_INT("log.index.size.max.bytes", NULL, DYNAMIC, "10485760", 4, I32, "bytes",
            "Default of segment.index.bytes.")
    ROW_LONG("log.local.retention.bytes", NULL, DYNAMIC, "-2", -2, I64, "bytes",
             "Default of local.retention.bytes.")
    ROW_LONG("log.local.retention.ms", NULL, DYNAMIC, "-2", -2, I64, "ms", "Default of local.retention.ms.")
    ROW_LONG("log.cleaner.max.compaction.lag.ms", NULL, DYNAMIC, "9223372036854775807", 1, I64, "ms",
             "Default of max.compaction.lag.ms.")
    ROW_LONG("log.cleaner.min.compaction.lag.ms", NULL, DYNAMIC, "0", 0, I64, "ms",
             "Default of min.compaction.lag.ms.")
    ROW_DOUBLE("log.cleaner.min.cleanable.ratio", NULL, DYNAMIC, "0.5", 0, 1,
               "Default of min.cleanable.dirty.ratio.")
    ROW_INT("message.max.bytes", NULL, DYNAMIC, "1048588", 0, I32, "bytes", "Default of max.message.bytes.")
    ROW_LONG("log.message.timestamp.after.max.ms", NULL, DYNAMIC, "3600000", 0, I64, "ms",
             "Default of message.timestamp.after.max.ms.")
    ROW_LONG("log.message.timestamp.before.max.ms", NULL, DYNAMIC, "9223372036854775807", 0, I64, "ms",
             "Default of message.timestamp.before.max.ms.")
    ROW_TEXT("log.message.timestamp.type", NULL, DYNAMIC, "CreateTime", TIMESTAMPS,
             "Default of message.timestamp.type.")
    ROW_INT("min.insync.replicas", NULL, DYNAMIC, "1", 1, I32, "", "Default of min.insync.replicas.")
    ROW_BOOL("log.preallocate", NULL, DYNAMIC, "false", "Default of preallocate.")
    ROW_LONG("log.retention.bytes", NULL, DYNAMIC, "-1", -1, I64, "bytes", "Default of retention.bytes.")
    ROW_LONG("log.retention.ms", NULL, DYNAMIC, NULL, -1, I64, "ms",
             "Default of retention.ms; overrides log.retention.minutes and log.retention.hours.")
    ROW_INT("log.retention.minutes", NULL, STATIC, NULL, -1, I32, "minutes",
            "Default of retention.ms, in minutes; overrides log.retention.hours.")
    ROW_INT("log.retention.hours", NULL, STATIC, "168", -1, I32, "hours",
            "Default of retention.ms, in hours.")
    ROW_INT("log.segment.bytes", NULL, DYNAMIC, "1073741824", 1048576, I32, "bytes",
            "Default of segment.bytes.")
    ROW_LONG("log.roll.ms", NULL, DYNAMIC, NULL, 1, I64, "ms",
             "Default of segment.ms; overrides log.roll.hours.")
    ROW_INT("log.roll.hours", NULL, STATIC, "168", 1, I32, "hours", "Default of segment.ms, in hours.")
    ROW_LONG("log.roll.jitter.ms", NULL, DYNAMIC, NULL, 0, I64, "ms",
             "Default of segment.jitter.ms; overrides log.roll.jitter.hours.")
    ROW_INT("log.roll.jitter.hours", NULL, STATIC, "0", 0, I32, "hours",
            "Default of segment.jitter.ms, in hours.")
    ROW_LONG("leader.replication.throttled.rate", NULL, DYNAMIC, "9223372036854775807", 0, I64, "bytes",
             "Accepted for Kafka's tools; there are no followers.")
    ROW_LONG("follower.replication.throttled.rate", NULL, DYNAMIC, "9223372036854775807", 0, I64, "bytes",
             "Accepted for Kafka's tools; there are no followers.")
    ROW_LONG("replica.alter.log.dirs.io.max.bytes.per.second", NULL, DYNAMIC, "9223372036854775807", 0, I64,
             "bytes", "Accepted for Kafka's tools; there is one data directory.")
    ROW_BOOL("unclean.leader.election.enable", NULL, DYNAMIC, "false",
             "Default of the topics' unclean.leader.election.enable.")

    // ---- broker: Kafka's own
    ROW_LIST("listeners", NULL, STATIC, "PLAINTEXT://127.0.0.1:9092", NULL,
             "Where Kafka clients connect: NAME://host:port, ...")
    ROW_LIST("advertised.listeners", NULL, STATIC, NULL, NULL,
             "What clients are told to connect to; without it, the address that each of them used.")
    ROW_LIST("http.listeners", NULL, STATIC, "http://127.0.0.1:8081", NULL,
             "Where HTTP is served: http://host:port, ...; empty for nowhere.")
    ROW_TEXT("data.dir", NULL, STATIC, "./strom-data", NULL, "Where everything is stored.")
    ROW_LIST("log.dirs", NULL, STATIC, "./strom-data", NULL, "Kafka's name of data.dir.")
    ROW_INT("node.id", NULL, STATIC, "1", 0, I32, "", "The number of this broker.")
    ROW_INT("broker.id", NULL, STATIC, "1", 0, I32, "", "An older name of node.id.")
    ROW_TEXT("broker.rack", NULL, STATIC, NULL, NULL, "Where this broker stands, for clients that ask.")
    ROW_INT("num.partitions", NULL, STATIC, "1", 1, 200000, "",
            "Partitions of a topic that is made without saying how many.")
    ROW_INT("default.replication.factor", NULL, STATIC, "1", 1, 32767, "",
            "Accepted for Kafka's tools; one durable copy is kept.")
    ROW_BOOL("auto.create.topics.enable", NULL, STATIC, "true",
             "Whether asking for a topic that is not there makes it.")
    ROW_BOOL("delete.topic.enable", NULL, STATIC, "true", "Whether topics can be deleted.")
    ROW_LONG("log.retention.check.interval.ms", NULL, STATIC, "300000", 1, I64, "ms",
             "The longest time between two looks for records past their retention.")
    ROW_LONG("log.cleaner.dedupe.buffer.size", NULL, STATIC, "134217728", 65536, I64, "bytes",
             "Memory for the keys of the log that is being compacted; more of them take several rounds.")
    ROW_LONG("log.cleaner.backoff.ms", NULL, STATIC, "15000", 0, I64, "ms",
             "The shortest time between two looks for logs to compact.")
    ROW_INT("socket.request.max.bytes", NULL, STATIC, "104857600", 1, I32, "bytes",
            "The largest request; a larger one closes its connection.")
    ROW_INT("fetch.max.bytes", NULL, STATIC, "57671680", 1024, I32, "bytes",
            "The most that one fetch answer holds, save for a first batch that is larger.")
    ROW_INT("max.connections", NULL, STATIC, "20000", 0, I32, "", "Connections at once.")
    ROW_INT("max.connections.per.ip", NULL, STATIC, "20000", 0, I32, "",
            "Connections at once from one address.")
    ROW_INT("max.incremental.fetch.session.cache.slots", NULL, STATIC, "1000", 0, 100000, "",
            "Fetch sessions at once; consumers without one send full requests.")
    ROW_LONG("min.incremental.fetch.session.eviction.ms", NULL, STATIC, "120000", 0, I32, "ms",
             "How long a fetch session is safe: unused for longer, it makes room for others.")
    ROW_INT("max.connection.creation.rate", NULL, STATIC, "2147483647", 1, I32, "",
            "New connections per second; more of them wait.")
    ROW_LONG("connections.max.idle.ms", NULL, STATIC, "600000", -1, I64, "ms",
             "How long a connection may be idle; -1 is for ever.")
    ROW_INT("num.network.threads", NULL, DYNAMIC, "0", 0, 1024, "",
            "Event loops that serve connections; 0 is one for each processor but one.")
    ROW_LONG("queued.max.request.bytes", NULL, STATIC, "-1", -1, I64, "bytes",
             "Bytes of requests that came and are not answered; at the limit one frame at a time is read on. "
             "-1 is a thirty-second of strom.memory.max.bytes.")
    ROW_INT("quota.window.num", NULL, STATIC, "11", 2, 64, "",
            "Windows over which the rates of quotas are taken.")
    ROW_INT("quota.window.size.seconds", NULL, STATIC, "1", 1, 3600, "seconds", "Length of one of them.")
    ROW_INT("producer.id.expiration.ms", NULL, DYNAMIC, "86400000", 1, I32, "ms",
            "How long the sequence of an idle idempotent producer is remembered.")

    // ---- broker: ours
    ROW_TEXT("strom.cluster.id", NULL, STATIC, NULL, NULL,
             "The cluster's id, for a new data directory; made by chance if not given.")
    ROW_TEXT("strom.registry.topic", NULL, STATIC, "_schemas", NULL,
             "The topic in which tools read the schema registry's changes; empty for none.")
    ROW_LONG("strom.wal.file.bytes", NULL, STATIC, "67108864", 1048576, 1LL << 30, "bytes",
             "Size of a file of the write-ahead log; the largest batch must fit into one.")
    ROW_LONG("strom.disk.reserve.bytes", NULL, STATIC, "67108864", 0, I64, "bytes",
             "Free space below which records, commits and transactions are refused, so that cleaning up "
             "stays possible.")
    ROW_LONG("strom.memory.max.bytes", NULL, STATIC, "1073741824", 67108864, I64, "bytes",
             "Memory of the whole broker. Half of it is for what travels: requests, the tail cache, answers "
             "being sent; limits of what stays, and of one request, are shares of it, unless they are given.")
    ROW_LONG("strom.tail.cache.bytes", NULL, STATIC, "67108864", 0, I64, "bytes",
             "Memory for the newest records, from which consumers that keep up are served.")
    ROW_LONG("strom.segment.cache.bytes", NULL, STATIC, "16777216", 65536, I64, "bytes",
             "Memory for the indexes of merged objects.")
    ROW_LONG("strom.fetch.session.cache.bytes", NULL, STATIC, "33554432", 0, I64, "bytes",
             "Memory for fetch sessions; one of them gets at most a quarter.")
    ROW_LONG("strom.merge.wal.bytes", NULL, DYNAMIC, "1073741824", 16384, I64, "bytes",
             "Unmerged bytes of the write-ahead log that start a merge.")
    ROW_LONG("strom.merge.extents.max", NULL, DYNAMIC, "200000", 64, I64, "",
             "Unmerged extents that start a merge.")
    ROW_LONG("strom.merge.age.ms", NULL, DYNAMIC, "600000", 1, I64, "ms",
             "Age of unmerged records that starts a merge.")
    ROW_LONG("strom.snapshot.wal.bytes", NULL, DYNAMIC, "134217728", 16384, I64, "bytes",
             "Bytes of the write-ahead log since the last snapshot that start the next one.")
    // ---- broker: groups
    ROW_INT("group.initial.rebalance.delay.ms", NULL, STATIC, "3000", 0, I32, "ms",
            "How long an empty group waits for further members before its first generation.")
    ROW_INT("group.min.session.timeout.ms", NULL, STATIC, "6000", 1, I32, "ms",
            "The shortest session timeout that a member may ask for.")
    ROW_INT("group.max.session.timeout.ms", NULL, STATIC, "1800000", 1, I32, "ms",
            "The longest session timeout that a member may ask for.")
    ROW_INT("group.max.size", NULL, STATIC, "2000", 1, 100000, "", "Members of one group at once.")
    ROW_INT("group.consumer.session.timeout.ms", NULL, STATIC, "45000", 1, I32, "ms",
            "How long a member of the consumer protocol may be silent.")
    ROW_INT("group.consumer.heartbeat.interval.ms", NULL, STATIC, "5000", 1, I32, "ms",
            "How often a member of the consumer protocol is to heartbeat.")
    ROW_INT("group.consumer.min.session.timeout.ms", NULL, STATIC, "45000", 1, I32, "ms",
            "The least that group.consumer.session.timeout.ms, or a group's own timeout, may be.")
    ROW_INT("group.consumer.max.session.timeout.ms", NULL, STATIC, "60000", 1, I32, "ms",
            "The most that group.consumer.session.timeout.ms, or a group's own timeout, may be.")
    ROW_INT("group.consumer.min.heartbeat.interval.ms", NULL, STATIC, "5000", 1, I32, "ms",
            "The least that group.consumer.heartbeat.interval.ms, or a group's own interval, may be.")
    ROW_INT("group.consumer.max.heartbeat.interval.ms", NULL, STATIC, "15000", 1, I32, "ms",
            "The most that group.consumer.heartbeat.interval.ms, or a group's own interval, may be.")
    ROW_LIST("group.consumer.assignors", NULL, STATIC, "uniform,range", ASSIGNORS,
             "Assignors that members of the consumer protocol may ask for; the first, if nobody does.")
    ROW_INT("group.consumer.max.size", NULL, STATIC, "2147483647", 1, I32, "",
            "Members of one group of the consumer protocol at once; never more than 100000.")
    ROW_TEXT("group.consumer.migration.policy", NULL, STATIC, "bidirectional", MIGRATIONS,
             "Which way groups with members may change over: upgrade, from the classic protocol to the "
             "consumer protocol; downgrade, back; both, or neither.")
    ROW_INT("offset.metadata.max.bytes", NULL, STATIC, "4096", 0, 32767, "bytes",
            "The longest text that may be committed with an offset.")
    ROW_INT("offsets.retention.minutes", NULL, STATIC, "10080", 1, I32, "minutes",
            "How long offsets are kept after their group lost its last member, or after the last commit "
            "outside a group.")
    ROW_LONG("offsets.retention.check.interval.ms", NULL, STATIC, "600000", 1, I64, "ms",
             "Time between two looks for offsets that are over their retention.")
    ROW_INT("strom.group.bytes.max", NULL, STATIC, "4194304", 65536, 8388608, "bytes",
            "Names, subscriptions and assignments of one group's members; at most a quarter of a log file.")
    ROW_LONG("strom.group.members.max", NULL, STATIC, "200000", 1, I64, "",
             "Members of all groups together, with ids that were handed out and not used yet.")
    ROW_LONG("strom.groups.bytes.max", NULL, STATIC, "67108864", 65536, I64, "bytes",
             "Memory for the members of all groups as they come and go; what of it is stored takes as much "
             "again.")
    ROW_LONG("strom.groups.max", NULL, DYNAMIC, "10000", 1, I64, "", "Groups at once.")
    ROW_LONG("strom.group.offsets.max", NULL, DYNAMIC, "2000000", 1, I64, "",
             "Committed offsets of all groups together.")
    ROW_INT("strom.quota.clients.max", NULL, STATIC, "10000", 1, 10000000, "",
            "Clients and addresses whose use of quotas is remembered; the longest silent go first.")
    ROW_LONG("strom.quotas.max", NULL, DYNAMIC, "10000", 1, I64, "", "Entities with quotas at once.")
    ROW_LONG("strom.documents.max", NULL, DYNAMIC, "1000000", 1, I64, "",
             "Documents of the registry at once: three or four for each version of a schema.")
    ROW_LONG("strom.documents.bytes.max", NULL, DYNAMIC, "134217728", 1, I64, "B",
             "Their keys and values together; all of them are held in memory.")
    ROW_LONG("strom.transactional.ids.max", NULL, DYNAMIC, "100000", 1, I64, "", "Transactional ids at once.")
    ROW_INT("transaction.max.timeout.ms", NULL, STATIC, "900000", 1, I32, "ms",
            "The longest transaction timeout that a producer may ask for.")
    ROW_INT("transactional.id.expiration.ms", NULL, DYNAMIC, "604800000", 1, I32, "ms",
            "How long a transactional id is remembered after its last transaction.")
    ROW_LONG("strom.producer.ids.max", NULL, DYNAMIC, "1000000", 1, I64, "",
             "Pairs of partition and idempotent producer that are remembered; the longest idle go first.")
    ROW_LONG("strom.topics.max", NULL, DYNAMIC, "200000", 1, I64, "", "Topics at once.")
    ROW_LONG("strom.partitions.max", NULL, DYNAMIC, "200000", 1, I64, "", "Partitions of all topics at once.")
    ROW_LONG("strom.first.request.max.bytes", NULL, STATIC, "4194304", 1024, I32, "bytes",
             "The largest first request of a connection.")
    ROW_LONG("strom.request.memory.max.bytes", NULL, STATIC, "268435456", 65536, I32, "bytes",
             "Memory for working on one request, and for its answer without records.")
    ROW_INT("strom.connection.inflight.max", NULL, STATIC, "100", 1, 100000, "",
            "Requests of one connection that are worked on at once.")
    ROW_LONG("strom.connection.output.max.bytes", NULL, STATIC, "8388608", 65536, I64, "bytes",
             "Answers waiting for one connection, above which no more of its requests are read.")
    ROW_LONG("strom.handshake.timeout.ms", NULL, STATIC, "10000", 1, I64, "ms",
             "How long a connection may take to its first whole request.")
    ROW_INT("strom.metrics.topics.max", NULL, STATIC, "1000", 0, 1000000, "",
            "Topics with metrics of their own; the traffic of the others is shown as one sum.")
    ROW_INT("strom.metrics.partitions.max", NULL, STATIC, "2000", 0, 1000000, "",
            "Partitions of topics, and likewise of groups, with metrics of their own.")
    ROW_BOOL("strom.listen.unprotected", NULL, STATIC, "false",
             "Allow listeners beyond loopback without TLS and authentication.")
    ROW_TEXT("strom.tcp.congestion", NULL, STATIC, NULL, NULL,
             "Congestion control of the connections; without it, the kernel's choice.")
    ROW_TEXT("strom.log.level", NULL, STATIC, "info", "error,warn,info,debug", "How much the program tells.")
};
// clang-format on

enum { SETTINGS_COUNT = sizeof settings / sizeof settings[0] };

uint32_t setting_count(void)
{
    return SETTINGS_COUNT;
}

const struct setting *setting_at(uint32_t index)
{
    ASSERT(index < SETTINGS_COUNT);
    return &settings[index];
}

const struct setting *setting_find(struct str name, enum setting_scope scope)
{
    for (uint32_t i = 0; i < SETTINGS_COUNT; i++) {
        bool is_scope = (settings[i].scope == SETTING_TOPIC) == (scope == SETTING_TOPIC);
        if (is_scope && str_equal(name, str_from_c(settings[i].name))) {
            return &settings[i];
        }
    }
    return NULL;
}

// ---- values

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool str_equal_nocase(struct str a, struct str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

static enum err value_refused(const struct setting *setting, struct str value, struct error *e,
                              const char *why)
{
    int shown = value.len > 64 ? 64 : (int)value.len;
    return FAIL(e, ERR_INVALID_CONFIG, "Invalid value %.*s for configuration %s: %s", shown, value.ptr,
                setting->name, why);
}

static enum err number_check(const struct setting *setting, struct str value, struct error *e)
{
    bool is_int = setting->type == SETTING_INT;
    int64_t number;
    if (!str_parse_i64(str_trim(value), &number) || (is_int && (number < INT32_MIN || number > INT32_MAX))) {
        return value_refused(setting, value, e,
                             is_int ? "Not a number of type INT" : "Not a number of type LONG");
    }
    char why[80];
    if (number < setting->min) {
        snprintf(why, sizeof why, "Value must be at least %" PRId64, setting->min);
        return value_refused(setting, value, e, why);
    }
    if (number > setting->max) {
        snprintf(why, sizeof why, "Value must be no more than %" PRId64, setting->max);
        return value_refused(setting, value, e, why);
    }
    return ERR_OK;
}

bool setting_parse_double(struct str text, double *ret)
{
    double number = 0;
    double place = 0; // 0 before the point
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.' && place == 0) {
            place = 1;
        } else if (c >= '0' && c <= '9' && text.len <= 32) {
            place /= 10;
            number = place == 0 ? number * 10 + (c - '0') : number + place * (c - '0');
            digits++;
        } else {
            return false;
        }
    }
    *ret = number;
    return digits > 0;
}

static enum err double_check(const struct setting *setting, struct str value, struct error *e)
{
    double number;
    if (!setting_parse_double(str_trim(value), &number)) {
        return value_refused(setting, value, e, "Not a number of type DOUBLE");
    }
    char why[80];
    if (number < (double)setting->min) {
        snprintf(why, sizeof why, "Value must be at least %" PRId64, setting->min);
        return value_refused(setting, value, e, why);
    }
    if (number > (double)setting->max) {
        snprintf(why, sizeof why, "Value must be no more than %" PRId64, setting->max);
        return value_refused(setting, value, e, why);
    }
    return ERR_OK;
}

static bool is_choice(const char *choices, struct str value)
{
    struct str rest = str_from_c(choices);
    while (rest.len > 0) {
        if (str_equal(str_cut(rest, ',', &rest), value)) {
            return true;
        }
    }
    return false;
}

static enum err choice_refused(const struct setting *setting, struct str value, struct error *e)
{
    char why[128];
    int len = snprintf(why, sizeof why, "String must be one of: ");
    for (const char *c = setting->choices; *c != '\0' && len < (int)sizeof why - 2; c++) {
        len += snprintf(why + len, sizeof why - (size_t)len, *c == ',' ? "%c " : "%c", *c);
    }
    return value_refused(setting, value, e, why);
}

static enum err list_check(const struct setting *setting, struct str value, struct error *e)
{
    struct str rest = str_trim(value);
    while (rest.len > 0) {
        struct str one = str_trim(str_cut(rest, ',', &rest));
        if (one.len == 0) {
            return value_refused(setting, value, e, "Configuration values must not be empty");
        }
        if (setting->choices != NULL && !is_choice(setting->choices, one)) {
            return choice_refused(setting, value, e);
        }
    }
    return ERR_OK;
}

enum err setting_check(const struct setting *setting, struct str value, struct error *e)
{
    if (value.ptr == NULL) {
        return value_refused(setting, STR("null"), e, "a value is needed");
    }
    if (value.len > ITEM_CONFIG_VALUE_MAX) {
        return value_refused(setting, value, e, "too long");
    }
    switch (setting->type) {
    case SETTING_BOOLEAN:
        if (!str_equal_nocase(str_trim(value), STR("true")) &&
            !str_equal_nocase(str_trim(value), STR("false"))) {
            return value_refused(setting, value, e, "Expected value to be either true or false");
        }
        return ERR_OK;
    case SETTING_INT:
    case SETTING_LONG:
        return number_check(setting, value, e);
    case SETTING_DOUBLE:
        return double_check(setting, value, e);
    case SETTING_LIST:
        return list_check(setting, value, e);
    case SETTING_STRING:
    case SETTING_PASSWORD:
        if (setting->choices != NULL && !is_choice(setting->choices, value)) {
            return choice_refused(setting, value, e);
        }
        return ERR_OK;
    }
    UNREACHABLE("a type that no row has");
}
