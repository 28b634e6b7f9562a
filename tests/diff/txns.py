# SPDX-License-Identifier: Apache-2.0
"""txns.py - scripts of transactions: their ids, their ends, and what readers see of them."""
import batches
from data_world import ISOLATED, list_offsets, put, read
from group_world import Member, fetch
from txn_world import Producer, look, producers_of

APIS = ['InitProducerId', 'AddPartitionsToTxn', 'AddOffsetsToTxn', 'EndTxn', 'TxnOffsetCommit', 'Produce', 'Fetch']
ERAS = (0, 1, 2, 3, 4, 5, 9, 11, 12, 13)
NOBODY = 1 << 40  # a producer id that was not given out


# ---- ids

def init_values(p):
    """Timeouts and ids at their bounds."""
    c = p.link()
    tid = f'{p.name}-x'
    for timeout in (-2147483648, -1, 0, 1, 900000, 900001, 2147483647):
        c.ask_settled('InitProducerId', transactional_id=f'{tid}{timeout}', transaction_timeout_ms=timeout)
        c.ask_settled('InitProducerId', transactional_id=None, transaction_timeout_ms=timeout)
    for name in ('', 'odd / name ä'):
        c.ask_settled('InitProducerId', transactional_id=name and f'{p.name}{name}', transaction_timeout_ms=1000)
    c.ask_settled('InitProducerId', transactional_id='', transaction_timeout_ms=-1)
    c.ask('DescribeTransactions', transactional_ids=[f'{tid}{timeout}' for timeout in (-1, 0, 1, 900000, 900001)])


def init_again(p):
    """InitProducerId with the id and epoch that one has, or not."""
    if p.era < 3:
        return
    a = Producer(p)
    for given, epoch in ((NOBODY, 0), (NOBODY, -1), (-1, 0), (-1, 5), (-2, 0), (0, -1)):
        a.init(producer_id=given, producer_epoch=epoch)
    a.init()
    a.init()
    have = a.id, a.epoch
    for given, epoch in (have, have, (a.id, a.epoch + 7), (a.id, -1), (NOBODY, a.epoch), (-1, a.epoch), (-1, -1), have,
                         (a.id, a.epoch), (a.id, a.epoch - 1), (a.id, a.epoch), (a.id, 32767), (a.id, -2)):
        a.init(producer_id=given, producer_epoch=epoch)
    a.init(transaction_timeout_ms=0)
    a.init(transaction_timeout_ms=120000)
    a.describe()
    n = Producer(p, 'null')
    for given, epoch in ((-1, -1), (NOBODY, 3), (NOBODY, -1), (-1, 3), (NOBODY, 32767)):
        n.init(transactional_id=None, producer_id=given, producer_epoch=epoch)


def init_while_open(p):
    """A new instance begins while a transaction is open: that is aborted."""
    p.any_epochs()
    t = p.topic('t')
    a = Producer(p)
    a.init()
    a.begin(t)
    a.put(t, 'a')
    old = a.epoch
    a.describe()
    a.init()
    look(a.link, t)
    a.describe()
    a.put(t, 'z', producer=(a.id, old), sequence=1)
    a.end(producer_epoch=old)
    a.adds((t, (0,)), producer_epoch=old)
    a.begin(t)
    a.put(t, 'b')
    a.end()
    look(a.link, t)
    if p.era >= 3:
        a.begin(t)
        a.put(t, 'c')
        a.init(producer_id=a.id, producer_epoch=a.epoch)
        look(a.link, t)
        a.describe()


# ---- lives

def committed_and_aborted(p):
    """Every step of some transactions, and what everybody sees after each."""
    t = p.topic('t', partitions=2)
    a, c = Producer(p), p.link()
    a.describe()
    a.init()
    a.describe()
    producers_of(c, (t, (0, 1)))
    for committed in (True, False, False, True):
        a.begin(t, 0, 1)
        a.describe()
        a.put(t, 'a0', 'a1')
        producers_of(c, (t, (0, 1)))
        look(c, t)
        a.put(t, 'b0', partition=1)
        a.put(t, 'a2')
        a.describe()
        a.end(committed)
        a.describe()
        look(c, t)
        look(c, t, partition=1)
        producers_of(c, (t, (0, 1)))
        a.end(committed)
        a.end(not committed)
        a.describe()


def empty_transactions(p):
    """Ends without records, partitions that get none, ends before anything."""
    t = p.topic('t')
    a, c = Producer(p), p.link()
    for committed in (True, False):
        a.end(committed)
        a.end(committed, producer_id=NOBODY, producer_epoch=0)
    a.init()
    for committed in (True, False):
        a.end(committed)
        a.describe()
    a.adds((t, (0,)))
    a.adds((t, (0,)))
    a.describe()
    look(c, t)
    a.end()
    look(c, t)
    a.adds((t, (0,)))
    a.end(False)
    look(c, t)
    a.adds()
    a.describe()
    a.end()
    a.describe()


def wrong_ids(p):
    """Every step with an id or epoch that is not the producer's."""
    t, v = p.topic('t'), p.topic('v')
    a, c = Producer(p), p.link()
    a.init()
    a.init()
    a.init()

    def steps(**who):
        a.adds((t, (0,)), **who)
        a.adds_offsets(p.group(), **who)
        a.commits(p.group(), t, 5, **who)
        a.end(**who)
        a.end(False, **who)
        producer = who.get('producer_id', a.id), who.get('producer_epoch', a.epoch)
        a.put(t if -1 not in producer else v, 'x', producer=producer, sequence=0,
              transactional_id=who.get('transactional_id', a.tid))
        a.describe()
    everyone = [dict(producer_id=NOBODY), dict(producer_epoch=a.epoch + 1), dict(producer_epoch=a.epoch - 1),
                dict(producer_epoch=-1), dict(producer_id=-1), dict(producer_epoch=32767), dict(producer_id=0),
                dict(transactional_id=''), dict(transactional_id=f'{p.name}-nobody')]
    for who in everyone:
        steps(**who)
    a.begin(t)
    a.put(t, 'a')
    for who in everyone[:6]:
        steps(**who)
    look(c, t)
    a.end()
    look(c, t)
    for who in everyone[:4]:
        steps(**who)
    look(c, t)
    fetch(c, p.group(), None)


def partitions_added(p):
    """Topics and partitions that are not there, together with some that are."""
    t = p.topic('t')
    a = Producer(p)
    a.init()
    a.adds((t, (1,)))
    a.adds((t, (0, 1)), ('no-such-topic', (0,)))
    a.adds(('', (0,)), ('bad name', (0,)), (t, (-1, 2147483647)))
    a.describe()
    a.adds((t, (0, 0)), (t, (0,)))
    a.adds((t, ()))
    a.describe()
    a.end()
    a.adds(('no-such-topic', (0,)), producer_id=NOBODY)
    a.adds(('no-such-topic', (0,)), producer_epoch=9)
    a.describe()


def added_in_batches(p):
    """The brokers' own form of AddPartitionsToTxn."""
    if p.era not in (4, 5):
        return
    t = p.topic('t', partitions=2)
    a, b = Producer(p, 'a'), Producer(p, 'b')
    a.init()
    b.init()

    def ask(*rows):
        a.link.ask_settled('AddPartitionsToTxn', transactions=[
            dict(who.values(**changes), verify_only=verify, topics=[
                {'name': name, 'partitions': list(indexes)} for name, indexes in topics])
            for who, verify, topics, changes in rows])
    ask((a, True, [(t, (0,))], {}))
    ask((a, False, [(t, (0,))], {}))
    a.describe()
    ask((a, True, [(t, (0,))], {}), (b, True, [(t, (0,))], {}))
    ask((a, True, [(t, (0, 1))], {}))
    ask((a, True, [('no-such-topic', (0,))], {}))
    ask((b, False, [(t, (0,)), ('no-such-topic', (0,))], {}))
    for changes in (dict(producer_id=NOBODY), dict(producer_epoch=9), dict(producer_epoch=-1),
                    dict(transactional_id=''), dict(transactional_id=f'{p.name}-nobody')):
        ask((a, True, [(t, (0,))], changes))
        ask((a, False, [(t, (0,))], changes))
    a.end(False)
    b.end(False)
    b.describe()


def fenced(p):
    """Two producers with one id: the first is fenced in whatever it does next."""
    p.any_epochs()
    t = p.topic('t')
    steps = [lambda q: q.adds((t, (0,))), lambda q: q.put(t, 'zombie', sequence=1), lambda q: q.end(),
             lambda q: q.end(False), lambda q: q.adds_offsets(p.group()), lambda q: q.commits(p.group(), t, 7)]
    if p.era >= 3:
        steps.append(lambda q: q.init(producer_id=q.id, producer_epoch=q.epoch))
    for n, step in enumerate(steps):
        a, b = [Producer(p, f'{which}{n}', transactional_id=f'{p.name}-{n}') for which in 'ab']
        a.init()
        a.begin(t)
        a.put(t, 'a')
        b.init()
        step(a)
        b.describe()
        look(b.link, t, 0)
        b.begin(t)
        if n < 6:
            step(a)
        b.put(t, 'b')
        if n < 6:
            step(a)
        b.end()
        step(a)
        b.describe()
    look(b.link, t)
    fetch(b.link, p.group(), None)


def fenced_ids(p):
    """InitProducerId with an epoch that is fenced, while the next instance has a transaction open."""
    if p.era < 3:
        return
    p.any_epochs()
    t = p.topic('t')
    a, b = [Producer(p, which, transactional_id=f'{p.name}-x') for which in 'ab']
    a.init()
    b.init()
    b.begin(t)
    b.put(t, 'b')
    a.init(producer_id=a.id, producer_epoch=a.epoch)
    b.describe()


# ---- records

def records_in_transactions(p):
    """Sequences, duplicates and kinds of batches inside one."""
    t = p.topic('t', partitions=2)
    a, c = Producer(p), p.link()
    a.init()
    u, v, w = p.topic('u'), p.topic('v'), p.topic('w')
    a.put(u, 'not begun', sequence=0)
    a.begin(v)
    a.put(v, 'gap first', sequence=5)
    a.begin(t)
    a.put(t, 'a')
    a.put(t, 'a', sequence=0)
    a.put(t, 'gap', sequence=3)
    a.put(t, 'back', sequence=-1)
    a.put(t, 'plain', attributes=0, sequence=1)
    a.put(t, 'without id', transactional_id=None, sequence=1)
    a.put(t, 'plain without id', attributes=0, transactional_id=None, sequence=2)
    a.put(t, 'another id', transactional_id=f'{p.name}-other', sequence=1)
    a.put(t, 'empty id', transactional_id='', sequence=1)
    a.put(t, 'other partition', partition=1, sequence=0)
    a.put(t, 'no partition', partition=2, sequence=0)
    a.put(t, 'nowhere', partition=-1, sequence=0)
    put(c, t, 'of nobody', transactional_id=a.tid)
    put(c, w, 'of nobody, said to be of one', transactional_id=a.tid, attributes=batches.TRANSACTIONAL)
    put(c, t, 'without id or producer', attributes=batches.TRANSACTIONAL)
    put(c, t, 'control', producer=(a.id, a.epoch), sequence=1, attributes=batches.TRANSACTIONAL | batches.CONTROL,
        transactional_id=a.tid)
    look(c, t)
    producers_of(c, (t, (0, 1, 2, -1)), ('no-such-topic', (0,)), ('', (0,)))
    a.sequences[t, 0] = 2
    a.end()
    look(c, t)
    a.put(t, 'after the end')
    look(c, t)
    a.describe()
    a.end(False)


def other_acks(p):
    """Transactional records with acks 1, 0 and more."""
    t = p.topic('t')
    a = Producer(p)
    a.init()
    a.begin(t)
    for acks in (1, 2, -2):
        a.put(t, f'acks {acks}', acks=acks)
    a.end()
    look(a.link, t)


def aborted_lists(p):
    """Interleaved transactions: who reads from where hears of which aborts."""
    t = p.topic('t')
    a, b, c = Producer(p, 'a'), Producer(p, 'b'), p.link()
    a.init()
    b.init()
    put(c, t, 'plain')
    a.begin(t)
    a.put(t, 'a1')
    b.begin(t)
    b.put(t, 'b1')
    put(c, t, 'plain')
    a.put(t, 'a2')
    look(c, t)
    b.end(False)
    look(c, t)
    b.begin(t)
    b.put(t, 'b2')
    look(c, t)
    a.end(False)
    look(c, t)
    a.begin(t)
    a.put(t, 'a3')
    b.end(True)
    a.end(True)
    end = list_offsets(c, t, -1) or 14
    for offset in range(end):
        read(c, t, offset, isolation_level=ISOLATED)
        read(c, t, offset, isolation_level=ISOLATED, partition_max_bytes=1)
        read(c, t, offset, isolation_level=ISOLATED, partition_max_bytes=200)
    for isolation in (0, 1):
        list_offsets(c, t, -2, -3, batches.T0, batches.T0 + 1, isolation_level=isolation)


def last_stable(p):
    """ListOffsets by time, and of what is not stable, below open transactions."""
    t = p.topic('t')
    a, c = Producer(p), p.link()
    put(c, t, 'x', time_ms=batches.T0 - 1000)
    a.init()
    a.begin(t)
    a.put(t, 'a', time_ms=batches.T0 + 1000)
    put(c, t, 'y', time_ms=batches.T0 + 2000)
    for isolation in (0, 1):
        list_offsets(c, t, -1, -2, -3, -4, -5, batches.T0 - 1000, batches.T0, batches.T0 + 1500, batches.T0 + 9000,
                     isolation_level=isolation)
    a.end(False)
    for isolation in (0, 1):
        list_offsets(c, t, -1, -2, -3, -4, -5, batches.T0 - 1000, batches.T0, batches.T0 + 1500,
                     isolation_level=isolation)


# ---- positions

def positions(p):
    """TxnOffsetCommit: seen only after the commit, and stable only outside."""
    t = p.topic('t')
    a, c, g = Producer(p), p.link(), p.group()

    def seen():
        named = [{'name': t, 'topic_id': p.ids[t], 'partition_indexes': [0]}]
        for stable in (False, True):
            values = {'require_stable': stable}
            if p.era >= 8:
                c.ask('OffsetFetch', groups=[{'group_id': g, 'topics': named}], **values)
            else:
                c.ask('OffsetFetch', group_id=g, topics=named, **values)
    a.init()
    a.commits(g, t, 1)
    seen()
    a.adds_offsets(g)
    a.commits(g, t, 2)
    seen()
    a.describe()
    a.end(False)
    seen()
    a.adds_offsets(g)
    a.adds_offsets(g)
    a.commits(g, t, 3)
    a.commits(g, t, 4)
    c.ask('DescribeGroups', groups=[g])
    a.end()
    seen()
    a.adds_offsets('')
    a.commits('', t, 5)
    a.commits(g, t, 5, partition=1)
    a.commits(g, 'no-such-topic', 5)
    a.commits(g, t, -1)
    a.commits(g, t, 6, generation_id=1, member_id='x')
    a.commits(g, t, 6, generation_id=-1, member_id='x')
    a.commits(g, t, 6, generation_id=3, member_id='')
    a.commits(g, t, 6, generation_id=-1, group_instance_id='i')
    rows = [{'partition_index': 0, 'committed_offset': 5, 'committed_metadata': text} for text in ('x' * 5000, None)]
    a.commits(g, t, 0, topics=[{'name': t, 'partitions': rows[:1]}])
    a.commits(g, t, 0, topics=[{'name': t, 'partitions': rows[1:]}])
    a.commits(g, t, 0, topics=[])
    a.end()
    seen()
    c.ask('DeleteGroups', group_names=[g])


def positions_of_members(p):
    """TxnOffsetCommit by who is a member, was one, or says so."""
    if p.era < 3:
        return
    t = p.topic('t')
    a, m = Producer(p), Member(p, 'm')
    m.join()
    a.init()
    a.adds_offsets(m.group)

    def every():
        for generation, member_id in ((m.generation, m.id), (m.generation + 1, m.id), (m.generation - 1, m.id),
                                      (m.generation, 'nobody'), (-1, ''), (-1, m.id), (m.generation, '')):
            a.commits(m.group, t, 5, generation_id=generation, member_id=member_id)
        a.commits(m.group, t, 5, generation_id=m.generation, member_id=m.id, group_instance_id='i')
    every()
    m.sync({m.id: b''})
    every()
    a.end()
    a.adds_offsets(m.group)
    m.leave()
    every()
    a.end(False)
    fetch(m.link, m.group, None)


# ---- lists

def listed(p):
    """ListTransactions: states, ids, durations, patterns."""
    if p.era > 5:
        return
    t = p.topic('t')
    a, b, c, d = [Producer(p, name) for name in 'abcd']
    for producer in (a, b, c, d):
        producer.init()
    for producer in (b, c, d):
        producer.adds((t, (0,)))
    c.end()
    d.end(False)
    looker = p.link()

    def ask(**filters):
        answer = looker.ask('ListTransactions', quiet=True, **filters)
        ours = [row for row in answer.get('transaction_states', []) if row['transactional_id'].startswith(p.name)]
        p.note(f'ListTransactions {p.transcript.with_names(dict(filters, producer_id_filters=0))}',
               dict(answer, transaction_states=ours))
    ask()
    for states in (['Ongoing'], ['ongoing'], ['Empty', 'CompleteCommit'], ['CompleteAbort', 'nonsense'], ['nonsense'],
                   [''], ['PrepareCommit', 'PrepareAbort', 'Dead', 'PrepareEpochFence'], ['Empty', 'Empty', 'x', 'y']):
        ask(state_filters=states)
    for ids in ([a.id], [a.id, b.id], [NOBODY], [-1], [a.id, NOBODY]):
        ask(producer_id_filters=ids)
        ask(producer_id_filters=ids, state_filters=['Ongoing'])
    if p.era >= 1:
        for ms in (-1, -2, 0, 3600000, 9223372036854775807):
            ask(duration_filter=ms)
    if p.era >= 2:
        for pattern in (None, '', '.*', f'{p.name}-[ab]', f'{p.name}', '(', '[', '*', f'.*-{p.era}-.*-[cd]$', 'nobody'):
            ask(transactional_id_pattern=pattern)
    looker.ask('DescribeTransactions', transactional_ids=[a.tid, b.tid, c.tid, d.tid, 'nobody', '', a.tid])
    looker.ask('DescribeTransactions', transactional_ids=[])


def topics_that_go(p):
    """A topic is deleted while a transaction is open in it."""
    t, u = p.topic('t'), p.topic('u')
    a = Producer(p)
    a.init()
    a.begin(t)
    a.put(t, 'a')
    a.begin(u)
    a.put(u, 'b')
    a.link.ask('DeleteTopics', version=3, topic_names=[t], timeout_ms=10000)
    a.end()
    a.describe()
    look(a.link, u)


SCRIPTS = [init_values, init_again, init_while_open, committed_and_aborted, empty_transactions, wrong_ids,
           partitions_added, added_in_batches, fenced, fenced_ids, records_in_transactions, other_acks, aborted_lists,
           last_stable, positions, positions_of_members, listed, topics_that_go]
