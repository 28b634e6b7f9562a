#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""quota_test.py - librdkafka against quotas: it is told to wait, and what passes stays near what is allowed."""
import os
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from scenario import BOOTSTRAP, Suite, check, equal, fresh_topic

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
import messages  # noqa: E402
from rawkafka import Connection  # noqa: E402

COMMON = {'bootstrap.servers': BOOTSTRAP, 'broker.address.family': 'v4'}
HOST, PORT = BOOTSTRAP.rsplit(':', 1)
RATE = 200_000           # bytes a second
BURST_S = 10             # Kafka looks at 11 windows of a second: ten seconds' worth may come at once
VALUE = os.urandom(20_000)
COUNT = RATE * (BURST_S + 4) // len(VALUE)  # four seconds more than that
LEAST_S = 2              # of those, at the very least
MOST_S = 150             # only lest it waits for ever; run.py allows for two of these
TOPIC = fresh_topic('quota')
CLIENT = fresh_topic('client')


def set_quota(key, value):
    """For this test's client id; None takes it away."""
    entry = {'entity': [{'entity_type': 'client-id', 'entity_name': CLIENT}],
             'ops': [{'key': key, 'value': float(value or 0), 'remove': value is None}]}
    with Connection((HOST, int(PORT))) as connection:
        answer = messages.ask(connection, 'AlterClientQuotas', 1, {'entries': [entry], 'validate_only': False})
    equal('error', answer['entries'][0]['error'], 0)


def check_held(took, throttles):
    """A machine that takes as long as the quota by itself is not told to wait."""
    check(took > LEAST_S, f'{COUNT} records took {took:.1f} s')
    is_slow = took > COUNT * len(VALUE) / RATE
    check(is_slow or any(event.throttle_time > 0 for event in throttles), 'no throttle time was announced')


def producer_is_held():
    admin = AdminClient(COMMON)  # a client that is gone cancels what it was asked
    admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(20)
    set_quota('producer_byte_rate', RATE)
    throttles = []
    producer = Producer({**COMMON, 'client.id': CLIENT, 'batch.num.messages': 5, 'linger.ms': 5,
                         'message.timeout.ms': MOST_S * 1000, 'throttle_cb': lambda event: throttles.append(event)})
    begin = time.monotonic()
    failed = []
    for _ in range(COUNT):
        producer.produce(TOPIC, value=VALUE, partition=0, on_delivery=lambda e, m: failed.append(e) if e else None)
        producer.poll(0)
    equal('unsent', producer.flush(MOST_S), 0)
    took = time.monotonic() - begin
    equal('failed', failed, [])
    check_held(took, throttles)
    set_quota('producer_byte_rate', None)


def consumer_is_held():
    set_quota('consumer_byte_rate', RATE)
    throttles = []
    consumer = Consumer({**COMMON, 'client.id': CLIENT, 'group.id': CLIENT, 'enable.auto.commit': False,
                         'fetch.message.max.bytes': 100_000, 'throttle_cb': lambda event: throttles.append(event)})
    consumer.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
    begin = time.monotonic()
    got = 0
    while got < COUNT and time.monotonic() - begin < MOST_S:
        message = consumer.poll(1)
        got += message is not None and message.error() is None
    took = time.monotonic() - begin
    consumer.close()
    equal('records', got, COUNT)
    check_held(took, throttles)
    set_quota('consumer_byte_rate', None)


def main():
    suite = Suite('quota')
    suite.run('producer_is_held', producer_is_held)
    suite.run('consumer_is_held', consumer_is_held)
    suite.end()


if __name__ == '__main__':
    main()
