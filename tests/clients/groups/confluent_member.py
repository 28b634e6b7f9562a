#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A group member with confluent-kafka-python 1.7 (librdkafka 2.0.2), or a newer one. STROM_GROUP_PROTOCOL=consumer in
the environment: in the consumer protocol (KIP-848), where the broker knows sessions and assigns."""
import logging
import re

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from member import IS_CONSUMER_PROTOCOL, SETTINGS, Owned, start, stopped, tell

ASSIGNORS = {'range': 'range', 'roundrobin': 'roundrobin', 'cooperative': 'cooperative-sticky'}
COMMIT_RECORDS = 50
IS_AUTO = SETTINGS['commit'] == 'auto'


class Generation(logging.Handler):
    """librdkafka keeps the generation to itself, but its log has it (debug=cgrp)."""
    number = None

    def emit(self, record):
        found = re.search(r'JoinGroup response: GenerationId (\d+)', record.getMessage())
        if found:
            self.number = int(found.group(1))


class Member:
    def __init__(self):
        self.generation = Generation()
        logger = logging.getLogger('librdkafka')
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(self.generation)
        self.consumer = Consumer(self.config(), logger=logger)
        self.owned = Owned()
        self.pending = {}  # (topic, partition): next offset

    def config(self):
        config = {
            'bootstrap.servers': SETTINGS['bootstrap'], 'broker.address.family': 'v4', 'group.id': SETTINGS['group'],
            'client.id': SETTINGS['name'], 'auto.offset.reset': 'earliest', 'enable.auto.commit': IS_AUTO,
            'auto.commit.interval.ms': 200, 'topic.metadata.refresh.interval.ms': 500, 'fetch.wait.max.ms': 100,
            'reconnect.backoff.max.ms': 500, 'debug': 'cgrp',
        }
        if IS_CONSUMER_PROTOCOL:
            config['group.protocol'] = 'consumer'
            config['group.remote.assignor'] = 'range' if SETTINGS['assignor'] == 'range' else 'uniform'
        else:
            config['session.timeout.ms'] = SETTINGS['session_ms']
            config['heartbeat.interval.ms'] = SETTINGS['heartbeat_ms']
            config['partition.assignment.strategy'] = ASSIGNORS[SETTINGS['assignor']]
        if SETTINGS.get('instance'):
            config['group.instance.id'] = SETTINGS['instance']
        return config

    def run(self):
        start()
        self.consumer.subscribe(SETTINGS['topics'], on_assign=self.on_assign, on_revoke=self.on_revoke,
                                on_lost=self.on_lost)
        while not stopped.is_set():
            self.deliver()
            if not IS_AUTO:
                self.commit()
        self.consumer.close()
        self.owned.revoke(self.owned.partitions)
        tell('left')

    def deliver(self):
        """Up to some records. Not with consume(): at a rebalance librdkafka 2.0.2 drops what that had gathered, and
        commits it all the same."""
        for _ in range(COMMIT_RECORDS):
            message = self.consumer.poll(0.05)
            if message is None:
                break
            error = message.error()
            if error is None:
                topic, partition, offset = message.topic(), message.partition(), message.offset()
                tell('records', rows=[[topic, partition, offset, message.value().decode()]])
                self.pending[topic, partition] = offset + 1
            else:
                tell_error(error)

    def commit(self):
        """What was delivered; synchronously, so that nothing is on its way when partitions are handed over."""
        if not self.pending:
            return
        offsets = [[*tp, offset] for tp, offset in self.pending.items()]
        self.pending = {}
        try:
            self.consumer.commit(offsets=[TopicPartition(t, p, o) for t, p, o in offsets], asynchronous=False)
            tell('committed', offsets=offsets)
        except KafkaException as e:
            tell('refused', text=str(e.args[0]))
            tell_error(e.args[0])

    def on_assign(self, _consumer, partitions):
        self.owned.assign(pairs(partitions), self.generation.number)

    def on_revoke(self, _consumer, partitions):
        if not IS_AUTO:
            self.commit()
        self.owned.revoke(pairs(partitions))

    def on_lost(self, _consumer, partitions):
        self.pending = {}
        self.owned.revoke(pairs(partitions), lost=True)


def tell_error(error):
    is_fenced = error.code() in (KafkaError.FENCED_INSTANCE_ID, KafkaError._FATAL)
    tell('fenced' if is_fenced else 'notice', text=str(error))


def pairs(partitions):
    return [(p.topic, p.partition) for p in partitions]


if __name__ == '__main__':
    Member().run()
