#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill9_txn.py - kill -9 of the broker, and of its clients, under transactions: all or nothing, exactly once.

  tests/crash/kill9_txn.py --broker build/src/server/strom --runs 10 [--seed N]

Two feeders write transactions into several partitions, two copiers read them as a group and write them to a second
topic with their offsets (txn_worker.py). txn_history.py says what has to be true, after every few kills and at the end.
"""
import argparse
import json
import math
import os
import random
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from txn_history import GROUP, INPUT, OUTPUT, PARTITIONS, History, Wrong

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'support'))
sys.path.insert(0, os.path.join(HERE, '..', 'clients', 'groups'))
from broker import Broker, BrokerFailed  # noqa: E402
from process import Talker  # noqa: E402

SETTINGS = {'auto.create.topics.enable': 'false', 'group.initial.rebalance.delay.ms': 0,
            'group.min.session.timeout.ms': 1000}
WORKERS = {'feeder-1': 'feeder', 'feeder-2': 'feeder', 'copier-1': 'copier', 'copier-2': 'copier'}
PATIENCE_S = 60
CHECK_EVERY = 3
CLIENT_KILLED = 0.4  # share of the runs in which a client dies with the broker


class GaveUp(Wrong):
    """A client ended by itself."""


class Fleet:
    """The workers; each one that died is followed by one with the same transactional id."""

    def __init__(self, command, bootstrap, seed, history):
        self.command, self.bootstrap, self.seed, self.history = command, bootstrap, seed, history
        self.changed = threading.Condition()
        self.lives = {name: 0 for name in WORKERS}
        self.workers = {}
        self.commits = {name: 0 for name in WORKERS}
        self.broker_back = -math.inf  # when it was listening again after its last end
        self.refused = 0  # aborts
        self.faults = []

    def start(self, name):
        self.lives[name] += 1
        settings = {'bootstrap': self.bootstrap, 'kind': WORKERS[name], 'name': name, 'life': self.lives[name],
                    'seed': self.seed, 'input': INPUT, 'output': OUTPUT, 'group': GROUP, 'partitions': PARTITIONS}
        fleet = self

        class Worker(Talker):
            def on_event(self, event):
                fleet.history.told(event)
                fleet.commits[name] += event['event'] == 'committed'
                fleet.judge(name, event)
        self.workers[name] = Worker([*self.command, json.dumps(settings)], dict(os.environ), self.changed)

    def kill(self, name):
        self.workers[name].kill()

    def broker_is_killed(self, broker):
        with self.changed:
            self.broker_back = math.inf
        broker.kill()

    def broker_starts(self, broker):
        seconds = broker.start()
        with self.changed:
            self.broker_back = time.monotonic()
        return seconds

    def judge(self, name, event):
        """An abort may be refused if the transaction began before the broker was back (transactional.py abort)."""
        if event['event'] != 'refused':
            return
        self.refused += 1
        if event['began'] > self.broker_back:
            self.faults.append(f'{name} may not abort what it began after the broker had come back')

    def fail_if_ended(self):
        if self.faults:
            raise Wrong(self.faults[0])
        for name, worker in self.workers.items():
            error = next((e['text'] for e in worker.events if e['event'] == 'error'), None)
            if error or worker.has_ended():
                raise GaveUp(f'{name} ended: {error} {" / ".join(worker.noise)}')

    def wait_commits(self, count, kinds=('feeder', 'copier')):
        """Until every feeder, and one of the copiers, has that many commits more: a copier may have no partition."""
        with self.changed:
            before = dict(self.commits)

            def done():
                self.fail_if_ended()
                gained = {name: self.commits[name] - before[name] for name in WORKERS}
                feeders = all(n >= count for name, n in gained.items() if WORKERS[name] == 'feeder')
                copiers = sum(n for name, n in gained.items() if WORKERS[name] == 'copier') >= count
                return (feeders or 'feeder' not in kinds) and (copiers or 'copier' not in kinds)
            if not self.changed.wait_for(done, PATIENCE_S):
                raise Wrong(f'no {count} commits within {PATIENCE_S} s: {before}, then {self.commits}')

    def wait_committing(self, name):
        """Until it waits for the answer to a commit, which it does now and then for a short time."""
        with self.changed:
            events = self.workers[name].events
            self.changed.wait_for(lambda: events and events[-1]['event'] == 'committing', PATIENCE_S)

    def stop(self, kind):
        for name, worker in self.workers.items():
            if WORKERS[name] == kind:
                worker.command('stop')
        for name, worker in self.workers.items():
            if WORKERS[name] == kind and (worker.process.wait(PATIENCE_S) != 0 or worker.reader.join(PATIENCE_S)):
                raise Wrong(f'{name} ended with {worker.process.returncode}: {worker.events[-1]}')
        if self.faults:
            raise Wrong(self.faults[0])

    def close(self):
        for worker in self.workers.values():
            worker.kill()


class Reader:
    """A read_committed consumer of both topics, and what the group has committed."""

    def __init__(self, bootstrap, history):
        self.common = {'bootstrap.servers': bootstrap, 'broker.address.family': 'v4', 'enable.auto.commit': False,
                       'log_level': 0, 'reconnect.backoff.max.ms': 100, 'isolation.level': 'read_committed'}
        self.history = history
        self.ended = set()
        self.consumer = Consumer({**self.common, 'group.id': 'unused', 'auto.offset.reset': 'error',
                                  'check.crcs': True, 'fetch.wait.max.ms': 50, 'enable.partition.eof': True})
        self.group = Consumer({**self.common, 'group.id': GROUP})
        self.partitions = list(history.offsets)
        self.assign()

    def assign(self):
        """Goes on after the last record, and learns of the ends once more."""
        self.ended.clear()
        read = self.history.offsets
        self.consumer.assign([TopicPartition(*p, read[p][-1] + 1 if read[p] else 0) for p in self.partitions])

    def read_until(self, what, is_done):
        deadline = time.monotonic() + PATIENCE_S
        while not is_done():
            if time.monotonic() > deadline:
                raise Wrong(f'{what()} after {PATIENCE_S} s')
            for message in self.consumer.consume(500, 0.1):
                self.take(message)

    def take(self, message):
        error = message.error()
        if error is None:
            self.history.saw(message.topic(), message.partition(), message.offset(), message.value().decode())
        elif error.code() == KafkaError._PARTITION_EOF:
            self.ended.add((message.topic(), message.partition()))
        elif error.code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN) and not error.retriable():
            raise Wrong(f'fetch: {error}')

    def committed(self):
        """The group's offsets in the first topic. While one is being changed, Kafka's answer is to ask again."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                found = self.group.committed([TopicPartition(INPUT, p) for p in range(PARTITIONS)], timeout=10)
                return [max(f.offset, 0) for f in found]
            except KafkaException as e:
                if time.monotonic() > deadline:
                    raise Wrong(f'no offsets of the group: {e}') from None

    def copy_reaches(self, counts):
        self.read_until(lambda: f'COPY: {[self.history.copied(p) for p in range(PARTITIONS)]} records, not {counts}',
                        lambda: all(self.history.copied(p) >= n for p, n in enumerate(counts)))

    def check(self, lock):
        """While they work: all that is promised comes, and what the group's offsets are past was copied."""
        with lock:
            promised = self.history.promised()
        self.read_until(lambda: f'LOST, or the last stable offset stays: {self.history.missing(promised)[:5]}',
                        lambda: not self.history.missing(promised))
        self.copy_reaches([self.history.records_before(p, offset) for p, offset in enumerate(self.committed())])

    def drain(self):
        """To the last stable offsets, when nobody writes."""
        self.assign()
        self.read_until(lambda: f'only {self.ended} ended', lambda: len(self.ended) == len(self.partitions))

    def check_ends(self):
        """Nothing is open any more, and the group's offsets are past everything."""
        ends = {}
        for level in ('read_committed', 'read_uncommitted'):
            c = Consumer({**self.common, 'group.id': 'unused', 'isolation.level': level})
            ends[level] = [c.get_watermark_offsets(TopicPartition(*p), timeout=20)[1] for p in self.partitions]
            c.close()
        if ends['read_committed'] != ends['read_uncommitted']:
            raise Wrong(f'the last stable offsets are not the ends: {ends}')
        offsets = self.committed()
        for p, offset in enumerate(offsets):
            if self.history.records_before(p, offset) != len(self.history.offsets[INPUT, p]):
                raise Wrong(f'COPY: the group ends at {offsets}, the topic with {self.history.offsets[INPUT, p][-1]}')

    def close(self):
        self.consumer.close()
        self.group.close()


def create_topics(bootstrap):
    admin = AdminClient({'bootstrap.servers': bootstrap})
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in (INPUT, OUTPUT)]).values():
        future.result(20)


class Plan:
    """What is played: with which workers, how often, and whether the broker is killed or only they are."""

    def __init__(self, name, command, runs, seed, kills_broker=True):
        self.name, self.command, self.runs, self.seed, self.kills_broker = name, command, runs, seed, kills_broker
        self.chance = random.Random(seed)

    def victim(self):
        is_one_killed = self.chance.random() < CLIENT_KILLED or not self.kills_broker
        return self.chance.choice(list(WORKERS)) if is_one_killed else None


def one_run(broker, fleet, plan):
    """Lets them work for a moment, kills the broker and perhaps one of them; returns what happened as text."""
    fleet.wait_commits(plan.chance.randrange(1, 8))
    time.sleep(plan.chance.random() * 0.1)  # the moment of the kill is meant to be arbitrary
    victim, seconds = plan.victim(), 0
    if victim:
        fleet.wait_committing(victim)
        if plan.chance.random() < 0.5:
            fleet.kill(victim)
    if plan.kills_broker:
        fleet.broker_is_killed(broker)
    if victim:
        fleet.kill(victim)
    if plan.kills_broker:
        seconds = fleet.broker_starts(broker)
    if victim:
        fleet.start(victim)
    fleet.wait_commits(1)
    happened = [f'listening again after {seconds * 1000:.0f} ms'] if plan.kills_broker else []
    return ', '.join(happened + ([f'{victim} was killed'] if victim else []))


def finish(broker, fleet, reader, plan):
    """Everybody ends in peace; then the strictest look, after one more kill."""
    fleet.stop('feeder')
    reader.drain()
    reader.copy_reaches([len(reader.history.offsets[INPUT, p]) for p in range(PARTITIONS)])
    fleet.stop('copier')
    if plan.kills_broker:
        broker.kill()
        broker.start()
    reader.drain()
    reader.history.judge()
    reader.check_ends()


def play(broker, plan, may_give_up=False):
    """The whole of it with a broker that was started; returns whether it failed. may_give_up: lets GaveUp through."""
    print(f'# {plan.name}: kill -9 under transactions, {plan.runs} runs, --seed {plan.seed}', flush=True)
    history = History()
    create_topics(broker.bootstrap)
    fleet, reader = Fleet(plan.command, broker.bootstrap, plan.seed, history), Reader(broker.bootstrap, history)
    run = 0
    try:
        for name in WORKERS:
            fleet.start(name)
        for run in range(1, plan.runs + 1):
            what = one_run(broker, fleet, plan)
            if run % CHECK_EVERY == 0:
                reader.check(fleet.changed)
            print(f'ok {plan.name} {run}: {what}', flush=True)
        finish(broker, fleet, reader, plan)
        print(f'ok {plan.name} all: {history.summary()}; {fleet.refused} aborts of what was lost', flush=True)
        return False
    except (Wrong, BrokerFailed) as e:
        if may_give_up and isinstance(e, GaveUp) and broker.alive():
            raise
        print(f'not ok {plan.name} {run}: {e}\n{broker.log_tail()}', flush=True)
        if isinstance(e, Wrong) and os.environ.get('STROM_KEEP'):
            broker.owns_data = False
            print(f'# data kept in {broker.data_dir}', flush=True)
        return True
    finally:
        fleet.close()
        reader.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--runs', type=int, default=10)
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    command = [sys.executable, os.path.join(HERE, 'txn_worker.py')]
    broker = Broker(options.broker, settings=SETTINGS)
    try:
        broker.start()
        return 1 if play(broker, Plan('kill9_txn', command, options.runs, options.seed)) else 0
    except BrokerFailed as e:
        print(f'not ok kill9_txn: {e}', flush=True)
        return 1
    finally:
        broker.close()


if __name__ == '__main__':
    sys.exit(main())
