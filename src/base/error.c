// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

static const struct {
    const char *name;
    const char *text;
    int16_t kafka;
    int16_t http;
    bool is_retriable;
} error_rows[ERR_COUNT] = {
#define X(name, retriable, kafka, http, mqtt5, text) {#name, text, kafka, http, retriable},
    ERROR_TABLE(X)
#undef X
};

enum err error_set(struct error *e, enum err code, const char *file, int line, const char *format, ...)
{
    if (e != NULL) {
        e->code = code;
        e->file = file;
        e->line = line;
        va_list args;
        va_start(args, format);
        vsnprintf(e->text, sizeof e->text, format, args);
        va_end(args);
    }
    return code;
}

void error_wrap(struct error *e, const char *format, ...)
{
    if (e == NULL) {
        return;
    }
    char inner[ERROR_TEXT_SIZE];
    memcpy(inner, e->text, sizeof inner);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    ASSERT(length >= 0);
    size_t used = (size_t)length < sizeof e->text ? (size_t)length : sizeof e->text - 1;
    for (const char *p = ": "; *p != '\0' && used + 1 < sizeof e->text; p++) {
        e->text[used++] = *p;
    }
    for (const char *p = inner; *p != '\0' && used + 1 < sizeof e->text; p++) {
        e->text[used++] = *p;
    }
    e->text[used] = '\0';
}

const char *err_name(enum err code)
{
    ASSERT(code < ERR_COUNT);
    return error_rows[code].name;
}

const char *err_text(enum err code)
{
    ASSERT(code < ERR_COUNT);
    return error_rows[code].text;
}

int16_t err_kafka(enum err code)
{
    ASSERT(code < ERR_COUNT);
    return error_rows[code].kafka;
}

int err_http(enum err code)
{
    ASSERT(code < ERR_COUNT);
    return error_rows[code].http;
}

bool err_is_retriable(enum err code)
{
    ASSERT(code < ERR_COUNT);
    return error_rows[code].is_retriable;
}

enum err err_from_kafka(int16_t kafka_code)
{
    for (int i = 0; i < ERR_COUNT; i++) {
        if (error_rows[i].kafka == kafka_code) {
            return (enum err)i;
        }
    }
    return ERR_UNKNOWN;
}
