# SPDX-License-Identifier: Apache-2.0
"""load.py - a real idempotent producer with acks=all that never gives up, and the proof that nothing it was promised is
missing.

Record n of a partition carries its own number and bytes that follow from it, and one producer writes each partition. So
the log is right exactly when the record at offset n is record n, byte for byte: a lost record, a duplicate and a swap
all show as a wrong number."""
import os
import random
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

TOPIC = 'crash'
PARTITIONS = 4
PRODUCERS = [{'compression.type': 'none', 'partitions': (0, 1)}, {'compression.type': 'lz4', 'partitions': (2, 3)}]
RATE_PER_S = 1500  # records per producer: enough for several bundles in flight, little enough for 1,000 kills
PATIENCE_S = 60  # how long the producers may be without an acknowledgement
NOISE = random.Random(7).randbytes(1 << 16)


class Wrong(Exception):
    """The log is not what was acknowledged."""


def value_of(partition, n):
    """8 + 4 bytes of identity, then up to 1,500 bytes that follow from it; one in 200 has 60,000."""
    length = 60_000 if n % 200 == 199 else (n * 131 + partition * 17) % 1500
    start = (n * 977 + partition * 3571) % (len(NOISE) - length)
    return struct.pack('>qi', n, partition) + NOISE[start:start + length]


def key_of(partition, n):
    return f'{partition}-{n}'.encode()


class Load:
    """Producers in threads against `bootstrap`, until stop; counts what was acknowledged, per partition."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.sent = [0] * PARTITIONS
        self.acked = [0] * PARTITIONS  # records 0 .. acked-1 are promised
        self.verified = [0] * PARTITIONS
        self.verified_bytes = 0
        self.trouble = None
        self.stopping = False
        self.progress = threading.Condition()
        self.threads = []

    def create_topic(self):
        admin = AdminClient({'bootstrap.servers': self.bootstrap})
        for future in admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)]).values():
            future.result(20)

    def start(self):
        for number, config in enumerate(PRODUCERS):
            thread = threading.Thread(target=self._produce, args=(config,), name=f'producer-{number}', daemon=True)
            thread.start()
            self.threads.append(thread)

    def total_acked(self):
        return sum(self.acked)

    def wait_acked(self, count):
        """Waits until `count` more records are acknowledged than now, on every producer."""
        with self.progress:
            goals = [self._acked_by(p) + count for p in PRODUCERS]
            done = self.progress.wait_for(
                lambda: self.trouble or all(self._acked_by(p) >= g for p, g in zip(PRODUCERS, goals)), PATIENCE_S)
        if self.trouble:
            raise Wrong(self.trouble)
        if not done:
            raise Wrong(f'no acknowledgement for {PATIENCE_S} s: acked {self.acked}, sent {self.sent}')

    def _acked_by(self, producer):
        return sum(self.acked[p] for p in producer['partitions'])

    def stop(self):
        """No new records; waits for the acknowledgement of all."""
        self.stopping = True
        for thread in self.threads:
            thread.join(PATIENCE_S)
        if self.trouble:
            raise Wrong(self.trouble)
        if self.acked != self.sent:
            raise Wrong(f'not everything was acknowledged in the end: acked {self.acked}, sent {self.sent}')

    def _fail(self, why):
        with self.progress:
            self.trouble = self.trouble or why
            self.progress.notify_all()

    def _delivered(self, error, message, partition, n):
        with self.progress:
            if error is not None:
                self.trouble = self.trouble or f'record {partition}/{n} failed: {error}'
            elif message.offset() != n:
                self.trouble = self.trouble or f'record {partition}/{n} was acknowledged at offset {message.offset()}'
            elif self.acked[partition] != n:
                self.trouble = self.trouble or f'{partition}/{n} acknowledged, but {self.acked[partition]} was next'
            else:
                self.acked[partition] = n + 1
            self.progress.notify_all()

    def _produce(self, config):
        def on_error(error):
            if error.fatal():
                self._fail(f'fatal: {error}')
        producer = Producer({
            'bootstrap.servers': self.bootstrap, 'broker.address.family': 'v4', 'acks': 'all',
            'enable.idempotence': True, 'compression.type': config['compression.type'], 'linger.ms': 2,
            'batch.num.messages': 100, 'message.timeout.ms': 600000, 'reconnect.backoff.ms': 10,
            'reconnect.backoff.max.ms': 100, 'retry.backoff.ms': 20, 'socket.timeout.ms': 10000,
            'log_level': 2, 'error_cb': on_error})
        begin, count = time.monotonic(), 0
        while not self.stopping and not self.trouble:
            partition = config['partitions'][count % len(config['partitions'])]
            n = self.sent[partition]
            try:
                producer.produce(TOPIC, value=value_of(partition, n), key=key_of(partition, n), partition=partition,
                                 on_delivery=lambda e, m, p=partition, n=n: self._delivered(e, m, p, n))
            except BufferError:  # the broker is away: the queue is full
                producer.poll(0.05)
                continue
            self.sent[partition] += 1
            count += 1
            ahead = count / RATE_PER_S - (time.monotonic() - begin)
            if ahead < -1:  # do not catch up for the time without a broker: the load stays even
                begin, count = time.monotonic(), 0
            producer.poll(max(0, min(ahead, 0.05)))
        producer.flush(PATIENCE_S)

    def verify(self):
        """Reads on from where the last call ended, to the end of every partition, and compares every byte."""
        promised = list(self.acked)
        consumer = Consumer({'bootstrap.servers': self.bootstrap, 'broker.address.family': 'v4', 'group.id': 'unused',
                             'enable.auto.commit': False, 'enable.partition.eof': True, 'check.crcs': True,
                             'fetch.wait.max.ms': 20, 'log_level': 2, 'auto.offset.reset': 'error'})
        try:
            consumer.assign([TopicPartition(TOPIC, p, self.verified[p]) for p in range(PARTITIONS)])
            unfinished, deadline = set(range(PARTITIONS)), time.monotonic() + 120
            while unfinished:
                if time.monotonic() > deadline:
                    raise Wrong(f'fetching did not end: at {self.verified}, promised {promised}')
                for message in consumer.consume(500, 0.5):
                    self._verify_one(message, unfinished)
                    if message.partition() in unfinished and self.verified[message.partition()] > promised[
                            message.partition()] + 2000:
                        unfinished.discard(message.partition())  # past what was promised: no need to race the load
        finally:
            consumer.close()
        for partition in range(PARTITIONS):
            if self.verified[partition] < promised[partition]:
                raise Wrong(f'LOST: partition {partition} ends at {self.verified[partition]}, '
                            f'{promised[partition]} records were acknowledged')

    def _verify_one(self, message, unfinished):
        partition = message.partition()
        if message.error():
            if message.error().code() == KafkaError._PARTITION_EOF:
                unfinished.discard(partition)
                return
            if message.error().code() == KafkaError.UNSUPPORTED_VERSION:
                return  # the answer to a look for a group that nobody uses
            if message.error().retriable() or message.error().code() in (KafkaError._TRANSPORT,
                                                                         KafkaError._ALL_BROKERS_DOWN):
                return
            raise Wrong(f'fetch of partition {partition}: {KafkaException(message.error())}')
        n = self.verified[partition]
        if message.offset() != n:
            raise Wrong(f'partition {partition}: offset {message.offset()} where {n} was due')
        if message.value() != value_of(partition, n) or message.key() != key_of(partition, n):
            found = struct.unpack('>qi', message.value()[:12]) if len(message.value() or b'') >= 12 else '?'
            raise Wrong(f'partition {partition} offset {n} holds {found} (key {message.key()}): '
                        f'lost, doubled, out of order or changed')
        self.verified[partition] = n + 1
        self.verified_bytes += len(message.value())
