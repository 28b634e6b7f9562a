// SPDX-License-Identifier: Apache-2.0
// config.h - what the verbs of `strom config` share: whose settings, and changing them.
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "cli/cli_private.h"

enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4, RESOURCE_GROUP = 32 };
enum { CONFIG_SET = 0, CONFIG_DELETE = 1, CONFIG_APPEND = 2, CONFIG_SUBTRACT = 3 };

// Whose settings: what --topic, --group, --broker and --id say.
struct config_target {
    int8_t type;
    struct str name;  // of a broker its id, or "" for the whole cluster
    const char *text; // "topic orders"
};

// The flags of a target; `what` begins their help: "Change", "Show".
#define CONFIG_TARGET_FLAGS(what, broker_text)                                                               \
    {"topic", ARGS_TEXT, "NAME", NULL, 0, 0, what " this topic's settings.", ARGS_WORDS_TOPIC},              \
        {"group",                                                                                            \
         ARGS_TEXT,                                                                                          \
         "NAME",                                                                                             \
         NULL,                                                                                               \
         0,                                                                                                  \
         0,                                                                                                  \
         what " this group's settings (groups that the broker leads, KIP-1043).",                            \
         ARGS_WORDS_GROUP},                                                                                  \
        {"broker", ARGS_SWITCH, NULL, NULL, 0, 0, broker_text},                                              \
    {                                                                                                        \
        "id", ARGS_INT, "N", NULL, 0, INT32_MAX, "With --broker: those of this one broker."                  \
    }

// config_target_choose reads the flags; nothing given is the broker. false after saying what is wrong.
bool config_target_choose(struct run *run, struct config_target *ret);
// config_change sends changes; false after saying why they were refused. `is_trial` changes nothing: the
// broker says only whether it would.
bool config_change(struct run *run, const struct config_target *target,
                   struct incremental_alter_configs_request_config *changes, size_t count, bool is_trial,
                   const char *what);

extern const struct cli_command config_describe_command;
extern const struct cli_command config_list_command;
extern const struct cli_command config_get_command;

#endif
