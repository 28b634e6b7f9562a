# SPDX-License-Identifier: Apache-2.0
"""checker.py - judges what the members of one consumer group did, whatever language they are written in.

It replays the events of a whole story in the order of their time stamps and collects violations:
  - each partition has one owner at a time, and only the owner delivers its records;
  - a session (a member owning a partition) delivers offset after offset, none skipped, none twice;
  - a new owner starts where delivery ended; it may repeat only after a failure, and never from before what was
    committed when it took over;
  - committed offsets, as an observer outside the group reads them, never go back;
  - generations never go back (of one member, in a group that changes its protocol);
  - at the end every produced record was delivered, and everything is committed.
Values are "topic/partition/sequence" and the sequence equals the offset, so what was delivered is known to be right.
A failure is a member killed or frozen, partitions lost, a commit refused, or a broker killed: what was delivered and
not yet committed then may come once more.
"""

VIOLATIONS_MAX = 20  # enough to see what went wrong


def before_revocations(events):
    """The same events, with what a member delivered of a partition after its revocation put just before that."""
    revocations = {}  # (member, partition): where it was revoked
    trailing = {}  # where: rows that belong before it
    for where, (_at, member, event) in enumerate(events):
        for topic, number in event.get('partitions', ()):
            if event['event'] == 'revoked':
                revocations[member, topic, number] = where
            else:
                revocations.pop((member, topic, number), None)
        if event['event'] == 'records':
            for row in event['rows']:
                trailing.setdefault(revocations.get((member, row[0], row[1]), where), []).append(row)
    for where, (at, member, event) in enumerate(events):
        if where in trailing:
            yield at, member, {'event': 'records', 'rows': trailing[where]}
        if event['event'] != 'records':
            yield at, member, event


def losses(events, is_late):
    """The assignments that ended before the member told so: {(id of the event, topic, partition)}."""
    assigned, found = {}, set()
    for _at, member, event in events:
        for topic, number in event.get('partitions', ()):
            if event['event'] == 'assigned':
                assigned[member, topic, number] = event
            elif (event.get('lost') or is_late) and (member, topic, number) in assigned:
                found.add((id(assigned[member, topic, number]), topic, number))
    return found


class Session:
    """One member owning one partition, from its assignment to its revocation. One that is lost ended before the
    member noticed: others may own the partition by then."""

    def __init__(self, member, generation, is_lost, committed):
        self.member, self.generation, self.is_lost = member, generation, is_lost
        self.committed = committed  # by then, for all we know
        self.first = self.next = None  # offsets: the first delivered, and the one that must come next


class Partition:
    def __init__(self):
        self.session = None
        self.zombies = {}  # member: the session that it does not know to be over
        self.frontier = 0  # every offset below was delivered
        self.generation = None  # in which the last of them was
        self.committed = -1  # the highest that the observer saw
        self.committed_at_death = None  # of the broker
        self.may_repeat = False
        self.repeated = 0


class Checker:
    """repeats: why this client delivers records again at rebalances without any failure, if it does.
    trails: why this client may deliver a record after it told of the revocation, if it does.
    late: why this client may tell of a revocation when others own the partition already, if it does.
    resends: why this client may send a commit that the death of the broker interrupted after newer ones, if it does."""

    def __init__(self, repeats=None, trails=None, late=None, resends=None, has_epochs=False):
        self.has_epochs = has_epochs  # members of the consumer protocol, each at its own pace
        self.repeats, self.trails, self.late, self.resends = repeats, trails, late, resends
        self.partitions = {}
        self.losses = set()
        self.failed = set()  # members that were killed or frozen and have not been assigned anything since
        self.generations = {}
        self.violations = []
        self.delivered = 0
        self.rebalances = 0

    def replay(self, events):
        """events: (time, member, event), in any order. Events of nobody have the member None."""
        events = sorted(events, key=lambda e: e[0])
        self.losses = losses(events, self.late is not None)
        for at, member, event in before_revocations(events) if self.trails else events:
            handler = getattr(self, 'on_' + event['event'], None)
            if handler is not None:
                handler(at, member, event)
        return self.violations

    def violation(self, at, text):
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(f'{text} (at {at:.3f})')

    def partition(self, topic, partition):
        return self.partitions.setdefault((topic, partition), Partition())

    def on_assigned(self, at, member, event):
        generation = event.get('generation')
        self.rebalances += 1
        self.failed.discard(member)
        if generation is not None:
            whose = member if self.has_epochs else None
            before = self.generations.get(whose, -1)
            if generation < before:
                self.violation(at, f'{member} is in generation {generation}, after generation {before}')
            self.generations[whose] = max(before, generation)
        for topic, number in event['partitions']:
            partition = self.partition(topic, number)
            old = partition.session
            if old is not None and old.member == member:
                self.violation(at, f'{member} was given {topic}/{number}, which it has')
            elif old is not None and old.is_lost:
                partition.may_repeat = True
            elif old is not None and old.member not in self.failed:
                self.violation(at, f'{topic}/{number} has two owners: {old.member}, and now {member}')
            if old is not None:
                partition.zombies[old.member] = old
            partition.zombies.pop(member, None)
            is_lost = (id(event), topic, number) in self.losses
            partition.session = Session(member, generation, is_lost, partition.committed)

    def on_revoked(self, at, member, event):
        for topic, number in event['partitions']:
            partition = self.partition(topic, number)
            partition.zombies.pop(member, None)
            if partition.session is not None and partition.session.member == member:
                partition.session = None
                partition.may_repeat |= bool(event.get('lost'))

    def on_records(self, at, member, event):
        for topic, number, offset, value in event['rows']:
            if value != f'{topic}/{number}/{offset}':
                self.violation(at, f'{member} got {value!r:.60} at {topic}/{number}/{offset}')
            self.delivered += 1
            self.record(at, member, f'{topic}/{number}', self.partition(topic, number), offset)

    def record(self, at, member, name, partition, offset):
        session = partition.session
        if session is None or session.member != member:
            session = partition.zombies.get(member)
            if session is None or not (session.is_lost or member in self.failed):
                self.violation(at, f'{member} delivered {name}/{offset}, which it does not own')
                return
        if session.next is None:
            self.first_record(at, session, name, partition, offset)
        elif offset != session.next:
            self.violation(at, f'{member} delivered {name}/{offset} where {session.next} was next')
        session.next = offset + 1
        if session is partition.session:
            partition.frontier = max(partition.frontier, offset + 1)
            partition.generation = session.generation

    def first_record(self, at, session, name, partition, offset):
        session.first = offset
        if offset > partition.frontier:
            self.violation(at, f'{session.member} started {name} at {offset}: '
                               f'{partition.frontier}..{offset - 1} were never delivered')
        if offset < session.committed:
            self.violation(at, f'{session.member} started {name} at {offset}, though {session.committed} was committed')
        if offset < partition.frontier:
            partition.repeated += partition.frontier - offset
            if partition.may_repeat:
                pass
            elif session.generation is not None and session.generation == partition.generation:
                self.violation(at, f'{name}/{offset} came twice in generation {session.generation}')
            elif self.repeats is None:
                self.violation(at, f'{session.member} started {name} at {offset}: without any failure, '
                                   f'{offset}..{partition.frontier - 1} came again')
        partition.may_repeat = False

    def on_killed(self, at, member, event):
        """kill -9, or frozen for longer than the session timeout: the partitions go to others without a handover."""
        self.failed.add(member)
        for partition in self.partitions.values():
            if partition.session is not None and partition.session.member == member:
                partition.may_repeat = True

    on_frozen = on_killed

    def on_refused(self, at, member, event):
        """A commit was refused, or its answer did not come: what was delivered may come again."""
        for partition in self.partitions.values():
            session = partition.session
            if session is None or session.member == member:
                partition.may_repeat = True

    def on_broker_killed(self, at, member, event):
        for partition in self.partitions.values():
            partition.may_repeat = True
            partition.committed_at_death = partition.committed

    def on_observed(self, at, member, event):
        for topic, number, offset in event['offsets']:
            partition = self.partition(topic, number)
            floor = partition.committed
            if self.resends and partition.committed_at_death is not None:
                floor = partition.committed_at_death
            if offset < floor:
                self.violation(at, f'committed offset of {topic}/{number} went from {floor} back to {offset}')
            partition.committed = max(floor, offset)

    def finish(self, produced):
        """produced: {(topic, partition): records}. Returns all violations."""
        for (topic, number), count in sorted(produced.items()):
            partition = self.partition(topic, number)
            if partition.frontier != count:
                self.violation(0, f'{topic}/{number}: {partition.frontier} delivered of {count} produced')
            if partition.committed != count and (count > 0 or partition.committed > 0):
                self.violation(0, f'{topic}/{number}: {partition.committed} committed of {count} produced')
        return self.violations

    def summary(self):
        repeated = sum(p.repeated for p in self.partitions.values())
        return f'{self.delivered} records, {repeated} of them repeated, {self.rebalances} assignments'
