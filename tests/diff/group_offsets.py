# SPDX-License-Identifier: Apache-2.0
"""group_offsets.py - scripts of positions, and of what administrators ask of classic groups."""
import struct

from group_world import Member, commit, describe, fetch, list_ours, subscription, topics_of, ALL_OPERATIONS, UNKNOWN_ID

APIS = ['OffsetCommit', 'OffsetFetch', 'DescribeGroups', 'ListGroups', 'DeleteGroups', 'OffsetDelete']


# ---- positions

def commit_alone(p):
    """Positions without a group, in every combination of generation, member and instance."""
    c = p.link()
    g = p.group()
    fetch(c, g)
    for n, (generation, member_id, instance) in enumerate([
            (0, '', None), (1, '', None), (0, 'x', None), (-1, 'x', None), (-1, '', 'i'), (-1, 'x', 'i'),
            (-2, '', None), (-2147483648, '', None), (2147483647, 'x', None), (-1, '', None), (0, '', None),
            (0, 'x', None), (-1, 'x', None), (-1, '', 'i'), (-2, 'x', 'i'), (1, '', 'i')]):
        commit(c, g, n, generation, member_id, instance)
    fetch(c, g)
    describe(c, g)
    list_ours(c)
    commit(c, p.group('odd / name '))
    c.ask('DeleteGroups', group_names=[g])
    fetch(c, g)
    describe(c, g)


def commit_values(p):
    """Offsets, epochs and metadata at their bounds."""
    c = p.link()
    g = p.group()
    for offset in (0, -1, -2, -9223372036854775808, 9223372036854775807):
        commit(c, g, offset)
        fetch(c, g)
    for metadata in (None, '', 'ä' * 2000, 'x' * 4096, 'x' * 4097, 'ä' * 2049, 'x' * 32767):
        commit(c, g, 1, metadata=metadata)
        fetch(c, g)
    commit(c, g, 2, partitions=(0, 1, 1, 2, 3, -1, 2147483647))
    fetch(c, g)
    commit(c, g, 2, metadata='x' * 5000, partitions=(3,))
    commit(c, g, 2, partitions=())
    fetch(c, g)
    c.ask('OffsetCommit', group_id=g, topics=[])
    c.ask('OffsetCommit', group_id=g, generation_id_or_member_epoch=4, member_id='x', topics=[])


def commit_topics(p):
    """Topics that are not there, twice in one request, without a name or an id."""
    c = p.link()
    g = p.group()
    (t, t_id), (u, u_id) = topics_of(p)
    rows = [{'partition_index': 0, 'committed_offset': 9, 'committed_metadata': ''}]
    if p.era < 10:
        names = [t, 'no-such-topic', '', 'bad name', u, t, 'no-such-topic']
        c.ask('OffsetCommit', group_id=g, topics=[{'name': n, 'partitions': rows} for n in names])
        c.ask('OffsetCommit', group_id=g, generation_id_or_member_epoch=3, member_id='x',
              topics=[{'name': n, 'partitions': rows} for n in names])
    else:
        ids = [t_id, UNKNOWN_ID, bytes(16), u_id, t_id]
        c.ask('OffsetCommit', group_id=g, topics=[{'topic_id': i, 'partitions': rows} for i in ids])
        c.ask('OffsetCommit', group_id=g, generation_id_or_member_epoch=3, member_id='x',
              topics=[{'topic_id': i, 'partitions': rows} for i in ids])
    fetch(c, g, None)


def commit_retention(p):
    """retention_time_ms of v2 to v4."""
    c = p.link()
    for ms in (-1, 0, 60000, -5, 9223372036854775807):
        commit(c, p.group(f'g{ms}'), 1, retention_time_ms=ms)
        fetch(c, p.group(f'g{ms}'))


def fetch_shapes(p):
    """null topics, unknown ones, odd partitions, several groups, the same group twice."""
    c = p.link()
    g = p.group()
    (t, t_id), (_, u_id) = topics_of(p)
    commit(c, g, 3, partitions=(0, 2))
    fetch(c, g, None)
    fetch(c, g, None, require_stable=True)
    fetch(c, p.group('none'), None)
    fetch(c, g, [])
    if p.era < 8:
        fetch(c, g, [{'name': n, 'partition_indexes': [0, 1, -1, 0, 2147483647]} for n in (t, 'none', '', t)])
        fetch(c, p.group('none'), [{'name': t, 'partition_indexes': [0]}])
        fetch(c, g, [{'name': t, 'partition_indexes': []}])
        return
    if p.era < 10:
        topics = [{'name': n, 'partition_indexes': [0, 1, -1, 0]} for n in (t, 'none', '', t)]
    else:
        topics = [{'topic_id': i, 'partition_indexes': [0, 1, -1, 0]} for i in (t_id, UNKNOWN_ID, bytes(16), u_id)]
    for stable in (False, True):
        c.ask('OffsetFetch', require_stable=stable, groups=[{'group_id': x, 'topics': topics} for x in
                                                            (g, p.group('none'), g)])
    c.ask('OffsetFetch', groups=[])
    c.ask('OffsetFetch', groups=[{'group_id': g, 'topics': topics[:1]}, {'group_id': p.group('none'), 'topics': None}])
    if p.era >= 9:
        for member_id, epoch in (('x', 1), ('', -1), (None, 1), ('x', -1), (None, -1), ('', 0)):
            c.ask('OffsetFetch', groups=[{'group_id': g, 'member_id': member_id, 'member_epoch': epoch,
                                          'topics': topics[:1]},
                                         {'group_id': p.group('none'), 'member_id': member_id, 'member_epoch': epoch,
                                          'topics': topics[:1]}])


# ---- administration

def describing(p):
    c = p.link()
    g = p.group()
    describe(c)
    describe(c, g, g)
    c.ask('DescribeGroups', groups=[g], **ALL_OPERATIONS)
    commit(c, g)
    describe(c, g, g)
    c.ask('DescribeGroups', groups=[g], **ALL_OPERATIONS)
    m = Member(p, 'm', group='connect', kind='connect', protocols=[('x', b'1'), ('default', b'\0\1')])
    m.join()
    describe(c, m.group)
    m.sync({m.id: b'\0\1'})
    describe(c, m.group)
    m.leave()
    describe(c, m.group)


def listing(p):
    c = p.link()
    commit(c, p.group('alone'))
    m = Member(p, 'm', group='stable')
    m.join()
    m.sync({m.id: b''})
    n = Member(p, 'n', group='completing', kind='connect')
    n.join()
    list_ours(c)
    if p.era >= 4:
        for states in ([], ['Stable'], ['stable'], ['EMPTY', 'sTaBlE'], ['nonsense'], ['', 'Empty'], ['Dead'],
                       ['CompletingRebalance'], ['completingrebalance'], ['completing_rebalance'], [' Stable'],
                       ['Assigning'], ['Unknown'], ['Stable', 'nonsense']):
            list_ours(c, states_filter=states)
    if p.era >= 5:
        for types in ([], ['classic'], ['Classic'], ['CLASSIC', 'consumer'], ['consumer'], ['share'], ['streams'],
                      ['nonsense'], [''], ['unknown'], ['simple'], ['classic', 'nonsense']):
            list_ours(c, types_filter=types)
            list_ours(c, types_filter=types, states_filter=['stable'])
            list_ours(c, types_filter=types, states_filter=['nonsense'])


def deleting(p):
    c = p.link()
    g = p.group()
    c.ask('DeleteGroups', group_names=[])
    c.ask('DeleteGroups', group_names=[g])
    commit(c, g)
    commit(c, p.group('h'))
    c.ask('DeleteGroups', group_names=[g, p.group('none'), g, p.group('h')])
    describe(c, g)
    fetch(c, g)
    m = Member(p, 'm', group='live')
    m.join()
    c.ask('DeleteGroups', group_names=[m.group])
    m.sync({m.id: b''})
    c.ask('DeleteGroups', group_names=[m.group])
    m.leave()
    c.ask('DeleteGroups', group_names=[m.group])
    m.heartbeat()
    m.join()
    describe(c, m.group)


def no_group_id(p):
    """The empty group id: a group of its own for positions, and no group for members."""
    c = p.link()
    everything = [p.group(), '']
    c.ask('DeleteGroups', quiet=True, group_names=[''])
    describe(c, '')
    c.ask('DescribeGroups', groups=everything, **ALL_OPERATIONS)
    c.ask('DeleteGroups', group_names=everything)
    c.ask('OffsetDelete', group_id='', topics=[])
    fetch(c, '', None)
    fetch(c, '')
    c.ask('OffsetCommit', group_id='', topics=[])
    describe(c, '')
    for generation, member_id in ((0, ''), (1, 'x'), (-1, '')):
        commit(c, '', 5, generation, member_id)
    describe(c, '')
    fetch(c, '', None)
    fetch(c, '')
    listed = c.ask('ListGroups', quiet=True)['groups']
    p.note('listed', [g for g in listed if g['group_id'] == ''])
    c.ask('OffsetDelete', group_id='', topics=[{'name': topics_of(p)[0][0], 'partitions': [{'partition_index': 0}]}])
    c.ask('DeleteGroups', group_names=everything)


no_group_id.alone = True  # all eras share the one group


def offset_deleting(p):
    """OffsetDelete: groups that are not there, that are empty, that consume, that are no consumers."""
    if p.era > 0:
        return  # one version
    c = p.link()
    (t, _), (u, _) = topics_of(p)

    def ask(group, *topics):
        c.ask('OffsetDelete', group_id=group, topics=[
            {'name': name, 'partitions': [{'partition_index': i} for i in indexes]} for name, indexes in topics])
    some = ((t, (0, 1, 0)), ('no-such-topic', (0,)), (u, (0, 9, -1)), ('', (0,)))
    ask(p.group('none'), *some)
    ask(p.group('none'))
    commit(c, p.group('alone'), partitions=(0, 1))
    ask(p.group('alone'))
    ask(p.group('alone'), *some)
    fetch(c, p.group('alone'))
    describe(c, p.group('alone'))
    m = Member(p, 'm', group='consumes', protocols=[('range', subscription(t))])
    m.join()
    ask(m.group, *some)
    m.sync({m.id: b''})
    commit(c, m.group, 4, m.generation, m.id)
    ask(m.group, *some)
    fetch(c, m.group)
    m.leave()
    ask(m.group, *some)
    fetch(c, m.group)
    n = Member(p, 'n', group='connect', kind='connect', protocols=[('x', subscription(t))])
    n.join()
    ask(n.group, *some)
    n.sync({n.id: b''})
    ask(n.group, *some)
    n.leave()
    ask(n.group, *some)
    o = Member(p, 'o', group='garbage', protocols=[('range', b'\0')])
    o.join()
    o.sync({o.id: b''})
    ask(o.group, *some)
    q = Member(p, 'q', group='versions', protocols=[('range', struct.pack('>h', 3) + subscription(u)[2:])])
    q.join()
    q.sync({q.id: b''})
    ask(q.group, *some)


# ---- null where a version has none

def nulls(p):
    """A null where a text must be: the connection ends."""
    asks = [
        ('JoinGroup', dict(group_id=None, protocols=[])), ('JoinGroup', dict(group_id='g', member_id=None)),
        ('JoinGroup', dict(group_id='g', protocol_type=None)), ('JoinGroup', dict(group_id='g', protocols=None)),
        ('SyncGroup', dict(group_id='g', member_id=None)), ('SyncGroup', dict(group_id='g', assignments=None)),
        ('Heartbeat', dict(group_id=None)), ('Heartbeat', dict(group_id='g', member_id=None)),
        ('LeaveGroup', dict(group_id=None)), ('OffsetCommit', dict(group_id=None)),
        ('OffsetCommit', dict(group_id='g', member_id=None)), ('OffsetCommit', dict(group_id='g', topics=None)),
        ('DescribeGroups', dict(groups=None)), ('DescribeGroups', dict(groups=[None])),
        ('DeleteGroups', dict(group_names=None)), ('DeleteGroups', dict(group_names=[None])),
        ('ListGroups', dict(states_filter=None)), ('ListGroups', dict(types_filter=[None])),
        ('FindCoordinator', dict(key=None, coordinator_keys=None)), ('OffsetDelete', dict(group_id=None)),
        ('OffsetFetch', dict(group_id=None, groups=None)), ('OffsetFetch', dict(groups=[{'group_id': None}])),
    ]
    for api, values in asks:
        link = p.link()
        answer = link.ask(api, quiet=True, **values)
        if api != 'ListGroups' or 'closed' in answer:
            p.note(f'{api} {values}', answer)
        link.close()


SCRIPTS = [commit_alone, commit_values, commit_topics, commit_retention, fetch_shapes, describing, listing, deleting,
           no_group_id, offset_deleting, nulls]
