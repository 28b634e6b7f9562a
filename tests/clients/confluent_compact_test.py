#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""confluent-kafka-python 1.7: what a consumer reads of a compacted topic. A writer goes on until the broker has
compacted; Kafka's active segment needs that too."""
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from scenario import BOOTSTRAP, CODECS, Suite, check, equal, fresh_topic

COMMON = {'bootstrap.servers': BOOTSTRAP, 'broker.address.family': 'v4'}
COMPACTED = {'cleanup.policy': 'compact', 'segment.ms': '100', 'min.cleanable.dirty.ratio': '0.01',
             'delete.retention.ms': '100'}
KEYS = 20
admin = AdminClient(COMMON)


def create(what, **config):
    topic = fresh_topic(what)
    for future in admin.create_topics([NewTopic(topic, 1, 1, config={**COMPACTED, **config})]).values():
        future.result(20)
    return topic


class Writer:
    """Writes and remembers: {key: (offset, value)} of the newest record of each key."""

    def __init__(self, topic, **config):
        self.topic, self.newest, self.end, self.number = topic, {}, 0, 0
        self.producer = Producer({**COMMON, 'acks': 'all', 'linger.ms': 5, **config})

    def delivered(self, error, message):
        if error:
            raise KafkaException(error)
        self.newest[message.key()] = (message.offset(), message.value())
        self.end = message.offset() + 1

    def write(self, key, value):
        self.producer.produce(self.topic, key=key, value=value, on_delivery=self.delivered)

    def write_some(self, count=100):
        for _ in range(count):
            self.number += 1
            self.write(b'key-%d' % (self.number % KEYS), b'value %d' % self.number)
        self.flush()

    def flush(self):
        equal('unsent', self.producer.flush(20), 0)


def read(topic, offset=OFFSET_BEGINNING, **config):
    """Everything from the offset to the end: [(offset, key, value)]."""
    c = Consumer({**COMMON, 'group.id': 'unused', 'enable.auto.commit': False, 'enable.partition.eof': True,
                  'auto.offset.reset': 'error', 'check.crcs': True, **config})
    c.assign([TopicPartition(topic, 0, offset)])
    got, deadline = [], time.monotonic() + 20
    while True:
        check(time.monotonic() < deadline, 'the partition did not end')
        message = c.poll(1)
        if message is None:
            continue
        if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
            c.close()
            return got
        if message.error():
            raise KafkaException(message.error())
        got.append((message.offset(), message.key(), message.value()))


def until(what, writer, claim, **config):
    """Writes and reads until the claim holds for what was read."""
    deadline = time.monotonic() + 60
    while True:
        writer.write_some(KEYS)
        got = read(writer.topic, **config)
        if claim(got):
            return got
        check(time.monotonic() < deadline, f'{what}: still {len(got)} records of {writer.end}')


def check_newest(got, newest):
    offsets = [offset for offset, _, _ in got]
    equal('order', offsets, sorted(set(offsets)))
    last = {key: (offset, value) for offset, key, value in got}
    equal('newest records', last, newest)


def compacts(codec):
    def scenario():
        writer = Writer(create('compact'), **{'compression.type': codec})
        writer.write_some(2000)
        before = {offset: (key, value) for offset, key, value in read(writer.topic)}
        got = until('compaction', writer, lambda got: len(got) < writer.end - 1000)
        check_newest(got, writer.newest)
        for offset, key, value in got:  # what stayed is what it was
            equal(f'offset {offset}', (key, value), before.get(offset, (key, value)))
        for start in range(0, writer.end, 397):  # any offset: the records at and behind it
            behind = read(writer.topic, start)
            check(behind[0][0] >= start, f'from {start}: offset {behind[0][0]}')
            equal(f'end from {start}', behind[-1], got[-1])
    return scenario


def tombstones():
    writer = Writer(create('compact-delete'))
    writer.write(b'gone', b'here')
    writer.write_some(200)
    writer.write(b'gone', None)
    got = until('a tombstone', writer, lambda got: all(key != b'gone' for _, key, _ in got))
    del writer.newest[b'gone']
    check_newest(got, writer.newest)


def idempotent():
    writer = Writer(create('compact-idempotent'), **{'enable.idempotence': True})
    writer.write_some(2000)
    until('compaction', writer, lambda got: len(got) < writer.end - 1000)
    writer.write_some(500)  # its sequence goes on
    check_newest(read(writer.topic), writer.newest)


def aborted():
    topic = create('compact-txn')
    producer = Producer({**COMMON, 'transactional.id': topic})
    producer.init_transactions(20)
    for i in range(40):
        producer.begin_transaction()
        producer.produce(topic, key=b'key', value=b'aborted %d' % i if i % 2 else b'committed %d' % i)
        producer.flush(20)
        producer.abort_transaction(20) if i % 2 else producer.commit_transaction(20)
    writer = Writer(topic)
    left = until('compaction', writer, lambda got: sum(key == b'key' for _, key, _ in got) == 1,
                 **{'isolation.level': 'read_uncommitted'})
    equal('left of the transactions', [value for _, key, value in left if key == b'key'], [b'committed 38'])
    check_newest(read(topic), {**writer.newest, b'key': next((o, v) for o, k, v in left if k == b'key')})


suite = Suite('confluent-compact')
for name in CODECS:
    suite.run(f'compacts_{name}', compacts(name))
suite.run('tombstones', tombstones)
suite.run('idempotent', idempotent)
suite.run('aborted', aborted)
suite.end()
