#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py - the same raw requests to two brokers; every field in which the answers differ is a failure.

  tests/diff/run.py --a HOST:PORT --b HOST:PORT [SCRIPT...]     two that run already, started with SETTINGS (below)
  tests/diff/run.py --broker build/src/server/strom [SCRIPT...] starts both; Apache Kafka comes from Maven

A script is a function of `Peer` (script.py) in one of MODULES; it is played in every era that its APIS have, against
both brokers at once. SCRIPT picks scripts by the beginning of their names; --era N one era. Differences that
docs/kafka-differences.md explains are in known.py: each must still be one, or it fails.
"""
import argparse
import concurrent.futures
import contextlib
import os
import random
import re
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'interop'))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
sys.path.insert(0, HERE)  # first: both have a groups.py
import admins  # noqa: E402
import consumers  # noqa: E402
import generated  # noqa: E402
import group_offsets  # noqa: E402
import groups  # noqa: E402
import known  # noqa: E402
import produces  # noqa: E402
import reads  # noqa: E402
import txns  # noqa: E402
from script import Peer, Stuck, compare, last_era  # noqa: E402
import messages  # noqa: E402
from rawkafka import Connection  # noqa: E402
from broker import Broker  # noqa: E402
import jvm  # noqa: E402
from kafka import Kafka  # noqa: E402

MODULES = [groups, group_offsets, txns, produces, reads, admins, consumers, generated]
SETTINGS = {'group.initial.rebalance.delay.ms': '0', 'group.min.session.timeout.ms': '500', 'group.max.size': '4',
            'auto.create.topics.enable': 'false'}
WORKERS = 8
EXCHANGES_MIN = 1000  # of a full run
LOADING, NOT_COORDINATOR = 14, 16
SHOW = False
ALONE = threading.Lock()  # a script that says so is played in one era at a time


def parse_address(text):
    host, port = text.rsplit(':', 1)
    return host, int(port)


# ---- topics that every script may use

def make_topics(address, names):
    """Creates them with three partitions each; returns {name: id}."""
    with Connection(address, timeout=30) as connection:
        answer = messages.ask(connection, 'CreateTopics', 7, {'topics': [
            {'name': name, 'num_partitions': 3, 'replication_factor': 1} for name in names]})
        wanted = {'topics': [{'name': name} for name in names]}
        while any(t['error'] or any(p['error'] for p in t['partitions'])
                  for t in messages.ask(connection, 'Metadata', 12, wanted)['topics']):
            time.sleep(0.05)  # Kafka's brokers hear of topics later than who made them
        # The coordinators make their own topics at the first question for them.
        for key_type in (0, 1):
            while any(c['error'] for c in messages.ask(connection, 'FindCoordinator', 4, {
                    'key_type': key_type, 'coordinator_keys': list('abcdefgh')})['coordinators']):
                time.sleep(0.05)
        while any(g['error'] for g in messages.ask(connection, 'DescribeGroups', 5, {
                'groups': list('abcdefgh')})['groups']):
            time.sleep(0.05)
        some = {'transactional_ids': [f'x{i}' for i in range(200)]}  # of every partition that keeps them
        while any(s['error'] in (NOT_COORDINATOR, LOADING) for s in messages.ask(
                connection, 'DescribeTransactions', 0, some)['transaction_states']):
            time.sleep(0.05)
        # The first producer id, 0, is nobody's: an answer without one has that number, too.
        while messages.ask(connection, 'InitProducerId', 1, {'transactional_id': None,
                                                             'transaction_timeout_ms': 1000})['error']:
            time.sleep(0.05)
    return {t['name']: t['topic_id'] for t in answer['topics']}


# ---- playing

def play(script, address, era, name, topics):
    peer = Peer(address, era, name, topics)
    try:
        script(peer)
    except (Stuck, KeyError, IndexError, TypeError, ValueError) as e:
        peer.note('the script', f'{type(e).__name__}: {e}')
    finally:
        peer.close()
    return peer.transcript


class Job:
    def __init__(self, script, era, tag):
        self.script, self.era = script, era
        self.name = f'{script.__name__}-{era}-{tag}'

    def run(self, brokers):
        with ALONE if getattr(self.script, 'alone', False) else contextlib.nullcontext():
            return self.run_now(brokers)

    def run_now(self, brokers):
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            plays = [pool.submit(play, self.script, address, self.era, self.name, topics)
                     for address, topics in brokers]
            transcripts = [p.result() for p in plays]
        if SHOW:
            show(transcripts)
            print(f'# {self.name}: {time.monotonic() - begin:.1f} s')
        return list(compare(*transcripts)), self, min(len(t.lines) for t in transcripts)


def show(transcripts):
    """Both answers to everything that was asked, one where they are the same."""
    for (what, a), (_, b) in zip(*[t.lines for t in transcripts]):
        print(what)
        for letter, value in (('a', a), ('b', b)) if a != b else (('=', a),):
            print(f'    {letter} {value}')


def all_jobs(wanted, only_era, tag):
    for module in MODULES:
        for script in module.SCRIPTS:
            if wanted and not any(script.__name__.startswith(name) for name in wanted):
                continue
            eras = getattr(module, 'ERAS', range(last_era(module.APIS) + 1)) if only_era is None else [only_era]
            for era in eras:
                yield Job(script, era, tag)


def report(script, found):
    """Prints a script's line, and what differs by what was asked; returns whether it failed."""
    if not found:
        print(f'ok diff {script}', flush=True)
        return False
    print(f'not ok diff {script}: {len(found)} differences', flush=True)
    seen = {}
    for era, (what, path, a, b) in found:
        seen.setdefault((re.sub(r' v[0-9]+ .*', '', what), path, repr(a), repr(b)), []).append((era, what))
    for (_, path, a, b), places in seen.items():
        eras = ','.join(map(str, sorted({era for era, _ in places})))
        print(f'  eras {eras}: {places[0][1]}\n    {path}: a {a:.300}  b {b:.300}', flush=True)
    return True


def run(a, b, wanted=(), only_era=None):
    """Plays the scripts against two addresses; returns whether one failed."""
    tag = f'{random.getrandbits(32):x}'
    names = [f'diff-{what}-{tag}' for what in ('t', 'u')]
    brokers = [(address, make_topics(address, names)) for address in (a, b)]
    table = known.Table()
    found, scripts, exchanges = {}, {}, 0
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        jobs = list(all_jobs(wanted, only_era, tag))
        for job in jobs:
            scripts.setdefault(job.script.__name__, [])
        for done in concurrent.futures.as_completed([pool.submit(job.run, brokers) for job in jobs]):
            differences, job, count = done.result()
            exchanges += count
            name = job.script.__name__
            found.setdefault(name, []).extend((job.era, d) for d in differences if not table.explains(name, d))
    failed = [report(name, found.get(name, [])) for name in scripts]
    is_full = not wanted and only_era is None
    stale = table.unused() if is_full else []
    for row in stale:
        print(f'not ok diff known: {row} is no difference any more', flush=True)
    print(f'# diff: {exchanges} exchanges compared', flush=True)
    is_short = is_full and exchanges < EXCHANGES_MIN
    if is_short:
        print(f'not ok diff exchanges: a full run has {EXCHANGES_MIN}', flush=True)
    return any(failed) or bool(stale) or is_short


# ---- starting both

def run_both(binary, wanted=(), only_era=None):
    """Starts Strom and Apache Kafka and plays the scripts; returns whether one failed."""
    jvm.setup()
    strom, kafka = Broker(binary, settings=SETTINGS), Kafka(SETTINGS)
    try:
        kafka.start()
        strom.start()
        failed = run(('127.0.0.1', strom.port), ('127.0.0.1', kafka.port), wanted, only_era)
        if not strom.alive():
            print(f'not ok diff broker: died with {strom.process.returncode}\n{strom.log_tail()}', flush=True)
        return failed or not strom.alive()
    finally:
        kafka.close()
        strom.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--a', metavar='HOST:PORT')
    parser.add_argument('--b', metavar='HOST:PORT')
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--era', type=int)
    parser.add_argument('--seed', default=generated.World.seed, help='of the generated scripts')
    parser.add_argument('--show', action='store_true', help='print every answer')
    parser.add_argument('scripts', nargs='*', metavar='SCRIPT')
    options = parser.parse_args()
    global SHOW  # noqa: PLW0603
    SHOW = options.show
    generated.World.seed = options.seed
    if options.a and options.b:
        return run(parse_address(options.a), parse_address(options.b), options.scripts, options.era)
    return run_both(options.broker, options.scripts, options.era)


if __name__ == '__main__':
    sys.exit(main())
