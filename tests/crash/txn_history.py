# SPDX-License-Identifier: Apache-2.0
"""txn_history.py - what transactional clients told and what a read_committed consumer saw, and whether both agree.

Every record says its transaction, its partition and its number in there, so that each kind of damage has a name:
LOST (committed, answered, not there), TORN (there in part), ABORTED READ, DOUBLED, and COPY: the second topic is not
what the first one is, record for record, or the group's offsets do not fit it.
"""
import bisect

INPUT, OUTPUT, GROUP = 'txn-in', 'txn-out', 'txn-copy'
PARTITIONS = 4


class Wrong(Exception):
    """The topics are not what was promised."""


def value_of(txn, partition, index):
    return f'{txn}/{partition}/{index}'


class History:
    def __init__(self):
        self.states = {}  # transaction: committing, committed or aborted
        self.counts = {}  # transaction: {partition: records}
        self.seen = {}    # (transaction, partition): records so far
        self.values = {(t, p): [] for t in (INPUT, OUTPUT) for p in range(PARTITIONS)}
        self.offsets = {key: [] for key in self.values}
        self.compared = [0] * PARTITIONS  # records of the second topic that were found to be those of the first

    def told(self, event):
        """Takes what a client told of itself."""
        if event['event'] in ('committing', 'committed', 'aborted'):
            self.states[event['txn']] = event['event']
        if event.get('counts'):
            self.counts[event['txn']] = {int(p): count for p, count in event['counts'].items()}

    def saw(self, topic, partition, offset, value):
        """Takes a record that read_committed delivered."""
        offsets, values = self.offsets[topic, partition], self.values[topic, partition]
        if offsets and offset <= offsets[-1]:
            raise Wrong(f'{topic}-{partition} goes back from offset {offsets[-1]} to {offset}')
        offsets.append(offset)
        values.append(value)
        if topic == OUTPUT:
            return
        txn, where, index = value.split('/')
        seen = self.seen.get((txn, partition), 0)
        if int(where) != partition or int(index) > seen:
            raise Wrong(f'LOST: {value} at {topic}-{partition}@{offset}, where record {seen} of it was due')
        if int(index) < seen:
            raise Wrong(f'DOUBLED: {value} once more at {topic}-{partition}@{offset}')
        if self.states.get(txn) == 'aborted':
            raise Wrong(f'ABORTED READ: {value} at {topic}-{partition}@{offset}')
        self.seen[txn, partition] = seen + 1

    def promised(self):
        """{(transaction, partition): records} of those whose commit was answered."""
        return {(txn, p): count for txn, counts in self.counts.items() if self.states[txn] == 'committed'
                for p, count in counts.items()}

    def missing(self, promised):
        return [f'{txn} in partition {p}: {self.seen.get((txn, p), 0)} of {count}'
                for (txn, p), count in promised.items() if self.seen.get((txn, p), 0) < count]

    def copied(self, partition):
        """How many records of a partition are in the second topic; they have to be the first ones of the first."""
        source, copy = self.values[INPUT, partition], self.values[OUTPUT, partition]
        for number in range(self.compared[partition], min(len(source), len(copy))):
            if copy[number] != source[number]:
                raise Wrong(f'COPY: record {number} of {OUTPUT}-{partition} is {copy[number]}, not {source[number]}')
            self.compared[partition] = number + 1
        return len(copy)

    def records_before(self, partition, offset):
        return bisect.bisect_left(self.offsets[INPUT, partition], offset)

    def judge(self):
        """At the end, when nothing is open and everything was read and copied."""
        missing = self.missing(self.promised())
        if missing:
            raise Wrong(f'LOST: {missing[:5]}')
        for txn, partition in self.seen:
            if self.states.get(txn) not in ('committing', 'committed'):
                raise Wrong(f'ABORTED READ: {txn} in partition {partition}, {self.states.get(txn)}')
        for txn, counts in self.counts.items():
            seen = {p: self.seen.get((txn, p), 0) for p in counts}
            if any(seen.values()) and seen != counts:
                raise Wrong(f'TORN: {txn} has {seen} of {counts}')
            if self.states[txn] == 'aborted' and any(seen.values()):
                raise Wrong(f'ABORTED READ: {txn} has {seen}')
        for p in range(PARTITIONS):
            if self.copied(p) != len(self.values[INPUT, p]):
                raise Wrong(f'COPY: {self.copied(p)} records of {len(self.values[INPUT, p])} in partition {p}')

    def summary(self):
        states = list(self.states.values())
        unknown = sum(state == 'committing' for state in states)
        records = sum(len(self.offsets[INPUT, p]) for p in range(PARTITIONS))
        return f'{states.count("committed")} transactions committed, {states.count("aborted")} aborted, {unknown} ' \
               f'unanswered: all or nothing, {records} records copied exactly once'
