// SPDX-License-Identifier: Apache-2.0
// compile_private.h - what compile.c (references, scopes, applicators) and compile_checks.c (all other
// keywords) share.
#ifndef FORMAT_JSON_COMPILE_PRIVATE_H
#define FORMAT_JSON_COMPILE_PRIVATE_H

#include "format/json/node_private.h"

struct scope {
    const struct jschema_anchor **binds; // by index of the name; NULL: none
    uint32_t count;
};

enum node_state { NODE_NEW, NODE_OPEN, NODE_DONE };

struct node_entry {
    struct map_node node;    // by value and scope
    struct map_node by_node; // by `made`
    struct jschema_place place;
    uint32_t scope;
    enum node_state state;
    struct jnode *made;
    struct node_entry *next;
};

struct compiler {
    struct jprogram *program;
    struct site_loose loose;
    struct arena scratch;
    struct map nodes;
    struct map entries;
    struct node_entry *first;
    struct node_entry *last;
    struct str *names; // of dynamic anchors
    uint32_t name_count;
    struct scope *scopes; // 0 is the empty one
    uint32_t scope_count;
    struct in_place *ops; // of the node at hand
    uint32_t op_count;
    uint32_t op_cap;
    struct jnode *any;
    size_t fold_bytes; // of compile_fold
    bool is_full;
    bool is_endless;
};

struct jnode *compile_place(struct compiler *c, struct jschema_place place, uint32_t scope);
// compile_sub: NULL for NULL.
struct jnode *compile_sub(struct compiler *c, const struct node_entry *outer, const struct json_value *value);
struct node_entry *compile_entry_of(struct compiler *c, const struct jnode *node);

// compile_fast says how fast.c judges by a node, once all nodes are made.
void compile_fast(struct compiler *c, struct jnode *node);
// compile_fold makes what applies in place part of the node's object, as far as it can.
void compile_fold(struct compiler *c, struct jnode *node);
// compile_table makes room for so many names; compile_property finds a name in it, or adds it.
bool compile_table(struct compiler *c, struct object_check *check, size_t names);
uint32_t compile_property(struct compiler *c, struct object_check *check, struct str name);
// compile_key: false if the text is too long for a key, or is written with escapes.
bool compile_key(struct key *key, struct str text);

enum err compile_checks(struct compiler *c, struct node_entry *entry, const struct keywords *k,
                        struct error *e);

#endif
