# SPDX-License-Identifier: Apache-2.0
"""apply.py - what the history of a topic costs `strom contract apply` (`./dev bench apply`). See README.md.

kcat reads the topic from its beginning to its end; `strom contract diff` answers from a sample of it, and with --all
judges every record; in turns in one run. Neither is bound to a CPU. Wall time is what a person waits for; CPU time says
what more CPUs will do: kcat reads in one thread, judging is spread over all.
"""
import json
import os
import resource
import shutil
import statistics
import struct
import subprocess
import time

from contracts import FORMATS, KIB, RULES, register
from programs import Failed, free_port

HEADING = '## What a topic holds, judged'
GOAL = 0.2
RECORDS, RECORDS_QUICK = 10_000_000, 2_000_000
PARTITIONS, VALUES = 8, 100_000
# (name, format, bytes of a batch, codec): what a busy producer sends, and what one sends that fills its batches
TOPICS = [('history-avro', 'avro', 64 * KIB, 'none'), ('history-json', 'json', 64 * KIB, 'none'),
          ('history-json-lz4', 'json', 960 * KIB, 'lz4')]
NAMES = [topic[0] for topic in TOPICS]


def small_orders():
    """Some 120 bytes each as Avro, 180 as JSON; a few of a thousand break a rule."""
    note = 'left at the door of the neighbour, who was told of it by telephone'
    return ({'id': f'order-{n:08d}', 'note': f'{note} at {n}', 'qty': n % 997 if n % 1000 else 0, 'price': n * 1.25,
             'items': ['x', f'second {n}']} for n in range(VALUES))


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


def fill(bench, server, topic, http, wanted):
    """The topic's records, and the contract file for it."""
    name, form, batch_bytes, codec = topic
    kind, schema, encode = FORMATS[form]
    schema_id = register(http, f'{name}-value', kind, schema)
    values = os.path.join(bench.data, 'values')
    with open(values, 'wb') as f:
        for order in small_orders():
            value = b'\0' + struct.pack('>I', schema_id) + encode(order)
            f.write(struct.pack('>I', len(value)) + value)
    load = {'topic': name, 'connections': PARTITIONS, 'partitions': PARTITIONS, 'batch_bytes': batch_bytes,
            'record_bytes': 1, 'values': values, 'codec': codec, 'seconds': 600, 'warmup': 0}
    first = bench.load('produce', server.port, bytes=1, **load)
    there = first['bytes_all'] // first['batch_bytes'] * first['batch_records']
    left = int((wanted - there) / first['batch_records'] * first['batch_bytes'])
    bench.load('produce', server.port, bytes=left, **load)
    path = os.path.join(bench.data, f'{name}.json')
    with open(path, 'w', encoding='utf-8') as f:
        value = {'schemaType': kind, 'schema': schema, 'ruleSet': {'domainRules': RULES}}
        json.dump({'topic': name, 'value': value}, f)
    return path


def diff(bench, contract, env, *flags):
    """(seconds, CPU seconds, what the history holds)"""
    *times, out = timed([bench.options.strom, 'contract', 'diff', contract, '--json', *flags], subprocess.PIPE, env, 1)
    return times, json.loads(out)['history']


def measure(bench, server, topic, http):
    """(records, [(kcat's time and CPU, of the sample, of all)], what all and the last sample said)"""
    contract = fill(bench, server, topic, http, RECORDS_QUICK if bench.options.quick else RECORDS)
    bootstrap = f'127.0.0.1:{server.port}'
    env = {**os.environ, 'STROM_BOOTSTRAP': bootstrap, 'STROM_REGISTRY': f'http://127.0.0.1:{http}'}
    kcat(bootstrap, topic[0])  # the first reader warms the page cache
    turns = []
    for _ in range(max(3, bench.repetitions)):
        theirs = kcat(bootstrap, topic[0])
        drawn, estimate = diff(bench, contract, env)
        every, exact = diff(bench, contract, env, '--all')
        turns.append((*theirs, *drawn, *every))
    print(f'  {topic[0]}: {exact["records"]:,} records', flush=True)
    return turns, exact, estimate


def ratio(turns, i):
    ratios = sorted(turn[i] / turn[0] for turn in turns)
    return statistics.median(ratios), f'{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})'


def row(topic, turns, exact, estimate):
    name, form, batch_bytes, codec = topic
    theirs, their_cpu, drawn, drawn_cpu, every, every_cpu = (statistics.median(t[i] for t in turns) for i in range(6))
    records, said = exact['records'], estimate['estimate']
    verdict = 'met' if ratio(turns, 2)[0] <= GOAL else 'missed'
    return (f'| {form}, {codec}, batches of {batch_bytes // KIB} KiB | {records:,} | {theirs:.2f} | {drawn:.2f} | '
            f'{ratio(turns, 2)[1]} | {every:.2f} | {ratio(turns, 4)[1]} | '
            f'{their_cpu:.1f}, {drawn_cpu:.1f}, {every_cpu:.1f} | {100 * exact["refused"] / records:.3f} | '
            f'{100 * said["share_low"]:.3f}-{100 * said["share_high"]:.3f} | '
            f'≤ {GOAL} of the time: {verdict} |')


def section(bench, wanted, about):
    if not shutil.which('kcat'):
        raise Failed('kcat is not installed (./dev setup)')
    lines = [HEADING, '', *about, '',
             f'{len(os.sched_getaffinity(0))} CPUs, which the broker shares. kcat reads a topic of {PARTITIONS} '
             'partitions to its end (output to /dev/null); `strom contract diff` judges a million of its records, '
             'drawn from all over it, by a schema and two CEL rules, and says what of all would be refused; with '
             '`--all` it judges every one. Medians of turns; the ratios of wall times with their range. Judging is '
             'spread over all CPUs, kcat reads in one thread. A few of a thousand records break a rule.', '',
             '| records | how many | kcat, s | answer, s | over kcat\'s | `--all`, s | over kcat\'s | '
             'CPU of the three, s | refused of all, % | the answer, % | goal, of the answer |',
             '|---|---:|---:|---:|---|---:|---|---|---:|---:|---|']
    folder, http = os.path.join(bench.data, 'history'), free_port()
    for topic in TOPICS:
        if not wanted(topic[0]):
            continue
        server = bench.strom(folder, f'http.listeners=127.0.0.1:{http}')
        try:
            lines.append(row(topic, *measure(bench, server, topic, http)))
        finally:
            server.stop()
            shutil.rmtree(folder)
    return '\n'.join(lines) + '\n'
