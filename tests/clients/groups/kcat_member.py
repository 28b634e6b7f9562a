#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A group member with kcat 1.7.1 (librdkafka 2.0.2): it reads what kcat prints. kcat commits by itself."""
import json
import re
import signal
import subprocess
import threading

from member import SETTINGS, Owned, start, stopped, tell

ASSIGNORS = {'range': 'range', 'roundrobin': 'roundrobin', 'cooperative': 'cooperative-sticky'}
REBALANCED = re.compile(r'% Group \S+ rebalanced(?: \(memberid [^)]*\))?: (?:incremental )?(assign|revoke)[^:]*:(.*)')
GENERATION = re.compile(r'JoinGroup response: GenerationId (\d+)')
PARTITION = re.compile(r'(\S+) \[(\d+)\]')
owned = Owned()


def command():
    settings = {
        'broker.address.family': 'v4', 'client.id': SETTINGS['name'], 'session.timeout.ms': SETTINGS['session_ms'],
        'heartbeat.interval.ms': SETTINGS['heartbeat_ms'], 'auto.offset.reset': 'earliest',
        'partition.assignment.strategy': ASSIGNORS[SETTINGS['assignor']], 'auto.commit.interval.ms': 200,
        'topic.metadata.refresh.interval.ms': 500, 'fetch.wait.max.ms': 100, 'reconnect.backoff.max.ms': 500,
    }
    if SETTINGS.get('instance'):
        settings['group.instance.id'] = SETTINGS['instance']
    # Whole lines at once, or kcat's records and librdkafka's log would run into each other.
    words = ['stdbuf', '-oL', 'kcat', '-b', SETTINGS['bootstrap'], '-J', '-d', 'cgrp']
    for name, value in settings.items():
        words += ['-X', f'{name}={value}']
    return words + ['-G', SETTINGS['group'], *SETTINGS['topics']]


def main():
    with subprocess.Popen(command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as kcat:
        start(kcat.pid)
        threading.Thread(target=lambda: (stopped.wait(), kcat.send_signal(signal.SIGTERM)), daemon=True).start()
        generation = None
        for line in kcat.stdout:
            generation = told(line, generation)
        if kcat.wait() == 0:
            owned.revoke(owned.partitions)
            tell('left')
        else:
            print(f'kcat ended with {kcat.returncode}', flush=True)


def told(line, generation):
    """Passes one line of kcat on; returns the generation that is known after it."""
    if line.startswith('{'):
        record = json.loads(line)
        tell('records', rows=[[record['topic'], record['partition'], record['offset'], record['payload']]])
        return generation
    found = GENERATION.search(line)
    if found:
        return int(found.group(1))
    found = REBALANCED.match(line)
    if found:
        partitions = [[topic, int(number)] for topic, number in PARTITION.findall(found.group(2))]
        if found.group(1) == 'assign':
            owned.assign(partitions, generation)
        else:
            owned.revoke(partitions)
    elif 'FENCED' in line:
        tell('fenced', text=line.strip())
    elif not line.startswith(('%7|', '% Reached end')):
        print(line, end='', flush=True)
    return generation


if __name__ == '__main__':
    main()
