#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""contracts_exact_test.py - librdkafka under a contract that changes under way: idempotent and transactional producers
with five requests in flight of which some are refused, and readers that come to batches whose every record was set
aside. What was delivered is in exactly one of topic and dead letter topic, what was refused in neither."""
import json
import subprocess
import threading

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_test import COMMON, create, fetch
from contracts_test import ask
from scenario import BOOTSTRAP, Suite, check, equal, fresh_topic

RECORDS = 2000
FLIGHT = {**COMMON, 'acks': 'all', 'linger.ms': 1, 'batch.num.messages': 7, 'max.in.flight.requests.per.connection': 5,
          'message.timeout.ms': 60000, 'log_level': 0}


def set_limit(topic, limit):
    """Values are {"n": number, "c": class}; classes below the limit are bad."""
    schema = {'type': 'object', 'required': ['n', 'c'],
              'properties': {'n': {'type': 'integer'}, 'c': {'type': 'integer', 'minimum': limit}}}
    body = {'schema': json.dumps(schema), 'schemaType': 'JSON'}
    status, answer = ask('POST', f'/subjects/{topic}-value/versions', body)
    check(status == 200, f'registration: {status} {answer}')


def governed(name, on_failure):
    topic = fresh_topic(name)
    status, answer = ask('PUT', f'/config/{topic}-value', {'compatibility': 'NONE'})
    check(status == 200, f'{status} {answer}')
    set_limit(topic, 1)
    create(topic, 1, {'strom.value.validation.level': 'structure', 'strom.validation.on.failure': on_failure})
    return topic


def value(n, bad_each):
    """Each bad_each-th is bad in any case, one hundred of five depends on the limit."""
    return json.dumps({'n': n, 'c': 0 if n % bad_each == 0 else 3 if n // 100 % 5 else 1}).encode()


class Changer:
    """The limit goes up and down while the block runs."""

    def __init__(self, topic):
        self.topic, self.stop = topic, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        turn = 0
        while not self.stop.wait(0.05):
            turn += 1
            set_limit(self.topic, 1 + turn % 3)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def numbers(topic):
    return [json.loads(same[1])['n'] for _, same in fetch(topic, [0])[0]]


def compare(topic, delivered, refused, on_failure):
    """delivered and refused: lists of numbers, in the order of their reports."""
    stored = numbers(topic)
    aside = numbers(f'{topic}.dlq') if on_failure == 'dlq' else []
    equal('stored twice', len(stored), len(set(stored)))
    equal('set aside twice', len(aside), len(set(aside)))
    equal('in both', sorted(set(stored) & set(aside)), [])
    equal('lost', sorted(set(delivered) - set(stored) - set(aside)), [])
    equal('refused, and there', sorted((set(stored) | set(aside)) & set(refused)), [])
    equal('from nowhere', sorted((set(stored) | set(aside)) - set(delivered)), [])
    equal('order', stored, sorted(stored))


def idempotent(on_failure, bad_each):
    topic = governed(f'exact-{on_failure}', on_failure)
    delivered, refused, strange = [], [], []

    def report(error, message):
        n = json.loads(message.value())['n']
        if error is None:
            delivered.append(n)
        elif error.code() == KafkaError.INVALID_RECORD:
            refused.append(n)
        else:
            strange.append((n, error.str()))

    producer = Producer({**FLIGHT, 'enable.idempotence': True})
    with Changer(topic):
        for n in range(RECORDS):
            producer.produce(topic, value(n, bad_each), partition=0, on_delivery=report)
            producer.poll(0)
            if n % 50 == 0:
                producer.poll(0.01)
        equal('unsent', producer.flush(60), 0)
    equal('other errors', strange[:5], [])
    equal('reports', len(delivered) + len(refused), RECORDS)
    check(len(delivered) > RECORDS / 3, f'{len(delivered)} were delivered')
    check((len(refused) > 0) == (on_failure == 'reject'), f'{len(refused)} were refused')
    compare(topic, delivered, refused, on_failure)


def idempotent_with_letters():
    idempotent('dlq', 5)


def idempotent_with_refusals():
    idempotent('reject', 40)


def transactional(on_failure, bad_each):
    topic = governed(f'exact-txn-{on_failure}', on_failure)
    producer = Producer({**FLIGHT, 'transactional.id': topic})
    producer.init_transactions(30)
    delivered, gone = [], []
    with Changer(topic):
        for begin in range(0, RECORDS // 3, 50):
            batch, errors = [], []
            producer.begin_transaction()
            for n in range(begin, begin + 50):
                producer.produce(topic, value(n, bad_each), partition=0,
                                 on_delivery=lambda e, m, errors=errors: errors.append(e) if e else None)
                batch.append(n)
            try:
                producer.flush(30)
                if begin % 200 == 0 or errors:
                    raise KafkaException(errors[0] if errors else 'as it is meant')
                producer.commit_transaction(30)
                delivered += batch
            except KafkaException:
                producer.abort_transaction(30)
                gone += batch
    check(delivered and gone, f'{len(delivered)} and {len(gone)}')
    compare(topic, delivered, gone, on_failure)


def transactions_with_letters():
    transactional('dlq', 5)


def transactions_with_refusals():
    transactional('reject', 90)


def read_to_end(topic, isolation):
    """The offset at which librdkafka says that there is no more."""
    consumer = Consumer({**COMMON, 'group.id': fresh_topic('group'), 'auto.offset.reset': 'earliest',
                         'enable.partition.eof': True, 'isolation.level': isolation})
    consumer.assign([TopicPartition(topic, 0, 0)])
    count = 0
    try:
        for _ in range(200):
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                count += 1
            elif message is not None and message.error().code() == KafkaError._PARTITION_EOF:
                return message.offset(), count
        return None, count
    finally:
        consumer.close()


def readers_pass_gaps():
    for ends_with_gap in (False, True):
        topic = governed('gaps', 'dlq')
        producer = Producer({**FLIGHT, 'batch.num.messages': 10})
        for k in range(12):  # batches of ten; every other one has only bad records
            is_bad = k % 2 == (1 if ends_with_gap else 0)
            for n in range(10):
                producer.produce(topic, json.dumps({'n': n, 'c': 0 if is_bad else 1}), partition=0)
            equal('unsent', producer.flush(20), 0)
        for isolation in ('read_committed', 'read_uncommitted'):
            equal(f'{isolation}, gap at the end {ends_with_gap}', read_to_end(topic, isolation), (120, 60))
        for offset in ('beginning', '115'):
            lines = subprocess.run(['kcat', '-b', BOOTSTRAP, '-C', '-e', '-q', '-t', topic, '-p', '0', '-o', offset],
                                   stdout=subprocess.PIPE, timeout=30, check=True).stdout.splitlines()
            wanted = 60 if offset == 'beginning' else 0 if ends_with_gap else 5
            equal(f'kcat from {offset}', len(lines), wanted)


def main():
    suite = Suite('contracts-exact')
    for scenario in (idempotent_with_letters, idempotent_with_refusals, transactions_with_letters,
                     transactions_with_refusals, readers_pass_gaps):
        suite.run(scenario.__name__, scenario)
    suite.end()


if __name__ == '__main__':
    main()
