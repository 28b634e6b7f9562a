#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""confluent-kafka-python 1.7 (librdkafka 2.0.2): the common scenarios."""
import time

from confluent_kafka import (OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Producer,
                             TopicPartition)
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

from scenario import (BOOTSTRAP, CODECS, PARTITIONS, TIME_MS, Suite, check, compare, equal, expect_error,
                      fresh_topic, records)

COMMON = {'bootstrap.servers': BOOTSTRAP, 'broker.address.family': 'v4'}
admin = AdminClient(COMMON)


def wait(futures):
    for future in futures.values():
        future.result(20)


def create(topic, partitions=PARTITIONS, config=None):
    wait(admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})]))


def produce(topic, to_send, **config):
    """Sends all, waits for all; raises the first error that the broker answered."""
    errors = []
    producer = Producer({**COMMON, 'acks': 'all', 'message.timeout.ms': 15000, **config})
    for r in to_send:
        producer.produce(topic, value=r.value, key=r.key, partition=r.partition, headers=r.headers,
                         timestamp=r.timestamp_ms, on_delivery=lambda e, m: errors.append(e) if e else None)
    equal('unsent', producer.flush(20), 0)
    if errors:
        raise KafkaException(errors[0])


def consumer(**config):
    return Consumer({**COMMON, 'group.id': 'unused', 'enable.auto.commit': False, 'enable.partition.eof': True,
                     'auto.offset.reset': 'error', 'check.crcs': True, **config})


def fetch(topic, partitions=range(PARTITIONS), offset=OFFSET_BEGINNING):
    """Everything up to the end of each partition: {partition: [(offset, record)]}."""
    c = consumer()
    c.assign([TopicPartition(topic, p, offset) for p in partitions])
    got, open_partitions, deadline = {p: [] for p in partitions}, set(partitions), time.monotonic() + 20
    while open_partitions:
        check(time.monotonic() < deadline, f'partitions {open_partitions} did not end')
        message = c.poll(1)
        if message is None:
            continue
        if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
            open_partitions.discard(message.partition())
        elif message.error():
            c.close()
            raise KafkaException(message.error())
        else:
            same = (message.key(), message.value(), tuple(message.headers() or []), message.timestamp()[1])
            got[message.partition()].append((message.offset(), same))
    c.close()
    return got


def topic_lifecycle():
    topic = fresh_topic('confluent-life')
    create(topic)
    equal('partitions', sorted(admin.list_topics(topic, timeout=10).topics[topic].partitions), [0, 1, 2])
    expect_error(['TOPIC_ALREADY_EXISTS'], lambda: create(topic))
    wait(admin.create_partitions([NewPartitions(topic, 5)]))
    equal('partitions', len(admin.list_topics(topic, timeout=10).topics[topic].partitions), 5)
    expect_error(['INVALID_PARTITIONS'], lambda: wait(admin.create_partitions([NewPartitions(topic, 4)])))
    wait(admin.delete_topics([topic]))
    check(topic not in admin.list_topics(timeout=10).topics, 'the topic is still listed')
    expect_error(['UNKNOWN_TOPIC_OR_PART'], lambda: wait(admin.delete_topics([topic])))


def invalid_topics():
    expect_error(['TOPIC_EXCEPTION', 'INVALID_TOPIC'], lambda: create('no/slash'))
    expect_error(['INVALID_PARTITIONS'], lambda: create(fresh_topic('none'), partitions=0))
    expect_error(['INVALID_CONFIG'], lambda: create(fresh_topic('odd'), config={'retention.ms': 'soon'}))


def configs():
    topic = fresh_topic('confluent-config')
    create(topic, config={'retention.ms': '123456'})
    resource = ConfigResource('topic', topic)
    described = list(admin.describe_configs([resource]).values())[0].result(10)
    equal('retention.ms', described['retention.ms'].value, '123456')
    check(described['cleanup.policy'].is_default, 'cleanup.policy should be a default')
    resource.set_config('max.message.bytes', '2000')
    wait(admin.alter_configs([resource]))
    described = list(admin.describe_configs([ConfigResource('topic', topic)]).values())[0].result(10)
    equal('max.message.bytes', described['max.message.bytes'].value, '2000')
    equal('retention.ms after a full alter', described['retention.ms'].is_default, True)
    broker = list(admin.describe_configs([ConfigResource('broker', str(broker_id()))]).values())[0].result(10)
    equal('auto.create.topics.enable', broker['auto.create.topics.enable'].value, 'false')


def broker_id():
    return list(admin.list_topics(timeout=10).brokers)[0]


def codec(name):
    topic = fresh_topic('confluent-' + name)
    create(topic)
    produce(topic, records(), **{'compression.type': name, 'enable.idempotence': True, 'linger.ms': 20})
    compare(fetch(topic))


def acks(level):
    topic = fresh_topic('confluent-acks')
    create(topic)
    produce(topic, records(), acks=level)
    compare(fetch_until(topic, len(records())))


def fetch_until(topic, count):
    """With acks=0 the last records may arrive after the producer has ended."""
    deadline = time.monotonic() + 10
    while True:
        got = fetch(topic)
        if sum(map(len, got.values())) >= count or time.monotonic() > deadline:
            return got


def offsets():
    topic = fresh_topic('confluent-offsets')
    create(topic)
    produce(topic, records())
    c = consumer()
    equal('watermarks', c.get_watermark_offsets(TopicPartition(topic, 1), timeout=10), (0, 100))
    # Partition 1 has i = 1, 4, 7, ...: the first at or after TIME_MS + 5 is i = 7 at offset 2.
    rows = [(0, 0), (TIME_MS + 5, 2), (TIME_MS + 7, 2), (TIME_MS + 298, 99), (TIME_MS + 299, OFFSET_END)]
    for timestamp, expected in rows:
        found = c.offsets_for_times([TopicPartition(topic, 1, timestamp)], timeout=10)[0]
        equal(f'offset at {timestamp}', found.offset, expected)
    c.close()


def out_of_range():
    topic = fresh_topic('confluent-range')
    create(topic)
    produce(topic, records()[:9])
    expect_error(['_AUTO_OFFSET_RESET', 'OFFSET_OUT_OF_RANGE'], lambda: fetch(topic, [0], 77))


def unknown_topic():
    expect_error(['UNKNOWN_TOPIC'], lambda: produce(fresh_topic('nobody-made-this'), records()[:1],
                                                    **{'topic.metadata.propagation.max.ms': 0}))


def too_large():
    topic = fresh_topic('confluent-large')
    create(topic, config={'max.message.bytes': '1000'})
    big = records()[150]
    expect_error(['MSG_SIZE_TOO_LARGE'], lambda: produce(topic, [big]))
    produce(topic, [r for r in records()[:9] if len(r.value or b'') < 300])


def long_poll():
    """A consumer that waits at the end is woken by the record, before its wait is over: poll gives up sooner."""
    topic = fresh_topic('confluent-poll')
    create(topic)
    c = consumer(**{'fetch.wait.max.ms': 200000, 'socket.timeout.ms': 290000})
    c.assign([TopicPartition(topic, 0, 0)])
    equal('record of an empty partition', c.poll(1), None)  # by now its fetch waits in the broker
    produce(topic, [r for r in records() if r.partition == 0][:1], **{'linger.ms': 0})
    message = c.poll(60)
    check(message is not None and not message.error(), 'no record')
    c.close()


def main():
    suite = Suite('confluent')
    for scenario in (topic_lifecycle, invalid_topics, configs, offsets, out_of_range, unknown_topic, too_large,
                     long_poll):
        suite.run(scenario.__name__, scenario)
    for name in CODECS:
        suite.run('codec_' + name, lambda name=name: codec(name))
    for level in (0, 1):
        suite.run(f'acks_{level}', lambda level=level: acks(level))
    suite.end()


if __name__ == '__main__':
    main()
