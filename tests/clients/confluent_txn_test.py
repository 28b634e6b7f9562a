#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""confluent-kafka-python (librdkafka 2.0.2 from Debian, newer ones in tests/interop): transactions."""
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from confluent_test import COMMON, consumer, create
from scenario import CODECS, PARTITIONS, Suite, check, equal, expect_error, fresh_topic

FENCED = ['_FENCED', 'PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH', '_FATAL']  # librdkafka takes the first as fatal

READERS = {}  # isolation level: a consumer, since to make one takes librdkafka half a second


def transactional(name, **config):
    """A producer that has taken over the transactional id."""
    producer = Producer({**COMMON, 'transactional.id': name, 'linger.ms': 2, 'message.timeout.ms': 15000,
                         'transaction.timeout.ms': 20000, 'log_level': 0, **config})
    producer.init_transactions(30)
    return producer


def send(producer, topic, text, count=1, partitions=range(PARTITIONS)):
    """`count` records in each partition, and the broker's answer for all of them."""
    errors = []
    producer.list_topics(topic, timeout=20)  # else it looks for an unknown topic once a second
    for i in range(count):
        for p in partitions:
            producer.produce(topic, f'{text}-{i}', partition=p,
                             on_delivery=lambda e, _: errors.append(e) if e else None)
    equal('unsent', producer.flush(20), 0)
    if errors:
        raise KafkaException(errors[0])


def texts(text, count=1):
    return [f'{text}-{i}' for i in range(count)]


def read(topic, level, partitions=range(PARTITIONS)):
    """The values of each partition, to what is its end at that isolation level."""
    c = READERS.setdefault(level, consumer(**{'isolation.level': level, 'fetch.wait.max.ms': 50}))
    c.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    got, unfinished, deadline = {p: [] for p in partitions}, set(partitions), time.monotonic() + 20
    while unfinished:
        check(time.monotonic() < deadline, f'partitions {unfinished} did not end')
        message = c.poll(1)
        if message is None:
            continue
        if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
            unfinished.discard(message.partition())
        elif message.error():
            raise KafkaException(message.error())
        else:
            got[message.partition()].append(message.value().decode())
    c.unassign()
    return list(got.values())


def committed_is(topic, expected, partitions=PARTITIONS):
    equal('read_committed', read(topic, 'read_committed'), [expected] * partitions)


def uncommitted_is(topic, expected, partitions=PARTITIONS):
    equal('read_uncommitted', read(topic, 'read_uncommitted'), [expected] * partitions)


def commit():
    topic = fresh_topic('txn-commit')
    create(topic)
    producer, expected = transactional(topic), []
    for number in range(3):
        producer.begin_transaction()
        send(producer, topic, f'txn{number}', 10)
        committed_is(topic, expected)
        expected = expected + texts(f'txn{number}', 10)
        uncommitted_is(topic, expected)
        producer.commit_transaction(20)
        committed_is(topic, expected)


def abort():
    topic = fresh_topic('txn-abort')
    create(topic)
    producer, kept, everything = transactional(topic), [], []
    for number in range(6):
        producer.begin_transaction()
        send(producer, topic, f'txn{number}', 5)
        everything += texts(f'txn{number}', 5)
        if number % 2:
            producer.commit_transaction(20)
            kept += texts(f'txn{number}', 5)
        else:
            producer.abort_transaction(20)
        committed_is(topic, kept)
        uncommitted_is(topic, everything)


def empty():
    topic = fresh_topic('txn-empty')
    create(topic)
    producer = transactional(topic)
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        end(20)
    producer.begin_transaction()
    send(producer, topic, 'after')
    producer.commit_transaction(20)
    committed_is(topic, texts('after'))


def interleaved():
    """The last stable offset is where the first open transaction began, whoever commits behind it."""
    topic = fresh_topic('txn-interleaved')
    create(topic)
    first, second, plain = transactional(topic + '-a'), transactional(topic + '-b'), Producer(COMMON)
    send(plain, topic, 'plain1')
    first.begin_transaction()
    send(first, topic, 'a1')
    second.begin_transaction()
    send(second, topic, 'b1')
    send(plain, topic, 'plain2')
    second.commit_transaction(20)
    committed_is(topic, ['plain1-0'])
    second.begin_transaction()
    send(second, topic, 'b2')
    send(first, topic, 'a2')
    second.abort_transaction(20)
    committed_is(topic, ['plain1-0'])
    uncommitted_is(topic, ['plain1-0', 'a1-0', 'b1-0', 'plain2-0', 'b2-0', 'a2-0'])
    first.commit_transaction(20)
    committed_is(topic, ['plain1-0', 'a1-0', 'b1-0', 'plain2-0', 'a2-0'])


def codecs():
    """Aborted batches of every codec between committed ones."""
    topic = fresh_topic('txn-codecs')
    create(topic)
    expected = []
    for number, codec in enumerate(CODECS):
        producer = transactional(topic, **{'compression.type': codec})
        for end, text in ((producer.commit_transaction, codec), (producer.abort_transaction, 'aborted-' + codec)):
            producer.begin_transaction()
            send(producer, topic, text, 20)
            end(20)
        expected += texts(codec, 20)
        equal(f'after {number + 1} codecs', read(topic, 'read_committed'), [expected] * PARTITIONS)


def woken_by_commit():
    """A read_committed consumer that waits is woken when the transaction ends, not when its wait does."""
    topic = fresh_topic('txn-woken')
    create(topic)
    producer = transactional(topic)
    c = consumer(**{'fetch.wait.max.ms': 200000, 'socket.timeout.ms': 290000, 'enable.partition.eof': False})
    c.assign([TopicPartition(topic, 0, 0)])
    producer.begin_transaction()
    send(producer, topic, 'x')
    equal('record of an open transaction', c.poll(0.5), None)
    producer.commit_transaction(20)
    message = c.poll(60)  # long before its wait is over
    check(message is not None and not message.error(), 'no record')
    c.close()


class Transformer:
    """A group that reads a topic, and the producer that commits its offsets."""

    def __init__(self, source, group):
        self.source = source
        self.consumer = Consumer({**COMMON, 'group.id': group, 'enable.auto.commit': False,
                                  'auto.offset.reset': 'earliest', 'isolation.level': 'read_committed'})
        self.consumer.subscribe([source])

    def take(self, count):
        """The values of the next `count` records."""
        values, deadline = [], time.monotonic() + 30
        while len(values) < count:
            check(time.monotonic() < deadline, f'only {values} came')
            message = self.consumer.poll(1)
            if message is not None:
                check(not message.error(), str(message.error()))
                values.append(message.value().decode())
        return values

    def send_offsets(self, producer):
        assignment = self.consumer.assignment()
        producer.send_offsets_to_transaction(self.consumer.position(assignment),
                                             self.consumer.consumer_group_metadata(), 20)

    def committed(self, partitions=PARTITIONS):
        asked = [TopicPartition(self.source, p) for p in range(partitions)]
        return [max(found.offset, 0) for found in self.consumer.committed(asked, timeout=20)]

    def close(self):
        self.consumer.close()


def source_topic(what, count):
    topic = fresh_topic(what)
    create(topic)
    send(Producer(COMMON), topic, 'in', count)
    return topic


def offsets():
    """Offsets in a transaction: there after its commit, as before after its abort; unstable in between."""
    source, sink = source_topic('txn-source', 2), fresh_topic('txn-sink')
    create(sink)
    transformer, producer = Transformer(source, sink), transactional(sink)
    taken = transformer.take(2 * PARTITIONS)
    equal('taken', sorted(taken), sorted(texts('in', 2) * PARTITIONS))
    producer.begin_transaction()
    send(producer, sink, 'out')
    transformer.send_offsets(producer)
    producer.abort_transaction(20)
    equal('offsets after abort', transformer.committed(), [0, 0, 0])
    producer.begin_transaction()
    send(producer, sink, 'out')
    transformer.send_offsets(producer)
    asked = [TopicPartition(source, 0)]
    expect_error(['UNSTABLE_OFFSET_COMMIT', '_TIMED_OUT'], lambda: transformer.consumer.committed(asked, timeout=0.5))
    producer.commit_transaction(20)
    equal('offsets after commit', transformer.committed(), [2, 2, 2])
    committed_is(sink, ['out-0'])
    transformer.close()


def old_member():
    """Who is no longer in the group cannot commit its offsets; the transaction has to be aborted."""
    source, group = source_topic('txn-old', 1), fresh_topic('txn-group')
    old, producer = Transformer(source, group), transactional(group)
    old.take(PARTITIONS)
    metadata, positions = old.consumer.consumer_group_metadata(), old.consumer.position(old.consumer.assignment())
    old.close()
    new = Transformer(source, group)
    new.take(PARTITIONS)
    producer.begin_transaction()
    send(producer, source, 'out')
    error = expect_error(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID'],
                         lambda: producer.send_offsets_to_transaction(positions, metadata, 20))
    check(error.args[0].txn_requires_abort(), f'the transaction need not be aborted: {error}')
    producer.abort_transaction(20)
    equal('offsets', new.committed(), [0, 0, 0])
    new.close()


def zombie():
    """A second producer with the id aborts what the first has open; the first can do nothing any more."""
    topic = fresh_topic('txn-zombie')
    create(topic)
    old = transactional(topic)
    old.begin_transaction()
    send(old, topic, 'old')
    new = transactional(topic)
    new.begin_transaction()
    send(new, topic, 'new')
    expect_error(FENCED, lambda: send(old, topic, 'zombie'))
    expect_error(FENCED, lambda: old.commit_transaction(20))
    new.commit_transaction(20)
    committed_is(topic, ['new-0'])
    uncommitted_is(topic, ['old-0', 'new-0'])


def timeout():
    """A transaction that nobody ends is aborted; Kafka looks for such every ten seconds."""
    topic = fresh_topic('txn-timeout')
    create(topic)
    lost = transactional(topic, **{'transaction.timeout.ms': 4000, 'message.timeout.ms': 4000})
    lost.begin_transaction()
    send(lost, topic, 'lost')
    send(Producer(COMMON), topic, 'plain')
    deadline = time.monotonic() + 25
    while read(topic, 'read_committed') != [['plain-0']] * PARTITIONS:
        check(time.monotonic() < deadline, 'the transaction stays open')
    expect_error(FENCED + ['INVALID_TXN_STATE', 'INVALID_PRODUCER_ID_MAPPING'], lambda: lost.commit_transaction(20))


def main():
    suite = Suite('confluent-txn')
    for scenario in (commit, abort, empty, interleaved, codecs, woken_by_commit, offsets, old_member, zombie, timeout):
        suite.run(scenario.__name__, scenario)
    suite.end()


if __name__ == '__main__':
    main()
