#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill9_contracts.py - a governed topic under load, with a contract that changes and a broker that is killed with -9:
every acknowledged, committed record is in exactly one of the topic and its dead letters, and where no change was under
way it is where the contract of that moment wants it. After each kill what the broker has counted is what is in the
topic and in its dead letters, aborted records included.

  tests/crash/kill9_contracts.py --broker build/src/server/strom --runs 10 [--seed N]
"""
import argparse
import json
import os
import random
import sys
import threading
import time
import urllib.request

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from broker import Broker, BrokerFailed  # noqa: E402

TOPIC, LETTERS, PARTITIONS = 'governed', 'governed.dlq', 2
STRICT, LOOSE = 10, 0  # an amount must be at least this; phases take turns, the first is strict
AMOUNTS = (-5, 5, 15)  # never good, good while it is loose, always good
TXN_SIZE = 25
WAIT_S = 60


class Wrong(Exception):
    """A promise is broken."""


class Contract:
    """The contract as it changes. `begun` counts changes that were asked for, `done` those acknowledged."""

    def __init__(self, broker):
        self.broker = broker
        self.begun = self.done = -1

    def change(self):
        self.begun += 1
        least = STRICT if self.begun % 2 == 0 else LOOSE
        rule = {'name': f'least{self.begun}', 'kind': 'CONDITION', 'type': 'CEL', 'mode': 'WRITE',
                'expr': f'message.amount >= {least}'}
        body = {'schemaType': 'JSON', 'schema': '{"type":"object","required":["id","amount"]}',
                'ruleSet': {'domainRules': [rule]}}
        request = urllib.request.Request(f'{self.broker.http}/subjects/{TOPIC}-value/versions',
                                         json.dumps(body).encode(), {'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            json.load(answer)
        self.done = self.begun

    def try_change(self):
        """While the broker is down it fails; what was begun may have been done."""
        try:
            self.change()
        except OSError:
            self.begun -= 1
            self.change()


class Sent:
    """What became of each record, by id."""

    def __init__(self):
        self.lock = threading.Lock()
        self.next = 0
        self.acked = {}    # id -> (amount, phase, or None if a change was under way)
        self.unknown = set()
        self.gone = set()  # aborted
        self.committed = 0  # transactions

    def new(self, chance):
        with self.lock:
            self.next += 1
            return self.next, chance.choice(AMOUNTS)


def settings(broker, **more):
    return {'bootstrap.servers': broker.bootstrap, 'log_level': 0, 'reconnect.backoff.max.ms': 200, 'linger.ms': 2,
            'message.timeout.ms': WAIT_S * 1000, **more}


class Worker(threading.Thread):
    def __init__(self, broker, contract, sent, seed):
        super().__init__(daemon=True)
        self.broker, self.contract, self.sent = broker, contract, sent
        self.chance = random.Random(seed)
        self.stopping = threading.Event()
        self.failure = None
        self.pausing, self.resting = threading.Event(), threading.Event()

    def rest(self):
        """While it is asked to, between two pieces of work: nothing of it is on its way."""
        while self.pausing.is_set() and not self.stopping.is_set():
            self.resting.set()
            time.sleep(0.01)
        self.resting.clear()

    def run(self):
        try:
            self.work()
        except Exception as e:  # pylint: disable=broad-except
            self.failure = e

    def produce(self, producer, told):
        """Sends one record; told(id, entry) hears of it once it is acknowledged."""
        number, amount = self.sent.new(self.chance)
        phase = self.contract.done

        def delivered(error, _message):
            if error is not None:
                self.sent.unknown.add(number)
            else:
                told(number, (amount, phase if self.contract.begun == phase else None))
        value = json.dumps({'id': number, 'amount': amount})
        producer.produce(TOPIC, value, str(number).encode(), on_delivery=delivered)
        producer.poll(0)
        return number


class Plain(Worker):
    """An idempotent producer, five requests in flight."""

    def work(self):
        producer = Producer(settings(self.broker, **{'enable.idempotence': True}))
        while not self.stopping.is_set():
            if self.pausing.is_set():
                if producer.flush(WAIT_S):
                    raise Wrong('records without an answer')
                self.rest()
            self.produce(producer, self.sent.acked.__setitem__)
            if self.chance.random() < 0.02:
                time.sleep(0.005)
        if producer.flush(WAIT_S):
            raise Wrong('records without an answer')


class Transactional(Worker):
    """Transactions, one in four aborted on purpose."""

    def work(self):
        producer = None
        while not self.stopping.is_set():
            self.rest()
            if producer is None:
                producer = Producer(settings(self.broker, **{'transactional.id': 'kill9'}))
                self.until_done(producer.init_transactions)
            if not self.transaction(producer):
                producer = None

    def until_done(self, call):
        """Calls until it is done; False: it failed for good."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            try:
                call(5)
                return True
            except KafkaException as e:
                if not e.args[0].retriable():
                    return False
        raise Wrong('a transaction did not end')

    def transaction(self, producer):
        """False: the producer is of no use any more."""
        entries = {}
        producer.begin_transaction()
        numbers = {self.produce(producer, entries.__setitem__) for _ in range(self.chance.randrange(1, TXN_SIZE))}
        if self.chance.random() < 0.25:
            if self.until_done(producer.abort_transaction):
                self.sent.gone |= numbers
                return True
            self.sent.unknown |= numbers
            return False
        if self.until_done(producer.commit_transaction):
            self.sent.acked.update({n: (entries[n][0], None) for n in numbers})
            self.sent.committed += 1
            return True
        self.sent.unknown |= numbers  # its end was under way
        return self.until_done(producer.abort_transaction)


def read(broker, topic, isolation='read_committed'):
    """The committed records, or all: {id: how often}, read to the end of each partition."""
    consumer = Consumer({'bootstrap.servers': broker.bootstrap, 'group.id': 'verify', 'enable.auto.commit': False,
                         'isolation.level': isolation, 'auto.offset.reset': 'earliest',
                         'enable.partition.eof': True})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    found, ended, end = {}, set(), time.monotonic() + WAIT_S
    while len(ended) < PARTITIONS:
        if time.monotonic() > end:
            raise Wrong(f'the end of {topic} is never reached')
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            ended.add(message.partition())
            continue
        number = json.loads(message.value())['id']
        found[number] = found.get(number, 0) + 1
    consumer.close()
    return found


def verify(broker, sent):
    kept, letters = read(broker, TOPIC), read(broker, LETTERS)
    for found in (kept, letters):
        doubled = [n for n, times in found.items() if times > 1]
        if doubled:
            raise Wrong(f'records {doubled[:5]} are there twice')
    both = kept.keys() & letters.keys()
    if both:
        raise Wrong(f'records {sorted(both)[:5]} are in the topic and in the dead letters')
    for number, (amount, phase) in list(sent.acked.items()):
        if number not in kept and number not in letters:
            raise Wrong(f'record {number}, amount {amount}, was acknowledged and is nowhere')
        if amount == AMOUNTS[0] and number in kept or amount == AMOUNTS[2] and number in letters:
            raise Wrong(f'record {number}, amount {amount}, is on the wrong side')
        if phase is not None:
            is_good = amount >= (STRICT if phase % 2 == 0 else LOOSE)
            if is_good != (number in kept):
                raise Wrong(f'record {number}, amount {amount}: not judged by the contract of its moment ({phase})')
    wrong = sent.gone & (kept.keys() | letters.keys())
    if wrong:
        raise Wrong(f'records {sorted(wrong)[:5]} of aborted transactions are there')
    return len(kept), len(letters)


def counted(broker):
    with urllib.request.urlopen(f'{broker.http}/contracts/topics/{TOPIC}', timeout=WAIT_S) as answer:
        return json.load(answer)


def verify_counters(broker, before):
    """Nothing is on its way: counters, topic and dead letters add up; and nothing was forgotten."""
    now = counted(broker)
    sums = {name: now[name] for name in ('passed', 'dead_lettered', 'refused', 'marked', 'observed')}
    found = {'passed': sum(read(broker, TOPIC, 'read_uncommitted').values()),
             'dead_lettered': sum(read(broker, LETTERS, 'read_uncommitted').values()),
             'refused': 0, 'marked': 0, 'observed': 0}
    if sums != found or now['checked'] != sum(sums.values()):
        raise Wrong(f'counted are {sums}, {now["checked"]} in all, and there are {found}')
    if any(now[name] < before[name] for name in sums):
        raise Wrong(f'counters go back: {before} before the kill, {now} after it')
    for part in ('producers', 'versions'):
        if sum(row['checked'] for row in now[part]) != now['checked']:
            raise Wrong(f'the {part} do not add up to {now["checked"]}: {now[part]}')
    return now['checked']


def pause(workers):
    for worker in workers:
        worker.pausing.set()
    for worker in workers:
        while worker.is_alive() and not worker.resting.wait(1):
            pass


def one_run(broker, contract, sent, chance, workers):
    before = len(sent.acked)
    end = time.monotonic() + WAIT_S
    wanted = before + chance.randrange(50, 600)
    while len(sent.acked) < wanted:
        if time.monotonic() > end:
            raise Wrong('nothing is acknowledged any more')
        if chance.random() < 0.1:
            contract.change()
        time.sleep(0.005)
    before = counted(broker)
    broker.kill()
    acked = len(sent.acked)
    seconds = broker.start()
    contract.try_change()
    pause(workers)
    checked = verify_counters(broker, before)
    for worker in workers:
        worker.pausing.clear()
    return (f'{acked} acknowledged before, contract {contract.done}, listening again after {seconds * 1000:.0f} ms, '
            f'{checked} counted')


def play(broker, runs, chance):
    broker.start()
    contract, sent = Contract(broker), Sent()
    contract.change()
    admin = AdminClient({'bootstrap.servers': broker.bootstrap})
    config = {'strom.value.validation.level': 'contract', 'strom.validation.on.failure': 'dlq'}
    for future in admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1, config=config)]).values():
        future.result(20)
    workers = [Plain(broker, contract, sent, chance.random()), Plain(broker, contract, sent, chance.random()),
               Transactional(broker, contract, sent, chance.random())]
    for worker in workers:
        worker.start()
    for run in range(1, runs + 1):
        print(f'ok contracts {run}: {one_run(broker, contract, sent, chance, workers)}', flush=True)
    for worker in workers:
        worker.stopping.set()
    for worker in workers:
        worker.join(2 * WAIT_S)
        if worker.failure is not None or worker.is_alive():
            raise Wrong(f'{type(worker).__name__}: {worker.failure or "hangs"}')
    before = counted(broker)
    broker.kill()
    broker.start()
    verify_counters(broker, before)
    kept, letters = verify(broker, sent)
    exact = sum(phase is not None for _, phase in sent.acked.values())
    print(f'ok contracts all: {kept} records in the topic, {letters} dead letters, {len(sent.gone)} aborted, '
          f'{len(sent.unknown)} unknown, {sent.committed} transactions committed, {contract.done} changes, '
          f'{exact} verdicts known beforehand', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--runs', type=int, default=10)
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f'# contracts under kill -9, {options.runs} runs, --seed {options.seed}', flush=True)
    broker = Broker(options.broker)
    try:
        play(broker, options.runs, random.Random(options.seed))
        return 0
    except (Wrong, BrokerFailed) as e:
        print(f'not ok contracts: {e}\n{broker.log_tail()}', flush=True)
        return 1
    finally:
        broker.close()


if __name__ == '__main__':
    sys.exit(main())
