# SPDX-License-Identifier: Apache-2.0
"""stories.py - what happens to groups: each story is one test, played with every client that can.

Every story ends with World.finish: all produced records delivered and committed, and the checker has nothing to say.
"""
from world import StoryFailed

PARTITIONS = 6
RATE = 25  # records per second and partition
PATIENT_SESSION_MS = 30000  # a busy machine may take long to start a member
RESTART_SESSION_MS = 10000


def churn(world, _broker):
    """Members join, leave, crash and freeze, in one group that commits by hand and one that commits by itself."""
    topic = world.topic(PARTITIONS, RATE)
    groups = [world.group([topic], commit, assignor) for commit, assignor in world.client.churns]

    def step(action, *names):
        for group in groups:
            for name in names:
                getattr(group, action)(name)
        for group in groups:
            group.settle()
    step('start', 'A')
    step('start', 'B', 'C')
    step('leave', 'A')
    step('crash', 'B')
    step('start', 'D', 'B2')
    for group in groups:
        group.refuse_others()
    if not world.client.overwrites:
        step('freeze', 'D')  # for longer than its session: the others take over, and what it knows is old
        step('thaw', 'D')
    world.finish()


def cooperative(world, _broker):
    """Cooperative rebalances (KIP-429): who keeps a partition is never told to give it up."""
    topic = world.topic(PARTITIONS, RATE)
    group = world.group([topic], world.client.commits[-1], 'cooperative')
    group.start('A')
    group.settle('A')
    group.start('B')
    group.settle('A', 'B')
    revoked = [e for e in group.members['A'].events if e['event'] == 'revoked']
    given_up = [tuple(p) for e in revoked for p in e['partitions']]
    is_lost = any(e.get('lost') for e in revoked)  # a commit can meet the rebalance; librdkafka then starts afresh
    if not is_lost and (len(given_up) != PARTITIONS // 2 or set(given_up) & set(group.members['A'].owned)):
        raise StoryFailed(f'A gave up {given_up} and has {list(group.members["A"].owned)}')
    group.start('C')
    group.settle('A', 'B', 'C')
    group.crash('B')
    group.settle('A', 'C')
    group.leave('A')
    group.settle('C')
    world.finish()


def static(world, _broker):
    """Static members (KIP-345): one that is back in time finds its partitions, and the others notice nothing. Who
    takes over an instance that is alive fences it."""
    topic = world.topic(PARTITIONS, RATE)
    group = world.group([topic], world.client.commits[0], session_ms=PATIENT_SESSION_MS)
    group.start('one', instance='instance-1')
    group.start('two', instance='instance-2')
    group.settle('one', 'two')
    changes, had = group.changes('two'), set(group.members['one'].owned)
    group.crash('one')
    group.start('one-again', instance='instance-1')
    group.settle('one-again', 'two')
    if group.changes('two') != changes or set(group.members['one-again'].owned) != had:
        raise StoryFailed(f'two was told {group.changes("two") - changes} changes; {had} became '
                          f'{set(group.members["one-again"].owned)}')
    if not world.client.fights:
        take_over(group)
    world.finish()


def take_over(group):
    """Another process with the instance id of a living member."""
    changes, had = group.changes('two'), set(group.members['one-again'].owned)
    group.doom('one-again')
    group.start('one-thief', instance='instance-1')
    group.be_fenced('one-again')
    group.settle('one-thief', 'two')
    if group.changes('two') != changes or set(group.members['one-thief'].owned) != had:
        raise StoryFailed(f'two was told {group.changes("two") - changes} changes when an instance was taken over')


def subscriptions(world, _broker):
    """Two topics, one of which grows; everybody leaves, more records come, and a new member goes on where they were."""
    topics = [world.topic(3, RATE), world.topic(2, RATE)]
    group = world.group(topics, world.client.commits[0])
    group.start('A', 'B')
    group.settle('A', 'B')
    if world.client.sees_growth:
        world.grow(topics[0], 5)
        group.settle('A', 'B')
    group.leave('A', 'B')
    world.wait('the group to be empty', lambda: group.observer.state == ('Empty', 0))
    if not world.client.sees_growth:
        world.grow(topics[0], 5)
    group.start('C', commit=world.client.alone)
    group.settle('C')
    world.finish()


def broker_crash(world, broker):
    """kill -9 of the broker under load: the members carry on in their generation, and can still rebalance."""
    topic = world.topic(PARTITIONS, RATE)
    group = world.group([topic], world.client.commits[0], session_ms=RESTART_SESSION_MS)
    names = ['A', 'B', 'C']
    group.start(*names)
    group.settle(*names)
    changes = [group.changes(name) for name in names]
    world.broker_killed()
    broker.kill()
    broker.start()
    for name in names:
        group.members[name].owned.update(dict.fromkeys(group.members[name].owned, 0))
    group.settle(*names)
    if not world.client.rejoins and [group.changes(name) for name in names] != changes:
        told = [f'{n}: {e["text"]}' for n in names for e in group.members[n].events if 'text' in e]
        now = [group.changes(name) for name in names]
        raise StoryFailed(f'a rebalance after the restart: {changes} became {now}; {told}')
    group.crash('C')
    group.settle('A', 'B')
    world.finish()


def rolling(world, _broker):
    """Classic members are replaced by such of the consumer protocol, one by one, and back (KIP-848): the group and its
    offsets stay."""
    topic = world.topic(PARTITIONS, RATE)
    for assignor in world.client.rolls:
        group = world.group([topic], world.client.commits[-1 if assignor == 'cooperative' else 0], assignor)
        group.start('A', 'B')
        group.settle('A', 'B')
        group.start('C', protocol='consumer')
        group.settle('A', 'B', 'C')
        group.crash('A')
        group.start('D', protocol='consumer')
        group.settle('B', 'C', 'D')
        group.leave('B')
        group.settle('C', 'D')
        group.start('E')  # and back
        group.settle('C', 'D', 'E')
        group.leave('C')
        group.settle('D', 'E')
        group.crash('D')
        group.start('F')
        group.settle('E', 'F')
    world.finish()


def of(client, has_broker):
    """The stories that can be played with this client."""
    stories = [churn, subscriptions]
    if client.is_cooperative:
        stories.append(cooperative)
    if client.is_static:
        stories.append(static)
    if client.rolls:
        stories.append(rolling)
    if has_broker and not client.ends_with_broker:
        stories.append(broker_crash)
    return stories


ALL = (churn, subscriptions, cooperative, static, rolling, broker_crash)
