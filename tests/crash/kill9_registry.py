#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill9_registry.py - schemas registered by several clients while the broker is killed with -9: every id, version and
GUID that was answered is served after each restart, no id stands for two contents, no version for two schemas.

  tests/crash/kill9_registry.py --broker build/src/server/strom --runs 5 [--seed N]
"""
import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from broker import Broker, BrokerFailed  # noqa: E402

WRITERS = 4
SUBJECTS = 12
CONTENTS = 3  # of every ten registrations so many are of a content that others register, too
PATIENCE_S = 60


class Wrong(Exception):
    """The registry does not serve what it answered."""


class Client:
    """One keep-alive connection; an answer, or OSError when there is none: then nobody knows whether it happened."""

    def __init__(self, broker):
        self.broker = broker
        self.connection = None

    def ask(self, method, path, body=None):
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection('127.0.0.1', self.broker.http_port, timeout=20)
            self.connection.request(method, path, None if body is None else json.dumps(body),
                                    {'Content-Type': 'application/json'})
            response = self.connection.getresponse()
            return response.status, json.loads(response.read() or b'null')
        except (OSError, http.client.HTTPException, ValueError) as e:
            self.connection = None
            raise OSError(str(e)) from None


def content_of(number):
    return json.dumps({'type': 'record', 'name': 'R', 'fields': [], 'doc': f'content {number}'}, separators=(',', ':'))


class Writers:
    """Threads that register until stop; what was acknowledged is in `acked`, of versions that were not deleted."""

    def __init__(self, broker, seed):
        self.broker = broker
        self.seed = seed
        self.acked = {}  # (subject, version) -> (id, guid, content)
        self.deleted = set()  # (subject, version) whose deletion was answered, or may have happened
        self.count = 0
        self.trouble = None
        self.stopping = False
        self.progress = threading.Condition()
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def wait(self, more):
        with self.progress:
            goal = self.count + more
            if not self.progress.wait_for(lambda: self.trouble or self.count >= goal, PATIENCE_S):
                raise Wrong(f'no answer for {PATIENCE_S} s')
        if self.trouble:
            raise Wrong(self.trouble)

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(PATIENCE_S)
        if self.trouble:
            raise Wrong(self.trouble)

    def _run(self, writer):
        chance = random.Random(self.seed * WRITERS + writer)
        client = Client(self.broker)
        number = 0
        while not self.stopping and not self.trouble:
            number += 1
            subject = f's{chance.randrange(SUBJECTS)}'
            is_shared = chance.randrange(10) < CONTENTS
            content = content_of(chance.randrange(200) if is_shared else f'{writer}-{number}')
            try:
                if chance.randrange(10) == 0:
                    self._delete(client, chance, subject)
                else:
                    status, answer = client.ask('POST', f'/subjects/{subject}/versions', {'schema': content})
                    self._registered(subject, content, status, answer)
            except OSError:
                time.sleep(0.02)  # it was killed

    def _registered(self, subject, content, status, answer):
        with self.progress:
            if status != 200:
                self.trouble = self.trouble or f'registration: {status} {answer}'
            else:
                now = (answer['id'], answer['guid'], content)
                before = self.acked.setdefault((subject, answer['version']), now)
                if before != now:
                    self.trouble = f'{subject} {answer["version"]} was {before}, and now {now}'
            self.count += 1
            self.progress.notify_all()

    def _delete(self, client, chance, subject):
        """Softly: the version's number never comes back, and its id is served still."""
        with self.progress:
            mine = [key for key in self.acked if key[0] == subject and key not in self.deleted]
            if not mine:
                return
            key = chance.choice(mine)
            self.deleted.add(key)
        status, answer = client.ask('DELETE', f'/subjects/{subject}/versions/{key[1]}')
        if status != 200 and answer['error_code'] not in (40401, 40402, 40406):
            self.trouble = f'deletion: {status} {answer}'


def verify(broker, writers):
    """Everything acknowledged until now, against a registry that goes on."""
    client = Client(broker)
    with writers.progress:
        acked = dict(writers.acked)
    status, listed = client.ask('GET', '/schemas?deleted=true&limit=1000000')
    if status != 200:
        raise Wrong(f'/schemas: {status} {listed}')
    with writers.progress:
        deleted = set(writers.deleted)  # only now: the writers go on while the list is made
    served = {(v['subject'], v['version']): v for v in listed}
    if len(served) != len(listed):
        raise Wrong('a version is there twice')
    contents, ids = {}, {}
    for v in listed:
        if contents.setdefault(v['id'], v['schema']) != v['schema']:
            raise Wrong(f'the id {v["id"]} stands for {contents[v["id"]]} and {v["schema"]}')
        if ids.setdefault(v['schema'], v['id']) != v['id']:
            raise Wrong(f'{v["schema"]} has the ids {ids[v["schema"]]} and {v["id"]}')
    for key, (schema_id, guid, content) in acked.items():
        v = served.get(key)
        if v is None or (v['id'], v['guid'], json.loads(v['schema'])) != (schema_id, guid, json.loads(content)):
            raise Wrong(f'{key} was acknowledged as {(schema_id, guid, content)}, and is {v}')
        if v.get('deleted') and key not in deleted:
            raise Wrong(f'{key} is deleted, and nobody asked for it')
    for key in random.Random(len(acked)).sample(sorted(acked), min(50, len(acked))):
        schema_id, guid, content = acked[key]
        for path in (f'/schemas/ids/{schema_id}', f'/schemas/guids/{guid}'):
            status, answer = client.ask('GET', path)
            if status != 200 or json.loads(answer['schema']) != json.loads(content):
                raise Wrong(f'{path}: {status} {answer}, and {content} was acknowledged')
    return len(acked)


def told(broker):
    """What somebody who replays `_schemas` knows: (subject, version) -> (id, schema, whether it is deleted)."""
    out = subprocess.run(['kcat', '-b', broker.bootstrap, '-C', '-t', '_schemas', '-e', '-q', '-o', 'beginning', '-Z',
                          '-f', '%k\t%s\n'], stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=True).stdout
    state = {}
    for line in out.splitlines():
        key, value = line.split('\t')
        key = json.loads(key)
        if key['keytype'] == 'SCHEMA':
            state[key['subject'], key['version']] = None if value == 'NULL' else json.loads(value)
    return {where: (v['id'], v['schema'], v['deleted']) for where, v in state.items() if v is not None}


def verify_topic(broker):
    """Nobody writes any more: `_schemas` says the same as the registry, a moment later at most."""
    _, listed = Client(broker).ask('GET', '/schemas?deleted=true&limit=1000000')
    served = {(v['subject'], v['version']): (v['id'], v['schema'], v.get('deleted', False)) for v in listed}
    deadline = time.monotonic() + PATIENCE_S
    while told(broker) != served:
        if time.monotonic() > deadline:
            both = told(broker)
            wrong = [where for where in served.keys() | both.keys() if served.get(where) != both.get(where)]
            raise Wrong(f'_schemas differs in {len(wrong)} versions, as {wrong[0]}: {both.get(wrong[0])}, and '
                        f'{served.get(wrong[0])} is served')
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default='build/src/server/strom')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f'# kill -9 of the registry, {options.runs} runs, --seed {options.seed}', flush=True)
    chance = random.Random(options.seed)
    broker = Broker(options.broker)
    run = 0
    try:
        broker.start()
        client = Client(broker)
        client.ask('PUT', '/config', {'compatibility': 'NONE'})
        writers = Writers(broker, options.seed)
        for run in range(1, options.runs + 1):
            writers.wait(chance.randrange(20, 150))
            time.sleep(chance.random() * 0.05)  # the moment of the kill is meant to be arbitrary
            broker.kill()
            broker.start()
            print(f'ok kill9-registry {run}: {verify(broker, writers)} versions as they were answered', flush=True)
        writers.stop()
        broker.kill()
        broker.start()
        count = verify(broker, writers)
        verify_topic(broker)
        broker.stop()  # with a snapshot
        broker.start()
        verify(broker, writers)
        print(f'ok kill9-registry all: {count} versions', flush=True)
        return 0
    except (Wrong, BrokerFailed, OSError) as e:
        print(f'not ok kill9-registry {run}: {e}\n{broker.log_tail()}', flush=True)
        return 1
    finally:
        broker.close()


if __name__ == '__main__':
    sys.exit(main())
