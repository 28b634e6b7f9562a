#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""txn_worker.py - one transactional client of kill9_txn.py, which may be killed like the broker.

Its argument is a JSON object: bootstrap, kind, name (its transactional id), life (how often it was started), seed.
A feeder writes transactions of its own into several partitions, and aborts some. A copier is one of a group that
reads what was committed there and writes it to the same partition of the second topic, with its offsets.

It tells what it does as JSON lines (clients/groups/process.py): "committing" before it asks for the commit,
"committed" and "aborted" when that was answered. ["stop"] on its standard input ends it after its transaction.
"""
import os
import sys

from confluent_kafka import KafkaException

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from transactional import CALL_S, Transactional, call, main, tell  # noqa: E402
from txn_history import GROUP, INPUT, OUTPUT, PARTITIONS, value_of  # noqa: E402

TIMEOUT_MS = 60_000
PAUSE_S = 0.02
BATCH = 40  # records that a copier takes into one transaction
ABORTED = 0.25  # share of the transactions that a feeder aborts


class Worker(Transactional):
    def __init__(self, settings):
        super().__init__(settings, TIMEOUT_MS)
        self.number = 0
        self.txn, self.counts = None, {}

    def start(self):
        super().start()
        tell('started')

    def committing(self):
        tell('committing', txn=self.txn, counts=self.counts)

    def transaction(self, fill, is_commit=True):
        """Runs one; fill writes into it and returns the records of each partition. Returns whether it was committed."""
        self.txn = f'{self.name}.{self.life}.{self.number}'
        self.number += 1

        def fill_it():
            self.counts = fill(self.txn)
            return is_commit
        is_committed = self.in_transaction(fill_it)
        tell('committed' if is_committed else 'aborted', txn=self.txn)
        return is_committed

    def run(self):
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
        self.consumer = self.make_consumer(GROUP)
        self.taken = []

    def start(self):
        super().start()
        self.consumer.subscribe([INPUT], on_revoke=self.forget, on_lost=self.forget)

    def forget(self, _consumer, _partitions):
        self.taken.clear()  # what was read belongs to others now

    def run(self):
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
        self.send_offsets(offsets, self.consumer)
        return {}

    def rewind(self):
        """Back to what is committed: what was read since then has to be read again."""
        for found in call(self.consumer.committed, self.consumer.assignment(), CALL_S):
            found.offset = max(found.offset, 0)
            try:
                self.consumer.seek(found)
            except KafkaException:
                pass  # not fetching yet: it begins at the committed offset by itself


def make(settings):
    return Worker(settings) if settings['kind'] == 'feeder' else Copier(settings)


if __name__ == '__main__':
    sys.exit(main(make))
