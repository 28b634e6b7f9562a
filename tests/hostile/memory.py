#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""memory.py - more than the memory holds, from everywhere at once: large batches on many connections, requests that
stop in the middle, answers that nobody reads. The process grows by less than strom.memory.max.bytes, and whoever goes
on sending is answered.

  tests/hostile/memory.py --broker build/src/server/strom
"""
import argparse
import os
import selectors
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from broker import Broker, BrokerFailed  # noqa: E402
from rawkafka import (API_VERSIONS, CREATE_TOPICS, FETCH, PRODUCE, Connection, batch, produce,  # noqa: E402
                      produce_error, record, request, string)

MEMORY_BYTES = 64 << 20
WRITERS = 128
REQUESTS_EACH = 6  # of 900 kB, all sent at once: 690 MB in all
HALVES = 100
READERS = 50
PATIENCE_S = 90
TOPIC = 'full'


class Writer:
    def __init__(self, address, data):
        self.address = address
        self.data = memoryview(data)
        self.answers = 0
        self.connect()

    def connect(self):
        """The broker ends who waited for too long; clients try again what was not answered."""
        self.socket = socket.create_connection(self.address, timeout=30)
        self.socket.sendall(request(API_VERSIONS, 0, b''))
        self.socket.recv(65536)
        self.socket.setblocking(False)
        self.sent = len(self.data) * self.answers
        self.answer = b''

    def step(self):
        try:
            while self.sent < len(self.data) * REQUESTS_EACH:
                at = self.sent % len(self.data)
                self.sent += self.socket.send(self.data[at:])
        except BlockingIOError:
            pass
        try:
            got = self.socket.recv(65536)
        except BlockingIOError:
            return
        if not got:
            raise ConnectionResetError('the broker closed a connection')
        self.answer += got
        while len(self.answer) >= 4:
            size = struct.unpack('>i', self.answer[:4])[0]
            if len(self.answer) < 4 + size:
                break
            code = produce_error(self.answer[4:4 + size])
            if code != 0:
                raise BrokerFailed(f'a Produce was answered {code}')
            self.answers += 1
            self.answer = self.answer[4 + size:]


def flood(broker, address):
    """Returns what went wrong, or None."""
    data = produce(TOPIC, batch(record(os.urandom(900_000))))
    with Connection(address) as c:
        c.ask(request(CREATE_TOPICS, 2, struct.pack('>i', 1) + string(TOPIC) +
                      struct.pack('>ihiiib', 1, 1, 0, 0, 10000, 0)))
        for _ in range(8):
            if produce_error(c.ask(data)) != 0:
                return 'cannot produce'
    fetch = request(FETCH, 4, struct.pack('>iiiib', -1, 1, 1, 50 << 20, 0) + struct.pack('>i', 1) + string(TOPIC) +
                    struct.pack('>iiqi', 1, 0, 0, 4 << 20))
    others = []
    for i in range(HALVES + READERS):
        c = Connection(address)
        c.ask(request(API_VERSIONS, 0, b''))
        c.socket.setblocking(False)
        try:
            c.socket.send(fetch * 20 if i >= HALVES else
                          struct.pack('>i', 2 << 20) + struct.pack('>hhi', PRODUCE, 7, 1) + bytes(1 << 20))
        except BlockingIOError:
            pass
        others.append(c)
    writers = [Writer(address, data) for _ in range(WRITERS)]
    end = time.monotonic() + PATIENCE_S
    with selectors.DefaultSelector() as selector:
        for writer in writers:
            selector.register(writer.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, writer)
        while selector.get_map():
            if time.monotonic() > end:
                return f'{sum(w.answers for w in writers)} of {WRITERS * REQUESTS_EACH} requests answered in time'
            for key, _ in selector.select(1):
                writer = key.data
                try:
                    writer.step()
                except OSError:
                    selector.unregister(writer.socket)
                    writer.socket.close()
                    writer.connect()
                    selector.register(writer.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, writer)
                    continue
                if writer.answers == REQUESTS_EACH:
                    selector.unregister(writer.socket)
                elif writer.sent == len(writer.data) * REQUESTS_EACH:
                    selector.modify(writer.socket, selectors.EVENT_READ, writer)
    for c in others:
        c.close()
    return None if broker.alive() else 'the broker died'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    options = parser.parse_args()
    broker = Broker(options.broker, settings={'strom.memory.max.bytes': MEMORY_BYTES})
    try:
        broker.start()
        rest = broker.rss_bytes()
        trouble = flood(broker, ('127.0.0.1', broker.port))
        grown = broker.rss_peak_bytes() - rest
        if trouble is None and grown > MEMORY_BYTES:
            trouble = f'memory grew by {grown >> 20} MiB of {MEMORY_BYTES >> 20}'
        print(f'not ok hostile memory: {trouble}' if trouble else
              f'ok hostile memory ({grown >> 20} MiB of {MEMORY_BYTES >> 20} at most)',
              flush=True)
        code = broker.stop() if broker.alive() else 1
        print(f'{"ok" if code == 0 else "not ok"} hostile memory stops cleanly: exit code {code}', flush=True)
        return 1 if trouble or code != 0 else 0
    except BrokerFailed as e:
        print(f'not ok hostile memory: {e}', flush=True)
        return 1
    finally:
        broker.close()


if __name__ == '__main__':
    sys.exit(main())
