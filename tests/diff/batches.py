# SPDX-License-Identifier: Apache-2.0
"""batches.py - record batches that scripts send, true and lying ones, and what is in those that a broker sends."""
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
from rawkafka import crc32c, record  # noqa: E402

T0 = 1700000000000  # the time of all records: what is compared must not depend on the clock
HEADER = '>qiibIhiqqqhii'
HEADER_BYTES = struct.calcsize(HEADER)
GZIP, SNAPPY, LZ4, ZSTD, APPEND_TIME, TRANSACTIONAL, CONTROL = 1, 2, 3, 4, 0x08, 0x10, 0x20


def build(payload, count, producer=(-1, -1), sequence=-1, attributes=0, time_ms=T0, **lies):
    """A batch around these bytes. lies: base_offset, length, epoch, magic, crc, last_delta, count, max_ms."""
    tail = struct.pack('>hiqqqhii', attributes, lies.get('last_delta', count - 1), time_ms,
                       lies.get('max_ms', time_ms), *producer, sequence, lies.get('count', count)) + payload
    return struct.pack('>qiibI', lies.get('base_offset', 0), lies.get('length', len(tail) + 9),
                       lies.get('epoch', -1), lies.get('magic', 2), lies.get('crc', crc32c(tail))) + tail


def records(*values, keys=None):
    """The bytes of records with these values."""
    return b''.join(record(value.encode(), keys[i].encode() if keys else None, i) for i, value in enumerate(values))


def of_values(*values, keys=None, **fields):
    return build(records(*values, keys=keys), len(values), **fields)


# ---- what a broker sends

def marker(payload):
    """The version and type of a control record; what is behind them, and its epoch, no client looks at."""
    return {'control': payload[5:9].hex()}


def parse_one(data, at):
    (base, _, epoch, magic, crc, attributes, last, first_ms, max_ms, producer, producer_epoch, sequence,
     count) = struct.unpack_from(HEADER, data, at)
    end = at + 12 + struct.unpack_from('>i', data, at + 8)[0]
    body, payload = data[at + 21:end], data[at + HEADER_BYTES:end]
    one = dict(base_offset=base, epoch=epoch, magic=magic, attributes=attributes, last_delta=last,
               producer_id=producer, producer_epoch=producer_epoch, sequence=sequence, count=count,
               sound=len(body) > 65536 or crc32c(body) == crc)
    if attributes & CONTROL:
        return dict(one, producer_epoch=-1, **marker(payload)), end
    times = {} if attributes & APPEND_TIME else {'first_ms': first_ms, 'max_ms': max_ms}
    text = payload.hex() if len(payload) < 200 else f'{len(payload)} bytes, {crc32c(payload[:4096]):x}'
    return dict(one, **times, payload=text), end


def parse(data):
    """Its whole batches. What is cut off at the end is left out: a broker may send it or not."""
    found, at = [], 0
    while at + HEADER_BYTES <= len(data) and at + 12 + struct.unpack_from('>i', data, at + 8)[0] <= len(data):
        one, at = parse_one(data, at)
        found.append(one)
    return found


def aborted_in(partition):
    """Those of its aborted transactions that have a record in what it sends: a reader needs no others, and a broker
    may know of more."""
    sent = [(one['producer_id'], one['base_offset']) for one in parse(partition['records'] or b'')
            if one['attributes'] & TRANSACTIONAL]
    return [row for row in partition['aborted_transactions'] or [] if any(
        producer == row['producer_id'] and offset >= row['first_offset'] for producer, offset in sent)]
