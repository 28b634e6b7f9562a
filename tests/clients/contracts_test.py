#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""contracts_test.py - topics bound to contracts, as a plain producer meets them: confluent-kafka sends bytes that a
serializer would have made, or not; raw requests show what the protocol says of each record."""
import json
import os
import struct
import sys
import threading
import urllib.error
import urllib.request
import uuid

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import ConfigResource
from confluent_test import COMMON, admin, create, fetch, wait
from scenario import BOOTSTRAP, Failure, Suite, check, equal, expect_error, fresh_topic

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
import messages  # noqa: E402
from rawkafka import Connection, batch, record, varint  # noqa: E402

HTTP = os.environ.get('STROM_HTTP')
HOST, PORT = BOOTSTRAP.rsplit(':', 1)
INVALID_RECORD, NOT_ENOUGH_REPLICAS = 87, 19
ONE_BATCH_MS = 60000  # a producer that is flushed does not wait so long


def ask(method, path, body=None):
    """(status, JSON)"""
    request = urllib.request.Request(HTTP + path, method=method, headers={'Content-Type': 'application/json'},
                                     data=None if body is None else json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.loads(response.read() or b'null')
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read() or b'null')


def order_schema(*more):
    return json.dumps({'type': 'record', 'name': 'Order', 'namespace': 'shop', 'fields': [
        {'name': 'id', 'type': 'long'}, {'name': 'amount', 'type': 'double'}, *more]})


def condition(name, expression, **more):
    return {'name': name, 'kind': 'CONDITION', 'type': 'CEL', 'mode': 'WRITE', 'expr': expression, **more}


POSITIVE = condition('positive', 'message.amount > 0.0', doc='the amount must be above 0')
NOTE = {'name': 'note', 'type': 'string', 'default': ''}


def register(subject, schema, rules=(), **more):
    """The version's id."""
    body = {'schema': schema, **more}
    if rules:
        body['ruleSet'] = {'domainRules': list(rules)}
    status, answer = ask('POST', f'/subjects/{subject}/versions', body)
    check(status == 200, f'registration: {status} {answer}')
    return answer['id']


def guid_of(subject):
    return uuid.UUID(ask('GET', f'/subjects/{subject}/versions/latest')[1]['guid']).bytes


def payload(number, amount):
    return varint(number) + struct.pack('<d', amount)


def framed(schema_id, data):
    return struct.pack('>bI', 0, schema_id) + data


def bound(name, **settings):
    """A topic whose values are held to their contract."""
    topic = fresh_topic(name)
    schema_id = register(f'{topic}-value', order_schema(), [POSITIVE])
    create(topic, 1, {'strom.value.validation.level': 'contract',
                      **{f'strom.{k.replace("_", ".")}': v for k, v in settings.items()}})
    return topic, schema_id


def alter(topic, **settings):
    everything = {'strom.value.validation.level': 'contract',
                  **{f'strom.{k.replace("_", ".")}': v for k, v in settings.items()}}
    wait(admin.alter_configs([ConfigResource('topic', topic, set_config=everything)]))


def send(topic, *values, **config):
    """Sends one batch; raises the error of its records. Each value is bytes, None, or (value, headers)."""
    errors = []
    producer = Producer({**COMMON, 'acks': 'all', 'linger.ms': ONE_BATCH_MS, 'message.timeout.ms': 2 * ONE_BATCH_MS,
                         'client.id': 'teller', **config})
    producer.list_topics(topic, 20)  # what it does not know yet gets its records one by one, maybe in batches
    for value in values:
        value, headers = value if isinstance(value, tuple) else (value, None)
        producer.produce(topic, value=value, key=b'k', partition=0, headers=headers,
                         on_delivery=lambda e, m: errors.append(e) if e else None)
    equal('unsent', producer.flush(20), 0)
    if errors:
        equal('records that failed', len(errors), len(values))
        raise KafkaException(errors[0])


def refused(topic, *values):
    expect_error(['INVALID_RECORD'], lambda: send(topic, *values))
    return ask('GET', f'/contracts/violations?topic={topic}')[1]['violations'][-1]


def stored(topic):
    """[(offset, value)]"""
    return [(offset, same[1]) for offset, same in fetch(topic, [0])[0]]


def status(topic):
    return ask('GET', f'/contracts/topics/{topic}')[1]


def expect_counts(topic, **wanted):
    equal(f'counts of {topic}', {k: status(topic)[k] for k in wanted}, wanted)


# ---- what is refused, and how it is told

def good_and_bad():
    topic, i = bound('reject')
    good = framed(i, payload(1, 2.5))
    send(topic, good, good)
    told = refused(topic, good, framed(i, payload(2, -2.5)), good)
    equal('violation', [told[k] for k in ('index', 'rule', 'path', 'version', 'side', 'action', 'reason', 'client')],
          [1, 'positive', '$', 1, 'value', 'reject', 'the amount must be above 0', 'teller'])
    equal('rule', refused(topic, framed(i, payload(1, 1.0)[:-1]))['rule'], 'strom:structure')
    equal('rule', refused(topic, framed(i, payload(1, 1.0) + b'\0'))['rule'], 'strom:structure')
    send(topic, good)
    equal('stored', stored(topic), [(0, good), (1, good), (2, good)])
    expect_counts(topic, checked=8, passed=3, refused=5, dead_lettered=0, marked=0, observed=0)


def error_texts():
    topic, i = bound('texts')
    records = [record(framed(i, payload(n, -1.0 if n % 2 else 1.0)), offset_delta=n) for n in range(5)]
    values = {'acks': -1, 'timeout_ms': 10000, 'topics': [{'name': topic, 'partitions': [
        {'index': 0, 'records': batch(b''.join(records), len(records))}]}]}
    with Connection((HOST, int(PORT))) as connection:
        for version in (7, 8, 12):
            answer = messages.ask(connection, 'Produce', version, values)['topics'][0]['partitions'][0]
            equal('error', answer['error'], INVALID_RECORD)
            if version < 8:
                continue
            check(answer['error_message'].startswith('2 of 5 records break the contract of topic '),
                  answer['error_message'])
            equal('record errors', [(e['batch_index'], e['batch_index_error_message'])
                                    for e in answer['record_errors']],
                  [(n, f"$: rule 'positive' of {topic}-value, version 1: the amount must be above 0") for n in (1, 3)])


def texts_are_utf8():
    """Names of fields are told, cut to a length: never within a character."""
    topic = fresh_topic('utf8')
    for n in range(4):
        outer, inner = 'x' * n + 'ü' * 200, 'ä' * 200
        schema = {'type': 'object', 'properties': {outer: {'type': 'object', 'properties': {inner: {
            'type': 'integer'}}}}}
        register(f'{topic}-{n}-value', json.dumps(schema), schemaType='JSON')
        create(f'{topic}-{n}', 1, {'strom.value.validation.level': 'structure'})
        value = json.dumps({outer: {inner: 'no integer'}}, ensure_ascii=False).encode()
        values = {'acks': -1, 'timeout_ms': 10000, 'topics': [{'name': f'{topic}-{n}', 'partitions': [
            {'index': 0, 'records': batch(record(value))}]}]}
        with Connection((HOST, int(PORT))) as connection:  # which decodes strictly
            answer = messages.ask(connection, 'Produce', 8, values)['topics'][0]['partitions'][0]
        equal('error', answer['error'], INVALID_RECORD)
        check('$.' + 'x' * n + 'üüü' in answer['record_errors'][0]['batch_index_error_message'], str(answer))


def whose_schema():
    topic, i = bound('whose')
    other = register(fresh_topic('other') + '-value', json.dumps({'type': 'string'}))
    equal('raw', refused(topic, b'{"id":1}')['rule'], 'strom:framing')
    equal('empty', refused(topic, b'')['rule'], 'strom:framing')
    equal('unknown id', refused(topic, framed(9_999_999, b''))['reason'],
          f'schema id 9999999 is not registered under subject "{topic}-value"')
    equal('of another subject', refused(topic, framed(other, b'\x02a'))['rule'], 'strom:schema')
    send(topic, framed(i, payload(1, 1.0)), None)  # a tombstone passes


def nulls():
    topic, _ = bound('nulls', value_null='reject')
    equal('rule', refused(topic, None)['rule'], 'strom:null')


def headers():
    topic, i = bound('headers')
    guid = b'\1' + guid_of(f'{topic}-value')
    name = '__value_schema_id'
    good, bad = payload(1, 1.0), payload(1, -1.0)
    send(topic, guid + good, (good, [(name, guid)]), (framed(i, good), [(name, guid)]))
    equal('by prefix', refused(topic, guid + bad)['rule'], 'positive')
    equal('by header', refused(topic, (bad, [(name, guid)]))['rule'], 'positive')
    equal('malformed', refused(topic, (good, [(name, b'\1\2')]))['rule'], 'strom:framing')
    equal('unknown', refused(topic, (good, [(name, b'\1' + bytes(16))]))['rule'], 'strom:schema')


def raw_json():
    topic = fresh_topic('json')
    schema = json.dumps({'type': 'object', 'required': ['n'], 'additionalProperties': False,
                         'properties': {'n': {'type': 'integer', 'minimum': 1}}})
    i = register(f'{topic}-value', schema, [condition('even', 'message.n % 2 == 0')], schemaType='JSON')
    create(topic, 1, {'strom.value.validation.level': 'contract'})
    send(topic, b'{"n":2}', framed(i, b'{"n":4}'))
    equal('rule', refused(topic, b'{"n":3}')['rule'], 'even')
    equal('path', refused(topic, b'{"n":"2"}')['path'], '$.n')
    equal('rule', refused(topic, b'no JSON')['rule'], 'strom:structure')


# ---- what else may become of a bad record

def dead_letters():
    topic, i = bound('letters', validation_on_failure='dlq')
    good, bad = framed(i, payload(1, 1.0)), framed(i, payload(2, -1.0))
    send(topic, good, (bad, [('trace', b'7')]), good)
    send(topic, bad)  # leaves its offset to nobody
    send(topic, good)
    equal('stored', stored(topic), [(0, good), (2, good), (4, good)])
    letters = [same for _, same in fetch(f'{topic}.dlq', [0])[0]]
    equal('letters', [(key, value) for key, value, _, _ in letters], [(b'k', bad), (b'k', bad)])
    found = dict(letters[0][2])
    equal('headers', [found[k] for k in ('trace', '__rule.name', '__rule.subject', '__rule.topic',
                                         '__strom.origin.topic', '__strom.origin.partition',
                                         '__strom.origin.client.id', '__strom.origin.schema.version')],
          [b'7', b'positive', f'{topic}-value'.encode(), topic.encode(), topic.encode(), b'0', b'teller', b'1'])
    expect_counts(topic, checked=5, passed=3, dead_lettered=2, refused=0)
    expect_error(['POLICY_VIOLATION', 'INVALID_REQUEST', 'TOPIC_DELETION_DISABLED'],
                 lambda: wait(admin.delete_topics([f'{topic}.dlq'])))


def letters_of_transactions():
    topic, i = bound('txn', validation_on_failure='dlq')
    good, bad = framed(i, payload(1, 1.0)), framed(i, payload(2, -1.0))
    producer = Producer({**COMMON, 'transactional.id': topic, 'linger.ms': 1000})
    producer.init_transactions(20)
    for commits in (False, True):
        producer.begin_transaction()
        for value in (good, bad):
            producer.produce(topic, value=value, partition=0)
        producer.flush(20)
        (producer.commit_transaction if commits else producer.abort_transaction)(20)
    equal('stored', [value for _, value in stored(topic)], [good])
    equal('letters', [same[1] for _, same in fetch(f'{topic}.dlq', [0])[0]], [bad])


def marks():
    topic, i = bound('marks', validation_on_failure='mark')
    good, bad = framed(i, payload(1, 1.0)), framed(i, payload(2, -1.0))
    send(topic, good, bad)
    got = [same for _, same in fetch(topic, [0])[0]]
    equal('values', [same[1] for same in got], [good, bad])
    equal('headers', [dict(same[2]) for same in got],
          [{}, {'__strom.violation': b'positive: $: the amount must be above 0'}])
    expect_counts(topic, checked=2, passed=1, marked=1)


def observes():
    topic, i = bound('observe', validation_on_failure='observe')
    good, bad = framed(i, payload(1, 1.0)), framed(i, payload(2, -1.0))
    send(topic, good, bad, b'anything')
    equal('stored', [value for _, value in stored(topic)], [good, bad, b'anything'])
    expect_counts(topic, checked=3, passed=1, observed=2)


def rule_actions():
    """A rule's own onFailure beats the topic's setting."""
    topic = fresh_topic('actions')
    i = register(f'{topic}-value', order_schema(), [
        dict(POSITIVE, onFailure='DLQ'), condition('small', 'message.amount < 100.0', onFailure='NONE')])
    create(topic, 1, {'strom.value.validation.level': 'contract', 'strom.validation.dlq.topic': f'{topic}-bad'})
    good, big, bad = (framed(i, payload(1, amount)) for amount in (1.0, 1000.0, -1.0))
    send(topic, good, big, bad)
    equal('stored', [value for _, value in stored(topic)], [good, big])
    equal('letters', [same[1] for _, same in fetch(f'{topic}-bad', [0])[0]], [bad])
    expect_counts(topic, passed=1, observed=1, dead_lettered=1)


# ---- changes

def old_versions():
    topic, first = bound('versions')
    second = register(f'{topic}-value', order_schema(NOTE), [POSITIVE])
    send(topic, framed(first, payload(1, 1.0)), framed(second, payload(1, 1.0) + b'\0'))
    alter(topic, value_schema_version_min='2')
    equal('rule', refused(topic, framed(first, payload(1, 1.0)))['rule'], 'strom:schema')
    send(topic, framed(second, payload(1, 1.0) + b'\0'))
    alter(topic, value_schema_version_min='-1')
    register(f'{topic}-value', order_schema(NOTE, dict(NOTE, name='more')), [POSITIVE])
    equal('rule', refused(topic, framed(second, payload(1, 1.0) + b'\0'))['rule'], 'strom:schema')


def compiles_first():
    """What does not compile is refused when it is bound, with its position."""
    broken = condition('broken', 'message.amount >')
    topic, _ = bound('compiles')
    code, answer = ask('POST', f'/subjects/{topic}-value/versions',
                       {'schema': order_schema(NOTE), 'ruleSet': {'domainRules': [broken]}})
    equal('registration', (code, answer['error_code']), (422, 42210))
    check("rule 'broken'" in answer['message'] and 'line 1, column' in answer['message'], answer['message'])
    topic = fresh_topic('compiles')
    register(f'{topic}-value', order_schema(), [broken])  # it governs nothing
    error = expect_error(['INVALID_CONFIG'],
                         lambda: create(topic, 1, {'strom.value.validation.level': 'contract'}))
    check("rule 'broken'" in str(error), str(error))
    create(topic, 1)
    expect_error(['INVALID_CONFIG'], lambda: alter(topic))


def change_is_linearised():
    """Once a change of the contract is answered, no record enters under the old one: many connections try."""
    topic, _ = bound('change')
    limit, ids, stop, wrong = [0.0], [], threading.Event(), []

    def produce_on():
        with Connection((HOST, int(PORT)), timeout=30) as connection:
            while not stop.is_set():
                low = limit[0]  # acknowledged before this record is sent
                value = framed(ids[-1], payload(1, low - 0.5))
                values = {'acks': -1, 'timeout_ms': 10000, 'topics': [{'name': topic, 'partitions': [
                    {'index': 0, 'records': batch(record(value))}]}]}
                answer = messages.ask(connection, 'Produce', 8, values)['topics'][0]['partitions'][0]
                if answer['error'] not in (INVALID_RECORD, NOT_ENOUGH_REPLICAS): # the other one: it changed each time
                    wrong.append((low, answer['error'], answer['error_message']))

    ids.append(register(f'{topic}-value', order_schema(), [condition('low', 'message.amount > 0.0')]))
    alter(topic, value_schema_version_min='-1')
    threads = [threading.Thread(target=produce_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    for step in range(1, 16):
        new = register(f'{topic}-value', order_schema(), [condition('low', f'message.amount > {step}.0')])
        ids.append(new)
        limit[0] = float(step)
    stop.set()
    for thread in threads:
        thread.join()
    equal('records that entered under an old contract', wrong, [])


def strategies():
    topic = fresh_topic('strategies')
    i = register('shop.Order', order_schema(), [POSITIVE])
    create(topic, 1, {'strom.value.validation.level': 'contract', 'confluent.value.subject.name.strategy':
                      'io.confluent.kafka.serializers.subject.RecordNameStrategy'})
    send(topic, framed(i, payload(1, 1.0)))
    equal('rule', refused(topic, framed(i, payload(1, -1.0)))['rule'], 'positive')
    letters, late = fresh_topic('met'), fresh_topic('late')
    space = late.replace('-', '_')
    i = register(f'{space}.Met', json.dumps({'type': 'record', 'name': 'Met', 'namespace': space, 'fields': [
        {'name': 'id', 'type': 'long'}, {'name': 'amount', 'type': 'double'}]}),
        [dict(POSITIVE, onFailure='DLQ', params={'dlq.topic': letters})])
    create(late, 1, {'strom.value.validation.level': 'contract', 'confluent.value.subject.name.strategy':
                     'io.confluent.kafka.serializers.subject.RecordNameStrategy'})
    send(late, framed(i, payload(1, -1.0)), framed(i, payload(1, 1.0)))
    equal('stored', stored(late), [(1, framed(i, payload(1, 1.0)))])
    equal('letters', [same[1] for _, same in fetch(letters, [0])[0]], [framed(i, payload(1, -1.0))])
    stray = register(fresh_topic('stray'), json.dumps({'type': 'record', 'name': 'Stray', 'fields': []}))
    equal('rule', refused(topic, framed(stray, b''))['rule'], 'strom:schema')


def associations():
    topic, _ = bound('associated')
    subject = fresh_topic('bound')
    i = register(subject, order_schema(NOTE))
    value = framed(i, payload(1, -1.0) + b'\0')
    equal('rule', refused(topic, value)['rule'], 'strom:schema')
    code, answer = ask('POST', '/associations', {
        'resourceName': topic, 'resourceNamespace': 'test', 'resourceId': topic, 'resourceType': 'topic',
        'associations': [{'subject': subject, 'associationType': 'value'}]})
    equal('association', (code, answer.get('message')), (200, None))
    send(topic, value)
    letters = fresh_topic('brought')
    other = fresh_topic('other')
    rules = [dict(POSITIVE, onFailure='DLQ', params={'dlq.topic': letters})]
    value = framed(register(other, order_schema(NOTE), rules), payload(1, -1.0) + b'\0')
    code, answer = ask('PUT', f'/config/{subject}', {'alias': other})
    equal('alias', (code, answer.get('alias')), (200, other))
    send(topic, value)
    equal('letters', [same[1] for _, same in fetch(letters, [0])[0]], [value])


def main():
    suite = Suite('contracts')
    if not HTTP:
        raise Failure('STROM_HTTP is not set: these are for Strom')
    for scenario in (good_and_bad, error_texts, texts_are_utf8, whose_schema, nulls, headers, raw_json, dead_letters,
                     letters_of_transactions, marks, observes, rule_actions, old_versions, compiles_first,
                     change_is_linearised, strategies, associations):
        suite.run(scenario.__name__, scenario)
    suite.end()


if __name__ == '__main__':
    main()
