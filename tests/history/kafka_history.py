# SPDX-License-Identifier: Apache-2.0
"""kafka_history.py - is a history of transactional clients one that Kafka may give? The errors have the names that
Jepsen's Kafka workload gave them.

A history is a list of Op, in the order of their beginnings. Values are unique. What is an error:

  inconsistent-offsets    one offset had two values
  duplicate               one value is at two offsets
  G1a                     somebody read what was aborted
  precommitted-read       somebody read a transaction's value before it asked for its commit
  lost-write              a committed value that nobody read, below one of its partition that somebody read
  unseen                  a committed value that nobody read, at the end
  poll-skip               a process went past a value of a partition from one of its transactions to the next
  int-poll-skip           ... inside one transaction
  nonmonotonic-poll       a process came back to an earlier value, without a rebalance
  int-nonmonotonic-poll   ... inside one transaction
  nonmonotonic-send       a process sent a value that lies before an earlier one of the same partition
  int-nonmonotonic-send   ... inside one transaction
  G1c                     transactions read in a circle what the others wrote

And what Kafka does not promise: G0 (two transactions write around each other in two partitions) and int-send-skip
(other values lie between those of one transaction).
"""
import collections

ALLOWED = ('G0', 'int-send-skip')
EXAMPLES = 5


class Op:
    """One transaction. kind: ok (committed), fail (aborted), info (nobody knows).

    sends: [(partition, value, offset or None)]; polls: [(at, [(partition, offset, value)], has_moved)], has_moved: the
    process was assigned anew, or sought, before this poll. committing: when it asked for its commit; None = never.
    """

    def __init__(self, name, process, kind, sends=(), polls=(), committing=None):
        self.name, self.process, self.kind = name, process, kind
        self.sends, self.polls, self.committing = list(sends), list(polls), committing

    def __repr__(self):
        return self.name


class Partition:
    """Its values in the order of their offsets: those that somebody read, and those that were committed."""

    def __init__(self):
        self.at = collections.defaultdict(set)  # offset: values
        self.read = set()
        self.values, self.index = [], {}

    def settle(self, is_there):
        for offset in sorted(self.at):
            for value in sorted(self.at[offset]):
                if is_there(value) and value not in self.index:
                    self.index[value] = len(self.values)
                    self.values.append(value)


class Analysis:
    def __init__(self, ops):
        self.ops = ops
        self.errors = collections.defaultdict(list)
        self.writers = {value: op for op in ops for _, value, _ in op.sends}
        self.partitions = collections.defaultdict(Partition)
        self.offsets = collections.defaultdict(set)  # value: (partition, offset)
        self.collect()
        self.check_offsets()
        self.check_reads()
        self.check_written()
        self.check_polls()
        self.check_sends()
        self.check_cycles()

    def found(self, kind, text):
        self.errors[kind].append(text)

    def collect(self):
        for op in self.ops:
            for partition, value, offset in op.sends:
                if offset is not None:
                    self.partitions[partition].at[offset].add(value)
                    self.offsets[value].add((partition, offset))
            for _, rows, _ in op.polls:
                for partition, offset, value in rows:
                    self.partitions[partition].at[offset].add(value)
                    self.partitions[partition].read.add(value)
                    self.offsets[value].add((partition, offset))
        for partition in self.partitions.values():
            partition.settle(lambda v, p=partition: v in p.read or (v in self.writers and self.writers[v].kind == 'ok'))

    def check_offsets(self):
        for number, partition in self.partitions.items():
            for offset, values in partition.at.items():
                if len(values) > 1:
                    self.found('inconsistent-offsets', f'partition {number} offset {offset}: {sorted(values)}')
        for value, places in self.offsets.items():
            if len(places) > 1:
                self.found('duplicate', f'{value} at {sorted(places)}')

    def check_reads(self):
        for op in self.ops:
            for at, rows, _ in op.polls:
                for partition, offset, value in rows:
                    writer = self.writers.get(value)
                    where = f'{op} read {value} of {writer} in partition {partition} at {offset}'
                    if writer is None or writer.kind == 'fail':
                        self.found('G1a', where)
                    elif writer is not op and (writer.committing is None or at < writer.committing):
                        self.found('precommitted-read', where)

    def check_written(self):
        for op in self.ops:
            for number, value, offset in op.sends:
                partition = self.partitions[number]
                if op.kind != 'ok' or value in partition.read:
                    continue
                highest = max((partition.index[v] for v in partition.read if v in partition.index), default=-1)
                is_below = value in partition.index and partition.index[value] < highest
                self.found('lost-write' if is_below else 'unseen', f'{value} of {op}, partition {number} at {offset}')

    def check_polls(self):
        last = {}  # (process, partition): (index, op)
        for op in self.ops:
            for _, rows, has_moved in op.polls:
                if has_moved:
                    last = {key: v for key, v in last.items() if key[0] != op.process}
                for number, _, value in rows:
                    index = self.partitions[number].index.get(value)
                    before, before_op = last.get((op.process, number), (None, None))
                    last[op.process, number] = index, op
                    if before is None or index is None or index == before + 1:
                        continue
                    inner = 'int-' if before_op is op else ''
                    kind = 'poll-skip' if index > before else 'nonmonotonic-poll'
                    values = self.partitions[number].values
                    self.found(inner + kind, f'{op}: partition {number}: {value} after {values[before]}')

    def check_sends(self):
        last = {}  # (process, partition): (offset, op)
        for op in self.ops:
            for number, value, offset in op.sends:
                if offset is None or op.kind == 'fail':
                    continue
                before, before_op = last.get((op.process, number), (None, None))
                last[op.process, number] = offset, op
                if before is None:
                    continue
                inner = 'int-' if before_op is op else ''
                where = f'{op}: partition {number}: {value} at {offset} after {before}'
                if offset <= before:
                    self.found(inner + 'nonmonotonic-send', where)
                elif inner and offset > before + 1:
                    self.found('int-send-skip', where)

    def check_cycles(self):
        reads, writes = collections.defaultdict(set), collections.defaultdict(set)
        for op in self.ops:
            for _, rows, _ in op.polls:
                for _, _, value in rows:
                    writer = self.writers.get(value)
                    if writer is not None and writer is not op and op.kind != 'fail':
                        reads[writer].add(op)
        for partition in self.partitions.values():
            chain = [self.writers[v] for v in partition.values if v in self.writers]
            for a, b in zip(chain, chain[1:]):
                if a is not b:
                    writes[a].add(b)
        for kind, edges in (('G1c', reads), ('G0', writes)):
            for circle in circles(self.ops, edges):
                self.found(kind, f'{len(circle)} transactions: {circle[:4]}')

    def wrong(self):
        """{error: examples} without what is allowed."""
        return {kind: rows[:EXAMPLES] for kind, rows in self.errors.items() if kind not in ALLOWED}


def circles(nodes, edges):
    """The strongly connected components of more than one node (Tarjan's algorithm, without recursion)."""
    number, low, stack, on_stack, result = {}, {}, [], set(), []
    for root in nodes:
        if root in number:
            continue
        work = [(root, iter(edges.get(root, ())))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            for after in rest:
                if after not in number:
                    number[after] = low[after] = len(number)
                    stack.append(after)
                    on_stack.add(after)
                    work.append((after, iter(edges.get(after, ()))))
                    break
                if after in on_stack:
                    low[node] = min(low[node], number[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    component = stack[stack.index(node):]
                    del stack[stack.index(node):]
                    on_stack.difference_update(component)
                    if len(component) > 1:
                        result.append(component)
    return result


class Recorder:
    """Makes ops of what workers tell (worker.py)."""

    def __init__(self):
        self.ops = []
        self.open = {}  # process: its op

    def told(self, process, event):
        kind = event['event']
        if kind == 'begin':
            self.ended(process)
            op = Op(f'{process}#{event["op"]}', process, 'fail')
            self.open[process] = op
            self.ops.append(op)
        op = self.open.get(process)
        if op is None:
            return
        if kind == 'send':
            op.sends.append((event['partition'], event['value'], None))
        elif kind == 'poll':
            op.polls.append((event['at'], [tuple(row) for row in event['rows']], event['moved']))
        elif kind == 'committing':
            op.committing, op.kind = event['at'], 'info'
        elif kind in ('ok', 'fail', 'info'):
            op.kind = kind
            offsets = event.get('offsets', {})
            op.sends = [(p, v, offsets.get(v)) for p, v, _ in op.sends]
            del self.open[process]

    def ended(self, process):
        """It has died: a transaction whose commit it did not ask for is never committed."""
        self.open.pop(process, None)

    def counts(self):
        kinds = collections.Counter(op.kind for op in self.ops)
        reads = sum(len(rows) for op in self.ops for _, rows, _ in op.polls)
        return f'{kinds["ok"]} transactions committed, {kinds["fail"]} aborted, {kinds["info"]} in doubt, ' \
               f'{sum(len(op.sends) for op in self.ops)} values sent, {reads} read'
