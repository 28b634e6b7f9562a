// SPDX-License-Identifier: Apache-2.0
#include "cli/group_print.h"

#include "cli/when.h"

// ---- text

void group_text(struct run *run, const struct group *group, int64_t lag)
{
    struct buf *out = &run->out;
    buf_printf(out, "group ");
    text_show(group->id, out);
    buf_printf(out, ": ");
    text_show(group->state, out);
    buf_printf(out, ", %zu member%s, lag %lld\n", group->member_count, group->member_count == 1 ? "" : "s",
               (long long)lag);
    buf_printf(out, "  type " STR_FMT, STR_ARG(group->type));
    if (!str_equal(group->protocol_type, STR("consumer")) && group->protocol_type.len > 0) {
        buf_printf(out, ", protocol type ");
        text_show(group->protocol_type, out);
    }
    buf_printf(out, ", protocol ");
    text_show(group->protocol.len == 0 ? STR("-") : group->protocol, out);
    buf_printf(out, ", coordinator %d\n", group->coordinator_id);
}

static void ranges_print(const struct topic_partitions *topic, struct buf *out)
{
    for (size_t i = 0; i < topic->count;) { // 0-3,7
        size_t last = i;
        while (last + 1 < topic->count && topic->partitions[last + 1] == topic->partitions[last] + 1) {
            last++;
        }
        buf_printf(out, "%s%d", i == 0 ? "" : ",", topic->partitions[i]);
        if (last > i) {
            buf_printf(out, "-%d", topic->partitions[last]);
        }
        i = last + 1;
    }
}

static struct str assigned_text(struct run *run, const struct group_member *member)
{
    struct buf text;
    if (member->is_opaque) {
        return STR("(not a consumer's)");
    }
    buf_init(&text, CLI_OUT_BYTES_MAX);
    for (size_t i = 0; i < member->assigned_count; i++) {
        buf_printf(&text, "%s" STR_FMT ":", i == 0 ? "" : " ", STR_ARG(member->assigned[i].topic));
        ranges_print(&member->assigned[i], &text);
    }
    struct str copy =
        text.failed || text.len == 0 ? (struct str){NULL, 0} : arena_str(&run->arena, buf_str(&text));
    buf_fini(&text);
    return copy;
}

void group_members_table(struct run *run, const struct group *group)
{
    static const struct table_column columns[] = {
        {"  MEMBER", false}, {"INSTANCE", false},  {"CLIENT", false},  {"HOST", false},
        {"RACK", false},     {"PARTITIONS", true}, {"ASSIGNED", false}};
    if (group->member_count == 0) {
        run_note("Group " STR_FMT " has no members.", STR_ARG(group->id));
        return;
    }
    struct table t;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < group->member_count; i++) {
        const struct group_member *member = &group->members[i];
        int64_t count = 0;
        for (size_t k = 0; k < member->assigned_count; k++) {
            count += (int64_t)member->assigned[k].count;
        }
        table_str(&t, run_print(run, "  " STR_FMT, STR_ARG(member->id)));
        table_str(&t, member->instance_id);
        table_str(&t, member->client_id);
        table_str(&t, member->host);
        table_str(&t, member->rack);
        table_i64(&t, count);
        table_str(&t, assigned_text(run, member));
    }
    table_print(&t, &run->out);
    table_fini(&t);
}

static void number_or_none(struct table *t, int64_t number)
{
    if (number < 0) {
        table_str(t, (struct str){NULL, 0});
    } else {
        table_i64(t, number);
    }
}

struct str rate_text(struct run *run, double per_s)
{
    return per_s < 0     ? (struct str){NULL, 0}
           : per_s < 100 ? run_print(run, "%.1f", per_s)
                         : run_print(run, "%.0f", per_s);
}

struct str pace_text(struct run *run, int64_t lag, const struct group_pace *pace)
{
    int64_t seconds;
    char text[WHEN_TEXT_SIZE];
    if (lag < 0 || (lag > 0 && (pace->consumed_per_s < 0 || pace->produced_per_s < 0))) {
        return (struct str){NULL, 0};
    }
    if (!lag_eta(lag, pace->consumed_per_s, pace->produced_per_s, &seconds)) {
        return STR("never");
    }
    span_format(seconds, text);
    return run_print(run, "%s", text);
}

static struct str owner_text(const struct group_member *owner)
{
    if (owner == NULL) {
        return (struct str){NULL, 0};
    }
    return owner->instance_id.len > 0 ? owner->instance_id : owner->id;
}

void group_offsets_table(struct run *run, const struct group_offsets *offsets, const struct group_pace *paces)
{
    static const struct table_column columns[] = {
        {"  TOPIC", false}, {"PARTITION", true}, {"COMMITTED", true}, {"END", true},      {"LAG", true},
        {"OWNER", false},   {"CLIENT", false},   {"HOST", false},     {"METADATA", false}};
    static const struct table_column live[] = {
        {"  TOPIC", false},   {"PARTITION", true},  {"COMMITTED", true}, {"END", true},   {"LAG", true},
        {"CONSUMED/S", true}, {"PRODUCED/S", true}, {"ZERO IN", true},   {"OWNER", false}};
    if (offsets->count == 0) {
        if (paces == NULL) {
            run_note("It has committed nothing and has no partitions.");
        }
        return;
    }
    struct table t;
    table_init(&t, paces != NULL ? live : columns, 9);
    for (size_t i = 0; i < offsets->count; i++) {
        const struct group_offset *item = &offsets->items[i];
        table_str(&t, run_print(run, "  " STR_FMT, STR_ARG(item->topic)));
        table_i64(&t, item->partition);
        number_or_none(&t, item->committed);
        number_or_none(&t, item->end);
        number_or_none(&t, item->lag);
        if (paces != NULL) {
            table_str(&t, rate_text(run, paces[i].consumed_per_s));
            table_str(&t, rate_text(run, paces[i].produced_per_s));
            table_str(&t, pace_text(run, item->lag, &paces[i]));
            table_str(&t, owner_text(item->owner));
        } else {
            table_str(&t, owner_text(item->owner));
            table_str(&t, item->owner == NULL ? (struct str){NULL, 0} : item->owner->client_id);
            table_str(&t, item->owner == NULL ? (struct str){NULL, 0} : item->owner->host);
            table_str(&t, item->metadata.len == 0 ? (struct str){NULL, 0} : item->metadata);
        }
    }
    table_print(&t, &run->out);
    table_fini(&t);
}

// ---- JSON

static void pair_number_or_null(struct json *json, const char *key, int64_t number)
{
    json_key(json, key);
    if (number < 0) {
        json_null(json);
    } else {
        json_i64(json, number);
    }
}

static void member_json(struct json *json, const struct group_member *member)
{
    json_object_begin(json);
    json_pair_str(json, "member", member->id);
    json_pair_str(json, "instance_id", member->instance_id);
    json_pair_str(json, "client_id", member->client_id);
    json_pair_str(json, "host", member->host);
    json_pair_str(json, "rack", member->rack);
    json_pair_bool(json, "opaque", member->is_opaque);
    json_key(json, "subscribed");
    json_array_begin(json);
    for (size_t i = 0; i < member->subscribed_count; i++) {
        json_str(json, member->subscribed[i]);
    }
    json_array_end(json);
    json_key(json, "assigned");
    json_array_begin(json);
    for (size_t i = 0; i < member->assigned_count; i++) {
        json_object_begin(json);
        json_pair_str(json, "topic", member->assigned[i].topic);
        json_key(json, "partitions");
        json_array_begin(json);
        for (size_t p = 0; p < member->assigned[i].count; p++) {
            json_i64(json, member->assigned[i].partitions[p]);
        }
        json_array_end(json);
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
}

void group_json(struct run *run, const struct group *group, int64_t lag)
{
    struct json *json = &run->json;
    json_pair_str(json, "group", group->id);
    json_pair_str(json, "type", group->type);
    json_pair_str(json, "state", group->state);
    json_pair_str(json, "protocol_type", group->protocol_type);
    json_pair_str(json, "protocol", group->protocol);
    json_pair_i64(json, "coordinator", group->coordinator_id);
    json_pair_i64(json, "lag", lag);
    json_key(json, "members");
    json_array_begin(json);
    for (size_t i = 0; i < group->member_count; i++) {
        member_json(json, &group->members[i]);
    }
    json_array_end(json);
}

static void pair_rate(struct json *json, const char *key, double per_s)
{
    json_key(json, key);
    if (per_s < 0) {
        json_null(json);
    } else {
        json_i64(json, (int64_t)(per_s + 0.5));
    }
}

void pace_json(struct run *run, int64_t lag, const struct group_pace *pace)
{
    int64_t seconds = -1;
    bool is_known = lag == 0 || (lag > 0 && pace->consumed_per_s >= 0 && pace->produced_per_s >= 0);
    pair_rate(&run->json, "consumed_per_s", pace->consumed_per_s);
    pair_rate(&run->json, "produced_per_s", pace->produced_per_s);
    if (is_known && !lag_eta(lag, pace->consumed_per_s, pace->produced_per_s, &seconds)) {
        seconds = -1;
    }
    pair_number_or_null(&run->json, "zero_in_s", seconds);
}

void group_offsets_json(struct run *run, const struct group_offsets *offsets, const struct group_pace *paces)
{
    struct json *json = &run->json;
    json_key(json, "partitions");
    json_array_begin(json);
    for (size_t i = 0; i < offsets->count; i++) {
        const struct group_offset *item = &offsets->items[i];
        json_object_begin(json);
        json_pair_str(json, "topic", item->topic);
        json_pair_i64(json, "partition", item->partition);
        pair_number_or_null(json, "committed", item->committed);
        pair_number_or_null(json, "start_offset", item->start);
        pair_number_or_null(json, "end_offset", item->end);
        pair_number_or_null(json, "lag", item->lag);
        json_pair_str(json, "owner", item->owner == NULL ? (struct str){NULL, 0} : item->owner->id);
        json_pair_str(json, "metadata", item->metadata);
        if (paces != NULL) {
            pace_json(run, item->lag, &paces[i]);
        }
        json_object_end(json);
    }
    json_array_end(json);
}
