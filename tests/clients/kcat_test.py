#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kcat 1.7.1 (librdkafka 2.0.2 from the shell): what a person types. Topics are made with confluent-kafka."""
import json
import subprocess

from confluent_test import create, produce
from scenario import BOOTSTRAP, CODECS, TIME_MS, Suite, check, equal, fresh_topic, records

LINES = [(f'key-{i}', f'value-{i}-' + 'abc' * (i % 50)) for i in range(300)]


def kcat(*arguments, stdin=''):
    """Runs kcat; returns (exit code, output, errors)."""
    result = subprocess.run(['kcat', '-b', BOOTSTRAP, '-X', 'broker.address.family=v4', *arguments], input=stdin,
                            capture_output=True, text=True, timeout=30, check=False)
    return result.returncode, result.stdout, result.stderr


def kcat_ok(*arguments, stdin=''):
    code, out, errors = kcat(*arguments, stdin=stdin)
    check(code == 0, f'kcat {" ".join(arguments)} ended with {code}: {errors}')
    return out


def metadata():
    topic = fresh_topic('kcat-list')
    create(topic)
    listing = json.loads(kcat_ok('-L', '-J', '-t', topic))
    equal('topic', listing['topics'][0]['topic'], topic)
    equal('partitions', [p['partition'] for p in listing['topics'][0]['partitions']], [0, 1, 2])
    check(listing['brokers'][0]['name'] == BOOTSTRAP, f'it advertises {listing["brokers"]}')


def codec(name):
    """Keyed lines with a header go in, and come out of each partition in their order."""
    topic = fresh_topic('kcat-' + name)
    create(topic)
    for partition in range(3):
        lines = ''.join(f'{k}\t{v}\n' for i, (k, v) in enumerate(LINES) if i % 3 == partition)
        kcat_ok('-P', '-t', topic, '-p', str(partition), '-K', '\t', '-z', name, '-H', 'from=kcat',
                '-X', 'enable.idempotence=true', stdin=lines)
    for partition in range(3):
        out = kcat_ok('-C', '-t', topic, '-p', str(partition), '-o', 'beginning', '-e', '-q', '-J')
        got = [json.loads(line) for line in out.splitlines()]
        want = [kv for i, kv in enumerate(LINES) if i % 3 == partition]
        equal('offsets', [m['offset'] for m in got], list(range(len(want))))
        equal('records', [(m['key'], m['payload']) for m in got], want)
        check(all(m['headers'] == ['from', 'kcat'] for m in got), 'headers differ')


def ranges():
    topic = fresh_topic('kcat-range')
    create(topic)
    kcat_ok('-P', '-t', topic, '-p', '0', stdin=''.join(f'{i}\n' for i in range(100)))
    equal('from 90', kcat_ok('-C', '-t', topic, '-p', '0', '-o', '90', '-e', '-q').split(),
          [str(i) for i in range(90, 100)])
    equal('last 3', kcat_ok('-C', '-t', topic, '-p', '0', '-o', '-3', '-e', '-q').split(), ['97', '98', '99'])
    equal('4 records', kcat_ok('-C', '-t', topic, '-p', '0', '-o', '5', '-c', '4', '-q').split(), ['5', '6', '7', '8'])


def offsets_by_time():
    topic = fresh_topic('kcat-time')
    create(topic)
    produce(topic, records())
    out = kcat_ok('-Q', '-t', f'{topic}:1:{TIME_MS + 5}')
    check(f'{topic} [1] offset 2' in out, out)


def unknown_topic():
    code, _, errors = kcat('-C', '-t', fresh_topic('nobody-made-this'), '-p', '0', '-e', '-o', 'beginning')
    check(code != 0 and 'nknown' in errors, f'{code}: {errors}')


def main():
    suite = Suite('kcat')
    for scenario in (metadata, ranges, offsets_by_time, unknown_topic):
        suite.run(scenario.__name__, scenario)
    for name in CODECS:
        suite.run('codec_' + name, lambda name=name: codec(name))
    suite.end()


if __name__ == '__main__':
    main()
