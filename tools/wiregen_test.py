#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wiregen_test.py - the generator refuses bad specs and says where; wire_check.py sees every kind of difference."""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire_check  # noqa: E402
import wiregen  # noqa: E402

HEAD = 'api 7 TestThing   versions 0..4   flexible 2+\n'
GOOD = HEAD + '''request
  struct part
    id          int32
  name          string?        = null
  parts         [part]   1..3
response
  error         error
'''


def parse(text, name='7_test_thing.api'):
    return wiregen.Parser(name, text).parse()


def request(*lines):
    return HEAD + 'request\n' + ''.join('  %s\n' % line for line in lines) + 'response\n  error  error\n'


BAD = [  # (spec, line number, text)
    ('', 1, "no 'api' line"),
    (HEAD, 2, "no 'request'"),
    (HEAD + 'request\n  a  int8\n', 4, "no 'response'"),
    ('request\n', 1, "'request' before the 'api' line"),
    (HEAD + HEAD, 2, "a second 'api' line"),
    ('api x\n', 1, "expected 'api KEY Name versions MIN..MAX flexible N+|never [decode N]'"),
    ('api 7 TestThing versions 3..1 flexible 2+\n', 1, 'versions 3..1, decode 3: not in order'),
    ('api 7 TestThing versions 0..4 flexible 2+ decode 5\n', 1, 'versions 0..4, decode 5: not in order'),
    ('api 8 TestThing versions 0..4 flexible 2+\n', 1, "the file of this API must be named '8_test_thing.api'"),
    (HEAD + 'reply\n', 2, "'reply': expected 'api', 'request' or 'response'"),
    (HEAD + '  a  int8\n', 2, "a field outside 'request' and 'response'"),
    (GOOD + 'request\n', 9, "a second 'request'"),
    (HEAD + 'request\n\ta int8\n', 3, 'a tab; indent with two spaces per level'),
    (HEAD + 'request\n   a  int8\n', 3, 'indentation of 3 spaces fits no open struct'),
    (request('a  int8', '  b  int8'), 4, 'indentation of 4 spaces fits no open struct'),
    (request('a'), 3, "field 'a' has no type"),
    (request('A  int8'), 3, "'A' cannot name a field"),
    (request('int  int8'), 3, "'int' cannot name a field"),
    (request('a  int8', 'a  int8'), 4, "field 'a' twice in request"),
    (request('a  int9'), 3, "unknown type 'int9'"),
    (request('a  int8!'), 3, "'int8!' is not a type"),
    (request('a  [bool]'), 3, "no arrays of 'bool'"),
    (request('a  int8?'), 3, "'int8' cannot be null"),
    (request('a  int8  often'), 3, "'often' not understood in field 'a'"),
    (request('a  int8  1+ 2+'), 3, "'2+' not understood in field 'a'"),
    (request('a  int8  ='), 3, "'=' not understood in field 'a'"),
    (request('a  int8  3..2'), 3, "field 'a': versions 3..2 run backwards"),
    (request('a  int8  5+'), 3, "field 'a' is in no version of 0..4"),
    (request('a  int8  1+ tag=0'), 3, "field 'a' is tagged before flexible versions begin"),
    (request('a  int8  2+ tag=0', 'b  int8  2+ tag=0'), 2, "struct 'request' uses a tag twice"),
    (request('a  records  2+ tag=0'), 3, 'records cannot be tagged: they are spliced after encoding'),
    (request('a  {b}  2+ tag=0', '  c  records'), 4, 'records cannot be tagged: they are spliced after encoding'),
    (request('a  {b}?  2+ tag=0 = null', '  c  int8'), 3, 'a tagged struct cannot be null'),
    (request('a  int8  = 128'), 3, 'default 128 does not fit int8'),
    (request('a  uint16  = -1'), 3, 'default -1 does not fit uint16'),
    (request('a  int8  = ten'), 3, "'ten' is no default for field 'a'"),
    (request('a  string  = x'), 3, "'x' is no default for field 'a'"),
    (request('a  [int8]  = 1'), 3, "'1' is no default for field 'a'"),
    (request('a  string  = null'), 3, "field 'a' is not nullable but defaults to null"),
    (request('a  {b}?', '  c  int8'), 3, "nullable struct 'a' needs '= null'"),
    (request('a  [thing]'), 3, "struct 'thing' has no fields"),
    (request('struct b', '  c  int8'), 3, "struct 'b' is never used"),
    (request('struct b', '  c  int8', 'struct b', '  c  int8'), 5, "struct 'b' twice in this message"),
    (request('struct B', '  c  int8'), 3, "'B' is not a lower-case name"),
    (request('struct b c'), 3, "expected 'struct NAME' directly under 'request'"),
    (request('struct b', '  struct c'), 4, "expected 'struct NAME' directly under 'request'"),
    (request('a  [b]', '  c  [b]'), 4, "struct 'b' contains itself"),
    (request(*['%sa  {s%d}' % ('  ' * i, i) for i in range(8)] + ['  ' * 8 + 'a  int8']), 10,
     "struct 's7' is nested deeper than 8"),
    (request('a  [b]', '  c  int8  3+ tag=0'), 3, None),  # accepted: a flexible element is never empty
]


class Parsing(unittest.TestCase):
    def test_bad_specs(self):
        for text, line, message in BAD:
            with self.subTest(spec=text):
                if message is None:
                    parse(text)
                    continue
                with self.assertRaises(wiregen.SpecError) as caught:
                    parse(text)
                self.assertEqual(str(caught.exception), '7_test_thing.api:%d: %s' % (line, message))

    def test_empty_element(self):
        text = request('a  [b]', '  c  {d}', '    e  int8  2..2').replace('flexible 2+', 'flexible never')
        # c is there in v0, but holds nothing before v2: an array of it could claim any count for no bytes.
        with self.assertRaisesRegex(wiregen.SpecError, ":3: an element of 'a' can be empty on the wire"):
            parse(text)

    def test_good(self):
        api = parse('# What it is.\n' + GOOD)
        self.assertEqual((api.key, api.name, api.version_min, api.version_max, api.flexible), (7, 'TestThing', 0, 4, 2))
        self.assertEqual(api.doc, ['What it is.'])
        part, root = api.messages['request']
        self.assertEqual((part.c_name, root.c_name), ('test_thing_request_part', 'test_thing_request'))
        parts = root.fields[1]
        self.assertEqual((parts.since, parts.until, parts.is_array, parts.sub), (1, 3, True, part))
        self.assertEqual(wiregen.size_min(api, part), 4)
        self.assertEqual(wiregen.size_min(api, root), 2)  # v0: a short string's length; v4: compact and a tag count

    def test_snake(self):
        for name, expected in (('ApiVersions', 'api_versions'), ('Enable2Pc', 'enable2_pc'),
                               ('timeoutMs', 'timeout_ms'), ('LastKnownElr', 'last_known_elr'),
                               ('EligibleLeaderReplicas', 'eligible_leader_replicas')):
            self.assertEqual(wiregen.snake(name), expected)


class Running(unittest.TestCase):
    def run_main(self, files, *options):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for name, text in files:
                paths.append(os.path.join(folder, name))
                with open(paths[-1], 'w', encoding='utf-8') as file:
                    file.write(text)
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = wiregen.main([o.replace('DIR', folder) for o in options] + paths)
            made = {}
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), encoding='utf-8') as file:
                    made[name] = file.read()
            return code, out.getvalue(), err.getvalue().replace(folder + '/', ''), made

    def test_output(self):
        code, out, err, made = self.run_main([('7_test_thing.api', GOOD)], '--header', 'DIR/h', '--tables', 'DIR/c',
                                             '--docs')
        self.assertEqual((code, err), (0, ''))
        self.assertIn('    API_TEST_THING = 7,\n', made['h'])
        self.assertIn('    struct str name; // may be null\n', made['h'])
        self.assertIn('    struct test_thing_request_part *parts; // v1-3\n    int32_t parts_count;\n', made['h'])
        self.assertIn('{7, "TestThing", 0, 4, 2, 0, &test_thing_request_type, &test_thing_response_type}', made['c'])
        self.assertIn('| parts | [part] | v1-3 |', out)

    def test_same_key_twice(self):
        other = GOOD.replace('TestThing', 'OtherThing')
        code, _, err, _ = self.run_main([('7_test_thing.api', GOOD), ('7_other_thing.api', other)])
        self.assertEqual((code, err), (1, 'key 7 belongs to both TestThing and OtherThing\n'))

    def test_error_writes_nothing(self):
        code, _, err, made = self.run_main([('7_test_thing.api', HEAD)], '--header', 'DIR/h', '--tables', 'DIR/c')
        self.assertEqual((code, err, made), (1, "7_test_thing.api:2: no 'request'\n", {'7_test_thing.api': HEAD}))


KAFKA_REQUEST = {
    'apiKey': 7, 'type': 'request', 'name': 'TestThingRequest', 'validVersions': '0-4', 'flexibleVersions': '2+',
    'fields': [
        {'name': 'Name', 'type': 'string', 'versions': '0+', 'nullableVersions': '0+', 'default': 'null'},
        {'name': 'Parts', 'type': '[]Part', 'versions': '1-3', 'fields': [
            {'name': 'Id', 'type': 'int32', 'versions': '0+'}]}]}
KAFKA_RESPONSE = {
    'apiKey': 7, 'type': 'response', 'name': 'TestThingResponse', 'validVersions': '0-4', 'flexibleVersions': '2+',
    'fields': [{'name': 'ErrorCode', 'type': 'int16', 'versions': '0+'}]}


class Checking(unittest.TestCase):
    def differences(self, change=lambda request: None):
        request_json = json.loads(json.dumps(KAFKA_REQUEST))
        change(request_json)
        check = wire_check.Check()
        check.api(parse(GOOD), {(7, 'request'): request_json, (7, 'response'): KAFKA_RESPONSE})
        return check.differences

    def test_same(self):
        self.assertEqual(self.differences(), [])

    def test_each_difference_is_seen(self):
        def name(r):
            return r['fields'][0]

        def part(r):
            return r['fields'][1]['fields'][0]
        changes = [
            lambda r: name(r).update(name='Nome'), lambda r: name(r).update(type='bytes'),
            lambda r: name(r).update(versions='1+'), lambda r: name(r).update(versions='0-3'),
            lambda r: name(r).update(nullableVersions='2+'), lambda r: name(r).pop('nullableVersions'),
            lambda r: name(r).pop('default'), lambda r: name(r).update(tag=0, taggedVersions='2+'),
            lambda r: part(r).update(type='int64'), lambda r: part(r).update(default='-1'),
            lambda r: part(r).update(versions='2+'), lambda r: part(r).update(type='[]int32'),
            lambda r: r['fields'].reverse(), lambda r: r['fields'].append(dict(name(r), name='More')),
            lambda r: r.update(validVersions='0-5'), lambda r: r.update(validVersions='1-4'),
            lambda r: r.update(flexibleVersions='3+'), lambda r: r.update(name='ThingRequest'),
            lambda r: r.update(latestVersionUnstable=True),
        ]
        for i, change in enumerate(changes):
            with self.subTest(change=i):
                self.assertNotEqual(self.differences(change), [])


if __name__ == '__main__':
    unittest.main()
