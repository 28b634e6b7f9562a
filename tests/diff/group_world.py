# SPDX-License-Identifier: Apache-2.0
"""group_world.py - what scripts of groups share: a member, as scripts move it (it remembers its id and its generation),
and the questions that they ask again and again."""
import struct

ALL_OPERATIONS = {'include_authorized_operations': True}
UNKNOWN_ID = bytes(range(16))


def subscription(*topics, version=0):
    """A subscription of the consumer protocol."""
    names = b''.join(struct.pack('>h', len(t)) + t.encode() for t in topics)
    return struct.pack('>hi', version, len(topics)) + names + struct.pack('>i', -1)


def assignment(text):
    return text.encode()


class Member:
    def __init__(self, peer, name, group='g', instance=None, kind='consumer', protocols=None, session_ms=20000,
                 rebalance_ms=20000):
        self.peer, self.group, self.instance, self.kind = peer, peer.group(group), instance, kind
        self.link = peer.link(name)
        self.protocols = protocols or [('range', subscription('diff'))]
        self.session_ms, self.rebalance_ms = session_ms, rebalance_ms
        self.id, self.generation, self.last, self.looker = '', -1, None, None

    # ---- joining

    def join_values(self, member_id):
        return dict(group_id=self.group, session_timeout_ms=self.session_ms, rebalance_timeout_ms=self.rebalance_ms,
                    member_id=member_id, group_instance_id=self.instance, protocol_type=self.kind,
                    protocols=[{'name': name, 'metadata': metadata} for name, metadata in self.protocols])

    def ask_join(self, member_id):
        self.last = self.link.ask('JoinGroup', **self.join_values(member_id))
        return self.last

    def note_joined(self, answer):
        self.last = answer
        if answer.get('error') == 0:
            self.id, self.generation = answer['member_id'], answer['generation_id']

    def send_join(self, member_id=None):
        """Goes as far as a JoinGroup that is parked: with its id first, where its version wants that."""
        member_id = self.id if member_id is None else member_id
        if member_id == '' and self.peer.era >= 4 and self.instance is None:
            member_id = self.id = self.ask_join('')['member_id']
        self.link.send('JoinGroup', **self.join_values(member_id))

    def finish_join(self):
        self.note_joined(self.link.receive())

    def join(self):
        self.send_join()
        self.finish_join()

    # ---- the rest of its life

    def sync_values(self, assignments):
        return dict(group_id=self.group, generation_id=self.generation, member_id=self.id,
                    group_instance_id=self.instance, protocol_type=self.kind, protocol_name=self.protocols[0][0],
                    assignments=[{'member_id': m, 'assignment': a} for m, a in assignments.items()])

    def send_sync(self, assignments):
        self.link.send('SyncGroup', **self.sync_values(assignments))

    def finish_sync(self):
        return self.link.receive()

    def sync(self, assignments):
        self.send_sync(assignments)
        return self.finish_sync()

    def heartbeat(self, **changes):
        values = dict(group_id=self.group, generation_id=self.generation, member_id=self.id,
                      group_instance_id=self.instance)
        return self.link.ask('Heartbeat', **{name: changes.get(name.replace('generation_id', 'generation'), value)
                                             for name, value in values.items()})

    def leave(self, member_id=None):
        member_id = self.id if member_id is None else member_id
        return self.link.ask('LeaveGroup', group_id=self.group, member_id=member_id,
                             members=[{'member_id': member_id, 'group_instance_id': self.instance}])

    # ---- waiting for what another connection has done

    def described(self):
        if self.looker is None:
            self.looker = self.peer.link('waits')
        return self.looker.ask('DescribeGroups', version=4, quiet=True, groups=[self.group])['groups'][0]

    def state(self):
        return self.described()['group_state']

    def until_state(self, state):
        self.peer.until(f'{self.group} {state}', lambda: self.state() == state)

    def until_any(self, *states):
        self.peer.until(f'{self.group} {states}', lambda: self.state() in states)

    def until_members(self, count):
        self.peer.until(f'{count} members of {self.group}', lambda: len(self.described()['members']) == count)

    def until_parked(self):
        """Its request has been read: one that comes after it on another connection is answered later."""
        self.state()


# ---- questions

def topics_of(peer):
    """(name, id) of the two topics that are there."""
    return sorted(peer.topics.items())


def commit(link, group, offset=5, generation=-1, member_id='', instance=None, metadata='m', partitions=(0,), **more):
    name, topic_id = topics_of(link.peer)[0]
    rows = [{'partition_index': i, 'committed_offset': offset, 'committed_metadata': metadata, **more_of(link, 6, {
        'committed_leader_epoch': 0})} for i in partitions]
    topic = {'topic_id': topic_id} if link.peer.era >= 10 else {'name': name}
    return link.ask('OffsetCommit', group_id=group, generation_id_or_member_epoch=generation, member_id=member_id,
                    group_instance_id=instance, topics=[dict(topic, partitions=rows)], **more)


def more_of(link, era, values):
    return values if link.peer.era >= era else {}


def fetch(link, group, topics='some', **more):
    """The positions of the partitions 0 to 3 of the first topic (3 is not there), or of `topics`."""
    era = link.peer.era
    if topics == 'some':
        name, topic_id = topics_of(link.peer)[0]
        topics = [dict({'topic_id': topic_id} if era >= 10 else {'name': name}, partition_indexes=[0, 1, 2, 3])]
    if era >= 8:
        return link.ask('OffsetFetch', groups=[dict({'group_id': group, 'topics': topics})], **more)
    if topics is None and era < 2:
        return None
    return link.ask('OffsetFetch', group_id=group, topics=topics, **more)


def describe(link, *groups):
    return link.ask('DescribeGroups', groups=list(groups))


def list_ours(link, **filters):
    """ListGroups, but only this script's groups."""
    answer = link.ask('ListGroups', quiet=True, **filters)
    ours = [g for g in answer.get('groups', []) if g['group_id'].startswith(link.peer.name + '-')]
    link.peer.note(f'ListGroups {filters}', dict(answer, groups=ours))
