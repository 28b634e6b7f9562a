#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hostile.py - what an enemy, or a broken client, may send. Each attack may cost its own connection and nothing else:
the broker lives, its memory stays bounded, and a healthy client is served throughout.

  tests/hostile/hostile.py --broker build/src/server/strom [ATTACK...]
"""
import argparse
import json
import os
import random
import resource
import socket
import struct
import sys
import threading
import time
import urllib.request
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import messages  # noqa: E402
from broker import Broker, BrokerFailed  # noqa: E402
from rawkafka import (API_VERSIONS, CREATE_TOPICS, FETCH, LIST_OFFSETS, METADATA, PRODUCE,  # noqa: E402
                      Connection, batch, frame, produce, produce_error, record, request, string, uvarint, varint)

MEMORY_MAX = 256 << 20  # strom.memory.max.bytes of the broker under attack: whatever comes, its RSS stays below
CLOSE_WITHIN_S = 60  # or a timeout of the broker is missing
PATIENCE_S = 20  # an answer that comes later than that was held up by the attack, not by a slow machine
IDLE_CONNECTIONS = 10_000
QUEUE_BYTES = 64 << 20  # queued.max.request.bytes of the broker under attack
FRAME_BYTES = 16 << 20  # socket.request.max.bytes
SESSION_SLOTS = 50
TOPIC = 'hostile'


class Failure(Exception):
    pass


def check(claim, message):
    if not claim:
        raise Failure(message)


class Healthy(threading.Thread):
    """A client that asks, writes and reads all the time, and remembers its longest wait."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.longest_s = 0.0
        self.answers = 0
        self.trouble = None
        self.done = threading.Event()
        create_topic(address)
        self.good = produce(TOPIC, batch(record(b'all is well')))

    def run(self):
        try:
            with Connection(self.address, timeout=30) as c:
                while not self.done.is_set():
                    begin = time.monotonic()
                    c.ask(request(API_VERSIONS, 0, b''))
                    code = produce_error(c.ask(self.good))
                    check(code == 0, f'produce answered error {code}')
                    self.longest_s = max(self.longest_s, time.monotonic() - begin)
                    self.answers += 1
                    self.done.wait(0.02)
        except Exception as e:  # whatever it is, the healthy client was hurt
            self.trouble = f'{type(e).__name__}: {e}'


def create_topic(address):
    body = struct.pack('>i', 1) + string(TOPIC) + struct.pack('>ihii', 1, 1, 0, 0) + struct.pack('>ib', 10000, 0)
    with Connection(address) as c:
        c.ask(request(CREATE_TOPICS, 2, body))


class Enemy:
    """The attacks. Each takes nothing and raises Failure where the broker was too kind or too harsh."""

    def __init__(self, broker):
        self.broker = broker
        self.address = ('127.0.0.1', broker.port)
        self.random = random.Random(20240601)

    def connect(self, timeout=10):
        return Connection(self.address, timeout)

    def must_close(self, data, what):
        with self.connect() as c:
            try:
                c.send(data)
            except OSError:
                return
            check(c.is_closed_within(CLOSE_WITHIN_S), f'{what}: the connection stays open')

    # ---- frames

    def attack_frame_sizes(self):
        """2 GiB, negative, zero and just over the limit."""
        for size in (0x7fffffff, -1, -0x80000000, 0, 1, 7, FRAME_BYTES + 1):
            self.must_close(struct.pack('>i', size) + b'\0\x12\0\0\0\0\0\1'[:max(0, min(size, 8))], f'frame of {size}')

    def attack_claims_without_bytes(self):
        """300 connections claim 16 MB each and send 100 bytes: nobody reserves 5 GB for them."""
        before = self.broker.rss_bytes()
        connections = [self.connect() for _ in range(300)]
        for c in connections:
            c.ask(request(API_VERSIONS, 0, b''))  # the first request may not be that large
            c.send(struct.pack('>i', FRAME_BYTES) + struct.pack('>hhi', PRODUCE, 7, 1) + b'\0' * 92)
        time.sleep(0.5)  # let it read
        grown = self.broker.rss_bytes() - before
        for c in connections:
            c.close()
        check(grown < 64 << 20, f'memory grew by {grown >> 20} MiB')

    def attack_half_frames(self):
        """1 MiB of a 2 MiB frame on 100 connections, then gone."""
        connections = [self.connect() for _ in range(100)]
        for c in connections:
            try:
                c.send(struct.pack('>i', 2 << 20) + struct.pack('>hhi', PRODUCE, 7, 1) + bytes(1 << 20))
            except OSError:
                pass  # closed for lack of memory: its right
        for c in connections:
            c.close()

    def attack_first_frames(self):
        """The first request of a stranger that claims to be large."""
        for size in (FRAME_BYTES, (4 << 20) + 1):
            self.must_close(struct.pack('>i', size) + bytes(100), f'first frame of {size}')

    def attack_full_queue(self):
        """300 connections send 1.5 MiB of a 3 MiB frame, 450 MiB in all, and stop; a friend sends a whole one."""
        before = self.broker.rss_bytes()
        head = struct.pack('>i', 3 << 20) + struct.pack('>hhi', PRODUCE, 7, 1)
        connections = [self.connect() for _ in range(300)]
        for c in connections:
            c.ask(request(API_VERSIONS, 0, b''))
            c.socket.setblocking(False)
            try:
                c.socket.send(head + bytes(3 << 19))
            except OSError:
                pass
        grown = self.broker.rss_bytes() - before
        check(grown < 3 * QUEUE_BYTES, f'memory grew by {grown >> 20} MiB')
        deadline = time.monotonic() + 40
        while True:  # it may be ended itself, for waiting as long as they do; then it tries again, as clients do
            with self.connect(timeout=30) as c:
                try:
                    c.ask(request(API_VERSIONS, 0, b''))
                    check(produce_error(c.ask(produce('no-such-topic', bytes(3 << 20)))) == 3, 'wrong answer')
                    break
                except OSError:
                    check(time.monotonic() < deadline, 'large requests are no longer served')
        for c in connections:
            c.close()

    # ---- fetch sessions

    def fetch(self, session, epoch, partitions, first=0, wait_ms=0, forgotten=()):
        """Fetch v7; partitions that mostly do not exist."""
        body = struct.pack('>iiiibii', -1, wait_ms, 1, 1 << 20, 0, session, epoch)
        body += struct.pack('>i', 1) + string(TOPIC) + struct.pack('>i', partitions)
        body += b''.join(struct.pack('>iqqi', first + p, 0, -1, 1 << 20) for p in range(partitions))
        body += struct.pack('>i', 1) + string(TOPIC) + struct.pack('>i', len(forgotten))
        return request(FETCH, 7, body + b''.join(struct.pack('>i', p) for p in forgotten))

    def session_of(self, answer):
        """(error, session id) of a Fetch v7 answer."""
        return struct.unpack('>hi', answer[8:14])

    def metric(self, name):
        with urllib.request.urlopen(self.broker.http + '/metrics', timeout=5) as response:
            for line in response.read().decode().splitlines():
                if line.startswith(name + ' '):
                    return float(line.split()[1])
        raise Failure(f'no metric {name}')

    def attack_session_hoarders(self):
        """Sessions of 20,000 partitions that do not exist, again and again, and never used."""
        before = self.broker.rss_bytes()
        for _ in range(100):
            with self.connect() as c:
                error, _ = self.session_of(c.ask(self.fetch(0, 0, 20_000)))
                check(error == 0, f'error {error}')
        sessions = self.metric('kafka_server_fetchsessioncache_numincrementalfetchsessions')
        check(0 < sessions <= SESSION_SLOTS, f'{sessions} sessions')
        partitions = self.metric('kafka_server_fetchsessioncache_numincrementalfetchpartitionscached')
        check(partitions < 400_000, f'{partitions} partitions in sessions')  # of 2 million, in 32 MiB
        grown = self.broker.rss_bytes() - before
        check(grown < 128 << 20, f'memory grew by {grown >> 20} MiB')

    def attack_client_ids(self):
        """30,000 client ids, some of them long, while each is held to a quota."""
        entry = {'entity': [{'entity_type': 'client-id', 'entity_name': None}],
                 'ops': [{'key': 'request_percentage', 'value': 1000.0, 'remove': False}]}
        before = self.broker.rss_bytes()
        with self.connect() as c:
            answer = messages.ask(c, 'AlterClientQuotas', 1, {'entries': [entry], 'validate_only': False})
            check(answer['entries'][0]['error'] == 0, 'the quota was refused')
            for number in range(30_000):
                name = (f'client-{number}' + 'x' * (number % 3 * 1000)).encode()
                c.ask(frame(struct.pack('>hhih', API_VERSIONS, 0, number, len(name)) + name))
            clients = self.metric('strom_quota_clients')
            check(0 < clients <= 10_000, f'{clients} clients are remembered')
            entry['ops'][0]['remove'] = True
            messages.ask(c, 'AlterClientQuotas', 1, {'entries': [entry], 'validate_only': False})
        grown = self.broker.rss_bytes() - before
        check(grown < 64 << 20, f'memory grew by {grown >> 20} MiB')

    def attack_session_games(self):
        """Epochs and ids by chance, on many connections at once, some of them waiting."""
        connections = [self.connect() for _ in range(20)]
        session = 0
        for _ in range(2000):
            c = self.random.choice(connections)
            epoch = self.random.choice((-2, -1, 0, 1, 1, 2, 2, 3, 4, 0x7fffffff, -0x80000000))
            asked = self.random.choice((session, session, 0, self.random.randrange(1 << 31)))
            partitions = self.random.choice((0, 1, 5))
            error, made = self.session_of(c.ask(self.fetch(asked, epoch, partitions, self.random.randrange(10),
                                                           forgotten=range(self.random.choice((0, 3, 20))))))
            check(error in (0, 70, 71), f'error {error}')
            session = made or session
        for c in connections:  # all of them wait in one session, or are refused; then they go
            c.send(self.fetch(session, self.random.randrange(1, 5), 0, wait_ms=60_000))
            c.close()
        with self.connect() as c:
            check(self.session_of(c.ask(self.fetch(session, -1, 0)))[0] == 0, 'cannot close the session')

    def attack_one_byte_at_a_time(self):
        """A valid request in single bytes is a valid request."""
        with self.connect() as c:
            for byte in request(API_VERSIONS, 0, b''):
                c.send(bytes([byte]))
            check(c.response()[:4] == struct.pack('>i', 7), 'no answer')

    def attack_pipelined(self):
        """2,000 requests at once are answered in order."""
        with self.connect() as c:
            c.send(b''.join(request(API_VERSIONS, 0, b'', correlation=i) for i in range(2000)))
            for i in range(2000):
                check(struct.unpack('>i', c.response()[:4])[0] == i, f'answer {i} is out of order')

    # ---- requests

    def attack_unknown_apis(self):
        for api in (-1, 200, 32767, -32768):
            self.must_close(request(api, 0, b''), f'API {api}')

    def attack_unknown_versions(self):
        """ApiVersions tells which versions there are (KIP-511); anything else ends."""
        with self.connect() as c:
            answer = c.ask(request(API_VERSIONS, 99, b'', flexible=True))
            check(struct.unpack('>h', answer[4:6])[0] == 35, 'ApiVersions 99 should answer UNSUPPORTED_VERSION')
            c.ask(request(API_VERSIONS, 0, b''))
        self.must_close(request(METADATA, 99, b''), 'Metadata 99')
        self.must_close(request(METADATA, -1, b''), 'Metadata -1')

    def attack_endless_arrays(self):
        """Arrays that claim 2^31 elements, in old and in flexible versions."""
        endless, flexible = struct.pack('>i', 0x7fffffff), uvarint(0xffffffff)
        produce_head = string(None) + struct.pack('>hi', -1, 1000)
        fetch_head = struct.pack('>iiiib', -1, 1, 1, 1 << 20, 0)
        rows = [
            (METADATA, 1, endless, False), (METADATA, 9, flexible, True), (METADATA, 1, struct.pack('>i', -2), False),
            (PRODUCE, 7, produce_head + endless, False),
            (PRODUCE, 7, produce_head + struct.pack('>i', 1) + string(TOPIC) + endless, False),
            (PRODUCE, 9, b'\0' + struct.pack('>hi', -1, 1000) + flexible, True),
            (FETCH, 4, fetch_head + endless, False),
            (FETCH, 4, fetch_head + struct.pack('>i', 1) + string(TOPIC) + endless, False),
            (LIST_OFFSETS, 1, struct.pack('>i', -1) + endless, False),
            (CREATE_TOPICS, 2, endless, False),
        ]
        for api, version, body, is_flexible in rows:
            self.must_close(request(api, version, body, is_flexible), f'API {api} v{version} {body[-8:].hex()}')

    def attack_cut_requests(self):
        """A whole frame whose request ends early, at every length."""
        whole = request(METADATA, 1, struct.pack('>i', 2) + string('one') + string('two'))[4:]
        for length in range(8, len(whole)):
            self.must_close(frame(whole[:length]), f'request cut at {length}')

    def attack_lying_strings(self):
        for claim in (b'\x7f\xff', b'\x80\x00', b'\xff\xfe'):
            self.must_close(request(METADATA, 1, struct.pack('>i', 1) + claim + b'abc'), f'string length {claim.hex()}')
        self.must_close(request(METADATA, 9, uvarint(2) + uvarint(0xffffffff) + b'abc', True), 'compact string')
        tags = uvarint(1) + b'\0' + uvarint(0x7fffffff) + uvarint(5) + uvarint(0xfffffff)
        self.must_close(request(METADATA, 9, tags, True), 'tagged field')

    def attack_garbage(self):
        """Noise of any length, with and without a believable size before it."""
        for number in range(300):
            noise = self.random.randbytes(self.random.randrange(1, 4000))
            with self.connect() as c:
                try:
                    c.send(frame(noise) if number % 2 else noise)
                except OSError:
                    pass

    def attack_garbage_bodies(self):
        """Valid headers of every API and version, noise behind them."""
        for api in sorted(a.key for a in messages.APIS.values()):
            for version in range(0, 14, 3):
                with self.connect() as c:
                    try:
                        c.send(request(api, version, self.random.randbytes(self.random.randrange(0, 300))))
                    except OSError:
                        pass

    # ---- groups

    def join_values(self, group, **changes):
        return dict(dict(group_id=group, session_timeout_ms=10000, rebalance_timeout_ms=10000, member_id='',
                         protocol_type='consumer', protocols=[{'name': 'range', 'metadata': b'm'}]), **changes)

    def attack_group_ids(self):
        """Ids of members that are asked for and never used, in one group and in as many as there may be."""
        errors = set()
        for spread in (False, True):
            with self.connect(timeout=30) as c:
                for first in range(0, 20_000, 500):
                    c.send(b''.join(messages.request('JoinGroup', 5, self.join_values(
                        f'ids-{i if spread else 0}', session_timeout_ms=6000)) for i in range(first, first + 500)))
                    errors |= {messages.response('JoinGroup', 5, c.response())['error'] for _ in range(500)}
        # given, no more members in a group (group.max.size), no more groups (strom.groups.max)
        check(errors == {79, 81, 44}, f'errors {errors}')
        with self.connect(timeout=30) as c:
            end = time.monotonic() + 20
            while any(g['group_id'].startswith('ids-') for g in messages.ask(c, 'ListGroups', 4, {})['groups']):
                check(time.monotonic() < end, 'the ids are never forgotten')
                time.sleep(0.1)

    def join_first(self, c, group, **changes):
        """Becomes the one member of a group; what its other requests begin with (in their versions without tags)."""
        got = messages.ask(c, 'JoinGroup', 3, self.join_values(group, **changes))
        check(got['error'] == 0, f'JoinGroup answered {got["error"]}')
        self.member_id = string(got['member_id'])
        return string(group) + struct.pack('>i', got['generation_id']) + self.member_id

    def attack_group_sizes(self):
        """Absurd numbers of protocols, assignments, members, partitions; metadata of megabytes."""
        count = 200_000
        megabytes = struct.pack('>i', 14 << 20) + bytes(14 << 20)
        many = [string(f'p{i}') + struct.pack('>i', 0) for i in range(100_000)]
        rows = (struct.pack('>iqh', 0, 1, 0) * count, struct.pack('>iqh', 7, 1, 0) * count)
        with self.connect(timeout=60) as c:
            c.ask(request(API_VERSIONS, 0, b''))
            for protocols in (many, [string('range') + megabytes]):
                head = string('sizes') + struct.pack('>ii', 10000, 10000) + string('') + string('consumer')
                answer = c.ask(request(11, 3, head + struct.pack('>i', len(protocols)) + b''.join(protocols)))
                check(answer[8:10] in (b'\0\x17', b'\0\x51'), f'JoinGroup answered {answer[8:10]}')
            who = self.join_first(c, 'sizes')
            answer = c.ask(request(14, 0, who + struct.pack('>i', 1) + self.member_id + megabytes))
            check(answer[4:6] == b'\xff\xff', f'SyncGroup of too much answered {answer[4:6]}')
            answer = c.ask(request(14, 0, who + struct.pack('>i', 100_000) +
                                   (self.member_id + struct.pack('>ib', 1, 7)) * 100_000))
            check(answer[4:6] == b'\0\0', f'SyncGroup answered {answer[4:6]}')
            answer = c.ask(request(8, 5, string('sizes-2') + struct.pack('>i', -1) + string('') + struct.pack('>i', 2) +
                                   b''.join(string(TOPIC) + struct.pack('>i', count) + r for r in rows)))
            check(len(answer) == 12 + 2 * (len(string(TOPIC)) + 4 + 6 * count), 'not every partition is answered')
            check(answer[-2:] == b'\0\3' and answer.count(b'\0\0\0\0\0\0') > 100, 'an odd answer')
            c.ask(request(13, 3, string('sizes') + struct.pack('>i', 100_000) +
                          (self.member_id + string(None)) * 100_000))

    def attack_group_copies(self):
        """A group of megabytes, described 10,000 times in one request: more than an answer may be."""
        with self.connect(timeout=60) as c:
            c.ask(request(API_VERSIONS, 0, b''))
            who = self.join_first(c, 'copies')
            answer = c.ask(request(14, 0, who + struct.pack('>i', 1) + self.member_id + struct.pack('>i', 3 << 20) +
                                   bytes(3 << 20)))
            check(answer[4:6] == b'\0\0', f'SyncGroup answered {answer[4:6]}')
        self.must_close(request(15, 0, struct.pack('>i', 10_000) + string('copies') * 10_000), '30 GB of answer')

    def attack_group_subscriptions(self):
        """A subscription of a million topics, and requests that ask about 100,000 of them."""
        million = struct.pack('>hi', 0, 1_000_000) + string('t') * 1_000_000 + struct.pack('>i', -1)
        with self.connect(timeout=60) as c:
            c.ask(request(API_VERSIONS, 0, b''))
            who = self.join_first(c, 'topics', protocols=[{'name': 'range', 'metadata': million}])
            check(c.ask(request(14, 0, who + struct.pack('>i', 0)))[4:6] == b'\0\0', 'SyncGroup failed')
            rows = b''.join(string(f't{i}') + struct.pack('>ii', 1, 0) for i in range(50_000)) + (
                string(TOPIC) + struct.pack('>ii', 1, 0)) * 50_000
            for _ in range(5):
                check(c.ask(request(47, 0, string('topics') + struct.pack('>i', 100_000) + rows))[4:6] == b'\0\0',
                      'OffsetDelete failed')

    def attack_group_protocols(self):
        """A group whose members offer 60 protocols each; strangers that share none of them knock without end."""
        offers = [{'name': f'p{i}', 'metadata': b''} for i in range(60)]
        connections = [self.connect(timeout=60) for _ in range(200)]
        for c in connections:
            c.send(messages.request('JoinGroup', 3, self.join_values('protocols', protocols=offers)))
        strange = messages.request('JoinGroup', 3, self.join_values('protocols', protocols=[
            {'name': f'q{i}', 'metadata': b''} for i in range(64)]))
        with self.connect(timeout=60) as c:
            for _ in range(20):
                c.send(strange * 50)
                for _ in range(50):
                    c.response()
        for c in connections:
            c.close()

    def attack_group_deaths(self):
        """500 connections whose JoinGroup is parked, with a queue of more behind it, die together."""
        for era in (3, 9):
            connections = [self.connect() for _ in range(500)]
            for i, c in enumerate(connections):
                values = self.join_values(f'deaths-{i % 5}', group_instance_id=f'i{i}')
                if era == 3:
                    del values['group_instance_id']
                c.send(messages.request('JoinGroup', era, values) * 5)
            for c in connections:
                c.close()

    # ---- batches

    def produce_code(self, record_batch):
        """The error code, or None where the connection was ended."""
        with self.connect(timeout=30) as c:
            try:
                return produce_error(c.ask(produce(TOPIC, record_batch)))
            except OSError:
                return None

    def attack_bad_batches(self):
        good = record(b'value')
        rows = {
            'wrong CRC': batch(good, crc=1),
            'old magic': batch(good, magic=1),
            'no such magic': batch(good, magic=9),
            'count of 2^31': batch(good, count=0x7fffffff, last_offset_delta=0x7fffffff - 1),
            'negative count': batch(good, count=-1, last_offset_delta=0),
            'count too high': batch(good, count=2, last_offset_delta=1),
            'last offset delta': batch(good, last_offset_delta=5),
            'length beyond': batch(good, length=1 << 30),
            'length short': batch(good, length=10),
            'negative length': batch(good, length=-1),
            'no such codec': batch(good, codec=6),
            'record length': batch(varint(0x7fffffff) + good[1:]),
            'negative record length': batch(varint(-5) + good[1:]),
            'record cut': batch(good[:-3]),
            'bytes left over': batch(good + b'\0\0\0'),
            'headers without end': batch(varint(10) + b'\0\0\0' + varint(-1) + varint(-1) + varint(0x7fffffff)),
            'gzip of garbage': batch(self.random.randbytes(500), codec=1),
            'snappy of garbage': batch(self.random.randbytes(500), codec=2),
            'lz4 of garbage': batch(self.random.randbytes(500), codec=3),
            'zstd of garbage': batch(self.random.randbytes(500), codec=4),
            'control batch': batch(good, codec=0x20),
            'empty': b'',
            'half a header': batch(good)[:30],
        }
        for name, data in rows.items():
            code = self.produce_code(data)
            check(code != 0, f'{name}: it was accepted')

    def attack_bombs(self):
        """About 1 MB that decompresses to a gigabyte."""
        zeros = bytes(1 << 20)
        gzip = zlib.compressobj(9, zlib.DEFLATED, 31)
        head = varint(1 << 30)
        bomb = gzip.compress(head) + b''.join(gzip.compress(zeros) for _ in range(1024)) + gzip.flush()
        bombs = {'gzip': batch(bomb[:1_000_000], codec=1)}
        try:
            import zstandard
            zstd = zstandard.ZstdCompressor(level=3).compressobj()
            data = zstd.compress(head) + b''.join(zstd.compress(zeros) for _ in range(1024)) + zstd.flush()
            bombs['zstd'] = batch(data, codec=4)
        except ImportError:
            raise Failure('needs python3-zstandard') from None
        try:
            import lz4.frame
            data = lz4.frame.compress(zeros * 200, store_size=False)
            bombs['lz4'] = batch(data[:1_000_000], codec=3)
        except ImportError:
            raise Failure('needs python3-lz4') from None
        bombs['snappy claim'] = batch(uvarint(0xffffffff) + b'\xfe' * 2000, codec=2)
        before = self.broker.rss_bytes()
        for name, data in bombs.items():
            code = self.produce_code(data)
            check(code != 0, f'{name}: it was accepted')
            grown = self.broker.rss_peak_bytes() - before
            check(grown < MEMORY_MAX, f'{name}: memory grew by {grown >> 20} MiB')

    def attack_bombs_in_parallel(self):
        """30 of them at once."""
        gzip = zlib.compressobj(9, zlib.DEFLATED, 31)
        data = b''.join(gzip.compress(bytes(1 << 20)) for _ in range(900)) + gzip.flush()
        bomb = produce(TOPIC, batch(data, codec=1))
        connections = [self.connect(timeout=60) for _ in range(30)]
        for c in connections:
            c.send(bomb)
        for c in connections:
            try:
                check(produce_error(c.response()) != 0, 'a bomb was accepted')
            except OSError:
                pass
            c.close()

    # ---- many, slow

    def attack_slow_readers(self):
        """50 clients ask for a megabyte again and again and never read an answer."""
        with self.connect() as c:
            value = self.random.randbytes(900_000)
            check(produce_error(c.ask(produce(TOPIC, batch(record(value))))) == 0, 'cannot produce')
        fetch = request(FETCH, 4, struct.pack('>iiiib', -1, 1, 1, 50 << 20, 0) + struct.pack('>i', 1) + string(TOPIC) +
                        struct.pack('>iiqi', 1, 0, 0, 1 << 20))
        before = self.broker.rss_bytes()
        connections = [self.connect() for _ in range(50)]
        for c in connections:
            c.socket.settimeout(0.2)
            try:
                c.send(fetch * 500)
            except OSError:
                pass
        time.sleep(1)
        grown = self.broker.rss_bytes() - before
        for c in connections:
            c.close()
        check(grown < MEMORY_MAX // 2, f'memory grew by {grown >> 20} MiB')

    def attack_memory(self):
        """Hundreds send parts of large and of small frames, and ask for answers that they do not read, all at once."""
        fetch = request(FETCH, 4, struct.pack('>iiiib', -1, 1, 1, 50 << 20, 0) + struct.pack('>i', 1) + string(TOPIC) +
                        struct.pack('>iiqi', 1, 0, 0, 1 << 20))
        topics = request(METADATA, 1, struct.pack('>i', 4000) + string('nowhere') * 4000)
        parts = [(struct.pack('>i', FRAME_BYTES) + struct.pack('>hhi', PRODUCE, 7, 1) + bytes(FRAME_BYTES // 2), 40),
                 (struct.pack('>i', 60 << 10) + struct.pack('>hhi', PRODUCE, 7, 1) + bytes(50 << 10), 100),
                 (fetch * 100, 30), (topics * 10, 30)]
        crowd = []
        for data, count in parts:
            for _ in range(count):
                c = self.connect()
                c.ask(request(API_VERSIONS, 0, b''))
                c.socket.setblocking(False)
                crowd.append([c, memoryview(data)])
        until = time.monotonic() + 4
        while time.monotonic() < until:
            for entry in crowd:
                try:
                    sent = entry[0].socket.send(entry[1][:1 << 18])
                    entry[1] = entry[1][sent:]
                except BlockingIOError:
                    pass
                except OSError:
                    entry[1] = entry[1][:0]  # ended: its right
        for c, _ in crowd:
            c.close()

    def attack_ten_thousand(self):
        """10,000 connections that send one byte."""
        before = self.broker.rss_bytes()
        connections = []
        try:
            for _ in range(IDLE_CONNECTIONS):
                s = socket.create_connection(self.address, timeout=10)
                s.send(b'\0')
                connections.append(s)
            with self.connect() as c:
                c.ask(request(API_VERSIONS, 0, b''))
            grown = self.broker.rss_bytes() - before
            check(grown < 128 << 20, f'memory grew by {grown >> 20} MiB, {grown // IDLE_CONNECTIONS} bytes each')
        except OSError as e:
            raise Failure(f'connection {len(connections)}: {e}') from None
        finally:
            for s in connections:
                s.close()

    # ---- HTTP

    def attack_http(self):
        address = ('127.0.0.1', self.broker.http_port)
        rows = [
            b'GET /health HTTP/1.1\r\nHost: x\r\nX: ' + b'a' * 1_000_000,
            b'G' * 1_000_000,
            b'POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n',
            b'POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n',
            b'GET /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nffffffffffffffff\r\n',
            self.random.randbytes(5000),
            b'GET /' + b'%' * 5000 + b' HTTP/1.1\r\n\r\n',
            b'GET /health HTTP/1.1\r\n' + b'A: b\r\n' * 50_000 + b'\r\n',
        ]
        for number, row in enumerate(rows):
            with Connection(address) as c:
                try:
                    c.send(row)
                    c.socket.shutdown(socket.SHUT_WR)
                except OSError:
                    continue
                check(c.is_closed_within(CLOSE_WITHIN_S), f'HTTP row {number}: the connection stays open')
        slow = [Connection(address) for _ in range(200)]
        for c in slow:
            c.send(b'GET /hea')
        check('status' in str(self.broker.health()) or self.broker.health() is not None, 'no health')
        for c in slow:
            c.close()

    def http_request(self, method, path, body=b''):
        head = f'{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n'
        return head.encode() + body

    def http_status(self, data, patience_s=20):
        """The status of the answer; 0 where the connection ends without one."""
        answer = b''
        with Connection(('127.0.0.1', self.broker.http_port), patience_s) as c:
            try:
                c.send(data)
            except OSError:
                pass  # refused before all was sent: the answer may be there
            try:
                while len(answer) < 12:
                    piece = c.socket.recv(4096)
                    if not piece:
                        break
                    answer += piece
            except socket.timeout:
                raise Failure('HTTP: no answer') from None
            except OSError:
                pass
        return int(answer[9:12]) if answer.startswith(b'HTTP/1.1 ') else 0

    def attack_http_floods(self):
        """300 connections send 1 MiB of 8 MiB bodies and stop; 1,100 send half a line; then all is as before."""
        address = ('127.0.0.1', self.broker.http_port)
        before = self.broker.rss_bytes()
        head = b'POST /subjects/x/versions HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n'
        connections = [Connection(address) for _ in range(300)]
        for c in connections:
            c.socket.setblocking(False)
            try:
                c.socket.send(head + b'x' * (1 << 20))
            except OSError:
                pass
        check(self.http_status(self.http_request('GET', '/schemas/types')) == 200, 'not served beside half bodies')
        grown = self.broker.rss_bytes() - before
        check(grown < 160 << 20, f'memory grew by {grown >> 20} MiB')
        for c in connections:
            c.close()
        slow = []
        for _ in range(1100):  # more than there may be
            c = Connection(address)
            slow.append(c)
            c.send(b'GET /')
            c.socket.setblocking(False)
        deadline = time.monotonic() + 40
        served = False
        while not served and time.monotonic() < deadline:
            for c in slow:
                try:
                    c.socket.send(b'x')  # as slowly as that: it does not help them
                except OSError:
                    pass
            time.sleep(1)
            served = self.http_status(self.http_request('GET', '/schemas/types')) == 200
        for c in slow:
            c.close()
        check(served, 'half requests keep everybody out')

    def attack_registry(self):
        """Schemas and requests that are none."""
        subject = '/subjects/hostile/versions'
        deep = 100_000
        schemas = ['[' * deep, '{"type":"array","items":' * deep + '"int"' + '}' * deep, '"' + 'x' * 3_000_000 + '"',
                   '[' + '"int",' * 500_000 + '"int"]', '1e999999', '{"type":"fixed","name":"f","size":99999999999}',
                   json.dumps({'type': 'enum', 'name': 'e', 'symbols': [f's{i}' for i in range(100_000)]}),
                   json.dumps({'type': 'record', 'name': 'r', 'fields': [
                       {'name': f'f{i}', 'type': {'type': 'array', 'items': 'long'}} for i in range(30_000)]})]
        protos = ['message A {' * deep, 'syntax="proto3"; message A { ' + 'int32 a=1;' * deep + '}', '\0' * 1000]
        jsons = ['{"$ref":"#"}', '{"allOf":[' * 5000 + '{}' + ']}' * 5000, '{"$ref":"http://127.0.0.1:1/x"}',
                 '{"pattern":"(a+)+$(((((((((("}']
        rows = [self.http_request('POST', subject, json.dumps({'schema': s, 'schemaType': kind}).encode())
                for kind, texts in (('AVRO', schemas), ('PROTOBUF', protos), ('JSON', jsons)) for s in texts]
        rows += [self.http_request('POST', subject, body) for body in (
            b'{' * 1_000_000, b'[]' * 1_000_000, b'[' + b'[],' * 1_000_000 + b'[]]',
            b'{"schema":' + b'9' * 1_000_000 + b'}',
            b'{"schema":"\\ud800"}', b'\xff' * 1000, b'null', b'""', b'{"schema":"\\"int\\"","references":[' +
            b'{"name":"a","subject":"b","version":1},' * 50_000 + b'{}]}', b' ' * (4 << 20), b' ' * ((4 << 20) + 1))]
        paths = ['/subjects/' + '%00' * 1000, '/subjects/' + 'x' * 5000 + '/versions', '/schemas/ids/' + '9' * 1000,
                 '/schemas/ids/-1', '/contexts/' + ':' * 100 + '/subjects', '/contexts/.x/contexts/.y/subjects',
                 '/subjects?offset=-9223372036854775808&limit=99999999999999999999', '/subjects?' + '&' * 5000,
                 '/subjects?subjectPrefix=' + '%' * 5000, '/schemas/guids/' + '-' * 36, '/config/:.:',
                 '/mode/' + '%ff' * 50]
        rows += [self.http_request('GET', path) for path in paths]
        rows += [self.http_request('GET', '/' + '/'.join(self.random.choices(
            ['subjects', 'schemas', 'ids', 'versions', '%2F', '', 'latest', 'config'], k=6))) for _ in range(200)]
        rows += [self.http_request('POST', subject, self.random.randbytes(5000)) for _ in range(50)]
        for number, row in enumerate(rows):
            status = self.http_status(row)
            check(200 <= status < 500, f'row {number} was answered {status}: {row[:200]}')


def run_attack(name, attack, broker, healthy):
    """Returns whether the broker and its healthy client came through."""
    answers = healthy.answers
    begin = time.monotonic()
    try:
        attack()
        deadline = time.monotonic() + 10
        while healthy.answers < answers + 3 and healthy.trouble is None and time.monotonic() < deadline:
            time.sleep(0.01)
        check(broker.alive(), f'the broker died with {broker.process.poll()}')
        check(healthy.trouble is None, f'the healthy client was hurt: {healthy.trouble}')
        check(healthy.answers >= answers + 3, 'the healthy client was not served')
        check(healthy.longest_s < PATIENCE_S, f'the healthy client waited {healthy.longest_s:.1f} s')
        peak = broker.rss_peak_bytes()
        check(peak < MEMORY_MAX, f'memory was {peak >> 20} MiB')
    except (Failure, OSError) as e:
        print(f'not ok hostile {name}: {e}', flush=True)
        return False
    print(f'ok hostile {name} ({time.monotonic() - begin:.1f} s, healthy client waited at most '
          f'{healthy.longest_s * 1000:.0f} ms, broker at {broker.rss_bytes() >> 20} MiB, '
          f'at most {peak >> 20})', flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('attacks', nargs='*', metavar='ATTACK')
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the broker inherits it
    if hard < IDLE_CONNECTIONS + 200:
        print(f'# only {hard} files may be open here: {IDLE_CONNECTIONS} connections will not fit', flush=True)
    broker = Broker(options.broker, settings={
        'strom.memory.max.bytes': MEMORY_MAX, 'queued.max.request.bytes': QUEUE_BYTES,
        'socket.request.max.bytes': FRAME_BYTES,
        'max.incremental.fetch.session.cache.slots': SESSION_SLOTS,
        'strom.fetch.session.cache.bytes': 32 << 20})
    failed = 0
    try:
        broker.start()
        enemy = Enemy(broker)
        names = options.attacks or [n[len('attack_'):] for n in dir(Enemy) if n.startswith('attack_')]
        healthy = Healthy(enemy.address)
        healthy.start()
        for name in names:
            if not run_attack(name, getattr(enemy, 'attack_' + name), broker, healthy):
                failed += 1
                if not broker.alive():
                    print(broker.log_tail(), flush=True)
                    break
                healthy.done.set()
                healthy = Healthy(enemy.address)
                healthy.start()
        healthy.done.set()
        if broker.alive():
            code = broker.stop()
            print(f'{"ok" if code == 0 else "not ok"} hostile stops cleanly: exit code {code}', flush=True)
            failed += code != 0
    except BrokerFailed as e:
        print(f'not ok hostile broker: {e}', flush=True)
        failed += 1
    finally:
        broker.close()
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
