#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""demo.py - what Strom is for, on real input, in a minute. First act: a data contract on 3,201 real and dirty movies,
with two ordinary clients. Second act: a week of the world's earthquakes goes through a kill -9 and comes back whole;
then they get a schema, drafted from the records and used by Confluent's own serializer.

Run it as `./dev demo`. It uses ports and a directory of its own, ends by itself and leaves nothing behind.
"""
import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time

from demo_support import DATA, ROOT, DemoFailed, Shell, fact, good, heading, paint
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
from broker import Broker, BrokerFailed  # noqa: E402

from confluent_kafka import Producer  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

import demo_movies  # noqa: E402

QUAKES = os.path.join(DATA, 'earthquakes.json')
TOPIC, PARTITIONS = 'earthquakes', 3
AVRO_TOPIC = 'earthquakes-avro'
SUBJECT = f'{AVRO_TOPIC}-value'


def digest(pairs):
    """One checksum over all (key, value) pairs, whatever their order."""
    total = hashlib.sha256()
    for key, value in sorted(pairs):
        total.update(len(key).to_bytes(4, 'big') + key + len(value).to_bytes(4, 'big') + value)
    return total.hexdigest()[:16]


def earthquakes():
    """(key, value, milliseconds) of each event, oldest first."""
    with open(QUAKES, encoding='utf-8') as f:
        features = json.load(f)['features']
    features.sort(key=lambda feature: feature['properties']['time'])
    return [(feature['id'].encode(), json.dumps(feature, separators=(',', ':')).encode(), feature['properties']['time'])
            for feature in features]


def create(bootstrap, topic):
    admin = AdminClient({'bootstrap.servers': bootstrap})
    keep = {'retention.ms': '-1'}  # these events are years old: the default week of retention would let them go
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1, config=keep)]).values():
        future.result(20)


class Writer:
    """confluent-kafka as an idempotent producer; counts what the broker has promised to keep."""

    def __init__(self, bootstrap):
        self.acknowledged = 0
        self.refused = []
        self.producer = Producer({'bootstrap.servers': bootstrap, 'enable.idempotence': True, 'acks': 'all',
                                  'compression.type': 'zstd', 'linger.ms': 5, 'reconnect.backoff.max.ms': 200,
                                  'queue.buffering.max.messages': 1000000, 'log_level': 2})

    def _delivered(self, error, _message):
        if error is None:
            self.acknowledged += 1
        else:
            self.refused.append(error)

    def send(self, topic, rows):
        for key, value, at_ms in rows:
            self.producer.produce(topic, value=value, key=key, timestamp=at_ms, on_delivery=self._delivered)
            self.producer.poll(0)

    def finish(self):
        left = self.producer.flush(60)
        if left or self.refused:
            raise DemoFailed(f'{left} records without an answer, refused: {self.refused[:1]}')


def read_back(bootstrap, topic):
    """Everything in the topic, read by kcat: [(partition, offset, key, value)]."""
    rows = []
    for partition in range(PARTITIONS):
        out = subprocess.run(['kcat', '-b', bootstrap, '-C', '-t', topic, '-p', str(partition), '-o', 'beginning', '-e',
                              '-q', '-f', '%p\t%o\t%k\t%s\n'], capture_output=True, check=False, timeout=60)
        if out.returncode != 0:
            raise DemoFailed(f'kcat: {out.stderr.decode(errors="replace")}')
        for line in out.stdout.splitlines():
            number, offset, key, value = line.split(b'\t', 3)
            rows.append((int(number), int(offset), key, value))
    return rows


def show_survival(broker, quakes):
    """Produces, kills the broker half way, starts it again, and compares what is there with what was sent."""
    writer = Writer(broker.bootstrap)
    half = len(quakes) // 2
    writer.send(TOPIC, quakes[:half])
    while writer.acknowledged < half // 2:
        writer.producer.poll(0.01)
    writer.send(TOPIC, quakes[half:half + 200])  # these are under way when it dies
    before = writer.acknowledged
    broker.kill()
    fact('killed with -9', f'{before:,} of {len(quakes):,} acknowledged, {half + 200 - before} under way')
    seconds = broker.start()
    fact('started again', f'listening after {seconds * 1000:.0f} ms')
    writer.send(TOPIC, quakes[half + 200:])
    writer.finish()
    rows = read_back(broker.bootstrap, TOPIC)
    sent, got = digest((k, v) for k, v, _ in quakes), digest((k, v) for _, _, k, v in rows)
    fact('sent', f'{len(quakes):,} records, checksum {sent}')
    fact('read back', f'{len(rows):,} records, checksum {got}')
    for partition in range(PARTITIONS):
        offsets = [offset for p, offset, _, _ in rows if p == partition]
        if offsets != list(range(len(offsets))):
            raise DemoFailed(f'the offsets of partition {partition} have gaps')
    if sent != got:
        raise DemoFailed('what came back is not what was sent')
    good('nothing lost, nothing doubled')
    return rows


def write(shell, name, schema):
    with open(os.path.join(shell.folder, name), 'w', encoding='utf-8') as f:
        json.dump(schema, f)


def quake_contract():
    def rule(name, doc, expr):
        return {'name': name, 'doc': doc, 'kind': 'CONDITION', 'type': 'CEL', 'mode': 'WRITE', 'expr': expr}
    return {'topic': AVRO_TOPIC, 'partitions': 1, 'settings': {'retention.ms': -1}, 'value': {
        'schemaType': 'AVRO', 'schemaFile': 'quake.avsc', 'ruleSet': {'enableAt': 'SERVER', 'domainRules': [
            rule('magnitude', 'no earthquake is stronger than 10', 'message.properties.mag <= 10.0'),
            rule('kind', 'nature or a quarry',
                 "message.properties.type in ['earthquake', 'explosion', 'quarry blast']"),
            rule('order', 'an update does not come before its event',
                 'message.properties.updated >= message.properties.time')]}}}


def show_registry(shell, broker, node, rows):
    """A schema for the topic: drafted, registered, used by clients of others, and kept compatible."""
    records = shell.run('consume', TOPIC, '--exit')
    print('  ' + paint('2', f'$ strom consume {TOPIC} --exit | strom schema infer - --type avro --name Earthquake'))
    draft = json.loads(shell.run('schema', 'infer', '-', '--type', 'avro', '--name', 'Earthquake', stdin=records))
    properties = next(field for field in draft['fields'] if field['name'] == 'properties')['type']
    fields = [(field['name'], field['type']) for field in properties['fields']]
    optional = sum(isinstance(kind, list) for _, kind in fields)
    fact('drafted from the records', f'{len(fields)} properties, {optional} of them optional')
    write(shell, 'quake.avsc', draft)
    write(shell, 'earthquakes.contract.json', quake_contract())
    shell.show('contract', 'apply', 'earthquakes.contract.json')

    lines = b'\n'.join(value for _, _, _, value in rows)
    done = subprocess.run([node, os.path.join(ROOT, 'tools', 'demo_registry.mjs'), broker.bootstrap, broker.http,
                           AVRO_TOPIC], input=lines, capture_output=True, check=False, timeout=60)
    if done.returncode != 0:
        raise DemoFailed(f'demo_registry.mjs: {done.stderr.decode(errors="replace")}')
    told = json.loads(done.stdout)
    if not told['same'] or told['records'] != len(rows):
        raise DemoFailed(f'what the deserializer read is not what was written: {told}')
    fact("Confluent's Avro serializer", f'{told["records"]:,} records written, read back, the same')
    if not told['refused']:
        raise DemoFailed('an earthquake of magnitude 12 was accepted')
    fact('one of magnitude 12', paint('1;31', told['refused']))
    shell.show('contract', 'violations', AVRO_TOPIC)
    fact('size of the records', f'{told["avro_bytes"]:,} bytes; as JSON {told["json_bytes"]:,}')

    depth = {'name': 'depth_error_km', 'type': 'double'}
    write(shell, 'strict.avsc', {**draft, 'fields': draft['fields'] + [depth]})
    shell.show('schema', 'check', SUBJECT, 'strict.avsc', expect=1)
    shell.run('schema', 'register', SUBJECT, 'strict.avsc', expect=1)
    write(shell, 'better.avsc', {**draft, 'fields': draft['fields'] + [{**depth, 'default': 0}]})
    shell.show('schema', 'register', SUBJECT, 'better.avsc')


def explore(binary):
    binary = os.path.relpath(binary)
    print(f"""  {binary} serve                      a broker of your own, data in ./strom-data
  {binary} topic create quakes --partitions 3
  kcat -b 127.0.0.1:9092 -P -t quakes                    write lines, Ctrl-D ends
  {binary} consume quakes
  {binary} contract --help            docs/guide.md is the tour you have just seen, by hand
  {binary} --help                     README.md has more""")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--broker', default=os.path.join(ROOT, 'build/src/server/strom'))
    parser.add_argument('--node', default='node', help='the Node.js that runs the serializer')
    options = parser.parse_args()
    quakes = earthquakes()
    broker = Broker(options.broker)
    try:
        heading('Strom starts')
        seconds = broker.start()
        fact('listening', f'after {seconds * 1000:.0f} ms on {broker.bootstrap}')
        fact('memory', f'{broker.rss_bytes() / 1e6:.0f} MB')
        with tempfile.TemporaryDirectory(prefix='strom-demo-') as folder:
            demo_movies.show(Shell(options.broker, broker, folder), broker, options.node)

        create(broker.bootstrap, TOPIC)
        heading(f'{len(quakes):,} earthquakes of one week go in, and the broker is killed on the way')
        rows = show_survival(broker, quakes)

        heading('They get a schema, and the registry keeps it')
        with tempfile.TemporaryDirectory(prefix='strom-demo-') as folder:
            show_registry(Shell(options.broker, broker, folder), broker, options.node, rows)

        if broker.stop() != 0:
            raise DemoFailed('it did not stop cleanly')

        heading('Explore further')
        explore(options.broker)
        return 0
    except (DemoFailed, BrokerFailed) as e:
        print(f'\n{paint("1;31", "The demo failed")}: {e}\n{broker.log_tail()}', file=sys.stderr)
        return 1
    finally:
        broker.close()


if __name__ == '__main__':
    sys.exit(main())
