# SPDX-License-Identifier: Apache-2.0
"""instructions.py - user instructions per request, record and byte, counted by callgrind (`./dev bench instructions`).

A count does not depend on what else the machine does, so that a change of some percent shows. What the kernel does is
not in it. Each figure is the difference of two runs, one with more requests: start and stop cancel out.
"""
import os
import re
import shutil
import subprocess
import time

from programs import Failed, Server, free_port

HEADING = '## Instructions'
KIB = 1 << 10
ONE = KIB - 75
CASES = [  # name, title, requests of the two runs, load
    ('one', 'produce, one client, 1 KiB requests', (1000, 3000), dict(batch_bytes=KIB, record_bytes=ONE)),
    ('many', 'produce, 64 connections, 1 KiB requests', (2000, 10000),
     dict(connections=64, partitions=64, batch_bytes=KIB, record_bytes=ONE)),
    ('large', 'produce, 64 connections, 64 KiB of 1,000 B records', (300, 1300),
     dict(connections=64, partitions=64, batch_bytes=64 * KIB, record_bytes=1000)),
    ('small', 'produce, 64 connections, 64 KiB of 100 B records', (300, 1300),
     dict(connections=64, partitions=64, batch_bytes=64 * KIB, record_bytes=100)),
    ('lz4', 'the same, lz4', (300, 800),
     dict(connections=64, partitions=64, batch_bytes=64 * KIB, record_bytes=100, codec='lz4')),
    ('tail', 'tail fetch, 8 connections, 64 KiB', (1000, 4000), dict(mode='fetch', fetch_bytes=66 * KIB)),
    ('idle', 'idle, per second', (), {}),
]
NAMES = [name for name, *_ in CASES]


class Counted:
    """A broker under callgrind, for the length of a with statement; then .total and .top."""

    def __init__(self, bench, *settings):
        self.bench = bench
        self.settings = settings
        self.folder = os.path.join(bench.data, 'counted')
        self.out = os.path.join(bench.data, 'callgrind.out')

    def __enter__(self):
        self.port = free_port()
        args = ['valgrind', '--quiet', '--tool=callgrind', f'--callgrind-out-file={self.out}', self.bench.options.strom,
                'serve']
        for setting in (f'data.dir={self.folder}', f'listeners=127.0.0.1:{self.port}', 'http.listeners=',
                        *self.settings):
            args += ['--set', setting]
        self.server = Server(self.bench, args, 'strom under callgrind')
        self.server.wait_for(self.port, answer=True)
        return self

    def __exit__(self, *unused):
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        with open(self.out, encoding='utf-8') as f:
            self.total = next(int(line.split()[1]) for line in f if line.startswith(('summary:', 'totals:')))
        text = subprocess.run(['callgrind_annotate', '--threshold=90', self.out], capture_output=True, text=True,
                              check=False).stdout
        self.top = [(int(m[1].replace(',', '')), m[2]) for m in
                    re.finditer(r'^\s*([\d,]+) \([ \d.]+%\)\s+\S*?:(\S+)', text, re.M)]


def once(bench, requests, load):
    """(instructions, requests, bytes and records of one, the functions) of one run."""
    load = {'connections': 1, 'partitions': 1, 'batch_bytes': 64 * KIB, 'record_bytes': 1000, **load}
    mode = load.pop('mode', 'produce')
    with Counted(bench) as broker:
        if mode == 'fetch':
            load['connections'] = load['partitions'] = 8
            each = load['fetch_bytes'] - 2 * KIB
            fill = {k: v for k, v in load.items() if k != 'fetch_bytes'}
            bench.load('produce', broker.port, bytes=32 * each, seconds=300, warmup=0, **fill)
            result = bench.load(mode, broker.port, bytes=requests * each, seconds=300, warmup=0, tail=True, **load)
            count = result['bytes_all'] / each
        else:
            size = bench.load(mode, broker.port, bytes=1, seconds=300, warmup=0, **load)['batch_bytes']
            result = bench.load(mode, broker.port, bytes=requests * size, seconds=300, warmup=0, **load)
            count = result['bytes_all'] / result['batch_bytes']
    return broker.total, count, result, broker.top


def idle(bench):
    totals = []
    for seconds in (3, 13):
        with Counted(bench) as broker:
            bench.load('produce', broker.port, bytes=1, seconds=300, warmup=0)
            time.sleep(seconds)
        totals.append(broker.total)
    return (totals[1] - totals[0]) / 10


def section(bench, wanted, about):
    if shutil.which('valgrind') is None:
        raise Failed('needs valgrind')
    rows, tops = [], []
    for name, title, counts, load in CASES:
        if not wanted(name):
            continue
        if name == 'idle':
            value = idle(bench)
            rows.append(f'| {title} | {value:,.0f} | | |')
            print(f'  {name}: {value:,.0f}', flush=True)
            continue
        (few, few_count, _, _), (many, many_count, result, top) = (once(bench, n, load) for n in counts)
        each = (many - few) / (many_count - few_count)
        is_fetch = load.get('mode') == 'fetch'
        size, records = result['batch_bytes'], 0 if is_fetch else result['batch_records']
        rows.append(f'| {title} | {each:,.0f} | {f"{each / records:,.1f}" if records > 1 else ""} | '
                    f'{each / size:.2f} |')
        print(f'  {name}: {each:,.0f} per request', flush=True)
        tops.append((title, [f'{function} {100 * n / many:.0f} %' for n, function in top[:8]]))
    lines = [HEADING, '', *about, '', 'Of the broker alone, in user space, by callgrind; the kernel is not in it.', '',
             '| work | per request | per record | per byte |', '|---|---:|---:|---:|', *rows]
    if tops:
        lines += ['', 'Where they go, in the run with more requests:', '']
        lines += [f'- {title}: {", ".join(functions)}' for title, functions in tops]
    return '\n'.join(lines) + '\n'
