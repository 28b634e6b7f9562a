# SPDX-License-Identifier: Apache-2.0
"""groups.py - the scenarios of consumer groups, played by cli_test.py."""
import json
import re
import shutil
import signal
import struct
import subprocess
import threading
import time

import rawkafka
from broker import Broker
from program import SETTINGS, TIMEOUT_S, eventually, has, same
from usage import complete


def listed(cli, *words):
    return {g['group']: g for g in cli.json('group', 'list', *words)}


def committed(cli, group):
    [found] = cli.json('group', 'describe', group)
    return {(p['topic'], p['partition']): p['committed'] for p in found['partitions']}


def test_group_usage(cli, _broker):
    has(cli.error('group', 'reset', 'g', expect=2), 'where to')
    has(cli.error('group', 'reset', 'g', '--to-latest', expect=2), 'which partitions')
    has(cli.error('group', 'reset', 'g', '--to-latest', '--to-earliest', '--topic', 't', expect=2), 'more than one')
    has(cli.error('group', 'reset', 'g', '--from-file', 'x', '--topic', 't', expect=2), '--from-file names')
    has(cli.error('group', 'reset', 'g', '--topic', 't', '--all-topics', '--to-latest', expect=2), 'either')
    has(cli.error('group', 'reset', 'g', '--topic', 't', '--to-offset', '-1', expect=2), '--to-offset must be')
    has(cli.error('group', 'reset', 'g', '--topic', 't', '--to-datetime', 'noon', expect=2), '2026-01-31')
    has(cli.error('group', 'reset', 'g', '--topic', 't', '--by-duration', '1h', expect=2), 'PT15M')
    has(cli.error('group', 'reset', 'g', '--topic', 't', '--to-latest', '--execute', '--dry-run', expect=2), 'exclude')
    has(cli.error('group', 'describe', expect=2), 'GROUP... is missing')
    has(cli.error('group', 'describe', 'g', '--watch', '--members', expect=2), 'excludes')
    has(cli.error('group', 'describe', 'g', '--watch=0', expect=2), '--watch must be')


def test_group_offsets(cli, _broker):
    """Offsets without members: reset in all ways, describe, list, delete."""
    cli.run('topic', 'create', 'goff', '--partitions', '3')
    cli.run('topic', 'create', 'goff-b')
    eventually(lambda: cli.records('goff', '--partition', '0') == [])
    for p in range(3):
        cli.run('produce', 'goff', '--partition', str(p), stdin=b'x\n' * (10 * (p + 1)))
    cli.run('produce', 'goff-b', stdin=b'x\n' * 5)

    def reset(*words):
        cli.run('group', 'reset', 'goff-g', *words, '--execute')
        return committed(cli, 'goff-g')

    plan = cli.json('group', 'reset', 'goff-g', '--topic', 'goff', '--to-latest')
    same((plan['executed'], [p['new_offset'] for p in plan['partitions']]), (False, [10, 20, 30]))
    has(cli.error('group', 'describe', 'goff-g'), 'GROUP_ID_NOT_FOUND (69)')  # a plan changes nothing
    same(reset('--topic', 'goff', '--to-offset', '15'),
         {('goff', 0): 10, ('goff', 1): 15, ('goff', 2): 15})
    same(reset('--topic', 'goff:0,2', '--shift-by', '-5'), {('goff', 0): 5, ('goff', 1): 15, ('goff', 2): 10})
    same(reset('--topic', 'goff', '--shift-by', '1000'), {('goff', 0): 10, ('goff', 1): 20, ('goff', 2): 30})
    same(reset('--topic', 'goff:1', '--to-earliest', '--topic', 'goff-b'),
         {('goff', 0): 10, ('goff', 1): 0, ('goff', 2): 30, ('goff-b', 0): 0})
    same(reset('--all-topics', '--to-datetime', '2020-01-01T00:00:00Z')[('goff', 2)], 0)
    same(reset('--all-topics', '--to-datetime', '2999-01-01')[('goff', 2)], 30)
    same(reset('--all-topics', '--by-duration', 'PT1H')[('goff', 2)], 0)
    before = reset('--topic', 'goff', '--to-latest')
    lines = cli.text('group', 'reset', 'goff-g', '--all-topics', '--to-current', '--export')
    same(lines, 'goff,0,10\ngoff,1,20\ngoff,2,30\ngoff-b,0,0\n')
    reset('--all-topics', '--to-earliest')
    cli.run('group', 'reset', 'goff-g', '--from-file', '-', '--execute', stdin=lines.encode())
    same(committed(cli, 'goff-g'), before)
    has(cli.error('group', 'reset', 'goff-g', '--from-file', '-', stdin=b'goff,0,1\nnonsense\n', expect=2), 'line 2')
    has(cli.run('group', 'reset', 'goff-g', '--topic', 'goff', '--to-offset', '99')[1], 'offsets 0 to 10')
    has(cli.error('group', 'reset', 'goff-g', '--topic', 'goff:9', '--to-latest'), 'partitions 0 to 2')
    has(cli.error('group', 'reset', 'goff-g', '--topic', 'gofff', '--to-latest'), 'did you mean "goff"')
    has(cli.error('group', 'reset', 'goff-none', '--all-topics', '--to-latest'), 'no partition to reset')

    cli.run('group', 'reset', 'goff-g', '--topic', 'goff', '--shift-by', '-4', '--execute')
    [group] = cli.json('group', 'describe', 'goff-g')
    same((group['state'], group['members'], group['lag']), ('Empty', [], 17))
    same([p['lag'] for p in group['partitions']], [4, 4, 4, 5])
    has(cli.text('group', 'describe', 'goff-g'), 'group goff-g: Empty, 0 members, lag 17', 'COMMITTED')
    same(listed(cli)['goff-g']['members'], 0)
    assert 'goff-g' in listed(cli, '--state', 'empty') and 'goff-g' not in listed(cli, '--state', 'Stable')
    has(cli.text('group', 'list'), 'GROUP', 'goff-g')
    has(cli.error('group', 'describe', 'goff-x'), 'did you mean "goff-g"')
    same(complete(cli, 'strom group describe goff-'), ['goff-g'])

    same(cli.json('group', 'delete', 'goff-g', '--topic', 'goff:0,1'), [{'group': 'goff-g', 'offsets_deleted': 2}])
    same(committed(cli, 'goff-g'), {('goff', 2): 26, ('goff-b', 0): 0})
    has(cli.text('group', 'delete', 'goff-g', '--topic', 'goff'), 'forgot 1 offset')
    has(cli.error('group', 'delete', 'goff-g', '--topic', 'goff'), 'no offset for topic goff')
    has(cli.text('group', 'delete', 'goff-g'), 'Deleted group goff-g')
    has(cli.error('group', 'delete', 'goff-g'), 'GROUP_ID_NOT_FOUND (69)')
    same(cli.json('group', 'delete', 'goff-g', '--if-exists'), [{'group': 'goff-g', 'deleted': False}])


def test_group_of_deleted_topic(cli, _broker):
    cli.run('topic', 'create', 'gone-t')
    cli.run('topic', 'create', 'gone-stays')
    cli.run('group', 'reset', 'gone-g', '--topic', 'gone-t', '--topic', 'gone-stays', '--to-earliest', '--execute')
    cli.run('topic', 'delete', 'gone-t')
    # A broker may forget the offsets with the topic; what it tells must make sense.
    [group] = cli.json('group', 'describe', 'gone-g')
    for p in group['partitions']:
        same((p['committed'], p['end_offset'], p['lag']), (0, None, None) if p['topic'] == 'gone-t' else (0, 0, 0))
    same(group['partitions'][-1]['topic'] == 'gone-t' or len(group['partitions']) == 1, True)


def test_group_watch(cli, _broker):
    cli.run('topic', 'create', 'watch-t')
    cli.run('produce', 'watch-t', stdin=b'x\n' * 100)
    cli.run('group', 'reset', 'watch-g', '--topic', 'watch-t', '--to-earliest', '--execute')
    watcher = cli.start('group', 'describe', 'watch-g', '--watch=1', '--json', stdin=subprocess.DEVNULL)
    first = json.loads(watcher.stdout.readline())
    same((first['lag'], first['consumed_per_s'], first['zero_in_s']), (100, None, None))
    cli.run('group', 'reset', 'watch-g', '--topic', 'watch-t', '--shift-by', '60', '--execute')
    while (line := json.loads(watcher.stdout.readline()))['lag'] != 40:
        pass
    assert line['consumed_per_s'] > 0 and line['produced_per_s'] == 0 and line['zero_in_s'] > 0, line
    same(line['partitions'][0]['committed'], 60)
    watcher.send_signal(signal.SIGINT)
    same((watcher.wait(TIMEOUT_S), watcher.stderr.read()), (0, b''))
    watcher = cli.start('group', 'describe', 'watch-g', 'watch-later', '--watch', stdin=subprocess.DEVNULL)
    has(watcher.stdout.readline().decode(), 'group watch-g: Empty')
    watcher.send_signal(signal.SIGTERM)
    rest = watcher.stdout.read().decode()
    has(rest, 'zero in', 'ZERO IN', 'group watch-later: Dead')
    assert '\x1b' not in rest
    same(watcher.wait(TIMEOUT_S), 0)


def raw_member(broker, group, metadata, assignment, protocol='range'):
    """Joins a group by hand with whatever bytes; returns the connection, which keeps the member alive."""
    member = rawkafka.Connection(('127.0.0.1', broker.port))
    body = rawkafka.string(group) + struct.pack('>ii', 30000, 30000) + rawkafka.string('') + \
        rawkafka.string('consumer') + struct.pack('>i', 1) + rawkafka.string(protocol) + \
        struct.pack('>i', len(metadata)) + metadata
    answer = member.ask(rawkafka.request(11, 2, body))
    error, generation = struct.unpack_from('>hi', answer, 8)
    same(error, 0)
    at = 14
    texts = []
    for _ in range(3):
        size, = struct.unpack_from('>h', answer, at)
        texts.append(answer[at + 2:at + 2 + size].decode())
        at += 2 + size
    member_id = texts[2]
    body = rawkafka.string(group) + struct.pack('>i', generation) + rawkafka.string(member_id) + \
        struct.pack('>i', 1) + rawkafka.string(member_id) + struct.pack('>i', len(assignment)) + assignment
    same(struct.unpack_from('>h', member.ask(rawkafka.request(14, 1, body)), 8)[0], 0)
    member.member_id = member_id
    return member


def test_group_hostile_members(cli, broker):
    """A member may tell the others anything; describe shows what it can and says what it cannot. (No rotten count of
    topics in a subscription: Apache Kafka 4.2 reads those, and then never answers the group.)"""
    topic = rawkafka.string('t')
    for i, (metadata, assignment, is_opaque) in enumerate([
            (b'', b'', False), (b'\xff', b'\xff\xff\xff', True),
            (b'\0\0\0\0\0\0\0\0\0\0', b'\0\0\0\0\0\x09', True),
            (b'\0\0\0\0\0\x01' + topic + b'\0\0\0\0',
             b'\0\0\0\0\0\x01' + topic + b'\0\0\0\x03\0\0\0\x01\xff\xff\xff\xff\0\0\0\x02\0\0\0\0', False)]):
        member = raw_member(broker, f'hostile-{i}', metadata, assignment)
        [group] = cli.json('group', 'describe', f'hostile-{i}')
        same((group['state'], [m['opaque'] for m in group['members']]), ('Stable', [is_opaque]))
        has(cli.text('group', 'describe', f'hostile-{i}'), 'Stable, 1 member')
        has(cli.text('group', 'describe', f'hostile-{i}', '--members'), '(not a consumer' if is_opaque else 'MEMBER')
        has(cli.error('group', 'reset', f'hostile-{i}', '--topic', 'x', '--to-latest'), 'NON_EMPTY_GROUP (68)',
            '1 member', 'stop its consumers')
        has(cli.error('group', 'delete', f'hostile-{i}'), 'NON_EMPTY_GROUP (68)', 'stop its consumers')
        member.close()


class Reader:
    """`strom consume` running as a member of a group; collects what it prints."""

    def __init__(self, cli, *words):
        self.process = cli.start('consume', *words, '--verbose', '--format', '%t %p %o %v\\n', stdin=subprocess.DEVNULL)
        self.lines, self.notes = [], []
        self.threads = [threading.Thread(target=self.collect, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.notes))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def collect(stream, into):
        for line in stream:
            into.append(line.decode().rstrip('\n'))

    def assigned(self):
        """The partitions of the last assignment that it told, None before the first."""
        notes = list(self.notes)
        begins = [i for i, note in enumerate(notes) if 'the group gives' in note]
        if not begins:
            return None
        count = int(notes[begins[-1]].split('gives ')[1].split()[0])
        found = [note.split() for note in notes[begins[-1] + 1:] if note.startswith('  ')]
        return sorted((w[0], int(w[2])) for w in found) if len(found) == count else None

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        same(self.process.wait(TIMEOUT_S), 0)
        for thread in self.threads:
            thread.join()
        return self.lines


def share(readers, count):
    """Whether the readers have `count` partitions between them, each one's."""
    assigned = [r.assigned() for r in readers]
    if None in assigned:
        return False
    flat = [p for parts in assigned for p in parts]
    return len(flat) == len(set(flat)) == count


def write(cli, topic, begin, end):
    cli.run('produce', topic, '--key-separator', ':', '--quiet',
            stdin='\n'.join(f'k{i}:{i}' for i in range(begin, end)).encode())


def test_group_members(cli, _broker):
    """Members come and go under load: every record once, in order within its partition, and all is committed."""
    cli.run('topic', 'create', 'mem-a', '--partitions', '4')
    cli.run('topic', 'create', 'mem-b', '--partitions', '3')
    write(cli, 'mem-a', 0, 2000)
    words = ['mem-a', 'mem-b', '--group', 'mem-g']
    readers = [Reader(cli, *words)]
    eventually(lambda: share(readers, 7))
    readers.append(Reader(cli, *words))
    eventually(lambda: share(readers, 7))
    write(cli, 'mem-b', 2000, 4000)
    readers.append(Reader(cli, *words))
    eventually(lambda: share(readers, 7))
    same(sorted(len(r.assigned()) for r in readers), [2, 2, 3])
    [group] = cli.json('group', 'describe', 'mem-g')
    same((group['state'], group['protocol'], len(group['members'])), ('Stable', 'range', 3))
    same({p['owner'] for p in group['partitions']}, {m['member'] for m in group['members']})
    has(cli.text('group', 'describe', 'mem-g', '--members'), 'mem-a:', 'mem-b:', '127.0.0.1')
    has(cli.error('group', 'delete', 'mem-g', '--topic', 'mem-a'), 'GROUP_SUBSCRIBED_TO_TOPIC (86)')
    write(cli, 'mem-a', 4000, 6000)
    eventually(lambda: sum(len(r.lines) for r in readers) >= 6000)
    gone = readers[0]
    gone.stop()
    eventually(lambda: share(readers[1:], 7))
    write(cli, 'mem-b', 6000, 8000)
    eventually(lambda: sum(len(r.lines) for r in readers) >= 8000)
    for reader in readers[1:]:
        reader.stop(how=signal.SIGTERM)
    lines = [line.split() for r in readers for line in r.lines]
    same(sorted(int(line[3]) for line in lines), list(range(8000)))
    for reader in readers:
        for where in {tuple(line.split()[:2]) for line in reader.lines}:
            offsets = [int(line.split()[2]) for line in reader.lines if tuple(line.split()[:2]) == where]
            same(offsets, sorted(offsets))
    [group] = cli.json('group', 'describe', 'mem-g')
    same((group['state'], group['lag'], len(group['partitions'])), ('Empty', 0, 7))
    same(cli.text('consume', *words, '--exit'), '')
    write(cli, 'mem-a', 8000, 8010)
    same(len(cli.text('consume', *words, '--count', '3').splitlines()), 3)
    same(len(cli.text('consume', *words, '--exit').splitlines()), 7)


def test_group_killed_member(cli, _broker):
    """kill -9: the others go on where it committed, after its session timed out."""
    cli.run('topic', 'create', 'kill-t', '--partitions', '4')
    words = ['kill-t', '--group', 'kill-g', '--session-timeout-ms', '1000']
    readers = [Reader(cli, *words) for _ in range(2)]
    eventually(lambda: share(readers, 4))
    write(cli, 'kill-t', 0, 1000)
    eventually(lambda: sum(len(r.lines) for r in readers) >= 1000)
    readers[0].process.kill()
    write(cli, 'kill-t', 1000, 2000)
    eventually(lambda: share(readers[1:], 4))
    eventually(lambda: len({line.split()[3] for r in readers for line in list(r.lines)}) == 2000)
    readers[1].stop()
    same(sum(p['lag'] for p in cli.json('group', 'describe', 'kill-g')[0]['partitions']), 0)


def test_group_static_member(cli, _broker):
    """A static member that goes and comes back within its session leaves the others alone."""
    cli.run('topic', 'create', 'static-t', '--partitions', '4')
    words = ['static-t', '--group', 'static-g']
    first = Reader(cli, *words, '--instance-id', 'one')
    eventually(lambda: share([first], 4))
    other = Reader(cli, *words, '--instance-id', 'two')
    eventually(lambda: share([first, other], 4))
    [group] = cli.json('group', 'describe', 'static-g')
    same(sorted(m['instance_id'] for m in group['members']), ['one', 'two'])
    had, notes = first.assigned(), list(other.notes)
    first.stop()
    back = Reader(cli, *words, '--instance-id', 'one')
    eventually(lambda: back.assigned() is not None)
    same((back.assigned(), other.notes), (had, notes))
    thief = Reader(cli, *words, '--instance-id', 'two')
    same(other.process.wait(TIMEOUT_S), 1)
    eventually(lambda: any('took over' in note for note in other.notes))
    for reader in (back, thief):
        reader.stop()


def test_group_topic_grows(cli, _broker):
    cli.run('topic', 'create', 'grow-t', '--partitions', '1')
    reader = Reader(cli, 'grow-t', '--group', 'grow-g')
    eventually(lambda: share([reader], 1))
    cli.run('topic', 'alter', 'grow-t', '--partitions', '3')
    write(cli, 'grow-t', 0, 100)
    eventually(lambda: share([reader], 3))
    eventually(lambda: len(reader.lines) == 100)
    reader.stop()


def test_group_blocked_output(cli, _broker):
    """Nobody reads the output: the member stays for --max-poll-ms, and commits nothing that was not taken."""
    cli.run('topic', 'create', 'block-t')
    cli.run('produce', 'block-t', '--quiet', stdin=b'x' * 999 + b'\n' + (b'y' * 999 + b'\n') * 999)
    words = ['consume', 'block-t', '--group', 'block-g', '--session-timeout-ms', '3000']

    def members():
        return [m['member'] for m in cli.json('group', 'describe', 'block-g')[0]['members']]
    blocked = cli.start(*words, stdin=subprocess.DEVNULL)
    eventually(lambda: listed(cli).get('block-g', {}).get('members') == 1)
    [member] = members()
    begin = time.monotonic()
    while time.monotonic() - begin < 7:  # two session timeouts
        same(members(), [member])
    same(committed(cli, 'block-g'), {('block-t', 0): None})
    blocked.send_signal(signal.SIGTERM)  # it cannot finish: it leaves after 3 seconds
    same(blocked.wait(TIMEOUT_S), 1)
    has(blocked.stderr.read().decode(), 'output is blocked')
    same(members(), [])

    blocked = cli.start(*words, '--max-poll-ms', '1500', '--count', '1000', stdin=subprocess.DEVNULL)
    eventually(lambda: listed(cli)['block-g']['members'] == 1)
    eventually(lambda: listed(cli)['block-g']['members'] == 0)
    same(len(blocked.stdout.read()), 1000000)
    same(blocked.wait(TIMEOUT_S), 0)
    has(blocked.stderr.read().decode(), '--max-poll-ms')


def test_group_start_of_new_partitions(cli, _broker):
    cli.run('topic', 'create', 'begin-t')
    write(cli, 'begin-t', 0, 10)
    reader = Reader(cli, 'begin-t', '--group', 'begin-latest', '--offset', 'latest')
    eventually(lambda: reader.assigned() == [('begin-t', 0)])
    write(cli, 'begin-t', 10, 12)
    eventually(lambda: len(reader.lines) == 2)
    reader.stop()
    same([line.split()[3] for line in reader.lines], ['10', '11'])
    cli.run('group', 'reset', 'begin-latest', '--topic', 'begin-t', '--to-offset', '5', '--execute')
    cli.run('topic', 'trim', 'begin-t', '--partition', '0', '--offset', '7')
    out, err = cli.run('consume', 'begin-t', '--group', 'begin-latest', '--exit')
    same(out.split(), [b'7', b'8', b'9', b'10', b'11'])
    has(err, '5 is committed')


def test_group_hostile_leader(cli, broker):
    """Another member leads and assigns what is not there, and the same twice; then what is no assignment."""
    cli.run('topic', 'create', 'lead-t', '--partitions', '2')
    cli.run('produce', 'lead-t', '--partition', '1', '--quiet', stdin=b'x\n' * 5)
    topic, group = rawkafka.string('lead-t'), rawkafka.string('lead-g')
    subscription = b'\0\0\0\0\0\x01' + topic + b'\0\0\0\0'
    made_up = b'\0\0\0\0\0\x02' + topic + struct.pack('>i5i', 5, 1, 7, -1, 1, 0x7fffffff) + \
        rawkafka.string('nowhere') + struct.pack('>ii', 1, 0) + b'\0\0\0\0'
    for turn, assignment in enumerate((made_up, b'\0\0\0\0\x7f')):
        leader = raw_member(broker, 'lead-g', subscription, b'')
        reader = Reader(cli, 'lead-t', '--group', 'lead-g')
        eventually(lambda: listed(cli)['lead-g']['state'] == 'PreparingRebalance')
        join = group + struct.pack('>ii', 30000, 30000) + rawkafka.string(leader.member_id) + \
            rawkafka.string('consumer') + struct.pack('>i', 1) + rawkafka.string('range') + \
            struct.pack('>i', len(subscription)) + subscription
        answer = leader.ask(rawkafka.request(11, 2, join))
        error, generation = struct.unpack_from('>hi', answer, 8)
        same(error, 0)
        other = next(name for name in re.findall(rb'strom-cli[-0-9a-f]*', answer))
        sync = group + struct.pack('>i', generation) + rawkafka.string(leader.member_id) + struct.pack('>i', 1) + \
            rawkafka.string(other.decode()) + struct.pack('>i', len(assignment)) + assignment
        leader.ask(rawkafka.request(14, 1, sync))
        if turn == 0:
            eventually(lambda: reader.assigned() == [('lead-t', 1)])
            eventually(lambda: len(reader.lines) == 5)
            has('\n'.join(reader.notes), '3 partitions of lead-t', '1 partition of nowhere')
            reader.stop()
        else:
            same(reader.process.wait(TIMEOUT_S), 1)
            eventually(lambda: any('no assignment' in note for note in reader.notes))
        leave = group + rawkafka.string(leader.member_id)
        leader.ask(rawkafka.request(13, 1, leave))
        leader.close()


def test_group_hung_broker(cli, _broker):
    """The broker stops answering (SIGSTOP): Ctrl-C still ends a member within seconds, a second one at once."""
    with Broker(cli.binary, settings=SETTINGS) as own:
        words = ['--bootstrap-server', own.bootstrap]
        cli.run('topic', 'create', 'hung', *words)
        readers = [Reader(cli, 'hung', '--group', f'hung-{i}', '--timeout-ms', '2000', *words) for i in range(2)]
        eventually(lambda: all(r.assigned() for r in readers))
        own.process.send_signal(signal.SIGSTOP)
        try:
            readers[0].process.send_signal(signal.SIGINT)
            readers[1].process.send_signal(signal.SIGINT)
            time.sleep(0.7)  # the same wish, and another one
            readers[1].process.send_signal(signal.SIGINT)
            same(readers[1].process.wait(TIMEOUT_S), 130)
            readers[0].process.wait(TIMEOUT_S)
        finally:
            own.process.send_signal(signal.SIGCONT)


def test_group_refusals(cli, broker):
    cli.run('topic', 'create', 'no-t')
    has(cli.error('consume', 'no-tt', '--group', 'no-g'), 'did you mean "no-t"')
    has(cli.error('consume', 'no-t', '--group', 'no-g', '--session-timeout-ms', '7200000'),
        'INVALID_SESSION_TIMEOUT (26)', '--session-timeout-ms')
    member = raw_member(broker, 'no-other', b'', b'', protocol='mine')
    has(cli.error('consume', 'no-t', '--group', 'no-other'), 'INCONSISTENT_GROUP_PROTOCOL (23)', 'range')
    member.close()


def test_group_broker_restart(cli, _broker):
    """kill -9 of the broker: members, who keep their ids, and commits survive it."""
    with Broker(cli.binary, settings=SETTINGS) as own:
        words = ['--bootstrap-server', own.bootstrap]
        cli.run('topic', 'create', 'again', '--partitions', '2', *words)
        reader = Reader(cli, 'again', '--group', 'again-g', *words)
        for i in range(3):
            cli.run('produce', 'again', '--quiet', *words, stdin=b''.join(b'%d\n' % (i * 100 + k) for k in range(100)))
            eventually(lambda n=i: len({line.split()[3] for line in list(reader.lines)}) == 100 * (n + 1))
            own.kill()
            own.start()
        reader.stop()
        same(cli.text('consume', 'again', '--group', 'again-g', '--exit', *words), '')


def test_group_with_kcat(cli, broker):
    """librdkafka and this share a group, whoever leads it."""
    if shutil.which('kcat') is None:
        print('    kcat is not installed: skipped')
        return
    cli.run('topic', 'create', 'mix-t', '--partitions', '5')
    kcat = ['kcat', '-b', broker.bootstrap, '-q', '-u', '-G', 'mix-g', '-X', 'auto.offset.reset=earliest', '-f', '%s\n',
            'mix-t']
    taken = []
    for turn in range(2):
        starts = [lambda: Reader(cli, 'mix-t', '--group', 'mix-g'),
                  lambda: subprocess.Popen(kcat, stdout=subprocess.PIPE, stderr=subprocess.PIPE)]
        both = {}
        for i in (0, 1) if turn == 0 else (1, 0):  # the first one leads
            both[i] = starts[i]()
            eventually(lambda n=len(both): listed(cli).get('mix-g', {}).get('state') == 'Stable' and
                       listed(cli)['mix-g']['members'] == n)
        reader, other = both[0], both[1]
        eventually(lambda: reader.assigned() is not None and len(reader.assigned()) in (2, 3))
        [group] = cli.json('group', 'describe', 'mix-g')
        same(sorted(len(m['assigned'][0]['partitions']) for m in group['members']), [2, 3])
        write(cli, 'mix-t', 1000 * turn, 1000 * turn + 1000)
        got = []
        threading.Thread(target=lambda stream=other.stdout, into=got: into.extend(stream), daemon=True).start()
        eventually(lambda: len(got) + len(reader.lines) >= 1000)
        other.terminate()
        other.wait(TIMEOUT_S)
        taken += [int(line) for line in got] + [int(line.split()[3]) for line in reader.stop()]
    same(sorted(taken), list(range(2000)))
