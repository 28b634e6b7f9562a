#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""schemas_topic_test.py - the topic `_schemas`: what kcat, confluent-kafka and kafka-python read there is what the
registry answers; who waits in it is woken by a change; nobody else can write it, change it or delete it."""
import json
import os
import subprocess
import time
import urllib.error
import urllib.request

import kafka
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions
from scenario import BOOTSTRAP, Suite, check, equal, expect_error

HTTP = os.environ.get('STROM_HTTP')
TOPIC = '_schemas'
COMMON = {'bootstrap.servers': BOOTSTRAP, 'broker.address.family': 'v4', 'log_level': 0}
PATIENCE_S = 30


def ask(method, path, body=None):
    request = urllib.request.Request(HTTP + path, method=method, headers={'Content-Type': 'application/json'},
                                     data=None if body is None else json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.loads(response.read() or b'null')
    except urllib.error.HTTPError as e:
        raise AssertionError(f'{method} {path}: {e.code} {e.read()[:200]}') from None


def registered(subject, schema, **more):
    return ask('POST', f'/subjects/{subject}/versions', {'schema': schema, **more})


class State:
    """What a registry that replays the topic would hold."""

    def __init__(self):
        self.values = {}

    def take(self, key, value):
        key, value = json.loads(key), None if value is None else json.loads(value)
        assert list(key)[0] == 'keytype' and list(key)[-1] == 'magic', key
        where = tuple(item for name, item in key.items() if name != 'magic')
        if value is None:
            self.values.pop(where, None)
        else:
            self.values[where] = value

    def of(self, kind):
        return {where[1:]: value for where, value in self.values.items() if where[0] == kind}


def versions_served():
    return {(v['subject'], v['version']): v for v in ask('GET', '/schemas?subjectPrefix=:*:&deleted=true&limit=100000')}


def compare(state):
    """The topic's state with the registry's answers."""
    served, told = versions_served(), state.of('SCHEMA')
    equal('versions', sorted(told), sorted(served))
    for where, value in told.items():
        for name in ('id', 'schema', 'metadata', 'ruleSet', 'references'):
            equal(f'{name} of {where}', value.get(name), served[where].get(name))
        equal(f'type of {where}', value.get('schemaType', 'AVRO'), served[where].get('schemaType', 'AVRO'))
        equal(f'deleted of {where}', value['deleted'], served[where].get('deleted', False))
    contexts = [where[1] for where in state.of('CONTEXT')]
    equal('contexts', sorted(contexts), [c for c in ask('GET', '/contexts') if c != '.'])
    for (subject,), value in state.of('CONFIG').items():
        path = '/config' if subject is None else f'/config/{subject}'
        equal(f'config of {subject}', value['compatibilityLevel'], ask('GET', path)['compatibilityLevel'])
    for (subject,), value in state.of('MODE').items():
        equal(f'mode of {subject}', value['mode'], ask('GET', f'/mode/{subject}')['mode'])


def with_patience(read_state):
    """The topic follows the registry a moment later."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            compare(read_state())
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def fill():
    int_id = registered('one', '"int"')['id']
    registered('one', '"long"')
    registered('gone', '"int"')
    registered('soft', '{"type":"fixed","name":"F","size":7}')
    registered(':.ctx:one', '"string"', metadata={'properties': {'owner': 'me'}, 'tags': {'a.b': ['PII']}})
    registered('message', 'syntax = "proto3"; message M { string s = 1; }', schemaType='PROTOBUF')
    registered('money', '{"type":"number"}', schemaType='JSON')
    registered('bill', '{"properties":{"sum":{"$ref":"money"}}}', schemaType='JSON',
               references=[{'name': 'money', 'subject': 'money', 'version': 1}])
    ask('DELETE', '/subjects/soft')
    ask('DELETE', '/subjects/gone')
    ask('DELETE', '/subjects/gone?permanent=true')
    ask('PUT', '/config', {'compatibility': 'FULL'})
    ask('PUT', '/config/:.ctx:', {'compatibility': 'NONE'})
    ask('PUT', '/mode/one', {'mode': 'READONLY'})
    check(int_id == 1, f'the first id is {int_id}')


def read_kcat():
    out = subprocess.run(['kcat', '-b', BOOTSTRAP, '-C', '-t', TOPIC, '-o', 'beginning', '-e', '-q', '-Z',
                          '-f', '%k\t%s\n'], stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout
    state = State()
    for line in out.splitlines():
        key, value = line.split('\t')
        state.take(key, None if value == 'NULL' else value)
    return state


def read_confluent():
    """As a member of a group, from the beginning, and its offset is committed."""
    consumer = Consumer({**COMMON, 'group.id': f'tail-{time.monotonic_ns()}', 'auto.offset.reset': 'earliest',
                         'enable.auto.commit': False, 'enable.partition.eof': True})
    consumer.subscribe([TOPIC])
    state, last = State(), -1
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is not None and message.error():
            check(message.error().code() == KafkaError._PARTITION_EOF, str(message.error()))
            break
        if message is not None:
            check(message.offset() > last, 'offsets do not rise')
            last = message.offset()
            state.take(message.key(), message.value())
    consumer.commit(asynchronous=False)
    equal('committed', consumer.committed([TopicPartition(TOPIC, 0)])[0].offset, last + 1)
    consumer.close()
    return state


def read_kafka_python():
    consumer = kafka.KafkaConsumer(TOPIC, bootstrap_servers=BOOTSTRAP, auto_offset_reset='earliest',
                                   consumer_timeout_ms=1000, enable_auto_commit=False, group_id=None)
    state = State()
    for message in consumer:
        state.take(message.key, message.value)
    consumer.close()
    return state


def woken():
    """Who waits for longer than the test does has the record as soon as the change is made."""
    consumer = Consumer({**COMMON, 'group.id': 'waits', 'fetch.wait.max.ms': 110_000, 'fetch.min.bytes': 1,
                         'socket.timeout.ms': 120_000, 'enable.auto.commit': False})
    _, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=20)
    check(end > 10, f'the topic ends at {end}')
    consumer.assign([TopicPartition(TOPIC, 0, end)])
    check(consumer.poll(1) is None, 'a record that nobody wrote')
    registered('woken', '"bytes"')
    message = consumer.poll(PATIENCE_S)
    check(message is not None and not message.error(), 'nothing came')
    equal('key', message.key(), b'{"keytype":"SCHEMA","subject":"woken","version":1,"magic":1}')
    equal('offset', message.offset(), end)
    consumer.close()


def read_only():
    producer = Producer({**COMMON, 'message.timeout.ms': 10_000})
    errors = []
    producer.produce(TOPIC, 'x', key='x', on_delivery=lambda error, _: errors.append(error))
    producer.flush(20)
    check(errors and errors[0] is not None and errors[0].code() == KafkaError.TOPIC_EXCEPTION, f'produce: {errors}')
    admin = AdminClient(COMMON)
    expect_error(['POLICY_VIOLATION'], lambda: admin.delete_topics([TOPIC])[TOPIC].result(20))
    expect_error(['POLICY_VIOLATION'],
                 lambda: admin.create_partitions([NewPartitions(TOPIC, 3)])[TOPIC].result(20))
    resource = ConfigResource(ConfigResource.Type.TOPIC, TOPIC, set_config={'cleanup.policy': 'delete'})
    expect_error(['POLICY_VIOLATION'], lambda: admin.alter_configs([resource])[resource].result(20))
    transaction = Producer({**COMMON, 'transactional.id': 'writes', 'message.timeout.ms': 10_000})
    transaction.init_transactions(20)
    transaction.begin_transaction()
    transaction.produce(TOPIC, 'x', key='x')
    transaction.flush(20)
    expect_error(['TOPIC_EXCEPTION'], lambda: transaction.commit_transaction(20))
    configs = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, TOPIC)])
    found = {c.name: c.value for c in next(iter(configs.values())).result(20).values()}
    equal('cleanup.policy', found['cleanup.policy'], 'compact')
    topic = admin.list_topics(TOPIC, timeout=20).topics[TOPIC]
    equal('partitions', list(topic.partitions), [0])
    with_patience(read_kcat)  # and nothing of it got in


def main():
    suite = Suite('schemas-topic')
    suite.run('changes', fill)
    suite.run('kcat', lambda: with_patience(read_kcat))
    suite.run('confluent group', lambda: with_patience(read_confluent))
    suite.run('kafka-python', lambda: with_patience(read_kafka_python))
    suite.run('long poll', woken)
    suite.run('read only', read_only)
    suite.end()


if __name__ == '__main__':
    main()
