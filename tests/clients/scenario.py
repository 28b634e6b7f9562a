# SPDX-License-Identifier: Apache-2.0
"""scenario.py - what every client test shares: the records (the same bytes in scenario.mjs), the ok / not ok lines."""
import os
import random
import sys
import time
import traceback

BOOTSTRAP = os.environ.get('STROM_BOOTSTRAP', '127.0.0.1:9092')
CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
PARTITIONS = 3
RECORDS = 300  # per codec, over all partitions
TIME_MS = int(time.time() * 1000) - 3_600_000  # where record timestamps start: old enough, too young for retention


class Record:
    """One record as produced, and as it must come back."""

    def __init__(self, i):
        self.partition = i % PARTITIONS
        self.key = None if i % 7 == 3 else f'key-{i}'.encode()
        self.value = None if i % 11 == 5 and self.key else value_of(i)
        self.headers = []
        if i % 5 != 0:
            self.headers = [('trace', str(i).encode()), ('empty', b''), ('bin', bytes([0, 255, i & 255]))]
        self.timestamp_ms = TIME_MS + i

    def same(self):
        """What is compared."""
        return (self.key, self.value, tuple(self.headers), self.timestamp_ms)


def value_of(i):
    """Empty now and then, one of 100,000 bytes, else up to 600 bytes of every value."""
    length = 100_000 if i == 150 else 0 if i % 13 == 0 else i * 37 % 600
    return bytes((i * 31 + j * 7) & 255 for j in range(length))


def records():
    return [Record(i) for i in range(RECORDS)]


def fresh_topic(what):
    return f'{what}-{random.getrandbits(40):x}'


class Failure(Exception):
    pass


def check(claim, message):
    if not claim:
        raise Failure(message)


def equal(what, got, expected):
    if got != expected:
        raise Failure(f'{what}: got {got!r:.300}, expected {expected!r:.300}')


def compare(fetched, expected=None):
    """fetched: {partition: [(offset, record as Record.same)]}. Every byte, every offset, in order."""
    expected = records() if expected is None else expected
    for partition in range(PARTITIONS):
        want = [r.same() for r in expected if r.partition == partition]
        got = fetched.get(partition, [])
        equal(f'records in partition {partition}', len(got), len(want))
        for number, ((offset, same), wanted) in enumerate(zip(got, want)):
            equal(f'offset in partition {partition}', offset, number)
            equal(f'record {partition}/{number}', same, wanted)


class Suite:
    """Runs scenarios one after another and prints one line each; a failure does not end the others."""

    def __init__(self, client):
        self.client = client
        self.failed = 0

    def run(self, name, scenario):
        try:
            scenario()
            print(f'ok {self.client} {name}', flush=True)
        except Exception as e:  # anything a client library throws is a failed scenario
            self.failed += 1
            why = ' '.join(str(e).split()) or type(e).__name__
            print(f'not ok {self.client} {name}: {type(e).__name__}: {why:.600}', flush=True)
            if os.environ.get('STROM_VERBOSE'):
                traceback.print_exc()

    def end(self):
        sys.exit(1 if self.failed else 0)


def expect_error(codes, action):
    """Runs action, which has to fail with one of the Kafka error names; returns the error."""
    try:
        action()
    except Failure:
        raise
    except Exception as e:
        text = f'{type(e).__name__} {e}'
        check(any(code.replace('_', '').lower() in text.replace('_', '').lower() for code in codes),
              f'wrong error: {text:.300}, expected one of {codes}')
        return e
    raise Failure(f'no error, expected one of {codes}')
