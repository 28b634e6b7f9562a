#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""worker.py - one process of run.py: transactions of sends and polls in any mixture, with librdkafka. May be killed.

Its argument is a JSON object: bootstrap, name (its transactional id), life, seed, topic, partitions, group (a member of
it; else it reads all partitions by itself). It tells, as JSON lines with a time (clients/groups/process.py):

  begin {op}, send {partition, value}, poll {rows: [[partition, offset, value]], moved}, committing, and how it ended:
  ok or fail {offsets: {value: offset}}

A line on its standard input ends it after its transaction.
"""
import json
import random
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

CALL_S = 60
ABORTED = 0.2
STEPS_MAX = 5


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
        self.name = f'{settings["name"]}.{settings["life"]}'
        self.chance = random.Random(f'{settings["seed"]} {self.name}')
        common = {'bootstrap.servers': settings['bootstrap'], 'broker.address.family': 'v4', 'log_level': 0,
                  'reconnect.backoff.ms': 10, 'reconnect.backoff.max.ms': 100, 'retry.backoff.ms': 20,
                  'topic.metadata.refresh.fast.interval.ms': 20}
        self.producer = Producer({**common, 'transactional.id': settings['name'], 'linger.ms': 2,
                                  'transaction.timeout.ms': 20000, 'message.timeout.ms': 20000})
        self.consumer = Consumer({**common, 'group.id': settings['group'] or 'none', 'enable.auto.commit': False,
                                  'auto.offset.reset': 'earliest', 'isolation.level': 'read_committed',
                                  'session.timeout.ms': 3000, 'heartbeat.interval.ms': 300, 'fetch.wait.max.ms': 50})
        self.stopping = threading.Event()
        self.moved = True
        self.values = self.ops = 0
        self.offsets = {}  # of this transaction's values

    def start(self):
        threading.Thread(target=lambda: (sys.stdin.readline(), self.stopping.set()), daemon=True).start()
        call(self.producer.init_transactions, CALL_S)
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
        call(self.producer.begin_transaction)
        try:
            read = {}
            for _ in range(self.chance.randrange(1, STEPS_MAX)):
                if self.chance.random() < 0.6:
                    self.send()
                else:
                    self.poll(read)
            if read and self.settings['group']:
                offsets = [TopicPartition(self.settings['topic'], p, offset + 1) for p, offset in read.items()]
                group = self.consumer.consumer_group_metadata()
                call(self.producer.send_offsets_to_transaction, offsets, group, CALL_S)
            if self.chance.random() >= ABORTED:
                tell('committing')
                call(self.producer.commit_transaction, CALL_S)
                tell('ok', offsets=self.offsets)
                return
        except NeedsAbort as e:
            tell('notice', text=str(e))
        call(self.producer.abort_transaction, CALL_S)
        tell('fail', offsets={})

    def send(self):
        value = f'{self.name}/{self.values}'
        self.values += 1
        partition = self.chance.randrange(self.settings['partitions'])
        tell('send', partition=partition, value=value)

        def delivered(error, message):
            if error is None:
                self.offsets[value] = message.offset()
        while True:
            try:
                self.producer.produce(self.settings['topic'], value, partition=partition, on_delivery=delivered)
                return
            except BufferError:
                self.producer.poll(0.05)
            except KafkaException as e:
                if e.args[0].fatal():
                    raise
                raise NeedsAbort(str(e)) from None  # a batch has failed meanwhile

    def poll(self, read):
        messages = self.consumer.consume(self.chance.randrange(1, 30), 0.05)
        rows = [[m.partition(), m.offset(), m.value().decode()] for m in messages if not m.error()]
        moved, self.moved = self.moved, False  # callbacks come before the records of their assignment
        if moved:
            read.clear()
        tell('poll', rows=rows, moved=moved)
        for partition, offset, _ in rows:
            read[partition] = offset


def main():
    worker = Worker(json.loads(sys.argv[1]))
    try:
        worker.start()
        worker.run()
    except (KafkaException, NeedsAbort) as e:
        tell('error', text=str(e))
        return 1
    tell('left')
    return 0


if __name__ == '__main__':
    sys.exit(main())
