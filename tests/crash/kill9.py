#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill9.py - kill -9 under load, restart, again: no acknowledged record lost, none doubled, order kept.

  tests/crash/kill9.py --broker build/src/server/strom --runs 10 [--seed N]
"""
import argparse
import os
import random
import sys
import time

from load import Load, Wrong

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from broker import Broker, BrokerFailed  # noqa: E402

VERIFY_EVERY = 5


def one_run(broker, load, chance):
    """Lets it work for a moment, kills it, starts it again; returns what happened as text."""
    load.wait_acked(chance.randrange(1, 300))
    pause = chance.random() * 0.1
    time.sleep(pause)  # the moment of the kill is meant to be arbitrary
    acked = load.total_acked()
    broker.kill()
    seconds = broker.start()
    load.wait_acked(1)
    return f'{acked} acknowledged before, listening again after {seconds * 1000:.0f} ms'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--runs', type=int, default=10)
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f'# kill -9, {options.runs} runs, --seed {options.seed}', flush=True)
    chance = random.Random(options.seed)
    broker = Broker(options.broker)
    run = 0
    try:
        broker.start()
        load = Load(broker.bootstrap)
        load.create_topic()
        load.start()
        for run in range(1, options.runs + 1):
            what = one_run(broker, load, chance)
            if run % VERIFY_EVERY == 0:
                load.verify()
            print(f'ok kill9 {run}: {what}', flush=True)
        load.stop()
        broker.kill()
        broker.start()
        load.verify()
        print(f'ok kill9 all: {sum(load.verified)} records, {load.verified_bytes >> 20} MiB, each once, in order, '
              f'byte for byte', flush=True)
        return 0
    except (Wrong, BrokerFailed) as e:
        print(f'not ok kill9 {run}: {e}\n{broker.log_tail()}', flush=True)
        if isinstance(e, Wrong) and os.environ.get('STROM_KEEP'):
            broker.owns_data = False
            print(f'# data kept in {broker.data_dir}', flush=True)
        return 1
    finally:
        broker.close()


if __name__ == '__main__':
    sys.exit(main())
