// SPDX-License-Identifier: Apache-2.0
// topic_dump.h - a _schemas topic of the Confluent registry as text, one record in each line: key, tab,
// value. What is left of it when only the last value of each key counts. Pure.
#ifndef CLI_TOPIC_DUMP_H
#define CLI_TOPIC_DUMP_H

#include "json/tree.h"

struct dumped_schema {
    const struct json_value *value; // {"subject","version","id","schema",...}
    bool is_deleted;
};
enum dumped_kind { DUMPED_CONFIG, DUMPED_MODE, DUMPED_ASSOCIATION };
struct dumped_setting {
    enum dumped_kind kind;
    struct str subject; // NULL ptr = the registry's own
    const struct json_value *value;
};
struct topic_dump {
    struct dumped_schema *schemas; // in the order of their ids, then versions
    size_t schema_count;
    struct dumped_setting *settings;
    size_t setting_count;
    size_t ignored; // records of other kinds
};

// topic_dump_read parses; everything lives in the arena and in `text`. ERR_INVALID_REQUEST with the line: not
// such a record. ERR_NO_MEMORY.
enum err topic_dump_read(struct str text, struct arena *arena, struct topic_dump *ret, struct error *e);

#endif
