#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""late_txn_test.py - requests of one transaction that come again in the next: every kind of them, at every moment.

A transaction of two partitions and an offset ends; while the next one is made, one request of the first arrives once
more, byte for byte, as the network or a retry may have it (KAFKA-17754). With the second protocol (KIP-890: each end
raises the epoch) nothing of the next transaction may change. With the first, the late request cannot always be told
from a new one; then Strom has to do what Kafka 4.2.0 does, recorded in tests/golden/late_txn_kafka_4.2.0.json by

  STROM_BOOTSTRAP=HOST:PORT tests/clients/late_txn_test.py --record
"""
import json
import os
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
import messages  # noqa: E402
import rawkafka  # noqa: E402
from scenario import BOOTSTRAP, Failure, Suite, check, equal, fresh_topic  # noqa: E402

GOLDEN = os.path.join(ROOT, 'tests', 'golden', 'late_txn_kafka_4.2.0.json')
TOPIC, OTHER = fresh_topic('late'), fresh_topic('late-offsets')
ADDRESS = (BOOTSTRAP.rsplit(':', 1)[0], int(BOOTSTRAP.rsplit(':', 1)[1]))
NOT_NOW = {6, 14, 16, 19, 51, 88}  # NOT_LEADER, loading, NOT_COORDINATOR, NOT_ENOUGH_REPLICAS, busy, unstable offset
PATIENCE_S = 30
TRANSACTIONAL, CONTROL = 16, 32
# The steps of a transaction by protocol: API and version.
STEPS = {
    1: [('AddPartitionsToTxn', 3), ('Produce', 11), ('Produce', 11), ('AddOffsetsToTxn', 3), ('TxnOffsetCommit', 4),
        ('EndTxn', 4)],
    2: [('Produce', 12), ('Produce', 12), ('TxnOffsetCommit', 5), ('EndTxn', 5)],
}


def errors_of(values):
    """Every error code in an answer, in order."""
    found = []
    for name, value in values.items():
        if name in ('error', 'partition_error'):
            found.append(value)
        elif isinstance(value, list):
            found += [code for v in value if isinstance(v, dict) for code in errors_of(v)]
    return found


class Wire:
    """One connection; asks again while the broker says that it is busy with the transaction."""

    def __init__(self):
        self.connection = rawkafka.Connection(ADDRESS, timeout=PATIENCE_S)

    def ask_frame(self, name, version, frame):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = messages.response(name, version, self.connection.ask(frame))
            if not NOT_NOW & set(errors_of(answer)):
                return answer
            check(time.monotonic() < deadline, f'{name} is answered {answer}')
            time.sleep(0.01)

    def ask(self, name, version, **values):
        return self.ask_frame(name, version, messages.request(name, version, values))


class Story:
    """Two transactions of one producer over partitions 0 and 1 of TOPIC, and an offset of a group of its own."""

    def __init__(self, protocol, is_commit):
        self.protocol, self.is_commit = protocol, is_commit
        self.wire, self.late_wire = Wire(), Wire()
        self.id = fresh_topic('late-txn')
        self.starts = [self.end_of(p, 0) for p in (0, 1)]
        self.producer, self.epoch = self.init()
        self.sequence = 0

    def init(self):
        answer = self.wire.ask('InitProducerId', 4, transactional_id=self.id, transaction_timeout_ms=60000)
        equal('InitProducerId', answer['error'], 0)
        return answer['producer_id'], answer['producer_epoch']

    def end_of(self, partition, isolation):
        answer = self.wire.ask('ListOffsets', 7, isolation_level=isolation, topics=[
            {'name': TOPIC, 'partitions': [{'partition_index': partition, 'timestamp': -1}]}])
        return answer['topics'][0]['partitions'][0]['offset']

    def frames(self, number):
        """The steps of transaction 1 or 2 as (name, version, frame)."""
        identity = {'transactional_id': self.id, 'producer_id': self.producer, 'producer_epoch': self.epoch}
        partition = 0
        for name, version in STEPS[self.protocol]:
            if name == 'Produce':
                record = rawkafka.record(f'{number}{"ab"[partition]}'.encode())
                batch = rawkafka.batch(record, codec=TRANSACTIONAL, producer=(self.producer, self.epoch, self.sequence))
                values = {'transactional_id': self.id, 'acks': -1, 'timeout_ms': 10000, 'topics': [
                    {'name': TOPIC, 'partitions': [{'index': partition, 'records': batch}]}]}
                partition += 1
            elif name == 'AddPartitionsToTxn':
                values = dict(identity, topics=[{'name': TOPIC, 'partitions': [0, 1]}])
            elif name == 'AddOffsetsToTxn':
                values = dict(identity, group_id=self.id)
            elif name == 'TxnOffsetCommit':
                values = dict(identity, group_id=self.id, topics=[{'name': OTHER, 'partitions': [
                    {'partition_index': 0, 'committed_offset': number, 'committed_metadata': None}]}])
            else:
                values = dict(identity, committed=self.is_commit if number == 1 else True)
            yield name, version, messages.request(name, version, values)

    def first(self):
        """Runs the first transaction; returns its frames."""
        frames = list(self.frames(1))
        for name, version, frame in frames:
            answer = self.wire.ask_frame(name, version, frame)
            equal(name, set(errors_of(answer)), {0})
        self.wait_markers()
        self.sequence += 1
        if self.protocol == 2:
            self.producer, self.epoch, self.sequence = answer['producer_id'], answer['producer_epoch'], 0
        return frames

    def wait_markers(self):
        """Kafka answers the end before its markers are written."""
        deadline = time.monotonic() + PATIENCE_S
        while any(self.end_of(p, 0) != self.end_of(p, 1) for p in (0, 1)):
            check(time.monotonic() < deadline, 'the last stable offset is not the end')
        self.offset()

    def play(self, late, moment):
        """The first, then the second with step `late` of the first again before step `moment`; what came of it."""
        again = self.first()[late]
        codes, late_codes = [], []
        for number, step in enumerate([*self.frames(2), None]):
            if step is None:
                self.wait_markers()
            if number == moment:
                late_codes = errors_of(self.late_wire.ask_frame(*again))
            if step:
                codes.append(max(errors_of(self.wire.ask_frame(*step))))
        self.init()  # ends what is still open
        self.wait_markers()
        return {'late': max(late_codes), 'second': codes, 'a': self.read(0), 'b': self.read(1), 'offset': self.offset()}

    def offset(self):
        answer = self.wire.ask('OffsetFetch', 7, group_id=self.id, require_stable=True,
                               topics=[{'name': OTHER, 'partition_indexes': [0]}])
        return answer['topics'][0]['partitions'][0]['committed_offset']

    def read(self, partition):
        """What read_committed sees of this story in a partition."""
        answer = self.wire.ask('Fetch', 12, max_wait_ms=0, min_bytes=0, max_bytes=1 << 20, isolation_level=1, topics=[
            {'topic': TOPIC, 'partitions': [{'partition': partition, 'fetch_offset': self.starts[partition],
                                             'partition_max_bytes': 1 << 20}]}])
        part = answer['topics'][0]['partitions'][0]
        return values_of(part['records'], [(a['first_offset'], a['producer_id']) for a in part['aborted_transactions']])

    def close(self):
        self.wire.connection.close()
        self.late_wire.connection.close()


def values_of(records, aborted):
    """The values in batches of one record each, without what was aborted."""
    at, values, skipped, aborted = 0, [], set(), sorted(aborted)
    while at < len(records):
        offset, length = struct.unpack_from('>qi', records, at)
        attributes, = struct.unpack_from('>h', records, at + 21)
        producer, = struct.unpack_from('>q', records, at + 43)
        while aborted and aborted[0][0] <= offset:
            skipped.add(aborted.pop(0)[1])
        if attributes & CONTROL:
            skipped.discard(producer)
        elif producer not in skipped:
            values.append(records[at + 12 + length - 3:at + 12 + length - 1].decode())  # before the count of headers
        at += 12 + length
    return values


def cases():
    """(name, protocol, is_commit, late step, moment) of every story."""
    for protocol, steps in STEPS.items():
        for is_commit in (True, False):
            for late, (api, _) in enumerate(steps):
                for moment in range(len(steps) + 1):
                    place = f'before {moment}' if moment < len(steps) else 'after the end'
                    name = f'TV{protocol} {"commit" if is_commit else "abort"}: late {late} {api} {place}'
                    yield name, protocol, is_commit, late, moment


def play(protocol, is_commit, late, moment):
    story = Story(protocol, is_commit)
    try:
        return story.play(late, moment)
    finally:
        story.close()


def prepare():
    wire = Wire()
    wire.ask('CreateTopics', 5, timeout_ms=10000, topics=[
        {'name': name, 'num_partitions': 2, 'replication_factor': 1} for name in (TOPIC, OTHER)])
    deadline = time.monotonic() + PATIENCE_S
    while max(errors_of(wire.ask('Metadata', 9, topics=[{'name': TOPIC}, {'name': OTHER}]))):
        check(time.monotonic() < deadline, 'the topics do not come')
    wire.ask('FindCoordinator', 3, key='x', key_type=0)  # Kafka makes its own topics when somebody asks
    wire.ask('FindCoordinator', 3, key='x', key_type=1)


def safe(protocol, is_commit):
    """What comes out if the late request has changed nothing."""
    first = ['1'] if is_commit else []
    return {'second': [0] * len(STEPS[protocol]), 'a': [n + 'a' for n in [*first, '2']],
            'b': [n + 'b' for n in [*first, '2']], 'offset': 2}


def record():
    golden = {}
    for name, *case in cases():
        golden[name] = play(*case)
        print(name, golden[name], flush=True)
    with open(GOLDEN, 'w', encoding='utf-8') as f:
        f.write('{\n' + ',\n'.join(f'{json.dumps(name)}: {json.dumps(golden[name])}' for name in golden) + '\n}\n')


def wanted_of(golden, protocol, is_commit, late, moment):
    """What Kafka does, with one difference: a batch that comes again is never taken for the producer's first one. It is
    a duplicate, unless its partition has joined the next transaction and that is open: then 45."""
    if protocol == 1 and STEPS[protocol][late][0] == 'Produce':
        is_joined = 0 < moment < len(STEPS[protocol])
        return {'late': 45 if is_joined else 0, **safe(protocol, is_commit)}
    return golden


def judge(golden, protocol, is_commit, late, moment):
    got, wanted = play(protocol, is_commit, late, moment), wanted_of(golden, protocol, is_commit, late, moment)
    if protocol == 2:
        equal('the transactions', dict(got, late=None), {'late': None, **safe(protocol, is_commit)})
    if got != wanted:
        raise Failure(f'got {got}, wanted {wanted}')


def main():
    prepare()
    if '--record' in sys.argv:
        record()
        return
    with open(GOLDEN, encoding='utf-8') as f:
        golden = json.load(f)
    suite = Suite('late-txn')
    for name, *case in cases():
        suite.run(name, lambda name=name, case=case: judge(golden[name], *case))
    suite.end()


if __name__ == '__main__':
    main()
