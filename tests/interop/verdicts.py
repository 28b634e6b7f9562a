# SPDX-License-Identifier: Apache-2.0
"""verdicts.py - the same contracts and records for the rule executors of confluent-kafka (Python, Go) and for Strom,
which gets what the client serialised with its rules switched off. docs/contract-differences.md argues what differs."""
import collections
import json
import os
import re
import urllib.request

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic

import golang
import pypi
from work import HERE, ROOT, WORK, Failure, check, run_ok
from broker import BrokerFailed

CORPUS = os.path.join(ROOT, 'tests', 'contract', 'corpus.mjs')
LETTERS = 'verdicts.letters'
STRANGE_MOST = 10  # shown
ARGUED = os.path.join(ROOT, 'docs', 'contract-differences.md')


# ---- Strom's verdicts

def register(http, contract, metadata):
    body = {'schemaType': contract['format'], 'schema': contract['schema'], 'ruleSet': contract['ruleSet'],
            'metadata': metadata}
    request = urllib.request.Request(f'{http}/subjects/{contract["topic"]}-value/versions', json.dumps(body).encode(),
                                     {'Content-Type': 'application/vnd.schemaregistry.v1+json'})
    with urllib.request.urlopen(request, timeout=20) as answer:
        json.load(answer)


def bind(broker, contracts):
    """Makes the topics; a contract that cannot be bound has its reason as "refused"."""
    admin = AdminClient({'bootstrap.servers': broker.bootstrap})
    admin.create_topics([NewTopic(LETTERS, 1, 1)])[LETTERS].result(30)
    config = {'strom.value.validation.level': 'contract', 'strom.validation.on.failure': 'mark',
              'strom.validation.dlq.topic': LETTERS}
    made = admin.create_topics([NewTopic(contract['topic'], 1, 1, config=config) for contract in contracts])
    for contract in contracts:
        try:
            made[contract['topic']].result(60)
        except confluent_kafka.KafkaException as e:
            contract['refused'] = e.args[0].str()


def send(broker, contracts, answers):
    """Each record in a batch of its own; returns the keys of those that were refused."""
    producer = confluent_kafka.Producer({'bootstrap.servers': broker.bootstrap, 'linger.ms': 0,
                                         'batch.num.messages': 1})
    refused = set()

    def done(error, message):
        if error is not None:
            check(error.name() == 'INVALID_RECORD', f'{message.topic()}: {error}')
            refused.add(message.key().decode())
    for client, answer in answers.items():
        for contract in contracts:
            for i, verdict in enumerate(answer[contract['number']]):
                key = f'{client}/{contract["number"]}/{i}'
                producer.produce(contract['topic'], bytes.fromhex(verdict['payload']), key, on_delivery=done)
            producer.poll(0)
    check(producer.flush(120) == 0, 'records were not delivered')
    return refused


def stored(broker, topics):
    """{key: (what became of it, rule and reason)} of all topics, read to their ends."""
    consumer = confluent_kafka.Consumer({'bootstrap.servers': broker.bootstrap, 'group.id': 'verdicts',
                                         'enable.partition.eof': True})
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0) for topic in topics])
    found, reading = {}, set(topics)
    while reading:
        message = consumer.poll(30)
        check(message is not None, f'{len(reading)} topics do not end')
        if message.error() is not None:
            check(message.error().name() == '_PARTITION_EOF', str(message.error()))
            reading.discard(message.topic())
            continue
        headers = {name: value.decode() for name, value in message.headers() or []}
        verdict = ('passed', '')
        if message.topic() == LETTERS:
            verdict = ('aside', f'{headers["__rule.name"]}: {headers["__rule.exception"]}')
        elif '__strom.violation' in headers:
            verdict = ('marked', headers['__strom.violation'])
        check(message.key().decode() not in found, f'{message.key()} twice')
        found[message.key().decode()] = verdict
    consumer.close()
    return found


# ---- what differs

class Case:
    """A record that client and Strom disagree on."""

    def __init__(self, contract, i, theirs, ours):
        self.format, self.record, self.checks = contract['format'], contract['records'][i], contract['checks']
        self.rules = {rule['name']: rule for rule in contract['ruleSet']['domainRules']}
        self.enable_at, self.unbound = contract['ruleSet'].get('enableAt'), contract.get('refused', '')
        self.their_rule, self.why = theirs.get('rule'), theirs.get('why', '')
        self.became, self.told = ours
        self.our_rule = self.told.split(':')[0] or None
        if self.became == 'refused':  # the producer is not told by which: it is the one that says ERROR
            self.our_rule = next((name for name, rule in self.rules.items() if rule.get('onFailure') == 'ERROR'), None)

    def agreed(self):
        return self.became != 'unbound' and self.their_rule == self.our_rule and \
            (self.became == 'passed') == (self.why == '')

    def path(self):
        """Of the field that Strom's field rule fails on, where the client's does not; or ''."""
        return self.told.split(': ')[1] if self.our_rule == 'f' and self.their_rule != 'f' else ''

    def tags(self):
        return self.rules.get(self.their_rule, {}).get('tags')

    def __str__(self):
        return (f'{self.format}: there {self.their_rule}, {self.why[:300]}; here {self.became} {self.told}; '
                f'{json.dumps(list(self.rules.values()))} {self.enable_at} {self.checks} {json.dumps(self.record)}')


BOTH = {
    'refused when it is bound': lambda c:
        c.became == 'unbound' and 'has no field "nosuch"' in c.unbound and c.why.startswith('error: '),
    'a false field fails a field rule': lambda c:
        c.their_rule == 'f' and c.why == 'false' and c.tags() and c.record['paid'] is False and c.our_rule != 'f',
}
PYTHON = {
    'functions of strings are missing': lambda c:
        re.search(r"undeclared reference to '(lowerAscii|replace|charAt)'", c.why) is not None,
    'null has a size': lambda c: c.format == 'AVRO' and c.path() == '$.note' and c.record['note'] is None,
    'a null member is not looked at': lambda c:
        c.format == 'JSON' and c.path() == '$.note' and c.record['note'] is None,
    'an integer is not compared with a double': lambda c:
        c.format == 'JSON' and 'no matching overload' in c.why and isinstance(c.record['price'], int),
    'a check is told before a rule': lambda c:
        c.their_rule in c.checks and c.became == 'marked' and c.our_rule in c.rules,
}
GO = {
    'a Protobuf schema with checks cannot be read': lambda c:
        c.format == 'PROTOBUF' and c.checks and 'field rules of confluent.Meta does not exist' in c.why,
    'checks are not run': lambda c: c.our_rule in c.checks,
    'answers are written over items': lambda c:
        c.record['items'] and re.search('bool is unsupported for Avro string|expected string, but got bool', c.why),
    'enableAt is not known': lambda c: c.enable_at == 'NONE' and c.became == 'passed',
    'a null field panics': lambda c: c.format == 'AVRO' and c.record['note'] is None and c.why.startswith('panic: '),
    'fields of nested messages are not looked at': lambda c: c.format == 'PROTOBUF' and c.path().startswith('$.home.'),
    'integers of JSON are not looked at': lambda c: c.format == 'JSON' and c.path() == '$.qty',
    'a member of several types is not looked at': lambda c: c.format == 'JSON' and c.path() == '$.note',
}
EXPLAINED = {'python': {**BOTH, **PYTHON}, 'go': {**BOTH, **GO}}


def compare(client, contracts, answer, found):
    """Counts what is explained, fails on what is not; returns the line that says so."""
    counts, strange, records = collections.Counter(), [], 0
    for contract in contracts:
        for i, theirs in enumerate(answer[contract['number']]):
            records += 1
            case = Case(contract, i, theirs, found.get(f'{client}/{contract["number"]}/{i}', ('unbound', '')))
            if case.agreed():
                continue
            name = next((name for name, fits in EXPLAINED[client].items() if fits(case)), None)
            counts[name] += 1
            if name is None:
                strange.append(str(case))
    for name in EXPLAINED[client]:
        print(f'# verdicts {client}: {name}: {counts[name]}', flush=True)
    check(not strange, f'{len(strange)} are not explained:\n' + '\n'.join(strange[:STRANGE_MOST]))
    return f'{records} records, the same verdict on {records - counts.total()}'


def argued(client):
    """Each explanation has a row in the documentation, and so has nothing else."""
    with open(ARGUED, encoding='utf-8') as f:
        rows = set(re.findall(r'^\| ([^|]+?) \| [^|]*' + client.title(), f.read(), re.M))
    check(rows == set(EXPLAINED[client]), f'differs from {ARGUED}: {rows ^ set(EXPLAINED[client])}')


# ---- all of it

def corpus_of(path):
    """Prints the corpus into a file, each contract with a topic; returns it."""
    corpus = json.loads(run_ok(['node', CORPUS]))
    for number, contract in enumerate(corpus['contracts']):
        contract.update(number=number, topic=f'verdicts-{number}')
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(corpus, f)
    return corpus


def run_client(command, http, corpus, client):
    path = os.path.join(WORK, f'verdicts-{client}.json')
    run_ok([*command, http, corpus, path], seconds=300)
    with open(path, encoding='utf-8') as f:
        return json.load(f)


def judge(broker, commands):
    """({client: its answer}, contracts, {key: Strom's verdict})."""
    path = os.path.join(WORK, 'verdicts-corpus.json')
    corpus = corpus_of(path)
    contracts = corpus['contracts']
    for contract in contracts:
        register(broker.http, contract, corpus['metadata'])
    bind(broker, contracts)
    answers = {client: run_client(command, broker.http, path, client) for client, command in commands.items()}
    bound = [contract for contract in contracts if 'refused' not in contract]
    refused = send(broker, bound, answers)
    found = stored(broker, [LETTERS, *(contract['topic'] for contract in bound)])
    check(not refused & set(found), 'refused, and stored')
    found.update((key, ('refused', '')) for key in refused)
    return answers, contracts, found


def play(peer, names):
    """Returns whether something failed."""
    if peer.options.kafka:
        return False  # it has no contracts
    golang.setup()
    commands = {'python': [pypi.setup(), os.path.join(HERE, 'verdicts_client.py')], 'go': golang.program('verdicts')}
    failed = False
    broker = peer.make()
    try:
        broker.start()
        answers, contracts, found = judge(broker, {name: commands[name] for name in names or commands})
        for client, answer in answers.items():
            try:
                argued(client)
                print(f'ok verdicts {client} ({compare(client, contracts, answer, found)})', flush=True)
            except Failure as e:
                failed = True
                print(f'not ok verdicts {client}: {e}', flush=True)
    except (Failure, BrokerFailed, OSError) as e:
        failed = True
        print(f'not ok verdicts: {e}', flush=True)
    finally:
        broker.close()
    return failed
