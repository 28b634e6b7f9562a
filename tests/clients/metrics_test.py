#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""metrics_test.py - /metrics against docs/metrics.md: what is printed is documented, and what is documented is printed,
with its type and its labels; every line is well-formed."""
import os
import re
import sys
import urllib.request

from confluent_kafka import Consumer, TopicPartition
import contracts_test
from confluent_test import COMMON, create, produce
from scenario import Failure, Suite, check, equal, fresh_topic, records

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HTTP = os.environ.get('STROM_HTTP')
LINE = re.compile(r'([a-z_]+)(\{((?:[a-zA-Z]+="(?:[^"\\\n]|\\.)*",?)+)\})? (-?[0-9.]+|NaN)')
PARTS = {'summary': ('', '_sum', '_count'), 'histogram': ('_bucket', '_sum', '_count')}


def scrape():
    with urllib.request.urlopen(HTTP + '/metrics', timeout=10) as response:
        equal('content type', response.headers['Content-Type'], 'text/plain; version=0.0.4; charset=utf-8')
        return response.read().decode()


class Family:
    def __init__(self, kind):
        self.kind, self.labels, self.series = kind, set(), set()


def parse(text):
    """{name: Family}; refuses what Prometheus would."""
    families, name = {}, None
    for line in text.splitlines():
        if line.startswith('# HELP '):
            name = line.split()[2]
            check(name not in families, f'{name} twice')
            check(len(line.split()) > 3, f'{name} has no help')
        elif line.startswith('# TYPE '):
            equal('TYPE follows HELP', line.split()[2], name)
            families[name] = Family(line.split()[3])
        else:
            match = LINE.fullmatch(line)
            check(match, f'malformed: {line}')
            family = families[name]
            check(match[1] in [name + part for part in PARTS.get(family.kind, [''])], f'{match[1]} within {name}')
            check(match[1] + (match[2] or '') not in family.series, f'twice: {line}')
            family.series.add(match[1] + (match[2] or ''))
            family.labels |= set(re.findall(r'([a-zA-Z]+)="', match[3] or '')) - {'le'}
    return families


def documented():
    """{name: (type, labels)}"""
    rows = {}
    with open(os.path.join(ROOT, 'docs', 'metrics.md'), encoding='utf-8') as f:
        for line in f:
            match = re.fullmatch(r'\| `(\w+)` \| (\w+) \| ([\w, ]*) ?\| .+ \|', line.strip())
            if match:
                check(match[1] not in rows, f'{match[1]} is documented twice')
                rows[match[1]] = (match[2], set(match[3].replace(' ', '').split(',')) - {''})
    check(len(rows) > 30, f'docs/metrics.md has {len(rows)} metrics')
    return rows


def matches_docs():
    topic = fresh_topic('metrics')
    create(topic)
    produce(topic, records())
    commit(fresh_topic('metrics-group'), topic, 7)
    governed, schema = contracts_test.bound('metrics')
    contracts_test.refused(governed, contracts_test.framed(schema, contracts_test.payload(1, -1.0)))
    printed, rows = parse(scrape()), documented()
    equal('printed and not documented', sorted(set(printed) - set(rows)), [])
    equal('documented and not printed', sorted(set(rows) - set(printed)), [])
    for name, (kind, labels) in rows.items():
        equal(f'type of {name}', printed[name].kind, kind)
        equal(f'labels of {name}', sorted(printed[name].labels), sorted(labels))


def commit(group, topic, offset):
    consumer = Consumer({**COMMON, 'group.id': group, 'enable.auto.commit': False})
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


def knows_lag():
    topic, group = fresh_topic('metrics'), fresh_topic('metrics"group\n')
    create(topic)
    produce(topic, records())
    commit(group, topic, 7)
    text, ends = scrape(), sum(r.partition == 0 for r in records())
    labels = '{consumergroup="%s",topic="%s",partition="0"}' % (group.replace('"', '\\"').replace('\n', '%0A'), topic)
    check(f'\nkafka_consumergroup_current_offset{labels} 7\n' in text, 'the committed offset')
    check(f'\nkafka_consumergroup_lag{labels} {ends - 7}\n' in text, f'a lag of {ends - 7}')


def counts_records():
    topic = fresh_topic('metrics')
    create(topic)
    produce(topic, records())
    text = scrape()
    name = 'kafka_server_brokertopicmetrics_messagesin_total'
    check(f'\n{name}{{topic="{topic}"}} {len(records())}\n' in text, f'{name} of {len(records())} records')


def main():
    suite = Suite('metrics')
    if not HTTP:
        raise Failure('STROM_HTTP is not set: these are for Strom')
    with urllib.request.urlopen(HTTP + '/schemas/types', timeout=10):
        pass  # so that the registry has counted something
    suite.run('documentation', matches_docs)
    suite.run('records', counts_records)
    suite.run('lag', knows_lag)
    suite.end()


if __name__ == '__main__':
    sys.exit(main())
