# SPDX-License-Identifier: Apache-2.0
"""reads.py - scripts of Fetch, its sessions, ListOffsets, DeleteRecords, OffsetForLeaderEpoch and Metadata."""
import batches
from batches import T0
from data_world import fetch_values, list_offsets, produce, put, read, topic_of
from produces import golden

APIS = ['Fetch', 'ListOffsets', 'Metadata', 'DeleteRecords', 'OffsetForLeaderEpoch']
UNKNOWN_ID = bytes(range(16))
FAR = 9223372036854775807


def filled(p, what='t', **configs):
    """A topic of two partitions: batches of 1, 3 and 2 records, an hour apart, in the first."""
    t = p.topic(what, partitions=2, **configs)
    c = p.link('filler')
    for n, count in enumerate((1, 3, 2)):
        produce(c, t, batches.of_values(*[f'{n}-{i}' for i in range(count)], time_ms=T0 + 3600000 * n), f'{n}')
    return t


# ---- Fetch

def offsets(p):
    t = filled(p)
    c = p.link()
    for offset in (0, 1, 2, 3, 5, 6, 7, 100, -1, -2, FAR, -9223372036854775808):
        read(c, t, offset)
        read(c, t, offset, isolation_level=1)
    for partition in (1, 2, -1, 2147483647):
        read(c, t, 0, partition=partition)
    for name in ('no-such-topic', '', 'bad name'):
        read(c, name, 0)
    for isolation in (2, -1, 127):
        read(c, t, 0, isolation_level=isolation)


def limits(p):
    """max_bytes, partition_max_bytes, min_bytes: at least one batch comes."""
    t = filled(p)
    c = p.link()
    for size in (0, 1, 69, 70, 75, 100, 200, 250, 2147483647, -1, -2147483648):
        read(c, t, 0, partition_max_bytes=size)
        read(c, t, 2, partition_max_bytes=size)
        read(c, t, 0, max_bytes=size)
    for least in (0, 1, 100, 10000, -1, 2147483647):
        read(c, t, 0, min_bytes=least, max_wait_ms=30)
        read(c, t, 6, min_bytes=least, max_wait_ms=30)
    for wait in (-1, -2147483648):
        read(c, t, 0, max_wait_ms=wait)
        read(c, t, 6, max_wait_ms=wait)
        read(c, t, 6, max_wait_ms=wait, min_bytes=1)


def several(p):
    """Several partitions, the same one twice, some that are not there."""
    t, u = filled(p), filled(p, 'u')
    c = p.link()

    def ask(*rows, **more):
        topics = [dict(topic_of(c, name), partitions=[
            {'partition': index, 'fetch_offset': offset, 'partition_max_bytes': 1000} for index, offset in parts])
            for name, parts in rows]
        for topic in topics:
            topic.pop('name')
        c.ask('Fetch', **fetch_values(c, t, 0) | dict(topics=topics) | more)
    ask((t, ((0, 0), (1, 0))), (u, ((1, 0), (0, 4))))
    ask((t, ((0, 0), (5, 0), (0, 4))))
    ask((t, ((0, 0),)), ('no-such-topic', ((0, 0), (1, 0))), (u, ((0, 99),)))
    ask((t, ((0, 0),)), (t, ((1, 0),)))
    ask((t, ()))
    ask()
    ask((t, ((0, 0),)), (u, ((0, 0),)), max_bytes=1)
    ask((t, ((0, 99),)), (u, ((0, 0),)), max_bytes=1, min_bytes=100000, max_wait_ms=60000)


def epochs(p):
    """current_leader_epoch and last_fetched_epoch."""
    t = filled(p)
    c = p.link()
    for epoch in (-1, 0, 1, 5, -2, 2147483647):
        read(c, t, 0, current_leader_epoch=epoch)
        read(c, t, 99, current_leader_epoch=epoch)
        read(c, t, 0, partition=9, current_leader_epoch=epoch)
        read(c, t, 2, last_fetched_epoch=epoch)
        read(c, t, 99, last_fetched_epoch=epoch)


def compressed(p):
    t = p.topic('t')
    c = p.link()
    for codec in ('gzip', 'snappy', 'lz4', 'zstd'):
        c.ask('Produce', version=9, acks=-1, timeout_ms=10000, topics=[{'name': t, 'partitions': [
            {'index': 0, 'records': golden(codec)}]}])
    for offset in range(0, 13):
        read(c, t, offset)


def sessions(p):
    """KIP-227: what is new, what is forgotten, numbers that do not fit."""
    if p.era < 7:
        return
    t, u = filled(p), filled(p, 'u')
    c = p.link()

    def ask(session, epoch, *rows, forget=()):
        topics = [dict(topic=name, topic_id=p.ids.get(name, UNKNOWN_ID), partitions=[
            {'partition': index, 'fetch_offset': offset, 'partition_max_bytes': 1000} for index, offset in parts])
            for name, parts in rows]
        gone = [dict(topic=name, topic_id=p.ids.get(name, UNKNOWN_ID), partitions=list(indexes))
                for name, indexes in forget]
        return c.ask('Fetch', max_wait_ms=0, min_bytes=0, session_id=session, session_epoch=epoch, topics=topics,
                     forgotten_topics=gone)
    made = ask(0, 0, (t, ((0, 0), (1, 0))), (u, ((0, 6),)))['session_id']
    ask(made, 1)
    ask(made, 2, (t, ((0, 6),)))
    ask(made, 3)
    put(c, u, 'new')
    ask(made, 4)
    ask(made, 5, (u, ((0, 7),)))
    ask(made, 6, forget=((u, (0,)), (t, (1, 7))))
    put(c, u, 'newer')
    ask(made, 7)
    ask(made, 8, (u, ((0, 7), (1, 0), (9, 0))), (t, ((0, 99),)))
    ask(made, 9)
    ask(made, 9)
    ask(made, 11)
    ask(made, 10, ('no-such-topic', ((0, 0),)))
    ask(made, 11, forget=(('no-such-topic', (0,)),))
    ask(made, 12, (t, ((0, 0),)), forget=((t, (0,)),))
    ask(made, 13)
    ask(made, -1, (t, ((0, 0),)))
    ask(made, 14)
    ask(0, 5)
    ask(0, -1)
    ask(12345, 1)
    ask(12345, -1, (t, ((0, 0),)))
    again = ask(0, 0, (t, ((0, 0),)))['session_id']
    ask(again, 0, (t, ((0, 3),)))
    ask(again, 1)
    ask(again, 2147483647)
    ask(0, 0)


def as_replica(p):
    """A consumer's Fetch says replica -1; other numbers."""
    t = filled(p)
    c = p.link()
    for replica in (-1, -2, -3):
        read(c, t, 0, replica_id=replica, replica_state={'replica_id': replica, 'replica_epoch': -1})
    read(c, t, 0, rack_id='some-rack', cluster_id='another-cluster')


# ---- ListOffsets

def by_time(p):
    t = filled(p)
    c = p.link()
    some = (-1, -2, -3, -4, -5, -6, -7, -8, -100, 0, 1, T0 - 1, T0, T0 + 1, T0 + 3600000, T0 + 3600001, T0 + 7200000,
            T0 + 7200001, FAR, -9223372036854775808)
    for isolation in (0, 1):
        list_offsets(c, t, *some, isolation_level=isolation)
    list_offsets(c, t, *some, partition=1)
    for partition in (2, -1):
        list_offsets(c, t, -1, -2, T0, partition=partition)
    for name in ('no-such-topic', '', 'bad name'):
        list_offsets(c, name, -1, T0)
    for epoch in (-1, 0, 1, -2, 2147483647):
        list_offsets(c, t, -1, -2, -3, T0, 0, FAR, current_leader_epoch=epoch)
    for isolation in (2, -1, 127):
        list_offsets(c, t, -1, isolation_level=isolation)
    rows = [{'partition_index': i, 'timestamp': ms} for i, ms in ((0, -1), (0, -2), (1, -1), (7, -1))]
    for topics in ([], [{'name': t, 'partitions': []}], [{'name': t, 'partitions': rows}],
                   [{'name': t, 'partitions': rows[:1]}, {'name': t, 'partitions': rows[1:2]}],
                   [{'name': t, 'partitions': rows[2:]}, {'name': 'none', 'partitions': rows[:1]}]):
        c.ask('ListOffsets', replica_id=-1, timeout_ms=1000, topics=topics)
    for replica in (-1, -2, -3):
        c.ask('ListOffsets', replica_id=replica, timeout_ms=1000, topics=[{'name': t, 'partitions': rows[:1]}])
    for timeout in (0, -1, 2147483647):
        c.ask('ListOffsets', replica_id=-1, timeout_ms=timeout, topics=[{'name': t, 'partitions': rows[:1]}])


def times_out_of_order(p):
    """Records whose times go back and forth: the first that is as late counts, and the latest of all."""
    t = p.topic('t')
    c = p.link()
    for ms in (T0 + 5000, T0, T0 + 9000, T0 + 3000, T0 + 9000, -1):
        put(c, t, f'{ms}', time_ms=ms)
    list_offsets(c, t, -3, 0, T0, T0 + 1, T0 + 3000, T0 + 5000, T0 + 5001, T0 + 9000, T0 + 9001)


# ---- DeleteRecords, OffsetForLeaderEpoch

def deleted_records(p):
    t = filled(p)
    compacted = filled(p, 'compacted', cleanup_policy='delete')
    c = p.link()

    def ask(offset, partition=0, name=t, timeout=10000):
        c.ask('DeleteRecords', timeout_ms=timeout, topics=[
            {'name': name, 'partitions': [{'partition_index': partition, 'offset': offset}]}])
    for offset in (0, -2, 7, FAR, -9223372036854775808, 2, 1, 2, 3):
        ask(offset)
        list_offsets(c, t, -2, -4, T0, T0 + 3600000)
    for offset in (0, 1, 2, 3):
        read(c, t, offset)
        put(c, t, f'{offset}')
    ask(-1)
    ask(-1)
    list_offsets(c, t, -1, -2, -3, T0)
    read(c, t, 10)
    read(c, t, 0)
    for partition in (1, 2, -1):
        ask(0, partition)
        ask(-1, partition)
    for name in ('no-such-topic', '', 'bad name'):
        ask(0, name=name)
    for timeout in (0, -1):
        ask(1, name=compacted, timeout=timeout)
    for topics in ([], [{'name': t, 'partitions': []}], [{'name': t, 'partitions': [
            {'partition_index': 0, 'offset': 4}, {'partition_index': 0, 'offset': 5}]}]):
        c.ask('DeleteRecords', timeout_ms=1000, topics=topics)


def deleted_and_compacted(p):
    """A topic that is only compacted keeps what it has."""
    if p.era > 2:
        return
    t = p.topic('t', cleanup_policy='compact')
    c = p.link()
    put(c, t, 'a', 'b', keys=['k', 'l'])
    for offset in (0, 1, -1, 9):
        c.ask('DeleteRecords', timeout_ms=1000, topics=[
            {'name': t, 'partitions': [{'partition_index': 0, 'offset': offset}]}])


def ends_of_epochs(p):
    if p.era > 4:
        return
    t = filled(p)
    c = p.link()

    def ask(leader_epoch, current=-1, partition=0, name=t, replica=-1):
        c.ask('OffsetForLeaderEpoch', replica_id=replica, topics=[{'topic': name, 'partitions': [
            {'partition': partition, 'current_leader_epoch': current, 'leader_epoch': leader_epoch}]}])
    for epoch in (-1, 0, 1, 7, -2, 2147483647, -2147483648):
        ask(epoch)
        ask(0, current=epoch)
        ask(epoch, partition=1)
    ask(0, partition=9)
    ask(0, partition=-1)
    for name in ('no-such-topic', '', 'bad name'):
        ask(0, name=name)
    for replica in (-2, -3):
        ask(0, replica=replica)
    c.ask('OffsetForLeaderEpoch', replica_id=-1, topics=[])
    c.ask('OffsetForLeaderEpoch', replica_id=-1, topics=[{'topic': t, 'partitions': []}])


# ---- Metadata

def metadata(p):
    t, u = p.topic('t'), p.topic('u', partitions=3)
    c = p.link()

    def ask(*topics, **more):
        c.ask('Metadata', **dict(topics=list(topics), allow_auto_topic_creation=False) | more)
    names = [{'name': name} for name in (t, u)]
    ask(*names)
    ask(names[0], names[0])
    for name in ('no-such-topic', '', '.', '..', 'bad name', 'x' * 249, 'x' * 250, '__consumer_offsets'):
        if name != '__consumer_offsets':
            ask({'name': name})
    ask(names[1], {'name': 'no-such-topic'}, names[0])
    if p.era > 0:
        ask()
    if p.era >= 8:
        ask(*names, include_topic_authorized_operations=True, include_cluster_authorized_operations=True)
        ask({'name': 'no-such-topic'}, include_topic_authorized_operations=True)
    if p.era >= 12:
        for topic_id in (p.ids[t], UNKNOWN_ID):
            ask({'name': None, 'topic_id': topic_id})
        ask({'name': None, 'topic_id': p.ids[t]}, {'name': None, 'topic_id': p.ids[u]})
    if p.era >= 10:
        ask({'name': t, 'topic_id': p.ids[u]})
        ask({'name': u, 'topic_id': UNKNOWN_ID})
        ask({'name': None, 'topic_id': bytes(16)})
    answer = c.ask('Metadata', quiet=True, topics=None if p.era else [], allow_auto_topic_creation=False)
    ours = [row for row in answer['topics'] if (row['name'] or '').startswith(p.name + '-')]
    p.note('Metadata of all', dict(answer, topics=ours))


def not_created(p):
    """auto.create.topics.enable=false: a client that may create topics creates none."""
    c = p.link()
    name = f'{p.name}-none'
    for _ in range(2):
        c.ask('Metadata', topics=[{'name': name}], allow_auto_topic_creation=True)
    c.ask('Metadata', version=12, topics=[{'name': name}], allow_auto_topic_creation=False)


SCRIPTS = [offsets, limits, several, epochs, compressed, sessions, as_replica, by_time, times_out_of_order,
           deleted_records, deleted_and_compacted, ends_of_epochs, metadata, not_created]
