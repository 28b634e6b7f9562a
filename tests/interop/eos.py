# SPDX-License-Identifier: Apache-2.0
"""eos.py - tests/crash/kill9_txn.py with Apache Kafka's own clients and franz-go: exactly once under kill -9."""
import os
import random
import sys

import golang
import jvm
from work import ROOT, Failure

sys.path.insert(0, os.path.join(ROOT, 'tests', 'crash'))
import kill9_txn  # noqa: E402
from broker import BrokerFailed  # noqa: E402

RUNS = 5
# For the copiers of the consumer protocol (KIP-848), whose times are the broker's.
TIMES = {'group.consumer.session.timeout.ms': 3000, 'group.consumer.min.session.timeout.ms': 3000,
         'group.consumer.heartbeat.interval.ms': 300, 'group.consumer.min.heartbeat.interval.ms': 300}


def java(protocol='classic'):
    jvm.setup()
    return jvm.command('TxnWorker', flags=['-Xmx96m', f'-Dgroup.protocol={protocol}'])


def java_848():
    return java('consumer')


def franz():
    golang.setup()
    return golang.program('franz', 'txn')


COMMANDS = {'java': java, 'java-848': java_848, 'franz-go': franz}


def play(peer, names):
    """Returns whether something failed. Apache Kafka itself is not killed: it would take too long to come back."""
    failed = False
    for name in names or COMMANDS:
        if name not in COMMANDS:
            raise Failure(f'no client {name} for eos; there are {" ".join(COMMANDS)}')
        failed |= play_client(peer, name, may_give_up=True)
    return failed


def play_client(peer, name, may_give_up):
    """A client that ends because the broker was away for too long plays once more: franz-go's commit does not wait."""
    command = COMMANDS[name]()
    broker = peer.make({**kill9_txn.SETTINGS, **TIMES})
    try:
        broker.start()
        plan = kill9_txn.Plan(f'eos-{name}', command, RUNS, random.randrange(1 << 30), not peer.options.kafka)
        return kill9_txn.play(broker, plan, may_give_up)
    except kill9_txn.GaveUp as e:
        print(f'# once more: eos {name}: {e}', flush=True)
    except BrokerFailed as e:
        print(f'not ok eos {name}: {e}', flush=True)
        return True
    finally:
        broker.close()
    return play_client(peer, name, may_give_up=False)
