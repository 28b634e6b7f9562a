// SPDX-License-Identifier: Apache-2.0
// catalogue.h - what the operator did to topics and settings, and whether it was kept: acknowledged
// creations, deletions, partition counts and settings survive everything that records survive.
#ifndef SIM_CATALOGUE_H
#define SIM_CATALOGUE_H

#include "client.h"
#include "scenario.h"

enum { CHURN_TOPICS = 4 };

struct catalogue {
    struct churn_topic {
        bool is_present;
        bool is_in_doubt; // a call on it was not answered, and may still take effect: nothing is claimed
        int32_t partition_count;
    } churn[CHURN_TOPICS];
    struct {
        bool is_in_doubt;
        int64_t max_message_bytes; // 0 = never set
    } settings[TOPICS];
};

void catalogue_created(struct scenario *s, int topic, bool is_answered, enum err err, int32_t partitions);
void catalogue_deleted(struct scenario *s, int topic, bool is_answered, enum err err);
void catalogue_grown(struct scenario *s, int topic, bool is_answered, enum err err, int32_t partitions);
void catalogue_set(struct scenario *s, int topic, bool is_answered, enum err err, int64_t max_message_bytes);
// admin.c: one call; false = not answered, else the answer's error.
bool admin_create_topic_with(struct client *c, const char *name, int32_t partitions,
                             const struct create_topics_request_config *configs, int32_t config_count,
                             enum err *ret_err);
bool admin_create_topic(struct client *c, const char *name, int32_t partitions, enum err *ret_err);
bool admin_delete_topic(struct client *c, const char *name, enum err *ret_err);

// catalogue_check asks a broker for all of it, until the answers agree or patience ends.
void catalogue_check(struct scenario *s, struct client *client);

#endif
