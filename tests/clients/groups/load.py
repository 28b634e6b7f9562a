#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""load.py - makes topics and keeps producing to them with confluent-kafka: "topic/partition/sequence", in order.

Commands on standard input, a JSON list per line:
  ["topic", NAME, PARTITIONS]   ["grow", NAME, PARTITIONS]   ["count"]   ["stop"]
  ["produce", NAME, RATE]       records per second and partition, from now on
It answers with events; "counted", and "produced" at the end, have the acknowledged records of each partition.
"""
import json
import os
import sys
import threading
import time

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

BOOTSTRAP = os.environ['STROM_BOOTSTRAP']
TICK_SECONDS = 0.02


def tell(event, **fields):
    print(json.dumps({'event': event, 'at': time.monotonic(), **fields}), flush=True)


class Load:
    def __init__(self):
        config = {'bootstrap.servers': BOOTSTRAP, 'broker.address.family': 'v4',
                  'topic.metadata.refresh.interval.ms': 500}
        self.admin = AdminClient(config)
        self.producer = Producer({**config, 'enable.idempotence': True, 'linger.ms': 5, 'message.timeout.ms': 60000})
        self.lock = threading.Lock()
        self.topics = {}  # name: partitions
        self.rates = {}
        self.sent = {}  # (topic, partition): records
        self.due = {}  # (topic, partition): records, with fractions
        self.acknowledged = {}
        self.counts = self.ends = False

    def topic(self, name, partitions):
        for future in self.admin.create_topics([NewTopic(name, partitions, 1)]).values():
            future.result(30)
        self.known(name, partitions)

    def grow(self, name, partitions):
        for future in self.admin.create_partitions([NewPartitions(name, partitions)]).values():
            future.result(30)
        self.known(name, partitions)

    def known(self, name, partitions):
        """Kafka's controller answers before its brokers know; some clients give up on a topic that is not there."""
        while len(self.admin.list_topics(name, timeout=30).topics[name].partitions) != partitions:
            time.sleep(TICK_SECONDS)
        with self.lock:
            self.topics[name] = partitions
        tell('topic', name=name)

    def produce(self, name, rate):
        with self.lock:
            self.rates[name] = rate
        tell('rate', name=name, rate=rate)

    def delivered(self, error, message):
        if error is not None:
            tell('error', text=f'not produced: {error}')
            return
        key = message.topic(), message.partition()
        expected = self.acknowledged.get(key, 0)
        if message.offset() not in (expected, -1):  # -1: the producer learned of it another way, after a retry
            tell('error', text=f'{key} acknowledged at {message.offset()}, expected {expected}')
        self.acknowledged[key] = expected + 1

    def send_due(self, seconds):
        with self.lock:
            plan = [(name, p, self.rates.get(name, 0)) for name, n in self.topics.items() for p in range(n)]
        for name, partition, rate in plan:
            self.due[name, partition] = self.due.get((name, partition), 0) + rate * seconds
            while self.due[name, partition] >= 1 and self.send(name, partition):
                self.due[name, partition] -= 1

    def send(self, name, partition):
        """Whether it could: a partition that was added is not known at once."""
        sequence = self.sent.get((name, partition), 0)
        value = f'{name}/{partition}/{sequence}'
        while True:
            try:
                self.producer.produce(name, value.encode(), partition=partition, on_delivery=self.delivered)
                break
            except BufferError:
                self.producer.poll(0.1)
            except KafkaException as e:
                if e.args[0].code() != KafkaError._UNKNOWN_PARTITION:
                    raise
                return False
        self.sent[name, partition] = sequence + 1
        return True

    def run(self):
        last = time.monotonic()
        while not self.ends:
            now = time.monotonic()
            self.send_due(min(now - last, 1))
            last = now
            self.producer.poll(TICK_SECONDS)
            if self.counts:
                self.counts = False
                self.tell_counts('counted')
        self.tell_counts('produced')

    def count(self):
        self.counts = True  # for the thread that produces: nothing is under way then

    def tell_counts(self, event):
        self.producer.flush(60)
        counts = [[*key, count] for key, count in sorted(self.acknowledged.items())]
        tell(event, counts=counts, sent=sum(self.sent.values()))

    def commands(self):
        for line in sys.stdin:
            word, *arguments = json.loads(line)
            if word == 'stop':
                break
            try:
                {'topic': self.topic, 'grow': self.grow, 'produce': self.produce, 'count': self.count}[word](*arguments)
            except Exception as e:  # whatever the library throws, the story has to hear of it
                tell('error', text=f'{word} {arguments}: {e}')
        self.ends = True


def main():
    load = Load()
    threading.Thread(target=load.commands, daemon=True).start()
    load.run()


if __name__ == '__main__':
    main()
