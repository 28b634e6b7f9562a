#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run.py - the newest clients: confluent-kafka, kafka-python and aiokafka from PyPI, franz-go and sarama, Apache
Kafka's own consumer and its command line tools from Maven. Prints `ok name` and `not ok name: why`.

  tests/interop/run.py --broker build/src/server/strom [python] [go] [registry] [tools[=STORY,...]]
                       [groups[=CLIENT,...]] [eos[=CLIENT,...]] [history[=CLIENT,...]] [streams] [connect[=PART,...]]
                       [contracts[=NAME,...]] [verdicts[=CLIENT,...]]
  tests/interop/run.py --kafka [...]        against Apache Kafka 4.2.0: what the tests themselves are checked with
  tests/interop/run.py --record tools=...   plays stories against both and writes what each printed into them
"""
import argparse
import glob
import os
import re
import subprocess
import sys
import time

import connect
import contracts
import eos
import golang
import groups
import history
import jvm
import pypi
import schemas_topic
import story
import streams
import verdicts
from work import CLIENTS, HERE, ROOT, WORK, Failure, run
from broker import Broker, BrokerFailed
from kafka import Kafka

SETTINGS = {'auto.create.topics.enable': 'false', 'node.id': 1}


class Peer:
    """Makes brokers, a fresh one for each group of tests."""

    def __init__(self, options):
        self.options = options
        self.letter = 'K' if options.kafka else 'S'  # whose lines of a story have to come out

    def make(self, more=()):
        settings = {**SETTINGS, **dict(more)}
        return Kafka(settings) if self.options.kafka else Broker(self.options.broker, settings=settings)


def with_broker(name, peer, action):
    """Calls action with a broker of its own; returns whether something failed."""
    broker = peer.make()
    begin = time.monotonic()
    try:
        broker.start()
        failed = action(broker)
        if not broker.alive():
            raise BrokerFailed(f'died with {broker.process.returncode}\n{broker.log_tail()}')
        print(f'# {name}: {time.monotonic() - begin:.1f} s', flush=True)
        return failed
    except (Failure, BrokerFailed, subprocess.TimeoutExpired) as e:
        print(f'not ok {name}: {e}', flush=True)
        return True
    finally:
        broker.close()


# ---- Python

def python_scripts(python, bootstrap):
    """The scripts of tests/clients under the new libraries; returns whether one failed."""
    failed = False
    scripts = [os.path.join(CLIENTS, name + '_test.py') for name in ('confluent', 'confluent_txn', 'kafka_python')]
    for script in [*scripts, os.path.join(HERE, 'aiokafka_test.py')]:
        environment = dict(os.environ, STROM_BOOTSTRAP=bootstrap, PYTHONPATH=CLIENTS)
        code, out = run([python, script], seconds=240, env=environment)
        for line in out.splitlines():
            print(line.replace('ok ', 'ok newest ', 1) if re.match(r'(not )?ok ', line) else line, flush=True)
        if code != 0 and not re.search(r'^not ok ', out, re.M):
            print(f'not ok newest {os.path.basename(script)}: ended with {code}', flush=True)
        failed |= code != 0
    return failed


def python_clients(peer, _):
    python = pypi.setup()
    return with_broker('python', peer, lambda broker: python_scripts(python, broker.bootstrap))


# ---- Go

def go_codecs(peer, names):
    golang.setup()

    def scripts(broker):
        failed = False
        for name in names or ('franz', 'sarama'):
            code, out = run(golang.program(name, 'codecs', broker.bootstrap), seconds=240)
            print(out, end='', flush=True)
            if code != 0 and not re.search(r'^not ok ', out, re.M):
                print(f'not ok {name}: ended with {code}', flush=True)
            failed |= code != 0
        return failed
    return with_broker('go', peer, scripts)


# ---- registry clients

def registry_scripts(python, broker):
    failed = False
    environment = dict(os.environ, STROM_BOOTSTRAP=broker.bootstrap, STROM_HTTP=broker.http, PYTHONPATH=CLIENTS)
    for name, command in (('confluent-registry', [python, os.path.join(HERE, 'confluent_registry_test.py')]),
                          ('franz-registry', golang.program('registry', broker.bootstrap, broker.http))):
        code, out = run(command, seconds=240, env=environment)
        print(out, end='', flush=True)
        if code != 0 and not re.search(r'^not ok ', out, re.M):
            print(f'not ok {name}: ended with {code}', flush=True)
        failed |= code != 0
    return failed


def registry_clients(peer, _):
    if peer.options.kafka:
        return False  # it has none
    golang.setup()
    jvm.setup()
    python = pypi.setup()

    def scripts(broker):
        failed = registry_scripts(python, broker)
        schemas_topic.play(peer, broker)
        return failed
    return with_broker('registry', peer, scripts)


# ---- Apache Kafka's tools

def story_paths(names):
    if names:
        return [os.path.join(HERE, 'stories', name + '.story') for name in names]
    return sorted(glob.glob(os.path.join(HERE, 'stories', '*.story')))


def tools(peer, names):
    """Every story, each against a broker of its own."""
    jvm.setup()
    runner = jvm.ToolRunner()
    failed = False
    try:
        for path in story_paths(names):
            name = 'tools ' + os.path.splitext(os.path.basename(path))[0]

            def play(broker, path=path, name=name):
                story.check_story(runner, broker.bootstrap, path, peer.letter)
                print(f'ok {name}', flush=True)
                return False
            failed |= with_broker(name, peer, play)
    finally:
        runner.close()
    return failed


def record(peer, names):
    """Writes the stories anew, from what Apache Kafka and Strom print."""
    jvm.setup()
    runner = jvm.ToolRunner()
    try:
        for path in story_paths(names):
            kafka, strom = Kafka(SETTINGS), peer.make()
            try:
                strom.start()
                kafka.start()
                story.record_story(runner, kafka.bootstrap, strom.bootstrap, path)
            except (Failure, BrokerFailed) as e:
                print(f'not ok {os.path.basename(path)}: {e}', flush=True)
            finally:
                kafka.close()
                strom.close()
    finally:
        runner.close()


# ---- raw requests, to Strom and to Apache Kafka

def diff(peer, names):
    """tests/diff: the answers compared field by field; nothing to compare where Kafka itself is tested."""
    if peer.options.kafka:
        return False
    jvm.setup()
    command = [sys.executable, os.path.join(ROOT, 'tests', 'diff', 'run.py'), '--broker', peer.options.broker]
    return subprocess.run(command + names, check=False, timeout=600).returncode != 0


GROUPS = {'python': python_clients, 'go': go_codecs, 'registry': registry_clients, 'tools': tools,
          'groups': groups.play, 'eos': eos.play, 'history': history.play,
          'streams': streams.play, 'connect': connect.play, 'contracts': contracts.play, 'verdicts': verdicts.play,
          'diff': diff}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--kafka', action='store_true', help='test Apache Kafka 4.2.0 itself')
    parser.add_argument('--record', action='store_true', help='write the expected lines of the named stories anew')
    parser.add_argument('groups', nargs='*', metavar='GROUP[=NAME,...]', default=list(GROUPS))
    options = parser.parse_args()
    os.makedirs(WORK, exist_ok=True)
    peer = Peer(options)
    failed = False
    for group in options.groups:
        name, _, parts = group.partition('=')
        if name not in GROUPS:
            parser.error(f'no group {name}; there are {" ".join(GROUPS)}')
        try:
            if options.record:
                record(peer, parts.split(',') if parts else [])
            else:
                failed |= GROUPS[name](peer, parts.split(',') if parts else [])
        except Failure as e:
            print(f'not ok {name}: {e}', flush=True)
            failed = True
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
