# SPDX-License-Identifier: Apache-2.0
"""connect.py - Apache Kafka's Connect: a distributed worker with a file source (exactly once) and a file sink, killed
in the middle; and MirrorMaker 2 between two brokers, with the offsets of a group translated."""
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import jvm
from work import Failure, check
from broker import BrokerFailed, free_port

PATIENCE_S = 120
LINES = 1000  # before the kill, and as many after it
RECORDS = 900
SETTINGS = {'group.initial.rebalance.delay.ms': 0}


def common(broker):
    return {'bootstrap.servers': broker.bootstrap, 'broker.address.family': 'v4', 'log_level': 0}


def create(broker, *topics, partitions=1):
    admin = AdminClient(common(broker))
    for future in admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics]).values():
        future.result(30)


def wait(what, is_done):
    """Asks until it is done; what() says what there is instead."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_done():
        check(time.monotonic() < deadline, f'{what()} after {PATIENCE_S} s')
        time.sleep(0.2)


def read(broker, topic, partition=0, offset=0):
    """What read_committed sees: [(offset, value)]."""
    consumer = Consumer({**common(broker), 'group.id': 'unused', 'isolation.level': 'read_committed',
                         'enable.auto.commit': False, 'enable.partition.eof': True, 'fetch.wait.max.ms': 50})
    consumer.assign([TopicPartition(topic, partition, offset)])
    got, deadline = [], time.monotonic() + 30
    while time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is not None and message.error():
            if message.error().code() == KafkaError._PARTITION_EOF:
                break
        elif message is not None:
            got.append((message.offset(), message.value().decode()))
    consumer.close()
    return got


class Program:
    """A Java program with a properties file of its own."""

    def __init__(self, folder, main, properties, heap='256m'):
        self.path = os.path.join(folder, main.rsplit('.', 1)[1] + '.properties')
        with open(self.path, 'w', encoding='utf-8') as f:
            f.writelines(f'{name}={value}\n' for name, value in properties.items())
        self.log_path = self.path + '.log'
        self.main, self.heap, self.process = main, heap, None

    def start(self):
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(jvm.command(self.main, self.path, flags=[f'-Xmx{self.heap}']),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def log_tail(self):
        with open(self.log_path, encoding='utf-8', errors='replace') as f:
            return f.read()[-1500:]


# ---- a distributed worker

class Worker(Program):
    def __init__(self, folder, broker):
        self.port = free_port()
        storage = {f'{what}.storage.{name}': value for what in ('offset', 'config', 'status')
                   for name, value in (('topic', 'connect-' + what), ('replication.factor', 1))}
        super().__init__(folder, 'org.apache.kafka.connect.cli.ConnectDistributed', {
            'bootstrap.servers': broker.bootstrap, 'group.id': 'connect', **storage,
            'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
            'value.converter': 'org.apache.kafka.connect.storage.StringConverter',
            'listeners': f'http://127.0.0.1:{self.port}', 'plugin.discovery': 'service_load',
            'exactly.once.source.support': 'enabled', 'offset.flush.interval.ms': 500,
            'scheduled.rebalance.max.delay.ms': 0, 'session.timeout.ms': 6000, 'heartbeat.interval.ms': 1000,
            'reconnect.backoff.max.ms': 500, 'consumer.session.timeout.ms': 6000,
            'consumer.isolation.level': 'read_committed'})

    def ask(self, path, config=None):
        """GET, or PUT of a configuration; None while the worker does not answer, or not yet."""
        request = urllib.request.Request(f'http://127.0.0.1:{self.port}{path}', method='PUT' if config else 'GET',
                                         data=json.dumps(config).encode() if config else None,
                                         headers={'Content-Type': 'application/json'})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as e:
            check(e.code in (404, 409, 500, 503), f'{path}: {e.code} {e.read()[:300]}')
            return None
        except OSError:
            return None

    def wait_running(self, name):
        def is_running():
            check(self.process.poll() is None, f'the worker ended: {self.log_tail()}')
            status = self.ask(f'/connectors/{name}/status') or {'tasks': []}
            check(all(task['state'] != 'FAILED' for task in status['tasks']), f'{name} failed: {status}')
            return [task['state'] for task in status['tasks']] == ['RUNNING']
        wait(lambda: f'{name} does not run', is_running)


def append(path, first, count):
    with open(path, 'a', encoding='utf-8') as f:
        f.writelines(f'line {i}\n' for i in range(first, first + count))


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding='utf-8') as f:
        return f.read().splitlines()


def files(peer):
    """The source writes every line exactly once; what the sink has written before a kill it may write again."""
    folder, broker, worker = tempfile.mkdtemp(prefix='strom-connect-'), peer.make(SETTINGS), None
    source, sink = os.path.join(folder, 'in.txt'), os.path.join(folder, 'out.txt')
    try:
        broker.start()
        create(broker, 'lines')
        append(source, 0, LINES)
        worker = Worker(folder, broker)
        worker.start()
        package = 'org.apache.kafka.connect.file.FileStream'
        for name, config in (
                ('from-file', {'connector.class': package + 'SourceConnector', 'file': source, 'topic': 'lines',
                               'tasks.max': '1'}),
                ('to-file', {'connector.class': package + 'SinkConnector', 'file': sink, 'topics': 'lines',
                             'tasks.max': '1'})):
            wait(lambda name=name: f'{name} is not taken: {worker.log_tail()}',
                 lambda name=name, config=config: worker.ask(f'/connectors/{name}/config', config))
            worker.wait_running(name)
        wait(lambda: f'{len(lines_of(sink))} lines', lambda: len(lines_of(sink)) >= LINES)
        append(source, LINES, LINES // 2)
        worker.kill()
        if not peer.options.kafka:
            broker.kill()
            broker.start()
        append(source, LINES + LINES // 2, LINES // 2)
        worker.start()
        wanted = [f'line {i}' for i in range(2 * LINES)]
        wait(lambda: f'{len(lines_of(sink))} lines, the last {lines_of(sink)[-1:]}; {worker.log_tail()}',
             lambda: lines_of(sink)[-1:] == wanted[-1:])
        values = [value for _, value in read(broker, 'lines')]
        check(values == wanted, f'the topic has {len(values)} lines, {len(set(values))} different')
        check(list(dict.fromkeys(lines_of(sink))) == wanted, f'the file has {len(lines_of(sink))} lines')
    finally:
        if worker:
            worker.kill()
        broker.close()
        shutil.rmtree(folder, ignore_errors=True)


# ---- MirrorMaker 2

def fill(broker, first, end):
    """Records in two partitions with aborted ones and markers between, so that offsets differ in the mirror."""
    producer = Producer({**common(broker), 'transactional.id': 'orders'})
    producer.init_transactions(30)
    for i in range(first, end, 30):
        for text, finish in (('lost', producer.abort_transaction), ('order', producer.commit_transaction)):
            producer.begin_transaction()
            for n in range(i, i + 30):
                producer.produce('orders', f'{text} {n}', partition=n % 2)
            producer.flush(30)
            finish(30)


def commit_end(broker):
    """A group that has read all there is in each partition."""
    consumer = Consumer({**common(broker), 'group.id': 'crew'})
    ends = [consumer.get_watermark_offsets(TopicPartition('orders', p), timeout=20)[1] for p in (0, 1)]
    consumer.commit(offsets=[TopicPartition('orders', p, end) for p, end in enumerate(ends)], asynchronous=False)
    consumer.close()


def committed(broker, topic):
    consumer = Consumer({**common(broker), 'group.id': 'crew'})
    try:
        return [found.offset for found in consumer.committed([TopicPartition(topic, p) for p in (0, 1)], timeout=20)]
    except KafkaException:
        return [-1, -1]
    finally:
        consumer.close()


def mirror(peer):
    """Every committed record, in its partition and order; and a group that goes on there where it was. The group
    commits while the mirror runs: what lies before the last sync that MirrorMaker finds at its start it does not
    translate."""
    folder = tempfile.mkdtemp(prefix='strom-mirror-')
    here, there, program = peer.make(SETTINGS), peer.make(SETTINGS), None
    try:
        for broker in (here, there):
            broker.start()
        create(here, 'orders', partitions=2)
        fill(here, 0, RECORDS // 2)
        factors = {f'{what}.replication.factor': 1 for what in (
            '', 'checkpoints.topic', 'heartbeats.topic', 'offset-syncs.topic', 'offset.storage', 'config.storage',
            'status.storage')}
        program = Program(folder, 'org.apache.kafka.connect.mirror.MirrorMaker', {
            'clusters': 'here, there', 'here.bootstrap.servers': here.bootstrap,
            'there.bootstrap.servers': there.bootstrap, 'here->there.enabled': 'true', 'there->here.enabled': 'false',
            'here->there.topics': 'orders', 'here->there.groups': 'crew',
            **{name.lstrip('.'): value for name, value in factors.items()},
            'sync.group.offsets.enabled': 'true', 'sync.group.offsets.interval.seconds': 1,
            'emit.checkpoints.interval.seconds': 1, 'refresh.groups.interval.seconds': 1, 'offset.lag.max': 0,
            'refresh.topics.interval.seconds': 1, 'there.scheduled.rebalance.max.delay.ms': 0,
            'here.consumer.isolation.level': 'read_committed', 'here->there.consumer.isolation.level': 'read_committed',
            'plugin.discovery': 'service_load', 'dedicated.mode.enable.internal.rest': 'false'})
        program.start()

        def count():
            try:
                return [len(read(there, 'here.orders', p)) for p in (0, 1)]
            except KafkaException:
                return [0, 0]

        def is_mirrored(wanted):
            wait(lambda: f'{count()} records; {program.log_tail()}', lambda: sum(count()) >= wanted)
        is_mirrored(RECORDS // 2)
        commit_end(here)
        wait(lambda: f'the group is at {committed(there, "here.orders")}',
             lambda: min(committed(there, 'here.orders')) > 0)
        fill(here, RECORDS // 2, RECORDS)
        is_mirrored(RECORDS)
        for p in (0, 1):
            values = [value for _, value in read(there, 'here.orders', p)]
            check(values == [f'order {n}' for n in range(p, RECORDS, 2)], f'partition {p} has {values[:5]}...')
        for p, offset in enumerate(committed(there, 'here.orders')):
            values = [value for _, value in read(there, 'here.orders', p, offset)]
            left = [f'order {n}' for n in range(RECORDS // 2 + p, RECORDS, 2)]
            check(values[-len(left):] == left, f'partition {p}: the group would miss some of {left[:3]}...')
            check(len(values) < RECORDS // 2, f'partition {p}: the group would begin anew')
    finally:
        if program:
            program.kill()
        here.close()
        there.close()
        shutil.rmtree(folder, ignore_errors=True)


PARTS = {'files': files, 'mirror': mirror}


def play(peer, names):
    """Returns whether something failed."""
    jvm.setup()
    failed = False
    for name in names or PARTS:
        begin = time.monotonic()
        try:
            if name not in PARTS:
                raise Failure(f'no part {name} of connect; there are {" ".join(PARTS)}')
            PARTS[name](peer)
            print(f'ok connect {name} ({time.monotonic() - begin:.0f} s)', flush=True)
        except (Failure, BrokerFailed, KafkaException) as e:
            print(f'not ok connect {name}: {e}', flush=True)
            failed = True
    return failed
