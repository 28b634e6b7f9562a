# SPDX-License-Identifier: Apache-2.0
"""schemas.py - the scenarios of `strom schema`, played by cli_test.py."""
import json
import os
import re
import subprocess
import tempfile
import time
import urllib.request

from broker import Broker, free_port
from program import TIMEOUT_S, eventually, has, same

def record(*fields, name='Order'):
    return json.dumps({'type': 'record', 'name': name, 'fields': [{'name': 'id', 'type': 'long'}, *fields]})


NOTE = {'name': 'note', 'type': ['null', 'string'], 'default': None}
PERSON = json.dumps({'type': 'object', 'properties': {'id': {'type': 'integer'}}, 'required': ['id'],
                     'additionalProperties': False})
SCHEMAS = {
    'order.avsc': record(), 'order_note.avsc': record(NOTE),
    'order_must.avsc': record({'name': 'must', 'type': 'string'}),
    'order_text.avsc': record().replace('long', 'string'),
    'broken.avsc': '{"type": "recor', 'nothing.txt': 'x', 'person.json': PERSON,
    'money.proto': 'syntax = "proto3";\npackage m;\nmessage Money { int64 units = 1; }\n',
    'bill.proto': 'syntax = "proto3";\nimport "money.proto";\nmessage Bill { m.Money total = 1; }\n',
    'people.jsonl': '{"id":1}\n{"id":"one"}\n\n{"name":"x"}\n{"id":2}\n',
}


class Registry:
    """`strom schema` against one registry, in a folder with the files of SCHEMAS."""

    def __init__(self, cli, broker):
        self.cli = cli
        self.folder = tempfile.TemporaryDirectory(prefix='strom-schemas-')
        self.url = broker.http
        for name, text in SCHEMAS.items():
            with open(self.file(name), 'w', encoding='utf-8') as f:
                f.write(text)

    def file(self, name):
        return os.path.join(self.folder.name, name)

    def words(self, words):
        return ['schema', *(self.file(w) if w in SCHEMAS else w for w in words), '--registry', self.url]

    def text(self, *words, **options):
        return self.cli.text(*self.words(words), **options)

    def error(self, *words, expect=1, **options):
        return self.cli.error(*self.words(words), expect=expect, **options)

    def json(self, *words, expect=0):
        return json.loads(self.cli.run(*self.words(words), '--json', expect=expect)[0])


def test_schema_register(cli, broker):
    r = Registry(cli, broker)
    first = r.json('register', 'reg-value', 'order.avsc')
    same(first['version'], 1)
    same(r.text('register', 'reg-value', 'order.avsc'), f'reg-value: version 1, id {first["id"]}\n')
    second = r.json('register', 'reg-value', 'order_note.avsc')
    same(second['version'], 2)
    refused = r.error('register', 'reg-value', 'order_must.avsc')
    has(refused, "order_must.avsc: error: The field 'must'", '[READER_FIELD_MISSING_DEFAULT_VALUE]',
        "\n  help: Give the field 'must' a default value\n", 'not compatible with version 2 of reg-value (BACKWARD)',
        'strom: the schema is not registered (409)')
    has(r.error('register', 'reg-value', 'broken.avsc'), 'Invalid schema of type AVRO', '(42201)')
    has(r.error('register', 'reg-value', 'nothing.txt', expect=2), 'say --type avro, json or protobuf')
    has(r.error('register', 'reg-value', 'nothing.txt', '--type', 'protobuf'), 'Invalid schema of type PROTOBUF')
    has(r.error('register', 'reg-value', 'nothing.txt', '--type', 'xml', expect=2), 'avro|json|protobuf')
    has(r.error('register', 'reg-value', '/does/not/exist.avsc'), 'cannot read /does/not/exist.avsc', 'No such file')
    has(r.error('register', 'reg-value', 'order.avsc', '--reference', 'a', expect=2), 'use NAME=SUBJECT:VERSION')
    has(r.error('register', 'reg-value', 'order.avsc', '--reference', 'a=b:0', expect=2), 'use NAME=SUBJECT:VERSION')
    has(r.error('register', 'reg-value', 'order.avsc', '--reference', 'a=reg-nobody:1'), 'reg-nobody', '(42201)')
    # what is registered is known by its meaning if asked to
    spaced = r.file('spaced.avsc')
    with open(spaced, 'w', encoding='utf-8') as f:
        f.write(json.dumps({**json.loads(record()), 'doc': 'an order'}, indent=1))
    assert r.json('register', 'reg-value', spaced)['version'] == 3
    same([row['version'] for row in r.json('list', 'reg-', '--versions')], [1, 2, 3])


def test_schema_list_and_get(cli, broker):
    r = Registry(cli, broker)
    ident = r.json('register', 'get-value', 'order.avsc')['id']
    r.text('register', 'get-value', 'order_note.avsc')
    r.text('register', ':.else:get-value', 'order.avsc')
    rows = r.json('list', 'get-')
    same([(row['subject'], row['version'], row['type'], row['deleted']) for row in rows],
         [(':.else:get-value', 1, 'AVRO', False), ('get-value', 2, 'AVRO', False)])
    table = r.text('list', 'get-').splitlines()
    same(table[0].split(), ['SUBJECT', 'VERSION', 'ID', 'TYPE'])
    same(len(table), 3)
    out, err = cli.run(*r.words(['list', 'get-nothing']))
    same(out, b'')
    has(err, 'No subject begins with get-nothing.')
    same(r.json('list', 'get-nothing'), [])
    same(json.loads(r.text('get', 'get-value', '--version', '1')), json.loads(record()))
    has(r.text('get', 'get-value'), '{\n  "type": "record",\n', '"note"')
    same(r.text('get', '--id', str(ident), '--raw'), json.dumps(json.loads(record()), separators=(',', ':')))
    same(r.json('get', 'get-value', '--version', '1')['id'], ident)
    has(r.error('get', 'get-nothing'), "Subject 'get-nothing' not found. (40401)")
    has(r.error('get', 'get-value', '--version', '9'), '(40402)')
    has(r.error('get', 'get-value', '--version', 'x'), '(42202)')
    has(r.error('get', '--id', '99999999'), '(40403)')
    has(r.error('get', expect=2), 'give a SUBJECT or --id')
    has(r.error('get', 'get-value', '--id', '1', expect=2), 'give a SUBJECT or --id')
    bill = r.text('register', 'get-bill', 'bill.proto', '--reference', 'money.proto=get-money:1', expect=1)
    same(bill, '')
    r.text('register', 'get-money', 'money.proto')
    r.text('register', 'get-bill', 'bill.proto', '--reference', 'money.proto=get-money:1')
    same(r.json('get', 'get-bill')['references'], [{'name': 'money.proto', 'subject': 'get-money', 'version': 1}])
    has(r.text('get', 'get-bill'), 'import "money.proto";\n')
    assert not r.text('get', 'get-bill').endswith('\n\n')


def test_schema_check_and_diff(cli, broker):
    r = Registry(cli, broker)
    out, err = cli.run(*r.words(['check', 'chk-value', 'order.avsc']))
    has(err, 'there is no subject chk-value yet')
    r.text('register', 'chk-value', 'order.avsc')
    same(r.text('check', 'chk-value', 'order_note.avsc'),
         f'{r.file("order_note.avsc")} is compatible with chk-value.\n')
    same(r.json('check', 'chk-value', 'order_note.avsc')['is_compatible'], True)
    why = r.text('check', 'chk-value', 'order_must.avsc', expect=1)
    same(why, f"{r.file('order_must.avsc')}: error: The field 'must' at path '/fields/1' in the new schema has no "
              "default value and is missing in the old schema [READER_FIELD_MISSING_DEFAULT_VALUE]\n"
              "  help: Give the field 'must' a default value\n"
              f"{r.file('order_must.avsc')} is not compatible with version 1 of chk-value (BACKWARD).\n")
    same(r.json('check', 'chk-value', 'order_must.avsc', expect=1)['is_compatible'], False)
    has(r.text('check', 'chk-value', 'order_text.avsc', expect=1), '[TYPE_MISMATCH]', 'note: reader type: STRING')
    has(r.text('check', 'chk-value', 'order_text.avsc', '--version', '1', expect=1), 'version 1 of chk-value')
    has(r.text('check', 'chk-value', 'person.json', expect=1), 'different schema type')
    has(r.text('check', 'chk-value', 'broken.avsc', expect=1), 'Invalid schema of type AVRO')
    has(r.error('check', 'chk-value', 'order.avsc', '--version', '9'), '(40402)')

    r.text('register', 'chk-value', 'order_note.avsc')
    diff = r.text('diff', 'chk-value', '1')
    same(diff.splitlines()[:2], ['--- chk-value version 1', '+++ chk-value version 2'])
    has(diff, '\n+      "name": "note",\n', '\n     {\n', 'version 2 is compatible with version 1 of chk-value.')
    same([line for line in diff.splitlines()[2:] if line.startswith('-')], [])
    has(r.text('diff', 'chk-value', '2', '1'), '\n-      "name": "note",\n')
    same(r.text('diff', 'chk-value', '2', '2'), 'Versions 2 and 2 of chk-value say the same.\n')
    has(r.error('diff', 'chk-value', '3'), '(40402)')
    has(r.error('diff', 'chk-value', expect=2), 'strom schema diff')
    r.text('config', 'chk-value', '--set', 'compatibility=NONE')
    r.text('register', 'chk-value', 'order_must.avsc')
    r.text('config', 'chk-value', '--set', 'compatibility=FULL')
    has(r.text('diff', 'chk-value', '1', '3', expect=1), '+      "type": "string"',
        '[READER_FIELD_MISSING_DEFAULT_VALUE]', 'version 3 is not compatible with version 1 of chk-value (FULL).')
    told = r.json('diff', 'chk-value', '1', 'latest', expect=1)
    same((told['from'], told['to'], told['isCompatible']), ('1', '3', False))
    # references are part of what a version says
    for subject in ('chk-money', 'chk-gold'):
        r.text('register', subject, 'money.proto')
    for subject in ('chk-money', 'chk-gold'):
        r.text('register', 'chk-bill', 'bill.proto', '--reference', f'money.proto={subject}:1')
    has(r.text('diff', 'chk-bill', '1'), '-    "subject": "chk-money"', '+    "subject": "chk-gold"')


def test_schema_config_and_mode(cli, broker):
    r = Registry(cli, broker)
    same(r.text('config'), 'compatibility = BACKWARD\n')
    out, err = cli.run(*r.words(['config', 'cfg-value']))
    same(out, b'compatibility = BACKWARD\n')
    has(err, 'no config of its own')
    same(r.text('config', 'cfg-value', '--set', 'compatibility=full'), 'compatibility = FULL\n')
    same(sorted(r.text('config', 'cfg-value', '--set', 'normalize=true').splitlines()),
         ['compatibility = FULL', 'normalize = true'])
    same(r.json('config', 'cfg-value'), {'normalize': True, 'compatibilityLevel': 'FULL'})
    same(r.text('config', 'cfg-value', '--delete'), 'compatibility = BACKWARD\n')
    has(r.error('config', 'cfg-value', '--delete'), '(40401)')
    has(r.error('config', '--set', 'compatibility=SOME'), 'Invalid compatibility level', '(42203)')
    has(r.error('config', '--set', 'compatibilty=FULL', expect=2), 'no setting "compatibilty"')
    has(r.error('config', '--set', 'compatibility', expect=2), 'use KEY=VALUE')
    has(r.error('config', '--set', 'normalize=true', '--delete', expect=2), 'exclude each other')
    same(r.text('config', ':.cfg:', '--set', 'compatibility=NONE'), 'compatibility = NONE\n')
    same(r.text('config', ':.cfg:any'), 'compatibility = NONE\n')

    same(r.text('mode'), 'mode = READWRITE\n')
    r.text('register', 'cfg-value', 'order.avsc')
    same(r.text('mode', 'cfg-value', '--set', 'READONLY'), 'mode = READONLY\n')
    has(r.error('register', 'cfg-value', 'order_note.avsc'), 'read-only mode', '(42205)')
    same(r.json('mode', 'cfg-value'), {'mode': 'READONLY'})
    same(r.text('mode', 'cfg-value', '--delete'), 'mode = READWRITE\n')
    has(r.error('mode', 'cfg-value', '--set', 'IMPORT'), '(42205)')
    same(r.text('mode', 'cfg-value', '--set', 'IMPORT', '--force'), 'mode = IMPORT\n')
    has(r.error('mode', 'cfg-value', '--set', 'SOME', expect=2), 'READWRITE|READONLY')
    has(r.error('mode', '--set', 'READONLY', '--delete', expect=2), 'exclude each other')


def test_schema_delete(cli, broker):
    r = Registry(cli, broker)
    only = r.file('only.avsc')  # an id of its own
    with open(only, 'w', encoding='utf-8') as f:
        f.write(record(name='Only'))
    ident = r.json('register', 'del-value', only)['id']
    r.text('config', 'del-value', '--set', 'compatibility=NONE')
    r.text('register', 'del-value', 'order_note.avsc')
    has(r.error('delete', 'del-value', '--permanent', '--yes'), '(40405)', 'hint: delete it without --permanent first')
    same(r.text('delete', 'del-value', '--version', '1'),
         'Deleted version 1 of del-value softly: still readable by id.\n')
    has(r.error('delete', 'del-value', '--version', '1'), '(40406)', 'hint', '--permanent')
    same([row['version'] for row in r.json('list', 'del-value', '--versions')], [2])
    same([(row['version'], row['deleted']) for row in r.json('list', 'del-value', '--versions', '--deleted')],
         [(1, True), (2, False)])
    has(r.text('list', 'del-value', '--versions', '--deleted'), 'AVRO (deleted)')
    same(json.loads(r.text('get', '--id', str(ident))), json.loads(record(name='Only')))
    same(r.json('delete', 'del-value'), [2])
    same(r.text('delete', 'del-value', '--permanent', '--yes'), 'Deleted versions 1, 2 of del-value for good.\n')
    has(r.error('get', '--id', str(ident)), '(40403)')
    has(r.error('delete', 'del-value'), '(40401)')
    r.text('register', 'del-money', 'money.proto')
    r.text('register', 'del-bill', 'bill.proto', '--reference', 'money.proto=del-money:1')
    has(r.error('delete', 'del-money'), 'references exist', '(42206)')


def test_schema_import(cli, broker):
    r = Registry(cli, broker)
    for subject, file, *more in (('imp-value', 'order.avsc'), ('imp-value', 'order_note.avsc'),
                                 ('imp-p', 'person.json'), ('imp-money', 'money.proto'),
                                 (':.imp:imp-value', 'order.avsc'),
                                 ('imp-bill', 'bill.proto', '--reference', 'money.proto=imp-money:1')):
        r.text('register', subject, file, *more)
    r.text('config', 'imp-value', '--set', 'compatibility=FULL', '--set', 'normalize=true')
    r.text('config', ':.imp:', '--set', 'compatibility=NONE')
    r.text('mode', 'imp-p', '--set', 'READONLY')
    r.text('mode', ':.imp:', '--set', 'READONLY')
    associate(r.url, 'imp-value')
    gone = r.json('register', 'imp-gone', 'order.avsc')['id']
    r.text('delete', 'imp-gone')
    had = r.json('list', '--versions', '--deleted')
    with Broker(cli.binary) as second:
        to = Registry(cli, second)
        has(to.error('import', expect=2), 'give --from')
        has(to.error('import', '--from', 'ftp://x', expect=2), 'http://host:port')
        has(to.error('import', '--from', f'http://127.0.0.1:{free_port()}', expect=3), 'Is that registry running?')
        # begun, and interrupted
        to.text('mode', '--set', 'IMPORT')
        begun = next(row for row in had if row['subject'] == 'imp-value')
        known = r.json('get', 'imp-value', '--version', '1')
        put_version(second.http, 'imp-value', {k: known[k] for k in ('id', 'version', 'schema')})
        same(to.json('list')[0]['id'], begun['id'])
        same(to.json('import', '--from', r.url), {'copied': len(had), 'failed': 0})
        same(to.json('list', '--versions', '--deleted'), had)
        same(to.text('get', '--id', str(gone)), r.text('get', '--id', str(gone)))
        same(to.json('get', 'imp-bill')['references'], r.json('get', 'imp-bill')['references'])
        same(to.json('config', 'imp-value'), r.json('config', 'imp-value'))
        same(to.json('mode'), {'mode': 'READWRITE'})
        same([to.json('mode', scope) for scope in ('imp-p', ':.imp:')], [{'mode': 'READONLY'}] * 2)
        same(to.json('config', ':.imp:'), r.json('config', ':.imp:'))
        same(associations(to.url, 'imp-value'), associations(r.url, 'imp-value'))
        same(len(associations(to.url, 'imp-value')), 1)
        # a registry in use is left alone, unless one insists
        r.text('register', 'imp-late', 'order.avsc')
        has(to.error('import', '--from', r.url), '(42205)', 'hint: --force')
        has(to.text('import', '--from', r.url, '--force'), f'{len(had) + 1} versions are here, 0 could not')
        # new ids go on behind the ones that came
        same(to.json('register', 'imp-new', 'order_text.avsc')['id'], max(row['id'] for row in had) + 1)
    with Broker(cli.binary) as third:
        to = Registry(cli, third)
        to.text('register', 'imp-other', 'order_text.avsc')  # takes an id that something else has there
        has(to.text('import', '--from', r.url, '--force', expect=1), 'could not be copied')


def test_schema_import_file(cli, _broker):
    def version(subject, ident, deleted=False):
        key = {'keytype': 'SCHEMA', 'subject': subject, 'version': 1, 'magic': 1}
        value = {'subject': subject, 'version': 1, 'id': ident, 'schema': record(name=f'R{ident}'), 'deleted': deleted}
        return f'{json.dumps(key)}\t{json.dumps(value)}\n'

    config = json.dumps({'keytype': 'CONFIG', 'subject': 'file-b', 'magic': 0})
    text = '{"keytype":"NOOP","magic":0}\tnull\n' + version('file-b', 12) + version('file-a', 11) + \
        version('file-gone', 13) + version('file-gone', 13, deleted=True) + version(':.f:file-c', 3) + \
        config + '\t{"compatibilityLevel":"NONE"}\n'
    with Broker(cli.binary) as other:
        to = Registry(cli, other)
        with open(to.file('dump.txt'), 'w', encoding='utf-8') as f:
            f.write(text)
        same(to.json('import', '--from-file', to.file('dump.txt')), {'copied': 4, 'failed': 0})
        same([(row['subject'], row['id'], row['deleted']) for row in to.json('list', '--deleted')],
             [(':.f:file-c', 3, False), ('file-a', 11, False), ('file-b', 12, False), ('file-gone', 13, True)])
        same(to.text('config', 'file-b'), 'compatibility = NONE\n')
        has(to.error('import', '--from-file', to.file('people.jsonl'), '--force'), 'cannot read', 'line 1')
        has(to.error('import', '--from-file', 'x', '--from', 'http://y', expect=2), '--from-file FILE')


def ask(url, path, body=None):
    request = urllib.request.Request(url + path, None if body is None else json.dumps(body).encode(),
                                     {'Content-Type': 'application/json'})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        return json.load(response)


def associate(url, subject):
    ask(url, '/associations', {
        'resourceName': subject, 'resourceNamespace': 'lkc-1', 'resourceId': f'id-{subject}', 'resourceType': 'topic',
        'associations': [{'subject': subject, 'associationType': 'value', 'lifecycle': 'STRONG'}]})


def associations(url, subject):
    """But for their own ids."""
    return [{name: value for name, value in found.items() if name != 'guid'}
            for found in ask(url, f'/associations/subjects/{subject}')]


def put_version(url, subject, body):
    request = urllib.request.Request(f'{url}/subjects/{subject}/versions', json.dumps(body).encode(),
                                     {'Content-Type': 'application/vnd.schemaregistry.v1+json'})
    urllib.request.urlopen(request, timeout=TIMEOUT_S).close()


def dump_of(broker):
    """The topic _schemas as kafka-console-consumer prints it; None while there is none."""
    out = subprocess.run(['kcat', '-b', broker.bootstrap, '-C', '-t', '_schemas', '-e', '-q', '-o', 'beginning',
                          '-Z', '-f', '%k\t%s\n'], stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S,
                         check=True).stdout
    return re.sub(r'\tNULL$', '\tnull', out, flags=re.M)


def state_of(dump):
    """The last value of each key that has one."""
    rows = dict(line.split('\t') for line in dump.splitlines())
    return {key: value for key, value in rows.items() if value != 'null'}


def everything(url):
    """What a registry answers about all that it has, but for times and the ids of associations."""
    versions = ask(url, '/schemas?subjectPrefix=:*:&deleted=true')
    subjects = sorted({version['subject'] for version in versions})
    return ([{k: v for k, v in version.items() if k != 'ts'} for version in versions],
            ask(url, '/contexts'), ask(url, '/config'), [associations(url, subject) for subject in subjects],
            [ask(url, f'/{what}/{subject}?defaultToGlobal=true') for subject in subjects
             for what in ('config', 'mode')])


def test_schemas_topic(cli, _broker):
    """What our own _schemas says is a registry for `strom schema import`; and after the topic was away, or the broker
    was killed, it says what is true now."""
    with Broker(cli.binary) as first:
        r = Registry(cli, first)
        for subject, file, *more in (('top-value', 'order.avsc'), ('top-value', 'order_note.avsc'),
                                     ('top-p', 'person.json'), ('top-money', 'money.proto'), (':.top:x', 'order.avsc'),
                                     ('top-bill', 'bill.proto', '--reference', 'money.proto=top-money:1'),
                                     ('top-soft', 'order_text.avsc'), ('top-gone', 'nothing.avsc')):
            if file == 'nothing.avsc':
                with open(r.file(file), 'w', encoding='utf-8') as f:
                    f.write('"bytes"')
                file = r.file(file)
            r.text('register', subject, file, *more)
        r.text('delete', 'top-soft')
        r.text('config', '--set', 'compatibility=FULL')
        r.text('config', 'top-value', '--set', 'compatibility=NONE', '--set', 'normalize=true')
        r.text('mode', 'top-p', '--set', 'READONLY')
        associate(r.url, 'top-value')
        eventually(lambda: 'ASSOC' in dump_of(first))
        # everything, with all that has happened
        first.kill()
        first.settings['strom.registry.topic'] = ''
        first.start()
        told = dump_of(first)  # an ordinary topic now
        r.text('delete', 'top-gone')
        r.text('delete', 'top-gone', '--permanent')
        r.text('register', 'top-late', 'order.avsc')
        r.text('config', 'top-value', '--set', 'compatibility=FORWARD')
        cli.run('produce', '_schemas', '--key', 'garbage', stdin=b'"x"\n', bootstrap=first.bootstrap)
        first.kill()
        del first.settings['strom.registry.topic']
        first.start()
        eventually(lambda: 'top-late' in dump_of(first))
        eventually(lambda: 'garbage' not in state_of(dump_of(first)))
        now = dump_of(first)
        same(now[:len(told)], told)  # offsets stay
        state = state_of(now)
        same([key for key in state if 'top-gone' in key], [])
        same(json.loads(state['{"keytype":"CONFIG","subject":"top-value","magic":0}'])['compatibilityLevel'], 'FORWARD')
        first.stop()
        first.start()
        time.sleep(0.3)  # nothing is to happen
        same(dump_of(first), now)
        with Broker(cli.binary) as second:
            to = Registry(cli, second)
            with open(to.file('dump.txt'), 'w', encoding='utf-8') as f:
                f.write(re.sub('^garbage.*\n', '', now, flags=re.M))
            count = sum('"keytype":"SCHEMA"' in key for key in state)
            same(to.json('import', '--from-file', to.file('dump.txt')), {'copied': count, 'failed': 0})
            same(everything(to.url), everything(r.url))
            eventually(lambda: set(state) <= set(state_of(dump_of(second))))


def test_schemas_topic_of_others(cli, _broker):
    """A topic of that name which somebody else has made is left alone, and a name of one's own may be chosen."""
    with Broker(cli.binary) as broker:
        r = Registry(cli, broker)
        cli.run('topic', 'create', '_schemas', bootstrap=broker.bootstrap)
        r.text('register', 'a', 'order.avsc')
        cli.run('produce', '_schemas', stdin=b'mine\n', bootstrap=broker.bootstrap)
        same(cli.text('consume', '_schemas', '--exit', bootstrap=broker.bootstrap), 'mine\n')
        has(broker.log_tail(), '_schemas is not the registry')
        broker.stop()
        broker.settings['strom.registry.topic'] = 'told'
        broker.start()
        eventually(lambda: 'told' in cli.text('topic', 'list', bootstrap=broker.bootstrap))
        eventually(lambda: 'SCHEMA' in cli.text('consume', 'told', '--exit', '--json', bootstrap=broker.bootstrap))
        same(cli.text('consume', '_schemas', '--exit', bootstrap=broker.bootstrap), 'mine\n')
        cli.run('topic', 'delete', '_schemas', '--yes', bootstrap=broker.bootstrap)
        has(cli.error('topic', 'delete', 'told', '--yes', bootstrap=broker.bootstrap), 'clients can only read it')
        has(cli.error('topic', 'alter', 'told', '--partitions', '3', bootstrap=broker.bootstrap),
            'clients can only read it')
        has(cli.error('topic', 'alter', 'told', '--config', 'retention.ms=1', bootstrap=broker.bootstrap),
            'clients can only read it')


def test_schema_validate_and_infer(cli, broker):
    r = Registry(cli, broker)
    r.text('register', 'val-value', 'person.json')
    words = ['validate', 'people.jsonl', '--subject', 'val-value']
    told = r.text(*words, expect=1).splitlines()
    assert told[0].startswith(f'{r.file("people.jsonl")}:2: $.id: '), told
    assert told[1].startswith(f'{r.file("people.jsonl")}:4: '), told
    same(told[2:], ['5 lines, 2 refused'])
    out, _ = cli.run(*r.words(words), '--json', expect=1)
    same([(row['line'], row['path']) for row in map(json.loads, out.splitlines())], [(2, '$.id'), (4, '$.name')])
    same(r.text('validate', '-', '--subject', 'val-value', stdin=b'{"id":7}\n'), '1 line, 0 refused\n')
    has(r.text('validate', '-', '--subject', 'val-value', stdin=b'{"id":7}\n{', expect=1), '<stdin>:2: ')
    has(r.text('validate', '-', '--subject', 'val-value', stdin=b'x\n' * 30, expect=1), '... and 10 more')
    has(r.error('validate', '/does/not/exist', '--subject', 'val-value'), 'No such file')
    has(r.error('validate', 'people.jsonl', expect=2), 'give --subject')
    has(r.error('validate', 'people.jsonl', '--subject', 'val-nobody'), '(40401)')

    draft = json.loads(cli.text('schema', 'infer', r.file('people.jsonl'), '--name', 'Person'))
    same(draft, {'$schema': 'http://json-schema.org/draft-07/schema#', 'title': 'Person', 'type': 'object',
                 'properties': {'id': {'type': ['integer', 'string']}, 'name': {'type': 'string'}}})
    quakes = b'{"mag":5.1,"place":"sea","tags":["a"]}\n{"mag":6,"place":null,"tags":[],"at":{"x":1}}\n'
    avro = json.loads(cli.text('schema', 'infer', '-', '--type', 'avro', '--name', 'Quake', stdin=quakes))
    same(avro, {'type': 'record', 'name': 'Quake', 'fields': [
        {'name': 'mag', 'type': 'double'}, {'name': 'place', 'type': ['null', 'string'], 'default': None},
        {'name': 'tags', 'type': {'type': 'array', 'items': 'string'}},
        {'name': 'at', 'type': ['null', {'type': 'record', 'name': 'Quake_at', 'fields': [
            {'name': 'x', 'type': 'long'}]}], 'default': None}]})
    has(cli.error('schema', 'infer', r.file('people.jsonl'), '--type', 'avro'), '$.id', 'hint', '--type json')
    has(cli.error('schema', 'infer', '-', stdin=b'{"a":1}\nnot\n'), '<stdin>:2: column 1')
    has(cli.error('schema', 'infer', '-', stdin=b'\n'), 'no record to draft from')
    has(cli.error('schema', 'infer', '/does/not/exist'), 'No such file')
    # a draft is good enough to be registered, and takes the records it was made from
    with open(r.file('draft.json'), 'w', encoding='utf-8') as f:
        json.dump(draft, f)
    r.text('register', 'val-draft', r.file('draft.json'))
    same(r.text('validate', 'people.jsonl', '--subject', 'val-draft'), '5 lines, 0 refused\n')


def container(path, schema, records, codec):
    import avro.datafile  # Debian's
    import avro.io
    import avro.schema
    with open(path, 'wb') as f, avro.datafile.DataFileWriter(f, avro.io.DatumWriter(), avro.schema.parse(schema),
                                                             codec=codec) as writer:
        for value in records:
            writer.append(value)


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def test_schema_validate_binary(cli, broker):
    """Avro's container files as Debian's avro writes them, single records, and records behind their lengths."""
    r = Registry(cli, broker)
    path = r.file('orders.avro')
    words = ['validate', path, '--subject', 'bin-avro']
    r.text('register', 'bin-avro', 'order.avsc')
    r.text('register', 'bin-avro', 'order_note.avsc')
    for codec in ('null', 'deflate', 'snappy', 'zstandard'):
        container(path, SCHEMAS['order_note.avsc'], [{'id': i, 'note': 'x' * (i % 9)} for i in range(4_000)], codec)
        same(r.text(*words), '4000 records, 0 refused\n')
    # written with the older one, which the newer one reads; and the other way round, which it does not have to
    container(path, SCHEMAS['order.avsc'], [{'id': 1}], 'null')
    same(r.text(*words), '1 record, 0 refused\n')
    container(path, SCHEMAS['order_text.avsc'], [{'id': 'x'}], 'null')
    has(r.text(*words, expect=1), ' record 0: ', "the file's schema: ", '0 records, 1 refused')
    # damage in one block, and a cut
    container(path, SCHEMAS['order_note.avsc'], [{'id': i, 'note': None} for i in range(4_000)], 'null')
    with open(path, 'rb') as f:
        data = bytearray(f.read())
    at = data.index(b'\x90\x4e\x00') + 3 if b'\x90\x4e\x00' in data else len(data) // 2
    broken = bytearray(data)
    while broken[at] != 0:  # the branch of a union
        at += 1
    broken[at] = 8
    with open(path, 'wb') as f:
        f.write(broken)
    told = r.text(*words, expect=1)
    has(told, ': $', '4000 records, 1 refused')
    row = r.json(*words, expect=1)
    assert 0 < row['record'] <= 4_000, row
    with open(path, 'wb') as f:
        f.write(data[:-5])
    has(r.error(*words), 'cannot validate', 'damaged or cut')
    # one record, and many
    same(r.text('validate', '-', '--subject', 'bin-avro', stdin=b'\x02\x00'), '1 record, 0 refused\n')
    has(r.text('validate', '-', '--subject', 'bin-avro', stdin=b'\x02\x08', expect=1), '<stdin>: record 1: $.note: ')
    many = b''.join(varint(len(one)) + one for one in (b'\x02\x00', b'\x02\x04', b'\x04\x02\x02a'))
    has(r.text('validate', '-', '--subject', 'bin-avro', '--delimited', stdin=many, expect=1),
        ' record 2: $.note', '3 records, 1 refused')
    r.text('register', 'bin-proto', 'money.proto')
    same(r.text('validate', '-', '--subject', 'bin-proto', stdin=b'\x08\x05'), '1 record, 0 refused\n')
    many = b''.join(varint(len(one)) + one for one in [b'\x08\x05'] * 300 + [b'\x08', b''])
    has(r.text('validate', '-', '--subject', 'bin-proto', '--delimited', stdin=many, expect=1), ' record 301: ',
        '302 records, 1 refused')
    has(r.text('validate', '-', '--subject', 'bin-proto', '--delimited', stdin=b'\x7f\x08', expect=1),
        'goes beyond the end of the file')
    r.text('register', 'bin-json', 'person.json')
    has(r.error('validate', '-', '--subject', 'bin-json', '--delimited', expect=2), 'binary records')


def test_schema_usage(cli, broker):
    has(cli.error('schema', 'lst', expect=2), '`strom schema` has no verb "lst"')
    has(cli.run('schema', expect=2)[1], 'VERBS', 'register', 'diff')
    away = f'http://127.0.0.1:{free_port()}'
    has(cli.error('schema', 'list', '--registry', away, expect=3), away, 'Is the broker running?')
    has(cli.error('schema', 'list', '--registry', 'https://x', expect=2), 'http://host:port')
    has(cli.error('schema', 'list', '--registry', f'http://{broker.bootstrap}', expect=3), broker.bootstrap)
    env = {**cli.env, 'STROM_REGISTRY': broker.http}
    same(subprocess.run([cli.binary, 'schema', 'mode'], env=env, capture_output=True, timeout=TIMEOUT_S,
                        check=True).stdout, b'mode = READWRITE\n')
