#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""capture_corpus.py - runs the real-client tests through a proxy and keeps their request frames as fuzz seeds.

  tools/capture_corpus.py --broker build/src/server/strom [CLIENT...]

Writes fuzz/corpus/wire/<client>_<api key>_v<version>_<n>: byte 255, then the frame without its length, which is how
fuzz_wire.c takes a request as a connection sees it. Run by a developer when a client or a version is new (a seed that
is there stays); the result is committed, so that CI replays what real clients send without running them.
"""
import argparse
import os
import socket
import struct
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
from broker import Broker, free_port  # noqa: E402

CORPUS = os.path.join(ROOT, 'fuzz', 'corpus', 'wire')
CLIENTS = ('kcat', 'confluent', 'kafka-python', 'kafkajs', 'platformatic', 'platformatic-2', 'crab')
STORIES = ('churn', 'cooperative', 'static', 'admin')  # of tests/clients/groups
FRAMES_PER_VERSION = 2
FRAME_BYTES_MAX = 2000


class Recorder:
    """Cuts one direction of a connection into frames and keeps a few of each (key, version)."""

    def __init__(self, client, seen):
        self.client, self.seen, self.buffer = client, seen, b''

    def feed(self, data):
        self.buffer += data
        while len(self.buffer) >= 4:
            size = struct.unpack('>i', self.buffer[:4])[0]
            if len(self.buffer) < 4 + size:
                return
            frame, self.buffer = self.buffer[4:4 + size], self.buffer[4 + size:]
            self.keep(frame)

    def keep(self, frame):
        if not 8 <= len(frame) <= FRAME_BYTES_MAX:
            return
        key, version = struct.unpack('>hh', frame[:4])
        count = self.seen.get((self.client, key, version), 0)
        if count == FRAMES_PER_VERSION:
            return
        self.seen[self.client, key, version] = count + 1
        path = os.path.join(CORPUS, f'{self.client}_{key}_v{version}_{count}')
        if not os.path.exists(path):
            with open(path, 'wb') as out:
                out.write(b'\xff' + frame)


def pump(source, sink, recorder):
    try:
        while data := source.recv(65536):
            if recorder:
                recorder.feed(data)
            sink.sendall(data)
    except OSError:
        pass
    for s in (source, sink):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(listener, port, state):
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        upstream = socket.create_connection(('127.0.0.1', port))
        recorder = Recorder(state['client'], state['seen'])
        threading.Thread(target=pump, args=(client, upstream, recorder), daemon=True).start()
        threading.Thread(target=pump, args=(upstream, client, None), daemon=True).start()


def play(script, bootstrap, *arguments):
    subprocess.run([sys.executable, os.path.join(ROOT, 'tests/clients', script), '--bootstrap', bootstrap, *arguments],
                   check=False, stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('clients', nargs='*', metavar='CLIENT', default=CLIENTS)
    options = parser.parse_args()
    os.makedirs(CORPUS, exist_ok=True)
    proxy_port = free_port()
    broker = Broker(options.broker, settings={'advertised.listeners': f'PLAINTEXT://127.0.0.1:{proxy_port}',
                                              'auto.create.topics.enable': 'false',
                                              'group.initial.rebalance.delay.ms': '0'})
    broker.start()
    state = {'client': '', 'seen': {}}
    listener = socket.create_server(('127.0.0.1', proxy_port))
    threading.Thread(target=serve, args=(listener, broker.port, state), daemon=True).start()
    try:
        for client in options.clients:
            state['client'] = client
            play('run.py', f'127.0.0.1:{proxy_port}', client)
            for story in STORIES:
                play('groups/run.py', f'127.0.0.1:{proxy_port}', client, '--story', story)
            print(f'{client}: {sum(n for (c, _, _), n in state["seen"].items() if c == client)} frames')
    finally:
        listener.close()
        broker.stop()


if __name__ == '__main__':
    main()
