#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kafka-python 2.0.2 (pure Python, old versions of every API): the common scenarios. tests/interop runs it with 3.x."""
import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic

from scenario import (BOOTSTRAP, CODECS, PARTITIONS, RECORDS, TIME_MS, Suite, check, compare, equal, expect_error,
                      fresh_topic, records)

IS_OLD = kafka.__version__.startswith('2.')  # 3.x alters incrementally, and answers in other shapes
admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def create(topic, partitions=PARTITIONS, config=None):
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config or {})])


def produce(topic, to_send, **config):
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, acks='all', max_block_ms=5000, **config)
    try:
        futures = [producer.send(topic, value=r.value, key=r.key, partition=r.partition, headers=r.headers,
                                 timestamp_ms=r.timestamp_ms) for r in to_send]
        producer.flush(20)
        return [future.get(20) for future in futures]
    finally:
        producer.close(5)


def consumer(topic, partitions=range(PARTITIONS), **config):
    c = KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=None, enable_auto_commit=False, check_crcs=True,
                      consumer_timeout_ms=5000, **config)
    c.assign([TopicPartition(topic, p) for p in partitions])
    return c


def fetch(topic, count, **config):
    c = consumer(topic, **config)
    c.seek_to_beginning()
    got = {p: [] for p in range(PARTITIONS)}
    for message in c:
        same = (message.key, message.value, tuple(message.headers), message.timestamp)
        got[message.partition].append((message.offset, same))
        if sum(map(len, got.values())) == count:
            break
    c.close()
    return got


def topic_lifecycle():
    topic = fresh_topic('kp-life')
    create(topic)
    partitions = admin.describe_topics([topic])[0]['partitions']
    equal('partitions', sorted(p['partition' if IS_OLD else 'partition_index'] for p in partitions), [0, 1, 2])
    expect_error(['TopicAlreadyExists'], lambda: create(topic))
    admin.create_partitions({topic: NewPartitions(5)})
    equal('partitions', len(admin.describe_topics([topic])[0]['partitions']), 5)
    expect_error(['InvalidPartitions'], lambda: admin.create_partitions({topic: NewPartitions(4)}))
    admin.delete_topics([topic])
    check(topic not in admin.list_topics(), 'the topic is still listed')
    expect_error(['UnknownTopic'], lambda: admin.delete_topics([topic]))


def configs():
    topic = fresh_topic('kp-config')
    create(topic, config={'retention.ms': '123456'})

    def described():
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        if IS_OLD:
            return {row[0]: row[1] for row in admin.describe_configs([resource])[0].resources[0][4]}
        rows = admin.describe_configs([resource], config_filter='all')['topic'][topic]
        return {name: row['value'] for name, row in rows.items()}
    equal('retention.ms', described()['retention.ms'], '123456')
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {'max.message.bytes': '2000'})])
    equal('max.message.bytes', described()['max.message.bytes'], '2000')
    equal('a full alter takes back what it does not name', described()['retention.ms'] != '123456', IS_OLD)


def codec(name):
    topic = fresh_topic('kp-' + name)
    create(topic)
    sent = produce(topic, records(), compression_type=None if name == 'none' else name, linger_ms=20)
    expected = [(r.partition, sum(1 for b in records()[:i] if b.partition == r.partition))
                for i, r in enumerate(records())]
    equal('acknowledged offsets', [(m.partition, m.offset) for m in sent], expected)
    compare(fetch(topic, RECORDS))


def small_fetches():
    """One batch at a time, from the middle of batches too."""
    topic = fresh_topic('kp-small')
    create(topic)
    produce(topic, records(), linger_ms=20, compression_type='gzip')
    compare(fetch(topic, RECORDS, max_partition_fetch_bytes=1000, fetch_max_bytes=1000))
    c = consumer(topic, [1])
    for offset in (0, 1, 57, 99):
        c.seek(TopicPartition(topic, 1), offset)
        equal('first record', next(c).offset, offset)
    c.close()


def offsets():
    topic = fresh_topic('kp-offsets')
    create(topic)
    produce(topic, records())
    c = consumer(topic)
    p = TopicPartition(topic, 1)
    equal('beginning', c.beginning_offsets([p]), {p: 0})
    equal('end', c.end_offsets([p]), {p: 100})
    for timestamp, expected in [(0, 0), (TIME_MS + 5, 2), (TIME_MS + 7, 2), (TIME_MS + 298, 99)]:
        equal(f'offset at {timestamp}', c.offsets_for_times({p: timestamp})[p].offset, expected)
    equal('offset after the last', c.offsets_for_times({p: TIME_MS + 299}), {p: None})
    c.close()


def out_of_range():
    topic = fresh_topic('kp-range')
    create(topic)
    produce(topic, records()[:9])
    c = consumer(topic, [0], auto_offset_reset='none')
    c.seek(TopicPartition(topic, 0), 77)
    expect_error(['OffsetOutOfRange'], lambda: next(c))
    c.close()


def unknown_topic():
    expect_error(['KafkaTimeout', 'UnknownTopic'], lambda: produce(fresh_topic('nobody-made-this'), records()[:1]))


def too_large():
    topic = fresh_topic('kp-large')
    create(topic, config={'max.message.bytes': '1000'})
    expect_error(['MessageSizeTooLarge'], lambda: produce(topic, [records()[150]]))


def main():
    suite = Suite('kafka-python')
    for scenario in (topic_lifecycle, configs, small_fetches, offsets, out_of_range, unknown_topic, too_large):
        suite.run(scenario.__name__, scenario)
    for name in CODECS:
        suite.run('codec_' + name, lambda name=name: codec(name))
    suite.end()


if __name__ == '__main__':
    main()
