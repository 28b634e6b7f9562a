# SPDX-License-Identifier: Apache-2.0
"""generated.py - scripts by chance: sequences of requests with values in and at the bounds, over a small state (two
topics, two transactional producers, an idempotent one, two groups). The same seed makes the same scripts; both brokers
are asked the same, since what is asked depends on chance and on answers that have to be the same anyway.

Left out is what depends on time, and what docs/kafka-differences.md names.
"""
import random

from batches import T0
from data_world import list_offsets, put, read
from group_world import Member
from txn_world import Producer

APIS = ['Produce', 'Fetch', 'ListOffsets', 'InitProducerId', 'EndTxn', 'OffsetCommit', 'OffsetFetch']
ERAS = (3, 6, 8, 9, 11, 12, 13)
COUNT, LENGTH = 12, 60
BOUNDS = (0, 1, -1, 2, 5, 2147483647, -2147483648)
FAR = 9223372036854775807


class World:
    seed = 1  # run.py --seed

    def __init__(self, p, number):
        self.p = p
        self.chance = random.Random(f'{World.seed}-{number}-{p.era}')
        p.any_epochs()
        self.link = p.link()
        self.plain, self.ended = p.topic('plain', partitions=2), p.topic('ended', partitions=2)
        self.producers = [Producer(p, name) for name in 'ab']
        self.single = Producer(p, 'single')
        self.member = None
        for producer in self.producers:
            producer.init()
        self.single.init(transactional_id=None)

    # ---- records

    def some_partition(self):
        return self.chance.choice((0, 0, 0, 1, 1, 2, -1))

    def plain_put(self):
        values = [f'{self.chance.randrange(1000)}' for _ in range(self.chance.randint(1, 4))]
        put(self.link, self.plain, *values, partition=self.some_partition(), acks=self.chance.choice((-1, 1, -1, 2)),
            time_ms=T0 + self.chance.randrange(10) * 1000)

    def single_put(self):
        """The next batch, the last one again, one that leaves a gap, one of another epoch."""
        producer, partition = self.single, self.chance.randrange(2)
        at = producer.sequences.get((self.plain, partition), 0)
        sequence = at + self.chance.choice((0, 0, 0, 0, -1, 1, 7))
        if at == 0 or sequence < 0:
            sequence = at
        epoch = producer.epoch + self.chance.choice((0, 0, 0, 0, 0, -1))
        answer = put(self.link, self.plain, f'{sequence}', partition=partition, producer=(producer.id, max(epoch, 0)),
                     sequence=sequence)
        if self.error_of(answer) == 0 and sequence == at:
            producer.sequences[(self.plain, partition)] = at + 1

    @staticmethod
    def error_of(answer):
        return answer['topics'][0]['partitions'][0]['error']

    def read(self):
        topic = self.chance.choice((self.plain, self.ended))
        read(self.link, topic, self.chance.choice((0, 0, 1, 2, 3, 5, 8, 13, 1000, -1, FAR)),
             partition=self.some_partition(), isolation_level=self.chance.randrange(2),
             partition_max_bytes=self.chance.choice((1 << 20, 1 << 20, 1, 100, 0)),
             current_leader_epoch=self.chance.choice((-1, -1, -1, 0, 1)))

    def list(self):
        """By name everywhere; by time only where there are no markers."""
        topic = self.chance.choice((self.plain, self.ended))
        names = (-1, -2, -4, -5)
        times = (T0, T0 + 1, T0 + 3000, T0 + 8999, T0 + 10000, 0, FAR) if topic == self.plain else ()
        list_offsets(self.link, topic, self.chance.choice(names + times), partition=self.some_partition(),
                     isolation_level=self.chance.randrange(2), current_leader_epoch=self.chance.choice((-1, -1, 0, 1)))

    def delete_records(self):
        self.link.ask('DeleteRecords', timeout_ms=10000, topics=[{'name': self.plain, 'partitions': [
            {'partition_index': self.some_partition(), 'offset': self.chance.choice((0, 1, 2, 3, 1000, -1, -2))}]}])

    def epoch_end(self):
        self.link.ask('OffsetForLeaderEpoch', replica_id=-1, topics=[{'topic': self.chance.choice(
            (self.plain, self.ended, 'none')), 'partitions': [
                {'partition': self.some_partition(), 'current_leader_epoch': self.chance.choice((-1, 0, 1)),
                 'leader_epoch': self.chance.choice(BOUNDS)}]}])

    def metadata(self):
        name = self.chance.choice((self.plain, self.ended, 'no-such-topic', '', 'bad name'))
        self.link.ask('Metadata', topics=[{'name': name}], allow_auto_topic_creation=False)

    # ---- transactions

    def some_producer(self):
        return self.chance.choice(self.producers)

    def begin(self):
        self.some_producer().adds((self.ended, self.chance.choice(((0,), (1,), (0, 1), (0, 2), ()))))

    def txn_put(self):
        producer, partition = self.some_producer(), self.chance.randrange(2)
        at = producer.sequences.get((self.ended, partition), 0)
        values = [f'{self.chance.randrange(1000)}' for _ in range(self.chance.randint(1, 3))]
        answer = producer.put(self.ended, *values, partition=partition, sequence=at)
        if self.error_of(answer) == 0:
            producer.sequences[(self.ended, partition)] = at + len(values)

    def end(self):
        self.some_producer().end(self.chance.random() < 0.5)

    def init(self):
        self.some_producer().init()

    def txn_offsets(self):
        producer = self.some_producer()
        group = self.p.group(f'ended-{producer.tid[-1]}')
        if self.chance.random() < 0.5:
            producer.adds_offsets(group)
        producer.commits(group, self.plain, self.chance.randrange(100), partition=self.chance.randrange(2))

    # ---- positions and groups

    def commit(self):
        rows = [{'partition_index': self.some_partition(), 'committed_offset': self.chance.choice((0, 1, 77, -1, FAR)),
                 'committed_leader_epoch': 0, 'committed_metadata': self.chance.choice(('', 'm', None))}]
        member = self.member
        if member is not None and self.chance.random() < 0.2:  # to no other group: Kafka makes it then
            rows[0]['committed_metadata'] = 'x' * 4097
        who = self.chance.choice(((-1, ''), (-1, ''), (0, ''), (1, 'x'))) if member is None else self.chance.choice(
            ((member.generation, member.id), (member.generation + 1, member.id), (-1, ''), (member.generation, 'x')))
        self.link.ask('OffsetCommit', group_id=self.p.group(), generation_id_or_member_epoch=who[0], member_id=who[1],
                      topics=[{'name': self.plain, 'topic_id': self.p.ids[self.plain], 'partitions': rows}])

    def fetch_positions(self):
        group = self.p.group(self.chance.choice(('g', 'ended-a', 'ended-b', 'none')))
        topics = [{'name': self.plain, 'topic_id': self.p.ids[self.plain], 'partition_indexes': [0, 1, 2]}]
        more = {'require_stable': self.chance.random() < 0.5}
        if self.p.era >= 8:
            self.link.ask('OffsetFetch', groups=[{'group_id': group, 'topics': topics}], **more)
        else:
            self.link.ask('OffsetFetch', group_id=group, topics=topics, **more)

    def member_moves(self):
        if self.member is None:
            self.member = Member(self.p, 'm')
            self.member.join()
            self.member.sync({self.member.id: b'1'})
        elif self.chance.random() < 0.6:
            self.member.heartbeat(generation=self.member.generation + self.chance.choice((0, 0, 1, -1)))
        else:
            self.member.leave()
            self.member = None

    def groups_told(self):
        self.link.ask('DescribeGroups', groups=[self.p.group(), self.p.group('none')])

    def groups_deleted(self):
        self.link.ask('DeleteGroups', group_names=[self.p.group(self.chance.choice(('g', 'none')))])

    def positions_deleted(self):
        self.link.ask('OffsetDelete', group_id=self.p.group(), topics=[{'name': self.plain, 'partitions': [
            {'partition_index': self.some_partition()}]}])


# How often each comes.
STEPS = {World.plain_put: 6, World.single_put: 6, World.read: 12, World.list: 6, World.delete_records: 2,
         World.epoch_end: 1, World.metadata: 1, World.begin: 5, World.txn_put: 10, World.end: 5, World.init: 2,
         World.txn_offsets: 3, World.commit: 4, World.fetch_positions: 4, World.member_moves: 3, World.groups_told: 2,
         World.groups_deleted: 1, World.positions_deleted: 1}


def script(number):
    def generated(p):
        world = World(p, number)
        for step in world.chance.choices(list(STEPS), list(STEPS.values()), k=LENGTH):
            step(world)
    generated.__name__ = f'generated_{number}'
    return generated


SCRIPTS = [script(number) for number in range(1, COUNT + 1)]
