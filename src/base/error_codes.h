// SPDX-License-Identifier: Apache-2.0
// error_codes.h - one enum for the program; one table knows every foreign code.
// Columns: name, retriable, Kafka code (protocol error codes), HTTP status, MQTT 5 reason, text.
#ifndef BASE_ERROR_CODES_H
#define BASE_ERROR_CODES_H

// clang-format off
#define ERROR_TABLE(X) \
    X(ERR_OK,                           false,   0, 200, 0x00, "ok") \
    X(ERR_UNKNOWN,                      false,  -1, 500, 0x80, "the server met an unexpected condition") \
    X(ERR_OFFSET_OUT_OF_RANGE,          false,   1, 416, 0x83, "offset outside the log") \
    X(ERR_CORRUPT,                      true,    2, 400, 0x83, "damaged data: a checksum does not match") \
    X(ERR_UNKNOWN_PARTITION,            true,    3, 404, 0x83, "no such topic or partition") \
    X(ERR_INVALID_FETCH_SIZE,           false,   4, 400, 0x83, "invalid fetch size") \
    X(ERR_LEADER_NOT_AVAILABLE,         true,    5, 503, 0x88, "no leader for the partition right now") \
    X(ERR_NOT_LEADER,                   true,    6, 503, 0x88, "not the leader here") \
    X(ERR_TIMED_OUT,                    true,    7, 504, 0x83, "the request timed out") \
    X(ERR_BROKER_NOT_AVAILABLE,         false,   8, 503, 0x88, "broker not available") \
    X(ERR_REPLICA_NOT_AVAILABLE,        true,    9, 503, 0x88, "replica not available") \
    X(ERR_BATCH_TOO_LARGE,              false,  10, 413, 0x95, "batch over the size limit") \
    X(ERR_STALE_CONTROLLER_EPOCH,       false,  11, 409, 0x83, "the controller has moved") \
    X(ERR_OFFSET_METADATA_TOO_LARGE,    false,  12, 413, 0x95, "offset metadata over the limit") \
    X(ERR_NETWORK,                      true,   13, 503, 0x88, "the connection broke before an answer") \
    X(ERR_COORDINATOR_LOADING,          true,   14, 503, 0x88, "the coordinator is loading") \
    X(ERR_COORDINATOR_NOT_AVAILABLE,    true,   15, 503, 0x88, "no coordinator is available") \
    X(ERR_NOT_COORDINATOR,              true,   16, 503, 0x88, "not the coordinator here") \
    X(ERR_INVALID_TOPIC,                false,  17, 400, 0x90, "invalid topic name") \
    X(ERR_BATCH_OVER_SEGMENT,           false,  18, 413, 0x95, "batch larger than a segment") \
    X(ERR_NOT_ENOUGH_REPLICAS,          true,   19, 503, 0x88, "too few replicas in sync: not written") \
    X(ERR_TOO_FEW_REPLICAS_AFTER_APPEND, true,   20, 503, 0x88, "written, but to too few replicas in sync") \
    X(ERR_INVALID_ACKS,                 false,  21, 400, 0x83, "required acks must be -1, 0 or 1") \
    X(ERR_ILLEGAL_GENERATION,           false,  22, 409, 0x83, "group generation is not the current one") \
    X(ERR_INCONSISTENT_GROUP_PROTOCOL,  false,  23, 409, 0x83, "no protocol that all group members share") \
    X(ERR_INVALID_GROUP_ID,             false,  24, 400, 0x83, "invalid group id") \
    X(ERR_UNKNOWN_MEMBER_ID,            false,  25, 404, 0x83, "no such group member") \
    X(ERR_INVALID_SESSION_TIMEOUT,      false,  26, 400, 0x83, "session timeout outside the allowed range") \
    X(ERR_REBALANCE_IN_PROGRESS,        false,  27, 409, 0x83, "the group rebalances: join again") \
    X(ERR_INVALID_COMMIT_OFFSET_SIZE,   false,  28, 413, 0x95, "offset commit over the limit") \
    X(ERR_TOPIC_AUTHORIZATION,          false,  29, 403, 0x87, "not authorized for the topic") \
    X(ERR_GROUP_AUTHORIZATION,          false,  30, 403, 0x87, "not authorized for the group") \
    X(ERR_CLUSTER_AUTHORIZATION,        false,  31, 403, 0x87, "not authorized for the cluster") \
    X(ERR_INVALID_TIMESTAMP,            false,  32, 422, 0x83, "timestamp outside the accepted range") \
    X(ERR_UNSUPPORTED_SASL_MECHANISM,   false,  33, 400, 0x8c, "SASL mechanism not supported") \
    X(ERR_ILLEGAL_SASL_STATE,           false,  34, 401, 0x87, "not allowed in this authentication state") \
    X(ERR_UNSUPPORTED_VERSION,          false,  35, 400, 0x84, "API version not supported") \
    X(ERR_TOPIC_EXISTS,                 false,  36, 409, 0x83, "topic already exists") \
    X(ERR_INVALID_PARTITIONS,           false,  37, 400, 0x83, "invalid number of partitions") \
    X(ERR_INVALID_REPLICATION_FACTOR,   false,  38, 400, 0x83, "invalid replication factor") \
    X(ERR_INVALID_REPLICA_ASSIGNMENT,   false,  39, 400, 0x83, "invalid replica assignment") \
    X(ERR_INVALID_CONFIG,               false,  40, 422, 0x83, "invalid configuration") \
    X(ERR_NOT_CONTROLLER,               true,   41, 503, 0x88, "not the controller here") \
    X(ERR_INVALID_REQUEST,              false,  42, 400, 0x82, "invalid request") \
    X(ERR_UNSUPPORTED_FORMAT,           false,  43, 400, 0x99, "message format not supported") \
    X(ERR_POLICY_VIOLATION,             false,  44, 403, 0x87, "refused by a policy") \
    X(ERR_OUT_OF_ORDER_SEQUENCE,        false,  45, 409, 0x83, "sequence number out of order") \
    X(ERR_DUPLICATE_SEQUENCE,           false,  46, 409, 0x83, "sequence number seen before") \
    X(ERR_INVALID_PRODUCER_EPOCH,       false,  47, 409, 0x83, "producer epoch is stale") \
    X(ERR_INVALID_TXN_STATE,            false,  48, 409, 0x83, "not allowed in this transaction state") \
    X(ERR_INVALID_PRODUCER_ID_MAPPING,  false,  49, 409, 0x83, "producer id is of another transactional id") \
    X(ERR_TXN_TIMEOUT_TOO_LARGE,        false,  50, 400, 0x83, "transaction timeout over the limit") \
    X(ERR_CONCURRENT_TRANSACTIONS,      true,   51, 409, 0x83, "the previous transaction is still ending") \
    X(ERR_TXN_COORDINATOR_FENCED,       false,  52, 409, 0x83, "a newer transaction coordinator is active") \
    X(ERR_TRANSACTIONAL_ID_AUTHORIZATION, false,  53, 403, 0x87, "not authorized for the transactional id") \
    X(ERR_SECURITY_DISABLED,            false,  54, 403, 0x83, "security features are off") \
    X(ERR_OPERATION_NOT_ATTEMPTED,      false,  55, 424, 0x83, "not attempted because another part failed") \
    X(ERR_STORAGE,                      true,   56, 507, 0x97, "storage error: disk full or failing") \
    X(ERR_LOG_DIR_NOT_FOUND,            false,  57, 404, 0x83, "no such data directory") \
    X(ERR_SASL_AUTHENTICATION,          false,  58, 401, 0x86, "authentication failed") \
    X(ERR_UNKNOWN_PRODUCER_ID,          false,  59, 404, 0x83, "producer id not known") \
    X(ERR_REASSIGNMENT_IN_PROGRESS,     false,  60, 409, 0x83, "a reassignment is running") \
    X(ERR_TOKEN_AUTH_DISABLED,          false,  61, 403, 0x83, "delegation tokens are off") \
    X(ERR_TOKEN_NOT_FOUND,              false,  62, 404, 0x83, "no such delegation token") \
    X(ERR_TOKEN_OWNER_MISMATCH,         false,  63, 403, 0x87, "not an owner or renewer of the token") \
    X(ERR_TOKEN_REQUEST_NOT_ALLOWED,    false,  64, 403, 0x87, "no token requests on this connection") \
    X(ERR_TOKEN_AUTHORIZATION,          false,  65, 403, 0x87, "not authorized for delegation tokens") \
    X(ERR_TOKEN_EXPIRED,                false,  66, 401, 0x87, "the delegation token has expired") \
    X(ERR_INVALID_PRINCIPAL_TYPE,       false,  67, 400, 0x83, "principal type not supported") \
    X(ERR_NON_EMPTY_GROUP,              false,  68, 409, 0x83, "the group has members") \
    X(ERR_GROUP_ID_NOT_FOUND,           false,  69, 404, 0x83, "no such group") \
    X(ERR_FETCH_SESSION_NOT_FOUND,      true,   70, 404, 0x83, "fetch session not found") \
    X(ERR_FETCH_SESSION_EPOCH,          true,   71, 409, 0x83, "fetch session epoch is wrong") \
    X(ERR_LISTENER_NOT_FOUND,           true,   72, 404, 0x83, "the leader has no such listener") \
    X(ERR_TOPIC_DELETION_DISABLED,      false,  73, 403, 0x87, "topic deletion is disabled") \
    X(ERR_FENCED_LEADER_EPOCH,          true,   74, 409, 0x83, "leader epoch is older than ours") \
    X(ERR_UNKNOWN_LEADER_EPOCH,         true,   75, 409, 0x83, "leader epoch is newer than ours") \
    X(ERR_UNSUPPORTED_COMPRESSION,      false,  76, 400, 0x99, "compression not supported by this version") \
    X(ERR_STALE_BROKER_EPOCH,           false,  77, 409, 0x83, "broker epoch has changed") \
    X(ERR_OFFSET_NOT_AVAILABLE,         true,   78, 503, 0x83, "the high watermark is not known yet") \
    X(ERR_MEMBER_ID_REQUIRED,           false,  79, 409, 0x83, "join again with the member id given") \
    X(ERR_PREFERRED_LEADER_NOT_AVAILABLE, true,   80, 503, 0x88, "the preferred leader is not available") \
    X(ERR_GROUP_MAX_SIZE_REACHED,       false,  81, 409, 0x97, "the group is full") \
    X(ERR_FENCED_INSTANCE_ID,           false,  82, 409, 0x8e, "a newer member has this group instance id") \
    X(ERR_ELIGIBLE_LEADER_NOT_AVAILABLE, true,   83, 503, 0x88, "no eligible leader is available") \
    X(ERR_ELECTION_NOT_NEEDED,          true,   84, 409, 0x83, "no election is needed") \
    X(ERR_NO_REASSIGNMENT_IN_PROGRESS,  false,  85, 404, 0x83, "no reassignment is running") \
    X(ERR_GROUP_SUBSCRIBED_TO_TOPIC,    false,  86, 409, 0x83, "the group is subscribed to the topic") \
    X(ERR_INVALID_RECORD,               false,  87, 422, 0x99, "record refused") \
    X(ERR_UNSTABLE_OFFSET_COMMIT,       true,   88, 409, 0x83, "offsets of an open transaction are pending") \
    X(ERR_QUOTA_EXCEEDED,               true,   89, 429, 0x97, "client over quota") \
    X(ERR_PRODUCER_FENCED,              false,  90, 409, 0x83, "a newer producer with this id is active") \
    X(ERR_RESOURCE_NOT_FOUND,           false,  91, 404, 0x83, "no such resource") \
    X(ERR_DUPLICATE_RESOURCE,           false,  92, 409, 0x83, "the same resource twice in one request") \
    X(ERR_UNACCEPTABLE_CREDENTIAL,      false,  93, 422, 0x83, "credential not acceptable") \
    X(ERR_INCONSISTENT_VOTER_SET,       false,  94, 409, 0x83, "sender or receiver is not a voter") \
    X(ERR_INVALID_UPDATE_VERSION,       false,  95, 400, 0x83, "invalid update version") \
    X(ERR_FEATURE_UPDATE_FAILED,        false,  96, 500, 0x83, "could not update the finalized features") \
    X(ERR_PRINCIPAL_DESERIALIZATION,    false,  97, 400, 0x83, "the forwarded principal does not parse") \
    X(ERR_SNAPSHOT_NOT_FOUND,           false,  98, 404, 0x83, "no such snapshot") \
    X(ERR_POSITION_OUT_OF_RANGE,        false,  99, 416, 0x83, "position outside the snapshot") \
    X(ERR_UNKNOWN_TOPIC_ID,             true,  100, 404, 0x83, "topic id not known") \
    X(ERR_DUPLICATE_BROKER,             false, 101, 409, 0x83, "a broker with this id is registered") \
    X(ERR_BROKER_NOT_REGISTERED,        false, 102, 404, 0x83, "no broker with this id is registered") \
    X(ERR_INCONSISTENT_TOPIC_ID,        true,  103, 409, 0x83, "topic id does not match") \
    X(ERR_INCONSISTENT_CLUSTER_ID,      false, 104, 409, 0x83, "cluster id does not match") \
    X(ERR_TRANSACTIONAL_ID_NOT_FOUND,   false, 105, 404, 0x83, "no such transactional id") \
    X(ERR_FETCH_SESSION_TOPIC_ID,       true,  106, 409, 0x83, "topic ids mixed within a fetch session") \
    X(ERR_INELIGIBLE_REPLICA,           false, 107, 409, 0x83, "an ineligible replica in the in-sync set") \
    X(ERR_NEW_LEADER_ELECTED,           false, 108, 409, 0x83, "the change elected a new leader") \
    X(ERR_OFFSET_MOVED_TO_TIERED,       false, 109, 416, 0x83, "the offset has moved to tiered storage") \
    X(ERR_FENCED_MEMBER_EPOCH,          false, 110, 409, 0x83, "member epoch is fenced: join again") \
    X(ERR_UNRELEASED_INSTANCE_ID,       false, 111, 409, 0x83, "another member still holds the instance id") \
    X(ERR_UNSUPPORTED_ASSIGNOR,         false, 112, 400, 0x83, "assignor not supported") \
    X(ERR_STALE_MEMBER_EPOCH,           false, 113, 409, 0x83, "member epoch is stale: take the new one") \
    X(ERR_MISMATCHED_ENDPOINT_TYPE,     false, 114, 400, 0x83, "sent to the wrong type of endpoint") \
    X(ERR_UNSUPPORTED_ENDPOINT_TYPE,    false, 115, 400, 0x83, "endpoint type not supported") \
    X(ERR_UNKNOWN_CONTROLLER_ID,        false, 116, 404, 0x83, "no such controller") \
    X(ERR_UNKNOWN_SUBSCRIPTION_ID,      false, 117, 404, 0x83, "telemetry subscription is not current") \
    X(ERR_TELEMETRY_TOO_LARGE,          false, 118, 413, 0x95, "telemetry over the limit") \
    X(ERR_INVALID_REGISTRATION,         false, 119, 400, 0x83, "broker registration refused") \
    X(ERR_TRANSACTION_ABORTABLE,        false, 120, 409, 0x83, "the transaction must be aborted") \
    X(ERR_INVALID_RECORD_STATE,         false, 121, 409, 0x83, "record not acquired by this member") \
    X(ERR_SHARE_SESSION_NOT_FOUND,      true,  122, 404, 0x83, "share session not found") \
    X(ERR_INVALID_SHARE_SESSION_EPOCH,  true,  123, 409, 0x83, "share session epoch is wrong") \
    X(ERR_FENCED_STATE_EPOCH,           false, 124, 409, 0x83, "share group state epoch is fenced") \
    X(ERR_INVALID_VOTER_KEY,            false, 125, 409, 0x83, "voter key does not match") \
    X(ERR_DUPLICATE_VOTER,              false, 126, 409, 0x83, "already a voter") \
    X(ERR_VOTER_NOT_FOUND,              false, 127, 404, 0x83, "not a voter") \
    X(ERR_INVALID_REGULAR_EXPRESSION,   false, 128, 400, 0x83, "regular expression not valid") \
    X(ERR_REBOOTSTRAP_REQUIRED,         false, 129, 409, 0x9c, "metadata is stale: bootstrap again") \
    X(ERR_STREAMS_INVALID_TOPOLOGY,     false, 130, 400, 0x83, "topology not valid") \
    X(ERR_STREAMS_INVALID_TOPOLOGY_EPOCH, false, 131, 409, 0x83, "topology epoch not valid") \
    X(ERR_STREAMS_TOPOLOGY_FENCED,      false, 132, 409, 0x83, "topology epoch is outdated") \
    X(ERR_SHARE_SESSION_LIMIT,          true,  133, 429, 0x97, "too many share sessions") \
    /* ours: no Kafka code of their own */ \
    X(ERR_IO,                           false,  56, 500, 0x80, "input/output error") \
    X(ERR_NOT_FOUND,                    false,  -1, 404, 0x83, "not found") \
    X(ERR_EXISTS,                       false,  -1, 409, 0x83, "already exists") \
    X(ERR_NO_SPACE,                     true,   56, 507, 0x97, "no space left on the disk") \
    X(ERR_NO_MEMORY,                    true,   -1, 503, 0x97, "over a memory limit") \
    X(ERR_INVALID_SCHEMA,               false,  40, 422, 0x99, "invalid schema") \
    X(ERR_WOULD_BLOCK,                  true,   -1, 503, 0x80, "would block") \
    X(ERR_CLOSED,                       false,  -1, 503, 0x80, "closed by the other side") \
    X(ERR_MALFORMED,                    false,  42, 400, 0x81, "malformed input") \
    X(ERR_STOPPING,                     true,    6, 503, 0x8b, "the server is stopping") \
    X(ERR_READ_ONLY,                    false,  56, 503, 0x80, "the server is read-only: see its log") \
    X(ERR_STALE,                        true,   -1, 409, 0x83, "planned against an older state") \
    X(ERR_BUSY,                         true,   89, 429, 0x97, "too much work in flight")
// clang-format on

#endif
