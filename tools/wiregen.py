#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wiregen.py - turns src/wire/spec/*.api into C structs and const tables.

    wiregen.py --header messages.h --tables tables.c SPEC...    what the build runs
    wiregen.py --docs SPEC...                                   a Markdown table of every message

The language, by example (two spaces per level; '#' starts a comment):

    api 12 Heartbeat   versions 0..4   flexible 4+       # optional: decode N, when versions below N are
    request                                              # advertised but refused
      group_id           string                          # in every version
      group_instance_id  string?   3+     = null         # since version 3, nullable, default null
      reason             string?7+ 2..9                  # nullable from version 7 only
      rack               string    4+     tag=1          # tagged field (KIP-482)
      topics             [topic]                         # array of struct; its fields follow, deeper
        name             string    kafka=TopicName       # Kafka's own name where ours is not its snake_case
        partitions       [int32]
      cursor             {cursor}? = null                # one struct
        ...
    response
      struct task                                        # a struct used more than once; before its first use
        id               int32
      error              error                           # an int16 that goes through ERROR_TABLE
      token              bytes     secret                # never printed

Everything outside this grammar is an error that names file and line. Standard library only.
"""

import argparse
import os
import re
import sys

SCALARS = {  # name -> (C type, bytes on the wire, least and greatest default)
    'bool': ('bool', 1, None), 'int8': ('int8_t', 1, (-2**7, 2**7 - 1)),
    'int16': ('int16_t', 2, (-2**15, 2**15 - 1)), 'uint16': ('uint16_t', 2, (0, 2**16 - 1)),
    'int32': ('int32_t', 4, (-2**31, 2**31 - 1)), 'int64': ('int64_t', 8, (-2**63, 2**63 - 1)),
    'float64': ('double', 8, None), 'uuid': ('struct uuid', 16, None), 'error': ('enum err', 2, None),
}
VIEWS = {'string': 'struct str', 'bytes': 'struct bytes', 'records': 'struct wire_records'}
TABLE_TYPE = {'bool': 'WIRE_BOOL', 'int8': 'WIRE_I8', 'int16': 'WIRE_I16', 'uint16': 'WIRE_U16', 'int32': 'WIRE_I32',
              'int64': 'WIRE_I64', 'float64': 'WIRE_F64', 'uuid': 'WIRE_UUID', 'error': 'WIRE_ERROR',
              'string': 'WIRE_STRING', 'bytes': 'WIRE_BYTES', 'records': 'WIRE_RECORDS'}
ELEMENTS = {'int8', 'int16', 'int32', 'int64', 'uuid', 'string', 'bytes'}
NEVER = 32767  # "no such version": open ends and never-flexible
DEPTH_MAX = 8  # the walker recurses once per level; wire_private.h states the same bound
C_WORDS = set('auto break case char const continue default do double else enum extern float for goto if inline int '
              'long register restrict return short signed sizeof static struct switch typedef union unsigned void '
              'volatile while bool'.split())


class SpecError(Exception):
    """A mistake in a spec file; the text names the place."""


class Field:
    """One field. base is a scalar or view name, or 'struct' with sub set."""

    def __init__(self, name, line):
        self.name, self.line = name, line
        self.kafka = None
        self.base, self.sub = None, None
        self.is_array = False
        self.since, self.until = 0, NEVER
        self.null_since = None  # None: never nullable
        self.tag = None
        self.default = None  # None: zero, empty; 'null'; or a number or bool
        self.secret = False
        self.comment = ''

    def is_pointer_struct(self):
        return self.base == 'struct' and not self.is_array and self.null_since is not None


class Struct:
    """One C struct: plain fields in wire order, then the tagged ones by tag."""

    def __init__(self, name, c_name, line):
        self.name, self.c_name, self.line = name, c_name, line
        self.fields = []
        self.is_used = False

    def table_fields(self):
        plain = [f for f in self.fields if f.tag is None]
        return plain + sorted((f for f in self.fields if f.tag is not None), key=lambda f: f.tag)


class Api:
    def __init__(self):
        self.key = self.name = None
        self.version_min = self.version_max = self.decode_min = None
        self.flexible = NEVER
        self.doc = []
        self.messages = {}  # 'request' / 'response' -> list of Struct in definition order, root last


def snake(name):
    """ApiVersions -> api_versions; V3AndBelow -> v3_and_below."""
    return re.sub(r'(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])', '_', name).lower()


class Parser:
    def __init__(self, path, text):
        self.path = path
        self.api = Api()
        self.number = 0
        self.structs = {}  # name -> Struct, in the current message
        self.stack = []  # (indent, Struct) that an indented line may add to
        self.text = text
        self.side = None

    def fail(self, text, line=None):
        raise SpecError('%s:%d: %s' % (self.path, line or self.number, text))

    def parse(self):
        for self.number, raw in enumerate(self.text.split('\n'), 1):
            if '\t' in raw:
                self.fail('a tab; indent with two spaces per level')
            body, _, comment = raw.partition('#')
            if not body.strip():
                if comment and self.api.key is None and 'SPDX' not in comment:
                    self.api.doc.append(comment.strip())
                continue
            indent = len(body) - len(body.lstrip(' '))
            self.line(indent, body.split(), comment.strip())
        self.end_message()
        if self.api.key is None:
            self.fail("no 'api' line")
        for side in ('request', 'response'):
            if side not in self.api.messages:
                self.fail("no '%s'" % side)
        return self.api

    def line(self, indent, words, comment):
        if indent == 0:
            if words[0] == 'api':
                self.api_line(words)
            elif words in (['request'], ['response']):
                self.begin_message(words[0])
            else:
                self.fail("'%s': expected 'api', 'request' or 'response'" % words[0])
            return
        if not self.stack:
            self.fail("a field outside 'request' and 'response'")
        while self.stack and self.stack[-1][0] > indent:
            self.stack.pop()
        if not self.stack or self.stack[-1][0] != indent:
            self.fail('indentation of %d spaces fits no open struct' % indent)
        owner = self.stack[-1][1]
        if words[0] == 'struct':
            if len(words) != 2 or indent != 2:
                self.fail("expected 'struct NAME' directly under '%s'" % self.side)
            self.stack.append((indent + 2, self.begin_struct(words[1])))
            return
        field = self.field_line(words, comment, indent)
        if any(f.name == field.name for f in owner.fields):
            self.fail("field '%s' twice in %s" % (field.name, owner.name))
        owner.fields.append(field)

    def api_line(self, words):
        api = self.api
        if api.key is not None:
            self.fail("a second 'api' line")
        match = re.fullmatch(r'api (\d+) ([A-Z]\w*) versions (\d+)\.\.(\d+) flexible (\d+\+|never)( decode (\d+))?',
                             ' '.join(words))
        if not match:
            self.fail("expected 'api KEY Name versions MIN..MAX flexible N+|never [decode N]'")
        api.key, api.name = int(match[1]), match[2]
        api.version_min, api.version_max = int(match[3]), int(match[4])
        api.decode_min = int(match[7]) if match[7] else api.version_min
        api.flexible = NEVER if match[5] == 'never' else int(match[5][:-1])
        if not api.version_min <= api.decode_min <= api.version_max:
            self.fail('versions %d..%d, decode %d: not in order'
                      % (api.version_min, api.version_max, api.decode_min))
        expected = '%d_%s.api' % (api.key, snake(api.name))
        if os.path.basename(self.path) != expected:
            self.fail("the file of this API must be named '%s'" % expected)

    def begin_message(self, side):
        if self.api.key is None:
            self.fail("'%s' before the 'api' line" % side)
        self.end_message()
        if side in self.api.messages:
            self.fail("a second '%s'" % side)
        self.side, self.structs = side, {}
        root = Struct(side, '%s_%s' % (snake(self.api.name), side), self.number)
        root.is_used = True
        self.stack = [(2, root)]
        self.root = root

    def end_message(self):
        if self.side is None:
            return
        for struct in self.structs.values():
            if not struct.fields:
                self.fail("struct '%s' has no fields" % struct.name, struct.line)
            if not struct.is_used:
                self.fail("struct '%s' is never used" % struct.name, struct.line)
        self.check_struct(self.root, 1, False)
        order = []
        self.order_from(self.root, order)
        self.api.messages[self.side] = order
        self.side, self.stack = None, []

    def order_from(self, struct, order):
        # C wants the inner struct first.
        for field in struct.fields:
            if field.sub is not None and field.sub not in order:
                self.order_from(field.sub, order)
        order.append(struct)

    def begin_struct(self, name):
        if not re.fullmatch(r'[a-z][a-z0-9_]*', name):
            self.fail("'%s' is not a lower-case name" % name)
        if name in self.structs:
            self.fail("struct '%s' twice in this message" % name)
        struct = Struct(name, '%s_%s_%s' % (snake(self.api.name), self.side, name), self.number)
        self.structs[name] = struct
        return struct

    def field_line(self, words, comment, indent):
        field = Field(words[0], self.number)
        field.comment = comment
        if not re.fullmatch(r'[a-z][a-z0-9_]*', field.name) or field.name in C_WORDS:
            self.fail("'%s' cannot name a field" % field.name)
        if len(words) < 2:
            self.fail("field '%s' has no type" % field.name)
        rest = words[2:]
        has_versions = False
        while rest:
            word = rest.pop(0)
            match = re.fullmatch(r'(\d+)(\+|\.\.(\d+))', word)
            if match and not has_versions:
                has_versions = True
                field.since, field.until = int(match[1]), int(match[3]) if match[3] else NEVER
            elif re.fullmatch(r'tag=\d+', word):
                field.tag = int(word[4:])
            elif re.fullmatch(r'kafka=[A-Za-z]\w*', word):
                field.kafka = word[6:]
            elif word == 'secret':
                field.secret = True
            elif word == '=' and rest:
                field.default = rest.pop(0)
            else:
                self.fail("'%s' not understood in field '%s'" % (word, field.name))
        self.check_versions(field)
        self.field_type(field, words[1], indent)
        self.check_default(field)
        return field

    def check_versions(self, field):
        api = self.api
        if field.since > field.until:
            self.fail("field '%s': versions %d..%d run backwards" % (field.name, field.since, field.until))
        if field.since > api.version_max or field.until < api.decode_min:
            self.fail("field '%s' is in no version of %d..%d" % (field.name, api.decode_min, api.version_max))
        if field.tag is not None and field.since < api.flexible:
            self.fail("field '%s' is tagged before flexible versions begin" % field.name)

    def field_type(self, field, word, indent):
        match = re.fullmatch(r'(\[(\w+)\]|\{(\w+)\}|(\w+))(\?((\d+)\+)?)?', word)
        if not match:
            self.fail("'%s' is not a type" % word)
        name = match[2] or match[3] or match[4]
        field.is_array = match[2] is not None
        if match[5]:
            field.null_since = int(match[7]) if match[7] else field.since
        if match[4] or (field.is_array and (name in SCALARS or name in VIEWS)):
            field.base = name
            if name not in SCALARS and name not in VIEWS:
                self.fail("unknown type '%s'" % name)
            if field.is_array and name not in ELEMENTS:
                self.fail("no arrays of '%s'" % name)
            if field.null_since is not None and name in SCALARS and not field.is_array:
                self.fail("'%s' cannot be null" % name)
            return
        field.base = 'struct'
        field.sub = self.structs.get(name)
        if field.sub is None:
            field.sub = self.begin_struct(name)
            self.stack.append((indent + 2, field.sub))
        elif any(struct is field.sub for _, struct in self.stack):
            self.fail("struct '%s' contains itself" % name)
        field.sub.is_used = True

    def check_default(self, field):
        if field.default is None:
            if field.is_pointer_struct():
                self.fail("nullable struct '%s' needs '= null'" % field.name)
            return
        if field.default == 'null':
            if field.null_since is None:
                self.fail("field '%s' is not nullable but defaults to null" % field.name)
            return
        limits = SCALARS.get(field.base, (None, 0, None))[2]
        if field.base == 'bool' and not field.is_array and field.default in ('true', 'false'):
            field.default = field.default == 'true'
        elif limits and not field.is_array and re.fullmatch(r'-?\d+', field.default):
            field.default = int(field.default)
            if not limits[0] <= field.default <= limits[1]:
                self.fail("default %d does not fit %s" % (field.default, field.base))
        else:
            self.fail("'%s' is no default for field '%s'" % (field.default, field.name))

    def check_struct(self, struct, depth, in_tag):
        if depth > DEPTH_MAX:
            self.fail("struct '%s' is nested deeper than %d" % (struct.name, DEPTH_MAX), struct.line)
        tags = [f.tag for f in struct.fields if f.tag is not None]
        if len(tags) != len(set(tags)):
            self.fail("struct '%s' uses a tag twice" % struct.name, struct.line)
        for field in struct.fields:
            tagged = in_tag or field.tag is not None
            if field.base == 'records' and tagged:
                self.fail("records cannot be tagged: they are spliced after encoding", field.line)
            if field.tag is not None and field.is_pointer_struct():
                self.fail("a tagged struct cannot be null", field.line)
            if field.sub is not None:
                self.check_struct(field.sub, depth + 1, tagged)
                if field.is_array and size_min(self.api, field.sub) == 0:
                    self.fail("an element of '%s' can be empty on the wire" % field.name, field.line)


def field_in(field, version):
    return field.since <= version <= field.until


def size_at(api, struct, version):
    """The fewest bytes that struct takes in this version."""
    is_flexible = version >= api.flexible
    total = 1 if is_flexible else 0  # the tag count
    for field in struct.fields:
        if field.tag is not None or not field_in(field, version):
            continue
        if field.is_array:
            total += 1 if is_flexible else 4
        elif field.base in SCALARS:
            total += SCALARS[field.base][1]
        elif field.base == 'struct':
            can_be_null = field.null_since is not None and version >= field.null_since
            total += 1 if can_be_null else size_at(api, field.sub, version)
        else:
            total += 1 if is_flexible else 2 if field.base == 'string' else 4
    return total


def size_min(api, struct):
    """The fewest bytes in any version in which struct can occur: some field of its own is present."""
    versions = range(api.decode_min, api.version_max + 1)
    sizes = [size_at(api, struct, v) for v in versions if any(field_in(f, v) for f in struct.fields)]
    return min(sizes) if sizes else 0


def load(paths):
    apis = []
    for path in paths:
        with open(path, encoding='utf-8') as file:
            apis.append(Parser(path, file.read()).parse())
    apis.sort(key=lambda a: a.key)
    for a, b in zip(apis, apis[1:]):
        if a.key == b.key:
            raise SpecError('key %d belongs to both %s and %s' % (a.key, a.name, b.name))
    if not apis:
        raise SpecError('no spec files')
    return apis


# Emitting C.

def c_type(field):
    if field.base == 'struct':
        return 'struct %s' % field.sub.c_name
    return SCALARS[field.base][0] if field.base in SCALARS else VIEWS[field.base]


def versions_text(api, field):
    since, until = max(field.since, api.decode_min), min(field.until, api.version_max)
    if since == api.decode_min and until == api.version_max:
        return ''
    if since == until:
        return 'v%d' % since
    return 'v%d+' % since if until == api.version_max else 'v%d-%d' % (since, until)


def field_comment(api, field):
    parts = [versions_text(api, field)]
    if field.tag is not None:
        parts.append('tag %d' % field.tag)
    if field.null_since is not None:
        since = max(field.null_since, api.decode_min)
        parts.append('may be null' + (' v%d+' % since if since > max(field.since, api.decode_min) else ''))
    parts.append(field.comment)
    text = '; '.join(p for p in parts if p)
    return ' // ' + text if text else ''


def struct_lines(api, struct):
    yield 'struct %s {' % struct.c_name
    for field in struct.fields:
        star = '*' if field.is_array or field.is_pointer_struct() else ''
        yield '    %s %s%s;%s' % (c_type(field), star, field.name, field_comment(api, field))
        if field.is_array:
            yield '    int32_t %s_count;' % field.name
    yield '};'


HEADER_TOP = '''// Generated by tools/wiregen.py from src/wire/spec/*.api. Do not edit.
// Arrays are a pointer and a count, -1 for null. Views borrow; wire.h says from whom.
#ifndef WIRE_MESSAGES_H
#define WIRE_MESSAGES_H

#include "base/error.h"
#include "wire/wire.h"
'''


def header_text(apis):
    out = [HEADER_TOP, 'enum api_key {']
    out += ['    API_%s = %d,' % (snake(a.name).upper(), a.key) for a in apis]
    out += ['};', '']
    for api in apis:
        out += ['// ' + line for line in api.doc]
        out.append('// Key %d, versions %d-%d.' % (api.key, api.version_min, api.version_max))
        for side in ('request', 'response'):
            for struct in api.messages[side]:
                out += struct_lines(api, struct)
            out += ['extern const struct wire_struct %s_type;' % s.c_name for s in api.messages[side]]
            out.append('')
    out += ['#endif', '']
    return '\n'.join(out)


def number_text(value):
    return 'INT64_MIN' if value == -2**63 else 'INT32_MIN' if value == -2**31 else str(value)


def default_text(struct):
    """A C initialiser with every field at its default."""
    parts = []
    for field in struct.fields:
        if field.is_array:
            if field.default == 'null':
                parts.append('.%s_count = -1' % field.name)
        elif field.base == 'struct':
            inner = '' if field.is_pointer_struct() else default_text(field.sub)
            if inner not in ('', '{0}'):
                parts.append('.%s = %s' % (field.name, inner))
        elif field.base in ('string', 'bytes'):
            if field.default != 'null':
                cast = '(const uint8_t *)' if field.base == 'bytes' else ''
                parts.append('.%s = {%s"", 0}' % (field.name, cast))
        elif isinstance(field.default, bool):
            parts.append('.%s = %s' % (field.name, 'true' if field.default else 'false'))
        elif field.default:
            parts.append('.%s = %s' % (field.name, number_text(field.default)))
    return '{%s}' % ', '.join(parts) if parts else '{0}'


def field_row(struct, field):
    flags = [name for name, on in (('WIRE_ARRAY', field.is_array), ('WIRE_SECRET', field.secret),
                                   ('WIRE_POINTER', field.is_pointer_struct())) if on]
    return '    {"%s", %s, offsetof(struct %s, %s), %s, %s, %d, %d, %d, %d},' % (
        field.name, '&%s_type' % field.sub.c_name if field.sub else 'NULL', struct.c_name, field.name,
        TABLE_TYPE.get(field.base, 'WIRE_STRUCT'), ' | '.join(flags) or '0', field.since, field.until,
        NEVER if field.null_since is None else field.null_since, -1 if field.tag is None else field.tag)


def struct_tables(api, struct):
    name, fields = struct.c_name, struct.table_fields()
    yield 'static const struct %s %s_default = %s;' % (name, name, default_text(struct))
    if fields:
        yield 'static const struct wire_field %s_fields[] = {' % name
        yield from (field_row(struct, field) for field in fields)
        yield '};'
    plain = sum(f.tag is None for f in fields)
    yield 'const struct wire_struct %s_type = {' % name
    yield '    .name = "%s", .fields = %s, .initial = &%s_default, .size = sizeof(struct %s),' % (
        name, name + '_fields' if fields else 'NULL', name, name)
    yield '    .wire_size_min = %d, .plain_count = %d, .count = %d,' % (size_min(api, struct), plain, len(fields))
    yield '};'


def tables_text(apis):
    out = ['// Generated by tools/wiregen.py from src/wire/spec/*.api. Do not edit.',
           '#include "wire/messages.h"', '', '#include <stddef.h>', '', '#include "wire/wire_private.h"', '']
    for api in apis:
        for side in ('request', 'response'):
            for struct in api.messages[side]:
                out += struct_tables(api, struct)
        out.append('')
    out.append('const struct wire_api wire_apis[] = {')
    for a in apis:
        low = snake(a.name)
        out.append('    {%d, "%s", %d, %d, %d, %d, &%s_request_type, &%s_response_type},'
                   % (a.key, a.name, a.version_min, a.version_max, a.flexible, a.decode_min, low, low))
    out += ['};', 'const size_t wire_apis_count = %d;' % len(apis), '']
    return '\n'.join(out)


def docs_lines(apis):
    for api in apis:
        flexible = 'never' if api.flexible == NEVER else '%d+' % api.flexible
        yield '## %s (%d), versions %d-%d, flexible %s' % (
            api.name, api.key, api.version_min, api.version_max, flexible)
        yield from api.doc
        for side in ('request', 'response'):
            for struct in reversed(api.messages[side]):
                yield ''
                yield '`%s`' % struct.c_name
                yield ''
                yield '| field | type | notes |'
                yield '|---|---|---|'
                for field in struct.fields:
                    kind = field.sub.name if field.sub else field.base
                    notes = field_comment(api, field)[4:]
                    if field.default is not None:
                        notes = '; '.join(p for p in (notes, 'default %s' % str(field.default).lower()) if p)
                    yield '| %s | %s | %s |' % (field.name, '[%s]' % kind if field.is_array else kind, notes)
        yield ''


def main(arguments):
    parser = argparse.ArgumentParser(description='Kafka message specs to C tables')
    parser.add_argument('--header', help='write the C structs here')
    parser.add_argument('--tables', help='write the C tables here')
    parser.add_argument('--docs', action='store_true', help='print the messages as Markdown')
    parser.add_argument('specs', nargs='+')
    options = parser.parse_args(arguments)
    try:
        apis = load(options.specs)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 1
    for path, text in ((options.header, header_text), (options.tables, tables_text)):
        if path:
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text(apis))
    if options.docs:
        print('\n'.join(docs_lines(apis)))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
