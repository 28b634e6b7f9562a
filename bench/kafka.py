# SPDX-License-Identifier: Apache-2.0
"""kafka.py - Strom beside the ceiling and beside Apache Kafka in the same run (`./dev bench kafka`). See README.md.

A repetition is probe, Strom, Kafka with its defaults, Kafka that syncs every batch, probe: each with an empty data
directory, on the same disk, CPUs and congestion control, under the same load. Kafka's JVM is warm when it counts.
"""
import os
import re
import shutil
import signal
import statistics
import subprocess
import time

from groups import NO_DELAY, has_kafka, kafka_start
from picture import bars
from programs import Crowd, Failed, directory_bytes, drop_caches

HEADING = '## Beside Apache Kafka'
KIB, MIB = 1 << 10, 1 << 20
JVM_WARMUP_S = 5
STROM, KAFKA, FLUSH = 'Strom', 'Kafka', 'Kafka, flush'
SETTINGS = {STROM: (), KAFKA: (), FLUSH: ('log.flush.interval.messages=1',)}
# In percent of the probe; as a figure; times as good as Kafka, as Kafka that syncs; of Kafka's CPU per GB, at most.
# kafka_or: it is enough to reach so much of the probe instead of kafka_goal.
GOALS = ('goal', 'at_least', 'kafka_goal', 'kafka_or', 'flush_goal', 'cpu_goal')
UNITS = {'mb_per_s': 'MB/s', 'per_s': '/s', 'p50_us': 'µs', 'p99_us': 'µs', 'p999_us': 'µs',
         'records_per_s': 'records/s'}


class Side:
    """A broker of one kind with an empty data directory, for the length of a with statement."""

    def __init__(self, bench, kind, *settings):
        self.bench, self.kind, self.settings = bench, kind, settings
        self.folder = os.path.join(bench.data, 'side')

    def __enter__(self):
        if self.kind == STROM:
            self.server = self.bench.strom(self.folder, *self.settings)
        else:
            self.server = kafka_start(self.bench, self.folder, SETTINGS[self.kind])
        self.port = self.server.port
        return self

    def __exit__(self, *unused):
        for crowd in list(self.bench.crowds):
            crowd.close()
        self.server.stop(signal.SIGTERM if self.kind == STROM else signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def timed(self, mode, **load):
        """One measurement, with what it cost the broker."""
        if self.kind != STROM and load.get('warmup') != 0:
            load['warmup'] = max(JVM_WARMUP_S, self.bench.warmup)
        ns = self.server.cpu_ns_and_switches()[0]
        result = self.bench.timed(mode, self.port, **load)
        used = (self.server.cpu_ns_and_switches()[0] - ns) / 1e9
        result['cpu_per_gb'] = used * 1e9 / result['bytes_all'] if result.get('bytes_all') else None
        result['rss_mb'] = self.server.rss_bytes() / 1e6
        return result


class Row:
    """One figure of a workload, and what it is to reach."""

    def __init__(self, title, metric, goals):
        self.title, self.metric, self.goals = title, metric, goals

    def is_less_better(self):
        return self.metric.endswith('_us')


class Work:
    """A named workload: what the load does to each side, and what is read off it."""

    sides = (STROM, KAFKA, FLUSH)
    probe_kind = 'log'

    def __init__(self, name, title, metric='mb_per_s', also=(), **options):
        """also: further rows of the same runs, (title, metric, goals). is_quick: a part of --quick, too."""
        self.name = name
        self.is_quick = options.pop('is_quick', False)
        for key in ('sides', 'probe_kind'):
            setattr(self, key, options.pop(key, getattr(self, key)))
        self.rows = [Row(title, metric, {k: options.pop(k) for k in GOALS if k in options}),
                     *(Row(*more) for more in also)]
        self.metric = metric  # it decides whether a repetition counts
        self.load = options

    def probe(self, bench):
        return bench.timed('produce', bench.probe_port(self.probe_kind), probe=True, **self.load)

    def run(self, bench, kind):
        with Side(bench, kind) as side:
            return side.timed('produce', **self.load)


class Sustained(Work):
    """For so long that files are recycled and data is merged meanwhile; --seconds: another time.

    Kafka's would fill the disk."""

    sides = (STROM,)

    def run(self, bench, kind):
        with Side(bench, kind, 'log.retention.check.interval.ms=5000') as side:
            return side.timed('produce', topic_config='retention.bytes=134217728', **self.load,
                              seconds=bench.options.seconds or (40 if bench.options.quick else 600))


class Cached(Work):
    """Acknowledged by the page cache: Kafka's default, a topic's choice with Strom."""

    sides, probe_kind = (STROM, KAFKA), 'cached'

    def run(self, bench, kind):
        with Side(bench, kind) as side:
            extra = {'topic_config': 'strom.durability=os'} if kind == STROM else {}
            return side.timed('produce', **self.load, **extra)


class Fetch(Work):
    """Fetch of what was produced before: the newest again and again, or all of it, cached or not."""

    sides = (STROM, KAFKA)

    def __init__(self, *args, is_cold=False, is_merged=False, connections=8, partitions=8, **options):
        super().__init__(*args, connections=connections, partitions=partitions, fetch_bytes=MIB, **options)
        self.is_cold, self.is_merged = is_cold, is_merged

    def bytes(self, bench):
        return 32 * MIB if self.load.get('tail') else bench.dataset_bytes

    def limits(self, bench):
        if not self.is_cold:
            return {}
        if not drop_caches():
            raise Failed('needs the right to drop the page cache: run it as root')
        return {'bytes': self.bytes(bench), 'seconds': 60, 'warmup': 0}

    def probe(self, bench):
        port = bench.probe_port(self.probe_kind)
        return bench.timed('fetch', port, probe=True, **{**self.load, **self.limits(bench)})

    def run(self, bench, kind):
        settings = ('strom.merge.age.ms=1000',) if self.is_merged and kind == STROM else ()
        with Side(bench, kind, *settings) as side:
            bench.load('produce', side.port, connections=self.load['partitions'], partitions=self.load['partitions'],
                       bytes=self.bytes(bench), seconds=300, warmup=0)
            until = time.monotonic() + 60
            while settings and directory_bytes(side.folder + '/obj') < 0.95 * self.bytes(bench):
                if time.monotonic() > until:
                    raise Failed('the data set was not merged within a minute')
                time.sleep(0.2)
            return side.timed('fetch', **{**self.load, **self.limits(bench)})


class EndToEnd(Work):
    """Open loop at a share of what the slower broker can do end to end; the probe's estimate is its answer then.

    What a JVM that is not warm leaves to be caught up would be in every latency after it: it is warmed before."""

    sides = (STROM, KAFKA)

    def __init__(self, name, title, share, **load):
        super().__init__(name, title, 'p50_us', also=[('the same, p99', 'p99_us', {'kafka_goal': 3}),
                                                      ('the same, p99.9', 'p999_us', {})], **load)
        self.share, self.rates = share, {}

    def rate(self, bench):
        if bench not in self.rates:
            most = []
            for kind in self.sides if has_kafka(bench) else (STROM,):
                with Side(bench, kind) as side:
                    most.append(side.timed('e2e', **self.load)['per_s'])
            self.rates[bench] = max(1, round(self.share * min(most)))
        return self.rates[bench]

    def probe(self, bench):
        return bench.timed('produce', bench.probe_port('log'), probe=True, rate=self.rate(bench), **self.load)

    def run(self, bench, kind):
        with Side(bench, kind) as side:
            if kind != STROM:
                side.timed('e2e', topic='warm', **self.load)
            result = side.timed('e2e', rate=self.rate(bench), **self.load)
            result['note'] = f'{self.rate(bench):,}/s'
            return result


class Transactions(Work):
    """One producer; no probe: its two syncs have no counterpart there."""

    sides = (STROM, KAFKA)

    def probe(self, bench):
        return None

    def run(self, bench, kind):
        with Side(bench, kind, *([NO_DELAY] if kind == STROM else [])) as side:
            warmup = bench.warmup if kind == STROM else JVM_WARMUP_S
            return bench.run_load(bench.load_args('transactions', side.port, seconds=bench.seconds, warmup=warmup))


class Commits(Transactions):
    """OffsetCommit of one position by each member of a group, closed loop. The probe writes and syncs as many bytes."""

    sides = (STROM, KAFKA, FLUSH)

    def probe(self, bench):
        members = self.load['members']
        return bench.timed('produce', bench.probe_port('log'), probe=True, connections=members, partitions=members,
                           batch_bytes=1, record_bytes=16)

    def run(self, bench, kind):
        members = self.load['members']
        with Side(bench, kind) as side:
            crowd = Crowd(bench, side.port, members=members)
            crowd.do('join')
            crowd.do(f'loop commit {members} {bench.warmup if kind == STROM else JVM_WARMUP_S}')
            return crowd.do(f'loop commit {members} {bench.seconds}')


class Tool(Transactions):
    """Kafka's own kafka-producer-perf-test or kafka-consumer-perf-test, on the load's CPU: the JVM may be the limit."""

    def java(self, bench, *words):
        args = ['java', '-Xms512m', '-Xmx512m', '-cp', bench.options.kafka + '/*', *words]
        run = subprocess.run(args, capture_output=True, text=True, timeout=600, check=False,
                             preexec_fn=lambda: bench.prepare_child(bench.cpus[1]))
        if run.returncode != 0:
            raise Failed(f'{words[0]}: {(run.stderr + run.stdout).strip()[-500:]}')
        return run.stdout

    def produce(self, bench, side):
        records = (100_000 if bench.options.quick else 500_000) * bench.seconds // 2
        text = self.java(bench, 'org.apache.kafka.tools.ProducerPerformance', '--topic', 'bench', '--num-records',
                         str(records), '--record-size', '1000', '--throughput', '-1', '--producer-props',
                         f'bootstrap.servers=127.0.0.1:{side.port}', 'acks=all', 'batch.size=65536', 'linger.ms=5')
        last = re.findall(r'([\d.]+) records/sec \(([\d.]+) MB/sec\), ([\d.]+) ms avg.*?(\d+) ms 99th', text)[-1]
        return records, {'mb_per_s': float(last[1]) * MIB / 1e6, 'p50_us': 0, 'p99_us': float(last[3]) * 1000}

    def run(self, bench, kind):
        with Side(bench, kind) as side:
            bench.load('create', side.port, topic='bench', partitions=8)
            records, result = self.produce(bench, side)
            if not self.load.get('consumes'):
                return result
            text = self.java(bench, 'org.apache.kafka.tools.ConsumerPerformance', '--bootstrap-server',
                             f'127.0.0.1:{side.port}', '--topic', 'bench', '--messages', str(records),
                             '--timeout', '60000')
            row = [cell.strip() for cell in text.strip().splitlines()[-1].split(',')]
            fetched = row[8]  # fetch.MB.sec: without the time until the group was there
            return {'mb_per_s': float(fetched) * MIB / 1e6, 'p50_us': 0, 'p99_us': 0}


def produce(name, title, connections, batch, record, kind=Work, **options):
    return kind(name, title, connections=connections, partitions=options.pop('partitions', connections),
                batch_bytes=batch, record_bytes=record, **options)


ONE = KIB - 75  # a record that makes a batch of 1 KiB
WORK = [
    produce('durable-64k', 'produce, 64 connections, 64 KiB batches of 1,000 B', 64, 64 * KIB, 1000, goal=75,
            kafka_goal=2, kafka_or=75, flush_goal=10, cpu_goal=1 / 3, is_quick=True),
    produce('sustained', 'the same for ten minutes, with merges (--quick: 40 s)', 64, 64 * KIB, 1000, kind=Sustained,
            goal=60, is_quick=True),
    produce('durable-small', 'the same, 100 B records', 64, 64 * KIB, 100, metric='records_per_s', goal=70,
            at_least=5e6, is_quick=True),
    produce('durable-16k', 'produce, 16 connections, 64 KiB batches of 16 KiB', 16, 64 * KIB, 16 * KIB - 100),
    produce('durable-1m', 'produce, 8 connections, 1 MiB batches', 8, MIB - 2 * KIB, 1000),
    produce('durable-1k-16', 'produce, 16 connections, 1 KiB requests', 16, KIB, ONE, metric='per_s'),
    produce('durable-1k', 'produce, 64 connections, 1 KiB requests', 64, KIB, ONE, metric='per_s', goal=70,
            is_quick=True),
    produce('durable-1k-256', 'the same, 256 connections', 256, KIB, ONE, metric='per_s'),
    produce('latency', 'one client, 1 KiB requests, p50', 1, KIB, ONE, metric='p50_us', goal=130,
            also=[('the same, p99', 'p99_us', {'goal': 200})], is_quick=True),
    produce('cached-64k', 'page cache, 64 connections, 64 KiB batches', 64, 64 * KIB, 1000, kind=Cached, goal=75,
            kafka_goal=2, cpu_goal=1 / 3, is_quick=True),
    produce('cached-small', 'the same, 100 B records', 64, 64 * KIB, 100, kind=Cached, metric='records_per_s',
            at_least=5e6),
    produce('cached-16k', 'page cache, 16 connections, 64 KiB batches of 16 KiB', 16, 64 * KIB, 16 * KIB - 100,
            kind=Cached),
    produce('cached-1k', 'page cache, 64 connections, 1 KiB requests', 64, KIB, ONE, kind=Cached, metric='per_s'),
    produce('cached-1m', 'page cache, 8 connections, 1 MiB batches', 8, MIB - 2 * KIB, 1000, kind=Cached, goal=75,
            kafka_goal=2, is_quick=True),
    produce('idempotent', 'idempotent, 64 connections, 64 KiB batches', 64, 64 * KIB, 1000, idempotent=True),
    *(produce(f'codec-{codec}', f'idempotent, {codec}, 8 connections, 64 KiB before it', 8, 64 * KIB, 1000,
              metric='records_per_s', idempotent=True, codec=codec) for codec in ('lz4', 'zstd', 'snappy', 'gzip')),
    produce('skew', 'produce, 64 connections, 1,000 partitions by Zipf 1.1, 16 KiB', 64, 16 * KIB, 1000,
            partitions=1000, skew=1.1),
    *(produce(f'partitions-{n}', f'produce, 64 connections, {n:,} partitions, 16 KiB', 64, 16 * KIB, 1000, partitions=n)
      for n in (1, 100, 10000)),
    *(EndToEnd(f'e2e-{share}', f'end to end at {share} % of the slower one, 1 KiB, p50', share / 100, connections=8,
               partitions=8, batch_bytes=KIB, record_bytes=ONE, goal=150, is_quick=share == 50)
      for share in (10, 50, 80)),
    EndToEnd('e2e-flush-50', 'end to end at 50 % of the slower one, Kafka with flush, 1 KiB, p50', 0.5, connections=8,
             partitions=8, batch_bytes=KIB, record_bytes=ONE, goal=150, sides=(STROM, FLUSH), is_quick=True),
    Fetch('fetch-tail', 'tail fetch, 8 connections, 1 MiB', probe_kind='memory', tail=True, goal=85, kafka_goal=1.5,
          cpu_goal=1 / 3, is_quick=True),
    Fetch('fetch-groups', 'tail fetch of one partition by 64', probe_kind='memory', tail=True, connections=64,
          partitions=1),
    Fetch('fetch-merged', 'catching up, cached (probe: sendfile)', probe_kind='file', is_merged=True, goal=85,
          kafka_goal=1.5, is_quick=True),
    Fetch('fetch-cold', 'catching up, not cached (probe: sendfile)', probe_kind='file', is_merged=True, is_cold=True,
          goal=85, kafka_goal=1.5, is_quick=True),
    Fetch('fetch-unmerged', 'catching up, neither merged nor cached (probe: pread and send)', probe_kind='pread',
          is_cold=True, goal=85, kafka_goal=1.5, is_quick=True),
    Transactions('transactions', 'transactions of 10 records in 3 partitions, one producer', 'per_s', kafka_goal=5,
                 is_quick=True),
    Commits('commits', 'offset commits of 16 members, each synced (Kafka\'s only with flush)', 'per_s', members=16,
            is_quick=True),
    Tool('tool-produce', 'kafka-producer-perf-test, 1,000 B', is_quick=True),
    Tool('tool-consume', 'kafka-consumer-perf-test', consumes=True, is_quick=True),
]
NAMES = [w.name for w in WORK]


def say(text):
    print('  ' + text, flush=True)


def measure(bench, work, spread_max, others_max):
    """The repetitions of one workload: {side: results} of each, and why some were discarded."""
    kept, discarded = [], []
    sides = [s for s in work.sides if s == STROM or has_kafka(bench)]
    for _ in range(bench.repetitions * (1 if bench.options.quick else 2)):
        if len(kept) == bench.repetitions:
            break
        found = {'before': work.probe(bench)}
        for kind in sides:
            found[kind] = work.run(bench, kind)
        found['after'] = work.probe(bench)
        why = disturbed(bench, work, found, spread_max, others_max)
        found['load'] = os.getloadavg()[0]
        found['discarded'] = why
        (discarded if why else kept).append(found)
        figures = [f'{k} {number(found[k][work.metric])}' for k in ('before', *sides, 'after') if found[k]]
        say(f'{work.name}: {", ".join(figures)} {UNITS[work.metric]}' + (f'; discarded: {why}' if why else ''))
    return {'sides': sides, 'runs': kept or discarded, 'kept': len(kept), 'discarded': discarded}


def disturbed(bench, work, found, spread_max, others_max):
    if found['before']:
        low, high = sorted((found['before'][work.metric], found['after'][work.metric]))
        if low <= 0 or (high - low) / high > spread_max:
            return f'the probes around it differ by {100 * (high - low) / max(high, 1e-9):.0f} %'
    others = max((r.get('others_cpu', 0) for r in found.values() if isinstance(r, dict)), default=0)
    if others > others_max and not bench.options.realtime:
        return f'other programs used {100 * others:.0f} % of a CPU'
    return None


def number(value):
    return f'{value:,.0f}' if value >= 100 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def middle(values):
    text = number(statistics.median(values))
    return text if len(values) == 1 else f'{text} ({number(min(values))}–{number(max(values))})'


def probe_of(row, run):
    return (run['before'][row.metric] + run['after'][row.metric]) / 2 if run['before'] else None


def percents(m, row, side):
    return [100 * r[side][row.metric] / max(probe_of(row, r), 1e-9) for r in m['runs']
            if probe_of(row, r) and side in r]


def ratios(m, row, side):
    """How many times as good as that side Strom is."""
    pairs = [(r[STROM][row.metric], r[side][row.metric]) for r in m['runs'] if side in r]
    return [b / max(a, 1e-9) if row.is_less_better() else a / max(b, 1e-9) for a, b in pairs]


def cpu_of(m, side):
    """Seconds per GB in or out, of each run."""
    return [r[side]['cpu_per_gb'] for r in m['runs'] if r.get(side) and r[side].get('cpu_per_gb')]


def verdict(m, row):
    """met or missed, for each goal that there is."""
    goals, words = row.goals, []

    def judge(text, is_met):
        words.append(f'{text}: {"disturbed" if not m["kept"] else "met" if is_met else "missed"}')

    if goals.get('goal') and percents(m, row, STROM):
        percent = statistics.median(percents(m, row, STROM))
        is_met = percent <= goals['goal'] if row.is_less_better() else percent >= goals['goal']
        judge(f'{"≤" if row.is_less_better() else "≥"} {goals["goal"]} %', is_met)
    if goals.get('at_least'):
        median = statistics.median(r[STROM][row.metric] for r in m['runs'])
        judge(f'≥ {goals["at_least"]:,.0f}', median >= goals['at_least'])
    for key, side in (('kafka_goal', KAFKA), ('flush_goal', FLUSH)):
        if goals.get(key) and side in m['sides']:
            is_met, enough = statistics.median(ratios(m, row, side)) >= goals[key], goals.get(key.replace('goal', 'or'))
            if enough:
                is_met = is_met or statistics.median(percents(m, row, STROM)) >= enough
            judge(f'≥ {goals[key]} × {side}' + (f' or {enough} %' if enough else ''), is_met)
    if goals.get('cpu_goal') and cpu_of(m, STROM) and cpu_of(m, KAFKA):
        share = statistics.median(cpu_of(m, STROM)) / statistics.median(cpu_of(m, KAFKA))
        judge(f'CPU ≤ 1/3 of Kafka, {share:.2f}', share <= goals['cpu_goal'])
    return '; '.join(words)


def line(m, row, is_first):
    runs = m['runs']
    cells = [row.title, UNITS[row.metric]]
    probes = [probe_of(row, r) for r in runs if probe_of(row, r)]
    cells += [middle(probes) if probes else '', middle([r[STROM][row.metric] for r in runs]),
              f'{middle(percents(m, row, STROM))} %' if probes else '']
    for side in (KAFKA, FLUSH):
        is_there = side in m['sides']
        cells += [middle([r[side][row.metric] for r in runs]) if is_there else '',
                  f'{middle(ratios(m, row, side))} ×' if is_there else '']
    costs = [cpu_of(m, s) for s in (STROM, KAFKA)] if is_first else []
    cells.append(' / '.join(f'{statistics.median(c):.2f}' for c in costs if c))
    tried = m['kept'] + len(m['discarded'])
    cells += [verdict(m, row), f'{m["kept"]} of {tried}, load {max(r["load"] for r in runs):.0f}']
    return '| ' + ' | '.join(cells) + ' |'


def picture(measured):
    """Of the workloads with a probe, throughput only: the share of the ceiling."""
    rows = []
    for work, m in measured:
        row = work.rows[0]
        if percents(m, row, STROM) and not row.is_less_better():
            rows.append((row.title, [(s, statistics.median(percents(m, row, s))) for s in m['sides']]))
    return bars('Share of what the machine can do, in percent of the probe', rows)


def is_wanted(bench, wanted, work):
    return wanted(work.name) and (work.is_quick or not bench.options.quick or bool(bench.options.only))


def section(bench, wanted, about, spread_max, others_max):
    """Measures; returns the Markdown of the section, and the picture or None."""
    measured, notes = [], []
    for work in WORK:
        if not is_wanted(bench, wanted, work):
            continue
        try:
            m = bench.results.get(work.name)
            m = m or bench.results.keep(work.name, measure(bench, work, spread_max, others_max))
            measured.append((work, m))
        except (Failed, OSError, KeyError, subprocess.TimeoutExpired) as e:
            say(f'{work.name}: failed: {e}')
            notes.append(f'{work.name}: failed: {str(e).replace("|", "/")}')
    if not has_kafka(bench):
        notes.append('Apache Kafka was not measured: its jars are not here (`./dev interop` fetches them)')
    for work, m in measured:
        if not m['kept']:
            why = m['discarded'][0]['discarded']
            notes.append(f'{work.name}: every repetition was disturbed ({why}); the row shows them all the same')
    lines = [HEADING, '', *about, '',
             'Kafka 4.2.0 with its defaults is acknowledged by the page cache; "flush" is '
             'log.flush.interval.messages=1, which syncs each batch, as Strom does by default. Median '
             '(lowest–highest). Each broker has one CPU, the load the other.', '',
             '| workload | unit | probe | Strom | of probe | Kafka | Strom : Kafka | Kafka, flush | Strom : flush '
             '| CPU s/GB, Strom / Kafka | goals | kept |',
             '|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|---:|',
             *(line(m, row, row is work.rows[0]) for work, m in measured for row in work.rows)]
    drawn = picture(measured)
    if drawn:
        lines += ['', '![share of the ceiling](benchmarks.svg)']
    if notes:
        lines += ['', *(f'- {note}' for note in notes)]
    return '\n'.join(lines) + '\n', drawn
