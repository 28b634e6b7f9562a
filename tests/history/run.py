#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run.py - transactions of sends and polls under kill -9 and rebalances, judged by kafka_history.py.

  tests/history/run.py --broker build/src/server/strom --seconds 30 [--seed N]

Four workers (worker.py): two read all partitions by themselves, two are members of one group. Every few seconds the
broker is killed, and now and then a worker, which is followed by one with the same transactional id. At the end
everything is read once more.
"""
import argparse
import json
import os
import random
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from kafka_history import Analysis, Recorder

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'support'))
sys.path.insert(0, os.path.join(HERE, '..', 'clients', 'groups'))
from broker import Broker, BrokerFailed  # noqa: E402
from process import Talker  # noqa: E402

SETTINGS = {'auto.create.topics.enable': 'false', 'group.initial.rebalance.delay.ms': 0,
            'group.min.session.timeout.ms': 1000}
TOPIC, PARTITIONS, GROUP = 'history', 4, 'members'
WORKERS = {'alone-1': '', 'alone-2': '', 'member-1': GROUP, 'member-2': GROUP}
PATIENCE_S = 60
BROKER_LIVES_S = 3.0
WORKER_KILLED = 0.4


class Wrong(Exception):
    """Something that must not happen."""


class Fleet:
    """The workers, and the history that they make."""

    def __init__(self, command, bootstrap, seed):
        self.command, self.bootstrap, self.seed = command, bootstrap, seed
        self.changed = threading.Condition()
        self.recorder = Recorder()
        self.lives = {name: 0 for name in WORKERS}
        self.workers = {}
        self.done = 0

    def start(self, name):
        self.lives[name] += 1
        settings = {'bootstrap': self.bootstrap, 'name': name, 'life': self.lives[name], 'seed': self.seed,
                    'topic': TOPIC, 'partitions': PARTITIONS, 'group': WORKERS[name]}
        fleet, process = self, f'{name}.{self.lives[name]}'

        class Worker(Talker):
            def on_event(self, event):
                fleet.recorder.told(process, event)
                fleet.done += event['event'] == 'ok'
        self.workers[name] = Worker([*self.command, json.dumps(settings)], dict(os.environ), self.changed)

    def kill(self, name):
        self.workers[name].kill()
        with self.changed:
            self.recorder.ended(f'{name}.{self.lives[name]}')

    def replace_ended(self):
        """A client that has come to an end by itself is followed by another, as an application would do it."""
        count = 0
        for name, worker in self.workers.items():
            if worker.has_ended():
                print(f'# {name} ended: {worker.events[-1:]} {" / ".join(worker.noise[-3:])}', flush=True)
                self.kill(name)
                self.start(name)
                count += 1
        return count

    def wait_done(self, count):
        """Until so many transactions more were committed."""
        with self.changed:
            wanted = self.done + count
            if not self.changed.wait_for(lambda: self.done >= wanted, PATIENCE_S):
                raise Wrong(f'no {count} commits within {PATIENCE_S} s')

    def stop(self):
        for worker in self.workers.values():
            worker.command('stop')
        for name, worker in self.workers.items():
            worker.process.wait(PATIENCE_S)
            worker.reader.join(PATIENCE_S)
            with self.changed:
                self.recorder.ended(f'{name}.{self.lives[name]}')

    def close(self):
        for worker in self.workers.values():
            worker.kill()


def create_topic(bootstrap):
    admin = AdminClient({'bootstrap.servers': bootstrap})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(20)


def read_all(bootstrap, recorder):
    """Reads everything that is committed, as one more process; nothing is open any more when it ends."""
    consumer = Consumer({'bootstrap.servers': bootstrap, 'broker.address.family': 'v4', 'group.id': 'none',
                         'log_level': 0, 'enable.auto.commit': False, 'auto.offset.reset': 'error', 'check.crcs': True,
                         'isolation.level': 'read_committed', 'fetch.wait.max.ms': 50, 'enable.partition.eof': True})
    partitions = [TopicPartition(TOPIC, p, 0) for p in range(PARTITIONS)]
    recorder.told('final', {'event': 'begin', 'op': 1})
    consumer.assign(partitions)
    ended, moved, deadline = set(), True, time.monotonic() + PATIENCE_S
    while len(ended) < PARTITIONS:
        if time.monotonic() > deadline:
            raise Wrong(f'only partitions {ended} came to an end within {PATIENCE_S} s')
        messages = consumer.consume(500, 0.1)
        rows = [[m.partition(), m.offset(), m.value().decode()] for m in messages if not m.error()]
        ended |= {m.partition() for m in messages if m.error() and m.error().code() == KafkaError._PARTITION_EOF}
        recorder.told('final', {'event': 'poll', 'at': time.monotonic(), 'rows': rows, 'moved': moved})
        moved = False
    recorder.told('final', {'event': 'committing', 'at': time.monotonic()})
    recorder.told('final', {'event': 'ok'})
    consumer.close()


def wait_closed(bootstrap):
    """Until no transaction is open: what dead workers left ends by its timeout."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        ends = []
        for level in ('read_committed', 'read_uncommitted'):
            c = Consumer({'bootstrap.servers': bootstrap, 'broker.address.family': 'v4', 'group.id': 'none',
                          'isolation.level': level, 'log_level': 0})
            ends.append([c.get_watermark_offsets(TopicPartition(TOPIC, p), timeout=20)[1] for p in range(PARTITIONS)])
            c.close()
        if ends[0] == ends[1]:
            return
        if time.monotonic() > deadline:
            raise Wrong(f'the last stable offsets stay at {ends[0]}, the ends are {ends[1]}')
        time.sleep(0.2)


def torment(broker, fleet, seconds, chance, kills_broker):
    """Kills, for so long; returns what it did."""
    kills = deaths = ends = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(BROKER_LIVES_S * (0.5 + chance.random()))
        if kills_broker:
            broker.kill()
            kills += 1
        if chance.random() < WORKER_KILLED or not kills_broker:
            victim = chance.choice(list(WORKERS))
            fleet.kill(victim)
            fleet.start(victim)
            deaths += 1
        if kills_broker:
            broker.start()
        fleet.wait_done(1)
        ends += fleet.replace_ended()
    return f'{kills} kills of the broker, {deaths} of workers, {ends} ended by themselves'


def play(name, broker, command, seconds, seed, kills_broker=True):
    """With a broker that was started; returns whether it failed."""
    print(f'# history {name}: {seconds} s, --seed {seed}', flush=True)
    create_topic(broker.bootstrap)
    fleet = Fleet(command, broker.bootstrap, seed)
    try:
        for worker in WORKERS:
            fleet.start(worker)
        fleet.wait_done(1)
        what = torment(broker, fleet, seconds, random.Random(seed), kills_broker)
        fleet.stop()
        wait_closed(broker.bootstrap)
        read_all(broker.bootstrap, fleet.recorder)
        analysis = Analysis(fleet.recorder.ops)
        wrong = analysis.wrong()
        for kind, rows in wrong.items():
            print(f'not ok history {name} {kind}: {len(analysis.errors[kind])}, as {rows}', flush=True)
        if not wrong:
            print(f'ok history {name}: {what}; {fleet.recorder.counts()}', flush=True)
        return bool(wrong)
    except (Wrong, BrokerFailed) as e:
        print(f'not ok history {name}: {e}\n{broker.log_tail()}', flush=True)
        return True
    finally:
        fleet.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--seconds', type=float, default=30)
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    command = [sys.executable, os.path.join(HERE, 'worker.py')]
    broker = Broker(options.broker, settings=SETTINGS)
    try:
        broker.start()
        return 1 if play('librdkafka', broker, command, options.seconds, options.seed) else 0
    except BrokerFailed as e:
        print(f'not ok history librdkafka: {e}', flush=True)
        return 1
    finally:
        broker.close()


if __name__ == '__main__':
    sys.exit(main())
