# SPDX-License-Identifier: Apache-2.0
"""txn_world.py - a transactional producer, as scripts move it: it remembers its id, its epoch and its sequences."""
from data_world import ISOLATED, list_offsets, put, read
from script import version_of

ENDED = ('CompleteCommit', 'CompleteAbort', 'Empty', 'Dead')


class Producer:
    def __init__(self, peer, name='p', timeout_ms=60000, transactional_id=None):
        self.peer, self.timeout_ms = peer, timeout_ms
        self.link = peer.link(name)
        self.looker = None
        self.tid = transactional_id or f'{peer.name}-{name}'
        self.id, self.epoch, self.sequences = -1, -1, {}

    @property
    def is_second_protocol(self):
        """Produce adds its partitions by itself, EndTxn moves the epoch (KIP-890)."""
        return self.peer.era >= 12

    def values(self, **changes):
        return dict(transactional_id=self.tid, producer_id=self.id, producer_epoch=self.epoch) | changes

    def take(self, answer):
        """The id and epoch that an answer gives."""
        if answer.get('error') == 0 and answer.get('producer_id', -1) != -1:
            if (answer['producer_id'], answer['producer_epoch']) != (self.id, self.epoch):
                self.sequences = {}
            self.id, self.epoch = answer['producer_id'], answer['producer_epoch']
        return answer

    def init(self, **changes):
        return self.take(self.link.ask_settled('InitProducerId', **dict(
            transactional_id=self.tid, transaction_timeout_ms=self.timeout_ms) | changes))

    def adds(self, *topics, **changes):
        """The request that adds partitions, in a version of clients."""
        rows = [{'name': name, 'partitions': list(indexes)} for name, indexes in topics]
        version = min(3, version_of('AddPartitionsToTxn', self.peer.era))
        return self.link.ask_settled('AddPartitionsToTxn', version=version, **self.values(topics=rows, **changes))

    def begin(self, topic, *indexes):
        """What a client does before its first records: in the second protocol, nothing."""
        if not self.is_second_protocol:
            self.adds((topic, indexes or (0,)))

    def put(self, topic, *values, partition=0, sequence=None, **changes):
        at = self.sequences.get((topic, partition), 0)
        fields = dict(producer=(self.id, self.epoch), attributes=0x10, transactional_id=self.tid,
                      sequence=at if sequence is None else sequence) | changes
        answer = put(self.link, topic, *values, partition=partition, **fields)
        if sequence is None:
            self.sequences[(topic, partition)] = at + len(values)
        return answer

    def end(self, committed=True, wait=True, **changes):
        answer = self.take(self.link.ask_settled('EndTxn', **self.values(committed=committed, **changes)))
        if wait:
            self.until_ended()
        return answer

    def state(self):
        if self.looker is None:
            self.looker = self.peer.link('waits')
        answer = self.looker.ask('DescribeTransactions', quiet=True, transactional_ids=[self.tid])
        return answer['transaction_states'][0]['transaction_state']

    def until_ended(self):
        """Its markers are where they belong: nothing is being prepared."""
        self.peer.until(f'{self.tid} ended', lambda: not self.state().startswith('Prepare'))

    def until_state(self, *states):
        self.peer.until(f'{self.tid} {states}', lambda: self.state() in states)

    def adds_offsets(self, group, **changes):
        return self.link.ask_settled('AddOffsetsToTxn', **self.values(group_id=group, **changes))

    def commits(self, group, topic, offset, partition=0, **changes):
        rows = [{'partition_index': partition, 'committed_offset': offset, 'committed_leader_epoch': 0,
                 'committed_metadata': 'm'}]
        return self.link.ask_settled('TxnOffsetCommit', **self.values(
            group_id=group, topics=[{'name': topic, 'partitions': rows}]) | changes)

    def describe(self):
        self.link.ask('DescribeTransactions', transactional_ids=[self.tid])


def look(link, topic, offset=0, partition=0):
    """What both kinds of readers see, and where things end for them."""
    for isolation in (0, ISOLATED):
        read(link, topic, offset, partition=partition, isolation_level=isolation)
        list_offsets(link, topic, -1, partition=partition, isolation_level=isolation)


def producers_of(link, *topics):
    link.ask('DescribeProducers', topics=[{'name': name, 'partition_indexes': list(indexes)}
                                          for name, indexes in topics])
