# SPDX-License-Identifier: Apache-2.0
"""facts.py - facts about Strom alone: its start, its memory at rest and under load, idle CPU, restart after kill -9."""
import os
import shutil
import signal
import statistics
import time

from programs import Failed

KIB, MIB = 1 << 10, 1 << 20


def say(text):
    print(text, flush=True)


def fact_start(bench):
    times = []
    for _ in range(5):
        folder = os.path.join(bench.data, 'start')
        server = bench.strom(folder)
        times.append(server.first_answer_ms)
        server.stop()
        shutil.rmtree(folder)
    return statistics.median(times), f'median of 5 in an empty data directory; {min(times):.0f} to {max(times):.0f}'


def fact_idle(bench):
    folder = os.path.join(bench.data, 'idle')
    server = bench.strom(folder)
    try:
        bench.load('produce', server.port, connections=1, seconds=1, warmup=0, batch_bytes=KIB, record_bytes=900)
        time.sleep(2)
        rss = server.rss_bytes()
        seconds = 3 if bench.options.quick else 10
        cpu, wakes = server.cpu_percent(seconds)
    finally:
        server.stop()
        shutil.rmtree(folder)
    return rss / 1e6, cpu, f'over {seconds} s, after a second of load; {wakes:.1f} wake-ups/s'


def fact_fresh_rss(bench):
    folder = os.path.join(bench.data, 'fresh')
    server = bench.strom(folder)
    try:
        time.sleep(0.5)
        return server.rss_bytes() / 1e6
    finally:
        server.stop()
        shutil.rmtree(folder)


def fact_partitions(bench):
    count = 100000
    folder = os.path.join(bench.data, 'partitions')
    server = bench.strom(folder)
    try:
        start = time.monotonic()
        bench.load('create', server.port, topic='idle', topics=count // 1000, partitions=1000)
        seconds = time.monotonic() - start
        time.sleep(1)
        rss = server.rss_bytes() / 1e6
        server.stop(signal.SIGKILL)
        server = bench.strom(folder)
        time.sleep(0.5)
        return rss, (f'100 topics of 1,000, created in {seconds:.1f} s; after kill -9 it answered in '
                     f'{server.first_answer_ms:,.0f} ms and held {server.rss_bytes() / 1e6:,.0f} MB')
    finally:
        server.stop()
        shutil.rmtree(folder)


def produce(bench, server, **load):
    load = {'connections': 64, 'partitions': 64, 'batch_bytes': 64 * KIB, 'record_bytes': 1000, 'warmup': 0, **load}
    return bench.load('produce', server.port, **load)


def fact_restart(bench):
    """10 GB in 1,000 partitions, killed while they come in."""
    folder = os.path.join(bench.data, 'restart')
    server = bench.strom(folder)
    try:
        made = produce(bench, server, partitions=1000, seconds=300, bytes=10_000_000_000)
        server.stop(signal.SIGKILL)
        server = bench.strom(folder)
        first_ms = server.first_answer_ms
        # Everything that was acknowledged is there: a fetch reads each of the last 64 partitions' ends.
        bench.load('fetch', server.port, connections=64, partitions=1000, batch_bytes=64 * KIB, record_bytes=1000,
                   fetch_bytes=64 * KIB, tail=True, seconds=1, warmup=0)
        return first_ms, f'after {made["bytes_all"] / 1e6:,.0f} MB; {server.rss_bytes() / 1e6:,.0f} MB of memory then'
    finally:
        server.stop()
        shutil.rmtree(folder)


def fact_load(bench):
    """The most memory, at the end of each load in turn on one broker."""
    folder = os.path.join(bench.data, 'load')
    server = bench.strom(folder)
    seconds = 3 if bench.options.quick else 10
    most = []
    try:
        for topic, load in (('a', {}), ('b', {'connections': 256, 'partitions': 256}),
                            ('c', {'batch_bytes': MIB - 2 * KIB}),
                            ('d', {'batch_bytes': MIB - 2 * KIB, 'in_flight': 5})):
            produce(bench, server, topic=topic, seconds=seconds, **load)
            most.append(server.most_rss_bytes() / 1e6)
        bench.load('fetch', server.port, topic='a', connections=64, partitions=64, batch_bytes=64 * KIB,
                   record_bytes=1000, fetch_bytes=MIB, seconds=seconds, warmup=0)
        most.append(server.most_rss_bytes() / 1e6)
        time.sleep(2)
        now = server.rss_bytes() / 1e6
    finally:
        server.stop()
        shutil.rmtree(folder)
    return max(most), ('64 and 256 connections with 64 KiB, 64 with 1 MiB, 64 with five times 1 MiB in flight, 64 that '
                       f'fetch 1 MiB: {", ".join(f"{m:,.0f}" for m in most)} MB; then at rest {now:,.0f} MB')


def rows(bench, wanted):
    found = []
    for name, function in (('start', fact_start), ('fresh', fact_fresh_rss), ('idle', fact_idle),
                           ('partitions', fact_partitions), ('load', fact_load), ('restart', fact_restart)):
        if not wanted(name):
            continue
        say(f'  {name} ...')
        try:
            found += FACT_ROWS[name](function(bench))
        except Failed as e:
            found.append((name, 'failed', '', str(e).replace('|', '/'), False))
    return found


FACT_ROWS = {
    'start': lambda r: [('start to first answer', f'{r[0]:.0f} ms', '≤ 50 ms', r[1], r[0] <= 50)],
    'fresh': lambda r: [('memory after the start (RSS)', f'{r:.1f} MB', '≤ 30 MB', '', r <= 30)],
    'idle': lambda r: [('memory when idle after load (RSS)', f'{r[0]:.1f} MB', '≤ 30 MB', '', r[0] <= 30),
                       ('CPU when idle', f'{r[1]:.3f} %', '0', r[2], r[1] < 0.05)],
    'partitions': lambda r: [('memory with 100,000 idle partitions (RSS)', f'{r[0]:,.0f} MB', '≤ 256 MB', r[1],
                              r[0] <= 256)],
    'load': lambda r: [('the most memory under full load (RSS)', f'{r[0]:,.0f} MB', '≤ 256 MB', r[1], r[0] <= 256)],
    'restart': lambda r: [('restart after kill -9 with 10 GB, 1,000 partitions', f'{r[0]:,.0f} ms', '≤ 1,000 ms', r[1],
                           r[0] <= 1000)],
}
NAMES = list(FACT_ROWS)
