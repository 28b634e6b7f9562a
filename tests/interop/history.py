# SPDX-License-Identifier: Apache-2.0
"""history.py - tests/history/run.py with Apache Kafka's own clients, in both group protocols."""
import importlib.util
import os
import random
import sys

import eos
import jvm
from work import ROOT, Failure
from broker import BrokerFailed

FOLDER = os.path.join(ROOT, 'tests', 'history')
SECONDS = float(os.environ.get('STROM_HISTORY_SECONDS', '20'))
PROTOCOLS = {'java': 'classic', 'java-848': 'consumer'}


def load():
    """tests/history/run.py, which is not the run.py that this is a part of."""
    sys.path.insert(0, FOLDER)
    spec = importlib.util.spec_from_file_location('history_run', os.path.join(FOLDER, 'run.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def play(peer, names):
    """Returns whether something failed. Apache Kafka itself is not killed: it would take too long to come back."""
    jvm.setup()
    history, failed = load(), False
    for name in names or PROTOCOLS:
        if name not in PROTOCOLS:
            raise Failure(f'no client {name} for history; there are {" ".join(PROTOCOLS)}')
        command = jvm.command('HistoryWorker', flags=['-Xmx96m', f'-Dgroup.protocol={PROTOCOLS[name]}'])
        times = {**eos.TIMES, **eos.KAFKA_TIMES} if peer.options.kafka else eos.TIMES
        broker = peer.make({**history.SETTINGS, **times})
        try:
            broker.start()
            seed = random.randrange(1 << 30)
            failed |= history.play(name, broker, command, SECONDS, seed, not peer.options.kafka)
        except BrokerFailed as e:
            print(f'not ok history {name}: {e}', flush=True)
            failed = True
        finally:
            broker.close()
    return failed
