// SPDX-License-Identifier: Apache-2.0
// plan_quotas.c - AlterClientQuotas: from the stored quotas of an entity and the wished changes to the whole
// new set, with the revision it was planned against. Refusals are in Kafka's words.
#include "broker/broker_private.h"
#include "broker/throttle.h"

#include <stdlib.h>

enum { QUOTA_NAME_MAX = 255 }; // of a user, a client id, an address

static bool is_ip_part(const struct item_quota_part *part)
{
    return part->type == QUOTA_IP;
}

// is_address: dotted numbers or what can be an IPv6 address. Connections are compared with the text.
static bool is_address(struct str text)
{
    bool has_colon = false;
    int dots = 0;
    int number = -1; // of an IPv4 address, being read
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_digit = c >= '0' && c <= '9';
        bool is_hex = is_digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (c == '.') {
            if (number < 0 && !has_colon) {
                return false;
            }
            dots++;
            number = -1;
        } else if (c == ':') {
            has_colon = true;
        } else if (is_digit) {
            number = (number < 0 ? 0 : number * 10) + (c - '0');
            if (!has_colon && number > 255) {
                return false;
            }
            number = number > 255 ? 255 : number;
        } else if (!is_hex || !has_colon) {
            return false;
        }
    }
    return has_colon ? text.len >= 2 : dots == 3 && number >= 0;
}

static enum err check_parts(const struct item_quota_part *parts, uint32_t count, struct error *e)
{
    if (count == 0) {
        return FAIL(e, ERR_INVALID_REQUEST, "Invalid empty client quota entity");
    }
    static const char *const types[] = {"user", "client-id", "ip"};
    for (uint32_t i = 0; i < count; i++) {
        const struct item_quota_part *part = &parts[i];
        if (i > 0 && parts[i - 1].type >= part->type) {
            return FAIL(e, ERR_INVALID_REQUEST, "Entity type %s cannot appear more than once",
                        types[part->type]);
        }
        if (is_ip_part(part) && count > 1) {
            return FAIL(
                e, ERR_INVALID_REQUEST,
                "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId");
        }
        if (part->name.ptr == NULL) {
            continue;
        }
        if (part->name.len == 0) {
            return FAIL(e, ERR_INVALID_REQUEST, "Empty %s not supported", types[part->type]);
        }
        if (part->name.len > QUOTA_NAME_MAX) {
            return FAIL(e, ERR_INVALID_REQUEST, "The name of a %s may have %d bytes, not %zu",
                        types[part->type], QUOTA_NAME_MAX, part->name.len);
        }
        if (is_ip_part(part) && !is_address(part->name)) {
            return FAIL(e, ERR_INVALID_REQUEST, STR_FMT " is not a valid IP or resolvable host.",
                        STR_ARG(part->name));
        }
    }
    return ERR_OK;
}

// kind_find: which quota the key is, if it is one that this entity can have.
static bool kind_find(struct str key, bool is_ip, enum throttle_kind *ret)
{
    for (int kind = 0; kind < THROTTLE_KINDS; kind++) {
        if (str_equal(key, throttle_key(kind)) && is_ip == (kind == THROTTLE_CONNECTION)) {
            *ret = kind;
            return true;
        }
    }
    return false;
}

static enum err check_value(const struct quota_change *change, bool is_ip, struct error *e)
{
    enum throttle_kind kind;
    double value = change->value;
    if (!kind_find(change->key, is_ip, &kind)) {
        return FAIL(e, ERR_INVALID_REQUEST, "Invalid configuration key " STR_FMT, STR_ARG(change->key));
    }
    if (!(value > 0)) { // also what is no number
        return FAIL(e, ERR_INVALID_REQUEST, "Quota " STR_FMT " must be greater than 0", STR_ARG(change->key));
    }
    bool is_whole = kind != THROTTLE_REQUEST && kind != THROTTLE_MUTATION;
    double max = !is_whole ? 1e300 : is_ip ? INT32_MAX : (double)INT64_MAX / 2;
    if (value > max) {
        return FAIL(e, ERR_INVALID_REQUEST, "Proposed value for " STR_FMT " is too large for %s.",
                    STR_ARG(change->key),
                    is_ip      ? "an INT"
                    : is_whole ? "a LONG"
                               : "a DOUBLE");
    }
    if (is_whole && value != (double)(int64_t)value) {
        return FAIL(e, ERR_INVALID_REQUEST, STR_FMT " cannot be a fractional value.", STR_ARG(change->key));
    }
    return ERR_OK;
}

static int value_order(const void *a, const void *b)
{
    return str_compare(((const struct item_quota_value *)a)->key, ((const struct item_quota_value *)b)->key);
}

// merge makes the new set: what is stored, without what the changes name, and what they set.
static enum err merge(struct broker *b, const struct quota_change *changes, uint32_t count,
                      struct arena *arena, struct item_quota_set *set, struct error *e)
{
    struct item_quota_value *values =
        arena_new(arena, struct item_quota_value, (size_t)count + ITEM_QUOTA_VALUES_MAX);
    if (values == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "no memory to plan quotas");
    }
    uint32_t total = 0;
    struct quota_view view;
    mutex_lock(&b->lock);
    bool is_there = core_quota_find(b->core, set->parts, set->part_count, &view);
    for (uint32_t i = 0; is_there && i < view.value_count; i++) {
        bool is_named = false;
        for (uint32_t c = 0; c < count; c++) {
            is_named = is_named || str_equal(changes[c].key, view.values[i].key);
        }
        if (!is_named) {
            values[total].value = view.values[i].value;
            values[total++].key = arena_str(arena, view.values[i].key);
        }
    }
    set->expected_revision = is_there ? view.revision : 0;
    mutex_unlock(&b->lock);
    for (uint32_t c = 0; c < count; c++) {
        if (!changes[c].is_removed) {
            values[total].value = changes[c].value;
            values[total++].key = arena_str(arena, changes[c].key);
        }
    }
    qsort(values, total, sizeof *values, value_order);
    set->values = values;
    set->value_count = total;
    return ERR_OK;
}

enum err broker_plan_quotas(struct broker *b, struct item_quota_part *parts, uint32_t part_count,
                            const struct quota_change *changes, uint32_t change_count, struct arena *arena,
                            struct item *ret_item, struct error *e)
{
    enum err err = check_parts(parts, part_count, e);
    if (err == ERR_OK && change_count > ITEM_QUOTA_VALUES_MAX) { // also bounds the comparing of keys
        err = FAIL(e, ERR_INVALID_REQUEST, "%u quotas of one entity, limit %d", change_count,
                   ITEM_QUOTA_VALUES_MAX);
    }
    for (uint32_t i = 0; i < change_count && err == ERR_OK; i++) {
        for (uint32_t before = 0; before < i && err == ERR_OK; before++) {
            if (str_equal(changes[before].key, changes[i].key)) {
                err = FAIL(e, ERR_INVALID_REQUEST, "Duplicate configuration key " STR_FMT,
                           STR_ARG(changes[i].key));
            }
        }
        if (err == ERR_OK && !changes[i].is_removed) {
            err = check_value(&changes[i], is_ip_part(&parts[0]), e);
        }
    }
    struct item_quota_set set = {.parts = parts, .part_count = part_count};
    err = err == ERR_OK ? merge(b, changes, change_count, arena, &set, e) : err;
    if (err == ERR_OK) {
        *ret_item = (struct item){.kind = ITEM_QUOTA_SET, .version = 1, .quota_set = set};
    }
    return err;
}
