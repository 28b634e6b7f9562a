// SPDX-License-Identifier: Apache-2.0
// tally.c - the names of the cells in which the log counts (core/tallies.c): whose records, and a contract or
// a rule of one. What is here is stored: docs/formats/tally.md.
#include "govern/govern_private.h"

enum {
    TALLY_CLIENT_MAX = 255, // bytes of each text, the rest is cut off
    TALLY_PRINCIPAL_MAX = 255,
    TALLY_RULE_MAX = 255,
    TALLY_PATH_MAX = CONTRACT_PATH_SIZE,
    TALLY_WHO_NULL = 0xff, // instead of the length of a client id that was not told ...
    WHAT_RECORD = 0,
    WHAT_FINDING = 1, // and the side
    WHAT_FIXED = 1 + 4 + 2,
};
_Static_assert(WHAT_FIXED + REGISTRY_SUBJECT_BYTES_MAX + 1 + TALLY_RULE_MAX + TALLY_PATH_MAX <=
                   ITEM_TALLY_KEY_MAX,
               "every name fits");
_Static_assert(TALLY_PASSED == (int)CONTRACT_PASS && TALLY_REFUSED == (int)CONTRACT_REJECT &&
                   TALLY_RECORD_KINDS == (int)OUTCOME_COUNT,
               "kinds are actions");

static uint8_t *put(uint8_t *at, struct str text)
{
    if (text.len > 0) {
        memcpy(at, text.ptr, text.len);
    }
    return at + text.len;
}

static struct str clipped(struct str text, size_t max)
{
    return (struct str){text.ptr, text.len > max ? max : text.len};
}

struct bytes tally_who_encode(struct str client_id, struct str principal, struct arena *arena)
{
    struct str client = clipped(client_id, TALLY_CLIENT_MAX - 1);
    struct str user = clipped(principal, TALLY_PRINCIPAL_MAX);
    size_t len = 1 + client.len + user.len;
    uint8_t *bytes = arena_new(arena, uint8_t, len);
    if (bytes == NULL) {
        return (struct bytes){NULL, 0};
    }
    bytes[0] = client.ptr == NULL ? TALLY_WHO_NULL : (uint8_t)client.len;
    put(put(bytes + 1, client), user);
    return bytes_of(bytes, len);
}

static struct str rest_of(struct reader *r)
{
    size_t len = reader_left(r);
    const char *text = (const char *)reader_take(r, len);
    return (struct str){text, len};
}

static struct str text_of(struct reader *r, size_t len)
{
    const char *text = (const char *)reader_take(r, len);
    return (struct str){text, r->failed ? 0 : len};
}

void tally_who_decode(struct bytes who, struct series_name *ret)
{
    ret->client_id = ret->principal = STR("(others)");
    if (who.len == 0) {
        return;
    }
    struct reader r = reader_init(who);
    uint8_t len = (uint8_t)reader_i8(&r);
    struct str client = len == TALLY_WHO_NULL ? (struct str){NULL, 0} : text_of(&r, len);
    struct str principal = rest_of(&r);
    if (!r.failed) {
        ret->client_id = client;
        ret->principal = principal;
    }
}

struct bytes tally_what_encode(const struct series_name *name, struct arena *arena)
{
    bool is_record = name->rule.ptr == NULL;
    struct str subject = clipped(name->subject, REGISTRY_SUBJECT_BYTES_MAX);
    struct str rule = clipped(name->rule, TALLY_RULE_MAX);
    struct str path = clipped(name->path, TALLY_PATH_MAX);
    size_t len = WHAT_FIXED + subject.len + (is_record ? 0 : 1 + rule.len + path.len);
    uint8_t *bytes = arena_new(arena, uint8_t, len);
    if (bytes == NULL) {
        return (struct bytes){NULL, 0};
    }
    bytes[0] = is_record ? WHAT_RECORD : (uint8_t)(WHAT_FINDING + name->side);
    store_be32(bytes + 1, (uint32_t)name->version);
    store_be16(bytes + 5, (uint16_t)subject.len);
    uint8_t *at = put(bytes + WHAT_FIXED, subject);
    if (!is_record) {
        *at++ = (uint8_t)rule.len;
        put(put(at, rule), path);
    }
    return bytes_of(bytes, len);
}

void tally_what_decode(struct bytes what, bool is_record, struct series_name *ret)
{
    ret->subject = STR("");
    ret->rule = is_record ? (struct str){NULL, 0} : STR("(others)");
    ret->path = is_record ? (struct str){NULL, 0} : STR("");
    ret->version = ret->side = 0;
    if (what.len == 0) {
        return;
    }
    struct reader r = reader_init(what);
    uint8_t tag = (uint8_t)reader_i8(&r);
    int32_t version = reader_i32(&r);
    struct str subject = text_of(&r, (uint16_t)reader_i16(&r));
    struct str rule = {NULL, 0};
    struct str path = {NULL, 0};
    if (tag != WHAT_RECORD) {
        rule = text_of(&r, (uint8_t)reader_i8(&r));
        path = rest_of(&r);
    }
    if (r.failed || (tag == WHAT_RECORD) != is_record) {
        return;
    }
    ret->subject = subject;
    ret->version = version;
    ret->side = is_record ? 0 : tag - WHAT_FINDING;
    ret->rule = rule;
    ret->path = path;
}
