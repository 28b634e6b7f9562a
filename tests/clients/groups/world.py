# SPDX-License-Identifier: Apache-2.0
"""world.py - a topic or more under load, and groups of one client that consume it, for the stories to play with.

Nothing here sleeps: every wait is for a claim about what the members and the observer have told, with a deadline.
"""
import json
import os
import random
import threading
import time

from checker import Checker
from observer import Observer
from process import Member, Talker

SESSION_MS = 6000  # the least that a broker allows by default
HEARTBEAT_MS = 500
DEADLINE_SECONDS = 45


class StoryFailed(Exception):
    pass


class World:
    """One broker's topics, their load, and the groups on them."""

    def __init__(self, client, bootstrap, load_command):
        self.client, self.bootstrap = client, bootstrap
        self.changed = threading.Condition()
        self.environment = dict(os.environ, STROM_BOOTSTRAP=bootstrap, NODE_NO_WARNINGS='1',
                                KAFKAJS_NO_PARTITIONER_WARNING='1')
        self.load = Talker(load_command, self.environment, self.changed)
        self.partitions = {}  # topic: partitions
        self.rates = {}
        self.ends = False
        self.groups = []
        self.broker_marks = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for group in self.groups if kind else ():
            keep_events(group.name, group.events())
        for group in self.groups:
            group.observer.stop()
            for member in group.members.values():
                member.kill()
        self.load.kill()

    # ---- the load

    def topic(self, partitions, rate):
        """A new topic that records keep coming to: `rate` a second for each partition."""
        name = f'{self.client.name}-{random.getrandbits(40):x}'
        self._load('topic', 'topic', name, partitions)
        self.partitions[name] = partitions
        self.rate(name, rate)
        return name

    def grow(self, topic, partitions):
        self._load('topic', 'grow', topic, partitions)
        self.partitions[topic] = partitions

    def rate(self, topic, rate):
        self.rates[topic] = rate
        self._load('rate', 'produce', topic, rate)

    def pause(self, group):
        """Stops the load until the group has nothing left to deliver."""
        if self.ends:
            return
        for topic in self.rates:
            self._load('rate', 'produce', topic, 0)
        self._load('counted', 'count')
        last = [e for e in self.load.events if e['event'] == 'counted'][-1]
        group.caught_up({(topic, p): count for topic, p, count in last['counts']})

    def go_on(self):
        if self.ends:
            return
        for topic, rate in self.rates.items():
            self._load('rate', 'produce', topic, rate)

    def _load(self, answer, *command):
        before = len(self.load.events)
        self.load.command(*command)
        self.wait(f'the load to {command[0]}',
                  lambda: any(e['event'] == answer for e in self.load.events[before:]))

    def produced(self):
        """Stops the load for good; returns {(topic, partition): acknowledged records}."""
        self.load.command('stop')
        self.wait('the load to end', lambda: any(e['event'] == 'produced' for e in self.load.events))
        self.ends = True
        last = self.load.events[-1]
        counts = {(topic, p): count for topic, p, count in last['counts']}
        if sum(counts.values()) != last['sent']:
            raise StoryFailed(f'the load: {last["sent"]} sent, {sum(counts.values())} acknowledged')
        return counts

    # ---- groups

    def group(self, topics, commit='manual', assignor='range', session_ms=SESSION_MS):
        group = Group(self, topics, commit, assignor, session_ms)
        self.groups.append(group)
        return group

    def broker_killed(self):
        self.broker_marks.append((time.monotonic(), None, {'event': 'broker_killed'}))

    def wait(self, what, claim, seconds=DEADLINE_SECONDS):
        """Until the claim holds. It is looked at whenever something was told."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not claim():
                self._check_failures()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise StoryFailed(f'waited {seconds} s for {what}; {self.describe()}')
                self.changed.wait(left)
            self._check_failures()

    def _check_failures(self):
        members = [m for group in self.groups for m in group.members.values()]
        failures = [m.failure() for m in members] + [e['text'] for e in self.load.events if e['event'] == 'error']
        failure = next((f for f in failures if f), None)
        if failure:
            raise StoryFailed(failure)

    def describe(self):
        return '; '.join(group.describe() for group in self.groups)

    def finish(self):
        """The end of every story: everything delivered, committed and left; what the checker says of it."""
        produced = self.produced()
        for group in self.groups:
            group.caught_up(produced)
        for group in self.groups:
            group.leave(*group.active())
        for group in self.groups:
            group.check(produced)


class Group:
    """The members of one group. Names are never used twice: a member that comes back is another process."""

    def __init__(self, world, topics, commit, assignor, session_ms):
        self.world, self.topics, self.commit, self.assignor = world, topics, commit, assignor
        self.session_ms = session_ms
        self.name = f'{world.client.name}-{commit}-{random.getrandbits(40):x}'
        self.members = {}
        self.has_epochs = False  # a member of the consumer protocol is, or was, in it
        self.frozen = set()
        self.observer = Observer(world.bootstrap, self.name, world.changed)

    def start(self, *names, instance=None, commit=None, protocol=None):
        environment = dict(self.world.environment, **({'STROM_GROUP_PROTOCOL': protocol} if protocol else {}))
        self.has_epochs |= protocol is not None
        for name in names:
            settings = {
                'bootstrap': self.world.bootstrap, 'group': self.name, 'topics': self.topics, 'name': name,
                'commit': commit or self.commit, 'assignor': self.assignor, 'session_ms': self.session_ms,
                'heartbeat_ms': HEARTBEAT_MS, 'instance': instance,
            }
            command = self.world.client.command + [json.dumps(settings)]
            self.members[name] = Member(name, command, environment, self.world.changed)

    def leave(self, *names):
        if self.world.client.drops_at_stop:
            self.world.pause(self)
        for name in names:
            self.members[name].stop()
        self.world.wait(f'{", ".join(names)} to leave', lambda: all(self._has_left(name) for name in names))
        for name in names:
            if self.members[name].process.returncode != 0:
                raise StoryFailed(f'{name} ended with {self.members[name].process.returncode}: '
                                  f'{" / ".join(self.members[name].noise[-5:])}')
        if self.world.client.drops_at_stop:
            self.world.go_on()

    def _has_left(self, name):
        member = self.members[name]
        return member.has_ended() and member.count('left') == 1

    def crash(self, name):
        self.members[name].crash()

    def freeze(self, name):
        self.frozen.add(name)
        self.members[name].freeze()

    def thaw(self, name):
        member = self.members[name]
        assigned, member.may_end = member.count('assigned'), True
        member.thaw()
        self.world.wait(f'{name} to find out', lambda: member.count('assigned') > assigned or member.has_ended())
        member.may_end = False
        self.frozen.discard(name)
        if member.has_ended():
            member.killed = True
            self.start(f'{name}2')

    def doom(self, name):
        """Another will take the member's instance id: from now on it may not know yet that it owns nothing."""
        member = self.members[name]
        member.may_end = True
        member.marks.append((time.monotonic(), 'killed'))

    def be_fenced(self, name):
        """Waits until a doomed member hears that another has its instance id, and ends it then."""
        member = self.members[name]
        self.world.wait(f'{name} to be fenced', lambda: member.count('fenced') > 0 or member.has_ended())
        member.killed = True
        member.kill()

    def refuse_others(self):
        for who, error, expected in self.observer.commit_as_others(self.topics[0]):
            if error != expected:
                raise StoryFailed(f'{self.name}: a commit by {who} was answered with {error}, not {expected}')

    def active(self):
        return [n for n, m in self.members.items() if not (m.stopping or m.killed or n in self.frozen)]

    def all_partitions(self):
        return {(topic, p) for topic in self.topics for p in range(self.world.partitions[topic])}

    def settled(self, names):
        """The members own every partition between them, each at least one, and records come from all of them; the
        coordinator says the same. The client may still be about to rebalance: then a later wait sees it."""
        owned = [tp for name in names for tp in self.members[name].owned]
        return (len(owned) == len(set(owned)) and set(owned) == self.all_partitions() and
                all(self.members[name].owned for name in names) and
                all(records > 0 for name in names for records in self.members[name].owned.values()) and
                self.observer.state == ('Stable', len(names)))

    def settle(self, *names):
        names = names or self.active()
        self.world.wait(f'{self.name}: {", ".join(names)} to share the partitions', lambda: self.settled(names))

    def caught_up(self, produced):
        mine = {tp: count for tp, count in produced.items() if tp[0] in self.topics}
        self.world.wait(f'{self.name}: no lag', lambda: all(self.observer.committed.get(tp, 0) == count
                                                            for tp, count in mine.items()))

    def changes(self, name):
        """How often the member was told of another assignment."""
        return self.members[name].count('assigned', 'revoked')

    def events(self):
        members = [event for member in self.members.values() for event in member.story()]
        return members + self.observer.story() + self.world.broker_marks

    def check(self, produced):
        client = self.world.client
        checker = Checker(client.repeats, client.trails, client.late, client.resends, has_epochs=self.has_epochs)
        events = self.events()
        checker.replay(events)
        violations = checker.finish({tp: count for tp, count in produced.items() if tp[0] in self.topics})
        print(f'# {self.name}: {checker.summary()}', flush=True)
        keep_events(self.name, events)
        if violations:
            raise StoryFailed(f'{self.name}: ' + '; '.join(violations))

    def describe(self):
        state = ', '.join(f'{n} has {len(m.owned)}' for n, m in self.members.items() if not (m.killed or m.stopping))
        return f'{self.name}: {state}; the coordinator says {self.observer.state}'


def keep_events(name, events):
    """With STROM_VERBOSE=DIRECTORY, what the checker saw is written there."""
    directory = os.environ.get('STROM_VERBOSE', '')
    if os.path.isdir(directory):
        with open(os.path.join(directory, f'{name}.events'), 'w', encoding='utf-8') as f:
            for at, member, event in sorted(events, key=lambda e: e[0]):
                f.write(f'{at:.4f} {member} {json.dumps(event)}\n')
