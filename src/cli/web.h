// SPDX-License-Identifier: Apache-2.0
// web.h - a small HTTP/1.1 client over the seam: one connection, kept alive, one call at a time with a
// deadline. The grammar is the http-parser library's. Owner: one thread.
#ifndef CLI_WEB_H
#define CLI_WEB_H

#include "base/arena.h"
#include "base/buf.h"
#include "platform/env.h"

enum { WEB_PORT = 8081, WEB_ANSWER_BYTES_MAX = 256 << 20 };

struct web;

// web_create checks the URL, "http://host[:port][/prefix]", and connects to nothing yet. ERR_INVALID_REQUEST.
enum err web_create(struct env *env, struct str url, int64_t timeout_ms, struct web **ret_web,
                    struct error *e);
void web_destroy(struct web *take_web); // NULL is a no-op
struct str web_url(const struct web *web);

// web_call sends a request (body NULL ptr = none) and waits for its answer, whose body lives in the arena. A
// status that says an error is ERR_OK here. A kept connection that the server has closed meanwhile is opened
// once more. ERR_NETWORK: nothing answered, or what answers does not speak HTTP.
enum err web_call(struct web *web, const char *method, struct str path, struct str body, struct arena *arena,
                  int *ret_status, struct str *ret_body, struct error *e);
// web_escape appends a path segment or a query value, percent-encoded.
void web_escape(struct str text, struct buf *out);

#endif
