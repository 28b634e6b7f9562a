// SPDX-License-Identifier: Apache-2.0
// error.h - how a function says what went wrong: it returns enum err, and may fill struct error.
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error_codes.h"

// An ignored enum err is a warning wherever the compiler can say so (clang).
#ifdef __clang__
#define ERR_CHECKED __attribute__((warn_unused_result))
#else
#define ERR_CHECKED
#endif

enum ERR_CHECKED err {
#define X(name, retriable, kafka, http, mqtt5, text) name,
    ERROR_TABLE(X)
#undef X
        ERR_COUNT
};

enum { ERROR_TEXT_SIZE = 256 };

struct error {
    enum err code;
    const char *file;
    int line;
    char text[ERROR_TEXT_SIZE]; // NUL-terminated, without the code's own text
};

// error_set fills e (may be NULL) and returns code.
enum err error_set(struct error *e, enum err code, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
// error_wrap puts context before the text ("orders-3: open segment 42: ...") and returns e's code.
void error_wrap(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define FAIL(e, code, ...) error_set((e), (code), __FILE__, __LINE__, __VA_ARGS__)

const char *err_name(enum err code); // "ERR_CORRUPT"
const char *err_text(enum err code); // one line for people
int16_t err_kafka(enum err code);    // Kafka protocol error code
int err_http(enum err code);         // HTTP status
bool err_is_retriable(enum err code);
// err_from_kafka finds the first of our codes with this Kafka code; ERR_UNKNOWN where none has.
enum err err_from_kafka(int16_t kafka_code);
// err_kafka_name is Kafka's own word for a protocol error code, -1 to ERR_KAFKA_MAX, as its documentation has
// it: "UNKNOWN_TOPIC_OR_PARTITION".
enum { ERR_KAFKA_MAX = 133 };
const char *err_kafka_name(int16_t kafka_code);

#endif
