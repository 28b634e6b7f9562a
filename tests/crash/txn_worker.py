#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""txn_worker.py - one transactional client of kill9_txn.py, which may be killed like the broker.

Its argument is a JSON object: bootstrap, kind, name (its transactional id), life (how often it was started), seed.
A feeder writes transactions of its own into several partitions, and aborts some. A copier is one of a group that
reads what was committed there and writes it to the same partition of the second topic, with its offsets.

It tells what it does as JSON lines (clients/groups/process.py): "committing" before it asks for the commit,
"committed" and "aborted" when that was answered. ["stop"] on its standard input ends it after its transaction.
"""
import json
import random
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer

from txn_history import GROUP, INPUT, OUTPUT, PARTITIONS, value_of

CALL_S = 60
PAUSE_S = 0.02
BATCH = 40  # records that a copier takes into one transaction
ABORTED = 0.25  # share of the transactions that a feeder aborts


def tell(event, **fields):
    print(json.dumps({'event': event, 'at': time.monotonic(), **fields}), flush=True)


class NeedsAbort(Exception):
    """The transaction can only be aborted."""


def call(action, *arguments):
    """Calls again while the error is one that passes."""
    while True:
        try:
            return action(*arguments)
        except KafkaException as e:
            error = e.args[0]
            if error.txn_requires_abort():
                raise NeedsAbort(str(error)) from None
            if not error.retriable() or error.fatal():
                raise


class Worker:
    def __init__(self, settings):
        self.settings = settings
        self.name, self.life = settings['name'], settings['life']
        self.chance = random.Random(f'{settings["seed"]} {self.name} {self.life}')
        self.common = {'bootstrap.servers': settings['bootstrap'], 'broker.address.family': 'v4', 'log_level': 0,
                       'reconnect.backoff.ms': 10, 'reconnect.backoff.max.ms': 100, 'retry.backoff.ms': 20,
                       'topic.metadata.refresh.fast.interval.ms': 20}
        self.producer = Producer({**self.common, 'transactional.id': self.name, 'linger.ms': 2,
                                  'transaction.timeout.ms': 60000, 'message.timeout.ms': 60000})
        self.stopping = threading.Event()
        self.number = 0

    def start(self):
        threading.Thread(target=self.commands, daemon=True).start()
        call(self.producer.init_transactions, CALL_S)
        tell('started')

    def commands(self):
        sys.stdin.readline()  # a command or the end of the file: both mean the same
        self.stopping.set()

    def produce(self, topic, partition, value):
        while True:
            try:
                self.producer.produce(topic, value, partition=partition)
                return
            except BufferError:
                self.producer.poll(0.05)
            except KafkaException as e:
                if e.args[0].fatal():
                    raise
                raise NeedsAbort(str(e)) from None  # a batch has failed meanwhile

    def transaction(self, fill, is_commit=True):
        """Runs one; fill writes into it and returns the records of each partition. Returns whether it was committed."""
        txn = f'{self.name}.{self.life}.{self.number}'
        self.number += 1
        call(self.producer.begin_transaction)
        try:
            counts = fill(txn)
            if is_commit:
                tell('committing', txn=txn, counts=counts)
                call(self.producer.commit_transaction, CALL_S)
                tell('committed', txn=txn)
                return True
        except NeedsAbort as e:
            tell('notice', text=str(e))
        call(self.producer.abort_transaction, CALL_S)
        tell('aborted', txn=txn)
        return False

    def feed(self):
        while not self.stopping.is_set():
            self.transaction(self.fill, self.chance.random() >= ABORTED)
            self.producer.poll(PAUSE_S)

    def fill(self, txn):
        counts = {p: self.chance.randrange(1, 5) for p in self.chance.sample(range(PARTITIONS),
                                                                             self.chance.randrange(1, PARTITIONS + 1))}
        for p, count in counts.items():
            for index in range(count):
                self.produce(INPUT, p, value_of(txn, p, index))
        if self.chance.random() < 0.5:
            self.producer.flush(CALL_S)
        return counts


class Copier(Worker):
    def __init__(self, settings):
        super().__init__(settings)
        self.consumer = Consumer({**self.common, 'group.id': GROUP, 'enable.auto.commit': False,
                                  'auto.offset.reset': 'earliest', 'isolation.level': 'read_committed',
                                  'session.timeout.ms': 3000, 'heartbeat.interval.ms': 300, 'fetch.wait.max.ms': 50})
        self.taken = []

    def start(self):
        super().start()
        self.consumer.subscribe([INPUT], on_revoke=self.forget, on_lost=self.forget)

    def forget(self, _consumer, _partitions):
        self.taken.clear()  # what was read belongs to others now

    def copy(self):
        while not self.stopping.is_set():
            self.take()
            if self.taken and not self.transaction(self.copy_taken):
                self.rewind()
            self.taken.clear()
        self.consumer.close()

    def take(self):
        message = self.consumer.poll(0.1)
        while message is not None and len(self.taken) < BATCH:
            if not message.error():
                self.taken.append(message)
            message = self.consumer.poll(0.005)
        if message is not None and not message.error():
            self.taken.append(message)

    def copy_taken(self, _txn):
        next_offsets = {}
        for message in self.taken:
            self.produce(OUTPUT, message.partition(), message.value())
            next_offsets[message.partition()] = message.offset() + 1
        offsets = self.consumer.position(self.consumer.assignment())
        offsets = [o for o in offsets if o.partition in next_offsets]
        for o in offsets:
            o.offset = next_offsets[o.partition]
        call(self.producer.send_offsets_to_transaction, offsets, self.consumer.consumer_group_metadata(), CALL_S)
        return {}

    def rewind(self):
        """Back to what is committed: what was read since then has to be read again."""
        for found in call(self.consumer.committed, self.consumer.assignment(), CALL_S):
            found.offset = max(found.offset, 0)
            try:
                self.consumer.seek(found)
            except KafkaException:
                pass  # not fetching yet: it begins at the committed offset by itself


def main():
    settings = json.loads(sys.argv[1])
    try:
        if settings['kind'] == 'feeder':
            worker = Worker(settings)
            worker.start()
            worker.feed()
        else:
            worker = Copier(settings)
            worker.start()
            worker.copy()
    except (KafkaException, NeedsAbort) as e:
        tell('error', text=str(e))
        return 1
    tell('left')
    return 0


if __name__ == '__main__':
    sys.exit(main())
