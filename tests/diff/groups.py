# SPDX-License-Identifier: Apache-2.0
"""groups.py - scripts of the life of classic groups: coordinators, rounds, static members, time."""
from group_world import Member, assignment, commit, describe, fetch, list_ours, subscription, ALL_OPERATIONS

APIS = ['FindCoordinator', 'JoinGroup', 'SyncGroup', 'Heartbeat', 'LeaveGroup', 'OffsetCommit', 'DescribeGroups']


# ---- coordinators

def coordinators(p):
    c = p.link()
    for key_type in (0, 1, 2, 3, -1, 127):
        for key in ('g', ''):
            c.ask('FindCoordinator', key=key, key_type=key_type, coordinator_keys=[key])
    c.ask('FindCoordinator', key='g', coordinator_keys=['a', '', 'a', 'b'])
    c.ask('FindCoordinator', key='g', coordinator_keys=[])
    for key in ('g:t:0', 'g:AAAAAAAAAAAAAAAAAAAAAQ:0', ':', 'g:AAAAAAAAAAAAAAAAAAAAAQ:-1'):
        c.ask('FindCoordinator', key=key, key_type=2, coordinator_keys=[key])


# ---- joining

def lifecycle(p):
    """One member: joins, syncs, lives, commits, leaves."""
    m = Member(p, 'one')
    looker = p.link('looker')
    describe(looker, m.group)
    m.join()
    describe(looker, m.group)
    list_ours(looker)
    m.heartbeat()
    m.sync({m.id: assignment('one')})
    m.heartbeat()
    describe(looker, m.group)
    looker.ask('DescribeGroups', groups=[m.group], **ALL_OPERATIONS)
    list_ours(looker)
    m.sync({})
    m.sync({m.id: assignment('changed')})
    commit(m.link, m.group, 7, m.generation, m.id)
    fetch(m.link, m.group)
    m.leave()
    describe(looker, m.group)
    looker.ask('DescribeGroups', groups=[m.group], **ALL_OPERATIONS)
    list_ours(looker)
    m.heartbeat()
    m.leave()
    m.sync({})
    commit(m.link, m.group, 8, m.generation, m.id)
    fetch(m.link, m.group)


def two_members(p):
    """Two members: a second joins, both go through every state."""
    a, b = Member(p, 'a'), Member(p, 'b')
    looker = p.link('looker')
    a.join()
    a.sync({a.id: assignment('first')})
    b.send_join()
    a.until_state('PreparingRebalance')
    describe(looker, a.group)
    list_ours(looker)
    a.heartbeat()
    a.sync({})
    commit(a.link, a.group, 1, a.generation, a.id)
    looker.ask('DeleteGroups', group_names=[a.group])
    a.join()
    b.finish_join()
    describe(looker, a.group)
    list_ours(looker)
    a.heartbeat()
    a.heartbeat(generation=a.generation - 1)
    a.heartbeat(generation=a.generation + 1)
    commit(a.link, a.group, 2, a.generation, a.id)
    commit(a.link, a.group, 2, a.generation - 1, a.id)
    looker.ask('DeleteGroups', group_names=[a.group])
    b.send_sync({})
    a.sync({a.id: assignment('a'), b.id: assignment('b'), 'nobody': b'x'})
    b.finish_sync()
    describe(looker, a.group)
    commit(b.link, a.group, 3, b.generation, b.id)
    commit(b.link, a.group, 4, b.generation + 1, b.id)
    commit(b.link, a.group, 4, b.generation, 'nobody')
    commit(b.link, a.group, 4, b.generation, '')
    commit(b.link, a.group, 4, -1, '')
    commit(b.link, a.group, 4, -1, b.id)
    commit(b.link, a.group, 4, -2, b.id)
    commit(b.link, a.group, 4, b.generation, b.id, instance='nobody')
    fetch(a.link, a.group)
    looker.ask('DeleteGroups', group_names=[a.group])
    b.leave()
    a.heartbeat()
    describe(looker, a.group)
    a.join()
    a.sync({a.id: assignment('all')})
    a.leave()
    looker.ask('DeleteGroups', group_names=[a.group])
    looker.ask('DeleteGroups', group_names=[a.group])
    describe(looker, a.group)
    fetch(looker, a.group)


def join_checks(p):
    """What JoinGroup refuses, and the order in which it looks."""
    m = Member(p, 'm')
    good = dict(session_timeout_ms=10000, rebalance_timeout_ms=10000, protocol_type='consumer',
                protocols=[{'name': 'range', 'metadata': subscription('t')}])

    def ask(**changes):
        m.link.ask('JoinGroup', **dict(good, group_id=p.group(), member_id='', **{}) | changes)
    ask(group_id='')
    ask(group_id='', session_timeout_ms=1)
    for ms in (-1, 0, 499, 1800001, 2147483647):
        ask(session_timeout_ms=ms)
    ask(member_id='nobody')
    ask(member_id='nobody', protocols=[])
    ask(member_id='nobody', session_timeout_ms=1)
    ask(member_id='nobody', group_instance_id='i')
    ask(protocol_type='', protocols=[], member_id='nobody')
    ask(protocol_type='')
    ask(protocols=[])
    ask(group_id=p.group('x') + ' with/odd:characters ')
    describe(m.link, p.group())


def protocols_offered(p):
    """An empty name, metadata that is no subscription, many."""
    for what, protocols in (('empty', [('', b'')]),
                            ('many', [(f'p{i}', b'%d' % i) for i in range(60)])):
        m = Member(p, what, group=what, protocols=protocols)
        m.join()
        m.sync({m.id: b''})
        describe(m.link, m.group)
        m.leave()


def session_limits(p):
    for ms in (500, 1800000):
        m = Member(p, f'm{ms}', group=f'g{ms}', session_ms=ms)
        m.send_join()
        m.finish_join()
        m.leave()


def rebalance_timeouts(p):
    """Odd rebalance timeouts are taken."""
    for ms in (1000000, 2147483647):
        m = Member(p, 'm', group=f'g{ms}', rebalance_ms=ms)
        m.join()
        m.sync({m.id: b'x'})
        describe(m.link, m.group)
        m.leave()


def ids_first(p):
    """KIP-394: ids that are handed out."""
    m = Member(p, 'm')
    first = m.ask_join('')
    looker = p.link('looker')
    describe(looker, m.group)
    list_ours(looker)
    if p.era < 4:
        return
    given = first['member_id']
    m.heartbeat(member_id=given, generation=0)
    m.heartbeat(member_id=given, generation=-1)
    m.link.ask('SyncGroup', **dict(m.sync_values({}), member_id=given, generation_id=0))
    m.link.ask('SyncGroup', group_id=m.group, generation_id=0, member_id=given, assignments=[])
    commit(m.link, m.group, 1, 0, given)
    commit(m.link, m.group, 1, -1, given)
    m.leave(member_id=given)
    m.leave(member_id=given)
    m.ask_join(given)
    describe(looker, m.group)
    m.ask_join('')
    looker.ask('DeleteGroups', group_names=[m.group])
    describe(looker, m.group)


def ids_used(p):
    """An id that is used for the first time with an instance, and twice."""
    if p.era < 5:
        return
    m = Member(p, 'm')
    given = m.ask_join('')['member_id']
    m.link.ask('JoinGroup', **dict(m.join_values(given), group_instance_id='i'))
    m.ask_join(given)
    m.ask_join(given)
    m.ask_join(given + 'x')
    m.ask_join('')
    describe(m.link, m.group)


def join_again(p):
    """A member joins again: the same, with news, in each state, as leader and as follower."""
    a, b = Member(p, 'a'), Member(p, 'b')
    looker = p.link('looker')
    a.join()
    a.join()
    describe(looker, a.group)
    a.sync({a.id: b'1'})
    b.send_join()
    a.until_state('PreparingRebalance')
    a.join()
    b.finish_join()
    b.join()  # completing, the same: answered at once
    a.join()
    b.send_sync({})
    a.sync({a.id: b'2', b.id: b'3'})
    b.finish_sync()
    b.join()  # stable follower, the same
    describe(looker, a.group)
    b.protocols = [('range', subscription('other'))]
    b.send_join()
    a.until_state('PreparingRebalance')
    a.join()
    b.finish_join()
    b.send_sync({})
    a.sync({a.id: b'4', b.id: b'5'})
    b.finish_sync()
    a.send_join()  # stable leader, the same: a round
    a.until_state('PreparingRebalance')
    b.join()
    a.finish_join()
    describe(looker, a.group)


def protocol_votes(p):
    """The protocol that most prefer, of those that all have; who has none of them is refused."""
    a = Member(p, 'a', protocols=[('x', b'ax'), ('y', b'ay'), ('z', b'az')])
    b = Member(p, 'b', protocols=[('y', b'by'), ('x', b'bx')])
    c = Member(p, 'c', protocols=[('y', b'cy'), ('z', b'cz'), ('x', b'cx')])
    d = Member(p, 'd', protocols=[('z', b'dz')])
    a.join()
    b.send_join()
    a.until_state('PreparingRebalance')
    c.send_join()
    d.ask_join('')
    d.link.ask('JoinGroup', **dict(a.join_values(''), protocol_type='connect'))
    d.link.ask('JoinGroup', **dict(a.join_values(a.id), protocol_type='connect'))
    d.link.ask('JoinGroup', **dict(a.join_values(a.id), protocols=[]))
    d.link.ask('JoinGroup', **dict(a.join_values('nobody'), protocol_type='connect'))
    a.until_members(3)
    a.join()
    b.finish_join()
    c.finish_join()
    describe(d.link, a.group)


def votes_equal(p):
    a = Member(p, 'a', protocols=[('x', b'ax'), ('y', b'ay')])
    b = Member(p, 'b', protocols=[('y', b'by'), ('x', b'bx')])
    a.join()
    b.send_join()
    a.until_state('PreparingRebalance')
    a.join()
    b.finish_join()
    b.send_sync({})
    a.sync({a.id: b'1', b.id: b'2'})
    b.finish_sync()
    describe(p.link('looker'), a.group)


def sync_checks(p):
    """What SyncGroup refuses, and the order in which it looks."""
    a, b = Member(p, 'a'), Member(p, 'b')
    link = p.link()

    def ask(**values):
        link.ask('SyncGroup', **dict(dict(group_id=a.group, generation_id=1, member_id=a.id, assignments=[],
                                          protocol_type='consumer', protocol_name='range'), **values))
    ask(group_id='')
    ask()
    ask(member_id='')
    ask(member_id='', group_instance_id='i')
    ask(generation_id=-1)
    a.join()
    b.send_join()
    a.until_state('PreparingRebalance')
    ask()
    ask(generation_id=2)
    ask(protocol_type='connect')
    ask(protocol_name='sticky')
    a.join()
    b.finish_join()
    ask(generation_id=1)
    ask(generation_id=3)
    ask(generation_id=2, member_id='nobody')
    ask(generation_id=2, group_instance_id='nobody')
    ask(generation_id=2, protocol_type='connect')
    ask(generation_id=2, protocol_name='sticky')
    ask(generation_id=2, protocol_type='')
    ask(generation_id=2, protocol_name=None, protocol_type=None, member_id=b.id, group_instance_id='x')
    describe(link, a.group)
    b.send_sync({a.id: b'from', b.id: b'a follower'})
    a.sync({b.id: b'b', a.id: b'a', '': b'nobody'})
    b.finish_sync()
    ask(generation_id=2, protocol_name='sticky')
    ask(generation_id=2, protocol_name=None, protocol_type=None)
    ask(generation_id=2, assignments=[{'member_id': a.id, 'assignment': b'late'}])
    describe(link, a.group)


def sync_twice_named(p):
    """An assignment that names a member twice, and one that names none."""
    m = Member(p, 'm')
    m.join()
    twice = [{'member_id': m.id, 'assignment': b'1'}, {'member_id': m.id, 'assignment': b'2'}]
    m.link.ask('SyncGroup', **dict(m.sync_values({}), assignments=twice))
    n = Member(p, 'n', group='none')
    n.join()
    n.sync({})
    describe(m.link, m.group, n.group)


def heartbeat_checks(p):
    m = Member(p, 'm')
    for values in (dict(group_id=''), dict(group_id='nothing here'), dict(member_id='', group_id='nothing here'),
                   dict(group_id='', member_id='', generation_id=-1)):
        m.link.ask('Heartbeat', **dict(dict(group_id=m.group, generation_id=1, member_id='x'), **values))
    m.join()
    for values in (dict(), dict(member_id=''), dict(generation_id=0), dict(generation_id=-1),
                   dict(generation_id=2147483647), dict(generation_id=-2147483648), dict(member_id='nobody'),
                   dict(group_instance_id='i'), dict(group_instance_id=''), dict(member_id='', group_instance_id='i'),
                   dict(member_id='nobody', generation_id=9)):
        m.link.ask('Heartbeat', **dict(dict(group_id=m.group, generation_id=1, member_id=m.id), **values))


def leave_checks(p):
    m, looker = Member(p, 'm'), p.link('looker')

    def ask(group, *members):
        if p.era < 3:
            for member in members:
                looker.ask('LeaveGroup', group_id=group, member_id=member[0])
        else:
            looker.ask('LeaveGroup', group_id=group, members=[
                {'member_id': member_id, 'group_instance_id': instance} for member_id, instance in members])
    ask('')
    ask('', ('x', None), ('y', None))
    ask('nothing here')
    ask('nothing here', ('x', None), ('', None), ('', 'i'), ('x', 'i'))
    m.join()
    ask(m.group)
    ask(m.group, ('x', None), ('', None), ('', 'i'), ('x', 'i'), (m.id, 'i'), (m.id, ''))
    describe(looker, m.group)
    ask(m.group, (m.id, None), (m.id, None))
    describe(looker, m.group)


# ---- static members

def static_members(p):
    """KIP-345: a static member comes back; its old self is fenced."""
    if p.era < 5:
        return
    a, b = Member(p, 'a', instance='ia'), Member(p, 'b', instance='ib')
    looker = p.link('looker')
    a.join()
    a.sync({a.id: b'1'})
    b.send_join()
    a.until_state('PreparingRebalance')
    a.join()
    b.finish_join()
    b.send_sync({})
    a.sync({a.id: b'2', b.id: b'3'})
    b.finish_sync()
    describe(looker, a.group)

    def as_whom(member_id, instance):
        for_whom = dict(group_id=a.group, generation_id=b.generation, member_id=member_id, group_instance_id=instance)
        looker.ask('Heartbeat', **for_whom)
        looker.ask('SyncGroup', **for_whom, protocol_type='consumer', protocol_name='range', assignments=[])
        commit(looker, a.group, 3, b.generation, member_id, instance)
        looker.ask('JoinGroup', **dict(b.join_values('nobody' if member_id == b.id else member_id),
                                       group_instance_id=instance))
    old = b.id
    b.ask_join('')  # the follower is back
    b.note_joined(b.last)
    as_whom(old, 'ib')
    as_whom(old, None)
    as_whom(b.id, 'ib')
    as_whom(b.id, 'ia')
    as_whom(b.id, 'nobody')
    as_whom('nobody', 'ib')
    describe(looker, a.group)
    b.sync({})
    a.heartbeat()
    a.ask_join('')  # the leader is back
    a.note_joined(a.last)
    describe(looker, a.group)
    a.sync({a.id: b'4', b.id: b'5'})
    b.heartbeat()
    a.heartbeat()


def static_news(p):
    """A static member comes back with another subscription: that is a round."""
    if p.era < 5:
        return
    a, b = Member(p, 'a', instance='ia'), Member(p, 'b', instance='ib', protocols=[('y', b'1'), ('range', b'2')])
    looker = p.link('looker')
    a.join()
    a.sync({a.id: b'1'})
    b.send_join()
    a.until_state('PreparingRebalance')
    a.join()
    b.finish_join()
    b.send_sync({})
    a.sync({a.id: b'2', b.id: b'3'})
    b.finish_sync()
    b.protocols = [('range', b'other')]
    b.send_join(member_id='')
    b.until_any('Stable', 'PreparingRebalance')
    describe(looker, a.group)
    a.heartbeat()
    if a.state() == 'PreparingRebalance':
        a.join()
    b.finish_join()
    describe(looker, a.group)


def static_in_rounds(p):
    """A static member comes back while its group prepares, and while it completes."""
    if p.era < 5:
        return
    a, b = Member(p, 'a', instance='ia'), Member(p, 'b', instance='ib')
    looker = p.link('looker')
    a.join()
    a.sync({a.id: b'1'})
    b.send_join()
    a.until_state('PreparingRebalance')
    again = p.link('b2')
    again.send('JoinGroup', **b.join_values(''))
    b.finish_join()  # fenced
    describe(looker, a.group)
    a.join()
    b.note_joined(again.receive())
    describe(looker, a.group)
    b.send_sync({})
    b.until_parked()
    third = p.link('b4')
    third.send('JoinGroup', **b.join_values(''))
    b.finish_sync()
    a.until_state('PreparingRebalance')
    describe(looker, a.group)
    a.join()
    third.receive()
    describe(looker, a.group)


def static_leaves(p):
    """Static members go by their instance id; with and without a member id; together with others."""
    if p.era < 5:
        return
    a, b, c = [Member(p, x, instance='i' + x) for x in 'abc']
    looker = p.link('looker')
    a.join()
    b.send_join()
    a.until_state('PreparingRebalance')
    c.send_join()
    a.until_members(3)
    a.join()
    b.finish_join()
    c.finish_join()

    def ask(*members):
        looker.ask('LeaveGroup', group_id=a.group, members=[
            {'member_id': member_id, 'group_instance_id': instance} for member_id, instance in members])
    ask(('x', 'ib'), ('', 'nobody'), (b.id, 'ic'), (b.id, 'nobody'))
    describe(looker, a.group)
    ask(('', 'ib'), ('', 'ib'), (c.id, 'ic'))
    describe(looker, a.group)
    ask((a.id, None))
    describe(looker, a.group)


def static_and_dynamic(p):
    """An instance id that is given to a member that was dynamic; an empty instance id."""
    if p.era < 5:
        return
    m = Member(p, 'm')
    m.join()
    m.link.ask('JoinGroup', **dict(m.join_values(m.id), group_instance_id='late'))
    n = Member(p, 'n', instance='', group='empty')
    n.join()
    n.heartbeat()
    describe(n.link, n.group, m.group)
    s = Member(p, 's', instance='is', group='static')
    s.join()
    s.sync({s.id: b'1'})
    s.link.ask('JoinGroup', **dict(s.join_values(s.id), group_instance_id=None))
    s.heartbeat(group_instance_id=None)
    s.until_any('Stable', 'CompletingRebalance')
    describe(s.link, s.group)


# ---- time

def sessions(p):
    """Who is silent goes; a static member too; an id that is not used is forgotten."""
    m = Member(p, 'm', session_ms=600)
    m.join()
    m.sync({m.id: b'1'})
    m.until_state('Empty')
    describe(m.link, m.group)
    m.heartbeat()
    m.ask_join(m.id)
    if p.era >= 5:
        s = Member(p, 's', group='static', session_ms=600, instance='i')
        s.join()
        s.sync({s.id: b'1'})
        s.until_state('Empty')
        s.heartbeat()
        describe(s.link, s.group)
        s.ask_join('')


def rounds_time_out(p):
    """Who does not come into the round goes; who does not sync goes."""
    a, b = Member(p, 'a', rebalance_ms=700), Member(p, 'b', rebalance_ms=700)
    looker = p.link('looker')
    a.join()
    a.sync({a.id: b'1'})
    b.send_join()
    b.finish_join()
    describe(looker, a.group)
    a.heartbeat()
    b.until_state('Empty')
    describe(looker, a.group)
    b.heartbeat()


def group_is_full(p):
    """group.max.size, which is 4 here: counted are those in the round, or with none running the members."""
    members = [Member(p, x) for x in 'abcdef']
    first = members[0]
    first.join()
    for count, m in enumerate(members[1:4], 2):
        m.send_join()
        first.until_members(count)
    if p.era >= 4:
        first.leave(members[4].ask_join('')['member_id'])
    first.join()
    for m in members[1:4]:
        m.finish_join()
    members[4].ask_join('')
    members[4].ask_join('nobody')
    members[4].link.ask('JoinGroup', **dict(members[4].join_values(''), protocols=[]))
    members[4].link.ask('JoinGroup', **dict(members[4].join_values('nobody'), protocol_type='connect'))
    members[5].instance = 'i'
    members[5].ask_join('')
    describe(first.link, first.group)


def static_member_of_full(p):
    """A static member comes back to a group that is full."""
    if p.era < 5:
        return
    a, b, c, d = [Member(p, x, instance='i' + x) for x in 'abcd']
    a.join()
    for count, m in enumerate((b, c, d), 2):
        m.send_join()
        a.until_members(count)
    a.join()
    for m in (b, c, d):
        m.finish_join()
    for m in (b, c, d):
        m.send_sync({})
    a.sync({})
    for m in (b, c, d):
        m.finish_sync()
    d.ask_join('')


SCRIPTS = [coordinators, lifecycle, two_members, join_checks, protocols_offered, session_limits, rebalance_timeouts,
           ids_first, ids_used, join_again, protocol_votes, votes_equal, sync_checks, sync_twice_named,
           heartbeat_checks, leave_checks, static_members, static_news, static_in_rounds, static_leaves,
           static_and_dynamic, sessions, rounds_time_out, group_is_full, static_member_of_full]
