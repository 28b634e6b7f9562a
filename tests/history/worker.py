#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""worker.py - one process of run.py: transactions of sends and polls in any mixture, with librdkafka. May be killed.

Its argument is a JSON object: bootstrap, name (its transactional id), life, seed, topic, partitions, group (a member of
it; else it reads all partitions by itself). It tells, as JSON lines with a time (clients/groups/process.py):

  begin {op}, send {partition, value}, poll {rows: [[partition, offset, value]], moved}, committing, and how it ended:
  ok or fail {offsets: {value: offset}}

A line on its standard input ends it after its transaction.
"""
import os
import sys
import time

from confluent_kafka import TopicPartition

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from transactional import Transactional, main, tell  # noqa: E402

TIMEOUT_MS = 20_000
ABORTED = 0.2
STEPS_MAX = 5


class Worker(Transactional):
    def __init__(self, settings):
        super().__init__(settings, TIMEOUT_MS)
        self.consumer = self.make_consumer(settings['group'] or 'none')
        self.moved = True
        self.values = self.ops = 0
        self.offsets = {}  # of this transaction's values

    def start(self):
        super().start()
        topic = self.settings['topic']
        if self.settings['group']:
            self.consumer.subscribe([topic], on_assign=self.move, on_revoke=self.move, on_lost=self.move)
        else:
            self.consumer.assign([TopicPartition(topic, p, 0) for p in range(self.settings['partitions'])])

    def move(self, _consumer, _partitions):
        self.moved = True

    def run(self):
        while not self.stopping.is_set():
            self.transaction()
            time.sleep(self.chance.random() * 0.02)
        self.consumer.close()

    def transaction(self):
        self.ops += 1
        self.offsets = {}
        tell('begin', op=self.ops)
        if self.in_transaction(self.fill):
            tell('ok', offsets=self.offsets)
        else:
            tell('fail', offsets={})

    def fill(self):
        read = {}
        for _ in range(self.chance.randrange(1, STEPS_MAX)):
            if self.chance.random() < 0.6:
                self.send()
            else:
                self.poll(read)
        if read and self.settings['group']:
            self.send_offsets([TopicPartition(self.settings['topic'], p, offset + 1) for p, offset in read.items()],
                              self.consumer)
        return self.chance.random() >= ABORTED

    def send(self):
        value = f'{self.name}.{self.life}/{self.values}'
        self.values += 1
        partition = self.chance.randrange(self.settings['partitions'])
        tell('send', partition=partition, value=value)

        def delivered(error, message):
            if error is None:
                self.offsets[value] = message.offset()
        self.produce(self.settings['topic'], partition, value, on_delivery=delivered)

    def poll(self, read):
        messages = self.consumer.consume(self.chance.randrange(1, 30), 0.05)
        rows = [[m.partition(), m.offset(), m.value().decode()] for m in messages if not m.error()]
        moved, self.moved = self.moved, False  # callbacks come before the records of their assignment
        if moved:
            read.clear()
        tell('poll', rows=rows, moved=moved)
        for partition, offset, _ in rows:
            read[partition] = offset


if __name__ == '__main__':
    sys.exit(main(Worker))
