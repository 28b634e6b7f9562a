// SPDX-License-Identifier: Apache-2.0
// banned.h - calls that have a safer way. Included by the build into every file of ours.
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef USES_OPENSSL // its headers name parameters like what is banned
#include <openssl/evp.h>
#endif

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol gmtime localtime rand srand strncpy

#endif
