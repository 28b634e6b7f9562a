# SPDX-License-Identifier: Apache-2.0
"""registry.py - the suite `registry`: requests per second of one core, and what 100,000 schemas cost."""
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time

from programs import Failed, free_port

HEADING = '## Schema registry'
SCHEMAS, QUICK_SCHEMAS = 100_000, 5_000
WRITERS = 64  # connections that register
CLIENTS = 64  # connections that ask


def ask(s, file, method, path, body=b''):
    """One request on a connection that stays; the answer's body."""
    s.sendall(f'{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n'.encode() + body)
    status, length = file.readline(), 0
    while (line := file.readline()) not in (b'\r\n', b''):
        if line.lower().startswith(b'content-length:'):
            length = int(line.split(b':')[1])
    answer = file.read(length)
    if b' 200 ' not in status:
        raise Failed(f'{method} {path}: {status!r} {answer[:200]!r}')
    return answer


def schema(number):
    fields = [{'name': f'field{k}', 'type': 'long'} for k in range(5)]
    record = {'type': 'record', 'name': f'Order{number}', 'namespace': 'shop', 'fields': fields}
    return json.dumps({'schema': json.dumps(record)}).encode()


def fill(port, count):
    """Registers `count` schemas, one for each subject; the seconds that it took."""
    trouble = []

    def write(first, last):
        try:
            with socket.create_connection(('127.0.0.1', port), 60) as s, s.makefile('rb') as file:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for number in range(first, last):
                    ask(s, file, 'POST', f'/subjects/orders-{number}-value/versions', schema(number))
        except (OSError, Failed) as e:
            trouble.append(str(e))

    threads = [threading.Thread(target=write, args=(count * w // WRITERS, count * (w + 1) // WRITERS))
               for w in range(WRITERS)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if trouble:
        raise Failed(trouble[0])
    return time.monotonic() - begin


def first_answer_ms(port):
    begin = time.monotonic()
    with socket.create_connection(('127.0.0.1', port), 60) as s, s.makefile('rb') as file:
        ask(s, file, 'GET', '/schemas/ids/77')
    return (time.monotonic() - begin) * 1000


def requests_per_second(bench, port, path):
    run = subprocess.run(['wrk', '-t1', f'-c{CLIENTS}', f'-d{bench.seconds}s', f'http://127.0.0.1:{port}{path}'],
                         capture_output=True, text=True, check=False,
                         preexec_fn=lambda: bench.prepare_child(bench.cpus[1]))
    found = re.search(r'Requests/sec:\s*([\d.]+)', run.stdout)
    if found is None or 'Non-2xx' in run.stdout or 'Socket errors' in run.stdout:
        raise Failed(f'wrk: {run.stdout}{run.stderr}')
    return float(found.group(1))


def start(bench, data, http_port):
    return bench.strom(data, f'http.listeners=http://127.0.0.1:{http_port}')


def row(what, measured, goal='', is_met=None, how=''):
    verdict = '' if is_met is None else 'met' if is_met else 'missed'
    return f'| {what} | {measured} | {goal} | {verdict} | {how} |'


def measure(bench):
    count = QUICK_SCHEMAS if bench.options.quick else SCHEMAS
    data, http_port = os.path.join(bench.data, 'registry'), free_port()
    server = start(bench, data, http_port)
    empty = server.rss_bytes()
    seconds = fill(http_port, count)
    full = server.rss_bytes()
    rows = [row(f'register {count:,} schemas, {WRITERS} connections', f'{count / seconds:,.0f}/s', '', None,
                'each durable before its answer; the load is Python')]
    rates = [requests_per_second(bench, http_port, '/schemas/ids/77') for _ in range(bench.repetitions)]
    rate = statistics.median(rates)
    rows.append(row('GET /schemas/ids/{id}', f'{rate:,.0f}/s', '≥ 50,000/s', rate >= 50_000,
                    f'one core, wrk with {CLIENTS} connections; median of {len(rates)}, '
                    f'{min(rates):,.0f} to {max(rates):,.0f}'))
    rows.append(row(f'memory of {count:,} schemas (RSS)', f'{(full - empty) / 1e6:.0f} MB', '', None,
                    f'{(full - empty) / count:,.0f} bytes each, of about 350 bytes of text'))
    server.stop(signal.SIGKILL)
    server = start(bench, data, http_port)
    rows.append(row('restart after kill -9, until Kafka clients are answered', f'{server.first_answer_ms:,.0f} ms'))
    rows.append(row('then the first answer of the registry', f'{first_answer_ms(http_port):,.0f} ms', '', None,
                    'it reads all documents once'))
    server.stop()
    return rows


def section(bench, about):
    if shutil.which('wrk') is None:
        raise SystemExit('bench: needs wrk (Debian: apt-get install wrk)')
    return '\n'.join([HEADING, '', *about, '', '| what | measured | goal | | how |', '|---|---:|---:|---|---|',
                      *measure(bench)]) + '\n'
