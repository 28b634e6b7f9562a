# SPDX-License-Identifier: Apache-2.0
"""messages.py - any Kafka message as Python values, by the same specs that make Strom's tables (src/wire/spec).

A message is a dict by the specs' field names; what is left out has its default, null is None, bytes and uuids are
bytes. The encoder lets pass what the broker should refuse: that is what it is for.
"""
import glob
import os
import struct
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tools'))
import wiregen  # noqa: E402
from rawkafka import frame, string, uvarint  # noqa: E402

FORMATS = {'bool': '>?', 'int8': '>b', 'int16': '>h', 'uint16': '>H', 'int32': '>i', 'int64': '>q', 'float64': '>d',
           'error': '>h'}


def load_apis():
    apis = {}
    for path in glob.glob(os.path.join(ROOT, 'src', 'wire', 'spec', '*.api')):
        with open(path, encoding='utf-8') as f:
            api = wiregen.Parser(path, f.read()).parse()
        apis[api.name] = api
    return apis


APIS = load_apis()


class Shape:
    """How one message of one version is written."""

    def __init__(self, api, side, version):
        self.version, self.is_flexible = version, version >= api.flexible
        self.root = api.messages[side][-1]

    def fields(self, struct_, tagged):
        return [f for f in struct_.table_fields()
                if wiregen.field_in(f, self.version) and (f.tag is not None) == tagged]

    def is_nullable(self, field):
        return field.null_since is not None and self.version >= field.null_since


def default_of(field):
    if field.default == 'null':
        return None
    if field.is_array:
        return []
    if field.base == 'struct':
        return None if field.is_pointer_struct() else {}
    if field.default is not None:
        return field.default
    return {'bool': False, 'string': '', 'bytes': b'', 'records': b'', 'uuid': bytes(16)}.get(field.base, 0)


class Writer(Shape):
    def length(self, count, is_wide):
        if self.is_flexible:
            return uvarint(count + 1)
        return struct.pack('>i' if is_wide else '>h', count)

    def single(self, field, value):
        if field.base == 'struct':
            return self.struct(field.sub, value)
        if field.base in FORMATS:
            return struct.pack(FORMATS[field.base], value)
        if field.base == 'uuid':
            return value
        data = value.encode() if isinstance(value, str) else value
        is_wide = field.base != 'string'
        return self.length(-1, is_wide) if data is None else self.length(len(data), is_wide) + data

    def field(self, field, value):
        if field.is_array:
            if value is None:
                return self.length(-1, True)
            return self.length(len(value), True) + b''.join(self.single(field, v) for v in value)
        if field.is_pointer_struct():
            return b'\xff' if value is None else b'\x01' + self.struct(field.sub, value)
        return self.single(field, value)

    def struct(self, struct_, values):
        unknown = set(values) - {f.name for f in struct_.fields}
        if unknown:
            raise KeyError(f'{struct_.c_name} has no {unknown}')
        out = b''.join(self.field(f, values.get(f.name, default_of(f))) for f in self.fields(struct_, False))
        if self.is_flexible:
            tagged = [(f.tag, self.field(f, values[f.name])) for f in self.fields(struct_, True) if f.name in values]
            out += uvarint(len(tagged)) + b''.join(uvarint(t) + uvarint(len(d)) + d for t, d in tagged)
        return out


class Reader(Shape):
    def __init__(self, api, side, version, data):
        super().__init__(api, side, version)
        self.data, self.at = data, 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise ValueError(f'{count} bytes at {self.at} of {len(self.data)}')
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def uvarint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    def length(self, is_wide):
        if self.is_flexible:
            return self.uvarint() - 1
        return self.number('>i' if is_wide else '>h')

    def single(self, field):
        if field.base == 'struct':
            return self.struct(field.sub)
        if field.base in FORMATS:
            return self.number(FORMATS[field.base])
        if field.base == 'uuid':
            return self.take(16)
        length = self.length(field.base != 'string')
        data = None if length < 0 else self.take(length)
        return data.decode() if data is not None and field.base == 'string' else data

    def field(self, field):
        if field.is_array:
            count = self.length(True)
            return None if count < 0 else [self.single(field) for _ in range(count)]
        if field.is_pointer_struct():
            return None if self.number('>b') < 0 else self.struct(field.sub)
        return self.single(field)

    def struct(self, struct_):
        values = {f.name: self.field(f) for f in self.fields(struct_, False)}
        if self.is_flexible:
            tagged = {f.tag: f for f in self.fields(struct_, True)}
            for _ in range(self.uvarint()):
                tag, size = self.uvarint(), self.uvarint()
                if tag in tagged:
                    values[tagged[tag].name] = self.field(tagged[tag])
                else:
                    self.take(size)
        return values


def request(name, version, values, correlation=7, client_id='messages'):
    """A whole frame."""
    api = APIS[name]
    writer = Writer(api, 'request', version)
    header = struct.pack('>hhi', api.key, version, correlation) + string(client_id)
    return frame(header + (b'\0' if writer.is_flexible else b'') + writer.struct(writer.root, values))


def response(name, version, data):
    """The message in an answer, without its length. ValueError: it does not decode, or bytes are left."""
    api = APIS[name]
    reader = Reader(api, 'response', version, data)
    reader.take(4)
    if reader.is_flexible and name != 'ApiVersions':
        reader.take(1)
    values = reader.struct(reader.root)
    if reader.at != len(data):
        raise ValueError(f'{len(data) - reader.at} bytes too many')
    return values


def ask(connection, name, version, values):
    return response(name, version, connection.ask(request(name, version, values)))
