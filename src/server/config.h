// SPDX-License-Identifier: Apache-2.0
// config.h - what the server was told at start: defaults, then the file, then STROM_* variables, then --set;
// later ones win. Every key is a row of core/setting.h; an unknown one is an error with a hint.
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "base/arena.h"
#include "core/item.h"
#include "core/setting.h"

struct config {
    struct arena arena;
    struct item_config *entries; // sorted by key, each key once
    uint32_t count;
};

void config_init(struct config *c);
void config_fini(struct config *c);
// config_set validates and stores one setting; `from` says where it came from ("--set", "strom.conf line 3").
enum err config_set(struct config *c, struct str key, struct str value, struct str from, struct error *e);
// config_assign splits "key=value".
enum err config_assign(struct config *c, struct str assignment, struct str from, struct error *e);
// config_parse reads a file's text: key=value lines, # and ! comments, blank lines.
enum err config_parse(struct config *c, struct str text, struct str file_name, struct error *e);
// config_environment takes STROM_<KEY> variables, dots as underscores: STROM_LOG_RETENTION_MS,
// STROM_DATA_DIR; keys that begin with "strom." drop it: STROM_WAL_FILE_BYTES. `find` looks one up.
enum err config_environment(struct config *c, struct str (*find)(const char *name), struct error *e);

// The value of a setting: as given, else its default; NULL ptr if neither.
struct str config_get(const struct config *c, struct str key);
int64_t config_i64(const struct config *c, struct str key);
bool config_bool(const struct config *c, struct str key);

// config_fit sets the limits that are shares of strom.memory.max.bytes and were not given, where their
// default is above their share. After everything was given.
enum err config_fit(struct config *c, struct error *e);
// config_check: settings that must go together do.
enum err config_check(const struct config *c, struct error *e);

struct endpoint {
    struct str host;
    int port;
};
// config_endpoint parses one listener: "PLAINTEXT://127.0.0.1:9092", "127.0.0.1:9092", ":9092",
// "http://[::1]:8081".
enum err config_endpoint(struct str text, struct endpoint *ret, struct error *e);
bool endpoint_is_loopback(const struct endpoint *endpoint);

#endif
