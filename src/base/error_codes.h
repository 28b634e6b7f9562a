// SPDX-License-Identifier: Apache-2.0
// error_codes.h - one enum for the program; one table knows every foreign code.
// Columns: name, retriable, Kafka code (protocol error codes), HTTP status, MQTT 5 reason, text.
#ifndef BASE_ERROR_CODES_H
#define BASE_ERROR_CODES_H

// clang-format off
#define ERROR_TABLE(X) \
    X(ERR_OK,                          false,   0, 200, 0x00, "ok") \
    X(ERR_UNKNOWN,                     false,  -1, 500, 0x80, "the server met an unexpected condition") \
    X(ERR_OFFSET_OUT_OF_RANGE,         false,   1, 416, 0x83, "offset outside the log") \
    X(ERR_CORRUPT,                     true,    2, 400, 0x83, "damaged data: a checksum does not match") \
    X(ERR_UNKNOWN_PARTITION,           true,    3, 404, 0x83, "no such topic or partition") \
    X(ERR_LEADER_NOT_AVAILABLE,        true,    5, 503, 0x88, "no leader for the partition right now") \
    X(ERR_NOT_LEADER,                  true,    6, 503, 0x88, "not the leader here") \
    X(ERR_TIMED_OUT,                   true,    7, 504, 0x83, "the request timed out") \
    X(ERR_BATCH_TOO_LARGE,             false,  10, 413, 0x95, "batch over the size limit") \
    X(ERR_COORDINATOR_LOADING,         true,   14, 503, 0x88, "the coordinator is loading") \
    X(ERR_COORDINATOR_NOT_AVAILABLE,   true,   15, 503, 0x88, "no coordinator is available") \
    X(ERR_INVALID_TOPIC,               false,  17, 400, 0x90, "invalid topic name") \
    X(ERR_BATCH_OVER_SEGMENT,          false,  18, 413, 0x95, "batch larger than a segment") \
    X(ERR_INVALID_ACKS,                false,  21, 400, 0x83, "required acks must be -1, 0 or 1") \
    X(ERR_INVALID_GROUP_ID,            false,  24, 400, 0x83, "invalid group id") \
    X(ERR_INVALID_TIMESTAMP,           false,  32, 422, 0x83, "timestamp outside the accepted range") \
    X(ERR_UNSUPPORTED_VERSION,         false,  35, 400, 0x84, "API version not supported") \
    X(ERR_TOPIC_EXISTS,                false,  36, 409, 0x83, "topic already exists") \
    X(ERR_INVALID_PARTITIONS,          false,  37, 400, 0x83, "invalid number of partitions") \
    X(ERR_INVALID_REPLICATION_FACTOR,  false,  38, 400, 0x83, "invalid replication factor") \
    X(ERR_INVALID_REPLICA_ASSIGNMENT,  false,  39, 400, 0x83, "invalid replica assignment") \
    X(ERR_INVALID_CONFIG,              false,  40, 422, 0x83, "invalid configuration") \
    X(ERR_INVALID_REQUEST,             false,  42, 400, 0x82, "invalid request") \
    X(ERR_UNSUPPORTED_FORMAT,          false,  43, 400, 0x99, "message format not supported") \
    X(ERR_POLICY_VIOLATION,            false,  44, 403, 0x87, "refused by a policy") \
    X(ERR_OUT_OF_ORDER_SEQUENCE,       false,  45, 409, 0x83, "sequence number out of order") \
    X(ERR_INVALID_PRODUCER_EPOCH,      false,  47, 409, 0x83, "producer epoch is stale") \
    X(ERR_INVALID_TXN_STATE,           false,  48, 409, 0x83, "not allowed in this transaction state") \
    X(ERR_TXN_TIMEOUT_TOO_LARGE,       false,  50, 400, 0x83, "transaction timeout over the limit") \
    X(ERR_STORAGE,                     true,   56, 507, 0x97, "storage error: disk full or failing") \
    X(ERR_UNKNOWN_PRODUCER_ID,         false,  59, 404, 0x83, "producer id not known") \
    X(ERR_FETCH_SESSION_NOT_FOUND,     true,   70, 404, 0x83, "fetch session not found") \
    X(ERR_FETCH_SESSION_EPOCH,         true,   71, 409, 0x83, "fetch session epoch is wrong") \
    X(ERR_TOPIC_DELETION_DISABLED,     false,  73, 403, 0x87, "topic deletion is disabled") \
    X(ERR_FENCED_LEADER_EPOCH,         true,   74, 409, 0x83, "leader epoch is older than ours") \
    X(ERR_UNKNOWN_LEADER_EPOCH,        true,   75, 409, 0x83, "leader epoch is newer than ours") \
    X(ERR_UNSUPPORTED_COMPRESSION,     false,  76, 400, 0x99, "compression not supported by this version") \
    X(ERR_INVALID_RECORD,              false,  87, 422, 0x99, "record refused") \
    X(ERR_QUOTA_EXCEEDED,              true,   89, 429, 0x97, "client over quota") \
    X(ERR_PRODUCER_FENCED,             false,  90, 409, 0x83, "a newer producer with this id is active") \
    X(ERR_UNKNOWN_TOPIC_ID,            true,  100, 404, 0x83, "topic id not known") \
    X(ERR_INCONSISTENT_TOPIC_ID,       true,  103, 409, 0x83, "topic id does not match") \
    X(ERR_FETCH_SESSION_TOPIC_ID,      true,  106, 409, 0x83, "topic ids mixed within a fetch session") \
    /* ours: no Kafka code of their own */ \
    X(ERR_IO,                          false,  56, 500, 0x80, "input/output error") \
    X(ERR_NOT_FOUND,                   false,  -1, 404, 0x83, "not found") \
    X(ERR_EXISTS,                      false,  -1, 409, 0x83, "already exists") \
    X(ERR_NO_SPACE,                    true,   56, 507, 0x97, "no space left on the disk") \
    X(ERR_NO_MEMORY,                   true,   -1, 503, 0x97, "over a memory limit") \
    X(ERR_WOULD_BLOCK,                 true,   -1, 503, 0x80, "would block") \
    X(ERR_CLOSED,                      false,  -1, 503, 0x80, "closed by the other side") \
    X(ERR_MALFORMED,                   false,  42, 400, 0x81, "malformed input") \
    X(ERR_STOPPING,                    true,    6, 503, 0x8b, "the server is stopping") \
    X(ERR_READ_ONLY,                   false,  56, 503, 0x80, "the server is read-only: see its log") \
    X(ERR_STALE,                       true,   -1, 409, 0x83, "planned against an older state") \
    X(ERR_BUSY,                        true,   89, 429, 0x97, "too much work in flight")
// clang-format on

#endif
