#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""upgrade.py - a data directory that an older server left, killed in its midst, goes on under this one; one of a newer
format is refused, untouched, with words that say why.

  tests/upgrade/upgrade.py --broker build/src/server/strom           against every tests/golden/data_v*.tar.xz
  tests/upgrade/upgrade.py --broker build/src/server/strom --write N writes data_vN: once, when format N is new

An archive has a write-ahead log with a tail, merged objects and a snapshot: plain records of every codec, transactions
that were committed, aborted and left open, a compacted topic, committed offsets, settings. Beside it lies what a client
reads of it. governed_v2 is one with contracts, of a server whose verdicts (DATA, version 2) did not say yet what is to
be counted; --write-governed has written it.
"""
import argparse
import glob
import hashlib
import json
import os
import shutil
import struct
import sys
import tarfile
import tempfile
import time
import urllib.request

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'support'))
from broker import Broker, BrokerFailed  # noqa: E402

GOLDEN = os.path.join(HERE, '..', 'golden')
PLAIN, EXACT, KEYED, GROUP = 'plain', 'exact', 'keyed', 'readers'
ORDERS, BAD, STRICT = 'orders', 'orders.bad', 'strict'  # governed; the first one's dead letters; refuses
TOPICS = {PLAIN: 2, EXACT: 2, KEYED: 1}
# Everything happens soon; offsets outlast the years that the archive will lie there.
SETTINGS = {'auto.create.topics.enable': 'false', 'strom.wal.file.bytes': 1 << 20, 'strom.merge.wal.bytes': 16384,
            'strom.merge.age.ms': 200, 'strom.snapshot.wal.bytes': 65536, 'log.cleaner.backoff.ms': 100,
            'offsets.retention.minutes': 2147483647}
PATIENCE_S = 60
META_SLOT, META_SUM_AT = 4096, 72


class Wrong(Exception):
    """It is not what it was."""


def common(bootstrap):
    return {'bootstrap.servers': bootstrap, 'broker.address.family': 'v4', 'log_level': 0}


def read(bootstrap, topic, partition):
    """[[offset, key, value]] that read_committed gives, from the first one on, when nothing is open any more."""
    consumer = Consumer({**common(bootstrap), 'group.id': 'none', 'enable.auto.commit': False, 'check.crcs': True,
                         'isolation.level': 'read_committed', 'enable.partition.eof': True,
                         'auto.offset.reset': 'earliest'})
    deadline, rows = time.monotonic() + PATIENCE_S, []
    try:
        end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)[1]
        consumer.assign([TopicPartition(topic, partition, 0)])
        while time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is None:
                continue
            if message.error() is None:
                key, value = message.key(), message.value()
                rows.append([message.offset(), key and key.decode(), value and value.decode()])
            elif message.error().code() == KafkaError._PARTITION_EOF and message.offset() >= end:
                return rows
        raise Wrong(f'{topic}-{partition} does not come to its end')
    finally:
        consumer.close()


def committed(bootstrap):
    consumer = Consumer({**common(bootstrap), 'group.id': GROUP})
    try:
        found = consumer.committed([TopicPartition(PLAIN, p) for p in range(TOPICS[PLAIN])], timeout=20)
        return [f.offset for f in found]
    finally:
        consumer.close()


def setting(bootstrap, topic, key):
    admin, resource = AdminClient(common(bootstrap)), ConfigResource('topic', topic)
    return admin.describe_configs([resource])[resource].result(20)[key].value


def state(bootstrap):
    """All that a client sees of it; of the compacted topic the newest of each key."""
    logs = {f'{topic}-{p}': read(bootstrap, topic, p) for topic in (PLAIN, EXACT) for p in range(TOPICS[topic])}
    admin = AdminClient(common(bootstrap))
    newest = {key: [offset, value] for offset, key, value in read(bootstrap, KEYED, 0)}
    return {'logs': logs, 'keyed': {key: row for key, row in newest.items() if row[1] is not None},
            'committed': committed(bootstrap), 'retention': setting(bootstrap, PLAIN, 'retention.ms'),
            'topics': sorted(admin.list_topics(timeout=20).topics)}


# ---- writing an archive

def produce(bootstrap, topic, rows, **settings):
    producer = Producer({**common(bootstrap), 'enable.idempotence': True, 'linger.ms': 5, **settings})
    for partition, key, value in rows:
        producer.produce(topic, value, key, partition)
    if producer.flush(PATIENCE_S):
        raise Wrong('not everything was acknowledged')


def transaction(bootstrap, name, rows, end):
    producer = Producer({**common(bootstrap), 'transactional.id': name, 'transaction.timeout.ms': 900000})
    producer.init_transactions(PATIENCE_S)
    producer.begin_transaction()
    for partition, value in rows:
        producer.produce(EXACT, value, partition=partition)
    producer.flush(PATIENCE_S)
    if end == 'commit':
        producer.commit_transaction(PATIENCE_S)
    elif end == 'abort':
        producer.abort_transaction(PATIENCE_S)
    return producer


def fill(bootstrap):
    configs = {PLAIN: {'retention.ms': '-1'}, EXACT: {'retention.ms': '-1'},
               KEYED: {'cleanup.policy': 'compact', 'segment.ms': '1', 'min.cleanable.dirty.ratio': '0.01'}}
    admin = AdminClient(common(bootstrap))
    topics = [NewTopic(t, n, 1, config=configs[t]) for t, n in TOPICS.items()] + [NewTopic('gone', 1, 1)]
    for future in admin.create_topics(topics).values():
        future.result(20)
    admin.delete_topics(['gone'])['gone'].result(20)
    for codec in ('none', 'gzip', 'snappy', 'lz4', 'zstd'):
        rows = [(i % 2, f'k{i}', f'{codec} {i} ' + 'x' * (i * 13 % 200)) for i in range(24)]
        produce(bootstrap, PLAIN, rows, **{'compression.type': codec})
        produce(bootstrap, KEYED, [(0, f'k{i % 5}', None if i == 8 else f'{codec} {i}') for i in range(12)])
        transaction(bootstrap, f'{codec}-a', [(i % 2, f'{codec} committed {i}') for i in range(6)], 'commit')
        transaction(bootstrap, f'{codec}-b', [(i % 2, f'{codec} aborted {i}') for i in range(4)], 'abort')
        time.sleep(0.5)  # so that it is merged, compacted and snapshot in several steps
    consumer = Consumer({**common(bootstrap), 'group.id': GROUP, 'enable.auto.commit': False})
    consumer.commit(offsets=[TopicPartition(PLAIN, 0, 17), TopicPartition(PLAIN, 1, 33)], asynchronous=False)
    consumer.close()
    return transaction(bootstrap, 'open', [(0, 'open 0'), (1, 'open 1')], None)


def write(binary, version):
    broker = Broker(binary, settings=SETTINGS)
    try:
        broker.start()
        still_open = fill(broker.bootstrap)
        broker.kill()
        del still_open
        path = os.path.join(GOLDEN, f'data_v{version}')
        with tarfile.open(path + '.tar.xz', 'w:xz') as archive:
            archive.add(broker.data_dir, 'data')
        broker.start()
        with open(path + '.json', 'w', encoding='ascii') as f:
            json.dump(state(broker.bootstrap), f, indent=0, sort_keys=True)
        print(f'# wrote {path}.tar.xz, {os.path.getsize(path + ".tar.xz")} bytes')
    finally:
        broker.close()
    return 0


# ---- one with contracts

def ask(broker, method, path, body=None):
    request = urllib.request.Request(broker.http + path, method=method, headers={'Content-Type': 'application/json'},
                                     data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.loads(response.read())


def register(broker, topic, expression):
    schema = {'type': 'object', 'properties': {'n': {'type': 'integer'}}, 'required': ['n']}
    rule = {'name': 'bounds', 'kind': 'CONDITION', 'type': 'CEL', 'mode': 'WRITE', 'expr': expression}
    ask(broker, 'POST', f'/subjects/{topic}-value/versions',
        {'schemaType': 'JSON', 'schema': json.dumps(schema), 'ruleSet': {'domainRules': [rule]}})


def send(bootstrap, topic, *numbers, **settings):
    """One batch; whether it was taken."""
    failed = []
    producer = Producer({**common(bootstrap), 'linger.ms': 60000, **settings})
    producer.list_topics(topic, 20)
    for n in numbers:
        producer.produce(topic, json.dumps({'n': n}), partition=0, on_delivery=lambda e, _: e and failed.append(e))
    if producer.flush(PATIENCE_S):
        raise Wrong('not everything was answered')
    return not failed


def governed_state(broker):
    return {topic: [[offset, value] for offset, _, value in read(broker.bootstrap, topic, 0)]
            for topic in (ORDERS, BAD, STRICT)}


def governed_fill(broker):
    level = {'strom.value.validation.level': 'contract', 'retention.ms': '-1'}
    aside = {**level, 'strom.validation.on.failure': 'dlq', 'strom.validation.dlq.topic': BAD}
    for topic in (ORDERS, STRICT):
        register(broker, topic, 'message.n >= 0')
    admin = AdminClient(common(broker.bootstrap))
    for future in admin.create_topics([NewTopic(BAD, 1, 1, config={'retention.ms': '-1'})]).values():
        future.result(20)
    topics = [NewTopic(ORDERS, 1, 1, config=aside), NewTopic(STRICT, 1, 1, config=level)]
    for future in admin.create_topics(topics).values():
        future.result(20)
    for i, codec in enumerate(('none', 'gzip', 'snappy', 'lz4', 'zstd')):
        settings = {'compression.type': codec, 'enable.idempotence': True}
        if not send(broker.bootstrap, ORDERS, i, -1 - i, 10 + i, -11 - i, *range(20, 120), **settings):
            raise Wrong('orders refuses')
        if not send(broker.bootstrap, STRICT, i, **settings) or send(broker.bootstrap, STRICT, i, -i - 1, **settings):
            raise Wrong('strict takes what is bad, or refuses what is good')
        if i == 2:
            register(broker, ORDERS, 'message.n >= 0 && message.n < 1000')
        time.sleep(0.5)


def write_governed(binary):
    broker = Broker(binary, settings=SETTINGS)
    path = os.path.join(GOLDEN, 'governed_v2')
    try:
        broker.start()
        governed_fill(broker)
        broker.kill()
        with tarfile.open(path + '.tar.xz', 'w:xz') as archive:
            archive.add(broker.data_dir, 'data')
        broker.start()
        with open(path + '.json', 'w', encoding='ascii') as f:
            json.dump(governed_state(broker), f, indent=0, sort_keys=True)
        print(f'# wrote {path}.tar.xz, {os.path.getsize(path + ".tar.xz")} bytes')
    finally:
        broker.close()
    return 0


# ---- the tests

def unpack(path):
    folder = tempfile.mkdtemp(prefix='strom-upgrade-')
    with tarfile.open(path) as archive:
        archive.extractall(folder)
    return folder


def check(broker, wanted, what):
    found = state(broker.bootstrap)
    for key, value in wanted.items():
        if found[key] != value:
            raise Wrong(f'{what}: {key} is {found[key]}, was {value}')


def goes_on(binary, path):
    """Everything is there; it takes more; and all that is there after the next starts, too."""
    with open(path.replace('.tar.xz', '.json'), encoding='ascii') as f:
        wanted = json.load(f)
    folder = unpack(path)
    broker = Broker(binary, data_dir=os.path.join(folder, 'data'), settings=SETTINGS)
    try:
        broker.start()
        check(broker, wanted, 'after the first start')
        produce(broker.bootstrap, PLAIN, [(0, 'more', 'more')])
        log = wanted['logs'][f'{PLAIN}-0']
        log.append([log[-1][0] + 1, 'more', 'more'])
        for how in ('stop', 'kill'):
            getattr(broker, how)()
            broker.start()
            check(broker, wanted, f'after a {how}')
    finally:
        broker.close()
        shutil.rmtree(folder)


def counts(broker):
    told = ask(broker, 'GET', f'/contracts/topics/{ORDERS}')
    return {key: told[key] for key in ('checked', 'passed', 'dead_lettered', 'refused')}


def governed_goes_on(binary, path):
    """What was judged before is not counted; what comes is judged as before, and counted."""
    with open(path.replace('.tar.xz', '.json'), encoding='ascii') as f:
        wanted = json.load(f)
    folder = unpack(path)
    broker = Broker(binary, data_dir=os.path.join(folder, 'data'), settings=SETTINGS)

    def same(what, count):
        found = (governed_state(broker), counts(broker))
        if found != (wanted, count):
            raise Wrong(f'{what} it is {found}, should be {(wanted, count)}')

    try:
        broker.start()
        same('after the first start', {'checked': 0, 'passed': 0, 'dead_lettered': 0, 'refused': 0})
        if not send(broker.bootstrap, ORDERS, 7, 1000) or send(broker.bootstrap, STRICT, -7):
            raise Wrong('it judges otherwise')
        end = wanted[ORDERS][-1][0] + 1
        wanted[ORDERS].append([end, '{"n": 7}'])
        wanted[BAD].append([wanted[BAD][-1][0] + 1, '{"n": 1000}'])
        for how in ('stop', 'kill'):
            getattr(broker, how)()
            broker.start()
            same(f'after a {how}', {'checked': 2, 'passed': 1, 'dead_lettered': 1, 'refused': 0})
    finally:
        broker.close()
        shutil.rmtree(folder)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def fingerprint(folder):
    """Of every file but the lock."""
    sums = {}
    for path in sorted(glob.glob(os.path.join(folder, '**'), recursive=True)):
        if os.path.isfile(path) and os.path.basename(path) != 'lock':
            with open(path, 'rb') as f:
                sums[os.path.relpath(path, folder)] = hashlib.sha256(f.read()).hexdigest()
    return sums


def set_version(folder, version):
    """As a newer program would have left it (docs/formats/wal.md, meta)."""
    with open(os.path.join(folder, 'meta'), 'r+b') as f:
        for slot in (0, META_SLOT):
            f.seek(slot)
            head = bytearray(f.read(META_SUM_AT))
            if head[:4] == b'STRA':
                head[4:6] = struct.pack('>H', version)
                f.seek(slot)
                f.write(head + struct.pack('>I', crc32c(head)))


def newer_is_refused(binary, path, version):
    folder = unpack(path)
    data = os.path.join(folder, 'data')
    set_version(data, version + 1)
    before = fingerprint(data)
    broker = Broker(binary, data_dir=data, settings=SETTINGS)
    try:
        broker.start()
        raise Wrong(f'it starts with data of format {version + 1}')
    except BrokerFailed as e:
        if f'format {version + 1}, this program knows {version}' not in str(e):
            raise Wrong(f'it says {e}') from None
        if fingerprint(data) != before:
            raise Wrong('it has changed what it refused') from None
    finally:
        broker.close()
        shutil.rmtree(folder)


def test(name, action, *arguments):
    try:
        action(*arguments)
        print(f'ok upgrade {name}', flush=True)
        return False
    except (Wrong, BrokerFailed) as e:
        print(f'not ok upgrade {name}: {str(e)[:2000]}', flush=True)
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--write', type=int, metavar='N')
    parser.add_argument('--write-governed', action='store_true')
    options = parser.parse_args()
    if options.write is not None:
        return write(options.broker, options.write)
    if options.write_governed:
        return write_governed(options.broker)
    paths = sorted(glob.glob(os.path.join(GOLDEN, 'data_v*.tar.xz')), key=lambda p: (len(p), p))
    failed = not paths
    for path in paths:
        failed |= test(f'{os.path.basename(path)} goes on', goes_on, options.broker, path)
    for path in sorted(glob.glob(os.path.join(GOLDEN, 'governed_v*.tar.xz'))):
        failed |= test(f'{os.path.basename(path)} goes on', governed_goes_on, options.broker, path)
    newest = int(os.path.basename(paths[-1])[len('data_v'):-len('.tar.xz')])
    failed |= test('a newer format is refused', newer_is_refused, options.broker, paths[-1], newest)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
