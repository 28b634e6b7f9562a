# SPDX-License-Identifier: Apache-2.0
"""produces.py - scripts of what Produce takes and refuses: places, batches that lie, sequences, the rules of topics."""
import os
import struct

import batches
from batches import T0
from data_world import list_offsets, produce, produce_values, put, read, topic_of
from rawkafka import record, varint
from script import Records

APIS = ['Produce']
ERAS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
GOLDEN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'golden')
FAR = 9223372036854775807


def golden(codec):
    """A batch that Apache Kafka's own client has written."""
    with open(os.path.join(GOLDEN, f'batch_v2_{codec}.hex'), encoding='ascii') as f:
        return bytes.fromhex(''.join(line for line in f if not line.startswith('#')))


def ends(c, topic, *partitions):
    for partition in partitions or (0,):
        list_offsets(c, topic, -1, partition=partition)


# ---- places

def places(p):
    """Topics and partitions that are there and that are not, several and the same in one request."""
    t, u = p.topic('t', partitions=2), p.topic('u')
    c = p.link()
    for partition in (0, 1, 2, -1, 2147483647):
        put(c, t, 'a', partition=partition)
    for name in ('no-such-topic', '', 'bad name', '__consumer_offsets'):
        put(c, name, 'a')

    def ask(*rows, **more):
        values = produce_values(c, t, None)
        values['topics'] = [{'name': name, 'topic_id': topic_of(c, name)['topic_id'], 'partitions': [
            {'index': index, 'records': Records.of(batches.of_values(text), text)} for index, text in parts]}
            for name, parts in rows]
        c.ask('Produce', **values | more)
    ask((t, ((0, 'x'), (1, 'y'), (2, 'z'))), (u, ((0, 'v'),)), ('no-such-topic', ((0, 'w'),)))
    ask((t, ()))
    ask()
    ends(c, t, 0, 1)
    ends(c, u)
    read(c, t, 0)


def acknowledged(p):
    """acks: 0 has no answer, and an error ends the connection."""
    t = p.topic('t')
    c = p.link()
    for acks in (-1, 1, 2, -2, 127, -32768):
        put(c, t, f'acks {acks}', acks=acks)
    for timeout in (0, -1, 1, 2147483647):
        produce(c, t, batches.of_values('t'), 't', timeout_ms=timeout)
    silent = p.link('silent')

    def send(topic, data):
        values = produce_values(silent, topic, Records.of(data, 'silent'), acks=0)
        silent.send('Produce', **values)
        silent.parked.clear()
    send(t, batches.of_values('a'))
    send(t, batches.of_values('b'))
    ends(silent, t)
    send(t, batches.of_values('bad', crc=5))
    ends(silent, t)
    silent = p.link('silent 2')
    send('no-such-topic', batches.of_values('a'))
    ends(silent, t)
    read(c, t, 0)


# ---- batches

def tails():
    """(what, batch): of one record, with one field that lies."""
    good = batches.records('v')
    two = batches.records('a', 'b')
    b = batches.build
    yield 'no records at all', b''
    yield 'one byte', b'\0'
    yield 'a header that is cut', b(good, 1)[:40]
    yield 'cut', b(good, 1)[:-1]
    yield 'twice', b(good, 1) * 2
    for magic in (0, 1, 3, 127, -1):
        yield f'magic {magic}', b(good, 1, magic=magic)
    yield 'crc', b(good, 1, crc=1)
    for length in (-1, 0, 13, 48, 49, len(good) + 48, len(good) + 50, 2147483647):
        yield f'length {length}', b(good, 1, length=length)
    for count, delta in ((0, 0), (0, -1), (-1, -1), (2, 0), (2, 1), (1, 1), (1, 5), (1, -1), (2147483647, 2147483646)):
        yield f'count {count}, last {delta}', b(good, count, last_delta=delta)
        yield f'two, count {count}, last {delta}', b(two, count, last_delta=delta)
    yield 'an empty batch', b(b'', 0, last_delta=0)
    for offset in (1, 77, -1, -9223372036854775808):
        yield f'base {offset}', b(good, 1, base_offset=offset)
    for epoch in (0, 5, -2):
        yield f'epoch {epoch}', b(good, 1, epoch=epoch)
    for attributes in (0x20, 0x05, 0x07):
        yield f'attributes {attributes:x}', b(good, 1, attributes=attributes)
    for codec in (1, 2, 3, 4):
        yield f'codec {codec} of what is not compressed', b(good, 1, attributes=codec)


def deltas():
    """(what, batch): records that are not numbered 0, 1, 2 and so on."""
    b = batches.build
    yield 'delta 1', b(record(b'v', None, 1), 1)
    yield 'delta -1', b(record(b'v', None, -1), 1)
    yield 'deltas 0, 0', b(record(b'v') + record(b'v'), 2)
    yield 'deltas 0, 2', b(record(b'v') + record(b'v', None, 2), 2)
    yield 'deltas 1, 0', b(record(b'v', None, 1) + record(b'v'), 2)
    yield 'deltas 0, 2, last 2', b(record(b'v') + record(b'v', None, 2), 2, last_delta=2)


def tails_of_records():
    """(what, batch): records that lie."""
    b, good = batches.build, record(b'v', b'k')
    yield 'garbage', b(b'\xff' * 20, 1)
    yield 'zeros', b(b'\0' * 20, 1)
    yield 'a length that is too long', b(b'\x7e' + good[1:], 1)
    yield 'a length that is too short', b(b'\x04' + good[1:], 1)
    yield 'a negative length', b(b'\x01' + good[1:], 1)
    yield 'rest', b(good + b'\0\0', 1)
    for what, body in (('a key too long', b'\0\0\0\x7e' + b'k\2v\0'), ('a value too long', b'\0\0\0\1\x7ev\0'),
                       ('a negative value', b'\0\0\0\1\3'), ('null', b'\0\0\0\1\1\0'),
                       ('headers that are missing', b'\0\0\0\1\2v\2'), ('a header', b'\0\0\0\1\2v\2\2h\2x'),
                       ('a header without a key', b'\0\0\0\1\2v\2\1\2x'), ('negative headers', b'\0\0\0\1\2v\1'),
                       ('attributes', b'\x55\0\0\1\2v\0'), ('a time below', b'\0\1\0\1\2v\0'),
                       ('a time above', b'\0\2\0\1\2v\0')):
        yield what, b(varint(len(body)) + body, 1)


def batches_that_lie(p):
    t = p.topic('t')
    c = p.link()
    for what, data in tails():
        produce(c, t, data, what)
        ends(c, t)
    read(c, t, 0)


def records_that_lie(p):
    t = p.topic('t')
    c = p.link()
    for what, data in tails_of_records():
        produce(c, t, data, what)
        ends(c, t)
    read(c, t, 0)


def deltas_that_lie(p):
    t = p.topic('t')
    c = p.link()
    for what, data in deltas():
        produce(c, t, data, what)
        ends(c, t)


def odd_bits(p):
    """Attributes that no client sets, and bytes behind the batch."""
    t = p.topic('t')
    c = p.link()
    for attributes in (0x08, 0x40, 0x80, 0x100, 0x7f00):
        produce(c, t, batches.of_values('v', attributes=attributes), f'attributes {attributes:x}')
    produce(c, t, batches.of_values('v') + b'\0', 'one byte more')


def codecs(p):
    """What a client has compressed; compressed again by the topic's own codec."""
    t = p.topic('t')
    c = p.link()
    for codec in ('plain', 'gzip', 'snappy', 'lz4', 'zstd'):
        data = golden(codec)
        produce(c, t, data, codec)
        produce(c, t, data[:-3] + b'xyz', f'{codec}, damaged')
    ends(c, t)
    read(c, t, 0)
    read(c, t, 3, partition_max_bytes=1)


def times(p):
    """Timestamps at their bounds: of a topic that takes any, and of one that does not."""
    any_time = p.topic('any')
    strict = p.topic('strict', message_timestamp_before_max_ms='1000', message_timestamp_after_max_ms='1000')
    stamped = p.topic('stamped', message_timestamp_type='LogAppendTime')
    c = p.link()
    for topic in (any_time, strict, stamped):
        for ms in (T0, 0, -1, 1, FAR, -9223372036854775808, T0 + 315360000000):
            put(c, topic, f'{ms}', time_ms=ms)
        put(c, topic, 'wrong max', max_ms=T0 + 1)
        put(c, topic, 'max below', max_ms=T0 - 1)
        put(c, topic, 'max -1', max_ms=-1)
        ends(c, topic)
        read(c, topic, 0)


def keys(p):
    """Compacted topics take no record without a key."""
    t = p.topic('t', cleanup_policy='compact')
    u = p.topic('u', cleanup_policy='compact,delete')
    c = p.link()
    some = record(b'v', b'k') + record(b'v', None, 1) + record(b'v', b'', 2) + record(b'v', None, 3)
    for topic in (t, u):
        put(c, topic, 'a')
        put(c, topic, 'a', keys=['k'])
        put(c, topic, 'a', keys=[''])
        produce(c, topic, batches.build(some, 4), 'some keys')
        produce(c, topic, batches.build(record(b'v', None, 1), 1), 'no key and a wrong delta')
        ends(c, topic)


def sizes(p):
    """max.message.bytes: the whole batch counts."""
    t = p.topic('t', max_message_bytes='200')
    c = p.link()
    for length in (1, 100, 128, 129, 130, 131, 132, 133, 134, 200, 5000):
        produce(c, t, batches.build(record(b'x' * length), 1), f'{length}')
    zero = p.topic('zero', max_message_bytes='0')
    put(c, zero, 'a')
    ends(c, t)
    ends(c, zero)


# ---- idempotence

def sequences(p):
    """Duplicates, gaps, epochs, wraps."""
    t = p.topic('t', partitions=3)
    c = p.link()
    mine = c.ask_settled('InitProducerId', transactional_id=None, transaction_timeout_ms=1000)['producer_id']

    def ask(sequence, epoch=0, count=1, partition=0, producer=mine):
        put(c, t, *['v'] * count, partition=partition, producer=(producer, epoch), sequence=sequence)
    for sequence in (0, 0, 1, 3, 2, 0, 1, 2, 5, 3, 4):
        ask(sequence)
    ask(5, count=3)
    ask(5, count=3)
    ask(5, count=2)
    ask(6, count=2)
    ask(5, count=4)
    ask(7)
    for sequence in range(8, 14):
        ask(sequence)
    for sequence in (5, 8, 9, 13, 14):
        ask(sequence)
    ask(1, epoch=1)
    ask(0, epoch=1)
    ask(15)
    ask(1, epoch=1)
    ask(0, epoch=5)
    ask(0, epoch=32767)
    ask(0, epoch=-1)
    ask(-1, epoch=0)
    ask(0, producer=1 << 41)
    ask(7, producer=(1 << 41) + 1)
    ask(2147483646, partition=1)
    ask(2147483647, partition=1)
    ask(0, partition=1)
    ask(1, partition=1)
    ask(2147483646, partition=2, count=4)
    ask(2, partition=2)
    ask(0, partition=2, producer=-2)
    ask(-1, partition=2, producer=-1, epoch=3)
    ask(3, partition=2, producer=-1)
    c.ask('DescribeProducers', topics=[{'name': t, 'partition_indexes': [0, 1, 2]}])
    ends(c, t, 0, 1, 2)
    read(c, t, 0)


def nulls(p):
    """A null where a list or a name must be: the connection ends."""
    for values in (dict(topics=None), dict(topics=[{'name': None, 'partitions': []}]),
                   dict(topics=[{'name': 'x', 'partitions': None}])):
        if p.era < 13:
            p.link().ask('Produce', acks=-1, timeout_ms=1000, **values)
    p.link().ask('Produce', acks=-1, timeout_ms=1000, transactional_id='', topics=[])
    odd = p.link()
    odd.connection.send(struct.pack('>ihhih', 10, 0, min(p.era, 8), 3, -1))  # it ends behind the header
    odd.parked.append(('cut', 'Produce', min(p.era, 8)))
    odd.receive()


SCRIPTS = [places, acknowledged, batches_that_lie, records_that_lie,
           deltas_that_lie, odd_bits, codecs, times, keys, sizes, sequences, nulls]
