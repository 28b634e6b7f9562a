# SPDX-License-Identifier: Apache-2.0
"""consumers.py - scripts of groups in the consumer protocol (KIP-848): members by their heartbeats, epochs, assignors,
static members, patterns, positions, and what administrators and the classic protocol see of them."""
from group_world import Member, commit, describe, fetch, list_ours, UNKNOWN_ID

APIS = ['ConsumerGroupHeartbeat', 'ConsumerGroupDescribe', 'OffsetCommit', 'OffsetFetch']
ERAS = (0, 1, 2, 5, 8, 9, 10)
FENCED = 110


class Consumer:
    """A member, as scripts move it: it remembers its epoch and what it owns."""

    def __init__(self, peer, name, *topics, group='g', instance=None, assignor=None, regex=None):
        self.peer, self.id, self.group, self.instance = peer, name, peer.group(group), instance
        self.topics, self.assignor, self.regex = list(topics), assignor, regex
        self.link = peer.link(name)
        self.epoch, self.owned = 0, []

    def values(self, **changes):
        mine = dict(group_id=self.group, member_id=self.id, member_epoch=self.epoch, instance_id=self.instance)
        return mine | changes

    def ask(self, **changes):
        """Again, while what the group was before is being written (NOT_COORDINATOR)."""
        answer = self.link.ask_until(lambda answer: answer.get('error') != 16, 'ConsumerGroupHeartbeat',
                                     **self.values(**changes))
        if answer.get('error') == 0:
            self.epoch = answer['member_epoch']
            if answer['assignment'] is not None:
                self.owned = answer['assignment']['topic_partitions']
        return answer

    def join(self, **changes):
        return self.ask(**dict(member_epoch=0, rebalance_timeout_ms=20000, topic_partitions=[],
                               subscribed_topic_names=self.topics if self.regex is None else None,
                               subscribed_topic_regex=self.regex, server_assignor=self.assignor) | changes)

    def beat(self, **changes):
        return self.ask(**changes)

    def owns(self):
        """The heartbeat that says it has what it was told."""
        return self.ask(topic_partitions=[{'topic_id': row['topic_id'], 'partitions': sorted(row['partitions'])}
                                          for row in sorted(self.owned, key=self.name_of)])

    def name_of(self, row):
        return self.peer.transcript.topics[row['topic_id']]

    def leave(self, epoch=-1):
        return self.ask(member_epoch=epoch)


def settled(p, *topics):
    """Kafka's coordinators hear of topics later than the others: a member of another group owns them now."""
    link = p.link('probe')
    asked = dict(group_id=p.group(f'probe-{topics[0]}'), member_id='probe')

    def is_known():
        answer = link.ask('ConsumerGroupHeartbeat', quiet=True, **asked, member_epoch=0, rebalance_timeout_ms=1000,
                          topic_partitions=[], subscribed_topic_names=list(topics))
        link.ask('ConsumerGroupHeartbeat', quiet=True, **asked, member_epoch=-1)
        return len((answer.get('assignment') or {'topic_partitions': []})['topic_partitions']) == len(set(topics))
    p.until('the coordinator knows the topics', is_known)
    return topics if len(topics) > 1 else topics[0]


def told(link, *groups, **more):
    link.ask('ConsumerGroupDescribe', group_ids=list(groups), **more)


def seen_by_all(p, link, group):
    told(link, group)
    describe(link, group)
    list_ours(link)


# ---- members

def lifecycle(p):
    """One member: joins, owns, stays, leaves."""
    t = settled(p, p.topic('t', partitions=3))
    a, c = Consumer(p, 'a', t), p.link()
    told(c, a.group)
    a.join()
    seen_by_all(p, c, a.group)
    a.owns()
    a.beat()
    seen_by_all(p, c, a.group)
    told(c, a.group, include_authorized_operations=True)
    told(c, a.group, a.group, p.group('none'), '')
    told(c)
    commit(c, a.group, 5, a.epoch, a.id)
    a.leave()
    a.beat()
    seen_by_all(p, c, a.group)
    fetch(c, a.group)
    a.join()
    told(c, a.group)
    a.leave()
    c.ask('DeleteGroups', group_names=[a.group])
    told(c, a.group)


def epochs(p):
    """Heartbeats with every epoch but the right one."""
    t = settled(p, p.topic('t', partitions=2))
    a = Consumer(p, 'a', t)
    for epoch in (1, -1, -2, -3, 5, 2147483647):
        a.beat(member_epoch=epoch)
    a.join()
    a.owns()
    right = a.epoch
    for epoch in (right + 1, right - 1, -3, -2, 2147483647, -2147483648):
        a.link.ask('ConsumerGroupHeartbeat', **a.values(member_epoch=epoch))
    for name in ('nobody', ''):
        a.link.ask('ConsumerGroupHeartbeat', **a.values(member_id=name, member_epoch=right))
        a.link.ask('ConsumerGroupHeartbeat', **a.values(member_id=name, member_epoch=-1))
    a.beat()
    a.join()
    a.beat()
    told(a.link, a.group)


def refused(p):
    """What a heartbeat has to say, and must not."""
    t = settled(p, p.topic('t'))
    a = Consumer(p, 'a', t)
    for changes in (dict(group_id=''), dict(member_id=''), dict(rebalance_timeout_ms=-1), dict(rebalance_timeout_ms=0),
                    dict(topic_partitions=None), dict(subscribed_topic_names=None),
                    dict(topic_partitions=[{'topic_id': UNKNOWN_ID, 'partitions': [0]}]), dict(server_assignor=''),
                    dict(server_assignor='nonsense'), dict(server_assignor='Range'), dict(instance_id=''),
                    dict(rack_id=''), dict(member_epoch=-4), dict(subscribed_topic_names=['']),
                    dict(subscribed_topic_names=['bad name'])):
        if p.era == 0 and changes == dict(member_id=''):
            continue  # it gets an id then
        a.join(**changes)
        a.leave()
    a.join()
    for changes in (dict(topic_partitions=[{'topic_id': UNKNOWN_ID, 'partitions': [0]}]),
                    dict(server_assignor='nonsense'), dict(instance_id='i'), dict(subscribed_topic_names=[])):
        a.beat(**changes)
    told(a.link, a.group)


def assignors(p):
    """Two members share: what each is told, step by step."""
    for assignor in (None, 'uniform', 'range'):
        t, u = settled(p, p.topic(f't-{assignor}', partitions=4), p.topic(f'u-{assignor}', partitions=2))
        topics = (t, u) if assignor == 'range' else (t,)  # uniform: the ids of topics decide which comes first
        a, b = [Consumer(p, name, *topics, group=f'{assignor}', assignor=assignor) for name in 'ab']
        a.join()
        a.owns()
        b.join()
        told(a.link, a.group)
        a.beat()
        a.owns()
        b.beat()
        b.owns()
        a.beat()
        told(a.link, a.group)
        b.leave()
        a.beat()
        a.owns()
        told(a.link, a.group)


def subscriptions(p):
    """A member asks for other topics, for one that is not there, for none."""
    t, u = settled(p, p.topic('t', partitions=2), p.topic('u', partitions=2))
    a = Consumer(p, 'a', t)
    a.join()
    a.owns()
    for topics in ([t, u], [u], [u, 'no-such-topic'], ['no-such-topic'], [t, t], [t]):
        a.beat(subscribed_topic_names=topics)
        a.owns()
        a.beat()
        told(a.link, a.group)


def static_members(p):
    """A static member goes for a while, comes back, is replaced."""
    t = settled(p, p.topic('t', partitions=4))
    a, b = Consumer(p, 'a', t, instance='ia'), Consumer(p, 'b', t, instance='ib')
    a.join()
    a.owns()
    b.join()
    a.beat()
    a.owns()
    b.beat()
    b.owns()
    told(a.link, a.group)
    again = Consumer(p, 'b2', t, instance='ib')
    again.join()
    b.leave(-2)
    told(a.link, a.group)
    a.beat()
    again.join()
    again.owns()
    b.beat()
    b.leave(-2)
    b.leave(-1)
    a.beat()
    told(a.link, a.group)
    for changes in (dict(instance_id='ia'), dict(instance_id='nobody'), dict(instance_id=None)):
        again.beat(**changes)
    again.leave(-1)
    a.beat()
    told(a.link, a.group)
    dynamic = Consumer(p, 'd', t)
    dynamic.join()
    dynamic.leave(-2)


def patterns(p):
    """Topics by a pattern; a pattern that is none."""
    if p.era < 1:
        return
    settled(p, p.topic('one', partitions=1), p.topic('two', partitions=1))
    for n, regex in enumerate(('(', '[', '*', 'a{1,')):
        Consumer(p, 'bad', group=f'bad{n}', regex=regex).join()
    a = Consumer(p, 'a', regex=f'{p.name}-(one|two)')
    take_quietly(a, member_epoch=0, rebalance_timeout_ms=20000, topic_partitions=[], subscribed_topic_regex=a.regex)
    p.until('topics by pattern', lambda: len(a.owned) == 2 or take_quietly(a))
    p.note('topics by pattern', a.owned)


def take_quietly(a, **changes):
    """A heartbeat: Kafka looks for the topics of a pattern later. Whether the member now owns two topics."""
    answer = a.link.ask('ConsumerGroupHeartbeat', quiet=True, **a.values(**changes))
    a.epoch = answer.get('member_epoch', a.epoch)
    if answer.get('assignment'):
        a.owned = answer['assignment']['topic_partitions']
    return len(a.owned) == 2


# ---- positions

def positions(p):
    """OffsetCommit and OffsetFetch of members, of none, with other epochs, in every version."""
    t = settled(p, p.topic('t', partitions=2))
    a, c = Consumer(p, 'a', t), p.link()
    a.join()
    a.owns()
    for epoch, member_id in ((a.epoch, 'a'), (a.epoch + 1, 'a'), (a.epoch - 1, 'a'), (a.epoch, 'nobody'), (-1, ''),
                             (-1, 'a'), (0, ''), (a.epoch, '')):
        commit(c, a.group, 5, epoch, member_id)
        if p.era >= 9:
            c.ask('OffsetFetch', groups=[{'group_id': a.group, 'member_id': member_id, 'member_epoch': epoch,
                                          'topics': None}])
    fetch(c, a.group)
    c.ask('OffsetDelete', group_id=a.group, topics=[{'name': t, 'partitions': [{'partition_index': 0}]}])
    c.ask('DeleteGroups', group_names=[a.group])
    a.leave()
    commit(c, a.group, 7, -1, '')
    commit(c, a.group, 7, a.epoch, 'a')
    c.ask('OffsetDelete', group_id=a.group, topics=[{'name': t, 'partitions': [{'partition_index': 0}]}])
    fetch(c, a.group)
    c.ask('DeleteGroups', group_names=[a.group])


# ---- the other protocol

def classic_requests(p):
    """Heartbeat, SyncGroup and LeaveGroup of the classic protocol, for a member of the other one."""
    t = settled(p, p.topic('t'))
    a, c = Consumer(p, 'a', t), p.link()
    a.join()
    a.owns()
    for generation, member_id in ((a.epoch, 'a'), (1, 'nobody'), (-1, '')):
        c.ask('Heartbeat', group_id=a.group, generation_id=generation, member_id=member_id)
        c.ask('SyncGroup', group_id=a.group, generation_id=generation, member_id=member_id, protocol_type='consumer',
              protocol_name='range', assignments=[])
    c.ask('LeaveGroup', group_id=a.group, member_id='nobody', members=[{'member_id': 'nobody'}])
    a.beat()


def into_a_classic_group(p):
    """A consumer's heartbeat for a group that is classic: empty, with a member, of another type."""
    t = settled(p, p.topic('t'))
    c = p.link()
    commit(c, p.group('positions'))
    a = Consumer(p, 'a', t, group='positions')
    a.join()
    seen_by_all(p, c, a.group)
    m = Member(p, 'm', group='connect', kind='connect', protocols=[('x', b'1')])
    m.join()
    m.sync({m.id: b''})
    b = Consumer(p, 'b', t, group='connect')
    b.join()
    describe(c, m.group)
    m.leave()
    b.join()
    told(c, m.group)


SCRIPTS = [lifecycle, epochs, refused, assignors, subscriptions, static_members, patterns, positions, classic_requests,
           into_a_classic_group]
for one in SCRIPTS:
    one.__name__ = f'consumer_{one.__name__}'
