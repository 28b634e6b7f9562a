# SPDX-License-Identifier: Apache-2.0
"""contracts.py - Apache Kafka's own producer and consumer under a contract that changes under way: idempotent with five
requests in flight, and in transactions. What was delivered is in exactly one of topic and dead letter topic."""
import json
import subprocess
import threading
import urllib.request
import uuid

import jvm
from work import Failure, check
from broker import BrokerFailed

RECORDS = 1500


class Governed:
    """A topic, and its contract: {"n": number, "c": class}, in which classes below the limit are bad."""

    def __init__(self, broker, on_failure):
        self.broker, self.on_failure = broker, on_failure
        self.topic = f'java-{on_failure}-{uuid.uuid4().hex[:8]}'
        self.ask('PUT', f'/config/{self.topic}-value', {'compatibility': 'NONE'})
        self.set_limit(1)

    def ask(self, method, path, body):
        request = urllib.request.Request(self.broker.http + path, method=method, data=json.dumps(body).encode(),
                                         headers={'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.loads(response.read())

    def set_limit(self, limit):
        schema = {'type': 'object', 'required': ['n', 'c'],
                  'properties': {'n': {'type': 'integer'}, 'c': {'type': 'integer', 'minimum': limit}}}
        self.ask('POST', f'/subjects/{self.topic}-value/versions',
                 {'schema': json.dumps(schema), 'schemaType': 'JSON'})

    def change(self, stop):
        turn = 0
        while not stop.wait(0.05):
            turn += 1
            self.set_limit(1 + turn % 3)

    def play(self, how, bad_each):
        stop = threading.Event()
        thread = threading.Thread(target=self.change, args=(stop,))
        thread.start()
        try:
            process = subprocess.run(
                jvm.command('ContractWorker', how, self.broker.bootstrap, self.topic, self.on_failure, str(RECORDS),
                            str(bad_each)),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        finally:
            stop.set()
            thread.join()
        check(process.returncode == 0, process.stderr[-600:])
        said = json.loads(process.stdout)
        check(not said['strange'], f'other errors: {said["strange"][:3]}')
        check(len(said['delivered']) > RECORDS / 5, f'{len(said["delivered"])} were delivered')
        check(self.on_failure == 'dlq' or said['refused'], 'nothing was refused')
        check(said['stored'] == sorted(said['stored']), 'out of order')
        check(sorted(said['stored'] + said['aside']) == sorted(said['delivered']),
              f'{len(said["stored"])} stored, {len(said["aside"])} set aside, {len(said["delivered"])} delivered')


SCENARIOS = {
    'idempotent-letters': ('dlq', 'idempotent', 5),
    'idempotent-refusals': ('reject', 'idempotent', 40),
    'transactions-letters': ('dlq', 'transactions', 5),
    'transactions-refusals': ('reject', 'transactions', 200),
}


def play(peer, names):
    """Returns whether something failed."""
    if peer.options.kafka:
        return False  # it has no contracts
    jvm.setup()
    failed = False
    broker = peer.make()
    try:
        broker.start()
        for name in names or SCENARIOS:
            on_failure, how, bad_each = SCENARIOS[name]
            try:
                Governed(broker, on_failure).play(how, bad_each)
                print(f'ok contracts java {name}', flush=True)
            except (Failure, OSError) as e:
                failed = True
                print(f'not ok contracts java {name}: {e}', flush=True)
    except BrokerFailed as e:
        failed = True
        print(f'not ok contracts: {e}', flush=True)
    finally:
        broker.close()
    return failed
