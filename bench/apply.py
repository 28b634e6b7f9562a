# SPDX-License-Identifier: Apache-2.0
"""apply.py - what the history of a topic costs `strom contract apply` (`./dev bench apply`). See README.md.

kcat reads the topic from its beginning to its end, and `strom contract diff` judges every record of it, in turns in
one run. Neither is bound to a CPU. Wall time is what a person waits for; CPU time says what more CPUs will do: kcat
reads in one thread, judging is spread over all.
"""
import json
import os
import resource
import shutil
import statistics
import struct
import subprocess
import time

from contracts import FORMATS, KIB, RULES, orders, register
from programs import Failed, free_port

HEADING = '## What a topic holds, judged'
GOAL = 0.2
PARTITIONS = (1, 8)
SIZES = ('1 KiB', '100 B')
NAMES = ['history-avro', 'history-json']


def small_orders():
    """Sixty-four of about 100 bytes as JSON; one in sixteen breaks a rule."""
    return [{'id': f'order-{n:05d}', 'note': 'left at the door', 'qty': n + 1 if n % 16 else 0, 'price': n * 1.25,
             'items': ['x']} for n in range(64)]


def timed(args, output, env=None, expected=0):
    """(seconds, CPU seconds) of a program and its threads, and what it printed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run = subprocess.run(args, stdout=output, stderr=subprocess.PIPE, env=env, timeout=600, check=False)
    seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode != expected:
        raise Failed(f'{" ".join(args)}: {run.stderr.decode()[-400:]}')
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, run.stdout


def kcat(bootstrap, topic):
    args = ['kcat', '-C', '-q', '-e', '-o', 'beginning', '-b', bootstrap, '-t', topic]
    return timed(args, subprocess.DEVNULL)[:2]


def fill(bench, server, topic, name, size, partitions, http):
    """The topic's records, and the contract file for it."""
    kind, schema, encode = FORMATS[name]
    schema_id = register(http, f'{topic}-value', kind, schema)
    values = os.path.join(bench.data, 'values')
    with open(values, 'wb') as f:
        for order in orders() if size == SIZES[0] else small_orders():
            value = b'\0' + struct.pack('>I', schema_id) + encode(order)
            f.write(struct.pack('>I', len(value)) + value)
    bench.load('produce', server.port, topic=topic, connections=8, partitions=partitions, batch_bytes=64 * KIB,
               record_bytes=1, values=values, codec='none', seconds=bench.seconds, warmup=0)
    path = os.path.join(bench.data, f'{topic}.json')
    with open(path, 'w', encoding='utf-8') as f:
        value = {'schemaType': kind, 'schema': schema, 'ruleSet': {'domainRules': RULES}}
        json.dump({'topic': topic, 'value': value}, f)
    return path


def measure(bench, server, http, name, size, partitions):
    """(records, [(kcat's seconds, its CPU, ours, our CPU)])"""
    topic = f'{name}-{size.replace(" ", "")}-{partitions}'
    contract = fill(bench, server, topic, name, size, partitions, http)
    bootstrap = f'127.0.0.1:{server.port}'
    env = {**os.environ, 'STROM_BOOTSTRAP': bootstrap, 'STROM_REGISTRY': f'http://127.0.0.1:{http}'}
    kcat(bootstrap, topic)  # the first reader warms the page cache
    turns = []
    for _ in range(max(3, bench.repetitions)):
        theirs = kcat(bootstrap, topic)
        *ours, out = timed([bench.options.strom, 'contract', 'diff', contract, '--json'], subprocess.PIPE, env, 1)
        turns.append((*theirs, *ours))
    records = json.loads(out)['history']['records']
    print(f'  {topic}: {records:,} records', flush=True)
    return records, turns


def row(name, size, partitions, records, turns):
    theirs, their_cpu, ours, our_cpu = (statistics.median(turn[i] for turn in turns) for i in range(4))
    ratios = sorted(turn[2] / turn[0] for turn in turns)
    ratio, cpu_ratio = statistics.median(ratios), our_cpu / their_cpu
    verdict = 'met' if ratio <= GOAL else 'missed'
    return (f'| {name}, {size} | {partitions} | {records:,} | {records / theirs:,.0f} | {records / ours:,.0f} | '
            f'{ratio:.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f}) | {1e9 * their_cpu / records:,.0f} | '
            f'{1e9 * our_cpu / records:,.0f} | {cpu_ratio:.1f} | ≤ {GOAL} of the time: {verdict} |')


def section(bench, wanted, about):
    if not shutil.which('kcat'):
        raise Failed('kcat is not installed (./dev setup)')
    lines = [HEADING, '', *about, '',
             f'{len(os.sched_getaffinity(0))} CPUs, which the broker shares. kcat reads a topic to its end (output to '
             '/dev/null); `strom contract diff` judges every record of it by a schema and two CEL rules. Medians of '
             'turns; the ratio of wall times with its range. Judging is spread over all CPUs and kcat reads in one '
             'thread: with more CPUs the ratio falls to about the ratio of CPU times over their number.', '',
             '| records | partitions | how many | kcat, records/s | judged, records/s | time over kcat\'s | '
             'kcat, CPU ns per record | judged, CPU ns per record | CPU over kcat\'s | goal |',
             '|---|---:|---:|---:|---:|---|---:|---:|---:|---|']
    folder, http = os.path.join(bench.data, 'history'), free_port()
    for label in NAMES:
        if not wanted(label):
            continue
        name = label.removeprefix('history-')
        server = bench.strom(folder, f'http.listeners=127.0.0.1:{http}')
        try:
            for size in SIZES:
                for partitions in PARTITIONS:
                    lines.append(row(name, size, partitions, *measure(bench, server, http, name, size, partitions)))
        finally:
            server.stop()
            shutil.rmtree(folder)
    return '\n'.join(lines) + '\n'
