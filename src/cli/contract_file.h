// SPDX-License-Identifier: Apache-2.0
// contract_file.h - a file that says all of a governed topic: its settings, and for key and value the schema
// with its metadata and rules, as the registry takes them. Owner: the command; what it points to lives in the
// run's arena.
//
//   {"topic": "orders", "partitions": 6, "settings": {"strom.validation.on.failure": "dlq"},
//    "value": {"level": "contract", "subject": "orders-value", "schemaType": "JSON", "schemaFile":
//    "order.json",
//              "references": [...], "metadata": {...}, "ruleSet": {...}},
//    "key": {...}}
//
// `schema` may stand in place of schemaFile: text, or JSON as it is. `level` is contract unless it says
// otherwise.
#ifndef CLI_CONTRACT_FILE_H
#define CLI_CONTRACT_FILE_H

#include "cli/schema.h"
#include "core/governance.h"

enum { CONTRACT_FILE_BYTES_MAX = 8 << 20, CONTRACT_SETTINGS_MAX = 64 };

struct contract_side {
    bool is_there;
    struct str subject;
    struct str level;
    const struct json_value *body; // of a registration
    struct str metadata;           // JSON; NULL ptr = none
    struct str rule_set;
};

struct contract_file {
    struct str path;
    struct str topic;
    int64_t partitions;           // -1 = not said
    struct item_config *settings; // sorted by key: those of the file, and what its sides mean
    uint32_t setting_count;
    struct contract_side sides[SIDE_COUNT];
};

// contract_file_read: false after saying what is wrong with it.
bool contract_file_read(struct run *run, struct str path, struct contract_file *ret);

extern const char *const contract_side_names[SIDE_COUNT]; // "key", "value"

#endif
