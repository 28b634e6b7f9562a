#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wire_check.py - compares src/wire/spec with the message definitions that Kafka publishes.

    wire_check.py kafka-clients-4.2.1.jar       the jar carries common/message/*.json
    wire_check.py DIRECTORY-OF-JSON

Run by a developer after changing a spec, with the jar of the release that we follow:
    mvn dependency:get -Dartifact=org.apache.kafka:kafka-clients:4.2.1 -Dtransitive=false
It compares names, order, types, versions, nullability, tags, defaults, and prints each difference; exit code 1 if
there is any. Versions are compared within the range that our spec decodes: what Kafka marks unstable, or has
removed, is out of that range on purpose.
"""

import glob
import json
import os
import re
import sys
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wiregen  # noqa: E402

SPECS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'src', 'wire', 'spec', '*.api')


def uncomment(text):
    return re.sub(r'^\s*//.*$|(?<=[,{\[\s])//.*$', '', text, flags=re.M)


def load_json(source):
    """(api key, 'request' or 'response') -> message."""
    if os.path.isdir(source):
        texts = [open(path, encoding='utf-8').read() for path in glob.glob(os.path.join(source, '*.json'))]
    else:
        with zipfile.ZipFile(source) as jar:
            names = [n for n in jar.namelist() if re.fullmatch(r'common/message/\w+\.json', n)]
            texts = [jar.read(n).decode('utf-8') for n in names]
    messages = {}
    for text in texts:
        message = json.loads(uncomment(text))
        if 'apiKey' in message:
            messages[message['apiKey'], message['type']] = message
    return messages


def range_of(text, outer):
    """The overlap of Kafka's '2-5', '2+', '2' or 'none' with a pair, or None."""
    if text is None or text == 'none':
        return None
    low, _, high = text.rstrip('+').partition('-')
    since = int(low)
    until = wiregen.NEVER if text.endswith('+') else int(high or low)
    since, until = max(since, outer[0]), min(until, outer[1])
    return (since, until) if since <= until else None


def default_of(text, base, is_array):
    """Kafka's default as wiregen states it, with None for zero, empty and false."""
    if text in (None, '', 'false', False):
        return None
    if text == 'null':
        return 'null'
    if base == 'bool':
        return str(text).lower() == 'true'
    return None if is_array else int(str(text), 0) or None


class Check:
    def __init__(self):
        self.differences = []

    def say(self, place, text, ours, theirs):
        if ours != theirs:
            self.differences.append('%s: %s: ours %s, Kafka %s' % (place, text, ours, theirs))

    def api(self, api, messages):
        for side in ('request', 'response'):
            message = messages.get((api.key, side))
            place = '%s %s' % (api.name, side)
            if message is None:
                self.differences.append('%s: key %d is not in the JSON' % (place, api.key))
                continue
            self.say(place, 'name', api.name + side.capitalize(), message['name'])
            flexible = message['flexibleVersions']
            self.say(place, 'flexible', 'none' if api.flexible == wiregen.NEVER else '%d+' % api.flexible, flexible)
            valid = range_of(message['validVersions'], (0, wiregen.NEVER))
            unstable = 1 if messages[api.key, 'request'].get('latestVersionUnstable') else 0
            self.say(place, 'versions', (api.decode_min, api.version_max), (valid[0], valid[1] - unstable))
            common = {s['name']: s for s in message.get('commonStructs', [])}
            root = api.messages[side][-1]
            self.struct(place, root, message['fields'], common, (api.decode_min, api.version_max))

    def struct(self, place, struct, theirs, common, outer):
        theirs = [f for f in theirs if range_of(f['versions'], outer)]
        names = [self.kafka_name(ours, other) for ours, other in zip(struct.fields, theirs)]
        if len(struct.fields) != len(theirs) or names != [f['name'] for f in theirs]:
            self.say(place, 'fields', [f.name for f in struct.fields], [f['name'] for f in theirs])
            return
        for ours, other in zip(struct.fields, theirs):
            self.field('%s.%s' % (place, ours.name), ours, other, common, outer)

    @staticmethod
    def kafka_name(ours, other):
        """The name that our field claims in Kafka: itself if the claim holds."""
        name = other['name']
        if ours.kafka:
            return ours.kafka
        if ours.base == 'error':
            return name if wiregen.snake(name) == ours.name + '_code' else None
        return name if wiregen.snake(name) == ours.name else None

    def field(self, place, ours, other, common, outer):
        versions = range_of(other['versions'], outer)
        self.say(place, 'versions', (max(ours.since, outer[0]), min(ours.until, outer[1])), versions)
        is_array = other['type'].startswith('[]')
        kind = other['type'][2:] if is_array else other['type']
        base = 'struct' if kind[0].isupper() else kind
        self.say(place, 'array', ours.is_array, is_array)
        self.say(place, 'type', 'int16' if ours.base == 'error' else ours.base, base)
        nullable = range_of(other.get('nullableVersions'), versions)
        null_since = None if ours.null_since is None else (max(ours.null_since, versions[0]), versions[1])
        self.say(place, 'nullable', null_since, nullable)
        self.say(place, 'tag', ours.tag, other.get('tag'))
        if ours.tag is not None:
            self.say(place, 'tagged versions', versions, range_of(other['taggedVersions'], outer))
        default = default_of(other.get('default'), base, is_array)
        self.say(place, 'default', ours.default or None, default)
        if base == 'struct' and ours.sub is not None:
            fields = common[kind]['fields'] if kind in common else other['fields']
            self.struct(place, ours.sub, fields, common, versions)


def main(arguments):
    if len(arguments) != 1:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        apis = wiregen.load(sorted(glob.glob(SPECS)))
    except wiregen.SpecError as error:
        print(error, file=sys.stderr)
        return 1
    messages = load_json(arguments[0])
    check = Check()
    fields = 0
    for api in apis:
        check.api(api, messages)
        fields += sum(len(s.fields) for side in api.messages.values() for s in side)
    for line in check.differences:
        print(line)
    print('%d APIs, %d fields, %d differences' % (len(apis), fields, len(check.differences)))
    return 1 if check.differences else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
