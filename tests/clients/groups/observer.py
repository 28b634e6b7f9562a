# SPDX-License-Identifier: Apache-2.0
"""observer.py - reads the committed offsets and the state of a group over and over, from outside, with frames by hand.

It is no member and uses no client library, so what it sees is the broker's word alone.
"""
import struct
import threading
import time

import messages
from rawkafka import Connection, request, string

DESCRIBE_GROUPS, OFFSET_COMMIT, OFFSET_FETCH = 15, 8, 9
OFFSET_FETCH_VERSION = 5  # the last before the flexible ones
OFFSET_COMMIT_VERSION = 5
DESCRIBE_GROUPS_VERSION = 4
ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, UNSUPPORTED_VERSION = 22, 25, 35
PAUSE_SECONDS = 0.05
CONSUMER = 'the consumer protocol'


class Reader:
    """Takes the fields of a response one after another."""

    def __init__(self, data):
        self.data, self.position = data, 4  # after the correlation id

    def take(self, form):
        values = struct.unpack_from('>' + form, self.data, self.position)
        self.position += struct.calcsize('>' + form)
        return values[0]

    def bytes(self, form='h'):
        size = max(self.take(form), 0)
        self.position += size
        return self.data[self.position - size:self.position]

    def string(self):
        return self.bytes().decode()


def committed_offsets(connection, group):
    """{(topic, partition): offset}, or None if the coordinator cannot say now."""
    body = string(group) + struct.pack('>i', -1)  # every topic of the group
    reader = Reader(connection.ask(request(OFFSET_FETCH, OFFSET_FETCH_VERSION, body)))
    reader.take('i')
    offsets, failed = {}, False
    for _ in range(reader.take('i')):
        topic = reader.string()
        for _ in range(reader.take('i')):
            partition, offset, _epoch = reader.take('i'), reader.take('q'), reader.take('i')
            reader.string()
            failed |= reader.take('h') != 0
            offsets[topic, partition] = offset
    return None if reader.take('h') != 0 or failed else offsets


def describe(connection, group):
    """(error, state, protocol, [(member id, instance id, client id)]), of either protocol"""
    classic = describe_classic(connection, group)
    return describe_consumers(connection, group) if classic[1] == 'Dead' else classic


def describe_consumers(connection, group):
    asked = {'group_ids': [group], 'include_authorized_operations': False}
    told = messages.ask(connection, 'ConsumerGroupDescribe', 1, asked)['groups'][0]
    if told['error'] != 0:
        return told['error'], 'Dead', '', []
    members = [(m['member_id'], m['instance_id'], m['client_id']) for m in told['members']]
    return 0, told['group_state'], CONSUMER, members


def describe_classic(connection, group):
    body = struct.pack('>i', 1) + string(group) + b'\0'
    reader = Reader(connection.ask(request(DESCRIBE_GROUPS, DESCRIBE_GROUPS_VERSION, body)))
    reader.take('i'), reader.take('i')
    error, _group, state = reader.take('h'), reader.string(), reader.string()
    reader.string()
    protocol, members = reader.string(), []
    for _ in range(reader.take('i')):
        member, instance, client, _host = reader.string(), reader.string(), reader.string(), reader.string()
        reader.bytes('i'), reader.bytes('i')
        members.append((member, instance, client))
    return error, state, protocol, members


def commit(connection, group, member, generation, topic, offset):
    """Tries to commit for partition 0; returns the error code."""
    body = string(group) + struct.pack('>i', generation) + string(member)
    body += struct.pack('>i', 1) + string(topic) + struct.pack('>iiq', 1, 0, offset) + string('')
    reader = Reader(connection.ask(request(OFFSET_COMMIT, OFFSET_COMMIT_VERSION, body)))
    reader.take('i'), reader.take('i'), reader.string(), reader.take('i'), reader.take('i')
    return reader.take('h')


class Observer:
    """Polls one group from start to stop; a broker that is away is asked again."""

    def __init__(self, bootstrap, group, changed):
        host, port = bootstrap.rsplit(':', 1)
        self.address, self.group, self.changed = (host, int(port)), group, changed
        self.committed, self.events, self.state = {}, [], None
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        connection = None
        while not self.ends.is_set():
            try:
                connection = connection or Connection(self.address)
                self._look(connection)
            except OSError:
                connection = None
            self.ends.wait(PAUSE_SECONDS)

    def _look(self, connection):
        offsets = committed_offsets(connection, self.group)
        _error, state, _protocol, members = describe(connection, self.group)
        with self.changed:
            self.state = (state, len(members))
            if offsets is not None:
                news = [[*tp, offset] for tp, offset in offsets.items() if self.committed.get(tp) != offset]
                self.committed = offsets
                if news:
                    self.events.append({'event': 'observed', 'at': time.monotonic(), 'offsets': news})
            self.changed.notify_all()

    def commit_as_others(self, topic):
        """Commits of offset 0 by those who may not: [(who, error code, expected)]."""
        with Connection(self.address) as connection:
            _error, _state, protocol, members = describe(connection, self.group)
            # Commits of this version cannot be told of an epoch.
            old = UNSUPPORTED_VERSION if protocol == CONSUMER else ILLEGAL_GENERATION
            tries = [('a member of an old generation', members[0][0], 0, old),
                     ('a stranger', 'nobody', 1, UNKNOWN_MEMBER_ID), ('no member', '', -1, UNKNOWN_MEMBER_ID)]
            return [(who, commit(connection, self.group, name, generation, topic, 0), expected)
                    for who, name, generation, expected in tries]

    def stop(self):
        self.ends.set()
        self.thread.join(30)

    def story(self):
        return [(e['at'], None, e) for e in self.events]
