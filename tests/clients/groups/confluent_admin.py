#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Groups from the outside with confluent-kafka-python 1.7: it can list and describe, and commit as an outsider."""
import os
import sys

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from scenario import BOOTSTRAP, Suite, check, equal, expect_error, fresh_topic  # noqa: E402

COMMON = {'bootstrap.servers': BOOTSTRAP, 'broker.address.family': 'v4', 'client.id': 'confluent-admin'}
admin = AdminClient(COMMON)


def prepare():
    """A topic of 3 partitions with 10 records each, and the id of a group for it."""
    topic = fresh_topic('confluent-admin')
    for future in admin.create_topics([NewTopic(topic, 3, 1)]).values():
        future.result(30)
    producer = Producer(COMMON)
    for i in range(30):
        producer.produce(topic, f'record {i}'.encode(), partition=i % 3)
    equal('not flushed', producer.flush(20), 0)
    return topic, fresh_topic('confluent-admin-group')


def consumer(group):
    return Consumer({**COMMON, 'group.id': group, 'enable.auto.commit': False, 'auto.offset.reset': 'earliest',
                     'session.timeout.ms': 6000, 'heartbeat.interval.ms': 500, 'fetch.wait.max.ms': 100,
                     'topic.metadata.refresh.interval.ms': 500})


def join(topic, group, count):
    """A member that has read `count` records and committed; with the first offset of each partition."""
    c, first = consumer(group), {}
    c.subscribe([topic])
    while count > 0:
        message = c.poll(20)
        check(message is not None, f'{count} records did not come')
        if message.error() is None:
            first.setdefault(message.partition(), message.offset())
            count -= 1
    c.commit(asynchronous=False)
    return c, first


def offsets(topic, group):
    c = consumer(group)
    found = c.committed([TopicPartition(topic, p) for p in range(3)], timeout=20)
    c.close()
    return [p.offset for p in found]


def commit(topic, group, offset):
    c = consumer(group)
    try:
        c.commit(offsets=[TopicPartition(topic, 1, offset)], asynchronous=False)
    finally:
        c.close()


def described(group):
    return admin.list_groups(group, timeout=20)[0]


def admin_describe():
    topic, group = prepare()
    c, _ = join(topic, group, 30)
    check(group in [g.id for g in admin.list_groups(timeout=20)], 'the group is not listed')
    found = described(group)
    equal('group', (found.error, found.state, found.protocol_type, found.protocol),
          (None, 'Stable', 'consumer', 'range'))
    equal('members', [m.client_id for m in found.members], ['confluent-admin'])
    check(topic.encode() in found.members[0].metadata, 'the topic is not in the subscription')
    check(topic.encode() in found.members[0].assignment, 'the topic is not in the assignment')
    c.close()
    equal('state', described(group).state, 'Empty')


def admin_offsets():
    topic, group = prepare()
    c, _ = join(topic, group, 30)
    expect_error(['UNKNOWN_MEMBER_ID'], lambda: commit(topic, group, 7))
    c.close()
    equal('after', offsets(topic, group), [10, 10, 10])
    commit(topic, group, 7)
    equal('set', offsets(topic, group), [10, 7, 10])
    c, first = join(topic, group, 3)
    equal('read again', first, {1: 7})
    c.close()


def main():
    suite = Suite('confluent groups')
    for scenario in (admin_describe, admin_offsets):
        suite.run(scenario.__name__, scenario)
    suite.end()


if __name__ == '__main__':
    main()
