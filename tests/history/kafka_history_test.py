#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kafka_history_test.py - every error that kafka_history.py names is found in a history made for it, and no other."""
import sys

from kafka_history import Analysis, Op, Recorder


def writes(name, *sends, kind='ok', process='w', at=10):
    """sends: (partition, value, offset)."""
    return Op(name, process, kind, sends=sends, committing=None if kind == 'fail' else at)


def reads(name, *polls, process='r', at=20, moved=False, kind='ok'):
    """polls: lists of (partition, offset, value)."""
    return Op(name, process, kind, polls=[(at, list(rows), moved and i == 0) for i, rows in enumerate(polls)],
              committing=at)


A, B, C = (0, 'a', 0), (0, 'b', 1), (0, 'c', 2)
ROWS = [(0, 0, 'a'), (0, 1, 'b'), (0, 2, 'c')]
ALL = writes('t1', A, B, C)


def circle():
    t1 = Op('t1', 'p', 'ok', [(0, 'a', 0)], [(20, [(1, 0, 'b')], True)], 10)
    t2 = Op('t2', 'q', 'ok', [(1, 'b', 0)], [(20, [(0, 0, 'a')], True)], 10)
    return [t1, t2]


def around():
    return [writes('t1', A, (1, 'd', 1)), writes('t2', B, (1, 'c', 0), process='x'),
            reads('t3', [(0, 0, 'a'), (0, 1, 'b'), (1, 0, 'c'), (1, 1, 'd')], moved=True)]


CASES = {
    'good': ([], [ALL, reads('t2', ROWS)]),
    'good, read twice': ([], [ALL, reads('t2', ROWS), reads('t3', ROWS, moved=True), reads('t4', ROWS, process='s')]),
    'in doubt and read': ([], [writes('t1', A, B, C, kind='info'), reads('t2', ROWS)]),
    'in doubt and not read': ([], [writes('t1', A), writes('t2', (0, 'x', None), kind='info'), reads('t3', ROWS[:1])]),
    'aborted and not read': (['int-send-skip'], [writes('t1', A, C), writes('t2', B, kind='fail'),
                                                     reads('t3', [ROWS[0], ROWS[2]])]),
    'one offset, two values': (['inconsistent-offsets'], [ALL, reads('t2', ROWS),
                                                         writes('t3', (0, 'x', 1), kind='info', process='x')]),
    'two offsets': (['duplicate', 'int-nonmonotonic-poll'], [ALL, reads('t2', [*ROWS, (0, 3, 'a')])]),
    'aborted and read': (['G1a'], [writes('t1', A, B), writes('t2', C, kind='fail'), reads('t3', ROWS)]),
    'sent by nobody': (['G1a'], [writes('t1', A, B), reads('t2', ROWS)]),
    'read too early': (['precommitted-read'], [writes('t1', A, B, C, at=30), reads('t2', ROWS, at=20)]),
    'lost': (['lost-write', 'int-poll-skip'], [ALL, reads('t2', [ROWS[0], ROWS[2]])]),
    'lost, nobody could skip it': (['lost-write'], [ALL, reads('t2', [ROWS[2]])] + [writes('t0', kind='ok')] +
                                   [reads('t3', [ROWS[0]], process='s')]),
    'unseen': (['unseen'], [ALL, reads('t2', ROWS[:2])]),
    'skipped between': (['poll-skip'], [ALL, reads('t2', ROWS[:1]), reads('t3', ROWS[2:]),
                                        reads('t4', ROWS, process='s')]),
    'skipped inside': (['int-poll-skip'], [ALL, reads('t2', ROWS[:1], ROWS[2:]), reads('t3', ROWS, process='s')]),
    'back between': (['nonmonotonic-poll'], [ALL, reads('t2', ROWS), reads('t3', ROWS[1:])]),
    'back inside': (['int-nonmonotonic-poll'], [ALL, reads('t2', ROWS, ROWS[1:])]),
    'back, but assigned anew': ([], [ALL, reads('t2', ROWS), reads('t3', ROWS[1:], moved=True)]),
    'sent before an earlier one': (['nonmonotonic-send'], [writes('t1', B), writes('t2', A), reads('t4', ROWS),
                                                           writes('t3', C, process='x')]),
    'sent before, inside': (['int-nonmonotonic-send'], [writes('t1', C, B, A), reads('t4', ROWS)]),
    'others between': (['G0', 'int-send-skip'], [writes('t1', A, C), writes('t2', B, process='x'), reads('t3', ROWS)]),
    'a circle of reads': (['G1c'], circle()),
    'writes around each other': (['G0'], around()),
}


def recorder_ok():
    r = Recorder()
    for event in ({'event': 'begin', 'op': 1}, {'event': 'send', 'partition': 0, 'value': 'a'},
                  {'event': 'committing', 'at': 1}, {'event': 'ok', 'offsets': {'a': 7}},
                  {'event': 'begin', 'op': 2}, {'event': 'send', 'partition': 0, 'value': 'b'},
                  {'event': 'begin', 'op': 3}, {'event': 'poll', 'at': 3, 'rows': [[0, 7, 'a']], 'moved': True},
                  {'event': 'committing', 'at': 4}):
        r.told('p', event)
    r.ended('p')
    kinds = [op.kind for op in r.ops]
    return kinds == ['ok', 'fail', 'info'] and r.ops[0].sends == [(0, 'a', 7)] and not Analysis(r.ops).wrong()


def main():
    failed = 0
    for name, (wanted, ops) in CASES.items():
        found = Analysis(ops).errors
        is_right = sorted(found) == sorted(wanted)
        failed += not is_right
        print(f'ok kafka_history {name}' if is_right else f'not ok kafka_history {name}: {dict(found)}, not {wanted}')
    print('ok kafka_history recorder' if recorder_ok() else 'not ok kafka_history recorder')
    return 1 if failed or not recorder_ok() else 0


if __name__ == '__main__':
    sys.exit(main())
