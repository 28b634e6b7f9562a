# SPDX-License-Identifier: Apache-2.0
"""amplification.py - bytes written per byte stored (`./dev bench amplification`).

What the broker had the kernel write to the disk (/proc/PID/io), by the bytes of batches that came. Files are recycled
when it counts: a new log file is written twice. What waits for a merge at the end counts as written once more.
"""
import os
import shutil
import time
import urllib.request

from programs import Failed, free_port

HEADING = '## Bytes written per byte stored'
KIB, MIB = 1 << 10, 1 << 20
MERGE_BYTES = 256 * MIB
# name: title, goal, the settings, the topic's setting, (point, load) of the curve.
SHORTER = ('strom.merge.age.ms=3600000', 'log.retention.check.interval.ms=500')
LONGER = ('strom.merge.age.ms=3600000', f'strom.merge.wal.bytes={MERGE_BYTES}')
CURVES = {
    'written-shorter': ('retention shorter than the merge delay; bytes of a group', 1.05, 64 * KIB, SHORTER,
                        'retention.ms=1000',
                        [(size, {'batch_bytes': size - 75, 'record_bytes': size - 150, 'partitions': 1})
                         for size in (KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB)]),
    'written-longer': ('retention longer; bytes of a partition in a merge', 2.1, 4 * MIB, LONGER, 'retention.ms=-1',
                       [(MERGE_BYTES // n, {'batch_bytes': 64 * KIB - 75, 'record_bytes': 1000, 'partitions': n})
                        for n in (4096, 1024, 256, 64, 16)]),
}
NAMES = list(CURVES)
ESTIMATED_PER_S = 4000  # groups: how many bytes a point moves follows its size, so that the small ones end, too


def metric(port, name):
    with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=30) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + ' '):
                return float(line.split()[1])
    raise Failed(f'no metric {name}')


def point(bench, settings, topic_config, load):
    """(bytes written per byte stored, bytes of a group) of one load."""
    http, folder = free_port(), os.path.join(bench.data, 'written')
    server = bench.strom(folder, f'http.listeners=127.0.0.1:{http}', *settings)
    most = 3 * MERGE_BYTES if bench.options.quick else 8 * MERGE_BYTES
    size = min(most, load['batch_bytes'] * ESTIMATED_PER_S * (5 if bench.options.quick else 15))

    def seen():
        gauges = [metric(http, name) for name in ('strom_keeper_unmerged_bytes', 'strom_bundles_total')]
        return server.written_bytes(), *gauges

    def produce(topic):
        return bench.load('produce', server.port, topic=topic, connections=1, warmup=0, bytes=size,
                          seconds=8 if bench.options.quick else 30, topic_config=topic_config, **load)['bytes_all']

    try:
        produce('before')
        time.sleep(2)
        written, unmerged, bundles = seen()
        stored = produce('counted')
        time.sleep(2)
        written_then, unmerged_then, bundles_then = seen()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    waits = unmerged_then - unmerged if settings is LONGER else 0
    return (written_then - written + waits) / stored, stored / max(1, bundles_then - bundles)


def section(bench, wanted, about):
    lines = [HEADING, '', *about, '',
             'By /proc/PID/io, files recycled: a new log file is written twice. One connection, so that each batch is '
             'a group of its own. What waits for a merge at the end counts as written once more.', '',
             '| what | bytes | written per byte stored | goal | |', '|---|---:|---:|---|---|']
    for name, (title, goal, goal_from, settings, topic_config, points) in CURVES.items():
        if not wanted(name):
            continue
        for bytes_, load in points:
            key = f'{name}-{bytes_}'
            found = bench.results.get(key) or bench.results.keep(key, point(bench, settings, topic_config, load))
            verdict = ('met' if found[0] <= goal else 'missed') if bytes_ >= goal_from else ''
            print(f'  {name}: {bytes_:,}: {found[0]:.3f}, groups of {found[1]:,.0f} B {verdict}', flush=True)
            lines.append(f'| {title} | {bytes_:,} | {found[0]:.3f} | {f"≤ {goal}" if verdict else ""} | {verdict} |')
    return '\n'.join(lines) + '\n'
