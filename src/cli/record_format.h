// SPDX-License-Identifier: Apache-2.0
// record_format.h - how `strom consume` prints a record: a format in kcat's manner, or a JSON object. Pure.
#ifndef CLI_RECORD_FORMAT_H
#define CLI_RECORD_FORMAT_H

#include "json/write.h"
#include "record/iterate.h"

// What a format may name: %t topic, %p partition, %o offset, %T timestamp in ms, %k key, %v or %s value,
// %K %S bytes of key and value (-1 = null), %h headers ("a=1,b=2"), %% a percent sign; \n \r \t \0 \xNN \\.
struct record_place {
    struct str topic;
    int32_t partition;
};

// record_format_check finds what is wrong with a format. ERR_INVALID_REQUEST.
enum err record_format_check(struct str format, struct error *e);
// record_format_print appends one record; the format was checked. A null key or value prints as `null_text`.
void record_format_print(struct str format, struct str null_text, const struct record_place *place,
                         const struct record *record, struct buf *out);
// record_json_print appends one line: topic, partition, offset, timestamp, key, value, headers. What is not
// UTF-8 is null there and in base64 beside it: "value_base64".
void record_json_print(const struct record_place *place, const struct record *record, struct json *json);

#endif
