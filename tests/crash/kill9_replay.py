#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill9_replay.py - `strom dlq replay` cut at every request that it makes: the command is killed with -9 before it has
the answer (before the next request leaves is the same to the broker), the broker at --runs random ones, before the
request or its answer. Given again, each dead letter that was mended is in its topic exactly once, and the one that
never is stays a dead letter.

  tests/crash/kill9_replay.py --broker build/src/server/strom --runs 10 [--seed N]
"""
import argparse
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from confluent_kafka import Consumer, Producer, TopicPartition

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from broker import Broker, BrokerFailed  # noqa: E402

TOPIC, PARTITIONS = 'replayed', 2
LETTERS = 6    # mended in each round; one more of the first fails again and again
STAYS = -7
WAIT_S = 60
CUTS_MAX = 200
BEFORE, AFTER = 'before request', 'before the answer to request'


class Wrong(Exception):
    """A promise is broken."""


class Proxy:
    """Stands between the command and the broker and counts requests; `cut` is called once, at the one that is asked
    for."""

    def __init__(self, broker):
        self.broker = broker
        self.lock = threading.Lock()
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.bootstrap = f'127.0.0.1:{self.listener.getsockname()[1]}'
        self.arm(0, BEFORE, None)
        threading.Thread(target=self.accept, daemon=True).start()

    def arm(self, number, when, cut):
        with self.lock:
            self.count, self.number, self.when, self.cut = 0, number, when, cut

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(near,), daemon=True).start()

    def serve(self, near):
        host, port = self.broker.bootstrap.rsplit(':', 1)
        try:
            with near, socket.create_connection((host, int(port)), WAIT_S) as far:
                while True:
                    request = frame(near)
                    number = self.arrived()
                    self.maybe_cut(number, BEFORE)
                    far.sendall(request)
                    answer = frame(far)
                    self.maybe_cut(number, AFTER)
                    near.sendall(answer)
        except OSError:
            pass  # one side is gone, and so is the other now

    def arrived(self):
        with self.lock:
            self.count += 1
            return self.count

    def maybe_cut(self, number, when):
        with self.lock:
            cut = self.cut if (number, when) == (self.number, self.when) else None
            self.cut = None if cut else self.cut
        if cut:
            cut()
            raise ConnectionError('cut')


def frame(sock):
    size = exactly(sock, 4)
    return size + exactly(sock, struct.unpack('>I', size)[0])


def exactly(sock, count):
    data = b''
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise ConnectionError('closed')
        data += more
    return data


class Story:
    def __init__(self, broker):
        self.broker = broker
        self.proxy = Proxy(broker)
        self.rounds = 0
        self.expected = set()

    def strom(self, *words):
        done = subprocess.run([self.broker.binary, *words, '--bootstrap-server', self.broker.bootstrap],
                              capture_output=True, text=True, timeout=WAIT_S, check=False)
        if done.returncode != 0:
            raise Wrong(f'{words}: {done.stderr}')
        return done.stdout

    def govern(self):
        rules = [{'name': name, 'kind': 'CONDITION', 'type': 'CEL', 'mode': 'WRITE', 'expr': expression}
                 for name, expression in (('positive', 'message.amount > 0'), ('known', 'message.id >= 0'))]
        value = {'schemaType': 'JSON', 'schema': {'type': 'object'}, 'ruleSet': {'domainRules': rules}}
        with tempfile.NamedTemporaryFile('w', suffix='.json') as f:
            json.dump({'topic': TOPIC, 'partitions': PARTITIONS, 'value': value,
                       'settings': {'strom.validation.on.failure': 'dlq'}}, f)
            f.flush()
            self.strom('contract', 'apply', f.name, '--registry', self.broker.http)

    def set_aside(self):
        """Another round of dead letters, in every partition."""
        producer = Producer({'bootstrap.servers': self.broker.bootstrap, 'acks': 'all'})
        numbers = [self.rounds * 100 + i for i in range(LETTERS)]
        for number in numbers + ([STAYS] if self.rounds == 0 else []):
            producer.produce(TOPIC, json.dumps({'id': number, 'amount': -1}), partition=number % PARTITIONS)
        if producer.flush(WAIT_S):
            raise Wrong('records without an answer')
        self.expected.update(numbers)
        self.rounds += 1

    def replay(self):
        return subprocess.Popen([self.broker.binary, 'dlq', 'replay', TOPIC, '--set', 'amount=1', '--bootstrap-server',
                                 self.proxy.bootstrap], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def command_round(self, number, when):
        """True: the command was killed there. False: it makes no such request."""
        self.set_aside()
        started = threading.Event()
        held = []

        def kill():
            started.wait(WAIT_S)
            held[0].send_signal(signal.SIGKILL)
        self.proxy.arm(number, when, kill)
        held.append(self.replay())
        started.set()
        _, err = held[0].communicate(timeout=WAIT_S)
        if held[0].returncode not in (0, -signal.SIGKILL):
            raise Wrong(f'{when} {number}: {err.decode()}')
        self.strom('dlq', 'replay', TOPIC, '--set', 'amount=1')
        return held[0].returncode != 0

    def broker_round(self, number, when):
        self.set_aside()

        def kill():
            self.broker.kill()
            self.broker.start()
        self.proxy.arm(number, when, kill)
        self.replay().communicate(timeout=WAIT_S)  # it may go on, or end with an error
        self.strom('dlq', 'replay', TOPIC, '--set', 'amount=1')

    def verify(self):
        found = {}
        for number in self.committed():
            found[number] = found.get(number, 0) + 1
        lost = sorted(self.expected - found.keys())
        doubled = sorted(n for n, times in found.items() if times > 1)
        if lost or doubled or found.keys() - self.expected:
            raise Wrong(f'lost {lost[:5]}, twice {doubled[:5]}, unexpected {sorted(found.keys() - self.expected)[:5]}')
        waiting = self.strom('dlq', 'show', TOPIC, '--json').splitlines()
        if len(waiting) != 1:
            raise Wrong(f'{len(waiting)} dead letters wait, not the one that is never mended')

    def committed(self):
        consumer = Consumer({'bootstrap.servers': self.broker.bootstrap, 'group.id': 'verify',
                             'enable.auto.commit': False, 'isolation.level': 'read_committed',
                             'enable.partition.eof': True})
        consumer.assign([TopicPartition(TOPIC, p, 0) for p in range(PARTITIONS)])
        ended = set()
        while len(ended) < PARTITIONS:
            message = consumer.poll(WAIT_S)
            if message is None:
                raise Wrong(f'the end of {TOPIC} is never reached')
            if message.error():
                ended.add(message.partition())
            else:
                yield json.loads(message.value())['id']
        consumer.close()


def play(broker, runs, chance):
    broker.start()
    story = Story(broker)
    story.govern()
    requests = 0
    while story.command_round(requests + 1, AFTER) and requests < CUTS_MAX:
        requests += 1
    story.verify()
    if requests < 10:
        raise Wrong(f'a replay makes {requests} requests: too few to be one')
    print(f'ok replay killed {AFTER} 1 to {requests}', flush=True)
    for run in range(1, runs + 1):
        number, when = chance.randrange(1, requests + 1), chance.choice((BEFORE, AFTER))
        story.broker_round(number, when)
        story.verify()
        print(f'ok replay {run}: broker killed {when} {number}', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--runs', type=int, default=10)
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f'# dlq replay under kill -9, {options.runs} runs, --seed {options.seed}', flush=True)
    broker = Broker(options.broker)
    try:
        play(broker, options.runs, random.Random(options.seed))
        return 0
    except (Wrong, BrokerFailed) as e:
        print(f'not ok replay: {e}\n{broker.log_tail()}', flush=True)
        return 1
    finally:
        broker.close()


if __name__ == '__main__':
    sys.exit(main())
