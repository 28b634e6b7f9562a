// SPDX-License-Identifier: Apache-2.0
// log.h - what happened, for people: one line per event on the sink the program chose. Only broker and above
// log.
#ifndef RUNTIME_LOG_H
#define RUNTIME_LOG_H

#include "base/error.h"
#include "platform/env.h"

enum trace_level { TRACE_ERROR, TRACE_WARN, TRACE_INFO, TRACE_DEBUG };

struct tracer; // thread-safe; NULL is silent
// tracer_create: `write` gets whole lines without newline, at most 1,023 bytes, possibly from several threads
// at once; level filters; rate-limited per call site text (1,000/s), which must be a literal.
struct tracer *tracer_create(struct env *env, enum trace_level level,
                             void (*write)(void *arg, enum trace_level level, struct str line), void *arg);
// tracer_level tells, and tracer_level_set changes, what is let through; of NULL it is TRACE_ERROR.
enum trace_level tracer_level(const struct tracer *t);
void tracer_level_set(struct tracer *t, enum trace_level level);
void tracer_destroy(struct tracer *take_tracer);
void trace(struct tracer *t, enum trace_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
