# SPDX-License-Identifier: Apache-2.0
"""groups.py - many connections, large groups, many groups (`./dev bench groups`). See README.md.

What is compared is compared within one run: latencies of others without and with the crowd, commits beside the
probe, and, where its jars are at hand, Apache Kafka with its defaults under the same load.
"""
import os
import shutil
import signal
import statistics
import threading
import time
import urllib.request

from programs import Crowd, Failed, Server, free_port, stable_groups

CONNECTIONS = 19000  # a process may have 20,000 descriptors
HEADING = '## Connections and groups'
KIB, MIB = 1 << 10, 1 << 20
NO_DELAY = 'group.initial.rebalance.delay.ms=0'


class Broker:
    """Strom or Apache Kafka with an empty data directory, for the length of a with statement."""

    def __init__(self, bench, *settings, kafka=False):
        self.bench, self.folder = bench, os.path.join(bench.data, 'broker')
        self.is_kafka, self.settings = kafka, settings

    def __enter__(self):
        if self.is_kafka:
            self.server = kafka_start(self.bench, self.folder, self.settings)
        else:
            self.http = free_port()
            self.server = self.bench.strom(self.folder, f'http.listeners=127.0.0.1:{self.http}', *self.settings)
        self.port = self.server.port
        return self

    def __exit__(self, *unused):
        for crowd in list(self.bench.crowds):
            crowd.close()
        self.server.stop(signal.SIGKILL if self.is_kafka else signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self):
        self.server.stop(signal.SIGKILL)
        self.server = self.bench.strom(self.folder, f'http.listeners=127.0.0.1:{self.http}', *self.settings)
        self.port = self.server.port

    def log_bytes(self):
        """That a crash would replay: all that was written, unless a snapshot came between."""
        with urllib.request.urlopen(f'http://127.0.0.1:{self.http}/metrics', timeout=30) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith('strom_wal_bytes_since_snapshot '):
                    return float(line.split()[1])
        raise Failed('no metric of the log')


def kafka_start(bench, folder, settings):
    """One node with its defaults; java must be installed."""
    os.makedirs(folder)
    port, controller = free_port(), free_port()
    path = os.path.join(folder, 'server.properties')
    lines = ['process.roles=broker,controller', 'node.id=1', f'controller.quorum.voters=1@127.0.0.1:{controller}',
             f'listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}',
             f'advertised.listeners=PLAINTEXT://127.0.0.1:{port}', 'controller.listener.names=CONTROLLER',
             'inter.broker.listener.name=PLAINTEXT', f'log.dirs={folder}/logs',
             'offsets.topic.replication.factor=1', 'transaction.state.log.replication.factor=1',
             'transaction.state.log.min.isr=1', *settings]
    with open(path, 'w', encoding='utf-8') as f:
        f.write('\n'.join(lines) + '\n')
    java = ['java', '-Xms1g', '-Xmx1g', '-cp', bench.options.kafka + '/*']
    formatting = Server(bench, java + ['kafka.tools.StorageTool', 'format', '-t', 'MkU3OEVBNTcwNTJENDM2Qg', '-c', path],
                        'StorageTool')
    if formatting.process.wait(120) != 0:
        raise Failed(f'Apache Kafka: {formatting.text()[-500:]}')
    formatting.stop()
    server = Server(bench, java + ['kafka.Kafka', path], 'Apache Kafka')
    server.port = port
    server.wait_for(port, answer=True, timeout=120)
    return server


def has_kafka(bench):
    return bench.options.kafka is not None and os.path.isdir(bench.options.kafka)


def say(text):
    print('  ' + text, flush=True)


def number(value):
    return f'{value:,.0f}' if value >= 100 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def middle(values):
    text = number(statistics.median(values))
    return text if len(values) == 1 else f'{text} ({number(min(values))}–{number(max(values))})'


# ---- connections

OTHERS = ('produce 1 KiB', 'fetch 64 KiB', 'heartbeat')


def latencies(bench, port):
    """Of one client each, in µs: {what: {p50_us, p99_us}}."""
    produce = bench.timed('produce', port, connections=1, partitions=1, batch_bytes=KIB, record_bytes=KIB - 75)
    fetch = bench.timed('fetch', port, connections=1, partitions=1, batch_bytes=KIB, record_bytes=KIB - 75,
                        fetch_bytes=64 * KIB, tail=True)
    heartbeat = heartbeats(bench, port)
    return dict(zip(OTHERS, (produce, fetch, heartbeat)))


def heartbeats(bench, port):
    """Of one member of another group, which asks for nothing but the broker's lock and its loop."""
    other = Crowd(bench, port, behind=False, name='other')
    other.do('join')
    other.do('loop heartbeat 1 1')
    result = other.do(f'loop heartbeat 1 {bench.seconds}')
    other.close()
    return result


def ratio_rows(title, pairs):
    """pairs: (without, with) of each repetition."""
    for what in OTHERS:
        for quantile in ('p50', 'p99'):
            without = [a[what][f'{quantile}_us'] for a, _ in pairs]
            beside = [b[what][f'{quantile}_us'] for _, b in pairs]
            ratios = [b / max(a, 0.1) for a, b in zip(without, beside)]
            yield (f'{what} {title}, {quantile}', f'{middle(ratios)} ×', '', '',
                   f'{middle(without)} µs without, {middle(beside)} µs with')


def idle_connections(bench):
    with Broker(bench) as broker:
        time.sleep(0.5)
        rss, pss = broker.server.rss_bytes(), broker.server.pss_bytes()
        Crowd(bench, broker.port, groups=CONNECTIONS)
        rss_with, pss_with = broker.server.rss_bytes(), broker.server.pss_bytes()
        time.sleep(11)  # each is looked at once after 10 s: has it made itself known?
        cpu, wakes = broker.server.cpu_percent(3 if bench.options.quick else 10)
    each = (pss_with - pss) / CONNECTIONS
    say(f'{CONNECTIONS:,} connections: {each:,.0f} B each, CPU {cpu:.3f} %')
    pairs = []
    with Broker(bench, NO_DELAY) as broker:
        latencies(bench, broker.port)
        for _ in range(bench.repetitions):
            without = latencies(bench, broker.port)
            crowd = Crowd(bench, broker.port, groups=CONNECTIONS)
            pairs.append((without, latencies(bench, broker.port)))
            crowd.close()
            without, beside = pairs[-1]
            say(', '.join(f'{w} p50 {without[w]["p50_us"]:.0f} → {beside[w]["p50_us"]:.0f} µs' for w in OTHERS))
    return [(f'memory per connection, {CONNECTIONS:,} idle', f'{each:,.0f} B', '≤ 1,024 B', each <= 1024,
             f'PSS {pss / 1e6:.1f} → {pss_with / 1e6:.1f} MB, RSS {rss / 1e6:.1f} → {rss_with / 1e6:.1f} MB; '
             'each had asked ApiVersions; what the kernel takes is not in it'),
            (f'CPU with {CONNECTIONS:,} idle connections', f'{cpu:.3f} %', '0', cpu < 0.05, f'{wakes:.1f} wake-ups/s'),
            *ratio_rows('beside idle ones', pairs)]


def member_connections(bench):
    pairs, runs = [], []
    for _ in range(bench.repetitions):
        with Broker(bench, NO_DELAY) as broker:
            latencies(bench, broker.port)
            without = latencies(bench, broker.port)
            crowd = Crowd(bench, broker.port, groups=CONNECTIONS // 10, members=10)
            crowd.do('join')
            crowd.do('rest 3')
            runs.append(rest_with_cpu(bench, broker, crowd))
            pairs.append((without, latencies(bench, broker.port)))
            say(f'{CONNECTIONS:,} members: CPU {runs[-1]["cpu"]:.1f} %, heartbeats p50 {runs[-1]["p50_us"]:.0f}, '
                f'p99 {runs[-1]["p99_us"]:.0f} µs')
    rest = sorted(runs, key=lambda r: r['cpu'])[len(runs) // 2]
    return [(f'CPU with {CONNECTIONS:,} members that send a heartbeat every 3 s',
             f'{middle([r["cpu"] for r in runs])} %', '', '',
             f'{CONNECTIONS // 10:,} groups of 10; {rest["per_s"]:,.0f} heartbeats/s, '
             f'{rest["cpu"] * 1e4 / rest["per_s"]:.1f} µs of CPU each, answered after {rest["p50_us"]:.0f} µs '
             f'(p99 {rest["p99_us"]:,.0f})'),
            *ratio_rows('beside these members', pairs)]


def rest_with_cpu(bench, broker, crowd):
    """Nothing but heartbeats for a while, and what that costs."""
    before = broker.server.cpu_ns_and_switches()[0]
    rest = crowd.do(f'rest {3 if bench.options.quick else 10}')
    rest['cpu'] = (broker.server.cpu_ns_and_switches()[0] - before) / rest['ms'] / 1e4
    return rest


# ---- one large group

MEMBERS = 1000


def rebalance_once(bench, kafka, delay_ms):
    """What one broker does with the group, and how long a member of another group waits for its heartbeats."""
    result = {}
    with Broker(bench, f'group.initial.rebalance.delay.ms={delay_ms}', kafka=kafka) as broker:
        crowd = Crowd(bench, broker.port, members=MEMBERS, heartbeat_ms=1000)
        result['join_ms'] = crowd.do('join')['ms']
        crowd.do('leave')
        before = 0 if kafka else broker.log_bytes()
        result['left_ms'] = crowd.do('leave')['after_last_join_ms']
        result['wal_bytes'] = 0 if kafka else broker.log_bytes() - before
        result['quiet'] = heartbeats(bench, broker.port)
        with Leaving(crowd):
            result['busy'] = heartbeats(bench, broker.port)
    return result


class Leaving(threading.Thread):
    """One member after the other leaves, for the length of a with statement."""

    def __init__(self, crowd):
        super().__init__()
        self.crowd, self.is_over = crowd, False

    def run(self):
        while not self.is_over:
            self.crowd.do('leave')

    def __enter__(self):
        self.start()

    def __exit__(self, *unused):
        self.is_over = True
        self.join()


def rebalances(bench):
    kinds = [('Strom', False)] + ([('Apache Kafka', True)] if has_kafka(bench) else [])
    found = {}
    for _ in range(bench.repetitions):
        for name, kafka in kinds:
            for delay_ms in (0, 3000):
                r = rebalance_once(bench, kafka, delay_ms)
                found.setdefault((name, delay_ms), []).append(r)
                say(f'{name}, {MEMBERS:,} members, delay {delay_ms} ms: joined in {r["join_ms"]:,.0f} ms, again in '
                    f'{r["left_ms"]:.1f} ms; a heartbeat p99 {r["quiet"]["p99_us"]:,.0f} → {r["busy"]["p99_us"]:,.0f}, '
                    f'max {r["quiet"]["max_us"]:,.0f} → {r["busy"]["max_us"]:,.0f} µs')
    return rebalance_table(kinds, found)


def rebalance_table(kinds, found):
    def column(pick):
        cells = [middle([pick(r) for r in runs]) for runs in pick_runs]
        if len(cells) < 2:
            return cells + ['', '']
        medians = [statistics.median(pick(r) for r in runs) for runs in pick_runs]
        return cells + [f'{medians[0] / medians[1]:.2f}']
    rows = []
    for title, delay_ms, pick in (
            ('all join, initial delay 0: first JoinGroup to last SyncGroup answered, ms', 0, lambda r: r['join_ms']),
            ('the same with the default delay of 3 s, ms', 3000, lambda r: r['join_ms']),
            ('one has left: last JoinGroup to last SyncGroup answered, ms', 0, lambda r: r['left_ms']),
            ('heartbeat of a member of another group, p99, µs: no rebalance', 0, lambda r: r['quiet']['p99_us']),
            ('one rebalance after the other', 0, lambda r: r['busy']['p99_us']),
            ('its longest, µs: no rebalance', 0, lambda r: r['quiet']['max_us']),
            ('one rebalance after the other', 0, lambda r: r['busy']['max_us'])):
        pick_runs = [found[(name, delay_ms)] for name, _ in kinds]
        rows.append(f'| {title} | ' + ' | '.join(column(pick)) + ' |')
    wal = statistics.median(r['wal_bytes'] for r in found[('Strom', 0)])
    rows.append(f'| written to the log for one generation, bytes | {wal:,.0f} | | |')
    return ['', f'{MEMBERS:,} members of one group; median (lowest–highest). The first join is also the first work of '
            'a new process: Kafka\'s JVM is cold.', '',
            '| | Strom | Apache Kafka 4.2.0 | Strom / Kafka |', '|---|---:|---:|---:|', *rows]


# ---- many groups

SESSION_MS = 30000


def many_groups(bench):
    groups = 1000 if bench.options.quick else 10000
    with Broker(bench, NO_DELAY, f'strom.groups.max={groups + 1}') as broker:
        time.sleep(0.5)
        crowd = Crowd(bench, broker.port, groups=groups, offsets=10, session_ms=SESSION_MS)
        idle = broker.server.pss_bytes()
        joined, committed = crowd.do('join'), crowd.do('offsets')
        full = broker.server.pss_bytes()
        crowd.do('rest 3')
        rest = rest_with_cpu(bench, broker, crowd)
        listed = crowd.do(f'loop list 1 {bench.seconds}')
        described = crowd.do(f'loop describe 1 {bench.seconds}')
        wal = broker.log_bytes()
        broker.restart()
        started, first_ms = time.monotonic(), broker.server.first_answer_ms
        crowd.close()
        time.sleep(0.5)
        restarted = broker.server.pss_bytes()
        say(f'{groups:,} groups: {full / 1e6:.0f} MB, restart {first_ms:.0f} ms, CPU {rest["cpu"]:.1f} %')
        quiet, expiring = all_expire(bench, broker, started, groups)
    return [(f'memory with {groups:,} groups of one member and 10 offsets (PSS)', f'{full / 1e6:,.0f} MB', '', '',
             f'{(full - idle) / groups:,.0f} B per group; {idle / 1e6:.0f} MB with their connections alone; '
             f'all joined in {joined["ms"]:,.0f} ms and committed in {committed["ms"]:,.0f} ms'),
            ('restart after kill -9 with them, first answer', f'{first_ms:,.0f} ms', '≤ 1,000 ms', first_ms <= 1000,
             f'{wal / 1e6:.1f} MB of log replayed; then {restarted / 1e6:.0f} MB without connections'),
            ('CPU with them, a heartbeat every 3 s', f'{rest["cpu"]:.1f} %', '', '',
             f'{rest["per_s"]:,.0f} heartbeats/s, p50 {rest["p50_us"]:.0f}, p99 {rest["p99_us"]:,.0f} µs'),
            ('ListGroups of them all, p50', f'{listed["p50_us"] / 1000:.2f} ms', '', '',
             f'p99 {listed["p99_us"] / 1000:.2f} ms'),
            ('DescribeGroups of one, p50', f'{described["p50_us"]:.0f} µs', '', '',
             f'p99 {described["p99_us"]:.0f} µs'),
            ('longest wait for a heartbeat of another group while the sessions of all run out at once',
             f'{expiring["max_us"] / 1000:.1f} ms', '', '', f'{quiet["max_us"] / 1000:.1f} ms before; '
             f'p99 {quiet["p99_us"]:,.0f} → {expiring["p99_us"]:,.0f} µs')]


def all_expire(bench, broker, started, groups):
    """Heartbeats of another group before and while the members that did not survive the restart are given up."""
    other = Crowd(bench, broker.port, behind=False, name='other')
    other.do('join')
    quiet = other.do('loop heartbeat 1 5')
    time.sleep(max(0, started + SESSION_MS / 1000 - 4 - time.monotonic()))
    before = stable_groups(broker.port)
    expiring = other.do('loop heartbeat 1 9')
    after = stable_groups(broker.port)
    if (before, after) != (groups + 1, 1):
        raise Failed(f'{before - 1:,} groups had members before the time in which {groups:,} were to lose them, '
                     f'{after - 1:,} after')
    return quiet, expiring


# ---- commits

def commits_of(bench, clients, kafka):
    with Broker(bench, NO_DELAY, kafka=kafka) as broker:
        crowd = Crowd(bench, broker.port, members=clients)
        crowd.do('join')
        crowd.do(f'loop commit {clients} {10 if kafka else 1}')  # the JVM compiles what is hot meanwhile
        return crowd.do(f'loop commit {clients} {bench.seconds}')


def commit_rates(bench):
    rows = []
    for clients in (1, 16, 256):
        def probe(clients=clients):
            return bench.timed('produce', bench.probe_port('log'), probe=True, connections=clients,
                               partitions=clients, batch_bytes=1, record_bytes=16)
        stroms, percents, probes, kafkas = [], [], [], []
        for _ in range(bench.repetitions):
            before, strom, after = probe(), commits_of(bench, clients, False), probe()
            probes.append((before['per_s'] + after['per_s']) / 2)
            stroms.append(strom['per_s'])
            percents.append(100 * strom['per_s'] / probes[-1])
            if has_kafka(bench):
                kafkas.append(commits_of(bench, clients, True)['per_s'])
            say(f'commits of {clients}: probe {probes[-1]:,.0f}, Strom {stroms[-1]:,.0f}/s = {percents[-1]:.0f} %'
                + (f', Kafka {kafkas[-1]:,.0f}/s' if kafkas else ''))
        latency = f'{strom["p50_us"] / 1000:.2f} / {strom["p99_us"] / 1000:.2f}'
        rows.append(f'| {clients} | {middle(probes)} | {middle(stroms)} | {middle(percents)} % | {latency} | '
                    f'{middle(kafkas) if kafkas else ""} |')
    return ['', 'OffsetCommit of one position, closed loop. Strom answers when it is on the disk, Kafka with its '
            'defaults when the kernel has it. The probe writes and syncs as many bytes.', '',
            '| clients | probe/s | Strom/s | of probe | Strom p50 / p99 ms | Apache Kafka 4.2.0/s |',
            '|---:|---:|---:|---:|---:|---:|', *rows]


# ---- all

FACTS = {'connections': idle_connections, 'members': member_connections, 'groups': many_groups}
TABLES = {'rebalance': rebalances, 'commits': commit_rates}
NAMES = [*FACTS, *TABLES]


def fact_line(row):
    title, value, goal, is_met, how = row
    verdict = is_met if isinstance(is_met, str) else 'met' if is_met else 'missed'
    return f'| {title} | {value} | {goal} | {verdict} | {how} |'


def section(bench, wanted, about):
    """Measures; returns the Markdown of the section."""
    facts, tables, notes = [], [], []
    for name in NAMES:
        if not wanted(name):
            continue
        print(f'{name} ...', flush=True)
        try:
            if name in FACTS:
                facts += [fact_line(row) for row in FACTS[name](bench)]
            else:
                tables += TABLES[name](bench)
        except Failed as e:
            say(f'failed: {e}')
            notes.append(f'{name}: failed: {e}')
    if not has_kafka(bench):
        notes.append('Apache Kafka was not measured: its jars are not here (`./dev interop` fetches them)')
    lines = [HEADING, '', *about, '']
    if facts:
        lines += ['| Strom | measured | goal | | how |', '|---|---:|---:|---|---|', *facts]
    lines += tables
    if notes:
        lines += ['', *(f'- {note}' for note in notes)]
    return '\n'.join(lines) + '\n'
