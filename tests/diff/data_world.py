# SPDX-License-Identifier: Apache-2.0
"""data_world.py - what scripts of records share: the questions about a topic of theirs, as each version puts them."""
import batches
from script import Records, version_of

LATEST, EARLIEST, GREATEST, EARLIEST_LOCAL, LATEST_TIERED, PENDING = -1, -2, -3, -4, -5, -6
ISOLATED = 1  # read committed


def topic_of(link, name):
    """Its name and its id: each version takes what it has."""
    return {'name': name, 'topic': name, 'topic_id': link.peer.ids.get(name, bytes(range(16)))}


def only(values, *names):
    return {name: values[name] for name in names}


def produce_values(link, topic, data, partition=0, acks=-1, transactional_id=None, timeout_ms=20000):
    return dict(transactional_id=transactional_id, acks=acks, timeout_ms=timeout_ms, topics=[
        dict(only(topic_of(link, topic), 'name', 'topic_id'), partitions=[{'index': partition, 'records': data}])])


def labelled(data, label):
    return data if data is None or isinstance(data, Records) else Records.of(data, label)


def produce(link, topic, data, label='', **more):
    """data is a batch; the label says which in the transcript."""
    return link.ask_settled('Produce', **produce_values(link, topic, labelled(data, label), **more))


def put(link, topic, *values, partition=0, acks=-1, transactional_id=None, **fields):
    """Records of these values, in one batch."""
    data = batches.of_values(*values, **fields)
    told = dict((k, v) for k, v in fields.items() if k != 'producer')
    if 'producer' in fields and 'producer_epoch' not in link.peer.transcript.nameless:
        told['epoch'] = fields['producer'][1]
    label = f'{",".join(values)} {told}'
    return produce(link, topic, data, label, partition=partition, acks=acks, transactional_id=transactional_id)


def fetch_values(link, topic, offset, partition=0, isolation_level=0, partition_max_bytes=1 << 20, session_id=0,
                 session_epoch=-1, **more):
    row = dict(partition=partition, fetch_offset=offset, partition_max_bytes=partition_max_bytes,
               **{name: more.pop(name) for name in ('current_leader_epoch', 'last_fetched_epoch', 'log_start_offset')
                  if name in more})
    return dict(max_wait_ms=0, min_bytes=0, isolation_level=isolation_level, session_id=session_id,
                session_epoch=session_epoch, topics=[
                    dict(only(topic_of(link, topic), 'topic', 'topic_id'), partitions=[row])]) | more


def read(link, topic, offset=0, **more):
    return link.ask('Fetch', **fetch_values(link, topic, offset, **more))


def list_offsets(link, topic, *timestamps, partition=0, isolation_level=0, **more):
    """One request for each timestamp."""
    for timestamp in timestamps:
        link.ask('ListOffsets', replica_id=-1, isolation_level=isolation_level, timeout_ms=10000, topics=[
            {'name': topic, 'partitions': [dict(partition_index=partition, timestamp=timestamp, **more)]}])


def named(link, api):
    """Whether this era's version of the API names topics, and does not give their ids."""
    return version_of(api, link.peer.era) < 13
