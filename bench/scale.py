# SPDX-License-Identifier: Apache-2.0
"""scale.py - what ten times as many partitions, connections, groups or bytes cost (`./dev bench scale`).

A curve, not one point: throughput, and the CPU time of the broker for each unit, which other programs disturb least.
"""
import os
import shutil
import signal
import statistics
import time

from groups import NO_DELAY
from programs import Crowd

HEADING = '## Ten times as much'
KIB, MIB = 1 << 10, 1 << 20
ONE = KIB - 75


class Strom:
    """A broker with an empty data directory, for the length of a with statement."""

    def __init__(self, bench, *settings):
        self.bench, self.settings, self.folder = bench, settings, os.path.join(bench.data, 'scale')

    def __enter__(self):
        self.server = self.bench.strom(self.folder, *self.settings)
        return self

    def __exit__(self, *unused):
        for crowd in list(self.bench.crowds):
            crowd.close()
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu_ns(self):
        return self.server.cpu_ns_and_switches()[0]

    def restart(self):
        self.server.stop(signal.SIGKILL)
        self.server = self.bench.strom(self.folder, *self.settings)


def produce(bench, what, **load):
    """(requests/s, MB/s, CPU µs per request, memory)."""
    with Strom(bench) as strom:
        ns = strom.cpu_ns()
        r = bench.timed('produce', strom.server.port, **load)
        requests = r['bytes_all'] / r['batch_bytes']
        return {what: r[what], 'cpu_us': (strom.cpu_ns() - ns) / requests / 1e3,
                'rss_mb': strom.server.rss_bytes() / 1e6}


def partitions(bench, count):
    return produce(bench, 'mb_per_s', connections=64, partitions=count, batch_bytes=16 * KIB, record_bytes=1000)


def connections(bench, count):
    return produce(bench, 'per_s', connections=count, partitions=64, batch_bytes=KIB, record_bytes=ONE)


def groups(bench, count):
    """Groups of one member that send a heartbeat every 3 s."""
    with Strom(bench, NO_DELAY, f'strom.groups.max={count + 1}') as strom:
        crowd = Crowd(bench, strom.server.port, groups=count)
        crowd.do('join')
        crowd.do('rest 3')
        ns = strom.cpu_ns()
        rest = crowd.do(f'rest {3 if bench.options.quick else 10}')
        used = strom.cpu_ns() - ns
        return {'p99_us': rest['p99_us'], 'cpu_us': used / max(1, rest['per_s'] * rest['ms'] / 1e3) / 1e3,
                'rss_mb': strom.server.rss_bytes() / 1e6}


def data(bench, megabytes):
    """Stored bytes: restart after kill -9, and memory afterwards."""
    with Strom(bench) as strom:
        bench.load('produce', strom.server.port, connections=64, partitions=64, batch_bytes=64 * KIB, record_bytes=1000,
                   bytes=megabytes * 1000000, seconds=600, warmup=0)
        strom.restart()
        time.sleep(0.3)
        return {'restart_ms': strom.server.first_answer_ms, 'cpu_us': 0, 'rss_mb': strom.server.rss_bytes() / 1e6}


CURVES = {  # name: title, what is measured, its unit, the points, the function
    'scale-partitions': ('partitions; 64 connections, 16 KiB batches', 'mb_per_s', 'MB/s', (1, 10, 100, 1000, 10000),
                         partitions),
    'scale-connections': ('connections; 1 KiB requests', 'per_s', 'requests/s', (1, 10, 100, 1000, 10000), connections),
    'scale-groups': ('groups of one member; heartbeats', 'p99_us', 'p99, µs', (10, 100, 1000, 10000), groups),
    'scale-data': ('MB stored; restart after kill -9', 'restart_ms', 'ms', (10, 100, 1000, 10000), data),
}
NAMES = list(CURVES)
GOALS = {'scale-partitions': 80}  # of the last point: percent of the first's throughput, at least
SPREAD_MAX = 0.15  # the first before and after the last: more says nothing


def points_of(bench, name):
    """--quick leaves out the last point, unless it has a goal."""
    points = CURVES[name][3]
    return points[:-1] if bench.options.quick and name not in GOALS else points


def verdict(name, before, last, after):
    """Of the last point, with the first one measured before it and after it in each repetition."""
    pairs = [sorted(both) for both in zip(before, after)]
    if all(high - low > SPREAD_MAX * high for low, high in pairs):
        return f'≥ {GOALS[name]} %: disturbed'
    share = statistics.median(200 * b / (low + high) for b, (low, high) in zip(last, pairs))
    return f'≥ {GOALS[name]} % of the first: {share:.0f} %, {"met" if share >= GOALS[name] else "missed"}'


def section(bench, wanted, about):
    lines = [HEADING, '', *about, '',
             'Median of the repetitions, each of which measures all points. CPU of the broker per request.', '',
             '| of | number | measured | unit | CPU, µs per request | memory (RSS), MB | goal |',
             '|---|---:|---:|---|---:|---:|---|']
    for name, (title, what, unit, _, function) in CURVES.items():
        if not wanted(name):
            continue
        points, runs, again = points_of(bench, name), {}, []
        for _ in range(bench.repetitions):
            for point in points:
                runs.setdefault(point, []).append(function(bench, point))
            again += [function(bench, points[0])[what]] if name in GOALS else []
        for point in points:
            value, cpu, rss = (statistics.median(r[k] for r in runs[point]) for k in (what, 'cpu_us', 'rss_mb'))
            goal = ''
            if name in GOALS and point == points[-1]:
                goal = verdict(name, [r[what] for r in runs[points[0]]], [r[what] for r in runs[point]], again)
            print(f'  {name}: {point:,}: {value:,.0f} {unit}, {cpu:.1f} µs, {rss:.0f} MB; load '
                  f'{os.getloadavg()[0]:.0f} {goal}', flush=True)
            cost = f'{cpu:.1f}' if cpu else ''
            lines.append(f'| {title} | {point:,} | {value:,.0f} | {unit} | {cost} | {rss:,.0f} | {goal} |')
    return '\n'.join(lines) + '\n'
