// SPDX-License-Identifier: Apache-2.0
// fetch_session.h - incremental fetch sessions (KIP-227): what a consumer wants of its partitions and what it
// was told of them last, so that requests carry only changes and answers only news. Soft state of the whole
// broker: a session is found on whichever loop its client's connection runs.
//
// Bounded in number and in bytes. Where there is no room a client gets no session, and goes on with full
// requests. A session is used by one request at a time, from begin to end; a second one that comes meanwhile
// has the wrong epoch. So its partitions need no lock, and the cache's lock is held for short steps only.
#ifndef BROKER_FETCH_SESSION_H
#define BROKER_FETCH_SESSION_H

#include "broker/broker.h"

struct fetch_sessions;
struct fetch_session;

enum { FETCH_SESSION_NONE = 0, FETCH_EPOCH_INITIAL = 0, FETCH_EPOCH_FINAL = -1 };
static inline int32_t fetch_epoch_next(int32_t epoch)
{
    return epoch == INT32_MAX ? FETCH_EPOCH_INITIAL + 1 : epoch + 1;
}

struct fetch_session_limits {
    uint32_t count_max;  // max.incremental.fetch.session.cache.slots
    size_t bytes_max;    // strom.fetch.session.cache.bytes; a quarter of it for one session
    int64_t eviction_ms; // min.incremental.fetch.session.eviction.ms
};

struct fetch_sessions *fetch_sessions_create(struct env *env, const struct fetch_session_limits *limits,
                                             struct metrics *m);
void fetch_sessions_destroy(struct fetch_sessions *take_sessions); // nothing is in use any more

// fetch_session_create remembers what a full fetch asked for and was told. Returns the new session's id, or
// FETCH_SESSION_NONE where there is no room.
int32_t fetch_session_create(struct fetch_sessions *sessions, const struct fetch_part *parts, uint32_t count,
                             bool uses_topic_ids, int64_t now_ns);
// fetch_session_close forgets a session; unknown ones are let pass.
void fetch_session_close(struct fetch_sessions *sessions, int32_t id);

// fetch_session_begin takes a session for one request. ERR_FETCH_SESSION_NOT_FOUND, ERR_FETCH_SESSION_EPOCH
// (also while another request uses it), ERR_FETCH_SESSION_TOPIC_ID: it was made with topic names and is asked
// with ids, or the other way round.
enum err fetch_session_begin(struct fetch_sessions *sessions, int32_t id, int32_t epoch, bool uses_topic_ids,
                             int64_t now_ns, struct fetch_session **ret_session);
void fetch_session_end(struct fetch_session *take_session);

// Between begin and end:
int32_t fetch_session_id(const struct fetch_session *session);
uint32_t fetch_session_count(const struct fetch_session *session); // partitions
// fetch_session_change adds or updates partitions, then drops those forgotten (of which only topic and
// partition are looked at). A session that is empty then is closed, and so is one that may not grow:
// ERR_FETCH_SESSION_NOT_FOUND, which makes the client start anew.
enum err fetch_session_change(struct fetch_session *session, const struct fetch_part *asked, uint32_t count,
                              const struct fetch_part *forgotten, uint32_t forgotten_count, int64_t now_ns);
// fetch_session_fill writes what is asked of each partition, in the session's order; names point into the
// session.
void fetch_session_fill(const struct fetch_session *session, struct fetch_part *ret_parts);
// fetch_session_news picks, of the answered parts (all of the session, in fill's order), those that the
// client does not know yet: records, an error, another bound. It remembers them as told and moves them to the
// end of the session's order, so that no partition starves another. Returns their number.
uint32_t fetch_session_news(struct fetch_session *session, struct fetch_part *parts,
                            struct fetch_part **ret_news);

#endif
