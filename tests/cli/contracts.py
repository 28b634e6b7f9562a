# SPDX-License-Identifier: Apache-2.0
"""contracts.py - the scenarios of `strom contract` and `strom dlq`, played by cli_test.py."""
import datetime
import json
import os
import pty
import signal
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request
import uuid
import xml.etree.ElementTree

import confluent_kafka
import rawkafka

from program import TIMEOUT_S, has, same

ORDER = {'type': 'object', 'required': ['id', 'amount'],
         'properties': {'id': {'type': 'integer'}, 'amount': {'type': 'number'}, 'by': {'type': 'string'}}}
RULES = [{'name': 'positive', 'doc': 'amounts are positive', 'kind': 'CONDITION', 'type': 'CEL', 'mode': 'WRITE',
          'expr': 'message.amount > 0'}]
GOOD, NEGATIVE, TEXT = b'{"id":1,"amount":5}', b'{"id":2,"amount":-1}', b'{"id":"three","amount":1}'


class Contracts:
    """`strom contract` with a folder of its own, for files."""

    def __init__(self, cli, broker):
        self.cli = cli
        self.folder = tempfile.TemporaryDirectory(prefix='strom-contracts-')
        self.url = broker.http

    def write(self, name, content):
        path = os.path.join(self.folder.name, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(content if isinstance(content, str) else json.dumps(content))
        return path

    def order(self, topic, on_failure='dlq', rules=None, **value):
        """A contract file for orders."""
        return self.write(f'{topic}.json', {
            'topic': topic, 'partitions': 2, 'settings': {'strom.validation.on.failure': on_failure},
            'value': {'schemaType': 'JSON', 'schema': ORDER, 'ruleSet': {'domainRules': rules or RULES}, **value}})

    def run(self, *words, **options):
        return self.cli.run('contract', *words, '--registry', self.url, **options)

    def text(self, *words, **options):
        return self.run(*words, **options)[0].decode()

    def json(self, *words, **options):
        return json.loads(self.run(*words, '--json', **options)[0])

    def error(self, *words, expect=1):
        return self.run(*words, expect=expect)[1]

    def registry(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, None if body is None else json.dumps(body).encode(), {
            'Content-Type': 'application/vnd.schemaregistry.v1+json'}, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)


def produce(cli, topic, *values, expect=0):
    return cli.run('produce', topic, stdin=b'\n'.join(values) + b'\n', expect=expect)


def test_contract_file(cli, broker):
    """What is wrong with a file is said with its place."""
    c = Contracts(cli, broker)
    for content, said in (
            ('{', 'line 1'), ('# a page', 'a contract file is JSON'), ('[]', 'an object is needed'),
            ({'value': {}}, 'topic: the name of a topic is needed'),
            ({'topic': 't'}, 'governs nothing'),
            ({'topic': 't', 'vlaue': {}}, 'vlaue: there is no such member; did you mean value?'),
            ({'topic': 't', 'value': {'shcema': 1}}, 'value.shcema: there is no such member'),
            ({'topic': 't', 'value': {}}, 'either schema or schemaFile is needed'),
            ({'topic': 't', 'value': {'schema': {}, 'schemaType': 'XML'}}, 'AVRO, JSON or PROTOBUF'),
            ({'topic': 't', 'value': {'schema': {}, 'schemaType': 'JSON', 'level': 'full'}},
             'none, id, structure or contract'),
            ({'topic': 't', 'settings': {'strom.validation.on.failur': 'dlq'}, 'value': {'schema': {}}},
             'no such setting; did you mean strom.validation.on.failure?'),
            ({'topic': 't', 'settings': {'strom.validation.on.failure': 'maybe'}, 'value': {'schema': {}}}, 'maybe')):
        has(c.error('test', c.write('bad.json', content)), said)
    for member, said in (('level', 'a text'), ('schemaType', 'a text'), ('subject', 'a text'), ('schemaFile', 'a text'),
                         ('references', 'a list'), ('metadata', 'an object'), ('ruleSet', 'an object')):
        bad = '{"topic": "t",\n "value": {"schema": {},\n  "%s": 7}}' % member
        has(c.error('apply', c.write('bad.json', bad)),
            f'line 3, column {len(member) + 7}: value.{member}: {said} is needed')
    has(c.error('apply', c.write('bad.json', '{"topic": ["t"], "value": {}}')),
        'line 1, column 11: topic: a text is needed')
    has(c.error('test', os.path.join(c.folder.name, 'nothing.json')), 'cannot read')
    bad = c.error('apply', c.write('bad.json', {
        'topic': 'no good\x1b[31m', 'settings': {'strom.validation.on.failure': 'dlq'}, 'value': {'schema': {}}}))
    has(bad, "topic: a topic's name is 1 to 249")
    assert 'dlq' not in bad, bad
    rules = [{**RULES[0], 'name': 'red\x1b[31m', 'expr': 'positiv(message.amount)'}]
    text = c.error('test', c.order('t', rules=rules))
    has(text, 'red\\x1b[31m')
    assert '\x1b' not in text, text
    rules = [{**RULES[0], 'expr': 'positiv(message.amount)'}]
    has(c.error('test', c.order('t', rules=rules)), "rule 'positive'", 'line 1, column', 'positiv')


def test_contract_test_file(cli, broker):
    """A contract tried on lines: text, JSON and JUnit agree, and the exit code says whether something failed."""
    c = Contracts(cli, broker)
    contract = c.order('tried', 'reject')
    lines = c.write('lines.jsonl', b'\n'.join([GOOD, NEGATIVE, TEXT, GOOD]).decode())
    out = c.text('test', contract, '--records', lines, expect=1)
    has(out, '4 records: 2 pass, 2 would be refused', 'positive', 'amounts are positive', 'strom:structure', '$.id',
        'line 3')
    assert 'three' not in out, 'a value of a record is shown'
    told = c.json('test', contract, '--records', lines, expect=1)
    same((told['records'], told['passed'], told['refused']), (4, 2, 2))
    same({(f['rule'], f['path'], f['line']) for f in told['findings']},
         {('positive', '$', 2), ('strom:structure', '$.id', 3)})
    report = c.text('test', contract, '--records', lines, '--format', 'junit', expect=1)
    suite = xml.etree.ElementTree.fromstring(report)
    same((suite.tag, suite.get('failures'), len(suite.findall('testcase/failure'))), ('testsuite', '2', 2))
    same(c.json('test', contract, '--records', lines, '--limit', '1')['records'], 1)
    out, _ = c.run('test', contract, '--records', '-', stdin=GOOD)
    has(out.decode(), '1 record: 1 pass')
    has(c.error('test', contract, '--records', lines, '--topic', 'x', expect=2), 'exclude each other')
    marked = c.write('marked.jsonl', '\ufeff' + GOOD.decode() + '\n')  # as editors of Windows begin a file
    with open(contract, encoding='utf-8') as f:
        with_mark = c.write('marked.json', '\ufeff' + f.read())
    has(c.text('test', with_mark, '--records', marked), '1 record: 1 pass')


def test_contract_test_nothing(cli, broker):
    """A test of nothing is no success, unless it is asked for."""
    c = Contracts(cli, broker)
    contract = c.order('nothing')
    empty = c.write('empty.jsonl', '\n')
    cli.run('topic', 'create', 'nothing')
    for words in (['--records', empty], ['--topic', 'nothing'], []):
        has(c.error('test', contract, *words), 'nothing was tested', '--allow-empty')
        has(c.text('test', contract, *words, '--allow-empty'), '0 records')
    report = c.text('test', contract, '--records', empty, '--format', 'junit', expect=1)
    suite = xml.etree.ElementTree.fromstring(report)
    same((suite.get('tests'), suite.get('failures'), len(suite.findall('testcase/failure'))), ('1', '1', 1))
    report = c.text('test', contract, '--records', empty, '--format', 'junit', '--allow-empty')
    same(xml.etree.ElementTree.fromstring(report).get('failures'), '0')


def test_contract_violations_of_nothing(cli, broker):
    """A topic that is not there is an error, one without a contract is said to be so."""
    c = Contracts(cli, broker)
    has(c.error('violations', 'no-such-topic'), 'There is no topic "no-such-topic"')
    has(c.error('violations', 'no-such-topic', '--follow'), 'There is no topic "no-such-topic"')
    cli.run('topic', 'create', 'lawless')
    has(c.run('violations', 'lawless')[1], 'No contract governs lawless')


def test_contract_texts_are_plain(cli, broker):
    """What a schema or a payload says reaches no terminal as a control sequence, by the broker's words neither."""
    c = Contracts(cli, broker)
    rules = [{**RULES[0], 'doc': 'red \x1b]0;title\x07 \x9b'}]
    strict = {**ORDER, 'additionalProperties': False}
    c.run('apply', c.order('plain', 'reject', rules=rules, schema=strict))
    named = '{"id":1,"amount":1,"\\u001b[31m\x9b":1}'.encode()
    said = ''.join(produce(cli, 'plain', value, expect=1)[1] for value in (NEGATIVE, named))
    assert '\\x' not in said, f'the broker tells clients control characters: {said}'  # escaped by the command
    said += c.text('violations', 'plain') + c.text('status', 'plain')
    client = []
    producer = confluent_kafka.Producer({'bootstrap.servers': cli.env['STROM_BOOTSTRAP']})
    producer.produce('plain', named, on_delivery=lambda error, _: client.append(str(error)))
    producer.flush()
    has(said, 'red')
    bad = [ch for ch in said + client[0] if ch != '\n' and (ord(ch) < 0x20 or 0x7f <= ord(ch) < 0xa0)]
    same(bad, [])


def test_contract_apply(cli, broker):
    """apply tells what it would refuse before it changes anything, then governs; twice changes nothing."""
    c = Contracts(cli, broker)
    cli.run('topic', 'create', 'applied', '--partitions', '2')
    produce(cli, 'applied', GOOD, NEGATIVE, TEXT, GOOD)
    contract = c.order('applied')
    out = c.text('diff', contract, expect=1)
    has(out, '+ applied-value: a new version', '~ strom.value.validation.level: none -> contract',
        'What applied holds, under this contract: 4 records: 2 pass, 2 would be dead-lettered')
    done = c.json('apply', contract)
    same((done['applied'], done['history']['dead_lettered']), (True, 2))
    has(c.text('apply', contract, '--no-history'), 'Everything is in place; nothing to change.')
    has(cli.text('contract', 'list'), 'applied', 'contract', 'dlq', 'applied.dlq')
    got = json.loads(c.text('get', 'applied'))
    same((got['topic'], got['value']['schema'], got['value']['ruleSet']['domainRules'][0]['expr']),
         ('applied', ORDER, RULES[0]['expr']))
    same(c.json('apply', c.write('again.json', got), '--no-history')['changes'], False)
    broken = c.order('applied', rules=None, schema={**ORDER, 'required': ['id', 'amount', 'by']})
    has(c.error('apply', broken), 'not compatible')
    cli.run('topic', 'create', 'nothing-governed')
    has(c.error('get', 'nothing-governed'), 'no contract governs that topic')
    has(c.error('get', 'nothing-governe'), 'UNKNOWN_TOPIC_OR_PARTITION', 'did you mean "nothing-governed"')
    has(c.error('status', 'no-such-topic'), 'There is no topic "no-such-topic"', '`strom contract list` shows')


def test_contract_apply_refused(cli, broker):
    """What the broker would refuse is refused before anything is changed; a later failure says what was done."""
    c = Contracts(cli, broker)
    c.run('apply', c.order('taken'))
    contract = c.write('planned.json', {
        'topic': 'planned', 'partitions': 2,
        'settings': {'strom.validation.on.failure': 'dlq', 'strom.validation.dlq.topic': 'taken'},
        'value': {'schemaType': 'JSON', 'schema': ORDER}})
    for verb in ('diff', 'apply'):
        has(c.error(verb, contract), 'taken')
    assert 'planned' not in cli.text('topic', 'list'), 'the topic is left behind'
    assert 'planned-value' not in cli.text('schema', 'list', '--registry', c.url), 'the schema is left behind'
    contract = c.order('half')
    c.registry('PUT', '/mode/half-value', {'mode': 'READONLY'})
    has(c.error('apply', contract), 'cannot register half-value', 'before that, topic half was created')
    c.registry('DELETE', '/mode/half-value')
    same(c.json('apply', contract)['applied'], True)


def test_contract_apply_partitions(cli, broker):
    """A topic with fewer partitions than the file says grows; one with more is an error."""
    c = Contracts(cli, broker)
    cli.run('topic', 'create', 'grown', '--partitions', '1')
    contract = c.order('grown')
    has(c.text('diff', contract, expect=1), '~ partitions: 1 -> 2')
    told = c.json('apply', contract)
    same((told['applied'], told['partitions_from'], told['partitions_to']), (True, 1, 2))
    same(c.json('apply', contract)['changes'], False)
    cli.run('topic', 'alter', 'grown', '--partitions', '3')
    has(c.error('apply', contract), 'partitions: the topic has 3, the file says 2')


def on_terminal(cli, *words):
    """What a command says on standard error if that is a terminal: how far it is, if it takes long enough."""
    master, slave = pty.openpty()
    with subprocess.Popen([cli.binary, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave,
                          env=cli.env) as process:
        os.close(slave)
        said = b''
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # nobody has its other end
                part = b''
            if not part:
                break
            said += part
        process.wait(TIMEOUT_S)
    os.close(master)
    return said.decode()


def test_contract_history(cli, broker):
    """A long history is judged by several readers, each some ranges of offsets: to the record what one finds."""
    c = Contracts(cli, broker)
    cli.run('topic', 'create', 'history', '--partitions', '2')
    bootstrap = {'bootstrap.servers': cli.env['STROM_BOOTSTRAP'], 'linger.ms': 50, 'partitioner': 'consistent'}
    plain = confluent_kafka.Producer(bootstrap)
    aborting = confluent_kafka.Producer({**bootstrap, 'transactional.id': 'history', 'batch.num.messages': 500})
    aborting.init_transactions()
    aborting.begin_transaction()
    for n in range(60000):  # more than one range, and none of the aborted counts wherever a range begins
        plain.produce('history', NEGATIVE if n % 1000 == 0 else GOOD, partition=0)
        aborting.produce('history', TEXT, partition=0)
        plain.produce('history', GOOD, partition=1)
        if n % 10000 == 9999:
            plain.flush()
            aborting.flush()
    aborting.abort_transaction()
    plain.produce('history', TEXT, partition=1)
    plain.flush()
    contract = c.order('history')
    told = c.json('diff', contract, expect=1)['history']
    same((told['records'], told['passed'], told['dead_lettered']), (120001, 119940, 61))
    same([(f['rule'], f['count'], f['partition']) for f in told['findings']],
         [('positive', 60, 0), ('strom:structure', 1, 1)])
    same(c.json('diff', contract, '--limit', '1000000', expect=1)['history'], told)
    same(c.json('diff', contract, '--limit', '100', expect=1)['history']['records'], 100)
    has(c.text('diff', contract, '--limit', '100', expect=1), '100 of some ', ' records were judged, the first ones: ')
    assert '%' not in on_terminal(cli, 'contract', 'diff', contract, '--limit', '110000', '--registry', c.url)
    same(c.json('test', contract, '--topic', 'history', expect=1), told)
    drawn = c.json('diff', contract, '--sample', '400', expect=1)['history']
    found, estimate = drawn['sample'], drawn['estimate']
    assert not drawn['exact'] and 0 < found['records'] < 400, drawn  # aborted ones are drawn in vain
    assert estimate['share_low'] <= found['dead_lettered'] / found['records'] <= estimate['share_high'] < 0.2, drawn
    assert estimate['failed_low'] >= found['dead_lettered'], drawn  # those are there
    assert 60000 < estimate['records_about'] < 180000, drawn
    has(c.text('diff', contract, '--sample', '400', expect=1), ' records were judged: ', ' an estimate, ',
        '--all judges')


def test_contract_history_sample(cli, broker):
    """Of more than a million records a million are judged, and nothing then looks like a count of the topic."""
    c = Contracts(cli, broker)
    cli.run('topic', 'create', 'sampled', '--partitions', '2')
    host, port = cli.env['STROM_BOOTSTRAP'].rsplit(':', 1)
    values = b''.join(rawkafka.record(NEGATIVE if n % 1000 == 0 else GOOD, offset_delta=n) for n in range(20000))
    batch = rawkafka.batch(values, 20000)
    with rawkafka.Connection((host, int(port))) as connection:
        for n in range(60):
            same(rawkafka.produce_error(connection.ask(rawkafka.produce('sampled', batch, partition=n % 2))), 0)
    contract = c.order('sampled')
    exact = c.json('diff', contract, '--all', expect=1)['history']
    same((exact['exact'], exact['records'], exact['dead_lettered']), (True, 1200000, 1200))
    same([(f['count'], f['partition'], f['offset']) for f in exact['findings']], [(1200, 0, 0)])
    drawn = c.json('diff', contract, expect=1)['history']
    found, estimate = drawn['sample'], drawn['estimate']
    same((drawn['exact'], found['records'], estimate['records_about']), (False, 1000000, 1200000))
    assert 'records' not in drawn and 'dead_lettered' not in drawn and 'findings' not in drawn, drawn
    assert estimate['share_low'] <= found['dead_lettered'] / 1000000 <= estimate['share_high'], drawn
    same([(f['rule'], f['records'], f['share_low']) for f in found['findings']],
         [('positive', found['dead_lettered'], estimate['share_low'])])
    report = c.text('test', contract, '--sample', '100000', '--format', 'junit', expect=1)
    has(xml.etree.ElementTree.fromstring(report)[0][0].get('message'), 'of 100000 records in a sample, ',
        'of some 1200000')
    has(c.text('test', contract, '--sample', '20000', expect=1), 'IN THE SAMPLE', 'OF ALL', ' an estimate, ')
    clean = c.order('sampled', rules=[{**RULES[0], 'expr': 'message.amount > -2'}])
    has(c.text('diff', clean, expect=1), '1000000 of some 1200000 records were judged: 1000000 pass',
        'None of these would fail. Of all records, up to 0.192 % may, some 23')
    report = c.text('test', clean, '--sample', '100', '--format', 'junit')
    has(xml.etree.ElementTree.fromstring(report)[0].get('name'), '100 of some 1200000', 'may not')
    for flags in (('--all', '--sample', '5'), ('--limit', '5', '--all'), ('--no-history', '--all')):
        has(c.error('diff', contract, *flags, expect=2), 'exclude each other')
    has(c.error('test', contract, '--limit', '5', '--sample', '5', expect=2), 'exclude each other')


def test_contract_exchange(cli, broker):
    """What is exported as ODCS comes back as the same contract; another's document becomes one."""
    c = Contracts(cli, broker)
    contract = c.order('exchanged')
    c.run('apply', contract)
    for form in ('yaml', 'json'):
        document = c.write(f'x.odcs.{form}', c.text('export', 'exchanged', '--format', form))
        again = c.write('again.json', cli.text('contract', 'import', document))
        same(c.json('apply', again, '--no-history')['changes'], False)
    odcs = json.loads(c.text('export', 'exchanged', '--format', 'json'))
    table = odcs['schema'][0]
    same({p['name']: (p['logicalType'], p['required']) for p in table['properties']},
         {'id': ('integer', True), 'amount': ('number', True), 'by': ('string', False)})
    same(table['quality'][0]['name'], 'positive')
    asyncapi = json.loads(c.text('export', 'exchanged', '--as', 'asyncapi', '--format', 'json'))
    same((asyncapi['asyncapi'], asyncapi['channels']['topic']['address']), ('3.1.0', 'exchanged'))
    foreign = c.write('foreign.yaml', '''
apiVersion: v3.1.0
kind: DataContract
id: f
version: 1.0.0
status: active
schema:
- name: payments
  properties:
  - {name: amount, logicalType: number, required: true, logicalTypeOptions: {minimum: 0}}
  - {name: note, logicalType: string}
  quality:
  - {type: custom, engine: cel, name: small, description: below a million, implementation: "message.amount < 1000000"}
  - {type: sql, query: select 1, mustBe: 0}
''')
    out, err = cli.run('contract', 'import', foreign)
    has(err, '1 quality check of other engines left out')
    made = json.loads(out)
    same(made['value']['schema']['properties']['amount'], {'type': 'number', 'minimum': 0})
    lines = c.write('p.jsonl', '{"amount":5,"note":null}\n{"amount":2000000}\n{"amount":-1}\n')
    same(c.json('test', c.write('made.json', made), '--records', lines, expect=1)['passed'], 1)
    for bad, said in (('a: [1', 'line'), ('kind: DataContract\n', 'no data contract'),
                      ('a: &b [1]\nc: *b\n', 'anchors'), ('&a x: 1\n', 'anchors'),
                      ('a: 1\na: 2\n', 'twice'), ('- ' * 200 + 'x', 'nested too deep'),
                      (''.join(f'k{i}: 1\n' for i in range(49000)), 'more than 10000 keys')):
        has(cli.error('contract', 'import', c.write('bad.yaml', bad)), said, 'document of the Open Data Contract')


def test_contract_get_all(cli, broker):
    """What get prints is all that governs the topic: null values, and the oldest version that counts."""
    c = Contracts(cli, broker)
    settings = {'strom.validation.on.failure': 'mark', 'strom.value.null': 'reject',
                'strom.value.schema.version.min': '-1', 'strom.validation.dlq.topic': 'all.bad'}
    c.run('apply', c.write('all.json', {'topic': 'all', 'settings': settings, 'value': {
        'schemaType': 'JSON', 'schema': ORDER}}))
    same(json.loads(c.text('get', 'all'))['settings'], settings)
    cli.run('topic', 'create', 'named')
    strategy = 'io.confluent.kafka.serializers.subject.RecordNameStrategy'
    cli.run('config', 'set', '--topic', 'named', 'strom.value.validation.level=id',
            f'confluent.value.subject.name.strategy={strategy}')
    has(c.error('get', 'named'), 'each record names the subject')


def test_contract_get_associated(cli, broker):
    """get follows the topic's association, as the broker does: this cluster's before others, else the one there is."""
    c = Contracts(cli, broker)
    c.registry('POST', '/subjects/shared/versions', {'schemaType': 'JSON', 'schema': json.dumps(ORDER)})
    c.registry('POST', '/subjects/other/versions', {'schemaType': 'JSON', 'schema': '{}'})
    cli.run('topic', 'create', 'linked')

    def associate(namespace, subject):
        c.registry('POST', '/associations', {
            'resourceName': 'linked', 'resourceNamespace': namespace, 'resourceId': namespace + '-linked',
            'resourceType': 'topic', 'associations': [{'subject': subject, 'associationType': 'value'}]})
    associate('elsewhere', 'other')
    cli.run('config', 'set', '--topic', 'linked', 'strom.value.validation.level=contract')
    same(json.loads(c.text('get', 'linked'))['value']['schema'], {})
    associate(cli.json('cluster')['cluster_id'], 'shared')
    got = json.loads(c.text('get', 'linked'))
    same((got['value']['subject'].rsplit(':', 1)[-1], got['value']['schema']), ('shared', ORDER))
    same(c.json('apply', c.write('linked.json', got), '--no-history')['applied'], True)


def test_contract_remarks(cli, broker):
    """What binding a contract means for its rules is said before it is bound."""
    c = Contracts(cli, broker)
    schema = {**ORDER, 'properties': {**ORDER['properties'], 'by': {'type': 'string', 'confluent:tags': ['PII']}}}
    rules = [{'name': 'enc', 'kind': 'TRANSFORM', 'type': 'ENCRYPT', 'mode': 'WRITEREAD', 'tags': ['PII']},
             {'name': 'named', 'kind': 'CONDITION', 'type': 'CEL_FIELD', 'mode': 'WRITE', 'tags': ['PII'],
              'expr': "value != ''"}]
    contract = c.order('remarked', rules=rules, schema=schema)
    lines = c.write('lines.jsonl', GOOD.decode())
    for out in (c.text('diff', contract, expect=1), c.text('test', contract, '--records', lines)):
        has(out, "note: clients encrypt by: rule 'named' is left to them")
    told = c.json('apply', contract)
    assert any('clients encrypt' in remark for remark in told['remarks']['value']), told
    said = "clients encrypt by: rule 'named' is left to them"
    same(c.registry('GET', '/contracts/topics/remarked')['value']['remarks'][-1], said)
    has(c.text('status', 'remarked'), 'note: ' + said)
    out, err = c.run('get', 'remarked')
    has(err, 'note: ' + said)
    same(json.loads(out)['topic'], 'remarked')
    c.registry('DELETE', '/subjects/remarked-value')
    has(c.text('status', 'remarked'), 'note: subject remarked-value has no version yet: no payload passes')
    c.run('apply', c.order('remarked'), '--no-history')
    assert 'note:' not in c.text('status', 'remarked'), 'what was said of the version before'


def test_contract_test_as_broker(cli, broker):
    """What the broker refuses for its framing, or as null, a trial refuses, too; what names its schema by id, GUID or
    header is read by that; a topic that is not there does not pass."""
    c = Contracts(cli, broker)
    avro = {'type': 'record', 'name': 'A', 'fields': [{'name': 'a', 'type': 'int'}]}
    cli.run('topic', 'create', 'tried', '--partitions', '1')
    file = c.write('tried.json', {'topic': 'tried', 'settings': {'strom.value.null': 'reject'},
                                  'value': {'schemaType': 'AVRO', 'schema': avro}})
    cli.run('schema', 'register', 'tried-value', c.write('avro.avsc', avro), '--registry', c.url)
    with urllib.request.urlopen(f'{c.url}/subjects/tried-value/versions/1') as answer:
        found = json.load(answer)
    by_id, by_guid = b'\0' + struct.pack('>i', found['id']), b'\1' + uuid.UUID(found['guid']).bytes
    for value, header in ((b'\2', None), (b'', None), (by_id + b'\2', None), (by_guid + b'\2', None),
                          (b'\2', by_guid)):
        words = ['kcat', '-b', cli.env['STROM_BOOTSTRAP'], '-P', '-t', 'tried', '-p', '0', '-Z', '-D', '~~',
                 '-K', '::']
        if header is not None:
            words += [b'-H', b'__value_schema_id=' + header]
        subprocess.run(words, input=b'key::' + value, check=True, timeout=TIMEOUT_S)
    done = c.json('test', file, expect=1)
    same((done['records'], done['passed'], sorted(f['rule'] for f in done['findings'])),
         (5, 3, ['strom:framing', 'strom:null']))
    has(c.error('test', file, '--topic', 'no-such-topic'), 'no such topic')


def test_contract_exchange_key(cli, broker):
    """A contract of keys alone comes back from ODCS as it went."""
    c = Contracts(cli, broker)
    c.run('apply', c.write('keyed.json', {'topic': 'keyed', 'key': {'schemaType': 'JSON', 'schema': ORDER}}))
    document = c.write('keyed.yaml', c.text('export', 'keyed'))
    same(set(json.loads(cli.text('contract', 'import', document))), {'topic', 'settings', 'key'})
    has(c.text('diff', c.write('again.json', cli.text('contract', 'import', document))), 'nothing to change')
    (message,) = json.loads(c.text('export', 'keyed', '--as', 'asyncapi', '--format', 'json'))['channels']['topic'][
        'messages'].values()
    assert 'contentType' not in message and 'payload' not in message, f'it claims what values are: {message}'
    same(message['bindings']['kafka']['key']['properties'], ORDER['properties'])


def test_dlq_story(cli, broker):
    """Set aside, seen, mended, replayed once; what fails again stays; drop forgets."""
    c = Contracts(cli, broker)
    c.run('apply', c.order('story'))
    produce(cli, 'story', GOOD, NEGATIVE, TEXT, GOOD, NEGATIVE)
    (listed,) = [row for row in cli.json('dlq', 'list') if row['topic'] == 'story']
    same((listed['dead_letters'], listed['waiting']), ('story.dlq', 3))
    seen = [json.loads(line) for line in cli.text('dlq', 'show', 'story', '--json').splitlines()]
    same(sorted((s['rule'], s['topic']) for s in seen),
         [('positive', 'story'), ('positive', 'story'), ('strom:structure', 'story')])
    has(cli.text('dlq', 'show', 'story', '--rule', 'positive'), 'amounts are positive')
    has(cli.text('dlq', 'replay', 'story', '--dry-run'), '3 dead letters of story.dlq wait')
    same(cli.json('dlq', 'replay', 'story', '--dry-run'), {'dead_letters': 'story.dlq', 'waiting': 3})
    done = cli.json('dlq', 'replay', 'story', '--set', 'amount=message.amount < 0 ? -message.amount : message.amount')
    same((done['replayed'], done['accepted'], done['set_aside_again']), (3, 2, 1))
    same(sorted(json.loads(r['value'])['amount'] for r in cli.records('story')), [1, 1, 5, 5])
    again = [json.loads(line) for line in cli.text('dlq', 'show', 'story.dlq', '--json').splitlines()]
    same([(s['rule'], bool(s['replayed_from'])) for s in again], [('strom:structure', True)])
    # Counted are letters, not the marks of the transactions that are among them.
    same([row['waiting'] for row in cli.json('dlq', 'list') if row['topic'] == 'story'], [1])
    same(cli.json('dlq', 'replay', 'story', '--dry-run')['waiting'], 1)
    has(cli.text('dlq', 'drop', 'story', '--replayed'), 'Dropped 3 dead letters')
    same(cli.json('dlq', 'replay', 'story')['set_aside_again'], 1)
    same(cli.json('dlq', 'replay', 'story', '--dry-run')['waiting'], 1)
    same(cli.json('dlq', 'drop', 'story', '--replayed')['dropped'], 1)
    same(cli.json('dlq', 'replay', 'story', '--set', 'id=3')['accepted'], 1)
    same(len(cli.records('story')), 5)
    has(cli.error('dlq', 'replay', 'story', '--set', 'id', expect=2), 'PATH=EXPRESSION')
    has(cli.error('dlq', 'replay', 'story', '--set', 'id=1 +', expect=2), 'column')
    has(cli.error('dlq', 'drop', 'story', expect=2), 'either --replayed or --all')
    has(cli.error('dlq', 'show', 'no-such-topic'), 'no-such-topic')
    cli.run('config', 'set', '--topic', 'story', 'strom.validation.on.failure=reject')
    has(produce(cli, 'story', TEXT, expect=1)[1], 'a batch of 1 record from line 1: ')


def test_dlq_replay_set(cli, broker):
    """Lists, maps and times are set; what cannot be mended stays, whatever the contract would say now, and is told."""
    c = Contracts(cli, broker)
    c.run('apply', c.order('mended'))
    produce(cli, 'mended', NEGATIVE)
    words = ['dlq', 'replay', 'mended', '--set', 'amount=1', '--set', 'list=[message.id, {"a": [1.5, null]}]',
             '--set', 'at=timestamp("2026-01-02T03:04:05Z")', '--set', 'whole=message']
    same(cli.json(*words)['accepted'], 1)
    (got,) = cli.records('mended')
    same(json.loads(got['value']), {'id': 2, 'amount': 1, 'list': [2, {'a': [1.5, None]}],
                                    'at': '2026-01-02T03:04:05Z', 'whole': {'id': 2, 'amount': -1}})
    produce(cli, 'mended', NEGATIVE, TEXT, b'{"amount":-5}')
    cli.run('config', 'set', '--topic', 'mended', 'strom.value.validation.level=none')
    out = cli.text('dlq', 'replay', 'mended', '--set', 'amount=message.id + 1')
    has(out, '3 dead letters replayed: 1 accepted, 2 set aside again.',
        '2 of them cannot be mended and stay; the first: ', '--set amount: ')
    same(len(cli.records('mended')), 2)
    for expression, said in (('amount=b"x"', 'type bytes'), ('amount=1.0/0.0', 'double'), ('a.b=1', 'no object')):
        has(cli.error('dlq', 'replay', 'mended', '--set', expression), '--set can mend none of the 2 that wait', said)
    same(len(cli.records('mended')), 2)
    message = 'syntax = "proto3"; message M { int32 a = 1; }'
    c.run('apply', c.write('proto.json', {
        'topic': 'proto', 'partitions': 1, 'settings': {'strom.validation.on.failure': 'dlq'},
        'value': {'schemaType': 'PROTOBUF', 'schema': message,
                  'ruleSet': {'domainRules': [{**RULES[0], 'expr': 'message.a > 0'}]}}}))
    found = c.registry('GET', '/subjects/proto-value/versions/1')
    subprocess.run(['kcat', '-b', cli.env['STROM_BOOTSTRAP'], '-P', '-t', 'proto', '-p', '0', '-D', '~~'],
                   input=b'\0' + struct.pack('>i', found['id']) + b'\0', check=True, timeout=TIMEOUT_S)
    cli.run('config', 'set', '--topic', 'proto', 'strom.value.validation.level=none')
    before = len(cli.records('proto.dlq'))
    for words in ([], ['--json']):
        has(cli.error('dlq', 'replay', 'proto', '--set', 'a=1', *words), '--set can mend none of the 1 that wait',
            'partition 0 offset 0', 'the value is no JSON document', 'nothing was replayed')
    same(len(cli.records('proto.dlq')), before)
    same((len(cli.records('proto')), cli.json('dlq', 'replay', 'proto')['accepted']), (0, 1))


def test_dlq_replay_refused(cli, broker):
    """Where the topic refuses, what is refused goes back to the dead letters, and the others arrive."""
    c = Contracts(cli, broker)
    c.run('apply', c.order('strict'))
    produce(cli, 'strict', *[NEGATIVE if i % 3 else TEXT for i in range(300)])
    cli.run('config', 'set', '--topic', 'strict', 'strom.validation.on.failure=reject',
            'strom.validation.dlq.topic=strict.dlq')
    done = cli.json('dlq', 'replay', 'strict', '--set', 'amount=7')
    same((done['replayed'], done['accepted'], done['set_aside_again']), (300, 200, 100))
    same(len(cli.records('strict')), 200)


def test_dlq_of_others(cli, broker):
    """A topic of ordinary records keeps no dead letters: nothing of it is replayed or dropped; rules that set aside
    where the settings do not use TOPIC.dlq."""
    c = Contracts(cli, broker)
    cli.run('topic', 'create', 'ordinary')
    produce(cli, 'ordinary', GOOD, NEGATIVE)
    for words in (['show'], ['replay'], ['drop', '--all', '--yes']):
        has(cli.error('dlq', *words, 'ordinary'), 'no dead letters')
    same(len(cli.records('ordinary')), 2)
    cli.run('topic', 'create', 'byrule.dlq')
    c.run('apply', c.order('byrule', 'reject', [{**RULES[0], 'onFailure': 'DLQ'}]))
    produce(cli, 'byrule', GOOD, NEGATIVE)
    same(cli.json('dlq', 'replay', 'byrule', '--set', 'amount=1')['accepted'], 1)
    same(len(cli.records('byrule')), 2)


def test_dlq_by_rules(cli, broker):
    """Topics that rules name for dead letters are listed, shown, replayed and dropped like those of settings."""
    c = Contracts(cli, broker)
    named = {**RULES[0], 'onFailure': 'DLQ', 'params': {'dlq.topic': 'rules.bin'}}

    def listed(topic):
        return [(row['dead_letters'], row['kept'], row['waiting']) for row in cli.json('dlq', 'list')
                if row['topic'] == topic]
    c.run('apply', c.order('byrules', 'reject', [named]))
    produce(cli, 'byrules', GOOD, NEGATIVE, NEGATIVE)
    same(listed('byrules'), [('rules.bin', 2, 2)])
    for name in ('byrules', 'rules.bin'):
        seen = [json.loads(line) for line in cli.text('dlq', 'show', name, '--json').splitlines()]
        same([(s['rule'], s['topic'], s['record']['topic']) for s in seen], [('positive', 'byrules', 'rules.bin')] * 2)
    same(cli.json('dlq', 'replay', 'byrules', '--set', 'amount=1', '--count', '1')['accepted'], 1)
    same(cli.json('dlq', 'drop', 'byrules', '--replayed')['dropped'], 1)
    same((len(cli.records('byrules')), listed('byrules')), (2, [('rules.bin', 1, 1)]))

    # Two topics share what the rules of both name, and one of them has other rules, of which one names nothing.
    cli.run('topic', 'create', 'sharing.dlq')
    c.run('apply', c.order('sharing', 'reject', [
        named, {**RULES[0], 'name': 'small', 'expr': 'message.amount < 100', 'onFailure': 'DLQ'}]))
    produce(cli, 'sharing', GOOD, NEGATIVE)
    same((listed('sharing'), listed('byrules')), ([('rules.bin', 2, 2)], [('rules.bin', 2, 2)]))
    has(cli.text('dlq', 'show', 'sharing', '--json'), '"topic":"rules.bin"')
    produce(cli, 'sharing', b'{"id": 4, "amount": 100}')
    same(listed('sharing'), [('rules.bin', 2, 2), ('sharing.dlq', 1, 1)])
    for words in (['show'], ['replay'], ['drop', '--all', '--yes']):
        has(cli.error('dlq', *words, 'sharing'), 'its rules put them into several topics', 'sharing.dlq',
            'rules.bin')
    same(cli.json('dlq', 'replay', 'rules.bin', '--set', 'amount=1')['accepted'], 2)  # each goes to its own
    same((len(cli.records('byrules')), len(cli.records('sharing'))), (3, 2))
    same(cli.json('dlq', 'replay', 'sharing.dlq', '--set', 'amount=1')['accepted'], 1)
    has(cli.text('dlq', 'drop', 'rules.bin', '--all', '--yes'), 'rules.bin')
    same(listed('byrules'), [('rules.bin', 0, 0)])


def test_dlq_barred(cli, broker):
    """A dead letter whose origin nobody may write to holds no other one up."""
    c = Contracts(cli, broker)
    c.run('apply', c.order('barred'))
    for topic in ('_schemas', 'nowhere', 'barred'):
        subprocess.run(['kcat', '-b', cli.env['STROM_BOOTSTRAP'], '-P', '-t', 'barred.dlq', '-p', '0', '-H',
                        f'__strom.origin.topic={topic}', '-H', '__rule.name=x'], input=GOOD, check=True,
                       timeout=TIMEOUT_S)
    done = cli.json('dlq', 'replay', 'barred')
    same((done['replayed'], done['accepted'], done['set_aside_again']), (3, 1, 2))
    same(len(cli.records('barred')), 1)


def test_dlq_replay_open_transaction(cli, broker):
    """What stands behind a transaction that is still open waits, and the command says so."""
    c = Contracts(cli, broker)
    c.run('apply', c.order('opened'))
    producer = confluent_kafka.Producer({'bootstrap.servers': cli.env['STROM_BOOTSTRAP'], 'transactional.id': 'opened'})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce('opened', NEGATIVE, partition=0)
    producer.flush()
    produce(cli, 'opened', NEGATIVE, TEXT)
    told = cli.json('dlq', 'replay', 'opened', '--set', 'amount=7')
    waiting = told['waiting_behind_transaction']
    assert waiting >= 1 and told['replayed'] + waiting >= 3, told
    has(cli.run('dlq', 'replay', 'opened')[0].decode(), f'{waiting} wait behind a transaction that is still open')
    producer.commit_transaction()
    told = cli.json('dlq', 'replay', 'opened', '--set', 'amount=7')
    same(told['waiting_behind_transaction'], 0)
    assert told['replayed'] > 0, told


def test_dlq_replay_rate(cli, broker):
    """No more than --rate arrive in a second, the first second included."""
    c = Contracts(cli, broker)
    c.run('apply', c.order('slow'))
    produce(cli, 'slow', NEGATIVE, NEGATIVE, NEGATIVE)
    replay = cli.start('dlq', 'replay', 'slow', '--set', 'amount=1', '--rate', '1')
    seen = 0
    while seen == 0:
        seen = len(cli.records('slow'))
    assert seen < 3, 'all of them at once'
    replay.communicate(timeout=TIMEOUT_S)
    same((replay.returncode, len(cli.records('slow'))), (0, 3))


def test_dlq_replay_killed(cli, broker):
    """Killed anywhere and given again, replay delivers each dead letter exactly once."""
    c = Contracts(cli, broker)
    count = 6000
    c.run('apply', c.order('killed'))
    produce(cli, 'killed', *[b'{"id":%d,"amount":-1}' % i for i in range(count)])
    kills = 0
    for attempt in range(200):
        replay = cli.start('dlq', 'replay', 'killed', '--set', 'amount=1', '--rate', '20000')
        time.sleep(0.03 + 0.011 * (attempt % 7))
        replay.send_signal(signal.SIGKILL)
        replay.communicate(timeout=TIMEOUT_S)
        kills += replay.returncode == -signal.SIGKILL
        if replay.returncode == 0 or kills >= 8:
            break
    cli.run('dlq', 'replay', 'killed', '--set', 'amount=1')
    got = sorted(json.loads(r['value'])['id'] for r in committed(cli, 'killed'))
    same((len(got), got == list(range(count))), (count, True))
    assert kills >= 3, f'replay was done before it could be killed ({kills})'
    # Counted is what the log has: what was replayed in transactions that were killed counts, too.
    now = c.registry('GET', '/contracts/topics/killed')
    same((now['dead_lettered'], now['refused'], now['marked'], now['observed']), (count, 0, 0, 0))
    same(now['passed'], len(committed(cli, 'killed', 'read_uncommitted')))
    same(now['checked'], now['passed'] + count)
    same(sum(p['checked'] for p in now['producers']), now['checked'])


def test_contract_counters(cli, broker):
    """status shows what the log counts, by version, place and producer; violations tells where a record is, and waits
    for the next one."""
    c = Contracts(cli, broker)
    c.run('apply', c.order('counted'))
    produce(cli, 'counted', GOOD, NEGATIVE, TEXT, GOOD)
    now = c.registry('GET', '/contracts/topics/counted')
    same({k: now[k] for k in ('checked', 'passed', 'dead_lettered', 'refused')},
         {'checked': 4, 'passed': 2, 'dead_lettered': 2, 'refused': 0})
    for name, window_ms in (('minute', 60000), ('hour', 3600000), ('day', 86400000)):
        window = now['windows'][name]
        same(window['window_ms'], window_ms)
        assert window['checked'] <= 4 and 0 <= window['covered_ms'] <= window_ms, window
        rate = window['checked'] * 1000 / max(window['covered_ms'], 1000)
        assert abs(window['checked_per_second'] - rate) < 1e-9, window
    same(now['windows']['day']['dead_lettered'], 2)
    same([(v['subject'], v['version'], v['checked']) for v in now['versions']], [('counted-value', 1, 4)])
    same(sorted((p['path'], p['count']) for p in now['paths']), [('$', 1), ('$.id', 1)])
    has(c.text('status', 'counted'), 'PER SEC', 'FAIL 1H', '50%', 'FAILING', '$.id', 'positive')
    found = c.registry('GET', '/contracts/violations?topic=counted')
    times = [datetime.datetime.fromtimestamp(v['time_ms'] / 1000, datetime.timezone.utc) for v in found['violations']]
    same([line.split()[0] for line in c.text('violations', 'counted').splitlines()],
         [t.isoformat(timespec='milliseconds').replace('+00:00', 'Z') for t in times])
    letters = {(s['partition'], s['offset']) for s in found['violations']}
    kept = subprocess.run(['kcat', '-b', cli.env['STROM_BOOTSTRAP'], '-C', '-t', 'counted', '-o', 'beginning', '-e',
                           '-q', '-f', '%p %o\n'], capture_output=True, check=True, timeout=TIMEOUT_S).stdout.decode()
    there = {tuple(map(int, line.split())) for line in kept.splitlines()}
    same((len(letters), len(there), letters & there), (2, 2, set()))
    follow = cli.start('contract', 'violations', 'counted', '--follow', '--json', '--registry', c.url)
    same([json.loads(follow.stdout.readline())['number'] for _ in range(2)], [v['number'] for v in found['violations']])
    produce(cli, 'counted', NEGATIVE)
    same(json.loads(follow.stdout.readline())['rule'], 'positive')
    follow.send_signal(signal.SIGINT)
    follow.communicate(timeout=TIMEOUT_S)
    # What waits is answered by what comes, or with nothing once its time is over; of other topics it hears nothing.
    last = c.registry('GET', '/contracts/violations')['last']
    same(c.registry('GET', f'/contracts/violations?after={last}&wait_ms=1')['violations'], [])
    waiting = threading.Thread(target=lambda: answers.append(
        c.registry('GET', f'/contracts/violations?topic=counted&after={last}&wait_ms=30000')))
    answers = []
    waiting.start()
    while not answers:
        produce(cli, 'counted', TEXT)
        waiting.join(0.2)
    same(answers[0]['violations'][0]['rule'], 'strom:structure')


def committed(cli, topic, isolation='read_committed'):
    """The committed records, or all, as kcat reads them."""
    out = subprocess.run(['kcat', '-b', cli.env['STROM_BOOTSTRAP'], '-C', '-t', topic, '-o', 'beginning', '-e', '-q',
                          '-X', f'isolation.level={isolation}', '-f', '%s\n'], capture_output=True, check=True,
                         timeout=TIMEOUT_S)
    return [{'value': line} for line in out.stdout.splitlines()]
