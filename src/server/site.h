// SPDX-License-Identifier: Apache-2.0
// site.h - everything that is served over HTTP: one server on a loop and a thread of its own, so that parsing
// a schema delays no Kafka client. Wires admin.h and the schema registry.
#ifndef SERVER_SITE_H
#define SERVER_SITE_H

#include "govern/govern.h"

struct site;
// site_create attaches `govern` to the broker, which has started: contracts are loaded on the site's loop.
struct site *site_create(struct broker *broker, struct metrics *metrics, struct govern *govern);
void site_listen(struct site *site, struct sock *take_listener); // before site_start
void site_start(struct site *site);
// site_stop_begin stops serving, from any thread; site_stop_end returns when all are answered and the thread
// is gone. Both take NULL.
void site_stop_begin(struct site *site);
void site_stop_end(struct site *site);
void site_destroy(struct site *take_web); // NULL is a no-op

#endif
