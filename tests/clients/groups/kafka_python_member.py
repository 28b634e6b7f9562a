#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A group member with kafka-python 2.0.2; tests/interop runs it with 3.0.12."""
from kafka import ConsumerRebalanceListener, KafkaConsumer, __version__
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata, TopicPartition

from member import SETTINGS, Owned, start, stopped, tell

ASSIGNORS = {'range': RangePartitionAssignor, 'roundrobin': RoundRobinPartitionAssignor}
IS_AUTO = SETTINGS['commit'] == 'auto'
POLL_MS = 100 if __version__ < '3' else 2000  # 3 forgets a rebalance that ends between two polls, and is thrown out


class Member(ConsumerRebalanceListener):
    def __init__(self):
        self.owned = Owned()
        self.pending = {}  # (topic, partition): next offset
        self.consumer = KafkaConsumer(
            bootstrap_servers=SETTINGS['bootstrap'], group_id=SETTINGS['group'], client_id=SETTINGS['name'],
            session_timeout_ms=SETTINGS['session_ms'], heartbeat_interval_ms=SETTINGS['heartbeat_ms'],
            auto_offset_reset='earliest', enable_auto_commit=IS_AUTO, auto_commit_interval_ms=200,
            partition_assignment_strategy=[ASSIGNORS[SETTINGS['assignor']]], metadata_max_age_ms=500,
            fetch_max_wait_ms=100, reconnect_backoff_max_ms=500, check_crcs=True)

    def run(self):
        start()
        self.consumer.subscribe(SETTINGS['topics'], listener=self)
        while not stopped.is_set():
            rows = [[r.topic, r.partition, r.offset, r.value.decode()] for r in self.poll()]
            if rows:
                tell('records', rows=rows)
                self.pending.update({(topic, partition): offset + 1 for topic, partition, offset, _ in rows})
                if not IS_AUTO:
                    self.commit()
        self.consumer.close(autocommit=IS_AUTO)
        self.owned.revoke(self.owned.partitions)
        tell('left')

    def poll(self):
        try:
            batches = self.consumer.poll(timeout_ms=POLL_MS, max_records=100).values()
            return [record for records in batches for record in records]
        except (KafkaError, OSError) as e:  # 3 throws if a broker that is away refuses the connection
            tell('notice', text=repr(e))
            stopped.wait(0.1)
            return []

    def commit(self):
        offsets = [[*tp, offset] for tp, offset in self.pending.items()]
        self.pending = {}
        try:
            self.consumer.commit({TopicPartition(t, p): OffsetAndMetadata(o, '') for t, p, o in offsets})
            tell('committed', offsets=offsets)
        except KafkaError as e:
            tell('refused', text=repr(e))

    def on_partitions_revoked(self, revoked):
        if self.pending and not IS_AUTO:
            self.commit()
        self.owned.revoke(revoked)

    def on_partitions_assigned(self, assigned):
        generation = self.consumer._coordinator.generation()  # it has no public name
        self.owned.assign(assigned, generation.generation_id if generation else None)


if __name__ == '__main__':
    Member().run()
