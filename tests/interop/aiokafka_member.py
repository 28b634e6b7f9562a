# SPDX-License-Identifier: Apache-2.0
"""A group member with aiokafka 0.14."""
import asyncio
import os
import sys

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'clients', 'groups'))
from member import SETTINGS, Owned, start, stopped, tell  # noqa: E402

ASSIGNORS = {'range': RangePartitionAssignor, 'roundrobin': RoundRobinPartitionAssignor}
IS_AUTO = SETTINGS['commit'] == 'auto'
POLL_RECORDS = 100


class Member(ConsumerRebalanceListener):
    def __init__(self):
        self.owned = Owned()
        self.pending = {}  # (topic, partition): next offset
        self.delivers = asyncio.Lock()  # held until what was taken is told and committed
        self.consumer = AIOKafkaConsumer(
            bootstrap_servers=SETTINGS['bootstrap'], group_id=SETTINGS['group'], client_id=SETTINGS['name'],
            group_instance_id=SETTINGS['instance'], session_timeout_ms=SETTINGS['session_ms'],
            heartbeat_interval_ms=SETTINGS['heartbeat_ms'], auto_offset_reset='earliest', enable_auto_commit=IS_AUTO,
            auto_commit_interval_ms=200, partition_assignment_strategy=(ASSIGNORS[SETTINGS['assignor']],),
            metadata_max_age_ms=500, fetch_max_wait_ms=100, rebalance_timeout_ms=SETTINGS['session_ms'])

    async def run(self):
        start()
        self.consumer.subscribe(SETTINGS['topics'], listener=self)
        await self.consumer.start()
        while not stopped.is_set():
            # Not with the lock: it waits for the end of a rebalance, however short the timeout is.
            batches = await self.consumer.getmany(timeout_ms=50, max_records=POLL_RECORDS)
            async with self.delivers:
                await self.deliver(batches)
        await self.consumer.stop()
        self.owned.revoke(self.owned.partitions)
        tell('left')

    async def deliver(self, batches):
        rows = [[r.topic, r.partition, r.offset, r.value.decode()] for batch in batches.values() for r in batch]
        if rows:
            tell('records', rows=rows)
            self.pending.update({(topic, partition): offset + 1 for topic, partition, offset, _ in rows})
            if not IS_AUTO:
                await self.commit()

    async def commit(self):
        offsets = [[*tp, offset] for tp, offset in self.pending.items()]
        self.pending = {}
        if not offsets:
            return
        try:
            await self.consumer.commit({TopicPartition(t, p): o for t, p, o in offsets})
            tell('committed', offsets=offsets)
        except KafkaError as e:
            tell('refused', text=repr(e))

    async def on_partitions_revoked(self, revoked):
        async with self.delivers:
            if not IS_AUTO:
                await self.commit()
            self.owned.revoke(revoked)

    async def on_partitions_assigned(self, assigned):
        self.owned.assign(assigned, self.consumer._coordinator.generation)  # it has no public name


async def main():  # a consumer can be made in a loop only
    await Member().run()


if __name__ == '__main__':
    asyncio.run(main())
