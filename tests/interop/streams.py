# SPDX-License-Identifier: Apache-2.0
"""streams.py - a Kafka Streams application (java/StreamsApp.java) with exactly_once_v2 while it, and the broker, are
killed; what it wrote is compared with the exact answer, record for record."""
import collections
import os
import shutil
import sys
import tempfile
import threading
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import jvm
from work import CLIENTS, Failure, check

sys.path.insert(0, os.path.join(CLIENTS, 'groups'))
from process import Talker  # noqa: E402

PARTITIONS = 4
USERS, REGIONS = 50, 5
CLICKS, PAYMENTS = 6000, 1500
CLICK_MS, PAYMENT_MS, NEAR_MS, MINUTE_MS = 10, 40, 1000, 60000
PATIENCE_S = 120
SETTINGS = {'group.initial.rebalance.delay.ms': 0}
# What is killed, after which share of the clicks.
KILLS = [(0.2, 'app'), (0.4, 'broker'), (0.6, 'app and its state'), (0.8, 'broker')]


def user_of_click(i):
    return f'u{i * 7 % USERS}'


def user_of_payment(j):
    return f'u{j * 3 % USERS}'


def region_of(user):
    return f'r{int(user[1:]) % REGIONS}'


def amount_of(i):
    return i * 31 % 97


class Answer:
    """What has to come out."""

    def __init__(self, start_ms):
        self.pairs, self.totals = collections.Counter(), {}
        for j in range(PAYMENTS):
            near = NEAR_MS // CLICK_MS
            middle = j * PAYMENT_MS // CLICK_MS
            for i in range(max(0, middle - near), min(CLICKS, middle + near + 1)):
                if user_of_click(i) == user_of_payment(j):
                    self.pairs[user_of_click(i), f'c{i},p{j}'] += 1
        for i in range(CLICKS):
            at = start_ms + i * CLICK_MS
            key = f'{region_of(user_of_click(i))}@{at - at % MINUTE_MS}'
            self.totals.setdefault(key, []).append(amount_of(i))

    def judge(self, pairs, totals):
        """pairs: (user, pair) as they came; totals: key: its values in order."""
        came = collections.Counter(pairs)
        check(came == self.pairs, f'pairs: {sum((self.pairs - came).values())} are missing, '
              f'{sum((came - self.pairs).values())} too many: {list((came - self.pairs).items())[:3]}')
        for key, amounts in self.totals.items():
            values = [tuple(map(int, value.split(','))) for value in totals.get(key, [])]
            check([count for count, _ in values] == list(range(1, len(amounts) + 1)),
                  f'{key}: counts {[count for count, _ in values][-5:]} of {len(amounts)}')
            check(values[-1][1] == sum(amounts), f'{key}: {values[-1]}, sum {sum(amounts)}')
        check(set(totals) == set(self.totals), f'other keys: {set(totals) - set(self.totals)}')


class World:
    def __init__(self, broker):
        self.broker = broker
        self.common = {'bootstrap.servers': broker.bootstrap, 'broker.address.family': 'v4', 'log_level': 0,
                       'reconnect.backoff.max.ms': 200}
        self.start_ms = (int(time.time()) - 3600) * 1000
        self.answer = Answer(self.start_ms)
        self.changed = threading.Condition()
        self.state = tempfile.mkdtemp(prefix='strom-streams-')
        self.app = None

    def create(self):
        admin = AdminClient(self.common)
        topics = [NewTopic(name, PARTITIONS, 1) for name in ('clicks', 'payments', 'regions', 'pairs', 'totals')]
        for future in admin.create_topics(topics).values():
            future.result(30)
        producer = Producer(self.common)
        for user in {user_of_click(i) for i in range(USERS)}:
            producer.produce('regions', region_of(user), key=user, partition=0)
        check(producer.flush(30) == 0, 'the regions are not written')

    def start_app(self):
        command = jvm.command('StreamsApp', self.broker.bootstrap, self.state)
        self.app = Talker(command, dict(os.environ), self.changed)

    def wait_running(self):
        with self.changed:
            ran = self.changed.wait_for(lambda: self.app.has_ended() or
                                        any(e.get('text') == 'RUNNING' for e in self.app.events), PATIENCE_S)
            check(ran and not self.app.has_ended(), f'the application does not run: {self.app.events[-3:]}, '
                  f'{self.app.noise[-5:]}')

    def feed(self, producer, first, last):
        """The clicks from first to last - 1, and the payments of their time."""
        step = PAYMENT_MS // CLICK_MS
        for i in range(first, last):
            producer.produce('clicks', f'{user_of_click(i)},{amount_of(i)}', key=f'c{i}', partition=i % PARTITIONS,
                             timestamp=self.start_ms + i * CLICK_MS)
            if i % step == 0:
                j = i // step
                producer.produce('payments', user_of_payment(j), key=f'p{j}', partition=j % PARTITIONS,
                                 timestamp=self.start_ms + j * PAYMENT_MS)
            producer.poll(0.001)

    def kill(self, what):
        if what == 'broker':
            self.broker.kill()
            self.broker.start()
            return
        self.app.kill()
        if what == 'app and its state':
            shutil.rmtree(self.state)
        self.start_app()

    def work(self, kills):
        producer = Producer({**self.common, 'enable.idempotence': True, 'linger.ms': 5})
        done = 0
        for share, what in kills:
            self.feed(producer, done, int(CLICKS * share))
            done = int(CLICKS * share)
            self.wait_running()  # not before it has found its work
            self.kill(what)
        self.feed(producer, done, CLICKS)
        check(producer.flush(60) == 0, 'not everything was fed')

    def read(self):
        """All of the output, until as much has come as has to, and then to the end."""
        wanted = sum(self.answer.pairs.values()) + CLICKS
        consumer = Consumer({**self.common, 'group.id': 'unused', 'isolation.level': 'read_committed',
                             'enable.auto.commit': False, 'enable.partition.eof': True})
        consumer.assign([TopicPartition(t, p, 0) for t in ('pairs', 'totals') for p in range(PARTITIONS)])
        pairs, totals, ended, deadline = [], {}, set(), time.monotonic() + PATIENCE_S
        while len(pairs) + sum(map(len, totals.values())) < wanted or len(ended) < 2 * PARTITIONS:
            if time.monotonic() > deadline:
                break
            for message in consumer.consume(500, 0.2):
                where = message.topic(), message.partition()
                if message.error():
                    check(message.error().code() in (KafkaError._PARTITION_EOF, KafkaError._TRANSPORT,
                                                     KafkaError._ALL_BROKERS_DOWN), f'fetch: {message.error()}')
                    if message.error().code() == KafkaError._PARTITION_EOF:
                        ended.add(where)
                    continue
                ended.discard(where)
                key, value = message.key().decode(), message.value().decode()
                if message.topic() == 'pairs':
                    pairs.append((key, value))
                else:
                    totals.setdefault(key, []).append(value)
        consumer.close()
        return pairs, totals

    def stop_app(self):
        self.app.command('stop')
        check(self.app.process.wait(60) == 0, f'the application ended with {self.app.process.returncode}')

    def close(self):
        if self.app:
            self.app.kill()
        shutil.rmtree(self.state, ignore_errors=True)


def play(peer, _):
    """Returns whether something failed. Apache Kafka itself is not killed: it would take too long to come back."""
    jvm.setup()
    broker, world, begin = peer.make(SETTINGS), None, time.monotonic()
    kills = [(share, what) for share, what in KILLS if what != 'broker' or not peer.options.kafka]
    try:
        broker.start()
        world = World(broker)
        world.create()
        world.start_app()
        world.work(kills)
        pairs, totals = world.read()
        world.answer.judge(pairs, totals)
        world.stop_app()
        print(f'ok streams: {len(pairs)} pairs and {CLICKS} clicks in {len(totals)} windows, each once, through kills '
              f'of {", ".join(what for _, what in kills)} ({time.monotonic() - begin:.0f} s)', flush=True)
        return False
    except Failure as e:
        notices = [event for event in world.app.events if event['event'] == 'notice'] if world and world.app else []
        print(f'not ok streams: {e}\n{notices[-3:]}\n{broker.log_tail()}', flush=True)
        return True
    finally:
        if world:
            world.close()
        broker.close()
