#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Groups from the outside with the admin client of kafka-python 2.0.2 (old versions of every API)."""
import os
import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import GroupIdNotFoundError, NonEmptyGroupError, NoError
from kafka.structs import OffsetAndMetadata

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from scenario import BOOTSTRAP, Suite, check, equal, expect_error, fresh_topic  # noqa: E402

admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def prepare():
    """A topic of 3 partitions with 10 records each, and the id of a group for it."""
    topic = fresh_topic('kp-admin')
    admin.create_topics([NewTopic(topic, 3, 1)])
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, acks='all')
    for i in range(30):
        producer.send(topic, value=f'record {i}'.encode(), partition=i % 3)
    producer.flush(20)
    producer.close(5)
    return topic, fresh_topic('kp-admin-group')


def consumer(group, **config):
    return KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=group, enable_auto_commit=False, client_id='kp-admin',
                         auto_offset_reset='earliest', session_timeout_ms=6000, heartbeat_interval_ms=500,
                         consumer_timeout_ms=20000, **config)


def join(topic, group, count):
    """A member that has read `count` records and committed; with the first offset of each partition."""
    c, first = consumer(group), {}
    c.subscribe([topic])
    for message in c:
        first.setdefault(message.partition, message.offset)
        count -= 1
        if count == 0:
            break
    equal('records that did not come', count, 0)
    c.commit()
    return c, first


def offsets(topic, group):
    found = admin.list_consumer_group_offsets(group, partitions=[TopicPartition(topic, p) for p in range(3)])
    return [found[TopicPartition(topic, p)].offset for p in range(3)]


def commit(topic, group, offset):
    """As an outsider: a consumer that chose its partition itself."""
    c = consumer(group)
    c.assign([TopicPartition(topic, 1)])
    try:
        c.commit({TopicPartition(topic, 1): OffsetAndMetadata(offset, 'by hand')})
    finally:
        c.close()


def described(group):
    return admin.describe_consumer_groups([group])[0]


def admin_describe():
    topic, group = prepare()
    c, _ = join(topic, group, 30)
    check((group, 'consumer') in admin.list_consumer_groups(), 'the group is not listed')
    found = described(group)
    equal('group', (found.error_code, found.group, found.state, found.protocol_type, found.protocol),
          (0, group, 'Stable', 'consumer', 'range'))
    equal('members', [m.client_id for m in found.members], ['kp-admin'])
    equal('assignment', found.members[0].member_assignment.assignment, [(topic, [0, 1, 2])])
    equal('subscription', found.members[0].member_metadata.subscription, [topic])
    c.close()
    equal('state', described(group).state, 'Empty')
    equal('state of no group', described(fresh_topic('nobody')).state, 'Dead')


def admin_offsets():
    topic, group = prepare()
    c, _ = join(topic, group, 30)
    expect_error(['UnknownMemberId', 'CommitFailed'], lambda: commit(topic, group, 7))
    c.close()
    equal('after', offsets(topic, group), [10, 10, 10])
    commit(topic, group, 7)
    equal('set', offsets(topic, group), [10, 7, 10])
    equal('metadata', admin.list_consumer_group_offsets(group)[TopicPartition(topic, 1)].metadata, 'by hand')
    c, first = join(topic, group, 3)
    equal('read again', first, {1: 7})
    c.close()


def admin_delete():
    topic, group = prepare()
    c, _ = join(topic, group, 30)
    equal('with a member', admin.delete_consumer_groups([group]), [(group, NonEmptyGroupError)])
    c.close()
    equal('empty', admin.delete_consumer_groups([group]), [(group, NoError)])
    equal('again', admin.delete_consumer_groups([group]), [(group, GroupIdNotFoundError)])
    equal('offsets', offsets(topic, group), [-1, -1, -1])
    check((group, 'consumer') not in admin.list_consumer_groups(), 'the group is still listed')


def main():
    suite = Suite('kafka-python groups')
    for scenario in (admin_describe, admin_offsets, admin_delete):
        suite.run(scenario.__name__, scenario)
    suite.end()


if __name__ == '__main__':
    main()
