// SPDX-License-Identifier: Apache-2.0
// glob.h - patterns for names as shells have them: * is any text, ? one character. Pure.
#ifndef CLI_GLOB_H
#define CLI_GLOB_H

#include "base/bytes.h"

bool glob_is_pattern(struct str text);
bool glob_match(struct str pattern, struct str text);

#endif
