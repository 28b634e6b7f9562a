// SPDX-License-Identifier: Apache-2.0
// plan.c - topics, partitions and log starts: validate a wish in Kafka's words and turn it into an item.
// Planning reads the state; only apply decides.
#include "base/mem.h"
#include "broker/broker_private.h"
#include "core/governance.h"

#include <stdlib.h>

static bool is_topic_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

enum err broker_topic_name_check(struct str name, struct error *e)
{
    if (name.len == 0) {
        return FAIL(e, ERR_INVALID_TOPIC, "Topic name is invalid: the empty string is not allowed");
    }
    if (str_equal(name, STR(".")) || str_equal(name, STR(".."))) {
        return FAIL(e, ERR_INVALID_TOPIC, "Topic name is invalid: '" STR_FMT "' is not allowed",
                    STR_ARG(name));
    }
    if (name.len > ITEM_NAME_MAX) {
        return FAIL(e, ERR_INVALID_TOPIC,
                    "Topic name is invalid: the length of '" STR_FMT "...' is longer than the max "
                    "allowed length %d",
                    40, name.ptr, ITEM_NAME_MAX);
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!is_topic_char(name.ptr[i])) {
            return FAIL(e, ERR_INVALID_TOPIC,
                        "Topic name is invalid: it contains one or more characters other than ASCII "
                        "alphanumerics, '.', '_' and '-'");
        }
    }
    return ERR_OK;
}

static enum err check_topic_configs(const struct topic_spec *spec, struct error *e)
{
    if (spec->config_count > ITEM_CONFIGS_MAX) {
        return FAIL(e, ERR_INVALID_CONFIG, "%u configs, limit %d", spec->config_count, ITEM_CONFIGS_MAX);
    }
    for (uint32_t i = 0; i < spec->config_count; i++) {
        const struct item_config *config = &spec->configs[i];
        const struct setting *setting = setting_find(config->key, SETTING_TOPIC);
        if (setting == NULL) {
            return FAIL(e, ERR_INVALID_CONFIG, "Unknown topic config name: " STR_FMT, STR_ARG(config->key));
        }
        if (config->value.ptr == NULL) {
            return FAIL(e, ERR_INVALID_CONFIG, "Null value not supported for topic configs: " STR_FMT,
                        STR_ARG(config->key));
        }
        enum err err = setting_check(setting, config->value, e);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err check_assignment(const struct topic_spec *spec, int32_t *ret_count, struct error *e)
{
    if (spec->partition_count != -1 || spec->replication_factor != -1) {
        return FAIL(e, ERR_INVALID_REQUEST,
                    "A manual partition assignment was specified, but %s was not set to -1.",
                    spec->replication_factor != -1 ? "replication factor" : "numPartitions");
    }
    // Partition ids must be 0..n-1, each once.
    uint32_t good_count = 0;
    bool *has = mem_array(spec->assigned_count, sizeof *has);
    for (uint32_t i = 0; i < spec->assigned_count; i++) {
        int32_t id = spec->assigned_partitions[i];
        if (id >= 0 && (uint32_t)id < spec->assigned_count && !has[id]) {
            has[id] = true;
            good_count++;
        }
    }
    mem_free(has);
    if (good_count != spec->assigned_count) {
        return FAIL(e, ERR_INVALID_REPLICA_ASSIGNMENT,
                    "partitions should be a consecutive 0-based integer sequence");
    }
    *ret_count = (int32_t)spec->assigned_count;
    return ERR_OK;
}

static int config_order(const void *left, const void *right)
{
    return str_compare(((const struct item_config *)left)->key, ((const struct item_config *)right)->key);
}

// copy_configs sorts into the arena; of equal keys Kafka keeps the last.
static enum err copy_configs(const struct topic_spec *spec, struct arena *arena,
                             struct item_topic_create *ret, struct error *e)
{
    ret->configs = arena_new(arena, struct item_config, spec->config_count + 1);
    if (ret->configs == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "the request is over its memory limit");
    }
    for (uint32_t i = 0; i < spec->config_count; i++) {
        uint32_t at = 0;
        while (at < ret->config_count && !str_equal(ret->configs[at].key, spec->configs[i].key)) {
            at++;
        }
        ret->configs[at] = spec->configs[i];
        ret->config_count = at == ret->config_count ? at + 1 : ret->config_count;
    }
    qsort(ret->configs, ret->config_count, sizeof(struct item_config), config_order);
    return ERR_OK;
}

static enum err check_room(struct broker *b, struct str name, int32_t count, struct error *e)
{
    int64_t partitions_max = broker_setting_i64(b, STR("strom.partitions.max"));
    enum err err = ERR_OK;
    mutex_lock(&b->lock);
    struct topic *collides = core_topic_collides(b->core, name);
    if (core_topic_find(b->core, name) != NULL) { // before anything that is wrong with its counts
        err = FAIL(e, ERR_TOPIC_EXISTS, "Topic '" STR_FMT "' already exists.", STR_ARG(name));
    } else if (collides != NULL) {
        err = FAIL(e, ERR_INVALID_TOPIC, "Topic '" STR_FMT "' collides with existing topic: " STR_FMT,
                   STR_ARG(name), STR_ARG(topic_name(collides)));
    } else if ((int64_t)core_partition_total(b->core) + count > partitions_max) {
        err = FAIL(e, ERR_POLICY_VIOLATION, "%d more partitions would exceed strom.partitions.max = %lld",
                   count, (long long)partitions_max);
    }
    mutex_unlock(&b->lock);
    return err;
}

enum err broker_plan_topic(struct broker *b, const struct topic_spec *spec, struct arena *arena,
                           struct item *ret_item, struct error *e)
{
    enum err err = broker_topic_name_check(spec->name, e);
    if (err == ERR_OK) {
        err = check_room(b, spec->name, 0, e);
    }
    if (err != ERR_OK) {
        return err;
    }
    int32_t count = spec->partition_count;
    if (spec->assigned_count > 0) {
        err = check_assignment(spec, &count, e);
        if (err != ERR_OK) {
            return err;
        }
    } else if (count == -1) {
        count = (int32_t)broker_setting_i64(b, STR("num.partitions"));
    }
    if (count <= 0 || count > ITEM_PARTITIONS_MAX) {
        return FAIL(e, ERR_INVALID_PARTITIONS,
                    count <= 0 ? "Number of partitions was set to an invalid non-positive value."
                               : "Number of partitions is over the limit of 200000.");
    }
    if (spec->replication_factor == 0 || spec->replication_factor < -1) {
        return FAIL(e, ERR_INVALID_REPLICATION_FACTOR,
                    "Replication factor must be larger than 0, or -1 to use the default "
                    "value.");
    }
    err = check_topic_configs(spec, e);
    if (err == ERR_OK) {
        err = check_room(b, spec->name, count, e);
    }
    if (err != ERR_OK) {
        return err;
    }
    *ret_item = (struct item){.kind = ITEM_TOPIC_CREATE, .version = 1};
    struct item_topic_create *create = &ret_item->topic_create;
    create->topic_id = rng_uuid(b->env->rng);
    create->name = arena_str(arena, spec->name);
    create->partition_count = count;
    err = copy_configs(spec, arena, create, e);
    if (err == ERR_OK) {
        err = governance_check(spec->name, create->configs, create->config_count, e);
    }
    return err == ERR_OK ? plan_binding(b, create->name, create->configs, create->config_count, e) : err;
}

// ---- a topic that is kept

void broker_keep_topic(struct broker *b, struct uuid topic)
{
    mutex_lock(&b->lock);
    b->kept_topic = topic;
    mutex_unlock(&b->lock);
}

bool broker_is_kept(struct broker *b, struct str name)
{
    mutex_lock(&b->lock);
    const struct topic *topic = core_topic_find(b->core, name);
    bool is_kept = topic != NULL && uuid_equal(topic_id(topic), b->kept_topic);
    mutex_unlock(&b->lock);
    return is_kept;
}

enum err kept_check(const struct broker *b, const struct topic *topic, struct error *e)
{
    if (topic == NULL || !uuid_equal(topic_id(topic), b->kept_topic)) {
        return ERR_OK;
    }
    return FAIL(e, ERR_POLICY_VIOLATION,
                "The broker itself keeps the topic " STR_FMT "; clients can only read it.",
                STR_ARG(topic_name(topic)));
}

enum err broker_plan_topic_delete(struct broker *b, struct str name, struct uuid id, struct item *ret_item,
                                  struct error *e)
{
    if (broker_setting_i64(b, STR("delete.topic.enable")) == 0) {
        return FAIL(e, ERR_TOPIC_DELETION_DISABLED, "Topic deletion is disabled.");
    }
    mutex_lock(&b->lock);
    struct topic *topic = uuid_is_zero(id) ? core_topic_find(b->core, name) : core_topic_find_id(b->core, id);
    struct uuid found = topic == NULL ? (struct uuid){{0}} : topic_id(topic);
    enum err err = kept_check(b, topic, e);
    const struct topic *naming = topic == NULL ? NULL : core_topic_naming(b->core, topic_name(topic));
    if (err == ERR_OK && naming != NULL) {
        err = FAIL(e, ERR_POLICY_VIOLATION,
                   "Topic '" STR_FMT "' takes the dead letters of topic '" STR_FMT
                   "': delete that one first, or let its records be rejected.",
                   STR_ARG(topic_name(topic)), STR_ARG(topic_name(naming)));
    }
    mutex_unlock(&b->lock);
    if (topic == NULL) {
        return uuid_is_zero(id)
                   ? FAIL(e, ERR_UNKNOWN_PARTITION, "This server does not host this topic-partition.")
                   : FAIL(e, ERR_UNKNOWN_TOPIC_ID, "This server does not host this topic ID.");
    }
    if (err != ERR_OK) {
        return err;
    }
    *ret_item = (struct item){.kind = ITEM_TOPIC_DELETE, .version = 1, .topic_delete = {found}};
    return ERR_OK;
}

enum err broker_plan_partitions(struct broker *b, struct str name, int32_t count, struct item *ret_item,
                                struct error *e)
{
    mutex_lock(&b->lock);
    struct topic *topic = core_topic_find(b->core, name);
    int32_t current = topic == NULL ? 0 : topic_partition_count(topic);
    struct uuid id = topic == NULL ? (struct uuid){{0}} : topic_id(topic);
    int64_t total = (int64_t)core_partition_total(b->core);
    enum err err = kept_check(b, topic, e);
    mutex_unlock(&b->lock);
    if (topic == NULL) {
        return FAIL(e, ERR_UNKNOWN_PARTITION, "The topic '" STR_FMT "' does not exist.", STR_ARG(name));
    }
    if (err != ERR_OK) {
        return err;
    }
    if (count == current) {
        return FAIL(e, ERR_INVALID_PARTITIONS, "Topic already has %d partition(s).", current);
    }
    if (count < current) {
        return FAIL(e, ERR_INVALID_PARTITIONS,
                    "The topic " STR_FMT " currently has %d partition(s); %d would not be an "
                    "increase.",
                    STR_ARG(name), current, count);
    }
    if (count > ITEM_PARTITIONS_MAX ||
        total + count - current > broker_setting_i64(b, STR("strom.partitions.max"))) {
        return FAIL(e, ERR_INVALID_PARTITIONS, "%d partitions are over the limit.", count);
    }
    *ret_item = (struct item){
        .kind = ITEM_PARTITIONS_ADD,
        .version = 1,
        .partitions_add = {.topic_id = id, .expected_count = current, .partition_count = count}};
    return ERR_OK;
}

enum err broker_plan_trim(struct broker *b, struct str topic_name_, int32_t partition, int64_t offset,
                          struct item *ret_item, struct error *e)
{
    mutex_lock(&b->lock);
    struct topic *topic = core_topic_find(b->core, topic_name_);
    struct partition *p = topic == NULL ? NULL : topic_partition(topic, partition);
    struct uuid id = p == NULL ? (struct uuid){{0}} : topic_id(topic);
    int64_t high_watermark = p == NULL ? 0 : partition_high_watermark(p);
    bool is_deletable = p != NULL && topic_settings(b->core, topic)->is_deleted;
    mutex_unlock(&b->lock);
    if (p == NULL) {
        return FAIL(e, ERR_UNKNOWN_PARTITION, "This server does not host this topic-partition.");
    }
    if (!is_deletable) {
        return FAIL(e, ERR_POLICY_VIOLATION,
                    "Records of a topic whose cleanup.policy lacks delete cannot be deleted.");
    }
    if (offset < -1 || offset > high_watermark) {
        return FAIL(e, ERR_OFFSET_OUT_OF_RANGE, "offset %lld is past the high watermark %lld",
                    (long long)offset, (long long)high_watermark);
    }
    *ret_item = (struct item){.kind = ITEM_TRIM,
                              .version = 1,
                              .trim = {.topic_id = id,
                                       .partition = partition,
                                       .log_start_offset = offset == -1 ? high_watermark : offset}};
    return ERR_OK;
}
