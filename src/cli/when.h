// SPDX-License-Identifier: Apache-2.0
// when.h - dates, times and durations as people and ISO 8601 write them. Pure.
#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include "base/bytes.h"

enum { WHEN_TEXT_SIZE = 80 };

// when_parse reads "2026-01-31", "2026-01-31T12:30", with ":45" and ".250", and "Z" or "+02:00" behind it;
// without a zone it is UTC, as for Kafka's tools. "@MS" is milliseconds since 1970. false if it is none, or
// before 1970.
bool when_parse(struct str text, int64_t *ret_ms);
// duration_parse reads ISO 8601 durations: "P1DT2H30M5.5S", "PT15M", "P2W".
bool duration_parse(struct str text, int64_t *ret_ms);
// when_format writes "2026-01-31T12:30:45.250Z". 0 <= ms < year 10000.
void when_format(int64_t ms, char ret_text[WHEN_TEXT_SIZE]);
// span_format writes a span of time for people: "45 s", "3 min 20 s", "2 h 5 min", "12 d 3 h".
void span_format(int64_t seconds, char ret_text[WHEN_TEXT_SIZE]);

#endif
