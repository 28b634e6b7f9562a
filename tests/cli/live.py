# SPDX-License-Identifier: Apache-2.0
"""live.py - the scenarios of what goes on, breaks and is hostile, played by cli_test.py."""
import json
import random
import signal
import socket
import struct
import subprocess
import threading

from broker import Broker
from program import TIMEOUT_S, eventually, has, same


def test_live(cli, _broker):
    """Lines of a pipe that stays open arrive; consume waits for them; Ctrl-C ends it."""
    cli.run('topic', 'create', 'live')
    reader = cli.start('consume', 'live', stdin=subprocess.DEVNULL)
    writer = cli.start('produce', 'live')
    for i in range(5):
        writer.stdin.write(b'live %d\n' % i)
        writer.stdin.flush()
        same(reader.stdout.readline(), b'live %d\n' % i)
    writer.stdin.close()
    same(writer.wait(TIMEOUT_S), 0)
    reader.send_signal(signal.SIGINT)
    assert reader.wait(TIMEOUT_S) in (-signal.SIGINT, 130), reader.returncode
    same(reader.stderr.read(), b'')


def test_closed_pipe(cli, _broker):
    cli.run('topic', 'create', 'pipe')
    cli.run('produce', 'pipe', stdin=b'0123456789\n' * 200000)
    for words in (['consume', 'pipe', '--exit'], ['consume', 'pipe', '--exit', '--json'], ['consume', 'pipe']):
        process = cli.start(*words, stdin=subprocess.DEVNULL)
        assert process.stdout.readline()
        process.stdout.close()
        process.wait(TIMEOUT_S)
        same((process.stderr.read(), process.returncode), (b'', 0))


class Proxy(threading.Thread):
    """Passes bytes to the broker and back, and cuts every connection after a few of either kind."""

    def __init__(self, port, cuts, bytes_max):
        super().__init__(daemon=True)
        self.port, self.cuts, self.bytes_max = port, cuts, bytes_max
        self.random = random.Random(1)
        self.last_left = None
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.address = f'127.0.0.1:{self.listener.getsockname()[1]}'
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(('127.0.0.1', self.port))
            left = [10**12]
            if self.cuts > 0:
                self.cuts -= 1
                left = [self.random.randrange(self.bytes_max)]
            self.last_left = left
            ends = (client, server)
            for a, b in (ends, ends[::-1]):
                threading.Thread(target=self.pump, args=(a, b, left), daemon=True).start()

    @staticmethod
    def pump(a, b, left):
        try:
            while data := a.recv(65536):
                data = data[:max(left[0], 0)]
                left[0] -= len(data)
                b.sendall(data)
                if left[0] <= 0:
                    break
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_broken_connections(cli, broker):
    """With acks=all nothing is lost, repeated or reordered however often the connection breaks."""
    cli.run('topic', 'create', 'broken', '--partitions', '3')
    proxy = Proxy(broker.port, 0, 400000)
    process = subprocess.Popen([cli.binary, 'produce', 'broken', '--batch-records', '200', '--key-separator', ':',
                                '--bootstrap-server', proxy.address, '--json'],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b'first:0\n')
    process.stdin.flush()
    eventually(lambda: len(cli.records('broken')) == 1)  # the handshake is over: from here every loss is repaired
    proxy.cuts = 12
    proxy.last_left[0] = 100000
    lines = [f'k{i % 7}:{i} {"w" * 100}' for i in range(40000)]
    for s in range(0, len(lines), 100):
        process.stdin.write(('\n'.join(lines[s:s + 100]) + '\n').encode())
    process.stdin.close()
    same((process.wait(TIMEOUT_S), process.stderr.read()), (0, b''))
    done = json.loads(process.stdout.read())
    assert done['retries'] > 5, done
    same(done['records'], len(lines) + 1)
    got = cli.records('broken')
    same(sorted(r['value'] for r in got), sorted(['0'] + [line.split(':', 1)[1] for line in lines]))
    for key in {r['key'] for r in got}:
        numbers = [int(r['value'].split()[0]) for r in got if r['key'] == key]
        same(numbers, sorted(numbers))


def test_killed_broker(cli, _broker):
    """kill -9 under a running producer and consumer; both go on when the broker is back."""
    with Broker(cli.binary) as own:
        words = ['--bootstrap-server', own.bootstrap]
        cli.run('topic', 'create', 'killed', '--partitions', '2', *words)
        reader = cli.start('consume', 'killed', '--count', '30000', *words, stdin=subprocess.DEVNULL)
        got = []
        collector = threading.Thread(target=lambda: got.extend(reader.stdout))
        collector.start()
        writer = cli.start('produce', 'killed', '--json', *words)
        for i in range(30000):
            writer.stdin.write(b'%d\n' % i)
            if i in (7000, 20000):
                writer.stdin.flush()
                eventually(lambda: len(got) > 1000)
                own.kill()
                own.start()
        writer.stdin.close()
        same(writer.wait(TIMEOUT_S), 0)
        same(reader.wait(TIMEOUT_S), 0)
        collector.join()
        same(json.loads(writer.stdout.read())['records'], 30000)
        same(sorted(int(line) for line in got), list(range(30000)))
        has(reader.stderr.read().decode(), 'trying again')


def serve_bytes(answers):
    """A listener whose every connection gets these bytes after its first request; then it is closed."""
    listener = socket.create_server(('127.0.0.1', 0))

    def run():
        while True:
            conn, _ = listener.accept()
            try:
                conn.recv(65536)
                conn.sendall(answers)
                conn.shutdown(socket.SHUT_WR)
                conn.recv(65536)
            except OSError:
                pass
            conn.close()
    threading.Thread(target=run, daemon=True).start()
    return f'127.0.0.1:{listener.getsockname()[1]}'


def test_hostile_server(cli, _broker):
    answers = [b'', b'HTTP/1.1 400 Bad Request\r\n\r\n', struct.pack('>i', -1), struct.pack('>i', 0x7fffffff),
               struct.pack('>i', 4) + b'\0\0\0\0', struct.pack('>ii', 1000, 0), struct.pack('>ii', 8, 5) + b'\xff' * 4,
               struct.pack('>iihI', 10, 0, 0, 0x7fffffff), struct.pack('>iih', 14, 0, 0) + b'\xff' * 8]
    for answer in answers:
        err = cli.error('topic', 'list', expect=3, bootstrap=serve_bytes(answer))
        has(err, 'cannot reach')
    silent = socket.create_server(('127.0.0.1', 0))
    address = f'127.0.0.1:{silent.getsockname()[1]}'
    has(cli.error('topic', 'list', '--timeout-ms', '300', expect=3, bootstrap=address), 'within 300 ms')
