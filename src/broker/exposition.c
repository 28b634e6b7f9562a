// SPDX-License-Identifier: Apache-2.0
// exposition.c - the series that come and go with topics and partitions, for a scrape, under the names that
// the JMX exporter gives Kafka's. The state is copied in short sections of the lock, names of topics in
// order, as many as the settings allow; then it is written family by family.
#include "base/mem.h"
#include "broker/broker_private.h"

enum { COPY_STEP = 500 }; // partitions copied under one lock

struct topic_row {
    char name[ITEM_NAME_MAX + 1];
    struct traffic traffic;
};

struct partition_row {
    uint32_t topic; // index of its row
    int32_t index;
    int64_t log_start;
    int64_t log_end;
    uint64_t bytes;
    uint32_t extents;
};

struct exposition {
    struct broker *b;
    struct buf *out;
    struct topic_row *topics; // those that are shown on their own
    uint32_t topic_count;
    uint32_t topic_cap;
    struct partition_row *partitions;
    uint32_t partition_count;
    uint32_t partition_cap;
    struct traffic total;
    uint64_t topic_total;
    uint64_t partition_total;
    // where the copying goes on
    int32_t next_partition; // of the last topic row
};

// ---- copying

static void traffic_add(struct traffic *to, const struct traffic *from)
{
    to->messages_in += from->messages_in;
    to->bytes_in += from->bytes_in;
    to->bytes_out += from->bytes_out;
    to->produces += from->produces;
    to->produces_failed += from->produces_failed;
    to->fetches += from->fetches;
    to->fetches_failed += from->fetches_failed;
}

static void partition_copy(struct exposition *x, const struct partition *p)
{
    const struct traffic *traffic = traffic_slot(x->b, partition_slot(p));
    if (traffic != NULL) {
        traffic_add(&x->topics[x->topic_count - 1].traffic, traffic);
    }
    if (x->partition_count < x->partition_cap) {
        x->partitions[x->partition_count++] = (struct partition_row){
            .topic = x->topic_count - 1,
            .index = partition_index(p),
            .log_start = partition_log_start(p),
            .log_end = partition_high_watermark(p),
            .bytes = partition_bytes(p),
            .extents = partition_extent_count(p),
        };
    }
}

// topic_next begins the row of the topic after the last one; NULL if there is none, or no room.
static const struct topic *topic_next(struct exposition *x)
{
    const struct core *core = x->b->core;
    bool is_first = x->topic_count == 0;
    struct str last = is_first ? STR("") : str_from_c(x->topics[x->topic_count - 1].name);
    uint32_t index = core_topic_lower_bound(core, last);
    const struct topic *topic = index < core_topic_count(core) ? core_topic_at(core, index) : NULL;
    if (topic != NULL && !is_first && str_equal(topic_name(topic), last)) {
        topic = index + 1 < core_topic_count(core) ? core_topic_at(core, index + 1) : NULL;
    }
    if (topic == NULL || x->topic_count == x->topic_cap) {
        return NULL;
    }
    struct topic_row *row = &x->topics[x->topic_count++];
    struct str name = topic_name(topic);
    *row = (struct topic_row){0};
    memcpy(row->name, name.ptr, name.len);
    x->next_partition = 0;
    return topic;
}

// copy_step copies up to COPY_STEP partitions; false when all is copied. The lock is held.
static bool copy_step(struct exposition *x)
{
    const struct topic *topic =
        x->topic_count == 0 ? NULL
                            : core_topic_find(x->b->core, str_from_c(x->topics[x->topic_count - 1].name));
    for (int step = 0; step < COPY_STEP; step++) {
        const struct partition *p = topic == NULL ? NULL : topic_partition(topic, x->next_partition);
        if (p != NULL) {
            partition_copy(x, p);
            x->next_partition++;
            continue;
        }
        topic = topic_next(x);
        if (topic == NULL) {
            return false;
        }
    }
    return true;
}

static void copy_state(struct exposition *x)
{
    mutex_lock(&x->b->lock);
    x->total = x->b->traffic;
    x->topic_total = core_topic_count(x->b->core);
    x->partition_total = core_partition_total(x->b->core);
    mutex_unlock(&x->b->lock);
    bool has_more = true;
    while (has_more) {
        mutex_lock(&x->b->lock);
        has_more = copy_step(x);
        mutex_unlock(&x->b->lock);
    }
}

// ---- writing

static void put_number(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    metrics_family(out, name, type, help);
    buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

// put_traffic writes one counter of everything, of each topic shown, and of all others together.
static void put_traffic(const struct exposition *x, const char *name, const char *help, size_t offset)
{
    const char *total = (const char *)&x->total;
    uint64_t value;
    uint64_t rest;
    memcpy(&rest, total + offset, sizeof rest);
    put_number(x->out, name, "counter", help, rest);
    for (uint32_t i = 0; i < x->topic_count; i++) {
        memcpy(&value, (const char *)&x->topics[i].traffic + offset, sizeof value);
        buf_printf(x->out, "%s{topic=\"%s\"} %llu\n", name, x->topics[i].name, (unsigned long long)value);
        rest -= value < rest ? value : rest; // counted meanwhile
    }
    if (x->topic_total > x->topic_count) { // no topic is called so
        buf_printf(x->out, "%s{topic=\"(others)\"} %llu\n", name, (unsigned long long)rest);
    }
}

static void put_topics(const struct exposition *x)
{
    static const struct {
        const char *name;
        const char *help;
        size_t offset;
    } rows[] = {
        {"kafka_server_brokertopicmetrics_messagesin_total", "Records appended",
         offsetof(struct traffic, messages_in)},
        {"kafka_server_brokertopicmetrics_bytesin_total", "Bytes of batches appended",
         offsetof(struct traffic, bytes_in)},
        {"kafka_server_brokertopicmetrics_bytesout_total", "Bytes of batches sent to consumers",
         offsetof(struct traffic, bytes_out)},
        {"kafka_server_brokertopicmetrics_totalproducerequests_total", "Batches that came to be appended",
         offsetof(struct traffic, produces)},
        {"kafka_server_brokertopicmetrics_failedproducerequests_total", "Batches refused",
         offsetof(struct traffic, produces_failed)},
        {"kafka_server_brokertopicmetrics_totalfetchrequests_total", "Partitions that fetches asked for",
         offsetof(struct traffic, fetches)},
        {"kafka_server_brokertopicmetrics_failedfetchrequests_total", "Partitions answered with an error",
         offsetof(struct traffic, fetches_failed)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put_traffic(x, rows[i].name, rows[i].help, rows[i].offset);
    }
}

static void put_partition(const struct exposition *x, const char *name, const struct partition_row *row,
                          uint64_t value)
{
    buf_printf(x->out, "%s{topic=\"%s\",partition=\"%d\"} %llu\n", name, x->topics[row->topic].name,
               row->index, (unsigned long long)value);
}

static void put_partitions(const struct exposition *x)
{
    metrics_family(x->out, "kafka_log_log_size", "gauge", "Bytes stored");
    for (uint32_t i = 0; i < x->partition_count; i++) {
        put_partition(x, "kafka_log_log_size", &x->partitions[i], x->partitions[i].bytes);
    }
    metrics_family(x->out, "kafka_log_log_logstartoffset", "gauge", "First offset that is kept");
    for (uint32_t i = 0; i < x->partition_count; i++) {
        put_partition(x, "kafka_log_log_logstartoffset", &x->partitions[i],
                      (uint64_t)x->partitions[i].log_start);
    }
    metrics_family(x->out, "kafka_log_log_logendoffset", "gauge", "Offset of the next record");
    for (uint32_t i = 0; i < x->partition_count; i++) {
        put_partition(x, "kafka_log_log_logendoffset", &x->partitions[i], (uint64_t)x->partitions[i].log_end);
    }
    metrics_family(x->out, "kafka_log_log_numlogsegments", "gauge", "Runs of batches stored in one piece");
    for (uint32_t i = 0; i < x->partition_count; i++) {
        put_partition(x, "kafka_log_log_numlogsegments", &x->partitions[i], x->partitions[i].extents);
    }
}

static void put_counts(const struct exposition *x)
{
    static const char *const zeroes[][2] = {
        {"kafka_server_replicamanager_underreplicatedpartitions", "Always 0: there are no replicas"},
        {"kafka_server_replicamanager_underminisrpartitioncount", "Always 0: there are no replicas"},
        {"kafka_server_replicamanager_offlinereplicacount", "Always 0: there are no replicas"},
        {"kafka_controller_kafkacontroller_offlinepartitionscount", "Always 0: this node leads all"},
        {"kafka_controller_kafkacontroller_preferredreplicaimbalancecount", "Always 0: this node leads all"},
    };
    put_number(x->out, "kafka_server_replicamanager_partitioncount", "gauge", "Partitions",
               x->partition_total);
    put_number(x->out, "kafka_server_replicamanager_leadercount", "gauge", "Partitions that this node leads",
               x->partition_total);
    put_number(x->out, "kafka_controller_kafkacontroller_activecontrollercount", "gauge", "Always 1", 1);
    put_number(x->out, "kafka_controller_kafkacontroller_globaltopiccount", "gauge", "Topics",
               x->topic_total);
    put_number(x->out, "kafka_controller_kafkacontroller_globalpartitioncount", "gauge", "Partitions",
               x->partition_total);
    for (size_t i = 0; i < sizeof zeroes / sizeof zeroes[0]; i++) {
        put_number(x->out, zeroes[i][0], "gauge", zeroes[i][1], 0);
    }
    put_number(x->out, "strom_metrics_partitions_left_out", "gauge",
               "Partitions without series of their own (strom.metrics.partitions.max)",
               x->partition_total > x->partition_count ? x->partition_total - x->partition_count : 0);
}

// ---- a scrape

static uint32_t limit_of(struct broker *b, struct str name, uint64_t there)
{
    uint64_t limit = (uint64_t)broker_setting_i64(b, name);
    return (uint32_t)(there < limit ? there : limit);
}

void exposition_collect(void *arg, struct buf *out)
{
    struct broker *b = arg;
    struct broker_status status;
    broker_status(b, &status);
    struct exposition x = {.b = b, .out = out};
    x.topic_cap = limit_of(b, STR("strom.metrics.topics.max"), status.topic_count);
    x.partition_cap = limit_of(b, STR("strom.metrics.partitions.max"), status.partition_count);
    x.topics = mem_array((size_t)x.topic_cap + 1, sizeof *x.topics);
    x.partitions = mem_array((size_t)x.partition_cap + 1, sizeof *x.partitions);
    copy_state(&x);
    put_topics(&x);
    put_partitions(&x);
    put_counts(&x);
    exposition_groups(b, out);
    mem_free(x.topics);
    mem_free(x.partitions);
}
