#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""protobuf_oracle.py - src/format/protobuf/ beside protoc and libprotobuf (python3-protobuf), on seeded random schemas.

For each schema: protoc takes it and all that we print of it; our FileDescriptorProto has protoc's bytes; payloads that
libprotobuf writes are taken and show the same values; of mutants the same are refused. Where the two are known to
differ, EXPLAINED says why, and how often is printed.
"""
import base64
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import warnings

try:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from google.protobuf.message import DecodeError
except ImportError:
    print('ok protobuf-skipped (no python3-protobuf)')
    sys.exit(0)

HERE = os.path.dirname(os.path.abspath(__file__))
PROBE = os.environ.get('STROM_FORMAT_PROBE', os.path.join(HERE, '../../build/tests/format/format_probe'))
SCHEMAS = int(os.environ.get('STROM_ORACLE_SCHEMAS', 250))
PAYLOADS, MUTANTS = 6, 12

INTEGERS = {'int32': 31, 'int64': 63, 'uint32': 32, 'uint64': 64, 'sint32': 31, 'sint64': 63, 'fixed32': 32,
            'fixed64': 64, 'sfixed32': 31, 'sfixed64': 63}
SCALARS = [*INTEGERS, 'double', 'float', 'bool', 'string', 'bytes']
KEYS = [*INTEGERS, 'bool', 'string']
EXPLAINED = {
    'but the schema has': 'a known field with another wire type: a reader would lose it',
    'nested deeper': 'depth',
    'required field': 'a message in parts, of which one has not all that is required',
    'a field number that is too large': 'a tag of more than 32 bits, which libprotobuf cuts',
}

WARNED = []


class NotText(Exception):
    pass


class Probe:
    def __init__(self):
        self.process = subprocess.Popen([PROBE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps({'format': 'PROTOBUF', 'new': True, **request}) + '\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit('not ok protobuf-probe: it ended at ' + json.dumps(request)[:2000])
        return json.loads(line)


class Schemas:
    """One random .proto text. Names are unique, so every way to write a type's name means the same."""

    def __init__(self, r):
        self.r = r
        self.is_proto3 = r.random() < .5
        self.package = r.choice(['', 'p', 'p.q.r'])
        self.count = 0
        self.messages = []
        self.enums = []
        self.custom = r.random() < .4

    def name(self, prefix):
        self.count += 1
        return f'{prefix}{self.count}'

    def written(self, full):
        """A type's name: in full, or without the package."""
        if self.r.random() < .3:
            return '.' + (self.package + '.' if self.package else '') + full
        return full

    def type(self):
        kind = self.r.random()
        if kind < .2 and self.messages:
            return self.written(self.r.choice(self.messages))
        if kind < .35 and self.enums:
            return self.written(self.r.choice(self.enums))
        return self.r.choice(SCALARS)

    def default(self, kind):
        r = self.r
        if kind in INTEGERS:
            value = r.getrandbits(INTEGERS[kind])
            if kind.startswith(('int', 'sint', 'sfixed')) and r.random() < .5:
                value = -value
            return hex(value) if value >= 0 and r.random() < .2 else str(value)
        return {'double': r.choice(['1.5', '-2e10', 'inf', '-inf', 'nan', '0.1', '3']),
                'float': r.choice(['0.1', '1e9', '-7']), 'bool': r.choice(['true', 'false']),
                'string': r.choice(['"a"', "'q\"\\n'", '"\\303\\244"']),
                'bytes': r.choice(['"\\x00\\xff"', '"z\'"'])}[kind]

    def options(self, kind, is_repeated, in_oneof):
        r = self.r
        found = []
        if r.random() < .1:
            found.append('deprecated = true')
        if is_repeated and (kind in INTEGERS or kind in ('double', 'float', 'bool')) and r.random() < .4:
            found.append(f'packed = {r.choice(["true", "false"])}')
        if r.random() < .1:
            found.append(f'json_name = "{self.name("j")}"')
        if not self.is_proto3 and not is_repeated and kind in SCALARS and r.random() < .3:
            found.append('default = ' + self.default(kind))
        if self.custom and r.random() < .2:
            found.append(r.choice(['(note).text = "t"',
                                   '(note) = {text: "a" count: [1, -2], inner { text: \'b\' } real: 1.5}',
                                   '(tags) = "x", (tags) = "y"', '(note).inner.text = "deep"']))
        r.shuffle(found)
        return f' [{", ".join(found)}]' if found else ''

    def number(self, used):
        while True:
            number = self.r.choice([self.r.randint(1, 20), self.r.randint(1, 3000), self.r.randint(20000, 536870911)])
            if number not in used:
                used.add(number)
                return number

    def field(self, used, in_oneof=False):
        kind = self.type()
        label = ''
        if not in_oneof:
            labels = ['optional', 'optional', 'repeated', 'required']
            if self.is_proto3:
                labels = ['', '', 'optional', 'repeated']
            label = self.r.choice(labels)
            if label == 'required' and (kind not in SCALARS or self.r.random() < .7):
                label = 'optional'
            if self.r.random() < .12:
                if kind.split('.')[-1].startswith('E') and not self.is_proto3:
                    kind = 'int32'  # an enum in a map has to begin with 0
                return f'map<{self.r.choice(KEYS)}, {kind}> {self.name("some_map_")} = {self.number(used)};'
        name = self.name(self.r.choice(['f', 'some_field_', 'camelCase']))
        return f'{label} {kind} {name} = {self.number(used)}{self.options(kind, label == "repeated", in_oneof)};'

    def enum(self, path):
        name = self.name('E')
        self.enums.append(path + name)
        first = 0 if self.is_proto3 else self.r.randint(-2, 2)
        numbers = [first] + [self.r.choice([n, -n, 10 * n]) + 100 for n in range(1, self.r.randint(1, 5))]
        body = [f'{self.name("V")} = {n};' for n in dict.fromkeys(numbers)]
        if self.r.random() < .2:
            body = ['option allow_alias = true;', *body, f'{self.name("V")} = {first};']
        if self.r.random() < .2:
            body.append('reserved 1000, 2000 to max;')
        return f'enum {name} {{ {" ".join(body)} }}'

    def message(self, path, depth):
        r = self.r
        name = self.name('M')
        full = path + name
        used = {*range(3001, 8000)}
        body = []
        if depth > 0:
            for _ in range(r.randint(0, 2)):
                body.append(self.message(full + '.', depth - 1))
        if r.random() < .3:
            body.append(self.enum(full + '.'))
        self.messages.append(full)
        for _ in range(r.randint(0, 7)):
            body.append(self.field(used))
        if r.random() < .3:
            members = ' '.join(self.field(used, True) for _ in range(r.randint(1, 3)))
            body.append(f'oneof {self.name("o")} {{ {members} }}')
        if not self.is_proto3 and r.random() < .15:
            body.append(f'{r.choice(["optional", "repeated"])} group {self.name("G")} = {self.number(used)} '
                        f'{{ {self.field(set(used))} }}')
        if r.random() < .2:
            body.append(r.choice(['reserved 7500;', 'reserved 7600 to 7699, 7501;',
                                  f'reserved "{self.name("r")}";']))
        if not self.is_proto3 and r.random() < .2:
            body.append('extensions 3001 to 7100, 7200;')
        if self.custom and r.random() < .2:
            body.append('option (mark) = 7;')
        if r.random() < .1:
            body.append('option deprecated = true;')
        r.shuffle(body)
        return f'message {name} {{ {" ".join(body)} }}'

    def text(self):
        r = self.r
        parts = []
        for _ in range(r.randint(1, 3)):
            parts.append(self.message('', 2))
        if r.random() < .4:
            parts.insert(r.randint(0, len(parts)), self.enum(''))
        if r.random() < .2:
            a, b = self.written(r.choice(self.messages)), self.written(r.choice(self.messages))
            streams = ' '.join(f'rpc {self.name("R")} ({s}{a}) returns ({t}{b});'
                               for s in ('', 'stream ') for t in ('', 'stream '))
            parts.append(f'service {self.name("S")} {{ {streams} }}')
        if self.custom:
            label = '' if self.is_proto3 else 'optional '
            parts.append(f'message Note {{ {label}string text = 1; repeated sint32 count = 2; {label}Note inner = 3; '
                         f'{label}float real = 4; }}'
                         f'extend google.protobuf.FieldOptions {{ {label}Note note = 50001; '
                         f'repeated string tags = 50002; }}'
                         f'extend google.protobuf.MessageOptions {{ {label}fixed32 mark = 50003; }}')
        head = f'syntax = "proto{3 if self.is_proto3 else 2}";'
        if self.package:
            head += f' package {self.package};'
        if self.custom:
            head += ' import "google/protobuf/descriptor.proto";'
        if r.random() < .3:
            head += ' option java_package = "j"; option optimize_for = SPEED;'
        return head + '\n' + '\n'.join(parts) + '\n'


# ---- values

def random_value(r, field, depth):
    kind = field.type
    if kind == field.TYPE_MESSAGE or kind == field.TYPE_GROUP:
        return None
    if kind == field.TYPE_ENUM:
        numbers = [v.number for v in field.enum_type.values]
        return r.choice(numbers)
    names = {getattr(field, 'TYPE_' + n.upper()): n for n in SCALARS}
    name = names[kind]
    if name in INTEGERS:
        value = r.getrandbits(r.choice([1, 7, 8, INTEGERS[name]]) if INTEGERS[name] > 8 else 1)
        value = min(value, 2 ** INTEGERS[name] - 1)
        return -value if name.startswith(('int', 'sint', 'sfixed')) and r.random() < .5 else value
    if name == 'double':
        return r.choice([0.0, 1.5, -1e300, r.random()])
    if name == 'float':
        return r.choice([0.0, 1.5, -2.25])
    if name == 'bool':
        return r.random() < .5
    text = ''.join(r.choice('ab z\u00e4\u20ac\U0001f600') for _ in range(r.randint(0, 8)))
    return text.encode() if name == 'bytes' else text


def fill(r, message, depth):
    for field in message.DESCRIPTOR.fields:
        chance = .95 if field.label == field.LABEL_REQUIRED else .6
        if r.random() > chance and field.label != field.LABEL_REQUIRED:
            continue
        is_message = field.type in (field.TYPE_MESSAGE, field.TYPE_GROUP)
        if is_message and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            for _ in range(r.randint(0, 3)):
                k = random_value(r, key, depth)
                if value.type == value.TYPE_MESSAGE:
                    if depth > 0:
                        fill(r, getattr(message, field.name)[k], depth - 1)
                else:
                    getattr(message, field.name)[k] = random_value(r, value, depth)
        elif field.label == field.LABEL_REPEATED:
            for _ in range(r.randint(0, 3)):
                if not is_message:
                    getattr(message, field.name).append(random_value(r, field, depth))
                elif depth > 0:
                    fill(r, getattr(message, field.name).add(), depth - 1)
        elif is_message:
            if depth > 0:
                child = getattr(message, field.name)
                child.SetInParent()
                fill(r, child, depth - 1)
        else:
            setattr(message, field.name, random_value(r, field, depth))


def seen_value(field, value):
    kind = field.type
    if kind in (field.TYPE_MESSAGE, field.TYPE_GROUP):
        return seen(value)
    if kind == field.TYPE_ENUM:
        found = field.enum_type.values_by_number.get(value)
        return 's' + (found.name if found else '')
    if kind in (field.TYPE_DOUBLE, field.TYPE_FLOAT):
        return 'd' + struct.pack('<d', value).hex()
    if kind == field.TYPE_BOOL:
        return value
    if kind == field.TYPE_STRING:
        if isinstance(value, bytes):
            raise NotText()  # proto2 lets it be; JSON has no way to show it
        return 's' + value
    if kind == field.TYPE_BYTES:
        return 'x' + value.hex()
    return f'i{value}'


def has_presence(field):
    return field.has_presence if hasattr(field, 'has_presence') else (
        field.containing_oneof is not None or field.message_type is not None or field.file.syntax == 'proto2')


def key_text(value):
    return {True: 'true', False: 'false'}[value] if isinstance(value, bool) else str(value)


def seen(message):
    """A message as format_probe shows it: fields by number; maps sorted by key."""
    entries = []
    for field in sorted(message.DESCRIPTOR.fields, key=lambda f: f.number):
        value = getattr(message, field.name)
        name = field.message_type.name if field.type == field.TYPE_GROUP else field.name
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            if len(value) > 0:
                inner = field.message_type.fields_by_name['value']
                items = sorted([key_text(k), seen_value(inner, value[k])] for k in value)
                entries.append([name, {'map': items}])
        elif field.label == field.LABEL_REPEATED:
            if len(value) > 0:
                entries.append([name, [seen_value(field, v) for v in value]])
        elif not has_presence(field) or message.HasField(field.name):
            entries.append([name, seen_value(field, value)])
    return {'record': entries}


def sort_maps(value):
    if isinstance(value, list):
        return [sort_maps(v) for v in value]
    if isinstance(value, dict):
        entries = [[k, sort_maps(v)] for k, v in value.get('record', value.get('map'))]
        return {'record': entries} if 'record' in value else {'map': sorted(dict(entries).items()) and [
            [k, v] for k, v in sorted(dict(entries).items())]}
    return value


def difference(a, b, path='$'):
    """Where two values differ first."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        a, b = list(a.values())[0], list(b.values())[0]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            if x != y:
                return difference(x, y, f'{path}[{i}]')
    return f'{path}: {a}, we {b}'


def mutate(r, payload):
    data = bytearray(payload)
    for _ in range(r.randint(1, 2)):
        if not data:
            data.append(r.getrandbits(8))
        at = r.randrange(len(data))
        kind = r.randrange(5)
        if kind == 0:
            data[at] ^= 1 << r.randrange(8)
        elif kind == 1:
            del data[at:at + r.randint(1, 3)]
        elif kind == 2:
            data.insert(at, r.getrandbits(8))
        elif kind == 3:
            data = data[:at]
        else:
            data += data[:at]
    return bytes(data)


# ---- the comparison

class Oracle:
    def __init__(self, folder):
        self.folder = folder
        self.probe = Probe()
        self.counts = {}
        self.failures = []
        self.roots = {}
        # What protoc imports for custom options is our own text of libprotobuf's descriptor.
        written = base64.b64encode(descriptor_pb2.DESCRIPTOR.serialized_pb).decode()
        os.makedirs(os.path.join(folder, 'google/protobuf'))
        with open(os.path.join(folder, 'google/protobuf/descriptor.proto'), 'w', encoding='utf-8') as f:
            f.write(self.probe.ask(op='print', schema=written, form='canonical')['text'])

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def fail(self, what, detail):
        self.count('FAIL ' + what)
        if len(self.failures) < 20:
            self.failures.append(f'{what}: {detail}'[:3000])

    def protoc(self, texts):
        """Descriptors of many texts, or None for what protoc refuses."""
        names = []
        for i, text in enumerate(texts):
            names.append(f't{i}.proto')
            with open(os.path.join(self.folder, names[-1]), 'w', encoding='utf-8') as f:
                f.write(text)
        found = []
        for name in names:
            run = subprocess.run(['protoc', '-I.', '--descriptor_set_out=out.bin', name], cwd=self.folder,
                                 capture_output=True, text=True, check=False)
            if run.returncode != 0:
                found.append((None, run.stderr))
                continue
            with open(os.path.join(self.folder, 'out.bin'), 'rb') as f:
                found.append((descriptor_pb2.FileDescriptorSet.FromString(f.read()).file[0], ''))
        return found

    def check_texts(self, text):
        forms = ('canonical', 'normal', 'plain')
        printed = {form: self.probe.ask(op='print', schema=text, form=form) for form in forms}
        for form, answer in printed.items():
            if not answer['ok']:
                self.fail('we-refuse', f'{form}: {answer["error"]}\n{text}')
                return None
        theirs = self.protoc([text] + [printed[f]['text'] for f in ('canonical', 'normal')])
        for (descriptor, error), form in zip(theirs, ('as written', 'canonical', 'normal')):
            if descriptor is None:
                shown = text if form == 'as written' else printed[form]['text']
                self.fail('protoc-refuses', f'{form}: {error}\n{shown}')
                return None
        answer = self.probe.ask(op='print', schema=printed['canonical']['text'], form='serialized')
        if not answer['ok']:
            self.fail('serialized', answer['error'] + '\n' + text)
            return None
        ours = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(answer['text']))
        expected = theirs[1][0]
        ours.name = expected.name
        if ours.SerializeToString() != expected.SerializeToString():
            self.fail('descriptor', f'{text}\nours:\n{ours}\nprotoc:\n{expected}')
            return None
        again = self.probe.ask(op='print', schema=answer['text'], form='serialized')
        # Options of a file's own extensions are not known while its descriptor is read.
        if not again['ok'] or (again['text'] != answer['text'] and 'extend ' not in text):
            self.fail('descriptor-read', f'{again}\n{text}')
        self.count('schemas')
        return theirs[0][0]

    def check_payloads(self, r, text, descriptor):
        pool = descriptor_pool.DescriptorPool()
        for dependency in descriptor.dependency:
            pool.Add(descriptor_pb2.FileDescriptorProto.FromString(descriptor_pb2.DESCRIPTOR.serialized_pb))
        pool.Add(descriptor)
        factory = message_factory.MessageFactory(pool)
        for index, first in enumerate(pool.FindFileByName(descriptor.name).message_types_by_name.values()):
            kind = factory.GetPrototype(first)
            payloads = []
            for _ in range(PAYLOADS):
                message = kind()
                fill(r, message, 3)
                payload = message.SerializePartialToString(deterministic=True)
                payloads += [payload] + [mutate(r, payload) for _ in range(MUTANTS)]
            # Root indexes count messages as the text has them; libprotobuf lists them by name.
            root = [m.name for m in descriptor.message_type].index(first.name)
            answer = self.probe.ask(op='check', schema=text, payloads=[p.hex() for p in payloads], values=True,
                                    root=[root])
            if not answer['ok']:
                self.fail('compile', answer['error'] + '\n' + text)
                continue
            for payload, verdict in zip(payloads, answer['verdicts']):
                self.check_verdict(kind, payload, verdict, text)

    def check_verdict(self, kind, payload, verdict, text):
        message = kind()
        WARNED.clear()
        try:
            message.ParseFromString(payload)
            is_good = message.IsInitialized() and not WARNED  # it warns of the end of a group that did not begin
        except (DecodeError, RuntimeError):
            is_good = False
        self.count('payloads')
        if is_good != verdict['ok']:
            explained = [why for words, why in EXPLAINED.items() if words in verdict.get('text', '')]
            if is_good and explained:
                self.count('explained: ' + explained[0])
            else:
                self.fail('verdict', f'{payload.hex()} of {kind.DESCRIPTOR.name}: libprotobuf {is_good}, '
                                     f'we {verdict}\n{text}')
        elif is_good:
            try:
                expected, ours = seen(message), sort_maps(verdict['value'])
            except (NotText, ValueError):
                self.count('values that are no text')
                return
            if expected == ours:
                self.count('values')
            elif seen(kind.FromString(payload)) == expected and self.is_in_parts(kind, payload, text):
                self.count('explained: a message in parts: the last part is shown')
            else:
                self.fail('value', f'{payload.hex()} of {kind.DESCRIPTOR.name}: {difference(expected, ours)}\n{text}')

    def is_in_parts(self, kind, payload, text):
        """Whether the same fields, written anew, are seen alike."""
        message = kind.FromString(payload)
        message.DiscardUnknownFields()
        again = message.SerializeToString()
        root = self.roots[kind.DESCRIPTOR.name]
        answer = self.probe.ask(op='check', schema=text, payloads=[again.hex()], values=True, root=[root])
        return answer['verdicts'][0]['ok'] and sort_maps(answer['verdicts'][0]['value']) == seen(message)

    def run(self, seed):
        r = random.Random(seed)
        text = Schemas(r).text()
        descriptor = self.check_texts(text)
        if descriptor is not None:
            self.roots = {m.name: i for i, m in enumerate(descriptor.message_type)}
            self.check_payloads(r, text, descriptor)


def main():
    if shutil.which('protoc') is None:
        print('ok protobuf-libprotobuf-skipped (no protoc)')
        return
    first = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    warnings.simplefilter('always', RuntimeWarning)
    warnings.showwarning = lambda *what, **_: WARNED.append(what)
    sys.stderr = os.fdopen(os.dup(2), 'w')
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libprotobuf tells of every string that is not UTF-8
    with tempfile.TemporaryDirectory() as folder:
        oracle = Oracle(folder)
        for seed in range(first, first + SCHEMAS):
            oracle.run(seed)
    note = ', '.join(f'{n} {what}' for what, n in sorted(oracle.counts.items()))
    if oracle.failures:
        for failure in oracle.failures:
            print(failure)
        print(f'not ok protobuf-libprotobuf: {note}')
        sys.exit(1)
    print(f'ok protobuf-libprotobuf ({note})')


if __name__ == '__main__':
    main()
